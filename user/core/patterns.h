/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What many handshakes share: counted by place while the reports go by. A place
 * is a remote address and port for a client, a local one for a server, each
 * with the network namespace it is seen from.
 *
 * Without --all the kernel only counts the healthy handshakes, for all places
 * together. A pattern then speaks of those in trouble and not of all.
 */
#ifndef SYNWATCH_CORE_PATTERNS_H
#define SYNWATCH_CORE_PATTERNS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/report.h"

struct patterns;
struct patterns_place;

/* What a handshake counts as while it hangs: kept with it, zeroed at first. */
struct patterns_mark {
	struct patterns_place *place; /* NULL: nothing */
	enum cause cause;
	bool untold; /* it had no place, and that has been counted */
};

/* all: healthy handshakes will be reported, too. NULL when out of memory. */
struct patterns *patterns_new(bool all);

/* Returns NULL; NULL is fine. */
struct patterns *patterns_free(struct patterns *patterns);

/*
 * A handshake as it is now, VERDICT_STALLED or ended; what was said of it before
 * is taken back. healthy: not in trouble, whatever its verdict: established, or
 * the loser of a race that has been won, which says nothing of its remote.
 */
void patterns_handshake(struct patterns *patterns, struct patterns_mark *mark,
			const struct report_handshake *handshake, bool healthy, uint64_t time_ns);

/* Records of handshakes were lost: from now on nobody knows of all. */
void patterns_lost(struct patterns *patterns);

/* Whether the last handshake made a pattern worth telling: a new one, or one
 * whose count has doubled since it was told and that was 30 s ago at least. */
bool patterns_news(struct patterns *patterns, struct report_pattern *ret_pattern);

/* The patterns with the highest counts, at most max, equals in the order of
 * their address, port, namespace and role. Returns how many. */
unsigned int patterns_summarize(const struct patterns *patterns,
				struct report_pattern *ret_patterns, unsigned int max);

/* Handshakes that were left out because there are too many places. */
uint64_t patterns_untold(const struct patterns *patterns);

#endif /* SYNWATCH_CORE_PATTERNS_H */
