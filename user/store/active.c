/* SPDX-License-Identifier: GPL-2.0-only */
#include "store/active.h"

#include <stdlib.h>

#include <utlist.h>

#define NSEC_PER_SEC 1000000000ULL

/* The end of a handshake may overtake its last records, by milliseconds. */
#define ENDED_NS (2 * NSEC_PER_SEC)

/* No retransmission timer runs longer than TCP_RTO_MAX, 120 s: what was silent for
 * longer has ended unseen. */
#define SILENT_NS (300 * NSEC_PER_SEC)

/* Each in the order of its newest record. */
enum queue { UNDER_WAY, ENDED, QUEUES };

struct actives {
	struct active *by_key;
	struct active *by_id;
	struct active *queues[QUEUES];
	size_t counts[QUEUES];
	size_t capacity;
	uint64_t transaction; /* the number of the one under way */
};

struct actives *actives_new(size_t capacity)
{
	struct actives *actives = calloc(1, sizeof(*actives));

	if (!actives)
		return NULL;
	actives->capacity = capacity;
	actives->transaction = 1;
	return actives;
}

static void enqueue(struct actives *actives, struct active *active)
{
	DL_APPEND(actives->queues[active->ended], active);
	actives->counts[active->ended]++;
}

static void dequeue(struct actives *actives, struct active *active)
{
	DL_DELETE(actives->queues[active->ended], active);
	actives->counts[active->ended]--;
}

static void forget(struct actives *actives, struct active *active)
{
	dequeue(actives, active);
	HASH_DELETE(by_key, actives->by_key, active);
	HASH_DELETE(by_id, actives->by_id, active);
	free(active);
}

struct actives *actives_free(struct actives *actives)
{
	if (!actives)
		return NULL;
	for (int queue = 0; queue < QUEUES; queue++)
		while (actives->queues[queue])
			forget(actives, actives->queues[queue]);
	free(actives);
	return NULL;
}

struct active *actives_find(const struct actives *actives, const struct handshake_key *key)
{
	struct active *active;

	HASH_FIND(by_key, actives->by_key, key, sizeof(*key), active);
	return active;
}

struct active *actives_find_row(const struct actives *actives, int64_t id)
{
	struct active *active;

	HASH_FIND(by_id, actives->by_id, &id, sizeof(id), active);
	return active;
}

/* Never one that the transaction under way still has to write. */
static void make_room(struct actives *actives)
{
	for (int queue = ENDED; queue >= UNDER_WAY; queue--) {
		struct active *oldest = actives->queues[queue];

		if (oldest && !oldest->changed) {
			forget(actives, oldest);
			return;
		}
	}
}

struct active *actives_add(struct actives *actives, const struct handshake_key *key, int64_t id,
			   uint64_t time_ns)
{
	struct active *active = calloc(1, sizeof(*active));

	if (!active)
		return NULL;
	if (HASH_CNT(by_key, actives->by_key) >= actives->capacity)
		make_room(actives);
	active->key = *key;
	active->id = id;
	active->touched_ns = time_ns;
	HASH_ADD(by_key, actives->by_key, key, sizeof(active->key), active);
	HASH_ADD(by_id, actives->by_id, id, sizeof(active->id), active);
	enqueue(actives, active);
	return active;
}

void actives_touch(struct actives *actives, struct active *active, uint64_t time_ns, bool ended)
{
	dequeue(actives, active);
	active->ended |= ended;
	if (time_ns > active->touched_ns)
		active->touched_ns = time_ns;
	enqueue(actives, active);
}

void actives_expire(struct actives *actives, uint64_t now_ns)
{
	static const uint64_t kept_ns[QUEUES] = {[UNDER_WAY] = SILENT_NS, [ENDED] = ENDED_NS};

	for (int queue = 0; queue < QUEUES; queue++) {
		struct active *oldest;

		while ((oldest = actives->queues[queue]) && !oldest->changed &&
		       oldest->touched_ns + kept_ns[queue] < now_ns)
			forget(actives, oldest);
	}
}

void actives_drop(struct actives *actives, struct active *active)
{
	if (!active->dropped)
		active->dropped = actives->transaction;
}

void actives_commit(struct actives *actives)
{
	actives->transaction++;
}

void actives_undo(struct actives *actives)
{
	for (int queue = 0; queue < QUEUES; queue++) {
		struct active *active, *next;

		DL_FOREACH_SAFE(actives->queues[queue], active, next)
		{
			if (active->dropped == actives->transaction)
				active->dropped = 0;
			if (active->changed && !active->stored) {
				forget(actives, active);
				continue;
			}
			active->changed = false;
			active->records = 0;
		}
	}
}

size_t actives_under_way(const struct actives *actives)
{
	return actives->counts[UNDER_WAY];
}
