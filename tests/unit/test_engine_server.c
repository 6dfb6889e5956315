/* SPDX-License-Identifier: GPL-2.0-only */
/* Records of a server in, reports out: what is said, when, and of which moment. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/handshake.h"
#include "scene.h"

#define NETFILTER_DROP 1

static void learn_names(struct scene *scene)
{
	const struct sw_name name = {
		.header = facts_header(SW_NAME, sizeof(name), BEGIN - SEC),
		.of = SW_NAME_REASON,
		.number = NETFILTER_DROP,
		.name = "NETFILTER_DROP",
	};

	feed(scene, &name, sizeof(name));
}

/* What its listener is like: so much of its accept queue of one is taken. */
static struct sw_handshake with_listener(struct sw_handshake facts, uint32_t backlog,
					 uint32_t flags)
{
	facts_add_listener(&facts, backlog, 1);
	facts.flags |= flags;
	return facts;
}

static struct sw_handshake deferring(struct sw_handshake facts)
{
	facts_add_listener(&facts, 0, 1);
	facts.listener.defer_accept = 3;
	return facts;
}

static struct sw_handshake duplicate(uint64_t time_ns, uint8_t timeouts, uint8_t resends)
{
	struct sw_handshake facts = facts_server(SW_SYNACK_RETRY, time_ns, timeouts, resends);

	facts.flags |= SW_F_DUPLICATE_SYN;
	return facts;
}

/* The SYN-ACKs at 1 and 3 s; at 7.120 s its timer runs out. */
static struct sw_handshake last_retry(void)
{
	struct sw_handshake facts = facts_server(SW_SYNACK_RETRY, BEGIN + 3 * SEC, 2, 2);

	facts.timer.retries = 2;
	return facts;
}

static struct sw_handshake gone(uint64_t time_ns, uint32_t flags)
{
	struct sw_handshake facts = last_retry();

	facts.header.kind = SW_REQUEST_GONE;
	facts.header.time_ns = time_ns;
	facts.flags |= flags;
	return facts;
}

/* --- requests that hang --- */

static void a_request_stalls_at_its_first_resend_and_each_timer_repeats_that(void **state)
{
	struct scene *scene = open_scene((struct engine_options){});
	struct sw_handshake repeated = facts_server(SW_SYNACK_RETRY, BEGIN + 1500 * MS, 1, 2);

	(void)state;
	tell(scene, facts_server(SW_SYNACK_RETRY, BEGIN + 1014 * MS, 1, 1));
	expect(scene, "stall 1.014 stalled/no_ack r1\n");
	repeated.flags |= SW_F_DUPLICATE_SYN | SW_F_PENDING;
	repeated.timer.expires = repeated.timer.jiffies + 3 * HZ / 2;
	tell(scene, repeated);
	expect(scene, "");
	tell(scene, facts_server(SW_SYNACK_RETRY, BEGIN + 3062 * MS, 2, 3));
	expect(scene, "stall 3.062 stalled/no_ack r3\n");
	tell(scene, facts_server(SW_ACCEPTED, BEGIN + 4 * SEC, 2, 3));
	expect(scene, "end 4.000 established/no_ack r3\n");
	/* its timer's expiry is no news any more */
	finish(scene, BEGIN + 200 * SEC, QUIET);
}

/* The SYN-ACKs of tcp_synack_retries=2 at 1 and 3 s, dropped at 7 s: an event
 * there is none, but the timer's wheel is known. */
static void a_request_expires_when_its_timer_must_have_run_out(void **state)
{
	struct scene *scene = open_scene((struct engine_options){});
	struct sw_handshake last = facts_server(SW_SYNACK_RETRY, BEGIN + 3 * SEC, 2, 2);
	uint64_t expiry_ns;

	(void)state;
	last.timer.retries = 2;
	expiry_ns = handshake_give_up_ns(&last);
	assert_in_range(expiry_ns, BEGIN + 7 * SEC, BEGIN + 7500 * MS);
	tell(scene, last);
	expect(scene, "stall 3.000 stalled/no_ack r2\n");
	assert_int_equal(scene->last.handshake.give_up_ns, expiry_ns - (BEGIN + 3 * SEC));
	engine_advance(scene->engine, expiry_ns + GRACE);
	expect(scene, ""); /* an ACK that came just in time may still be told */
	engine_advance(scene->engine, BEGIN + 9 * SEC);
	assert_int_equal(scene->last.type, REPORT_END);
	assert_int_equal(scene->last.handshake.verdict, VERDICT_TIMED_OUT);
	assert_int_equal(scene->last.time_ns, expiry_ns);
	expect(scene, "end 7.120 timed_out/no_ack r2\n");
	finish(scene, BEGIN + 9 * SEC, QUIET);
}

static void a_request_with_an_unknown_tick_does_not_expire_at_once(void **state)
{
	struct scene *scene = open_scene((struct engine_options){});
	struct sw_handshake facts = facts_server(SW_SYNACK_RETRY, BEGIN + SEC, 1, 1);

	(void)state;
	facts.timer.tick_ns = 0;
	tell(scene, facts);
	engine_advance(scene->engine, BEGIN + 3 * SEC);
	expect(scene, "stall 1.000 stalled/no_ack r1\n");
	finish(scene, BEGIN + 3 * SEC, QUIET);
}

static void a_later_full_queue_is_news(void **state)
{
	struct scene *scene = open_scene((struct engine_options){});

	(void)state;
	tell(scene, facts_server(SW_SYNACK_RETRY, BEGIN + SEC, 1, 1));
	tell(scene, with_listener(duplicate(BEGIN + 1500 * MS, 1, 2), 2, SW_F_ACKED));
	tell(scene, with_listener(duplicate(BEGIN + 1600 * MS, 1, 3), 2, SW_F_ACKED));
	expect(scene, "stall 1.000 stalled/no_ack r1\n"
		      "stall 1.500 stalled/accept_queue_full r2\n");
	assert_int_equal(scene->last.handshake.listener.backlog, 2);
	tell(scene, facts_server(SW_ACCEPTED, BEGIN + 2 * SEC, 1, 3));
	expect(scene, "end 2.000 established/accept_queue_full r3\n");
	engine_finish(scene->engine, BEGIN + 3 * SEC);
	assert_int_equal(scene->last.summary.accepted, 0);
	expect(scene, QUIET);
	finish(scene, BEGIN + 3 * SEC, QUIET);
}

static void a_synack_that_cannot_leave_stalls_it_at_once(void **state)
{
	struct scene *scene = open_scene((struct engine_options){});
	struct sw_handshake drop = facts_server(SW_SYNACK_DROP, BEGIN + 1000, 0, 0);
	struct sw_handshake end;

	(void)state;
	learn_names(scene);
	facts_drop_synack(&drop, NETFILTER_DROP);
	tell(scene, drop);
	expect(scene, "stall 0.000 stalled/no_ack r0\n");
	assert_string_equal(scene->last.handshake.drop.reason, "NETFILTER_DROP");
	drop.header.time_ns = BEGIN + 400 * MS; /* for a repeated SYN */
	drop.drop.count = 2;
	tell(scene, drop);
	expect(scene, "");
	/* what is gone cannot be asked: the drop is known from before */
	end = facts_server(SW_REQUEST_GONE, BEGIN + 1200 * MS, 0, 0);
	tell(scene, end);
	expect(scene, "end 1.200 timed_out/no_ack r0\n");
	assert_string_equal(scene->last.handshake.why,
			    "the kernel gave up after 1.200 s: this host drops its own SYN-ACK on "
			    "the way out: NETFILTER_DROP");
	finish(scene, BEGIN + 200 * SEC, QUIET);
}

/* --- requests that are in no trouble --- */

static void a_repeated_syn_is_no_stall_while_it_is_young(void **state)
{
	struct scene *scene = open_scene((struct engine_options){});

	(void)state;
	tell(scene, duplicate(BEGIN + 300 * MS, 0, 1));
	tell(scene, duplicate(BEGIN + 900 * MS, 0, 2));
	engine_advance(scene->engine, BEGIN + 1500 * MS);
	tell(scene, facts_server(SW_ACCEPTED, BEGIN + 1600 * MS, 0, 2));
	engine_finish(scene->engine, BEGIN + 2 * SEC);
	assert_int_equal(scene->last.summary.accepted, 0);
	/* by that time the timer would have run: the record of that is lost */
	expect(scene, "end 1.600 established/no_ack r2\n" QUIET);
	finish(scene, BEGIN + 2 * SEC, QUIET);

	scene = open_scene((struct engine_options){});
	tell(scene, duplicate(BEGIN + 300 * MS, 0, 1));
	tell(scene, facts_server(SW_ACCEPTED, BEGIN + 350 * MS, 0, 1));
	engine_finish(scene->engine, BEGIN + 2 * SEC);
	assert_int_equal(scene->last.summary.accepted, 1);
	expect(scene, QUIET);
	finish(scene, BEGIN + 2 * SEC, QUIET);

	scene = open_scene((struct engine_options){});
	tell(scene, duplicate(BEGIN + 300 * MS, 0, 1));
	tell(scene, duplicate(BEGIN + SEC, 0, 2));
	finish(scene, BEGIN + 2 * SEC, "stall 1.000 stalled/no_ack r2\n" QUIET);

	scene = open_scene((struct engine_options) { .stall_after_ns = 3 * SEC });
	tell(scene, duplicate(BEGIN + SEC, 0, 1));
	expect(scene, "");
	tell(scene, facts_server(SW_SYNACK_RETRY, BEGIN + 2 * SEC, 1, 2));
	finish(scene, BEGIN + 2 * SEC, "stall 2.000 stalled/no_ack r2\n" QUIET);
}

/* Its timer's own retry was told of as part of a crowd. */
static void a_repeated_syn_of_which_nothing_more_comes_is_forgotten(void **state)
{
	struct scene *scene = open_scene((struct engine_options){});

	(void)state;
	tell(scene, duplicate(BEGIN + 300 * MS, 0, 1));
	finish(scene, BEGIN + 200 * SEC, QUIET);
	scene = open_scene((struct engine_options){.all = true});
	tell(scene, duplicate(BEGIN + 300 * MS, 0, 1));
	finish(scene, BEGIN + 200 * SEC, "start 0.000\nend 4.457 unknown/none r1\n" QUIET);
}

static void who_waits_for_data_is_not_told_of(void **state)
{
	struct scene *scene = open_scene((struct engine_options){});
	struct sw_handshake wait = deferring(facts_server(SW_SYNACK_RETRY, BEGIN + 3 * SEC, 2, 1));

	(void)state;
	wait.flags |= SW_F_ACKED;
	tell(scene, wait);
	tell(scene, facts_server(SW_ACCEPTED, BEGIN + 4 * SEC, 2, 1));
	engine_finish(scene->engine, BEGIN + 5 * SEC);
	assert_int_equal(scene->last.summary.accepted, 1);
	expect(scene, QUIET);
	finish(scene, BEGIN + 5 * SEC, QUIET);

	/* nor when no data comes, noticed or not */
	for (int all = 0; all <= 1; all++) {
		for (int swept = 0; swept <= 1; swept++) {
			scene = open_scene((struct engine_options){.all = all});
			wait.header.kind = SW_SYNACK_RETRY;
			wait.header.time_ns = BEGIN + 3 * SEC;
			wait.timer.retries = 2;
			tell(scene, wait);
			wait.header.kind = SW_REQUEST_GONE;
			wait.header.time_ns = BEGIN + 15400 * MS;
			if (swept)
				tell(scene, wait);
			engine_finish(scene->engine, BEGIN + 20 * SEC);
			assert_int_equal(scene->last.summary.accepted, 0);
			expect(scene,
			       all ? "start 0.000\nend 15.312 timed_out/none r1\n" QUIET : QUIET);
			finish(scene, BEGIN + 20 * SEC, QUIET);
		}
	}
}

static void who_waits_for_data_at_a_full_queue_is_told_of(void **state)
{
	struct scene *scene = open_scene((struct engine_options){});
	struct sw_handshake wait = deferring(facts_server(SW_SYNACK_RETRY, BEGIN + 3 * SEC, 2, 1));

	(void)state;
	wait.flags |= SW_F_ACKED;
	wait.listener.backlog = 2;
	tell(scene, wait);
	finish(scene, BEGIN + 4 * SEC, "stall 3.000 stalled/accept_queue_full r1\n" QUIET);
}

static void a_healthy_one_is_told_with_all_only(void **state)
{
	struct sw_handshake accepted = facts_server(SW_ACCEPTED, BEGIN + 123456, 0, 0);

	(void)state;
	for (int counted = 0; counted <= 1; counted++) {
		struct scene *scene = open_scene((struct engine_options){});

		accepted.flags |= counted ? SW_F_COUNTED : 0;
		tell(scene, accepted);
		engine_finish(scene->engine, BEGIN + SEC);
		/* in struct sw_counts, or else here */
		assert_int_equal(scene->last.summary.accepted, !counted);
		expect(scene, QUIET);
		finish(scene, BEGIN + SEC, QUIET);

		scene = open_scene((struct engine_options){.all = true});
		tell(scene, accepted);
		expect(scene, "start 0.000\nend 0.000 established/none r0\n");
		assert_string_equal(scene->last.handshake.why, "accepted after 0.123 ms");
		engine_finish(scene->engine, BEGIN + SEC);
		assert_int_equal(scene->last.summary.accepted, !counted);
		assert_int_equal(scene->last.summary.handshakes[ROLE_SERVER][VERDICT_ESTABLISHED],
				 1);
		assert_int_equal(scene->last.summary.top_count, 0);
		assert_int_equal(scene->last.summary.healthy, 0); /* of clients */
		expect(scene, QUIET);
		finish(scene, BEGIN + SEC, QUIET);
	}
}

/* The records that would have said so are lost. */
static void an_end_alone_tells_that_it_had_hung(void **state)
{
	struct scene *scene = open_scene((struct engine_options){});

	(void)state;
	tell(scene, facts_server(SW_ACCEPTED, BEGIN + 2 * SEC, 1, 1));
	expect(scene, "end 2.000 established/no_ack r1\n");
	tell(scene, of_cookie(with_listener(facts_server(SW_ACCEPTED, BEGIN + 2 * SEC, 1, 1), 0,
					    SW_F_ACKED),
			      2));
	expect(scene, "end 2.000 established/accept_queue_full r1\n");
	finish(scene, BEGIN + 3 * SEC, QUIET);
}

/* --- requests that are gone --- */

static void a_request_that_is_gone_when_its_timer_ran_out_timed_out_then(void **state)
{
	struct scene *scene = open_scene((struct engine_options){});

	(void)state;
	tell(scene, last_retry());
	tell(scene, gone(BEGIN + 7300 * MS, 0));
	expect(scene, "stall 3.000 stalled/no_ack r2\nend 7.120 timed_out/no_ack r2\n");
	assert_int_equal(scene->last.handshake.elapsed_ns, 7120 * MS);
	finish(scene, BEGIN + 200 * SEC, QUIET);

	/* a little early it may be, but not in the future */
	scene = open_scene((struct engine_options){});
	tell(scene, last_retry());
	tell(scene, gone(BEGIN + 7000 * MS, 0));
	finish(scene, BEGIN + 200 * SEC,
	       "stall 3.000 stalled/no_ack r2\nend 7.000 timed_out/no_ack r2\n" QUIET);
}

static void a_request_whose_ack_was_thrown_away_to_the_end_was_ignored(void **state)
{
	struct scene *scene = open_scene((struct engine_options){});

	(void)state;
	tell(scene, with_listener(last_retry(), 2, SW_F_ACKED));
	tell(scene, gone(BEGIN + 7300 * MS, 0));
	expect(scene, "stall 3.000 stalled/accept_queue_full r2\n"
		      "end 7.120 ignored/accept_queue_full r2\n");
	/* of the last time that it could be asked */
	assert_true(scene->last.handshake.has_listener);
	assert_int_equal(scene->last.handshake.listener.backlog, 2);
	assert_int_equal(scene->last.handshake.owner.pid, 812);
	finish(scene, BEGIN + 200 * SEC, QUIET);

	/* a kernel that shows no end: predicted */
	scene = open_scene((struct engine_options){});
	tell(scene, with_listener(last_retry(), 2, SW_F_ACKED));
	finish(scene, BEGIN + 200 * SEC,
	       "stall 3.000 stalled/accept_queue_full r2\n"
	       "end 7.120 ignored/accept_queue_full r2\n" QUIET);
}

static void a_request_that_is_gone_before_its_time_was_abandoned(void **state)
{
	static const struct {
		uint32_t flags;
		const char *why; /* part of it */
	} cases[] = {
		{0, "before its time"},
		{SW_F_RESET, "the client sent a RST after 6.000 s"},
		{SW_F_LISTENER_CLOSED, "its listener was closed"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct scene *scene = open_scene((struct engine_options){});

		tell(scene, last_retry());
		tell(scene, gone(BEGIN + 6 * SEC, cases[i].flags));
		expect(scene, "stall 3.000 stalled/no_ack r2\nend 6.000 abandoned/no_ack r2\n");
		assert_non_null(strstr(scene->last.handshake.why, cases[i].why));
		finish(scene, BEGIN + 200 * SEC, QUIET);
	}
}

/* Exactly dated, whenever its timer would have run out. */
static void a_rst_is_a_rst_even_in_the_end(void **state)
{
	struct scene *scene = open_scene((struct engine_options){});

	(void)state;
	tell(scene, last_retry());
	tell(scene, gone(BEGIN + 7200 * MS, SW_F_RESET));
	finish(scene, BEGIN + 200 * SEC,
	       "stall 3.000 stalled/no_ack r2\nend 7.200 abandoned/no_ack r2\n" QUIET);
}

/* All that is known then is how many retries it had. */
static void a_request_that_is_gone_unheard_of_goes_by_its_retries(void **state)
{
	struct scene *scene = open_scene((struct engine_options){});
	struct sw_handshake end = gone(BEGIN + 7200 * MS, 0);

	(void)state;
	tell(scene, end);
	expect(scene, "end 7.200 timed_out/no_ack r2\n");
	end.cookie++;
	end.timer.retries = 3;
	tell(scene, end);
	expect(scene, "end 7.200 abandoned/no_ack r2\n");
	finish(scene, BEGIN + 200 * SEC, QUIET);
}

static void the_sweep_has_time_to_notice_before_it_is_predicted(void **state)
{
	struct scene *scene = open_scene((struct engine_options){});

	(void)state;
	tell(scene, last_retry());
	expect(scene, "stall 3.000 stalled/no_ack r2\n");
	engine_advance(scene->engine, BEGIN + 8120 * MS + GRACE);
	expect(scene, "");
	engine_advance(scene->engine, BEGIN + 8620 * MS + GRACE);
	expect(scene, "end 7.120 timed_out/no_ack r2\n");
	finish(scene, BEGIN + 200 * SEC, QUIET);
}

/* --- segments that are thrown away --- */

static void a_dropped_syn_is_told_at_once(void **state)
{
	struct scene *scene = open_scene((struct engine_options){});

	(void)state;
	tell(scene, with_listener(facts_syn_drop(BEGIN + MS, 0), 2, 0));
	expect(scene, "end 0.001 ignored/accept_queue_full r0\n");
	assert_true(scene->last.handshake.has_listener);
	/* told again, by another CPU */
	tell(scene, with_listener(facts_syn_drop(BEGIN + MS, 0), 2, 0));
	expect(scene, "");
	engine_finish(scene->engine, BEGIN + SEC);
	assert_int_equal(scene->last.summary.handshakes[ROLE_SERVER][VERDICT_IGNORED], 1);
	assert_int_equal(scene->last.summary.top[0].count, 1);
	expect(scene, QUIET);
	finish(scene, BEGIN + SEC, QUIET);

	scene = open_scene((struct engine_options){.all = true});
	tell(scene, facts_syn_drop(BEGIN + MS, 0));
	finish(scene, BEGIN + SEC, "start 0.001\nend 0.001 ignored/other_drop r0\n" QUIET);
}

static struct sw_handshake reset_client(uint64_t time_ns, uint32_t isn)
{
	struct sw_handshake facts = facts_client(SW_CLOSE, time_ns, 0);

	facts.flags |= SW_F_RESET | SW_F_ISN | SW_F_PENDING;
	facts.isn = isn;
	facts.sk_err = ECONNREFUSED;
	return facts;
}

static void a_syn_dropped_by_a_rule_waits_for_its_clients_rst(void **state)
{
	static const struct {
		uint64_t drop_ns, reset_ns;
		uint32_t isn;
		const char *said;
	} cases[] = {
		{BEGIN + MS, BEGIN + 2 * MS, 7777,
		 "end 0.002 refused/rst r0\nend 0.001 refused/netfilter r0\n"},
		/* on another CPU the client was faster */
		{BEGIN + 2 * MS, BEGIN + MS, 7777,
		 "end 0.001 refused/rst r0\nend 0.002 refused/netfilter r0\n"},
		{BEGIN + MS, BEGIN + 2 * MS, 7778,
		 "end 0.002 refused/rst r0\nend 0.001 ignored/netfilter r0\n"},
		{BEGIN + MS, BEGIN + 22 * MS, 7777,
		 "end 0.001 ignored/netfilter r0\nend 0.022 refused/rst r0\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct scene *scene = open_scene((struct engine_options){});
		struct sw_handshake drop = facts_syn_drop(cases[i].drop_ns, NETFILTER_DROP);
		struct sw_handshake client = reset_client(cases[i].reset_ns, cases[i].isn);

		learn_names(scene);
		tell(scene, cases[i].reset_ns < cases[i].drop_ns ? client : drop);
		tell(scene, cases[i].reset_ns < cases[i].drop_ns ? drop : client);
		engine_advance(scene->engine, BEGIN + 50 * MS);
		expect(scene, cases[i].said);
		finish(scene, BEGIN + SEC, QUIET);
	}
}

static void a_rule_that_answers_visibly_is_told_at_once(void **state)
{
	struct scene *scene = open_scene((struct engine_options){});
	struct sw_handshake drop = facts_syn_drop(BEGIN, NETFILTER_DROP);

	(void)state;
	learn_names(scene);
	drop.flags |= SW_F_ICMP_SENT;
	tell(scene, drop);
	expect(scene, "end 0.000 rejected/netfilter r0\n");
	/* the watch may end before anything more is known */
	drop.flags &= ~SW_F_ICMP_SENT;
	drop.cookie++;
	tell(scene, drop);
	expect(scene, "");
	finish(scene, BEGIN + MS, "end 0.000 ignored/netfilter r0\n" QUIET);
}

/* --- crowds --- */

static void a_crowd_is_told_and_counted(void **state)
{
	struct scene *scene = open_scene((struct engine_options){});
	struct sw_crowd crowd = facts_crowd(BEGIN + SEC);

	(void)state;
	scene->patterns = true;
	crowd.half_open = 8412;
	crowd.addresses[3] = 1;
	feed(scene, &crowd, sizeof(crowd));
	expect(scene, "crowd 1.000 no_ack 8,412 half-open from about 1 address\n");
	assert_int_equal(scene->last.wall_ns, BEGIN + 1001 * SEC);
	crowd.half_open = 0; /* nobody in it */
	feed(scene, &crowd, sizeof(crowd));
	expect(scene, "");
	engine_finish(scene->engine, BEGIN + 2 * SEC);
	assert_int_equal(scene->last.summary.crowded, 8412);
	assert_int_equal(scene->last.summary.top[0].count, 8412);
	assert_int_equal(scene->last.summary.pattern_count, 0);
	expect(scene, QUIET);
	finish(scene, BEGIN + 2 * SEC, QUIET);
}

static void counts_of_servers_reach_the_summary(void **state)
{
	const struct sw_counts counts = {
		.header = facts_header(SW_COUNTS, sizeof(counts), BEGIN + SEC),
		.accepted = 3,
		.synack_retransmits = 4,
		.listen_drops = 5,
	};
	struct scene *scene = open_scene((struct engine_options){});

	(void)state;
	feed(scene, &counts, sizeof(counts));
	engine_finish(scene->engine, BEGIN + 2 * SEC);
	assert_int_equal(scene->last.summary.accepted, 3);
	assert_int_equal(scene->last.summary.synack_retransmits, 4);
	assert_int_equal(scene->last.summary.listen_drops, 5);
	finish(scene, BEGIN + 2 * SEC, QUIET QUIET);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_stalls_at_its_first_resend_and_each_timer_repeats_that),
		cmocka_unit_test(a_request_expires_when_its_timer_must_have_run_out),
		cmocka_unit_test(a_request_with_an_unknown_tick_does_not_expire_at_once),
		cmocka_unit_test(a_later_full_queue_is_news),
		cmocka_unit_test(a_synack_that_cannot_leave_stalls_it_at_once),
		cmocka_unit_test(a_repeated_syn_is_no_stall_while_it_is_young),
		cmocka_unit_test(a_repeated_syn_of_which_nothing_more_comes_is_forgotten),
		cmocka_unit_test(who_waits_for_data_is_not_told_of),
		cmocka_unit_test(who_waits_for_data_at_a_full_queue_is_told_of),
		cmocka_unit_test(a_healthy_one_is_told_with_all_only),
		cmocka_unit_test(an_end_alone_tells_that_it_had_hung),
		cmocka_unit_test(a_request_that_is_gone_when_its_timer_ran_out_timed_out_then),
		cmocka_unit_test(a_request_whose_ack_was_thrown_away_to_the_end_was_ignored),
		cmocka_unit_test(a_request_that_is_gone_before_its_time_was_abandoned),
		cmocka_unit_test(a_rst_is_a_rst_even_in_the_end),
		cmocka_unit_test(a_request_that_is_gone_unheard_of_goes_by_its_retries),
		cmocka_unit_test(the_sweep_has_time_to_notice_before_it_is_predicted),
		cmocka_unit_test(a_dropped_syn_is_told_at_once),
		cmocka_unit_test(a_syn_dropped_by_a_rule_waits_for_its_clients_rst),
		cmocka_unit_test(a_rule_that_answers_visibly_is_told_at_once),
		cmocka_unit_test(a_crowd_is_told_and_counted),
		cmocka_unit_test(counts_of_servers_reach_the_summary),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
