/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/options.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#define WORDS_MAX (SESSION_FILTERS_MAX + 2)
#define S	  1000000000ULL

#define PORTS_ACCEPTED "PORT and FIRST-LAST, ports from 1 to 65535, separated by commas"
#define DURATIONS_ACCEPTED \
	"a whole number and its unit, such as 500ms, 5s, 2m, 1h or 7d, from 1ms to 36500d"

#define SIZES_ACCEPTED "a whole number and its unit, such as 64K, 100M or 2G, from 64K on"
#define TIMES_ACCEPTED \
	"03:12, 2026-11-22, '2026-11-22 03:12:00', 2026-11-22T03:12:00Z and -2h, two hours ago"

/* argv without argv[0], NULL-terminated. */
typedef const char *words_t[WORDS_MAX];

struct run {
	enum options_result result;
	struct options options;
	char *out, *err;
};

/* POSIXLY_CORRECT changes where options may stand; the tests are for GNU users. */
static int set_up(void **state)
{
	(void)state;
	return unsetenv("POSIXLY_CORRECT") || unsetenv("ARGP_HELP_FMT");
}

static void parse(struct run *run, const words_t words)
{
	char *argv[WORDS_MAX + 2] = {"synwatch"};
	size_t out_size, err_size;
	FILE *out, *err;
	int argc = 1;

	while (words[argc - 1]) {
		argv[argc] = (char *)words[argc - 1];
		argc++;
	}
	memset(run, 0, sizeof(*run));
	out = open_memstream(&run->out, &out_size);
	err = open_memstream(&run->err, &err_size);
	run->result = options_parse(argc, argv, &run->options, out, err);
	fclose(out);
	fclose(err);
}

static void done(struct run *run)
{
	options_done(&run->options);
	free(run->out);
	free(run->err);
}

static void accept(struct run *run, const words_t words)
{
	parse(run, words);
	if (run->result != OPTIONS_RUN)
		fail_msg("%s ...: %s", words[0], run->err);
	assert_string_equal(run->out, "");
	assert_string_equal(run->err, "");
}

static void check_word(const struct options *options, const char *name, const char *values)
{
	for (unsigned int i = 0; i < options->word_count; i++) {
		if (!strcmp(options->words[i].name, name)) {
			assert_string_equal(options->words[i].values, values);
			return;
		}
	}
	fail_msg("%s is not among the words", name);
}

static void nothing_given_means_watch_everything_that_stalls(void **state)
{
	static const struct options defaults = {.command = COMMAND_WATCH};
	struct run run;

	(void)state;
	accept(&run, (words_t){NULL});
	assert_memory_equal(&run.options, &defaults, sizeof(defaults));
	done(&run);
}

static void not_even_argv_0_is_needed(void **state)
{
	struct options options = {0};
	char *argv[] = {NULL};

	(void)state;
	assert_int_equal(options_parse(0, argv, &options, stdout, stderr), OPTIONS_RUN);
	options_done(&options);
}

static void every_setting_has_its_field(void **state)
{
	struct run run;

	(void)state;
	accept(&run, (words_t){"--all", "--json", "--quiet", "--verbose", "--no-color",
			       "--stall-after=500ms", "--duration", "2m",
			       "--count=18446744073709551615"});
	assert_true(run.options.all && run.options.json && run.options.quiet &&
		    run.options.verbose && run.options.no_color);
	assert_int_equal(run.options.stall_after_ns, S / 2);
	assert_int_equal(run.options.duration_ns, 120 * S);
	assert_int_equal(run.options.count, UINT64_MAX);
	assert_int_equal(run.options.word_count, 0);
	done(&run);
}

static void a_capture_has_its_bounds(void **state)
{
	struct run run;

	(void)state;
	accept(&run, (words_t){"-w", "hang.db", "--max-size", "100M", "--max-age=7d"});
	assert_string_equal(run.options.write, "hang.db");
	assert_int_equal(run.options.max_size, 100 << 20);
	assert_int_equal(run.options.max_age_ns, 7 * 86400 * S);
	done(&run);
	accept(&run, (words_t){"--write=hang.db"});
	assert_int_equal(run.options.max_size, 0);
	assert_int_equal(run.options.max_age_ns, 0);
	done(&run);
}

static void a_window_of_time_is_for_reading(void **state)
{
	struct run run;

	(void)state;
	accept(&run, (words_t){"--since", "-2h", "--until", "03:12", "read", "f"});
	assert_int_equal(run.options.since.kind, MOMENT_AGO);
	assert_int_equal(run.options.since.ago_ns, 7200 * S);
	assert_int_equal(run.options.until.kind, MOMENT_CLOCK);
	assert_int_equal(run.options.until.hour, 3);
	done(&run);
}

static void each_flag_sets_nothing_but_its_own_field(void **state)
{
	static const struct {
		const char *word;
		size_t field;
	} flags[] = {
		{"-a", offsetof(struct options, all)},
		{"-j", offsetof(struct options, json)},
		{"-q", offsetof(struct options, quiet)},
		{"-v", offsetof(struct options, verbose)},
		{"--no-color", offsetof(struct options, no_color)},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		struct options expected = {0};
		struct run run;

		*(bool *)((char *)&expected + flags[i].field) = true;
		accept(&run, (words_t){flags[i].word});
		assert_memory_equal(&run.options, &expected, sizeof(expected));
		done(&run);
	}
}

static void short_options_cluster_and_take_their_value_glued_or_apart(void **state)
{
	struct run run;

	(void)state;
	accept(&run, (words_t){"-ajqv", "-s1ms", "-d", "7d", "-c3", "-46P80"});
	assert_true(run.options.all && run.options.json && run.options.quiet &&
		    run.options.verbose);
	assert_int_equal(run.options.stall_after_ns, 1000000);
	assert_int_equal(run.options.duration_ns, 7 * 86400 * S);
	assert_int_equal(run.options.count, 3);
	assert_int_equal(run.options.filter.kinds, SW_FILTER_V4 | SW_FILTER_V6 | SW_FILTER_PORT);
	done(&run);
}

static void long_options_may_be_abbreviated_while_unique(void **state)
{
	struct run run;

	(void)state;
	accept(&run, (words_t){"--du", "1h", "--cou=2", "--verb", "--po", "80"});
	assert_int_equal(run.options.duration_ns, 3600 * S);
	assert_int_equal(run.options.count, 2);
	assert_true(run.options.verbose);
	check_word(&run.options, "port", "80");
	done(&run);
}

static void the_last_of_two_durations_counts(void **state)
{
	struct run run;

	(void)state;
	accept(&run, (words_t){"-d", "1s", "-d", "2s"});
	assert_int_equal(run.options.duration_ns, 2 * S);
	done(&run);
}

static void every_filter_is_kept_as_a_number_and_as_written(void **state)
{
	static const struct {
		const char *name, *values;
	} words[] = {
		{"pid", "1,2,3"},
		{"port", "80,443,8000-8099"},
		{"lport", "1"},
		{"rport", "2"},
		{"host", "10.0.0.0/8,[::1]"},
		{"family", "4,6"},
		{"uid", "0,1000"},
		{"comm", "curl"},
		{"comm", "a,b"},
		{"netns", "4026531840"},
		{"role", "client,server"},
	};
	struct run run;

	(void)state;
	accept(&run,
	       (words_t){"-p1,2", "--pid=3", "-P80,443", "-P8000-8099", "--lport=1", "--rport=2",
			 "-H10.0.0.0/8", "--host=[::1]", "-46", "-u0,1000", "--comm=curl",
			 "--comm=a,b", "--netns=4026531840", "-rclient", "--role=server"});
	assert_int_equal(run.options.word_count, ARRAY_SIZE(words));
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		assert_string_equal(run.options.words[i].name, words[i].name);
		assert_string_equal(run.options.words[i].values, words[i].values);
	}
	assert_int_equal(run.options.filter.kinds,
			 SW_FILTER_PID | SW_FILTER_PORT | SW_FILTER_LPORT | SW_FILTER_RPORT |
				 SW_FILTER_HOST | SW_FILTER_V4 | SW_FILTER_V6 | SW_FILTER_UID |
				 SW_FILTER_COMM | SW_FILTER_NETNS | SW_FILTER_CLIENT |
				 SW_FILTER_SERVER);
	assert_int_equal(run.options.filter.pid_count, 3);
	assert_int_equal(run.options.filter.uid_count, 2);
	assert_int_equal(run.options.filter.host_count, 2);
	assert_int_equal(run.options.filter.comm_count, 2);
	assert_int_equal(run.options.filter.netns_count, 1);
	done(&run);
}

static void more_filters_than_a_session_holds_are_refused(void **state)
{
	const char *words[WORDS_MAX] = {0};
	struct run run;

	(void)state;
	for (int i = 0; i < SESSION_FILTERS_MAX; i++)
		words[i] = "--comm=x";
	accept(&run, words);
	assert_int_equal(run.options.word_count, SESSION_FILTERS_MAX);
	done(&run);
	words[SESSION_FILTERS_MAX] = "--comm=x";
	parse(&run, words);
	assert_int_equal(run.result, OPTIONS_WRONG);
	assert_string_equal(run.err, "synwatch: --comm: at most 64 filters are accepted\n");
	done(&run);
}

static void one_family_and_one_role_stay_one(void **state)
{
	static const struct {
		words_t words;
		uint32_t kinds;
		const char *name, *values;
	} cases[] = {
		{{"-4"}, SW_FILTER_V4, "family", "4"},
		{{"-6"}, SW_FILTER_V6, "family", "6"},
		{{"-r", "client"}, SW_FILTER_CLIENT, "role", "client"},
		{{"-r", "server"}, SW_FILTER_SERVER, "role", "server"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct run run;

		accept(&run, cases[i].words);
		assert_int_equal(run.options.filter.kinds, cases[i].kinds);
		assert_int_equal(run.options.word_count, 1);
		check_word(&run.options, cases[i].name, cases[i].values);
		done(&run);
	}
}

static void a_cgroup_becomes_a_filter_where_there_are_cgroups(void **state)
{
	struct run run;

	(void)state;
	parse(&run, (words_t){"--cgroup", "/"});
	if (run.result == OPTIONS_WRONG) {
		assert_string_equal(run.err, "synwatch: --cgroup: '/' is not a cgroup: no cgroup "
					     "v2 tree is mounted here\n");
	} else {
		assert_int_equal(run.options.filter.kinds, SW_FILTER_CGROUP);
		assert_int_equal(run.options.filter.cgroup_count, 1);
		check_word(&run.options, "cgroup", "/");
	}
	done(&run);
}

static void read_takes_a_file_wherever_the_options_stand(void **state)
{
	static const words_t orders[] = {
		{"read", "trouble.txt", "-j", "-P", "80"},
		{"-j", "-P", "80", "read", "trouble.txt"},
		{"read", "-j", "trouble.txt", "-P80"},
		{"-j", "read", "-P80", "--", "trouble.txt"},
		{"-jP80", "--", "read", "trouble.txt"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
		struct run run;

		accept(&run, orders[i]);
		assert_int_equal(run.options.command, COMMAND_READ);
		assert_string_equal(run.options.file, "trouble.txt");
		assert_true(run.options.json);
		check_word(&run.options, "port", "80");
		done(&run);
	}
}

static void a_file_may_look_like_an_option_after_two_dashes(void **state)
{
	struct run run;

	(void)state;
	accept(&run, (words_t){"read", "--", "-j"});
	assert_string_equal(run.options.file, "-j");
	assert_false(run.options.json);
	done(&run);
	accept(&run, (words_t){"read", "-"});
	assert_string_equal(run.options.file, "-");
	done(&run);
}

static void join_takes_any_number_of_files(void **state)
{
	struct run run;

	(void)state;
	accept(&run, (words_t){"join", "a", "-j", "b", "--since", "-2h", "--", "c"});
	assert_int_equal(run.options.command, COMMAND_JOIN);
	assert_int_equal(run.options.file_count, 3);
	assert_null(run.options.file);
	assert_true(run.options.json);
	done(&run);
}

static void doctor_takes_what_is_about_its_output(void **state)
{
	struct run run;

	(void)state;
	accept(&run, (words_t){"doctor"});
	assert_int_equal(run.options.command, COMMAND_DOCTOR);
	assert_null(run.options.file);
	done(&run);
	accept(&run, (words_t){"-jv", "doctor", "--no-color"});
	assert_int_equal(run.options.command, COMMAND_DOCTOR);
	assert_true(run.options.json && run.options.verbose && run.options.no_color);
	done(&run);
}

#define COMMANDS                                                                              \
	"synwatch watches this host, 'read FILE' judges records again, 'join FILE FILE' two " \
	"hosts' captures, and 'doctor' says what this host allows (see --help)"
#define DOCTOR "doctor takes --json, --verbose and --no-color only"

static const struct {
	words_t words;
	const char *sentence;
} refusals[] = {
	/* Commands. */
	{{"frob"}, "unknown command 'frob': " COMMANDS},
	{{""}, "unknown command '': " COMMANDS},
	{{"Read", "f"}, "unknown command 'Read': " COMMANDS},
	{{"doctor", "now"}, "unexpected argument 'now': doctor takes none"},
	{{"-j", "doctor", "-q"}, DOCTOR},
	{{"doctor", "-a"}, DOCTOR},
	{{"doctor", "-P80"}, DOCTOR},
	{{"doctor", "-4"}, DOCTOR},
	{{"doctor", "-s1s"}, DOCTOR},
	{{"doctor", "-d1s"}, DOCTOR},
	{{"doctor", "-c1"}, DOCTOR},
	{{"doctor", "-w", "f"}, DOCTOR},
	{{"doctor", "--since", "-2h"}, DOCTOR},
	{{"doctor", "--until", "-2h"}, DOCTOR},
	{{"read"}, "read needs a FILE: synwatch read FILE"},
	{{"read", "-j"}, "read needs a FILE: synwatch read FILE"},
	{{"read", "a", "b"}, "unexpected argument 'b': read takes one FILE"},
	{{"read", "a", "b", "c"}, "unexpected argument 'b': read takes one FILE"},
	{{"join"}, "join needs captures of two hosts at least: synwatch join CLIENT SERVER"},
	{{"join", "a"}, "join needs captures of two hosts at least: synwatch join CLIENT SERVER"},
	{{"join", "-w", "c", "a", "b"}, "--write: what is read is not recorded again"},
	/* Options that there are not, wherever getopt finds them. */
	{{"--frob"}, "unknown option '--frob' (see --help)"},
	{{"--frob=x"}, "unknown option '--frob' (see --help)"},
	{{"--portx", "80"}, "unknown option '--portx' (see --help)"},
	{{"-Z"}, "unknown option '-Z' (see --help)"},
	{{"-?"}, "unknown option '-?' (see --help)"},
	{{"--usage"}, "unknown option '--usage' (see --help)"},
	{{"-Zaj"}, "unknown option '-Z' (see --help)"},
	{{"-aZj"}, "unknown option '-Z' (see --help)"},
	{{"-ajZ"}, "unknown option '-Z' (see --help)"},
	{{"-j", "-aZq"}, "unknown option '-Z' (see --help)"},
	{{"-j", "-Z", "-aYq"}, "unknown option '-Z' (see --help)"},
	{{"--comm", "-Y", "-aZq"}, "unknown option '-Z' (see --help)"},
	{{"--comm", "--frob", "-Zq"}, "unknown option '-Z' (see --help)"},
	{{"-P", "80", "-Zq"}, "unknown option '-Z' (see --help)"},
	{{"read", "file", "-Z"}, "unknown option '-Z' (see --help)"},
	{{"read", "file", "-Zaj"}, "unknown option '-Z' (see --help)"},
	{{"read", "-q", "file", "-aZj"}, "unknown option '-Z' (see --help)"},
	{{"read", "-q", "file", "--frob", "-aj"}, "unknown option '--frob' (see --help)"},
	{{"read", "-", "-Zaj"}, "unknown option '-Z' (see --help)"},
	{{"-\033[2J"}, "unknown option '-?' (see --help)"},
	{{"--\033[2J"}, "unknown option '--?[2J' (see --help)"},
	/* Options that are written wrongly. */
	{{"--port"}, "option '--port' needs a value: PORT|A-B[,...]"},
	{{"-j", "--po"}, "option '--port' needs a value: PORT|A-B[,...]"},
	{{"-P"}, "option '-P' needs a value: PORT|A-B[,...]"},
	{{"-aP"}, "option '-P' needs a value: PORT|A-B[,...]"},
	{{"read", "f", "-aP"}, "option '-P' needs a value: PORT|A-B[,...]"},
	{{"--stall-after"}, "option '--stall-after' needs a value: DUR"},
	{{"-r"}, "option '-r' needs a value: client|server"},
	{{"--json=yes"}, "option '--json' takes no value"},
	{{"--js=yes", "-j"}, "option '--json' takes no value"},
	{{"--help=me"}, "option '--help' takes no value"},
	{{"--co", "x"}, "option '--co' is ambiguous: it could be any of --comm, --count"},
	{{"--h"}, "option '--h' is ambiguous: it could be any of --host, --help"},
	{{"--ver=1"}, "option '--ver' is ambiguous: it could be any of --verbose, --version"},
	/* Values. */
	{{"--port", "80,,443"},
	 "--port: an empty value in '80,,443': accepted are " PORTS_ACCEPTED},
	{{"-P", "80,"}, "--port: an empty value in '80,': accepted are " PORTS_ACCEPTED},
	{{"-P", ""}, "--port: an empty value in '': accepted are " PORTS_ACCEPTED},
	{{"-P0"}, "--port: '0' is not a port: accepted are " PORTS_ACCEPTED},
	{{"--lport=65536"}, "--lport: '65536' is not a port: accepted are " PORTS_ACCEPTED},
	{{"--rport", "-5"}, "--rport: '-5' is not a port: accepted are " PORTS_ACCEPTED},
	{{"-P", "443-80"},
	 "--port: '443-80' runs backwards: a range is FIRST-LAST, the smaller port first"},
	{{"-P", "1\n2"}, "--port: '1?2' is not a port: accepted are " PORTS_ACCEPTED},
	{{"-P80", "--pid", "0"},
	 "--pid: '0' is not a process ID: accepted are numbers from 1 to 2147483647, separated by "
	 "commas"},
	{{"-H", "10.1.2.3/8"},
	 "--host: '10.1.2.3/8' has bits set beyond its prefix: write 10.0.0.0/8 for the network, "
	 "leave out /LEN for the one address"},
	{{"-H", "example.com"},
	 "--host: 'example.com' is not an address: accepted are IPv4 and IPv6 ADDR or ADDR/LEN, "
	 "separated by commas; host names are not resolved"},
	{{"--comm", "1234567890123456"},
	 "--comm: '1234567890123456' has 16 bytes: the kernel keeps the first 15 of a name, so "
	 "write '123456789012345'"},
	{{"--uid", "no such user"},
	 "--uid: 'no such user' is not a user: accepted are numbers from 0 to 4294967294 and names "
	 "of this host's users, separated by commas"},
	{{"--netns", "no-such-name"},
	 "--netns: 'no-such-name' is not a network namespace: accepted are PIDs of live processes, "
	 "namespace files, their inode numbers and names in /run/netns, separated by commas"},
	{{"--role", "proxy"}, "--role: 'proxy' is not a role: accepted are client and server"},
	{{"--role", "client,server"},
	 "--role: 'client,server' is not a role: accepted are client and server"},
	{{"-r", ""}, "--role: '' is not a role: accepted are client and server"},
	{{"-c", "0"}, "--count: '0' is not a count: accepted are whole numbers from 1 on"},
	{{"-c", "1e3"}, "--count: '1e3' is not a count: accepted are whole numbers from 1 on"},
	{{"-c", "+5"}, "--count: '+5' is not a count: accepted are whole numbers from 1 on"},
	{{"-c", " 5"}, "--count: ' 5' is not a count: accepted are whole numbers from 1 on"},
	{{"-c", "18446744073709551616"},
	 "--count: '18446744073709551616' is not a count: accepted are whole numbers from 1 on"},
	{{"-d", "0s"}, "--duration: '0s' is not a duration: accepted are " DURATIONS_ACCEPTED},
	{{"-d", "5"}, "--duration: '5' is not a duration: accepted are " DURATIONS_ACCEPTED},
	{{"-d", "1.5s"}, "--duration: '1.5s' is not a duration: accepted are " DURATIONS_ACCEPTED},
	{{"-d", "99999999999999999999s"},
	 "--duration: '99999999999999999999s' is not a duration: accepted are " DURATIONS_ACCEPTED},
	{{"-s", "0ms"}, "--stall-after: '0ms' is not a duration: accepted are " DURATIONS_ACCEPTED},
	{{"-s", "500us"},
	 "--stall-after: '500us' is not a duration: accepted are " DURATIONS_ACCEPTED},
	{{"-s", ""}, "--stall-after: '' is not a duration: accepted are " DURATIONS_ACCEPTED},
	{{"-w", ""}, "--write: '' is not a file"},
	{{"-w", "f", "--max-size", "5"},
	 "--max-size: '5' is not a size: accepted are " SIZES_ACCEPTED},
	{{"-w", "f", "--max-size", "63K"},
	 "--max-size: '63K' is not a size: accepted are " SIZES_ACCEPTED},
	{{"-w", "f", "--max-size", "1g"},
	 "--max-size: '1g' is not a size: accepted are " SIZES_ACCEPTED},
	{{"-w", "f", "--max-age", "0s"},
	 "--max-age: '0s' is not a duration: accepted are " DURATIONS_ACCEPTED},
	{{"--since", "yesterday", "read", "f"},
	 "--since: 'yesterday' is not a time: accepted are " TIMES_ACCEPTED},
	{{"--until=24:00", "read", "f"},
	 "--until: '24:00' is not a time: accepted are " TIMES_ACCEPTED},
	/* What does not go together. */
	{{"-w", "f", "read", "g"}, "--write: what is read is not recorded again"},
	{{"--max-size", "1M"}, "--max-size is about a capture: it needs --write FILE"},
	{{"--max-age", "1d"}, "--max-age is about a capture: it needs --write FILE"},
	{{"--max-age", "1d", "read", "f"}, "--max-age is about a capture: it needs --write FILE"},
	{{"--since", "-2h"}, "--since is about a capture: it needs read FILE or join"},
	{{"--until", "03:12"}, "--until is about a capture: it needs read FILE or join"},
	/* The first mistake is the one that is told; what was good before is freed. */
	{{"-p1", "--comm=a", "-Hx", "-Py", "frob"},
	 "--host: 'x' is not an address: accepted are IPv4 and IPv6 ADDR or ADDR/LEN, separated by "
	 "commas; host names are not resolved"},
};

static void every_refusal_is_one_sentence_and_nothing_else(void **state)
{
	char line[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		struct run run;

		parse(&run, refusals[i].words);
		if (run.result != OPTIONS_WRONG)
			fail_msg("instead of: %s", refusals[i].sentence);
		snprintf(line, sizeof(line), "synwatch: %s\n", refusals[i].sentence);
		assert_string_equal(run.err, line);
		assert_string_equal(run.out, "");
		done(&run);
	}
}

static void a_long_value_does_not_hide_what_is_accepted(void **state)
{
	char value[5000];
	const char *const options[] = {"-P", "-d", "-c", "-r", "--comm", "--netns", "-u", "-H"};

	(void)state;
	memset(value, '9', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		struct run run;

		parse(&run, (words_t){options[i], value});
		assert_int_equal(run.result, OPTIONS_WRONG);
		assert_true(strlen(run.err) < 400);
		assert_non_null(strstr(run.err, "99'"));
		assert_int_equal(run.err[strlen(run.err) - 1], '\n');
		done(&run);
	}
}

static void without_a_run_the_struct_is_untouched(void **state)
{
	static const words_t words[] = {
		{"-p1", "-P80", "--frob"}, {"-p1", "-P80", "frob"}, {"-p1", "-P80", "-Px"},
		{"-p1", "-P80", "-h"},	   {"-p1", "-P80", "-V"},
	};
	static unsigned char before[sizeof(struct options)];
	static struct options options;

	(void)state;
	memset(before, 0xa5, sizeof(before));
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		char *argv[] = {"synwatch", (char *)words[i][0], (char *)words[i][1],
				(char *)words[i][2], NULL};
		size_t size;
		char *text;
		FILE *sink = open_memstream(&text, &size);

		memcpy(&options, before, sizeof(options));
		assert_int_not_equal(options_parse(4, argv, &options, sink, sink), OPTIONS_RUN);
		assert_memory_equal(&options, before, sizeof(options));
		fclose(sink);
		free(text);
	}
}

/* argp and getopt have messages of their own; none may come through. */
static void nothing_is_written_to_the_streams_of_the_process(void **state)
{
	int saved[2] = {dup(STDOUT_FILENO), dup(STDERR_FILENO)};
	FILE *file = tmpfile();
	struct run run;
	struct stat st;

	(void)state;
	assert_non_null(file);
	fflush(stdout);
	dup2(fileno(file), STDOUT_FILENO);
	dup2(fileno(file), STDERR_FILENO);
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		parse(&run, refusals[i].words);
		done(&run);
	}
	parse(&run, (words_t){"--help"});
	done(&run);
	fflush(stdout);
	dup2(saved[0], STDOUT_FILENO);
	dup2(saved[1], STDERR_FILENO);
	close(saved[0]);
	close(saved[1]);
	assert_int_equal(fstat(fileno(file), &st), 0);
	assert_int_equal(st.st_size, 0);
	fclose(file);
}

static void version_is_one_line(void **state)
{
	static const words_t words[] = {{"-V"}, {"--version"}, {"-jV", "frob"}, {"--vers", "-Z"}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		struct run run;

		parse(&run, words[i]);
		assert_int_equal(run.result, OPTIONS_DONE);
		assert_int_equal(strncmp(run.out, "synwatch ", 9), 0);
		assert_true(strlen(run.out) > 10);
		assert_ptr_equal(strchr(run.out, '\n'), run.out + strlen(run.out) - 1);
		assert_string_equal(run.err, "");
		done(&run);
	}
}

static void help_comes_by_both_names_and_ends_the_parsing(void **state)
{
	static const words_t words[] = {{"-h"}, {"--help"}, {"-jh"}, {"frob", "-h"}, {"-h", "-Z"}};
	struct run first;

	(void)state;
	parse(&first, words[0]);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		struct run run;

		parse(&run, words[i]);
		assert_int_equal(run.result, OPTIONS_DONE);
		assert_string_equal(run.out, first.out);
		assert_string_equal(run.err, "");
		done(&run);
	}
	done(&first);
}

static void a_mistake_before_help_is_told(void **state)
{
	struct run run;

	(void)state;
	parse(&run, (words_t){"-P", "x", "-h"});
	assert_int_equal(run.result, OPTIONS_WRONG);
	done(&run);
}

static void help_fits_80_columns_and_names_everything(void **state)
{
	static const char *const mentions[] = {
		"Usage: synwatch [OPTION...] \n  or:  synwatch [OPTION...] read FILE\n"
		"  or:  synwatch [OPTION...] join FILE FILE...\n"
		"  or:  synwatch [OPTION...] doctor\n",
		"  -p, --pid=",
		"  -P, --port=",
		"      --lport=",
		"      --rport=",
		"  -H, --host=",
		"  -4  ",
		"  -6  ",
		"  -u, --uid=",
		"      --comm=",
		"      --netns=PID|PATH|INUM",
		"      --cgroup=",
		"  -r, --role=client|server",
		"  -a, --all",
		"  -s, --stall-after=DUR",
		"  -w, --write=FILE",
		"      --max-size=SIZE",
		"      --max-age=DUR",
		"      --since=TIME",
		"      --until=TIME",
		"64K, 100M, 2G",
		"  -d, --duration=DUR",
		"  -c, --count=N",
		"  -j, --json",
		"  -q, --quiet",
		"  -v, --verbose",
		"      --no-color",
		"  -h, --help",
		"  -V, --version",
		"default: at its first retransmission, or after 1s",
		"default: both",
		"500ms, 5s, 2m, 1h, 7d",
		"Exit status:\n  0 ",
		"\n  1 ",
		"\n  2 ",
		"\n Filters",
		"\n What is shown",
		"\n Output",
	};
	static const char broken[] = "\n                             ";
	static const size_t indent = sizeof(broken) - 1;
	char *flat, *line, *rest;
	struct run run;

	(void)state;
	parse(&run, (words_t){"--help"});
	/* Where argp breaks a description is of no interest. */
	flat = strdup(run.out);
	while ((line = strstr(flat, broken))) {
		memmove(line + 1, line + indent, strlen(line + indent) + 1);
		*line = ' ';
	}
	for (size_t i = 0; i < ARRAY_SIZE(mentions); i++)
		if (!strstr(flat, mentions[i]))
			fail_msg("--help does not say '%s'", mentions[i]);
	assert_null(strstr(flat, "Mandatory or optional arguments")); /* argp's own note */
	free(flat);
	for (rest = run.out; (line = strsep(&rest, "\n"));)
		if (strlen(line) > 80)
			fail_msg("%zu columns: %s", strlen(line), line);
	done(&run);
}

/* "  synwatch -P 443 > file     what it does" as its shell would split it. */
static void split_example(char *line, words_t ret_words)
{
	char *rest = line + strlen("  synwatch");
	size_t count = 0;
	char *word;

	*strstr(rest, "  ") = '\0';
	rest[strcspn(rest, ">")] = '\0';
	while ((word = strsep(&rest, " ")))
		if (*word)
			ret_words[count++] = word;
	ret_words[count] = NULL;
}

static void every_example_in_help_is_accepted(void **state)
{
	struct run help, run;
	unsigned int examples = 0;
	char *line, *rest;

	(void)state;
	parse(&help, (words_t){"-h"});
	for (rest = strstr(help.out, "Examples:"); (line = strsep(&rest, "\n"));) {
		words_t words;

		if (strncmp(line, "  synwatch", 10))
			continue;
		split_example(line, words);
		accept(&run, words);
		done(&run);
		examples++;
	}
	assert_int_equal(examples, 8);
	done(&help);
}

static void done_is_safe_on_nothing_and_twice(void **state)
{
	struct run run;

	(void)state;
	options_done(NULL);
	accept(&run, (words_t){"-p1", "-P80"});
	options_done(&run.options);
	assert_int_equal(run.options.word_count, 0);
	assert_int_equal(run.options.filter.kinds, 0);
	done(&run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_given_means_watch_everything_that_stalls),
		cmocka_unit_test(not_even_argv_0_is_needed),
		cmocka_unit_test(every_setting_has_its_field),
		cmocka_unit_test(a_capture_has_its_bounds),
		cmocka_unit_test(a_window_of_time_is_for_reading),
		cmocka_unit_test(each_flag_sets_nothing_but_its_own_field),
		cmocka_unit_test(short_options_cluster_and_take_their_value_glued_or_apart),
		cmocka_unit_test(long_options_may_be_abbreviated_while_unique),
		cmocka_unit_test(the_last_of_two_durations_counts),
		cmocka_unit_test(every_filter_is_kept_as_a_number_and_as_written),
		cmocka_unit_test(more_filters_than_a_session_holds_are_refused),
		cmocka_unit_test(one_family_and_one_role_stay_one),
		cmocka_unit_test(a_cgroup_becomes_a_filter_where_there_are_cgroups),
		cmocka_unit_test(read_takes_a_file_wherever_the_options_stand),
		cmocka_unit_test(a_file_may_look_like_an_option_after_two_dashes),
		cmocka_unit_test(join_takes_any_number_of_files),
		cmocka_unit_test(doctor_takes_what_is_about_its_output),
		cmocka_unit_test(every_refusal_is_one_sentence_and_nothing_else),
		cmocka_unit_test(a_long_value_does_not_hide_what_is_accepted),
		cmocka_unit_test(without_a_run_the_struct_is_untouched),
		cmocka_unit_test(nothing_is_written_to_the_streams_of_the_process),
		cmocka_unit_test(version_is_one_line),
		cmocka_unit_test(help_comes_by_both_names_and_ends_the_parsing),
		cmocka_unit_test(a_mistake_before_help_is_told),
		cmocka_unit_test(help_fits_80_columns_and_names_everything),
		cmocka_unit_test(every_example_in_help_is_accepted),
		cmocka_unit_test(done_is_safe_on_nothing_and_twice),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
