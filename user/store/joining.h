/* SPDX-License-Identifier: GPL-2.0-only */
/* What the parts of store/join share, and nobody else. */
#ifndef SYNWATCH_STORE_JOINING_H
#define SYNWATCH_STORE_JOINING_H

#include <stddef.h>

#include <sqlite3.h>

#include "core/offset.h"
#include "core/terms.h"
#include "store/join.h"

/* In the column `role`, and `state`. */
enum join_state { JOIN_OTHER, JOIN_ESTABLISHED, JOIN_DROPPED };

/* The wall clock, from a moment on. */
struct join_wall {
	uint64_t from_ns;
	int64_t offset_ns;
};

struct join_session {
	unsigned int capture;
	int64_t id; /* in its capture */
	unsigned int boot;
	char *host;
	struct session *told; /* what its line says */
	uint64_t start_ns, end_ns;
	uint64_t cover_ns; /* what is older was deleted for room */
	struct join_wall *walls;
	size_t wall_count;
	bool all;
	uint64_t stall_after_ns;
	struct filter filter; /* on tuple and role */
	bool by_owner;	      /* it has others, too, on who listens */
	bool by_netns;	      /* and on the namespace */
	char blind[48];	      /* a hook that it lacks and that absence would need; "" */
	struct terms *terms;
	uint64_t clients, servers; /* handshakes in it */
};

struct join_capture {
	const char *path;
	const char *name; /* without its directories, for sentences */
	sqlite3 *db;
	sqlite3_stmt *records; /* bodies of a handshake */
	unsigned int reads;    /* in the transaction under way */
};

/* Statements of store/join_find and store/join_absence. */
enum find {
	FIND_SERVERS,
	FIND_CLIENTS,
	FIND_ADDRESS,
	FIND_DEST,
	FIND_NOISE,
	FIND_NEAR,
	FIND_OTHER_ISN,
	FIND_ANSWERED,
	FIND_ANY,
	FIND_NETNS,
	FINDS,
};

/* From the clock of one boot to that of another. */
struct join_clock {
	bool known; /* by handshakes, or because it is the same boot */
	bool used;  /* anything of these two could be joined */
	enum report_clock_by by;
	struct offset offset;
	uint64_t tolerance_ns;
};

/* Whether SYN cookies were in use at a port in some second: asked again and again. */
struct join_cookies {
	bool known, used;
	unsigned int session, lport;
	uint64_t second;
};

#define JOIN_COOKIES 256

struct joining {
	const struct join_options *options;
	const struct join_events *events;
	struct joined *joined;
	struct join_capture *captures;
	unsigned int capture_count;
	struct join_session *sessions;
	unsigned int session_count;
	char (*boots)[40]; /* each has a clock of its own */
	unsigned int boot_count;
	struct join_clock *clocks; /* [client's boot * boot_count + server's] */
	sqlite3 *db;		   /* the temporary one */
	struct join_cookies cookies[JOIN_COOKIES];
	sqlite3_stmt *find[FINDS];
};

static inline struct join_clock *joining_clock(const struct joining *joining, unsigned int client,
					       unsigned int server)
{
	return &joining->clocks[(size_t)client * joining->boot_count + server];
}

/* CLOCK_REALTIME less CLOCK_MONOTONIC at that moment of the session. */
int64_t joining_wall_offset(const struct join_session *session, uint64_t time_ns);

/* All return 0 or a negative errno. */

/* Opens the captures, and takes sessions and handshakes into the temporary database. */
int join_import(struct joining *joining);

/* Solves the clocks, and what leads where. */
int join_clocks(struct joining *joining);

/* A row of the temporary database. */
struct join_row {
	int64_t row; /* its rowid */
	unsigned int session;
	int64_t id; /* in its capture */
	uint64_t start_ns, end_ns;
	int64_t isn; /* -1: not known */
	int family;
	int state;
	unsigned int lport, rport;
	char laddr[46], raddr[46]; /* "": not known */
	uint32_t netns;
};

#define JOIN_COLUMNS \
	" rowid, session, id, start, end, isn, family, state, lport, rport, laddr, raddr, netns "

void join_row_read(sqlite3_stmt *statement, struct join_row *ret_row);

/* What was found for a client's handshake; its words point into the joining. */
struct join_found {
	struct join_matter matter;
	struct join_seen seen;
	char gap_words[160];
};

int join_find_prepare(struct joining *joining);
void join_find_done(struct joining *joining);
int join_find(struct joining *joining, const struct join_row *row, const struct join_client *client,
	      struct join_found *ret_found);

/* The rest of it where no capture has the handshake. */
int join_absence(struct joining *joining, const struct join_row *client,
		 const struct join_client *facts, struct join_found *found);

/* Names a session as the peer's; says why it tells nothing. */
void join_found_peer(const struct joining *joining, const struct join_row *client,
		     unsigned int session, struct join_found *found);
void join_found_gap(struct join_found *found, enum report_gap gap, const char *words);

/* Each record of a handshake, decoded, in order. */
int join_records(struct joining *joining, unsigned int capture, int64_t id,
		 void (*take)(void *ctx, const struct sw_handshake *record), void *ctx);

#endif /* SYNWATCH_STORE_JOINING_H */
