/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/terms.h"

static void learn(struct terms *terms, uint32_t of, uint64_t number, const char *text)
{
	struct sw_name name = {.of = of, .number = number};

	(void)snprintf(name.name, sizeof(name.name), "%s", text);
	terms_learn(terms, &name);
}

static void what_nobody_said_has_no_name(void **state)
{
	struct terms *terms = terms_new();

	(void)state;
	assert_null(terms_find(terms, SW_NAME_REASON, 0));
	assert_null(terms_find(terms, SW_NAME_REASON, 12));
	learn(terms, SW_NAME_REASON, 12, "NETFILTER_DROP");
	assert_null(terms_find(terms, SW_NAME_REASON, 11));
	assert_null(terms_free(terms));
}

static void a_reason_is_no_place(void **state)
{
	struct terms *terms = terms_new();

	(void)state;
	learn(terms, SW_NAME_REASON, 12, "NETFILTER_DROP");
	assert_null(terms_find(terms, SW_NAME_PLACE, 12));
	learn(terms, SW_NAME_PLACE, 12, "nf_hook_slow");
	assert_string_equal(terms_find(terms, SW_NAME_REASON, 12), "NETFILTER_DROP");
	assert_string_equal(terms_find(terms, SW_NAME_PLACE, 12), "nf_hook_slow");
	/* nor is what a later version may tell names of */
	learn(terms, 7, 13, "something");
	assert_null(terms_find(terms, SW_NAME_REASON, 13));
	assert_null(terms_find(terms, SW_NAME_PLACE, 13));
	terms_free(terms);
}

static void addresses_are_told_apart_in_all_their_64_bits(void **state)
{
	struct terms *terms = terms_new();

	(void)state;
	learn(terms, SW_NAME_PLACE, 0xffffffff81a3c5d0, "nf_hook_slow");
	learn(terms, SW_NAME_PLACE, 0xfffffffe81a3c5d0, "nft_do_chain");
	assert_string_equal(terms_find(terms, SW_NAME_PLACE, 0xffffffff81a3c5d0), "nf_hook_slow");
	assert_string_equal(terms_find(terms, SW_NAME_PLACE, 0xfffffffe81a3c5d0), "nft_do_chain");
	assert_null(terms_find(terms, SW_NAME_PLACE, 0x81a3c5d0));
	terms_free(terms);
}

static void a_later_name_replaces_the_earlier(void **state)
{
	struct terms *terms = terms_new();

	(void)state;
	learn(terms, SW_NAME_REASON, 12, "A_LONG_NAME_OF_A_REASON");
	learn(terms, SW_NAME_REASON, 12, "SHORT");
	assert_string_equal(terms_find(terms, SW_NAME_REASON, 12), "SHORT");
	/* "" is how the kernel's side says that it found none */
	learn(terms, SW_NAME_REASON, 12, "");
	assert_null(terms_find(terms, SW_NAME_REASON, 12));
	learn(terms, SW_NAME_REASON, 12, "AGAIN");
	assert_string_equal(terms_find(terms, SW_NAME_REASON, 12), "AGAIN");
	terms_free(terms);
}

static void the_longest_name_is_kept_whole(void **state)
{
	struct terms *terms = terms_new();
	char longest[SW_NAME_LEN] = {};

	(void)state;
	memset(longest, 'N', sizeof(longest) - 1);
	learn(terms, SW_NAME_REASON, 12, longest);
	assert_string_equal(terms_find(terms, SW_NAME_REASON, 12), longest);
	terms_free(terms);
}

/* A damaged capture cannot take all memory; what is known stays known. */
static void more_than_a_kernel_has_are_not_kept(void **state)
{
	const unsigned int told = 100000;
	struct terms *terms = terms_new();
	unsigned int kept = 0;
	char text[SW_NAME_LEN];

	(void)state;
	for (unsigned int i = 0; i < told; i++) {
		(void)snprintf(text, sizeof(text), "REASON_%u", i);
		learn(terms, SW_NAME_REASON, i, text);
	}
	while (terms_find(terms, SW_NAME_REASON, kept)) {
		(void)snprintf(text, sizeof(text), "REASON_%u", kept);
		assert_string_equal(terms_find(terms, SW_NAME_REASON, kept), text);
		kept++;
	}
	assert_in_range(kept, 1000, 10000);
	for (unsigned int i = kept; i < told; i++)
		assert_null(terms_find(terms, SW_NAME_REASON, i));
	/* the bound is for both together */
	learn(terms, SW_NAME_PLACE, 1, "nf_hook_slow");
	assert_null(terms_find(terms, SW_NAME_PLACE, 1));
	learn(terms, SW_NAME_REASON, kept - 1, "RENAMED");
	assert_string_equal(terms_find(terms, SW_NAME_REASON, kept - 1), "RENAMED");
	terms_free(terms);
}

static void nothing_can_be_freed(void **state)
{
	(void)state;
	assert_null(terms_free(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_nobody_said_has_no_name),
		cmocka_unit_test(a_reason_is_no_place),
		cmocka_unit_test(addresses_are_told_apart_in_all_their_64_bits),
		cmocka_unit_test(a_later_name_replaces_the_earlier),
		cmocka_unit_test(the_longest_name_is_kept_whole),
		cmocka_unit_test(more_than_a_kernel_has_are_not_kept),
		cmocka_unit_test(nothing_can_be_freed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
