/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How the handshakes with each place went, and with each subnet: the numbers
 * that patterns are made of.
 */
#ifndef SYNWATCH_CORE_PLACES_H
#define SYNWATCH_CORE_PLACES_H

#include <stdbool.h>
#include <stdint.h>

#include <uthash.h>

#include "core/cells.h"
#include "core/pattern_text.h"
#include "core/patterns.h"
#include "core/report.h"

/* Less than nine of ten is no pattern. */
#define PLACES_SHARE_MIN(of) (((of)*9 + 9) / 10)

/* 64 bit throughout: no padding to hash. A subnet's has the leading bits of the
 * address only. */
struct places_key {
	uint64_t addr[2];
	uint64_t port;
	uint64_t netns;
	uint64_t role;
};

struct places_tally {
	uint64_t known;	     /* handshakes, those whose end nobody saw, too */
	uint64_t healthy;    /* established without trouble */
	struct cells counts; /* those in trouble, by verdict and cause */
};

/* What was told last of a place or a subnet; core/patterns's. */
struct places_told {
	uint64_t time_ns;
	uint64_t count; /* 0: nothing yet */
	enum pattern_kind kind;
	enum outcome outcome;
	enum cause cause;
};

struct places_subnet {
	struct places_key key;
	struct places_tally tally;
	uint32_t remotes;
	/* remotes that have at least one such handshake, by outcome and cause */
	struct cells with;
	struct places_told told;
	UT_hash_handle hh;
};

/*
 * Late successes that came right after a retry. A rule or an outage that ends
 * makes all that wait succeed late, once; so what counts is how often silence
 * and answer took turns: a SYN that got no answer after another had got one.
 */
struct places_late {
	uint64_t count;
	uint64_t second;      /* on the second SYN, and the first asked for ECN */
	uint64_t turns;	      /* silences that do not overlap */
	uint64_t answered_ns; /* the answer that ended the last of them */
	int64_t syn_first;    /* the fewest SYNs that it took */
	int64_t syn_last;     /* the most */
};

struct patterns_place {
	struct places_key key;
	struct places_subnet *subnet; /* clients only */
	struct places_tally tally;
	struct places_late late;
	/* It came when others had been left out already: what came before may
	 * have been about this one. */
	bool partial;
	struct places_told told;
	UT_hash_handle hh;
};

/* Starts zeroed. */
struct places {
	struct patterns_place *table;  /* uthash, in the order of addition, as all here */
	struct places_subnet *subnets; /* no more than places */
	uint64_t untold; /* handshakes that were left out: there are too many places */
};

void places_clear(struct places *places);

/* As patterns_handshake(). Returns the place if there is trouble, else NULL. */
struct patterns_place *places_handshake(struct places *places, struct patterns_mark *mark,
					const struct report_handshake *handshake, bool healthy,
					uint64_t time_ns);

/* Those that had that outcome and that cause. */
uint64_t places_count(const struct places_tally *tally, enum outcome outcome, enum cause cause);

/* Those that got through, late ones included. */
uint64_t places_through(const struct places_tally *tally);

/* Whether nine of ten, and count_min at least, fared alike; then how. */
bool places_are_alike(const struct places_tally *tally, uint64_t count_min,
		      enum outcome *ret_outcome, enum cause *ret_cause);

/* The verdict that all of places_count() have, VERDICT_COUNT if there are several. */
enum verdict places_verdict(const struct places_tally *tally, enum outcome outcome,
			    enum cause cause);

#endif /* SYNWATCH_CORE_PLACES_H */
