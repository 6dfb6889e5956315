/* SPDX-License-Identifier: GPL-2.0-only */
#include "sink/layout.h"

#include <string.h>

#include "core/utf8.h"

static const char *const escapes[LAYOUT_STYLE_COUNT] = {
	[LAYOUT_PLAIN] = "",	    [LAYOUT_BOLD] = "\033[1m",	[LAYOUT_DIM] = "\033[2m",
	[LAYOUT_GOOD] = "\033[32m", [LAYOUT_WARN] = "\033[33m", [LAYOUT_BAD] = "\033[1;31m",
};

static void style_on(struct layout *layout, enum layout_style style)
{
	if (layout->color)
		output_write(&layout->output, escapes[style], strlen(escapes[style]));
}

static void style_off(struct layout *layout, enum layout_style style)
{
	if (layout->color && style != LAYOUT_PLAIN)
		output_write(&layout->output, "\033[0m", 4);
}

static void put(struct layout *layout, const char *text, size_t length)
{
	output_write(&layout->output, text, length);
	layout->cursor += utf8_width(text, length);
	layout->begun = true;
}

static void pad_to(struct layout *layout, unsigned int column)
{
	for (; layout->cursor < column; layout->cursor++)
		output_write(&layout->output, " ", 1);
}

void layout_indent(struct layout *layout, unsigned int indent)
{
	pad_to(layout, indent);
	layout->begun = false;
}

void layout_end_line(struct layout *layout)
{
	output_write(&layout->output, "\n", 1);
	layout->cursor = 0;
	layout->begun = false;
}

/* A list that no line has room for goes on in the next one, after a comma. */
static void put_list(struct layout *layout, unsigned int indent, const char *text, size_t length)
{
	const char *end = text + length;

	while (text < end) {
		const char *comma = memchr(text, ',', end - text);
		size_t size = comma ? comma + 1 - text : end - text;

		if (layout->begun && layout->cursor + utf8_width(text, size) > layout->limit) {
			layout_end_line(layout);
			layout_indent(layout, indent);
		}
		put(layout, text, size);
		text += size;
	}
}

/* Text that is not broken, but for lists that are too long. */
static void put_unit(struct layout *layout, unsigned int indent, const char *text, size_t length)
{
	unsigned int width = utf8_width(text, length);

	if (layout->begun && layout->limit && layout->cursor + 1 + width > layout->limit) {
		layout_end_line(layout);
		layout_indent(layout, indent);
	}
	if (layout->begun)
		put(layout, " ", 1);
	if (layout->limit && indent + width > layout->limit)
		put_list(layout, indent, text, length);
	else
		put(layout, text, length);
}

void layout_words(struct layout *layout, unsigned int indent, enum layout_style style,
		  const char *text)
{
	style_on(layout, style);
	for (text += strspn(text, " "); *text; text += strspn(text, " ")) {
		size_t length = strcspn(text, " ");

		put_unit(layout, indent, text, length);
		text += length;
	}
	style_off(layout, style);
}

void layout_phrase(struct layout *layout, unsigned int indent, const char *text)
{
	size_t length = strlen(text);

	if (layout->limit && indent + utf8_width(text, length) > layout->limit)
		layout_words(layout, indent, LAYOUT_PLAIN, text);
	else
		put_unit(layout, indent, text, length);
}

void layout_titles(struct layout *layout, const struct layout_column *columns, size_t count)
{
	unsigned int start = 0;
	size_t i;

	style_on(layout, LAYOUT_BOLD);
	for (i = 0; i < count; i++) {
		unsigned int at = start;
		unsigned int width;

		if (columns[i].hidden)
			continue;
		width = (unsigned int)strlen(columns[i].title);
		if (columns[i].right && width < columns[i].width)
			at += columns[i].width - width;
		if (layout->limit && at + width > layout->limit)
			break;
		pad_to(layout, at);
		put(layout, columns[i].title, width);
		start += columns[i].width + 1;
	}
	style_off(layout, LAYOUT_BOLD);
	layout_end_line(layout);
}

static unsigned int cell_width(const struct layout_cell *cell)
{
	return utf8_width(cell->text, strlen(cell->text));
}

/* What the more important cells to the right of this one need at least. */
static unsigned int reserve(const struct layout_column *columns, const struct layout_cell *cells,
			    size_t count, size_t index)
{
	unsigned int width = 0;
	size_t i;

	for (i = index + 1; i < count; i++)
		if (!columns[i].hidden && columns[i].rank > columns[index].rank && *cells[i].text)
			width += 1 + cell_width(&cells[i]);
	return width;
}

/* False if there is no room for it in the row. */
static bool place(struct layout *layout, const struct layout_column *column,
		  const struct layout_cell *cell, unsigned int start, unsigned int reserved)
{
	unsigned int width = cell_width(cell);
	unsigned int at = start;

	if (column->right && width < column->width)
		at += column->width - width;
	/* A sentence rather leaves its column than the row. */
	if (layout->begun && (at <= layout->cursor ||
			      (column->sentence && layout->limit && at + width > layout->limit)))
		at = layout->cursor + 1;
	if (layout->limit && at + width + reserved > layout->limit)
		return false;
	pad_to(layout, at);
	style_on(layout, cell->style);
	put(layout, cell->text, strlen(cell->text));
	style_off(layout, cell->style);
	return true;
}

/* The cells of mask as phrases below the row. */
static void put_phrases(struct layout *layout, const struct layout_cell *cells, unsigned long mask,
			unsigned int indent)
{
	char phrase[LAYOUT_CELL_SIZE + 1];

	if (!mask)
		return;
	layout_indent(layout, indent);
	for (; mask; cells++, mask >>= 1) {
		size_t length = strlen(cells->phrase);

		if (!(mask & 1))
			continue;
		memcpy(phrase, cells->phrase, length);
		strcpy(phrase + length, mask > 1 ? "," : "");
		layout_phrase(layout, indent, phrase);
	}
	layout_end_line(layout);
}

static void put_sentences(struct layout *layout, const struct layout_cell *cells,
			  unsigned long mask, unsigned int indent)
{
	for (; mask; cells++, mask >>= 1) {
		if (!(mask & 1))
			continue;
		layout_indent(layout, indent);
		layout_words(layout, indent, cells->style, cells->text);
		layout_end_line(layout);
	}
}

void layout_row(struct layout *layout, const struct layout_column *columns,
		const struct layout_cell *cells, size_t count, unsigned int indent)
{
	unsigned long sentences = 0; /* bit: index */
	unsigned long phrases = 0;
	unsigned int start = 0;
	size_t i;

	for (i = 0; i < count; i++) {
		unsigned int reserved = reserve(columns, cells, count, i);

		if (*cells[i].text &&
		    (columns[i].hidden || !place(layout, &columns[i], &cells[i], start, reserved)))
			*(columns[i].sentence ? &sentences : &phrases) |= 1UL << i;
		if (!columns[i].hidden)
			start += columns[i].width + 1;
	}
	layout_end_line(layout);
	put_phrases(layout, cells, phrases, indent);
	put_sentences(layout, cells, sentences, indent);
}
