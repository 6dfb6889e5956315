/* SPDX-License-Identifier: GPL-2.0-only */
#include "source/sweep.h"

#include <errno.h>
#include <unistd.h>

#include <sys/mman.h>

#include <bpf/bpf.h>

/* A map in which others put and delete may hide an entry from one walk, not from more. */
#define IDLE_MAX 2

/* What is due is looked at so late at most, should its time have been forgotten. */
#define DUE_MAX_NS 1000000000ULL

/* An array's elements are multiples of this, in bytes: array_map_alloc(). */
#define SLOT_ALIGN 8

static size_t slots_length(const struct sweep_slots *slots)
{
	size_t page = sysconf(_SC_PAGESIZE);

	return (slots->count * slots->size + page - 1) / page * page;
}

int sweep_map_slots(struct sweep_slots *slots, int map_fd, uint64_t quiet_ns)
{
	struct sweep_slots mapped = {.quiet_ns = quiet_ns};
	struct bpf_map_info info = {};
	__u32 size = sizeof(info);

	if (bpf_obj_get_info_by_fd(map_fd, &info, &size))
		return -errno;
	mapped.count = info.max_entries;
	mapped.size = (info.value_size + SLOT_ALIGN - 1) / SLOT_ALIGN * SLOT_ALIGN;
	mapped.first = mmap(NULL, slots_length(&mapped), PROT_READ, MAP_SHARED, map_fd, 0);
	if (mapped.first == MAP_FAILED)
		return -errno;
	*slots = mapped;
	return 0;
}

void sweep_unmap_slots(struct sweep_slots *slots)
{
	if (slots->first)
		(void)munmap(slots->first, slots_length(slots));
	*slots = (struct sweep_slots){};
}

/* Is one old? What changes meanwhile is another's, and younger. */
static bool slots_are_due(const struct sweep_slots *slots, uint64_t now_ns)
{
	const char *first = slots->first;

	for (size_t i = 0; i < slots->count; i++) {
		const volatile struct sw_fresh *slot = (const void *)(first + i * slots->size);
		uint64_t holder = slot->holder;

		if (holder && holder != SW_FRESH_BUSY && now_ns >= slot->start_ns + slots->quiet_ns)
			return true;
	}
	return false;
}

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
	bool wanted;

	if (sweep->slots.first)
		wanted = slots_are_due(&sweep->slots, now_ns);
	else
		wanted = sweep->always || is_worth_it(sweep, &swept[sweep->map], now_ns);
	return wanted ? sweep_run(sweep) : 0;
}
