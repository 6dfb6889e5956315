/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The wire ABI between the kernel side and the user side.
 *
 * The kernel side reports facts: every record about a handshake is a complete
 * snapshot of what the kernel knew at that moment, so a lost record costs one
 * line and never the meaning of the next one. Nothing here is a judgement.
 *
 * Conventions: fixed-width types, no implicit padding, host byte order (ports
 * too); addresses are 16 bytes in network order, IPv4 as v4-mapped
 * (::ffff:a.b.c.d); times are CLOCK_MONOTONIC nanoseconds; timers are jiffies,
 * with the length of one tick beside them. 0 means "unknown" unless said
 * otherwise. This header includes nothing; whoever includes it has already
 * provided __u8 ... __u64 (vmlinux.h or <linux/types.h>).
 */
#ifndef SYNWATCH_RECORD_H
#define SYNWATCH_RECORD_H

/* Raised with every change of the layout of any record. */
#define SW_ABI_VERSION 3

#define SW_COMM_LEN	 16
#define SW_NAME_LEN	 48
#define SW_LATENCY_SLOTS 32
#define SW_CROWD_SLOTS	 64

enum sw_kind {
	SW_NONE,
	/* Client. struct sw_handshake. */
	SW_OPEN,	/* CLOSE -> SYN_SENT (only when streaming everything) */
	SW_RETRY,	/* tcp_retransmit_skb in SYN_SENT, successful or not */
	SW_LOOK,	/* the sweep found it overdue: no event announced anything */
	SW_CLOSE,	/* left SYN_SENT: new_state says where to */
	SW_LOCAL_ERROR, /* connect() failed and no SYN was ever handed to IP;
			 * old_state is SYN_SENT if it got that far */
	/* Server. struct sw_handshake. */
	SW_SYNACK_RETRY, /* tcp_retransmit_synack */
	SW_SYNACK_DROP,	 /* this host threw a request's SYN-ACK away on its way out */
	SW_ACCEPTED,	 /* a request became a child socket (a healthy one only when
			  * streaming everything), or that child was closed */
	SW_REQUEST_GONE, /* a request reported before is gone, and no child came */
	SW_SYN_DROP,	 /* a SYN, or the ACK that completes, was thrown away or
			  * refused by the namespace that it was for */
	SW_CROWD,	 /* struct sw_crowd */
	/* Bookkeeping, made by the user side. */
	SW_COUNTS, /* struct sw_counts */
	SW_LOSS,   /* struct sw_loss */
	SW_CLOCK,  /* struct sw_clock */
	SW_NAME,   /* struct sw_name */
	SW_KIND_COUNT,
};

/* Of the kinds that are about one handshake. */
#define SW_KIND_IS_SERVER(kind) ((kind) >= SW_SYNACK_RETRY && (kind) <= SW_SYN_DROP)

/* Every record starts with this. */
struct sw_header {
	__u16 size; /* of the whole record, bytes */
	__u8 kind;  /* enum sw_kind */
	__u8 version;
	__u32 reserved;
	__u64 time_ns; /* when the thing happened */
};

/*
 * struct sw_handshake.flags
 */
enum sw_flags {
	/* It was under way before the watch began, or no slot was free for it. */
	SW_F_ADOPTED = 1 << 0,
	/* isn holds the client's ISN. */
	SW_F_ISN = 1 << 1,
	/* owner holds the task that called connect(). */
	SW_F_OWNER = 1 << 2,
	/* tcp_receive_reset fired on this socket while it was in SYN_SENT. */
	SW_F_RESET = 1 << 3,
	/* A process held the socket lock: the change came from a task (or from
	 * the backlog it worked off), not from a packet or a timer. */
	SW_F_TASK = 1 << 4,
	/* The retransmission timer was pending. At SYN_SENT -> CLOSE with sk_err
	 * set it is pending when a packet killed the socket and not pending when
	 * the timer itself did (tcp_write_timer_handler clears icsk_pending). */
	SW_F_PENDING = 1 << 5,
	/* TCP_SYN_SENT has a linear phase here (tcp_syn_linear_timeouts, 6.5+). */
	SW_F_LINEAR = 1 << 6,
	/* The closing task was exiting (PF_EXITING). */
	SW_F_EXITING = 1 << 7,
	/* icmp is filled in. */
	SW_F_ICMP = 1 << 8,
	/* The re-sent SYN-ACK answers a duplicate SYN, it is not a timer's retry. */
	SW_F_DUPLICATE_SYN = 1 << 9,
	/* err is the result of the last retransmission: this kernel reports it. */
	SW_F_ERR = 1 << 10,
	/* No slot was free for it: earlier facts (a RST, say) went unnoticed. */
	SW_F_UNTRACKED = 1 << 11,
	/* Already in sw_counts.healthy. */
	SW_F_COUNTED = 1 << 12,
	/* The transition itself was missed (the kernel did not run the program).
	 * Noticed later, by the sweep or by the return of connect(): then err. */
	SW_F_MISSED = 1 << 13,
	/* tcp_send_reset fired on this socket while it was in SYN_SENT: an answer
	 * came that it could not accept. */
	SW_F_BAD_ANSWER = 1 << 14,
	/* drop is filled in. */
	SW_F_DROP = 1 << 15,
	/* Closed by its application because a sibling (same process and port,
	 * another address, begun within 300 ms) got through first: the loser of a
	 * race, RFC 8305. */
	SW_F_RACE_LOST = 1 << 16,
	/* The first SYN asked for ECN, and by tcp_ecn_fallback (RFC 3168 6.1.1.1)
	 * those sent again do not. Known from the first retry on. */
	SW_F_ECN = 1 << 17,
	/* The first SYN was killed on its way out, inside connect(); syn_sent
	 * counts retries only. */
	SW_F_FIRST_UNSENT = 1 << 18,
	/* Of a request: the ACK has come, and the request was kept all the same
	 * (inet_rsk(req)->acked): the accept queue was full, or TCP_DEFER_ACCEPT
	 * waits for data. */
	SW_F_ACKED = 1 << 19,
	/* listener is filled in. */
	SW_F_LISTENER = 1 << 20,
	/* The listener has sent syncookies within the last two seconds. */
	SW_F_COOKIES = 1 << 21,
	/* The request's listener does not listen any more. */
	SW_F_LISTENER_CLOSED = 1 << 22,
	/* This host answered the dropped segment with a RST: tcp_send_reset, or a
	 * firewall's, nf_ct_attach. */
	SW_F_RESET_SENT = 1 << 23,
	/* This host answered it with an ICMP error: type and code of icmp are filled
	 * in, its sender is this host. */
	SW_F_ICMP_SENT = 1 << 24,
	/* An ICMPv4 error in answer to the dropped segment would have been seen. */
	SW_F_ICMP_TELLS = 1 << 25,
	/* So would have a firewall's RST, */
	SW_F_RESET_TELLS = 1 << 26,
	/* and an ICMPv6 error. */
	SW_F_ICMP6_TELLS = 1 << 27,
};

struct sw_tuple {
	__u8 laddr[16];
	__u8 raddr[16];
	__u16 lport;
	__u16 rport;
	__u32 netns; /* inode number of the network namespace */
	__u8 family; /* on the wire: 4 or 6 */
	__u8 reserved[3];
};

struct sw_owner {
	__u32 pid; /* thread group id */
	__u32 tid;
	__u32 uid;
	__u32 reserved;
	__u64 cgroup; /* cgroup v2 id (inode number of its directory) */
	char comm[SW_COMM_LEN];
};

/*
 * The retransmission timer and its limits. For a client from
 * inet_connection_sock, for a server from request_sock and its listener.
 */
struct sw_timer {
	__u64 jiffies;	       /* at time_ns */
	__u64 expires;	       /* jiffies; meaningful with SW_F_PENDING */
	__u32 rto;	       /* jiffies: the interval now running or just elapsed */
	__u32 rto_max;	       /* jiffies */
	__u32 tick_ns;	       /* one jiffy */
	__u32 user_timeout_ms; /* TCP_USER_TIMEOUT, 0 if unset */
	__u8 retransmits;      /* client: icsk_retransmits; server: num_timeout */
	__u8 retries;	       /* TCP_SYNCNT or tcp_syn_retries / tcp_synack_retries */
	__u8 linear;	       /* tcp_syn_linear_timeouts, with SW_F_LINEAR */
	__u8 resends;	       /* server: num_retrans, duplicates included */
	__u32 elapsed_ms;      /* client: as the timer counts, since retrans_stamp */
};

/* The newest ICMP error on the socket's error queue (tcp_v4_err queues one
 * for every ICMP error in SYN_SENT, 5.9+). */
struct sw_icmp {
	__u8 from[16];
	__u8 type;
	__u8 code;
	__u8 version; /* 4 or 6 */
	__u8 errnum;  /* what it means to the application */
	__u32 count;  /* errors on the queue */
};

/* The task that ran when the socket left SYN_SENT, with SW_F_TASK. */
struct sw_closer {
	__u32 pid;
	__u32 tid;
	char comm[SW_COMM_LEN];
	__u32 exit_code; /* signal_struct.group_exit_code, with SW_F_EXITING */
	__u32 reserved;
};

enum sw_drop_what {
	SW_DROP_SYN = 1,
	SW_DROP_SYNACK,
	SW_DROP_OTHER, /* another segment that a socket in SYN_SENT could not use;
			* of a server: the ACK that completes the handshake */
};

enum sw_drop_where {
	SW_DROP_OUTPUT = 1, /* on its way out of the host or namespace that made it */
	SW_DROP_LOCAL,	    /* in the namespace that it was for */
	SW_DROP_TRANSIT,    /* in one that it only crossed */
};

/*
 * The newest segment of this handshake that this host threw away: kfree_skb.
 * A SYN that its listener ignored is freed without a reason (consume_skb);
 * listener has what the queues were like.
 */
struct sw_drop {
	__u64 place;  /* the code that freed it: an address, see SW_NAME */
	__u32 reason; /* enum skb_drop_reason of the kernel, see SW_NAME; 0: none */
	__u32 netns;
	__u8 what;     /* enum sw_drop_what */
	__u8 where;    /* enum sw_drop_where */
	__u16 count;   /* of this handshake so far */
	__u32 attempt; /* retries made when it happened: is it news? */
};

/* The listener's queues: inet_csk(sk)->icsk_accept_queue and its limits. */
struct sw_listener {
	__u32 backlog;		/* sk_ack_backlog: complete, waiting for accept() */
	__u32 limit;		/* sk_max_ack_backlog, of both queues; full when exceeded */
	__u32 requests;		/* qlen: the SYN queue */
	__u32 young;		/* of those, whose SYN-ACK has not been sent again */
	__u32 syn_limit;	/* net.ipv4.tcp_max_syn_backlog */
	__u8 syncookies;	/* net.ipv4.tcp_syncookies: 0, 1, 2 */
	__u8 abort_on_overflow; /* net.ipv4.tcp_abort_on_overflow */
	__u8 defer_accept;	/* TCP_DEFER_ACCEPT, in SYN-ACK retries */
	__u8 reserved;
};

struct sw_handshake {
	struct sw_header header;
	/* The socket's; the request's for a server; of a SYN that was dropped one
	 * made up of ISN and ports: with start_ns and the role it is unique. */
	__u64 cookie;
	__u64 start_ns; /* connect() entered SYN_SENT; server: first SYN-ACK, or drop */
	__u64 syn_ns;	/* first SYN handed to IP, 0: none yet */
	__u32 flags;	/* enum sw_flags */
	__u32 isn;
	struct sw_tuple tuple;
	__s32 err; /* retry: its result; local error: connect()'s; negative errno */
	struct sw_owner owner;
	struct sw_timer timer;
	__u16 syn_sent;	  /* client: SYNs handed to IP without error */
	__u16 syn_unsent; /* client: retries that failed locally */
	__u16 sk_err;
	__u16 sk_err_soft;
	__u8 old_state; /* TCP_*, include/net/tcp_states.h */
	__u8 new_state;
	/* Local error EADDRNOTAVAIL: net.ipv4.ip_local_port_range. */
	__u16 port_low;
	__u16 port_high;
	__u16 owners; /* with SW_F_OWNER: processes that have it open, 0: not counted */
	struct sw_icmp icmp;
	struct sw_closer closer;
	struct sw_drop drop;
	struct sw_listener listener; /* of a client: its peer's, on this host */
};

/*
 * What happened at one local port, too often to be told one by one: since
 * begin_ns, beside the handshakes that have records of their own.
 */
struct sw_crowd {
	struct sw_header header;
	__u64 begin_ns;
	struct sw_tuple tuple; /* the remote end is empty */
	__u32 flags;	       /* enum sw_flags: OWNER, LISTENER, COOKIES */
	struct sw_owner owner; /* of the listener */
	struct sw_listener listener;
	__u32 half_open; /* requests whose SYN-ACK is not acknowledged */
	__u32 dropped;	 /* SYNs thrown away for a reason, the last of them: */
	__u32 reason;
	__u32 ignored; /* by the listener, without a reason: sk_drops */
	__u16 owners;
	__u16 reserved[3];
	/* Addresses that half_open and dropped came from, not told apart but
	 * estimated: HyperLogLog (Flajolet et al., 2007), [hash % 64]: the highest
	 * rank (leading zeroes + 1 of the other bits of a 32 bit hash). */
	__u8 addresses[SW_CROWD_SLOTS];
};

/* Healthy handshakes since the previous record of this kind. */
struct sw_counts {
	struct sw_header header;
	__u64 healthy;			 /* client handshakes completed without trouble */
	__u64 latency[SW_LATENCY_SLOTS]; /* of those; [i]: 2^i .. 2^(i+1)-1 us */
	__u64 syn_retransmits;		 /* SYNs sent again, to whatever end */
	__u64 accepted;			 /* server handshakes completed without trouble */
	__u64 synack_retransmits;	 /* SYN-ACKs sent again, to whatever end */
	__u64 listen_drops;		 /* segments that listeners threw away: sk_drops */
};

/* What was lost since the previous record of this kind. */
struct sw_loss {
	struct sw_header header;
	__u64 ring;	  /* no room in the ring buffer */
	__u64 map_full;	  /* no slot for a handshake */
	__u64 suppressed; /* left out on purpose by a rate limit */
	__u64 missed;	  /* program runs that the kernel refused (recursion) or left out */
};

/* Wall clock: CLOCK_REALTIME = time_ns + offset_ns from here on. */
struct sw_clock {
	struct sw_header header;
	__s64 offset_ns;
};

enum sw_name_of { SW_NAME_REASON, SW_NAME_PLACE };

/* What a number of this kernel means; comes before the first record with it. */
struct sw_name {
	struct sw_header header;
	__u64 number;
	__u32 of; /* enum sw_name_of */
	__u32 reserved;
	char name[SW_NAME_LEN]; /* "NETFILTER_DROP", "nf_hook_slow" */
};

_Static_assert(sizeof(struct sw_header) == 16, "sw_header");
_Static_assert(sizeof(struct sw_tuple) == 44, "sw_tuple");
_Static_assert(sizeof(struct sw_owner) == 40, "sw_owner");
_Static_assert(sizeof(struct sw_timer) == 40, "sw_timer");
_Static_assert(sizeof(struct sw_icmp) == 24, "sw_icmp");
_Static_assert(sizeof(struct sw_closer) == 32, "sw_closer");
_Static_assert(sizeof(struct sw_drop) == 24, "sw_drop");
_Static_assert(sizeof(struct sw_listener) == 24, "sw_listener");
_Static_assert(sizeof(struct sw_handshake) == 296, "sw_handshake");
_Static_assert(sizeof(struct sw_crowd) == 224, "sw_crowd");
_Static_assert(sizeof(struct sw_name) == 80, "sw_name");
_Static_assert(sizeof(struct sw_counts) == 312, "sw_counts");
_Static_assert(sizeof(struct sw_loss) == 48, "sw_loss");
_Static_assert(sizeof(struct sw_clock) == 24, "sw_clock");

#endif /* SYNWATCH_RECORD_H */
