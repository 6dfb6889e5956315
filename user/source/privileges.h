/* SPDX-License-Identifier: GPL-2.0-only */
/* What this process may do, what for, and giving it up. */
#ifndef SYNWATCH_SOURCE_PRIVILEGES_H
#define SYNWATCH_SOURCE_PRIVILEGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* CAP_SYS_RESOURCE, which is of use on kernels before 5.11 only. */
#define PRIVILEGES_RAISE_LIMITS 24
/* CAP_SYS_ADMIN, in a set of them. */
#define PRIVILEGES_STAND_IN (1ULL << 21)

/* A capability that is of use here. */
struct privilege {
	unsigned int number; /* capabilities(7) */
	const char *name;    /* "CAP_BPF" */
	const char *purpose; /* what it is for, without a subject: "load BPF programs" */
	const char *loss;    /* what cannot be done or told without it, a phrase */
	bool indispensable;  /* CAP_SYS_ADMIN stands in for it */
};

/* All of them, the indispensable ones first. */
const struct privilege *privileges_table(size_t *ret_count);

/* The effective set, a bit for each number. */
uint64_t privileges_held(void);

/* Is it in the effective set? privileges_may(): or does CAP_SYS_ADMIN stand in. */
bool privileges_has(unsigned int number);
bool privileges_may(unsigned int number);

/* At other users' processes: with the capabilities for that, or as far as there are any. */
bool privileges_may_look(void);

/*
 * Capabilities of a user namespace are none to bpf(2). And numbers of processes in
 * a PID namespace are not those that the kernel side sees. False where /proc cannot
 * say.
 */
bool privileges_in_user_namespace(void);
bool privileges_in_pid_namespace(void);

/*
 * Gives up, for good and with no_new_privs, what is not needed to go on. Capabilities
 * belong to a thread: so this is for before there is another.
 *
 * rehearse: does once what will be done again and again; 0 or a negative errno. What
 * it takes is found by trying: nothing, CAP_BPF, CAP_PERFMON too, CAP_SYS_ADMIN.
 *
 * path: a file that will be opened for writing later, and another time later still,
 * or made, with others beside it; NULL for none. Started through sudo(8) the invoking
 * user's identity is taken on, unless that user may not do so. If not even root
 * without capabilities may, CAP_DAC_OVERRIDE is kept.
 *
 * Returns 0, or the negative errno of a call that takes no privilege and yet failed.
 */
int privileges_drop(int (*rehearse)(void *ctx), void *ctx, const char *path);

/* "CAP_BPF CAP_PERFMON", or "" if none is held; cut where size ends. */
void privileges_list(char *ret_text, size_t size);

#endif /* SYNWATCH_SOURCE_PRIVILEGES_H */
