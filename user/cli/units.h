/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Text as people type it -> values. Pure: no files, no resolver, no clock.
 *
 * All parsers take the whole string: no blanks, no sign, no exponent. They
 * return 0, -EINVAL (not of that form) or -ERANGE (of that form, but too small
 * or too large), with the output untouched on failure.
 */
#ifndef SYNWATCH_CLI_UNITS_H
#define SYNWATCH_CLI_UNITS_H

#include <stddef.h>
#include <stdint.h>

#include <linux/types.h>

#include "synwatch/config.h"

/* 100 years: the sum of a few of them still fits in signed nanoseconds. */
#define UNITS_DURATION_MAX_DAYS 36500

/* "[2001:db8:ffff:ffff:ffff:ffff:ffff:ffff]/128" and its NUL are well below. */
#define UNITS_HOST_LEN 64

struct units_ports {
	uint16_t first;
	uint16_t last; /* >= first */
};

/* Decimal digits, min .. max. */
int units_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret_value);

/* "500ms", "5s", "2m", "1h", "7d"; at most UNITS_DURATION_MAX_DAYS. */
int units_duration(const char *text, uint64_t *ret_ns);

/* "64K", "100M", "2G", "1T": powers of 1024, in bytes. A unit is needed. */
int units_size(const char *text, uint64_t *ret_bytes);

/* "443" or "8000-8099", 1 .. 65535. -EDOM if the range runs backwards. */
int units_ports(const char *text, struct units_ports *ret_ports);

/*
 * "10.0.0.1", "10.0.0.0/8", "2001:db8::1", "2001:db8::/32", "[::1]", "[::1]/128".
 * IPv4 becomes v4-mapped. -ERANGE is about the prefix length. Bits beyond the
 * prefix are kept as written: units_host_mask() clears them.
 */
int units_host(const char *text, struct sw_host_key *ret_host);
void units_host_mask(struct sw_host_key *host);

/* "10.0.0.0/8"; v4-mapped as IPv4. `text` holds UNITS_HOST_LEN bytes. */
void units_host_format(const struct sw_host_key *host, char *text);

#endif /* SYNWATCH_CLI_UNITS_H */
