/* SPDX-License-Identifier: GPL-2.0-only */
#include "core/engine.h"

#include <stdlib.h>

#include "core/decode.h"
#include "core/evidence.h"
#include "core/handshake.h"
#include "core/patterns.h"
#include "core/stats.h"
#include "core/terms.h"
#include "core/tracker.h"
#include "core/verdict.h"

/* How far the engine's time runs behind: records of different CPUs are a few
 * microseconds out of order, a preempted program's some milliseconds. */
#define GRACE_NS 20000000ULL

/* Twice what the kernel side's map holds, for those whose end got lost. */
#define CAPACITY_DEFAULT 131072

/* A request is given up by no event: its timer's expiry is predicted, and only
 * believed when nothing contradicts it for this long. */
#define EXPIRY_SLACK_NS 500000000ULL

struct engine {
	struct engine_options options;
	engine_report_fn report;
	void *ctx;
	struct tracker *tracker;
	struct stats *stats;
	struct patterns *patterns;
	struct terms *terms;
	uint64_t newest_ns;
	uint64_t now_ns;	 /* deadlines up to here have been reported */
	struct report_loss loss; /* since the last loss report */
};

struct engine *engine_new(const struct engine_options *options, engine_report_fn report, void *ctx)
{
	struct engine *engine = calloc(1, sizeof(*engine));

	if (!engine)
		return NULL;
	engine->options = *options;
	engine->report = report;
	engine->ctx = ctx;
	engine->tracker = tracker_new(options->capacity ? options->capacity : CAPACITY_DEFAULT);
	engine->stats = stats_new();
	engine->patterns = patterns_new(options->all);
	engine->terms = terms_new();
	if (!engine->tracker || !engine->stats || !engine->patterns || !engine->terms)
		return engine_free(engine);
	return engine;
}

struct engine *engine_free(struct engine *engine)
{
	if (!engine)
		return NULL;
	tracker_free(engine->tracker);
	stats_free(engine->stats);
	patterns_free(engine->patterns);
	terms_free(engine->terms);
	free(engine);
	return NULL;
}

static void emit(struct engine *engine, struct report *report, enum report_type type,
		 uint64_t time_ns)
{
	report->type = type;
	report->time_ns = time_ns;
	report->wall_ns = time_ns + engine->options.wall_offset_ns;
	engine->report(engine->ctx, report);
}

/* --- reports about one handshake --- */

/* What a later record counts had not happened then. */
static void as_of_start(struct report_handshake *report)
{
	if (report->syn_sent > 1)
		report->syn_sent = 1;
	if (report->syn_retransmits > 0)
		report->syn_retransmits = 0;
	if (report->syn_unsent > 0)
		report->syn_unsent = 0;
	if (report->synack_retransmits > 0)
		report->synack_retransmits = 0;
}

static void report_start(struct engine *engine, struct handshake *handshake)
{
	const struct sw_handshake *facts = &handshake->facts;
	bool later = facts->header.kind != SW_OPEN;
	struct report report = {};

	if (handshake->started || !engine->options.all)
		return;
	handshake->started = true;
	handshake->told_ns = facts->start_ns;
	handshake_describe(facts, facts->start_ns, later, &report.handshake);
	if (later)
		as_of_start(&report.handshake);
	report.handshake.verdict = VERDICT_COUNT;
	report.handshake.elapsed_ns = 0;
	emit(engine, &report, REPORT_START, facts->start_ns);
}

/* Records of two CPUs may come a little out of order; what is reported of one
 * handshake never goes back in time. */
static uint64_t not_before_told(struct handshake *handshake, uint64_t time_ns)
{
	if (time_ns > handshake->told_ns)
		handshake->told_ns = time_ns;
	return handshake->told_ns;
}

/* After what has been said of the handshake itself. */
static void report_pattern(struct engine *engine, struct handshake *handshake,
			   const struct report_handshake *told, bool healthy, uint64_t time_ns)
{
	struct report_pattern news;

	patterns_handshake(engine->patterns, &handshake->mark, told, healthy, time_ns);
	if (patterns_news(engine->patterns, &news)) {
		struct report report = {.pattern = news};

		emit(engine, &report, REPORT_PATTERN, time_ns);
	}
}

static void report_stall(struct engine *engine, struct handshake *handshake, uint64_t time_ns)
{
	struct report report = {};

	time_ns = not_before_told(handshake, time_ns);
	handshake->stalled = true;
	handshake->told_retransmits = handshake->facts.timer.retransmits;
	handshake_describe(&handshake->facts, time_ns, false, &report.handshake);
	evidence_tell_drop(&handshake->facts, engine->terms, &report.handshake);
	verdict_stalled(&handshake->facts, &report.handshake);
	emit(engine, &report, REPORT_STALL, time_ns);
	report_pattern(engine, handshake, &report.handshake, false, time_ns);
}

typedef void (*verdict_fn)(const struct sw_handshake *facts, struct report_handshake *report);

/* The loser of a race between addresses is as good as answered. */
static bool is_healthy(const struct sw_handshake *facts, const struct report_handshake *report)
{
	return report->verdict == VERDICT_ESTABLISHED || facts->flags & SW_F_RACE_LOST;
}

/* Ends it. What neither stalled nor failed is only counted, unless all is
 * asked for. The tracker keeps it for a while, lest a record that was overtaken
 * by the end begin it anew. */
static void report_end(struct engine *engine, struct handshake *handshake, uint64_t time_ns,
		       verdict_fn judge)
{
	const struct sw_handshake *facts = &handshake->facts;
	struct report report = {};
	bool healthy;

	time_ns = not_before_told(handshake, time_ns);
	handshake_describe(facts, time_ns, true, &report.handshake);
	evidence_tell_drop(facts, engine->terms, &report.handshake);
	judge(facts, &report.handshake);
	healthy = is_healthy(facts, &report.handshake) && !handshake->stalled;
	if (healthy) {
		if (report.handshake.role == ROLE_CLIENT && !(facts->flags & SW_F_COUNTED))
			stats_healthy(engine->stats);
		if (!engine->options.all)
			goto out;
	}
	stats_handshake(engine->stats, &report.handshake);
	emit(engine, &report, REPORT_END, time_ns);
out:
	report_pattern(engine, handshake, &report.handshake, healthy, time_ns);
	handshake->ended = true;
	if (time_ns < engine->now_ns)
		time_ns = engine->now_ns;
	tracker_schedule(engine->tracker, handshake, DEADLINE_FORGET, time_ns + GRACE_NS);
}

/* --- deadlines --- */

static uint64_t stall_deadline(const struct engine *engine, const struct sw_handshake *facts)
{
	uint64_t after = engine->options.stall_after_ns;

	return handshake_begin_ns(facts) + (after ? after : HANDSHAKE_STALL_DEFAULT_NS);
}

/* What to expect next of a handshake under way. */
static void schedule(struct engine *engine, struct handshake *handshake)
{
	uint64_t lost_ns = handshake_overdue_ns(&handshake->facts);
	uint64_t stall_ns = stall_deadline(engine, &handshake->facts);

	/* Without a SYN on the wire there is nothing to wait for yet. */
	if (!handshake->stalled && handshake->facts.syn_ns && stall_ns < lost_ns)
		tracker_schedule(engine->tracker, handshake, DEADLINE_STALL, stall_ns);
	else
		tracker_schedule(engine->tracker, handshake, DEADLINE_LOST, lost_ns);
}

static void meet_deadline(struct engine *engine, struct handshake *handshake)
{
	uint64_t time_ns = handshake->deadline_ns;

	switch (handshake->deadline) {
	case DEADLINE_STALL:
		report_stall(engine, handshake, time_ns);
		schedule(engine, handshake);
		break;
	case DEADLINE_EXPIRY:
		report_end(engine, handshake, time_ns - EXPIRY_SLACK_NS, verdict_expired);
		break;
	case DEADLINE_FORGET:
		tracker_remove(engine->tracker, handshake);
		break;
	default:
		report_end(engine, handshake, time_ns, verdict_lost);
		break;
	}
}

static void catch_up(struct engine *engine, uint64_t now_ns)
{
	struct handshake *due;

	if (now_ns <= engine->now_ns)
		return;
	while ((due = tracker_due(engine->tracker, now_ns)))
		meet_deadline(engine, due);
	engine->now_ns = now_ns;
}

void engine_advance(struct engine *engine, uint64_t now_ns)
{
	if (now_ns > engine->newest_ns)
		engine->newest_ns = now_ns;
	if (engine->newest_ns > GRACE_NS)
		catch_up(engine, engine->newest_ns - GRACE_NS);
}

/* --- records --- */

static bool is_end(const struct sw_handshake *facts)
{
	return facts->header.kind == SW_CLOSE || facts->header.kind == SW_LOCAL_ERROR ||
	       facts->header.kind == SW_ACCEPTED;
}

/* Overtaken by what is known already: nothing follows an end, and a snapshot
 * replaces all that are older. An end is news even if it comes late. */
static bool is_overtaken(const struct handshake *handshake, const struct sw_handshake *facts)
{
	return handshake->ended ||
	       (!is_end(facts) && facts->header.time_ns < handshake->facts.header.time_ns);
}

/* A new one. A record that comes late, unless it is the end, may be about one
 * that is forgotten already; it has been counted, and the next one will tell. */
static struct handshake *begin(struct engine *engine, const struct sw_handshake *facts,
			       const struct handshake_key *key)
{
	struct handshake *handshake;

	if (facts->header.time_ns < engine->now_ns && !is_end(facts))
		return NULL;
	handshake = tracker_add(engine->tracker, key);
	if (!handshake)
		engine->loss.map_full++;
	return handshake;
}

/* When an end was missed the socket may have been disconnected before anybody
 * looked, its addresses with it: what was known of them stays. */
static void renew(struct handshake *handshake, const struct sw_handshake *facts)
{
	const struct sw_handshake before = handshake->facts;

	handshake->facts = *facts;
	if (!(facts->flags & SW_F_MISSED) || !before.tuple.rport)
		return;
	handshake->facts.tuple = before.tuple;
	if (before.flags & SW_F_ISN) {
		handshake->facts.flags |= SW_F_ISN;
		handshake->facts.isn = before.isn;
	}
}

/* The handshake a record is about, begun if need be and its facts renewed; NULL
 * if there is nothing to do. */
static struct handshake *find_or_begin(struct engine *engine, const struct sw_handshake *facts)
{
	struct handshake_key key = handshake_key_of(facts);
	struct handshake *handshake = tracker_find(engine->tracker, &key);

	if (!handshake)
		handshake = begin(engine, facts, &key);
	else if (is_overtaken(handshake, facts))
		return NULL;
	else if (handshake->deadline == DEADLINE_STALL &&
		 handshake->deadline_ns <= facts->header.time_ns)
		/* within the grace: true of the older facts all the same */
		meet_deadline(engine, handshake);
	if (!handshake)
		return NULL;
	renew(handshake, facts);
	report_start(engine, handshake);
	return handshake;
}

static void on_open(struct engine *engine, const struct sw_handshake *facts)
{
	struct handshake *handshake = find_or_begin(engine, facts);

	if (handshake)
		schedule(engine, handshake);
}

/*
 * A retry or a look. The default rule is "the first retransmission, or 1 s":
 * a retry stalls it then and there, a look only shows that the second passed.
 */
static void on_progress(struct engine *engine, const struct sw_handshake *facts)
{
	struct handshake *handshake = find_or_begin(engine, facts);
	uint64_t now = facts->header.time_ns;
	uint64_t stall_ns;

	if (!handshake)
		return;
	if (!facts->syn_ns) {
		schedule(engine, handshake);
		return;
	}
	stall_ns = stall_deadline(engine, facts);
	if (facts->header.kind == SW_RETRY && !engine->options.stall_after_ns &&
	    !handshake_is_resent_early(facts))
		stall_ns = now;
	/* What it was like then, before the watch began, nobody saw. */
	if (stall_ns < engine->options.start_ns && facts->timer.retransmits)
		stall_ns = now;
	if (handshake->stalled && facts->timer.retransmits > handshake->told_retransmits)
		report_stall(engine, handshake, now);
	else if (!handshake->stalled && stall_ns <= now)
		report_stall(engine, handshake, stall_ns);
	schedule(engine, handshake);
}

/* Whether it had stalled by the time of its end, as the end itself tells: the
 * records that would have said so before may be lost. */
static bool has_stalled(const struct engine *engine, const struct sw_handshake *facts)
{
	if (facts->header.kind == SW_ACCEPTED)
		return true; /* only those whose SYN-ACK was sent again are reported */
	if (!facts->syn_ns || facts->flags & SW_F_COUNTED)
		return false;
	return stall_deadline(engine, facts) <= facts->header.time_ns;
}

static void on_end(struct engine *engine, const struct sw_handshake *facts)
{
	struct handshake *handshake = find_or_begin(engine, facts);

	if (!handshake)
		return;
	if (has_stalled(engine, facts))
		handshake->stalled = true;
	report_end(engine, handshake, facts->header.time_ns, verdict_ended);
}

/* A request whose SYN-ACK goes out again: its first stall, then its timer's
 * retries; answers to repeated SYNs only renew the facts. */
static void on_synack_retry(struct engine *engine, const struct sw_handshake *facts)
{
	struct handshake *handshake = find_or_begin(engine, facts);

	if (!handshake)
		return;
	if (!handshake->stalled || facts->timer.retransmits > handshake->told_retransmits)
		report_stall(engine, handshake, facts->header.time_ns);
	tracker_schedule(engine->tracker, handshake, DEADLINE_EXPIRY,
			 handshake_give_up_ns(facts) + EXPIRY_SLACK_NS);
}

static void on_loss(struct engine *engine, const struct sw_loss *loss)
{
	engine->loss.ring += loss->ring;
	engine->loss.map_full += loss->map_full;
	engine->loss.suppressed += loss->suppressed;
	engine->loss.missed += loss->missed;
}

static void report_loss(struct engine *engine)
{
	struct report report = {.loss = engine->loss};
	const struct report_loss *loss = &engine->loss;

	if (!loss->ring && !loss->map_full && !loss->suppressed && !loss->late && !loss->missed)
		return;
	stats_loss(engine->stats, loss);
	if (loss->ring || loss->map_full || loss->missed)
		patterns_lost(engine->patterns);
	emit(engine, &report, REPORT_LOSS, engine->newest_ns);
	engine->loss = (struct report_loss){};
}

static void take(struct engine *engine, const union decode_record *record)
{
	switch (record->header.kind) {
	case SW_OPEN:
		on_open(engine, &record->handshake);
		break;
	case SW_RETRY:
	case SW_LOOK:
		on_progress(engine, &record->handshake);
		break;
	case SW_CLOSE:
	case SW_LOCAL_ERROR:
	case SW_ACCEPTED:
		on_end(engine, &record->handshake);
		break;
	case SW_SYNACK_RETRY:
		on_synack_retry(engine, &record->handshake);
		break;
	case SW_COUNTS:
		stats_counts(engine->stats, &record->counts);
		break;
	case SW_LOSS:
		on_loss(engine, &record->loss);
		break;
	case SW_NAME:
		terms_learn(engine->terms, &record->name);
		break;
	case SW_CLOCK:
		engine->options.wall_offset_ns = record->clock.offset_ns;
		break;
	}
}

int engine_feed(struct engine *engine, const void *data, size_t size)
{
	union decode_record record;
	int err = decode(data, size, &record);

	if (err)
		return err;
	if (record.header.time_ns < engine->now_ns)
		engine->loss.late++;
	engine_advance(engine, record.header.time_ns);
	take(engine, &record);
	report_loss(engine);
	return 0;
}

void engine_finish(struct engine *engine, uint64_t now_ns)
{
	struct report report = {};
	struct handshake *handshake;

	engine_advance(engine, now_ns);
	if (now_ns < engine->newest_ns)
		now_ns = engine->newest_ns;
	if (now_ns < engine->options.start_ns)
		now_ns = engine->options.start_ns;
	catch_up(engine, now_ns); /* no grace: nothing comes any more */
	while ((handshake = tracker_first(engine->tracker))) {
		if (handshake->stalled && !handshake->ended) {
			struct report_handshake last;

			handshake_describe(&handshake->facts, now_ns, false, &last);
			evidence_tell_drop(&handshake->facts, engine->terms, &last);
			verdict_stalled(&handshake->facts, &last);
			stats_handshake(engine->stats, &last);
			patterns_handshake(engine->patterns, &handshake->mark, &last, false,
					   now_ns);
		}
		tracker_remove(engine->tracker, handshake);
	}
	report_loss(engine);
	stats_summarize(engine->stats, &report.summary);
	report.summary.pattern_count =
		patterns_summarize(engine->patterns, report.summary.patterns, REPORT_PATTERN_MAX);
	report.summary.patterns_untold = patterns_untold(engine->patterns);
	report.summary.duration_ns = now_ns - engine->options.start_ns;
	emit(engine, &report, REPORT_SUMMARY, now_ns);
}
