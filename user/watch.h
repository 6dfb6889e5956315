/* SPDX-License-Identifier: GPL-2.0-only */
/* A source, the engine and a sink, put together and run. */
#ifndef SYNWATCH_WATCH_H
#define SYNWATCH_WATCH_H

#include "cli/options.h"

/* Returns 0 when it ran and stopped as asked, else a negative errno; what went
 * wrong is in the log then. */
int watch(const struct options *options);

#endif /* SYNWATCH_WATCH_H */
