/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the user side tells the kernel side before it is loaded. All of it is
 * read-only data, so the verifier removes whatever a run does not need.
 */
#ifndef SYNWATCH_CONFIG_H
#define SYNWATCH_CONFIG_H

#include "synwatch/record.h"

/* Kinds of filter; a set bit in sw_config.filters makes the kind count.
 * Kinds are ANDed, the values of one kind (kept in maps) are ORed. */
enum sw_filter {
	SW_FILTER_PID = 1 << 0,	   /* filter_pids */
	SW_FILTER_UID = 1 << 1,	   /* filter_uids */
	SW_FILTER_COMM = 1 << 2,   /* filter_comms */
	SW_FILTER_CGROUP = 1 << 3, /* filter_cgroups: the group or one below it */
	SW_FILTER_NETNS = 1 << 4,  /* filter_netns */
	SW_FILTER_HOST = 1 << 5,   /* filter_hosts: either end */
	SW_FILTER_PORT = 1 << 6,   /* filter_ports, row SW_PORT_ANY: either end */
	SW_FILTER_LPORT = 1 << 7,  /* filter_ports, row SW_PORT_LOCAL */
	SW_FILTER_RPORT = 1 << 8,  /* filter_ports, row SW_PORT_REMOTE */
	SW_FILTER_V4 = 1 << 9,	   /* no map: on the wire, so v4-mapped is 4 */
	SW_FILTER_V6 = 1 << 10,
	SW_FILTER_CLIENT = 1 << 11,
	SW_FILTER_SERVER = 1 << 12,
};

/* Rows of the port bitmap. */
enum sw_port_row { SW_PORT_ANY, SW_PORT_LOCAL, SW_PORT_REMOTE, SW_PORT_ROWS };
#define SW_PORT_WORDS (65536 / 64)

/* Key of filter_hosts, a longest-prefix-match trie. IPv4 as v4-mapped, its
 * prefix length raised by 96. */
struct sw_host_key {
	__u32 prefix_len; /* 0 .. 128 */
	__u8 addr[16];
};

struct sw_config {
	__u32 filters;	  /* enum sw_filter */
	__u32 stream_all; /* stream every transition, healthy ones too */
	/* Volume, not judgement: a handshake younger than this, not yet retried
	 * and then answered, is only counted. */
	__u64 quiet_ns;
	__u32 has_cookies; /* bpf_get_socket_cookie() is there */
	__u32 fresh;	   /* the kernel has atomic exchange, 5.12 */
	/* Dropped SYNs and SYN-ACKs of no known handshake that one CPU keeps in
	 * 100 ms; more are only counted. */
	__u64 strays_per_window;
	/* Server handshakes that are told one by one: of one CPU in 100 ms, and of
	 * one local port in a second. More are counted as a crowd. */
	__u64 told_per_window;
	__u64 told_per_port;
	__u32 tick_ns;	    /* one jiffy */
	__u32 exit_alone;   /* a system call's arguments can be read at its exit, 5.15 */
	__u32 nr_connect;   /* __NR_connect */
	__u32 resets_tell;  /* tcp_receive_reset is there */
	__u32 retries_tell; /* every retransmission has its event, failed ones too */
	__u32 wakeup_bytes; /* wake the reader when that much is waiting; 0: always */
};

/* How a slot of the map fresh_handshakes begins. The user side has it mapped. */
struct sw_fresh {
	__u64 holder; /* 0: nobody */
	__u64 start_ns;
};

#define SW_FRESH_BUSY ~0ULL /* a holder: it is being filled in */

/* Maps that are swept only if something can be in them. */
enum sw_swept_map { SW_SWEPT_HANDSHAKES, SW_SWEPT_REQUESTS, SW_SWEPT_CROWDS, SW_SWEPT_MAPS };

/* What is known of one. The user side clears it before it sweeps. */
struct sw_swept {
	__u32 entered; /* something has been put into it */
	__u32 seen;    /* the sweep has found something in it */
	/* When the first of what is in it is to be looked at; of two CPUs that lower it at
	 * once one may be forgotten. 0: at once. */
	__u64 due_ns;
};

/* Per-CPU totals since the programs were loaded; what most handshakes count in comes
 * first, to share a cache line. */
struct sw_totals {
	__u64 accepted;
	__u64 latency[SW_LATENCY_SLOTS]; /* as in struct sw_counts */
	__u64 races_lost;		 /* healthy, too, and without a latency */
	__u64 syn_retransmits;
	__u64 ring_full;
	__u64 map_full;
	__u64 suppressed;
	__u64 synack_retransmits;
	__u64 listen_drops;
	__u64 missed; /* retries and ends noticed only afterwards, or not at all */
};

#endif /* SYNWATCH_CONFIG_H */
