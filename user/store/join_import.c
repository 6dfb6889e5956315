/* SPDX-License-Identifier: GPL-2.0-only */
/* Captures -> one temporary database with what is joined. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/log.h"
#include "core/crowd.h"
#include "core/decode.h"
#include "store/database.h"
#include "store/joining.h"
#include "store/readonly.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#define PROGRESS_EVERY 20000

/*
 * hs: handshakes of both roles (0 client, 1 server), times CLOCK_MONOTONIC of their host.
 * noise: when absence means nothing: records lost (kind 1), or SYNs at a port only
 * counted (2) or answered with cookies (3). address: which host has which.
 */
static const char schema[] =
	"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -131072;"
	"PRAGMA locking_mode = EXCLUSIVE; PRAGMA temp_store = FILE;"
	"CREATE TABLE hs (session INTEGER, id INTEGER, role INTEGER, boot INTEGER, start INTEGER,"
	" end INTEGER, isn INTEGER, family INTEGER, state INTEGER, retransmits INTEGER,"
	" lport INTEGER, rport INTEGER, laddr TEXT, raddr TEXT, netns INTEGER);"
	"CREATE TABLE noise (session INTEGER, kind INTEGER, begin INTEGER, end INTEGER,"
	" lport INTEGER, netns INTEGER);"
	"CREATE TABLE address (session INTEGER, addr TEXT, netns INTEGER,"
	" UNIQUE (addr, session, netns));"
	"BEGIN";

static const char indexes[] =
	"CREATE INDEX hs_isn ON hs (isn, role, family, boot, start);"
	"CREATE INDEX hs_port ON hs (session, lport, start) WHERE role = 1;"
	"CREATE INDEX hs_ports ON hs (session, lport, rport, start) WHERE role = 1;"
	"CREATE INDEX noise_time ON noise (session, begin);"
	"INSERT OR IGNORE INTO address SELECT DISTINCT session, laddr, netns FROM hs"
	" WHERE laddr IS NOT NULL;"
	"CREATE INDEX address_netns ON address (session, netns);"
	"COMMIT";

/* Without one of these a SYN that came would leave no record. */
static const char *const needed_hooks[] = {"tcp_retransmit_synack", "kfree_skb"};

static void *grow(void *array, unsigned int count, size_t size)
{
	/* Powers of two. */
	return count & (count - 1) ? array : realloc(array, (count ? 2 * count : 1) * size);
}

/* --- sessions --- */

static int boot_of(struct joining *joining, const char *boot_id, unsigned int session,
		   unsigned int *ret_boot)
{
	void *boots;

	/* Without a name it is nobody else's. */
	for (unsigned int i = 0; *boot_id && i < joining->boot_count; i++)
		if (!strcmp(joining->boots[i], boot_id)) {
			*ret_boot = i;
			return 0;
		}
	boots = grow(joining->boots, joining->boot_count, sizeof(*joining->boots));
	if (!boots)
		return -ENOMEM;
	joining->boots = boots;
	(void)snprintf(joining->boots[joining->boot_count], sizeof(*joining->boots), "%s", boot_id);
	if (!*boot_id)
		(void)snprintf(joining->boots[joining->boot_count], sizeof(*joining->boots),
			       "session %u", session);
	*ret_boot = joining->boot_count++;
	return 0;
}

static int add_wall(struct join_session *session, uint64_t from_ns, int64_t offset_ns)
{
	void *walls =
		grow(session->walls, (unsigned int)session->wall_count, sizeof(*session->walls));

	if (!walls)
		return -ENOMEM;
	session->walls = walls;
	session->walls[session->wall_count++] = (struct join_wall){from_ns, offset_ns};
	return 0;
}

int64_t joining_wall_offset(const struct join_session *session, uint64_t time_ns)
{
	size_t low = 0, high = session->wall_count;

	/* The last that is not after it. */
	while (high - low > 1) {
		size_t middle = (low + high) / 2;

		if (session->walls[middle].from_ns <= time_ns)
			low = middle;
		else
			high = middle;
	}
	return session->walls[low].offset_ns;
}

/* A filter that the session was recorded with. */
static void take_filter(struct join_session *session, const char *name, const char *value)
{
	static const struct {
		const char *name;
		enum sw_filter kind;
	} kinds[] = {
		{"port", SW_FILTER_PORT},
		{"lport", SW_FILTER_LPORT},
		{"rport", SW_FILTER_RPORT},
		{"host", SW_FILTER_HOST},
	};
	char reason[256];

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strcmp(name, kinds[i].name)) {
			if (filter_add(&session->filter, kinds[i].kind, value, reason,
				       sizeof(reason)))
				session->by_owner = true;
			return;
		}
	if (!strcmp(name, "family"))
		session->filter.kinds |= (strchr(value, '4') ? SW_FILTER_V4 : 0) |
					 (strchr(value, '6') ? SW_FILTER_V6 : 0);
	else if (!strcmp(name, "role"))
		session->filter.kinds |= (strstr(value, "client") ? SW_FILTER_CLIENT : 0) |
					 (strstr(value, "server") ? SW_FILTER_SERVER : 0);
	else if (!strcmp(name, "netns"))
		session->by_netns = true;
	else
		/* Who listens is not known of a SYN that left no record. */
		session->by_owner = true;
}

static int for_each_of(struct join_capture *capture, const char *sql, int64_t first, int64_t second,
		       int (*take)(void *ctx, sqlite3_stmt *row), void *ctx)
{
	sqlite3_stmt *statement;
	int err = database_prepare(capture->db, sql, &statement), code = SQLITE_DONE;

	if (err)
		return err;
	if (sqlite3_bind_parameter_count(statement) > 0)
		(void)sqlite3_bind_int64(statement, 1, first);
	if (sqlite3_bind_parameter_count(statement) > 1)
		(void)sqlite3_bind_int64(statement, 2, second);
	while (!err && (code = sqlite3_step(statement)) == SQLITE_ROW)
		err = take(ctx, statement);
	if (!err)
		err = database_error(capture->db, code);
	(void)sqlite3_finalize(statement);
	return err;
}

static const char *text(sqlite3_stmt *row, int column)
{
	const unsigned char *value = sqlite3_column_text(row, column);

	return value ? (const char *)value : "";
}

static int on_filter(void *ctx, sqlite3_stmt *row)
{
	struct join_session *session = ctx;

	take_filter(session, text(row, 0), text(row, 1));
	return session_add_filter(session->told, text(row, 0), text(row, 1));
}

static int on_hook(void *ctx, sqlite3_stmt *row)
{
	struct join_session *session = ctx;

	(void)session_add_hook(session->told, text(row, 0), text(row, 1));
	for (size_t i = 0; i < ARRAY_SIZE(needed_hooks) && *text(row, 1); i++)
		if (!strcmp(text(row, 0), needed_hooks[i]))
			(void)snprintf(session->blind, sizeof(session->blind), "%s",
				       needed_hooks[i]);
	return 0;
}

struct addresses_of {
	unsigned int session;
	sqlite3_stmt *insert;
};

static int on_address(void *ctx, sqlite3_stmt *row)
{
	const struct addresses_of *of = ctx;

	(void)sqlite3_bind_int64(of->insert, 1, of->session);
	(void)sqlite3_bind_value(of->insert, 2, sqlite3_column_value(row, 0));
	(void)sqlite3_bind_value(of->insert, 3, sqlite3_column_value(row, 1));
	return database_run(of->insert);
}

/* Captures made before there was such a table are read, too. */
static int take_addresses(struct joining *joining, struct join_capture *capture,
			  const struct join_session *session)
{
	struct addresses_of of = {.session = (unsigned int)(session - joining->sessions)};
	int64_t has_table;
	int err = database_number(capture->db,
				  "SELECT count(*) FROM sqlite_master WHERE type = 'table'"
				  " AND name = 'session_address'",
				  &has_table);

	if (err || !has_table)
		return err;
	err = database_prepare(joining->db, "INSERT OR IGNORE INTO address VALUES (?, ?, ?)",
			       &of.insert);
	if (!err)
		err = for_each_of(capture,
				  "SELECT addr, netns FROM session_address WHERE session = ?",
				  session->id, 0, on_address, &of);
	(void)sqlite3_finalize(of.insert);
	return err;
}

_Static_assert(SW_CLOCK == 14 && SW_NAME == 15, "of find_cover()'s query");

/* The oldest record that pruning would have taken before any later one, and whether all
 * that came before is there. */
static int on_oldest(void *ctx, sqlite3_stmt *row)
{
	struct join_session *session = ctx;

	session->cover_ns = sqlite3_column_int64(row, 1) ? (uint64_t)sqlite3_column_int64(row, 0)
							 : session->start_ns;
	return 0;
}

/* Nothing is left but what is never pruned: is that all there was? */
static int on_rest(void *ctx, sqlite3_stmt *row)
{
	struct join_session *session = ctx;

	session->cover_ns = sqlite3_column_int64(row, 0) ? session->end_ns : session->start_ns;
	return 0;
}

/* Not before it is known. */
#define COVER_UNKNOWN UINT64_MAX

static int find_cover(struct join_capture *capture, struct join_session *session, int64_t first_seq,
		      int64_t last_seq)
{
	int err;

	session->cover_ns = COVER_UNKNOWN;
	err = for_each_of(
		capture,
		"SELECT time_ns, (SELECT count(*) FROM record WHERE seq >= ?1 AND seq < r.seq)"
		" <> r.seq - ?1 FROM record r LEFT JOIN handshake h ON h.id = r.handshake"
		" WHERE r.seq BETWEEN ?1 AND ?2 AND r.kind NOT IN (14, 15)"
		" AND coalesce(h.ended, 1) ORDER BY r.seq LIMIT 1",
		first_seq, last_seq, on_oldest, session);
	if (err || session->cover_ns != COVER_UNKNOWN)
		return err;
	return for_each_of(capture,
			   "SELECT count(*) < ?2 - ?1 + 1 FROM record WHERE seq BETWEEN ?1 AND ?2",
			   first_seq, last_seq, on_rest, session);
}

struct importing {
	struct joining *joining;
	unsigned int capture;
	unsigned int first_session; /* of this capture */
	sqlite3_stmt *insert, *noise;
	uint64_t done;
};

/* The session of this capture with that id. */
static struct join_session *session_of(const struct importing *importing, int64_t id)
{
	struct joining *joining = importing->joining;

	for (unsigned int i = joining->session_count; i-- > importing->first_session;)
		if (joining->sessions[i].id == id)
			return &joining->sessions[i];
	return NULL;
}

static int fill_session(struct importing *importing, struct join_session *session,
			sqlite3_stmt *row)
{
	struct session *told = calloc(1, sizeof(*told));

	session->capture = importing->capture;
	session->id = sqlite3_column_int64(row, 0);
	session->start_ns = (uint64_t)sqlite3_column_int64(row, 3);
	session->end_ns = (uint64_t)sqlite3_column_int64(row, 4);
	session->all = sqlite3_column_int(row, 6);
	session->stall_after_ns = (uint64_t)sqlite3_column_int64(row, 7);
	session->told = told;
	session->host = strdup(text(row, 1));
	session->terms = terms_new();
	if (!told || !session->host || !session->terms)
		return -ENOMEM;
	(void)snprintf(told->host, sizeof(told->host), "%s", session->host);
	(void)snprintf(told->boot_id, sizeof(told->boot_id), "%s", text(row, 2));
	(void)snprintf(told->version, sizeof(told->version), "%s", text(row, 10));
	(void)snprintf(told->kernel, sizeof(told->kernel), "%s", text(row, 11));
	(void)snprintf(told->capture, sizeof(told->capture), "%s",
		       importing->joining->captures[importing->capture].path);
	told->start_ns = session->start_ns;
	told->wall_offset_ns = sqlite3_column_int64(row, 5);
	if (session->end_ns > INT64_MAX || session->start_ns > session->end_ns)
		return -EBADMSG;
	return add_wall(session, 0, told->wall_offset_ns);
}

static int on_session(void *ctx, sqlite3_stmt *row)
{
	struct importing *importing = ctx;
	struct joining *joining = importing->joining;
	struct join_capture *capture = &joining->captures[importing->capture];
	struct join_session *session;
	void *sessions = grow(joining->sessions, joining->session_count, sizeof(*session));
	int err;

	if (!sessions)
		return -ENOMEM;
	joining->sessions = sessions;
	session = &joining->sessions[joining->session_count++];
	memset(session, 0, sizeof(*session));
	err = fill_session(importing, session, row);
	if (!err)
		err = boot_of(joining, text(row, 2), joining->session_count, &session->boot);
	if (!err)
		err = for_each_of(capture,
				  "SELECT name, value FROM session_filter WHERE session = ?"
				  " ORDER BY rowid",
				  session->id, 0, on_filter, session);
	if (!err)
		err = for_each_of(capture,
				  "SELECT name, why_not FROM session_hook WHERE session = ?"
				  " ORDER BY rowid",
				  session->id, 0, on_hook, session);
	if (!err)
		err = take_addresses(joining, capture, session);
	return err ? err
		   : find_cover(capture, session, sqlite3_column_int64(row, 8),
				sqlite3_column_int64(row, 9));
}

/* --- records that are of no handshake --- */

static int add_noise(struct importing *importing, const struct join_session *session, int kind,
		     uint64_t begin_ns, uint64_t end_ns, const struct sw_tuple *tuple)
{
	sqlite3_stmt *noise = importing->noise;

	(void)sqlite3_bind_int64(noise, 1, session - importing->joining->sessions);
	(void)sqlite3_bind_int(noise, 2, kind);
	(void)sqlite3_bind_int64(noise, 3, (int64_t)begin_ns);
	(void)sqlite3_bind_int64(noise, 4, (int64_t)end_ns);
	(void)sqlite3_bind_int(noise, 5, tuple ? tuple->lport : 0);
	(void)sqlite3_bind_int64(noise, 6, tuple ? tuple->netns : 0);
	return database_run(noise);
}

/* User side's counts are taken once a second: what they count came before. */
#define COUNTED_NS 2000000000ULL

static int take_loss(struct importing *importing, const struct join_session *session,
		     const struct sw_loss *loss)
{
	const struct report_loss counts = {
		.ring = loss->ring,
		.map_full = loss->map_full,
		.suppressed = loss->suppressed,
		.missed = loss->missed,
	};
	uint64_t time_ns = loss->header.time_ns;

	stats_loss(importing->joining->options->stats, &counts);
	if (!loss->ring && !loss->map_full && !loss->suppressed && !loss->missed)
		return 0;
	return add_noise(importing, session, 1, time_ns > COUNTED_NS ? time_ns - COUNTED_NS : 0,
			 time_ns, NULL);
}

static int take_crowd(struct importing *importing, const struct join_session *session,
		      const struct sw_crowd *crowd)
{
	const struct report_crowd told = crowd_report(crowd, session->terms);
	int err = 0;

	stats_crowd(importing->joining->options->stats, &told);
	if (crowd->half_open || crowd->dropped || crowd->ignored)
		err = add_noise(importing, session, 2, crowd->begin_ns, crowd->header.time_ns,
				&crowd->tuple);
	if (!err && crowd->flags & SW_F_COOKIES)
		err = add_noise(importing, session, 3, crowd->begin_ns, crowd->header.time_ns,
				&crowd->tuple);
	return err;
}

static int on_bookkeeping(void *ctx, sqlite3_stmt *row)
{
	struct importing *importing = ctx;
	struct join_session *session = session_of(importing, sqlite3_column_int64(row, 0));
	union decode_record record;
	const void *body = sqlite3_column_blob(row, 1);
	int size = sqlite3_column_bytes(row, 1);

	if (!session || !body || size <= 0 || decode(body, (size_t)size, &record))
		return 0;
	switch (record.header.kind) {
	case SW_LOSS:
		return take_loss(importing, session, &record.loss);
	case SW_CROWD:
		return take_crowd(importing, session, &record.crowd);
	case SW_COUNTS:
		stats_counts(importing->joining->options->stats, &record.counts);
		return 0;
	case SW_CLOCK:
		return add_wall(session, record.header.time_ns, record.clock.offset_ns);
	case SW_NAME:
		terms_learn(session->terms, &record.name);
		return 0;
	default:
		return 0;
	}
}

/* --- handshakes --- */

static enum join_state state_of(const char *word)
{
	if (!strcmp(word, "established"))
		return JOIN_ESTABLISHED;
	return !strcmp(word, "dropped") ? JOIN_DROPPED : JOIN_OTHER;
}

static int on_handshake(void *ctx, sqlite3_stmt *row)
{
	struct importing *importing = ctx;
	struct joining *joining = importing->joining;
	struct join_session *session = session_of(importing, sqlite3_column_int64(row, 1));
	sqlite3_stmt *insert = importing->insert;
	bool server = *text(row, 2) == 's';
	int64_t start_ns = sqlite3_column_int64(row, 3);
	int64_t length_us = sqlite3_column_int64(row, 5) - sqlite3_column_int64(row, 4);

	if (!session)
		return 0;
	*(server ? &session->servers : &session->clients) += 1;
	(void)sqlite3_bind_int64(insert, 1, session - joining->sessions);
	(void)sqlite3_bind_int64(insert, 2, sqlite3_column_int64(row, 0));
	(void)sqlite3_bind_int(insert, 3, server);
	(void)sqlite3_bind_int64(insert, 4, session->boot);
	(void)sqlite3_bind_int64(insert, 5, start_ns);
	/* Both are wall time, by the same offset unless the clock stepped in between. */
	(void)sqlite3_bind_int64(insert, 6, start_ns + (length_us > 0 ? length_us * 1000 : 0));
	for (int column = 0; column < 9; column++)
		(void)sqlite3_bind_value(insert, 7 + column, sqlite3_column_value(row, 6 + column));
	(void)sqlite3_bind_int(insert, 9, (int)state_of(text(row, 8)));
	if (!(++importing->done % PROGRESS_EVERY))
		joining->events->progress(joining->events->ctx, "reading", importing->done, 0);
	return database_run(insert);
}

static int import_rows(struct importing *importing)
{
	struct join_capture *capture = &importing->joining->captures[importing->capture];
	int err = for_each_of(capture,
			      "SELECT id, host, boot_id, start_ns, end_ns, wall_offset_ns,"
			      " streams_all, stall_after_ns, first_seq, last_seq, version,"
			      " kernel FROM session"
			      " ORDER BY id",
			      0, 0, on_session, importing);

	if (!err)
		err = for_each_of(capture,
				  "SELECT session, body FROM record WHERE handshake IS NULL"
				  " ORDER BY seq",
				  0, 0, on_bookkeeping, importing);
	if (!err)
		err = for_each_of(capture,
				  "SELECT id, session, role, start_ns, start_us, last_us, isn,"
				  " family, state, retransmits, lport, rport, laddr, raddr, netns"
				  " FROM handshake ORDER BY id",
				  0, 0, on_handshake, importing);
	return err;
}

static int import_capture(struct joining *joining, unsigned int number, struct importing *importing)
{
	struct join_capture *capture = &joining->captures[number];
	const char *slash;
	int err;

	capture->path = joining->options->paths[number];
	slash = strrchr(capture->path, '/');
	capture->name = slash ? slash + 1 : capture->path;
	joining->capture_count = number + 1;
	importing->capture = number;
	importing->first_session = joining->session_count;
	err = readonly_open(capture->path, &capture->db);
	if (!err)
		err = import_rows(importing);
	if (!err)
		err = database_prepare(capture->db,
				       "SELECT body FROM record WHERE handshake = ? ORDER BY seq",
				       &capture->records);
	if (err)
		log_error("cannot join %s: %s", capture->path, database_explain(err));
	return err;
}

int join_import(struct joining *joining)
{
	struct importing importing = {.joining = joining};
	int err = database_error(NULL,
				 sqlite3_open_v2("", &joining->db,
						 SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL));

	joining->captures = calloc(joining->options->path_count, sizeof(*joining->captures));
	if (!err)
		err = joining->captures ? database_exec(joining->db, schema) : -ENOMEM;
	if (!err)
		err = database_prepare(
			joining->db,
			"INSERT INTO hs (session, id, role, boot, start, end, isn, family, state,"
			" retransmits, lport, rport, laddr, raddr, netns)"
			" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
			&importing.insert);
	if (!err)
		err = database_prepare(joining->db, "INSERT INTO noise VALUES (?, ?, ?, ?, ?, ?)",
				       &importing.noise);
	if (err)
		log_error("cannot join: the temporary database: %s", database_explain(err));
	for (unsigned int i = 0; i < joining->options->path_count && !err; i++)
		err = import_capture(joining, i, &importing);
	(void)sqlite3_finalize(importing.insert);
	(void)sqlite3_finalize(importing.noise);
	if (err)
		return err;
	joining->events->progress(joining->events->ctx, "sorting", importing.done, 0);
	err = database_exec(joining->db, indexes);
	if (err)
		log_error("cannot join: the temporary database: %s", database_explain(err));
	return err;
}
