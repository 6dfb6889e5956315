/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A client's handshake and what its peer's capture has of it -> where it died. Which
 * capture that is, and which of its handshakes, is store/join's to find.
 *
 * A capture that was made without --all has no record of a SYN that was answered, unless
 * the answer had to be sent again (SW_SYNACK_RETRY, which a lost answer causes after a
 * second, by timer or by the client's next SYN) or was thrown away at once; nor of one that
 * was thrown away as part of a crowd. So the absence of records only means that no SYN
 * came where all that would have left one is recorded, and nothing was lost or merely
 * counted.
 */
#ifndef SYNWATCH_CORE_JOIN_H
#define SYNWATCH_CORE_JOIN_H

#include <stdbool.h>
#include <stdint.h>

#include "core/report.h"
#include "core/terms.h"
#include "synwatch/record.h"

/* From a SYN's arrival until what becomes of it has left a record: the first
 * retransmission of its SYN-ACK is due after 1 s (TCP_TIMEOUT_INIT), timers are late. */
#define JOIN_TRACE_NS 2000000000ULL

/* SYNs of one handshake that are told apart: tcp_syn_retries is 127 at most, and more
 * than these take an hour. */
#define JOIN_SYNS_MAX 32

/* The client's side: all its records, in order. */
struct join_client {
	struct sw_handshake facts;	 /* the newest */
	bool known;			 /* there was one */
	uint64_t syns_ns[JOIN_SYNS_MAX]; /* when SYNs left, as far as records tell */
	unsigned int syn_count;
};

/* The peer's: a SYN that was thrown away, a request, or one after the other. */
struct join_seen {
	bool has_drop;
	struct sw_handshake drop; /* the first SW_SYN_DROP */
	bool has_request;
	struct sw_handshake request;	    /* the newest record of the request */
	enum cause cause;		    /* of the request's trouble so far */
	uint64_t first_ns;		    /* when its first SYN came, on its clock */
	uint64_t last_ns;		    /* the newest thing it did */
	uint64_t answers_ns[JOIN_SYNS_MAX]; /* SYN-ACKs that left, the first included */
	unsigned int answer_count;
	struct report_handshake drop_report; /* its own words, as for a watch there */
	struct report_handshake request_report;
};

/* What is known of the two captures. */
struct join_matter {
	const struct join_client *client;
	const struct join_seen *seen; /* NULL: nothing of it is in the peer's capture */
	const char *capture;	      /* as in struct report_peer */
	const char *host;
	int64_t offset_ns;	/* the peer's CLOCK_MONOTONIC less the client's */
	uint64_t tolerance_ns;	/* of times that are compared */
	int64_t wall_offset_ns; /* the client's */
	enum report_gap gap;	/* why its absence, or its presence, tells nothing */
	const char *gap_words;	/* more about it, "" if there is nothing to say */
	unsigned int covered;	/* SYNs that would have left a trace there */
	bool by_wall;		/* the clocks were not solved */
};

void join_client_feed(struct join_client *client, const struct sw_handshake *record);
void join_seen_feed(struct join_seen *seen, const struct sw_handshake *record,
		    const struct terms *terms);

/* Whether the client got no timely answer, as its own host tells: what a join is about.
 * Needs verdict and cause. */
bool join_is_unanswered(const struct report_handshake *report);

/*
 * Fills in ret_peer, and refines cause and why of a report that core/verdict has
 * completed, if its cause is CAUSE_NO_ANSWER. A narrower one that the client's host saw
 * itself stays, but for a segment thrown away on its way or as it came back: if the peer's
 * records agree that is CAUSE_SYN_LOST or CAUSE_REPLY_LOST, and report->drop says where.
 * report->peer is the caller's to set.
 */
void join_judge(const struct join_matter *matter, struct report_handshake *report,
		struct report_peer *ret_peer);

/* A time on the peer's monotonic clock -> on the client's wall clock. */
uint64_t join_wall_ns(const struct join_matter *matter, uint64_t time_ns);

/* Fills in peer->events, for join_judge(). */
void join_timeline(const struct join_matter *matter, const struct report_handshake *report,
		   struct report_peer *peer);

/* --- the sum of it --- */

#define JOIN_PLACES 8

/* Who threw SYNs away, by cause and listener. */
struct join_place {
	enum cause cause;
	uint16_t port;
	struct sw_owner owner; /* pid 0: not known */
	uint64_t count;
};

struct join_tally {
	uint64_t unanswered;
	uint64_t causes[CAUSE_COUNT];
	uint64_t gaps[REPORT_GAP_COUNT];
	struct join_place places[JOIN_PLACES];
	unsigned int place_count;
};

void join_count(struct join_tally *tally, const struct report_handshake *report);

/* Fills in what a summary has of a join. */
void join_summarize(const struct join_tally *tally, struct report_summary *summary);

#endif /* SYNWATCH_CORE_JOIN_H */
