/* SPDX-License-Identifier: GPL-2.0-only */
/* What this kernel and these privileges allow, line by line. */
#ifndef SYNWATCH_DOCTOR_H
#define SYNWATCH_DOCTOR_H

#include "cli/options.h"

/* Returns 0 if this host can be watched, else a negative errno; a closed output is no
 * failure. */
int doctor(const struct options *options);

#endif /* SYNWATCH_DOCTOR_H */
