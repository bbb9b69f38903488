/* SPDX-License-Identifier: MIT */
/*
 * The queue of every engine, and how it is entered: order, overflow, sleep.
 */
#include "engine_world.h"
#include "base/clock.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

static char data[64];

/* Forever, or until the fixture cancels it. */
static void pending_read(int name)
{
	int read_end, write_end;

	pair_of_pipe_ends(&read_end, &write_end);
	io_uring_prep_read(sqe_next(), read_end, data, 1, 0);
	sqe_is(name, 0);
}

static void timer(int name, int64_t ns)
{
	static struct __kernel_timespec ts;

	ts = (struct __kernel_timespec){.tv_nsec = ns};
	io_uring_prep_timeout(sqe_next(), &ts, 0, 0);
	sqe_is(name, 0);
}

/*
 * Order.
 */

START_TEST(user_data_comes_back_as_it_was_given)
{
	static const uint64_t values[] = {0, 1, UINT64_C(0x0123456789abcdef), UINT64_MAX};
	struct sfr__engine *engine = engine_in(_i, NULL);
	int i;

	for (i = 0; i < 4; i++) {
		struct io_uring_sqe *sqe = sfr__queue_sqe(&engine->queue);

		io_uring_prep_nop(sqe);
		sqe->user_data = values[i];
	}
	ck_assert_int_eq(engine->calls->enter(engine, true, PATIENCE_NS), 0);

	ck_assert_uint_eq(sfr__queue_ready(&engine->queue), 4);
	for (i = 0; i < 4; i++) {
		const struct io_uring_cqe *cqe = sfr__queue_cqe(&engine->queue);

		ck_assert_uint_eq(cqe->user_data, values[i]);
		ck_assert_int_eq(cqe->res, 0);
		ck_assert_uint_eq(cqe->flags, 0);
		sfr__queue_pop(&engine->queue);
	}
}
END_TEST

START_TEST(what_completes_at_once_completes_in_the_order_of_submission)
{
	int read_end, write_end, i;

	engine_in(_i, NULL);
	pair_of_pipe_ends(&read_end, &write_end);
	for (i = 0; i < 60; i += 4) {
		io_uring_prep_nop(sqe_next());
		sqe_is(i, 0);
		io_uring_prep_write(sqe_next(), write_end, "x", 1, 0);
		sqe_is(i + 1, 0);
		io_uring_prep_read(sqe_next(), read_end, data, 1, 0);
		sqe_is(i + 2, 0);
		io_uring_prep_read(sqe_next(), -1, data, 1, 0);
		sqe_is(i + 3, 0);
	}
	collect(60);

	for (i = 0; i < 60; i++)
		ck_assert_int_eq(order[i], i);
}
END_TEST

START_TEST(who_binds_an_engine_runs_it_whoever_made_it)
{
	engine_from_thread(_i);
	pending_read(A);
	timer(B, MILLISECOND);
	io_uring_prep_nop(sqe_next());
	sqe_is(C, 0);
	collect(2);

	ck_assert(is_pending(A));
}
END_TEST

/*
 * Room.
 */

START_TEST(a_full_submission_queue_has_room_again_after_entering)
{
	struct sfr__engine *engine = engine_in(_i, "ring.entries=8");
	int i;

	for (i = 0; i < 8; i++) {
		io_uring_prep_nop(sqe_next());
		sqe_is(i, 0);
	}
	ck_assert_uint_eq(sfr__queue_written(&engine->queue), 8);
	ck_assert_ptr_null(sfr__queue_sqe(&engine->queue));

	collect(8);

	ck_assert_uint_eq(sfr__queue_written(&engine->queue), 0);
	ck_assert_ptr_nonnull(sfr__queue_sqe(&engine->queue));
}
END_TEST

static uint64_t wrote, reaped;

static void nops_write(struct sfr__engine *engine, unsigned count)
{
	struct io_uring_sqe *sqe;

	while (count-- && (sqe = sfr__queue_sqe(&engine->queue))) {
		io_uring_prep_nop(sqe);
		sqe->user_data = wrote++;
	}
}

static void nops_reap(struct sfr__engine *engine, unsigned count)
{
	const struct io_uring_cqe *cqe;

	while (count-- && (cqe = sfr__queue_cqe(&engine->queue))) {
		ck_assert_uint_eq(cqe->user_data, reaped);
		reaped++;
		sfr__queue_pop(&engine->queue);
	}
}

static void nops_finish(struct sfr__engine *engine)
{
	uint64_t until = sfr__clock_ns() + PATIENCE_NS;

	while (reaped < wrote && sfr__clock_ns() < until) {
		ck_assert_int_eq(engine->calls->enter(engine, true, PATIENCE_NS), 0);
		nops_reap(engine, UINT32_MAX);
	}
	ck_assert_uint_eq(reaped, wrote);
	ck_assert_uint_eq(sfr__queue_written(&engine->queue), 0);
	ck_assert_int_eq(engine->calls->enter(engine, false, 0), 0);
	ck_assert_uint_eq(sfr__queue_ready(&engine->queue), 0);
}

START_TEST(many_entries_go_through_a_small_ring_in_order)
{
	struct sfr__engine *engine = engine_in(_i, "ring.entries=8 ring.cq_entries=8");

	while (wrote < 1000) {
		nops_write(engine, 8);
		ck_assert_int_eq(engine->calls->enter(engine, false, 0), 0);
		nops_reap(engine, 8);
	}
	nops_finish(engine);
}
END_TEST

START_TEST(a_full_completion_queue_loses_nothing_and_keeps_the_order)
{
	struct sfr__engine *engine = engine_in(_i, "ring.entries=8 ring.cq_entries=8");
	int i;

	for (i = 0; i < 20; i++) {
		nops_write(engine, 8);
		ck_assert_int_eq(engine->calls->enter(engine, false, 0), 0);
	}
	ck_assert_uint_eq(sfr__queue_ready(&engine->queue), 8);
	nops_finish(engine);
}
END_TEST

START_TEST(a_completion_queue_that_is_never_emptied_keeps_the_order)
{
	struct sfr__engine *engine = engine_in(_i, "ring.entries=8 ring.cq_entries=8");

	while (wrote < 400) {
		nops_write(engine, 8);
		ck_assert_int_eq(engine->calls->enter(engine, false, 0), 0);
		nops_reap(engine, 3);
	}
	nops_finish(engine);
}
END_TEST

START_TEST(what_completes_late_is_not_lost_in_a_full_completion_queue)
{
	int ends[20][2], i;

	engine_in(_i, "ring.entries=8 ring.cq_entries=8");
	for (i = 0; i < 20; i++) {
		pair_of_pipe_ends(&ends[i][0], &ends[i][1]);
		io_uring_prep_read(sqe_next(), ends[i][0], &data[i], 1, 0);
		sqe_is(i, 0);
		collect_now();
	}
	for (i = 0; i < 20; i++)
		ck_assert_int_eq(write(ends[i][1], "x", 1), 1);
	collect(20);

	for (i = 0; i < 20; i++)
		ck_assert_int_eq(result_of(i), 1);
}
END_TEST

START_TEST(completions_not_reaped_yet_are_pending)
{
	struct sfr__engine *engine = engine_in(_i, NULL);

	io_uring_prep_nop(sqe_next());
	sqe_is(A, 0);
	ck_assert_int_eq(engine->calls->enter(engine, true, PATIENCE_NS), 0);
	ck_assert(engine->calls->pending(engine));

	collect(1);
	ck_assert(!engine->calls->pending(engine));
}
END_TEST

/*
 * Sleep.
 */

START_TEST(entering_without_waiting_never_sleeps)
{
	struct sfr__engine *engine = engine_in(_i, NULL);
	uint64_t before = sfr__clock_ns();

	ck_assert_int_eq(engine->calls->enter(engine, false, -1), 0);
	pending_read(A);
	ck_assert_int_eq(engine->calls->enter(engine, false, -1), 0);
	ck_assert_int_eq(engine->calls->enter(engine, false, PATIENCE_NS), 0);

	ck_assert_uint_lt(sfr__clock_ns() - before, PATIENCE_NS / 2);
	ck_assert_uint_eq(sfr__queue_ready(&engine->queue), 0);
}
END_TEST

START_TEST(waiting_ends_with_the_time_it_was_given)
{
	struct sfr__engine *engine = engine_in(_i, NULL);
	uint64_t before = sfr__clock_ns(), took;

	pending_read(A);
	ck_assert_int_eq(engine->calls->enter(engine, true, 0), 0);
	ck_assert_int_eq(engine->calls->enter(engine, true, 3 * MILLISECOND), 0);
	took = sfr__clock_ns() - before;

	ck_assert_uint_ge(took, 3 * MILLISECOND);
	ck_assert_uint_lt(took, PATIENCE_NS / 2);
	ck_assert_uint_eq(sfr__queue_ready(&engine->queue), 0);
}
END_TEST

START_TEST(waiting_takes_no_longer_when_the_time_is_less_than_a_microsecond)
{
	struct sfr__engine *engine = engine_in(_i, NULL);
	uint64_t before = sfr__clock_ns();
	int i;

	pending_read(A);
	for (i = 1; i < 1000; i += 100)
		ck_assert_int_eq(engine->calls->enter(engine, true, i), 0);

	ck_assert_uint_lt(sfr__clock_ns() - before, PATIENCE_NS / 2);
}
END_TEST

START_TEST(waiting_ends_with_the_first_completion)
{
	struct sfr__engine *engine = engine_in(_i, NULL);

	pending_read(A);
	timer(B, MILLISECOND);
	ck_assert_int_eq(engine->calls->enter(engine, true, -1), 0);

	ck_assert_uint_eq(sfr__queue_ready(&engine->queue), 1);
	collect(1);
}
END_TEST

START_TEST(there_is_no_sleep_while_completions_are_not_reaped)
{
	struct sfr__engine *engine = engine_in(_i, NULL);

	io_uring_prep_nop(sqe_next());
	sqe_is(A, 0);
	ck_assert_int_eq(engine->calls->enter(engine, true, -1), 0);
	ck_assert_int_eq(engine->calls->enter(engine, true, -1), 0);
	pending_read(B);
	ck_assert_int_eq(engine->calls->enter(engine, true, -1), 0);

	collect(1);
	ck_assert_int_eq(result_of(A), 0);
}
END_TEST

static volatile sig_atomic_t signals;

static void signal_count(int number)
{
	(void)number;
	signals++;
}

static void signals_every_millisecond(void)
{
	struct itimerval every = {{0, 1000}, {0, 1000}};

	signal(SIGALRM, signal_count);
	ck_assert_int_eq(setitimer(ITIMER_REAL, &every, NULL), 0);
}

static void signals_stop(void)
{
	struct itimerval never = {{0, 0}, {0, 0}};

	ck_assert_int_eq(setitimer(ITIMER_REAL, &never, NULL), 0);
}

START_TEST(signals_do_not_end_a_wait_without_limit)
{
	struct sfr__engine *engine = engine_in(_i, NULL);

	timer(A, 30 * MILLISECOND);
	collect_now();
	signals_every_millisecond();
	ck_assert_int_eq(engine->calls->enter(engine, true, -1), 0);
	signals_stop();

	ck_assert_int_gt(signals, 0);
	ck_assert_uint_eq(sfr__queue_ready(&engine->queue), 1);
	collect(1);
}
END_TEST

/* The kernel then says how many entries it took, and not that it was interrupted. */
START_TEST(nor_one_that_begins_with_taking_entries)
{
	struct sfr__engine *engine = engine_in(_i, NULL);

	signals_every_millisecond();
	timer(A, 30 * MILLISECOND);
	ck_assert_int_eq(engine->calls->enter(engine, true, -1), 0);
	signals_stop();

	ck_assert_int_gt(signals, 0);
	ck_assert_uint_eq(sfr__queue_ready(&engine->queue), 1);
	collect(1);
}
END_TEST

START_TEST(signals_neither_shorten_nor_prolong_a_wait_with_a_limit)
{
	struct sfr__engine *engine = engine_in(_i, NULL);
	uint64_t before = sfr__clock_ns(), took;

	signals_every_millisecond();
	pending_read(A);
	ck_assert_int_eq(engine->calls->enter(engine, true, 30 * MILLISECOND), 0);
	took = sfr__clock_ns() - before;
	signals_stop();

	ck_assert_int_gt(signals, 0);
	ck_assert_uint_ge(took, 30 * MILLISECOND);
	ck_assert_uint_lt(took, PATIENCE_NS / 2);
}
END_TEST

/*
 * The differences that engines have are documented.
 */

#define HEADING "## Differences\n"

static FILE *document_at_heading(void)
{
	char path[4096], line[1024];
	FILE *file;

	snprintf(path, sizeof(path), "%s/docs/engines.md", getenv("SFR_SOURCE_ROOT"));
	file = fopen(path, "r");
	ck_assert_msg(file != NULL, "no %s", path);
	while (fgets(line, sizeof(line), file))
		if (!strcmp(line, HEADING))
			return file;
	ck_abort_msg("%s has no section Differences", path);
}

static bool is_listed(const char *name, const char *engine)
{
	int i;

	for (i = 0; i < difference_count; i++)
		if (!strcmp(differences[i].name, name) && !strcmp(differences[i].engine, engine))
			return true;
	return false;
}

START_TEST(the_manual_lists_the_differences_that_are_tested_and_no_others)
{
	char line[1024], name[128], engine[128];
	FILE *file = document_at_heading();
	int rows = 0;

	while (fgets(line, sizeof(line), file) && strncmp(line, "## ", 3) != 0) {
		if (sscanf(line, "| %127[^|] | %127[a-z] |", name, engine) != 2)
			continue;
		name[strcspn(name, " ")] = '\0';
		if (!strcmp(name, "name") || name[0] == '-')
			continue;
		ck_assert_msg(is_listed(name, engine), "%s of %s is not tested", name, engine);
		rows++;
	}
	fclose(file);

	ck_assert_int_eq(rows, difference_count);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("engine queue");
	TCase *tc = engine_case(suite, "order");

	engine_test(tc, user_data_comes_back_as_it_was_given);
	engine_test(tc, what_completes_at_once_completes_in_the_order_of_submission);
	engine_test(tc, who_binds_an_engine_runs_it_whoever_made_it);
	tc = engine_case(suite, "room");
	engine_test(tc, a_full_submission_queue_has_room_again_after_entering);
	engine_test(tc, many_entries_go_through_a_small_ring_in_order);
	engine_test(tc, a_full_completion_queue_loses_nothing_and_keeps_the_order);
	engine_test(tc, a_completion_queue_that_is_never_emptied_keeps_the_order);
	engine_test(tc, what_completes_late_is_not_lost_in_a_full_completion_queue);
	engine_test(tc, completions_not_reaped_yet_are_pending);
	tc = engine_case(suite, "sleep");
	engine_test(tc, entering_without_waiting_never_sleeps);
	engine_test(tc, waiting_ends_with_the_time_it_was_given);
	engine_test(tc, waiting_takes_no_longer_when_the_time_is_less_than_a_microsecond);
	engine_test(tc, waiting_ends_with_the_first_completion);
	engine_test(tc, there_is_no_sleep_while_completions_are_not_reaped);
	engine_test(tc, signals_do_not_end_a_wait_without_limit);
	engine_test(tc, nor_one_that_begins_with_taking_entries);
	engine_test(tc, signals_neither_shorten_nor_prolong_a_wait_with_a_limit);
	tc = engine_case(suite, "differences");
	tcase_add_test(tc, the_manual_lists_the_differences_that_are_tested_and_no_others);
	return engine_run(suite);
}
