/* SPDX-License-Identifier: MIT */
/*
 * A forked child: every public call on its copy of the loop answers what it should, and the parent's loop
 * goes on as if there were no child.
 */
#include "calls.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static struct caller caller;

/* It ends without the fixture, which is the parent's. */
static void child_run(void)
{
	const struct call *call;
	const char *problem;

	for (call = calls; call < calls + calls_count; call++) {
		problem = call_check(call, &caller, SFR_EFORKED);
		if (!problem)
			continue;
		fprintf(stderr, "in a child %s %s\n", call->name, problem);
		_exit((int)(call - calls) % 255 + 1);
	}
	_exit(0);
}

static void fork_and_check(void)
{
	pid_t child = fork();
	int status;

	ck_assert_int_ge(child, 0);
	if (child == 0)
		child_run();
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %#x: %s",
		      (unsigned)status, calls[(WEXITSTATUS(status) + 254) % 255].name);
	caller_check(&caller);
	ck_assert_int_eq(caller.posted, 0);
}

START_TEST(a_child_can_use_nothing_of_a_loop_that_works)
{
	sfr_loop *loop = loop_in(_i, NULL);

	caller_init(&caller, loop);
	turns_until(loop, there.opened == 1);
	ck_assert_int_eq(conn_say(caller.conn, "hello", 5),
			 5); /* to be sent while there is a child */
	fork_and_check();
}
END_TEST

START_TEST(a_child_can_use_nothing_of_a_loop_that_never_ran)
{
	caller_init(&caller, loop_in(_i, NULL));
	fork_and_check();
}
END_TEST

START_TEST(a_child_can_use_nothing_of_a_loop_that_a_host_sleeps_for)
{
	sfr_loop *loop = loop_in(_i, NULL);

	caller_init(&caller, loop);
	ck_assert_int_ge(sfr_loop_fd(loop), 0);
	turns_until(loop, there.opened == 1);
	fork_and_check();
}
END_TEST

/* Buffers that are out when their loop is freed are freed by the last release. */
START_TEST(a_child_may_release_what_outlived_its_loop)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_buf *bufs[] = {sfr_buf_get(loop, 1), sfr_buf_get(loop, 100000)};
	int status, i;
	pid_t child;

	ck_assert_int_eq(sfr_loop_free(loop_gone()), 0);
	child = fork();
	if (child == 0) {
		for (i = 0; i < COUNT_OF(bufs); i++)
			sfr_buf_release(bufs[i]);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	for (i = 0; i < COUNT_OF(bufs); i++)
		sfr_buf_release(bufs[i]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("forked");
	TCase *tc = peers_case(suite, "a child");

	world_test(tc, a_child_can_use_nothing_of_a_loop_that_works);
	world_test(tc, a_child_can_use_nothing_of_a_loop_that_never_ran);
	world_test(tc, a_child_can_use_nothing_of_a_loop_that_a_host_sleeps_for);
	world_test(tc, a_child_may_release_what_outlived_its_loop);
	return world_run(suite);
}
