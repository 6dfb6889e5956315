/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Records as text, one a line, for people and tests:
 *
 *   retry time_ns=3030000000 cookie=54 start_ns=2000000000 syn_ns=2000000000
 *     flags=owner,isn isn=1234 raddr=10.0.0.1 rport=80 family=4 pid=123 comm=curl
 *
 * (here folded: it is one line). What a line does not name is 0. Addresses are
 * IPv4 or IPv6; in comm, \xNN is any byte. docs/records.md lists the fields.
 */
#ifndef SYNWATCH_SOURCE_RECORD_TEXT_H
#define SYNWATCH_SOURCE_RECORD_TEXT_H

#include <stddef.h>

#include "core/decode.h"

/*
 * One line -> one record, its header complete. The line is taken apart in
 * place. Returns 0, or -EINVAL with one sentence in reason that names what is
 * wrong.
 */
int record_text_parse(char *line, union decode_record *ret_record, char *reason,
		      size_t reason_size);

#endif /* SYNWATCH_SOURCE_RECORD_TEXT_H */
