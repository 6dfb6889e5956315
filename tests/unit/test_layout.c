/* SPDX-License-Identifier: GPL-2.0-only */
/* What the layout promises, asserted on whatever the terminal sink prints. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/names.h"
#include "sink/sink.h"
#include "sink/text.h"
#include "screen.h"

static void random_text(unsigned int *seed, char *text, size_t length)
{
	static const char *const words[] = {"SYN ",  "answer ",	    "\xc3\xa9",	 "\xe6\xbc\xa2",
					    "\033[", "\xff",	    "10.0.0.1 ", "x",
					    " ",     "\xe2\x80\xae"};
	size_t used = 0;

	while (used < length) {
		const char *word = words[(size_t)rand_r(seed) % ARRAY_SIZE(words)];
		size_t room = length - used;
		size_t size = strlen(word) < room ? strlen(word) : room;

		memcpy(text + used, word, size);
		used += size;
	}
}

static int64_t random_value(unsigned int *seed)
{
	return rand_r(seed) % 4 ? (int64_t)rand_r(seed) % 300 : REPORT_NULL;
}

static int64_t random_ns(unsigned int *seed)
{
	return rand_r(seed) % 4 ? (int64_t)rand_r(seed) * 1000 << rand_r(seed) % 8 : REPORT_NULL;
}

static struct report random_report(unsigned int *seed)
{
	static const char *const addrs[] = {
		"::ffff:10.0.0.1",
		"::ffff:255.255.255.255",
		"::1",
		"2001:db8:0:1::10",
		"2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff",
		"::",
	};
	struct report report = {0};
	struct report_handshake *handshake = &report.handshake;

	report.type = (enum report_type)(rand_r(seed) % (REPORT_END + 1));
	report.wall_ns = 1795329611482000000ULL + (uint64_t)rand_r(seed) * 1000;
	handshake->role = (enum role)(rand_r(seed) % ROLE_COUNT);
	handshake->verdict = (enum verdict)(rand_r(seed) % VERDICT_COUNT);
	random_text(seed, handshake->why, (size_t)rand_r(seed) % sizeof(handshake->why));
	set_addr(handshake->tuple.laddr, addrs[(size_t)rand_r(seed) % ARRAY_SIZE(addrs)]);
	set_addr(handshake->tuple.raddr, addrs[(size_t)rand_r(seed) % ARRAY_SIZE(addrs)]);
	handshake->tuple.family = rand_r(seed) % 8 ? 4 : 0;
	handshake->tuple.lport = (uint16_t)rand_r(seed);
	handshake->tuple.rport = (uint16_t)rand_r(seed);
	handshake->has_owner = rand_r(seed) % 4;
	handshake->owner.pid = (uint32_t)rand_r(seed) % 4194305;
	random_text(seed, handshake->owner.comm, (size_t)rand_r(seed) % (SW_COMM_LEN + 1));
	handshake->elapsed_ns = random_ns(seed);
	handshake->syn_retransmits = random_value(seed);
	handshake->syn_unsent = random_value(seed);
	handshake->synack_retransmits = random_value(seed);
	handshake->retry_limit = random_value(seed);
	handshake->next_retry_ns = random_ns(seed);
	handshake->give_up_ns = random_ns(seed);
	return report;
}

/* A line may stick out only if it is one word that cannot be broken. */
static void assert_fits(const char *text, unsigned int width)
{
	while (*text) {
		size_t length = strcspn(text, "\n");
		size_t indent = strspn(text, " ");

		if (utf8_width(text, length) > width && memchr(text + indent, ' ', length - indent))
			fail_msg("wider than %u: %.*s", width, (int)length, text);
		text += length + 1;
	}
}

static void no_line_is_wider_than_the_terminal_and_no_address_is_cut(void **state)
{
	static const unsigned int widths[] = {36, 40, 60, 79, 80, 100, 125, 126, 132, 160, 200};
	unsigned int seed = 20261122;
	unsigned int i;

	(void)state;
	for (i = 0; i < 20000; i++) {
		const unsigned int width = widths[i % ARRAY_SIZE(widths)];
		struct report report = random_report(&seed);
		const struct sw_tuple *tuple = &report.handshake.tuple;
		char remote[TEXT_ENDPOINT_SIZE];
		char *text =
			render(&(struct sink_terminal_options){.width = width}, NULL, &report, 1);

		assert_fits(text, width);
		assert_harmless(text);
		text_endpoint(remote, tuple->raddr, tuple->rport);
		if (tuple->family)
			assert_non_null(strstr(text, remote));
		if (report.type != REPORT_START)
			assert_non_null(strstr(text, names_verdict(report.handshake.verdict)));
		free(text);
	}
}

/* Long lines of a summary. */
static struct report summary(void)
{
	struct report report = {.type = REPORT_SUMMARY, .summary = {.top_count = 1}};

	report.summary.handshakes[ROLE_CLIENT][VERDICT_STALLED] = 123456;
	report.summary.handshakes[ROLE_CLIENT][VERDICT_TIMED_OUT] = 123456;
	report.summary.latency[8] = 1;
	report.summary.accepted = report.summary.synack_retransmits = UINT64_MAX;
	report.summary.listen_drops = report.summary.crowded = UINT64_MAX;
	report.summary.top[0].verdicts[VERDICT_STALLED] = 123456;
	report.summary.top[0].verdicts[VERDICT_TIMED_OUT] = 123456;
	report.summary.top[0].count = 999999;
	report.summary.top[0].port = 65535;
	set_addr(report.summary.top[0].addr, "2001:db8::aaaa");
	return report;
}

static void the_frame_fits_narrow_terminals_too(void **state)
{
	static const unsigned int widths[] = {40, 60, 80, 126};
	char ports[] = "1,2,3,4,5,6,7,8,9,10";
	struct session watch = {
		.version = "0.1.0",
		.host = "web-1",
		.kernel = "6.1.0-18-amd64",
	};
	struct report report = summary();
	size_t i;

	(void)state;
	watch.filters[0] = (struct session_filter){"port", ports};
	watch.filter_count = 1;
	watch.hooks[0] =
		(struct session_hook){"sys_enter_connect", "tracefs cannot be mounted here"};
	watch.hook_count = 1;
	for (i = 0; i < ARRAY_SIZE(widths); i++) {
		const struct sink_terminal_options options = {.width = widths[i], .verbose = true};
		char *text = render(&options, &watch, &report, 1);

		assert_fits(text, widths[i]);
		free(text);
	}
}

static void a_crowd_fits_narrow_terminals_too(void **state)
{
	static const unsigned int widths[] = {60, 80, 126};
	unsigned int seed = 20261122;
	unsigned int i;

	(void)state;
	for (i = 0; i < 2000; i++) {
		const unsigned int width = widths[i % ARRAY_SIZE(widths)];
		struct report report = {.type = REPORT_CROWD};
		struct report_crowd *crowd = &report.crowd;
		char *text;

		set_addr(crowd->tuple.laddr, i % 2 ? "::ffff:255.255.255.255"
						   : "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff");
		crowd->tuple.lport = (uint16_t)rand_r(&seed);
		crowd->has_owner = rand_r(&seed) % 4;
		crowd->owner.pid = (uint32_t)rand_r(&seed);
		crowd->owners = random_value(&seed);
		random_text(&seed, crowd->owner.comm, (size_t)rand_r(&seed) % (SW_COMM_LEN + 1));
		random_text(&seed, crowd->why, (size_t)rand_r(&seed) % sizeof(crowd->why));
		text = render(&(struct sink_terminal_options){.width = width}, NULL, &report, 1);
		assert_fits(text, width);
		assert_harmless(text);
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_line_is_wider_than_the_terminal_and_no_address_is_cut),
		cmocka_unit_test(the_frame_fits_narrow_terminals_too),
		cmocka_unit_test(a_crowd_fits_narrow_terminals_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
