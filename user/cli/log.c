/* SPDX-License-Identifier: GPL-2.0-only */
#include "cli/log.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/utf8.h"

static enum log_level threshold = LOG_INFO;

void log_set_level(enum log_level level)
{
	threshold = level;
}

enum log_level log_level(void)
{
	return threshold;
}

/*
 * One write per message, and PIPE_BUF bytes at most: so messages of several
 * processes that share a stderr never mix within a line.
 */
static void __attribute__((format(printf, 2, 0)))
log_line(enum log_level level, const char *format, va_list arguments)
{
	static const char *const prefixes[] = {
		[LOG_ERROR] = "synwatch: ",
		[LOG_WARNING] = "synwatch: warning: ",
		[LOG_INFO] = "synwatch: ",
		[LOG_DEBUG] = "synwatch: ",
	};
	static const char cut[] = "...";
	char line[PIPE_BUF];
	size_t start, room;
	int length;

	if (level > threshold)
		return;

	start = strlen(strcpy(line, prefixes[level]));
	room = sizeof(line) - start - 1; /* for the line's end */
	length = vsnprintf(line + start, room, format, arguments);
	if (length < 0)
		return;
	if ((size_t)length >= room)
		strcpy(line + start + room - sizeof(cut), cut);
	utf8_safe(line, sizeof(line), line, strlen(line));
	strcat(line, "\n");
	fputs(line, stderr);
}

void log_error(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	log_line(LOG_ERROR, format, arguments);
	va_end(arguments);
}

void log_warning(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	log_line(LOG_WARNING, format, arguments);
	va_end(arguments);
}

void log_info(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	log_line(LOG_INFO, format, arguments);
	va_end(arguments);
}

void log_debug(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	log_line(LOG_DEBUG, format, arguments);
	va_end(arguments);
}
