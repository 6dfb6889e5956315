/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/handshake.h"
#include "facts.h"

/* A timer is late by a tick, and by up to a granule of its wheel level. */
static void assert_about(int64_t got_ns, uint64_t ideal_ns)
{
	assert_in_range(got_ns, ideal_ns, ideal_ns + ideal_ns / 8 + TICK_NS);
}

static struct report_handshake describe(const struct sw_handshake *facts, bool ended)
{
	struct report_handshake report;

	handshake_describe(facts, facts->header.time_ns, ended, &report);
	return report;
}

static void the_kind_tells_the_role(void **state)
{
	(void)state;
	for (uint8_t kind = SW_OPEN; kind <= SW_SYN_DROP; kind++) {
		struct sw_handshake facts = facts_client(kind, BEGIN + SEC, 1);
		enum role role = kind >= SW_SYNACK_RETRY ? ROLE_SERVER : ROLE_CLIENT;

		assert_int_equal(handshake_key_of(&facts).role, role);
		assert_int_equal(handshake_key_of(&facts).cookie, 0x54);
		assert_int_equal(handshake_key_of(&facts).start_ns, BEGIN);
		assert_int_equal(describe(&facts, false).role, role);
	}
}

/* uthash hashes the bytes: none may be left undefined. */
static void a_key_has_no_padding(void **state)
{
	(void)state;
	assert_int_equal(sizeof(struct handshake_key), 3 * sizeof(uint64_t));
}

/* TCP_FASTOPEN_CONNECT: SYN_SENT at connect(), the SYN at the first write. */
static void it_begins_with_its_first_syn(void **state)
{
	struct sw_handshake facts = facts_client(SW_LOOK, BEGIN + SEC, 0);

	(void)state;
	facts.syn_ns = BEGIN + 400 * MS;
	assert_int_equal(handshake_begin_ns(&facts), BEGIN + 400 * MS);
	assert_int_equal(describe(&facts, false).elapsed_ns, 600 * MS);
	facts.syn_ns = 0;
	assert_int_equal(handshake_begin_ns(&facts), BEGIN);
	assert_int_equal(describe(&facts, false).elapsed_ns, SEC);
}

static void the_id_is_the_attempt_not_the_socket(void **state)
{
	struct sw_handshake facts = facts_client(SW_RETRY, BEGIN + SEC, 1);

	(void)state;
	assert_string_equal(describe(&facts, false).id, "54:10000000000");
	facts.start_ns++;
	assert_string_equal(describe(&facts, false).id, "54:10000000001");
	facts.cookie = facts.start_ns = UINT64_MAX;
	assert_string_equal(describe(&facts, false).id, "ffffffffffffffff:18446744073709551615");
}

static void what_is_not_known_is_null(void **state)
{
	struct sw_handshake facts = facts_client(SW_CLOSE, BEGIN + SEC, 1);
	struct report_handshake report;

	(void)state;
	facts.isn = 4711;
	facts.flags = 0;
	report = describe(&facts, false);
	assert_int_equal(report.isn, REPORT_NULL);
	assert_false(report.has_owner || report.adopted);
	facts.flags = SW_F_ISN | SW_F_OWNER | SW_F_ADOPTED;
	report = describe(&facts, false);
	assert_int_equal(report.isn, 4711);
	assert_true(report.has_owner && report.adopted);
	facts.isn = 0; /* a valid ISN */
	assert_int_equal(describe(&facts, false).isn, 0);
	facts.isn = UINT32_MAX;
	assert_int_equal(describe(&facts, false).isn, UINT32_MAX);
}

static void each_role_counts_its_own(void **state)
{
	struct sw_handshake client = facts_client(SW_RETRY, BEGIN + 3 * SEC, 3);
	struct sw_handshake server = facts_server(SW_SYNACK_RETRY, BEGIN + 3 * SEC, 2, 4);
	struct report_handshake report;

	(void)state;
	client.syn_sent = 3;
	client.syn_unsent = 1;
	report = describe(&client, false);
	assert_int_equal(report.syn_sent, 3);
	assert_int_equal(report.syn_retransmits, 2);
	assert_int_equal(report.syn_unsent, 1);
	assert_int_equal(report.synack_retransmits, REPORT_NULL);
	report = describe(&server, false);
	assert_int_equal(report.synack_retransmits, 4);
	assert_int_equal(report.syn_sent, REPORT_NULL);
	assert_int_equal(report.syn_retransmits, REPORT_NULL);
	assert_int_equal(report.syn_unsent, REPORT_NULL);
}

static void nothing_is_due_of_what_has_ended(void **state)
{
	struct sw_handshake facts = facts_client(SW_CLOSE, BEGIN + 3 * SEC, 2);
	struct report_handshake report = describe(&facts, true);

	(void)state;
	assert_int_equal(report.retry_limit, REPORT_NULL);
	assert_int_equal(report.next_retry_ns, REPORT_NULL);
	assert_int_equal(report.give_up_ns, REPORT_NULL);
}

/* tcp_syn_retries 6, 4 of them linear: retries at 1 2 3 4 5 7 11 19 35 67 s,
 * ETIMEDOUT at 131 s. */
static void what_is_due_counts_from_the_moment_reported(void **state)
{
	struct sw_handshake facts = facts_client(SW_RETRY, BEGIN + SEC, 1);
	struct report_handshake report = describe(&facts, false);
	int64_t next = report.next_retry_ns, give_up = report.give_up_ns;

	(void)state;
	assert_int_equal(report.retry_limit, 10);
	assert_about(next, SEC);
	assert_about(give_up, 130 * SEC);
	/* before the facts, after them, after it was due */
	handshake_describe(&facts, BEGIN + 500 * MS, false, &report);
	assert_int_equal(report.next_retry_ns, next + (int64_t)(500 * MS));
	handshake_describe(&facts, BEGIN + 1300 * MS, false, &report);
	assert_int_equal(report.next_retry_ns, next - (int64_t)(300 * MS));
	assert_int_equal(report.give_up_ns, give_up - (int64_t)(300 * MS));
	handshake_describe(&facts, BEGIN + 200 * SEC, false, &report);
	assert_int_equal(report.next_retry_ns, 0);
	assert_int_equal(report.give_up_ns, 0);
}

static void the_last_retry_has_no_next(void **state)
{
	struct sw_handshake facts = facts_client(SW_RETRY, BEGIN + 67 * SEC, 10);
	struct report_handshake report = describe(&facts, false);

	(void)state;
	assert_int_equal(report.retry_limit, 10);
	assert_int_equal(report.next_retry_ns, REPORT_NULL);
	assert_about(report.give_up_ns, 64 * SEC);
}

/* Nothing is armed yet, and what the socket says is of an earlier attempt. */
static void an_opening_predicts_from_the_start(void **state)
{
	struct sw_handshake facts = facts_client(SW_OPEN, BEGIN, 0);
	struct report_handshake report;

	(void)state;
	facts.timer.rto = 64 * HZ;
	facts.timer.retransmits = 9;
	facts.timer.expires = facts.timer.jiffies + 77;
	report = describe(&facts, false);
	assert_int_equal(report.retry_limit, 10);
	assert_about(report.next_retry_ns, SEC);
	assert_about(report.give_up_ns, 131 * SEC);
}

/* A look finds the timer armed; a retry comes before it is armed again, so its
 * expiry is past. */
static void only_a_look_believes_the_pending_timer(void **state)
{
	struct sw_handshake facts = facts_client(SW_LOOK, BEGIN + 5500 * MS, 5);

	(void)state;
	facts.flags |= SW_F_PENDING;
	facts.timer.rto = 2 * HZ;
	facts.timer.expires = facts.timer.jiffies + 1500 * MS / TICK_NS;
	assert_about(describe(&facts, false).next_retry_ns, 1500 * MS);
	facts = facts_client(SW_RETRY, BEGIN + 5 * SEC, 5);
	facts.flags |= SW_F_PENDING;
	facts.timer.expires = facts.timer.jiffies - 3;
	assert_about(describe(&facts, false).next_retry_ns, 2 * SEC);
}

/* TCP_RESOURCE_PROBE_INTERVAL: NET_XMIT_DROP is tried again after 0.5 s. */
static void a_congested_retry_is_repeated_soon(void **state)
{
	struct sw_handshake facts = facts_client(SW_RETRY, BEGIN + 7 * SEC, 6);

	(void)state;
	facts.err = 1;
	assert_about(describe(&facts, false).next_retry_ns, 4 * SEC);
	facts.flags |= SW_F_ERR;
	assert_about(describe(&facts, false).next_retry_ns, 500 * MS);
	facts.err = -1;
	assert_about(describe(&facts, false).next_retry_ns, 4 * SEC);
}

static void without_the_linear_phase_the_second_interval_is_doubled(void **state)
{
	struct sw_handshake facts = facts_client(SW_RETRY, BEGIN + SEC, 1);

	(void)state;
	facts.flags &= ~SW_F_LINEAR; /* before 6.5: the byte means nothing */
	assert_about(describe(&facts, false).next_retry_ns, 2 * SEC);
	assert_int_equal(describe(&facts, false).retry_limit, 6);
}

static void tcp_user_timeout_cuts_it_short(void **state)
{
	struct sw_handshake facts = facts_client(SW_RETRY, BEGIN + 2 * SEC, 2);

	(void)state;
	facts.timer.user_timeout_ms = 2500;
	assert_int_equal(describe(&facts, false).next_retry_ns, REPORT_NULL);
	assert_about(describe(&facts, false).give_up_ns, 500 * MS);
}

/* tcp_write_timeout() counts from retrans_stamp, in its own milliseconds: what
 * the records' clock says can be a bucket of the timer wheel off. */
static void the_kernels_own_count_of_the_time_is_believed(void **state)
{
	struct sw_handshake facts = facts_client(SW_RETRY, BEGIN + 2 * SEC, 2);

	(void)state;
	facts.timer.user_timeout_ms = 2500;
	facts.timer.elapsed_ms = 1400;
	assert_about(describe(&facts, false).next_retry_ns, SEC);
	facts.timer.elapsed_ms = 2400;
	assert_int_equal(describe(&facts, false).next_retry_ns, REPORT_NULL);
	assert_about(describe(&facts, false).give_up_ns, 100 * MS);
}

static void a_request_backs_off_from_the_first_timer(void **state)
{
	/* timers at 1 3 7 15 31 s; the fifth is the last, at 63 s it is dropped */
	struct sw_handshake facts = facts_server(SW_SYNACK_RETRY, BEGIN + 3 * SEC, 2, 2);
	struct report_handshake report = describe(&facts, false);

	(void)state;
	assert_int_equal(report.retry_limit, 5);
	assert_about(report.next_retry_ns, 4 * SEC);
	assert_about(report.give_up_ns, 60 * SEC);
	assert_int_equal(handshake_give_up_ns(&facts),
			 facts.header.time_ns + (uint64_t)report.give_up_ns);
	/* a duplicate SYN finds the timer armed */
	facts.flags |= SW_F_DUPLICATE_SYN | SW_F_PENDING;
	facts.timer.expires = facts.timer.jiffies + HZ / 2;
	assert_about(describe(&facts, false).next_retry_ns, 500 * MS);
}

/* The next event by then at the latest, with an eighth for the timer wheel and
 * 3 s for a busy host. */
static void silence_means_loss_only_well_after_the_next_event(void **state)
{
	struct sw_handshake first = facts_client(SW_RETRY, BEGIN + SEC, 1);
	struct sw_handshake last = facts_client(SW_RETRY, BEGIN + 67 * SEC, 10);

	(void)state;
	assert_in_range(handshake_overdue_ns(&first), BEGIN + 2 * SEC + 3 * SEC + SEC / 8,
			BEGIN + 2 * SEC + 4 * SEC);
	/* after the last retry the next event is the give-up */
	assert_in_range(handshake_overdue_ns(&last), BEGIN + 131 * SEC + 11 * SEC,
			BEGIN + 131 * SEC + 3 * SEC + 2 * 64 * SEC / 8 + SEC);
}

/* HZ is unknown, or nonsense: a damaged capture. */
static void a_nonsensical_tick_is_survived(void **state)
{
	static const uint32_t ticks[] = {0, 1, 999, 1000000000, 2000000000, UINT32_MAX};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ticks); i++) {
		struct sw_handshake client = facts_client(SW_RETRY, BEGIN + SEC, 1);
		struct sw_handshake server = facts_server(SW_SYNACK_RETRY, BEGIN + SEC, 1, 1);

		client.timer.tick_ns = server.timer.tick_ns = ticks[i];
		client.timer.rto_max = server.timer.rto_max = UINT32_MAX;
		client.timer.rto = server.timer.rto = UINT32_MAX;
		assert_true(handshake_overdue_ns(&client) > client.header.time_ns);
		assert_true(handshake_overdue_ns(&server) > server.header.time_ns);
		assert_true(handshake_give_up_ns(&server) > server.header.time_ns);
		assert_true(describe(&client, false).give_up_ns > 0);
		assert_true(describe(&server, false).give_up_ns > 0);
	}
	/* an unknown tick is taken to be of 4 ms, the same everywhere */
	{
		struct sw_handshake known = facts_server(SW_SYNACK_RETRY, BEGIN + SEC, 1, 1);
		struct sw_handshake unknown = known;

		unknown.timer.tick_ns = 0;
		assert_int_equal(handshake_give_up_ns(&unknown), handshake_give_up_ns(&known));
	}
}

static void only_a_server_has_a_listener(void **state)
{
	struct sw_handshake facts = facts_server(SW_SYNACK_RETRY, BEGIN + SEC, 1, 1);

	(void)state;
	assert_false(describe(&facts, false).has_listener);
	facts_add_listener(&facts, 129, 128);
	facts.listener.requests = 5;
	assert_true(describe(&facts, false).has_listener);
	assert_int_equal(describe(&facts, false).listener.backlog, 129);
	assert_int_equal(describe(&facts, false).listener.limit, 128);
	assert_int_equal(describe(&facts, false).listener.requests, 5);
	assert_false(describe(&facts, false).listener.syncookies);
	facts.flags |= SW_F_COOKIES;
	assert_true(describe(&facts, true).listener.syncookies);
	/* of a client it is its peer's, which is told in words */
	facts.header.kind = SW_RETRY;
	assert_false(describe(&facts, false).has_listener);
}

/* syn_ack_recalc() */
static void deferring_keeps_an_acknowledged_request_longer(void **state)
{
	struct sw_handshake facts = facts_server(SW_SYNACK_RETRY, BEGIN + SEC, 1, 1);

	(void)state;
	facts.timer.retries = 2;
	facts_add_listener(&facts, 0, 1);
	facts.listener.defer_accept = 4;
	assert_int_equal(describe(&facts, false).retry_limit, 2);
	facts.flags |= SW_F_ACKED;
	assert_int_equal(describe(&facts, false).retry_limit, 4);
	facts.listener.defer_accept = 1;
	assert_int_equal(describe(&facts, false).retry_limit, 2);
	facts.listener.defer_accept = 4;
	facts.flags &= ~SW_F_LISTENER;
	assert_int_equal(describe(&facts, false).retry_limit, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_kind_tells_the_role),
		cmocka_unit_test(a_key_has_no_padding),
		cmocka_unit_test(it_begins_with_its_first_syn),
		cmocka_unit_test(the_id_is_the_attempt_not_the_socket),
		cmocka_unit_test(what_is_not_known_is_null),
		cmocka_unit_test(each_role_counts_its_own),
		cmocka_unit_test(nothing_is_due_of_what_has_ended),
		cmocka_unit_test(what_is_due_counts_from_the_moment_reported),
		cmocka_unit_test(the_last_retry_has_no_next),
		cmocka_unit_test(an_opening_predicts_from_the_start),
		cmocka_unit_test(only_a_look_believes_the_pending_timer),
		cmocka_unit_test(a_congested_retry_is_repeated_soon),
		cmocka_unit_test(without_the_linear_phase_the_second_interval_is_doubled),
		cmocka_unit_test(tcp_user_timeout_cuts_it_short),
		cmocka_unit_test(the_kernels_own_count_of_the_time_is_believed),
		cmocka_unit_test(a_request_backs_off_from_the_first_timer),
		cmocka_unit_test(silence_means_loss_only_well_after_the_next_event),
		cmocka_unit_test(a_nonsensical_tick_is_survived),
		cmocka_unit_test(only_a_server_has_a_listener),
		cmocka_unit_test(deferring_keeps_an_acknowledged_request_longer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
