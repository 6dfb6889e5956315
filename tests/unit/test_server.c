/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every rule about a request with the facts it rests on, and the same facts with
 * one of them missing: then it must not claim what it cannot show.
 */
#include <errno.h>
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
#include "core/server.h"
#include "facts.h"
#include "sentence.h"

#define LATER (BEGIN + 5 * SEC)

static const struct server_past fresh;
static const struct server_past unacked = {.cause = CAUSE_NO_ACK};
static const struct server_past ack_ignored = {.cause = CAUSE_ACCEPT_QUEUE_FULL};

static struct terms *terms;

static int set_up(void **state)
{
	struct sw_name name = {.of = SW_NAME_REASON, .number = 1, .name = "NETFILTER_DROP"};

	(void)state;
	terms = terms_new();
	if (!terms)
		return -1;
	terms_learn(terms, &name);
	name = (struct sw_name){.of = SW_NAME_PLACE, .number = 0x1001, .name = "nf_hook_slow"};
	terms_learn(terms, &name);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	terms_free(terms);
	return 0;
}

static struct report_handshake describe(const struct sw_handshake *facts, bool ended)
{
	struct report_handshake report;

	handshake_describe(facts, facts->header.time_ns, ended, &report);
	evidence_tell_drop(facts, terms, &report);
	return report;
}

static void check(const struct report_handshake *report, enum verdict verdict, enum cause cause,
		  const char *why)
{
	check_sentence("judged", report);
	if (report->verdict != verdict || report->cause != cause || strcmp(report->why, why))
		fail_msg("%s/%s: %s", names_verdict(report->verdict), names_cause(report->cause),
			 report->why);
	assert_false(report->has_icmp || report->has_closer);
}

static void stalled(const struct sw_handshake *facts, enum cause cause, const char *why)
{
	struct report_handshake report = describe(facts, false);

	server_stalled(facts, &report);
	check(&report, VERDICT_STALLED, cause, why);
	assert_int_equal(report.errnum, 0);
}

static void ended(const struct sw_handshake *facts, const struct server_past *past,
		  enum verdict verdict, enum cause cause, const char *why)
{
	struct report_handshake report = describe(facts, true);

	server_ended(facts, past, &report);
	check(&report, verdict, cause, why);
	assert_int_equal(report.errnum, facts->sk_err);
}

/* --- under way --- */

#define NO_ACK \
	"SYN-ACK sent again (2 by timer, 1 for a repeated SYN), the client's ACK does not come"

static void a_request_that_hangs_misses_an_ack(void **state)
{
	struct sw_handshake facts = facts_server(SW_SYNACK_RETRY, LATER, 2, 3);

	(void)state;
	stalled(&facts, CAUSE_NO_ACK, NO_ACK);
	/* TCP_DEFER_ACCEPT: reqsk_timer_handler() counts expiries that send nothing */
	facts.timer.retransmits = 4;
	facts.timer.resends = 1;
	stalled(&facts, CAUSE_NO_ACK,
		"SYN-ACK sent again (1 time), the client's ACK does not come");
	facts.flags |= SW_F_COOKIES;
	stalled(&facts, CAUSE_NO_ACK,
		"SYN-ACK sent again (1 time), the client's ACK does not come; syncookies are in "
		"use: handshakes completed by one have no request to watch");
}

static void an_ack_that_came_and_changed_nothing_found_a_full_queue(void **state)
{
	struct sw_handshake facts = facts_server(SW_SYNACK_RETRY, LATER, 2, 3);

	(void)state;
	facts_add_listener(&facts, 129, 128);
	stalled(&facts, CAUSE_NO_ACK, NO_ACK); /* full, but no ACK has come */
	facts.flags |= SW_F_ACKED;
	stalled(&facts, CAUSE_ACCEPT_QUEUE_FULL,
		"the client believes it is connected: its ACK came and was thrown away, the accept "
		"queue is full (129 of 128)");
	facts.listener.backlog = 128;
	stalled(&facts, CAUSE_ACCEPT_QUEUE_FULL,
		"the client believes it is connected: its ACK came and was thrown away, the accept "
		"queue was full");
	facts.listener.backlog = 129;
	facts.listener.defer_accept = 3;
	stalled(&facts, CAUSE_ACCEPT_QUEUE_FULL,
		"the client believes it is connected: its ACK came and was thrown away, the accept "
		"queue is full (129 of 128)");
	facts.flags &= ~SW_F_LISTENER;
	stalled(&facts, CAUSE_ACCEPT_QUEUE_FULL,
		"the client believes it is connected: its ACK came and the request stays: the "
		"accept queue is full, or TCP_DEFER_ACCEPT waits for data");
}

static void a_synack_that_does_not_leave_is_this_hosts_doing(void **state)
{
	struct sw_handshake facts = facts_server(SW_SYNACK_DROP, LATER, 0, 0);

	(void)state;
	facts_drop_synack(&facts, 1);
	stalled(&facts, CAUSE_NO_ACK,
		"this host drops its own SYN-ACK on the way out: NETFILTER_DROP in nf_hook_slow");
	facts.header.kind = SW_SYNACK_RETRY;
	facts.timer.retransmits = 2;
	facts.timer.resends = 3;
	stalled(&facts, CAUSE_NO_ACK,
		NO_ACK "; this host dropped an earlier one on its way out: NETFILTER_DROP in "
		       "nf_hook_slow");
	/* three retries ago is not what happens today */
	facts.timer.retransmits = facts.timer.resends = 3;
	stalled(&facts, CAUSE_NO_ACK,
		"SYN-ACK sent again (3 by timer, 0 for a repeated SYN), the client's ACK does not "
		"come");
	facts.drop.attempt = 3;
	facts.drop.where = SW_DROP_TRANSIT; /* elsewhere */
	stalled(&facts, CAUSE_NO_ACK,
		"SYN-ACK sent again (3 by timer, 0 for a repeated SYN), the client's ACK does not "
		"come");
}

static void what_waits_for_data_or_is_young_is_no_trouble(void **state)
{
	struct sw_handshake facts = facts_server(SW_SYNACK_RETRY, BEGIN + SEC - 1, 0, 1);

	(void)state;
	/* a repeated SYN was answered, the timer has not run */
	assert_false(server_is_trouble(&facts, 0));
	assert_true(server_is_trouble(&facts, SEC - 1));
	facts.header.time_ns = BEGIN + SEC;
	assert_true(server_is_trouble(&facts, 0));
	assert_false(server_is_trouble(&facts, 2 * SEC));
	facts.timer.retransmits = 1;
	assert_true(server_is_trouble(&facts, 2 * SEC));
	facts.flags |= SW_F_COUNTED;
	assert_false(server_is_trouble(&facts, 0));

	/* the bare ACK has come, the data not yet */
	facts = facts_server(SW_SYNACK_RETRY, LATER, 2, 1);
	facts_add_listener(&facts, 128, 128);
	facts.listener.defer_accept = 3;
	assert_true(server_is_trouble(&facts, 0));
	facts.flags |= SW_F_ACKED;
	assert_int_equal(server_cause(&facts), CAUSE_NONE);
	assert_false(server_is_trouble(&facts, 0));
	facts.listener.backlog = 129;
	assert_true(server_is_trouble(&facts, 0));
	facts.listener.backlog = 128;
	facts.listener.defer_accept = 0;
	assert_true(server_is_trouble(&facts, 0));

	/* nothing was sent, because nothing could be */
	facts = facts_server(SW_SYNACK_DROP, BEGIN, 0, 0);
	assert_false(server_is_trouble(&facts, 0));
	facts_drop_synack(&facts, 1);
	assert_true(server_is_trouble(&facts, 0));
}

/* --- a child --- */

static void a_request_ends_as_its_child_says(void **state)
{
	static const struct {
		uint8_t new_state;
		uint16_t sk_err;
		enum verdict verdict;
		const char *why;
	} cases[] = {
		{ESTABLISHED, 0, VERDICT_ESTABLISHED,
		 "the client's ACK came after 2 resends of the SYN-ACK and 5.000 s"},
		{CLOSED, 0, VERDICT_ABANDONED,
		 "the half-open connection was closed before the client's ACK came"},
		{CLOSED, ECONNRESET, VERDICT_ABANDONED,
		 "the half-open connection was closed before the client's ACK came"},
		{CLOSED, ECONNABORTED, VERDICT_ABORTED,
		 "the half-open connection was closed before the client's ACK came"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sw_handshake facts = facts_server(SW_ACCEPTED, LATER, 2, 2);

		facts.new_state = cases[i].new_state;
		facts.sk_err = cases[i].sk_err;
		ended(&facts, &unacked, cases[i].verdict, CAUSE_NO_ACK, cases[i].why);
		if (cases[i].new_state == CLOSED)
			ended(&facts, &fresh, cases[i].verdict, CAUSE_NO_ACK, cases[i].why);
	}
}

static void one_that_got_through_keeps_the_cause_of_its_trouble(void **state)
{
	struct sw_handshake facts = facts_server(SW_ACCEPTED, LATER, 2, 2);

	(void)state;
	ended(&facts, &ack_ignored, VERDICT_ESTABLISHED, CAUSE_ACCEPT_QUEUE_FULL,
	      "accepted after 5.000 s; before, the client's ACK was thrown away: the accept queue "
	      "had been full");
	facts_drop_synack(&facts, 1);
	ended(&facts, &unacked, VERDICT_ESTABLISHED, CAUSE_NO_ACK,
	      "the client's ACK came after 2 resends of the SYN-ACK and 5.000 s; this host dropped "
	      "an earlier one on its way out: NETFILTER_DROP in nf_hook_slow");
	facts = facts_server(SW_ACCEPTED, BEGIN + 350 * MS, 0, 1);
	ended(&facts, &fresh, VERDICT_ESTABLISHED, CAUSE_NONE,
	      "accepted after 350.000 ms and 1 resend of the SYN-ACK");
	facts = facts_server(SW_ACCEPTED, BEGIN + 123456, 0, 0);
	ended(&facts, &fresh, VERDICT_ESTABLISHED, CAUSE_NONE, "accepted after 0.123 ms");
}

/* --- gone --- */

static struct sw_handshake gone(uint32_t flags)
{
	struct sw_handshake facts = facts_server(SW_REQUEST_GONE, LATER, 2, 2);

	facts_add_listener(&facts, 2, 1);
	facts.flags |= flags;
	return facts;
}

static void a_client_may_send_a_rst(void **state)
{
	struct sw_handshake facts = gone(SW_F_RESET);

	(void)state;
	ended(&facts, &unacked, VERDICT_ABANDONED, CAUSE_NO_ACK,
	      "the client sent a RST after 5.000 s; its ACK had not come");
	ended(&facts, &fresh, VERDICT_ABANDONED, CAUSE_NO_ACK,
	      "the client sent a RST after 5.000 s; its ACK had not come");
	facts = gone(SW_F_RESET | SW_F_ACKED);
	ended(&facts, &ack_ignored, VERDICT_ABANDONED, CAUSE_ACCEPT_QUEUE_FULL,
	      "the client sent a RST after 5.000 s; its ACK had come and was thrown away, the "
	      "accept queue is full (2 of 1)");
	facts.listener = (struct sw_listener){.limit = 1, .defer_accept = 1};
	ended(&facts, &fresh, VERDICT_ABANDONED, CAUSE_NONE,
	      "the client sent a RST after 5.000 s; its ACK had come, and TCP_DEFER_ACCEPT waited "
	      "for data");
	/* a RST that came when the retries were used up is still one */
	facts = gone(SW_F_RESET);
	ended(&facts, &(struct server_past){.cause = CAUSE_NO_ACK, .given_up = true},
	      VERDICT_ABANDONED, CAUSE_NO_ACK,
	      "the client sent a RST after 5.000 s; its ACK had not come");
}

static void a_listener_may_be_closed(void **state)
{
	struct sw_handshake facts = gone(SW_F_LISTENER_CLOSED);

	(void)state;
	ended(&facts, &unacked, VERDICT_ABANDONED, CAUSE_NO_ACK,
	      "its listener was closed; the client had waited for 5.000 s; its ACK had not come");
	facts = gone(SW_F_LISTENER_CLOSED | SW_F_ACKED);
	ended(&facts, &ack_ignored, VERDICT_ABANDONED, CAUSE_ACCEPT_QUEUE_FULL,
	      "its listener was closed; the client had waited for 5.000 s; its ACK had come and "
	      "was "
	      "thrown away, the accept queue is full (2 of 1)");
}

static void retries_may_be_used_up(void **state)
{
	const struct server_past given_up = {.cause = CAUSE_NO_ACK, .given_up = true};
	const struct server_past waited = {.given_up = true};
	struct sw_handshake facts = gone(0);

	(void)state;
	ended(&facts, &given_up, VERDICT_TIMED_OUT, CAUSE_NO_ACK,
	      "the client's ACK never came: 2 resends of the SYN-ACK, retries used up");
	facts = gone(SW_F_ACKED);
	ended(&facts, &given_up, VERDICT_IGNORED, CAUSE_ACCEPT_QUEUE_FULL,
	      "the client's ACK was thrown away until the retries were used up, the accept queue "
	      "is full (2 of 1); the client believes it is connected");
	facts.listener = (struct sw_listener){.limit = 1, .defer_accept = 1};
	ended(&facts, &waited, VERDICT_TIMED_OUT, CAUSE_NONE,
	      "no data came while TCP_DEFER_ACCEPT waited for it; the client believes it is "
	      "connected");
	/* the SYN-ACK had been lost before */
	ended(&facts, &given_up, VERDICT_TIMED_OUT, CAUSE_NO_ACK,
	      "no data came while TCP_DEFER_ACCEPT waited for it; the client believes it is "
	      "connected");
}

static void a_prediction_is_judged_like_a_request_that_is_gone(void **state)
{
	struct sw_handshake facts = facts_server(SW_SYNACK_RETRY, LATER, 2, 3);
	struct report_handshake report = describe(&facts, true);

	(void)state;
	server_expired(&facts, &unacked, &report);
	check(&report, VERDICT_TIMED_OUT, CAUSE_NO_ACK,
	      "the client's ACK never came: 3 resends of the SYN-ACK, retries used up");
	facts.flags |= SW_F_ACKED | SW_F_LISTENER;
	report = describe(&facts, true);
	server_expired(&facts, &ack_ignored, &report);
	check(&report, VERDICT_IGNORED, CAUSE_ACCEPT_QUEUE_FULL,
	      "the client's ACK was thrown away until the retries were used up, the accept queue "
	      "was full; the client believes it is connected");
}

static void a_synack_that_cannot_leave_ends_it_at_the_next_expiry(void **state)
{
	struct sw_handshake facts = gone(0);

	(void)state;
	facts.timer.retransmits = facts.timer.resends = 0;
	facts_drop_synack(&facts, 1);
	ended(&facts, &unacked, VERDICT_TIMED_OUT, CAUSE_NO_ACK,
	      "the kernel gave up after 5.000 s: this host drops its own SYN-ACK on the way out: "
	      "NETFILTER_DROP in nf_hook_slow");
	facts.flags |= SW_F_RESET;
	ended(&facts, &unacked, VERDICT_ABANDONED, CAUSE_NO_ACK,
	      "the client sent a RST after 5.000 s; this host dropped its own SYN-ACK on the way "
	      "out: NETFILTER_DROP in nf_hook_slow");
}

#define VANISHED "gone after 5.000 s, before its time: an ICMP error, or a RST not seen"

static void before_its_time_it_is_not_known_why(void **state)
{
	struct sw_handshake facts = gone(0);

	(void)state;
	ended(&facts, &unacked, VERDICT_ABANDONED, CAUSE_NO_ACK, VANISHED "; its ACK had not come");
	/* reqsk_timer_handler(): more than half of max(8, limit) */
	facts.listener = (struct sw_listener){.requests = 5, .limit = 1};
	ended(&facts, &unacked, VERDICT_ABANDONED, CAUSE_NO_ACK,
	      VANISHED ", or a SYN queue too full to keep the old (5 of 1); its ACK had not "
		       "come");
	facts.listener = (struct sw_listener){.requests = 64, .limit = 128};
	ended(&facts, &unacked, VERDICT_ABANDONED, CAUSE_NO_ACK, VANISHED "; its ACK had not come");
	facts.flags |= SW_F_ACKED;
	ended(&facts, &ack_ignored, VERDICT_ABANDONED, CAUSE_ACCEPT_QUEUE_FULL,
	      VANISHED "; its ACK had come and was thrown away, the accept queue was full");
}

static void a_lost_end_is_unknown(void **state)
{
	struct sw_handshake facts = facts_server(SW_SYNACK_RETRY, LATER, 1, 1);
	struct report_handshake report = describe(&facts, true);

	(void)state;
	server_lost(&ack_ignored, &report);
	check(&report, VERDICT_UNKNOWN, CAUSE_ACCEPT_QUEUE_FULL,
	      "its end was not seen: records were lost");
	server_lost(&fresh, &report);
	assert_int_equal(report.cause, CAUSE_NONE);
}

/* --- the sentence --- */

/* Everything as long as it can be, on every way through the rules. */
static void the_longest_texts_fit(void **state)
{
	static const uint8_t kinds[] = {SW_SYNACK_RETRY, SW_SYNACK_DROP, SW_ACCEPTED,
					SW_REQUEST_GONE};
	static const uint32_t flags[] = {0,
					 SW_F_ACKED,
					 SW_F_RESET,
					 SW_F_LISTENER_CLOSED,
					 SW_F_ACKED | SW_F_RESET,
					 SW_F_ACKED | SW_F_LISTENER_CLOSED};
	struct sw_name name = {.of = SW_NAME_REASON, .number = 1};

	(void)state;
	memset(name.name, 'N', sizeof(name.name) - 1);
	terms_learn(terms, &name);
	name.of = SW_NAME_PLACE;
	name.number = 0x1001;
	terms_learn(terms, &name);
	for (size_t i = 0; i < ARRAY_SIZE(kinds) * ARRAY_SIZE(flags) * 8; i++) {
		struct sw_handshake facts =
			facts_server(kinds[i % ARRAY_SIZE(kinds)], BEGIN + (1ULL << 62), 255, 255);
		struct server_past past = {
			.cause = i & 64 ? CAUSE_ACCEPT_QUEUE_FULL : CAUSE_NO_ACK,
			.given_up = i & 128,
		};
		struct report_handshake report;

		facts_add_listener(&facts, i & 32 ? UINT32_MAX : 0, UINT32_MAX - 1);
		facts.listener.requests = UINT32_MAX;
		facts_drop_synack(&facts, 1);
		facts.flags |= SW_F_COOKIES | flags[i / 4 % ARRAY_SIZE(flags)];
		report = describe(&facts, true);
		if (facts.header.kind >= SW_ACCEPTED)
			server_ended(&facts, &past, &report);
		else
			server_stalled(&facts, &report);
		check_sentence("longest", &report);
		assert_non_null(strstr(report.why, "have no request to watch"));
	}
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_request_that_hangs_misses_an_ack),
		TEST(an_ack_that_came_and_changed_nothing_found_a_full_queue),
		TEST(a_synack_that_does_not_leave_is_this_hosts_doing),
		TEST(what_waits_for_data_or_is_young_is_no_trouble),
		TEST(a_request_ends_as_its_child_says),
		TEST(one_that_got_through_keeps_the_cause_of_its_trouble),
		TEST(a_client_may_send_a_rst),
		TEST(a_listener_may_be_closed),
		TEST(retries_may_be_used_up),
		TEST(a_prediction_is_judged_like_a_request_that_is_gone),
		TEST(a_synack_that_cannot_leave_ends_it_at_the_next_expiry),
		TEST(before_its_time_it_is_not_known_why),
		TEST(a_lost_end_is_unknown),
		TEST(the_longest_texts_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
