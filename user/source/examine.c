/* SPDX-License-Identifier: GPL-2.0-only */
#include "source/examine.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sys/resource.h>
#include <sys/stat.h>

#include "cli/lookup.h"
#include "core/offers.h"
#include "core/sysctls.h"
#include "source/clock.h"
#include "source/host.h"
#include "source/libbpf_log.h"
#include "source/live.h"
#include "source/privileges.h"
#include "source/procfs.h"
#include "source/tracefs.h"

#define NSEC_PER_SEC 1000000000U

struct examination {
	examine_fn tell;
	void *ctx;
	uid_t uid;
	bool watched;
	bool lacks_privilege; /* one that something is lost for */
	bool lacks_hook;
	bool lacks_entry;
};

static void tell(struct examination *examination, enum finding_group group, enum finding_mark mark,
		 const char *name, const char *value, const char *meaning, ...)
	__attribute__((format(printf, 6, 7)));
static void tell(struct examination *examination, enum finding_group group, enum finding_mark mark,
		 const char *name, const char *value, const char *meaning, ...)
{
	struct finding finding = {.mark = mark, .group = group};
	va_list arguments;

	(void)snprintf(finding.name, sizeof(finding.name), "%s", name);
	(void)snprintf(finding.value, sizeof(finding.value), "%s", value);
	va_start(arguments, meaning);
	(void)vsnprintf(finding.meaning, sizeof(finding.meaning), meaning, arguments);
	va_end(arguments);
	examination->tell(examination->ctx, &finding);
}

/* --- the kernel --- */

static void examine_types(struct examination *examination)
{
	static const char path[] = "/sys/kernel/btf/vmlinux";

	if (!access(path, R_OK))
		tell(examination, FINDING_KERNEL, FINDING_OK, "btf", path,
		     "the kernel's types, by which the programs are fitted to it");
	else
		tell(examination, FINDING_KERNEL, FINDING_NO, "btf", strerror(errno),
		     "no %s: a kernel built with CONFIG_DEBUG_INFO_BTF=y is needed", path);
}

static void examine_lockdown(struct examination *examination)
{
	char mode[32], modules[FINDING_VALUE_SIZE];

	if (host_lockdown(mode, sizeof(mode)))
		tell(examination, FINDING_KERNEL, FINDING_INFO, "lockdown", "unknown",
		     "securityfs is not mounted, or this kernel has no lockdown");
	else if (!strcmp(mode, "confidentiality"))
		tell(examination, FINDING_KERNEL, FINDING_NO, "lockdown", mode,
		     "no BPF program may read the kernel");
	else
		tell(examination, FINDING_KERNEL, FINDING_OK, "lockdown", mode,
		     "does not keep BPF programs from reading the kernel");
	if (!host_security_modules(modules, sizeof(modules)))
		tell(examination, FINDING_KERNEL, FINDING_INFO, "security_modules", modules,
		     "one of these may forbid what the privileges allow");
}

/* Sysctls of the kernel that concern those who trace it. */
static void examine_knobs(struct examination *examination)
{
	static const struct {
		const char *path;
		const char *bad; /* this value is told as a loss */
		const char *meaning;
		const char *meaning_bad;
	} knobs[] = {
		{"kernel/unprivileged_bpf_disabled", NULL,
		 "whether BPF is for everybody (0); these programs take CAP_BPF either way", NULL},
		{"kernel/perf_event_paranoid", NULL,
		 "from 2 on addresses in /proc/kallsyms take CAP_SYSLOG", NULL},
		{"kernel/kptr_restrict", "2",
		 "from 1 on addresses in /proc/kallsyms take CAP_SYSLOG",
		 "nobody sees addresses in /proc/kallsyms: the place of a drop has no name"},
		{"net/core/bpf_jit_enable", "0", "BPF programs are compiled",
		 "BPF programs are interpreted: watching costs several times as much"},
	};

	for (size_t i = 0; i < sizeof(knobs) / sizeof(*knobs); i++) {
		char path[PATH_MAX], value[64];
		bool is_bad;

		(void)snprintf(path, sizeof(path), "/proc/sys/%s", knobs[i].path);
		/* Some are for root's eyes, or built in. */
		if (host_read(path, value, sizeof(value)))
			continue;
		is_bad = knobs[i].bad && !strcmp(value, knobs[i].bad);
		tell(examination, FINDING_KERNEL, is_bad ? FINDING_LESS : FINDING_INFO,
		     strrchr(path, '/') + 1, value, "%s",
		     is_bad ? knobs[i].meaning_bad : knobs[i].meaning);
	}
}

static void examine_memlock(struct examination *examination)
{
	struct rlimit limit;
	char value[32];

	if (!host_charges_memlock()) {
		tell(examination, FINDING_KERNEL, FINDING_OK, "memory", "memory cgroup",
		     "the maps are charged to it; RLIMIT_MEMLOCK does not matter");
		return;
	}
	if (getrlimit(RLIMIT_MEMLOCK, &limit))
		return;
	(void)snprintf(value, sizeof(value), "%" PRIu64 " KiB", (uint64_t)limit.rlim_cur / 1024);
	tell(examination, FINDING_KERNEL,
	     privileges_has(PRIVILEGES_RAISE_LIMITS) || limit.rlim_cur == RLIM_INFINITY
		     ? FINDING_OK
		     : FINDING_INFO,
	     "rlimit_memlock", limit.rlim_cur == RLIM_INFINITY ? "unlimited" : value,
	     "this kernel charges the maps to it; CAP_SYS_RESOURCE raises it");
}

static void examine_tracefs(struct examination *examination)
{
	static const char path[] = "/sys/kernel/tracing/events";
	int id = tracefs_event_id("syscalls", "sys_enter_connect");

	if (id > 0)
		tell(examination, FINDING_KERNEL, FINDING_OK, "tracefs",
		     access(path, R_OK) ? "mounted for the moment" : "mounted",
		     "names the system call tracepoints");
	else
		tell(examination, FINDING_KERNEL, FINDING_LESS, "tracefs", strerror(-id),
		     "mount it and let this user read it, or give CAP_SYS_ADMIN: without it "
		     "connect() errors before the SYN are not seen");
}

static void examine_kernel(struct examination *examination, struct diagnosis *diagnosis)
{
	host_describe(diagnosis->host, sizeof(diagnosis->host), diagnosis->kernel,
		      sizeof(diagnosis->kernel));
	tell(examination, FINDING_KERNEL, FINDING_INFO, "release", diagnosis->kernel,
	     "for people: nothing is decided by it");
	examine_types(examination);
	examine_lockdown(examination);
	examine_knobs(examination);
	examine_memlock(examination);
	examine_tracefs(examination);
}

/* --- privileges and namespaces --- */

/* What was held before the watch was tried, and what that kept. */
static void examine_privileges(struct examination *examination, uint64_t held)
{
	bool stands_in = held & PRIVILEGES_STAND_IN;
	const struct privilege *table;
	char value[FINDING_VALUE_SIZE];
	size_t count;

	(void)snprintf(value, sizeof(value), "%u", examination->uid);
	tell(examination, FINDING_PRIVILEGES, FINDING_INFO, "user", value, "%s",
	     host_has_seccomp() ? "a seccomp filter may forbid what the capabilities allow"
				: "no seccomp filter is in force");
	table = privileges_table(&count);
	for (size_t i = 0; i < count; i++) {
		bool has = held & 1ULL << table[i].number;
		bool may = has || (table[i].indispensable && stands_in);
		enum finding_mark mark = table[i].indispensable ? FINDING_NO : FINDING_LESS;

		if (table[i].number == PRIVILEGES_RAISE_LIMITS && !host_charges_memlock())
			mark = FINDING_INFO;
		examination->lacks_privilege |= !may && mark == FINDING_LESS;
		tell(examination, FINDING_PRIVILEGES, may ? FINDING_OK : mark, table[i].name,
		     has   ? "held"
		     : may ? "CAP_SYS_ADMIN stands in"
			   : "missing",
		     "%s", may ? table[i].purpose : table[i].loss);
	}
	if (!examination->watched)
		return;
	privileges_list(value, sizeof(value));
	tell(examination, FINDING_PRIVILEGES, FINDING_INFO, "kept", *value ? value : "none",
	     "what a watch keeps of these once everything is attached");
}

/* How many network namespaces there are, and how many can be entered. */
struct count {
	int home_fd;
	size_t known;
	size_t entered;
};

static bool visit(void *ctx, const char *path, uint64_t inode)
{
	struct count *count = ctx;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int err = 0;

	(void)inode;
	if (fd >= 0 && setns(fd, CLONE_NEWNET))
		err = errno;
	if (fd >= 0)
		(void)close(fd);
	/* Mounted, but of another kind. */
	if (err == EINVAL)
		return true;
	count->known++;
	count->entered += fd >= 0 && !err;
	return true;
}

static void examine_networks(struct examination *examination)
{
	struct count count = {.home_fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)};
	char value[64];

	if (count.home_fd < 0) {
		tell(examination, FINDING_NAMESPACES, FINDING_LESS, "network", strerror(errno),
		     "/proc does not show this process's namespace");
		return;
	}
	(void)procfs_each_netns("/proc", visit, &count);
	/* Without the privilege to leave it was never left. */
	(void)setns(count.home_fd, CLONE_NEWNET);
	(void)close(count.home_fd);
	(void)snprintf(value, sizeof(value), "%zu of %zu can be entered", count.entered,
		       count.known);
	tell(examination, FINDING_NAMESPACES,
	     count.entered == count.known ? FINDING_OK : FINDING_LESS, "network", value,
	     "all are watched; what hangs or listens already is found in those that can be "
	     "entered");
}

static void examine_namespaces(struct examination *examination)
{
	char path[PATH_MAX];

	if (privileges_in_user_namespace())
		tell(examination, FINDING_NAMESPACES, FINDING_NO, "user", "one of its own",
		     "capabilities held here are none to bpf(2)");
	else
		tell(examination, FINDING_NAMESPACES, FINDING_OK, "user", "the host's",
		     "capabilities held here count");
	if (privileges_in_pid_namespace())
		tell(examination, FINDING_NAMESPACES, FINDING_LESS, "pid", "one of its own",
		     "PIDs are told and filtered as the host sees them, not as they are in here; "
		     "whose a socket from before the start is, is known for what lives in here");
	else
		tell(examination, FINDING_NAMESPACES, FINDING_OK, "pid", "the host's",
		     "PIDs are told as they are seen here");
	examine_networks(examination);
	if (lookup_cgroup_mount(path, sizeof(path)))
		tell(examination, FINDING_NAMESPACES, FINDING_LESS, "cgroup", "no cgroup v2",
		     "--cgroup cannot be used; before Linux 5.15 adopted ones have none");
	else
		tell(examination, FINDING_NAMESPACES, FINDING_OK, "cgroup", path,
		     "the tree for --cgroup");
}

/* --- the network's sysctls --- */

static void examine_sysctls(struct examination *examination)
{
	static const char proc[] = "/proc/sys/net/";
	char texts[SYSCTLS_COUNT][FINDING_VALUE_SIZE];
	const char *values[SYSCTLS_COUNT];
	char path[PATH_MAX];

	for (size_t i = 0; i < SYSCTLS_COUNT; i++) {
		int err;

		(void)snprintf(path, sizeof(path), "%s%s", proc, sysctls_path(i));
		texts[i][0] = '\0';
		err = host_read(path, texts[i], sizeof(texts[i]));
		/* An empty list is a line, too. */
		values[i] = err && err != -ENODATA ? NULL : texts[i];
		for (char *tab = texts[i]; (tab = strchr(tab, '\t'));)
			*tab = ' ';
	}
	for (size_t i = 0; i < SYSCTLS_COUNT; i++) {
		struct finding finding;

		sysctls_explain(values, NSEC_PER_SEC / clock_tick_ns(), i, &finding);
		if (*finding.meaning)
			examination->tell(examination->ctx, &finding);
	}
}

/* --- the watch, tried --- */

static void tell_offer(struct examination *examination, const struct session *session,
		       const struct offer *offer)
{
	const struct session_hook *hook = session_find_hook(session, offer->name);
	const char *since = offer->since ? offer->since : "";

	/* One that the kernel has no part of. */
	if (!hook)
		return;
	if (!*hook->why_not) {
		tell(examination, FINDING_HOOKS, FINDING_OK, offer->name, "works", "%s",
		     offer->what);
		return;
	}
	examination->lacks_hook |= offer->kind == OFFER_HOOK || offer->kind == OFFER_REFINEMENT;
	examination->lacks_entry |= offer->kind == OFFER_ENTRY;
	tell(examination, FINDING_HOOKS, FINDING_LESS, offer->name, hook->why_not, "%s%s%s%s",
	     offer->loss, *since ? " (since Linux " : "", since, *since ? ")" : "");
}

static void conclude(const struct examination *examination, const struct obstacle *why,
		     struct diagnosis *diagnosis)
{
	char *advice = diagnosis->advice;
	size_t size = sizeof(diagnosis->advice);

	if (!diagnosis->watchable)
		(void)snprintf(advice, size, "This host cannot be watched: %s. To do: %s.",
			       why->wrong, why->remedy);
	else if (examination->lacks_privilege)
		(void)snprintf(
			advice, size,
			"This host can be watched. To see more: run it with sudo, or give it "
			"the capabilities that are missing.");
	else if (examination->lacks_hook || examination->lacks_entry)
		(void)snprintf(advice, size,
			       "This host can be watched; what is missing takes %s kernel. "
			       "Nothing to do.",
			       examination->lacks_hook ? "a newer" : "another");
	else
		(void)snprintf(advice, size,
			       "This host can be watched, with all there is. Nothing to do.");
}

static void examine_hooks(struct examination *examination, const struct session *session)
{
	const struct offer *offers;
	size_t count;

	if (!session) {
		tell(examination, FINDING_HOOKS, FINDING_NO, "hooks", "none", "see the last line");
		return;
	}
	offers = offers_table(&count);
	for (size_t i = 0; i < count; i++)
		tell_offer(examination, session, &offers[i]);
}

void examine_host(const char *version, examine_fn tell_finding, void *ctx,
		  struct diagnosis *ret_diagnosis)
{
	struct examination examination = {
		.tell = tell_finding,
		.ctx = ctx,
		.uid = geteuid(),
	};
	const struct filter filter = {};
	const struct live_options options = {.filter = &filter, .version = version};
	uint64_t held = privileges_held();
	struct source *source = NULL;
	struct obstacle why;

	libbpf_log_quiet();
	*ret_diagnosis = (struct diagnosis){};
	(void)snprintf(ret_diagnosis->version, sizeof(ret_diagnosis->version), "%s", version);
	examine_kernel(&examination, ret_diagnosis);
	/* All that takes privileges comes first: the watch gives them up. */
	examine_namespaces(&examination);
	examination.watched = !live_open(&options, &why, &source);
	examine_hooks(&examination, source ? source_session(source) : NULL);
	examine_privileges(&examination, held);
	source_free(source);
	examine_sysctls(&examination);
	ret_diagnosis->watchable = examination.watched;
	conclude(&examination, &why, ret_diagnosis);
}
