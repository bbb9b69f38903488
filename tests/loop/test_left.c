/* SPDX-License-Identifier: MIT */
/*
 * Callbacks that are left by longjmp: the loop below them says so, and keeps what the kernel may still use.
 */
#include "worlds.h"
#include <check.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

static jmp_buf way_out;
static char log_text[512];

static void log_keep(enum sfr_log_level level, const char *message, void *arg)
{
	(void)level;
	(void)arg;
	snprintf(log_text, sizeof(log_text), "%s", message);
}

/* Not the fixture's: what is left cannot be freed. So that nobody takes it for leaked, it is kept. */
static sfr_loop *kept[64];
static int kept_count;

static sfr_loop *loop_in(int world, const char *more)
{
	char why[256];
	sfr_config *config = worlds_config(world, more, why, sizeof(why));
	sfr_loop *loop;

	ck_assert_msg(config != NULL, "%s", why);
	ck_assert_int_eq(sfr_loop_new(&loop, config), 0);
	sfr_config_free(config);
	sfr_log_to(log_keep, NULL);
	return kept[kept_count++] = loop;
}

/*
 * Callbacks that do not return.
 */

static void op_leaves(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	(void)loop;
	(void)result;
	(void)buf;
	(void)arg;
	longjmp(way_out, 1);
}

static void post_leaves(sfr_loop *loop, void *arg)
{
	(void)loop;
	(void)arg;
	longjmp(way_out, 1);
}

static void batch_leaves(sfr_loop *loop, sfr_batch *batch, void *arg)
{
	(void)loop;
	(void)batch;
	(void)arg;
	longjmp(way_out, 1);
}

enum { CALLBACKS = 4 };

static void leaving_submit(sfr_loop *loop, int which)
{
	sfr_batch *batch;

	switch (which) {
	case 0:
		sfr_submit(sfr_nop(loop), op_leaves, NULL);
		break;
	case 1:
		sfr_submit(sfr_timeout(loop, 1), op_leaves, NULL);
		break;
	case 2:
		ck_assert_int_eq(sfr_loop_post(loop, post_leaves, NULL), 0);
		break;
	default:
		batch = sfr_batch_new(loop);
		sfr_batch_add(batch, sfr_nop(loop));
		ck_assert_int_eq(sfr_batch_submit(batch, batch_leaves, NULL), 0);
	}
}

/* Ways to run a loop. */
enum { RUNS = 4 };

static int run_by(sfr_loop *loop, int which)
{
	switch (which) {
	case 0:
		return sfr_loop_run(loop);
	case 1:
		return sfr_loop_step(loop, -1);
	case 2:
		return sfr_loop_drain(loop, -1);
	default:
		return sfr_await(sfr_timeout(loop, 1000000000), NULL);
	}
}

static __attribute__((noinline)) void leave(sfr_loop *loop, int callback, int run)
{
	leaving_submit(loop, callback);
	while (setjmp(way_out) == 0) /* a step may be woken for nothing */
		ck_assert_int_ge(run_by(loop, run), 0);
}

/* What everybody is told who wants to run it. */
static __attribute__((noinline)) void assert_left(sfr_loop *loop)
{
	sfr_batch *batch = sfr_batch_new(loop);
	sfr_buf *buf = sfr_buf_from(loop, "hello", 5), *back = NULL;
	int i;

	for (i = 0; i < RUNS - 1; i++)
		ck_assert_int_eq(run_by(loop, i), -ENOTRECOVERABLE);
	ck_assert_int_eq(sfr_await(sfr_write(loop, 1, buf), &back), -ENOTRECOVERABLE);
	ck_assert_ptr_eq(back, buf);
	sfr_buf_release(back);
	ck_assert_int_eq(sfr_loop_prepare(loop), 0); /* of the system's errors the turn tells */
	sfr_batch_add(batch, sfr_nop(loop));
	ck_assert_int_eq(sfr_batch_await(batch), -ENOTRECOVERABLE);
	sfr_batch_free(batch);
	ck_assert_int_eq(sfr_loop_free(loop), -ENOTRECOVERABLE);
	ck_assert_ptr_nonnull(strstr(log_text, "longjmp"));
	ck_assert_ptr_nonnull(strstr(log_text, "cannot go on"));
}

START_TEST(a_loop_that_was_left_says_so_to_whoever_runs_it)
{
	int callback, run;

	for (callback = 0; callback < CALLBACKS; callback++) {
		for (run = 0; run < RUNS; run++) {
			sfr_loop *loop;

			if (run == 2 && callback != 2)
				continue; /* a loop that drains cancels, and calls back */
			loop = loop_in(_i, NULL);
			leave(loop, callback, run);
			assert_left(loop);
			assert_left(loop);
		}
	}
}
END_TEST

/* Further in than the call that was left: in the place of its mark there is something else. */
static __attribute__((noinline)) int step_further_in(sfr_loop *loop)
{
	volatile char place[65536];

	memset((char *)(uintptr_t)place, 1, sizeof(place));
	return sfr_loop_step(loop, 0) + (place[1000] - 1);
}

static __attribute__((noinline)) char leave_further_in(sfr_loop *loop)
{
	volatile char place[4096];

	place[1000] = 1;
	leave(loop, 0, 0);
	return place[1000];
}

/* AddressSanitizer may have variables elsewhere, where nobody writes over them. */
__attribute__((weak)) void *__asan_get_current_fake_stack(void);

START_TEST(further_in_it_says_so_as_well)
{
	sfr_loop *loop = loop_in(_i, NULL);

	if (__asan_get_current_fake_stack && __asan_get_current_fake_stack()) {
		printf("skip - further in: variables are not on the stack here\n");
		return;
	}
	ck_assert_int_eq(leave_further_in(loop), 1);
	ck_assert_int_eq(step_further_in(loop), -ENOTRECOVERABLE);
}
END_TEST

/* Another loop that is run from the same place leaves a mark of its own there. */
START_TEST(another_loop_goes_on)
{
	sfr_loop *left = loop_in(_i, NULL), *other = loop_in(_i, NULL);
	int i;

	leave(left, 0, 3);
	for (i = 0; i < 3; i++)
		ck_assert_int_eq(sfr_await(sfr_nop(other), NULL), 0);
	ck_assert_int_eq(sfr_await(sfr_nop(left), NULL), -ENOTRECOVERABLE);
	ck_assert_int_eq(sfr_loop_free(other), 0);
}
END_TEST

/* The kernel goes on with what it has. */
START_TEST(what_the_kernel_may_write_to_stays)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int fds[2], i;

	ck_assert_int_eq(pipe(fds), 0);
	for (i = 0; i < 8; i++)
		sfr_submit(sfr_read(loop, fds[0], sfr_buf_get(loop, 4096)), op_leaves, NULL);
	ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
	leave(loop, 0, 1);
	ck_assert_int_eq(sfr_loop_free(loop), -ENOTRECOVERABLE);
	ck_assert_int_eq(write(fds[1], "abc", 3), 3);
	ck_assert_uint_ge(sfr_loop_inflight(loop), 7);
	ck_assert_int_eq(sfr_loop_free(loop), -ENOTRECOVERABLE);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

START_TEST(in_development_that_ends_the_program)
{
	sfr_loop *loop = loop_in(_i, "safety.abort=true");

	leave(loop, 0, 0);
	(void)sfr_loop_step(loop, 0);
}
END_TEST

/*
 * Callbacks that are not left.
 */

static int results[8], results_count;

static __attribute__((noinline)) int step_deep(sfr_loop *loop, int depth)
{
	volatile char place[1000];

	place[depth] = 1;
	return depth ? step_deep(loop, depth - 1) + place[depth] - 1 : sfr_loop_step(loop, 0);
}

static ucontext_t of_callback, of_other;
static sfr_loop *nested;

/* Run a function on a stack of its own, until it returns or leaves that. */
static void run_on_stack(void (*run)(void), char *stack, size_t size)
{
	ck_assert_int_eq(getcontext(&of_other), 0);
	of_other.uc_stack.ss_sp = stack;
	of_other.uc_stack.ss_size = size;
	of_other.uc_link = &of_callback;
	makecontext(&of_other, run, 0);
	ck_assert_int_eq(swapcontext(&of_callback, &of_other), 0);
}

static void step_on_another_stack(void)
{
	results[results_count++] = sfr_loop_step(nested, 0);
}

static void run_inside(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	static char stack[1 << 18];

	(void)result;
	(void)buf;
	(void)arg;
	nested = loop;
	results[results_count++] = sfr_loop_step(loop, 0);
	results[results_count++] = step_deep(loop, 50);
	results[results_count++] = sfr_loop_free(loop);
	run_on_stack(step_on_another_stack, stack, sizeof(stack));
}

START_TEST(inside_a_callback_it_is_nested_on_whatever_stack)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int run, i;

	for (run = 0; run < 2; run++) {
		results_count = 0;
		sfr_submit(sfr_nop(loop), run_inside, NULL);
		ck_assert_int_ge(run_by(loop, run), 0);
		while (!results_count)
			ck_assert_int_ge(sfr_loop_step(loop, -1), 0);
		ck_assert_int_eq(results_count, 4);
		for (i = 0; i < 4; i++)
			ck_assert_int_eq(results[i], -SFR_ENESTED);
	}
	ck_assert_int_eq(sfr_loop_free(loop), 0);
}
END_TEST

/* Where the loop is run on a stack of its own, who left cannot be told from who is inside. */
static char coroutine_stack[1 << 20];

static void run_in_coroutine(void)
{
	results[0] = sfr_loop_run(nested);
}

static void leave_coroutine(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	(void)loop;
	(void)result;
	(void)buf;
	(void)arg;
	ck_assert_int_eq(swapcontext(&of_other, &of_callback), 0);
}

START_TEST(a_callback_may_be_left_for_a_while)
{
	sfr_loop *loop = loop_in(_i, NULL);

	nested = loop;
	results[0] = 1;
	sfr_submit(sfr_nop(loop), leave_coroutine, NULL);
	run_on_stack(run_in_coroutine, coroutine_stack, sizeof(coroutine_stack));
	ck_assert_int_eq(sfr_loop_step(loop, 0), -SFR_ENESTED);
	ck_assert_int_eq(sfr_loop_free(loop), -SFR_ENESTED);
	ck_assert_int_eq(swapcontext(&of_callback, &of_other),
			 0); /* back into it, and it returns */

	ck_assert_int_eq(results[0], 0);
	ck_assert_int_eq(sfr_loop_free(loop), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("left");
	TCase *left = tcase_create("callbacks that are left"), *inside = tcase_create("and not");
	SRunner *runner = srunner_create(suite);
	int failed, worlds = world_count();

	tcase_set_timeout(left, 60);
	tcase_set_timeout(inside, 60);
	suite_add_tcase(suite, left);
	suite_add_tcase(suite, inside);
	tcase_add_loop_test(left, a_loop_that_was_left_says_so_to_whoever_runs_it, 0, worlds);
	tcase_add_loop_test(left, further_in_it_says_so_as_well, 0, worlds);
	tcase_add_loop_test(left, another_loop_goes_on, 0, worlds);
	tcase_add_loop_test(left, what_the_kernel_may_write_to_stays, 0, worlds);
	tcase_add_loop_test_raise_signal(left, in_development_that_ends_the_program, SIGABRT, 0,
					 worlds);
	tcase_add_loop_test(inside, inside_a_callback_it_is_nested_on_whatever_stack, 0, worlds);
	tcase_add_loop_test(inside, a_callback_may_be_left_for_a_while, 0, worlds);
	srunner_set_fork_status(runner, CK_FORK);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
