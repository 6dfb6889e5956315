/* SPDX-License-Identifier: GPL-2.0-only */
/* Captures of several hosts, joined, and a sink. */
#ifndef SYNWATCH_JOIN_H
#define SYNWATCH_JOIN_H

#include "cli/options.h"

/* As watch(). */
int join(const struct options *options);

#endif /* SYNWATCH_JOIN_H */
