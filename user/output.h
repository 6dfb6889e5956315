/* SPDX-License-Identifier: GPL-2.0-only */
/* What the options say about stdout. */
#ifndef SYNWATCH_OUTPUT_H
#define SYNWATCH_OUTPUT_H

#include <stdbool.h>

#include "cli/options.h"
#include "sink/sink.h"

/* Columns and colours of a terminal; both untouched if it is none. */
void output_look(const struct options *options, unsigned int *ret_width, bool *ret_color);

/* NULL when out of memory. */
struct sink *output_open(const struct options *options);

#endif /* SYNWATCH_OUTPUT_H */
