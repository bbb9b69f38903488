/*
 * Making a loop, and what keeps it from being made.
 */
#include "world.h"
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
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
	ck_assert_int_eq(loop_of("ring.sqpoll", "on", "ring.defer_taskrun", "on"), -SFR_ECONFIG);
	ck_assert_int_eq(log_lines, 1);
	ck_assert_int_eq(loop_of("ring.single_issuer", "off", "ring.defer_taskrun", "on"),
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
	ck_assert_str_eq(sfr_loop_engine(loop), "uring");
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
	int before = open_descriptors(), spare;
	struct rlimit limit, tight;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	for (spare = 0; spare < 2; spare++) {
		int lowest = dup(0), r;
		sfr_loop *loop;

		close(lowest);
		tight = (struct rlimit){(rlim_t)lowest + (rlim_t)spare, limit.rlim_max};
		ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &tight), 0);
		r = sfr_loop_new(&loop, NULL);
		ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
		ck_assert_int_eq(r, -EMFILE);
	}
	ck_assert_int_eq(open_descriptors(), before);
}
END_TEST

/* What a container does: io_uring_setup answers with an error. In a process of its own. */
static int loop_new_where_forbidden(int err)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)err),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = {sizeof(code) / sizeof(code[0]), code};
	sfr_loop *loop;
	int status;
	pid_t child = fork();

	if (child == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0)
			_exit(0);
		log_listen();
		_exit(sfr_loop_new(&loop, NULL) == -err && log_lines == 1 ? err : 0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	return WEXITSTATUS(status);
}

START_TEST(where_the_kernel_forbids_it_there_is_no_loop_and_the_log_says_why)
{
	if (under_valgrind())
		return;
	ck_assert_int_eq(loop_new_where_forbidden(EPERM), EPERM);
	ck_assert_int_eq(loop_new_where_forbidden(ENOSYS), ENOSYS);
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
	tcase_add_test(tc, without_descriptors_there_is_no_loop_and_no_leak);
	tcase_add_test(tc, where_the_kernel_forbids_it_there_is_no_loop_and_the_log_says_why);
	return world_run(suite);
}
