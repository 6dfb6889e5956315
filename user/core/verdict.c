/* SPDX-License-Identifier: GPL-2.0-only */
#include "core/verdict.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "core/evidence.h"
#include "core/handshake.h"
#include "core/names.h"
#include "core/words.h"

/* include/net/tcp_states.h */
enum { STATE_ESTABLISHED = 1, STATE_SYN_SENT = 2 };

/* What is judged: the facts, and what the network did according to them. */
struct matter {
	const struct sw_handshake *facts;
	enum cause cause;   /* core/evidence's */
	struct words words; /* and its phrase */
};

struct rule {
	bool (*applies)(const struct sw_handshake *facts);
	enum verdict verdict;
	enum cause (*cause)(const struct matter *matter);
	/* errno, closer and the sentence */
	void (*tell)(const struct matter *matter, struct report_handshake *report);
};

static double seconds(int64_t ns)
{
	return ns / 1e9;
}

static struct words syns(const struct sw_handshake *facts)
{
	if (!facts->syn_sent)
		return words("no SYN sent");
	return words_count(facts->syn_sent, "SYN");
}

/* --- causes --- */

static enum cause cause_of_hang(const struct matter *matter)
{
	return matter->cause;
}

/* One that got through late keeps the cause of its trouble. A retry in less
 * than the first timeout was no timer's, see handshake_is_resent_early(). */
static enum cause cause_of_answered(const struct matter *matter)
{
	const struct sw_handshake *facts = matter->facts;
	uint64_t elapsed = facts->header.time_ns - handshake_begin_ns(facts);

	if (!facts->timer.retransmits || elapsed < HANDSHAKE_STALL_DEFAULT_NS)
		return CAUSE_NONE;
	return matter->cause;
}

static enum cause cause_none(const struct matter *matter)
{
	(void)matter;
	return CAUSE_NONE;
}

static enum cause cause_rst(const struct matter *matter)
{
	(void)matter;
	return CAUSE_RST;
}

/* The host's own word for a silent neighbour is an ICMP error too. */
static enum cause cause_of_rejected(const struct matter *matter)
{
	return matter->cause == CAUSE_NEIGHBOUR_UNRESOLVED ? matter->cause : CAUSE_ICMP;
}

/* ip_route_connect(): no route ENETUNREACH, `unreachable` EHOSTUNREACH,
 * `blackhole` EINVAL; `prohibit` EACCES, cgroup programs EPERM, LSMs EACCES.
 * inet_hash_connect() with every port taken: EADDRNOTAVAIL, and only it
 * returns that after the socket has entered SYN_SENT. */
static enum cause cause_of_local_error(const struct matter *matter)
{
	switch (-matter->facts->err) {
	case ENETUNREACH:
	case EHOSTUNREACH:
	case EINVAL:
		return CAUSE_NO_ROUTE;
	case EACCES:
	case EPERM:
		return CAUSE_DENIED;
	case EADDRNOTAVAIL:
		return matter->facts->old_state == STATE_SYN_SENT ? CAUSE_NO_PORT
								  : CAUSE_OTHER_ERROR;
	default:
		return CAUSE_OTHER_ERROR;
	}
}

static enum cause cause_other_error(const struct matter *matter)
{
	(void)matter;
	return CAUSE_OTHER_ERROR;
}

/* --- ended --- */

static bool is_local_error(const struct sw_handshake *facts)
{
	return facts->header.kind == SW_LOCAL_ERROR;
}

static struct words local_error_words(const struct sw_handshake *facts, enum cause cause)
{
	switch (cause) {
	case CAUSE_NO_ROUTE:
		return words("no usable route");
	case CAUSE_DENIED:
		return words("a route, a cgroup program or a security module forbids it");
	case CAUSE_NO_PORT:
		if (facts->port_low && facts->port_high >= facts->port_low)
			return words("all %s from %u to %u are taken for this destination",
				     words_count(facts->port_high - facts->port_low + 1U,
						 "local port")
					     .text,
				     facts->port_low, facts->port_high);
		return words("every local port is taken for this destination");
	default:
		return words("nothing was sent");
	}
}

static void tell_local_error(const struct matter *matter, struct report_handshake *report)
{
	report->errnum = -matter->facts->err;
	words_why(report, "connect() failed at once: %s (%s)",
		  local_error_words(matter->facts, report->cause).text,
		  words_errno(report->errnum).text);
}

static bool is_answered(const struct sw_handshake *facts)
{
	return facts->new_state == STATE_ESTABLISHED;
}

static void tell_answered(const struct matter *matter, struct report_handshake *report)
{
	const struct sw_handshake *facts = matter->facts;

	if (!facts->timer.retransmits)
		words_why(report, "answered after %.3f ms", report->elapsed_ns / 1e6);
	else if (report->cause == CAUSE_NONE)
		words_why(report,
			  "answered after %.3f ms and %s, the later sent at once for an answer "
			  "that was not acceptable",
			  report->elapsed_ns / 1e6, syns(facts).text);
	else if (report->cause != CAUSE_NO_ANSWER)
		words_why(report, "answered late, after %s and %.3f s; before, %s",
			  syns(facts).text, seconds(report->elapsed_ns), matter->words.text);
	else if (facts->syn_sent < 2)
		words_why(report, "answered late, after %.3f s; no retry had left this host",
			  seconds(report->elapsed_ns));
	else
		words_why(report, "answered late, after %s and %.3f s" VERDICT_OPEN_LATE,
			  syns(facts).text, seconds(report->elapsed_ns));
}

static void tell_closer(const struct sw_handshake *facts, struct report_handshake *report)
{
	report->has_closer = true;
	report->closer = facts->closer;
	if (!(facts->flags & SW_F_EXITING)) {
		report->closer_how = CLOSER_CLOSE;
	} else if (facts->closer.exit_code & 0x7f) {
		/* the low seven bits: the signal, as in wait(2)'s status */
		report->closer_how = CLOSER_SIGNAL;
		report->closer_signal = facts->closer.exit_code & 0x7f;
	} else {
		report->closer_how = CLOSER_EXIT;
	}
}

/* tcp_abort() sets ECONNABORTED, and nothing else does in SYN_SENT. */
static bool is_aborted(const struct sw_handshake *facts)
{
	return facts->sk_err == ECONNABORTED;
}

static void tell_aborted(const struct matter *matter, struct report_handshake *report)
{
	const struct sw_handshake *facts = matter->facts;

	report->errnum = facts->sk_err;
	/* not the closer: that is the application's own doing */
	if (facts->flags & SW_F_TASK)
		words_why(report, "destroyed from outside by %s[%u] (ss -K)",
			  words_comm(facts->closer.comm).text, facts->closer.pid);
	else
		words_why(report, "destroyed from outside (ss -K)");
}

/* tcp_reset() traces tcp_receive_reset before it sets sk_err. */
static bool is_reset(const struct sw_handshake *facts)
{
	return facts->sk_err && facts->flags & SW_F_RESET;
}

static void tell_reset(const struct matter *matter, struct report_handshake *report)
{
	const struct sw_handshake *facts = matter->facts;

	report->errnum = facts->sk_err;
	/* Seen on this host: REJECT --reject-with tcp-reset drops the SYN that it
	 * answers; a SYN that meets no socket is dropped, too. */
	if (report->has_drop && facts->drop.what == SW_DROP_SYN &&
	    !strcmp(report->drop.reason, "NETFILTER_DROP"))
		words_why(report,
			  "answered with a RST by a firewall rule in namespace %u of this host",
			  facts->drop.netns);
	else if (report->has_drop && facts->drop.what == SW_DROP_SYN &&
		 !strcmp(report->drop.reason, "NO_SOCKET"))
		words_why(report,
			  "answered with a RST: nothing listens on %s port %u (namespace %u)",
			  words_address(facts->tuple.raddr).text, facts->tuple.rport,
			  facts->drop.netns);
	else
		words_why(report,
			  "answered with a RST: nothing listens on %s port %u, or a firewall "
			  "refuses it",
			  words_address(facts->tuple.raddr).text, facts->tuple.rport);
}

/*
 * tcp_write_timer_handler() clears icsk_pending before tcp_retransmit_timer()
 * gives up; a packet that ends the socket leaves it set. tcp_write_err() then
 * reports an earlier soft error, even of an earlier attempt, rather than
 * ETIMEDOUT. After a transition that was missed the timer tells nothing, but no
 * packet means ETIMEDOUT.
 */
static bool is_timed_out(const struct sw_handshake *facts)
{
	if (facts->flags & SW_F_MISSED)
		return facts->sk_err == ETIMEDOUT;
	return !(facts->flags & SW_F_PENDING) &&
	       (facts->sk_err == ETIMEDOUT || evidence_is_icmp_errno(facts->sk_err));
}

static void tell_timed_out(const struct matter *matter, struct report_handshake *report)
{
	const struct sw_handshake *facts = matter->facts;
	struct words limit = words("retries used up");

	report->errnum = facts->sk_err;
	if (facts->timer.user_timeout_ms)
		limit = words("TCP_USER_TIMEOUT is %u ms", facts->timer.user_timeout_ms);
	if (report->cause == CAUSE_NO_ANSWER)
		words_why(report, "the kernel gave up: %s, no answer (%s)", syns(facts).text,
			  limit.text);
	else
		words_why(report, "the kernel gave up%s%s (%s); %s",
			  facts->syn_sent ? " after " : ", ", syns(facts).text, limit.text,
			  matter->words.text);
}

/*
 * An error set by a packet, and that packet was no RST. IPv4 has it on the
 * error queue, where the newest is the one that ended it; IPv6 by elimination,
 * unless a RST could have gone unnoticed.
 */
static bool is_rejected(const struct sw_handshake *facts)
{
	if (!(facts->flags & SW_F_PENDING) || !evidence_is_icmp_errno(facts->sk_err))
		return false;
	if (evidence_has_icmp(facts))
		return facts->icmp.errnum == facts->sk_err;
	return facts->tuple.family == 6 && !(facts->flags & SW_F_UNTRACKED);
}

/* The transition was missed, but what came is on the error queue, and retries
 * were left: it was no timeout. */
static bool is_rejected_unseen(const struct sw_handshake *facts)
{
	return facts->flags & SW_F_MISSED && evidence_has_icmp(facts) &&
	       facts->icmp.errnum == facts->sk_err &&
	       facts->timer.retransmits < facts->timer.retries;
}

/*
 * tcp_v4_err() and tcp_v6_err() only note an error while a process owns the
 * socket, as connect() does until its SYN is out. Over veth, a bridge or
 * loopback the answer comes that soon, and the next one only at the retry.
 */
static bool was_noted_before(const struct sw_handshake *facts)
{
	return facts->timer.retransmits && (facts->sk_err_soft || facts->icmp.count > 1);
}

static void tell_rejected(const struct matter *matter, struct report_handshake *report)
{
	const struct sw_handshake *facts = matter->facts;
	const char *early = "";

	report->errnum = facts->sk_err ? facts->sk_err : facts->icmp.errnum;
	if (was_noted_before(facts))
		early = "; one came at once, while connect() still held the socket, and had to "
			"come again at a retry";
	if (report->cause == CAUSE_NEIGHBOUR_UNRESOLVED)
		words_why(report, "%s", matter->words.text);
	else
		words_why(report, "%s: a firewall, router or host refuses it%s",
			  evidence_icmp_words(facts, report).text, early);
}

/*
 * The application learned of the ICMP error by SO_ERROR, which takes it off
 * sk_err_soft, and closed: sk_err is 0, but the error queue still has it.
 */
static bool is_rejection_read(const struct sw_handshake *facts)
{
	return !facts->sk_err && evidence_has_icmp(facts) && !facts->sk_err_soft &&
	       facts->flags & SW_F_TASK;
}

static void tell_rejection_read(const struct matter *matter, struct report_handshake *report)
{
	tell_rejected(matter, report);
	tell_closer(matter->facts, report);
}

/* Happy eyeballs: the process had what it wanted. */
static bool is_race_lost(const struct sw_handshake *facts)
{
	return facts->flags & SW_F_RACE_LOST;
}

static void tell_race_lost(const struct matter *matter, struct report_handshake *report)
{
	tell_closer(matter->facts, report);
	words_why(report,
		  "closed after %.3f ms because another address of the service answered first "
		  "(happy eyeballs)",
		  report->elapsed_ns / 1e6);
}

/* TCP_FASTOPEN_CONNECT put the SYN off until the first write, and none came. */
static bool is_never_begun(const struct sw_handshake *facts)
{
	return !facts->sk_err && facts->flags & SW_F_TASK && !(facts->flags & SW_F_PENDING) &&
	       !facts->syn_ns && facts->tuple.lport;
}

static void tell_never_begun(const struct matter *matter, struct report_handshake *report)
{
	report->syn_sent = report->syn_retransmits = report->syn_unsent = 0;
	tell_closer(matter->facts, report);
	words_why(report, "closed before the first write, which would have sent the SYN "
			  "(TCP_FASTOPEN_CONNECT)");
}

/* tcp_connect() arms the timer; without one nothing was ever sent. */
static bool is_unsent(const struct sw_handshake *facts)
{
	return !facts->sk_err && facts->flags & SW_F_TASK && !(facts->flags & SW_F_PENDING) &&
	       !facts->syn_ns;
}

static void tell_unsent(const struct matter *matter, struct report_handshake *report)
{
	(void)matter;
	report->syn_sent = report->syn_retransmits = report->syn_unsent = 0;
	words_why(report,
		  "the connection attempt failed before a SYN was sent; which error it got was "
		  "not seen");
}

/* close(), exit or a signal: a task closed it and the kernel had no error. */
static bool is_abandoned(const struct sw_handshake *facts)
{
	return !facts->sk_err && facts->flags & SW_F_TASK;
}

static struct words closer_words(const struct report_handshake *report)
{
	static const char *const did[CLOSER_COUNT] = {
		[CLOSER_CLOSE] = "closed it",
		[CLOSER_EXIT] = "exited",
		[CLOSER_SIGNAL] = "was killed by SIG",
	};
	const char *signal_name = "";

	if (report->closer_how == CLOSER_SIGNAL) {
		signal_name = sigabbrev_np(report->closer_signal);
		if (!signal_name)
			signal_name = "NAL";
	}
	return words("%.15s[%u] %s%s", words_comm(report->closer.comm).text, report->closer.pid,
		     did[report->closer_how], signal_name);
}

static void tell_abandoned(const struct matter *matter, struct report_handshake *report)
{
	const struct sw_handshake *facts = matter->facts;

	tell_closer(facts, report);
	if (report->cause == CAUSE_NO_ANSWER)
		words_why(report, "%s after %.3f s, %s and no answer", closer_words(report).text,
			  seconds(report->elapsed_ns), syns(facts).text);
	else
		words_why(report, "%s after %.3f s and %s; %s", closer_words(report).text,
			  seconds(report->elapsed_ns), syns(facts).text, matter->words.text);
}

static bool always(const struct sw_handshake *facts)
{
	(void)facts;
	return true;
}

static void tell_unknown(const struct matter *matter, struct report_handshake *report)
{
	const struct sw_handshake *facts = matter->facts;

	report->errnum = facts->sk_err;
	if (facts->sk_err)
		words_why(report, "it ended with %s, but not why: what came before was not seen",
			  words_errno(facts->sk_err).text);
	else
		words_why(report, "it ended, but not why: what came before was not seen");
}

static const struct rule rules[] = {
	{is_local_error, VERDICT_LOCAL_ERROR, cause_of_local_error, tell_local_error},
	{is_answered, VERDICT_ESTABLISHED, cause_of_answered, tell_answered},
	{is_race_lost, VERDICT_ABANDONED, cause_none, tell_race_lost},
	{is_aborted, VERDICT_ABORTED, cause_of_hang, tell_aborted},
	{is_reset, VERDICT_REFUSED, cause_rst, tell_reset},
	{is_timed_out, VERDICT_TIMED_OUT, cause_of_hang, tell_timed_out},
	{is_rejected, VERDICT_REJECTED, cause_of_rejected, tell_rejected},
	{is_rejected_unseen, VERDICT_REJECTED, cause_of_rejected, tell_rejected},
	{is_rejection_read, VERDICT_REJECTED, cause_of_rejected, tell_rejection_read},
	{is_never_begun, VERDICT_ABANDONED, cause_none, tell_never_begun},
	{is_unsent, VERDICT_LOCAL_ERROR, cause_other_error, tell_unsent},
	{is_abandoned, VERDICT_ABANDONED, cause_of_hang, tell_abandoned},
	{always, VERDICT_UNKNOWN, cause_of_hang, tell_unknown},
};

static struct matter matter_of(const struct sw_handshake *facts, struct report_handshake *report)
{
	struct matter matter = {.facts = facts};

	if (facts->header.kind != SW_LOCAL_ERROR)
		matter.cause = evidence_cause(facts, report, &matter.words);
	return matter;
}

/* An ICMP error is told only where it is the story. */
static void keep_icmp(const struct sw_handshake *facts, struct report_handshake *report)
{
	report->has_icmp = false;
	if (report->cause == CAUSE_ICMP || report->cause == CAUSE_NEIGHBOUR_UNRESOLVED)
		evidence_tell_icmp(facts, report);
}

void verdict_ended(const struct sw_handshake *facts, struct report_handshake *report)
{
	const struct rule *rule = rules;
	const struct matter matter = matter_of(facts, report);

	while (!rule->applies(facts))
		rule++;
	report->verdict = rule->verdict;
	report->cause = rule->cause(&matter);
	keep_icmp(facts, report);
	rule->tell(&matter, report);
}

/* --- under way, lost --- */

void verdict_stalled(const struct sw_handshake *facts, struct report_handshake *report)
{
	const struct matter matter = matter_of(facts, report);

	report->verdict = VERDICT_STALLED;
	report->cause = matter.cause;
	keep_icmp(facts, report);
	if (report->cause == CAUSE_ICMP)
		words_why(report, "%s; %s, but the kernel keeps trying", syns(facts).text,
			  matter.words.text);
	else
		words_why(report, "%s%c %s", syns(facts).text,
			  report->cause == CAUSE_NO_ANSWER ? ',' : ';', matter.words.text);
}

void verdict_lost(const struct sw_handshake *facts, struct report_handshake *report)
{
	report->verdict = VERDICT_UNKNOWN;
	report->cause = matter_of(facts, report).cause;
	keep_icmp(facts, report);
	words_why(report, "its end was not seen: records were lost");
}
