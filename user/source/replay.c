/* SPDX-License-Identifier: GPL-2.0-only */
#include "source/replay.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/log.h"
#include "core/names.h"
#include "source/record_text.h"

struct replay {
	struct source source;
	struct session session;
	const struct filter *filter;
	const char *path;
	FILE *file;
	char *line; /* getline()'s */
	size_t line_room;
	unsigned int line_number;
	bool pending; /* the line was read ahead and is not used yet */
	uint64_t end_ns;
};

/* The next line that says something, without its newline. Returns 1, 0 at the
 * end of the file, or a negative errno. */
static int next_line(struct replay *replay)
{
	ssize_t length;

	if (replay->pending) {
		replay->pending = false;
		return 1;
	}
	do {
		length = getline(&replay->line, &replay->line_room, replay->file);
		if (length < 0)
			return ferror(replay->file) ? -EIO : 0;
		replay->line_number++;
		if (length && replay->line[length - 1] == '\n')
			replay->line[--length] = '\0';
	} while (!length || replay->line[0] == '#');
	return 1;
}

static int complain(const struct replay *replay, const char *reason)
{
	log_error("%s, line %u: %s", replay->path, replay->line_number, reason);
	return -EBADMSG;
}

/* After the word `name`, the value of name=value; NULL if line has no such. */
static const char *value_of(const char *word, const char *name)
{
	size_t length = strlen(name);

	return !strncmp(word, name, length) && word[length] == '=' ? word + length + 1 : NULL;
}

static int parse_session(struct replay *replay, char *rest)
{
	struct session *session = &replay->session;

	for (const char *word; (word = strsep(&rest, " "));) {
		const char *value;

		if ((value = value_of(word, "start_ns")))
			session->start_ns = strtoull(value, NULL, 10);
		else if ((value = value_of(word, "wall_offset_ns")))
			session->wall_offset_ns = strtoll(value, NULL, 10);
		else if ((value = value_of(word, "version")))
			(void)snprintf(session->version, sizeof(session->version), "%s", value);
		else if ((value = value_of(word, "host")))
			(void)snprintf(session->host, sizeof(session->host), "%s", value);
		else if ((value = value_of(word, "kernel")))
			(void)snprintf(session->kernel, sizeof(session->kernel), "%s", value);
		else if ((value = value_of(word, "boot_id")))
			(void)snprintf(session->boot_id, sizeof(session->boot_id), "%s", value);
		else
			return complain(replay, "a session has version, host, kernel, boot_id, "
						"start_ns and wall_offset_ns");
	}
	return 0;
}

static int parse_hook(struct replay *replay, char *rest)
{
	const char *name = strsep(&rest, " ");

	if (!name || !session_add_hook(&replay->session, name, rest ? rest : ""))
		return complain(replay, "too many hooks, or one without a name");
	return 0;
}

/* Of a file of another kind, not even the first word means anything. */
static bool is_record(const char *line)
{
	size_t length = strcspn(line, " ");
	char word[32] = "";

	if (length < sizeof(word))
		memcpy(word, line, length);
	return names_kind_parse(word) > SW_NONE || !strcmp(word, "end");
}

/* The lines before the first record. */
static int read_head(struct replay *replay)
{
	int more, err;

	while ((more = next_line(replay)) > 0) {
		char *line = replay->line;

		if (!strncmp(line, "session ", 8))
			err = parse_session(replay, line + 8);
		else if (!strncmp(line, "hook ", 5))
			err = parse_hook(replay, line + 5);
		else
			break;
		if (err)
			return err;
	}
	replay->pending = more > 0;
	if (replay->pending ? !is_record(replay->line) : !more && !replay->session.start_ns) {
		log_error("%s is neither a capture nor records as text", replay->path);
		return -EBADMSG;
	}
	return more < 0 ? more : 0;
}

static bool is_wanted(const struct replay *replay, const union decode_record *record)
{
	if (record->header.kind == SW_CROWD)
		return filter_match_crowd(replay->filter, &record->crowd);
	return decode_size(record->header.kind) != sizeof(record->handshake) ||
	       filter_match(replay->filter, &record->handshake);
}

static int replay_record(struct replay *replay, const struct source_events *events)
{
	union decode_record record;
	char reason[160];
	const char *end = replay->line;
	int err;

	if (!strncmp(end, "end ", 4)) {
		end = value_of(end + 4, "time_ns");
		replay->end_ns = end ? strtoull(end, NULL, 10) : 0;
		return 0;
	}
	err = record_text_parse(replay->line, &record, reason, sizeof(reason));
	if (err)
		return complain(replay, reason);
	if (record.header.time_ns > replay->end_ns)
		replay->end_ns = record.header.time_ns;
	if (is_wanted(replay, &record))
		events->record(events->ctx, &record, record.header.size);
	return 0;
}

static int replay_run(struct source *source, const struct source_events *events,
		      uint64_t *ret_end_ns)
{
	struct replay *replay = (struct replay *)source;
	int more, err = 0;

	while (!err && (more = next_line(replay)) > 0)
		err = replay_record(replay, events);
	if (!err && more < 0) {
		err = more;
		log_error("cannot read %s: %s", replay->path, strerror(-err));
	}
	*ret_end_ns = replay->end_ns;
	more = events->idle(events->ctx);
	return err ? err : more < 0 ? more : 0;
}

static const struct session *replay_session(const struct source *source)
{
	return &((const struct replay *)source)->session;
}

static void replay_free(struct source *source)
{
	struct replay *replay = (struct replay *)source;

	if (replay->file)
		(void)fclose(replay->file);
	free(replay->line);
	free(replay);
}

static const struct source_ops replay_ops = {
	.name = "replay",
	.session = replay_session,
	.run = replay_run,
	.free = replay_free,
};

int replay_open(const char *path, const struct filter *filter, const struct session_filter *words,
		unsigned int word_count, struct source **ret_source)
{
	struct replay *replay = calloc(1, sizeof(*replay));
	int err;

	if (!replay)
		return -ENOMEM;
	replay->source.ops = &replay_ops;
	replay->filter = filter;
	replay->path = path;
	for (unsigned int i = 0; i < word_count; i++)
		replay->session.filters[replay->session.filter_count++] = words[i];
	replay->file = fopen(path, "re");
	if (!replay->file) {
		err = -errno;
		log_error("cannot open %s: %s", path, strerror(-err));
		goto fail;
	}
	err = read_head(replay);
	if (err)
		goto fail;
	*ret_source = &replay->source;
	return 0;
fail:
	replay_free(&replay->source);
	return err;
}
