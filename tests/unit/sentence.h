/* SPDX-License-Identifier: GPL-2.0-only */
/* What is asked of every sentence of a report; after cmocka.h. */
#ifndef SYNWATCH_TEST_SENTENCE_H
#define SYNWATCH_TEST_SENTENCE_H

#include <string.h>

#include "core/report.h"

/* Short, printable, whole. */
static inline void check_sentence(const char *name, const struct report_handshake *report)
{
	size_t length = strnlen(report->why, sizeof(report->why));

	if (length < 10 || length >= sizeof(report->why) - 1)
		fail_msg("%s: %zu bytes of why: %.256s", name, length, report->why);
	for (size_t i = 0; i < length; i++) {
		if (report->why[i] < ' ' || report->why[i] > '~')
			fail_msg("%s: byte %zu is not plain text: %s", name, i, report->why);
	}
	if (report->why[length - 1] == ' ' || strstr(report->why, "  "))
		fail_msg("%s: something is missing: '%s'", name, report->why);
}

#endif /* SYNWATCH_TEST_SENTENCE_H */
