/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Readers: from the kernel's sockets and tasks to the records' plain fields.
 *
 * The sweep hands in bare addresses, which may be stale: their fields are read with
 * bpf_probe_read_kernel() (BPF_CORE_READ), which gives zeroes where it fails. A
 * tracepoint's own socket is there, and its fields are loaded, which costs a tenth. Most
 * readers take both: `own` says which it is.
 */
#ifndef SYNWATCH_SOCK_BPF_H
#define SYNWATCH_SOCK_BPF_H

#define NSEC_PER_SEC  1000000000ULL
#define NSEC_PER_MSEC 1000000ULL
#define NSEC_PER_USEC 1000ULL

/* 5.9, 478cfbdf5f13 ("bpf: Add bpf_skc_to_{tcp, tcp_timewait, tcp_request}_sock() helpers"):
 * without, a tracepoint's socket is not known to be more than a struct sock. */
#define OWN bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_skc_to_tcp_sock)

/* A tracepoint's argument as a socket whose every field can be loaded, if OWN; NULL if
 * it is no TCP socket. */
static __always_inline const struct sock *sock_own(const struct sock *sk)
{
	return OWN ? (const void *)bpf_skc_to_tcp_sock((void *)sk) : sk;
}

/* A field, of a socket or of what it points at. */
#define LOAD(own, pointer, field) ((own) ? (pointer)->field : BPF_CORE_READ(pointer, field))

#define LOAD_BITFIELD(own, pointer, field)              \
	((own) ? BPF_CORE_READ_BITFIELD(pointer, field) \
	       : BPF_CORE_READ_BITFIELD_PROBED(pointer, field))

/*
 * The verifier follows each value that it knows for itself: two ways that meet again
 * with different ones double all that comes after. What is forgotten here is still
 * there, but is any value to it.
 */
#define forget(variable) (void)bpf_probe_read_kernel(&(variable), sizeof(variable), &(variable))

/* What hardly ever happens goes to the end of a program: what is in between has to be
 * fetched, too. */
#define likely(condition)   __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)

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

static __always_inline void address_copy(__u8 *address, const __be32 *words)
{
	__be32 copy[4] = {words[0], words[1], words[2], words[3]};

	__builtin_memcpy(address, copy, sizeof(copy));
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
static __always_inline void tuple_addresses(const struct sock_common *common, bool own,
					    struct sw_tuple *tuple)
{
	if (LOAD(own, common, skc_family) == AF_INET) {
		tuple->family = 4;
		address_set_v4(tuple->laddr, LOAD(own, common, skc_rcv_saddr));
		address_set_v4(tuple->raddr, LOAD(own, common, skc_daddr));
		return;
	}
	if (own) {
		address_copy(tuple->raddr, common->skc_v6_daddr.in6_u.u6_addr32);
		address_copy(tuple->laddr, common->skc_v6_rcv_saddr.in6_u.u6_addr32);
	} else {
		BPF_CORE_READ_INTO(&tuple->raddr, common, skc_v6_daddr.in6_u.u6_addr8);
		BPF_CORE_READ_INTO(&tuple->laddr, common, skc_v6_rcv_saddr.in6_u.u6_addr8);
	}
	tuple->family = address_is_v4(tuple->raddr) ? 4 : 6;
	if (tuple->family == 4 && !address_is_v4(tuple->laddr))
		address_set_v4(tuple->laddr, LOAD(own, common, skc_rcv_saddr));
}

static __always_inline __u32 sock_netns(const struct sock *sk, bool own)
{
	const struct net *net = LOAD(own, sk, __sk_common.skc_net.net);

	return LOAD(own, net, ns.inum);
}

/* tcp_set_state() to CLOSE has zeroed skc_num by the time its tracepoint runs;
 * inet_sport stays. 0 before inet_hash_connect() has chosen a port. */
static __always_inline __u16 sock_lport(const struct sock *sk, bool own)
{
	return bpf_ntohs(LOAD(own, (const struct inet_sock *)sk, inet_sport));
}

static __always_inline void tuple_of_sock(const struct sock *sk, bool own, struct sw_tuple *tuple)
{
	tuple_addresses(&sk->__sk_common, own, tuple);
	tuple->lport = sock_lport(sk, own);
	tuple->rport = bpf_ntohs(LOAD(own, sk, __sk_common.skc_dport));
	tuple->netns = sock_netns(sk, own);
}

/* Before tcp_set_state() to CLOSE; a tracepoint's argument will do as it is. */
static __always_inline void tuple_of_living_sock(const struct sock *sk, struct sw_tuple *tuple)
{
	tuple_addresses(&sk->__sk_common, true, tuple);
	tuple->lport = sk->__sk_common.skc_num;
	tuple->rport = bpf_ntohs(sk->__sk_common.skc_dport);
	tuple->netns = sock_netns(sk, true);
}

/* The listener's own socket knows nothing of the request's addresses. */
static __always_inline void tuple_of_request(const struct request_sock *req, const struct sock *sk,
					     struct sw_tuple *tuple)
{
	tuple_addresses(&req->__req_common, false, tuple);
	tuple->lport = BPF_CORE_READ(req, __req_common.skc_num);
	tuple->rport = bpf_ntohs(BPF_CORE_READ(req, __req_common.skc_dport));
	tuple->netns = sock_netns(sk, false);
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

/* The cgroup of whoever made it, which it holds on to. */
static __always_inline __u64 sock_cgroup(const struct sock *sk, bool own)
{
	const struct cgroup *cgroup = LOAD(own, sk, sk_cgrp_data.cgroup);
	const struct kernfs_node *node = LOAD(own, cgroup, kn);

	return LOAD(own, node, id);
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

/* 5.11, 3ca1032ab7ab ("bpf: Implement get_current_task_btf and RET_PTR_TO_BTF_ID"); 5.15,
 * 8520e224f547 ("bpf, cgroups: Fix cgroup v2 fallback on v1/v2 mixed mode") */
#define TASK_LOADS                                                                      \
	(bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_current_task_btf) && \
	 bpf_core_field_exists(((struct sock *)0)->sk_cgrp_data.cgroup))

/*
 * The same, in the context of connect(), for a fraction: a task's fields cost less than
 * the helpers that give them; uid is that of the initial user namespace, as theirs, and
 * comm is padded with zeroes. A cgroup's number is far away, in lines that nobody else
 * looks at: where it is the socket's, too, as nearly always, it stays 0 until somebody
 * wants to know, see owner_complete().
 */
static __always_inline void owner_of_connect(struct sw_owner *owner, const struct sock *sk)
{
	const struct task_struct *task;
	const struct cgroup *cgroup;

	if (!TASK_LOADS) {
		owner_of_current(owner);
		return;
	}
	task = bpf_get_current_task_btf();
	cgroup = task->cgroups->dfl_cgrp;
	owner->pid = task->tgid;
	owner->tid = task->pid;
	owner->uid = task->cred->uid.val;
	owner->cgroup = 0;
	if (unlikely(cgroup != sk->sk_cgrp_data.cgroup))
		owner->cgroup = BPF_CORE_READ(cgroup, kn, id);
	*(__u64 *)owner->comm = *(const __u64 *)task->comm;
	*(__u64 *)(owner->comm + 8) = *(const __u64 *)(task->comm + 8);
}

static __always_inline void owner_complete(struct sw_owner *owner, const struct sock *sk, bool own)
{
	if (TASK_LOADS && owner->pid && !owner->cgroup)
		owner->cgroup = sock_cgroup(sk, own);
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
static __always_inline __u32 sock_isn(const struct sock *sk, bool own)
{
	const struct tcp_sock *tp = (const void *)sk;

	return LOAD(own, tp, snd_una) - (__u32)LOAD(own, tp, bytes_acked);
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
static __always_inline __u8 sock_retransmits(const struct sock *sk, bool own)
{
	return LOAD(own, (const struct inet_connection_sock *)sk, icsk_retransmits);
}

static __always_inline bool sock_timer_pending(const struct sock *sk, bool own)
{
	return LOAD(own, (const struct inet_connection_sock *)sk, icsk_pending) ==
	       ICSK_TIME_RETRANS;
}

static __always_inline __u64 sock_timer_expires(const struct sock *sk, bool own)
{
	const struct inet_connection_sock *icsk = (const void *)sk;
	const struct sock___6_19 *newer = (const void *)sk;

	if (bpf_core_field_exists(newer->tcp_retransmit_timer))
		return LOAD(own, newer, tcp_retransmit_timer.expires);
	return LOAD(own, icsk, icsk_retransmit_timer.expires);
}

static __always_inline __u32 sock_rto_max(const struct sock *sk, bool own)
{
	const struct inet_connection_sock___6_15 *icsk = (const void *)sk;

	if (bpf_core_field_exists(icsk->icsk_rto_max))
		return LOAD(own, icsk, icsk_rto_max);
	return ns_to_jiffies(RTO_MAX_NS);
}

/* CLOCK_MONOTONIC on the way out of SYN_SENT: tcp_rcv_state_process() has just read it for
 * the segment that it looks at. A socket that got there in another way (TCP_REPAIR) has an
 * older time, if any. */
static __always_inline __u64 sock_now(const struct sock *sk, __u64 since)
{
	const struct tcp_sock *tp = OWN ? (const void *)sock_own(sk) : 0;

	return unlikely(!tp || tp->tcp_clock_cache < since) ? bpf_ktime_get_ns()
							    : tp->tcp_clock_cache;
}

/* Did the first SYN ask for ECN, so that a retry does not? tcp_ecn_send_syn()
 * notes it, whatever made it ask (tcp_ecn, a route, the congestion control), and
 * the SYN-ACK may clear it. */
static __always_inline bool sock_asked_ecn(const struct sock *sk, bool own)
{
	const struct tcp_sock *tp = (const void *)sk;
	const struct net *net = LOAD(own, sk, __sk_common.skc_net.net);
	const struct netns_ipv4 *ipv4 = &net->ipv4;

	return LOAD(own, tp, ecn_flags) & TCP_ECN_OK &&
	       LOAD_BITFIELD(own, ipv4, sysctl_tcp_ecn_fallback);
}

/* The clock's timer and limits, for a socket in SYN_SENT or just out of it. */
static __always_inline void timer_of_sock(const struct sock *sk, bool own, struct sw_timer *timer,
					  __u32 *flags)
{
	const struct inet_connection_sock *icsk = (const void *)sk;
	const struct net *net = LOAD(own, sk, __sk_common.skc_net.net);
	const struct netns_ipv4 *ipv4 = &net->ipv4;
	const struct netns_ipv4___6_5 *newer = (const void *)ipv4;

	timer->jiffies = bpf_jiffies64();
	timer->tick_ns = config.tick_ns;
	timer->rto = LOAD(own, icsk, icsk_rto);
	timer->rto_max = sock_rto_max(sk, own);
	timer->user_timeout_ms = LOAD(own, icsk, icsk_user_timeout);
	timer->retransmits = sock_retransmits(sk, own);
	timer->retries = LOAD(own, icsk, icsk_syn_retries);
	if (!timer->retries)
		timer->retries = LOAD_BITFIELD(own, ipv4, sysctl_tcp_syn_retries);
	if (bpf_core_field_exists(newer->sysctl_tcp_syn_linear_timeouts)) {
		*flags |= SW_F_LINEAR;
		timer->linear = LOAD(own, newer, sysctl_tcp_syn_linear_timeouts);
	}
	if (sock_timer_pending(sk, own)) {
		*flags |= SW_F_PENDING;
		timer->expires = sock_timer_expires(sk, own);
	}
}

/*
 * How long ago the first SYN left, ns, good to 1 ms (1 us with tcp_usec_ts).
 * False if none has: retrans_stamp is set by the first SYN, 32 bit of
 * CLOCK_MONOTONIC, and cleared when the SYN is acknowledged.
 */
static __always_inline bool sock_syn_age(const struct sock *sk, bool own, __u64 now, __u64 *age)
{
	const struct tcp_sock *tp = (const void *)sk;
	const struct tcp_sock___6_7 *newer = (const void *)sk;
	__u32 stamp = LOAD(own, tp, retrans_stamp);

	if (!stamp)
		return false;
	if (bpf_core_field_exists(newer->tcp_usec_ts) && LOAD_BITFIELD(own, newer, tcp_usec_ts))
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
static __always_inline void icmp_of_sock(const struct sock *sk, bool own, __u32 old,
					 struct sw_icmp *icmp, __u32 *flags)
{
	__u32 count = LOAD(own, sk, sk_error_queue.qlen);
	const struct sk_buff *skb;
	const struct sock_exterr_skb *error;
	const unsigned char *header;
	__u8 origin;

	if (count <= old)
		return;
	icmp->count = count - old;
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
