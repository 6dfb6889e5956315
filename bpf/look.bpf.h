/* SPDX-License-Identifier: GPL-2.0-only */
/* The sweep's look at the handshakes under way: what no event has told. */
#ifndef SYNWATCH_LOOK_BPF_H
#define SYNWATCH_LOOK_BPF_H

/*
 * Its end went by without the program being run: the kernel refuses a run that
 * would nest, and some hosts exempt tasks from tracing. The socket is still
 * there and tells how it ended, but no longer when or by whom. err: what
 * connect() returned for it, 0 if nobody knows.
 */
static __always_inline void handshake_missed(const struct sock *sk, struct handshake *h, __u8 state,
					     int err)
{
	__u64 now = bpf_ktime_get_ns();
	__u8 new_state = state == TCP_CLOSE ? TCP_CLOSE : TCP_ESTABLISHED;
	struct sw_handshake *record;
	__u64 syn_ns = 0;

	handshake_land_at_end(sk, false, h, now);
	if (handshake_refused(sk, false, h))
		return;
	if (new_state == TCP_ESTABLISHED && handshake_answered(sk, false, h, now, &syn_ns))
		return;
	record = handshake_end(sk, false, h, now, new_state, syn_ns);
	if (!record)
		return;
	record->flags = (record->flags & ~SW_F_TASK) | SW_F_MISSED;
	if (err)
		record->sk_err = -err;
	count(missed);
	emit_submit(record);
}

/* False if it has ended meanwhile: whoever ends it deletes the entry, then looks in
 * flights, which may have been before it got there. */
static __always_inline bool look_take_off(const struct sock *sk, struct handshake *h, __u64 key)
{
	const union key isn = key_of(sock_isn(sk, false));

	handshake_take_off(sk, false, h);
	if (bpf_map_lookup_elem(&handshakes, &key))
		return true;
	bpf_map_delete_elem(&flights, &isn);
	return false;
}

/*
 * The sweep's view of one entry, long after its events: is it overdue, and
 * what does its socket say now? The address may be stale, so nothing is
 * believed before the cookie agrees.
 */
static __always_inline void handshake_look(const __u64 *address, struct handshake *h)
{
	const struct sock *sk = (const void *)*address;
	__u64 key = *address;
	__u64 now = bpf_ktime_get_ns();
	struct sw_handshake *record;
	__u8 state;

	swept[SW_SWEPT_HANDSHAKES].seen = true;
	handshake_note_due(h->due_ns);
	if (now < h->due_ns)
		return;
	if (sock_identity(sk) != h->cookie) {
		/* The socket is gone, and how it ended with it. */
		handshake_forget(key, h);
		count(missed);
		return;
	}
	state = BPF_CORE_READ(sk, __sk_common.skc_state);
	if (state != TCP_SYN_SENT && state != TCP_SYN_RECV) {
		struct handshake ended = *h; /* the entry may be reused at once */

		if (!bpf_map_delete_elem(&handshakes, &key))
			handshake_missed(sk, &ended, state, 0);
		return;
	}
	if (handshake_refused(sk, false, h)) {
		handshake_forget(key, h);
		return;
	}
	/* The SYN may be put off by TCP_FASTOPEN_CONNECT: that is no trouble. */
	if (!syn_time(sk, false, h, now) && !h->streamed) {
		handshake_set_due(h, now + config.quiet_ns);
		return;
	}
	handshake_catch_up(h, sock_retransmits(sk, false));
	if (syn_time(sk, false, h, now) && !look_take_off(sk, h, key))
		return;
	if (!emit_has_room())
		return; /* still due: the next sweep will tell */
	record = emit_reserve(SW_LOOK, now);
	if (!record)
		return;
	/* Whoever ends it deletes the entry, then reserves a record. If the entry
	 * is still there, that record will come after this one. */
	if (!bpf_map_lookup_elem(&handshakes, &key)) {
		emit_discard(record);
		return;
	}
	handshake_fill(record, sk, false, h);
	handshake_isn(record, sk, false);
	record->flags &= ~SW_F_TASK; /* nothing changed, so nobody did it */
	record->old_state = record->new_state = state;
	h->retransmits = record->timer.retransmits;
	h->streamed = true;
	handshake_set_due(h, record->syn_ns ? due_at(now, &record->timer, record->flags)
					    : now + config.quiet_ns);
	emit_submit(record);
}

#endif /* SYNWATCH_LOOK_BPF_H */
