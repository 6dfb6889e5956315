/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One handshake as the user side knows it: the newest facts, and what has been
 * said about it. The rules that turn facts into words are in core/verdict.
 */
#ifndef SYNWATCH_CORE_HANDSHAKE_H
#define SYNWATCH_CORE_HANDSHAKE_H

#include <stdbool.h>
#include <stdint.h>

#include <uthash.h>

#include "core/patterns.h"
#include "core/report.h"
#include "core/retry.h"
#include "core/server.h"
#include "synwatch/record.h"

/* Linux retransmits a SYN first after 1 s (TCP_TIMEOUT_INIT, RFC 6298 2.1). */
#define HANDSHAKE_STALL_DEFAULT_NS 1000000000ULL

/* One socket can try several times: its cookie alone does not say which. */
struct handshake_key {
	uint64_t cookie;
	uint64_t start_ns;
	uint64_t role; /* enum role; 64 bit to leave no padding to hash */
};

/* What the passing of time will make true, unless a record comes first. */
enum handshake_deadline {
	DEADLINE_NONE,
	DEADLINE_STALL,	 /* it will have hung for --stall-after */
	DEADLINE_LOST,	 /* a record about it should have come long ago */
	DEADLINE_EXPIRY, /* the request's timer will have run out */
	DEADLINE_JUDGE,	 /* what else happened just then will be known */
	DEADLINE_FORGET, /* it has ended, and no older record about it will come */
};

struct handshake {
	struct handshake_key key;
	struct sw_handshake facts; /* the newest */
	bool started;		   /* its start has been reported */
	bool stalled;
	bool ended;		   /* its end has been reported, or counted */
	uint8_t told_retransmits;  /* in the last stall reported */
	uint64_t told_ns;	   /* nothing is reported of a moment before this */
	struct server_past past;   /* of a server */
	uint64_t give_up_ns;	   /* when a request's timer will run out; 0: not known */
	struct patterns_mark mark; /* core/patterns's */
	enum handshake_deadline deadline;
	uint64_t deadline_ns;
	size_t heap_index; /* core/tracker's */
	UT_hash_handle hh; /* core/tracker's */
};

struct handshake_key handshake_key_of(const struct sw_handshake *facts);

/*
 * The SYN went out again long before its timer: an answer came that could not
 * be accepted, and tcp_rcv_synsent_state_process() re-arms the timer to two
 * jiffies. That is no silence, and mostly an old connection of the peer's that
 * our RST has just ended.
 */
bool handshake_is_resent_early(const struct sw_handshake *facts);

/* When the first SYN left; connect() itself while none has. */
uint64_t handshake_begin_ns(const struct sw_handshake *facts);

/* The kernel's further schedule, in jiffies from facts.header.time_ns on. */
struct retry_schedule handshake_schedule(const struct sw_handshake *facts);

/*
 * The moment from which silence about it means that records were lost: the
 * next event is overdue by far more than timers are late.
 */
uint64_t handshake_overdue_ns(const struct sw_handshake *facts);

/* When the kernel gives up, unless something comes first. */
uint64_t handshake_give_up_ns(const struct sw_handshake *facts);

/*
 * Everything a report says about it but verdict, cause and why. time_ns: the
 * moment reported. ended: nothing is due any more.
 */
void handshake_describe(const struct sw_handshake *facts, uint64_t time_ns, bool ended,
			struct report_handshake *ret_report);

#endif /* SYNWATCH_CORE_HANDSHAKE_H */
