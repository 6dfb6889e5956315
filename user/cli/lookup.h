/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What people call things on this host -> the numbers in the records.
 *
 * All return 0 or a negative errno with the output untouched; -ENOENT: there is
 * no such thing, -ENOTTY: there is one, but of another sort.
 */
#ifndef SYNWATCH_CLI_LOOKUP_H
#define SYNWATCH_CLI_LOOKUP_H

#include <stddef.h>
#include <stdint.h>

/* A user's name. */
int lookup_user(const char *name, uint32_t *ret_uid);

/*
 * A network namespace by the PID of a live process, by its inode number, by a
 * path to a namespace file or by a name as in `ip netns` (in /run/netns).
 */
int lookup_netns(const char *name, uint32_t *ret_inode);

/*
 * A cgroup by a directory of the cgroup v2 tree or by its path below the
 * tree's root, as in /proc/PID/cgroup. -ENODEV: no cgroup v2 tree is mounted.
 */
int lookup_cgroup(const char *path, uint64_t *ret_id);

/*
 * Where the cgroup v2 tree is mounted. Not always /sys/fs/cgroup: systemd's
 * hybrid layout has it one level deeper. -ENODEV: nowhere.
 */
int lookup_cgroup_mount(char *ret_path, size_t size);

#endif /* SYNWATCH_CLI_LOOKUP_H */
