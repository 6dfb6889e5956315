/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The capture's file while it is written: who may, where it ends, what reaches the disk
 * when.
 *
 * SQLite's write-ahead log: readers never wait for the writer nor it for them, a commit
 * is one sequential write, and after a crash the last commit is there. The log counts
 * towards the bound, so it is folded back into the file before it grows beyond its share.
 */
#ifndef SYNWATCH_STORE_FILE_H
#define SYNWATCH_STORE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sqlite3.h>

struct writer_options; /* store/writer.h */

/* max_size, shared out. */
struct file_limits {
	int64_t page_size;	  /* bytes */
	int64_t max_pages;	  /* of the file; the log has the rest */
	int64_t slack_pages;	  /* kept free beyond what a transaction needs */
	int64_t most_pages;	  /* given up in one transaction */
	size_t transaction_bytes; /* of records */
};

struct file;

/* Errors as writer_open(). */
int file_open(const char *path, uint64_t max_size, struct file **ret_file);

/* Returns NULL; NULL is fine. in_order: fold the log back, so that one file is left,
 * which can be read from where nothing can be written. */
struct file *file_close(struct file *file, bool in_order);

sqlite3 *file_database(struct file *file);
const struct file_limits *file_limits(const struct file *file);

/* 0, or -ESTALE if the path leads elsewhere by now. */
int file_is_there(const struct file *file);

/* Adds the session, or finds it (*ret_known) if the file has it from before an
 * interruption. */
int file_session(struct file *file, const struct writer_options *options, int64_t *ret_session,
		 int64_t *ret_next_seq, bool *ret_known);

/* Transactions; lasting: it reaches the disk with this commit, and those before do. */
int file_begin(struct file *file, bool lasting);
int file_commit(struct file *file);
void file_rollback(struct file *file);

/* How far the session has come. */
int file_mark(struct file *file, int64_t session, uint64_t end_ns, int64_t last_seq, bool ended);

#endif /* SYNWATCH_STORE_FILE_H */
