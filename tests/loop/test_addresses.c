/* SPDX-License-Identifier: MIT */
/*
 * Addresses: how many a loop takes of what RLIMIT_AS leaves to a process, and what becomes of it with fewer.
 *
 * What is measured is the size of this process, so no other thread may map anything meanwhile.
 */
#include "world.h"
#include "run/run.h"
#include <safer_ring/error.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define MB UINT64_C(1000000)

/* What a default loop may take: when it is made, and with all of its buffers and 100,000 timers besides. Whoever
 * raises one of these takes something away from programs that run within `ulimit -v`. */
#define NEW_MAX (72 * MB)
#define FULL_MAX (128 * MB)

#define TIMERS 100000

/* What an allocator may keep of all that was given back to it, less than anything that is mapped. */
#define KEPT_MAX ((uint64_t)64 * 1024)

static const char *const engines[] = {"uring", "epoll"};

static sfr_buf *bufs[1 << 18];
static int bufs_count, calls;

static uint64_t size_of_process(const char *name)
{
	FILE *file = fopen("/proc/self/status", "r");
	uint64_t kib = 0;
	char line[256];

	ck_assert_ptr_nonnull(file);
	while (fgets(line, sizeof(line), file))
		if (strncmp(line, name, strlen(name)) == 0)
			kib = strtoull(line + strlen(name) + 1, NULL, 10);
	fclose(file);
	ck_assert_uint_gt(kib, 0);
	return kib * 1024;
}

static uint64_t size_now(void)
{
	return size_of_process("VmSize");
}

/* The soft limit only, so that it can be lifted again. */
static void limit_addresses(uint64_t size)
{
	struct rlimit limit;

	ck_assert_int_eq(getrlimit(RLIMIT_AS, &limit), 0);
	limit.rlim_cur = size ? (rlim_t)size : limit.rlim_max;
	ck_assert_int_eq(setrlimit(RLIMIT_AS, &limit), 0);
}

static sfr_config *config_for(const char *preset, int engine)
{
	sfr_config *config;

	ck_assert_int_eq(sfr_config_new(&config, preset), 0);
	ck_assert_int_eq(sfr_config_set(config, "engine", engines[engine], NULL), 0);
	return config;
}

/* Whether there is such an engine. Having had a loop, the C library has mapped what it keeps. */
static bool engine_works(int engine)
{
	sfr_config *config = config_for("default", engine);
	sfr_loop *loop;
	int r = sfr_loop_new(&loop, config);

	if (r == 0)
		ck_assert_int_eq(sfr_loop_free(loop), 0);
	sfr_config_free(config);
	return r == 0;
}

static void count_call(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	(void)loop;
	(void)result;
	(void)arg;
	calls++;
	sfr_buf_release(buf);
}

/* Of this size, until there are no more. */
static void bufs_take(sfr_loop *loop, size_t size)
{
	sfr_buf *buf;

	while (bufs_count < (int)(sizeof(bufs) / sizeof(bufs[0])) &&
	       (buf = sfr_buf_get(loop, size)) != NULL)
		bufs[bufs_count++] = buf;
}

static void bufs_give(void)
{
	while (bufs_count)
		sfr_buf_release(bufs[--bufs_count]);
}

static int timers_start(sfr_loop *loop, int count)
{
	int i, started = 0;

	for (i = 0; i < count; i++)
		started += sfr_submit(sfr_within(sfr_timeout(loop, 1000), 1000000000), count_call,
				      NULL) != 0;
	return started;
}

START_TEST(a_default_loop_takes_72_mb_when_it_is_made)
{
	sfr_config *config = config_for("default", _i);
	uint64_t before, taken;
	sfr_loop *loop;

	if (!engine_works(_i))
		return;
	before = size_now();
	ck_assert_int_eq(sfr_loop_new(&loop, config), 0);
	taken = size_of_process("VmPeak") - before;
	ck_assert_uint_le(taken, NEW_MAX);
	ck_assert_int_eq(sfr_loop_free(loop), 0);
	ck_assert_uint_eq(size_now(), before);
	sfr_config_free(config);
}
END_TEST

START_TEST(with_128_mb_a_default_loop_has_all_its_buffers_and_100000_timers)
{
	sfr_config *config = config_for("default", _i);
	uint64_t before;
	sfr_loop *loop;

	if (!engine_works(_i))
		return;
	before = size_now();
	limit_addresses(before + FULL_MAX);
	ck_assert_int_eq(sfr_loop_new(&loop, config), 0);
	bufs_take(loop, 512); /* the smallest ones: the most descriptors and cells */
	ck_assert_int_eq(errno, SFR_EPOOLEMPTY);
	ck_assert_uint_eq(loop->pool->bytes_made, 64 << 20);
	ck_assert_int_eq(timers_start(loop, TIMERS), TIMERS);
	ck_assert_int_eq(sfr_loop_run(loop), 0);
	ck_assert_int_eq(calls, TIMERS);
	limit_addresses(0);

	ck_assert_uint_le(size_of_process("VmPeak") - before, FULL_MAX);
	bufs_give();
	ck_assert_int_eq(sfr_loop_free(loop), 0);
	ck_assert_uint_le(size_now() - before, MB); /* the allocator's */
	sfr_config_free(config);
}
END_TEST

START_TEST(no_preset_takes_more_than_its_budget_and_a_few_mb)
{
	static const char *const presets[] = {"default", "low_latency", "high_throughput",
					      "development", "auto_detect"};
	sfr_config *config = config_for(presets[_i / 2], _i % 2);
	const struct sfr__settings *settings = sfr__config_settings(config);
	uint64_t before, taken;
	sfr_loop *loop;

	if (!engine_works(_i % 2))
		return;
	before = size_now();
	ck_assert_int_eq(sfr_loop_new(&loop, config), 0);
	taken = size_now() - before;
	ck_assert_uint_le(taken, settings->buffers.budget + 8 * MB);
	ck_assert_uint_le(taken, sfr__loop_addresses(settings));
	ck_assert_uint_ge(taken + 2 * MB, sfr__loop_addresses(settings));
	ck_assert_int_eq(sfr_loop_free(loop), 0);
	sfr_config_free(config);
}
END_TEST

START_TEST(with_too_few_addresses_there_is_no_loop_and_the_log_says_how_many_it_takes)
{
	sfr_config *config = config_for("default", _i);
	uint64_t before, kib, left;
	const char *fix;
	sfr_loop *loop;

	if (!engine_works(_i))
		return;
	before = size_now();
	for (left = 4 * MB; left < 64 * MB; left += 10 * MB) {
		int r;

		log_listen();
		limit_addresses(before + left);
		r = sfr_loop_new(&loop, config);
		limit_addresses(0);
		ck_assert_int_eq(r, -ENOMEM);
		ck_assert_int_eq(log_lines, 1);
		ck_assert_ptr_nonnull(strstr(log_line, "RLIMIT_AS"));
		ck_assert_uint_eq(size_now(), before);
	}
	fix = strstr(log_line, "ulimit -v ");
	ck_assert_ptr_nonnull(fix);
	kib = strtoull(fix + strlen("ulimit -v "), NULL, 10);

	limit_addresses(kib * 1024);
	ck_assert_int_eq(sfr_loop_new(&loop, config), 0);
	ck_assert_int_eq(sfr_await(sfr_nop(loop), NULL), 0);
	limit_addresses(0);
	ck_assert_int_eq(sfr_loop_free(loop), 0);
	sfr_config_free(config);
}
END_TEST

/* The last few, one page less at a time: whatever step finds none left, there is a line of it. */
START_TEST(wherever_addresses_run_short_one_line_says_so)
{
	sfr_config *config = config_for("default", _i);
	uint64_t before, need, page = (uint64_t)sysconf(_SC_PAGESIZE), left;
	int made = 0, refused = 0;

	if (!engine_works(_i))
		return;
	before = size_now();
	need = sfr__loop_addresses(sfr__config_settings(config));
	for (left = need; left > need - 3 * MB; left -= 8 * page) {
		sfr_loop *loop = NULL;
		int r, lines;

		log_listen();
		limit_addresses(before + left);
		r = sfr_loop_new(&loop, config);
		lines = log_errors;
		if (r == 0)
			r = sfr_await(sfr_nop(loop), NULL);
		limit_addresses(0);
		made += r == 0;
		refused += r < 0;
		ck_assert_int_eq(lines, loop ? 0 : 1);
		ck_assert_msg(loop || strstr(log_line, "RLIMIT_AS"), "%zu of %zu: %s", (size_t)left,
			      (size_t)need, log_line);
		ck_assert(r == 0 || r == -ENOMEM);
		ck_assert_int_eq(sfr_loop_free(loop), 0);
		ck_assert_uint_le(size_now(), before + KEPT_MAX);
	}
	ck_assert_int_gt(made, 0);
	ck_assert_int_gt(refused, 0);
	sfr_config_free(config);
}
END_TEST

START_TEST(a_loop_that_cannot_grow_says_so_and_works_on)
{
	sfr_config *config = config_for("default", _i);
	int started, before_more, i;
	sfr_loop *loop;

	if (!engine_works(_i))
		return;
	ck_assert_int_eq(sfr_loop_new(&loop, config), 0);
	limit_addresses(size_now() + 3 * MB);
	bufs_take(loop, 512);
	ck_assert(errno == ENOMEM || errno == SFR_EPOOLEMPTY);
	started = timers_start(loop, TIMERS);
	ck_assert_int_lt(started, TIMERS);
	for (i = 0; i < bufs_count; i++) /* whoever has a buffer can build */
		ck_assert_uint_ne(sfr_submit(sfr_send(loop, -1, bufs[i]), count_call, NULL), 0);
	ck_assert_int_eq(sfr_loop_run(loop), 0);
	ck_assert_int_eq(calls, started + bufs_count);
	limit_addresses(0);

	before_more = bufs_count;
	bufs_count = 0;
	bufs_take(loop, 512);
	ck_assert_int_gt(bufs_count, before_more);
	bufs_give();
	calls = 0;
	ck_assert_int_eq(timers_start(loop, TIMERS), TIMERS);
	ck_assert_int_eq(sfr_loop_run(loop), 0);
	ck_assert_int_eq(calls, TIMERS);
	ck_assert_int_eq(sfr_loop_free(loop), 0);
	sfr_config_free(config);
}
END_TEST

/* The threads that wait for files in place of the kernel: their stacks are no larger than they need. */
START_TEST(workers_of_the_epoll_engine_take_few_addresses)
{
	sfr_config *config = config_for("default", 1);
	int i, file = empty_file();
	uint64_t before;
	sfr_loop *loop;

	ck_assert_int_eq(sfr_loop_new(&loop, config), 0);
	ck_assert_int_eq(sfr_await(sfr_nop(loop), NULL), 0);
	before = size_now();
	for (i = 0; i < 64; i++)
		sfr_submit(sfr_fsync(loop, file), count_call, NULL);
	ck_assert_int_eq(sfr_loop_run(loop), 0);
	ck_assert_int_eq(calls, 64);
	ck_assert_uint_gt(size_now(), before);
	ck_assert_uint_le(size_now() - before, 4 * MB);
	ck_assert_int_eq(sfr_loop_free(loop), 0);
	sfr_config_free(config);
}
END_TEST

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED
#endif

static bool addresses_can_be_measured(void)
{
#ifdef SANITIZED
	printf("skip - addresses: a sanitizer takes as many as it likes\n");
	return false;
#else
	if (under_valgrind())
		printf("skip - addresses: valgrind takes as many as it likes\n");
	if (getenv("SFR_EMULATED"))
		printf("skip - addresses: an emulator takes as many as it likes\n");
	return !under_valgrind() && !getenv("SFR_EMULATED");
#endif
}

int main(void)
{
	Suite *suite;
	TCase *tc;

	if (!addresses_can_be_measured())
		return 0;
	suite = suite_create("addresses");
	tc = world_case(suite, "limits");
	tcase_add_loop_test(tc, a_default_loop_takes_72_mb_when_it_is_made, 0, 2);
	tcase_add_loop_test(tc, with_128_mb_a_default_loop_has_all_its_buffers_and_100000_timers, 0,
			    2);
	tcase_add_loop_test(tc, no_preset_takes_more_than_its_budget_and_a_few_mb, 0, 10);
	tcase_add_loop_test(
		tc, with_too_few_addresses_there_is_no_loop_and_the_log_says_how_many_it_takes, 0,
		2);
	tcase_add_loop_test(tc, wherever_addresses_run_short_one_line_says_so, 0, 2);
	tcase_add_loop_test(tc, a_loop_that_cannot_grow_says_so_and_works_on, 0, 2);
	tcase_add_test(tc, workers_of_the_epoll_engine_take_few_addresses);
	return world_run(suite);
}
