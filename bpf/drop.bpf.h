/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Segments of a client's handshake that this host throws away, in whatever
 * network namespace: kfree_skb, and what a listener ignores.
 *
 * Three ways lead from a dropped segment to its handshake, surest first:
 *
 *  - its socket: skb->sk on the way out, after early demux on the way in, or
 *    rx_sk (6.11+) once TCP has it;
 *  - `flights`: the ISN of a handshake that has been retried. A SYN carries it,
 *    a SYN-ACK acknowledges it, and plain NAT does not change it;
 *  - `strays`: drops that came before the ISN was known here. They wait, by
 *    ISN, for the first retry or the end of a handshake to claim them.
 *
 * A flood of dropped SYNs meets only the third, which is limited per CPU.
 */
#ifndef SYNWATCH_DROP_BPF_H
#define SYNWATCH_DROP_BPF_H

/* Drops without a known handshake that are kept, per CPU and 100 ms. All CPUs
 * together fill `strays` in about four seconds: a claim comes after one. */
#define STRAYS_WINDOW_NS (100 * NSEC_PER_MSEC)

struct stray {
	struct sw_drop drop;
	__be16 sport;
	__be16 dport;
	__u32 reserved;
	__u64 listener; /* as in struct handshake */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u32); /* ISN */
	__type(value, struct stray);
} strays SEC(".maps");

struct strays_window {
	__u64 begin_ns;
	__u64 kept;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct strays_window);
} strays_windows SEC(".maps");

/* --- to its handshake --- */

static __always_inline void handshake_note_drop(struct handshake *h, const struct sw_drop *drop,
						__u8 attempt, bool unsent)
{
	__u16 count = h->drop.count;

	h->drop = *drop;
	h->drop.count = count + 1;
	h->drop.attempt = attempt;
	h->flags |= SW_F_DROP;
	/* The first SYN was taken for sent; it was killed inside connect(). */
	if (unsent && !h->retransmits && h->syn_sent == 1) {
		h->syn_sent = 0;
		h->flags |= SW_F_FIRST_UNSENT;
	}
}

/* More drops than this CPU keeps. */
static __always_inline bool is_flooded(void)
{
	struct strays_window *window;
	__u32 zero = 0;

	window = bpf_map_lookup_elem(&strays_windows, &zero);
	return !window || window->kept >= config.strays_per_window;
}

/*
 * Two ISNs are equal by chance once in 2^32. A port that NAT has left alone
 * settles it; without one (both ends translated) it is believed as long as the
 * drops are few.
 */
static __always_inline bool is_same_flight(const struct sw_tuple *tuple,
					   const struct segment *segment)
{
	bool answer = segment->what == SW_DROP_SYNACK;
	__u16 sport = bpf_ntohs(segment->sport), dport = bpf_ntohs(segment->dport);

	if (answer ? sport == tuple->rport || dport == tuple->lport
		   : sport == tuple->lport || dport == tuple->rport)
		return true;
	return !is_flooded();
}

static __always_inline struct handshake *handshake_of_sock(const struct sock *sk)
{
	return sk ? handshake_at((__u64)sk) : 0;
}

/* It has a handshake under way. */
static __always_inline bool sock_is_known(const struct sock *sk)
{
	return sk && (fresh_find(sock_identity(sk)) || handshake_is_known(sk));
}

/* The socket in SYN_SENT whose ISN this is, NULL if there is none. */
static __always_inline const struct sock *sock_of_isn(const struct segment *segment)
{
	__u64 *key = bpf_map_lookup_elem(&flights, &segment->isn);
	struct sw_tuple tuple = {};
	const struct sock *sk;

	if (!key)
		return 0;
	sk = (const void *)*key;
	tuple_of_sock(sk, false, &tuple);
	return is_same_flight(&tuple, segment) ? sk : 0;
}

/* Whether this CPU may keep another stray in this window; counted if not. */
static __always_inline bool stray_allowed(void)
{
	__u64 now = bpf_ktime_get_ns();
	struct strays_window *window;
	__u32 zero = 0;

	window = bpf_map_lookup_elem(&strays_windows, &zero);
	if (!window)
		return false;
	if (now - window->begin_ns > STRAYS_WINDOW_NS) {
		window->begin_ns = now;
		window->kept = 0;
	}
	if (window->kept >= config.strays_per_window) {
		count(suppressed);
		return false;
	}
	window->kept++;
	return true;
}

static __always_inline void stray_keep(const struct segment *segment, const struct sw_drop *drop,
				       __u64 listener)
{
	struct stray stray = {
		.drop = *drop,
		.sport = segment->sport,
		.dport = segment->dport,
		.listener = listener,
	};

	stray.drop.count = 1;
	(void)bpf_map_update_elem(&strays, &segment->isn, &stray, BPF_ANY);
}

/* The client's handshake that a segment is of, and its socket; NULL if none is
 * known. */
static __always_inline struct handshake *handshake_of_segment(const struct sk_buff *skb,
							      const struct segment *segment,
							      const struct sock *rx_sk,
							      const struct sock **ret_sk)
{
	const struct sock *sk = rx_sk;

	if (!sock_is_known(sk))
		sk = BPF_CORE_READ(skb, sk);
	if (segment->what != SW_DROP_OTHER && !sock_is_known(sk))
		sk = sock_of_isn(segment);
	forget(sk);
	*ret_sk = sk;
	return handshake_of_sock(sk);
}

/* listener: that of this host which ignored it, 0 if it was dropped otherwise. */
static __always_inline void drop_tell_client(const struct segment *segment,
					     const struct sw_drop *drop, struct handshake *h,
					     const struct sock *sk, __u64 listener)
{
	if (h) {
		handshake_note_drop(h, drop, sock_retransmits(sk, false),
				    drop->where == SW_DROP_OUTPUT &&
					    BPF_CORE_READ(sk, sk_lock.owned));
		h->listener = listener;
	} else if (segment->what != SW_DROP_OTHER && stray_allowed()) {
		stray_keep(segment, drop, listener);
	}
}

/* --- from its handshake --- */

/* A drop from before the ISN was known here. */
static __always_inline void handshake_claim_stray(const struct sock *sk, bool own,
						  struct handshake *h, __u32 isn)
{
	struct stray *stray = bpf_map_lookup_elem(&strays, &isn);
	struct segment segment = {};
	struct sw_tuple tuple = {};

	if (!stray || h->drop.count)
		return;
	segment.what = stray->drop.what;
	segment.sport = stray->sport;
	segment.dport = stray->dport;
	tuple_of_sock(sk, own, &tuple);
	if (!is_same_flight(&tuple, &segment))
		return;
	/* it came before the retry that claims it */
	handshake_note_drop(h, &stray->drop, h->retransmits ? h->retransmits - 1 : 0, false);
	h->listener = stray->listener;
	bpf_map_delete_elem(&strays, &isn);
}

/* From the first retry on, drops find it by its ISN. */
static __always_inline void handshake_take_off(const struct sock *sk, bool own, struct handshake *h)
{
	__u64 key = (__u64)sk;
	__u32 isn;

	if (h->in_flight)
		return;
	isn = sock_isn(sk, own);
	h->isn = isn;
	h->in_flight = true;
	if (bpf_map_update_elem(&flights, &isn, &key, BPF_ANY))
		count(map_full);
	handshake_claim_stray(sk, own, h, isn);
}

/* At its end, its entry taken out: the sweep, on another CPU, may have put it into
 * flights after this copy of the entry was made. Only what is due is looked at. */
static __always_inline void handshake_land_at_end(const struct sock *sk, bool own,
						  struct handshake *h, __u64 now)
{
	__u32 isn = h->isn;

	if (!h->in_flight) {
		if (now < h->due_ns)
			return;
		isn = sock_isn(sk, own);
	}
	bpf_map_delete_elem(&flights, &isn);
}

#endif /* SYNWATCH_DROP_BPF_H */
