/* SPDX-License-Identifier: GPL-2.0-only */
#include "sink/summary.h"

#include <stdio.h>
#include <string.h>

#include "core/names.h"
#include "sink/text.h"

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

/* "3 timed_out, 1 still hanging", those that occurred; ends the line. */
static void verdicts(struct layout *layout, const uint64_t *counts)
{
	char text[TEXT_UINT_SIZE + 32];
	uint64_t left = sum(counts, VERDICT_COUNT);
	unsigned int i;

	/* The ends first: 0 is VERDICT_STALLED. */
	for (i = 1; i <= VERDICT_COUNT; i++) {
		enum verdict verdict = (enum verdict)(i % VERDICT_COUNT);
		uint64_t count = counts[verdict];

		if (!count)
			continue;
		left -= count;
		snprintf(text, sizeof(text), "%llu %s%s", (unsigned long long)count,
			 verdict == VERDICT_STALLED ? "still hanging" : names_verdict(verdict),
			 left ? "," : "");
		layout_phrase(layout, WRAP, text);
	}
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
		if (!sum(summary->handshakes[i], VERDICT_COUNT))
			continue;
		snprintf(text, sizeof(text), "%s:", names_role((enum role)i));
		entry(layout, text);
		verdicts(layout, summary->handshakes[i]);
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
		size_t length = text_endpoint(text, top->addr, top->port);

		snprintf(text + length, sizeof(text) - length, " %s",
			 top->role == ROLE_SERVER ? "(server):" : "(remote):");
		entry(layout, text);
		verdicts(layout, top->verdicts);
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

		text_safe(safe, sizeof(safe), summary->patterns[i].text,
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

void summary_print(struct layout *layout, const struct report_summary *summary)
{
	char duration[TEXT_DURATION_SIZE];
	char text[96];

	layout_end_line(layout);
	text_duration(duration, summary->duration_ns);
	snprintf(text, sizeof(text), "Summary of %s", duration);
	heading(layout, text);
	print_roles(layout, summary);
	print_healthy(layout, summary);
	snprintf(text, sizeof(text), "SYN retransmissions: %llu",
		 (unsigned long long)summary->syn_retransmits);
	entry(layout, text);
	layout_end_line(layout);
	layout_indent(layout, ENTRY);
	snprintf(text, sizeof(text), "records lost: %llu", (unsigned long long)summary->lost);
	layout_words(layout, WRAP, summary->lost ? LAYOUT_WARN : LAYOUT_PLAIN, text);
	layout_end_line(layout);
	if (summary->suppressed) {
		snprintf(text, sizeof(text), "drops not looked at, of the whole host: %llu",
			 (unsigned long long)summary->suppressed);
		entry(layout, text);
		layout_end_line(layout);
	}
	print_top(layout, summary);
	print_patterns(layout, summary);
}
