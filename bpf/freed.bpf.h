/* SPDX-License-Identifier: GPL-2.0-only */
/* What a segment that the kernel frees means to its client and to its server. */
#ifndef SYNWATCH_FREED_BPF_H
#define SYNWATCH_FREED_BPF_H

static __always_inline void segment_dropped(const struct sk_buff *skb,
					    const struct segment *segment, struct sw_drop *drop,
					    const struct sock *rx_sk, const struct answer *answer)
{
	const struct sock *sk, *owner;
	struct handshake *h;

	drop_locate(skb, rx_sk, segment, drop);
	forget(*drop);
	forget(rx_sk);
	if (filter_role(SW_FILTER_CLIENT)) {
		h = handshake_of_segment(skb, segment, rx_sk, &sk);
		forget(rx_sk);
		drop_tell_client(segment, drop, h, sk, 0);
	}
	if (!filter_role(SW_FILTER_SERVER))
		return;
	owner = BPF_CORE_READ(skb, sk);
	if (segment->what == SW_DROP_SYNACK && drop->where == SW_DROP_OUTPUT && owner &&
	    BPF_CORE_READ(owner, __sk_common.skc_state) == TCP_NEW_SYN_RECV)
		request_event((const void *)owner, request_cookie((const void *)owner), drop);
	else
		refusal_dropped(segment, drop, rx_sk, answer);
}

/* Freed without a reason: no drop, but perhaps what ended a request. */
static __always_inline void segment_unexplained(const struct sk_buff *skb,
						const struct segment *segment,
						const struct sock *rx_sk)
{
	struct sw_tuple tuple = {};
	struct sw_drop drop = {};

	if (!filter_role(SW_FILTER_SERVER) || segment->what != SW_DROP_OTHER ||
	    !(segment->flags & TCP_FLAG_RST))
		return;
	drop_locate(skb, rx_sk, segment, &drop);
	tuple_of_segment(segment, drop.netns, &tuple);
	request_reset(&tuple);
}

/* ip_local_deliver_finish() takes the IP header away, nobody before does. */
static __always_inline bool is_in_tcp(const struct sk_buff *skb)
{
	return BPF_CORE_READ(skb, data) >
	       BPF_CORE_READ(skb, head) + BPF_CORE_READ(skb, network_header);
}

/* The listener that a freed segment was for, where the kernel does not name it. */
static __always_inline const struct sock *listener_of_segment(const struct sk_buff *skb,
							      const struct segment *segment)
{
	const struct dst_entry *dst = skb_dst_of(skb);
	struct sw_tuple tuple = {};

	if (!filter_role(SW_FILTER_SERVER) || !dst || segment->what == SW_DROP_SYNACK ||
	    !is_in_tcp(skb))
		return 0;
	tuple_of_segment(segment, BPF_CORE_READ(dst, dev, nd_net.net, ns.inum), &tuple);
	return listener_at(&tuple);
}

/*
 * Whether sk_drops has a segment that a listener was given: the ACK out of nowhere, which
 * tcp_v4_do_rcv() frees, it has not. Before 6.9 that has no reason, is known by the RST
 * that answers it, and with tcp_abort_on_overflow looks like the ACK that finds the
 * accept queue full.
 */
static __always_inline bool is_discarded(const struct sock *receiver, const struct segment *segment,
					 const struct answer *answer, __u32 reason)
{
	struct sw_listener queues = {};
	__u32 flags = 0;

	if (REASON_IS(reason, SKB_DROP_REASON_TCP_FLAGS))
		return !(segment->flags & TCP_FLAG_ACK);
	if ((reason && is_reason(reason)) || !answer->listener || segment->flags & TCP_FLAG_SYN)
		return true;
	listener_read(receiver, &queues, &flags);
	return queues.abort_on_overflow;
}

/* What its listener has of it, if it is one's. False if it can have to do with no
 * handshake. */
static __always_inline bool segment_concerns(const struct sock *receiver,
					     const struct segment *segment,
					     const struct answer *answer, const void *place,
					     __u32 reason)
{
	struct listener *listener;

	/* Who asks for clients only has no listeners. */
	if (!filter_role(SW_FILTER_SERVER))
		return segment->what;
	listener = listener_of_sock(receiver);
	if (listener && is_discarded(receiver, segment, answer, reason))
		listener_discarded(receiver, listener, reason);
	if (segment->what == SW_DROP_OTHER)
		refusal_aborted(segment, answer, place, reason);
	return segment->what;
}

/*
 * Before 5.17, without reasons: nothing is known to be a drop. But what a listener
 * discards in the open is told from what it ignores, and the RST that ends a
 * request is seen.
 */
static __always_inline void segment_discarded(const struct sk_buff *skb, const void *place)
{
	struct segment segment = {};
	struct answer answer = {};

	answer_take(skb, &answer);
	if (segment_of_skb(skb, 0, &segment) &&
	    segment_concerns(listener_of_segment(skb, &segment), &segment, &answer, place, 0))
		segment_unexplained(skb, &segment, 0);
}

/* names_receiver: rx_sk is what TCP freed it for, NULL if it was nobody; else it
 * is not known. */
static __always_inline void segment_freed(const struct sk_buff *skb, const void *place,
					  __u32 reason, const struct sock *rx_sk,
					  bool names_receiver)
{
	struct segment segment = {};
	struct answer answer = {};
	struct sw_drop drop = {};

	answer_take(skb, &answer);
	if (is_consumed(reason) || is_copy(reason) ||
	    !segment_of_skb(skb, listener_of_sock(rx_sk), &segment))
		return;
	forget(segment);
	forget(answer);
	forget(rx_sk);
	if (!segment_concerns(names_receiver ? rx_sk : listener_of_segment(skb, &segment), &segment,
			      &answer, place, reason))
		return;
	if (!is_reason(reason)) {
		segment_unexplained(skb, &segment, rx_sk);
		return;
	}
	/* Before there is a route, a rule of nftables' families bridge and netdev may have
	 * it: these answer past icmp_send() and the like (nf_reject_skb_v4_unreach()). */
	if (skb_dst_of(skb))
		answer.flags |= answers_told;
	forget(answer);
	drop.place = (__u64)place;
	drop.reason = reason;
	drop.what = segment.what;
	segment_dropped(skb, &segment, &drop, rx_sk, &answer);
}

#endif /* SYNWATCH_FREED_BPF_H */
