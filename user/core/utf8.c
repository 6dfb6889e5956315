/* SPDX-License-Identifier: GPL-2.0-only */
#include "core/utf8.h"

#include <string.h>

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

int32_t utf8_decode(const char *text, size_t length, size_t *ret_used)
{
	/* RFC 3629: the bits of the lead byte, what follows it, the first code
	 * point that needs so many bytes. */
	static const struct {
		uint8_t mask;
		uint8_t lead;
		uint8_t more;
		int32_t first;
	} forms[] = {
		{0x80, 0x00, 0, 0},
		{0xe0, 0xc0, 1, 0x80},
		{0xf0, 0xe0, 2, 0x800},
		{0xf8, 0xf0, 3, 0x10000},
	};
	uint8_t lead = (uint8_t)text[0];
	int32_t value;
	size_t form;
	size_t i;

	*ret_used = 1;
	for (form = 0; form < ARRAY_SIZE(forms); form++)
		if ((lead & forms[form].mask) == forms[form].lead)
			break;
	if (form == ARRAY_SIZE(forms) || length <= forms[form].more)
		return -1;

	value = lead & (uint8_t)~forms[form].mask;
	for (i = 1; i <= forms[form].more; i++) {
		if (((uint8_t)text[i] & 0xc0) != 0x80)
			return -1;
		value = value << 6 | ((uint8_t)text[i] & 0x3f);
	}
	if (value < forms[form].first || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
		return -1;
	*ret_used = 1U + forms[form].more;
	return value;
}

struct range {
	uint32_t first;
	uint32_t last;
};

static bool in_ranges(const struct range *ranges, size_t count, uint32_t value)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (value >= ranges[i].first && value <= ranges[i].last)
			return true;
	return false;
}

bool utf8_is_unsafe(uint32_t code_point)
{
	static const struct range unsafe[] = {
		{0x0000, 0x001f},   /* C0 */
		{0x007f, 0x009f},   /* DEL, C1 */
		{0x00ad, 0x00ad},   /* soft hyphen */
		{0x061c, 0x061c},   /* Arabic letter mark */
		{0x180b, 0x180f},   /* Mongolian selectors, vowel separator */
		{0x200b, 0x200f},   /* zero width, LRM, RLM */
		{0x2028, 0x202e},   /* separators, embeddings, overrides */
		{0x2060, 0x206f},   /* invisible operators, isolates */
		{0xfeff, 0xfeff},   /* byte order mark */
		{0xfff9, 0xfffb},   /* interlinear annotations */
		{0xe0000, 0xe0fff}, /* tags, more selectors: text that nobody sees */
	};

	return in_ranges(unsafe, ARRAY_SIZE(unsafe), code_point);
}

size_t utf8_safe(char *dst, size_t size, const char *text, size_t length)
{
	size_t written = 0;
	size_t used;
	size_t i;

	for (i = 0; i < length; i += used) {
		int32_t value = utf8_decode(text + i, length - i, &used);
		bool bad = value < 0 || utf8_is_unsafe((uint32_t)value);
		size_t need = bad ? 1 : used;

		if (written + need >= size)
			break;
		memmove(dst + written, bad ? "?" : text + i, need);
		written += need;
	}
	dst[written] = '\0';
	return written;
}

unsigned int utf8_width(const char *text, size_t length)
{
	/* East Asian Wide and Fullwidth (UAX #11), in blocks. wcwidth() would
	 * depend on the locale, and a service has none. */
	static const struct range wide[] = {
		{0x1100, 0x115f},   {0x231a, 0x232a},	{0x23e9, 0x23f3},   {0x25fd, 0x27bf},
		{0x2b1b, 0x2b55},   {0x2e80, 0xa4cf},	{0xac00, 0xd7a3},   {0xf900, 0xfaff},
		{0xfe30, 0xfe6f},   {0xff00, 0xff60},	{0xffe0, 0xffe6},   {0x16fe0, 0x18d08},
		{0x1aff0, 0x1b2fb}, {0x1f004, 0x1f9ff}, {0x1fa70, 0x1faff}, {0x20000, 0x3fffd},
	};
	unsigned int width = 0;
	size_t used;
	size_t i;

	for (i = 0; i < length; i += used) {
		int32_t value = utf8_decode(text + i, length - i, &used);

		width +=
			1 + (value >= 0x1100 && in_ranges(wide, ARRAY_SIZE(wide), (uint32_t)value));
	}
	return width;
}
