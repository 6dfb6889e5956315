/* SPDX-License-Identifier: GPL-2.0-only */
#include "core/offers.h"

#include <string.h>

/* Those that serve the same end follow each other. */
static const struct offer table[] = {
	{"inet_sock_set_state", OFFER_HOOK, NULL, "where every handshake begins and ends",
	 "nothing can be watched"},
	{"tcp_retransmit_skb", OFFER_HOOK, NULL, "retries, when they are made",
	 "retries are not seen when they are made"},
	{"tcp_retransmit_skb:err", OFFER_REFINEMENT, "6.17", "retries that die on this host",
	 "a retry that dies on this host is found by the sweep, later and without its errno"},
	{"tcp_retransmit_synack", OFFER_HOOK, NULL, "SYN-ACKs that are sent again",
	 "SYN-ACKs that are sent again are not seen"},
	{"tcp_receive_reset", OFFER_HOOK, NULL, "resets that end a handshake",
	 "resets are not recognised"},
	{"tcp_send_reset", OFFER_HOOK, NULL, "RSTs that this host answers with",
	 "RSTs that this host answers with are not seen"},
	{"kfree_skb", OFFER_HOOK, "5.17", "what this host drops, and why",
	 "what this host drops is not seen"},
	{"kfree_skb:rx_sk", OFFER_REFINEMENT, "6.11", "for which socket a dropped segment was",
	 "a segment dropped on arrival is joined to its handshake by its numbers alone, and to "
	 "its listener by the port"},
	{"icmp_send", OFFER_HOOK, "6.11", "ICMP errors that this host answers with",
	 "a REJECT of this host's that answers with ICMP looks like a DROP"},
	{"nf_ct_attach", OFFER_ENTRY, "5.17", "RSTs that a firewall of this host answers with",
	 "a REJECT of this host's that answers with a RST looks like a DROP"},
	{"icmp6_send", OFFER_ENTRY, "5.17", "ICMPv6 errors that this host answers with",
	 "a REJECT of this host's that answers with ICMPv6 looks like a DROP"},
	{"consume_skb", OFFER_HOOK, NULL, "which SYNs a listener ignores",
	 "what a listener ignores is counted, not told one by one"},
	{"bpf_map_elem", OFFER_HOOK, "5.9", "the sweep, which finds what makes no event",
	 "a handshake that makes no event is not seen to stall, nor a listener to ignore, nor a "
	 "request to expire"},
	{"tcp_iter", OFFER_HOOK, "5.9", "what hangs or listens already at the start",
	 "what hangs already is not seen before its next retry"},
	{"other_netns", OFFER_REACH, NULL, "the same in other network namespaces",
	 "what hangs already elsewhere is not seen before its next retry, nor is it known who "
	 "listens there"},
	{"owners", OFFER_REACH, NULL, "whose the sockets are that were there before",
	 "who has a socket from before the start is known of this user's own processes only"},
	{"sys_enter_connect", OFFER_HOOK, NULL,
	 "the arguments of connect(), which from Linux 5.15 on are read at its exit",
	 "connect() errors before the SYN are not seen"},
	{"sys_exit_connect", OFFER_HOOK, NULL, "connect() errors before the SYN",
	 "connect() errors before the SYN are not seen"},
	{"get_socket_cookie", OFFER_HOOK, "5.12", "a number for each socket that no other ever has",
	 "a socket is told from others by its inode number"},
	{"places", OFFER_REACH, NULL, "where in the kernel a packet was dropped",
	 "the place of a drop has no name"},
};

const struct offer *offers_table(size_t *ret_count)
{
	*ret_count = sizeof(table) / sizeof(*table);
	return table;
}

const struct offer *offers_find(const char *name)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		if (!strcmp(table[i].name, name))
			return &table[i];
	}
	return NULL;
}
