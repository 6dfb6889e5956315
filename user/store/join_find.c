/* SPDX-License-Identifier: GPL-2.0-only */
/* For one client handshake: which handshake of which capture is the same. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/database.h"
#include "store/joining.h"

/* Handshakes of one ISN that are looked at. */
#define CANDIDATES_MAX 64

static const char *const sql[FINDS] = {
	/* Role as a parameter would decide whether partial indexes can be used, and have the
	 * statement prepared anew each time. */
	[FIND_SERVERS] = "SELECT" JOIN_COLUMNS "FROM hs WHERE isn = ?1 AND role = 1"
			 " AND family = ?2 ORDER BY start LIMIT 64",
	[FIND_CLIENTS] = "SELECT" JOIN_COLUMNS "FROM hs WHERE isn = ?1 AND role = 0"
			 " AND family = ?2 ORDER BY start LIMIT 64",
	[FIND_ADDRESS] = "SELECT session, netns FROM address WHERE addr = ?1",
	[FIND_DEST] = "SELECT session, lport, laddr, netns, snat, n FROM dest"
		      " WHERE raddr = ?1 AND rport = ?2 ORDER BY n DESC",
	/* A second or two long, each: what began that long before may reach into it. */
	[FIND_NOISE] = "SELECT kind, lport, netns FROM noise WHERE session = ?1"
		       " AND begin BETWEEN ?2 - 10000000000 AND ?3 AND end >= ?2",
	[FIND_NEAR] = "SELECT id FROM hs WHERE session = ?1 AND role = 1 AND lport = ?2"
		      " AND start BETWEEN ?3 AND ?4 ORDER BY start DESC LIMIT 8",
	[FIND_OTHER_ISN] = "SELECT 1 FROM hs WHERE session = ?1 AND role = 1 AND lport = ?2"
			   " AND rport = ?3 AND start BETWEEN ?4 AND ?5 AND raddr = ?6"
			   " AND isn IS NOT ?7 LIMIT 1",
	[FIND_ANSWERED] = "SELECT n, found FROM answered WHERE raddr = ?1 AND rport = ?2"
			  " AND session = ?3",
	[FIND_ANY] = "SELECT 1 FROM hs WHERE session = ?1 AND role = 1 AND lport = ?2 LIMIT 1",
	[FIND_NETNS] = "SELECT 1 FROM address WHERE session = ?1 AND netns = ?2 LIMIT 1",
};

int join_find_prepare(struct joining *joining)
{
	int err = 0;

	for (int i = 0; i < FINDS && !err; i++)
		err = database_prepare(joining->db, sql[i], &joining->find[i]);
	return err;
}

void join_find_done(struct joining *joining)
{
	for (int i = 0; i < FINDS; i++)
		(void)sqlite3_finalize(joining->find[i]);
}

static void copy_text(char *text, size_t size, sqlite3_stmt *statement, int column)
{
	const unsigned char *value = sqlite3_column_text(statement, column);

	(void)snprintf(text, size, "%s", value ? (const char *)value : "");
}

void join_row_read(sqlite3_stmt *statement, struct join_row *ret_row)
{
	*ret_row = (struct join_row){
		.row = sqlite3_column_int64(statement, 0),
		.session = (unsigned int)sqlite3_column_int64(statement, 1),
		.id = sqlite3_column_int64(statement, 2),
		.start_ns = (uint64_t)sqlite3_column_int64(statement, 3),
		.end_ns = (uint64_t)sqlite3_column_int64(statement, 4),
		.isn = sqlite3_column_type(statement, 5) == SQLITE_NULL
			       ? -1
			       : sqlite3_column_int64(statement, 5),
		.family = sqlite3_column_int(statement, 6),
		.state = sqlite3_column_int(statement, 7),
		.lport = (unsigned int)sqlite3_column_int(statement, 8),
		.rport = (unsigned int)sqlite3_column_int(statement, 9),
		.netns = (uint32_t)sqlite3_column_int64(statement, 12),
	};
	copy_text(ret_row->laddr, sizeof(ret_row->laddr), statement, 10);
	copy_text(ret_row->raddr, sizeof(ret_row->raddr), statement, 11);
}

/* --- the same handshake --- */

/* How much of the two ends agrees. NAT may change all of it. */
enum likeness { LIKE_ISN, LIKE_PORT, LIKE_PORTS, LIKE_ALL };

static enum likeness likeness(const struct join_row *client, const struct join_row *server)
{
	unsigned int ports = (client->lport == server->rport) + (client->rport == server->lport);

	if (ports == 2 && !strcmp(client->laddr, server->raddr) &&
	    !strcmp(client->raddr, server->laddr))
		return LIKE_ALL;
	return ports == 2 ? LIKE_PORTS : ports ? LIKE_PORT : LIKE_ISN;
}

static bool fits_in_time(const struct joining *joining, const struct join_row *client,
			 const struct join_row *server)
{
	const struct join_clock *clock =
		joining_clock(joining, joining->sessions[client->session].boot,
			      joining->sessions[server->session].boot);
	/* Any of these may be anything; what overflows is far off. */
	uint64_t expected_ns = client->start_ns + (uint64_t)clock->offset.offset_ns;
	int64_t after_ns = (int64_t)(server->start_ns - expected_ns);
	uint64_t lasted_ns = client->end_ns - client->start_ns;

	if (after_ns < 0)
		return -(uint64_t)after_ns <= clock->tolerance_ns;
	return (uint64_t)after_ns <= lasted_ns + clock->tolerance_ns;
}

/* One handshake may have two rows: its first SYN was thrown away, a later one not. Two
 * captures of one host may even have the same twice. */
static bool is_one(const struct joining *joining, const struct join_row *a,
		   const struct join_row *b)
{
	return joining->sessions[a->session].boot == joining->sessions[b->session].boot &&
	       a->lport == b->lport && a->rport == b->rport && a->netns == b->netns &&
	       !strcmp(a->laddr, b->laddr) && !strcmp(a->raddr, b->raddr);
}

static int rows_of_isn(struct joining *joining, const struct join_row *row, enum find role,
		       struct join_row *ret_rows, unsigned int *ret_count)
{
	sqlite3_stmt *find = joining->find[role];
	int code, err;

	*ret_count = 0;
	(void)sqlite3_bind_int64(find, 1, row->isn);
	(void)sqlite3_bind_int(find, 2, row->family);
	while ((code = sqlite3_step(find)) == SQLITE_ROW && *ret_count < CANDIDATES_MAX)
		join_row_read(find, &ret_rows[(*ret_count)++]);
	err = database_error(joining->db, code);
	(void)sqlite3_reset(find);
	return err;
}

/* Whether another client's handshake could be that of the peer as well. */
static int has_rival(struct joining *joining, const struct join_row *client,
		     const struct join_row *server, bool *ret_rival)
{
	struct join_row rows[CANDIDATES_MAX];
	unsigned int count;
	int err = rows_of_isn(joining, client, FIND_CLIENTS, rows, &count);

	*ret_rival = false;
	for (unsigned int i = 0; i < count && !err; i++)
		if (rows[i].row != client->row &&
		    !(is_one(joining, &rows[i], client) && rows[i].start_ns == client->start_ns) &&
		    likeness(&rows[i], server) >= likeness(client, server) &&
		    fits_in_time(joining, &rows[i], server))
			*ret_rival = true;
	return err;
}

/* Chances of one in so many that an ISN is the same by accident are taken. */
#define CHANCE 1000.0

static double pairs_of(const struct joining *joining)
{
	double clients = 0, servers = 0;

	for (unsigned int i = 0; i < joining->session_count; i++) {
		clients += (double)joining->sessions[i].clients;
		servers += (double)joining->sessions[i].servers;
	}
	return clients * servers;
}

/* NAT may leave nothing but the ISN, of which there are 2^32. Among very many handshakes two
 * are then only the same if others went the same way. */
static int may_be_chance(struct joining *joining, const struct join_row *client,
			 const struct join_row *server, bool *ret_chance)
{
	sqlite3_stmt *dest = joining->find[FIND_DEST];
	int code, err;

	*ret_chance = false;
	if (likeness(client, server) >= LIKE_PORTS || pairs_of(joining) < 4294967296.0 / CHANCE)
		return 0;
	*ret_chance = true;
	(void)sqlite3_bind_text(dest, 1, client->raddr, -1, SQLITE_STATIC);
	(void)sqlite3_bind_int64(dest, 2, client->rport);
	while ((code = sqlite3_step(dest)) == SQLITE_ROW)
		if ((unsigned int)sqlite3_column_int64(dest, 0) == server->session &&
		    (unsigned int)sqlite3_column_int(dest, 1) == server->lport &&
		    sqlite3_column_int64(dest, 5) > 1)
			*ret_chance = false;
	err = database_error(joining->db, code);
	(void)sqlite3_reset(dest);
	return err;
}

struct seen_of {
	struct join_seen *seen;
	const struct terms *terms;
};

static void feed_seen(void *ctx, const struct sw_handshake *record)
{
	struct seen_of *seen_of = ctx;

	if (SW_KIND_IS_SERVER(record->header.kind))
		join_seen_feed(seen_of->seen, record, seen_of->terms);
}

/* The records of that handshake: all rows of one capture that are of it. */
static int take_seen(struct joining *joining, const struct join_row *client,
		     const struct join_row *rows, unsigned int count, const struct join_row *best,
		     struct join_found *found)
{
	const struct join_session *session = &joining->sessions[best->session];
	struct seen_of seen_of = {&found->seen, session->terms};
	int err = 0;

	for (unsigned int i = 0; i < count && !err; i++)
		if (is_one(joining, &rows[i], best) && fits_in_time(joining, client, &rows[i]) &&
		    joining->sessions[rows[i].session].capture == session->capture)
			err = join_records(joining, session->capture, rows[i].id, feed_seen,
					   &seen_of);
	if (found->seen.has_drop || found->seen.has_request)
		found->matter.seen = &found->seen;
	return err;
}

void join_found_peer(const struct joining *joining, const struct join_row *client,
		     unsigned int session, struct join_found *found)
{
	const struct join_session *peer = &joining->sessions[session];
	const struct join_clock *clock =
		joining_clock(joining, joining->sessions[client->session].boot, peer->boot);

	found->matter.capture = joining->captures[peer->capture].path;
	found->matter.host = peer->host;
	found->matter.offset_ns = clock->offset.offset_ns;
	found->matter.tolerance_ns = clock->tolerance_ns;
	found->matter.by_wall = clock->by == CLOCK_BY_WALL;
}

void join_found_gap(struct join_found *found, enum report_gap gap, const char *words)
{
	found->matter.gap = gap;
	(void)snprintf(found->gap_words, sizeof(found->gap_words), "%s", words);
}

/* Of those with its ISN the one that is like it most; *ret_any: there are some, whatever
 * their time. */
static int find_same(struct joining *joining, const struct join_row *client,
		     struct join_found *found, bool *ret_any)
{
	struct join_row rows[CANDIDATES_MAX];
	const struct join_row *best = NULL;
	bool ambiguous = false;
	unsigned int count;
	int err = rows_of_isn(joining, client, FIND_SERVERS, rows, &count);

	*ret_any = false;
	for (unsigned int i = 0; i < count && !err; i++) {
		if (!fits_in_time(joining, client, &rows[i])) {
			*ret_any |= likeness(client, &rows[i]) == LIKE_ALL;
			continue;
		}
		if (!best || likeness(client, &rows[i]) > likeness(client, best)) {
			best = &rows[i];
			ambiguous = false;
		} else if (likeness(client, &rows[i]) == likeness(client, best)) {
			ambiguous |= !is_one(joining, &rows[i], best);
		}
	}
	if (err || !best)
		return err;
	*ret_any = true;
	join_found_peer(joining, client, best->session, found);
	if (!ambiguous && likeness(client, best) != LIKE_ALL)
		err = has_rival(joining, client, best, &ambiguous);
	if (!err && !ambiguous)
		err = may_be_chance(joining, client, best, &ambiguous);
	if (err)
		return err;
	if (ambiguous) {
		join_found_gap(found, REPORT_GAP_ISN_AMBIGUOUS, "");
		return 0;
	}
	return take_seen(joining, client, rows, count, best, found);
}

int join_find(struct joining *joining, const struct join_row *row, const struct join_client *client,
	      struct join_found *ret_found)
{
	bool any = false;
	int err;

	memset(ret_found, 0, sizeof(*ret_found));
	ret_found->matter.client = client;
	ret_found->matter.gap_words = ret_found->gap_words;
	ret_found->matter.wall_offset_ns =
		joining_wall_offset(&joining->sessions[row->session], client->facts.header.time_ns);
	if (row->isn < 0) {
		join_found_gap(ret_found, REPORT_GAP_ISN_UNKNOWN, "");
		return 0;
	}
	err = find_same(joining, row, ret_found, &any);
	if (err || ret_found->matter.seen || ret_found->matter.gap != REPORT_GAP_NONE)
		return err;
	if (any) {
		join_found_gap(ret_found, REPORT_GAP_TIME_MISFIT, "");
		return 0;
	}
	return join_absence(joining, row, client, ret_found);
}
