/* SPDX-License-Identifier: GPL-2.0-only */
/* A capture as a source of records: one session after the other. */
#ifndef SYNWATCH_STORE_READER_H
#define SYNWATCH_STORE_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/filter.h"
#include "source/source.h"

struct reader_options {
	const char *path;
	const struct filter *filter;
	/* The filters as given, which take the place of those of the same name that the
	 * capture was made with. */
	const struct session_filter *words;
	unsigned int word_count;
	/* Only handshakes that were under way within: nanoseconds since the epoch. */
	int64_t since_ns;
	int64_t until_ns; /* INT64_MAX: no limit */
};

/* Whether the file is one of SQLite's, at the least. */
bool reader_knows(const char *path);

/*
 * Opens a capture, also while another process writes it. What the options point to
 * stays the caller's. The source is at no session yet. On failure returns a negative
 * errno and has logged one sentence; so do the others.
 */
int reader_open(const struct reader_options *options, struct source **ret_source);

/* Goes on to the next session that has anything to tell. Returns 1, 0 if there is none,
 * or a negative errno. */
int reader_next(struct source *source);

/* How the session at hand was watched. */
bool reader_all(const struct source *source);
uint64_t reader_stall_after_ns(const struct source *source);

#endif /* SYNWATCH_STORE_READER_H */
