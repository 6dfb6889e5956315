/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/tracker.h"
#include "facts.h"

static struct handshake_key key_of(uint64_t cookie, uint64_t start_ns)
{
	return (struct handshake_key){.cookie = cookie, .start_ns = start_ns};
}

static struct handshake *add(struct tracker *tracker, uint64_t cookie, uint64_t start_ns)
{
	struct handshake_key key = key_of(cookie, start_ns);
	struct handshake *handshake = tracker_add(tracker, &key);

	assert_non_null(handshake);
	return handshake;
}

static void attempts_and_roles_of_one_cookie_are_told_apart(void **state)
{
	struct tracker *tracker = tracker_new(8);
	struct handshake_key first = key_of(7, 1), second = key_of(7, 2), server = key_of(7, 1);
	struct handshake *handshake;

	(void)state;
	server.role = ROLE_SERVER;
	handshake = add(tracker, 7, 1);
	assert_ptr_equal(tracker_find(tracker, &first), handshake);
	assert_null(tracker_find(tracker, &second));
	assert_null(tracker_find(tracker, &server));
	assert_ptr_not_equal(add(tracker, 7, 2), handshake);
	assert_ptr_equal(tracker_find(tracker, &first), handshake);
	assert_int_equal(tracker_count(tracker), 2);
	tracker_free(tracker);
}

static void a_new_one_is_zeroed_but_for_its_key(void **state)
{
	struct tracker *tracker = tracker_new(8);
	struct handshake *handshake = add(tracker, 7, 9);

	(void)state;
	assert_int_equal(handshake->key.cookie, 7);
	assert_int_equal(handshake->key.start_ns, 9);
	assert_false(handshake->started || handshake->stalled || handshake->ended);
	assert_int_equal(handshake->facts.header.kind, SW_NONE);
	assert_int_equal(handshake->deadline, DEADLINE_NONE);
	assert_null(tracker_due(tracker, UINT64_MAX));
	tracker_free(tracker);
}

static void a_full_tracker_takes_no_more_until_one_ends(void **state)
{
	struct tracker *tracker = tracker_new(2);
	struct handshake_key third = key_of(3, 0);
	struct handshake *first = add(tracker, 1, 0);

	(void)state;
	add(tracker, 2, 0);
	assert_null(tracker_add(tracker, &third));
	assert_int_equal(tracker_count(tracker), 2);
	tracker_remove(tracker, first);
	assert_non_null(tracker_add(tracker, &third));
	tracker_free(tracker);
}

static void the_first_is_the_oldest_added(void **state)
{
	struct tracker *tracker = tracker_new(8);

	(void)state;
	assert_null(tracker_first(tracker));
	for (uint64_t i = 5; i; i--)
		add(tracker, i, 0);
	for (uint64_t i = 5; i; i--) {
		assert_int_equal(tracker_first(tracker)->key.cookie, i);
		tracker_remove(tracker, tracker_first(tracker));
	}
	assert_null(tracker_first(tracker));
	tracker_free(tracker);
}

static void what_is_due_now_is_due_and_what_is_due_later_is_not(void **state)
{
	struct tracker *tracker = tracker_new(8);
	struct handshake *handshake = add(tracker, 1, 0);

	(void)state;
	tracker_schedule(tracker, handshake, DEADLINE_LOST, 100);
	assert_null(tracker_due(tracker, 99));
	assert_ptr_equal(tracker_due(tracker, 100), handshake);
	assert_ptr_equal(tracker_due(tracker, 101), handshake);
	tracker_schedule(tracker, handshake, DEADLINE_STALL, 200);
	assert_int_equal(handshake->deadline, DEADLINE_STALL);
	assert_null(tracker_due(tracker, 199));
	tracker_schedule(tracker, handshake, DEADLINE_NONE, 0);
	assert_null(tracker_due(tracker, UINT64_MAX));
	tracker_free(tracker);
}

/* 1 and 256 differ in their first byte, the other way round. */
static void equal_deadlines_come_in_the_order_of_their_keys(void **state)
{
	static const struct handshake_key keys[] = {
		{.cookie = 1, .start_ns = 256, .role = ROLE_CLIENT},
		{.cookie = 1, .start_ns = 256, .role = ROLE_SERVER},
		{.cookie = 1, .start_ns = 257},
		{.cookie = 256, .start_ns = 1},
		{.cookie = 256, .start_ns = 256},
		{.cookie = 1ULL << 40, .start_ns = 0},
	};
	struct tracker *tracker = tracker_new(8);

	(void)state;
	for (size_t i = ARRAY_SIZE(keys); i--;)
		tracker_schedule(tracker, tracker_add(tracker, &keys[i]), DEADLINE_LOST, 100);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		struct handshake *due = tracker_due(tracker, 100);

		assert_memory_equal(&due->key, &keys[i], sizeof(due->key));
		tracker_remove(tracker, due);
	}
	tracker_free(tracker);
}

/* The heap against the plainest model of it. */
static void a_random_life_keeps_the_earliest_first(void **state)
{
	enum { ROOM = 200, STEPS = 20000 };
	struct handshake *alive[ROOM] = {};
	struct tracker *tracker = tracker_new(ROOM);
	size_t count = 0;

	(void)state;
	srandom(1);
	for (int step = 0; step < STEPS; step++) {
		size_t i = random() % ROOM;
		struct handshake *due, *earliest = NULL;
		uint64_t deadline = random() % 1000;

		if (!alive[i]) {
			alive[i] = add(tracker, i, step);
			count++;
		} else if (random() % 3 == 0) {
			tracker_remove(tracker, alive[i]);
			alive[i] = NULL;
			count--;
		} else {
			tracker_schedule(tracker, alive[i],
					 random() % 8 ? DEADLINE_LOST : DEADLINE_NONE, deadline);
		}
		for (i = 0; i < ROOM; i++) {
			if (!alive[i] || alive[i]->deadline == DEADLINE_NONE)
				continue;
			if (!earliest || alive[i]->deadline_ns < earliest->deadline_ns)
				earliest = alive[i];
		}
		due = tracker_due(tracker, UINT64_MAX);
		assert_int_equal(!due, !earliest);
		if (due)
			assert_int_equal(due->deadline_ns, earliest->deadline_ns);
		assert_int_equal(tracker_count(tracker), count);
	}
	tracker_free(tracker);
}

static void nothing_can_be_freed(void **state)
{
	(void)state;
	assert_null(tracker_free(NULL));
	assert_null(tracker_free(tracker_new(0)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(attempts_and_roles_of_one_cookie_are_told_apart),
		cmocka_unit_test(a_new_one_is_zeroed_but_for_its_key),
		cmocka_unit_test(a_full_tracker_takes_no_more_until_one_ends),
		cmocka_unit_test(the_first_is_the_oldest_added),
		cmocka_unit_test(what_is_due_now_is_due_and_what_is_due_later_is_not),
		cmocka_unit_test(equal_deadlines_come_in_the_order_of_their_keys),
		cmocka_unit_test(a_random_life_keeps_the_earliest_first),
		cmocka_unit_test(nothing_can_be_freed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
