/* SPDX-License-Identifier: GPL-2.0-only */
#include "core/handshake.h"

#include <inttypes.h>
#include <stdio.h>

#include "core/listener.h"

#define NSEC_PER_SEC 1000000000ULL

/* A record that has not come an eighth of the interval (the timer wheel) and
 * this much (the sweep, a busy host) after it was due will not come. */
#define OVERDUE_SLACK_NS (3 * NSEC_PER_SEC)

/* 255 retries, each after TCP_RTO_MAX, take eight and a half hours. */
#define SCHEDULE_MAX_NS (24 * 3600 * NSEC_PER_SEC)

static bool is_server(const struct sw_handshake *facts)
{
	return SW_KIND_IS_SERVER(facts->header.kind);
}

struct handshake_key handshake_key_of(const struct sw_handshake *facts)
{
	return (struct handshake_key){
		.cookie = facts->cookie,
		.start_ns = facts->start_ns,
		.role = is_server(facts) ? ROLE_SERVER : ROLE_CLIENT,
	};
}

uint64_t handshake_begin_ns(const struct sw_handshake *facts)
{
	return facts->syn_ns ? facts->syn_ns : facts->start_ns;
}

/* Without a tick length (an adopted record of a foreign make) one of 4 ms. */
static uint32_t tick_ns(const struct sw_timer *timer)
{
	return timer->tick_ns ? timer->tick_ns : 4000000;
}

/* Bounded, whatever a record says of the length of its tick. */
static uint64_t jiffies_to_ns(const struct sw_timer *timer, uint64_t jiffies)
{
	uint32_t tick = tick_ns(timer);

	return jiffies < SCHEDULE_MAX_NS / tick ? jiffies * tick : SCHEDULE_MAX_NS;
}

/* As the kernel counts it, which differs by a millisecond from what the records'
 * clock says; that can be a bucket of the timer wheel. */
static uint64_t elapsed_jiffies(const struct sw_handshake *facts, uint32_t hz)
{
	if (facts->timer.elapsed_ms)
		return (uint64_t)facts->timer.elapsed_ms * hz / 1000;
	return (facts->header.time_ns - handshake_begin_ns(facts)) / tick_ns(&facts->timer);
}

static struct retry_schedule client_schedule(const struct sw_handshake *facts)
{
	const struct sw_timer *timer = &facts->timer;
	uint32_t hz = NSEC_PER_SEC / tick_ns(timer);
	bool opening = facts->header.kind == SW_OPEN;
	/* A retry's record is made before the timer is set again, an opening's
	 * before there is one; what they say of it is past. */
	bool armed = facts->flags & SW_F_PENDING && facts->header.kind == SW_LOOK;
	const struct retry_client client = {
		.now = timer->jiffies,
		.elapsed = elapsed_jiffies(facts, hz),
		.expires = armed ? timer->expires : 0,
		.rto = opening ? hz : timer->rto,
		.rto_initial = hz,
		.rto_max = timer->rto_max,
		.user_timeout = (uint64_t)timer->user_timeout_ms * hz / 1000,
		.hz = hz,
		.retransmits = opening ? 0 : timer->retransmits,
		.retries = timer->retries,
		.has_linear = facts->flags & SW_F_LINEAR,
		.linear = timer->linear,
		.congested = facts->flags & SW_F_ERR && facts->err > 0,
	};

	return retry_client_schedule(&client);
}

/* syn_ack_recalc(): with TCP_DEFER_ACCEPT, and after the ACK, at least as many
 * timeouts as that waits for. */
static uint8_t server_retries(const struct sw_handshake *facts)
{
	uint8_t retries = facts->timer.retries;

	if (facts->flags & SW_F_ACKED && facts->flags & SW_F_LISTENER &&
	    facts->listener.defer_accept > retries)
		retries = facts->listener.defer_accept;
	return retries;
}

static struct retry_schedule server_schedule(const struct sw_handshake *facts)
{
	const struct sw_timer *timer = &facts->timer;
	const struct retry_server server = {
		.now = timer->jiffies,
		.expires = facts->flags & SW_F_PENDING ? timer->expires : 0,
		.timeout = timer->rto,
		.rto_max = timer->rto_max,
		.hz = NSEC_PER_SEC / tick_ns(timer),
		.timeouts = timer->retransmits,
		.retries = server_retries(facts),
	};

	return retry_server_schedule(&server);
}

struct retry_schedule handshake_schedule(const struct sw_handshake *facts)
{
	return is_server(facts) ? server_schedule(facts) : client_schedule(facts);
}

bool handshake_is_resent_early(const struct sw_handshake *facts)
{
	uint64_t elapsed = facts->header.time_ns - handshake_begin_ns(facts);

	return facts->header.kind == SW_RETRY && facts->timer.retransmits == 1 &&
	       elapsed < jiffies_to_ns(&facts->timer, facts->timer.rto / 2);
}

uint64_t handshake_overdue_ns(const struct sw_handshake *facts)
{
	struct retry_schedule schedule = handshake_schedule(facts);
	uint64_t interval =
		jiffies_to_ns(&facts->timer, schedule.has_next ? schedule.next : schedule.give_up);

	return facts->header.time_ns + interval + interval / 8 + OVERDUE_SLACK_NS;
}

uint64_t handshake_give_up_ns(const struct sw_handshake *facts)
{
	struct retry_schedule schedule = handshake_schedule(facts);

	return facts->header.time_ns + jiffies_to_ns(&facts->timer, schedule.give_up);
}

/* Jiffies after the facts, as nanoseconds after the moment reported. */
static int64_t from_moment(const struct sw_handshake *facts, uint64_t jiffies, uint64_t time_ns)
{
	int64_t left = facts->header.time_ns + jiffies_to_ns(&facts->timer, jiffies) - time_ns;

	return left > 0 ? left : 0;
}

static void describe_schedule(const struct sw_handshake *facts, uint64_t time_ns,
			      struct report_handshake *report)
{
	struct retry_schedule schedule = handshake_schedule(facts);

	report->retry_limit = schedule.limit;
	/* reqsk_timer_handler() gives up a request whose SYN-ACK cannot be sent;
	 * what comes next is up to the client. */
	if (facts->header.kind == SW_SYNACK_DROP && facts->timer.retransmits)
		return;
	report->give_up_ns = from_moment(facts, schedule.give_up, time_ns);
	if (schedule.has_next)
		report->next_retry_ns = from_moment(facts, schedule.next, time_ns);
}

static int64_t retries_sent(const struct sw_handshake *facts)
{
	if (!facts->syn_sent || facts->flags & SW_F_FIRST_UNSENT)
		return facts->syn_sent;
	return facts->syn_sent - 1;
}

static void describe_counts(const struct sw_handshake *facts, struct report_handshake *report)
{
	if (is_server(facts)) {
		report->synack_retransmits = facts->timer.resends;
		report->has_listener = facts->flags & SW_F_LISTENER;
		report->listener = listener_report(&facts->listener, facts->flags);
	} else if (facts->header.kind == SW_LOCAL_ERROR) {
		report->syn_sent = report->syn_retransmits = report->syn_unsent = 0;
	} else {
		report->syn_sent = facts->syn_sent;
		report->syn_retransmits = retries_sent(facts);
		report->syn_unsent = facts->syn_unsent;
	}
}

void handshake_describe(const struct sw_handshake *facts, uint64_t time_ns, bool ended,
			struct report_handshake *ret_report)
{
	struct report_handshake report = {
		.role = is_server(facts) ? ROLE_SERVER : ROLE_CLIENT,
		.tuple = facts->tuple,
		.isn = facts->flags & SW_F_ISN ? (int64_t)facts->isn : REPORT_NULL,
		.has_owner = facts->flags & SW_F_OWNER,
		.owner = facts->owner,
		.elapsed_ns = time_ns - handshake_begin_ns(facts),
		.syn_sent = REPORT_NULL,
		.syn_retransmits = REPORT_NULL,
		.syn_unsent = REPORT_NULL,
		.synack_retransmits = REPORT_NULL,
		.retry_limit = REPORT_NULL,
		.next_retry_ns = REPORT_NULL,
		.give_up_ns = REPORT_NULL,
		.adopted = facts->flags & SW_F_ADOPTED,
		.ecn = facts->flags & SW_F_ECN,
		.owners = facts->owners ? facts->owners : REPORT_NULL,
	};

	(void)snprintf(report.id, sizeof(report.id), "%" PRIx64 ":%" PRIu64,
		       (uint64_t)facts->cookie, (uint64_t)facts->start_ns);
	describe_counts(facts, &report);
	if (!ended)
		describe_schedule(facts, time_ns, &report);
	*ret_report = report;
}
