/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>

#include "json_assert.h"
#include "screen.h"

#include "sink/diagnosis.h"

static const struct finding held = {
	.mark = FINDING_OK,
	.group = FINDING_PRIVILEGES,
	.name = "CAP_BPF",
	.value = "held",
	.meaning = "load BPF programs and make their maps",
};

static const struct finding missing = {
	.mark = FINDING_LESS,
	.group = FINDING_PRIVILEGES,
	.name = "CAP_SYSLOG",
	.value = "missing",
	.meaning = "place is null, unless kernel.kptr_restrict is 0 and "
		   "kernel.perf_event_paranoid below 2",
};

static const struct diagnosis well = {
	.watchable = true,
	.advice = "This host can be watched. Nothing to do.",
	.version = "0.1.0",
	.host = "web-1",
	.kernel = "6.1.0-18-amd64",
};

static char *show(const struct diagnosis_options *options, const struct finding *findings,
		  size_t count, const struct diagnosis *diagnosis)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	struct diagnosis_sink *sink = diagnosis_new(out, options);

	assert_non_null(sink);
	for (size_t i = 0; i < count; i++)
		diagnosis_finding(sink, &findings[i]);
	if (diagnosis)
		diagnosis_end(sink, diagnosis);
	assert_int_equal(diagnosis_close(sink), 0);
	fclose(out);
	return text;
}

static void one_line_each_by_group_where_there_is_room(void **state)
{
	const struct diagnosis_options options = {.width = 160};
	struct finding findings[] = {held, missing, held};
	char *text;

	(void)state;
	findings[2].group = FINDING_NETWORK;
	findings[2].mark = FINDING_INFO;
	findings[2].value[0] = '\0';
	text = show(&options, findings, 3, &well);
	assert_string_equal(
		text, "Privileges\n"
		      "ok   CAP_BPF                   held: load BPF programs and make their maps\n"
		      "less CAP_SYSLOG                missing: place is null, unless "
		      "kernel.kptr_restrict is 0 and kernel.perf_event_paranoid below 2\n"
		      "\n"
		      "Sysctls of this network namespace\n"
		      "     CAP_BPF                   load BPF programs and make their maps\n"
		      "\n"
		      "This host can be watched. Nothing to do.\n");
	free(text);
}

static void narrow_terminals_wrap_below_the_text(void **state)
{
	const struct diagnosis_options options = {.width = 80};
	char *text = show(&options, &missing, 1, NULL);

	(void)state;
	assert_string_equal(text,
			    "Privileges\n"
			    "less CAP_SYSLOG                missing: place is null, unless\n"
			    "                               kernel.kptr_restrict is 0 and\n"
			    "                               kernel.perf_event_paranoid below 2\n");
	free(text);
}

static void a_finding_without_meaning_has_no_colon(void **state)
{
	const struct diagnosis_options options = {};
	struct finding finding = held;
	char *text;

	(void)state;
	finding.meaning[0] = '\0';
	text = show(&options, &finding, 1, NULL);
	assert_non_null(strstr(text, " held\n"));
	free(text);
}

static void colours_mark_and_move_nothing(void **state)
{
	const struct diagnosis_options plain = {.width = 80}, color = {.width = 80, .color = true};
	const struct finding findings[] = {held, missing};
	char *without = show(&plain, findings, 2, &well);
	char *with = show(&color, findings, 2, &well);
	char *to = with;

	(void)state;
	assert_non_null(strstr(with, "\033[32mok\033[0m"));
	assert_non_null(strstr(with, "\033[33mless\033[0m"));
	assert_null(strchr(without, '\033'));
	for (const char *from = with; *from;) {
		if (*from == '\033')
			from += strcspn(from, "m") + 1;
		else
			*to++ = *from++;
	}
	*to = '\0';
	assert_string_equal(with, without);
	free(without);
	free(with);
}

static void hostile_text_cannot_drive_the_terminal(void **state)
{
	const struct diagnosis_options options = {.width = 80};
	struct diagnosis diagnosis = well;
	struct finding finding = held;
	char *text;

	(void)state;
	strcpy(finding.name, "n\033[2J");
	strcpy(finding.value, "v\r\n\xc2\x9b"
			      "1m\xff");
	strcpy(finding.meaning, "m\xe2\x80\xae\x07");
	strcpy(diagnosis.advice, "a\033c");
	text = show(&options, &finding, 1, &diagnosis);
	assert_harmless(text);
	assert_non_null(strstr(text, "n?[2J"));
	assert_non_null(strstr(text, "a?c\n"));
	free(text);
}

static void json_has_a_line_for_each_and_one_for_all(void **state)
{
	const struct diagnosis_options options = {.json = true};
	static const struct expected first[] = {
		{"type", "finding"},	{"group", "privileges"}, {"mark", "less"},
		{"name", "CAP_SYSLOG"}, {"value", "missing"},
	};
	static const struct expected last[] = {
		{"type", "diagnosis"},
		{"schema", "1"},
		{"version", "0.1.0"},
		{"host", "web-1"},
		{"kernel", "6.1.0-18-amd64"},
		{"watchable", "true"},
		{"advice", "This host can be watched. Nothing to do."},
	};
	char *text = show(&options, &missing, 1, &well);
	char *rest = text;

	(void)state;
	assert_keys(strsep(&rest, "\n"), "", "type group mark name value meaning");
	assert_keys(strsep(&rest, "\n"), "", "type schema version host kernel watchable advice");
	assert_string_equal(rest, "");
	free(text);
	text = rest = show(&options, &missing, 1, &well);
	assert_values(strsep(&rest, "\n"), first, ARRAY_SIZE(first));
	assert_values(strsep(&rest, "\n"), last, ARRAY_SIZE(last));
	assert_string_equal(rest, "");
	free(text);
}

/* What is not known is null; what is from anywhere is escaped. */
static void json_is_json_whatever_is_in_it(void **state)
{
	const struct diagnosis_options options = {.json = true};
	static const struct expected expected[] = {
		{"mark", "ok"},
		{"name", "\"\\\t"},
		{"value", "null"},
		{"meaning", "\xef\xbf\xbd"},
	};
	struct finding finding = held;
	char *text;

	(void)state;
	strcpy(finding.name, "\"\\\t");
	finding.value[0] = '\0';
	strcpy(finding.meaning, "\xff");
	text = show(&options, &finding, 1, NULL);
	text[strcspn(text, "\n")] = '\0';
	assert_values(text, expected, ARRAY_SIZE(expected));
	free(text);
}

static void an_output_that_fails_is_told(void **state)
{
	const struct diagnosis_options options = {};
	FILE *full = fopen("/dev/full", "w");
	struct diagnosis_sink *sink = diagnosis_new(full, &options);

	(void)state;
	diagnosis_end(sink, &well);
	assert_int_equal(diagnosis_close(sink), -ENOSPC);
	fclose(full);
	assert_int_equal(diagnosis_close(NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_line_each_by_group_where_there_is_room),
		cmocka_unit_test(narrow_terminals_wrap_below_the_text),
		cmocka_unit_test(a_finding_without_meaning_has_no_colon),
		cmocka_unit_test(colours_mark_and_move_nothing),
		cmocka_unit_test(hostile_text_cannot_drive_the_terminal),
		cmocka_unit_test(json_has_a_line_for_each_and_one_for_all),
		cmocka_unit_test(json_is_json_whatever_is_in_it),
		cmocka_unit_test(an_output_that_fails_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
