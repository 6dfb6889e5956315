/* SPDX-License-Identifier: GPL-2.0-only */
/* Where reports go. */
#ifndef SYNWATCH_SINK_SINK_H
#define SYNWATCH_SINK_SINK_H

#include <stdbool.h>
#include <stdio.h>

#include "core/report.h"
#include "core/session.h"

struct sink;

/*
 * What a kind of sink implements. All return 0 or a negative errno; -EPIPE
 * means that nobody reads any more, which ends the program quietly.
 */
struct sink_ops {
	const char *name;
	int (*session)(struct sink *sink, const struct session *session);
	int (*report)(struct sink *sink, const struct report *report);
	int (*flush)(struct sink *sink); /* the queue ran empty */
	void (*free)(struct sink *sink);
};

/* Embedded as the first member of every kind of sink. */
struct sink {
	const struct sink_ops *ops;
};

static inline int sink_session(struct sink *sink, const struct session *session)
{
	return sink->ops->session(sink, session);
}

static inline int sink_report(struct sink *sink, const struct report *report)
{
	return sink->ops->report(sink, report);
}

static inline int sink_flush(struct sink *sink)
{
	return sink->ops->flush(sink);
}

/* Returns NULL; NULL is fine. */
static inline struct sink *sink_free(struct sink *sink)
{
	if (sink)
		sink->ops->free(sink);
	return NULL;
}

/* JSON Lines on out (not owned). NULL when out of memory. */
struct sink *sink_json_new(FILE *out);

struct sink_terminal_options {
	unsigned int width; /* columns of the terminal, 0: not a terminal */
	bool color;
	bool quiet;   /* ends and the summary only */
	bool verbose; /* every hook that is missing, and why */
};

/* A table for people on out (not owned). NULL when out of memory. */
struct sink *sink_terminal_new(FILE *out, const struct sink_terminal_options *options);

#endif /* SYNWATCH_SINK_SINK_H */
