/* SPDX-License-Identifier: GPL-2.0-only */
#include "core/retry.h"

/* kernel/time/timer.c: every level is 8 times as coarse as the one below it. */
#define WHEEL_LEVEL_SHIFT 3
#define WHEEL_LEVEL_SIZE  64
/* LVL_DEPTH is 8 up to HZ=100; its cut-off, 15 days, is out of TCP's reach. */
#define WHEEL_LEVELS 9

#define DEFAULT_HZ	  250 /* of Debian, Ubuntu before 24.10, SUSE ... */
#define DEFAULT_RTO_MAX_S 120 /* TCP_RTO_MAX */

#define RETRIES_MAX 255 /* icsk_retransmits is 8 bit wide */

static uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* LVL_START: the shortest timer that does not fit in the levels below. */
static uint64_t wheel_level_start(unsigned int level)
{
	return (uint64_t)(WHEEL_LEVEL_SIZE - 1) << ((level - 1) * WHEEL_LEVEL_SHIFT);
}

uint64_t retry_wheel_fires(uint64_t now, uint64_t expires)
{
	uint64_t delta = expires - now;
	unsigned int level = 0;
	unsigned int shift;

	/* Overdue: the bucket that is worked off next. */
	if ((int64_t)delta < 0)
		return now;
	while (level < WHEEL_LEVELS - 1 && delta >= wheel_level_start(level + 1))
		level++;
	/* calc_index() adds one granule on every level, the finest too: the
	 * current tick may be nearly over when the timer is set. */
	shift = level * WHEEL_LEVEL_SHIFT;
	return ((expires >> shift) + 1) << shift;
}

/* How long a timer set at `now` really takes. */
static uint64_t timer_takes(uint64_t now, uint64_t interval)
{
	return retry_wheel_fires(now, now + interval) - now;
}

/*
 * How long a pending one still takes, set at `armed` to expire at `expires`.
 * inet_csk_reset_xmit_timer() never arms further ahead than
 * rto_max: more than that is not the timer of a handshake.
 */
static uint64_t pending_takes(uint64_t now, uint64_t armed, uint64_t expires, uint32_t rto_max)
{
	uint64_t runs;

	if ((int64_t)(expires - now) > (int64_t)rto_max)
		expires = now + rto_max;
	runs = retry_wheel_fires(armed, expires);
	return (int64_t)(runs - now) > 0 ? runs - now : 0;
}

static void retried(struct retry_schedule *schedule, uint64_t at)
{
	if (schedule->has_next)
		return;
	schedule->has_next = true;
	schedule->next = at;
}

static uint32_t known_hz(uint32_t hz)
{
	return hz ? hz : DEFAULT_HZ;
}

static uint32_t known_rto_max(uint32_t rto_max, uint32_t hz)
{
	if (rto_max)
		return rto_max;
	return (uint32_t)min_u64((uint64_t)DEFAULT_RTO_MAX_S * hz, UINT32_MAX);
}

/* An interval: the 1 s of RFC 6298 where it is unknown, never above rto_max. */
static uint32_t known_rto(uint32_t rto, uint32_t rto_max, uint32_t hz)
{
	return (uint32_t)min_u64(rto ? rto : hz, rto_max);
}

static struct retry_client client_known(const struct retry_client *given)
{
	struct retry_client client = *given;

	client.hz = known_hz(given->hz);
	client.rto_max = known_rto_max(given->rto_max, client.hz);
	client.rto_initial = known_rto(given->rto_initial, client.rto_max, client.hz);
	client.rto =
		known_rto(given->rto ? given->rto : given->rto_initial, client.rto_max, client.hz);
	if (!given->has_linear)
		client.linear = 0;
	return client;
}

static uint64_t elapsed_in(const struct retry_client *client, uint64_t at)
{
	return at > UINT64_MAX - client->elapsed ? UINT64_MAX : client->elapsed + at;
}

/* tcp_retransmit_timer(): icsk_rto after the retransmission number n. */
static uint32_t backed_off(const struct retry_client *client, uint32_t rto, unsigned int n)
{
	if (n <= client->linear)
		return rto;
	return (uint32_t)min_u64(2 * (uint64_t)rto, client->rto_max);
}

/* tcp_clamp_rto_to_user_timeout() */
static uint64_t clamped_rto(const struct retry_client *client, uint32_t rto, uint64_t at)
{
	uint64_t elapsed = elapsed_in(client, at);

	if (!client->user_timeout)
		return rto;
	if (elapsed >= client->user_timeout)
		return 1;
	return min_u64(rto, client->user_timeout - elapsed);
}

/*
 * tcp_model_timeout(): how long `retries` purely exponential intervals and the
 * last wait would take. The linear phase is no part of it, which is why
 * TCP_SYNCNT=1 ends after 3 s and 2 retransmissions, not after 5.
 */
static uint64_t model_timeout(const struct retry_client *client)
{
	uint32_t ratio = client->rto_max / client->rto_initial;
	unsigned int threshold = 0;

	while (ratio >>= 1)
		threshold++;
	if (client->retries <= threshold)
		return ((2ULL << client->retries) - 1) * client->rto_initial;
	return ((2ULL << threshold) - 1) * client->rto_initial +
	       (uint64_t)(client->retries - threshold) * client->rto_max;
}

/* tcp_write_timeout(), as it runs when the timer fires after n retries. */
static bool client_expired(const struct retry_client *client, unsigned int n, uint64_t at)
{
	uint64_t budget = client->user_timeout ? client->user_timeout : model_timeout(client);

	if (n >= RETRIES_MAX || n >= (unsigned int)client->retries + client->linear)
		return true;
	return n > 0 && elapsed_in(client, at) >= budget;
}

/*
 * When the pending timer was set: its length decides on which level of the
 * wheel it hangs. No earlier than one RTO before it expires, and no earlier
 * than the retransmissions already made took (the better bound when
 * TCP_USER_TIMEOUT cut the last interval short).
 */
static uint64_t client_armed(const struct retry_client *client)
{
	uint64_t span = client->elapsed;
	uint64_t since_rto = client->rto - (client->expires - client->now);
	uint32_t rto = client->rto_initial;
	uint64_t taken = 0;
	unsigned int n;

	for (n = 1; n <= client->retransmits; n++) {
		taken += rto;
		rto = backed_off(client, rto, n);
	}
	span = span > taken ? span - taken : 0;
	if ((int64_t)since_rto < 0)
		since_rto = 0;
	return client->now - min_u64(span, since_rto);
}

/* Jiffies until the timer runs that is pending, or is about to be set. */
static uint64_t client_first_expiry(const struct retry_client *client, uint32_t rto)
{
	uint64_t interval;

	if (client->expires)
		return pending_takes(client->now, client_armed(client), client->expires,
				     client->rto_max);
	if (!client->retransmits)
		/* tcp_connect() does not look at TCP_USER_TIMEOUT. */
		interval = rto;
	else if (client->congested)
		/* TCP_RESOURCE_PROBE_INTERVAL, whatever the RTO (5.1+) */
		interval = min_u64(client->hz / 2, client->rto_max);
	else
		interval = clamped_rto(client, rto, 0);
	return timer_takes(client->now, interval);
}

struct retry_schedule retry_client_schedule(const struct retry_client *given)
{
	struct retry_client client = client_known(given);
	struct retry_schedule schedule = {0};
	unsigned int n = client.retransmits;
	uint32_t rto = client.rto;
	uint64_t at;

	/* The tracepoint comes before the doubling, and local congestion skips it. */
	if (!client.expires && !client.congested)
		rto = backed_off(&client, rto, n);
	at = client_first_expiry(&client, rto);
	while (!client_expired(&client, n, at)) {
		retried(&schedule, at);
		n++;
		rto = backed_off(&client, rto, n);
		at += timer_takes(client.now + at, clamped_rto(&client, rto, at));
	}
	schedule.limit = n;
	schedule.give_up = at;
	return schedule;
}

/* reqsk_timeout(), tcp_reqsk_timeout() from 6.19 on. There is no linear phase. */
static uint64_t server_interval(const struct retry_server *server, unsigned int n)
{
	/* A timeout shifted by 32 is longer than any rto_max. */
	return n < 32 ? min_u64((uint64_t)server->timeout << n, server->rto_max) : server->rto_max;
}

static uint64_t server_first_expiry(const struct retry_server *server)
{
	uint64_t interval = server_interval(server, server->timeouts);
	uint64_t left = server->expires - server->now;
	uint64_t armed = server->now;

	if (!server->expires)
		return timer_takes(server->now, interval);
	if ((int64_t)(interval - left) > 0)
		armed -= interval - left;
	return pending_takes(server->now, armed, server->expires, server->rto_max);
}

struct retry_schedule retry_server_schedule(const struct retry_server *given)
{
	struct retry_server server = *given;
	struct retry_schedule schedule = {0};
	unsigned int n = given->timeouts;
	uint64_t at;

	server.hz = known_hz(given->hz);
	server.rto_max = known_rto_max(given->rto_max, server.hz);
	server.timeout = known_rto(given->timeout, server.rto_max, server.hz);
	at = server_first_expiry(&server);
	/* reqsk_timer_handler(). That a crowded listener gives up sooner is not
	 * the state of one request. */
	while (n < server.retries) {
		retried(&schedule, at);
		n++;
		at += timer_takes(server.now + at, server_interval(&server, n));
	}
	schedule.limit = n;
	schedule.give_up = at;
	return schedule;
}
