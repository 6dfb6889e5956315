/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a kernel, or what this process may do, offers the watch: the keys of `hooks`
 * in the session. One table, for the session's header, for doctor and for the manual
 * page's section KERNELS, which is made from it.
 */
#ifndef SYNWATCH_CORE_OFFERS_H
#define SYNWATCH_CORE_OFFERS_H

#include <stdbool.h>
#include <stddef.h>

enum offer_kind {
	OFFER_HOOK,	  /* something to attach to */
	OFFER_REFINEMENT, /* of one: it tells more than an older kernel's */
	OFFER_ENTRY,	  /* of a function: tells more, and a kernel may refuse it */
	OFFER_REACH,	  /* what this process may look at: no kernel lacks it */
};

struct offer {
	const char *name;
	enum offer_kind kind;
	/* The first Linux that has it, for people: no decision rests on it. NULL: all that
	 * can run synwatch. */
	const char *since;
	const char *what; /* it is, or tells; a phrase */
	const char *loss; /* what cannot be told without it; a phrase */
};

const struct offer *offers_table(size_t *ret_count);

/* NULL if there is none of that name. */
const struct offer *offers_find(const char *name);

#endif /* SYNWATCH_CORE_OFFERS_H */
