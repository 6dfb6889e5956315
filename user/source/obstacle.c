/* SPDX-License-Identifier: GPL-2.0-only */
#include "source/obstacle.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sys/resource.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "source/host.h"
#include "source/privileges.h"

/* Of all maps, rounded up: as in docs/architecture.md. */
#define MAPS_MIB     32
#define MAPS_ALL_MIB 38

#define MIB (1UL << 20)

void obstacle_say(struct obstacle *obstacle, const char *remedy, const char *wrong, ...)
{
	va_list arguments;

	va_start(arguments, wrong);
	(void)vsnprintf(obstacle->wrong, sizeof(obstacle->wrong), wrong, arguments);
	va_end(arguments);
	(void)snprintf(obstacle->remedy, sizeof(obstacle->remedy), "%s", remedy);
}

void obstacle_no_types(struct obstacle *obstacle)
{
	struct btf *btf = btf__load_vmlinux_btf();

	if (btf)
		obstacle_say(obstacle, "a kernel of 5.8 or newer is needed",
			     "this kernel does not have the tracepoint inet_sock_set_state, as far "
			     "as its type information (BTF) says");
	else
		obstacle_say(obstacle,
			     "boot a kernel that is built with CONFIG_DEBUG_INFO_BTF=y (every "
			     "current distribution's is), and let /sys be mounted here",
			     "this kernel shows no type information (BTF): there is no "
			     "/sys/kernel/btf/vmlinux that can be read");
	btf__free(btf);
}

/* --- trying less --- */

/* The smallest map that takes the privilege. Returns 0 or a negative errno. */
static int try_map(void)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "try", 0, 0, getpagesize(), NULL);

	if (fd < 0)
		return -errno;
	(void)close(fd);
	return 0;
}

/* The smallest program for a tracepoint's own arguments: "return 0". */
static int try_program(void)
{
	const struct bpf_insn instructions[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_TRACE_RAW_TP);
	int fd, id = libbpf_find_vmlinux_btf_id("inet_sock_set_state", BPF_TRACE_RAW_TP);

	if (id < 0)
		return id;
	opts.attach_btf_id = id;
	fd = bpf_prog_load(BPF_PROG_TYPE_TRACING, "try", "GPL", instructions,
			   sizeof(instructions) / sizeof(*instructions), &opts);
	if (fd < 0)
		return -errno;
	(void)close(fd);
	return 0;
}

bool obstacle_is_program(int err)
{
	return err != -ENOMEM && !try_map() && !try_program();
}

/* --- the sentences --- */

static bool lacks_privilege(struct obstacle *obstacle)
{
	const struct privilege *privileges;
	const char *first = NULL, *second = NULL;
	size_t count;

	privileges = privileges_table(&count);
	for (size_t i = 0; i < count && privileges[i].indispensable; i++) {
		if (privileges_may(privileges[i].number))
			continue;
		second = first ? privileges[i].name : NULL;
		first = first ? first : privileges[i].name;
	}
	if (!first)
		return false;
	if (geteuid())
		obstacle_say(obstacle,
			     "run it with sudo, or give it CAP_BPF and CAP_PERFMON (see PRIVILEGES "
			     "in its manual page)",
			     "user %u may not load the BPF programs, for want of %s%s%s", geteuid(),
			     first, second ? " and " : "", second ? second : "");
	else
		obstacle_say(obstacle,
			     "give this container CAP_BPF and CAP_PERFMON (docker run --cap-add "
			     "BPF --cap-add PERFMON)",
			     "root may not load the BPF programs here, for want of %s%s%s", first,
			     second ? " and " : "", second ? second : "");
	return true;
}

static bool is_memory_short(struct obstacle *obstacle, int err)
{
	struct rlimit limit;

	if (err == -ENOMEM) {
		obstacle_say(obstacle,
			     "raise the memory limit of this cgroup (container, unit), or free "
			     "some memory",
			     "there is no memory for the BPF maps, which take %d MiB, with --all "
			     "%d MiB",
			     MAPS_MIB, MAPS_ALL_MIB);
		return true;
	}
	if (!host_charges_memlock() || getrlimit(RLIMIT_MEMLOCK, &limit) ||
	    limit.rlim_cur > MAPS_ALL_MIB * MIB)
		return false;
	obstacle_say(obstacle, "raise it (ulimit -l unlimited), or give it CAP_SYS_RESOURCE",
		     "this kernel charges the BPF maps, %d MiB, with --all %d MiB, to "
		     "RLIMIT_MEMLOCK, which is %lu KiB",
		     MAPS_MIB, MAPS_ALL_MIB, (unsigned long)limit.rlim_cur / 1024);
	return true;
}

static bool is_locked_down(struct obstacle *obstacle)
{
	char mode[32];

	/* LOCKDOWN_BPF_READ_KERNEL is among the reasons of this mode only. */
	if (host_lockdown(mode, sizeof(mode)) || strcmp(mode, "confidentiality"))
		return false;
	obstacle_say(obstacle,
		     "boot with lockdown=integrity, or without Secure Boot's lockdown, if that is "
		     "acceptable",
		     "the kernel is locked down (confidentiality), in which no BPF program may "
		     "read it");
	return true;
}

static void tell_denial(struct obstacle *obstacle, const char *what, int err)
{
	char modules[128];

	if (host_has_seccomp())
		obstacle_say(obstacle,
			     "let it use bpf(2) and perf_event_open(2) (docker run --security-opt "
			     "seccomp=unconfined, or a profile that has them)",
			     "it has the privileges, but may not %s (%s): a seccomp filter is in "
			     "force here",
			     what, strerror(-err));
	else if (!host_security_modules(modules, sizeof(modules)))
		obstacle_say(obstacle,
			     "look into the audit log (ausearch -m avc, dmesg) for what it denies",
			     "it has the privileges, but may not %s (%s): probably a security "
			     "module forbids it, of %s",
			     what, strerror(-err), modules);
	else
		obstacle_say(obstacle,
			     "look into the audit log and the kernel's (dmesg) for what denies it",
			     "it has the privileges, but may not %s (%s): probably a security "
			     "module forbids it",
			     what, strerror(-err));
}

static bool is_denied(struct obstacle *obstacle)
{
	int map = try_map(), program = map ? map : try_program();

	if (map == -EPERM || map == -EACCES)
		tell_denial(obstacle, "make BPF maps", map);
	else if (program == -EPERM || program == -EACCES)
		tell_denial(obstacle, "load BPF programs", program);
	else if (map == -ENOSYS)
		obstacle_say(obstacle, "boot one that is built with CONFIG_BPF_SYSCALL=y",
			     "this kernel has no bpf(2)");
	else if (map == -EINVAL)
		obstacle_say(obstacle, "a kernel of 5.8 or newer is needed",
			     "this kernel is too old: it has no BPF ring buffer");
	else
		return false;
	return true;
}

void obstacle_refused(struct obstacle *obstacle, int err)
{
	bool permission = err == -EPERM || err == -EACCES;

	if (permission && privileges_in_user_namespace())
		obstacle_say(obstacle,
			     "run it outside of the container, or in one that has the host's users "
			     "(not rootless, no userns-remap)",
			     "the kernel lets nobody load BPF programs from within a user "
			     "namespace, whatever the capabilities there");
	else if (!(permission && lacks_privilege(obstacle)) && !is_memory_short(obstacle, err) &&
		 !is_locked_down(obstacle) && !is_denied(obstacle))
		obstacle_say(obstacle, "run it with -v to see what it objects to, and report that",
			     "this kernel refuses the BPF programs, though not BPF programs as "
			     "such (%s)",
			     strerror(-err));
}
