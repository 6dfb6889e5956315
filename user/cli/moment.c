/* SPDX-License-Identifier: GPL-2.0-only */
#include "cli/moment.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "cli/units.h"

#define NSEC_PER_SEC 1000000000LL

/* Exactly so many digits, min .. max. */
static bool take_number(const char **text, int digits, int min, int max, int *ret_number)
{
	int number = 0;

	for (int i = 0; i < digits; i++) {
		char c = (*text)[i];

		if (c < '0' || c > '9')
			return false;
		number = number * 10 + (c - '0');
	}
	*text += digits;
	*ret_number = number;
	return number >= min && number <= max;
}

static bool take_char(const char **text, const char *accepted)
{
	if (!**text || !strchr(accepted, **text))
		return false;
	(*text)++;
	return true;
}

/* ".5": at least one digit; those beyond nanoseconds are let go. */
static bool take_fraction(const char **text, int32_t *ret_ns)
{
	int32_t digit_ns = (int32_t)(NSEC_PER_SEC / 10), ns = 0;
	const char *c = *text;

	for (; *c >= '0' && *c <= '9'; c++) {
		ns += (*c - '0') * digit_ns;
		digit_ns /= 10;
	}
	if (c == *text)
		return false;
	*text = c;
	*ret_ns = ns;
	return true;
}

/* "03:12", "03:12:30", "03:12:30.5" */
static bool take_clock(const char **text, struct moment *moment)
{
	if (!take_number(text, 2, 0, 23, &moment->hour) || !take_char(text, ":") ||
	    !take_number(text, 2, 0, 59, &moment->minute))
		return false;
	if (!take_char(text, ":"))
		return true;
	/* 60: a leap second */
	if (!take_number(text, 2, 0, 60, &moment->second))
		return false;
	return !take_char(text, ".") || take_fraction(text, &moment->fraction_ns);
}

/* "Z", "+01:00" or nothing */
static bool take_zone(const char **text, struct moment *moment)
{
	int hours, minutes, sign = **text == '-' ? -1 : 1;

	if (!**text)
		return true;
	moment->has_zone = true;
	if (take_char(text, "Zz"))
		return true;
	if (!take_char(text, "+-") || !take_number(text, 2, 0, 23, &hours) ||
	    !take_char(text, ":") || !take_number(text, 2, 0, 59, &minutes))
		return false;
	moment->zone_s = sign * (hours * 3600 + minutes * 60);
	return true;
}

static bool take_date(const char **text, struct moment *moment)
{
	if (!take_number(text, 4, 1970, 2200, &moment->year) || !take_char(text, "-") ||
	    !take_number(text, 2, 1, 12, &moment->month) || !take_char(text, "-") ||
	    !take_number(text, 2, 1, 31, &moment->day))
		return false;
	if (!**text)
		return true;
	return take_char(text, "Tt ") && take_clock(text, moment) && take_zone(text, moment);
}

int moment_parse(const char *text, struct moment *ret_moment)
{
	struct moment moment = {};
	bool good;

	if (*text == '-') {
		moment.kind = MOMENT_AGO;
		good = !units_duration(text + 1, &moment.ago_ns);
		text = "";
	} else if (strlen(text) > 2 && text[2] == ':') {
		moment.kind = MOMENT_CLOCK;
		good = take_clock(&text, &moment);
	} else {
		moment.kind = MOMENT_DATE;
		good = take_date(&text, &moment);
	}
	if (!good || *text)
		return -EINVAL;
	*ret_moment = moment;
	return 0;
}

static int64_t date_ns(const struct moment *moment, struct tm *date)
{
	time_t seconds;

	date->tm_hour = moment->hour;
	date->tm_min = moment->minute;
	date->tm_sec = moment->second;
	date->tm_isdst = -1; /* whatever is in force then */
	seconds = moment->has_zone ? timegm(date) - moment->zone_s : mktime(date);
	return seconds * NSEC_PER_SEC + moment->fraction_ns;
}

static int64_t clock_ns(const struct moment *moment, int64_t now_ns)
{
	time_t now = now_ns / NSEC_PER_SEC;
	struct tm date, before;
	int64_t ns;

	(void)localtime_r(&now, &date);
	before = date;
	before.tm_mday--;
	ns = date_ns(moment, &date);
	return ns <= now_ns ? ns : date_ns(moment, &before);
}

int64_t moment_resolve(const struct moment *moment, int64_t now_ns)
{
	struct tm date = {
		.tm_year = moment->year - 1900,
		.tm_mon = moment->month - 1,
		.tm_mday = moment->day,
	};

	if (moment->kind == MOMENT_CLOCK)
		return clock_ns(moment, now_ns);
	if (moment->kind == MOMENT_DATE)
		return date_ns(moment, &date);
	return now_ns - (int64_t)moment->ago_ns;
}
