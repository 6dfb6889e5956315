/* SPDX-License-Identifier: GPL-2.0-only */
#include "core/verdict.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>

#include "core/handshake.h"
#include "core/names.h"

/* include/net/tcp_states.h */
enum { STATE_ESTABLISHED = 1, STATE_SYN_SENT = 2 };

struct rule {
	bool (*applies)(const struct sw_handshake *facts);
	enum verdict verdict;
	enum cause (*cause)(const struct sw_handshake *facts);
	/* errno, icmp, closer and the sentence */
	void (*tell)(const struct sw_handshake *facts, struct report_handshake *report);
};

__attribute__((format(printf, 2, 3))) static void why(struct report_handshake *report,
						      const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(report->why, sizeof(report->why), format, args);
	va_end(args);
}

/* A part of a sentence. The longest is an ICMP error's name and sender. */
struct text {
	char text[96];
};

/* comm is whatever a process calls itself; a sentence holds only plain text. */
static struct text plain(const char *comm)
{
	struct text result = {};

	for (size_t i = 0; i < SW_COMM_LEN && comm[i]; i++)
		result.text[i] = comm[i] >= ' ' && comm[i] <= '~' ? comm[i] : '?';
	return result;
}

static struct text address(const __u8 *bytes)
{
	static const __u8 mapped[12] = {[10] = 0xff, [11] = 0xff};
	struct text result = {};

	if (memcmp(bytes, mapped, sizeof(mapped)) == 0)
		(void)inet_ntop(AF_INET, bytes + sizeof(mapped), result.text, sizeof(result.text));
	else
		(void)inet_ntop(AF_INET6, bytes, result.text, sizeof(result.text));
	return result;
}

static struct text errno_text(int errnum)
{
	const char *name = names_errno(errnum);
	struct text result = {};

	if (name)
		(void)snprintf(result.text, sizeof(result.text), "%s", name);
	else
		(void)snprintf(result.text, sizeof(result.text), "error %d", errnum);
	return result;
}

static struct text count_of(unsigned int count, const char *noun)
{
	struct text result;

	(void)snprintf(result.text, sizeof(result.text), "%u %s%s", count, noun,
		       count == 1 ? "" : "s");
	return result;
}

static double seconds(int64_t ns)
{
	return ns / 1e9;
}

/* --- ICMP --- */

/* What icmp_err_convert[] and icmpv6_err_convert() can produce. */
static bool is_icmp_errno(int errnum)
{
	static const int all[] = {ENETUNREACH, EHOSTUNREACH, ENOPROTOOPT, ECONNREFUSED, EOPNOTSUPP,
				  EHOSTDOWN,   ENONET,	     EPROTO,	  EACCES};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		if (all[i] == errnum)
			return true;
	}
	return false;
}

/* tcp_v4_err() queues every ICMP error in SYN_SENT on the error queue (5.9+). */
static bool has_icmp(const struct sw_handshake *facts)
{
	return facts->flags & SW_F_ICMP && facts->icmp.errnum;
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

static void tell_icmp(const struct sw_handshake *facts, struct report_handshake *report)
{
	int errnum = is_icmp_errno(facts->sk_err) ? facts->sk_err : facts->sk_err_soft;

	if (has_icmp(facts)) {
		report->has_icmp = report->icmp_code_known = true;
		report->icmp = facts->icmp;
		return;
	}
	for (size_t i = 0; i < sizeof(icmp6_unreachable) / sizeof(*icmp6_unreachable); i++) {
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

static const char *icmp_name(const struct report_handshake *report)
{
	const char *name = NULL;

	if (report->has_icmp)
		name = names_icmp(report->icmp.version, report->icmp.type,
				  report->icmp_code_known ? report->icmp.code : -1);
	return name ? name : "error";
}

/* "ICMP port unreachable from 10.0.0.1", as much of it as is known */
static struct text icmp_text(const struct sw_handshake *facts,
			     const struct report_handshake *report)
{
	struct text result;

	(void)snprintf(result.text, sizeof(result.text), "ICMP%s %s%s",
		       facts->tuple.family == 6 ? "v6" : "", icmp_name(report),
		       has_icmp(facts) ? " from " : "");
	return result;
}

static struct text icmp_sender(const struct sw_handshake *facts)
{
	struct text none = {};

	if (!has_icmp(facts))
		return none;
	if (memcmp(facts->icmp.from, facts->tuple.laddr, sizeof(facts->icmp.from)) == 0)
		return (struct text){"this host itself"};
	return address(facts->icmp.from);
}

/* --- causes --- */

/* An ICMP error that did not end it is still all the network said. */
static enum cause cause_of_hang(const struct sw_handshake *facts)
{
	if (has_icmp(facts) || facts->sk_err_soft)
		return CAUSE_ICMP;
	return CAUSE_NO_ANSWER;
}

/* A retry in less than the first timeout was no timer's, see
 * handshake_is_resent_early(). */
static enum cause cause_of_answered(const struct sw_handshake *facts)
{
	uint64_t elapsed = facts->header.time_ns - handshake_begin_ns(facts);

	if (!facts->timer.retransmits || elapsed < HANDSHAKE_STALL_DEFAULT_NS)
		return CAUSE_NONE;
	return cause_of_hang(facts);
}

static enum cause cause_none(const struct sw_handshake *facts)
{
	(void)facts;
	return CAUSE_NONE;
}

static enum cause cause_rst(const struct sw_handshake *facts)
{
	(void)facts;
	return CAUSE_RST;
}

static enum cause cause_icmp(const struct sw_handshake *facts)
{
	(void)facts;
	return CAUSE_ICMP;
}

static enum cause cause_no_ack(const struct sw_handshake *facts)
{
	(void)facts;
	return CAUSE_NO_ACK;
}

/* ip_route_connect(): no route ENETUNREACH, `unreachable` EHOSTUNREACH,
 * `blackhole` EINVAL; `prohibit` EACCES, cgroup programs EPERM, LSMs EACCES.
 * inet_hash_connect() with every port taken: EADDRNOTAVAIL, and only it
 * returns that after the socket has entered SYN_SENT. */
static enum cause cause_of_local_error(const struct sw_handshake *facts)
{
	switch (-facts->err) {
	case ENETUNREACH:
	case EHOSTUNREACH:
	case EINVAL:
		return CAUSE_NO_ROUTE;
	case EACCES:
	case EPERM:
		return CAUSE_DENIED;
	case EADDRNOTAVAIL:
		return facts->old_state == STATE_SYN_SENT ? CAUSE_NO_PORT : CAUSE_OTHER_ERROR;
	default:
		return CAUSE_OTHER_ERROR;
	}
}

static enum cause cause_other_error(const struct sw_handshake *facts)
{
	(void)facts;
	return CAUSE_OTHER_ERROR;
}

/* --- client: ended --- */

static bool is_local_error(const struct sw_handshake *facts)
{
	return facts->header.kind == SW_LOCAL_ERROR;
}

static const char *local_error_phrase(enum cause cause)
{
	switch (cause) {
	case CAUSE_NO_ROUTE:
		return "no usable route";
	case CAUSE_DENIED:
		return "a route, a cgroup program or a security module forbids it";
	case CAUSE_NO_PORT:
		return "every local port is taken for this destination";
	default:
		return "nothing was sent";
	}
}

static void tell_local_error(const struct sw_handshake *facts, struct report_handshake *report)
{
	report->errnum = -facts->err;
	why(report, "connect() failed at once: %s (%s)", local_error_phrase(report->cause),
	    errno_text(report->errnum).text);
}

static bool is_answered(const struct sw_handshake *facts)
{
	return facts->new_state == STATE_ESTABLISHED;
}

static void tell_answered(const struct sw_handshake *facts, struct report_handshake *report)
{
	if (!facts->timer.retransmits)
		why(report, "answered after %.3f ms", report->elapsed_ns / 1e6);
	else if (report->cause == CAUSE_NONE)
		why(report,
		    "answered after %.3f ms and %s, the later sent at once for an answer "
		    "that was not acceptable",
		    report->elapsed_ns / 1e6, count_of(facts->syn_sent, "SYN").text);
	else if (report->cause == CAUSE_ICMP)
		why(report, "answered late, after %s and %.3f s; before, %s%s came back",
		    count_of(facts->syn_sent, "SYN").text, seconds(report->elapsed_ns),
		    icmp_text(facts, report).text, icmp_sender(facts).text);
	else if (facts->syn_sent < 2)
		why(report, "answered late, after %.3f s; no retry had left this host",
		    seconds(report->elapsed_ns));
	else
		why(report,
		    "answered late, after %s and %.3f s: the earlier ones or their answers "
		    "were lost or dropped",
		    count_of(facts->syn_sent, "SYN").text, seconds(report->elapsed_ns));
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

static void tell_aborted(const struct sw_handshake *facts, struct report_handshake *report)
{
	report->errnum = facts->sk_err;
	/* not the closer: that is the application's own doing */
	if (facts->flags & SW_F_TASK)
		why(report, "destroyed from outside by %s[%u] (ss -K)",
		    plain(facts->closer.comm).text, facts->closer.pid);
	else
		why(report, "destroyed from outside (ss -K)");
}

/* tcp_reset() traces tcp_receive_reset before it sets sk_err. */
static bool is_reset(const struct sw_handshake *facts)
{
	return facts->sk_err && facts->flags & SW_F_RESET;
}

static void tell_reset(const struct sw_handshake *facts, struct report_handshake *report)
{
	report->errnum = facts->sk_err;
	why(report, "answered with a RST: nothing listens on %s port %u, or a firewall refuses it",
	    address(facts->tuple.raddr).text, facts->tuple.rport);
}

/* tcp_write_timer_handler() clears icsk_pending before tcp_retransmit_timer()
 * gives up; a packet that ends the socket leaves it set. tcp_write_err() then
 * reports an earlier soft error rather than ETIMEDOUT. Noticed later, the timer
 * tells nothing: tcp_done() has cleared it whatever the end was. */
static bool is_timed_out(const struct sw_handshake *facts)
{
	if (facts->flags & SW_F_MISSED)
		return facts->sk_err == ETIMEDOUT;
	return facts->sk_err && !(facts->flags & SW_F_PENDING) &&
	       (facts->sk_err == ETIMEDOUT || facts->sk_err == facts->sk_err_soft);
}

static void tell_timed_out(const struct sw_handshake *facts, struct report_handshake *report)
{
	struct text limit = {"retries used up"};

	report->errnum = facts->sk_err;
	if (facts->timer.user_timeout_ms)
		(void)snprintf(limit.text, sizeof(limit.text), "TCP_USER_TIMEOUT is %u ms",
			       facts->timer.user_timeout_ms);
	if (report->cause == CAUSE_ICMP)
		why(report, "the kernel gave up after %s (%s); only %s%s came back",
		    count_of(facts->syn_sent, "SYN").text, limit.text,
		    icmp_text(facts, report).text, icmp_sender(facts).text);
	else
		why(report, "the kernel gave up: %s, no answer (%s)",
		    count_of(facts->syn_sent, "SYN").text, limit.text);
}

/*
 * An error set by a packet, and that packet was no RST. IPv4 has it on the
 * error queue, where the newest is the one that ended it; IPv6 by elimination,
 * unless a RST could have gone unnoticed.
 */
static bool is_rejected(const struct sw_handshake *facts)
{
	if (!(facts->flags & SW_F_PENDING) || !is_icmp_errno(facts->sk_err))
		return false;
	if (has_icmp(facts))
		return facts->icmp.errnum == facts->sk_err;
	return facts->tuple.family == 6 && !(facts->flags & SW_F_UNTRACKED);
}

static void tell_rejected(const struct sw_handshake *facts, struct report_handshake *report)
{
	report->errnum = facts->sk_err ? facts->sk_err : facts->icmp.errnum;
	why(report, "%s%s: a firewall, router or host refuses it", icmp_text(facts, report).text,
	    icmp_sender(facts).text);
}

/*
 * The application learned of the ICMP error by SO_ERROR, which takes it off
 * sk_err_soft, and closed: sk_err is 0, but the error queue still has it.
 */
static bool is_rejection_read(const struct sw_handshake *facts)
{
	return !facts->sk_err && has_icmp(facts) && !facts->sk_err_soft && facts->flags & SW_F_TASK;
}

static void tell_rejection_read(const struct sw_handshake *facts, struct report_handshake *report)
{
	tell_rejected(facts, report);
	tell_closer(facts, report);
}

/* TCP_FASTOPEN_CONNECT put the SYN off until the first write, and none came. */
static bool is_never_begun(const struct sw_handshake *facts)
{
	return !facts->sk_err && facts->flags & SW_F_TASK && !(facts->flags & SW_F_PENDING) &&
	       !facts->syn_ns && facts->tuple.lport;
}

static void tell_never_begun(const struct sw_handshake *facts, struct report_handshake *report)
{
	report->syn_sent = report->syn_retransmits = report->syn_unsent = 0;
	tell_closer(facts, report);
	why(report, "closed before the first write, which would have sent the SYN "
		    "(TCP_FASTOPEN_CONNECT)");
}

/* tcp_connect() arms the timer; without one nothing was ever sent. */
static bool is_unsent(const struct sw_handshake *facts)
{
	return !facts->sk_err && facts->flags & SW_F_TASK && !(facts->flags & SW_F_PENDING) &&
	       !facts->syn_ns;
}

static void tell_unsent(const struct sw_handshake *facts, struct report_handshake *report)
{
	(void)facts;
	report->syn_sent = report->syn_retransmits = report->syn_unsent = 0;
	why(report, "the connection attempt failed before a SYN was sent; which error it got was "
		    "not seen");
}

/* close(), exit or a signal: a task closed it and the kernel had no error. */
static bool is_abandoned(const struct sw_handshake *facts)
{
	return !facts->sk_err && facts->flags & SW_F_TASK;
}

static struct text closer_text(const struct report_handshake *report)
{
	static const char *const did[CLOSER_COUNT] = {
		[CLOSER_CLOSE] = "closed it",
		[CLOSER_EXIT] = "exited",
		[CLOSER_SIGNAL] = "was killed by SIG",
	};
	const char *name = NULL;
	struct text result;

	if (report->closer_how == CLOSER_SIGNAL)
		name = sigabbrev_np(report->closer_signal);
	(void)snprintf(result.text, sizeof(result.text), "%.15s[%u] %s%s",
		       plain(report->closer.comm).text, report->closer.pid, did[report->closer_how],
		       name				     ? name
		       : report->closer_how == CLOSER_SIGNAL ? "NAL"
							     : "");
	return result;
}

static void tell_abandoned(const struct sw_handshake *facts, struct report_handshake *report)
{
	tell_closer(facts, report);
	if (report->cause == CAUSE_ICMP)
		why(report, "%s after %.3f s; only %s%s had come back", closer_text(report).text,
		    seconds(report->elapsed_ns), icmp_text(facts, report).text,
		    icmp_sender(facts).text);
	else
		why(report, "%s after %.3f s, %s and no answer", closer_text(report).text,
		    seconds(report->elapsed_ns), count_of(facts->syn_sent, "SYN").text);
}

static bool always(const struct sw_handshake *facts)
{
	(void)facts;
	return true;
}

static void tell_unknown(const struct sw_handshake *facts, struct report_handshake *report)
{
	report->errnum = facts->sk_err;
	if (facts->sk_err)
		why(report, "it ended with %s, but not why: what came before was not seen",
		    errno_text(facts->sk_err).text);
	else
		why(report, "it ended, but not why: what came before was not seen");
}

static const struct rule client_rules[] = {
	{is_local_error, VERDICT_LOCAL_ERROR, cause_of_local_error, tell_local_error},
	{is_answered, VERDICT_ESTABLISHED, cause_of_answered, tell_answered},
	{is_aborted, VERDICT_ABORTED, cause_of_hang, tell_aborted},
	{is_reset, VERDICT_REFUSED, cause_rst, tell_reset},
	{is_timed_out, VERDICT_TIMED_OUT, cause_of_hang, tell_timed_out},
	{is_rejected, VERDICT_REJECTED, cause_icmp, tell_rejected},
	{is_rejection_read, VERDICT_REJECTED, cause_icmp, tell_rejection_read},
	{is_never_begun, VERDICT_ABANDONED, cause_none, tell_never_begun},
	{is_unsent, VERDICT_LOCAL_ERROR, cause_other_error, tell_unsent},
	{is_abandoned, VERDICT_ABANDONED, cause_of_hang, tell_abandoned},
	{always, VERDICT_UNKNOWN, cause_of_hang, tell_unknown},
};

/* --- server: ended --- */

static void tell_accepted(const struct sw_handshake *facts, struct report_handshake *report)
{
	why(report, "the client's ACK came after %s of the SYN-ACK and %.3f s",
	    count_of(facts->timer.resends, "resend").text, seconds(report->elapsed_ns));
}

static void tell_child_gone(const struct sw_handshake *facts, struct report_handshake *report)
{
	report->errnum = facts->sk_err;
	why(report, "the half-open connection was closed before the client's ACK came");
}

static const struct rule server_rules[] = {
	{is_answered, VERDICT_ESTABLISHED, cause_no_ack, tell_accepted},
	{is_aborted, VERDICT_ABORTED, cause_no_ack, tell_child_gone},
	{always, VERDICT_ABANDONED, cause_no_ack, tell_child_gone},
};

static void apply(const struct rule *rule, const struct sw_handshake *facts,
		  struct report_handshake *report)
{
	while (!rule->applies(facts))
		rule++;
	report->verdict = rule->verdict;
	report->cause = rule->cause(facts);
	if (report->cause == CAUSE_ICMP)
		tell_icmp(facts, report);
	rule->tell(facts, report);
}

void verdict_ended(const struct sw_handshake *facts, struct report_handshake *report)
{
	apply(report->role == ROLE_SERVER ? server_rules : client_rules, facts, report);
}

/* --- under way, expired, lost --- */

static void tell_silence(const struct sw_handshake *facts, struct report_handshake *report)
{
	if (facts->flags & SW_F_ERR && facts->err < 0)
		why(report, "%s, no answer; the last retry did not leave this host (%s)",
		    count_of(facts->syn_sent, "SYN").text, errno_text(-facts->err).text);
	else
		why(report,
		    "%s, no answer: lost on the way, dropped by the peer, or its answer lost",
		    count_of(facts->syn_sent, "SYN").text);
}

/* Not every expiry of its timer sends: with TCP_DEFER_ACCEPT most do not. */
static void tell_no_ack(const struct sw_handshake *facts, struct report_handshake *report)
{
	const struct sw_timer *timer = &facts->timer;

	if (timer->resends < timer->retransmits)
		why(report, "SYN-ACK sent again (%s), the client's ACK does not come",
		    count_of(timer->resends, "time").text);
	else
		why(report,
		    "SYN-ACK sent again (%u by timer, %u for a repeated SYN), the client's "
		    "ACK does not come",
		    timer->retransmits, timer->resends - timer->retransmits);
}

void verdict_stalled(const struct sw_handshake *facts, struct report_handshake *report)
{
	report->verdict = VERDICT_STALLED;
	if (report->role == ROLE_SERVER) {
		report->cause = CAUSE_NO_ACK;
		tell_no_ack(facts, report);
		return;
	}
	report->cause = cause_of_hang(facts);
	if (report->cause == CAUSE_NO_ANSWER) {
		tell_silence(facts, report);
		return;
	}
	tell_icmp(facts, report);
	why(report, "%s; %s%s came back, but the kernel keeps trying",
	    count_of(facts->syn_sent, "SYN").text, icmp_text(facts, report).text,
	    icmp_sender(facts).text);
}

void verdict_expired(const struct sw_handshake *facts, struct report_handshake *report)
{
	report->verdict = VERDICT_TIMED_OUT;
	report->cause = CAUSE_NO_ACK;
	why(report, "the client's ACK never came: %s of the SYN-ACK, retries used up",
	    count_of(facts->timer.resends, "resend").text);
}

void verdict_lost(const struct sw_handshake *facts, struct report_handshake *report)
{
	report->verdict = VERDICT_UNKNOWN;
	report->cause = report->role == ROLE_SERVER ? CAUSE_NO_ACK : cause_of_hang(facts);
	if (report->cause == CAUSE_ICMP)
		tell_icmp(facts, report);
	why(report, "its end was not seen: records were lost");
}
