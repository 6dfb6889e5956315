/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What holds of every capture, tried on some thousand random ones: handshakes that are
 * whole or not there, a file within its bounds, and the same words each time it is
 * judged; also of what is there while it is still written.
 */
#include <inttypes.h>

#include "captures.h"
#include "core/batch.h"
#include "store/row.h"
#include "store/writer.h"

#define SEEDS 2000

#define COOKIES	    200
#define RECORDS_MAX 160
#define BATCH_MAX   (1 << 20)

#define WALL (1700000000 * SEC)

struct run {
	uint64_t random;
	struct place place;
	struct session session;
	struct writer_options options;
	struct writer *writer;
	struct batch batch;
	uint64_t now_ns;
	/* How many records of each were given, by cookie, attempt and role. */
	unsigned int given[COOKIES][4][2];
	bool ended[COOKIES][4][2];
	bool pruned; /* something may be missing */
};

/* xorshift64: the same everywhere, unlike random() */
static uint64_t draw(struct run *run, uint64_t below)
{
	run->random ^= run->random << 13;
	run->random ^= run->random >> 7;
	run->random ^= run->random << 17;
	return run->random % below;
}

static void put(struct run *run, const void *data, size_t size, struct judge *live)
{
	uint64_t advance_ns = 0;

	/* as store/capture.c: only what is news */
	if (!draw(run, 3)) {
		advance_ns = run->now_ns + draw(run, 30 * MS);
		engine_advance(live->engine, advance_ns);
	}
	assert_true(batch_put(&run->batch, advance_ns, data, (uint32_t)size, BATCH_MAX));
	(void)engine_feed(live->engine, data, size);
}

static void put_handshake(struct run *run, struct judge *live)
{
	static const uint8_t kinds[] = {SW_OPEN,	 SW_RETRY,    SW_RETRY,
					SW_LOOK,	 SW_CLOSE,    SW_CLOSE,
					SW_SYNACK_RETRY, SW_ACCEPTED, SW_LOCAL_ERROR};
	uint64_t cookie = draw(run, COOKIES), attempt = draw(run, 4);
	uint8_t kind = kinds[draw(run, ARRAY_SIZE(kinds))];
	struct sw_handshake facts = facts_client(kind, run->now_ns, (uint8_t)draw(run, 7));

	/* No kernel goes on after an end. */
	if (run->ended[cookie][attempt][SW_KIND_IS_SERVER(kind)])
		return;
	if (SW_KIND_IS_SERVER(kind))
		facts = facts_server(kind, run->now_ns, (uint8_t)draw(run, 5), 1);
	facts.cookie = cookie;
	facts.start_ns = BEGIN + attempt;
	facts.syn_ns = kind == SW_LOCAL_ERROR ? 0 : facts.start_ns;
	facts.tuple.raddr[15] = (uint8_t)cookie;
	facts.new_state = draw(run, 2) ? ESTABLISHED : CLOSED;
	facts.sk_err = draw(run, 2) ? 110 : 0;
	run->given[cookie][attempt][SW_KIND_IS_SERVER(kind)]++;
	run->ended[cookie][attempt][SW_KIND_IS_SERVER(kind)] = row_is_end(kind);
	put(run, &facts, sizeof(facts), live);
}

static void put_bookkeeping(struct run *run, struct judge *live)
{
	struct sw_counts counts = {
		.header = facts_header(SW_COUNTS, sizeof(counts), run->now_ns),
		.healthy = draw(run, 100),
		.latency = {[5] = 7},
	};
	struct sw_clock clock = {
		.header = facts_header(SW_CLOCK, sizeof(clock), run->now_ns),
		.offset_ns = (int64_t)(WALL + draw(run, 100 * SEC)),
	};
	struct sw_name name = {
		.header = facts_header(SW_NAME, sizeof(name), run->now_ns),
		.number = draw(run, 10),
		.name = "NETFILTER_DROP",
	};
	struct sw_loss loss = {
		.header = facts_header(SW_LOSS, sizeof(loss), run->now_ns),
		.ring = 1 + draw(run, 5),
	};
	uint8_t garbage[40];

	switch (draw(run, 5)) {
	case 0:
		put(run, &clock, sizeof(clock), live);
		break;
	case 1:
		put(run, &name, sizeof(name), live);
		break;
	case 2:
		put(run, &loss, sizeof(loss), live);
		break;
	case 3:
		for (size_t i = 0; i < sizeof(garbage); i++)
			garbage[i] = (uint8_t)draw(run, 256);
		put(run, garbage, sizeof(garbage), live);
		break;
	default:
		put(run, &counts, sizeof(counts), live);
		break;
	}
}

static void write_batch(struct run *run)
{
	size_t offset = 0;

	assert_int_equal(writer_write(run->writer, &run->batch, &offset, run->now_ns), 0);
	assert_int_equal(offset, run->batch.used);
	run->batch.used = 0;
	if (place_bytes(&run->place) > run->options.max_size + run->options.max_size / 20)
		fail_msg("%" PRIu64 " bytes, and %" PRIu64 " were allowed",
			 place_bytes(&run->place), run->options.max_size);
}

/* All records of a handshake that were given, or none. */
static void check_handshakes(struct run *run)
{
	sqlite3_stmt *statement;
	sqlite3 *db;

	assert_int_equal(place_number(&run->place,
				      "SELECT count(*) FROM record WHERE handshake IS NOT NULL"
				      " AND handshake NOT IN (SELECT id FROM handshake)"),
			 0);
	assert_int_equal(sqlite3_open_v2(run->place.path, &db, SQLITE_OPEN_READONLY, NULL), 0);
	assert_int_equal(sqlite3_prepare_v2(db,
					    "SELECT cookie, start_ns, role = 'server', records,"
					    " count(*), min(seq) = h.id FROM handshake h JOIN"
					    " record r ON r.handshake = h.id GROUP BY h.id",
					    -1, &statement, NULL),
			 0);
	while (sqlite3_step(statement) == SQLITE_ROW) {
		int64_t cookie = sqlite3_column_int64(statement, 0);
		int64_t attempt = sqlite3_column_int64(statement, 1) - (int64_t)BEGIN;
		int server = sqlite3_column_int(statement, 2);

		assert_int_equal(sqlite3_column_int64(statement, 3),
				 sqlite3_column_int64(statement, 4));
		assert_int_equal(sqlite3_column_int64(statement, 4),
				 run->given[cookie][attempt][server]);
		assert_int_equal(sqlite3_column_int(statement, 5), 1);
	}
	sqlite3_finalize(statement);
	sqlite3_close(db);
}

static char *judge(const struct run *run)
{
	const struct reader_options options = judge_options(&run->place);
	unsigned int sessions;
	int err;
	char *json = judge_capture(&options, &sessions, &err);

	assert_int_equal(err, 0);
	assert_int_equal(sessions, 1);
	return json;
}

static void fill(struct run *run, struct judge *live)
{
	size_t count = draw(run, RECORDS_MAX), pause = 6 + draw(run, 60);

	for (size_t i = 0; i < count; i++) {
		run->now_ns += draw(run, 20) ? draw(run, 20 * MS) : draw(run, SEC);
		if (draw(run, 6))
			put_handshake(run, live);
		else
			put_bookkeeping(run, live);
		if (i % pause)
			continue;
		write_batch(run);
		if (!draw(run, 30)) {
			check_handshakes(run);
			free(judge(run));
		}
	}
	write_batch(run);
}

static void begin(struct run *run, uint64_t seed)
{
	run->random = 0x9e3779b97f4a7c15 * (seed + 1);
	run->now_ns = BEGIN + SEC;
	memset(run->given, 0, sizeof(run->given));
	memset(run->ended, 0, sizeof(run->ended));
	run->session = (struct session){.host = "test",
					.boot_id = "boot",
					.start_ns = BEGIN,
					.wall_offset_ns = (int64_t)WALL};
	run->options = (struct writer_options)
	{
		.path = run->place.path, .session = &run->session, .all = seed & 1,
		.max_size = seed % 3 ? 1 << 24 : 65536 + draw(run, 100000),
		.max_age_ns = seed % 5 == 4 ? SEC
		+draw(run, 10 * SEC) : 0,
	};
	run->pruned = run->options.max_age_ns || seed % 3 == 0;
	run->writer = writer_new(&run->options);
	assert_non_null(run->writer);
	assert_int_equal(writer_open(run->writer), 0);
}

static void handshakes_are_whole_within_bounds_and_judged_alike(void **state)
{
	static struct run run;

	(void)state;
	place_make(&run.place);
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct judge live = {};
		struct engine_options engine = {.start_ns = BEGIN, .wall_offset_ns = (int64_t)WALL};
		uint64_t end_ns;
		char *said, *read, *again;

		begin(&run, seed);
		engine.all = run.options.all;
		judge_open(&live);
		judge_begin(&live, &engine);
		fill(&run, &live);
		check_handshakes(&run);
		end_ns = run.now_ns + draw(&run, 10 * SEC);
		assert_int_equal(writer_close(run.writer, end_ns), 0);
		run.writer = writer_free(run.writer);
		judge_end(&live, end_ns);
		said = judge_close(&live);
		read = judge(&run);
		if (!run.pruned)
			assert_string_equal(said, read);
		again = judge(&run);
		assert_string_equal(read, again);
		if (seed % 8 == 0)
			assert_true(place_is_sound(&run.place));
		free(said);
		free(read);
		free(again);
		place_clear(&run.place);
	}
	place_remove(&run.place);
	free(run.batch.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(handshakes_are_whole_within_bounds_and_judged_alike),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
