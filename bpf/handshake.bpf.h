/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One handshake's life: open, retry, look, leave.
 */
#ifndef SYNWATCH_HANDSHAKE_BPF_H
#define SYNWATCH_HANDSHAKE_BPF_H

/* Timers run up to an eighth late (the timer wheel), so nothing is overdue
 * before that. */
static __always_inline __u64 due_after(__u64 interval_ns)
{
	return interval_ns + interval_ns / 8 + 50 * NSEC_PER_MSEC;
}

/* When the next event of this socket is overdue, given that `timer` has just
 * been read. Before the re-arming (a retry) the interval is at most doubled. */
static __always_inline __u64 due_at(__u64 now, const struct sw_timer *timer, __u32 flags)
{
	__u64 interval = (__u64)timer->rto * timer->tick_ns;

	if (flags & SW_F_PENDING) {
		__s64 left = timer->expires - timer->jiffies;

		interval = left > 0 ? (__u64)left * timer->tick_ns : 0;
	} else if (!(flags & SW_F_LINEAR) || timer->retransmits > timer->linear) {
		interval *= 2;
	}
	return now + due_after(interval);
}

/* The first SYN: at connect(), unless TCP_FASTOPEN_CONNECT put it off until the
 * first write. 0: it has not been sent. */
static __always_inline __u64 syn_time(const struct sock *sk, bool own, const struct handshake *h,
				      __u64 now)
{
	__u64 age;

	if (!sock_syn_age(sk, own, now, &age))
		return 0;
	/* retrans_stamp may be coarse (1 ms) */
	if (now - age > h->start_ns + 2 * NSEC_PER_MSEC)
		return now - age;
	return h->start_ns;
}

static __always_inline __u32 syn_elapsed_ms(const struct sock *sk, bool own, __u64 now)
{
	__u64 age;

	return sock_syn_age(sk, own, now, &age) ? age / NSEC_PER_MSEC : 0;
}

/* Everything a record of any client kind says. */
static __always_inline void handshake_fill(struct sw_handshake *record, const struct sock *sk,
					   bool own, const struct handshake *h)
{
	__u32 flags = h->flags;
	__u16 retries_sent;

	record->cookie = h->cookie;
	record->start_ns = h->start_ns;
	record->owner = h->owner;
	owner_complete(&record->owner, sk, own);
	record->owners = h->owners;
	record->syn_sent = h->syn_sent;
	tuple_of_sock(sk, own, &record->tuple);
	timer_of_sock(sk, own, &record->timer, &flags);
	if (record->timer.retransmits < h->retransmits)
		record->timer.retransmits = h->retransmits;
	retries_sent = h->syn_sent - !(h->flags & SW_F_FIRST_UNSENT);
	if (record->timer.retransmits > retries_sent)
		record->syn_unsent = record->timer.retransmits - retries_sent;
	record->syn_ns = syn_time(sk, own, h, record->header.time_ns);
	record->timer.elapsed_ms = syn_elapsed_ms(sk, own, record->header.time_ns);
	record->sk_err = LOAD(own, sk, sk_err);
	record->sk_err_soft = LOAD(own, sk, sk_err_soft);
	if (record->sk_err_soft == h->old_soft)
		record->sk_err_soft = 0;
	record->drop = h->drop;
	if (listener_of_sock((const void *)h->listener))
		listener_read((const void *)h->listener, &record->listener, &flags);
	record->err = h->err;
	if (h->has_err)
		flags |= SW_F_ERR;
	icmp_of_sock(sk, own, h->old_errors, &record->icmp, &flags);
	if (LOAD(own, sk, sk_lock.owned))
		flags |= SW_F_TASK;
	record->flags = flags;
}

/* Known from the first SYN on; before, what is there is stale. */
static __always_inline void handshake_isn(struct sw_handshake *record, const struct sock *sk,
					  bool own)
{
	if (!record->syn_ns)
		return;
	record->isn = sock_isn(sk, own);
	record->flags |= SW_F_ISN;
}

/* The source port is known from connect()'s second half on: the filters that
 * had to wait for it are decided at the first event after. */
static __always_inline bool handshake_refused(const struct sock *sk, bool own, struct handshake *h)
{
	if (!(config.filters & FILTER_PORTS) || !h->undecided)
		return false;
	switch (filter_sock(sk, own)) {
	case FILTER_REFUSE:
		return true;
	case FILTER_ACCEPT:
		h->undecided = false;
	default:
		return false;
	}
}

/* One that is there has ended, without the program being run: of the same socket, or of
 * another whose memory this is now. How it ended is not known any more. */
static __always_inline void handshake_enter(__u64 key, const struct handshake *h)
{
	long err = handshake_put(key, h, BPF_NOEXIST);
	struct handshake *ended;

	if (err == -EEXIST) {
		ended = bpf_map_lookup_elem(&handshakes, &key);
		if (ended)
			handshake_forget(key, ended);
		count(missed);
		err = handshake_put(key, h, BPF_ANY);
	}
	if (err)
		count(map_full);
}

/* All but the owner. */
static __always_inline void opening_fill(struct opening *opening, const struct sock *sk,
					 __u64 cookie, bool undecided)
{
	opening->cookie = cookie;
	opening->start_ns = bpf_ktime_get_ns();
	opening->old_errors = sk->sk_error_queue.qlen;
	opening->old_soft = sk->sk_err_soft;
	opening->undecided = undecided;
	opening->streamed = config.stream_all && !undecided;
}

static __always_inline void handshake_emit_open(const struct sock *sk, const struct handshake *h)
{
	struct sw_handshake *record;

	sk = sock_own(sk);
	if (!sk)
		return;
	record = emit_reserve(SW_OPEN, h->start_ns);
	if (!record)
		return;
	handshake_fill(record, sk, OWN, h);
	/* Nothing has been sent yet; what these say is of an earlier attempt. */
	record->syn_ns = 0;
	record->syn_unsent = 0;
	record->timer.retransmits = 0;
	record->sk_err_soft = 0;
	record->flags &= ~(SW_F_PENDING | SW_F_ICMP);
	record->old_state = TCP_CLOSE;
	record->new_state = TCP_SYN_SENT;
	emit_submit(record);
}

/* No slot was free, or everything is streamed. */
static __noinline void handshake_open_entry(const struct sock *sk, const struct fresh *slot,
					    __u64 cookie, bool undecided)
{
	struct handshake h = {};

	if (slot) {
		__builtin_memcpy(&h, &slot->opening, sizeof(slot->opening));
	} else {
		opening_fill((struct opening *)&h, sk, cookie, undecided);
		owner_of_current(&h.owner);
	}
	handshake_begin(&h);
	if (!slot)
		handshake_enter((__u64)sk, &h);
	if (h.streamed)
		handshake_emit_open(sk, &h);
}

/* Its own function, so that a run without filters has nothing of it, stack included. */
static __noinline enum filter_result handshake_wanted(const struct sock *sk)
{
	if (!filter_role(SW_FILTER_CLIENT) || !filter_current())
		return FILTER_REFUSE;
	return filter_living_sock(sk);
}

/* CLOSE -> SYN_SENT, in the context of the task that called connect(). */
static __always_inline void handshake_open(const struct sock *sk)
{
	enum filter_result result = FILTER_ACCEPT;
	struct fresh *slot;
	__u64 cookie;

	if (unlikely(config.filters))
		result = handshake_wanted(sk);
	if (unlikely(result == FILTER_REFUSE))
		return;
	cookie = sock_identify(sk);
	slot = fresh_claim(cookie);
	if (slot) {
		slot->key = (__u64)sk;
		opening_fill(&slot->opening, sk, cookie, result == FILTER_UNDECIDED);
		owner_of_connect(&slot->opening.owner, sk);
		fresh_publish(slot);
	}
	if (unlikely(!slot || config.stream_all))
		handshake_open_entry(sk, slot, cookie, result == FILTER_UNDECIDED);
}

static __always_inline bool adopt_owner(struct handshake *h, const struct sw_seed_owner *owner)
{
	if (!owner || !owner->owners)
		return filter_unowned(0, false);
	h->owner = owner->owner;
	h->owners = owner->owners;
	h->flags |= SW_F_OWNER;
	return filter_owner(owner);
}

/*
 * A handshake that was under way before the watch began, or found no slot in
 * the map when it opened. Only the seeding knows its owner; else NULL.
 */
static __always_inline bool handshake_adopt(const struct sock *sk, struct handshake *h, __u64 now,
					    bool retrying, const struct sw_seed_owner *owner)
{
	__u64 age;

	if (!filter_role(SW_FILTER_CLIENT) || !adopt_owner(h, owner) ||
	    filter_sock(sk, OWN) == FILTER_REFUSE)
		return false;
	h->start_ns = now;
	if (sock_syn_age(sk, OWN, now, &age))
		h->start_ns -= age;
	h->cookie = sock_identify(sk);
	h->flags |= SW_F_ADOPTED;
	h->retransmits = sock_retransmits(sk, OWN);
	/* As if all had been sent, nobody counted; the one under way comes on top. */
	h->syn_sent = h->retransmits + !retrying;
	return true;
}

/* Of another socket, whose end was missed and whose memory this one has: forgotten,
 * and counted. */
static __always_inline bool handshake_is_stale(const struct sock *sk, struct handshake *h)
{
	__u64 identity = sock_identity(sk);

	/* Without cookies a socket that its process has closed has none any more. */
	if (identity == h->cookie || (!config.has_cookies && !identity))
		return false;
	handshake_forget((__u64)sk, h);
	count(missed);
	return true;
}

/* The entry of a socket in SYN_SENT, adopted if need be; NULL if a filter
 * refuses it or no slot is free. */
static __always_inline struct handshake *handshake_find(const struct sock *sk, __u64 now,
							bool retrying)
{
	__u64 key = (__u64)sk;
	struct handshake *h = handshake_at(key);
	struct handshake adopted = {};

	if (h && !handshake_is_stale(sk, h)) {
		if (!handshake_refused(sk, OWN, h))
			return h;
		handshake_forget(key, h);
		return 0;
	}
	/* The seeding will come by, and it knows the owner. */
	if (retrying && seeding)
		return 0;
	if (!handshake_adopt(sk, &adopted, now, retrying, 0))
		return 0;
	if (handshake_put(key, &adopted, BPF_ANY))
		count(map_full);
	return bpf_map_lookup_elem(&handshakes, &key);
}

/* Retries up to this one whose event did not come. Where every retry has one
 * (6.17+) the run was missed and the retry is taken to have fared as the one
 * before; elsewhere it is the failed ones that have none. */
static __always_inline void handshake_catch_up(struct handshake *h, __u8 retransmits)
{
	__u8 unseen = retransmits - h->retransmits;

	if (retransmits <= h->retransmits)
		return;
	h->retransmits = retransmits;
	if (!config.retries_tell)
		return;
	count_more(missed, unseen);
	if (h->err)
		return;
	h->syn_sent += unseen;
	count_more(syn_retransmits, unseen);
}

/*
 * tcp_retransmit_skb in SYN_SENT. Runs in the timer's softirq, mostly: the
 * current task means nothing. err: 0, what the transmission returned (6.17+).
 */
static __always_inline void handshake_retry(const struct sock *sk, int err, bool has_err)
{
	__u64 now = bpf_ktime_get_ns();
	struct sw_handshake *record;
	struct handshake *h;
	__u8 retransmits;

	h = sk ? handshake_find(sk, now, true) : 0;
	if (!h)
		return;
	retransmits = sock_retransmits(sk, OWN);
	if (retransmits)
		handshake_catch_up(h, retransmits - 1);
	if (!err) {
		h->syn_sent++;
		count(syn_retransmits);
	} else if (h->syn_sent == 1 && sock_none_sent(sk)) {
		h->syn_sent = 0;
		h->flags |= SW_F_FIRST_UNSENT;
	}
	h->retransmits = retransmits;
	if (sock_asked_ecn(sk, OWN))
		h->flags |= SW_F_ECN;
	h->has_err = has_err;
	h->err = err;
	h->streamed = true;
	handshake_take_off(sk, OWN, h);
	record = emit_reserve(SW_RETRY, now);
	if (!record) {
		handshake_set_due(h, now); /* let the sweep tell instead */
		return;
	}
	handshake_fill(record, sk, OWN, h);
	handshake_isn(record, sk, OWN);
	record->old_state = record->new_state = TCP_SYN_SENT;
	handshake_set_due(h, due_at(now, &record->timer, record->flags & ~SW_F_PENDING));
	emit_submit(record);
}

/* connect() failed after it had entered SYN_SENT but before any SYN: the port
 * range is exhausted, no memory, the route vanished. In the caller's context,
 * with no error on the socket and no timer. */
static __always_inline bool closed_unsent(const struct sock *sk)
{
	return LOAD(OWN, sk, sk_lock.owned) && !LOAD(OWN, sk, sk_err) &&
	       !sock_timer_pending(sk, OWN);
}

/* What every record of an end says, or NULL (counted). */
static __always_inline struct sw_handshake *handshake_end(const struct sock *sk, bool own,
							  struct handshake *h, __u64 now,
							  __u8 new_state, __u64 syn_ns)
{
	struct sw_handshake *record;

	handshake_catch_up(h, sock_retransmits(sk, own));
	if (!h->in_flight)
		handshake_claim_stray(sk, own, h, sock_isn(sk, own));
	forget(*h);
	record = emit_reserve(SW_CLOSE, now);
	if (!record)
		return 0;
	handshake_fill(record, sk, own, h);
	if (syn_ns)
		record->syn_ns = syn_ns;
	handshake_isn(record, sk, own);
	if (!config.resets_tell)
		record->flags |= SW_F_UNTRACKED;
	record->old_state = TCP_SYN_SENT;
	record->new_state = new_state;
	return record;
}

/*
 * How long the SYN took to be answered. connect() with TCP_FASTOPEN_CONNECT
 * enters SYN_SENT long before it sends; the RTT sample of the SYN, taken just
 * before this transition unless it was retried, tells the difference.
 */
static __always_inline __u64 handshake_latency(const struct sock *sk, bool own,
					       const struct handshake *h, __u64 now)
{
	__u64 latency = now - h->start_ns;
	__u64 rtt;

	if (latency < config.quiet_ns || h->retransmits)
		return latency;
	rtt = (__u64)(LOAD(own, (const struct tcp_sock *)sk, srtt_us) >> 3) * NSEC_PER_USEC;
	return rtt && rtt < latency ? rtt : latency;
}

/* Answered. True if that is all there is to say: it was no trouble, and it has
 * been counted. ret_syn_ns: when the SYN left, for retrans_stamp is cleared. */
static __always_inline bool handshake_answered(const struct sock *sk, bool own, struct handshake *h,
					       __u64 now, __u64 *ret_syn_ns)
{
	__u64 latency = handshake_latency(sk, own, h, now);

	race_won(sk, own, (const struct opening *)h, now);
	*ret_syn_ns = now - latency;
	if (h->retransmits || latency >= config.quiet_ns)
		return false;
	count_healthy(latency);
	h->flags |= SW_F_COUNTED;
	return !h->streamed && !config.stream_all;
}

/* Closed by its application, because a sibling got through first. True if that
 * is all there is to say: it is counted as healthy. */
static __always_inline bool handshake_lost_race(const struct sock *sk, struct handshake *h,
						__u64 now)
{
	if (!race_lost(sk, OWN, (const struct opening *)h, now) || LOAD(OWN, sk, sk_err) ||
	    !LOAD(OWN, sk, sk_lock.owned))
		return false;
	count(races_lost);
	h->flags |= SW_F_COUNTED | SW_F_RACE_LOST;
	return !h->streamed && !config.stream_all;
}

/* Its source port was not known when it began. */
static __noinline bool fresh_refused(const struct sock *sk)
{
	return filter_living_sock(sk) == FILTER_REFUSE;
}

/* SYN_SENT -> ESTABLISHED of one that was never in trouble: all there is to do for
 * most handshakes. False if there is more to say. */
static __always_inline bool fresh_answered(const struct sock *sk, struct fresh *slot)
{
	__u64 latency, now;

	if (unlikely(config.stream_all))
		return false;
	if (unlikely(config.filters & FILTER_PORTS && slot->opening.undecided && fresh_refused(sk)))
		return fresh_take(slot);
	now = sock_now(sk, slot->opening.start_ns);
	latency = now - slot->opening.start_ns;
	if (unlikely(latency >= config.quiet_ns))
		return false;
	race_won(sk, true, &slot->opening, now);
	if (unlikely(!fresh_take(slot)))
		return false;
	count_healthy(latency);
	return true;
}

/* SYN_SENT -> ESTABLISHED or CLOSE, or SYN_RECV -> either after a simultaneous
 * open. The socket's entry has been taken out of the map by the caller. */
static __always_inline void handshake_leave(const struct sock *sk, struct handshake *h,
					    __u8 old_state, __u8 new_state)
{
	__u64 now = bpf_ktime_get_ns();
	struct sw_handshake *record;
	__u64 syn_ns = 0;

	handshake_land_at_end(sk, OWN, h, now);
	if (handshake_refused(sk, OWN, h))
		return;
	if (new_state == TCP_ESTABLISHED && handshake_answered(sk, OWN, h, now, &syn_ns))
		return;
	if (new_state == TCP_CLOSE && handshake_lost_race(sk, h, now))
		return;
	forget(syn_ns);
	forget(new_state);
	record = handshake_end(sk, OWN, h, now, new_state, syn_ns);
	if (!record)
		return;
	record->old_state = old_state;
	if (new_state == TCP_CLOSE && (record->flags & SW_F_TASK))
		closer_of_current(&record->closer, &record->flags);
	emit_submit(record);
}

#endif /* SYNWATCH_HANDSHAKE_BPF_H */
