/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Why this host cannot be watched. The kernel gives a number, and the same one for
 * many reasons; which it is, is found out by trying less.
 */
#ifndef SYNWATCH_SOURCE_OBSTACLE_H
#define SYNWATCH_SOURCE_OBSTACLE_H

#include <stdbool.h>

/*
 *   synwatch: the kernel lets nobody without CAP_BPF load BPF programs, and user 1000
 *   does not have it: run it with sudo, or give it CAP_BPF and CAP_PERFMON
 */
struct obstacle {
	char wrong[320];
	char remedy[320]; /* what to do, an imperative without a full stop */
};

/* Fills both in, formatted: for what is found by others. */
void obstacle_say(struct obstacle *obstacle, const char *remedy, const char *wrong, ...)
	__attribute__((format(printf, 3, 4)));

/* This kernel has no type information; or, says its own, not the tracepoint. */
void obstacle_no_types(struct obstacle *obstacle);

/* The kernel refused to load the programs or to make their maps, with err, a negative
 * errno. */
void obstacle_refused(struct obstacle *obstacle, int err);

/* Is it, as far as can be told, the programs themselves that it refuses? */
bool obstacle_is_program(int err);

#endif /* SYNWATCH_SOURCE_OBSTACLE_H */
