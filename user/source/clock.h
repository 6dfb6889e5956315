/* SPDX-License-Identifier: GPL-2.0-only */
/* The only callers of clock_gettime(). */
#ifndef SYNWATCH_SOURCE_CLOCK_H
#define SYNWATCH_SOURCE_CLOCK_H

#include <stdint.h>

/* bpf_ktime_get_ns()'s clock, CLOCK_MONOTONIC. */
uint64_t clock_monotonic_ns(void);

/* CLOCK_REALTIME - CLOCK_MONOTONIC, good to the time between two system calls. */
int64_t clock_wall_offset_ns(void);

/* The length of one jiffy: the coarse clocks tick with it. */
uint32_t clock_tick_ns(void);

#endif /* SYNWATCH_SOURCE_CLOCK_H */
