/* SPDX-License-Identifier: GPL-2.0-only */
/* The sweep over the listeners: what their sk_drops and their queues show. */
#ifndef SYNWATCH_SWEEP_BPF_H
#define SYNWATCH_SWEEP_BPF_H

/* Its run at LISTEN -> CLOSE was missed, or it is another socket by now. */
static __always_inline bool listener_is_stale(const struct sock *sk,
					      const struct listener *listener)
{
	return sock_identity(sk) != listener->cookie ||
	       BPF_CORE_READ(sk, __sk_common.skc_state) != TCP_LISTEN;
}

/* listen() without bind(): the port was chosen after the transition. */
static __always_inline void listener_complete(const struct sock *sk, struct listener *listener,
					      __u64 key)
{
	if (listener->lport)
		return;
	listener->lport = sock_lport(sk, false);
	if (listener->lport)
		port_add(listener, key);
}

static __always_inline void listener_ignored(const struct sock *sk, struct listener *listener,
					     const struct sw_listener *queues, __u32 number,
					     __u64 now)
{
	struct sw_tuple tuple = {};

	tuple_of_sock(sk, false, &tuple);
	__builtin_memset(tuple.raddr, 0, sizeof(tuple.raddr));
	if (listener->wanted && filter_listening(&tuple))
		crowd_count_ignored(crowd_at(&tuple, sk), number, queues, now);
}

static __always_inline void listener_look(const __u64 *address, struct listener *listener)
{
	const struct sock *sk = (const void *)*address;
	__u64 now = bpf_ktime_get_ns();
	struct sw_listener queues = {};
	__u64 key = *address;
	__u32 flags = 0;
	__s32 unseen;

	if (listener_is_stale(sk, listener)) {
		port_remove(listener, key);
		bpf_map_delete_elem(&listeners, &key);
		return;
	}
	listener_complete(sk, listener, key);
	listener_count(sk, listener);
	listener_read_recent(sk, listener, now, &queues, &flags);
	unseen = listener_drops(sk) - listener->drops;
	if (unseen)
		__sync_fetch_and_add(&listener->drops, unseen);
	if (unseen > 0)
		listener_ignored(sk, listener, &queues, unseen, now);
	if (unseen > 0 || listener_is_full(&queues))
		trouble_ns = now;
}

#endif /* SYNWATCH_SWEEP_BPF_H */
