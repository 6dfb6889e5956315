/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The handshakes under way. The map holds sockets in SYN_SENT and nothing
 * else, keyed by socket address. An address is reused only after the socket
 * has left SYN_SENT, which deletes its entry; the cookie in the value guards
 * against a run that was missed.
 */
#ifndef SYNWATCH_HANDSHAKES_BPF_H
#define SYNWATCH_HANDSHAKES_BPF_H

struct handshake {
	__u64 cookie;
	__u64 start_ns;
	__u64 due_ns; /* the sweep leaves it alone until then */
	struct sw_owner owner;
	__u32 flags; /* enum sw_flags: ADOPTED, OWNER, RESET */
	__u16 syn_sent;
	__u16 owners;	  /* as in struct sw_handshake */
	__u8 retransmits; /* the highest seen; the kernel forgets it on success */
	bool streamed;	  /* a record about it went out */
	bool undecided;	  /* FILTER_UNDECIDED at the start */
	__u8 old_soft;	  /* sk_err_soft before this attempt; reuse keeps it */
	bool in_flight;	  /* isn is its key in flights */
	bool has_err;	  /* err is known */
	__s16 err;	  /* the last retry's result, as in struct sw_handshake */
	bool racing;	  /* with a sibling to another address, bpf/race.bpf.h */
	__u8 reserved[7];
	__u32 old_errors; /* on the error queue before this attempt */
	__u32 isn;
	struct sw_drop drop; /* the newest, with SW_F_DROP */
	__u64 listener;	     /* of this host, which ignored the SYN; a key in listeners */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, struct handshake);
} handshakes SEC(".maps");

#endif /* SYNWATCH_HANDSHAKES_BPF_H */
