/* SPDX-License-Identifier: MIT */
/*
 * Batches that come to an end early: by a deadline, of an op or of all, because somebody cancels, or because the
 * loop drains.
 */
#include "batches.h"
#include "deadlines.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * Deadlines.
 */

START_TEST(a_deadline_ends_its_op_and_fails_what_is_after_it)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	sfr_batch *batch = batch_on(loop);

	sfr_batch_add(batch, note(loop, 'a'));
	sfr_batch_then(batch, 0, sfr_within(pending_read(loop), MS));
	sfr_batch_then(batch, 1, note(loop, 'x'));
	sfr_batch_add(batch, note(loop, 'b'));
	sfr_batch_after_any(batch, 3, 1);
	ck_assert_int_eq(sfr_batch_await(batch), 2);

	assert_result(batch, 0, 1);
	assert_result(batch, 1, -ETIMEDOUT);
	assert_result(batch, 2, -SFR_EDEPFAILED);
	ck_assert_str_eq(notes(), "ab");
	batch_end(loop, batch);
}
END_TEST

START_TEST(a_deadline_counts_from_when_its_op_starts)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	sfr_batch *batch = batch_on(loop);
	struct gate gate = gate_make();

	sfr_batch_add(batch, gate_wait(loop, &gate));
	sfr_batch_then(batch, 0, sfr_within(note(loop, 'a'), HOUR));
	sfr_batch_then(batch, 1, sfr_within(pending_read(loop), MS));
	ck_assert_int_eq(sfr_batch_submit(batch, batch_ended, &ended), 0);
	ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
	ck_assert_uint_eq(loop->wheel.count, 0); /* it has not begun to count */
	deadlines_due(loop);
	ck_assert_int_eq(sfr_await(sfr_timeout(loop, 2 * MS), NULL), 0);
	ck_assert(!has_ended(batch, 1));
	gate_open(&gate);
	turn_until(loop, &ended.calls, 1);

	assert_result(batch, 1, 1);
	assert_result(batch, 2, -ETIMEDOUT);
	batch_end(loop, batch);
}
END_TEST

START_TEST(a_deadline_of_what_never_starts_is_none)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	sfr_batch *batch = batch_on(loop);

	sfr_batch_add(batch, sfr_fsync(loop, -1));
	sfr_batch_then(batch, 0, sfr_within(pending_read(loop), HOUR));
	sfr_batch_add(batch, sfr_within(note(loop, 'a'), HOUR));
	ck_assert_int_eq(sfr_batch_await(batch), 2);

	assert_result(batch, 1, -SFR_EDEPFAILED);
	assert_result(batch, 2, 1);
	ck_assert_int_eq(sfr_loop_run(loop), 0);
	batch_end(loop, batch);
}
END_TEST

START_TEST(a_batch_has_a_deadline_as_well)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	sfr_batch *batch = batch_on(loop);
	uint64_t ns = MS;
	int i = 0, first;

	while (i < 2) {
		sfr_batch_add(batch, note(loop, 'a'));
		sfr_batch_then(batch, 0, pending_read(loop));
		sfr_batch_then(batch, 1, note(loop, 'x'));
		sfr_batch_add(batch, pending_read(loop));
		sfr_batch_after_any(batch, 3, 1); /* it would wait as well */
		sfr_batch_add(batch, sfr_timeout(loop, HOUR));
		ck_assert_int_eq(sfr_batch_within(batch, HOUR), 0);
		ck_assert_int_eq(sfr_batch_within(batch, ns), 0); /* the last counts */
		ck_assert_int_ge(sfr_batch_await(batch), 4);

		ck_assert_int_eq(sfr_batch_result(batch, 0, &first), 0);
		if (first == -ETIMEDOUT) /* that was too little for a machine that is busy */
			ns *= 2;
		else
			ck_assert_int_eq((i++, first), 1);
		assert_result(batch, 1, -ETIMEDOUT);
		assert_result(batch, 2, -ETIMEDOUT);
		assert_result(batch, 3, -ETIMEDOUT);
		assert_result(batch, 4, -ETIMEDOUT);
		ck_assert_int_eq(sfr_batch_error(batch, NULL), -ETIMEDOUT);
		ck_assert_int_eq(sfr_batch_reset(batch), 0);
	}
	ck_assert_str_eq(notes(), "aa");
	batch_end(loop, batch);
}
END_TEST

START_TEST(a_batch_that_is_done_in_time_is_not_disturbed)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	sfr_batch *batch = batch_on(loop);
	int i;

	for (i = 0; i < 3; i++) { /* after a reset there is none, unless it is said again */
		sfr_batch_add(batch, note(loop, 'a'));
		sfr_batch_then(batch, 0, note(loop, 'b'));
		if (i == 0)
			ck_assert_int_eq(sfr_batch_within(batch, HOUR), 0);
		ck_assert_int_eq(sfr_batch_submit(batch, batch_ended, &ended), 0);
		ck_assert_uint_eq(loop->wheel.count, i == 0);
		ck_assert_int_eq(sfr_batch_await(batch), 0);
		ck_assert_uint_eq(loop->wheel.count, 0); /* no timer is left to wait for */
		ck_assert_int_eq(sfr_batch_reset(batch), 0);
	}
	ck_assert_str_eq(notes(), "ababab");
	batch_end(loop, batch);
}
END_TEST

/*
 * Cancelling.
 */

/* What the engine was handed may win the race, but nothing overtakes what was cancelled. */
START_TEST(cancelled_before_the_first_turn_only_its_beginning_may_happen)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	sfr_batch *batch = batch_on(loop);
	int i, won = 0;

	for (i = 0; i < 6; i++) {
		sfr_batch_add(batch, i == 3 ? sfr_timeout(loop, 0) : note(loop, 'a'));
		if (i)
			sfr_batch_after(batch, i, i - 1);
	}
	ck_assert_int_eq(sfr_batch_submit(batch, batch_ended, &ended), 0);
	ck_assert_int_eq(sfr_batch_cancel(batch), 0);
	ck_assert_int_eq(ended.calls, 0);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(ended.calls, 1);
	while (won < 3 && result_of(batch, won) == 1) /* the engine was not handed the timeout */
		won++;
	ck_assert_int_eq(strlen(notes()), won);
	for (i = won; i < 6; i++)
		assert_result(batch, i, -ECANCELED);
	batch_end(loop, batch);
}
END_TEST

/* With the engine it may be a row: hard links let what is behind run, and the last would wait for ever. */
START_TEST(cancelled_while_its_first_member_waits_the_rest_does_not_start)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	int hard, i;

	for (hard = 0; hard < 2; hard++) {
		sfr_batch *batch = batch_on(loop);

		ended = (struct ended){0};
		sfr_batch_add(batch, pending_read(loop));
		sfr_batch_add(batch, note(loop, 'x'));
		sfr_batch_add(batch, sfr_read(loop, empty_pipe(), room_for(loop, 1)));
		sfr_batch_add(batch, sfr_recv(loop, full_socket(), room_for(loop, 1)));
		for (i = 1; i < 4; i++)
			ck_assert_int_eq(hard ? sfr_batch_after_any(batch, i, i - 1)
					      : sfr_batch_after(batch, i, i - 1),
					 0);
		ck_assert_int_eq(sfr_batch_submit(batch, batch_ended, &ended), 0);
		ck_assert_int_eq(sfr_loop_step(loop, 0), 0);
		ck_assert_int_eq(sfr_batch_cancel(batch), 0);
		ck_assert_int_eq(sfr_batch_cancel(batch), 0);
		turn_until(loop, &ended.calls, 1);

		for (i = 0; i < 4; i++)
			assert_result(batch, i, -ECANCELED);
		ck_assert_str_eq(notes(), "");
		ck_assert_int_eq(sfr_batch_cancel(batch), -SFR_ESTALE);
		batch_end(loop, batch);
	}
}
END_TEST

START_TEST(cancelled_in_the_middle_what_was_done_stays_done)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	int hard, i;

	for (hard = 0; hard < 2; hard++) {
		sfr_batch *batch = batch_on(loop);

		ended = (struct ended){0};
		sfr_batch_add(batch, note(loop, 'a'));
		sfr_batch_add(batch, pending_read(loop));
		sfr_batch_add(batch, sfr_read(loop, empty_pipe(), room_for(loop, 1)));
		sfr_batch_add(batch, note(loop, 'x'));
		for (i = 1; i < 4; i++)
			ck_assert_int_eq(hard ? sfr_batch_after_any(batch, i, i - 1)
					      : sfr_batch_after(batch, i, i - 1),
					 0);
		ck_assert_int_eq(sfr_batch_submit(batch, batch_ended, &ended), 0);
		turns_until_ended(loop, batch, 0);
		ck_assert_int_eq(sfr_await(sfr_nop(loop), NULL), 0);
		ck_assert_int_eq(sfr_batch_cancel(batch), 0);
		turn_until(loop, &ended.calls, 1);

		assert_result(batch, 0, 1);
		for (i = 1; i < 4; i++)
			assert_result(batch, i, -ECANCELED);
		batch_end(loop, batch);
	}
	ck_assert_str_eq(notes(), "aa");
}
END_TEST

static void cancel_it(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	ck_assert_int_eq(sfr_batch_cancel(arg), 0);
	record(loop, result, buf, &seen);
}

static sfr_batch *canceller;

static void cancel_it_when_done(sfr_loop *loop, sfr_batch *batch, void *arg)
{
	(void)sfr_batch_cancel(canceller); /* which has ended perhaps */
	batch_ended(loop, batch, arg);
}

START_TEST(a_callback_may_cancel_it)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	sfr_batch *batch = batch_on(loop), *another = batch_on(loop);
	struct ended another_ended = {0};

	sfr_batch_add(batch, pending_read(loop));
	sfr_batch_then(batch, 0, note(loop, 'x'));
	ck_assert_int_eq(sfr_batch_submit(batch, batch_ended, &ended), 0);
	sfr_submit(sfr_nop(loop), cancel_it, batch);
	turn_until(loop, &ended.calls, 1);
	assert_result(batch, 0, -ECANCELED);
	ck_assert_int_eq(sfr_batch_reset(batch), 0);

	canceller = batch;
	sfr_batch_add(batch, pending_read(loop));
	sfr_batch_add(another, sfr_nop(loop));
	ck_assert_int_eq(sfr_batch_submit(batch, batch_ended, &ended), 0);
	ck_assert_int_eq(sfr_batch_submit(another, cancel_it_when_done, &another_ended), 0);
	turn_until(loop, &ended.calls, 2);
	assert_result(batch, 0, -ECANCELED);
	sfr_batch_free(another);
	batch_end(loop, batch);
}
END_TEST

START_TEST(what_is_not_running_cannot_be_cancelled)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	sfr_batch *batch = batch_on(loop);

	sfr_batch_add(batch, note(loop, 'a'));
	ck_assert_int_eq(sfr_batch_cancel(batch), -SFR_ESTALE);
	ck_assert_int_eq(sfr_batch_await(batch), 0);
	ck_assert_int_eq(sfr_batch_cancel(batch), -SFR_ESTALE);
	assert_result(batch, 0, 1);
	batch_end(loop, batch);
}
END_TEST

/* Else a cancelled batch would leave open what it has opened. */
START_TEST(what_closes_runs_all_the_same_when_its_turn_comes)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	int before, how, warm = sfr_await(sfr_openat(loop, AT_FDCWD, "/", O_RDONLY, 0), NULL);

	ck_assert_int_eq(sfr_await(sfr_close(loop, warm), NULL), 0);
	before = open_descriptors();
	for (how = 0; how < 3; how++) { /* cancelled early, later, and by a drain */
		sfr_batch *batch = batch_on(loop);
		int a, b, open, fd, waiting, closing, strict, down, opened;

		ended = (struct ended){0};
		pair_of_unix_sockets(&a, &b);
		before += 2;
		open = sfr_batch_add(batch, sfr_openat(loop, AT_FDCWD, "/dev/null", O_RDONLY, 0));
		fd = sfr_batch_fd(batch, open);
		waiting = sfr_batch_then(batch, open, sfr_recv(loop, a, room_for(loop, 8)));
		closing = sfr_batch_add(batch, sfr_close(loop, fd));
		sfr_batch_after_any(batch, closing, waiting);
		down = sfr_batch_add(batch, sfr_shutdown(loop, a, SHUT_WR));
		sfr_batch_after_any(batch, down, waiting);
		strict = sfr_batch_add(batch, sfr_close(loop, b));
		sfr_batch_after(batch, strict, waiting);
		ck_assert_int_eq(sfr_batch_submit(batch, batch_ended, &ended), 0);
		if (how)
			turns_until_ended(loop, batch, open);
		if (how < 2)
			ck_assert_int_eq(sfr_batch_cancel(batch), 0);
		else
			ck_assert_int_eq(sfr_loop_drain(loop, -1), 0);
		turn_until(loop, &ended.calls, 1);

		assert_result(batch, waiting, -ECANCELED);
		assert_result(batch, strict, -SFR_EDEPFAILED);
		assert_result(batch, down, 0);
		opened = result_of(batch, open);
		ck_assert(opened >= 0 || (how == 0 && opened == -ECANCELED));
		assert_result(batch, closing, opened >= 0 ? 0 : -SFR_EDEPFAILED);
		ck_assert_int_eq(open_descriptors(), before);
		batch_end(loop, batch);
	}
}
END_TEST

/* What closes is not asked to end, and so could not keep from starting what an engine has behind it. */
START_TEST(what_is_after_what_closes_does_not_run_any_more)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	int how;

	for (how = 0; how < 3; how++) {
		sfr_batch *batch = batch_on(loop);
		struct gate gate = gate_make();
		int read, shut, closed, after;

		ended = (struct ended){0};
		read = sfr_batch_add(batch, gate_wait(loop, &gate));
		shut = sfr_batch_add(
			batch, sfr_shutdown(loop, owned_fd(socket(AF_INET, SOCK_STREAM, 0)), 0));
		closed = sfr_batch_add(batch, sfr_close(loop, dup(empty_file())));
		after = sfr_batch_then(batch, closed, note(loop, 'x'));
		sfr_batch_after_any(batch, shut, read);
		sfr_batch_after_any(batch, closed, shut);
		if (how == 0)
			ck_assert_int_eq(sfr_batch_within(batch, 1000000), 0);
		ck_assert_int_eq(sfr_batch_submit(batch, batch_ended, &ended), 0);
		ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
		if (how == 1)
			ck_assert_int_eq(sfr_batch_cancel(batch), 0);
		if (how == 2)
			ck_assert_int_eq(sfr_loop_drain(loop, -1), 0);
		turn_until(loop, &ended.calls, 1);

		assert_result(batch, read, how ? -ECANCELED : -ETIMEDOUT);
		assert_result(batch, shut, -ENOTCONN);
		assert_result(batch, closed, 0);
		assert_result(batch, after, how ? -ECANCELED : -ETIMEDOUT);
		batch_end(loop, batch);
	}
	ck_assert_str_eq(notes(), "");
}
END_TEST

START_TEST(a_descriptors_waiting_members_are_asked_to_end_as_well)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	sfr_batch *batch = batch_on(loop);
	struct gate gate = gate_make();
	int a, b;

	pair_of_sockets(&a, &b);
	sfr_batch_add(batch, gate_wait(loop, &gate));
	sfr_batch_then(batch, 0, sfr_recv(loop, a, room_for(loop, 1)));
	sfr_batch_then(batch, 1, note(loop, 'x'));
	sfr_batch_add(batch, sfr_send(loop, a, text_buf(loop, "lost")));
	sfr_batch_after_any(batch, 3, 1);
	sfr_batch_add(batch, note(loop, 'a'));
	sfr_batch_after_any(batch, 4, 3);
	ck_assert_int_eq(sfr_batch_submit(batch, batch_ended, &ended), 0);
	ck_assert_int_eq(sfr_loop_step(loop, 0), 0);
	ck_assert_int_eq(sfr_cancel_fd(loop, a), 2);
	ck_assert_int_eq(sfr_await(sfr_nop(loop), NULL), 0);
	ck_assert(!has_ended(batch, 0));
	gate_open(&gate);
	turn_until(loop, &ended.calls, 1);

	assert_result(batch, 0, 1);
	assert_result(batch, 1, -ECANCELED);
	assert_result(batch, 2, -SFR_EDEPFAILED);
	assert_result(batch, 3, -ECANCELED);
	assert_result(batch, 4, 1);
	ck_assert_str_eq(notes(), "a");
	batch_end(loop, batch);
}
END_TEST

/* A cancelled member ends at once; those after it were to come after what it waited for, too. */
START_TEST(what_is_after_a_cancelled_member_still_waits_for_what_that_waited_for)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	sfr_batch *batch = batch_on(loop);
	struct gate gate = gate_make();
	int waits = empty_pipe(), closed = empty_file();

	sfr_batch_add(batch, gate_wait(loop, &gate));
	sfr_batch_add(batch, sfr_read(loop, waits, sfr_buf_get(loop, 16)));
	sfr_batch_after_any(batch, 1, 0);
	sfr_batch_add(batch, sfr_close(loop, dup(closed)));
	sfr_batch_after_any(batch, 2, 1);
	ck_assert_int_eq(sfr_batch_submit(batch, batch_ended, &ended), 0);
	ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
	ck_assert_int_eq(sfr_cancel_fd(loop, waits), 1);
	turns_until_ended(loop, batch, 1);
	ck_assert_int_eq(sfr_await(sfr_nop(loop), NULL), 0);
	ck_assert_int_eq(sfr_await(sfr_nop(loop), NULL), 0);
	ck_assert(!has_ended(batch, 2));
	gate_open(&gate);
	turn_until(loop, &ended.calls, 1);

	assert_result(batch, 1, -ECANCELED);
	assert_result(batch, 2, 0);
	batch_end(loop, batch);
}
END_TEST

START_TEST(a_drain_in_the_middle_ends_it)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	int hard, i;

	for (hard = 0; hard < 2; hard++) {
		sfr_batch *batch = batch_on(loop);

		ended = (struct ended){0};
		sfr_batch_add(batch, note(loop, 'a'));
		sfr_batch_add(batch, pending_read(loop));
		sfr_batch_add(batch, note_as(loop, 'x', 1));
		sfr_batch_add(batch, sfr_timeout(loop, HOUR));
		sfr_batch_add(batch, pending_read(loop));
		for (i = 1; i < 5; i++)
			ck_assert_int_eq(hard ? sfr_batch_after_any(batch, i, i - 1)
					      : sfr_batch_after(batch, i, i - 1),
					 0);
		ck_assert_int_eq(sfr_batch_submit(batch, batch_ended, &ended), 0);
		turns_until_ended(loop, batch, 0);
		ck_assert_int_eq(sfr_loop_drain(loop, -1), 0);

		ck_assert_int_eq(ended.calls, 1);
		assert_result(batch, 0, 1);
		for (i = 1; i < 5; i++)
			assert_result(batch, i, -ECANCELED);
		batch_end(loop, batch);
	}
	ck_assert_str_eq(notes(), "aa");
}
END_TEST

static void submit_while_draining(sfr_loop *loop, sfr_batch *batch, void *arg)
{
	batch_ended(loop, batch, arg);
	if (ended.calls > 1)
		return;
	ck_assert_int_eq(sfr_batch_reset(batch), 0);
	sfr_batch_add(batch, pending_read(loop));
	sfr_batch_then(batch, 0, note(loop, 'x'));
	sfr_batch_add(batch, note(loop, 'x'));
	sfr_batch_add(
		batch,
		sfr_close(loop, dup(empty_file()))); /* which happens: nothing is linked to it */
	sfr_batch_then(batch, 3, note(loop, 'x'));
	ck_assert_int_eq(sfr_batch_submit(batch, submit_while_draining, arg), 0);
}

START_TEST(what_is_submitted_while_the_loop_drains_is_cancelled)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	sfr_batch *batch = batch_on(loop);

	sfr_batch_add(batch, pending_read(loop));
	ck_assert_int_eq(sfr_batch_submit(batch, submit_while_draining, &ended), 0);
	ck_assert_int_eq(sfr_loop_drain(loop, -1), 0);

	ck_assert_int_eq(ended.calls, 2);
	assert_result(batch, 0, -ECANCELED);
	assert_result(batch, 2, -ECANCELED);
	assert_result(batch, 3, 0);
	assert_result(batch, 4, -ECANCELED);
	ck_assert_str_eq(notes(), "");
	batch_end(loop, batch);
}
END_TEST

/* An op that nobody waits for: a callback could not tell, a batch can. */
START_TEST(a_member_that_won_the_race_has_its_true_result)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	sfr_batch *batch = batch_on(loop);
	struct gate gate = gate_make();
	int result;

	gate_open(&gate);
	sfr_batch_add(batch, gate_wait(loop, &gate));
	sfr_batch_then(batch, 0, pending_read(loop));
	ck_assert_int_eq(sfr_batch_submit(batch, batch_ended, &ended), 0);
	ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
	ck_assert_int_eq(sfr_batch_cancel(batch), 0);
	turn_until(loop, &ended.calls, 1);

	result = result_of(batch, 0);
	ck_assert(result == 1 || result == -ECANCELED);
	assert_result(batch, 1, -ECANCELED);
	if (result == 1) {
		sfr_buf *buf = sfr_batch_take(batch, 0);

		assert_text(buf, "!");
		sfr_buf_release(buf);
	}
	batch_end(loop, batch);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("batch cancel");
	TCase *tc = world_case(suite, "deadlines");

	world_test(tc, a_deadline_ends_its_op_and_fails_what_is_after_it);
	world_test(tc, a_deadline_counts_from_when_its_op_starts);
	world_test(tc, a_deadline_of_what_never_starts_is_none);
	world_test(tc, a_batch_has_a_deadline_as_well);
	world_test(tc, a_batch_that_is_done_in_time_is_not_disturbed);
	tc = world_case(suite, "cancelling");
	world_test(tc, cancelled_before_the_first_turn_only_its_beginning_may_happen);
	world_test(tc, cancelled_while_its_first_member_waits_the_rest_does_not_start);
	world_test(tc, cancelled_in_the_middle_what_was_done_stays_done);
	world_test(tc, a_callback_may_cancel_it);
	world_test(tc, what_is_not_running_cannot_be_cancelled);
	world_test(tc, what_closes_runs_all_the_same_when_its_turn_comes);
	world_test(tc, what_is_after_what_closes_does_not_run_any_more);
	world_test(tc, a_descriptors_waiting_members_are_asked_to_end_as_well);
	world_test(tc, what_is_after_a_cancelled_member_still_waits_for_what_that_waited_for);
	world_test(tc, a_drain_in_the_middle_ends_it);
	world_test(tc, what_is_submitted_while_the_loop_drains_is_cancelled);
	world_test(tc, a_member_that_won_the_race_has_its_true_result);
	return world_run(suite);
}
