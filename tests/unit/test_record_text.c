/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "facts.h"
#include "source/record_text.h"

static int parse(const char *line, union decode_record *ret_record, char *reason,
		 size_t reason_size)
{
	char copy[1024];

	assert_true((size_t)snprintf(copy, sizeof(copy), "%s", line) < sizeof(copy));
	*reason = '\0';
	return record_text_parse(copy, ret_record, reason, reason_size);
}

static union decode_record parsed(const char *line)
{
	union decode_record record;
	char reason[160];

	if (parse(line, &record, reason, sizeof(reason)))
		fail_msg("'%s' is refused: %s", line, reason);
	assert_string_equal(reason, "");
	return record;
}

static void refused(const char *line, const char *expected)
{
	union decode_record record, before;
	char reason[160];

	memset(&record, 0xa5, sizeof(record));
	before = record;
	assert_int_equal(parse(line, &record, reason, sizeof(reason)), -EINVAL);
	assert_string_equal(reason, expected);
	assert_memory_equal(&record, &before, sizeof(record));
}

static void every_kind_has_its_header(void **state)
{
	static const struct {
		const char *word;
		uint8_t kind;
	} kinds[] = {
		{"open", SW_OPEN},
		{"retry", SW_RETRY},
		{"look", SW_LOOK},
		{"close", SW_CLOSE},
		{"local_error", SW_LOCAL_ERROR},
		{"synack_retry", SW_SYNACK_RETRY},
		{"synack_drop", SW_SYNACK_DROP},
		{"accepted", SW_ACCEPTED},
		{"request_gone", SW_REQUEST_GONE},
		{"syn_drop", SW_SYN_DROP},
		{"crowd", SW_CROWD},
		{"counts", SW_COUNTS},
		{"loss", SW_LOSS},
		{"clock", SW_CLOCK},
		{"name", SW_NAME},
	};

	(void)state;
	assert_int_equal(ARRAY_SIZE(kinds), SW_KIND_COUNT - 1);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		union decode_record record, zero = {};

		record = parsed(kinds[i].word);
		zero.header = facts_header(kinds[i].kind, decode_size(kinds[i].kind), 0);
		/* what a line does not name is 0 */
		assert_memory_equal(&record, &zero, sizeof(zero));
	}
}

static void every_field_of_a_handshake_goes_where_it_belongs(void **state)
{
	const struct sw_handshake expected = {
		.header = facts_header(SW_RETRY, sizeof(expected), 1),
		.cookie = 2,
		.start_ns = 3,
		.syn_ns = 4,
		.flags = SW_F_ADOPTED | SW_F_COUNTED,
		.isn = 5,
		.tuple =
			{.laddr =
				 {[10] = 0xff, [11] = 0xff, [12] = 1, [13] = 2, [14] = 3, [15] = 4},
			 .raddr = {[0] = 0x20, [1] = 0x01, [2] = 0x0d, [3] = 0xb8, [15] = 1},
			 .lport = 6,
			 .rport = 7,
			 .netns = 8,
			 .family = 9},
		.err = -10,
		.owner = {.pid = 11, .tid = 12, .uid = 13, .cgroup = 14, .comm = "a"},
		.timer = {.jiffies = 15,
			  .expires = 16,
			  .rto = 17,
			  .rto_max = 18,
			  .tick_ns = 19,
			  .user_timeout_ms = 20,
			  .retransmits = 21,
			  .retries = 22,
			  .linear = 23,
			  .resends = 24,
			  .elapsed_ms = 39},
		.syn_sent = 25,
		.syn_unsent = 26,
		.sk_err = 27,
		.sk_err_soft = 28,
		.old_state = 29,
		.new_state = 30,
		.icmp = {.from = {[15] = 1},
			 .type = 31,
			 .code = 32,
			 .version = 33,
			 .errnum = 34,
			 .count = 35},
		.closer = {.pid = 36, .tid = 37, .comm = "b", .exit_code = 38},
		.port_low = 40,
		.port_high = 41,
		.owners = 42,
		.drop = {.place = 43,
			 .reason = 44,
			 .netns = 45,
			 .what = 46,
			 .where = 47,
			 .count = 48,
			 .attempt = 49},
		.listener = {.backlog = 50,
			     .limit = 51,
			     .requests = 52,
			     .young = 53,
			     .syn_limit = 54,
			     .syncookies = 55,
			     .abort_on_overflow = 56,
			     .defer_accept = 57},
	};
	union decode_record record = parsed(
		"retry time_ns=1 cookie=2 start_ns=3 syn_ns=4 flags=adopted,counted isn=5 "
		"laddr=1.2.3.4 raddr=2001:db8::1 lport=6 rport=7 netns=8 family=9 err=-10 pid=11 "
		"tid=12 uid=13 cgroup=14 comm=a jiffies=15 expires=16 rto=17 rto_max=18 tick_ns=19 "
		"user_timeout_ms=20 retransmits=21 retries=22 linear=23 resends=24 syn_sent=25 "
		"syn_unsent=26 sk_err=27 sk_err_soft=28 old_state=29 new_state=30 icmp_from=::1 "
		"icmp_type=31 icmp_code=32 icmp_version=33 icmp_errno=34 icmp_count=35 "
		"closer_pid=36 closer_tid=37 closer_comm=b exit_code=38 elapsed_ms=39 "
		"port_low=40 port_high=41 owners=42 drop_place=43 drop_reason=44 drop_netns=45 "
		"drop_what=46 drop_where=47 drop_count=48 drop_attempt=49 backlog=50 limit=51 "
		"requests=52 young=53 syn_limit=54 syncookies=55 abort_on_overflow=56 "
		"defer_accept=57");

	(void)state;
	assert_memory_equal(&record.handshake, &expected, sizeof(expected));
}

static void every_field_of_a_crowd_goes_where_it_belongs(void **state)
{
	const struct sw_crowd expected = {
		.header = facts_header(SW_CROWD, sizeof(expected), 1),
		.begin_ns = 2,
		.tuple = {.laddr = {[15] = 1}, .lport = 3, .netns = 4, .family = 6},
		.flags = SW_F_OWNER | SW_F_COOKIES,
		.owner = {.pid = 5, .tid = 6, .uid = 7, .cgroup = 8, .comm = "a"},
		.owners = 9,
		.listener = {.backlog = 10,
			     .limit = 11,
			     .requests = 12,
			     .young = 13,
			     .syn_limit = 14,
			     .syncookies = 1,
			     .abort_on_overflow = 2,
			     .defer_accept = 15},
		.half_open = 16,
		.dropped = 17,
		.reason = 18,
		.ignored = 19,
		.addresses = {0x01, 0x1b, 0xff},
	};
	union decode_record record = parsed(
		"crowd time_ns=1 begin_ns=2 laddr=::1 lport=3 netns=4 family=6 "
		"flags=owner,cookies pid=5 tid=6 uid=7 cgroup=8 comm=a owners=9 backlog=10 "
		"limit=11 requests=12 young=13 syn_limit=14 syncookies=1 abort_on_overflow=2 "
		"defer_accept=15 half_open=16 dropped=17 reason=18 ignored=19 addresses=011bFF");

	(void)state;
	assert_memory_equal(&record.crowd, &expected, sizeof(expected));
	refused("crowd raddr=::1", "a crowd record has no field 'raddr'");
}

static void bytes_are_pairs_of_hex_digits(void **state)
{
	char line[160];

	(void)state;
	(void)snprintf(line, sizeof(line), "crowd addresses=%0128d", 0);
	assert_int_equal(parsed(line).crowd.addresses[SW_CROWD_SLOTS - 1], 0);
	assert_int_equal(parsed("crowd addresses=").crowd.addresses[0], 0);
	(void)snprintf(line, sizeof(line), "crowd addresses=%0130d", 0);
	line[sizeof("crowd addresses=") - 1 + 130] = '\0';
	assert_int_equal(record_text_parse(line, &(union decode_record){}, (char[160]){}, 160),
			 -EINVAL);
	refused("crowd addresses=0", "'0' is no value for addresses");
	refused("crowd addresses=012", "'012' is no value for addresses");
	refused("crowd addresses=0x", "'0x' is no value for addresses");
	refused("crowd addresses=-1", "'-1' is no value for addresses");
}

static void bookkeeping_has_its_own_fields(void **state)
{
	union decode_record record = parsed("counts time_ns=1 healthy=2 syn_retransmits=3 "
					    "accepted=4 synack_retransmits=5 listen_drops=6");

	(void)state;
	assert_int_equal(record.header.time_ns, 1);
	assert_int_equal(record.counts.healthy, 2);
	assert_int_equal(record.counts.syn_retransmits, 3);
	assert_int_equal(record.counts.accepted, 4);
	assert_int_equal(record.counts.synack_retransmits, 5);
	assert_int_equal(record.counts.listen_drops, 6);
	record = parsed("loss time_ns=1 ring=2 map_full=3 suppressed=4 missed=5");
	assert_int_equal(record.loss.ring, 2);
	assert_int_equal(record.loss.map_full, 3);
	assert_int_equal(record.loss.suppressed, 4);
	assert_int_equal(record.loss.missed, 5);
	record = parsed("clock time_ns=1 offset_ns=-9223372036854775808");
	assert_true(record.clock.offset_ns == INT64_MIN);
	record = parsed("name time_ns=1 of=1 number=0xffffffff81a3c5d0 name=nf_hook_slow");
	assert_int_equal(record.name.of, SW_NAME_PLACE);
	assert_true(record.name.number == 0xffffffff81a3c5d0);
	assert_string_equal(record.name.name, "nf_hook_slow");
	refused("loss cookie=1", "a loss record has no field 'cookie'");
	refused("retry healthy=1", "a retry record has no field 'healthy'");
}

static void flags_are_words(void **state)
{
	static const struct {
		const char *word;
		uint32_t bit;
	} all[] = {
		{"adopted", SW_F_ADOPTED},
		{"isn", SW_F_ISN},
		{"owner", SW_F_OWNER},
		{"reset", SW_F_RESET},
		{"task", SW_F_TASK},
		{"pending", SW_F_PENDING},
		{"linear", SW_F_LINEAR},
		{"exiting", SW_F_EXITING},
		{"icmp", SW_F_ICMP},
		{"duplicate_syn", SW_F_DUPLICATE_SYN},
		{"err", SW_F_ERR},
		{"untracked", SW_F_UNTRACKED},
		{"counted", SW_F_COUNTED},
		{"missed", SW_F_MISSED},
		{"bad_answer", SW_F_BAD_ANSWER},
		{"drop", SW_F_DROP},
		{"race_lost", SW_F_RACE_LOST},
		{"first_unsent", SW_F_FIRST_UNSENT},
		{"ecn", SW_F_ECN},
		{"acked", SW_F_ACKED},
		{"listener", SW_F_LISTENER},
		{"cookies", SW_F_COOKIES},
		{"listener_closed", SW_F_LISTENER_CLOSED},
		{"reset_sent", SW_F_RESET_SENT},
		{"icmp_sent", SW_F_ICMP_SENT},
		{"icmp_tells", SW_F_ICMP_TELLS},
		{"reset_tells", SW_F_RESET_TELLS},
		{"icmp6_tells", SW_F_ICMP6_TELLS},
	};
	char line[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		(void)snprintf(line, sizeof(line), "close flags=%s", all[i].word);
		assert_int_equal(parsed(line).handshake.flags, all[i].bit);
	}
	refused("close flags=task,", "'task' is no value for flags");
	refused("close flags=", "'' is no value for flags");
	refused("close flags=Task", "'Task' is no value for flags");
}

/* Each field holds what its width holds, and not one more. */
static void numbers_have_bounds(void **state)
{
	union decode_record record;

	(void)state;
	record = parsed("retry retransmits=255 lport=65535 isn=4294967295 "
			"cookie=18446744073709551615 err=2147483647");
	assert_int_equal(record.handshake.timer.retransmits, 255);
	assert_int_equal(record.handshake.tuple.lport, 65535);
	assert_int_equal(record.handshake.isn, UINT32_MAX);
	assert_true(record.handshake.cookie == UINT64_MAX);
	assert_int_equal(record.handshake.err, INT32_MAX);
	assert_int_equal(parsed("retry err=-2147483648").handshake.err, INT32_MIN);
	assert_int_equal(parsed("retry cookie=0x54").handshake.cookie, 0x54);
	refused("retry retransmits=256", "'256' is no value for retransmits");
	refused("retry lport=65536", "'65536' is no value for lport");
	refused("retry isn=4294967296", "'4294967296' is no value for isn");
	refused("retry cookie=18446744073709551616", "'18446744073709551616' is no value for "
						     "cookie");
	refused("retry err=2147483648", "'2147483648' is no value for err");
	refused("retry err=-2147483649", "'-2147483649' is no value for err");
	refused("retry isn=-1", "'-1' is no value for isn");
	refused("retry isn=", "'' is no value for isn");
	refused("retry isn=1x", "'1x' is no value for isn");
	refused("retry err=", "'' is no value for err");
	refused("retry err=1.5", "'1.5' is no value for err");
}

static void addresses_are_of_either_family(void **state)
{
	union decode_record record = parsed("retry laddr=::ffff:10.0.0.1 raddr=10.0.0.1");

	(void)state;
	assert_memory_equal(record.handshake.tuple.laddr, record.handshake.tuple.raddr, 16);
	refused("retry raddr=10.0.0", "'10.0.0' is no value for raddr");
	refused("retry raddr=web1", "'web1' is no value for raddr");
	refused("retry raddr=", "'' is no value for raddr");
}

static void a_name_is_any_bytes(void **state)
{
	union decode_record record = parsed("retry comm=\\x1b[2J\\x20\\xFf\\x5cx");

	(void)state;
	assert_string_equal(record.handshake.owner.comm, "\033[2J \xff\\x");
	assert_string_equal(parsed("retry comm=123456789012345").handshake.owner.comm,
			    "123456789012345");
	assert_string_equal(parsed("retry comm=").handshake.owner.comm, "");
	assert_string_equal(parsed("retry comm=a=b").handshake.owner.comm, "a=b");
	refused("retry comm=1234567890123456", "'1234567890123456' is no value for comm");
	refused("retry comm=\\", "'\\' is no value for comm");
	refused("retry comm=\\n", "'\\n' is no value for comm");
	refused("retry comm=\\x", "'\\x' is no value for comm");
	refused("retry comm=\\x1", "'\\x1' is no value for comm");
	refused("retry comm=\\x1g", "'\\x1g' is no value for comm");
	refused("retry comm=\\x-1", "'\\x-1' is no value for comm");
	refused("retry comm=\\x+1", "'\\x+1' is no value for comm");
}

static void damage_is_named(void **state)
{
	(void)state;
	refused("", "'' is not a kind of record");
	refused("none", "'none' is not a kind of record");
	refused("retries cookie=1", "'retries' is not a kind of record");
	refused(" retry", "'' is not a kind of record");
	refused("retry cookie", "a retry record has no field 'cookie'");
	refused("retry cooky=1", "a retry record has no field 'cooky'");
	refused("retry =1", "a retry record has no field ''");
	refused("retry cookie=1 pid=x comm=a", "'x' is no value for pid");
}

static void spaces_and_tabs_may_abound(void **state)
{
	(void)state;
	assert_int_equal(parsed("retry  cookie=1\t\tpid=2  ").handshake.owner.pid, 2);
}

static void a_reason_fits_where_it_is_written(void **state)
{
	char line[] = "retry comm=12345678901234567890", reason[8];
	union decode_record record;

	(void)state;
	memset(reason, 'x', sizeof(reason));
	assert_int_equal(record_text_parse(line, &record, reason, sizeof(reason)), -EINVAL);
	assert_string_equal(reason, "'123456");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_has_its_header),
		cmocka_unit_test(every_field_of_a_handshake_goes_where_it_belongs),
		cmocka_unit_test(every_field_of_a_crowd_goes_where_it_belongs),
		cmocka_unit_test(bytes_are_pairs_of_hex_digits),
		cmocka_unit_test(bookkeeping_has_its_own_fields),
		cmocka_unit_test(flags_are_words),
		cmocka_unit_test(numbers_have_bounds),
		cmocka_unit_test(addresses_are_of_either_family),
		cmocka_unit_test(a_name_is_any_bytes),
		cmocka_unit_test(damage_is_named),
		cmocka_unit_test(spaces_and_tabs_may_abound),
		cmocka_unit_test(a_reason_fits_where_it_is_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
