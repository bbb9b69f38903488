/* SPDX-License-Identifier: MIT */
/*
 * Batches: what runs after what, what one is asked when it is done, and what is left of it.
 */
#include "batches.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/*
 * Order.
 */

START_TEST(one_thing_is_done_after_the_other)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	int how, i;

	for (how = 0; how <= NOTE_WAYS; how++) { /* the last time, in all ways by turns */
		sfr_batch *batch = batch_on(loop);
		size_t before = strlen(notes());

		sfr_batch_add(batch, note_as(loop, 'a', how % NOTE_WAYS));
		for (i = 1; i < 20; i++) {
			int way = how < NOTE_WAYS ? how : i % NOTE_WAYS;
			sfr_op *op = note_as(loop, (char)('a' + i), way);

			ck_assert_int_eq(sfr_batch_then(batch, i - 1, op), i);
		}
		batch_run(loop, batch);

		ck_assert_str_eq(notes() + before, "abcdefghijklmnopqrst");
		batch_end(loop, batch);
	}
}
END_TEST

START_TEST(after_any_is_an_order_as_well)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	int how, i;

	for (how = 0; how <= NOTE_WAYS; how++) {
		sfr_batch *batch = batch_on(loop);
		size_t before = strlen(notes());

		for (i = 0; i < 20; i++) {
			int way = how < NOTE_WAYS ? how : i % NOTE_WAYS;

			sfr_batch_add(batch, note_as(loop, (char)('a' + i), way));
			if (i)
				ck_assert_int_eq(sfr_batch_after_any(batch, i, i - 1), 0);
		}
		batch_run(loop, batch);

		ck_assert_str_eq(notes() + before, "abcdefghijklmnopqrst");
		batch_end(loop, batch);
	}
}
END_TEST

START_TEST(the_order_is_that_of_the_dependencies_not_of_the_adding)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	sfr_batch *batch = batch_on(loop);
	int last = sfr_batch_add(batch, note(loop, 'd')), first, second, third;

	second = sfr_batch_add(batch, note_as(loop, 'b', 1));
	first = sfr_batch_add(batch, note(loop, 'a'));
	third = sfr_batch_add(batch, note(loop, 'c'));
	ck_assert_int_eq(sfr_batch_after(batch, last, third), 0);
	ck_assert_int_eq(sfr_batch_after(batch, second, first), 0);
	ck_assert_int_eq(sfr_batch_after_any(batch, third, second), 0);
	batch_run(loop, batch);

	ck_assert_str_eq(notes(), "abcd");
	batch_end(loop, batch);
}
END_TEST

/* The first two could wait for each other for ever. */
START_TEST(what_waits_for_nothing_starts_at_once)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	sfr_batch *batch = batch_on(loop);
	struct gate gate = gate_make();
	int waiting = sfr_batch_add(batch, gate_wait(loop, &gate));
	int opening = sfr_batch_add(batch, sfr_write(loop, gate.writer, text_buf(loop, "!")));

	sfr_batch_then(batch, waiting, note(loop, 'a'));
	batch_run(loop, batch);

	assert_result(batch, waiting, 1);
	assert_result(batch, opening, 1);
	ck_assert_str_eq(notes(), "a");
	batch_end(loop, batch);
}
END_TEST

START_TEST(a_fork_runs_all_that_wait_for_one)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	sfr_batch *batch = batch_on(loop);
	struct gate gate = gate_make();
	int first = sfr_batch_add(batch, gate_wait(loop, &gate)), i, held;

	for (i = 0; i < 6; i++) {
		held = sfr_batch_add(batch, note_as(loop, 'x', i % NOTE_WAYS));
		if (i % 2)
			sfr_batch_after(batch, held, first);
		else
			sfr_batch_after_any(batch, held, first);
	}
	ck_assert_int_eq(sfr_batch_submit(batch, batch_ended, &ended), 0);
	ck_assert_int_eq(sfr_await(sfr_nop(loop), NULL), 0);
	ck_assert_str_eq(notes(), "");
	gate_open(&gate);
	turn_until(loop, &ended.calls, 1);

	ck_assert_str_eq(notes(), "xxxxxx");
	batch_end(loop, batch);
}
END_TEST

START_TEST(a_join_waits_for_all_in_whatever_order_they_end)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	int i, round;

	for (round = 0; round < 2; round++) {
		sfr_batch *batch = batch_on(loop);
		struct gate gates[3];
		int join, waiting[3], soft = round;

		for (i = 0; i < 3; i++) {
			gates[i] = gate_make();
			waiting[i] = sfr_batch_add(batch, gate_wait(loop, &gates[i]));
		}
		join = sfr_batch_add(batch, note(loop, 'j'));
		for (i = 0; i < 3; i++)
			ck_assert_int_eq(soft ? sfr_batch_after(batch, join, waiting[i])
					      : sfr_batch_after_any(batch, join, waiting[i]),
					 0);
		ck_assert_int_eq(sfr_batch_submit(batch, NULL, NULL), 0);
		for (i = 2; i >= 0; i--) {
			ck_assert_int_eq(sfr_await(sfr_nop(loop), NULL), 0);
			ck_assert(!has_ended(batch, join));
			gate_open(&gates[i]);
			turns_until_ended(loop, batch, waiting[i]);
		}
		turns_until_ended(loop, batch, join);

		assert_result(batch, join, 1);
		batch_end(loop, batch);
	}
	ck_assert_str_eq(notes(), "jj");
}
END_TEST

START_TEST(a_diamond_begins_and_ends_with_one)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	int how;

	for (how = 0; how < NOTE_WAYS; how++) {
		sfr_batch *batch = batch_on(loop);
		size_t before = strlen(notes());
		int top = sfr_batch_add(batch, note_as(loop, 't', how));
		int left = sfr_batch_then(batch, top, note_as(loop, 'x', how));
		int right = sfr_batch_then(batch, top, note_as(loop, 'x', how));
		int bottom = sfr_batch_then(batch, left, note_as(loop, 'b', how));

		ck_assert_int_eq(sfr_batch_after(batch, bottom, right), 0);
		batch_run(loop, batch);

		ck_assert_str_eq(notes() + before, "txxb");
		batch_end(loop, batch);
	}
}
END_TEST

/* In worlds with small rings it is longer than these; the other half is linked by hard links. */
START_TEST(a_long_row_is_none_too_long)
{
	sfr_loop *loop = loop_for_batches(_i, "buffers.count=512");
	sfr_batch *batch = batch_on(loop);
	char expected[301] = "";
	int i;

	for (i = 0; i < 300; i++) {
		expected[i] = (char)('a' + i % 26);
		sfr_batch_add(batch, note(loop, expected[i]));
		if (i)
			ck_assert_int_eq(i < 150 ? sfr_batch_after(batch, i, i - 1)
						 : sfr_batch_after_any(batch, i, i - 1),
					 0);
	}
	batch_run(loop, batch);

	ck_assert_str_eq(notes(), expected);
	batch_end(loop, batch);
}
END_TEST

START_TEST(many_wait_for_one_and_one_for_many)
{
	sfr_loop *loop = loop_for_batches(_i, "buffers.count=512");
	sfr_batch *batch = batch_on(loop);
	int first = sfr_batch_add(batch, note(loop, 'a')), last, i;

	for (i = 0; i < 200; i++)
		sfr_batch_then(batch, first, note_as(loop, 'm', i % 2 ? 0 : 2));
	last = sfr_batch_add(batch, note(loop, 'z'));
	for (i = 0; i < 200; i++)
		ck_assert_int_eq(sfr_batch_after(batch, last, 1 + i), 0);
	batch_run(loop, batch);

	ck_assert_uint_eq(strlen(notes()), 202);
	ck_assert_uint_eq(strspn(notes() + 1, "m"), 200);
	ck_assert_int_eq(notes()[0], 'a');
	ck_assert_int_eq(notes()[201], 'z');
	batch_end(loop, batch);
}
END_TEST

/* Wanted success counts, however often and in whatever order it was said. */
START_TEST(a_dependency_may_be_declared_more_than_once)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	sfr_batch *batch = batch_on(loop);
	int failing = sfr_batch_add(batch, sfr_fsync(loop, -1)), one, another, i;
	sfr_batch_plan_info plan;

	one = sfr_batch_add(batch, note(loop, 'a'));
	another = sfr_batch_add(batch, note(loop, 'b'));
	for (i = 0; i < 3; i++) {
		ck_assert_int_eq(sfr_batch_after(batch, one, failing), 0);
		ck_assert_int_eq(sfr_batch_after_any(batch, one, failing), 0);
		ck_assert_int_eq(sfr_batch_after_any(batch, another, failing), 0);
	}
	ck_assert_int_eq(sfr_batch_after(batch, another, failing), 0);
	ck_assert_int_eq(sfr_batch_plan(batch, &plan), 0);
	ck_assert_uint_eq(plan.edges, 10);
	batch_run(loop, batch);

	assert_result(batch, one, -SFR_EDEPFAILED);
	assert_result(batch, another, -SFR_EDEPFAILED);
	ck_assert_str_eq(notes(), "");
	batch_end(loop, batch);
}
END_TEST

START_TEST(how_it_is_executed_can_be_asked_at_any_time)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	sfr_batch *batch = batch_on(loop);
	struct gate gate = gate_make();
	sfr_batch_plan_info before, running, after;

	sfr_batch_add(batch, gate_wait(loop, &gate));
	sfr_batch_then(batch, 0, note(loop, 'a'));
	ck_assert_int_eq(sfr_batch_plan(batch, &before), 0);
	ck_assert_uint_eq(before.ops, 2);
	sfr_batch_then(batch, 1, note(loop, 'b'));
	sfr_batch_then(batch, 1, sfr_timeout(loop, 0)); /* which no engine does */
	ck_assert_int_eq(sfr_batch_plan(batch, &before), 0);
	ck_assert_uint_eq(before.ops, 4);
	ck_assert_uint_eq(before.edges, 3);
	ck_assert_uint_eq(before.links + before.released, 3);
	ck_assert_uint_ge(before.released, 1);
	ck_assert_int_eq(sfr_batch_submit(batch, batch_ended, &ended), 0);
	ck_assert_int_eq(sfr_loop_step(loop, 0), 0);
	ck_assert_int_eq(sfr_batch_plan(batch, &running), 0);
	gate_open(&gate);
	turn_until(loop, &ended.calls, 1);
	ck_assert_int_eq(sfr_batch_plan(batch, &after), 0);

	ck_assert_str_eq(before.text, running.text);
	ck_assert_str_eq(before.text, after.text);
	ck_assert_uint_eq(after.links, before.links);
	ck_assert_int_eq(sfr_batch_reset(batch), 0);
	ck_assert_int_eq(sfr_batch_plan(batch, &after), 0);
	ck_assert_uint_eq(after.ops + after.edges + after.links + after.released, 0);
	ck_assert_str_eq(after.text, "");
	batch_end(loop, batch);
}
END_TEST

/* What waits, whatever it is, and what comes after it. */
START_TEST(every_kind_of_op_that_can_wait_holds_up_what_is_after_it)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	int i;

	for (i = 0; i < pending_count; i++) {
		sfr_batch *batch = batch_on(loop);
		int waiting = sfr_batch_add(batch, pending_kinds[i].build(loop)), after, any;

		if (waiting < 0) { /* it calls back more than once */
			ck_assert_int_eq(waiting, -EINVAL);
			batch_end(loop, batch);
			continue;
		}
		after = sfr_batch_then(batch, waiting, note(loop, 'x'));
		any = sfr_batch_add(batch, note(loop, 'y'));
		sfr_batch_after_any(batch, any, waiting);
		ck_assert_int_eq(sfr_batch_submit(batch, batch_ended, &ended), 0);
		ck_assert_int_eq(sfr_await(sfr_nop(loop), NULL), 0);
		ck_assert_int_eq(sfr_await(sfr_nop(loop), NULL), 0);
		ck_assert_msg(!has_ended(batch, waiting), "%s", pending_kinds[i].name);
		ck_assert(!has_ended(batch, after) && !has_ended(batch, any));
		ck_assert_int_eq(sfr_batch_cancel(batch), 0);
		turn_until(loop, &ended.calls, 1);

		ended.calls = 0;
		ck_assert_msg(result_of(batch, waiting) == -ECANCELED, "%s: %s",
			      pending_kinds[i].name, sfr_errname(result_of(batch, waiting)));
		assert_result(batch, after, -ECANCELED);
		assert_result(batch, any, -ECANCELED);
		ck_assert_str_eq(notes(), "");
		batch_end(loop, batch);
	}
}
END_TEST

/*
 * Done.
 */

START_TEST(done_comes_once_after_all_and_never_inside_submit)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	sfr_batch *batch = batch_on(loop);
	struct gate gate = gate_make();

	sfr_batch_add(batch, sfr_fsync(loop, -1));
	sfr_batch_add(batch, sfr_read(loop, 0, NULL)); /* it has failed already */
	sfr_batch_then(batch, 0, note(loop, 'x'));
	sfr_batch_add(batch, gate_wait(loop, &gate));
	ck_assert_int_eq(sfr_batch_submit(batch, batch_ended, &ended), 0);
	ck_assert_int_eq(ended.calls, 0);
	turns_until_ended(loop, batch, 0);
	turns_until_ended(loop, batch, 1);
	turns_until_ended(loop, batch, 2);
	ck_assert_int_eq(sfr_await(sfr_nop(loop), NULL), 0);
	ck_assert_int_eq(ended.calls, 0);
	gate_open(&gate);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(ended.calls, 1);
	ck_assert_ptr_eq(ended.batch, batch);
	batch_end(loop, batch);
	ck_assert_int_eq(sfr_await(sfr_nop(loop), NULL), 0);
	ck_assert_int_eq(ended.calls, 1);
}
END_TEST

START_TEST(a_batch_without_ops_is_done_as_well_but_not_at_once)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	sfr_batch *batch = batch_on(loop);

	ck_assert_int_eq(sfr_batch_submit(batch, batch_ended, &ended), 0);
	ck_assert_int_eq(ended.calls, 0);
	ck_assert_int_eq(sfr_loop_run(loop), 0);
	ck_assert_int_eq(ended.calls, 1);
	ck_assert_int_eq(sfr_batch_error(batch, NULL), 0);
	ck_assert_int_eq(sfr_batch_reset(batch), 0);
	ck_assert_int_eq(sfr_batch_await(batch), 0);
	batch_end(loop, batch);
}
END_TEST

START_TEST(nobody_needs_to_be_told)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	sfr_batch *batch = batch_on(loop);

	sfr_batch_add(batch, note(loop, 'a'));
	sfr_batch_then(batch, 0, note(loop, 'b'));
	ck_assert_int_eq(sfr_batch_submit(batch, NULL, NULL), 0);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_str_eq(notes(), "ab");
	assert_result(batch, 1, 1);
	batch_end(loop, batch);
}
END_TEST

/* Each member is in flight from the submission on. */
START_TEST(a_loop_runs_until_its_batches_are_done)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	sfr_batch *batch = batch_on(loop);
	struct gate gate = gate_make();
	sfr_loop_stats before = stats_of(loop);

	sfr_batch_add(batch, gate_wait(loop, &gate));
	sfr_batch_then(batch, 0, note_as(loop, 'a', 1));
	sfr_batch_then(batch, 1, note(loop, 'b'));
	ck_assert_uint_eq(sfr_loop_inflight(loop), 0);
	ck_assert_int_eq(sfr_batch_submit(batch, batch_ended, &ended), 0);
	ck_assert_uint_eq(sfr_loop_inflight(loop), 3);
	ck_assert_uint_eq(stats_of(loop).ops, before.ops + 3);
	ck_assert_int_eq(sfr_loop_free(loop), -SFR_EOPSINFLIGHT);
	ck_assert_int_eq(sfr_loop_step(loop, 0), 0);
	ck_assert_uint_eq(sfr_loop_inflight(loop), 3);
	gate_open(&gate);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_uint_eq(sfr_loop_inflight(loop), 0);
	ck_assert_int_eq(ended.calls, 1);
	ck_assert_str_eq(notes(), "ab");
	batch_end(loop, batch);
}
END_TEST

static void batch_fill(sfr_loop *loop, sfr_batch *batch)
{
	sfr_batch_add(batch, note(loop, 'a'));
	sfr_batch_then(batch, 0, note_as(loop, 'b', 2));
	sfr_batch_then(batch, 1, sfr_nop(loop));
}

static void free_and_note(sfr_loop *loop, sfr_batch *batch, void *arg)
{
	batch_ended(loop, batch, arg);
	sfr_batch_free(batch);
}

static void start_again(sfr_loop *loop, sfr_batch *batch, void *arg)
{
	batch_ended(loop, batch, arg);
	ck_assert_int_eq(result_of(batch, 2), 0);
	ck_assert_int_eq(sfr_batch_reset(batch), 0);
	batch_fill(loop, batch);
	ck_assert_int_eq(
		sfr_batch_submit(batch, ended.calls < 50 ? start_again : free_and_note, arg), 0);
}

START_TEST(its_callback_may_fill_and_submit_it_again_and_free_it)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	sfr_batch *batch = batch_on(loop);
	int i;

	batch_fill(loop, batch);
	ck_assert_int_eq(sfr_batch_submit(batch, start_again, &ended), 0);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(ended.calls, 51);
	for (i = 0; i < 51; i++)
		ck_assert_mem_eq(notes() + 2 * i, "ab", 2);
	ck_assert_uint_eq(strlen(notes()), 102);
	ck_assert_uint_eq(stat_held(loop), 0);
}
END_TEST

START_TEST(other_ops_and_batches_run_beside_it)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	sfr_batch *one = batch_on(loop), *another = batch_on(loop);
	struct gate gate = gate_make(), second = gate_make();
	struct ended other_ended = {0};

	sfr_batch_add(one, gate_wait(loop, &gate));
	sfr_batch_then(one, 0, note(loop, 'b'));
	sfr_batch_add(another, note(loop, 'a'));
	sfr_batch_then(another, 0, gate_wait(loop, &second));
	sfr_batch_then(another, 1, sfr_write(loop, gate.writer, text_buf(loop, "!")));
	ck_assert_int_eq(sfr_batch_submit(one, batch_ended, &ended), 0);
	sfr_submit(sfr_nop(loop), record, &seen);
	ck_assert_int_eq(sfr_batch_submit(another, batch_ended, &other_ended), 0);
	sfr_submit(pending_read(loop), record, &other);
	turn_until(loop, &seen.calls, 1);
	turns_until_ended(loop, another, 0);
	gate_open(&second);
	turn_until(loop, &other_ended.calls, 1);
	turn_until(loop, &ended.calls, 1);

	ck_assert_str_eq(notes(), "ab");
	ck_assert_int_eq(seen.calls, 1);
	ck_assert_int_eq(other.calls, 0);
	sfr_batch_free(one);
	sfr_batch_free(another);
}
END_TEST

START_TEST(two_loops_have_their_own_batches)
{
	sfr_loop *loop = loop_for_batches(_i, NULL), *second;
	sfr_config *config = config_in(_i, NULL);
	struct ended second_ended = {0};
	sfr_batch *batches[2];
	int i;

	ck_assert_int_eq(sfr_loop_new(&second, config), 0);
	sfr_config_free(config);
	batches[0] = batch_on(loop);
	batches[1] = batch_on(second);
	for (i = 0; i < 2; i++)
		batch_fill(i ? second : loop, batches[i]);
	ck_assert_int_eq(sfr_batch_submit(batches[0], batch_ended, &ended), 0);
	ck_assert_int_eq(sfr_batch_submit(batches[1], batch_ended, &second_ended), 0);
	ck_assert_int_eq(sfr_loop_run(second), 0);
	ck_assert_int_eq(second_ended.calls, 1);
	ck_assert_int_eq(ended.calls, 0);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(ended.calls, 1);
	ck_assert_str_eq(notes(), "abab");
	sfr_batch_free(batches[0]);
	sfr_batch_free(batches[1]);
	ck_assert_int_eq(sfr_loop_free(second), 0);
}
END_TEST

/*
 * Results.
 */

START_TEST(each_op_has_its_result_when_it_has_ended)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	sfr_batch *batch = batch_on(loop);
	struct gate gate = gate_make();
	int result = 77, op = 77;

	sfr_batch_add(batch, sfr_write_at(loop, empty_file(), text_buf(loop, "hello"), 0));
	sfr_batch_then(batch, 0, gate_wait(loop, &gate));
	sfr_batch_then(batch, 1, sfr_fsync(loop, -1));
	sfr_batch_then(batch, 2, note(loop, 'x'));
	ck_assert_int_eq(sfr_batch_result(batch, 0, &result), -SFR_EPENDING);
	ck_assert_int_eq(sfr_batch_error(batch, &op), -SFR_EPENDING);
	ck_assert_int_eq(sfr_batch_submit(batch, batch_ended, &ended), 0);
	turns_until_ended(loop, batch, 0);
	assert_result(batch, 0, 5);
	ck_assert_int_eq(sfr_batch_result(batch, 1, &result), -SFR_EPENDING);
	ck_assert_int_eq(sfr_batch_error(batch, &op), -SFR_EPENDING);
	gate_open(&gate);
	turn_until(loop, &ended.calls, 1);

	assert_result(batch, 1, 1);
	assert_result(batch, 2, -EBADF);
	assert_result(batch, 3, -SFR_EDEPFAILED);
	ck_assert_int_eq(sfr_batch_result(batch, 4, &result), -EINVAL);
	ck_assert_int_eq(sfr_batch_result(batch, -1, &result), -EINVAL);
	ck_assert_int_eq(result, 77);
	ck_assert_int_eq(op, 77);
	batch_end(loop, batch);
}
END_TEST

/* Not what followed from another's failure, and not a short one. */
START_TEST(what_went_wrong_first_is_the_first_op_with_an_error_of_its_own)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	sfr_batch *batch = batch_on(loop);
	int late, early, op = -1;

	sfr_batch_add(batch, sfr_read_at(loop, file_with("short"), room_for(loop, 64), 0));
	sfr_batch_then(batch, 0, note(loop, 'x'));
	late = sfr_batch_add(batch, sfr_nop(loop));
	early = sfr_batch_add(batch, sfr_unlinkat(loop, AT_FDCWD, "/no/such/file", 0));
	sfr_batch_after(batch, late, early);
	sfr_batch_add(batch, sfr_fsync(loop, -1));
	ck_assert_int_eq(sfr_batch_await(batch), 4);

	ck_assert_int_eq(sfr_batch_error(batch, &op), -ENOENT);
	ck_assert_int_eq(op, early);
	ck_assert_int_eq(sfr_batch_error(batch, NULL), -ENOENT);
	batch_end(loop, batch);
}
END_TEST

START_TEST(without_an_error_there_is_none_to_tell)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	sfr_batch *batch = batch_on(loop);
	int op = 77;

	batch_fill(loop, batch);
	ck_assert_int_eq(sfr_batch_await(batch), 0);
	ck_assert_int_eq(sfr_batch_error(batch, &op), 0);
	ck_assert_int_eq(op, 77);
	batch_end(loop, batch);
}
END_TEST

/*
 * Buffers.
 */

START_TEST(a_buffer_is_taken_as_a_callback_would_have_got_it)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	sfr_batch *batch = batch_on(loop);
	int file = file_with("0123456789"), read, write, failing;
	sfr_buf *buf;

	read = sfr_batch_add(batch, sfr_read_at(loop, file, room_for(loop, 64), 4));
	write = sfr_batch_add(batch, sfr_write(loop, empty_file(), text_buf(loop, "hello")));
	failing = sfr_batch_add(batch, sfr_write(loop, -1, text_buf(loop, "lost")));
	ck_assert_int_eq(sfr_batch_await(batch), 1);

	buf = sfr_batch_take(batch, read);
	assert_text(buf, "456789");
	ck_assert(sfr_buf_is_owned(buf));
	sfr_buf_release(buf);
	buf = sfr_batch_take(batch, write);
	assert_text(buf, "hello");
	sfr_batch_free(batch); /* it outlives the batch */
	assert_text(buf, "hello");
	sfr_buf_release(buf);
	(void)failing; /* what it carried went back with the batch */
	ck_assert_uint_eq(stat_held(loop), 0);
}
END_TEST

START_TEST(what_is_not_there_to_be_taken_has_a_name)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	sfr_batch *batch = batch_on(loop);
	struct gate gate = gate_make();

	sfr_batch_add(batch, note(loop, 'a'));
	sfr_batch_then(batch, 0, gate_wait(loop, &gate));
	sfr_batch_add(batch, sfr_nop(loop));
	errno = 0;
	ck_assert_ptr_null(sfr_batch_take(batch, 0));
	ck_assert_int_eq(errno, SFR_EPENDING);
	ck_assert_int_eq(sfr_batch_submit(batch, batch_ended, &ended), 0);
	turns_until_ended(loop, batch, 0);
	errno = 0;
	ck_assert_ptr_null(sfr_batch_take(batch, 1));
	ck_assert_int_eq(errno, SFR_EPENDING);
	sfr_buf_release(sfr_batch_take(batch, 0)); /* it has ended, though the batch has not */
	gate_open(&gate);
	turn_until(loop, &ended.calls, 1);

	errno = 0;
	ck_assert_ptr_null(sfr_batch_take(batch, 0));
	ck_assert_int_eq(errno, SFR_ESTALE);
	ck_assert_ptr_null(sfr_batch_take(batch, 2));
	ck_assert_int_eq(errno, ENODATA);
	ck_assert_ptr_null(sfr_batch_take(batch, 3));
	ck_assert_int_eq(errno, EINVAL);
	errno = 0;
	ck_assert_ptr_null(sfr_batch_take(batch, -1));
	ck_assert_int_eq(errno, EINVAL);
	batch_end(loop, batch);
}
END_TEST

START_TEST(what_nobody_takes_goes_back_with_the_batch)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	sfr_batch *batch = batch_on(loop);
	int i;

	for (i = 0; i < 3; i++) {
		batch_fill(loop, batch);
		sfr_batch_add(batch, sfr_read_at(loop, empty_file(), room_for(loop, 64), 0));
		sfr_batch_then(batch, 3, note(loop, 'x'));
		if (i) /* else they are discarded */
			ck_assert_int_eq(sfr_batch_await(batch), 1);
		ck_assert_uint_eq(stat_held(loop), 4);
		ck_assert_int_eq(sfr_batch_reset(batch), 0);
		ck_assert_uint_eq(stat_held(loop), 0);
	}
	batch_fill(loop, batch);
	batch_end(loop, batch);
	sfr_batch_free(NULL);
	ck_assert_str_eq(notes(), "abab");
}
END_TEST

/*
 * Descriptors.
 */

static sfr_op *open_null(sfr_loop *loop)
{
	return sfr_openat(loop, AT_FDCWD, "/dev/null", O_RDWR, 0);
}

/* A loop that has whatever it needs to open files. */
static sfr_loop *loop_that_opened(int world)
{
	sfr_loop *loop = loop_for_batches(world, NULL);
	int fd = sfr_await(open_null(loop), NULL);

	ck_assert_int_eq(sfr_await(sfr_close(loop, fd), NULL), 0);
	return loop;
}

START_TEST(a_descriptor_that_nobody_asks_for_is_closed_with_the_batch)
{
	sfr_loop *loop = loop_that_opened(_i);
	sfr_batch *batch = batch_on(loop);
	int before = open_descriptors(), i;

	for (i = 0; i < 3; i++) {
		sfr_batch_add(batch, open_null(loop));
		sfr_batch_add(batch, under_valgrind() /* no worker runs there */
					     ? open_null(loop)
					     : sfr_socket(loop, AF_UNIX, SOCK_STREAM, 0));
		ck_assert_int_eq(sfr_batch_await(batch), 0);
		ck_assert_int_eq(open_descriptors(), before + 2);
		if (i < 2)
			ck_assert_int_eq(sfr_batch_reset(batch), 0);
		else
			sfr_batch_free(batch);
		ck_assert_int_eq(open_descriptors(), before);
	}
}
END_TEST

START_TEST(a_descriptor_that_was_asked_for_is_the_askers)
{
	sfr_loop *loop = loop_that_opened(_i);
	sfr_batch *batch = batch_on(loop);
	int before = open_descriptors(), fd;

	sfr_batch_add(batch, open_null(loop));
	ck_assert_int_eq(sfr_batch_await(batch), 0);
	fd = result_of(batch, 0);
	ck_assert_int_eq(result_of(batch, 0), fd);
	batch_end(loop, batch);

	ck_assert_int_eq(open_descriptors(), before + 1);
	ck_assert_int_eq(close(fd), 0);
}
END_TEST

/* Its number is somebody else's by then. */
START_TEST(a_descriptor_that_the_batch_closed_is_not_closed_again)
{
	sfr_loop *loop = loop_that_opened(_i);
	sfr_batch *batch = batch_on(loop);
	int lowest = dup(0), open, another;

	close(lowest);
	open = sfr_batch_add(batch, open_null(loop));
	sfr_batch_then(batch, open, sfr_close(loop, sfr_batch_fd(batch, open)));
	ck_assert_int_eq(sfr_batch_await(batch), 0);
	another = dup(0);
	ck_assert_int_eq(another, lowest); /* else this test tells nothing */
	batch_end(loop, batch);

	ck_assert_int_eq(fcntl(another, F_GETFD), 0);
	close(another);
}
END_TEST

/* If the close did not run, for what it waited for failed, nobody has closed it. */
START_TEST(a_descriptor_whose_close_never_ran_is_closed_with_the_batch)
{
	sfr_loop *loop = loop_that_opened(_i);
	sfr_batch *batch = batch_on(loop);
	int before = open_descriptors(), open, failing, close_it;

	open = sfr_batch_add(batch, open_null(loop));
	failing = sfr_batch_add(batch, sfr_fsync(loop, -1));
	close_it = sfr_batch_add(batch, sfr_close(loop, sfr_batch_fd(batch, open)));
	sfr_batch_after(batch, close_it, failing);
	ck_assert_int_eq(sfr_batch_await(batch), 2);
	assert_result(batch, close_it, -SFR_EDEPFAILED);
	ck_assert_int_eq(open_descriptors(), before + 1);
	batch_end(loop, batch);

	ck_assert_int_eq(open_descriptors(), before);
}
END_TEST

START_TEST(a_batch_goes_with_its_loop)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	sfr_batch *done = batch_on(loop), *never = batch_on(loop), *drained = batch_on(loop);
	int before = open_descriptors(), with_loop, result;

	sfr_batch_add(done, note(loop, 'a'));
	sfr_batch_add(done, open_null(loop));
	sfr_batch_add(done, sfr_write(loop, -1, sfr_buf_get(loop, 100000))); /* of the heap */
	ck_assert_int_eq(sfr_batch_await(done), 1);
	batch_fill(loop, never);
	sfr_batch_add(drained, pending_read(loop));
	sfr_batch_then(drained, 0, note(loop, 'x'));
	ck_assert_int_eq(sfr_batch_submit(drained, batch_ended, &ended), 0);
	ck_assert_int_eq(sfr_loop_drain(loop, -1), 0);
	ck_assert_int_eq(ended.calls, 1);
	with_loop = open_descriptors();
	ck_assert_int_eq(sfr_loop_free(loop_gone()), 0);

	ck_assert_int_lt(open_descriptors(), with_loop);
	ck_assert_int_le(open_descriptors(), before); /* the loop had some as well */
	ck_assert_int_eq(sfr_batch_result(done, 0, &result), -SFR_ESTALE);
	log_listen();
	sfr_batch_free(done);
	sfr_batch_free(never);
	sfr_batch_free(drained);
	ck_assert_int_eq(log_lines, 0);
}
END_TEST

/*
 * Await.
 */

START_TEST(await_submits_and_counts_what_failed)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	sfr_batch *batch = batch_on(loop);

	sfr_submit(sfr_timeout(loop, 0), record, &seen);
	sfr_batch_add(batch, sfr_timeout(loop, 1000000));
	sfr_batch_then(batch, 0, note(loop, 'a'));
	sfr_batch_then(batch, 1, sfr_read_at(loop, empty_file(), room_for(loop, 8), 0));
	sfr_batch_then(batch, 2, note(loop, 'x')); /* as that is short, and no error */
	sfr_batch_then(batch, 1, sfr_fsync(loop, -1));
	ck_assert_int_eq(sfr_batch_await(batch), 2);

	ck_assert_str_eq(notes(), "a");
	ck_assert_int_eq(seen.calls, 1); /* other callbacks ran meanwhile */
	batch_end(loop, batch);
}
END_TEST

START_TEST(await_takes_up_a_batch_that_was_submitted)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	sfr_batch *batch = batch_on(loop);

	batch_fill(loop, batch);
	ck_assert_int_eq(sfr_batch_submit(batch, batch_ended, &ended), 0);
	ck_assert_int_eq(sfr_batch_await(batch), 0);
	ck_assert_int_eq(ended.calls, 1);
	ck_assert_int_eq(sfr_batch_reset(batch), 0);
	sfr_batch_add(batch, pending_read(loop));
	ck_assert_int_eq(sfr_batch_within(batch, 1000000), 0);
	ck_assert_int_eq(sfr_batch_submit(batch, batch_ended, &ended), 0);
	ck_assert_int_eq(sfr_batch_await(batch), 1);
	ck_assert_int_eq(ended.calls, 2);
	batch_end(loop, batch);
}
END_TEST

static struct gate last_gate;

static void open_last_gate(sfr_loop *loop, sfr_batch *batch, void *arg)
{
	free_and_note(loop, batch, arg);
	gate_open(&last_gate);
}

static void go_round(sfr_loop *loop, sfr_batch *batch, void *arg)
{
	batch_ended(loop, batch, arg);
	ck_assert_int_eq(sfr_batch_reset(batch), 0);
	batch_fill(loop, batch);
	ck_assert_int_eq(sfr_batch_submit(batch, ended.calls < 20 ? go_round : open_last_gate, arg),
			 0);
}

/* While somebody awaits one, another's callback may do what it likes with its own. */
START_TEST(while_one_is_awaited_others_come_and_go)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	sfr_batch *batch = batch_on(loop), *another = batch_on(loop);

	last_gate = gate_make();
	batch_fill(loop, another);
	ck_assert_int_eq(sfr_batch_submit(another, go_round, &ended), 0);
	sfr_batch_add(batch, gate_wait(loop, &last_gate));
	ck_assert_int_eq(sfr_batch_await(batch), 0);

	ck_assert_int_eq(ended.calls, 21);
	batch_end(loop, batch);
}
END_TEST

static int nested;

static void await_inside(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	nested = sfr_batch_await(arg);
	record(loop, result, buf, &seen);
}

START_TEST(await_inside_a_callback_is_refused_and_changes_nothing)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	sfr_batch *batch = batch_on(loop);

	batch_fill(loop, batch);
	sfr_submit(sfr_nop(loop), await_inside, batch);
	turn_until(loop, &seen.calls, 1);
	ck_assert_int_eq(nested, -SFR_ENESTED);
	ck_assert_str_eq(notes(), "");
	ck_assert_int_eq(sfr_batch_then(batch, 2, note(loop, 'c')), 3); /* it was not submitted */
	ck_assert_int_eq(sfr_batch_await(batch), 0);
	ck_assert_str_eq(notes(), "abc");
	batch_end(loop, batch);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("batch");
	TCase *tc = world_case(suite, "order");

	world_test(tc, one_thing_is_done_after_the_other);
	world_test(tc, after_any_is_an_order_as_well);
	world_test(tc, the_order_is_that_of_the_dependencies_not_of_the_adding);
	world_test(tc, what_waits_for_nothing_starts_at_once);
	world_test(tc, a_fork_runs_all_that_wait_for_one);
	world_test(tc, a_join_waits_for_all_in_whatever_order_they_end);
	world_test(tc, a_diamond_begins_and_ends_with_one);
	world_test(tc, a_long_row_is_none_too_long);
	world_test(tc, many_wait_for_one_and_one_for_many);
	world_test(tc, a_dependency_may_be_declared_more_than_once);
	world_test(tc, how_it_is_executed_can_be_asked_at_any_time);
	world_test(tc, every_kind_of_op_that_can_wait_holds_up_what_is_after_it);
	tc = world_case(suite, "done");
	world_test(tc, done_comes_once_after_all_and_never_inside_submit);
	world_test(tc, a_batch_without_ops_is_done_as_well_but_not_at_once);
	world_test(tc, nobody_needs_to_be_told);
	world_test(tc, a_loop_runs_until_its_batches_are_done);
	world_test(tc, its_callback_may_fill_and_submit_it_again_and_free_it);
	world_test(tc, other_ops_and_batches_run_beside_it);
	world_test(tc, two_loops_have_their_own_batches);
	tc = world_case(suite, "results");
	world_test(tc, each_op_has_its_result_when_it_has_ended);
	world_test(tc, what_went_wrong_first_is_the_first_op_with_an_error_of_its_own);
	world_test(tc, without_an_error_there_is_none_to_tell);
	tc = world_case(suite, "buffers");
	world_test(tc, a_buffer_is_taken_as_a_callback_would_have_got_it);
	world_test(tc, what_is_not_there_to_be_taken_has_a_name);
	world_test(tc, what_nobody_takes_goes_back_with_the_batch);
	tc = world_case(suite, "descriptors");
	world_test(tc, a_descriptor_that_nobody_asks_for_is_closed_with_the_batch);
	world_test(tc, a_descriptor_that_was_asked_for_is_the_askers);
	world_test(tc, a_descriptor_that_the_batch_closed_is_not_closed_again);
	world_test(tc, a_descriptor_whose_close_never_ran_is_closed_with_the_batch);
	world_test(tc, a_batch_goes_with_its_loop);
	tc = world_case(suite, "await");
	world_test(tc, await_submits_and_counts_what_failed);
	world_test(tc, await_takes_up_a_batch_that_was_submitted);
	world_test(tc, while_one_is_awaited_others_come_and_go);
	world_test(tc, await_inside_a_callback_is_refused_and_changes_nothing);
	return world_run(suite);
}
