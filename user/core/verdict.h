/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A client's facts -> verdict, cause, evidence and one sentence. The server's
 * rules are core/server's.
 *
 * A rule claims only what its facts show; each names the kernel fact it rests
 * on. The first rule that applies wins, and the last of each table always does.
 */
#ifndef SYNWATCH_CORE_VERDICT_H
#define SYNWATCH_CORE_VERDICT_H

#include <stdint.h>

#include "core/report.h"
#include "synwatch/record.h"

/* Ends the sentence about a late answer as EVIDENCE_OPEN ends that about none. */
#define VERDICT_OPEN_LATE ": the earlier ones or their answers were lost or dropped"

/* All fill in verdict, cause, why, errnum, icmp and closer of a report that
 * handshake_describe() has prepared. */

/* Under way and in trouble. */
void verdict_stalled(const struct sw_handshake *facts, struct report_handshake *report);

/* Ended, as its last record says (SW_CLOSE, SW_LOCAL_ERROR). */
void verdict_ended(const struct sw_handshake *facts, struct report_handshake *report);

/* Ended without a record of it: evidence was lost. */
void verdict_lost(const struct sw_handshake *facts, struct report_handshake *report);

#endif /* SYNWATCH_CORE_VERDICT_H */
