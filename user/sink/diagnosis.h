/* SPDX-License-Identifier: GPL-2.0-only */
/* What doctor found: a list for people, or JSON Lines. */
#ifndef SYNWATCH_SINK_DIAGNOSIS_H
#define SYNWATCH_SINK_DIAGNOSIS_H

#include <stdio.h>

#include "core/finding.h"

struct diagnosis_options {
	bool json;
	unsigned int width; /* columns of the terminal, 0: not a terminal */
	bool color;
};

struct diagnosis_sink;

/* out is not owned. NULL when out of memory. */
struct diagnosis_sink *diagnosis_new(FILE *out, const struct diagnosis_options *options);

/* What is from anywhere is made harmless. */
void diagnosis_finding(struct diagnosis_sink *sink, const struct finding *finding);
void diagnosis_end(struct diagnosis_sink *sink, const struct diagnosis *diagnosis);

/* Returns 0, or the first write error; frees it. NULL is fine. */
int diagnosis_close(struct diagnosis_sink *sink);

#endif /* SYNWATCH_SINK_DIAGNOSIS_H */
