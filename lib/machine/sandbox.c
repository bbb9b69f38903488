/* SPDX-License-Identifier: MIT */
/*
 * Sandbox: asking a seccomp filter that may kill.
 *
 * Most filters answer a call that they forbid with an error, some kill the process. Filters are inherited, so a
 * child can find out: it makes the calls, and is killed or not. A filter sees the number of a call before the
 * kernel looks at the arguments, so senseless arguments will do: they make no ring, and need neither descriptors nor
 * locked memory.
 *
 * The program may have threads that hold locks, handlers of signals, and children that it waits for. So the child
 * makes system calls and does nothing else. All signals are blocked in it, so no handler of the program runs there,
 * not even one for SIGSYS: the kernel resets that handler if the signal is blocked. The child sends no signal when it
 * ends, so the program sees no SIGCHLD, and a wait for any child does not find it. It writes into shared memory how
 * far it came, so the answer is known even if somebody else waited for it.
 */
#include "machine/sandbox.h"
#include "machine/machine.h"
#include <errno.h>
#include <linux/io_uring.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* How far the child came: at a step, a value of enum sfr__uring_step, or at neither end. */
enum { BEFORE = -1, BEHIND = SFR__STEP_ENTER + 1 };

/* Does not return. A process that is not dumpable leaves no core, whatever the system does with those. */
static void child_try(volatile int *reached)
{
	(void)syscall(SYS_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
	*reached = SFR__STEP_SETUP;
	(void)syscall(SYS_io_uring_setup, 1, NULL);
	*reached = SFR__STEP_REGISTER;
	(void)syscall(SYS_io_uring_register, -1, IORING_REGISTER_PROBE, NULL, 0);
	*reached = SFR__STEP_ENTER;
	(void)syscall(SYS_io_uring_enter, -1, 0, 0, 0, NULL, 0);
	*reached = BEHIND;
	for (;;)
		(void)syscall(SYS_exit_group, 0);
}

/* What ended it: a signal, or 0. If somebody else waited for it, it is SIGSYS that is suspected. */
static int child_await(pid_t child)
{
	int status;

	while (waitpid(child, &status, __WALL) < 0)
		if (errno != EINTR)
			return SIGSYS;
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

/* Not fork(), which would take locks, run the handlers of pthread_atfork(), and have SIGCHLD sent. */
static struct sfr__refusal child_ask(volatile int *reached)
{
	sigset_t all, before;
	pid_t child;
	int ended;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	child = (pid_t)syscall(SYS_clone, 0, NULL, NULL, NULL, 0);
	if (child == 0)
		child_try(reached);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);

	ended = child > 0 ? child_await(child) : 0;
	if (*reached == BEHIND)
		return (struct sfr__refusal){0};
	if (*reached == BEFORE || ended != SIGSYS)
		return (struct sfr__refusal){-EPERM, SFR__STEP_SETUP, SFR__UNASKED};
	return (struct sfr__refusal){-EPERM, (enum sfr__uring_step) * reached, SFR__KILLED};
}

static struct sfr__refusal ask(void)
{
	volatile int *reached = mmap(NULL, sizeof(*reached), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct sfr__refusal refusal;

	if ((void *)(uintptr_t)reached == MAP_FAILED)
		return (struct sfr__refusal){-EPERM, SFR__STEP_SETUP, SFR__UNASKED};
	*reached = BEFORE;
	refusal = child_ask(reached);
	(void)munmap((void *)(uintptr_t)reached, sizeof(*reached));
	return refusal;
}

struct sfr__refusal sfr__sandbox_ask(void)
{
	static _Thread_local int64_t asked; /* so many filters; 0: not yet */
	static _Thread_local struct sfr__refusal answer;
	int64_t filters = sfr__machine_filters();

	if (filters == 0)
		return (struct sfr__refusal){0};
	if (filters < 0 || filters != asked) {
		answer = ask();
		asked = answer.verdict == SFR__UNASKED ? 0 : filters;
	}
	return answer;
}
