/* SPDX-License-Identifier: GPL-2.0-only */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sink/summary.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#define S 1000000000ULL

static char *print(const struct report_summary *summary)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	struct layout layout = {.output = {.file = out}, .limit = 80};

	summary_print(&layout, summary);
	assert_int_equal(layout.output.error, 0);
	fclose(out);
	return text;
}

static void assert_printed(const struct report_summary *summary, const char *expected)
{
	char *text = print(summary);

	assert_string_equal(text, expected);
	free(text);
}

static void set_addr(uint8_t *addr, const char *text)
{
	assert_int_equal(inet_pton(AF_INET6, text, addr), 1);
}

static void verdicts_are_counted_and_the_trouble_is_named(void **state)
{
	struct report_summary summary = {
		.duration_ns = 131 * S,
		.healthy = 1204,
		.syn_retransmits = 24,
		.lost = 13,
		.top = {{.role = ROLE_CLIENT, .port = 80, .count = 3},
			{.role = ROLE_SERVER, .port = 443, .count = 1}},
		.top_count = 2,
	};

	(void)state;
	summary.handshakes[ROLE_CLIENT][VERDICT_STALLED] = 2;
	summary.handshakes[ROLE_CLIENT][VERDICT_REFUSED] = 1;
	summary.handshakes[ROLE_CLIENT][VERDICT_TIMED_OUT] = 1;
	summary.handshakes[ROLE_SERVER][VERDICT_ESTABLISHED] = 1;
	summary.latency[8] = 1190;
	summary.latency[11] = 14;
	summary.top[0].verdicts[VERDICT_STALLED] = 2;
	summary.top[0].verdicts[VERDICT_TIMED_OUT] = 1;
	set_addr(summary.top[0].addr, "::ffff:10.0.0.1");
	summary.top[1].verdicts[VERDICT_ESTABLISHED] = 1;
	set_addr(summary.top[1].addr, "2001:db8::2");
	assert_printed(&summary, "\n"
				 "Summary of 131s\n"
				 "  client: 1 refused, 1 timed_out, 2 still hanging\n"
				 "  server: 1 established\n"
				 "  healthy: 1204 (half within 512us, 99% within 4.1ms)\n"
				 "  SYN retransmissions: 24\n"
				 "  records lost: 13\n"
				 "Most trouble\n"
				 "  10.0.0.1:80 (remote): 1 timed_out, 2 still hanging\n"
				 "  [2001:db8::2]:443 (server): 1 established\n");
}

static void places_that_are_not_shown_are_counted(void **state)
{
	static const struct {
		uint64_t more;
		uint64_t untold;
		const char *text;
	} cases[] = {
		{0, 0, ":80 (remote): 1 refused\n"},
		{1, 0, ":80 (remote): 1 refused\n  and 1 more place\n"},
		{4086, 904,
		 ":80 (remote): 1 refused\n"
		 "  and 4086 more places, and 904 handshakes with others that are not told "
		 "apart\n"},
	};
	struct report_summary summary = {.top = {{.role = ROLE_CLIENT, .port = 80, .count = 1}},
					 .top_count = 1};

	(void)state;
	set_addr(summary.top[0].addr, "::ffff:10.0.0.1");
	summary.top[0].verdicts[VERDICT_REFUSED] = 1;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *text;

		summary.top_more = cases[i].more;
		summary.top_untold = cases[i].untold;
		text = print(&summary);
		assert_string_equal(strstr(text, ":80"), cases[i].text);
		free(text);
	}
}

static void patterns_are_told_below_and_wrapped(void **state)
{
	struct report_summary summary = {
		.patterns =
			{
				{.text = "37 of 37 handshakes to 10.0.0.1:80 from netns 4026531840 "
					 "got no answer"},
				{.text = "a hostile \033[2J"},
			},
		.pattern_count = 2,
	};
	char *text = print(&summary);

	(void)state;
	assert_string_equal(strstr(text, "Patterns"),
			    "Patterns\n"
			    "  37 of 37 handshakes to 10.0.0.1:80 from netns 4026531840 got no "
			    "answer\n"
			    "  a hostile ?[2J\n");
	free(text);
	summary.pattern_count = 0;
	summary.patterns_untold = 1;
	text = print(&summary);
	assert_string_equal(strstr(text, "Patterns"),
			    "Patterns\n"
			    "  1 handshake not looked at: too many places\n");
	free(text);
}

static void what_servers_here_did_is_told_if_there_was_any(void **state)
{
	struct report_summary summary = {
		.duration_ns = 2 * S,
		.accepted = 512,
		.synack_retransmits = 7,
		.listen_drops = 37,
		.crowded = 9612,
		.top = {{.role = ROLE_SERVER, .port = 443, .count = 9612}},
		.top_count = 1,
	};

	(void)state;
	set_addr(summary.top[0].addr, "::");
	assert_printed(&summary, "\n"
				 "Summary of 2.00s\n"
				 "  server: 9612 in crowds\n"
				 "  healthy: 0\n"
				 "  SYN retransmissions: 0\n"
				 "  accepted by servers here: 512\n"
				 "  SYN-ACK retransmissions: 7\n"
				 "  segments thrown away by listeners: 37\n"
				 "  records lost: 0\n"
				 "Most trouble\n"
				 "  [::]:443 (server): 9612 in crowds\n");

	/* beside some that were told one by one */
	summary = (struct report_summary){
		.duration_ns = 2 * S,
		.crowded = 9612,
		.top = {{.role = ROLE_SERVER, .port = 443, .count = 9615}},
		.top_count = 1,
	};
	set_addr(summary.top[0].addr, "::ffff:10.0.0.1");
	summary.handshakes[ROLE_SERVER][VERDICT_IGNORED] = 3;
	summary.top[0].verdicts[VERDICT_IGNORED] = 3;
	assert_printed(&summary, "\n"
				 "Summary of 2.00s\n"
				 "  server: 3 ignored, 9612 in crowds\n"
				 "  healthy: 0\n"
				 "  SYN retransmissions: 0\n"
				 "  records lost: 0\n"
				 "Most trouble\n"
				 "  10.0.0.1:443 (server): 3 ignored, 9612 in crowds\n");
}

static void a_watch_without_trouble_says_so(void **state)
{
	const struct report_summary summary = {.duration_ns = 2 * S};

	(void)state;
	assert_printed(&summary, "\n"
				 "Summary of 2.00s\n"
				 "  no handshake in trouble\n"
				 "  healthy: 0\n"
				 "  SYN retransmissions: 0\n"
				 "  records lost: 0\n");
}

/* The slots that hold the 50th and the 99th percent, at their borders. */
static void quantiles_are_upper_bounds(void **state)
{
	static const struct {
		uint64_t slot0, slot9, slot31;
		const char *text;
	} cases[] = {
		{1, 0, 0, "(half within 2us, 99% within 2us)"},
		{50, 50, 0, "(half within 2us, 99% within 1.0ms)"},
		{49, 50, 1, "(half within 1.0ms, 99% within 1.0ms)"},
		{49, 49, 2, "(half within 1.0ms, 99% within 72m)"},
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct report_summary summary = {0};
		char *text;

		summary.latency[0] = cases[i].slot0;
		summary.latency[9] = cases[i].slot9;
		summary.latency[31] = cases[i].slot31;
		text = print(&summary);
		if (!strstr(text, cases[i].text))
			fail_msg("no %s in %s", cases[i].text, text);
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verdicts_are_counted_and_the_trouble_is_named),
		cmocka_unit_test(places_that_are_not_shown_are_counted),
		cmocka_unit_test(patterns_are_told_below_and_wrapped),
		cmocka_unit_test(what_servers_here_did_is_told_if_there_was_any),
		cmocka_unit_test(a_watch_without_trouble_says_so),
		cmocka_unit_test(quantiles_are_upper_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
