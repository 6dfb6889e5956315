/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The words of the interface, written out a second time: a table that changes
 * by mistake fails here.
 */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/names.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* One signature for all enums. */
#define BY_NUMBER(names, type)                                   \
	static const char *names##_by_number(unsigned int value) \
	{                                                        \
		return names((type)value);                       \
	}

BY_NUMBER(names_role, enum role)
BY_NUMBER(names_verdict, enum verdict)
BY_NUMBER(names_cause, enum cause)
BY_NUMBER(names_closer_how, enum closer_how)
BY_NUMBER(names_report_type, enum report_type)
BY_NUMBER(names_pattern_kind, enum pattern_kind)

struct expected {
	unsigned int value;
	const char *word;
};

static const struct expected roles[] = {
	{ROLE_CLIENT, "client"},
	{ROLE_SERVER, "server"},
};

static const struct expected verdicts[] = {
	{VERDICT_STALLED, "stalled"},	      {VERDICT_ESTABLISHED, "established"},
	{VERDICT_REFUSED, "refused"},	      {VERDICT_REJECTED, "rejected"},
	{VERDICT_TIMED_OUT, "timed_out"},     {VERDICT_ABANDONED, "abandoned"},
	{VERDICT_LOCAL_ERROR, "local_error"}, {VERDICT_ABORTED, "aborted"},
	{VERDICT_IGNORED, "ignored"},	      {VERDICT_UNKNOWN, "unknown"},
};

static const struct expected causes[] = {
	{CAUSE_NONE, "none"},
	{CAUSE_NO_ANSWER, "no_answer"},
	{CAUSE_DROPPED_ON_OUTPUT, "dropped_on_output"},
	{CAUSE_NEIGHBOUR_UNRESOLVED, "neighbour_unresolved"},
	{CAUSE_REPLY_DROPPED_ON_INPUT, "reply_dropped_on_input"},
	{CAUSE_BAD_ANSWER, "bad_answer"},
	{CAUSE_DROPPED_ON_PATH, "dropped_on_path"},
	{CAUSE_REPLY_DROPPED_ON_PATH, "reply_dropped_on_path"},
	{CAUSE_DROPPED_BY_PEER, "dropped_by_peer"},
	{CAUSE_SYN_LOST, "syn_lost"},
	{CAUSE_REPLY_LOST, "reply_lost"},
	{CAUSE_RST, "rst"},
	{CAUSE_ICMP, "icmp"},
	{CAUSE_NO_ROUTE, "no_route"},
	{CAUSE_NO_PORT, "no_port"},
	{CAUSE_DENIED, "denied"},
	{CAUSE_OTHER_ERROR, "other_error"},
	{CAUSE_NO_ACK, "no_ack"},
	{CAUSE_ACCEPT_QUEUE_FULL, "accept_queue_full"},
	{CAUSE_SYN_QUEUE_FULL, "syn_queue_full"},
	{CAUSE_NETFILTER, "netfilter"},
	{CAUSE_NO_LISTENER, "no_listener"},
	{CAUSE_OTHER_DROP, "other_drop"},
};

static const struct expected closer_hows[] = {
	{CLOSER_CLOSE, "close"},
	{CLOSER_EXIT, "exit"},
	{CLOSER_SIGNAL, "signal"},
};

static const struct expected report_types[] = {
	{REPORT_START, "start"}, {REPORT_STALL, "stall"},     {REPORT_END, "end"},
	{REPORT_LOSS, "loss"},	 {REPORT_CROWD, "crowd"},     {REPORT_PATTERN, "pattern"},
	{REPORT_CLOCK, "clock"}, {REPORT_SUMMARY, "summary"},
};

static const struct expected pattern_kinds[] = {
	{PATTERN_PLACE, "place"},
	{PATTERN_SUBNET, "subnet"},
	{PATTERN_LOSS, "loss"},
	{PATTERN_ECN, "ecn"},
};

static const struct expected kinds[] = {
	{SW_NONE, "none"},
	{SW_OPEN, "open"},
	{SW_RETRY, "retry"},
	{SW_LOOK, "look"},
	{SW_CLOSE, "close"},
	{SW_LOCAL_ERROR, "local_error"},
	{SW_SYNACK_RETRY, "synack_retry"},
	{SW_SYNACK_DROP, "synack_drop"},
	{SW_ACCEPTED, "accepted"},
	{SW_REQUEST_GONE, "request_gone"},
	{SW_SYN_DROP, "syn_drop"},
	{SW_CROWD, "crowd"},
	{SW_COUNTS, "counts"},
	{SW_LOSS, "loss"},
	{SW_CLOCK, "clock"},
	{SW_NAME, "name"},
};

#define TABLE(names, number, expected)                        \
	{                                                     \
		names, number, expected, ARRAY_SIZE(expected) \
	}

static const struct table {
	const char *(*name)(unsigned int value);
	unsigned int number; /* of values the enum has */
	const struct expected *expected;
	size_t count;
} tables[] = {
	TABLE(names_role_by_number, ROLE_COUNT, roles),
	TABLE(names_verdict_by_number, VERDICT_COUNT, verdicts),
	TABLE(names_cause_by_number, CAUSE_COUNT, causes),
	TABLE(names_closer_how_by_number, CLOSER_COUNT, closer_hows),
	TABLE(names_report_type_by_number, REPORT_TYPE_COUNT, report_types),
	TABLE(names_pattern_kind_by_number, PATTERN_KIND_COUNT, pattern_kinds),
	TABLE(names_kind, SW_KIND_COUNT, kinds),
};

static void every_word_is_the_documented_one(void **state)
{
	size_t t, i;

	(void)state;
	for (t = 0; t < ARRAY_SIZE(tables); t++) {
		assert_int_equal(tables[t].count, tables[t].number);
		for (i = 0; i < tables[t].count; i++)
			assert_string_equal(tables[t].name(tables[t].expected[i].value),
					    tables[t].expected[i].word);
	}
}

static void every_value_has_a_word_of_its_own(void **state)
{
	unsigned int a, b;
	size_t t;

	(void)state;
	for (t = 0; t < ARRAY_SIZE(tables); t++) {
		for (a = 0; a < tables[t].number; a++) {
			assert_non_null(tables[t].name(a));
			/* Lower case and underscores: safe in JSON and in a shell. */
			assert_true(tables[t].name(a)[0]);
			assert_int_equal(strspn(tables[t].name(a), "abcdefghijklmnopqrstuvwxyz_"),
					 strlen(tables[t].name(a)));
			for (b = 0; b < a; b++)
				assert_string_not_equal(tables[t].name(a), tables[t].name(b));
		}
	}
}

static void a_value_out_of_range_is_a_question_mark(void **state)
{
	size_t t;

	(void)state;
	for (t = 0; t < ARRAY_SIZE(tables); t++) {
		assert_string_equal(tables[t].name(tables[t].number), "?");
		assert_string_equal(tables[t].name(INT_MAX), "?");
		assert_string_equal(tables[t].name((unsigned int)-1), "?");
	}
}

static void kinds_survive_the_round_trip(void **state)
{
	unsigned int kind;

	(void)state;
	for (kind = 0; kind < SW_KIND_COUNT; kind++)
		assert_int_equal(names_kind_parse(names_kind(kind)), kind);
}

static void a_word_that_is_no_kind_is_refused(void **state)
{
	static const char *const words[] = {"", "?", "Open", "open ", "ope", "opened"};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(words); i++)
		assert_int_equal(names_kind_parse(words[i]), -1);
	assert_int_equal(names_kind_parse(NULL), -1);
}

static void errnos_are_symbols(void **state)
{
	static const struct {
		int errnum;
		const char *name;
	} cases[] = {
		{EPERM, "EPERM"},
		{EACCES, "EACCES"},
		{EINVAL, "EINVAL"},
		{ENETUNREACH, "ENETUNREACH"},
		{EHOSTUNREACH, "EHOSTUNREACH"},
		{ECONNREFUSED, "ECONNREFUSED"},
		{ECONNRESET, "ECONNRESET"},
		{ECONNABORTED, "ECONNABORTED"},
		{ETIMEDOUT, "ETIMEDOUT"},
		{EADDRNOTAVAIL, "EADDRNOTAVAIL"},
		{ENOPROTOOPT, "ENOPROTOOPT"},
		{EPROTO, "EPROTO"},
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(names_errno(cases[i].errnum), cases[i].name);
}

static void an_errno_without_a_name_is_not_made_up(void **state)
{
	static const int nameless[] = {0, -1, -ECONNREFUSED, INT_MIN, 1234, INT_MAX};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(nameless); i++)
		assert_null(names_errno(nameless[i]));
}

static void icmp_types_and_codes_have_their_rfcs_names(void **state)
{
	static const struct {
		unsigned int version;
		int type, code;
		const char *name;
	} cases[] = {
		{4, 3, -1, "destination unreachable"},
		{4, 3, 0, "network unreachable"},
		{4, 3, 1, "host unreachable"},
		{4, 3, 2, "protocol unreachable"},
		{4, 3, 3, "port unreachable"},
		{4, 3, 4, "fragmentation needed"},
		{4, 3, 9, "network administratively prohibited"},
		{4, 3, 10, "host administratively prohibited"},
		{4, 3, 13, "communication administratively prohibited"},
		{4, 3, 15, "precedence cutoff in effect"},
		{4, 4, 0, "source quench"},
		{4, 5, 1, "redirect for host"},
		{4, 11, -1, "time exceeded"},
		{4, 11, 0, "time to live exceeded in transit"},
		{4, 12, -1, "parameter problem"},
		{6, 1, -1, "destination unreachable"},
		{6, 1, 0, "no route to destination"},
		{6, 1, 1, "communication administratively prohibited"},
		{6, 1, 3, "address unreachable"},
		{6, 1, 4, "port unreachable"},
		{6, 1, 7, "error in source routing header"},
		{6, 2, 0, "packet too big"},
		{6, 3, 0, "hop limit exceeded in transit"},
		{6, 4, 1, "unrecognized next header"},
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(names_icmp(cases[i].version, cases[i].type, cases[i].code),
				    cases[i].name);
}

static void icmp_names_exist_for_these_types_and_codes_only(void **state)
{
	/* The number of codes that have a name; 0: the type has none either. */
	static const int codes4[256] = {[3] = 16, [4] = 1, [5] = 4, [11] = 2, [12] = 2};
	static const int codes6[256] = {[1] = 8, [2] = 1, [3] = 2, [4] = 4};
	int type, code;

	(void)state;
	for (type = 0; type < 256; type++) {
		assert_int_equal(!!names_icmp(4, type, -1), !!codes4[type]);
		assert_int_equal(!!names_icmp(6, type, -1), !!codes6[type]);
		for (code = 0; code < 256; code++) {
			assert_int_equal(!!names_icmp(4, type, code), code < codes4[type]);
			assert_int_equal(!!names_icmp(6, type, code), code < codes6[type]);
		}
	}
}

static void icmp_nonsense_has_no_name(void **state)
{
	static const struct {
		unsigned int version;
		int type, code;
	} cases[] = {
		{0, 3, 3},	 {5, 3, 3},	  {UINT_MAX, 3, 3}, {4, -1, 0},
		{4, INT_MIN, 0}, {4, INT_MAX, 0}, {4, 3, INT_MAX},  {6, 1, INT_MAX},
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++)
		assert_null(names_icmp(cases[i].version, cases[i].type, cases[i].code));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_word_is_the_documented_one),
		cmocka_unit_test(every_value_has_a_word_of_its_own),
		cmocka_unit_test(a_value_out_of_range_is_a_question_mark),
		cmocka_unit_test(kinds_survive_the_round_trip),
		cmocka_unit_test(a_word_that_is_no_kind_is_refused),
		cmocka_unit_test(errnos_are_symbols),
		cmocka_unit_test(an_errno_without_a_name_is_not_made_up),
		cmocka_unit_test(icmp_types_and_codes_have_their_rfcs_names),
		cmocka_unit_test(icmp_names_exist_for_these_types_and_codes_only),
		cmocka_unit_test(icmp_nonsense_has_no_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
