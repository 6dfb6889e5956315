/* SPDX-License-Identifier: GPL-2.0-only */
#include "core/engine.h"

#include <stdlib.h>

#include "core/decode.h"
#include "core/handshake.h"
#include "core/refusal.h"
#include "core/resets.h"
#include "core/server.h"
#include "core/teller.h"
#include "core/tracker.h"

/* How far the engine's time runs behind: records of different CPUs are a few
 * microseconds out of order, a preempted program's some milliseconds. */
#define GRACE_NS 20000000ULL

/* Twice what the kernel side's map holds, for those whose end got lost. */
#define CAPACITY_DEFAULT 131072

/*
 * That a request was given up is noticed by the sweep at best, some time after;
 * otherwise its timer's expiry is predicted. That is only believed when nothing
 * contradicts it for this long.
 */
#define EXPIRY_SLACK_NS 1500000000ULL

/* Gone so much before its timer should have run out, it was another's doing. */
#define EXPIRY_EARLY_NS 500000000ULL

struct engine {
	struct engine_options options;
	struct teller teller;
	struct tracker *tracker;
	struct resets resets;
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
	engine->tracker = tracker_new(options->capacity ? options->capacity : CAPACITY_DEFAULT);
	if (!teller_open(&engine->teller, options, report, ctx) || !engine->tracker)
		return engine_free(engine);
	return engine;
}

struct engine *engine_free(struct engine *engine)
{
	if (!engine)
		return NULL;
	tracker_free(engine->tracker);
	teller_close(&engine->teller);
	free(engine);
	return NULL;
}

/* The tracker keeps it for a while, lest a record that was overtaken by the end
 * begin it anew. */
static void end(struct engine *engine, struct handshake *handshake, uint64_t time_ns,
		enum teller_end how)
{
	time_ns = teller_end(&engine->teller, handshake, time_ns, how);
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
		teller_stall(&engine->teller, handshake, time_ns);
		schedule(engine, handshake);
		break;
	case DEADLINE_EXPIRY:
		end(engine, handshake, handshake->give_up_ns, TELLER_EXPIRED);
		break;
	case DEADLINE_JUDGE:
		handshake->past.reset_seen =
			resets_has(&engine->resets, &handshake->facts, GRACE_NS);
		end(engine, handshake, time_ns, TELLER_RECORD);
		break;
	case DEADLINE_FORGET:
		tracker_remove(engine->tracker, handshake);
		break;
	default:
		end(engine, handshake, time_ns, TELLER_LOST);
		break;
	}
}

static void catch_up(struct engine *engine, uint64_t now_ns)
{
	struct handshake *due;

	if (now_ns <= engine->now_ns)
		return;
	/* To each deadline in turn, so that it does not matter how far this goes. */
	while ((due = tracker_due(engine->tracker, now_ns))) {
		if (due->deadline_ns > engine->now_ns)
			engine->now_ns = due->deadline_ns;
		meet_deadline(engine, due);
	}
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
	switch (facts->header.kind) {
	case SW_CLOSE:
	case SW_LOCAL_ERROR:
	case SW_ACCEPTED:
	case SW_REQUEST_GONE:
	case SW_SYN_DROP:
		return true;
	default:
		return false;
	}
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
static void keep_addresses(struct sw_handshake *facts, const struct sw_handshake *before)
{
	if (!before->tuple.rport)
		return;
	facts->tuple = before->tuple;
	if (before->flags & SW_F_ISN) {
		facts->flags |= SW_F_ISN;
		facts->isn = before->isn;
	}
}

/* What happened to its SYN-ACKs and its ACK stays true; and when it is a request no
 * more it cannot be asked, so that its listener is as it was last seen. */
static void keep_request(struct sw_handshake *facts, const struct sw_handshake *before)
{
	facts->flags |= before->flags & SW_F_ACKED;
	if (!(facts->flags & SW_F_DROP)) {
		facts->flags |= before->flags & SW_F_DROP;
		facts->drop = before->drop;
	}
	if (!is_end(facts))
		return;
	if (!(facts->flags & SW_F_LISTENER)) {
		facts->flags |= before->flags & (SW_F_LISTENER | SW_F_COOKIES);
		facts->listener = before->listener;
	}
	if (!(facts->flags & SW_F_OWNER)) {
		facts->flags |= before->flags & SW_F_OWNER;
		facts->owner = before->owner;
		facts->owners = before->owners;
	}
}

static void renew(struct handshake *handshake, const struct sw_handshake *facts)
{
	const struct sw_handshake before = handshake->facts;

	handshake->facts = *facts;
	if (facts->flags & SW_F_MISSED)
		keep_addresses(&handshake->facts, &before);
	if (handshake->key.role == ROLE_SERVER)
		keep_request(&handshake->facts, &before);
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
	teller_start(&engine->teller, handshake);
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
		teller_stall(&engine->teller, handshake, now);
	else if (!handshake->stalled && stall_ns <= now)
		teller_stall(&engine->teller, handshake, stall_ns);
	schedule(engine, handshake);
}

/* --- records of clients that ended --- */

/* Whether it had stalled by the time of its end, as the end itself tells: the
 * records that would have said so before may be lost. */
static bool has_stalled(const struct engine *engine, const struct sw_handshake *facts)
{
	if (!facts->syn_ns || facts->flags & SW_F_COUNTED)
		return false;
	return stall_deadline(engine, facts) <= facts->header.time_ns;
}

static void on_close(struct engine *engine, const struct sw_handshake *facts)
{
	struct handshake *handshake = find_or_begin(engine, facts);

	resets_note(&engine->resets, facts);
	if (!handshake)
		return;
	if (has_stalled(engine, facts))
		handshake->stalled = true;
	end(engine, handshake, facts->header.time_ns, TELLER_RECORD);
}

/* --- records of servers --- */

/* Worth another line: a retry of the timer's, or another cause. */
static bool is_news(const struct handshake *handshake)
{
	return !handshake->stalled ||
	       handshake->facts.timer.retransmits > handshake->told_retransmits ||
	       server_cause(&handshake->facts) != handshake->past.cause;
}

/*
 * A request whose SYN-ACK goes out again, or does not get out. Answers to
 * repeated SYNs alone are no trouble yet; if then its timer's own retry does not
 * come either, it was told of as part of a crowd, or its record was lost.
 */
static void on_synack(struct engine *engine, const struct sw_handshake *facts)
{
	struct handshake *handshake = find_or_begin(engine, facts);

	if (!handshake)
		return;
	handshake->give_up_ns = handshake_give_up_ns(&handshake->facts);
	if (server_is_trouble(&handshake->facts, engine->options.stall_after_ns) &&
	    is_news(handshake))
		teller_stall(&engine->teller, handshake, facts->header.time_ns);
	if (handshake->stalled || handshake->facts.flags & SW_F_ACKED)
		tracker_schedule(engine->tracker, handshake, DEADLINE_EXPIRY,
				 handshake->give_up_ns + EXPIRY_SLACK_NS);
	else
		tracker_schedule(engine->tracker, handshake, DEADLINE_LOST,
				 handshake_overdue_ns(facts));
}

static void on_accepted(struct engine *engine, const struct sw_handshake *facts)
{
	struct handshake *handshake = find_or_begin(engine, facts);

	if (!handshake)
		return;
	if (!handshake->stalled &&
	    server_is_trouble(&handshake->facts, engine->options.stall_after_ns)) {
		handshake->stalled = true;
		handshake->past.cause = server_cause(&handshake->facts);
	}
	end(engine, handshake, facts->header.time_ns, TELLER_RECORD);
}

/* It is known only from the sweep on that it is gone, but when its timer ran out
 * can be told. */
static void on_gone(struct engine *engine, const struct sw_handshake *facts)
{
	struct handshake *handshake = find_or_begin(engine, facts);
	uint64_t time_ns = facts->header.time_ns;

	if (!handshake)
		return;
	if (handshake->give_up_ns)
		handshake->past.given_up = handshake->give_up_ns <= time_ns + EXPIRY_EARLY_NS;
	else
		handshake->past.given_up = facts->timer.retransmits >= facts->timer.retries;
	if (handshake->past.given_up && !(facts->flags & (SW_F_RESET | SW_F_LISTENER_CLOSED)) &&
	    handshake->give_up_ns && handshake->give_up_ns < time_ns)
		time_ns = handshake->give_up_ns;
	end(engine, handshake, time_ns, TELLER_RECORD);
}

/* A rule that answers with a RST shows only in its client: wait for it. */
static void on_syn_drop(struct engine *engine, const struct sw_handshake *facts)
{
	struct handshake *handshake = find_or_begin(engine, facts);
	const char *reason = terms_find(engine->teller.terms, SW_NAME_REASON, facts->drop.reason);

	if (!handshake)
		return;
	if (refusal_is_open(facts, reason))
		tracker_schedule(engine->tracker, handshake, DEADLINE_JUDGE, facts->header.time_ns);
	else
		end(engine, handshake, facts->header.time_ns, TELLER_RECORD);
}

/* --- the other records --- */

static void on_loss(struct engine *engine, const struct sw_loss *loss)
{
	engine->loss.ring += loss->ring;
	engine->loss.map_full += loss->map_full;
	engine->loss.suppressed += loss->suppressed;
	engine->loss.missed += loss->missed;
}

static void tell_loss(struct engine *engine)
{
	teller_loss(&engine->teller, &engine->loss, engine->newest_ns);
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
		on_close(engine, &record->handshake);
		break;
	case SW_SYNACK_RETRY:
	case SW_SYNACK_DROP:
		on_synack(engine, &record->handshake);
		break;
	case SW_ACCEPTED:
		on_accepted(engine, &record->handshake);
		break;
	case SW_REQUEST_GONE:
		on_gone(engine, &record->handshake);
		break;
	case SW_SYN_DROP:
		on_syn_drop(engine, &record->handshake);
		break;
	case SW_CROWD:
		teller_crowd(&engine->teller, &record->crowd);
		break;
	case SW_COUNTS:
		teller_counts(&engine->teller, &record->counts);
		break;
	case SW_LOSS:
		on_loss(engine, &record->loss);
		break;
	case SW_NAME:
		terms_learn(engine->teller.terms, &record->name);
		break;
	case SW_CLOCK:
		engine->teller.wall_offset_ns = record->clock.offset_ns;
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
	tell_loss(engine);
	return 0;
}

void engine_finish(struct engine *engine, uint64_t now_ns)
{
	struct handshake *handshake;

	engine_advance(engine, now_ns);
	if (now_ns < engine->newest_ns)
		now_ns = engine->newest_ns;
	if (now_ns < engine->options.start_ns)
		now_ns = engine->options.start_ns;
	catch_up(engine, now_ns); /* no grace: nothing comes any more */
	while ((handshake = tracker_first(engine->tracker))) {
		teller_unfinished(&engine->teller, handshake, now_ns);
		tracker_remove(engine->tracker, handshake);
	}
	tell_loss(engine);
	teller_summary(&engine->teller, engine->options.start_ns, now_ns);
}
