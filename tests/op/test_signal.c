/* SPDX-License-Identifier: MIT */
/*
 * Signals: told to every op that waits for one, in a turn; and the process as it was before when the last
 * of them ends.
 */
#include "loop/loop.h"
#include "pending.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MS UINT64_C(1000000)

static sfr_ticket wait_for(sfr_loop *loop, int signo, struct seen *seen_of)
{
	return sfr_submit(sfr_signal(loop, signo), record, seen_of);
}

/* No more is told. */
static void assert_quiet(sfr_loop *loop)
{
	int calls = seen.calls, calls_other = other.calls;

	ck_assert_int_eq(sfr_await(sfr_timeout(loop, MS), NULL), 0);
	ck_assert_int_eq(seen.calls, calls);
	ck_assert_int_eq(other.calls, calls_other);
}

START_TEST(each_arrival_is_told)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int i;

	wait_for(loop, SIGUSR1, &seen);
	for (i = 1; i <= 5; i++) {
		raise(SIGUSR1);
		ck_assert_int_eq(sfr_loop_step(loop, -1), 1);
		ck_assert_int_eq(seen.calls, i);
		ck_assert_int_eq(seen.result, SIGUSR1);
	}
	assert_quiet(loop);
}
END_TEST

START_TEST(what_arrives_between_two_turns_is_told_once)
{
	sfr_loop *loop = loop_in(_i, NULL);

	wait_for(loop, SIGUSR1, &seen);
	raise(SIGUSR1);
	raise(SIGUSR1);
	raise(SIGUSR1);
	turn_until(loop, &seen.calls, 1);

	assert_quiet(loop);
}
END_TEST

START_TEST(each_op_is_told_of_its_own_signal)
{
	sfr_loop *loop = loop_in(_i, NULL);
	static struct seen again;
	sfr_ticket ticket;

	again = (struct seen){0};
	wait_for(loop, SIGUSR1, &seen);
	wait_for(loop, SIGUSR2, &other);
	ticket = wait_for(loop, SIGUSR1, &again);
	raise(SIGUSR1);
	turn_until(loop, &seen.calls, 1);
	ck_assert_int_eq(again.calls, 1);
	ck_assert_int_eq(other.calls, 0);

	ck_assert_int_eq(sfr_cancel(loop, ticket), 0);
	raise(SIGUSR1);
	raise(SIGUSR2);
	turn_until(loop, &seen.calls, 2);
	turn_until(loop, &other.calls, 1);
	ck_assert_int_eq(other.result, SIGUSR2);
	ck_assert_int_eq(again.calls, 2);
	ck_assert_int_eq(again.result, -ECANCELED);
}
END_TEST

START_TEST(some_signals_cannot_be_waited_for)
{
	static const int signals[] = {SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE,
				      SIGILL,  0,       -1,      65,     1 << 20};
	sfr_loop *loop = loop_in(_i, NULL);
	size_t i;

	for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		seen.calls = 0;
		wait_for(loop, signals[i], &seen);
		ck_assert_int_eq(sfr_loop_run(loop), 0);
		ck_assert_int_eq(seen.calls, 1);
		ck_assert_int_eq(seen.result, -EINVAL);
	}
	wait_for(loop, 32, &other); /* the C library's own */
	ck_assert_int_eq(sfr_loop_run(loop), 0);
	ck_assert_int_eq(other.result, -EINVAL);
	ck_assert_int_eq(sfr_await(sfr_signal(loop, SIGUSR1), NULL), -EINVAL);
}
END_TEST

/*
 * Callbacks.
 */

static sfr_ticket rival;

static void cancel_rival(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	if (result > 0)
		ck_assert_int_eq(sfr_cancel(loop, rival), 0);
	record(loop, result, buf, arg);
}

START_TEST(what_a_callback_cancels_is_not_told_any_more)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_ticket ticket = sfr_submit(sfr_signal(loop, SIGUSR1), cancel_rival, &seen);

	rival = wait_for(loop, SIGUSR1, &other);
	raise(SIGUSR1);
	turn_until(loop, &other.calls, 1);
	ck_assert_int_eq(other.result, -ECANCELED);
	ck_assert_int_eq(seen.calls, 1);

	rival = ticket;
	raise(SIGUSR1);
	ck_assert_int_eq(sfr_loop_run(loop), 0);
	ck_assert_int_eq(seen.calls, 3);
	ck_assert_int_eq(seen.result, -ECANCELED);
	ck_assert_int_eq(other.calls, 1);
}
END_TEST

static void wait_too(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	if (result > 0 && !seen.calls)
		wait_for(loop, SIGUSR1, &other);
	record(loop, result, buf, arg);
}

START_TEST(what_a_callback_starts_is_not_told_of_what_was_before)
{
	sfr_loop *loop = loop_in(_i, NULL);

	sfr_submit(sfr_signal(loop, SIGUSR1), wait_too, &seen);
	raise(SIGUSR1);
	turn_until(loop, &seen.calls, 1);
	assert_quiet(loop);
	raise(SIGUSR1);
	turn_until(loop, &other.calls, 1);
	ck_assert_int_eq(seen.calls, 2);
}
END_TEST

START_TEST(what_nobody_waits_for_any_more_is_not_told_to_who_comes_later)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_ticket ticket = wait_for(loop, SIGUSR1, &seen);

	raise(SIGUSR1);
	ck_assert_int_eq(sfr_cancel(loop, ticket), 0);
	wait_for(loop, SIGUSR1, &other);
	turn_until(loop, &seen.calls, 1);
	assert_quiet(loop);
}
END_TEST

/*
 * The process.
 */

static void (*handler_of(int signo))(int)
{
	struct sigaction now;

	ck_assert_int_eq(sigaction(signo, NULL, &now), 0);
	return now.sa_handler;
}

static volatile sig_atomic_t own_calls;

static void own(int signo)
{
	own_calls += signo != 0;
}

START_TEST(the_handler_that_was_there_comes_back_with_the_last)
{
	sfr_loop *loop = loop_in(_i, NULL), *second = second_loop(_i);
	sfr_ticket first, last, elsewhere;

	own_calls = 0;
	signal(SIGUSR1, own);
	signal(SIGUSR2, SIG_IGN);
	first = wait_for(loop, SIGUSR1, &seen);
	last = wait_for(loop, SIGUSR1, &seen);
	elsewhere = wait_for(second, SIGUSR1, &other);
	raise(SIGUSR1);
	ck_assert_int_eq(own_calls, 0);
	sfr_cancel(loop, first);
	sfr_cancel(second, elsewhere);
	ck_assert(handler_of(SIGUSR1) != own);
	sfr_cancel(loop, last);
	ck_assert(handler_of(SIGUSR1) == own);
	raise(SIGUSR1);
	ck_assert_int_eq(own_calls, 1);

	first = wait_for(loop, SIGUSR2, &seen);
	ck_assert(handler_of(SIGUSR2) != SIG_IGN);
	ck_assert_int_eq(sfr_abandon(loop, first), 0);
	ck_assert(handler_of(SIGUSR2) == SIG_IGN);
	ck_assert_int_eq(sfr_loop_run(second), 0);
	ck_assert_int_eq(sfr_loop_free(second), 0);
}
END_TEST

START_TEST(a_handler_that_somebody_put_there_meanwhile_stays)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_ticket ticket = wait_for(loop, SIGUSR1, &seen);

	signal(SIGUSR1, own);
	sfr_cancel(loop, ticket);
	ck_assert(handler_of(SIGUSR1) == own);
}
END_TEST

static bool eventfd_is_quiet(sfr_loop *loop)
{
	struct pollfd pollfd = {.fd = loop->mailbox.fd, .events = POLLIN};

	return poll(&pollfd, 1, 0) == 0;
}

static int child_result(pid_t child)
{
	int status;

	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

START_TEST(a_child_has_the_handlers_that_were_there_before)
{
	sfr_loop *loop = loop_in(_i, NULL);
	pid_t child;

	signal(SIGUSR1, own);
	wait_for(loop, SIGUSR1, &seen);
	ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
	child = fork();
	if (!child) {
		own_calls = 0;
		raise(SIGUSR1);
		_exit(own_calls == 1 ? 0 : 1);
	}
	ck_assert_int_eq(child_result(child), 0);
	ck_assert(eventfd_is_quiet(loop));
	raise(SIGUSR1);
	turn_until(loop, &seen.calls, 1);
}
END_TEST

START_TEST(a_child_may_wait_for_signals_of_its_own)
{
	sfr_loop *loop = loop_in(_i, NULL);
	pid_t child;

	wait_for(loop, SIGUSR1, &seen);
	child = fork();
	if (!child) {
		sfr_loop *second = second_loop(_i);

		wait_for(second, SIGUSR1, &other);
		raise(SIGUSR1);
		while (sfr_loop_step(second, -1) >= 0 && !other.calls)
			;
		_exit(other.calls == 1 && other.result == SIGUSR1 ? 0 : 1);
	}
	ck_assert_int_eq(child_result(child), 0);
	ck_assert(eventfd_is_quiet(loop));
}
END_TEST

/* As by a runtime that does not call the C library's fork: no handler runs. */
START_TEST(a_child_that_nobody_told_of_does_not_wake_its_parent)
{
	sfr_loop *loop = loop_in(_i, NULL);
	pid_t child;

	wait_for(loop, SIGUSR1, &seen);
	ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
	child = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
	if (!child) {
		kill(getpid(), SIGUSR1);
		_exit(0);
	}
	ck_assert_int_eq(child_result(child), 0);

	ck_assert(eventfd_is_quiet(loop));
	assert_quiet(loop);
}
END_TEST

/*
 * Threads.
 */

static atomic_int told;

static void tell(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	(void)loop;
	(void)buf;
	(void)arg;
	ck_assert(result == SIGUSR1 || result == -ECANCELED);
	if (result > 0)
		atomic_fetch_add(&told, 1);
}

static void *raise_and_wait(void *arg)
{
	int i;

	(void)arg;
	for (i = 0; i < 500; i++) {
		kill(getpid(), SIGUSR1);
		while (atomic_load(&told) <= i)
			sched_yield();
	}
	return NULL;
}

static void sleep_and_be_woken(sfr_loop *loop, bool elsewhere)
{
	pthread_t thread;
	sigset_t set;

	atomic_store(&told, 0);
	sfr_submit(sfr_signal(loop, SIGUSR1), tell, NULL);
	ck_assert_int_eq(pthread_create(&thread, NULL, raise_and_wait, NULL), 0);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	if (elsewhere)
		pthread_sigmask(SIG_BLOCK, &set, NULL);
	while (atomic_load(&told) < 500)
		ck_assert_int_ge(sfr_loop_step(loop, -1), 0);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
}

START_TEST(each_signal_that_another_thread_takes_wakes_a_loop_that_sleeps)
{
	sleep_and_be_woken(loop_in(_i, NULL), true);
}
END_TEST

/* ThreadSanitizer keeps a signal back while its thread is in a system call that it does not know. */
START_TEST(each_signal_wakes_a_loop_that_sleeps)
{
#ifndef __SANITIZE_THREAD__
	sleep_and_be_woken(loop_in(_i, NULL), false);
#endif
}
END_TEST

#define COMERS 3

static atomic_int comers;

static void *come_and_go(void *arg)
{
	sfr_loop *loop = arg;
	int i, k;

	ck_assert_int_ge(sfr_loop_step(loop, 0), 0); /* it is this thread's from now on */
	for (i = 0; i < 200; i++) {
		sfr_ticket tickets[3];

		for (k = 0; k < 3; k++)
			tickets[k] = sfr_submit(sfr_signal(loop, k ? SIGUSR1 : SIGUSR2), NULL,
						NULL);
		ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
		for (k = 0; k < 3; k++)
			ck_assert_int_eq(sfr_cancel(loop, tickets[k]), 0);
		ck_assert_int_eq(sfr_loop_run(loop), 0);
	}
	atomic_fetch_sub(&comers, 1);
	return NULL;
}

/* Not under qemu-user: it looks for a signal's handler, and once more to call it, and jumps to the address
 * SIG_IGN if another thread changed it in between. */
START_TEST(loops_come_and_go_while_signals_arrive)
{
	sfr_loop *loop = loop_in(_i, NULL), *loops[COMERS];
	pthread_t threads[COMERS];
	int i;

	if (getenv("SFR_EMULATED"))
		return;
	signal(SIGUSR1, SIG_IGN);
	signal(SIGUSR2, SIG_IGN);
	atomic_store(&comers, COMERS);
	wait_for(loop, SIGUSR1, &seen);
	for (i = 0; i < COMERS; i++) {
		loops[i] = second_loop(_i);
		ck_assert_int_eq(pthread_create(&threads[i], NULL, come_and_go, loops[i]), 0);
	}
	while (atomic_load(&comers)) {
		kill(getpid(), SIGUSR1);
		kill(getpid(), SIGUSR2);
		ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
	}
	for (i = 0; i < COMERS; i++) {
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
		ck_assert_int_eq(sfr_loop_free(loops[i]), 0);
	}
	ck_assert(handler_of(SIGUSR2) == SIG_IGN);
	ck_assert(handler_of(SIGUSR1) != SIG_IGN);
	raise(SIGUSR1);
	turn_until(loop, &seen.calls, 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("signal");
	TCase *tc = world_case(suite, "being told");

	world_test(tc, each_arrival_is_told);
	world_test(tc, what_arrives_between_two_turns_is_told_once);
	world_test(tc, each_op_is_told_of_its_own_signal);
	world_test(tc, some_signals_cannot_be_waited_for);
	world_test(tc, what_a_callback_cancels_is_not_told_any_more);
	world_test(tc, what_a_callback_starts_is_not_told_of_what_was_before);
	world_test(tc, what_nobody_waits_for_any_more_is_not_told_to_who_comes_later);
	tc = world_case(suite, "the process");
	world_test(tc, the_handler_that_was_there_comes_back_with_the_last);
	world_test(tc, a_handler_that_somebody_put_there_meanwhile_stays);
	world_test(tc, a_child_has_the_handlers_that_were_there_before);
	world_test(tc, a_child_may_wait_for_signals_of_its_own);
	world_test(tc, a_child_that_nobody_told_of_does_not_wake_its_parent);
	tc = world_case(suite, "threads");
	world_test(tc, each_signal_that_another_thread_takes_wakes_a_loop_that_sleeps);
	world_test(tc, each_signal_wakes_a_loop_that_sleeps);
	world_test(tc, loops_come_and_go_while_signals_arrive);
	return world_run(suite);
}
