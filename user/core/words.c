/* SPDX-License-Identifier: GPL-2.0-only */
#include "core/words.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>

#include "core/names.h"

struct words words(const char *format, ...)
{
	struct words result;
	va_list args;

	va_start(args, format);
	(void)vsnprintf(result.text, sizeof(result.text), format, args);
	va_end(args);
	return result;
}

static struct words printable(const char *text, size_t size)
{
	struct words result = {};

	for (size_t i = 0; i < size && text[i]; i++)
		result.text[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
	return result;
}

struct words words_comm(const char *comm)
{
	return printable(comm, SW_COMM_LEN);
}

struct words words_name(const char *name)
{
	return printable(name, SW_NAME_LEN);
}

struct words words_address(const uint8_t *address)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	struct words result = {};

	if (memcmp(address, mapped, sizeof(mapped)) == 0)
		(void)inet_ntop(AF_INET, address + sizeof(mapped), result.text,
				sizeof(result.text));
	else
		(void)inet_ntop(AF_INET6, address, result.text, sizeof(result.text));
	return result;
}

struct words words_errno(int errnum)
{
	const char *name = names_errno(errnum);

	return name ? words("%s", name) : words("error %d", errnum);
}

struct words words_count(unsigned int count, const char *noun)
{
	return words("%u %s%s", count, noun, count == 1 ? "" : "s");
}

struct words words_number(uint64_t number)
{
	struct words rest;

	if (number < 1000)
		return words("%" PRIu64, number);
	rest = words_number(number / 1000);
	return words("%.32s,%03u", rest.text, (unsigned int)(number % 1000));
}

void words_why(struct report_handshake *report, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(report->why, sizeof(report->why), format, args);
	va_end(args);
}

void words_why_more(struct report_handshake *report, const char *format, ...)
{
	size_t length = strlen(report->why);
	va_list args;

	va_start(args, format);
	(void)vsnprintf(report->why + length, sizeof(report->why) - length, format, args);
	va_end(args);
}
