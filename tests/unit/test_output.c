/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "sink/output.h"

static void what_is_written_arrives_with_the_flush(void **state)
{
	struct output output = {0};
	char text[8] = "";
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	output.file = fdopen(ends[1], "w");
	output_write(&output, "one\n", 4);
	output_write(&output, "two", 2);
	assert_int_equal(output_flush(&output), 0);
	assert_int_equal(read(ends[0], text, sizeof(text)), 6);
	assert_memory_equal(text, "one\ntw", 6);
	fclose(output.file);
	close(ends[0]);
}

static void a_full_disk_shows_at_the_flush(void **state)
{
	struct output output = {.file = fopen("/dev/full", "w")};

	(void)state;
	output_write(&output, "x", 1);
	assert_int_equal(output.error, 0);
	assert_int_equal(output_flush(&output), -ENOSPC);
	fclose(output.file);
}

/* A disk that is full once, and has room again. */
static ssize_t write_but_not_first(void *cookie, const char *text, size_t size)
{
	unsigned int *calls = cookie;

	(void)text;
	if ((*calls)++)
		return (ssize_t)size;
	errno = ENOSPC;
	return 0;
}

static void nothing_follows_the_first_error(void **state)
{
	unsigned int calls = 0;
	struct output output = {
		.file = fopencookie(&calls, "w",
				    (cookie_io_functions_t){.write = write_but_not_first}),
	};

	(void)state;
	output_write(&output, "x", 1);
	assert_int_equal(output_flush(&output), -ENOSPC);
	output_write(&output, "y", 1);
	assert_int_equal(output.error, -ENOSPC);
	assert_int_equal(output_flush(&output), -ENOSPC);
	assert_int_equal(calls, 1);
	fclose(output.file);
}

/* stdio writes on its own once its buffer is full. */
static void a_full_disk_shows_between_flushes(void **state)
{
	struct output output = {.file = fopen("/dev/full", "w")};
	unsigned int i;

	(void)state;
	for (i = 0; i < 2 * BUFSIZ; i++)
		output_write(&output, "x", 1);
	assert_int_equal(output.error, -ENOSPC);
	fclose(output.file);
}

static void a_reader_that_went_away_is_a_broken_pipe(void **state)
{
	struct output output = {0};
	int ends[2];

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(pipe(ends), 0);
	close(ends[0]);
	output.file = fdopen(ends[1], "w");
	output_write(&output, "x", 1);
	assert_int_equal(output_flush(&output), -EPIPE);
	fclose(output.file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_arrives_with_the_flush),
		cmocka_unit_test(a_full_disk_shows_at_the_flush),
		cmocka_unit_test(nothing_follows_the_first_error),
		cmocka_unit_test(a_full_disk_shows_between_flushes),
		cmocka_unit_test(a_reader_that_went_away_is_a_broken_pipe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
