/* SPDX-License-Identifier: GPL-2.0-only */
/* The sentence that tells a pattern. */
#ifndef SYNWATCH_CORE_PATTERN_TEXT_H
#define SYNWATCH_CORE_PATTERN_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/report.h"

/* How a handshake went, as patterns tell it apart. */
enum outcome {
	OUTCOME_HUNG, /* whoever ended it: the kernel, the application, nobody yet */
	OUTCOME_LATE, /* established, but it had hung */
	OUTCOME_REFUSED,
	OUTCOME_REJECTED,
	OUTCOME_FAILED, /* connect() at once */
	OUTCOME_COUNT,
};

/* The numbers of the sentence that are not in the report itself. */
struct pattern_facts {
	enum outcome outcome;
	uint64_t through; /* got through, late ones included */
	/* Other remotes of the same subnet, same port; 0: nothing is known. */
	uint64_t neighbours;
	uint64_t neighbours_through;
	/* PATTERN_SUBNET */
	uint32_t remotes;
	uint32_t remotes_of;
	/* PATTERN_LOSS: how often answers came and failed to come in turn, and which
	 * SYN was answered, counted from 1. */
	uint64_t turns;
	int64_t syn_first;
	int64_t syn_last;
	bool ecn; /* PATTERN_LOSS: a path that drops ECN would look the same */
};

/* Leading bits that the addresses of a subnet share: /24 or /64. */
unsigned int pattern_text_prefix(const uint8_t *addr);

/* Fills in pattern->text from all that the pattern and the facts say. */
void pattern_text(struct report_pattern *pattern, const struct pattern_facts *facts);

#endif /* SYNWATCH_CORE_PATTERN_TEXT_H */
