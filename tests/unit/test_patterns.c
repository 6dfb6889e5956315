/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/pattern_text.h"
#include "core/patterns.h"
#include "facts.h"

#define NETNS 4026531840

/* More places than are told apart. */
#define MANY 5000

static int set_up(void **state)
{
	*state = patterns_new(false);
	return *state ? 0 : -1;
}

static int set_up_all(void **state)
{
	*state = patterns_new(true);
	return *state ? 0 : -1;
}

static int tear_down(void **state)
{
	patterns_free(*state);
	return 0;
}

/* From 10.0.0.200 to 10.0.0.n port 80. */
static struct report_handshake client(enum verdict verdict, enum cause cause, uint8_t n)
{
	struct report_handshake handshake = {
		.role = ROLE_CLIENT,
		.verdict = verdict,
		.cause = cause,
		.elapsed_ns = 5 * SEC,
		.tuple = {.family = 4, .lport = 40000, .rport = 80, .netns = NETNS},
		.syn_sent = 1,
	};

	facts_v4(handshake.tuple.laddr, 200);
	facts_v4(handshake.tuple.raddr, n);
	return handshake;
}

/* Established on SYN number `syns`, at `elapsed_ns`. */
static struct report_handshake late(uint8_t n, int64_t syns, int64_t elapsed_ns)
{
	struct report_handshake handshake = client(VERDICT_ESTABLISHED, CAUSE_NO_ANSWER, n);

	handshake.syn_sent = syns;
	handshake.elapsed_ns = elapsed_ns;
	return handshake;
}

static void add_at(struct patterns *patterns, struct report_handshake handshake, uint64_t time_ns)
{
	struct patterns_mark mark = {};

	patterns_handshake(patterns, &mark, &handshake, false, time_ns);
}

static void add(struct patterns *patterns, struct report_handshake handshake, unsigned int count)
{
	while (count--)
		add_at(patterns, handshake, BEGIN);
}

static void add_healthy(struct patterns *patterns, uint8_t n, unsigned int count)
{
	struct report_handshake handshake = client(VERDICT_ESTABLISHED, CAUSE_NONE, n);

	while (count--) {
		struct patterns_mark mark = {};

		patterns_handshake(patterns, &mark, &handshake, true, BEGIN);
	}
}

/* One after the other: each begins when the one before has its answer. */
static void add_in_turn(struct patterns *patterns, struct report_handshake handshake,
			unsigned int count)
{
	for (unsigned int i = 1; i <= count; i++)
		add_at(patterns, handshake, BEGIN + i * handshake.elapsed_ns);
}

static struct report_handshake timed_out(uint8_t n)
{
	return client(VERDICT_TIMED_OUT, CAUSE_NO_ANSWER, n);
}

static void assert_none(const struct patterns *patterns)
{
	struct report_pattern pattern;

	if (patterns_summarize(patterns, &pattern, 1))
		fail_msg("unexpected: %s", pattern.text);
}

/* The only one. */
static struct report_pattern the_pattern(const struct patterns *patterns)
{
	struct report_pattern found[2];

	assert_int_equal(patterns_summarize(patterns, found, 2), 1);
	return found[0];
}

static void assert_text(const struct patterns *patterns, const char *text)
{
	struct report_pattern pattern = the_pattern(patterns);

	assert_string_equal(pattern.text, text);
}

/* --- handshakes with one place --- */

static void three_that_fare_alike_are_a_pattern(void **state)
{
	struct report_pattern pattern;
	__u8 address[16];

	assert_none(*state);
	add(*state, timed_out(1), 2);
	assert_none(*state);
	add(*state, timed_out(1), 1);
	pattern = the_pattern(*state);
	facts_v4(address, 1);
	assert_memory_equal(pattern.addr, address, sizeof(address));
	assert_int_equal(pattern.kind, PATTERN_PLACE);
	assert_int_equal(pattern.role, ROLE_CLIENT);
	assert_int_equal(pattern.prefix, 0);
	assert_int_equal(pattern.port, 80);
	assert_int_equal(pattern.netns, NETNS);
	assert_int_equal(pattern.verdict, VERDICT_TIMED_OUT);
	assert_int_equal(pattern.cause, CAUSE_NO_ANSWER);
	assert_int_equal(pattern.count, 3);
	assert_int_equal(pattern.of, 3);
	assert_int_equal(pattern.healthy, REPORT_NULL);
}

static void nine_of_ten_are_enough_and_eight_of_nine_are_not(void **state)
{
	add(*state, timed_out(1), 8);
	add(*state, client(VERDICT_REFUSED, CAUSE_RST, 1), 1);
	assert_none(*state);
	add(*state, timed_out(1), 1);
	assert_text(*state, "9 of 10 handshakes in trouble to 10.0.0.1:80 from netns 4026531840 "
			    "got no answer, none got through late");
}

static void other_ports_namespaces_and_causes_are_other_patterns(void **state)
{
	struct report_handshake handshake = timed_out(1);

	add(*state, handshake, 2);
	handshake.tuple.rport = 81;
	add(*state, handshake, 2);
	handshake.tuple.rport = 80;
	handshake.tuple.netns = 1;
	add(*state, handshake, 2);
	add(*state, client(VERDICT_TIMED_OUT, CAUSE_ICMP, 1), 2);
	assert_none(*state);
}

/* Who ended it is the application's affair: no answer is no answer. */
static void hangs_are_one_pattern_however_they_ended(void **state)
{
	struct report_pattern pattern;

	add(*state, timed_out(1), 1);
	add(*state, client(VERDICT_ABANDONED, CAUSE_NO_ANSWER, 1), 1);
	add(*state, client(VERDICT_STALLED, CAUSE_NO_ANSWER, 1), 1);
	pattern = the_pattern(*state);
	assert_int_equal(pattern.count, 3);
	assert_int_equal(pattern.verdict, VERDICT_COUNT);
}

static void a_handshake_counts_once_and_as_it_ended(void **state)
{
	struct report_handshake hang = client(VERDICT_STALLED, CAUSE_NO_ANSWER, 1);
	struct report_handshake end = client(VERDICT_REJECTED, CAUSE_ICMP, 1);
	struct patterns_mark marks[3] = {};
	struct report_pattern pattern;

	for (size_t i = 0; i < ARRAY_SIZE(marks); i++)
		for (int retry = 0; retry < 3; retry++)
			patterns_handshake(*state, &marks[i], &hang, false, BEGIN);
	pattern = the_pattern(*state);
	assert_int_equal(pattern.count, 3);
	assert_int_equal(pattern.verdict, VERDICT_STALLED);
	for (size_t i = 0; i < ARRAY_SIZE(marks); i++)
		patterns_handshake(*state, &marks[i], &end, false, BEGIN);
	pattern = the_pattern(*state);
	assert_int_equal(pattern.count, 3);
	assert_int_equal(pattern.of, 3);
	assert_int_equal(pattern.verdict, VERDICT_REJECTED);
	assert_int_equal(pattern.cause, CAUSE_ICMP);
}

/* RFC 8305: it neither failed nor got through. */
static void the_loser_of_a_race_says_nothing(void **state)
{
	struct report_handshake loser = client(VERDICT_ABANDONED, CAUSE_NO_ANSWER, 1);
	struct patterns_mark mark = {};
	struct report_pattern pattern;

	for (int i = 0; i < 3; i++)
		patterns_handshake(*state, &mark, &loser, true, BEGIN);
	assert_none(*state);
	add(*state, timed_out(1), 3);
	pattern = the_pattern(*state);
	assert_int_equal(pattern.of, 3);
}

static void an_end_that_nobody_saw_is_no_pattern_but_one_of_so_many(void **state)
{
	struct report_pattern pattern;

	add(*state, client(VERDICT_UNKNOWN, CAUSE_NO_ANSWER, 1), 3);
	assert_none(*state);
	add(*state, timed_out(1), 27);
	pattern = the_pattern(*state);
	assert_int_equal(pattern.count, 27);
	assert_int_equal(pattern.of, 30);
}

static void an_unknown_remote_is_no_place(void **state)
{
	struct report_handshake handshake = client(VERDICT_LOCAL_ERROR, CAUSE_OTHER_ERROR, 1);

	handshake.tuple.family = 0;
	add(*state, handshake, 3);
	assert_none(*state);
	assert_int_equal(patterns_untold(*state), 0);
}

static void a_server_s_place_is_the_listener(void **state)
{
	struct report_handshake handshake = client(VERDICT_TIMED_OUT, CAUSE_NO_ACK, 1);

	handshake.role = ROLE_SERVER;
	handshake.tuple.lport = 443;
	for (uint8_t n = 1; n <= 3; n++) {
		facts_v4(handshake.tuple.raddr, n);
		add(*state, handshake, 1);
	}
	assert_text(*state, "3 handshakes at 10.0.0.200:443 in netns 4026531840 got no ACK for "
			    "the SYN-ACK, none got through late");
}

/* --- what is known of the healthy --- */

/* Not even --all reports a server's. */
static void a_server_s_healthy_ones_are_never_known(void **state)
{
	struct report_handshake handshake = client(VERDICT_TIMED_OUT, CAUSE_NO_ACK, 1);

	handshake.role = ROLE_SERVER;
	add(*state, handshake, 3);
	assert_int_equal(the_pattern(*state).healthy, REPORT_NULL);
}

static void without_the_healthy_nothing_is_said_of_all(void **state)
{
	add(*state, timed_out(1), 3);
	add_healthy(*state, 2, 3);
	assert_text(*state, "3 handshakes to 10.0.0.1:80 from netns 4026531840 got no answer, none "
			    "got through late");
	/* one happens to be known: slow, say, but not for want of an answer */
	add(*state, client(VERDICT_ESTABLISHED, CAUSE_NONE, 1), 1);
	assert_none(*state);
	add(*state, timed_out(1), 6);
	assert_text(*state, "9 handshakes to 10.0.0.1:80 from netns 4026531840 got no answer, 1 "
			    "got through");
}

static void with_the_healthy_it_is_said_of_all_and_of_the_neighbours(void **state)
{
	struct report_pattern pattern;

	add(*state, timed_out(1), 37);
	assert_text(*state, "37 of 37 handshakes to 10.0.0.1:80 from netns 4026531840 got no "
			    "answer");
	add_healthy(*state, 1, 3);
	add_healthy(*state, 2, 5);
	add_healthy(*state, 3, 7);
	pattern = the_pattern(*state);
	assert_string_equal(pattern.text,
			    "37 of 40 handshakes to 10.0.0.1:80 from netns 4026531840 got no "
			    "answer, 3 got through, 12 of 12 to its neighbours in 10.0.0.0/24 "
			    "succeeded");
	assert_int_equal(pattern.count, 37);
	assert_int_equal(pattern.of, 40);
	assert_int_equal(pattern.healthy, 3);
}

static void neighbours_have_the_same_subnet_port_and_namespace(void **state)
{
	struct report_handshake healthy = client(VERDICT_ESTABLISHED, CAUSE_NONE, 2);

	add(*state, timed_out(1), 3);
	healthy.tuple.raddr[14] = 1; /* 10.0.1.2 */
	add(*state, healthy, 1);
	healthy.tuple.raddr[14] = 0;
	healthy.tuple.rport = 81;
	add(*state, healthy, 1);
	healthy.tuple.rport = 80;
	healthy.tuple.netns = 1;
	add(*state, healthy, 1);
	assert_text(*state, "3 of 3 handshakes to 10.0.0.1:80 from netns 4026531840 got no answer");
}

/* Late ones got through, too: they fared no worse than the neighbours. */
static void late_ones_are_not_held_against_their_neighbours(void **state)
{
	add(*state, late(1, 2, SEC), 3);
	add_healthy(*state, 2, 3);
	assert_text(*state, "3 of 3 handshakes to 10.0.0.1:80 from netns 4026531840 got through "
			    "late; before, they got no answer");
}

static void after_a_loss_nothing_is_said_of_all(void **state)
{
	add(*state, client(VERDICT_REFUSED, CAUSE_RST, 1), 3);
	add_healthy(*state, 2, 3);
	patterns_lost(*state);
	assert_text(*state, "3 handshakes to 10.0.0.1:80 from netns 4026531840 were answered with "
			    "a RST");
}

static void healthy_places_are_no_pattern(void **state)
{
	add_healthy(*state, 1, 10);
	assert_none(*state);
}

/* --- several remotes of a subnet --- */

static void remotes_that_fail_together_are_told_as_one(void **state)
{
	struct report_pattern pattern;
	__u8 subnet[16];

	add(*state, timed_out(1), 3);
	add(*state, timed_out(2), 1);
	assert_text(*state, "3 handshakes to 10.0.0.1:80 from netns 4026531840 got no answer, none "
			    "got through late");
	add(*state, timed_out(3), 1);
	pattern = the_pattern(*state);
	assert_string_equal(pattern.text, "5 handshakes to 3 remotes in 10.0.0.0/24 port 80 from "
					  "netns 4026531840 got no answer, none got through late");
	facts_v4(subnet, 0);
	assert_memory_equal(pattern.addr, subnet, sizeof(subnet));
	assert_int_equal(pattern.kind, PATTERN_SUBNET);
	assert_int_equal(pattern.prefix, 24);
	assert_int_equal(pattern.count, 5);
	/* a remote that fails otherwise */
	for (uint8_t n = 4; n <= 9; n++)
		add(*state, timed_out(n), 1);
	add(*state, client(VERDICT_REFUSED, CAUSE_RST, 10), 1);
	assert_text(*state, "11 of 12 handshakes in trouble to 9 of 10 remotes in 10.0.0.0/24 port "
			    "80 from netns 4026531840 got no answer, none got through late");
	/* two of eleven are too many, though the handshakes are few */
	add(*state, timed_out(1), 17);
	add(*state, client(VERDICT_REFUSED, CAUSE_RST, 11), 1);
	assert_text(*state, "20 handshakes to 10.0.0.1:80 from netns 4026531840 got no answer, "
			    "none got through late");
}

static void healthy_remotes_of_the_subnet_count_where_they_are_known(void **state)
{
	for (uint8_t n = 1; n <= 9; n++)
		add(*state, timed_out(n), 1);
	add_healthy(*state, 10, 1);
	assert_text(*state, "9 of 10 handshakes to 9 of 10 remotes in 10.0.0.0/24 port 80 from "
			    "netns 4026531840 got no answer, 1 got through");
	add_healthy(*state, 11, 1);
	assert_none(*state);
}

/* The subnet's pattern speaks for those that share it only. */
static void a_remote_that_fails_otherwise_is_told_beside_its_subnet(void **state)
{
	static const struct {
		enum verdict verdict;
		enum cause cause;
	} others[] = {{VERDICT_TIMED_OUT, CAUSE_NO_ANSWER}, {VERDICT_REJECTED, CAUSE_ICMP}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		struct patterns *patterns = patterns_new(false);
		struct report_pattern found[3];

		assert_non_null(patterns);
		for (uint8_t n = 1; n <= 30; n++)
			add(patterns, client(VERDICT_TIMED_OUT, CAUSE_ICMP, n), 1);
		add(patterns, client(others[i].verdict, others[i].cause, 31), 3);
		assert_int_equal(patterns_summarize(patterns, found, 3), 2);
		assert_int_equal(found[0].kind, PATTERN_SUBNET);
		assert_int_equal(found[0].count, 30);
		assert_int_equal(found[1].kind, PATTERN_PLACE);
		assert_int_equal(found[1].verdict, others[i].verdict);
		patterns_free(patterns);
	}
}

static void what_a_remote_no_longer_has_it_no_longer_shares(void **state)
{
	struct report_handshake hang = client(VERDICT_STALLED, CAUSE_NO_ANSWER, 1);
	struct report_handshake answered = late(1, 4, 7 * SEC);
	struct patterns_mark mark = {};

	patterns_handshake(*state, &mark, &hang, false, BEGIN);
	add(*state, timed_out(2), 20);
	add(*state, timed_out(3), 1);
	assert_int_equal(the_pattern(*state).kind, PATTERN_SUBNET);
	patterns_handshake(*state, &mark, &answered, false, BEGIN + SEC);
	assert_int_equal(the_pattern(*state).kind, PATTERN_PLACE);
}

static void a_v6_subnet_is_a_64(void **state)
{
	struct report_handshake handshake = timed_out(1);

	handshake.tuple.family = 6;
	for (uint8_t n = 1; n <= 3; n++) {
		facts_v6(handshake.tuple.raddr, n);
		handshake.tuple.raddr[8] = n;
		add(*state, handshake, 1);
	}
	assert_text(*state, "3 handshakes to 3 remotes in fd00::/64 port 80 from netns 4026531840 "
			    "got no answer, none got through late");
	assert_int_equal(the_pattern(*state).prefix, 64);
}

/* --- late successes --- */

static void late_successes_in_turn_are_loss(void **state)
{
	struct report_pattern pattern;

	add_at(*state, late(1, 2, 1014 * MS), BEGIN + 2 * SEC);
	add_at(*state, late(1, 4, 7050 * MS), BEGIN + 20 * SEC);
	add_at(*state, late(1, 3, 3 * SEC), BEGIN + 22 * SEC); /* began before that */
	assert_text(*state, "3 handshakes to 10.0.0.1:80 from netns 4026531840 got through late; "
			    "before, they got no answer");
	add_at(*state, late(1, 3, 3 * SEC), BEGIN + 30 * SEC);
	pattern = the_pattern(*state);
	assert_string_equal(pattern.text,
			    "4 handshakes to 10.0.0.1:80 from netns 4026531840 got through on the "
			    "2nd to 4th SYN, silence and answer in turn 3 times: packet loss, a "
			    "full queue or a rate limit, no rule that drops every SYN");
	assert_int_equal(pattern.kind, PATTERN_LOSS);
	assert_int_equal(pattern.verdict, VERDICT_ESTABLISHED);
	assert_int_equal(pattern.cause, CAUSE_NO_ANSWER);
	assert_int_equal(pattern.count, 4);
}

/* Whatever it was, it ended, and all that waited got through. */
static void an_outage_that_ends_once_is_no_loss(void **state)
{
	for (int i = 0; i < 20; i++)
		add_at(*state, late(1, 3, 3 * SEC), BEGIN + 10 * SEC + i * 100 * MS);
	assert_int_equal(the_pattern(*state).kind, PATTERN_PLACE);
}

static void who_never_got_an_answer_may_have_met_a_rule(void **state)
{
	add_in_turn(*state, late(1, 2, SEC), 5);
	assert_int_equal(the_pattern(*state).kind, PATTERN_LOSS);
	add(*state, timed_out(1), 1);
	assert_none(*state);
}

/* Few of those in trouble, and still loss. */
static void loss_needs_no_share(void **state)
{
	add_in_turn(*state, late(1, 2, SEC), 3);
	add(*state, client(VERDICT_ABANDONED, CAUSE_NO_ANSWER, 1), 10);
	assert_text(*state, "3 of 13 handshakes in trouble to 10.0.0.1:80 from netns 4026531840 "
			    "got through on the 2nd SYN, silence and answer in turn 3 times: "
			    "packet loss, a full queue or a rate limit, no rule that drops every "
			    "SYN");
}

/* The last SYN was answered at once, or it was an earlier one and later. */
static void an_answer_is_to_a_retry_if_it_comes_when_retries_do(void **state)
{
	static const struct {
		int64_t syns;
		uint64_t elapsed_ns;
		bool is_to_retry;
	} cases[] = {
		{1, 10 * MS, false},
		{2, SEC - 1, false},
		{2, SEC, true},
		{2, 1125 * MS, true},
		{2, 1125 * MS + 1, false},
		{3, 2 * SEC, true}, /* linear */
		{3, 3 * SEC, true}, /* not */
		{3, 2600 * MS, false},
		{4, 3 * SEC, true},
		{4, 4 * SEC, true}, /* one linear: 1, 2, 4 */
		{4, 7 * SEC, true},
		{4, 5 * SEC, false},
		{6, 5 * SEC, true},
		{7, 7 * SEC, true}, /* four linear: 1, 2, 3, 4, 5, 7, 11 */
		{8, 11 * SEC, true},
		{8, 127 * SEC, true},
		{8, 143 * SEC, false},
		{200, 199 * SEC, false},
		{2000000000000, 3 * SEC, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct patterns *patterns = patterns_new(false);
		enum pattern_kind kind = cases[i].is_to_retry ? PATTERN_LOSS : PATTERN_PLACE;

		assert_non_null(patterns);
		add_in_turn(patterns, late(1, cases[i].syns, (int64_t)cases[i].elapsed_ns), 3);
		if (the_pattern(patterns).kind != kind)
			fail_msg("case %zu: %s", i, the_pattern(patterns).text);
		patterns_free(patterns);
	}
}

static void other_troubles_are_no_loss(void **state)
{
	struct report_handshake unsent = late(1, 2, SEC);
	struct report_handshake dropped = late(2, 2, SEC);

	unsent.syn_unsent = 1;
	add_in_turn(*state, unsent, 3);
	assert_int_equal(the_pattern(*state).kind, PATTERN_PLACE);
	dropped.cause = CAUSE_REPLY_DROPPED_ON_INPUT;
	for (uint8_t n = 0; n < 2; n++)
		add_in_turn(*state, dropped, 3);
	dropped = late(1, 2, SEC);
	dropped.role = ROLE_SERVER;
	add_in_turn(*state, dropped, 3);
	for (unsigned int i = 0; i < 3; i++) {
		struct report_pattern found[3];

		assert_int_equal(patterns_summarize(*state, found, 3), 3);
		assert_int_equal(found[i].kind, PATTERN_PLACE);
	}
}

/* --- ECN --- */

static struct report_handshake late_with_ecn(void)
{
	struct report_handshake handshake = late(1, 2, SEC);

	handshake.ecn = true;
	return handshake;
}

static void a_path_hates_ecn_if_nothing_gets_through_with_it(void **state)
{
	struct report_pattern pattern;

	add_in_turn(*state, late_with_ecn(), 9);
	add_healthy(*state, 1, 1);
	pattern = the_pattern(*state);
	assert_string_equal(pattern.text,
			    "9 of 10 handshakes to 10.0.0.1:80 from netns 4026531840 got through "
			    "on the 2nd SYN, which unlike the 1st asks for no ECN: something on "
			    "the path drops SYNs that do");
	assert_int_equal(pattern.kind, PATTERN_ECN);
	/* some do */
	add_healthy(*state, 1, 1);
	assert_text(*state, "9 of 11 handshakes to 10.0.0.1:80 from netns 4026531840 got through "
			    "on the 2nd SYN, silence and answer in turn 9 times: packet loss, a "
			    "full queue or a rate limit, no rule that drops every SYN");
}

static void without_the_healthy_ecn_is_only_possible(void **state)
{
	add_in_turn(*state, late_with_ecn(), 3);
	assert_int_equal(the_pattern(*state).kind, PATTERN_LOSS);
	assert_text(*state, "3 handshakes to 10.0.0.1:80 from netns 4026531840 got through on the "
			    "2nd SYN, silence and answer in turn 3 times: packet loss, a full "
			    "queue or a rate limit, or ECN not let through, no rule that drops "
			    "every SYN");
}

static void a_third_syn_is_not_about_ecn(void **state)
{
	struct report_handshake third = late_with_ecn();

	third.syn_sent = 3;
	third.elapsed_ns = 3 * SEC;
	add_in_turn(*state, late_with_ecn(), 10);
	add_at(*state, third, BEGIN + 100 * SEC);
	assert_int_equal(the_pattern(*state).kind, PATTERN_LOSS);
	assert_null(strstr(the_pattern(*state).text, "ECN"));
}

/* --- now and then --- */

static bool news(struct patterns *patterns, uint8_t n, uint64_t time_ns)
{
	struct report_pattern pattern;

	add_at(patterns, timed_out(n), time_ns);
	return patterns_news(patterns, &pattern);
}

static void a_new_pattern_is_news(void **state)
{
	struct report_pattern pattern;

	assert_false(patterns_news(*state, &pattern));
	assert_false(news(*state, 1, BEGIN));
	assert_false(news(*state, 1, BEGIN));
	add_at(*state, timed_out(1), BEGIN);
	assert_true(patterns_news(*state, &pattern));
	assert_string_equal(pattern.text, the_pattern(*state).text);
	assert_false(patterns_news(*state, &pattern));
	/* of another place */
	assert_false(news(*state, 2, BEGIN));
	assert_false(news(*state, 2, BEGIN));
}

static void what_was_told_is_news_when_it_has_doubled_and_30_s_have_passed(void **state)
{
	for (int i = 0; i < 2; i++)
		assert_false(news(*state, 1, BEGIN));
	assert_true(news(*state, 1, BEGIN));
	assert_false(news(*state, 1, BEGIN + 30 * SEC));
	assert_false(news(*state, 1, BEGIN + 30 * SEC));
	assert_false(news(*state, 1, BEGIN + 30 * SEC - 1));
	assert_true(news(*state, 1, BEGIN + 30 * SEC));
	for (int i = 0; i < 6; i++)
		assert_false(news(*state, 1, BEGIN + 90 * SEC));
	assert_false(news(*state, 1, BEGIN + 60 * SEC - 1));
	assert_true(news(*state, 1, BEGIN + 60 * SEC));
}

static void the_subnet_s_news_are_those_of_its_remotes(void **state)
{
	struct report_pattern pattern;

	assert_false(news(*state, 1, BEGIN));
	assert_false(news(*state, 2, BEGIN));
	add_at(*state, timed_out(3), BEGIN);
	assert_true(patterns_news(*state, &pattern));
	assert_int_equal(pattern.kind, PATTERN_SUBNET);
	for (int i = 0; i < 5; i++)
		assert_false(news(*state, 1, BEGIN + SEC));
}

static void another_pattern_of_the_same_place_is_news_after_30_s(void **state)
{
	struct report_pattern pattern;
	struct patterns_mark marks[4] = {};
	struct report_handshake hang = client(VERDICT_STALLED, CAUSE_NO_ANSWER, 1);
	struct report_handshake end = client(VERDICT_REJECTED, CAUSE_ICMP, 1);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(marks); i++)
		patterns_handshake(*state, &marks[i], &hang, false, BEGIN);
	assert_true(patterns_news(*state, &pattern));
	assert_int_equal(pattern.cause, CAUSE_NO_ANSWER);
	for (i = 0; i < ARRAY_SIZE(marks); i++) {
		patterns_handshake(*state, &marks[i], &end, false, BEGIN + 30 * SEC - 1);
		assert_false(patterns_news(*state, &pattern));
	}
	add_at(*state, end, BEGIN + 30 * SEC);
	assert_true(patterns_news(*state, &pattern));
	assert_int_equal(pattern.cause, CAUSE_ICMP);
}

static void a_healthy_one_is_no_news(void **state)
{
	struct report_pattern pattern;

	add(*state, timed_out(1), 20);
	add_healthy(*state, 1, 1);
	assert_false(patterns_news(*state, &pattern));
	assert_int_equal(the_pattern(*state).count, 20);
}

/* --- bounds and order --- */

static void the_highest_counts_come_first_and_equals_have_an_order(void **state)
{
	static const struct {
		uint8_t n;
		uint16_t port;
		uint32_t netns;
	} order[] = {{9, 80, 2}, {1, 22, 9}, {1, 80, 1}, {1, 80, 3}, {2, 22, 1}};
	struct report_pattern found[ARRAY_SIZE(order)];

	for (size_t i = ARRAY_SIZE(order); i--;) {
		struct report_handshake handshake = timed_out(order[i].n);

		handshake.tuple.rport = order[i].port;
		handshake.tuple.netns = order[i].netns;
		add(*state, handshake, i ? 3 : 4);
	}
	for (unsigned int max = 0; max <= ARRAY_SIZE(order); max++) {
		assert_int_equal(patterns_summarize(*state, found, max), max);
		for (size_t i = 0; i < max; i++) {
			assert_int_equal(found[i].addr[15], order[i].n);
			assert_int_equal(found[i].port, order[i].port);
			assert_int_equal(found[i].netns, order[i].netns);
		}
	}
}

static void fill(struct patterns *patterns, struct report_handshake handshake, bool healthy)
{
	for (uint16_t port = 1; port <= MANY; port++) {
		struct patterns_mark mark = {};

		handshake.tuple.rport = port;
		patterns_handshake(patterns, &mark, &handshake, healthy, BEGIN);
	}
}

static void places_are_bounded_and_what_is_left_out_is_counted_once(void **state)
{
	struct report_handshake hang = client(VERDICT_STALLED, CAUSE_NO_ANSWER, 1);
	struct report_handshake end = timed_out(1);
	struct patterns_mark mark = {};
	uint64_t untold;

	fill(*state, timed_out(1), false);
	untold = patterns_untold(*state);
	assert_in_range(untold, 1, MANY - 1);
	end.tuple.rport = hang.tuple.rport = MANY;
	patterns_handshake(*state, &mark, &hang, false, BEGIN);
	patterns_handshake(*state, &mark, &hang, false, BEGIN);
	patterns_handshake(*state, &mark, &end, false, BEGIN);
	assert_int_equal(patterns_untold(*state), untold + 1);
	/* those that are known go on counting */
	end.tuple.rport = 1;
	add(*state, end, 2);
	assert_int_equal(patterns_untold(*state), untold + 1);
	assert_int_equal(the_pattern(*state).count, 3);
}

/* What was left out may have been healthy ones to the same place. */
static void healthy_places_leave_room_for_trouble_but_then_not_all_is_known(void **state)
{
	struct report_pattern found[2];

	add(*state, timed_out(2), 3);
	fill(*state, client(VERDICT_ESTABLISHED, CAUSE_NONE, 1), true);
	assert_in_range(patterns_untold(*state), 1, MANY);
	/* those on port 80 are neighbours, and others may have been left out */
	assert_text(*state, "3 of 3 handshakes to 10.0.0.2:80 from netns 4026531840 got no answer");
	add(*state, timed_out(3), 4);
	assert_int_equal(patterns_summarize(*state, found, 2), 2);
	assert_string_equal(found[0].text, "4 handshakes to 10.0.0.3:80 from netns 4026531840 got "
					   "no answer, none got through late");
	assert_int_equal(found[0].healthy, REPORT_NULL);
	for (uint8_t n = 4; n <= 12; n++)
		add(*state, timed_out(n), 4);
	assert_int_equal(patterns_summarize(*state, found, 1), 1);
	assert_int_equal(found[0].kind, PATTERN_SUBNET);
	assert_int_equal(found[0].healthy, REPORT_NULL);
}

static void nothing_can_be_freed(void **state)
{
	(void)state;
	assert_null(patterns_free(NULL));
}

/* --- sentences --- */

static void assert_whole(const struct report_pattern *pattern)
{
	size_t length = strlen(pattern->text);

	if (length >= sizeof(pattern->text) - 1)
		fail_msg("cut: %s", pattern->text);
	for (size_t i = 0; i < length; i++)
		assert_in_range(pattern->text[i], ' ', '~');
}

/* Ten digits for every count: a thousand handshakes a second for months. */
static void the_longest_sentences_fit(void **state)
{
	struct pattern_facts facts = {
		.through = 1000000000,
		.neighbours = 1000000000,
		.neighbours_through = 1000000000,
		.remotes = 2000,
		.remotes_of = 2000,
		.turns = 1000000000,
		.syn_first = 127,
		.syn_last = 127 + 1,
		.ecn = true,
	};
	struct report_pattern pattern = {
		.role = ROLE_CLIENT,
		.port = 65535,
		.netns = UINT32_MAX,
		.count = 1000000000,
		.of = 1000000001,
	};

	(void)state;
	memset(pattern.addr, 0xfe, sizeof(pattern.addr));
	pattern.prefix = pattern_text_prefix(pattern.addr);
	for (int kind = 0; kind < PATTERN_KIND_COUNT; kind++) {
		for (int cause = 0; cause < CAUSE_COUNT; cause++) {
			for (int outcome = 0; outcome < OUTCOME_COUNT; outcome++) {
				pattern.kind = (enum pattern_kind)kind;
				pattern.cause = (enum cause)cause;
				facts.outcome = (enum outcome)outcome;
				/* find_neighbours(): none of a subnet, none of the late */
				facts.neighbours = kind == PATTERN_PLACE && outcome != OUTCOME_LATE
							   ? 1000000000
							   : 0;
				pattern.healthy = 0;
				pattern_text(&pattern, &facts);
				assert_whole(&pattern);
				facts.neighbours = 0;
				pattern.healthy = REPORT_NULL;
				pattern_text(&pattern, &facts);
				assert_whole(&pattern);
			}
		}
	}
}

static void every_cause_has_its_words(void **state)
{
	struct report_pattern first = {.healthy = REPORT_NULL};
	struct report_pattern second = first;
	const struct pattern_facts facts = {.outcome = OUTCOME_REFUSED};

	(void)state;
	for (int a = 0; a < CAUSE_COUNT; a++) {
		first.cause = (enum cause)a;
		pattern_text(&first, &facts);
		assert_null(strstr(first.text, "null"));
		for (int b = 0; b < a; b++) {
			second.cause = (enum cause)b;
			pattern_text(&second, &facts);
			assert_string_not_equal(first.text, second.text);
		}
	}
}

static void ordinals_are_english(void **state)
{
	static const struct {
		int64_t syn;
		const char *text;
	} cases[] = {{2, " 2nd SYN"},	{3, " 3rd SYN"},   {4, " 4th SYN"},   {11, " 11th SYN"},
		     {12, " 12th SYN"}, {13, " 13th SYN"}, {21, " 21st SYN"}, {112, " 112th SYN"}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct pattern_facts facts = {.syn_first = cases[i].syn,
						    .syn_last = cases[i].syn};
		struct report_pattern pattern = {.kind = PATTERN_LOSS};

		pattern_text(&pattern, &facts);
		if (!strstr(pattern.text, cases[i].text))
			fail_msg("no%s in: %s", cases[i].text, pattern.text);
	}
}

/* Without --all, and with. */
#define TEST(test)     cmocka_unit_test_setup_teardown(test, set_up, tear_down)
#define TEST_ALL(test) cmocka_unit_test_setup_teardown(test, set_up_all, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(three_that_fare_alike_are_a_pattern),
		TEST(nine_of_ten_are_enough_and_eight_of_nine_are_not),
		TEST(other_ports_namespaces_and_causes_are_other_patterns),
		TEST(hangs_are_one_pattern_however_they_ended),
		TEST(a_handshake_counts_once_and_as_it_ended),
		TEST(the_loser_of_a_race_says_nothing),
		TEST(an_end_that_nobody_saw_is_no_pattern_but_one_of_so_many),
		TEST(an_unknown_remote_is_no_place),
		TEST(a_server_s_place_is_the_listener),
		TEST_ALL(a_server_s_healthy_ones_are_never_known),
		TEST(without_the_healthy_nothing_is_said_of_all),
		TEST_ALL(with_the_healthy_it_is_said_of_all_and_of_the_neighbours),
		TEST_ALL(neighbours_have_the_same_subnet_port_and_namespace),
		TEST_ALL(late_ones_are_not_held_against_their_neighbours),
		TEST_ALL(after_a_loss_nothing_is_said_of_all),
		TEST_ALL(healthy_places_are_no_pattern),
		TEST(remotes_that_fail_together_are_told_as_one),
		TEST_ALL(healthy_remotes_of_the_subnet_count_where_they_are_known),
		cmocka_unit_test(a_remote_that_fails_otherwise_is_told_beside_its_subnet),
		TEST(what_a_remote_no_longer_has_it_no_longer_shares),
		TEST(a_v6_subnet_is_a_64),
		TEST(late_successes_in_turn_are_loss),
		TEST(an_outage_that_ends_once_is_no_loss),
		TEST(who_never_got_an_answer_may_have_met_a_rule),
		TEST(loss_needs_no_share),
		cmocka_unit_test(an_answer_is_to_a_retry_if_it_comes_when_retries_do),
		TEST(other_troubles_are_no_loss),
		TEST_ALL(a_path_hates_ecn_if_nothing_gets_through_with_it),
		TEST(without_the_healthy_ecn_is_only_possible),
		TEST_ALL(a_third_syn_is_not_about_ecn),
		TEST(a_new_pattern_is_news),
		TEST(what_was_told_is_news_when_it_has_doubled_and_30_s_have_passed),
		TEST(the_subnet_s_news_are_those_of_its_remotes),
		TEST(another_pattern_of_the_same_place_is_news_after_30_s),
		TEST_ALL(a_healthy_one_is_no_news),
		TEST(the_highest_counts_come_first_and_equals_have_an_order),
		TEST(places_are_bounded_and_what_is_left_out_is_counted_once),
		TEST_ALL(healthy_places_leave_room_for_trouble_but_then_not_all_is_known),
		cmocka_unit_test(nothing_can_be_freed),
		cmocka_unit_test(the_longest_sentences_fit),
		cmocka_unit_test(every_cause_has_its_words),
		cmocka_unit_test(ordinals_are_english),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
