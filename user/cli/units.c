/* SPDX-License-Identifier: GPL-2.0-only */
#include "cli/units.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#define NSEC_PER_MSEC 1000000ULL
#define NSEC_PER_SEC  (1000 * NSEC_PER_MSEC)
#define NSEC_PER_DAY  (86400 * NSEC_PER_SEC)

static const struct {
	const char *suffix;
	uint64_t ns;
} duration_units[] = {
	{"ms", NSEC_PER_MSEC},	    {"s", NSEC_PER_SEC}, {"m", 60 * NSEC_PER_SEC},
	{"h", 3600 * NSEC_PER_SEC}, {"d", NSEC_PER_DAY},
};

/* strtoull() would take blanks, a sign and, in some locales, more. */
static int parse_digits(const char *text, const char **ret_end, uint64_t *ret_value)
{
	uint64_t value = 0;
	const char *c;

	for (c = text; *c >= '0' && *c <= '9'; c++) {
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*c - '0'), &value))
			return -ERANGE;
	}
	if (c == text)
		return -EINVAL;

	*ret_end = c;
	*ret_value = value;
	return 0;
}

int units_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret_value)
{
	const char *end;
	uint64_t value;
	int err;

	/* The form first: "99999999999999999999x" is no number at all. */
	if (text[strspn(text, "0123456789")])
		return -EINVAL;
	err = parse_digits(text, &end, &value);
	if (err)
		return err;
	if (value < min || value > max)
		return -ERANGE;

	*ret_value = value;
	return 0;
}

int units_duration(const char *text, uint64_t *ret_ns)
{
	const char *suffix = text + strspn(text, "0123456789");
	uint64_t value;
	int err;

	for (size_t i = 0; i < ARRAY_SIZE(duration_units); i++) {
		if (strcmp(suffix, duration_units[i].suffix))
			continue;
		err = parse_digits(text, &suffix, &value);
		if (err)
			return err;
		if (value > UNITS_DURATION_MAX_DAYS * NSEC_PER_DAY / duration_units[i].ns)
			return -ERANGE;
		*ret_ns = value * duration_units[i].ns;
		return 0;
	}
	return -EINVAL;
}

int units_size(const char *text, uint64_t *ret_bytes)
{
	static const char units[] = "KMGT";
	const char *end = text + strspn(text, "0123456789");
	const char *unit = *end && !end[1] ? strchr(units, *end) : NULL;
	unsigned int shift;
	uint64_t value;
	int err;

	if (!unit)
		return -EINVAL;
	err = parse_digits(text, &end, &value);
	if (err)
		return err;
	shift = 10 * (unsigned int)(unit - units + 1);
	/* A file's length is signed. */
	if (value > (uint64_t)INT64_MAX >> shift)
		return -ERANGE;

	*ret_bytes = value << shift;
	return 0;
}

int units_ports(const char *text, struct units_ports *ret_ports)
{
	const char *dash = strchr(text, '-');
	uint64_t first, last;
	char head[16];
	int err;

	if (!dash) {
		err = units_number(text, 1, UINT16_MAX, &first);
		last = first;
	} else {
		if ((size_t)(dash - text) >= sizeof(head))
			return -EINVAL;
		memcpy(head, text, dash - text);
		head[dash - text] = '\0';
		err = units_number(head, 1, UINT16_MAX, &first);
		if (!err)
			err = units_number(dash + 1, 1, UINT16_MAX, &last);
	}
	if (err)
		return err;
	if (last < first)
		return -EDOM;

	*ret_ports = (struct units_ports){.first = first, .last = last};
	return 0;
}

static bool is_v4(const struct sw_host_key *host)
{
	static const __u8 mapped[12] = {[10] = 0xff, [11] = 0xff};

	return host->prefix_len >= 96 && !memcmp(host->addr, mapped, sizeof(mapped));
}

static int parse_address(const char *text, struct sw_host_key *ret_host, unsigned int *ret_bits)
{
	size_t len = strlen(text);
	char plain[INET6_ADDRSTRLEN];
	struct sw_host_key host = {.prefix_len = 128};

	if (inet_pton(AF_INET, text, host.addr + 12) == 1) {
		host.addr[10] = host.addr[11] = 0xff;
		*ret_host = host;
		*ret_bits = 32;
		return 0;
	}
	if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	}
	if (len >= sizeof(plain))
		return -EINVAL;
	memcpy(plain, text, len);
	plain[len] = '\0';
	if (inet_pton(AF_INET6, plain, host.addr) != 1)
		return -EINVAL;

	*ret_host = host;
	*ret_bits = 128;
	return 0;
}

int units_host(const char *text, struct sw_host_key *ret_host)
{
	const char *slash = strchrnul(text, '/');
	char address[UNITS_HOST_LEN];
	struct sw_host_key host;
	unsigned int bits;
	uint64_t len;
	int err;

	if ((size_t)(slash - text) >= sizeof(address))
		return -EINVAL;
	memcpy(address, text, slash - text);
	address[slash - text] = '\0';
	err = parse_address(address, &host, &bits);
	if (err)
		return err;
	if (*slash) {
		err = units_number(slash + 1, 0, bits, &len);
		if (err)
			return err;
		host.prefix_len = 128 - bits + len;
	}

	*ret_host = host;
	return 0;
}

void units_host_mask(struct sw_host_key *host)
{
	for (unsigned int i = 0; i < sizeof(host->addr); i++) {
		unsigned int first = i * 8;

		if (host->prefix_len <= first)
			host->addr[i] = 0;
		else if (host->prefix_len < first + 8)
			host->addr[i] &= 0xff00 >> (host->prefix_len - first);
	}
}

void units_host_format(const struct sw_host_key *host, char *text)
{
	char address[INET6_ADDRSTRLEN];
	bool v4 = is_v4(host);

	/* Cannot fail: both families are known and the buffer is large enough. */
	if (v4)
		inet_ntop(AF_INET, host->addr + 12, address, sizeof(address));
	else
		inet_ntop(AF_INET6, host->addr, address, sizeof(address));
	snprintf(text, UNITS_HOST_LEN, "%s/%u", address, host->prefix_len - (v4 ? 96 : 0));
}
