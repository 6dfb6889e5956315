/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel side only counts, as records. */
#ifndef SYNWATCH_SOURCE_TOTALS_H
#define SYNWATCH_SOURCE_TOTALS_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/types.h>

#include "synwatch/config.h"
#include "synwatch/record.h"

/* All CPUs' together, from the map `totals`. Returns 0 or a negative errno. */
int totals_read(int map_fd, struct sw_totals *ret_totals);

/* What came since then, without header. False if it is nothing. */
bool totals_counts(const struct sw_totals *now, const struct sw_totals *then,
		   struct sw_counts *ret_counts);
bool totals_loss(const struct sw_totals *now, const struct sw_totals *then,
		 struct sw_loss *ret_loss);

#endif /* SYNWATCH_SOURCE_TOTALS_H */
