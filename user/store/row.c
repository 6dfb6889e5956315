/* SPDX-License-Identifier: GPL-2.0-only */
#include "store/row.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/names.h"
#include "store/database.h"

/* include/net/tcp_states.h */
#define TCP_ESTABLISHED 1

#define NSEC_PER_USEC 1000

enum statement { RECORD, BEGIN, RENEW, COUNTS, STATEMENTS };

static const char *const sql[STATEMENTS] = {
	[RECORD] = "INSERT INTO record (seq, session, handshake, time_ns, advance_ns, kind, body)"
		   " VALUES (?, ?, ?, ?, ?, ?, ?)",
	[BEGIN] = "INSERT INTO handshake (id, last_us, records, last, state, ended, retransmits,"
		  " error, drop_reason, drop_place, laddr, lport, isn, pid, tid, uid, comm, cgroup,"
		  " session, role, cookie, start_ns, start_us, family, raddr, rport, port, netns)"
		  " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16,"
		  " ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28)",
	/* Nothing that is indexed: the remote end and the start are known from the first
	 * record on. What a later one does not know, an end that was missed say, stays,
	 * and so does an end that overtook another record. */
	[RENEW] =
		"UPDATE handshake SET last_us = max(last_us, ?2), records = records + ?3,"
		" last = iif(ended, last, ?4), state = iif(ended, state, ?5),"
		" ended = max(ended, ?6), retransmits = max(retransmits, ?7),"
		" error = coalesce(?8, error), drop_reason = coalesce(?9, drop_reason),"
		" drop_place = coalesce(?10, drop_place), laddr = coalesce(?11, laddr),"
		" lport = coalesce(?12, lport), isn = coalesce(?13, isn), pid = coalesce(?14, pid),"
		" tid = coalesce(?15, tid), uid = coalesce(?16, uid), comm = coalesce(?17, comm),"
		" cgroup = coalesce(?18, cgroup) WHERE id = ?1",
	[COUNTS] = "INSERT INTO counts (seq, session, time_us, healthy, latency_us, accepted,"
		   " syn_retransmits, synack_retransmits, listen_drops)"
		   " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
};

struct rows {
	sqlite3_stmt *statements[STATEMENTS];
	const struct terms *terms;
};

bool row_is_end(unsigned int kind)
{
	return kind == SW_CLOSE || kind == SW_LOCAL_ERROR || kind == SW_ACCEPTED ||
	       kind == SW_REQUEST_GONE || kind == SW_SYN_DROP;
}

int rows_new(sqlite3 *db, const struct terms *terms, struct rows **ret_rows)
{
	struct rows *rows = calloc(1, sizeof(*rows));
	int err = 0;

	if (!rows)
		return -ENOMEM;
	rows->terms = terms;
	for (int i = 0; i < STATEMENTS && !err; i++)
		err = database_prepare(db, sql[i], &rows->statements[i]);
	if (err)
		rows_free(rows);
	else
		*ret_rows = rows;
	return err;
}

struct rows *rows_free(struct rows *rows)
{
	if (!rows)
		return NULL;
	for (int i = 0; i < STATEMENTS; i++)
		(void)sqlite3_finalize(rows->statements[i]);
	free(rows);
	return NULL;
}

static int64_t wall_us(uint64_t time_ns, int64_t wall_offset_ns)
{
	/* An offset is what a record says, and may be anything. */
	return (int64_t)(time_ns + (uint64_t)wall_offset_ns) / NSEC_PER_USEC;
}

static void bind_known(sqlite3_stmt *statement, int column, int64_t number)
{
	if (number)
		(void)sqlite3_bind_int64(statement, column, number);
	else
		(void)sqlite3_bind_null(statement, column);
}

/* NULL is NULL. The text is taken as it is at the moment of the step. */
static void bind_text(sqlite3_stmt *statement, int column, const char *text)
{
	(void)sqlite3_bind_text(statement, column, text, -1, SQLITE_STATIC);
}

int rows_record(struct rows *rows, const struct row *row)
{
	sqlite3_stmt *statement = rows->statements[RECORD];

	(void)sqlite3_bind_int64(statement, 1, row->seq);
	(void)sqlite3_bind_int64(statement, 2, row->session);
	bind_known(statement, 3, row->handshake);
	(void)sqlite3_bind_int64(statement, 4, (int64_t)row->time_ns);
	bind_known(statement, 5, (int64_t)row->advance_ns);
	(void)sqlite3_bind_int(statement, 6, (int)row->kind);
	(void)sqlite3_bind_blob(statement, 7, row->body, row->size, SQLITE_STATIC);
	return database_run(statement);
}

const char *row_address(const __u8 *bytes, char text[INET6_ADDRSTRLEN])
{
	static const __u8 unspecified[16], mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (!memcmp(bytes, unspecified, sizeof(unspecified)))
		return NULL;
	if (!memcmp(bytes, mapped, sizeof(mapped)))
		return inet_ntop(AF_INET, bytes + 12, text, INET6_ADDRSTRLEN);
	return inet_ntop(AF_INET6, bytes, text, INET6_ADDRSTRLEN);
}

static const char *state_of(const struct sw_handshake *facts)
{
	switch (facts->header.kind) {
	case SW_CLOSE:
	case SW_ACCEPTED:
		return facts->new_state == TCP_ESTABLISHED ? "established" : "closed";
	case SW_LOCAL_ERROR:
		return "local_error";
	case SW_REQUEST_GONE:
		return "gone";
	case SW_SYN_DROP:
		return "dropped";
	default:
		return "under_way";
	}
}

static int errno_of(const struct sw_handshake *facts)
{
	if (facts->header.kind == SW_LOCAL_ERROR)
		return -facts->err;
	return facts->sk_err ? facts->sk_err : facts->sk_err_soft;
}

static void bind_owner(sqlite3_stmt *statement, int first, const struct sw_handshake *facts)
{
	const struct sw_owner *owner = &facts->owner;

	if (!(facts->flags & SW_F_OWNER)) {
		for (int column = first; column < first + 5; column++)
			(void)sqlite3_bind_null(statement, column);
		return;
	}
	(void)sqlite3_bind_int64(statement, first, owner->pid);
	(void)sqlite3_bind_int64(statement, first + 1, owner->tid);
	(void)sqlite3_bind_int64(statement, first + 2, owner->uid);
	(void)sqlite3_bind_text(statement, first + 3, owner->comm,
				(int)strnlen(owner->comm, SW_COMM_LEN), SQLITE_STATIC);
	bind_known(statement, first + 4, (int64_t)owner->cgroup);
}

static void bind_drop(sqlite3_stmt *statement, int first, const struct sw_handshake *facts,
		      const struct terms *terms)
{
	bool dropped = facts->flags & SW_F_DROP;

	bind_text(statement, first,
		  dropped ? terms_find(terms, SW_NAME_REASON, facts->drop.reason) : NULL);
	bind_text(statement, first + 1,
		  dropped ? terms_find(terms, SW_NAME_PLACE, facts->drop.place) : NULL);
}

/* What never changes, and what is indexed. */
static void bind_identity(sqlite3_stmt *statement, int64_t session,
			  const struct sw_handshake *facts, int64_t wall_offset_ns,
			  const char *raddr)
{
	bool server = SW_KIND_IS_SERVER(facts->header.kind);
	const struct sw_tuple *tuple = &facts->tuple;

	(void)sqlite3_bind_int64(statement, 19, session);
	bind_text(statement, 20, server ? "server" : "client");
	(void)sqlite3_bind_int64(statement, 21, (int64_t)facts->cookie);
	(void)sqlite3_bind_int64(statement, 22, (int64_t)facts->start_ns);
	(void)sqlite3_bind_int64(statement, 23, wall_us(facts->start_ns, wall_offset_ns));
	(void)sqlite3_bind_int(statement, 24, tuple->family);
	bind_text(statement, 25, raddr);
	bind_known(statement, 26, tuple->rport);
	bind_known(statement, 27, server ? tuple->lport : tuple->rport);
	bind_known(statement, 28, tuple->netns);
}

int rows_handshake(struct rows *rows, int64_t session, const struct active *active,
		   int64_t wall_offset_ns)
{
	sqlite3_stmt *statement = rows->statements[active->stored ? RENEW : BEGIN];
	const struct sw_handshake *facts = active->newest;
	char laddr[INET6_ADDRSTRLEN], raddr[INET6_ADDRSTRLEN], number[16];
	int errnum = errno_of(facts);
	const char *error = errnum > 0 ? names_errno(errnum) : NULL;

	if (errnum > 0 && !error) {
		(void)snprintf(number, sizeof(number), "E%d", errnum);
		error = number;
	}
	(void)sqlite3_bind_int64(statement, 1, active->id);
	(void)sqlite3_bind_int64(statement, 2, wall_us(facts->header.time_ns, wall_offset_ns));
	(void)sqlite3_bind_int64(statement, 3, active->records);
	bind_text(statement, 4, names_kind(facts->header.kind));
	bind_text(statement, 5, state_of(facts));
	(void)sqlite3_bind_int(statement, 6, active->ended);
	(void)sqlite3_bind_int(statement, 7, facts->timer.retransmits);
	bind_text(statement, 8, error);
	bind_drop(statement, 9, facts, rows->terms);
	bind_text(statement, 11, row_address(facts->tuple.laddr, laddr));
	bind_known(statement, 12, facts->tuple.lport);
	if (facts->flags & SW_F_ISN)
		(void)sqlite3_bind_int64(statement, 13, facts->isn);
	else
		(void)sqlite3_bind_null(statement, 13);
	bind_owner(statement, 14, facts);
	if (!active->stored)
		bind_identity(statement, session, facts, wall_offset_ns,
			      row_address(facts->tuple.raddr, raddr));
	return database_run(statement);
}

/* {"512":12,"1024":3}: the keys of the summary's latency_us. Every slot and the number
 * of a full one fit. */
static void latency_text(const struct sw_counts *counts, char *text, size_t size)
{
	size_t used = (size_t)snprintf(text, size, "{");

	for (int i = 0; i < SW_LATENCY_SLOTS; i++)
		if (counts->latency[i])
			used += (size_t)snprintf(text + used, size - used, "%s\"%llu\":%llu",
						 used > 1 ? "," : "", 2ULL << i,
						 (unsigned long long)counts->latency[i]);
	(void)snprintf(text + used, size - used, "}");
}

int rows_counts(struct rows *rows, int64_t seq, int64_t session, const struct sw_counts *counts,
		int64_t wall_offset_ns)
{
	sqlite3_stmt *statement = rows->statements[COUNTS];
	/* "4294967296": and 20 digits, and a comma */
	char latency[SW_LATENCY_SLOTS * 36 + 3];

	latency_text(counts, latency, sizeof(latency));
	(void)sqlite3_bind_int64(statement, 1, seq);
	(void)sqlite3_bind_int64(statement, 2, session);
	(void)sqlite3_bind_int64(statement, 3, wall_us(counts->header.time_ns, wall_offset_ns));
	(void)sqlite3_bind_int64(statement, 4, (int64_t)counts->healthy);
	bind_text(statement, 5, latency);
	(void)sqlite3_bind_int64(statement, 6, (int64_t)counts->accepted);
	(void)sqlite3_bind_int64(statement, 7, (int64_t)counts->syn_retransmits);
	(void)sqlite3_bind_int64(statement, 8, (int64_t)counts->synack_retransmits);
	(void)sqlite3_bind_int64(statement, 9, (int64_t)counts->listen_drops);
	return database_run(statement);
}
