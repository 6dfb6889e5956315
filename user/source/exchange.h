/* SPDX-License-Identifier: GPL-2.0-only */
/* The instruction that exchanges a value in memory, for BPF programs. */
#ifndef SYNWATCH_SOURCE_EXCHANGE_H
#define SYNWATCH_SOURCE_EXCHANGE_H

#include <stdbool.h>

#include <bpf/libbpf.h>

bool exchange_is_there(void);

/* Before loading, where it is not: takes it out of all programs, for even in a branch
 * that is never entered it would be refused. Returns 0 or a negative errno. */
int exchange_leave_out(struct bpf_object *object);

#endif /* SYNWATCH_SOURCE_EXCHANGE_H */
