/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * flood DEVICE DESTINATION-MAC DESTINATION PORT SECONDS
 *
 * IPv4 TCP SYNs from ever other addresses, ports and ISNs, as fast as one core
 * sends them, out of one device. Prints how many per second. For the live
 * tests: it runs in a namespace that leads nowhere.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/ether.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netpacket/packet.h>
#include <sys/socket.h>

#define BATCH	    64
#define SECONDS_MAX 10

struct syn {
	struct iphdr ip;
	struct tcphdr tcp;
} __attribute__((packed));

_Static_assert(sizeof(struct syn) == 40, "struct syn");

static double now_s(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static uint16_t checksum(const void *data, size_t size, uint32_t sum)
{
	const uint16_t *words = data;

	for (size_t i = 0; i < size / sizeof(*words); i++)
		sum += words[i];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

/* xorshift: a sequence that does not repeat within a run */
static uint32_t next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

static void make(struct syn *syn, in_addr_t to, uint16_t port, uint32_t *state)
{
	uint32_t random = next_random(state);

	memset(syn, 0, sizeof(*syn));
	syn->ip.version = 4;
	syn->ip.ihl = sizeof(syn->ip) / 4;
	syn->ip.tot_len = htons(sizeof(*syn));
	syn->ip.ttl = 64;
	syn->ip.protocol = IPPROTO_TCP;
	syn->ip.saddr = htonl(0x0a000000 | (random & 0x00ffffff)); /* 10.0.0.0/8 */
	syn->ip.daddr = to;
	syn->ip.check = checksum(&syn->ip, sizeof(syn->ip), 0);
	syn->tcp.source = htons(1024 + (random >> 24) * 200);
	syn->tcp.dest = port;
	syn->tcp.seq = next_random(state);
	syn->tcp.doff = sizeof(syn->tcp) / 4;
	syn->tcp.syn = 1;
	syn->tcp.window = 0xffff;
	/* the pseudo header: addresses, protocol, length */
	syn->tcp.check =
		checksum(&syn->tcp, sizeof(syn->tcp),
			 (syn->ip.saddr & 0xffff) + (syn->ip.saddr >> 16) + (to & 0xffff) +
				 (to >> 16) + htons(IPPROTO_TCP) + htons(sizeof(syn->tcp)));
}

static int open_device(const char *device, const char *mac, struct sockaddr_ll *ret_to)
{
	const struct ether_addr *address = ether_aton(mac);
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETHERTYPE_IP),
		.sll_ifindex = if_nametoindex(device),
		.sll_halen = ETH_ALEN,
	};
	int fd;

	if (!address || !to.sll_ifindex)
		return -ENODEV;
	memcpy(to.sll_addr, address, ETH_ALEN);
	fd = socket(AF_PACKET, SOCK_DGRAM, 0);
	if (fd < 0)
		return -errno;
	*ret_to = to;
	return fd;
}

static uint64_t flood(int fd, struct sockaddr_ll *to, in_addr_t address, uint16_t port,
		      double until)
{
	struct syn syns[BATCH];
	struct iovec parts[BATCH];
	struct mmsghdr messages[BATCH];
	uint32_t state = 2463534242;
	uint64_t sent = 0;

	for (size_t i = 0; i < BATCH; i++) {
		parts[i] = (struct iovec){.iov_base = &syns[i], .iov_len = sizeof(syns[i])};
		messages[i].msg_hdr = (struct msghdr){
			.msg_name = to,
			.msg_namelen = sizeof(*to),
			.msg_iov = &parts[i],
			.msg_iovlen = 1,
		};
	}
	while (now_s() < until) {
		int count;

		for (size_t i = 0; i < BATCH; i++)
			make(&syns[i], address, port, &state);
		count = sendmmsg(fd, messages, BATCH, 0);
		if (count > 0)
			sent += count; /* ENOBUFS: the queue is full, which is as fast as it goes */
	}
	return sent;
}

int main(int argc, char **argv)
{
	struct sockaddr_ll to;
	double seconds, begin;
	in_addr_t address;
	uint64_t sent;
	int fd;

	if (argc != 6) {
		(void)fprintf(stderr, "usage: flood DEVICE MAC ADDRESS PORT SECONDS\n");
		return 2;
	}
	address = inet_addr(argv[3]);
	seconds = atof(argv[5]);
	if (address == INADDR_NONE || seconds <= 0 || seconds > SECONDS_MAX)
		return 2;
	fd = open_device(argv[1], argv[2], &to);
	if (fd < 0) {
		(void)fprintf(stderr, "flood: %s: %s\n", argv[1], strerror(-fd));
		return 1;
	}
	begin = now_s();
	sent = flood(fd, &to, address, htons(atoi(argv[4])), begin + seconds);
	(void)printf("%.0f\n", sent / (now_s() - begin));
	(void)close(fd);
	return 0;
}
