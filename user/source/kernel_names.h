/* SPDX-License-Identifier: GPL-2.0-only */
/* What numbers of the running kernel mean: drop reasons and code addresses. */
#ifndef SYNWATCH_SOURCE_KERNEL_NAMES_H
#define SYNWATCH_SOURCE_KERNEL_NAMES_H

#include <stdint.h>

#include <linux/types.h>

#include <stdbool.h>

#include "synwatch/record.h"

struct kernel_names;

/* Called with each name when it is first needed. */
typedef void (*kernel_names_fn)(void *ctx, enum sw_name_of of, uint64_t number, const char *name);

/* NULL when out of memory. */
struct kernel_names *kernel_names_new(kernel_names_fn tell, void *ctx);

/* Returns NULL; NULL is fine. */
struct kernel_names *kernel_names_free(struct kernel_names *names);

/*
 * Tells what a drop's reason and place are called, unless told before. The
 * reason comes from the kernel's BTF (enum skb_drop_reason, 5.17+), whose
 * numbers differ between kernels; the place from /proc/kallsyms, which shows
 * addresses only to CAP_SYSLOG. What has no name is told as "".
 */
void kernel_names_of_drop(struct kernel_names *names, const struct sw_drop *drop);

/* Likewise, of a reason only. */
void kernel_names_of_reason(struct kernel_names *names, uint32_t reason);

/* Whether places can be named: if not, the addresses are hidden from this process. */
bool kernel_names_has_places(const struct kernel_names *names);

#endif /* SYNWATCH_SOURCE_KERNEL_NAMES_H */
