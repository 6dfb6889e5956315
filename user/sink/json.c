/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * JSON Lines. The fields, their order and their words are an interface: after
 * the first release they change only by adding.
 */
#include "sink/sink.h"

#include <stdlib.h>
#include <string.h>

#include "core/names.h"
#include "sink/line.h"
#include "sink/text.h"

#define SCHEMA 1

struct json {
	struct sink sink; /* first */
	struct line *line;
};

static struct line *line_of(struct sink *sink)
{
	return ((struct json *)sink)->line;
}

/* Not NUL-terminated when all of it is used; a task may have an empty name. */
static void field_comm(struct line *line, const char comm[SW_COMM_LEN])
{
	line_key(line, "comm");
	line_put_text(line, comm, strnlen(comm, SW_COMM_LEN));
}

/* "80,443" is two values; a command name or a path is one, commas and all. */
static void put_filter_values(struct line *line, const struct session_filter *filter)
{
	bool whole = !strcmp(filter->name, "comm") || !strcmp(filter->name, "cgroup");
	const char *value = filter->values;

	for (;;) {
		size_t length = whole ? strlen(value) : strcspn(value, ",");

		line_put_text(line, value, length);
		if (!value[length])
			break;
		value += length + 1;
	}
}

static bool named_before(const struct session *session, unsigned int index)
{
	unsigned int i;

	for (i = 0; i < index; i++)
		if (!strcmp(session->filters[i].name, session->filters[index].name))
			return true;
	return false;
}

/* An option given several times is one key: its values add up. */
static void field_filters(struct line *line, const struct session *session)
{
	unsigned int i;
	unsigned int j;

	line_key(line, "filters");
	line_open_map(line);
	for (i = 0; i < session->filter_count; i++) {
		if (named_before(session, i))
			continue;
		line_key_text(line, session->filters[i].name);
		line_open_array(line);
		for (j = i; j < session->filter_count; j++)
			if (!strcmp(session->filters[i].name, session->filters[j].name))
				put_filter_values(line, &session->filters[j]);
		line_close_array(line);
	}
	line_close_map(line);
}

static void field_hooks(struct line *line, const struct session *session)
{
	unsigned int i;

	line_key(line, "hooks");
	line_open_map(line);
	for (i = 0; i < session->hook_count; i++) {
		const struct session_hook *hook = &session->hooks[i];

		line_key_text(line, hook->name);
		if (*hook->why_not)
			line_put_text(line, hook->why_not, strlen(hook->why_not));
		else
			line_put_bool(line, true);
	}
	line_close_map(line);
}

static int json_session(struct sink *sink, const struct session *session)
{
	struct line *line = line_of(sink);

	line_begin(line, "session");
	line_uint(line, "schema", SCHEMA);
	line_text(line, "version", session->version);
	line_time(line, "time", session->start_ns + (uint64_t)session->wall_offset_ns);
	line_text(line, "host", session->host);
	line_text(line, "kernel", session->kernel);
	line_text(line, "boot_id", session->boot_id);
	line_word(line, "source", session->live ? "live" : "capture");
	field_filters(line, session);
	field_hooks(line, session);
	if (*session->capture)
		line_text(line, "capture", session->capture);
	return line_end(line);
}

static void fields_tuple(struct line *line, const struct sw_tuple *tuple)
{
	line_known(line, "family", tuple->family);
	if (text_is_unspecified(tuple->laddr))
		line_null(line, "laddr");
	else
		line_address(line, "laddr", tuple->laddr);
	line_known(line, "lport", tuple->lport);
	/* connect() to 0.0.0.0 may fail as such: only without a family is
	 * the remote unknown. */
	if (tuple->family)
		line_address(line, "raddr", tuple->raddr);
	else
		line_null(line, "raddr");
	line_known(line, "rport", tuple->rport);
	line_known(line, "netns", tuple->netns);
}

/* owner: NULL if it is not known. */
static void fields_owner(struct line *line, const struct sw_owner *owner)
{
	static const char *const keys[] = {"pid", "tid", "comm", "uid", "cgroup"};
	size_t i;

	if (!owner) {
		for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
			line_null(line, keys[i]);
		return;
	}
	line_uint(line, "pid", owner->pid);
	line_uint(line, "tid", owner->tid);
	field_comm(line, owner->comm);
	line_uint(line, "uid", owner->uid);
	line_known(line, "cgroup", owner->cgroup);
}

static void field_errno(struct line *line, int errnum)
{
	char number[TEXT_UINT_SIZE + 1] = "E";
	const char *word = NULL;

	if (errnum > 0) {
		word = names_errno(errnum);
		if (!word) {
			text_uint(number + 1, (uint64_t)errnum);
			word = number;
		}
	}
	line_word(line, "errno", word);
}

static void field_icmp(struct line *line, const struct report_handshake *handshake)
{
	const struct sw_icmp *icmp = &handshake->icmp;
	int code = handshake->icmp_code_known ? icmp->code : REPORT_NULL;

	if (!handshake->has_icmp) {
		line_null(line, "icmp");
		return;
	}
	line_key(line, "icmp");
	line_open_map(line);
	line_uint(line, "type", icmp->type);
	line_int(line, "code", code);
	line_word(line, "name", names_icmp(icmp->version, icmp->type, code));
	if (text_is_unspecified(icmp->from))
		line_null(line, "from");
	else
		line_address(line, "from", icmp->from);
	line_close_map(line);
}

static void field_drop(struct line *line, const struct report_handshake *handshake)
{
	if (!handshake->has_drop) {
		line_null(line, "drop");
		return;
	}
	line_key(line, "drop");
	line_open_map(line);
	line_text(line, "reason", handshake->drop.reason);
	line_text(line, "place", handshake->drop.place);
	line_known(line, "netns", handshake->drop.netns);
	line_close_map(line);
}

static void field_closer(struct line *line, const struct report_handshake *handshake)
{
	if (!handshake->has_closer) {
		line_null(line, "closer");
		return;
	}
	line_key(line, "closer");
	line_open_map(line);
	line_uint(line, "pid", handshake->closer.pid);
	line_uint(line, "tid", handshake->closer.tid);
	field_comm(line, handshake->closer.comm);
	line_word(line, "how", names_closer_how(handshake->closer_how));
	line_close_map(line);
}

/* NULL if it is not known. */
static void field_listener(struct line *line, const struct report_listener *listener)
{
	if (!listener) {
		line_null(line, "listener");
		return;
	}
	line_key(line, "listener");
	line_open_map(line);
	line_uint(line, "backlog", listener->backlog);
	line_uint(line, "limit", listener->limit);
	line_uint(line, "requests", listener->requests);
	line_bool(line, "syncookies", listener->syncookies);
	line_close_map(line);
}

static void fields_peer_seen(struct line *line, const struct report_peer *peer)
{
	line_word(line, "verdict", names_verdict(peer->verdict));
	line_word(line, "cause", names_cause(peer->cause));
	line_text(line, "why", peer->why);
	fields_tuple(line, &peer->tuple);
	line_time(line, "first", peer->first_ns);
	line_time(line, "last", peer->last_ns);
	line_key(line, "drop");
	if (peer->has_drop) {
		line_open_map(line);
		line_text(line, "reason", peer->drop.reason);
		line_text(line, "place", peer->drop.place);
		line_known(line, "netns", peer->drop.netns);
		line_close_map(line);
	} else {
		line_put_null(line);
	}
	fields_owner(line, peer->has_owner ? &peer->owner : NULL);
	field_listener(line, peer->has_listener ? &peer->listener : NULL);
}

/* Fields that nobody saw are left out: the object says so by its `seen`. */
static void field_peer(struct line *line, const struct report_peer *peer)
{
	line_key(line, "peer");
	line_open_map(line);
	line_text(line, "capture", peer->capture ? peer->capture : "");
	line_text(line, "host", peer->host ? peer->host : "");
	line_word(line, "gap", peer->gap == REPORT_GAP_NONE ? NULL : names_gap(peer->gap));
	line_bool(line, "seen", peer->seen);
	line_int(line, "syn_seen", peer->capture ? peer->syn_seen : REPORT_NULL);
	line_int(line, "synack_sent", peer->capture ? peer->synack_sent : REPORT_NULL);
	if (peer->seen)
		fields_peer_seen(line, peer);
	line_close_map(line);
}

static void fields_handshake(struct line *line, const struct report *report)
{
	const struct report_handshake *handshake = &report->handshake;

	line_time(line, "time", report->wall_ns);
	line_text(line, "id", handshake->id);
	line_word(line, "role", names_role(handshake->role));
	/* At its start a handshake has no verdict yet, not even `stalled`. */
	line_word(line, "verdict",
		  report->type == REPORT_START ? NULL : names_verdict(handshake->verdict));
	line_word(line, "cause", names_cause(handshake->cause));
	line_text(line, "why", handshake->why);
	fields_tuple(line, &handshake->tuple);
	line_int(line, "isn", handshake->isn);
	fields_owner(line, handshake->has_owner ? &handshake->owner : NULL);
	line_ms(line, "elapsed_ms", handshake->elapsed_ns);
	line_int(line, "syn_sent", handshake->syn_sent);
	line_int(line, "syn_retransmits", handshake->syn_retransmits);
	line_int(line, "syn_unsent", handshake->syn_unsent);
	line_int(line, "synack_retransmits", handshake->synack_retransmits);
	line_int(line, "retry_limit", handshake->retry_limit);
	line_ms(line, "next_retry_ms", handshake->next_retry_ns);
	line_ms(line, "give_up_ms", handshake->give_up_ns);
	field_errno(line, handshake->errnum);
	field_icmp(line, handshake);
	field_drop(line, handshake);
	field_closer(line, handshake);
	field_listener(line, handshake->has_listener ? &handshake->listener : NULL);
	line_bool(line, "adopted", handshake->adopted);
	line_int(line, "owners", handshake->owners);
	if (handshake->peer)
		field_peer(line, handshake->peer);
}

static void fields_clock(struct line *line, const struct report *report)
{
	const struct report_clock *clock = &report->clock;
	bool known = clock->by == CLOCK_BY_HANDSHAKES;

	line_time(line, "time", report->wall_ns);
	line_text(line, "client", clock->client);
	line_text(line, "server", clock->server);
	line_word(line, "by", names_clock_by(clock->by));
	if (known)
		line_signed_ms(line, "offset_ms", clock->offset_ns);
	else
		line_null(line, "offset_ms");
	line_ms(line, "spread_ms", known ? (int64_t)clock->spread_ns : REPORT_NULL);
	line_uint(line, "handshakes", known ? clock->handshakes : 0);
}

static void fields_crowd(struct line *line, const struct report *report)
{
	const struct report_crowd *crowd = &report->crowd;

	line_time(line, "time", report->wall_ns);
	line_word(line, "role", names_role(ROLE_SERVER));
	line_word(line, "cause", names_cause(crowd->cause));
	line_text(line, "why", crowd->why);
	line_known(line, "family", crowd->tuple.family);
	/* All zeroes are an address here: of a listener bound to any. */
	line_address(line, "laddr", crowd->tuple.laddr);
	line_known(line, "lport", crowd->tuple.lport);
	line_known(line, "netns", crowd->tuple.netns);
	fields_owner(line, crowd->has_owner ? &crowd->owner : NULL);
	line_int(line, "owners", crowd->owners);
	line_uint(line, "half_open", crowd->half_open);
	line_uint(line, "dropped", crowd->dropped);
	line_uint(line, "ignored", crowd->ignored);
	line_int(line, "addresses", crowd->addresses);
	line_text(line, "reason", crowd->reason);
	field_listener(line, crowd->has_listener ? &crowd->listener : NULL);
}

static void fields_loss(struct line *line, const struct report *report)
{
	const struct report_loss *loss = &report->loss;

	line_time(line, "time", report->wall_ns);
	line_uint(line, "ring", loss->ring);
	line_uint(line, "map_full", loss->map_full);
	line_uint(line, "suppressed", loss->suppressed);
	line_uint(line, "late", loss->late);
	line_uint(line, "missed", loss->missed);
}

/* verdict -> count, those that occurred. */
static void field_verdicts(struct line *line, const char *key, const uint64_t *counts)
{
	unsigned int i;

	line_key(line, key);
	line_open_map(line);
	for (i = 0; i < VERDICT_COUNT; i++)
		if (counts[i])
			line_uint(line, names_verdict((enum verdict)i), counts[i]);
	line_close_map(line);
}

static void field_top(struct line *line, const struct report_summary *summary)
{
	unsigned int i;

	line_key(line, "top");
	line_open_array(line);
	for (i = 0; i < summary->top_count; i++) {
		const struct report_top *top = &summary->top[i];

		line_open_map(line);
		line_word(line, "role", names_role(top->role));
		line_address(line, "addr", top->addr);
		line_known(line, "port", top->port);
		line_uint(line, "count", top->count);
		field_verdicts(line, "verdicts", top->verdicts);
		line_close_map(line);
	}
	line_close_array(line);
}

static void field_patterns(struct line *line, const struct report_summary *summary)
{
	unsigned int i;

	line_key(line, "patterns");
	line_open_array(line);
	for (i = 0; i < summary->pattern_count; i++) {
		const struct report_pattern *pattern = &summary->patterns[i];
		bool mixed = pattern->verdict == VERDICT_COUNT;

		line_open_map(line);
		line_word(line, "kind", names_pattern_kind(pattern->kind));
		line_text(line, "text", pattern->text);
		line_word(line, "role", names_role(pattern->role));
		line_address(line, "addr", pattern->addr);
		line_known(line, "prefix", pattern->prefix);
		line_known(line, "port", pattern->port);
		line_known(line, "netns", pattern->netns);
		line_word(line, "verdict", mixed ? NULL : names_verdict(pattern->verdict));
		line_word(line, "cause", names_cause(pattern->cause));
		line_uint(line, "count", pattern->count);
		line_uint(line, "of", pattern->of);
		line_int(line, "healthy", pattern->healthy);
		line_close_map(line);
	}
	line_close_array(line);
}

/* The key is the first latency above the slot: "512" counts those below 512 us
 * and not below 256 us (slot 0 starts at 0). */
static void field_latency(struct line *line, const uint64_t *slots)
{
	char bound[TEXT_UINT_SIZE];
	unsigned int i;

	line_key(line, "latency_us");
	line_open_map(line);
	for (i = 0; i < SW_LATENCY_SLOTS; i++) {
		if (!slots[i])
			continue;
		text_uint(bound, 2ULL << i);
		line_uint(line, bound, slots[i]);
	}
	line_close_map(line);
}

static void field_join(struct line *line, const struct report_summary *summary)
{
	unsigned int i;

	line_key(line, "join");
	line_open_map(line);
	line_text(line, "text", summary->join_text);
	line_uint(line, "unanswered", summary->unanswered);
	line_key(line, "causes");
	line_open_map(line);
	for (i = 0; i < CAUSE_COUNT; i++)
		if (summary->causes[i])
			line_uint(line, names_cause((enum cause)i), summary->causes[i]);
	line_close_map(line);
	line_key(line, "gaps");
	line_open_map(line);
	for (i = 0; i < REPORT_GAP_COUNT; i++)
		if (summary->gaps[i])
			line_uint(line, names_gap((enum report_gap)i), summary->gaps[i]);
	line_close_map(line);
	line_close_map(line);
}

static void fields_summary(struct line *line, const struct report *report)
{
	const struct report_summary *summary = &report->summary;
	unsigned int i;

	line_time(line, "time", report->wall_ns);
	line_seconds(line, "duration_s", summary->duration_ns);
	line_key(line, "handshakes");
	line_open_map(line);
	for (i = 0; i < ROLE_COUNT; i++)
		field_verdicts(line, names_role((enum role)i), summary->handshakes[i]);
	line_close_map(line);
	line_uint(line, "healthy", summary->healthy);
	line_uint(line, "syn_retransmits", summary->syn_retransmits);
	line_uint(line, "accepted", summary->accepted);
	line_uint(line, "synack_retransmits", summary->synack_retransmits);
	line_uint(line, "listen_drops", summary->listen_drops);
	line_uint(line, "crowded", summary->crowded);
	line_uint(line, "lost", summary->lost);
	field_top(line, summary);
	field_latency(line, summary->latency);
	line_uint(line, "top_untold", summary->top_untold);
	field_patterns(line, summary);
	line_uint(line, "patterns_untold", summary->patterns_untold);
	line_uint(line, "suppressed", summary->suppressed);
	if (summary->joined)
		field_join(line, summary);
}

static int json_report(struct sink *sink, const struct report *report)
{
	static void (*const fields[REPORT_TYPE_COUNT])(struct line *, const struct report *) = {
		[REPORT_START] = fields_handshake, [REPORT_STALL] = fields_handshake,
		[REPORT_END] = fields_handshake,   [REPORT_LOSS] = fields_loss,
		[REPORT_CROWD] = fields_crowd,	   [REPORT_CLOCK] = fields_clock,
		[REPORT_SUMMARY] = fields_summary,
	};
	struct line *line = line_of(sink);

	/* For people, meanwhile: programs get them with the summary. */
	if (report->type == REPORT_PATTERN)
		return 0;
	line_begin(line, names_report_type(report->type));
	fields[report->type](line, report);
	return line_end(line);
}

static int json_flush(struct sink *sink)
{
	return line_flush(line_of(sink));
}

static void json_free(struct sink *sink)
{
	line_free(line_of(sink));
	free(sink);
}

struct sink *sink_json_new(FILE *out)
{
	static const struct sink_ops ops = {
		.name = "json",
		.session = json_session,
		.report = json_report,
		.flush = json_flush,
		.free = json_free,
	};
	struct json *json = calloc(1, sizeof(*json));

	if (!json)
		return NULL;
	json->line = line_new(out);
	if (!json->line) {
		free(json);
		return NULL;
	}
	json->sink.ops = &ops;
	return &json->sink;
}
