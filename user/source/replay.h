/* SPDX-License-Identifier: GPL-2.0-only */
/* Records from a file, judged again. */
#ifndef SYNWATCH_SOURCE_REPLAY_H
#define SYNWATCH_SOURCE_REPLAY_H

#include "cli/filter.h"
#include "source/source.h"

/*
 * A file of records as text (source/record_text.h). Empty lines and those that
 * begin with # are passed over; lines of these words describe the session:
 *
 *   session start_ns=1000000000 wall_offset_ns=1700000000000000000 host=web1
 *   hook inet_sock_set_state
 *   hook sys_enter_connect this kernel has no such tracepoint
 *   end time_ns=9000000000
 *
 * The filter and its words, for the session, stay the caller's. On failure returns a negative errno
 * and has logged one sentence; so does a run that meets a line it cannot read, after it has judged
 * everything before.
 */
int replay_open(const char *path, const struct filter *filter, const struct session_filter *words,
		unsigned int word_count, struct source **ret_source);

#endif /* SYNWATCH_SOURCE_REPLAY_H */
