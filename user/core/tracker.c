/* SPDX-License-Identifier: GPL-2.0-only */
#include "core/tracker.h"

#include <stdbool.h>
#include <stdlib.h>

#include <uthash.h>

/* Not in the heap. */
#define NOWHERE SIZE_MAX

struct tracker {
	struct handshake *table; /* uthash, in the order of addition */
	/* A binary heap by deadline: heap[0] is due first. */
	struct handshake **heap;
	size_t heap_count;
	size_t heap_room;
	size_t capacity;
};

struct tracker *tracker_new(size_t capacity)
{
	struct tracker *tracker = calloc(1, sizeof(*tracker));

	if (tracker)
		tracker->capacity = capacity;
	return tracker;
}

struct tracker *tracker_free(struct tracker *tracker)
{
	struct handshake *handshake;

	if (!tracker)
		return NULL;
	while ((handshake = tracker_first(tracker)))
		tracker_remove(tracker, handshake);
	free(tracker->heap);
	free(tracker);
	return NULL;
}

size_t tracker_count(const struct tracker *tracker)
{
	return HASH_COUNT(tracker->table);
}

struct handshake *tracker_find(const struct tracker *tracker, const struct handshake_key *key)
{
	struct handshake *handshake;

	HASH_FIND(hh, tracker->table, key, sizeof(*key), handshake);
	return handshake;
}

struct handshake *tracker_first(const struct tracker *tracker)
{
	return tracker->table;
}

/* Room for one more in the heap as well, so that scheduling cannot fail. */
static bool reserve(struct tracker *tracker)
{
	size_t needed = HASH_COUNT(tracker->table) + 1;
	size_t room = tracker->heap_room ? tracker->heap_room * 2 : 64;
	struct handshake **heap;

	if (needed <= tracker->heap_room)
		return true;
	heap = reallocarray(tracker->heap, room, sizeof(*heap));
	if (!heap)
		return false;
	tracker->heap = heap;
	tracker->heap_room = room;
	return true;
}

struct handshake *tracker_add(struct tracker *tracker, const struct handshake_key *key)
{
	struct handshake *handshake;

	if (HASH_COUNT(tracker->table) >= tracker->capacity || !reserve(tracker))
		return NULL;
	handshake = calloc(1, sizeof(*handshake));
	if (!handshake)
		return NULL;
	handshake->key = *key;
	handshake->heap_index = NOWHERE;
	HASH_ADD(hh, tracker->table, key, sizeof(handshake->key), handshake);
	return handshake;
}

/* By number: memcmp() would follow the byte order of the machine. */
static bool is_before(const struct handshake *a, const struct handshake *b)
{
	if (a->deadline_ns != b->deadline_ns)
		return a->deadline_ns < b->deadline_ns;
	if (a->key.cookie != b->key.cookie)
		return a->key.cookie < b->key.cookie;
	if (a->key.start_ns != b->key.start_ns)
		return a->key.start_ns < b->key.start_ns;
	return a->key.role < b->key.role;
}

static void place(struct tracker *tracker, size_t index, struct handshake *handshake)
{
	tracker->heap[index] = handshake;
	handshake->heap_index = index;
}

/* Moves a handshake from an index whose place is free to where it belongs. */
static void settle(struct tracker *tracker, size_t index, struct handshake *handshake)
{
	struct handshake **heap = tracker->heap;

	while (index && is_before(handshake, heap[(index - 1) / 2])) {
		place(tracker, index, heap[(index - 1) / 2]);
		index = (index - 1) / 2;
	}
	for (size_t child; (child = 2 * index + 1) < tracker->heap_count; index = child) {
		if (child + 1 < tracker->heap_count && is_before(heap[child + 1], heap[child]))
			child++;
		if (!is_before(heap[child], handshake))
			break;
		place(tracker, index, heap[child]);
	}
	place(tracker, index, handshake);
}

static void unschedule(struct tracker *tracker, struct handshake *handshake)
{
	size_t index = handshake->heap_index;
	struct handshake *last;

	if (index == NOWHERE)
		return;
	handshake->heap_index = NOWHERE;
	last = tracker->heap[--tracker->heap_count];
	if (last != handshake)
		settle(tracker, index, last);
}

void tracker_schedule(struct tracker *tracker, struct handshake *handshake,
		      enum handshake_deadline deadline, uint64_t deadline_ns)
{
	unschedule(tracker, handshake);
	handshake->deadline = deadline;
	handshake->deadline_ns = deadline_ns;
	if (deadline != DEADLINE_NONE)
		settle(tracker, tracker->heap_count++, handshake);
}

struct handshake *tracker_due(const struct tracker *tracker, uint64_t now_ns)
{
	if (!tracker->heap_count || tracker->heap[0]->deadline_ns > now_ns)
		return NULL;
	return tracker->heap[0];
}

void tracker_remove(struct tracker *tracker, struct handshake *handshake)
{
	unschedule(tracker, handshake);
	HASH_DEL(tracker->table, handshake);
	free(handshake);
}
