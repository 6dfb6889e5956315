/* SPDX-License-Identifier: GPL-2.0-only */
/* What the numbers of the kernel that was watched mean, as SW_NAME records tell. */
#ifndef SYNWATCH_CORE_TERMS_H
#define SYNWATCH_CORE_TERMS_H

#include <stdint.h>

#include <linux/types.h>

#include "synwatch/record.h"

struct terms;

/* NULL when out of memory. */
struct terms *terms_new(void);

/* Returns NULL; NULL is fine. */
struct terms *terms_free(struct terms *terms);

/* A later name for the same number replaces the earlier. More than a kernel
 * can sensibly have are not kept. */
void terms_learn(struct terms *terms, const struct sw_name *name);

/* "NETFILTER_DROP"; NULL if nobody said. */
const char *terms_find(const struct terms *terms, enum sw_name_of of, uint64_t number);

#endif /* SYNWATCH_CORE_TERMS_H */
