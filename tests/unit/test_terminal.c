/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "core/names.h"
#include "sink/sink.h"
#include "screen.h"

#define MS 1000000ULL
#define S  1000000000ULL

/* 06:40:11.482 UTC, 07:40:11.482 where the tests are */
#define WALL_NS (1795329611 * S + 482 * MS)

static void assert_screen(unsigned int width, const struct report *report, const char *expected)
{
	char *text = render(&(struct sink_terminal_options){.width = width}, NULL, report, 1);

	assert_string_equal(text, expected);
	free(text);
}

/* First stall of a hang: curl, 10.0.0.2:40112 -> 10.0.0.1:80. */
static struct report stall(void)
{
	struct report report = {
		.type = REPORT_STALL,
		.wall_ns = WALL_NS,
		.handshake =
			{
				.role = ROLE_CLIENT,
				.verdict = VERDICT_STALLED,
				.cause = CAUSE_NO_ANSWER,
				.why = "nothing came back",
				.tuple = {.lport = 40112, .rport = 80, .family = 4},
				.has_owner = true,
				.owner = {.pid = 4242, .comm = "curl"},
				.elapsed_ns = 1030 * MS,
				.syn_sent = 2,
				.syn_retransmits = 1,
				.syn_unsent = 0,
				.synack_retransmits = REPORT_NULL,
				.retry_limit = 6,
				.next_retry_ns = 2015 * MS,
				.give_up_ns = 126 * S,
			},
	};

	set_addr(report.handshake.tuple.laddr, "::ffff:10.0.0.2");
	set_addr(report.handshake.tuple.raddr, "::ffff:10.0.0.1");
	return report;
}

static struct report end(enum verdict verdict, const char *why)
{
	struct report report = stall();

	report.type = REPORT_END;
	report.handshake.verdict = verdict;
	snprintf(report.handshake.why, sizeof(report.handshake.why), "%s", why);
	report.handshake.retry_limit = REPORT_NULL;
	report.handshake.next_retry_ns = REPORT_NULL;
	report.handshake.give_up_ns = REPORT_NULL;
	return report;
}

/* A SYN-ACK that is not acknowledged, over IPv6, owner unknown. */
static struct report server_stall(void)
{
	struct report report = stall();

	report.handshake.role = ROLE_SERVER;
	report.handshake.has_owner = false;
	report.handshake.syn_retransmits = REPORT_NULL;
	report.handshake.synack_retransmits = 2;
	report.handshake.retry_limit = 5;
	report.handshake.tuple.family = 6;
	report.handshake.tuple.lport = 443;
	report.handshake.tuple.rport = 51234;
	set_addr(report.handshake.tuple.laddr, "2001:db8::2");
	set_addr(report.handshake.tuple.raddr, "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff");
	return report;
}

static struct session session(void)
{
	return (struct session){
		.version = "0.1.0",
		.host = "web-1",
		.kernel = "6.1.0-18-amd64",
		.live = true,
	};
}

static void the_rest_of_a_row_goes_below_it_at_80_columns(void **state)
{
	struct report report = stall();

	(void)state;
	assert_screen(
		80, &report,
		"07:40:11.482    4242 curl            -> 10.0.0.1:80           stalled     1.03s\n"
		"             from 10.0.0.2:40112, retry 1 of 6, next in 2.02s, gives up 07:42:17\n"
		"             nothing came back\n");
}

static void a_row_is_one_line_at_160_columns(void **state)
{
	struct report report = stall();

	(void)state;
	assert_screen(160, &report,
		      "07:40:11.482    4242 curl            client 10.0.0.2:40112        "
		      "10.0.0.1:80           stalled     1.03s   1/6 2.02s 07:42:17 "
		      "nothing came back\n");
}

static void a_row_is_one_line_where_there_is_no_terminal(void **state)
{
	struct report report = stall();

	(void)state;
	strcpy(report.handshake.why, "nothing came back: the SYN was lost on the way, the peer "
				     "threw it away, or its answer was lost");
	assert_screen(0, &report,
		      "07:40:11.482    4242 curl            client 10.0.0.2:40112        "
		      "10.0.0.1:80           stalled     1.03s   1/6 2.02s 07:42:17 "
		      "nothing came back: the SYN was lost on the way, the peer threw it away, or "
		      "its answer was lost\n");
}

static void a_long_reason_wraps_below_the_row(void **state)
{
	struct report report = stall();

	(void)state;
	strcpy(report.handshake.why, "nothing came back: the SYN was lost on the way, the peer "
				     "threw it away, or its answer was lost");
	assert_screen(160, &report,
		      "07:40:11.482    4242 curl            client 10.0.0.2:40112        "
		      "10.0.0.1:80           stalled     1.03s   1/6 2.02s 07:42:17\n"
		      "             nothing came back: the SYN was lost on the way, the peer "
		      "threw it away, or its answer was lost\n");
}

static void a_reason_uses_the_room_that_an_end_leaves(void **state)
{
	struct report report = end(VERDICT_TIMED_OUT, "the kernel gave up after 7 SYNs, no answer");

	(void)state;
	report.handshake.elapsed_ns = 127 * S;
	report.handshake.syn_retransmits = 4;
	/* retries that never left count, too: the kernel counts them */
	report.handshake.syn_unsent = 2;
	assert_screen(160, &report,
		      "07:40:11.482    4242 curl            client 10.0.0.2:40112        "
		      "10.0.0.1:80           timed_out    127s     6 "
		      "the kernel gave up after 7 SYNs, no answer\n");
	assert_screen(
		80, &report,
		"07:40:11.482    4242 curl            -> 10.0.0.1:80           timed_out    127s\n"
		"             from 10.0.0.2:40112, 6 retries\n"
		"             the kernel gave up after 7 SYNs, no answer\n");
}

static void a_server_is_told_apart(void **state)
{
	struct report report = server_stall();

	(void)state;
	assert_screen(
		80, &report,
		"07:40:11.482       - -               <-                       stalled     1.03s\n"
		"             at [2001:db8::2]:443,\n"
		"             client [2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff]:51234,\n"
		"             SYN-ACK retry 2 of 5, next in 2.02s, gives up 07:42:17\n"
		"             nothing came back\n");
	assert_screen(160, &report,
		      "07:40:11.482       - -               server [2001:db8::2]:443     "
		      "[2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff]:51234 stalled 1.03s 2/5 2.02s "
		      "07:42:17\n"
		      "             nothing came back\n");
}

/* The classic trap: who listens, where, and how full it is. */
static void the_row_of_a_server_names_its_listener(void **state)
{
	struct report report = stall();

	(void)state;
	report.handshake.role = ROLE_SERVER;
	report.handshake.cause = CAUSE_ACCEPT_QUEUE_FULL;
	report.handshake.owner = (struct sw_owner){.pid = 812, .comm = "nginx"};
	report.handshake.owners = 4;
	report.handshake.syn_retransmits = REPORT_NULL;
	report.handshake.synack_retransmits = 1;
	report.handshake.retry_limit = 5;
	report.handshake.tuple.lport = 80;
	report.handshake.tuple.rport = 51234;
	report.handshake.has_listener = true;
	strcpy(report.handshake.why, "the client believes it is connected: its ACK came and was "
				     "thrown away, the accept queue is full (129 of 128)");
	set_addr(report.handshake.tuple.laddr, "::ffff:10.0.0.1");
	set_addr(report.handshake.tuple.raddr, "::ffff:10.0.0.7");
	assert_screen(
		80, &report,
		"07:40:11.482     812 nginx +3        <- 10.0.0.7:51234        stalled     1.03s\n"
		"             at 10.0.0.1:80, SYN-ACK retry 1 of 5, next in 2.02s,\n"
		"             gives up 07:42:17\n"
		"             the client believes it is connected: its ACK came and was thrown\n"
		"             away, the accept queue is full (129 of 128)\n");
	assert_screen(160, &report,
		      "07:40:11.482     812 nginx +3        server 10.0.0.1:80           "
		      "10.0.0.7:51234        stalled     1.03s   1/5 2.02s 07:42:17\n"
		      "             the client believes it is connected: its ACK came and was "
		      "thrown away, the accept queue is full (129 of 128)\n");
}

static void a_syn_that_is_ignored_on_arrival_has_no_after(void **state)
{
	struct report report = end(VERDICT_IGNORED, "a firewall rule throws it away");

	(void)state;
	report.handshake.role = ROLE_SERVER;
	report.handshake.has_owner = false;
	report.handshake.elapsed_ns = 0;
	report.handshake.syn_retransmits = REPORT_NULL;
	report.handshake.tuple.lport = 80;
	report.handshake.tuple.rport = 51234;
	assert_screen(80, &report,
		      "07:40:11.482       - -               <- 10.0.0.1:51234        ignored\n"
		      "             at 10.0.0.2:80\n"
		      "             a firewall rule throws it away\n");
	assert_screen(160, &report,
		      "07:40:11.482       - -               server 10.0.0.2:80           "
		      "10.0.0.1:51234        ignored                                a firewall "
		      "rule throws it away\n");
}

static void further_owners_of_the_socket_are_counted(void **state)
{
	struct report report = stall();

	(void)state;
	report.handshake.owners = 3;
	assert_screen(160, &report,
		      "07:40:11.482    4242 curl +2         client 10.0.0.2:40112        "
		      "10.0.0.1:80           stalled     1.03s   1/6 2.02s 07:42:17 nothing came "
		      "back\n");
}

/* 26 columns of address: with "stalled" there is room, with "established" not. */
static void a_long_remote_moves_the_verdict_on_or_leaves_the_row(void **state)
{
	struct report report = end(VERDICT_STALLED, "");

	(void)state;
	report.handshake.tuple.rport = 51234;
	set_addr(report.handshake.tuple.raddr, "2001:db8:0:1::1234");
	assert_screen(
		80, &report,
		"07:40:11.482    4242 curl            -> [2001:db8:0:1::1234]:51234 stalled 1.03s\n"
		"             from 10.0.0.2:40112, 1 retry\n");
	report.handshake.verdict = VERDICT_ESTABLISHED;
	assert_screen(
		80, &report,
		"07:40:11.482    4242 curl            ->                       established 1.03s\n"
		"             from 10.0.0.2:40112, to [2001:db8:0:1::1234]:51234, 1 retry\n");
}

static void what_is_unknown_is_left_out(void **state)
{
	struct report report = end(VERDICT_LOCAL_ERROR, "no route to 10.0.0.1");

	(void)state;
	report.handshake.elapsed_ns = REPORT_NULL;
	report.handshake.syn_retransmits = 0;
	report.handshake.tuple.lport = 0;
	set_addr(report.handshake.tuple.laddr, "::");
	assert_screen(80, &report,
		      "07:40:11.482    4242 curl            -> 10.0.0.1:80           local_error\n"
		      "             no route to 10.0.0.1\n");
}

static void a_start_is_a_row_without_a_verdict(void **state)
{
	struct report report = stall();

	(void)state;
	report.type = REPORT_START;
	report.handshake.why[0] = '\0';
	report.handshake.syn_retransmits = 0;
	report.handshake.retry_limit = REPORT_NULL;
	report.handshake.next_retry_ns = REPORT_NULL;
	report.handshake.give_up_ns = REPORT_NULL;
	assert_screen(160, &report,
		      "07:40:11.482    4242 curl            client 10.0.0.2:40112        "
		      "10.0.0.1:80           start\n");
}

static void loss_names_its_reasons(void **state)
{
	struct report report = {
		.type = REPORT_LOSS,
		.wall_ns = WALL_NS,
		.loss = {.ring = 12, .late = 1},
	};

	(void)state;
	assert_screen(160, &report,
		      "07:40:11.482 lost: 12 records (ring buffer full) and 1 record (too late to "
		      "be put in order)\n");
	report.loss = (struct report_loss){.map_full = 1, .suppressed = 2, .missed = 3};
	assert_screen(
		80, &report,
		"07:40:11.482 lost: 1 record (handshake table full) and 3 records (program not\n"
		"  run by the kernel)\n");
	/* no record was lost by these; under a flood there are some every second */
	report.loss = (struct report_loss){.suppressed = 2};
	assert_screen(80, &report, "");
}

static void a_pattern_is_a_line_of_its_own(void **state)
{
	struct report report = {
		.type = REPORT_PATTERN,
		.wall_ns = WALL_NS,
		.pattern.text = "37 handshakes to 10.0.0.1:80 from netns 1\033 got no answer",
	};

	(void)state;
	assert_screen(160, &report,
		      "07:40:11.482 pattern: 37 handshakes to 10.0.0.1:80 from netns 1? got no "
		      "answer\n");
	assert_screen(60, &report,
		      "07:40:11.482 pattern: 37 handshakes to 10.0.0.1:80 from\n"
		      "  netns 1? got no answer\n");
}

static void a_crowd_is_a_line_of_its_own(void **state)
{
	struct report report = {
		.type = REPORT_CROWD,
		.wall_ns = WALL_NS,
		.crowd =
			{
				.tuple = {.lport = 80, .family = 4},
				.has_owner = true,
				.owner = {.pid = 812, .comm = "nginx"},
				.owners = 1,
				.why = "8,412 half-open from about 8,300 addresses; 37 SYNs or "
				       "ACKs ignored: the accept queue is full (129 of 128)",
			},
	};

	(void)state;
	set_addr(report.crowd.tuple.laddr, "::ffff:10.0.0.1");
	assert_screen(160, &report,
		      "07:40:11.482 crowd: 10.0.0.1:80 nginx[812]: 8,412 half-open from about "
		      "8,300 addresses; 37 SYNs or ACKs ignored: the accept queue is full (129 of "
		      "128)\n");
	/* the listener is bound to any address, and the workers share it */
	set_addr(report.crowd.tuple.laddr, "::");
	report.crowd.owners = 5;
	assert_screen(
		80, &report,
		"07:40:11.482 crowd: [::]:80 nginx[812] +4: 8,412 half-open from about 8,300\n"
		"  addresses; 37 SYNs or ACKs ignored: the accept queue is full (129 of 128)\n");
	report.crowd.has_owner = false;
	strcpy(report.crowd.why, "1,200 SYNs dropped: a\033[2J\n");
	assert_screen(80, &report, "07:40:11.482 crowd: [::]:80: 1,200 SYNs dropped: a?[2J?\n");
}

/* All 16 bytes may be used, so there may be no NUL. */
static void a_hostile_listener_cannot_drive_the_terminal(void **state)
{
	struct report report = {
		.type = REPORT_CROWD,
		.crowd = {.has_owner = true, .owner.pid = 1, .why = "1 half-open"},
	};
	char *text;

	(void)state;
	memcpy(report.crowd.owner.comm,
	       "\033]0;\x07\xff\xe2\x80\xaa"
	       "abcdef\xc3",
	       16);
	text = render(&(struct sink_terminal_options){.width = 80}, NULL, &report, 1);
	assert_harmless(text);
	assert_non_null(strstr(text, " ?]0;???abcdef?[1]: 1 half-open\n"));
	free(text);
}

static void the_header_says_what_is_watched(void **state)
{
	char port[] = "80,443";
	char comm[] = "cu\033rl";
	struct session watch = session();
	char *text;

	(void)state;
	watch.filters[0] = (struct session_filter){"port", port};
	watch.filters[1] = (struct session_filter){"comm", comm};
	watch.filter_count = 2;
	text = render(&(struct sink_terminal_options){.width = 80}, &watch, NULL, 0);
	assert_string_equal(
		text, "synwatch 0.1.0 watching web-1, kernel 6.1.0-18-amd64, only port=80,443\n"
		      "  comm=cu?rl\n"
		      "TIME             PID COMM               REMOTE                VERDICT     "
		      "AFTER\n");
	free(text);

	watch.live = false;
	watch.filter_count = 0;
	text = render(&(struct sink_terminal_options){.width = 160}, &watch, NULL, 0);
	assert_string_equal(
		text,
		"synwatch 0.1.0 reading a capture of web-1, kernel 6.1.0-18-amd64\n"
		"TIME             PID COMM            ROLE   LOCAL                 REMOTE     "
		"           VERDICT     AFTER RETRY  NEXT GIVES UP WHY\n");
	free(text);
}

static void a_filter_that_no_line_has_room_for_is_broken_after_a_comma(void **state)
{
	char netns[] = "/run/netns/the-first-of-them,/run/netns/the-second,/run/netns/the-third";
	struct session watch = session();
	char *text;

	(void)state;
	watch.filters[0] = (struct session_filter){"netns", netns};
	watch.filter_count = 1;
	text = render(&(struct sink_terminal_options){.width = 60}, &watch, NULL, 0);
	assert_non_null(strstr(text,
			       "\n  netns=/run/netns/the-first-of-them,/run/netns/the-second,\n"
			       "  /run/netns/the-third\n"));
	free(text);
	text = render(&(struct sink_terminal_options){.width = 85}, &watch, NULL, 0);
	assert_non_null(strstr(text, "\n  netns=/run/netns/the-first-of-them,/run/netns/the-second,"
				     "/run/netns/the-third\n"));
	free(text);
}

/* The notes on hooks, between the line on the host and the titles. */
static void only_missing_hooks_that_cost_something_are_named(void **state)
{
	static const struct {
		bool verbose;
		bool quiet;
		const char *notes;
	} cases[] = {
		{false, false,
		 "without sys_enter_connect: connect() errors before the SYN are not seen\n"},
		{true, false,
		 "without sys_enter_connect: connect() errors before the SYN are not seen (no "
		 "tracefs)\n"
		 "without sys_exit_connect: connect() errors before the SYN are not seen (no "
		 "tracefs)\n"
		 "without some_refinement: (not in BTF)\n"
		 "without nf_ct_attach: a REJECT of this host's that answers with a RST looks like "
		 "a DROP (refused)\n"},
		{true, true, NULL},
	};
	struct session watch = session();
	size_t i;

	(void)state;
	watch.hooks[0] = (struct session_hook){.name = "inet_sock_set_state"};
	watch.hooks[1] = (struct session_hook){"sys_enter_connect", "no tracefs"};
	watch.hooks[2] = (struct session_hook){"sys_exit_connect", "no tracefs"};
	watch.hooks[3] = (struct session_hook){"some_refinement", "not in BTF"};
	watch.hooks[4] = (struct session_hook){"nf_ct_attach", "refused"};
	watch.hook_count = 5;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct sink_terminal_options options = {
			.verbose = cases[i].verbose,
			.quiet = cases[i].quiet,
		};
		char *text = render(&options, &watch, NULL, 0);
		char *titles = strstr(text, "TIME ");
		char *notes = cases[i].notes ? strchr(text, '\n') + 1 : text;

		assert_non_null(titles);
		*titles = '\0';
		assert_string_equal(notes, cases[i].notes ? cases[i].notes : "");
		free(text);
	}
}

static void quiet_shows_ends_and_the_summary_only(void **state)
{
	const struct sink_terminal_options options = {.width = 80, .quiet = true};
	struct report reports[] = {
		stall(),
		stall(),
		end(VERDICT_REFUSED, "a RST"),
		{.type = REPORT_SUMMARY},
	};
	const struct report others[] = {
		{.type = REPORT_LOSS, .loss = {.ring = 1}},
		{.type = REPORT_CROWD, .crowd.why = "3 half-open"},
		{.type = REPORT_PATTERN, .pattern.text = "3 handshakes got no answer"},
	};
	char *text;

	(void)state;
	reports[0].type = REPORT_START;
	text = render(&options, NULL, reports, ARRAY_SIZE(reports));
	assert_null(strstr(text, "start"));
	assert_null(strstr(text, "stalled"));
	assert_non_null(strstr(text, "refused     1.03s\n"));
	assert_non_null(strstr(text, "Summary"));
	free(text);

	text = render(&options, NULL, others, ARRAY_SIZE(others));
	assert_string_equal(text, "");
	free(text);
}

static void colours_mark_verdicts_and_move_nothing(void **state)
{
	const struct sink_terminal_options options = {.width = 160, .color = true};
	struct report report = end(VERDICT_REFUSED, "a RST");
	char *text = render(&options, NULL, &report, 1);

	(void)state;
	assert_string_equal(text,
			    "07:40:11.482    4242 curl            client 10.0.0.2:40112        "
			    "10.0.0.1:80           \033[1;31mrefused\033[0m     1.03s     1"
			    "                a RST\n");
	free(text);

	report.handshake.verdict = VERDICT_ESTABLISHED;
	text = render(&options, NULL, &report, 1);
	assert_non_null(strstr(text, "\033[32mestablished\033[0m"));
	free(text);
}

static void hostile_text_cannot_drive_the_terminal(void **state)
{
	const struct sink_terminal_options options = {.width = 160, .verbose = true};
	struct report report = end(VERDICT_REFUSED, "a\033[2Jb\xc2\x9b"
						    "1mc\xe2\x80\xae"
						    "d\r\n");
	struct session watch = session();
	char *text;

	(void)state;
	memcpy(report.handshake.owner.comm,
	       "\033]0;\x07\xff\xe2\x80\xaa"
	       "abcdef\xc3",
	       16);
	strcpy(watch.host, "h\n\033c");
	watch.hooks[0] = (struct session_hook){"x\n", "y\x7f"};
	watch.hook_count = 1;
	text = render(&options, &watch, &report, 1);
	assert_harmless(text);
	assert_non_null(strstr(text, " ?]0;???abcdef? "));
	assert_non_null(strstr(text, " a?[2Jb?1mc?d??\n"));
	assert_non_null(strstr(text, "watching h??c,"));
	assert_non_null(strstr(text, "without x?: (y?)\n"));
	free(text);
}

static void a_full_disk_is_an_error_from_then_on(void **state)
{
	const struct sink_terminal_options options = {.width = 80};
	struct report report = stall();
	FILE *out = fopen("/dev/full", "w");
	struct sink *sink = sink_terminal_new(out, &options);

	(void)state;
	assert_int_equal(sink_report(sink, &report), 0);
	assert_int_equal(sink_flush(sink), -ENOSPC);
	assert_int_equal(sink_report(sink, &report), -ENOSPC);
	sink_free(sink);
	fclose(out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_rest_of_a_row_goes_below_it_at_80_columns),
		cmocka_unit_test(a_row_is_one_line_at_160_columns),
		cmocka_unit_test(a_row_is_one_line_where_there_is_no_terminal),
		cmocka_unit_test(a_long_reason_wraps_below_the_row),
		cmocka_unit_test(a_reason_uses_the_room_that_an_end_leaves),
		cmocka_unit_test(a_server_is_told_apart),
		cmocka_unit_test(the_row_of_a_server_names_its_listener),
		cmocka_unit_test(a_syn_that_is_ignored_on_arrival_has_no_after),
		cmocka_unit_test(further_owners_of_the_socket_are_counted),
		cmocka_unit_test(a_long_remote_moves_the_verdict_on_or_leaves_the_row),
		cmocka_unit_test(what_is_unknown_is_left_out),
		cmocka_unit_test(a_start_is_a_row_without_a_verdict),
		cmocka_unit_test(loss_names_its_reasons),
		cmocka_unit_test(a_pattern_is_a_line_of_its_own),
		cmocka_unit_test(a_crowd_is_a_line_of_its_own),
		cmocka_unit_test(a_hostile_listener_cannot_drive_the_terminal),
		cmocka_unit_test(the_header_says_what_is_watched),
		cmocka_unit_test(a_filter_that_no_line_has_room_for_is_broken_after_a_comma),
		cmocka_unit_test(only_missing_hooks_that_cost_something_are_named),
		cmocka_unit_test(quiet_shows_ends_and_the_summary_only),
		cmocka_unit_test(colours_mark_verdicts_and_move_nothing),
		cmocka_unit_test(hostile_text_cannot_drive_the_terminal),
		cmocka_unit_test(a_full_disk_is_an_error_from_then_on),
	};

	/* No tzdata needed: one hour east of Greenwich. */
	setenv("TZ", "CET-1", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
