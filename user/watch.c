/* SPDX-License-Identifier: GPL-2.0-only */
#include "watch.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/ioctl.h>

#include "cli/log.h"
#include "core/engine.h"
#include "sink/sink.h"
#include "source/live.h"
#include "source/replay.h"

/* What the callbacks between source, engine and sink share. */
struct watch {
	const struct options *options;
	struct source *source;
	struct engine *engine;
	struct sink *sink;
	uint64_t ended; /* handshakes shown */
	int err;	/* the sink's first */
};

static bool is_finished(const struct watch *watch)
{
	return watch->err || (watch->options->count && watch->ended >= watch->options->count);
}

static void on_report(void *ctx, const struct report *report)
{
	struct watch *watch = ctx;

	if (is_finished(watch) && report->type != REPORT_SUMMARY)
		return;
	watch->ended += report->type == REPORT_END;
	if (!watch->err)
		watch->err = sink_report(watch->sink, report);
}

static void on_record(void *ctx, const void *data, size_t size)
{
	struct watch *watch = ctx;
	int err;

	if (is_finished(watch))
		return;
	err = engine_feed(watch->engine, data, size);
	if (err)
		log_warning("a record of %zu bytes makes no sense, it was left out: %s", size,
			    strerror(-err));
}

static void on_advance(void *ctx, uint64_t now_ns)
{
	struct watch *watch = ctx;

	engine_advance(watch->engine, now_ns);
}

static int on_idle(void *ctx)
{
	struct watch *watch = ctx;

	if (!watch->err)
		watch->err = sink_flush(watch->sink);
	return watch->err ? watch->err : is_finished(watch);
}

static struct sink *open_sink(const struct options *options)
{
	const char *no_color = getenv("NO_COLOR"); /* https://no-color.org */
	struct winsize size = {};
	struct sink_terminal_options terminal = {
		.quiet = options->quiet,
		.verbose = options->verbose,
	};

	if (options->json)
		return sink_json_new(stdout);
	if (isatty(STDOUT_FILENO)) {
		terminal.width = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) ? 80 : size.ws_col;
		if (!terminal.width)
			terminal.width = 80;
		terminal.color = !options->no_color && !(no_color && *no_color);
	}
	return sink_terminal_new(stdout, &terminal);
}

static int open_source(const struct options *options, struct source **ret_source)
{
	const struct live_options live = {
		.filter = &options->filter,
		.words = options->words,
		.word_count = options->word_count,
		.version = SYNWATCH_VERSION,
		.stall_after_ns = options->stall_after_ns,
		.duration_ns = options->duration_ns,
		.all = options->all,
	};

	if (options->command == COMMAND_READ)
		return replay_open(options->file, &options->filter, options->words,
				   options->word_count, ret_source);
	return live_open(&live, ret_source);
}

static int open_watch(struct watch *watch, const struct options *options)
{
	struct engine_options engine = {
		.stall_after_ns = options->stall_after_ns,
		.all = options->all,
	};
	const struct session *session;
	int err;

	watch->options = options;
	err = open_source(options, &watch->source);
	if (err)
		return err;
	session = source_session(watch->source);
	engine.start_ns = session->start_ns;
	engine.wall_offset_ns = session->wall_offset_ns;
	watch->engine = engine_new(&engine, on_report, watch);
	watch->sink = open_sink(options);
	return watch->engine && watch->sink ? 0 : -ENOMEM;
}

static int run_watch(struct watch *watch)
{
	const struct source_events events = {
		.ctx = watch,
		.record = on_record,
		.advance = on_advance,
		.idle = on_idle,
	};
	uint64_t end_ns = 0;
	int err;

	watch->err = sink_session(watch->sink, source_session(watch->source));
	if (!watch->err)
		watch->err = sink_flush(watch->sink);
	if (watch->err)
		return watch->err;
	err = source_run(watch->source, &events, &end_ns);
	engine_finish(watch->engine, end_ns);
	if (!watch->err)
		watch->err = sink_flush(watch->sink);
	return watch->err ? watch->err : err;
}

int watch(const struct options *options)
{
	struct watch watch = {};
	int err = open_watch(&watch, options);

	if (!err)
		err = run_watch(&watch);
	if (watch.err && watch.err != -EPIPE)
		log_error("cannot write the output: %s", strerror(-watch.err));
	sink_free(watch.sink);
	engine_free(watch.engine);
	source_free(watch.source);
	/* Nobody reads any more: that is how pipes end, not a failure. */
	return err == -EPIPE ? 0 : err;
}
