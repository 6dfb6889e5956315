/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The server's half: requests (NEW_SYN_RECV) whose SYN-ACK had to be sent
 * again. A request is no full socket and has no state events; its cookie is
 * asked for here, and the child that completes the handshake inherits it.
 */
#ifndef SYNWATCH_REQUEST_BPF_H
#define SYNWATCH_REQUEST_BPF_H

struct request {
	__u64 start_ns;
	__u32 isn;
	__u16 resends;
	__u8 timeouts;
	__u8 reserved;
};

/* Requests reported so far, by cookie. Those that expire leave no trace, so
 * the oldest give way. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, struct request);
} requests SEC(".maps");

static __always_inline void request_timer(const struct request_sock *req, const struct sock *sk,
					  bool duplicate, struct sw_timer *timer)
{
	const struct inet_connection_sock *icsk = (const void *)sk;
	const struct request_sock___5_17 *newer = (const void *)req;
	const struct sock___6_19 *newest = (const void *)sk;
	const struct net *net = BPF_CORE_READ(sk, __sk_common.skc_net.net);
	const struct netns_ipv4 *ipv4 = &net->ipv4;

	timer->jiffies = bpf_jiffies64();
	timer->tick_ns = config.tick_ns;
	timer->rto = bpf_core_field_exists(newer->timeout) ? BPF_CORE_READ(newer, timeout)
							   : ns_to_jiffies(RTO_INIT_NS);
	/* Of requests, only 6.19+ lets tcp_rto_max_ms cap the backoff. */
	timer->rto_max = bpf_core_field_exists(newest->tcp_retransmit_timer)
				 ? sock_rto_max(sk)
				 : ns_to_jiffies(RTO_MAX_NS);
	timer->expires = duplicate ? BPF_CORE_READ(req, rsk_timer.expires) : 0;
	/* The tracepoint comes before reqsk_timer_handler() counts. */
	timer->retransmits = BPF_CORE_READ_BITFIELD_PROBED(req, num_timeout) + !duplicate;
	timer->resends = BPF_CORE_READ(req, num_retrans) + 1;
	timer->retries = BPF_CORE_READ(icsk, icsk_syn_retries);
	if (!timer->retries)
		timer->retries = BPF_CORE_READ_BITFIELD_PROBED(ipv4, sysctl_tcp_synack_retries);
}

/* tcp_retransmit_synack. sk is the listener (or a TFO child). */
static __always_inline void request_retry(const struct sock *sk, const struct request_sock *req)
{
	const struct tcp_request_sock *treq = (const void *)req;
	struct sw_handshake *record;
	__u64 now = bpf_ktime_get_ns();
	struct request request = {};
	struct sw_tuple tuple = {};
	__u32 uid = BPF_CORE_READ(sk, sk_uid.val);
	bool duplicate;
	__u64 cookie;

	if (!filter_role(SW_FILTER_SERVER) || !filter_unowned(uid, true))
		return;
	tuple_of_request(req, sk, &tuple);
	if (filter_tuple(&tuple) == FILTER_REFUSE)
		return;
	/* A timer that runs has been taken off its list; one that a duplicate SYN
	 * found waiting has not. */
	duplicate = BPF_CORE_READ(req, rsk_timer.entry.pprev);
	cookie = bpf_get_socket_cookie((void *)&req->__req_common);
	/* The first SYN-ACK, us; the SYN arrived just before. */
	request.start_ns = BPF_CORE_READ(treq, snt_synack) * NSEC_PER_USEC;
	if (!request.start_ns || request.start_ns > now)
		request.start_ns = now;
	request.isn = BPF_CORE_READ(treq, rcv_isn);
	record = emit_reserve(SW_SYNACK_RETRY, now);
	if (!record)
		return;
	record->cookie = cookie;
	record->start_ns = record->syn_ns = request.start_ns;
	record->flags = SW_F_ISN | (duplicate ? SW_F_DUPLICATE_SYN | SW_F_PENDING : 0);
	record->isn = request.isn;
	record->tuple = tuple;
	record->owner.uid = uid;
	request_timer(req, sk, duplicate, &record->timer);
	record->old_state = record->new_state = TCP_SYN_RECV;
	request.resends = record->timer.resends;
	request.timeouts = record->timer.retransmits;
	emit_submit(record);
	bpf_map_update_elem(&requests, &cookie, &request, BPF_ANY);
}

/* SYN_RECV -> ESTABLISHED or CLOSE of a child: the end of its request. */
static __always_inline void request_leave(const struct sock *sk, __u8 new_state)
{
	__u64 cookie = BPF_CORE_READ(sk, __sk_common.skc_cookie.counter);
	struct sw_handshake *record;
	struct request *request;
	__u32 flags = 0;

	if (!cookie)
		return; /* never asked for, so never reported */
	request = bpf_map_lookup_elem(&requests, &cookie);
	if (!request)
		return;
	record = emit_reserve(SW_ACCEPTED, bpf_ktime_get_ns());
	if (!record)
		return;
	record->cookie = cookie;
	record->start_ns = record->syn_ns = request->start_ns;
	record->isn = request->isn;
	tuple_of_sock(sk, &record->tuple);
	timer_of_sock(sk, &record->timer, &flags);
	record->timer.retransmits = request->timeouts;
	record->timer.resends = request->resends;
	record->flags = SW_F_ISN;
	record->sk_err = BPF_CORE_READ(sk, sk_err);
	record->owner.uid = BPF_CORE_READ(sk, sk_uid.val);
	record->old_state = TCP_SYN_RECV;
	record->new_state = new_state;
	emit_submit(record);
	bpf_map_delete_elem(&requests, &cookie);
}

#endif /* SYNWATCH_REQUEST_BPF_H */
