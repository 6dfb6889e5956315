// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs that do nothing, on the tracepoints that synwatch may use: what being there
 * costs. Which of them are loaded is the caller's choice.
 */
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

#define EMPTY(category, name)   \
	SEC(category "/" #name) \
	int name(void *ctx)     \
	{                       \
		return 0;       \
	}

EMPTY("tp_btf", inet_sock_set_state)
EMPTY("tp_btf", tcp_retransmit_skb)
EMPTY("tp_btf", tcp_retransmit_synack)
EMPTY("tp_btf", tcp_receive_reset)
EMPTY("tp_btf", tcp_send_reset)
EMPTY("tp_btf", icmp_send)
EMPTY("tp_btf", kfree_skb)
EMPTY("tp/syscalls", sys_enter_connect)
EMPTY("tp/syscalls", sys_exit_connect)

char LICENSE[] SEC("license")
= "GPL";
