/* SPDX-License-Identifier: GPL-2.0-only */
#include "core/sysctls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/retry.h"

#define MSEC_PER_SEC 1000
/* Before 6.15 it was this, and no sysctl. */
#define RTO_MAX_MS 120000

/* A connection-tracking table this full, in percent, drops SYNs soon. */
#define NEARLY_FULL 90

enum row_index {
	SYN_RETRIES,
	SYN_LINEAR_TIMEOUTS,
	SYNACK_RETRIES,
	RTO_MAX,
	SYNCOOKIES,
	SOMAXCONN,
	MAX_SYN_BACKLOG,
	ABORT_ON_OVERFLOW,
	LOCAL_PORT_RANGE,
	RESERVED_PORTS,
	TW_REUSE,
	TIMESTAMPS,
	ECN,
	ECN_FALLBACK,
	FASTOPEN,
	RP_FILTER_ALL,
	RP_FILTER_DEFAULT,
	BINDV6ONLY,
	L3MDEV_ACCEPT,
	NONLOCAL_BIND,
	CONNTRACK_MAX,
	CONNTRACK_COUNT,
	ROW_COUNT,
};

_Static_assert(ROW_COUNT == SYSCTLS_COUNT, "sysctls.h has their number");

struct host {
	const char *const *values;
	uint32_t hz;
};

struct row {
	const char *path;
	const char *absent; /* what that means; NULL: of no interest */
	/* What a value means; those that are not listed: otherwise. */
	struct {
		const char *value;
		const char *meaning;
		enum finding_mark mark; /* FINDING_OK: FINDING_INFO */
	} known[3];
	const char *otherwise;
	/* Or in figures. */
	void (*explain)(const struct host *host, long value, struct finding *finding);
};

static long number(const struct host *host, enum row_index index, long otherwise)
{
	return host->values[index] ? strtol(host->values[index], NULL, 10) : otherwise;
}

static uint8_t small(const struct host *host, enum row_index index)
{
	long value = number(host, index, 0);

	return (uint8_t)(value < 0 ? 0 : value > UINT8_MAX ? UINT8_MAX : value);
}

static uint32_t rto_max(const struct host *host)
{
	long ms = number(host, RTO_MAX, RTO_MAX_MS);

	return (uint32_t)((uint64_t)(ms < 1 ? RTO_MAX_MS : ms) * host->hz / MSEC_PER_SEC);
}

static void say(struct finding *finding, const char *format, unsigned long long a,
		unsigned long long b) __attribute__((format(printf, 2, 0)));
static void say(struct finding *finding, const char *format, unsigned long long a,
		unsigned long long b)
{
	(void)snprintf(finding->meaning, sizeof(finding->meaning), format, a, b);
}

static void explain_syn_retries(const struct host *host, long value, struct finding *finding)
{
	const struct retry_client client = {
		.expires = host->hz,
		.rto = host->hz,
		.rto_initial = host->hz,
		.rto_max = rto_max(host),
		.hz = host->hz,
		.retries = small(host, SYN_RETRIES),
		.has_linear = host->values[SYN_LINEAR_TIMEOUTS],
		.linear = small(host, SYN_LINEAR_TIMEOUTS),
	};
	struct retry_schedule schedule = retry_client_schedule(&client);

	(void)value;
	say(finding, "without an answer connect() sends %llu SYNs and gives up after %llu s",
	    schedule.limit + 1ULL, (schedule.give_up + host->hz / 2) / host->hz);
}

static void explain_synack_retries(const struct host *host, long value, struct finding *finding)
{
	const struct retry_server server = {
		.timeout = host->hz,
		.rto_max = RTO_MAX_MS / MSEC_PER_SEC * host->hz,
		.hz = host->hz,
		.timeouts = 1,
		.retries = small(host, SYNACK_RETRIES),
	};
	struct retry_schedule schedule = retry_server_schedule(&server);

	say(finding, "a half-open handshake is kept for %llu s and %llu SYN-ACKs",
	    1 + (schedule.give_up + host->hz / 2) / host->hz, value + 1ULL);
}

static void explain_somaxconn(const struct host *host, long value, struct finding *finding)
{
	(void)host;
	say(finding,
	    "no accept queue is longer than %llu, whatever listen() asks for: more clients than "
	    "that wait in vain",
	    (unsigned long long)value, 0);
}

static void explain_ports(const struct host *host, long low, struct finding *finding)
{
	const char *rest = strpbrk(host->values[LOCAL_PORT_RANGE], " \t");
	long high = rest ? strtol(rest, NULL, 10) : low;

	say(finding,
	    "%llu ports: so many connections at a time from one address to one address and port",
	    high >= low ? (unsigned long long)(high - low + 1) : 0, 0);
}

static void explain_conntrack(const struct host *host, long value, struct finding *finding)
{
	long max = number(host, CONNTRACK_MAX, 0);

	if (max > 0 && value >= 0 && value / (max / 100.0) >= NEARLY_FULL) {
		finding->mark = FINDING_LESS;
		say(finding,
		    "of %llu: the table is all but full, new connections are thrown away when it "
		    "is",
		    (unsigned long long)max, 0);
	} else {
		say(finding, "of %llu connections that are tracked", (unsigned long long)max, 0);
	}
}

static const struct row rows[ROW_COUNT] = {
	[SYN_RETRIES] = {"ipv4/tcp_syn_retries", .explain = explain_syn_retries},
	[SYN_LINEAR_TIMEOUTS] = {"ipv4/tcp_syn_linear_timeouts",
				 "before Linux 6.5: the time between SYNs doubles from the first",
				 {{"0", "the time between SYNs doubles from the first"}},
				 "so many retries come after 1 s each, before the time doubles"},
	[SYNACK_RETRIES] = {"ipv4/tcp_synack_retries", .explain = explain_synack_retries},
	[RTO_MAX] = {"ipv4/tcp_rto_max_ms", NULL, {}, "no two retries are further apart, in ms"},
	[SYNCOOKIES] = {"ipv4/tcp_syncookies",
			"this kernel has no SYN cookies: a full SYN queue throws SYNs away",
			{{"0", "off: a full SYN queue throws SYNs away", FINDING_LESS},
			 {"1", "SYN cookies answer when a SYN queue is full"},
			 {"2", "SYN cookies answer always: half-open handshakes are not seen",
			  FINDING_LESS}},
			""},
	[SOMAXCONN] = {"core/somaxconn", .explain = explain_somaxconn},
	[MAX_SYN_BACKLOG] = {"ipv4/tcp_max_syn_backlog",
			     NULL,
			     {},
			     "without SYN cookies, half-open handshakes per listener, roughly"},
	[ABORT_ON_OVERFLOW] = {"ipv4/tcp_abort_on_overflow",
			       NULL,
			       {{"0", "an ACK that finds the accept queue full is ignored: the "
				      "client believes that it is connected"},
				{"1", "an ACK that finds the accept queue full gets a RST: the "
				      "client sees a reset"}},
			       ""},
	[LOCAL_PORT_RANGE] = {"ipv4/ip_local_port_range", .explain = explain_ports},
	[RESERVED_PORTS] = {"ipv4/ip_local_reserved_ports",
			    NULL,
			    {{"", "none of these ports is set aside"}},
			    "these ports are not used for connections"},
	[TW_REUSE] = {"ipv4/tcp_tw_reuse",
		      NULL,
		      {{"0", "a port in TIME_WAIT is not used again for the same remote"},
		       {"1", "a port in TIME_WAIT is used again after a second"},
		       {"2", "a port in TIME_WAIT is used again after a second, on loopback"}},
		      ""},
	[TIMESTAMPS] = {"ipv4/tcp_timestamps",
			NULL,
			{{"0", "off: no port in TIME_WAIT is used again early"},
			 {"1", "on, with a random offset for each connection"},
			 {"2", "on, without random offsets: what is behind one NAT may look like "
			       "old segments"}},
			""},
	[ECN] = {"ipv4/tcp_ecn",
		 NULL,
		 {{"0", "SYNs do not ask for ECN, nor is it accepted"},
		  {"1", "SYNs ask for ECN: a few middleboxes throw such SYNs away"},
		  {"2", "SYNs do not ask for ECN, it is accepted"}},
		 "more than plain ECN"},
	[ECN_FALLBACK] = {"ipv4/tcp_ecn_fallback",
			  NULL,
			  {{"0", "a retried SYN still asks for ECN"},
			   {"1", "a retried SYN no longer asks for ECN"}},
			  ""},
	[FASTOPEN] = {"ipv4/tcp_fastopen",
		      NULL,
		      {{"0", "off"}, {"1", "for clients"}},
		      "SYNs may carry data"},
	[RP_FILTER_ALL] = {"ipv4/conf/all/rp_filter",
			   NULL,
			   {{"0", "each device has its own"},
			    {"1", "strict: what comes in by another way than the answer would "
				  "leave is thrown away (IP_RPFILTER)"},
			    {"2", "loose: what comes from where no route leads is thrown away "
				  "(IP_RPFILTER)"}},
			   ""},
	[RP_FILTER_DEFAULT] = {"ipv4/conf/default/rp_filter",
			       NULL,
			       {},
			       "of devices to come; the larger of a device's and that of all "
			       "counts"},
	[BINDV6ONLY] = {"ipv6/bindv6only",
			"no IPv6 here",
			{{"0", "who listens at :: gets IPv4, too"},
			 {"1", "who listens at :: gets no IPv4"}},
			""},
	[L3MDEV_ACCEPT] = {"ipv4/tcp_l3mdev_accept",
			   NULL,
			   {{"0", "a listener without a VRF is not reached from one"},
			    {"1", "a listener without a VRF is reached from all"}},
			   ""},
	[NONLOCAL_BIND] = {"ipv4/ip_nonlocal_bind",
			   NULL,
			   {{"0", "an address that is not here cannot be bound"},
			    {"1", "an address that is not here can be bound, and answers get "
				  "lost"}},
			   ""},
	[CONNTRACK_MAX] = {"netfilter/nf_conntrack_max",
			   NULL,
			   {},
			   "above, new connections are thrown away"},
	[CONNTRACK_COUNT] = {"netfilter/nf_conntrack_count", .explain = explain_conntrack},
};

const char *sysctls_path(size_t index)
{
	return rows[index].path;
}

/* What the table says; the mark is FINDING_INFO already. */
static void look_up(const struct row *row, const char *value, struct finding *finding)
{
	const char *meaning = row->otherwise;

	for (size_t i = 0; i < sizeof(row->known) / sizeof(*row->known); i++) {
		if (!row->known[i].value || strcmp(row->known[i].value, value))
			continue;
		meaning = row->known[i].meaning;
		if (row->known[i].mark != FINDING_OK)
			finding->mark = row->known[i].mark;
	}
	(void)snprintf(finding->meaning, sizeof(finding->meaning), "%s", meaning);
}

void sysctls_explain(const char *const values[SYSCTLS_COUNT], uint32_t hz, size_t index,
		     struct finding *ret_finding)
{
	const struct host host = {.values = values, .hz = hz ? hz : 1};
	const struct row *row = &rows[index];
	const char *name = strrchr(row->path, '/') + 1;

	*ret_finding = (struct finding){.mark = FINDING_INFO, .group = FINDING_NETWORK};
	if (index == RP_FILTER_ALL || index == RP_FILTER_DEFAULT)
		name = row->path + strlen("ipv4/conf/");
	(void)snprintf(ret_finding->name, sizeof(ret_finding->name), "%s", name);
	if (!values[index]) {
		(void)snprintf(ret_finding->meaning, sizeof(ret_finding->meaning), "%s",
			       row->absent ? row->absent : "");
		return;
	}
	(void)snprintf(ret_finding->value, sizeof(ret_finding->value), "%s", values[index]);
	if (row->explain)
		row->explain(&host, strtol(values[index], NULL, 10), ret_finding);
	else
		look_up(row, values[index], ret_finding);
}
