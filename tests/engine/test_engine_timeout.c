/* SPDX-License-Identifier: MIT */
/*
 * Timeouts, on every engine.
 */
#include "engine_world.h"
#include "base/clock.h"
#include <errno.h>

static void timeout_in(int name, int64_t ns, unsigned flags)
{
	static struct __kernel_timespec times[NAMES];

	times[name].tv_sec = ns / 1000000000;
	times[name].tv_nsec = ns % 1000000000;
	io_uring_prep_timeout(sqe_next(), &times[name], 0, flags);
	sqe_is(name, 0);
}

START_TEST(a_timeout_ends_after_its_time)
{
	uint64_t before = sfr__clock_ns();

	engine_in(_i, NULL);
	timeout_in(A, 3 * MILLISECOND, 0);
	collect_now();
	ck_assert(is_pending(A) || sfr__clock_ns() - before >= 3 * MILLISECOND);
	collect(is_pending(A));

	ck_assert_int_eq(result_of(A), -ETIME);
	ck_assert_uint_ge(sfr__clock_ns() - before, 3 * MILLISECOND);
}
END_TEST

START_TEST(or_at_its_time)
{
	int64_t when = (int64_t)sfr__clock_ns() + 3 * MILLISECOND;

	engine_in(_i, NULL);
	timeout_in(A, when, IORING_TIMEOUT_ABS);
	collect(1);

	ck_assert_int_eq(result_of(A), -ETIME);
	ck_assert_int_ge((int64_t)sfr__clock_ns(), when);
}
END_TEST

START_TEST(a_time_that_has_passed_ends_at_once)
{
	engine_in(_i, NULL);
	timeout_in(A, 0, 0);
	timeout_in(B, 1, 0);
	timeout_in(C, 1, IORING_TIMEOUT_ABS);
	timeout_in(D, 0, IORING_TIMEOUT_ABS);
	collect(4);

	ck_assert_int_eq(result_of(A), -ETIME);
	ck_assert_int_eq(result_of(B), -ETIME);
	ck_assert_int_eq(result_of(C), -ETIME);
	ck_assert_int_eq(result_of(D), -ETIME);
}
END_TEST

/* Whether they were taken before the first was due: else there is no order. */
static bool four_in_order(int64_t apart)
{
	int64_t now = (int64_t)sfr__clock_ns();
	bool in_time;

	order_count = 0;
	timeout_in(A, 3 * apart, 0);
	timeout_in(B, now + apart, IORING_TIMEOUT_ABS);
	timeout_in(C, 20 * apart, 0);
	timeout_in(D, now + 2 * apart, IORING_TIMEOUT_ABS);
	collect_now();
	in_time = (int64_t)sfr__clock_ns() < now + apart;
	collect(is_pending(A) + is_pending(B) + is_pending(C) + is_pending(D));
	return in_time;
}

START_TEST(timeouts_end_in_the_order_of_their_times)
{
	int64_t apart = 2 * MILLISECOND;

	engine_in(_i, NULL);
	while (!four_in_order(apart))
		apart *= 2;

	ck_assert_int_eq(order[0], B);
	ck_assert_int_eq(order[1], D);
	ck_assert_int_eq(order[2], A);
	ck_assert_int_eq(order[3], C);
}
END_TEST

/* A hundred of them in a mixed order, from a while from now on. False if that had begun before they
 * were taken: then there was no order. */
static bool hundred_in_order(int64_t lead, int64_t apart)
{
	int64_t begin = (int64_t)sfr__clock_ns() + lead;
	int i, left = 0;
	bool in_time;

	order_count = 0;
	for (i = 0; i < 100; i++)
		timeout_in(i, begin + i * 37 % 100 * apart, IORING_TIMEOUT_ABS);
	collect_now();
	in_time = (int64_t)sfr__clock_ns() < begin;
	for (i = 0; i < 100; i++)
		left += is_pending(i);
	collect(left);
	return in_time;
}

START_TEST(a_hundred_timeouts_end_in_the_order_of_their_times)
{
	int64_t lead = 2 * MILLISECOND, apart;
	int i;

	engine_in(_i, NULL);
	apart = differs("timer_ticks") ? 100000 : 10000;
	while (!hundred_in_order(lead, apart))
		lead *= 2;

	for (i = 0; i < 99; i++)
		ck_assert_int_lt(order[i] * 37 % 100, order[i + 1] * 37 % 100);
}
END_TEST

START_TEST(a_timeout_that_counts_as_success_says_the_same)
{
	engine_in(_i, NULL);
	timeout_in(A, MILLISECOND, IORING_TIMEOUT_ETIME_SUCCESS);
	collect(1);

	ck_assert_int_eq(result_of(A), -ETIME);
}
END_TEST

START_TEST(times_before_zero_are_refused)
{
	engine_in(_i, NULL);
	timeout_in(A, -1, 0);
	timeout_in(B, -5000000000, IORING_TIMEOUT_ABS);
	collect(2);

	ck_assert_int_eq(result_of(A), -EINVAL);
	ck_assert_int_eq(result_of(B), -EINVAL);
}
END_TEST

START_TEST(the_time_is_read_when_the_entry_is_taken)
{
	static struct __kernel_timespec ts = {.tv_nsec = MILLISECOND};

	engine_in(_i, NULL);
	io_uring_prep_timeout(sqe_next(), &ts, 0, 0);
	sqe_is(A, 0);
	collect_now();
	ts.tv_sec = 3600;
	collect(is_pending(A));

	ck_assert_int_eq(result_of(A), -ETIME);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("engine timeout");
	TCase *tc = engine_case(suite, "timeouts");

	engine_test(tc, a_timeout_ends_after_its_time);
	engine_test(tc, or_at_its_time);
	engine_test(tc, a_time_that_has_passed_ends_at_once);
	engine_test(tc, timeouts_end_in_the_order_of_their_times);
	engine_test(tc, a_hundred_timeouts_end_in_the_order_of_their_times);
	engine_test(tc, a_timeout_that_counts_as_success_says_the_same);
	engine_test(tc, times_before_zero_are_refused);
	engine_test(tc, the_time_is_read_when_the_entry_is_taken);
	return engine_run(suite);
}
