/* SPDX-License-Identifier: GPL-2.0-only */
#include "doctor.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/log.h"
#include "output.h"
#include "sink/diagnosis.h"
#include "source/examine.h"

static void on_finding(void *ctx, const struct finding *finding)
{
	diagnosis_finding(ctx, finding);
}

int doctor(const struct options *options)
{
	struct diagnosis_options wanted = {.json = options->json};
	struct diagnosis diagnosis;
	struct diagnosis_sink *sink;
	int err;

	output_look(options, &wanted.width, &wanted.color);
	/* What it cannot reach is among the findings. */
	if (!options->verbose)
		log_set_level(LOG_ERROR);
	sink = diagnosis_new(stdout, &wanted);
	if (!sink) {
		log_error("there is no memory: free some");
		return -ENOMEM;
	}
	examine_host(SYNWATCH_VERSION, on_finding, sink, &diagnosis);
	diagnosis_end(sink, &diagnosis);
	err = diagnosis_close(sink);
	if (err && err != -EPIPE) {
		log_error("cannot write the output: %s", strerror(-err));
		return err;
	}
	return diagnosis.watchable ? 0 : -ENOTSUP;
}
