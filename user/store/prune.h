/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The bounds of a capture. What is oldest goes first, and a handshake goes with all of
 * its records or not at all; one that is under way goes only when nothing else is left.
 * Names stay as long as their session has anything that might need them.
 */
#ifndef SYNWATCH_STORE_PRUNE_H
#define SYNWATCH_STORE_PRUNE_H

#include <stdbool.h>
#include <stdint.h>

#include <sqlite3.h>

#include "store/active.h"

struct prune;

/* session is the one that is being recorded. The rest stays the caller's. */
int prune_new(sqlite3 *db, struct actives *actives, int64_t session, struct prune **ret_prune);

/* Returns NULL; NULL is fine. To be called before db is closed. */
struct prune *prune_free(struct prune *prune);

/*
 * Within a transaction, each: 0 or a negative errno.
 *
 * Deletes until `needed` pages are free for use below the limit of max_pages, but no
 * more than `most` pages' worth; a file that is larger than max_pages shrinks by at most
 * that much.
 */
int prune_to_size(struct prune *prune, int64_t max_pages, int64_t needed, int64_t most);

/* Deletes what is older: the newest record of a handshake decides. Wall time. After
 * `most` pages it leaves the rest for the next call: *ret_more. */
int prune_to_age(struct prune *prune, int64_t oldest_ns, int64_t most, bool *ret_more);

#endif /* SYNWATCH_STORE_PRUNE_H */
