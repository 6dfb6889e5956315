/* SPDX-License-Identifier: GPL-2.0-only */
#include "core/server.h"

#include <errno.h>

#include "core/evidence.h"
#include "core/handshake.h"
#include "core/listener.h"
#include "core/refusal.h"
#include "core/words.h"

/* include/net/tcp_states.h */
enum { STATE_ESTABLISHED = 1 };

/* What is judged. */
struct matter {
	const struct sw_handshake *facts;
	const struct server_past *past;
};

struct rule {
	bool (*applies)(const struct matter *matter);
	enum verdict verdict;
	enum cause (*cause)(const struct matter *matter);
	/* errno and the sentence */
	void (*tell)(const struct matter *matter, struct report_handshake *report);
};

static void add_cookies(const struct sw_handshake *facts, struct report_handshake *report)
{
	words_why_more(report, "%s", listener_cookies_words(facts->flags));
}

static double seconds(int64_t ns)
{
	return ns / 1e9;
}

/* --- what hangs --- */

/* TCP_DEFER_ACCEPT: tcp_check_req() keeps the request and sets `acked` when a
 * bare ACK comes, for want of data. */
static bool may_wait_for_data(const struct sw_handshake *facts)
{
	return facts->flags & SW_F_LISTENER && facts->listener.defer_accept;
}

/*
 * tcp_check_req() keeps a request and sets `acked` in two cases only: the ACK
 * came and TCP_DEFER_ACCEPT waits for data, or tcp_v4_syn_recv_sock() (or its
 * like) made no child for it, as it does while the accept queue is full.
 */
enum cause server_cause(const struct sw_handshake *facts)
{
	if (!(facts->flags & SW_F_ACKED))
		return CAUSE_NO_ACK;
	if (may_wait_for_data(facts) && !listener_accept_queue_full(&facts->listener, facts->flags))
		return CAUSE_NONE;
	return CAUSE_ACCEPT_QUEUE_FULL;
}

/* ip_local_out() threw it away: tcp_rtx_synack() fails then, and makes no
 * tcp_retransmit_synack. */
static bool is_synack_dropped(const struct sw_handshake *facts)
{
	return evidence_is_dropped(facts, SW_DROP_SYNACK) && facts->drop.where == SW_DROP_OUTPUT;
}

/* Sent again by its timer (reqsk_timer_handler()) it is late; by tcp_check_req()
 * for a repeated SYN it may be as young as it is. */
bool server_is_trouble(const struct sw_handshake *facts, uint64_t stall_after_ns)
{
	uint64_t after = stall_after_ns ? stall_after_ns : HANDSHAKE_STALL_DEFAULT_NS;

	if (facts->flags & SW_F_COUNTED || server_cause(facts) == CAUSE_NONE)
		return false;
	if (facts->flags & SW_F_ACKED || is_synack_dropped(facts))
		return true;
	if (!facts->timer.resends)
		return false;
	return facts->timer.retransmits ||
	       facts->header.time_ns - handshake_begin_ns(facts) >= after;
}

static struct words queue_words(const struct sw_handshake *facts)
{
	return listener_accept_queue_words(&facts->listener, facts->flags);
}

static void add_dropped_synack(const struct sw_handshake *facts, struct report_handshake *report)
{
	if (is_synack_dropped(facts))
		words_why_more(report, "; this host dropped an earlier one on its way out: %s",
			       evidence_drop_words(report).text);
}

static void tell_ack_ignored(const struct sw_handshake *facts, struct report_handshake *report)
{
	words_why(report, "the client believes it is connected: its ACK came and ");
	if (facts->flags & SW_F_LISTENER)
		words_why_more(report, "was thrown away, %s", queue_words(facts).text);
	else
		words_why_more(report,
			       "the request stays: the accept queue is full, or TCP_DEFER_ACCEPT "
			       "waits for data");
}

/* Not every expiry of its timer sends: with TCP_DEFER_ACCEPT most do not. */
static void tell_no_ack(const struct sw_handshake *facts, struct report_handshake *report)
{
	const struct sw_timer *timer = &facts->timer;

	if (timer->resends < timer->retransmits)
		words_why(report, "SYN-ACK sent again (%s), the client's ACK does not come",
			  words_count(timer->resends, "time").text);
	else
		words_why(report,
			  "SYN-ACK sent again (%u by timer, %u for a repeated SYN), the client's "
			  "ACK does not come",
			  timer->retransmits, timer->resends - timer->retransmits);
	add_dropped_synack(facts, report);
}

void server_stalled(const struct sw_handshake *facts, struct report_handshake *report)
{
	report->verdict = VERDICT_STALLED;
	report->cause = server_cause(facts);
	/* it hung before, and what it waits for now is only data */
	if (report->cause == CAUSE_NONE)
		report->cause = CAUSE_NO_ACK;
	if (report->cause == CAUSE_ACCEPT_QUEUE_FULL)
		tell_ack_ignored(facts, report);
	else if (facts->header.kind == SW_SYNACK_DROP)
		words_why(report, "this host drops its own SYN-ACK on the way out: %s",
			  evidence_drop_words(report).text);
	else
		tell_no_ack(facts, report);
	add_cookies(facts, report);
}

/* --- causes --- */

/* That of its stalls, unless the last record knows better. */
static enum cause cause_of_request(const struct matter *matter)
{
	enum cause cause = server_cause(matter->facts);

	if (cause == CAUSE_ACCEPT_QUEUE_FULL || matter->past->cause == CAUSE_NONE)
		return cause;
	return matter->past->cause;
}

static enum cause cause_of_stall(const struct matter *matter)
{
	return matter->past->cause;
}

/* A child that was closed in SYN_RECV failed, whether it had hung or not. */
static enum cause cause_of_child(const struct matter *matter)
{
	return matter->past->cause == CAUSE_NONE ? CAUSE_NO_ACK : matter->past->cause;
}

static enum cause cause_accept_queue_full(const struct matter *matter)
{
	(void)matter;
	return CAUSE_ACCEPT_QUEUE_FULL;
}

static enum cause cause_no_ack(const struct matter *matter)
{
	(void)matter;
	return CAUSE_NO_ACK;
}

static bool always(const struct matter *matter)
{
	(void)matter;
	return true;
}

/* --- a request that became a child --- */

static bool is_child(const struct matter *matter)
{
	return matter->facts->header.kind == SW_ACCEPTED;
}

/* tcp_rcv_state_process(), SYN_RECV -> ESTABLISHED. */
static bool is_accepted(const struct matter *matter)
{
	return is_child(matter) && matter->facts->new_state == STATE_ESTABLISHED;
}

static void tell_accepted(const struct matter *matter, struct report_handshake *report)
{
	struct words resends = words_count(matter->facts->timer.resends, "resend");

	if (report->cause == CAUSE_ACCEPT_QUEUE_FULL) {
		words_why(report,
			  "accepted after %.3f s; before, the client's ACK was thrown away: "
			  "the accept queue had been full",
			  seconds(report->elapsed_ns));
	} else if (report->cause != CAUSE_NONE) {
		words_why(report, "the client's ACK came after %s of the SYN-ACK and %.3f s",
			  resends.text, seconds(report->elapsed_ns));
		add_dropped_synack(matter->facts, report);
	} else if (matter->facts->timer.resends) {
		words_why(report, "accepted after %.3f ms and %s of the SYN-ACK",
			  report->elapsed_ns / 1e6, resends.text);
	} else {
		words_why(report, "accepted after %.3f ms", report->elapsed_ns / 1e6);
	}
}

/* tcp_abort() sets ECONNABORTED. */
static bool is_child_aborted(const struct matter *matter)
{
	return is_child(matter) && matter->facts->sk_err == ECONNABORTED;
}

static void tell_child_gone(const struct matter *matter, struct report_handshake *report)
{
	report->errnum = matter->facts->sk_err;
	words_why(report, "the half-open connection was closed before the client's ACK came");
}

/* --- a request that is gone --- */

/* How far it had come. */
static void add_state(const struct matter *matter, struct report_handshake *report)
{
	const struct sw_handshake *facts = matter->facts;

	if (report->cause == CAUSE_ACCEPT_QUEUE_FULL)
		words_why_more(report, "; its ACK had come and was thrown away, %s",
			       queue_words(facts).text);
	else if (facts->flags & SW_F_ACKED)
		words_why_more(report, "; its ACK had come, and TCP_DEFER_ACCEPT waited for data");
	else if (is_synack_dropped(facts))
		words_why_more(report, "; this host dropped its own SYN-ACK on the way out: %s",
			       evidence_drop_words(report).text);
	else
		words_why_more(report, "; its ACK had not come");
}

/* tcp_check_req(): inet_csk_reqsk_queue_drop() for a RST in the window. */
static bool is_reset(const struct matter *matter)
{
	return matter->facts->flags & SW_F_RESET;
}

static void tell_reset(const struct matter *matter, struct report_handshake *report)
{
	words_why(report, "the client sent a RST after %.3f s", seconds(report->elapsed_ns));
	add_state(matter, report);
}

/* inet_csk_listen_stop(), and reqsk_timer_handler() at the request's next expiry. */
static bool is_listener_closed(const struct matter *matter)
{
	return matter->facts->flags & SW_F_LISTENER_CLOSED;
}

static void tell_listener_closed(const struct matter *matter, struct report_handshake *report)
{
	words_why(report, "its listener was closed; the client had waited for %.3f s",
		  seconds(report->elapsed_ns));
	add_state(matter, report);
}

/* syn_ack_recalc() in reqsk_timer_handler(): as many timeouts as retries, with
 * TCP_DEFER_ACCEPT and the ACK as many as that waits for. */
static bool is_given_up(const struct matter *matter)
{
	return matter->past->given_up;
}

static bool is_ack_ignored(const struct matter *matter)
{
	return is_given_up(matter) && cause_of_request(matter) == CAUSE_ACCEPT_QUEUE_FULL;
}

static void tell_ack_ignored_to_the_end(const struct matter *matter,
					struct report_handshake *report)
{
	words_why(report,
		  "the client's ACK was thrown away until the retries were used up, %s; the "
		  "client believes it is connected",
		  queue_words(matter->facts).text);
}

static void tell_given_up(const struct matter *matter, struct report_handshake *report)
{
	const struct sw_handshake *facts = matter->facts;

	if (facts->flags & SW_F_ACKED)
		words_why(report, "no data came while TCP_DEFER_ACCEPT waited for it; the client "
				  "believes it is connected");
	else
		words_why(report, "the client's ACK never came: %s of the SYN-ACK, retries used up",
			  words_count(facts->timer.resends, "resend").text);
	add_dropped_synack(facts, report);
}

/* reqsk_timer_handler() drops a request, retries left or not, if
 * inet_rtx_syn_ack() could not send. */
static bool is_unsendable(const struct matter *matter)
{
	return is_synack_dropped(matter->facts) && !(matter->facts->flags & SW_F_ACKED);
}

static void tell_unsendable(const struct matter *matter, struct report_handshake *report)
{
	(void)matter;
	words_why(report,
		  "the kernel gave up after %.3f s: this host drops its own SYN-ACK on the way "
		  "out: %s",
		  seconds(report->elapsed_ns), evidence_drop_words(report).text);
}

/* tcp_v4_err() and tcp_v6_err() drop a request: inet_csk_reqsk_queue_drop().
 * reqsk_timer_handler() gives up sooner while the SYN queue is half full. */
static void tell_vanished(const struct matter *matter, struct report_handshake *report)
{
	const struct sw_handshake *facts = matter->facts;
	const struct sw_listener *listener = &facts->listener;
	uint32_t limit = listener->limit > 8 ? listener->limit : 8;

	words_why(report, "gone after %.3f s, before its time: an ICMP error, or a RST not seen",
		  seconds(report->elapsed_ns));
	if (facts->flags & SW_F_LISTENER && listener->requests > limit / 2)
		words_why_more(report, ", or a SYN queue too full to keep the old (%u of %u)",
			       listener->requests, listener->limit);
	add_state(matter, report);
}

static const struct rule rules[] = {
	{is_accepted, VERDICT_ESTABLISHED, cause_of_stall, tell_accepted},
	{is_child_aborted, VERDICT_ABORTED, cause_of_child, tell_child_gone},
	{is_child, VERDICT_ABANDONED, cause_of_child, tell_child_gone},
	{is_reset, VERDICT_ABANDONED, cause_of_request, tell_reset},
	{is_listener_closed, VERDICT_ABANDONED, cause_of_request, tell_listener_closed},
	{is_ack_ignored, VERDICT_IGNORED, cause_accept_queue_full, tell_ack_ignored_to_the_end},
	{is_given_up, VERDICT_TIMED_OUT, cause_of_request, tell_given_up},
	{is_unsendable, VERDICT_TIMED_OUT, cause_no_ack, tell_unsendable},
	{always, VERDICT_ABANDONED, cause_of_request, tell_vanished},
};

/* --- the end --- */

void server_ended(const struct sw_handshake *facts, const struct server_past *past,
		  struct report_handshake *report)
{
	const struct matter matter = {facts, past};
	const struct rule *rule = rules;

	if (facts->header.kind == SW_SYN_DROP) {
		refusal_judge(facts, past->reset_seen, report);
		add_cookies(facts, report);
		return;
	}
	while (!rule->applies(&matter))
		rule++;
	report->verdict = rule->verdict;
	report->cause = rule->cause(&matter);
	rule->tell(&matter, report);
	add_cookies(facts, report);
}

void server_expired(const struct sw_handshake *facts, const struct server_past *past,
		    struct report_handshake *report)
{
	struct server_past expired = *past;

	expired.given_up = true;
	server_ended(facts, &expired, report);
}

void server_lost(const struct server_past *past, struct report_handshake *report)
{
	report->verdict = VERDICT_UNKNOWN;
	report->cause = past->cause;
	words_why(report, "its end was not seen: records were lost");
}
