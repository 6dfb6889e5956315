/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every cause with the kernel facts it rests on, and the same facts with one of
 * them missing: then it is the next honest cause's, in the end no_answer's.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/evidence.h"
#include "core/handshake.h"
#include "core/names.h"
#include "core/verdict.h"
#include "facts.h"

#define OWN_NETNS   4026531840U
#define OTHER_NETNS 4026532100U

/* A kernel's numbers, as its SW_NAME records explain them; one they do not. */
enum {
	NETFILTER_DROP = 12,
	TCP_CSUM,
	TCP_INVALID_ACK_SEQUENCE,
	TCP_RFC7323_PAWS,
	TCP_MD5NOTFOUND,
	NEIGH_FAILED,
	NEIGH_QUEUEFULL,
	NEIGH_CREATEFAIL,
	QDISC_DROP,
	IP_RPFILTER,
	SOCKET_FILTER,
	NEIGHBOURLY,
	XTCP_RESET,
	UNNAMED,
};

#define PLACE 0xffffffff81a3c5d0ULL

static const char *const reasons[] = {
	[NETFILTER_DROP] = "NETFILTER_DROP",
	[TCP_CSUM] = "TCP_CSUM",
	[TCP_INVALID_ACK_SEQUENCE] = "TCP_INVALID_ACK_SEQUENCE",
	[TCP_RFC7323_PAWS] = "TCP_RFC7323_PAWS",
	[TCP_MD5NOTFOUND] = "TCP_MD5NOTFOUND",
	[NEIGH_FAILED] = "NEIGH_FAILED",
	[NEIGH_QUEUEFULL] = "NEIGH_QUEUEFULL",
	[NEIGH_CREATEFAIL] = "NEIGH_CREATEFAIL",
	[QDISC_DROP] = "QDISC_DROP",
	[IP_RPFILTER] = "IP_RPFILTER",
	[SOCKET_FILTER] = "SOCKET_FILTER",
	[NEIGHBOURLY] = "NEIGHBOURLY",
	[XTCP_RESET] = "XTCP_RESET",
};

static void learn(struct terms *terms, enum sw_name_of of, uint64_t number, const char *text)
{
	struct sw_name name = {.of = of, .number = number};

	(void)snprintf(name.name, sizeof(name.name), "%s", text);
	terms_learn(terms, &name);
}

static struct terms *terms_of_this_kernel(void)
{
	struct terms *terms = terms_new();

	assert_non_null(terms);
	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
		if (reasons[i])
			learn(terms, SW_NAME_REASON, i, reasons[i]);
	}
	learn(terms, SW_NAME_PLACE, PLACE, "nf_hook_slow");
	return terms;
}

/* Who sent the ICMP error. */
enum sender { NOBODY, THIS_HOST, ROUTER };

struct evidence {
	uint32_t flags;
	uint16_t sk_err;
	uint16_t sk_err_soft;
	int32_t err; /* with SW_F_ERR */
	uint16_t syn_unsent;
	enum sender sender;  /* of icmp, with SW_F_ICMP */
	struct sw_icmp icmp; /* version and sender are filled in */
	struct sw_drop drop; /* with SW_F_DROP; place is PLACE unless no_place */
	bool no_place;
};

static struct sw_handshake facts_with(const struct evidence *evidence, uint8_t family)
{
	struct sw_handshake facts = facts_client(SW_RETRY, BEGIN + SEC, 1);

	if (family == 6)
		facts_to_v6(&facts);
	facts.flags |= evidence->flags;
	facts.sk_err = evidence->sk_err;
	facts.sk_err_soft = evidence->sk_err_soft;
	facts.err = evidence->err;
	facts.syn_unsent = evidence->syn_unsent;
	facts.icmp = evidence->icmp;
	facts.icmp.version = family;
	if (evidence->sender == THIS_HOST)
		memcpy(facts.icmp.from, facts.tuple.laddr, sizeof(facts.icmp.from));
	else if (evidence->sender == ROUTER && family == 6)
		facts_v6(facts.icmp.from, 9);
	else if (evidence->sender == ROUTER)
		facts_v4(facts.icmp.from, 9);
	facts.drop = evidence->drop;
	if (!evidence->no_place)
		facts.drop.place = PLACE;
	return facts;
}

static enum cause cause_of(const struct sw_handshake *facts, struct words *ret_words)
{
	struct terms *terms = terms_of_this_kernel();
	struct report_handshake report;
	enum cause cause;

	handshake_describe(facts, facts->header.time_ns, false, &report);
	evidence_tell_drop(facts, terms, &report);
	cause = evidence_cause(facts, &report, ret_words);
	terms_free(terms);
	return cause;
}

struct evidence_case {
	const char *name; /* the kernel fact, or what is missing of it */
	uint8_t family;	  /* 0: the same for both */
	struct evidence evidence;
	enum cause cause;
	const char *words; /* %s: the remote address */
};

static void check_case(const struct evidence_case *c, uint8_t family)
{
	const struct sw_handshake facts = facts_with(&c->evidence, family);
	char expected[sizeof(struct words)];
	struct words said;
	enum cause cause;

	(void)snprintf(expected, sizeof(expected), c->words, family == 6 ? "fd00::1" : "10.0.0.1");
	cause = cause_of(&facts, &said);
	if (cause != c->cause)
		fail_msg("IPv%u, %s: %s, not %s: %s", family, c->name, names_cause(cause),
			 names_cause(c->cause), said.text);
	if (strcmp(said.text, expected))
		fail_msg("IPv%u, %s: '%s', not '%s'", family, c->name, said.text, expected);
}

static void check_cases(const struct evidence_case *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (cases[i].family != 6)
			check_case(&cases[i], 4);
		if (cases[i].family != 4)
			check_case(&cases[i], 6);
	}
}

#define CHECK(cases) check_cases((cases), ARRAY_SIZE(cases))

#define SILENCE	     "no answer: lost on the way, dropped by the peer, or its answer lost"
#define NO_NEIGHBOUR "ARP or neighbour discovery for the next hop gets no answer"
#define WAITS                                                                       \
	"the SYN still waits on this host: the next hop's address is not resolved " \
	"(or a queue does not drain)"

/* The members of struct evidence. */
#define QUEUED(who, a_type, a_code, error)   \
	.flags = SW_F_ICMP, .sender = (who), \
	.icmp = {.type = (a_type), .code = (a_code), .errnum = (error), .count = 1}
#define DROPPED(the_what, the_where, the_netns, the_reason)  \
	.flags = SW_F_DROP, .drop = {.what = (the_what),     \
				     .where = (the_where),   \
				     .netns = (the_netns),   \
				     .reason = (the_reason), \
				     .count = 1}
#define RETRIED(result) .flags = SW_F_ERR, .err = (result), .syn_unsent = (result) != 0

static void silence_claims_nothing(void **state)
{
	static const struct evidence_case cases[] = {
		{.name = "nothing at all", .cause = CAUSE_NO_ANSWER, .words = SILENCE},
		{.name = "the retry left this host",
		 .evidence = {RETRIED(0)},
		 .cause = CAUSE_NO_ANSWER,
		 .words = SILENCE},
		{.name = "a drop record without its flag",
		 .evidence = {.drop = {.what = SW_DROP_SYN,
				       .where = SW_DROP_OUTPUT,
				       .netns = OWN_NETNS,
				       .reason = NETFILTER_DROP}},
		 .cause = CAUSE_NO_ANSWER,
		 .words = SILENCE},
		{.name = "a segment that is neither SYN nor SYN-ACK",
		 .evidence = {DROPPED(0, SW_DROP_OUTPUT, OWN_NETNS, NETFILTER_DROP)},
		 .cause = CAUSE_NO_ANSWER,
		 .words = SILENCE},
		{.name = "a kind of segment of the future",
		 .evidence = {DROPPED(4, SW_DROP_LOCAL, OWN_NETNS, TCP_MD5NOTFOUND)},
		 .cause = CAUSE_NO_ANSWER,
		 .words = SILENCE},
		{.name = "an ICMP error without its flag",
		 .evidence = {.sender = THIS_HOST,
			      .icmp = {.type = 3, .code = 1, .errnum = EHOSTUNREACH}},
		 .cause = CAUSE_NO_ANSWER,
		 .words = SILENCE},
		{.name = "a result without its flag: that kernel tells none",
		 .evidence = {.err = -EPERM},
		 .cause = CAUSE_NO_ANSWER,
		 .words = SILENCE},
	};

	(void)state;
	CHECK(cases);
}

static void an_unsent_syn_is_dropped_on_output(void **state)
{
	static const struct evidence_case cases[] = {
		{.name = "kfree_skb of our SYN, which still has its socket",
		 .evidence = {DROPPED(SW_DROP_SYN, SW_DROP_OUTPUT, OWN_NETNS, NETFILTER_DROP)},
		 .cause = CAUSE_DROPPED_ON_OUTPUT,
		 .words = "this host drops it on the way out: NETFILTER_DROP in nf_hook_slow"},
		{.name = "by a queue",
		 .evidence = {DROPPED(SW_DROP_SYN, SW_DROP_OUTPUT, OWN_NETNS, QDISC_DROP)},
		 .cause = CAUSE_DROPPED_ON_OUTPUT,
		 .words = "this host drops it on the way out: QDISC_DROP in nf_hook_slow"},
		{.name = "the name of the place is missing",
		 .evidence = {DROPPED(SW_DROP_SYN, SW_DROP_OUTPUT, OWN_NETNS, NETFILTER_DROP),
			      .no_place = true},
		 .cause = CAUSE_DROPPED_ON_OUTPUT,
		 .words = "this host drops it on the way out: NETFILTER_DROP"},
		{.name = "the name of the reason is missing",
		 .evidence = {DROPPED(SW_DROP_SYN, SW_DROP_OUTPUT, OWN_NETNS, UNNAMED)},
		 .cause = CAUSE_DROPPED_ON_OUTPUT,
		 .words = "this host drops it on the way out: unknown reason in nf_hook_slow"},
		{.name = "both are",
		 .evidence = {DROPPED(SW_DROP_SYN, SW_DROP_OUTPUT, OWN_NETNS, UNNAMED),
			      .no_place = true},
		 .cause = CAUSE_DROPPED_ON_OUTPUT,
		 .words = "this host drops it on the way out: unknown reason"},
		{.name = "no drop was seen, but tcp_retransmit_skb's result (6.17+)",
		 .evidence = {RETRIED(-EPERM)},
		 .cause = CAUSE_DROPPED_ON_OUTPUT,
		 .words = "the last retry did not leave this host (EPERM)"},
		{.name = "an errno without a name",
		 .evidence = {RETRIED(-4000)},
		 .cause = CAUSE_DROPPED_ON_OUTPUT,
		 .words = "the last retry did not leave this host (error 4000)"},
		{.name = "NET_XMIT_DROP",
		 .evidence = {RETRIED(1)},
		 .cause = CAUSE_DROPPED_ON_OUTPUT,
		 .words = "the last retry did not leave this host: its queueing or traffic "
			  "control dropped it"},
		{.name = "it was the answer of a peer in the same namespace",
		 .evidence = {DROPPED(SW_DROP_SYNACK, SW_DROP_OUTPUT, OWN_NETNS, NETFILTER_DROP)},
		 .cause = CAUSE_REPLY_DROPPED_ON_PATH,
		 .words = "%s answered, but namespace 4026531840 of this host drops the answer: "
			  "NETFILTER_DROP in nf_hook_slow"},
	};

	(void)state;
	CHECK(cases);
}

static void a_silent_neighbour_is_unresolved(void **state)
{
	static const struct evidence_case cases[] = {
		{.name = "arp_error_report(): 3/1 from this host's own address",
		 .family = 4,
		 .evidence = {QUEUED(THIS_HOST, 3, 1, EHOSTUNREACH)},
		 .cause = CAUSE_NEIGHBOUR_UNRESOLVED,
		 .words = NO_NEIGHBOUR},
		{.name = "ndisc_error_report(): 1/3, with IPV6_RECVERR",
		 .family = 6,
		 .evidence = {QUEUED(THIS_HOST, 1, 3, EHOSTUNREACH)},
		 .cause = CAUSE_NEIGHBOUR_UNRESOLVED,
		 .words = NO_NEIGHBOUR},
		{.name = "the same 3/1, and a drop that is not the neighbour's",
		 .family = 4,
		 .evidence = {.flags = SW_F_ICMP | SW_F_DROP,
			      .sender = THIS_HOST,
			      .icmp = {.type = 3, .code = 1, .errnum = EHOSTUNREACH},
			      .drop = {.what = SW_DROP_SYN,
				       .where = SW_DROP_OUTPUT,
				       .reason = QDISC_DROP}},
		 .cause = CAUSE_NEIGHBOUR_UNRESOLVED,
		 .words = NO_NEIGHBOUR},
		{.name = "3/1 from another address: a router's neighbour",
		 .family = 4,
		 .evidence = {QUEUED(ROUTER, 3, 1, EHOSTUNREACH)},
		 .cause = CAUSE_ICMP,
		 .words = "ICMP host unreachable from 10.0.0.9 came back"},
		{.name = "1/3 from another address",
		 .family = 6,
		 .evidence = {QUEUED(ROUTER, 1, 3, EHOSTUNREACH)},
		 .cause = CAUSE_ICMP,
		 .words = "ICMPv6 address unreachable from fd00::9 came back"},
		{.name = "another code from this host: its own REJECT",
		 .family = 4,
		 .evidence = {QUEUED(THIS_HOST, 3, 13, EHOSTUNREACH)},
		 .cause = CAUSE_ICMP,
		 .words = "ICMP communication administratively prohibited from this host itself "
			  "came back"},
		{.name = "3/1 is something else in ICMPv6",
		 .family = 6,
		 .evidence = {QUEUED(THIS_HOST, 3, 1, EHOSTUNREACH)},
		 .cause = CAUSE_ICMP,
		 .words = "ICMPv6 fragment reassembly time exceeded from this host itself came "
			  "back"},
		{.name = "and 1/3 is nothing in ICMP",
		 .family = 4,
		 .evidence = {QUEUED(THIS_HOST, 1, 3, EHOSTUNREACH)},
		 .cause = CAUSE_ICMP,
		 .words = "ICMP error from this host itself came back"},

		{.name = "neigh_invalidate()",
		 .evidence = {DROPPED(SW_DROP_SYN, SW_DROP_OUTPUT, OWN_NETNS, NEIGH_FAILED)},
		 .cause = CAUSE_NEIGHBOUR_UNRESOLVED,
		 .words = NO_NEIGHBOUR ": NEIGH_FAILED in nf_hook_slow"},
		{.name = "its queue overflows while it is unresolved",
		 .evidence = {DROPPED(SW_DROP_SYN, SW_DROP_OUTPUT, OWN_NETNS, NEIGH_QUEUEFULL)},
		 .cause = CAUSE_NEIGHBOUR_UNRESOLVED,
		 .words = NO_NEIGHBOUR ": NEIGH_QUEUEFULL in nf_hook_slow"},
		{.name = "the neighbour table is full: nobody was asked",
		 .evidence = {DROPPED(SW_DROP_SYN, SW_DROP_OUTPUT, OWN_NETNS, NEIGH_CREATEFAIL)},
		 .cause = CAUSE_DROPPED_ON_OUTPUT,
		 .words = "this host drops it on the way out: NEIGH_CREATEFAIL in nf_hook_slow"},
		{.name = "a reason that begins alike",
		 .evidence = {DROPPED(SW_DROP_SYN, SW_DROP_OUTPUT, OWN_NETNS, NEIGHBOURLY)},
		 .cause = CAUSE_DROPPED_ON_OUTPUT,
		 .words = "this host drops it on the way out: NEIGHBOURLY in nf_hook_slow"},
		{.name = "the reason has no name",
		 .evidence = {DROPPED(SW_DROP_SYN, SW_DROP_OUTPUT, OWN_NETNS, UNNAMED)},
		 .cause = CAUSE_DROPPED_ON_OUTPUT,
		 .words = "this host drops it on the way out: unknown reason in nf_hook_slow"},
		{.name = "a router's neighbour, in another namespace",
		 .evidence = {DROPPED(SW_DROP_SYN, SW_DROP_TRANSIT, OTHER_NETNS, NEIGH_FAILED)},
		 .cause = CAUSE_DROPPED_ON_PATH,
		 .words = "namespace 4026532100 of this host, on its way, drops it: "
			  "NEIGH_FAILED in nf_hook_slow"},
		{.name = "the peer's, for its answer",
		 .evidence = {DROPPED(SW_DROP_SYNACK, SW_DROP_OUTPUT, OTHER_NETNS, NEIGH_FAILED)},
		 .cause = CAUSE_REPLY_DROPPED_ON_PATH,
		 .words = "%s answered, but namespace 4026532100 of this host drops the answer: "
			  "NEIGH_FAILED in nf_hook_slow"},
		{.name = "NEIGH_FAILED, then the port is unreachable: the neighbour was found",
		 .family = 6,
		 .evidence = {DROPPED(SW_DROP_SYN, SW_DROP_OUTPUT, OWN_NETNS, NEIGH_FAILED),
			      .sk_err = ECONNREFUSED},
		 .cause = CAUSE_DROPPED_ON_OUTPUT,
		 .words = "this host drops it on the way out: NEIGH_FAILED in nf_hook_slow"},

		{.name = "skb_still_in_host_queue(): the retry returns -EBUSY (6.17+)",
		 .evidence = {RETRIED(-EBUSY)},
		 .cause = CAUSE_NEIGHBOUR_UNRESOLVED,
		 .words = WAITS},
		{.name = "ended by EHOSTUNREACH, as ndisc_error_report() does",
		 .family = 6,
		 .evidence = {RETRIED(-EBUSY), .sk_err = EHOSTUNREACH},
		 .cause = CAUSE_NEIGHBOUR_UNRESOLVED,
		 .words = WAITS},
		{.name = "ended by another error: it got out in the end",
		 .family = 6,
		 .evidence = {RETRIED(-EBUSY), .sk_err = ECONNREFUSED},
		 .cause = CAUSE_DROPPED_ON_OUTPUT,
		 .words = "the last retry did not leave this host (EBUSY)"},
		{.name = "EBUSY of a kernel that does not report results",
		 .evidence = {.err = -EBUSY, .syn_unsent = 1},
		 .cause = CAUSE_NO_ANSWER,
		 .words = SILENCE},
		{.name = "a positive EBUSY is no errno",
		 .evidence = {RETRIED(EBUSY)},
		 .cause = CAUSE_DROPPED_ON_OUTPUT,
		 .words = "the last retry did not leave this host: its queueing or traffic "
			  "control dropped it"},
	};

	(void)state;
	CHECK(cases);
}

static void an_icmp_error_that_did_not_end_it_is_the_cause(void **state)
{
	static const struct evidence_case cases[] = {
		{.name = "on the error queue, while connect() held the socket",
		 .family = 4,
		 .evidence = {QUEUED(ROUTER, 3, 3, ECONNREFUSED), .sk_err_soft = ECONNREFUSED},
		 .cause = CAUSE_ICMP,
		 .words = "ICMP port unreachable from 10.0.0.9 came back"},
		{.name = "SO_ERROR has taken the soft error away",
		 .family = 4,
		 .evidence = {QUEUED(ROUTER, 3, 3, ECONNREFUSED)},
		 .cause = CAUSE_ICMP,
		 .words = "ICMP port unreachable from 10.0.0.9 came back"},
		{.name = "with IPV6_RECVERR the queue has it, too",
		 .family = 6,
		 .evidence = {QUEUED(ROUTER, 1, 4, ECONNREFUSED)},
		 .cause = CAUSE_ICMP,
		 .words = "ICMPv6 port unreachable from fd00::9 came back"},
		{.name = "nobody knows the sender",
		 .family = 6,
		 .evidence = {QUEUED(NOBODY, 1, 4, ECONNREFUSED)},
		 .cause = CAUSE_ICMP,
		 .words = "ICMPv6 port unreachable came back"},
		{.name = "on the queue, but no error: fragmentation needed",
		 .family = 4,
		 .evidence = {QUEUED(ROUTER, 3, 4, 0)},
		 .cause = CAUSE_NO_ANSWER,
		 .words = SILENCE},
		{.name = "only the soft error: one code has it",
		 .family = 6,
		 .evidence = {.sk_err_soft = ECONNREFUSED},
		 .cause = CAUSE_ICMP,
		 .words = "ICMPv6 port unreachable came back"},
		{.name = "several codes have it",
		 .family = 6,
		 .evidence = {.sk_err_soft = EACCES},
		 .cause = CAUSE_ICMP,
		 .words = "ICMPv6 destination unreachable came back"},
		{.name = "several types have it",
		 .family = 6,
		 .evidence = {.sk_err_soft = EHOSTUNREACH},
		 .cause = CAUSE_ICMP,
		 .words = "ICMPv6 error came back"},
		{.name = "the application has emptied the queue",
		 .family = 4,
		 .evidence = {.sk_err_soft = EHOSTUNREACH},
		 .cause = CAUSE_ICMP,
		 .words = "ICMP error came back"},
		{.name = "inet_sk_rebuild_header() found no route: its own soft error",
		 .evidence = {RETRIED(-EHOSTUNREACH), .sk_err_soft = ENETUNREACH},
		 .cause = CAUSE_DROPPED_ON_OUTPUT,
		 .words = "the last retry did not leave this host (EHOSTUNREACH)"},
		{.name = "the same where the kernel does not tell the result",
		 .evidence = {.syn_unsent = 1, .sk_err_soft = ENETUNREACH},
		 .cause = CAUSE_NO_ANSWER,
		 .words = SILENCE},
		{.name = "a soft error that no ICMP error is turned into",
		 .evidence = {.sk_err_soft = EPIPE},
		 .cause = CAUSE_NO_ANSWER,
		 .words = SILENCE},
	};

	(void)state;
	CHECK(cases);
}

static void an_answer_that_tcp_refuses_is_bad(void **state)
{
	static const struct evidence_case cases[] = {
		{.name = "tcp_send_reset in SYN_SENT",
		 .evidence = {.flags = SW_F_BAD_ANSWER},
		 .cause = CAUSE_BAD_ANSWER,
		 .words = "%s answered, but not acceptably"},
		{.name = "freed by TCP: wrong ACK number",
		 .evidence = {DROPPED(SW_DROP_SYNACK, SW_DROP_LOCAL, OWN_NETNS,
				      TCP_INVALID_ACK_SEQUENCE)},
		 .cause = CAUSE_BAD_ANSWER,
		 .words = "%s answered, but not acceptably: TCP_INVALID_ACK_SEQUENCE"},
		{.name = "bad timestamp",
		 .evidence = {DROPPED(SW_DROP_SYNACK, SW_DROP_LOCAL, OWN_NETNS, TCP_RFC7323_PAWS)},
		 .cause = CAUSE_BAD_ANSWER,
		 .words = "%s answered, but not acceptably: TCP_RFC7323_PAWS"},
		{.name = "missing signature",
		 .evidence = {DROPPED(SW_DROP_SYNACK, SW_DROP_LOCAL, OWN_NETNS, TCP_MD5NOTFOUND)},
		 .cause = CAUSE_BAD_ANSWER,
		 .words = "%s answered, but not acceptably: TCP_MD5NOTFOUND"},
		{.name = "a RST was sent for it; the drop is another segment's",
		 .evidence = {.flags = SW_F_BAD_ANSWER | SW_F_DROP,
			      .drop = {.what = SW_DROP_SYN,
				       .where = SW_DROP_LOCAL,
				       .netns = OTHER_NETNS,
				       .reason = NETFILTER_DROP}},
		 .cause = CAUSE_BAD_ANSWER,
		 .words = "%s answered, but not acceptably"},
		{.name = "a RST was sent for it; the reason has no name",
		 .evidence = {.flags = SW_F_BAD_ANSWER | SW_F_DROP,
			      .drop = {.what = SW_DROP_SYNACK,
				       .where = SW_DROP_LOCAL,
				       .netns = OWN_NETNS,
				       .reason = UNNAMED}},
		 .cause = CAUSE_BAD_ANSWER,
		 .words = "%s answered, but not acceptably"},
		{.name = "TCP_CSUM: damaged on the way, who knows what it said",
		 .evidence = {DROPPED(SW_DROP_SYNACK, SW_DROP_LOCAL, OWN_NETNS, TCP_CSUM)},
		 .cause = CAUSE_REPLY_DROPPED_ON_INPUT,
		 .words = "%s answered, but this host drops the answer: TCP_CSUM in nf_hook_slow"},
		{.name = "the reason has no name",
		 .evidence = {DROPPED(SW_DROP_SYNACK, SW_DROP_LOCAL, OWN_NETNS, UNNAMED)},
		 .cause = CAUSE_REPLY_DROPPED_ON_INPUT,
		 .words = "%s answered, but this host drops the answer: unknown reason in "
			  "nf_hook_slow"},
		{.name = "a reason that only contains TCP_",
		 .evidence = {DROPPED(SW_DROP_SYNACK, SW_DROP_LOCAL, OWN_NETNS, XTCP_RESET)},
		 .cause = CAUSE_REPLY_DROPPED_ON_INPUT,
		 .words = "%s answered, but this host drops the answer: XTCP_RESET in "
			  "nf_hook_slow"},
		{.name = "not known to be for this namespace's TCP",
		 .evidence = {DROPPED(SW_DROP_SYNACK, SW_DROP_TRANSIT, OWN_NETNS,
				      TCP_RFC7323_PAWS)},
		 .cause = CAUSE_REPLY_DROPPED_ON_INPUT,
		 .words = "%s answered, but this host drops the answer: TCP_RFC7323_PAWS in "
			  "nf_hook_slow"},
		{.name = "the TCP of another namespace",
		 .evidence = {DROPPED(SW_DROP_SYNACK, SW_DROP_LOCAL, OTHER_NETNS,
				      TCP_INVALID_ACK_SEQUENCE)},
		 .cause = CAUSE_REPLY_DROPPED_ON_PATH,
		 .words = "%s answered, but namespace 4026532100 of this host drops the answer: "
			  "TCP_INVALID_ACK_SEQUENCE in nf_hook_slow"},
		{.name = "the peer's TCP refuses our SYN",
		 .evidence = {DROPPED(SW_DROP_SYN, SW_DROP_LOCAL, OTHER_NETNS, TCP_MD5NOTFOUND)},
		 .cause = CAUSE_DROPPED_BY_PEER,
		 .words = "%s, in namespace 4026532100 of this host, drops it on arrival: "
			  "TCP_MD5NOTFOUND in nf_hook_slow"},
	};

	(void)state;
	CHECK(cases);
}

static void a_syn_dropped_in_another_namespace_is_dropped_by_it(void **state)
{
	static const struct evidence_case cases[] = {
		{.name = "routed to local delivery: the peer's own firewall",
		 .evidence = {DROPPED(SW_DROP_SYN, SW_DROP_LOCAL, OTHER_NETNS, NETFILTER_DROP)},
		 .cause = CAUSE_DROPPED_BY_PEER,
		 .words = "%s, in namespace 4026532100 of this host, drops it on arrival: "
			  "NETFILTER_DROP in nf_hook_slow"},
		{.name = "over loopback",
		 .evidence = {DROPPED(SW_DROP_SYN, SW_DROP_LOCAL, OWN_NETNS, SOCKET_FILTER)},
		 .cause = CAUSE_DROPPED_BY_PEER,
		 .words = "%s, in namespace 4026531840 of this host, drops it on arrival: "
			  "SOCKET_FILTER in nf_hook_slow"},
		{.name = "the namespace is not known",
		 .evidence = {DROPPED(SW_DROP_SYN, SW_DROP_LOCAL, 0, IP_RPFILTER)},
		 .cause = CAUSE_DROPPED_BY_PEER,
		 .words = "%s, in a namespace of this host, drops it on arrival: IP_RPFILTER in "
			  "nf_hook_slow"},
		{.name = "it only crossed: a FORWARD rule, a bridge",
		 .evidence = {DROPPED(SW_DROP_SYN, SW_DROP_TRANSIT, OTHER_NETNS, NETFILTER_DROP)},
		 .cause = CAUSE_DROPPED_ON_PATH,
		 .words = "namespace 4026532100 of this host, on its way, drops it: "
			  "NETFILTER_DROP in nf_hook_slow"},
		{.name = "where is not known: not the peer's, not this namespace's",
		 .evidence = {DROPPED(SW_DROP_SYN, 0, OTHER_NETNS, NETFILTER_DROP)},
		 .cause = CAUSE_DROPPED_ON_PATH,
		 .words = "namespace 4026532100 of this host, on its way, drops it: "
			  "NETFILTER_DROP in nf_hook_slow"},
		{.name = "the name of the reason is missing",
		 .evidence = {DROPPED(SW_DROP_SYN, SW_DROP_TRANSIT, OTHER_NETNS, UNNAMED)},
		 .cause = CAUSE_DROPPED_ON_PATH,
		 .words = "namespace 4026532100 of this host, on its way, drops it: unknown "
			  "reason in nf_hook_slow"},
	};

	(void)state;
	CHECK(cases);
}

/* tcp_conn_request() gives no reason; the queues do. */
static void a_listener_on_this_host_that_ignores_it_is_dropped_by_it(void **state)
{
	static const struct {
		struct sw_listener listener;
		const char *words;
	} cases[] = {
		{{.backlog = 2, .limit = 1},
		 "10.0.0.1 port 80, in namespace 4026532999 of this host, ignores it: its accept "
		 "queue is full (2 of 1)"},
		{{.backlog = 1, .limit = 1, .requests = 2},
		 "10.0.0.1 port 80, in namespace 4026532999 of this host, ignores it: its SYN "
		 "queue is full (2 of 1)"},
		{{.backlog = 1, .limit = 1, .requests = 2, .syncookies = 1},
		 "10.0.0.1 port 80, in namespace 4026532999 of this host, ignores it: why is not "
		 "shown by the kernel"},
	};
	struct sw_handshake facts = facts_client(SW_RETRY, BEGIN + SEC, 1);
	struct words words;

	(void)state;
	facts.flags |= SW_F_DROP | SW_F_LISTENER;
	facts.drop = (struct sw_drop){
		.what = SW_DROP_SYN, .where = SW_DROP_LOCAL, .netns = 4026532999, .count = 1};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		facts.listener = cases[i].listener;
		assert_int_equal(cause_of(&facts, &words), CAUSE_DROPPED_BY_PEER);
		assert_string_equal(words.text, cases[i].words);
	}
	/* without its queues, or with a reason, it is a drop like any other */
	facts.flags &= ~SW_F_LISTENER;
	assert_int_equal(cause_of(&facts, &words), CAUSE_DROPPED_BY_PEER);
	assert_non_null(strstr(words.text, "drops it on arrival: unknown reason"));
	facts.flags |= SW_F_LISTENER;
	facts.drop.reason = NETFILTER_DROP;
	assert_int_equal(cause_of(&facts, &words), CAUSE_DROPPED_BY_PEER);
	assert_non_null(strstr(words.text, "drops it on arrival: NETFILTER_DROP"));
}

static void an_answer_dropped_here_is_told_from_one_dropped_on_its_way(void **state)
{
	static const struct evidence_case cases[] = {
		{.name = "kfree_skb of the SYN-ACK, found by early demux",
		 .evidence = {DROPPED(SW_DROP_SYNACK, SW_DROP_LOCAL, OWN_NETNS, NETFILTER_DROP)},
		 .cause = CAUSE_REPLY_DROPPED_ON_INPUT,
		 .words = "%s answered, but this host drops the answer: NETFILTER_DROP in "
			  "nf_hook_slow"},
		{.name = "before it was routed: tc, a bridge's port",
		 .evidence = {DROPPED(SW_DROP_SYNACK, SW_DROP_TRANSIT, OWN_NETNS, NETFILTER_DROP)},
		 .cause = CAUSE_REPLY_DROPPED_ON_INPUT,
		 .words = "%s answered, but this host drops the answer: NETFILTER_DROP in "
			  "nf_hook_slow"},
		{.name = "in a namespace that it only crossed",
		 .evidence = {DROPPED(SW_DROP_SYNACK, SW_DROP_TRANSIT, OTHER_NETNS,
				      NETFILTER_DROP)},
		 .cause = CAUSE_REPLY_DROPPED_ON_PATH,
		 .words = "%s answered, but namespace 4026532100 of this host drops the answer: "
			  "NETFILTER_DROP in nf_hook_slow"},
		{.name = "on its way out of the peer's",
		 .evidence = {DROPPED(SW_DROP_SYNACK, SW_DROP_OUTPUT, OTHER_NETNS, QDISC_DROP)},
		 .cause = CAUSE_REPLY_DROPPED_ON_PATH,
		 .words = "%s answered, but namespace 4026532100 of this host drops the answer: "
			  "QDISC_DROP in nf_hook_slow"},
		{.name = "the namespace is not known: not this one's input",
		 .evidence = {DROPPED(SW_DROP_SYNACK, SW_DROP_LOCAL, 0, NETFILTER_DROP)},
		 .cause = CAUSE_REPLY_DROPPED_ON_PATH,
		 .words = "%s answered, but a namespace of this host drops the answer: "
			  "NETFILTER_DROP in nf_hook_slow"},
	};

	(void)state;
	CHECK(cases);
}

/* --- priorities --- */

/* Evidence of one kind, the strongest first. Two of one group exclude each
 * other: a socket has one newest ICMP error, one newest drop, one last result. */
enum group { GROUP_ICMP = 1, GROUP_DROP, GROUP_RETRY, GROUP_FLAG };

static const struct {
	enum group group;
	struct evidence evidence;
	enum cause cause;
} by_strength[] = {
	{GROUP_ICMP, {QUEUED(THIS_HOST, 3, 1, EHOSTUNREACH)}, CAUSE_NEIGHBOUR_UNRESOLVED},
	{GROUP_ICMP, {QUEUED(ROUTER, 3, 13, EHOSTUNREACH)}, CAUSE_ICMP},
	{GROUP_DROP,
	 {DROPPED(SW_DROP_SYN, SW_DROP_OUTPUT, OWN_NETNS, NEIGH_FAILED)},
	 CAUSE_NEIGHBOUR_UNRESOLVED},
	/* not with a retry that failed: see the route that is gone, above */
	{GROUP_RETRY, {.sk_err_soft = EHOSTUNREACH}, CAUSE_ICMP},
	{GROUP_FLAG, {.flags = SW_F_BAD_ANSWER}, CAUSE_BAD_ANSWER},
	{GROUP_DROP,
	 {DROPPED(SW_DROP_SYNACK, SW_DROP_LOCAL, OWN_NETNS, TCP_RFC7323_PAWS)},
	 CAUSE_BAD_ANSWER},
	{GROUP_DROP,
	 {DROPPED(SW_DROP_SYN, SW_DROP_OUTPUT, OWN_NETNS, NETFILTER_DROP)},
	 CAUSE_DROPPED_ON_OUTPUT},
	{GROUP_RETRY, {RETRIED(-EBUSY)}, CAUSE_NEIGHBOUR_UNRESOLVED},
	{GROUP_RETRY, {RETRIED(-ENOBUFS)}, CAUSE_DROPPED_ON_OUTPUT},
	{GROUP_DROP,
	 {DROPPED(SW_DROP_SYN, SW_DROP_LOCAL, OTHER_NETNS, NETFILTER_DROP)},
	 CAUSE_DROPPED_BY_PEER},
	{GROUP_DROP,
	 {DROPPED(SW_DROP_SYN, SW_DROP_TRANSIT, OTHER_NETNS, NETFILTER_DROP)},
	 CAUSE_DROPPED_ON_PATH},
	{GROUP_DROP,
	 {DROPPED(SW_DROP_SYNACK, SW_DROP_LOCAL, OWN_NETNS, NETFILTER_DROP)},
	 CAUSE_REPLY_DROPPED_ON_INPUT},
	{GROUP_DROP,
	 {DROPPED(SW_DROP_SYNACK, SW_DROP_TRANSIT, OTHER_NETNS, NETFILTER_DROP)},
	 CAUSE_REPLY_DROPPED_ON_PATH},
};

static struct evidence together(struct evidence first, const struct evidence *second)
{
	first.flags |= second->flags;
	first.sk_err_soft |= second->sk_err_soft;
	first.syn_unsent |= second->syn_unsent;
	if (second->err)
		first.err = second->err;
	if (second->sender)
		first.sender = second->sender;
	if (second->icmp.errnum)
		first.icmp = second->icmp;
	if (second->drop.what)
		first.drop = second->drop;
	return first;
}

static void of_two_that_come_together_the_stronger_decides(void **state)
{
	size_t pairs = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(by_strength); i++) {
		for (size_t j = i; j < ARRAY_SIZE(by_strength); j++) {
			struct evidence both =
				together(by_strength[i].evidence, &by_strength[j].evidence);
			struct sw_handshake facts = facts_with(&both, 4);
			struct words said;
			enum cause cause;

			if (i != j && by_strength[i].group == by_strength[j].group)
				continue;
			/* REJECT in OUTPUT: a rule speaks, not a neighbour */
			if (i == 0 && by_strength[j].cause == CAUSE_DROPPED_ON_OUTPUT &&
			    by_strength[j].group == GROUP_DROP) {
				assert_int_equal(cause_of(&facts, &said), CAUSE_ICMP);
				continue;
			}
			pairs++;
			cause = cause_of(&facts, &said);
			if (cause != by_strength[i].cause)
				fail_msg("%zu with %zu: %s, not %s: %s", i, j, names_cause(cause),
					 names_cause(by_strength[i].cause), said.text);
		}
	}
	assert_int_equal(pairs, 13 + 52);
}

/* --- what is told besides the cause --- */

static void a_drop_is_told_as_far_as_it_is_known(void **state)
{
	struct terms *terms = terms_of_this_kernel();
	struct evidence evidence = {
		DROPPED(SW_DROP_SYN, SW_DROP_TRANSIT, OTHER_NETNS, NETFILTER_DROP)};
	struct sw_handshake facts = facts_with(&evidence, 4);
	struct report_handshake report = {};

	(void)state;
	evidence_tell_drop(&facts, terms, &report);
	assert_true(report.has_drop);
	assert_string_equal(report.drop.reason, "NETFILTER_DROP");
	assert_string_equal(report.drop.place, "nf_hook_slow");
	assert_int_equal(report.drop.netns, OTHER_NETNS);

	/* a reason's number is no place's */
	report = (struct report_handshake){};
	facts.drop.reason = (uint32_t)PLACE;
	facts.drop.place = NETFILTER_DROP;
	facts.drop.netns = 0;
	evidence_tell_drop(&facts, terms, &report);
	assert_true(report.has_drop);
	assert_string_equal(report.drop.reason, "");
	assert_string_equal(report.drop.place, "");
	assert_int_equal(report.drop.netns, 0);

	report = (struct report_handshake){};
	facts.flags &= ~SW_F_DROP;
	evidence_tell_drop(&facts, terms, &report);
	assert_false(report.has_drop);
	terms_free(terms);
}

static void icmp_is_told_as_far_as_it_is_known(void **state)
{
	static const struct {
		const char *name;
		uint8_t family;
		uint16_t sk_err;
		uint16_t sk_err_soft;
		uint16_t syn_unsent;
		int code; /* of type 1; -1: unknown, -2: nothing is told */
	} cases[] = {
		{"no route to destination", 6, 0, ENETUNREACH, 0, 0},
		{"port unreachable", 6, ECONNREFUSED, 0, 0, 4},
		{"codes 1, 5 and 6", 6, EACCES, 0, 0, -1},
		{"what ended it comes before what was soft", 6, ECONNREFUSED, EACCES, 0, 4},
		{"what ended it was no ICMP error", 6, ETIMEDOUT, EACCES, 0, -1},
		{"several types", 6, EHOSTUNREACH, 0, 0, -2},
		{"a route of this host's own", 6, 0, ENETUNREACH, 1, -2},
		{"IPv4 has it on the queue or nowhere", 4, ECONNREFUSED, ENETUNREACH, 0, -2},
		{"nothing", 6, 0, 0, 0, -2},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct evidence evidence = {.sk_err = cases[i].sk_err,
					    .sk_err_soft = cases[i].sk_err_soft,
					    .syn_unsent = cases[i].syn_unsent};
		struct sw_handshake facts = facts_with(&evidence, cases[i].family);
		struct report_handshake report = {};

		evidence_tell_icmp(&facts, &report);
		if (report.has_icmp != (cases[i].code != -2) ||
		    report.icmp_code_known != (cases[i].code >= 0))
			fail_msg("%s: %d, %d", cases[i].name, report.has_icmp,
				 report.icmp_code_known);
		if (report.has_icmp) {
			assert_int_equal(report.icmp.version, 6);
			assert_int_equal(report.icmp.type, 1);
		}
		if (report.icmp_code_known)
			assert_int_equal(report.icmp.code, cases[i].code);
	}
}

static void every_errno_of_the_tables_of_icmp_is_known_and_no_other(void **state)
{
	/* icmp_err_convert[], icmpv6_err_convert(), tab_unreach[] */
	static const int all[] = {ENETUNREACH, EHOSTUNREACH, ENOPROTOOPT, ECONNREFUSED, EOPNOTSUPP,
				  EHOSTDOWN,   ENONET,	     EPROTO,	  EACCES};

	(void)state;
	for (int errnum = 0; errnum < 200; errnum++) {
		bool expected = false;

		for (size_t i = 0; i < ARRAY_SIZE(all); i++)
			expected |= all[i] == errnum;
		assert_int_equal(evidence_is_icmp_errno(errnum), expected);
	}
}

/* --- the sentence --- */

static void fill(char *name, char letter)
{
	memset(name, letter, SW_NAME_LEN - 1);
	name[SW_NAME_LEN - 1] = '\0';
}

/* Every way to end, or not to, whose sentence holds the phrase. */
static void tell_stalled(struct sw_handshake *facts, struct report_handshake *report)
{
	verdict_stalled(facts, report);
	assert_int_equal(report->verdict, VERDICT_STALLED);
}

static void tell_timed_out(struct sw_handshake *facts, struct report_handshake *report)
{
	facts->sk_err = ETIMEDOUT;
	facts->timer.user_timeout_ms = UINT32_MAX;
	verdict_ended(facts, report);
	assert_int_equal(report->verdict, VERDICT_TIMED_OUT);
}

static void tell_abandoned(struct sw_handshake *facts, struct report_handshake *report)
{
	facts->flags |= SW_F_TASK | SW_F_PENDING | SW_F_EXITING;
	facts->closer = (struct sw_closer){.pid = UINT32_MAX, .exit_code = 16}; /* SIGSTKFLT */
	memset(facts->closer.comm, 'W', SW_COMM_LEN - 1);
	/* nobody has read it */
	if (facts->flags & SW_F_ICMP)
		facts->sk_err_soft = EHOSTUNREACH;
	verdict_ended(facts, report);
	assert_int_equal(report->verdict, VERDICT_ABANDONED);
}

static void tell_established(struct sw_handshake *facts, struct report_handshake *report)
{
	facts->new_state = ESTABLISHED;
	verdict_ended(facts, report);
	assert_int_equal(report->verdict, VERDICT_ESTABLISHED);
}

/* Somebody dropped the first SYN; who or what took the later ones is not known. */
static void an_old_drop_does_not_explain_todays_silence(void **state)
{
	struct sw_handshake facts = facts_client(SW_RETRY, BEGIN + 4 * SEC, 3);
	struct report_handshake report;

	(void)state;
	facts.flags |= SW_F_DROP;
	facts.drop = (struct sw_drop){.what = SW_DROP_SYN, .where = SW_DROP_LOCAL, .count = 1};
	handshake_describe(&facts, facts.header.time_ns, false, &report);
	verdict_stalled(&facts, &report);
	assert_int_equal(report.cause, CAUSE_NO_ANSWER);

	/* the third: the record of a retry precedes what becomes of it */
	facts.drop.attempt = 2;
	verdict_stalled(&facts, &report);
	assert_int_equal(report.cause, CAUSE_DROPPED_BY_PEER);
}

static void the_longest_names_fit_every_sentence(void **state)
{
	static void (*const ways[])(struct sw_handshake *, struct report_handshake *) = {
		tell_stalled, tell_timed_out, tell_abandoned, tell_established};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(by_strength) * ARRAY_SIZE(ways); i++) {
		const struct evidence *evidence = &by_strength[i / ARRAY_SIZE(ways)].evidence;
		struct sw_handshake facts = facts_with(evidence, 6);
		struct report_handshake report;
		struct words phrase;

		facts.header.kind = SW_CLOSE;
		facts.header.time_ns = BEGIN + (1ULL << 62);
		facts.new_state = CLOSED;
		facts.timer.retransmits = UINT8_MAX;
		facts.drop.attempt = UINT8_MAX;
		facts.syn_sent = UINT16_MAX;
		memset(facts.tuple.raddr, 0xde, sizeof(facts.tuple.raddr));
		if (facts.drop.netns == OTHER_NETNS)
			facts.drop.netns = UINT32_MAX;
		handshake_describe(&facts, facts.header.time_ns, true, &report);
		if (facts.flags & SW_F_DROP) {
			report.has_drop = true;
			fill(report.drop.reason, 'R');
			fill(report.drop.place, 'P');
		}
		/* these two go by the reason's name */
		if (facts.drop.reason == TCP_RFC7323_PAWS)
			memcpy(report.drop.reason, "TCP_", 4);
		if (facts.drop.reason == NEIGH_FAILED)
			strcpy(report.drop.reason, "NEIGH_FAILED");
		ways[i % ARRAY_SIZE(ways)](&facts, &report);
		assert_int_equal(report.cause, evidence_cause(&facts, &report, &phrase));
		if (strlen(phrase.text) >= sizeof(phrase.text) - 1)
			fail_msg("cut short: %s", phrase.text);
		if (strlen(report.why) >= sizeof(report.why) - 1 ||
		    !strstr(report.why, phrase.text))
			fail_msg("'%s' is not whole in '%s'", phrase.text, report.why);
		if (strstr(phrase.text, "PP") && !strstr(phrase.text, report.drop.place))
			fail_msg("the place is cut short: %s", phrase.text);
		if (strstr(phrase.text, "RR") && !strstr(phrase.text, report.drop.reason))
			fail_msg("the reason is cut short: %s", phrase.text);
	}
}

/* A capture is a file; what it says of names may be anything. */
static void a_hostile_name_cannot_drive_a_terminal(void **state)
{
	static const char hostile[] = "\033[2J%s%n\n\xff";
	struct terms *terms = terms_new();
	struct evidence evidence = {
		DROPPED(SW_DROP_SYNACK, SW_DROP_LOCAL, OWN_NETNS, NETFILTER_DROP)};
	struct sw_handshake facts = facts_with(&evidence, 4);
	struct report_handshake report;
	struct words said;

	(void)state;
	learn(terms, SW_NAME_REASON, NETFILTER_DROP, hostile);
	learn(terms, SW_NAME_PLACE, PLACE, hostile);
	handshake_describe(&facts, facts.header.time_ns, false, &report);
	evidence_tell_drop(&facts, terms, &report);
	assert_int_equal(evidence_cause(&facts, &report, &said), CAUSE_REPLY_DROPPED_ON_INPUT);
	assert_string_equal(said.text, "10.0.0.1 answered, but this host drops the answer: "
				       "?[2J%s%n?? in ?[2J%s%n??");
	/* the evidence itself stays as it was */
	assert_string_equal(report.drop.reason, hostile);
	learn(terms, SW_NAME_REASON, NETFILTER_DROP, "TCP_\033[2J");
	evidence_tell_drop(&facts, terms, &report);
	assert_int_equal(evidence_cause(&facts, &report, &said), CAUSE_BAD_ANSWER);
	assert_string_equal(said.text, "10.0.0.1 answered, but not acceptably: TCP_?[2J");
	terms_free(terms);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(silence_claims_nothing),
		cmocka_unit_test(an_unsent_syn_is_dropped_on_output),
		cmocka_unit_test(a_silent_neighbour_is_unresolved),
		cmocka_unit_test(an_icmp_error_that_did_not_end_it_is_the_cause),
		cmocka_unit_test(an_answer_that_tcp_refuses_is_bad),
		cmocka_unit_test(a_syn_dropped_in_another_namespace_is_dropped_by_it),
		cmocka_unit_test(a_listener_on_this_host_that_ignores_it_is_dropped_by_it),
		cmocka_unit_test(an_answer_dropped_here_is_told_from_one_dropped_on_its_way),
		cmocka_unit_test(of_two_that_come_together_the_stronger_decides),
		cmocka_unit_test(a_drop_is_told_as_far_as_it_is_known),
		cmocka_unit_test(icmp_is_told_as_far_as_it_is_known),
		cmocka_unit_test(every_errno_of_the_tables_of_icmp_is_known_and_no_other),
		cmocka_unit_test(an_old_drop_does_not_explain_todays_silence),
		cmocka_unit_test(the_longest_names_fit_every_sentence),
		cmocka_unit_test(a_hostile_name_cannot_drive_a_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
