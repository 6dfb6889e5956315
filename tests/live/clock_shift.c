/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * LD_PRELOAD: the time of day, for one process, is what it is plus so many seconds. They are
 * read from the file $CLOCK_SHIFT, 8 bytes, whenever the time is asked for. To step the
 * machine's own clock would be felt by everybody else on it.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <sys/mman.h>

static const volatile int64_t *shift(void)
{
	static const volatile int64_t *seconds;
	static const int64_t none;
	void *map;
	int fd;

	if (seconds)
		return seconds;
	seconds = &none;
	fd = open(getenv("CLOCK_SHIFT"), O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return seconds;
	map = mmap(NULL, sizeof(*seconds), PROT_READ, MAP_SHARED, fd, 0);
	(void)close(fd);
	if (map != MAP_FAILED)
		seconds = map;
	return seconds;
}

int clock_gettime(clockid_t clock, struct timespec *time)
{
	static int (*real)(clockid_t, struct timespec *);
	int err;

	if (!real)
		real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
	err = real(clock, time);
	if (!err && clock == CLOCK_REALTIME)
		time->tv_sec += *shift();
	return err;
}
