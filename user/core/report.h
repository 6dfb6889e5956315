/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the engine tells the sinks: plain values, ready to be rendered, with
 * every word and unit of the JSON contract but none of its punctuation.
 *
 * A stalled handshake, as the JSON sink renders one (wrapped here):
 *
 *   {"type":"stall","time":"2026-11-22T06:40:11.482913Z","id":"54:2269275123456",
 *    "role":"client","verdict":"stalled","cause":"no_answer","why":"...",
 *    "family":4,"laddr":"10.0.0.2","lport":40112,"raddr":"10.0.0.1","rport":80,...}
 */
#ifndef SYNWATCH_CORE_REPORT_H
#define SYNWATCH_CORE_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/types.h>

#include "synwatch/record.h"

enum role { ROLE_CLIENT, ROLE_SERVER, ROLE_COUNT };

enum verdict {
	VERDICT_STALLED,
	VERDICT_ESTABLISHED,
	VERDICT_REFUSED,
	VERDICT_REJECTED,
	VERDICT_TIMED_OUT,
	VERDICT_ABANDONED,
	VERDICT_LOCAL_ERROR,
	VERDICT_ABORTED,
	VERDICT_IGNORED,
	VERDICT_UNKNOWN,
	VERDICT_COUNT,
};

/* Only the causes that some rule of core/verdict, or of core/join, can claim. */
enum cause {
	CAUSE_NONE,
	CAUSE_NO_ANSWER,
	CAUSE_DROPPED_ON_OUTPUT,
	CAUSE_NEIGHBOUR_UNRESOLVED,
	CAUSE_REPLY_DROPPED_ON_INPUT,
	CAUSE_BAD_ANSWER,
	CAUSE_DROPPED_ON_PATH,
	CAUSE_REPLY_DROPPED_ON_PATH,
	CAUSE_DROPPED_BY_PEER,
	CAUSE_SYN_LOST,	  /* core/join's alone */
	CAUSE_REPLY_LOST, /* likewise */
	CAUSE_RST,
	CAUSE_ICMP,
	CAUSE_NO_ROUTE,
	CAUSE_NO_PORT,
	CAUSE_DENIED,
	CAUSE_OTHER_ERROR,
	CAUSE_NO_ACK,
	CAUSE_ACCEPT_QUEUE_FULL,
	CAUSE_SYN_QUEUE_FULL,
	CAUSE_NETFILTER,
	CAUSE_NO_LISTENER,
	CAUSE_OTHER_DROP,
	CAUSE_COUNT,
};

enum closer_how { CLOSER_CLOSE, CLOSER_EXIT, CLOSER_SIGNAL, CLOSER_COUNT };

/* A number that is not known, or has no meaning here: JSON null. */
#define REPORT_NULL (-1)

/* Where this host threw a segment of the handshake away. */
struct report_drop {
	char reason[SW_NAME_LEN]; /* "": unknown */
	char place[SW_NAME_LEN];  /* "": unknown */
	uint32_t netns;		  /* 0: unknown */
};

/* The queues of a listener, connections each. */
struct report_listener {
	uint32_t backlog;  /* accept queue: complete, waiting for accept() */
	uint32_t limit;	   /* of the accept queue and, but for syn_limit, the SYN queue */
	uint32_t requests; /* SYN queue: half open */
	bool syncookies;   /* in use just then */
};

/* Why two captures cannot tell where a handshake died. */
enum report_gap {
	REPORT_GAP_NONE,	  /* they can, or nothing was asked */
	REPORT_GAP_NO_CAPTURE,	  /* no capture given is known to be its peer's */
	REPORT_GAP_NO_OVERLAP,	  /* the peer's does not cover the time */
	REPORT_GAP_FILTERED,	  /* the peer's was recorded with filters that leave it out */
	REPORT_GAP_RECORDS_LOST,  /* records were lost there just then */
	REPORT_GAP_CROWD,	  /* SYNs at that port were only counted just then */
	REPORT_GAP_SYNCOOKIES,	  /* SYN cookies leave no trace */
	REPORT_GAP_NOT_RECORDED,  /* what it would take was not recorded there */
	REPORT_GAP_ISN_REWRITTEN, /* something on the way changes ISNs */
	REPORT_GAP_ISN_AMBIGUOUS, /* more than one handshake it could be */
	REPORT_GAP_ISN_UNKNOWN,	  /* the client's records do not have it */
	REPORT_GAP_TIME_MISFIT,	  /* seen there, but at another time */
	REPORT_GAP_OTHER_HOST,	  /* others answer for that destination, too */
	REPORT_GAP_CONTRADICTION, /* the peer's side of it says that it was answered in time */
	REPORT_GAP_COUNT,
};

/* One thing that one end did or saw, for people. */
struct report_event {
	uint64_t wall_ns; /* on the client's clock */
	enum role side;
	char text[96]; /* ASCII, no control characters */
};

#define REPORT_EVENTS_MAX 40

/* The other side of a client's handshake, as its capture has it. */
struct report_peer {
	const char *capture; /* its file; NULL: none is known to be the peer's */
	const char *host;    /* NULL: not known */
	enum report_gap gap;
	bool seen;	       /* all below, but for the events, is known */
	struct sw_tuple tuple; /* as the peer saw it: NAT changes it */
	enum verdict verdict;  /* the peer's own */
	enum cause cause;
	char why[320];
	bool has_owner; /* of the listener */
	struct sw_owner owner;
	bool has_listener;
	struct report_listener listener;
	bool has_drop;
	struct report_drop drop;
	int64_t syn_seen;    /* at least; 0 without `seen`: none is in its capture */
	int64_t synack_sent; /* at least */
	uint64_t first_ns;   /* the first of it, on the client's wall clock; 0: none */
	uint64_t last_ns;
	struct report_event events[REPORT_EVENTS_MAX]; /* of both sides, in order */
	unsigned int event_count;
	unsigned int events_left_out;
};

/* How the clocks of two hosts were laid over each other. */
enum report_clock_by { CLOCK_BY_HANDSHAKES, CLOCK_BY_BOOT, CLOCK_BY_WALL, CLOCK_BY_COUNT };

struct report_clock {
	const char *client; /* capture */
	const char *server;
	enum report_clock_by by;
	int64_t offset_ns;   /* the server's wall clock less the client's */
	uint64_t spread_ns;  /* of it; by wall time nobody knows: 0 */
	uint64_t handshakes; /* that both saw, and it rests on */
};

/* One handshake at one moment. Unset pointers and REPORT_NULL are JSON null. */
struct report_handshake {
	char id[48];
	enum role role;
	enum verdict verdict; /* VERDICT_COUNT: none yet (start), JSON null */
	enum cause cause;
	char why[320];	       /* one sentence, UTF-8, no control characters */
	struct sw_tuple tuple; /* a port of 0 is unknown */
	int64_t isn;
	bool has_owner;
	struct sw_owner owner;
	int64_t elapsed_ns; /* since the first SYN; server: since it arrived */
	int64_t syn_sent;
	int64_t syn_retransmits;
	int64_t syn_unsent;
	int64_t synack_retransmits;
	int64_t retry_limit;
	int64_t next_retry_ns; /* from report.time_ns on */
	int64_t give_up_ns;    /* from report.time_ns on */
	int errnum;	       /* positive errno, 0: none */
	bool has_icmp;
	struct sw_icmp icmp; /* from all zeroes: sender unknown */
	bool icmp_code_known;
	bool has_drop;
	struct report_drop drop;
	bool has_closer;
	enum closer_how closer_how;
	struct sw_closer closer;
	int closer_signal; /* with CLOSER_SIGNAL */
	bool has_listener; /* server */
	struct report_listener listener;
	bool adopted;
	int64_t owners; /* processes that have the socket open */
	/* The first SYN asked for ECN, those sent again do not. Client. */
	bool ecn;
	/* Of a client, by a join alone; NULL: nobody joined. */
	const struct report_peer *peer;
};

struct report_loss {
	uint64_t ring;
	uint64_t map_full;
	uint64_t suppressed;
	uint64_t late;
	uint64_t missed;
};

/* A remote (client) or a local listening address (server) and its trouble. */
struct report_top {
	enum role role;
	uint8_t addr[16]; /* v4-mapped for IPv4 */
	uint8_t family;	  /* 4 or 6 */
	uint16_t port;
	uint64_t count;
	uint64_t verdicts[VERDICT_COUNT];
};

/*
 * Many handshakes at one local port, counted instead of told one by one, at
 * most once a second:
 *
 *   8,412 half-open from about 8,300 addresses at 10.0.0.1:80 (nginx[812]) ...
 */
struct report_crowd {
	struct sw_tuple tuple; /* the local end; the rest is empty */
	bool has_owner;
	struct sw_owner owner; /* of the listener */
	int64_t owners;
	bool has_listener;
	struct report_listener listener;
	enum cause cause;	  /* of most of them */
	char why[320];		  /* one sentence, UTF-8, no control characters */
	uint64_t half_open;	  /* SYN-ACK not acknowledged */
	uint64_t dropped;	  /* SYNs thrown away for a reason */
	uint64_t ignored;	  /* SYNs and ACKs that the listener could not take */
	int64_t addresses;	  /* estimated, of half_open and dropped; REPORT_NULL: neither */
	char reason[SW_NAME_LEN]; /* of the last one dropped; "": unknown or none */
};

enum pattern_kind {
	PATTERN_PLACE,	/* handshakes with one place fare alike */
	PATTERN_SUBNET, /* those with several remotes of a subnet fare alike */
	PATTERN_LOSS,	/* a later SYN gets through, again and again */
	PATTERN_ECN,	/* the second SYN gets through, which asks for no ECN */
	PATTERN_KIND_COUNT,
};

/*
 * What many handshakes share, never without its counts:
 *
 *   37 of 37 handshakes to 10.2.3.4:5432 from netns 4026531840 got no answer,
 *   12 of 12 to its neighbours in 10.2.3.0/24 succeeded
 */
struct report_pattern {
	char text[320]; /* one sentence, ASCII, no control characters */
	enum pattern_kind kind;
	enum role role;
	uint8_t addr[16]; /* client: the remote; server: the local one; v4-mapped for IPv4 */
	uint8_t prefix;	  /* PATTERN_SUBNET: /24 or /64; else 0 */
	uint16_t port;
	uint32_t netns;	      /* 0: unknown */
	enum verdict verdict; /* VERDICT_COUNT: they differ */
	enum cause cause;
	uint64_t count; /* handshakes that share it */
	uint64_t of;	/* of so many: of all, if the healthy are known, else of those in trouble */
	int64_t healthy; /* among `of`; REPORT_NULL: the kernel only counted them */
};

#define REPORT_TOP_MAX	   10
#define REPORT_PATTERN_MAX 10

struct report_summary {
	uint64_t duration_ns;
	/* Ended handshakes that were shown, and those still stalled at the end. */
	uint64_t handshakes[ROLE_COUNT][VERDICT_COUNT];
	uint64_t healthy;		    /* client handshakes completed without trouble */
	uint64_t latency[SW_LATENCY_SLOTS]; /* of the healthy: [i] 2^i us and up */
	uint64_t syn_retransmits;
	uint64_t accepted;	     /* server handshakes completed without trouble */
	uint64_t synack_retransmits; /* by timer and for repeated SYNs */
	uint64_t listen_drops;	     /* segments that listeners threw away (sk_drops) */
	uint64_t crowded;	     /* server handshakes told as part of a crowd only */
	uint64_t lost;		     /* records of all kinds that never arrived */
	uint64_t suppressed;	     /* dropped segments, of the whole host, not looked at */
	struct report_top top[REPORT_TOP_MAX];
	unsigned int top_count;
	uint64_t top_more;   /* places with trouble that are not in top */
	uint64_t top_untold; /* handshakes in trouble at places that are not told apart */
	struct report_pattern patterns[REPORT_PATTERN_MAX];
	unsigned int pattern_count;
	uint64_t patterns_untold; /* handshakes at places that no pattern knows */
	/* Of a join: */
	bool joined;
	uint64_t unanswered; /* client handshakes without a timely answer, of these: */
	uint64_t causes[CAUSE_COUNT];
	uint64_t gaps[REPORT_GAP_COUNT]; /* why not, of those that stay no_answer */
	char join_text[512];		 /* one sentence, no control characters */
};

enum report_type {
	REPORT_START,
	REPORT_STALL,
	REPORT_END,
	REPORT_LOSS,
	REPORT_CROWD,
	REPORT_PATTERN, /* now and then, for people: the summary has them all */
	REPORT_CLOCK,	/* of a join */
	REPORT_SUMMARY,
	REPORT_TYPE_COUNT,
};

struct report {
	enum report_type type;
	uint64_t time_ns; /* CLOCK_MONOTONIC: when it became true */
	uint64_t wall_ns; /* the same moment, nanoseconds since the epoch */
	union {
		struct report_handshake handshake; /* start, stall, end */
		struct report_loss loss;
		struct report_crowd crowd;
		struct report_pattern pattern;
		struct report_clock clock;
		struct report_summary summary;
	};
};

#endif /* SYNWATCH_CORE_REPORT_H */
