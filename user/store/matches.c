/* SPDX-License-Identifier: GPL-2.0-only */
#include "store/matches.h"

#include <stdlib.h>

#include "store/active.h"
#include "store/row.h"

/* As many as the engine follows. */
#define MATCHES_MAX 131072

struct matches {
	struct actives *actives;
	int64_t last_id; /* there are no rows: any number that is unique */
};

struct matches *matches_new(void)
{
	struct matches *matches = calloc(1, sizeof(*matches));

	if (!matches)
		return NULL;
	matches->actives = actives_new(MATCHES_MAX);
	return matches->actives ? matches : matches_free(matches);
}

struct matches *matches_free(struct matches *matches)
{
	if (!matches)
		return NULL;
	actives_free(matches->actives);
	free(matches);
	return NULL;
}

bool matches_filter(struct matches *matches, const struct filter *filter,
		    const struct sw_handshake *record)
{
	struct handshake_key key = handshake_key_of(record);
	uint64_t now_ns = record->header.time_ns;
	struct active *active;

	if (!filter->kinds)
		return true;
	active = actives_find(matches->actives, &key);
	if (!active) {
		if (!filter_match(filter, record))
			return false;
		/* Without the memory for it each record is looked at by itself. */
		active = actives_add(matches->actives, &key, ++matches->last_id, now_ns);
	}
	if (active)
		actives_touch(matches->actives, active, now_ns, row_is_end(record->header.kind));
	actives_expire(matches->actives, now_ns);
	return true;
}
