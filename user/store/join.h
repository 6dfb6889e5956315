/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Several hosts' captures, joined: every client handshake with what its peer's capture has
 * of it. SQLite does the joining, in a temporary database on disk, so that memory stays
 * bounded however much was recorded.
 */
#ifndef SYNWATCH_STORE_JOIN_H
#define SYNWATCH_STORE_JOIN_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/filter.h"
#include "core/join.h"
#include "core/report.h"
#include "core/session.h"
#include "core/stats.h"

/* SQLite's temporary files go where it says, see sqlite3_temp_directory. */
struct join_options {
	const char *const *paths;
	unsigned int path_count;     /* 1 at least */
	const struct filter *filter; /* of the clients' handshakes, as their host saw them */
	int64_t since_ns;	     /* likewise; nanoseconds since the epoch on their clock */
	int64_t until_ns;
	uint64_t stall_after_ns; /* 0: as each was recorded */
	bool all;		 /* every client handshake, healthy ones too */
	struct stats *stats;	 /* gets what was counted and lost, in all captures */
};

/* Called in order: sessions, clocks, then handshakes; valid during the call. Those that
 * return an int stop the join with anything but 0, which join_run() returns. */
struct join_events {
	void *ctx;
	int (*session)(void *ctx, const struct session *session);
	int (*report)(void *ctx, const struct report *report);
	/* Now and then; total 0: not known. */
	void (*progress)(void *ctx, const char *what, uint64_t done, uint64_t total);
};

struct joined {
	struct join_tally tally;
	uint64_t first_wall_ns; /* of the sessions that have client handshakes */
	uint64_t last_wall_ns;
};

/*
 * Returns 0, what an event returned, or a negative errno after one sentence in the log.
 */
int join_run(const struct join_options *options, const struct join_events *events,
	     struct joined *ret_joined);

#endif /* SYNWATCH_STORE_JOIN_H */
