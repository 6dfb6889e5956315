/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Prepared text on a screen of some width: rows of columns, words that wrap.
 * Knows columns and colours, nothing of handshakes. All text handed in is valid
 * UTF-8 without control characters; nothing is ever cut.
 */
#ifndef SYNWATCH_SINK_LAYOUT_H
#define SYNWATCH_SINK_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>

#include "sink/output.h"

enum layout_style {
	LAYOUT_PLAIN,
	LAYOUT_BOLD,
	LAYOUT_DIM,
	LAYOUT_GOOD,
	LAYOUT_WARN,
	LAYOUT_BAD,
	LAYOUT_STYLE_COUNT,
};

struct layout {
	struct output output;
	unsigned int limit; /* columns, 0: no limit */
	bool color;	    /* styles become escape sequences */
	unsigned int cursor;
	bool begun; /* more than indentation on this line */
};

/* Words, wrapped at the limit; every line after the first starts at indent.
 * A word that is longer than a line stands on its own and sticks out. */
void layout_words(struct layout *layout, unsigned int indent, enum layout_style style,
		  const char *text);
/* The same, but broken inside only if it is longer than a line. */
void layout_phrase(struct layout *layout, unsigned int indent, const char *text);
/* Starts a line at that column. */
void layout_indent(struct layout *layout, unsigned int indent);
void layout_end_line(struct layout *layout);

struct layout_column {
	const char *title;
	unsigned int width; /* longer text moves the following columns on */
	bool right;	    /* aligned */
	bool hidden;	    /* never in the row */
	bool sentence;	    /* outside the row it has lines of its own */
	/* Where room is short a cell leaves the row if one of higher rank to
	 * its right would not fit otherwise. */
	unsigned int rank;
};

#define LAYOUT_CELL_SIZE 320

struct layout_cell {
	char text[LAYOUT_CELL_SIZE];   /* empty: nothing to show */
	char phrase[LAYOUT_CELL_SIZE]; /* the same outside the row, where no title explains it */
	enum layout_style style;
};

/* Titles of the columns, those that fit. */
void layout_titles(struct layout *layout, const struct layout_column *columns, size_t count);

/*
 * One row: the cells that fit, then those that do not (and those of hidden
 * columns) as phrases, comma-separated, on indented lines below.
 */
void layout_row(struct layout *layout, const struct layout_column *columns,
		const struct layout_cell *cells, size_t count, unsigned int indent);

#endif /* SYNWATCH_SINK_LAYOUT_H */
