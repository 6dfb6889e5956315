/* SPDX-License-Identifier: GPL-2.0-only */
#include "store/join.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/log.h"
#include "core/evidence.h"
#include "core/handshake.h"
#include "core/verdict.h"
#include "store/database.h"
#include "store/joining.h"

/* include/net/tcp_states.h */
enum { STATE_ESTABLISHED = 1 };

#define PROGRESS_EVERY 5000

/* Once it has been told its line is not kept. */
static void forget_line(struct join_session *session)
{
	if (session->told)
		session_forget_filters(session->told);
	free(session->told);
	session->told = NULL;
}

static void release(struct joining *joining)
{
	join_find_done(joining);
	for (unsigned int i = 0; i < joining->session_count; i++) {
		struct join_session *session = &joining->sessions[i];

		forget_line(session);
		free(session->host);
		free(session->walls);
		filter_done(&session->filter);
		terms_free(session->terms);
	}
	for (unsigned int i = 0; joining->captures && i < joining->capture_count; i++) {
		(void)sqlite3_finalize(joining->captures[i].records);
		(void)sqlite3_close(joining->captures[i].db);
	}
	(void)sqlite3_close(joining->db);
	free(joining->sessions);
	free(joining->captures);
	free(joining->boots);
	free(joining->clocks);
}

/* --- sessions and clocks --- */

static void note_time(struct joining *joining, const struct join_session *session)
{
	struct joined *joined = joining->joined;
	uint64_t first_ns =
		session->start_ns + (uint64_t)joining_wall_offset(session, session->start_ns);
	uint64_t last_ns =
		session->end_ns + (uint64_t)joining_wall_offset(session, session->end_ns);

	if (!session->clients)
		return;
	if (!joined->first_wall_ns || first_ns < joined->first_wall_ns)
		joined->first_wall_ns = first_ns;
	if (last_ns > joined->last_wall_ns)
		joined->last_wall_ns = last_ns;
}

/* A session of that boot; its last, whose wall clock is the newest. */
static const struct join_session *last_of(const struct joining *joining, unsigned int boot)
{
	const struct join_session *last = NULL;

	for (unsigned int i = 0; i < joining->session_count; i++)
		if (joining->sessions[i].boot == boot)
			last = &joining->sessions[i];
	return last;
}

static int tell_clock(struct joining *joining, unsigned int client, unsigned int server)
{
	const struct join_clock *clock = joining_clock(joining, client, server);
	const struct join_session *here = last_of(joining, client);
	const struct join_session *there = last_of(joining, server);
	struct report report = {
		.type = REPORT_CLOCK,
		.time_ns = here->start_ns,
		.wall_ns = here->start_ns + (uint64_t)joining_wall_offset(here, here->start_ns),
		.clock = {.client = joining->captures[here->capture].path,
			  .server = joining->captures[there->capture].path,
			  .by = clock->by,
			  .spread_ns = clock->offset.spread_ns,
			  .handshakes = clock->offset.agree},
	};

	/* Monotonic clocks begin anywhere; what people compare are the others. By wall time
	 * there is nothing known but that they should be the same. */
	if (clock->by == CLOCK_BY_HANDSHAKES)
		report.clock.offset_ns =
			(int64_t)((uint64_t)clock->offset.offset_ns +
				  (uint64_t)joining_wall_offset(there, UINT64_MAX) -
				  (uint64_t)joining_wall_offset(here, UINT64_MAX));
	return joining->events->report(joining->events->ctx, &report);
}

static int tell_beginning(struct joining *joining)
{
	int err = 0;

	for (unsigned int i = 0; i < joining->session_count && !err; i++) {
		struct join_session *session = &joining->sessions[i];

		note_time(joining, session);
		err = joining->events->session(joining->events->ctx, session->told);
		forget_line(session);
	}
	for (unsigned int client = 0; client < joining->boot_count; client++)
		for (unsigned int server = 0; server < joining->boot_count && !err; server++)
			if (client != server && joining_clock(joining, client, server)->used &&
			    (joining->boot_count == 2 ||
			     joining_clock(joining, client, server)->known))
				err = tell_clock(joining, client, server);
	return err;
}

/* --- handshakes --- */

static void feed_client(void *ctx, const struct sw_handshake *record)
{
	if (!SW_KIND_IS_SERVER(record->header.kind))
		join_client_feed(ctx, record);
}

static bool is_wanted(const struct joining *joining, const struct join_row *row)
{
	const struct join_options *options = joining->options;
	const struct join_session *session = &joining->sessions[row->session];
	int64_t offset_ns = joining_wall_offset(session, row->start_ns);

	return (int64_t)(row->start_ns + (uint64_t)offset_ns) <= options->until_ns &&
	       (int64_t)(row->end_ns + (uint64_t)offset_ns) >= options->since_ns;
}

/* Nobody waited long for it, or it lost a race that its application won. */
static bool is_healthy(const struct joining *joining, const struct join_session *session,
		       const struct sw_handshake *facts)
{
	uint64_t after = joining->options->stall_after_ns ? joining->options->stall_after_ns
							  : session->stall_after_ns;

	if (!after)
		after = HANDSHAKE_STALL_DEFAULT_NS;
	if (facts->header.kind != SW_CLOSE)
		return facts->header.kind == SW_OPEN;
	if (facts->new_state != STATE_ESTABLISHED && !(facts->flags & SW_F_RACE_LOST))
		return false;
	return facts->flags & SW_F_COUNTED ||
	       facts->header.time_ns - handshake_begin_ns(facts) < after;
}

/* As its own host saw it. */
static void judge_client(const struct join_session *session, const struct sw_handshake *facts,
			 struct report *ret_report)
{
	bool ended = facts->header.kind == SW_CLOSE || facts->header.kind == SW_LOCAL_ERROR;
	bool lost = !ended && handshake_overdue_ns(facts) < session->end_ns;
	uint64_t time_ns = facts->header.time_ns;

	if (lost)
		time_ns = handshake_overdue_ns(facts);
	memset(ret_report, 0, sizeof(*ret_report));
	ret_report->type = ended || lost ? REPORT_END : REPORT_STALL;
	ret_report->time_ns = time_ns;
	ret_report->wall_ns = time_ns + (uint64_t)joining_wall_offset(session, time_ns);
	handshake_describe(facts, time_ns, ended || lost, &ret_report->handshake);
	evidence_tell_drop(facts, session->terms, &ret_report->handshake);
	if (ended)
		verdict_ended(facts, &ret_report->handshake);
	else if (lost)
		verdict_lost(facts, &ret_report->handshake);
	else
		verdict_stalled(facts, &ret_report->handshake);
}

static int tell_handshake(struct joining *joining, const struct join_row *row)
{
	const struct join_session *session = &joining->sessions[row->session];
	struct join_client client = {};
	struct join_found found;
	struct report_peer peer;
	struct report report;
	bool healthy;
	int err = join_records(joining, session->capture, row->id, feed_client, &client);

	if (err || !client.known || !filter_match(joining->options->filter, &client.facts))
		return err;
	healthy = is_healthy(joining, session, &client.facts);
	if (healthy && !(client.facts.flags & SW_F_COUNTED))
		stats_healthy(joining->options->stats, ROLE_CLIENT);
	if (healthy && !joining->options->all)
		return 0;
	judge_client(session, &client.facts, &report);
	if (!joining->options->all && !join_is_unanswered(&report.handshake))
		return 0;
	err = join_find(joining, row, &client, &found);
	if (err)
		return err;
	join_judge(&found.matter, &report.handshake, &peer);
	report.handshake.peer = &peer;
	if (!healthy)
		join_count(&joining->joined->tally, &report.handshake);
	return joining->events->report(joining->events->ctx, &report);
}

static int tell_handshakes(struct joining *joining)
{
	uint64_t done = 0, total = 0;
	sqlite3_stmt *statement;
	struct join_row row;
	int code = SQLITE_DONE;
	int err = database_prepare(joining->db,
				   "SELECT" JOIN_COLUMNS "FROM hs WHERE role = 0 ORDER BY rowid",
				   &statement);

	if (err)
		return err;
	for (unsigned int i = 0; i < joining->session_count; i++)
		total += joining->sessions[i].clients;
	while (!err && (code = sqlite3_step(statement)) == SQLITE_ROW) {
		if (!(++done % PROGRESS_EVERY))
			joining->events->progress(joining->events->ctx, "joining", done, total);
		join_row_read(statement, &row);
		if (is_wanted(joining, &row))
			err = tell_handshake(joining, &row);
	}
	if (!err)
		err = database_error(joining->db, code);
	(void)sqlite3_finalize(statement);
	return err;
}

int join_run(const struct join_options *options, const struct join_events *events,
	     struct joined *ret_joined)
{
	struct joining joining = {.options = options, .events = events, .joined = ret_joined};
	int err;

	memset(ret_joined, 0, sizeof(*ret_joined));
	err = join_import(&joining);
	if (!err)
		err = join_clocks(&joining);
	if (!err)
		err = join_find_prepare(&joining);
	if (!err)
		err = tell_beginning(&joining);
	if (!err)
		err = tell_handshakes(&joining);
	release(&joining);
	return err;
}
