/* SPDX-License-Identifier: MIT */
/*
 * Values from loop to loop.
 */
#include "pending.h"
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct {
	int calls;
	uint64_t value;
	void *arg;
} got;

static void take(sfr_loop *loop, uint64_t value, void *arg)
{
	(void)loop;
	got.calls++;
	got.value = value;
	got.arg = arg;
}

static void got_nothing(void)
{
	memset(&got, 0, sizeof(got));
}

static TCase *msg_case(Suite *suite, const char *name)
{
	TCase *tcase = world_case(suite, name);

	tcase_add_checked_fixture(tcase, got_nothing, NULL);
	return tcase;
}

START_TEST(a_loop_that_sends_to_itself_is_called_in_a_turn)
{
	sfr_loop *loop = loop_in(_i, NULL);

	sfr_loop_on_msg(loop, take, &got);
	sfr_submit(sfr_msg(loop, loop, UINT64_MAX - 1), record, &seen);
	ck_assert_int_eq(got.calls, 0);
	ck_assert_int_eq(seen.calls, 0);
	ck_assert_int_eq(sfr_loop_step(loop, -1), 2);

	ck_assert_int_eq(got.calls, 1);
	ck_assert_uint_eq(got.value, UINT64_MAX - 1);
	ck_assert_ptr_eq(got.arg, &got);
	ck_assert_int_eq(seen.calls, 1);
	ck_assert_int_eq(seen.result, 0);
}
END_TEST

START_TEST(a_value_reaches_a_loop_of_any_world)
{
	sfr_loop *loop = loop_in(_i, NULL), *target = second_loop(world_count() - 1 - _i);

	sfr_loop_on_msg(target, take, NULL);
	ck_assert_int_eq(sfr_await(sfr_msg(loop, target, 7), NULL), 0);
	ck_assert_int_eq(got.calls, 0);
	ck_assert_int_eq(sfr_loop_run(target), 0); /* what is in the mailbox is work */

	ck_assert_int_eq(got.calls, 1);
	ck_assert_uint_eq(got.value, 7);
	ck_assert_int_eq(sfr_loop_free(target), 0);
}
END_TEST

START_TEST(whether_somebody_takes_values_is_looked_at_on_submission)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_op *early = sfr_msg(loop, loop, 1);

	ck_assert_int_eq(sfr_await(sfr_msg(loop, loop, 1), NULL), -ENOTCONN);
	sfr_loop_on_msg(loop, take, NULL);
	ck_assert_int_eq(sfr_await(early, NULL), 0);
	ck_assert_int_eq(got.calls, 1);
	sfr_loop_on_msg(loop, NULL, NULL);
	ck_assert_int_eq(sfr_await(sfr_msg(loop, loop, 1), NULL), -ENOTCONN);
	ck_assert_int_eq(sfr_await(sfr_msg(loop, NULL, 1), NULL), -EFAULT);

	ck_assert_int_eq(got.calls, 1);
}
END_TEST

START_TEST(a_value_that_nobody_takes_any_more_is_dropped_aloud)
{
	sfr_loop *loop = loop_in(_i, NULL);

	sfr_loop_on_msg(loop, take, NULL);
	sfr_submit(sfr_msg(loop, loop, 1), record, &seen);
	sfr_loop_on_msg(loop, NULL, NULL);
	log_listen();
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.result, 0);
	ck_assert_int_eq(got.calls, 0);
	ck_assert_int_eq(log_lines, 1);
	ck_assert_ptr_nonnull(strstr(log_line, "message"));
}
END_TEST

START_TEST(it_is_on_its_way_and_cannot_be_cancelled)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_ticket ticket;

	sfr_loop_on_msg(loop, take, NULL);
	ticket = sfr_submit(sfr_within(sfr_msg(loop, loop, 1), 0), record, &seen);
	ck_assert_int_eq(sfr_cancel(loop, ticket), 0);
	ck_assert_int_eq(sfr_abandon(loop, sfr_submit(sfr_msg(loop, loop, 2), record, &other)), 0);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(got.calls, 2);
	ck_assert_int_eq(seen.result, 0);
	ck_assert_int_eq(other.calls, 0);
}
END_TEST

static void send_again(sfr_loop *loop, uint64_t value, void *arg)
{
	take(loop, value, arg);
	if (value < 10)
		sfr_submit(sfr_msg(loop, loop, value + 1), NULL, NULL);
}

START_TEST(who_answers_is_answered_in_the_next_turn)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int turns = 0;

	sfr_loop_on_msg(loop, send_again, NULL);
	sfr_submit(sfr_msg(loop, loop, 1), NULL, NULL);
	for (; got.calls < 10; turns++) {
		int calls = got.calls;

		ck_assert_int_ge(sfr_loop_step(loop, -1), 0);
		ck_assert_int_le(got.calls - calls, 1);
	}
	ck_assert_uint_eq(got.value, 10);
}
END_TEST

/*
 * Threads.
 */

#define SENDERS 3
#define VALUES 2000

struct sender {
	sfr_loop *loop, *target;
	uint64_t name;
	int done;
};

static uint64_t expected[SENDERS];
static int arrived;

static void take_in_order(sfr_loop *loop, uint64_t value, void *arg)
{
	uint64_t name = value / VALUES;

	(void)loop;
	(void)arg;
	ck_assert_uint_eq(value % VALUES, expected[name]);
	expected[name]++;
	arrived++;
}

static void *send_many(void *arg)
{
	struct sender *sender = arg;
	uint64_t i;

	ck_assert_int_ge(sfr_loop_step(sender->loop, 0), 0); /* it is this thread's from now on */
	for (i = 0; i < VALUES; i++)
		ck_assert_int_eq(
			sfr_await(sfr_msg(sender->loop, sender->target, sender->name * VALUES + i),
				  NULL),
			0);
	return NULL;
}

START_TEST(values_of_each_sender_come_in_order_and_wake_the_loop)
{
	sfr_loop *loop = loop_in(_i, NULL);
	struct sender senders[SENDERS];
	pthread_t threads[SENDERS];
	uint64_t i;

	arrived = 0;
	memset(expected, 0, sizeof(expected));
	sfr_loop_on_msg(loop, take_in_order, NULL);
	sfr_submit(pending_read(loop), record, &seen);
	for (i = 0; i < SENDERS; i++) {
		senders[i] = (struct sender){second_loop(_i), loop, i, 0};
		ck_assert_int_eq(pthread_create(&threads[i], NULL, send_many, &senders[i]), 0);
	}
	while (arrived < SENDERS * VALUES) /* asleep without limit: only values wake it */
		ck_assert_int_ge(sfr_loop_step(loop, -1), 0);
	for (i = 0; i < SENDERS; i++) {
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
		ck_assert_int_eq(sfr_loop_free(senders[i].loop), 0);
	}
	ck_assert_int_eq(seen.calls, 0);
}
END_TEST

/* Two loops that do nothing but answer each other. */
struct player {
	sfr_loop *loop, *partner;
};

static void answer(sfr_loop *loop, uint64_t value, void *arg)
{
	const struct player *player = arg;

	if (value < 1000)
		sfr_submit(sfr_msg(loop, player->partner, value + 1), NULL, NULL);
	if (value >= 999)
		sfr_loop_stop(loop);
}

static void *play(void *arg)
{
	const struct player *player = arg;

	ck_assert_int_ge(sfr_loop_step(player->loop, 0), 0); /* it is this thread's from now on */
	sfr_submit(sfr_timeout(player->loop, UINT64_MAX), NULL, NULL); /* for it to stay */
	ck_assert_int_eq(sfr_loop_run(player->loop), 0);
	ck_assert_int_eq(sfr_loop_drain(player->loop, -1), 0);
	return NULL;
}

START_TEST(two_loops_answer_each_other)
{
	sfr_loop *loop = loop_in(_i, NULL), *partner = second_loop(world_count() - 1 - _i);
	struct player here = {loop, partner}, there = {partner, loop};
	pthread_t thread;

	sfr_loop_on_msg(loop, answer, &here);
	sfr_loop_on_msg(partner, answer, &there);
	ck_assert_int_eq(pthread_create(&thread, NULL, play, &there), 0);
	ck_assert_int_eq(sfr_await(sfr_msg(loop, partner, 0), NULL), 0);
	play(&here);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_int_eq(sfr_loop_free(partner), 0);
}
END_TEST

/* Its copy of the loop is turned by nobody, and the value would be lost without a word. */
START_TEST(a_child_cannot_send_to_a_loop_of_its_parent)
{
	sfr_loop *loop = loop_in(_i, NULL), *own;
	sfr_config *config = config_in(_i, NULL);
	int status;
	pid_t child;

	sfr_loop_on_msg(loop, take, NULL);
	child = fork();
	if (child == 0) { /* it says nothing to libcheck, which listens to its parent */
		bool refused = sfr_loop_new(&own, config) == 0 &&
			       sfr_await(sfr_msg(own, loop, 1), NULL) == -SFR_EFORKED;

		_exit(refused ? 0 : 1);
	}
	sfr_config_free(config);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	ck_assert_int_ge(sfr_loop_step(loop, 0), 0);

	ck_assert_int_eq(got.calls, 0);
	ck_assert_int_eq(sfr_await(sfr_msg(loop, loop, 1), NULL), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("msg");
	TCase *tc = msg_case(suite, "values");

	world_test(tc, a_loop_that_sends_to_itself_is_called_in_a_turn);
	world_test(tc, a_value_reaches_a_loop_of_any_world);
	world_test(tc, whether_somebody_takes_values_is_looked_at_on_submission);
	world_test(tc, a_value_that_nobody_takes_any_more_is_dropped_aloud);
	world_test(tc, it_is_on_its_way_and_cannot_be_cancelled);
	world_test(tc, who_answers_is_answered_in_the_next_turn);
	tc = msg_case(suite, "threads");
	world_test(tc, values_of_each_sender_come_in_order_and_wake_the_loop);
	world_test(tc, two_loops_answer_each_other);
	world_test(tc, a_child_cannot_send_to_a_loop_of_its_parent);
	return world_run(suite);
}
