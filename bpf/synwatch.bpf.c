// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel side: entry points only. Facts out of tracepoints, no judgement.
 *
 * tp_btf programs see the tracepoint's own arguments with their types; which
 * of two variants is loaded is decided by the running kernel's BTF, in
 * user/source/hooks.c. fentry programs refine what these tell: a kernel may
 * refuse them all.
 */
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_tracing.h>

#include "synwatch/config.h"
#include "synwatch/record.h"
#include "synwatch/seed.h"

const volatile struct sw_config config = {};

/* Set by the user side until all handshakes already under way are adopted. */
bool seeding = false;

/* Set by the user side when everything is attached and adopted. */
__u64 watching_ns = 0;

/* Set by the user side at the end: crowds that are younger than a second, too. */
bool flushing = false;

/* What need not be swept. */
struct sw_swept swept[SW_SWEPT_MAPS] = {};

/* Set by the user side when everything is attached: what answers to a segment are
 * seen, as SW_F_ICMP_TELLS and its like. */
__u32 answers_told = 0;

/* When a listener was last seen to be in trouble: the user side then attaches
 * consume_skb, for as long as there is any. */
__u64 trouble_ns = 0;

#include "compat.bpf.h"
#include "key.bpf.h"
#include "sock.bpf.h"
#include "emit.bpf.h"
#include "filter.bpf.h"
#include "skb.bpf.h"
#include "listener.bpf.h"
#include "crowd.bpf.h"
#include "handshakes.bpf.h"
#include "drop.bpf.h"
#include "race.bpf.h"
#include "handshake.bpf.h"
#include "look.bpf.h"
#include "connect.bpf.h"
#include "request.bpf.h"
#include "refusal.bpf.h"
#include "freed.bpf.h"
#include "sweep.bpf.h"
#include "seed.bpf.h"

/* MPTCP's msk (262), SCTP and DCCP share inet_sock_set_state. */
static __always_inline bool is_tcp(const struct sock *sk)
{
	return sk->sk_protocol == IPPROTO_TCP;
}

/* Takes it out, for its end. held: number of its slot, or FRESH_SLOTS. */
static __always_inline bool take_handshake(const struct sock *sk, __u32 held,
					   struct handshake *ret_h)
{
	const struct fresh *slot = fresh_at(held);
	__u64 key = (__u64)sk;
	struct handshake *entry;

	if (slot) {
		__builtin_memcpy(ret_h, &slot->opening, sizeof(slot->opening));
		handshake_begin(ret_h);
		return true;
	}
	entry = bpf_map_lookup_elem(&handshakes, &key);
	if (!entry || handshake_is_stale(sk, entry))
		return false;
	*ret_h = *entry;
	bpf_map_delete_elem(&handshakes, &key);
	return true;
}

/* There is more to say of it than that it was answered. False if it was a request's. No
 * exchange in here: it could not be left out, see user/source/exchange.c. And no calls:
 * before 6.18 all frames together have 512 bytes. */
static __noinline bool left_in_trouble(const struct sock *sk, __u32 held, int old_state,
				       int new_state)
{
	struct handshake h = {};

	sk = sock_own(sk);
	if (!sk)
		return true;
	if (!take_handshake(sk, held, &h)) {
		if (old_state != TCP_SYN_SENT)
			return false;
		if (new_state != TCP_CLOSE ||
		    !handshake_adopt(sk, &h, bpf_ktime_get_ns(), false, 0))
			return true;
		h.flags |= SW_F_UNTRACKED;
	}
	forget(h);
	if (new_state == TCP_CLOSE && closed_unsent(sk)) {
		if (connect_will_tell(sk, &h))
			return true;
		/* A socket that put its SYN off (TCP_FASTOPEN_CONNECT) and was
		 * closed before it sent one never began a handshake. */
		if (sock_lport(sk, OWN) && !h.streamed)
			return true;
	}
	if (new_state == TCP_CLOSE)
		connect_is_told(sk, &h);
	handshake_leave(sk, &h, old_state, new_state);
	return true;
}

/* False if it was a request's. new_state is the caller's own, for forget(). */
static __always_inline bool left_handshake(const struct sock *sk, int old_state, int *new_state)
{
	__u32 held = FRESH_SLOTS;
	struct fresh *slot;
	__u64 cookie;
	bool was_own;

	if (old_state == TCP_SYN_RECV && !simultaneous_open)
		return false;
	cookie = sk->__sk_common.skc_cookie.counter;
	slot = fresh_find(cookie);
	/* Answered, it was no trouble that anybody saw; or a filter has refused it. */
	if (likely(*new_state == TCP_ESTABLISHED &&
		   (slot ? fresh_answered(sk, slot)
			 : old_state == TCP_SYN_SENT && !handshake_is_known(sk))))
		return true;
	if (slot && fresh_hold(slot))
		held = fresh_number(cookie, slot != fresh_at(fresh_number(cookie, 0)));
	/* The ways here differ in these, and all that follows is the same. */
	forget(held);
	forget(old_state);
	forget(*new_state);
	was_own = left_in_trouble(sk, held, old_state, *new_state);
	slot = fresh_at(held);
	if (slot)
		fresh_release(slot);
	return was_own;
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(inet_sock_set_state, const struct sock *sk, int old_state, int new_state)
{
	if (old_state == TCP_CLOSE && new_state == TCP_SYN_SENT) {
		if (is_tcp(sk))
			handshake_open(sk);
	} else if (old_state == TCP_SYN_SENT || old_state == TCP_SYN_RECV) {
		/* SYN_SENT -> SYN_RECV is a simultaneous open, still under way */
		if (new_state == TCP_SYN_RECV)
			simultaneous_open = true;
		else if (is_tcp(sk) && !left_handshake(sk, old_state, &new_state))
			request_leave(sk, new_state);
	} else if (new_state == TCP_LISTEN) {
		if (is_tcp(sk))
			listener_open(sk);
	} else if (old_state == TCP_LISTEN && new_state == TCP_CLOSE) {
		listener_close(sk);
	}
	return 0;
}

SEC("tp_btf/tcp_retransmit_skb")
int BPF_PROG(tcp_retransmit_skb, const struct sock *sk)
{
	if (sk->__sk_common.skc_state == TCP_SYN_SENT)
		handshake_retry(sock_own(sk), 0, false);
	return 0;
}

/* 6.17+: the result of the transmission, 0 or negative errno or NET_XMIT_* */
SEC("tp_btf/tcp_retransmit_skb")
int BPF_PROG(tcp_retransmit_skb_err, const struct sock *sk, const struct sk_buff *skb, int err)
{
	if (sk->__sk_common.skc_state == TCP_SYN_SENT)
		handshake_retry(sock_own(sk), err, true);
	return 0;
}

SEC("tp_btf/tcp_retransmit_synack")
int BPF_PROG(tcp_retransmit_synack, const struct sock *sk, const struct request_sock *req)
{
	__u64 cookie = config.has_cookies ? bpf_get_socket_cookie((void *)&req->__req_common) : 0;

	request_event(req, cookie, 0);
	return 0;
}

/* Comes just before the transition that it causes; ICMP has no such event. */
SEC("tp_btf/tcp_receive_reset")
int BPF_PROG(tcp_receive_reset, const struct sock *sk)
{
	struct handshake *h;

	if (sk->__sk_common.skc_state != TCP_SYN_SENT)
		return 0;
	sk = sock_own(sk);
	h = sk ? handshake_find(sk, bpf_ktime_get_ns(), false) : 0;
	if (h)
		h->flags |= SW_F_RESET;
	return 0;
}

/* An answer in SYN_SENT that cannot be accepted is answered with a RST. sk is
 * NULL for segments without a socket (6.10+), so it is looked up, never read; skb
 * where it answers nothing: a connection is closed with it. */
SEC("tp_btf/tcp_send_reset")
int BPF_PROG(tcp_send_reset, const struct sock *sk, const struct sk_buff *skb)
{
	struct answer answer = {.flags = SW_F_RESET_SENT};
	struct handshake *h;

	if (!skb)
		return 0;
	h = handshake_of_sock(sk);
	if (h)
		h->flags |= SW_F_BAD_ANSWER;
	if (listener_of_sock(sk))
		answer.listener = (__u64)sk;
	answer_note(skb, &answer);
	return 0;
}

/* Also REJECT, of IPv4. Past the rate limits. */
SEC("tp_btf/icmp_send")
int BPF_PROG(icmp_send, const struct sk_buff *skb, int type, int code)
{
	const struct answer answer = {
		.flags = SW_F_ICMP_SENT,
		.type = type,
		.code = code,
	};

	if (type != ICMP_REDIRECT)
		answer_note(skb, &answer);
	return 0;
}

/* Before 6.11. One that is called so shows that an error is meant to be sent,
 * nf_ct_attach() that it is. */
SEC("fentry/__icmp_send")
int BPF_PROG(icmp_send_entry, const struct sk_buff *skb, int type, int code)
{
	if (type != ICMP_REDIRECT)
		answer_intend(skb, type, code);
	return 0;
}

/* The same for IPv6, which has no tracepoint. */
SEC("fentry/icmp6_send")
int BPF_PROG(icmp6_send, const struct sk_buff *skb, __u8 type, __u8 code)
{
	answer_intend(skb, type, code);
	return 0;
}

/* Makes what was built in answer to a segment part of its connection: of a firewall's
 * RST the only sign, and of IPv4's and IPv6's alike. */
SEC("fentry/nf_ct_attach")
int BPF_PROG(nf_ct_attach, const struct sk_buff *built, const struct sk_buff *skb)
{
	answer_built(built, skb);
	return 0;
}

/* Before 5.17 */
SEC("tp_btf/kfree_skb")
int BPF_PROG(kfree_skb_bare, const struct sk_buff *skb, const void *place)
{
	segment_discarded(skb, place);
	return 0;
}

SEC("tp_btf/kfree_skb")
int BPF_PROG(kfree_skb, const struct sk_buff *skb, const void *place, __u32 reason)
{
	segment_freed(skb, place, reason, 0, false);
	return 0;
}

/* 6.11+: rx_sk, the socket that was to have it, may be NULL */
SEC("tp_btf/kfree_skb")
int BPF_PROG(kfree_skb_sk, const struct sk_buff *skb, const void *place, __u32 reason,
	     const struct sock *rx_sk)
{
	segment_freed(skb, place, reason, rx_sk, true);
	return 0;
}

/* Attached while a listener is in trouble: it fires for most packets. */
SEC("tp_btf/consume_skb")
int BPF_PROG(consume_skb, const struct sk_buff *skb)
{
	refusal_consumed(skb);
	return 0;
}

SEC("tp/syscalls/sys_enter_connect")
int sys_enter_connect(struct trace_event_raw_sys_enter *ctx)
{
	connect_enter(ctx->args[0], ctx->args[1], ctx->args[2]);
	return 0;
}

/* 5.15+ */
SEC("tp/syscalls/sys_exit_connect")
int sys_exit_connect_alone(struct trace_event_raw_sys_exit *ctx)
{
	connect_exit_alone(ctx->ret);
	return 0;
}

SEC("tp/syscalls/sys_exit_connect")
int sys_exit_connect(struct trace_event_raw_sys_exit *ctx)
{
	connect_exit(ctx->ret);
	return 0;
}

/* The sweeps: one call per entry of their maps. */
#define SWEEP(name, key_type, value_type, visit)     \
	SEC("iter/bpf_map_elem")                     \
	int name(struct bpf_iter__bpf_map_elem *ctx) \
	{                                            \
		key_type *key = ctx->key;            \
		value_type *value = ctx->value;      \
                                                     \
		if (key && value)                    \
			visit(key, value);           \
		return 0;                            \
	}

/* First, for what it finds moves to where the next one looks. */
SWEEP(look_fresh, __u32, struct fresh, fresh_look)
SWEEP(look, __u64, struct handshake, handshake_look)
SWEEP(look_request, struct sw_tuple, struct request, request_look)
SWEEP(look_listener, __u64, struct listener, listener_look)
SWEEP(look_crowd, struct port_key, struct crowd, crowd_look)

/* One call per TCP socket of the reader's network namespace. */
SEC("iter/tcp")
int seed(struct bpf_iter__tcp *ctx)
{
	struct sock_common *common = ctx->sk_common;
	const struct tcp_sock *tp;

	if (!common || (common->skc_state != TCP_SYN_SENT && common->skc_state != TCP_LISTEN))
		return 0;
	tp = bpf_skc_to_tcp_sock(common);
	if (tp)
		seed_sock(ctx->meta->seq, (const void *)tp);
	return 0;
}

char LICENSE[] SEC("license")
= "GPL";
