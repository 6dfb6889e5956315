/* SPDX-License-Identifier: GPL-2.0-only */
/* An engine on a stage, and all that it says, in short; after cmocka.h. */
#ifndef SYNWATCH_TEST_SCENE_H
#define SYNWATCH_TEST_SCENE_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/engine.h"
#include "core/names.h"
#include "facts.h"

/* How far the engine's time runs behind the newest record. */
#define GRACE (20 * MS)

/* The reports so far, a line each: what, when in seconds after BEGIN, verdict
 * and cause, retries; "lost" and "summary" have their numbers. */
struct scene {
	struct engine *engine;
	char *said;
	size_t length;
	size_t heard; /* of it, by expect() */
	FILE *out;
	bool patterns; /* are written, too */
	struct report last;
};

static inline void write_handshake(FILE *out, const struct report *report)
{
	const struct report_handshake *h = &report->handshake;
	double seconds = (double)(int64_t)(report->time_ns - BEGIN) / (double)SEC;
	int64_t retries = h->role == ROLE_CLIENT ? h->syn_retransmits : h->synack_retransmits;

	if (report->type == REPORT_START) {
		assert_true(retries == 0);
		fprintf(out, "start %.3f\n", seconds);
		return;
	}
	fprintf(out, "%s %.3f %s/%s r%" PRId64 "\n", names_report_type(report->type), seconds,
		names_verdict(h->verdict), names_cause(h->cause), retries);
}

static inline void on_report(void *ctx, const struct report *report)
{
	const struct report_loss *loss = &report->loss;
	struct scene *scene = ctx;

	scene->last = *report;
	switch (report->type) {
	case REPORT_LOSS:
		fprintf(scene->out,
			"loss ring%" PRIu64 " full%" PRIu64 " suppressed%" PRIu64 " late%" PRIu64
			" missed%" PRIu64 "\n",
			loss->ring, loss->map_full, loss->suppressed, loss->late, loss->missed);
		break;
	case REPORT_PATTERN:
		if (!scene->patterns)
			break;
		fprintf(scene->out, "pattern %.3f %s\n",
			(double)(int64_t)(report->time_ns - BEGIN) / (double)SEC,
			report->pattern.text);
		break;
	case REPORT_CROWD:
		fprintf(scene->out, "crowd %.3f %s %s\n",
			(double)(int64_t)(report->time_ns - BEGIN) / (double)SEC,
			names_cause(report->crowd.cause), report->crowd.why);
		break;
	case REPORT_SUMMARY:
		fprintf(scene->out, "summary healthy%" PRIu64 " lost%" PRIu64 "\n",
			report->summary.healthy, report->summary.lost);
		break;
	default:
		write_handshake(scene->out, report);
	}
}

static inline struct scene *open_scene(struct engine_options options)
{
	struct scene *scene = calloc(1, sizeof(*scene));

	assert_non_null(scene);
	options.start_ns = BEGIN - SEC;
	options.wall_offset_ns = 1000 * SEC;
	scene->out = open_memstream(&scene->said, &scene->length);
	scene->engine = engine_new(&options, on_report, scene);
	assert_true(scene->out && scene->engine);
	return scene;
}

static inline void feed(struct scene *scene, const void *record, size_t size)
{
	assert_int_equal(engine_feed(scene->engine, record, size), 0);
}

static inline void tell(struct scene *scene, struct sw_handshake facts)
{
	feed(scene, &facts, sizeof(facts));
}

/* What was said since the last time, and nothing else. */
static inline void expect(struct scene *scene, const char *said)
{
	fflush(scene->out);
	assert_string_equal(scene->said + scene->heard, said);
	scene->heard = scene->length;
}

static inline void close_scene(struct scene *scene)
{
	assert_null(engine_free(scene->engine));
	fclose(scene->out);
	free(scene->said);
	free(scene);
}

static inline void finish(struct scene *scene, uint64_t time_ns, const char *said)
{
	engine_finish(scene->engine, time_ns);
	expect(scene, said);
	close_scene(scene);
}

#define QUIET "summary healthy0 lost0\n"

static inline struct sw_handshake of_cookie(struct sw_handshake facts, uint64_t cookie)
{
	facts.cookie = cookie;
	return facts;
}

#endif /* SYNWATCH_TEST_SCENE_H */
