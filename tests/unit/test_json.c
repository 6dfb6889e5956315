/* SPDX-License-Identifier: GPL-2.0-only */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/names.h"
#include "sink/sink.h"
#include "json_assert.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#define S 1000000000ULL

/* 2026-11-22T06:40:11.482913Z */
#define WALL_NS (1795329611 * S + 482913987)

static void set_addr(uint8_t *addr, const char *text)
{
	assert_int_equal(inet_pton(AF_INET6, text, addr), 1);
}

/* One handshake of which everything is known. */
static struct report full_report(void)
{
	struct report report = {
		.type = REPORT_END,
		.time_ns = 1,
		.wall_ns = WALL_NS,
		.handshake =
			{
				.id = "54:2269275123456",
				.role = ROLE_CLIENT,
				.verdict = VERDICT_REJECTED,
				.cause = CAUSE_ICMP,
				.why = "ICMP port unreachable from 10.0.0.1",
				.tuple = {.lport = 40112,
					  .rport = 80,
					  .netns = 4026531840,
					  .family = 4},
				.isn = 4294967295,
				.has_owner = true,
				.owner = {.pid = 4242,
					  .tid = 4243,
					  .cgroup = 18446744073709551615ULL,
					  .comm = "curl"},
				.elapsed_ns = 1030482913,
				.syn_sent = 2,
				.syn_retransmits = 1,
				.syn_unsent = 0,
				.synack_retransmits = 3,
				.retry_limit = 6,
				.next_retry_ns = 999,
				.give_up_ns = 126000000000,
				.errnum = ECONNREFUSED,
				.has_icmp = true,
				.icmp = {.type = 3, .code = 3, .version = 4},
				.icmp_code_known = true,
				.has_closer = true,
				.closer_how = CLOSER_SIGNAL,
				.closer = {.pid = 7, .tid = 8, .comm = "fifteen letters"},
				.closer_signal = SIGKILL,
				.adopted = true,
				.owners = 3,
			},
	};

	set_addr(report.handshake.tuple.laddr, "::ffff:10.0.0.2");
	set_addr(report.handshake.tuple.raddr, "::ffff:10.0.0.1");
	set_addr(report.handshake.icmp.from, "::ffff:10.0.0.1");
	return report;
}

/* One handshake of which nothing is known. */
static struct report empty_report(void)
{
	return (struct report){
		.type = REPORT_STALL,
		.handshake =
			{
				.isn = REPORT_NULL,
				.elapsed_ns = REPORT_NULL,
				.syn_sent = REPORT_NULL,
				.syn_retransmits = REPORT_NULL,
				.syn_unsent = REPORT_NULL,
				.synack_retransmits = REPORT_NULL,
				.retry_limit = REPORT_NULL,
				.next_retry_ns = REPORT_NULL,
				.give_up_ns = REPORT_NULL,
				.owners = REPORT_NULL,
			},
	};
}

/* The text that a sink makes of a session or a report, whichever is given. */
static char *render(const struct session *session, const struct report *report)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	struct sink *sink = sink_json_new(out);

	assert_non_null(sink);
	if (session)
		assert_int_equal(sink_session(sink, session), 0);
	if (report)
		assert_int_equal(sink_report(sink, report), 0);
	assert_int_equal(sink_flush(sink), 0);
	sink_free(sink);
	fclose(out);
	/* one line, and only one */
	assert_true(size > 0);
	assert_ptr_equal(strchr(text, '\n'), text + size - 1);
	return text;
}

static void start_stall_and_end_have_every_field_in_order(void **state)
{
	static const char fields[] =
		"type time id role verdict cause why family laddr lport raddr rport netns isn "
		"pid tid comm uid cgroup elapsed_ms syn_sent syn_retransmits syn_unsent "
		"synack_retransmits retry_limit next_retry_ms give_up_ms errno icmp drop closer "
		"listener adopted owners";
	struct report reports[] = {full_report(), empty_report()};
	enum report_type type;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(reports); i++) {
		for (type = REPORT_START; type <= REPORT_END; type++) {
			char *text;

			reports[i].type = type;
			text = render(NULL, &reports[i]);
			assert_keys(text, "", fields);
			assert_values(text, &(struct expected){"type", names_report_type(type)}, 1);
			free(text);
		}
	}
}

static void what_is_known_is_written(void **state)
{
	static const struct expected expected[] = {
		{"type", "end"},
		{"time", "2026-11-22T06:40:11.482913Z"},
		{"id", "54:2269275123456"},
		{"role", "client"},
		{"verdict", "rejected"},
		{"cause", "icmp"},
		{"why", "ICMP port unreachable from 10.0.0.1"},
		{"family", "4"},
		{"laddr", "10.0.0.2"},
		{"lport", "40112"},
		{"raddr", "10.0.0.1"},
		{"rport", "80"},
		{"netns", "4026531840"},
		{"isn", "4294967295"},
		{"pid", "4242"},
		{"tid", "4243"},
		{"comm", "curl"},
		{"uid", "0"},
		{"cgroup", "18446744073709551615"},
		{"elapsed_ms", "1030.482"},
		{"syn_sent", "2"},
		{"syn_retransmits", "1"},
		{"syn_unsent", "0"},
		{"synack_retransmits", "3"},
		{"retry_limit", "6"},
		{"next_retry_ms", "0.000"},
		{"give_up_ms", "126000.000"},
		{"errno", "ECONNREFUSED"},
		{"icmp/type", "3"},
		{"icmp/code", "3"},
		{"icmp/name", "port unreachable"},
		{"icmp/from", "10.0.0.1"},
		{"drop", "null"},
		{"closer/pid", "7"},
		{"closer/tid", "8"},
		{"closer/comm", "fifteen letters"},
		{"closer/how", "signal"},
		{"listener", "null"},
		{"adopted", "true"},
		{"owners", "3"},
	};
	struct report report = full_report();
	char *text = render(NULL, &report);

	(void)state;
	assert_values(text, expected, ARRAY_SIZE(expected));
	assert_keys(text, "icmp", "type code name from");
	assert_keys(text, "closer", "pid tid comm how");
	free(text);
}

static void what_is_unknown_is_null(void **state)
{
	char keys[] = "id why family laddr lport raddr rport netns isn pid tid comm uid cgroup "
		      "elapsed_ms syn_sent syn_retransmits syn_unsent synack_retransmits "
		      "retry_limit next_retry_ms give_up_ms errno icmp drop closer listener "
		      "owners";
	struct report report = empty_report();
	char *text = render(NULL, &report);
	char *rest = keys;
	char *key;

	(void)state;
	while ((key = strsep(&rest, " ")))
		assert_values(text, &(struct expected){key, "null"}, 1);
	assert_values(text, &(struct expected){"adopted", "false"}, 1);
	free(text);
}

static void parts_may_be_unknown_on_their_own(void **state)
{
	static const struct expected expected[] = {
		{"uid", "0"},	       {"cgroup", "null"},
		{"laddr", "null"},     {"raddr", "0.0.0.0"},
		{"icmp/type", "3"},    {"icmp/code", "null"},
		{"icmp/from", "null"}, {"icmp/name", "destination unreachable"},
	};
	struct report report = full_report();
	char *text;

	(void)state;
	report.handshake.owner.cgroup = 0;
	set_addr(report.handshake.tuple.laddr, "::ffff:0.0.0.0");
	/* connect() to 0.0.0.0 that found no route: that is what it was */
	set_addr(report.handshake.tuple.raddr, "::ffff:0.0.0.0");
	report.handshake.icmp_code_known = false;
	set_addr(report.handshake.icmp.from, "::");
	text = render(NULL, &report);
	assert_values(text, expected, ARRAY_SIZE(expected));
	free(text);
}

static void ipv6_is_written_as_such(void **state)
{
	static const struct expected expected[] = {
		{"family", "6"},
		{"laddr", "2001:db8::2"},
		{"raddr", "fe80::1"},
		{"icmp/name", "port unreachable"},
		{"icmp/from", "2001:db8::ff"},
	};
	struct report report = full_report();
	char *text;

	(void)state;
	report.handshake.tuple.family = 6;
	set_addr(report.handshake.tuple.laddr, "2001:db8::2");
	set_addr(report.handshake.tuple.raddr, "fe80::1");
	set_addr(report.handshake.icmp.from, "2001:db8::ff");
	report.handshake.icmp.version = 6;
	report.handshake.icmp.type = 1;
	report.handshake.icmp.code = 4;
	text = render(NULL, &report);
	assert_values(text, expected, ARRAY_SIZE(expected));
	free(text);
}

static void a_server_tells_its_listener_s_queues(void **state)
{
	static const struct expected expected[] = {
		{"role", "server"},
		{"listener/backlog", "129"},
		{"listener/limit", "128"},
		{"listener/requests", "0"},
		{"listener/syncookies", "false"},
	};
	struct report report = full_report();
	char *text;

	(void)state;
	report.handshake.role = ROLE_SERVER;
	report.handshake.has_listener = true;
	report.handshake.listener = (struct report_listener){.backlog = 129, .limit = 128};
	text = render(NULL, &report);
	assert_values(text, expected, ARRAY_SIZE(expected));
	assert_keys(text, "listener", "backlog limit requests syncookies");
	free(text);

	report.handshake.listener = (struct report_listener){
		.backlog = UINT32_MAX, .limit = 0, .requests = 3, .syncookies = true};
	text = render(NULL, &report);
	assert_values(text,
		      (const struct expected[]){{"listener/backlog", "4294967295"},
						{"listener/limit", "0"},
						{"listener/requests", "3"},
						{"listener/syncookies", "true"}},
		      4);
	free(text);
}

static void a_join_adds_the_other_side(void **state)
{
	static const struct expected unseen[] = {
		{"peer/capture", "server.db"}, {"peer/host", "null"},  {"peer/gap", "crowd"},
		{"peer/seen", "false"},	       {"peer/syn_seen", "0"}, {"peer/synack_sent", "0"},
	};
	static const struct expected seen[] = {
		{"peer/host", "web2"},
		{"peer/gap", "null"},
		{"peer/seen", "true"},
		{"peer/syn_seen", "2"},
		{"peer/synack_sent", "3"},
		{"peer/verdict", "timed_out"},
		{"peer/cause", "no_ack"},
		{"peer/why", "the SYN-ACK was not answered"},
		{"peer/laddr", "10.0.0.1"},
		{"peer/lport", "8080"},
		{"peer/raddr", "10.0.9.9"},
		{"peer/rport", "5000"},
		{"peer/drop", "null"},
		{"peer/pid", "812"},
		{"peer/comm", "nginx"},
		{"peer/listener/limit", "128"},
		{"peer/first", "2026-11-22T06:40:11.482913Z"},
	};
	struct report_peer peer = {.capture = "server.db", .gap = REPORT_GAP_CROWD};
	struct report report = full_report();
	char *text;

	(void)state;
	report.handshake.peer = &peer;
	text = render(NULL, &report);
	assert_values(text, unseen, ARRAY_SIZE(unseen));
	assert_keys(text, "peer", "capture host gap seen syn_seen synack_sent");
	free(text);

	peer = (struct report_peer){.capture = "server.db",
				    .host = "web2",
				    .seen = true,
				    .syn_seen = 2,
				    .synack_sent = 3,
				    .verdict = VERDICT_TIMED_OUT,
				    .cause = CAUSE_NO_ACK,
				    .why = "the SYN-ACK was not answered",
				    .tuple = {.lport = 8080, .rport = 5000, .family = 4},
				    .has_owner = true,
				    .owner = {.pid = 812, .comm = "nginx"},
				    .has_listener = true,
				    .listener = {.limit = 128},
				    .first_ns = WALL_NS,
				    .last_ns = WALL_NS};
	set_addr(peer.tuple.laddr, "::ffff:10.0.0.1");
	set_addr(peer.tuple.raddr, "::ffff:10.0.9.9");
	text = render(NULL, &report);
	assert_values(text, seen, ARRAY_SIZE(seen));
	assert_keys(text, "peer",
		    "capture host gap seen syn_seen synack_sent verdict cause why family laddr "
		    "lport raddr rport netns first last drop pid tid comm uid cgroup listener");
	free(text);
}

static void clocks_are_compared(void **state)
{
	static const struct expected by_handshakes[] = {
		{"type", "clock"},	 {"time", "2026-11-22T06:40:11.482913Z"},
		{"client", "client.db"}, {"server", "server.db"},
		{"by", "handshakes"},	 {"offset_ms", "-90000.001"},
		{"spread_ms", "1.500"},	 {"handshakes", "12"},
	};
	struct report report = {.type = REPORT_CLOCK,
				.wall_ns = WALL_NS,
				.clock = {.client = "client.db",
					  .server = "server.db",
					  .by = CLOCK_BY_HANDSHAKES,
					  .offset_ns = -90000001000,
					  .spread_ns = 1500000,
					  .handshakes = 12}};
	char *text = render(NULL, &report);

	(void)state;
	assert_values(text, by_handshakes, ARRAY_SIZE(by_handshakes));
	free(text);
	report.clock.by = CLOCK_BY_WALL;
	text = render(NULL, &report);
	assert_values(text,
		      (const struct expected[]){{"by", "wall"},
						{"offset_ms", "null"},
						{"spread_ms", "null"},
						{"handshakes", "0"}},
		      4);
	free(text);
}

/* A peer on this host that ignores the SYN: the namespace is all there is. */
static void a_drop_without_reason_and_place_has_its_namespace(void **state)
{
	static const struct expected expected[] = {
		{"drop/reason", "null"},
		{"drop/place", "null"},
		{"drop/netns", "4026532388"},
	};
	struct report report = full_report();
	char *text;

	(void)state;
	report.handshake.has_drop = true;
	report.handshake.drop.netns = 4026532388;
	text = render(NULL, &report);
	assert_values(text, expected, ARRAY_SIZE(expected));
	free(text);
}

static void a_start_has_no_verdict(void **state)
{
	struct report report = full_report();
	char *text;

	(void)state;
	report.type = REPORT_START;
	text = render(NULL, &report);
	assert_values(text, &(struct expected){"verdict", "null"}, 1);
	free(text);
}

static void an_errno_without_a_name_is_a_number(void **state)
{
	struct report report = full_report();
	char *text;

	(void)state;
	report.handshake.errnum = 3999;
	text = render(NULL, &report);
	assert_values(text, &(struct expected){"errno", "E3999"}, 1);
	free(text);
}

/* All 16 bytes may be used, so there may be no NUL. */
static void a_hostile_comm_is_still_json(void **state)
{
	static const struct {
		const char comm[SW_COMM_LEN + 1];
		const char *value;
	} cases[] = {
		{"", ""},
		{"a\"b\\c/d", "a\"b\\c/d"},
		{"\033]0;x\007", "\033]0;x\007"},
		{"a\nb\tc", "a\nb\tc"},
		{"\xc2\x9b"
		 "31m",
		 "\xc2\x9b"
		 "31m"},
		{"\xff\xfe"
		 "x",
		 "\xef\xbf\xbd\xef\xbf\xbd"
		 "x"},
		{"caf\xc3\xa9", "caf\xc3\xa9"},
		{"0123456789abcde\xe6", "0123456789abcde\xef\xbf\xbd"},
		{"0123456789abcdef", "0123456789abcdef"},
		{"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
	};
	struct report report = full_report();
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct expected expected[] = {
			{"comm", cases[i].value},
			{"closer/comm", cases[i].value},
		};
		char *text;
		char *c;

		memcpy(report.handshake.owner.comm, cases[i].comm, SW_COMM_LEN);
		memcpy(report.handshake.closer.comm, cases[i].comm, SW_COMM_LEN);
		text = render(NULL, &report);
		assert_values(text, expected, ARRAY_SIZE(expected));
		/* and nothing in it drives the terminal it is printed on */
		for (c = text; c[1]; c++)
			assert_true((unsigned char)*c >= ' ' && *c != 0x7f);
		assert_null(strstr(text, "\xc2\x9b"));
		free(text);
	}
}

static void loss_tells_the_reasons_apart(void **state)
{
	static const struct expected expected[] = {
		{"type", "loss"},
		{"time", "2026-11-22T06:40:11.482913Z"},
		{"ring", "12"},
		{"map_full", "0"},
		{"suppressed", "3"},
		{"late", "4"},
		{"missed", "18446744073709551615"},
	};
	const struct report report = {
		.type = REPORT_LOSS,
		.wall_ns = WALL_NS,
		.loss = {.ring = 12, .suppressed = 3, .late = 4, .missed = UINT64_MAX},
	};
	char *text = render(NULL, &report);

	(void)state;
	assert_values(text, expected, ARRAY_SIZE(expected));
	assert_keys(text, "", "type time ring map_full suppressed late missed");
	free(text);
}

/* Many at one listener, of which everything is known. */
static struct report crowd_report(void)
{
	struct report report = {
		.type = REPORT_CROWD,
		.wall_ns = WALL_NS,
		.crowd =
			{
				.tuple = {.lport = 80, .netns = 4026531840, .family = 4},
				.has_owner = true,
				.owner = {.pid = 812, .tid = 813, .cgroup = 7, .comm = "nginx"},
				.owners = 4,
				.has_listener = true,
				.listener = {.backlog = 129,
					     .limit = 128,
					     .requests = 97,
					     .syncookies = true},
				.cause = CAUSE_NO_ACK,
				.why = "8,412 half-open from about 8,300 addresses",
				.half_open = 8412,
				.dropped = 1200,
				.ignored = 37,
				.addresses = 8300,
				.reason = "NETFILTER_DROP",
			},
	};

	set_addr(report.crowd.tuple.laddr, "::ffff:10.0.0.1");
	return report;
}

static void a_crowd_is_counted_in_one_line(void **state)
{
	static const struct expected expected[] = {
		{"type", "crowd"},
		{"time", "2026-11-22T06:40:11.482913Z"},
		{"role", "server"},
		{"cause", "no_ack"},
		{"why", "8,412 half-open from about 8,300 addresses"},
		{"family", "4"},
		{"laddr", "10.0.0.1"},
		{"lport", "80"},
		{"netns", "4026531840"},
		{"pid", "812"},
		{"tid", "813"},
		{"comm", "nginx"},
		{"uid", "0"},
		{"cgroup", "7"},
		{"owners", "4"},
		{"half_open", "8412"},
		{"dropped", "1200"},
		{"ignored", "37"},
		{"addresses", "8300"},
		{"reason", "NETFILTER_DROP"},
		{"listener/backlog", "129"},
		{"listener/limit", "128"},
		{"listener/requests", "97"},
		{"listener/syncookies", "true"},
	};
	struct report report = crowd_report();
	char *text = render(NULL, &report);

	(void)state;
	assert_values(text, expected, ARRAY_SIZE(expected));
	assert_keys(text, "",
		    "type time role cause why family laddr lport netns pid tid comm uid cgroup "
		    "owners half_open dropped ignored addresses reason listener");
	free(text);
}

static void what_is_unknown_of_a_crowd_is_null(void **state)
{
	static const struct expected expected[] = {
		{"laddr", "::"},     {"pid", "null"},	 {"tid", "null"},	{"comm", "null"},
		{"uid", "null"},     {"cgroup", "null"}, {"owners", "null"},	{"half_open", "0"},
		{"dropped", "0"},    {"ignored", "1"},	 {"addresses", "null"}, {"reason", "null"},
		{"listener", "null"}};
	struct report report = {
		.type = REPORT_CROWD,
		.crowd =
			{
				.tuple = {.lport = 80, .netns = 1, .family = 6},
				.owners = REPORT_NULL,
				.addresses = REPORT_NULL,
				.ignored = 1,
				.why = "1 SYN or ACK ignored",
			},
	};
	char *text = render(NULL, &report);

	(void)state;
	assert_values(text, expected, ARRAY_SIZE(expected));
	free(text);

	/* bound to any address of IPv4 */
	set_addr(report.crowd.tuple.laddr, "::ffff:0.0.0.0");
	text = render(NULL, &report);
	assert_values(text, &(struct expected){"laddr", "0.0.0.0"}, 1);
	free(text);
}

static void a_hostile_crowd_is_still_json(void **state)
{
	static const struct expected expected[] = {
		{"comm", "\033]0;x\007"},
		{"reason", "a\nb"},
		{"why", "\"\xc2\x9b"},
	};
	struct report report = crowd_report();
	char *text;

	(void)state;
	strcpy(report.crowd.owner.comm, expected[0].value);
	strcpy(report.crowd.reason, expected[1].value);
	strcpy(report.crowd.why, expected[2].value);
	text = render(NULL, &report);
	assert_values(text, expected, ARRAY_SIZE(expected));
	assert_null(strchr(text, '\033'));
	assert_null(strstr(text, "\xc2\x9b"));
	free(text);
}

static void summary_leaves_out_what_did_not_occur(void **state)
{
	static const struct expected expected[] = {
		{"type", "summary"},
		{"duration_s", "131.482"},
		{"handshakes/client/timed_out", "2"},
		{"handshakes/client/stalled", "1"},
		{"healthy", "1204"},
		{"syn_retransmits", "24"},
		{"accepted", "512"},
		{"synack_retransmits", "7"},
		{"listen_drops", "37"},
		{"crowded", "9612"},
		{"lost", "0"},
		{"top/0/role", "client"},
		{"top/0/addr", "10.0.0.1"},
		{"top/0/port", "80"},
		{"top/0/count", "3"},
		{"top/0/verdicts/timed_out", "2"},
		{"top/1/role", "server"},
		{"top/1/addr", "::1"},
		{"top/1/port", "null"},
		{"top/2", "(absent)"},
		{"latency_us/512", "1190"},
		{"latency_us/4294967296", "14"},
	};
	struct report report = {
		.type = REPORT_SUMMARY,
		.wall_ns = WALL_NS,
		.summary =
			{
				.duration_ns = 131482913987,
				.healthy = 1204,
				.syn_retransmits = 24,
				.accepted = 512,
				.synack_retransmits = 7,
				.listen_drops = 37,
				.crowded = 9612,
				.top_count = 2,
			},
	};
	struct report_summary *summary = &report.summary;
	char *text;

	(void)state;
	summary->handshakes[ROLE_CLIENT][VERDICT_TIMED_OUT] = 2;
	summary->handshakes[ROLE_CLIENT][VERDICT_STALLED] = 1;
	summary->latency[8] = 1190;
	summary->latency[31] = 14;
	summary->top[0] = (struct report_top){.role = ROLE_CLIENT, .port = 80, .count = 3};
	summary->top[0].verdicts[VERDICT_TIMED_OUT] = 2;
	summary->top[0].verdicts[VERDICT_STALLED] = 1;
	set_addr(summary->top[0].addr, "::ffff:10.0.0.1");
	summary->top[1] = (struct report_top){.role = ROLE_SERVER, .count = 1};
	set_addr(summary->top[1].addr, "::1");

	text = render(NULL, &report);
	assert_values(text, expected, ARRAY_SIZE(expected));
	assert_keys(text, "",
		    "type time duration_s handshakes healthy syn_retransmits accepted "
		    "synack_retransmits listen_drops crowded lost top latency_us top_untold "
		    "patterns patterns_untold suppressed");
	assert_keys(text, "handshakes", "client server");
	assert_keys(text, "handshakes/client", "stalled timed_out");
	assert_keys(text, "handshakes/server", "");
	assert_keys(text, "latency_us", "512 4294967296");
	assert_keys(text, "top/0", "role addr port count verdicts");
	free(text);
}

static void patterns_come_with_the_summary(void **state)
{
	static const struct expected expected[] = {
		{"top_untold", "904"},
		{"patterns/0/kind", "ecn"},
		{"patterns/0/text", "37 of 40"},
		{"patterns/0/role", "client"},
		{"patterns/0/addr", "10.0.0.1"},
		{"patterns/0/prefix", "null"},
		{"patterns/0/port", "5432"},
		{"patterns/0/netns", "4026531840"},
		{"patterns/0/verdict", "established"},
		{"patterns/0/cause", "no_answer"},
		{"patterns/0/count", "37"},
		{"patterns/0/of", "40"},
		{"patterns/0/healthy", "0"},
		{"patterns/1/kind", "subnet"},
		{"patterns/1/prefix", "64"},
		{"patterns/1/port", "null"},
		{"patterns/1/netns", "null"},
		{"patterns/1/verdict", "null"},
		{"patterns/1/healthy", "null"},
		{"patterns/2", "(absent)"},
		{"patterns_untold", "7"},
	};
	struct report report = {
		.type = REPORT_SUMMARY,
		.wall_ns = WALL_NS,
		.summary =
			{
				.top_untold = 904,
				.patterns_untold = 7,
				.pattern_count = 2,
				.patterns =
					{
						{
							.text = "37 of 40",
							.kind = PATTERN_ECN,
							.port = 5432,
							.netns = 4026531840,
							.verdict = VERDICT_ESTABLISHED,
							.cause = CAUSE_NO_ANSWER,
							.count = 37,
							.of = 40,
						},
						{
							.kind = PATTERN_SUBNET,
							.prefix = 64,
							.verdict = VERDICT_COUNT,
							.healthy = REPORT_NULL,
						},
					},
			},
	};
	char *text;

	(void)state;
	set_addr(report.summary.patterns[0].addr, "::ffff:10.0.0.1");
	set_addr(report.summary.patterns[1].addr, "fd00::");
	text = render(NULL, &report);
	assert_values(text, expected, ARRAY_SIZE(expected));
	assert_keys(text, "patterns/0",
		    "kind text role addr prefix port netns verdict cause count of healthy");
	free(text);
}

/* Told now and then, it would only repeat what the summary says. */
static void a_pattern_alone_is_no_line(void **state)
{
	const struct report report = {.type = REPORT_PATTERN, .wall_ns = WALL_NS};
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	struct sink *sink = sink_json_new(out);

	(void)state;
	assert_non_null(sink);
	assert_int_equal(sink_report(sink, &report), 0);
	assert_int_equal(sink_flush(sink), 0);
	sink_free(sink);
	fclose(out);
	assert_int_equal(size, 0);
	free(text);
}

static void session_tells_what_is_watched_and_how(void **state)
{
	static const struct expected expected[] = {
		{"type", "session"},
		{"schema", "1"},
		{"version", "0.1.0"},
		{"time", "2026-11-22T06:40:11.482913Z"},
		{"host", "web\xef\xbf\xbd"},
		{"kernel", "6.1.0-18-amd64"},
		{"boot_id", "null"},
		{"source", "live"},
		{"filters/port/0", "80"},
		{"filters/port/1", "8000-8080"},
		{"filters/port/2", "443"},
		{"filters/port/3", "(absent)"},
		{"filters/comm/0", "a,b"},
		{"filters/comm/1", "c"},
		{"filters/cgroup/0", "/sys/fs/cgroup/a,b"},
		{"filters/cgroup/1", "(absent)"},
		{"hooks/inet_sock_set_state", "true"},
		{"hooks/sys_enter_connect", "tracefs: \"no\""},
	};
	char *values[] = {"80,8000-8080", "a,b", "443", "c", "/sys/fs/cgroup/a,b"};
	struct session session = {
		.version = "0.1.0",
		.host = "web\xff",
		.kernel = "6.1.0-18-amd64",
		.live = true,
		.start_ns = 5 * S,
		.wall_offset_ns = (int64_t)(WALL_NS - 5 * S),
		.hooks = {{.name = "inet_sock_set_state"},
			  {.name = "sys_enter_connect", .why_not = "tracefs: \"no\""}},
		.hook_count = 2,
		.filters = {{"port", values[0]},
			    {"comm", values[1]},
			    {"port", values[2]},
			    {"comm", values[3]},
			    {"cgroup", values[4]}},
		.filter_count = 5,
	};
	char *text = render(&session, NULL);

	(void)state;
	assert_values(text, expected, ARRAY_SIZE(expected));
	assert_keys(text, "", "type schema version time host kernel boot_id source filters hooks");
	assert_keys(text, "filters", "port comm cgroup");
	free(text);

	session.live = false;
	session.filter_count = 0;
	session.hook_count = 0;
	text = render(&session, NULL);
	assert_values(text, &(struct expected){"source", "capture"}, 1);
	assert_keys(text, "filters", "");
	assert_keys(text, "hooks", "");
	free(text);
}

/* A capture is somebody else's file: its keys, too. */
static void a_hostile_session_is_still_json(void **state)
{
	static const struct expected expected[] = {
		{"host", "\xe2\x80\xae\xef\xbf\xbd"},
		{"kernel", "\xc2\x9b"
			   "2J"},
		{"filters/?\"?/0", "\033]0;x\007"},
		{"hooks/a?b?c?", "true"},
		{"hooks/?[2J", "\n"},
	};
	char value[] = "\033]0;x\007";
	struct session session = {
		.host = "\xe2\x80\xae\xff",
		.kernel = "\xc2\x9b"
			  "2J",
		.hooks = {{.name = "a\xff"
				   "b\xc2\x9b"
				   "c\xe2\x80\xae"},
			  {.name = "\033[2J", .why_not = "\n"}},
		.hook_count = 2,
		.filters = {{"\n\"\177", value}},
		.filter_count = 1,
	};
	char *text = render(&session, NULL);

	(void)state;
	assert_values(text, expected, ARRAY_SIZE(expected));
	/* One line, and nothing in it that would drive a terminal. */
	assert_int_equal(strcspn(text, "\n"), strlen(text) - 1);
	assert_null(strpbrk(text, "\033\007\177\x9b"));
	free(text);
}

static void every_report_is_a_line_of_its_own(void **state)
{
	struct report report = full_report();
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	struct sink *sink = sink_json_new(out);
	unsigned int lines = 0;
	char *rest;
	char *line;

	(void)state;
	for (; report.handshake.syn_sent < 100; report.handshake.syn_sent++)
		assert_int_equal(sink_report(sink, &report), 0);
	assert_int_equal(sink_flush(sink), 0);
	sink_free(sink);
	fclose(out);

	rest = text;
	while ((line = strsep(&rest, "\n")) && *line) {
		char sent[8];

		snprintf(sent, sizeof(sent), "%u", 2 + lines++);
		assert_values(line, &(struct expected){"syn_sent", sent}, 1);
	}
	assert_int_equal(lines, 98);
	free(text);
}

static void a_full_disk_is_an_error_from_then_on(void **state)
{
	struct report report = full_report();
	FILE *out = fopen("/dev/full", "w");
	struct sink *sink = sink_json_new(out);

	(void)state;
	assert_int_equal(sink_report(sink, &report), 0);
	assert_int_equal(sink_flush(sink), -ENOSPC);
	assert_int_equal(sink_report(sink, &report), -ENOSPC);
	assert_int_equal(sink_flush(sink), -ENOSPC);
	sink_free(sink);
	fclose(out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(start_stall_and_end_have_every_field_in_order),
		cmocka_unit_test(what_is_known_is_written),
		cmocka_unit_test(what_is_unknown_is_null),
		cmocka_unit_test(parts_may_be_unknown_on_their_own),
		cmocka_unit_test(ipv6_is_written_as_such),
		cmocka_unit_test(a_server_tells_its_listener_s_queues),
		cmocka_unit_test(a_join_adds_the_other_side),
		cmocka_unit_test(clocks_are_compared),
		cmocka_unit_test(a_drop_without_reason_and_place_has_its_namespace),
		cmocka_unit_test(a_start_has_no_verdict),
		cmocka_unit_test(an_errno_without_a_name_is_a_number),
		cmocka_unit_test(a_hostile_comm_is_still_json),
		cmocka_unit_test(loss_tells_the_reasons_apart),
		cmocka_unit_test(a_crowd_is_counted_in_one_line),
		cmocka_unit_test(what_is_unknown_of_a_crowd_is_null),
		cmocka_unit_test(a_hostile_crowd_is_still_json),
		cmocka_unit_test(summary_leaves_out_what_did_not_occur),
		cmocka_unit_test(patterns_come_with_the_summary),
		cmocka_unit_test(a_pattern_alone_is_no_line),
		cmocka_unit_test(session_tells_what_is_watched_and_how),
		cmocka_unit_test(a_hostile_session_is_still_json),
		cmocka_unit_test(every_report_is_a_line_of_its_own),
		cmocka_unit_test(a_full_disk_is_an_error_from_then_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
