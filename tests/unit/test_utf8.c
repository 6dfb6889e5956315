/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/utf8.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

static void utf8_is_decoded_strictly(void **state)
{
	static const struct {
		const char *text;
		int32_t value;
		size_t used;
	} cases[] = {
		{"A", 'A', 1},
		{"\xc3\xa9", 0xe9, 2},
		{"\xe2\x82\xac", 0x20ac, 3},
		{"\xf0\x9f\x94\xa5", 0x1f525, 4},
		{"\xf4\x8f\xbf\xbf", 0x10ffff, 4},
		{"\xf4\x90\x80\x80", -1, 1}, /* above U+10FFFF */
		{"\xc0\xaf", -1, 1},	     /* overlong */
		{"\xe0\x80\xaf", -1, 1},
		{"\xf0\x80\x80\xaf", -1, 1},
		{"\xed\xa0\x80", -1, 1}, /* surrogate */
		{"\xc3", -1, 1},	 /* cut */
		{"\xe2\x82", -1, 1},
		{"\xe2\x82x", -1, 1},
		{"\x80", -1, 1},
		{"\xff", -1, 1},
	};
	size_t used;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(utf8_decode(cases[i].text, strlen(cases[i].text), &used),
				 cases[i].value);
		assert_int_equal(used, cases[i].used);
	}
}

static void hostile_text_is_made_harmless(void **state)
{
	static const struct {
		const char *text;
		const char *safe;
	} cases[] = {
		{"", ""},
		{"curl ~ 80%", "curl ~ 80%"},
		{"a\"b\\c", "a\"b\\c"},
		{"\033[31mred\033[0m", "?[31mred?[0m"},
		{"a\nb\tc\rd\177e", "a?b?c?d?e"},
		{"\x01\x1f", "??"},
		{"caf\xc3\xa9", "caf\xc3\xa9"},
		{"\xe6\xbc\xa2\xf0\x9f\x90\xa7", "\xe6\xbc\xa2\xf0\x9f\x90\xa7"},
		{"\xc2\x9b"
		 "31m",
		 "?31m"}, /* C1: CSI */
		{"\x9b"
		 "31m",
		 "?31m"},
		{"\xc2\xa0", "\xc2\xa0"},
		{"\xe2\x80\xae"
		 "exe",
		 "?exe"}, /* right to left */
		{"\xe2\x81\xa6x\xe2\x81\xa9", "?x?"},
		{"\xe2\x80\x8b", "?"},
		{"a\xc2\xad"
		 "b",
		 "a?b"}, /* soft hyphen */
		{"\xef\xbf\xb9x\xef\xbf\xbb", "?x?"},
		{"\xf3\xa0\x81\xa1", "?"},    /* a tag: an invisible "a" */
		{"\xc0\x9b", "??"},	      /* overlong */
		{"\xed\xa0\x80", "???"},      /* surrogate */
		{"\xf4\x90\x80\x80", "????"}, /* above U+10FFFF */
		{"\xff\xc3", "??"},
		{"cut \xf0\x9f\x90", "cut ???"},
	};
	char safe[32];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(utf8_safe(safe, sizeof(safe), cases[i].text,
					   strlen(cases[i].text)),
				 strlen(cases[i].safe));
		assert_string_equal(safe, cases[i].safe);
	}
}

static void safe_text_is_cut_between_characters(void **state)
{
	char text[] = "caf\xc3\xa9";
	char safe[5];

	(void)state;
	assert_int_equal(utf8_safe(safe, sizeof(safe), text, strlen(text)), 3);
	assert_string_equal(safe, "caf");
	/* in place */
	text[0] = '\033';
	assert_int_equal(utf8_safe(text, sizeof(text), text, strlen(text)), 5);
	assert_string_equal(text, "?af\xc3\xa9");
}

static void width_counts_columns(void **state)
{
	static const struct {
		const char *text;
		unsigned int width;
	} cases[] = {
		{"", 0},
		{"curl", 4},
		{"caf\xc3\xa9", 4},
		{"\xe6\xbc\xa2\xe5\xad\x97", 4},
		{"\xf0\x9f\x94\xa5", 2},
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(utf8_width(cases[i].text, strlen(cases[i].text)), cases[i].width);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(utf8_is_decoded_strictly),
		cmocka_unit_test(hostile_text_is_made_harmless),
		cmocka_unit_test(safe_text_is_cut_between_characters),
		cmocka_unit_test(width_counts_columns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
