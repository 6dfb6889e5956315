/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Records in, reports out. Pure: no I/O, no clock; time is what the records
 * and the caller say it is, so a live run and its replay say the same.
 *
 * Order: records are taken as they come. The engine's own time runs behind the
 * newest record by a grace; a deadline that passes in that time is reported as
 * of the deadline, and a record from before it is counted as late.
 */
#ifndef SYNWATCH_CORE_ENGINE_H
#define SYNWATCH_CORE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/report.h"

struct engine;

struct engine_options {
	uint64_t stall_after_ns; /* 0: first retransmission, or 1 s */
	bool all;		 /* report healthy handshakes, and starts */
	size_t capacity;	 /* handshakes under way, at most; 0: a default */
	uint64_t start_ns;	 /* when the watch began */
	int64_t wall_offset_ns;	 /* then; SW_CLOCK records change it */
};

/* Called for each report, in order. The report is valid during the call. */
typedef void (*engine_report_fn)(void *ctx, const struct report *report);

/* NULL when out of memory. */
struct engine *engine_new(const struct engine_options *options, engine_report_fn report, void *ctx);

/* Returns NULL; NULL is fine. */
struct engine *engine_free(struct engine *engine);

/*
 * One raw record, not trusted. Returns 0, or a negative errno of decode() for
 * a record that was left out.
 */
int engine_feed(struct engine *engine, const void *data, size_t size);

/* No record older than now_ns will come. */
void engine_advance(struct engine *engine, uint64_t now_ns);

/* The watch ends: what is still stalled is counted, the summary reported. */
void engine_finish(struct engine *engine, uint64_t now_ns);

#endif /* SYNWATCH_CORE_ENGINE_H */
