/* SPDX-License-Identifier: GPL-2.0-only */
#include "source/sweep.h"

#include <errno.h>
#include <unistd.h>

#include <bpf/bpf.h>

/* A map in which others put and delete may hide an entry from one walk, not from more. */
#define IDLE_MAX 2

/* What is due is looked at so late at most, should its time have been forgotten. */
#define DUE_MAX_NS 1000000000ULL

int sweep_run(const struct sweep *sweep)
{
	int fd = bpf_iter_create(bpf_link__fd(sweep->link));
	char nothing[64];
	ssize_t length;

	if (fd < 0)
		return -errno;
	do
		length = read(fd, nothing, sizeof(nothing));
	while (length > 0 || (length < 0 && errno == EAGAIN));
	(void)close(fd);
	return 0;
}

/* Clearing comes first: what is entered meanwhile is seen by the next walk, if not by
 * this one. */
static bool is_worth_it(struct sweep *sweep, struct sw_swept *map, uint64_t now_ns)
{
	if (map->entered || map->seen)
		sweep->idle = 0;
	else if (sweep->idle++ >= IDLE_MAX)
		return false;
	if (sweep->dated && now_ns < map->due_ns && now_ns < sweep->last_ns + DUE_MAX_NS)
		return false;
	*map = (struct sw_swept){.due_ns = sweep->dated ? UINT64_MAX : 0};
	sweep->last_ns = now_ns;
	return true;
}

int sweep_if_due(struct sweep *sweep, struct sw_swept *swept, uint64_t now_ns)
{
	if (!sweep->always && !is_worth_it(sweep, &swept[sweep->map], now_ns))
		return 0;
	return sweep_run(sweep);
}
