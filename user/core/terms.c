/* SPDX-License-Identifier: GPL-2.0-only */
#include "core/terms.h"

#include <stdlib.h>
#include <string.h>

#include <uthash.h>

/* Reasons and places together; a kernel has some hundreds of each. */
#define TERMS_MAX 2048

/* 64 bit throughout: no padding to hash. */
struct term_key {
	uint64_t of;
	uint64_t number;
};

struct term {
	struct term_key key;
	char name[SW_NAME_LEN];
	UT_hash_handle hh;
};

struct terms {
	struct term *table;
};

struct terms *terms_new(void)
{
	return calloc(1, sizeof(struct terms));
}

struct terms *terms_free(struct terms *terms)
{
	struct term *term, *next;

	if (!terms)
		return NULL;
	HASH_ITER (hh, terms->table, term, next) {
		HASH_DEL(terms->table, term);
		free(term);
	}
	free(terms);
	return NULL;
}

static struct term *find(const struct terms *terms, enum sw_name_of of, uint64_t number)
{
	const struct term_key key = {.of = of, .number = number};
	struct term *term;

	HASH_FIND(hh, terms->table, &key, sizeof(key), term);
	return term;
}

void terms_learn(struct terms *terms, const struct sw_name *name)
{
	struct term *term = find(terms, name->of, name->number);

	if (!term) {
		if (HASH_COUNT(terms->table) >= TERMS_MAX)
			return;
		term = calloc(1, sizeof(*term));
		if (!term)
			return;
		term->key = (struct term_key){.of = name->of, .number = name->number};
		HASH_ADD(hh, terms->table, key, sizeof(term->key), term);
	}
	memcpy(term->name, name->name, sizeof(term->name));
}

const char *terms_find(const struct terms *terms, enum sw_name_of of, uint64_t number)
{
	const struct term *term = find(terms, of, number);

	return term && *term->name ? term->name : NULL;
}
