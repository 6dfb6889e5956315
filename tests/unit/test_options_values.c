/* SPDX-License-Identifier: GPL-2.0-only */
/* Sizes and moments, as they are typed. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "cli/moment.h"
#include "cli/units.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#define S 1000000000LL

/* 2026-11-22T10:00:00Z */
#define NOW (1795341600 * S)

static void sizes_are_powers_of_1024(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} sizes[] = {
		{"64K", 65536},	    {"100M", 104857600},
		{"2G", 2147483648}, {"1T", 1099511627776},
		{"0K", 0},	    {"9007199254740991K", 9223372036854774784},
	};
	uint64_t bytes;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		assert_int_equal(units_size(sizes[i].text, &bytes), 0);
		assert_int_equal(bytes, sizes[i].bytes);
	}
}

static void what_is_no_size_is_refused(void **state)
{
	static const struct {
		const char *text;
		int err;
	} sizes[] = {
		{"", -EINVAL},
		{"5", -EINVAL},
		{"K", -EINVAL},
		{"1k", -EINVAL},
		{"1KB", -EINVAL},
		{"1.5G", -EINVAL},
		{" 1K", -EINVAL},
		{"-1K", -EINVAL},
		{"1 K", -EINVAL},
		{"1P", -EINVAL},
		{"9007199254740992K", -ERANGE},
		{"99999999999999999999K", -ERANGE},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		uint64_t bytes = 7;

		assert_int_equal(units_size(sizes[i].text, &bytes), sizes[i].err);
		assert_int_equal(bytes, 7);
	}
}

static void in_zone(const char *zone)
{
	assert_int_equal(setenv("TZ", zone, 1), 0);
	tzset();
}

static void check_moments(const char *const (*moments)[2], size_t count)
{
	struct moment moment, expected;

	for (size_t i = 0; i < count; i++) {
		if (moment_parse(moments[i][0], &moment))
			fail_msg("%s", moments[i][0]);
		assert_int_equal(moment_parse(moments[i][1], &expected), 0);
		assert_true(expected.has_zone);
		if (moment_resolve(&moment, NOW) != moment_resolve(&expected, NOW))
			fail_msg("%s is not %s", moments[i][0], moments[i][1]);
	}
}

static void moments_are_local_unless_they_say_so(void **state)
{
	/* UTC+1, without summer time */
	static const char *const moments[][2] = {
		{"2026-11-22", "2026-11-21T23:00:00Z"},
		{"2026-11-22 03:12", "2026-11-22T02:12:00Z"},
		{"2026-11-22 03:12:30", "2026-11-22T02:12:30Z"},
		{"2026-11-22T03:12:30.25", "2026-11-22T02:12:30.250000000Z"},
		{"2026-11-22T03:12:30z", "2026-11-22T03:12:30Z"},
		{"2026-11-22t03:12:30+05:30", "2026-11-21T21:42:30Z"},
		{"2026-11-22T03:12:30-01:00", "2026-11-22T04:12:30Z"},
		{"-2h", "2026-11-22T08:00:00Z"},
		{"-500ms", "2026-11-22T09:59:59.5Z"},
		/* it is 11:00 */
		{"03:12", "2026-11-22T02:12:00Z"},
		{"11:00", "2026-11-22T10:00:00Z"},
		{"11:00:01", "2026-11-21T10:00:01Z"},
		{"23:30", "2026-11-21T22:30:00Z"},
	};
	struct moment moment;

	(void)state;
	in_zone("XYZ-1");
	check_moments(moments, ARRAY_SIZE(moments));
	assert_int_equal(moment_parse("2026-11-22T10:00:00.000000001Z", &moment), 0);
	assert_int_equal(moment_resolve(&moment, 0), NOW + 1);
}

static void summer_time_is_that_of_the_day(void **state)
{
	static const char *const moments[][2] = {
		{"2026-07-01 12:00", "2026-07-01T10:00:00Z"},
		{"2026-12-01 12:00", "2026-12-01T11:00:00Z"},
	};

	(void)state;
	in_zone("CET-1CEST,M3.5.0,M10.5.0/3");
	check_moments(moments, ARRAY_SIZE(moments));
}

static void what_is_no_moment_is_refused(void **state)
{
	static const char *const moments[] = {
		"",
		"-",
		"-2",
		"2h",
		"now",
		"24:00",
		"3:12",
		"03:60",
		"03:12:",
		"03:12:61",
		"03:12Z",
		"2026",
		"2026-13-01",
		"2026-00-01",
		"2026-01-32",
		"2026-01-01 ",
		"2026-01-01T",
		"2026-01-01 3:12",
		"2026-01-01 03:12 Z",
		"2026-01-01 03:12:00.",
		"2026-01-01 03:12+1",
		"2026-01-01 03:12+24:00",
		"1969-12-31",
		"2201-01-01",
		"2026-01-01 03:12:00Zx",
		"-2h ",
		"--2h",
		"0",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(moments); i++) {
		struct moment moment = {.year = 7};

		if (moment_parse(moments[i], &moment) != -EINVAL)
			fail_msg("%s", moments[i]);
		assert_int_equal(moment.year, 7);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_are_powers_of_1024),
		cmocka_unit_test(what_is_no_size_is_refused),
		cmocka_unit_test(moments_are_local_unless_they_say_so),
		cmocka_unit_test(summer_time_is_that_of_the_day),
		cmocka_unit_test(what_is_no_moment_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
