/* SPDX-License-Identifier: GPL-2.0-only */
/* The border: what is let through is whole, known and terminated. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/decode.h"
#include "facts.h"

static struct sw_handshake sound(void)
{
	return facts_client(SW_RETRY, BEGIN + SEC, 1);
}

/* The bytes at the end of an allocation, so that ASan sees a byte too many. */
static int decode_exactly(const void *data, size_t size, union decode_record *ret_record)
{
	void *copy = malloc(size ? size : 1);
	int err;

	assert_non_null(copy);
	memcpy(copy, data, size);
	err = decode(copy, size, ret_record);
	free(copy);
	return err;
}

static void refused(const void *data, size_t size, int expected)
{
	union decode_record record, before;

	memset(&record, 0xa5, sizeof(record));
	before = record;
	assert_int_equal(decode_exactly(data, size, &record), expected);
	assert_memory_equal(&record, &before, sizeof(record));
}

static void every_kind_comes_through_unchanged(void **state)
{
	static const struct {
		uint8_t kind;
		uint16_t size;
	} kinds[] = {
		{SW_OPEN, sizeof(struct sw_handshake)},
		{SW_RETRY, sizeof(struct sw_handshake)},
		{SW_LOOK, sizeof(struct sw_handshake)},
		{SW_CLOSE, sizeof(struct sw_handshake)},
		{SW_LOCAL_ERROR, sizeof(struct sw_handshake)},
		{SW_SYNACK_RETRY, sizeof(struct sw_handshake)},
		{SW_SYNACK_DROP, sizeof(struct sw_handshake)},
		{SW_ACCEPTED, sizeof(struct sw_handshake)},
		{SW_REQUEST_GONE, sizeof(struct sw_handshake)},
		{SW_SYN_DROP, sizeof(struct sw_handshake)},
		{SW_CROWD, sizeof(struct sw_crowd)},
		{SW_COUNTS, sizeof(struct sw_counts)},
		{SW_LOSS, sizeof(struct sw_loss)},
		{SW_CLOCK, sizeof(struct sw_clock)},
		{SW_NAME, sizeof(struct sw_name)},
	};

	(void)state;
	assert_int_equal(ARRAY_SIZE(kinds), SW_KIND_COUNT - 1);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		union decode_record given = {.handshake = sound()}, record;

		given.header = facts_header(kinds[i].kind, kinds[i].size, BEGIN + SEC);
		if (kinds[i].kind == SW_CROWD)
			given.crowd = facts_crowd(BEGIN + SEC);
		if (kinds[i].kind == SW_NAME)
			memset(given.name.name, '\0', sizeof(given.name.name));
		assert_int_equal(decode_size(kinds[i].kind), kinds[i].size);
		assert_int_equal(decode_exactly(&given, kinds[i].size, &record), 0);
		assert_memory_equal(&record, &given, kinds[i].size);
	}
}

static void an_unknown_kind_has_no_size(void **state)
{
	(void)state;
	assert_int_equal(decode_size(SW_NONE), 0);
	assert_int_equal(decode_size(SW_KIND_COUNT), 0);
	assert_int_equal(decode_size(-1), 0);
}

static void any_alignment_will_do(void **state)
{
	struct sw_handshake given = sound();
	char buffer[sizeof(given) + 8];
	union decode_record record;

	(void)state;
	for (size_t shift = 0; shift < 8; shift++) {
		memcpy(buffer + shift, &given, sizeof(given));
		assert_int_equal(decode(buffer + shift, sizeof(given), &record), 0);
		assert_memory_equal(&record, &given, sizeof(given));
	}
}

static void a_record_cut_anywhere_is_refused(void **state)
{
	struct sw_handshake given = sound();

	(void)state;
	for (size_t size = 0; size < sizeof(given); size++)
		refused(&given, size, -EBADMSG);
}

static void a_size_that_is_not_the_records_own_is_refused(void **state)
{
	struct {
		struct sw_handshake record;
		char more[8];
	} given = {.record = sound()};

	(void)state;
	refused(&given, sizeof(given.record) + 8, -EBADMSG);
	given.record.header.size += 8;
	refused(&given, sizeof(given.record) + 8, -EBADMSG);
	refused(&given, sizeof(given.record), -EBADMSG);
	given.record.header.size = sizeof(struct sw_loss);
	refused(&given, sizeof(struct sw_loss), -EBADMSG);
}

static void a_kind_of_the_future_is_refused(void **state)
{
	struct sw_handshake given = sound();

	(void)state;
	given.header.kind = SW_NONE;
	refused(&given, sizeof(given), -EBADMSG);
	given.header.kind = SW_KIND_COUNT;
	refused(&given, sizeof(given), -EBADMSG);
	given.header.kind = 255;
	refused(&given, sizeof(given), -EBADMSG);
}

/* Before anything else: nothing of another layout means what it seems to. */
static void another_version_is_told_apart_from_damage(void **state)
{
	struct sw_handshake given = sound();

	(void)state;
	given.header.version = SW_ABI_VERSION + 1;
	given.header.kind = 255;
	given.header.size = 0;
	refused(&given, sizeof(given), -EPROTONOSUPPORT);
	given.header.version = 0;
	refused(&given, sizeof(given), -EPROTONOSUPPORT);
}

static void facts_that_cannot_be_are_refused(void **state)
{
	struct sw_handshake given;

	(void)state;
	for (int family = 0; family < 256; family++) {
		union decode_record record;

		given = sound();
		given.tuple.family = family;
		if (family != 4 && family != 6)
			refused(&given, sizeof(given), -EBADMSG);
		else
			assert_int_equal(decode_exactly(&given, sizeof(given), &record), 0);
	}
	given = sound();
	given.start_ns = given.header.time_ns + 1;
	refused(&given, sizeof(given), -EBADMSG);
	given = sound();
	given.syn_ns = given.header.time_ns + 1;
	refused(&given, sizeof(given), -EBADMSG);
	given = sound();
	given.header.time_ns = 1ULL << 63;
	refused(&given, sizeof(given), -EBADMSG);
}

static void a_crowd_that_cannot_be_is_refused(void **state)
{
	struct sw_crowd given = facts_crowd(BEGIN + SEC);
	union decode_record record;

	(void)state;
	memset(given.owner.comm, 'x', SW_COMM_LEN);
	assert_int_equal(decode_exactly(&given, sizeof(given), &record), 0);
	assert_string_equal(record.crowd.owner.comm, "xxxxxxxxxxxxxxx");
	given.tuple.family = 5;
	refused(&given, sizeof(given), -EBADMSG);
	given = facts_crowd(BEGIN + SEC);
	given.begin_ns = given.header.time_ns + 1;
	refused(&given, sizeof(given), -EBADMSG);
	refused(&given, sizeof(given) - 1, -EBADMSG);
}

/* -INT_MIN is no int, and there is no errno above 4095. */
static void an_error_that_is_no_errno_is_refused(void **state)
{
	struct sw_handshake given = sound();
	union decode_record record;

	(void)state;
	given.err = INT32_MIN;
	refused(&given, sizeof(given), -EBADMSG);
	given.err = -4096;
	refused(&given, sizeof(given), -EBADMSG);
	given.err = -4095;
	assert_int_equal(decode_exactly(&given, sizeof(given), &record), 0);
	given.err = 2; /* NET_XMIT_CN: a retry's result may be positive */
	assert_int_equal(decode_exactly(&given, sizeof(given), &record), 0);
}

static void names_are_terminated(void **state)
{
	struct sw_handshake given = sound();
	struct sw_name name = {};
	union decode_record record;

	(void)state;
	memset(given.owner.comm, 'x', SW_COMM_LEN);
	memset(given.closer.comm, 'y', SW_COMM_LEN);
	assert_int_equal(decode_exactly(&given, sizeof(given), &record), 0);
	assert_string_equal(record.handshake.owner.comm, "xxxxxxxxxxxxxxx");
	assert_string_equal(record.handshake.closer.comm, "yyyyyyyyyyyyyyy");
	name.header = facts_header(SW_NAME, sizeof(name), BEGIN);
	memset(name.name, 'z', SW_NAME_LEN);
	assert_int_equal(decode_exactly(&name, sizeof(name), &record), 0);
	assert_string_equal(record.name.name, "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_comes_through_unchanged),
		cmocka_unit_test(an_unknown_kind_has_no_size),
		cmocka_unit_test(any_alignment_will_do),
		cmocka_unit_test(a_record_cut_anywhere_is_refused),
		cmocka_unit_test(a_size_that_is_not_the_records_own_is_refused),
		cmocka_unit_test(a_kind_of_the_future_is_refused),
		cmocka_unit_test(another_version_is_told_apart_from_damage),
		cmocka_unit_test(facts_that_cannot_be_are_refused),
		cmocka_unit_test(a_crowd_that_cannot_be_is_refused),
		cmocka_unit_test(an_error_that_is_no_errno_is_refused),
		cmocka_unit_test(names_are_terminated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
