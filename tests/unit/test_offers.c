/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/offers.h"
#include "core/session.h"

static void each_is_found_by_its_name_and_no_other(void **state)
{
	size_t count;
	const struct offer *offers = offers_table(&count);

	(void)state;
	for (size_t i = 0; i < count; i++)
		assert_ptr_equal(offers_find(offers[i].name), &offers[i]);
	assert_null(offers_find(""));
	assert_null(offers_find("kfree_skb:"));
	assert_null(offers_find("kfree"));
}

/* All of them are in a session, which has room for no more. */
static void there_is_room_for_them_in_a_session(void **state)
{
	size_t count;
	const struct offer *offers = offers_table(&count);

	(void)state;
	assert_in_range(count, 1, SESSION_HOOKS_MAX);
	for (size_t i = 0; i < count; i++)
		assert_true(strlen(offers[i].name) < sizeof(((struct session_hook *)0)->name));
}

static void is_phrase(const char *text)
{
	assert_true(strlen(text) > 0);
	assert_null(strchr(text, '\n'));
	assert_false(text[strlen(text) - 1] == '.');
}

static void each_says_what_it_is_and_what_is_lost_without(void **state)
{
	size_t count;
	const struct offer *offers = offers_table(&count);

	(void)state;
	for (size_t i = 0; i < count; i++) {
		is_phrase(offers[i].what);
		is_phrase(offers[i].loss);
	}
}

/* A refinement is named after what it refines. */
static void a_refinement_refines_a_hook(void **state)
{
	size_t count;
	const struct offer *offers = offers_table(&count);
	size_t refinements = 0;

	(void)state;
	for (size_t i = 0; i < count; i++) {
		char name[64] = "";
		const char *colon = strchr(offers[i].name, ':');

		assert_int_equal(offers[i].kind == OFFER_REFINEMENT, colon != NULL);
		if (!colon)
			continue;
		memcpy(name, offers[i].name, (size_t)(colon - offers[i].name));
		assert_non_null(offers_find(name));
		assert_int_equal(offers_find(name)->kind, OFFER_HOOK);
		refinements++;
	}
	assert_true(refinements > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_is_found_by_its_name_and_no_other),
		cmocka_unit_test(there_is_room_for_them_in_a_session),
		cmocka_unit_test(each_says_what_it_is_and_what_is_lost_without),
		cmocka_unit_test(a_refinement_refines_a_hook),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
