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
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/utsname.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "cli/log.h"
#include "source/clock.h"
#include "source/exchange.h"
#include "source/hooks.h"
#include "source/kernel_names.h"
#include "source/knobs.h"
#include "source/seed.h"

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

/* The first retransmission is due after 1 s and may come an eighth late; only
 * a handshake that is silent beyond that is worth a look. */
#define QUIET_DEFAULT_NS (1175 * NSEC_PER_MSEC)

/* How long after its last trouble a listener's victims are still named. */
#define TROUBLE_NS (10 * NSEC_PER_SEC)

/* A clock step or drift worth a record. */
#define CLOCK_SLACK_NS NSEC_PER_MSEC

/* Threads inside connect(2), where its entry is needed. */
#define CONNECTING 16384

/* With --all: 8 MiB hold a quarter of a second at 70,000 handshakes/s, and the
 * reader is woken when an eighth of it is full. */
#define RING_ALL_BYTES	 (8U << 20)
#define WAKEUP_ALL_BYTES (RING_ALL_BYTES / 8)

/* A quarter of the 16384 that bpf/drop.bpf.h keeps: all CPUs together take four
 * seconds to turn them over, the time in which the handshake they belong to claims
 * them. And a CPU's least in 100 ms. */
#define STRAYS_PER_SECOND 4096
#define STRAYS_MIN	  8

/* Server handshakes in trouble that are told one by one: more are a crowd. */
#define TOLD_PER_SECOND 200
#define TOLD_MIN	5
#define TOLD_PER_PORT	20

/* Records handled before signals and timers get their turn. */
#define DRAIN_BUDGET 65536

struct live {
	struct source source;
	struct session session;
	struct synwatch *skeleton;
	struct hooks hooks;
	struct ring_buffer *ring;
	struct kernel_names *names;
	int epoll_fd;
	int signal_fd;
	int timer_fd;
	uint64_t duration_ns;
	const struct source_events *events; /* while running */
	unsigned int drained;
	uint64_t newest_ns; /* time of the last record */
	uint64_t last_sweep_ns;
	uint64_t last_counts_ns;
	int64_t wall_offset_ns;
	struct sw_totals seen;
	uint64_t seen_missed;
};

/* libbpf talks in paragraphs, a verifier log among them. -v shows what it finds
 * wrong, and not what it finds. */
static int on_libbpf_message(enum libbpf_print_level level, const char *format, va_list args)
{
	char *text, *rest;

	if (level != LIBBPF_WARN || log_level() < LOG_DEBUG || vasprintf(&text, format, args) < 0)
		return 0;
	rest = text;
	for (const char *line; (line = strsep(&rest, "\n"));) {
		if (*line)
			log_debug("%s", line);
	}
	free(text);
	return 0;
}

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

static int on_record(void *ctx, void *data, size_t size)
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
	return ++live->drained < DRAIN_BUDGET ? 0 : -EAGAIN;
}

/* Returns 0 when the ring is empty, -EAGAIN when the budget ran out first. */
static int drain(struct live *live)
{
	int err;

	live->drained = 0;
	err = ring_buffer__consume(live->ring);
	return err < 0 ? err : 0;
}

/* What is overdue, and what listeners threw away, arrives through the ring like
 * everything else. */
static void sweep(struct live *live, uint64_t now)
{
	const struct synwatch__bss *kernel = live->skeleton->bss;
	int err = hooks_sweep(&live->hooks);

	if (err)
		log_debug("cannot sweep: %s", strerror(-err));
	err = hooks_name_victims(&live->hooks, live->skeleton->obj,
				 kernel->trouble_ns && now < kernel->trouble_ns + TROUBLE_NS);
	if (err)
		log_debug("cannot attach consume_skb: %s", strerror(-err));
}

static int read_totals(const struct live *live, struct sw_totals *ret_totals)
{
	int cpus = libbpf_num_possible_cpus();
	struct sw_totals *per_cpu;
	__u32 key = 0;
	int err = 0;

	if (cpus < 0)
		return cpus;
	per_cpu = calloc(cpus, sizeof(*per_cpu));
	if (!per_cpu)
		return -ENOMEM;
	if (bpf_map_lookup_elem(bpf_map__fd(live->skeleton->maps.totals), &key, per_cpu)) {
		err = -errno;
		goto out;
	}
	*ret_totals = (struct sw_totals){};
	for (int cpu = 0; cpu < cpus; cpu++) {
		ret_totals->healthy += per_cpu[cpu].healthy;
		for (int i = 0; i < SW_LATENCY_SLOTS; i++)
			ret_totals->latency[i] += per_cpu[cpu].latency[i];
		ret_totals->syn_retransmits += per_cpu[cpu].syn_retransmits;
		ret_totals->ring_full += per_cpu[cpu].ring_full;
		ret_totals->map_full += per_cpu[cpu].map_full;
		ret_totals->suppressed += per_cpu[cpu].suppressed;
		ret_totals->accepted += per_cpu[cpu].accepted;
		ret_totals->synack_retransmits += per_cpu[cpu].synack_retransmits;
		ret_totals->listen_drops += per_cpu[cpu].listen_drops;
		ret_totals->missed += per_cpu[cpu].missed;
	}
out:
	free(per_cpu);
	return err;
}

static void deliver_counts(struct live *live, const struct sw_totals *totals, uint64_t now)
{
	struct sw_counts counts = {
		.healthy = totals->healthy - live->seen.healthy,
		.syn_retransmits = totals->syn_retransmits - live->seen.syn_retransmits,
		.accepted = totals->accepted - live->seen.accepted,
		.synack_retransmits = totals->synack_retransmits - live->seen.synack_retransmits,
		.listen_drops = totals->listen_drops - live->seen.listen_drops,
	};

	for (int i = 0; i < SW_LATENCY_SLOTS; i++)
		counts.latency[i] = totals->latency[i] - live->seen.latency[i];
	if (counts.healthy || counts.syn_retransmits || counts.accepted ||
	    counts.synack_retransmits || counts.listen_drops)
		deliver(live, &counts.header, SW_COUNTS, sizeof(counts), now);
}

static void deliver_loss(struct live *live, const struct sw_totals *totals, uint64_t missed,
			 uint64_t now)
{
	struct sw_loss loss = {
		.ring = totals->ring_full - live->seen.ring_full,
		.map_full = totals->map_full - live->seen.map_full,
		.suppressed = totals->suppressed - live->seen.suppressed,
		.missed = totals->missed - live->seen.missed + missed - live->seen_missed,
	};

	if (loss.ring || loss.map_full || loss.suppressed || loss.missed)
		deliver(live, &loss.header, SW_LOSS, sizeof(loss), now);
}

/* What only the user side can know: counts, losses, the wall clock. */
static void look_around(struct live *live, uint64_t now)
{
	uint64_t missed = hooks_missed(live->skeleton->obj);
	int64_t offset = clock_wall_offset_ns();
	struct sw_totals totals;

	live->last_counts_ns = now;
	if (!read_totals(live, &totals)) {
		deliver_counts(live, &totals, now);
		deliver_loss(live, &totals, missed, now);
		live->seen = totals;
		live->seen_missed = missed;
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
	bool empty = drain(live) == 0;

	if (now - live->last_sweep_ns >= SWEEP_NS) {
		live->last_sweep_ns = now;
		sweep(live, now);
		empty = drain(live) == 0;
	}
	/* Records that came while it was drained are younger than now. */
	if (now - live->last_counts_ns >= COUNTS_NS)
		look_around(live, now > live->newest_ns ? now : live->newest_ns);
	/* Only an empty ring proves that nothing older than now is outstanding. */
	if (empty)
		live->events->advance(live->events->ctx, now);
	return live->events->idle(live->events->ctx);
}

/* Waits for the ring, the tick or a signal. Returns 1 when told to stop. */
static int wait_turn(struct live *live, uint64_t end_ns)
{
	struct epoll_event event;
	int count = epoll_wait(live->epoll_fd, &event, 1, -1);
	uint64_t expirations;

	if (count < 0)
		return errno == EINTR ? 0 : -errno;
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
	while (drain(live) == -EAGAIN)
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
	ring_buffer__free(live->ring);
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

static void describe_host(struct session *session, const struct live_options *options)
{
	struct utsname names;
	FILE *file;

	session->live = true;
	(void)snprintf(session->version, sizeof(session->version), "%s", options->version);
	if (!uname(&names)) {
		(void)snprintf(session->host, sizeof(session->host), "%s", names.nodename);
		(void)snprintf(session->kernel, sizeof(session->kernel), "%s", names.release);
	}
	file = fopen("/proc/sys/kernel/random/boot_id", "re");
	if (file) {
		if (fgets(session->boot_id, sizeof(session->boot_id), file))
			session->boot_id[strcspn(session->boot_id, "\n")] = '\0';
		(void)fclose(file);
	}
	for (unsigned int i = 0; i < options->word_count; i++)
		session->filters[session->filter_count++] = options->words[i];
}

/* One CPU's share of 100 ms. */
static uint64_t per_window(uint64_t per_second, uint64_t min)
{
	int cpus = libbpf_num_possible_cpus();
	uint64_t share = per_second / 10 / (cpus > 0 ? cpus : 1);

	return share > min ? share : min;
}

static void configure(struct live *live, const struct live_options *options)
{
	struct sw_config *config = &live->skeleton->rodata->config;

	config->filters = options->filter->kinds;
	config->tick_ns = clock_tick_ns();
	config->quiet_ns = options->stall_after_ns ? options->stall_after_ns : QUIET_DEFAULT_NS;
	config->stream_all = options->all;
	config->has_cookies = !hooks_lack(&live->session, HOOKS_COOKIE);
	config->fresh = exchange_is_there();
	config->exit_alone = bpf_program__autoload(live->skeleton->progs.sys_exit_connect_alone);
	config->nr_connect = __NR_connect;
	config->resets_tell = bpf_program__autoload(live->skeleton->progs.tcp_receive_reset);
	config->retries_tell = bpf_program__autoload(live->skeleton->progs.tcp_retransmit_skb_err);
	config->icmp_tells = bpf_program__autoload(live->skeleton->progs.icmp_send);
	config->strays_per_window = per_window(STRAYS_PER_SECOND, STRAYS_MIN);
	config->told_per_window = per_window(TOLD_PER_SECOND, TOLD_MIN);
	config->told_per_port = TOLD_PER_PORT;
	live->skeleton->bss->seeding = bpf_program__autoload(live->skeleton->progs.seed);
	if (!config->exit_alone)
		(void)bpf_map__set_max_entries(live->skeleton->maps.connecting, CONNECTING);
	if (options->all) {
		config->wakeup_bytes = WAKEUP_ALL_BYTES;
		(void)bpf_map__set_max_entries(live->skeleton->maps.records, RING_ALL_BYTES);
	}
}

/* One sentence for each way in which a kernel says no. */
static int explain_refusal(int err)
{
	switch (-err) {
	case EPERM:
	case EACCES:
		if (geteuid())
			log_error("the kernel does not let user %d load BPF programs: run it with "
				  "sudo, or give it CAP_BPF and CAP_PERFMON",
				  geteuid());
		else
			log_error(
				"the kernel refuses to load BPF programs even for root: this is a "
				"container without CAP_BPF and CAP_PERFMON, or the kernel is "
				"locked "
				"down (cat /sys/kernel/security/lockdown)");
		break;
	case ENOMEM:
		log_error("no memory for the BPF maps (29 MiB, with --all 35 MiB): raise the "
			  "memory limit of "
			  "this cgroup");
		break;
	default:
		log_error("the kernel refuses the BPF programs (%s): run it with -v to see why, "
			  "and please report that",
			  strerror(-err));
	}
	return err;
}

static int load(struct live *live, const struct live_options *options)
{
	int err;

	live->skeleton = synwatch__open();
	if (!live->skeleton) {
		err = -errno;
		log_error("cannot open the BPF object: %s", strerror(errno));
		return err;
	}
	err = hooks_choose(live->skeleton->obj, &live->session);
	if (err) {
		log_error("this kernel has no type information (BTF) for its TCP tracepoints: "
			  "synwatch needs Linux 5.8 or newer, built with CONFIG_DEBUG_INFO_BTF=y");
		return err;
	}
	configure(live, options);
	err = live->skeleton->rodata->config.fresh ? 0 : exchange_leave_out(live->skeleton->obj);
	if (!err)
		err = knobs_size(live->skeleton->obj, options->filter);
	if (!err)
		err = synwatch__load(live->skeleton);
	if (!err)
		err = knobs_fill(live->skeleton->obj, options->filter);
	return err ? explain_refusal(err) : 0;
}

static int attach(struct live *live)
{
	int err;

	live->names = kernel_names_new(on_name, live);
	if (!live->names)
		return explain_refusal(-ENOMEM);
	live->ring = ring_buffer__new(bpf_map__fd(live->skeleton->maps.records), on_record, live,
				      /* opts= */ NULL);
	if (!live->ring)
		return explain_refusal(-errno);
	err = hooks_attach(&live->hooks, live->skeleton->obj, &live->session);
	return err ? explain_refusal(err) : 0;
}

/* What is under way already; its records wait in the ring. */
static int adopt(struct live *live, const struct filter *filter)
{
	int err = 0;

	if (live->hooks.seed)
		err = seed_run(live->hooks.seed, bpf_map__fd(live->skeleton->maps.seed_owners),
			       filter, &live->session);
	live->skeleton->bss->seeding = false;
	live->skeleton->bss->watching_ns = clock_monotonic_ns();
	if (err)
		log_error("cannot return to my network namespace: %s", strerror(-err));
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
	err = watch_fd(live, ring_buffer__epoll_fd(live->ring), EPOLLIN);
	if (!err)
		err = watch_fd(live, live->signal_fd, EPOLLIN);
	if (!err)
		err = watch_fd(live, live->timer_fd, EPOLLIN);
	/* A reader that goes away ends the watch, even a silent one. Regular files
	 * cannot be polled and do not go away. */
	(void)watch_fd(live, STDOUT_FILENO, EPOLLERR);
	return err;
}

int live_open(const struct live_options *options, struct source **ret_source)
{
	struct live *live = calloc(1, sizeof(*live));
	int err;

	if (!live)
		return -ENOMEM;
	live->source.ops = &live_ops;
	live->epoll_fd = live->signal_fd = live->timer_fd = -1;
	live->duration_ns = options->duration_ns;
	(void)libbpf_set_print(on_libbpf_message);
	describe_host(&live->session, options);
	err = load(live, options);
	if (!err)
		err = attach(live);
	if (err)
		goto fail;
	err = open_loop(live);
	if (err) {
		log_error("cannot set up the event loop: %s", strerror(-err));
		goto fail;
	}
	live->session.start_ns = clock_monotonic_ns();
	live->session.wall_offset_ns = live->wall_offset_ns = clock_wall_offset_ns();
	err = adopt(live, options->filter);
	if (err)
		goto fail;
	*ret_source = &live->source;
	return 0;
fail:
	live_free(&live->source);
	return err;
}
