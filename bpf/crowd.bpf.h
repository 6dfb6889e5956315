/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Server handshakes in trouble that are too many to be told one by one: counted
 * by local port, reported at most once a second each.
 */
#ifndef SYNWATCH_CROWD_BPF_H
#define SYNWATCH_CROWD_BPF_H

struct crowd {
	__u64 second_ns; /* began then, and in it: */
	__u32 told;	 /* were told one by one */
	__u32 half_open;
	__u64 begin_ns; /* of the counts */
	__u32 dropped;
	__u32 reason;
	__u32 ignored;
	__u16 family;
	bool limited; /* not all of it was told one by one */
	__u8 reserved;
	__u64 listener;		   /* key in listeners, 0: not known */
	struct sw_listener queues; /* when it ignored the last of those */
	__u8 laddr[16];
	__u8 addresses[SW_CROWD_SLOTS];
};

/* A scan of all ports meets only few of them twice: the oldest give way. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct port_key);
	__type(value, struct crowd);
} crowds SEC(".maps");

/* A new one; too large for the stack. */
static const struct crowd crowd_none = {};

struct told_window {
	__u64 begin_ns;
	__u32 firsts; /* of a port in a second */
	__u32 others;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct told_window);
} told_windows SEC(".maps");

#define TOLD_WINDOW_NS (100 * NSEC_PER_MSEC)

/* The first that a port tells in a second have a budget of their own, lest a
 * port that is flooded silence all others. */
#define TOLD_FIRSTS 4

/* Whether this CPU may tell another one in this window; told: what the port has
 * told in this second. */
static __always_inline bool told_allowed(__u64 now, __u32 told)
{
	struct told_window *window;
	const union key zero = key_of(0);

	window = bpf_map_lookup_elem(&told_windows, &zero);
	if (!window)
		return false;
	if (now - window->begin_ns > TOLD_WINDOW_NS) {
		window->begin_ns = now;
		window->firsts = window->others = 0;
	}
	if (told < TOLD_FIRSTS)
		return window->firsts++ < config.told_per_window;
	return window->others++ < config.told_per_window;
}

/* :: or ::ffff:0.0.0.0 */
static __always_inline bool address_is_any(const __u8 *address)
{
	__u64 high;
	__u32 low;

	__builtin_memcpy(&high, address, sizeof(high));
	__builtin_memcpy(&low, address + 12, sizeof(low));
	return !high && !low;
}

/* The newest of what is known of it: a listener that is bound to no address has
 * none, a segment for it has. */
static __always_inline void crowd_place(struct crowd *crowd, const struct sw_tuple *tuple,
					const struct sock *sk)
{
	if (sk)
		crowd->listener = (__u64)sk;
	if (crowd->family && address_is_any(tuple->laddr))
		return;
	crowd->family = tuple->family;
	__builtin_memcpy(crowd->laddr, tuple->laddr, sizeof(crowd->laddr));
}

static __always_inline struct crowd *crowd_at(const struct sw_tuple *tuple, const struct sock *sk)
{
	struct port_key key = {.netns = tuple->netns, .port = tuple->lport};
	struct crowd *crowd = bpf_map_lookup_elem(&crowds, &key);

	if (!crowd) {
		swept[SW_SWEPT_CROWDS].entered = true;
		(void)bpf_map_update_elem(&crowds, &key, &crowd_none, BPF_NOEXIST);
		crowd = bpf_map_lookup_elem(&crowds, &key);
	}
	if (crowd)
		crowd_place(crowd, tuple, sk);
	return crowd;
}

/*
 * May a handshake in trouble that is not known yet be told by itself? share: of
 * what one port may tell in a second; those that show that their client is no
 * forgery, because it repeats its SYN, have a second share.
 */
static __always_inline bool crowd_tells(struct crowd *crowd, __u64 now, __u32 shares)
{
	if (!crowd)
		return false;
	if (now - crowd->second_ns > NSEC_PER_SEC) {
		crowd->second_ns = now;
		crowd->told = 0;
	}
	if (crowd->told >= shares * config.told_per_port || !told_allowed(now, crowd->told)) {
		crowd->limited = true;
		return false;
	}
	crowd->told++;
	return true;
}

/* The finalizer of MurmurHash3, public domain */
static __always_inline __u32 address_hash(const __u8 *address)
{
	__u64 words[2], hash;

	__builtin_memcpy(words, address, sizeof(words));
	hash = words[0] * 0x9e3779b97f4a7c15ULL ^ words[1];
	hash ^= hash >> 33;
	hash *= 0xff51afd7ed558ccdULL;
	hash ^= hash >> 33;
	hash *= 0xc4ceb9fe1a85ec53ULL;
	return hash >> 32;
}

/* One more address, as in struct sw_crowd.addresses: 6 bits choose the register,
 * the others' leading zeroes are its rank. */
static __always_inline void crowd_note_address(struct crowd *crowd, const __u8 *address)
{
	__u32 hash = address_hash(address);
	__u32 slot = hash & (SW_CROWD_SLOTS - 1);
	__u32 rest = hash >> 6;
	__u8 rank = rest ? 26 - log2_u32(rest) : 27;

	if (crowd->addresses[slot] < rank)
		crowd->addresses[slot] = rank;
}

static __always_inline void crowd_begin(struct crowd *crowd, __u64 now)
{
	if (!crowd->begin_ns)
		crowd->begin_ns = now;
}

static __always_inline void crowd_count_half_open(struct crowd *crowd, const __u8 *raddr, __u64 now)
{
	if (!crowd)
		return;
	crowd_begin(crowd, now);
	__sync_fetch_and_add(&crowd->half_open, 1);
	crowd_note_address(crowd, raddr);
}

static __always_inline void crowd_count_dropped(struct crowd *crowd, const __u8 *raddr,
						__u32 reason, __u64 now)
{
	if (!crowd)
		return;
	crowd_begin(crowd, now);
	__sync_fetch_and_add(&crowd->dropped, 1);
	crowd->reason = reason;
	crowd_note_address(crowd, raddr);
}

/* What its listener threw away and nobody saw. */
static __always_inline void crowd_count_ignored(struct crowd *crowd, __u32 number,
						const struct sw_listener *queues, __u64 now)
{
	if (!crowd)
		return;
	crowd_begin(crowd, now);
	__sync_fetch_and_add(&crowd->ignored, number);
	crowd->queues = *queues;
}

/* --- the sweep --- */

static __always_inline void crowd_fill(struct sw_crowd *record, const struct port_key *key,
				       const struct crowd *crowd)
{
	__u64 listener_key = crowd->listener;
	const struct listener *listener = bpf_map_lookup_elem(&listeners, &listener_key);

	record->begin_ns = crowd->begin_ns;
	record->tuple.netns = key->netns;
	record->tuple.lport = key->port;
	record->tuple.family = crowd->family;
	__builtin_memcpy(record->tuple.laddr, crowd->laddr, sizeof(record->tuple.laddr));
	record->half_open = crowd->half_open;
	record->dropped = crowd->dropped;
	record->reason = crowd->reason;
	record->ignored = crowd->ignored;
	__builtin_memcpy(record->addresses, crowd->addresses, sizeof(record->addresses));
	if (!listener)
		return;
	listener_read((const void *)listener_key, &record->listener, &record->flags);
	if (record->ignored)
		record->listener = crowd->queues;
	if (listener->has_owner) {
		record->owner = listener->owner;
		record->owners = listener->owners;
		record->flags |= SW_F_OWNER;
	}
}

/* One crowd, which is a second old, or the last word. */
static __always_inline void crowd_look(const struct port_key *key, struct crowd *crowd)
{
	__u64 now = bpf_ktime_get_ns();
	struct sw_crowd *record;

	swept[SW_SWEPT_CROWDS].seen = true;
	if (!crowd->begin_ns || (!flushing && now - crowd->begin_ns < NSEC_PER_SEC))
		return;
	record = bpf_ringbuf_reserve(&records, sizeof(*record), 0);
	if (!record)
		return; /* the next sweep will tell */
	__builtin_memset(record, 0, sizeof(*record));
	emit_header(&record->header, sizeof(*record), SW_CROWD, now);
	crowd_fill(record, key, crowd);
	/* Others count on meanwhile. */
	crowd->begin_ns = 0;
	__sync_fetch_and_add(&crowd->half_open, -record->half_open);
	__sync_fetch_and_add(&crowd->dropped, -record->dropped);
	__sync_fetch_and_add(&crowd->ignored, -record->ignored);
	__builtin_memset(crowd->addresses, 0, sizeof(crowd->addresses));
	emit_submit(record);
}

#endif /* SYNWATCH_CROWD_BPF_H */
