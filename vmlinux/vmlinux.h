/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's types, as far as synwatch looks at them.
 *
 * Written by hand and minimal on purpose: every struct holds only the fields
 * that are read, in any order. preserve_access_index makes libbpf look up the
 * real offset of each in the running kernel's BTF (CO-RE), so the same object
 * serves every architecture and every kernel. Fields that some kernels lack
 * or call differently are in bpf/compat.bpf.h.
 */
#ifndef SYNWATCH_VMLINUX_H
#define SYNWATCH_VMLINUX_H

typedef signed char __s8;
typedef unsigned char __u8;
typedef short __s16;
typedef unsigned short __u16;
typedef int __s32;
typedef unsigned int __u32;
typedef long long __s64;
typedef unsigned long long __u64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;
typedef _Bool bool;

enum {
	false = 0,
	true = 1,
};

/* include/uapi/linux/bpf.h */

enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_LPM_TRIE = 11,
	BPF_MAP_TYPE_RINGBUF = 27,
};

enum {
	BPF_ANY = 0,
	BPF_NOEXIST = 1,
};

enum {
	BPF_F_NO_PREALLOC = 1U << 0,
	BPF_F_MMAPABLE = 1U << 10,
};

enum {
	BPF_RB_NO_WAKEUP = 1ULL << 0,
	BPF_RB_FORCE_WAKEUP = 1ULL << 1,
};

enum {
	BPF_RB_AVAIL_DATA = 0,
	BPF_RB_RING_SIZE = 1,
	BPF_RB_PROD_POS = 3,
};

/* include/net/tcp_states.h */
enum {
	TCP_ESTABLISHED = 1,
	TCP_SYN_SENT = 2,
	TCP_SYN_RECV = 3,
	TCP_CLOSE = 7,
	TCP_LISTEN = 10,
	TCP_NEW_SYN_RECV = 12,
};

#define AF_INET	 2
#define AF_INET6 10

#define IPPROTO_TCP 6

#define ETH_P_IP   0x0800
#define ETH_P_IPV6 0x86DD

#define IP_MF	  0x2000 /* of iphdr.frag_off: more fragments */
#define IP_OFFSET 0x1fff

/* the flags byte of a TCP header */
#define TCP_FLAG_FIN 0x01
#define TCP_FLAG_SYN 0x02
#define TCP_FLAG_RST 0x04
#define TCP_FLAG_ACK 0x10

#define ICMP_REDIRECT 5 /* include/uapi/linux/icmp.h; the packet itself goes on */

#define TCP_ECN_OK 1 /* include/net/tcp.h */

#define RTN_LOCAL 2	     /* include/uapi/linux/rtnetlink.h */
#define RTF_LOCAL 0x80000000 /* include/uapi/linux/ipv6_route.h */

/* Asked only whether it has these helpers. */
enum bpf_func_id {
	BPF_FUNC_skc_to_tcp_sock = 137,
	BPF_FUNC_get_current_task_btf = 158,
};

/* include/linux/sched.h */
#define PF_EXITING 0x00000004

/* include/uapi/linux/errqueue.h */
#define SO_EE_ORIGIN_ICMP  2
#define SO_EE_ORIGIN_ICMP6 3

/* include/net/inet_connection_sock.h */
#define ICSK_TIME_RETRANS 1

/* include/uapi/asm-generic/errno*.h, include/linux/errno.h */
#define EINTR	     4
#define EBADF	     9
#define EFAULT	     14
#define EEXIST	     17
#define EAFNOSUPPORT 97
#define EALREADY     114
#define EINPROGRESS  115
#define EISCONN	     106
#define ECONNABORTED 103
#define ECONNRESET   104
#define ETIMEDOUT    110
#define ECONNREFUSED 111
#define ERESTARTSYS  512

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/* Basic building blocks */

typedef struct {
	int counter;
} atomic_t;

typedef struct {
	__s64 counter;
} atomic64_t;

typedef struct {
	unsigned int val;
} kuid_t;

struct hlist_node {
	struct hlist_node **pprev;
};

struct list_head {
	struct list_head *next;
};

struct timer_list {
	struct hlist_node entry;
	unsigned long expires;
};

struct ns_common {
	unsigned int inum;
};

/* Every hook: sockets */

struct in6_addr {
	union {
		__u8 u6_addr8[16];
		__be32 u6_addr32[4];
	} in6_u;
};

struct local_ports {
}; /* bpf/compat.bpf.h */

struct netns_ipv4 {
	struct local_ports ip_local_ports;
	__u8 sysctl_tcp_ecn_fallback;	/* int before 5.13 */
	__u8 sysctl_tcp_syn_retries;	/* int before 5.13 */
	__u8 sysctl_tcp_synack_retries; /* int before 5.13 */
	__u8 sysctl_tcp_syncookies;	/* int before 5.13 */
	__u8 sysctl_tcp_abort_on_overflow;
	int sysctl_max_syn_backlog;
};

struct net {
	struct ns_common ns;
	struct netns_ipv4 ipv4;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct sock_common {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
	atomic64_t skc_cookie;
	struct hlist_node skc_node;
	struct sock *skc_listener;
};

typedef struct {
	int owned;
} socket_lock_t;

struct sk_buff_head {
	struct sk_buff *prev;
	__u32 qlen;
};

struct kernfs_node {
	__u64 id;
};

struct cgroup {
	struct kernfs_node *kn;
};

struct sock_cgroup_data {
	struct cgroup *cgroup; /* before 5.15 it may be something else */
};

struct sock {
	struct sock_common __sk_common;
	socket_lock_t sk_lock;
	struct sk_buff_head sk_error_queue;
	int sk_err;
	int sk_err_soft;
	kuid_t sk_uid;
	struct socket *sk_socket;
	__u16 sk_protocol; /* a bit field before 5.6 */
	atomic_t sk_drops;
	__u32 sk_ack_backlog;
	__u32 sk_max_ack_backlog;
	struct sock_reuseport *sk_reuseport_cb;
	struct sock_cgroup_data sk_cgrp_data;
};

struct sock_reuseport {
	unsigned int synq_overflow_ts;
};

struct inet_sock {
	struct sock sk;
	__be16 inet_sport;
};

struct request_sock_queue {
	__u8 rskq_defer_accept;
	atomic_t qlen;
	atomic_t young;
};

struct inet_connection_sock {
	struct inet_sock icsk_inet;
	struct request_sock_queue icsk_accept_queue;
	struct timer_list icsk_retransmit_timer; /* moved in 6.19 */
	__u32 icsk_rto;
	__u8 icsk_retransmits;
	__u8 icsk_pending;
	__u8 icsk_syn_retries;
	__u32 icsk_user_timeout;
};

struct tcp_options_received {
	int ts_recent_stamp; /* long before 4.20 */
};

struct tcp_sock {
	struct inet_connection_sock inet_conn;
	struct tcp_options_received rx_opt;
	__u32 copied_seq;
	__u32 snd_una;
	__u32 write_seq;
	__u32 srtt_us;
	__u64 tcp_clock_cache;
	__u64 bytes_acked;
	__u8 ecn_flags;
	struct list_head tsorted_sent_queue;
	__u32 retrans_stamp;
};

/* tcp_retransmit_synack */

struct request_sock {
	struct sock_common __req_common;
	__u8 num_retrans;
	__u8 syncookie : 1;
	__u8 num_timeout : 7;
	struct timer_list rsk_timer;
	struct sock *sk; /* the child, once it is there */
};

struct inet_request_sock {
	struct request_sock req;
	__u16 acked : 1;
};

struct tcp_request_sock {
	struct inet_request_sock req;
	__u64 snt_synack;
	__u32 rcv_isn;
};

/* ICMP errors on sk_error_queue */

struct sock_extended_err {
	__u32 ee_errno;
	__u8 ee_origin;
	__u8 ee_type;
	__u8 ee_code;
};

struct sock_exterr_skb {
	struct sock_extended_err ee;
};

struct sk_buff {
	struct sock *sk;
	struct net_device *dev;
	unsigned long _skb_refdst;
	int skb_iif;
	unsigned char *head;
	unsigned char *data;
	unsigned int tail; /* from head, on 64-bit machines */
	__u16 transport_header;
	__u16 network_header;
	__be16 protocol;
	char cb[48];
};

/* kfree_skb */

enum skb_drop_reason {
	SKB_CONSUMED = 1,		   /* 6.5+, before: not a value of its own */
	SKB_DROP_REASON_NOT_SPECIFIED = 2, /* numbers shift from kernel to kernel */
	SKB_DROP_REASON_NO_SOCKET = 3,
	SKB_DROP_REASON_OTHERHOST = 13,
	SKB_DROP_REASON_TCP_FLAGS = 30,
	SKB_DROP_REASON_QUEUE_PURGE = 104,
	SKB_DROP_REASON_PACKET_SOCK_ERROR = 106,
	SKB_DROP_REASON_TCP_LISTEN_OVERFLOW = 107,
};

struct in_ifaddr {
	struct in_ifaddr *ifa_next;
	__be32 ifa_local;
};

struct in_device {
	struct in_ifaddr *ifa_list;
};

struct inet6_ifaddr {
	struct in6_addr addr;
	struct list_head if_list;
};

struct inet6_dev {
	struct list_head addr_list;
};

struct net_device {
	possible_net_t nd_net;
	struct in_device *ip_ptr;
	struct inet6_dev *ip6_ptr;
};

struct dst_entry {
	struct net_device *dev;
};

struct rtable {
	__u16 rt_type;
};

struct rt6_info {
	__u32 rt6i_flags;
};

/* The current task */

struct signal_struct {
	int group_exit_code;
};

struct inode {
	unsigned long i_ino;
};

struct file {
	void *private_data;
	struct inode *f_inode;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct cred {
	kuid_t uid;
};

struct css_set {
	struct cgroup *dfl_cgrp;
};

struct task_struct {
	unsigned int flags;
	int pid;
	int tgid;
	const struct cred *cred;
	char comm[16];
	struct signal_struct *signal;
	struct files_struct *files;
	struct css_set *cgroups;
};

/* sys_enter_connect, sys_exit_connect */

typedef enum {
	SS_FREE = 0,
	SS_UNCONNECTED = 1,
} socket_state;

struct socket {
	socket_state state;
	struct file *file;
	struct sock *sk;
};

/* What a struct socket is part of */
struct socket_alloc {
	struct socket socket;
	struct inode vfs_inode;
};

struct trace_event_raw_sys_enter {
	unsigned long args[6];
};

struct trace_event_raw_sys_exit {
	long ret;
};

/* User space's registers, as it entered the kernel. */
struct pt_regs;

struct pt_regs___x86 {
	unsigned long di;
	unsigned long si;
	unsigned long dx;
	unsigned long orig_ax;
};

struct pt_regs___arm64 {
	__u64 regs[31];
	__u64 orig_x0;
	__s32 syscallno;
};

/* iter/bpf_map_elem */

struct seq_file;
struct bpf_map;

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__bpf_map_elem {
	struct bpf_iter_meta *meta;
	struct bpf_map *map;
	void *key;
	void *value;
};

/* iter/tcp */

struct bpf_iter__tcp {
	struct bpf_iter_meta *meta;
	struct sock_common *sk_common;
};

#pragma clang attribute pop

/* Never relocated: fixed by the wire or by the user ABI. */

struct sockaddr_in6 {
	__u16 sin6_family;
	__be16 sin6_port;
	__be32 sin6_flowinfo; /* of a sockaddr_in: sin_addr */
	__u8 sin6_addr[16];
};

struct iphdr {
	__u8 version_ihl;
	__u8 tos;
	__be16 tot_len;
	__be16 id;
	__be16 frag_off;
	__u8 ttl;
	__u8 protocol;
	__u16 check;
	__be32 saddr;
	__be32 daddr;
};

struct ipv6hdr {
	__u8 version_class;
	__u8 flow[3];
	__be16 payload_len;
	__u8 nexthdr;
	__u8 hop_limit;
	__u8 saddr[16];
	__u8 daddr[16];
};

struct tcphdr {
	__be16 source;
	__be16 dest;
	__be32 seq;
	__be32 ack_seq;
	__u8 doff;
	__u8 flags;
	__be16 window;
};

#endif /* SYNWATCH_VMLINUX_H */
