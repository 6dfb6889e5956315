/* SPDX-License-Identifier: GPL-2.0-only */
/* What both ends did, in order of time. */
#include <stdio.h>

#include "core/join.h"
#include "core/words.h"

static void add_event(struct report_peer *peer, enum role side, uint64_t wall_ns, const char *text)
{
	struct report_event *event = peer->events + peer->event_count;

	if (peer->event_count == REPORT_EVENTS_MAX) {
		peer->events_left_out++;
		return;
	}
	/* In order of time: mostly there is nothing to move. */
	while (event > peer->events && event[-1].wall_ns > wall_ns) {
		*event = event[-1];
		event--;
	}
	peer->event_count++;
	event->wall_ns = wall_ns;
	event->side = side;
	(void)snprintf(event->text, sizeof(event->text), "%s", text);
}

static void add_client_event(const struct join_matter *matter, struct report_peer *peer,
			     uint64_t time_ns, const char *text)
{
	add_event(peer, ROLE_CLIENT, time_ns + (uint64_t)matter->wall_offset_ns, text);
}

/* Nothing came before it was sent: if it seems so, that is the clocks' error. */
static void add_peer_event(const struct join_matter *matter, struct report_peer *peer,
			   uint64_t time_ns, const char *text)
{
	uint64_t wall_ns = join_wall_ns(matter, time_ns);
	uint64_t first_ns = peer->event_count ? peer->events[0].wall_ns : wall_ns;

	if (wall_ns < first_ns && first_ns - wall_ns <= matter->tolerance_ns)
		wall_ns = first_ns;
	add_event(peer, ROLE_SERVER, wall_ns, text);
}

static void add_client_events(const struct join_matter *matter,
			      const struct report_handshake *report, struct report_peer *peer)
{
	const struct join_client *client = matter->client;

	for (unsigned int i = 0; i < client->syn_count; i++)
		add_client_event(matter, peer, client->syns_ns[i],
				 i ? words("SYN again (%u)", i).text : "SYN");
	if (client->facts.header.kind == SW_CLOSE)
		add_client_event(matter, peer, client->facts.header.time_ns,
				 report->verdict == VERDICT_ESTABLISHED ? "SYN-ACK accepted"
									: "end");
}

static const char *request_end(const struct join_seen *seen)
{
	if (seen->request.header.kind == SW_ACCEPTED)
		return seen->request_report.verdict == VERDICT_ESTABLISHED ? "ACK accepted"
									   : "closed";
	return seen->request.header.kind == SW_REQUEST_GONE ? "request gone" : NULL;
}

static void add_peer_events(const struct join_matter *matter, struct report_peer *peer)
{
	const struct join_seen *seen = matter->seen;

	if (seen->has_drop)
		add_peer_event(matter, peer, seen->drop.header.time_ns,
			       words("SYN thrown away: %.60s",
				     seen->drop_report.has_drop && *seen->drop_report.drop.reason
					     ? words_name(seen->drop_report.drop.reason).text
					     : "by its listener")
				       .text);
	if (!seen->has_request)
		return;
	if (!seen->answer_count)
		add_peer_event(matter, peer, seen->first_ns, "SYN, its SYN-ACK thrown away");
	for (unsigned int i = 0; i < seen->answer_count; i++)
		add_peer_event(matter, peer, seen->answers_ns[i],
			       i ? words("SYN-ACK again (%u)", i).text : "SYN, SYN-ACK sent");
	if (request_end(seen))
		add_peer_event(matter, peer, seen->last_ns, request_end(seen));
}

void join_timeline(const struct join_matter *matter, const struct report_handshake *report,
		   struct report_peer *peer)
{
	add_client_events(matter, report, peer);
	if (matter->seen)
		add_peer_events(matter, peer);
}
