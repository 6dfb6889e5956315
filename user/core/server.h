/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A server's facts -> verdict, cause, evidence and one sentence; the client's
 * rules are core/verdict's.
 *
 * A rule claims only what its facts show; each names the kernel fact it rests
 * on. The first rule that applies wins, and the last of each table always does.
 */
#ifndef SYNWATCH_CORE_SERVER_H
#define SYNWATCH_CORE_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/report.h"
#include "synwatch/record.h"

/* What its last record alone does not say. */
struct server_past {
	enum cause cause; /* of its last stall; CAUSE_NONE: it has not stalled */
	bool given_up;	  /* it went away when its timer must have run out */
	/* SW_SYN_DROP: its client, on this host, got a RST just then. */
	bool reset_seen;
};

/* Why a request hangs; CAUSE_NONE: it does not, it only waits for data. */
enum cause server_cause(const struct sw_handshake *facts);

/* Whether a request is in trouble, by its record alone. One that is not is only
 * remembered. */
bool server_is_trouble(const struct sw_handshake *facts, uint64_t stall_after_ns);

/* All fill in verdict, cause, why, errnum and icmp of a report that
 * handshake_describe() and evidence_tell_drop() have prepared. A cause of
 * CAUSE_NONE is no trouble, whatever the verdict. */

/* Under way and in trouble. */
void server_stalled(const struct sw_handshake *facts, struct report_handshake *report);

/* Ended, as its last record says (SW_ACCEPTED, SW_REQUEST_GONE, SW_SYN_DROP). */
void server_ended(const struct sw_handshake *facts, const struct server_past *past,
		  struct report_handshake *report);

/* Its timer must have run out, and nothing said otherwise. */
void server_expired(const struct sw_handshake *facts, const struct server_past *past,
		    struct report_handshake *report);

/* Ended without a record of it: evidence was lost. */
void server_lost(const struct server_past *past, struct report_handshake *report);

#endif /* SYNWATCH_CORE_SERVER_H */
