/* SPDX-License-Identifier: GPL-2.0-only */
#include "store/writer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/decode.h"
#include "store/database.h"
#include "store/file.h"
#include "store/prune.h"
#include "store/row.h"

#define NSEC_PER_MSEC 1000000ULL
#define NSEC_PER_SEC  (1000 * NSEC_PER_MSEC)

/* As many as the kernel side's map holds. Of one above that which has been silent for
 * longest, later records make another row. */
#define ACTIVES_MAX 65536

/* The bound on age is looked at so often in its own length, and every so often at most. */
#define AGE_FRACTION 50
#define AGE_MIN_NS   (50 * NSEC_PER_MSEC)
#define AGE_MAX_NS   (60 * NSEC_PER_SEC)

/* While a handshake is under way and nothing comes, its silence is news. */
#define SILENCE_NS NSEC_PER_SEC

/* Names that the records so far needed: a new file needs them, too. More than these
 * core/terms does not keep either. */
#define NAMES_MAX 2048

struct writer {
	struct writer_options options;
	struct actives *actives;
	struct terms *terms;
	struct sw_name *names;
	size_t name_count;
	int64_t wall_offset_ns;
	uint64_t newest_ns;    /* of all records */
	uint64_t committed_ns; /* the end of the session, as the file says */
	uint64_t aged_ns;      /* when the bound on age was looked at */
	/* While open. */
	struct file *file;
	struct rows *rows;
	struct prune *prune;
	int64_t session;
	int64_t next_seq;
	struct active *changed; /* by the transaction under way */
};

struct writer *writer_new(const struct writer_options *options)
{
	struct writer *writer = calloc(1, sizeof(*writer));

	if (!writer)
		return NULL;
	writer->options = *options;
	writer->wall_offset_ns = options->session->wall_offset_ns;
	writer->newest_ns = options->session->start_ns;
	writer->terms = terms_new();
	writer->actives = actives_new(ACTIVES_MAX);
	if (!writer->terms || !writer->actives)
		return writer_free(writer);
	return writer;
}

struct writer *writer_free(struct writer *writer)
{
	if (!writer)
		return NULL;
	writer_abandon(writer);
	actives_free(writer->actives);
	terms_free(writer->terms);
	free(writer->names);
	free(writer);
	return NULL;
}

const char *writer_explain(int err)
{
	return err == -EALREADY ? "another synwatch records into it" : database_explain(err);
}

/* --- one record --- */

static int put(struct writer *writer, int64_t handshake, uint64_t advance_ns,
	       const struct sw_header *header, size_t size)
{
	const struct row row = {
		.seq = writer->next_seq++,
		.session = writer->session,
		.handshake = handshake,
		.time_ns = header->time_ns,
		.advance_ns = advance_ns,
		.kind = header->kind,
		.body = header,
		.size = (int)size,
	};

	return rows_record(writer->rows, &row);
}

static int learn(struct writer *writer, const struct sw_name *name)
{
	const char *known = terms_find(writer->terms, name->of, name->number);
	struct sw_name *names;

	if ((known && !strcmp(known, name->name)) || writer->name_count == NAMES_MAX)
		return 0;
	names = reallocarray(writer->names, writer->name_count + 1, sizeof(*names));
	if (!names)
		return -ENOMEM;
	writer->names = names;
	writer->names[writer->name_count++] = *name;
	terms_learn(writer->terms, name);
	return 0;
}

static int put_handshake(struct writer *writer, uint64_t advance_ns,
			 const struct sw_handshake *facts)
{
	struct handshake_key key = handshake_key_of(facts);
	struct active *active = actives_find(writer->actives, &key);
	int err;

	if (active && active->dropped)
		return 0;
	if (!active)
		active =
			actives_add(writer->actives, &key, writer->next_seq, facts->header.time_ns);
	if (!active)
		return -ENOMEM;
	err = put(writer, active->id, advance_ns, &facts->header, sizeof(*facts));
	if (err)
		return err;
	if (!active->changed) {
		active->changed_next = writer->changed;
		writer->changed = active;
		active->changed = true;
		active->records = 0;
		active->newest = facts;
	}
	active->records++;
	if (row_is_end(facts->header.kind) ||
	    facts->header.time_ns >= active->newest->header.time_ns)
		active->newest = facts;
	actives_touch(writer->actives, active, facts->header.time_ns,
		      row_is_end(facts->header.kind));
	return 0;
}

/* What the engine would not take is kept all the same, under no handshake. */
static int put_item(struct writer *writer, const struct batch_item *item)
{
	const struct sw_header *header = (const struct sw_header *)(item + 1);
	const struct sw_header nothing = {};
	union decode_record record;
	int64_t seq = writer->next_seq;
	int err;

	if (decode(header, item->size, &record))
		return put(writer, 0, item->advance_ns,
			   item->size < sizeof(*header) ? &nothing : header,
			   item->size < sizeof(*header) ? sizeof(nothing) : item->size);
	if (header->time_ns > writer->newest_ns)
		writer->newest_ns = header->time_ns;
	if (row_is_handshake(header->kind))
		return put_handshake(writer, item->advance_ns, (const struct sw_handshake *)header);
	err = put(writer, 0, item->advance_ns, header, item->size);
	if (header->kind == SW_CLOCK)
		writer->wall_offset_ns = record.clock.offset_ns;
	else if (header->kind == SW_NAME && !err)
		err = learn(writer, &record.name);
	else if (header->kind == SW_COUNTS && !err)
		err = rows_counts(writer->rows, seq, writer->session, &record.counts,
				  writer->wall_offset_ns);
	return err;
}

/* --- transactions --- */

static uint64_t age_interval(const struct writer *writer)
{
	uint64_t interval = writer->options.max_age_ns / AGE_FRACTION;

	if (interval < AGE_MIN_NS)
		return AGE_MIN_NS;
	return interval < AGE_MAX_NS ? interval : AGE_MAX_NS;
}

static bool is_age_due(const struct writer *writer, uint64_t now_ns)
{
	return writer->options.max_age_ns && now_ns > writer->options.max_age_ns &&
	       now_ns >= writer->aged_ns + age_interval(writer);
}

static int prune(struct writer *writer, size_t bytes, uint64_t now_ns)
{
	const struct file_limits *limits = file_limits(writer->file);
	int64_t needed = (int64_t)(bytes + bytes / 2) / limits->page_size + limits->slack_pages;
	bool more = false;
	int err = 0;

	if (is_age_due(writer, now_ns)) {
		err = prune_to_age(writer->prune,
				   (int64_t)(now_ns - writer->options.max_age_ns +
					     (uint64_t)writer->wall_offset_ns),
				   limits->most_pages, &more);
		if (!more)
			writer->aged_ns = now_ns;
	}
	if (!err)
		err = prune_to_size(writer->prune, limits->max_pages, needed, limits->most_pages);
	return err;
}

static int put_changed(struct writer *writer)
{
	int err = 0;

	for (struct active *active = writer->changed; active && !err; active = active->changed_next)
		err = rows_handshake(writer->rows, writer->session, active, writer->wall_offset_ns);
	return err;
}

/* The items from offset on that fit into one transaction. */
static size_t part_of(const struct writer *writer, const struct batch *batch, size_t offset)
{
	size_t end = offset;

	while (end < batch->used && end - offset < file_limits(writer->file)->transaction_bytes) {
		const struct batch_item *item = (const void *)(batch->data + end);

		end += batch_room(item->size);
	}
	return end;
}

static int fill(struct writer *writer, const struct batch *batch, size_t begin, size_t end,
		uint64_t now_ns)
{
	uint64_t end_ns;
	int err = prune(writer, end - begin, now_ns);

	for (size_t at = begin; at < end && !err;) {
		const struct batch_item *item = (const void *)(batch->data + at);

		err = put_item(writer, item);
		at += batch_room(item->size);
	}
	if (!err)
		err = put_changed(writer);
	end_ns = now_ns > writer->newest_ns ? now_ns : writer->newest_ns;
	if (!err)
		err = file_mark(writer->file, writer->session, end_ns, writer->next_seq - 1, false);
	return err;
}

static void committed(struct writer *writer, uint64_t now_ns)
{
	struct active *next;

	for (struct active *active = writer->changed; active; active = next) {
		next = active->changed_next;
		active->changed = false;
		active->stored = true;
	}
	writer->changed = NULL;
	actives_commit(writer->actives);
	writer->committed_ns = now_ns > writer->newest_ns ? now_ns : writer->newest_ns;
	actives_expire(writer->actives, writer->committed_ns);
}

static int transact(struct writer *writer, const struct batch *batch, size_t *offset,
		    uint64_t now_ns)
{
	size_t end = part_of(writer, batch, *offset);
	int64_t next_seq = writer->next_seq;
	int err = file_begin(writer->file, end == batch->used);

	if (err)
		return err;
	err = fill(writer, batch, *offset, end, now_ns);
	if (!err)
		err = file_commit(writer->file);
	if (err) {
		file_rollback(writer->file);
		actives_undo(writer->actives);
		writer->changed = NULL;
		writer->next_seq = next_seq;
		return err;
	}
	committed(writer, now_ns);
	*offset = end;
	return 0;
}

/* Nothing came: does the file need to know? */
static bool is_due(const struct writer *writer, uint64_t now_ns)
{
	return is_age_due(writer, now_ns) ||
	       (actives_under_way(writer->actives) && now_ns >= writer->committed_ns + SILENCE_NS);
}

int writer_write(struct writer *writer, const struct batch *batch, size_t *offset, uint64_t now_ns)
{
	int err = file_is_there(writer->file);

	if (err)
		return err;
	if (*offset == batch->used)
		return is_due(writer, now_ns) ? transact(writer, batch, offset, now_ns) : 0;
	while (!err && *offset < batch->used)
		err = transact(writer, batch, offset, now_ns);
	return err;
}

/* --- opening and closing --- */

/* A new file in the middle of a session (somebody took the old one away) needs what the
 * records so far have said. Of handshakes under way it knows nothing. */
static int repeat(struct writer *writer)
{
	const struct batch nothing = {};
	struct sw_clock clock = {
		.header = {.size = sizeof(clock),
			   .kind = SW_CLOCK,
			   .version = SW_ABI_VERSION,
			   .time_ns = writer->newest_ns},
		.offset_ns = writer->wall_offset_ns,
	};
	int err = file_begin(writer->file, true);

	for (size_t i = 0; i < writer->name_count && !err; i++)
		err = put(writer, 0, 0, &writer->names[i].header, sizeof(writer->names[i]));
	if (!err && writer->wall_offset_ns != writer->options.session->wall_offset_ns)
		err = put(writer, 0, 0, &clock.header, sizeof(clock));
	if (!err)
		err = fill(writer, &nothing, 0, 0, writer->newest_ns);
	return err ? err : file_commit(writer->file);
}

static int begin_session(struct writer *writer)
{
	bool known;
	int err = file_session(writer->file, &writer->options, &writer->session, &writer->next_seq,
			       &known);

	if (err)
		return err;
	if (!known) {
		actives_free(writer->actives);
		writer->actives = actives_new(ACTIVES_MAX);
		if (!writer->actives)
			return -ENOMEM;
	}
	err = rows_new(file_database(writer->file), writer->terms, &writer->rows);
	if (!err)
		err = prune_new(file_database(writer->file), writer->actives, writer->session,
				&writer->prune);
	return err || known ? err : repeat(writer);
}

int writer_open(struct writer *writer)
{
	int err = file_open(writer->options.path, writer->options.max_size, &writer->file);

	if (!err)
		err = begin_session(writer);
	if (err)
		writer_abandon(writer);
	return err;
}

void writer_abandon(struct writer *writer)
{
	writer->rows = rows_free(writer->rows);
	writer->prune = prune_free(writer->prune);
	writer->file = file_close(writer->file, false);
}

int writer_close(struct writer *writer, uint64_t end_ns)
{
	int err = file_begin(writer->file, true);

	if (end_ns < writer->newest_ns)
		end_ns = writer->newest_ns;
	if (!err)
		err = file_mark(writer->file, writer->session, end_ns, writer->next_seq - 1, true);
	if (!err)
		err = file_commit(writer->file);
	writer->rows = rows_free(writer->rows);
	writer->prune = prune_free(writer->prune);
	writer->file = file_close(writer->file, !err);
	return err;
}
