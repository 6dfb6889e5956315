/* SPDX-License-Identifier: GPL-2.0-only */
#include "source/clock.h"

#include <time.h>

#define NSEC_PER_SEC 1000000000ULL

/* How often the offset is measured; the tightest pair of readings wins. */
#define OFFSET_SAMPLES 5

static uint64_t now_ns(clockid_t clock)
{
	struct timespec ts;

	/* Cannot fail: both clocks exist since Linux 2.6 and ts is valid. */
	(void)clock_gettime(clock, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

uint64_t clock_monotonic_ns(void)
{
	return now_ns(CLOCK_MONOTONIC);
}

int64_t clock_wall_offset_ns(void)
{
	uint64_t best_gap = UINT64_MAX;
	int64_t offset = 0;

	for (int i = 0; i < OFFSET_SAMPLES; i++) {
		uint64_t before = now_ns(CLOCK_MONOTONIC);
		uint64_t wall = now_ns(CLOCK_REALTIME);
		uint64_t gap = now_ns(CLOCK_MONOTONIC) - before;

		if (gap < best_gap) {
			best_gap = gap;
			offset = wall - (before + gap / 2);
		}
	}
	return offset;
}

uint32_t clock_tick_ns(void)
{
	struct timespec ts;

	/* KTIME_LOW_RES is TICK_NSEC, kernel/time/posix-timers.c */
	(void)clock_getres(CLOCK_MONOTONIC_COARSE, &ts);
	return ts.tv_nsec;
}
