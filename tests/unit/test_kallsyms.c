/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "facts.h"
#include "source/kallsyms.h"
#include "synwatch/record.h"

/* As /proc/kallsyms has it: the kernel sorted, then its modules, which are not;
 * aliases share an address. */
static const char kernel[] = "0000000000000000 A fixed_percpu_data\n"
			     "ffffffff81000000 T _stext\n"
			     "ffffffff81000000 T _text\n"
			     "ffffffff81000100 t local_function\n"
			     "ffffffff81000200 W weak_function\n"
			     "ffffffff81000300 w weak_local\n"
			     "ffffffff81000400 T nf_hook_slow\n"
			     "ffffffff81000480 D data\n"
			     "ffffffff81000490 d local_data\n"
			     "ffffffff810004a0 R constant\n"
			     "ffffffff810004b0 B zeroed\n"
			     "ffffffff810004c0 V weak_data\n"
			     "ffffffff81000500 T tcp_v4_rcv\n"
			     "ffffffffc0a02000 t nft_immediate_eval\t[nf_tables]\n"
			     "ffffffffc0a01000 t nft_do_chain\t[nf_tables]\n"
			     "ffffffffc0b00000 t br_forward\t[bridge]\n";

static bool look_up(const char *text, size_t length, uint64_t address, char *ret_name, size_t size)
{
	/* fmemopen() refuses a length of 0 */
	FILE *file = length ? fmemopen((void *)text, length, "r") : fopen("/dev/null", "r");
	bool found;

	assert_non_null(file);
	found = kallsyms_function(file, address, ret_name, size);
	fclose(file);
	return found;
}

struct look_up_case {
	uint64_t address;
	const char *name; /* NULL: none */
};

static void check(const char *text, size_t length, const struct look_up_case *c)
{
	char name[SW_NAME_LEN] = "as it was";
	bool found = look_up(text, length, c->address, name, sizeof(name));

	if (found != !!c->name || strcmp(name, c->name ? c->name : ""))
		fail_msg("%#llx is '%s', not '%s'", (unsigned long long)c->address, name,
			 c->name ? c->name : "");
}

static void an_address_is_in_the_nearest_function_below(void **state)
{
	static const struct look_up_case cases[] = {
		{0xffffffff81000000, "_stext"}, /* the first of those that share it */
		{0xffffffff810000ff, "_stext"},	       {0xffffffff81000100, "local_function"},
		{0xffffffff810002ff, "weak_function"}, {0xffffffff81000300, "weak_local"},
		{0xffffffff81000400, "nf_hook_slow"},  {0xffffffff81000401, "nf_hook_slow"},
		{0xffffffff81000500, "tcp_v4_rcv"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		check(kernel, sizeof(kernel) - 1, &cases[i]);
}

static void data_is_no_function(void **state)
{
	static const struct look_up_case cases[] = {
		{0xffffffff81000480, "nf_hook_slow"},
		{0xffffffff81000490, "nf_hook_slow"},
		{0xffffffff810004ff, "nf_hook_slow"},
	};
	static const char only_data[] = "ffffffff81000480 D data\n";

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		check(kernel, sizeof(kernel) - 1, &cases[i]);
	check(only_data, sizeof(only_data) - 1, &(struct look_up_case){0xffffffff81000480, NULL});
}

static void a_module_is_left_out_and_need_not_be_sorted(void **state)
{
	static const struct look_up_case cases[] = {
		{0xffffffffc0a01010, "nft_do_chain"},
		{0xffffffffc0a02000, "nft_immediate_eval"},
		{0xffffffffc0a02fff, "nft_immediate_eval"},
		{UINT64_MAX, "br_forward"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		check(kernel, sizeof(kernel) - 1, &cases[i]);
}

static void below_the_first_there_is_none(void **state)
{
	static const struct look_up_case cases[] = {
		{0, NULL}, {1, NULL}, {0xfffffffe81000400, NULL}, {0xffffffff80ffffff, NULL}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		check(kernel, sizeof(kernel) - 1, &cases[i]);
}

/* kptr_restrict, or no CAP_SYSLOG */
static void hidden_addresses_name_nothing(void **state)
{
	static const char hidden[] = "0000000000000000 T _stext\n"
				     "0000000000000000 T nf_hook_slow\n"
				     "0000000000000000 t nft_do_chain\t[nf_tables]\n";
	static const struct look_up_case cases[] = {
		{0, NULL}, {0xffffffff81000400, NULL}, {UINT64_MAX, NULL}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		check(hidden, sizeof(hidden) - 1, &cases[i]);
}

static void garbage_is_passed_over(void **state)
{
	static const char *const lines[] = {
		"",
		"\n",
		" \n",
		"T\n",
		"nf_hook_slow\n",
		"ffffffff81000300",
		"ffffffff81000300\n",
		"ffffffff81000300 \n",
		"ffffffff81000300 T\n",
		"ffffffff81000300 T \n",
		"ffffffff81000300 T \t[module]\n",
		"ffffffff81000300 Tname\n",
		"ffffffff81000300  T name\n",
		"ffffffff81000300T name\n",
		"ffffffff81000300xT name\n",
		"ffffffff81000300 ? name\n",
		"ffffffff81000300\tT\tname\n",
		"-1 T name\n",
		"+ffffffff81000300 T name\n",
		" ffffffff81000300 T name\n",
		"ffffffffffffffffffffffff81000300 T name\n",
		"\xff\xfe T name\n",
		"T name ffffffff81000300\n",
	};
	static const char alone[] = "ffffffff81000300 T\0name\n";

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		char text[256];
		int length = snprintf(text, sizeof(text), "%s%sffffffff81000200 T sound\n",
				      lines[i], strchr(lines[i], '\n') ? "" : "\n");
		char name[SW_NAME_LEN];

		if (!look_up(text, length, 0xffffffff81000400, name, sizeof(name)) ||
		    strcmp(name, "sound"))
			fail_msg("line %zu, '%s', became '%s'", i, lines[i], name);
	}
	check(alone, sizeof(alone) - 1, &(struct look_up_case){0xffffffff81000400, NULL});
	check("", 0, &(struct look_up_case){0xffffffff81000400, NULL});
}

static void the_last_line_needs_no_end(void **state)
{
	static const char text[] = "ffffffff81000200 T sound";

	(void)state;
	check(text, sizeof(text) - 1, &(struct look_up_case){0xffffffff81000200, "sound"});
}

/* GCC's clones, Rust's paths */
static void a_long_name_is_cut_and_terminated(void **state)
{
	char text[1024] = "ffffffff81000200 T ";
	size_t begin = strlen(text);
	char name[SW_NAME_LEN];

	(void)state;
	memset(text + begin, 'x', 800);
	strcpy(text + begin + 800, "\t[module]\n");
	assert_true(look_up(text, strlen(text), 0xffffffff81000200, name, sizeof(name)));
	assert_int_equal(strlen(name), sizeof(name) - 1);
	assert_memory_equal(name, text + begin, sizeof(name) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_is_in_the_nearest_function_below),
		cmocka_unit_test(data_is_no_function),
		cmocka_unit_test(a_module_is_left_out_and_need_not_be_sorted),
		cmocka_unit_test(below_the_first_there_is_none),
		cmocka_unit_test(hidden_addresses_name_nothing),
		cmocka_unit_test(garbage_is_passed_over),
		cmocka_unit_test(the_last_line_needs_no_end),
		cmocka_unit_test(a_long_name_is_cut_and_terminated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
