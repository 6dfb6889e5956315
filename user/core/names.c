/* SPDX-License-Identifier: GPL-2.0-only */
#include "core/names.h"

#include <string.h>

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* The words are an interface: a word once released is never changed. */
static const char *const roles[] = {
	[ROLE_CLIENT] = "client",
	[ROLE_SERVER] = "server",
};
_Static_assert(ARRAY_SIZE(roles) == ROLE_COUNT, "a role without a word");

static const char *const verdicts[] = {
	[VERDICT_STALLED] = "stalled",	       [VERDICT_ESTABLISHED] = "established",
	[VERDICT_REFUSED] = "refused",	       [VERDICT_REJECTED] = "rejected",
	[VERDICT_TIMED_OUT] = "timed_out",     [VERDICT_ABANDONED] = "abandoned",
	[VERDICT_LOCAL_ERROR] = "local_error", [VERDICT_ABORTED] = "aborted",
	[VERDICT_IGNORED] = "ignored",	       [VERDICT_UNKNOWN] = "unknown",
};
_Static_assert(ARRAY_SIZE(verdicts) == VERDICT_COUNT, "a verdict without a word");

static const char *const causes[] = {
	[CAUSE_NONE] = "none",
	[CAUSE_NO_ANSWER] = "no_answer",
	[CAUSE_DROPPED_ON_OUTPUT] = "dropped_on_output",
	[CAUSE_NEIGHBOUR_UNRESOLVED] = "neighbour_unresolved",
	[CAUSE_REPLY_DROPPED_ON_INPUT] = "reply_dropped_on_input",
	[CAUSE_BAD_ANSWER] = "bad_answer",
	[CAUSE_DROPPED_ON_PATH] = "dropped_on_path",
	[CAUSE_REPLY_DROPPED_ON_PATH] = "reply_dropped_on_path",
	[CAUSE_DROPPED_BY_PEER] = "dropped_by_peer",
	[CAUSE_SYN_LOST] = "syn_lost",
	[CAUSE_REPLY_LOST] = "reply_lost",
	[CAUSE_RST] = "rst",
	[CAUSE_ICMP] = "icmp",
	[CAUSE_NO_ROUTE] = "no_route",
	[CAUSE_NO_PORT] = "no_port",
	[CAUSE_DENIED] = "denied",
	[CAUSE_OTHER_ERROR] = "other_error",
	[CAUSE_NO_ACK] = "no_ack",
	[CAUSE_ACCEPT_QUEUE_FULL] = "accept_queue_full",
	[CAUSE_SYN_QUEUE_FULL] = "syn_queue_full",
	[CAUSE_NETFILTER] = "netfilter",
	[CAUSE_NO_LISTENER] = "no_listener",
	[CAUSE_OTHER_DROP] = "other_drop",
};
_Static_assert(ARRAY_SIZE(causes) == CAUSE_COUNT, "a cause without a word");

static const char *const closer_hows[] = {
	[CLOSER_CLOSE] = "close",
	[CLOSER_EXIT] = "exit",
	[CLOSER_SIGNAL] = "signal",
};
_Static_assert(ARRAY_SIZE(closer_hows) == CLOSER_COUNT, "a way to close without a word");

static const char *const report_types[] = {
	[REPORT_START] = "start", [REPORT_STALL] = "stall",	[REPORT_END] = "end",
	[REPORT_LOSS] = "loss",	  [REPORT_CROWD] = "crowd",	[REPORT_PATTERN] = "pattern",
	[REPORT_CLOCK] = "clock", [REPORT_SUMMARY] = "summary",
};
_Static_assert(ARRAY_SIZE(report_types) == REPORT_TYPE_COUNT, "a report type without a word");

static const char *const pattern_kinds[] = {
	[PATTERN_PLACE] = "place",
	[PATTERN_SUBNET] = "subnet",
	[PATTERN_LOSS] = "loss",
	[PATTERN_ECN] = "ecn",
};
_Static_assert(ARRAY_SIZE(pattern_kinds) == PATTERN_KIND_COUNT, "a kind of pattern without a word");

static const char *const gaps[] = {
	[REPORT_GAP_NONE] = "none",
	[REPORT_GAP_NO_CAPTURE] = "no_capture",
	[REPORT_GAP_NO_OVERLAP] = "no_overlap",
	[REPORT_GAP_FILTERED] = "filtered",
	[REPORT_GAP_RECORDS_LOST] = "records_lost",
	[REPORT_GAP_CROWD] = "crowd",
	[REPORT_GAP_SYNCOOKIES] = "syncookies",
	[REPORT_GAP_NOT_RECORDED] = "not_recorded",
	[REPORT_GAP_ISN_REWRITTEN] = "isn_rewritten",
	[REPORT_GAP_ISN_AMBIGUOUS] = "isn_ambiguous",
	[REPORT_GAP_ISN_UNKNOWN] = "isn_unknown",
	[REPORT_GAP_TIME_MISFIT] = "time_misfit",
	[REPORT_GAP_OTHER_HOST] = "other_host",
	[REPORT_GAP_CONTRADICTION] = "contradiction",
};
_Static_assert(ARRAY_SIZE(gaps) == REPORT_GAP_COUNT, "a gap without a word");

static const char *const clock_bys[] = {
	[CLOCK_BY_HANDSHAKES] = "handshakes",
	[CLOCK_BY_BOOT] = "boot",
	[CLOCK_BY_WALL] = "wall",
};
_Static_assert(ARRAY_SIZE(clock_bys) == CLOCK_BY_COUNT, "a clock without a word");

static const char *const kinds[] = {
	[SW_NONE] = "none",
	[SW_OPEN] = "open",
	[SW_RETRY] = "retry",
	[SW_LOOK] = "look",
	[SW_CLOSE] = "close",
	[SW_LOCAL_ERROR] = "local_error",
	[SW_SYNACK_RETRY] = "synack_retry",
	[SW_SYNACK_DROP] = "synack_drop",
	[SW_ACCEPTED] = "accepted",
	[SW_REQUEST_GONE] = "request_gone",
	[SW_SYN_DROP] = "syn_drop",
	[SW_CROWD] = "crowd",
	[SW_COUNTS] = "counts",
	[SW_LOSS] = "loss",
	[SW_CLOCK] = "clock",
	[SW_NAME] = "name",
};
_Static_assert(ARRAY_SIZE(kinds) == SW_KIND_COUNT, "a kind of record without a word");

/* The type's name, then its codes' names. */
struct icmp_names {
	const char *type;
	const char *const *codes;
	unsigned int code_count;
};

#define CODES(table) .codes = (table), .code_count = ARRAY_SIZE(table)

/* 0 .. 5 RFC 792, 6 .. 12 RFC 1122 3.2.2.1, 13 .. 15 RFC 1812 5.2.7.1 */
static const char *const icmp4_unreachable[] = {
	[0] = "network unreachable",
	[1] = "host unreachable",
	[2] = "protocol unreachable",
	[3] = "port unreachable",
	[4] = "fragmentation needed",
	[5] = "source route failed",
	[6] = "network unknown",
	[7] = "host unknown",
	[8] = "source host isolated",
	[9] = "network administratively prohibited",
	[10] = "host administratively prohibited",
	[11] = "network unreachable for type of service",
	[12] = "host unreachable for type of service",
	[13] = "communication administratively prohibited",
	[14] = "host precedence violation",
	[15] = "precedence cutoff in effect",
};
_Static_assert(ARRAY_SIZE(icmp4_unreachable) == 16, "codes 0 .. 15");

static const char *const icmp4_quench[] = {"source quench"};

static const char *const icmp4_redirect[] = {
	[0] = "redirect for network",
	[1] = "redirect for host",
	[2] = "redirect for type of service and network",
	[3] = "redirect for type of service and host",
};

static const char *const icmp4_time[] = {
	[0] = "time to live exceeded in transit",
	[1] = "fragment reassembly time exceeded",
};

/* 1: RFC 1122 3.2.2.5 */
static const char *const icmp4_parameter[] = {
	[0] = "erroneous header field",
	[1] = "required option missing",
};

static const struct icmp_names icmp4[] = {
	[3] = {"destination unreachable", CODES(icmp4_unreachable)},
	[4] = {"source quench", CODES(icmp4_quench)},
	[5] = {"redirect", CODES(icmp4_redirect)},
	[11] = {"time exceeded", CODES(icmp4_time)},
	[12] = {"parameter problem", CODES(icmp4_parameter)},
};

/* RFC 4443 3.1; 7: RFC 6550 20.18 */
static const char *const icmp6_unreachable[] = {
	[0] = "no route to destination",
	[1] = "communication administratively prohibited",
	[2] = "beyond scope of source address",
	[3] = "address unreachable",
	[4] = "port unreachable",
	[5] = "source address failed ingress/egress policy",
	[6] = "reject route to destination",
	[7] = "error in source routing header",
};
_Static_assert(ARRAY_SIZE(icmp6_unreachable) == 8, "codes 0 .. 7");

static const char *const icmp6_too_big[] = {"packet too big"};

static const char *const icmp6_time[] = {
	[0] = "hop limit exceeded in transit",
	[1] = "fragment reassembly time exceeded",
};

/* 3: RFC 7112 */
static const char *const icmp6_parameter[] = {
	[0] = "erroneous header field",
	[1] = "unrecognized next header",
	[2] = "unrecognized option",
	[3] = "incomplete header chain in first fragment",
};

static const struct icmp_names icmp6[] = {
	[1] = {"destination unreachable", CODES(icmp6_unreachable)},
	[2] = {"packet too big", CODES(icmp6_too_big)},
	[3] = {"time exceeded", CODES(icmp6_time)},
	[4] = {"parameter problem", CODES(icmp6_parameter)},
};

static const char *word(const char *const *words, unsigned int count, unsigned int value)
{
	return value < count ? words[value] : "?";
}

const char *names_role(enum role role)
{
	return word(roles, ARRAY_SIZE(roles), role);
}

const char *names_verdict(enum verdict verdict)
{
	return word(verdicts, ARRAY_SIZE(verdicts), verdict);
}

const char *names_cause(enum cause cause)
{
	return word(causes, ARRAY_SIZE(causes), cause);
}

const char *names_closer_how(enum closer_how how)
{
	return word(closer_hows, ARRAY_SIZE(closer_hows), how);
}

const char *names_report_type(enum report_type type)
{
	return word(report_types, ARRAY_SIZE(report_types), type);
}

const char *names_pattern_kind(enum pattern_kind kind)
{
	return word(pattern_kinds, ARRAY_SIZE(pattern_kinds), kind);
}

const char *names_gap(enum report_gap gap)
{
	return word(gaps, ARRAY_SIZE(gaps), gap);
}

const char *names_clock_by(enum report_clock_by by)
{
	return word(clock_bys, ARRAY_SIZE(clock_bys), by);
}

const char *names_kind(unsigned int kind)
{
	return word(kinds, ARRAY_SIZE(kinds), kind);
}

int names_kind_parse(const char *text)
{
	unsigned int kind;

	for (kind = 0; text && kind < ARRAY_SIZE(kinds); kind++) {
		if (!strcmp(kinds[kind], text))
			return (int)kind;
	}
	return -1;
}

const char *names_errno(int errnum)
{
	/* strerrorname_np() knows 0 too, as "0". */
	return errnum > 0 ? strerrorname_np(errnum) : NULL;
}

const char *names_icmp(unsigned int version, int type, int code)
{
	const struct icmp_names *names = version == 6 ? icmp6 : icmp4;
	size_t count = version == 6 ? ARRAY_SIZE(icmp6) : ARRAY_SIZE(icmp4);

	if ((version != 4 && version != 6) || type < 0 || (size_t)type >= count)
		return NULL;
	names += type;
	if (code < 0)
		return names->type;
	return (unsigned int)code < names->code_count ? names->codes[code] : NULL;
}
