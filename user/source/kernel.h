/* SPDX-License-Identifier: GPL-2.0-only */
/* What the running kernel has, by its types or by trying. */
#ifndef SYNWATCH_SOURCE_KERNEL_H
#define SYNWATCH_SOURCE_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "source/kernel_types.h"

/* Arguments of kfree_skb as of the version that gives a reason, 5.17. */
#define KERNEL_KFREE_SKB_REASON 3

struct kernel {
	struct kernel_types *types;
	bool has_registers;	/* of a system call, at its exit */
	bool has_cookies;	/* bpf_get_socket_cookie() for tracing programs */
	const char *no_entries; /* why nothing is attached to the entry of functions; NULL: it is */
};

extern const char kernel_refuses_entries[];

/* programs: of what is to run on it. Returns 0, -ENOENT if the kernel does not tell its
 * types, or -ENOMEM. */
int kernel_open(struct kernel *ret_kernel, const struct btf *programs);
void kernel_close(struct kernel *kernel);

bool kernel_has_type(const struct kernel *kernel, const char *name, uint32_t kind);

/* Arguments of a tracepoint, or -ENOENT. */
int kernel_tracepoint_args(const struct kernel *kernel, const char *name);

#endif /* SYNWATCH_SOURCE_KERNEL_H */
