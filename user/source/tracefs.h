/* SPDX-License-Identifier: GPL-2.0-only */
/* The system call tracepoints, which only tracefs can name. */
#ifndef SYNWATCH_SOURCE_TRACEFS_H
#define SYNWATCH_SOURCE_TRACEFS_H

/*
 * The perf event id of a tracepoint. Where tracefs is not mounted it is mounted
 * privately, attached to no directory, for the moment of asking.
 *
 * Returns a positive id or a negative errno.
 */
int tracefs_event_id(const char *category, const char *name);

#endif /* SYNWATCH_SOURCE_TRACEFS_H */
