/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One JSON object a line. Knows JSON and its escaping, the units and the nulls
 * of the output, nothing of handshakes.
 */
#ifndef SYNWATCH_SINK_LINE_H
#define SYNWATCH_SINK_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sink/output.h"

struct line;

/* out is not owned. NULL when out of memory. */
struct line *line_new(FILE *out);
void line_free(struct line *line);

/* A line is everything between these two. line_end() returns 0, -ENOMEM (that
 * line is left out) or the first write error of all lines. */
void line_begin(struct line *line, const char *type);
int line_end(struct line *line);

/* As output_flush(). */
int line_flush(struct line *line);

/* Values inside a line, each after its line_key() or in an array. */
void line_key(struct line *line, const char *key); /* ours */
/* Somebody else's, of LINE_KEY_MAX bytes: made harmless (see utf8_safe()). */
#define LINE_KEY_MAX 63
void line_key_text(struct line *line, const char *key);
void line_open_map(struct line *line);
void line_close_map(struct line *line);
void line_open_array(struct line *line);
void line_close_array(struct line *line);
/* Text from somebody else: any bytes become valid JSON (see text_quote()). */
void line_put_text(struct line *line, const char *text, size_t length);
void line_put_null(struct line *line);
void line_put_bool(struct line *line, bool value);

/* Key and value. */
void line_null(struct line *line, const char *key);
void line_bool(struct line *line, const char *key, bool value);
void line_uint(struct line *line, const char *key, uint64_t value);
void line_known(struct line *line, const char *key, uint64_t value); /* 0: null */
void line_int(struct line *line, const char *key, int64_t value);    /* negative: null */
/* With three decimals, what is smaller cut off. */
void line_seconds(struct line *line, const char *key, uint64_t value_ns);
void line_ms(struct line *line, const char *key, int64_t value_ns); /* negative: null */
void line_signed_ms(struct line *line, const char *key, int64_t value_ns);
/* RFC 3339, UTC, microseconds. */
void line_time(struct line *line, const char *key, uint64_t wall_ns);
void line_word(struct line *line, const char *key, const char *word); /* ours; NULL: null */
void line_text(struct line *line, const char *key, const char *text); /* any bytes; "": null */
void line_address(struct line *line, const char *key, const uint8_t *addr);

#endif /* SYNWATCH_SINK_LINE_H */
