/* SPDX-License-Identifier: GPL-2.0-only */
#include "store/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/file.h>
#include <sys/stat.h>

#include <linux/types.h>

#include "store/database.h"
#include "store/row.h"
#include "store/writer.h"
#include "synwatch/record.h"

#define KIB 1024ULL
#define MIB (1024 * KIB)

/* Longer than synwatch's own reading keeps the log from being folded back. */
#define BUSY_MS 500

#define FRAME_HEADER 24 /* of a page in the log */

struct file {
	char *path;
	int lock_fd; /* holds the lock, and dies with the process */
	sqlite3 *db;
	sqlite3_stmt *mark;
	struct file_limits limits;
	int64_t log_max;   /* bytes, with which nothing more is written */
	int64_t log_fold;  /* bytes, above which it is folded back */
	int64_t log_pages; /* it has now */
	bool lasting;	   /* as SQLite was told */
};

/* The log's share is an eighth, of small captures more: a transaction of a single
 * record touches some ten pages. */
static void share_out(struct file *file, uint64_t max_size, int64_t page_size)
{
	uint64_t log = max_size < MIB ? max_size * 3 / 8 : max_size / 8;
	struct file_limits *limits = &file->limits;

	if (log > 64 * MIB)
		log = 64 * MIB;
	file->log_max = (int64_t)log;
	file->log_fold = max_size < MIB ? 0 : (int64_t)(log / 2);
	limits->page_size = page_size;
	limits->max_pages = (int64_t)(max_size - log) / page_size;
	limits->slack_pages = 8 + limits->max_pages / 512;
	limits->transaction_bytes = log / 16;
	limits->most_pages = 16 + (int64_t)(log / 8) / page_size;
}

/* --- opening --- */

static int lock(const char *path, int *ret_fd)
{
	struct stat stat;
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &stat))
		err = -errno;
	else if (!S_ISREG(stat.st_mode))
		err = -EMEDIUMTYPE;
	else if (flock(fd, LOCK_EX | LOCK_NB))
		err = errno == EWOULDBLOCK ? -EALREADY : -errno;
	if (err) {
		(void)close(fd);
		return err;
	}
	*ret_fd = fd;
	return 0;
}

static int on_commit(void *ctx, sqlite3 *db, const char *name, int pages)
{
	struct file *file = ctx;

	(void)db;
	(void)name;
	file->log_pages = pages;
	return SQLITE_OK;
}

/* Of an empty file; small captures get small pages. */
static int create(sqlite3 *db, uint64_t max_size)
{
	char text[64];
	int err;

	(void)snprintf(text, sizeof(text), "PRAGMA page_size = %d",
		       max_size < 8 * MIB ? 1024 : 4096);
	err = database_exec(db, text);
	if (!err)
		err = database_exec(db, "PRAGMA auto_vacuum = INCREMENTAL");
	if (!err)
		err = database_exec(db, "PRAGMA journal_mode = WAL");
	return err ? err : database_create(db);
}

static int prepare(struct file *file, uint64_t max_size)
{
	int64_t page_size;
	char text[64];
	int err = database_check(file->db);

	if (err == -ENODATA)
		err = create(file->db, max_size);
	if (!err)
		err = database_exec(file->db, "PRAGMA journal_mode = WAL");
	if (!err)
		err = database_number(file->db, "PRAGMA page_size", &page_size);
	if (err)
		return err;
	share_out(file, max_size, page_size);
	(void)snprintf(text, sizeof(text), "PRAGMA journal_size_limit = %lld",
		       (long long)file->log_fold);
	err = database_exec(file->db, text);
	if (!err)
		err = database_exec(file->db, "PRAGMA cache_size = -16384"); /* KiB */
	return err;
}

int file_open(const char *path, uint64_t max_size, struct file **ret_file)
{
	struct file *file = calloc(1, sizeof(*file));
	int err;

	if (!file)
		return -ENOMEM;
	file->lock_fd = -1;
	file->lasting = true;
	file->path = strdup(path);
	err = file->path ? lock(path, &file->lock_fd) : -ENOMEM;
	if (!err)
		err = database_error(
			NULL, sqlite3_open_v2(path, &file->db,
					      SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL));
	if (!err) {
		(void)sqlite3_busy_timeout(file->db, BUSY_MS);
		/* A capture is data: nothing in it is to be run. */
		(void)sqlite3_db_config(file->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
		(void)sqlite3_db_config(file->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
		(void)sqlite3_wal_hook(file->db, on_commit, file);
		err = prepare(file, max_size);
	}
	if (!err)
		err = database_prepare(file->db,
				       "UPDATE session SET end_ns = max(end_ns, ?2), last_seq = ?3,"
				       " ended = ?4 WHERE id = ?1",
				       &file->mark);
	if (err)
		file_close(file, false);
	else
		*ret_file = file;
	return err;
}

struct file *file_close(struct file *file, bool in_order)
{
	if (!file)
		return NULL;
	(void)sqlite3_finalize(file->mark);
	/* While somebody reads it stays as it is. */
	if (in_order)
		(void)database_exec(file->db, "PRAGMA journal_mode = DELETE");
	(void)sqlite3_close(file->db);
	if (file->lock_fd >= 0)
		(void)close(file->lock_fd);
	free(file->path);
	free(file);
	return NULL;
}

sqlite3 *file_database(struct file *file)
{
	return file->db;
}

const struct file_limits *file_limits(const struct file *file)
{
	return &file->limits;
}

int file_is_there(const struct file *file)
{
	struct stat path, own;

	if (stat(file->path, &path))
		return errno == ENOENT ? -ESTALE : -errno;
	if (fstat(file->lock_fd, &own))
		return -errno;
	return path.st_dev == own.st_dev && path.st_ino == own.st_ino ? 0 : -ESTALE;
}

/* --- the session --- */

static int find_session(struct file *file, const struct session *session, int64_t *ret_id)
{
	sqlite3_stmt *statement;
	int code;
	int err = database_prepare(
		file->db, "SELECT id FROM session WHERE boot_id = ? AND start_ns = ?", &statement);

	if (err)
		return err;
	(void)sqlite3_bind_text(statement, 1, session->boot_id, -1, SQLITE_STATIC);
	(void)sqlite3_bind_int64(statement, 2, (int64_t)session->start_ns);
	code = sqlite3_step(statement);
	err = database_error(file->db, code);
	if (!err)
		*ret_id = code == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
	(void)sqlite3_finalize(statement);
	return err;
}

static int put_session(struct file *file, const struct writer_options *options, int64_t first_seq)
{
	const struct session *session = options->session;
	sqlite3_stmt *statement;
	int err = database_prepare(file->db,
				   "INSERT INTO session (version, host, kernel, boot_id, start_ns,"
				   " end_ns, wall_offset_ns, ended, streams_all, stall_after_ns,"
				   " abi, first_seq, last_seq)"
				   " VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6, 0, ?7, ?8, ?9, ?10,"
				   " ?10 - 1)",
				   &statement);

	if (err)
		return err;
	(void)sqlite3_bind_text(statement, 1, session->version, -1, SQLITE_STATIC);
	(void)sqlite3_bind_text(statement, 2, session->host, -1, SQLITE_STATIC);
	(void)sqlite3_bind_text(statement, 3, session->kernel, -1, SQLITE_STATIC);
	(void)sqlite3_bind_text(statement, 4, session->boot_id, -1, SQLITE_STATIC);
	(void)sqlite3_bind_int64(statement, 5, (int64_t)session->start_ns);
	(void)sqlite3_bind_int64(statement, 6, session->wall_offset_ns);
	(void)sqlite3_bind_int(statement, 7, options->all);
	(void)sqlite3_bind_int64(statement, 8, (int64_t)options->stall_after_ns);
	(void)sqlite3_bind_int(statement, 9, SW_ABI_VERSION);
	(void)sqlite3_bind_int64(statement, 10, first_seq);
	err = database_run(statement);
	(void)sqlite3_finalize(statement);
	return err;
}

/* A row of two texts, of a session's filters or hooks. An empty second one is NULL. */
static int put_pair(struct file *file, const char *sql, int64_t session, const char *name,
		    const char *value)
{
	sqlite3_stmt *statement;
	int err = database_prepare(file->db, sql, &statement);

	if (err)
		return err;
	(void)sqlite3_bind_int64(statement, 1, session);
	(void)sqlite3_bind_text(statement, 2, name, -1, SQLITE_STATIC);
	if (*value)
		(void)sqlite3_bind_text(statement, 3, value, -1, SQLITE_STATIC);
	err = database_run(statement);
	(void)sqlite3_finalize(statement);
	return err;
}

static int put_pairs(struct file *file, const struct session *session, int64_t id)
{
	int err = 0;

	for (unsigned int i = 0; i < session->filter_count && !err; i++)
		err = put_pair(file,
			       "INSERT INTO session_filter (session, name, value)"
			       " VALUES (?, ?, coalesce(?, ''))",
			       id, session->filters[i].name, session->filters[i].values);
	for (unsigned int i = 0; i < session->hook_count && !err; i++)
		err = put_pair(file,
			       "INSERT INTO session_hook (session, name, why_not)"
			       " VALUES (?, ?, ?)",
			       id, session->hooks[i].name, session->hooks[i].why_not);
	return err;
}

static int put_addresses(struct file *file, const struct session *session, int64_t id)
{
	char text[INET6_ADDRSTRLEN];
	sqlite3_stmt *statement;
	int err = database_prepare(file->db,
				   "INSERT INTO session_address (session, addr, netns)"
				   " VALUES (?, ?, ?)",
				   &statement);

	if (err)
		return err;
	for (unsigned int i = 0; i < session->address_count && !err; i++) {
		const struct session_address *address = &session->addresses[i];

		(void)sqlite3_bind_int64(statement, 1, id);
		(void)sqlite3_bind_text(statement, 2, row_address(address->addr, text), -1,
					SQLITE_STATIC);
		(void)sqlite3_bind_int64(statement, 3, address->netns);
		err = database_run(statement);
	}
	(void)sqlite3_finalize(statement);
	return err;
}

static int add_session(struct file *file, const struct writer_options *options, int64_t first_seq,
		       int64_t *ret_id)
{
	int err = file_begin(file, true);

	if (err)
		return err;
	err = put_session(file, options, first_seq);
	*ret_id = sqlite3_last_insert_rowid(file->db);
	if (!err)
		err = put_pairs(file, options->session, *ret_id);
	if (!err)
		err = put_addresses(file, options->session, *ret_id);
	if (!err)
		err = file_commit(file);
	if (err)
		file_rollback(file);
	return err;
}

int file_session(struct file *file, const struct writer_options *options, int64_t *ret_session,
		 int64_t *ret_next_seq, bool *ret_known)
{
	int64_t last_seq, last_row;
	int err = database_number(file->db, "SELECT max(last_seq) FROM session", &last_seq);

	if (!err)
		err = database_number(file->db, "SELECT max(seq) FROM record", &last_row);
	if (!err)
		err = find_session(file, options->session, ret_session);
	if (err)
		return err;
	if (last_row > last_seq)
		last_seq = last_row;
	/* Nobody has recorded so many. */
	if (last_seq < 0 || last_seq > INT64_MAX / 2)
		return -EBADMSG;
	*ret_next_seq = last_seq + 1;
	*ret_known = *ret_session != 0;
	return *ret_known ? 0 : add_session(file, options, *ret_next_seq, ret_session);
}

int file_mark(struct file *file, int64_t session, uint64_t end_ns, int64_t last_seq, bool ended)
{
	(void)sqlite3_bind_int64(file->mark, 1, session);
	(void)sqlite3_bind_int64(file->mark, 2, (int64_t)end_ns);
	(void)sqlite3_bind_int64(file->mark, 3, last_seq);
	(void)sqlite3_bind_int(file->mark, 4, ended);
	return database_run(file->mark);
}

/* --- transactions --- */

static int64_t log_bytes(const struct file *file)
{
	return file->log_pages * (file->limits.page_size + FRAME_HEADER);
}

/*
 * Folds the log back into the file if it is time; the next transaction then begins it
 * anew. Somebody's long transaction may be in the way: it is waited for only when the
 * log has all but used up its share.
 */
static int fold(struct file *file)
{
	int mode = SQLITE_CHECKPOINT_PASSIVE;
	int code;

	if (!file->log_pages || log_bytes(file) <= file->log_fold)
		return 0;
	if (!file->log_fold)
		mode = SQLITE_CHECKPOINT_TRUNCATE;
	else if (log_bytes(file) > file->log_max / 4 * 3)
		mode = SQLITE_CHECKPOINT_RESTART;
	code = sqlite3_wal_checkpoint_v2(file->db, NULL, mode, NULL, NULL);
	if (code == SQLITE_OK && mode != SQLITE_CHECKPOINT_PASSIVE)
		file->log_pages = 0;
	if ((code & 0xff) != SQLITE_BUSY || log_bytes(file) > file->log_max)
		return database_error(file->db, code);
	return 0;
}

int file_begin(struct file *file, bool lasting)
{
	int err = fold(file);

	/* FULL syncs the log at each commit, NORMAL only before it is folded back. */
	if (!err && lasting != file->lasting)
		err = database_exec(file->db, lasting ? "PRAGMA synchronous = FULL"
						      : "PRAGMA synchronous = NORMAL");
	if (err)
		return err;
	file->lasting = lasting;
	return database_exec(file->db, "BEGIN IMMEDIATE");
}

int file_commit(struct file *file)
{
	return database_exec(file->db, "COMMIT");
}

void file_rollback(struct file *file)
{
	if (!sqlite3_get_autocommit(file->db))
		(void)database_exec(file->db, "ROLLBACK");
}
