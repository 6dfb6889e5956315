/* SPDX-License-Identifier: GPL-2.0-only */
/* argv -> struct options. */
#ifndef SYNWATCH_CLI_OPTIONS_H
#define SYNWATCH_CLI_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "cli/filter.h"
#include "cli/moment.h"
#include "core/session.h"

/* A capture of less could not be kept within its bounds. */
#define OPTIONS_SIZE_MIN 65536

enum options_command {
	COMMAND_WATCH,	/* synwatch [OPTIONS] */
	COMMAND_READ,	/* synwatch [OPTIONS] read FILE */
	COMMAND_JOIN,	/* synwatch [OPTIONS] join FILE FILE... */
	COMMAND_DOCTOR, /* synwatch [OPTIONS] doctor */
};

struct options {
	enum options_command command;
	const char *file; /* COMMAND_READ */
	char **files;	  /* COMMAND_JOIN: in argv */
	unsigned int file_count;
	struct filter filter;
	/* The filters as given, for the session line: values are owned here. */
	struct session_filter words[SESSION_FILTERS_MAX];
	unsigned int word_count;
	uint64_t stall_after_ns; /* 0: first retransmission, or 1 s */
	uint64_t duration_ns;	 /* 0: until told to stop */
	uint64_t count;		 /* 0: no limit */
	const char *write;	 /* COMMAND_WATCH: the capture to record, NULL: none */
	uint64_t max_size;	 /* of it, bytes, 0: a default */
	uint64_t max_age_ns;	 /* of what is in it, 0: unlimited */
	struct moment since;	 /* COMMAND_READ, COMMAND_JOIN */
	struct moment until;
	bool all;
	bool json;
	bool quiet;
	bool verbose;
	bool no_color;
};

enum options_result {
	OPTIONS_RUN,
	OPTIONS_DONE,  /* --help, --version: printed to out, exit 0 */
	OPTIONS_WRONG, /* one sentence printed to err, exit 2 */
};

/*
 * Touches no global state. ret_options is written with OPTIONS_RUN only: start
 * with a zeroed one, then options_done() is right in every case. It points into
 * argv, which is permuted (options first).
 */
enum options_result options_parse(int argc, char **argv, struct options *ret_options, FILE *out,
				  FILE *err);
void options_done(struct options *options);

#endif /* SYNWATCH_CLI_OPTIONS_H */
