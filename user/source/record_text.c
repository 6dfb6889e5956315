/* SPDX-License-Identifier: GPL-2.0-only */
#include "source/record_text.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>

#include "core/names.h"

enum type { TYPE_UNSIGNED, TYPE_SIGNED, TYPE_ADDRESS, TYPE_COMM, TYPE_BYTES, TYPE_FLAGS };

struct field {
	const char *name;
	enum type type;
	uint16_t offset;
	uint16_t size;
};

#define FIELD(record, word, path, kind)                                                  \
	{                                                                                \
		.name = (word), .type = (kind), .offset = offsetof(struct record, path), \
		.size = sizeof(((struct record *)0)->path)                               \
	}
#define HANDSHAKE(word, path)	       FIELD(sw_handshake, word, path, TYPE_UNSIGNED)
#define HANDSHAKE_AS(word, path, kind) FIELD(sw_handshake, word, path, kind)

static const struct field handshake_fields[] = {
	HANDSHAKE("time_ns", header.time_ns),
	HANDSHAKE("cookie", cookie),
	HANDSHAKE("start_ns", start_ns),
	HANDSHAKE("syn_ns", syn_ns),
	HANDSHAKE_AS("flags", flags, TYPE_FLAGS),
	HANDSHAKE("isn", isn),
	HANDSHAKE_AS("laddr", tuple.laddr, TYPE_ADDRESS),
	HANDSHAKE_AS("raddr", tuple.raddr, TYPE_ADDRESS),
	HANDSHAKE("lport", tuple.lport),
	HANDSHAKE("rport", tuple.rport),
	HANDSHAKE("netns", tuple.netns),
	HANDSHAKE("family", tuple.family),
	HANDSHAKE_AS("err", err, TYPE_SIGNED),
	HANDSHAKE("pid", owner.pid),
	HANDSHAKE("tid", owner.tid),
	HANDSHAKE("uid", owner.uid),
	HANDSHAKE("owners", owners),
	HANDSHAKE("cgroup", owner.cgroup),
	HANDSHAKE_AS("comm", owner.comm, TYPE_COMM),
	HANDSHAKE("jiffies", timer.jiffies),
	HANDSHAKE("expires", timer.expires),
	HANDSHAKE("rto", timer.rto),
	HANDSHAKE("rto_max", timer.rto_max),
	HANDSHAKE("tick_ns", timer.tick_ns),
	HANDSHAKE("user_timeout_ms", timer.user_timeout_ms),
	HANDSHAKE("retransmits", timer.retransmits),
	HANDSHAKE("retries", timer.retries),
	HANDSHAKE("linear", timer.linear),
	HANDSHAKE("resends", timer.resends),
	HANDSHAKE("elapsed_ms", timer.elapsed_ms),
	HANDSHAKE("syn_sent", syn_sent),
	HANDSHAKE("syn_unsent", syn_unsent),
	HANDSHAKE("sk_err", sk_err),
	HANDSHAKE("sk_err_soft", sk_err_soft),
	HANDSHAKE("old_state", old_state),
	HANDSHAKE("new_state", new_state),
	HANDSHAKE_AS("icmp_from", icmp.from, TYPE_ADDRESS),
	HANDSHAKE("icmp_type", icmp.type),
	HANDSHAKE("icmp_code", icmp.code),
	HANDSHAKE("icmp_version", icmp.version),
	HANDSHAKE("icmp_errno", icmp.errnum),
	HANDSHAKE("icmp_count", icmp.count),
	HANDSHAKE("port_low", port_low),
	HANDSHAKE("port_high", port_high),
	HANDSHAKE("drop_place", drop.place),
	HANDSHAKE("drop_reason", drop.reason),
	HANDSHAKE("drop_netns", drop.netns),
	HANDSHAKE("drop_what", drop.what),
	HANDSHAKE("drop_where", drop.where),
	HANDSHAKE("drop_count", drop.count),
	HANDSHAKE("drop_attempt", drop.attempt),
	HANDSHAKE("closer_pid", closer.pid),
	HANDSHAKE("closer_tid", closer.tid),
	HANDSHAKE_AS("closer_comm", closer.comm, TYPE_COMM),
	HANDSHAKE("exit_code", closer.exit_code),
	HANDSHAKE("backlog", listener.backlog),
	HANDSHAKE("limit", listener.limit),
	HANDSHAKE("requests", listener.requests),
	HANDSHAKE("young", listener.young),
	HANDSHAKE("syn_limit", listener.syn_limit),
	HANDSHAKE("syncookies", listener.syncookies),
	HANDSHAKE("abort_on_overflow", listener.abort_on_overflow),
	HANDSHAKE("defer_accept", listener.defer_accept),
	{},
};

#define CROWD(word, path)	   FIELD(sw_crowd, word, path, TYPE_UNSIGNED)
#define CROWD_AS(word, path, kind) FIELD(sw_crowd, word, path, kind)

static const struct field crowd_fields[] = {
	CROWD("time_ns", header.time_ns),
	CROWD("begin_ns", begin_ns),
	CROWD_AS("laddr", tuple.laddr, TYPE_ADDRESS),
	CROWD("lport", tuple.lport),
	CROWD("netns", tuple.netns),
	CROWD("family", tuple.family),
	CROWD_AS("flags", flags, TYPE_FLAGS),
	CROWD("pid", owner.pid),
	CROWD("tid", owner.tid),
	CROWD("uid", owner.uid),
	CROWD("owners", owners),
	CROWD("cgroup", owner.cgroup),
	CROWD_AS("comm", owner.comm, TYPE_COMM),
	CROWD("backlog", listener.backlog),
	CROWD("limit", listener.limit),
	CROWD("requests", listener.requests),
	CROWD("young", listener.young),
	CROWD("syn_limit", listener.syn_limit),
	CROWD("syncookies", listener.syncookies),
	CROWD("abort_on_overflow", listener.abort_on_overflow),
	CROWD("defer_accept", listener.defer_accept),
	CROWD("half_open", half_open),
	CROWD("dropped", dropped),
	CROWD("reason", reason),
	CROWD("ignored", ignored),
	CROWD_AS("addresses", addresses, TYPE_BYTES),
	{},
};

/* Latency slots have no names; counts of the healthy do without. */
static const struct field counts_fields[] = {
	FIELD(sw_counts, "time_ns", header.time_ns, TYPE_UNSIGNED),
	FIELD(sw_counts, "healthy", healthy, TYPE_UNSIGNED),
	FIELD(sw_counts, "syn_retransmits", syn_retransmits, TYPE_UNSIGNED),
	FIELD(sw_counts, "accepted", accepted, TYPE_UNSIGNED),
	FIELD(sw_counts, "synack_retransmits", synack_retransmits, TYPE_UNSIGNED),
	FIELD(sw_counts, "listen_drops", listen_drops, TYPE_UNSIGNED),
	{},
};

static const struct field loss_fields[] = {
	FIELD(sw_loss, "time_ns", header.time_ns, TYPE_UNSIGNED),
	FIELD(sw_loss, "ring", ring, TYPE_UNSIGNED),
	FIELD(sw_loss, "map_full", map_full, TYPE_UNSIGNED),
	FIELD(sw_loss, "suppressed", suppressed, TYPE_UNSIGNED),
	FIELD(sw_loss, "missed", missed, TYPE_UNSIGNED),
	{},
};

static const struct field clock_fields[] = {
	FIELD(sw_clock, "time_ns", header.time_ns, TYPE_UNSIGNED),
	FIELD(sw_clock, "offset_ns", offset_ns, TYPE_SIGNED),
	{},
};

static const struct field name_fields[] = {
	FIELD(sw_name, "time_ns", header.time_ns, TYPE_UNSIGNED),
	FIELD(sw_name, "of", of, TYPE_UNSIGNED),
	FIELD(sw_name, "number", number, TYPE_UNSIGNED),
	FIELD(sw_name, "name", name, TYPE_COMM),
	{},
};

struct flag {
	const char *name;
	uint32_t bit;
};

static const struct flag flags[] = {
	{"adopted", SW_F_ADOPTED},
	{"isn", SW_F_ISN},
	{"owner", SW_F_OWNER},
	{"reset", SW_F_RESET},
	{"task", SW_F_TASK},
	{"pending", SW_F_PENDING},
	{"linear", SW_F_LINEAR},
	{"exiting", SW_F_EXITING},
	{"icmp", SW_F_ICMP},
	{"duplicate_syn", SW_F_DUPLICATE_SYN},
	{"err", SW_F_ERR},
	{"untracked", SW_F_UNTRACKED},
	{"counted", SW_F_COUNTED},
	{"missed", SW_F_MISSED},
	{"first_unsent", SW_F_FIRST_UNSENT},
	{"ecn", SW_F_ECN},
	{"race_lost", SW_F_RACE_LOST},
	{"bad_answer", SW_F_BAD_ANSWER},
	{"drop", SW_F_DROP},
	{"acked", SW_F_ACKED},
	{"listener", SW_F_LISTENER},
	{"cookies", SW_F_COOKIES},
	{"listener_closed", SW_F_LISTENER_CLOSED},
	{"reset_sent", SW_F_RESET_SENT},
	{"icmp_sent", SW_F_ICMP_SENT},
	{"icmp_tells", SW_F_ICMP_TELLS},
	{"reset_tells", SW_F_RESET_TELLS},
	{"icmp6_tells", SW_F_ICMP6_TELLS},
};

static const struct field *fields_of(int kind)
{
	switch (kind) {
	case SW_CROWD:
		return crowd_fields;
	case SW_COUNTS:
		return counts_fields;
	case SW_LOSS:
		return loss_fields;
	case SW_CLOCK:
		return clock_fields;
	case SW_NAME:
		return name_fields;
	default:
		return handshake_fields;
	}
}

/* Little or big endian: through a value of the field's own width. */
static void store_number(void *target, size_t size, uint64_t number)
{
	union {
		uint8_t u8;
		uint16_t u16;
		uint32_t u32;
		uint64_t u64;
	} value;

	switch (size) {
	case 1:
		value.u8 = number;
		break;
	case 2:
		value.u16 = number;
		break;
	case 4:
		value.u32 = number;
		break;
	default:
		value.u64 = number;
		break;
	}
	memcpy(target, &value, size);
}

static bool parse_unsigned(const char *text, size_t size, void *target)
{
	uint64_t max = size == 8 ? UINT64_MAX : (UINT64_C(1) << (size * 8)) - 1;
	unsigned long long number;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	number = strtoull(text, &end, 0);
	if (errno || *end || number > max)
		return false;
	store_number(target, size, number);
	return true;
}

static bool parse_signed(const char *text, size_t size, void *target)
{
	int64_t max = size == 8 ? INT64_MAX : (INT64_C(1) << (size * 8 - 1)) - 1;
	long long number;
	char *end;

	errno = 0;
	number = strtoll(text, &end, 10);
	if (errno || end == text || *end || number > max || number < -max - 1)
		return false;
	store_number(target, size, number);
	return true;
}

static bool parse_address(const char *text, uint8_t *target)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (inet_pton(AF_INET6, text, target) == 1)
		return true;
	if (inet_pton(AF_INET, text, target + sizeof(mapped)) != 1)
		return false;
	memcpy(target, mapped, sizeof(mapped));
	return true;
}

static bool parse_comm(const char *text, size_t size, char *target)
{
	for (size_t i = 0; *text; i++) {
		char hex[3] = "";

		if (i + 1 >= size)
			return false;
		if (text[0] != '\\') {
			target[i] = *text++;
			continue;
		}
		if (text[1] != 'x' || !isxdigit((unsigned char)text[2]) ||
		    !isxdigit((unsigned char)text[3]))
			return false;
		memcpy(hex, text + 2, 2);
		target[i] = (char)strtoul(hex, NULL, 16);
		text += 4;
	}
	return true;
}

/* Two hex digits each; those left out are 0. */
static bool parse_bytes(const char *text, size_t size, uint8_t *target)
{
	for (size_t i = 0; *text; i++, text += 2) {
		char hex[3] = "";

		if (i >= size || !isxdigit((unsigned char)text[0]) ||
		    !isxdigit((unsigned char)text[1]))
			return false;
		memcpy(hex, text, 2);
		target[i] = (uint8_t)strtoul(hex, NULL, 16);
	}
	return true;
}

static bool parse_flags(char *text, void *target)
{
	char *rest = text;
	uint32_t bits = 0;

	for (const char *word; (word = strsep(&rest, ","));) {
		size_t i = 0;

		while (i < sizeof(flags) / sizeof(*flags) && strcmp(flags[i].name, word))
			i++;
		if (i == sizeof(flags) / sizeof(*flags))
			return false;
		bits |= flags[i].bit;
	}
	memcpy(target, &bits, sizeof(bits));
	return true;
}

static bool parse_field(const struct field *field, char *text, void *record)
{
	void *target = (char *)record + field->offset;

	switch (field->type) {
	case TYPE_UNSIGNED:
		return parse_unsigned(text, field->size, target);
	case TYPE_SIGNED:
		return parse_signed(text, field->size, target);
	case TYPE_ADDRESS:
		return parse_address(text, target);
	case TYPE_COMM:
		return parse_comm(text, field->size, target);
	case TYPE_BYTES:
		return parse_bytes(text, field->size, target);
	case TYPE_FLAGS:
		return parse_flags(text, target);
	}
	return false;
}

int record_text_parse(char *line, union decode_record *ret_record, char *reason, size_t reason_size)
{
	union decode_record record = {};
	char *rest = line;
	const char *word = strsep(&rest, " \t");
	int kind = names_kind_parse(word);

	if (kind <= SW_NONE) {
		(void)snprintf(reason, reason_size, "'%s' is not a kind of record", word);
		return -EINVAL;
	}
	for (char *name; (name = strsep(&rest, " \t"));) {
		const struct field *field = fields_of(kind);
		char *value = strchr(name, '=');

		if (!*name)
			continue;
		if (value)
			*value++ = '\0';
		while (field->name && strcmp(field->name, name))
			field++;
		if (!value || !field->name) {
			(void)snprintf(reason, reason_size, "a %s record has no field '%s'", word,
				       name);
			return -EINVAL;
		}
		if (!parse_field(field, value, &record)) {
			(void)snprintf(reason, reason_size, "'%s' is no value for %s", value, name);
			return -EINVAL;
		}
	}
	record.header.kind = kind;
	record.header.size = decode_size(kind);
	record.header.version = SW_ABI_VERSION;
	*ret_record = record;
	return 0;
}
