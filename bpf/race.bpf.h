/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Happy eyeballs (RFC 8305): a process tries several addresses of a service a
 * little apart and closes the losers as soon as one has got through. That is no
 * failure.
 *
 * Who closes a handshake under way is rare, who gets through is not: so the winner
 * leaves a note, at the price of a few stores, and it is the loser that looks.
 */
#ifndef SYNWATCH_RACE_BPF_H
#define SYNWATCH_RACE_BPF_H

/* RFC 8305 5 recommends 250 ms between attempts; programs take 200 to 300. And so
 * long after the winner has got through its losers may be closed; mostly it is at once. */
#define RACE_NS	   (300 * NSEC_PER_MSEC)
#define RACE_SLOTS 1024

/* The last of its process and port to get through. */
struct race_winner {
	__u64 start_ns;
	__u64 won_ns;
	__u32 pid;
	__u32 place; /* of the remote: its address, folded */
	__be16 rport;
	__u16 reserved[3];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, RACE_SLOTS);
	__type(key, __u32);
	__type(value, struct race_winner);
} race_winners SEC(".maps");

static __always_inline __u32 race_place(const struct sock *sk, bool own)
{
	const struct sock_common *common = &sk->__sk_common;

	if (LOAD(own, common, skc_family) == AF_INET)
		return LOAD(own, common, skc_daddr);
	return LOAD(own, common, skc_v6_daddr.in6_u.u6_addr32[0]) ^
	       LOAD(own, common, skc_v6_daddr.in6_u.u6_addr32[1]) ^
	       LOAD(own, common, skc_v6_daddr.in6_u.u6_addr32[2]) ^
	       LOAD(own, common, skc_v6_daddr.in6_u.u6_addr32[3]);
}

static __always_inline struct race_winner *race_slot(__u32 pid, __be16 rport)
{
	const union key index = key_of((pid ^ rport) % RACE_SLOTS);

	return bpf_map_lookup_elem(&race_winners, &index);
}

/* own: of a tracepoint's argument as it is, too. */
static __always_inline void race_won(const struct sock *sk, bool own, const struct opening *h,
				     __u64 now)
{
	__be16 rport = LOAD(own, sk, __sk_common.skc_dport);
	struct race_winner *winner = race_slot(h->owner.pid, rport);

	if (!winner)
		return;
	winner->start_ns = h->start_ns;
	winner->won_ns = now;
	winner->pid = h->owner.pid;
	winner->place = race_place(sk, own);
	winner->rport = rport;
}

static __always_inline bool race_is_near(__u64 a, __u64 b)
{
	return a > b ? a - b < RACE_NS : b - a < RACE_NS;
}

/* At a close by the application: a sibling to another address has just got through. */
static __always_inline bool race_lost(const struct sock *sk, bool own, const struct opening *h,
				      __u64 now)
{
	__be16 rport = LOAD(own, sk, __sk_common.skc_dport);
	const struct race_winner *winner = race_slot(h->owner.pid, rport);

	return winner && winner->pid == h->owner.pid && winner->rport == rport &&
	       winner->place != race_place(sk, own) &&
	       race_is_near(winner->start_ns, h->start_ns) && race_is_near(winner->won_ns, now);
}

#endif /* SYNWATCH_RACE_BPF_H */
