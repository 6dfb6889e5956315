/* SPDX-License-Identifier: GPL-2.0-only */
/* A file of records as text, judged and shown. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <linux/types.h>
#include <sys/mman.h>

#include "core/engine.h"
#include "driver.h"
#include "sink/sink.h"
#include "source/replay.h"

struct judge {
	struct engine *engine;
	struct sink *sinks[2];
};

static void on_report(void *ctx, const struct report *report)
{
	struct judge *judge = ctx;

	for (size_t i = 0; i < sizeof(judge->sinks) / sizeof(*judge->sinks); i++)
		if (sink_report(judge->sinks[i], report))
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
	(void)ctx;
	return 0;
}

static void judge_all(struct source *source, struct judge *judge)
{
	const struct session *session = source_session(source);
	const struct engine_options options = {
		.capacity = 100,
		.start_ns = session->start_ns,
		.wall_offset_ns = session->wall_offset_ns,
	};
	const struct source_events events = {
		.ctx = judge, .record = on_record, .advance = on_advance, .idle = on_idle};
	uint64_t end_ns = 0;

	judge->engine = engine_new(&options, on_report, judge);
	if (!judge->engine)
		abort();
	for (size_t i = 0; i < sizeof(judge->sinks) / sizeof(*judge->sinks); i++)
		if (sink_session(judge->sinks[i], session))
			abort();
	(void)source_run(source, &events, &end_ns);
	engine_finish(judge->engine, end_ns);
	engine_free(judge->engine);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct sink_terminal_options terminal = {.width = 80};
	static const struct filter filter;
	FILE *out = fopen("/dev/null", "w");
	int fd = memfd_create("records", 0);
	struct source *source;
	struct judge judge;
	char path[64];

	if (!out || fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	judge.sinks[0] = sink_json_new(out);
	judge.sinks[1] = sink_terminal_new(out, &terminal);
	if (!judge.sinks[0] || !judge.sinks[1])
		abort();
	if (!replay_open(path, &filter, NULL, 0, &source)) {
		judge_all(source, &judge);
		source_free(source);
	}
	sink_free(judge.sinks[0]);
	sink_free(judge.sinks[1]);
	close(fd);
	fclose(out);
	return 0;
}
