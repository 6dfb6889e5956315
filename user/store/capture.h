/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A capture as the live watch sees it: records go in, and nothing that happens to the
 * disk comes back. A thread writes, from a queue; what has no room there, because the
 * disk is too slow, full or gone, is counted, and a record of the loss takes its place.
 */
#ifndef SYNWATCH_STORE_CAPTURE_H
#define SYNWATCH_STORE_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/session.h"

/* Without a word about it. */
#define CAPTURE_SIZE_DEFAULT (1ULL << 30)

/* Room for a session, the names of what it drops, and a handshake or two. */
#define CAPTURE_SIZE_MIN 65536

struct capture_options {
	const char *path;
	const struct session *session;
	uint64_t stall_after_ns; /* as the watch was asked */
	bool all;
	uint64_t max_size;   /* bytes, CAPTURE_SIZE_MIN at least; 0: CAPTURE_SIZE_DEFAULT */
	uint64_t max_age_ns; /* 0: unlimited */
};

struct capture;

/*
 * Opens the file, makes it if need be, and adds the session. What the options point to
 * stays the caller's. On failure returns a negative errno and has logged one sentence.
 */
int capture_open(const struct capture_options *options, struct capture **ret_capture);

/* A record as it crossed the border; never blocks for the disk. */
void capture_append(struct capture *capture, const void *data, size_t size);

/* The engine is told the time: a replay has to tell it the same. */
void capture_advance(struct capture *capture, uint64_t now_ns);

/* Writes what is left and ends the session. Returns NULL; NULL is fine. */
struct capture *capture_close(struct capture *capture, uint64_t end_ns);

#endif /* SYNWATCH_STORE_CAPTURE_H */
