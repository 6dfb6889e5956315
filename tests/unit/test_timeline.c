/* SPDX-License-Identifier: GPL-2.0-only */
/* What the terminal says of a join. */
#include "screen.h"

#include <stdlib.h>

#define MS  1000000ULL
#define SEC 1000000000ULL

/* 2023-11-14 22:13:20 */
#define WALL (1700000000 * SEC)

static const struct session captured = {
	.version = "1.0", .host = "web1", .kernel = "6.1.0", .capture = "client.db"};

static struct report_peer hung_peer(void)
{
	struct report_peer peer = {.capture = "server.db", .host = "web2", .seen = true};

	set_addr(peer.tuple.laddr, "::ffff:10.0.0.1");
	set_addr(peer.tuple.raddr, "::ffff:10.0.9.9");
	peer.tuple.lport = 8080;
	peer.tuple.rport = 5000;
	peer.tuple.family = 4;
	peer.event_count = 2;
	peer.events[0] = (struct report_event){.wall_ns = WALL, .side = ROLE_CLIENT, .text = "SYN"};
	peer.events[1] = (struct report_event){
		.wall_ns = WALL + 2 * MS, .side = ROLE_SERVER, .text = "SYN, SYN-ACK sent"};
	return peer;
}

static struct report hung(const struct report_peer *peer)
{
	struct report report = {.type = REPORT_END, .wall_ns = WALL + 3 * SEC };

	report.handshake.verdict = VERDICT_TIMED_OUT;
	report.handshake.cause = CAUSE_REPLY_LOST;
	report.handshake.tuple.family = 4;
	report.handshake.tuple.lport = 40000;
	report.handshake.peer = peer;
	strcpy(report.handshake.why, "the answer was lost");
	return report;
}

static char *shown(const struct report_peer *peer, bool verbose)
{
	const struct sink_terminal_options options = {.width = 160, .verbose = verbose};
	struct report report = hung(peer);

	return render(&options, &captured, &report, 1);
}

static void both_sides_have_a_column(void **state)
{
	struct report_peer peer = hung_peer();
	char *text = shown(&peer, true);
	const char *client = strstr(text, "0us  SYN  ");
	const char *server = strstr(text, "2.0ms  ");

	(void)state;
	assert_non_null(strstr(text, "client, port 40000"));
	assert_non_null(strstr(text, "|  web2\n"));
	assert_non_null(strstr(text, "|  from 10.0.9.9:5000\n"));
	assert_non_null(strstr(text, "|  to 10.0.0.1:8080\n"));
	assert_non_null(client);
	assert_non_null(server);
	assert_non_null(strstr(server, " |  SYN, SYN-ACK sent\n"));
	free(text);
}

static void it_is_for_who_asks(void **state)
{
	struct report_peer peer = hung_peer();
	char *text = shown(&peer, false);

	(void)state;
	assert_non_null(strstr(text, "the answer was lost"));
	assert_null(strstr(text, "SYN-ACK sent"));
	free(text);
}

static void a_host_that_saw_nothing_has_an_empty_column(void **state)
{
	struct report_peer peer = hung_peer();
	char *text;

	(void)state;
	peer.seen = false;
	peer.event_count = 1;
	peer.events_left_out = 7;
	text = shown(&peer, true);
	assert_non_null(strstr(text, "|  web2: nothing of it\n"));
	assert_non_null(strstr(text, "and 7 more"));
	free(text);
}

static void foreign_words_are_harmless(void **state)
{
	struct report_peer peer = hung_peer();
	char *text;

	(void)state;
	peer.host = "\033[2Jweb\n2\xff";
	text = shown(&peer, true);
	assert_harmless(text);
	free(text);
}

static void clocks_are_told(void **state)
{
	const struct sink_terminal_options options = {.width = 160};
	const struct report reports[] = {
		{.type = REPORT_CLOCK,
		 .clock = {.client = "client.db",
			   .server = "server.db",
			   .by = CLOCK_BY_HANDSHAKES,
			   .offset_ns = -(int64_t)(90 * SEC),
			   .spread_ns = 2 * MS,
			   .handshakes = 12}},
		{.type = REPORT_CLOCK,
		 .clock = {.client = "client.db", .server = "other.db", .by = CLOCK_BY_WALL}},
	};
	char *text = render(&options, &captured, reports, ARRAY_SIZE(reports));

	(void)state;
	assert_non_null(strstr(text, "server.db: its clock is 90.0s behind that in client.db, "
				     "+/- 2.0ms, by 12 handshakes in both"));
	assert_non_null(strstr(text, "client.db and other.db have no handshake in common: their "
				     "wall clocks are taken to be right"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_sides_have_a_column),
		cmocka_unit_test(it_is_for_who_asks),
		cmocka_unit_test(a_host_that_saw_nothing_has_an_empty_column),
		cmocka_unit_test(foreign_words_are_harmless),
		cmocka_unit_test(clocks_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
