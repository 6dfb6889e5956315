/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * connect(2) that fails before a SYN: no route, prohibited, denied, no port.
 * Most of these never enter SYN_SENT, so only the system call's return shows
 * them.
 */
#ifndef SYNWATCH_CONNECT_BPF_H
#define SYNWATCH_CONNECT_BPF_H

struct connecting {
	__u64 sk;
	__u64 address; /* the caller's struct sockaddr, user space */
	__u64 start_ns;
	__u32 write_seq; /* changes as soon as tcp_v4/v6_connect() picks an ISN */
	__u32 length;	 /* of the address */
	bool closed_unsent;
	__u8 reserved[7];
};

/* Threads inside connect(2), by pid_tgid. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, struct connecting);
} connecting SEC(".maps");

/* The TCP socket behind a descriptor of the current task, if it has not begun
 * to connect; otherwise the return value is about an earlier attempt. */
static __always_inline const struct sock *unconnected_sock(unsigned int fd)
{
	const struct task_struct *task = (const void *)bpf_get_current_task();
	const struct fdtable *table = BPF_CORE_READ(task, files, fdt);
	const struct file *file = 0;
	const struct socket *socket;
	const struct sock *sk;
	struct file **files;

	if (fd >= BPF_CORE_READ(table, max_fds))
		return 0;
	files = BPF_CORE_READ(table, fd);
	bpf_probe_read_kernel(&file, sizeof(file), files + fd);
	socket = BPF_CORE_READ(file, private_data);
	/* Only a socket's private_data points back at its file. */
	if (!file || BPF_CORE_READ(socket, file) != file ||
	    BPF_CORE_READ(socket, state) != SS_UNCONNECTED)
		return 0;
	sk = BPF_CORE_READ(socket, sk);
	return BPF_CORE_READ(sk, sk_protocol) == IPPROTO_TCP ? sk : 0;
}

static __always_inline void connect_enter(unsigned int fd, __u64 address, __u32 length)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct connecting c = {};
	const struct sock *sk;

	if (!filter_role(SW_FILTER_CLIENT) || !filter_current())
		return;
	sk = unconnected_sock(fd);
	if (!sk)
		return;
	c.sk = (__u64)sk;
	c.address = address;
	c.length = length;
	c.start_ns = bpf_ktime_get_ns();
	c.write_seq = BPF_CORE_READ((const struct tcp_sock *)sk, write_seq);
	if (bpf_map_update_elem(&connecting, &id, &c, BPF_ANY))
		count(map_full);
}

/* An attempt ended before its SYN. True if this thread is inside connect(2) on
 * that socket, whose return value will then tell the story, errno included. */
static __always_inline bool connect_will_tell(const struct sock *sk, const struct handshake *h)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct connecting *c = bpf_map_lookup_elem(&connecting, &id);

	if (!c || c->sk != (__u64)sk)
		return false;
	c->closed_unsent = true;
	c->start_ns = h->start_ns; /* one handshake has one identity */
	return true;
}

/* Not about the network: a wrong call, or a call that goes on elsewhere. */
static __always_inline bool errno_is_benign(long ret)
{
	switch (-ret) {
	case EINTR:
	case EBADF:
	case EFAULT:
	case EAFNOSUPPORT:
	case EALREADY:
	case EINPROGRESS:
	case EISCONN:
	case ERESTARTSYS:
		return true;
	}
	return false;
}

/* Shorter addresses are refused with EINVAL: sizeof(struct sockaddr_in) and
 * SIN6_LEN_RFC2133. */
#define SOCKADDR_IN_MIN	 16
#define SOCKADDR_IN6_MIN 24

/* Where to: the socket does not say, its destination is set after the route
 * look-up that failed. False if the address itself is wrong. */
static __always_inline bool tuple_of_address(const struct connecting *c, struct sw_tuple *tuple)
{
	struct sockaddr_in6 address = {};

	/* a sockaddr_in is shorter, so its part alone is read first */
	if (c->length < SOCKADDR_IN_MIN ||
	    bpf_probe_read_user(&address, 8, (const void *)c->address))
		return false;
	tuple_of_sock((const void *)c->sk, tuple);
	tuple->rport = bpf_ntohs(address.sin6_port);
	if (address.sin6_family == AF_INET) {
		tuple->family = 4;
		address_set_v4(tuple->raddr, address.sin6_flowinfo);
	} else if (address.sin6_family == AF_INET6) {
		if (c->length < SOCKADDR_IN6_MIN ||
		    bpf_probe_read_user(tuple->raddr, sizeof(tuple->raddr),
					(const void *)(c->address + 8)))
			return false;
		tuple->family = address_is_v4(tuple->raddr) ? 4 : 6;
	} else {
		return false;
	}
	if (tuple->family == 4 && !address_is_v4(tuple->laddr))
		address_set_v4(tuple->laddr, 0);
	return true;
}

static __always_inline void connect_report(const struct connecting *c, long ret)
{
	const struct sock *sk = (const void *)c->sk;
	struct sw_handshake *record;
	struct sw_tuple tuple = {};
	__u32 flags = 0;

	if (!tuple_of_address(c, &tuple) || filter_tuple(&tuple) != FILTER_ACCEPT)
		return;
	record = emit_reserve(SW_LOCAL_ERROR, bpf_ktime_get_ns());
	if (!record)
		return;
	record->cookie = sock_identity(sk);
	record->start_ns = c->start_ns;
	record->flags = SW_F_OWNER | SW_F_TASK;
	record->err = ret;
	record->tuple = tuple;
	owner_of_current(&record->owner);
	timer_of_sock(sk, &record->timer, &flags);
	ports_of_netns(sk, &record->port_low, &record->port_high);
	record->old_state = c->closed_unsent ? TCP_SYN_SENT : TCP_CLOSE;
	record->new_state = TCP_CLOSE;
	emit_submit(record);
}

/* The handshake's end should have taken its entry away. */
static __always_inline void connect_check(const struct connecting *c, long ret)
{
	struct handshake *entry = bpf_map_lookup_elem(&handshakes, &c->sk);
	const struct sock *sk = (const void *)c->sk;
	struct handshake h;

	if (!entry || BPF_CORE_READ(sk, __sk_common.skc_state) != TCP_CLOSE)
		return;
	h = *entry;
	if (!bpf_map_delete_elem(&handshakes, &c->sk))
		handshake_missed(sk, &h, TCP_CLOSE, ret);
}

static __always_inline void connect_exit(long ret)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct connecting *entry = bpf_map_lookup_elem(&connecting, &id);
	const struct tcp_sock *tp;
	struct connecting c;

	if (!entry)
		return;
	c = *entry;
	bpf_map_delete_elem(&connecting, &id);
	if (ret >= 0 || errno_is_benign(ret))
		return;
	tp = (const void *)c.sk;
	/* An ISN was picked: the handshake's own end has said, or will say, it. */
	if (c.closed_unsent || BPF_CORE_READ(tp, write_seq) == c.write_seq)
		connect_report(&c, ret);
	else
		connect_check(&c, ret);
}

#endif /* SYNWATCH_CONNECT_BPF_H */
