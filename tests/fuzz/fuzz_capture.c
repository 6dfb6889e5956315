/* SPDX-License-Identifier: GPL-2.0-only */
/* A damaged capture: read, all sessions of it; then recorded into. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <linux/types.h>

#include "core/engine.h"
#include "driver.h"
#include "sink/sink.h"
#include "store/reader.h"
#include "store/writer.h"
#include "synwatch/record.h"

struct judge {
	struct engine *engine;
	struct sink *sink;
	unsigned int chunks;
};

static void on_report(void *ctx, const struct report *report)
{
	if (sink_report(((struct judge *)ctx)->sink, report))
		abort();
}

static void on_record(void *ctx, const void *data, size_t size)
{
	(void)engine_feed(((struct judge *)ctx)->engine, data, size);
}

static void on_advance(void *ctx, uint64_t now_ns)
{
	engine_advance(((struct judge *)ctx)->engine, now_ns);
}

static int on_idle(void *ctx)
{
	/* No corpus has so many: it would have gone in a circle. */
	if (((struct judge *)ctx)->chunks++ > 1000)
		abort();
	return 0;
}

static void read_session(struct source *source, struct judge *judge)
{
	const struct engine_options options = {
		.all = reader_all(source),
		.stall_after_ns = reader_stall_after_ns(source),
		.start_ns = source_session(source)->start_ns,
		.wall_offset_ns = source_session(source)->wall_offset_ns,
	};
	const struct source_events events = {
		.ctx = judge, .record = on_record, .advance = on_advance, .idle = on_idle};
	uint64_t end_ns = 0;

	judge->engine = engine_new(&options, on_report, judge);
	if (!judge->engine || sink_session(judge->sink, source_session(source)))
		abort();
	(void)source_run(source, &events, &end_ns);
	engine_finish(judge->engine, end_ns);
	engine_free(judge->engine);
}

static void read_capture(const char *path, FILE *out)
{
	static const struct filter filter;
	const struct reader_options options = {
		.path = path, .filter = &filter, .since_ns = 1, .until_ns = INT64_MAX};
	struct judge judge = {.sink = sink_json_new(out)};
	struct source *source;

	if (!judge.sink)
		abort();
	if (!reader_open(&options, &source)) {
		while (reader_next(source) > 0)
			read_session(source, &judge);
		source_free(source);
	}
	sink_free(judge.sink);
}

static void write_capture(const char *path)
{
	const struct session session = {.start_ns = 1, .boot_id = "fuzz"};
	const struct writer_options options = {
		.path = path, .session = &session, .max_size = 65536, .max_age_ns = 1000000000};
	struct sw_loss loss = {
		.header = {.size = sizeof(loss),
			   .kind = SW_LOSS,
			   .version = SW_ABI_VERSION,
			   .time_ns = 2000000000},
		.ring = 1,
	};
	struct writer *writer = writer_new(&options);
	struct batch batch = {};
	size_t offset = 0;

	if (!writer || !batch_put(&batch, 0, &loss, sizeof(loss), 4096))
		abort();
	if (!writer_open(writer)) {
		if (writer_write(writer, &batch, &offset, 1800000000000000000))
			writer_abandon(writer);
		else
			(void)writer_close(writer, 3000000000);
	}
	writer_free(writer);
	free(batch.data);
}

static void remove_all(const char *path)
{
	static const char *const ends[] = {"", "-wal", "-shm", "-journal"};
	char name[128];

	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
		(void)snprintf(name, sizeof(name), "%s%s", path, ends[i]);
		(void)unlink(name);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[64];
	FILE *out = fopen("/dev/null", "w");
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/synwatch-fuzz-%d.db",
		       access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm", (int)getpid());
	file = fopen(path, "wb");
	if (!file || !out)
		abort();
	(void)fwrite(data, 1, size, file);
	fclose(file);
	read_capture(path, out);
	write_capture(path);
	remove_all(path);
	fclose(out);
	return 0;
}
