/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * SYNs (and ACKs that would complete a handshake) that the namespace they are
 * for throws away or refuses. There is no request to follow: each is told once,
 * by its ISN and ports, and what its client repeats is the same again.
 */
#ifndef SYNWATCH_REFUSAL_BPF_H
#define SYNWATCH_REFUSAL_BPF_H

struct refusal_key {
	__u32 isn;
	__u32 netns;
	__be16 sport;
	__be16 dport;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct refusal_key);
	__type(value, __u8);
} refusals SEC(".maps");

/* What this host sent in answer to a segment. */
struct answer {
	__u64 listener; /* tcp_send_reset's socket, if it listens */
	__u32 flags;	/* SW_F_ICMP_SENT, SW_F_RESET_SENT; those that would be seen */
	__u8 type;
	__u8 code;
	__u8 reserved[2];
};

/* The newest of this CPU: an answer is made just before the segment is freed, and
 * who makes it is given the same skb. */
struct answered {
	__u64 skb;
	__u64 time_ns;
	struct answer answer;
	struct answer none; /* always */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct answered);
} answers SEC(".maps");

/* The segment is freed at once, unless a hypervisor takes the CPU away; what has its
 * address later is another one. */
#define ANSWER_NS (100 * NSEC_PER_MSEC)

static __always_inline void answer_note(const struct sk_buff *skb, const struct answer *answer)
{
	struct answered *here;
	const union key zero = key_of(0);

	/* It is part of what a server does. */
	if (!filter_role(SW_FILTER_SERVER))
		return;
	here = bpf_map_lookup_elem(&answers, &zero);
	if (!here)
		return;
	here->skb = (__u64)skb;
	here->time_ns = bpf_ktime_get_ns();
	here->answer = *answer;
}

static __always_inline bool answer_is(const struct answered *here, const struct sk_buff *skb)
{
	return here->skb == (__u64)skb && bpf_ktime_get_ns() - here->time_ns < ANSWER_NS;
}

/*
 * Takes the answer to this segment; no flags are set if none is known. Then they are read
 * as well: with a constant instead the verifier (6.1) would follow the rest of the program
 * once more.
 */
static __always_inline void answer_take(const struct sk_buff *skb, struct answer *ret_answer)
{
	struct answered *here;
	const union key zero = key_of(0);

	if (!filter_role(SW_FILTER_SERVER))
		return;
	here = bpf_map_lookup_elem(&answers, &zero);
	if (!here)
		return;
	if (answer_is(here, skb)) {
		here->skb = 0;
		*ret_answer = here->answer;
	} else {
		*ret_answer = here->none;
	}
}

/* An IP header without options and a TCP header, as nf_send_reset() and nf_send_reset6()
 * build them. The lengths in them and the mark of the second are not set yet: that is
 * left to ip_local_out(). */
static __always_inline bool is_built_reset(const struct sk_buff *built)
{
	const unsigned char *ip = BPF_CORE_READ(built, head) + BPF_CORE_READ(built, network_header);
	const unsigned char *tail = BPF_CORE_READ(built, head) + BPF_CORE_READ(built, tail);
	__u8 version, protocol;
	struct tcphdr tcp;

	if (bpf_probe_read_kernel(&version, sizeof(version), ip) ||
	    bpf_probe_read_kernel(&protocol, sizeof(protocol),
				  ip + (version >> 4 == 4 ? offsetof(struct iphdr, protocol)
							  : offsetof(struct ipv6hdr, nexthdr))))
		return false;
	ip += version >> 4 == 4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
	return protocol == IPPROTO_TCP && ip + TCP_HEADER_MIN == tail &&
	       !bpf_probe_read_kernel(&tcp, sizeof(tcp), ip) && tcp.flags & TCP_FLAG_RST;
}

/* An ICMP error that is yet to be built: a rate limit (icmpv6_xrlim_allow()) may keep it
 * from being so. */
static __always_inline void answer_intend(const struct sk_buff *skb, __u8 type, __u8 code)
{
	const struct answer intended = {.type = type, .code = code};

	answer_note(skb, &intended);
}

/*
 * What was built in answer to a segment, and is about to be sent. The callers that copy
 * the segment into an ICMP error (icmp_glue_bits(), icmpv6_getfrag()) have not filled in
 * its headers yet: it is known by what was intended.
 */
static __always_inline void answer_built(const struct sk_buff *built, const struct sk_buff *skb)
{
	struct answered *here;
	struct answer reset = {};
	const union key zero = key_of(0);

	/* clang 14 leaves out a store in answer_note() if this is a constant. */
	reset.flags = SW_F_RESET_SENT;
	here = bpf_map_lookup_elem(&answers, &zero);
	if (!here)
		return;
	if (!answer_is(here, skb)) {
		if (is_built_reset(built))
			answer_note(skb, &reset);
	} else if (!here->answer.flags) {
		here->answer.flags = SW_F_ICMP_SENT;
	}
}

static __always_inline void tuple_of_segment(const struct segment *segment, __u32 netns,
					     struct sw_tuple *tuple)
{
	__builtin_memcpy(tuple->laddr, segment->daddr, sizeof(tuple->laddr));
	__builtin_memcpy(tuple->raddr, segment->saddr, sizeof(tuple->raddr));
	tuple->lport = bpf_ntohs(segment->dport);
	tuple->rport = bpf_ntohs(segment->sport);
	tuple->netns = netns;
	tuple->family = segment->family;
}

/* False if it has been told before; else it is from now on. */
static __always_inline bool refusal_is_new(const struct segment *segment, __u32 netns,
					   bool remember)
{
	struct refusal_key key = {
		.isn = segment->isn,
		.netns = netns,
		.sport = segment->sport,
		.dport = segment->dport,
	};
	__u8 yes = 1;

	if (bpf_map_lookup_elem(&refusals, &key))
		return false;
	if (remember)
		(void)bpf_map_update_elem(&refusals, &key, &yes, BPF_ANY);
	return true;
}

static __always_inline void refusal_emit(const struct segment *segment,
					 const struct sw_tuple *tuple, const struct sw_drop *drop,
					 const struct sock *sk, const struct answer *answer,
					 __u64 now)
{
	struct sw_handshake *record = emit_reserve(SW_SYN_DROP, now);
	struct listener *listener;

	if (!record)
		return;
	record->cookie = identity_make_up(segment->isn, tuple);
	record->start_ns = record->syn_ns = now;
	record->isn = segment->isn;
	record->flags = SW_F_ISN | SW_F_DROP;
	record->tuple = *tuple;
	record->drop = *drop;
	record->drop.count = 1;
	if (answer)
		record->flags |= answer->flags;
	if (answer && answer->flags & SW_F_ICMP_SENT) {
		record->icmp.version = segment->family;
		record->icmp.type = answer->type;
		record->icmp.code = answer->code;
	}
	record->timer.tick_ns = config.tick_ns;
	record->old_state = record->new_state = TCP_LISTEN;
	handshake_fill_listener(record, sk);
	listener = listener_of_sock(sk);
	if (listener && !drop->reason)
		listener_read_recent(sk, listener, now, &record->listener, &record->flags);
	emit_submit(record);
}

/* sk: the listener, NULL if there is none or it is not known. */
static __always_inline void refusal_tell(const struct segment *segment, const struct sw_drop *drop,
					 const struct sock *sk, const struct answer *answer)
{
	__u64 now = bpf_ktime_get_ns();
	struct sw_tuple tuple = {};
	struct crowd *crowd;

	if (!filter_role(SW_FILTER_SERVER))
		return;
	tuple_of_segment(segment, drop->netns, &tuple);
	forget(tuple);
	if (filter_tuple(&tuple) == FILTER_REFUSE)
		return;
	if (!sk)
		sk = listener_at(&tuple);
	forget(sk);
	if (!filter_listener(sk, listener_of_sock(sk)) ||
	    !refusal_is_new(segment, drop->netns, false))
		return;
	crowd = crowd_at(&tuple, sk);
	if (crowd_tells(crowd, now, 1)) {
		(void)refusal_is_new(segment, drop->netns, true);
		refusal_emit(segment, &tuple, drop, sk, answer, now);
	} else if (drop->reason) {
		crowd_count_dropped(crowd, tuple.raddr, drop->reason, now);
	} else {
		struct listener *listener = listener_of_sock(sk);
		struct sw_listener queues = {};
		__u32 flags = 0;

		if (listener)
			listener_read_recent(sk, listener, now, &queues, &flags);
		crowd_count_ignored(crowd, 1, &queues, now);
	}
}

/* kfree_skb, with a reason. */
static __always_inline void refusal_dropped(const struct segment *segment,
					    const struct sw_drop *drop, const struct sock *rx_sk,
					    const struct answer *answer)
{
	if (segment->what == SW_DROP_SYN && drop->where == SW_DROP_LOCAL)
		refusal_tell(segment, drop, listener_of_sock(rx_sk) ? rx_sk : 0, answer);
}

/* An ACK out of nowhere is answered by the listener's RST, too. It has a reason of its
 * own since 6.9, the one that finds the queue full since 6.15; neither had before. */
static __always_inline bool may_be_overflow(__u32 reason)
{
	if (bpf_core_enum_value_exists(enum skb_drop_reason, SKB_DROP_REASON_TCP_LISTEN_OVERFLOW))
		return REASON_IS(reason, SKB_DROP_REASON_TCP_LISTEN_OVERFLOW);
	return !REASON_IS(reason, SKB_DROP_REASON_TCP_FLAGS);
}

/* An ACK that was answered with a RST although its listener listens: by
 * tcp_check_req(), with tcp_abort_on_overflow and the accept queue full. */
static __always_inline void refusal_aborted(const struct segment *segment,
					    const struct answer *answer, const void *place,
					    __u32 reason)
{
	struct sw_drop drop = {
		.place = (__u64)place,
		.reason = reason,
		.what = SW_DROP_OTHER,
		.where = SW_DROP_LOCAL,
	};
	struct sw_listener queues = {};
	struct listener *listener;
	const struct sock *sk;
	__u32 flags = 0;

	if (!answer->listener || segment->flags & TCP_FLAG_RST || !may_be_overflow(reason))
		return;
	sk = (const void *)answer->listener;
	listener_read(sk, &queues, &flags);
	if (!queues.abort_on_overflow || queues.backlog <= queues.limit)
		return;
	drop.netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	/* It is in sk_drops twice, see listener_discarded(), which before 6.15 cannot
	 * know it by its reason. */
	listener = listener_of_sock(sk);
	if (listener && !REASON_IS(reason, SKB_DROP_REASON_TCP_LISTEN_OVERFLOW))
		__sync_fetch_and_add(&listener->drops, 1);
	refusal_tell(segment, &drop, sk, answer);
}

/* A SYN that its listener threw away without a word. */
static __always_inline void refusal_ignored(const struct sk_buff *skb,
					    const struct segment *segment, __u32 netns,
					    const struct sock *listener)
{
	const struct sw_drop drop = {
		.netns = netns,
		.what = SW_DROP_SYN,
		.where = SW_DROP_LOCAL,
	};
	const struct sock *sk;
	struct handshake *h;

	if (filter_role(SW_FILTER_CLIENT)) {
		h = handshake_of_segment(skb, segment, 0, &sk);
		drop_tell_client(segment, &drop, h, sk, (__u64)listener);
	}
	refusal_tell(segment, &drop, listener, 0);
}

/*
 * consume_skb of a SYN that TCP has taken: tcp_rcv_state_process() frees those
 * that were answered and those that were not alike. If its listener has counted
 * a drop that nobody has accounted for, this was it.
 */
static __always_inline void refusal_consumed(const struct sk_buff *skb)
{
	const struct dst_entry *dst;
	struct segment segment = {};
	struct sw_tuple tuple = {};
	const struct sock *sk;

	/* tcp_v4_rcv() takes the device away before it hands the SYN on. */
	if (BPF_CORE_READ(skb, dev) || !segment_of_skb(skb, false, &segment) ||
	    segment.what != SW_DROP_SYN)
		return;
	forget(segment);
	dst = skb_dst_of(skb);
	if (!dst)
		return;
	tuple_of_segment(&segment, BPF_CORE_READ(dst, dev, nd_net.net, ns.inum), &tuple);
	sk = listener_find(&tuple, true);
	if (sk)
		refusal_ignored(skb, &segment, tuple.netns, sk);
}

#endif /* SYNWATCH_REFUSAL_BPF_H */
