/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "source/procfs.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* A directory that looks like /proc, and one that looks like a cgroup v2 tree. */
struct fake {
	char root[64];
	char proc[80];
	char cgroup[80];
};

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *position)
{
	(void)st;
	(void)type;
	(void)position;
	return remove(path);
}

static int make_fake(void **state)
{
	struct fake *fake = calloc(1, sizeof(*fake));

	assert_non_null(fake);
	snprintf(fake->root, sizeof(fake->root), "/tmp/synwatch-procfs-XXXXXX");
	assert_non_null(mkdtemp(fake->root));
	snprintf(fake->proc, sizeof(fake->proc), "%s/proc", fake->root);
	snprintf(fake->cgroup, sizeof(fake->cgroup), "%s/cgroup", fake->root);
	*state = fake;
	return mkdir(fake->proc, 0755) || mkdir(fake->cgroup, 0755);
}

static int remove_fake(void **state)
{
	struct fake *fake = *state;
	int err = nftw(fake->root, remove_one, 16, FTW_DEPTH | FTW_PHYS);

	free(fake);
	return err;
}

/* "proc/<pid>/<name>" */
static const char *path_of(const struct fake *fake, unsigned int pid, const char *name,
			   char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/%u%s%s", fake->proc, pid, *name ? "/" : "", name);
	return path;
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void add_process(const struct fake *fake, unsigned int pid, const char *comm,
			unsigned int uid, const char *cgroup)
{
	char path[PATH_MAX], text[256];

	assert_int_equal(mkdir(path_of(fake, pid, "", path), 0755), 0);
	assert_int_equal(mkdir(path_of(fake, pid, "fd", path), 0755), 0);
	assert_int_equal(mkdir(path_of(fake, pid, "ns", path), 0755), 0);
	snprintf(text, sizeof(text), "%s\n", comm);
	write_file(path_of(fake, pid, "comm", path), text);
	/* real, effective, saved and file system user */
	snprintf(text, sizeof(text), "Name:\tUid:\nUmask:\t0022\nUid:\t%u\t0\t7\t8\nGid:\t9\n",
		 uid);
	write_file(path_of(fake, pid, "status", path), text);
	snprintf(text, sizeof(text), "12:cpu:/v1\n1:name=systemd:/other\n0::%s\n", cgroup);
	write_file(path_of(fake, pid, "cgroup", path), text);
}

static void add_fd(const struct fake *fake, unsigned int pid, unsigned int fd, const char *target)
{
	char name[32], path[PATH_MAX];

	snprintf(name, sizeof(name), "fd/%u", fd);
	assert_int_equal(symlink(target, path_of(fake, pid, name, path)), 0);
}

static uint64_t add_cgroup(const struct fake *fake, const char *name)
{
	char path[PATH_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "%s%s", fake->cgroup, name);
	assert_int_equal(mkdir(path, 0755), 0);
	assert_int_equal(stat(path, &st), 0);
	return st.st_ino;
}

static void find(const struct fake *fake, const struct filter *filter,
		 struct procfs_socket *sockets, size_t count)
{
	static const struct filter all = {};

	assert_int_equal(procfs_find_owners(fake->proc, fake->cgroup, filter ? filter : &all,
					    sockets, count),
			 0);
}

static void an_owner_is_the_process_that_has_the_socket_open(void **state)
{
	const struct fake *fake = *state;
	struct procfs_socket sockets[] = {{.inode = 11}, {.inode = 12}, {.inode = 4294967297}};
	uint64_t cgroup = add_cgroup(fake, "/web");

	add_process(fake, 100, "curl", 1000, "/web");
	add_fd(fake, 100, 0, "/dev/null");
	add_fd(fake, 100, 3, "socket:[11]");
	add_process(fake, 200, "nginx: worker p", 33, "/gone");
	add_fd(fake, 200, 7, "socket:[12]");
	add_fd(fake, 200, 8, "anon_inode:[eventpoll]");
	add_fd(fake, 200, 9, "pipe:[4294967297]");
	find(fake, NULL, sockets, ARRAY_SIZE(sockets));

	assert_int_equal(sockets[0].owner.owners, 1);
	assert_int_equal(sockets[0].owner.owner.pid, 100);
	assert_int_equal(sockets[0].owner.owner.tid, 100);
	assert_int_equal(sockets[0].owner.owner.uid, 1000);
	assert_true(sockets[0].owner.owner.cgroup == cgroup);
	assert_string_equal(sockets[0].owner.owner.comm, "curl");
	assert_int_equal(sockets[1].owner.owner.pid, 200);
	assert_int_equal(sockets[1].owner.owner.uid, 33);
	assert_int_equal(sockets[1].owner.owner.cgroup, 0);
	assert_string_equal(sockets[1].owner.owner.comm, "nginx: worker p");
	assert_int_equal(sockets[2].owner.owners, 0);
	assert_int_equal(sockets[2].owner.owner.pid, 0);
}

static void several_owners_are_counted_and_the_first_is_named(void **state)
{
	const struct fake *fake = *state;
	struct procfs_socket sockets[] = {{.inode = 11}};

	/* made in the order in which a directory might list them either way */
	add_process(fake, 300, "third", 0, "/");
	add_process(fake, 20, "first", 0, "/");
	add_process(fake, 100, "second", 0, "/");
	add_fd(fake, 300, 3, "socket:[11]");
	add_fd(fake, 20, 3, "socket:[11]");
	add_fd(fake, 20, 4, "socket:[11]"); /* dup() */
	add_fd(fake, 100, 9, "socket:[11]");
	find(fake, NULL, sockets, ARRAY_SIZE(sockets));

	assert_int_equal(sockets[0].owner.owners, 3);
	assert_int_equal(sockets[0].owner.owner.pid, 20);
	assert_string_equal(sockets[0].owner.owner.comm, "first");
}

static void an_owner_that_is_asked_for_goes_before_the_first(void **state)
{
	const struct fake *fake = *state;
	uint64_t pod = add_cgroup(fake, "/pod");
	uint32_t pids[] = {300, 200}, uids[] = {7};
	char comms[][SW_COMM_LEN] = {"worker"};
	const struct {
		struct filter filter;
		uint32_t pid;
	} cases[] = {
		{{}, 100},
		{{.kinds = SW_FILTER_PID, .pids = pids, .pid_count = 2}, 200},
		{{.kinds = SW_FILTER_UID, .uids = uids, .uid_count = 1}, 300},
		{{.kinds = SW_FILTER_COMM, .comms = comms, .comm_count = 1}, 200},
		{{.kinds = SW_FILTER_CGROUP, .cgroups = &pod, .cgroup_count = 1}, 300},
		/* of filters that are not on owners nothing is known here */
		{{.kinds = SW_FILTER_RPORT | SW_FILTER_V6 | SW_FILTER_SERVER}, 100},
	};

	(void)add_cgroup(fake, "/pod/container");
	add_process(fake, 100, "master", 0, "/");
	add_process(fake, 200, "worker", 0, "/");
	add_process(fake, 300, "worker", 7, "/pod/container");
	add_fd(fake, 100, 3, "socket:[11]");
	add_fd(fake, 200, 3, "socket:[11]");
	add_fd(fake, 300, 3, "socket:[11]");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct procfs_socket socket = {.inode = 11};

		find(fake, &cases[i].filter, &socket, 1);
		assert_int_equal(socket.owner.owner.pid, cases[i].pid);
		assert_int_equal(socket.owner.owners, 3);
	}
}

static void a_cgroup_is_asked_for_with_all_below_it(void **state)
{
	const struct fake *fake = *state;
	static const struct {
		const char *asked;
		bool in;
	} cases[] = {
		{"/pod/container", true},
		{"/pod", true},
		{"/po", false},
		{"/pod/other", false},
	};

	(void)add_cgroup(fake, "/pod");
	(void)add_cgroup(fake, "/po");
	(void)add_cgroup(fake, "/pod/other");
	(void)add_cgroup(fake, "/pod/container");
	add_process(fake, 100, "app", 0, "/pod/container");
	add_fd(fake, 100, 3, "socket:[11]");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct filter filter = {.kinds = SW_FILTER_CGROUP, .cgroup_count = 1};
		struct procfs_socket socket = {.inode = 11};
		char path[PATH_MAX];
		struct stat st;
		uint64_t id;

		snprintf(path, sizeof(path), "%s%s", fake->cgroup, cases[i].asked);
		assert_int_equal(stat(path, &st), 0);
		id = st.st_ino;
		filter.cgroups = &id;
		find(fake, &filter, &socket, 1);
		assert_int_equal(socket.owner.in_cgroup, cases[i].in);
	}
}

/* A path is as long as somebody made it: what its line goes on with is no line. */
static void the_rest_of_a_long_line_is_not_a_line(void **state)
{
	const struct fake *fake = *state;
	struct procfs_socket sockets[] = {{.inode = 11}};
	uint64_t cgroup = add_cgroup(fake, "/web");
	char path[PATH_MAX], text[PATH_MAX + 64];

	add_cgroup(fake, "/evil");
	add_process(fake, 100, "curl", 1000, "/");
	add_fd(fake, 100, 3, "socket:[11]");
	for (size_t length = PATH_MAX; length < PATH_MAX + 20; length++) {
		memset(text, 'x', length);
		strcpy(text + length, "0::/evil\n0::/web\n");
		write_file(path_of(fake, 100, "cgroup", path), text);
		sockets[0] = (struct procfs_socket){.inode = 11};
		find(fake, NULL, sockets, ARRAY_SIZE(sockets));
		assert_true(sockets[0].owner.owner.cgroup == cgroup);
	}
}

static void the_root_of_the_cgroup_tree_holds_all(void **state)
{
	const struct fake *fake = *state;
	struct procfs_socket socket = {.inode = 11};
	struct filter filter = {.kinds = SW_FILTER_CGROUP, .cgroup_count = 1};
	struct stat st;
	uint64_t id;

	assert_int_equal(stat(fake->cgroup, &st), 0);
	id = st.st_ino;
	filter.cgroups = &id;
	(void)add_cgroup(fake, "/web");
	add_process(fake, 100, "app", 0, "/web");
	add_fd(fake, 100, 3, "socket:[11]");
	find(fake, &filter, &socket, 1);
	assert_true(socket.owner.in_cgroup);
}

static void without_a_cgroup_tree_the_cgroup_is_unknown(void **state)
{
	const struct fake *fake = *state;
	struct procfs_socket socket = {.inode = 11};
	const struct filter filter = {};

	add_process(fake, 100, "app", 0, "/");
	add_fd(fake, 100, 3, "socket:[11]");
	assert_int_equal(procfs_find_owners(fake->proc, "", &filter, &socket, 1), 0);
	assert_int_equal(socket.owner.owners, 1);
	assert_int_equal(socket.owner.owner.cgroup, 0);
}

static void names_are_taken_as_they_are(void **state)
{
	const struct fake *fake = *state;
	static const char *const names[] = {
		"", "a\nb", "\n", "fifteen letters", "14 and newlin\n", "Uid:\t5"};

	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++) {
		struct procfs_socket socket = {.inode = 100 + i};
		char target[32];

		add_process(fake, 1 + i, names[i], 1000, "/");
		snprintf(target, sizeof(target), "socket:[%u]", 100 + i);
		add_fd(fake, 1 + i, 3, target);
		find(fake, NULL, &socket, 1);
		assert_string_equal(socket.owner.owner.comm, names[i]);
		assert_int_equal(socket.owner.owner.uid, 1000);
	}
}

static void what_is_no_process_or_has_gone_is_passed_over(void **state)
{
	const struct fake *fake = *state;
	struct procfs_socket socket = {.inode = 11};
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/sys", fake->proc);
	assert_int_equal(mkdir(path, 0755), 0);
	assert_int_equal(mkdir(path_of(fake, 5, "", path), 0755), 0);
	/* the descriptors were there, nothing else is any more */
	assert_int_equal(mkdir(path_of(fake, 6, "", path), 0755), 0);
	assert_int_equal(mkdir(path_of(fake, 6, "fd", path), 0755), 0);
	add_fd(fake, 6, 3, "socket:[11]");
	find(fake, NULL, &socket, 1);
	assert_int_equal(socket.owner.owners, 1);
	assert_int_equal(socket.owner.owner.pid, 6);
	assert_string_equal(socket.owner.owner.comm, "");
}

static void no_proc_is_an_error(void **state)
{
	const struct fake *fake = *state;
	struct procfs_socket socket = {.inode = 11};
	const struct filter filter = {};
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/none", fake->root);
	assert_int_equal(procfs_find_owners(path, "", &filter, &socket, 1), -ENOENT);
}

/* --- network namespaces --- */

struct visits {
	char paths[16][PATH_MAX];
	size_t count;
	uint64_t refuse_once; /* an inode */
};

static bool visit(void *ctx, const char *path, uint64_t inode)
{
	struct visits *visits = ctx;

	assert_true(visits->count < ARRAY_SIZE(visits->paths));
	snprintf(visits->paths[visits->count++], PATH_MAX, "%s", path);
	if (inode != visits->refuse_once)
		return true;
	visits->refuse_once = 0;
	return false;
}

/* A file stands for a namespace: it is its inode number that counts. */
static uint64_t add_netns(const struct fake *fake, const char *name, char path[PATH_MAX])
{
	struct stat st;

	snprintf(path, PATH_MAX, "%s/%s", fake->root, name);
	write_file(path, "");
	assert_int_equal(stat(path, &st), 0);
	return st.st_ino;
}

static void live_in(const struct fake *fake, unsigned int pid, const char *netns)
{
	char path[PATH_MAX];

	add_process(fake, pid, "app", 0, "/");
	assert_int_equal(symlink(netns, path_of(fake, pid, "ns/net", path)), 0);
}

static void write_mounts(const struct fake *fake, const char *text)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/self", fake->proc);
	assert_int_equal(mkdir(path, 0755), 0);
	strcat(path, "/mounts");
	write_file(path, text);
}

static void every_namespace_is_visited_once(void **state)
{
	const struct fake *fake = *state;
	char host[PATH_MAX], pod[PATH_MAX], named[PATH_MAX], mounts[4 * PATH_MAX];
	struct visits visits = {};

	(void)add_netns(fake, "host", host);
	(void)add_netns(fake, "pod", pod);
	(void)add_netns(fake, "with space", named);
	live_in(fake, 1, host);
	live_in(fake, 10, pod);
	live_in(fake, 11, pod);
	live_in(fake, 12, "/nonexistent"); /* a zombie has none */
	snprintf(mounts, sizeof(mounts),
		 "proc /proc proc rw 0 0\n"
		 "tmpfs %s tmpfs rw 0 0\n"
		 "nsfs %s nsfs rw 0 0\n"
		 "nsfs %s/with\\040space nsfs rw 0 0\n"
		 "nsfs %s/with\\040space nsfs rw 0 0\n",
		 fake->cgroup, pod, fake->root, fake->root);
	write_mounts(fake, mounts);

	assert_int_equal(procfs_each_netns(fake->proc, visit, &visits), 0);
	assert_int_equal(visits.count, 3);
	assert_string_equal(visits.paths[2], named);
}

static void a_namespace_is_tried_by_another_path(void **state)
{
	const struct fake *fake = *state;
	char pod[PATH_MAX], mounts[3 * PATH_MAX];
	struct visits visits = {.refuse_once = add_netns(fake, "pod", pod)};

	live_in(fake, 10, pod);
	snprintf(mounts, sizeof(mounts), "nsfs %s nsfs rw 0 0\nnsfs %s nsfs rw 0 0\n", pod, pod);
	write_mounts(fake, mounts);

	assert_int_equal(procfs_each_netns(fake->proc, visit, &visits), 0);
	assert_int_equal(visits.count, 2);
	assert_string_equal(visits.paths[1], pod);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_fake, remove_fake)

/* As it is for an ordinary user; root sees all, and the tests may be run by root. */
static void a_process_that_is_closed_is_noticed(void **state)
{
	struct fake *fake = *state;
	char path[128];

	assert_true(procfs_sees_all(fake->proc));
	assert_true(procfs_sees_all("/nowhere"));
	snprintf(path, sizeof(path), "%s/1", fake->proc);
	assert_int_equal(mkdir(path, 0755), 0);
	assert_true(procfs_sees_all(fake->proc)); /* gone meanwhile */
	snprintf(path, sizeof(path), "%s/1/fd", fake->proc);
	assert_int_equal(mkdir(path, 0), 0);
	assert_int_equal(procfs_sees_all(fake->proc), !geteuid());
	assert_int_equal(chmod(path, 0700), 0);
	assert_true(procfs_sees_all(fake->proc));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_owner_is_the_process_that_has_the_socket_open),
		TEST(several_owners_are_counted_and_the_first_is_named),
		TEST(an_owner_that_is_asked_for_goes_before_the_first),
		TEST(a_cgroup_is_asked_for_with_all_below_it),
		TEST(the_rest_of_a_long_line_is_not_a_line),
		TEST(the_root_of_the_cgroup_tree_holds_all),
		TEST(without_a_cgroup_tree_the_cgroup_is_unknown),
		TEST(names_are_taken_as_they_are),
		TEST(what_is_no_process_or_has_gone_is_passed_over),
		TEST(no_proc_is_an_error),
		TEST(every_namespace_is_visited_once),
		TEST(a_namespace_is_tried_by_another_path),
		TEST(a_process_that_is_closed_is_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
