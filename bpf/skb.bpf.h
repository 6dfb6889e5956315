/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Segments that the kernel frees: what their headers say, where it happened and
 * whether that is a drop at all.
 */
#ifndef SYNWATCH_SKB_BPF_H
#define SYNWATCH_SKB_BPF_H

/* What the headers of a dropped segment say. */
struct segment {
	__u32 isn; /* of the client */
	__u8 what; /* enum sw_drop_what; 0: nothing of a handshake */
	__u8 family;
	__u8 flags;
	__be16 sport;
	__be16 dport;
	__u8 saddr[16];
	__u8 daddr[16];
};

/* --- headers --- */

/*
 * Where headers are read. What is behind the end of a packet is another packet's, or
 * what the sender of this one put there to be misread: no header lies beyond it, and
 * none is longer than the one before it says.
 */
struct headers {
	const unsigned char *head;
	__u32 offset; /* of the next one */
	__u32 tail;   /* of the linear data */
};

#define TCP_HEADER_MIN 20

/* length: of the segment, as the IP header has it. */
static __always_inline bool segment_tcp(const struct headers *headers, __u32 length,
					struct segment *segment)
{
	struct tcphdr tcp;
	__u32 header;
	__u8 flags;

	if (length < TCP_HEADER_MIN || headers->offset + TCP_HEADER_MIN > headers->tail ||
	    bpf_probe_read_kernel(&tcp, sizeof(tcp), headers->head + headers->offset))
		return false;
	header = (tcp.doff >> 4) * 4;
	if (header < TCP_HEADER_MIN || header > length)
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
		segment->isn = bpf_ntohl(tcp.seq) - 1; /* if it completes a handshake */
	}
	segment->flags = flags;
	segment->sport = tcp.source;
	segment->dport = tcp.dest;
	return true;
}

/* The transport header is found from the IP header: on the way through layer 2
 * the skb's own mark of it is not set. */
static __always_inline bool segment_v4(struct headers *headers, struct segment *segment)
{
	__u32 header, length;
	struct iphdr ip;

	if (headers->offset + sizeof(ip) > headers->tail ||
	    bpf_probe_read_kernel(&ip, sizeof(ip), headers->head + headers->offset))
		return false;
	header = (ip.version_ihl & 0x0f) * 4;
	length = bpf_ntohs(ip.tot_len);
	/* Nobody fragments a segment of a handshake, but who wants it misread. */
	if (ip.version_ihl >> 4 != 4 || header < sizeof(ip) || length < header ||
	    ip.protocol != IPPROTO_TCP || ip.frag_off & bpf_htons(IP_OFFSET | IP_MF))
		return false;
	segment->family = 4;
	address_set_v4(segment->saddr, ip.saddr);
	address_set_v4(segment->daddr, ip.daddr);
	headers->offset += header;
	return segment_tcp(headers, length - header, segment);
}

/* transport: where TCP found its header, 0 if it has not seen the packet. Before that
 * a segment behind extension headers is given up: hosts do not send any. */
static __always_inline bool segment_v6(struct headers *headers, __u32 transport,
				       struct segment *segment)
{
	struct ipv6hdr ip;
	__u32 first;

	if (headers->offset + sizeof(ip) > headers->tail ||
	    bpf_probe_read_kernel(&ip, sizeof(ip), headers->head + headers->offset))
		return false;
	first = headers->offset + sizeof(ip);
	if (ip.nexthdr == IPPROTO_TCP)
		transport = first;
	if (ip.version_class >> 4 != 6 || transport < first ||
	    bpf_ntohs(ip.payload_len) < transport - first)
		return false;
	segment->family = 6;
	__builtin_memcpy(segment->saddr, ip.saddr, sizeof(segment->saddr));
	__builtin_memcpy(segment->daddr, ip.daddr, sizeof(segment->daddr));
	headers->offset = transport;
	return segment_tcp(headers, bpf_ntohs(ip.payload_len) - (transport - first), segment);
}

/* False unless it is a TCP segment, its headers in linear data. taken: TCP has seen it. */
static __always_inline bool segment_of_skb(const struct sk_buff *skb, bool taken,
					   struct segment *segment)
{
	__be16 protocol = BPF_CORE_READ(skb, protocol);
	struct headers headers;

	if (protocol != bpf_htons(ETH_P_IP) && protocol != bpf_htons(ETH_P_IPV6))
		return false;
	headers.head = BPF_CORE_READ(skb, head);
	headers.offset = BPF_CORE_READ(skb, network_header);
	headers.tail = BPF_CORE_READ(skb, tail);
	if (protocol == bpf_htons(ETH_P_IP))
		return segment_v4(&headers, segment);
	return segment_v6(&headers, taken ? BPF_CORE_READ(skb, transport_header) : 0, segment);
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

/* --- why --- */

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

/* Not freed for what it is: read, sent, answered. */
static __always_inline bool is_consumed(__u32 reason)
{
	return !reason || (bpf_core_enum_value_exists(enum skb_drop_reason, SKB_CONSUMED) &&
			   reason == bpf_core_enum_value(enum skb_drop_reason, SKB_CONSUMED));
}

/*
 * A duplicate SYN that the kernel answered by sending the SYN-ACK again, a
 * bare ACK that TCP_DEFER_ACCEPT puts off: freed without a reason, and no
 * trouble. What has none proves nothing.
 */
static __always_inline bool is_reason(__u32 reason)
{
	return !REASON_IS(reason, SKB_DROP_REASON_NOT_SPECIFIED);
}

#endif /* SYNWATCH_SKB_BPF_H */
