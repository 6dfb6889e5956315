/* SPDX-License-Identifier: GPL-2.0-only */
#include "core/batch.h"

#include <stdlib.h>
#include <string.h>

static bool grow(struct batch *batch, size_t needed, size_t max)
{
	size_t room = batch->room ? batch->room : 16384;
	char *data;

	while (room < needed)
		room *= 2;
	if (room > max)
		room = max;
	data = realloc(batch->data, room);
	if (!data)
		return false;
	batch->data = data;
	batch->room = room;
	return true;
}

bool batch_put(struct batch *batch, uint64_t advance_ns, const void *data, uint32_t size,
	       size_t max)
{
	struct batch_item item = {.advance_ns = advance_ns, .size = size};
	size_t needed = batch->used + batch_room(size);

	if (needed > max || (needed > batch->room && !grow(batch, needed, max)))
		return false;
	memcpy(batch->data + batch->used, &item, sizeof(item));
	memcpy(batch->data + batch->used + sizeof(item), data, size);
	batch->used = needed;
	return true;
}
