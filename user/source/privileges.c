/* SPDX-License-Identifier: GPL-2.0-only */
#include "source/privileges.h"

#include <errno.h>
#include <grp.h>
#include <libgen.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <linux/capability.h>

#include <cap-ng.h>

#include "cli/units.h"
#include "source/procfs.h"

/* 5.8; where the headers are older. */
#ifndef CAP_PERFMON
#define CAP_PERFMON 38
#endif
#ifndef CAP_BPF
#define CAP_BPF 39
#endif

/* Of the namespaces that the kernel starts with: include/linux/proc_ns.h, 3.8. */
#define INITIAL_USER_INODE 0xEFFFFFFDU
#define INITIAL_PID_INODE  0xEFFFFFFCU

static const struct privilege table[] = {
	{CAP_BPF, "CAP_BPF", "load BPF programs and make their maps", "nothing can be watched",
	 true},
	{CAP_PERFMON, "CAP_PERFMON", "attach to tracepoints and read what they show",
	 "nothing can be watched", true},
	{CAP_SYS_ADMIN, "CAP_SYS_ADMIN",
	 "enter other network namespaces; mount tracefs for a moment",
	 "what hangs or listens already in other network namespaces is not known; connect() "
	 "errors before the SYN are seen only where tracefs is mounted and readable",
	 false},
	{CAP_SYS_PTRACE, "CAP_SYS_PTRACE",
	 "look up whose a socket is, and which namespaces there are",
	 "who has a socket from before the start is known of this user's own processes only",
	 false},
	{CAP_DAC_READ_SEARCH, "CAP_DAC_READ_SEARCH",
	 "the same of other users' processes; read tracefs where that is not root",
	 "other users' processes cannot be looked into, unless CAP_DAC_OVERRIDE is held", false},
	{CAP_SYSLOG, "CAP_SYSLOG", "name the places at which packets are dropped",
	 "place is null, unless kernel.kptr_restrict is 0 and kernel.perf_event_paranoid below 2",
	 false},
	{CAP_SYS_RESOURCE, "CAP_SYS_RESOURCE", "raise RLIMIT_MEMLOCK, where maps are charged to it",
	 "the limit has to be raised by the caller, on kernels that charge maps to it", false},
};

const struct privilege *privileges_table(size_t *ret_count)
{
	*ret_count = sizeof(table) / sizeof(*table);
	return table;
}

static uint64_t bit(unsigned int number)
{
	return 1ULL << number;
}

uint64_t privileges_held(void)
{
	uint64_t numbers = 0;

	(void)capng_get_caps_process();
	for (unsigned int i = 0; i <= CAP_LAST_CAP; i++) {
		if (capng_have_capability(CAPNG_EFFECTIVE, i))
			numbers |= bit(i);
	}
	return numbers;
}

bool privileges_has(unsigned int number)
{
	return !capng_get_caps_process() && capng_have_capability(CAPNG_EFFECTIVE, number);
}

bool privileges_may(unsigned int number)
{
	return privileges_has(number) || privileges_has(CAP_SYS_ADMIN);
}

bool privileges_may_look(void)
{
	/* One may be out of reach for everybody: a security module's doing. */
	if (privileges_has(CAP_SYS_PTRACE) &&
	    (privileges_has(CAP_DAC_READ_SEARCH) || privileges_has(CAP_DAC_OVERRIDE)))
		return true;
	return procfs_sees_all("/proc");
}

static bool is_other_namespace(const char *path, ino_t initial)
{
	struct stat st;

	return !stat(path, &st) && st.st_ino != initial;
}

bool privileges_in_user_namespace(void)
{
	return is_other_namespace("/proc/self/ns/user", INITIAL_USER_INODE);
}

bool privileges_in_pid_namespace(void)
{
	return is_other_namespace("/proc/self/ns/pid", INITIAL_PID_INODE);
}

void privileges_list(char *ret_text, size_t size)
{
	size_t used = 0;

	*ret_text = '\0';
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		if (used < size && privileges_has(table[i].number))
			used += snprintf(ret_text + used, size - used, "%s%s", used ? " " : "",
					 table[i].name);
	}
}

/* --- who to be --- */

/* Whom to go on as, and whether that takes CAP_DAC_OVERRIDE. */
struct identity {
	uid_t uid;
	gid_t gid;
	bool override;
};

/* Who called sudo. It is to be trusted only if this is what it made of the caller. */
static bool find_invoker(struct identity *ret_identity)
{
	const char *uid = getenv("SUDO_UID"), *gid = getenv("SUDO_GID");
	uint64_t numbers[2];

	if (getuid() || geteuid() || !uid || !gid)
		return false;
	if (units_number(uid, 1, UINT32_MAX - 1, &numbers[0]) ||
	    units_number(gid, 0, UINT32_MAX - 1, &numbers[1]))
		return false;
	*ret_identity = (struct identity){.uid = numbers[0], .gid = numbers[1]};
	return true;
}

/* These, and none to inherit. */
static int keep_only(uint64_t numbers)
{
	capng_clear(CAPNG_SELECT_CAPS);
	capng_clear(CAPNG_SELECT_AMBIENT);
	for (unsigned int i = 0; i <= CAP_LAST_CAP; i++) {
		if (numbers & bit(i))
			(void)capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, i);
	}
	return capng_apply(CAPNG_SELECT_CAPS) || capng_apply(CAPNG_SELECT_AMBIENT) ? -EPERM : 0;
}

/* All groups that the user is in: a directory may be writable for one of them. Users
 * that have no entry are in one. */
static int take_groups(const struct identity *identity)
{
	const struct passwd *user = getpwuid(identity->uid);

	if (user)
		return initgroups(user->pw_name, identity->gid);
	return setgroups(1, &identity->gid);
}

/* The permitted set stays. */
static int become(const struct identity *identity)
{
	if (identity->uid == geteuid())
		return 0;
	if (prctl(PR_SET_KEEPCAPS, 1) || take_groups(identity) ||
	    setresgid(identity->gid, identity->gid, identity->gid) ||
	    setresuid(identity->uid, identity->uid, identity->uid))
		return -errno;
	(void)prctl(PR_SET_KEEPCAPS, 0);
	return 0;
}

static bool is_writable(const char *path)
{
	char copy[PATH_MAX];

	if (snprintf(copy, sizeof(copy), "%s", path) >= (int)sizeof(copy) ||
	    eaccess(dirname(copy), W_OK | X_OK))
		return false;
	return !eaccess(path, R_OK | W_OK) || errno == ENOENT;
}

/* Whether it could be taken on, and then write there (NULL: nowhere). Tried by a child,
 * for there is no way back. */
static bool could_be(const struct identity *identity, const char *path)
{
	pid_t child = fork();
	int status;

	if (child < 0)
		return false;
	if (!child) {
		bool could = !become(identity) && !keep_only(0) && (!path || is_writable(path));

		_exit(could ? 0 : 1);
	}
	while (waitpid(child, &status, 0) < 0) {
		if (errno != EINTR)
			return false;
	}
	return WIFEXITED(status) && !WEXITSTATUS(status);
}

static struct identity choose_identity(const char *path)
{
	struct identity self = {.uid = geteuid(), .gid = getegid()}, invoker;

	if (find_invoker(&invoker) && could_be(&invoker, path))
		return invoker;
	self.override = path && privileges_has(CAP_DAC_OVERRIDE) && !could_be(&self, path);
	return self;
}

/* --- what to keep --- */

/* Takes them out of the effective set only, or puts them back there. */
static int use_only(uint64_t numbers)
{
	(void)capng_get_caps_process();
	for (unsigned int i = 0; i <= CAP_LAST_CAP; i++) {
		bool wanted = numbers & bit(i);

		(void)capng_update(wanted ? CAPNG_ADD : CAPNG_DROP, CAPNG_EFFECTIVE, i);
	}
	return capng_apply(CAPNG_SELECT_CAPS) ? -EPERM : 0;
}

/*
 * The least that is enough. Since 5.19 (c8644cd0efe7, "bpf: refine
 * kernel.unprivileged_bpf_disabled behaviour") what is done with programs that are
 * loaded takes no capability; before, and where a distribution or a security module
 * sees it otherwise, it does.
 */
static uint64_t find_needed(int (*rehearse)(void *ctx), void *ctx)
{
	const uint64_t sets[] = {
		0,
		bit(CAP_BPF),
		bit(CAP_BPF) | bit(CAP_PERFMON),
		bit(CAP_SYS_ADMIN),
	};
	uint64_t all = privileges_held();

	for (size_t i = 0; i < sizeof(sets) / sizeof(*sets); i++) {
		bool enough = (sets[i] & all) == sets[i] && !use_only(sets[i]) && !rehearse(ctx);

		(void)use_only(all);
		if (enough)
			return sets[i];
	}
	return all & (bit(CAP_BPF) | bit(CAP_PERFMON) | bit(CAP_SYS_ADMIN));
}

int privileges_drop(int (*rehearse)(void *ctx), void *ctx, const char *path)
{
	uint64_t needed = find_needed(rehearse, ctx);
	struct identity identity = choose_identity(path);
	int err;

	if (identity.override)
		needed |= bit(CAP_DAC_OVERRIDE);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	if (privileges_has(CAP_SETPCAP)) {
		capng_clear(CAPNG_SELECT_BOUNDS);
		if (capng_apply(CAPNG_SELECT_BOUNDS))
			return -EPERM;
	}
	err = become(&identity);
	return err ? err : keep_only(needed);
}
