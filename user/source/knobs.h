/* SPDX-License-Identifier: GPL-2.0-only */
/* The user's filters, into the kernel side's maps. */
#ifndef SYNWATCH_SOURCE_KNOBS_H
#define SYNWATCH_SOURCE_KNOBS_H

#include <bpf/libbpf.h>

#include "cli/filter.h"

/* Before loading: makes room. Returns 0 or a negative errno. */
int knobs_size(struct bpf_object *object, const struct filter *filter);

/* After loading, before attaching. Returns 0 or a negative errno. */
int knobs_fill(struct bpf_object *object, const struct filter *filter);

#endif /* SYNWATCH_SOURCE_KNOBS_H */
