/* SPDX-License-Identifier: GPL-2.0-only */
#include "store/prune.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <linux/types.h>

#include "store/database.h"
#include "synwatch/record.h"

#define TEXT(value)  TEXT_(value)
#define TEXT_(value) #value

/* Rows deleted between two looks at how much is free. */
#define RUN_MAX	  64
#define RUN_MAX_1 63
/* Handshakes, likewise, one by one. */
#define LOOK_EVERY 8

#define BOOKKEEPING "FROM record WHERE handshake IS NULL AND "
/* Of the records with no handshake a name is needed for as long as there may be a
 * later one that uses it, and so is the newest of the clock's. */
#define PASSING "kind <> ?2"

enum statement {
	PAGES,
	FREE,
	OLDEST_HANDSHAKE,
	OLDEST_ROW,
	NEXT_ROW,
	NEWEST_ROW,
	YOUNG_ROW,
	AGED_HANDSHAKE,
	DELETE_RECORDS,
	DELETE_HANDSHAKES,
	DELETE_ROWS,
	DELETE_COUNTS,
	STATEMENTS,
};

static const char *const sql[STATEMENTS] = {
	[PAGES] = "PRAGMA page_count",
	[FREE] = "PRAGMA freelist_count",
	[OLDEST_HANDSHAKE] = "SELECT id FROM handshake WHERE id > ?1 ORDER BY id LIMIT 1",
	[OLDEST_ROW] = "SELECT seq " BOOKKEEPING "seq > ?1 AND " PASSING " ORDER BY seq LIMIT 1",
	[NEXT_ROW] = "SELECT seq " BOOKKEEPING "seq > ?1 AND " PASSING
		     " ORDER BY seq LIMIT 1 OFFSET " TEXT(RUN_MAX_1),
	[NEWEST_ROW] = "SELECT max(seq) FROM record",
	[YOUNG_ROW] = "SELECT seq FROM record r JOIN session s ON s.id = r.session WHERE"
		      " handshake IS NULL AND seq > ?1 AND " PASSING
		      " AND time_ns + wall_offset_ns >= ?3 ORDER BY seq LIMIT 1",
	[AGED_HANDSHAKE] = "SELECT id, last_us < ?2, start_us >= ?2 FROM handshake WHERE id > ?1"
			   " ORDER BY id LIMIT 1",
	[DELETE_RECORDS] = "DELETE FROM record WHERE handshake BETWEEN ?1 AND ?2",
	[DELETE_HANDSHAKES] = "DELETE FROM handshake WHERE id BETWEEN ?1 AND ?2",
	[DELETE_ROWS] = "DELETE " BOOKKEEPING "seq < ?1 AND " PASSING
			" AND (kind <> ?3 OR seq < (SELECT max(seq) " BOOKKEEPING
			"seq < ?1 AND kind = ?3))",
	[DELETE_COUNTS] = "DELETE FROM counts WHERE seq < ?1",
};

struct prune {
	sqlite3 *db;
	struct actives *actives;
	int64_t session;
	int64_t rows_done; /* of those without a handshake, up to this seq */
	int64_t passed;	   /* handshakes up to this id are gone or still under way */
	int64_t given_up;  /* of those, the last that had to go all the same */
	bool deleted;	   /* anything, in this call */
	sqlite3_stmt *statements[STATEMENTS];
};

int prune_new(sqlite3 *db, struct actives *actives, int64_t session, struct prune **ret_prune)
{
	struct prune *prune = calloc(1, sizeof(*prune));
	int err = 0;

	if (!prune)
		return -ENOMEM;
	prune->db = db;
	prune->actives = actives;
	prune->session = session;
	for (int i = 0; i < STATEMENTS && !err; i++)
		err = database_prepare(db, sql[i], &prune->statements[i]);
	if (err)
		prune_free(prune);
	else
		*ret_prune = prune;
	return err;
}

struct prune *prune_free(struct prune *prune)
{
	if (!prune)
		return NULL;
	for (int i = 0; i < STATEMENTS; i++)
		(void)sqlite3_finalize(prune->statements[i]);
	free(prune);
	return NULL;
}

static sqlite3_stmt *bind(struct prune *prune, enum statement which, int64_t first, int64_t second,
			  int64_t third)
{
	sqlite3_stmt *statement = prune->statements[which];

	/* Those that it does not have are out of range, which does no harm. */
	(void)sqlite3_bind_int64(statement, 1, first);
	(void)sqlite3_bind_int64(statement, 2, second);
	(void)sqlite3_bind_int64(statement, 3, third);
	return statement;
}

/* The columns of the first row, 0 each if there is none. */
static int ask(sqlite3_stmt *statement, int columns, int64_t *ret_numbers)
{
	int code = sqlite3_step(statement);
	int err = database_error(sqlite3_db_handle(statement), code);

	for (int i = 0; i < columns && !err; i++)
		ret_numbers[i] = code == SQLITE_ROW ? sqlite3_column_int64(statement, i) : 0;
	(void)sqlite3_reset(statement);
	return err;
}

/* The next number of a table, 0 if there is none. That it is higher holds of a sound
 * file only; in a damaged one the search might go in a circle. */
static int ask_next(struct prune *prune, enum statement which, int64_t after, int64_t *ret_number)
{
	int err = ask(bind(prune, which, after, SW_NAME, 0), 1, ret_number);

	return !err && *ret_number && *ret_number <= after ? -EBADMSG : err;
}

static int run(struct prune *prune, enum statement which, int64_t first, int64_t second,
	       int64_t third)
{
	prune->deleted = true;
	return database_run(bind(prune, which, first, second, third));
}

static bool is_under_way(const struct prune *prune, int64_t id)
{
	const struct active *active = actives_find_row(prune->actives, id);

	return active && !active->ended;
}

static int delete_handshakes(struct prune *prune, int64_t first, int64_t last)
{
	int err = run(prune, DELETE_RECORDS, first, last, 0);

	return err ? err : run(prune, DELETE_HANDSHAKES, first, last, 0);
}

/* What is still to come about it is to go the same way. */
static int drop_handshake(struct prune *prune, int64_t id)
{
	struct active *active = actives_find_row(prune->actives, id);

	if (active)
		actives_drop(prune->actives, active);
	return delete_handshakes(prune, id, id);
}

/* Up to before, which is more than what is done already. 0: all that there are. */
static int delete_rows(struct prune *prune, int64_t before)
{
	int err = 0;

	if (!before) {
		err = ask(prune->statements[NEWEST_ROW], 1, &before);
		if (!err && before < INT64_MAX)
			before++;
	}
	if (!err && before <= prune->rows_done + 1)
		err = -EBADMSG;
	if (!err)
		err = run(prune, DELETE_ROWS, before, SW_NAME, SW_CLOCK);
	if (!err)
		err = run(prune, DELETE_COUNTS, before, 0, 0);
	if (!err)
		prune->rows_done = before - 1;
	return err;
}

/* The next handshake that is not under way, 0 if there is none. */
static int next_ended(struct prune *prune, int64_t after, int64_t *ret_id)
{
	int err;

	do {
		err = ask_next(prune, OLDEST_HANDSHAKE, after, ret_id);
		after = *ret_id;
	} while (!err && *ret_id && is_under_way(prune, *ret_id));
	return err;
}

/* The handshakes from id on, as many as follow each other without one that is under
 * way, and are older than the bookkeeping from `limit` on (0: there is none). */
static int delete_run(struct prune *prune, int64_t id, int64_t limit)
{
	int64_t last = id, next;
	int err = 0;

	for (int count = 1; count < RUN_MAX; count++) {
		err = ask_next(prune, OLDEST_HANDSHAKE, last, &next);
		if (err || !next || (limit && next > limit) || is_under_way(prune, next))
			break;
		last = next;
	}
	if (!err)
		err = delete_handshakes(prune, id, last);
	prune->passed = last;
	return err;
}

/* A run of what came without a handshake, and before the handshake `limit` (0: there
 * is none). */
static int delete_row_run(struct prune *prune, int64_t limit)
{
	int64_t next;
	int err = ask_next(prune, NEXT_ROW, prune->rows_done, &next);

	if (err)
		return err;
	return delete_rows(prune, !next || (limit && next > limit) ? limit : next);
}

/* Deletes some of what is oldest. *ret_done: there is nothing left. */
static int step(struct prune *prune, bool *ret_done)
{
	int64_t handshake, row;
	int err = next_ended(prune, prune->passed, &handshake);

	if (!err)
		err = ask_next(prune, OLDEST_ROW, prune->rows_done, &row);
	if (err)
		return err;
	if (row && (!handshake || row < handshake))
		return delete_row_run(prune, handshake);
	if (handshake)
		return delete_run(prune, handshake, row);
	err = ask_next(prune, OLDEST_HANDSHAKE, prune->given_up, &handshake);
	*ret_done = !handshake;
	prune->given_up = handshake;
	return err || !handshake ? err : drop_handshake(prune, handshake);
}

/* The oldest session but this one, if nothing is left of it but names and the time. */
static int delete_session(struct prune *prune)
{
	static const char *const tables[] = {"record", "counts", "session_filter", "session_hook",
					     "session_address"};
	char text[512];
	int64_t id;
	int err;

	(void)snprintf(text, sizeof(text),
		       "SELECT id FROM session s WHERE id <> %lld AND NOT EXISTS (SELECT 1 FROM"
		       " handshake WHERE id <= s.last_seq) AND NOT EXISTS (SELECT 1 " BOOKKEEPING
		       "seq <= s.last_seq AND kind NOT IN (%d, %d)) ORDER BY id LIMIT 1",
		       (long long)prune->session, SW_NAME, SW_CLOCK);
	err = database_number(prune->db, text, &id);
	if (err || !id)
		return err;
	for (size_t i = 0; i < sizeof(tables) / sizeof(*tables) && !err; i++) {
		(void)snprintf(text, sizeof(text), "DELETE FROM %s WHERE session = %lld", tables[i],
			       (long long)id);
		err = database_exec(prune->db, text);
	}
	(void)snprintf(text, sizeof(text), "DELETE FROM session WHERE id = %lld", (long long)id);
	return err ? err : database_exec(prune->db, text);
}

static int pages(struct prune *prune, int64_t *ret_all, int64_t *ret_free)
{
	int err = ask(prune->statements[PAGES], 1, ret_all);

	return err ? err : ask(prune->statements[FREE], 1, ret_free);
}

static int finish(struct prune *prune, int err)
{
	if (!err && prune->deleted)
		err = delete_session(prune);
	prune->deleted = false;
	return err;
}

/* A file from times of a larger limit gives its free pages back. */
static int shrink(struct prune *prune, int64_t max_pages, int64_t most)
{
	int64_t all, unused;
	char text[64];
	int err = pages(prune, &all, &unused);

	if (err || all <= max_pages || !unused)
		return err;
	if (most > all - max_pages)
		most = all - max_pages;
	(void)snprintf(text, sizeof(text), "PRAGMA incremental_vacuum(%lld)", (long long)most);
	return database_exec(prune->db, text);
}

int prune_to_size(struct prune *prune, int64_t max_pages, int64_t needed, int64_t most)
{
	int64_t all, unused, first = -1;
	bool done = false;
	int err;

	/* Those that have ended since the last call are before those passed then. */
	prune->passed = prune->given_up = 0;
	while (!(err = pages(prune, &all, &unused)) && !done) {
		if (first < 0)
			first = unused;
		if (max_pages - all + unused >= needed || unused - first >= most)
			break;
		err = step(prune, &done);
		if (err)
			break;
	}
	if (!err)
		err = shrink(prune, max_pages, most);
	return finish(prune, err);
}

/* Handshakes begin in the order of their ids, about: one that began after the limit
 * ends the search, for what follows is younger still. */
static int age_handshakes(struct prune *prune, int64_t oldest_us, int64_t most, bool *ret_more)
{
	int64_t id = 0, all, unused, first;
	int err = pages(prune, &all, &first);

	for (unsigned int count = 1; !err; count++) {
		int64_t columns[3];

		err = ask(bind(prune, AGED_HANDSHAKE, id, oldest_us, 0), 3, columns);
		if (err || !columns[0] || columns[2])
			break;
		if (columns[0] <= id)
			err = -EBADMSG;
		id = columns[0];
		if (!err && columns[1])
			err = drop_handshake(prune, id);
		if (err || count % LOOK_EVERY)
			continue;
		err = pages(prune, &all, &unused);
		if (!err && unused - first >= most) {
			*ret_more = true;
			break;
		}
	}
	return err;
}

/* Runs of the other rows, up to the first that is young enough. */
static int age_rows(struct prune *prune, int64_t oldest_ns, int64_t most, bool *ret_more)
{
	int64_t young, next, all, unused, first;
	int err = pages(prune, &all, &first);

	if (!err)
		err = ask(bind(prune, YOUNG_ROW, prune->rows_done, SW_NAME, oldest_ns), 1, &young);
	while (!err) {
		err = ask_next(prune, OLDEST_ROW, prune->rows_done, &next);
		if (err || !next || (young && next >= young))
			break;
		err = delete_row_run(prune, young);
		if (!err)
			err = pages(prune, &all, &unused);
		if (!err && unused - first >= most) {
			*ret_more = true;
			break;
		}
	}
	return err;
}

int prune_to_age(struct prune *prune, int64_t oldest_ns, int64_t most, bool *ret_more)
{
	int err;

	*ret_more = false;
	err = age_handshakes(prune, oldest_ns / 1000, most, ret_more);
	if (!err)
		err = age_rows(prune, oldest_ns, most, ret_more);
	return finish(prune, err);
}
