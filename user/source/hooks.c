/* SPDX-License-Identifier: GPL-2.0-only */
#include "source/hooks.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sys/syscall.h>

#include <linux/perf_event.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>

#include "source/tracefs.h"

enum hook_kind {
	HOOK_TP_BTF,  /* a tracepoint's own arguments */
	HOOK_SYSCALL, /* a tracefs event of category syscalls */
	HOOK_SWEEP,   /* an iterator over the elements of a map */
	HOOK_SEED,    /* an iterator over the TCP sockets of a namespace */
	HOOK_VICTIMS, /* a tracepoint, attached on demand */
};

struct hook {
	const char *program;
	const char *name; /* in the session; the event it attaches to */
	enum hook_kind kind;
	/* Arguments of the tracepoint, as of which and up to which this variant
	 * fits; 0: any number. A program that reads an argument too many is
	 * refused by the verifier. */
	unsigned int min_args;
	unsigned int max_args;
	bool indispensable;
	const char *map; /* HOOK_SWEEP: that map */
};

static const struct hook all_hooks[] = {
	{.program = "inet_sock_set_state", .name = "inet_sock_set_state", .indispensable = true},
	{.program = "tcp_retransmit_skb", .name = "tcp_retransmit_skb", .max_args = 2},
	/* 6.17, ad892e91 ("tcp: trace retransmit failures in tcp_retransmit_skb") */
	{.program = "tcp_retransmit_skb_err", .name = "tcp_retransmit_skb", .min_args = 3},
	{.program = "tcp_retransmit_synack", .name = "tcp_retransmit_synack"},
	{.program = "tcp_receive_reset", .name = "tcp_receive_reset"},
	{.program = "tcp_send_reset", .name = "tcp_send_reset"},
	/* The reason came with 5.17, the socket that was to have it with 6.11. */
	{.program = "kfree_skb", .name = "kfree_skb", .min_args = 3, .max_args = 3},
	{.program = "kfree_skb_sk", .name = "kfree_skb", .min_args = 4},
	/* 6.11, and in stable kernels as of 6.1 */
	{.program = "icmp_send", .name = "icmp_send", .min_args = 3},
	{.program = "consume_skb", .name = "consume_skb", .kind = HOOK_VICTIMS},
	{.program = "look", .name = "bpf_map_elem", .kind = HOOK_SWEEP, .map = "handshakes"},
	{.program = "look_request", .name = "bpf_map_elem", .kind = HOOK_SWEEP, .map = "requests"},
	{.program = "look_listener",
	 .name = "bpf_map_elem",
	 .kind = HOOK_SWEEP,
	 .map = "listeners"},
	{.program = "look_crowd", .name = "bpf_map_elem", .kind = HOOK_SWEEP, .map = "crowds"},
	{.program = "seed", .name = "tcp_iter", .kind = HOOK_SEED},
	{.program = "sys_enter_connect", .name = "sys_enter_connect", .kind = HOOK_SYSCALL},
	{.program = "sys_exit_connect", .name = "sys_exit_connect", .kind = HOOK_SYSCALL},
};

#define HOOK_COUNT (sizeof(all_hooks) / sizeof(*all_hooks))
_Static_assert(HOOK_COUNT <= HOOKS_MAX && HOOK_COUNT <= SESSION_HOOKS_MAX, "hooks do not fit");

static void note(struct session *session, const char *name, const char *why_not)
{
	struct session_hook *hook = &session->hooks[session->hook_count++];

	(void)snprintf(hook->name, sizeof(hook->name), "%s", name);
	(void)snprintf(hook->why_not, sizeof(hook->why_not), "%s", why_not);
}

/* Arguments of a tracepoint, or -ENOENT. Its type is declared as
 * typedef void (*btf_trace_NAME)(void *, ...), include/trace/bpf_probe.h. */
static int tracepoint_args(const struct btf *btf, const char *name)
{
	const struct btf_type *type;
	char typedef_name[128];
	int id;

	(void)snprintf(typedef_name, sizeof(typedef_name), "btf_trace_%s", name);
	id = btf__find_by_name_kind(btf, typedef_name, BTF_KIND_TYPEDEF);
	if (id < 0)
		return -ENOENT;
	type = btf__type_by_id(btf, id);
	type = btf__type_by_id(btf, type->type);
	if (!btf_is_ptr(type))
		return -ENOENT;
	type = btf__type_by_id(btf, type->type);
	if (!btf_is_func_proto(type) || !btf_vlen(type))
		return -ENOENT;
	return btf_vlen(type) - 1;
}

/* 0 if this kernel can run it, -E2BIG if another variant is the one that fits,
 * -ENOENT if there is nothing to attach to. */
static int check(const struct btf *btf, const struct hook *hook)
{
	int args;

	switch (hook->kind) {
	case HOOK_TP_BTF:
	case HOOK_VICTIMS:
		args = tracepoint_args(btf, hook->name);
		if (args < 0)
			return args;
		if ((unsigned int)args < hook->min_args ||
		    (hook->max_args && (unsigned int)args > hook->max_args))
			return -E2BIG;
		return 0;
	case HOOK_SWEEP:
		/* 5.9, a5cbe05a6673 ("bpf: Implement bpf iterator for map elements") */
		if (btf__find_by_name_kind(btf, "bpf_iter__bpf_map_elem", BTF_KIND_STRUCT) < 0)
			return -ENOENT;
		return 0;
	case HOOK_SEED:
		/* 5.9, 52d87d5f6418 ("net: bpf: Implement bpf iterator for tcp") */
		if (btf__find_by_name_kind(btf, "bpf_iter__tcp", BTF_KIND_STRUCT) < 0)
			return -ENOENT;
		return 0;
	case HOOK_SYSCALL:
		return 0; /* known when it is attached */
	}
	return -EINVAL;
}

static bool has_fitting_variant(const struct btf *btf, const struct hook *hook)
{
	for (size_t i = 0; i < HOOK_COUNT; i++) {
		if (!strcmp(all_hooks[i].name, hook->name) && !check(btf, &all_hooks[i]))
			return true;
	}
	return false;
}

static bool is_noted(const struct session *session, const char *name)
{
	for (unsigned int i = 0; i < session->hook_count; i++) {
		if (!strcmp(session->hooks[i].name, name))
			return true;
	}
	return false;
}

int hooks_choose(struct bpf_object *object, struct session *session)
{
	struct btf *btf = btf__load_vmlinux_btf();
	int result = 0;

	if (!btf)
		return -ENOENT;
	for (size_t i = 0; i < HOOK_COUNT; i++) {
		const struct hook *hook = &all_hooks[i];
		int err = check(btf, hook);

		if (!err)
			continue;
		(void)bpf_program__set_autoload(
			bpf_object__find_program_by_name(object, hook->program), false);
		if (err == -E2BIG && has_fitting_variant(btf, hook))
			continue;
		if (!is_noted(session, hook->name))
			note(session, hook->name, "this kernel does not have it");
		if (hook->indispensable)
			result = err;
	}
	btf__free(btf);
	return result;
}

/* bpf_program__attach_tracepoint() would want tracefs mounted where it looks. */
static int attach_syscall(struct bpf_program *program, const char *name, struct bpf_link **ret_link)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof(attr),
	};
	struct bpf_link *link;
	int id = tracefs_event_id("syscalls", name);
	int fd, err;

	if (id < 0)
		return id;
	attr.config = id;
	fd = syscall(SYS_perf_event_open, &attr, /* pid= */ -1, /* cpu= */ 0, /* group_fd= */ -1,
		     PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		return -errno;
	link = bpf_program__attach_perf_event(program, fd);
	if (!link) {
		err = -errno;
		(void)close(fd);
		return err;
	}
	*ret_link = link;
	return 0;
}

static int attach_sweep(struct bpf_object *object, struct bpf_program *program,
			const char *map_name, struct bpf_link **ret_link)
{
	union bpf_iter_link_info map = {
		.map.map_fd = bpf_object__find_map_fd_by_name(object, map_name),
	};
	LIBBPF_OPTS(bpf_iter_attach_opts, opts, .link_info = &map, .link_info_len = sizeof(map));
	struct bpf_link *link = bpf_program__attach_iter(program, &opts);

	if (!link)
		return -errno;
	*ret_link = link;
	return 0;
}

/* A tracepoint, or an iterator that needs no more words. */
static int attach_plain(struct bpf_program *program, struct bpf_link **ret_link)
{
	struct bpf_link *link = bpf_program__attach(program);

	if (!link)
		return -errno;
	*ret_link = link;
	return 0;
}

static int attach(struct hooks *hooks, struct bpf_object *object, const struct hook *hook)
{
	struct bpf_program *program = bpf_object__find_program_by_name(object, hook->program);
	struct bpf_link **link = &hooks->links[hooks->count];
	int err;

	switch (hook->kind) {
	case HOOK_SYSCALL:
		err = attach_syscall(program, hook->name, link);
		break;
	case HOOK_SWEEP:
		err = attach_sweep(object, program, hook->map, link);
		break;
	default:
		err = attach_plain(program, link);
		break;
	}
	if (err)
		return err;
	if (hook->kind == HOOK_SWEEP)
		hooks->sweeps[hooks->sweep_count++] = *link;
	if (hook->kind == HOOK_SEED)
		hooks->seed = *link;
	hooks->count++;
	return 0;
}

int hooks_attach(struct hooks *hooks, struct bpf_object *object, struct session *session)
{
	for (size_t i = 0; i < HOOK_COUNT; i++) {
		const struct hook *hook = &all_hooks[i];
		int err;

		if (!bpf_program__autoload(bpf_object__find_program_by_name(object, hook->program)))
			continue;
		err = hook->kind == HOOK_VICTIMS ? 0 : attach(hooks, object, hook);
		if (!is_noted(session, hook->name))
			note(session, hook->name, err ? strerror(-err) : "");
		if (err && hook->indispensable)
			return err;
	}
	return 0;
}

static int sweep(const struct bpf_link *link)
{
	int fd = bpf_iter_create(bpf_link__fd(link));
	char nothing[64];
	ssize_t length;

	if (fd < 0)
		return -errno;
	do
		length = read(fd, nothing, sizeof(nothing));
	while (length > 0 || (length < 0 && errno == EAGAIN));
	(void)close(fd);
	return 0;
}

int hooks_sweep(const struct hooks *hooks)
{
	int result = 0;

	for (unsigned int i = 0; i < hooks->sweep_count; i++) {
		int err = sweep(hooks->sweeps[i]);

		if (err)
			result = err;
	}
	return result;
}

int hooks_name_victims(struct hooks *hooks, struct bpf_object *object, bool wanted)
{
	struct bpf_program *program;

	if (wanted == !!hooks->victims)
		return 0;
	if (!wanted) {
		(void)bpf_link__destroy(hooks->victims);
		hooks->victims = NULL;
		return 0;
	}
	program = bpf_object__find_program_by_name(object, "consume_skb");
	if (!bpf_program__autoload(program))
		return 0;
	return attach_plain(program, &hooks->victims);
}

uint64_t hooks_missed(struct bpf_object *object)
{
	struct bpf_program *program;
	uint64_t missed = 0;

	bpf_object__for_each_program (program, object) {
		struct bpf_prog_info info = {};
		__u32 size = sizeof(info);

		if (bpf_program__fd(program) >= 0 &&
		    !bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size))
			missed += info.recursion_misses;
	}
	return missed;
}

void hooks_done(struct hooks *hooks)
{
	(void)bpf_link__destroy(hooks->victims);
	hooks->victims = NULL;
	while (hooks->count)
		(void)bpf_link__destroy(hooks->links[--hooks->count]);
}
