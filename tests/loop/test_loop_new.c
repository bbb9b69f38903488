/* SPDX-License-Identifier: MIT */
/*
 * Making a loop, and what keeps it from being made.
 */
#include "base/handle.h"
#include "world.h"
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char nowhere;

static int loop_of(const char *key, const char *value, const char *key2, const char *value2)
{
	sfr_loop *loop = same(&nowhere);
	sfr_config *config;
	int r;

	ck_assert_int_eq(sfr_config_new(&config, NULL), 0);
	ck_assert_int_eq(sfr_config_set(config, key, value, NULL), 0);
	ck_assert_int_eq(sfr_config_set(config, key2, value2, NULL), 0);
	r = sfr_loop_new(&loop, config);
	sfr_config_free(config);
	if (r == 0)
		ck_assert_int_eq(sfr_loop_free(loop), 0);
	else
		ck_assert_ptr_eq(loop, (sfr_loop *)same(&nowhere));
	return r;
}

START_TEST(settings_that_contradict_each_other_make_no_loop)
{
	log_listen();
	ck_assert_int_eq(loop_of("ring.sqpoll", "force", "features.defer_taskrun", "on"),
			 -SFR_ECONFIG);
	ck_assert_int_eq(log_lines, 1);
	ck_assert_int_eq(loop_of("features.single_issuer", "off", "features.defer_taskrun", "on"),
			 -SFR_ECONFIG);
	ck_assert_int_eq(loop_of("ring.entries", "64", "ring.cq_entries", "8"), -SFR_ECONFIG);
	ck_assert_int_eq(loop_of("buffers.count", "8", "buffers.receive", "9"), -SFR_ECONFIG);
	ck_assert_int_eq(log_lines, 4);
}
END_TEST

START_TEST(the_smallest_and_the_largest_rings_work)
{
	ck_assert_int_eq(loop_of("ring.entries", "8", "buffers.count", "1"), 0);
	ck_assert_int_eq(loop_of("ring.entries", "32768", "ring.cq_entries", "65536"), 0);
	ck_assert_int_eq(loop_of("buffers.size", "64", "ring.ops_max", "64"), 0);
	ck_assert_int_eq(loop_of("buffers.size", "1MiB", "buffers.count", "16"), 0);
	ck_assert_int_eq(loop_of("ring.ops_max", "16777216", "buffers.count", "1048576"), 0);
}
END_TEST

START_TEST(without_configuration_the_preset_default_is_used)
{
	sfr_loop *loop;

	ck_assert_int_eq(sfr_loop_new(&loop, NULL), 0);
	ck_assert_str_eq(sfr_loop_engine(loop), world_has_uring() ? "uring" : "epoll");
	ck_assert_int_eq(sfr_await(sfr_nop(loop), NULL), 0);
	ck_assert_int_eq(sfr_loop_free(loop), 0);
}
END_TEST

START_TEST(every_preset_makes_a_loop_that_works)
{
	static const char *const presets[] = {"default", "low_latency", "high_throughput",
					      "development", "auto_detect"};
	sfr_config *config;
	sfr_loop *loop;

	ck_assert_int_eq(sfr_config_new(&config, presets[_i]), 0);
	ck_assert_int_eq(sfr_loop_new(&loop, config), 0);
	sfr_config_free(config);
	ck_assert_int_eq(sfr_await(sfr_timeout(loop, 1000), NULL), 0);
	ck_assert_int_eq(sfr_loop_free(loop), 0);
}
END_TEST

START_TEST(without_descriptors_there_is_no_loop_and_no_leak)
{
	static const char *const engines[] = {"uring", "epoll"};
	int before = open_descriptors(), spare;
	struct rlimit limit, tight;

	ck_assert_int_eq(setenv("SAFER_RING_ENGINE", engines[_i], 1), 0);
	if (_i == 0 && !world_has_uring())
		return;
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	for (spare = 0; spare < 2; spare++) {
		int lowest = dup(0), r;
		sfr_loop *loop;

		close(lowest);
		log_listen();
		tight = (struct rlimit){(rlim_t)lowest + (rlim_t)spare, limit.rlim_max};
		ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &tight), 0);
		r = sfr_loop_new(&loop, NULL);
		ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
		ck_assert_int_eq(r, -EMFILE);
		ck_assert_int_eq(log_errors, 1);
		ck_assert_ptr_nonnull(strstr(log_line, "RLIMIT_NOFILE"));
	}
	ck_assert_int_eq(open_descriptors(), before);
}
END_TEST

/* The answer of a loop made in a child of which io_uring_setup is answered with an error. */
static int in_a_container(int err, int (*answer)(void))
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)err),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = {sizeof(code) / sizeof(code[0]), code};
	int status;
	pid_t child = fork();

	if (child == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0)
			_exit(99);
		log_listen();
		_exit(answer());
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* 0 if the loop fell back, works, and said so once. */
static int falls_back(void)
{
	sfr_loop *loop;

	if (sfr_loop_new(&loop, NULL) < 0 || strcmp(sfr_loop_engine(loop), "epoll") != 0)
		return 1;
	if (log_lines != 1 || !strstr(log_line, sfr_loop_engine_reason(loop)) ||
	    !strstr(log_line, "to have io_uring: "))
		return 2;
	return sfr_await(sfr_nop(loop), NULL) == 0 && sfr_loop_free(loop) == 0 ? 0 : 3;
}

/* The error with which a loop that insists on io_uring is refused, said once. */
static int insists(void)
{
	sfr_config *config;
	sfr_loop *loop;
	int r;

	if (sfr_config_new(&config, NULL) < 0 ||
	    sfr_config_set(config, "engine", "uring", NULL) < 0)
		return 99;
	r = sfr_loop_new(&loop, config);
	sfr_config_free(config);
	return log_lines == 1 ? -r : 98;
}

START_TEST(where_the_kernel_forbids_it_another_engine_does_and_the_log_says_why)
{
	if (under_valgrind() || !world_has_uring())
		return;
	ck_assert_int_eq(in_a_container(EPERM, falls_back), 0);
	ck_assert_int_eq(in_a_container(ENOSYS, falls_back), 0);
	ck_assert_int_eq(in_a_container(EACCES, falls_back), 0);
}
END_TEST

START_TEST(who_insists_on_io_uring_is_told_why_there_is_none)
{
	if (under_valgrind() || !world_has_uring())
		return;
	ck_assert_int_eq(in_a_container(EPERM, insists), EPERM);
	ck_assert_int_eq(in_a_container(ENOSYS, insists), ENOSYS);
}
END_TEST

START_TEST(kernel_polling_wants_a_core_of_its_own)
{
	cpu_set_t one, before;

	if (!world_has_uring())
		return;
	ck_assert_int_eq(sched_getaffinity(0, sizeof(before), &before), 0);
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	ck_assert_int_eq(sched_setaffinity(0, sizeof(one), &one), 0);

	log_listen();
	ck_assert_int_eq(loop_of("ring.sqpoll", "on", "engine", "uring"), -SFR_ECONFIG);
	ck_assert_ptr_nonnull(strstr(log_line, "ring.sqpoll"));
	ck_assert_int_eq(loop_of("ring.sqpoll", "auto", "engine", "uring"), 0);
	ck_assert_int_eq(loop_of("ring.sqpoll", "force", "engine", "uring"), 0);
	ck_assert_int_eq(sched_setaffinity(0, sizeof(before), &before), 0);
}
END_TEST

START_TEST(beyond_all_seats_no_loop_is_made_and_the_log_says_why)
{
	static struct sfr__objects objects[SFR__HANDLE_KINDS];

	while (sfr__seat_open(same(&nowhere), objects, false))
		;
	log_listen();
	ck_assert_int_eq(loop_of("ring.sqpoll", "off", "engine", "epoll"), -EAGAIN);
	ck_assert_ptr_nonnull(strstr(log_line, "this process has"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("loop_new");
	TCase *tc = world_case(suite, "making");

	tcase_add_test(tc, settings_that_contradict_each_other_make_no_loop);
	tcase_add_test(tc, the_smallest_and_the_largest_rings_work);
	tcase_add_test(tc, without_configuration_the_preset_default_is_used);
	tcase_add_loop_test(tc, every_preset_makes_a_loop_that_works, 0, 5);
	tcase_add_loop_test(tc, without_descriptors_there_is_no_loop_and_no_leak, 0, 2);
	tcase_add_test(tc, where_the_kernel_forbids_it_another_engine_does_and_the_log_says_why);
	tcase_add_test(tc, who_insists_on_io_uring_is_told_why_there_is_none);
	tcase_add_test(tc, kernel_polling_wants_a_core_of_its_own);
	tcase_add_test(tc, beyond_all_seats_no_loop_is_made_and_the_log_says_why);
	return world_run(suite);
}
