/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How many records a second a capture takes.
 *
 *   capture FILE RATE SECONDS [MAX_SIZE [healthy|hanging|counts]]
 *
 * healthy: what --all makes of handshakes between two ends on this host, two records of
 * the client and one of the server; hanging: an open, five retries and a close each;
 * counts: RATE seconds of a host on which nothing hangs, at once.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sys/resource.h>
#include <sys/stat.h>

#include "../unit/facts.h"
#include "store/capture.h"

struct load {
	struct capture *capture;
	uint64_t now_ns;
	uint64_t cookie;
	uint64_t records;
};

static void append(struct load *load, const void *record, size_t size)
{
	capture_append(load->capture, record, size);
	load->records++;
}

static void about(struct sw_handshake *facts, uint64_t number)
{
	facts->tuple.lport = 32768 + number % 28000;
	facts->tuple.raddr[14] = number % 251;
	facts->tuple.raddr[15] = number / 7 % 251;
	facts->tuple.rport = 440 + number % 16;
	facts->isn = number * 2654435761;
	facts->flags |= SW_F_ISN;
}

static void healthy(struct load *load)
{
	struct sw_handshake facts = facts_client(SW_OPEN, load->now_ns, 0);

	facts.cookie = ++load->cookie;
	facts.start_ns = load->now_ns;
	about(&facts, load->cookie);
	append(load, &facts, sizeof(facts));
	facts.header = facts_header(SW_CLOSE, sizeof(facts), load->now_ns + 100000);
	facts.syn_ns = load->now_ns;
	facts.new_state = ESTABLISHED;
	append(load, &facts, sizeof(facts));
	facts = facts_server(SW_ACCEPTED, load->now_ns + 120000, 0, 0);
	facts.cookie = ++load->cookie;
	facts.start_ns = facts.syn_ns = load->now_ns;
	append(load, &facts, sizeof(facts));
}

static void hanging(struct load *load)
{
	struct sw_handshake facts;

	load->cookie++;
	for (uint8_t n = 0; n <= 6; n++) {
		facts = facts_client(n < 6 ? SW_RETRY : SW_CLOSE, load->now_ns + n * 1000, n);
		facts.cookie = load->cookie;
		facts.start_ns = facts.syn_ns = load->now_ns;
		about(&facts, load->cookie);
		append(load, &facts, sizeof(facts));
	}
}

static void counts(struct load *load)
{
	struct sw_counts record = {
		.header = facts_header(SW_COUNTS, sizeof(record), load->now_ns),
		.healthy = 1000 + load->records % 100,
		.latency = {[6] = 20, [7] = 500, [8] = 300, [9] = 100, [10] = 50, [11] = 30},
		.accepted = 900,
		.syn_retransmits = 1,
	};

	append(load, &record, sizeof(record));
}

static double seconds(const struct timeval *time)
{
	return (double)time->tv_sec + (double)time->tv_usec / 1e6;
}

static double cpu(int who)
{
	struct rusage usage;

	(void)getrusage(who, &usage);
	return seconds(&usage.ru_utime) + seconds(&usage.ru_stime);
}

static uint64_t clock_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * SEC
	+(uint64_t)now.tv_nsec;
}

int main(int argc, char **argv)
{
	const char *kind = argc > 5 ? argv[5] : "healthy";
	void (*one)(struct load * load) = !strcmp(kind, "hanging")  ? hanging
					  : !strcmp(kind, "counts") ? counts
								    : healthy;
	struct session session = {.start_ns = clock_ns(), .host = "bench", .boot_id = "none"};
	struct capture_options options = {.session = &session};
	struct load load = {.now_ns = session.start_ns};
	uint64_t rate, end_ns, begin_ns = session.start_ns;
	struct timespec pause = {.tv_nsec = 2000000};
	double used;
	struct stat stat_file;

	if (argc < 4)
		return 2;
	options.path = argv[1];
	rate = strtoull(argv[2], NULL, 10);
	end_ns = begin_ns + strtoull(argv[3], NULL, 10) * SEC;
	options.max_size = argc > 4 ? strtoull(argv[4], NULL, 10) : 0;
	if (capture_open(&options, &load.capture))
		return 1;
	if (one == counts)
		for (; load.records < rate; load.now_ns += SEC)
			counts(&load);
	for (uint64_t now = begin_ns; one != counts && now < end_ns; now = clock_ns()) {
		uint64_t due = (now - begin_ns) / 1000 * rate / 1000000;

		load.now_ns = now;
		while (load.records < due)
			one(&load);
		capture_advance(load.capture, now);
		(void)nanosleep(&pause, NULL);
	}
	used = cpu(RUSAGE_THREAD);
	capture_close(load.capture, one == counts ? load.now_ns : clock_ns());
	(void)stat(options.path, &stat_file);
	printf("%" PRIu64 " records, %" PRIu64 " handshakes in %.2f s: %.2f s of the writer's "
	       "CPU, %.2f s of the caller's, %" PRId64 " bytes\n",
	       load.records, load.cookie, (double)(clock_ns() - begin_ns) / 1e9,
	       cpu(RUSAGE_SELF) - used, used, (int64_t)stat_file.st_size);
	return 0;
}
