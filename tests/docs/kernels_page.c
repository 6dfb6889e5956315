/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copies the manual page from stdin to stdout, with the list of what kernels offer
 * made anew from the program's own table. `make man-kernels` keeps what comes out;
 * the lint tests compare it with what is there.
 */
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/offers.h"

#define BEGIN ".\\\" offers: begin\n"
#define END   ".\\\" offers: end\n"

#define COLUMNS 80

/* A sentence, on lines of its own. */
static void print_sentence(const char *start, const char *text)
{
	size_t column = 0;

	for (bool first = true; *text || *start; first = false) {
		const char **from = *start ? &start : &text;
		size_t length = strcspn(*from, " ");

		if (column && column + 1 + length >= COLUMNS) {
			putchar('\n');
			column = 0;
		}
		if (column)
			putchar(' ');
		putchar(first ? toupper((unsigned char)**from) : **from);
		fwrite(*from + 1, 1, length - 1, stdout);
		column += length + (column != 0);
		*from += length + strspn(*from + length, " ");
	}
	puts(".");
}

static void print_offers(void)
{
	size_t count;
	const struct offer *offers = offers_table(&count);

	puts(".Bl -tag -width Ds");
	for (size_t i = 0; i < count; i++) {
		if (offers[i].since)
			printf(".It Li %s Pq Linux %s\n", offers[i].name, offers[i].since);
		else
			printf(".It Li %s\n", offers[i].name);
		print_sentence("", offers[i].what);
		print_sentence("Without it", offers[i].loss);
	}
	puts(".El");
}

int main(void)
{
	bool inside = false, seen = false;
	char line[4096];

	while (fgets(line, sizeof(line), stdin)) {
		if (!strcmp(line, END))
			inside = false;
		if (!inside)
			fputs(line, stdout);
		if (!strcmp(line, BEGIN)) {
			print_offers();
			inside = seen = true;
		}
	}
	return seen && !inside && !fflush(stdout) ? EXIT_SUCCESS : EXIT_FAILURE;
}
