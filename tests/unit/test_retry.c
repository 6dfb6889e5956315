/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The retry schedule against the kernel's documented tables and against real
 * handshakes, whose SYNs were timed to the jiffy on Linux 6.18, HZ=250: every
 * prediction there must be exact.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "core/retry.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#define TIMES_MAX 16
#define NO_LINEAR (-1)

/* Some ticks of the wheel's phases: aligned, and not. */
static const uint64_t nows[] = {4294967296, 4294892299, 4295243627, 4295247615, 1};
static const uint32_t hzs[] = {100, 250, 1000};

static void check(const char *name, unsigned int n, const char *what, uint64_t got, uint64_t least,
		  uint64_t most)
{
	if (got < least || got > most)
		fail_msg("%s, after %u retries: %s is %" PRIu64 ", not %" PRIu64 " .. %" PRIu64,
			 name, n, what, got, least, most);
}

static void check_exact(const char *name, unsigned int n, const char *what, uint64_t got,
			uint64_t want)
{
	check(name, n, what, got, want, want);
}

/* One interval is late by at most one granule of its level: 8 in 63, or 1. */
static uint64_t latest(uint64_t ideal, unsigned int intervals)
{
	return ideal + ideal * 8 / 63 + intervals;
}

static struct retry_client first_syn(uint64_t now, uint32_t hz, uint8_t retries, int linear)
{
	return (struct retry_client){
		.now = now,
		.rto = hz,
		.rto_initial = hz,
		.rto_max = 120 * hz,
		.hz = hz,
		.retries = retries,
		.has_linear = linear >= 0,
		.linear = linear >= 0 ? (uint8_t)linear : 0,
	};
}

/* What the kernel's fields are when tcp_retransmit_skb fires the next time. */
static struct retry_client after_retry(struct retry_client client, uint64_t took)
{
	uint64_t doubled = 2 * (uint64_t)client.rto;

	/* The first retransmission and those of the linear phase end the first RTO. */
	if (client.retransmits && client.retransmits > client.linear && !client.congested)
		client.rto = doubled < client.rto_max ? (uint32_t)doubled : client.rto_max;
	client.congested = false;
	client.expires = 0;
	client.now += took;
	client.elapsed += took;
	client.retransmits++;
	return client;
}

/*
 * Goes from one predicted retry to the next. Every prediction on the way must
 * agree with the first. Returns the number of times, the last is the give-up's.
 */
static unsigned int follow(const char *name, struct retry_client client, uint64_t times[])
{
	struct retry_schedule first = retry_client_schedule(&client);
	uint64_t start = client.elapsed;
	unsigned int n = 0;

	for (;;) {
		struct retry_schedule schedule = retry_client_schedule(&client);
		uint64_t since = client.elapsed - start;

		assert_int_equal(schedule.limit, first.limit);
		check_exact(name, n, "give-up", since + schedule.give_up, first.give_up);
		assert_true(n < TIMES_MAX - 1);
		if (!schedule.has_next) {
			assert_int_equal(client.retransmits, schedule.limit);
			times[n++] = since + schedule.give_up;
			return n;
		}
		times[n++] = since + schedule.next;
		client = after_retry(client, schedule.next);
	}
}

/* ideal: seconds, of the retries and then of the give-up */
static void check_ideal(const char *name, struct retry_client client, const unsigned int ideal[],
			unsigned int count)
{
	uint64_t times[TIMES_MAX];
	unsigned int got = follow(name, client, times);
	unsigned int i;

	check_exact(name, 0, "number of retries", got - 1, count - 1);
	for (i = 0; i < count; i++) {
		uint64_t least = (uint64_t)ideal[i] * client.hz;

		check(name, i, "time", times[i], least, latest(least, i + 1));
	}
}

static void wheel_fires_on_the_next_bucket_of_the_timers_level(void **state)
{
	static const struct {
		uint64_t now, expires, fires;
	} cases[] = {
		{1000, 1000, 1001},			    /* level 0 too adds its granule, 1 */
		{1000, 1062, 1063},	{1000, 1063, 1064}, /* level 1, granule 8 */
		{1000, 1064, 1072},	{1000, 1503, 1504},
		{1000, 1504, 1536},			    /* level 2, granule 64 */
		{1000, 5031, 5056},	{1000, 5032, 5120}, /* level 3, granule 512 */
		{0, 32255, 32256},	{0, 32256, 32768},  /* level 4, granule 4096 */
		{0, 32768, 36864},	{1000, 999, 1000},  /* overdue */
		{UINT64_MAX - 1, 1, 2},
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++)
		check_exact("wheel", i, "jiffy", retry_wheel_fires(cases[i].now, cases[i].expires),
			    cases[i].fires);
}

static void wheel_is_never_early_and_at_most_an_eighth_late(void **state)
{
	uint64_t delta;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(nows); i++) {
		for (delta = 0; delta < 200000; delta++) {
			uint64_t took = retry_wheel_fires(nows[i], nows[i] + delta) - nows[i];

			check("wheel", i, "length", took, delta + 1, latest(delta, 1));
		}
	}
}

static void exponential_schedule_has_n_retries(void **state)
{
	static const unsigned int ideal[] = {1, 3, 7, 15, 31, 63, 127};
	unsigned int retries;
	size_t h, i;

	(void)state;
	for (h = 0; h < ARRAY_SIZE(hzs); h++)
		for (i = 0; i < ARRAY_SIZE(nows); i++)
			for (retries = 1; retries <= 6; retries++)
				check_ideal("before 6.5",
					    first_syn(nows[i], hzs[h], retries, NO_LINEAR), ideal,
					    retries + 1);
}

static void linear_phase_comes_first_and_small_budgets_end_by_time(void **state)
{
	static const struct {
		unsigned int count;
		unsigned int ideal[TIMES_MAX];
	} cases[] = {
		{3, {1, 2, 3}},
		{6, {1, 2, 3, 4, 5, 7}},
		{8, {1, 2, 3, 4, 5, 7, 11, 19}},
		{9, {1, 2, 3, 4, 5, 7, 11, 19, 35}},
		{10, {1, 2, 3, 4, 5, 7, 11, 19, 35, 67}},
		{11, {1, 2, 3, 4, 5, 7, 11, 19, 35, 67, 131}},
	};
	size_t h, i, c;

	(void)state;
	for (h = 0; h < ARRAY_SIZE(hzs); h++)
		for (i = 0; i < ARRAY_SIZE(nows); i++)
			for (c = 0; c < ARRAY_SIZE(cases); c++)
				check_ideal("since 6.5", first_syn(nows[i], hzs[h], c + 1, 4),
					    cases[c].ideal, cases[c].count);
}

static void linear_timeouts_of_0_is_the_exponential_schedule(void **state)
{
	struct retry_client with = first_syn(nows[2], 250, 6, 0);
	struct retry_client without = first_syn(nows[2], 250, 6, NO_LINEAR);

	(void)state;
	without.linear = 4; /* not the kernel's: has_linear is false */
	assert_int_equal(retry_client_schedule(&with).give_up,
			 retry_client_schedule(&without).give_up);
	assert_int_equal(retry_client_schedule(&without).limit, 6);
}

/*
 * Handshakes that nobody answered: the jiffy of the first SYN (LIVE_JIFFIES and
 * that), and how much later each retry left and connect() returned ETIMEDOUT,
 * which may take it a jiffy.
 */
#define LIVE_JIFFIES 4295240000

static const struct live_client {
	uint16_t first_syn;
	uint8_t retries, linear;
	uint32_t user_timeout, rto_max;
	uint64_t times[TIMES_MAX]; /* up to the first 0 */
} live_clients[] = {
	/* As the kernel comes, with TCP_SYNCNT, with TCP_USER_TIMEOUT */
	{3414, 6, 4, 0, 30000, {258, 514, 770, 1026, 1282, 1786, 2794, 4842, 8874, 17258, 33642}},
	{3418, 6, 4, 0, 30000, {254, 510, 766, 1022, 1278, 1782, 2790, 4838, 8870, 17254, 33638}},
	{3624, 1, 4, 0, 30000, {256, 512, 768}},
	{4109, 2, 4, 0, 30000, {251, 507, 763, 1019, 1275, 1779}},
	{4308, 3, 4, 0, 30000, {252, 508, 764, 1020, 1276, 1780, 2796, 4844}},
	{4398, 4, 4, 0, 30000, {258, 514, 770, 1026, 1282, 1786, 2834, 4882, 8914}},
	{4604, 5, 4, 0, 30000, {252, 508, 764, 1020, 1276, 1780, 2820, 4868, 8900, 17092}},
	{5031, 6, 4, 125, 30000, {257, 259}},
	{4827, 6, 4, 625, 30000, {253, 509, 629}},
	{5456, 6, 4, 10000, 30000, {256, 512, 768, 1024, 1280, 1784, 2800, 4848, 8880, 10032}},
	/* tcp_syn_linear_timeouts=0 */
	{3627, 6, 0, 0, 30000, {253, 757, 1813, 3861, 7893, 16021, 32405}},
	{3912, 6, 0, 0, 30000, {256, 760, 1784, 3832, 7864, 16248, 32633}},
	{3987, 1, 0, 0, 30000, {253, 757}},
	{4465, 2, 0, 0, 30000, {255, 759, 1807}},
	{4619, 3, 0, 0, 30000, {253, 757, 1781, 3829}},
	{4842, 4, 0, 0, 30000, {254, 758, 1814, 3862, 7894}},
	{5335, 5, 0, 0, 30000, {257, 761, 1769, 3817, 7849, 16361}},
	{5909, 6, 0, 125, 30000, {251, 253}},
	{5584, 6, 0, 625, 30000, {256, 632}},
	{6352, 6, 0, 10000, 30000, {256, 760, 1776, 3824, 7856, 10032}},
	/* tcp_rto_max_ms=5000 */
	{3384, 6, 4, 0, 1250, {256, 512, 768, 1024, 1280, 1784, 2824, 4104, 5384, 6664, 7944}},
	{3570, 3, 4, 0, 1250, {254, 510, 766, 1022, 1278, 1782, 2830, 4110}},
	{3965, 5, 4, 0, 1250, {251, 507, 763, 1019, 1275, 1779, 2819, 4099, 5379, 6659}},
};

static struct retry_client live_first_syn(const struct live_client *live)
{
	struct retry_client client =
		first_syn(LIVE_JIFFIES + live->first_syn, 250, live->retries, live->linear);

	client.user_timeout = live->user_timeout;
	client.rto_max = live->rto_max;
	return client;
}

static void live_handshakes_are_predicted_to_the_jiffy(void **state)
{
	uint64_t times[TIMES_MAX];
	unsigned int i, count;
	char name[32];
	size_t c;

	(void)state;
	for (c = 0; c < ARRAY_SIZE(live_clients); c++) {
		const uint64_t *seen = live_clients[c].times;

		snprintf(name, sizeof(name), "live handshake %zu", c);
		count = follow(name, live_first_syn(&live_clients[c]), times);
		for (i = 0; i < count; i++)
			check(name, i, "time", times[i], seen[i] - (i == count - 1), seen[i]);
		check_exact(name, i, "next time", seen[count], 0);
	}
}

/* Its first jiffy was not noted: it is one of those that fit all of its times. */
static void another_live_default_run_is_predicted_to_half_a_percent(void **state)
{
	static const uint64_t ms[] = {1030,  2050,  3080,  4100,  5130,	 7140,
				      11330, 19530, 35650, 68930, 134470};
	uint64_t times[TIMES_MAX];
	unsigned int i, count = follow("default", first_syn(4294967471, 250, 6, 4), times);

	(void)state;
	assert_int_equal(count, ARRAY_SIZE(ms));
	for (i = 0; i < count; i++)
		check("default", i, "time in ms", times[i] * 4, ms[i] * 995 / 1000,
		      ms[i] * 1005 / 1000);
}

/* The interval that the kernel sets the timer to at a retransmission. */
static uint64_t armed_interval(const struct retry_client *client)
{
	uint64_t interval = client->rto, left;

	if (client->retransmits && client->user_timeout) {
		left = client->user_timeout > client->elapsed
			       ? client->user_timeout - client->elapsed
			       : 1;
		interval = left < interval ? left : interval;
	}
	return interval;
}

/* The same socket `later` jiffies after its timer was set. */
static struct retry_client seen_pending(struct retry_client client, uint64_t later)
{
	client.expires = client.now + armed_interval(&client);
	client.now += later;
	client.elapsed += later;
	return client;
}

/* A handshake looked at all along the interval that begins now. */
static void look_while_pending(struct retry_client client)
{
	struct retry_schedule armed = retry_client_schedule(&client);
	uint64_t took = armed.has_next ? armed.next : armed.give_up;
	uint64_t end = client.now + armed.give_up;
	uint64_t later;

	/* icsk_rto is doubled by the time the timer is set. */
	if (client.retransmits > client.linear)
		client.rto = 2 * client.rto < client.rto_max ? 2 * client.rto : client.rto_max;
	for (later = 0; later <= took; later += 1 + took / 500) {
		struct retry_client seen = seen_pending(client, later);
		struct retry_schedule schedule = retry_client_schedule(&seen);

		assert_int_equal(schedule.limit, armed.limit);
		assert_int_equal(schedule.has_next, armed.has_next);
		check_exact("pending", client.retransmits, "give-up", seen.now + schedule.give_up,
			    end);
		if (armed.has_next)
			check_exact("pending", client.retransmits, "next", schedule.next,
				    took - later);
	}
}

static void a_pending_timer_tells_the_same_as_the_retry_before_it(void **state)
{
	struct retry_schedule schedule;
	size_t c;

	(void)state;
	for (c = 0; c < ARRAY_SIZE(live_clients); c++) {
		struct retry_client client = live_first_syn(&live_clients[c]);

		for (;;) {
			look_while_pending(client);
			schedule = retry_client_schedule(&client);
			if (!schedule.has_next)
				break;
			client = after_retry(client, schedule.next);
		}
	}
}

static void an_overdue_timer_fires_now(void **state)
{
	struct retry_client client = first_syn(4295243627, 250, 6, 4);
	struct retry_schedule schedule;

	(void)state;
	client.elapsed = 900;
	client.expires = client.now - 650;
	schedule = retry_client_schedule(&client);
	assert_true(schedule.has_next);
	assert_int_equal(schedule.next, 0);
	assert_int_equal(schedule.limit, 10);
}

static void a_wrong_syn_ack_brings_the_retry_forward(void **state)
{
	struct retry_client client = first_syn(4295243627, 250, 6, 4);
	struct retry_schedule schedule;

	(void)state;
	client.elapsed = 1;
	client.expires = client.now + 2; /* TCP_TIMEOUT_MIN */
	schedule = retry_client_schedule(&client);
	assert_true(schedule.has_next);
	assert_int_equal(schedule.next, 3);
}

static void a_timer_that_outlasts_its_rto_is_taken_as_just_set(void **state)
{
	struct retry_client client = first_syn(4295243624, 250, 6, 4);

	(void)state;
	client.elapsed = 10000;
	client.expires = client.now + 300; /* level 1: at most 8 late */
	check("client", 0, "next", retry_client_schedule(&client).next, 301, 308);
}

static void an_expiry_beyond_rto_max_is_not_believed(void **state)
{
	static const uint64_t ahead[] = {30001, 1ULL << 32, INT64_MAX};
	struct retry_client client = first_syn(4295243627, 250, 6, 4);
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(ahead); i++) {
		client.expires = client.now + ahead[i];
		check("client", i, "next", retry_client_schedule(&client).next, 30000,
		      latest(30000, 1));
	}
}

static void syncnt_1_means_2_retries_and_3_seconds(void **state)
{
	struct retry_client client = first_syn(4295243624, 250, 1, 4);
	struct retry_schedule schedule = retry_client_schedule(&client);

	(void)state;
	assert_int_equal(schedule.limit, 2);
	check("TCP_SYNCNT=1", 0, "give-up in ms", schedule.give_up * 4, 3072, 3088);
}

static void user_timeout_cuts_the_last_interval_short(void **state)
{
	uint64_t times[TIMES_MAX];
	struct retry_client client;
	size_t h;

	(void)state;
	for (h = 0; h < ARRAY_SIZE(hzs); h++) {
		client = first_syn(nows[1], hzs[h], 6, 4);
		client.user_timeout = 5 * hzs[h] / 2;
		assert_int_equal(follow("2500 ms", client, times), 3);
		check("2500 ms", 2, "give-up", times[2], client.user_timeout,
		      client.user_timeout + 16);
	}
}

static void user_timeout_below_the_first_rto_still_means_one_retry(void **state)
{
	uint64_t times[TIMES_MAX];
	struct retry_client client;
	size_t h;

	(void)state;
	for (h = 0; h < ARRAY_SIZE(hzs); h++) {
		client = first_syn(nows[1], hzs[h], 6, 4);
		client.user_timeout = hzs[h] / 2;
		assert_int_equal(follow("500 ms", client, times), 2);
		check("500 ms", 0, "retry", times[0], hzs[h], latest(hzs[h], 1));
		/* Fire ASAP: 1 jiffy, and the granule of level 0. */
		check_exact("500 ms", 1, "give-up", times[1], times[0] + 2);
	}
}

static void rto_max_caps_the_intervals_and_the_time_model(void **state)
{
	/* 7 s of doubling, then 8 of 4 s: 39 s, before 10 + 4 retries are made. */
	static const unsigned int linear[] = {1, 2, 3, 4, 5, 7, 11, 15, 19, 23, 27, 31, 35, 39};
	static const unsigned int exponential[] = {1, 3, 7, 11, 15, 19, 23};
	struct retry_client client = first_syn(nows[2], 250, 10, 4);

	(void)state;
	client.rto_max = 4 * 250;
	check_ideal("rto_max 4 s", client, linear, ARRAY_SIZE(linear));
	client = first_syn(nows[2], 250, 6, NO_LINEAR);
	client.rto_max = 4 * 250;
	check_ideal("rto_max 4 s", client, exponential, ARRAY_SIZE(exponential));
}

static void a_sock_ops_program_scales_the_whole_schedule(void **state)
{
	static const unsigned int ideal[] = {3, 9, 21, 45};
	struct retry_client client = first_syn(nows[0], 250, 3, NO_LINEAR);

	(void)state;
	client.rto = client.rto_initial = 3 * 250;
	check_ideal("timeout_init 3 s", client, ideal, ARRAY_SIZE(ideal));
}

static void local_congestion_retries_after_half_a_second_and_does_not_double(void **state)
{
	static const unsigned int rest[] = {2, 6, 14, 30, 62};
	struct retry_client client = first_syn(4295243627, 250, 6, NO_LINEAR);
	struct retry_schedule schedule;
	uint64_t times[TIMES_MAX];
	unsigned int i;

	(void)state;
	client.elapsed = 253;
	client.retransmits = 1;
	client.congested = true;
	schedule = retry_client_schedule(&client);
	assert_int_equal(schedule.limit, 6);
	check("congested", 1, "next", schedule.next, 125, latest(125, 1));
	assert_int_equal(follow("congested", client, times), 6);
	for (i = 0; i < ARRAY_SIZE(rest); i++)
		check("congested", i + 2, "time", times[i + 1] - times[0], rest[i] * 250,
		      latest(rest[i] * 250, i + 1));
}

static void congestion_says_nothing_about_the_first_syn_or_a_pending_timer(void **state)
{
	struct retry_client client = first_syn(4295243627, 250, 6, 4);
	struct retry_schedule quiet = retry_client_schedule(&client);

	(void)state;
	client.congested = true;
	assert_int_equal(retry_client_schedule(&client).next, quiet.next);
	client.elapsed = 300;
	client.retransmits = 1;
	client.expires = client.now + 200;
	check("pending", 1, "next", retry_client_schedule(&client).next, 200, latest(200, 1));
}

/* A request whose timer is about to be set for the first time. */
static struct retry_server first_syn_ack(uint64_t now, uint32_t hz, uint8_t retries)
{
	return (struct retry_server){
		.now = now, .timeout = hz, .rto_max = 120 * hz, .hz = hz, .retries = retries};
}

static unsigned int follow_server(const char *name, struct retry_server server, uint64_t times[])
{
	uint64_t end = server.now + retry_server_schedule(&server).give_up;
	uint64_t start = server.now;
	unsigned int n = 0;

	for (;;) {
		struct retry_schedule schedule = retry_server_schedule(&server);
		uint64_t took = schedule.has_next ? schedule.next : schedule.give_up;
		struct retry_server seen = server;

		assert_true(n < TIMES_MAX);
		check_exact(name, n, "give-up", server.now + schedule.give_up, end);
		assert_int_equal(schedule.limit, server.retries);
		/* Seen once more when half of the interval is over. */
		seen.expires = server.now + ((uint64_t)server.timeout << server.timeouts);
		if (seen.expires > server.now + server.rto_max)
			seen.expires = server.now + server.rto_max;
		seen.now += took / 2;
		check_exact(name, n, "give-up while pending",
			    seen.now + retry_server_schedule(&seen).give_up, end);
		server.now += took;
		times[n++] = server.now - start;
		if (!schedule.has_next)
			return n;
		server.timeouts++;
	}
}

static void syn_ack_retries_double_and_expire_one_interval_after_the_last(void **state)
{
	static const unsigned int ideal[] = {1, 3, 7, 15, 31, 63, 127};
	uint64_t times[TIMES_MAX];
	unsigned int retries, n;
	size_t h, i;

	(void)state;
	for (h = 0; h < ARRAY_SIZE(hzs); h++)
		for (i = 0; i < ARRAY_SIZE(nows); i++)
			for (retries = 0; retries < ARRAY_SIZE(ideal); retries++) {
				n = follow_server("SYN-ACK",
						  first_syn_ack(nows[i], hzs[h], retries), times);
				assert_int_equal(n, retries + 1);
				while (n--)
					check("SYN-ACK", n, "time", times[n],
					      (uint64_t)ideal[n] * hzs[h],
					      latest((uint64_t)ideal[n] * hzs[h], n + 1));
			}
}

static void live_syn_acks_are_predicted_to_the_jiffy(void **state)
{
	static const struct {
		uint64_t first_syn_ack;
		uint8_t retries;
		uint64_t times[TIMES_MAX];
	} cases[] = {
		{4295245861, 5, {251, 755, 1819, 3867, 7899}},
		{4295245975, 1, {257}},
		{4295246084, 3, {252, 756, 1788}},
		/* With net.ipv4.tcp_rto_max_ms=5000: without effect up to 6.18. */
		{4295244370, 5, {254, 758, 1774, 3822, 7854}},
		{4295244989, 3, {251, 755, 1795}},
	};
	uint64_t times[TIMES_MAX];
	unsigned int n;
	size_t c;

	(void)state;
	for (c = 0; c < ARRAY_SIZE(cases); c++) {
		n = follow_server("live",
				  first_syn_ack(cases[c].first_syn_ack, 250, cases[c].retries),
				  times);
		assert_int_equal(n, cases[c].retries + 1);
		for (n = 0; n < cases[c].retries; n++)
			check_exact("live", n, "time", times[n], cases[c].times[n]);
	}
}

static void rto_max_caps_the_syn_ack_intervals(void **state)
{
	static const unsigned int ideal[] = {1, 3, 7, 12, 17, 22};
	struct retry_server server = first_syn_ack(4295243627, 250, 5);
	uint64_t times[TIMES_MAX];
	unsigned int n;

	(void)state;
	server.rto_max = 5 * 250;
	assert_int_equal(follow_server("rto_max 5 s", server, times), ARRAY_SIZE(ideal));
	for (n = 0; n < ARRAY_SIZE(ideal); n++)
		check("rto_max 5 s", n, "time", times[n], ideal[n] * 250,
		      latest(ideal[n] * 250, n + 1));
}

static void more_timeouts_than_retries_give_up_at_the_next_expiry(void **state)
{
	/* Up to where the doubled timeout would not fit in 64 bits. */
	static const uint8_t timeouts[] = {6, 31, 32, 56, 63, 64, 255};
	struct retry_server server = first_syn_ack(4295243627, 256, 5);
	struct retry_schedule schedule;
	size_t i;

	(void)state;
	server.rto_max = 64 * 256;
	for (i = 0; i < ARRAY_SIZE(timeouts); i++) {
		server.timeouts = timeouts[i];
		schedule = retry_server_schedule(&server);
		assert_false(schedule.has_next);
		assert_int_equal(schedule.limit, timeouts[i]);
		check("SYN-ACK", timeouts[i], "give-up", schedule.give_up, server.rto_max,
		      latest(server.rto_max, 1));
	}
}

static void nothing_known_still_gives_a_schedule(void **state)
{
	struct retry_client client = {.retries = 6};
	struct retry_server server = {.retries = 5};
	struct retry_schedule schedule = retry_client_schedule(&client);

	(void)state;
	assert_int_equal(schedule.limit, 6);
	check("client", 0, "give-up", schedule.give_up, 127 * 250, latest(127 * 250, 7));
	schedule = retry_server_schedule(&server);
	assert_int_equal(schedule.limit, 5);
	check("server", 0, "give-up", schedule.give_up, 63 * 250, latest(63 * 250, 6));
	/* A limit of 0 is never the kernel's: what is certain is the first expiry. */
	client.retries = 0;
	schedule = retry_client_schedule(&client);
	assert_false(schedule.has_next);
	assert_int_equal(schedule.limit, 0);
	check("no limit", 0, "give-up", schedule.give_up, 250, latest(250, 1));
}

static void an_unknown_rto_is_the_initial_one(void **state)
{
	struct retry_client client = first_syn(4295243627, 250, 6, 4);
	struct retry_schedule schedule;

	(void)state;
	client.rto = 0;
	client.rto_initial = 3 * 250;
	schedule = retry_client_schedule(&client);
	check("rto 0", 0, "next", schedule.next, 3 * 250, latest(3 * 250, 1));
}

static void an_rto_above_rto_max_is_set_as_rto_max(void **state)
{
	struct retry_client client = first_syn(4295243627, 250, 6, 4);
	struct retry_schedule schedule;

	(void)state;
	client.rto = client.rto_initial = 10 * 250;
	client.rto_max = 2 * 250;
	schedule = retry_client_schedule(&client);
	check("rto 10 s", 0, "next", schedule.next, 2 * 250, latest(2 * 250, 1));
}

static void an_absurd_age_gives_up_at_the_next_expiry(void **state)
{
	struct retry_client client = first_syn(4295243627, 250, 6, 4);
	struct retry_schedule schedule;

	(void)state;
	client.elapsed = UINT64_MAX;
	client.retransmits = 1;
	schedule = retry_client_schedule(&client);
	assert_false(schedule.has_next);
	assert_int_equal(schedule.limit, 1);
	check("old", 1, "give-up", schedule.give_up, 250, latest(250, 1));
}

static void an_absurd_hz_is_survived(void **state)
{
	/* 120 s of it are 0 in 32 bits. */
	struct retry_client client = {.hz = 1U << 29, .retries = 6};
	struct retry_schedule schedule = retry_client_schedule(&client);

	(void)state;
	assert_true(schedule.has_next);
	check("hz", 0, "next", schedule.next, client.hz, latest(client.hz, 1));
}

/* xorshift64*, seeded: the same cases on every run. */
static uint64_t draw(uint64_t *seed)
{
	*seed ^= *seed >> 12;
	*seed ^= *seed << 25;
	*seed ^= *seed >> 27;
	return *seed * 2685821657736338717ULL;
}

/* Of any size, the extremes often. */
static uint64_t draw_any(uint64_t *seed)
{
	uint64_t kind = draw(seed) % 8;

	if (kind < 2)
		return kind ? UINT64_MAX : 0;
	return draw(seed) >> (draw(seed) % 64);
}

static void check_total(const struct retry_schedule *schedule, unsigned int made)
{
	/* 255 intervals of at most rto_max, each late by its granule. */
	uint64_t most = 257 * latest(UINT32_MAX, 1);

	check("any input", made, "limit", schedule->limit, made, 255);
	assert_int_equal(schedule->has_next, schedule->limit > made);
	check("any input", made, "give-up", schedule->give_up, schedule->next, most);
}

static void any_input_gives_a_bounded_schedule(void **state)
{
	uint64_t seed = 20200803;
	unsigned int i;

	(void)state;
	for (i = 0; i < 100000; i++) {
		struct retry_client client = {
			.now = draw_any(&seed),
			.elapsed = draw_any(&seed),
			.expires = draw_any(&seed),
			.rto = (uint32_t)draw_any(&seed),
			.rto_initial = (uint32_t)draw_any(&seed),
			.rto_max = (uint32_t)draw_any(&seed),
			.user_timeout = (uint32_t)draw_any(&seed),
			.hz = (uint32_t)draw_any(&seed),
			.retransmits = (uint8_t)draw_any(&seed),
			.retries = (uint8_t)draw_any(&seed),
			.has_linear = draw(&seed) % 2,
			.linear = (uint8_t)draw_any(&seed),
			.congested = draw(&seed) % 2,
		};
		struct retry_server server = {
			.now = client.now,
			.expires = client.expires,
			.timeout = client.rto,
			.rto_max = client.rto_max,
			.hz = client.hz,
			.timeouts = client.retransmits,
			.retries = client.retries,
		};
		struct retry_schedule schedule = retry_client_schedule(&client);

		check_total(&schedule, client.retransmits);
		schedule = retry_server_schedule(&server);
		check_total(&schedule, server.timeouts);
	}
}

/* Whatever the kernel's settings: waiting as foretold changes nothing foretold. */
static void every_step_confirms_the_prediction_before_it(void **state)
{
	uint64_t seed = 20260131;
	unsigned int i;

	(void)state;
	for (i = 0; i < 20000; i++) {
		struct retry_client client =
			first_syn(4294892296 + draw(&seed) % (1ULL << 33), hzs[draw(&seed) % 3],
				  1 + draw(&seed) % 127, (int)(draw(&seed) % 129) - 1);
		struct retry_schedule schedule;
		uint64_t end;

		client.rto_max = client.hz * (uint32_t)(1 + draw(&seed) % 120);
		if (draw(&seed) % 2)
			client.user_timeout = (uint32_t)(1 + draw(&seed) % (200 * client.hz));
		schedule = retry_client_schedule(&client);
		end = client.now + schedule.give_up;
		while (schedule.has_next) {
			unsigned int limit = schedule.limit;

			client = after_retry(client, schedule.next);
			schedule = retry_client_schedule(&client);
			check_exact("any setting", client.retransmits, "limit", schedule.limit,
				    limit);
			check_exact("any setting", client.retransmits, "give-up",
				    client.now + schedule.give_up, end);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wheel_fires_on_the_next_bucket_of_the_timers_level),
		cmocka_unit_test(wheel_is_never_early_and_at_most_an_eighth_late),
		cmocka_unit_test(exponential_schedule_has_n_retries),
		cmocka_unit_test(linear_phase_comes_first_and_small_budgets_end_by_time),
		cmocka_unit_test(linear_timeouts_of_0_is_the_exponential_schedule),
		cmocka_unit_test(live_handshakes_are_predicted_to_the_jiffy),
		cmocka_unit_test(another_live_default_run_is_predicted_to_half_a_percent),
		cmocka_unit_test(a_pending_timer_tells_the_same_as_the_retry_before_it),
		cmocka_unit_test(an_overdue_timer_fires_now),
		cmocka_unit_test(a_wrong_syn_ack_brings_the_retry_forward),
		cmocka_unit_test(a_timer_that_outlasts_its_rto_is_taken_as_just_set),
		cmocka_unit_test(an_expiry_beyond_rto_max_is_not_believed),
		cmocka_unit_test(syncnt_1_means_2_retries_and_3_seconds),
		cmocka_unit_test(user_timeout_cuts_the_last_interval_short),
		cmocka_unit_test(user_timeout_below_the_first_rto_still_means_one_retry),
		cmocka_unit_test(rto_max_caps_the_intervals_and_the_time_model),
		cmocka_unit_test(a_sock_ops_program_scales_the_whole_schedule),
		cmocka_unit_test(local_congestion_retries_after_half_a_second_and_does_not_double),
		cmocka_unit_test(congestion_says_nothing_about_the_first_syn_or_a_pending_timer),
		cmocka_unit_test(syn_ack_retries_double_and_expire_one_interval_after_the_last),
		cmocka_unit_test(live_syn_acks_are_predicted_to_the_jiffy),
		cmocka_unit_test(rto_max_caps_the_syn_ack_intervals),
		cmocka_unit_test(more_timeouts_than_retries_give_up_at_the_next_expiry),
		cmocka_unit_test(nothing_known_still_gives_a_schedule),
		cmocka_unit_test(an_unknown_rto_is_the_initial_one),
		cmocka_unit_test(an_rto_above_rto_max_is_set_as_rto_max),
		cmocka_unit_test(an_absurd_age_gives_up_at_the_next_expiry),
		cmocka_unit_test(an_absurd_hz_is_survived),
		cmocka_unit_test(any_input_gives_a_bounded_schedule),
		cmocka_unit_test(every_step_confirms_the_prediction_before_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
