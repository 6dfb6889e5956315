/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * No capture has a handshake: would one, had a SYN arrived? Which host its destination leads
 * to, and whether that host's capture records what it takes, just then.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>

#include "store/database.h"
#include "store/joining.h"

/* include/net/tcp_states.h */
enum { STATE_ESTABLISHED = 1 };

#define NSEC_PER_SEC 1000000000ULL

/* Answered handshakes that must all be in one capture, before a destination that is
 * translated on the way is taken to lead to that host alone. */
#define ALONE_MIN 3

/* For one destination. */
#define HOSTS_MAX 16

/* Server handshakes around a moment whose records tell whether cookies were in use. */
#define COOKIE_LOOKS	 8
#define COOKIE_WINDOW_NS 10000000000LL

/* A host that the destination leads to. */
struct host {
	unsigned int boot;
	unsigned int session; /* one of its, for its name */
	unsigned int lport;
	uint32_t netns;
	bool translated; /* NAT on the way changes the destination */
	bool snat;	 /* or the source */
	bool arrived;	 /* others were seen to arrive there */
};

static bool is_loopback(const char *addr)
{
	return !strncmp(addr, "127.", 4) || !strcmp(addr, "::1");
}

static void add_host(struct host *hosts, unsigned int *count, const struct host *host)
{
	for (unsigned int i = 0; i < *count; i++)
		if (hosts[i].boot == host->boot && hosts[i].lport == host->lport &&
		    hosts[i].netns == host->netns) {
			hosts[i].snat |= host->snat;
			hosts[i].arrived |= host->arrived;
			return;
		}
	if (*count < HOSTS_MAX)
		hosts[(*count)++] = *host;
}

static int find_hosts(struct joining *joining, const struct join_row *client, struct host *hosts,
		      unsigned int *ret_count)
{
	sqlite3_stmt *dest = joining->find[FIND_DEST], *address = joining->find[FIND_ADDRESS];
	unsigned int boot = joining->sessions[client->session].boot;
	int code, err;

	*ret_count = 0;
	(void)sqlite3_bind_text(dest, 1, client->raddr, -1, SQLITE_STATIC);
	(void)sqlite3_bind_int64(dest, 2, client->rport);
	while ((code = sqlite3_step(dest)) == SQLITE_ROW) {
		const char *laddr = (const char *)sqlite3_column_text(dest, 2);
		struct host host = {
			.session = (unsigned int)sqlite3_column_int64(dest, 0),
			.lport = (unsigned int)sqlite3_column_int(dest, 1),
			.netns = (uint32_t)sqlite3_column_int64(dest, 3),
			.snat = sqlite3_column_int(dest, 4),
			.arrived = true,
		};

		host.boot = joining->sessions[host.session].boot;
		host.translated =
			!laddr || strcmp(laddr, client->raddr) != 0 || host.lport != client->rport;
		add_host(hosts, ret_count, &host);
	}
	err = database_error(joining->db, code);
	(void)sqlite3_reset(dest);
	if (err || *ret_count)
		return err;
	(void)sqlite3_bind_text(address, 1, client->raddr, -1, SQLITE_STATIC);
	while ((code = sqlite3_step(address)) == SQLITE_ROW) {
		struct host host = {
			.session = (unsigned int)sqlite3_column_int64(address, 0),
			.lport = client->rport,
			.netns = (uint32_t)sqlite3_column_int64(address, 1),
		};

		host.boot = joining->sessions[host.session].boot;
		if (host.boot == boot || !is_loopback(client->raddr))
			add_host(hosts, ret_count, &host);
	}
	err = database_error(joining->db, code);
	(void)sqlite3_reset(address);
	return err;
}

/* What is looked at: one session of that host. */
struct look {
	const struct join_session *session;
	unsigned int number;
	const struct host *host;
	uint64_t begin_ns; /* its first SYN, on the server's clock */
	uint64_t end_ns;   /* what the last that is covered would have left by then */
	unsigned int covered;
	enum report_gap gap;
	char words[160];
};

/*
 * Which of its SYNs would have left a trace. Of one that was answered late the last got
 * through. A SYN that is thrown away is told once, at its first appearance: if the record of
 * that may be lost or pruned, those sent again show nothing either. Only a watch that began
 * later tells of them.
 */
static void look_at_time(const struct join_client *client, const struct join_clock *clock,
			 struct look *look)
{
	const struct join_session *session = look->session;
	uint64_t margin = clock->tolerance_ns;
	unsigned int count = client->syn_count;
	uint64_t first_ns = client->syns_ns[0] + (uint64_t)clock->offset.offset_ns;

	if (client->facts.new_state == STATE_ESTABLISHED && count)
		count--;
	look->begin_ns = first_ns > margin ? first_ns - margin : 0;
	if (session->cover_ns > session->start_ns && first_ns < session->cover_ns + margin)
		return;
	for (unsigned int i = 0; i < count; i++) {
		uint64_t time_ns = client->syns_ns[i] + (uint64_t)clock->offset.offset_ns;

		if (time_ns < session->start_ns + margin ||
		    time_ns + margin + JOIN_TRACE_NS > session->end_ns)
			continue;
		look->covered++;
		look->end_ns = time_ns + margin + JOIN_TRACE_NS;
	}
}

static void put_address(const char *text, __u8 *address)
{
	static const __u8 mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (strchr(text, ':'))
		(void)inet_pton(AF_INET6, text, address);
	else if (inet_pton(AF_INET, text, address + 12) == 1)
		memcpy(address, mapped, sizeof(mapped));
}

/* Its SYN, as the server's filters would have seen it. Behind NAT the client's end is not
 * known: a filter on that might let it pass or not. */
static bool passes_filter(const struct look *look, const struct join_row *client)
{
	struct sw_handshake probe = {
		.header = {.kind = SW_SYN_DROP},
		.tuple = {.lport = (__u16)look->host->lport,
			  .rport = (__u16)client->lport,
			  .family = (__u8)client->family},
	};

	put_address(client->raddr, probe.tuple.laddr);
	put_address(client->laddr, probe.tuple.raddr);
	if (!filter_match(&look->session->filter, &probe))
		return false;
	if (!look->host->snat && !look->host->translated)
		return true;
	if (look->session->filter.kinds & SW_FILTER_HOST)
		return false;
	probe.tuple.rport = 0;
	return filter_match(&look->session->filter, &probe);
}

static int exists(struct joining *joining, sqlite3_stmt *find, bool *ret_exists)
{
	int code = sqlite3_step(find), err = database_error(joining->db, code);

	*ret_exists = code == SQLITE_ROW;
	(void)sqlite3_reset(find);
	return err;
}

static int look_at_filters(struct joining *joining, const struct join_row *client,
			   struct look *look)
{
	sqlite3_stmt *any = joining->find[FIND_ANY];
	bool known = look->host->arrived;
	int err = 0;

	if (!passes_filter(look, client)) {
		look->gap = REPORT_GAP_FILTERED;
		return 0;
	}
	/* Something else at that port passed the filters on who listens. */
	if (look->session->by_owner && !known) {
		(void)sqlite3_bind_int64(any, 1, look->number);
		(void)sqlite3_bind_int64(any, 2, look->host->lport);
		err = exists(joining, any, &known);
		if (!known)
			look->gap = REPORT_GAP_FILTERED;
	}
	if (!err && look->gap == REPORT_GAP_NONE && *look->session->blind) {
		look->gap = REPORT_GAP_NOT_RECORDED;
		(void)snprintf(look->words, sizeof(look->words), "%s", look->session->blind);
	}
	return err;
}

static int look_at_noise(struct joining *joining, struct look *look)
{
	static const enum report_gap gaps[] = {
		[1] = REPORT_GAP_RECORDS_LOST, [2] = REPORT_GAP_CROWD, [3] = REPORT_GAP_SYNCOOKIES};
	sqlite3_stmt *noise = joining->find[FIND_NOISE];
	int code, err;

	(void)sqlite3_bind_int64(noise, 1, look->number);
	(void)sqlite3_bind_int64(noise, 2, (int64_t)look->begin_ns);
	(void)sqlite3_bind_int64(noise, 3, (int64_t)look->end_ns);
	while ((code = sqlite3_step(noise)) == SQLITE_ROW) {
		int kind = sqlite3_column_int(noise, 0);

		if (kind == 1 || ((unsigned int)sqlite3_column_int(noise, 1) == look->host->lport &&
				  (uint32_t)sqlite3_column_int64(noise, 2) == look->host->netns)) {
			look->gap = gaps[kind];
			break;
		}
	}
	err = database_error(joining->db, code);
	(void)sqlite3_reset(noise);
	return err;
}

static void note_cookies(void *ctx, const struct sw_handshake *record)
{
	bool *cookies = ctx;

	*cookies |= record->flags & SW_F_COOKIES ||
		    (record->flags & SW_F_LISTENER && record->listener.syncookies == 2);
}

/* What others at that port tell, that came in that second or soon before. */
static int find_cookies(struct joining *joining, const struct look *look, uint64_t second,
			bool *ret_used)
{
	sqlite3_stmt *near = joining->find[FIND_NEAR];
	int64_t ids[COOKIE_LOOKS];
	unsigned int count = 0;
	int code, err;

	*ret_used = false;
	(void)sqlite3_bind_int64(near, 1, look->number);
	(void)sqlite3_bind_int64(near, 2, look->host->lport);
	(void)sqlite3_bind_int64(near, 3, (int64_t)(second * NSEC_PER_SEC) - COOKIE_WINDOW_NS);
	(void)sqlite3_bind_int64(near, 4, (int64_t)((second + 1) * NSEC_PER_SEC));
	while ((code = sqlite3_step(near)) == SQLITE_ROW && count < COOKIE_LOOKS)
		ids[count++] = sqlite3_column_int64(near, 0);
	err = database_error(joining->db, code);
	(void)sqlite3_reset(near);
	for (unsigned int i = 0; i < count && !err; i++)
		err = join_records(joining, look->session->capture, ids[i], note_cookies, ret_used);
	return err;
}

static int look_at_cookies(struct joining *joining, struct look *look)
{
	uint64_t second = look->end_ns / NSEC_PER_SEC;
	struct join_cookies *cookies =
		&joining->cookies[(look->number * 31 + look->host->lport) % JOIN_COOKIES];
	int err = 0;

	if (!cookies->known || cookies->session != look->number ||
	    cookies->lport != look->host->lport || cookies->second != second) {
		*cookies = (struct join_cookies){
			.session = look->number, .lport = look->host->lport, .second = second};
		err = find_cookies(joining, look, second, &cookies->used);
		cookies->known = !err;
	}
	if (cookies->used)
		look->gap = REPORT_GAP_SYNCOOKIES;
	return err;
}

/* The same two ends at the same time, and another ISN. */
static int look_at_isn(struct joining *joining, const struct join_row *client, struct look *look)
{
	sqlite3_stmt *other = joining->find[FIND_OTHER_ISN];
	bool rewritten;
	int err;

	(void)sqlite3_bind_int64(other, 1, look->number);
	(void)sqlite3_bind_int64(other, 2, look->host->lport);
	(void)sqlite3_bind_int64(other, 3, client->lport);
	(void)sqlite3_bind_int64(other, 4, (int64_t)look->begin_ns);
	(void)sqlite3_bind_int64(other, 5, (int64_t)look->end_ns);
	(void)sqlite3_bind_text(other, 6, client->laddr, -1, SQLITE_STATIC);
	(void)sqlite3_bind_int64(other, 7, client->isn);
	err = exists(joining, other, &rewritten);
	if (rewritten)
		look->gap = REPORT_GAP_ISN_REWRITTEN;
	return err;
}

/* Are all that were answered in this capture? A destination that NAT translates may lead
 * to many hosts, of which this is one. */
static int look_at_others(struct joining *joining, const struct join_row *client,
			  const struct join_client *facts, struct look *look)
{
	sqlite3_stmt *answered = joining->find[FIND_ANSWERED];
	int64_t count = 0, found = 0;
	int code, err;

	(void)sqlite3_bind_text(answered, 1, client->raddr, -1, SQLITE_STATIC);
	(void)sqlite3_bind_int64(answered, 2, client->rport);
	(void)sqlite3_bind_int64(answered, 3, look->number);
	code = sqlite3_step(answered);
	if (code == SQLITE_ROW) {
		count = sqlite3_column_int64(answered, 0);
		found = sqlite3_column_int64(answered, 1);
	}
	err = database_error(joining->db, code);
	(void)sqlite3_reset(answered);
	if (count != found) {
		look->gap = REPORT_GAP_OTHER_HOST;
		(void)snprintf(look->words, sizeof(look->words),
			       "%lld of %lld that were answered are not in its capture",
			       (long long)(count - found), (long long)count);
	} else if (look->host->translated && count < ALONE_MIN) {
		look->gap = REPORT_GAP_OTHER_HOST;
		(void)snprintf(
			look->words, sizeof(look->words),
			"the destination is translated on the way, and less than %d that were "
			"answered show where to",
			ALONE_MIN);
	} else if (facts->facts.new_state == STATE_ESTABLISHED && look->session->all) {
		/* It was answered, by somebody. */
		look->gap = REPORT_GAP_OTHER_HOST;
	}
	return err;
}

/* Why its absence from that session tells nothing; look->gap stays NONE if it does. */
static int look_closely(struct joining *joining, const struct join_row *client,
			const struct join_client *facts, struct look *look)
{
	int err = look_at_filters(joining, client, look);

	if (!err && look->gap == REPORT_GAP_NONE)
		err = look_at_noise(joining, look);
	if (!err && look->gap == REPORT_GAP_NONE)
		err = look_at_isn(joining, client, look);
	if (!err && look->gap == REPORT_GAP_NONE)
		err = look_at_others(joining, client, facts, look);
	if (!err && look->gap == REPORT_GAP_NONE)
		err = look_at_cookies(joining, look);
	return err;
}

/* Whether the session watched that namespace: one that was told which to watch is known
 * by its records. */
static int watches(struct joining *joining, const struct look *look, bool *ret_watches)
{
	sqlite3_stmt *netns = joining->find[FIND_NETNS];

	*ret_watches = true;
	if (!look->session->by_netns)
		return 0;
	(void)sqlite3_bind_int64(netns, 1, look->number);
	(void)sqlite3_bind_int64(netns, 2, look->host->netns);
	return exists(joining, netns, ret_watches);
}

/* The session of that host which tells most. */
static int look_at_host(struct joining *joining, const struct join_row *client,
			const struct join_client *facts, const struct host *host,
			struct look *ret_best)
{
	unsigned int boot = joining->sessions[client->session].boot;
	bool watched;
	int err = 0;

	*ret_best = (struct look){.session = &joining->sessions[host->session],
				  .number = host->session,
				  .host = host,
				  .gap = REPORT_GAP_NO_OVERLAP};
	for (unsigned int i = 0; i < joining->session_count && !err; i++) {
		struct look look = {.session = &joining->sessions[i], .number = i, .host = host};

		if (look.session->boot != host->boot)
			continue;
		err = watches(joining, &look, &watched);
		if (err || !watched)
			continue;
		look_at_time(facts, joining_clock(joining, boot, host->boot), &look);
		if (!look.covered)
			continue;
		err = look_closely(joining, client, facts, &look);
		if (ret_best->gap == REPORT_GAP_NO_OVERLAP ||
		    (look.gap == REPORT_GAP_NONE && ret_best->gap != REPORT_GAP_NONE) ||
		    (look.gap == ret_best->gap && look.covered > ret_best->covered))
			*ret_best = look;
	}
	return err;
}

/* No capture has it: would the one of its peer, had a SYN come? If the destination leads to
 * several, none of them may have a gap. */
int join_absence(struct joining *joining, const struct join_row *client,
		 const struct join_client *facts, struct join_found *found)
{
	struct host hosts[HOSTS_MAX];
	struct look look;
	unsigned int count;
	int err = find_hosts(joining, client, hosts, &count);

	if (!err && !count)
		join_found_gap(found, REPORT_GAP_NO_CAPTURE, "");
	for (unsigned int i = 0; i < count && !err; i++) {
		err = look_at_host(joining, client, facts, &hosts[i], &look);
		if (i && look.gap == REPORT_GAP_NONE)
			continue;
		join_found_peer(joining, client, look.number, found);
		join_found_gap(found, look.gap, look.words);
		found->matter.covered = look.covered;
		if (look.gap != REPORT_GAP_NONE)
			break;
	}
	if (!err && found->matter.gap == REPORT_GAP_NO_OVERLAP && found->matter.by_wall)
		(void)snprintf(found->gap_words, sizeof(found->gap_words), "%s",
			       "by wall time: no handshake is in both");
	return err;
}
