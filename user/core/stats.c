/* SPDX-License-Identifier: GPL-2.0-only */
#include "core/stats.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

/* Distinct remotes and listeners with trouble that are told apart. A scan or a
 * flood has more; what comes after is counted by verdict only. */
#define PLACES_MAX 4096

/* 64 bit throughout: no padding to hash. */
struct place_key {
	uint64_t addr[2];
	uint64_t port;
	uint64_t role;
};

struct place {
	struct place_key key;
	struct report_top top;
	UT_hash_handle hh;
};

struct stats {
	struct report_summary summary;
	struct place *places;
};

struct stats *stats_new(void)
{
	return calloc(1, sizeof(struct stats));
}

struct stats *stats_free(struct stats *stats)
{
	struct place *place, *next;

	if (!stats)
		return NULL;
	HASH_ITER (hh, stats->places, place, next) {
		HASH_DEL(stats->places, place);
		free(place);
	}
	free(stats);
	return NULL;
}

static struct place *find_place(struct stats *stats, enum role role, const uint8_t *addr,
				uint8_t family, uint16_t port)
{
	struct place_key key = {.port = port, .role = role};
	struct place *place;

	memcpy(key.addr, addr, sizeof(key.addr));
	HASH_FIND(hh, stats->places, &key, sizeof(key), place);
	if (place || HASH_COUNT(stats->places) >= PLACES_MAX)
		return place;
	place = calloc(1, sizeof(*place));
	if (!place)
		return NULL;
	place->key = key;
	place->top = (struct report_top){.role = role, .family = family, .port = port};
	memcpy(place->top.addr, addr, sizeof(place->top.addr));
	HASH_ADD(hh, stats->places, key, sizeof(place->key), place);
	return place;
}

static bool is_trouble(const struct report_handshake *handshake)
{
	return handshake->cause != CAUSE_NONE;
}

void stats_handshake(struct stats *stats, const struct report_handshake *handshake)
{
	const struct sw_tuple *tuple = &handshake->tuple;
	struct place *place;

	stats->summary.handshakes[handshake->role][handshake->verdict]++;
	if (!is_trouble(handshake))
		return;
	if (handshake->role == ROLE_CLIENT)
		place = find_place(stats, ROLE_CLIENT, tuple->raddr, tuple->family, tuple->rport);
	else
		place = find_place(stats, ROLE_SERVER, tuple->laddr, tuple->family, tuple->lport);
	if (!place) {
		stats->summary.top_untold++;
		return;
	}
	place->top.count++;
	place->top.verdicts[handshake->verdict]++;
}

void stats_crowd(struct stats *stats, const struct report_crowd *crowd)
{
	const struct sw_tuple *tuple = &crowd->tuple;
	uint64_t size = crowd->half_open + crowd->dropped + crowd->ignored;
	struct place *place =
		find_place(stats, ROLE_SERVER, tuple->laddr, tuple->family, tuple->lport);

	stats->summary.crowded += size;
	if (place)
		place->top.count += size;
	else
		stats->summary.top_untold += size;
}

void stats_healthy(struct stats *stats, enum role role)
{
	if (role == ROLE_CLIENT)
		stats->summary.healthy++;
	else
		stats->summary.accepted++;
}

void stats_counts(struct stats *stats, const struct sw_counts *counts)
{
	stats->summary.healthy += counts->healthy;
	stats->summary.syn_retransmits += counts->syn_retransmits;
	stats->summary.accepted += counts->accepted;
	stats->summary.synack_retransmits += counts->synack_retransmits;
	stats->summary.listen_drops += counts->listen_drops;
	for (int i = 0; i < SW_LATENCY_SLOTS; i++)
		stats->summary.latency[i] += counts->latency[i];
}

void stats_loss(struct stats *stats, const struct report_loss *loss)
{
	/* A late record did arrive, and a drop that was not looked at is none. */
	stats->summary.lost += loss->ring + loss->map_full + loss->missed;
	stats->summary.suppressed += loss->suppressed;
}

/* Most trouble first; then by address, so that equals have an order. */
static bool is_worse(const struct report_top *a, const struct report_top *b)
{
	int order;

	if (a->count != b->count)
		return a->count > b->count;
	order = memcmp(a->addr, b->addr, sizeof(a->addr));
	if (order)
		return order < 0;
	if (a->port != b->port)
		return a->port < b->port;
	return a->role < b->role;
}

static void insert_top(struct report_summary *summary, const struct report_top *top)
{
	unsigned int i = summary->top_count;

	if (i < REPORT_TOP_MAX)
		summary->top_count++;
	else if (!is_worse(top, &summary->top[--i]))
		return;
	for (; i && is_worse(top, &summary->top[i - 1]); i--)
		summary->top[i] = summary->top[i - 1];
	summary->top[i] = *top;
}

void stats_summarize(const struct stats *stats, struct report_summary *ret_summary)
{
	struct report_summary summary = stats->summary;

	for (const struct place *place = stats->places; place; place = place->hh.next)
		insert_top(&summary, &place->top);
	summary.top_more = HASH_COUNT(stats->places) - summary.top_count;
	*ret_summary = summary;
}
