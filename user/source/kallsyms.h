/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's symbols, as /proc/kallsyms lists them:
 *
 *   ffffffff81a3c5d0 T nf_hook_slow
 *   ffffffffc0a01000 t nft_do_chain	[nf_tables]
 */
#ifndef SYNWATCH_SOURCE_KALLSYMS_H
#define SYNWATCH_SOURCE_KALLSYMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/*
 * The function that holds address: the nearest at or below it, without its
 * module. False and "" if there is none, as when the addresses are hidden (all
 * of them 0: kptr_restrict, no CAP_SYSLOG). Reads to the end of the file.
 */
bool kallsyms_function(FILE *file, uint64_t address, char *ret_name, size_t size);

#endif /* SYNWATCH_SOURCE_KALLSYMS_H */
