/* SPDX-License-Identifier: MIT */
/*
 * The world of the engine tests: one engine of each kind there is, spoken to in its own language.
 *
 * What a submission queue entry means is specified here once, at the seam, and every engine is held to
 * it: _i is the number of one. The kernel's io_uring is the reference: what it does is right.
 *
 * A test writes entries, each with a name of its own, and collects completions. Whatever the test is
 * about, the helpers hold the engine to this: entering succeeds, no completion is made up, and an entry
 * that has completed for good never completes again. The fixture cancels what is still in flight, closes
 * the engine, and counts descriptors.
 */
#ifndef SFR_TESTS_ENGINE_WORLD_H
#define SFR_TESTS_ENGINE_WORLD_H

#include "world.h"
#include "engine/engine.h"

#define MILLISECOND ((int64_t)1000000)

/* Where an engine differs from the reference for a good reason; docs/engines.md lists the same. */
struct difference {
	const char *name, *engine, *what;
};

extern const struct difference differences[];
extern const int difference_count;

/* Whether the engine of the test is one that differs in this. */
bool differs(const char *name);

/* How many engines work here. Those that do not are named, aloud, on the first call. */
int engine_count(void);

/* A case whose tests run in the fixture, and a test that runs on every engine. */
TCase *engine_case(Suite *suite, const char *name);
#define engine_test(tcase, test) tcase_add_loop_test(tcase, test, 0, engine_count())

/* Run the suite. Returns what main() is to return: 77 where no engine works. */
int engine_run(Suite *suite);

/* Make the engine of the test, with more settings if not NULL, and bind it to this thread. */
struct sfr__engine *engine_in(int number, const char *more);

/* The same, made by another thread. */
struct sfr__engine *engine_from_thread(int number);

/* Names of entries; further ones are numbers below NAMES. */
enum { A, B, C, D, E, F, G, H, CANCEL, CANCEL_AGAIN, CLEANUP = 255, NAMES };

/*
 * The next entry to write, empty, and what it is called: helpers of liburing may set any of its fields, so
 * name and flags come after.
 *
 *	io_uring_prep_recv(sqe_next(), fd, data, sizeof(data), 0);
 *	sqe_is(A, IOSQE_IO_LINK);
 */
struct io_uring_sqe *sqe_next(void);
struct io_uring_sqe *sqe_is(int name, unsigned flags);

/* Enter until so many more completions came; fail if it takes 10 s or if then there is one more. */
void collect(int count);

/* Enter until something comes, and take all of it. */
void collect_some(void);

/* Enter once without waiting; take what came. */
void collect_now(void);

/* What came for one name. */
struct outcome {
	int calls;
	bool submitted, over;
	int results[64];
	unsigned flags[64];
};

const struct outcome *outcome_of(int name);
int result_of(int name); /* of an entry that completed once and for good */
bool is_pending(int name);

/* The names of all completions in the order in which they came. */
extern int order[1024], order_count;

/* Write a request to cancel the entry of that name. */
void sqe_cancel(int name);

/*
 * The two ends of a connection, each a socket: Unix or TCP, and the end that is here blocks or does not.
 * A connection test runs on every engine with each kind.
 */
extern int here, there;
enum { CONNECTIONS = 4 };
void connection(int kind);
void engine_and_connection(int number);
#define connection_test(tcase, test) \
	tcase_add_loop_test(tcase, test, 0, engine_count() * CONNECTIONS)

/* Close what the descriptor refers to. The number stays taken, as the fixture closes it. */
void fd_empty(int fd);

/* The file's flags as fcntl tells them. */
int fd_flags(int fd);

/* How many bytes can be read at once from a pipe or a socket. */
int bytes_waiting(int fd);

#endif
