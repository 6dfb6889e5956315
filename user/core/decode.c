/* SPDX-License-Identifier: GPL-2.0-only */
#include "core/decode.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static const uint16_t sizes[SW_KIND_COUNT] = {
	[SW_OPEN] = sizeof(struct sw_handshake),
	[SW_RETRY] = sizeof(struct sw_handshake),
	[SW_LOOK] = sizeof(struct sw_handshake),
	[SW_CLOSE] = sizeof(struct sw_handshake),
	[SW_LOCAL_ERROR] = sizeof(struct sw_handshake),
	[SW_SYNACK_RETRY] = sizeof(struct sw_handshake),
	[SW_SYNACK_DROP] = sizeof(struct sw_handshake),
	[SW_ACCEPTED] = sizeof(struct sw_handshake),
	[SW_REQUEST_GONE] = sizeof(struct sw_handshake),
	[SW_SYN_DROP] = sizeof(struct sw_handshake),
	[SW_CROWD] = sizeof(struct sw_crowd),
	[SW_COUNTS] = sizeof(struct sw_counts),
	[SW_LOSS] = sizeof(struct sw_loss),
	[SW_CLOCK] = sizeof(struct sw_clock),
	[SW_NAME] = sizeof(struct sw_name),
};

size_t decode_size(unsigned int kind)
{
	return kind < SW_KIND_COUNT ? sizes[kind] : 0;
}

static bool is_family(uint8_t family)
{
	return family == 4 || family == 6;
}

static bool is_sane(const struct sw_handshake *h)
{
	if (!is_family(h->tuple.family))
		return false;
	/* MAX_ERRNO, include/linux/err.h */
	if (h->err < -4095)
		return false;
	/* later than itself: no such handshake */
	return h->start_ns <= h->header.time_ns && h->syn_ns <= h->header.time_ns;
}

int decode(const void *data, size_t size, union decode_record *ret_record)
{
	union decode_record record;

	if (size < sizeof(record.header))
		return -EBADMSG;
	memcpy(&record.header, data, sizeof(record.header));
	if (record.header.version != SW_ABI_VERSION)
		return -EPROTONOSUPPORT;
	if (!decode_size(record.header.kind) || record.header.size != size ||
	    size != decode_size(record.header.kind))
		return -EBADMSG;
	/* ktime_t is signed: later than this there is no time */
	if (record.header.time_ns > INT64_MAX)
		return -EBADMSG;
	memcpy(&record, data, size);
	if (record.header.kind <= SW_SYN_DROP) {
		if (!is_sane(&record.handshake))
			return -EBADMSG;
		record.handshake.owner.comm[SW_COMM_LEN - 1] = '\0';
		record.handshake.closer.comm[SW_COMM_LEN - 1] = '\0';
	} else if (record.header.kind == SW_CROWD) {
		if (!is_family(record.crowd.tuple.family) ||
		    record.crowd.begin_ns > record.header.time_ns)
			return -EBADMSG;
		record.crowd.owner.comm[SW_COMM_LEN - 1] = '\0';
	} else if (record.header.kind == SW_NAME) {
		record.name.name[SW_NAME_LEN - 1] = '\0';
	}
	*ret_record = record;
	return 0;
}
