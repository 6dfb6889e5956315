/* SPDX-License-Identifier: GPL-2.0-only */
#include "source/kallsyms.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* Text, of global or local binding, or weak; what else there is, is data. */
static bool is_function(char type)
{
	return type && strchr("tTwW", type);
}

/* "ffffffff81a3c5d0 T nf_hook_slow\t[module]\n"; name is cut out of the line.
 * False for anything but a function with an address. */
static bool parse(char *line, uint64_t *ret_start, const char **ret_name)
{
	uint64_t start;
	char *rest;

	if (!isxdigit((unsigned char)*line))
		return false;
	start = strtoull(line, &rest, 16);
	if (!start || rest[0] != ' ' || !is_function(rest[1]) || rest[2] != ' ')
		return false;
	rest += 3;
	rest[strcspn(rest, " \t\n")] = '\0';
	if (!*rest)
		return false;
	*ret_start = start;
	*ret_name = rest;
	return true;
}

/* The kernel's own symbols are sorted; those of modules come after, and are not. */
bool kallsyms_function(FILE *file, uint64_t address, char *ret_name, size_t size)
{
	uint64_t nearest = 0;
	char *line = NULL;
	size_t room = 0;

	*ret_name = '\0';
	while (getline(&line, &room, file) >= 0) {
		const char *name;
		uint64_t start;

		if (!parse(line, &start, &name) || start > address || start <= nearest)
			continue;
		nearest = start;
		(void)snprintf(ret_name, size, "%s", name);
	}
	free(line);
	return nearest != 0;
}
