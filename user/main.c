/* SPDX-License-Identifier: GPL-2.0-only */
/* synwatch: one verdict per TCP handshake. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/log.h"
#include "cli/options.h"
#include "doctor.h"
#include "join.h"
#include "watch.h"

/* A descriptor that a caller closed must not become one of ours: data would go
 * into it. */
static void occupy_standard_streams(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		(void)close(fd);
}

static int run(const struct options *options)
{
	if (options->verbose)
		log_set_level(LOG_DEBUG);
	/* A closed stdout is a return value, not a death. */
	(void)signal(SIGPIPE, SIG_IGN);
	/* Nor is a limit on the size of files: a capture pauses then. */
	(void)signal(SIGXFSZ, SIG_IGN);
	if (options->command == COMMAND_JOIN)
		return join(options) ? 1 : 0;
	if (options->command == COMMAND_DOCTOR)
		return doctor(options) ? 1 : 0;
	return watch(options) ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct options options = {};
	int status = 0;

	occupy_standard_streams();
	switch (options_parse(argc, argv, &options, stdout, stderr)) {
	case OPTIONS_RUN:
		status = run(&options);
		break;
	case OPTIONS_DONE:
		break;
	case OPTIONS_WRONG:
		status = 2;
		break;
	}
	options_done(&options);
	return status;
}
