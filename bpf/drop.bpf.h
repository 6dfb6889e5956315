/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Segments of a handshake that this host throws away, in whatever network
 * namespace: kfree_skb.
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
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u32); /* ISN */
	__type(value, struct stray);
} strays SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, __u32);   /* ISN */
	__type(value, __u64); /* the key in handshakes */
} flights SEC(".maps");

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

/* What the headers of a dropped segment say. */
struct segment {
	__u32 isn; /* of the client */
	__u8 what; /* enum sw_drop_what */
	__u8 family;
	__be16 sport;
	__be16 dport;
	__u8 daddr[16];
};

/* --- headers --- */

static __always_inline bool segment_tcp(const unsigned char *header, struct segment *segment)
{
	struct tcphdr tcp;
	__u8 flags;

	if (bpf_probe_read_kernel(&tcp, sizeof(tcp), header))
		return false;
	flags = tcp.flags & (TCP_FLAG_FIN | TCP_FLAG_SYN | TCP_FLAG_RST | TCP_FLAG_ACK);
	if (flags == TCP_FLAG_SYN) {
		segment->what = SW_DROP_SYN;
		segment->isn = bpf_ntohl(tcp.seq);
	} else if (flags == (TCP_FLAG_SYN | TCP_FLAG_ACK)) {
		segment->what = SW_DROP_SYNACK;
		segment->isn = bpf_ntohl(tcp.ack_seq) - 1;
	} else if (flags & (TCP_FLAG_ACK | TCP_FLAG_RST)) {
		segment->what = SW_DROP_OTHER;
	} else {
		return false;
	}
	segment->sport = tcp.source;
	segment->dport = tcp.dest;
	return true;
}

/* The transport header is found from the IP header: on the way through layer 2
 * the skb's own mark of it is not set. */
static __always_inline bool segment_v4(const unsigned char *header, struct segment *segment)
{
	struct iphdr ip;
	__u32 length;

	if (bpf_probe_read_kernel(&ip, sizeof(ip), header))
		return false;
	length = (ip.version_ihl & 0x0f) * 4;
	/* only the first fragment has a TCP header */
	if (ip.version_ihl >> 4 != 4 || length < sizeof(ip) || ip.protocol != IPPROTO_TCP ||
	    ip.frag_off & bpf_htons(IP_OFFSET))
		return false;
	segment->family = 4;
	address_set_v4(segment->daddr, ip.daddr);
	return segment_tcp(header + length, segment);
}

/* A SYN behind IPv6 extension headers is given up: hosts do not send any. */
static __always_inline bool segment_v6(const unsigned char *header, struct segment *segment)
{
	struct ipv6hdr ip;

	if (bpf_probe_read_kernel(&ip, sizeof(ip), header))
		return false;
	if (ip.version_class >> 4 != 6 || ip.nexthdr != IPPROTO_TCP)
		return false;
	segment->family = 6;
	__builtin_memcpy(segment->daddr, ip.daddr, sizeof(segment->daddr));
	return segment_tcp(header + sizeof(ip), segment);
}

/* False unless it is a TCP segment in linear data that may have to do with a
 * handshake. */
static __always_inline bool segment_of_skb(const struct sk_buff *skb, struct segment *segment)
{
	__be16 protocol = BPF_CORE_READ(skb, protocol);
	const unsigned char *header;

	if (protocol != bpf_htons(ETH_P_IP) && protocol != bpf_htons(ETH_P_IPV6))
		return false;
	header = BPF_CORE_READ(skb, head) + BPF_CORE_READ(skb, network_header);
	if (protocol == bpf_htons(ETH_P_IP))
		return segment_v4(header, segment);
	return segment_v6(header, segment);
}

/* --- where --- */

static __always_inline const struct dst_entry *skb_dst_of(const struct sk_buff *skb)
{
	/* the lowest bit says whether a reference is held (SKB_DST_NOREF) */
	return (const void *)(BPF_CORE_READ(skb, _skb_refdst) & ~1UL);
}

/* The device's own addresses, the first few: what the route look-up would find
 * out, for a segment that was dropped before it got there (rp_filter, raw and
 * mangle PREROUTING). */
#define DEVICE_ADDRESSES 8

static __always_inline bool is_device_v4(const struct net_device *dev, const __u8 *daddr)
{
	const struct in_ifaddr *address = BPF_CORE_READ(dev, ip_ptr, ifa_list);
	__be32 wanted;

	__builtin_memcpy(&wanted, daddr + 12, sizeof(wanted));
	for (int i = 0; i < DEVICE_ADDRESSES && address; i++) {
		if (BPF_CORE_READ(address, ifa_local) == wanted)
			return true;
		address = BPF_CORE_READ(address, ifa_next);
	}
	return false;
}

static __always_inline bool is_device_v6(const struct net_device *dev, const __u8 *daddr)
{
	const struct list_head *node = BPF_CORE_READ(dev, ip6_ptr, addr_list.next);

	for (int i = 0; i < DEVICE_ADDRESSES && node; i++) {
		const struct inet6_ifaddr *address =
			(const void *)node - bpf_core_field_offset(struct inet6_ifaddr, if_list);
		__u64 found[2] = {}, wanted[2];

		BPF_CORE_READ_INTO(&found, address, addr.in6_u.u6_addr8);
		__builtin_memcpy(wanted, daddr, sizeof(wanted));
		if (found[0] == wanted[0] && found[1] == wanted[1])
			return true;
		node = BPF_CORE_READ(node, next);
	}
	return false;
}

static __always_inline bool is_for_device(const struct net_device *dev,
					  const struct segment *segment)
{
	return segment->family == 4 ? is_device_v4(dev, segment->daddr)
				    : is_device_v6(dev, segment->daddr);
}

static __always_inline bool is_routed_local(const struct dst_entry *dst, __u8 family)
{
	if (family == 4)
		return BPF_CORE_READ((const struct rtable *)dst, rt_type) == RTN_LOCAL;
	return BPF_CORE_READ((const struct rt6_info *)dst, rt6i_flags) & RTF_LOCAL;
}

/*
 * On its way out: it has the socket that made it (a SYN its SYN_SENT socket, a
 * SYN-ACK its request or listener) and no device has received it. A veth peer
 * receives it with the socket still attached, up to ip_rcv_core().
 */
static __always_inline bool is_output(const struct sk_buff *skb, const struct sock *sk,
				      const struct segment *segment)
{
	const struct net_device *dev = BPF_CORE_READ(skb, dev);
	__u8 state;

	if (!sk || BPF_CORE_READ(skb, skb_iif) ||
	    (dev && BPF_CORE_READ(dev, nd_net.net) != BPF_CORE_READ(sk, __sk_common.skc_net.net)))
		return false;
	state = BPF_CORE_READ(sk, __sk_common.skc_state);
	if (segment->what == SW_DROP_SYN)
		return state == TCP_SYN_SENT;
	return segment->what == SW_DROP_SYNACK &&
	       (state == TCP_NEW_SYN_RECV || state == TCP_LISTEN || state == TCP_SYN_RECV);
}

/* Early demux gave it the socket it is for. */
static __always_inline bool is_receiver(const struct sock *sk, const struct segment *segment)
{
	__u8 state;

	if (!sk)
		return false;
	state = BPF_CORE_READ(sk, __sk_common.skc_state);
	return segment->what == SW_DROP_SYN ? state == TCP_LISTEN : state == TCP_SYN_SENT;
}

static __always_inline void drop_locate(const struct sk_buff *skb, const struct sock *rx_sk,
					const struct segment *segment, struct sw_drop *drop)
{
	const struct sock *sk = BPF_CORE_READ(skb, sk);
	const struct net_device *dev = BPF_CORE_READ(skb, dev);
	const struct dst_entry *dst = skb_dst_of(skb);

	if (!rx_sk && is_output(skb, sk, segment)) {
		drop->where = SW_DROP_OUTPUT;
		drop->netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
		return;
	}
	/* TCP takes the device away; then the socket or the route tells. */
	if (dev)
		drop->netns = BPF_CORE_READ(dev, nd_net.net, ns.inum);
	else if (rx_sk)
		drop->netns = BPF_CORE_READ(rx_sk, __sk_common.skc_net.net, ns.inum);
	else if (sk)
		drop->netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	else if (dst)
		drop->netns = BPF_CORE_READ(dst, dev, nd_net.net, ns.inum);
	if (rx_sk || is_receiver(sk, segment) ||
	    (dst ? is_routed_local(dst, segment->family) : dev && is_for_device(dev, segment)))
		drop->where = SW_DROP_LOCAL;
	else
		drop->where = SW_DROP_TRANSIT;
}

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
	__u64 key = (__u64)sk;

	return sk ? bpf_map_lookup_elem(&handshakes, &key) : 0;
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
	tuple_of_sock(sk, &tuple);
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

static __always_inline void stray_keep(const struct segment *segment, const struct sw_drop *drop)
{
	struct stray stray = {
		.drop = *drop,
		.sport = segment->sport,
		.dport = segment->dport,
	};

	stray.drop.count = 1;
	(void)bpf_map_update_elem(&strays, &segment->isn, &stray, BPF_ANY);
}

#define REASON_IS(reason, value)                                    \
	(bpf_core_enum_value_exists(enum skb_drop_reason, value) && \
	 (reason) == bpf_core_enum_value(enum skb_drop_reason, value))

/* Of a copy, while the segment itself goes on: what a capture (AF_PACKET) had no
 * room for or had not read when it ended, and, on a link that shows a host
 * everything, what is addressed to others. */
static __always_inline bool is_copy(__u32 reason)
{
	return REASON_IS(reason, SKB_DROP_REASON_OTHERHOST) ||
	       REASON_IS(reason, SKB_DROP_REASON_PACKET_SOCK_ERROR) ||
	       REASON_IS(reason, SKB_DROP_REASON_QUEUE_PURGE);
}

/*
 * A duplicate SYN that the kernel answered by sending the SYN-ACK again, a
 * bare ACK that TCP_DEFER_ACCEPT puts off: freed without a reason, and no
 * trouble. What has none proves nothing.
 */
static __always_inline bool is_reason(__u32 reason)
{
	if (bpf_core_enum_value_exists(enum skb_drop_reason, SKB_CONSUMED) &&
	    reason == bpf_core_enum_value(enum skb_drop_reason, SKB_CONSUMED))
		return false;
	return reason != 0 && !is_copy(reason) && !REASON_IS(reason, SKB_DROP_REASON_NOT_SPECIFIED);
}

static __always_inline void drop_segment(const struct sk_buff *skb, const void *place, __u32 reason,
					 const struct sock *rx_sk)
{
	struct segment segment = {};
	struct sw_drop drop = {};
	const struct sock *sk;
	struct handshake *h;

	if (!is_reason(reason) || !segment_of_skb(skb, &segment))
		return;
	sk = rx_sk;
	h = handshake_of_sock(sk);
	if (!h) {
		sk = BPF_CORE_READ(skb, sk);
		h = handshake_of_sock(sk);
	}
	if (!h && segment.what != SW_DROP_OTHER) {
		sk = sock_of_isn(&segment);
		h = handshake_of_sock(sk);
	}
	/* under a flood this is as far as it goes */
	if (!h && (segment.what == SW_DROP_OTHER || !stray_allowed()))
		return;
	drop.place = (__u64)place;
	drop.reason = reason;
	drop.what = segment.what;
	drop_locate(skb, rx_sk, &segment, &drop);
	if (h)
		handshake_note_drop(h, &drop, sock_retransmits(sk),
				    drop.where == SW_DROP_OUTPUT &&
					    BPF_CORE_READ(sk, sk_lock.owned));
	else
		stray_keep(&segment, &drop);
}

/* --- from its handshake --- */

/* A drop from before the ISN was known here. */
static __always_inline void handshake_claim_stray(const struct sock *sk, struct handshake *h,
						  __u32 isn)
{
	struct stray *stray = bpf_map_lookup_elem(&strays, &isn);
	struct segment segment = {};
	struct sw_tuple tuple = {};

	if (!stray || h->drop.count)
		return;
	segment.what = stray->drop.what;
	segment.sport = stray->sport;
	segment.dport = stray->dport;
	tuple_of_sock(sk, &tuple);
	if (!is_same_flight(&tuple, &segment))
		return;
	/* it came before the retry that claims it */
	handshake_note_drop(h, &stray->drop, h->retransmits ? h->retransmits - 1 : 0, false);
	bpf_map_delete_elem(&strays, &isn);
}

/* From the first retry on, drops find it by its ISN. */
static __always_inline void handshake_take_off(const struct sock *sk, struct handshake *h)
{
	__u64 key = (__u64)sk;
	__u32 isn;

	if (h->in_flight)
		return;
	isn = sock_isn(sk);
	h->isn = isn;
	h->in_flight = true;
	if (bpf_map_update_elem(&flights, &isn, &key, BPF_ANY))
		count(map_full);
	handshake_claim_stray(sk, h, isn);
}

static __always_inline void handshake_land(struct handshake *h)
{
	__u32 isn = h->isn;

	if (h->in_flight)
		bpf_map_delete_elem(&flights, &isn);
}

#endif /* SYNWATCH_DROP_BPF_H */
