/* SPDX-License-Identifier: GPL-2.0-only */
#include "source/procfs.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/stat.h>

/* Longer than the lines that are wanted: "Uid:" and numbers, "0::" and a path. */
#define LINE_SIZE (PATH_MAX + 16)

/* Calls visit with the PID of every process until it returns an error. */
static int each_process(const char *proc, int (*visit)(void *ctx, uint32_t pid), void *ctx)
{
	DIR *directory = opendir(proc);
	struct dirent *entry;
	int err = 0;

	if (!directory)
		return -errno;
	while (!err && (entry = readdir(directory))) {
		if (isdigit((unsigned char)*entry->d_name))
			err = visit(ctx, strtoul(entry->d_name, NULL, 10));
	}
	(void)closedir(directory);
	return err;
}

/* --- owners of sockets --- */

struct scan {
	const char *proc;
	const char *cgroup_mount;
	struct filter filter; /* only what it asks of an owner itself */
	bool asks_cgroup;
	struct procfs_socket *sockets;
	size_t count;
};

/* A process, as far as it has been looked at. */
struct process {
	uint32_t pid;
	bool known; /* owner and wanted are filled in */
	bool wanted;
	struct sw_seed_owner owner;
};

static FILE *open_file(const struct scan *scan, uint32_t pid, const char *name)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/%" PRIu32 "/%s", scan->proc, pid, name);
	return fopen(path, "re");
}

/* The rest of the first line that starts with key, without its newline. */
static bool read_line(const struct scan *scan, uint32_t pid, const char *name, const char *key,
		      char line[LINE_SIZE])
{
	FILE *file = open_file(scan, pid, name);
	size_t length = strlen(key);
	bool found = false, starts = true;

	if (!file)
		return false;
	/* What a longer line goes on with is no line: it may be a name of somebody's. */
	while (!found && fgets(line, LINE_SIZE, file)) {
		found = starts && !strncmp(line, key, length);
		starts = strchr(line, '\n') != NULL;
	}
	(void)fclose(file);
	if (found) {
		line[strcspn(line, "\n")] = '\0';
		memmove(line, line + length, strlen(line + length) + 1);
	}
	return found;
}

/* A name may hold a newline; only the last one is the kernel's. */
static void read_comm(const struct scan *scan, uint32_t pid, char comm[SW_COMM_LEN])
{
	FILE *file = open_file(scan, pid, "comm");
	char text[SW_COMM_LEN]; /* a newline takes the place of the NUL */
	size_t length;

	if (!file)
		return;
	length = fread(text, 1, sizeof(text), file);
	if (length)
		memcpy(comm, text, length - 1);
	(void)fclose(file);
}

static bool is_filter_cgroup(const struct filter *filter, uint64_t id)
{
	for (size_t i = 0; i < filter->cgroup_count; i++) {
		if (filter->cgroups[i] == id)
			return true;
	}
	return false;
}

/* Its id, and whether it or one above it is asked for. */
static void read_cgroup(const struct scan *scan, uint32_t pid, struct sw_seed_owner *owner)
{
	size_t mount = strlen(scan->cgroup_mount);
	char line[LINE_SIZE], path[PATH_MAX];
	struct stat st;

	if (!mount || !read_line(scan, pid, "cgroup", "0::", line) ||
	    snprintf(path, sizeof(path), "%s%s", scan->cgroup_mount, line) >= (int)sizeof(path) ||
	    stat(path, &st))
		return;
	owner->owner.cgroup = st.st_ino; /* kernfs: the id is the inode number */
	for (;;) {
		char *end = strrchr(path, '/');

		if (is_filter_cgroup(&scan->filter, st.st_ino))
			owner->in_cgroup = true;
		if (end < path + mount)
			break;
		*end = '\0';
		if (stat(path, &st))
			break;
	}
}

static bool is_wanted(const struct scan *scan, const struct sw_seed_owner *owner)
{
	const struct sw_handshake record = {.flags = SW_F_OWNER, .owner = owner->owner};

	return filter_match(&scan->filter, &record) && (!scan->asks_cgroup || owner->in_cgroup);
}

static void know(const struct scan *scan, struct process *process)
{
	struct sw_seed_owner *owner = &process->owner;
	char line[LINE_SIZE];

	process->known = true;
	owner->owner.pid = owner->owner.tid = process->pid;
	read_comm(scan, process->pid, owner->owner.comm);
	if (read_line(scan, process->pid, "status", "Uid:", line))
		owner->owner.uid = strtoul(line, NULL, 10);
	read_cgroup(scan, process->pid, owner);
	process->wanted = is_wanted(scan, owner);
}

static int compare_inodes(const void *key, const void *socket)
{
	uint64_t a = *(const uint64_t *)key, b = ((const struct procfs_socket *)socket)->inode;

	return (a > b) - (a < b);
}

static void hold(const struct scan *scan, struct process *process, uint64_t inode)
{
	struct procfs_socket *socket =
		bsearch(&inode, scan->sockets, scan->count, sizeof(*socket), compare_inodes);
	uint16_t owners;

	/* dup() makes no second owner. */
	if (!socket || socket->last_pid == process->pid)
		return;
	socket->last_pid = process->pid;
	if (!process->known)
		know(scan, process);
	owners = socket->owner.owners;
	if (!owners || process->wanted > socket->wanted ||
	    (process->wanted == socket->wanted && process->pid < socket->owner.owner.pid)) {
		socket->owner = process->owner;
		socket->wanted = process->wanted;
	}
	socket->owner.owners = owners < UINT16_MAX ? owners + 1 : owners;
}

static int scan_process(void *ctx, uint32_t pid)
{
	const struct scan *scan = ctx;
	struct process process = {.pid = pid};
	char path[PATH_MAX], target[64];
	struct dirent *entry;
	DIR *directory;

	(void)snprintf(path, sizeof(path), "%s/%" PRIu32 "/fd", scan->proc, pid);
	directory = opendir(path);
	if (!directory)
		return 0;
	while ((entry = readdir(directory))) {
		ssize_t length =
			readlinkat(dirfd(directory), entry->d_name, target, sizeof(target) - 1);
		uint64_t inode;

		if (length < 0)
			continue;
		target[length] = '\0';
		if (sscanf(target, "socket:[%" SCNu64 "]", &inode) == 1)
			hold(scan, &process, inode);
	}
	(void)closedir(directory);
	return 0;
}

int procfs_find_owners(const char *proc, const char *cgroup_mount, const struct filter *filter,
		       struct procfs_socket *sockets, size_t count)
{
	struct scan scan = {
		.proc = proc,
		.cgroup_mount = cgroup_mount,
		.filter = *filter,
		.sockets = sockets,
		.count = count,
	};

	scan.asks_cgroup = filter->kinds & SW_FILTER_CGROUP;
	scan.filter.kinds &= SW_FILTER_PID | SW_FILTER_UID | SW_FILTER_COMM;
	return each_process(proc, scan_process, &scan);
}

/* -EACCES if its descriptors cannot be read; one that has none, or is gone, can. */
static int look_into(void *ctx, uint32_t pid)
{
	const char *proc = ctx;
	char path[PATH_MAX], target[64];
	struct dirent *entry;
	DIR *directory;
	int err = 0;

	(void)snprintf(path, sizeof(path), "%s/%" PRIu32 "/fd", proc, pid);
	directory = opendir(path);
	if (!directory)
		return errno == EACCES ? -EACCES : 0;
	while ((entry = readdir(directory)) && *entry->d_name == '.')
		;
	if (entry && readlinkat(dirfd(directory), entry->d_name, target, sizeof(target)) < 0 &&
	    errno == EACCES)
		err = -EACCES;
	(void)closedir(directory);
	return err;
}

bool procfs_sees_all(const char *proc)
{
	return each_process(proc, look_into, (void *)proc) != -EACCES;
}

/* --- network namespaces --- */

struct survey {
	const char *proc;
	procfs_netns_fn visit;
	void *ctx;
	uint64_t *visited; /* inode numbers */
	size_t count;
	size_t room;
};

static bool is_visited(const struct survey *survey, uint64_t inode)
{
	for (size_t i = 0; i < survey->count; i++) {
		if (survey->visited[i] == inode)
			return true;
	}
	return false;
}

static int survey_path(struct survey *survey, const char *path)
{
	struct stat st;

	if (stat(path, &st) || is_visited(survey, st.st_ino))
		return 0;
	if (survey->count == survey->room) {
		size_t room = survey->room ? survey->room * 2 : 64;
		uint64_t *visited = reallocarray(survey->visited, room, sizeof(*visited));

		if (!visited)
			return -ENOMEM;
		survey->visited = visited;
		survey->room = room;
	}
	if (survey->visit(survey->ctx, path, st.st_ino))
		survey->visited[survey->count++] = st.st_ino;
	return 0;
}

static int survey_process(void *ctx, uint32_t pid)
{
	struct survey *survey = ctx;
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/%" PRIu32 "/ns/net", survey->proc, pid);
	return survey_path(survey, path);
}

static int survey_mounts(struct survey *survey)
{
	char path[PATH_MAX], line[2 * PATH_MAX];
	struct mntent entry;
	FILE *mounts;
	int err = 0;

	(void)snprintf(path, sizeof(path), "%s/self/mounts", survey->proc);
	mounts = setmntent(path, "re");
	if (!mounts)
		return -errno;
	while (!err && getmntent_r(mounts, &entry, line, sizeof(line))) {
		if (!strcmp(entry.mnt_type, "nsfs"))
			err = survey_path(survey, entry.mnt_dir);
	}
	(void)endmntent(mounts);
	return err;
}

int procfs_each_netns(const char *proc, procfs_netns_fn visit, void *ctx)
{
	struct survey survey = {.proc = proc, .visit = visit, .ctx = ctx};
	int err = each_process(proc, survey_process, &survey);

	if (!err)
		err = survey_mounts(&survey);
	free(survey.visited);
	return err;
}
