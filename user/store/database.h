/* SPDX-License-Identifier: GPL-2.0-only */
/* What the writer and the reader of captures need of SQLite. */
#ifndef SYNWATCH_STORE_DATABASE_H
#define SYNWATCH_STORE_DATABASE_H

#include <stdint.h>

#include <sqlite3.h>

/* "SYNW", at offset 68 of the file: see file(1). */
#define DATABASE_APPLICATION_ID 0x53594e57

/* Raised with every change of a table or a view that a reader could notice. */
#define DATABASE_SCHEMA 1

/* All return 0 or a negative errno: -ENOSPC, -EROFS, -EBUSY, -EBADMSG (damaged),
 * -EIO ..., what the system said where it is known. */
int database_error(sqlite3 *db, int code);
int database_exec(sqlite3 *db, const char *sql);
int database_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret_statement);

/* Runs a prepared statement that returns no row, and makes it ready again. */
int database_run(sqlite3_stmt *statement);

/* The first column of the first row of a query; 0 if it is NULL or there is no row. */
int database_number(sqlite3 *db, const char *sql, int64_t *ret_number);

/* What an error means for a file, for people: "it is damaged". */
const char *database_explain(int err);

/* Tables, indexes and views into an empty database, and what marks it as a capture. */
int database_create(sqlite3 *db);

/* Whether it is a capture that this version understands. Returns 0, -ENODATA (an empty
 * database), -EMEDIUMTYPE (not a capture), -EPROTONOSUPPORT (a newer schema) or
 * another negative errno. */
int database_check(sqlite3 *db);

#endif /* SYNWATCH_STORE_DATABASE_H */
