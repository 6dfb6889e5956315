/* SPDX-License-Identifier: GPL-2.0-only */
#include "sandbox.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#include <sys/ioctl.h>
#include <sys/mman.h>

#include <linux/bpf.h>
#include <linux/perf_event.h>

#include <seccomp.h>

/*
 * By name, for numbers differ between machines; a name that this machine does not have,
 * or libseccomp does not know, is passed over. Beside each call that is used stand the
 * forms that other C libraries, machines and releases use for the same.
 */
/* clang-format off */
static const char *const calls[] = {
	/* waiting, time, threads that there are */
	"epoll_wait", "epoll_pwait", "epoll_pwait2", "poll", "ppoll", "ppoll_time64", "futex",
	"futex_time64", "futex_wake", "futex_wait", "nanosleep", "clock_nanosleep",
	"clock_nanosleep_time64", "clock_gettime", "clock_gettime64", "clock_getres",
	"clock_getres_time64", "gettimeofday", "time", "sched_yield", "restart_syscall",
	"set_robust_list", "membarrier", "rseq", "getcpu", "sched_getaffinity",
	/* data */
	"read", "readv", "pread64", "preadv", "write", "writev", "pwrite64", "pwritev", "lseek",
	"_llseek", "close", "close_range", "dup", "pipe2", "eventfd2",
	/* files: the capture and what is beside it, the time zone, the kernel's types */
	"open", "openat", "openat2", "stat", "stat64", "lstat", "lstat64", "fstat", "fstat64",
	"newfstatat", "fstatat64", "statx", "statfs", "statfs64", "fstatfs", "fstatfs64", "access",
	"faccessat", "faccessat2", "readlink", "readlinkat", "getcwd", "fcntl", "fcntl64", "flock",
	"ftruncate", "ftruncate64", "truncate", "fallocate", "fsync", "fdatasync",
	"sync_file_range", "fadvise64", "unlink", "unlinkat", "rename", "renameat", "renameat2",
	"mkdir", "mkdirat", "rmdir", "fchmod", "fchown", "fchown32", "utime", "utimes",
	"utimensat", "umask", "getdents64",
	/* memory */
	"brk", "munmap", "mremap", "madvise", "mincore", "msync",
	/* who one is, for what asks; signals, and the way out */
	"getpid", "gettid", "getppid", "getuid", "geteuid", "getgid", "getegid", "getuid32",
	"geteuid32", "getgid32", "getegid32", "getrlimit", "ugetrlimit", "prlimit64", "getrusage",
	"sysinfo", "uname", "getrandom", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn",
	"sigreturn", "sigaltstack", "rt_sigpending", "tgkill", "exit", "exit_group",
};
/* clang-format on */

/* Calls of which only some uses are needed: an argument, seen through a mask. */
static const struct {
	const char *name;
	unsigned int argument;
	uint64_t mask;
	uint64_t value;
} uses[] = {
	/* nothing that is loaded, made or changed */
	{"bpf", 0, UINT32_MAX, BPF_MAP_LOOKUP_ELEM},
	{"bpf", 0, UINT32_MAX, BPF_OBJ_GET_INFO_BY_FD},
	{"bpf", 0, UINT32_MAX, BPF_ITER_CREATE},
	/* consume_skb: what is loaded already */
	{"bpf", 0, UINT32_MAX, BPF_LINK_CREATE},
	{"bpf", 0, UINT32_MAX, BPF_RAW_TRACEPOINT_OPEN},
	/* the way out of the system call tracepoints */
	{"ioctl", 1, UINT32_MAX, PERF_EVENT_IOC_DISABLE},
	/* is it a terminal, how wide */
	{"ioctl", 1, UINT32_MAX, TCGETS},
	{"ioctl", 1, UINT32_MAX, TIOCGWINSZ},
	/* no code but what there is */
	{"mmap", 2, PROT_EXEC, 0},
	{"mmap2", 2, PROT_EXEC, 0},
	{"mprotect", 2, PROT_EXEC, 0},
};

static int allow(scmp_filter_ctx filter)
{
	int err = 0;

	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls) && !err; i++) {
		int number = seccomp_syscall_resolve_name(calls[i]);

		if (number != __NR_SCMP_ERROR)
			err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0);
	}
	for (size_t i = 0; i < sizeof(uses) / sizeof(*uses) && !err; i++) {
		int number = seccomp_syscall_resolve_name(uses[i].name);

		if (number != __NR_SCMP_ERROR)
			err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 1,
					       SCMP_CMP(uses[i].argument, SCMP_CMP_MASKED_EQ,
							uses[i].mask, uses[i].value));
	}
	return err;
}

/* LeakSanitizer starts a thread and traces the others with it, on the way out. */
#ifdef __SANITIZE_ADDRESS__
#define IS_SANITIZED 1
#else
#define IS_SANITIZED 0
#endif

int sandbox_enter(void)
{
	scmp_filter_ctx filter;
	int err;

	if (IS_SANITIZED)
		return 0;
	filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	if (!filter)
		return -ENOMEM;
	err = allow(filter);
	/* The thread that writes a capture, too. */
	if (!err)
		err = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	if (!err)
		err = seccomp_attr_set(filter, SCMP_FLTATR_CTL_LOG, 1);
	if (!err)
		err = seccomp_load(filter);
	seccomp_release(filter);
	return err;
}
