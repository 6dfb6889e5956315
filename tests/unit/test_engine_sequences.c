/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What holds of every sequence of records, tried on some thousand random ones:
 * lives as the kernel makes them, delivered out of order, late, or not at all;
 * and bytes that no kernel ever made.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/decode.h"
#include "core/engine.h"
#include "core/handshake.h"
#include "facts.h"
#include "sink/sink.h"

#define SEEDS 3000

#define LIVES	    12
#define RECORDS_MAX 400

struct sequence {
	struct delivery {
		struct sw_handshake facts;
		uint64_t arrives_ns;
	} records[RECORDS_MAX];
	size_t count;
	uint64_t random;
};

/* xorshift64: the same everywhere, unlike random() */
static uint64_t draw(struct sequence *sequence, uint64_t below)
{
	sequence->random ^= sequence->random << 13;
	sequence->random ^= sequence->random >> 7;
	sequence->random ^= sequence->random << 17;
	return sequence->random % below;
}

static void add(struct sequence *sequence, struct sw_handshake facts, uint64_t cookie,
		uint64_t start_ns)
{
	struct delivery *record = &sequence->records[sequence->count];

	assert_true(sequence->count < RECORDS_MAX);
	facts.cookie = cookie;
	facts.start_ns = start_ns;
	if (facts.syn_ns)
		facts.syn_ns = start_ns;
	*record = (struct delivery){.facts = facts, .arrives_ns = facts.header.time_ns};
	sequence->count++;
}

/* When the next expiry of the timer really comes, in a life like the kernel's. */
static uint64_t next_event(const struct sw_handshake *facts, bool *ret_more)
{
	struct retry_schedule schedule = handshake_schedule(facts);

	*ret_more = schedule.has_next;
	return (schedule.has_next ? schedule.next : schedule.give_up) * TICK_NS;
}

/* One attempt of a client that tries until `ends_ns` or until the kernel gives
 * up. Returns when it ended. */
static uint64_t live_client(struct sequence *sequence, uint64_t cookie, uint64_t now,
			    uint64_t ends_ns)
{
	struct sw_handshake facts = facts_client(SW_OPEN, now, 0);
	uint64_t start_ns = now;
	uint8_t retries = 1 + draw(sequence, 6), linear = draw(sequence, 5);
	bool more = true;

	for (uint8_t n = 0;; n++) {
		facts.timer.retries = retries;
		facts.timer.linear = linear;
		facts.timer.rto = n ? facts.timer.rto : HZ;
		if (n > linear + 1)
			facts.timer.rto *= 2;
		facts.start_ns = start_ns;
		facts.syn_ns = n ? start_ns : 0;
		add(sequence, facts, cookie, start_ns);
		if (n && !draw(sequence, 4)) {
			facts.header.kind = SW_LOOK;
			facts.header.time_ns += draw(sequence, 900 * MS);
			if (facts.header.time_ns < ends_ns)
				add(sequence, facts, cookie, start_ns);
			facts.header.kind = SW_RETRY;
			facts.header.time_ns = now;
		}
		now += next_event(&facts, &more);
		if (!more || now >= ends_ns)
			break;
		facts = facts_client(SW_RETRY, now, n + 1);
		facts.timer.rto = HZ;
		for (uint8_t i = linear + 1; i <= n; i++)
			facts.timer.rto *= 2;
		if (n + 1 > linear + 1)
			facts.timer.rto /= 2;
	}
	facts.header.kind = SW_CLOSE;
	facts.header.time_ns = now < ends_ns ? now : ends_ns;
	facts.syn_ns = start_ns;
	facts.new_state = CLOSED;
	switch (draw(sequence, 4)) {
	case 0:
		facts.new_state = ESTABLISHED;
		break;
	case 1:
		facts.sk_err = 110;
		break;
	case 2:
		facts_add_closer(&facts, "a\033b");
		break;
	default:
		facts.flags |= SW_F_RESET | SW_F_PENDING;
		facts.sk_err = 111;
		break;
	}
	add(sequence, facts, cookie, start_ns);
	return facts.header.time_ns;
}

/* What its listener was like just then. */
static void make_queues(struct sequence *sequence, struct sw_handshake *facts)
{
	if (!draw(sequence, 3))
		return;
	facts_add_listener(facts, draw(sequence, 3), 1);
	if (!draw(sequence, 3))
		facts->flags |= SW_F_ACKED;
	if (!draw(sequence, 3))
		facts->listener.defer_accept = 1;
	if (!draw(sequence, 4)) {
		facts->header.kind = SW_SYNACK_DROP;
		facts_drop_synack(facts, 1);
	}
}

/* A SYN that gets nowhere; no name tells why. */
static void live_drop(struct sequence *sequence, uint64_t cookie, uint64_t now)
{
	struct sw_handshake facts = facts_syn_drop(now, draw(sequence, 2));

	if (draw(sequence, 2))
		facts_add_listener(&facts, draw(sequence, 3), 1);
	add(sequence, facts, cookie, now);
}

static void live_server(struct sequence *sequence, uint64_t cookie, uint64_t now, uint64_t ends_ns)
{
	struct sw_handshake facts = facts_server(SW_SYNACK_RETRY, now + SEC, 1, 1);
	uint8_t retries = 1 + draw(sequence, 5);
	uint64_t start_ns = now;
	bool more = true;

	now += SEC;
	for (uint8_t n = 1; now < ends_ns; n++) {
		facts = facts_server(SW_SYNACK_RETRY, now, n, n);
		facts.timer.retries = retries;
		make_queues(sequence, &facts);
		add(sequence, facts, cookie, start_ns);
		now += next_event(&facts, &more);
		if (more)
			continue;
		/* the sweep may notice that it expired */
		if (draw(sequence, 2)) {
			facts.header.kind = SW_REQUEST_GONE;
			facts.header.time_ns = now + draw(sequence, 300 * MS);
			add(sequence, facts, cookie, start_ns);
		}
		return;
	}
	facts.header.kind = SW_ACCEPTED;
	facts.header.time_ns = now < ends_ns ? now : ends_ns;
	if (facts.header.time_ns < start_ns + SEC)
		return;
	if (!draw(sequence, 3)) {
		facts.header.kind = SW_REQUEST_GONE;
		facts.flags |= draw(sequence, 2) ? SW_F_RESET : SW_F_LISTENER_CLOSED;
	}
	facts.new_state = draw(sequence, 2) ? ESTABLISHED : CLOSED;
	add(sequence, facts, cookie, start_ns);
}

static int by_arrival(const void *a, const void *b)
{
	const struct delivery *first = a, *second = b;
	const struct sw_handshake *x = &first->facts, *y = &second->facts;

	if (first->arrives_ns != second->arrives_ns)
		return first->arrives_ns < second->arrives_ns ? -1 : 1;
	if (x->header.time_ns != y->header.time_ns)
		return x->header.time_ns < y->header.time_ns ? -1 : 1;
	return memcmp(x, y, sizeof(*x));
}

static void make_lives(struct sequence *sequence, uint64_t seed)
{
	sequence->count = 0;
	sequence->random = 0x9e3779b97f4a7c15 * (seed + 1);
	for (uint64_t cookie = 1; cookie <= LIVES; cookie++) {
		uint64_t now = BEGIN + draw(sequence, 10 * SEC);
		uint64_t lasts = draw(sequence, 2) ? draw(sequence, 3 * SEC) : 200 * SEC;

		if (draw(sequence, 3)) {
			now = live_client(sequence, cookie, now, now + lasts);
			/* the same socket tries again */
			if (!draw(sequence, 3))
				live_client(sequence, cookie, now + MS, now + SEC);
		} else if (draw(sequence, 3)) {
			live_server(sequence, cookie, now, now + lasts);
		} else {
			live_drop(sequence, cookie, now);
		}
	}
}

/* Most arrive within the grace, some late, some never. */
static void disturb(struct sequence *sequence)
{
	size_t kept = 0;

	for (size_t i = 0; i < sequence->count; i++) {
		struct delivery *record = &sequence->records[i];
		bool late = !draw(sequence, 20);

		record->arrives_ns += draw(sequence, late ? 300 * MS : 15 * MS);
		if (draw(sequence, 20))
			sequence->records[kept++] = *record;
	}
	sequence->count = kept;
}

static void sort(struct sequence *sequence)
{
	qsort(sequence->records, sequence->count, sizeof(*sequence->records), by_arrival);
}

/* --- what must hold --- */

struct story {
	char id[sizeof(((struct report_handshake *)0)->id)];
	enum role role;
	uint64_t told_ns;
	bool started;
	bool ended;
	enum verdict verdict;
};

struct audience {
	struct story stories[4 * LIVES];
	size_t count;
	size_t reports;
	bool all;
	struct sink *sink;
};

static struct story *story_of(struct audience *audience, const struct report_handshake *handshake)
{
	struct story *story = audience->stories;

	for (; story < audience->stories + audience->count; story++) {
		if (story->role == handshake->role && !strcmp(story->id, handshake->id))
			return story;
	}
	assert_true(audience->count < ARRAY_SIZE(audience->stories));
	audience->count++;
	memcpy(story->id, handshake->id, sizeof(story->id));
	story->role = handshake->role;
	return story;
}

static void check_story(struct audience *audience, const struct report *report)
{
	struct story *story = story_of(audience, &report->handshake);

	/* only what was given up for lost may turn out to be alive */
	if (story->ended) {
		assert_int_equal(story->verdict, VERDICT_UNKNOWN);
		story->started = story->ended = false;
		story->told_ns = 0;
	}
	if (report->type == REPORT_START) {
		assert_true(audience->all && !story->started);
		story->started = true;
	}
	assert_true(story->started || !audience->all);
	assert_true(report->time_ns >= story->told_ns);
	assert_true(report->handshake.elapsed_ns >= 0);
	story->told_ns = report->time_ns;
	story->ended = report->type == REPORT_END;
	story->verdict = report->handshake.verdict;
}

static void on_report(void *ctx, const struct report *report)
{
	struct audience *audience = ctx;

	audience->reports++;
	if (report->type <= REPORT_END)
		check_story(audience, report);
	assert_int_equal(sink_report(audience->sink, report), 0);
}

/* The JSON of it all; the caller frees it. With advance, the clock of a live
 * watch speaks up at odd moments before each record. */
static char *play(const struct sequence *sequence, const struct engine_options *options,
		  bool advance)
{
	struct audience audience = {.all = options->all};
	struct sequence odd = {.random = 42};
	uint64_t now = BEGIN;
	struct engine *engine;
	size_t length;
	char *json;
	FILE *out = open_memstream(&json, &length);

	assert_non_null(out);
	audience.sink = sink_json_new(out);
	engine = engine_new(options, on_report, &audience);
	assert_true(audience.sink && engine);
	for (size_t i = 0; i < sequence->count; i++) {
		const struct sw_handshake *facts = &sequence->records[i].facts;

		if (advance && facts->header.time_ns > now) {
			now += draw(&odd, facts->header.time_ns - now + 1);
			engine_advance(engine, now);
			now = facts->header.time_ns;
		}
		assert_int_equal(engine_feed(engine, facts, sizeof(*facts)), 0);
	}
	engine_finish(engine, BEGIN + 400 * SEC);
	/* a start, an end and a stall each, a loss; and the summary */
	assert_true(audience.reports <= 5 * sequence->count + 1);
	engine_free(engine);
	assert_int_equal(sink_flush(audience.sink), 0);
	sink_free(audience.sink);
	fclose(out);
	return json;
}

static const struct engine_options every_way[] = {
	{.start_ns = BEGIN},
	{.start_ns = BEGIN, .all = true},
	{.start_ns = BEGIN, .all = true, .stall_after_ns = 500 * MS},
	{.start_ns = BEGIN, .stall_after_ns = 5 * SEC},
	{.start_ns = BEGIN, .all = true, .capacity = 3},
};

static void every_story_is_whole_and_repeats(void **state)
{
	static struct sequence sequence;

	(void)state;
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		const struct engine_options *options = &every_way[seed % ARRAY_SIZE(every_way)];
		char *first, *second;

		make_lives(&sequence, seed);
		disturb(&sequence);
		sort(&sequence);
		first = play(&sequence, options, false);
		second = play(&sequence, options, false);
		assert_string_equal(first, second);
		free(first);
		free(second);
	}
}

/* Nothing lost, nothing late: every handshake ends, with the verdict it had. */
static void undisturbed_lives_all_end_and_none_is_unknown(void **state)
{
	static struct sequence sequence;

	(void)state;
	for (uint64_t seed = 0; seed < SEEDS / 4; seed++) {
		char *json;

		make_lives(&sequence, seed);
		sort(&sequence);
		json = play(&sequence, &every_way[1], false);
		assert_null(strstr(json, "\"verdict\":\"unknown\""));
		assert_null(strstr(json, "\"type\":\"loss\""));
		assert_null(strstr(json, "\"stalled\":"));
		free(json);
	}
}

/* A live watch hears the clock between its records, its replay does not. */
static void the_replay_says_what_the_live_watch_said(void **state)
{
	static struct sequence sequence;

	(void)state;
	for (uint64_t seed = 0; seed < SEEDS / 4; seed++) {
		const struct engine_options *options = &every_way[seed % ARRAY_SIZE(every_way)];
		char *live, *replayed;

		make_lives(&sequence, seed);
		sort(&sequence);
		live = play(&sequence, options, true);
		replayed = play(&sequence, options, false);
		assert_string_equal(live, replayed);
		free(live);
		free(replayed);
	}
}

static void count_report(void *ctx, const struct report *report)
{
	size_t *count = ctx;

	assert_true(report->type < REPORT_TYPE_COUNT);
	(*count)++;
}

/* Sizes, kinds and versions are right, so that the rest is reached. */
static void bytes_that_no_kernel_made_do_no_harm(void **state)
{
	struct sequence sequence = {.random = 1};

	(void)state;
	for (int run = 0; run < 20; run++) {
		const struct engine_options options = {.capacity = 50, .all = run & 1};
		size_t reports = 0, taken = 0;
		struct engine *engine = engine_new(&options, count_report, &reports);

		assert_non_null(engine);
		for (int i = 0; i < 5000; i++) {
			union {
				union decode_record record;
				uint64_t words[sizeof(union decode_record) / 8];
			} random;
			struct sw_handshake *facts = &random.record.handshake;
			struct sw_crowd *crowd = &random.record.crowd;
			uint8_t kind = 1 + draw(&sequence, SW_KIND_COUNT - 1);
			uint16_t size = decode_size(kind);
			uint64_t time_ns = draw(&sequence, 400 * SEC) + (i & 1);

			if (!draw(&sequence, 1000))
				time_ns = INT64_MAX;
			for (size_t w = 0; w < ARRAY_SIZE(random.words); w++)
				random.words[w] = draw(&sequence, UINT64_MAX);
			random.record.header = facts_header(kind, size, time_ns);
			if (kind == SW_CROWD) {
				crowd->tuple.family = 4 + 2 * (random.words[5] & 1);
				crowd->begin_ns %= 1 + time_ns;
			} else if (size == sizeof(*facts)) {
				facts->tuple.family = 4 + 2 * (random.words[5] & 1);
				facts->cookie %= 100;
				facts->start_ns %= 1 + time_ns;
				facts->syn_ns %= 1 + time_ns;
				facts->err %= 4096;
			}
			taken += engine_feed(engine, &random, size) == 0;
		}
		assert_int_equal(taken, 5000);
		engine_finish(engine, 0);
		/* at most a start, two stalls and an end of a record, a loss each,
		 * and the summary */
		assert_true(reports <= 5 * taken + 1);
		engine_free(engine);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_story_is_whole_and_repeats),
		cmocka_unit_test(undisturbed_lives_all_end_and_none_is_unknown),
		cmocka_unit_test(the_replay_says_what_the_live_watch_said),
		cmocka_unit_test(bytes_that_no_kernel_made_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
