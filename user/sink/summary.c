/* SPDX-License-Identifier: GPL-2.0-only */
#include "sink/summary.h"

#include <stdio.h>
#include <string.h>

#include "core/names.h"
#include "core/utf8.h"
#include "sink/text.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#define NSEC_PER_USEC 1000

/* Entries stand below their heading, what wraps below its entry. */
#define ENTRY 2
#define WRAP  4

static void heading(struct layout *layout, const char *text)
{
	layout_words(layout, ENTRY, LAYOUT_BOLD, text);
	layout_end_line(layout);
}

static void entry(struct layout *layout, const char *text)
{
	layout_indent(layout, ENTRY);
	layout_words(layout, WRAP, LAYOUT_PLAIN, text);
}

static uint64_t sum(const uint64_t *counts, unsigned int count)
{
	uint64_t total = 0;

	while (count--)
		total += counts[count];
	return total;
}

/* One of several counts of a line; what follows is separated. */
static void verdict(struct layout *layout, uint64_t count, const char *what, bool last)
{
	char text[TEXT_UINT_SIZE + 32];

	snprintf(text, sizeof(text), "%llu %s%s", (unsigned long long)count, what, last ? "" : ",");
	layout_phrase(layout, WRAP, text);
}

/* "3 timed_out, 1 still hanging, 12 in crowds", those that occurred; ends the line. */
static void verdicts(struct layout *layout, const uint64_t *counts, uint64_t crowded)
{
	uint64_t left = sum(counts, VERDICT_COUNT) + crowded;
	unsigned int i;

	/* The ends first: 0 is VERDICT_STALLED. */
	for (i = 1; i <= VERDICT_COUNT; i++) {
		enum verdict which = (enum verdict)(i % VERDICT_COUNT);
		uint64_t count = counts[which];

		if (!count)
			continue;
		left -= count;
		verdict(layout, count,
			which == VERDICT_STALLED ? "still hanging" : names_verdict(which), !left);
	}
	if (crowded)
		verdict(layout, crowded, "in crowds", true);
	layout_end_line(layout);
}

/* The time within which that share of the handshakes, at least, was through. */
static uint64_t quantile_ns(const uint64_t *latency, unsigned int percent)
{
	uint64_t total = sum(latency, SW_LATENCY_SLOTS);
	uint64_t seen = 0;
	unsigned int i = 0;

	for (; i < SW_LATENCY_SLOTS - 1; i++) {
		seen += latency[i];
		if (seen * 100 >= total * percent)
			break;
	}
	return (2ULL << i) * NSEC_PER_USEC;
}

static void print_roles(struct layout *layout, const struct report_summary *summary)
{
	char text[32];
	unsigned int shown = 0;
	unsigned int i;

	for (i = 0; i < ROLE_COUNT; i++) {
		uint64_t crowded = i == ROLE_SERVER ? summary->crowded : 0;

		if (!sum(summary->handshakes[i], VERDICT_COUNT) && !crowded)
			continue;
		snprintf(text, sizeof(text), "%s:", names_role((enum role)i));
		entry(layout, text);
		verdicts(layout, summary->handshakes[i], crowded);
		shown++;
	}
	if (!shown) {
		entry(layout, "no handshake in trouble");
		layout_end_line(layout);
	}
}

static void print_healthy(struct layout *layout, const struct report_summary *summary)
{
	char text[96 + 2 * TEXT_DURATION_SIZE];
	char median[TEXT_DURATION_SIZE];
	char tail[TEXT_DURATION_SIZE];

	snprintf(text, sizeof(text), "healthy: %llu", (unsigned long long)summary->healthy);
	entry(layout, text);
	if (sum(summary->latency, SW_LATENCY_SLOTS)) {
		text_duration(median, quantile_ns(summary->latency, 50));
		text_duration(tail, quantile_ns(summary->latency, 99));
		snprintf(text, sizeof(text), "(half within %s, 99%% within %s)", median, tail);
		layout_words(layout, WRAP, LAYOUT_PLAIN, text);
	}
	layout_end_line(layout);
}

static void total(struct layout *layout, const char *what, uint64_t count)
{
	char text[96];

	snprintf(text, sizeof(text), "%s: %llu", what, (unsigned long long)count);
	entry(layout, text);
	layout_end_line(layout);
}

/* A host that serves nobody need not read about servers. */
static void print_totals(struct layout *layout, const struct report_summary *summary)
{
	const struct {
		uint64_t count;
		const char *what;
	} served[] = {
		{summary->accepted, "accepted by servers here"},
		{summary->synack_retransmits, "SYN-ACK retransmissions"},
		{summary->listen_drops, "segments thrown away by listeners"},
	};
	size_t i;

	total(layout, "SYN retransmissions", summary->syn_retransmits);
	for (i = 0; i < ARRAY_SIZE(served); i++)
		if (served[i].count)
			total(layout, served[i].what, served[i].count);
}

/* The places that are known but not shown, and what is beyond those. */
static void print_more(struct layout *layout, const struct report_summary *summary)
{
	char text[2 * TEXT_UINT_SIZE + 64];
	size_t length;

	if (!summary->top_more && !summary->top_untold)
		return;
	length = snprintf(text, sizeof(text), "and %llu more place%s",
			  (unsigned long long)summary->top_more, summary->top_more == 1 ? "" : "s");
	if (summary->top_untold)
		snprintf(text + length, sizeof(text) - length,
			 ", and %llu handshakes with others that are not told apart",
			 (unsigned long long)summary->top_untold);
	entry(layout, text);
	layout_end_line(layout);
}

static void print_top(struct layout *layout, const struct report_summary *summary)
{
	char text[TEXT_ENDPOINT_SIZE + 16];
	unsigned int i;

	if (!summary->top_count)
		return;
	heading(layout, "Most trouble");
	for (i = 0; i < summary->top_count; i++) {
		const struct report_top *top = &summary->top[i];
		uint64_t told = sum(top->verdicts, VERDICT_COUNT);
		size_t length = text_endpoint(text, top->addr, top->port);

		snprintf(text + length, sizeof(text) - length, " %s",
			 top->role == ROLE_SERVER ? "(server):" : "(remote):");
		entry(layout, text);
		/* Only crowds count without a verdict. */
		verdicts(layout, top->verdicts, top->count - told);
	}
	print_more(layout, summary);
}

static void print_patterns(struct layout *layout, const struct report_summary *summary)
{
	char text[TEXT_UINT_SIZE + 64];
	unsigned int i;

	if (summary->pattern_count || summary->patterns_untold)
		heading(layout, "Patterns");
	for (i = 0; i < summary->pattern_count; i++) {
		char safe[sizeof(summary->patterns[i].text)];

		utf8_safe(safe, sizeof(safe), summary->patterns[i].text,
			  strlen(summary->patterns[i].text));
		entry(layout, safe);
		layout_end_line(layout);
	}
	if (!summary->patterns_untold)
		return;
	snprintf(text, sizeof(text), "%llu handshake%s not looked at: too many places",
		 (unsigned long long)summary->patterns_untold,
		 summary->patterns_untold == 1 ? "" : "s");
	entry(layout, text);
	layout_end_line(layout);
}

/* Why the captures could not tell. */
static void print_gaps(struct layout *layout, const struct report_summary *summary)
{
	char text[TEXT_UINT_SIZE + 64];
	unsigned int i;

	for (i = 0; i < REPORT_GAP_COUNT; i++) {
		if (!summary->gaps[i])
			continue;
		snprintf(text, sizeof(text), "unknown: %llu %s",
			 (unsigned long long)summary->gaps[i], names_gap((enum report_gap)i));
		entry(layout, text);
		layout_end_line(layout);
	}
}

void summary_print(struct layout *layout, const struct report_summary *summary)
{
	char duration[TEXT_DURATION_SIZE];
	char text[96];

	layout_end_line(layout);
	text_duration(duration, summary->duration_ns);
	snprintf(text, sizeof(text), "Summary of %s", duration);
	heading(layout, text);
	if (summary->joined) {
		char safe[sizeof(summary->join_text)];

		utf8_safe(safe, sizeof(safe), summary->join_text, strlen(summary->join_text));
		layout_indent(layout, ENTRY);
		layout_words(layout, WRAP, LAYOUT_BOLD, safe);
		layout_end_line(layout);
		print_gaps(layout, summary);
	}
	print_roles(layout, summary);
	print_healthy(layout, summary);
	print_totals(layout, summary);
	layout_indent(layout, ENTRY);
	snprintf(text, sizeof(text), "records lost: %llu", (unsigned long long)summary->lost);
	layout_words(layout, WRAP, summary->lost ? LAYOUT_WARN : LAYOUT_PLAIN, text);
	layout_end_line(layout);
	if (summary->suppressed)
		total(layout, "drops not looked at, of the whole host", summary->suppressed);
	print_top(layout, summary);
	print_patterns(layout, summary);
}
