/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which programs this kernel can run, and their attachment. Every difference
 * between kernels is decided here, from BTF, or by trying; never by version.
 */
#ifndef SYNWATCH_SOURCE_HOOKS_H
#define SYNWATCH_SOURCE_HOOKS_H

#include <bpf/libbpf.h>

#include "core/session.h"

#define HOOKS_MAX 16

/* The links of one attached object; zeroed means none. */
struct hooks {
	struct bpf_link *links[HOOKS_MAX];
	unsigned int count;
	/* One of them: iterates over the handshakes map; NULL where the kernel
	 * cannot (before 5.9). */
	const struct bpf_link *sweep;
	/* Another: iterates over the TCP sockets of its reader's namespace; NULL
	 * where the kernel cannot (before 5.9). */
	const struct bpf_link *seed;
};

/*
 * Before loading: keeps from loading what this kernel cannot run. Notes each
 * hook that is missing, and why, in the session. Returns 0; -ENOENT if the
 * kernel lacks BTF or a tracepoint without which there is nothing to watch.
 */
int hooks_choose(struct bpf_object *object, struct session *session);

/*
 * After loading: attaches all that was chosen and notes each in the session.
 * An optional hook that cannot be attached is noted and left out. Returns 0
 * or the negative errno of an indispensable one.
 */
int hooks_attach(struct hooks *hooks, struct bpf_object *object, struct session *session);

/* Runs that the kernel refused, of all programs, since they were loaded. */
uint64_t hooks_missed(struct bpf_object *object);

/* Detaches; safe on a zeroed or half-filled struct. */
void hooks_done(struct hooks *hooks);

#endif /* SYNWATCH_SOURCE_HOOKS_H */
