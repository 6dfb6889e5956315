/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A map's key of four bytes, on the stack. All eight are written: to the verifier the
 * other four would keep alive what was there before, and so double all that follows for
 * ways that differ in that only.
 */
#ifndef SYNWATCH_KEY_BPF_H
#define SYNWATCH_KEY_BPF_H

union key {
	__u64 whole;
	__u32 number;
};

static __always_inline union key key_of(__u32 number)
{
	union key key = {.whole = 0};

	key.number = number;
	return key;
}

#endif /* SYNWATCH_KEY_BPF_H */
