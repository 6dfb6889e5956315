/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the engine says: a report for each thing that became true, judged,
 * counted for the summary and looked at for patterns. When it is said is the
 * engine's to decide.
 */
#ifndef SYNWATCH_CORE_TELLER_H
#define SYNWATCH_CORE_TELLER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/engine.h"
#include "core/handshake.h"
#include "core/terms.h"
#include "synwatch/record.h"

struct teller {
	engine_report_fn report;
	void *ctx;
	bool all;		/* healthy ones, too */
	int64_t wall_offset_ns; /* the caller's to change */
	struct terms *terms;	/* likewise */
	struct stats *stats;
	struct patterns *patterns;
};

/* How it became known that one has ended. */
enum teller_end {
	TELLER_RECORD,	/* by a record of it */
	TELLER_EXPIRED, /* its timer must have run out */
	TELLER_LOST,	/* a record of it must have been lost */
};

/* False when out of memory; to be closed in any case. */
bool teller_open(struct teller *teller, const struct engine_options *options,
		 engine_report_fn report, void *ctx);

/* Safe on a zeroed one. */
void teller_close(struct teller *teller);

/* Once, and only with --all. */
void teller_start(struct teller *teller, struct handshake *handshake);

void teller_stall(struct teller *teller, struct handshake *handshake, uint64_t time_ns);

/* What neither stalled nor failed is only counted, unless all is asked for.
 * Returns the moment that was told: never before one told earlier. */
uint64_t teller_end(struct teller *teller, struct handshake *handshake, uint64_t time_ns,
		    enum teller_end how);

/* Still stalled when the watch ends: only counted. */
void teller_unfinished(struct teller *teller, struct handshake *handshake, uint64_t time_ns);

void teller_crowd(struct teller *teller, const struct sw_crowd *record);

/* Nothing if nothing was lost. */
void teller_loss(struct teller *teller, const struct report_loss *loss, uint64_t time_ns);

void teller_counts(struct teller *teller, const struct sw_counts *counts);

void teller_summary(struct teller *teller, uint64_t start_ns, uint64_t time_ns);

#endif /* SYNWATCH_CORE_TELLER_H */
