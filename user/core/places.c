/* SPDX-License-Identifier: GPL-2.0-only */
#include "core/places.h"

#include <stdlib.h>
#include <string.h>

#define NSEC_PER_SEC 1000000000ULL

/* Places told apart. Those without any trouble may take half of it: nothing is
 * said about them, they are neighbours. */
#define PLACES_MAX	   2048
#define HEALTHY_PLACES_MAX (PLACES_MAX / 2)

/* UNKNOWN is none: what became of it nobody saw. */
static const enum outcome outcomes[VERDICT_COUNT] = {
	[VERDICT_STALLED] = OUTCOME_HUNG,	[VERDICT_ESTABLISHED] = OUTCOME_LATE,
	[VERDICT_REFUSED] = OUTCOME_REFUSED,	[VERDICT_REJECTED] = OUTCOME_REJECTED,
	[VERDICT_TIMED_OUT] = OUTCOME_HUNG,	[VERDICT_ABANDONED] = OUTCOME_HUNG,
	[VERDICT_LOCAL_ERROR] = OUTCOME_FAILED, [VERDICT_ABORTED] = OUTCOME_HUNG,
	[VERDICT_IGNORED] = OUTCOME_HUNG,	[VERDICT_UNKNOWN] = OUTCOME_COUNT,
};

void places_clear(struct places *places)
{
	struct patterns_place *place, *next_place;
	struct places_subnet *subnet, *next_subnet;

	HASH_ITER (hh, places->table, place, next_place) {
		HASH_DEL(places->table, place);
		cells_clear(&place->tally.counts);
		free(place);
	}
	HASH_ITER (hh, places->subnets, subnet, next_subnet) {
		HASH_DEL(places->subnets, subnet);
		cells_clear(&subnet->tally.counts);
		cells_clear(&subnet->with);
		free(subnet);
	}
}

static struct places_key key_of(const struct report_handshake *handshake)
{
	const struct sw_tuple *tuple = &handshake->tuple;
	bool client = handshake->role == ROLE_CLIENT;
	struct places_key key = {
		.port = client ? tuple->rport : tuple->lport,
		.netns = tuple->netns,
		.role = handshake->role,
	};

	memcpy(key.addr, client ? tuple->raddr : tuple->laddr, sizeof(key.addr));
	return key;
}

static struct places_subnet *find_subnet(const struct places *places, const struct places_key *key)
{
	struct places_subnet *subnet;

	HASH_FIND(hh, places->subnets, key, sizeof(*key), subnet);
	return subnet;
}

static struct places_subnet *join_subnet(struct places *places, struct places_key key)
{
	unsigned int kept = pattern_text_prefix((uint8_t *)key.addr) == 24 ? 15 : 8;
	struct places_subnet *subnet;

	memset((uint8_t *)key.addr + kept, 0, sizeof(key.addr) - kept);
	subnet = find_subnet(places, &key);
	if (!subnet) {
		subnet = calloc(1, sizeof(*subnet));
		if (!subnet)
			return NULL;
		subnet->key = key;
		HASH_ADD(hh, places->subnets, key, sizeof(subnet->key), subnet);
	}
	subnet->remotes++;
	return subnet;
}

static struct patterns_place *add_place(struct places *places, const struct places_key *key)
{
	struct patterns_place *place = calloc(1, sizeof(*place));

	if (!place)
		return NULL;
	place->key = *key;
	place->partial = places->untold;
	if (key->role == ROLE_CLIENT) {
		place->subnet = join_subnet(places, *key);
		if (!place->subnet) {
			free(place);
			return NULL;
		}
	}
	HASH_ADD(hh, places->table, key, sizeof(place->key), place);
	return place;
}

/* NULL where there is no room. */
static struct patterns_place *find_place(struct places *places,
					 const struct report_handshake *handshake, bool healthy)
{
	struct places_key key = key_of(handshake);
	struct patterns_place *place;

	HASH_FIND(hh, places->table, &key, sizeof(key), place);
	if (place || HASH_COUNT(places->table) >= (healthy ? HEALTHY_PLACES_MAX : PLACES_MAX))
		return place;
	return add_place(places, &key);
}

/* --- counting --- */

uint64_t places_count(const struct places_tally *tally, enum outcome outcome, enum cause cause)
{
	uint64_t count = 0;

	for (unsigned int i = 0; i < tally->counts.count; i++) {
		const struct cell *cell = &tally->counts.cells[i];

		if (outcomes[cell->row] == outcome && cell->column == cause)
			count += cell->count;
	}
	return count;
}

/* sign: 1 or -1. */
static void tally_add(struct patterns_place *place, enum verdict verdict, enum cause cause,
		      int sign)
{
	enum outcome outcome = outcomes[verdict];
	struct places_subnet *subnet = place->subnet;
	bool had = places_count(&place->tally, outcome, cause);

	place->tally.known += sign;
	(void)cells_add(&place->tally.counts, verdict, cause, sign);
	if (!subnet)
		return;
	subnet->tally.known += sign;
	(void)cells_add(&subnet->tally.counts, verdict, cause, sign);
	if (outcome < OUTCOME_COUNT && had != !!places_count(&place->tally, outcome, cause))
		(void)cells_add(&subnet->with, outcome, cause, sign);
}

static void count_healthy(struct patterns_place *place)
{
	place->tally.known++;
	place->tally.healthy++;
	if (!place->subnet)
		return;
	place->subnet->tally.known++;
	place->subnet->tally.healthy++;
}

/*
 * Whether the elapsed time is that of the last SYN: retry number `retries` with
 * any tcp_syn_linear_timeouts: 1, 3, 7 ... without, 1, 2, 3, 4, 5, 7, 11 ... with
 * four. Timers run up to an eighth late (the timer wheel), and the answer takes
 * its way. An answer at another time was one to an earlier SYN: a slow path.
 */
static bool is_on_schedule(int64_t elapsed_ns, int64_t retries)
{
	for (int64_t linear = 0; linear <= retries && retries < 16; linear++) {
		int64_t at = retries;

		if (retries > linear + 1)
			at = linear + (1LL << (retries - linear)) - 1;
		at *= NSEC_PER_SEC;
		if (elapsed_ns >= at && elapsed_ns <= at + at / 8)
			return true;
	}
	return false;
}

static void count_late(struct places_late *late, const struct report_handshake *handshake,
		       uint64_t time_ns)
{
	int64_t syns = handshake->syn_sent;

	if (handshake->role != ROLE_CLIENT || handshake->cause != CAUSE_NO_ANSWER || syns < 2 ||
	    handshake->syn_unsent > 0 || !is_on_schedule(handshake->elapsed_ns, syns - 1))
		return;
	if (!late->count || syns < late->syn_first)
		late->syn_first = syns;
	if (syns > late->syn_last)
		late->syn_last = syns;
	late->count++;
	late->second += handshake->ecn && syns == 2;
	if (time_ns - (uint64_t)handshake->elapsed_ns < late->answered_ns)
		return;
	late->turns++;
	late->answered_ns = time_ns;
}

/* Got through, and in no trouble: slow at most. */
static bool is_fine(const struct report_handshake *handshake, bool healthy)
{
	return handshake->verdict == VERDICT_ESTABLISHED &&
	       (healthy || handshake->cause == CAUSE_NONE);
}

/* Neither got through nor met trouble: lost a race, was closed before its SYN;
 * or nobody knows to whom it was. */
static bool is_mute(const struct report_handshake *handshake, bool healthy)
{
	return !handshake->tuple.family || (handshake->verdict != VERDICT_ESTABLISHED &&
					    (healthy || handshake->cause == CAUSE_NONE));
}

struct patterns_place *places_handshake(struct places *places, struct patterns_mark *mark,
					const struct report_handshake *handshake, bool healthy,
					uint64_t time_ns)
{
	bool fine = is_fine(handshake, healthy);
	struct patterns_place *place;

	if (mark->place)
		tally_add(mark->place, VERDICT_STALLED, mark->cause, -1);
	mark->place = NULL;
	if (is_mute(handshake, healthy))
		return NULL;
	place = find_place(places, handshake, fine);
	if (!place) {
		places->untold += !mark->untold;
		mark->untold = true;
		return NULL;
	}
	if (fine) {
		count_healthy(place);
		return NULL;
	}
	tally_add(place, handshake->verdict, handshake->cause, 1);
	if (handshake->verdict == VERDICT_ESTABLISHED)
		count_late(&place->late, handshake, time_ns);
	if (handshake->verdict == VERDICT_STALLED)
		*mark = (struct patterns_mark){.place = place, .cause = handshake->cause};
	return place;
}

bool places_are_alike(const struct places_tally *tally, uint64_t count_min,
		      enum outcome *ret_outcome, enum cause *ret_cause)
{
	for (unsigned int i = 0; i < tally->counts.count; i++) {
		const struct cell *cell = &tally->counts.cells[i];
		enum outcome outcome = outcomes[cell->row];
		uint64_t count;

		if (outcome == OUTCOME_COUNT)
			continue;
		count = places_count(tally, outcome, cell->column);
		if (count < count_min || count < PLACES_SHARE_MIN(tally->known))
			continue;
		*ret_outcome = outcome;
		*ret_cause = cell->column;
		return true;
	}
	return false;
}

enum verdict places_verdict(const struct places_tally *tally, enum outcome outcome,
			    enum cause cause)
{
	uint64_t all = places_count(tally, outcome, cause);

	for (int i = 0; i < VERDICT_COUNT; i++)
		if (outcomes[i] == outcome && cells_get(&tally->counts, i, cause) == all)
			return (enum verdict)i;
	return VERDICT_COUNT;
}

uint64_t places_through(const struct places_tally *tally)
{
	uint64_t count = tally->healthy;

	for (unsigned int i = 0; i < tally->counts.count; i++)
		if (tally->counts.cells[i].row == VERDICT_ESTABLISHED)
			count += tally->counts.cells[i].count;
	return count;
}
