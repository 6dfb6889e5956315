/* SPDX-License-Identifier: GPL-2.0-only */
#include "core/offset.h"

#include <stdlib.h>

/* Samples that agree lie this close: the jitter of a way across the world, and what two
 * clocks that NTP steers drift apart in a day; and less than half of the shortest
 * retransmission interval, 1 s, which must not blend in. */
#define AGREE_NS 400000000ULL

#define SPREAD_MIN_NS 1000

static int compare(const void *a, const void *b)
{
	int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

	return (left > right) - (left < right);
}

/* Two numbers of any sign, the second not less than the first. */
static uint64_t distance(int64_t first, int64_t second)
{
	return (uint64_t)second - (uint64_t)first;
}

bool offset_solve(int64_t *samples_ns, size_t count, struct offset *ret_offset)
{
	size_t first = 0, best = 0, agree = 0;
	uint64_t range;

	if (!count)
		return false;
	qsort(samples_ns, count, sizeof(*samples_ns), compare);
	for (size_t last = 0; last < count; last++) {
		while (distance(samples_ns[first], samples_ns[last]) > AGREE_NS)
			first++;
		if (last - first + 1 > agree) {
			agree = last - first + 1;
			best = first;
		}
	}
	ret_offset->offset_ns = samples_ns[best + agree / 2];
	range = distance(samples_ns[best], samples_ns[best + agree - 1]);
	ret_offset->spread_ns = range / 2 > SPREAD_MIN_NS ? range / 2 : SPREAD_MIN_NS;
	ret_offset->agree = agree;
	return true;
}
