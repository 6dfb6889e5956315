/* SPDX-License-Identifier: GPL-2.0-only */
#include "source/libbpf_log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/libbpf.h>

#include "cli/log.h"

static int on_message(enum libbpf_print_level level, const char *format, va_list args)
{
	char *text, *rest;

	if (level != LIBBPF_WARN || log_level() < LOG_DEBUG || vasprintf(&text, format, args) < 0)
		return 0;
	rest = text;
	for (const char *line; (line = strsep(&rest, "\n"));) {
		if (*line)
			log_debug("%s", line);
	}
	free(text);
	return 0;
}

void libbpf_log_quiet(void)
{
	(void)libbpf_set_print(on_message);
}
