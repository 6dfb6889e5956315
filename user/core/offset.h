/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How far one host's clock is from another's, from handshakes that both saw.
 *
 * A sample is when the server saw a SYN less when the client sent its first: the
 * offset, and the way there, and a second or more where only a later SYN got
 * through. Some are of two handshakes that share an ISN by chance, and may be
 * anything. So what most of them agree upon is right, and of two that have as many
 * the lower.
 */
#ifndef SYNWATCH_CORE_OFFSET_H
#define SYNWATCH_CORE_OFFSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct offset {
	int64_t offset_ns;  /* the server's clock less the client's */
	uint64_t spread_ns; /* half of the range of the samples that agree, 1 us at least */
	size_t agree;	    /* how many do */
};

/* samples_ns is sorted by it. False without a sample. */
bool offset_solve(int64_t *samples_ns, size_t count, struct offset *ret_offset);

#endif /* SYNWATCH_CORE_OFFSET_H */
