/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The RSTs that clients of this host got of late. A rule that answers a SYN with
 * one (REJECT --reject-with tcp-reset) drops the SYN like any other; only its
 * client knows the difference.
 */
#ifndef SYNWATCH_CORE_RESETS_H
#define SYNWATCH_CORE_RESETS_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/types.h>

#include "synwatch/record.h"

/* More than that within a moment are forgotten, the oldest first. */
#define RESETS_MAX 64

/* Starts zeroed. */
struct resets {
	struct {
		uint64_t time_ns; /* 0: none */
		uint32_t isn;
		uint16_t lport;
		uint16_t rport;
	} last[RESETS_MAX];
	unsigned int next;
};

/* Any record of a client; only one that was reset is kept. */
void resets_note(struct resets *resets, const struct sw_handshake *facts);

/* Whether the client whose SYN was dropped got a RST, within_ns of the drop: it
 * has the same ISN and, whatever rewrote its addresses, one of the two ports. */
bool resets_has(const struct resets *resets, const struct sw_handshake *dropped,
		uint64_t within_ns);

#endif /* SYNWATCH_CORE_RESETS_H */
