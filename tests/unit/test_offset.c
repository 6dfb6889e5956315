/* SPDX-License-Identifier: GPL-2.0-only */
/* Two hosts' clocks, laid over each other by what both saw. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/offset.h"

#define MS  1000000LL
#define SEC (1000 * MS)
#define FAR (-7654321 * SEC)

static void nothing_in_common_tells_nothing(void **state)
{
	struct offset offset;

	(void)state;
	assert_false(offset_solve(NULL, 0, &offset));
}

static void one_is_all_there_is(void **state)
{
	int64_t samples[] = {FAR};
	struct offset offset;

	(void)state;
	assert_true(offset_solve(samples, 1, &offset));
	assert_int_equal(offset.offset_ns, FAR);
	assert_int_equal(offset.spread_ns, 1000);
	assert_int_equal(offset.agree, 1);
}

/* SYNs that got through at the first, second and third attempt; and an ISN's twin. */
static void most_agree_and_the_rest_came_later(void **state)
{
	int64_t samples[] = {
		FAR + 3 * SEC,
		FAR + 2 * MS,
		FAR + SEC,
		FAR + MS,
		9 * SEC,
		FAR + SEC + 2 * MS,
		FAR + 4 * MS
	};
	struct offset offset;

	(void)state;
	assert_true(offset_solve(samples, sizeof(samples) / sizeof(*samples), &offset));
	assert_int_equal(offset.offset_ns, FAR + 2 * MS);
	assert_int_equal(offset.spread_ns, 3 * MS / 2);
	assert_int_equal(offset.agree, 3);
}

static void of_two_that_have_as_many_the_lower(void **state)
{
	int64_t samples[] = { FAR + SEC, FAR, FAR + SEC + MS, FAR + MS };
	struct offset offset;

	(void)state;
	assert_true(offset_solve(samples, 4, &offset));
	assert_int_equal(offset.offset_ns, FAR + MS);
	assert_int_equal(offset.agree, 2);
}

/* What a damaged capture may hold. */
static void no_number_overflows(void **state)
{
	int64_t samples[] = {INT64_MIN, INT64_MAX, 0, INT64_MIN + 1};
	struct offset offset;

	(void)state;
	assert_true(offset_solve(samples, 4, &offset));
	assert_int_equal(offset.agree, 2);
	assert_int_equal(offset.offset_ns, INT64_MIN + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_in_common_tells_nothing),
		cmocka_unit_test(one_is_all_there_is),
		cmocka_unit_test(most_agree_and_the_rest_came_later),
		cmocka_unit_test(of_two_that_have_as_many_the_lower),
		cmocka_unit_test(no_number_overflows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
