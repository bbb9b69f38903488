/* SPDX-License-Identifier: MIT */
/*
 * Threads: what may be called from elsewhere, and what happens to who calls the rest.
 */
#include "pending.h"
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static pthread_t start(void *(*run)(void *), void *arg)
{
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, run, arg), 0);
	return thread;
}

static void join(pthread_t thread)
{
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
}

/*
 * Post.
 */

#define POSTERS 4
#define POSTS 2000

struct poster {
	sfr_loop *loop;
	int posted, ran;
	struct post {
		struct poster *poster;
		int number;
	} posts[POSTS];
};

static struct poster posters[POSTERS];
static int posters_done;

static void ran(sfr_loop *loop, void *arg)
{
	struct post *post = arg;

	(void)loop;
	ck_assert_int_eq(post->number, post->poster->ran); /* in the order of its thread */
	if (++post->poster->ran == POSTS)
		posters_done++;
}

static void *post_many(void *arg)
{
	struct poster *poster = arg;
	int i;

	for (i = 0; i < POSTS; i++) {
		poster->posts[i] = (struct post){poster, i};
		ck_assert_int_eq(sfr_loop_post(poster->loop, ran, &poster->posts[i]), 0);
	}
	return NULL;
}

START_TEST(what_threads_post_runs_once_and_in_the_order_of_each)
{
	sfr_loop *loop = loop_in(_i, NULL);
	pthread_t threads[POSTERS];
	int i;

	posters_done = 0;
	sfr_submit(pending_read(loop), record, &seen);
	for (i = 0; i < POSTERS; i++) {
		posters[i].loop = loop;
		posters[i].ran = 0;
		threads[i] = start(post_many, &posters[i]);
	}
	while (posters_done < POSTERS) /* asleep without limit: only posts wake it */
		ck_assert_int_ge(sfr_loop_step(loop, -1), 0);
	for (i = 0; i < POSTERS; i++)
		join(threads[i]);

	ck_assert_int_eq(seen.calls, 0);
}
END_TEST

/* One post at a time, each after the one before ran: each must wake a loop that sleeps. */
static atomic_int pings;

static void ping(sfr_loop *loop, void *arg)
{
	(void)loop;
	(void)arg;
	atomic_fetch_add(&pings, 1);
}

static void *ping_pong(void *arg)
{
	int i;

	for (i = 0; i < 1000; i++) {
		sfr_loop_post(arg, ping, NULL);
		while (atomic_load(&pings) <= i)
			sched_yield();
	}
	return NULL;
}

START_TEST(each_post_wakes_a_loop_that_sleeps)
{
	sfr_loop *loop = loop_in(_i, NULL);
	pthread_t thread;

	atomic_store(&pings, 0);
	sfr_submit(pending_read(loop), record, &seen);
	thread = start(ping_pong, loop);
	while (atomic_load(&pings) < 1000)
		ck_assert_int_ge(sfr_loop_step(loop, -1), 0);
	join(thread);
}
END_TEST

/*
 * Stop.
 */

static void *stop_there(void *arg)
{
	sfr_loop_stop(arg);
	return NULL;
}

START_TEST(another_thread_stops_a_loop_that_sleeps)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int i;

	sfr_submit(pending_read(loop), record, &seen);
	for (i = 0; i < 100; i++) {
		pthread_t thread = start(stop_there, loop);

		ck_assert_int_eq(sfr_loop_run(loop), 0);
		join(thread);
	}
	ck_assert_uint_eq(sfr_loop_inflight(loop), 1);
}
END_TEST

#ifndef __SANITIZE_THREAD__ /* it holds signals back until a system call that it knows */
static sfr_loop *loop_to_stop;

static void stop_by_signal(int number)
{
	(void)number;
	sfr_loop_stop(loop_to_stop);
}

static void *signal_there(void *arg)
{
	pthread_kill(*(pthread_t *)arg, SIGUSR1);
	return NULL;
}

START_TEST(a_signal_handler_stops_a_loop_that_sleeps)
{
	sfr_loop *loop = loop_in(_i, NULL);
	struct sigaction action = {.sa_handler = stop_by_signal};
	pthread_t self = pthread_self();
	int i;

	loop_to_stop = loop;
	ck_assert_int_eq(sigaction(SIGUSR1, &action, NULL), 0);
	sfr_submit(pending_read(loop), record, &seen);
	for (i = 0; i < 50; i++) {
		pthread_t thread = start(signal_there, &self);

		errno = ENOENT;
		ck_assert_int_eq(sfr_loop_run(loop), 0);
		join(thread);
	}
	raise(SIGUSR1);
	ck_assert_int_eq(sfr_loop_run(loop), 0);
	ck_assert_uint_eq(sfr_loop_inflight(loop), 1);
}
END_TEST
#endif

/*
 * Release.
 */

#define BATCH 64

static void *release_batch(void *arg)
{
	sfr_buf **bufs = arg;
	int i;

	for (i = 0; i < BATCH; i++)
		sfr_buf_release(bufs[i]);
	return NULL;
}

START_TEST(threads_release_while_the_loop_takes)
{
	sfr_loop *loop = loop_in(_i, "buffers.count=256 buffers.size=64");
	sfr_buf *bufs[3][BATCH];
	pthread_t threads[3];
	int round, i, j;

	for (round = 0; round < 20; round++) {
		for (i = 0; i < 3; i++) {
			for (j = 0; j < BATCH; j++) {
				bufs[i][j] = j % 8 ? sfr_buf_get(loop, 1) : sfr_buf_get(loop, 1000);
				ck_assert_ptr_nonnull(bufs[i][j]);
				memset(bufs[i][j]->data, i, bufs[i][j]->cap);
			}
			threads[i] = start(release_batch, bufs[i]);
		}
		for (i = 0; i < 50; i++) {
			sfr_buf *buf = sfr_buf_get(loop, 1);

			ck_assert_ptr_nonnull(buf);
			memset(buf->data, 7, buf->cap);
			sfr_buf_release(buf);
			ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
		}
		for (i = 0; i < 3; i++)
			join(threads[i]);
		ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
		ck_assert_uint_eq(stat_held(loop), 0);
	}
}
END_TEST

/* The end of a loop, and the last releases, at the same time. */
START_TEST(threads_release_while_their_loop_is_freed)
{
	int round;

	for (round = 0; round < 100; round++) {
		sfr_loop *loop = loop_in(_i, "buffers.count=256 buffers.size=64");
		sfr_buf *bufs[2][BATCH];
		pthread_t threads[2];
		int i, j;

		for (i = 0; i < 2; i++)
			for (j = 0; j < BATCH; j++)
				bufs[i][j] = sfr_buf_get(loop, j % 8 ? 1 : 1000);
		ck_assert_int_eq(sfr_loop_step(loop, 0), 0);
		for (i = 0; i < 2; i++)
			threads[i] = start(release_batch, bufs[i]);
		ck_assert_int_eq(sfr_loop_free(loop_gone()), 0);
		for (i = 0; i < 2; i++)
			join(threads[i]);
	}
}
END_TEST

/* A release that was handed over, and is still about to wake the loop, when the loop is freed. */
void __real_sfr__mailbox_knock(void *mailbox);
void __wrap_sfr__mailbox_knock(void *mailbox);

static _Thread_local bool knock_waits;
static atomic_int knock_state; /* 1: about to knock; 2: the loop is being freed, go on */

void __wrap_sfr__mailbox_knock(void *mailbox)
{
	int i;

	if (knock_waits) {
		atomic_store(&knock_state, 1);
		while (atomic_load(&knock_state) != 2)
			sched_yield();
		for (i = 0; i < 1000; i++)
			sched_yield(); /* give the end of the loop all the time it could want */
	}
	__real_sfr__mailbox_knock(mailbox);
}

static void *release_late(void *arg)
{
	knock_waits = true;
	sfr_buf_release(arg);
	return NULL;
}

static bool about_to_knock(void *arg)
{
	(void)arg;
	return atomic_load(&knock_state) == 1;
}

START_TEST(the_end_of_a_loop_waits_for_a_release_that_is_about_to_wake_it)
{
	sfr_loop *loop = loop_in(_i, "buffers.count=1");
	pthread_t thread;
	sfr_buf *buf;
	int a, b;

	atomic_store(&knock_state, 0);
	pair_of_sockets(&a, &b);
	sfr_submit(sfr_recv_multi(loop, a), record, &seen);
	ck_assert_int_eq(send(b, "one", 3, 0), 3);
	turn_until(loop, &seen.calls, 1);
	buf = seen.buf;
	seen.buf = NULL;
	ck_assert_int_eq(send(b, "two", 3, 0), 3);
	turn_until_true(loop, has_parked, loop);
	ck_assert_int_eq(sfr_loop_step(loop, 0), 0);

	thread = start(release_late, buf);
	while (!about_to_knock(NULL))
		sched_yield();
	ck_assert_int_eq(sfr_loop_drain(loop, -1), 0);
	seen_release(&seen);
	atomic_store(&knock_state, 2);
	ck_assert_int_eq(sfr_loop_free(loop_gone()), 0);
	join(thread);
}
END_TEST

/*
 * Made here, run there.
 */

struct moved {
	sfr_loop *loop;
	atomic_int running, released;
	int a, b;
};

static void *run_there(void *arg)
{
	struct moved *moved = arg;

	ck_assert_int_eq(sfr_loop_run(moved->loop), 0);
	ck_assert_int_eq(seen.result, 5);
	ck_assert_int_eq(
		sfr_await(sfr_send(moved->loop, moved->a, sfr_buf_from(moved->loop, "back", 4)),
			  NULL),
		4);
	loop_end();
	return NULL;
}

START_TEST(a_loop_made_in_one_thread_runs_in_another)
{
	struct moved moved = {.loop = loop_in(_i, NULL)};
	char back[8];

	pair_of_sockets(&moved.a, &moved.b);
	ck_assert_int_eq(send(moved.b, "hello", 5, 0), 5);
	sfr_submit(sfr_recv(moved.loop, moved.a, sfr_buf_get(moved.loop, 64)), record, &seen);
	join(start(run_there, &moved));

	ck_assert_int_eq(recv(moved.b, back, sizeof(back), 0), 4);
}
END_TEST

static void *run_multi_there(void *arg)
{
	struct moved *moved = arg;

	turn_until(moved->loop, &seen.calls, 1);
	ck_assert_int_eq(seen.result, 5);
	loop_end();
	return NULL;
}

START_TEST(receives_and_timers_started_in_one_thread_end_in_another)
{
	struct moved moved = {.loop = loop_in(_i, NULL)};

	pair_of_sockets(&moved.a, &moved.b);
	ck_assert_int_eq(send(moved.b, "hello", 5, 0), 5);
	sfr_submit(sfr_timeout(moved.loop, 1000000000000), NULL, NULL);
	sfr_submit(sfr_recv_multi(moved.loop, moved.a), record, &seen);
	join(start(run_multi_there, &moved));
}
END_TEST

static void *take_over(void *arg)
{
	struct moved *moved = arg;

	while (!atomic_load_explicit(&moved->running, memory_order_relaxed))
		;
	do
		ck_assert_int_ge(sfr_loop_step(moved->loop, 0), 0);
	while (!atomic_load(&moved->released));
	loop_end();
	return NULL;
}

/* The maker gives its buffers back just when the runner takes its first turn. The flag is relaxed so that
 * it orders nothing: releasing is for any thread, at any time. */
START_TEST(the_maker_may_release_while_the_runner_takes_over)
{
	struct moved moved = {.loop = loop_in(_i, "buffers.count=256 buffers.size=64")};
	sfr_buf *bufs[BATCH];
	pthread_t thread;
	int i;

	for (i = 0; i < BATCH; i++)
		bufs[i] = sfr_buf_get(moved.loop, 1);
	thread = start(take_over, &moved);
	for (i = 0; i < BATCH; i++) {
		sfr_buf_release(bufs[i]);
		if (i == BATCH / 2)
			atomic_store_explicit(&moved.running, 1, memory_order_relaxed);
	}
	atomic_store(&moved.released, 1);
	join(thread);
}
END_TEST

static void *run_until_stopped(void *arg)
{
	struct moved *moved = arg;

	ck_assert_int_ge(sfr_loop_step(moved->loop, 0), 0); /* takes it over, and may build now */
	sfr_submit(pending_read(moved->loop), record, &seen);
	atomic_store(&moved->running, 1);
	ck_assert_int_eq(sfr_loop_run(moved->loop), 0);
	loop_end();
	return NULL;
}

START_TEST(while_the_loop_runs_another_thread_that_turns_it_is_told_so)
{
	struct moved moved = {.loop = loop_in(_i, NULL)};
	pthread_t thread = start(run_until_stopped, &moved);
	int i;

	while (!atomic_load(&moved.running))
		sched_yield();
	for (i = 0; i < 1000; i++) {
		ck_assert_int_eq(sfr_loop_step(moved.loop, 0), -SFR_ETHREAD);
		ck_assert_int_eq(sfr_loop_run(moved.loop), -SFR_ETHREAD);
	}
	sfr_loop_stop(moved.loop);
	join(thread);
}
END_TEST

static void *free_there(void *arg)
{
	ck_assert_int_eq(sfr_loop_free(arg), 0);
	return NULL;
}

START_TEST(a_loop_that_nobody_uses_can_be_freed_anywhere)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int a, b;

	pair_of_sockets(&a, &b);
	sfr_submit(sfr_recv_multi(loop, a), record, &seen);
	ck_assert_int_eq(send(b, "hello", 5, 0), 5);
	turn_until(loop, &seen.calls, 1);
	seen_release(&seen);
	ck_assert_int_eq(sfr_loop_drain(loop, -1), 0);
	join(start(free_there, loop_gone()));
}
END_TEST

static void *own_loop(void *arg)
{
	sfr_loop *loop;
	int i;

	(void)arg;
	ck_assert_int_eq(sfr_loop_new(&loop, NULL), 0);
	for (i = 0; i < 200; i++)
		ck_assert_int_eq(sfr_await(sfr_nop(loop), NULL), 0);
	ck_assert_int_eq(sfr_await(sfr_timeout(loop, 100000), NULL), 0);
	ck_assert_int_eq(sfr_loop_free(loop), 0);
	return NULL;
}

START_TEST(each_thread_may_have_a_loop_of_its_own)
{
	pthread_t threads[4];
	int i;

	for (i = 0; i < 4; i++)
		threads[i] = start(own_loop, NULL);
	for (i = 0; i < 4; i++)
		join(threads[i]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("threads");
	TCase *tc = world_case(suite, "post and stop");

	if (under_valgrind()) {
		printf("skip - valgrind lets no thread run while another sleeps in the ring\n");
		return 77;
	}
	world_test(tc, what_threads_post_runs_once_and_in_the_order_of_each);
	world_test(tc, each_post_wakes_a_loop_that_sleeps);
	world_test(tc, another_thread_stops_a_loop_that_sleeps);
#ifndef __SANITIZE_THREAD__
	world_test(tc, a_signal_handler_stops_a_loop_that_sleeps);
#endif
	tc = world_case(suite, "release");
	world_test(tc, threads_release_while_the_loop_takes);
	world_test(tc, threads_release_while_their_loop_is_freed);
	world_test(tc, the_end_of_a_loop_waits_for_a_release_that_is_about_to_wake_it);
	tc = world_case(suite, "made here, run there");
	world_test(tc, a_loop_made_in_one_thread_runs_in_another);
	world_test(tc, receives_and_timers_started_in_one_thread_end_in_another);
	world_test(tc, the_maker_may_release_while_the_runner_takes_over);
	world_test(tc, while_the_loop_runs_another_thread_that_turns_it_is_told_so);
	world_test(tc, a_loop_that_nobody_uses_can_be_freed_anywhere);
	tcase_add_test(tc, each_thread_may_have_a_loop_of_its_own);
	return world_run(suite);
}
