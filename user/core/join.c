/* SPDX-License-Identifier: GPL-2.0-only */
#include "core/join.h"

#include <stdio.h>
#include <string.h>

#include "core/evidence.h"
#include "core/handshake.h"
#include "core/server.h"
#include "core/verdict.h"
#include "core/words.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* --- what both sides recorded --- */

static void add_time(uint64_t *times, unsigned int *count, uint64_t time_ns)
{
	if (*count < JOIN_SYNS_MAX)
		times[(*count)++] = time_ns;
}

/* An end that was missed may have lost addresses and ISN; see core/engine. */
static void renew_client(struct join_client *client, const struct sw_handshake *record)
{
	const struct sw_handshake before = client->facts;

	client->facts = *record;
	if (!client->known || !(record->flags & SW_F_MISSED) || !before.tuple.rport)
		return;
	client->facts.tuple = before.tuple;
	if (before.flags & SW_F_ISN) {
		client->facts.flags |= SW_F_ISN;
		client->facts.isn = before.isn;
	}
}

void join_client_feed(struct join_client *client, const struct sw_handshake *record)
{
	if (record->syn_ns && !client->syn_count && !(record->flags & SW_F_FIRST_UNSENT))
		add_time(client->syns_ns, &client->syn_count, record->syn_ns);
	/* A retry that did not leave is no SYN. */
	if (record->header.kind == SW_RETRY && !(record->flags & SW_F_ERR && record->err) &&
	    (!client->known || record->syn_sent > client->facts.syn_sent))
		add_time(client->syns_ns, &client->syn_count, record->header.time_ns);
	renew_client(client, record);
	client->known = true;
}

static void feed_drop(struct join_seen *seen, const struct sw_handshake *record,
		      const struct terms *terms)
{
	const struct server_past past = {};

	if (seen->has_drop)
		return;
	seen->has_drop = true;
	seen->drop = *record;
	handshake_describe(record, record->header.time_ns, true, &seen->drop_report);
	evidence_tell_drop(record, terms, &seen->drop_report);
	server_ended(record, &past, &seen->drop_report);
}

/* What stays true of a request; see core/engine. */
static void renew_request(struct join_seen *seen, const struct sw_handshake *record)
{
	const struct sw_handshake before = seen->request;

	seen->request = *record;
	if (!seen->has_request)
		return;
	seen->request.flags |= before.flags & SW_F_ACKED;
	if (!(record->flags & SW_F_DROP)) {
		seen->request.flags |= before.flags & SW_F_DROP;
		seen->request.drop = before.drop;
	}
	if (!(record->flags & SW_F_LISTENER)) {
		seen->request.flags |= before.flags & (SW_F_LISTENER | SW_F_COOKIES);
		seen->request.listener = before.listener;
	}
	if (!(record->flags & SW_F_OWNER)) {
		seen->request.flags |= before.flags & SW_F_OWNER;
		seen->request.owner = before.owner;
		seen->request.owners = before.owners;
	}
}

static bool is_under_way(const struct sw_handshake *record)
{
	return record->header.kind == SW_SYNACK_RETRY || record->header.kind == SW_SYNACK_DROP;
}

static void feed_request(struct join_seen *seen, const struct sw_handshake *record,
			 const struct terms *terms)
{
	struct server_past past = {};
	bool first = !seen->has_request;

	renew_request(seen, record);
	seen->has_request = true;
	/* A SYN-ACK that this host threw away was sent by TCP all the same, but never
	 * left: it is none. The first one's fate is unknown. */
	if (first && record->header.kind != SW_SYNACK_DROP)
		add_time(seen->answers_ns, &seen->answer_count, record->start_ns);
	if (record->header.kind == SW_SYNACK_RETRY)
		add_time(seen->answers_ns, &seen->answer_count, record->header.time_ns);
	handshake_describe(&seen->request, record->header.time_ns, !is_under_way(record),
			   &seen->request_report);
	evidence_tell_drop(&seen->request, terms, &seen->request_report);
	if (is_under_way(record)) {
		server_stalled(&seen->request, &seen->request_report);
		seen->cause = seen->request_report.cause;
		return;
	}
	past.cause = seen->cause;
	past.given_up = record->timer.retransmits >= record->timer.retries;
	server_ended(&seen->request, &past, &seen->request_report);
}

void join_seen_feed(struct join_seen *seen, const struct sw_handshake *record,
		    const struct terms *terms)
{
	if (!seen->first_ns || record->start_ns < seen->first_ns)
		seen->first_ns = record->start_ns;
	if (record->header.time_ns > seen->last_ns)
		seen->last_ns = record->header.time_ns;
	/* The ACK that completes comes only to an answer that arrived. */
	if (record->header.kind == SW_SYN_DROP)
		feed_drop(seen, record, terms);
	else
		feed_request(seen, record, terms);
}

/* --- the peer, for the report --- */

static const struct report_handshake *peer_report(const struct join_seen *seen)
{
	return seen->has_request ? &seen->request_report : &seen->drop_report;
}

/* SYNs: the first, and those that were answered again for being repeated. */
static int64_t syns_seen(const struct join_seen *seen)
{
	const struct sw_timer *timer = &seen->request.timer;
	int64_t count = seen->has_drop;

	if (seen->has_request)
		count += 1 + (timer->resends > timer->retransmits
				      ? timer->resends - timer->retransmits
				      : 0);
	return count;
}

uint64_t join_wall_ns(const struct join_matter *matter, uint64_t time_ns)
{
	return time_ns - (uint64_t)matter->offset_ns + (uint64_t)matter->wall_offset_ns;
}

static void fill_seen(const struct join_matter *matter, struct report_peer *peer)
{
	const struct join_seen *seen = matter->seen;
	const struct report_handshake *own = peer_report(seen);

	peer->seen = true;
	peer->tuple = own->tuple;
	peer->verdict = own->verdict;
	peer->cause = own->cause;
	(void)snprintf(peer->why, sizeof(peer->why), "%s", own->why);
	peer->has_owner = own->has_owner;
	peer->owner = own->owner;
	peer->has_listener = own->has_listener;
	peer->listener = own->listener;
	peer->has_drop = own->has_drop;
	peer->drop = own->drop;
	peer->syn_seen = syns_seen(seen);
	peer->synack_sent = seen->answer_count;
	peer->first_ns = join_wall_ns(matter, seen->first_ns);
	peer->last_ns = join_wall_ns(matter, seen->last_ns);
}

/* --- the rules --- */

struct rule {
	bool (*applies)(const struct join_matter *matter, const struct report_handshake *report);
	enum cause cause;
	enum report_gap gap;
	/* Ends the sentence. */
	void (*tell)(const struct join_matter *matter, struct report_handshake *report);
};

static struct words peer_words(const struct join_matter *matter)
{
	if (matter->host && *matter->host)
		return words("%.64s", matter->host);
	return words("the peer");
}

static double seconds(uint64_t ns)
{
	return (double)ns / 1e9;
}

static bool is_gap(const struct join_matter *matter, const struct report_handshake *report)
{
	(void)report;
	return matter->gap != REPORT_GAP_NONE;
}

static const char *const gap_words[REPORT_GAP_COUNT] = {
	[REPORT_GAP_NO_CAPTURE] = "no capture given is known to be its peer's",
	[REPORT_GAP_NO_OVERLAP] = "its peer's capture does not cover that time",
	[REPORT_GAP_FILTERED] = "its peer's capture was filtered and leaves it out",
	[REPORT_GAP_RECORDS_LOST] = "its peer's capture lost records just then",
	[REPORT_GAP_CROWD] = "its peer only counted SYNs at that port just then",
	[REPORT_GAP_SYNCOOKIES] = "its peer used SYN cookies, which leave no trace",
	[REPORT_GAP_NOT_RECORDED] = "its peer's capture was not streaming what this takes",
	[REPORT_GAP_ISN_REWRITTEN] = "ISNs are rewritten on the way",
	[REPORT_GAP_ISN_AMBIGUOUS] = "more than one handshake there has its ISN",
	[REPORT_GAP_ISN_UNKNOWN] = "its ISN is not in the client's capture",
	[REPORT_GAP_TIME_MISFIT] = "a handshake with its ISN is there, but at another time",
	[REPORT_GAP_OTHER_HOST] = "other hosts may answer for that destination, too",
	[REPORT_GAP_CONTRADICTION] = "its peer saw it completed in time",
};

static void tell_gap(const struct join_matter *matter, struct report_handshake *report)
{
	words_why_more(report, "; where it died is not known: %s%s%s", gap_words[matter->gap],
		       *matter->gap_words ? ", " : "", matter->gap_words);
}

static bool is_unseen(const struct join_matter *matter, const struct report_handshake *report)
{
	(void)report;
	return !matter->seen;
}

static void tell_unseen(const struct join_matter *matter, struct report_handshake *report)
{
	unsigned int sent = matter->client->syn_count;

	if (report->verdict == VERDICT_ESTABLISHED)
		words_why_more(report,
			       "; %s answered the first that it saw, so that the earlier were lost "
			       "on the way",
			       peer_words(matter).text);
	else if (matter->covered < sent)
		words_why_more(report, "; %s looked out for %u of its %u SYNs and saw none",
			       peer_words(matter).text, matter->covered, sent);
	else
		words_why_more(report, "; %s never saw %s: lost on the way",
			       peer_words(matter).text, sent == 1 ? "its SYN" : "any of its SYNs");
}

/* Thrown away without an answer, and never anything else. */
static bool is_dropped(const struct join_matter *matter, const struct report_handshake *report)
{
	(void)report;
	return !matter->seen->has_request && matter->seen->drop.drop.what == SW_DROP_SYN &&
	       matter->seen->drop_report.verdict == VERDICT_IGNORED;
}

static void tell_dropped(const struct join_matter *matter, struct report_handshake *report)
{
	words_why_more(report, "; its SYN reached %s: %s", peer_words(matter).text,
		       matter->seen->drop_report.why);
}

/* A RST, or an ICMP error; the client knows of neither. */
static bool is_refused(const struct join_matter *matter, const struct report_handshake *report)
{
	(void)report;
	return !matter->seen->has_request && matter->seen->drop.drop.what == SW_DROP_SYN;
}

static void tell_refused(const struct join_matter *matter, struct report_handshake *report)
{
	words_why_more(report, "; %s refused it, and that answer never came: %s",
		       peer_words(matter).text, matter->seen->drop_report.why);
}

/* The peer got an ACK: something answered in the client's place, or the records are of
 * another handshake. A client that was answered late may have sent it. */
static bool is_contradiction(const struct join_matter *matter,
			     const struct report_handshake *report)
{
	const struct join_seen *seen = matter->seen;

	if (report->verdict == VERDICT_ESTABLISHED)
		return false;
	return !seen->has_request || seen->request.flags & SW_F_ACKED ||
	       seen->request_report.verdict == VERDICT_ESTABLISHED;
}

static void tell_contradiction(const struct join_matter *matter, struct report_handshake *report)
{
	words_why_more(report, "; but %s has the ACK that completes it", peer_words(matter).text);
}

/* SYNs that left well before the first that the peer saw. */
static unsigned int syns_before(const struct join_matter *matter)
{
	const struct join_client *client = matter->client;
	uint64_t first_ns = matter->seen->first_ns - (uint64_t)matter->offset_ns;
	unsigned int count = 0;

	/* The SYN that it saw left up to a way, and the clocks' error, before. */
	for (unsigned int i = 1; i < client->syn_count; i++)
		count += client->syns_ns[i] <= first_ns + matter->tolerance_ns &&
			 client->syns_ns[i] > client->syns_ns[i - 1];
	return count;
}

/* Late, but at once when its SYN had come: those before it had been lost. */
static bool is_late_syn(const struct join_matter *matter, const struct report_handshake *report)
{
	return report->verdict == VERDICT_ESTABLISHED && matter->seen->has_request &&
	       !matter->seen->has_drop && syns_before(matter);
}

static void tell_late_syn(const struct join_matter *matter, struct report_handshake *report)
{
	words_why_more(report, "; %s never saw %s", peer_words(matter).text,
		       syns_before(matter) == 1 ? "the first" : "the earlier ones");
}

/* The answer that was accepted, and none before it had been sent: it was slow. */
static bool is_slow(const struct join_matter *matter, const struct report_handshake *report)
{
	return report->verdict == VERDICT_ESTABLISHED && matter->seen->answer_count < 2 &&
	       !matter->seen->has_drop;
}

static void tell_slow(const struct join_matter *matter, struct report_handshake *report)
{
	uint64_t first_ns = matter->seen->first_ns - (uint64_t)matter->offset_ns;
	const struct sw_handshake *facts = &matter->client->facts;

	words_why_more(
		report, "; %s answered once only, %.3f s before that came", peer_words(matter).text,
		facts->header.time_ns > first_ns ? seconds(facts->header.time_ns - first_ns) : 0.0);
}

/* Answered late, with a SYN thrown away before. */
static bool is_late_drop(const struct join_matter *matter, const struct report_handshake *report)
{
	return report->verdict == VERDICT_ESTABLISHED && matter->seen->has_drop &&
	       matter->seen->drop.drop.what == SW_DROP_SYN &&
	       matter->seen->drop_report.verdict == VERDICT_IGNORED;
}

static void tell_late_drop(const struct join_matter *matter, struct report_handshake *report)
{
	words_why_more(report, "; one before had reached %s: %s", peer_words(matter).text,
		       matter->seen->drop_report.why);
}

static bool always(const struct join_matter *matter, const struct report_handshake *report)
{
	(void)matter;
	(void)report;
	return true;
}

static void tell_reply_lost(const struct join_matter *matter, struct report_handshake *report)
{
	const struct join_seen *seen = matter->seen;
	unsigned int before = syns_before(matter);

	if (!seen->answer_count)
		words_why_more(report, "; %s took its SYN, but dropped its own SYN-ACK: %s",
			       peer_words(matter).text, seen->request_report.why);
	else
		words_why_more(report, "; %s answered with %s, %s", peer_words(matter).text,
			       words_count(seen->answer_count, "SYN-ACK").text,
			       report->verdict == VERDICT_ESTABLISHED ? "not all of them came"
								      : "none of them came");
	if (before && report->verdict != VERDICT_ESTABLISHED)
		words_why_more(report, "; it never saw the first %s",
			       words_count(before, "SYN").text);
}

static const struct rule rules[] = {
	{is_gap, CAUSE_NO_ANSWER, REPORT_GAP_NONE, tell_gap},
	{is_unseen, CAUSE_SYN_LOST, REPORT_GAP_NONE, tell_unseen},
	{is_late_drop, CAUSE_DROPPED_BY_PEER, REPORT_GAP_NONE, tell_late_drop},
	{is_dropped, CAUSE_DROPPED_BY_PEER, REPORT_GAP_NONE, tell_dropped},
	{is_refused, CAUSE_REPLY_LOST, REPORT_GAP_NONE, tell_refused},
	{is_contradiction, CAUSE_NO_ANSWER, REPORT_GAP_CONTRADICTION, tell_contradiction},
	{is_late_syn, CAUSE_SYN_LOST, REPORT_GAP_NONE, tell_late_syn},
	{is_slow, CAUSE_NO_ANSWER, REPORT_GAP_CONTRADICTION, tell_slow},
	{always, CAUSE_REPLY_LOST, REPORT_GAP_NONE, tell_reply_lost},
};

/* What one host alone had to leave open, and the other answers now. */
static void cut_guess(struct report_handshake *report)
{
	static const char *const guesses[] = {EVIDENCE_OPEN, VERDICT_OPEN_LATE};

	for (size_t i = 0; i < ARRAY_SIZE(guesses); i++) {
		char *guess = strstr(report->why, guesses[i]);

		if (guess)
			*guess = '\0';
	}
}

/* What the client's host saw of its own segments, on the way or as they came back: the
 * peer's records say the same in other words. Drop and sentence stay. */
static enum cause confirmed_as(enum cause cause)
{
	switch (cause) {
	case CAUSE_DROPPED_ON_PATH:
		return CAUSE_SYN_LOST;
	case CAUSE_REPLY_DROPPED_ON_PATH:
	case CAUSE_REPLY_DROPPED_ON_INPUT:
		return CAUSE_REPLY_LOST;
	default:
		return CAUSE_NONE;
	}
}

/* --- all of it --- */

void join_judge(const struct join_matter *matter, struct report_handshake *report,
		struct report_peer *ret_peer)
{
	const struct rule *rule = rules;

	memset(ret_peer, 0, sizeof(*ret_peer));
	ret_peer->capture = matter->capture;
	ret_peer->host = matter->host && *matter->host ? matter->host : NULL;
	ret_peer->gap = matter->gap;
	if (matter->seen)
		fill_seen(matter, ret_peer);
	join_timeline(matter, report, ret_peer);
	if (report->cause != CAUSE_NO_ANSWER && confirmed_as(report->cause) == CAUSE_NONE)
		return;
	while (!rule->applies(matter, report))
		rule++;
	if (report->cause != CAUSE_NO_ANSWER && confirmed_as(report->cause) != rule->cause)
		return;
	report->cause = rule->cause;
	if (rule->gap != REPORT_GAP_NONE)
		ret_peer->gap = rule->gap;
	cut_guess(report);
	rule->tell(matter, report);
}
