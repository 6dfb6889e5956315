/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SYNWATCH_FUZZ_DRIVER_H
#define SYNWATCH_FUZZ_DRIVER_H

#include <stddef.h>
#include <stdint.h>

/* The target: must return, whatever the bytes are. 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif /* SYNWATCH_FUZZ_DRIVER_H */
