/* SPDX-License-Identifier: GPL-2.0-only */
#include "cli/lookup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <mntent.h>
#include <pwd.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>
#include <linux/nsfs.h>

#include "cli/units.h"

/*
 * No network namespace has a smaller inode number: the initial one's is fixed,
 * 0xEFFFFFF9 since 6.17 (NET_NS_INIT_INO in linux/nsfs.h); all others are
 * allocated from 0xF0000000 on (PROC_DYNAMIC_FIRST), as it was before.
 */
#define NETNS_INODE_MIN 0xEFFFFFF9U

int lookup_user(const char *name, uint32_t *ret_uid)
{
	const struct passwd *user;

	user = getpwnam(name);
	/* errno is of no use: what it is for "no such user" differs by NSS module. */
	if (!user)
		return -ENOENT;

	*ret_uid = user->pw_uid;
	return 0;
}

static int netns_inode(const char *path, uint32_t *ret_inode)
{
	struct statfs fs;
	struct stat st;
	int fd, err = 0;

	/* Whatever it turns out to be: do not wait for a FIFO's other end. */
	fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstatfs(fd, &fs) || fstat(fd, &st))
		err = -errno;
	else if (fs.f_type != NSFS_MAGIC || ioctl(fd, NS_GET_NSTYPE) != CLONE_NEWNET)
		err = -ENOTTY;
	else
		*ret_inode = st.st_ino;
	close(fd);
	return err;
}

int lookup_netns(const char *name, uint32_t *ret_inode)
{
	const char *folder = strchr(name, '/') ? "" : "/run/netns/";
	char path[PATH_MAX];
	uint64_t number;
	int err;

	if (!units_number(name, 1, UINT32_MAX, &number)) {
		snprintf(path, sizeof(path), "/proc/%" PRIu64 "/ns/net", number);
		err = netns_inode(path, ret_inode);
		if (err != -ENOENT)
			return err;
		if (number >= NETNS_INODE_MIN) {
			*ret_inode = number;
			return 0;
		}
	}
	if (snprintf(path, sizeof(path), "%s%s", folder, name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	return netns_inode(path, ret_inode);
}

static int cgroup_id(const char *path, uint64_t *ret_id)
{
	struct statfs fs;
	struct stat st;
	int fd, err = 0;

	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstatfs(fd, &fs) || fstat(fd, &st))
		err = -errno;
	else if (fs.f_type != CGROUP2_SUPER_MAGIC)
		err = -ENOTTY;
	else
		*ret_id = st.st_ino; /* kernfs: the id is the inode number */
	close(fd);
	return err;
}

int lookup_cgroup_mount(char *ret_path, size_t size)
{
	struct mntent *found, entry;
	char line[2 * PATH_MAX];
	int err = -ENODEV;
	FILE *mounts;

	mounts = setmntent("/proc/self/mounts", "re");
	if (!mounts)
		return -errno;
	do {
		found = getmntent_r(mounts, &entry, line, sizeof(line));
	} while (found && strcmp(entry.mnt_type, "cgroup2"));
	if (found && strlen(entry.mnt_dir) < size) {
		strcpy(ret_path, entry.mnt_dir);
		err = 0;
	}
	endmntent(mounts);
	return err;
}

int lookup_cgroup(const char *path, uint64_t *ret_id)
{
	char mount[PATH_MAX], below[PATH_MAX];
	int err;

	if (!cgroup_id(path, ret_id))
		return 0;
	err = lookup_cgroup_mount(mount, sizeof(mount));
	if (err)
		return err;
	if (snprintf(below, sizeof(below), "%s/%s", mount, path) >= (int)sizeof(below))
		return -ENAMETOOLONG;
	return cgroup_id(below, ret_id);
}
