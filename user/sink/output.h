/* SPDX-License-Identifier: GPL-2.0-only */
/* A stdio stream whose first error is kept: renderers need not check each write. */
#ifndef SYNWATCH_SINK_OUTPUT_H
#define SYNWATCH_SINK_OUTPUT_H

#include <stddef.h>
#include <stdio.h>

struct output {
	FILE *file; /* not owned */
	int error;  /* 0, or the first error as a negative errno; nothing is written after it */
};

void output_write(struct output *output, const char *text, size_t length);

/* Hands everything buffered to the kernel. Returns output->error. */
int output_flush(struct output *output);

#endif /* SYNWATCH_SINK_OUTPUT_H */
