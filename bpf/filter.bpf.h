/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The predicate. config.filters is read-only data: the verifier removes every
 * kind that a run does not use. user/cli/filter.c has the same predicate for
 * reading captures.
 */
#ifndef SYNWATCH_FILTER_BPF_H
#define SYNWATCH_FILTER_BPF_H

#define FILTER_SET(name, key_type)                                        \
	struct {                                                          \
		__uint(type, BPF_MAP_TYPE_HASH);                          \
		__uint(max_entries, 1); /* raised to what is asked for */ \
		__type(key, key_type);                                    \
		__type(value, __u8);                                      \
	} name SEC(".maps")

struct filter_comm {
	char comm[SW_COMM_LEN];
};

FILTER_SET(filter_pids, __u32);
FILTER_SET(filter_uids, __u32);
FILTER_SET(filter_comms, struct filter_comm);
FILTER_SET(filter_cgroups, __u64);
FILTER_SET(filter_netns, __u32);

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC); /* the kernel insists */
	__uint(max_entries, 1);
	__type(key, struct sw_host_key);
	__type(value, __u8);
} filter_hosts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SW_PORT_ROWS *SW_PORT_WORDS);
	__type(key, __u32);
	__type(value, __u64);
} filter_ports SEC(".maps");

#define FILTER_OWNER  (SW_FILTER_PID | SW_FILTER_UID | SW_FILTER_COMM | SW_FILTER_CGROUP)
#define FILTER_FAMILY (SW_FILTER_V4 | SW_FILTER_V6)
#define FILTER_PORTS  (SW_FILTER_PORT | SW_FILTER_LPORT | SW_FILTER_RPORT)
#define FILTER_TUPLE  (FILTER_FAMILY | FILTER_PORTS | SW_FILTER_NETNS | SW_FILTER_HOST)

/* Deeper cgroup trees than this are not searched to their leaves. */
#define FILTER_CGROUP_DEPTH 32

enum filter_result {
	FILTER_REFUSE,
	FILTER_ACCEPT,
	FILTER_UNDECIDED, /* depends on the source port, which is not chosen yet */
};

/* Roles are ORed; neither given means both. */
static __always_inline bool filter_role(__u32 role)
{
	return !(config.filters & (SW_FILTER_CLIENT | SW_FILTER_SERVER)) || (config.filters & role);
}

/* The current task's cgroup or any above it. */
static __always_inline bool filter_cgroup_of_current(void)
{
	for (int level = 0; level < FILTER_CGROUP_DEPTH; level++) {
		__u64 id = bpf_get_current_ancestor_cgroup_id(level);

		if (!id)
			break;
		if (bpf_map_lookup_elem(&filter_cgroups, &id))
			return true;
	}
	return false;
}

/* Only in the context of the task that calls connect(). */
static __always_inline bool filter_current(void)
{
	if (config.filters & SW_FILTER_PID) {
		__u32 pid = bpf_get_current_pid_tgid() >> 32;

		if (!bpf_map_lookup_elem(&filter_pids, &pid))
			return false;
	}
	if (config.filters & SW_FILTER_UID) {
		__u32 uid = (__u32)bpf_get_current_uid_gid();

		if (!bpf_map_lookup_elem(&filter_uids, &uid))
			return false;
	}
	if (config.filters & SW_FILTER_COMM) {
		struct filter_comm key = {};

		bpf_get_current_comm(key.comm, sizeof(key.comm));
		if (!bpf_map_lookup_elem(&filter_comms, &key))
			return false;
	}
	if (config.filters & SW_FILTER_CGROUP)
		return filter_cgroup_of_current();
	return true;
}

/* An owner that is not known (under way before the watch began, or a request
 * socket) matches no filter on owners but its user's. */
static __always_inline bool filter_unowned(__u32 uid, bool has_uid)
{
	if (config.filters & FILTER_OWNER & ~SW_FILTER_UID)
		return false;
	if (config.filters & SW_FILTER_UID)
		return has_uid && bpf_map_lookup_elem(&filter_uids, &uid);
	return true;
}

/* One that the user side has looked up. */
static __always_inline bool filter_owner(const struct sw_seed_owner *known)
{
	const struct sw_owner *owner = &known->owner;

	if ((config.filters & SW_FILTER_PID) && !bpf_map_lookup_elem(&filter_pids, &owner->pid))
		return false;
	if ((config.filters & SW_FILTER_UID) && !bpf_map_lookup_elem(&filter_uids, &owner->uid))
		return false;
	if ((config.filters & SW_FILTER_COMM) && !bpf_map_lookup_elem(&filter_comms, owner->comm))
		return false;
	return !(config.filters & SW_FILTER_CGROUP) || known->in_cgroup;
}

static __always_inline bool filter_port(__u32 row, __u16 port)
{
	__u32 word = row * SW_PORT_WORDS + port / 64;
	__u64 *bits = bpf_map_lookup_elem(&filter_ports, &word);

	return bits && (*bits >> (port % 64) & 1);
}

static __always_inline bool filter_host(const __u8 *address)
{
	struct sw_host_key key = {.prefix_len = 128};

	__builtin_memcpy(key.addr, address, sizeof(key.addr));
	return bpf_map_lookup_elem(&filter_hosts, &key);
}

static __always_inline enum filter_result filter_ports_of(__u16 lport, __u16 rport)
{
	bool undecided = false;

	if ((config.filters & SW_FILTER_RPORT) && !filter_port(SW_PORT_REMOTE, rport))
		return FILTER_REFUSE;
	if (config.filters & SW_FILTER_LPORT) {
		if (!lport)
			undecided = true;
		else if (!filter_port(SW_PORT_LOCAL, lport))
			return FILTER_REFUSE;
	}
	if ((config.filters & SW_FILTER_PORT) && !filter_port(SW_PORT_ANY, rport)) {
		if (!lport)
			undecided = true;
		else if (!filter_port(SW_PORT_ANY, lport))
			return FILTER_REFUSE;
	}
	return undecided ? FILTER_UNDECIDED : FILTER_ACCEPT;
}

static __always_inline enum filter_result filter_tuple(const struct sw_tuple *tuple)
{
	if (config.filters & FILTER_FAMILY) {
		__u32 family = tuple->family == 4 ? SW_FILTER_V4 : SW_FILTER_V6;

		if (!(config.filters & family))
			return FILTER_REFUSE;
	}
	if ((config.filters & SW_FILTER_NETNS) &&
	    !bpf_map_lookup_elem(&filter_netns, &tuple->netns))
		return FILTER_REFUSE;
	if ((config.filters & SW_FILTER_HOST) && !filter_host(tuple->raddr) &&
	    !filter_host(tuple->laddr))
		return FILTER_REFUSE;
	if (config.filters & FILTER_PORTS)
		return filter_ports_of(tuple->lport, tuple->rport);
	return FILTER_ACCEPT;
}

/* Reads what the filters ask for, and no more. living: a tracepoint's argument before
 * tcp_set_state() to CLOSE, as it is; see tuple_of_living_sock(). */
static __always_inline enum filter_result filter_any_sock(const struct sock *sk, bool own,
							  bool living)
{
	struct sw_tuple tuple = {};

	if (config.filters & (FILTER_FAMILY | SW_FILTER_HOST))
		tuple_addresses(&sk->__sk_common, own, &tuple);
	if (config.filters & FILTER_PORTS) {
		tuple.lport = living ? sk->__sk_common.skc_num : sock_lport(sk, own);
		tuple.rport = bpf_ntohs(LOAD(own, sk, __sk_common.skc_dport));
	}
	if (config.filters & SW_FILTER_NETNS)
		tuple.netns = sock_netns(sk, own);
	return filter_tuple(&tuple);
}

static __always_inline enum filter_result filter_sock(const struct sock *sk, bool own)
{
	return config.filters & FILTER_TUPLE ? filter_any_sock(sk, own, false) : FILTER_ACCEPT;
}

static __always_inline enum filter_result filter_living_sock(const struct sock *sk)
{
	return config.filters & FILTER_TUPLE ? filter_any_sock(sk, true, true) : FILTER_ACCEPT;
}

/* A local end alone: what asks for a remote one refuses it. */
static __always_inline bool filter_listening(const struct sw_tuple *tuple)
{
	if ((config.filters & SW_FILTER_NETNS) &&
	    !bpf_map_lookup_elem(&filter_netns, &tuple->netns))
		return false;
	if (config.filters & SW_FILTER_RPORT)
		return false;
	if ((config.filters & SW_FILTER_HOST) && !filter_host(tuple->laddr))
		return false;
	if ((config.filters & SW_FILTER_LPORT) && !filter_port(SW_PORT_LOCAL, tuple->lport))
		return false;
	return !(config.filters & SW_FILTER_PORT) || filter_port(SW_PORT_ANY, tuple->lport);
}

#endif /* SYNWATCH_FILTER_BPF_H */
