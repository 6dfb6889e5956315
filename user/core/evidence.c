/* SPDX-License-Identifier: GPL-2.0-only */
#include "core/evidence.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/listener.h"
#include "core/names.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* --- ICMP --- */

bool evidence_is_icmp_errno(int errnum)
{
	static const int all[] = {ENETUNREACH, EHOSTUNREACH, ENOPROTOOPT, ECONNREFUSED, EOPNOTSUPP,
				  EHOSTDOWN,   ENONET,	     EPROTO,	  EACCES};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		if (all[i] == errnum)
			return true;
	}
	return false;
}

/* tcp_v4_err() queues every ICMP error in SYN_SENT on the error queue (5.9+). */
bool evidence_has_icmp(const struct sw_handshake *facts)
{
	return facts->flags & SW_F_ICMP && facts->icmp.errnum;
}

/*
 * Without the queue (IPv6, and where the application has emptied it) sk_err_soft
 * still shows that an error came. But inet_sk_rebuild_header() and its like leave
 * theirs there, too, when a retry finds no route; that retry does not leave.
 */
static bool has_soft_icmp(const struct sw_handshake *facts)
{
	return evidence_is_icmp_errno(facts->sk_err_soft) && !facts->syn_unsent;
}

/* tcp_v6_err() queues only for IPV6_RECVERR. The errno alone still tells type
 * and code where icmpv6_err_convert() maps only one of them to it. */
struct icmp6_errno {
	int errnum;
	int code;
};

static const struct icmp6_errno icmp6_unreachable[] = {
	{ENETUNREACH, 0}, {ECONNREFUSED, 4}, {EACCES, -1}, /* codes 1, 5 and 6 */
};

void evidence_tell_icmp(const struct sw_handshake *facts, struct report_handshake *report)
{
	int errnum = 0;

	if (evidence_has_icmp(facts)) {
		report->has_icmp = report->icmp_code_known = true;
		report->icmp = facts->icmp;
		return;
	}
	if (evidence_is_icmp_errno(facts->sk_err))
		errnum = facts->sk_err;
	else if (has_soft_icmp(facts))
		errnum = facts->sk_err_soft;
	for (size_t i = 0; i < ARRAY_SIZE(icmp6_unreachable); i++) {
		if (facts->tuple.family != 6 || icmp6_unreachable[i].errnum != errnum)
			continue;
		report->has_icmp = true;
		report->icmp.version = 6;
		report->icmp.type = 1; /* destination unreachable, RFC 4443 3.1 */
		report->icmp_code_known = icmp6_unreachable[i].code >= 0;
		if (report->icmp_code_known)
			report->icmp.code = icmp6_unreachable[i].code;
	}
}

static bool is_from_this_host(const struct sw_handshake *facts)
{
	return evidence_has_icmp(facts) &&
	       memcmp(facts->icmp.from, facts->tuple.laddr, sizeof(facts->icmp.from)) == 0;
}

struct words evidence_icmp_words(const struct sw_handshake *facts,
				 const struct report_handshake *report)
{
	static const __u8 nobody[sizeof(facts->icmp.from)];
	const char *version = facts->tuple.family == 6 ? "v6" : "";
	const char *name = NULL;

	if (report->has_icmp)
		name = names_icmp(report->icmp.version, report->icmp.type,
				  report->icmp_code_known ? report->icmp.code : -1);
	if (!name)
		name = "error";
	if (!evidence_has_icmp(facts) || !memcmp(facts->icmp.from, nobody, sizeof(nobody)))
		return words("ICMP%s %s", version, name);
	return words("ICMP%s %s from %s", version, name,
		     is_from_this_host(facts) ? "this host itself"
					      : words_address(facts->icmp.from).text);
}

/* --- drops --- */

void evidence_tell_drop(const struct sw_handshake *facts, const struct terms *terms,
			struct report_handshake *report)
{
	const struct sw_drop *drop = &facts->drop;
	const char *reason, *place;

	if (!(facts->flags & SW_F_DROP))
		return;
	/* What a listener ignores is freed without either. */
	reason = drop->reason ? terms_find(terms, SW_NAME_REASON, drop->reason) : NULL;
	place = drop->place ? terms_find(terms, SW_NAME_PLACE, drop->place) : NULL;
	report->has_drop = true;
	report->drop.netns = drop->netns;
	if (reason)
		(void)snprintf(report->drop.reason, sizeof(report->drop.reason), "%s", reason);
	if (place)
		(void)snprintf(report->drop.place, sizeof(report->drop.place), "%s", place);
}

struct words evidence_drop_words(const struct report_handshake *report)
{
	const struct report_drop *drop = &report->drop;
	const struct words reason = words_name(*drop->reason ? drop->reason : "unknown reason");

	return *drop->place ? words("%s in %s", reason.text, words_name(drop->place).text) : reason;
}

/* "namespace 4026532100" */
static struct words namespace_words(const struct sw_handshake *facts)
{
	return facts->drop.netns ? words("namespace %u", facts->drop.netns) : words("a namespace");
}

bool evidence_is_dropped(const struct sw_handshake *facts, enum sw_drop_what what)
{
	return facts->flags & SW_F_DROP && facts->drop.what == what &&
	       facts->drop.attempt + 2 >= facts->timer.retransmits;
}

static bool is_reason(const struct report_handshake *report, const char *reason)
{
	return report->has_drop && !strcmp(report->drop.reason, reason);
}

/* --- the rules --- */

struct rule {
	bool (*applies)(const struct sw_handshake *facts, const struct report_handshake *report);
	enum cause cause;
	struct words (*tell)(const struct sw_handshake *facts,
			     const struct report_handshake *report);
};

/* An error that came and that no silent neighbour explains; on IPv6 as far as
 * the errno of the one that ended it tells. */
static bool has_other_icmp(const struct sw_handshake *facts)
{
	if (evidence_has_icmp(facts))
		return true;
	return evidence_is_icmp_errno(facts->sk_err) && facts->sk_err != EHOSTUNREACH;
}

/* A neighbour that is not there yet, or never (neigh_invalidate()), and the
 * queue that waits for it (__neigh_event_send()). The other reasons NEIGH_* are
 * not its silence. */
static bool is_dropped_for_neighbour(const struct sw_handshake *facts,
				     const struct report_handshake *report)
{
	return evidence_is_dropped(facts, SW_DROP_SYN) && facts->drop.where == SW_DROP_OUTPUT &&
	       (is_reason(report, "NEIGH_FAILED") || is_reason(report, "NEIGH_QUEUEFULL"));
}

/* On its way out, by netfilter. */
static bool is_dropped_by_rule(const struct sw_handshake *facts,
			       const struct report_handshake *report)
{
	return evidence_is_dropped(facts, SW_DROP_SYN) && facts->drop.where == SW_DROP_OUTPUT &&
	       is_reason(report, "NETFILTER_DROP");
}

/* arp_error_report() and ndisc_error_report() make the host tell itself that a
 * neighbour did not answer: 3/1, and for IPv6 1/3, from an address of its own. */
static bool is_neighbour_silent(const struct sw_handshake *facts,
				const struct report_handshake *report)
{
	/* REJECT with that code, in OUTPUT, sends the same, but drops the SYN */
	if (is_from_this_host(facts) && !is_dropped_by_rule(facts, report) &&
	    ((facts->icmp.version == 4 && facts->icmp.type == 3 && facts->icmp.code == 1) ||
	     (facts->icmp.version == 6 && facts->icmp.type == 1 && facts->icmp.code == 3)))
		return true;
	return is_dropped_for_neighbour(facts, report) && !has_other_icmp(facts);
}

static struct words tell_neighbour_silent(const struct sw_handshake *facts,
					  const struct report_handshake *report)
{
	bool dropped = is_dropped_for_neighbour(facts, report);

	return words("ARP or neighbour discovery for the next hop gets no answer%s%s",
		     dropped ? ": " : "", dropped ? evidence_drop_words(report).text : "");
}

/* An error that came but did not end it is still all the network said. */
static bool is_icmp(const struct sw_handshake *facts, const struct report_handshake *report)
{
	(void)report;
	return evidence_has_icmp(facts) || has_soft_icmp(facts);
}

static struct words tell_icmp(const struct sw_handshake *facts,
			      const struct report_handshake *report)
{
	return words("%s came back", evidence_icmp_words(facts, report).text);
}

/* Freed by the TCP that it was for, with a reason of TCP's own; a bad checksum
 * is no answer at all. */
static bool is_refused_by_tcp(const struct sw_handshake *facts,
			      const struct report_handshake *report)
{
	return (evidence_is_dropped(facts, SW_DROP_SYNACK) ||
		evidence_is_dropped(facts, SW_DROP_OTHER)) &&
	       facts->drop.where == SW_DROP_LOCAL && facts->drop.netns == facts->tuple.netns &&
	       !strncmp(report->drop.reason, "TCP_", 4) && !is_reason(report, "TCP_CSUM");
}

/* tcp_rcv_synsent_state_process() answers what it cannot accept with a RST. */
static bool is_bad_answer(const struct sw_handshake *facts, const struct report_handshake *report)
{
	return facts->flags & SW_F_BAD_ANSWER || is_refused_by_tcp(facts, report);
}

static struct words tell_bad_answer(const struct sw_handshake *facts,
				    const struct report_handshake *report)
{
	bool told = is_refused_by_tcp(facts, report);

	return words("%s answered, but not acceptably%s%s", words_address(facts->tuple.raddr).text,
		     told ? ": " : "", told ? words_name(report->drop.reason).text : "");
}

static bool is_dropped_on_output(const struct sw_handshake *facts,
				 const struct report_handshake *report)
{
	(void)report;
	return evidence_is_dropped(facts, SW_DROP_SYN) && facts->drop.where == SW_DROP_OUTPUT;
}

static struct words tell_dropped_on_output(const struct sw_handshake *facts,
					   const struct report_handshake *report)
{
	(void)facts;
	return words("this host drops it on the way out: %s", evidence_drop_words(report).text);
}

/* skb_still_in_host_queue() (its result: 6.17+): the SYN before still waits on
 * this host, nearly always for a neighbour. */
static bool is_waiting(const struct sw_handshake *facts, const struct report_handshake *report)
{
	(void)report;
	return facts->flags & SW_F_ERR && facts->err == -EBUSY && !has_other_icmp(facts);
}

static struct words tell_waiting(const struct sw_handshake *facts,
				 const struct report_handshake *report)
{
	(void)facts;
	(void)report;
	return words("the SYN still waits on this host: the next hop's address is not resolved "
		     "(or a queue does not drain)");
}

/* tcp_retransmit_skb's result (6.17+): negative errno, or NET_XMIT_DROP. */
static bool is_unsent(const struct sw_handshake *facts, const struct report_handshake *report)
{
	(void)report;
	return facts->flags & SW_F_ERR && facts->err;
}

static struct words tell_unsent(const struct sw_handshake *facts,
				const struct report_handshake *report)
{
	(void)report;
	if (facts->err > 0)
		return words("the last retry did not leave this host: its queueing or traffic "
			     "control dropped it");
	return words("the last retry did not leave this host (%s)", words_errno(-facts->err).text);
}

static bool is_dropped_by_peer(const struct sw_handshake *facts,
			       const struct report_handshake *report)
{
	(void)report;
	return evidence_is_dropped(facts, SW_DROP_SYN) && facts->drop.where == SW_DROP_LOCAL;
}

/* By its listener, which does so without a reason (tcp_conn_request()); one
 * namespace of this host is both ends' then, or each has its own. */
static struct words tell_ignored_by_peer(const struct sw_handshake *facts)
{
	enum cause cause = listener_cause(&facts->listener, facts->flags);

	return words("%s port %u, in %s of this host, ignores it: %s%s",
		     words_address(facts->tuple.raddr).text, facts->tuple.rport,
		     namespace_words(facts).text, cause == CAUSE_OTHER_DROP ? "" : "its ",
		     cause == CAUSE_OTHER_DROP ? "why is not shown by the kernel"
					       : listener_words(&facts->listener, cause).text);
}

static struct words tell_dropped_by_peer(const struct sw_handshake *facts,
					 const struct report_handshake *report)
{
	if (!facts->drop.reason && facts->flags & SW_F_LISTENER)
		return tell_ignored_by_peer(facts);
	return words("%s, in %s of this host, drops it on arrival: %s",
		     words_address(facts->tuple.raddr).text, namespace_words(facts).text,
		     evidence_drop_words(report).text);
}

static bool is_dropped_on_path(const struct sw_handshake *facts,
			       const struct report_handshake *report)
{
	(void)report;
	return evidence_is_dropped(facts, SW_DROP_SYN);
}

static struct words tell_dropped_on_path(const struct sw_handshake *facts,
					 const struct report_handshake *report)
{
	return words("%s of this host, on its way, drops it: %s", namespace_words(facts).text,
		     evidence_drop_words(report).text);
}

/* Also before it was routed (tc, XDP, a bridge's port, PREROUTING), where it is
 * not known to be for this namespace. */
static bool is_reply_dropped_on_input(const struct sw_handshake *facts,
				      const struct report_handshake *report)
{
	(void)report;
	return evidence_is_dropped(facts, SW_DROP_SYNACK) &&
	       facts->drop.netns == facts->tuple.netns && facts->drop.where != SW_DROP_OUTPUT;
}

static struct words tell_reply_dropped_on_input(const struct sw_handshake *facts,
						const struct report_handshake *report)
{
	return words("%s answered, but this host drops the answer: %s",
		     words_address(facts->tuple.raddr).text, evidence_drop_words(report).text);
}

static bool is_reply_dropped_on_path(const struct sw_handshake *facts,
				     const struct report_handshake *report)
{
	(void)report;
	return evidence_is_dropped(facts, SW_DROP_SYNACK);
}

static struct words tell_reply_dropped_on_path(const struct sw_handshake *facts,
					       const struct report_handshake *report)
{
	return words("%s answered, but %s of this host drops the answer: %s",
		     words_address(facts->tuple.raddr).text, namespace_words(facts).text,
		     evidence_drop_words(report).text);
}

static bool always(const struct sw_handshake *facts, const struct report_handshake *report)
{
	(void)facts;
	(void)report;
	return true;
}

static struct words tell_silence(const struct sw_handshake *facts,
				 const struct report_handshake *report)
{
	(void)facts;
	(void)report;
	return words("no answer" EVIDENCE_OPEN);
}

static const struct rule rules[] = {
	{is_neighbour_silent, CAUSE_NEIGHBOUR_UNRESOLVED, tell_neighbour_silent},
	{is_icmp, CAUSE_ICMP, tell_icmp},
	{is_bad_answer, CAUSE_BAD_ANSWER, tell_bad_answer},
	{is_dropped_on_output, CAUSE_DROPPED_ON_OUTPUT, tell_dropped_on_output},
	{is_waiting, CAUSE_NEIGHBOUR_UNRESOLVED, tell_waiting},
	{is_unsent, CAUSE_DROPPED_ON_OUTPUT, tell_unsent},
	{is_dropped_by_peer, CAUSE_DROPPED_BY_PEER, tell_dropped_by_peer},
	{is_dropped_on_path, CAUSE_DROPPED_ON_PATH, tell_dropped_on_path},
	{is_reply_dropped_on_input, CAUSE_REPLY_DROPPED_ON_INPUT, tell_reply_dropped_on_input},
	{is_reply_dropped_on_path, CAUSE_REPLY_DROPPED_ON_PATH, tell_reply_dropped_on_path},
	{always, CAUSE_NO_ANSWER, tell_silence},
};

enum cause evidence_cause(const struct sw_handshake *facts, struct report_handshake *report,
			  struct words *ret_words)
{
	const struct rule *rule = rules;

	evidence_tell_icmp(facts, report);
	while (!rule->applies(facts, report))
		rule++;
	*ret_words = rule->tell(facts, report);
	return rule->cause;
}
