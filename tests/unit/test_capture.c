/* SPDX-License-Identifier: GPL-2.0-only */
/* Captures: what goes in comes out, who may write, and what a disk may do meanwhile. */
#include "captures.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>

#include <sys/file.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "core/batch.h"
#include "store/capture.h"
#include "store/writer.h"

#define WALL (1700000000 * SEC)

/* Longer than anything here takes on the slowest machine; only a guard. */
#define PATIENCE_MS 60000

static struct place place;

static struct session session = {
	.version = "0.1",
	.host = "web1",
	.kernel = "6.12",
	.boot_id = "first",
	.start_ns = BEGIN,
	.wall_offset_ns = (int64_t)WALL,
	.hooks = {{.name = "inet_sock_set_state"},
		  {.name = "sys_enter_connect", .why_not = "no such tracepoint"}},
	.hook_count = 2,
	.filters = {{.name = "port", .values = (char *)"80,443"},
		    {.name = "comm", .values = (char *)"a,\"b"},
		    {.name = "comm", .values = (char *)"c"}},
	.filter_count = 3,
};

static void limit_files(rlim_t bytes)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static int set_up(void **state)
{
	(void)state;
	place_make(&place);
	/* As the program does: a limit on files is an error, not a death. */
	return signal(SIGXFSZ, SIG_IGN) == SIG_ERR;
}

static int tear_down(void **state)
{
	(void)state;
	place_remove(&place);
	limit_files(RLIM_INFINITY);
	return 0;
}

static struct capture *record_into(const struct capture_options *wanted)
{
	struct capture_options options = wanted ? *wanted : (struct capture_options){};
	struct capture *capture = NULL;

	options.path = place.path;
	if (!options.session)
		options.session = &session;
	assert_int_equal(capture_open(&options, &capture), 0);
	return capture;
}

/* A handshake that hangs, retries twice and is given up, begun so long after BEGIN. */
static uint64_t hang(struct capture *capture, uint64_t cookie, uint64_t after_ns)
{
	struct sw_handshake facts;

	for (uint8_t n = 1; n <= 3; n++) {
		facts = facts_client(n < 3 ? SW_RETRY : SW_CLOSE, BEGIN + after_ns + n * SEC, n);
		facts.start_ns = facts.syn_ns = BEGIN + after_ns;
		facts.cookie = cookie;
		facts.tuple.raddr[15] = (uint8_t)cookie;
		facts.sk_err = n < 3 ? 0 : 110;
		capture_append(capture, &facts, sizeof(facts));
	}
	return facts.header.time_ns;
}

static struct source *open_reader(const struct reader_options *wanted)
{
	const struct reader_options options = judge_options(&place);
	struct source *source;

	assert_int_equal(reader_open(wanted ? wanted : &options, &source), 0);
	return source;
}

static char *read_all(unsigned int sessions)
{
	const struct reader_options options = judge_options(&place);
	unsigned int found;
	int err;
	char *json = judge_capture(&options, &found, &err);

	assert_int_equal(err, 0);
	assert_int_equal(found, sessions);
	return json;
}

static size_t lines_with(const char *json, const char *word)
{
	size_t count = 0;

	while ((json = strstr(json, word))) {
		json += strlen(word);
		count++;
	}
	return count;
}

/* --- what goes in comes out --- */

struct listener {
	unsigned char bytes[4096];
	size_t used;
	uint64_t advances[8];
	size_t advance_count;
};

static void on_record(void *ctx, const void *data, size_t size)
{
	struct listener *listener = ctx;

	assert_true(listener->used + size <= sizeof(listener->bytes));
	memcpy(listener->bytes + listener->used, data, size);
	listener->used += size;
}

static void on_advance(void *ctx, uint64_t now_ns)
{
	struct listener *listener = ctx;

	assert_true(listener->advance_count < ARRAY_SIZE(listener->advances));
	listener->advances[listener->advance_count++] = now_ns;
}

static void records_come_back_byte_for_byte_and_so_does_the_time_between(void **state)
{
	struct sw_handshake first = facts_client(SW_RETRY, BEGIN + SEC, 1), second = first;
	struct sw_crowd crowd = {
		.header = facts_header(SW_CROWD, sizeof(crowd), BEGIN + 2 * SEC),
		.tuple.family = 4
	};
	struct listener listener = {};
	const struct source_events events = {
		.ctx = &listener, .record = on_record, .advance = on_advance, .idle = judge_idle};
	struct capture *capture = record_into(NULL);
	struct source *source;
	uint64_t end_ns;

	(void)state;
	second.header.time_ns += SEC;
	capture_advance(capture, BEGIN); /* says nothing: not later than the start */
	capture_append(capture, &first, sizeof(first));
	capture_advance(capture, BEGIN + SEC + 5);
	capture_advance(capture, BEGIN + SEC + 7);
	capture_append(capture, &second, sizeof(second));
	capture_append(capture, "garbage", 7);
	capture_append(capture, &crowd, sizeof(crowd));
	capture_close(capture, BEGIN + 3 * SEC);

	source = open_reader(NULL);
	assert_int_equal(reader_next(source), 1);
	assert_int_equal(source_run(source, &events, &end_ns), 0);
	assert_int_equal(end_ns, BEGIN + 3 * SEC);
	assert_int_equal(listener.advance_count, 1);
	assert_int_equal(listener.advances[0], BEGIN + SEC + 7);
	assert_memory_equal(listener.bytes, &first, sizeof(first));
	assert_memory_equal(listener.bytes + sizeof(first), &second, sizeof(second));
	assert_memory_equal(listener.bytes + listener.used - sizeof(crowd), &crowd, sizeof(crowd));
	assert_int_equal(reader_next(source), 0);
	source_free(source);
}

static void the_session_comes_back(void **state)
{
	const struct capture_options options = {.all = true, .stall_after_ns = 5 * SEC };
	const struct session *read;
	struct source *source;

	(void)state;
	capture_close(record_into(&options), BEGIN + SEC);
	source = open_reader(NULL);
	assert_int_equal(reader_next(source), 1);
	read = source_session(source);
	assert_false(read->live);
	assert_string_equal(read->version, "0.1");
	assert_string_equal(read->host, "web1");
	assert_string_equal(read->kernel, "6.12");
	assert_string_equal(read->boot_id, "first");
	assert_int_equal(read->start_ns, session.start_ns);
	assert_int_equal(read->wall_offset_ns, session.wall_offset_ns);
	assert_int_equal(read->hook_count, 2);
	assert_string_equal(read->hooks[0].why_not, "");
	assert_string_equal(read->hooks[1].why_not, "no such tracepoint");
	assert_int_equal(read->filter_count, 3);
	assert_string_equal(read->filters[1].values, "a,\"b");
	assert_true(reader_all(source));
	assert_int_equal(reader_stall_after_ns(source), 5 * SEC);
	source_free(source);
}

static void a_filter_given_at_reading_takes_the_place_of_the_capture_s(void **state)
{
	const struct session_filter word = {.name = "port", .values = (char *)"80"};
	struct reader_options options = judge_options(&place);
	struct source *source;

	(void)state;
	capture_close(record_into(NULL), BEGIN + SEC);
	options.words = &word;
	options.word_count = 1;
	source = open_reader(&options);
	assert_int_equal(reader_next(source), 1);
	assert_int_equal(source_session(source)->filter_count, 3);
	assert_string_equal(source_session(source)->filters[0].name, "comm");
	assert_string_equal(source_session(source)->filters[2].values, "80");
	source_free(source);
}

static void the_file_is_its_owner_s_and_one_file_at_the_end(void **state)
{
	struct capture *capture = record_into(NULL);
	char path[96];
	struct stat stat_file;

	(void)state;
	hang(capture, 1, 0);
	assert_int_equal(stat(place.path, &stat_file), 0);
	assert_int_equal(stat_file.st_mode & 0777, 0600);
	(void)snprintf(path, sizeof(path), "%s-wal", place.path);
	assert_int_equal(stat(path, &stat_file), 0);
	assert_int_equal(stat_file.st_mode & 0777, 0600);
	capture_close(capture, BEGIN + 10 * SEC);
	assert_int_equal(stat(path, &stat_file), -1);
	assert_int_equal(place_number(&place, "PRAGMA application_id"), 0x53594e57);
	assert_int_equal(place_number(&place, "PRAGMA user_version"), 1);
}

static void people_have_their_view(void **state)
{
	struct capture *capture = record_into(NULL);
	struct sw_name name = {.header = facts_header(SW_NAME, sizeof(name), BEGIN),
			       .number = 7,
			       .of = SW_NAME_REASON,
			       .name = "NETFILTER_DROP"};
	struct sw_counts counts = {
		.header = facts_header(SW_COUNTS, sizeof(counts), BEGIN + SEC),
		.healthy = 5,
		.latency = {[8] = 4, [9] = 1}
	};
	struct sw_handshake facts = facts_client(SW_CLOSE, BEGIN + 3 * SEC, 1);

	(void)state;
	capture_append(capture, &name, sizeof(name));
	capture_append(capture, &counts, sizeof(counts));
	facts.flags |= SW_F_DROP | SW_F_ISN;
	facts.isn = 99;
	facts.drop.reason = 7;
	facts.sk_err = 110;
	capture_append(capture, &facts, sizeof(facts));
	capture_close(capture, BEGIN + 10 * SEC);
	assert_int_equal(place_number(&place, "SELECT count(*) FROM handshakes WHERE"
					      " started = '2023-11-14 22:13:30.000' AND seconds = 3"
					      " AND local = '10.0.0.2:40000'"
					      " AND remote = '10.0.0.1:80' AND comm = 'curl'"
					      " AND state = 'closed' AND error = 'ETIMEDOUT'"
					      " AND drop_reason = 'NETFILTER_DROP' AND port = 80"
					      " AND role = 'client' AND ended AND host = 'web1'"),
			 1);
	assert_int_equal(place_number(&place, "SELECT count(*) FROM counts WHERE healthy = 5 AND"
					      " latency_us = '{\"512\":4,\"1024\":1}'"),
			 1);
	assert_int_equal(place_number(&place, "SELECT count(*) FROM sessions WHERE"
					      " filters = 'port=80,443 comm=a,\"b comm=c'"),
			 1);
}

/* --- sessions, and whose file it is --- */

static void a_second_session_is_appended_after_a_reboot_too(void **state)
{
	struct session later = session;
	const struct capture_options options = {.session = &later};
	struct capture *capture = record_into(NULL);
	char *json;

	(void)state;
	hang(capture, 1, 0);
	capture_close(capture, BEGIN + 10 * SEC);
	(void)snprintf(later.boot_id, sizeof(later.boot_id), "second");
	later.start_ns = SEC; /* its clock began anew */
	capture = record_into(&options);
	hang(capture, 1, 0);
	hang(capture, 2, 0);
	capture_close(capture, BEGIN + 10 * SEC);
	json = read_all(2);
	assert_int_equal(lines_with(json, "\"type\":\"end\""), 3);
	assert_int_equal(lines_with(json, "\"type\":\"summary\""), 2);
	free(json);
}

static void a_second_writer_is_refused_and_harms_nothing(void **state)
{
	const struct capture_options options = {.path = place.path, .session = &session};
	struct capture *capture = record_into(NULL), *second = NULL;
	char *json;

	(void)state;
	hang(capture, 1, 0);
	/* in this process, too: the lock belongs to the open file */
	assert_int_equal(capture_open(&options, &second), -EALREADY);
	assert_null(second);
	hang(capture, 2, SEC);
	capture_close(capture, BEGIN + 10 * SEC);
	json = read_all(1);
	assert_int_equal(lines_with(json, "\"type\":\"end\""), 2);
	free(json);
}

static void fill(const char *text, size_t length)
{
	FILE *file = fopen(place.path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, length, file), length);
	fclose(file);
}

static void check_refused(int expected)
{
	const struct capture_options to_write = {.path = place.path, .session = &session};
	const struct reader_options to_read = judge_options(&place);
	struct capture *capture = NULL;
	struct source *source = NULL;
	struct stat before, after;

	assert_int_equal(stat(place.path, &before), 0);
	assert_int_equal(capture_open(&to_write, &capture), expected);
	assert_int_equal(reader_open(&to_read, &source), expected);
	assert_int_equal(stat(place.path, &after), 0);
	assert_int_equal(before.st_size, after.st_size);
	assert_int_equal(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
	place_clear(&place);
}

static void foreign_newer_and_damaged_files_are_refused_as_they_are(void **state)
{
	static const char noise[5000] = "SQLite format 3\0nearly";

	(void)state;
	fill("no capture at all, but a file that somebody needs\n", 50);
	check_refused(-EMEDIUMTYPE);
	fill(noise, sizeof(noise));
	check_refused(-EMEDIUMTYPE);
	fill("", 0);
	place_exec(&place, "CREATE TABLE accounts (name)");
	check_refused(-EMEDIUMTYPE);
	capture_close(record_into(NULL), BEGIN);
	place_exec(&place, "PRAGMA user_version = 2");
	check_refused(-EPROTONOSUPPORT);
	capture_close(record_into(NULL), BEGIN);
	place_exec(&place, "DROP TABLE record");
	check_refused(-EBADMSG);
}

static void what_is_no_file_is_refused(void **state)
{
	struct capture_options options = {.path = "/dev/null", .session = &session};
	struct capture *capture;

	(void)state;
	assert_int_equal(capture_open(&options, &capture), -EMEDIUMTYPE);
	options.path = "/dev";
	assert_int_equal(capture_open(&options, &capture), -EISDIR);
	options.path = "/nonexistent/c.db";
	assert_int_equal(capture_open(&options, &capture), -ENOENT);
}

/* --- damage --- */

static void a_truncated_capture_is_read_as_far_as_it_goes(void **state)
{
	const struct reader_options options = judge_options(&place);
	struct capture *capture = record_into(NULL);
	unsigned int sessions;
	off_t size;
	char *json;
	int err;

	(void)state;
	for (uint64_t cookie = 1; cookie <= 200; cookie++)
		hang(capture, cookie, cookie * MS);
	capture_close(capture, BEGIN + 10 * SEC);
	size = (off_t)place_bytes(&place);
	assert_int_equal(truncate(place.path, size - size / 4), 0);
	json = judge_capture(&options, &sessions, &err);
	assert_int_equal(err, -EBADMSG);
	assert_int_equal(sessions, 1);
	assert_true(lines_with(json, "\"type\":\"end\"") > 20);
	assert_int_equal(lines_with(json, "\"type\":\"summary\""), 1);
	free(json);
}

/* --- while it runs --- */

/* Until the query gives the number. */
static void wait_for(const char *sql, int64_t number)
{
	int64_t found = -1;

	for (unsigned int waited = 0; waited < PATIENCE_MS; waited += 10) {
		found = place_number(&place, sql);
		if (found == number)
			return;
		usleep(10000);
	}
	fail_msg("%s: %ld and not %ld", sql, (long)found, (long)number);
}

static void a_reader_sees_what_is_there_while_it_is_recorded(void **state)
{
	struct capture *capture = record_into(NULL);
	char *json;

	(void)state;
	hang(capture, 1, 0);
	wait_for("SELECT count(*) FROM record", 3);
	json = read_all(1);
	assert_int_equal(lines_with(json, "\"type\":\"end\""), 1);
	free(json);
	hang(capture, 2, 0);
	wait_for("SELECT count(*) FROM record", 6);
	capture_close(capture, BEGIN + 10 * SEC);
}

/* The silence of what hangs is news as well. */
static void time_passes_in_the_file_while_something_hangs(void **state)
{
	struct capture *capture = record_into(NULL);
	struct sw_handshake facts = facts_client(SW_RETRY, BEGIN + SEC, 1);

	(void)state;
	capture_append(capture, &facts, sizeof(facts));
	wait_for("SELECT count(*) FROM record", 1);
	capture_advance(capture, BEGIN + 4 * SEC);
	wait_for("SELECT end_ns FROM session", BEGIN + 4 * SEC);
	capture_close(capture, BEGIN + 10 * SEC);
}

/* Files that may not grow are like a full disk. */
static void recording_goes_on_when_there_is_room_again(void **state)
{
	struct capture *capture = record_into(NULL);
	char *json;

	(void)state;
	hang(capture, 1, 0);
	wait_for("SELECT count(*) FROM record", 3);
	limit_files(4096);
	for (uint64_t cookie = 2; cookie <= 100; cookie++)
		hang(capture, cookie, cookie * MS);
	usleep(1000000); /* it finds out */
	limit_files(RLIM_INFINITY);
	wait_for("SELECT count(*) FROM record", 300);
	capture_close(capture, BEGIN + 10 * SEC);
	assert_true(place_is_sound(&place));
	json = read_all(1);
	/* What waited in the queue is late, not lost. */
	assert_int_equal(lines_with(json, "\"type\":\"end\""), 100);
	assert_int_equal(place_number(&place, "SELECT count(*) FROM record WHERE kind = 13"), 0);
	free(json);
}

static void what_has_no_room_in_the_queue_is_counted_as_lost(void **state)
{
	struct capture *capture = record_into(NULL);
	int64_t given = 3, kept, lost;

	(void)state;
	hang(capture, 1, 0);
	wait_for("SELECT count(*) FROM record", 3);
	limit_files(4096);
	/* more than the queue and a batch hold, 32 MiB each */
	for (uint64_t cookie = 2; cookie <= 80000; cookie++, given += 3)
		hang(capture, cookie, cookie * 100);
	limit_files(RLIM_INFINITY);
	wait_for("SELECT count(*) > 0 FROM record WHERE kind = 13", 1);
	hang(capture, 100000, SEC);
	given += 3;
	capture_close(capture, BEGIN + 20 * SEC);
	kept = place_number(&place, "SELECT count(*) FROM record WHERE handshake IS NOT NULL");
	/* struct sw_loss: ring is behind the header */
	lost = place_number(&place,
			    "SELECT sum(instr('123456789ABCDEF', substr(hex(body), 33, 1))"
			    " * 16 + instr('123456789ABCDEF', substr(hex(body), 34, 1))"
			    " + 4096 * instr('123456789ABCDEF', substr(hex(body), 35, 1))"
			    " + 256 * instr('123456789ABCDEF', substr(hex(body), 36, 1))"
			    " + 1048576 * instr('123456789ABCDEF', substr(hex(body), 37, 1))"
			    " + 65536 * instr('123456789ABCDEF', substr(hex(body), 38, 1)))"
			    " FROM record WHERE kind = 13");
	assert_true(lost > 0);
	assert_int_equal(kept + lost, given);
}

static void a_file_that_was_removed_is_made_anew_with_what_it_needs(void **state)
{
	struct capture *capture = record_into(NULL);
	struct sw_name name = {.header = facts_header(SW_NAME, sizeof(name), BEGIN + MS),
			       .number = 7,
			       .name = "NETFILTER_DROP"};
	struct sw_clock clock = {
		.header = facts_header(SW_CLOCK, sizeof(clock), BEGIN + 2 * MS),
		.offset_ns = (int64_t)(WALL + SEC)
	};
	char *json;

	(void)state;
	capture_append(capture, &name, sizeof(name));
	capture_append(capture, &clock, sizeof(clock));
	hang(capture, 1, 0);
	wait_for("SELECT count(*) FROM record", 5);
	place_clear(&place);
	/* An interruption, and then a new file, and what is in every one. */
	for (unsigned int waited = 0; access(place.path, F_OK) && waited < PATIENCE_MS;
	     waited += 10)
		usleep(10000);
	wait_for("SELECT count(*) FROM sqlite_master WHERE name = 'record'", 1);
	wait_for("SELECT count(*) FROM record WHERE kind IN (14, 15)", 2);
	hang(capture, 2, SEC);
	capture_close(capture, BEGIN + 10 * SEC);
	assert_int_equal(place_number(&place, "SELECT count(*) FROM session"), 1);
	assert_int_equal(place_number(&place, "SELECT count(*) FROM record WHERE kind IN (14, 15)"),
			 2);
	json = read_all(1);
	assert_int_equal(lines_with(json, "\"type\":\"end\""), 1);
	assert_non_null(strstr(json, "2023-11-14T22:13:35")); /* a second later, by the clock */
	free(json);
}

/* --- the window --- */

static size_t ends_within(int64_t since_ns, int64_t until_ns, unsigned int *ret_sessions)
{
	struct reader_options options = judge_options(&place);
	size_t count;
	char *json;
	int err;

	options.since_ns = since_ns;
	options.until_ns = until_ns;
	json = judge_capture(&options, ret_sessions, &err);
	assert_int_equal(err, 0);
	count = lines_with(json, "\"type\":\"end\"");
	free(json);
	return count;
}

static void a_window_shows_whole_handshakes_that_were_under_way_within(void **state)
{
	const int64_t begin = (int64_t)(WALL + BEGIN), sec = SEC;
	struct capture *capture = record_into(NULL);
	unsigned int sessions;

	(void)state;
	/* 0 .. 3 s, 10 .. 13 s, 20 .. 23 s */
	for (uint64_t cookie = 1; cookie <= 3; cookie++)
		hang(capture, cookie, (cookie - 1) * 10 * SEC);
	capture_close(capture, BEGIN + 30 * SEC);
	assert_int_equal(ends_within(begin, begin + 30 * sec, &sessions), 3);
	assert_int_equal(ends_within(begin + 11 * sec, begin + 12 * sec, &sessions), 1);
	/* between two of its records: that is when it hung */
	assert_int_equal(ends_within(begin + 11 * sec + 1000, begin + 11 * sec + 2000, &sessions),
			 1);
	assert_int_equal(ends_within(begin + 5 * sec, INT64_MAX, &sessions), 2);
	assert_int_equal(ends_within(INT64_MIN, begin + 15 * sec, &sessions), 2);
	assert_int_equal(ends_within(begin + 5 * sec, begin + 6 * sec, &sessions), 0);
	assert_int_equal(sessions, 1);
	assert_int_equal(ends_within(begin + 40 * sec, INT64_MAX, &sessions), 0);
	assert_int_equal(sessions, 0);
}

static void a_handshake_once_selected_stays_so(void **state)
{
	const struct filter filter = {.kinds = SW_FILTER_RPORT,
				      .ports[SW_PORT_REMOTE] = {[80 / 64] = 1ULL << 80 % 64}};
	struct reader_options options = judge_options(&place);
	struct sw_handshake facts = facts_client(SW_RETRY, BEGIN + SEC, 1);
	struct capture *capture = record_into(NULL);
	unsigned int sessions;
	char *json;
	int err;

	(void)state;
	capture_append(capture, &facts, sizeof(facts));
	facts = facts_client(SW_CLOSE, BEGIN + 3 * SEC, 1);
	facts.tuple.rport = 0; /* disconnected by the time that anybody looked */
	facts.flags |= SW_F_MISSED;
	capture_append(capture, &facts, sizeof(facts));
	facts.cookie++;
	capture_append(capture, &facts, sizeof(facts));
	capture_close(capture, BEGIN + 10 * SEC);
	options.filter = &filter;
	json = judge_capture(&options, &sessions, &err);
	assert_int_equal(err, 0);
	assert_int_equal(lines_with(json, "\"type\":\"end\""), 1);
	free(json);
}

/* --- bounds that change --- */

static void a_smaller_bound_shrinks_the_file(void **state)
{
	struct session later = session;
	struct capture_options options = {.max_size = 8 << 20};
	struct capture *capture = record_into(&options);

	(void)state;
	for (uint64_t cookie = 1; cookie <= 5000; cookie++)
		hang(capture, cookie, cookie * MS);
	capture_close(capture, BEGIN + 20 * SEC);
	assert_true(place_bytes(&place) > 4 << 20);
	options = (struct capture_options){.max_size = 1 << 20, .session = &later};
	later.start_ns += 30 * SEC;
	capture = record_into(&options);
	for (uint64_t cookie = 1; cookie <= 1500; cookie++)
		hang(capture, cookie, 30 * SEC + cookie * MS);
	capture_close(capture, BEGIN + 50 * SEC);
	assert_true(place_bytes(&place) <= (1 << 20) + (1 << 20) / 20);
	/* Of the first session nothing is left, and so it is gone. */
	assert_int_equal(place_number(&place, "SELECT count(*) FROM session"), 1);
	assert_true(place_number(&place, "SELECT count(*) FROM handshake") > 200);
	assert_true(place_is_sound(&place));
}

/* Somebody's sqlite3 with a transaction open: the log cannot be folded back. */
static void a_reader_that_holds_on_interrupts_the_recording_at_the_bound(void **state)
{
	const struct writer_options options = {
		.path = place.path, .session = &session, .max_size = 1 << 20};
	struct sw_handshake facts = facts_client(SW_CLOSE, BEGIN + SEC, 1);
	struct writer *writer = writer_new(&options);
	struct batch batch = {};
	size_t offset = 0;
	sqlite3 *db;
	int err = 0;

	(void)state;
	assert_non_null(writer);
	assert_int_equal(writer_open(writer), 0);
	assert_int_equal(sqlite3_open_v2(place.path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "BEGIN; SELECT count(*) FROM record", NULL, NULL, NULL),
			 SQLITE_OK);
	for (unsigned int i = 0; i < 10000 && !err; i++) {
		facts.cookie = i;
		if (offset == batch.used)
			offset = batch.used = 0;
		assert_true(batch_put(&batch, 0, &facts, sizeof(facts), 1 << 20));
		if (i % 16 == 0)
			err = writer_write(writer, &batch, &offset, BEGIN);
		assert_true(place_bytes(&place) <= options.max_size + options.max_size / 20);
	}
	assert_int_equal(err, -EBUSY);
	writer_abandon(writer);
	sqlite3_close(db);
	assert_int_equal(writer_open(writer), 0);
	assert_int_equal(writer_write(writer, &batch, &offset, BEGIN), 0);
	assert_int_equal(writer_close(writer, BEGIN + 2 * SEC), 0);
	writer_free(writer);
	free(batch.data);
	assert_true(place_is_sound(&place));
}

static void what_hangs_outlives_what_has_ended_before(void **state)
{
	const struct capture_options options = {.max_size = 256 << 10};
	struct sw_handshake facts = facts_client(SW_RETRY, BEGIN + MS, 1);
	struct capture *capture = record_into(&options);

	(void)state;
	facts.cookie = 100000;
	facts.start_ns = facts.syn_ns = BEGIN;
	capture_append(capture, &facts, sizeof(facts));
	for (uint64_t cookie = 1; cookie <= 2000; cookie++)
		hang(capture, cookie, cookie * MS);
	facts.header.time_ns = BEGIN + 6 * SEC;
	capture_append(capture, &facts, sizeof(facts));
	capture_close(capture, BEGIN + 10 * SEC);
	assert_int_equal(
		place_number(&place, "SELECT records FROM handshake WHERE cookie = 100000"), 2);
	assert_int_equal(place_number(&place, "SELECT count(*) FROM handshake WHERE cookie = 1"),
			 0);
	assert_int_equal(place_number(&place, "SELECT count(*) FROM handshake WHERE cookie = 2000"),
			 1);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(records_come_back_byte_for_byte_and_so_does_the_time_between),
		TEST(the_session_comes_back),
		TEST(a_filter_given_at_reading_takes_the_place_of_the_capture_s),
		TEST(the_file_is_its_owner_s_and_one_file_at_the_end),
		TEST(people_have_their_view),
		TEST(a_second_session_is_appended_after_a_reboot_too),
		TEST(a_second_writer_is_refused_and_harms_nothing),
		TEST(foreign_newer_and_damaged_files_are_refused_as_they_are),
		TEST(what_is_no_file_is_refused),
		TEST(a_truncated_capture_is_read_as_far_as_it_goes),
		TEST(a_reader_sees_what_is_there_while_it_is_recorded),
		TEST(time_passes_in_the_file_while_something_hangs),
		TEST(recording_goes_on_when_there_is_room_again),
		TEST(what_has_no_room_in_the_queue_is_counted_as_lost),
		TEST(a_file_that_was_removed_is_made_anew_with_what_it_needs),
		TEST(a_window_shows_whole_handshakes_that_were_under_way_within),
		TEST(a_handshake_once_selected_stays_so),
		TEST(a_smaller_bound_shrinks_the_file),
		TEST(a_reader_that_holds_on_interrupts_the_recording_at_the_bound),
		TEST(what_hangs_outlives_what_has_ended_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
