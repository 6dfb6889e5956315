/* SPDX-License-Identifier: GPL-2.0-only */
/* Records as the kernel side makes them, for the tests of what judges them. */
#ifndef SYNWATCH_TEST_FACTS_H
#define SYNWATCH_TEST_FACTS_H

#include <stdint.h>
#include <string.h>

#include <linux/types.h>

#include "synwatch/record.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#define MS  1000000ULL
#define SEC (1000 * MS)

/* HZ=250 */
#define TICK_NS	     (4 * MS)
#define HZ	     (SEC / TICK_NS)
#define JIFFIES_AT_0 4294892296ULL

/* include/net/tcp_states.h */
enum { ESTABLISHED = 1, SYN_SENT = 2, SYN_RECV = 3, CLOSED = 7 };

/* When the handshakes of these tests begin. */
#define BEGIN (10 * SEC)

static inline struct sw_header facts_header(uint8_t kind, uint16_t size, uint64_t time_ns)
{
	return (struct sw_header){
		.size = size, .kind = kind, .version = SW_ABI_VERSION, .time_ns = time_ns};
}

/* 10.0.0.n */
static inline void facts_v4(__u8 *address, uint8_t n)
{
	const __u8 mapped[16] = {[10] = 0xff, [11] = 0xff, [12] = 10, [15] = n};

	memcpy(address, mapped, sizeof(mapped));
}

/* fd00::n */
static inline void facts_v6(__u8 *address, uint8_t n)
{
	const __u8 ula[16] = {0xfd, [15] = n};

	memcpy(address, ula, sizeof(ula));
}

/* The interval that retry number n ends, with four linear ones. */
static inline uint32_t facts_rto(uint8_t n)
{
	uint32_t rto = HZ;

	while (n-- > 5 && rto < 120 * HZ)
		rto *= 2;
	return rto < 120 * HZ ? rto : 120 * HZ;
}

/*
 * A client that began at BEGIN and sends its last retry, number `retransmits`,
 * or has sent it: curl on 10.0.0.2, to 10.0.0.1 port 80, tcp_syn_retries 6 with
 * four linear ones.
 */
static inline struct sw_handshake facts_client(uint8_t kind, uint64_t time_ns, uint8_t retransmits)
{
	struct sw_handshake facts = {
		.header = facts_header(kind, sizeof(facts), time_ns),
		.cookie = 0x54,
		.start_ns = BEGIN,
		.syn_ns = kind == SW_OPEN || kind == SW_LOCAL_ERROR ? 0 : BEGIN,
		.flags = SW_F_OWNER | SW_F_LINEAR,
		.tuple = {.lport = 40000, .rport = 80, .netns = 4026531840, .family = 4},
		.owner = {.pid = 1234, .tid = 1235, .uid = 1000, .cgroup = 77, .comm = "curl"},
		.timer =
			{
				.jiffies = JIFFIES_AT_0 + time_ns / TICK_NS,
				.rto = facts_rto(retransmits),
				.rto_max = 120 * HZ,
				.tick_ns = TICK_NS,
				.retransmits = retransmits,
				.retries = 6,
				.linear = 4,
			},
		.syn_sent = kind == SW_LOCAL_ERROR ? 0 : 1 + retransmits,
		.old_state = SYN_SENT,
		.new_state = SYN_SENT,
	};

	if (kind == SW_CLOSE || kind == SW_LOCAL_ERROR)
		facts.new_state = CLOSED;
	facts_v4(facts.tuple.laddr, 2);
	facts_v4(facts.tuple.raddr, 1);
	return facts;
}

static inline void facts_to_v6(struct sw_handshake *facts)
{
	facts->tuple.family = 6;
	facts_v6(facts->tuple.laddr, 2);
	facts_v6(facts->tuple.raddr, 1);
}

/* Adds what tcp_v4_err() leaves on the error queue: sent by 10.0.0.n. */
static inline void facts_add_icmp(struct sw_handshake *facts, uint8_t n, uint8_t type, uint8_t code,
				  uint8_t errnum)
{
	facts->flags |= SW_F_ICMP;
	facts->icmp = (struct sw_icmp){
		.type = type, .code = code, .version = 4, .errnum = errnum, .count = 1};
	facts_v4(facts->icmp.from, n);
}

/* Adds the task that closed it. */
static inline void facts_add_closer(struct sw_handshake *facts, const char *comm)
{
	facts->flags |= SW_F_TASK | SW_F_PENDING;
	facts->closer.pid = 1234;
	facts->closer.tid = 1236;
	strncpy(facts->closer.comm, comm, SW_COMM_LEN - 1);
}

/* A request of 10.0.0.2 to port 80 here, 10.0.0.1; tcp_synack_retries 5. */
static inline struct sw_handshake facts_server(uint8_t kind, uint64_t time_ns, uint8_t timeouts,
					       uint8_t resends)
{
	struct sw_handshake facts = facts_client(kind, time_ns, timeouts);

	facts.flags = SW_F_ISN;
	facts.isn = 7777;
	facts.syn_ns = BEGIN;
	facts.owner = (struct sw_owner){};
	facts.timer.rto = HZ;
	facts.timer.retries = 5;
	facts.timer.linear = 0;
	facts.timer.resends = resends;
	facts.syn_sent = 0;
	facts.tuple.lport = 80;
	facts.tuple.rport = 40000;
	facts_v4(facts.tuple.laddr, 1);
	facts_v4(facts.tuple.raddr, 2);
	facts.old_state = SYN_RECV;
	facts.new_state = kind == SW_ACCEPTED ? ESTABLISHED : SYN_RECV;
	return facts;
}

/* Its listener, nginx[812], with so much of its accept queue taken. */
static inline void facts_add_listener(struct sw_handshake *facts, uint32_t backlog, uint32_t limit)
{
	facts->flags |= SW_F_LISTENER | SW_F_OWNER;
	facts->owner = (struct sw_owner){.pid = 812, .tid = 812, .uid = 33, .comm = "nginx"};
	facts->listener = (struct sw_listener){
		.backlog = backlog, .limit = limit, .syn_limit = 4096, .syncookies = 1};
}

/* A segment of 10.0.0.2 for port 80 here, thrown away for that reason. */
static inline struct sw_handshake facts_syn_drop(uint64_t time_ns, uint32_t reason)
{
	struct sw_handshake facts = facts_server(SW_SYN_DROP, time_ns, 0, 0);

	facts.start_ns = facts.syn_ns = time_ns;
	facts.flags |= SW_F_DROP;
	facts.drop = (struct sw_drop){
		.reason = reason,
		.place = reason ? 0x1000 + reason : 0,
		.netns = facts.tuple.netns,
		.what = SW_DROP_SYN,
		.where = SW_DROP_LOCAL,
		.count = 1,
	};
	return facts;
}

/* This host throws away the SYN-ACK that answers. */
static inline void facts_drop_synack(struct sw_handshake *facts, uint32_t reason)
{
	facts->flags |= SW_F_DROP;
	facts->drop = (struct sw_drop){
		.reason = reason,
		.place = 0x1000 + reason,
		.netns = facts->tuple.netns,
		.what = SW_DROP_SYNACK,
		.where = SW_DROP_OUTPUT,
		.count = 1,
		.attempt = facts->timer.retransmits,
	};
}

/* At port 80 of 10.0.0.1. */
static inline struct sw_crowd facts_crowd(uint64_t time_ns)
{
	struct sw_crowd facts = {
		.header = facts_header(SW_CROWD, sizeof(facts), time_ns),
		.begin_ns = time_ns - SEC,
		.tuple = {.lport = 80, .netns = 4026531840, .family = 4},
	};

	facts_v4(facts.tuple.laddr, 1);
	return facts;
}

#endif /* SYNWATCH_TEST_FACTS_H */
