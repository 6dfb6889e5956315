/* SPDX-License-Identifier: GPL-2.0-only */
/* Handshakes that hang already when the watch begins. */
#ifndef SYNWATCH_SOURCE_SEED_H
#define SYNWATCH_SOURCE_SEED_H

#include <stdbool.h>
#include <stddef.h>

#include <bpf/libbpf.h>

#include "cli/filter.h"
#include "core/session.h"

/* How far it got. */
struct seed_reach {
	bool confined;	    /* it may not enter other network namespaces at all */
	size_t unreachable; /* of those it knew of, so many it could not enter */
};

/*
 * Has the kernel side adopt every client handshake under way, in every network
 * namespace, with its owner. Call it once everything else is attached. link:
 * of the program `seed`; owners_fd: of the map `seed_owners`, empty before and
 * after. Changes the calling thread's network namespace while it runs.
 *
 * What cannot be reached (said once in the log if it is for lack of privilege)
 * is adopted without its owner at its next retry. The addresses of every namespace that
 * is entered, and wanted by the filter, go to the session. Returns 0, or a negative errno
 * if the thread could not return to its namespace. ret_reach is filled in either way.
 */
int seed_run(const struct bpf_link *link, int owners_fd, const struct filter *filter,
	     struct session *session, struct seed_reach *ret_reach);

#endif /* SYNWATCH_SOURCE_SEED_H */
