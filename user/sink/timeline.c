/* SPDX-License-Identifier: GPL-2.0-only */
#include "sink/timeline.h"

#include <stdio.h>
#include <string.h>

#include "core/utf8.h"
#include "sink/text.h"

/* So that most of it fits 80 columns. */
#define INDENT 4
#define SIDE   24 /* columns of the client's */

static void line(struct layout *layout, const char *when, const char *left, const char *right)
{
	char text[256], safe[256];

	(void)snprintf(text, sizeof(text), "%8s  %-*s |%s%s", when, SIDE, left, *right ? "  " : "",
		       right);
	utf8_safe(safe, sizeof(safe), text, strlen(text));
	layout_indent(layout, INDENT);
	/* As it stands: its columns are its meaning. */
	output_write(&layout->output, safe, strlen(safe));
	output_write(&layout->output, "\n", 1);
	layout->cursor = 0;
	layout->begun = false;
}

static void end_of_peer(struct layout *layout, const char *which, const uint8_t *addr,
			uint16_t port)
{
	char endpoint[TEXT_ENDPOINT_SIZE], text[TEXT_ENDPOINT_SIZE + 8];

	text_endpoint(endpoint, addr, port);
	(void)snprintf(text, sizeof(text), "%s %s", which, endpoint);
	line(layout, "", "", text);
}

/* The ends as the peer saw them: NAT changes them. */
static void heads(struct layout *layout, const struct report_handshake *handshake)
{
	const struct report_peer *peer = handshake->peer;
	const char *host = peer->host ? peer->host : "the peer";
	char left[32], right[96];

	(void)snprintf(left, sizeof(left), "client, port %u", handshake->tuple.lport);
	(void)snprintf(right, sizeof(right), "%.64s%s", host, peer->seen ? "" : ": nothing of it");
	line(layout, "", left, right);
	if (!peer->seen)
		return;
	end_of_peer(layout, "from", peer->tuple.raddr, peer->tuple.rport);
	end_of_peer(layout, "to", peer->tuple.laddr, peer->tuple.lport);
}

void timeline_print(struct layout *layout, const struct report_handshake *handshake)
{
	const struct report_peer *peer = handshake->peer;
	char when[TEXT_DURATION_SIZE + 1], more[64];

	heads(layout, handshake);
	for (unsigned int i = 0; i < peer->event_count; i++) {
		const struct report_event *event = &peer->events[i];

		text_duration(when, event->wall_ns - peer->events[0].wall_ns);
		if (event->side == ROLE_CLIENT)
			line(layout, when, event->text, "");
		else
			line(layout, when, "", event->text);
	}
	if (!peer->events_left_out)
		return;
	(void)snprintf(more, sizeof(more), "and %u more", peer->events_left_out);
	line(layout, "", more, "");
}
