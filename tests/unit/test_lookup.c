/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <mntent.h>
#include <pwd.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/magic.h>

#include <cmocka.h>

#include "cli/lookup.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#define UNTOUCHED 0xa5a5a5a5

static uint64_t inode(const char *path)
{
	struct stat st;

	if (stat(path, &st))
		fail_msg("no %s", path);
	return st.st_ino;
}

static void a_user_has_a_name(void **state)
{
	const struct passwd *root = getpwuid(0);
	uint32_t uid = UNTOUCHED;

	(void)state;
	assert_int_equal(lookup_user("no such user", &uid), -ENOENT);
	assert_int_equal(uid, UNTOUCHED);
	assert_non_null(root);
	assert_int_equal(lookup_user(root->pw_name, &uid), 0);
	assert_int_equal(uid, 0);
}

static void a_netns_is_a_live_pid_or_a_file_or_an_inode_number(void **state)
{
	uint64_t own = inode("/proc/self/ns/net");
	uint32_t found = 0;
	char text[32];

	(void)state;
	assert_int_equal(lookup_netns("/proc/self/ns/net", &found), 0);
	assert_int_equal(found, own);
	snprintf(text, sizeof(text), "%d", getpid());
	found = 0;
	assert_int_equal(lookup_netns(text, &found), 0);
	assert_int_equal(found, own);
	snprintf(text, sizeof(text), "%" PRIu64, own);
	found = 0;
	assert_int_equal(lookup_netns(text, &found), 0);
	assert_int_equal(found, own);
	/* The smallest: that of the initial namespace, since 6.17. */
	assert_int_equal(lookup_netns("4026531833", &found), 0);
	assert_int_equal(found, 4026531833);
	assert_int_equal(lookup_netns("4294967295", &found), 0);
	assert_int_equal(found, 4294967295);
}

static void a_netns_is_nothing_else(void **state)
{
	static const struct {
		const char *name;
		int err;
	} cases[] = {
		{"0", -ENOENT},
		{"4194305", -ENOENT}, /* no process ever: above the limit of pid_max */
		{"4026531832", -ENOENT},
		{"4294967296", -ENOENT},
		{"no-such-name", -ENOENT},
		{"/no/such/file", -ENOENT},
		{"/proc/self/ns/mnt", -ENOTTY},
		{"/proc/self/status", -ENOTTY},
		{"/proc", -ENOTTY},
		{"/proc/self/status/net", -ENOTDIR},
	};
	uint32_t found = UNTOUCHED;
	char path[2 * 4096];
	int err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		err = lookup_netns(cases[i].name, &found);
		if (err != cases[i].err)
			fail_msg("'%s': %d", cases[i].name, err);
	}
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(lookup_netns(path, &found), -ENAMETOOLONG);
	assert_int_equal(found, UNTOUCHED);
}

static void a_fifo_is_refused_without_waiting_for_its_writer(void **state)
{
	char folder[] = "/tmp/synwatch-test-XXXXXX", path[64];
	uint32_t found;
	int err;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/fifo", folder);
	assert_int_equal(mkfifo(path, 0600), 0);
	err = lookup_netns(path, &found);
	unlink(path);
	rmdir(folder);
	assert_int_equal(err, -ENOTTY);
}

enum outcome { OUTCOME_RIGHT, OUTCOME_WRONG, OUTCOME_UNPRIVILEGED };

/* /run/netns as `ip netns` leaves it, in a mount namespace of our own. */
static enum outcome look_up_names_in_run_netns(void)
{
	static const char *const names[] = {"/run/netns/blue", "/run/netns/7000000"};
	uint64_t own = inode("/proc/self/ns/net");
	uint32_t blue, number, stale;

	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", "/run", "tmpfs", 0, NULL))
		return OUTCOME_UNPRIVILEGED;
	if (mkdir("/run/netns", 0755))
		return OUTCOME_WRONG;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (close(creat(names[i], 0600)) ||
		    mount("/proc/self/ns/net", names[i], NULL, MS_BIND, NULL))
			return OUTCOME_WRONG;
	/* The mount is gone, the file is left. */
	if (close(creat("/run/netns/stale", 0600)))
		return OUTCOME_WRONG;

	if (lookup_netns("blue", &blue) || blue != own || lookup_netns("7000000", &number) ||
	    number != own || lookup_netns("stale", &stale) != -ENOTTY)
		return OUTCOME_WRONG;
	return OUTCOME_RIGHT;
}

static void a_netns_is_a_name_as_ip_netns_gives_it(void **state)
{
	pid_t child = fork();
	int status;

	(void)state;
	if (!child)
		_exit(look_up_names_in_run_netns());
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == OUTCOME_UNPRIVILEGED)
		skip();
	assert_int_equal(WEXITSTATUS(status), OUTCOME_RIGHT);
}

/* Where cgroup v2 usually is; skips the test where it is not. */
static const char *cgroup_root(void)
{
	static const char *const usual[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
	struct statfs fs;

	for (size_t i = 0; i < ARRAY_SIZE(usual); i++)
		if (!statfs(usual[i], &fs) && fs.f_type == CGROUP2_SUPER_MAGIC)
			return usual[i];
	skip();
	return NULL;
}

static void a_cgroup_is_a_directory_of_the_v2_tree(void **state)
{
	const char *root = cgroup_root();
	uint64_t id = 0;

	(void)state;
	assert_int_equal(lookup_cgroup(root, &id), 0);
	assert_int_equal(id, inode(root));
	id = 0;
	assert_int_equal(lookup_cgroup("/", &id), 0);
	assert_int_equal(id, inode(root));
}

static void a_cgroup_is_a_path_as_in_proc_cgroup(void **state)
{
	const char *root = cgroup_root();
	char path[128], below[64];
	const char *const names[] = {path, below, below + 1};

	(void)state;
	snprintf(below, sizeof(below), "/synwatch-test-%d", getpid());
	snprintf(path, sizeof(path), "%s%s", root, below);
	if (mkdir(path, 0755))
		skip();
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		uint64_t id = 0;
		int err = lookup_cgroup(names[i], &id);

		if (err || id != inode(path)) {
			rmdir(path);
			fail_msg("'%s': %d", names[i], err);
		}
	}
	assert_int_equal(rmdir(path), 0);
}

static void a_cgroup_is_nothing_else(void **state)
{
	static const char *const names[] = {"/no/such/cgroup", "/proc", "/etc/passwd",
					    "cgroup.procs"};
	char path[2 * 4096];
	uint64_t id = UNTOUCHED;

	(void)state;
	cgroup_root();
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (lookup_cgroup(names[i], &id) >= 0)
			fail_msg("'%s' is accepted", names[i]);
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(lookup_cgroup(path, &id), -ENAMETOOLONG);
	assert_int_equal(id, UNTOUCHED);
}

/* No cgroup v2 tree, in a mount namespace of our own. */
static enum outcome look_for_an_unmounted_cgroup(void)
{
	const struct mntent *entry;
	uint64_t id;
	FILE *mounts;

	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return OUTCOME_UNPRIVILEGED;
	mounts = setmntent("/proc/self/mounts", "re");
	while (mounts && (entry = getmntent(mounts)))
		if (!strcmp(entry->mnt_type, "cgroup2") && umount2(entry->mnt_dir, MNT_DETACH))
			return OUTCOME_UNPRIVILEGED;
	if (mounts)
		endmntent(mounts);
	return lookup_cgroup("/", &id) == -ENODEV ? OUTCOME_RIGHT : OUTCOME_WRONG;
}

static void no_cgroup_tree_is_an_error_of_its_own(void **state)
{
	pid_t child = fork();
	int status;

	(void)state;
	if (!child)
		_exit(look_for_an_unmounted_cgroup());
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == OUTCOME_UNPRIVILEGED)
		skip();
	assert_int_equal(WEXITSTATUS(status), OUTCOME_RIGHT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_user_has_a_name),
		cmocka_unit_test(a_netns_is_a_live_pid_or_a_file_or_an_inode_number),
		cmocka_unit_test(a_netns_is_nothing_else),
		cmocka_unit_test(a_fifo_is_refused_without_waiting_for_its_writer),
		cmocka_unit_test(a_netns_is_a_name_as_ip_netns_gives_it),
		cmocka_unit_test(a_cgroup_is_a_directory_of_the_v2_tree),
		cmocka_unit_test(a_cgroup_is_a_path_as_in_proc_cgroup),
		cmocka_unit_test(a_cgroup_is_nothing_else),
		cmocka_unit_test(no_cgroup_tree_is_an_error_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
