/* SPDX-License-Identifier: GPL-2.0-only */
#include "store/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/log.h"
#include "core/decode.h"
#include "core/batch.h"
#include "store/database.h"
#include "store/matches.h"
#include "store/readonly.h"
#include "store/row.h"

/* Rows taken in one go. Between them the file is let go: a reader that is slow, or
 * stopped by a pager, does not keep the writer from bounding its log. */
#define CHUNK_ROWS  4096
#define CHUNK_BYTES (8U << 20)

struct reader {
	struct source source;
	struct reader_options options;
	sqlite3 *db;
	sqlite3_stmt *records;
	struct session session;
	int64_t id; /* of the session */
	uint64_t end_ns;
	uint64_t stall_after_ns;
	bool all;
	int64_t first_seq, last_seq;
	/* While it runs. */
	struct matches *matches;
	struct batch chunk;
	int64_t seq; /* the newest taken */
	int64_t wall_offset_ns;
	uint64_t told_ns; /* the newest record delivered */
};

/* What is kept of a row beside the item in the chunk: in front of the record. */
struct taken {
	int64_t handshake;
	int64_t begin_us, last_us; /* of the handshake */
};

bool reader_knows(const char *path)
{
	static const char magic[16] = "SQLite format 3";
	char head[sizeof(magic)];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t length;

	if (fd < 0)
		return false;
	length = read(fd, head, sizeof(head));
	(void)close(fd);
	return length == sizeof(head) && !memcmp(head, magic, sizeof(head));
}

/* --- opening --- */

static int refuse(const struct reader *reader, int err)
{
	log_error("cannot read %s: %s", reader->options.path, database_explain(err));
	return err;
}

/* --- sessions --- */

static void copy(char *text, size_t size, sqlite3_stmt *row, int column)
{
	const unsigned char *value = sqlite3_column_text(row, column);

	(void)snprintf(text, size, "%s", value ? (const char *)value : "");
}

static void forget_session(struct reader *reader)
{
	session_forget_filters(&reader->session);
	memset(&reader->session, 0, sizeof(reader->session));
}

static bool is_given(const struct reader *reader, const char *name)
{
	for (unsigned int i = 0; i < reader->options.word_count; i++)
		if (!strcmp(reader->options.words[i].name, name))
			return true;
	return false;
}

static int take_filter(struct reader *reader, sqlite3_stmt *row)
{
	const char *name = (const char *)sqlite3_column_text(row, 0);
	const char *values = (const char *)sqlite3_column_text(row, 1);

	if (!name || !values || is_given(reader, name))
		return 0;
	return session_add_filter(&reader->session, name, values);
}

static int take_hook(struct reader *reader, sqlite3_stmt *row)
{
	const char *name = (const char *)sqlite3_column_text(row, 0);
	const char *why_not = (const char *)sqlite3_column_text(row, 1);

	(void)session_add_hook(&reader->session, name ? name : "", why_not ? why_not : "");
	return 0;
}

/* The rows of a query about the session at hand. */
static int for_each(struct reader *reader, const char *sql,
		    int (*take)(struct reader *reader, sqlite3_stmt *row))
{
	sqlite3_stmt *statement;
	int code, err = database_prepare(reader->db, sql, &statement);

	if (err)
		return err;
	(void)sqlite3_bind_int64(statement, 1, reader->id);
	while (!err && (code = sqlite3_step(statement)) == SQLITE_ROW)
		err = take(reader, statement);
	if (!err)
		err = database_error(reader->db, code);
	(void)sqlite3_finalize(statement);
	return err;
}

static int take_session(struct reader *reader, sqlite3_stmt *row)
{
	struct session *session = &reader->session;

	forget_session(reader);
	reader->id = sqlite3_column_int64(row, 0);
	copy(session->version, sizeof(session->version), row, 1);
	copy(session->host, sizeof(session->host), row, 2);
	copy(session->kernel, sizeof(session->kernel), row, 3);
	copy(session->boot_id, sizeof(session->boot_id), row, 4);
	session->start_ns = (uint64_t)sqlite3_column_int64(row, 5);
	session->wall_offset_ns = sqlite3_column_int64(row, 7);
	reader->wall_offset_ns = session->wall_offset_ns;
	reader->end_ns = (uint64_t)sqlite3_column_int64(row, 6);
	reader->all = sqlite3_column_int(row, 8);
	reader->stall_after_ns = (uint64_t)sqlite3_column_int64(row, 9);
	reader->first_seq = sqlite3_column_int64(row, 10);
	reader->last_seq = sqlite3_column_int64(row, 11);
	if (sqlite3_column_int(row, 12) != SW_ABI_VERSION)
		return -EPROTO;
	return reader->first_seq < 1 || reader->end_ns > INT64_MAX ||
			       session->start_ns > reader->end_ns
		       ? -EBADMSG
		       : 1;
}

static int read_session(struct reader *reader)
{
	int64_t before = reader->id;
	int err = for_each(reader,
			   "SELECT id, version, host, kernel, boot_id, start_ns, end_ns,"
			   " wall_offset_ns, streams_all, stall_after_ns, first_seq, last_seq, abi"
			   " FROM session WHERE id > ? ORDER BY id LIMIT 1",
			   take_session);

	if (err <= 0)
		return err;
	/* Damage may lead in a circle. */
	if (reader->id <= before)
		return -EBADMSG;
	err = for_each(reader,
		       "SELECT name, value FROM session_filter WHERE session = ? ORDER BY rowid",
		       take_filter);
	for (unsigned int i = 0; i < reader->options.word_count && !err; i++)
		err = session_add_filter(&reader->session, reader->options.words[i].name,
					 reader->options.words[i].values);
	if (!err)
		err = for_each(reader,
			       "SELECT name, why_not FROM session_hook WHERE session = ?"
			       " ORDER BY rowid",
			       take_hook);
	return err ? err : 1;
}

static int64_t wall_ns(uint64_t time_ns, int64_t wall_offset_ns)
{
	/* Either may be anything. */
	return (int64_t)(time_ns + (uint64_t)wall_offset_ns);
}

static bool is_within(const struct reader *reader, int64_t begin_ns, int64_t end_ns)
{
	return begin_ns <= reader->options.until_ns && end_ns >= reader->options.since_ns;
}

int reader_next(struct source *source)
{
	struct reader *reader = (struct reader *)source;
	int more;

	do
		more = read_session(reader);
	while (more > 0 &&
	       !is_within(reader, wall_ns(reader->session.start_ns, reader->wall_offset_ns),
			  wall_ns(reader->end_ns, reader->wall_offset_ns)));
	return more < 0 ? refuse(reader, more) : more;
}

/* --- records --- */

static bool has_window(const struct reader *reader)
{
	return reader->options.since_ns != INT64_MIN || reader->options.until_ns != INT64_MAX;
}

static int prepare_records(struct reader *reader)
{
	if (reader->records)
		return 0;
	/* Nothing is looked up that is not needed: what is damaged may lie elsewhere. */
	return database_prepare(
		reader->db,
		has_window(reader) ? "SELECT seq, advance_ns, handshake, body, start_us,"
				     /* of what is under way the end is not known */
				     " iif(ended, last_us, 9223372036854775807)"
				     " FROM record r LEFT JOIN handshake h ON h.id = r.handshake"
				     " WHERE seq > ?1 AND seq <= ?2 ORDER BY seq LIMIT ?3"
				   : "SELECT seq, advance_ns, handshake, body, 0, 0 FROM record"
				     " WHERE seq > ?1 AND seq <= ?2 ORDER BY seq LIMIT ?3",
		&reader->records);
}

/* One row into the chunk. 1: no room for more. */
static int take_row(struct reader *reader)
{
	sqlite3_stmt *row = reader->records;
	const void *body = sqlite3_column_blob(row, 3);
	int size = sqlite3_column_bytes(row, 3);
	struct {
		struct taken taken;
		union decode_record record;
	} whole = {
		.taken = {.handshake = sqlite3_column_int64(row, 2),
			  .begin_us = sqlite3_column_int64(row, 4),
			  .last_us = sqlite3_column_int64(row, 5)},
	};
	int64_t seq = sqlite3_column_int64(row, 0);

	/* Out of order: the tree is damaged, and might never end. */
	if (seq <= reader->seq)
		return -EBADMSG;
	reader->seq = seq;
	if (!body || size <= 0 || (size_t)size > sizeof(whole.record))
		return 0;
	memcpy(&whole.record, body, (size_t)size);
	if (!batch_put(&reader->chunk, (uint64_t)sqlite3_column_int64(row, 1), &whole,
		       (uint32_t)(sizeof(whole.taken) + (size_t)size), CHUNK_BYTES))
		return -ENOMEM;
	return 0;
}

/* The next rows. Returns 1 if there are more, 0, or a negative errno; in every case the
 * chunk has what could be read. */
static int take_chunk(struct reader *reader)
{
	int64_t before = reader->seq;
	int rows = 0, code = SQLITE_DONE, err = 0;

	reader->chunk.used = 0;
	(void)sqlite3_bind_int64(reader->records, 1, before);
	(void)sqlite3_bind_int64(reader->records, 2, reader->last_seq);
	(void)sqlite3_bind_int(reader->records, 3, CHUNK_ROWS);
	while (!err && (code = sqlite3_step(reader->records)) == SQLITE_ROW) {
		err = take_row(reader);
		rows++;
	}
	if (!err)
		err = database_error(reader->db, code);
	(void)sqlite3_reset(reader->records);
	return err ? err : rows == CHUNK_ROWS;
}

/* What is not about one handshake: names and the time of day are always needed. */
static bool is_bookkeeping_wanted(const struct reader *reader, const struct sw_header *header)
{
	int64_t time_ns = wall_ns(header->time_ns, reader->wall_offset_ns);

	return header->kind == SW_NAME || header->kind == SW_CLOCK ||
	       is_within(reader, time_ns, time_ns);
}

static bool is_wanted(struct reader *reader, const struct taken *taken,
		      const union decode_record *record)
{
	if (record->header.kind == SW_CROWD)
		return is_bookkeeping_wanted(reader, &record->header) &&
		       filter_match_crowd(reader->options.filter, &record->crowd);
	/* SQL has divided by 1000, so the window is widened by as much. */
	if (!row_is_handshake(record->header.kind))
		return is_bookkeeping_wanted(reader, &record->header);
	if (has_window(reader) && (taken->begin_us > reader->options.until_ns / 1000 ||
				   taken->last_us < reader->options.since_ns / 1000))
		return false;
	return matches_filter(reader->matches, reader->options.filter, &record->handshake);
}

static void deliver(struct reader *reader, const struct source_events *events,
		    const struct batch_item *item)
{
	const struct taken *taken = (const void *)(item + 1);
	const void *body = taken + 1;
	size_t size = item->size - sizeof(*taken);
	union decode_record record;

	/* Up to the end of the window only: what came to be true later is not asked for. */
	if (item->advance_ns && item->advance_ns <= INT64_MAX &&
	    wall_ns(item->advance_ns, reader->wall_offset_ns) <= reader->options.until_ns)
		events->advance(events->ctx, item->advance_ns);
	/* What the live watch could not take either, it is told again. */
	if (!decode(body, size, &record)) {
		if (record.header.kind == SW_CLOCK)
			reader->wall_offset_ns = record.clock.offset_ns;
		if (!is_wanted(reader, taken, &record))
			return;
		if (record.header.time_ns > reader->told_ns)
			reader->told_ns = record.header.time_ns;
	}
	events->record(events->ctx, body, size);
}

static void deliver_chunk(struct reader *reader, const struct source_events *events)
{
	const char *data = reader->chunk.data;

	for (size_t at = 0; at < reader->chunk.used;) {
		const struct batch_item *item = (const void *)(data + at);

		deliver(reader, events, item);
		at += batch_room(item->size);
	}
}

/* When the session ended, or the window did. */
static uint64_t end_of(const struct reader *reader)
{
	int64_t until_ns = reader->options.until_ns;
	uint64_t end_ns = reader->end_ns;

	if (until_ns < wall_ns(end_ns, reader->wall_offset_ns))
		end_ns = (uint64_t)until_ns - (uint64_t)reader->wall_offset_ns;
	return end_ns > reader->told_ns ? end_ns : reader->told_ns;
}

static int reader_run(struct source *source, const struct source_events *events,
		      uint64_t *ret_end_ns)
{
	struct reader *reader = (struct reader *)source;
	int stop = 0, more = prepare_records(reader);

	if (!more)
		more = 1;
	reader->seq = reader->first_seq - 1;
	reader->told_ns = reader->session.start_ns;
	reader->matches = matches_free(reader->matches);
	reader->matches = matches_new();
	if (!reader->matches)
		more = -ENOMEM;
	while (more > 0 && !stop) {
		more = take_chunk(reader);
		deliver_chunk(reader, events);
		stop = events->idle(events->ctx);
	}
	*ret_end_ns = end_of(reader);
	if (more < 0) {
		log_error("%s: %s, this session is read up to the damage", reader->options.path,
			  database_explain(more));
		return more;
	}
	return stop < 0 ? stop : 0;
}

static const struct session *reader_session(const struct source *source)
{
	return &((const struct reader *)source)->session;
}

bool reader_all(const struct source *source)
{
	return ((const struct reader *)source)->all;
}

uint64_t reader_stall_after_ns(const struct source *source)
{
	return ((const struct reader *)source)->stall_after_ns;
}

static void reader_free(struct source *source)
{
	struct reader *reader = (struct reader *)source;

	forget_session(reader);
	matches_free(reader->matches);
	(void)sqlite3_finalize(reader->records);
	(void)sqlite3_close(reader->db);
	free(reader->chunk.data);
	free(reader);
}

static const struct source_ops reader_ops = {
	.name = "capture",
	.session = reader_session,
	.run = reader_run,
	.free = reader_free,
};

int reader_open(const struct reader_options *options, struct source **ret_source)
{
	struct reader *reader = calloc(1, sizeof(*reader));
	int err;

	if (!reader)
		return -ENOMEM;
	reader->source.ops = &reader_ops;
	reader->options = *options;
	err = readonly_open(options->path, &reader->db);
	if (err) {
		(void)refuse(reader, err);
		reader_free(&reader->source);
		return err;
	}
	*ret_source = &reader->source;
	return 0;
}
