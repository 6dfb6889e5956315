/* SPDX-License-Identifier: GPL-2.0-only */
#include "output.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <sys/ioctl.h>

void output_look(const struct options *options, unsigned int *ret_width, bool *ret_color)
{
	const char *no_color = getenv("NO_COLOR"); /* https://no-color.org */
	struct winsize size = {};

	if (!isatty(STDOUT_FILENO))
		return;
	*ret_width = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) ? 80 : size.ws_col;
	if (!*ret_width)
		*ret_width = 80;
	*ret_color = !options->no_color && !(no_color && *no_color);
}

struct sink *output_open(const struct options *options)
{
	struct sink_terminal_options terminal = {
		.quiet = options->quiet,
		.verbose = options->verbose,
	};

	if (options->json)
		return sink_json_new(stdout);
	output_look(options, &terminal.width, &terminal.color);
	return sink_terminal_new(stdout, &terminal);
}
