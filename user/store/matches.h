/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A filter on whole handshakes. The kernel side decides once, and later records follow:
 * also the end of a socket that has lost its addresses by then. So does this.
 */
#ifndef SYNWATCH_STORE_MATCHES_H
#define SYNWATCH_STORE_MATCHES_H

#include <stdbool.h>

#include "cli/filter.h"
#include "synwatch/record.h"

struct matches;

/* NULL when out of memory. */
struct matches *matches_new(void);

/* Returns NULL; NULL is fine. */
struct matches *matches_free(struct matches *matches);

/* Whether the record's handshake is one that the filter selects. */
bool matches_filter(struct matches *matches, const struct filter *filter,
		    const struct sw_handshake *record);

#endif /* SYNWATCH_STORE_MATCHES_H */
