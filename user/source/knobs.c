/* SPDX-License-Identifier: GPL-2.0-only */
#include "source/knobs.h"

#include <errno.h>

#include <bpf/bpf.h>

/* One kind of filter: its map, and its values as an array of keys. */
struct knob {
	const char *map;
	const void *keys;
	size_t count;
	size_t key_size;
};

#define KNOB_COUNT 6

static void knobs_of(const struct filter *filter, struct knob *knobs)
{
	const struct knob all[KNOB_COUNT] = {
		{"filter_pids", filter->pids, filter->pid_count, sizeof(*filter->pids)},
		{"filter_uids", filter->uids, filter->uid_count, sizeof(*filter->uids)},
		{"filter_comms", filter->comms, filter->comm_count, sizeof(*filter->comms)},
		{"filter_cgroups", filter->cgroups, filter->cgroup_count, sizeof(*filter->cgroups)},
		{"filter_netns", filter->netns, filter->netns_count, sizeof(*filter->netns)},
		{"filter_hosts", filter->hosts, filter->host_count, sizeof(*filter->hosts)},
	};

	for (int i = 0; i < KNOB_COUNT; i++)
		knobs[i] = all[i];
}

int knobs_size(struct bpf_object *object, const struct filter *filter)
{
	struct knob knobs[KNOB_COUNT];

	knobs_of(filter, knobs);
	for (int i = 0; i < KNOB_COUNT; i++) {
		struct bpf_map *map = bpf_object__find_map_by_name(object, knobs[i].map);
		int err;

		if (!knobs[i].count)
			continue;
		err = bpf_map__set_max_entries(map, knobs[i].count);
		if (err)
			return err;
	}
	return 0;
}

static int fill_ports(struct bpf_object *object, const struct filter *filter)
{
	int fd = bpf_object__find_map_fd_by_name(object, "filter_ports");

	for (__u32 row = 0; row < SW_PORT_ROWS; row++) {
		for (__u32 word = 0; word < SW_PORT_WORDS; word++) {
			__u32 key = row * SW_PORT_WORDS + word;

			if (filter->ports[row][word] &&
			    bpf_map_update_elem(fd, &key, &filter->ports[row][word], BPF_ANY))
				return -errno;
		}
	}
	return 0;
}

int knobs_fill(struct bpf_object *object, const struct filter *filter)
{
	struct knob knobs[KNOB_COUNT];
	const __u8 present = 1;

	knobs_of(filter, knobs);
	for (int i = 0; i < KNOB_COUNT; i++) {
		int fd = bpf_object__find_map_fd_by_name(object, knobs[i].map);
		const char *key = knobs[i].keys;

		for (size_t j = 0; j < knobs[i].count; j++, key += knobs[i].key_size) {
			if (bpf_map_update_elem(fd, key, &present, BPF_ANY))
				return -errno;
		}
	}
	return fill_ports(object, filter);
}
