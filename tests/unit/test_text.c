/* SPDX-License-Identifier: GPL-2.0-only */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "sink/text.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#define US  1000ULL
#define MS  1000000ULL
#define S   1000000000ULL
#define DAY (86400 * S)

static void integers_are_written_in_full(void **state)
{
	static const struct {
		uint64_t value;
		const char *text;
	} cases[] = {
		{0, "0"},
		{9, "9"},
		{10, "10"},
		{4294967296, "4294967296"},
		{UINT64_MAX, "18446744073709551615"},
	};
	char text[TEXT_UINT_SIZE];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(text_uint(text, cases[i].value), strlen(cases[i].text));
		assert_string_equal(text, cases[i].text);
	}
}

static void durations_take_five_columns_and_round_to_nearest(void **state)
{
	static const struct {
		uint64_t duration_ns;
		const char *text;
	} cases[] = {
		{0, "0us"},
		{499, "0us"},
		{500, "1us"},
		{999 * US + 499, "999us"},
		{999 * US + 500, "1.0ms"},
		{9949 * US, "9.9ms"},
		{9950 * US, "10ms"},
		{250 * MS, "250ms"},
		{999 * MS + 499999, "999ms"},
		{999 * MS + 500000, "1.00s"},
		{1030 * MS, "1.03s"},
		{9994 * MS, "9.99s"},
		{9995 * MS, "10.0s"},
		{99949 * MS, "99.9s"},
		{99950 * MS, "100s"},
		{127 * S, "127s"},
		{999 * S + 499 * MS, "999s"},
		{1000 * S, "17m"},
		{DAY, "24h"},
		{999 * 3600 * S, "999h"},
		{1000 * 3600 * S, "42d"},
		{9999 * DAY, "9999d"},
		{UINT64_MAX, "213504d"},
	};
	char text[TEXT_DURATION_SIZE];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(text_duration(text, cases[i].duration_ns), strlen(cases[i].text));
		assert_string_equal(text, cases[i].text);
	}
}

static void utc_is_right_whether_or_not_the_second_is_cached(void **state)
{
	static const struct {
		uint64_t wall_ns;
		const char *text;
	} cases[] = {
		{1795329611 * S + 482913999, "2026-11-22T06:40:11.482913Z"},
		{1795329611 * S + 999999999, "2026-11-22T06:40:11.999999Z"},
		{1795329612 * S, "2026-11-22T06:40:12.000000Z"},
		{1795329611 * S + 1000, "2026-11-22T06:40:11.000001Z"},
		{0, "1970-01-01T00:00:00.000000Z"},
		{1709251199 * S, "2024-02-29T23:59:59.000000Z"},
		{UINT64_MAX, "2554-07-21T23:34:33.709551Z"},
	};
	struct text_utc_cache cache = {.second = UINT64_MAX};
	char text[TEXT_UTC_SIZE];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(text_utc(text, &cache, cases[i].wall_ns), TEXT_UTC_SIZE - 1);
		assert_string_equal(text, cases[i].text);
	}
}

static void clock_is_local_time(void **state)
{
	char text[TEXT_CLOCK_SIZE];

	(void)state;
	setenv("TZ", "IST-5:30", 1);
	tzset();
	assert_int_equal(text_clock(text, 1795329611 * S + 42999999, true), 12);
	assert_string_equal(text, "12:10:11.042");
	assert_int_equal(text_clock(text, 1795329611 * S + 999999999, false), 8);
	assert_string_equal(text, "12:10:11");
}

static void endpoints_bracket_what_would_be_ambiguous(void **state)
{
	static const struct {
		const char *addr;
		uint16_t port;
		const char *text;
	} cases[] = {
		{"::ffff:10.0.0.1", 80, "10.0.0.1:80"},
		{"::ffff:255.255.255.255", 65535, "255.255.255.255:65535"},
		{"::ffff:10.0.0.1", 0, "10.0.0.1"},
		{"2001:db8::1", 443, "[2001:db8::1]:443"},
		{"2001:db8::1", 0, "2001:db8::1"},
		{"::ffff:0.0.0.0", 80, "0.0.0.0:80"},
		{"::", 80, "[::]:80"},
		{"2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff", 65535,
		 "[2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff]:65535"},
	};
	char text[TEXT_ENDPOINT_SIZE];
	uint8_t addr[16];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(inet_pton(AF_INET6, cases[i].addr, addr), 1);
		assert_int_equal(text_endpoint(text, addr, cases[i].port), strlen(cases[i].text));
		assert_string_equal(text, cases[i].text);
	}
}

/* inet_ntop() prints ::/96 with dots, which RFC 5952 leaves to known prefixes;
 * the first group is kept from zero where that could come out. */
static void addresses_agree_with_inet_ntop(void **state)
{
	unsigned int seed = 5952;
	char expected[INET6_ADDRSTRLEN];
	char text[TEXT_ADDRESS_SIZE];
	uint8_t addr[16];
	unsigned int i;
	unsigned int j;

	(void)state;
	for (i = 0; i < 100000; i++) {
		/* Zero bytes are frequent, so that runs of groups are, too. */
		for (j = 0; j < sizeof(addr); j++)
			addr[j] = rand_r(&seed) % 3 ? 0 : (uint8_t)rand_r(&seed);
		addr[i % 12] |= 1;
		inet_ntop(AF_INET6, addr, expected, sizeof(expected));
		assert_int_equal(text_address(text, addr), strlen(expected));
		assert_string_equal(text, expected);
	}
}

static void loopback_and_any_are_short(void **state)
{
	static const char *const cases[] = {"::", "::1", "fe80::", "1:0:0:2::3"};
	char text[TEXT_ADDRESS_SIZE];
	uint8_t addr[16];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(inet_pton(AF_INET6, cases[i], addr), 1);
		text_address(text, addr);
		assert_string_equal(text, cases[i]);
	}
}

static void only_the_zero_of_either_family_is_unspecified(void **state)
{
	static const struct {
		const char *addr;
		bool unspecified;
	} cases[] = {
		{"::", true},
		{"::ffff:0.0.0.0", true},
		{"::1", false},
		{"::ffff:0.0.0.1", false},
		{"::fffe:0.0.0.0", false},
	};
	uint8_t addr[16];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(inet_pton(AF_INET6, cases[i].addr, addr), 1);
		assert_int_equal(text_is_unspecified(addr), cases[i].unspecified);
	}
}

static void hostile_text_is_quoted(void **state)
{
	static const struct {
		const char *text;
		const char *quoted;
	} cases[] = {
		{"curl", "\"curl\""},
		{"a\"b\\c", "\"a\\\"b\\\\c\""},
		{"\033[2J", "\"\\u001b[2J\""},
		{"a\nb\tc\r", "\"a\\u000ab\\u0009c\\u000d\""},
		{"\x7f", "\"\\u007f\""},
		{"\xc2\x9b"
		 "31m",
		 "\"\\u009b31m\""},
		{"\xe2\x80\xae"
		 "exe",
		 "\"\\u202eexe\""},
		{"\xe2\x81\xa6x\xe2\x81\xa9", "\"\\u2066x\\u2069\""},
		{"\xe2\x80\x8b", "\"\\u200b\""},
		{"\xf3\xa0\x81\xa1", "\"\\udb40\\udc61\""}, /* U+E0061 */
		{"\xff\xc3", "\"\\ufffd\\ufffd\""},
		{"caf\xc3\xa9", "\"caf\xc3\xa9\""},
		{"", "\"\""},
	};
	char quoted[TEXT_QUOTE_SIZE(32)];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(text_quote(quoted, cases[i].text, strlen(cases[i].text)),
				 strlen(cases[i].quoted));
		assert_string_equal(quoted, cases[i].quoted);
	}
}

static void the_longest_quotation_fits_the_room_asked_for(void **state)
{
	char text[64];
	char *quoted = malloc(TEXT_QUOTE_SIZE(sizeof(text)));

	(void)state;
	memset(text, 1, sizeof(text));
	/* ASan watches the end of the allocation. */
	assert_int_equal(text_quote(quoted, text, sizeof(text)), TEXT_QUOTE_SIZE(sizeof(text)) - 1);
	free(quoted);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(integers_are_written_in_full),
		cmocka_unit_test(durations_take_five_columns_and_round_to_nearest),
		cmocka_unit_test(utc_is_right_whether_or_not_the_second_is_cached),
		cmocka_unit_test(clock_is_local_time),
		cmocka_unit_test(endpoints_bracket_what_would_be_ambiguous),
		cmocka_unit_test(addresses_agree_with_inet_ntop),
		cmocka_unit_test(loopback_and_any_are_short),
		cmocka_unit_test(only_the_zero_of_either_family_is_unspecified),
		cmocka_unit_test(hostile_text_is_quoted),
		cmocka_unit_test(the_longest_quotation_fits_the_room_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
