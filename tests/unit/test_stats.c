/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/stats.h"
#include "facts.h"

/* More places than are told apart. */
#define MANY 5000

static int set_up(void **state)
{
	*state = stats_new();
	return *state ? 0 : -1;
}

static int tear_down(void **state)
{
	stats_free(*state);
	return 0;
}

static struct report_handshake ended(enum role role, enum verdict verdict, enum cause cause,
				     uint8_t remote, uint16_t port)
{
	struct report_handshake handshake = {.role = role, .verdict = verdict, .cause = cause};

	handshake.tuple.family = 4;
	facts_v4(handshake.tuple.laddr, role == ROLE_CLIENT ? 200 : remote);
	facts_v4(handshake.tuple.raddr, role == ROLE_CLIENT ? remote : 200);
	handshake.tuple.lport = role == ROLE_CLIENT ? 40000 : port;
	handshake.tuple.rport = role == ROLE_CLIENT ? port : 40000;
	return handshake;
}

static void add(struct stats *stats, enum role role, enum verdict verdict, enum cause cause,
		uint8_t remote, uint16_t port)
{
	struct report_handshake handshake = ended(role, verdict, cause, remote, port);

	stats_handshake(stats, &handshake);
}

static void refused(struct stats *stats, uint8_t remote, uint16_t port)
{
	add(stats, ROLE_CLIENT, VERDICT_REFUSED, CAUSE_RST, remote, port);
}

static struct report_summary summarize(struct stats *stats)
{
	struct report_summary summary;

	stats_summarize(stats, &summary);
	return summary;
}

static void nothing_seen_is_all_zero(void **state)
{
	struct report_summary zero = {}, summary = summarize(*state);

	assert_memory_equal(&summary, &zero, sizeof(summary));
}

static void verdicts_are_counted_by_role(void **state)
{
	struct report_summary summary;

	refused(*state, 1, 80);
	refused(*state, 2, 80);
	add(*state, ROLE_SERVER, VERDICT_REFUSED, CAUSE_NO_ACK, 1, 80);
	add(*state, ROLE_CLIENT, VERDICT_STALLED, CAUSE_NO_ANSWER, 1, 80);
	summary = summarize(*state);
	assert_int_equal(summary.handshakes[ROLE_CLIENT][VERDICT_REFUSED], 2);
	assert_int_equal(summary.handshakes[ROLE_SERVER][VERDICT_REFUSED], 1);
	assert_int_equal(summary.handshakes[ROLE_CLIENT][VERDICT_STALLED], 1);
	assert_int_equal(summary.handshakes[ROLE_CLIENT][VERDICT_TIMED_OUT], 0);
}

static void trouble_is_at_the_remote_of_a_client_and_at_the_listener_of_a_server(void **state)
{
	struct report_summary summary;
	__u8 address[16];

	refused(*state, 1, 80);
	refused(*state, 1, 80);
	add(*state, ROLE_CLIENT, VERDICT_TIMED_OUT, CAUSE_NO_ANSWER, 1, 80);
	add(*state, ROLE_SERVER, VERDICT_TIMED_OUT, CAUSE_NO_ACK, 1, 80);
	summary = summarize(*state);
	assert_int_equal(summary.top_count, 2);
	facts_v4(address, 1);
	assert_memory_equal(summary.top[0].addr, address, sizeof(address));
	assert_memory_equal(summary.top[1].addr, address, sizeof(address));
	assert_int_equal(summary.top[0].role, ROLE_CLIENT);
	assert_int_equal(summary.top[0].family, 4);
	assert_int_equal(summary.top[0].port, 80);
	assert_int_equal(summary.top[0].count, 3);
	assert_int_equal(summary.top[0].verdicts[VERDICT_REFUSED], 2);
	assert_int_equal(summary.top[0].verdicts[VERDICT_TIMED_OUT], 1);
	assert_int_equal(summary.top[1].role, ROLE_SERVER);
	assert_int_equal(summary.top[1].count, 1);
}

static void a_healthy_one_is_counted_and_no_trouble_but_a_late_one_is(void **state)
{
	struct report_summary summary;

	add(*state, ROLE_CLIENT, VERDICT_ESTABLISHED, CAUSE_NONE, 1, 80);
	summary = summarize(*state);
	assert_int_equal(summary.handshakes[ROLE_CLIENT][VERDICT_ESTABLISHED], 1);
	assert_int_equal(summary.top_count, 0);
	add(*state, ROLE_CLIENT, VERDICT_ESTABLISHED, CAUSE_NO_ANSWER, 1, 80);
	summary = summarize(*state);
	assert_int_equal(summary.top_count, 1);
	assert_int_equal(summary.top[0].verdicts[VERDICT_ESTABLISHED], 1);
}

/* Equals in the order of address, port, role, however they came. */
static void the_worst_come_first_and_equals_have_an_order(void **state)
{
	static const struct {
		uint8_t remote;
		uint16_t port;
		enum role role;
	} order[] = {{2, 80, ROLE_CLIENT},
		     {1, 80, ROLE_CLIENT},
		     {1, 80, ROLE_SERVER},
		     {1, 443, ROLE_CLIENT},
		     {3, 22, ROLE_CLIENT}};
	struct report_summary summary;

	for (size_t i = ARRAY_SIZE(order); i--;)
		add(*state, order[i].role, VERDICT_TIMED_OUT, CAUSE_NO_ANSWER, order[i].remote,
		    order[i].port);
	refused(*state, 2, 80);
	summary = summarize(*state);
	assert_int_equal(summary.top_count, ARRAY_SIZE(order));
	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		assert_int_equal(summary.top[i].addr[15], order[i].remote);
		assert_int_equal(summary.top[i].port, order[i].port);
		assert_int_equal(summary.top[i].role, order[i].role);
	}
}

static void the_top_is_the_worst_ten_of_many(void **state)
{
	struct report_summary summary;

	/* 10.0.0.n fails n times, in an order that is neither up nor down */
	for (unsigned int i = 0; i < 40; i++) {
		unsigned int n = i * 7 % 40 + 1;

		for (unsigned int times = 0; times < n; times++)
			refused(*state, n, 80);
	}
	summary = summarize(*state);
	assert_int_equal(summary.top_count, REPORT_TOP_MAX);
	for (unsigned int i = 0; i < REPORT_TOP_MAX; i++) {
		assert_int_equal(summary.top[i].count, 40 - i);
		assert_int_equal(summary.top[i].addr[15], 40 - i);
	}
}

static void a_scan_of_many_ports_is_bounded_but_all_is_counted(void **state)
{
	struct report_summary summary;

	for (unsigned int port = 1; port <= MANY; port++)
		refused(*state, 1, port);
	/* known places go on counting; one too many is counted by verdict only */
	for (unsigned int i = 0; i < 3; i++) {
		refused(*state, 1, 1);
		refused(*state, 1, MANY);
	}
	summary = summarize(*state);
	assert_int_equal(summary.handshakes[ROLE_CLIENT][VERDICT_REFUSED], MANY + 6);
	assert_int_equal(summary.top_count, REPORT_TOP_MAX);
	assert_int_equal(summary.top[0].port, 1);
	assert_int_equal(summary.top[0].count, 4);
	assert_int_equal(summary.top[1].count, 1);
	/* what is not in the top is either more places or not told apart */
	assert_in_range(summary.top_more, 1, MANY - REPORT_TOP_MAX - 1);
	assert_int_equal(summary.top_untold, MANY + 3 - (summary.top_more + REPORT_TOP_MAX));
}

/* It is at the listener's place, beside what is told one by one. */
static void a_crowd_is_trouble_without_verdicts(void **state)
{
	struct report_crowd crowd = {
		.tuple = {.family = 4, .lport = 80}, .half_open = 100, .dropped = 20, .ignored = 3};
	struct report_summary summary;

	facts_v4(crowd.tuple.laddr, 1);
	stats_crowd(*state, &crowd);
	add(*state, ROLE_SERVER, VERDICT_TIMED_OUT, CAUSE_NO_ACK, 1, 80);
	stats_crowd(*state, &crowd);
	summary = summarize(*state);
	assert_int_equal(summary.crowded, 246);
	assert_int_equal(summary.top_count, 1);
	assert_int_equal(summary.top[0].role, ROLE_SERVER);
	assert_int_equal(summary.top[0].port, 80);
	assert_int_equal(summary.top[0].count, 247);
	assert_int_equal(summary.top[0].verdicts[VERDICT_TIMED_OUT], 1);
	assert_int_equal(summary.handshakes[ROLE_SERVER][VERDICT_TIMED_OUT], 1);
	/* where no place is left, it is in trouble all the same */
	for (unsigned int port = 1; port <= MANY; port++)
		refused(*state, 2, port);
	crowd.tuple.lport = 81;
	summary = summarize(*state);
	stats_crowd(*state, &crowd);
	assert_int_equal(summarize(*state).top_untold, summary.top_untold + 123);
	assert_int_equal(summarize(*state).crowded, 369);
}

static void counts_and_losses_add_up(void **state)
{
	const struct sw_counts counts = {.healthy = 3,
					 .latency = {[5] = 2, [31] = 1},
					 .syn_retransmits = 7,
					 .accepted = 20,
					 .synack_retransmits = 30,
					 .listen_drops = 40};
	const struct report_loss loss = {
		.ring = 1, .map_full = 10, .suppressed = 100, .missed = 1000, .late = 10000};
	struct report_summary summary;

	stats_counts(*state, &counts);
	stats_counts(*state, &counts);
	stats_healthy(*state, ROLE_CLIENT);
	stats_healthy(*state, ROLE_SERVER);
	stats_loss(*state, &loss);
	stats_loss(*state, &loss);
	summary = summarize(*state);
	assert_int_equal(summary.healthy, 7);
	assert_int_equal(summary.latency[5], 4);
	assert_int_equal(summary.latency[31], 2);
	assert_int_equal(summary.syn_retransmits, 14);
	assert_int_equal(summary.accepted, 41);
	assert_int_equal(summary.synack_retransmits, 60);
	assert_int_equal(summary.listen_drops, 80);
	/* a late record did arrive, a drop that was not looked at is no record */
	assert_int_equal(summary.lost, 2022);
	assert_int_equal(summary.suppressed, 200);
}

static void nothing_can_be_freed(void **state)
{
	(void)state;
	assert_null(stats_free(NULL));
}

#define STATS_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STATS_TEST(nothing_seen_is_all_zero),
		STATS_TEST(verdicts_are_counted_by_role),
		STATS_TEST(trouble_is_at_the_remote_of_a_client_and_at_the_listener_of_a_server),
		STATS_TEST(a_healthy_one_is_counted_and_no_trouble_but_a_late_one_is),
		STATS_TEST(the_worst_come_first_and_equals_have_an_order),
		STATS_TEST(the_top_is_the_worst_ten_of_many),
		STATS_TEST(a_scan_of_many_ports_is_bounded_but_all_is_counted),
		STATS_TEST(a_crowd_is_trouble_without_verdicts),
		STATS_TEST(counts_and_losses_add_up),
		cmocka_unit_test(nothing_can_be_freed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
