/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the network, or this host in its place, did to a client's handshake:
 * facts -> cause, and the phrase that goes with it.
 *
 * Each rule claims only what its facts show and names the kernel fact it rests
 * on. The first that applies wins; the last always does, and claims nothing.
 */
#ifndef SYNWATCH_CORE_EVIDENCE_H
#define SYNWATCH_CORE_EVIDENCE_H

#include <stdbool.h>

#include "core/report.h"
#include "core/terms.h"
#include "core/words.h"
#include "synwatch/record.h"

/* An ICMP error of this attempt is on the socket's error queue. */
bool evidence_has_icmp(const struct sw_handshake *facts);

/* icmp_err_convert[] and icmpv6_err_convert() can produce it. */
bool evidence_is_icmp_errno(int errnum);

/* Fills in report->icmp: from the error queue, or for IPv6 as far as the errno
 * alone tells. */
void evidence_tell_icmp(const struct sw_handshake *facts, struct report_handshake *report);

/* "ICMP port unreachable from 10.0.0.1", as much of it as is known; after
 * evidence_tell_icmp(). */
struct words evidence_icmp_words(const struct sw_handshake *facts,
				 const struct report_handshake *report);

/* Whether one of the last segments of that sort was thrown away: a record may
 * precede the fate of the newest, and one run may be missed. An older drop does
 * not explain today's silence. */
bool evidence_is_dropped(const struct sw_handshake *facts, enum sw_drop_what what);

/* "NETFILTER_DROP in nf_hook_slow"; after evidence_tell_drop(). */
struct words evidence_drop_words(const struct report_handshake *report);

/* Fills in report->drop. */
void evidence_tell_drop(const struct sw_handshake *facts, const struct terms *terms,
			struct report_handshake *report);

/* Ends a phrase about silence: what one host alone has to leave open. core/join
 * puts the other host's answer in its place. */
#define EVIDENCE_OPEN ": lost on the way, dropped by the peer, or its answer lost"

/*
 * Why it hangs, or hung. Needs report->drop and fills in report->icmp; ret_words
 * is a phrase: "no answer: ...", "10.0.0.1 answered, ...".
 */
enum cause evidence_cause(const struct sw_handshake *facts, struct report_handshake *report,
			  struct words *ret_words);

#endif /* SYNWATCH_CORE_EVIDENCE_H */
