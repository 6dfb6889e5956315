/* SPDX-License-Identifier: GPL-2.0-only */
/* From the options to programs that the running kernel has taken. */
#ifndef SYNWATCH_SOURCE_LOADER_H
#define SYNWATCH_SOURCE_LOADER_H

#include "core/session.h"
#include "source/live.h"
#include "source/obstacle.h"

struct synwatch;

/*
 * Loads what this kernel can run and fills the filters' maps. Notes what it lacks in the
 * session. Returns 0, and ret_skeleton is to be destroyed by the caller, or a negative
 * errno, and ret_why says what is wrong and what to do.
 */
int loader_load(const struct live_options *options, struct session *session,
		struct obstacle *ret_why, struct synwatch **ret_skeleton);

#endif /* SYNWATCH_SOURCE_LOADER_H */
