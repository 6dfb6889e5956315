/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The filters a user asks for, as numbers. The live watch copies them into the
 * kernel side's maps; reading a capture applies filter_match() instead.
 */
#ifndef SYNWATCH_CLI_FILTER_H
#define SYNWATCH_CLI_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/types.h>

#include "synwatch/config.h"
#include "synwatch/record.h"

/* Values of one kind, at most. */
#define FILTER_VALUES_MAX 1024

struct filter {
	uint32_t kinds; /* enum sw_filter */
	uint32_t *pids;
	size_t pid_count;
	uint32_t *uids;
	size_t uid_count;
	uint32_t *netns; /* inode numbers */
	size_t netns_count;
	uint64_t *cgroups; /* cgroup v2 ids */
	size_t cgroup_count;
	char (*comms)[SW_COMM_LEN]; /* NUL-padded */
	size_t comm_count;
	struct sw_host_key *hosts;
	size_t host_count;
	uint64_t ports[SW_PORT_ROWS][SW_PORT_WORDS]; /* bit p%64 of word p/64 */
};

/*
 * Adds what the user wrote for one kind (a single SW_FILTER_* bit): a comma-
 * separated list, except SW_FILTER_COMM and SW_FILTER_CGROUP, which take one
 * value as it is. Several calls add up. SW_FILTER_NETNS takes a PID, a path to
 * a namespace file or an inode number; SW_FILTER_CGROUP a directory of the
 * cgroup v2 tree.
 *
 * Returns 0 or a negative errno with one sentence for the user in `reason`
 * (what is wrong with which value, and what is accepted); the filter is
 * unchanged then.
 */
int filter_add(struct filter *filter, enum sw_filter kind, const char *text, char *reason,
	       size_t reason_size);

/* The predicate, as the kernel side decides it (bpf/filter.bpf.h), on a record.
 * A cgroup matches by its own id only: a record does not know its parents. */
bool filter_match(const struct filter *filter, const struct sw_handshake *record);

/* Likewise, by its local end alone: a filter on the remote end refuses it. */
bool filter_match_crowd(const struct filter *filter, const struct sw_crowd *record);

/* Frees the contents; safe on a zeroed or half-built filter. */
void filter_done(struct filter *filter);

#endif /* SYNWATCH_CLI_FILTER_H */
