/* SPDX-License-Identifier: GPL-2.0-only */
/* All handshakes that have begun and not ended, and their deadlines. */
#ifndef SYNWATCH_CORE_TRACKER_H
#define SYNWATCH_CORE_TRACKER_H

#include <stddef.h>
#include <stdint.h>

#include "core/handshake.h"

struct tracker;

/* Holds at most capacity handshakes. NULL when out of memory. */
struct tracker *tracker_new(size_t capacity);

/* Returns NULL; NULL is fine. */
struct tracker *tracker_free(struct tracker *tracker);

size_t tracker_count(const struct tracker *tracker);

/* NULL if there is none. */
struct handshake *tracker_find(const struct tracker *tracker, const struct handshake_key *key);

/* A new one, zeroed but for its key, which must not be there yet. NULL when
 * the tracker is full or out of memory. */
struct handshake *tracker_add(struct tracker *tracker, const struct handshake_key *key);

/* Ends and frees it. */
void tracker_remove(struct tracker *tracker, struct handshake *handshake);

/* Replaces its deadline; DEADLINE_NONE takes it away. */
void tracker_schedule(struct tracker *tracker, struct handshake *handshake,
		      enum handshake_deadline deadline, uint64_t deadline_ns);

/* The one with the earliest deadline if that is at or before now_ns, else NULL.
 * Equal deadlines come in the order of their keys, so that a replay repeats. */
struct handshake *tracker_due(const struct tracker *tracker, uint64_t now_ns);

/* Any one, to go through all of them while they are removed; NULL when empty.
 * The oldest added comes first. */
struct handshake *tracker_first(const struct tracker *tracker);

#endif /* SYNWATCH_CORE_TRACKER_H */
