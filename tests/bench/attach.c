/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * attach NAME...
 *
 * Attaches the empty programs of these names, the way synwatch attaches its own; or, with
 * the name bpf_stats, lets the kernel measure every BPF program. Says how many programs
 * there are on stdout and stays until its stdin ends. What this kernel does not have it
 * names on stderr and leaves out.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sys/syscall.h>

#include <linux/perf_event.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "source/tracefs.h"

#include "empty.skel.h"

#define SYSCALLS "tp/syscalls/"

static int silent(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level;
	(void)format;
	(void)args;
	return 0;
}

/* As in user/source/hooks.c: tracefs need not be mounted. */
static struct bpf_link *attach_syscall(const struct bpf_program *program)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_TRACEPOINT, .size = sizeof(attr)};
	int id = tracefs_event_id("syscalls", bpf_program__name(program));
	struct bpf_link *link;
	int fd;

	if (id < 0) {
		errno = -id;
		return NULL;
	}
	attr.config = id;
	fd = syscall(SYS_perf_event_open, &attr, /* pid= */ -1, /* cpu= */ 0, /* group_fd= */ -1,
		     PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		return NULL;
	link = bpf_program__attach_perf_event(program, fd);
	if (!link)
		(void)close(fd);
	return link;
}

static bool attach(const struct bpf_program *program)
{
	bool is_syscall = !strncmp(bpf_program__section_name(program), SYSCALLS, strlen(SYSCALLS));
	struct bpf_link *link = is_syscall ? attach_syscall(program) : bpf_program__attach(program);

	if (!link)
		(void)fprintf(stderr, "attach: %s: %s\n", bpf_program__name(program),
			      strerror(errno));
	return link;
}

/* One that the kernel does not have would spoil the loading of all. */
static int attach_one(const char *name, unsigned int *count)
{
	struct empty *skeleton = empty__open();
	struct bpf_program *program;

	if (!skeleton)
		return -errno;
	bpf_object__for_each_program (program, skeleton->obj)
		(void)bpf_program__set_autoload(program, !strcmp(bpf_program__name(program), name));
	program = bpf_object__find_program_by_name(skeleton->obj, name);
	if (!program || empty__load(skeleton)) {
		(void)fprintf(stderr, "attach: %s: not to be had\n", name);
		empty__destroy(skeleton);
		return 0;
	}
	/* It lasts as long as the process. */
	*count += attach(program);
	return 0;
}

int main(int argc, char **argv)
{
	unsigned int count = 0;
	char nothing[64];
	int err;

	(void)libbpf_set_print(silent);
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "bpf_stats"))
			err = bpf_enable_stats(BPF_STATS_RUN_TIME) < 0 ? -errno : 0;
		else
			err = attach_one(argv[i], &count);
		if (err) {
			(void)fprintf(stderr, "attach: %s: %s\n", argv[i], strerror(-err));
			return 1;
		}
	}
	(void)printf("%u\n", count);
	(void)fflush(stdout);
	while (read(STDIN_FILENO, nothing, sizeof(nothing)) > 0)
		;
	return 0;
}
