/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Records into the engine and both sinks: the input is records, one after the other, of
 * the size that each says it has.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/types.h>

#include "core/engine.h"
#include "driver.h"
#include "sink/sink.h"
#include "synwatch/record.h"

struct sinks {
	struct sink *json;
	struct sink *terminal;
};

static void on_report(void *ctx, const struct report *report)
{
	struct sinks *sinks = ctx;

	if (sink_report(sinks->json, report) || sink_report(sinks->terminal, report))
		abort();
}

static void feed(struct engine *engine, const uint8_t *data, size_t size)
{
	while (size >= sizeof(struct sw_header)) {
		struct sw_header header;
		size_t length;
		void *record;

		memcpy(&header, data, sizeof(header));
		length = header.size < sizeof(header) ? sizeof(header) : header.size;
		if (length > size)
			length = size;
		/* Of its own, so that reading on behind it is noticed. */
		record = malloc(length);
		if (!record)
			return;
		memcpy(record, data, length);
		(void)engine_feed(engine, record, length);
		if (header.reserved & 1)
			engine_advance(engine, header.time_ns + header.reserved);
		free(record);
		data += length;
		size -= length;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct sink_terminal_options terminal = {.width = 100, .color = true};
	struct engine_options options = {.capacity = 100};
	struct sinks sinks;
	struct engine *engine;
	FILE *out;

	if (size) {
		options.all = data[size - 1] & 1;
		options.stall_after_ns = data[size - 1] & 2 ? 5000000000 : 0;
	}
	out = fopen("/dev/null", "w");
	if (!out)
		return 0;
	sinks.json = sink_json_new(out);
	sinks.terminal = sink_terminal_new(out, &terminal);
	engine = engine_new(&options, on_report, &sinks);
	if (!sinks.json || !sinks.terminal || !engine)
		abort();
	feed(engine, data, size);
	engine_finish(engine, 0);
	engine_free(engine);
	sink_free(sinks.json);
	sink_free(sinks.terminal);
	fclose(out);
	return 0;
}
