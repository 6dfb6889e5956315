/* SPDX-License-Identifier: GPL-2.0-only */
#include "core/crowd.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/listener.h"
#include "core/words.h"

/* HyperLogLog's constant for so many registers, and where it is not the better
 * estimate yet. */
#define ALPHA_64   0.709
#define LINEAR_MAX (5 * SW_CROWD_SLOTS / 2)

uint64_t crowd_size(const struct sw_crowd *record)
{
	return (uint64_t)record->half_open + record->dropped + record->ignored;
}

/* --- how many addresses --- */

/*
 * Linear counting: so many distinct ones fill all but `empty` of the registers.
 * The logarithm of the textbook is a harmonic sum, exact for a few: one for one
 * register, two for two.
 */
static double linear_count(unsigned int empty)
{
	double sum = 0;

	for (unsigned int i = empty + 1; i <= SW_CROWD_SLOTS; i++)
		sum += (double)SW_CROWD_SLOTS / i;
	return sum;
}

/* Flajolet et al., HyperLogLog (2007), figure 3; the standard error with 64
 * registers is 13 %. Its correction for large numbers begins at 143 million. */
static double estimate(const uint8_t *ranks)
{
	unsigned int empty = 0;
	double sum = 0, raw;

	for (unsigned int i = 0; i < SW_CROWD_SLOTS; i++) {
		empty += !ranks[i];
		sum += 1.0 / (double)(1ULL << (ranks[i] < 63 ? ranks[i] : 63));
	}
	raw = ALPHA_64 * SW_CROWD_SLOTS * SW_CROWD_SLOTS / sum;
	return raw <= LINEAR_MAX && empty ? linear_count(empty) : raw;
}

static int64_t count_addresses(const struct sw_crowd *record)
{
	int64_t most = (int64_t)record->half_open + record->dropped;
	double estimated = estimate(record->addresses);

	if (!most)
		return REPORT_NULL;
	if (estimated < 1)
		return 1;
	return estimated < (double)most ? (int64_t)(estimated + 0.5) : most;
}

/* "about 8,300 addresses": no more digits than the estimate has. */
static struct words address_words(int64_t addresses)
{
	int64_t step = 1;

	while (addresses / step >= 100)
		step *= 10;
	addresses = (addresses + step / 2) / step * step;
	return words("about %.32s address%s", words_number((uint64_t)addresses).text,
		     addresses == 1 ? "" : "es");
}

/* --- why --- */

static enum cause drop_cause(const struct report_crowd *crowd)
{
	if (!strcmp(crowd->reason, "NETFILTER_DROP"))
		return CAUSE_NETFILTER;
	if (!strcmp(crowd->reason, "NO_SOCKET"))
		return CAUSE_NO_LISTENER;
	return CAUSE_OTHER_DROP;
}

/* Of most of them; of equals the first. */
static enum cause crowd_cause(const struct sw_crowd *record, const struct report_crowd *crowd)
{
	if (record->half_open >= record->dropped && record->half_open >= record->ignored)
		return CAUSE_NO_ACK;
	if (record->dropped >= record->ignored)
		return drop_cause(crowd);
	return listener_cause(&record->listener, record->flags);
}

__attribute__((format(printf, 2, 3))) static void add(struct report_crowd *crowd,
						      const char *format, ...)
{
	size_t length = strlen(crowd->why);
	va_list args;

	va_start(args, format);
	(void)vsnprintf(crowd->why + length, sizeof(crowd->why) - length, format, args);
	va_end(args);
}

static const char *separator(const struct report_crowd *crowd)
{
	return *crowd->why ? "; " : "";
}

/* "1,200 SYNs dropped: NETFILTER_DROP, from about 1,200 addresses" */
static void add_strangers(const struct sw_crowd *record, struct report_crowd *crowd)
{
	const char *from = " from ";

	if (record->half_open)
		add(crowd, "%s half-open", words_number(record->half_open).text);
	if (record->dropped) {
		add(crowd, "%s%s SYN%s dropped", separator(crowd),
		    words_number(record->dropped).text, record->dropped == 1 ? "" : "s");
		if (*crowd->reason) {
			add(crowd, ": %s", words_name(crowd->reason).text);
			from = ", from ";
		}
		if (record->half_open)
			from = ", together from ";
	}
	add(crowd, "%s%s", from, address_words(crowd->addresses).text);
}

/* sk_drops of the listener: tcp_listendrop(). */
static void add_ignored(const struct sw_crowd *record, struct report_crowd *crowd)
{
	enum cause cause = listener_cause(&record->listener, record->flags);

	add(crowd, "%s%s SYN%s or ACK%s ignored: ", separator(crowd),
	    words_number(record->ignored).text, record->ignored == 1 ? "" : "s",
	    record->ignored == 1 ? "" : "s");
	if (cause == CAUSE_OTHER_DROP)
		add(crowd, "why is not shown by the kernel");
	else
		add(crowd, "the %s", listener_words(&record->listener, cause).text);
}

struct report_crowd crowd_report(const struct sw_crowd *record, const struct terms *terms)
{
	struct report_crowd crowd = {
		.tuple = record->tuple,
		.has_owner = record->flags & SW_F_OWNER,
		.owner = record->owner,
		.owners = record->owners ? record->owners : REPORT_NULL,
		.has_listener = record->flags & SW_F_LISTENER,
		.listener = listener_report(&record->listener, record->flags),
		.half_open = record->half_open,
		.dropped = record->dropped,
		.ignored = record->ignored,
		.addresses = count_addresses(record),
	};
	const char *reason = terms_find(terms, SW_NAME_REASON, record->reason);

	if (record->dropped && record->reason && reason)
		(void)snprintf(crowd.reason, sizeof(crowd.reason), "%s", reason);
	crowd.cause = crowd_cause(record, &crowd);
	if (crowd.addresses != REPORT_NULL)
		add_strangers(record, &crowd);
	if (record->ignored)
		add_ignored(record, &crowd);
	add(&crowd, "%s", listener_cookies_words(record->flags));
	return crowd;
}
