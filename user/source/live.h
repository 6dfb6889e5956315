/* SPDX-License-Identifier: GPL-2.0-only */
/* This host, through the BPF programs. */
#ifndef SYNWATCH_SOURCE_LIVE_H
#define SYNWATCH_SOURCE_LIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/filter.h"
#include "source/obstacle.h"
#include "source/source.h"

struct live_options {
	const struct filter *filter;
	const struct session_filter *words; /* for the session */
	unsigned int word_count;
	const char *version;
	uint64_t stall_after_ns; /* 0: first retransmission, or 1 s */
	uint64_t duration_ns;	 /* 0: until a signal */
	bool all;
	const char *write; /* a capture that will be opened afterwards; NULL: none */
};

/*
 * Loads and attaches everything. On failure returns a negative errno, and ret_why says
 * what is wrong and what to do. On success every hook is live: no handshake that begins
 * afterwards is missed, and those that hang already have been adopted. What is no longer
 * needed of this process's privileges is gone, of this thread: call it before there is
 * another.
 *
 * SIGINT and SIGTERM are blocked from here on and end source_run().
 */
int live_open(const struct live_options *options, struct obstacle *ret_why,
	      struct source **ret_source);

#endif /* SYNWATCH_SOURCE_LIVE_H */
