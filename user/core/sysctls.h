/* SPDX-License-Identifier: GPL-2.0-only */
/* The sysctls that shape handshakes, and what their values mean at three in the morning. */
#ifndef SYNWATCH_CORE_SYSCTLS_H
#define SYNWATCH_CORE_SYSCTLS_H

#include <stddef.h>
#include <stdint.h>

#include "core/finding.h"

/* Paths below /proc/sys/net: those of IPv4 apply to IPv6, too. */
#define SYSCTLS_COUNT 22
const char *sysctls_path(size_t index); /* "ipv4/tcp_syn_retries" */

/*
 * Fills in the finding about one. values: what each of the files holds, without its
 * newline, in the order of the paths; NULL where there is no such file. hz: ticks of
 * the kernel's timer per second. The meaning is empty where a missing file means
 * nothing.
 */
void sysctls_explain(const char *const values[SYSCTLS_COUNT], uint32_t hz, size_t index,
		     struct finding *ret_finding);

#endif /* SYNWATCH_CORE_SYSCTLS_H */
