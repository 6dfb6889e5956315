/* SPDX-License-Identifier: GPL-2.0-only */
#include "sink/line.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <yajl/yajl_gen.h>

#include "core/utf8.h"
#include "sink/text.h"

#define NSEC_PER_USEC 1000
#define NSEC_PER_MSEC 1000000

struct line {
	struct output output;
	yajl_gen gen;
	struct text_utc_cache utc;
	int error; /* -ENOMEM while this line was built */
};

struct line *line_new(FILE *out)
{
	struct line *line = calloc(1, sizeof(*line));

	if (!line)
		return NULL;
	line->gen = yajl_gen_alloc(NULL);
	if (!line->gen) {
		free(line);
		return NULL;
	}
	line->output.file = out;
	line->utc.second = UINT64_MAX;
	return line;
}

void line_free(struct line *line)
{
	if (!line)
		return;
	yajl_gen_free(line->gen);
	free(line);
}

/*
 * The generator's status is not looked at: it refuses only a call in the wrong
 * place, and the callers have a fixed shape that the tests parse back.
 */
void line_begin(struct line *line, const char *type)
{
	line->error = 0;
	yajl_gen_map_open(line->gen);
	line_word(line, "type", type);
}

int line_end(struct line *line)
{
	const unsigned char *text;
	size_t length;

	yajl_gen_map_close(line->gen);
	yajl_gen_reset(line->gen, "\n");
	yajl_gen_get_buf(line->gen, &text, &length);
	if (!line->error)
		output_write(&line->output, (const char *)text, length);
	yajl_gen_clear(line->gen);
	return line->error ? line->error : line->output.error;
}

int line_flush(struct line *line)
{
	return output_flush(&line->output);
}

static void put_string(struct line *line, const char *text, size_t length)
{
	yajl_gen_string(line->gen, (const unsigned char *)text, length);
}

void line_key(struct line *line, const char *key)
{
	put_string(line, key, strlen(key));
}

/* A key cannot be given to yajl as a number, so nothing is escaped here but what
 * yajl escapes itself. */
void line_key_text(struct line *line, const char *key)
{
	char safe[LINE_KEY_MAX + 1];

	put_string(line, safe, utf8_safe(safe, sizeof(safe), key, strlen(key)));
}

void line_open_map(struct line *line)
{
	yajl_gen_map_open(line->gen);
}

void line_close_map(struct line *line)
{
	yajl_gen_map_close(line->gen);
}

void line_open_array(struct line *line)
{
	yajl_gen_array_open(line->gen);
}

void line_close_array(struct line *line)
{
	yajl_gen_array_close(line->gen);
}

void line_put_text(struct line *line, const char *text, size_t length)
{
	char *quoted;

	if (text_is_plain(text, length)) {
		put_string(line, text, length);
		return;
	}
	/* yajl would pass invalid UTF-8 on, and C1 controls to a terminal; what
	 * is given to it as a number it writes as it is. */
	quoted = malloc(TEXT_QUOTE_SIZE(length));
	if (!quoted) {
		line->error = -ENOMEM;
		yajl_gen_null(line->gen);
		return;
	}
	yajl_gen_number(line->gen, quoted, text_quote(quoted, text, length));
	free(quoted);
}

void line_put_null(struct line *line)
{
	yajl_gen_null(line->gen);
}

void line_put_bool(struct line *line, bool value)
{
	yajl_gen_bool(line->gen, value);
}

void line_null(struct line *line, const char *key)
{
	line_key(line, key);
	yajl_gen_null(line->gen);
}

void line_bool(struct line *line, const char *key, bool value)
{
	line_key(line, key);
	yajl_gen_bool(line->gen, value);
}

/* Numbers are written as text: yajl_gen_integer() and yajl_gen_double() go
 * through sprintf(). */
void line_uint(struct line *line, const char *key, uint64_t value)
{
	char text[TEXT_UINT_SIZE];

	line_key(line, key);
	yajl_gen_number(line->gen, text, text_uint(text, value));
}

void line_known(struct line *line, const char *key, uint64_t value)
{
	if (value)
		line_uint(line, key, value);
	else
		line_null(line, key);
}

void line_int(struct line *line, const char *key, int64_t value)
{
	if (value >= 0)
		line_uint(line, key, (uint64_t)value);
	else
		line_null(line, key);
}

static void thousandths(struct line *line, const char *key, bool negative, uint64_t value)
{
	char text[TEXT_UINT_SIZE + 5] = "-";
	size_t length = negative;

	length += text_uint(text + length, value / 1000);

	text[length++] = '.';
	text_digits(text + length, value, 3);
	line_key(line, key);
	yajl_gen_number(line->gen, text, length + 3);
}

void line_seconds(struct line *line, const char *key, uint64_t value_ns)
{
	thousandths(line, key, false, value_ns / NSEC_PER_MSEC);
}

void line_ms(struct line *line, const char *key, int64_t value_ns)
{
	if (value_ns >= 0)
		thousandths(line, key, false, (uint64_t)value_ns / NSEC_PER_USEC);
	else
		line_null(line, key);
}

void line_signed_ms(struct line *line, const char *key, int64_t value_ns)
{
	uint64_t size_ns = value_ns < 0 ? -(uint64_t)value_ns : (uint64_t)value_ns;

	thousandths(line, key, value_ns < 0, size_ns / NSEC_PER_USEC);
}

void line_time(struct line *line, const char *key, uint64_t wall_ns)
{
	char text[TEXT_UTC_SIZE];

	line_key(line, key);
	put_string(line, text, text_utc(text, &line->utc, wall_ns));
}

void line_word(struct line *line, const char *key, const char *word)
{
	if (!word) {
		line_null(line, key);
		return;
	}
	line_key(line, key);
	put_string(line, word, strlen(word));
}

void line_text(struct line *line, const char *key, const char *text)
{
	if (!*text) {
		line_null(line, key);
		return;
	}
	line_key(line, key);
	line_put_text(line, text, strlen(text));
}

void line_address(struct line *line, const char *key, const uint8_t *addr)
{
	char text[TEXT_ADDRESS_SIZE];

	line_key(line, key);
	put_string(line, text, text_address(text, addr));
}
