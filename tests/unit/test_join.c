/* SPDX-License-Identifier: GPL-2.0-only */
/* Captures of two hosts, joined: what they show, and what they must not be taken to show. */
#include "captures.h"

#include "store/capture.h"
#include "store/join.h"

#define WALL (1700000000 * SEC)

/* The server's monotonic clock began so much earlier. */
#define APART (5000 * SEC)
/* A way. */
#define WAY (5 * MS)

#define DROPPED_BY_RULE 77

static struct place client_place, server_place;

static int set_up(void **state)
{
	(void)state;
	place_make(&client_place);
	place_make(&server_place);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	place_remove(&client_place);
	place_remove(&server_place);
	return 0;
}

/* --- recording --- */

struct host {
	struct session session;
	struct capture *capture;
	uint64_t end_ns;
	uint64_t cookie;
};

/* As seen by the client's clock, from BEGIN - 100 s to BEGIN + 200 s. */
static void begin_host(struct host *host, const struct place *place, bool server, bool all)
{
	uint64_t apart = server ? APART : 0;
	struct capture_options options = {.path = place->path, .all = all};

	*host = (struct host)
	{
		.session =
		{.start_ns = BEGIN + apart - 9 * SEC,
		 .wall_offset_ns = (int64_t)(WALL - apart) },
		.end_ns = BEGIN + apart + 200 * SEC
		,
	};
	(void)snprintf(host->session.host, sizeof(host->session.host), "%s",
		       server ? "web2" : "web1");
	(void)snprintf(host->session.boot_id, sizeof(host->session.boot_id), "%s",
		       server ? "two" : "one");
	options.session = &host->session;
	assert_int_equal(capture_open(&options, &host->capture), 0);
	if (server) {
		struct sw_name name = {.header = facts_header(SW_NAME, sizeof(name),
							      host->session.start_ns),
				       .number = DROPPED_BY_RULE,
				       .of = SW_NAME_REASON,
				       .name = "NETFILTER_DROP"};

		capture_append(host->capture, &name, sizeof(name));
	}
}

static struct host client, server;

static void begin(bool all)
{
	begin_host(&client, &client_place, false, all);
	begin_host(&server, &server_place, true, all);
}

static void end(void)
{
	client.capture = capture_close(client.capture, client.end_ns);
	server.capture = capture_close(server.capture, server.end_ns);
}

static void put(struct host *host, const struct sw_handshake *facts)
{
	capture_append(host->capture, facts, sizeof(*facts));
}

/* What the client's own host threw away of it; `what` 0: nothing. */
static struct sw_drop client_drop;

/* SYNs after 0, 1 and 2 seconds, given up at 3 s. */
static void client_hangs(uint32_t isn, uint16_t port, uint64_t after_ns)
{
	struct sw_handshake facts;

	client.cookie++;
	for (uint8_t n = 1; n <= 3; n++) {
		uint8_t retries = n < 3 ? n : 2;

		facts = facts_client(n < 3 ? SW_RETRY : SW_CLOSE, BEGIN + after_ns + n * SEC,
				     retries);
		facts.cookie = client.cookie;
		facts.start_ns = facts.syn_ns = BEGIN + after_ns;
		facts.flags |= SW_F_ISN;
		facts.isn = isn;
		facts.tuple.lport = port;
		facts.sk_err = n < 3 ? 0 : 110;
		if (client_drop.what) {
			facts.flags |= SW_F_DROP;
			facts.drop = client_drop;
			facts.drop.reason = DROPPED_BY_RULE;
			facts.drop.count = retries;
			facts.drop.attempt = retries;
			facts.drop.netns = 4711;
		}
		put(&client, &facts);
	}
}

/* Answered at once; of both sides, with --all. */
static void healthy(uint32_t isn, uint16_t port, uint64_t after_ns)
{
	struct sw_handshake facts = facts_client(SW_CLOSE, BEGIN + after_ns + 2 * WAY, 0);

	facts.cookie = ++client.cookie;
	facts.start_ns = facts.syn_ns = BEGIN + after_ns;
	facts.flags |= SW_F_ISN;
	facts.isn = isn;
	facts.tuple.lport = port;
	facts.new_state = ESTABLISHED;
	put(&client, &facts);
	facts = facts_server(SW_ACCEPTED, BEGIN + APART + after_ns + 2 * WAY, 0, 0);
	facts.cookie = ++server.cookie;
	facts.start_ns = facts.syn_ns = BEGIN + APART + after_ns + WAY;
	facts.isn = isn;
	facts.tuple.rport = port;
	put(&server, &facts);
}

static struct sw_handshake at_server(uint8_t kind, uint32_t isn, uint16_t port, uint64_t after_ns)
{
	struct sw_handshake facts =
		kind == SW_SYN_DROP
			? facts_syn_drop(BEGIN + APART + WAY + after_ns, DROPPED_BY_RULE)
			: facts_server(kind, BEGIN + APART + WAY + after_ns + SEC, 1, 1);

	facts.cookie = ++server.cookie;
	facts.start_ns = facts.syn_ns = BEGIN + APART + WAY + after_ns;
	facts.isn = isn;
	facts.tuple.rport = port;
	return facts;
}

/* --- joining --- */

struct result {
	struct report reports[16]; /* handshakes */
	struct report_peer peers[16];
	char hosts[16][16]; /* the peers' */
	unsigned int count, sessions, clocks;
	struct report_clock clock;
	struct joined joined;
	struct report_summary summary;
};

static int on_session(void *ctx, const struct session *session)
{
	struct result *result = ctx;

	assert_string_not_equal(session->capture, "");
	result->sessions++;
	return 0;
}

static int on_report(void *ctx, const struct report *report)
{
	struct result *result = ctx;

	if (report->type == REPORT_CLOCK) {
		result->clocks++;
		result->clock = report->clock;
		return 0;
	}
	assert_true(result->count < ARRAY_SIZE(result->reports));
	assert_non_null(report->handshake.peer);
	result->reports[result->count] = *report;
	result->peers[result->count] = *report->handshake.peer;
	if (report->handshake.peer->host)
		strncpy(result->hosts[result->count], report->handshake.peer->host, 15);
	result->count++;
	return 0;
}

static void on_progress(void *ctx, const char *what, uint64_t done, uint64_t total)
{
	(void)ctx;
	(void)what;
	(void)done;
	(void)total;
}

static struct result run_these(const char *const *paths, unsigned int count, bool all)
{
	struct stats *stats = stats_new();
	struct result result = {};
	const struct join_options options = {
		.stats = stats,
		.paths = paths,
		.path_count = count,
		.filter = &judge_no_filter,
		.since_ns = INT64_MIN,
		.until_ns = INT64_MAX,
		.all = all,
	};
	const struct join_events events = {.ctx = &result,
					   .session = on_session,
					   .report = on_report,
					   .progress = on_progress};

	assert_non_null(stats);
	assert_int_equal(join_run(&options, &events, &result.joined), 0);
	stats_summarize(stats, &result.summary);
	stats_free(stats);
	join_summarize(&result.joined.tally, &result.summary);
	assert_int_equal(result.sessions, count);
	return result;
}

static struct result run(bool all)
{
	const char *const paths[] = {client_place.path, server_place.path};

	return run_these(paths, ARRAY_SIZE(paths), all);
}

static void check(const struct result *result, unsigned int at, enum cause cause,
		  enum report_gap gap)
{
	assert_true(at < result->count);
	if (result->reports[at].handshake.cause != cause || result->peers[at].gap != gap)
		fail_msg("%d %d: %s", result->reports[at].handshake.cause, result->peers[at].gap,
			 result->reports[at].handshake.why);
}

/* One that hangs, and what the server has of it, if anything. */
static struct result one(const struct sw_handshake *record)
{
	begin(true);
	for (uint32_t n = 0; n < 4; n++)
		healthy(100 + n, (uint16_t)(50000 + n), n * SEC);
	client_hangs(7777, 40000, 10 * SEC);
	if (record)
		put(&server, record);
	end();
	return run(false);
}

static void a_syn_that_nobody_saw_is_lost(void **state)
{
	struct result result = one(NULL);

	(void)state;
	assert_int_equal(result.count, 1);
	check(&result, 0, CAUSE_SYN_LOST, REPORT_GAP_NONE);

	assert_false(result.peers[0].seen);
	assert_int_equal(result.peers[0].event_count, 4);
	assert_int_equal(result.clocks, 1);
	assert_int_equal(result.clock.by, CLOCK_BY_HANDSHAKES);
	assert_int_equal(result.clock.handshakes, 4);
	/* The clocks differ by the way; what is monotonic is no wall clock. */
	assert_int_equal(result.clock.offset_ns, WAY);
	assert_string_equal(result.summary.join_text, "of 1 stalled handshake 1 syn_lost");
}

static void a_syn_that_was_thrown_away_is_seen(void **state)
{
	struct sw_handshake facts = at_server(SW_SYN_DROP, 7777, 40000, 10 * SEC);
	struct result result = one(&facts);

	(void)state;
	check(&result, 0, CAUSE_DROPPED_BY_PEER, REPORT_GAP_NONE);
	assert_int_equal(result.peers[0].cause, CAUSE_NETFILTER);
	assert_int_equal(result.peers[0].syn_seen, 1);
	assert_int_equal(result.peers[0].synack_sent, 0);
	/* On the client's clock. */
	assert_int_equal(result.peers[0].first_ns, BEGIN + WALL + 10 * SEC);
}

static void the_listener_is_named(void **state)
{
	struct sw_handshake facts = at_server(SW_SYN_DROP, 7777, 40000, 10 * SEC);
	struct result result;

	(void)state;
	facts.drop.reason = 0;
	facts_add_listener(&facts, 129, 128);
	result = one(&facts);
	check(&result, 0, CAUSE_DROPPED_BY_PEER, REPORT_GAP_NONE);
	assert_int_equal(result.peers[0].cause, CAUSE_ACCEPT_QUEUE_FULL);
	assert_string_equal(result.summary.join_text,
			    "of 1 stalled handshake 1 dropped_by_peer (accept queue of "
			    "nginx[812]:80)");
}

static void an_answer_that_was_sent_again_is_lost(void **state)
{
	struct sw_handshake facts = at_server(SW_SYNACK_RETRY, 7777, 40000, 10 * SEC);
	struct result result = one(&facts);

	(void)state;
	check(&result, 0, CAUSE_REPLY_LOST, REPORT_GAP_NONE);
	assert_int_equal(result.peers[0].synack_sent, 2);
	assert_int_equal(result.peers[0].cause, CAUSE_NO_ACK);
}

/* The client's host is the router's, too: it says where, the peer's records say as what. */
static void what_the_client_s_host_saw_is_confirmed(void **state)
{
	static const struct {
		uint8_t what, where;
		enum cause cause;
	} drops[] = {
		{SW_DROP_SYN, SW_DROP_TRANSIT, CAUSE_SYN_LOST},
		{SW_DROP_SYNACK, SW_DROP_TRANSIT, CAUSE_REPLY_LOST},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(drops); i++) {
		struct sw_handshake facts = at_server(SW_SYNACK_RETRY, 7777, 40000, 10 * SEC);
		struct result result;

		tear_down(state);
		set_up(state);
		begin(true);
		for (uint32_t n = 0; n < 4; n++)
			healthy(100 + n, (uint16_t)(50000 + n), n * SEC);
		client_drop.what = drops[i].what;
		client_drop.where = drops[i].where;
		client_hangs(7777, 40000, 10 * SEC);
		client_drop.what = 0;
		if (drops[i].cause == CAUSE_REPLY_LOST)
			put(&server, &facts);
		end();
		result = run(false);
		check(&result, 0, drops[i].cause, REPORT_GAP_NONE);
		assert_true(result.reports[0].handshake.has_drop);
	}
}

static void a_refusal_that_was_not_heard_is_lost(void **state)
{
	struct sw_handshake facts = at_server(SW_SYN_DROP, 7777, 40000, 10 * SEC);
	struct result result;

	(void)state;
	facts.flags |= SW_F_RESET_SENT;
	result = one(&facts);
	check(&result, 0, CAUSE_REPLY_LOST, REPORT_GAP_NONE);
	assert_int_equal(result.peers[0].verdict, VERDICT_REFUSED);
}

/* The client has no answer, and the server an ACK. */
static void sides_that_contradict_each_other_prove_nothing(void **state)
{
	struct sw_handshake facts = at_server(SW_SYNACK_RETRY, 7777, 40000, 10 * SEC);
	struct result result;

	(void)state;
	facts.flags |= SW_F_ACKED;
	result = one(&facts);
	check(&result, 0, CAUSE_NO_ANSWER, REPORT_GAP_CONTRADICTION);
}

static void nat_changes_addresses_and_ports(void **state)
{
	struct sw_handshake facts = at_server(SW_SYN_DROP, 7777, 1025, 10 * SEC);
	struct result result;

	(void)state;
	facts_v4(facts.tuple.raddr, 99);
	facts_v4(facts.tuple.laddr, 98);
	facts.tuple.lport = 8080;
	result = one(&facts);
	check(&result, 0, CAUSE_DROPPED_BY_PEER, REPORT_GAP_NONE);
	assert_int_equal(result.peers[0].tuple.lport, 8080);
	assert_int_equal(result.peers[0].tuple.rport, 1025);
}

/* Nothing but the ISN is the same, and there are so many that this may be chance: unless
 * another went the same way. */
static void among_very_many_an_isn_alone_is_not_enough(void **state)
{
	struct sw_handshake facts;
	struct result result;

	(void)state;
	begin(true);
	for (uint32_t n = 0; n < 2100; n++)
		healthy(100 + n, (uint16_t)(50000 + n), n * 10 * MS);
	for (uint32_t n = 0; n < 3; n++) {
		client_hangs(77770 + n, (uint16_t)(40000 + n), (10 + n) * SEC);
		facts = at_server(SW_SYN_DROP, 77770 + n, (uint16_t)(1025 + n), (10 + n) * SEC);
		facts.tuple.lport = n ? 8080 : 8443;
		put(&server, &facts);
	}
	end();
	result = run(false);
	assert_int_equal(result.count, 3);
	check(&result, 0, CAUSE_NO_ANSWER, REPORT_GAP_ISN_AMBIGUOUS);
	check(&result, 1, CAUSE_DROPPED_BY_PEER, REPORT_GAP_NONE);
	check(&result, 2, CAUSE_DROPPED_BY_PEER, REPORT_GAP_NONE);
}

/* --- ISNs --- */

static void an_isn_at_another_time_is_another_handshake(void **state)
{
	struct sw_handshake facts = at_server(SW_SYN_DROP, 7777, 40001, 90 * SEC);
	struct result result = one(&facts);

	(void)state;
	check(&result, 0, CAUSE_SYN_LOST, REPORT_GAP_NONE);
}

/* The same ends, and no clock can have slipped that far: or has it? */
static void the_same_ends_at_another_time_are_not_explained(void **state)
{
	struct sw_handshake facts = at_server(SW_SYN_DROP, 7777, 40000, 90 * SEC);
	struct result result = one(&facts);

	(void)state;
	check(&result, 0, CAUSE_NO_ANSWER, REPORT_GAP_TIME_MISFIT);
}

static void two_of_one_isn_are_told_apart_by_their_ports(void **state)
{
	struct sw_handshake facts = at_server(SW_SYN_DROP, 7777, 40001, 11 * SEC);
	struct result result;

	(void)state;
	begin(true);
	for (uint32_t n = 0; n < 4; n++)
		healthy(100 + n, (uint16_t)(50000 + n), n * SEC);
	client_hangs(7777, 40000, 10 * SEC);
	client_hangs(7777, 40001, 11 * SEC);
	put(&server, &facts);
	facts = at_server(SW_SYNACK_RETRY, 7777, 40000, 10 * SEC);
	put(&server, &facts);
	end();
	result = run(false);
	check(&result, 0, CAUSE_REPLY_LOST, REPORT_GAP_NONE);
	check(&result, 1, CAUSE_DROPPED_BY_PEER, REPORT_GAP_NONE);
}

/* Behind NAT nothing but the service's port agrees, and that is the same. */
static void two_of_one_isn_that_nothing_tells_apart_are_not_guessed(void **state)
{
	struct sw_handshake facts = at_server(SW_SYN_DROP, 7777, 1024, 10 * SEC);
	struct result result;

	(void)state;
	begin(true);
	for (uint32_t n = 0; n < 4; n++)
		healthy(100 + n, (uint16_t)(50000 + n), n * SEC);
	client_hangs(7777, 40000, 10 * SEC);
	client_hangs(7777, 40001, 10 * SEC);
	put(&server, &facts);
	end();
	result = run(false);
	check(&result, 0, CAUSE_NO_ANSWER, REPORT_GAP_ISN_AMBIGUOUS);
	check(&result, 1, CAUSE_NO_ANSWER, REPORT_GAP_ISN_AMBIGUOUS);
	assert_string_equal(result.summary.join_text, "of 2 stalled handshakes 2 unknown");
}

static void an_isn_that_was_rewritten_is_recognised(void **state)
{
	struct sw_handshake facts = at_server(SW_SYNACK_RETRY, 1234567, 40000, 10 * SEC);
	struct result result = one(&facts);

	(void)state;
	check(&result, 0, CAUSE_NO_ANSWER, REPORT_GAP_ISN_REWRITTEN);
}

/* --- absence that proves nothing --- */

static void begin_with_one_that_hangs(bool all)
{
	begin(all);
	for (uint32_t n = 0; n < 4; n++)
		healthy(100 + n, (uint16_t)(50000 + n), n * SEC);
	client_hangs(7777, 40000, 10 * SEC);
}

static void check_gap(enum report_gap gap)
{
	struct result result;

	end();
	result = run(false);
	assert_int_equal(result.count, 1);
	check(&result, 0, CAUSE_NO_ANSWER, gap);
}

static void records_that_were_lost_just_then(void **state)
{
	struct sw_loss loss = {
		.header = facts_header(SW_LOSS, sizeof(loss), BEGIN + APART + 11 * SEC),
		.ring = 1
	};

	(void)state;
	begin_with_one_that_hangs(true);
	capture_append(server.capture, &loss, sizeof(loss));
	check_gap(REPORT_GAP_RECORDS_LOST);
}

/* What throws a SYN away is told of the first only: with its record those of the others
 * are gone, too, however well the time of these is covered. */
static void records_that_were_lost_as_the_session_began(void **state)
{
	struct sw_loss loss = {
		.header = facts_header(SW_LOSS, sizeof(loss), BEGIN + APART + 10 * SEC),
		.ring = 1
	};

	(void)state;
	begin_with_one_that_hangs(true);
	capture_append(server.capture, &loss, sizeof(loss));
	end();
	place_exec(&server_place, "UPDATE session SET start_ns = 5019900000000");
	assert_int_equal(run(false).peers[0].gap, REPORT_GAP_RECORDS_LOST);
}

static void what_was_deleted_for_room(void **state)
{
	struct sw_handshake facts = at_server(SW_SYN_DROP, 7777, 40000, 10 * SEC);

	(void)state;
	begin_with_one_that_hangs(true);
	put(&server, &facts);
	facts = at_server(SW_SYNACK_RETRY, 987, 45000, 20 * SEC);
	put(&server, &facts);
	facts.header = facts_header(SW_ACCEPTED, sizeof(facts), facts.header.time_ns + WAY);
	put(&server, &facts);
	end();
	assert_int_equal(run(false).reports[0].handshake.cause, CAUSE_DROPPED_BY_PEER);
	/* The oldest that is left came after it. */
	place_exec(&server_place, "DELETE FROM record WHERE handshake IN"
				  " (SELECT id FROM handshake WHERE isn <> 987)");
	place_exec(&server_place, "DELETE FROM handshake WHERE isn = 7777");
	assert_int_equal(run(false).peers[0].gap, REPORT_GAP_NO_OVERLAP);
	/* Or nothing is. */
	place_exec(&server_place, "DELETE FROM record WHERE handshake IS NOT NULL");
	assert_int_equal(run(false).peers[0].gap, REPORT_GAP_NO_OVERLAP);
}

static void records_that_were_lost_long_after(void **state)
{
	struct sw_loss loss = {
		.header = facts_header(SW_LOSS, sizeof(loss), BEGIN + APART + 60 * SEC),
		.ring = 1
	};
	struct result result;

	(void)state;
	begin_with_one_that_hangs(true);
	capture_append(server.capture, &loss, sizeof(loss));
	end();
	result = run(false);
	check(&result, 0, CAUSE_SYN_LOST, REPORT_GAP_NONE);
	assert_int_equal(result.summary.lost, 1);
}

static void a_crowd_at_that_port_just_then(void **state)
{
	struct sw_crowd crowd = facts_crowd(BEGIN + APART + 11 * SEC);

	(void)state;
	crowd.dropped = 500;
	begin_with_one_that_hangs(true);
	capture_append(server.capture, &crowd, sizeof(crowd));
	check_gap(REPORT_GAP_CROWD);
}

static void a_crowd_at_another_port(void **state)
{
	struct sw_crowd crowd = facts_crowd(BEGIN + APART + 11 * SEC);
	struct result result;

	(void)state;
	crowd.dropped = 500;
	crowd.tuple.lport = 81;
	begin_with_one_that_hangs(true);
	capture_append(server.capture, &crowd, sizeof(crowd));
	end();
	result = run(false);
	check(&result, 0, CAUSE_SYN_LOST, REPORT_GAP_NONE);
}

static void cookies_that_were_in_use(void **state)
{
	struct sw_handshake facts = at_server(SW_SYNACK_RETRY, 99, 45000, 9 * SEC);

	(void)state;
	facts_add_listener(&facts, 1, 128);
	facts.flags |= SW_F_COOKIES;
	begin_with_one_that_hangs(true);
	put(&server, &facts);
	check_gap(REPORT_GAP_SYNCOOKIES);
}

static void a_server_that_stopped_before(void **state)
{
	(void)state;
	begin_with_one_that_hangs(true);
	server.end_ns = BEGIN + APART + 11 * SEC;
	check_gap(REPORT_GAP_NO_OVERLAP);
}

/* The last SYN came when nothing that it caused could be recorded any more. */
static void a_server_that_stopped_meanwhile_covers_what_it_covers(void **state)
{
	struct result result;

	(void)state;
	begin_with_one_that_hangs(true);
	server.end_ns = BEGIN + APART + 13 * SEC;
	end();
	result = run(false);
	check(&result, 0, CAUSE_SYN_LOST, REPORT_GAP_NONE);
	assert_non_null(strstr(result.reports[0].handshake.why, "1 of its 3 SYNs"));
}

static void a_hook_that_was_missing(void **state)
{
	(void)state;
	begin_with_one_that_hangs(true);
	end();
	place_exec(&server_place, "INSERT INTO session_hook VALUES"
				  " (1, 'tcp_retransmit_synack', 'no such tracepoint')");
	assert_int_equal(run(false).peers[0].gap, REPORT_GAP_NOT_RECORDED);
}

static void filters_that_leave_it_out(void **state)
{
	static const char *const out[] = {
		"'port', '81'",	 "'lport', '1-79'",  "'host', '10.9.0.0/16'",
		"'family', '6'", "'role', 'client'", "'rport', '1-100'",
	};
	static const char *const in[] = {
		"'port', '80'",
		"'host', '10.0.0.2'",
		"'role', 'server'",
		"'pid', '812'",
	};

	(void)state;
	begin_with_one_that_hangs(true);
	end();
	for (size_t i = 0; i < ARRAY_SIZE(out); i++) {
		char sql[128];

		place_exec(&server_place, "DELETE FROM session_filter");
		(void)snprintf(sql, sizeof(sql), "INSERT INTO session_filter VALUES (1, %s)",
			       out[i]);
		place_exec(&server_place, sql);
		if (run(false).peers[0].gap != REPORT_GAP_FILTERED)
			fail_msg("%s", out[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(in); i++) {
		char sql[128];

		place_exec(&server_place, "DELETE FROM session_filter");
		(void)snprintf(sql, sizeof(sql), "INSERT INTO session_filter VALUES (1, %s)",
			       in[i]);
		place_exec(&server_place, sql);
		if (run(false).reports[0].handshake.cause != CAUSE_SYN_LOST)
			fail_msg("%s", in[i]);
	}
}

static void nobodys_capture(void **state)
{
	(void)state;
	begin(true);
	client_hangs(7777, 40000, 10 * SEC);
	check_gap(REPORT_GAP_NO_CAPTURE);
}

/* Answered, and not in the capture that has every handshake: somebody else did it. */
static void others_that_answer_for_it(void **state)
{
	struct sw_handshake facts = facts_client(SW_CLOSE, BEGIN + 20 * SEC + WAY, 0);

	(void)state;
	facts.cookie = 999;
	facts.start_ns = facts.syn_ns = BEGIN + 20 * SEC;
	facts.flags |= SW_F_ISN;
	facts.isn = 31337;
	facts.tuple.lport = 41000;
	facts.new_state = ESTABLISHED;
	begin_with_one_that_hangs(true);
	put(&client, &facts);
	check_gap(REPORT_GAP_OTHER_HOST);
}

/* --- clocks --- */

static void without_anything_in_common_there_is_the_wall(void **state)
{
	struct sw_handshake facts = at_server(SW_SYN_DROP, 99, 45000, 30 * SEC);
	struct result result;

	(void)state;
	begin(false);
	client_hangs(7777, 40000, 10 * SEC);
	put(&server, &facts);
	end();
	result = run(false);
	assert_int_equal(result.clock.by, CLOCK_BY_WALL);
	check(&result, 0, CAUSE_SYN_LOST, REPORT_GAP_NONE);
}

/* By the wall it is 90 s late, by what both saw it is not. */
static void a_wall_clock_that_is_wrong_does_not_matter(void **state)
{
	struct result result;

	(void)state;
	begin_with_one_that_hangs(true);
	end();
	place_exec(&server_place,
		   "UPDATE session SET wall_offset_ns = wall_offset_ns + 90000000000");
	place_exec(&server_place, "UPDATE handshake SET start_us = start_us + 90000000,"
				  " last_us = last_us + 90000000");
	result = run(false);
	check(&result, 0, CAUSE_SYN_LOST, REPORT_GAP_NONE);
	assert_int_equal(result.clock.offset_ns, 90 * SEC + WAY);
}

static void a_clock_that_steps_meanwhile_does_not_matter(void **state)
{
	struct sw_handshake facts = at_server(SW_SYN_DROP, 7777, 40000, 10 * SEC);
	struct sw_clock clock = {
		.header = facts_header(SW_CLOCK, sizeof(clock), BEGIN + APART + 5 * SEC),
		.offset_ns = (int64_t)(WALL - APART + 3600 * SEC)
	};
	struct result result;

	(void)state;
	begin_with_one_that_hangs(true);
	capture_append(server.capture, &clock, sizeof(clock));
	put(&server, &facts);
	end();
	result = run(false);
	check(&result, 0, CAUSE_DROPPED_BY_PEER, REPORT_GAP_NONE);
	assert_int_equal(result.peers[0].first_ns, BEGIN + WALL + 10 * SEC);
	assert_int_equal(result.clock.offset_ns, 3600 * SEC + WAY);
}

/* --- answered late --- */

static struct sw_handshake client_late(uint32_t isn, uint64_t after_ns)
{
	struct sw_handshake facts = facts_client(SW_RETRY, BEGIN + after_ns + SEC, 1);

	facts.cookie = ++client.cookie;
	facts.start_ns = facts.syn_ns = BEGIN + after_ns;
	facts.flags |= SW_F_ISN;
	facts.isn = isn;
	facts.tuple.lport = 42000;
	put(&client, &facts);
	facts.header = facts_header(SW_CLOSE, sizeof(facts), BEGIN + after_ns + SEC + 2 * WAY);
	facts.new_state = ESTABLISHED;
	put(&client, &facts);
	return facts;
}

static void late_because_the_first_was_lost(void **state)
{
	struct sw_handshake facts = at_server(SW_ACCEPTED, 555, 42000, 11 * SEC);
	struct result result;

	(void)state;
	begin_with_one_that_hangs(true);
	(void)client_late(555, 10 * SEC);
	facts.timer.resends = facts.timer.retransmits = 0;
	facts.header.time_ns = facts.start_ns + WAY;
	put(&server, &facts);
	end();
	result = run(false);
	check(&result, 1, CAUSE_SYN_LOST, REPORT_GAP_NONE);
	assert_int_equal(result.reports[1].handshake.verdict, VERDICT_ESTABLISHED);
}

static void late_because_the_first_answer_was_lost(void **state)
{
	struct sw_handshake facts = at_server(SW_SYNACK_RETRY, 555, 42000, 10 * SEC);
	struct result result;

	(void)state;
	begin_with_one_that_hangs(true);
	(void)client_late(555, 10 * SEC);
	put(&server, &facts);
	facts.header = facts_header(SW_ACCEPTED, sizeof(facts), facts.header.time_ns + WAY);
	facts.new_state = ESTABLISHED;
	put(&server, &facts);
	end();
	result = run(false);
	check(&result, 1, CAUSE_REPLY_LOST, REPORT_GAP_NONE);
}

/* It has no record at all, but had the address. */
static void a_server_s_addresses_tell_that_it_is_the_peer(void **state)
{
	struct result result;

	(void)state;
	begin(false);
	client_hangs(7777, 40000, 10 * SEC);
	end();
	place_exec(&server_place, "INSERT INTO session_address VALUES (1, '10.0.0.1', 7)");
	result = run(false);
	check(&result, 0, CAUSE_SYN_LOST, REPORT_GAP_NONE);
	assert_string_equal(result.hosts[0], "web2");
	place_exec(&server_place, "UPDATE session_address SET addr = '10.0.0.2'");
	result = run(false);
	check(&result, 0, CAUSE_NO_ANSWER, REPORT_GAP_NO_CAPTURE);
	/* As recorded before there was such a table. */
	place_exec(&server_place, "DROP TABLE session_address");
	result = run(false);
	check(&result, 0, CAUSE_NO_ANSWER, REPORT_GAP_NO_CAPTURE);
}

static struct result run_three(const struct place *third)
{
	const char *const paths[] = {third->path, server_place.path, client_place.path};

	return run_these(paths, ARRAY_SIZE(paths), false);
}

/* Another server's capture, in any order, changes nothing; roles are found. */
static void a_third_capture_that_has_nothing_to_do_with_it(void **state)
{
	struct sw_handshake facts = at_server(SW_SYN_DROP, 7777, 40000, 10 * SEC);
	struct place third_place;
	struct host third;
	struct result result;

	(void)state;
	place_make(&third_place);
	begin_host(&third, &third_place, true, true);
	third.capture = capture_close(third.capture, third.end_ns);
	place_exec(&third_place, "UPDATE session SET boot_id = 'three', host = 'web3'");
	begin(true);
	for (uint32_t n = 0; n < 4; n++)
		healthy(100 + n, (uint16_t)(50000 + n), n * SEC);
	client_hangs(7777, 40000, 10 * SEC);
	client_hangs(8888, 40001, 20 * SEC);
	put(&server, &facts);
	end();
	result = run_three(&third_place);
	assert_int_equal(result.sessions, 3);
	assert_int_equal(result.count, 2);
	check(&result, 0, CAUSE_DROPPED_BY_PEER, REPORT_GAP_NONE);
	check(&result, 1, CAUSE_SYN_LOST, REPORT_GAP_NONE);
	assert_string_equal(result.hosts[0], "web2");
	assert_string_equal(result.hosts[1], "web2");
	place_remove(&third_place);
}

static void what_both_did_is_told_in_order(void **state)
{
	static const struct {
		enum role side;
		const char *text;
	} expected[] = {
		{ROLE_CLIENT, "SYN"},		{ROLE_SERVER, "SYN, SYN-ACK sent"},
		{ROLE_CLIENT, "SYN again (1)"}, {ROLE_SERVER, "SYN-ACK again (1)"},
		{ROLE_CLIENT, "SYN again (2)"}, {ROLE_CLIENT, "end"},
	};
	/* By the clocks' error it came 3 ms before it was sent. */
	struct sw_handshake facts = at_server(SW_SYNACK_RETRY, 7777, 40000, 10 * SEC);
	const struct report_peer *peer;
	struct result result;

	(void)state;
	facts.start_ns -= 3 * MS;
	result = one(&facts);
	check(&result, 0, CAUSE_REPLY_LOST, REPORT_GAP_NONE);
	peer = &result.peers[0];
	assert_int_equal(peer->event_count, ARRAY_SIZE(expected));
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		assert_int_equal(peer->events[i].side, expected[i].side);
		assert_string_equal(peer->events[i].text, expected[i].text);
		assert_true(!i || peer->events[i].wall_ns >= peer->events[i - 1].wall_ns);
	}
	assert_int_equal(peer->events[1].wall_ns, peer->events[0].wall_ns);
}

static void healthy_ones_are_shown_when_asked_for(void **state)
{
	struct result result;

	(void)state;
	begin_with_one_that_hangs(true);
	end();
	result = run(true);
	assert_int_equal(result.count, 5);
	assert_int_equal(result.summary.healthy, 4);
	check(&result, 0, CAUSE_NONE, REPORT_GAP_NONE);
	assert_true(result.peers[0].seen);
	assert_int_equal(result.peers[0].verdict, VERDICT_ESTABLISHED);
	assert_int_equal(result.joined.tally.unanswered, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_syn_that_nobody_saw_is_lost),
		TEST(a_syn_that_was_thrown_away_is_seen),
		TEST(the_listener_is_named),
		TEST(an_answer_that_was_sent_again_is_lost),
		TEST(what_the_client_s_host_saw_is_confirmed),
		TEST(a_refusal_that_was_not_heard_is_lost),
		TEST(sides_that_contradict_each_other_prove_nothing),
		TEST(nat_changes_addresses_and_ports),
		TEST(among_very_many_an_isn_alone_is_not_enough),
		TEST(an_isn_at_another_time_is_another_handshake),
		TEST(the_same_ends_at_another_time_are_not_explained),
		TEST(two_of_one_isn_are_told_apart_by_their_ports),
		TEST(two_of_one_isn_that_nothing_tells_apart_are_not_guessed),
		TEST(an_isn_that_was_rewritten_is_recognised),
		TEST(records_that_were_lost_just_then),
		TEST(records_that_were_lost_as_the_session_began),
		TEST(what_was_deleted_for_room),
		TEST(records_that_were_lost_long_after),
		TEST(a_crowd_at_that_port_just_then),
		TEST(a_crowd_at_another_port),
		TEST(cookies_that_were_in_use),
		TEST(a_server_that_stopped_before),
		TEST(a_server_that_stopped_meanwhile_covers_what_it_covers),
		TEST(a_hook_that_was_missing),
		TEST(filters_that_leave_it_out),
		TEST(nobodys_capture),
		TEST(others_that_answer_for_it),
		TEST(without_anything_in_common_there_is_the_wall),
		TEST(a_wall_clock_that_is_wrong_does_not_matter),
		TEST(a_clock_that_steps_meanwhile_does_not_matter),
		TEST(late_because_the_first_was_lost),
		TEST(late_because_the_first_answer_was_lost),
		TEST(healthy_ones_are_shown_when_asked_for),
		TEST(a_server_s_addresses_tell_that_it_is_the_peer),
		TEST(a_third_capture_that_has_nothing_to_do_with_it),
		TEST(what_both_did_is_told_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
