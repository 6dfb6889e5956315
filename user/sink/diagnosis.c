/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For people, at 80 columns:
 *
 *   Privileges
 *   ok   CAP_BPF                 held: load BPF programs and make their maps
 *   less CAP_SYSLOG              missing: place is null, unless kernel.kptr_restrict
 *                                is 0 and kernel.perf_event_paranoid below 2
 */
#include "sink/diagnosis.h"

#include <stdlib.h>
#include <string.h>

#include "core/utf8.h"
#include "sink/layout.h"
#include "sink/line.h"

#define SCHEMA 1

#define NAME_COLUMN 5
#define TEXT_COLUMN 31

static const struct {
	const char *word; /* JSON, too: these are an interface */
	const char *sign;
	enum layout_style style;
} marks[FINDING_MARK_COUNT] = {
	[FINDING_OK] = {"ok", "ok", LAYOUT_GOOD},
	[FINDING_LESS] = {"less", "less", LAYOUT_WARN},
	[FINDING_NO] = {"no", "NO", LAYOUT_BAD},
	[FINDING_INFO] = {"info", "", LAYOUT_PLAIN},
};

static const struct {
	const char *word; /* JSON */
	const char *title;
} groups[FINDING_GROUP_COUNT] = {
	[FINDING_KERNEL] = {"kernel", "Kernel"},
	[FINDING_HOOKS] = {"hooks", "Hooks and what they tell, tried just now"},
	[FINDING_PRIVILEGES] = {"privileges", "Privileges"},
	[FINDING_NAMESPACES] = {"namespaces", "Namespaces"},
	[FINDING_NETWORK] = {"network", "Sysctls of this network namespace"},
};

struct diagnosis_sink {
	struct line *line; /* JSON, else NULL */
	struct layout layout;
	int group; /* of the last finding, -1: none */
};

struct diagnosis_sink *diagnosis_new(FILE *out, const struct diagnosis_options *options)
{
	struct diagnosis_sink *sink = calloc(1, sizeof(*sink));

	if (!sink)
		return NULL;
	sink->group = -1;
	sink->layout.output.file = out;
	sink->layout.limit = options->width;
	sink->layout.color = options->color;
	if (options->json) {
		sink->line = line_new(out);
		if (!sink->line) {
			free(sink);
			return NULL;
		}
	}
	return sink;
}

static void put_words(struct layout *layout, unsigned int indent, enum layout_style style,
		      const char *text)
{
	char safe[3 * FINDING_MEANING_SIZE];

	utf8_safe(safe, sizeof(safe), text, strlen(text));
	layout_words(layout, indent, style, safe);
}

static void print_finding(struct diagnosis_sink *sink, const struct finding *finding)
{
	struct layout *layout = &sink->layout;
	char value[FINDING_VALUE_SIZE + 1];

	if (sink->group != (int)finding->group) {
		if (sink->group >= 0)
			layout_end_line(layout);
		layout_words(layout, 0, LAYOUT_BOLD, groups[finding->group].title);
		layout_end_line(layout);
	}
	layout_words(layout, 0, marks[finding->mark].style, marks[finding->mark].sign);
	layout_indent(layout, NAME_COLUMN);
	put_words(layout, NAME_COLUMN, LAYOUT_PLAIN, finding->name);
	layout_indent(layout, TEXT_COLUMN);
	(void)snprintf(value, sizeof(value), "%s%s", finding->value,
		       *finding->value && *finding->meaning ? ":" : "");
	put_words(layout, TEXT_COLUMN, LAYOUT_PLAIN, value);
	put_words(layout, TEXT_COLUMN, LAYOUT_DIM, finding->meaning);
	layout_end_line(layout);
}

void diagnosis_finding(struct diagnosis_sink *sink, const struct finding *finding)
{
	if (sink->line) {
		line_begin(sink->line, "finding");
		line_word(sink->line, "group", groups[finding->group].word);
		line_word(sink->line, "mark", marks[finding->mark].word);
		line_text(sink->line, "name", finding->name);
		line_text(sink->line, "value", finding->value);
		line_text(sink->line, "meaning", finding->meaning);
		(void)line_end(sink->line);
	} else {
		print_finding(sink, finding);
	}
	sink->group = finding->group;
}

void diagnosis_end(struct diagnosis_sink *sink, const struct diagnosis *diagnosis)
{
	if (sink->line) {
		line_begin(sink->line, "diagnosis");
		line_uint(sink->line, "schema", SCHEMA);
		line_text(sink->line, "version", diagnosis->version);
		line_text(sink->line, "host", diagnosis->host);
		line_text(sink->line, "kernel", diagnosis->kernel);
		line_bool(sink->line, "watchable", diagnosis->watchable);
		line_text(sink->line, "advice", diagnosis->advice);
		(void)line_end(sink->line);
		return;
	}
	layout_end_line(&sink->layout);
	put_words(&sink->layout, 0, diagnosis->watchable ? LAYOUT_BOLD : LAYOUT_BAD,
		  diagnosis->advice);
	layout_end_line(&sink->layout);
}

int diagnosis_close(struct diagnosis_sink *sink)
{
	int err;

	if (!sink)
		return 0;
	err = sink->line ? line_flush(sink->line) : output_flush(&sink->layout.output);
	line_free(sink->line);
	free(sink);
	return err;
}
