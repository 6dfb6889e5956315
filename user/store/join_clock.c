/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The clocks of the hosts laid over each other, and which destination leads to which host.
 *
 * Compared are the monotonic clocks: a wall clock that is stepped, on either side, does not
 * matter. Only where two hosts have no handshake in common their wall clocks have to do.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/log.h"
#include "store/database.h"
#include "store/joining.h"

/* The way from host to host, and what one of them needs to take the time, on top of the
 * spread. Less than half of the first retransmission interval. */
#define WAY_NS 250000000ULL
/* What a clock that rests on less than three handshakes may be off: the only SYN that got
 * through may have been the second. */
#define FEW_NS 1250000000ULL
#define FEW    3
/* Wall clocks that somebody keeps right, and the way. */
#define WALL_NS 2000000000ULL

/* So many of two hosts are enough, taken from all over the captures. */
#define SAMPLES_MAX 65536
#define SAMPLED	    200000

struct samples {
	int64_t *values_ns;
	size_t count;
	uint64_t agreeing; /* of these, with the same ports on both sides */
};

static int add_sample(struct samples *samples, int64_t value_ns, bool agrees)
{
	size_t count = samples->count;
	void *values;

	if (count == SAMPLES_MAX)
		return 0;
	if (!(count & (count - 1))) {
		values = realloc(samples->values_ns, (count ? 2 * count : 1) * sizeof(int64_t));
		if (!values)
			return -ENOMEM;
		samples->values_ns = values;
	}
	samples->values_ns[samples->count++] = value_ns;
	samples->agreeing += agrees;
	return 0;
}

/* Every step-th client handshake, with whatever has its ISN. */
static int take_samples(struct joining *joining, struct samples *samples, int64_t step,
			uint64_t *ret_taken)
{
	sqlite3_stmt *row;
	int code = SQLITE_DONE,
	    err = database_prepare(joining->db,
				   "SELECT c.boot, s.boot, s.start - c.start, s.lport = c.rport "
				   "AND s.rport = c.lport"
				   " FROM hs c CROSS JOIN hs s ON s.isn = c.isn AND s.role = 1"
				   " AND s.family = c.family WHERE c.role = 0 AND c.isn IS NOT NULL"
				   " AND c.rowid % ?1 = 0",
				   &row);

	if (err)
		return err;
	(void)sqlite3_bind_int64(row, 1, step);
	*ret_taken = 0;
	while (!err && (code = sqlite3_step(row)) == SQLITE_ROW) {
		size_t client = (size_t)sqlite3_column_int64(row, 0);
		size_t server = (size_t)sqlite3_column_int64(row, 1);

		++*ret_taken;
		err = add_sample(&samples[client * joining->boot_count + server],
				 sqlite3_column_int64(row, 2), sqlite3_column_int(row, 3));
	}
	if (!err)
		err = database_error(joining->db, code);
	(void)sqlite3_finalize(row);
	return err;
}

static uint64_t handshakes_of(const struct joining *joining, unsigned int boot, bool servers)
{
	uint64_t count = 0;

	for (unsigned int i = 0; i < joining->session_count; i++)
		if (joining->sessions[i].boot == boot)
			count += servers ? joining->sessions[i].servers
					 : joining->sessions[i].clients;
	return count;
}

/* Whether chance alone may have made these: a lone pair of handshakes with one ISN and
 * different ports among very many. */
static bool may_be_chance(const struct joining *joining, unsigned int client, unsigned int server,
			  const struct samples *samples, const struct offset *offset)
{
	double pairs = (double)handshakes_of(joining, client, false) *
		       (double)handshakes_of(joining, server, true);

	return offset->agree < 2 && !samples->agreeing && pairs / 4294967296.0 > 1e-4;
}

/* The newest that was known: what NTP has made of it. */
static int64_t wall_of_boot(const struct joining *joining, unsigned int boot)
{
	int64_t offset_ns = 0;

	for (unsigned int i = 0; i < joining->session_count; i++)
		if (joining->sessions[i].boot == boot)
			offset_ns = joining_wall_offset(&joining->sessions[i], UINT64_MAX);
	return offset_ns;
}

/* How far a wall clock was ever set apart from what it says in the end. */
static uint64_t wall_steps(const struct joining *joining, unsigned int boot)
{
	int64_t last_ns = wall_of_boot(joining, boot);
	uint64_t furthest = 0;

	for (unsigned int i = 0; i < joining->session_count; i++) {
		const struct join_session *session = &joining->sessions[i];

		if (session->boot != boot)
			continue;
		for (size_t at = 0; at < session->wall_count; at++) {
			uint64_t apart = (uint64_t)session->walls[at].offset_ns - (uint64_t)last_ns;
			uint64_t size = apart > INT64_MAX ? -apart : apart;

			if (size > furthest)
				furthest = size;
		}
	}
	return furthest;
}

static void solve(struct joining *joining, unsigned int client, unsigned int server,
		  struct samples *samples)
{
	struct join_clock *clock = joining_clock(joining, client, server);
	struct offset offset = {};

	clock->used = handshakes_of(joining, client, false) > 0;
	if (client == server) {
		*clock = (struct join_clock){.known = true,
					     .used = clock->used,
					     .by = CLOCK_BY_BOOT,
					     .tolerance_ns = WAY_NS};
		return;
	}
	if (offset_solve(samples->values_ns, samples->count, &offset) &&
	    !may_be_chance(joining, client, server, samples, &offset)) {
		clock->known = true;
		clock->by = CLOCK_BY_HANDSHAKES;
		clock->offset = offset;
		clock->tolerance_ns = offset.spread_ns + (offset.agree < FEW ? FEW_NS : WAY_NS);
		return;
	}
	clock->by = CLOCK_BY_WALL;
	clock->offset.offset_ns = (int64_t)((uint64_t)wall_of_boot(joining, client) -
					    (uint64_t)wall_of_boot(joining, server));
	clock->tolerance_ns = WALL_NS + wall_steps(joining, client) + wall_steps(joining, server);
}

static int solve_all(struct joining *joining)
{
	size_t pairs = (size_t)joining->boot_count * joining->boot_count;
	struct samples *samples = calloc(pairs ? pairs : 1, sizeof(*samples));
	uint64_t clients = 0, taken = 0;
	int64_t step;
	int err = samples ? 0 : -ENOMEM;

	joining->clocks = calloc(pairs ? pairs : 1, sizeof(*joining->clocks));
	if (!joining->clocks)
		err = -ENOMEM;
	for (unsigned int i = 0; i < joining->session_count; i++)
		clients += joining->sessions[i].clients;
	step = (int64_t)(clients / SAMPLED) + 1;
	if (!err)
		err = take_samples(joining, samples, step, &taken);
	/* Few in common: each of them counts. */
	if (!err && step > 1 && taken < 1000) {
		for (size_t i = 0; i < pairs; i++)
			samples[i].count = samples[i].agreeing = 0;
		err = take_samples(joining, samples, 1, &taken);
	}
	for (unsigned int client = 0; client < joining->boot_count && !err; client++)
		for (unsigned int server = 0; server < joining->boot_count; server++)
			solve(joining, client, server,
			      &samples[(size_t)client * joining->boot_count + server]);
	for (size_t i = 0; samples && i < pairs; i++)
		free(samples[i].values_ns);
	free(samples);
	return err;
}

/* --- as tables, for SQL --- */

static int store_clocks(struct joining *joining)
{
	sqlite3_stmt *insert = NULL;
	int err = database_exec(joining->db,
				"CREATE TABLE clock (session INTEGER, boot INTEGER, cboot INTEGER,"
				" off INTEGER, tol INTEGER, cover INTEGER, end INTEGER,"
				" streams_all INTEGER)");

	if (!err)
		err = database_prepare(
			joining->db, "INSERT INTO clock VALUES (?, ?, ?, ?, ?, ?, ?, ?)", &insert);
	for (unsigned int i = 0; i < joining->session_count; i++) {
		const struct join_session *session = &joining->sessions[i];

		for (unsigned int boot = 0; boot < joining->boot_count && !err; boot++) {
			const struct join_clock *clock =
				joining_clock(joining, boot, session->boot);

			if (!clock->used || !session->servers)
				continue;
			(void)sqlite3_bind_int64(insert, 1, i);
			(void)sqlite3_bind_int64(insert, 2, session->boot);
			(void)sqlite3_bind_int64(insert, 3, boot);
			(void)sqlite3_bind_int64(insert, 4, clock->offset.offset_ns);
			(void)sqlite3_bind_int64(insert, 5, (int64_t)clock->tolerance_ns);
			(void)sqlite3_bind_int64(insert, 6, (int64_t)session->cover_ns);
			(void)sqlite3_bind_int64(insert, 7, (int64_t)session->end_ns);
			(void)sqlite3_bind_int(insert, 8, session->all);
			err = database_run(insert);
		}
	}
	(void)sqlite3_finalize(insert);
	return err;
}

/* A server's handshake with the client's ISN, within its time. */
#define SAME                                                                        \
	" s.isn = c.isn AND s.role = 1 AND s.family = c.family AND s.boot = k.boot" \
	" AND s.start BETWEEN c.start + k.off - k.tol AND c.end + k.off + k.tol "

/*
 * dest: where handshakes to a destination were seen to arrive. answered: of those that
 * were answered while a capture had every handshake, how many there were, and how many of
 * them are in it: are all of a destination's in one, no other host answers for it, and
 * nothing changes their ISNs.
 */
static const char places[] =
	"CREATE TABLE dest AS SELECT s.session AS session, c.raddr AS raddr, c.rport AS rport,"
	" s.laddr AS laddr, s.lport AS lport, s.netns AS netns, count(*) AS n,"
	" max(c.laddr IS NOT s.raddr OR c.lport IS NOT s.rport) AS snat"
	" FROM hs c CROSS JOIN clock k ON k.cboot = c.boot CROSS JOIN hs s ON s.session = k.session"
	" AND" SAME "WHERE c.role = 0 AND c.isn IS NOT NULL GROUP BY 1, 2, 3, 4, 5, 6;"
	"CREATE INDEX dest_place ON dest (raddr, rport);"
	"CREATE TABLE answered AS SELECT k.session AS session, c.raddr AS raddr,"
	" c.rport AS rport, count(*) AS n, sum(EXISTS (SELECT 1 FROM hs s WHERE" SAME ")) AS found"
	" FROM hs c CROSS JOIN clock k ON k.cboot = c.boot WHERE c.role = 0 AND c.state = 1"
	" AND c.isn IS NOT NULL AND k.streams_all AND c.start + k.off - k.tol >= k.cover"
	" AND c.end + k.off + k.tol <= k.end GROUP BY 1, 2, 3;"
	"CREATE INDEX answered_place ON answered (raddr, rport, session);";

int join_clocks(struct joining *joining)
{
	int err;

	joining->events->progress(joining->events->ctx, "comparing clocks", 0, 0);
	err = solve_all(joining);
	if (!err)
		err = store_clocks(joining);
	joining->events->progress(joining->events->ctx, "joining", 0, 0);
	if (!err)
		err = database_exec(joining->db, places);
	if (err)
		log_error("cannot join: the temporary database: %s", database_explain(err));
	return err;
}
