/* SPDX-License-Identifier: MIT */
/*
 * A loop in the care of a host: the same claims for every host, on each engine.
 *
 * A host that is not woken sleeps for ever, so a lost wake ends a test by its time; one that is woken for
 * nothing takes more turns than something happened, and they are counted.
 */
#include "pending.h"
#include "host.h"
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MS 1000000ull

static void *host, *attached;

/* The worlds to be in: hosts do not know one feature from the other, but that without deferred task work
 * system calls of the host are interrupted. */
static int places[3], places_count;

static void places_find(void)
{
	static const char *const names[] = {"uring, as it comes",
					    "uring without deferred task work", "epoll"};
	int world, i;

	for (world = 0; world < world_count(); world++)
		for (i = 0; i < 3; i++)
			if (strcmp(worlds_name(world), names[i]) == 0)
				places[places_count++] = world;
}

static sfr_loop *loop_hosted(int place)
{
	sfr_loop *loop = loop_in(places[place], NULL);

	ck_assert_int_eq(the_host.attach(&attached, host, loop), 0);
	return loop;
}

static void part(void)
{
	if (attached)
		the_host.detach(attached);
	attached = NULL;
}

static void host_up(void)
{
	host = the_host.make();
}

static void host_down(void)
{
	part();
	the_host.free(host);
}

static void turn_host_until(const int *count, int wanted)
{
	while (*count < wanted)
		the_host.turn(host);
}

static void count_call(void *arg)
{
	++*(int *)arg;
}

static sfr_op *read_of(sfr_loop *loop, int fd)
{
	return sfr_read(loop, fd, sfr_buf_get(loop, 16));
}

/*
 * What wakes a host.
 */

START_TEST(an_operation_completes_in_a_host)
{
	sfr_loop *loop = loop_hosted(_i);
	int read_end, write_end;

	pair_of_pipe_ends(&read_end, &write_end);
	sfr_submit(read_of(loop, read_end), record, &seen);
	sfr_submit(sfr_nop(loop), record, &other);
	turn_host_until(&other.calls, 1);
	ck_assert_int_eq(seen.calls, 0);
	ck_assert_int_eq(write(write_end, "abc", 3), 3);
	turn_host_until(&seen.calls, 1);

	ck_assert_int_eq(seen.result, 3);
}
END_TEST

START_TEST(a_timer_wakes_a_host_that_waits_for_nothing_else)
{
	sfr_loop *loop = loop_hosted(_i);
	uint64_t begin = sfr_loop_now(loop);

	sfr_submit(sfr_timeout(loop, 20 * MS), record, &seen);
	turn_host_until(&seen.calls, 1);

	ck_assert_uint_ge(sfr_loop_now(loop) - begin, 20 * MS);
}
END_TEST

static void *post_from_there(void *arg)
{
	int i;

	for (i = 0; i < 20; i++) {
		usleep(500); /* into the sleep of the host, mostly */
		if (sfr_loop_post(arg, record_post, &seen) < 0)
			abort();
	}
	return NULL;
}

START_TEST(a_post_of_another_thread_wakes_the_host)
{
	sfr_loop *loop = loop_hosted(_i);
	pthread_t thread;

	sfr_submit(pending_read(loop), record, &other);
	ck_assert_int_eq(pthread_create(&thread, NULL, post_from_there, loop), 0);
	turn_host_until(&seen.calls, 20);
	pthread_join(thread, NULL);
}
END_TEST

struct submitter {
	sfr_loop *loop;
	void *source;
	void (*end)(void *source);
	int left;
};

static void submit_again(void *arg)
{
	struct submitter *submitter = arg;

	sfr_submit(sfr_nop(submitter->loop), record, &seen);
	if (--submitter->left == 0)
		submitter->end(submitter->source);
}

START_TEST(what_a_callback_of_the_host_submits_is_started)
{
	struct submitter submitter = {loop_hosted(_i), NULL, the_host.end, 5};

	submitter.source = the_host.timer(host, 1, submit_again, &submitter);
	turn_host_until(&seen.calls, 5);
}
END_TEST

/*
 * Neither is in the other's way.
 */

/* How many turns a host takes until its own timer calls. */
static int turns_in(unsigned ms)
{
	int ticks = 0, turns = 0;
	void *timer = the_host.timer(host, ms, count_call, &ticks);

	while (!ticks) {
		the_host.turn(host);
		turns++;
	}
	the_host.end(timer);
	return turns;
}

/* A host that does not tell before it sleeps is woken by what was submitted, and that costs a turn. */
START_TEST(what_is_submitted_between_turns_needs_no_turn_to_be_started)
{
	sfr_loop *loop = loop_hosted(_i);
	uint64_t turns;

	(void)turns_in(5);
	turns = stats_of(loop).turns;
	sfr_submit(pending_read(loop), record, &seen);
	(void)turns_in(20);

	ck_assert_uint_eq(stats_of(loop).turns - turns, the_host.prepares ? 0 : 1);
}
END_TEST

static bool busy;

static void go_on(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	record(loop, result, buf, arg);
	if (busy)
		sfr_submit(sfr_nop(loop), go_on, arg);
}

START_TEST(sources_of_the_host_run_beside_a_busy_loop)
{
	sfr_loop *loop = loop_hosted(_i);
	int ticks = 0;
	void *timer = the_host.timer(host, 1, count_call, &ticks);

	busy = true;
	sfr_submit(sfr_nop(loop), go_on, &seen);
	turn_host_until(&ticks, 10);
	busy = false;

	ck_assert_int_ge(seen.calls, 10);
	the_host.end(timer);
}
END_TEST

START_TEST(a_loop_runs_beside_a_busy_host)
{
	sfr_loop *loop = loop_hosted(_i);
	int read_end, write_end, wakes = 0;
	void *watch;

	pair_of_pipe_ends(&read_end, &write_end);
	ck_assert_int_eq(write(write_end, "x", 1), 1); /* and nobody reads it */
	watch = the_host.watch(host, read_end, count_call, &wakes);
	busy = true;
	sfr_submit(sfr_nop(loop), go_on, &seen);
	turn_host_until(&seen.calls, 50);
	busy = false;

	ck_assert_int_ge(wakes, 10);
	the_host.end(watch);
}
END_TEST

START_TEST(an_idle_loop_does_not_wake_the_host)
{
	sfr_loop *loop = loop_hosted(_i);

	sfr_submit(pending_read(loop), record, &seen);
	sfr_submit(sfr_timeout(loop, 3600000 * MS), record, &seen);
	(void)turns_in(10);
	ck_assert_int_le(turns_in(300), 2); /* a host may look at its clock a little early */
	ck_assert_int_eq(seen.calls, 0);
}
END_TEST

START_TEST(two_loops_share_a_host)
{
	sfr_loop *loop = loop_hosted(_i), *second = second_loop(places[_i]);
	void *second_attached;

	ck_assert_int_eq(the_host.attach(&second_attached, host, second), 0);
	sfr_submit(sfr_timeout(loop, 5 * MS), record, &seen);
	sfr_submit(sfr_timeout(second, 2 * MS), record, &other);
	turn_host_until(&other.calls, 1);
	turn_host_until(&seen.calls, 1);

	the_host.detach(second_attached);
	ck_assert_int_eq(sfr_loop_free(second), 0);
}
END_TEST

static void host_turns(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	record(loop, result, buf, arg);
	sfr_submit(sfr_nop(loop), record, &other); /* which is for later */
	ck_assert_int_le(turns_in(20), 3);
	ck_assert_int_eq(other.calls, 0);
}

START_TEST(a_host_inside_a_callback_leaves_the_loop_alone)
{
	sfr_loop *loop = loop_hosted(_i);

	sfr_submit(sfr_nop(loop), host_turns, &seen);
	turn_host_until(&seen.calls, 1);
	turn_host_until(&other.calls, 1);
	ck_assert_int_eq(the_host.error(attached), 0);
}
END_TEST

START_TEST(nor_is_it_lost_if_somebody_else_took_the_turn)
{
	sfr_loop *loop = loop_hosted(_i);

	sfr_submit(sfr_nop(loop), host_turns, &seen);
	ck_assert_int_eq(sfr_await(sfr_nop(loop), NULL), 0); /* after the one that turns the host */
	ck_assert_int_eq(seen.calls, 1);
	ck_assert_int_eq(sfr_await(sfr_nop(loop), NULL), 0); /* and after what that submitted */
	ck_assert_int_eq(other.calls, 1);
	sfr_submit(sfr_nop(loop), record, &other);
	turn_host_until(&other.calls, 2);
	ck_assert_int_eq(the_host.error(attached), 0);
}
END_TEST

/*
 * Ends.
 */

START_TEST(a_host_ends_by_itself_when_nothing_is_in_flight)
{
	sfr_loop *loop = loop_hosted(_i);

	the_host.run(host);
	sfr_submit(sfr_timeout(loop, 5 * MS), record, &seen);
	if (the_host.hold)
		the_host.hold(attached);
	the_host.run(host);
	ck_assert_int_eq(seen.calls, 1);
}
END_TEST

START_TEST(what_the_last_source_of_a_host_submits_keeps_it_running)
{
	sfr_loop *loop = loop_hosted(_i);
	struct submitter timer = {loop, NULL, the_host.end, 1};
	struct submitter watch = {loop, NULL, the_host.end, 1};
	int read_end, write_end;

	timer.source = the_host.timer(host, 2, submit_again, &timer);
	the_host.run(host);
	ck_assert_int_eq(seen.calls, 1);

	pair_of_pipe_ends(&read_end, &write_end);
	ck_assert_int_eq(write(write_end, "x", 1), 1);
	watch.source = the_host.watch(host, read_end, submit_again, &watch);
	the_host.run(host);
	ck_assert_int_eq(seen.calls, 2);
}
END_TEST

START_TEST(two_loops_do_not_keep_each_other_running)
{
	sfr_loop *loop = loop_hosted(_i), *second = second_loop(places[_i]);
	void *second_attached;

	ck_assert_int_eq(the_host.attach(&second_attached, host, second), 0);
	sfr_submit(sfr_timeout(loop, 5 * MS), record, &seen);
	the_host.run(host);

	ck_assert_int_eq(seen.calls, 1);
	the_host.detach(second_attached);
	ck_assert_int_eq(sfr_loop_free(second), 0);
}
END_TEST

START_TEST(a_loop_moves_from_host_to_host)
{
	sfr_loop *loop = loop_hosted(_i);
	void *first = host;
	int read_end, write_end;

	pair_of_pipe_ends(&read_end, &write_end);
	sfr_submit(read_of(loop, read_end), record, &seen);
	sfr_submit(sfr_nop(loop), record, &other);
	turn_host_until(&other.calls, 1);
	part();
	host = the_host.make();
	ck_assert_int_eq(the_host.attach(&attached, host, loop), 0);
	ck_assert_int_eq(write(write_end, "abc", 3), 3);
	turn_host_until(&seen.calls, 1);

	ck_assert_int_eq(seen.result, 3);
	the_host.free(first);
}
END_TEST

static void detach_it(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	record(loop, result, buf, arg);
	sfr_submit(sfr_nop(loop), record, &other);
	part();
}

START_TEST(a_callback_of_the_loop_may_detach_it)
{
	sfr_loop *loop = loop_hosted(_i);

	sfr_submit(sfr_timeout(loop, MS), detach_it, &seen);
	turn_host_until(&seen.calls, 1);
	ck_assert_int_le(turns_in(20), 3); /* what it submitted is nobody's concern here */
	ck_assert_int_eq(other.calls, 0);

	ck_assert_int_eq(the_host.attach(&attached, host, loop), 0);
	turn_host_until(&other.calls, 1);
}
END_TEST

START_TEST(a_loop_is_detached_while_it_has_something_to_do)
{
	sfr_loop *loop = loop_hosted(_i);

	sfr_submit(sfr_nop(loop), record, &seen);
	part();
	(void)turns_in(5);
	ck_assert_int_eq(seen.calls, 0);
}
END_TEST

START_TEST(a_loop_may_be_freed_before_it_is_detached)
{
	sfr_loop *loop = loop_hosted(_i);

	sfr_submit(sfr_nop(loop), record, &seen);
	turn_host_until(&seen.calls, 1);
	ck_assert_int_eq(sfr_loop_free(loop_gone()), 0);
	part();
	ck_assert_int_le(turns_in(5), 3);
}
END_TEST

/* Its first turn makes a loop the thread's that took it. */
struct thief {
	sfr_loop *loop;
	void *host;
	int attach_result;
	sem_t stolen, done;
};

static void *steal(void *arg)
{
	struct thief *thief = arg;

	if (sfr_loop_step(thief->loop, 0) < 0)
		abort();
	sem_post(&thief->stolen);
	sem_wait(&thief->done);
	if (sfr_loop_drain(thief->loop, -1) < 0 || sfr_loop_free(thief->loop) < 0)
		abort();
	return NULL;
}

START_TEST(a_host_goes_on_without_a_loop_that_fails_and_can_say_why)
{
	struct thief thief = {.loop = loop_hosted(_i)};
	pthread_t thread;
	void *second;

	loop_gone();
	sem_init(&thief.stolen, 0, 0);
	sem_init(&thief.done, 0, 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, steal, &thief), 0);
	sem_wait(&thief.stolen);
	ck_assert_int_eq(sfr_loop_post(thief.loop, record_post, &seen), 0);
	ck_assert_int_eq(the_host.error(attached), 0);
	ck_assert_int_le(turns_in(50), 4);

	ck_assert_int_eq(the_host.error(attached), -SFR_ETHREAD);
	ck_assert_int_eq(seen.calls, 0);
	ck_assert_int_eq(the_host.attach(&second, host, thief.loop), -SFR_ETHREAD);
	part();
	sem_post(&thief.done);
	pthread_join(thread, NULL);
}
END_TEST

#define place_test(tcase, test) tcase_add_loop_test(tcase, test, 0, places_count)

static TCase *host_case(Suite *suite, const char *name)
{
	TCase *tcase = world_case(suite, name);

	tcase_add_checked_fixture(tcase, host_up, host_down);
	return tcase;
}

int main(void)
{
	Suite *suite = suite_create(the_host.name);
	TCase *tc;

	places_find();
	the_host.free(
		the_host.make()); /* what it makes once and keeps, libuv a pipe, is there now */

	tc = host_case(suite, "wakes");
	place_test(tc, an_operation_completes_in_a_host);
	place_test(tc, a_timer_wakes_a_host_that_waits_for_nothing_else);
	if (!under_valgrind())
		place_test(tc, a_post_of_another_thread_wakes_the_host);
	place_test(tc, what_a_callback_of_the_host_submits_is_started);
	tc = host_case(suite, "side by side");
	place_test(tc, sources_of_the_host_run_beside_a_busy_loop);
	place_test(tc, a_loop_runs_beside_a_busy_host);
	place_test(tc, what_is_submitted_between_turns_needs_no_turn_to_be_started);
	place_test(tc, an_idle_loop_does_not_wake_the_host);
	place_test(tc, two_loops_share_a_host);
	if (the_host.nests)
		place_test(tc, a_host_inside_a_callback_leaves_the_loop_alone);
	if (the_host.nests)
		place_test(tc, nor_is_it_lost_if_somebody_else_took_the_turn);
	tc = host_case(suite, "ends");
	if (the_host.ends)
		place_test(tc, a_host_ends_by_itself_when_nothing_is_in_flight);
	if (the_host.ends)
		place_test(tc, what_the_last_source_of_a_host_submits_keeps_it_running);
	if (the_host.ends)
		place_test(tc, two_loops_do_not_keep_each_other_running);
	place_test(tc, a_loop_moves_from_host_to_host);
	place_test(tc, a_callback_of_the_loop_may_detach_it);
	place_test(tc, a_loop_is_detached_while_it_has_something_to_do);
	place_test(tc, a_loop_may_be_freed_before_it_is_detached);
	place_test(tc, a_host_goes_on_without_a_loop_that_fails_and_can_say_why);
	return world_run(suite);
}
