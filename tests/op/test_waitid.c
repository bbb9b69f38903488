/* SPDX-License-Identifier: MIT */
/*
 * Waiting for children: by the kernel's opcode, or by a pidfd.
 */
#include "machine/kernel.h"
#include "loop/loop.h"
#include "pending.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static bool has_opcode(const sfr_loop *loop)
{
	return loop->engine->ops >> SFR__OP_CODE_WAITID & 1;
}

/* A child that ends with this status, or stays until it is killed. */
static pid_t child_that_ends(int status)
{
	pid_t child = fork();

	ck_assert_int_ge(child, 0);
	if (!child)
		_exit(status);
	return child;
}

static pid_t child_that_stays(void)
{
	pid_t child = fork();

	ck_assert_int_ge(child, 0);
	if (child)
		return child;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		pause();
}

static sfr_op *wait_of(sfr_loop *loop, int idtype, pid_t id, int options)
{
	return sfr_waitid(loop, idtype, (unsigned)id, options,
			  sfr_buf_get(loop, sizeof(siginfo_t)));
}

static siginfo_t info_of(const sfr_buf *buf)
{
	siginfo_t info;

	ck_assert_uint_eq(buf->len, sizeof(info));
	memcpy(&info, buf->data, sizeof(info));
	return info;
}

static void assert_reaped(pid_t child)
{
	ck_assert_int_eq(waitpid(child, NULL, WNOHANG), -1);
	ck_assert_int_eq(errno, ECHILD);
}

static void end(pid_t child)
{
	ck_assert_int_eq(kill(child, SIGKILL), 0);
	ck_assert_int_eq(waitpid(child, NULL, 0), child);
}

START_TEST(how_a_child_ended_comes_in_the_buffer)
{
	sfr_loop *loop = loop_in(_i, NULL);
	pid_t child = child_that_ends(7);
	siginfo_t info;
	sfr_buf *buf;

	ck_assert_int_eq(sfr_await(wait_of(loop, P_PID, child, WEXITED), &buf), 0);
	info = info_of(buf);
	ck_assert_int_eq(info.si_pid, child);
	ck_assert_int_eq(info.si_signo, SIGCHLD);
	ck_assert_int_eq(info.si_code, CLD_EXITED);
	ck_assert_int_eq(info.si_status, 7);
	ck_assert_uint_eq(info.si_uid, getuid());
	assert_reaped(child);
	sfr_buf_release(buf);
}
END_TEST

START_TEST(a_child_that_still_runs_is_waited_for)
{
	sfr_loop *loop = loop_in(_i, NULL);
	pid_t child = child_that_stays();
	siginfo_t info;

	sfr_submit(wait_of(loop, P_PID, child, WEXITED), record, &seen);
	ck_assert_int_eq(sfr_await(sfr_timeout(loop, 1000000), NULL), 0);
	ck_assert_int_eq(seen.calls, 0);
	ck_assert_int_eq(kill(child, SIGUSR1), 0);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.result, 0);
	info = info_of(seen.buf);
	ck_assert_int_eq(info.si_code, CLD_KILLED);
	ck_assert_int_eq(info.si_status, SIGUSR1);
	assert_reaped(child);
}
END_TEST

START_TEST(a_descriptor_of_a_child_stays_the_callers)
{
	sfr_loop *loop = loop_in(_i, NULL);
	pid_t child = child_that_stays();
	int fd = (int)syscall(SYS_pidfd_open, child, 0);

	owned_fd(fd);
	sfr_submit(wait_of(loop, SFR__P_PIDFD, fd, WEXITED), record, &seen);
	ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
	ck_assert_int_eq(kill(child, SIGKILL), 0);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.result, 0);
	ck_assert_int_eq(info_of(seen.buf).si_pid, child);
	assert_reaped(child);
}
END_TEST

START_TEST(a_child_can_be_left_for_others_to_wait_for)
{
	sfr_loop *loop = loop_in(_i, NULL);
	pid_t child = child_that_ends(3);

	sfr_submit(wait_of(loop, P_PID, child, WEXITED | WNOWAIT), record, &seen);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.result, 0);
	ck_assert_int_eq(info_of(seen.buf).si_status, 3);
	ck_assert_int_eq(waitpid(child, NULL, 0), child);
}
END_TEST

static void assert_refused(sfr_op *op, int result)
{
	sfr_buf *buf;

	ck_assert_int_eq(sfr_await(op, &buf), result);
	ck_assert(sfr_buf_is_owned(buf));
	ck_assert_uint_eq(buf->len, 0);
	sfr_buf_release(buf);
}

START_TEST(what_is_no_child_of_ours_is_an_error)
{
	sfr_loop *loop = loop_in(_i, NULL);
	pid_t child = child_that_ends(0);

	ck_assert_int_eq(waitpid(child, NULL, 0), child);
	assert_refused(wait_of(loop, P_PID, child, WEXITED), -ECHILD);
	assert_refused(wait_of(loop, P_PID, getpid(), WEXITED), -ECHILD);
	assert_refused(wait_of(loop, P_PID, getppid(), WEXITED), -ECHILD);
	assert_refused(wait_of(loop, SFR__P_PIDFD, 999, WEXITED), -EBADF);
}
END_TEST

START_TEST(what_makes_no_sense_is_refused_by_everybody)
{
	sfr_loop *loop = loop_in(_i, NULL);
	void *small = same("0123456789abcdef");

	assert_refused(wait_of(loop, P_PID, 1, 0), -EINVAL);
	assert_refused(wait_of(loop, P_PID, 1, WEXITED | WNOHANG), -EINVAL);
	assert_refused(wait_of(loop, 99, 1, WEXITED), -EINVAL);
	assert_refused(wait_of(loop, P_PID, 0, WEXITED), -EINVAL);
	assert_refused(
		sfr_waitid(loop, P_PID, 1, WEXITED, sfr_buf_wrap(loop, small, 16, NULL, NULL)),
		-EINVAL);
	ck_assert_int_eq(sfr_await(sfr_waitid(loop, P_PID, 1, WEXITED, NULL), NULL),
			 -SFR_EPOOLEMPTY);
}
END_TEST

START_TEST(what_no_descriptor_tells_of_takes_the_opcode)
{
	sfr_loop *loop = loop_in(_i, NULL);
	pid_t child = child_that_stays();
	sfr_buf *buf;
	int r;

	ck_assert_int_eq(kill(child, SIGSTOP), 0);
	log_listen();
	r = sfr_await(wait_of(loop, P_PID, child, WSTOPPED), &buf);
	ck_assert_int_eq(r, has_opcode(loop) ? 0 : -SFR_EUNSUPPORTED);
	if (has_opcode(loop))
		ck_assert_int_eq(info_of(buf).si_code, CLD_STOPPED);
	else
		ck_assert(strstr(log_line, "waitid") && strstr(log_line, "6.7"));
	ck_assert_int_eq(log_lines, !has_opcode(loop));
	sfr_buf_release(buf);
	ck_assert_int_eq(kill(child, SIGKILL), 0);

	r = sfr_await(wait_of(loop, P_ALL, 0, WEXITED), &buf);
	ck_assert_int_eq(r, has_opcode(loop) ? 0 : -SFR_EUNSUPPORTED);
	if (has_opcode(loop))
		ck_assert_int_eq(info_of(buf).si_pid, child);
	else
		ck_assert_int_eq(waitpid(child, NULL, 0), child);
	sfr_buf_release(buf);
}
END_TEST

START_TEST(one_that_ends_leaves_the_child_and_no_descriptor)
{
	sfr_loop *loop = loop_in(_i, NULL);
	pid_t child = child_that_stays();
	int before, i;

	ck_assert_int_eq(sfr_await(sfr_nop(loop), NULL), 0);
	before = open_descriptors();
	for (i = 0; i < 8; i++) {
		sfr_op *op = wait_of(loop, P_PID, child, WEXITED);
		sfr_ticket ticket;

		if (i < 2) {
			sfr_op_discard(op);
			continue;
		}
		ticket = sfr_submit(i & 1 ? op : sfr_within(op, 1000), record, &seen);
		if (i & 2)
			ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
		if (i & 1)
			ck_assert_int_eq(
				i & 4 ? sfr_cancel(loop, ticket) : sfr_abandon(loop, ticket), 0);
		ck_assert_int_eq(sfr_loop_run(loop), 0);
	}
	ck_assert_int_eq(open_descriptors(), before);
	end(child);
}
END_TEST

/* Whoever wins: the child is told of, or still there to be waited for. */
START_TEST(a_child_around_a_cancellation_is_told_of_or_left)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int i;

	for (i = 0; i < 40; i++) {
		pid_t child = child_that_stays();
		sfr_ticket ticket = sfr_submit(wait_of(loop, P_PID, child, WEXITED), record, &seen);

		if (i & 1)
			ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
		kill(child, SIGKILL);
		if (i & 2)
			waitid(P_PID, (id_t)child, &(siginfo_t){0}, WEXITED | WNOWAIT);
		ck_assert_int_eq(sfr_cancel(loop, ticket), 0);
		ck_assert_int_eq(sfr_loop_run(loop), 0);

		if (seen.result == 0) {
			ck_assert_int_eq(info_of(seen.buf).si_pid, child);
			assert_reaped(child);
		} else {
			ck_assert_int_eq(seen.result, -ECANCELED);
			ck_assert_int_eq(waitpid(child, NULL, 0), child);
		}
		ck_assert_int_eq(seen.calls, i + 1);
	}
}
END_TEST

START_TEST(of_two_that_wait_for_a_child_one_is_told)
{
	sfr_loop *loop = loop_in(_i, NULL);
	pid_t child = child_that_stays();

	sfr_submit(wait_of(loop, P_PID, child, WEXITED), record, &seen);
	sfr_submit(wait_of(loop, P_PID, child, WEXITED), record, &other);
	ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
	kill(child, SIGKILL);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.result + other.result, -ECHILD);
}
END_TEST

/* A process that traces a child until it is told to let go of it. 0: that is not allowed here. */
static pid_t tracer_of(pid_t child, int *let_go)
{
	int orders[2], answers[2];
	pid_t tracer;
	char answer = 0;

	ck_assert_int_eq(pipe(orders), 0);
	ck_assert_int_eq(pipe(answers), 0);
	tracer = fork();
	if (tracer == 0) {
		close(orders[1]);
		answer = ptrace(PTRACE_SEIZE, child, 0, 0) < 0 ? 'n' : 'y';
		(void)!write(answers[1], &answer, 1);
		(void)!read(orders[0], &answer, 1);
		(void)waitpid(child, NULL, __WALL);
		_exit(0);
	}
	ck_assert_int_eq(read(answers[0], &answer, 1), 1);
	close(orders[0]);
	close(answers[0]);
	close(answers[1]);
	*let_go = owned_fd(orders[1]);
	return answer == 'y' ? tracer : 0;
}

/* Its end is told of at once, and nobody may wait for it yet. */
START_TEST(a_child_that_its_tracer_holds_keeps_nobody_awake)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int let_go, i;

	for (i = 0; i < 3; i++) {
		pid_t child = child_that_stays(), tracer = tracer_of(child, &let_go);
		sfr_ticket ticket;
		uint64_t turns;

		if (!tracer) {
			printf("skip - a traced child: not allowed here\n");
			end(child);
			return;
		}
		ticket = sfr_submit(wait_of(loop, P_PID, child, WEXITED), record, &seen);
		ck_assert_int_eq(kill(child, SIGKILL), 0);
		turns = stats_of(loop).turns;
		ck_assert_int_eq(sfr_await(sfr_timeout(loop, 100000000), NULL), 0);
		ck_assert_uint_le(stats_of(loop).turns - turns, 100);
		ck_assert_int_eq(seen.calls, i);
		if (i)
			ck_assert_int_eq(
				i == 1 ? sfr_cancel(loop, ticket) : sfr_abandon(loop, ticket), 0);
		else
			ck_assert_int_eq(write(let_go, "x", 1), 1);
		ck_assert_int_eq(sfr_loop_run(loop), 0);
		ck_assert_int_eq(seen.calls, i ? 2 : 1);
		ck_assert_int_eq(seen.result, i ? -ECANCELED : 0);
		if (i) {
			ck_assert_int_eq(write(let_go, "x", 1), 1);
			ck_assert_int_eq(waitpid(child, NULL, 0), child);
		} else {
			ck_assert_int_eq(info_of(seen.buf).si_pid, child);
			assert_reaped(child);
		}
		ck_assert_int_eq(waitpid(tracer, NULL, 0), tracer);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("waitid");
	TCase *tc = world_case(suite, "children");

	world_test(tc, how_a_child_ended_comes_in_the_buffer);
	world_test(tc, a_child_that_still_runs_is_waited_for);
	world_test(tc, a_descriptor_of_a_child_stays_the_callers);
	world_test(tc, a_child_can_be_left_for_others_to_wait_for);
	world_test(tc, of_two_that_wait_for_a_child_one_is_told);
	world_test(tc, a_child_that_its_tracer_holds_keeps_nobody_awake);
	tc = world_case(suite, "refusals");
	world_test(tc, what_is_no_child_of_ours_is_an_error);
	world_test(tc, what_makes_no_sense_is_refused_by_everybody);
	world_test(tc, what_no_descriptor_tells_of_takes_the_opcode);
	tc = world_case(suite, "ends");
	world_test(tc, one_that_ends_leaves_the_child_and_no_descriptor);
	world_test(tc, a_child_around_a_cancellation_is_told_of_or_left);
	return world_run(suite);
}
