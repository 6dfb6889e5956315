/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Records into a capture file, in transactions, within bounds. Blocks while the disk
 * does: the live watch has store/capture.h before it, which does not.
 */
#ifndef SYNWATCH_STORE_WRITER_H
#define SYNWATCH_STORE_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/session.h"
#include "core/batch.h"

struct writer_options {
	const char *path;
	const struct session *session;
	uint64_t stall_after_ns; /* what the live watch was asked for */
	bool all;
	uint64_t max_size;   /* bytes, of the file and its log together; 64 KiB at least */
	uint64_t max_age_ns; /* 0: unlimited */
};

struct writer;

/* Remembers the options, which with all they point to stay the caller's. NULL when out
 * of memory. */
struct writer *writer_new(const struct writer_options *options);

/* Returns NULL; NULL is fine. What is open is left as a crash would leave it. */
struct writer *writer_free(struct writer *writer);

/*
 * Opens the file, or makes it, and begins the session; the same one again if the file
 * has it already. Returns 0 or a negative errno for writer_explain(): -EALREADY
 * (another writer has it), -EMEDIUMTYPE, -EPROTONOSUPPORT, -EBADMSG ...
 */
int writer_open(struct writer *writer);

/*
 * Writes what is in the batch from *offset on, and moves *offset behind what is
 * committed. With nothing to write, does what is due at now_ns, the newest moment that
 * the engine was told. Returns 0 or a negative errno; after one of these
 * writer_abandon() and, some time, writer_open() and the rest of the batch again.
 */
int writer_write(struct writer *writer, const struct batch *batch, size_t *offset, uint64_t now_ns);
void writer_abandon(struct writer *writer);

/* Ends the session in good order at end_ns and closes the file: one file, no log. */
int writer_close(struct writer *writer, uint64_t end_ns);

/* What an error means: "another synwatch records into it". Valid until the next call. */
const char *writer_explain(int err);

#endif /* SYNWATCH_STORE_WRITER_H */
