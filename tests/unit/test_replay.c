/* SPDX-License-Identifier: GPL-2.0-only */
/* Files of records: what is read, and how damage ends it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/decode.h"
#include "facts.h"
#include "source/replay.h"

struct listener {
	size_t records;
	uint64_t last_cookie;
	size_t idles;
};

static void on_record(void *ctx, const void *data, size_t size)
{
	struct listener *listener = ctx;
	const struct sw_handshake *facts = data;

	assert_int_equal(size, facts->header.size);
	listener->records++;
	if (size == sizeof(*facts))
		listener->last_cookie = facts->cookie;
}

static int on_idle(void *ctx)
{
	((struct listener *)ctx)->idles++;
	return 0;
}

/* What opening such a file gives; the file is gone afterwards. */
static int open_text(const char *text, const struct filter *filter, struct source **ret_source)
{
	static char path[64]; /* messages name it as long as the source lives */
	int err, fd;

	strcpy(path, "/tmp/synwatch-test-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	err = replay_open(path, filter, /* words= */ NULL, 0, ret_source);
	assert_int_equal(unlink(path), 0);
	return err;
}

static int run(struct source *source, struct listener *listener, uint64_t *ret_end_ns)
{
	const struct source_events events = {.ctx = listener, .record = on_record, .idle = on_idle};

	return source_run(source, &events, ret_end_ns);
}

static void the_head_describes_the_session(void **state)
{
	const struct filter filter = {};
	const struct session *session;
	struct source *source;

	(void)state;
	assert_int_equal(open_text("# a comment\n"
				   "session start_ns=1000 wall_offset_ns=-5 host=web1 kernel=6.12 "
				   "version=0.1 boot_id=b\n"
				   "\n"
				   "hook inet_sock_set_state\n"
				   "hook sys_enter_connect no such tracepoint\n"
				   "open time_ns=2000 family=4\n",
				   &filter, &source),
			 0);
	session = source_session(source);
	assert_int_equal(session->start_ns, 1000);
	assert_int_equal(session->wall_offset_ns, -5);
	assert_string_equal(session->host, "web1");
	assert_string_equal(session->kernel, "6.12");
	assert_string_equal(session->version, "0.1");
	assert_string_equal(session->boot_id, "b");
	assert_false(session->live);
	assert_int_equal(session->hook_count, 2);
	assert_string_equal(session->hooks[0].name, "inet_sock_set_state");
	assert_string_equal(session->hooks[0].why_not, "");
	assert_string_equal(session->hooks[1].name, "sys_enter_connect");
	assert_string_equal(session->hooks[1].why_not, "no such tracepoint");
	assert_null(source_free(source));
}

static void records_are_read_to_the_end(void **state)
{
	static const struct {
		const char *text;
		size_t records;
		uint64_t last_cookie;
		uint64_t end_ns;
	} cases[] = {
		{"session start_ns=1", 0, 0, 0},
		{"open cookie=1 time_ns=5 family=4\nclose cookie=2 time_ns=7 family=4", 2, 2, 7},
		{"open cookie=1 time_ns=5 family=4\n# that was all\n\nend time_ns=9\n", 1, 1, 9},
		{"close cookie=1 time_ns=7 family=4\nopen cookie=2 time_ns=5 family=4\n", 2, 2, 7},
		{"loss time_ns=5 ring=1\ncounts time_ns=6 healthy=1\nclock time_ns=7\n", 3, 0, 7},
	};
	const struct filter filter = {};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct listener listener = {};
		struct source *source;
		uint64_t end_ns = 1;

		assert_int_equal(open_text(cases[i].text, &filter, &source), 0);
		assert_int_equal(run(source, &listener, &end_ns), 0);
		assert_int_equal(listener.records, cases[i].records);
		assert_int_equal(listener.last_cookie, cases[i].last_cookie);
		assert_int_equal(listener.idles, 1);
		assert_int_equal(end_ns, cases[i].end_ns);
		source_free(source);
	}
}

static void damage_ends_it_after_what_came_before(void **state)
{
	static const char *const damaged[] = {
		"close cookie=2 time_ns=7 fam", "session start_ns=1", "\x01\x02", "retry pid=x",
		"hook inet_sock_set_state",
	};
	const struct filter filter = {};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(damaged); i++) {
		struct listener listener = {};
		struct source *source;
		uint64_t end_ns = 1;
		char text[200];

		(void)snprintf(text, sizeof(text),
			       "open cookie=1 time_ns=5 family=4\n%s\n"
			       "close cookie=3 time_ns=9 family=4\n",
			       damaged[i]);
		assert_int_equal(open_text(text, &filter, &source), 0);
		assert_int_equal(run(source, &listener, &end_ns), -EBADMSG);
		assert_int_equal(listener.records, 1);
		assert_int_equal(listener.last_cookie, 1);
		assert_int_equal(listener.idles, 1);
		assert_int_equal(end_ns, 5);
		source_free(source);
	}
}

static void a_damaged_head_is_refused(void **state)
{
	const struct filter filter = {};
	struct source *source = NULL;

	(void)state;
	assert_int_equal(open_text("session uptime=1\n", &filter, &source), -EBADMSG);
	assert_int_equal(open_text("", &filter, &source), -EBADMSG);
	assert_int_equal(open_text("root:x:0:0\n", &filter, &source), -EBADMSG);
	assert_int_equal(replay_open("/nonexistent/records", &filter, NULL, 0, &source), -ENOENT);
	assert_null(source);
}

static void a_filter_leaves_out_handshakes_and_keeps_the_bookkeeping(void **state)
{
	struct listener listener = {};
	struct filter filter = {};
	struct source *source;
	char reason[256];
	uint64_t end_ns;

	(void)state;
	assert_int_equal(filter_add(&filter, SW_FILTER_PORT, "443", reason, sizeof(reason)), 0);
	assert_int_equal(open_text("open cookie=1 time_ns=5 family=4 rport=443\n"
				   "open cookie=2 time_ns=6 family=4 rport=80\n"
				   "loss time_ns=7 ring=1\n",
				   &filter, &source),
			 0);
	assert_int_equal(run(source, &listener, &end_ns), 0);
	assert_int_equal(listener.records, 2);
	assert_int_equal(listener.last_cookie, 1);
	source_free(source);
	filter_done(&filter);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_head_describes_the_session),
		cmocka_unit_test(records_are_read_to_the_end),
		cmocka_unit_test(damage_ends_it_after_what_came_before),
		cmocka_unit_test(a_damaged_head_is_refused),
		cmocka_unit_test(a_filter_leaves_out_handshakes_and_keeps_the_bookkeeping),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
