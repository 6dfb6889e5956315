/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The sockets that listen: whose they are, what their queues are like, and what
 * they throw away without a word.
 *
 * A SYN that finds the accept queue or the SYN queue full is consumed like one
 * that was answered. Only the listener's sk_drops shows it (tcp_listendrop()):
 * `look_listener` reads it every sweep, and while a listener is in trouble
 * consume_skb names each victim (bpf/refusal.bpf.h).
 *
 * sk_drops also counts what tcp_v4_rcv() and tcp_v6_rcv() discard and free by
 * kfree_skb: a repeated SYN that was answered, the RST that ends a request, the
 * bare ACK that TCP_DEFER_ACCEPT puts off. That is taken off again, so what
 * remains is what ListenDrops counts.
 */
#ifndef SYNWATCH_LISTENER_BPF_H
#define SYNWATCH_LISTENER_BPF_H

/* Sockets that listen on one port of one namespace (SO_REUSEPORT, different
 * addresses) and are told apart. */
#define PORT_LISTENERS 8

struct listener {
	__u64 cookie;
	struct sw_owner owner;
	__u32 netns;
	__u32 drops;   /* of sk_drops, those that are accounted for */
	__u32 counted; /* of sk_drops, those in totals.listen_drops */
	__u16 owners;
	__u16 lport; /* 0: not known yet, listen() is choosing one */
	bool has_owner;
	bool wanted; /* its owner passes the filters */
	__u8 reserved[6];
	struct sw_listener queues; /* when one of them was last seen full, */
	__u64 full_ns;		   /* and when that was */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC); /* few hosts have many */
	__uint(max_entries, 16384);	      /* each sweep walks as many buckets */
	__type(key, __u64);		      /* socket address */
	__type(value, struct listener);
} listeners SEC(".maps");

struct port_key {
	__u32 netns;
	__u16 port;
	__u16 reserved;
};

struct port {
	__u64 listeners[PORT_LISTENERS]; /* keys of listeners, 0: free */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, struct port_key);
	__type(value, struct port);
} ports SEC(".maps");

/* --- what it is like --- */

static __always_inline __u32 listener_drops(const struct sock *sk)
{
	return BPF_CORE_READ(sk, sk_drops.counter);
}

/* tcp_synq_overflow() notes when a cookie was sent, to the second. */
static __always_inline bool listener_sends_cookies(const struct sock *sk)
{
	const struct sock_reuseport *group = BPF_CORE_READ(sk, sk_reuseport_cb);
	const struct tcp_sock *tp = (const void *)sk;
	__u32 stamp;

	if (group)
		stamp = BPF_CORE_READ(group, synq_overflow_ts);
	else
		stamp = BPF_CORE_READ_BITFIELD_PROBED(tp, rx_opt.ts_recent_stamp);
	return stamp && (__u32)bpf_jiffies64() - stamp < ns_to_jiffies(2 * NSEC_PER_SEC);
}

static __always_inline void listener_read(const struct sock *sk, struct sw_listener *listener,
					  __u32 *flags)
{
	const struct inet_connection_sock *icsk = (const void *)sk;
	const struct net *net = BPF_CORE_READ(sk, __sk_common.skc_net.net);
	const struct netns_ipv4 *ipv4 = &net->ipv4;

	listener->backlog = BPF_CORE_READ(sk, sk_ack_backlog);
	listener->limit = BPF_CORE_READ(sk, sk_max_ack_backlog);
	listener->requests = BPF_CORE_READ(icsk, icsk_accept_queue.qlen.counter);
	listener->young = BPF_CORE_READ(icsk, icsk_accept_queue.young.counter);
	listener->defer_accept = BPF_CORE_READ(icsk, icsk_accept_queue.rskq_defer_accept);
	listener->syn_limit = BPF_CORE_READ(ipv4, sysctl_max_syn_backlog);
	listener->syncookies = BPF_CORE_READ_BITFIELD_PROBED(ipv4, sysctl_tcp_syncookies);
	listener->abort_on_overflow =
		BPF_CORE_READ_BITFIELD_PROBED(ipv4, sysctl_tcp_abort_on_overflow);
	*flags |= SW_F_LISTENER;
	if (listener_sends_cookies(sk))
		*flags |= SW_F_COOKIES;
}

/* sk_acceptq_is_full(), inet_csk_reqsk_queue_is_full() (5.10: >=) */
static __always_inline bool listener_is_full(const struct sw_listener *queues)
{
	return queues->backlog > queues->limit ||
	       (queues->requests && queues->requests >= queues->limit);
}

/*
 * For what was thrown away a moment ago: the queues may have been drained since.
 * As little makes a listener ignore a SYN, those that were full within the last
 * second count.
 */
static __always_inline void listener_read_recent(const struct sock *sk, struct listener *listener,
						 __u64 now, struct sw_listener *queues,
						 __u32 *flags)
{
	listener_read(sk, queues, flags);
	if (listener_is_full(queues)) {
		listener->queues = *queues;
		listener->full_ns = now;
	} else if (now - listener->full_ns < NSEC_PER_SEC) {
		*queues = listener->queues;
	}
}

/* --- whose it is --- */

static __always_inline struct listener *listener_of_sock(const struct sock *sk)
{
	__u64 key = (__u64)sk;

	return sk ? bpf_map_lookup_elem(&listeners, &key) : 0;
}

static __always_inline bool listener_has_address(const struct sock *sk, const __u8 *address)
{
	const struct sock_common *common = &sk->__sk_common;
	__u64 bound[2] = {}, wanted[2];
	__be32 bound4, wanted4;

	if (BPF_CORE_READ(common, skc_family) == AF_INET) {
		bound4 = BPF_CORE_READ(common, skc_rcv_saddr);
		__builtin_memcpy(&wanted4, address + 12, sizeof(wanted4));
		return address_is_v4(address) && (!bound4 || bound4 == wanted4);
	}
	BPF_CORE_READ_INTO(&bound, common, skc_v6_rcv_saddr.in6_u.u6_addr8);
	if (!bound[0] && !bound[1])
		return true;
	__builtin_memcpy(wanted, address, sizeof(wanted));
	return bound[0] == wanted[0] && bound[1] == wanted[1];
}

/* Of what it threw away, one segment is named. False if it threw none away. */
static __always_inline bool listener_account(const struct sock *sk, struct listener *listener)
{
	if (!listener || (__s32)(listener_drops(sk) - listener->drops) <= 0)
		return false;
	__sync_fetch_and_add(&listener->drops, 1);
	return true;
}

/* Who listens there, NULL if nobody is known to; of several the first. To be accounted
 * for: only one that has counted a drop of which nobody knows yet. */
static __always_inline const struct sock *listener_find(const struct sw_tuple *tuple,
							bool to_be_accounted_for)
{
	struct port_key key = {.netns = tuple->netns, .port = tuple->lport};
	struct port *port = bpf_map_lookup_elem(&ports, &key);
	const struct sock *found = 0;

	if (!port)
		return 0;
	for (int i = 0; i < PORT_LISTENERS; i++) {
		const struct sock *sk = (const void *)port->listeners[i];

		if (found || !sk)
			continue;
		if (listener_has_address(sk, tuple->laddr) &&
		    (!to_be_accounted_for || listener_account(sk, listener_of_sock(sk))))
			found = sk;
		forget(found);
	}
	return found;
}

static __always_inline const struct sock *listener_at(const struct sw_tuple *tuple)
{
	return listener_find(tuple, false);
}

/* The filters on owners: those of the listener, NULL if it is not known. */
static __always_inline bool filter_listener(const struct sock *sk, const struct listener *listener)
{
	if (listener)
		return listener->wanted;
	return filter_unowned(sk ? BPF_CORE_READ(sk, sk_uid.val) : 0, sk);
}

/* Its owner and its queues, for a record about one of its handshakes. */
static __always_inline void handshake_fill_listener(struct sw_handshake *record,
						    const struct sock *sk)
{
	const struct listener *listener = listener_of_sock(sk);
	__u32 flags = 0;

	if (sk && BPF_CORE_READ(sk, __sk_common.skc_state) == TCP_LISTEN) {
		listener_read(sk, &record->listener, &flags);
		record->owner.uid = BPF_CORE_READ(sk, sk_uid.val);
	}
	if (listener && listener->has_owner) {
		record->owner = listener->owner;
		record->owners = listener->owners;
		flags |= SW_F_OWNER;
	}
	record->flags |= flags;
}

/* --- its life --- */

static __always_inline void port_add(const struct listener *listener, __u64 sk)
{
	struct port_key key = {.netns = listener->netns, .port = listener->lport};
	struct port *port = bpf_map_lookup_elem(&ports, &key);
	struct port first = {.listeners = {sk}};

	if (!port) {
		if (bpf_map_update_elem(&ports, &key, &first, BPF_ANY))
			count(map_full);
		return;
	}
	for (int i = 0; i < PORT_LISTENERS; i++) {
		if (port->listeners[i] == sk)
			return;
	}
	for (int i = 0; i < PORT_LISTENERS; i++) {
		if (!port->listeners[i]) {
			port->listeners[i] = sk;
			return;
		}
	}
}

static __always_inline void port_remove(const struct listener *listener, __u64 sk)
{
	struct port_key key = {.netns = listener->netns, .port = listener->lport};
	struct port *port = bpf_map_lookup_elem(&ports, &key);
	bool used = false;

	if (!port)
		return;
	for (int i = 0; i < PORT_LISTENERS; i++) {
		if (port->listeners[i] == sk)
			port->listeners[i] = 0;
		used |= port->listeners[i];
	}
	if (!used)
		bpf_map_delete_elem(&ports, &key);
}

/* Whether its handshakes can be of interest, as far as is known now. */
static __always_inline bool listener_is_watched(__u32 netns, __u16 lport)
{
	if (!filter_role(SW_FILTER_SERVER))
		return false;
	if ((config.filters & SW_FILTER_NETNS) && !bpf_map_lookup_elem(&filter_netns, &netns))
		return false;
	return !lport || !(config.filters & SW_FILTER_LPORT) || filter_port(SW_PORT_LOCAL, lport);
}

static __always_inline void listener_add(const struct sock *sk, struct listener *listener)
{
	__u64 key = (__u64)sk;

	listener->cookie = sock_identify(sk);
	listener->drops = listener->counted = listener_drops(sk);
	if (bpf_map_update_elem(&listeners, &key, listener, BPF_NOEXIST))
		return; /* known, or no room: it is nameless then */
	if (listener->lport)
		port_add(listener, key);
}

/* CLOSE -> LISTEN, in the context of the task that called listen(). */
static __noinline void listener_open(const struct sock *sk)
{
	struct listener listener = {.has_owner = true};

	listener.netns = sock_netns(sk, false);
	listener.lport = sock_lport(sk, false);
	if (!listener_is_watched(listener.netns, listener.lport))
		return;
	owner_of_current(&listener.owner);
	listener.wanted = filter_current();
	listener_add(sk, &listener);
}

/* What it has thrown away since it was last asked. */
static __always_inline void listener_count(const struct sock *sk, struct listener *listener)
{
	__s32 unseen = listener_drops(sk) - listener->counted;

	if (unseen && listener->wanted && unseen > 0)
		count_more(listen_drops, unseen);
	if (unseen)
		__sync_fetch_and_add(&listener->counted, unseen);
}

/*
 * One of its segments was discarded and freed in the open: sk_drops has it. But
 * for the ACK that brings a syncookie and finds the accept queue full, which
 * cookie_v4_check() frees for want of a child: only tcp_listendrop() counts it,
 * and this is the moment to see the queue.
 */
static __always_inline void listener_discarded(const struct sock *sk, struct listener *listener,
					       __u32 reason)
{
	struct sw_listener queues = {};
	__u32 flags = 0;

	if (REASON_IS(reason, SKB_DROP_REASON_NO_SOCKET)) {
		listener_read_recent(sk, listener, bpf_ktime_get_ns(), &queues, &flags);
		return;
	}
	__sync_fetch_and_add(&listener->drops, 1);
	__sync_fetch_and_add(&listener->counted, 1);
	/* The ACK that finds the accept queue full (6.15+) is in it twice, once by
	 * tcp_listendrop(); it is told of its request. */
	if (REASON_IS(reason, SKB_DROP_REASON_TCP_LISTEN_OVERFLOW))
		__sync_fetch_and_add(&listener->drops, 1);
}

/* LISTEN -> CLOSE */
static __noinline void listener_close(const struct sock *sk)
{
	struct listener *listener = listener_of_sock(sk);
	__u64 key = (__u64)sk;

	if (!listener)
		return;
	listener_count(sk, listener);
	port_remove(listener, key);
	bpf_map_delete_elem(&listeners, &key);
}

#endif /* SYNWATCH_LISTENER_BPF_H */
