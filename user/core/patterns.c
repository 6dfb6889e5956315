/* SPDX-License-Identifier: GPL-2.0-only */
#include "core/patterns.h"

#include <stdlib.h>
#include <string.h>

#include "core/pattern_text.h"
#include "core/places.h"

#define NSEC_PER_SEC 1000000000ULL

/* Fewer are no pattern. */
#define COUNT_MIN 3

/* What has been told is not told again before. */
#define AGAIN_NS (30 * NSEC_PER_SEC)

struct patterns {
	struct places places;
	bool all;
	struct patterns_place *touched; /* by the last handshake */
	uint64_t touched_ns;
};

struct patterns *patterns_new(bool all)
{
	struct patterns *patterns = calloc(1, sizeof(*patterns));

	if (patterns)
		patterns->all = all;
	return patterns;
}

struct patterns *patterns_free(struct patterns *patterns)
{
	if (patterns)
		places_clear(&patterns->places);
	free(patterns);
	return NULL;
}

void patterns_handshake(struct patterns *patterns, struct patterns_mark *mark,
			const struct report_handshake *handshake, bool healthy, uint64_t time_ns)
{
	patterns->touched = places_handshake(&patterns->places, mark, handshake, healthy, time_ns);
	patterns->touched_ns = time_ns;
}

void patterns_lost(struct patterns *patterns)
{
	patterns->all = false;
}

uint64_t patterns_untold(const struct patterns *patterns)
{
	return patterns->places.untold;
}

/* A server's healthy handshakes are never all reported: those completed by a
 * syncookie have no request, and a crowd is only counted. */
static bool knows_all(const struct patterns *patterns, const struct patterns_place *place)
{
	return patterns->all && !place->partial && place->key.role == ROLE_CLIENT;
}

/* A pattern on its way to its sentence. */
struct finding {
	struct report_pattern pattern;
	struct pattern_facts facts;
};

/* What all kinds have in common; facts.outcome is set. */
static void describe(struct finding *finding, const struct places_key *key,
		     const struct places_tally *tally, bool all, enum cause cause)
{
	struct report_pattern *pattern = &finding->pattern;
	enum outcome outcome = finding->facts.outcome;

	pattern->role = (enum role)key->role;
	memcpy(pattern->addr, key->addr, sizeof(pattern->addr));
	pattern->port = key->port;
	pattern->netns = key->netns;
	pattern->verdict = places_verdict(tally, outcome, cause);
	pattern->cause = cause;
	pattern->count = places_count(tally, outcome, cause);
	pattern->of = all ? tally->known : tally->known - tally->healthy;
	pattern->healthy = all ? (int64_t)tally->healthy : REPORT_NULL;
	finding->facts.through = places_through(tally);
}

/* Remotes that fail together. Late successes are told one by one. */
static bool find_in_subnet(const struct patterns *patterns, const struct places_subnet *subnet,
			   struct finding *ret_finding)
{
	struct finding finding = {.pattern.kind = PATTERN_SUBNET};
	struct pattern_facts *facts = &finding.facts;
	enum cause cause;

	if (!places_are_alike(&subnet->tally, COUNT_MIN, &facts->outcome, &cause) ||
	    facts->outcome == OUTCOME_LATE)
		return false;
	facts->remotes = cells_get(&subnet->with, facts->outcome, cause);
	facts->remotes_of = subnet->remotes;
	if (facts->remotes < COUNT_MIN || facts->remotes < PLACES_SHARE_MIN(facts->remotes_of))
		return false;
	describe(&finding, &subnet->key, &subnet->tally, patterns->all && !patterns->places.untold,
		 cause);
	finding.pattern.prefix = pattern_text_prefix(finding.pattern.addr);
	*ret_finding = finding;
	return true;
}

/* Of the same subnet and port, if all of them are known. */
static void find_neighbours(const struct patterns *patterns, const struct patterns_place *place,
			    struct pattern_facts *facts)
{
	if (!knows_all(patterns, place) || patterns->places.untold ||
	    facts->outcome == OUTCOME_LATE)
		return;
	facts->neighbours = place->subnet->tally.known - place->tally.known;
	facts->neighbours_through =
		places_through(&place->subnet->tally) - places_through(&place->tally);
}

/*
 * Answered when asked again, time after time, and never given up for want of an
 * answer. If the first SYN asks for ECN, the second does not, and nearly none
 * got through on the first, that is the difference. Without the healthy ones
 * nobody knows that.
 */
static bool find_late(const struct patterns *patterns, const struct patterns_place *place,
		      struct finding *ret_finding)
{
	const struct places_late *late = &place->late;
	bool all = knows_all(patterns, place);
	bool ecn = late->second == late->count;
	struct finding finding = {
		.pattern.kind = PATTERN_LOSS,
		.facts =
			{
				.outcome = OUTCOME_LATE,
				.turns = late->turns,
				.syn_first = late->syn_first,
				.syn_last = late->syn_last,
				.ecn = ecn && !all,
			},
	};

	if (late->turns < COUNT_MIN ||
	    cells_get(&place->tally.counts, VERDICT_TIMED_OUT, CAUSE_NO_ANSWER))
		return false;
	describe(&finding, &place->key, &place->tally, all, CAUSE_NO_ANSWER);
	finding.pattern.count = late->count;
	if (all && ecn && late->count >= PLACES_SHARE_MIN(finding.pattern.of))
		finding.pattern.kind = PATTERN_ECN;
	*ret_finding = finding;
	return true;
}

static bool find_at_place(const struct patterns *patterns, const struct patterns_place *place,
			  struct finding *ret_finding)
{
	struct finding finding = {.pattern.kind = PATTERN_PLACE};
	struct finding wider;
	enum cause cause;
	bool common = places_are_alike(&place->tally, COUNT_MIN, &finding.facts.outcome, &cause);

	if (!common || finding.facts.outcome == OUTCOME_LATE) {
		if (find_late(patterns, place, ret_finding))
			return true;
		if (!common)
			return false;
	}
	/* Told of the subnet, it need not be told of each remote. */
	if (place->subnet && find_in_subnet(patterns, place->subnet, &wider) &&
	    wider.facts.outcome == finding.facts.outcome && wider.pattern.cause == cause)
		return false;
	describe(&finding, &place->key, &place->tally, knows_all(patterns, place), cause);
	find_neighbours(patterns, place, &finding.facts);
	*ret_finding = finding;
	return true;
}

static void tell(const struct finding *finding, struct report_pattern *ret_pattern)
{
	*ret_pattern = finding->pattern;
	pattern_text(ret_pattern, &finding->facts);
}

/* --- news --- */

static bool is_news(struct places_told *told, const struct finding *finding, uint64_t time_ns)
{
	const struct report_pattern *pattern = &finding->pattern;
	bool same = told->kind == pattern->kind && told->cause == pattern->cause &&
		    told->outcome == finding->facts.outcome;

	if (told->count && time_ns < told->time_ns + AGAIN_NS)
		return false;
	if (told->count && same && pattern->count < 2 * told->count)
		return false;
	*told = (struct places_told){
		.time_ns = time_ns,
		.count = pattern->count,
		.kind = pattern->kind,
		.outcome = finding->facts.outcome,
		.cause = pattern->cause,
	};
	return true;
}

bool patterns_news(struct patterns *patterns, struct report_pattern *ret_pattern)
{
	struct patterns_place *place = patterns->touched;
	struct finding finding;

	if (!place)
		return false;
	if ((place->subnet && find_in_subnet(patterns, place->subnet, &finding) &&
	     is_news(&place->subnet->told, &finding, patterns->touched_ns)) ||
	    (find_at_place(patterns, place, &finding) &&
	     is_news(&place->told, &finding, patterns->touched_ns))) {
		tell(&finding, ret_pattern);
		return true;
	}
	return false;
}

/* --- summary --- */

static bool is_before(const struct report_pattern *a, const struct report_pattern *b)
{
	int order;

	if (a->count != b->count)
		return a->count > b->count;
	order = memcmp(a->addr, b->addr, sizeof(a->addr));
	if (order)
		return order < 0;
	if (a->port != b->port)
		return a->port < b->port;
	if (a->netns != b->netns)
		return a->netns < b->netns;
	if (a->role != b->role)
		return a->role < b->role;
	return a->kind < b->kind;
}

/* Returns the new count. */
static unsigned int insert(struct report_pattern *patterns, unsigned int count, unsigned int max,
			   const struct report_pattern *pattern)
{
	unsigned int i = count;

	if (count < max)
		count++;
	else if (!max || !is_before(pattern, &patterns[--i]))
		return count;
	for (; i && is_before(pattern, &patterns[i - 1]); i--)
		patterns[i] = patterns[i - 1];
	patterns[i] = *pattern;
	return count;
}

unsigned int patterns_summarize(const struct patterns *patterns,
				struct report_pattern *ret_patterns, unsigned int max)
{
	const struct patterns_place *place;
	const struct places_subnet *subnet;
	struct report_pattern pattern;
	struct finding finding;
	unsigned int count = 0;

	for (subnet = patterns->places.subnets; subnet; subnet = subnet->hh.next) {
		if (find_in_subnet(patterns, subnet, &finding)) {
			tell(&finding, &pattern);
			count = insert(ret_patterns, count, max, &pattern);
		}
	}
	for (place = patterns->places.table; place; place = place->hh.next) {
		if (find_at_place(patterns, place, &finding)) {
			tell(&finding, &pattern);
			count = insert(ret_patterns, count, max, &pattern);
		}
	}
	return count;
}
