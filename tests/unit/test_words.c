/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/words.h"
#include "facts.h"

#define SIZE (sizeof(struct words))

static void parts_are_put_together(void **state)
{
	(void)state;
	assert_string_equal(words("%s and %u", "text", 7).text, "text and 7");
	assert_string_equal(words("%s (%s)", words("%u", 1).text, words("%u", 2).text).text,
			    "1 (2)");
	assert_string_equal(words("%s", "").text, "");
}

static void what_does_not_fit_is_cut_and_terminated(void **state)
{
	char longer[2 * SIZE];
	struct words exact, cut;

	(void)state;
	memset(longer, 'x', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	cut = words("%s", longer);
	assert_int_equal(strnlen(cut.text, SIZE), SIZE - 1);
	longer[SIZE - 1] = '\0';
	exact = words("%s", longer);
	assert_string_equal(exact.text, longer);
	assert_string_equal(cut.text, exact.text);
}

static void a_name_is_printable_ascii(void **state)
{
	static const struct {
		const char *given;
		const char *said;
	} cases[] = {
		{"curl", "curl"},
		{"", ""},
		{" ~", " ~"},
		{"\x1f\x20\x7e\x7f", "? ~?"},
		{"\033[2J", "?[2J"},
		{"a\nb\rc\td", "a?b?c?d"},
		{"\xc3\xa4\xff", "???"},
		{"%s%n", "%s%n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_string_equal(words_comm(cases[i].given).text, cases[i].said);
		assert_string_equal(words_name(cases[i].given).text, cases[i].said);
	}
}

/* The fields of records, should one come without its end. */
static void a_name_ends_where_its_field_does(void **state)
{
	char field[SW_NAME_LEN + 8];
	char expected[SW_NAME_LEN + 1] = {};

	(void)state;
	memset(field, 'x', sizeof(field));
	memset(expected, 'x', SW_COMM_LEN);
	assert_string_equal(words_comm(field).text, expected);
	memset(expected, 'x', SW_NAME_LEN);
	assert_string_equal(words_name(field).text, expected);
}

static void addresses_are_of_either_family(void **state)
{
	static const uint8_t unspecified[16];
	static const uint8_t mapped_any[16] = {[10] = 0xff, [11] = 0xff};
	static const uint8_t almost_mapped[16] = {[10] = 0xff, [11] = 0xfe, [12] = 10};
	uint8_t address[16];

	(void)state;
	facts_v4(address, 9);
	assert_string_equal(words_address(address).text, "10.0.0.9");
	facts_v6(address, 9);
	assert_string_equal(words_address(address).text, "fd00::9");
	assert_string_equal(words_address(unspecified).text, "::");
	assert_string_equal(words_address(mapped_any).text, "0.0.0.0");
	assert_string_equal(words_address(almost_mapped).text, "::fffe:a00:0");
	memset(address, 0xab, sizeof(address));
	assert_string_equal(words_address(address).text, "abab:abab:abab:abab:abab:abab:abab:abab");
}

static void an_errno_without_a_name_is_a_number(void **state)
{
	(void)state;
	assert_string_equal(words_errno(ECONNREFUSED).text, "ECONNREFUSED");
	assert_string_equal(words_errno(EPERM).text, "EPERM");
	assert_string_equal(words_errno(1234).text, "error 1234");
	assert_string_equal(words_errno(INT_MAX).text, "error 2147483647");
}

static void one_is_singular(void **state)
{
	(void)state;
	assert_string_equal(words_count(0, "SYN").text, "0 SYNs");
	assert_string_equal(words_count(1, "SYN").text, "1 SYN");
	assert_string_equal(words_count(2, "SYN").text, "2 SYNs");
	assert_string_equal(words_count(UINT_MAX, "resend").text, "4294967295 resends");
}

static void a_large_number_has_its_thousands_apart(void **state)
{
	(void)state;
	assert_string_equal(words_number(0).text, "0");
	assert_string_equal(words_number(999).text, "999");
	assert_string_equal(words_number(1000).text, "1,000");
	assert_string_equal(words_number(1002003).text, "1,002,003");
	assert_string_equal(words_number(UINT64_MAX).text, "18,446,744,073,709,551,615");
}

static void a_sentence_grows_and_is_cut(void **state)
{
	static struct report_handshake report;

	(void)state;
	words_why(&report, "%s", "before");
	words_why(&report, "one %d", 1);
	words_why_more(&report, ", two %d", 2);
	assert_string_equal(report.why, "one 1, two 2");
	words_why_more(&report, "%0400d", 0);
	assert_int_equal(strlen(report.why), sizeof(report.why) - 1);
	words_why_more(&report, "more");
	assert_int_equal(strlen(report.why), sizeof(report.why) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts_are_put_together),
		cmocka_unit_test(what_does_not_fit_is_cut_and_terminated),
		cmocka_unit_test(a_name_is_printable_ascii),
		cmocka_unit_test(a_name_ends_where_its_field_does),
		cmocka_unit_test(addresses_are_of_either_family),
		cmocka_unit_test(an_errno_without_a_name_is_a_number),
		cmocka_unit_test(one_is_singular),
		cmocka_unit_test(a_large_number_has_its_thousands_apart),
		cmocka_unit_test(a_sentence_grows_and_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
