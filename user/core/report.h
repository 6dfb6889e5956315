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

/* Only the causes that some rule of core/verdict can claim. */
enum cause {
	CAUSE_NONE,
	CAUSE_NO_ANSWER,
	CAUSE_RST,
	CAUSE_ICMP,
	CAUSE_NO_ROUTE,
	CAUSE_NO_PORT,
	CAUSE_DENIED,
	CAUSE_OTHER_ERROR,
	CAUSE_NO_ACK,
	CAUSE_COUNT,
};

enum closer_how { CLOSER_CLOSE, CLOSER_EXIT, CLOSER_SIGNAL, CLOSER_COUNT };

/* A number that is not known, or has no meaning here: JSON null. */
#define REPORT_NULL (-1)

/* One handshake at one moment. Unset pointers and REPORT_NULL are JSON null. */
struct report_handshake {
	char id[48];
	enum role role;
	enum verdict verdict; /* VERDICT_COUNT: none yet (start), JSON null */
	enum cause cause;
	char why[256];	       /* one sentence, UTF-8, no control characters */
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
	bool has_closer;
	enum closer_how closer_how;
	struct sw_closer closer;
	int closer_signal; /* with CLOSER_SIGNAL */
	bool adopted;
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

#define REPORT_TOP_MAX 10

struct report_summary {
	uint64_t duration_ns;
	/* Ended handshakes that were shown, and those still stalled at the end. */
	uint64_t handshakes[ROLE_COUNT][VERDICT_COUNT];
	uint64_t healthy;		    /* client handshakes completed without trouble */
	uint64_t latency[SW_LATENCY_SLOTS]; /* of the healthy: [i] 2^i us and up */
	uint64_t syn_retransmits;
	uint64_t lost; /* records of all kinds that never arrived */
	struct report_top top[REPORT_TOP_MAX];
	unsigned int top_count;
};

enum report_type {
	REPORT_START,
	REPORT_STALL,
	REPORT_END,
	REPORT_LOSS,
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
		struct report_summary summary;
	};
};

#endif /* SYNWATCH_CORE_REPORT_H */
