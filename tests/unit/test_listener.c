/* SPDX-License-Identifier: GPL-2.0-only */
/* When a queue is full, as tcp_conn_request() has it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/listener.h"
#include "facts.h"

static void the_accept_queue_is_full_above_its_limit(void **state)
{
	static const struct {
		uint32_t backlog, limit;
		bool full;
	} cases[] = {{0, 0, false}, {1, 0, true},      {1, 1, false},
		     {2, 1, true},  {128, 128, false}, {129, 128, true}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct sw_listener listener = {.backlog = cases[i].backlog,
						     .limit = cases[i].limit};

		assert_int_equal(listener_accept_queue_full(&listener, SW_F_LISTENER),
				 cases[i].full);
		/* not read, not known */
		assert_false(listener_accept_queue_full(&listener, 0));
	}
}

static void the_syn_queue_is_full_by_its_limit_or_its_last_quarter(void **state)
{
	static const struct {
		uint32_t requests, limit, syn_limit;
		uint8_t syncookies;
		bool full;
	} cases[] = {
		{0, 0, 4096, 0, false}, /* listen(fd, 0) lets one in */
		{1, 0, 4096, 0, true},
		{127, 128, 4096, 0, false},
		{128, 128, 4096, 0, true},
		{129, 128, 4096, 0, true},
		/* one that is full is answered with a cookie */
		{129, 128, 4096, 1, false},
		{129, 128, 4096, 2, false},
		/* 256 - 192 is a quarter, 256 - 193 is less */
		{192, 4096, 256, 0, false},
		{193, 4096, 256, 0, true},
		{193, 4096, 256, 1, false},
		{300, 4096, 256, 0, true},
		{300, 4096, 0, 0, false}, /* not known */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct sw_listener listener = {
			.requests = cases[i].requests,
			.limit = cases[i].limit,
			.syn_limit = cases[i].syn_limit,
			.syncookies = cases[i].syncookies,
		};

		if (listener_syn_queue_full(&listener, SW_F_LISTENER) != cases[i].full)
			fail_msg("case %zu", i);
		assert_false(listener_syn_queue_full(&listener, 0));
	}
}

static void the_accept_queue_explains_more_than_the_syn_queue(void **state)
{
	struct sw_listener listener = {.backlog = 2, .limit = 1, .requests = 5, .syn_limit = 256};

	(void)state;
	assert_int_equal(listener_cause(&listener, SW_F_LISTENER), CAUSE_ACCEPT_QUEUE_FULL);
	listener.backlog = 1;
	assert_int_equal(listener_cause(&listener, SW_F_LISTENER), CAUSE_SYN_QUEUE_FULL);
	listener.syncookies = 1;
	assert_int_equal(listener_cause(&listener, SW_F_LISTENER), CAUSE_OTHER_DROP);
	listener.backlog = 2;
	assert_int_equal(listener_cause(&listener, 0), CAUSE_OTHER_DROP);
}

static void its_words_have_the_numbers(void **state)
{
	struct sw_listener listener = {
		.backlog = 129, .limit = 128, .requests = 130, .syn_limit = 4096};

	(void)state;
	assert_string_equal(listener_words(&listener, CAUSE_ACCEPT_QUEUE_FULL).text,
			    "accept queue is full (129 of 128)");
	assert_string_equal(listener_words(&listener, CAUSE_SYN_QUEUE_FULL).text,
			    "SYN queue is full (130 of 128)");
	assert_string_equal(listener_accept_queue_words(&listener, SW_F_LISTENER).text,
			    "the accept queue is full (129 of 128)");
	listener.backlog = 128;
	assert_string_equal(listener_accept_queue_words(&listener, SW_F_LISTENER).text,
			    "the accept queue was full");
	assert_string_equal(listener_accept_queue_words(&listener, 0).text,
			    "the accept queue was full");
	listener.limit = 4096;
	listener.requests = 200;
	listener.syn_limit = 256;
	assert_string_equal(
		listener_words(&listener, CAUSE_SYN_QUEUE_FULL).text,
		"SYN queue is full (200 of 256, and the last quarter is kept for known remotes)");
}

static void a_report_says_whether_cookies_are_in_use_not_whether_they_may_be(void **state)
{
	const struct sw_listener listener = {
		.backlog = 1, .limit = 2, .requests = 3, .syncookies = 1};
	struct report_listener report = listener_report(&listener, SW_F_LISTENER);

	(void)state;
	assert_int_equal(report.backlog, 1);
	assert_int_equal(report.limit, 2);
	assert_int_equal(report.requests, 3);
	assert_false(report.syncookies);
	assert_true(listener_report(&listener, SW_F_LISTENER | SW_F_COOKIES).syncookies);
	assert_string_equal(listener_cookies_words(SW_F_LISTENER), "");
	assert_non_null(strstr(listener_cookies_words(SW_F_COOKIES), "syncookies are in use"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_accept_queue_is_full_above_its_limit),
		cmocka_unit_test(the_syn_queue_is_full_by_its_limit_or_its_last_quarter),
		cmocka_unit_test(the_accept_queue_explains_more_than_the_syn_queue),
		cmocka_unit_test(its_words_have_the_numbers),
		cmocka_unit_test(a_report_says_whether_cookies_are_in_use_not_whether_they_may_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
