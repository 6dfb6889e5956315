/* SPDX-License-Identifier: GPL-2.0-only */
#include "source/seed.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/stat.h>

#include <bpf/bpf.h>

#include "cli/log.h"
#include "cli/lookup.h"
#include "source/addresses.h"
#include "source/procfs.h"

struct seed {
	const struct bpf_link *link;
	const struct filter *filter;
	struct session *session;
	int home_fd; /* the namespace that the thread came from */
	uint64_t home_inode;
	struct procfs_socket *sockets;
	size_t count;
	size_t room;
	int *netns_fds; /* namespaces with such sockets */
	size_t netns_count;
	struct seed_reach reach;
};

static int add_socket(struct seed *seed, uint64_t inode)
{
	if (seed->count == seed->room) {
		size_t room = seed->room ? seed->room * 2 : 256;
		struct procfs_socket *sockets = reallocarray(seed->sockets, room, sizeof(*sockets));

		if (!sockets)
			return -ENOMEM;
		seed->sockets = sockets;
		seed->room = room;
	}
	seed->sockets[seed->count++] = (struct procfs_socket){.inode = inode};
	return 0;
}

/*
 * Runs the program over the sockets of the current namespace. The namespace
 * that counts is the one in which the iterator is made, not the link.
 */
static int walk(struct seed *seed, int (*named)(struct seed *seed, uint64_t inode))
{
	int fd = bpf_iter_create(bpf_link__fd(seed->link));
	uint64_t inodes[4096];
	ssize_t length;
	int err = 0;

	if (fd < 0)
		return -errno;
	for (;;) {
		length = read(fd, inodes, sizeof(inodes));
		/* EAGAIN: a million sockets in which there was nothing to say */
		if (length < 0 && errno == EAGAIN)
			continue;
		if (length <= 0)
			break;
		for (size_t i = 0; named && !err && i < length / sizeof(*inodes); i++)
			err = named(seed, inodes[i]);
	}
	if (length < 0)
		err = -errno;
	(void)close(fd);
	return err;
}

static int keep_netns(struct seed *seed, int fd)
{
	size_t size = (seed->netns_count + 1) * sizeof(*seed->netns_fds);
	int *fds = realloc(seed->netns_fds, size);

	if (!fds)
		return -ENOMEM;
	seed->netns_fds = fds;
	fds[seed->netns_count++] = fd;
	return 0;
}

/* First pass, in the namespace of fd, which is the current one. Takes fd. */
static void find_in(struct seed *seed, int fd, uint64_t inode)
{
	size_t before = seed->count;
	int err = walk(seed, add_socket);

	if (addresses_add(seed->session, (uint32_t)inode))
		log_debug("the addresses of a network namespace are not known");
	if (!err && seed->count > before)
		err = keep_netns(seed, fd);
	else
		(void)close(fd);
	if (err)
		log_debug("handshakes under way in a network namespace are left out: %s",
			  strerror(-err));
}

static bool is_wanted(const struct filter *filter, uint64_t inode)
{
	for (size_t i = 0; i < filter->netns_count; i++) {
		if (filter->netns[i] == inode)
			return true;
	}
	return !(filter->kinds & SW_FILTER_NETNS);
}

static bool visit(void *ctx, const char *path, uint64_t inode)
{
	struct seed *seed = ctx;
	int fd;

	if (inode == seed->home_inode || !is_wanted(seed->filter, inode))
		return true;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		seed->reach.unreachable += errno == EMFILE;
		return errno == EMFILE;
	}
	if (setns(fd, CLONE_NEWNET)) {
		/* EINVAL: mounted, but of another kind */
		seed->reach.unreachable += errno != EINVAL;
		(void)close(fd);
		return true;
	}
	find_in(seed, fd, inode);
	return true;
}

static int find_all(struct seed *seed)
{
	struct stat st;
	int home, err;

	seed->home_fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (seed->home_fd < 0 || fstat(seed->home_fd, &st))
		return -errno;
	seed->home_inode = st.st_ino;
	home = dup(seed->home_fd);
	if (home < 0)
		return -errno;
	if (is_wanted(seed->filter, st.st_ino))
		find_in(seed, home, st.st_ino);
	else
		(void)close(home);
	/* To go where one is takes the same privilege as to go anywhere. */
	if (setns(seed->home_fd, CLONE_NEWNET)) {
		seed->reach.confined = true;
		log_info("without CAP_SYS_ADMIN handshakes that already hang in other network "
			 "namespaces are not shown before their next retry, and who listens there "
			 "is not known");
		return 0;
	}
	err = procfs_each_netns("/proc", visit, seed);
	if (seed->reach.unreachable)
		log_info("%zu network namespaces cannot be entered: handshakes that already hang "
			 "there are not shown before their next retry, and who listens there is "
			 "not known",
			 seed->reach.unreachable);
	return err;
}

static int compare_sockets(const void *left, const void *right)
{
	const struct procfs_socket *a = left, *b = right;

	return (a->inode > b->inode) - (a->inode < b->inode);
}

/* The iterator may show a socket twice, and those of the kernel share a 0. */
static void sort_sockets(struct seed *seed)
{
	size_t count = 0;

	qsort(seed->sockets, seed->count, sizeof(*seed->sockets), compare_sockets);
	for (size_t i = 0; i < seed->count; i++) {
		if (!count || seed->sockets[count - 1].inode != seed->sockets[i].inode)
			seed->sockets[count++] = seed->sockets[i];
	}
	seed->count = count;
	if (seed->count <= SW_SEED_MAX)
		return;
	log_warning("%zu sockets connect or listen, %d are looked up: handshakes of the others "
		    "are followed from their next retry on, and nobody is named for them",
		    seed->count, SW_SEED_MAX);
	seed->count = SW_SEED_MAX;
}

static int tell_owners(const struct seed *seed, int owners_fd)
{
	for (size_t i = 0; i < seed->count; i++) {
		const struct procfs_socket *socket = &seed->sockets[i];

		if (bpf_map_update_elem(owners_fd, &socket->inode, &socket->owner, BPF_ANY))
			return -errno;
	}
	return 0;
}

static void forget_owners(const struct seed *seed, int owners_fd)
{
	for (size_t i = 0; i < seed->count; i++)
		(void)bpf_map_delete_elem(owners_fd, &seed->sockets[i].inode);
}

/* Second pass: with their owners known, the kernel side adopts them. */
static int adopt_all(struct seed *seed, int owners_fd)
{
	char cgroup_mount[PATH_MAX] = "";
	int err;

	sort_sockets(seed);
	(void)lookup_cgroup_mount(cgroup_mount, sizeof(cgroup_mount));
	err = procfs_find_owners("/proc", cgroup_mount, seed->filter, seed->sockets, seed->count);
	if (!err)
		err = tell_owners(seed, owners_fd);
	for (size_t i = 0; !err && i < seed->netns_count; i++) {
		if (setns(seed->netns_fds[i], CLONE_NEWNET) && errno != EPERM)
			err = -errno;
		else
			err = walk(seed, NULL);
	}
	forget_owners(seed, owners_fd);
	return err;
}

static void done(struct seed *seed)
{
	for (size_t i = 0; i < seed->netns_count; i++)
		(void)close(seed->netns_fds[i]);
	if (seed->home_fd >= 0)
		(void)close(seed->home_fd);
	free(seed->netns_fds);
	free(seed->sockets);
}

int seed_run(const struct bpf_link *link, int owners_fd, const struct filter *filter,
	     struct session *session, struct seed_reach *ret_reach)
{
	struct seed seed = {.link = link, .filter = filter, .session = session, .home_fd = -1};
	int err = find_all(&seed);

	if (!err && seed.count)
		err = adopt_all(&seed, owners_fd);
	if (err)
		log_warning("handshakes that already hang may not be shown before their next "
			    "retry, and who listens may not be known: %s",
			    strerror(-err));
	err = 0;
	/* Without the privilege to leave it was never left. */
	if (seed.home_fd >= 0 && setns(seed.home_fd, CLONE_NEWNET) && errno != EPERM)
		err = -errno;
	*ret_reach = seed.reach;
	done(&seed);
	return err;
}
