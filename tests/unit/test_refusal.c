/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every rule about what a host threw away or refused, with the facts it rests on,
 * and the same facts with one of them missing.
 */
#include <stdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/evidence.h"
#include "core/handshake.h"
#include "core/names.h"
#include "core/refusal.h"
#include "core/server.h"
#include "facts.h"
#include "sentence.h"

enum { NETFILTER_DROP = 1, NO_SOCKET, IP_RPFILTER, TCP_LISTEN_OVERFLOW, UNNAMED };

struct drop_case {
	const char *name;
	uint32_t reason; /* 0: none */
	uint32_t flags;
	uint8_t what; /* 0: SYN */
	bool reset_seen;
	bool v6;
	struct sw_listener listener; /* with SW_F_LISTENER */

	enum verdict verdict;
	enum cause cause;
	const char *why;
};

static int set_up(void **state)
{
	static const char *const names[] = {
		[NETFILTER_DROP] = "NETFILTER_DROP",
		[NO_SOCKET] = "NO_SOCKET",
		[IP_RPFILTER] = "IP_RPFILTER",
		[TCP_LISTEN_OVERFLOW] = "TCP_LISTEN_OVERFLOW",
	};
	struct terms *terms = terms_new();

	for (unsigned int i = 1; terms && i < ARRAY_SIZE(names); i++) {
		struct sw_name name = {.of = SW_NAME_REASON, .number = i};

		(void)snprintf(name.name, sizeof(name.name), "%s", names[i]);
		terms_learn(terms, &name);
		name.of = SW_NAME_PLACE;
		name.number = 0x1000 + i;
		(void)snprintf(name.name, sizeof(name.name), "place_%u", i);
		terms_learn(terms, &name);
	}
	*state = terms;
	return terms ? 0 : -1;
}

static int tear_down(void **state)
{
	terms_free(*state);
	return 0;
}

static struct report_handshake judge(const struct sw_handshake *facts, bool reset_seen,
				     const struct terms *terms)
{
	const struct server_past past = {.reset_seen = reset_seen};
	struct report_handshake report;

	handshake_describe(facts, facts->header.time_ns, true, &report);
	evidence_tell_drop(facts, terms, &report);
	server_ended(facts, &past, &report);
	check_sentence("judged", &report);
	return report;
}

static struct sw_handshake facts_of(const struct drop_case *c)
{
	struct sw_handshake facts = facts_syn_drop(BEGIN, c->reason);

	facts.flags |= c->flags;
	facts.listener = c->listener;
	if (c->what)
		facts.drop.what = c->what;
	if (c->flags & SW_F_OWNER)
		facts.owner = (struct sw_owner){.pid = 812, .comm = "nginx"};
	if (c->v6)
		facts_to_v6(&facts);
	if (c->flags & SW_F_ICMP_SENT)
		facts.icmp = (struct sw_icmp){
			.type = c->v6 ? 1 : 3, .code = c->v6 ? 4 : 3, .version = c->v6 ? 6 : 4};
	return facts;
}

static void check_cases(const struct drop_case *cases, size_t count, const struct terms *terms)
{
	for (size_t i = 0; i < count; i++) {
		const struct drop_case *c = &cases[i];
		struct sw_handshake facts = facts_of(c);
		struct report_handshake report = judge(&facts, c->reset_seen, terms);

		if (report.verdict != c->verdict || report.cause != c->cause)
			fail_msg("%s: %s/%s: %s", c->name, names_verdict(report.verdict),
				 names_cause(report.cause), report.why);
		if (strcmp(report.why, c->why))
			fail_msg("%s: '%s', not '%s'", c->name, report.why, c->why);
		assert_int_equal(report.has_icmp, c->verdict == VERDICT_REJECTED);
		assert_true(report.has_drop);
		assert_int_equal(report.elapsed_ns, 0);
		assert_int_equal(report.errnum, 0);
	}
}

#define CHECK(cases) check_cases((cases), ARRAY_SIZE(cases), *state)

static void a_rule_rejects_refuses_or_ignores(void **state)
{
	static const struct drop_case cases[] = {
		{.name = "icmp_send() from within",
		 .reason = NETFILTER_DROP,
		 .flags = SW_F_ICMP_SENT | SW_F_ICMP_TELLS,
		 .verdict = VERDICT_REJECTED,
		 .cause = CAUSE_NETFILTER,
		 .why = "a firewall rule of this host answers with ICMP port unreachable"},
		{.name = "the same for IPv6",
		 .reason = NETFILTER_DROP,
		 .flags = SW_F_ICMP_SENT,
		 .v6 = true,
		 .verdict = VERDICT_REJECTED,
		 .cause = CAUSE_NETFILTER,
		 .why = "a firewall rule of this host answers with ICMPv6 port unreachable"},
		{.name = "a RST was seen to be sent",
		 .reason = NETFILTER_DROP,
		 .flags = SW_F_RESET_SENT,
		 .verdict = VERDICT_REFUSED,
		 .cause = CAUSE_NETFILTER,
		 .why = "a firewall rule of this host answers it with a RST"},
		{.name = "a RST was seen to arrive",
		 .reason = NETFILTER_DROP,
		 .reset_seen = true,
		 .verdict = VERDICT_REFUSED,
		 .cause = CAUSE_NETFILTER,
		 .why = "a firewall rule of this host answers it with a RST, which its client, on "
			"this host too, has got"},
		{.name = "nothing was seen, where ICMP would be",
		 .reason = NETFILTER_DROP,
		 .flags = SW_F_ICMP_TELLS,
		 .verdict = VERDICT_IGNORED,
		 .cause = CAUSE_NETFILTER,
		 .why = "thrown away by a firewall rule: NETFILTER_DROP in place_1 (a REJECT with "
			"a "
			"RST would look the same)"},
		{.name = "nothing was seen, nor would be",
		 .reason = NETFILTER_DROP,
		 .verdict = VERDICT_IGNORED,
		 .cause = CAUSE_NETFILTER,
		 .why = "thrown away by a firewall rule: NETFILTER_DROP in place_1 (a REJECT would "
			"look the same)"},
		{.name = "nothing was seen, where both would be",
		 .reason = NETFILTER_DROP,
		 .flags = SW_F_ICMP_TELLS | SW_F_RESET_TELLS,
		 .verdict = VERDICT_IGNORED,
		 .cause = CAUSE_NETFILTER,
		 .why = "thrown away by a firewall rule: NETFILTER_DROP in place_1"},
		{.name = "the same for IPv6",
		 .reason = NETFILTER_DROP,
		 .flags = SW_F_ICMP6_TELLS | SW_F_RESET_TELLS,
		 .v6 = true,
		 .verdict = VERDICT_IGNORED,
		 .cause = CAUSE_NETFILTER,
		 .why = "thrown away by a firewall rule: NETFILTER_DROP in place_1"},
		{.name = "nothing was seen, where a RST would be",
		 .reason = NETFILTER_DROP,
		 .flags = SW_F_RESET_TELLS,
		 .verdict = VERDICT_IGNORED,
		 .cause = CAUSE_NETFILTER,
		 .why = "thrown away by a firewall rule: NETFILTER_DROP in place_1 (a REJECT with "
			"an ICMP error would look the same)"},
		{.name = "ICMPv6 does not tell of IPv4",
		 .reason = NETFILTER_DROP,
		 .flags = SW_F_ICMP6_TELLS | SW_F_RESET_TELLS,
		 .verdict = VERDICT_IGNORED,
		 .cause = CAUSE_NETFILTER,
		 .why = "thrown away by a firewall rule: NETFILTER_DROP in place_1 (a REJECT with "
			"an ICMP error would look the same)"},
		{.name = "nor ICMP of IPv6",
		 .reason = NETFILTER_DROP,
		 .flags = SW_F_ICMP_TELLS,
		 .v6 = true,
		 .verdict = VERDICT_IGNORED,
		 .cause = CAUSE_NETFILTER,
		 .why = "thrown away by a firewall rule: NETFILTER_DROP in place_1 (a REJECT would "
			"look the same)"},
	};

	CHECK(cases);
}

static void nothing_listens(void **state)
{
	static const struct drop_case cases[] = {
		{.name = "no_tcp_socket",
		 .reason = NO_SOCKET,
		 .verdict = VERDICT_REFUSED,
		 .cause = CAUSE_NO_LISTENER,
		 .why = "nothing listens on 10.0.0.1 port 80: answered with a RST"},
		{.name = "the same for IPv6, its RST seen",
		 .reason = NO_SOCKET,
		 .flags = SW_F_RESET_SENT,
		 .v6 = true,
		 .verdict = VERDICT_REFUSED,
		 .cause = CAUSE_NO_LISTENER,
		 .why = "nothing listens on fd00::2 port 80: answered with a RST"},
	};

	CHECK(cases);
}

static void a_listener_ignores_for_its_queues(void **state)
{
	static const struct drop_case cases[] = {
		{.name = "sk_acceptq_is_full()",
		 .flags = SW_F_LISTENER | SW_F_OWNER,
		 .listener = {.backlog = 129, .limit = 128, .requests = 200},
		 .verdict = VERDICT_IGNORED,
		 .cause = CAUSE_ACCEPT_QUEUE_FULL,
		 .why = "the accept queue is full (129 of 128): nginx[812] does not accept() fast "
			"enough"},
		{.name = "whose it is is not known",
		 .flags = SW_F_LISTENER,
		 .listener = {.backlog = 1},
		 .verdict = VERDICT_IGNORED,
		 .cause = CAUSE_ACCEPT_QUEUE_FULL,
		 .why = "the accept queue is full (1 of 0): its application does not accept() fast "
			"enough"},
		{.name = "inet_csk_reqsk_queue_is_full(), no cookies",
		 .flags = SW_F_LISTENER,
		 .listener = {.backlog = 128, .limit = 128, .requests = 129},
		 .verdict = VERDICT_IGNORED,
		 .cause = CAUSE_SYN_QUEUE_FULL,
		 .why = "the SYN queue is full (129 of 128), and syncookies are off"},
		{.name = "with cookies that is no reason",
		 .flags = SW_F_LISTENER,
		 .listener = {.backlog = 128, .limit = 128, .requests = 129, .syncookies = 1},
		 .verdict = VERDICT_IGNORED,
		 .cause = CAUSE_OTHER_DROP,
		 .why = "its listener ignored it; why is not shown by the kernel"},
		{.name = "by now there is room",
		 .flags = SW_F_LISTENER,
		 .listener = {.backlog = 128, .limit = 128},
		 .verdict = VERDICT_IGNORED,
		 .cause = CAUSE_OTHER_DROP,
		 .why = "its listener ignored it; why is not shown by the kernel"},
		{.name = "the queues were not read",
		 .listener = {.backlog = 129, .limit = 128},
		 .verdict = VERDICT_IGNORED,
		 .cause = CAUSE_OTHER_DROP,
		 .why = "its listener ignored it; why is not shown by the kernel"},
		{.name = "syncookies are in use",
		 .flags = SW_F_LISTENER | SW_F_COOKIES,
		 .listener = {.backlog = 2, .limit = 1, .syncookies = 1},
		 .verdict = VERDICT_IGNORED,
		 .cause = CAUSE_ACCEPT_QUEUE_FULL,
		 .why = "the accept queue is full (2 of 1): its application does not accept() fast "
			"enough; syncookies are in use: handshakes completed by one have no "
			"request to watch"},
	};

	CHECK(cases);
}

static void an_ack_that_finds_no_room_is_refused_if_asked_for(void **state)
{
	static const struct drop_case cases[] = {
		{.name = "tcp_check_req(), embryonic_reset",
		 .reason = TCP_LISTEN_OVERFLOW,
		 .what = SW_DROP_OTHER,
		 .flags = SW_F_LISTENER | SW_F_RESET_SENT,
		 .listener = {.backlog = 2, .limit = 1, .abort_on_overflow = 1},
		 .verdict = VERDICT_REFUSED,
		 .cause = CAUSE_ACCEPT_QUEUE_FULL,
		 .why = "the accept queue is full (2 of 1): its completing ACK was answered with a "
			"RST (tcp_abort_on_overflow)"},
		{.name = "its RST was not seen, by now there is room",
		 .reason = TCP_LISTEN_OVERFLOW,
		 .what = SW_DROP_OTHER,
		 .flags = SW_F_LISTENER,
		 .listener = {.backlog = 1, .limit = 1, .abort_on_overflow = 1},
		 .verdict = VERDICT_REFUSED,
		 .cause = CAUSE_ACCEPT_QUEUE_FULL,
		 .why = "the accept queue was full: its completing ACK was answered with a RST "
			"(tcp_abort_on_overflow)"},
		{.name = "before 6.15 the reason has no name",
		 .reason = UNNAMED,
		 .what = SW_DROP_OTHER,
		 .flags = SW_F_LISTENER | SW_F_RESET_SENT,
		 .listener = {.backlog = 2, .limit = 1, .abort_on_overflow = 1},
		 .verdict = VERDICT_REFUSED,
		 .cause = CAUSE_ACCEPT_QUEUE_FULL,
		 .why = "the accept queue is full (2 of 1): its completing ACK was answered with a "
			"RST (tcp_abort_on_overflow)"},
		{.name = "neither a name nor a full queue",
		 .reason = UNNAMED,
		 .what = SW_DROP_OTHER,
		 .flags = SW_F_LISTENER | SW_F_RESET_SENT,
		 .listener = {.backlog = 1, .limit = 1, .abort_on_overflow = 1},
		 .verdict = VERDICT_REFUSED,
		 .cause = CAUSE_OTHER_DROP,
		 .why = "dropped on arrival and answered with a RST: unknown reason"},
		{.name = "not asked for: it is ignored",
		 .reason = TCP_LISTEN_OVERFLOW,
		 .what = SW_DROP_OTHER,
		 .flags = SW_F_LISTENER,
		 .listener = {.backlog = 2, .limit = 1},
		 .verdict = VERDICT_IGNORED,
		 .cause = CAUSE_OTHER_DROP,
		 .why = "dropped on arrival: TCP_LISTEN_OVERFLOW in place_4"},
		{.name = "a SYN is no completing ACK",
		 .flags = SW_F_LISTENER,
		 .listener = {.backlog = 2, .limit = 1, .abort_on_overflow = 1},
		 .verdict = VERDICT_IGNORED,
		 .cause = CAUSE_ACCEPT_QUEUE_FULL,
		 .why = "the accept queue is full (2 of 1): its application does not accept() fast "
			"enough"},
	};

	CHECK(cases);
}

static void any_other_reason_is_told_as_it_is(void **state)
{
	static const struct drop_case cases[] = {
		{.name = "by reverse path filtering",
		 .reason = IP_RPFILTER,
		 .verdict = VERDICT_IGNORED,
		 .cause = CAUSE_OTHER_DROP,
		 .why = "dropped on arrival: IP_RPFILTER in place_3"},
		{.name = "whatever the queues are like",
		 .reason = IP_RPFILTER,
		 .flags = SW_F_LISTENER,
		 .listener = {.backlog = 2, .limit = 1},
		 .verdict = VERDICT_IGNORED,
		 .cause = CAUSE_OTHER_DROP,
		 .why = "dropped on arrival: IP_RPFILTER in place_3"},
		{.name = "a name that nobody told",
		 .reason = UNNAMED,
		 .verdict = VERDICT_IGNORED,
		 .cause = CAUSE_OTHER_DROP,
		 .why = "dropped on arrival: unknown reason"},
		{.name = "a client's RST belongs to a rule only",
		 .reason = IP_RPFILTER,
		 .reset_seen = true,
		 .verdict = VERDICT_IGNORED,
		 .cause = CAUSE_OTHER_DROP,
		 .why = "dropped on arrival: IP_RPFILTER in place_3"},
		{.name = "answered with a RST",
		 .reason = IP_RPFILTER,
		 .flags = SW_F_RESET_SENT,
		 .verdict = VERDICT_REFUSED,
		 .cause = CAUSE_OTHER_DROP,
		 .why = "dropped on arrival and answered with a RST: IP_RPFILTER in place_3"},
		{.name = "answered with ICMP",
		 .reason = IP_RPFILTER,
		 .flags = SW_F_ICMP_SENT,
		 .verdict = VERDICT_REJECTED,
		 .cause = CAUSE_OTHER_DROP,
		 .why = "dropped on arrival and answered with ICMP port unreachable: IP_RPFILTER "
			"in place_3"},
	};

	CHECK(cases);
}

/* Its sender is this host: no address is told. */
static void the_icmp_error_is_evidence(void **state)
{
	const struct drop_case c = {.reason = NETFILTER_DROP, .flags = SW_F_ICMP_SENT};
	static const __u8 nobody[16];
	struct sw_handshake facts = facts_of(&c);
	struct report_handshake report = judge(&facts, false, *state);

	assert_true(report.has_icmp && report.icmp_code_known);
	assert_int_equal(report.icmp.type, 3);
	assert_int_equal(report.icmp.code, 3);
	assert_memory_equal(report.icmp.from, nobody, sizeof(nobody));
	assert_string_equal(report.drop.reason, "NETFILTER_DROP");
	assert_string_equal(report.drop.place, "place_1");
	facts.icmp.code = 99; /* has no name */
	assert_string_equal(judge(&facts, false, *state).why,
			    "a firewall rule of this host answers with ICMP error");
}

/* Not what the kernel calls a drop that is none. */
static void no_reason_has_no_name(void **state)
{
	struct sw_name name = {.of = SW_NAME_REASON, .number = 0, .name = "NOT_DROPPED_YET"};
	struct sw_handshake facts = facts_syn_drop(BEGIN, 0);
	struct report_handshake report;

	terms_learn(*state, &name);
	report = judge(&facts, false, *state);
	assert_true(report.has_drop);
	assert_string_equal(report.drop.reason, "");
	assert_string_equal(report.drop.place, "");
	assert_int_equal(report.drop.netns, 4026531840);
}

static void only_a_silent_rule_waits_for_a_rst(void **state)
{
	struct sw_handshake facts = facts_syn_drop(BEGIN, NETFILTER_DROP);

	(void)state;
	assert_true(refusal_is_open(&facts, "NETFILTER_DROP"));
	assert_false(refusal_is_open(&facts, "IP_RPFILTER"));
	assert_false(refusal_is_open(&facts, NULL));
	facts.flags |= SW_F_RESET_SENT;
	assert_false(refusal_is_open(&facts, "NETFILTER_DROP"));
	facts.flags ^= SW_F_RESET_SENT | SW_F_ICMP_SENT;
	assert_false(refusal_is_open(&facts, "NETFILTER_DROP"));
	facts.flags ^= SW_F_ICMP_SENT | SW_F_ICMP_TELLS | SW_F_ICMP6_TELLS;
	assert_true(refusal_is_open(&facts, "NETFILTER_DROP"));
	facts.flags |= SW_F_RESET_TELLS;
	assert_false(refusal_is_open(&facts, "NETFILTER_DROP"));
}

static void the_longest_words_fit(void **state)
{
	struct sw_name name = {.of = SW_NAME_REASON, .number = UNNAMED};

	memset(name.name, 'N', sizeof(name.name) - 1);
	terms_learn(*state, &name);
	name.of = SW_NAME_PLACE;
	name.number = 0x1000 + UNNAMED;
	terms_learn(*state, &name);
	for (uint32_t bits = 0; bits < 64; bits++) {
		const struct drop_case c = {
			.reason = bits & 1   ? UNNAMED
				  : bits & 2 ? NETFILTER_DROP
					     : 0,
			.flags = SW_F_OWNER | SW_F_LISTENER | SW_F_COOKIES |
				 (bits & 4 ? SW_F_ICMP_SENT : 0) | (bits & 8 ? SW_F_RESET_SENT : 0),
			.reset_seen = bits & 16,
			.what = bits & 32 ? SW_DROP_OTHER : SW_DROP_SYN,
			.v6 = true,
			.listener = {.backlog = UINT32_MAX,
				     .limit = UINT32_MAX - 1,
				     .abort_on_overflow = 1},
		};
		struct sw_handshake facts = facts_of(&c);

		memset(facts.owner.comm, '\033', SW_COMM_LEN - 1);
		facts.owner.pid = UINT32_MAX;
		facts.icmp.code = 5;
		assert_non_null(strstr(judge(&facts, bits & 16, *state).why, "to watch"));
	}
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_rule_rejects_refuses_or_ignores),
		TEST(nothing_listens),
		TEST(a_listener_ignores_for_its_queues),
		TEST(an_ack_that_finds_no_room_is_refused_if_asked_for),
		TEST(any_other_reason_is_told_as_it_is),
		TEST(the_icmp_error_is_evidence),
		TEST(no_reason_has_no_name),
		TEST(only_a_silent_rule_waits_for_a_rst),
		TEST(the_longest_words_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
