/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A SYN, or the ACK that completes, that the host it was for threw away or
 * refused (SW_SYN_DROP): facts -> verdict, cause and one sentence.
 */
#ifndef SYNWATCH_CORE_REFUSAL_H
#define SYNWATCH_CORE_REFUSAL_H

#include <stdbool.h>

#include "core/report.h"
#include "synwatch/record.h"

/* Needs report->drop; reset_seen: its client, on this host, got a RST. */
void refusal_judge(const struct sw_handshake *facts, bool reset_seen,
		   struct report_handshake *report);

/* Whether a RST that its client got would make a difference: a rule dropped it,
 * and did not visibly answer. reason: its name, or NULL. */
bool refusal_is_open(const struct sw_handshake *facts, const char *reason);

#endif /* SYNWATCH_CORE_REFUSAL_H */
