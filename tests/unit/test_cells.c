/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/cells.h"

static void what_is_not_there_is_zero(void **state)
{
	const struct cells cells = {};

	(void)state;
	assert_int_equal(cells_get(&cells, 0, 0), 0);
	assert_int_equal(cells_get(&cells, 255, 255), 0);
}

static void each_cell_counts_for_itself(void **state)
{
	struct cells cells = {};

	(void)state;
	for (unsigned int row = 0; row < 12; row++)
		for (unsigned int column = 0; column < 30; column++)
			for (unsigned int i = 0; i <= row + column; i++)
				assert_int_equal(cells_add(&cells, row, column, 1), i + 1);
	for (unsigned int row = 0; row < 12; row++)
		for (unsigned int column = 0; column < 30; column++)
			assert_int_equal(cells_get(&cells, row, column), row + column + 1);
	assert_int_equal(cells.count, 12 * 30);
	assert_int_equal(cells_get(&cells, 12, 0), 0);
	cells_clear(&cells);
}

static void what_is_taken_back_is_gone_and_no_more_than_that(void **state)
{
	struct cells cells = {};

	(void)state;
	assert_int_equal(cells_add(&cells, 3, 4, 2), 2);
	assert_int_equal(cells_add(&cells, 3, 4, -1), 1);
	assert_int_equal(cells_add(&cells, 3, 4, -2), 0);
	assert_int_equal(cells_get(&cells, 3, 4), 0);
	assert_int_equal(cells_add(&cells, 3, 4, 1), 1);
	assert_int_equal(cells.count, 1);
	/* Of what was never counted nothing can be taken, and it takes no room. */
	assert_int_equal(cells_add(&cells, 4, 3, -1), 0);
	assert_int_equal(cells.count, 1);
	cells_clear(&cells);
}

static void cleared_it_begins_anew(void **state)
{
	struct cells cells = {};

	(void)state;
	(void)cells_add(&cells, 1, 1, 5);
	cells_clear(&cells);
	assert_int_equal(cells.count, 0);
	assert_int_equal(cells_get(&cells, 1, 1), 0);
	assert_int_equal(cells_add(&cells, 1, 1, 1), 1);
	cells_clear(&cells);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_there_is_zero),
		cmocka_unit_test(each_cell_counts_for_itself),
		cmocka_unit_test(what_is_taken_back_is_gone_and_no_more_than_that),
		cmocka_unit_test(cleared_it_begins_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
