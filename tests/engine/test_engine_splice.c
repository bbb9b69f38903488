/* SPDX-License-Identifier: MIT */
/*
 * Splices on every engine: each of two descriptors may have to be waited for.
 */
#include "engine_world.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define POSITION ((int64_t)-1)

static int in_read, in_write, out_read, out_write;

static void engine_and_pipes(int number)
{
	engine_in(number, NULL);
	pair_of_pipe_ends(&in_read, &in_write);
	pair_of_pipe_ends(&out_read, &out_write);
}

static void splice_next(int name, int in, int out, unsigned size, unsigned flags)
{
	io_uring_prep_splice(sqe_next(), in, POSITION, out, POSITION, size, flags);
	sqe_is(name, 0);
}

static void fill(int fd)
{
	static const char page[4096];

	ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	while (write(fd, page, sizeof(page)) > 0)
		;
	ck_assert_int_eq(fcntl(fd, F_SETFL, 0), 0);
}

START_TEST(it_waits_for_one_side_and_then_for_the_other)
{
	static char bytes[8192];
	int full;

	engine_and_pipes(_i);
	fill(out_write);
	full = bytes_waiting(out_read);
	splice_next(A, in_read, out_write, 100, 0);
	collect(0);
	ck_assert(is_pending(A));
	ck_assert_int_eq(write(in_write, "abc", 3), 3);
	collect(0);
	ck_assert(is_pending(A));
	ck_assert_int_eq(read(out_read, bytes, sizeof(bytes)), sizeof(bytes));
	collect(1);

	ck_assert_int_eq(result_of(A), 3);
	ck_assert_int_eq(bytes_waiting(out_read), full - (int)sizeof(bytes) + 3);
}
END_TEST

START_TEST(it_can_be_cancelled_whichever_side_it_waits_for)
{
	int i;

	engine_and_pipes(_i);
	for (i = 0; i < 2; i++) {
		if (i) {
			fill(out_write);
			ck_assert_int_eq(write(in_write, "abc", 3), 3);
		}
		splice_next(i, in_read, out_write, 100, 0);
		collect(0);
		ck_assert(is_pending(i));
		sqe_cancel(i);
		sqe_is(CANCEL, 0);
		collect(2);
		ck_assert(result_of(i) == -ECANCELED || result_of(i) == -EINTR ||
			  result_of(i) == -512);
	}
}
END_TEST

START_TEST(one_that_is_short_breaks_its_row)
{
	engine_and_pipes(_i);
	ck_assert_int_eq(write(in_write, "abc", 3), 3);
	io_uring_prep_splice(sqe_next(), in_read, POSITION, out_write, POSITION, 100, 0);
	sqe_is(A, IOSQE_IO_LINK);
	io_uring_prep_nop(sqe_next());
	sqe_is(B, 0);
	collect(2);

	ck_assert_int_eq(result_of(A), 3);
	ck_assert_int_eq(result_of(B), -ECANCELED);
}
END_TEST

START_TEST(many_that_wait_do_not_hold_up_files)
{
	int i, fd;

	engine_and_pipes(_i);
	fd = file_with("0123456789");
	for (i = 0; i < 64; i++) {
		int end, second;

		pair_of_pipe_ends(&end, &second);
		splice_next(100 + i, end, out_write, 100, 0);
	}
	io_uring_prep_splice(sqe_next(), fd, 0, out_write, POSITION, 10, 0);
	sqe_is(A, 0);
	collect(1);
	io_uring_prep_fsync(sqe_next(), fd, 0);
	sqe_is(B, 0);
	collect(1);

	ck_assert_int_eq(result_of(A), 10);
	ck_assert_int_eq(result_of(B), 0);
	for (i = 0; i < 64; i++) {
		ck_assert(is_pending(100 + i));
		sqe_cancel(100 + i);
		sqe_is(CANCEL, 0);
		collect(2);
	}
}
END_TEST

START_TEST(registered_files_can_be_either_side)
{
	struct sfr__engine *engine = engine_in(_i, NULL);

	pair_of_pipe_ends(&in_read, &in_write);
	pair_of_pipe_ends(&out_read, &out_write);
	ck_assert_int_eq(engine->calls->files_add(engine, (int[]){in_read, out_write}, 2), 0);
	ck_assert_int_eq(write(in_write, "abcdef", 6), 6);
	splice_next(A, 0, out_write, 3, SPLICE_F_FD_IN_FIXED);
	collect(1);
	io_uring_prep_splice(sqe_next(), in_read, POSITION, 1, POSITION, 3, 0);
	sqe_is(B, IOSQE_FIXED_FILE);
	splice_next(C, 7, out_write, 3, SPLICE_F_FD_IN_FIXED);
	collect(2);

	ck_assert_int_eq(result_of(A), 3);
	ck_assert_int_eq(result_of(B), 3);
	ck_assert_int_eq(result_of(C), -EBADF);
	ck_assert_int_eq(bytes_waiting(out_read), 6);
}
END_TEST

START_TEST(flags_that_there_are_not_are_refused_before_anything_runs)
{
	engine_and_pipes(_i);
	io_uring_prep_nop(sqe_next());
	sqe_is(A, IOSQE_IO_LINK);
	splice_next(B, in_read, out_write, 3, 64);
	collect(2);

	ck_assert_int_eq(result_of(A), -ECANCELED);
	ck_assert_int_eq(result_of(B), -EINVAL);
}
END_TEST

/* Nothing is in the pipe: who is wrong whatever comes is told now. */
START_TEST(what_cannot_be_is_refused_before_it_waits)
{
	int i, file;

	engine_and_pipes(_i);
	file = file_with("");
	splice_next(A, in_read, in_write, 3, 0);
	io_uring_prep_splice(sqe_next(), in_read, POSITION, file, -7, 3, 0);
	sqe_is(B, 0);
	collect(2);
	ck_assert_int_eq(fcntl(file, F_SETFL, O_APPEND), 0);
	splice_next(C, in_read, file, 3, 0);
	connection(0);
	io_uring_prep_splice(sqe_next(), in_read, POSITION, here, 5, 3, 0);
	sqe_is(D, 0);
	io_uring_prep_splice(sqe_next(), here, 5, out_write, POSITION, 3, 0);
	sqe_is(E, 0);
	collect(3);

	for (i = A; i <= E; i++)
		ck_assert_int_eq(result_of(i), -EINVAL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("engine splice");
	TCase *tc = engine_case(suite, "splices");

	engine_test(tc, it_waits_for_one_side_and_then_for_the_other);
	engine_test(tc, it_can_be_cancelled_whichever_side_it_waits_for);
	engine_test(tc, one_that_is_short_breaks_its_row);
	engine_test(tc, many_that_wait_do_not_hold_up_files);
	engine_test(tc, registered_files_can_be_either_side);
	engine_test(tc, flags_that_there_are_not_are_refused_before_anything_runs);
	engine_test(tc, what_cannot_be_is_refused_before_it_waits);
	return engine_run(suite);
}
