/* SPDX-License-Identifier: GPL-2.0-only */
#include "output.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <sys/ioctl.h>

struct sink *output_open(const struct options *options)
{
	const char *no_color = getenv("NO_COLOR"); /* https://no-color.org */
	struct winsize size = {};
	struct sink_terminal_options terminal = {
		.quiet = options->quiet,
		.verbose = options->verbose,
	};

	if (options->json)
		return sink_json_new(stdout);
	if (isatty(STDOUT_FILENO)) {
		terminal.width = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) ? 80 : size.ws_col;
		if (!terminal.width)
			terminal.width = 80;
		terminal.color = !options->no_color && !(no_color && *no_color);
	}
	return sink_terminal_new(stdout, &terminal);
}
