/* SPDX-License-Identifier: GPL-2.0-only */
#include "core/listener.h"

bool listener_accept_queue_full(const struct sw_listener *listener, uint32_t flags)
{
	return flags & SW_F_LISTENER && listener->backlog > listener->limit;
}

/*
 * inet_csk_reqsk_queue_is_full(): at the limit in older kernels, above it in
 * newer ones. An empty queue is not full, whatever its limit.
 */
static bool is_limit_reached(const struct sw_listener *listener)
{
	return listener->requests && listener->requests >= listener->limit;
}

/* tcp_conn_request(): without syncookies the last quarter of
 * tcp_max_syn_backlog is for remotes that are known to be alive. */
static bool is_last_quarter(const struct sw_listener *listener)
{
	int64_t left = (int64_t)listener->syn_limit - listener->requests;

	return listener->syn_limit && left < listener->syn_limit / 4;
}

/* With syncookies a SYN that finds the queue full is answered all the same
 * (tcp_syn_flood_action()). */
bool listener_syn_queue_full(const struct sw_listener *listener, uint32_t flags)
{
	return flags & SW_F_LISTENER && !listener->syncookies &&
	       (is_limit_reached(listener) || is_last_quarter(listener));
}

/* With both full the accept queue is the cause of the other: a request whose ACK
 * is thrown away stays where it is (tcp_check_req()). */
enum cause listener_cause(const struct sw_listener *listener, uint32_t flags)
{
	if (listener_accept_queue_full(listener, flags))
		return CAUSE_ACCEPT_QUEUE_FULL;
	if (listener_syn_queue_full(listener, flags))
		return CAUSE_SYN_QUEUE_FULL;
	return CAUSE_OTHER_DROP;
}

struct words listener_words(const struct sw_listener *listener, enum cause cause)
{
	if (cause == CAUSE_ACCEPT_QUEUE_FULL)
		return words("accept queue is full (%u of %u)", listener->backlog, listener->limit);
	if (is_limit_reached(listener))
		return words("SYN queue is full (%u of %u)", listener->requests, listener->limit);
	return words("SYN queue is full (%u of %u, and the last quarter is kept for known remotes)",
		     listener->requests, listener->syn_limit);
}

struct words listener_accept_queue_words(const struct sw_listener *listener, uint32_t flags)
{
	if (!listener_accept_queue_full(listener, flags))
		return words("the accept queue was full");
	return words("the %s", listener_words(listener, CAUSE_ACCEPT_QUEUE_FULL).text);
}

/* The ACK to a cookie is all there is: tcp_conn_request() keeps no request. */
const char *listener_cookies_words(uint32_t flags)
{
	if (!(flags & SW_F_COOKIES))
		return "";
	return "; syncookies are in use: handshakes completed by one have no request to watch";
}

struct report_listener listener_report(const struct sw_listener *listener, uint32_t flags)
{
	return (struct report_listener){
		.backlog = listener->backlog,
		.limit = listener->limit,
		.requests = listener->requests,
		.syncookies = flags & SW_F_COOKIES,
	};
}
