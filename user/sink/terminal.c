/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A table for people. Every report is prepared as cells first, then laid out;
 * at 80 columns a hanging handshake reads
 *
 *   07:40:11.482    4242 curl            -> 10.0.0.1:80           stalled     1.03s
 *                from 10.0.0.2:40112, retry 1 of 6, next in 2.02s, gives up 07:42:17
 *                no answer to 2 SYNs
 */
#include "sink/sink.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "core/names.h"
#include "core/offers.h"
#include "core/utf8.h"
#include "sink/layout.h"
#include "sink/summary.h"
#include "sink/text.h"
#include "sink/timeline.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* What is said about a row stands below it, from the PID on. */
#define INDENT 13

/* The columns of the wide table but the last need so much. */
#define WIDE_MIN 126

enum column {
	COLUMN_TIME,
	COLUMN_PID,
	COLUMN_COMM,
	COLUMN_ROLE,
	COLUMN_LOCAL,
	COLUMN_REMOTE,
	COLUMN_VERDICT,
	COLUMN_AFTER,
	COLUMN_RETRY,
	COLUMN_NEXT,
	COLUMN_GIVES_UP,
	COLUMN_WHY,
	COLUMN_COUNT,
};

static const struct layout_column wide_columns[COLUMN_COUNT] = {
	[COLUMN_TIME] = {.title = "TIME", .width = 12, .rank = 4},
	[COLUMN_PID] = {.title = "PID", .width = 7, .right = true, .rank = 4},
	[COLUMN_COMM] = {.title = "COMM", .width = 15, .rank = 4},
	[COLUMN_ROLE] = {.title = "ROLE", .width = 6, .rank = 4},
	[COLUMN_LOCAL] = {.title = "LOCAL", .width = 21, .rank = 1},
	[COLUMN_REMOTE] = {.title = "REMOTE", .width = 21, .rank = 3},
	[COLUMN_VERDICT] = {.title = "VERDICT", .width = 11, .rank = 4},
	[COLUMN_AFTER] = {.title = "AFTER", .width = 5, .right = true, .rank = 4},
	[COLUMN_RETRY] = {.title = "RETRY", .width = 5, .right = true, .rank = 2},
	[COLUMN_NEXT] = {.title = "NEXT", .width = 5, .right = true, .rank = 2},
	[COLUMN_GIVES_UP] = {.title = "GIVES UP", .width = 8, .rank = 2},
	[COLUMN_WHY] = {.title = "WHY", .sentence = true},
};

/* 80 columns hold what a row is about; the rest is told below it. */
static const struct layout_column narrow_columns[COLUMN_COUNT] = {
	[COLUMN_TIME] = {.title = "TIME", .width = 12, .rank = 4},
	[COLUMN_PID] = {.title = "PID", .width = 7, .right = true, .rank = 4},
	[COLUMN_COMM] = {.title = "COMM", .width = 15, .rank = 4},
	[COLUMN_ROLE] = {.title = "", .width = 2, .rank = 4},
	[COLUMN_LOCAL] = {.hidden = true},
	[COLUMN_REMOTE] = {.title = "REMOTE", .width = 21, .rank = 3},
	[COLUMN_VERDICT] = {.title = "VERDICT", .width = 11, .rank = 4},
	[COLUMN_AFTER] = {.title = "AFTER", .width = 5, .right = true, .rank = 4},
	[COLUMN_RETRY] = {.hidden = true},
	[COLUMN_NEXT] = {.hidden = true},
	[COLUMN_GIVES_UP] = {.hidden = true},
	[COLUMN_WHY] = {.hidden = true, .sentence = true},
};

/* How the two roles are told apart. */
static const struct {
	const char *mark; /* who connects to whom: the remote stands to its right */
	const char *local;
	const char *remote;
	const char *retry;
	const char *retries;
} roles[ROLE_COUNT] = {
	[ROLE_CLIENT] = {"->", "from ", "to ", "retry", "retries"},
	[ROLE_SERVER] = {"<-", "at ", "client ", "SYN-ACK retry", "SYN-ACK retries"},
};

static const enum layout_style verdict_styles[VERDICT_COUNT] = {
	[VERDICT_STALLED] = LAYOUT_WARN,    [VERDICT_ESTABLISHED] = LAYOUT_GOOD,
	[VERDICT_REFUSED] = LAYOUT_BAD,	    [VERDICT_REJECTED] = LAYOUT_BAD,
	[VERDICT_TIMED_OUT] = LAYOUT_BAD,   [VERDICT_ABANDONED] = LAYOUT_WARN,
	[VERDICT_LOCAL_ERROR] = LAYOUT_BAD, [VERDICT_ABORTED] = LAYOUT_BAD,
	[VERDICT_IGNORED] = LAYOUT_BAD,	    [VERDICT_UNKNOWN] = LAYOUT_WARN,
};

struct terminal {
	struct sink sink; /* first */
	struct layout layout;
	struct sink_terminal_options options;
	const struct layout_column *columns;
	bool wide;
	bool titled; /* the columns' titles are there */
};

/* Words of a line; those from somebody else are made harmless. */
static void say(struct terminal *terminal, enum layout_style style, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static void say(struct terminal *terminal, enum layout_style style, const char *format, ...)
{
	va_list arguments;
	char *text;
	int length;

	va_start(arguments, format);
	length = vasprintf(&text, format, arguments);
	va_end(arguments);
	if (length < 0) {
		terminal->layout.output.error = -ENOMEM;
		return;
	}
	utf8_safe(text, (size_t)length + 1, text, (size_t)length);
	layout_words(&terminal->layout, 2, style, text);
	free(text);
}

static void say_watched(struct terminal *terminal, const struct session *session)
{
	unsigned int i;

	if (*session->capture)
		say(terminal, LAYOUT_DIM, "%s: synwatch %s on %s, kernel %s%s", session->capture,
		    session->version, session->host, session->kernel,
		    session->filter_count ? "," : "");
	else
		say(terminal, LAYOUT_DIM, "synwatch %s %s %s, kernel %s%s", session->version,
		    session->live ? "watching" : "reading a capture of", session->host,
		    session->kernel, session->filter_count ? "," : "");
	for (i = 0; i < session->filter_count; i++)
		say(terminal, LAYOUT_DIM, "%s%s=%s", i ? "" : "only ", session->filters[i].name,
		    session->filters[i].values);
	layout_end_line(&terminal->layout);
}

/* What goes unseen without that hook, NULL if nothing is known of it. What only tells
 * less, and what takes a privilege, is for those who ask. */
static const char *cost_of(const struct terminal *terminal, const char *hook)
{
	const struct offer *offer = offers_find(hook);

	if (!offer || (offer->kind != OFFER_HOOK && !terminal->options.verbose))
		return NULL;
	return offer->loss;
}

/* Hooks that serve the same end follow each other: it is said once for them. */
static void say_missing(struct terminal *terminal, const struct session *session)
{
	bool verbose = terminal->options.verbose;
	const char *said = "";
	unsigned int i;

	for (i = 0; i < session->hook_count; i++) {
		const struct session_hook *hook = &session->hooks[i];
		const char *cost = cost_of(terminal, hook->name);

		if (!*hook->why_not || (!verbose && (!cost || !strcmp(cost, said))))
			continue;
		said = cost ? cost : "";
		say(terminal, LAYOUT_WARN, "without %s: %s", hook->name, cost ? cost : "");
		if (verbose)
			say(terminal, LAYOUT_WARN, "(%s)", hook->why_not);
		layout_end_line(&terminal->layout);
	}
}

static int terminal_session(struct sink *sink, const struct session *session)
{
	struct terminal *terminal = (struct terminal *)sink;

	if (!terminal->options.quiet) {
		say_watched(terminal, session);
		say_missing(terminal, session);
	}
	/* Those of a join come all at once. */
	terminal->titled = !*session->capture;
	if (terminal->titled)
		layout_titles(&terminal->layout, terminal->columns, COLUMN_COUNT);
	return terminal->layout.output.error;
}

static void set_cell(struct layout_cell *cell, const char *phrase_prefix, const char *text)
{
	snprintf(cell->text, sizeof(cell->text), "%s", text);
	snprintf(cell->phrase, sizeof(cell->phrase), "%s%s", phrase_prefix, text);
}

#define MORE_OWNERS_SIZE sizeof(" +9223372036854775806")

/* " +2": two more processes have the socket open. MORE_OWNERS_SIZE. */
static void more_owners(char *dst, int64_t owners)
{
	*dst = '\0';
	if (owners > 1)
		snprintf(dst, MORE_OWNERS_SIZE, " +%lld", (long long)owners - 1);
}

/* "curl +2": two more processes have the socket open. */
static void cells_owner(struct layout_cell *cells, const struct report_handshake *handshake)
{
	const struct sw_owner *owner = &handshake->owner;
	char text[TEXT_UINT_SIZE] = "-";
	char comm[SW_COMM_LEN + MORE_OWNERS_SIZE] = "-";
	size_t length;

	if (handshake->has_owner) {
		text_uint(text, owner->pid);
		length = utf8_safe(comm, SW_COMM_LEN + 1, owner->comm,
				   strnlen(owner->comm, SW_COMM_LEN));
		more_owners(comm + length, handshake->owners);
	}
	set_cell(&cells[COLUMN_PID], "pid ", text);
	set_cell(&cells[COLUMN_COMM], "", comm);
}

static void cells_ends(const struct terminal *terminal, struct layout_cell *cells,
		       const struct report_handshake *handshake)
{
	const struct sw_tuple *tuple = &handshake->tuple;
	enum role role = handshake->role;
	char text[TEXT_ENDPOINT_SIZE];

	set_cell(&cells[COLUMN_ROLE], "", terminal->wide ? names_role(role) : roles[role].mark);
	if (tuple->lport || !text_is_unspecified(tuple->laddr)) {
		text_endpoint(text, tuple->laddr, tuple->lport);
		set_cell(&cells[COLUMN_LOCAL], roles[role].local, text);
	}
	if (tuple->family) {
		text_endpoint(text, tuple->raddr, tuple->rport);
		set_cell(&cells[COLUMN_REMOTE], roles[role].remote, text);
	}
}

static void cells_verdict(struct layout_cell *cells, const struct report *report)
{
	const struct report_handshake *handshake = &report->handshake;
	struct layout_cell *verdict = &cells[COLUMN_VERDICT];
	char text[TEXT_DURATION_SIZE];

	if (report->type == REPORT_START) {
		set_cell(verdict, "", "start");
		verdict->style = LAYOUT_DIM;
		return;
	}
	set_cell(verdict, "", names_verdict(handshake->verdict));
	verdict->style = verdict_styles[handshake->verdict];
	/* A SYN that is refused or ignored is so when it comes: after nothing. */
	if (handshake->elapsed_ns > 0) {
		text_duration(text, (uint64_t)handshake->elapsed_ns);
		set_cell(&cells[COLUMN_AFTER], "after ", text);
	}
}

/* "1/6" while it hangs, "6" of an unknown or no longer interesting limit. */
static void cell_retry(struct layout_cell *cell, const struct report_handshake *handshake)
{
	long long limit = handshake->retry_limit;
	long long made = handshake->synack_retransmits;

	/* The kernel counts a retry that never left this host, too. */
	if (handshake->role == ROLE_CLIENT) {
		made = handshake->syn_retransmits;
		if (made >= 0 && handshake->syn_unsent > 0)
			made += handshake->syn_unsent;
	}
	if (made < 0 || (!made && limit < 0))
		return;
	if (limit >= 0) {
		snprintf(cell->text, sizeof(cell->text), "%lld/%lld", made, limit);
		snprintf(cell->phrase, sizeof(cell->phrase), "%s %lld of %lld",
			 roles[handshake->role].retry, made, limit);
	} else {
		snprintf(cell->text, sizeof(cell->text), "%lld", made);
		snprintf(cell->phrase, sizeof(cell->phrase), "%lld %s", made,
			 made == 1 ? roles[handshake->role].retry : roles[handshake->role].retries);
	}
}

static void cells_schedule(struct layout_cell *cells, const struct report *report)
{
	const struct report_handshake *handshake = &report->handshake;
	char text[TEXT_DURATION_SIZE];

	cell_retry(&cells[COLUMN_RETRY], handshake);
	if (handshake->next_retry_ns >= 0) {
		text_duration(text, (uint64_t)handshake->next_retry_ns);
		set_cell(&cells[COLUMN_NEXT], "next in ", text);
	}
	if (handshake->give_up_ns >= 0) {
		text_clock(text, report->wall_ns + (uint64_t)handshake->give_up_ns, false);
		set_cell(&cells[COLUMN_GIVES_UP], "gives up ", text);
	}
}

static void print_handshake(struct terminal *terminal, const struct report *report)
{
	const struct report_handshake *handshake = &report->handshake;
	struct layout_cell cells[COLUMN_COUNT] = {0};
	char text[sizeof(handshake->why)];

	if (handshake->peer && !terminal->titled)
		layout_titles(&terminal->layout, terminal->columns, COLUMN_COUNT);
	terminal->titled = true;
	text_clock(text, report->wall_ns, true);
	set_cell(&cells[COLUMN_TIME], "", text);
	cells_owner(cells, handshake);
	cells_ends(terminal, cells, handshake);
	cells_verdict(cells, report);
	cells_schedule(cells, report);
	utf8_safe(text, sizeof(text), handshake->why, strlen(handshake->why));
	set_cell(&cells[COLUMN_WHY], "", text);
	layout_row(&terminal->layout, terminal->columns, cells, COLUMN_COUNT, INDENT);
	if (handshake->peer && terminal->options.verbose)
		timeline_print(&terminal->layout, handshake);
}

static void print_loss(struct terminal *terminal, const struct report *report)
{
	const struct report_loss *loss = &report->loss;
	const struct {
		uint64_t count;
		const char *why;
	} parts[] = {
		{loss->ring, "ring buffer full"},
		{loss->map_full, "handshake table full"},
		{loss->late, "too late to be put in order"},
		{loss->missed, "program not run by the kernel"},
	};
	char time[TEXT_CLOCK_SIZE];
	const char *separator = "";
	size_t i;

	/* Drops of other people's segments, under a flood, lose no record: the
	 * summary has their number. */
	if (!loss->ring && !loss->map_full && !loss->late && !loss->missed)
		return;
	text_clock(time, report->wall_ns, true);
	say(terminal, LAYOUT_WARN, "%s lost:", time);
	for (i = 0; i < ARRAY_SIZE(parts); i++) {
		if (!parts[i].count)
			continue;
		say(terminal, LAYOUT_WARN, "%s%llu record%s (%s)", separator,
		    (unsigned long long)parts[i].count, parts[i].count == 1 ? "" : "s",
		    parts[i].why);
		separator = "and ";
	}
	layout_end_line(&terminal->layout);
}

/* Who listens, where that is known. */
static void print_crowd(struct terminal *terminal, const struct report *report)
{
	const struct report_crowd *crowd = &report->crowd;
	const struct sw_owner *owner = &crowd->owner;
	char place[TEXT_ENDPOINT_SIZE];
	char time[TEXT_CLOCK_SIZE];
	char more[MORE_OWNERS_SIZE];

	text_clock(time, report->wall_ns, true);
	text_endpoint(place, crowd->tuple.laddr, crowd->tuple.lport);
	more_owners(more, crowd->owners);
	if (crowd->has_owner)
		say(terminal, LAYOUT_WARN, "%s crowd: %s %.*s[%u]%s: %s", time, place, SW_COMM_LEN,
		    owner->comm, owner->pid, more, crowd->why);
	else
		say(terminal, LAYOUT_WARN, "%s crowd: %s: %s", time, place, crowd->why);
	layout_end_line(&terminal->layout);
}

static void print_pattern(struct terminal *terminal, const struct report *report)
{
	char time[TEXT_CLOCK_SIZE];

	text_clock(time, report->wall_ns, true);
	say(terminal, LAYOUT_BOLD, "%s pattern: %s", time, report->pattern.text);
	layout_end_line(&terminal->layout);
}

/* "web2.db: its clock is 90.0s ahead of that in web1.db, +/- 1.2ms, by 12 handshakes in both" */
static void print_clock(struct terminal *terminal, const struct report *report)
{
	const struct report_clock *clock = &report->clock;
	char offset[TEXT_DURATION_SIZE], spread[TEXT_DURATION_SIZE];
	int64_t offset_ns = clock->offset_ns;

	if (clock->by != CLOCK_BY_HANDSHAKES) {
		say(terminal, LAYOUT_WARN,
		    "%s and %s have no handshake in common: their wall clocks are taken to be "
		    "right",
		    clock->client, clock->server);
	} else {
		text_duration(offset, offset_ns < 0 ? -(uint64_t)offset_ns : (uint64_t)offset_ns);
		text_duration(spread, clock->spread_ns);
		say(terminal, LAYOUT_DIM,
		    "%s: its clock is %s %s that in %s, +/- %s, by %llu handshake%s in both",
		    clock->server, offset, offset_ns < 0 ? "behind" : "ahead of", clock->client,
		    spread, (unsigned long long)clock->handshakes,
		    clock->handshakes == 1 ? "" : "s");
	}
	layout_end_line(&terminal->layout);
}

static void print_summary(struct terminal *terminal, const struct report *report)
{
	summary_print(&terminal->layout, &report->summary);
}

static int terminal_report(struct sink *sink, const struct report *report)
{
	static void (*const print[REPORT_TYPE_COUNT])(struct terminal *, const struct report *) = {
		[REPORT_START] = print_handshake, [REPORT_STALL] = print_handshake,
		[REPORT_END] = print_handshake,	  [REPORT_LOSS] = print_loss,
		[REPORT_CROWD] = print_crowd,	  [REPORT_PATTERN] = print_pattern,
		[REPORT_CLOCK] = print_clock,	  [REPORT_SUMMARY] = print_summary,
	};
	struct terminal *terminal = (struct terminal *)sink;
	bool final = report->type == REPORT_END || report->type == REPORT_SUMMARY ||
		     (report->type == REPORT_STALL && report->handshake.peer);

	if (final || !terminal->options.quiet)
		print[report->type](terminal, report);
	return terminal->layout.output.error;
}

static int terminal_flush(struct sink *sink)
{
	return output_flush(&((struct terminal *)sink)->layout.output);
}

static void terminal_free(struct sink *sink)
{
	free(sink);
}

struct sink *sink_terminal_new(FILE *out, const struct sink_terminal_options *options)
{
	static const struct sink_ops ops = {
		.name = "terminal",
		.session = terminal_session,
		.report = terminal_report,
		.flush = terminal_flush,
		.free = terminal_free,
	};
	struct terminal *terminal = calloc(1, sizeof(*terminal));

	if (!terminal)
		return NULL;
	terminal->sink.ops = &ops;
	terminal->options = *options;
	terminal->layout.output.file = out;
	terminal->layout.limit = options->width;
	terminal->layout.color = options->color;
	/* Not a terminal: one line each, however long, for grep. */
	terminal->wide = !options->width || options->width >= WIDE_MIN;
	terminal->columns = terminal->wide ? wide_columns : narrow_columns;
	return &terminal->sink;
}
