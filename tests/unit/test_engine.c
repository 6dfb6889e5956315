/* SPDX-License-Identifier: GPL-2.0-only */
/* Records in, reports out: what is said, when, and of which moment. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/handshake.h"
#include "scene.h"

static struct sw_handshake timed_out(uint64_t time_ns, uint8_t retransmits)
{
	struct sw_handshake facts = facts_client(SW_CLOSE, time_ns, retransmits);

	facts.sk_err = ETIMEDOUT;
	return facts;
}

static struct sw_handshake established(uint64_t time_ns, uint8_t retransmits)
{
	struct sw_handshake facts = facts_client(SW_CLOSE, time_ns, retransmits);

	facts.new_state = ESTABLISHED;
	return facts;
}

/* --- when it stalls --- */

static void the_first_retry_stalls_it_and_each_further_one_repeats_that(void **state)
{
	struct scene *scene = open_scene((struct engine_options){});

	(void)state;
	tell(scene, facts_client(SW_RETRY, BEGIN + 1014 * MS, 1));
	expect(scene, "stall 1.014 stalled/no_answer r1\n");
	tell(scene, facts_client(SW_RETRY, BEGIN + 2038 * MS, 2));
	expect(scene, "stall 2.038 stalled/no_answer r2\n");
	tell(scene, facts_client(SW_LOOK, BEGIN + 2500 * MS, 2));
	expect(scene, "");
	tell(scene, timed_out(BEGIN + 4 * SEC, 2));
	expect(scene, "end 4.000 timed_out/no_answer r2\n");
	finish(scene, BEGIN + 5 * SEC, QUIET);
}

/* An answer that is not acceptable makes the kernel send the SYN again within
 * two jiffies; that one is answered, or it is not. */
static void a_syn_sent_again_at_once_is_no_stall(void **state)
{
	struct scene *scene = open_scene((struct engine_options){});

	(void)state;
	tell(scene, facts_client(SW_RETRY, BEGIN + 10 * MS, 1));
	tell(scene, established(BEGIN + 11 * MS, 1));
	finish(scene, BEGIN + 9 * SEC, "summary healthy1 lost0\n");
}

static void a_syn_sent_again_at_once_may_hang_all_the_same(void **state)
{
	struct scene *scene = open_scene((struct engine_options){});

	(void)state;
	tell(scene, facts_client(SW_RETRY, BEGIN + 10 * MS, 1));
	tell(scene, facts_client(SW_RETRY, BEGIN + 1034 * MS, 2));
	expect(scene, "stall 1.000 stalled/no_answer r1\n"
		      "stall 1.034 stalled/no_answer r2\n");
	tell(scene, timed_out(BEGIN + 4 * SEC, 2));
	expect(scene, "end 4.000 timed_out/no_answer r2\n");
	finish(scene, BEGIN + 5 * SEC, QUIET);
}

/* connect() has disconnected the socket by the time anybody looks. */
static void a_missed_end_keeps_the_addresses(void **state)
{
	struct scene *scene = open_scene((struct engine_options){});
	struct sw_handshake end = timed_out(BEGIN + 4 * SEC, 2);

	(void)state;
	tell(scene, facts_client(SW_RETRY, BEGIN + 1014 * MS, 1));
	expect(scene, "stall 1.014 stalled/no_answer r1\n");
	end.flags |= SW_F_MISSED;
	memset(&end.tuple, 0, sizeof(end.tuple));
	end.tuple.family = 6;
	tell(scene, end);
	expect(scene, "end 4.000 timed_out/no_answer r2\n");
	assert_int_equal(scene->last.handshake.tuple.rport, 80);
	assert_int_equal(scene->last.handshake.tuple.family, 4);
	finish(scene, BEGIN + 5 * SEC, QUIET);
}

/* Up to 6.16 a SYN killed locally makes no retransmit event; only the sweep
 * shows it, after the second that makes it stalled. */
static void a_look_alone_dates_the_stall_at_one_second(void **state)
{
	struct scene *scene = open_scene((struct engine_options){});
	struct sw_handshake look = facts_client(SW_LOOK, BEGIN + 1180 * MS, 0);

	(void)state;
	tell(scene, look);
	expect(scene, "stall 1.000 stalled/no_answer r0\n");
	assert_int_equal(scene->last.handshake.elapsed_ns, SEC);
	/* it goes on in silence: the retries show in the next looks */
	look.header.time_ns = BEGIN + 2300 * MS;
	look.timer.retransmits = 1;
	tell(scene, look);
	expect(scene, "stall 2.300 stalled/no_answer r0\n");
	look.header.time_ns = BEGIN + 2400 * MS;
	tell(scene, look);
	expect(scene, "");
	look.header.time_ns = BEGIN + 5500 * MS;
	look.timer.retransmits = 4;
	tell(scene, look);
	expect(scene, "stall 5.500 stalled/no_answer r0\n");
	finish(scene, BEGIN + 6 * SEC, QUIET);
}

static void a_look_within_the_second_is_no_stall_yet(void **state)
{
	struct scene *scene = open_scene((struct engine_options){});

	(void)state;
	tell(scene, facts_client(SW_LOOK, BEGIN + 900 * MS, 0));
	engine_advance(scene->engine, BEGIN + SEC + GRACE - 1);
	expect(scene, "");
	engine_advance(scene->engine, BEGIN + SEC + GRACE);
	expect(scene, "stall 1.000 stalled/no_answer r0\n");
	finish(scene, BEGIN + 2 * SEC, QUIET);
}

static void stall_after_less_than_the_first_retry(void **state)
{
	struct scene *scene = open_scene((struct engine_options){.stall_after_ns = 500 * MS});

	(void)state;
	tell(scene, facts_client(SW_LOOK, BEGIN + 560 * MS, 0));
	expect(scene, "stall 0.500 stalled/no_answer r0\n");
	tell(scene, facts_client(SW_RETRY, BEGIN + 1014 * MS, 1));
	expect(scene, "stall 1.014 stalled/no_answer r1\n");
	finish(scene, BEGIN + 2 * SEC, QUIET);
}

static void stall_after_more_than_the_first_retry(void **state)
{
	struct scene *scene = open_scene((struct engine_options){.stall_after_ns = 2500 * MS});

	(void)state;
	tell(scene, facts_client(SW_RETRY, BEGIN + 1014 * MS, 1));
	tell(scene, facts_client(SW_RETRY, BEGIN + 2038 * MS, 2));
	expect(scene, "");
	/* dated exactly, and not before the engine's time has passed it */
	engine_advance(scene->engine, BEGIN + 2500 * MS + GRACE - 1);
	expect(scene, "");
	engine_advance(scene->engine, BEGIN + 2500 * MS + GRACE);
	expect(scene, "stall 2.500 stalled/no_answer r2\n");
	assert_int_equal(scene->last.handshake.elapsed_ns, 2500 * MS);
	tell(scene, facts_client(SW_RETRY, BEGIN + 3070 * MS, 3));
	expect(scene, "stall 3.070 stalled/no_answer r3\n");
	finish(scene, BEGIN + 4 * SEC, QUIET);
}

static void answered_before_it_counts_as_stalled_it_is_not_shown(void **state)
{
	struct scene *scene = open_scene((struct engine_options){.stall_after_ns = 2500 * MS});

	(void)state;
	tell(scene, facts_client(SW_RETRY, BEGIN + 1014 * MS, 1));
	tell(scene, established(BEGIN + 2499 * MS, 1));
	finish(scene, BEGIN + 9 * SEC, "summary healthy1 lost0\n");
}

/* True at 2.5 s, whatever came within the grace. */
static void an_end_just_after_the_deadline_does_not_undo_the_stall(void **state)
{
	struct scene *scene = open_scene((struct engine_options){.stall_after_ns = 2500 * MS});

	(void)state;
	tell(scene, facts_client(SW_RETRY, BEGIN + 1014 * MS, 1));
	tell(scene, established(BEGIN + 2501 * MS, 1));
	expect(scene, "stall 2.500 stalled/no_answer r1\n"
		      "end 2.501 established/no_answer r1\n");
	finish(scene, BEGIN + 9 * SEC, QUIET);
}

static void a_late_answer_is_shown_even_if_its_stall_was_lost(void **state)
{
	static const struct {
		uint64_t stall_after_ns;
		uint64_t time_ns;
		uint8_t retransmits;
		const char *said;
	} cases[] = {
		{0, 1500 * MS, 1, "end 1.500 established/no_answer r1\n"},
		{0, 1200 * MS, 0, "end 1.200 established/none r0\n"},
		{0, 999 * MS, 0, ""},
		{3 * SEC, 2999 * MS, 2, ""},
		{3 * SEC, 3000 * MS, 2, "end 3.000 established/no_answer r2\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct scene *scene = open_scene(
			(struct engine_options){.stall_after_ns = cases[i].stall_after_ns});

		tell(scene, established(BEGIN + cases[i].time_ns, cases[i].retransmits));
		expect(scene, cases[i].said);
		finish(scene, BEGIN + 9 * SEC, *cases[i].said ? QUIET : "summary healthy1 lost0\n");
	}
}

/* TCP_FASTOPEN_CONNECT: SYN_SENT without a SYN until the first write. */
static void a_syn_put_off_never_stalls(void **state)
{
	struct scene *scene = open_scene((struct engine_options){.stall_after_ns = 500 * MS});
	struct sw_handshake look = facts_client(SW_LOOK, BEGIN, 0);

	(void)state;
	look.syn_ns = 0;
	for (int i = 1; i <= 40; i++) {
		look.header.time_ns = BEGIN + i * SEC;
		tell(scene, look);
	}
	expect(scene, "");
	/* it writes at 40.1 s */
	look.syn_ns = BEGIN + 40100 * MS;
	look.header.time_ns = BEGIN + 40900 * MS;
	tell(scene, look);
	expect(scene, "stall 40.600 stalled/no_answer r0\n");
	assert_int_equal(scene->last.handshake.elapsed_ns, 500 * MS);
	finish(scene, BEGIN + 41 * SEC, QUIET);
}

/* --- healthy --- */

static void a_healthy_one_is_silent_and_counted_once(void **state)
{
	const struct sw_counts counts = {
		.header = facts_header(SW_COUNTS, sizeof(counts), BEGIN + SEC),
		.healthy = 1
	};
	struct sw_handshake end = established(BEGIN + MS, 0);

	(void)state;
	for (int all = 0; all < 2; all++) {
		struct scene *scene = open_scene((struct engine_options){.all = all});

		/* by the engine: the kernel has not */
		tell(scene, of_cookie(end, 1));
		/* by the kernel, whose counts come later */
		end.flags |= SW_F_COUNTED;
		tell(scene, of_cookie(end, 2));
		end.flags &= ~SW_F_COUNTED;
		feed(scene, &counts, sizeof(counts));
		expect(scene, all ? "start 0.000\nend 0.001 established/none r0\n"
				    "start 0.000\nend 0.001 established/none r0\n"
				  : "");
		finish(scene, BEGIN + 2 * SEC, "summary healthy2 lost0\n");
	}
}

static void failures_are_shown_without_a_stall(void **state)
{
	struct scene *scene = open_scene((struct engine_options){});
	struct sw_handshake refused = facts_client(SW_CLOSE, BEGIN + MS, 0);
	struct sw_handshake no_route = facts_client(SW_LOCAL_ERROR, BEGIN + MS, 0);

	(void)state;
	refused.flags |= SW_F_RESET | SW_F_PENDING;
	refused.sk_err = ECONNREFUSED;
	tell(scene, refused);
	no_route.err = -ENETUNREACH;
	tell(scene, of_cookie(no_route, 2));
	expect(scene, "end 0.001 refused/rst r0\nend 0.001 local_error/no_route r0\n");
	finish(scene, BEGIN + SEC, QUIET);
}

/* --- all of them --- */

static void all_gives_one_start_before_anything_else(void **state)
{
	static const struct {
		uint8_t kind;
		const char *said;
	} firsts[] = {
		{SW_OPEN, "start 0.000\nend 0.600 established/none r0\n"},
		{SW_LOOK, "start 0.000\nend 0.600 established/none r0\n"},
		{SW_RETRY, "start 0.000\nstall 0.500 stalled/no_answer r0\n"
			   "end 0.600 established/none r0\n"},
		{SW_CLOSE, "start 0.000\nend 0.600 established/none r0\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(firsts); i++) {
		struct scene *scene = open_scene((struct engine_options){.all = true});
		uint8_t kind = firsts[i].kind;

		if (kind != SW_CLOSE)
			tell(scene, facts_client(kind, BEGIN + 500 * MS * (kind != SW_OPEN), 0));
		tell(scene, established(BEGIN + 600 * MS, 0));
		expect(scene, firsts[i].said);
		finish(scene, BEGIN + SEC, kind == SW_RETRY ? QUIET : "summary healthy1 lost0\n");
	}
}

static void an_opening_predicts_the_whole_schedule(void **state)
{
	struct scene *scene = open_scene((struct engine_options){.all = true});

	(void)state;
	tell(scene, facts_client(SW_OPEN, BEGIN, 0));
	expect(scene, "start 0.000\n");
	assert_int_equal(scene->last.handshake.verdict, VERDICT_COUNT);
	assert_int_equal(scene->last.handshake.elapsed_ns, 0);
	assert_int_equal(scene->last.handshake.retry_limit, 10);
	assert_in_range(scene->last.handshake.next_retry_ns, SEC, 1100 * MS);
	finish(scene, BEGIN + MS, QUIET);
}

/* What a later record counts had not happened when it began. */
static void a_start_without_its_record_does_not_know_the_future(void **state)
{
	struct scene *scene =
		open_scene((struct engine_options) { .all = true, .stall_after_ns = 60 * SEC });

	(void)state;
	tell(scene, facts_client(SW_LOOK, BEGIN + 3 * SEC, 2));
	expect(scene, "start 0.000\n");
	assert_int_equal(scene->last.time_ns, BEGIN);
	assert_int_equal(scene->last.handshake.elapsed_ns, 0);
	assert_int_equal(scene->last.handshake.syn_sent, 1);
	assert_int_equal(scene->last.handshake.syn_unsent, 0);
	assert_int_equal(scene->last.handshake.synack_retransmits, REPORT_NULL);
	assert_int_equal(scene->last.handshake.next_retry_ns, REPORT_NULL);
	finish(scene, BEGIN + 3 * SEC, QUIET);

	scene = open_scene((struct engine_options){.all = true});
	tell(scene, facts_server(SW_SYNACK_RETRY, BEGIN + SEC, 1, 1));
	finish(scene, BEGIN + 2 * SEC, "start 0.000\nstall 1.000 stalled/no_ack r1\n" QUIET);
}

static void two_attempts_of_one_socket_are_two_handshakes(void **state)
{
	struct scene *scene = open_scene((struct engine_options){});
	struct sw_handshake second = facts_client(SW_RETRY, BEGIN + 5 * SEC, 1);
	char id[sizeof(scene->last.handshake.id)];

	(void)state;
	tell(scene, facts_client(SW_RETRY, BEGIN + SEC, 1));
	tell(scene, timed_out(BEGIN + 3 * SEC, 1));
	memcpy(id, scene->last.handshake.id, sizeof(id));
	second.start_ns = second.syn_ns = BEGIN + 4 * SEC;
	tell(scene, second);
	assert_string_not_equal(scene->last.handshake.id, id);
	expect(scene, "stall 1.000 stalled/no_answer r1\n"
		      "end 3.000 timed_out/no_answer r1\n"
		      "stall 5.000 stalled/no_answer r1\n");
	finish(scene, BEGIN + 6 * SEC, QUIET);
}

/* --- loss --- */

/* The retry after the first is due at 2 s; an eighth and 3 s later it is lost. */
static void an_end_that_does_not_come_is_unknown_at_its_deadline(void **state)
{
	struct sw_handshake retry = facts_client(SW_RETRY, BEGIN + 1000 * MS, 1);
	uint64_t deadline_ns = handshake_overdue_ns(&retry);
	struct scene *scene = open_scene((struct engine_options){});

	(void)state;
	tell(scene, retry);
	expect(scene, "stall 1.000 stalled/no_answer r1\n");
	engine_advance(scene->engine, deadline_ns + GRACE - 1);
	expect(scene, "");
	engine_advance(scene->engine, BEGIN + 60 * SEC);
	assert_int_equal(scene->last.type, REPORT_END);
	assert_int_equal(scene->last.time_ns, deadline_ns);
	assert_int_equal(scene->last.handshake.verdict, VERDICT_UNKNOWN);
	assert_int_equal(scene->last.handshake.elapsed_ns, deadline_ns - BEGIN);
	engine_finish(scene->engine, BEGIN + 61 * SEC);
	assert_int_equal(scene->last.summary.handshakes[ROLE_CLIENT][VERDICT_UNKNOWN], 1);
	expect(scene, "end 5.161 unknown/no_answer r1\n" QUIET);
	finish(scene, BEGIN + 61 * SEC, QUIET);
}

static void a_loss_record_passes_and_adds_up(void **state)
{
	const struct sw_loss loss = {
		.header = facts_header(SW_LOSS, sizeof(loss), BEGIN + SEC),
		.ring = 1,
		.map_full = 2,
		.suppressed = 3,
		.missed = 4,
	};
	struct scene *scene = open_scene((struct engine_options){});

	(void)state;
	feed(scene, &loss, sizeof(loss));
	expect(scene, "loss ring1 full2 suppressed3 late0 missed4\n");
	assert_int_equal(scene->last.time_ns, BEGIN + SEC);
	feed(scene, &loss, sizeof(loss));
	/* since the last one, not since the beginning */
	expect(scene, "loss ring1 full2 suppressed3 late0 missed4\n");
	finish(scene, BEGIN + 2 * SEC, "summary healthy0 lost14\n");
}

static void records_within_the_grace_are_not_late(void **state)
{
	struct scene *scene = open_scene((struct engine_options){});

	(void)state;
	tell(scene, facts_client(SW_RETRY, BEGIN + SEC + GRACE, 1));
	tell(scene, of_cookie(facts_client(SW_RETRY, BEGIN + SEC, 1), 2));
	expect(scene, "stall 1.020 stalled/no_answer r1\nstall 1.000 stalled/no_answer r1\n");
	tell(scene, of_cookie(timed_out(BEGIN + SEC - 1, 1), 3));
	expect(scene, "end 1.000 timed_out/no_answer r1\n"
		      "loss ring0 full0 suppressed0 late1 missed0\n");
	finish(scene, BEGIN + 2 * SEC, QUIET); /* a late one did arrive */
}

/* An end is worth having however late it comes; a retry may be about one that
 * has ended and is forgotten. */
static void a_late_retry_begins_nothing(void **state)
{
	struct scene *scene = open_scene((struct engine_options){});

	(void)state;
	tell(scene, timed_out(BEGIN + 3 * SEC, 1));
	expect(scene, "end 3.000 timed_out/no_answer r1\n");
	engine_advance(scene->engine, BEGIN + 4 * SEC);
	tell(scene, facts_client(SW_RETRY, BEGIN + 2 * SEC, 1));
	expect(scene, "loss ring0 full0 suppressed0 late1 missed0\n");
	finish(scene, BEGIN + 60 * SEC, QUIET);
}

/* Programs on two CPUs: the SYN-ACK's timer and the final ACK, the sweep and
 * the end. The ring keeps the order of reservation, not that of the times. */
static void a_record_overtaken_by_the_end_does_not_begin_it_anew(void **state)
{
	struct scene *scene = open_scene((struct engine_options){});

	(void)state;
	tell(scene, facts_server(SW_SYNACK_RETRY, BEGIN + SEC, 1, 1));
	tell(scene, facts_server(SW_ACCEPTED, BEGIN + 3 * SEC + 10000, 1, 1));
	expect(scene, "stall 1.000 stalled/no_ack r1\nend 3.000 established/no_ack r1\n");
	tell(scene, facts_server(SW_SYNACK_RETRY, BEGIN + 3 * SEC, 2, 2));
	tell(scene, facts_server(SW_SYNACK_RETRY, BEGIN + 3 * SEC + 20000, 2, 2));
	expect(scene, "");
	tell(scene, of_cookie(timed_out(BEGIN + 4 * SEC, 1), 2));
	tell(scene, of_cookie(facts_client(SW_LOOK, BEGIN + 4 * SEC - 1000, 1), 2));
	expect(scene, "end 4.000 timed_out/no_answer r1\n");
	finish(scene, BEGIN + 200 * SEC, QUIET);
}

/* The newest snapshot counts, not the one that came last. */
static void an_older_snapshot_replaces_nothing(void **state)
{
	struct scene *scene = open_scene((struct engine_options) { .stall_after_ns = 3 * SEC });
	struct sw_handshake old = facts_client(SW_LOOK, BEGIN + 2 * SEC - 1, 1);

	(void)state;
	tell(scene, facts_client(SW_RETRY, BEGIN + SEC, 1));
	tell(scene, facts_client(SW_RETRY, BEGIN + 2 * SEC, 2));
	old.sk_err_soft = EHOSTUNREACH;
	tell(scene, old);
	expect(scene, "");
	finish(scene, BEGIN + 3 * SEC, "stall 3.000 stalled/no_answer r2\n" QUIET);
}

static void what_is_said_of_one_handshake_never_goes_back_in_time(void **state)
{
	struct scene *scene = open_scene((struct engine_options) { .stall_after_ns = 2 * SEC });

	(void)state;
	tell(scene, facts_client(SW_RETRY, BEGIN + SEC, 1));
	engine_advance(scene->engine, BEGIN + 2 * SEC + GRACE);
	expect(scene, "stall 2.000 stalled/no_answer r1\n");
	/* late: it ended before it could stall */
	tell(scene, timed_out(BEGIN + 1990 * MS, 1));
	expect(scene, "end 2.000 timed_out/no_answer r1\n"
		      "loss ring0 full0 suppressed0 late1 missed0\n");
	finish(scene, BEGIN + 3 * SEC, QUIET);
}

static void what_has_no_room_is_counted(void **state)
{
	struct scene *scene = open_scene((struct engine_options){.capacity = 2});

	(void)state;
	for (uint64_t cookie = 1; cookie <= 4; cookie++)
		tell(scene, of_cookie(facts_client(SW_RETRY, BEGIN + SEC, 1), cookie));
	expect(scene, "stall 1.000 stalled/no_answer r1\nstall 1.000 stalled/no_answer r1\n"
		      "loss ring0 full1 suppressed0 late0 missed0\n"
		      "loss ring0 full1 suppressed0 late0 missed0\n");
	/* once one has ended and is forgotten there is room again */
	tell(scene, of_cookie(timed_out(BEGIN + 2 * SEC, 1), 1));
	engine_advance(scene->engine, BEGIN + 2 * SEC + 2 * GRACE);
	tell(scene, of_cookie(facts_client(SW_RETRY, BEGIN + 3 * SEC, 2), 3));
	expect(scene, "end 2.000 timed_out/no_answer r1\nstall 3.000 stalled/no_answer r2\n");
	finish(scene, BEGIN + 4 * SEC, "summary healthy0 lost2\n");
}

static void what_makes_no_sense_is_left_out(void **state)
{
	struct scene *scene = open_scene((struct engine_options){});
	struct sw_handshake facts = facts_client(SW_RETRY, BEGIN + SEC, 1);

	(void)state;
	assert_int_equal(engine_feed(scene->engine, &facts, sizeof(facts) - 1), -EBADMSG);
	facts.header.version++;
	assert_int_equal(engine_feed(scene->engine, &facts, sizeof(facts)), -EPROTONOSUPPORT);
	finish(scene, BEGIN + SEC, QUIET);
}

/* --- names of what the kernel counts --- */

/* Dated as the record that it explains, and before it. */
static void name(struct scene *scene, uint64_t time_ns, enum sw_name_of of, uint64_t number,
		 const char *text)
{
	struct sw_name record = {.header = facts_header(SW_NAME, sizeof(record), time_ns),
				 .of = of,
				 .number = number};

	(void)snprintf(record.name, sizeof(record.name), "%s", text);
	feed(scene, &record, sizeof(record));
}

/* This host threw the SYN-ACK away. */
static struct sw_handshake dropped(struct sw_handshake facts, uint32_t reason, uint64_t place)
{
	facts.flags |= SW_F_DROP;
	facts.drop = (struct sw_drop){.place = place,
				      .reason = reason,
				      .netns = facts.tuple.netns,
				      .what = SW_DROP_SYNACK,
				      .where = SW_DROP_LOCAL,
				      .count = 1,
				      .attempt = facts.timer.retransmits};
	return facts;
}

static void names_are_known_from_their_record_on(void **state)
{
	struct scene *scene = open_scene((struct engine_options){});
	const struct report_drop *drop = &scene->last.handshake.drop;

	(void)state;
	tell(scene, dropped(facts_client(SW_RETRY, BEGIN + 1014 * MS, 1), 24, 0xffffffff81000000));
	expect(scene, "stall 1.014 stalled/reply_dropped_on_input r1\n");
	assert_true(scene->last.handshake.has_drop);
	assert_string_equal(drop->reason, "");
	assert_string_equal(drop->place, "");
	assert_int_equal(drop->netns, 4026531840);

	/* what the reason is called decides the cause */
	name(scene, BEGIN + 2038 * MS, SW_NAME_REASON, 24, "TCP_MD5NOTFOUND");
	name(scene, BEGIN + 2038 * MS, SW_NAME_PLACE, 0xffffffff81000000, "tcp_v4_rcv");
	expect(scene, "");
	tell(scene, dropped(facts_client(SW_RETRY, BEGIN + 2038 * MS, 2), 24, 0xffffffff81000000));
	expect(scene, "stall 2.038 stalled/bad_answer r2\n");
	assert_string_equal(drop->reason, "TCP_MD5NOTFOUND");
	assert_string_equal(drop->place, "tcp_v4_rcv");

	/* another number has no name yet */
	tell(scene, dropped(timed_out(BEGIN + 4 * SEC, 2), 25, 0xffffffff81000000));
	expect(scene, "end 4.000 timed_out/reply_dropped_on_input r2\n");
	assert_string_equal(drop->reason, "");
	assert_string_equal(drop->place, "tcp_v4_rcv");
	finish(scene, BEGIN + 5 * SEC, QUIET);
}

/* The stall that a deadline makes true is told with the names known then. */
static void a_stall_by_deadline_has_its_drop_named(void **state)
{
	struct scene *scene = open_scene((struct engine_options){.stall_after_ns = 2500 * MS});

	(void)state;
	tell(scene, dropped(facts_client(SW_RETRY, BEGIN + 1014 * MS, 1), 24, 1));
	name(scene, BEGIN + 1014 * MS, SW_NAME_REASON, 24, "TCP_MD5NOTFOUND");
	engine_advance(scene->engine, BEGIN + 2500 * MS + GRACE);
	expect(scene, "stall 2.500 stalled/bad_answer r1\n");
	assert_string_equal(scene->last.handshake.drop.reason, "TCP_MD5NOTFOUND");
	finish(scene, BEGIN + 3 * SEC, QUIET);
}

static void names_without_end_do_no_harm(void **state)
{
	struct scene *scene = open_scene((struct engine_options){});
	char text[SW_NAME_LEN];

	(void)state;
	for (uint32_t i = 0; i < 10000; i++) {
		(void)snprintf(text, sizeof(text), "TCP_%u", i);
		name(scene, BEGIN, i & 1 ? SW_NAME_PLACE : SW_NAME_REASON, i, text);
	}
	tell(scene, dropped(facts_client(SW_RETRY, BEGIN + 1014 * MS, 1), 24, 25));
	expect(scene, "stall 1.014 stalled/bad_answer r1\n");
	assert_string_equal(scene->last.handshake.drop.reason, "TCP_24");
	assert_string_equal(scene->last.handshake.drop.place, "TCP_25");
	tell(scene, dropped(timed_out(BEGIN + 4 * SEC, 1), 9998, 9999));
	expect(scene, "end 4.000 timed_out/reply_dropped_on_input r1\n");
	assert_true(scene->last.handshake.has_drop);
	assert_string_equal(scene->last.handshake.drop.reason, "");
	assert_string_equal(scene->last.handshake.drop.place, "");
	finish(scene, BEGIN + 5 * SEC, QUIET);
}

/* --- clocks and the end --- */

static void the_wall_clock_steps_from_its_record_on(void **state)
{
	const struct sw_clock clock = {
		.header = facts_header(SW_CLOCK, sizeof(clock), BEGIN + 1500 * MS),
		.offset_ns = -(int64_t)SEC,
	};
	struct scene *scene = open_scene((struct engine_options){});

	(void)state;
	tell(scene, facts_client(SW_RETRY, BEGIN + SEC, 1));
	assert_int_equal(scene->last.wall_ns, BEGIN + 1001 * SEC);
	feed(scene, &clock, sizeof(clock));
	tell(scene, facts_client(SW_RETRY, BEGIN + 2 * SEC, 2));
	assert_int_equal(scene->last.wall_ns, BEGIN + SEC);
	assert_int_equal(scene->last.time_ns, BEGIN + 2 * SEC);
	expect(scene, "stall 1.000 stalled/no_answer r1\nstall 2.000 stalled/no_answer r2\n");
	finish(scene, BEGIN + 3 * SEC, QUIET);
}

static void the_summary_counts_what_is_still_stalled(void **state)
{
	struct scene *scene = open_scene((struct engine_options){});
	struct report_summary *summary = &scene->last.summary;
	struct sw_handshake put_off = facts_client(SW_LOOK, BEGIN + 500 * MS, 0);

	(void)state;
	put_off.syn_ns = 0; /* under way, but not stalled */
	tell(scene, of_cookie(put_off, 4));
	tell(scene, of_cookie(facts_client(SW_RETRY, BEGIN + SEC, 1), 1));
	tell(scene, of_cookie(facts_client(SW_RETRY, BEGIN + SEC, 1), 2));
	tell(scene, of_cookie(timed_out(BEGIN + 2 * SEC, 1), 2));
	tell(scene, of_cookie(facts_server(SW_SYNACK_RETRY, BEGIN + 2 * SEC, 1, 1), 3));
	engine_finish(scene->engine, BEGIN + 2 * SEC + 1);
	assert_int_equal(summary->handshakes[ROLE_CLIENT][VERDICT_STALLED], 1);
	assert_int_equal(summary->handshakes[ROLE_CLIENT][VERDICT_TIMED_OUT], 1);
	assert_int_equal(summary->handshakes[ROLE_SERVER][VERDICT_STALLED], 1);
	assert_int_equal(summary->duration_ns, 3 * SEC + 1);
	assert_int_equal(summary->top_count, 2);
	assert_int_equal(summary->top[0].count, 2);
	assert_int_equal(summary->top[0].role, ROLE_CLIENT);
	engine_free(scene->engine);
	fclose(scene->out);
	free(scene->said);
	free(scene);
}

#define THREE_HANG                                                                               \
	"pattern 1.000 3 handshakes to 10.0.0.1:80 from netns 4026531840 got no answer so far, " \
	"none got through late\n"

static void three_that_hang_are_a_pattern_as_of_the_third(void **state)
{
	struct scene *scene = open_scene((struct engine_options){});

	(void)state;
	scene->patterns = true;
	for (uint64_t cookie = 1; cookie <= 3; cookie++)
		tell(scene, of_cookie(facts_client(SW_RETRY, BEGIN + SEC, 1), cookie));
	expect(scene, "stall 1.000 stalled/no_answer r1\n"
		      "stall 1.000 stalled/no_answer r1\n"
		      "stall 1.000 stalled/no_answer r1\n" THREE_HANG);
	/* each is still one, however often it stalls and however it ends */
	for (uint64_t cookie = 1; cookie <= 3; cookie++)
		tell(scene, of_cookie(timed_out(BEGIN + 3 * SEC, 1), cookie));
	expect(scene, "end 3.000 timed_out/no_answer r1\n"
		      "end 3.000 timed_out/no_answer r1\n"
		      "end 3.000 timed_out/no_answer r1\n");
	engine_finish(scene->engine, BEGIN + 4 * SEC);
	assert_int_equal(scene->last.summary.pattern_count, 1);
	assert_int_equal(scene->last.summary.patterns[0].count, 3);
	assert_int_equal(scene->last.summary.patterns[0].verdict, VERDICT_TIMED_OUT);
	close_scene(scene);
}

static void what_still_hangs_at_the_end_is_in_the_pattern_as_it_is_then(void **state)
{
	struct scene *scene = open_scene((struct engine_options){});
	struct sw_handshake facts = facts_client(SW_RETRY, BEGIN + SEC, 1);
	const struct report_summary *summary = &scene->last.summary;

	(void)state;
	for (uint64_t cookie = 1; cookie <= 3; cookie++)
		tell(scene, of_cookie(facts, cookie));
	facts = facts_client(SW_LOOK, BEGIN + 1500 * MS, 1);
	facts_add_icmp(&facts, 9, 3, 1, EHOSTUNREACH);
	for (uint64_t cookie = 1; cookie <= 3; cookie++)
		tell(scene, of_cookie(facts, cookie));
	engine_finish(scene->engine, BEGIN + 1600 * MS);
	assert_int_equal(summary->pattern_count, 1);
	assert_int_equal(summary->patterns[0].count, 3);
	assert_int_equal(summary->patterns[0].cause, CAUSE_ICMP);
	close_scene(scene);
}

/* What the kernel only counted nobody knows the place of; what it streamed
 * has one, unless records were lost. */
static void the_healthy_are_known_with_all_and_without_loss(void **state)
{
	static const struct {
		bool all;
		struct sw_loss loss;
		int64_t healthy;
	} cases[] = {
		{false, {}, REPORT_NULL},
		{true, {}, 1},
		{true, {.suppressed = 1}, 1},
		{true, {.ring = 1}, REPORT_NULL},
		{true, {.map_full = 1}, REPORT_NULL},
		{true, {.missed = 1}, REPORT_NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct scene *scene = open_scene((struct engine_options){.all = cases[i].all});
		const struct report_summary *summary = &scene->last.summary;
		struct sw_loss loss = cases[i].loss;

		for (uint64_t cookie = 1; cookie <= 9; cookie++)
			tell(scene, of_cookie(timed_out(BEGIN + 3 * SEC, 1), cookie));
		tell(scene, established(BEGIN + 3 * SEC, 0));
		loss.header = facts_header(SW_LOSS, sizeof(loss), BEGIN + 3 * SEC);
		feed(scene, &loss, sizeof(loss));
		engine_finish(scene->engine, BEGIN + 4 * SEC);
		assert_int_equal(summary->pattern_count, 1);
		assert_int_equal(summary->patterns[0].count, 9);
		assert_int_equal(summary->patterns[0].healthy, cases[i].healthy);
		close_scene(scene);
	}
}

static void the_loser_of_a_race_is_in_no_pattern(void **state)
{
	struct scene *scene = open_scene((struct engine_options){.all = true});
	struct sw_handshake facts = facts_client(SW_CLOSE, BEGIN + 100 * MS, 0);

	(void)state;
	facts_add_closer(&facts, "curl");
	facts.flags |= SW_F_RACE_LOST;
	for (uint64_t cookie = 1; cookie <= 3; cookie++)
		tell(scene, of_cookie(facts, cookie));
	engine_finish(scene->engine, BEGIN + SEC);
	assert_int_equal(scene->last.summary.handshakes[ROLE_CLIENT][VERDICT_ABANDONED], 3);
	assert_int_equal(scene->last.summary.pattern_count, 0);
	close_scene(scene);
}

/* No grace at the end: nothing comes any more that could contradict. */
static void what_was_due_by_the_end_is_said(void **state)
{
	struct scene *scene = open_scene((struct engine_options) { .stall_after_ns = 2 * SEC });

	(void)state;
	tell(scene, facts_client(SW_RETRY, BEGIN + SEC, 1));
	finish(scene, BEGIN + 2 * SEC, "stall 2.000 stalled/no_answer r1\n" QUIET);
}

static void a_watch_cannot_end_before_it_began_or_before_its_records(void **state)
{
	struct scene *scene = open_scene((struct engine_options){});

	(void)state;
	engine_finish(scene->engine, 0);
	assert_int_equal(scene->last.summary.duration_ns, 0);
	assert_int_equal(scene->last.time_ns, BEGIN - SEC);
	tell(scene, facts_client(SW_RETRY, BEGIN + SEC, 1));
	engine_finish(scene->engine, BEGIN);
	assert_int_equal(scene->last.summary.duration_ns, 2 * SEC);
	expect(scene, QUIET "stall 1.000 stalled/no_answer r1\n" QUIET);
	finish(scene, 0, QUIET);
}

static void nothing_can_be_freed(void **state)
{
	(void)state;
	assert_null(engine_free(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_retry_stalls_it_and_each_further_one_repeats_that),
		cmocka_unit_test(a_missed_end_keeps_the_addresses),
		cmocka_unit_test(a_syn_sent_again_at_once_is_no_stall),
		cmocka_unit_test(a_syn_sent_again_at_once_may_hang_all_the_same),
		cmocka_unit_test(a_look_alone_dates_the_stall_at_one_second),
		cmocka_unit_test(a_look_within_the_second_is_no_stall_yet),
		cmocka_unit_test(stall_after_less_than_the_first_retry),
		cmocka_unit_test(stall_after_more_than_the_first_retry),
		cmocka_unit_test(answered_before_it_counts_as_stalled_it_is_not_shown),
		cmocka_unit_test(an_end_just_after_the_deadline_does_not_undo_the_stall),
		cmocka_unit_test(a_late_answer_is_shown_even_if_its_stall_was_lost),
		cmocka_unit_test(a_syn_put_off_never_stalls),
		cmocka_unit_test(a_healthy_one_is_silent_and_counted_once),
		cmocka_unit_test(failures_are_shown_without_a_stall),
		cmocka_unit_test(all_gives_one_start_before_anything_else),
		cmocka_unit_test(an_opening_predicts_the_whole_schedule),
		cmocka_unit_test(a_start_without_its_record_does_not_know_the_future),
		cmocka_unit_test(two_attempts_of_one_socket_are_two_handshakes),
		cmocka_unit_test(an_end_that_does_not_come_is_unknown_at_its_deadline),
		cmocka_unit_test(a_loss_record_passes_and_adds_up),
		cmocka_unit_test(records_within_the_grace_are_not_late),
		cmocka_unit_test(a_late_retry_begins_nothing),
		cmocka_unit_test(a_record_overtaken_by_the_end_does_not_begin_it_anew),
		cmocka_unit_test(an_older_snapshot_replaces_nothing),
		cmocka_unit_test(what_is_said_of_one_handshake_never_goes_back_in_time),
		cmocka_unit_test(what_has_no_room_is_counted),
		cmocka_unit_test(what_makes_no_sense_is_left_out),
		cmocka_unit_test(names_are_known_from_their_record_on),
		cmocka_unit_test(a_stall_by_deadline_has_its_drop_named),
		cmocka_unit_test(names_without_end_do_no_harm),
		cmocka_unit_test(the_wall_clock_steps_from_its_record_on),
		cmocka_unit_test(the_summary_counts_what_is_still_stalled),
		cmocka_unit_test(three_that_hang_are_a_pattern_as_of_the_third),
		cmocka_unit_test(what_still_hangs_at_the_end_is_in_the_pattern_as_it_is_then),
		cmocka_unit_test(the_healthy_are_known_with_all_and_without_loss),
		cmocka_unit_test(the_loser_of_a_race_is_in_no_pattern),
		cmocka_unit_test(what_was_due_by_the_end_is_said),
		cmocka_unit_test(a_watch_cannot_end_before_it_began_or_before_its_records),
		cmocka_unit_test(nothing_can_be_freed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
