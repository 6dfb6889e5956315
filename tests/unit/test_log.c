/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * stderr becomes a datagram socket here: every write arrives as a message of
 * its own, so what is received shows both the text and the number of writes.
 */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/log.h"

struct capture {
	int stderr_fd;
	int reader;
};

static int capture_stderr(void **state)
{
	static struct capture capture;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair))
		return -1;
	capture.reader = pair[0];
	capture.stderr_fd = dup(STDERR_FILENO);
	if (capture.stderr_fd < 0 || dup2(pair[1], STDERR_FILENO) < 0)
		return -1;
	close(pair[1]);
	log_set_level(LOG_INFO);
	*state = &capture;
	return 0;
}

static int release_stderr(void **state)
{
	struct capture *capture = *state;

	dup2(capture->stderr_fd, STDERR_FILENO);
	close(capture->stderr_fd);
	close(capture->reader);
	return 0;
}

/* The next write; "" if there was none. */
static const char *written(void **state)
{
	const struct capture *capture = *state;
	static char text[2 * PIPE_BUF];
	ssize_t length;

	length = recv(capture->reader, text, sizeof(text) - 1, MSG_DONTWAIT);
	text[length > 0 ? length : 0] = '\0';
	return text;
}

static void every_message_is_one_write_of_one_line(void **state)
{
	log_error("cannot open %s: %s", "x", "No such file");
	assert_string_equal(written(state), "synwatch: cannot open x: No such file\n");
	log_warning("%d lost", 3);
	assert_string_equal(written(state), "synwatch: warning: 3 lost\n");
	log_info("ready");
	assert_string_equal(written(state), "synwatch: ready\n");
	assert_string_equal(written(state), "");
}

static void the_level_decides_what_is_written(void **state)
{
	static void (*const log[])(const char *format, ...) = {
		[LOG_ERROR] = log_error,
		[LOG_WARNING] = log_warning,
		[LOG_INFO] = log_info,
		[LOG_DEBUG] = log_debug,
	};

	for (enum log_level level = LOG_ERROR; level <= LOG_DEBUG; level++) {
		log_set_level(level);
		assert_int_equal(log_level(), level);
		for (enum log_level message = LOG_ERROR; message <= LOG_DEBUG; message++) {
			log[message]("x");
			assert_int_equal(*written(state) != '\0', message <= level);
		}
	}
}

static void a_message_cannot_drive_the_terminal_or_forge_a_line(void **state)
{
	log_error("comm '%s'", "\033[2J\nsynwatch: all is well");
	assert_string_equal(written(state), "synwatch: comm '?[2J?synwatch: all is well'\n");
}

static void a_long_message_is_cut_to_what_a_pipe_takes_at_once(void **state)
{
	static const char prefix[] = "synwatch: warning: ";
	char whole[PIPE_BUF];
	const char *text;

	/* The longest that fits: prefix, message, newline, NUL. */
	memset(whole, 'x', sizeof(whole));
	whole[PIPE_BUF - sizeof(prefix) - 1] = '\0';
	log_warning("%s", whole);
	text = written(state);
	assert_int_equal(strlen(text), PIPE_BUF - 1);
	assert_string_equal(text + strlen(text) - 5, "xxxx\n");

	whole[PIPE_BUF - sizeof(prefix) - 1] = 'x';
	whole[PIPE_BUF - sizeof(prefix)] = '\0';
	log_warning("%s", whole);
	text = written(state);
	assert_int_equal(strlen(text), PIPE_BUF - 1);
	assert_string_equal(text + strlen(text) - 5, "x...\n");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, capture_stderr, release_stderr)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_message_is_one_write_of_one_line),
		TEST(the_level_decides_what_is_written),
		TEST(a_message_cannot_drive_the_terminal_or_forge_a_line),
		TEST(a_long_message_is_cut_to_what_a_pipe_takes_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
