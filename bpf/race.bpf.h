/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Happy eyeballs (RFC 8305): a process tries several addresses of a service a
 * little apart and closes the losers. That is no failure.
 *
 * Healthy handshakes must stay nearly free, so who races is found through one
 * array slot per group of processes: it holds the process's last attempt.
 */
#ifndef SYNWATCH_RACE_BPF_H
#define SYNWATCH_RACE_BPF_H

/* RFC 8305 5 recommends 250 ms between attempts; programs take 200 to 300. */
#define RACE_NS	   (300 * NSEC_PER_MSEC)
#define RACE_SLOTS 1024

struct race_slot {
	__u64 key; /* in handshakes */
	__u64 cookie;
	__u64 start_ns;
	__u32 pid;
	__u32 place; /* of the remote: its address, folded */
	__u16 rport;
	__u16 reserved[3];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, RACE_SLOTS);
	__type(key, __u32);
	__type(value, struct race_slot);
} race_slots SEC(".maps");

struct race_key {
	__u32 pid;
	__u32 rport;
};

struct race_winner {
	__u64 start_ns;
	__u32 place;
	__u32 reserved;
};

/* Racers that got through. Few processes race, and the losers are closed at
 * once, so the oldest may give way. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct race_key);
	__type(value, struct race_winner);
} race_winners SEC(".maps");

static __always_inline __u32 race_place(const struct sock *sk)
{
	__u32 words[4] = {};

	if (BPF_CORE_READ(sk, __sk_common.skc_family) == AF_INET)
		return BPF_CORE_READ(sk, __sk_common.skc_daddr);
	BPF_CORE_READ_INTO(&words, sk, __sk_common.skc_v6_daddr.in6_u.u6_addr32);
	return words[0] ^ words[1] ^ words[2] ^ words[3];
}

/* The same of a tracepoint's own socket, whose fields need no helper. */
static __always_inline __u32 race_place_trusted(const struct sock *sk)
{
	const __be32 *words = sk->__sk_common.skc_v6_daddr.in6_u.u6_addr32;

	if (sk->__sk_common.skc_family == AF_INET)
		return sk->__sk_common.skc_daddr;
	return words[0] ^ words[1] ^ words[2] ^ words[3];
}

/* Its sibling, if that is still under way, is marked. */
static __always_inline bool race_mark(const struct race_slot *slot)
{
	struct fresh *sibling = fresh_find(slot->cookie);
	struct handshake *older;

	if (sibling && sibling->opening.owner.pid == slot->pid) {
		sibling->opening.racing = true;
		return true;
	}
	older = bpf_map_lookup_elem(&handshakes, &slot->key);
	if (!older || older->owner.pid != slot->pid)
		return false;
	older->racing = true;
	return true;
}

static __always_inline bool race_is_near(__u64 a, __u64 b)
{
	return a > b ? a - b < RACE_NS : b - a < RACE_NS;
}

/* At the opening: does it race with the process's attempt before? Both are
 * marked then. */
static __always_inline void race_enter(const struct sock *sk, struct opening *opening)
{
	__u32 index = opening->owner.pid % RACE_SLOTS;
	struct race_slot *slot = bpf_map_lookup_elem(&race_slots, &index);
	__u16 rport = sk->__sk_common.skc_dport;
	__u32 place = race_place_trusted(sk);

	if (!slot)
		return;
	if (slot->pid == opening->owner.pid && slot->rport == rport && slot->place != place &&
	    race_is_near(slot->start_ns, opening->start_ns))
		opening->racing = race_mark(slot);
	slot->key = (__u64)sk;
	slot->cookie = opening->cookie;
	slot->start_ns = opening->start_ns;
	slot->pid = opening->owner.pid;
	slot->place = place;
	slot->rport = rport;
}

static __always_inline struct race_key race_key_of(const struct sock *sk, const struct opening *h)
{
	return (struct race_key){
		.pid = h->owner.pid,
		.rport = BPF_CORE_READ(sk, __sk_common.skc_dport),
	};
}

static __always_inline void race_won(const struct sock *sk, const struct opening *h)
{
	struct race_winner winner = {.start_ns = h->start_ns};
	struct race_key key;

	if (!h->racing)
		return;
	key = race_key_of(sk, h);
	winner.place = race_place(sk);
	(void)bpf_map_update_elem(&race_winners, &key, &winner, BPF_ANY);
}

/* At a close by the application. */
static __always_inline bool race_lost(const struct sock *sk, const struct opening *h)
{
	struct race_winner *winner;
	struct race_key key;

	if (!h->racing)
		return false;
	key = race_key_of(sk, h);
	winner = bpf_map_lookup_elem(&race_winners, &key);
	return winner && winner->place != race_place(sk) &&
	       race_is_near(winner->start_ns, h->start_ns);
}

#endif /* SYNWATCH_RACE_BPF_H */
