/* SPDX-License-Identifier: GPL-2.0-only */
/* The way out: the ring buffer, its wake-up policy and the totals. */
#ifndef SYNWATCH_EMIT_BPF_H
#define SYNWATCH_EMIT_BPF_H

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 2 << 20); /* bytes; raised by the user side with --all */
} records SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sw_totals);
} totals SEC(".maps");

static __always_inline struct sw_totals *totals_here(void)
{
	const union key zero = key_of(0);

	return bpf_map_lookup_elem(&totals, &zero);
}

/* A softirq may interrupt a task's program between the load and the store of a
 * plain increment on the same CPU, so the increments are atomic. */
#define count_more(field, number)                                        \
	({                                                               \
		struct sw_totals *totals_ = totals_here();               \
                                                                         \
		if (totals_)                                             \
			__sync_fetch_and_add(&totals_->field, (number)); \
	})
#define count(field) count_more(field, 1)

/* floor(log2(value)), 0 for 0: one less than the bits that are set once all below the
 * highest are. Branches would be 32 ways to the verifier, and a loop more than old ones
 * take. */
static __always_inline __u32 log2_u32(__u32 value)
{
	value |= 1;
	value |= value >> 1;
	value |= value >> 2;
	value |= value >> 4;
	value |= value >> 8;
	value |= value >> 16;
	value -= value >> 1 & 0x55555555;
	value = (value & 0x33333333) + (value >> 2 & 0x33333333);
	value = (value + (value >> 4)) & 0x0f0f0f0f;
	return (value * 0x01010101 >> 24) - 1;
}

static __always_inline void count_healthy(__u64 latency_ns)
{
	struct sw_totals *here = totals_here();
	__u64 us = latency_ns / 1000;

	if (!here)
		return;
	__sync_fetch_and_add(&here->latency[log2_u32(us >> 32 ? ~0U : us) & (SW_LATENCY_SLOTS - 1)],
			     1);
}

static __always_inline void emit_header(struct sw_header *header, __u16 size, __u8 kind, __u64 now)
{
	header->size = size;
	header->kind = kind;
	header->version = SW_ABI_VERSION;
	header->time_ns = now;
}

/* A zeroed record with its header filled in, or NULL (counted). Every record
 * reserved must be handed to emit_submit() or emit_discard(). */
static __always_inline struct sw_handshake *emit_reserve(__u8 kind, __u64 now)
{
	struct sw_handshake *record = bpf_ringbuf_reserve(&records, sizeof(*record), 0);

	if (!record) {
		count(ring_full);
		return 0;
	}
	__builtin_memset(record, 0, sizeof(*record));
	emit_header(&record->header, sizeof(*record), kind, now);
	return record;
}

/* For what can wait until the reader has been here: the other half of the ring
 * is for what happens. */
static __always_inline bool emit_has_room(void)
{
	return bpf_ringbuf_query(&records, BPF_RB_AVAIL_DATA) <
	       bpf_ringbuf_query(&records, BPF_RB_RING_SIZE) / 2;
}

/* Where the ring was when the reader was last woken. */
__u64 woken_at = 0;

/* Under a stream of everything, waking the reader for each record would cost
 * more than the record: the reader looks by itself now and then, and is woken
 * when much is waiting; if it is still at it, not again before as much has come. */
static __always_inline bool emit_wakes(void)
{
	__u64 position;

	if (bpf_ringbuf_query(&records, BPF_RB_AVAIL_DATA) < config.wakeup_bytes)
		return false;
	position = bpf_ringbuf_query(&records, BPF_RB_PROD_POS);
	if (position - woken_at < config.wakeup_bytes)
		return false;
	woken_at = position;
	return true;
}

static __always_inline void emit_submit(void *record)
{
	__u64 flags = 0;

	if (config.wakeup_bytes)
		flags = emit_wakes() ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP;
	bpf_ringbuf_submit(record, flags);
}

static __always_inline void emit_discard(struct sw_handshake *record)
{
	bpf_ringbuf_discard(record, BPF_RB_NO_WAKEUP);
}

#endif /* SYNWATCH_EMIT_BPF_H */
