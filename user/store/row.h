/* SPDX-License-Identifier: GPL-2.0-only */
/* Records as rows: what a capture says in columns, beside the bytes. */
#ifndef SYNWATCH_STORE_ROW_H
#define SYNWATCH_STORE_ROW_H

#include <stdbool.h>
#include <stdint.h>

#include <netinet/in.h>
#include <sqlite3.h>

#include "core/terms.h"
#include "store/active.h"
#include "synwatch/record.h"

/* A record of one handshake, as opposed to a crowd's and to bookkeeping. */
static inline bool row_is_handshake(unsigned int kind)
{
	return kind > SW_NONE && kind <= SW_SYN_DROP;
}

/* No further record is due after one of this kind. */
bool row_is_end(unsigned int kind);

struct rows;

/* Statements for a capture; db and terms stay the caller's. A negative errno. */
int rows_new(sqlite3 *db, const struct terms *terms, struct rows **ret_rows);

/* Returns NULL; NULL is fine. To be called before db is closed. */
struct rows *rows_free(struct rows *rows);

struct row {
	int64_t seq;
	int64_t session;
	int64_t handshake; /* 0: none */
	uint64_t time_ns;
	uint64_t advance_ns; /* 0: none */
	unsigned int kind;
	const void *body;
	int size;
};

/* As JSON shows it; NULL if it is not known. */
const char *row_address(const __u8 *bytes, char text[INET6_ADDRSTRLEN]);

/* All return 0 or a negative errno. */
int rows_record(struct rows *rows, const struct row *row);

/* What became of a handshake by its newest record; wall_offset_ns as in struct sw_clock. */
int rows_handshake(struct rows *rows, int64_t session, const struct active *active,
		   int64_t wall_offset_ns);
int rows_counts(struct rows *rows, int64_t seq, int64_t session, const struct sw_counts *counts,
		int64_t wall_offset_ns);

#endif /* SYNWATCH_STORE_ROW_H */
