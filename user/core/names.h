/* SPDX-License-Identifier: GPL-2.0-only */
/* Every enum <-> word table. The words are the contract's; see docs/records.md. */
#ifndef SYNWATCH_CORE_NAMES_H
#define SYNWATCH_CORE_NAMES_H

#include <stdint.h>

#include "core/report.h"

/* All return a static string, "?" for a value out of range. */
const char *names_role(enum role role);
const char *names_verdict(enum verdict verdict);
const char *names_cause(enum cause cause);
const char *names_closer_how(enum closer_how how);
const char *names_report_type(enum report_type type);
const char *names_pattern_kind(enum pattern_kind kind);
const char *names_gap(enum report_gap gap);
const char *names_clock_by(enum report_clock_by by);
const char *names_kind(unsigned int kind); /* enum sw_kind: "open", "retry" ... */

/* "ECONNREFUSED"; "errno 1234" is never made up: NULL if there is no name. */
const char *names_errno(int errnum);

/*
 * "port unreachable", for type and code as in RFC 792, RFC 1122 3.2.2.1,
 * RFC 1812 5.2.7.1 (version 4) and RFC 4443 (version 6). code < 0: only the
 * type's name ("destination unreachable"). NULL if there is no name.
 */
const char *names_icmp(unsigned int version, int type, int code);

/* The word -> kind direction, for the text form of records. Returns the kind
 * or -1. */
int names_kind_parse(const char *word);

#endif /* SYNWATCH_CORE_NAMES_H */
