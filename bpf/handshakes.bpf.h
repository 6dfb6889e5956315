/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The handshakes under way: sockets in SYN_SENT and nothing else, by socket
 * address. An address is reused only after the socket has left SYN_SENT, which
 * takes its entry away; the cookie guards against a run that was missed.
 *
 * Most are over, and no trouble, before anything but their opening has to be
 * known. Those wait in an array, which costs a fraction of what it takes to put
 * an entry into a hash and to delete it. At its first trouble one moves to the
 * hash, where it has room for what happens, and whoever looks for it finds it
 * there. What finds no slot free in the array begins in the hash.
 *
 * A slot belongs to its holder. The end and a move may be at it at once, on two
 * CPUs; one exchange of the holder decides. Kernels before 5.12 have no
 * such instruction: there the user side clears config.fresh, and takes it out of
 * the branches that are never entered.
 */
#ifndef SYNWATCH_HANDSHAKES_BPF_H
#define SYNWATCH_HANDSHAKES_BPF_H

/* What is known when connect() begins. */
struct opening {
	__u64 start_ns;
	__u64 cookie;
	struct sw_owner owner;
	__u32 old_errors; /* on the error queue before this attempt */
	__u8 old_soft;	  /* sk_err_soft before this attempt; reuse keeps it */
	bool undecided;	  /* FILTER_UNDECIDED at the start */
	bool streamed;	  /* a record about it went out */
	bool reserved1;
};

struct handshake {
	struct opening;
	__u64 due_ns; /* the sweep leaves it alone until then */
	__u32 flags;  /* enum sw_flags: ADOPTED, OWNER, RESET */
	__u16 syn_sent;
	__u16 owners;	  /* as in struct sw_handshake */
	__u8 retransmits; /* the highest seen; the kernel forgets it on success */
	bool in_flight;	  /* isn is its key in flights */
	bool has_err;	  /* err is known */
	__u8 reserved[3];
	__s16 err; /* the last retry's result, as in struct sw_handshake */
	__u32 isn;
	__u32 reserved2;
	struct sw_drop drop; /* the newest, with SW_F_DROP */
	__u64 listener;	     /* of this host, which ignored the SYN; a key in listeners */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, struct handshake);
} handshakes SEC(".maps");

/* Those in the hash that have been retried, by ISN: see bpf/drop.bpf.h. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, __u32);   /* ISN */
	__type(value, __u64); /* the key in handshakes */
} flights SEC(".maps");

static __always_inline bool handshake_is_known(const struct sock *sk)
{
	__u64 key = (__u64)sk;

	return bpf_map_lookup_elem(&handshakes, &key);
}

static __always_inline void handshake_note_due(__u64 due_ns)
{
	struct sw_swept *map = &swept[SW_SWEPT_HANDSHAKES];

	if (due_ns < map->due_ns)
		map->due_ns = due_ns;
}

static __always_inline void handshake_set_due(struct handshake *h, __u64 due_ns)
{
	h->due_ns = due_ns;
	handshake_note_due(due_ns);
}

static __always_inline long handshake_put(__u64 key, const struct handshake *h, __u64 flags)
{
	swept[SW_SWEPT_HANDSHAKES].entered = true;
	handshake_note_due(h->due_ns);
	return bpf_map_update_elem(&handshakes, &key, h, flags);
}

static __always_inline void handshake_land(struct handshake *h)
{
	const union key isn = key_of(h->isn);

	if (h->in_flight)
		bpf_map_delete_elem(&flights, &isn);
}

static __always_inline void handshake_forget(__u64 key, struct handshake *h)
{
	handshake_land(h);
	bpf_map_delete_elem(&handshakes, &key);
}

/* The user side sees the beginning, as struct sw_fresh. */
struct fresh {
	__u64 holder; /* the socket's cookie; 0: free */
	struct opening opening;
	__u64 key; /* in handshakes */
};

_Static_assert(__builtin_offsetof(struct fresh, opening.start_ns) ==
		       __builtin_offsetof(struct sw_fresh, start_ns),
	       "fresh");

/* Mostly few are under way at a time: they share the first slots, which then are in the
 * cache. */
#define FRESH_HOT   64
#define FRESH_SLOTS (FRESH_HOT + 4096)
#define FRESH_WAYS  2

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, FRESH_SLOTS);
	__type(key, __u32);
	__type(value, struct fresh);
} fresh_handshakes SEC(".maps");

/* A connection was opened from both ends at once: SYN_RECV may then be a
 * client's state. */
bool simultaneous_open = false;

/* NULL for FRESH_SLOTS. */
static __always_inline struct fresh *fresh_at(__u32 number)
{
	const union key key = key_of(number);

	return bpf_map_lookup_elem(&fresh_handshakes, &key);
}

/* Cookies are given out one after the other. */
static __always_inline __u32 fresh_number(__u64 cookie, __u32 way)
{
	return way ? FRESH_HOT + (__u32)cookie % (FRESH_SLOTS - FRESH_HOT)
		   : (__u32)cookie % FRESH_HOT;
}

static __always_inline struct fresh *fresh_find(__u64 cookie)
{
	struct fresh *slot;

	if (!config.fresh || !cookie)
		return 0;
	for (__u32 way = 0; way < FRESH_WAYS; way++) {
		slot = fresh_at(fresh_number(cookie, way));
		if (likely(slot && slot->holder == cookie))
			return slot;
	}
	return 0;
}

/* A slot to be filled in, then published; NULL if none is free. One that this very
 * socket holds is of an attempt whose end was missed. */
static __always_inline struct fresh *fresh_claim(__u64 cookie)
{
	struct fresh *slot;
	__u64 before;

	if (!config.fresh)
		return 0;
	for (__u32 way = 0; way < FRESH_WAYS; way++) {
		slot = fresh_at(fresh_number(cookie, way));
		if (unlikely(!slot))
			continue;
		before = slot->holder;
		if (unlikely((before && before != cookie) ||
			     __sync_val_compare_and_swap(&slot->holder, before, SW_FRESH_BUSY) !=
				     before))
			continue;
		if (unlikely(before))
			count(missed);
		return slot;
	}
	return 0;
}

static __always_inline bool fresh_exchange(struct fresh *slot, __u64 from, __u64 to)
{
	return config.fresh && __sync_val_compare_and_swap(&slot->holder, from, to) == from;
}

/* An exchange, not a store: what was filled in is to be seen first. */
static __always_inline void fresh_publish(struct fresh *slot)
{
	(void)fresh_exchange(slot, SW_FRESH_BUSY, slot->opening.cookie);
}

/* True for one of all who try. */
static __always_inline bool fresh_take(struct fresh *slot)
{
	return fresh_exchange(slot, slot->opening.cookie, 0);
}

/* The same for who still has to read it, and releases it then. */
static __always_inline bool fresh_hold(struct fresh *slot)
{
	return fresh_exchange(slot, slot->opening.cookie, SW_FRESH_BUSY);
}

static __always_inline void fresh_release(struct fresh *slot)
{
	(void)fresh_exchange(slot, SW_FRESH_BUSY, 0);
}

/* The rest of one whose opening is filled in. */
static __always_inline void handshake_begin(struct handshake *h)
{
	h->due_ns = h->start_ns + config.quiet_ns;
	h->flags = SW_F_OWNER;
	h->syn_sent = 1;
}

/* As it begins in the hash, but for the opening. */
static const volatile struct handshake beginning = {
	.due_ns = ~0ULL,
	.flags = SW_F_OWNER,
	.syn_sent = 1,
};

/* One of the same socket is there: another CPU moves it, too, or it is what a run that
 * was missed has left of an earlier attempt. */
static __always_inline bool is_left_over(const struct handshake *h, const struct fresh *slot)
{
	return h->start_ns && h->start_ns != slot->opening.start_ns;
}

/* What is in its slot -> the hash; NULL if it has ended meanwhile, or there is no
 * room. The end looks at the slot first and then into the hash, so it has to be there
 * before the slot is given up. */
static __always_inline struct handshake *fresh_move(struct fresh *slot)
{
	__u64 key = slot->key;
	struct handshake *h;
	long err = handshake_put(key, (const void *)&beginning, BPF_NOEXIST);

	h = bpf_map_lookup_elem(&handshakes, &key);
	if (h && err && is_left_over(h, slot)) {
		handshake_forget(key, h);
		count(missed);
		err = handshake_put(key, (const void *)&beginning, BPF_NOEXIST);
		h = bpf_map_lookup_elem(&handshakes, &key);
	}
	if (!h && err)
		count(map_full);
	if (!h || err)
		return h;
	__builtin_memcpy(h, &slot->opening, sizeof(slot->opening));
	if (!fresh_take(slot)) {
		bpf_map_delete_elem(&handshakes, &key);
		return 0;
	}
	handshake_set_due(h, h->start_ns + config.quiet_ns);
	return h;
}

/* NULL if it is not known. What has no trouble yet is taken to have some. */
static __always_inline struct handshake *handshake_at(__u64 key)
{
	struct fresh *slot = fresh_find(sock_identity((const void *)key));

	return slot ? fresh_move(slot) : bpf_map_lookup_elem(&handshakes, &key);
}

/* One that has had no trouble yet: that it takes so long is some. Its socket may be gone
 * with its end, which then was missed. */
static __always_inline void fresh_look(const __u32 *index, const struct fresh *seen)
{
	__u32 at = *index; /* the iterator's own may not be passed on */
	__u64 holder = seen->holder;
	struct fresh *slot;

	if (!holder || holder == SW_FRESH_BUSY ||
	    bpf_ktime_get_ns() - seen->opening.start_ns < config.quiet_ns)
		return;
	slot = fresh_at(at);
	if (!slot || slot->holder != holder)
		return;
	if (sock_identity((const void *)slot->key) == holder)
		(void)fresh_move(slot);
	else if (fresh_take(slot))
		count(missed);
}

#endif /* SYNWATCH_HANDSHAKES_BPF_H */
