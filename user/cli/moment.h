/* SPDX-License-Identifier: GPL-2.0-only */
/* Moments as people type them: a clock time, or how long ago. */
#ifndef SYNWATCH_CLI_MOMENT_H
#define SYNWATCH_CLI_MOMENT_H

#include <stdbool.h>
#include <stdint.h>

/* What was typed; what it means depends on when it is asked. */
struct moment {
	enum {
		MOMENT_NONE, /* nothing was */
		MOMENT_AGO,
		MOMENT_DATE,  /* a date and a time, of the zone if there is one */
		MOMENT_CLOCK, /* a time of day */
	} kind;
	uint64_t ago_ns;
	int year, month, day; /* 2026, 1 .. 12, 1 .. 31 */
	int hour, minute, second;
	int32_t fraction_ns;
	bool has_zone;
	int zone_s; /* east of Greenwich */
};

/*
 * "-2h" (a duration, as units_duration()); "03:12", "03:12:30"; "2026-11-22",
 * "2026-11-22 03:12", "2026-11-22T03:12:30.5Z", "2026-11-22T03:12:30+01:00". Returns 0
 * or -EINVAL.
 */
int moment_parse(const char *text, struct moment *ret_moment);

/*
 * Nanoseconds since the epoch. Without a zone it is local time (TZ); a time of day alone
 * is the last one that is not after now.
 */
int64_t moment_resolve(const struct moment *moment, int64_t now_ns);

#endif /* SYNWATCH_CLI_MOMENT_H */
