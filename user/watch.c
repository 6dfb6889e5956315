/* SPDX-License-Identifier: GPL-2.0-only */
#include "watch.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/log.h"
#include "core/engine.h"
#include "output.h"
#include "sandbox.h"
#include "sink/sink.h"
#include "source/clock.h"
#include "source/live.h"
#include "source/replay.h"
#include "store/capture.h"
#include "store/reader.h"

_Static_assert(OPTIONS_SIZE_MIN == CAPTURE_SIZE_MIN, "what is accepted can be kept");

/* What the callbacks between source, engine and sink share. */
struct watch {
	const struct options *options;
	struct source *source;
	bool sessions; /* the source is a capture: it has any number of them */
	struct capture *capture;
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
	if (watch->capture)
		capture_append(watch->capture, data, size);
	err = engine_feed(watch->engine, data, size);
	if (err)
		log_warning("a record of %zu bytes makes no sense, it was left out: %s", size,
			    strerror(-err));
}

static void on_advance(void *ctx, uint64_t now_ns)
{
	struct watch *watch = ctx;

	if (watch->capture)
		capture_advance(watch->capture, now_ns);
	engine_advance(watch->engine, now_ns);
}

static int on_idle(void *ctx)
{
	struct watch *watch = ctx;

	if (!watch->err)
		watch->err = sink_flush(watch->sink);
	return watch->err ? watch->err : is_finished(watch);
}

static int open_capture_to_read(const struct options *options, struct source **ret_source)
{
	int64_t now_ns = (int64_t)clock_monotonic_ns() + clock_wall_offset_ns();
	struct reader_options reader = {
		.path = options->file,
		.filter = &options->filter,
		.words = options->words,
		.word_count = options->word_count,
		.since_ns = INT64_MIN,
		.until_ns = INT64_MAX,
	};

	if (options->since.kind)
		reader.since_ns = moment_resolve(&options->since, now_ns);
	if (options->until.kind)
		reader.until_ns = moment_resolve(&options->until, now_ns);
	if (reader.since_ns > reader.until_ns) {
		log_error("--since is later than --until: there is nothing in between");
		return -EINVAL;
	}
	return reader_open(&reader, ret_source);
}

static int open_live(struct watch *watch, const struct options *options)
{
	const struct live_options live = {
		.filter = &options->filter,
		.words = options->words,
		.word_count = options->word_count,
		.version = SYNWATCH_VERSION,
		.stall_after_ns = options->stall_after_ns,
		.duration_ns = options->duration_ns,
		.all = options->all,
		.write = options->write,
	};
	struct obstacle why;
	int err = live_open(&live, &why, &watch->source);

	if (err)
		log_error("%s: %s", why.wrong, why.remedy);
	return err;
}

static int open_source(struct watch *watch, const struct options *options)
{
	if (options->command == COMMAND_WATCH)
		return open_live(watch, options);
	watch->sessions = reader_knows(options->file);
	if (watch->sessions)
		return open_capture_to_read(options, &watch->source);
	if (options->since.kind || options->until.kind) {
		log_error("--since and --until are about captures, which %s is not", options->file);
		return -EINVAL;
	}
	return replay_open(options->file, &options->filter, options->words, options->word_count,
			   &watch->source);
}

static int open_capture_to_write(struct watch *watch)
{
	const struct options *options = watch->options;
	const struct capture_options capture = {
		.path = options->write,
		.session = source_session(watch->source),
		.stall_after_ns = options->stall_after_ns,
		.all = options->all,
		.max_size = options->max_size,
		.max_age_ns = options->max_age_ns,
	};

	return options->write ? capture_open(&capture, &watch->capture) : 0;
}

/* A capture is judged as its watch was asked to, unless told otherwise: it then says
 * what the watch said. */
static int open_engine(struct watch *watch)
{
	const struct session *session = source_session(watch->source);
	struct engine_options engine = {
		.stall_after_ns = watch->options->stall_after_ns,
		.all = watch->options->all,
		.start_ns = session->start_ns,
		.wall_offset_ns = session->wall_offset_ns,
	};

	if (watch->sessions) {
		engine.all |= reader_all(watch->source);
		if (!engine.stall_after_ns)
			engine.stall_after_ns = reader_stall_after_ns(watch->source);
	}
	watch->engine = engine_new(&engine, on_report, watch);
	return watch->engine ? 0 : -ENOMEM;
}

/* Everything is open: nothing new is needed. A host that cannot do this has no less of
 * a watch. */
static void confine(void)
{
	int err = sandbox_enter();

	if (err)
		log_debug("there is no seccomp filter: %s", strerror(-err));
}

/* From the session's line to its summary. */
static int run_session(struct watch *watch)
{
	const struct source_events events = {
		.ctx = watch,
		.record = on_record,
		.advance = on_advance,
		.idle = on_idle,
	};
	uint64_t end_ns = 0;
	int err = open_engine(watch);

	if (err)
		return err;
	watch->err = sink_session(watch->sink, source_session(watch->source));
	if (!watch->err)
		watch->err = sink_flush(watch->sink);
	if (watch->err)
		return watch->err;
	err = source_run(watch->source, &events, &end_ns);
	engine_finish(watch->engine, end_ns);
	if (!watch->err)
		watch->err = sink_flush(watch->sink);
	/* What is shown does not wait for the disk. */
	watch->capture = capture_close(watch->capture, end_ns);
	watch->engine = engine_free(watch->engine);
	return watch->err ? watch->err : err;
}

/* One that is damaged in one session may be well in the next. */
static int run_sessions(struct watch *watch)
{
	int first_err = 0, more, err;

	while ((more = reader_next(watch->source)) > 0) {
		err = run_session(watch);
		if (!first_err)
			first_err = err;
		if (is_finished(watch))
			break;
	}
	return first_err || more > 0 ? first_err : more;
}

int watch(const struct options *options)
{
	struct watch watch = {.options = options};
	int err = open_source(&watch, options);

	if (!err)
		err = open_capture_to_write(&watch);
	if (!err) {
		watch.sink = output_open(options);
		err = watch.sink ? 0 : -ENOMEM;
	}
	if (!err)
		confine();
	if (!err)
		err = watch.sessions ? run_sessions(&watch) : run_session(&watch);
	if (watch.err && watch.err != -EPIPE)
		log_error("cannot write the output: %s", strerror(-watch.err));
	capture_close(watch.capture, 0);
	sink_free(watch.sink);
	engine_free(watch.engine);
	source_free(watch.source);
	/* Nobody reads any more: that is how pipes end, not a failure. */
	return err == -EPIPE ? 0 : err;
}
