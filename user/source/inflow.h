/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Records from the ring buffer. To tell of one takes longer than it takes the kernel to
 * make one: a process that dies with 50,000 connects under way would overflow the ring in
 * a moment. So what is in the ring is taken out first, and again and again while it is
 * told.
 */
#ifndef SYNWATCH_SOURCE_INFLOW_H
#define SYNWATCH_SOURCE_INFLOW_H

#include <stddef.h>

struct inflow;

/* Tells of one record, in the order in which they came; aligned. */
typedef void inflow_fn(void *ctx, const void *data, size_t size);

/* map_fd: of the ring buffer. Returns 0 or a negative errno. */
int inflow_open(int map_fd, inflow_fn *tell, void *ctx, struct inflow **ret_inflow);

/* Returns NULL; NULL is fine. */
struct inflow *inflow_free(struct inflow *inflow);

/* Readable when there is something in the ring. */
int inflow_fd(const struct inflow *inflow);

/* Tells of what has come. Returns 0 when nothing is left, -EAGAIN when it has been at it
 * for long and more is there. */
int inflow_drain(struct inflow *inflow);

#endif /* SYNWATCH_SOURCE_INFLOW_H */
