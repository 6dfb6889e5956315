/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which programs this kernel can run, and their attachment. Every difference
 * between kernels is decided here, from BTF, or by trying; never by version.
 */
#ifndef SYNWATCH_SOURCE_HOOKS_H
#define SYNWATCH_SOURCE_HOOKS_H

#include <stdbool.h>
#include <stdint.h>

#include <bpf/libbpf.h>

#include "core/session.h"
#include "source/sweep.h"

#define HOOKS_MAX  24
#define SWEEPS_MAX 5

/* The links of one attached object; zeroed means none. */
struct hooks {
	struct bpf_link *links[HOOKS_MAX];
	unsigned int count;
	/* Some of them: they iterate over maps; none where the kernel cannot
	 * (before 5.9). */
	struct sweep sweeps[SWEEPS_MAX];
	unsigned int sweep_count;
	/* Set by the caller: sw_config's. */
	uint64_t quiet_ns;
	/* Another: iterates over the TCP sockets of its reader's namespace; NULL
	 * where the kernel cannot (before 5.9). */
	const struct bpf_link *seed;
	/* Not one of them: attached while it is wanted. */
	struct bpf_link *victims;
	bool no_victims; /* it cannot be attached */
	/* enum sw_flags: the answers of this host that they show */
	uint32_t answers_told;
};

/* Of the programs that this kernel could run by its types. */
struct hooks_choice {
	uint32_t refused; /* bits: these it would not load, when tried */
	int only;	  /* this one and no other; -1: all */
	int types_fd;	  /* an empty file for the kernel's types that they name; -1: none */
};

/* What bpf_get_socket_cookie() is called in the session. */
#define HOOKS_COOKIE "get_socket_cookie"

/* Optional ones have numbers from 0 to HOOKS_MAX - 1; false: it is not one. */
bool hooks_is_optional(unsigned int number);

/*
 * Before loading: keeps from loading what this kernel cannot run, and what the choice
 * leaves out. Notes each hook that is missing, and why, in the session. Returns 0;
 * -ENOENT if the kernel lacks BTF or a tracepoint without which there is nothing to
 * watch.
 */
int hooks_choose(struct bpf_object *object, const struct hooks_choice *choice,
		 struct session *session);

/* After hooks_choose(): is this one of what was found to be missing? */
bool hooks_lack(const struct session *session, const char *name);

/*
 * After loading: attaches all that was chosen and notes each in the session.
 * An optional hook that cannot be attached is noted and left out. Returns 0
 * or the negative errno of an indispensable one.
 */
int hooks_attach(struct hooks *hooks, struct bpf_object *object, struct session *session);

/* Has the kernel side look at everything it keeps; what it finds comes through
 * the ring. swept: SW_SWEPT_MAPS of them, the kernel side's. Returns 0 or a negative
 * errno. */
int hooks_sweep(struct hooks *hooks, struct sw_swept *swept, uint64_t now_ns);

/*
 * Names what listeners throw away, one by one, or stops doing so: consume_skb
 * fires for most packets, so it is attached only while a listener is in
 * trouble. Returns 0 or a negative errno.
 */
int hooks_name_victims(struct hooks *hooks, struct bpf_object *object, bool wanted);

/* Does once what the above will do again and again. Returns 0 or the first negative
 * errno. */
int hooks_rehearse(struct hooks *hooks, struct bpf_object *object);

/* Runs that the kernel refused, of all programs, since they were loaded. */
uint64_t hooks_missed(struct bpf_object *object);

/* Detaches; safe on a zeroed or half-filled struct. */
void hooks_done(struct hooks *hooks);

#endif /* SYNWATCH_SOURCE_HOOKS_H */
