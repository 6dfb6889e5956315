/* SPDX-License-Identifier: GPL-2.0-only */
#include "core/refusal.h"

#include <string.h>

#include "core/evidence.h"
#include "core/listener.h"
#include "core/words.h"

/* What is judged. */
struct matter {
	const struct sw_handshake *facts;
	const char *reason; /* of the drop; "": unknown, or none */
	bool reset_seen;
};

struct rule {
	bool (*applies)(const struct matter *matter);
	enum verdict verdict;
	enum cause cause; /* CAUSE_COUNT: the listener's queues tell */
	/* icmp and the sentence */
	void (*tell)(const struct matter *matter, struct report_handshake *report);
};

static struct words queue_words(const struct sw_handshake *facts)
{
	return listener_accept_queue_words(&facts->listener, facts->flags);
}

static bool always(const struct matter *matter)
{
	(void)matter;
	return true;
}

static bool is_reason(const struct matter *matter, const char *reason)
{
	return !strcmp(matter->reason, reason);
}

/* tcp_check_req(), embryonic_reset: with tcp_abort_on_overflow the ACK that finds
 * no room is answered. Its reason has a name from 6.15 on. */
static bool is_overflow_refused(const struct matter *matter)
{
	const struct sw_handshake *facts = matter->facts;

	if (facts->drop.what != SW_DROP_OTHER)
		return false;
	if (!(facts->flags & SW_F_RESET_SENT) &&
	    !(facts->flags & SW_F_LISTENER && facts->listener.abort_on_overflow))
		return false;
	return is_reason(matter, "TCP_LISTEN_OVERFLOW") ||
	       listener_accept_queue_full(&facts->listener, facts->flags);
}

static void tell_overflow_refused(const struct matter *matter, struct report_handshake *report)
{
	words_why(report, "%s: its completing ACK was answered with a RST (tcp_abort_on_overflow)",
		  queue_words(matter->facts).text);
}

/* nf_hook_slow() and its like: a verdict of NF_DROP. REJECT answers, and then
 * drops what it has answered. */
static bool is_dropped_by_rule(const struct matter *matter)
{
	return is_reason(matter, "NETFILTER_DROP");
}

/* icmp_send() or icmp6_send(), from within nf_send_unreach() or nf_send_unreach6(). */
static bool is_icmp_sent(const struct matter *matter)
{
	return matter->facts->flags & SW_F_ICMP_SENT;
}

static bool is_rejected_by_rule(const struct matter *matter)
{
	return is_dropped_by_rule(matter) && is_icmp_sent(matter);
}

static void tell_icmp(const struct matter *matter, struct report_handshake *report)
{
	report->has_icmp = report->icmp_code_known = true;
	report->icmp = matter->facts->icmp;
}

static void tell_rejected_by_rule(const struct matter *matter, struct report_handshake *report)
{
	tell_icmp(matter, report);
	words_why(report, "a firewall rule of this host answers with %s",
		  evidence_icmp_words(matter->facts, report).text);
}

/* nf_send_reset() is no tcp_send_reset. It has nf_ct_attach() make its RST part of the
 * SYN's connection; and a client of this host gets it (tcp_receive_reset). */
static bool is_refused_by_rule(const struct matter *matter)
{
	return is_dropped_by_rule(matter) &&
	       (matter->facts->flags & SW_F_RESET_SENT || matter->reset_seen);
}

static void tell_refused_by_rule(const struct matter *matter, struct report_handshake *report)
{
	words_why(report, "a firewall rule of this host answers it with a RST%s",
		  matter->reset_seen ? ", which its client, on this host too, has got" : "");
}

static void tell_dropped_by_rule(const struct matter *matter, struct report_handshake *report)
{
	const struct sw_handshake *facts = matter->facts;
	uint32_t icmp = facts->tuple.family == 4 ? SW_F_ICMP_TELLS : SW_F_ICMP6_TELLS;

	words_why(report, "thrown away by a firewall rule: %s", evidence_drop_words(report).text);
	if (!(facts->flags & (icmp | SW_F_RESET_TELLS)))
		words_why_more(report, " (a REJECT would look the same)");
	else if (!(facts->flags & SW_F_RESET_TELLS))
		words_why_more(report, " (a REJECT with a RST would look the same)");
	else if (!(facts->flags & icmp))
		words_why_more(report, " (a REJECT with an ICMP error would look the same)");
}

/* tcp_v4_rcv(), no_tcp_socket: tcp_v4_send_reset(). */
static bool is_without_socket(const struct matter *matter)
{
	return is_reason(matter, "NO_SOCKET");
}

static void tell_no_listener(const struct matter *matter, struct report_handshake *report)
{
	const struct sw_tuple *tuple = &matter->facts->tuple;

	words_why(report, "nothing listens on %s port %u: answered with a RST",
		  words_address(tuple->laddr).text, tuple->lport);
}

/* tcp_conn_request() throws it away, and tcp_rcv_state_process() frees it with
 * consume_skb(), as one that was answered. */
static bool is_ignored(const struct matter *matter)
{
	return !matter->facts->drop.reason;
}

static void tell_ignored(const struct matter *matter, struct report_handshake *report)
{
	const struct sw_handshake *facts = matter->facts;
	struct words who = words("its application");

	if (facts->flags & SW_F_OWNER)
		who = words("%.15s[%u]", words_comm(facts->owner.comm).text, facts->owner.pid);
	if (report->cause == CAUSE_ACCEPT_QUEUE_FULL)
		words_why(report, "%s: %s does not accept() fast enough", queue_words(facts).text,
			  who.text);
	else if (report->cause == CAUSE_SYN_QUEUE_FULL)
		words_why(report, "the %s, and syncookies are off",
			  listener_words(&facts->listener, report->cause).text);
	else
		words_why(report, "its listener ignored it; why is not shown by the kernel");
}

/* tcp_send_reset, from within the receive path. */
static bool is_reset_sent(const struct matter *matter)
{
	return matter->facts->flags & SW_F_RESET_SENT;
}

static void tell_refused(const struct matter *matter, struct report_handshake *report)
{
	(void)matter;
	words_why(report, "dropped on arrival and answered with a RST: %s",
		  evidence_drop_words(report).text);
}

static void tell_rejected(const struct matter *matter, struct report_handshake *report)
{
	tell_icmp(matter, report);
	words_why(report, "dropped on arrival and answered with %s: %s",
		  evidence_icmp_words(matter->facts, report).text,
		  evidence_drop_words(report).text);
}

static void tell_dropped(const struct matter *matter, struct report_handshake *report)
{
	(void)matter;
	words_why(report, "dropped on arrival: %s", evidence_drop_words(report).text);
}

static const struct rule rules[] = {
	{is_overflow_refused, VERDICT_REFUSED, CAUSE_ACCEPT_QUEUE_FULL, tell_overflow_refused},
	{is_rejected_by_rule, VERDICT_REJECTED, CAUSE_NETFILTER, tell_rejected_by_rule},
	{is_refused_by_rule, VERDICT_REFUSED, CAUSE_NETFILTER, tell_refused_by_rule},
	{is_dropped_by_rule, VERDICT_IGNORED, CAUSE_NETFILTER, tell_dropped_by_rule},
	{is_without_socket, VERDICT_REFUSED, CAUSE_NO_LISTENER, tell_no_listener},
	{is_reset_sent, VERDICT_REFUSED, CAUSE_OTHER_DROP, tell_refused},
	{is_icmp_sent, VERDICT_REJECTED, CAUSE_OTHER_DROP, tell_rejected},
	{is_ignored, VERDICT_IGNORED, CAUSE_COUNT, tell_ignored},
	{always, VERDICT_IGNORED, CAUSE_OTHER_DROP, tell_dropped},
};

void refusal_judge(const struct sw_handshake *facts, bool reset_seen,
		   struct report_handshake *report)
{
	const struct matter matter = {facts, report->drop.reason, reset_seen};
	const struct rule *rule = rules;

	while (!rule->applies(&matter))
		rule++;
	report->verdict = rule->verdict;
	report->cause = rule->cause == CAUSE_COUNT ? listener_cause(&facts->listener, facts->flags)
						   : rule->cause;
	rule->tell(&matter, report);
}

bool refusal_is_open(const struct sw_handshake *facts, const char *reason)
{
	const struct matter matter = {facts, reason ? reason : "", false};

	return is_dropped_by_rule(&matter) && !is_icmp_sent(&matter) && !is_reset_sent(&matter) &&
	       !(facts->flags & SW_F_RESET_TELLS);
}
