/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What /proc says, of which tasks choose some: kallsyms, and of a process its name, status,
 * cgroup, mounts and what a descriptor points to. The input is these files, in this order,
 * with a byte 0x1e between them.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/stat.h>

#include "driver.h"
#include "source/kallsyms.h"
#include "source/procfs.h"

#define SEPARATOR 0x1e

/* Made once: a directory that looks like /proc, with one process. */
static struct {
	char root[64];
	char mount[80]; /* that looks like a cgroup v2 tree */
} fake;

static void path_of(char path[128], const char *name)
{
	(void)snprintf(path, 128, "%s/%s", fake.root, name);
}

static void remove_fake(void)
{
	/* What is in a directory comes before it. */
	static const char *const names[] = {
		"1/fd/3", "1/fd",	 "1/ns", "1/comm",   "1/status", "1/cgroup",
		"1",	  "self/mounts", "self", "cgroup/a", "cgroup",	 "",
	};
	char path[128];

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		path_of(path, names[i]);
		(void)remove(path);
	}
}

static void make_fake(void)
{
	static const char *const names[] = {"1", "1/fd", "1/ns", "self", "cgroup", "cgroup/a"};
	char path[128];

	(void)snprintf(fake.root, sizeof(fake.root), "%s/synwatch-fuzz-XXXXXX",
		       access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
	if (!mkdtemp(fake.root))
		abort();
	(void)snprintf(fake.mount, sizeof(fake.mount), "%s/cgroup", fake.root);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		path_of(path, names[i]);
		if (mkdir(path, 0700))
			abort();
	}
	if (atexit(remove_fake))
		abort();
}

/* The next file of the input. */
static size_t next(const uint8_t **data, size_t *size, const uint8_t **ret_file)
{
	const uint8_t *end = memchr(*data, SEPARATOR, *size);
	size_t length = end ? (size_t)(end - *data) : *size;

	*ret_file = *data;
	*data += length + (end != NULL);
	*size -= length + (end != NULL);
	return length;
}

static void check_kallsyms(const uint8_t *text, size_t size)
{
	static const uint64_t addresses[] = {0, 1, 0xffffffff81a3c5d8, UINT64_MAX};
	char name[32];

	for (size_t i = 0; i < sizeof(addresses) / sizeof(*addresses); i++) {
		FILE *file = size ? fmemopen((void *)text, size, "r") : fopen("/dev/null", "r");

		if (!file)
			abort();
		memset(name, 'x', sizeof(name));
		if (kallsyms_function(file, addresses[i], name, sizeof(name)) != (*name != '\0') ||
		    strnlen(name, sizeof(name)) == sizeof(name))
			abort();
		fclose(file);
	}
}

static void put(const char *name, const uint8_t *data, size_t size)
{
	char path[128];
	FILE *file;

	path_of(path, name);
	file = fopen(path, "wb");
	if (!file || fwrite(data, 1, size, file) != size || fclose(file))
		abort();
}

static void put_link(const uint8_t *data, size_t size)
{
	char path[128], target[256] = "";

	memcpy(target, data, size < sizeof(target) ? size : sizeof(target) - 1);
	path_of(path, "1/fd/3");
	(void)unlink(path);
	(void)symlink(*target ? target : "socket:[7]", path);
}

static bool on_netns(void *ctx, const char *path, uint64_t inode)
{
	(void)ctx;
	(void)inode;
	return *path != '\0';
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = {"1/comm", "1/status", "1/cgroup", "self/mounts"};
	struct procfs_socket sockets[] = {{.inode = 7}, {.inode = 8}, {.inode = UINT64_MAX}};
	static const struct filter filter = {.kinds = SW_FILTER_CGROUP};
	const uint8_t *file;
	size_t length;

	if (!*fake.root)
		make_fake();
	length = next(&data, &size, &file);
	check_kallsyms(file, length);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		length = next(&data, &size, &file);
		put(names[i], file, length);
	}
	length = next(&data, &size, &file);
	put_link(file, length);
	if (procfs_find_owners(fake.root, fake.mount, &filter, sockets, 3) ||
	    procfs_each_netns(fake.root, on_netns, NULL))
		abort();
	return 0;
}
