/* SPDX-License-Identifier: GPL-2.0-only */
#include "core/pattern_text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/words.h"

/* What became of them: "37 handshakes to 10.0.0.1:80 got no answer". */
static const char *const fates[CAUSE_COUNT] = {
	[CAUSE_NONE] = "had no trouble",
	[CAUSE_NO_ANSWER] = "got no answer",
	[CAUSE_DROPPED_ON_OUTPUT] = "never left this host, which dropped them",
	[CAUSE_NEIGHBOUR_UNRESOLVED] = "got no ARP or ND answer for the next hop",
	[CAUSE_REPLY_DROPPED_ON_INPUT] = "were answered, but this host dropped the answer",
	[CAUSE_BAD_ANSWER] = "got an answer that is not acceptable",
	[CAUSE_DROPPED_ON_PATH] = "were dropped in a namespace of this host that they crossed",
	[CAUSE_REPLY_DROPPED_ON_PATH] =
		"had the answer dropped in a namespace of this host that it crossed",
	[CAUSE_DROPPED_BY_PEER] = "were dropped by the peer",
	[CAUSE_SYN_LOST] = "were lost on the way to the peer",
	[CAUSE_REPLY_LOST] = "had the peer's answer lost",
	[CAUSE_RST] = "were answered with a RST",
	[CAUSE_ICMP] = "were answered with an ICMP error",
	[CAUSE_NO_ROUTE] = "found no usable route",
	[CAUSE_NO_PORT] = "found no free local port",
	[CAUSE_DENIED] = "were forbidden on this host",
	[CAUSE_OTHER_ERROR] = "failed in connect()",
	[CAUSE_NO_ACK] = "got no ACK for the SYN-ACK",
	[CAUSE_ACCEPT_QUEUE_FULL] = "found the accept queue full",
	[CAUSE_SYN_QUEUE_FULL] = "found the SYN queue full",
	[CAUSE_NETFILTER] = "were stopped by a firewall rule of this host",
	[CAUSE_NO_LISTENER] = "found nothing listening",
	[CAUSE_OTHER_DROP] = "were dropped by this host on arrival",
};

static bool is_mapped(const uint8_t *addr)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	return memcmp(addr, mapped, sizeof(mapped)) == 0;
}

unsigned int pattern_text_prefix(const uint8_t *addr)
{
	return is_mapped(addr) ? 24 : 64;
}

/* What does not fit is cut; the tests have the longest sentences. */
__attribute__((format(printf, 2, 3))) static void add(struct report_pattern *pattern,
						      const char *format, ...)
{
	size_t length = strlen(pattern->text);
	va_list args;

	va_start(args, format);
	(void)vsnprintf(pattern->text + length, sizeof(pattern->text) - length, format, args);
	va_end(args);
}

/* "37 of 37 handshakes"; "37 handshakes" where it is not known of how many. */
static void add_count(struct report_pattern *pattern)
{
	if (pattern->healthy != REPORT_NULL)
		add(pattern, "%" PRIu64 " of %" PRIu64 " handshakes", pattern->count, pattern->of);
	else if (pattern->count < pattern->of)
		add(pattern, "%" PRIu64 " of %" PRIu64 " handshakes in trouble", pattern->count,
		    pattern->of);
	else
		add(pattern, "%" PRIu64 " handshakes", pattern->count);
}

/* " to 4 of 5 remotes in 10.0.0.0/24 port 80" */
static void add_subnet(struct report_pattern *pattern, const struct pattern_facts *facts)
{
	add(pattern, " to %" PRIu32, facts->remotes);
	if (pattern->healthy != REPORT_NULL || facts->remotes < facts->remotes_of)
		add(pattern, " of %" PRIu32, facts->remotes_of);
	add(pattern, " remotes in %s/%u port %u", words_address(pattern->addr).text,
	    pattern->prefix, pattern->port);
}

/* " to 10.0.0.1:80 from netns 4026531840" */
static void add_place(struct report_pattern *pattern, const struct pattern_facts *facts)
{
	bool client = pattern->role == ROLE_CLIENT;

	if (pattern->kind == PATTERN_SUBNET)
		add_subnet(pattern, facts);
	else
		add(pattern, is_mapped(pattern->addr) ? " %s %s:%u" : " %s [%s]:%u",
		    client ? "to" : "at", words_address(pattern->addr).text, pattern->port);
	if (pattern->netns)
		add(pattern, " %s netns %" PRIu32, client ? "from" : "in", pattern->netns);
}

/* Where the others stand: what got through here, and next door. */
static void add_rest(struct report_pattern *pattern, const struct pattern_facts *facts)
{
	uint8_t subnet[16] = {};
	unsigned int prefix = pattern_text_prefix(pattern->addr);

	if (facts->outcome == OUTCOME_HUNG && facts->through)
		add(pattern, ", %" PRIu64 " got through", facts->through);
	else if (facts->outcome == OUTCOME_HUNG && pattern->healthy == REPORT_NULL)
		add(pattern, ", none got through late");
	if (!facts->neighbours)
		return;
	memcpy(subnet, pattern->addr, is_mapped(pattern->addr) ? 15 : 8);
	add(pattern, ", %" PRIu64 " of %" PRIu64 " to its neighbours in %s/%u succeeded",
	    facts->neighbours_through, facts->neighbours, words_address(subnet).text, prefix);
}

static void add_fate(struct report_pattern *pattern, const struct pattern_facts *facts)
{
	add(pattern, "%s %s%s",
	    facts->outcome == OUTCOME_LATE ? " got through late; before, they" : "",
	    fates[pattern->cause], pattern->verdict == VERDICT_STALLED ? " so far" : "");
	add_rest(pattern, facts);
}

static struct words ordinal(int64_t number)
{
	static const char *const ends[] = {"th", "st", "nd", "rd"};
	int64_t last = number % 10;

	return words("%" PRId64 "%s", number,
		     last > 3 || number / 10 % 10 == 1 ? "th" : ends[last]);
}

/* A rule that drops every SYN cannot be passed by sending another one. */
static void add_loss(struct report_pattern *pattern, const struct pattern_facts *facts)
{
	add(pattern, " got through on the %s", ordinal(facts->syn_first).text);
	if (facts->syn_last > facts->syn_first)
		add(pattern, " to %s", ordinal(facts->syn_last).text);
	add(pattern,
	    " SYN, silence and answer in turn %" PRIu64
	    " times: packet loss, a full queue or a rate limit%s, no rule that drops every SYN",
	    facts->turns, facts->ecn ? ", or ECN not let through" : "");
}

/* RFC 3168 6.1.1.1: a host may send a SYN without ECN when one with it got no
 * answer. */
static void add_ecn(struct report_pattern *pattern, const struct pattern_facts *facts)
{
	(void)facts;
	add(pattern, " got through on the 2nd SYN, which unlike the 1st asks for no ECN: "
		     "something on the path drops SYNs that do");
}

void pattern_text(struct report_pattern *pattern, const struct pattern_facts *facts)
{
	static void (*const adders[PATTERN_KIND_COUNT])(struct report_pattern *,
							const struct pattern_facts *) = {
		[PATTERN_PLACE] = add_fate,
		[PATTERN_SUBNET] = add_fate,
		[PATTERN_LOSS] = add_loss,
		[PATTERN_ECN] = add_ecn,
	};

	*pattern->text = '\0';
	add_count(pattern);
	add_place(pattern, facts);
	adders[pattern->kind](pattern, facts);
}
