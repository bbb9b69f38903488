/* SPDX-License-Identifier: MIT */
/*
 * The life of a place of the registered files: one operation changes it at a time, as the kernel keeps no
 * order between them.
 */
#include "batches.h"
#include "loop/loop.h"
#include "pending.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#define SECOND INT64_C(1000000000)
#define ROUNDS 200

static struct seen filled, closed;
static int name;

/* With one place, which is empty. */
static sfr_loop *loop_with_place(int world)
{
	sfr_loop *loop = loop_in(world, NULL);
	int none = -1;

	filled = closed = (struct seen){0};
	ck_assert_int_eq(sfr_files_register(loop, &none, 1, &name), 0);
	return loop;
}

static sfr_op *zeros(sfr_loop *loop)
{
	return sfr_into(sfr_openat(loop, AT_FDCWD, "/dev/zero", O_RDONLY, 0), name);
}

/* A file that is made takes the kernel a worker. */
static sfr_op *new_file(sfr_loop *loop)
{
	return sfr_into(sfr_openat(loop, AT_FDCWD, "/tmp", O_TMPFILE | O_RDWR, 0600), name);
}

static sfr_op *new_socket(sfr_loop *loop)
{
	return sfr_into(sfr_socket(loop, AF_INET, SOCK_STREAM, 0), name);
}

/* An accept that waits. */
static sfr_op *waiting(sfr_loop *loop)
{
	struct sockaddr_in addr;

	return sfr_into(sfr_accept(loop, listening_socket(&addr, 4)), name);
}

static void assert_empty(sfr_loop *loop)
{
	ck_assert_int_eq(awaited(sfr_fsync(loop, name)), -SFR_ENOTREGISTERED);
	ck_assert_int_eq(awaited(sfr_close(loop, name)), -SFR_ENOTREGISTERED);
	ck_assert_int_eq(awaited(zeros(loop)), 0);
	ck_assert_int_eq(awaited(sfr_close(loop, name)), 0);
}

static void assert_full(sfr_loop *loop)
{
	ck_assert_int_eq(awaited(zeros(loop)), -EBUSY);
	ck_assert_int_eq(awaited(sfr_poll(loop, name, 0x4)) & 0x4, 0x4); /* all of them: POLLOUT */
}

/*
 * The table.
 */

/* Every way there is; what is not here is refused. */
static const struct {
	enum sfr__place_state from;
	enum sfr__place_event event;
	enum sfr__place_state to;
} arrows[] = {
	{SFR__PLACE_EMPTY, SFR__PLACE_FILL, SFR__PLACE_AWAITED},
	{SFR__PLACE_EMPTY, SFR__PLACE_CLOSE, SFR__PLACE_VACATED},
	{SFR__PLACE_EMPTY, SFR__PLACE_CLOSE_BEHIND, SFR__PLACE_VACATED},
	{SFR__PLACE_AWAITED, SFR__PLACE_FILLED, SFR__PLACE_FULL},
	{SFR__PLACE_AWAITED, SFR__PLACE_NOT_FILLED, SFR__PLACE_EMPTY},
	{SFR__PLACE_AWAITED, SFR__PLACE_CLOSE_BEHIND, SFR__PLACE_PASSING},
	{SFR__PLACE_FULL, SFR__PLACE_CLOSE, SFR__PLACE_CLOSING},
	{SFR__PLACE_FULL, SFR__PLACE_CLOSE_BEHIND, SFR__PLACE_CLOSING},
	{SFR__PLACE_CLOSING, SFR__PLACE_CLOSED, SFR__PLACE_EMPTY},
	{SFR__PLACE_CLOSING, SFR__PLACE_NOT_CLOSED, SFR__PLACE_FULL},
	{SFR__PLACE_PASSING, SFR__PLACE_FILLED, SFR__PLACE_CLOSING},
	{SFR__PLACE_PASSING, SFR__PLACE_NOT_FILLED, SFR__PLACE_VACATED},
	{SFR__PLACE_PASSING, SFR__PLACE_CLOSED, SFR__PLACE_AWAITED},
	{SFR__PLACE_PASSING, SFR__PLACE_NOT_CLOSED, SFR__PLACE_AWAITED},
	{SFR__PLACE_VACATED, SFR__PLACE_CLOSED, SFR__PLACE_EMPTY},
	{SFR__PLACE_VACATED, SFR__PLACE_NOT_CLOSED, SFR__PLACE_EMPTY},
};

START_TEST(each_event_leads_where_the_drawing_says)
{
	unsigned state, event;
	size_t i;

	for (state = 0; state < SFR__PLACE_STATES; state++) {
		for (event = 0; event < SFR__PLACE_EVENTS; event++) {
			unsigned drawn = SFR__PLACE_BUSY;

			for (i = 0; i < sizeof(arrows) / sizeof(arrows[0]); i++)
				if (arrows[i].from == state && arrows[i].event == event)
					drawn = arrows[i].to;
			ck_assert_msg(sfr__place_after[state][event] == drawn,
				      "state %u, event %u: %u", state, event,
				      sfr__place_after[state][event]);
		}
	}
}
END_TEST

/*
 * One after another.
 */

START_TEST(a_close_behind_the_op_that_fills_its_place_is_refused)
{
	static sfr_op *(*const fills[])(sfr_loop *) = {zeros, new_file, new_socket};
	sfr_loop *loop = loop_with_place(_i);
	int i;

	for (i = 0; i < ROUNDS; i++) {
		int fill_was_told;

		sfr_submit(fills[i % 3](loop), record, &filled);
		if (i & 1)
			ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
		fill_was_told = filled.calls > i;
		sfr_submit(sfr_close(loop, name), record, &closed);
		ck_assert_int_eq(sfr_loop_run(loop), 0);

		ck_assert_int_eq(filled.result, 0);
		ck_assert_int_eq(closed.result, fill_was_told ? 0 : -EBUSY);
		if (!fill_was_told) {
			assert_full(loop);
			ck_assert_int_eq(awaited(sfr_close(loop, name)), 0);
		}
		ck_assert_int_eq(filled.calls, i + 1);
		ck_assert_int_eq(closed.calls, i + 1);
	}
	assert_empty(loop);
}
END_TEST

START_TEST(a_fill_behind_a_close_is_refused)
{
	sfr_loop *loop = loop_with_place(_i);
	int i;

	for (i = 0; i < 4; i++) {
		bool full = i & 1;

		if (full)
			ck_assert_int_eq(awaited(zeros(loop)), 0);
		sfr_submit(sfr_close(loop, name), record, &closed);
		sfr_submit(zeros(loop), record, &filled);
		ck_assert_int_eq(sfr_loop_run(loop), 0);

		ck_assert_int_eq(closed.result, full ? 0 : -SFR_ENOTREGISTERED);
		ck_assert_int_eq(filled.result, -EBUSY);
		assert_empty(loop);
	}
}
END_TEST

START_TEST(of_two_closes_one_closes)
{
	sfr_loop *loop = loop_with_place(_i);

	ck_assert_int_eq(awaited(zeros(loop)), 0);
	sfr_submit(sfr_close(loop, name), record, &filled);
	sfr_submit(sfr_close(loop, name), record, &closed);
	ck_assert_int_eq(sfr_files_unregister(loop), -SFR_EOPSINFLIGHT);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(filled.result, 0);
	ck_assert_int_eq(closed.result, -EBUSY);
	assert_empty(loop);
	ck_assert_int_eq(sfr_files_unregister(loop), 0);
}
END_TEST

static int rounds_left;

static void fill_again(sfr_loop *loop, int result, sfr_buf *buf, void *arg);

static void close_again(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	(void)buf;
	(void)arg;
	ck_assert_int_eq(result, 0);
	sfr_submit(sfr_close(loop, name), fill_again, NULL);
}

static void fill_again(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	(void)buf;
	(void)arg;
	ck_assert_int_eq(result, 0);
	if (rounds_left--)
		sfr_submit(rounds_left & 1 ? zeros(loop) : new_file(loop), close_again, NULL);
}

START_TEST(the_next_one_may_be_submitted_in_the_callback_of_the_last)
{
	sfr_loop *loop = loop_with_place(_i);

	rounds_left = ROUNDS;
	fill_again(loop, 0, NULL, NULL);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(rounds_left, -1);
	assert_empty(loop);
}
END_TEST

/* Whoever wins the race against the request to cancel. */
START_TEST(a_place_is_what_its_ops_say_also_when_they_are_cancelled)
{
	sfr_loop *loop = loop_with_place(_i);
	int i;

	for (i = 0; i < ROUNDS; i++) {
		sfr_ticket fill = sfr_submit(i % 3 ? new_file(loop) : zeros(loop), record, &filled);
		sfr_ticket close;

		if (i & 1)
			ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
		(void)sfr_cancel(loop, fill); /* perhaps it has ended */
		ck_assert_int_eq(sfr_loop_run(loop), 0);
		close = sfr_submit(i & 2 ? sfr_close(loop, name)
					 : sfr_within(sfr_close(loop, name), 0),
				   record, &closed);
		ck_assert_int_eq(sfr_cancel(loop, close), 0);
		ck_assert_int_eq(sfr_loop_run(loop), 0);

		ck_assert(filled.result == 0 || filled.result == -ECANCELED);
		ck_assert_int_eq(closed.result, filled.result ? -SFR_ENOTREGISTERED : 0);
	}
	assert_empty(loop);
}
END_TEST

START_TEST(until_an_op_that_was_to_fill_it_has_ended_a_place_is_not_closed)
{
	sfr_loop *loop = loop_with_place(_i);
	int i;

	for (i = 0; i < 4; i++) {
		sfr_ticket ticket = sfr_submit(waiting(loop), record, &filled);

		if (i & 1)
			ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
		ck_assert_int_eq(awaited(sfr_close(loop, name)), -EBUSY);
		ck_assert_int_eq(i & 2 ? sfr_abandon(loop, ticket) : sfr_cancel(loop, ticket), 0);
		sfr_submit(sfr_close(loop, name), record, &closed);
		ck_assert_int_eq(sfr_loop_drain(loop, 100 * SECOND), 0);

		ck_assert_int_eq(closed.result, -EBUSY);
		assert_empty(loop);
	}
}
END_TEST

/*
 * In batches.
 */

/* Whether places are filled by the engine itself, and it keeps the order of a batch. */
static bool engine_keeps_order(sfr_loop *loop)
{
	return sfr__has(loop->engine->features, SFR__FEATURE_DIRECT_FILES) &&
	       sfr__has(loop->engine->features, SFR__FEATURE_LINKS);
}

START_TEST(in_a_batch_a_close_follows_the_op_that_fills_its_place)
{
	sfr_loop *loop = loop_with_place(_i);
	int i;

	for (i = 0; i < ROUNDS; i++) {
		sfr_batch *batch = batch_on(loop);
		int fill = sfr_batch_add(batch, i & 1 ? new_file(loop) : zeros(loop));
		int close = sfr_batch_add(batch, sfr_close(loop, name));
		int again = sfr_batch_add(batch, new_socket(loop));
		int last = sfr_batch_add(batch, sfr_close(loop, sfr_batch_fd(batch, again)));
		sfr_batch_plan_info plan;

		ck_assert_int_eq(i & 2 ? sfr_batch_after(batch, close, fill)
				       : sfr_batch_after_any(batch, close, fill),
				 0);
		ck_assert_int_eq(sfr_batch_after(batch, again, close), 0);
		ck_assert_int_eq(sfr_batch_plan(batch, &plan), 0);
		ck_assert_int_eq(plan.links >= 2, engine_keeps_order(loop));
		ck_assert_int_eq(sfr_batch_await(batch), 0);

		assert_result(batch, fill, 0);
		assert_result(batch, close, 0);
		assert_result(batch, again, 0);
		assert_result(batch, last, 0);
		batch_end(loop, batch);
	}
	assert_empty(loop);
}
END_TEST

START_TEST(a_row_that_breaks_leaves_its_place_as_it_was)
{
	sfr_loop *loop = loop_with_place(_i);
	int i;

	for (i = 0; i < 8; i++) {
		bool full = i & 1, any = i & 2, behind_another = i & 4;
		sfr_batch *batch = batch_on(loop);
		sfr_op *none = sfr_openat(loop, AT_FDCWD, "/none", O_RDONLY, 0);
		int fails = sfr_batch_add(batch, full ? none : sfr_into(none, name)), close;

		if (full)
			ck_assert_int_eq(awaited(zeros(loop)), 0);
		if (behind_another) {
			int nop = sfr_batch_add(batch, sfr_nop(loop));

			ck_assert_int_eq(sfr_batch_after(batch, fails, nop), 0);
		}
		close = sfr_batch_add(batch, sfr_close(loop, name));
		ck_assert_int_eq(any ? sfr_batch_after_any(batch, close, fails)
				     : sfr_batch_after(batch, close, fails),
				 0);
		ck_assert_int_ge(sfr_batch_await(batch), 1);

		assert_result(batch, fails, -ENOENT);
		assert_result(batch, close,
			      !any   ? -SFR_EDEPFAILED
			      : full ? 0
				     : -SFR_ENOTREGISTERED);
		batch_end(loop, batch);
		if (full && !any) {
			assert_full(loop);
			ck_assert_int_eq(awaited(sfr_close(loop, name)), 0);
		}
		assert_empty(loop);
	}
}
END_TEST

START_TEST(others_are_refused_while_a_batch_changes_a_place)
{
	sfr_loop *loop = loop_with_place(_i);
	int i;

	for (i = 0; i < 4; i++) {
		sfr_batch *batch = batch_on(loop);
		int fill = sfr_batch_add(batch, waiting(loop));
		int close = sfr_batch_add(batch, sfr_close(loop, name));

		ck_assert_int_eq(i & 1 ? sfr_batch_after_any(batch, close, fill)
				       : sfr_batch_after(batch, close, fill),
				 0);
		ck_assert_int_eq(sfr_batch_submit(batch, NULL, NULL), 0);
		if (i & 2)
			ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
		ck_assert_int_eq(awaited(sfr_close(loop, name)), -EBUSY);
		ck_assert_int_eq(awaited(zeros(loop)), -EBUSY);
		ck_assert_int_eq(sfr_batch_cancel(batch), 0);
		ck_assert_int_eq(sfr_loop_run(loop), 0);

		assert_result(batch, fill, -ECANCELED);
		assert_result(batch, close, i & 1 ? -SFR_ENOTREGISTERED : -SFR_EDEPFAILED);
		batch_end(loop, batch);
		assert_empty(loop);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("places");
	TCase *tc = world_case(suite, "the table");

	tcase_add_test(tc, each_event_leads_where_the_drawing_says);
	tc = world_case(suite, "one after another");
	world_test(tc, a_close_behind_the_op_that_fills_its_place_is_refused);
	world_test(tc, a_fill_behind_a_close_is_refused);
	world_test(tc, of_two_closes_one_closes);
	world_test(tc, the_next_one_may_be_submitted_in_the_callback_of_the_last);
	world_test(tc, a_place_is_what_its_ops_say_also_when_they_are_cancelled);
	world_test(tc, until_an_op_that_was_to_fill_it_has_ended_a_place_is_not_closed);
	tc = world_case(suite, "in batches");
	world_test(tc, in_a_batch_a_close_follows_the_op_that_fills_its_place);
	world_test(tc, a_row_that_breaks_leaves_its_place_as_it_was);
	world_test(tc, others_are_refused_while_a_batch_changes_a_place);
	return world_run(suite);
}
