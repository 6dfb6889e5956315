/* SPDX-License-Identifier: GPL-2.0-only */
/* Somebody else's text, on its way to a terminal and into JSON. */
#include <stdlib.h>
#include <string.h>

#include <yajl/yajl_tree.h>

#include "core/utf8.h"
#include "driver.h"
#include "sink/text.h"

static void check_harmless(const char *text, size_t length)
{
	size_t used;

	for (size_t i = 0; i < length; i += used) {
		int32_t value = utf8_decode(text + i, length - i, &used);

		if (value < 0 || utf8_is_unsafe((uint32_t)value))
			abort();
	}
}

static void check_safe(const char *text, size_t size, size_t room)
{
	char *safe = malloc(room);
	size_t length;

	if (!safe)
		abort();
	length = utf8_safe(safe, room, text, size);
	if (length >= room || safe[length] || memchr(safe, '\0', length))
		abort();
	check_harmless(safe, length);
	if (utf8_width(safe, length) > 2 * length)
		abort();
	free(safe);
}

/* A JSON string, and in the line nothing that a terminal would obey. */
static void check_quoted(const char *text, size_t size)
{
	char *quoted = malloc(TEXT_QUOTE_SIZE(size));
	char error[128];
	size_t length;
	yajl_val value;

	if (!quoted)
		abort();
	length = text_quote(quoted, text, size);
	if (length >= TEXT_QUOTE_SIZE(size) || quoted[length])
		abort();
	check_harmless(quoted, length);
	value = yajl_tree_parse(quoted, error, sizeof(error));
	if (!YAJL_IS_STRING(value))
		abort();
	yajl_tree_free(value);
	if (text_is_plain(text, size) && (length != size + 2 || memcmp(quoted + 1, text, size)))
		abort();
	free(quoted);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Of its own, so that reading on behind it is noticed. */
	char *text = malloc(size ? size : 1);

	if (!text)
		abort();
	memcpy(text, data, size);
	check_safe(text, size, 1);
	check_safe(text, size, size / 2 + 1);
	check_safe(text, size, size + 1);
	check_quoted(text, size);
	free(text);
	return 0;
}
