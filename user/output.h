/* SPDX-License-Identifier: GPL-2.0-only */
/* What the options say about stdout. */
#ifndef SYNWATCH_OUTPUT_H
#define SYNWATCH_OUTPUT_H

#include "cli/options.h"
#include "sink/sink.h"

/* NULL when out of memory. */
struct sink *output_open(const struct options *options);

#endif /* SYNWATCH_OUTPUT_H */
