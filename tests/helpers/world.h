/* SPDX-License-Identifier: MIT */
/*
 * The world of the behaviour tests: one loop, on each kind of engine there is.
 *
 * Every claim about ops, buffers and connections is tested in all worlds: _i is the number of one. The
 * fixture is checked, so each test has a process of its own; at the end of each the loop is drained and
 * freed, and every buffer and descriptor must be back.
 */
#ifndef SFR_TESTS_WORLD_H
#define SFR_TESTS_WORLD_H

#include "cases.h"
#include "worlds.h"

/* The one loop of a test, made with the settings of the world and, if not NULL, more of them:
 * "buffers.count=4 ring.spin=20us". Its slab does not grow unless buffers.budget is among them. */
sfr_loop *loop_in(int world, const char *more);

/* The settings it would be made with; the test frees them. */
sfr_config *config_in(int world, const char *more);

/* One more loop, which the test frees. */
sfr_loop *second_loop(int world);

/* Free the loop before the test ends, and check that nothing is missing. */
void loop_end(void);

/* The fixture lets go of the loop: the test frees it. */
sfr_loop *loop_gone(void);

/* A case whose tests run in the fixture. */
TCase *world_case(Suite *suite, const char *name);

/* Add a test that runs in every world. */
#define world_test(tcase, test) tcase_add_loop_test(tcase, test, 0, world_count())

/* Run the suite. Returns what main() is to return. */
int world_run(Suite *suite);

/* What a callback was told. */
struct seen {
	int calls;
	int result;   /* of the last call */
	sfr_buf *buf; /* of the last call; released by the next one and by the fixture */
	int results[64];
	uint64_t bytes; /* sum of positive results */
};

extern struct seen seen, other; /* for the ops of a loop; loop_in() begins with both 0 */

/* An sfr_done whose arg is a struct seen. Up to 64 of them per test may hold a buffer at its end. */
void record(sfr_loop *loop, int result, sfr_buf *buf, void *arg);

/* The same for a function that is posted. */
void record_post(sfr_loop *loop, void *arg);

/* For memory that sfr_buf_wrap() borrows: count how often it came back. */
void note_release(void *mem, void *arg);
extern int releases; /* loop_in() begins with 0 */

/* A thread that releases a buffer. */
void *release_there(void *buf);

/* Let go of the buffer that was seen. */
void seen_release(struct seen *what);

/* Take turns until an op is done. Its result; a buffer of its is released. */
int awaited(sfr_op *op);

/* Take turns until *count has reached `wanted`; fail if that never is. */
void turn_until(sfr_loop *loop, const int *count, int wanted);

/* Take turns until `holds` does; fail if it never does. */
void turn_until_true(sfr_loop *loop, bool (*holds)(void *arg), void *arg);

/* Descriptors that the fixture closes. */
void pair_of_sockets(int *a, int *b); /* connected TCP sockets on loopback */
void pair_of_unix_sockets(int *a, int *b);
void pair_of_pipe_ends(int *read_end, int *write_end);
int empty_file(void);
int file_with(const char *text); /* its position at the beginning */
int owned_fd(int fd);            /* have the fixture close this one as well; returns it */
struct sockaddr_in;
int listening_socket(struct sockaddr_in *addr_out, int backlog); /* on loopback */

/* The same pointer, for tests that do on purpose what the compiler would rightly refuse. */
static inline void *same(void *pointer)
{
	void *volatile copy = pointer;

	return copy;
}

/* What the log was told since log_listen(). */
extern int log_lines, log_errors;
extern char log_line[512];
void log_listen(void);

sfr_loop_stats stats_of(sfr_loop *loop);
uint64_t stat_held(sfr_loop *loop); /* slab buffers that are neither free nor with the kernel */
bool has_parked(void *loop); /* whether a receive waits for a buffer: for turn_until_true() */

#endif
