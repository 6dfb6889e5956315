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

#include "cli/log.h"
#include "source/kernel.h"
#include "source/tracefs.h"

#include "synwatch/record.h"

enum hook_kind {
	HOOK_TP_BTF,  /* a tracepoint's own arguments */
	HOOK_SYSCALL, /* a tracefs event of category syscalls */
	HOOK_SWEEP,   /* an iterator over the elements of a map */
	HOOK_SEED,    /* an iterator over the TCP sockets of a namespace */
	HOOK_VICTIMS, /* a tracepoint, attached on demand */
	HOOK_ENTRY,   /* of a kernel function: fentry */
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
	const char *map;      /* HOOK_SWEEP: that map, */
	struct sweep sweep;   /* and when; the link comes later */
	bool slots;	      /* it is an array of struct sw_fresh */
	const char *function; /* HOOK_ENTRY: that one; name: what it is in the session */
	const char *lacks;    /* attached, but with this less than newer kernels have */
	/* In the session, too, if this variant tells more than the others: core/offers.c */
	const char *refinement;
	uint32_t shows; /* answers of this host: SW_F_ICMP_TELLS and its like */
	/* HOOK_SYSCALL: only where bpf_task_pt_regs() is there, or only where not. */
	bool with_registers;
	bool without_registers;
};

static const char does_not_have[] = "this kernel does not have it";

static const struct hook all_hooks[] = {
	{.program = "inet_sock_set_state", .name = "inet_sock_set_state", .indispensable = true},
	{.program = "tcp_retransmit_skb", .name = "tcp_retransmit_skb", .max_args = 2},
	/* 6.17, ad892e91 ("tcp: trace retransmit failures in tcp_retransmit_skb") */
	{.program = "tcp_retransmit_skb_err",
	 .name = "tcp_retransmit_skb",
	 .min_args = 3,
	 .refinement = "tcp_retransmit_skb:err"},
	{.program = "tcp_retransmit_synack", .name = "tcp_retransmit_synack"},
	{.program = "tcp_receive_reset", .name = "tcp_receive_reset"},
	{.program = "tcp_send_reset", .name = "tcp_send_reset"},
	{.program = "kfree_skb_bare",
	 .name = "kfree_skb",
	 .max_args = 2,
	 .lacks = "this kernel gives no reason for a drop"},
	/* The reason came with 5.17, the socket that was to have it with 6.11. */
	{.program = "kfree_skb",
	 .name = "kfree_skb",
	 .min_args = KERNEL_KFREE_SKB_REASON,
	 .max_args = KERNEL_KFREE_SKB_REASON},
	{.program = "kfree_skb_sk",
	 .name = "kfree_skb",
	 .min_args = 4,
	 .refinement = "kfree_skb:rx_sk"},
	/* 6.11, and in stable kernels as of 6.1 */
	{.program = "icmp_send", .name = "icmp_send", .min_args = 3, .shows = SW_F_ICMP_TELLS},
	/* Without it the next two prove nothing. */
	{.program = "nf_ct_attach",
	 .name = "nf_ct_attach",
	 .kind = HOOK_ENTRY,
	 .function = "nf_ct_attach",
	 .shows = SW_F_RESET_TELLS},
	{.program = "icmp_send_entry",
	 .name = "icmp_send",
	 .kind = HOOK_ENTRY,
	 .function = "__icmp_send",
	 .shows = SW_F_ICMP_TELLS},
	{.program = "icmp6_send",
	 .name = "icmp6_send",
	 .kind = HOOK_ENTRY,
	 .function = "icmp6_send",
	 .shows = SW_F_ICMP6_TELLS},
	{.program = "consume_skb", .name = "consume_skb", .kind = HOOK_VICTIMS},
	/* What look_fresh finds look is to tell of. */
	{.program = "look_fresh",
	 .name = "bpf_map_elem",
	 .kind = HOOK_SWEEP,
	 .map = "fresh_handshakes",
	 .slots = true,
	 .sweep.always = true},
	{.program = "look",
	 .name = "bpf_map_elem",
	 .kind = HOOK_SWEEP,
	 .map = "handshakes",
	 .sweep = {.map = SW_SWEPT_HANDSHAKES, .dated = true}},
	{.program = "look_request",
	 .name = "bpf_map_elem",
	 .kind = HOOK_SWEEP,
	 .map = "requests",
	 .sweep.map = SW_SWEPT_REQUESTS},
	{.program = "look_listener",
	 .name = "bpf_map_elem",
	 .kind = HOOK_SWEEP,
	 .map = "listeners",
	 .sweep.always = true},
	{.program = "look_crowd",
	 .name = "bpf_map_elem",
	 .kind = HOOK_SWEEP,
	 .map = "crowds",
	 .sweep.map = SW_SWEPT_CROWDS},
	{.program = "seed", .name = "tcp_iter", .kind = HOOK_SEED},
	{.program = "sys_exit_connect_alone",
	 .name = "sys_exit_connect",
	 .kind = HOOK_SYSCALL,
	 .with_registers = true},
	{.program = "sys_enter_connect",
	 .name = "sys_enter_connect",
	 .kind = HOOK_SYSCALL,
	 .without_registers = true},
	{.program = "sys_exit_connect",
	 .name = "sys_exit_connect",
	 .kind = HOOK_SYSCALL,
	 .without_registers = true},
};

#define HOOK_COUNT (sizeof(all_hooks) / sizeof(*all_hooks))
/* In the session there are refinements, too, and what this process may look at. */
_Static_assert(HOOK_COUNT <= HOOKS_MAX && HOOK_COUNT + 8 <= SESSION_HOOKS_MAX, "hooks do not fit");

/* 0 if this kernel can run it, -E2BIG if another variant is the one that fits,
 * -ENOENT if there is nothing to attach to, -EOPNOTSUPP if nothing may be attached
 * there, -EALREADY if it is not needed. */
static int check(const struct kernel *kernel, const struct hook *hook)
{
	int args;

	switch (hook->kind) {
	case HOOK_TP_BTF:
	case HOOK_VICTIMS:
		args = kernel_tracepoint_args(kernel, hook->name);
		if (args < 0)
			return args;
		if ((unsigned int)args < hook->min_args ||
		    (hook->max_args && (unsigned int)args > hook->max_args))
			return -E2BIG;
		return 0;
	case HOOK_SWEEP:
		/* 5.9, a5cbe05a6673 ("bpf: Implement bpf iterator for map elements") */
		if (!kernel_has_type(kernel, "bpf_iter__bpf_map_elem", BTF_KIND_STRUCT))
			return -ENOENT;
		return 0;
	case HOOK_SEED:
		/* 5.9, 52d87d5f6418 ("net: bpf: Implement bpf iterator for tcp") */
		if (!kernel_has_type(kernel, "bpf_iter__tcp", BTF_KIND_STRUCT))
			return -ENOENT;
		return 0;
	case HOOK_ENTRY:
		/* A tracepoint of that name costs less. */
		if (kernel_tracepoint_args(kernel, hook->name) >= 0)
			return -EALREADY;
		if (!kernel_has_type(kernel, hook->function, BTF_KIND_FUNC))
			return -ENOENT;
		return kernel->no_entries ? -EOPNOTSUPP : 0;
	case HOOK_SYSCALL:
		/* Whether it is there is known when it is attached. */
		if (hook->with_registers && !kernel->has_registers)
			return -E2BIG;
		return hook->without_registers && kernel->has_registers ? -EALREADY : 0;
	}
	return -EINVAL;
}

static bool has_fitting_variant(const struct kernel *kernel, const struct hook *hook)
{
	for (size_t i = 0; i < HOOK_COUNT; i++) {
		if (!strcmp(all_hooks[i].name, hook->name) && !check(kernel, &all_hooks[i]))
			return true;
	}
	return false;
}

bool hooks_lack(const struct session *session, const char *name)
{
	const struct session_hook *hook = session_find_hook(session, name);

	return hook && *hook->why_not;
}

/* Sockets that can listen at a time, where they have to be allocated before. */
#define LISTENERS_OLD 8192

/*
 * Up to 6.1, 34dd3bad1a6f ("bpf: Relax the requirement to use preallocated hash
 * maps in tracing progs."), a map that a program of this kind looks into has to be
 * allocated as a whole; else the kernel warns, and a host may panic on that.
 */
static int preallocate(struct bpf_object *object, const struct kernel *kernel)
{
	struct bpf_map *listeners = bpf_object__find_map_by_name(object, "listeners");
	int err;

	if (kernel_has_type(kernel, "bpf_mem_alloc", BTF_KIND_STRUCT))
		return 0;
	err = bpf_map__set_map_flags(listeners, 0);
	return err ? err : bpf_map__set_max_entries(listeners, LISTENERS_OLD);
}

bool hooks_is_optional(unsigned int number)
{
	return number < HOOK_COUNT && !all_hooks[number].indispensable;
}

static void note_once(struct session *session, const struct hook *hook, const char *why_not)
{
	if (!session_find_hook(session, hook->name))
		(void)session_add_hook(session, hook->name, why_not);
}

/* Why a program is left out that this kernel might run; NULL: it is not. */
static const char *left_out(const struct hooks_choice *choice, unsigned int number)
{
	if (choice->only >= 0 && choice->only != (int)number)
		return "not tried";
	return choice->refused & 1U << number ? "this kernel refuses to load its program" : NULL;
}

int hooks_choose(struct bpf_object *object, const struct hooks_choice *choice,
		 struct session *session)
{
	struct kernel kernel;
	int result = kernel_open(&kernel, bpf_object__btf(object));

	if (result)
		return result;
	result = preallocate(object, &kernel);
	if (!result && choice->types_fd >= 0)
		result = kernel_types_copy(kernel.types, choice->types_fd);
	for (unsigned int i = 0; i < HOOK_COUNT; i++) {
		const struct hook *hook = &all_hooks[i];
		const char *why_not = left_out(choice, i);
		int err = check(&kernel, hook);

		if (!err && !why_not)
			continue;
		(void)bpf_program__set_autoload(
			bpf_object__find_program_by_name(object, hook->program), false);
		if (err)
			why_not = err == -EOPNOTSUPP ? kernel.no_entries : does_not_have;
		if (hook->refinement)
			(void)session_add_hook(session, hook->refinement, why_not);
		if (err == -EALREADY || (err && has_fitting_variant(&kernel, hook)))
			continue;
		note_once(session, hook, why_not);
		if (err && hook->indispensable)
			result = err;
	}
	(void)session_add_hook(
		session, HOOKS_COOKIE,
		kernel.has_cookies ? "" : "this kernel does not have it for tracing programs");
	kernel_close(&kernel);
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

/* An ICMP error that is meant to be sent is confirmed by nf_ct_attach, which shows RSTs. */
static int attach_entry(struct hooks *hooks, struct bpf_program *program, uint32_t shows,
			struct bpf_link **ret_link)
{
	if (shows != SW_F_RESET_TELLS && !(hooks->answers_told & SW_F_RESET_TELLS))
		return -EOPNOTSUPP;
	return attach_plain(program, ret_link);
}

static void add_sweep(struct hooks *hooks, const struct bpf_object *object, const struct hook *hook,
		      const struct bpf_link *link)
{
	struct sweep *sweep = &hooks->sweeps[hooks->sweep_count++];
	int err;

	*sweep = hook->sweep;
	sweep->link = link;
	if (!hook->slots)
		return;
	err = sweep_map_slots(&sweep->slots, bpf_object__find_map_fd_by_name(object, hook->map),
			      hooks->quiet_ns);
	if (err)
		log_debug("cannot map %s: %s", hook->map, strerror(-err));
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
	case HOOK_ENTRY:
		err = attach_entry(hooks, program, hook->shows, link);
		break;
	default:
		err = attach_plain(program, link);
		break;
	}
	if (err)
		return err;
	if (hook->kind == HOOK_SWEEP)
		add_sweep(hooks, object, hook, *link);
	if (hook->kind == HOOK_SEED)
		hooks->seed = *link;
	hooks->answers_told |= hook->shows;
	hooks->count++;
	return 0;
}

/* Whether it can be attached when it is wanted. */
static int try_victims(struct hooks *hooks, struct bpf_object *object)
{
	int err = hooks_name_victims(hooks, object, true);

	hooks->no_victims = err;
	return err ? err : hooks_name_victims(hooks, object, false);
}

/* Kernels that load programs for the entry of functions may yet be unable to attach
 * them: those of arm64 before 6.0, with an errno (ENOTSUPP) that has no words. */
static const char *why_not_attached(const struct hook *hook, int err)
{
	if (err)
		return hook->kind == HOOK_ENTRY ? kernel_refuses_entries : strerror(-err);
	return hook->lacks ? hook->lacks : "";
}

int hooks_attach(struct hooks *hooks, struct bpf_object *object, struct session *session)
{
	for (size_t i = 0; i < HOOK_COUNT; i++) {
		const struct hook *hook = &all_hooks[i];
		int err;

		if (!bpf_program__autoload(bpf_object__find_program_by_name(object, hook->program)))
			continue;
		if (hook->kind == HOOK_VICTIMS)
			err = try_victims(hooks, object);
		else
			err = attach(hooks, object, hook);
		note_once(session, hook, why_not_attached(hook, err));
		if (hook->refinement)
			(void)session_add_hook(session, hook->refinement,
					       err ? strerror(-err) : "");
		if (err && hook->indispensable)
			return err;
	}
	return 0;
}

int hooks_sweep(struct hooks *hooks, struct sw_swept *swept, uint64_t now_ns)
{
	int result = 0;

	for (unsigned int i = 0; i < hooks->sweep_count; i++) {
		int err = sweep_if_due(&hooks->sweeps[i], swept, now_ns);

		if (err)
			result = err;
	}
	return result;
}

int hooks_name_victims(struct hooks *hooks, struct bpf_object *object, bool wanted)
{
	struct bpf_program *program;

	if (wanted == !!hooks->victims || hooks->no_victims)
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

int hooks_rehearse(struct hooks *hooks, struct bpf_object *object)
{
	int err = 0;

	for (unsigned int i = 0; i < hooks->sweep_count && !err; i++)
		err = sweep_run(&hooks->sweeps[i]);
	if (!err)
		err = hooks_name_victims(hooks, object, true);
	(void)hooks_name_victims(hooks, object, false);
	return err;
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
	while (hooks->sweep_count)
		sweep_unmap_slots(&hooks->sweeps[--hooks->sweep_count].slots);
	while (hooks->count)
		(void)bpf_link__destroy(hooks->links[--hooks->count]);
}
