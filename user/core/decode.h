/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Raw bytes -> records. The only place that touches bytes from outside;
 * behind it every record is whole, known and terminated.
 */
#ifndef SYNWATCH_CORE_DECODE_H
#define SYNWATCH_CORE_DECODE_H

#include <stddef.h>
#include <stdint.h>

#include <linux/types.h>

#include "synwatch/record.h"

union decode_record {
	struct sw_header header;
	struct sw_handshake handshake;
	struct sw_crowd crowd;
	struct sw_counts counts;
	struct sw_loss loss;
	struct sw_clock clock;
	struct sw_name name;
};

/* The size of a record of that kind, 0 if there is no such kind. */
size_t decode_size(unsigned int kind);

/*
 * Copies one record out of data (any alignment). Returns 0, -EBADMSG if it is
 * not a whole record, -EPROTONOSUPPORT if its layout is of another version.
 */
int decode(const void *data, size_t size, union decode_record *ret_record);

#endif /* SYNWATCH_CORE_DECODE_H */
