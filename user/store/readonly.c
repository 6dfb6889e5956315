/* SPDX-License-Identifier: GPL-2.0-only */
#include "store/readonly.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sys/stat.h>

#include "cli/log.h"
#include "store/database.h"

/* Longer than any record of any version. */
#define LENGTH_MAX 1000000

/* Until a writer has made its file, or given up its log. */
#define BUSY_MS 5000

/* "file://" and the path, with what a URI would take for something else escaped. */
static char *uri_of(const char *path, const char *parameters)
{
	size_t size = 3 * strlen(path) + strlen(parameters) + sizeof("file://");
	char *uri = malloc(size), *c;

	if (!uri)
		return NULL;
	c = stpcpy(uri, *path == '/' ? "file://" : "file:");
	for (; *path; path++) {
		if (strchr("?#%", *path))
			c += sprintf(c, "%%%02x", *path);
		else
			*c++ = *path;
	}
	(void)stpcpy(c, parameters);
	return uri;
}

static int try_open(const char *path, const char *parameters, sqlite3 **db)
{
	char *uri = uri_of(path, parameters);
	int err;

	if (!uri)
		return -ENOMEM;
	(void)sqlite3_close(*db);
	*db = NULL;
	err = database_error(NULL, sqlite3_open_v2(uri, db,
						   SQLITE_OPEN_READONLY | SQLITE_OPEN_URI |
							   SQLITE_OPEN_NOMUTEX,
						   NULL));
	free(uri);
	if (err)
		return err;
	(void)sqlite3_busy_timeout(*db, BUSY_MS);
	(void)sqlite3_limit(*db, SQLITE_LIMIT_LENGTH, LENGTH_MAX);
	/* Nothing in a file that came from somewhere is to be run. */
	(void)sqlite3_db_config(*db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	(void)sqlite3_db_config(*db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	(void)sqlite3_db_config(*db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	(void)sqlite3_db_config(*db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
	err = database_exec(*db, "PRAGMA cell_size_check = ON");
	return err ? err : database_check(*db);
}

/* A file that is shorter than it says is read as far as it goes. */
static int try_truncated(sqlite3 *db)
{
	int err;

	(void)sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 0, NULL);
	err = database_exec(db, "PRAGMA writable_schema = ON");
	return err ? err : database_check(db);
}

static bool has_log(const char *path)
{
	char log[PATH_MAX];
	struct stat stat_log;

	(void)snprintf(log, sizeof(log), "%s-wal", path);
	return !stat(log, &stat_log) && stat_log.st_size;
}

/* Where the index of the log cannot be made, as a file that nobody writes. */
static int try_immutable(const char *path, sqlite3 **db)
{
	int err = try_open(path, "?mode=ro&immutable=1", db);

	if (!err && has_log(path))
		log_warning("what is in %s-wal is left out: it can be read only from a directory "
			    "that can be written",
			    path);
	return err;
}

/* SQLite says "Input/output error" to all of it. */
static int check_path(const char *path)
{
	struct stat stat_file;

	if (stat(path, &stat_file))
		return -errno;
	return S_ISDIR(stat_file.st_mode) ? -EISDIR : 0;
}

int readonly_open(const char *path, sqlite3 **ret_db)
{
	sqlite3 *db = NULL;
	int err = check_path(path);

	if (err)
		return err;
	err = try_open(path, "?mode=ro", &db);
	if (err == -EBADMSG)
		err = try_truncated(db);
	else if (err == -EIO || err == -EROFS || err == -EACCES || err == -ENOENT)
		err = try_immutable(path, &db);
	if (err)
		(void)sqlite3_close(db);
	else
		*ret_db = db;
	return err;
}
