/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Values as text: numbers, times, durations, addresses, and strings that came
 * from somebody else. Every writer appends a NUL, returns the length without
 * it and documents how much room it needs.
 */
#ifndef SYNWATCH_SINK_TEXT_H
#define SYNWATCH_SINK_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TEXT_UINT_SIZE	   21 /* "18446744073709551615" */
#define TEXT_UTC_SIZE	   28 /* "2026-11-22T06:40:11.482913Z" */
#define TEXT_CLOCK_SIZE	   13 /* "08:40:11.482" */
#define TEXT_DURATION_SIZE 22
#define TEXT_ADDRESS_SIZE  46			   /* INET6_ADDRSTRLEN */
#define TEXT_ENDPOINT_SIZE (TEXT_ADDRESS_SIZE + 8) /* "[...]:65535" */

size_t text_uint(char *dst, uint64_t value);

/* Exactly `digits` digits, zero-padded, no NUL: the tail of a fraction. */
void text_digits(char *dst, uint64_t value, unsigned int digits);

/* The part of a UTC time that changes once a second, kept between lines.
 * Starts as {.second = UINT64_MAX}. */
struct text_utc_cache {
	uint64_t second;
	char text[TEXT_UTC_SIZE];
};

/* RFC 3339 with microseconds. TEXT_UTC_SIZE. */
size_t text_utc(char *dst, struct text_utc_cache *cache, uint64_t wall_ns);

/* Local time: "08:40:11.482", or "08:40:11". TEXT_CLOCK_SIZE. */
size_t text_clock(char *dst, uint64_t wall_ns, bool with_ms);

/* Three digits at most and a unit: "420us", "1.2ms", "250ms", "1.03s", "12.3s",
 * "127s", "17m", "17h", "42d". Five columns below 10,000 days. TEXT_DURATION_SIZE. */
size_t text_duration(char *dst, uint64_t duration_ns);

/* addr: 16 bytes, network order. */
bool text_is_mapped(const uint8_t *addr);      /* ::ffff:0:0/96 */
bool text_is_unspecified(const uint8_t *addr); /* ::, ::ffff:0.0.0.0 */

/* "10.0.0.1" (v4-mapped too) or "2001:db8::1". TEXT_ADDRESS_SIZE. */
size_t text_address(char *dst, const uint8_t *addr);

/* "10.0.0.1:80", "[2001:db8::1]:80"; a port of 0 is left out.
 * TEXT_ENDPOINT_SIZE. */
size_t text_endpoint(char *dst, const uint8_t *addr, uint16_t port);

/* Printable ASCII without quote and backslash only: the common case. */
bool text_is_plain(const char *text, size_t length);

/* Room that text_quote() needs for a text of that length. */
#define TEXT_QUOTE_SIZE(length) (6 * (length) + 3)

/* A JSON string literal, quotes included: unsafe characters escaped, U+FFFD for
 * every invalid byte. */
size_t text_quote(char *dst, const char *text, size_t length);

#endif /* SYNWATCH_SINK_TEXT_H */
