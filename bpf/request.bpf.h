/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The server's half: requests (NEW_SYN_RECV) whose SYN-ACK had to be sent
 * again. A request is no full socket and has no state events; its cookie is
 * asked for here, and the child that completes the handshake inherits it. How
 * it ends without a child shows in the request itself: the sweep finds it
 * unhashed.
 */
#ifndef SYNWATCH_REQUEST_BPF_H
#define SYNWATCH_REQUEST_BPF_H

struct request {
	__u64 cookie; /* made up where the request has none yet, see request_known() */
	__u64 start_ns;
	__u64 address; /* of the request_sock, which may be stale */
	__u64 listener;
	__u64 listener_cookie; /* 0: not known */
	__u64 gone_ns;	       /* when it was first found gone */
	struct sw_drop drop;
	struct sw_timer timer;
	__u32 isn;
	__u32 flags; /* enum sw_flags: ACKED, DROP */
};

/* Requests reported so far. The oldest give way. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct sw_tuple);
	__type(value, struct request);
} requests SEC(".maps");

/* There has been one whose cookie is made up: its child has none either. */
bool requests_unnamed = false;

/* In the queue of half-open connections. A request is freed some time after it
 * has been taken out, and its memory stays a request's (SLAB_TYPESAFE_BY_RCU). */
static __always_inline bool request_is_pending(const struct request *request)
{
	const struct request_sock *req = (const void *)request->address;

	return BPF_CORE_READ((const struct tcp_request_sock *)req, rcv_isn) == request->isn &&
	       BPF_CORE_READ(req, __req_common.skc_node.pprev);
}

/* resends, retransmits: as they will be when this SYN-ACK is counted. */
static __always_inline void request_timer(const struct request_sock *req, const struct sock *sk,
					  bool pending, struct sw_timer *timer)
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
				 ? sock_rto_max(sk, false)
				 : ns_to_jiffies(RTO_MAX_NS);
	timer->expires = pending ? BPF_CORE_READ(req, rsk_timer.expires) : 0;
	/* The tracepoint comes before reqsk_timer_handler() counts. */
	timer->retransmits = BPF_CORE_READ_BITFIELD_PROBED(req, num_timeout) + !pending;
	timer->resends = BPF_CORE_READ(req, num_retrans);
	timer->retries = BPF_CORE_READ(icsk, icsk_syn_retries);
	if (!timer->retries)
		timer->retries = BPF_CORE_READ_BITFIELD_PROBED(ipv4, sysctl_tcp_synack_retries);
}

/* The first SYN-ACK, us; the SYN arrived just before. */
static __always_inline __u64 request_start(const struct request_sock *req, __u64 now)
{
	const struct tcp_request_sock *treq = (const void *)req;
	__u64 start_ns = BPF_CORE_READ(treq, snt_synack) * NSEC_PER_USEC;

	return start_ns && start_ns < now ? start_ns : now;
}

static __always_inline bool request_is_acked(const struct request_sock *req)
{
	const struct inet_request_sock *ireq = (const void *)req;

	return BPF_CORE_READ_BITFIELD_PROBED(ireq, acked);
}

static __always_inline void request_fill(struct sw_handshake *record, const struct sw_tuple *tuple,
					 const struct request *request)
{
	record->cookie = request->cookie;
	record->start_ns = record->syn_ns = request->start_ns;
	record->isn = request->isn;
	record->flags = SW_F_ISN | request->flags;
	record->tuple = *tuple;
	record->timer = request->timer;
	record->drop = request->drop;
	record->old_state = record->new_state = TCP_SYN_RECV;
}

/* May one that is not known be told? resends: how often its SYN-ACK has been sent
 * again before; from a request that began after the watch, each should have had
 * its event, unless they were too many. */
static __always_inline bool request_tells(const struct sw_tuple *tuple, const struct sock *sk,
					  const struct request *request, __u8 resends,
					  bool duplicate, __u64 now)
{
	struct crowd *crowd;

	crowd = crowd_at(tuple, sk);
	if (resends && crowd && !crowd->limited && watching_ns && request->start_ns > watching_ns)
		count_more(missed, resends);
	if (crowd_tells(crowd, now, duplicate ? 2 : 1))
		return true;
	if (!duplicate)
		crowd_count_half_open(crowd, tuple->raddr, now);
	return false;
}

/* The same request as last time at this tuple: then it keeps its beginning. */
static __always_inline bool request_known(const struct sw_tuple *tuple, struct request *request,
					  __u8 resends)
{
	const struct request *known = bpf_map_lookup_elem(&requests, tuple);

	if (!known || known->isn != request->isn)
		return false;
	request->cookie = known->cookie;
	request->start_ns = known->start_ns;
	request->drop = known->drop;
	request->flags |= known->flags & SW_F_DROP;
	if (resends > known->timer.resends)
		count_more(missed, resends - known->timer.resends);
	return true;
}

/* Only tracepoints whose argument the request is can ask for its cookie; the
 * others make one up, as for a SYN that was dropped. */
static __always_inline void request_name(struct request *request, const struct sw_tuple *tuple,
					 __u64 cookie)
{
	request->cookie = cookie;
	if (cookie)
		return;
	request->cookie = identity_make_up(request->isn, tuple);
	requests_unnamed = true;
}

static __always_inline void request_note_drop(struct request *request, const struct sw_drop *drop)
{
	__u16 before = request->drop.count;

	request->drop = *drop;
	request->drop.count = before + 1;
	request->drop.attempt = request->timer.retransmits;
	request->flags |= SW_F_DROP;
}

/* The one it has already, 0 if it has none. */
static __always_inline __u64 request_cookie(const struct request_sock *req)
{
	return config.has_cookies ? BPF_CORE_READ(req, __req_common.skc_cookie.counter) : 0;
}

/* A SYN-ACK sent again, or thrown away on its way out (drop). cookie: 0 if it is
 * not known. The listener is the request's own: tcp_retransmit_synack may speak
 * of the child of a fast open. */
static __always_inline void request_event(const struct request_sock *req, __u64 cookie,
					  const struct sw_drop *drop)
{
	const struct sock *sk = BPF_CORE_READ(req, __req_common.skc_listener);
	__u64 now = bpf_ktime_get_ns();
	const struct listener *listener;
	struct request request = {};
	struct sw_tuple tuple = {};
	struct sw_handshake *record;
	bool pending;
	__u8 resends;

	if (!filter_role(SW_FILTER_SERVER))
		return;
	tuple_of_request(req, sk, &tuple);
	listener = listener_of_sock(sk);
	if (!filter_listener(sk, listener) || filter_tuple(&tuple) == FILTER_REFUSE)
		return;
	/* Whose it is will soon be known. */
	if (seeding && !listener)
		return;
	if (!drop)
		count(synack_retransmits);
	/* A timer that runs has been taken off its list; one that a duplicate SYN
	 * found waiting has not, nor has that of the first SYN-ACK. */
	pending = BPF_CORE_READ(req, rsk_timer.entry.pprev);
	request.isn = BPF_CORE_READ((const struct tcp_request_sock *)req, rcv_isn);
	resends = BPF_CORE_READ(req, num_retrans);
	if (!request_known(&tuple, &request, resends)) {
		request.start_ns = request_start(req, now);
		if (!request_tells(&tuple, sk, &request, resends, pending && !drop, now))
			return;
		request_name(&request, &tuple, cookie);
	}
	request.address = (__u64)req;
	request.listener = (__u64)sk;
	if (listener)
		request.listener_cookie = listener->cookie;
	request_timer(req, sk, pending, &request.timer);
	if (request_is_acked(req))
		request.flags |= SW_F_ACKED;
	if (drop)
		request_note_drop(&request, drop);
	else
		request.timer.resends++;
	swept[SW_SWEPT_REQUESTS].entered = true;
	(void)bpf_map_update_elem(&requests, &tuple, &request, BPF_ANY);
	record = emit_reserve(drop ? SW_SYNACK_DROP : SW_SYNACK_RETRY, now);
	if (!record)
		return;
	request_fill(record, &tuple, &request);
	if (pending)
		record->flags |= SW_F_PENDING | (drop ? 0 : SW_F_DUPLICATE_SYN);
	handshake_fill_listener(record, sk);
	emit_submit(record);
}

/* --- its end --- */

/* What listened there may be gone altogether, and another be in its place. */
static __always_inline bool request_is_listened_for(const struct request *request)
{
	const struct sock *sk = (const void *)request->listener;
	const struct listener *listener = listener_of_sock(sk);

	if (request->listener_cookie)
		return listener && listener->cookie == request->listener_cookie;
	return BPF_CORE_READ(sk, __sk_common.skc_state) == TCP_LISTEN;
}

/* Do the filters want it? Whose it is matters only where somebody asks for that. */
static __noinline bool request_is_wanted(const struct sock *sk)
{
	const struct sock *listener;
	struct sw_tuple tuple = {};

	if (filter_living_sock(sk) == FILTER_REFUSE)
		return false;
	if (!(config.filters & FILTER_OWNER))
		return true;
	tuple_of_living_sock(sk, &tuple);
	listener = listener_at(&tuple);
	return filter_listener(listener, listener_of_sock(listener));
}

static __noinline void request_emit_accepted(const struct sock *sk)
{
	const struct tcp_sock *tp = (const void *)sock_own(sk);
	__u64 now = bpf_ktime_get_ns();
	struct sw_handshake *record;
	__u32 flags = 0;

	if (!tp)
		return;
	record = emit_reserve(SW_ACCEPTED, now);
	if (!record)
		return;
	tuple_of_living_sock(sk, &record->tuple);
	/* tcp_synack_rtt_meas(): from the SYN-ACK to the ACK, us */
	record->start_ns = now - (LOAD(OWN, tp, srtt_us) >> 3) * NSEC_PER_USEC;
	record->syn_ns = record->start_ns;
	/* tcp_rcv_state_process() has just set it: nothing has been read yet. */
	record->isn = LOAD(OWN, tp, copied_seq) - 1;
	/* No file is its own yet. */
	record->cookie = config.has_cookies ? bpf_get_socket_cookie((void *)sk)
					    : identity_make_up(record->isn, &record->tuple);
	record->flags = SW_F_ISN | SW_F_COUNTED;
	timer_of_sock((const void *)tp, OWN, &record->timer, &flags);
	record->timer.retransmits = 0;
	record->old_state = TCP_SYN_RECV;
	record->new_state = TCP_ESTABLISHED;
	handshake_fill_listener(record, listener_at(&record->tuple));
	emit_submit(record);
}

/* One that was no trouble. */
static __always_inline void request_accepted(const struct sock *sk)
{
	if (unlikely(config.filters) && (!filter_role(SW_FILTER_SERVER) || !request_is_wanted(sk)))
		return;
	count(accepted);
	if (unlikely(config.stream_all))
		request_emit_accepted(sk);
}

/* The end of one that has been reported; false if it has not. */
static __noinline bool request_end(const struct sock *sk, int new_state)
{
	struct sw_handshake *record;
	struct sw_tuple tuple = {};
	struct request *request;

	/* If it is closed its port is in inet_sport only. */
	tuple_of_sock(sk, false, &tuple);
	request = bpf_map_lookup_elem(&requests, &tuple);
	if (!request)
		return false;
	record = emit_reserve(SW_ACCEPTED, bpf_ktime_get_ns());
	if (!record)
		return true;
	request_fill(record, &tuple, request);
	record->timer.jiffies = bpf_jiffies64();
	record->sk_err = BPF_CORE_READ(sk, sk_err);
	record->new_state = new_state;
	if (request_is_listened_for(request))
		handshake_fill_listener(record, (const void *)request->listener);
	emit_submit(record);
	bpf_map_delete_elem(&requests, &tuple);
	return true;
}

/* SYN_RECV -> ESTABLISHED or CLOSE of a child: the end of its request. Its cookie is the
 * request's; one that was never asked for was never reported. */
static __always_inline void request_leave(const struct sock *sk, int new_state)
{
	if (unlikely(sk->__sk_common.skc_cookie.counter || requests_unnamed)) {
		forget(new_state);
		if (request_end(sk, new_state))
			return;
	}
	if (new_state == TCP_ESTABLISHED)
		request_accepted(sk);
}

/* The child has the request's cookie. Where it could not be asked for, its ISN and
 * ports: the request's memory may be another's by now. */
static __always_inline bool request_is_of(const struct sock *child, const struct sw_tuple *tuple,
					  const struct request *request)
{
	const struct tcp_request_sock *req = (const void *)request->address;

	if (config.has_cookies)
		return (__u64)BPF_CORE_READ(child, __sk_common.skc_cookie.counter) ==
		       request->cookie;
	return BPF_CORE_READ(req, rcv_isn) == request->isn &&
	       BPF_CORE_READ(child, __sk_common.skc_num) == tuple->lport &&
	       BPF_CORE_READ(child, __sk_common.skc_dport) == bpf_htons(tuple->rport);
}

/* Its child, NULL if there is none: until accept() has taken it the request waits
 * with it. */
static __always_inline const struct sock *request_child(const struct sw_tuple *tuple,
							const struct request *request)
{
	const struct request_sock *req = (const void *)request->address;
	const struct sock *child = BPF_CORE_READ(req, sk);

	if (!child || !request_is_of(child, tuple, request))
		return 0;
	return child;
}

/* The child's own event was missed. */
static __always_inline void request_accepted_unseen(const struct sw_tuple *tuple,
						    struct request *request, __u64 now)
{
	struct sw_handshake *record = emit_reserve(SW_ACCEPTED, now);

	if (!record)
		return;
	request_fill(record, tuple, request);
	record->flags |= SW_F_MISSED;
	record->new_state = TCP_ESTABLISHED;
	if (request_is_listened_for(request))
		handshake_fill_listener(record, (const void *)request->listener);
	emit_submit(record);
	count(missed);
	bpf_map_delete_elem(&requests, tuple);
}

static __always_inline void request_gone(const struct sw_tuple *tuple, struct request *request,
					 __u64 now, __u32 flags)
{
	struct sw_handshake *record = emit_reserve(SW_REQUEST_GONE, now);

	if (!record)
		return;
	request_fill(record, tuple, request);
	record->flags |= flags;
	if (request_is_listened_for(request))
		handshake_fill_listener(record, (const void *)request->listener);
	else
		record->flags |= SW_F_LISTENER_CLOSED;
	emit_submit(record);
	bpf_map_delete_elem(&requests, tuple);
}

/* A RST for it: inet_csk_reqsk_queue_drop() has been called if it was the
 * client's. */
static __always_inline void request_reset(const struct sw_tuple *tuple)
{
	struct request *request = bpf_map_lookup_elem(&requests, tuple);

	if (request && !request_is_pending(request))
		request_gone(tuple, request, bpf_ktime_get_ns(), SW_F_RESET);
}

/*
 * reqsk_timer_handler() gives a request up at once when its SYN-ACK cannot be
 * sent, and the client's next SYN, with the same ISN, makes a new one: the same
 * handshake. Clients wait 32 s at most between their first seven SYNs.
 */
#define REQUEST_UNSENT_NS (35 * NSEC_PER_SEC)

static __always_inline bool request_may_return(const struct request *request, __u64 now)
{
	return request->flags & SW_F_DROP && now - request->gone_ns < REQUEST_UNSENT_NS;
}

/* SYN-ACKs sent again whose event did not come. That of the one under way is there before
 * the kernel counts it. */
static __always_inline void request_catch_up(struct request *request)
{
	const struct request_sock *req = (const void *)request->address;
	__u8 resends = BPF_CORE_READ(req, num_retrans);

	if (resends <= request->timer.resends)
		return;
	count_more(missed, resends - request->timer.resends);
	request->timer.resends = resends;
}

/*
 * The sweep. Between its leaving the queue and its child's first event a request
 * is gone for a moment, so it has to be for two sweeps.
 */
static __always_inline void request_look(const struct sw_tuple *key, struct request *request)
{
	const struct sw_tuple tuple = *key; /* the iterator's own may not be passed on */
	__u64 now = bpf_ktime_get_ns();

	swept[SW_SWEPT_REQUESTS].seen = true;
	if (request_is_pending(request)) {
		request_catch_up(request);
		return;
	}
	if (!request->gone_ns)
		request->gone_ns = now;
	else if (request_child(&tuple, request))
		request_accepted_unseen(&tuple, request, now);
	else if (!request_may_return(request, now))
		request_gone(&tuple, request, now, 0);
}

#endif /* SYNWATCH_REQUEST_BPF_H */
