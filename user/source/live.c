/* SPDX-License-Identifier: GPL-2.0-only */
#include "source/live.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "cli/log.h"
#include "source/clock.h"
#include "source/hooks.h"
#include "source/host.h"
#include "source/inflow.h"
#include "source/kernel_names.h"
#include "source/libbpf_log.h"
#include "source/loader.h"
#include "source/privileges.h"
#include "source/seed.h"
#include "source/totals.h"

#include "synwatch/config.h"
#include "synwatch/record.h"

#include "synwatch.skel.h"

#define NSEC_PER_SEC  1000000000ULL
#define NSEC_PER_MSEC 1000000ULL

/* The reader looks this often even if nobody wakes it, and that is also how
 * late a deadline may be noticed (never how it is dated). */
#define TICK_NS (100 * NSEC_PER_MSEC)
/* Handshakes that no event announces are found this soon after they are due. */
#define SWEEP_NS (200 * NSEC_PER_MSEC)
/* Counts of the healthy, program misses and the wall clock. */
#define COUNTS_NS NSEC_PER_SEC

/* How long after its last trouble a listener's victims are still named. */
#define TROUBLE_NS (10 * NSEC_PER_SEC)

/* A clock step or drift worth a record. */
#define CLOCK_SLACK_NS NSEC_PER_MSEC

struct live {
	struct source source;
	struct session session;
	struct synwatch *skeleton;
	struct hooks hooks;
	struct inflow *inflow;
	struct kernel_names *names;
	int epoll_fd;
	int signal_fd;
	int timer_fd;
	uint64_t duration_ns;
	const struct source_events *events; /* while running */
	bool behind;			    /* records wait that have been taken out of the ring */
	uint64_t newest_ns;		    /* time of the last record */
	uint64_t last_sweep_ns;
	uint64_t last_counts_ns;
	int64_t wall_offset_ns;
	struct sw_totals seen;
};

static void deliver(struct live *live, struct sw_header *header, enum sw_kind kind, uint16_t size,
		    uint64_t now)
{
	*header = (struct sw_header){
		.size = size, .kind = kind, .version = SW_ABI_VERSION, .time_ns = now};
	live->events->record(live->events->ctx, header, size);
}

static void on_name(void *ctx, enum sw_name_of of, uint64_t number, const char *text)
{
	struct sw_name name = {.of = of, .number = number};
	struct live *live = ctx;

	(void)snprintf(name.name, sizeof(name.name), "%s", text);
	deliver(live, &name.header, SW_NAME, sizeof(name), live->newest_ns);
}

static void on_record(void *ctx, const void *data, size_t size)
{
	const struct sw_handshake *record = data;
	struct live *live = ctx;

	/* The kernel side sends nothing else, and aligned. */
	live->newest_ns = record->header.time_ns;
	if (record->header.kind == SW_CROWD)
		kernel_names_of_reason(live->names, ((const struct sw_crowd *)data)->reason);
	else if (record->flags & SW_F_DROP)
		kernel_names_of_drop(live->names, &record->drop);
	live->events->record(live->events->ctx, data, size);
}

/* What is overdue, and what listeners threw away, arrives through the ring like
 * everything else. */
static void sweep(struct live *live, uint64_t now)
{
	struct synwatch__bss *kernel = live->skeleton->bss;
	int err = hooks_sweep(&live->hooks, kernel->swept, now);

	if (err)
		log_debug("cannot sweep: %s", strerror(-err));
	err = hooks_name_victims(&live->hooks, live->skeleton->obj,
				 kernel->trouble_ns && now < kernel->trouble_ns + TROUBLE_NS);
	if (err)
		log_debug("cannot attach consume_skb: %s", strerror(-err));
}

/* What only the user side can know: counts, losses, the wall clock. */
static void look_around(struct live *live, uint64_t now)
{
	uint64_t missed = hooks_missed(live->skeleton->obj);
	int64_t offset = clock_wall_offset_ns();
	struct sw_totals totals;

	live->last_counts_ns = now;
	if (!totals_read(bpf_map__fd(live->skeleton->maps.totals), &totals)) {
		struct sw_counts counts;
		struct sw_loss loss;

		/* Runs that the kernel refused, and what the programs made up for. */
		totals.missed += missed;
		if (totals_counts(&totals, &live->seen, &counts))
			deliver(live, &counts.header, SW_COUNTS, sizeof(counts), now);
		if (totals_loss(&totals, &live->seen, &loss))
			deliver(live, &loss.header, SW_LOSS, sizeof(loss), now);
		live->seen = totals;
	}
	if (llabs(offset - live->wall_offset_ns) > (long long)CLOCK_SLACK_NS) {
		struct sw_clock clock = {.offset_ns = offset};

		live->wall_offset_ns = offset;
		deliver(live, &clock.header, SW_CLOCK, sizeof(clock), now);
	}
}

/* Everything that became due by now. Returns what idle() returned. */
static int turn(struct live *live)
{
	uint64_t now = clock_monotonic_ns();
	bool empty = inflow_drain(live->inflow) == 0;

	if (now - live->last_sweep_ns >= SWEEP_NS) {
		live->last_sweep_ns = now;
		sweep(live, now);
		empty = inflow_drain(live->inflow) == 0;
	}
	/* Records that came while it was drained are younger than now. */
	if (now - live->last_counts_ns >= COUNTS_NS)
		look_around(live, now > live->newest_ns ? now : live->newest_ns);
	/* Only an empty ring proves that nothing older than now is outstanding. */
	if (empty)
		live->events->advance(live->events->ctx, now);
	live->behind = !empty;
	return live->events->idle(live->events->ctx);
}

/* Waits for the ring, the tick or a signal. Returns 1 when told to stop. */
static int wait_turn(struct live *live, uint64_t end_ns)
{
	struct epoll_event event;
	int count = epoll_wait(live->epoll_fd, &event, 1, live->behind ? 0 : -1);
	uint64_t expirations;

	if (count < 0)
		return errno == EINTR ? 0 : -errno;
	if (!count)
		return end_ns && clock_monotonic_ns() >= end_ns;
	if (event.data.fd == live->signal_fd || event.data.fd == STDOUT_FILENO)
		return 1;
	if (event.data.fd == live->timer_fd)
		(void)!read(live->timer_fd, &expirations, sizeof(expirations));
	return end_ns && clock_monotonic_ns() >= end_ns;
}

static int live_run(struct source *source, const struct source_events *events, uint64_t *ret_end_ns)
{
	struct live *live = (struct live *)source;
	uint64_t end_ns = live->duration_ns ? live->session.start_ns + live->duration_ns : 0;
	int stop = 0;

	live->events = events;
	while (!stop) {
		stop = wait_turn(live, end_ns);
		if (!stop)
			stop = turn(live);
	}
	live->skeleton->bss->flushing = true;
	sweep(live, clock_monotonic_ns());
	/* Nothing new from here on; then what is still in the ring. */
	hooks_done(&live->hooks);
	while (inflow_drain(live->inflow) == -EAGAIN)
		;
	*ret_end_ns = clock_monotonic_ns();
	look_around(live, *ret_end_ns);
	return stop < 0 ? stop : 0;
}

static const struct session *live_session(const struct source *source)
{
	return &((const struct live *)source)->session;
}

static void live_free(struct source *source)
{
	struct live *live = (struct live *)source;
	const int fds[] = {live->epoll_fd, live->signal_fd, live->timer_fd};

	hooks_done(&live->hooks);
	inflow_free(live->inflow);
	kernel_names_free(live->names);
	synwatch__destroy(live->skeleton);
	for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++) {
		if (fds[i] >= 0)
			(void)close(fds[i]);
	}
	free(live->session.addresses);
	free(live);
}

static const struct source_ops live_ops = {
	.name = "live",
	.session = live_session,
	.run = live_run,
	.free = live_free,
};

static void describe(struct session *session, const struct live_options *options)
{
	session->live = true;
	(void)snprintf(session->version, sizeof(session->version), "%s", options->version);
	host_describe(session->host, sizeof(session->host), session->kernel,
		      sizeof(session->kernel));
	(void)host_read("/proc/sys/kernel/random/boot_id", session->boot_id,
			sizeof(session->boot_id));
	for (unsigned int i = 0; i < options->word_count; i++)
		session->filters[session->filter_count++] = options->words[i];
}

static int attach(struct live *live, struct obstacle *why)
{
	int err = -ENOMEM;

	live->hooks.quiet_ns = live->skeleton->rodata->config.quiet_ns;
	live->names = kernel_names_new(on_name, live);
	if (live->names)
		err = inflow_open(bpf_map__fd(live->skeleton->maps.records), on_record, live,
				  &live->inflow);
	if (!err)
		err = hooks_attach(&live->hooks, live->skeleton->obj, &live->session);
	if (err)
		obstacle_refused(why, err);
	live->skeleton->bss->answers_told = live->hooks.answers_told;
	return err;
}

/* What this process may look at, for those who wonder what they do not see. */
static void note_reach(struct live *live, const struct seed_reach *seed)
{
	char text[64] = "";

	if (seed->confined)
		(void)snprintf(text, sizeof(text), "they take CAP_SYS_ADMIN to enter");
	else if (!live->hooks.seed)
		(void)snprintf(text, sizeof(text), "it takes tcp_iter");
	else if (seed->unreachable)
		(void)snprintf(text, sizeof(text), "%zu cannot be entered", seed->unreachable);
	(void)session_add_hook(&live->session, "other_netns", text);
	(void)session_add_hook(
		&live->session, "owners",
		privileges_may_look()
			? ""
			: "those of others take CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH");
	(void)session_add_hook(&live->session, "places",
			       kernel_names_has_places(live->names) ? ""
								    : "addresses take CAP_SYSLOG");
}

/* What is under way already; its records wait in the ring. */
static int adopt(struct live *live, const struct filter *filter, struct obstacle *why)
{
	struct seed_reach reach = {};
	int err = 0;

	if (live->hooks.seed)
		err = seed_run(live->hooks.seed, bpf_map__fd(live->skeleton->maps.seed_owners),
			       filter, &live->session, &reach);
	live->skeleton->bss->seeding = false;
	live->skeleton->bss->watching_ns = clock_monotonic_ns();
	note_reach(live, &reach);
	if (err)
		obstacle_say(why, "start it again",
			     "there is no way back into its own network namespace (%s)",
			     strerror(-err));
	return err;
}

/* What the watch does with the kernel from now on. */
static int rehearse(void *ctx)
{
	struct live *live = ctx;
	struct sw_totals totals;
	int err = totals_read(bpf_map__fd(live->skeleton->maps.totals), &totals);

	return err ? err : hooks_rehearse(&live->hooks, live->skeleton->obj);
}

static int give_up_privileges(struct live *live, const char *write, struct obstacle *why)
{
	int err = privileges_drop(rehearse, live, write);

	if (err)
		obstacle_say(why, "report that, with the output of -v",
			     "the privileges that are no longer needed cannot be given up (%s)",
			     strerror(-err));
	return err;
}

static int watch_fd(const struct live *live, int fd, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.fd = fd};

	return epoll_ctl(live->epoll_fd, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

static int open_loop(struct live *live)
{
	const struct itimerspec tick = {
		.it_interval.tv_nsec = TICK_NS,
		.it_value.tv_nsec = TICK_NS,
	};
	struct sigaction hangup;
	sigset_t stops;
	int err;

	(void)sigemptyset(&stops);
	(void)sigaddset(&stops, SIGINT);
	(void)sigaddset(&stops, SIGTERM);
	/* nohup wants it ignored */
	if (!sigaction(SIGHUP, NULL, &hangup) && hangup.sa_handler != SIG_IGN)
		(void)sigaddset(&stops, SIGHUP);
	(void)sigprocmask(SIG_BLOCK, &stops, NULL);
	live->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	live->signal_fd = signalfd(-1, &stops, SFD_CLOEXEC | SFD_NONBLOCK);
	live->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (live->epoll_fd < 0 || live->signal_fd < 0 || live->timer_fd < 0 ||
	    timerfd_settime(live->timer_fd, 0, &tick, NULL))
		return -errno;
	err = watch_fd(live, inflow_fd(live->inflow), EPOLLIN);
	if (!err)
		err = watch_fd(live, live->signal_fd, EPOLLIN);
	if (!err)
		err = watch_fd(live, live->timer_fd, EPOLLIN);
	/* A reader that goes away ends the watch, even a silent one. Regular files
	 * cannot be polled and do not go away. */
	(void)watch_fd(live, STDOUT_FILENO, EPOLLERR);
	return err;
}

int live_open(const struct live_options *options, struct obstacle *ret_why,
	      struct source **ret_source)
{
	struct live *live = calloc(1, sizeof(*live));
	int err;

	if (!live) {
		obstacle_say(ret_why, "free some", "there is no memory");
		return -ENOMEM;
	}
	live->source.ops = &live_ops;
	live->epoll_fd = live->signal_fd = live->timer_fd = -1;
	live->duration_ns = options->duration_ns;
	libbpf_log_quiet();
	describe(&live->session, options);
	err = loader_load(options, &live->session, ret_why, &live->skeleton);
	if (!err)
		err = attach(live, ret_why);
	if (err)
		goto fail;
	err = open_loop(live);
	if (err) {
		obstacle_say(ret_why, "raise the limit of open files (ulimit -n)",
			     "the event loop cannot be set up (%s)", strerror(-err));
		goto fail;
	}
	live->session.start_ns = clock_monotonic_ns();
	live->session.wall_offset_ns = live->wall_offset_ns = clock_wall_offset_ns();
	err = adopt(live, options->filter, ret_why);
	if (!err)
		err = give_up_privileges(live, options->write, ret_why);
	if (err)
		goto fail;
	*ret_source = &live->source;
	return 0;
fail:
	live_free(&live->source);
	return err;
}
