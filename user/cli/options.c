/* SPDX-License-Identifier: GPL-2.0-only */
#include "cli/options.h"

#include <argp.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli/units.h"
#include "core/utf8.h"

#ifndef SYNWATCH_VERSION
#define SYNWATCH_VERSION "unknown"
#endif

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* What is under way: argp hands it to every callback. */
struct parse {
	struct options options;
	struct argp_state *state; /* argp's side of it */
	FILE *out;
	int next;  /* argv index at which the last good option left argp */
	bool done; /* --help or --version did all there is to do */
	char reason[512];
};

/* An option: how argp sees it and what it does. A row without key is a heading. */
struct row {
	struct argp_option option;
	/* 0 or a positive errno (argp's convention) with the reason filled in. */
	int (*apply)(struct parse *parse, const struct row *row, const char *value);
	enum sw_filter kind; /* of a filter */
	size_t field;	     /* of a setting, in struct options */
};

enum long_only {
	KEY_LPORT = 0x100,
	KEY_RPORT,
	KEY_COMM,
	KEY_NETNS,
	KEY_CGROUP,
	KEY_SINCE,
	KEY_UNTIL,
	KEY_MAX_SIZE,
	KEY_MAX_AGE,
	KEY_NO_COLOR,
};

static int apply_filter(struct parse *parse, const struct row *row, const char *value);
static int apply_family(struct parse *parse, const struct row *row, const char *value);
static int apply_role(struct parse *parse, const struct row *row, const char *value);
static int apply_flag(struct parse *parse, const struct row *row, const char *value);
static int apply_duration(struct parse *parse, const struct row *row, const char *value);
static int apply_count(struct parse *parse, const struct row *row, const char *value);
static int apply_moment(struct parse *parse, const struct row *row, const char *value);
static int apply_write(struct parse *parse, const struct row *row, const char *value);
static int apply_size(struct parse *parse, const struct row *row, const char *value);
static int apply_help(struct parse *parse, const struct row *row, const char *value);
static int apply_version(struct parse *parse, const struct row *row, const char *value);

/* clang-format off */
#define HEADING(text) {.option = {.doc = (text)}}
#define OPTION(short_key, long_name, value_name, text) \
	.option = {.key = (short_key), .name = (long_name), .arg = (value_name), .doc = (text)}
#define FIELD(member) .field = offsetof(struct options, member)

static const struct row rows[] = {
	HEADING("Filters. Several kinds are ANDed, several values of one kind ORed:"),
	{OPTION('p', "pid", "PID[,...]", "client handshakes of these processes, server "
	 "handshakes of their listeners"), apply_filter, SW_FILTER_PID},
	{OPTION('P', "port", "PORT|A-B[,...]", "port at either end"),
	 apply_filter, SW_FILTER_PORT},
	{OPTION(KEY_LPORT, "lport", "PORT[,...]", "local port"), apply_filter, SW_FILTER_LPORT},
	{OPTION(KEY_RPORT, "rport", "PORT[,...]", "remote port"), apply_filter, SW_FILTER_RPORT},
	{OPTION('H', "host", "ADDR[/LEN][,...]", "address or network at either end, no host "
	 "names; IPv4 matches v4-mapped too"), apply_filter, SW_FILTER_HOST},
	{OPTION('4', NULL, NULL, "IPv4 on the wire"), apply_family, SW_FILTER_V4},
	{OPTION('6', NULL, NULL, "IPv6 on the wire"), apply_family, SW_FILTER_V6},
	{OPTION('u', "uid", "UID[,...]", "user, by number or name"), apply_filter, SW_FILTER_UID},
	{OPTION(KEY_COMM, "comm", "NAME", "task name, at most 15 bytes; repeat for more"),
	 apply_filter, SW_FILTER_COMM},
	{OPTION(KEY_NETNS, "netns", "PID|PATH|INUM", "network namespace of a process, of a file "
	 "or name in /run/netns, or by inode number"), apply_filter, SW_FILTER_NETNS},
	{OPTION(KEY_CGROUP, "cgroup", "PATH", "cgroup v2 and those below it; repeat for more"),
	 apply_filter, SW_FILTER_CGROUP},
	{OPTION('r', "role", "client|server", "which side this host has; default: both"),
	 apply_role},

	HEADING("What is shown:"),
	{OPTION('a', "all", NULL, "every handshake, healthy ones too"), apply_flag, FIELD(all)},
	{OPTION('s', "stall-after", "DUR", "when a handshake counts as stalled; default: at its "
	 "first retransmission, or after 1s"), apply_duration, FIELD(stall_after_ns)},
	{OPTION(KEY_SINCE, "since", "TIME", "read, join: handshakes that were under way then or "
	 "later"),
	 apply_moment, FIELD(since)},
	{OPTION(KEY_UNTIL, "until", "TIME", "read, join: that had begun by then"),
	 apply_moment, FIELD(until)},

	HEADING("When to stop (default: on SIGINT or SIGTERM):"),
	{OPTION('d', "duration", "DUR", "after that long"), apply_duration, FIELD(duration_ns)},
	{OPTION('c', "count", "N", "after N ended handshakes shown"), apply_count, FIELD(count)},

	HEADING("A capture for 'read', recorded while watching:"),
	{OPTION('w', "write", "FILE", "record into FILE, or go on in it"), apply_write},
	{OPTION(KEY_MAX_SIZE, "max-size", "SIZE", "what is oldest makes room; default: 1G"),
	 apply_size, FIELD(max_size)},
	{OPTION(KEY_MAX_AGE, "max-age", "DUR", "what is older is deleted; default: never"),
	 apply_duration, FIELD(max_age_ns)},

	HEADING("Output:"),
	{OPTION('j', "json", NULL, "JSON Lines on stdout"), apply_flag, FIELD(json)},
	{OPTION('q', "quiet", NULL, "only what ended, and the summary"), apply_flag, FIELD(quiet)},
	{OPTION('v', "verbose", NULL, "also what this kernel does not offer; join: both "
	 "sides' timeline of each handshake"),
	 apply_flag, FIELD(verbose)},
	{OPTION(KEY_NO_COLOR, "no-color", NULL, "no colours on a terminal either"),
	 apply_flag, FIELD(no_color)},

	/* argp sets these two apart by their names, below all groups. */
	{OPTION('h', "help", NULL, "print this and exit"), apply_help},
	{OPTION('V', "version", NULL, "print the version and exit"), apply_version},
};
/* clang-format on */

static const char doc[] =
	"Watches TCP handshakes and gives one verdict for each that stalls or fails. "
	"'read FILE' judges the records in FILE again, 'join FILE FILE' tells from two hosts' "
	"captures where each unanswered handshake died. 'doctor' says what this kernel and these "
	"privileges allow.\v"
	"DUR is a whole number and its unit: 500ms, 5s, 2m, 1h, 7d.\n"
	"SIZE likewise: 64K, 100M, 2G.\n"
	"TIME is 03:12, '2026-11-22 03:12', 2026-11-22T03:12:00Z or -2h.\n"
	"\n"
	"Exit status:\n"
	"  0  ran and stopped as asked, also on SIGINT and SIGTERM\n"
	"  1  could not run or had to stop; doctor: this host cannot be watched\n"
	"  2  wrong usage\n"
	"\n"
	"Examples:\n"
	"  synwatch                             every handshake that stalls or fails\n"
	"  synwatch -P 443 -H 10.0.0.0/8        those with port 443 and a host in 10/8\n"
	"  synwatch -p 4242 -a -s 200ms         all of process 4242, impatiently\n"
	"  synwatch -j -d 1m > trouble.jsonl    a minute for a program to read\n"
	"  synwatch -q -w hang.db               record what happens, for days\n"
	"  synwatch --since 03:00 read hang.db  what was stuck last night\n"
	"  synwatch join client.db server.db    where between two hosts each one died\n"
	"  synwatch doctor                      can this host be watched, and what is missing";

static int __attribute__((format(printf, 2, 3)))
refuse(struct parse *parse, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(parse->reason, sizeof(parse->reason), format, arguments);
	va_end(arguments);
	return EINVAL;
}

/* As given, for the session line. Lists of one kind are joined; a comm or a path
 * may hold a comma itself, so each of those stands alone. */
static int remember(struct parse *parse, const char *name, const char *value, bool is_list)
{
	struct options *options = &parse->options;
	struct session_filter *word = options->words;
	struct session_filter *end = word + options->word_count;
	char *joined;

	while (word < end && (!is_list || strcmp(word->name, name)))
		word++;
	if (word == options->words + SESSION_FILTERS_MAX)
		return refuse(parse, "--%s: at most %d filters are accepted", name,
			      SESSION_FILTERS_MAX);
	if (asprintf(&joined, "%s%s%s", word < end ? word->values : "", word < end ? "," : "",
		     value) < 0)
		return refuse(parse, "not enough memory");

	if (word == end) {
		snprintf(word->name, sizeof(word->name), "%s", name);
		options->word_count++;
	} else {
		free(word->values);
	}
	word->values = joined;
	return 0;
}

static int apply_filter(struct parse *parse, const struct row *row, const char *value)
{
	const char *name = row->option.name;
	char reason[sizeof(parse->reason) - 16];

	if (filter_add(&parse->options.filter, row->kind, value, reason, sizeof(reason)))
		return refuse(parse, "--%s: %s", name, reason);
	return remember(parse, name, value, !(row->kind & (SW_FILTER_COMM | SW_FILTER_CGROUP)));
}

static int apply_family(struct parse *parse, const struct row *row, const char *value)
{
	const char digit[] = {row->option.key, '\0'};

	(void)value;
	parse->options.filter.kinds |= row->kind;
	return remember(parse, "family", digit, true);
}

static int apply_role(struct parse *parse, const struct row *row, const char *value)
{
	static const struct {
		const char *word;
		enum sw_filter kind;
	} roles[] = {{"client", SW_FILTER_CLIENT}, {"server", SW_FILTER_SERVER}};

	for (size_t i = 0; i < ARRAY_SIZE(roles); i++) {
		if (strcmp(value, roles[i].word))
			continue;
		parse->options.filter.kinds |= roles[i].kind;
		return remember(parse, row->option.name, value, true);
	}
	return refuse(parse, "--role: '%.80s' is not a role: accepted are client and server",
		      value);
}

static void *field_of(struct parse *parse, const struct row *row)
{
	return (char *)&parse->options + row->field;
}

static int apply_flag(struct parse *parse, const struct row *row, const char *value)
{
	(void)value;
	*(bool *)field_of(parse, row) = true;
	return 0;
}

static int apply_duration(struct parse *parse, const struct row *row, const char *value)
{
	uint64_t ns;

	/* 0 would mean "not given". */
	if (units_duration(value, &ns) || !ns)
		return refuse(
			parse,
			"--%s: '%.80s' is not a duration: accepted are a whole number and its "
			"unit, such as 500ms, 5s, 2m, 1h or 7d, from 1ms to %dd",
			row->option.name, value, UNITS_DURATION_MAX_DAYS);

	*(uint64_t *)field_of(parse, row) = ns;
	return 0;
}

static int apply_count(struct parse *parse, const struct row *row, const char *value)
{
	if (units_number(value, 1, UINT64_MAX, field_of(parse, row)))
		return refuse(parse,
			      "--%s: '%.80s' is not a count: accepted are whole numbers from 1 on",
			      row->option.name, value);
	return 0;
}

static int apply_moment(struct parse *parse, const struct row *row, const char *value)
{
	if (moment_parse(value, field_of(parse, row)))
		return refuse(parse,
			      "--%s: '%.80s' is not a time: accepted are 03:12, 2026-11-22, "
			      "'2026-11-22 03:12:00', 2026-11-22T03:12:00Z and -2h, two hours ago",
			      row->option.name, value);
	return 0;
}

static int apply_write(struct parse *parse, const struct row *row, const char *value)
{
	(void)row;
	if (!*value)
		return refuse(parse, "--write: '' is not a file");
	parse->options.write = value;
	return 0;
}

static int apply_size(struct parse *parse, const struct row *row, const char *value)
{
	uint64_t bytes;

	if (units_size(value, &bytes) || bytes < OPTIONS_SIZE_MIN)
		return refuse(parse,
			      "--%s: '%.80s' is not a size: accepted are a whole number and its "
			      "unit, such as 64K, 100M or 2G, from 64K on",
			      row->option.name, value);
	*(uint64_t *)field_of(parse, row) = bytes;
	return 0;
}

static int apply_version(struct parse *parse, const struct row *row, const char *value)
{
	(void)row;
	(void)value;
	fputs("synwatch " SYNWATCH_VERSION "\n", parse->out);
	parse->done = true;
	return ECANCELED;
}

static const struct row *find_short(int key)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].option.key && rows[i].option.key == key)
			return &rows[i];
	return NULL;
}

/* The options that a long name, abbreviated perhaps, can mean. */
struct meanings {
	const struct row *row; /* the last of them */
	unsigned int count;
	char names[256]; /* "--comm, --count" */
};

static void find_long(const char *name, size_t length, struct meanings *meanings)
{
	size_t used = 0;

	memset(meanings, 0, sizeof(*meanings));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *known = rows[i].option.name;

		if (!known || strncmp(known, name, length))
			continue;
		meanings->row = &rows[i];
		if (!known[length]) {
			meanings->count = 1;
			return;
		}
		if (used < sizeof(meanings->names))
			used += snprintf(meanings->names + used, sizeof(meanings->names) - used,
					 "%s--%s", meanings->count ? ", " : "", known);
		meanings->count++;
	}
}

static void explain_long(struct parse *parse, const char *word)
{
	const char *name = word + 2;
	size_t length = strcspn(name, "=");
	int shown = length > 80 ? 80 : (int)length;
	struct meanings meanings;

	find_long(name, length, &meanings);
	if (meanings.count > 1)
		refuse(parse, "option '--%.*s' is ambiguous: it could be any of %s", shown, name,
		       meanings.names);
	else if (!meanings.count)
		refuse(parse, "unknown option '--%.*s' (see --help)", shown, name);
	else if (meanings.row->option.arg)
		refuse(parse, "option '--%s' needs a value: %s", meanings.row->option.name,
		       meanings.row->option.arg);
	else
		refuse(parse, "option '--%s' takes no value", meanings.row->option.name);
}

static void explain_short(struct parse *parse, const char *word)
{
	const struct row *row;

	do {
		row = find_short(*++word);
	} while (row && !row->option.arg);
	if (row)
		refuse(parse, "option '-%c' needs a value: %s", *word, row->option.arg);
	else
		refuse(parse, "unknown option '-%c' (see --help)", *word);
}

/*
 * Says what getopt, silenced, found wrong. It does not tell which word it was,
 * but its position does: a bad word that it had finished with is the one before
 * state->next; in the middle of a cluster like -aZb it still stands on it. The
 * other words since the last good option are no options.
 */
static void explain_option(struct parse *parse, const struct argp_state *state)
{
	const char *word = state->argv[state->next - 1];

	if (state->next <= parse->next || word[0] != '-' || !word[1])
		word = state->argv[state->next];
	if (!strncmp(word, "--", 2))
		explain_long(parse, word);
	else
		explain_short(parse, word);
}

static int parse_command(struct parse *parse, const char *argument)
{
	static const struct {
		const char *word;
		enum options_command command;
	} commands[] = {{"read", COMMAND_READ}, {"join", COMMAND_JOIN}, {"doctor", COMMAND_DOCTOR}};

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(argument, commands[i].word)) {
			parse->options.command = commands[i].command;
			return 0;
		}
	return refuse(parse,
		      "unknown command '%.80s': synwatch watches this host, 'read FILE' judges "
		      "records again, 'join FILE FILE' two hosts' captures, and 'doctor' says what "
		      "this host allows (see --help)",
		      argument);
}

/* argp has moved the arguments to the end of argv, one behind the other. */
static int parse_argument(struct parse *parse, const struct argp_state *state, char *argument)
{
	struct options *options = &parse->options;

	if (!state->arg_num)
		return parse_command(parse, argument);
	if (options->command == COMMAND_DOCTOR)
		return refuse(parse, "unexpected argument '%.80s': doctor takes none", argument);
	if (options->command == COMMAND_JOIN) {
		if (!options->file_count++)
			options->files = &state->argv[state->next - 1];
		return 0;
	}
	if (state->arg_num > 1)
		return refuse(parse, "unexpected argument '%.80s': read takes one FILE", argument);
	options->file = argument;
	return 0;
}

/* What goes together, when all is known. */
static int check_together(struct parse *parse)
{
	const struct options *options = &parse->options;
	bool reads = options->command == COMMAND_READ || options->command == COMMAND_JOIN;
	bool joins = options->command == COMMAND_JOIN;
	bool watches = options->word_count || options->all || options->stall_after_ns ||
		       options->since.kind || options->until.kind || options->duration_ns ||
		       options->count || options->write || options->quiet;
	const struct {
		bool wrong;
		const char *sentence;
	} rules[] = {
		{reads && !joins && !options->file, "read needs a FILE: synwatch read FILE"},
		{joins && options->file_count < 2,
		 "join needs captures of two hosts at least: synwatch join CLIENT SERVER"},
		{options->command == COMMAND_DOCTOR && watches,
		 "doctor takes --json, --verbose and --no-color only"},
		{reads && options->write, "--write: what is read is not recorded again"},
		{options->max_size && !options->write,
		 "--max-size is about a capture: it needs --write FILE"},
		{options->max_age_ns && !options->write,
		 "--max-age is about a capture: it needs --write FILE"},
		{!reads && options->since.kind,
		 "--since is about a capture: it needs read FILE or join"},
		{!reads && options->until.kind,
		 "--until is about a capture: it needs read FILE or join"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		if (rules[i].wrong)
			return refuse(parse, "%s", rules[i].sentence);
	return 0;
}

static error_t parse_key(int key, char *value, struct argp_state *state)
{
	struct parse *parse = state->input;
	const struct row *row;

	switch (key) {
	case ARGP_KEY_ARG:
		return parse_argument(parse, state, value);
	case ARGP_KEY_END:
		return check_together(parse);
	case ARGP_KEY_ERROR:
		if (!parse->done && !*parse->reason)
			explain_option(parse, state);
		return 0;
	default:
		row = find_short(key);
		if (!row)
			return ARGP_ERR_UNKNOWN;
		parse->state = state;
		parse->next = state->next;
		return row->apply(parse, row, value);
	}
}

/* argp would explain what every Unix user knows. */
static char *filter_help(int key, const char *text, void *input)
{
	(void)input;
	return key == ARGP_KEY_HELP_DUP_ARGS_NOTE ? NULL : (char *)text;
}

static int apply_help(struct parse *parse, const struct row *row, const char *value)
{
	(void)row;
	(void)value;
	/* The way to be silent about errors is also the way to get no help. */
	parse->state->flags &= ~ARGP_NO_ERRS;
	argp_state_help(parse->state, parse->out,
			ARGP_HELP_SHORT_USAGE | ARGP_HELP_LONG | ARGP_HELP_DOC);
	parse->done = true;
	return ECANCELED;
}

enum options_result options_parse(int argc, char **argv, struct options *ret_options, FILE *out,
				  FILE *err)
{
	struct parse parse = {.out = out, .next = 1};
	struct argp_option options[ARRAY_SIZE(rows) + 1] = {};
	const struct argp argp = {
		.options = options,
		.parser = parse_key,
		.args_doc = "\nread FILE\njoin FILE FILE...\ndoctor",
		.doc = doc,
		.help_filter = filter_help,
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		options[i] = rows[i].option;
	/* ARGP_SILENT: no message, no exit() and no option of argp's own. */
	if (!argp_parse(&argp, argc, argv, ARGP_SILENT, NULL, &parse)) {
		*ret_options = parse.options;
		return OPTIONS_RUN;
	}
	options_done(&parse.options);
	if (parse.done)
		return OPTIONS_DONE;
	if (!*parse.reason)
		refuse(&parse, "not enough memory");
	utf8_safe(parse.reason, sizeof(parse.reason), parse.reason, strlen(parse.reason));
	fprintf(err, "synwatch: %s\n", parse.reason);
	return OPTIONS_WRONG;
}

void options_done(struct options *options)
{
	if (!options)
		return;
	for (unsigned int i = 0; i < options->word_count; i++)
		free(options->words[i].values);
	memset(options->words, 0, sizeof(options->words));
	options->word_count = 0;
	filter_done(&options->filter);
}
