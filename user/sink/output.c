/* SPDX-License-Identifier: GPL-2.0-only */
#include "sink/output.h"

#include <errno.h>

void output_write(struct output *output, const char *text, size_t length)
{
	if (output->error)
		return;

	/* Unlocked: one thread owns the stream, and lines are many. */
	errno = 0;
	if (fwrite_unlocked(text, 1, length, output->file) != length)
		output->error = errno ? -errno : -EIO;
}

int output_flush(struct output *output)
{
	if (output->error)
		return output->error;

	errno = 0;
	if (fflush(output->file))
		output->error = errno ? -errno : -EIO;
	return output->error;
}
