/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What /proc knows and the kernel side cannot find: who has a socket open, and
 * which network namespaces there are.
 *
 * proc: where it is mounted, "/proc" but in tests. What the caller may not
 * read, and what goes away meanwhile, is passed over.
 */
#ifndef SYNWATCH_SOURCE_PROCFS_H
#define SYNWATCH_SOURCE_PROCFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/filter.h"
#include "synwatch/seed.h"

struct procfs_socket {
	uint64_t inode;
	struct sw_seed_owner owner;
	uint32_t last_pid; /* the last that had it open */
	bool wanted;	   /* owner passes the filters on owners */
};

/*
 * Fills in who owns each of the sockets, which are sorted by inode number. Of
 * several processes the first, by PID, that passes the filters on owners; if
 * none does, the first. Threads count as their process, which shares its
 * descriptors with them. tid is pid; uid the real user, as for the handshakes
 * that are seen from their start; comm the process's own.
 *
 * cgroup_mount: of the cgroup v2 tree, "" if there is none: cgroup stays 0.
 */
int procfs_find_owners(const char *proc, const char *cgroup_mount, const struct filter *filter,
		       struct procfs_socket *sockets, size_t count);

/* Whether the descriptors of every process there is can be read. */
bool procfs_sees_all(const char *proc);

/* One network namespace by a path that leads to it. True: it is dealt with;
 * false: if another path leads there, try that. */
typedef bool (*procfs_netns_fn)(void *ctx, const char *path, uint64_t inode);

/*
 * Every network namespace that a process lives in or that is mounted where this
 * process can see it (`ip netns`, container runtimes), once each. Mounted
 * namespaces of other kinds are among them. One that only an open descriptor
 * or a socket keeps alive, or a single thread is in, is not found.
 */
int procfs_each_netns(const char *proc, procfs_netns_fn visit, void *ctx);

#endif /* SYNWATCH_SOURCE_PROCFS_H */
