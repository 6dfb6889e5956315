/* SPDX-License-Identifier: GPL-2.0-only */
#include "store/database.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define TEXT(value)  TEXT_(value)
#define TEXT_(value) #value

/* Microseconds since the epoch, for people. */
#define WALL(us) "strftime('%Y-%m-%d %H:%M:%f', " us " / 1000000.0, 'unixepoch')"

/* "10.0.0.1:80", "[fd00::1]:80"; without a port the address alone. */
#define ENDPOINT(addr, port)                                                                   \
	"CASE WHEN " port " IS NULL THEN " addr " WHEN instr(" addr ", ':') THEN '[' || " addr \
	" || ']:' || " port " ELSE " addr " || ':' || " port " END"

/*
 * seq counts records through all sessions, in the order in which they came; a handshake
 * has the seq of its first record for an id. So both are one line of time, and what is
 * old has a low number.
 */
static const char schema[] =
	"CREATE TABLE session (\n"
	"  id INTEGER PRIMARY KEY, version TEXT NOT NULL, host TEXT NOT NULL,\n"
	"  kernel TEXT NOT NULL, boot_id TEXT NOT NULL, start_ns INTEGER NOT NULL,\n"
	"  end_ns INTEGER NOT NULL, wall_offset_ns INTEGER NOT NULL, ended INTEGER NOT NULL,\n"
	"  streams_all INTEGER NOT NULL, stall_after_ns INTEGER NOT NULL, abi INTEGER NOT NULL,\n"
	"  first_seq INTEGER NOT NULL, last_seq INTEGER NOT NULL);\n"
	"CREATE TABLE session_filter (\n"
	"  session INTEGER NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL);\n"
	"CREATE TABLE session_hook (\n"
	"  session INTEGER NOT NULL, name TEXT NOT NULL, why_not TEXT);\n"
	"CREATE TABLE session_address (\n"
	"  session INTEGER NOT NULL, addr TEXT NOT NULL, netns INTEGER NOT NULL);\n"
	"CREATE TABLE handshake (\n"
	"  id INTEGER PRIMARY KEY, session INTEGER NOT NULL, role TEXT NOT NULL,\n"
	"  cookie INTEGER NOT NULL, start_ns INTEGER NOT NULL, start_us INTEGER NOT NULL,\n"
	"  last_us INTEGER NOT NULL, records INTEGER NOT NULL, last TEXT NOT NULL,\n"
	"  state TEXT NOT NULL, ended INTEGER NOT NULL, retransmits INTEGER NOT NULL,\n"
	"  error TEXT, drop_reason TEXT, drop_place TEXT, family INTEGER NOT NULL,\n"
	"  laddr TEXT, lport INTEGER, raddr TEXT, rport INTEGER, port INTEGER, netns INTEGER,\n"
	"  isn INTEGER, pid INTEGER, tid INTEGER, uid INTEGER, comm TEXT, cgroup INTEGER);\n"
	"CREATE INDEX handshake_time ON handshake (start_us);\n"
	"CREATE INDEX handshake_remote ON handshake (raddr, rport);\n"
	"CREATE INDEX handshake_port ON handshake (port);\n"
	"CREATE TABLE record (\n"
	"  seq INTEGER PRIMARY KEY, session INTEGER NOT NULL, handshake INTEGER,\n"
	"  time_ns INTEGER NOT NULL, advance_ns INTEGER, kind INTEGER NOT NULL,\n"
	"  body BLOB NOT NULL);\n"
	"CREATE INDEX record_handshake ON record (handshake);\n"
	"CREATE TABLE counts (\n"
	"  seq INTEGER PRIMARY KEY, session INTEGER NOT NULL, time_us INTEGER NOT NULL,\n"
	"  healthy INTEGER NOT NULL, latency_us TEXT NOT NULL, accepted INTEGER NOT NULL,\n"
	"  syn_retransmits INTEGER NOT NULL, synack_retransmits INTEGER NOT NULL,\n"
	"  listen_drops INTEGER NOT NULL);\n"
	/* Only the view of people: replaying does not need it. By itself clang-format makes
	 * one column of text with macros in it. */
	/* clang-format off */
	"CREATE VIEW handshakes AS SELECT h.id, h.session,\n"
	"  " WALL("h.start_us") " AS started,\n"
	"  " WALL("h.last_us") " AS last_seen,\n"
	"  round((h.last_us - h.start_us) / 1000000.0, 3) AS seconds, h.role, h.state,\n"
	"  " ENDPOINT("h.laddr", "h.lport") " AS local,\n"
	"  " ENDPOINT("h.raddr", "h.rport") " AS remote, h.retransmits, h.error,\n"
	"  h.drop_reason, h.drop_place, h.comm, h.pid, h.uid, h.netns, h.family, h.laddr,\n"
	"  h.lport, h.raddr, h.rport, h.port, h.records, h.ended, s.host\n"
	"  FROM handshake h JOIN session s ON s.id = h.session;\n"
	"CREATE VIEW sessions AS SELECT id,\n"
	"  " WALL("(start_ns + wall_offset_ns) / 1000") " AS started,\n"
	"  " WALL("(end_ns + wall_offset_ns) / 1000") " AS last_seen, ended, version, host,\n"
	"  kernel, boot_id, (SELECT group_concat(name || '=' || value, ' ')\n"
	"  FROM session_filter f WHERE f.session = s.id) AS filters FROM session s;\n"
	"PRAGMA application_id = " TEXT(DATABASE_APPLICATION_ID) ";\n"
	"PRAGMA user_version = " TEXT(DATABASE_SCHEMA) ";\n";
/* clang-format on */

/* What must be there, as tables, before anything is believed. */
static const char *const tables =
	"SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name IN "
	"('session', 'session_filter', 'session_hook', 'handshake', 'record', 'counts')";
#define TABLES 6

int database_error(sqlite3 *db, int code)
{
	int system = db ? sqlite3_system_errno(db) : 0;

	switch (code & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return -EACCES;
	case SQLITE_NOTADB:
		return -EMEDIUMTYPE;
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
		return system ? -system : -EIO;
	default:
		/* CORRUPT; a column or table that is missing is damage, too. */
		return -EBADMSG;
	}
}

const char *database_explain(int err)
{
	switch (-err) {
	case EBADMSG:
		return "it is damaged";
	case ENODATA:
		return "it is empty";
	case EMEDIUMTYPE:
		return "it is not a capture of synwatch";
	case EPROTONOSUPPORT:
		return "it was written by a newer synwatch";
	case EPROTO:
		return "its records are of another version of synwatch, which can read them";
	case EBUSY:
		return "somebody else keeps it locked";
	case EROFS:
		return "it cannot be written";
	case ESTALE:
		return "it was removed or replaced";
	default:
		return strerror(-err);
	}
}

int database_exec(sqlite3 *db, const char *sql)
{
	return database_error(db, sqlite3_exec(db, sql, NULL, NULL, NULL));
}

int database_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret_statement)
{
	return database_error(db, sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT,
						     ret_statement, NULL));
}

int database_run(sqlite3_stmt *statement)
{
	int code = sqlite3_step(statement);
	int err = database_error(sqlite3_db_handle(statement), code);

	(void)sqlite3_reset(statement);
	return err;
}

int database_number(sqlite3 *db, const char *sql, int64_t *ret_number)
{
	sqlite3_stmt *statement = NULL;
	int err = database_error(db, sqlite3_prepare_v2(db, sql, -1, &statement, NULL));
	int code;

	if (err)
		return err;
	code = sqlite3_step(statement);
	err = database_error(db, code);
	if (!err)
		*ret_number = code == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
	(void)sqlite3_finalize(statement);
	return err;
}

int database_create(sqlite3 *db)
{
	int err = database_exec(db, "BEGIN IMMEDIATE");

	if (err)
		return err;
	err = database_exec(db, schema);
	if (!err)
		err = database_exec(db, "COMMIT");
	if (err)
		(void)database_exec(db, "ROLLBACK");
	return err;
}

int database_check(sqlite3 *db)
{
	int64_t application, version, count;
	int err = database_number(db, "PRAGMA application_id", &application);

	if (!err)
		err = database_number(db, "PRAGMA user_version", &version);
	if (!err)
		err = database_number(db, "SELECT count(*) FROM sqlite_master", &count);
	if (err)
		return err;
	if (!count && !application)
		return -ENODATA;
	if (application != DATABASE_APPLICATION_ID)
		return -EMEDIUMTYPE;
	if (version > DATABASE_SCHEMA)
		return -EPROTONOSUPPORT;
	err = database_number(db, tables, &count);
	if (err)
		return err;
	return version == DATABASE_SCHEMA && count == TABLES ? 0 : -EBADMSG;
}
