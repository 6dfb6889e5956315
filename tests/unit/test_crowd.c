/* SPDX-License-Identifier: GPL-2.0-only */
/* Many told at once: of what cause, in what words, from how many addresses. */
#include <stdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/crowd.h"
#include "facts.h"

enum { NETFILTER_DROP = 1, NO_SOCKET, IP_RPFILTER, UNNAMED };

static int set_up(void **state)
{
	static const char *const names[] = {
		[NETFILTER_DROP] = "NETFILTER_DROP",
		[NO_SOCKET] = "NO_SOCKET",
		[IP_RPFILTER] = "IP_RPFILTER",
	};
	struct terms *terms = terms_new();

	for (unsigned int i = 1; terms && i < ARRAY_SIZE(names); i++) {
		struct sw_name name = {.of = SW_NAME_REASON, .number = i};

		(void)snprintf(name.name, sizeof(name.name), "%s", names[i]);
		terms_learn(terms, &name);
	}
	*state = terms;
	return terms ? 0 : -1;
}

static int tear_down(void **state)
{
	terms_free(*state);
	return 0;
}

/* splitmix64: any hash that is one */
static uint32_t hash(uint64_t number)
{
	number = (number + 1) * 0x9e3779b97f4a7c15;
	number = (number ^ number >> 30) * 0xbf58476d1ce4e5b9;
	number = (number ^ number >> 27) * 0x94d049bb133111eb;
	return (uint32_t)(number ^ number >> 31);
}

/* As the kernel side does it. */
static void see(struct sw_crowd *record, uint64_t first, uint64_t count)
{
	for (uint64_t i = first; i < first + count; i++) {
		uint32_t bits = hash(i), rest = bits / SW_CROWD_SLOTS;
		uint8_t rank = (rest ? __builtin_clz(rest) - 6 : 26) + 1;
		uint8_t *slot = &record->addresses[bits % SW_CROWD_SLOTS];

		if (*slot < rank)
			*slot = rank;
	}
}

static void expect(void **state, const struct sw_crowd *record, enum cause cause, const char *why)
{
	struct report_crowd report = crowd_report(record, *state);

	assert_string_equal(report.why, why);
	assert_int_equal(report.cause, cause);
}

static void each_kind_has_its_cause_and_words(void **state)
{
	struct sw_crowd record = facts_crowd(BEGIN);

	record.half_open = 8412;
	see(&record, 0, 1);
	expect(state, &record, CAUSE_NO_ACK, "8,412 half-open from about 1 address");

	record.half_open = 0;
	record.dropped = 1200;
	record.reason = NETFILTER_DROP;
	expect(state, &record, CAUSE_NETFILTER,
	       "1,200 SYNs dropped: NETFILTER_DROP, from about 1 address");
	record.reason = NO_SOCKET;
	expect(state, &record, CAUSE_NO_LISTENER,
	       "1,200 SYNs dropped: NO_SOCKET, from about 1 address");
	record.reason = IP_RPFILTER;
	expect(state, &record, CAUSE_OTHER_DROP,
	       "1,200 SYNs dropped: IP_RPFILTER, from about 1 address");
	record.reason = UNNAMED;
	record.dropped = 1;
	expect(state, &record, CAUSE_OTHER_DROP, "1 SYN dropped from about 1 address");

	record.dropped = 0;
	record.ignored = 37;
	record.flags = SW_F_LISTENER;
	record.listener = (struct sw_listener){.backlog = 129, .limit = 128};
	expect(state, &record, CAUSE_ACCEPT_QUEUE_FULL,
	       "37 SYNs or ACKs ignored: the accept queue is full (129 of 128)");
	record.listener = (struct sw_listener){.requests = 129, .limit = 128};
	expect(state, &record, CAUSE_SYN_QUEUE_FULL,
	       "37 SYNs or ACKs ignored: the SYN queue is full (129 of 128)");
	record.ignored = 1;
	record.flags = 0;
	expect(state, &record, CAUSE_OTHER_DROP,
	       "1 SYN or ACK ignored: why is not shown by the kernel");
}

static void the_largest_part_decides_and_all_are_told(void **state)
{
	struct sw_crowd record = facts_crowd(BEGIN);

	record.half_open = 10;
	record.dropped = 20;
	record.reason = NETFILTER_DROP;
	record.ignored = 30;
	record.flags = SW_F_LISTENER | SW_F_COOKIES;
	record.listener = (struct sw_listener){.backlog = 2, .limit = 1, .syncookies = 1};
	see(&record, 0, 3);
	expect(state, &record, CAUSE_ACCEPT_QUEUE_FULL,
	       "10 half-open; 20 SYNs dropped: NETFILTER_DROP, together from about 3 addresses; "
	       "30 SYNs or ACKs ignored: the accept queue is full (2 of 1); syncookies are in use: "
	       "handshakes completed by one have no request to watch");
	record.ignored = 19;
	assert_int_equal(crowd_report(&record, *state).cause, CAUSE_NETFILTER);
	record.half_open = 20; /* of equals the first */
	assert_int_equal(crowd_report(&record, *state).cause, CAUSE_NO_ACK);
}

static void the_facts_are_handed_on(void **state)
{
	struct sw_crowd record = facts_crowd(BEGIN);
	struct report_crowd report;

	record.ignored = 5;
	record.reason = NETFILTER_DROP; /* of none */
	report = crowd_report(&record, *state);
	assert_false(report.has_owner || report.has_listener);
	assert_int_equal(report.owners, REPORT_NULL);
	assert_int_equal(report.addresses, REPORT_NULL);
	assert_string_equal(report.reason, "");
	assert_memory_equal(&report.tuple, &record.tuple, sizeof(report.tuple));

	record.flags = SW_F_OWNER | SW_F_LISTENER | SW_F_COOKIES;
	record.owner.pid = 812;
	record.owners = 4;
	record.half_open = 6;
	record.dropped = 7;
	record.listener.requests = 9;
	report = crowd_report(&record, *state);
	assert_true(report.has_owner && report.has_listener);
	assert_int_equal(report.owner.pid, 812);
	assert_int_equal(report.owners, 4);
	assert_int_equal(report.half_open, 6);
	assert_int_equal(report.dropped, 7);
	assert_int_equal(report.ignored, 5);
	assert_int_equal(report.listener.requests, 9);
	assert_true(report.listener.syncookies);
	assert_string_equal(report.reason, "NETFILTER_DROP");
	assert_int_equal(crowd_size(&record), 18);
}

static void a_few_addresses_are_counted_nearly_exactly(void **state)
{
	for (uint64_t count = 1; count <= 8; count++) {
		uint64_t off = 0;

		for (uint64_t run = 0; run < 50; run++) {
			struct sw_crowd record = facts_crowd(BEGIN);
			int64_t addresses;

			record.half_open = UINT32_MAX;
			see(&record, 1000 * run, count);
			addresses = crowd_report(&record, *state).addresses;
			off += (uint64_t)addresses > count ? addresses - count : count - addresses;
		}
		/* two in one slot are one */
		assert_true(off <= 50 * count / 8);
	}
}

/* 13 % is one standard deviation, skewed: hardly a run is four away, and their
 * mean is near. Both ways of counting are in this range, and where they meet. */
static void many_addresses_are_estimated(void **state)
{
	static const uint64_t counts[] = {20, 60, 100, 160, 200, 300, 1000, 8300, 100000};

	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		double count = (double)counts[i], sum = 0;

		for (uint64_t run = 0; run < 50; run++) {
			struct sw_crowd record = facts_crowd(BEGIN);
			double addresses;

			record.half_open = UINT32_MAX;
			see(&record, 1000000 * run, counts[i]);
			addresses = (double)crowd_report(&record, *state).addresses;
			if (addresses < count * 0.6 || addresses > count * 1.6)
				fail_msg("%.0f for %.0f", addresses, count);
			sum += addresses;
		}
		if (sum / 50 < count * 0.94 || sum / 50 > count * 1.06)
			fail_msg("on the average %.1f for %.0f", sum / 50, count);
	}
}

static void an_estimate_stays_within_what_was_counted(void **state)
{
	struct sw_crowd record = facts_crowd(BEGIN);

	record.half_open = 2;
	record.dropped = 1;
	assert_int_equal(crowd_report(&record, *state).addresses, 1);
	see(&record, 0, 1000);
	assert_int_equal(crowd_report(&record, *state).addresses, 3);
	memset(record.addresses, 0xff, sizeof(record.addresses));
	assert_int_equal(crowd_report(&record, *state).addresses, 3);
	record.half_open = record.dropped = UINT32_MAX;
	assert_int_equal(crowd_report(&record, *state).addresses, 2LL * UINT32_MAX);
}

static void an_estimate_is_told_in_two_digits(void **state)
{
	for (uint64_t count = 1; count < 100000; count = count * 3 / 2 + 1) {
		struct sw_crowd record = facts_crowd(BEGIN);
		struct report_crowd report;
		unsigned long told = 0;
		int64_t step = 1;

		record.half_open = UINT32_MAX;
		see(&record, 0, count);
		report = crowd_report(&record, *state);
		for (const char *c = strstr(report.why, "about") + 6; *c != ' '; c++)
			if (*c != ',')
				told = 10 * told + (unsigned long)(*c - '0');
		while (report.addresses / step >= 100)
			step *= 10;
		assert_int_equal(told % (unsigned long)step, 0);
		assert_in_range(told, report.addresses - step / 2, report.addresses + step / 2);
	}
}

static void the_longest_words_fit(void **state)
{
	struct sw_crowd record = facts_crowd(BEGIN);
	struct sw_name name = {.of = SW_NAME_REASON, .number = UNNAMED};
	struct report_crowd report;

	memset(name.name, 'N', sizeof(name.name) - 1);
	terms_learn(*state, &name);
	record.half_open = record.dropped = record.ignored = UINT32_MAX;
	record.reason = UNNAMED;
	record.flags = SW_F_LISTENER | SW_F_COOKIES;
	record.listener.backlog = record.listener.requests = UINT32_MAX;
	record.listener.limit = record.listener.syn_limit = UINT32_MAX - 1;
	memset(record.addresses, 0xff, sizeof(record.addresses));
	report = crowd_report(&record, *state);
	assert_non_null(strstr(report.why, "no request to watch"));
	assert_true(strlen(report.why) < sizeof(report.why) - 1);
	/* off, they are not in use */
	record.flags = SW_F_LISTENER;
	record.listener.backlog = 0;
	record.listener.limit = UINT32_MAX;
	record.listener.requests--;
	report = crowd_report(&record, *state);
	assert_non_null(strstr(report.why, "is kept for known remotes)"));
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_kind_has_its_cause_and_words),
		TEST(the_largest_part_decides_and_all_are_told),
		TEST(the_facts_are_handed_on),
		TEST(a_few_addresses_are_counted_nearly_exactly),
		TEST(many_addresses_are_estimated),
		TEST(an_estimate_stays_within_what_was_counted),
		TEST(an_estimate_is_told_in_two_digits),
		TEST(the_longest_words_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
