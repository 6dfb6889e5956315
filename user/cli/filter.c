/* SPDX-License-Identifier: GPL-2.0-only */
#include "cli/filter.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/lookup.h"
#include "cli/units.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* A value in a sentence: enough to recognise it by. */
#define VALUE "'%.80s'"

struct reason {
	char *text;
	size_t size;
};

struct kind {
	enum sw_filter kind;
	const char *what;     /* "... is not WHAT" */
	const char *accepted; /* "accepted are ACCEPTED" */
	bool list;	      /* comma-separated */
	size_t size;	      /* of one value */
	/* A negative errno with the reason filled in if there is a better
	 * sentence than "is not WHAT: accepted are ACCEPTED". */
	int (*parse)(const char *item, void *ret_value, const struct reason *reason);
	/* Where the values go: an array of the filter and its count ... */
	size_t values;
	size_t count;
	/* ... or, without a count, a row of the port bitmap. */
	enum sw_port_row row;
};

static int __attribute__((format(printf, 3, 4)))
refuse(const struct reason *reason, int err, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(reason->text, reason->size, format, arguments);
	va_end(arguments);
	return err;
}

static int parse_pid(const char *item, void *ret_value, const struct reason *reason)
{
	uint64_t pid;
	int err;

	(void)reason;
	err = units_number(item, 1, INT_MAX, &pid);
	if (err)
		return err;

	*(uint32_t *)ret_value = pid;
	return 0;
}

static int parse_uid(const char *item, void *ret_value, const struct reason *reason)
{
	uint64_t uid;
	int err;

	(void)reason;
	/* (uid_t)-1 is no user: it means "leave as it is" to the kernel. */
	err = units_number(item, 0, UINT32_MAX - 1, &uid);
	if (err == -EINVAL)
		return lookup_user(item, ret_value);
	if (err)
		return err;

	*(uint32_t *)ret_value = uid;
	return 0;
}

static int parse_comm(const char *item, void *ret_value, const struct reason *reason)
{
	char comm[SW_COMM_LEN] = "";
	size_t len = strlen(item);

	if (len >= sizeof(comm))
		return refuse(reason, -ENAMETOOLONG,
			      VALUE " has %zu bytes: the kernel keeps the first %d of a name, "
				    "so write '%.*s'",
			      item, len, SW_COMM_LEN - 1, SW_COMM_LEN - 1, item);

	memcpy(comm, item, len);
	memcpy(ret_value, comm, sizeof(comm));
	return 0;
}

static int parse_ports(const char *item, void *ret_value, const struct reason *reason)
{
	int err;

	err = units_ports(item, ret_value);
	if (err == -EDOM)
		return refuse(reason, err,
			      VALUE
			      " runs backwards: a range is FIRST-LAST, the smaller port first",
			      item);
	return err;
}

static int parse_host(const char *item, void *ret_value, const struct reason *reason)
{
	struct sw_host_key host, masked;
	char network[UNITS_HOST_LEN];
	int err;

	err = units_host(item, &host);
	if (err == -ERANGE)
		return refuse(reason, err,
			      VALUE " has a prefix that is too long: /LEN is 0 to 32 for IPv4, "
				    "0 to 128 for IPv6",
			      item);
	if (err)
		return err;
	masked = host;
	units_host_mask(&masked);
	if (memcmp(&masked, &host, sizeof(host))) {
		units_host_format(&masked, network);
		return refuse(reason, -EDOM,
			      VALUE " has bits set beyond its prefix: write %s for the network, "
				    "leave out /LEN for the one address",
			      item, network);
	}

	memcpy(ret_value, &host, sizeof(host));
	return 0;
}

static int parse_netns(const char *item, void *ret_value, const struct reason *reason)
{
	int err;

	err = lookup_netns(item, ret_value);
	if (err && err != -ENOENT && err != -ENOTTY)
		return refuse(reason, err, "cannot open the network namespace " VALUE ": %s", item,
			      strerror(-err));
	return err;
}

static int parse_cgroup(const char *item, void *ret_value, const struct reason *reason)
{
	int err;

	err = lookup_cgroup(item, ret_value);
	if (err == -ENODEV)
		return refuse(reason, err,
			      VALUE " is not a cgroup: no cgroup v2 tree is mounted here", item);
	return err;
}

#define IN_ARRAY(array, counter)                                                                   \
	.size = sizeof(*((struct filter *)NULL)->array), .values = offsetof(struct filter, array), \
	.count = offsetof(struct filter, counter)

#define IN_PORTS(port_row)                                                             \
	.what = "a port",                                                              \
	.accepted = "PORT and FIRST-LAST, ports from 1 to 65535, separated by commas", \
	.list = true, .size = sizeof(struct units_ports), .parse = parse_ports, .row = (port_row)

static const struct kind kinds[] = {
	{
		.kind = SW_FILTER_PID,
		.what = "a process ID",
		.accepted = "numbers from 1 to 2147483647, separated by commas",
		.list = true,
		.parse = parse_pid,
		IN_ARRAY(pids, pid_count),
	},
	{
		.kind = SW_FILTER_UID,
		.what = "a user",
		.accepted = "numbers from 0 to 4294967294 and names of this host's users, "
			    "separated by commas",
		.list = true,
		.parse = parse_uid,
		IN_ARRAY(uids, uid_count),
	},
	{
		.kind = SW_FILTER_COMM,
		.what = "a task name",
		.accepted = "1 to 15 bytes",
		.parse = parse_comm,
		IN_ARRAY(comms, comm_count),
	},
	{
		.kind = SW_FILTER_CGROUP,
		.what = "a cgroup",
		.accepted = "directories of the cgroup v2 tree and their paths as in "
			    "/proc/PID/cgroup",
		.parse = parse_cgroup,
		IN_ARRAY(cgroups, cgroup_count),
	},
	{
		.kind = SW_FILTER_NETNS,
		.what = "a network namespace",
		.accepted = "PIDs of live processes, namespace files, their inode numbers and "
			    "names in /run/netns, separated by commas",
		.list = true,
		.parse = parse_netns,
		IN_ARRAY(netns, netns_count),
	},
	{
		.kind = SW_FILTER_HOST,
		.what = "an address",
		.accepted = "IPv4 and IPv6 ADDR or ADDR/LEN, separated by commas; host names are "
			    "not resolved",
		.list = true,
		.parse = parse_host,
		IN_ARRAY(hosts, host_count),
	},
	{.kind = SW_FILTER_PORT, IN_PORTS(SW_PORT_ANY)},
	{.kind = SW_FILTER_LPORT, IN_PORTS(SW_PORT_LOCAL)},
	{.kind = SW_FILTER_RPORT, IN_PORTS(SW_PORT_REMOTE)},
};

static size_t count_members(const struct kind *kind, const char *text)
{
	size_t members = 1;

	for (const char *c = text; kind->list && *c; c++)
		members += *c == ',';
	return members;
}

static int parse_members(const struct kind *kind, const char *text, char *values,
			 const struct reason *reason)
{
	char *copy = strdup(text);
	char *rest = copy;
	char *item;
	int err = 0;

	if (!copy)
		return refuse(reason, -ENOMEM, "not enough memory");
	while (!err && rest) {
		item = strsep(&rest, kind->list ? "," : "");
		if (*item)
			err = kind->parse(item, values, reason);
		else
			err = refuse(reason, -EINVAL,
				     "an empty value in " VALUE ": accepted are %s", text,
				     kind->accepted);
		if (err && !*reason->text)
			refuse(reason, err, VALUE " is not %s: accepted are %s", item, kind->what,
			       kind->accepted);
		values += kind->size;
	}
	free(copy);
	return err;
}

static void add_ports(uint64_t *row, const struct units_ports *ports, size_t count)
{
	for (size_t i = 0; i < count; i++)
		for (unsigned int port = ports[i].first; port <= ports[i].last; port++)
			row[port / 64] |= 1ULL << (port % 64);
}

/* The arrays' pointers differ in type: memcpy() is how to reach them by offset. */
static int append(struct filter *filter, const struct kind *kind, const void *values, size_t count)
{
	size_t *have = (size_t *)((char *)filter + kind->count);
	char *field = (char *)filter + kind->values;
	void *array;

	memcpy(&array, field, sizeof(array));
	array = reallocarray(array, *have + count, kind->size);
	if (!array)
		return -ENOMEM;
	memcpy((char *)array + *have * kind->size, values, count * kind->size);
	memcpy(field, &array, sizeof(array));
	*have += count;
	return 0;
}

static const struct kind *find_kind(enum sw_filter kind)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (kinds[i].kind == kind)
			return &kinds[i];
	return NULL;
}

int filter_add(struct filter *filter, enum sw_filter kind, const char *text, char *reason,
	       size_t reason_size)
{
	const struct reason why = {.text = reason, .size = reason_size};
	const struct kind *row = find_kind(kind);
	size_t members, have = 0;
	void *values;
	int err;

	reason[0] = '\0';
	if (!row)
		return refuse(&why, -EINVAL, "this kind of filter takes no value");
	members = count_members(row, text);
	if (row->count)
		have = *(size_t *)((char *)filter + row->count);
	if (members > FILTER_VALUES_MAX - have)
		return refuse(&why, -E2BIG, "more than %d values: that is the most one kind takes",
			      FILTER_VALUES_MAX);
	values = calloc(members, row->size);
	if (!values)
		return refuse(&why, -ENOMEM, "not enough memory");

	err = parse_members(row, text, values, &why);
	if (err)
		goto out;
	if (row->count)
		err = append(filter, row, values, members);
	else
		add_ports(filter->ports[row->row], values, members);
	if (err)
		refuse(&why, err, "not enough memory");
	else
		filter->kinds |= kind;
out:
	free(values);
	return err;
}

static bool is_server(const struct sw_handshake *record)
{
	return SW_KIND_IS_SERVER(record->header.kind);
}

static bool has_number(const uint32_t *values, size_t count, uint32_t value)
{
	for (size_t i = 0; i < count; i++)
		if (values[i] == value)
			return true;
	return false;
}

static bool match_pid(const struct filter *filter, const struct sw_handshake *record)
{
	return (record->flags & SW_F_OWNER) &&
	       has_number(filter->pids, filter->pid_count, record->owner.pid);
}

/* A server record's uid is its listener's: it needs no task. But what was thrown
 * away may have had no listener. */
static bool has_uid(const struct sw_handshake *record)
{
	if (record->header.kind == SW_SYN_DROP)
		return record->flags & (SW_F_OWNER | SW_F_LISTENER);
	return is_server(record) || record->flags & SW_F_OWNER;
}

static bool match_uid(const struct filter *filter, const struct sw_handshake *record)
{
	return has_uid(record) && has_number(filter->uids, filter->uid_count, record->owner.uid);
}

static bool match_comm(const struct filter *filter, const struct sw_handshake *record)
{
	for (size_t i = 0; (record->flags & SW_F_OWNER) && i < filter->comm_count; i++)
		if (!strncmp(filter->comms[i], record->owner.comm, SW_COMM_LEN))
			return true;
	return false;
}

static bool match_cgroup(const struct filter *filter, const struct sw_handshake *record)
{
	for (size_t i = 0; record->owner.cgroup && i < filter->cgroup_count; i++)
		if (filter->cgroups[i] == record->owner.cgroup)
			return true;
	return false;
}

static bool match_netns(const struct filter *filter, const struct sw_handshake *record)
{
	return has_number(filter->netns, filter->netns_count, record->tuple.netns);
}

static bool host_covers(const struct sw_host_key *host, const __u8 *addr)
{
	struct sw_host_key network = {.prefix_len = host->prefix_len};

	memcpy(network.addr, addr, sizeof(network.addr));
	units_host_mask(&network);
	return !memcmp(network.addr, host->addr, sizeof(network.addr));
}

static bool match_host(const struct filter *filter, const struct sw_handshake *record)
{
	for (size_t i = 0; i < filter->host_count; i++)
		if (host_covers(&filter->hosts[i], record->tuple.laddr) ||
		    host_covers(&filter->hosts[i], record->tuple.raddr))
			return true;
	return false;
}

/* Port 0 is "unknown"; its bit is never set. */
static bool has_port(const struct filter *filter, enum sw_port_row row, uint16_t port)
{
	return filter->ports[row][port / 64] & (1ULL << (port % 64));
}

static bool match_port(const struct filter *filter, const struct sw_handshake *record)
{
	return has_port(filter, SW_PORT_ANY, record->tuple.lport) ||
	       has_port(filter, SW_PORT_ANY, record->tuple.rport);
}

static bool match_lport(const struct filter *filter, const struct sw_handshake *record)
{
	return has_port(filter, SW_PORT_LOCAL, record->tuple.lport);
}

static bool match_rport(const struct filter *filter, const struct sw_handshake *record)
{
	return has_port(filter, SW_PORT_REMOTE, record->tuple.rport);
}

static bool match_family(const struct filter *filter, const struct sw_handshake *record)
{
	return ((filter->kinds & SW_FILTER_V4) && record->tuple.family == 4) ||
	       ((filter->kinds & SW_FILTER_V6) && record->tuple.family == 6);
}

static bool match_role(const struct filter *filter, const struct sw_handshake *record)
{
	return filter->kinds & (is_server(record) ? SW_FILTER_SERVER : SW_FILTER_CLIENT);
}

bool filter_match(const struct filter *filter, const struct sw_handshake *record)
{
	static const struct {
		uint32_t kinds;
		bool (*match)(const struct filter *filter, const struct sw_handshake *record);
	} predicates[] = {
		{SW_FILTER_PID, match_pid},
		{SW_FILTER_UID, match_uid},
		{SW_FILTER_COMM, match_comm},
		{SW_FILTER_CGROUP, match_cgroup},
		{SW_FILTER_NETNS, match_netns},
		{SW_FILTER_HOST, match_host},
		{SW_FILTER_PORT, match_port},
		{SW_FILTER_LPORT, match_lport},
		{SW_FILTER_RPORT, match_rport},
		{SW_FILTER_V4 | SW_FILTER_V6, match_family},
		{SW_FILTER_CLIENT | SW_FILTER_SERVER, match_role},
	};

	for (size_t i = 0; i < ARRAY_SIZE(predicates); i++)
		if ((filter->kinds & predicates[i].kinds) && !predicates[i].match(filter, record))
			return false;
	return true;
}

bool filter_match_crowd(const struct filter *filter, const struct sw_crowd *record)
{
	struct sw_handshake one = {
		.header.kind = SW_SYN_DROP,
		.flags = record->flags,
		.tuple = record->tuple,
		.owner = record->owner,
	};

	/* So that the remote end, which is empty, decides nothing. */
	memcpy(one.tuple.raddr, record->tuple.laddr, sizeof(one.tuple.raddr));
	one.tuple.rport = 0;
	return filter_match(filter, &one);
}

void filter_done(struct filter *filter)
{
	if (!filter)
		return;
	free(filter->pids);
	free(filter->uids);
	free(filter->netns);
	free(filter->cgroups);
	free(filter->comms);
	free(filter->hosts);
	memset(filter, 0, sizeof(*filter));
}
