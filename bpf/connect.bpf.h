/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * connect(2) that fails before a SYN: no route, prohibited, denied, no port.
 * Most of these never enter SYN_SENT, so only the system call's return shows
 * them.
 *
 * Since 5.15 its arguments are read from user space's registers, and only where
 * it has failed: a connect() that goes well costs next to nothing. What a
 * handshake's own end has told already is noted by socket. Before, the entry notes
 * the arguments.
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
	__uint(max_entries, 1); /* raised where the entry is needed */
	__type(key, __u64);
	__type(value, struct connecting);
} connecting SEC(".maps");

struct failed {
	__u64 cookie;
	__u64 start_ns;
	bool closed_unsent; /* the return value is to tell it, else it has been told */
	__u8 reserved[7];
};

/* Handshakes that failed, by socket. Who asks does so at once, mostly, so the oldest
 * may give way. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, struct failed);
} failed_sockets SEC(".maps");

/* 5.15: bpf_task_pt_regs(). */
static __always_inline const void *user_registers(void)
{
	return (const void *)bpf_task_pt_regs(bpf_get_current_task_btf());
}

static __always_inline bool is_in_connect(void)
{
	const struct pt_regs___x86 *x86;
	const struct pt_regs___arm64 *arm64;

	x86 = user_registers();
	arm64 = (const void *)x86;
	if (bpf_core_field_exists(x86->orig_ax))
		return BPF_CORE_READ(x86, orig_ax) == config.nr_connect;
	if (bpf_core_field_exists(arm64->syscallno))
		return (__u32)BPF_CORE_READ(arm64, syscallno) == config.nr_connect;
	return false;
}

static __always_inline unsigned int connect_arguments(__u64 *address, __u32 *length)
{
	const struct pt_regs___x86 *x86 = user_registers();
	const struct pt_regs___arm64 *arm64 = (const void *)x86;

	if (bpf_core_field_exists(x86->orig_ax)) {
		*address = BPF_CORE_READ(x86, si);
		*length = BPF_CORE_READ(x86, dx);
		return BPF_CORE_READ(x86, di);
	}
	*address = BPF_CORE_READ(arm64, regs[1]);
	*length = BPF_CORE_READ(arm64, regs[2]);
	return BPF_CORE_READ(arm64, orig_x0);
}

/* The TCP socket behind a descriptor of the current task, if it is not under way
 * to connect: then the return value would be about an earlier attempt. */
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
	/* One handshake has one identity. */
	const struct failed unsent = {
		.cookie = h->cookie,
		.start_ns = h->start_ns,
		.closed_unsent = true,
	};
	__u64 id = bpf_get_current_pid_tgid(), key = (__u64)sk;
	struct connecting *c;

	if (config.exit_alone)
		return is_in_connect() &&
		       !bpf_map_update_elem(&failed_sockets, &key, &unsent, BPF_ANY);
	c = bpf_map_lookup_elem(&connecting, &id);
	if (!c || c->sk != key)
		return false;
	c->closed_unsent = true;
	c->start_ns = h->start_ns;
	return true;
}

/* The end of one that failed has been told: connect(2) need not. */
static __always_inline void connect_is_told(const struct sock *sk, const struct handshake *h)
{
	const struct failed told = {.cookie = h->cookie, .start_ns = h->start_ns};
	__u64 key = (__u64)sk;

	if (config.exit_alone)
		(void)bpf_map_update_elem(&failed_sockets, &key, &told, BPF_ANY);
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
	tuple_of_sock((const void *)c->sk, false, tuple);
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
	timer_of_sock(sk, false, &record->timer, &flags);
	ports_of_netns(sk, &record->port_low, &record->port_high);
	record->old_state = c->closed_unsent ? TCP_SYN_SENT : TCP_CLOSE;
	record->new_state = TCP_CLOSE;
	emit_submit(record);
}

/* The handshake's end should have taken its entry away. True if it has not. */
static __always_inline bool connect_check(const struct connecting *c, long ret)
{
	const struct sock *sk = (const void *)c->sk;
	struct handshake h, *entry;

	if (BPF_CORE_READ(sk, __sk_common.skc_state) != TCP_CLOSE)
		return false;
	entry = handshake_at(c->sk);
	if (!entry)
		return false;
	h = *entry;
	if (!bpf_map_delete_elem(&handshakes, &c->sk))
		handshake_missed(sk, &h, TCP_CLOSE, ret);
	return true;
}

/* What only a handshake that was under way ends with. */
static __always_inline bool errno_is_of_handshake(long ret)
{
	return ret == -ETIMEDOUT || ret == -ECONNREFUSED || ret == -ECONNRESET ||
	       ret == -ECONNABORTED;
}

/* Not inlined: it needs a stack, most calls do not. */
static __noinline void connect_failed(long ret)
{
	struct connecting c = {};
	struct failed *failed;

	if (errno_is_benign(ret) || !filter_role(SW_FILTER_CLIENT) || !filter_current())
		return;
	c.sk = (__u64)unconnected_sock(connect_arguments(&c.address, &c.length));
	if (!c.sk)
		return;
	failed = bpf_map_lookup_elem(&failed_sockets, &c.sk);
	if (failed && failed->cookie == sock_identity((const void *)c.sk)) {
		c.closed_unsent = failed->closed_unsent;
		c.start_ns = failed->start_ns;
		bpf_map_delete_elem(&failed_sockets, &c.sk);
		if (c.closed_unsent)
			connect_report(&c, ret);
		return;
	}
	if (connect_check(&c, ret) || errno_is_of_handshake(ret))
		return;
	c.start_ns = bpf_ktime_get_ns();
	connect_report(&c, ret);
}

/* 5.15 and newer. */
static __always_inline void connect_exit_alone(long ret)
{
	if (ret < 0)
		connect_failed(ret);
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
		(void)connect_check(&c, ret);
}

#endif /* SYNWATCH_CONNECT_BPF_H */
