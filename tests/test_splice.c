/*
 * Moving bytes between descriptors.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "pending.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct seen seen;
static int reader, writer;

static sfr_loop *loop_and_pipe(int world, const char *more)
{
	seen = (struct seen){0};
	pair_of_pipe_ends(&reader, &writer);
	return loop_in(world, more);
}

static void put(int fd, const char *text)
{
	ck_assert_int_eq(write(fd, text, strlen(text)), (int)strlen(text));
}

/* The next bytes from a descriptor are these. */
static void assert_next(int fd, const char *text)
{
	char bytes[64] = "";

	ck_assert_int_eq(read(fd, bytes, strlen(text)), (int)strlen(text));
	ck_assert_str_eq(bytes, text);
}

static int file_with(const char *text)
{
	int fd = empty_file();

	put(fd, text);
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

START_TEST(a_file_goes_into_a_pipe_from_where_it_is_asked_to)
{
	sfr_loop *loop = loop_and_pipe(_i, NULL);
	int file = file_with("0123456789");

	ck_assert_int_eq(sfr_await(sfr_splice(loop, file, 4, writer, -1, 3, 0), NULL), 3);
	assert_next(reader, "456");
	ck_assert_int_eq(lseek(file, 0, SEEK_CUR), 0);
	ck_assert_int_eq(sfr_await(sfr_splice(loop, file, -1, writer, -1, 2, 0), NULL), 2);
	assert_next(reader, "01");
	ck_assert_int_eq(lseek(file, 0, SEEK_CUR), 2);
	ck_assert_int_eq(sfr_await(sfr_splice(loop, file, -1, writer, -1, 1000, 0), NULL), 8);
	ck_assert_int_eq(sfr_await(sfr_splice(loop, file, -1, writer, -1, 1000, 0), NULL), 0);
	ck_assert_int_eq(sfr_await(sfr_splice(loop, file, 99, writer, -1, 1000, 0), NULL), 0);
}
END_TEST

START_TEST(a_pipe_goes_into_a_file_where_it_is_asked_to)
{
	sfr_loop *loop = loop_and_pipe(_i, NULL);
	int file = file_with("0123456789");

	put(writer, "abcdef");
	ck_assert_int_eq(sfr_await(sfr_splice(loop, reader, -1, file, 7, 2, 0), NULL), 2);
	ck_assert_int_eq(lseek(file, 0, SEEK_CUR), 0);
	ck_assert_int_eq(sfr_await(sfr_splice(loop, reader, -1, file, -1, 100, 0), NULL), 4);
	ck_assert_int_eq(lseek(file, 0, SEEK_CUR), 4);

	ck_assert_int_eq(lseek(file, 0, SEEK_SET), 0);
	assert_next(file, "cdef456ab9");
}
END_TEST

START_TEST(what_is_not_there_yet_is_waited_for)
{
	sfr_loop *loop = loop_and_pipe(_i, NULL);
	int to_read, to_write, file = empty_file(), i;

	pair_of_pipe_ends(&to_read, &to_write);
	for (i = 1; i <= 4; i++) {
		sfr_submit(sfr_splice(loop, reader, -1, i & 1 ? to_write : file, -1, 100, 0),
			   record, &seen);
		ck_assert_int_eq(sfr_await(sfr_timeout(loop, 1000000), NULL), 0);
		ck_assert_int_eq(seen.calls, i - 1);
		put(writer, "abc");
		ck_assert_int_eq(sfr_loop_run(loop), 0);
		ck_assert_int_eq(seen.calls, i);
		ck_assert_int_eq(seen.result, 3);
	}
	assert_next(to_read, "abcabc");
	ck_assert_int_eq(lseek(file, 0, SEEK_CUR), 6);
}
END_TEST

START_TEST(room_that_is_not_there_yet_is_waited_for)
{
	static char much[1 << 20];
	sfr_loop *loop = loop_and_pipe(_i, NULL);
	int full_read, full_write, count = 0, file = file_with("0123456789");

	pair_of_pipe_ends(&full_read, &full_write);
	ck_assert_int_eq(fcntl(full_write, F_SETFL, O_NONBLOCK), 0);
	while (write(full_write, much, 4096) > 0)
		count += 4096;
	ck_assert_int_eq(fcntl(full_write, F_SETFL, 0), 0);
	put(writer, "abc");
	sfr_submit(sfr_splice(loop, reader, -1, full_write, -1, 100, 0), record, &seen);
	ck_assert_int_eq(sfr_await(sfr_timeout(loop, 1000000), NULL), 0);
	ck_assert_int_eq(seen.calls, 0);
	ck_assert_int_eq(read(full_read, much, 8192), 8192);
	turn_until(loop, &seen.calls, 1);
	ck_assert_int_eq(seen.result, 3);
	sfr_submit(sfr_splice(loop, file, -1, full_write, -1, 10, 0), record, &seen);
	ck_assert_int_eq(read(full_read, much, sizeof(much)), count - 8192 + 3);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.result, 10);
	assert_next(full_read, "0123456789");
}
END_TEST

START_TEST(sockets_are_copied_through_a_pipe)
{
	sfr_loop *loop = loop_and_pipe(_i, NULL);
	int a, b, c, d, i;

	for (i = 0; i < 2; i++) {
		if (i)
			pair_of_unix_sockets(&a, &b);
		else
			pair_of_sockets(&a, &b);
		pair_of_sockets(&c, &d);
		sfr_submit(sfr_splice(loop, b, -1, writer, -1, 1000, 0), record, &seen);
		ck_assert_int_eq(sfr_await(sfr_timeout(loop, 1000000), NULL), 0);
		put(a, "hello");
		ck_assert_int_eq(sfr_loop_run(loop), 0);
		ck_assert_int_eq(seen.result, 5);
		ck_assert_int_eq(sfr_await(sfr_splice(loop, reader, -1, c, -1, 5, 0), NULL), 5);
		assert_next(d, "hello");
		shutdown(a, SHUT_WR);
		ck_assert_int_eq(sfr_await(sfr_splice(loop, b, -1, writer, -1, 1000, 0), NULL), 0);
	}
}
END_TEST

/* More than all of the room there is, from end to end. */
START_TEST(many_bytes_arrive_in_order)
{
	static unsigned char bytes[1 << 20], copy[1 << 20];
	sfr_loop *loop = loop_and_pipe(_i, NULL);
	int a, b, file = empty_file();
	size_t i, sent = 0, got = 0;

	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(i * 31 + i / 256);
	ck_assert_int_eq(pwrite(file, bytes, sizeof(bytes), 0), sizeof(bytes));
	pair_of_sockets(&a, &b);
	while (sent < sizeof(bytes)) {
		int filled = sfr_await(sfr_splice(loop, file, (int64_t)sent, writer, -1, 65536, 0),
				       NULL);

		ck_assert_int_gt(filled, 0);
		sent += (size_t)filled;
		while (filled > 0) {
			int r = sfr_await(sfr_splice(loop, reader, -1, a, -1, (unsigned)filled, 0),
					  NULL);

			ck_assert_int_gt(r, 0);
			filled -= r;
			while (r > 0) {
				ssize_t count = read(b, copy + got, sizeof(copy) - got);

				ck_assert_int_gt(count, 0);
				got += (size_t)count;
				r -= (int)count;
			}
		}
	}
	ck_assert_uint_eq(got, sizeof(bytes));
	ck_assert_int_eq(memcmp(bytes, copy, sizeof(bytes)), 0);
}
END_TEST

START_TEST(the_end_of_a_pipe_is_zero_also_while_it_is_waited_for)
{
	sfr_loop *loop = loop_and_pipe(_i, NULL);
	int fds[2], i;

	for (i = 0; i < 2; i++) {
		ck_assert_int_eq(pipe(fds), 0);
		if (i)
			close(fds[1]);
		sfr_submit(sfr_splice(loop, fds[0], -1, writer, -1, 10, 0), record, &seen);
		if (!i) {
			ck_assert_int_eq(sfr_await(sfr_timeout(loop, 1000000), NULL), 0);
			close(fds[1]);
		}
		ck_assert_int_eq(sfr_loop_run(loop), 0);
		ck_assert_int_eq(seen.calls, i + 1);
		ck_assert_int_eq(seen.result, 0);
		close(fds[0]);
	}
}
END_TEST

START_TEST(errors_are_those_of_the_system)
{
	sfr_loop *loop = loop_and_pipe(_i, NULL);
	int file = empty_file();

	ck_assert_int_eq(sfr_await(sfr_splice(loop, file, -1, file, -1, 9, 0), NULL), -EINVAL);
	ck_assert_int_eq(sfr_await(sfr_splice(loop, reader, 3, file, -1, 9, 0), NULL), -ESPIPE);
	ck_assert_int_eq(sfr_await(sfr_splice(loop, file, -1, writer, 3, 9, 0), NULL), -ESPIPE);
	ck_assert_int_eq(sfr_await(sfr_splice(loop, -1, -1, writer, -1, 9, 0), NULL), -EBADF);
	ck_assert_int_eq(sfr_await(sfr_splice(loop, reader, -1, -1, -1, 9, 0), NULL), -EBADF);
	ck_assert_int_eq(sfr_await(sfr_splice(loop, 999, -1, writer, -1, 9, 0), NULL), -EBADF);
	ck_assert_int_eq(sfr_await(sfr_splice(loop, writer, -1, file, -1, 9, 0), NULL), -EBADF);
	ck_assert_int_eq(sfr_await(sfr_splice(loop, file, -1, reader, -1, 9, 0), NULL), -EBADF);
	ck_assert_int_eq(sfr_await(sfr_splice(loop, reader, -1, file, -1, 9, 64), NULL), -EINVAL);
	ck_assert_int_eq(sfr_await(sfr_splice(loop, reader, -1, file, -1, 0, 0), NULL), 0);
}
END_TEST

START_TEST(who_does_not_want_to_wait_is_told_to_come_again)
{
	sfr_loop *loop = loop_and_pipe(_i, NULL);
	int file = empty_file();

	ck_assert_int_eq(
		sfr_await(sfr_splice(loop, reader, -1, file, -1, 9, SPLICE_F_NONBLOCK), NULL),
		-EAGAIN);
	put(writer, "abc");
	ck_assert_int_eq(
		sfr_await(sfr_splice(loop, reader, -1, file, -1, 9, SPLICE_F_NONBLOCK), NULL), 3);
	ck_assert_int_eq(fcntl(reader, F_SETFL, O_NONBLOCK), 0);
	ck_assert_int_eq(sfr_await(sfr_splice(loop, reader, -1, file, -1, 9, 0), NULL), -EAGAIN);
}
END_TEST

START_TEST(it_is_cancelled_by_either_descriptor)
{
	sfr_loop *loop = loop_and_pipe(_i, NULL);
	int to_read, to_write, i;

	pair_of_pipe_ends(&to_read, &to_write);
	for (i = 0; i < 4; i++) {
		sfr_submit(sfr_splice(loop, reader, -1, to_write, -1, 9, 0), record, &seen);
		if (i & 1)
			ck_assert_int_eq(sfr_await(sfr_timeout(loop, 1000000), NULL), 0);
		ck_assert_int_eq(sfr_cancel_fd(loop, to_read), 0);
		ck_assert_int_eq(sfr_cancel_fd(loop, i & 2 ? reader : to_write), 1);
		ck_assert_int_eq(sfr_loop_run(loop), 0);
		ck_assert_int_eq(seen.calls, i + 1);
		ck_assert_int_eq(seen.result, -ECANCELED);
	}
	put(writer, "abc");
	assert_next(reader, "abc");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("splice");
	TCase *tc = world_case(suite, "moving");

	world_test(tc, a_file_goes_into_a_pipe_from_where_it_is_asked_to);
	world_test(tc, a_pipe_goes_into_a_file_where_it_is_asked_to);
	world_test(tc, sockets_are_copied_through_a_pipe);
	world_test(tc, many_bytes_arrive_in_order);
	tc = world_case(suite, "waiting");
	world_test(tc, what_is_not_there_yet_is_waited_for);
	world_test(tc, room_that_is_not_there_yet_is_waited_for);
	world_test(tc, the_end_of_a_pipe_is_zero_also_while_it_is_waited_for);
	world_test(tc, who_does_not_want_to_wait_is_told_to_come_again);
	world_test(tc, it_is_cancelled_by_either_descriptor);
	tc = world_case(suite, "refusals");
	world_test(tc, errors_are_those_of_the_system);
	return world_run(suite);
}
