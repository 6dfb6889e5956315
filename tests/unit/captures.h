/* SPDX-License-Identifier: GPL-2.0-only */
/* Capture files, for the tests of what writes and reads them. */
#ifndef SYNWATCH_TEST_CAPTURES_H
#define SYNWATCH_TEST_CAPTURES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/stat.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "core/engine.h"
#include "facts.h"
#include "sink/sink.h"
#include "store/reader.h"

/* A directory of its own, in memory where there is such a place: what is tested here is
 * not the disk. */
struct place {
	char directory[64];
	char path[80]; /* of a capture that is not there yet */
};

static inline void place_make(struct place *place)
{
	(void)snprintf(place->directory, sizeof(place->directory), "%s/synwatch-test-XXXXXX",
		       access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
	assert_non_null(mkdtemp(place->directory));
	(void)stpcpy(stpcpy(place->path, place->directory), "/c.db");
}

static inline void place_clear(const struct place *place)
{
	static const char *const ends[] = {"", "-wal", "-shm", "-journal"};
	char path[96];

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		(void)snprintf(path, sizeof(path), "%s%s", place->path, ends[i]);
		(void)unlink(path);
	}
}

static inline void place_remove(const struct place *place)
{
	place_clear(place);
	place_clear(place);
	assert_int_equal(rmdir(place->directory), 0);
}

/* Bytes of the capture and its log. */
static inline uint64_t place_bytes(const struct place *place)
{
	char path[96];
	struct stat file = {}, log = {};

	(void)stat(place->path, &file);
	(void)snprintf(path, sizeof(path), "%s-wal", place->path);
	(void)stat(path, &log);
	return (uint64_t)file.st_size + (uint64_t)log.st_size;
}

/* The first column of the first row; -1 if there is none. Fails where SQLite does. */
static inline int64_t place_number(const struct place *place, const char *sql)
{
	sqlite3_stmt *statement;
	int64_t number = -1;
	sqlite3 *db;
	int code;

	assert_int_equal(sqlite3_open_v2(place->path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL))
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	code = sqlite3_step(statement);
	if (code == SQLITE_ROW)
		number = sqlite3_column_int64(statement, 0);
	else
		assert_int_equal(code, SQLITE_DONE);
	sqlite3_finalize(statement);
	sqlite3_close(db);
	return number;
}

static inline void place_exec(const struct place *place, const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open_v2(place->path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, NULL))
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	sqlite3_close(db);
}

static inline bool place_is_sound(const struct place *place)
{
	return place_number(place, "SELECT count(*) = 1 AND max(integrity_check) = 'ok'"
				   " FROM pragma_integrity_check") == 1;
}

/* --- judging --- */

struct judge {
	struct engine *engine;
	struct sink *sink;
	FILE *out;
	char *json;
	size_t length;
};

static inline void judge_report(void *ctx, const struct report *report)
{
	assert_int_equal(sink_report(((struct judge *)ctx)->sink, report), 0);
}

static inline void judge_record(void *ctx, const void *data, size_t size)
{
	(void)engine_feed(((struct judge *)ctx)->engine, data, size);
}

static inline void judge_advance(void *ctx, uint64_t now_ns)
{
	engine_advance(((struct judge *)ctx)->engine, now_ns);
}

static inline int judge_idle(void *ctx)
{
	(void)ctx;
	return 0;
}

static inline void judge_begin(struct judge *judge, const struct engine_options *options)
{
	judge->engine = engine_new(options, judge_report, judge);
	assert_non_null(judge->engine);
}

static inline void judge_open(struct judge *judge)
{
	judge->out = open_memstream(&judge->json, &judge->length);
	judge->sink = sink_json_new(judge->out);
	assert_true(judge->out && judge->sink);
}

static inline void judge_end(struct judge *judge, uint64_t end_ns)
{
	engine_finish(judge->engine, end_ns);
	judge->engine = engine_free(judge->engine);
}

/* The lines; the caller frees them. */
static inline char *judge_close(struct judge *judge)
{
	assert_int_equal(sink_flush(judge->sink), 0);
	sink_free(judge->sink);
	fclose(judge->out);
	return judge->json;
}

/* What reading the capture says, without the session lines; each session's error in
 * *ret_err, the first of them. The caller frees it. NULL if it cannot be opened. */
static inline char *judge_capture(const struct reader_options *options, unsigned int *ret_sessions,
				  int *ret_err)
{
	struct source_events events = {
		.record = judge_record, .advance = judge_advance, .idle = judge_idle};
	struct judge judge = {};
	struct source *source;
	int err, more;

	*ret_sessions = 0;
	*ret_err = reader_open(options, &source);
	if (*ret_err)
		return NULL;
	judge_open(&judge);
	events.ctx = &judge;
	while ((more = reader_next(source)) > 0) {
		const struct engine_options engine = {
			.all = reader_all(source),
			.stall_after_ns = reader_stall_after_ns(source),
			.start_ns = source_session(source)->start_ns,
			.wall_offset_ns = source_session(source)->wall_offset_ns,
		};
		uint64_t end_ns;

		judge_begin(&judge, &engine);
		err = source_run(source, &events, &end_ns);
		judge_end(&judge, end_ns);
		if (err && !*ret_err)
			*ret_err = err;
		++*ret_sessions;
	}
	if (more && !*ret_err)
		*ret_err = more;
	source_free(source);
	return judge_close(&judge);
}

static const struct filter judge_no_filter;

static inline struct reader_options judge_options(const struct place *place)
{
	return (struct reader_options){.path = place->path,
				       .filter = &judge_no_filter,
				       .since_ns = INT64_MIN,
				       .until_ns = INT64_MAX};
}

#endif /* SYNWATCH_TEST_CAPTURES_H */
