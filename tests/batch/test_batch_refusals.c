/* SPDX-License-Identifier: MIT */
/*
 * Batches that are refused: by a name, before anything of them reaches the engine, and with nothing lost.
 */
#include "batches.h"
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/*
 * What is wrong with it is found when it is built.
 */

/* Some ops to be wrong about: notes, of which none may ever be written. */
static sfr_batch *batch_of(sfr_loop *loop, int count)
{
	sfr_batch *batch = batch_on(loop);
	int i;

	for (i = 0; i < count; i++)
		ck_assert_int_eq(sfr_batch_add(batch, note(loop, 'x')), i);
	return batch;
}

/* It cannot be submitted any more, whatever is done; and with what it had it is gone. */
static void assert_refused(sfr_loop *loop, sfr_batch *batch, int err)
{
	sfr_loop_stats before = stats_of(loop);
	sfr_batch_plan_info plan;
	int result;

	ck_assert_int_ge(sfr_batch_add(batch, note(loop, 'x')),
			 0); /* that is all right, and no help */
	ck_assert_int_eq(sfr_batch_plan(batch, &plan), err);
	ck_assert_int_eq(sfr_batch_submit(batch, batch_ended, &ended), err);
	ck_assert_int_eq(sfr_batch_await(batch), err);
	ck_assert_int_eq(sfr_batch_submit(batch, batch_ended, &ended), err);
	ck_assert_int_eq(sfr_batch_result(batch, 0, &result), -SFR_EPENDING);
	ck_assert_int_eq(sfr_batch_cancel(batch), -SFR_ESTALE);

	ck_assert_uint_eq(stats_of(loop).ops, before.ops);
	ck_assert_uint_eq(stats_of(loop).enters, before.enters);
	batch_end(loop, batch);
	ck_assert_int_eq(sfr_await(sfr_nop(loop), NULL), 0);
	ck_assert_str_eq(notes(), "");
	ck_assert_int_eq(ended.calls, 0);
}

START_TEST(an_op_cannot_wait_for_itself)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	sfr_batch *batch = batch_of(loop, 3);

	ck_assert_int_eq(sfr_batch_after(batch, 1, 1), -SFR_ECYCLE);
	assert_refused(loop, batch, -SFR_ECYCLE);
	batch = batch_of(loop, 3);
	ck_assert_int_eq(sfr_batch_after_any(batch, 2, 2), -SFR_ECYCLE);
	assert_refused(loop, batch, -SFR_ECYCLE);
}
END_TEST

START_TEST(two_cannot_wait_for_each_other)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	int any;

	for (any = 0; any < 4; any++) {
		sfr_batch *batch = batch_of(loop, 3);

		ck_assert_int_eq(any & 1 ? sfr_batch_after_any(batch, 0, 2)
					 : sfr_batch_after(batch, 0, 2),
				 0);
		ck_assert_int_eq(any & 2 ? sfr_batch_after_any(batch, 2, 0)
					 : sfr_batch_after(batch, 2, 0),
				 -SFR_ECYCLE);
		assert_refused(loop, batch, -SFR_ECYCLE);
	}
}
END_TEST

/* In the order of adding; against it; and through other branches that are no cycles. */
START_TEST(twenty_cannot_wait_for_each_other)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	int way, i;

	for (way = 0; way < 3; way++) {
		sfr_batch *batch = batch_of(loop, 40);

		for (i = 1; i < 20; i++) {
			int op = way == 1 ? i - 1 : i, dependency = way == 1 ? i : i - 1;

			ck_assert_int_eq(i % 3 ? sfr_batch_after(batch, op, dependency)
					       : sfr_batch_after_any(batch, op, dependency),
					 0);
			if (way == 2)
				ck_assert_int_eq(sfr_batch_after(batch, 20 + i, dependency), 0);
		}
		ck_assert_int_eq(way == 1 ? sfr_batch_after(batch, 19, 0)
					  : sfr_batch_after(batch, 0, 19),
				 -SFR_ECYCLE);
		assert_refused(loop, batch, -SFR_ECYCLE);
	}
}
END_TEST

/* By its descriptor, and by its buffer. */
START_TEST(what_uses_an_op_waits_for_it)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	sfr_batch *batch = batch_on(loop);
	int open = sfr_batch_add(batch, sfr_openat(loop, AT_FDCWD, "/dev/null", O_RDWR, 0));
	int read = sfr_batch_add(batch,
				 sfr_read(loop, sfr_batch_fd(batch, open), room_for(loop, 8)));

	ck_assert_int_eq(sfr_batch_after_any(batch, open, read), -SFR_ECYCLE);
	assert_refused(loop, batch, -SFR_ECYCLE);

	batch = batch_of(loop, 1);
	read = sfr_batch_then(batch, 0, sfr_write(loop, 1, NULL));
	ck_assert_int_eq(sfr_batch_after(batch, 0, read), -SFR_ECYCLE);
	assert_refused(loop, batch, -SFR_ECYCLE);
}
END_TEST

START_TEST(an_index_is_of_an_op_that_is_there)
{
	static const int wrong[] = {3, 4, 32768, 1 << 30, 2147483647};
	sfr_loop *loop = loop_for_batches(_i, NULL);
	int i, way;

	for (i = 0; i < COUNT_OF(wrong); i++) {
		for (way = 0; way < 5; way++) {
			sfr_batch *batch = batch_of(loop, 3);
			int r = way == 0   ? sfr_batch_after(batch, 0, wrong[i])
				: way == 1 ? sfr_batch_after(batch, wrong[i], 0)
				: way == 2 ? sfr_batch_after_any(batch, 0, wrong[i])
				: way == 3 ? sfr_batch_after_any(batch, wrong[i], 0)
					   : sfr_batch_then(batch, wrong[i] + (wrong[i] == 3),
							    note(loop, 'x'));

			ck_assert_int_eq(r, -EINVAL);
			assert_refused(loop, batch, -EINVAL);
		}
	}
}
END_TEST

/* What sfr_batch_add() returned need not be looked at. */
START_TEST(an_index_that_is_an_error_gives_that_error)
{
	static const int errors[] = {-EINVAL, -ENOMEM, -SFR_ECYCLE, -SFR_EOPSINFLIGHT, -ENOENT};
	sfr_loop *loop = loop_for_batches(_i, NULL);
	int i, way;

	for (i = 0; i < COUNT_OF(errors); i++) {
		for (way = 0; way < 5; way++) {
			sfr_batch *batch = batch_of(loop, 3);
			int r = way == 0   ? sfr_batch_after(batch, 0, errors[i])
				: way == 1 ? sfr_batch_after(batch, errors[i], 0)
				: way == 2 ? sfr_batch_after_any(batch, 0, errors[i])
				: way == 3 ? sfr_batch_after_any(batch, errors[i], 0)
					   : sfr_batch_then(batch, errors[i], note(loop, 'x'));

			ck_assert_int_eq(r, errors[i]);
			assert_refused(loop, batch, errors[i]);
		}
	}
}
END_TEST

START_TEST(an_op_of_another_loop_is_refused)
{
	sfr_loop *loop = loop_for_batches(_i, NULL), *second;
	sfr_config *config = config_in(_i, NULL);
	sfr_batch *batch;

	ck_assert_int_eq(sfr_loop_new(&second, config), 0);
	sfr_config_free(config);
	batch = batch_of(loop, 2);
	ck_assert_int_eq(sfr_batch_add(batch, sfr_write(second, 1, text_buf(second, "x"))),
			 -EINVAL);
	ck_assert_uint_eq(stat_held(second), 0);
	assert_refused(loop, batch, -EINVAL);
	batch = batch_of(loop, 2);
	ck_assert_int_eq(sfr_batch_then(batch, 1, sfr_nop(second)), -EINVAL);
	assert_refused(loop, batch, -EINVAL);
	ck_assert_int_eq(sfr_loop_free(second), 0);
}
END_TEST

START_TEST(what_calls_back_more_than_once_is_refused)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	int kind, fd = empty_pipe();

	for (kind = 0; kind < 9; kind++) {
		sfr_batch *batch = batch_of(loop, 2);
		sfr_buf *buf = kind == 0 ? room_for(loop, 8) : NULL;
		struct io_uring_sqe sqe = {0};
		sfr_op *op;

		io_uring_prep_nop(&sqe);
		op = kind == 0   ? sfr_raw(loop, &sqe, buf)
		     : kind == 1 ? sfr_accept_multi(loop, fd)
		     : kind == 2 ? sfr_recv_multi(loop, fd)
		     : kind == 3 ? sfr_read_multi(loop, fd)
		     : kind == 4 ? sfr_poll_multi(loop, fd, 1)
		     : kind == 5 ? sfr_recvfrom_multi(loop, fd)
		     : kind == 6 ? sfr_interval(loop, 1000000)
		     : kind == 7 ? sfr_signal(loop, SIGUSR1)
				 : sfr_raw(loop, NULL, NULL);
		ck_assert_int_eq(kind % 2 ? sfr_batch_add(batch, op) : sfr_batch_then(batch, 0, op),
				 -EINVAL);
		assert_refused(loop, batch, -EINVAL);
	}
}
END_TEST

START_TEST(an_op_for_which_there_was_no_memory_is_refused)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	sfr_batch *batch = batch_of(loop, 2);

	ck_assert_int_eq(sfr_batch_add(batch, NULL), -ENOMEM);
	assert_refused(loop, batch, -ENOMEM);
	batch = batch_of(loop, 2);
	ck_assert_int_eq(sfr_batch_then(batch, 0, NULL), -ENOMEM);
	assert_refused(loop, batch, -ENOMEM);
}
END_TEST

START_TEST(of_several_errors_the_first_counts)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	sfr_batch *batch = batch_of(loop, 3);

	ck_assert_int_eq(sfr_batch_after(batch, 0, 1), 0);
	ck_assert_int_eq(sfr_batch_after(batch, 1, 0), -SFR_ECYCLE);
	ck_assert_int_eq(sfr_batch_after(batch, 1, 77), -EINVAL);
	ck_assert_int_eq(sfr_batch_add(batch, NULL), -ENOMEM);
	assert_refused(loop, batch, -SFR_ECYCLE);
}
END_TEST

START_TEST(emptied_it_is_as_good_as_new)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	sfr_batch *batch = batch_of(loop, 3);

	ck_assert_int_eq(sfr_batch_after(batch, 1, 1), -SFR_ECYCLE);
	ck_assert_int_eq(sfr_batch_reset(batch), 0);
	ck_assert_uint_eq(stat_held(loop), 0);
	ck_assert_int_eq(sfr_batch_add(batch, note(loop, 'a')), 0);
	ck_assert_int_eq(sfr_batch_then(batch, 0, note(loop, 'b')), 1);
	ck_assert_int_eq(sfr_batch_await(batch), 0);

	ck_assert_str_eq(notes(), "ab");
	batch_end(loop, batch);
}
END_TEST

#define MANY 32768

START_TEST(more_ops_than_can_be_numbered_are_refused)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	sfr_batch *batch = batch_on(loop);
	int i, refused = 0;

	for (i = 0; i < MANY; i++)
		refused += sfr_batch_add(batch, sfr_nop(loop)) != i;
	ck_assert_int_eq(refused, 0);
	ck_assert_int_eq(sfr_batch_await(batch), 0);
	ck_assert_int_eq(sfr_batch_reset(batch), 0);
	for (i = 0; i < MANY; i++)
		refused += sfr_batch_add(batch, sfr_nop(loop)) != i;
	ck_assert_int_eq(refused, 0);
	ck_assert_int_eq(sfr_batch_add(batch, note(loop, 'x')), -EINVAL);
	ck_assert_int_eq(sfr_batch_submit(batch, batch_ended, &ended), -EINVAL);
	batch_end(loop, batch);
	ck_assert_int_eq(ended.calls, 0);
}
END_TEST

/*
 * What comes too late.
 */

/* All that changes a batch says so; what it was given is gone, and the batch is as it was. */
static void assert_closed(sfr_loop *loop, sfr_batch *batch, int err)
{
	uint64_t held = stat_held(loop);

	ck_assert_int_eq(sfr_batch_add(batch, note(loop, 'x')), err);
	ck_assert_int_eq(sfr_batch_then(batch, 0, note(loop, 'x')), err);
	ck_assert_int_eq(sfr_batch_add(batch, NULL), err);
	ck_assert_int_eq(sfr_batch_after(batch, 1, 0), err);
	ck_assert_int_eq(sfr_batch_after_any(batch, 0, 0), err);
	ck_assert_int_eq(sfr_batch_within(batch, 1), err);
	ck_assert_int_eq(sfr_batch_submit(batch, batch_ended, &ended), err);
	ck_assert_uint_eq(stat_held(loop), held);
}

START_TEST(once_submitted_it_is_not_changed_any_more)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	sfr_batch *batch = batch_on(loop);
	struct gate gate = gate_make();

	sfr_batch_add(batch, gate_wait(loop, &gate));
	sfr_batch_then(batch, 0, note(loop, 'a'));
	ck_assert_int_eq(sfr_batch_submit(batch, batch_ended, &ended), 0);
	assert_closed(loop, batch, -SFR_EOPSINFLIGHT);
	ck_assert_int_eq(sfr_batch_reset(batch), -SFR_EOPSINFLIGHT);
	ck_assert_int_eq(sfr_loop_step(loop, 0), 0);
	assert_closed(loop, batch, -SFR_EOPSINFLIGHT);
	gate_open(&gate);
	turn_until(loop, &ended.calls, 1);
	assert_closed(loop, batch, -SFR_ESTALE);

	ck_assert_int_eq(sfr_await(sfr_nop(loop), NULL), 0);
	ck_assert_int_eq(ended.calls, 1);
	assert_result(batch, 1, 1);
	ck_assert_str_eq(notes(), "a");
	batch_end(loop, batch);
}
END_TEST

START_TEST(one_that_runs_is_not_freed)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	sfr_batch *batch = batch_on(loop);
	struct gate gate = gate_make();

	sfr_batch_add(batch, gate_wait(loop, &gate));
	sfr_batch_then(batch, 0, note(loop, 'a'));
	ck_assert_int_eq(sfr_batch_submit(batch, batch_ended, &ended), 0);
	log_listen();
	errno = 0;
	sfr_batch_free(same(batch));
	ck_assert_int_eq(errno, SFR_EOPSINFLIGHT);
	ck_assert_int_eq(log_lines, 1);
	ck_assert_ptr_nonnull(strstr(log_line, "batch"));
	gate_open(&gate);
	turn_until(loop, &ended.calls, 1);

	assert_result(batch, 1, 1);
	ck_assert_str_eq(notes(), "a");
	batch_end(loop, batch);
	ck_assert_int_eq(log_lines, 1);
}
END_TEST

START_TEST(where_rules_are_enforced_freeing_one_that_runs_ends_the_program)
{
	sfr_loop *loop = loop_for_batches(_i, "safety.abort=on");
	sfr_batch *batch = batch_on(loop);

	sfr_batch_add(batch, pending_read(loop));
	ck_assert_int_eq(sfr_batch_submit(batch, NULL, NULL), 0);
	sfr_batch_free(batch);
}
END_TEST

/* An op that was added is the batch's. */
START_TEST(what_was_added_cannot_be_given_again)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	sfr_batch *batch = batch_on(loop), *another = batch_on(loop);
	sfr_op *op = note(loop, 'a'), *again = same(op);

	ck_assert_int_eq(sfr_batch_add(batch, op), 0);
	log_listen();
	ck_assert_int_eq(sfr_batch_add(batch, same(again)), -SFR_ESTALE);
	ck_assert_int_eq(sfr_batch_then(batch, 0, same(again)), -SFR_ESTALE);
	ck_assert_int_eq(sfr_batch_add(another, same(again)), -SFR_ESTALE);
	errno = 0;
	ck_assert_uint_eq(sfr_submit(same(again), NULL, NULL), 0);
	ck_assert_int_eq(errno, SFR_ESTALE);
	ck_assert_int_eq(sfr_await(same(again), NULL), -SFR_ESTALE);
	(void)sfr_all(same(again));
	(void)sfr_within(same(again), 1);
	(void)sfr_into(same(again), -2);
	sfr_op_discard(same(again));
	ck_assert_int_eq(log_lines, 9);

	sfr_batch_free(another);
	(void)sfr_batch_await(batch); /* or refused: it was given what it had */
	ck_assert_int_le(strlen(notes()), 1);
	batch_end(loop, batch);
}
END_TEST

/* It is loop that it is of that has no memory for it, or the thread. */
START_TEST(a_batch_that_could_not_be_made_refuses_everything)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	sfr_batch *none = same(NULL);
	sfr_batch_plan_info plan;
	int index, result;

	index = sfr_batch_add(none, note(loop, 'x'));
	ck_assert_int_eq(index, -ENOMEM);
	ck_assert_int_eq(sfr_batch_then(none, index, sfr_write(loop, 1, NULL)), -ENOMEM);
	ck_assert_int_eq(sfr_batch_after(none, 0, 1), -ENOMEM);
	ck_assert_int_eq(sfr_batch_after_any(none, 0, 1), -ENOMEM);
	ck_assert_int_eq(sfr_batch_fd(none, 0), -1);
	ck_assert_int_eq(sfr_batch_within(none, 1), -ENOMEM);
	ck_assert_int_eq(sfr_batch_plan(none, &plan), -ENOMEM);
	ck_assert_int_eq(sfr_batch_submit(none, batch_ended, &ended), -ENOMEM);
	ck_assert_int_eq(sfr_batch_await(none), -ENOMEM);
	ck_assert_int_eq(sfr_batch_result(none, 0, &result), -ENOMEM);
	ck_assert_int_eq(sfr_batch_error(none, NULL), -ENOMEM);
	ck_assert_int_eq(sfr_batch_cancel(none), -ENOMEM);
	ck_assert_int_eq(sfr_batch_reset(none), -ENOMEM);
	errno = 0;
	ck_assert_ptr_null(sfr_batch_take(none, 0));
	ck_assert_int_eq(errno, ENOMEM);
	sfr_batch_free(none);

	ck_assert_uint_eq(stat_held(loop), 0);
	ck_assert_int_eq(sfr_await(sfr_nop(loop), NULL), 0);
	ck_assert_str_eq(notes(), "");
	ck_assert_int_eq(ended.calls, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("batch refusals");
	TCase *tc = world_case(suite, "building");

	world_test(tc, an_op_cannot_wait_for_itself);
	world_test(tc, two_cannot_wait_for_each_other);
	world_test(tc, twenty_cannot_wait_for_each_other);
	world_test(tc, what_uses_an_op_waits_for_it);
	world_test(tc, an_index_is_of_an_op_that_is_there);
	world_test(tc, an_index_that_is_an_error_gives_that_error);
	world_test(tc, an_op_of_another_loop_is_refused);
	world_test(tc, what_calls_back_more_than_once_is_refused);
	world_test(tc, an_op_for_which_there_was_no_memory_is_refused);
	world_test(tc, of_several_errors_the_first_counts);
	world_test(tc, emptied_it_is_as_good_as_new);
	world_test(tc, more_ops_than_can_be_numbered_are_refused);
	tc = world_case(suite, "too late");
	world_test(tc, once_submitted_it_is_not_changed_any_more);
	world_test(tc, one_that_runs_is_not_freed);
	tcase_add_loop_test_raise_signal(
		tc, where_rules_are_enforced_freeing_one_that_runs_ends_the_program, SIGABRT, 0,
		world_count());
	world_test(tc, what_was_added_cannot_be_given_again);
	world_test(tc, a_batch_that_could_not_be_made_refuses_everything);
	return world_run(suite);
}
