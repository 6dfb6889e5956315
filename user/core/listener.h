/* SPDX-License-Identifier: GPL-2.0-only */
/* The state of a listener's queues, and the words for it. */
#ifndef SYNWATCH_CORE_LISTENER_H
#define SYNWATCH_CORE_LISTENER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/report.h"
#include "core/words.h"
#include "synwatch/record.h"

/*
 * A listener comes with the flags of its record: without SW_F_LISTENER nothing is
 * known of it.
 */

/* A connection that is complete finds no room (sk_acceptq_is_full()). */
bool listener_accept_queue_full(const struct sw_listener *listener, uint32_t flags);

/* A SYN finds no room, and no syncookie is sent in its place
 * (tcp_conn_request()). */
bool listener_syn_queue_full(const struct sw_listener *listener, uint32_t flags);

/* Why a listener ignores a segment without a word. */
enum cause listener_cause(const struct sw_listener *listener, uint32_t flags);

/* "accept queue is full (129 of 128)", "SYN queue is full (...)"; cause is
 * listener_cause()'s, and one of the two. */
struct words listener_words(const struct sw_listener *listener, enum cause cause);

/* Of one that was full when the ACK came: "the accept queue is full (...)", or
 * was. */
struct words listener_accept_queue_words(const struct sw_listener *listener, uint32_t flags);

/* "; syncookies are in use: ...", or "": the end of a sentence about it. */
const char *listener_cookies_words(uint32_t flags);

/* What a report shows of it. */
struct report_listener listener_report(const struct sw_listener *listener, uint32_t flags);

#endif /* SYNWATCH_CORE_LISTENER_H */
