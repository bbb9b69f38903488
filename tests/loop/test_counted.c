/* SPDX-License-Identifier: MIT */
/*
 * Counted: the epoll engine's system calls are as many as a debugger sees it make.
 *
 * A child runs operations, and is stopped at each call. What the process needs besides does not depend on how many
 * operations there are, so it is the difference between many and few that is compared.
 */
#include "pending.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define FEW 10
#define MANY 50

static int a, b, from[2], to[2], file;
static char bytes[64];

/* A claim of libcheck's would make a system call itself. */
static void must(bool holds)
{
	if (!holds)
		_exit(1);
}

/*
 * What is done, some times over: by the library alone, so that all its calls are the engine's.
 */

static void messages(sfr_loop *loop)
{
	must(awaited(sfr_send(loop, a, sfr_buf_from(loop, "abc", 3))) == 3);
	must(awaited(sfr_recv(loop, b, sfr_buf_get(loop, 64))) == 3);
}

static void bytes_of_pipes(sfr_loop *loop)
{
	must(awaited(sfr_write(loop, from[1], sfr_buf_from(loop, "abc", 3))) == 3);
	must(awaited(sfr_read(loop, from[0], sfr_buf_get(loop, 64))) == 3);
}

static void polls(sfr_loop *loop)
{
	must(awaited(sfr_poll(loop, a, POLLOUT)) == POLLOUT);
}

static void splices(sfr_loop *loop)
{
	must(awaited(sfr_write(loop, from[1], sfr_buf_from(loop, "abc", 3))) == 3);
	must(awaited(sfr_splice(loop, from[0], -1, to[1], -1, 8, 0)) == 3);
	must(awaited(sfr_read(loop, to[0], sfr_buf_get(loop, 64))) == 3);
}

/* Of a file, with an offset: by a worker. */
static void splices_of_files(sfr_loop *loop)
{
	must(awaited(sfr_splice(loop, file, 0, to[1], -1, 8, 0)) == 8);
	must(awaited(sfr_read(loop, to[0], sfr_buf_get(loop, 64))) == 8);
}

static void splices_that_wait(sfr_loop *loop)
{
	seen = (struct seen){0};
	sfr_submit(sfr_splice(loop, from[0], -1, to[1], -1, 8, 0), record, &seen);
	must(awaited(sfr_nop(loop)) == 0);
	must(awaited(sfr_write(loop, from[1], sfr_buf_from(loop, "abc", 3))) == 3);
	while (!seen.calls)
		must(sfr_loop_step(loop, -1) >= 0);
	must(awaited(sfr_read(loop, to[0], sfr_buf_get(loop, 64))) == 3);
}

static void connects(sfr_loop *loop)
{
	int fd = awaited(sfr_socket(loop, AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
	struct sockaddr nobody = {.sa_family = AF_UNIX};

	must(awaited(sfr_connect(loop, fd, &nobody, sizeof(nobody))) < 0);
	must(awaited(sfr_close(loop, fd)) == 0);
}

static void (*const things[])(sfr_loop *loop) = {
	messages, bytes_of_pipes, polls, splices, splices_of_files, splices_that_wait, connects};

#define THINGS ((int)(sizeof(things) / sizeof(things[0])))

/*
 * The child, and who watches it.
 */

static _Noreturn void child_run(int world, int thing, int times, int tell)
{
	uint64_t counted;
	sfr_loop *loop;

	must(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0);
	raise(SIGSTOP);
	loop = loop_in(world, NULL);
	while (times--)
		things[thing](loop);
	counted = stats_of(loop).syscalls;
	must(write(tell, &counted, sizeof(counted)) == sizeof(counted));
	_exit(0);
}

/* What threads wait for each other with; memory; the clock where there is no quicker one; and with musl a second call
 * for a copy of a descriptor. The engine makes none of these. */
static bool is_of_the_c_library(long number, const uint64_t args[6])
{
	return number == SYS_futex || number == SYS_clock_gettime || number == SYS_mmap ||
	       number == SYS_munmap || number == SYS_madvise || number == SYS_brk ||
	       (number == SYS_fcntl && args[1] == F_SETFD);
}

/* Whether what stopped has begun a system call: PTRACE_GET_SYSCALL_INFO, which not every C library has. */
static bool begins_call(pid_t pid)
{
	struct {
		uint8_t what; /* 1: it begins */
		uint32_t arch;
		uint64_t instruction, stack, number, args[6];
	} info = {0};

	ck_assert_int_gt(syscall(SYS_ptrace, 0x420e, pid, sizeof(info), &info), 0);
	return info.what == 1 && !is_of_the_c_library((long)info.number, info.args);
}

static int calls_seen(pid_t child)
{
	const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL;
	int status, calls = 0;
	pid_t pid;

	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_msg(WIFSTOPPED(status), "the child did not get as far");
	ck_assert_int_eq(ptrace(PTRACE_SETOPTIONS, child, NULL, (void *)options), 0);
	ck_assert_int_eq(ptrace(PTRACE_SYSCALL, child, NULL, NULL), 0);
	while ((pid = waitpid(-1, &status, __WALL)) > 0) {
		if (!WIFSTOPPED(status)) {
			if (pid == child)
				break;
			continue;
		}
		if (WSTOPSIG(status) == (SIGTRAP | 0x80))
			calls += begins_call(pid);
		(void)ptrace(PTRACE_SYSCALL, pid, NULL, NULL); /* or it has ended meanwhile */
	}
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child failed");
	return calls;
}

/* How many more are seen than are counted. */
static int uncounted(int world, int thing, int times)
{
	int tells[2], calls;
	uint64_t counted;
	pid_t child;

	ck_assert_int_eq(pipe(tells), 0);
	child = fork();
	if (child == 0)
		child_run(world, thing, times, tells[1]);
	ck_assert_int_gt(child, 0);
	calls = calls_seen(child);
	ck_assert_int_eq(read(tells[0], &counted, sizeof(counted)), sizeof(counted));
	close(tells[0]);
	close(tells[1]);
	ck_assert_uint_ge(counted, (uint64_t)times);
	return calls - (int)counted;
}

START_TEST(each_call_that_an_operation_asks_for_is_counted)
{
	int thing;

	if (strncmp(worlds_name(_i), "epoll", strlen("epoll")) != 0)
		return;
	pair_of_unix_sockets(&a, &b);
	pair_of_pipe_ends(&from[0], &from[1]);
	pair_of_pipe_ends(&to[0], &to[1]);
	file = empty_file();
	ck_assert_int_eq(write(file, bytes, sizeof(bytes)), sizeof(bytes));
	for (thing = 0; thing < THINGS; thing++)
		ck_assert_msg(uncounted(_i, thing, MANY) == uncounted(_i, thing, FEW),
			      "thing %d: it depends on how many there are", thing);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("counted");
	TCase *tc = world_case(suite, "counted");

	if (getenv("SFR_EMULATED")) {
		printf("skip - counted: an emulator does not show its system calls\n");
		return 0;
	}
	world_test(tc, each_call_that_an_operation_asks_for_is_counted);
	return world_run(suite);
}
