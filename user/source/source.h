/* SPDX-License-Identifier: GPL-2.0-only */
/* Where records come from. */
#ifndef SYNWATCH_SOURCE_SOURCE_H
#define SYNWATCH_SOURCE_SOURCE_H

#include <stddef.h>
#include <stdint.h>

#include "core/session.h"

/* What a source calls while it runs. */
struct source_events {
	void *ctx;
	/* One record as it crossed the border, include/synwatch/record.h. The
	 * bytes are valid during the call only, and not to be trusted. */
	void (*record)(void *ctx, const void *data, size_t size);
	/* No record older than now_ns is outstanding. */
	void (*advance)(void *ctx, uint64_t now_ns);
	/* The queue ran empty. Negative errno or positive to stop. */
	int (*idle)(void *ctx);
};

struct source;

struct source_ops {
	const char *name;
	/* Filled in by the time the source exists. */
	const struct session *(*session)(const struct source *source);
	/* Runs until the end, or until told to stop (a signal, idle()). Returns
	 * 0, or the negative errno that ended it, already explained in the log.
	 * ret_end_ns is when it ended, on the records' clock, in every case. */
	int (*run)(struct source *source, const struct source_events *events, uint64_t *ret_end_ns);
	void (*free)(struct source *source);
};

/* Embedded as the first member of every kind of source. */
struct source {
	const struct source_ops *ops;
};

static inline const struct session *source_session(const struct source *source)
{
	return source->ops->session(source);
}

static inline int source_run(struct source *source, const struct source_events *events,
			     uint64_t *ret_end_ns)
{
	return source->ops->run(source, events, ret_end_ns);
}

/* Returns NULL; NULL is fine. */
static inline struct source *source_free(struct source *source)
{
	if (source)
		source->ops->free(source);
	return NULL;
}

#endif /* SYNWATCH_SOURCE_SOURCE_H */
