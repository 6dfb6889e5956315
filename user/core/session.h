/* SPDX-License-Identifier: GPL-2.0-only */
/* The circumstances of one watch: what a reader of its output must know. */
#ifndef SYNWATCH_CORE_SESSION_H
#define SYNWATCH_CORE_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#define SESSION_HOOKS_MAX   32
#define SESSION_FILTERS_MAX 64

/* A hook that was wanted: attached, or why not. */
struct session_hook {
	char name[48];
	char why_not[128]; /* empty: attached */
};

/* A filter as given: "port" = "80,443". */
struct session_filter {
	char name[16];
	char *values; /* owned by whoever built the session */
};

#define SESSION_ADDRESSES_MAX 65536

/* One that the host itself had when the watch began. */
struct session_address {
	uint8_t addr[16]; /* v4-mapped */
	uint32_t netns;	  /* inode */
};

struct session {
	char version[32];
	char host[256];
	char kernel[128];
	char boot_id[40];
	char capture[256];	/* of a join: the file it is in; "": there is only one */
	bool live;		/* JSON source: "live" or "capture" */
	uint64_t start_ns;	/* CLOCK_MONOTONIC: everything attached */
	int64_t wall_offset_ns; /* CLOCK_REALTIME - CLOCK_MONOTONIC, at start_ns */
	struct session_hook hooks[SESSION_HOOKS_MAX];
	unsigned int hook_count;
	struct session_filter filters[SESSION_FILTERS_MAX];
	unsigned int filter_count;
	struct session_address *addresses; /* owned by whoever built the session */
	unsigned int address_count;
};

/* NULL if it has none of that name. */
const struct session_hook *session_find_hook(const struct session *session, const char *name);

/* why_not "": it is attached. False if there is no room. */
bool session_add_hook(struct session *session, const char *name, const char *why_not);

/* Keeps a copy of both, to be forgotten; what has no room is left out. Returns 0 or
 * -ENOMEM. */
int session_add_filter(struct session *session, const char *name, const char *values);

/* Of a session whose filters were all added like that. */
void session_forget_filters(struct session *session);

#endif /* SYNWATCH_CORE_SESSION_H */
