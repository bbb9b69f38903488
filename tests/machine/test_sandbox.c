/* SPDX-License-Identifier: MIT */
/*
 * Sandboxes that kill who tries io_uring: the program lives, is told why there is none, and sees nothing of how it
 * was found out. Each test is a process of its own, so its filters end with it.
 */
#include "machine/machine.h"
#include "world.h"
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT_OF(array) ((int)(sizeof(array) / sizeof((array)[0])))

static const struct {
	const char *name;
	uint32_t number;
} calls[] = {
	{"io_uring_setup", SYS_io_uring_setup},
	{"io_uring_register", SYS_io_uring_register},
	{"io_uring_enter", SYS_io_uring_enter},
};

static const uint32_t deaths[] = {SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD,
				  SECCOMP_RET_TRAP};

enum { DEADLY_CASES = COUNT_OF(calls) * COUNT_OF(deaths) };

static bool filters_are_for_real(void)
{
	return !under_valgrind() && !getenv("SFR_EMULATED");
}

static void filter_add(const struct sock_filter *code, size_t length)
{
	struct sock_fprog program = {(unsigned short)length, (struct sock_filter *)(uintptr_t)code};

	ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	ck_assert_int_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

/* From here on this thread gets `action` for a call. */
static void forbid(uint32_t number, uint32_t action)
{
	const struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, action),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	filter_add(code, sizeof(code) / sizeof(code[0]));
}

/* The same for a child that sends no signal when it ends; threads and other children are made as before. */
static void forbid_quiet_children(uint32_t action)
{
	const unsigned low = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 0 : 4;
	const struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0]) + low),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, action),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	filter_add(code, sizeof(code) / sizeof(code[0]));
}

/* Make a loop, use it and free it. Its engine. */
static const char *engine_of_a_loop(void)
{
	const char *engine;
	sfr_loop *loop;

	ck_assert_int_eq(sfr_loop_new(&loop, NULL), 0);
	engine = sfr_loop_engine(loop);
	ck_assert_int_eq(sfr_await(sfr_nop(loop), NULL), 0);
	ck_assert_int_eq(sfr_loop_free(loop), 0);
	return engine;
}

static int loop_that_insists(void)
{
	sfr_config *config;
	sfr_loop *loop;
	int r;

	ck_assert_int_eq(sfr_config_new(&config, NULL), 0);
	ck_assert_int_eq(sfr_config_set(config, "engine", "uring", NULL), 0);
	r = sfr_loop_new(&loop, config);
	sfr_config_free(config);
	if (r == 0) {
		ck_assert_int_eq(sfr_await(sfr_nop(loop), NULL), 0);
		ck_assert_int_eq(sfr_loop_free(loop), 0);
	}
	return r;
}

START_TEST(where_trying_is_deadly_another_engine_does_and_the_log_says_why)
{
	const char *name = calls[_i % COUNT_OF(calls)].name;

	if (!filters_are_for_real())
		return;
	forbid(calls[_i % COUNT_OF(calls)].number, deaths[_i / COUNT_OF(calls)]);
	log_listen();

	ck_assert_str_eq(engine_of_a_loop(), "epoll");

	ck_assert_int_eq(log_lines, 1);
	ck_assert_ptr_nonnull(strstr(log_line, name));
	ck_assert_ptr_nonnull(strstr(log_line,
				     "answers SIGSYS, as a seccomp filter kills who calls it; "
				     "to have io_uring: allow "));
	ck_assert_str_eq(engine_of_a_loop(), "epoll");
}
END_TEST

START_TEST(who_insists_is_told_that_it_is_deadly)
{
	if (!filters_are_for_real())
		return;
	forbid(calls[_i % COUNT_OF(calls)].number, deaths[_i / COUNT_OF(calls)]);
	log_listen();

	ck_assert_int_eq(loop_that_insists(), -EPERM);

	ck_assert_int_eq(log_lines, 1);
	ck_assert_ptr_nonnull(strstr(log_line, calls[_i % COUNT_OF(calls)].name));
	ck_assert_ptr_nonnull(strstr(log_line, "kills who calls it"));
}
END_TEST

START_TEST(auto_detect_takes_epoll_where_trying_is_deadly)
{
	sfr_config *config;
	char engine[16];

	if (!filters_are_for_real())
		return;
	forbid(calls[_i % COUNT_OF(calls)].number, deaths[_i / COUNT_OF(calls)]);

	ck_assert_int_eq(sfr_config_new(&config, "auto_detect"), 0);
	ck_assert_int_gt(sfr_config_get(config, "engine", engine, sizeof(engine)), 0);
	ck_assert_str_eq(engine, "epoll");
	sfr_config_free(config);
}
END_TEST

static atomic_int noticed;

static void notice(int signo)
{
	(void)signo;
	noticed++;
}

static void notice_fork(void)
{
	noticed++;
}

START_TEST(handlers_of_the_program_notice_nothing)
{
	static const int signals[] = {SIGCHLD, SIGSYS};
	sigset_t before, after;

	if (!filters_are_for_real())
		return;
	for (int i = 0; i < COUNT_OF(signals); i++)
		ck_assert_ptr_ne(signal(signals[i], notice), SIG_ERR);
	ck_assert_int_eq(pthread_atfork(notice_fork, notice_fork, notice_fork), 0);
	ck_assert_int_eq(pthread_sigmask(SIG_SETMASK, NULL, &before), 0);
	forbid(SYS_io_uring_setup, deaths[_i]);

	ck_assert_str_eq(engine_of_a_loop(), "epoll");

	ck_assert_int_eq(noticed, 0);
	ck_assert_int_eq(pthread_sigmask(SIG_SETMASK, NULL, &after), 0);
	for (int i = 1; i < SIGRTMAX; i++)
		ck_assert_int_eq(sigismember(&before, i), sigismember(&after, i));
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG | __WALL),
			 -1); /* and nobody is left to be waited for */
	ck_assert_int_eq(errno, ECHILD);
}
END_TEST

START_TEST(it_is_found_out_also_where_children_are_ignored)
{
	if (!filters_are_for_real())
		return;
	ck_assert_ptr_ne(signal(SIGCHLD, SIG_IGN), SIG_ERR);
	ck_assert_ptr_ne(signal(SIGSYS, SIG_IGN), SIG_ERR);
	forbid(SYS_io_uring_setup, deaths[_i]);

	ck_assert_str_eq(engine_of_a_loop(), "epoll");
}
END_TEST

static void *wait_for_any(void *arg)
{
	pid_t *child = arg;

	*child = waitpid(-1, NULL, 0);
	return NULL;
}

START_TEST(a_thread_that_waits_for_any_child_gets_its_own)
{
	pid_t child, waited_for = 0;
	pthread_t thread;
	int ends[2];
	char byte;

	if (!filters_are_for_real())
		return;
	ck_assert_int_eq(pipe(ends), 0);
	child = fork();
	if (child == 0) {
		close(ends[1]);
		_exit(read(ends[0], &byte, 1) != 0);
	}
	forbid(SYS_io_uring_setup, SECCOMP_RET_KILL_PROCESS);
	ck_assert_int_eq(pthread_create(&thread, NULL, wait_for_any, &waited_for), 0);

	ck_assert_str_eq(engine_of_a_loop(), "epoll");

	close(ends[1]);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_int_eq(waited_for, child);
	close(ends[0]);
}
END_TEST

static atomic_bool enough;

static void *wait_for_all(void *arg)
{
	while (!enough)
		if (waitpid(-1, NULL, __WALL) < 0)
			sched_yield();
	return arg;
}

/* A filter that is added makes it be asked anew. */
START_TEST(a_thread_that_takes_every_child_hides_nothing)
{
	pthread_t thread;

	if (!filters_are_for_real())
		return;
	ck_assert_int_eq(pthread_create(&thread, NULL, wait_for_all, NULL), 0);
	forbid(SYS_io_uring_enter, SECCOMP_RET_KILL_PROCESS);
	for (int i = 0; i < 10; i++) {
		ck_assert_str_eq(engine_of_a_loop(), "epoll");
		forbid(SYS_acct, SECCOMP_RET_KILL_PROCESS);
	}
	enough = true;
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
}
END_TEST

START_TEST(a_filter_that_comes_later_is_asked_as_well)
{
	if (!filters_are_for_real() || !world_has_uring())
		return;
	ck_assert_str_eq(engine_of_a_loop(), "uring");
	forbid(SYS_acct, SECCOMP_RET_KILL_PROCESS);
	ck_assert_str_eq(engine_of_a_loop(), "uring");
	forbid(SYS_io_uring_enter, SECCOMP_RET_KILL_PROCESS);
	ck_assert_str_eq(engine_of_a_loop(), "epoll");
}
END_TEST

static void *forbidden(void *arg)
{
	forbid(SYS_io_uring_setup, SECCOMP_RET_KILL_PROCESS);
	*(const char **)arg = engine_of_a_loop();
	return NULL;
}

START_TEST(a_filter_of_one_thread_is_none_of_another)
{
	const char *engine = NULL;
	pthread_t thread;

	if (!filters_are_for_real() || !world_has_uring())
		return;
	forbid(SYS_acct, SECCOMP_RET_KILL_PROCESS);
	ck_assert_str_eq(engine_of_a_loop(), "uring");
	ck_assert_int_eq(pthread_create(&thread, NULL, forbidden, &engine), 0);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_str_eq(engine, "epoll");
	ck_assert_str_eq(engine_of_a_loop(), "uring");
}
END_TEST

START_TEST(what_cannot_be_asked_is_not_tried_except_by_who_insists)
{
	if (!filters_are_for_real())
		return;
	forbid_quiet_children(SECCOMP_RET_ERRNO | EAGAIN);
	log_listen();

	ck_assert_str_eq(engine_of_a_loop(), "epoll");

	ck_assert_int_eq(log_lines, 1);
	ck_assert_ptr_nonnull(strstr(log_line, "there could be no child to try whether it kills"));
	if (world_has_uring())
		ck_assert_int_eq(loop_that_insists(), 0);
}
END_TEST

START_TEST(who_asks_for_epoll_has_nothing_tried)
{
	if (!filters_are_for_real())
		return;
	forbid_quiet_children(SECCOMP_RET_KILL_PROCESS);
	forbid(SYS_io_uring_setup, SECCOMP_RET_KILL_PROCESS);
	ck_assert_int_eq(setenv("SAFER_RING_ENGINE", "epoll", 1), 0);

	ck_assert_str_eq(engine_of_a_loop(), "epoll");
}
END_TEST

START_TEST(filters_are_counted)
{
	int64_t before = sfr__machine_filters();

	if (!filters_are_for_real() || before < 0) /* before Linux 5.9 */
		return;
	for (int i = 1; i <= 3; i++) {
		forbid(SYS_acct, SECCOMP_RET_KILL_PROCESS);
		ck_assert_int_eq(sfr__machine_filters(), before + i);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sandbox");
	TCase *tc = world_case(suite, "filters");

	tcase_add_loop_test(tc, where_trying_is_deadly_another_engine_does_and_the_log_says_why, 0,
			    DEADLY_CASES);
	tcase_add_loop_test(tc, who_insists_is_told_that_it_is_deadly, 0, DEADLY_CASES);
	tcase_add_loop_test(tc, auto_detect_takes_epoll_where_trying_is_deadly, 0, DEADLY_CASES);
	tcase_add_loop_test(tc, handlers_of_the_program_notice_nothing, 0, COUNT_OF(deaths));
	tcase_add_loop_test(tc, it_is_found_out_also_where_children_are_ignored, 0,
			    COUNT_OF(deaths));
	tcase_add_test(tc, a_thread_that_waits_for_any_child_gets_its_own);
	tcase_add_test(tc, a_thread_that_takes_every_child_hides_nothing);
	tcase_add_test(tc, a_filter_that_comes_later_is_asked_as_well);
	tcase_add_test(tc, a_filter_of_one_thread_is_none_of_another);
	tcase_add_test(tc, what_cannot_be_asked_is_not_tried_except_by_who_insists);
	tcase_add_test(tc, who_asks_for_epoll_has_nothing_tried);
	tcase_add_test(tc, filters_are_counted);
	return world_run(suite);
}
