/* SPDX-License-Identifier: GPL-2.0-only */
/* What the terminal sink prints, for its tests. */
#ifndef SYNWATCH_TESTS_SCREEN_H
#define SYNWATCH_TESTS_SCREEN_H

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/utf8.h"
#include "sink/sink.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* What a sink says to one session (NULL: none) and some reports. */
static inline char *render(const struct sink_terminal_options *options,
			   const struct session *session, const struct report *reports,
			   size_t count)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	struct sink *sink = sink_terminal_new(out, options);
	size_t i;

	assert_non_null(sink);
	if (session)
		assert_int_equal(sink_session(sink, session), 0);
	for (i = 0; i < count; i++)
		assert_int_equal(sink_report(sink, &reports[i]), 0);
	assert_int_equal(sink_flush(sink), 0);
	sink_free(sink);
	fclose(out);
	return text;
}

static inline void set_addr(uint8_t *addr, const char *text)
{
	assert_int_equal(inet_pton(AF_INET6, text, addr), 1);
}

/* Valid UTF-8 of which nothing drives the terminal, and no escape sequence. */
static inline void assert_harmless(const char *text)
{
	size_t length = strlen(text);
	size_t used;
	size_t i;

	for (i = 0; i < length; i += used) {
		int32_t value = utf8_decode(text + i, length - i, &used);

		if (value < 0 || (value != '\n' && utf8_is_unsafe((uint32_t)value)))
			fail_msg("U+%04x at %zu of: %s", (unsigned int)value, i, text);
	}
}

#endif /* SYNWATCH_TESTS_SCREEN_H */
