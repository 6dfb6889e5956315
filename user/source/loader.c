/* SPDX-License-Identifier: GPL-2.0-only */
#include "source/loader.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/syscall.h>

#include <bpf/libbpf.h>

#include "cli/log.h"
#include "source/clock.h"
#include "source/exchange.h"
#include "source/hooks.h"
#include "source/knobs.h"

#include "synwatch/config.h"

#include "synwatch.skel.h"

#define NSEC_PER_MSEC 1000000ULL

/* The first retransmission is due after 1 s and may come an eighth late; only
 * a handshake that is silent beyond that is worth a look. */
#define QUIET_DEFAULT_NS (1175 * NSEC_PER_MSEC)

/* Threads inside connect(2), where its entry is needed. */
#define CONNECTING 16384

/* With --all: 8 MiB hold a quarter of a second at 70,000 handshakes/s, and the
 * reader is woken when an eighth of it is full. */
#define RING_ALL_BYTES	 (8U << 20)
#define WAKEUP_ALL_BYTES (RING_ALL_BYTES / 8)

/* A quarter of the 16384 that bpf/drop.bpf.h keeps: all CPUs together take four
 * seconds to turn them over, the time in which the handshake they belong to claims
 * them. And a CPU's least in 100 ms. */
#define STRAYS_PER_SECOND 4096
#define STRAYS_MIN	  8

/* Server handshakes in trouble that are told one by one: more are a crowd. */
#define TOLD_PER_SECOND 200
#define TOLD_MIN	5
#define TOLD_PER_PORT	20

struct loader {
	const struct live_options *options;
	struct session *session;
	struct synwatch *skeleton;
	/* libbpf is to look at all types of the kernel, not at a copy of some. */
	bool all_types;
};

/* One CPU's share of 100 ms. */
static uint64_t per_window(uint64_t per_second, uint64_t min)
{
	int cpus = libbpf_num_possible_cpus();
	uint64_t share = per_second / 10 / (cpus > 0 ? cpus : 1);

	return share > min ? share : min;
}

static void configure(const struct loader *loader)
{
	const struct live_options *options = loader->options;
	struct synwatch *skeleton = loader->skeleton;
	struct sw_config *config = &skeleton->rodata->config;

	config->filters = options->filter->kinds;
	config->tick_ns = clock_tick_ns();
	config->quiet_ns = options->stall_after_ns ? options->stall_after_ns : QUIET_DEFAULT_NS;
	config->stream_all = options->all;
	config->has_cookies = !hooks_lack(loader->session, HOOKS_COOKIE);
	config->fresh = exchange_is_there();
	config->exit_alone = bpf_program__autoload(skeleton->progs.sys_exit_connect_alone);
	config->nr_connect = __NR_connect;
	config->resets_tell = bpf_program__autoload(skeleton->progs.tcp_receive_reset);
	config->retries_tell = bpf_program__autoload(skeleton->progs.tcp_retransmit_skb_err);
	config->strays_per_window = per_window(STRAYS_PER_SECOND, STRAYS_MIN);
	config->told_per_window = per_window(TOLD_PER_SECOND, TOLD_MIN);
	config->told_per_port = TOLD_PER_PORT;
	skeleton->bss->seeding = bpf_program__autoload(skeleton->progs.seed);
	if (!config->exit_alone)
		(void)bpf_map__set_max_entries(skeleton->maps.connecting, CONNECTING);
	if (options->all) {
		config->wakeup_bytes = WAKEUP_ALL_BYTES;
		(void)bpf_map__set_max_entries(skeleton->maps.records, RING_ALL_BYTES);
	}
}

static int load_opened(struct loader *loader, const struct hooks_choice *choice)
{
	struct bpf_object *object = loader->skeleton->obj;
	int err;

	loader->session->hook_count = 0;
	err = hooks_choose(object, choice, loader->session);
	if (err)
		return err;
	configure(loader);
	err = loader->skeleton->rodata->config.fresh ? 0 : exchange_leave_out(object);
	if (!err)
		err = knobs_size(object, loader->options->filter);
	if (!err)
		err = synwatch__load(loader->skeleton);
	return err;
}

/* Where libbpf is to read the kernel's types: it opens a path, and at once, so this is
 * one of an empty file in memory. Returns its descriptor, or -1. */
static int open_types(char *path, size_t size)
{
	int fd = memfd_create("types", MFD_CLOEXEC);

	if (fd < 0)
		return -1;
	(void)snprintf(path, size, "/proc/self/fd/%d", fd);
	if (!access(path, R_OK))
		return fd;
	(void)close(fd);
	return -1;
}

/* Returns 0, -ENOENT if there is nothing to load, or the negative errno of loading. */
static int load_chosen(struct loader *loader, struct hooks_choice choice)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts);
	char path[32];
	int err;

	choice.types_fd = loader->all_types ? -1 : open_types(path, sizeof(path));
	if (choice.types_fd >= 0)
		opts.btf_custom_path = path;
	else
		loader->all_types = true;
	loader->skeleton = synwatch__open_opts(&opts);
	err = loader->skeleton ? load_opened(loader, &choice) : -errno;
	if (choice.types_fd >= 0)
		(void)close(choice.types_fd);
	return err;
}

static void unload(struct loader *loader)
{
	synwatch__destroy(loader->skeleton);
	loader->skeleton = NULL;
}

/* The optional programs that the kernel refuses, each tried without the others. */
static uint32_t find_refused(struct loader *loader)
{
	uint32_t refused = 0;

	for (unsigned int i = 0; i < HOOKS_MAX; i++) {
		if (!hooks_is_optional(i))
			continue;
		if (load_chosen(loader, (struct hooks_choice){.only = (int)i}))
			refused |= 1U << i;
		unload(loader);
	}
	return refused;
}

/* Not -ENOENT: then the kernel lacks what all of them need. */
static bool is_for_a_program(int err)
{
	return err && err != -ENOENT && obstacle_is_program(err);
}

static int load_what_can_be(struct loader *loader)
{
	struct hooks_choice choice = {.only = -1};
	int err = load_chosen(loader, choice);

	/* A type may be a module's. */
	if (is_for_a_program(err) && !loader->all_types) {
		log_debug("it is tried again with all types of the kernel");
		unload(loader);
		loader->all_types = true;
		err = load_chosen(loader, choice);
	}
	/* One program that this kernel does not like need not keep the others away. */
	if (is_for_a_program(err)) {
		unload(loader);
		choice.refused = find_refused(loader);
		err = load_chosen(loader, choice);
	}
	return err;
}

int loader_load(const struct live_options *options, struct session *session,
		struct obstacle *ret_why, struct synwatch **ret_skeleton)
{
	struct loader loader = {.options = options, .session = session};
	int err = load_what_can_be(&loader);

	if (err == -ENOENT) {
		obstacle_no_types(ret_why);
		unload(&loader);
		return err;
	}
	if (!err)
		err = knobs_fill(loader.skeleton->obj, options->filter);
	if (err) {
		obstacle_refused(ret_why, err);
		unload(&loader);
		return err;
	}
	*ret_skeleton = loader.skeleton;
	return 0;
}
