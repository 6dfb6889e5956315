/* SPDX-License-Identifier: GPL-2.0-only */
/* Many handshakes at one local port, told at once: record -> report. */
#ifndef SYNWATCH_CORE_CROWD_H
#define SYNWATCH_CORE_CROWD_H

#include <stdint.h>

#include "core/report.h"
#include "core/terms.h"
#include "synwatch/record.h"

/* All that are in it. */
uint64_t crowd_size(const struct sw_crowd *record);

struct report_crowd crowd_report(const struct sw_crowd *record, const struct terms *terms);

#endif /* SYNWATCH_CORE_CROWD_H */
