/* SPDX-License-Identifier: GPL-2.0-only */
/* What this kernel and these privileges allow: by looking, and by watching for a moment. */
#ifndef SYNWATCH_SOURCE_EXAMINE_H
#define SYNWATCH_SOURCE_EXAMINE_H

#include "core/finding.h"

/* Called with one finding after the other, by group. */
typedef void (*examine_fn)(void *ctx, const struct finding *finding);

/*
 * Loads and attaches all that a watch does, as it does, and takes it back; so it gives
 * up this process's privileges for good. Blocks SIGINT and SIGTERM, as a watch does.
 */
void examine_host(const char *version, examine_fn tell, void *ctx, struct diagnosis *ret_diagnosis);

#endif /* SYNWATCH_SOURCE_EXAMINE_H */
