/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * TCP handshakes on demand, for the benchmark. It does what its stdin says, one request a
 * line, and answers on stdout when that is done:
 *
 *   loop SLICES MS RATE       handshakes with a listener of its own on loopback, one after
 *                             the other, for so many slices of so many ms; RATE a second,
 *                             0: as fast as it goes.
 *                             -> "HANDSHAKES WALL_NS CPU_NS WAITS" of each slice
 *   hang COUNT ADDRESS PORT   connect() to PORT of so many addresses, from ADDRESS on, that
 *                             nobody answers from; they stay open
 *   idle COUNT                connections with that listener, that stay open
 *   close                     closes what stayed open
 *                             -> "COUNT NS", how many and how long it took
 *
 * One process has both ends of a loop, so that no hand-over between tasks is measured.
 * The child is closed first and with a RST: nothing stays behind in TIME_WAIT.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <sys/resource.h>
#include <sys/socket.h>

#define SEC	   1000000000ULL
#define MS	   1000000ULL
#define SLICES_MAX 1000
/* How often a paced loop looks whether more are due. */
#define PACE_NS MS
/* A handshake of two ends on loopback that takes longer has failed. */
#define ACCEPT_MS 5000

struct slice {
	uint64_t handshakes;
	uint64_t wall_ns;
	uint64_t cpu_ns;
	uint64_t waits; /* accept() had to wait: somebody else did the softirq's work */
};

struct load {
	int listener;
	struct sockaddr_in address;
	int *open; /* what stayed open, 0 of open_max at first */
	size_t open_count;
	size_t open_max;
};

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	(void)clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * SEC
	+(uint64_t)now.tv_nsec;
}

static int begin_connect(const struct sockaddr_in *address)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) &&
	    errno != EINPROGRESS) {
		err = -errno;
		(void)close(fd);
		return err;
	}
	return fd;
}

static int accept_child(int listener, uint64_t *waits)
{
	struct pollfd ready = {.fd = listener, .events = POLLIN};
	int fd = accept(listener, NULL, NULL);

	if (fd >= 0)
		return fd;
	if (errno != EAGAIN)
		return -errno;
	(*waits)++;
	if (poll(&ready, 1, ACCEPT_MS) <= 0)
		return -ETIMEDOUT;
	fd = accept(listener, NULL, NULL);
	return fd < 0 ? -errno : fd;
}

/* Both ends of a new connection. Returns 0 or a negative errno. */
static int shake(const struct load *load, uint64_t *waits, int *ret_client, int *ret_child)
{
	int client = begin_connect(&load->address);
	int child;

	if (client < 0)
		return client;
	child = accept_child(load->listener, waits);
	if (child < 0) {
		(void)close(client);
		return child;
	}
	*ret_client = client;
	*ret_child = child;
	return 0;
}

static int loop_slice(const struct load *load, uint64_t length_ns, uint64_t rate,
		      struct slice *slice)
{
	const struct timespec pause = {.tv_nsec = PACE_NS};
	uint64_t cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	uint64_t begin_ns = clock_ns(CLOCK_MONOTONIC);
	uint64_t now_ns = begin_ns;
	int client, child, err;

	for (; now_ns < begin_ns + length_ns; now_ns = clock_ns(CLOCK_MONOTONIC)) {
		if (rate && slice->handshakes * SEC > (now_ns - begin_ns) * rate) {
			(void)nanosleep(&pause, NULL);
			continue;
		}
		err = shake(load, &slice->waits, &client, &child);
		if (err)
			return err;
		(void)close(child);
		(void)close(client);
		slice->handshakes++;
	}
	slice->wall_ns = now_ns - begin_ns;
	slice->cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_ns;
	return 0;
}

static int loop(const struct load *load, uint64_t slices, uint64_t length_ms, uint64_t rate)
{
	struct slice slice[SLICES_MAX] = {};
	int err;

	if (!slices || slices > SLICES_MAX)
		return -EINVAL;
	for (uint64_t i = 0; i < slices; i++) {
		err = loop_slice(load, length_ms * MS, rate, &slice[i]);
		if (err)
			return err;
	}
	for (uint64_t i = 0; i < slices; i++)
		(void)printf("%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
			     slice[i].handshakes, slice[i].wall_ns, slice[i].cpu_ns,
			     slice[i].waits);
	return 0;
}

static int keep(struct load *load, int fd)
{
	if (load->open_count == load->open_max)
		return -EMFILE;
	load->open[load->open_count++] = fd;
	return 0;
}

static int hang(struct load *load, uint64_t count, const char *text, uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
	in_addr_t first = inet_addr(text);
	int fd, err = 0;

	for (uint64_t i = 0; !err && i < count; i++) {
		address.sin_addr.s_addr = htonl(ntohl(first) + (uint32_t)i);
		fd = begin_connect(&address);
		err = fd < 0 ? fd : keep(load, fd);
	}
	return err;
}

static int idle(struct load *load, uint64_t count)
{
	int client, child, err = 0;
	uint64_t waits = 0;

	for (uint64_t i = 0; !err && i < count; i++) {
		err = shake(load, &waits, &client, &child);
		if (!err)
			err = keep(load, client);
		if (!err)
			err = keep(load, child);
	}
	return err;
}

static int close_all(struct load *load)
{
	while (load->open_count)
		(void)close(load->open[--load->open_count]);
	return 0;
}

static int serve(struct load *load, const char *line)
{
	uint64_t begin_ns = clock_ns(CLOCK_MONOTONIC);
	uint64_t a, b, c;
	char address[16];
	int err;

	if (sscanf(line, "loop %" SCNu64 " %" SCNu64 " %" SCNu64, &a, &b, &c) == 3)
		return loop(load, a, b, c);
	a = load->open_count;
	if (sscanf(line, "hang %" SCNu64 " %15s %" SCNu64, &a, address, &b) == 3)
		err = hang(load, a, address, (uint16_t)b);
	else if (sscanf(line, "idle %" SCNu64, &a) == 1)
		err = idle(load, a);
	else if (!strcmp(line, "close\n"))
		err = close_all(load);
	else
		return -EINVAL;
	if (!err)
		(void)printf("%" PRIu64 " %" PRIu64 "\n", a, clock_ns(CLOCK_MONOTONIC) - begin_ns);
	return err;
}

static int begin(struct load *load)
{
	/* Accepted sockets inherit it. */
	const struct linger linger = {.l_onoff = 1};
	socklen_t size = sizeof(load->address);
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files))
		return -errno;
	files.rlim_cur = files.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &files))
		return -errno;
	load->open_max = files.rlim_cur;
	load->open = calloc(load->open_max, sizeof(*load->open));
	if (!load->open)
		return -ENOMEM;
	load->address.sin_family = AF_INET;
	load->address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	load->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (load->listener < 0 ||
	    setsockopt(load->listener, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) ||
	    bind(load->listener, (struct sockaddr *)&load->address, sizeof(load->address)) ||
	    listen(load->listener, 128) ||
	    getsockname(load->listener, (struct sockaddr *)&load->address, &size))
		return -errno;
	return 0;
}

int main(void)
{
	struct load load = {.listener = -1};
	int err = begin(&load);
	char line[128];

	if (!err) {
		(void)printf("%u\n", ntohs(load.address.sin_port));
		(void)fflush(stdout);
	}
	while (!err && fgets(line, sizeof(line), stdin)) {
		err = serve(&load, line);
		(void)fflush(stdout);
	}
	if (err)
		(void)fprintf(stderr, "handshakes: %s\n", strerror(-err));
	free(load.open);
	return err ? 1 : 0;
}
