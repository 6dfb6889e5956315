/* SPDX-License-Identifier: GPL-2.0-only */
/* The system calls that a watch needs to go on, and no others. */
#ifndef SYNWATCH_SANDBOX_H
#define SYNWATCH_SANDBOX_H

/*
 * From now on, in all threads: to read, write and make files, to wait, to look at what
 * is loaded and attached. Not to start a program, a thread or a connection, nor to load
 * anything. What is refused fails with ENOSYS, as on a kernel without it, for which a C
 * library has a way round; the kernel's audit log names it.
 *
 * Returns 0 or a negative errno: this kernel cannot, or is told not to.
 */
int sandbox_enter(void);

#endif /* SYNWATCH_SANDBOX_H */
