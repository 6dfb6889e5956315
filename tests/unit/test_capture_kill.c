/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The recorder is killed at random moments, while 2,000 handshakes in trouble come a
 * second: each time the file opens, is sound, and lacks the last second at most.
 */
#include "captures.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

#include <sys/mman.h>
#include <sys/wait.h>

#include "store/capture.h"

#define ROUNDS	   50
#define SIDE	   5 /* so many at a time */
#define PER_SECOND 2000

/* "At most the last second" */
#define AT_RISK_NS SEC

/* Nobody sleeps as short as he asked for. */
#define PAUSE_NS     (5 * MS)
#define OVERSLEPT_NS (20 * MS)

/* How far the child has come, by its own clock: what it gave the recorder and when. */
struct progress {
	uint64_t given;		    /* records */
	uint64_t stolen_ns;	    /* by a busy machine, which keeps the recorder waiting, too */
	uint64_t given_at[1 << 16]; /* when each was */
};

struct round {
	struct place place;
	struct progress *progress;
	pid_t child;
	uint64_t killed_ns;
};

static uint64_t clock_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * SEC
	+(uint64_t)now.tv_nsec;
}

/* Three records each. */
static void give_handshake(struct capture *capture, struct progress *progress, uint64_t cookie)
{
	uint64_t now_ns = clock_ns();

	for (uint8_t n = 1; n <= 3; n++) {
		struct sw_handshake facts =
			facts_client(n < 3 ? SW_RETRY : SW_CLOSE, now_ns + n, n);

		if (progress->given == ARRAY_SIZE(progress->given_at))
			return;
		facts.cookie = cookie;
		facts.start_ns = facts.syn_ns = now_ns;
		facts.tuple.raddr[15] = (uint8_t)cookie;
		facts.sk_err = n < 3 ? 0 : 110;
		capture_append(capture, &facts, sizeof(facts));
		progress->given_at[progress->given] = now_ns;
		__atomic_store_n(&progress->given, progress->given + 1, __ATOMIC_RELEASE);
	}
}

static void record_until_killed(const struct round *round)
{
	const struct session session = {.start_ns = clock_ns(), .boot_id = "b"};
	/* A small one, so that it is pruned meanwhile, now and then. */
	const struct capture_options options = {
		.path = round->place.path, .session = &session, .max_size = 4 << 20};
	const struct timespec pause = {.tv_nsec = (long)PAUSE_NS};
	struct capture *capture;
	uint64_t begin_ns, last_ns, cookie = 0;

	if (capture_open(&options, &capture))
		_exit(1);
	begin_ns = last_ns = clock_ns();
	for (;;) {
		uint64_t now_ns = clock_ns(), due = (now_ns - begin_ns) * PER_SECOND / SEC;

		if (now_ns - last_ns > OVERSLEPT_NS)
			round->progress->stolen_ns += now_ns - last_ns;
		last_ns = now_ns;
		while (cookie < due)
			give_handshake(capture, round->progress, ++cookie);
		capture_advance(capture, clock_ns());
		(void)nanosleep(&pause, NULL);
	}
}

static void start(struct round *round)
{
	place_make(&round->place);
	round->progress = mmap(NULL, sizeof(*round->progress), PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(round->progress != MAP_FAILED);
	round->child = fork();
	assert_true(round->child >= 0);
	if (!round->child)
		record_until_killed(round);
}

/* Records given longer ago than that when it was killed must be there. */
static uint64_t due_records(const struct round *round)
{
	uint64_t given = __atomic_load_n(&round->progress->given, __ATOMIC_ACQUIRE), due = 0;

	while (due < given &&
	       round->progress->given_at[due] + AT_RISK_NS + round->progress->stolen_ns <
		       round->killed_ns)
		due++;
	return due;
}

static void check(struct round *round)
{
	const struct reader_options options = judge_options(&round->place);
	unsigned int sessions;
	char *json;
	int err, status;

	assert_int_equal(waitpid(round->child, &status, 0), round->child);
	assert_true(WIFSIGNALED(status));
	if (access(round->place.path, F_OK) == 0) {
		json = judge_capture(&options, &sessions, &err);
		if (err != -ENODATA) {
			assert_int_equal(err, 0);
			assert_true(place_is_sound(&round->place));
			assert_in_range(place_number(&round->place,
						     "SELECT max(last_seq) FROM session"),
					due_records(round), round->progress->given);
		}
		free(json);
	}
	place_remove(&round->place);
	(void)munmap(round->progress, sizeof(*round->progress));
}

static void a_kill_costs_the_last_second_at_most(void **state)
{
	struct round rounds[SIDE];
	uint64_t random = 88172645463325252ULL;

	(void)state;
	for (int done = 0; done < ROUNDS; done += SIDE) {
		for (int i = 0; i < SIDE; i++)
			start(&rounds[i]);
		for (int i = 0; i < SIDE; i++) {
			struct timespec pause = {};

			random ^= random << 13;
			random ^= random >> 7;
			random ^= random << 17;
			pause.tv_nsec = (long)(random % (500 * MS));
			(void)nanosleep(&pause, NULL);
			rounds[i].killed_ns = clock_ns();
			(void)kill(rounds[i].child, SIGKILL);
		}
		for (int i = 0; i < SIDE; i++)
			check(&rounds[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_kill_costs_the_last_second_at_most),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
