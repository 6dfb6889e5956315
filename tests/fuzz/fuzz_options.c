/* SPDX-License-Identifier: GPL-2.0-only */
/* A command line: the input is its words, each with a NUL behind it. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/options.h"
#include "core/utf8.h"
#include "driver.h"

#define WORDS_MAX 64

/* One sentence on one line, that drives no terminal. */
static void check_sentence(const char *text, size_t length)
{
	static const char prefix[] = "synwatch: ";
	size_t used;

	if (length <= sizeof(prefix) || strncmp(text, prefix, sizeof(prefix) - 1) ||
	    text[length - 1] != '\n')
		abort();
	for (size_t i = 0; i < length - 1; i += used) {
		int32_t value = utf8_decode(text + i, length - 1 - i, &used);

		if (value < 0 || utf8_is_unsafe((uint32_t)value))
			abort();
	}
}

static void check_options(const struct options *options)
{
	static const struct sw_handshake nobody;
	static const struct sw_crowd crowd;

	if (options->word_count > SESSION_FILTERS_MAX ||
	    (options->max_size && options->max_size < OPTIONS_SIZE_MIN))
		abort();
	if (options->since.kind)
		(void)moment_resolve(&options->since, INT64_MAX / 2);
	if (options->until.kind)
		(void)moment_resolve(&options->until, 0);
	(void)filter_match(&options->filter, &nobody);
	(void)filter_match_crowd(&options->filter, &crowd);
}

/* The words as main() would have them, of a copy that ends where they end. */
static int split(char *text, size_t size, char **argv)
{
	static char name[] = "synwatch";
	char *end = text + size;
	int argc = 0;

	argv[argc++] = name;
	for (; text < end && argc < WORDS_MAX; text += strlen(text) + 1)
		argv[argc++] = text;
	argv[argc] = NULL;
	return argc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *argv[WORDS_MAX + 1], *text = malloc(size + 1), *said = NULL;
	struct options options = {};
	FILE *out = fopen("/dev/null", "w");
	size_t length = 0;
	FILE *err = open_memstream(&said, &length);
	enum options_result result;

	if (!text || !out || !err)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	result = options_parse(split(text, size, argv), argv, &options, out, err);
	fclose(err);
	if (result == OPTIONS_WRONG)
		check_sentence(said, length);
	else if (length)
		abort();
	if (result == OPTIONS_RUN)
		check_options(&options);
	options_done(&options);
	fclose(out);
	free(said);
	free(text);
	return 0;
}
