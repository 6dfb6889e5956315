/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the two sides tell each other at the start about handshakes already
 * under way: the kernel side writes the inode number (__u64) of each such
 * socket to the iterator's reader, the user side answers, in the map
 * seed_owners, who owns it.
 */
#ifndef SYNWATCH_SEED_H
#define SYNWATCH_SEED_H

#include "synwatch/record.h"

/* Sockets that are answered, at most: as many as the kernel side can follow. */
#define SW_SEED_MAX 65536

/* By inode number, as in "socket:[INODE]" of /proc/PID/fd; 0: no file, that is
 * all sockets of the kernel itself. */
struct sw_seed_owner {
	struct sw_owner owner;
	__u16 owners;	/* processes that have it open; 0: none known, owner is empty */
	__u8 in_cgroup; /* owner is in one of filter_cgroups or in one below it */
	__u8 reserved[5];
};

_Static_assert(sizeof(struct sw_seed_owner) == 48, "sw_seed_owner");

#endif /* SYNWATCH_SEED_H */
