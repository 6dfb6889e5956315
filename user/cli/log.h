/* SPDX-License-Identifier: GPL-2.0-only */
/* Messages for people, on stderr: "synwatch: cannot ...". */
#ifndef SYNWATCH_CLI_LOG_H
#define SYNWATCH_CLI_LOG_H

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

/* The program's only mutable file-level state: the level, LOG_INFO at start. */
void log_set_level(enum log_level level);
enum log_level log_level(void);

void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif /* SYNWATCH_CLI_LOG_H */
