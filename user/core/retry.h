/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's retry schedule, simulated: how many retries there will be, when
 * the next one is due and when the kernel gives up.
 *
 * Rules, from net/ipv4/tcp_timer.c (tcp_retransmit_timer, tcp_write_timeout,
 * retransmits_timed_out, tcp_model_timeout, tcp_clamp_rto_to_user_timeout) and
 * net/ipv4/inet_connection_sock.c (reqsk_timer_handler), 5.8 .. 6.18. Timers
 * run late, never early: the timer wheel (kernel/time/timer.c, calc_wheel_index)
 * rounds an expiry up to its bucket, and that is simulated too.
 */
#ifndef SYNWATCH_CORE_RETRY_H
#define SYNWATCH_CORE_RETRY_H

#include <stdbool.h>
#include <stdint.h>

/*
 * A client in SYN_SENT at one moment. Jiffies throughout.
 */
struct retry_client {
	uint64_t now;	  /* jiffies at that moment */
	uint64_t elapsed; /* jiffies since the first SYN (tp->retrans_stamp) */
	/* The timer already runs and expires then; 0: it is about to be set
	 * (the tcp_retransmit_skb tracepoint comes before the re-arming). */
	uint64_t expires;
	uint32_t rto;	       /* icsk_rto */
	uint32_t rto_initial;  /* tcp_timeout_init(): 1 s unless a sock_ops program differs */
	uint32_t rto_max;      /* icsk_rto_max, 120 s before 6.15 */
	uint32_t user_timeout; /* TCP_USER_TIMEOUT, 0: unset */
	uint32_t hz;
	uint8_t retransmits; /* icsk_retransmits */
	uint8_t retries;     /* TCP_SYNCNT or tcp_syn_retries */
	bool has_linear;     /* tcp_syn_linear_timeouts exists (6.5+) */
	uint8_t linear;	     /* its value */
	bool congested;	     /* the retransmission just made returned > 0 */
};

/* A request in NEW_SYN_RECV whose SYN-ACK is being sent again by its timer. */
struct retry_server {
	uint64_t now;
	uint64_t expires; /* as above */
	uint32_t timeout; /* request_sock.timeout: the first interval */
	uint32_t rto_max; /* 120 s up to 6.18, from 6.19 the listener's icsk_rto_max */
	uint32_t hz;
	uint8_t timeouts; /* num_timeout, this expiry included */
	uint8_t retries;  /* TCP_SYNCNT of the listener or tcp_synack_retries */
};

struct retry_schedule {
	unsigned int limit; /* retries in all, those already made included */
	bool has_next;	    /* false: the next expiry gives up */
	uint64_t next;	    /* jiffies from now to the next retry, with has_next */
	uint64_t give_up;   /* jiffies from now until the kernel gives up */
};

/* Pure and total: any input gives a schedule; the simulation is bounded by
 * 255 retries (the counters are 8 bit). */
struct retry_schedule retry_client_schedule(const struct retry_client *client);
struct retry_schedule retry_server_schedule(const struct retry_server *server);

/*
 * When a timer set at jiffy `now` to expire at jiffy `expires` really runs:
 * the jiffy of its wheel bucket, >= expires.
 */
uint64_t retry_wheel_fires(uint64_t now, uint64_t expires);

#endif /* SYNWATCH_CORE_RETRY_H */
