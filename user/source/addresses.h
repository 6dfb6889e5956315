/* SPDX-License-Identifier: GPL-2.0-only */
/* Which addresses this host has: what tells whose peer it may be. */
#ifndef SYNWATCH_SOURCE_ADDRESSES_H
#define SYNWATCH_SOURCE_ADDRESSES_H

#include "core/session.h"

/*
 * Adds those of the calling thread's network namespace, but for loopback and IPv6
 * link-local ones, which every host may have. inode: the namespace's. Returns 0 or a
 * negative errno; more than SESSION_ADDRESSES_MAX are left out.
 */
int addresses_add(struct session *session, uint32_t inode);

#endif /* SYNWATCH_SOURCE_ADDRESSES_H */
