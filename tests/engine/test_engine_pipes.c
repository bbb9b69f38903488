/* SPDX-License-Identifier: MIT */
/*
 * Pipes, and what else is read and written and may wait, on every engine.
 */
#include "engine_world.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define POSITION ((uint64_t)-1) /* use and move the file's own position */

static char data[256];

static void read_next(int name, int fd, unsigned size, uint64_t offset)
{
	io_uring_prep_read(sqe_next(), fd, data, size, offset);
	sqe_is(name, 0);
}

static void write_next(int name, int fd, const char *text, uint64_t offset)
{
	io_uring_prep_write(sqe_next(), fd, text, (unsigned)strlen(text), offset);
	sqe_is(name, 0);
}

static void may_not_block(int fd)
{
	ck_assert_int_eq(fcntl(fd, F_SETFL, fd_flags(fd) | O_NONBLOCK), 0);
}

START_TEST(reading_a_pipe_waits_whether_it_blocks_or_not_and_does_not_change_it)
{
	int read_end, write_end, flags, i;

	engine_in(_i, NULL);
	pair_of_pipe_ends(&read_end, &write_end);
	for (i = 0; i < 2; i++) {
		flags = fd_flags(read_end);
		read_next(A, read_end, 10, i ? POSITION : 0);
		collect(0);
		ck_assert(is_pending(A));
		ck_assert_int_eq(fd_flags(read_end), flags);

		ck_assert_int_eq(write(write_end, "abc", 3), 3);
		collect(1);
		ck_assert_int_eq(result_of(A), 3);
		ck_assert_int_eq(fd_flags(read_end), flags);
		may_not_block(read_end);
	}
}
END_TEST

START_TEST(writing_a_pipe_waits_for_room_whether_it_blocks_or_not)
{
	static char page[4096];
	int read_end, write_end, flags, i;

	engine_in(_i, NULL);
	pair_of_pipe_ends(&read_end, &write_end);
	for (i = 0; i < 2; i++) {
		while (poll(&(struct pollfd){.fd = write_end, .events = POLLOUT}, 1, 0) == 1)
			ck_assert_int_eq(write(write_end, page, sizeof(page)), sizeof(page));
		flags = fd_flags(write_end);
		write_next(A, write_end, "abc", 0);
		collect(0);
		ck_assert(is_pending(A));
		ck_assert_int_eq(fd_flags(write_end), flags);

		ck_assert_int_eq(read(read_end, page, sizeof(page)), sizeof(page));
		collect(1);
		ck_assert_int_eq(result_of(A), 3);
		ck_assert_int_eq(fd_flags(write_end), flags);
		while (bytes_waiting(read_end))
			ck_assert_int_gt(read(read_end, page, sizeof(page)), 0);
		may_not_block(write_end);
	}
}
END_TEST

START_TEST(a_pipe_takes_what_fits_and_the_row_ends)
{
	static char much[1 << 20];
	int read_end, write_end, i;

	engine_in(_i, NULL);
	for (i = 0; i < 2; i++) {
		pair_of_pipe_ends(&read_end, &write_end);
		if (i)
			may_not_block(write_end);
		io_uring_prep_write(sqe_next(), write_end, much, sizeof(much), 0);
		sqe_is(A, IOSQE_IO_LINK);
		write_next(B, write_end, "abc", 0);
		collect(2);

		ck_assert_int_gt(result_of(A), 0);
		ck_assert_int_eq(result_of(A), bytes_waiting(read_end));
		ck_assert_int_eq(result_of(B), -ECANCELED);
	}
}
END_TEST

START_TEST(offsets_mean_nothing_to_a_pipe)
{
	int read_end, write_end;

	engine_in(_i, NULL);
	pair_of_pipe_ends(&read_end, &write_end);
	write_next(A, write_end, "abc", 1000);
	collect(1);
	read_next(B, read_end, 10, 5000);
	collect(1);

	ck_assert_int_eq(result_of(A), 3);
	ck_assert_int_eq(result_of(B), 3);
}
END_TEST

START_TEST(a_pipe_ends_with_zero)
{
	int read_end, write_end;

	engine_in(_i, NULL);
	pair_of_pipe_ends(&read_end, &write_end);
	read_next(A, read_end, 10, 0);
	collect(0);
	fd_empty(write_end);
	collect(1);
	read_next(B, read_end, 10, 0);
	collect(1);

	ck_assert_int_eq(result_of(A), 0);
	ck_assert_int_eq(result_of(B), 0);
}
END_TEST

START_TEST(a_pipe_that_nobody_reads_is_an_error)
{
	int read_end, write_end;

	engine_in(_i, NULL);
	signal(SIGPIPE, SIG_IGN);
	pair_of_pipe_ends(&read_end, &write_end);
	fd_empty(read_end);
	write_next(A, write_end, "abc", 0);
	collect(1);

	ck_assert_int_eq(result_of(A), -EPIPE);
}
END_TEST

START_TEST(reading_a_counter_waits_for_it)
{
	static uint64_t count;
	int fd;

	engine_in(_i, NULL);
	fd = owned_fd(eventfd(0, EFD_NONBLOCK));
	io_uring_prep_read(sqe_next(), fd, &count, sizeof(count), 0);
	sqe_is(A, 0);
	collect(0);
	ck_assert(is_pending(A));
	ck_assert_int_eq(write(fd, &(uint64_t){7}, 8), 8);
	collect(1);

	ck_assert_int_eq(result_of(A), 8);
	ck_assert_uint_eq(count, 7);
}
END_TEST

START_TEST(devices_are_files)
{
	engine_in(_i, NULL);
	memset(data, 'x', sizeof(data));
	read_next(A, owned_fd(open("/dev/zero", O_RDONLY)), sizeof(data), 0);
	collect(1);
	read_next(B, owned_fd(open("/dev/null", O_RDONLY)), sizeof(data), POSITION);
	write_next(C, owned_fd(open("/dev/null", O_WRONLY)), "abc", POSITION);
	write_next(D, owned_fd(open("/dev/full", O_WRONLY)), "abc", POSITION);
	collect(3);

	ck_assert_int_eq(result_of(A), sizeof(data));
	ck_assert_int_eq(data[0], 0);
	ck_assert_int_eq(result_of(B), 0);
	ck_assert_int_eq(result_of(C), 3);
	ck_assert_int_eq(result_of(D), -ENOSPC);
}
END_TEST

START_TEST(what_waits_does_not_hold_up_files)
{
	int read_end, write_end, fd, i;

	engine_in(_i, NULL);
	fd = file_with("0123456789");
	for (i = 0; i < 64; i++) {
		pair_of_pipe_ends(&read_end, &write_end);
		read_next(100 + i, read_end, 1, 0);
	}
	for (i = 0; i < 20; i++)
		read_next(i, fd, 10, 0);
	io_uring_prep_fsync(sqe_next(), fd, 0);
	sqe_is(20, 0);
	collect(21);

	for (i = 0; i < 20; i++)
		ck_assert_int_eq(result_of(i), 10);
	ck_assert_int_eq(result_of(20), 0);
	for (i = 0; i < 64; i++)
		ck_assert(is_pending(100 + i));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("engine pipes");
	TCase *tc = engine_case(suite, "pipes");

	engine_test(tc, reading_a_pipe_waits_whether_it_blocks_or_not_and_does_not_change_it);
	engine_test(tc, writing_a_pipe_waits_for_room_whether_it_blocks_or_not);
	engine_test(tc, a_pipe_takes_what_fits_and_the_row_ends);
	engine_test(tc, offsets_mean_nothing_to_a_pipe);
	engine_test(tc, a_pipe_ends_with_zero);
	engine_test(tc, a_pipe_that_nobody_reads_is_an_error);
	engine_test(tc, reading_a_counter_waits_for_it);
	engine_test(tc, devices_are_files);
	engine_test(tc, what_waits_does_not_hold_up_files);
	return engine_run(suite);
}
