/* SPDX-License-Identifier: GPL-2.0-only */
#include "join.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/log.h"
#include "core/stats.h"
#include "core/words.h"
#include "output.h"
#include "source/clock.h"
#include "store/join.h"

/* Who waits longer is told how far it is, so often. */
#define PATIENCE_NS 2000000000ULL
#define AGAIN_NS    200000000ULL

struct output {
	struct sink *sink;
	struct stats *stats;
	const struct options *options;
	uint64_t ended;
	uint64_t begin_ns;
	uint64_t shown_ns; /* progress; 0: never */
	bool shows;	   /* progress, to somebody */
};

static void clear_progress(struct output *output)
{
	if (output->shown_ns)
		(void)fputs("\r\033[K", stderr);
	output->shown_ns = 0;
}

static void on_progress(void *ctx, const char *what, uint64_t done, uint64_t total)
{
	struct output *output = ctx;
	uint64_t now_ns = clock_monotonic_ns();

	if (!output->shows || now_ns - output->begin_ns < PATIENCE_NS ||
	    now_ns - output->shown_ns < AGAIN_NS)
		return;
	output->shown_ns = now_ns;
	(void)fprintf(stderr, "\rsynwatch: %s", what);
	if (done)
		(void)fprintf(stderr, " %s", words_number(done).text);
	if (total)
		(void)fprintf(stderr, " of %s", words_number(total).text);
	if (done)
		(void)fputs(" handshakes", stderr);
	(void)fputs("\033[K", stderr);
}

static int on_session(void *ctx, const struct session *session)
{
	struct output *output = ctx;

	clear_progress(output);
	return sink_session(output->sink, session);
}

/* 1: enough were shown. */
static int on_report(void *ctx, const struct report *report)
{
	struct output *output = ctx;
	int err;

	clear_progress(output);
	err = sink_report(output->sink, report);
	if (err || report->type == REPORT_CLOCK)
		return err;
	stats_handshake(output->stats, &report->handshake);
	output->ended += report->type == REPORT_END;
	return output->options->count && output->ended >= output->options->count;
}

static int tell_summary(struct output *output, const struct joined *joined)
{
	struct report report = {.type = REPORT_SUMMARY, .wall_ns = joined->last_wall_ns};
	int err;

	clear_progress(output);
	stats_summarize(output->stats, &report.summary);
	report.summary.duration_ns = joined->last_wall_ns - joined->first_wall_ns;
	join_summarize(&joined->tally, &report.summary);
	err = sink_report(output->sink, &report);
	return err ? err : sink_flush(output->sink);
}

static int resolve(const struct options *options, struct join_options *join)
{
	int64_t now_ns = (int64_t)clock_monotonic_ns() + clock_wall_offset_ns();

	if (options->since.kind)
		join->since_ns = moment_resolve(&options->since, now_ns);
	if (options->until.kind)
		join->until_ns = moment_resolve(&options->until, now_ns);
	if (join->since_ns <= join->until_ns)
		return 0;
	log_error("--since is later than --until: there is nothing in between");
	return -EINVAL;
}

static int run(struct output *output, const struct join_options *join)
{
	const struct join_events events = {
		.ctx = output,
		.session = on_session,
		.report = on_report,
		.progress = on_progress,
	};
	struct joined joined;
	int err = join_run(join, &events, &joined);

	if (err < 0) {
		clear_progress(output);
		return err;
	}
	return tell_summary(output, &joined);
}

int join(const struct options *options)
{
	struct join_options join = {
		.paths = (const char *const *)options->files,
		.path_count = options->file_count,
		.filter = &options->filter,
		.since_ns = INT64_MIN,
		.until_ns = INT64_MAX,
		.stall_after_ns = options->stall_after_ns,
		.all = options->all,
	};
	struct output output = {
		.options = options,
		.begin_ns = clock_monotonic_ns(),
		/* Lines that come meanwhile on the same terminal are progress enough. */
		.shows = isatty(STDERR_FILENO) && !options->quiet,
	};
	int err = resolve(options, &join);

	if (err)
		return err;
	output.sink = output_open(options);
	output.stats = stats_new();
	join.stats = output.stats;
	err = output.sink && output.stats ? run(&output, &join) : -ENOMEM;
	stats_free(output.stats);
	sink_free(output.sink);
	/* Nobody reads any more: that is how pipes end, not a failure. */
	return err == -EPIPE ? 0 : err;
}
