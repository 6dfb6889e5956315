/* SPDX-License-Identifier: GPL-2.0-only */
/* Records that wait, one after the other in one piece of memory: to be told, or to be written
 * into a capture. */
#ifndef SYNWATCH_CORE_BATCH_H
#define SYNWATCH_CORE_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct batch_item {
	uint64_t advance_ns; /* how far time had come before the record, 0: no further */
	uint32_t size;	     /* of the record, which follows */
	uint32_t reserved;
};

/* Bytes that a record takes: what follows it is aligned again. */
static inline size_t batch_room(size_t size)
{
	return sizeof(struct batch_item) + ((size + 7) & ~(size_t)7);
}

struct batch {
	char *data;
	size_t used; /* bytes */
	size_t room;
};

/* Appends a record. False when that would exceed max bytes, or when out of memory. */
bool batch_put(struct batch *batch, uint64_t advance_ns, const void *data, uint32_t size,
	       size_t max);

#endif /* SYNWATCH_CORE_BATCH_H */
