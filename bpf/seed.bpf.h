/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Handshakes already under way when the watch begins, and the sockets that
 * listen. The iterator is run twice over the sockets of each network namespace, after all hooks are
 * attached: first it names the sockets it finds, the user side looks up their
 * owners, then it adopts them. A socket that a hook has met meanwhile is
 * followed already and left alone.
 */
#ifndef SYNWATCH_SEED_BPF_H
#define SYNWATCH_SEED_BPF_H

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC); /* empty but for a moment */
	__uint(max_entries, SW_SEED_MAX);
	__type(key, __u64); /* inode number */
	__type(value, struct sw_seed_owner);
} seed_owners SEC(".maps");

/* It is due at once: the next sweep tells of it. Since 5.15 ("bpf: tcp: Bpf iter batching and
 * lock_sock") the iterator holds the socket's lock and no hook can come between. Before, the socket
 * may have left SYN_SENT, and have been reported, before it got its entry. */
static __always_inline void seed_adopt(const struct sock *sk, const struct sw_seed_owner *owner)
{
	__u64 key = (__u64)sk;
	struct handshake adopted = {};
	long err;

	if (!handshake_adopt(sk, &adopted, bpf_ktime_get_ns(), false, owner))
		return;
	err = handshake_put(key, &adopted, BPF_NOEXIST);
	if (err && err != -EEXIST)
		count(map_full);
	if (err)
		return;
	if (BPF_CORE_READ(sk, __sk_common.skc_state) != TCP_SYN_SENT)
		bpf_map_delete_elem(&handshakes, &key);
}

static __always_inline void seed_listener(const struct sock *sk, const struct sw_seed_owner *owner)
{
	struct listener listener = {};

	listener.netns = sock_netns(sk, OWN);
	listener.lport = sock_lport(sk, OWN);
	listener.owner = owner->owner;
	listener.owners = owner->owners;
	listener.has_owner = owner->owners;
	listener.wanted = owner->owners ? filter_owner(owner)
					: filter_unowned(LOAD(OWN, sk, sk_uid.val), true);
	listener_add(sk, &listener);
}

static __always_inline bool seed_is_wanted(const struct sock *sk, bool listens)
{
	__u64 key = (__u64)sk;

	if (listens)
		return !listener_of_sock(sk) &&
		       listener_is_watched(sock_netns(sk, OWN), sock_lport(sk, OWN));
	return filter_role(SW_FILTER_CLIENT) && filter_sock(sk, OWN) != FILTER_REFUSE &&
	       !bpf_map_lookup_elem(&handshakes, &key) && !fresh_find(sock_identity(sk));
}

/* One socket in SYN_SENT or LISTEN. */
static __always_inline void seed_sock(struct seq_file *reader, const struct sock *sk)
{
	bool listens = BPF_CORE_READ(sk, __sk_common.skc_state) == TCP_LISTEN;
	__u64 inode = BPF_CORE_READ(sk, sk_socket, file, f_inode, i_ino);
	const struct sw_seed_owner *owner;

	if (!seed_is_wanted(sk, listens))
		return;
	owner = bpf_map_lookup_elem(&seed_owners, &inode);
	if (!owner)
		bpf_seq_write(reader, &inode, sizeof(inode));
	else if (listens)
		seed_listener(sk, owner);
	else
		seed_adopt(sk, owner);
}

#endif /* SYNWATCH_SEED_BPF_H */
