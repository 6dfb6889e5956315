/* SPDX-License-Identifier: GPL-2.0-only */
#include "source/inflow.h"

#include <errno.h>
#include <stdlib.h>

#include <bpf/libbpf.h>

#include "core/batch.h"

/* What may wait, and room for one more record of any kind. What the ring then has no room
 * for, the kernel side counts. */
#define WAITING_BYTES (32U << 20)
#define RECORD_BYTES  4096U

/* No more than this is kept when all has been told. */
#define KEPT_BYTES (256U << 10)

/* Told before the ring is looked at again. */
#define TOLD_AT_ONCE 128

/* Told before signals and timers get their turn. */
#define TOLD_MAX 65536

struct inflow {
	struct ring_buffer *ring;
	struct batch waiting;
	size_t told; /* bytes of what waits */
	inflow_fn *tell;
	void *ctx;
};

static void forget_told(struct inflow *inflow)
{
	inflow->told = inflow->waiting.used = 0;
	if (inflow->waiting.room <= KEPT_BYTES)
		return;
	free(inflow->waiting.data);
	inflow->waiting = (struct batch){};
}

/* Returns how many. */
static unsigned int tell_some(struct inflow *inflow)
{
	unsigned int count = 0;

	for (; count < TOLD_AT_ONCE && inflow->told < inflow->waiting.used; count++) {
		const struct batch_item *item = (const void *)(inflow->waiting.data + inflow->told);

		inflow->told += batch_room(item->size);
		inflow->tell(inflow->ctx, item + 1, item->size);
	}
	if (inflow->told == inflow->waiting.used)
		forget_told(inflow);
	return count;
}

/* Whatever it returns, the record has been taken out of the ring. */
static int on_record(void *ctx, void *data, size_t size)
{
	struct inflow *inflow = ctx;

	if (!batch_put(&inflow->waiting, 0, data, (uint32_t)size, WAITING_BYTES + RECORD_BYTES)) {
		while (tell_some(inflow))
			;
		inflow->tell(inflow->ctx, data, size);
	}
	return inflow->waiting.used < WAITING_BYTES ? 0 : -EAGAIN;
}

int inflow_open(int map_fd, inflow_fn *tell, void *ctx, struct inflow **ret_inflow)
{
	struct inflow *inflow = calloc(1, sizeof(*inflow));
	int err;

	if (!inflow)
		return -ENOMEM;
	inflow->tell = tell;
	inflow->ctx = ctx;
	inflow->ring = ring_buffer__new(map_fd, on_record, inflow, /* opts= */ NULL);
	if (!inflow->ring) {
		err = -errno;
		inflow_free(inflow);
		return err;
	}
	*ret_inflow = inflow;
	return 0;
}

struct inflow *inflow_free(struct inflow *inflow)
{
	if (!inflow)
		return NULL;
	ring_buffer__free(inflow->ring);
	free(inflow->waiting.data);
	free(inflow);
	return NULL;
}

int inflow_fd(const struct inflow *inflow)
{
	return ring_buffer__epoll_fd(inflow->ring);
}

int inflow_drain(struct inflow *inflow)
{
	unsigned int count, told = 0;

	do {
		(void)ring_buffer__consume(inflow->ring);
		count = tell_some(inflow);
		told += count;
	} while (count && told < TOLD_MAX);
	return count ? -EAGAIN : 0;
}
