/* SPDX-License-Identifier: GPL-2.0-only */
#include "sink/text.h"

#include <string.h>
#include <time.h>

#include "core/utf8.h"

#define NSEC_PER_USEC 1000ULL
#define NSEC_PER_MSEC 1000000ULL
#define NSEC_PER_SEC  1000000000ULL

static const char hex[] = "0123456789abcdef";

size_t text_uint(char *dst, uint64_t value)
{
	char reversed[TEXT_UINT_SIZE];
	size_t length = 0;
	size_t i;

	do {
		reversed[length++] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	for (i = 0; i < length; i++)
		dst[i] = reversed[length - 1 - i];
	dst[length] = '\0';
	return length;
}

void text_digits(char *dst, uint64_t value, unsigned int digits)
{
	while (digits) {
		dst[--digits] = (char)('0' + value % 10);
		value /= 10;
	}
}

size_t text_utc(char *dst, struct text_utc_cache *cache, uint64_t wall_ns)
{
	/* No year needs more than four digits: 2^64 ns end in 2554. */
	static const size_t fraction = sizeof("2026-11-22T06:40:11.") - 1;
	uint64_t second = wall_ns / NSEC_PER_SEC;

	if (cache->second != second) {
		time_t when = (time_t)second;
		struct tm tm;

		gmtime_r(&when, &tm);
		strftime(cache->text, sizeof(cache->text), "%Y-%m-%dT%H:%M:%S.000000Z", &tm);
		cache->second = second;
	}
	memcpy(dst, cache->text, TEXT_UTC_SIZE);
	text_digits(dst + fraction, wall_ns % NSEC_PER_SEC / NSEC_PER_USEC, 6);
	return TEXT_UTC_SIZE - 1;
}

size_t text_clock(char *dst, uint64_t wall_ns, bool with_ms)
{
	time_t when = (time_t)(wall_ns / NSEC_PER_SEC);
	size_t length;
	struct tm tm;

	localtime_r(&when, &tm);
	length = strftime(dst, TEXT_CLOCK_SIZE, "%H:%M:%S", &tm);
	if (with_ms) {
		dst[length++] = '.';
		text_digits(dst + length, wall_ns % NSEC_PER_SEC / NSEC_PER_MSEC, 3);
		length += 3;
		dst[length] = '\0';
	}
	return length;
}

size_t text_duration(char *dst, uint64_t duration_ns)
{
	/* The first row whose rounded number stays below its limit. */
	static const struct {
		uint64_t unit_ns; /* of the last digit shown */
		uint64_t limit;
		unsigned int decimals;
		const char *suffix;
	} forms[] = {
		{NSEC_PER_USEC, 1000, 0, "us"},
		{100 * NSEC_PER_USEC, 100, 1, "ms"},
		{NSEC_PER_MSEC, 1000, 0, "ms"},
		{10 * NSEC_PER_MSEC, 1000, 2, "s"},
		{100 * NSEC_PER_MSEC, 1000, 1, "s"},
		{NSEC_PER_SEC, 1000, 0, "s"},
		{60 * NSEC_PER_SEC, 1000, 0, "m"},
		{3600 * NSEC_PER_SEC, 1000, 0, "h"},
		{86400 * NSEC_PER_SEC, UINT64_MAX, 0, "d"},
	};
	static const uint64_t powers[] = {1, 10, 100};
	uint64_t number;
	size_t length;
	size_t i = 0;

	/* Half a unit is added to the remainder, so that no duration overflows. */
	for (;; i++) {
		uint64_t unit = forms[i].unit_ns;

		number = duration_ns / unit + (duration_ns % unit >= unit / 2);
		if (number < forms[i].limit)
			break;
	}
	length = text_uint(dst, number / powers[forms[i].decimals]);
	if (forms[i].decimals) {
		dst[length++] = '.';
		text_digits(dst + length, number, forms[i].decimals);
		length += forms[i].decimals;
	}
	strcpy(dst + length, forms[i].suffix);
	return length + strlen(forms[i].suffix);
}

static const uint8_t mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

bool text_is_mapped(const uint8_t *addr)
{
	return !memcmp(addr, mapped_prefix, sizeof(mapped_prefix));
}

bool text_is_unspecified(const uint8_t *addr)
{
	static const uint8_t zero[16];

	return !memcmp(addr, zero, sizeof(zero)) ||
	       (text_is_mapped(addr) && !memcmp(addr + 12, zero, 4));
}

static size_t address_v4(char *dst, const uint8_t *bytes)
{
	size_t length = 0;
	size_t i;

	for (i = 0; i < 4; i++) {
		if (i)
			dst[length++] = '.';
		length += text_uint(dst + length, bytes[i]);
	}
	return length;
}

/* The longest run of zero groups, the first of equals, two groups at least:
 * RFC 5952, 4.2. ret_first is 8 if there is none. */
static void zero_run(const uint16_t *groups, size_t *ret_first, size_t *ret_count)
{
	size_t first = 8;
	size_t best = 1;
	size_t run = 0;
	size_t i;

	for (i = 0; i < 8; i++) {
		run = groups[i] ? 0 : run + 1;
		if (run > best) {
			best = run;
			first = i + 1 - run;
		}
	}
	*ret_first = first;
	*ret_count = best;
}

static size_t address_v6(char *dst, const uint8_t *bytes)
{
	uint16_t groups[8];
	size_t length = 0;
	size_t first;
	size_t count;
	size_t i;

	for (i = 0; i < 8; i++)
		groups[i] = (uint16_t)(bytes[2 * i] << 8 | bytes[2 * i + 1]);
	zero_run(groups, &first, &count);

	for (i = 0; i < 8; i++) {
		int shift = 12;

		if (i == first) {
			dst[length++] = ':';
			i += count - 1;
			if (i == 7)
				dst[length++] = ':';
			continue;
		}
		if (i)
			dst[length++] = ':';
		while (shift && !(groups[i] >> shift))
			shift -= 4;
		for (; shift >= 0; shift -= 4)
			dst[length++] = hex[groups[i] >> shift & 0xf];
	}
	dst[length] = '\0';
	return length;
}

/* By hand: inet_ntop() of glibc goes through sprintf(), and with two IPv6
 * addresses a line that was two thirds of the time to render one. */
size_t text_address(char *dst, const uint8_t *addr)
{
	return text_is_mapped(addr) ? address_v4(dst, addr + 12) : address_v6(dst, addr);
}

size_t text_endpoint(char *dst, const uint8_t *addr, uint16_t port)
{
	bool brackets = port && !text_is_mapped(addr);
	size_t length = 0;

	if (brackets)
		dst[length++] = '[';
	length += text_address(dst + length, addr);
	if (brackets)
		dst[length++] = ']';
	if (port) {
		dst[length++] = ':';
		length += text_uint(dst + length, port);
	}
	dst[length] = '\0';
	return length;
}

bool text_is_plain(const char *text, size_t length)
{
	size_t i;

	for (i = 0; i < length; i++)
		if (text[i] < ' ' || text[i] > '~' || text[i] == '"' || text[i] == '\\')
			return false;
	return true;
}

/* "\u009b", without a NUL: one of UTF-16's units. */
static size_t escape_unit(char *dst, uint32_t unit)
{
	dst[0] = '\\';
	dst[1] = 'u';
	dst[2] = hex[unit >> 12 & 0xf];
	dst[3] = hex[unit >> 8 & 0xf];
	dst[4] = hex[unit >> 4 & 0xf];
	dst[5] = hex[unit & 0xf];
	return 6;
}

/* RFC 8259, 7: beyond U+FFFF as a surrogate pair. */
static size_t escape(char *dst, uint32_t code_point)
{
	size_t length = 0;

	if (code_point > 0xffff) {
		code_point -= 0x10000;
		length = escape_unit(dst, 0xd800 | code_point >> 10);
		code_point = 0xdc00 | (code_point & 0x3ff);
	}
	return length + escape_unit(dst + length, code_point);
}

size_t text_quote(char *dst, const char *text, size_t length)
{
	size_t written = 0;
	size_t used;
	size_t i;

	dst[written++] = '"';
	for (i = 0; i < length; i += used) {
		int32_t value = utf8_decode(text + i, length - i, &used);

		if (value < 0)
			value = 0xfffd;
		if (value == 0xfffd || utf8_is_unsafe((uint32_t)value)) {
			written += escape(dst + written, (uint32_t)value);
			continue;
		}
		if (value == '"' || value == '\\')
			dst[written++] = '\\';
		memcpy(dst + written, text + i, used);
		written += used;
	}
	dst[written++] = '"';
	dst[written] = '\0';
	return written;
}
