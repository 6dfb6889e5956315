/* SPDX-License-Identifier: GPL-2.0-only */
#include "store/capture.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/eventfd.h>

#include <linux/types.h>

#include "cli/log.h"
#include "core/batch.h"
#include "store/writer.h"
#include "synwatch/record.h"

/* A commit so often: with the time that it takes itself, less than a second is at risk. */
#define BATCH_MS 400

/* While it cannot write it tries so often. */
#define RETRY_ROUNDS 5

/* What may wait: as much again is in the writer's hands. With --all, two seconds of
 * 50,000 records each; without, many minutes of trouble. */
#define QUEUE_BYTES (32U << 20)
/* The writer does not wait for its time when so much has come. */
#define QUEUE_WAKE (4U << 20)

struct capture {
	struct writer_options options;
	struct writer *writer;
	pthread_t thread;
	int wake_fd;
	/* Shared, under the lock. */
	pthread_mutex_t lock;
	struct batch queue;
	uint64_t lost;	     /* records, since there was no room for one */
	uint64_t lost_told;  /* before, in records of loss, since the interruption */
	uint64_t newest_ns;  /* the newest record's time */
	uint64_t advance_ns; /* what the engine was told last */
	uint64_t end_ns;     /* with stop */
	bool woken;	     /* for what is in the queue */
	bool stop;
	/* The thread's. */
	struct batch batch; /* what it took from the queue, and has written up to: */
	size_t written;
	uint64_t now_ns;
	bool interrupted;
	bool late; /* it was said that the disk is too slow */
	unsigned int rounds;
};

/* --- the caller's side --- */

static void wake(struct capture *capture)
{
	const uint64_t one = 1;

	/* Cannot fail: the count is far from its limit. */
	(void)!write(capture->wake_fd, &one, sizeof(one));
	capture->woken = true;
}

/* What was lost so far, where it would have been. False when there is no room even for
 * that. */
static bool put_loss(struct capture *capture)
{
	const struct sw_loss loss = {
		.header = {.size = sizeof(loss),
			   .kind = SW_LOSS,
			   .version = SW_ABI_VERSION,
			   .time_ns = capture->newest_ns},
		.ring = capture->lost,
	};

	if (!capture->lost)
		return true;
	if (!batch_put(&capture->queue, 0, &loss, sizeof(loss), QUEUE_BYTES))
		return false;
	capture->lost_told += capture->lost;
	capture->lost = 0;
	return true;
}

void capture_append(struct capture *capture, const void *data, size_t size)
{
	const struct sw_header *header = data;
	uint64_t advance_ns;

	(void)pthread_mutex_lock(&capture->lock);
	advance_ns = capture->advance_ns > capture->newest_ns ? capture->advance_ns : 0;
	if (!put_loss(capture) ||
	    !batch_put(&capture->queue, advance_ns, data, (uint32_t)size, QUEUE_BYTES))
		capture->lost++;
	if (size >= sizeof(*header) && header->time_ns > capture->newest_ns)
		capture->newest_ns = header->time_ns;
	if (capture->queue.used > QUEUE_WAKE && !capture->woken)
		wake(capture);
	(void)pthread_mutex_unlock(&capture->lock);
}

void capture_advance(struct capture *capture, uint64_t now_ns)
{
	(void)pthread_mutex_lock(&capture->lock);
	if (now_ns > capture->advance_ns)
		capture->advance_ns = now_ns;
	(void)pthread_mutex_unlock(&capture->lock);
}

/* --- the thread's side --- */

/* Takes what has come, if what came before is written. Returns whether this is the end. */
static bool take(struct capture *capture)
{
	bool stop;

	(void)pthread_mutex_lock(&capture->lock);
	if (capture->written == capture->batch.used) {
		struct batch empty = capture->batch;

		empty.used = 0;
		capture->batch = capture->queue;
		capture->written = 0;
		capture->queue = empty;
		(void)put_loss(capture);
		capture->now_ns = capture->advance_ns;
		capture->woken = false;
	}
	stop = capture->stop;
	(void)pthread_mutex_unlock(&capture->lock);
	return stop;
}

static void wait_round(struct capture *capture)
{
	struct pollfd wait = {.fd = capture->wake_fd, .events = POLLIN};
	uint64_t count;

	if (poll(&wait, 1, BATCH_MS) > 0)
		(void)!read(capture->wake_fd, &count, sizeof(count));
}

static bool is_written(const struct capture *capture)
{
	return capture->written == capture->batch.used;
}

static void interrupt(struct capture *capture, int err)
{
	writer_abandon(capture->writer);
	capture->rounds = 0;
	if (capture->interrupted)
		return;
	capture->interrupted = true;
	(void)pthread_mutex_lock(&capture->lock);
	capture->lost_told = 0;
	(void)pthread_mutex_unlock(&capture->lock);
	log_warning("recording into %s is interrupted: %s; the watch goes on, and so will the "
		    "recording when it can",
		    capture->options.path, writer_explain(err));
}

/* Returns 0 when it records again. */
static int resume(struct capture *capture)
{
	int err = writer_open(capture->writer);

	if (!err)
		err = writer_write(capture->writer, &capture->batch, &capture->written,
				   capture->now_ns);
	return err;
}

static void tell_resumed(struct capture *capture)
{
	uint64_t lost;

	(void)pthread_mutex_lock(&capture->lock);
	lost = capture->lost + capture->lost_told;
	(void)pthread_mutex_unlock(&capture->lock);
	capture->interrupted = false;
	if (lost)
		log_info("recording into %s goes on; %" PRIu64 " records are missing in it",
			 capture->options.path, lost);
	else
		log_info("recording into %s goes on, nothing is missing in it",
			 capture->options.path);
}

static void tell_late(struct capture *capture)
{
	bool lost;

	(void)pthread_mutex_lock(&capture->lock);
	lost = capture->lost || capture->lost_told;
	(void)pthread_mutex_unlock(&capture->lock);
	if (!lost || capture->late || capture->interrupted)
		return;
	capture->late = true;
	log_warning("recording into %s does not keep up: what is missing in it is counted there "
		    "as lost",
		    capture->options.path);
}

static void record(struct capture *capture, bool stop)
{
	int err;

	if (capture->interrupted) {
		if (++capture->rounds < RETRY_ROUNDS && !stop)
			return;
		err = resume(capture);
		if (!err)
			tell_resumed(capture);
	} else {
		tell_late(capture);
		err = writer_write(capture->writer, &capture->batch, &capture->written,
				   capture->now_ns);
	}
	if (err)
		interrupt(capture, err);
}

/* The end: what is in the queue, too, and no second try. */
static void finish(struct capture *capture)
{
	int err = 0;

	while (!capture->interrupted && (take(capture), !is_written(capture)))
		record(capture, true);
	if (!capture->interrupted)
		err = writer_close(capture->writer, capture->end_ns);
	if (err || capture->interrupted)
		log_warning("the end of the watch is missing in %s", capture->options.path);
}

static void *run(void *ctx)
{
	struct capture *capture = ctx;
	bool stop;

	do {
		wait_round(capture);
		stop = take(capture);
		record(capture, stop);
	} while (!stop);
	finish(capture);
	return NULL;
}

/* --- both --- */

/* Signals are the watch's to receive. */
static int start(struct capture *capture)
{
	sigset_t all, before;
	int err;

	(void)sigfillset(&all);
	err = pthread_sigmask(SIG_SETMASK, &all, &before);
	if (err)
		return -err;
	err = pthread_create(&capture->thread, NULL, run, capture);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -err;
}

static struct capture *release(struct capture *capture)
{
	writer_free(capture->writer);
	if (capture->wake_fd >= 0)
		(void)close(capture->wake_fd);
	(void)pthread_mutex_destroy(&capture->lock);
	free(capture->queue.data);
	free(capture->batch.data);
	free(capture);
	return NULL;
}

int capture_open(const struct capture_options *options, struct capture **ret_capture)
{
	struct capture *capture = calloc(1, sizeof(*capture));
	int err = 0;

	if (!capture)
		return -ENOMEM;
	(void)pthread_mutex_init(&capture->lock, NULL);
	capture->options = (struct writer_options){
		.path = options->path,
		.session = options->session,
		.stall_after_ns = options->stall_after_ns,
		.all = options->all,
		.max_size = options->max_size ? options->max_size : CAPTURE_SIZE_DEFAULT,
		.max_age_ns = options->max_age_ns,
	};
	capture->newest_ns = options->session->start_ns;
	capture->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (capture->wake_fd < 0)
		err = -errno;
	capture->writer = writer_new(&capture->options);
	if (!capture->writer)
		err = -ENOMEM;
	if (!err)
		err = writer_open(capture->writer);
	if (!err)
		err = start(capture);
	if (err) {
		log_error("cannot record into %s: %s", options->path, writer_explain(err));
		release(capture);
		return err;
	}
	*ret_capture = capture;
	return 0;
}

struct capture *capture_close(struct capture *capture, uint64_t end_ns)
{
	if (!capture)
		return NULL;
	(void)pthread_mutex_lock(&capture->lock);
	capture->end_ns = end_ns;
	capture->stop = true;
	wake(capture);
	(void)pthread_mutex_unlock(&capture->lock);
	(void)pthread_join(capture->thread, NULL);
	return release(capture);
}
