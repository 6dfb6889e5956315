/* SPDX-License-Identifier: GPL-2.0-only */
#include "source/addresses.h"

#include <errno.h>
#include <ifaddrs.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <netinet/in.h>

/* v4-mapped, or false if it tells nothing. */
static bool take(const struct sockaddr *socket_address, uint8_t *ret_addr)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	const struct sockaddr_in6 *v6 = (const void *)socket_address;
	const struct sockaddr_in *v4 = (const void *)socket_address;

	if (!socket_address)
		return false;
	if (socket_address->sa_family == AF_INET) {
		memcpy(ret_addr, mapped, sizeof(mapped));
		memcpy(ret_addr + sizeof(mapped), &v4->sin_addr, 4);
		return ntohl(v4->sin_addr.s_addr) >> 24 != IN_LOOPBACKNET;
	}
	if (socket_address->sa_family != AF_INET6)
		return false;
	memcpy(ret_addr, &v6->sin6_addr, 16);
	return !IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr) && !IN6_IS_ADDR_LINKLOCAL(&v6->sin6_addr);
}

static int add(struct session *session, const uint8_t *addr, uint32_t inode)
{
	unsigned int count = session->address_count;
	struct session_address *addresses;

	if (count == SESSION_ADDRESSES_MAX)
		return 0;
	if (!(count & (count - 1))) {
		addresses = reallocarray(session->addresses, count ? 2 * count : 1,
					 sizeof(*session->addresses));
		if (!addresses)
			return -ENOMEM;
		session->addresses = addresses;
	}
	memcpy(session->addresses[count].addr, addr, sizeof(session->addresses[count].addr));
	session->addresses[count].netns = inode;
	session->address_count++;
	return 0;
}

int addresses_add(struct session *session, uint32_t inode)
{
	struct ifaddrs *interfaces;
	int err = 0;

	if (getifaddrs(&interfaces))
		return -errno;
	for (const struct ifaddrs *at = interfaces; at && !err; at = at->ifa_next) {
		uint8_t addr[16];

		if (take(at->ifa_addr, addr))
			err = add(session, addr, inode);
	}
	freeifaddrs(interfaces);
	return err;
}
