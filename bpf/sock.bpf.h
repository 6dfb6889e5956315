/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Readers: from the kernel's sockets and tasks to the records' plain fields.
 *
 * Everything is read with bpf_probe_read_kernel() (BPF_CORE_READ): the sweep
 * hands in bare addresses, which may be stale, and a failed read gives zeroes.
 */
#ifndef SYNWATCH_SOCK_BPF_H
#define SYNWATCH_SOCK_BPF_H

#define NSEC_PER_SEC  1000000000ULL
#define NSEC_PER_MSEC 1000000ULL
#define NSEC_PER_USEC 1000ULL

/* TCP_RTO_MAX and TCP_TIMEOUT_INIT, include/net/tcp.h */
#define RTO_MAX_NS  (120 * NSEC_PER_SEC)
#define RTO_INIT_NS NSEC_PER_SEC

static __always_inline __u32 ns_to_jiffies(__u64 ns)
{
	return config.tick_ns ? ns / config.tick_ns : 0;
}

/* ::ffff:0:0/96, RFC 4291 2.5.5.2 */
static __always_inline void address_set_v4(__u8 *address, __be32 v4)
{
	__builtin_memset(address, 0, 10);
	address[10] = address[11] = 0xff;
	__builtin_memcpy(address + 12, &v4, sizeof(v4));
}

static __always_inline bool address_is_v4(const __u8 *address)
{
	__u64 high;
	__u32 low;

	__builtin_memcpy(&high, address, sizeof(high));
	__builtin_memcpy(&low, address + 8, sizeof(low));
	return high == 0 && low == bpf_htonl(0xffff);
}

/*
 * Addresses of a sock_common of any kind (sock, request_sock). A v4-mapped
 * peer is on the wire, and for us, IPv4. The source address of such a socket
 * may still be :: when connect() has not chosen one; it is v4 all the same.
 */
static __always_inline void tuple_addresses(const struct sock_common *common,
					    struct sw_tuple *tuple)
{
	if (BPF_CORE_READ(common, skc_family) == AF_INET) {
		tuple->family = 4;
		address_set_v4(tuple->laddr, BPF_CORE_READ(common, skc_rcv_saddr));
		address_set_v4(tuple->raddr, BPF_CORE_READ(common, skc_daddr));
		return;
	}
	BPF_CORE_READ_INTO(&tuple->raddr, common, skc_v6_daddr.in6_u.u6_addr8);
	BPF_CORE_READ_INTO(&tuple->laddr, common, skc_v6_rcv_saddr.in6_u.u6_addr8);
	tuple->family = address_is_v4(tuple->raddr) ? 4 : 6;
	if (tuple->family == 4 && !address_is_v4(tuple->laddr))
		address_set_v4(tuple->laddr, BPF_CORE_READ(common, skc_rcv_saddr));
}

/* tcp_set_state() to CLOSE has zeroed skc_num by the time its tracepoint runs;
 * inet_sport stays. 0 before inet_hash_connect() has chosen a port. */
static __always_inline __u16 sock_lport(const struct sock *sk)
{
	return bpf_ntohs(BPF_CORE_READ((const struct inet_sock *)sk, inet_sport));
}

static __always_inline void tuple_of_sock(const struct sock *sk, struct sw_tuple *tuple)
{
	tuple_addresses(&sk->__sk_common, tuple);
	tuple->lport = sock_lport(sk);
	tuple->rport = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
	tuple->netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
}

/* The listener's own socket knows nothing of the request's addresses. */
static __always_inline void tuple_of_request(const struct request_sock *req, const struct sock *sk,
					     struct sw_tuple *tuple)
{
	tuple_addresses(&req->__req_common, tuple);
	tuple->lport = BPF_CORE_READ(req, __req_common.skc_num);
	tuple->rport = bpf_ntohs(BPF_CORE_READ(req, __req_common.skc_dport));
	tuple->netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
}

/* net.ipv4.ip_local_port_range of the socket's namespace */
static __always_inline void ports_of_netns(const struct sock *sk, __u16 *low, __u16 *high)
{
	const struct net *net = BPF_CORE_READ(sk, __sk_common.skc_net.net);
	const struct local_ports___old *older = (const void *)&net->ipv4.ip_local_ports;
	const struct local_ports___6_8 *newer = (const void *)older;

	if (bpf_core_field_exists(newer->range)) {
		__u32 range = BPF_CORE_READ(newer, range);

		*low = range & 0xffff;
		*high = range >> 16;
	} else {
		*low = BPF_CORE_READ(older, range[0]);
		*high = BPF_CORE_READ(older, range[1]);
	}
}

/* Of /proc/PID/fd and `ss -e`; 0 if no process and no kernel user holds it. */
static __always_inline __u64 sock_inode(const struct sock *sk)
{
	const struct socket_alloc *alloc = (const void *)BPF_CORE_READ(sk, sk_socket);

	return alloc ? BPF_CORE_READ(alloc, vfs_inode.i_ino) : 0;
}

/* The number that tells this socket from all others, as long as it lives. sk is
 * a tracepoint's or an iterator's own. */
static __always_inline __u64 sock_identify(const struct sock *sk)
{
	return config.has_cookies ? bpf_get_socket_cookie((void *)sk) : sock_inode(sk);
}

/* The same for an address that may be stale: another number or 0 if it is. */
static __always_inline __u64 sock_identity(const struct sock *sk)
{
	return config.has_cookies ? (__u64)BPF_CORE_READ(sk, __sk_common.skc_cookie.counter)
				  : sock_inode(sk);
}

/* What stands for it where there is none: a SYN that was dropped, a request that
 * nobody could ask. Unique with the time and the role. */
static __always_inline __u64 identity_make_up(__u32 isn, const struct sw_tuple *tuple)
{
	return (__u64)isn << 32 | (__u32)tuple->rport << 16 | tuple->lport;
}

static __always_inline void owner_of_current(struct sw_owner *owner)
{
	__u64 pid_tgid = bpf_get_current_pid_tgid();

	owner->pid = pid_tgid >> 32;
	owner->tid = (__u32)pid_tgid;
	owner->uid = (__u32)bpf_get_current_uid_gid();
	owner->cgroup = bpf_get_current_cgroup_id();
	bpf_get_current_comm(owner->comm, sizeof(owner->comm));
}

static __always_inline void closer_of_current(struct sw_closer *closer, __u32 *flags)
{
	const struct task_struct *task = (const void *)bpf_get_current_task();
	__u64 pid_tgid = bpf_get_current_pid_tgid();

	closer->pid = pid_tgid >> 32;
	closer->tid = (__u32)pid_tgid;
	bpf_get_current_comm(closer->comm, sizeof(closer->comm));
	if (BPF_CORE_READ(task, flags) & PF_EXITING) {
		*flags |= SW_F_EXITING;
		closer->exit_code = BPF_CORE_READ(task, signal, group_exit_code);
	}
}

/* snd_una holds the ISN from tcp_connect_init() until the SYN is acknowledged,
 * then it moves on by what bytes_acked counts: 1, and data that a fast open sent
 * along. Before, on a fresh socket, it is 0, on a reused one stale. */
static __always_inline __u32 sock_isn(const struct sock *sk)
{
	const struct tcp_sock *tp = (const void *)sk;

	return BPF_CORE_READ(tp, snd_una) - (__u32)BPF_CORE_READ(tp, bytes_acked);
}

/* No SYN has ever been handed to IP without error: tcp_update_skb_after_send()
 * puts those that were on this list. */
static __always_inline bool sock_none_sent(const struct sock *sk)
{
	const struct tcp_sock *tp = (const void *)sk;
	const struct list_head *sent = &tp->tsorted_sent_queue;

	return BPF_CORE_READ(sent, next) == sent;
}

/* Retransmissions of the SYN, the one under way included. */
static __always_inline __u8 sock_retransmits(const struct sock *sk)
{
	return BPF_CORE_READ((const struct inet_connection_sock *)sk, icsk_retransmits);
}

static __always_inline bool sock_timer_pending(const struct sock *sk)
{
	return BPF_CORE_READ((const struct inet_connection_sock *)sk, icsk_pending) ==
	       ICSK_TIME_RETRANS;
}

static __always_inline __u64 sock_timer_expires(const struct sock *sk)
{
	const struct sock___6_19 *newer = (const void *)sk;

	if (bpf_core_field_exists(newer->tcp_retransmit_timer))
		return BPF_CORE_READ(newer, tcp_retransmit_timer.expires);
	return BPF_CORE_READ((const struct inet_connection_sock *)sk,
			     icsk_retransmit_timer.expires);
}

static __always_inline __u32 sock_rto_max(const struct sock *sk)
{
	const struct inet_connection_sock___6_15 *icsk = (const void *)sk;

	if (bpf_core_field_exists(icsk->icsk_rto_max))
		return BPF_CORE_READ(icsk, icsk_rto_max);
	return ns_to_jiffies(RTO_MAX_NS);
}

/* Did the first SYN ask for ECN, so that a retry does not? tcp_ecn_send_syn()
 * notes it, whatever made it ask (tcp_ecn, a route, the congestion control), and
 * the SYN-ACK may clear it. */
static __always_inline bool sock_asked_ecn(const struct sock *sk)
{
	const struct tcp_sock *tp = (const void *)sk;
	const struct net *net = BPF_CORE_READ(sk, __sk_common.skc_net.net);
	const struct netns_ipv4 *ipv4 = &net->ipv4;

	return BPF_CORE_READ(tp, ecn_flags) & TCP_ECN_OK &&
	       BPF_CORE_READ_BITFIELD_PROBED(ipv4, sysctl_tcp_ecn_fallback);
}

/* The clock's timer and limits, for a socket in SYN_SENT or just out of it. */
static __always_inline void timer_of_sock(const struct sock *sk, struct sw_timer *timer,
					  __u32 *flags)
{
	const struct inet_connection_sock *icsk = (const void *)sk;
	const struct net *net = BPF_CORE_READ(sk, __sk_common.skc_net.net);
	const struct netns_ipv4 *ipv4 = &net->ipv4;
	const struct netns_ipv4___6_5 *newer = (const void *)ipv4;

	timer->jiffies = bpf_jiffies64();
	timer->tick_ns = config.tick_ns;
	timer->rto = BPF_CORE_READ(icsk, icsk_rto);
	timer->rto_max = sock_rto_max(sk);
	timer->user_timeout_ms = BPF_CORE_READ(icsk, icsk_user_timeout);
	timer->retransmits = sock_retransmits(sk);
	timer->retries = BPF_CORE_READ(icsk, icsk_syn_retries);
	if (!timer->retries)
		timer->retries = BPF_CORE_READ_BITFIELD_PROBED(ipv4, sysctl_tcp_syn_retries);
	if (bpf_core_field_exists(newer->sysctl_tcp_syn_linear_timeouts)) {
		*flags |= SW_F_LINEAR;
		timer->linear = BPF_CORE_READ(newer, sysctl_tcp_syn_linear_timeouts);
	}
	if (sock_timer_pending(sk)) {
		*flags |= SW_F_PENDING;
		timer->expires = sock_timer_expires(sk);
	}
}

/*
 * How long ago the first SYN left, ns, good to 1 ms (1 us with tcp_usec_ts).
 * False if none has: retrans_stamp is set by the first SYN, 32 bit of
 * CLOCK_MONOTONIC, and cleared when the SYN is acknowledged.
 */
static __always_inline bool sock_syn_age(const struct sock *sk, __u64 now, __u64 *age)
{
	const struct tcp_sock *tp = (const void *)sk;
	const struct tcp_sock___6_7 *newer = (const void *)sk;
	__u32 stamp = BPF_CORE_READ(tp, retrans_stamp);

	if (!stamp)
		return false;
	if (bpf_core_field_exists(newer->tcp_usec_ts) &&
	    BPF_CORE_READ_BITFIELD_PROBED(newer, tcp_usec_ts))
		*age = (__u32)((__u32)(now / NSEC_PER_USEC) - stamp) * NSEC_PER_USEC;
	else
		*age = (__u32)((__u32)(now / NSEC_PER_MSEC) - stamp) * NSEC_PER_MSEC;
	return true;
}

/*
 * The newest ICMP error that tcp_v4_err() (always, in SYN_SENT) or tcp_v6_err()
 * (with IPV6_RECVERR) queued. It outlives SO_ERROR; only recvmsg(MSG_ERRQUEUE)
 * takes it away, so the `old` ones of an earlier attempt do not count. The
 * sender is the source of the IP header it came in.
 */
static __always_inline void icmp_of_sock(const struct sock *sk, __u32 old, struct sw_icmp *icmp,
					 __u32 *flags)
{
	const struct sk_buff *skb;
	const struct sock_exterr_skb *error;
	const unsigned char *header;
	__u8 origin;

	if (BPF_CORE_READ(sk, sk_error_queue.qlen) <= old)
		return;
	icmp->count = BPF_CORE_READ(sk, sk_error_queue.qlen) - old;
	skb = BPF_CORE_READ(sk, sk_error_queue.prev);
	error = (const void *)skb->cb;
	origin = BPF_CORE_READ(error, ee.ee_origin);
	if (origin != SO_EE_ORIGIN_ICMP && origin != SO_EE_ORIGIN_ICMP6)
		return;
	icmp->type = BPF_CORE_READ(error, ee.ee_type);
	icmp->code = BPF_CORE_READ(error, ee.ee_code);
	icmp->errnum = BPF_CORE_READ(error, ee.ee_errno);
	header = BPF_CORE_READ(skb, head) + BPF_CORE_READ(skb, network_header);
	if (origin == SO_EE_ORIGIN_ICMP) {
		__be32 saddr = 0;

		icmp->version = 4;
		bpf_probe_read_kernel(&saddr, sizeof(saddr), header + 12);
		address_set_v4(icmp->from, saddr);
	} else {
		icmp->version = 6;
		bpf_probe_read_kernel(icmp->from, sizeof(icmp->from), header + 8);
	}
	*flags |= SW_F_ICMP;
}

#endif /* SYNWATCH_SOCK_BPF_H */
