/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The handshakes of this session that more records may come about, and the rows they
 * have in the capture. Sparing a look-up in the file for each record is one half of it;
 * the other is to know which rows may go: not those of what is still under way.
 */
#ifndef SYNWATCH_STORE_ACTIVE_H
#define SYNWATCH_STORE_ACTIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uthash.h>

#include "core/handshake.h"

struct active {
	struct handshake_key key;
	int64_t id;	     /* its row; the seq of its first record */
	uint64_t touched_ns; /* its newest record */
	bool stored;	     /* the row exists */
	bool ended;	     /* its newest record is its end */
	uint64_t dropped;    /* the transaction in which its rows had to go; what is still to
			      * come goes with them. 0: none */
	/* During a transaction: what the row does not say yet. */
	bool changed;
	unsigned int records;
	const struct sw_handshake *newest; /* the caller's */
	struct active *changed_next;
	/* active.c's: the order of touched_ns among those that have ended, and the others. */
	struct active *prev, *next;
	UT_hash_handle by_key, by_id;
};

struct actives;

/* Holds at most capacity. NULL when out of memory. */
struct actives *actives_new(size_t capacity);

/* Returns NULL; NULL is fine. */
struct actives *actives_free(struct actives *actives);

/* NULL if there is none. */
struct active *actives_find(const struct actives *actives, const struct handshake_key *key);
struct active *actives_find_row(const struct actives *actives, int64_t id);

/* A new one, of which nothing is stored. NULL when out of memory; if all places are
 * taken the one that has been silent for longest gives way. */
struct active *actives_add(struct actives *actives, const struct handshake_key *key, int64_t id,
			   uint64_t time_ns);

/* A record about it came; ended: its end. */
void actives_touch(struct actives *actives, struct active *active, uint64_t time_ns, bool ended);

/* Forgets those about which no record can come any more. */
void actives_expire(struct actives *actives, uint64_t now_ns);

void actives_drop(struct actives *actives, struct active *active);

/* The transaction has succeeded; has failed: what it changed is forgotten, what it
 * dropped is there. */
void actives_commit(struct actives *actives);
void actives_undo(struct actives *actives);

/* How many have not ended. */
size_t actives_under_way(const struct actives *actives);

#endif /* SYNWATCH_STORE_ACTIVE_H */
