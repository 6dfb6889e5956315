/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Two captures of so many handshakes each, for `synwatch join`.
 *
 *   join CLIENT SERVER HANDSHAKES [troubled|healthy]
 *
 * troubled: every client handshake hangs, a retry and an end each. Of ten the server never
 * saw five, threw three away, and answered two in vain; and has records of as many others,
 * whose clients nobody captured. healthy: every one was answered, with --all on both sides,
 * but for one of a thousand that was lost.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../unit/facts.h"
#include "store/capture.h"

#define APART	(5000 * SEC)
#define WALL	(1700000000 * SEC)
#define BETWEEN (500000ULL) /* ns from one handshake to the next */

struct side {
	struct session session;
	struct capture *capture;
	uint64_t cookie;
	unsigned int waiting;
};

/* The writer gets what it can take. */
static void put(struct side *side, const struct sw_handshake *facts)
{
	const struct timespec pause = {.tv_nsec = 20000000};

	capture_append(side->capture, facts, sizeof(*facts));
	if (++side->waiting % 1000 == 0)
		(void)nanosleep(&pause, NULL);
}

static int begin(struct side *side, const char *path, bool server, bool all)
{
	struct capture_options options = {
		.path = path, .session = &side->session, .all = all, .max_size = 16ULL << 30};

	side->session.start_ns = BEGIN + (server ? APART : 0) - 5 * SEC;
	side->session.wall_offset_ns = (int64_t)(WALL - (server ? APART : 0));
	strcpy(side->session.host, server ? "server" : "client");
	strcpy(side->session.boot_id, server ? "two" : "one");
	return capture_open(&options, &side->capture);
}

static void about(struct sw_handshake *facts, uint64_t number, bool server)
{
	uint16_t port = (uint16_t)(10000 + number % 50000);

	facts->flags |= SW_F_ISN;
	facts->isn = (uint32_t)(number * 2654435761);
	*(server ? &facts->tuple.rport : &facts->tuple.lport) = port;
}

static void client_record(struct side *side, uint8_t kind, uint64_t number, uint64_t after_ns,
			  uint8_t retries, bool answered)
{
	uint64_t begin_ns = BEGIN + number * BETWEEN;
	struct sw_handshake facts = facts_client(kind, begin_ns + after_ns, retries);

	facts.cookie = number + 1;
	facts.start_ns = facts.syn_ns = begin_ns;
	facts.sk_err = kind == SW_CLOSE && !answered ? 110 : 0;
	if (answered)
		facts.new_state = ESTABLISHED;
	about(&facts, number, false);
	put(side, &facts);
}

static void server_record(struct side *side, uint8_t kind, uint64_t number, uint64_t isn)
{
	uint64_t begin_ns = BEGIN + APART + number * BETWEEN + 2 * MS;
	bool dropped = kind == SW_SYN_DROP;
	struct sw_handshake facts =
		dropped ? facts_syn_drop(begin_ns, 77)
			: facts_server(kind, begin_ns + (kind == SW_ACCEPTED ? MS : SEC),
				       kind != SW_ACCEPTED, kind != SW_ACCEPTED);

	facts.cookie = ++side->cookie;
	facts.start_ns = facts.syn_ns = begin_ns;
	about(&facts, isn, true);
	put(side, &facts);
}

static void troubled(struct side *client, struct side *server, uint64_t number)
{
	/* Of somebody else: an ISN that no client here has. */
	uint64_t stranger = number + (1ULL << 31);

	client_record(client, SW_RETRY, number, SEC, 1, false);
	client_record(client, SW_CLOSE, number, 3 * SEC, 1, false);
	if (number % 10 < 5)
		server_record(server, SW_SYN_DROP, number, stranger);
	else if (number % 10 < 8)
		server_record(server, SW_SYN_DROP, number, number);
	else
		server_record(server, SW_SYNACK_RETRY, number, number);
}

static void healthy(struct side *client, struct side *server, uint64_t number)
{
	if (number % 1000 == 999) {
		client_record(client, SW_RETRY, number, SEC, 1, false);
		client_record(client, SW_CLOSE, number, 3 * SEC, 1, false);
		return;
	}
	client_record(client, SW_CLOSE, number, 5 * MS, 0, true);
	server_record(server, SW_ACCEPTED, number, number);
}

int main(int argc, char **argv)
{
	struct side client = {}, server = {};
	bool all = argc > 4 && !strcmp(argv[4], "healthy");
	uint64_t count, end_ns;

	if (argc < 4)
		return 2;
	count = strtoull(argv[3], NULL, 10);
	if (begin(&client, argv[1], false, all) || begin(&server, argv[2], true, all))
		return 1;
	for (uint64_t number = 0; number < count; number++)
		(all ? healthy : troubled)(&client, &server, number);
	end_ns = BEGIN + count * BETWEEN + 60 * SEC;
	capture_close(client.capture, end_ns);
	capture_close(server.capture, end_ns + APART);
	printf("%" PRIu64 " handshakes, %u and %u records\n", count, client.waiting,
	       server.waiting);
	return 0;
}
