/* SPDX-License-Identifier: GPL-2.0-only */
/* Has the kernel side walk one of its maps, when that can be of use. */
#ifndef SYNWATCH_SOURCE_SWEEP_H
#define SYNWATCH_SOURCE_SWEEP_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/types.h>

#include <bpf/libbpf.h>

#include "synwatch/config.h"

/* fresh_handshakes, mapped; zeroed: it is not. */
struct sweep_slots {
	void *first; /* of count, each size bytes apart and beginning as struct sw_fresh */
	size_t count;
	size_t size;
	uint64_t quiet_ns; /* older ones are looked at */
};

struct sweep {
	const struct bpf_link *link; /* of an iterator over the map */
	bool always;		     /* or by the slots, if there are any */
	enum sw_swept_map map;	     /* unless always */
	bool dated;		     /* its struct sw_swept says when something is due */
	unsigned int idle;	     /* times in a row that nothing was in it */
	uint64_t last_ns;
	struct sweep_slots slots;
};

/* Maps fresh_handshakes, whose descriptor that is. Returns 0 or a negative errno. */
int sweep_map_slots(struct sweep_slots *slots, int map_fd, uint64_t quiet_ns);

/* Safe on zeroed ones. */
void sweep_unmap_slots(struct sweep_slots *slots);

/* Walks it. Returns 0 or a negative errno. */
int sweep_run(const struct sweep *sweep);

/* The same, unless it is known that there is nothing to find. swept: SW_SWEPT_MAPS of
 * them, the kernel side's; now_ns: CLOCK_MONOTONIC. */
int sweep_if_due(struct sweep *sweep, struct sw_swept *swept, uint64_t now_ns);

#endif /* SYNWATCH_SOURCE_SWEEP_H */
