/* SPDX-License-Identifier: GPL-2.0-only */
/* What the summary says, gathered while the reports go by. */
#ifndef SYNWATCH_CORE_STATS_H
#define SYNWATCH_CORE_STATS_H

#include <stdint.h>

#include "core/report.h"

struct stats;

/* NULL when out of memory. */
struct stats *stats_new(void);

/* Returns NULL; NULL is fine. */
struct stats *stats_free(struct stats *stats);

/* A handshake that is reported as ended, or is still stalled at the end. */
void stats_handshake(struct stats *stats, const struct report_handshake *handshake);

/* Completed without trouble and not in any struct sw_counts. */
void stats_healthy(struct stats *stats, enum role role);

/* Told as a crowd only: trouble at a place, without verdicts. */
void stats_crowd(struct stats *stats, const struct report_crowd *crowd);

void stats_counts(struct stats *stats, const struct sw_counts *counts);
void stats_loss(struct stats *stats, const struct report_loss *loss);

/* All of it so far; duration_ns is the caller's to fill in. */
void stats_summarize(const struct stats *stats, struct report_summary *ret_summary);

#endif /* SYNWATCH_CORE_STATS_H */
