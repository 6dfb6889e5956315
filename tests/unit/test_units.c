/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cli/units.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#define UNTOUCHED 0xa5a5a5a5a5a5a5a5ULL
#define MS	  1000000ULL
#define S	  1000000000ULL
#define DAY	  (86400 * S)

static void number_is_digits_within_its_range(void **state)
{
	static const struct {
		const char *text;
		uint64_t min, max;
		int err;
		uint64_t value;
	} cases[] = {
		{"0", 0, 9, 0, 0},
		{"1", 1, 65535, 0, 1},
		{"65535", 1, 65535, 0, 65535},
		{"0080", 1, 65535, 0, 80},
		{"18446744073709551615", 0, UINT64_MAX, 0, UINT64_MAX},
		{"0", 1, 65535, -ERANGE, 0},
		{"65536", 1, 65535, -ERANGE, 0},
		{"18446744073709551616", 0, UINT64_MAX, -ERANGE, 0},
		{"20000000000000000000", 0, UINT64_MAX, -ERANGE, 0},
		{"99999999999999999999999", 0, UINT64_MAX, -ERANGE, 0},
		{"99999999999999999999999x", 0, UINT64_MAX, -EINVAL, 0},
		{"", 0, 9, -EINVAL, 0},
		{"+5", 0, 9, -EINVAL, 0},
		{"-5", 0, 9, -EINVAL, 0},
		{" 5", 0, 9, -EINVAL, 0},
		{"5 ", 0, 9, -EINVAL, 0},
		{"5\n", 0, 9, -EINVAL, 0},
		{"1e3", 0, 9999, -EINVAL, 0},
		{"0x10", 0, 9999, -EINVAL, 0},
		{"1.5", 0, 9, -EINVAL, 0},
		{"1,000", 0, 9999, -EINVAL, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t value = UNTOUCHED;
		int err = units_number(cases[i].text, cases[i].min, cases[i].max, &value);

		if (err != cases[i].err || value != (err ? UNTOUCHED : cases[i].value))
			fail_msg("'%s': %d, %" PRIu64, cases[i].text, err, value);
	}
}

static void duration_is_a_number_and_one_of_five_units(void **state)
{
	static const struct {
		const char *text;
		int err;
		uint64_t ns;
	} cases[] = {
		{"1ms", 0, MS},
		{"500ms", 0, 500 * MS},
		{"5s", 0, 5 * S},
		{"2m", 0, 120 * S},
		{"1h", 0, 3600 * S},
		{"7d", 0, 7 * DAY},
		{"0s", 0, 0},
		{"36500d", 0, 36500 * DAY},
		{"36501d", -ERANGE, 0},
		{"876000h", 0, 36500 * DAY},
		{"876001h", -ERANGE, 0},
		{"3153600000001ms", -ERANGE, 0},
		{"18446744073709551615d", -ERANGE, 0},
		{"18446744073709551616ms", -ERANGE, 0},
		{"", -EINVAL, 0},
		{"5", -EINVAL, 0},
		{"s", -EINVAL, 0},
		{"ms", -EINVAL, 0},
		{"5 s", -EINVAL, 0},
		{" 5s", -EINVAL, 0},
		{"5s ", -EINVAL, 0},
		{"+5s", -EINVAL, 0},
		{"-5s", -EINVAL, 0},
		{"1.5s", -EINVAL, 0},
		{"1e3s", -EINVAL, 0},
		{"1m30s", -EINVAL, 0},
		{"5S", -EINVAL, 0},
		{"5us", -EINVAL, 0},
		{"5sec", -EINVAL, 0},
		{"5w", -EINVAL, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t ns = UNTOUCHED;
		int err = units_duration(cases[i].text, &ns);

		if (err != cases[i].err || ns != (err ? UNTOUCHED : cases[i].ns))
			fail_msg("'%s': %d, %" PRIu64, cases[i].text, err, ns);
	}
}

static void ports_are_one_port_or_a_forward_range(void **state)
{
	static const struct {
		const char *text;
		int err;
		uint16_t first, last;
	} cases[] = {
		{"1", 0, 1, 1},
		{"443", 0, 443, 443},
		{"65535", 0, 65535, 65535},
		{"80-443", 0, 80, 443},
		{"80-80", 0, 80, 80},
		{"1-65535", 0, 1, 65535},
		{"443-80", -EDOM, 0, 0},
		{"0", -ERANGE, 0, 0},
		{"65536", -ERANGE, 0, 0},
		{"0-80", -ERANGE, 0, 0},
		{"80-65536", -ERANGE, 0, 0},
		{"18446744073709551696", -ERANGE, 0, 0}, /* 2^64 + 80 */
		{"", -EINVAL, 0, 0},
		{"-", -EINVAL, 0, 0},
		{"80-", -EINVAL, 0, 0},
		{"-80", -EINVAL, 0, 0},
		{"80-90-100", -EINVAL, 0, 0},
		{"80 - 90", -EINVAL, 0, 0},
		{"80:90", -EINVAL, 0, 0},
		{"http", -EINVAL, 0, 0},
		{"1e3", -EINVAL, 0, 0},
		{"+5", -EINVAL, 0, 0},
		{" 5", -EINVAL, 0, 0},
		{"00000000000000000000000080-90", -EINVAL, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct units_ports ports = {.first = 0xa5a5, .last = 0x5a5a};
		int err = units_ports(cases[i].text, &ports);

		if (err != cases[i].err || ports.first != (err ? 0xa5a5 : cases[i].first) ||
		    ports.last != (err ? 0x5a5a : cases[i].last))
			fail_msg("'%s': %d, %u-%u", cases[i].text, err, ports.first, ports.last);
	}
}

#define MAPPED(...)                                   \
	{                                             \
		[10] = 0xff, [11] = 0xff, __VA_ARGS__ \
	}

static void host_is_an_address_or_a_network_of_either_family(void **state)
{
	static const struct {
		const char *text;
		struct sw_host_key host;
	} cases[] = {
		{"10.1.2.3", {128, MAPPED(10, 1, 2, 3)}},
		{"10.0.0.0/8", {104, MAPPED(10)}},
		{"10.1.2.3/8", {104, MAPPED(10, 1, 2, 3)}}, /* as written */
		{"10.1.2.3/32", {128, MAPPED(10, 1, 2, 3)}},
		{"0.0.0.0/0", {96, MAPPED(0)}},
		{"::ffff:10.1.2.3", {128, MAPPED(10, 1, 2, 3)}},
		{"::ffff:10.0.0.0/104", {104, MAPPED(10)}},
		{"::1", {128, {[15] = 1}}},
		{"[::1]", {128, {[15] = 1}}},
		{"[::1]/128", {128, {[15] = 1}}},
		{"::/0", {0, {0}}},
		{"2001:db8::/32", {32, {0x20, 0x01, 0x0d, 0xb8}}},
		{"fe80::1", {128, {0xfe, 0x80, [15] = 1}}},
		{"ABCD:EF01:2345:6789:abcd:ef01:2345:6789",
		 {128,
		  {0xab, 0xcd, 0xef, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0x01, 0x23,
		   0x45, 0x67, 0x89}}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sw_host_key host;

		if (units_host(cases[i].text, &host))
			fail_msg("'%s' is refused", cases[i].text);
		if (memcmp(&host, &cases[i].host, sizeof(host)))
			fail_msg("'%s': wrong key, /%u", cases[i].text, host.prefix_len);
	}
}

static void host_refuses_everything_else(void **state)
{
	static const struct {
		const char *text;
		int err;
	} cases[] = {
		{"10.0.0.0/33", -ERANGE},
		{"::/129", -ERANGE},
		{"10.0.0.0/99999999999999999999", -ERANGE},
		{"", -EINVAL},
		{"/", -EINVAL},
		{"/8", -EINVAL},
		{"10.0.0.0/", -EINVAL},
		{"10.0.0.0/+8", -EINVAL},
		{"10.0.0.0/ 8", -EINVAL},
		{"10.0.0.0/8/8", -EINVAL},
		{"10.0.0.0/255.0.0.0", -EINVAL},
		{"10", -EINVAL},
		{"10.1", -EINVAL},
		{"10.0.0.256", -EINVAL},
		{"010.0.0.1", -EINVAL},
		{"10.0.0.1:80", -EINVAL},
		{" 10.0.0.1", -EINVAL},
		{"[10.0.0.1]", -EINVAL},
		{"[::1", -EINVAL},
		{"::1]", -EINVAL},
		{"[]", -EINVAL},
		{"[", -EINVAL},
		{"[[::1]]", -EINVAL},
		{"[::1]:80", -EINVAL},
		{"[::1/128]", -EINVAL},
		{":::", -EINVAL},
		{"fe80::1%eth0", -EINVAL},
		{"localhost", -EINVAL},
		{"example.com", -EINVAL},
		{"a-name-that-is-longer-than-any-address-can-be.and-longer.example.com", -EINVAL},
		{"[0000:0000:0000:0000:0000:0000:255.255.255.2555555555]", -EINVAL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sw_host_key host, before;
		int err;

		memset(&host, 0xa5, sizeof(host));
		before = host;
		err = units_host(cases[i].text, &host);
		if (err != cases[i].err || memcmp(&host, &before, sizeof(host)))
			fail_msg("'%s': %d", cases[i].text, err);
	}
}

static void masking_and_formatting_name_the_network(void **state)
{
	static const struct {
		const char *text, *network;
	} cases[] = {
		{"10.1.2.3/8", "10.0.0.0/8"},
		{"10.255.2.3/9", "10.128.0.0/9"},
		{"10.1.2.3/31", "10.1.2.2/31"},
		{"10.1.2.3", "10.1.2.3/32"},
		{"10.1.2.3/0", "0.0.0.0/0"},
		{"2001:db8::1/32", "2001:db8::/32"},
		{"2001:db8:ffff::/33", "2001:db8:8000::/33"},
		{"::1/127", "::/127"},
		{"::1", "::1/128"},
		{"ffff::1/0", "::/0"},
		{"::ffff:10.1.2.3/104", "10.0.0.0/8"},
		{"::ffff:10.1.2.3/64", "::/64"},
		{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		 "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[UNITS_HOST_LEN];
		struct sw_host_key host;

		assert_int_equal(units_host(cases[i].text, &host), 0);
		units_host_mask(&host);
		units_host_format(&host, text);
		assert_string_equal(text, cases[i].network);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(number_is_digits_within_its_range),
		cmocka_unit_test(duration_is_a_number_and_one_of_five_units),
		cmocka_unit_test(ports_are_one_port_or_a_forward_range),
		cmocka_unit_test(host_is_an_address_or_a_network_of_either_family),
		cmocka_unit_test(host_refuses_everything_else),
		cmocka_unit_test(masking_and_formatting_name_the_network),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
