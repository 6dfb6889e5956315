/* SPDX-License-Identifier: GPL-2.0-only */
/* The engine, on handshakes that hung before the watch began. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/engine.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#define MS  1000000ULL
#define SEC (1000 * MS)

/* HZ=250 */
#define TICK_NS (4 * MS)

#define BEGIN (100 * SEC) /* its connect() */

enum { SYN_SENT = 2, CLOSED = 7, ETIMEDOUT_NR = 110 };

struct reports {
	struct report list[8];
	size_t count;
};

static void collect(void *ctx, const struct report *report)
{
	struct reports *reports = ctx;

	assert_true(reports->count < ARRAY_SIZE(reports->list));
	reports->list[reports->count++] = *report;
}

/* What the kernel says of it after that time: `retransmits` of 6 made, the next
 * due in one second. */
static struct sw_handshake facts(enum sw_kind kind, uint64_t age_ns, uint8_t retransmits)
{
	return (struct sw_handshake){
		.header = {.size = sizeof(struct sw_handshake),
			   .kind = kind,
			   .version = SW_ABI_VERSION,
			   .time_ns = BEGIN + age_ns},
		.cookie = 0x54,
		.start_ns = BEGIN,
		.syn_ns = BEGIN,
		.flags = SW_F_ADOPTED | SW_F_OWNER | (kind == SW_LOOK ? SW_F_PENDING : 0),
		.tuple = {.lport = 40000, .rport = 80, .family = 4},
		.owner = {.pid = 1234, .tid = 1234, .comm = "curl"},
		.owners = 2,
		.timer = {.jiffies = 1000 + age_ns / TICK_NS,
			  .expires = 1000 + (age_ns + SEC) / TICK_NS,
			  .rto = SEC / TICK_NS,
			  .rto_max = 120 * SEC / TICK_NS,
			  .tick_ns = TICK_NS,
			  .retransmits = retransmits,
			  .retries = 6},
		.syn_sent = retransmits + 1,
		.old_state = SYN_SENT,
		.new_state = kind == SW_CLOSE ? CLOSED : SYN_SENT,
	};
}

static struct engine *watch_from(uint64_t start_ns, uint64_t stall_after_ns,
				 struct reports *reports)
{
	const struct engine_options options = {.start_ns = start_ns,
					       .stall_after_ns = stall_after_ns};
	struct engine *engine = engine_new(&options, collect, reports);

	assert_non_null(engine);
	return engine;
}

static void feed(struct engine *engine, struct sw_handshake record)
{
	assert_int_equal(engine_feed(engine, &record, sizeof(record)), 0);
}

/* The watch begins 5 s into the hang; the look is 20 ms later. */
static void a_stall_is_dated_where_its_facts_are_known(void **state)
{
	static const struct {
		uint64_t age_ns;
		uint8_t retransmits;
		uint64_t stall_after_ns;
		uint64_t reported_ns; /* after its begin; 0: not yet */
	} cases[] = {
		/* its retries were made before anybody watched */
		{5020 * MS, 4, 0, 5020 * MS},
		{5020 * MS, 4, 2 * SEC, 5020 * MS},
		/* not one: it was then what it is now */
		{5020 * MS, 0, 0, SEC},
		{5020 * MS, 0, 2 * SEC, 2 * SEC},
		/* not yet true when the watch began */
		{5020 * MS, 4, 5010 * MS, 5010 * MS},
		{5020 * MS, 4, 6 * SEC, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct reports reports = {};
		struct engine *engine =
			watch_from(BEGIN + 5 * SEC, cases[i].stall_after_ns, &reports);

		feed(engine, facts(SW_LOOK, cases[i].age_ns, cases[i].retransmits));
		assert_int_equal(reports.count, cases[i].reported_ns != 0);
		if (reports.count) {
			assert_int_equal(reports.list[0].type, REPORT_STALL);
			assert_int_equal(reports.list[0].time_ns, BEGIN + cases[i].reported_ns);
			assert_int_equal(reports.list[0].handshake.elapsed_ns,
					 cases[i].reported_ns);
			assert_true(reports.list[0].handshake.adopted);
		}
		engine_free(engine);
	}
}

static void a_young_one_is_not_mentioned_before_it_stalls(void **state)
{
	struct reports reports = {};
	struct engine *engine = watch_from(BEGIN + 300 * MS, 0, &reports);

	(void)state;
	feed(engine, facts(SW_LOOK, 320 * MS, 0));
	engine_advance(engine, BEGIN + 900 * MS);
	assert_int_equal(reports.count, 0);
	engine_advance(engine, BEGIN + 1100 * MS);
	assert_int_equal(reports.count, 1);
	assert_int_equal(reports.list[0].time_ns, BEGIN + SEC);
	engine_free(engine);
}

static void it_is_followed_like_any_other(void **state)
{
	struct reports reports = {};
	struct engine *engine = watch_from(BEGIN + 5 * SEC, 0, &reports);
	struct sw_handshake last = facts(SW_CLOSE, 8 * SEC, 6);

	(void)state;
	feed(engine, facts(SW_LOOK, 5020 * MS, 4));
	feed(engine, facts(SW_LOOK, 5220 * MS, 4)); /* nothing new */
	feed(engine, facts(SW_RETRY, 6 * SEC, 5));
	last.sk_err = ETIMEDOUT_NR;
	feed(engine, last);

	assert_int_equal(reports.count, 3);
	for (size_t i = 0; i < reports.count; i++) {
		const struct report_handshake *report = &reports.list[i].handshake;

		assert_string_equal(report->id, reports.list[0].handshake.id);
		assert_true(report->adopted && report->has_owner);
		assert_int_equal(report->owner.pid, 1234);
		assert_int_equal(report->owners, 2);
		assert_int_equal(report->syn_sent, 5 + i);
	}
	assert_int_equal(reports.list[1].type, REPORT_STALL);
	assert_int_equal(reports.list[2].type, REPORT_END);
	assert_int_equal(reports.list[2].handshake.verdict, VERDICT_TIMED_OUT);
	engine_free(engine);
}

static void owners_that_nobody_counted_are_unknown(void **state)
{
	struct reports reports = {};
	struct engine *engine = watch_from(BEGIN, 0, &reports);
	struct sw_handshake record = facts(SW_RETRY, SEC, 1);

	(void)state;
	record.owners = 0;
	feed(engine, record);
	assert_int_equal(reports.count, 1);
	assert_int_equal(reports.list[0].handshake.owners, REPORT_NULL);
	engine_free(engine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stall_is_dated_where_its_facts_are_known),
		cmocka_unit_test(a_young_one_is_not_mentioned_before_it_stalls),
		cmocka_unit_test(it_is_followed_like_any_other),
		cmocka_unit_test(owners_that_nobody_counted_are_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
