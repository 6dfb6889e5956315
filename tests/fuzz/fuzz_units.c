/* SPDX-License-Identifier: GPL-2.0-only */
/* What people type as one value: numbers, durations, sizes, ports, hosts, times. */
#include <stdlib.h>
#include <string.h>

#include "cli/moment.h"
#include "cli/units.h"
#include "driver.h"
#include "sink/text.h"

#define NSEC_PER_DAY (86400ULL * 1000000000ULL)

/* As it is written it means the same. */
static void check_host(const char *text)
{
	struct sw_host_key host, again;
	char written[UNITS_HOST_LEN], shown[TEXT_ADDRESS_SIZE];

	if (units_host(text, &host))
		return;
	units_host_mask(&host);
	units_host_format(&host, written);
	if (units_host(written, &again) || memcmp(&host, &again, sizeof(host)))
		abort();
	if (text_address(shown, host.addr) >= sizeof(shown))
		abort();
}

static void check_moment(const char *text)
{
	static const int64_t nows[] = {0, 1, 1800000000000000000, INT64_MAX / 2};
	struct moment moment;

	if (moment_parse(text, &moment))
		return;
	if (moment.kind == MOMENT_NONE)
		abort();
	for (size_t i = 0; i < sizeof(nows) / sizeof(*nows); i++) {
		int64_t ns = moment_resolve(&moment, nows[i]);

		if (moment.kind != MOMENT_DATE && ns > nows[i])
			abort();
	}
}

static void check_numbers(const char *text)
{
	struct units_ports ports;
	char shown[TEXT_DURATION_SIZE];
	uint64_t value;

	if (!units_number(text, 7, 70000, &value) && (value < 7 || value > 70000))
		abort();
	if (!units_size(text, &value) && value > INT64_MAX)
		abort();
	if (!units_ports(text, &ports) && (!ports.first || ports.first > ports.last))
		abort();
	if (units_duration(text, &value))
		return;
	if (value > UNITS_DURATION_MAX_DAYS * NSEC_PER_DAY ||
	    text_duration(shown, value) >= sizeof(shown))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	if (!text)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	check_numbers(text);
	check_host(text);
	check_moment(text);
	free(text);
	return 0;
}
