/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every rule with the facts it rests on, and the same facts with one of them
 * missing: then it must not claim what it cannot show.
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

#include "core/handshake.h"
#include "core/names.h"
#include "core/verdict.h"
#include "facts.h"
#include "sentence.h"

#define LATER (BEGIN + 5 * SEC)

/* SW_F_TASK and the closer stand for "a task did it", the rest are the flags
 * and fields of struct sw_handshake. */
struct ended_case {
	const char *name; /* the kernel fact */
	uint32_t flags;
	uint8_t kind;	/* 0: SW_CLOSE */
	uint8_t family; /* 0: 4 */
	uint16_t sk_err;
	uint16_t sk_err_soft;
	int32_t err;
	uint8_t old_state; /* 0: SYN_SENT */
	uint8_t new_state; /* 0: CLOSED */
	uint8_t retransmits;
	bool unsent;	     /* no SYN ever left: syn_ns is 0 */
	bool no_port;	     /* not even a source port was chosen */
	struct sw_icmp icmp; /* with SW_F_ICMP */
	uint32_t exit_code;

	enum verdict verdict;
	enum cause cause;
	int errnum;
	int icmp_type; /* 0: none */
	int icmp_code; /* -1: unknown */
	int closer;    /* enum closer_how, or NO_CLOSER */
	int signal;
	const char *why; /* part of it */
};

#define NO_CLOSER (-1)
#define PORT_UNREACHABLE                                                               \
	{                                                                              \
		.type = 3, .code = 3, .version = 4, .errnum = ECONNREFUSED, .count = 1 \
	}
#define HOST_UNREACHABLE                                                               \
	{                                                                              \
		.type = 3, .code = 1, .version = 4, .errnum = EHOSTUNREACH, .count = 1 \
	}

static struct sw_handshake facts_of(const struct ended_case *c)
{
	struct sw_handshake facts =
		facts_client(c->kind ? c->kind : SW_CLOSE, LATER, c->retransmits);

	if (c->family == 6)
		facts_to_v6(&facts);
	if (c->flags & SW_F_TASK)
		facts_add_closer(&facts, "nginx");
	facts.flags = SW_F_OWNER | SW_F_LINEAR | c->flags;
	facts.closer.exit_code = c->exit_code;
	facts.sk_err = c->sk_err;
	facts.sk_err_soft = c->sk_err_soft;
	facts.err = c->err;
	if (c->old_state)
		facts.old_state = c->old_state;
	if (c->new_state)
		facts.new_state = c->new_state;
	if (c->unsent)
		facts.syn_ns = 0;
	facts.icmp = c->icmp;
	if (c->icmp.type)
		facts_v4(facts.icmp.from, 9);
	if (c->no_port)
		facts.tuple.lport = 0;
	return facts;
}

static struct report_handshake judge(const struct sw_handshake *facts)
{
	struct report_handshake report;

	handshake_describe(facts, facts->header.time_ns, true, &report);
	verdict_ended(facts, &report);
	check_sentence("judged", &report);
	return report;
}

static void check_case(const struct ended_case *c)
{
	struct sw_handshake facts = facts_of(c);
	struct report_handshake report = judge(&facts);

	if (report.verdict != c->verdict || report.cause != c->cause)
		fail_msg("%s: %s/%s, not %s/%s: %s", c->name, names_verdict(report.verdict),
			 names_cause(report.cause), names_verdict(c->verdict),
			 names_cause(c->cause), report.why);
	if (report.errnum != c->errnum)
		fail_msg("%s: errno %d, not %d", c->name, report.errnum, c->errnum);
	if (report.has_icmp != !!c->icmp_type)
		fail_msg("%s: has_icmp is %d", c->name, report.has_icmp);
	if (c->icmp_type &&
	    (report.icmp.type != c->icmp_type || report.icmp_code_known != (c->icmp_code >= 0) ||
	     (c->icmp_code >= 0 && report.icmp.code != c->icmp_code)))
		fail_msg("%s: ICMP %u/%u", c->name, report.icmp.type, report.icmp.code);
	if (report.has_closer != (c->closer != NO_CLOSER))
		fail_msg("%s: has_closer is %d", c->name, report.has_closer);
	if (report.has_closer && ((int)report.closer_how != c->closer ||
				  report.closer_signal != c->signal || report.closer.tid != 1236))
		fail_msg("%s: closed by %s, signal %d", c->name,
			 names_closer_how(report.closer_how), report.closer_signal);
	if (c->why && !strstr(report.why, c->why))
		fail_msg("%s: '%s' does not say '%s'", c->name, report.why, c->why);
}

static void check_cases(const struct ended_case *cases, size_t count)
{
	for (size_t i = 0; i < count; i++)
		check_case(&cases[i]);
}

#define CHECK(cases) check_cases((cases), ARRAY_SIZE(cases))

static void connect_that_failed_at_once_is_a_local_error(void **state)
{
	static const struct {
		int errnum;
		uint8_t old_state;
		enum cause cause;
		const char *name;
	} cases[] = {
		{ENETUNREACH, CLOSED, CAUSE_NO_ROUTE, "ENETUNREACH"},
		{EHOSTUNREACH, CLOSED, CAUSE_NO_ROUTE, "EHOSTUNREACH"}, /* unreachable */
		{EINVAL, CLOSED, CAUSE_NO_ROUTE, "EINVAL"},		/* blackhole */
		{EACCES, CLOSED, CAUSE_DENIED, "EACCES"},		/* prohibit, LSM */
		{EPERM, CLOSED, CAUSE_DENIED, "EPERM"},			/* cgroup program */
		/* inet_hash_connect() comes after SYN_SENT; a bind() before it not */
		{EADDRNOTAVAIL, SYN_SENT, CAUSE_NO_PORT, "EADDRNOTAVAIL"},
		{EADDRNOTAVAIL, CLOSED, CAUSE_OTHER_ERROR, "EADDRNOTAVAIL"},
		{ENOBUFS, CLOSED, CAUSE_OTHER_ERROR, "ENOBUFS"},
		{1234, CLOSED, CAUSE_OTHER_ERROR, "error 1234"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		check_case(&(struct ended_case){
			.name = cases[i].name,
			.kind = SW_LOCAL_ERROR,
			.err = -cases[i].errnum,
			.old_state = cases[i].old_state,
			.verdict = VERDICT_LOCAL_ERROR,
			.cause = cases[i].cause,
			.errnum = cases[i].errnum,
			.closer = NO_CLOSER,
			.why = cases[i].name,
		});
}

static void a_local_error_sent_nothing(void **state)
{
	struct sw_handshake facts = facts_client(SW_LOCAL_ERROR, BEGIN + MS, 0);
	struct report_handshake report;

	(void)state;
	facts.syn_sent = 1; /* as the map says from the opening on */
	facts.err = -ENETUNREACH;
	report = judge(&facts);
	assert_int_equal(report.syn_sent, 0);
	assert_int_equal(report.syn_retransmits, 0);
	assert_int_equal(report.syn_unsent, 0);
}

static void only_established_is_established(void **state)
{
	static const struct ended_case cases[] = {
		{.name = "a SYN-ACK came in time",
		 .new_state = ESTABLISHED,
		 .verdict = VERDICT_ESTABLISHED,
		 .cause = CAUSE_NONE,
		 .closer = NO_CLOSER,
		 .why = "answered after 5000.000 ms"},
		{.name = "late, it keeps the cause of its trouble",
		 .new_state = ESTABLISHED,
		 .retransmits = 3,
		 .verdict = VERDICT_ESTABLISHED,
		 .cause = CAUSE_NO_ANSWER,
		 .closer = NO_CLOSER,
		 .why = "answered late, after 4 SYNs and 5.000 s"},
		{.name = "an ICMP error before: it is the trouble, nothing was lost",
		 .flags = SW_F_ICMP,
		 .new_state = ESTABLISHED,
		 .retransmits = 1,
		 .icmp = PORT_UNREACHABLE,
		 .verdict = VERDICT_ESTABLISHED,
		 .cause = CAUSE_ICMP,
		 .icmp_type = 3,
		 .icmp_code = 3,
		 .closer = NO_CLOSER,
		 .why = "before, ICMP port unreachable from 10.0.0.9 came back"},
		{.name = "the connecting task worked off the backlog: no closer",
		 .flags = SW_F_TASK | SW_F_PENDING,
		 .new_state = ESTABLISHED,
		 .verdict = VERDICT_ESTABLISHED,
		 .cause = CAUSE_NONE,
		 .closer = NO_CLOSER},
	};

	(void)state;
	CHECK(cases);
}

/* Two jiffies after an answer that was not acceptable, not a second after
 * silence. */
static void a_syn_sent_again_at_once_is_no_trouble(void **state)
{
	struct sw_handshake facts = facts_client(SW_CLOSE, BEGIN + 12 * MS, 1);
	struct report_handshake report;

	(void)state;
	facts.new_state = ESTABLISHED;
	report = judge(&facts);
	assert_int_equal(report.verdict, VERDICT_ESTABLISHED);
	assert_int_equal(report.cause, CAUSE_NONE);
	assert_string_equal(report.why,
			    "answered after 12.000 ms and 2 SYNs, the later sent at once for an "
			    "answer that was not acceptable");
}

static void late_without_a_retry_on_the_wire_does_not_speak_of_lost_ones(void **state)
{
	struct sw_handshake facts = facts_client(SW_CLOSE, LATER, 2);

	(void)state;
	facts.new_state = ESTABLISHED;
	facts.syn_sent = 1;
	facts.syn_unsent = 2;
	assert_string_equal(judge(&facts).why,
			    "answered late, after 5.000 s; no retry had left this host");
}

static void a_rst_is_a_refusal_only_if_it_was_seen(void **state)
{
	static const struct ended_case cases[] = {
		{.name = "tcp_receive_reset, then ECONNREFUSED",
		 .flags = SW_F_RESET | SW_F_PENDING,
		 .sk_err = ECONNREFUSED,
		 .verdict = VERDICT_REFUSED,
		 .cause = CAUSE_RST,
		 .errnum = ECONNREFUSED,
		 .closer = NO_CLOSER,
		 .why = "answered with a RST: nothing listens on 10.0.0.1 port 80"},
		{.name = "on loopback the connecting task takes it from the backlog",
		 .flags = SW_F_RESET | SW_F_PENDING | SW_F_TASK,
		 .sk_err = ECONNREFUSED,
		 .verdict = VERDICT_REFUSED,
		 .cause = CAUSE_RST,
		 .errnum = ECONNREFUSED,
		 .closer = NO_CLOSER},
		{.name = "no tcp_receive_reset, no ICMP: ECONNREFUSED has two reasons",
		 .flags = SW_F_PENDING,
		 .sk_err = ECONNREFUSED,
		 .verdict = VERDICT_UNKNOWN,
		 .cause = CAUSE_NO_ANSWER,
		 .errnum = ECONNREFUSED,
		 .closer = NO_CLOSER,
		 .why = "ended with ECONNREFUSED, but not why"},
		{.name = "a RST after ICMP errors is a RST all the same",
		 .flags = SW_F_RESET | SW_F_PENDING | SW_F_ICMP,
		 .sk_err = ECONNREFUSED,
		 .sk_err_soft = EHOSTUNREACH,
		 .icmp = HOST_UNREACHABLE,
		 .verdict = VERDICT_REFUSED,
		 .cause = CAUSE_RST,
		 .errnum = ECONNREFUSED,
		 .closer = NO_CLOSER},
	};

	(void)state;
	CHECK(cases);
}

static void only_the_timer_itself_times_out(void **state)
{
	static const struct ended_case cases[] = {
		{.name = "the timer ran, and is not pending",
		 .sk_err = ETIMEDOUT,
		 .retransmits = 5,
		 .verdict = VERDICT_TIMED_OUT,
		 .cause = CAUSE_NO_ANSWER,
		 .errnum = ETIMEDOUT,
		 .closer = NO_CLOSER,
		 .why = "the kernel gave up: 6 SYNs, no answer (retries used up)"},
		{.name = "the timer is pending: something else set the error",
		 .flags = SW_F_PENDING,
		 .sk_err = ETIMEDOUT,
		 .retransmits = 5,
		 .verdict = VERDICT_UNKNOWN,
		 .cause = CAUSE_NO_ANSWER,
		 .errnum = ETIMEDOUT,
		 .closer = NO_CLOSER},
		{.name = "tcp_write_err() reports the soft error rather than ETIMEDOUT",
		 .flags = SW_F_ICMP,
		 .sk_err = EHOSTUNREACH,
		 .sk_err_soft = EHOSTUNREACH,
		 .retransmits = 5,
		 .icmp = HOST_UNREACHABLE,
		 .verdict = VERDICT_TIMED_OUT,
		 .cause = CAUSE_ICMP,
		 .errnum = EHOSTUNREACH,
		 .icmp_type = 3,
		 .icmp_code = 1,
		 .closer = NO_CLOSER,
		 .why = "ICMP host unreachable from 10.0.0.9 came back"},
		{.name = "the same on IPv6, where only the errno is left of it",
		 .family = 6,
		 .sk_err = EACCES,
		 .sk_err_soft = EACCES,
		 .retransmits = 5,
		 .verdict = VERDICT_TIMED_OUT,
		 .cause = CAUSE_ICMP,
		 .errnum = EACCES,
		 .icmp_type = 1,
		 .icmp_code = -1,
		 .closer = NO_CLOSER,
		 .why = "ICMPv6 destination unreachable came back"},
		{.name = "a soft error of an earlier attempt, that is, which reuse keeps",
		 .sk_err = EHOSTUNREACH,
		 .retransmits = 5,
		 .verdict = VERDICT_TIMED_OUT,
		 .cause = CAUSE_NO_ANSWER,
		 .errnum = EHOSTUNREACH,
		 .closer = NO_CLOSER},
	};

	(void)state;
	CHECK(cases);
}

static void a_timeout_that_the_application_set_is_named(void **state)
{
	struct sw_handshake facts = facts_client(SW_CLOSE, BEGIN + 2500 * MS, 2);

	(void)state;
	facts.sk_err = ETIMEDOUT;
	facts.timer.user_timeout_ms = 2500;
	assert_string_equal(judge(&facts).why, "the kernel gave up: 3 SYNs, no answer "
					       "(TCP_USER_TIMEOUT is 2500 ms)");
}

static void icmp_rejects_v4_if_the_error_queue_shows_it(void **state)
{
	static const struct ended_case cases[] = {
		{.name = "3/3 on the queue, the timer pending, no RST",
		 .flags = SW_F_PENDING | SW_F_ICMP,
		 .sk_err = ECONNREFUSED,
		 .icmp = PORT_UNREACHABLE,
		 .verdict = VERDICT_REJECTED,
		 .cause = CAUSE_ICMP,
		 .errnum = ECONNREFUSED,
		 .icmp_type = 3,
		 .icmp_code = 3,
		 .closer = NO_CLOSER,
		 .why = "ICMP port unreachable from 10.0.0.9: a firewall"},
		{.name = "nothing on the queue",
		 .flags = SW_F_PENDING,
		 .sk_err = EHOSTUNREACH,
		 .verdict = VERDICT_UNKNOWN,
		 .cause = CAUSE_NO_ANSWER,
		 .errnum = EHOSTUNREACH,
		 .closer = NO_CLOSER},
		{.name = "the newest on the queue means another errno: not what ended it",
		 .flags = SW_F_PENDING | SW_F_ICMP | SW_F_UNTRACKED,
		 .sk_err = ECONNREFUSED,
		 .icmp = HOST_UNREACHABLE,
		 .verdict = VERDICT_UNKNOWN,
		 .cause = CAUSE_ICMP,
		 .errnum = ECONNREFUSED,
		 .icmp_type = 3,
		 .icmp_code = 1,
		 .closer = NO_CLOSER},
		{.name = "the timer is not pending: it ended it, not the packet",
		 .flags = SW_F_ICMP,
		 .sk_err = EHOSTUNREACH,
		 .icmp = HOST_UNREACHABLE,
		 .verdict = VERDICT_TIMED_OUT,
		 .cause = CAUSE_ICMP,
		 .errnum = EHOSTUNREACH,
		 .icmp_type = 3,
		 .icmp_code = 1,
		 .closer = NO_CLOSER},
		{.name = "an errno that no ICMP error has",
		 .flags = SW_F_PENDING | SW_F_ICMP,
		 .sk_err = EPIPE,
		 .icmp = HOST_UNREACHABLE,
		 .verdict = VERDICT_UNKNOWN,
		 .cause = CAUSE_ICMP,
		 .errnum = EPIPE,
		 .icmp_type = 3,
		 .icmp_code = 1,
		 .closer = NO_CLOSER},
	};

	(void)state;
	CHECK(cases);
}

static void icmp_rejects_v6_by_elimination(void **state)
{
	static const struct {
		int errnum;
		int type; /* 0: several types and codes have that errno */
		int code;
	} errnos[] = {
		{ENETUNREACH, 1, 0},  {ECONNREFUSED, 1, 4}, {EACCES, 1, -1},
		{EHOSTUNREACH, 0, 0}, {EPROTO, 0, 0},
	};
	struct ended_case c = {
		.name = "no RST was seen, the timer is pending",
		.family = 6,
		.closer = NO_CLOSER,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(errnos); i++) {
		c.sk_err = c.errnum = errnos[i].errnum;
		c.flags = SW_F_PENDING;
		c.verdict = VERDICT_REJECTED;
		c.cause = CAUSE_ICMP;
		c.icmp_type = errnos[i].type;
		c.icmp_code = errnos[i].code;
		check_case(&c);
		/* a RST would have gone unnoticed: there was no slot for it */
		c.flags |= SW_F_UNTRACKED;
		c.verdict = VERDICT_UNKNOWN;
		c.cause = CAUSE_NO_ANSWER;
		c.icmp_type = 0;
		check_case(&c);
	}
}

/* The packet that ended it decides, not an earlier one. */
static void v6_names_the_error_that_ended_it(void **state)
{
	static const struct ended_case cases[] = {
		{.name = "prohibited at first, then the port is unreachable",
		 .family = 6,
		 .flags = SW_F_PENDING,
		 .sk_err = ECONNREFUSED,
		 .sk_err_soft = EACCES,
		 .verdict = VERDICT_REJECTED,
		 .cause = CAUSE_ICMP,
		 .errnum = ECONNREFUSED,
		 .icmp_type = 1,
		 .icmp_code = 4,
		 .closer = NO_CLOSER,
		 .why = "ICMPv6 port unreachable: a firewall"},
	};

	(void)state;
	CHECK(cases);
}

static void a_rejection_the_application_read_is_no_give_up(void **state)
{
	static const struct ended_case cases[] = {
		{.name = "SO_ERROR took the soft error, the queue still has it",
		 .flags = SW_F_TASK | SW_F_PENDING | SW_F_ICMP,
		 .icmp = PORT_UNREACHABLE,
		 .verdict = VERDICT_REJECTED,
		 .cause = CAUSE_ICMP,
		 .errnum = ECONNREFUSED,
		 .icmp_type = 3,
		 .icmp_code = 3,
		 .closer = CLOSER_CLOSE,
		 .why = "ICMP port unreachable from 10.0.0.9"},
		{.name = "the soft error is still there: nobody read it",
		 .flags = SW_F_TASK | SW_F_PENDING | SW_F_ICMP,
		 .sk_err_soft = ECONNREFUSED,
		 .icmp = PORT_UNREACHABLE,
		 .verdict = VERDICT_ABANDONED,
		 .cause = CAUSE_ICMP,
		 .icmp_type = 3,
		 .icmp_code = 3,
		 .closer = CLOSER_CLOSE,
		 .why = "nginx[1234] closed it after 5.000 s and 1 SYN; ICMP port unreachable "
			"from 10.0.0.9 came back"},
	};

	(void)state;
	CHECK(cases);
}

static void a_task_that_closes_without_an_error_gives_up(void **state)
{
	static const struct ended_case cases[] = {
		{.name = "close()",
		 .flags = SW_F_TASK | SW_F_PENDING,
		 .retransmits = 4,
		 .verdict = VERDICT_ABANDONED,
		 .cause = CAUSE_NO_ANSWER,
		 .closer = CLOSER_CLOSE,
		 .why = "nginx[1234] closed it after 5.000 s, 5 SYNs and no answer"},
		{.name = "exit(2): the low seven bits are 0",
		 .flags = SW_F_TASK | SW_F_PENDING | SW_F_EXITING,
		 .exit_code = 2 << 8,
		 .verdict = VERDICT_ABANDONED,
		 .cause = CAUSE_NO_ANSWER,
		 .closer = CLOSER_EXIT,
		 .why = "nginx[1234] exited after"},
		{.name = "SIGKILL",
		 .flags = SW_F_TASK | SW_F_PENDING | SW_F_EXITING,
		 .exit_code = 9,
		 .verdict = VERDICT_ABANDONED,
		 .cause = CAUSE_NO_ANSWER,
		 .closer = CLOSER_SIGNAL,
		 .signal = 9,
		 .why = "nginx[1234] was killed by SIGKILL after"},
		{.name = "SIGSEGV, a core was dumped: 0x80",
		 .flags = SW_F_TASK | SW_F_PENDING | SW_F_EXITING,
		 .exit_code = 11 | 0x80,
		 .verdict = VERDICT_ABANDONED,
		 .cause = CAUSE_NO_ANSWER,
		 .closer = CLOSER_SIGNAL,
		 .signal = 11,
		 .why = "was killed by SIGSEGV"},
		{.name = "no task did it: who knows",
		 .flags = SW_F_PENDING,
		 .verdict = VERDICT_UNKNOWN,
		 .cause = CAUSE_NO_ANSWER,
		 .closer = NO_CLOSER,
		 .why = "it ended, but not why"},
		{.name = "connect() failed inside: no timer, no SYN, no port",
		 .flags = SW_F_TASK,
		 .unsent = true,
		 .no_port = true,
		 .verdict = VERDICT_LOCAL_ERROR,
		 .cause = CAUSE_OTHER_ERROR,
		 .closer = NO_CLOSER},
		{.name = "TCP_FASTOPEN_CONNECT put the SYN off, and it was closed before",
		 .flags = SW_F_TASK,
		 .unsent = true,
		 .verdict = VERDICT_ABANDONED,
		 .cause = CAUSE_NONE,
		 .closer = CLOSER_CLOSE,
		 .why = "closed before the first write"},
		{.name = "a SYN had left: closed it was",
		 .flags = SW_F_TASK,
		 .verdict = VERDICT_ABANDONED,
		 .cause = CAUSE_NO_ANSWER,
		 .closer = CLOSER_CLOSE},
	};

	(void)state;
	CHECK(cases);
}

static void econnaborted_is_tcp_abort(void **state)
{
	static const struct ended_case cases[] = {
		{.name = "ss -K, in its own context: no closer, the application did nothing",
		 .flags = SW_F_TASK | SW_F_PENDING,
		 .sk_err = ECONNABORTED,
		 .verdict = VERDICT_ABORTED,
		 .cause = CAUSE_NO_ANSWER,
		 .errnum = ECONNABORTED,
		 .closer = NO_CLOSER,
		 .why = "destroyed from outside by nginx[1234] (ss -K)"},
		{.name = "no task is known",
		 .flags = SW_F_PENDING,
		 .sk_err = ECONNABORTED,
		 .verdict = VERDICT_ABORTED,
		 .cause = CAUSE_NO_ANSWER,
		 .errnum = ECONNABORTED,
		 .closer = NO_CLOSER,
		 .why = "destroyed from outside (ss -K)"},
		{.name = "what the network had said is kept",
		 .flags = SW_F_PENDING | SW_F_ICMP,
		 .sk_err = ECONNABORTED,
		 .sk_err_soft = EHOSTUNREACH,
		 .icmp = HOST_UNREACHABLE,
		 .verdict = VERDICT_ABORTED,
		 .cause = CAUSE_ICMP,
		 .errnum = ECONNABORTED,
		 .icmp_type = 3,
		 .icmp_code = 1,
		 .closer = NO_CLOSER},
	};

	(void)state;
	CHECK(cases);
}

/* The program did not run at its end; the socket was looked at later, when
 * tcp_done() had cleared the timer and nobody knew the task any more. */
static void an_end_that_was_missed_claims_only_what_the_socket_still_tells(void **state)
{
	static const struct ended_case cases[] = {
		{.name = "ETIMEDOUT has one reason",
		 .flags = SW_F_MISSED,
		 .sk_err = ETIMEDOUT,
		 .retransmits = 5,
		 .verdict = VERDICT_TIMED_OUT,
		 .cause = CAUSE_NO_ANSWER,
		 .errnum = ETIMEDOUT,
		 .closer = NO_CLOSER},
		{.name = "a RST that was seen",
		 .flags = SW_F_MISSED | SW_F_RESET,
		 .sk_err = ECONNREFUSED,
		 .verdict = VERDICT_REFUSED,
		 .cause = CAUSE_RST,
		 .errnum = ECONNREFUSED,
		 .closer = NO_CLOSER},
		{.name = "retries were left: it was the packet, not the timer",
		 .flags = SW_F_MISSED | SW_F_ICMP,
		 .sk_err = ECONNREFUSED,
		 .retransmits = 1,
		 .icmp = PORT_UNREACHABLE,
		 .verdict = VERDICT_REJECTED,
		 .cause = CAUSE_ICMP,
		 .errnum = ECONNREFUSED,
		 .icmp_type = 3,
		 .icmp_code = 3,
		 .closer = NO_CLOSER},
		{.name = "the timer is not pending, but neither would it be after a packet",
		 .flags = SW_F_MISSED | SW_F_ICMP,
		 .sk_err = ECONNREFUSED,
		 .sk_err_soft = ECONNREFUSED,
		 .retransmits = 6,
		 .icmp = PORT_UNREACHABLE,
		 .verdict = VERDICT_UNKNOWN,
		 .cause = CAUSE_ICMP,
		 .errnum = ECONNREFUSED,
		 .icmp_type = 3,
		 .icmp_code = 3,
		 .closer = NO_CLOSER},
		{.name = "on IPv6 the RST may have been missed as well",
		 .family = 6,
		 .flags = SW_F_MISSED,
		 .sk_err = ECONNREFUSED,
		 .verdict = VERDICT_UNKNOWN,
		 .cause = CAUSE_NO_ANSWER,
		 .errnum = ECONNREFUSED,
		 .closer = NO_CLOSER},
		{.name = "closed, by whom nobody knows",
		 .flags = SW_F_MISSED,
		 .verdict = VERDICT_UNKNOWN,
		 .cause = CAUSE_NO_ANSWER,
		 .closer = NO_CLOSER},
		{.name = "established it is",
		 .flags = SW_F_MISSED,
		 .new_state = ESTABLISHED,
		 .retransmits = 1,
		 .verdict = VERDICT_ESTABLISHED,
		 .cause = CAUSE_NO_ANSWER,
		 .closer = NO_CLOSER},
	};

	(void)state;
	CHECK(cases);
}

static void an_icmp_error_from_this_host_is_not_blamed_on_the_remote(void **state)
{
	struct sw_handshake facts = facts_client(SW_CLOSE, LATER, 2);

	(void)state;
	facts.flags |= SW_F_PENDING;
	facts.sk_err = EHOSTUNREACH;
	facts_add_icmp(&facts, 2, 3, 13, EHOSTUNREACH); /* 10.0.0.2: its own address */
	assert_non_null(strstr(judge(&facts).why, "prohibited from this host itself:"));
}

/* --- under way, lost --- */

static struct report_handshake stalled(const struct sw_handshake *facts)
{
	struct report_handshake report;

	handshake_describe(facts, facts->header.time_ns, false, &report);
	verdict_stalled(facts, &report);
	check_sentence("stalled", &report);
	assert_int_equal(report.verdict, VERDICT_STALLED);
	assert_int_equal(report.errnum, 0);
	assert_false(report.has_closer);
	return report;
}

static void a_stall_says_what_came_back(void **state)
{
	struct sw_handshake facts = facts_client(SW_RETRY, BEGIN + SEC, 1);
	struct report_handshake report = stalled(&facts);

	(void)state;
	assert_int_equal(report.cause, CAUSE_NO_ANSWER);
	assert_string_equal(report.why, "2 SYNs, no answer: lost on the way, dropped by the peer, "
					"or its answer lost");

	/* 6.17+: the transmission's own result */
	facts.flags |= SW_F_ERR;
	facts.err = -EPERM;
	facts.syn_sent = 1;
	report = stalled(&facts);
	assert_int_equal(report.cause, CAUSE_DROPPED_ON_OUTPUT);
	assert_string_equal(report.why, "1 SYN; the last retry did not leave this host (EPERM)");

	/* an ICMP error while connect() held the lock is a soft one */
	facts.sk_err_soft = ECONNREFUSED;
	facts_add_icmp(&facts, 1, 3, 3, ECONNREFUSED);
	report = stalled(&facts);
	assert_int_equal(report.cause, CAUSE_ICMP);
	assert_true(report.has_icmp && report.icmp_code_known);
	assert_string_equal(report.why, "1 SYN; ICMP port unreachable from 10.0.0.1 came back, "
					"but the kernel keeps trying");

	facts.flags &= ~SW_F_ICMP;
	facts_to_v6(&facts);
	facts.sk_err_soft = EHOSTUNREACH;
	report = stalled(&facts);
	assert_int_equal(report.cause, CAUSE_ICMP);
	assert_false(report.has_icmp);
	assert_string_equal(report.why,
			    "1 SYN; ICMPv6 error came back, but the kernel keeps trying");
}

static void a_lost_end_is_unknown(void **state)
{
	struct sw_handshake facts = facts_client(SW_RETRY, BEGIN + SEC, 1);
	struct report_handshake report;

	(void)state;
	handshake_describe(&facts, LATER, true, &report);
	verdict_lost(&facts, &report);
	assert_int_equal(report.verdict, VERDICT_UNKNOWN);
	assert_int_equal(report.cause, CAUSE_NO_ANSWER);
	check_sentence("lost", &report);

	facts_add_icmp(&facts, 1, 3, 3, ECONNREFUSED);
	handshake_describe(&facts, LATER, true, &report);
	verdict_lost(&facts, &report);
	assert_int_equal(report.cause, CAUSE_ICMP);
	assert_true(report.has_icmp);
}

/* --- the sentence --- */

static void a_hostile_name_cannot_drive_a_terminal(void **state)
{
	static const char *const names[] = {"\033[2J\033[31m", "a\nb\rc\td", "\xc3\xa4\xff\xfe", "",
					    "%s%n%s%n%s%n"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct sw_handshake facts = facts_client(SW_CLOSE, LATER, 1);

		facts_add_closer(&facts, names[i]);
		assert_int_equal(judge(&facts).verdict, VERDICT_ABANDONED);
		facts.sk_err = ECONNABORTED;
		assert_int_equal(judge(&facts).verdict, VERDICT_ABORTED);
	}
	/* the evidence itself stays as it was */
	{
		struct sw_handshake facts = facts_client(SW_CLOSE, LATER, 1);

		facts_add_closer(&facts, names[0]);
		assert_string_equal(judge(&facts).closer.comm, names[0]);
	}
}

/* Everything as long as it can be, on every way through the rules. */
static void the_longest_texts_fit(void **state)
{
	static const struct sw_icmp longest[] = {
		{.type = 3, .code = 13, .version = 4, .errnum = EHOSTUNREACH},
		{.type = 5, .code = 2, .version = 4, .errnum = EHOSTUNREACH},
		{.type = 1, .code = 5, .version = 6, .errnum = EHOSTUNREACH},
		{.type = 4, .code = 3, .version = 6, .errnum = EHOSTUNREACH},
		{.type = 255, .code = 255, .version = 9, .errnum = EHOSTUNREACH},
	};
	static const uint32_t flags[] = {
		SW_F_ICMP,
		SW_F_ICMP | SW_F_PENDING,
		SW_F_ICMP | SW_F_PENDING | SW_F_TASK,
		SW_F_ICMP | SW_F_PENDING | SW_F_TASK | SW_F_EXITING,
		SW_F_ICMP | SW_F_PENDING | SW_F_RESET,
	};
	static const uint16_t errors[] = {0, EHOSTUNREACH, ETIMEDOUT, ECONNABORTED};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(longest) * ARRAY_SIZE(flags) * ARRAY_SIZE(errors) * 4;
	     i++) {
		struct sw_handshake facts = facts_client(SW_CLOSE, BEGIN + (1ULL << 62), 255);
		const struct sw_icmp *icmp = &longest[i / 80 % ARRAY_SIZE(longest)];
		struct report_handshake report;
		const char *name;

		facts_to_v6(&facts);
		memset(facts.tuple.raddr, 0xde, sizeof(facts.tuple.raddr));
		facts.flags |= flags[i / 16 % ARRAY_SIZE(flags)];
		facts.sk_err = errors[i / 4 % ARRAY_SIZE(errors)];
		facts.sk_err_soft = i & 1 ? EHOSTUNREACH : 0;
		facts.new_state = i & 2 ? ESTABLISHED : CLOSED;
		facts.icmp = *icmp;
		memset(facts.icmp.from, 0xab, sizeof(facts.icmp.from));
		facts.syn_sent = UINT16_MAX;
		facts.timer.user_timeout_ms = UINT32_MAX;
		facts.closer = (struct sw_closer){.pid = UINT32_MAX, .exit_code = 16};
		memset(facts.closer.comm, 'W', SW_COMM_LEN - 1);

		report = judge(&facts);
		name = names_icmp(icmp->version, icmp->type, icmp->code);
		if (report.cause == CAUSE_ICMP && report.verdict != VERDICT_ABORTED &&
		    report.verdict != VERDICT_UNKNOWN) {
			assert_non_null(strstr(report.why, name ? name : "error"));
			assert_non_null(
				strstr(report.why, "abab:abab:abab:abab:abab:abab:abab:abab"));
		}
		assert_true(stalled(&facts).has_icmp);
	}
}

static void every_icmp_name_is_told_whole(void **state)
{
	(void)state;
	for (int i = 0; i < 2 * 256 * 256; i++) {
		struct sw_handshake facts = facts_client(SW_CLOSE, LATER, 0);
		const char *name = names_icmp(i & 1 ? 6 : 4, i >> 9, i >> 1 & 255);

		if (!name)
			continue;
		facts.flags |= SW_F_PENDING;
		facts.sk_err = EHOSTUNREACH;
		if (i & 1)
			facts_to_v6(&facts);
		facts_add_icmp(&facts, 9, i >> 9, i >> 1 & 255, EHOSTUNREACH);
		facts.icmp.version = i & 1 ? 6 : 4;
		assert_non_null(strstr(judge(&facts).why, name));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(connect_that_failed_at_once_is_a_local_error),
		cmocka_unit_test(a_local_error_sent_nothing),
		cmocka_unit_test(only_established_is_established),
		cmocka_unit_test(a_syn_sent_again_at_once_is_no_trouble),
		cmocka_unit_test(late_without_a_retry_on_the_wire_does_not_speak_of_lost_ones),
		cmocka_unit_test(a_rst_is_a_refusal_only_if_it_was_seen),
		cmocka_unit_test(only_the_timer_itself_times_out),
		cmocka_unit_test(a_timeout_that_the_application_set_is_named),
		cmocka_unit_test(icmp_rejects_v4_if_the_error_queue_shows_it),
		cmocka_unit_test(icmp_rejects_v6_by_elimination),
		cmocka_unit_test(v6_names_the_error_that_ended_it),
		cmocka_unit_test(a_rejection_the_application_read_is_no_give_up),
		cmocka_unit_test(a_task_that_closes_without_an_error_gives_up),
		cmocka_unit_test(econnaborted_is_tcp_abort),
		cmocka_unit_test(an_end_that_was_missed_claims_only_what_the_socket_still_tells),
		cmocka_unit_test(an_icmp_error_from_this_host_is_not_blamed_on_the_remote),
		cmocka_unit_test(a_stall_says_what_came_back),
		cmocka_unit_test(a_lost_end_is_unknown),
		cmocka_unit_test(a_hostile_name_cannot_drive_a_terminal),
		cmocka_unit_test(the_longest_texts_fit),
		cmocka_unit_test(every_icmp_name_is_told_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
