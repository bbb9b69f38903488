/* SPDX-License-Identifier: MIT */
/*
 * Rows of which the kernel takes a part, as it does when it is short of memory in the middle: what it did
 * not take together with what comes before never runs by itself, on every engine.
 */
#include "engine_world.h"
#include "cut.h"
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINK IOSQE_IO_LINK
#define HARD IOSQE_IO_HARDLINK

/* A row of five, one that is alone, and a row of two. */
enum { FIVE = 5, ALONE = 5, PAIR = 6, ENTRIES = 8 };
enum { NOBODY = -1 };

/* Where an engine that is not the kernel gets its memory. */
static bool no_memory;
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

void *__wrap_calloc(size_t count, size_t size)
{
	return no_memory ? NULL : __real_calloc(count, size);
}

static struct sfr__engine *engine;
static int log_read, log_write; /* a pipe that tells who has run */

static struct {
	int calls, result;
	bool unsent;
} ends[ENTRIES];

static void entry(int i, bool fails, unsigned link)
{
	static const char names[] = "abcdefgh";
	static char byte;
	struct io_uring_sqe *sqe = sfr__queue_sqe(&engine->queue);

	ck_assert_ptr_nonnull(sqe);
	if (fails)
		io_uring_prep_read(sqe, -1, &byte, 1, 0);
	else
		io_uring_prep_write(sqe, log_write, &names[i], 1, 0);
	sqe->flags |= (uint8_t)link;
	sqe->user_data = (uint64_t)(i + 1) * 64;
}

/* All eight of them; one of the five may fail. */
static void entries_write(int failing, unsigned link)
{
	int i;

	for (i = 0; i < FIVE; i++)
		entry(i, i == failing, i < FIVE - 1 ? link : 0);
	entry(ALONE, false, 0);
	entry(PAIR, false, link);
	entry(PAIR + 1, false, 0);
}

static void reap(void)
{
	int left = ENTRIES, enters = 0;

	memset(ends, 0, sizeof(ends));
	while (left) {
		const struct io_uring_cqe *cqe;

		ck_assert_msg(enters++ < 100, "%d did not come", left);
		ck_assert_int_eq(engine->calls->enter(engine, true, PATIENCE_NS), 0);
		for (; (cqe = sfr__queue_cqe(&engine->queue)); left--) {
			uint64_t i = cqe->user_data / 64 - 1;

			ck_assert_uint_lt(i, ENTRIES);
			ends[i].calls++;
			ends[i].result = cqe->res;
			ends[i].unsent = cqe->user_data % 64 == SFR__CQE_UNSENT;
			sfr__queue_pop(&engine->queue);
		}
	}
	engine->calls->enter(engine, false, 0);
	ck_assert_uint_eq(sfr__queue_ready(&engine->queue), 0);
}

/* Who has run, in the order in which they did. */
static const char *log_text(void)
{
	static char text[ENTRIES + 2];

	memset(text, 0, sizeof(text));
	if (bytes_waiting(log_read))
		ck_assert_int_gt(read(log_read, text, sizeof(text) - 1), 0);
	return text;
}

/* Where the rest of a row begins that was cut first where these cuts say; its end if it was not. */
static int rest_of(int begin, int end)
{
	int at = 0, i;

	for (i = 0; i < 2 && at < ENTRIES; i++) {
		at += (int)cut_sizes[i];
		if (at > begin && at < end)
			return at;
	}
	return end;
}

static void check_row(int begin, int end, int failing, unsigned link)
{
	bool kernel = strcmp(engine->calls->name, "uring") == 0;
	int rest = kernel ? rest_of(begin, end) : end, i;

	for (i = begin; i < end; i++) {
		bool broken = link == LINK && failing != NOBODY && i > failing && failing >= begin;

		ck_assert_int_eq(ends[i].calls, 1);
		ck_assert_msg(ends[i].unsent == (i >= rest), "%d of [%d, %d), cut at %d", i, begin,
			      end, rest);
		if (i < rest)
			ck_assert_int_eq(ends[i].result, i == failing ? -EBADF
							 : broken     ? -ECANCELED
								      : 1);
	}
}

/* The log has exactly those whose result says that they ran, and rows in order. */
static void check_log(void)
{
	const char *text = log_text(), *before = NULL;
	int ran = 0, i;

	for (i = 0; i < ENTRIES; i++) {
		const char *at = strchr(text, "abcdefgh"[i]);
		bool did = !ends[i].unsent && ends[i].result == 1;

		ran += did;
		ck_assert_msg(did == (at != NULL), "%d, and the log says %s", i, text);
		if (at && i != ALONE && i != PAIR)
			ck_assert_msg(!before || at > before, "%s is not in order", text);
		before = at && i != ALONE ? at : i == ALONE ? NULL : before;
	}
	ck_assert_int_eq((int)strlen(text), ran);
}

/* _i is an engine and where the first cut is. */
START_TEST(what_is_cut_off_a_row_does_not_run)
{
	static const unsigned links[] = {LINK, HARD};
	int failing, first = _i % (ENTRIES + 1), second;
	unsigned i;

	engine = engine_in(_i / (ENTRIES + 1), "ring.entries=8");
	pair_of_pipe_ends(&log_read, &log_write);
	for (i = 0; i < 2; i++)
		for (failing = NOBODY; failing < FIVE; failing++)
			for (second = 0; second <= ENTRIES; second++) {
				cut_at((unsigned)first, (unsigned)second);
				entries_write(failing, links[i]);
				reap();
				check_row(0, FIVE, failing, links[i]);
				check_row(ALONE, ALONE + 1, NOBODY, 0);
				check_row(PAIR, PAIR + 2, NOBODY, links[i]);
				check_log();
			}
}
END_TEST

/* The members that wait are not there to be found, and what is cut off says so before the rest is done. */
START_TEST(what_is_cut_off_is_told_while_the_rest_waits)
{
	int fd, peer;

	engine = engine_in(_i, NULL);
	pair_of_pipe_ends(&log_read, &log_write);
	pair_of_unix_sockets(&fd, &peer);
	cut_at(2, ENTRIES);
	io_uring_prep_recv(sfr__queue_sqe(&engine->queue), fd, &(char){0}, 1, 0);
	engine->queue.sqes[(engine->queue.sq_tail - 1) & engine->queue.sq_mask].flags |= LINK;
	entry(1, false, LINK);
	entry(2, false, 0);
	if (strcmp(engine->calls->name, "uring") == 0) {
		const struct io_uring_cqe *cqe;

		ck_assert_int_eq(engine->calls->enter(engine, true, PATIENCE_NS), 0);
		cqe = sfr__queue_cqe(&engine->queue);
		ck_assert_ptr_nonnull(cqe);
		ck_assert_uint_eq(cqe->user_data, 3 * 64 + SFR__CQE_UNSENT);
		sfr__queue_pop(&engine->queue);
	}
	ck_assert_int_eq(bytes_waiting(log_read), 0);
	ck_assert_int_eq(write(peer, "x", 1), 1);
	while (sfr__queue_ready(&engine->queue) < 2)
		ck_assert_int_eq(engine->calls->enter(engine, true, PATIENCE_NS), 0);
	ck_assert_int_eq(log_text()[0], 'b');
}
END_TEST

/* The engine has memory for 64 entries at first. _i is an engine, and how many of those wait. */
enum { WAITING_MIN = 56, WAITING_MAX = 64, WAITINGS = WAITING_MAX - WAITING_MIN + 1 };

START_TEST(without_memory_for_a_whole_row_none_of_it_is_taken)
{
	int fd, peer, i, waiting = WAITING_MIN + _i % WAITINGS;
	unsigned left;

	engine = engine_in(_i / WAITINGS, "ring.entries=128");
	pair_of_pipe_ends(&log_read, &log_write);
	pair_of_pipe_ends(&fd, &peer);
	for (i = 0; i < waiting; i++)
		io_uring_prep_poll_add(sfr__queue_sqe(&engine->queue), fd, POLLIN);
	ck_assert_int_eq(engine->calls->enter(engine, false, 0), 0);

	no_memory = true;
	entries_write(1, LINK);
	ck_assert_int_eq(engine->calls->enter(engine, false, 0), 0);
	no_memory = false;
	left = sfr__queue_written(&engine->queue);
	ck_assert_msg(left == ENTRIES || left == ENTRIES - FIVE || left == 2 || left == 0,
		      "%u are left", left);

	reap();
	check_row(0, FIVE, 1, LINK);
	check_row(PAIR, PAIR + 2, NOBODY, LINK);
	check_log();
	ck_assert_int_eq(write(peer, "x", 1), 1);
	for (i = 0; i < waiting; sfr__queue_pop(&engine->queue), i++)
		while (!sfr__queue_ready(&engine->queue))
			ck_assert_int_eq(engine->calls->enter(engine, true, PATIENCE_NS), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("engine cut");
	TCase *tc = engine_case(suite, "rows of which a part is taken");

	tcase_add_loop_test(tc, what_is_cut_off_a_row_does_not_run, 0,
			    engine_count() * (ENTRIES + 1));
	engine_test(tc, what_is_cut_off_is_told_while_the_rest_waits);
	tcase_add_loop_test(tc, without_memory_for_a_whole_row_none_of_it_is_taken, 0,
			    engine_count() * WAITINGS);
	return engine_run(suite);
}
