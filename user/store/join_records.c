/* SPDX-License-Identifier: GPL-2.0-only */
/* The records of one handshake, from its capture. */
#include "core/decode.h"
#include "store/database.h"
#include "store/joining.h"

#define READS_MAX 2000

/* Transactions of some reads each: to begin one costs more than to read a record, and one
 * that lasts would keep a writer from bounding its log. */
static int hold(struct join_capture *capture)
{
	int err = 0;

	if (capture->reads >= READS_MAX) {
		capture->reads = 0;
		err = database_exec(capture->db, "COMMIT");
	}
	if (!err && !capture->reads++)
		err = database_exec(capture->db, "BEGIN");
	return err;
}

int join_records(struct joining *joining, unsigned int capture, int64_t id,
		 void (*take)(void *ctx, const struct sw_handshake *record), void *ctx)
{
	sqlite3_stmt *statement = joining->captures[capture].records;
	int code, err = hold(&joining->captures[capture]);

	if (err)
		return err;
	(void)sqlite3_bind_int64(statement, 1, id);
	while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
		union decode_record record;
		const void *body = sqlite3_column_blob(statement, 0);
		int size = sqlite3_column_bytes(statement, 0);

		if (body && size > 0 && !decode(body, (size_t)size, &record) &&
		    record.header.kind > SW_NONE && record.header.kind <= SW_SYN_DROP)
			take(ctx, &record.handshake);
	}
	err = database_error(joining->captures[capture].db, code);
	(void)sqlite3_reset(statement);
	return err;
}
