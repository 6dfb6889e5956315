/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <inttypes.h>
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>

#include <cmocka.h>

#include "cli/filter.h"
#include "cli/units.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* Of no process: above the largest that the kernel can be told to give. */
#define NO_PID "4194305"

#define PORTS_ACCEPTED "PORT and FIRST-LAST, ports from 1 to 65535, separated by commas"
#define HOSTS_ACCEPTED \
	"IPv4 and IPv6 ADDR or ADDR/LEN, separated by commas; host names are not resolved"
#define PIDS_ACCEPTED "numbers from 1 to 2147483647, separated by commas"
#define UIDS_ACCEPTED \
	"numbers from 0 to 4294967294 and names of this host's users, separated by commas"
#define NETNS_ACCEPTED                                                                           \
	"PIDs of live processes, namespace files, their inode numbers and names in /run/netns, " \
	"separated by commas"
#define CGROUP_ACCEPTED "directories of the cgroup v2 tree and their paths as in /proc/PID/cgroup"

static void add(struct filter *filter, enum sw_filter kind, const char *text)
{
	char reason[256];

	if (filter_add(filter, kind, text, reason, sizeof(reason)))
		fail_msg("'%s' is refused: %s", text, reason);
	assert_string_equal(reason, "");
	assert_true(filter->kinds & kind);
}

static bool has_port(const struct filter *filter, enum sw_port_row row, unsigned int port)
{
	return filter->ports[row][port / 64] >> (port % 64) & 1;
}

static uint64_t inode(const char *path)
{
	struct stat st;

	if (stat(path, &st))
		fail_msg("no %s", path);
	return st.st_ino;
}

static void pids_and_uids_add_up(void **state)
{
	struct filter filter = {0};
	char name[64];
	struct passwd *root = getpwuid(0);

	(void)state;
	add(&filter, SW_FILTER_PID, "1");
	add(&filter, SW_FILTER_PID, "2147483647,42");
	assert_int_equal(filter.pid_count, 3);
	assert_int_equal(filter.pids[0], 1);
	assert_int_equal(filter.pids[1], 2147483647);
	assert_int_equal(filter.pids[2], 42);

	assert_non_null(root);
	snprintf(name, sizeof(name), "1000,%s,4294967294", root->pw_name);
	add(&filter, SW_FILTER_UID, name);
	add(&filter, SW_FILTER_UID, "0");
	assert_int_equal(filter.uid_count, 4);
	assert_int_equal(filter.uids[0], 1000);
	assert_int_equal(filter.uids[1], 0);
	assert_int_equal(filter.uids[2], 4294967294);
	assert_int_equal(filter.uids[3], 0);
	assert_int_equal(filter.kinds, SW_FILTER_PID | SW_FILTER_UID);
	filter_done(&filter);
}

static void ports_set_exactly_their_bits_in_their_row(void **state)
{
	static const struct {
		enum sw_filter kind;
		enum sw_port_row row;
	} rows[] = {
		{SW_FILTER_PORT, SW_PORT_ANY},
		{SW_FILTER_LPORT, SW_PORT_LOCAL},
		{SW_FILTER_RPORT, SW_PORT_REMOTE},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct filter filter = {0};

		add(&filter, rows[i].kind, "1,8000-8099");
		add(&filter, rows[i].kind, "65535");
		assert_int_equal(filter.kinds, rows[i].kind);
		for (int row = 0; row < SW_PORT_ROWS; row++)
			for (unsigned int port = 0; port <= UINT16_MAX; port++)
				if (has_port(&filter, row, port) !=
				    (row == (int)rows[i].row &&
				     (port == 1 || (port >= 8000 && port <= 8099) ||
				      port == 65535)))
					fail_msg("row %d, port %u", row, port);
		filter_done(&filter);
	}
}

static void a_range_may_hold_every_port(void **state)
{
	struct filter filter = {0};

	(void)state;
	add(&filter, SW_FILTER_PORT, "1-65535");
	for (unsigned int port = 0; port <= UINT16_MAX; port++)
		assert_int_equal(has_port(&filter, SW_PORT_ANY, port), port != 0);
	filter_done(&filter);
}

static void hosts_become_trie_keys_with_ipv4_mapped(void **state)
{
	static const struct sw_host_key keys[] = {
		{104, {[10] = 0xff, [11] = 0xff, 10}},
		{128, {[10] = 0xff, [11] = 0xff, 192, 0, 2, 1}},
		{128, {[10] = 0xff, [11] = 0xff, 192, 0, 2, 1}},
		{32, {0x20, 0x01, 0x0d, 0xb8}},
		{128, {[15] = 1}},
	};
	struct filter filter = {0};

	(void)state;
	add(&filter, SW_FILTER_HOST, "10.0.0.0/8,192.0.2.1,::ffff:192.0.2.1,2001:db8::/32");
	add(&filter, SW_FILTER_HOST, "[::1]");
	assert_int_equal(filter.host_count, ARRAY_SIZE(keys));
	assert_memory_equal(filter.hosts, keys, sizeof(keys));
	filter_done(&filter);
}

static void a_comm_is_taken_as_it_is_and_padded(void **state)
{
	struct filter filter = {0};

	(void)state;
	add(&filter, SW_FILTER_COMM, "a");
	add(&filter, SW_FILTER_COMM, "123456789012345");
	add(&filter, SW_FILTER_COMM, "a,b c");
	assert_int_equal(filter.comm_count, 3);
	assert_memory_equal(filter.comms[0], "a\0\0\0\0\0\0\0\0\0\0\0\0\0\0", SW_COMM_LEN);
	assert_memory_equal(filter.comms[1], "123456789012345", SW_COMM_LEN);
	assert_memory_equal(filter.comms[2], "a,b c\0\0\0\0\0\0\0\0\0\0", SW_COMM_LEN);
	filter_done(&filter);
}

static void a_netns_is_a_live_pid_a_file_or_an_inode_number(void **state)
{
	uint64_t own = inode("/proc/self/ns/net");
	struct filter filter = {0};
	char text[128];

	(void)state;
	snprintf(text, sizeof(text), "%d,/proc/self/ns/net,%" PRIu64, getpid(), own);
	add(&filter, SW_FILTER_NETNS, text);
	/* The smallest: that of the initial namespace, since 6.17. */
	add(&filter, SW_FILTER_NETNS, "4026531833,4294967295");
	assert_int_equal(filter.netns_count, 5);
	for (int i = 0; i < 3; i++)
		assert_int_equal(filter.netns[i], own);
	assert_int_equal(filter.netns[3], 4026531833);
	assert_int_equal(filter.netns[4], 4294967295);
	filter_done(&filter);
}

static const char *cgroup_root(void)
{
	static const char *const usual[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
	struct statfs fs;

	for (size_t i = 0; i < ARRAY_SIZE(usual); i++)
		if (!statfs(usual[i], &fs) && fs.f_type == CGROUP2_SUPER_MAGIC)
			return usual[i];
	return NULL;
}

static void a_cgroup_is_one_path(void **state)
{
	const char *root = cgroup_root();
	struct filter filter = {0};

	(void)state;
	if (!root)
		skip();
	add(&filter, SW_FILTER_CGROUP, root);
	add(&filter, SW_FILTER_CGROUP, "/");
	assert_int_equal(filter.cgroup_count, 2);
	assert_int_equal(filter.cgroups[0], inode(root));
	assert_int_equal(filter.cgroups[1], inode(root));
	filter_done(&filter);
}

static const struct {
	enum sw_filter kind;
	const char *text, *reason;
} refusals[] = {
	{SW_FILTER_PORT, "0", "'0' is not a port: accepted are " PORTS_ACCEPTED},
	{SW_FILTER_PORT, "65536", "'65536' is not a port: accepted are " PORTS_ACCEPTED},
	{SW_FILTER_PORT, "1e3", "'1e3' is not a port: accepted are " PORTS_ACCEPTED},
	{SW_FILTER_PORT, "+5", "'+5' is not a port: accepted are " PORTS_ACCEPTED},
	{SW_FILTER_PORT, " 5", "' 5' is not a port: accepted are " PORTS_ACCEPTED},
	{SW_FILTER_PORT, "80, 443", "' 443' is not a port: accepted are " PORTS_ACCEPTED},
	{SW_FILTER_PORT, "https", "'https' is not a port: accepted are " PORTS_ACCEPTED},
	{SW_FILTER_PORT, "18446744073709551696",
	 "'18446744073709551696' is not a port: accepted are " PORTS_ACCEPTED},
	{SW_FILTER_PORT, "443-80",
	 "'443-80' runs backwards: a range is FIRST-LAST, the smaller port first"},
	{SW_FILTER_PORT, "80,,443", "an empty value in '80,,443': accepted are " PORTS_ACCEPTED},
	{SW_FILTER_PORT, "80,", "an empty value in '80,': accepted are " PORTS_ACCEPTED},
	{SW_FILTER_PORT, ",80", "an empty value in ',80': accepted are " PORTS_ACCEPTED},
	{SW_FILTER_PORT, "", "an empty value in '': accepted are " PORTS_ACCEPTED},
	{SW_FILTER_LPORT, "80,0", "'0' is not a port: accepted are " PORTS_ACCEPTED},
	{SW_FILTER_RPORT, "80-90-", "'80-90-' is not a port: accepted are " PORTS_ACCEPTED},
	{SW_FILTER_PID, "0", "'0' is not a process ID: accepted are " PIDS_ACCEPTED},
	{SW_FILTER_PID, "-1", "'-1' is not a process ID: accepted are " PIDS_ACCEPTED},
	{SW_FILTER_PID, "2147483648",
	 "'2147483648' is not a process ID: accepted are " PIDS_ACCEPTED},
	{SW_FILTER_PID, "1,2,bash", "'bash' is not a process ID: accepted are " PIDS_ACCEPTED},
	{SW_FILTER_PID, "1,", "an empty value in '1,': accepted are " PIDS_ACCEPTED},
	{SW_FILTER_UID, "4294967295", "'4294967295' is not a user: accepted are " UIDS_ACCEPTED},
	{SW_FILTER_UID, "no such user",
	 "'no such user' is not a user: accepted are " UIDS_ACCEPTED},
	{SW_FILTER_UID, "+0", "'+0' is not a user: accepted are " UIDS_ACCEPTED},
	{SW_FILTER_UID, "", "an empty value in '': accepted are " UIDS_ACCEPTED},
	{SW_FILTER_COMM, "", "an empty value in '': accepted are 1 to 15 bytes"},
	{SW_FILTER_COMM, "1234567890123456",
	 "'1234567890123456' has 16 bytes: the kernel keeps the first 15 of a name, "
	 "so write '123456789012345'"},
	{SW_FILTER_HOST, "example.com",
	 "'example.com' is not an address: accepted are " HOSTS_ACCEPTED},
	{SW_FILTER_HOST, "10.0.0.1:80",
	 "'10.0.0.1:80' is not an address: accepted are " HOSTS_ACCEPTED},
	{SW_FILTER_HOST, "10.0.0.1,",
	 "an empty value in '10.0.0.1,': accepted are " HOSTS_ACCEPTED},
	{SW_FILTER_HOST, "10.1.2.3/8",
	 "'10.1.2.3/8' has bits set beyond its prefix: write 10.0.0.0/8 for the network, leave out "
	 "/LEN for the one address"},
	{SW_FILTER_HOST, "2001:db8::1/32",
	 "'2001:db8::1/32' has bits set beyond its prefix: write 2001:db8::/32 for the network, "
	 "leave out /LEN for the one address"},
	{SW_FILTER_HOST, "10.0.0.0/33",
	 "'10.0.0.0/33' has a prefix that is too long: /LEN is 0 to 32 for IPv4, 0 to 128 for "
	 "IPv6"},
	{SW_FILTER_NETNS, "", "an empty value in '': accepted are " NETNS_ACCEPTED},
	{SW_FILTER_NETNS, NO_PID,
	 "'" NO_PID "' is not a network namespace: accepted are " NETNS_ACCEPTED},
	{SW_FILTER_NETNS, "0", "'0' is not a network namespace: accepted are " NETNS_ACCEPTED},
	/* One less than the smallest inode number, and above the largest. */
	{SW_FILTER_NETNS, "4026531832",
	 "'4026531832' is not a network namespace: accepted are " NETNS_ACCEPTED},
	{SW_FILTER_NETNS, "4294967296",
	 "'4294967296' is not a network namespace: accepted are " NETNS_ACCEPTED},
	{SW_FILTER_NETNS, "no-such-name",
	 "'no-such-name' is not a network namespace: accepted are " NETNS_ACCEPTED},
	{SW_FILTER_NETNS, "/no/such/file",
	 "'/no/such/file' is not a network namespace: accepted are " NETNS_ACCEPTED},
	{SW_FILTER_NETNS, "/proc/self/ns/mnt",
	 "'/proc/self/ns/mnt' is not a network namespace: accepted are " NETNS_ACCEPTED},
	{SW_FILTER_NETNS, "/proc/self/status",
	 "'/proc/self/status' is not a network namespace: accepted are " NETNS_ACCEPTED},
	{SW_FILTER_NETNS, "/proc/self/status/net",
	 "cannot open the network namespace '/proc/self/status/net': Not a directory"},
	{SW_FILTER_CGROUP, "", "an empty value in '': accepted are " CGROUP_ACCEPTED},
	{SW_FILTER_V4, "4", "this kind of filter takes no value"},
	{SW_FILTER_CLIENT, "client", "this kind of filter takes no value"},
	{SW_FILTER_PORT | SW_FILTER_PID, "1", "this kind of filter takes no value"},
};

static void every_refusal_has_its_sentence_and_changes_nothing(void **state)
{
	static struct filter filter, before;

	(void)state;
	memset(&filter, 0, sizeof(filter));
	add(&filter, SW_FILTER_PID, "7");
	add(&filter, SW_FILTER_PORT, "80");
	add(&filter, SW_FILTER_HOST, "::1");
	add(&filter, SW_FILTER_NETNS, "4026531840");
	before = filter;
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		char reason[256] = "left over";
		int err = filter_add(&filter, refusals[i].kind, refusals[i].text, reason,
				     sizeof(reason));

		if (err >= 0)
			fail_msg("'%s' is accepted", refusals[i].text);
		assert_string_equal(reason, refusals[i].reason);
		assert_memory_equal(&filter, &before, sizeof(filter));
	}
	assert_int_equal(filter.pids[0], 7);
	assert_int_equal(filter.netns[0], 4026531840);
	filter_done(&filter);
}

static void a_cgroup_elsewhere_is_refused(void **state)
{
	static const char *const paths[] = {"/proc", "/no/such/cgroup", "/etc/passwd"};
	char reason[256], expected[256];
	struct filter filter = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		snprintf(expected, sizeof(expected),
			 cgroup_root() ? "'%s' is not a cgroup: accepted are " CGROUP_ACCEPTED
				       : "'%s' is not a cgroup: no cgroup v2 tree is mounted here",
			 paths[i]);
		assert_true(filter_add(&filter, SW_FILTER_CGROUP, paths[i], reason,
				       sizeof(reason)) < 0);
		assert_string_equal(reason, expected);
		assert_int_equal(filter.kinds, 0);
	}
}

static void a_reason_is_cut_to_its_buffer(void **state)
{
	char reason[16], value[300];
	struct filter filter = {0};
	char whole[256];

	(void)state;
	assert_int_equal(filter_add(&filter, SW_FILTER_PORT, "x", reason, sizeof(reason)), -EINVAL);
	assert_string_equal(reason, "'x' is not a po");
	/* A long value leaves room for what is accepted. */
	memset(value, 'x', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	assert_int_equal(filter_add(&filter, SW_FILTER_PORT, value, whole, sizeof(whole)), -EINVAL);
	assert_non_null(strstr(whole, "xxx' is not a port: accepted are " PORTS_ACCEPTED));
}

static void one_kind_takes_so_many_values_and_no_more(void **state)
{
	char text[2 * FILTER_VALUES_MAX + 2], reason[128];
	struct filter filter = {0};

	(void)state;
	for (int i = 0; i <= FILTER_VALUES_MAX; i++)
		memcpy(text + 2 * i, "1,", 2);
	text[2 * FILTER_VALUES_MAX + 1] = '\0';
	assert_int_equal(filter_add(&filter, SW_FILTER_PID, text, reason, sizeof(reason)), -E2BIG);
	assert_string_equal(reason, "more than 1024 values: that is the most one kind takes");
	assert_int_equal(filter.kinds, 0);

	text[2 * FILTER_VALUES_MAX - 1] = '\0';
	add(&filter, SW_FILTER_PID, text);
	assert_int_equal(filter.pid_count, FILTER_VALUES_MAX);
	assert_int_equal(filter_add(&filter, SW_FILTER_PID, "1", reason, sizeof(reason)), -E2BIG);
	assert_int_equal(filter.pid_count, FILTER_VALUES_MAX);
	add(&filter, SW_FILTER_UID, "1"); /* another kind has its own */
	filter_done(&filter);
}

/* ---- the predicate ---- */

static void set_address(__u8 *ret_addr, const char *text)
{
	struct sw_host_key host;

	assert_int_equal(units_host(text, &host), 0);
	memcpy(ret_addr, host.addr, sizeof(host.addr));
}

static struct sw_handshake client_record(void)
{
	struct sw_handshake record = {
		.header = {.kind = SW_RETRY},
		.flags = SW_F_OWNER,
		.tuple = {.lport = 40112, .rport = 443, .netns = 4026531840, .family = 4},
		.owner = {.pid = 42, .tid = 43, .uid = 1000, .cgroup = 77, .comm = "curl"},
	};

	set_address(record.tuple.laddr, "10.0.0.2");
	set_address(record.tuple.raddr, "192.0.2.1");
	return record;
}

static struct sw_handshake server_record(void)
{
	struct sw_handshake record = {
		.header = {.kind = SW_SYNACK_RETRY},
		.tuple = {.lport = 443, .rport = 50000, .netns = 4026532001, .family = 6},
		.owner = {.uid = 33},
	};

	set_address(record.tuple.laddr, "2001:db8::1");
	set_address(record.tuple.raddr, "2001:db8:1::2");
	return record;
}

struct term {
	enum sw_filter kind;
	const char *text;
};

static bool matches(const struct term *terms, size_t count, const struct sw_handshake *record)
{
	struct filter filter = {0};
	bool match;

	for (size_t i = 0; i < count && terms[i].kind; i++) {
		if (terms[i].text)
			add(&filter, terms[i].kind, terms[i].text);
		else
			filter.kinds |= terms[i].kind;
	}
	match = filter_match(&filter, record);
	filter_done(&filter);
	return match;
}

static void kinds_are_anded_and_values_ored(void **state)
{
	static const struct {
		struct term terms[4];
		bool client, server;
	} cases[] = {
		{{{0}}, true, true},
		{{{SW_FILTER_PID, "42"}}, true, false},
		{{{SW_FILTER_PID, "7,42"}}, true, false},
		{{{SW_FILTER_PID, "43"}}, false, false}, /* the thread is not the process */
		{{{SW_FILTER_UID, "1000"}}, true, false},
		{{{SW_FILTER_UID, "33"}}, false, true},
		{{{SW_FILTER_UID, "33,1000"}}, true, true},
		{{{SW_FILTER_COMM, "curl"}}, true, false},
		{{{SW_FILTER_COMM, "cur"}}, false, false},
		{{{SW_FILTER_COMM, "curl2"}}, false, false},
		{{{SW_FILTER_COMM, "wget"}, {SW_FILTER_COMM, "curl"}}, true, false},
		{{{SW_FILTER_NETNS, "4026531840"}}, true, false},
		{{{SW_FILTER_NETNS, "4026531840,4026532001"}}, true, true},
		{{{SW_FILTER_HOST, "10.0.0.2"}}, true, false},	/* local end */
		{{{SW_FILTER_HOST, "192.0.2.1"}}, true, false}, /* remote end */
		{{{SW_FILTER_HOST, "192.0.2.2"}}, false, false},
		{{{SW_FILTER_HOST, "192.0.2.0/24"}}, true, false},
		{{{SW_FILTER_HOST, "192.0.2.0/31"}}, true, false},
		{{{SW_FILTER_HOST, "192.0.2.2/31"}}, false, false},
		{{{SW_FILTER_HOST, "::ffff:192.0.2.1"}}, true, false},
		{{{SW_FILTER_HOST, "0.0.0.0/0"}}, true, false},
		{{{SW_FILTER_HOST, "2001:db8::/32"}}, false, true},
		{{{SW_FILTER_HOST, "2001:db8:1::/48"}}, false, true},
		{{{SW_FILTER_HOST, "2001:db8:2::/48"}}, false, false},
		{{{SW_FILTER_HOST, "10.0.0.0/8,2001:db8::1"}}, true, true},
		{{{SW_FILTER_PORT, "443"}}, true, true}, /* either end */
		{{{SW_FILTER_PORT, "40112"}}, true, false},
		{{{SW_FILTER_PORT, "40000-60000"}}, true, true},
		{{{SW_FILTER_PORT, "80"}}, false, false},
		{{{SW_FILTER_LPORT, "443"}}, false, true},
		{{{SW_FILTER_RPORT, "443"}}, true, false},
		{{{SW_FILTER_LPORT, "443"}, {SW_FILTER_RPORT, "443"}}, false, false},
		{{{SW_FILTER_LPORT, "40112"}, {SW_FILTER_RPORT, "443"}}, true, false},
		{{{SW_FILTER_V4, NULL}}, true, false},
		{{{SW_FILTER_V6, NULL}}, false, true},
		{{{SW_FILTER_V4, NULL}, {SW_FILTER_V6, NULL}}, true, true},
		{{{SW_FILTER_CLIENT, NULL}}, true, false},
		{{{SW_FILTER_SERVER, NULL}}, false, true},
		{{{SW_FILTER_CLIENT, NULL}, {SW_FILTER_SERVER, NULL}}, true, true},
		{{{SW_FILTER_CLIENT, NULL}, {SW_FILTER_V6, NULL}}, false, false},
		{{{SW_FILTER_PID, "42"}, {SW_FILTER_PORT, "443"}, {SW_FILTER_UID, "1000"}},
		 true,
		 false},
		{{{SW_FILTER_PID, "42"}, {SW_FILTER_PORT, "80"}}, false, false},
		{{{SW_FILTER_PID, "7"}, {SW_FILTER_PORT, "443"}}, false, false},
	};
	const struct sw_handshake client = client_record(), server = server_record();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		if (matches(cases[i].terms, 4, &client) != cases[i].client)
			fail_msg("case %zu, client", i);
		if (matches(cases[i].terms, 4, &server) != cases[i].server)
			fail_msg("case %zu, server", i);
	}
}

static void an_unknown_port_matches_no_port_filter_on_its_end(void **state)
{
	static const struct term any[] = {{SW_FILTER_PORT, "1-65535"}};
	static const struct term local[] = {{SW_FILTER_LPORT, "1-65535"}};
	static const struct term remote[] = {{SW_FILTER_RPORT, "1-65535"}};
	struct sw_handshake record = client_record();

	(void)state;
	record.tuple.lport = 0;
	assert_true(matches(any, 1, &record)); /* by its remote end */
	assert_false(matches(local, 1, &record));
	assert_true(matches(remote, 1, &record));
	record.tuple.rport = 0;
	assert_false(matches(any, 1, &record));
	assert_false(matches(remote, 1, &record));
	assert_true(matches(NULL, 0, &record));
}

static void an_unknown_owner_matches_no_filter_on_owners(void **state)
{
	static const struct term pid[] = {{SW_FILTER_PID, "42"}};
	static const struct term comm[] = {{SW_FILTER_COMM, "curl"}};
	static const struct term uid[] = {{SW_FILTER_UID, "1000"}};
	struct sw_handshake record = client_record();

	(void)state;
	assert_true(matches(pid, 1, &record));
	assert_true(matches(comm, 1, &record));
	assert_true(matches(uid, 1, &record));
	record.flags &= ~SW_F_OWNER; /* what is in owner now is not its owner's */
	assert_false(matches(pid, 1, &record));
	assert_false(matches(comm, 1, &record));
	assert_false(matches(uid, 1, &record));
}

static void an_owner_of_a_server_is_its_listener(void **state)
{
	static const struct term pid[] = {{SW_FILTER_PID, "812"}};
	static const struct term comm[] = {{SW_FILTER_COMM, "nginx"}};
	struct sw_handshake record = server_record();

	(void)state;
	record.owner.pid = 812;
	memcpy(record.owner.comm, "nginx", 6);
	assert_false(matches(pid, 1, &record));
	record.flags |= SW_F_OWNER;
	assert_true(matches(pid, 1, &record));
	assert_true(matches(comm, 1, &record));
}

/* Its uid would be 0, root's: of nobody. */
static void a_segment_without_a_listener_has_no_uid(void **state)
{
	static const struct term root[] = {{SW_FILTER_UID, "0"}};
	struct sw_handshake record = server_record();

	(void)state;
	record.header.kind = SW_SYN_DROP;
	record.owner.uid = 0;
	assert_false(matches(root, 1, &record));
	record.flags = SW_F_LISTENER;
	assert_true(matches(root, 1, &record));
	record.flags = SW_F_OWNER;
	assert_true(matches(root, 1, &record));
}

static bool crowd_matches(const struct sw_crowd *record, enum sw_filter kind, const char *text)
{
	struct filter filter = {0};
	bool match;

	if (text)
		add(&filter, kind, text);
	else
		filter.kinds |= kind;
	match = filter_match_crowd(&filter, record);
	filter_done(&filter);
	return match;
}

static void a_crowd_matches_by_its_local_end_and_its_listener(void **state)
{
	static const struct {
		enum sw_filter kind;
		const char *text;
		bool match;
	} cases[] = {
		{0, NULL, true},
		{SW_FILTER_SERVER, NULL, true},
		{SW_FILTER_CLIENT, NULL, false},
		{SW_FILTER_V4, NULL, true},
		{SW_FILTER_V6, NULL, false},
		{SW_FILTER_PORT, "80", true},
		{SW_FILTER_PORT, "81-65535", false},
		{SW_FILTER_LPORT, "80", true},
		{SW_FILTER_LPORT, "443", false},
		{SW_FILTER_RPORT, "80", false},
		{SW_FILTER_RPORT, "1-65535", false},
		{SW_FILTER_HOST, "10.0.0.1", true},
		{SW_FILTER_HOST, "10.0.0.2", false},
		{SW_FILTER_HOST, "::", false}, /* the remote end is empty, not that */
		{SW_FILTER_NETNS, "4026531840", true},
		{SW_FILTER_NETNS, "4026531841", false},
		{SW_FILTER_PID, "812", true},
		{SW_FILTER_PID, "813", false},
		{SW_FILTER_COMM, "nginx", true},
		{SW_FILTER_COMM, "curl", false},
		{SW_FILTER_UID, "33", true},
		{SW_FILTER_UID, "0", false},
	};
	struct sw_crowd record = {
		.header = {.kind = SW_CROWD},
		.flags = SW_F_OWNER | SW_F_LISTENER,
		.tuple = {.lport = 80, .netns = 4026531840, .family = 4},
		.owner = {.pid = 812, .tid = 812, .uid = 33, .comm = "nginx"},
	};

	(void)state;
	set_address(record.tuple.laddr, "10.0.0.1");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (crowd_matches(&record, cases[i].kind, cases[i].text) != cases[i].match)
			fail_msg("case %zu: %s", i, cases[i].text);
	record.flags = SW_F_LISTENER;
	assert_false(crowd_matches(&record, SW_FILTER_PID, "812"));
	assert_true(crowd_matches(&record, SW_FILTER_UID, "33"));
	record.flags = 0;
	assert_false(crowd_matches(&record, SW_FILTER_UID, "33"));
}

static void a_server_records_uid_is_its_listeners(void **state)
{
	static const struct term uid[] = {{SW_FILTER_UID, "33"}};
	struct sw_handshake record = server_record();

	(void)state;
	assert_true(matches(uid, 1, &record));
	record.header.kind = SW_ACCEPTED;
	assert_true(matches(uid, 1, &record));
	record.header.kind = SW_CLOSE;
	assert_false(matches(uid, 1, &record));
}

static void a_cgroup_matches_when_it_is_known(void **state)
{
	uint64_t groups[] = {5, 77};
	const struct filter filter = {
		.kinds = SW_FILTER_CGROUP,
		.cgroups = groups,
		.cgroup_count = ARRAY_SIZE(groups),
	};
	struct sw_handshake record = client_record();

	(void)state;
	assert_true(filter_match(&filter, &record));
	record.owner.cgroup = 78;
	assert_false(filter_match(&filter, &record));
	record.owner.cgroup = 0;
	groups[0] = 0;
	assert_false(filter_match(&filter, &record));
}

static void a_full_comm_is_compared_to_its_last_byte(void **state)
{
	static const struct term comm[] = {{SW_FILTER_COMM, "123456789012345"}};
	struct sw_handshake record = client_record();

	(void)state;
	memcpy(record.owner.comm, "123456789012345", SW_COMM_LEN);
	assert_true(matches(comm, 1, &record));
	record.owner.comm[14] = '6';
	assert_false(matches(comm, 1, &record));
}

static void each_kind_of_record_has_its_role(void **state)
{
	static const struct {
		enum sw_kind kind;
		bool server;
	} cases[] = {
		{SW_OPEN, false},	{SW_RETRY, false},	 {SW_LOOK, false},
		{SW_CLOSE, false},	{SW_LOCAL_ERROR, false}, {SW_SYNACK_RETRY, true},
		{SW_SYNACK_DROP, true}, {SW_ACCEPTED, true},	 {SW_REQUEST_GONE, true},
		{SW_SYN_DROP, true},
	};
	static const struct term client[] = {{SW_FILTER_CLIENT, NULL}};
	static const struct term server[] = {{SW_FILTER_SERVER, NULL}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sw_handshake record = client_record();

		record.header.kind = cases[i].kind;
		assert_int_equal(matches(client, 1, &record), !cases[i].server);
		assert_int_equal(matches(server, 1, &record), cases[i].server);
	}
}

static void done_is_safe_on_nothing_and_twice(void **state)
{
	static const struct filter zeroed;
	struct filter filter = {0};

	(void)state;
	filter_done(NULL);
	filter_done(&filter);
	add(&filter, SW_FILTER_PID, "1");
	add(&filter, SW_FILTER_COMM, "a");
	filter_done(&filter);
	assert_memory_equal(&filter, &zeroed, sizeof(filter));
	filter_done(&filter);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pids_and_uids_add_up),
		cmocka_unit_test(ports_set_exactly_their_bits_in_their_row),
		cmocka_unit_test(a_range_may_hold_every_port),
		cmocka_unit_test(hosts_become_trie_keys_with_ipv4_mapped),
		cmocka_unit_test(a_comm_is_taken_as_it_is_and_padded),
		cmocka_unit_test(a_netns_is_a_live_pid_a_file_or_an_inode_number),
		cmocka_unit_test(a_cgroup_is_one_path),
		cmocka_unit_test(every_refusal_has_its_sentence_and_changes_nothing),
		cmocka_unit_test(a_cgroup_elsewhere_is_refused),
		cmocka_unit_test(a_reason_is_cut_to_its_buffer),
		cmocka_unit_test(one_kind_takes_so_many_values_and_no_more),
		cmocka_unit_test(kinds_are_anded_and_values_ored),
		cmocka_unit_test(an_unknown_port_matches_no_port_filter_on_its_end),
		cmocka_unit_test(an_unknown_owner_matches_no_filter_on_owners),
		cmocka_unit_test(a_server_records_uid_is_its_listeners),
		cmocka_unit_test(an_owner_of_a_server_is_its_listener),
		cmocka_unit_test(a_segment_without_a_listener_has_no_uid),
		cmocka_unit_test(a_crowd_matches_by_its_local_end_and_its_listener),
		cmocka_unit_test(a_cgroup_matches_when_it_is_known),
		cmocka_unit_test(a_full_comm_is_compared_to_its_last_byte),
		cmocka_unit_test(each_kind_of_record_has_its_role),
		cmocka_unit_test(done_is_safe_on_nothing_and_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
