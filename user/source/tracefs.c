/* SPDX-License-Identifier: GPL-2.0-only */
#include "source/tracefs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <sys/syscall.h>

#include <linux/mount.h>

/* Where distributions mount it, and where it was before 4.1. */
static const char *const mount_points[] = {
	"/sys/kernel/tracing",
	"/sys/kernel/debug/tracing",
};

/* A mount that is attached nowhere and vanishes with its descriptor (fsopen(2),
 * 5.2+). The raw system calls: glibc has wrappers only since 2.36. */
static int mount_detached(void)
{
	int mount = -1;
	int context = syscall(SYS_fsopen, "tracefs", FSOPEN_CLOEXEC);

	if (context < 0)
		return -errno;
	if (syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		goto out;
	mount = syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY);
out:
	if (mount < 0)
		mount = -errno;
	(void)close(context);
	return mount;
}

static int read_id(int directory, const char *path)
{
	char text[16] = "";
	ssize_t length;
	long id;
	int fd = openat(directory, path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	length = read(fd, text, sizeof(text) - 1);
	if (length < 0)
		id = -errno;
	else
		id = strtol(text, NULL, 10);
	(void)close(fd);
	if (id == 0 || id > INT_MAX)
		return -ENODATA;
	return id;
}

int tracefs_event_id(const char *category, const char *name)
{
	char path[PATH_MAX];
	int directory, id;

	for (size_t i = 0; i < sizeof(mount_points) / sizeof(*mount_points); i++) {
		(void)snprintf(path, sizeof(path), "%s/events/%s/%s/id", mount_points[i], category,
			       name);
		id = read_id(AT_FDCWD, path);
		if (id > 0)
			return id;
	}
	directory = mount_detached();
	if (directory < 0)
		return directory;
	(void)snprintf(path, sizeof(path), "events/%s/%s/id", category, name);
	id = read_id(directory, path);
	(void)close(directory);
	return id;
}
