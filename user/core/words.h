/* SPDX-License-Identifier: GPL-2.0-only */
/* Parts of a sentence for people: plain text, never a control character. */
#ifndef SYNWATCH_CORE_WORDS_H
#define SYNWATCH_CORE_WORDS_H

#include <stdint.h>

#include "core/report.h"

/* Returned by value, so that a sentence can be put together in one call. */
struct words {
	char text[256];
};

/* printf for a part. */
struct words words(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A name that a process gave itself; anything but printable ASCII is '?'. */
struct words words_comm(const char *comm);

/* A name of the kernel's (SW_NAME), as a file may tell it: likewise. */
struct words words_name(const char *name);

/* "10.0.0.1", "fd00::1": 16 bytes, IPv4 as v4-mapped. */
struct words words_address(const uint8_t *address);

/* "ECONNREFUSED", or "error 1234" where there is no name. errnum > 0. */
struct words words_errno(int errnum);

/* "1 SYN", "3 SYNs" */
struct words words_count(unsigned int count, const char *noun);

/* "8,412" */
struct words words_number(uint64_t number);

/* The sentence of a report, printf for it. */
void words_why(struct report_handshake *report, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* More of it. What does not fit is cut; the tests have the longest. */
void words_why_more(struct report_handshake *report, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif /* SYNWATCH_CORE_WORDS_H */
