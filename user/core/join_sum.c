/* SPDX-License-Identifier: GPL-2.0-only */
/* All handshakes of a join, in one sentence. */
#include <stdio.h>
#include <string.h>

#include "core/join.h"
#include "core/words.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

bool join_is_unanswered(const struct report_handshake *report)
{
	switch (report->cause) {
	case CAUSE_NO_ANSWER:
	case CAUSE_SYN_LOST:
	case CAUSE_REPLY_LOST:
	case CAUSE_DROPPED_BY_PEER:
	case CAUSE_DROPPED_ON_PATH:
	case CAUSE_DROPPED_ON_OUTPUT:
	case CAUSE_REPLY_DROPPED_ON_PATH:
	case CAUSE_REPLY_DROPPED_ON_INPUT:
	case CAUSE_NEIGHBOUR_UNRESOLVED:
		return true;
	default:
		return false;
	}
}

static void count_place(struct join_tally *tally, const struct report_peer *peer)
{
	struct join_place *place = tally->places;

	for (; place < tally->places + tally->place_count; place++)
		if (place->cause == peer->cause && place->port == peer->tuple.lport &&
		    place->owner.pid == peer->owner.pid)
			break;
	if (place == tally->places + JOIN_PLACES)
		return;
	if (place == tally->places + tally->place_count) {
		tally->place_count++;
		place->cause = peer->cause;
		place->port = peer->tuple.lport;
		if (peer->has_owner)
			place->owner = peer->owner;
	}
	place->count++;
}

void join_count(struct join_tally *tally, const struct report_handshake *report)
{
	if (!join_is_unanswered(report))
		return;
	tally->unanswered++;
	tally->causes[report->cause]++;
	if (!report->peer)
		return;
	if (report->cause == CAUSE_NO_ANSWER)
		tally->gaps[report->peer->gap]++;
	if (report->cause == CAUSE_DROPPED_BY_PEER && report->peer->seen)
		count_place(tally, report->peer);
}

/* "accept queue of nginx[812]:443" */
static struct words place_words(const struct join_place *place)
{
	static const char *const what[CAUSE_COUNT] = {
		[CAUSE_ACCEPT_QUEUE_FULL] = "accept queue of ",
		[CAUSE_SYN_QUEUE_FULL] = "SYN queue of ",
		[CAUSE_NETFILTER] = "netfilter before ",
		[CAUSE_OTHER_DROP] = "",
	};
	const char *prefix = what[place->cause] ? what[place->cause] : "";

	if (place->owner.pid)
		return words("%s%s[%u]:%u", prefix, words_comm(place->owner.comm).text,
			     place->owner.pid, place->port);
	return words("%sport %u", prefix, place->port);
}

struct text {
	char *at;
	size_t size, used;
};

static void put(struct text *text, const char *words)
{
	int length = snprintf(text->at + text->used, text->size - text->used, "%s", words);

	text->used += (size_t)length;
	if (text->used >= text->size)
		text->used = text->size - 1;
}

static const struct join_place *largest_place(const struct join_tally *tally)
{
	const struct join_place *largest = NULL;

	for (unsigned int i = 0; i < tally->place_count; i++)
		if (!largest || tally->places[i].count > largest->count)
			largest = &tally->places[i];
	return largest;
}

void join_summarize(const struct join_tally *tally, struct report_summary *summary)
{
	static const struct {
		enum cause cause;
		const char *word;
	} order[] = {
		{CAUSE_SYN_LOST, "syn_lost"},
		{CAUSE_DROPPED_BY_PEER, "dropped_by_peer"},
		{CAUSE_REPLY_LOST, "reply_lost"},
		{CAUSE_DROPPED_ON_PATH, "dropped_on_path"},
		{CAUSE_DROPPED_ON_OUTPUT, "dropped_on_output"},
		{CAUSE_NEIGHBOUR_UNRESOLVED, "neighbour_unresolved"},
		{CAUSE_REPLY_DROPPED_ON_PATH, "reply_dropped_on_path"},
		{CAUSE_REPLY_DROPPED_ON_INPUT, "reply_dropped_on_input"},
		{CAUSE_NO_ANSWER, "unknown"},
	};
	struct text text = {.at = summary->join_text, .size = sizeof(summary->join_text)};
	const struct join_place *place = largest_place(tally);
	const char *separator = " ";

	summary->joined = true;
	summary->unanswered = tally->unanswered;
	memcpy(summary->causes, tally->causes, sizeof(summary->causes));
	memcpy(summary->gaps, tally->gaps, sizeof(summary->gaps));
	if (!tally->unanswered) {
		put(&text, "no client handshake was without a timely answer");
		return;
	}
	put(&text, words("of %s stalled handshake%s", words_number(tally->unanswered).text,
			 tally->unanswered == 1 ? "" : "s")
			   .text);
	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		if (!tally->causes[order[i].cause])
			continue;
		put(&text, words("%s%s %s", separator,
				 words_number(tally->causes[order[i].cause]).text, order[i].word)
				   .text);
		if (order[i].cause == CAUSE_DROPPED_BY_PEER && place)
			put(&text, words(" (%s%s)", tally->place_count > 1 ? "most: " : "",
					 place_words(place).text)
					   .text);
		separator = ", ";
	}
}
