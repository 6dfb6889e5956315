/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/resets.h"
#include "facts.h"

static struct sw_handshake reset_client(uint64_t time_ns, uint32_t isn)
{
	struct sw_handshake facts = facts_client(SW_CLOSE, time_ns, 0);

	facts.flags |= SW_F_RESET | SW_F_ISN;
	facts.isn = isn;
	return facts;
}

static void a_reset_is_found_by_isn_and_one_port(void **state)
{
	struct resets resets = {};
	struct sw_handshake drop = facts_syn_drop(BEGIN, 1);
	struct sw_handshake client = reset_client(BEGIN + MS, drop.isn);

	(void)state;
	assert_false(resets_has(&resets, &drop, 20 * MS));
	resets_note(&resets, &client);
	assert_true(resets_has(&resets, &drop, 20 * MS));
	drop.tuple.lport = 8080; /* DNAT */
	assert_true(resets_has(&resets, &drop, 20 * MS));
	drop.tuple.rport = 1024; /* of another connection altogether */
	assert_false(resets_has(&resets, &drop, 20 * MS));
	drop.tuple.lport = 80; /* SNAT */
	assert_true(resets_has(&resets, &drop, 20 * MS));
	drop.isn++;
	assert_false(resets_has(&resets, &drop, 20 * MS));
}

static void it_has_to_be_near_in_time_before_or_after(void **state)
{
	struct resets resets = {};
	struct sw_handshake drop = facts_syn_drop(BEGIN, 1);
	struct sw_handshake client = reset_client(BEGIN, drop.isn);

	(void)state;
	resets_note(&resets, &client);
	drop.header.time_ns = BEGIN + 20 * MS;
	assert_true(resets_has(&resets, &drop, 20 * MS));
	drop.header.time_ns = BEGIN - 20 * MS;
	assert_true(resets_has(&resets, &drop, 20 * MS));
	drop.header.time_ns = BEGIN + 20 * MS + 1;
	assert_false(resets_has(&resets, &drop, 20 * MS));
	drop.header.time_ns = BEGIN - 20 * MS - 1;
	assert_false(resets_has(&resets, &drop, 20 * MS));
}

static void only_an_end_by_rst_with_an_isn_is_one(void **state)
{
	struct sw_handshake drop = facts_syn_drop(BEGIN, 1);
	struct sw_handshake client = reset_client(BEGIN, drop.isn);
	struct resets resets = {};

	(void)state;
	client.flags &= ~SW_F_RESET;
	resets_note(&resets, &client);
	client = reset_client(BEGIN, drop.isn);
	client.flags &= ~SW_F_ISN;
	resets_note(&resets, &client);
	client = reset_client(BEGIN, drop.isn);
	client.header.kind = SW_RETRY;
	resets_note(&resets, &client);
	assert_false(resets_has(&resets, &drop, 20 * MS));
}

static void the_oldest_give_way(void **state)
{
	struct sw_handshake drop = facts_syn_drop(BEGIN, 1);
	struct sw_handshake client = reset_client(BEGIN, drop.isn);
	struct resets resets = {};

	(void)state;
	resets_note(&resets, &client);
	for (uint32_t i = 1; i < RESETS_MAX; i++) {
		client = reset_client(BEGIN, drop.isn + i);
		resets_note(&resets, &client);
	}
	assert_true(resets_has(&resets, &drop, 20 * MS));
	resets_note(&resets, &client);
	assert_false(resets_has(&resets, &drop, 20 * MS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_reset_is_found_by_isn_and_one_port),
		cmocka_unit_test(it_has_to_be_near_in_time_before_or_after),
		cmocka_unit_test(only_an_end_by_rst_with_an_isn_is_one),
		cmocka_unit_test(the_oldest_give_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
