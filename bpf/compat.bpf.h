/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What differs between kernels, each difference with the version and commit
 * that made it. Decided by what the running kernel's BTF holds, never by its
 * version: distributions backport.
 */
#ifndef SYNWATCH_COMPAT_BPF_H
#define SYNWATCH_COMPAT_BPF_H

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/* 6.5, ccce324dabfe ("tcp: make the first N SYN RTO backoffs linear") */
struct netns_ipv4___6_5 {
	__u8 sysctl_tcp_syn_linear_timeouts;
};

/* 6.7, 614e8316aa4c ("tcp: add support for usec resolution in TCP TS values"):
 * retrans_stamp is in microseconds when set */
struct tcp_sock___6_7 {
	__u8 tcp_usec_ts : 1;
};

/* 6.15 ("tcp: add the ability to control max RTO"): before, the
 * constant TCP_RTO_MAX, 120 s */
struct inet_connection_sock___6_15 {
	__u32 icsk_rto_max;
};

/* 6.19, 9a5e5334 ("tcp: remove icsk->icsk_retransmit_timer") */
struct sock___6_19 {
	struct timer_list tcp_retransmit_timer;
};

/* 6.8: high << 16 | low. Before, a seqlock and two ints; an int is no array, so
 * neither exists where the other does. */
struct local_ports___6_8 {
	__u32 range;
};

struct local_ports___old {
	int range[2];
};

/* 5.17 ("tcp: Use BPF timeout setting for SYN ACK RTO"): before,
 * every request started at TCP_TIMEOUT_INIT, 1 s */
struct request_sock___5_17 {
	__u32 timeout;
};

#pragma clang attribute pop

#endif /* SYNWATCH_COMPAT_BPF_H */
