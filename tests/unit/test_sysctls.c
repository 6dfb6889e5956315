/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/sysctls.h"
#include "core/utf8.h"

#define HZ 250

struct scene {
	const char *values[SYSCTLS_COUNT];
};

static size_t index_of(const char *path)
{
	for (size_t i = 0; i < SYSCTLS_COUNT; i++) {
		if (!strcmp(sysctls_path(i), path))
			return i;
	}
	fail_msg("no %s", path);
	return 0;
}

static void set(struct scene *scene, const char *path, const char *value)
{
	scene->values[index_of(path)] = value;
}

static struct finding explain(const struct scene *scene, const char *path)
{
	struct finding finding;

	sysctls_explain(scene->values, HZ, index_of(path), &finding);
	assert_int_equal(finding.group, FINDING_NETWORK);
	return finding;
}

/* As measured: docs/architecture.md, the retry schedule. */
static void the_life_of_a_connect_is_predicted(void **state)
{
	static const struct {
		const char *retries, *linear, *meaning;
	} cases[] = {
		{"6", "4", "without an answer connect() sends 11 SYNs and gives up after 135 s"},
		{"2", "0", "without an answer connect() sends 3 SYNs and gives up after 7 s"},
		{"3", "2", "without an answer connect() sends 6 SYNs and gives up after 17 s"},
		{"6", NULL, "without an answer connect() sends 7 SYNs and gives up after 131 s"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct scene scene = {};
		struct finding finding;

		set(&scene, "ipv4/tcp_syn_retries", cases[i].retries);
		set(&scene, "ipv4/tcp_syn_linear_timeouts", cases[i].linear);
		finding = explain(&scene, "ipv4/tcp_syn_retries");
		assert_string_equal(finding.meaning, cases[i].meaning);
		assert_string_equal(finding.name, "tcp_syn_retries");
		assert_string_equal(finding.value, cases[i].retries);
		assert_int_equal(finding.mark, FINDING_INFO);
	}
}

static void the_life_of_a_request_is_predicted(void **state)
{
	struct scene scene = {};

	(void)state;
	set(&scene, "ipv4/tcp_synack_retries", "5");
	assert_string_equal(explain(&scene, "ipv4/tcp_synack_retries").meaning,
			    "a half-open handshake is kept for 64 s and 6 SYN-ACKs");
}

static void ports_are_counted(void **state)
{
	struct scene scene = {};

	(void)state;
	set(&scene, "ipv4/ip_local_port_range", "32768 60999");
	assert_non_null(strstr(explain(&scene, "ipv4/ip_local_port_range").meaning, "28232 ports"));
	set(&scene, "ipv4/ip_local_port_range", "5000\t5000");
	assert_non_null(strstr(explain(&scene, "ipv4/ip_local_port_range").meaning, "1 ports"));
	set(&scene, "ipv4/ip_local_port_range", "9 1");
	assert_non_null(strstr(explain(&scene, "ipv4/ip_local_port_range").meaning, "0 ports"));
}

static void a_table_that_is_all_but_full_is_trouble(void **state)
{
	struct scene scene = {};

	(void)state;
	set(&scene, "netfilter/nf_conntrack_max", "1000");
	set(&scene, "netfilter/nf_conntrack_count", "899");
	assert_int_equal(explain(&scene, "netfilter/nf_conntrack_count").mark, FINDING_INFO);
	set(&scene, "netfilter/nf_conntrack_count", "900");
	assert_int_equal(explain(&scene, "netfilter/nf_conntrack_count").mark, FINDING_LESS);
	set(&scene, "netfilter/nf_conntrack_max", "0");
	assert_int_equal(explain(&scene, "netfilter/nf_conntrack_count").mark, FINDING_INFO);
}

static void what_loses_something_is_marked(void **state)
{
	static const struct {
		const char *value;
		enum finding_mark mark;
	} cases[] = {{"0", FINDING_LESS}, {"1", FINDING_INFO}, {"2", FINDING_LESS}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct scene scene = {};

		set(&scene, "ipv4/tcp_syncookies", cases[i].value);
		assert_int_equal(explain(&scene, "ipv4/tcp_syncookies").mark, cases[i].mark);
	}
}

static void what_a_kernel_does_not_have_is_told_where_it_matters(void **state)
{
	struct scene scene = {};
	struct finding finding = explain(&scene, "ipv4/tcp_syn_linear_timeouts");

	(void)state;
	assert_string_equal(finding.value, "");
	assert_non_null(strstr(finding.meaning, "before Linux 6.5"));
	assert_string_equal(explain(&scene, "netfilter/nf_conntrack_count").meaning, "");
}

static void any_text_has_a_meaning_or_none(void **state)
{
	static const char *const texts[] = {"", "x", "-1", "-", "99999999999999999999", "\033[2J"};

	(void)state;
	for (size_t t = 0; t < sizeof(texts) / sizeof(*texts); t++) {
		struct scene scene;

		for (size_t i = 0; i < SYSCTLS_COUNT; i++)
			scene.values[i] = texts[t];
		for (size_t i = 0; i < SYSCTLS_COUNT; i++) {
			struct finding finding;

			sysctls_explain(scene.values, 0, i, &finding);
			assert_string_equal(finding.value, texts[t]);
			assert_true(strlen(finding.name) > 0);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_life_of_a_connect_is_predicted),
		cmocka_unit_test(the_life_of_a_request_is_predicted),
		cmocka_unit_test(ports_are_counted),
		cmocka_unit_test(a_table_that_is_all_but_full_is_trouble),
		cmocka_unit_test(what_loses_something_is_marked),
		cmocka_unit_test(what_a_kernel_does_not_have_is_told_where_it_matters),
		cmocka_unit_test(any_text_has_a_meaning_or_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
