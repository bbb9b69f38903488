/* SPDX-License-Identifier: MIT */
/*
 * Reading, writing, polling and closing: what each op does, and what it answers.
 */
#include "pending.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void assert_file(int fd, const char *text)
{
	char found[64];

	ck_assert_int_eq(pread(fd, found, sizeof(found), 0), (ssize_t)strlen(text));
	ck_assert_mem_eq(found, text, strlen(text));
}

static void assert_text(sfr_buf *buf, const char *text)
{
	ck_assert_ptr_nonnull(buf);
	ck_assert_uint_eq(buf->len, strlen(text));
	ck_assert_mem_eq(buf->data, text, strlen(text));
	sfr_buf_release(buf);
}

START_TEST(a_read_at_an_offset_leaves_the_position_of_the_file)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int fd = file_with("0123456789");
	sfr_buf *buf;

	ck_assert_int_eq(sfr_await(sfr_read_at(loop, fd, sfr_buf_get(loop, 64), 4), &buf), 6);
	assert_text(buf, "456789");
	ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), 0);
}
END_TEST

START_TEST(a_read_without_offset_moves_the_position_of_the_file)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int fd = file_with("0123456789"), i;
	sfr_buf *buf = sfr_buf_get(loop, 64);

	buf->cap = 4;
	for (i = 0; i < 2; i++) {
		ck_assert_int_eq(sfr_await(sfr_read(loop, fd, buf), &buf), 4);
		ck_assert_mem_eq(buf->data, i ? "4567" : "0123", 4);
		ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), 4 * (i + 1));
	}
	ck_assert_int_eq(sfr_await(sfr_read(loop, fd, buf), &buf), 2);
	ck_assert_int_eq(sfr_await(sfr_read(loop, fd, buf), &buf), 0);
	assert_text(buf, "");
}
END_TEST

START_TEST(a_read_beyond_the_end_is_zero)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int fd = file_with("0123456789");
	sfr_buf *buf;

	ck_assert_int_eq(sfr_await(sfr_read_at(loop, fd, sfr_buf_get(loop, 64), 10), &buf), 0);
	assert_text(buf, "");
	ck_assert_int_eq(sfr_await(sfr_read_at(loop, fd, sfr_buf_get(loop, 64), 1000), &buf), 0);
	assert_text(buf, "");
}
END_TEST

START_TEST(a_write_at_an_offset_leaves_the_position_of_the_file)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int fd = file_with("0123456789");
	sfr_buf *buf;

	ck_assert_int_eq(sfr_await(sfr_write_at(loop, fd, sfr_buf_from(loop, "ab", 2), 4), &buf),
			 2);
	assert_text(buf, "ab");
	ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), 0);
	assert_file(fd, "0123ab6789");
}
END_TEST

START_TEST(the_largest_offset_is_refused_and_does_not_stand_for_the_position)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int fd = file_with("0123456789");
	sfr_buf *buf = sfr_buf_from(loop, "ab", 2);

	ck_assert_int_eq(sfr_await(sfr_write_at(loop, fd, buf, UINT64_MAX), &buf), -EINVAL);
	ck_assert_uint_eq(buf->len, 2);
	ck_assert_int_eq(sfr_await(sfr_all(sfr_write_at(loop, fd, buf, UINT64_MAX)), &buf),
			 -EINVAL);
	ck_assert_int_eq(sfr_await(sfr_read_at(loop, fd, buf, UINT64_MAX), &buf), -EINVAL);
	ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), 0);
	assert_file(fd, "0123456789");
	sfr_buf_release(buf);
}
END_TEST

START_TEST(a_write_without_offset_moves_the_position_of_the_file)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int fd = empty_file();

	ck_assert_int_eq(sfr_await(sfr_write(loop, fd, sfr_buf_from(loop, "01234", 5)), NULL), 5);
	ck_assert_int_eq(sfr_await(sfr_write(loop, fd, sfr_buf_from(loop, "567", 3)), NULL), 3);
	ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), 8);
	assert_file(fd, "01234567");
}
END_TEST

START_TEST(a_write_of_nothing_writes_nothing)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int fd = empty_file(), read_end, write_end;

	pair_of_pipe_ends(&read_end, &write_end);
	ck_assert_int_eq(sfr_await(sfr_write(loop, fd, sfr_buf_get(loop, 64)), NULL), 0);
	ck_assert_int_eq(sfr_await(sfr_write_at(loop, fd, sfr_buf_get(loop, 64), 7), NULL), 0);
	ck_assert_int_eq(sfr_await(sfr_write(loop, write_end, sfr_buf_get(loop, 64)), NULL), 0);
	assert_file(fd, "");
}
END_TEST

START_TEST(what_is_moved_into_a_file_comes_out_again)
{
	sfr_loop *loop = loop_in(_i, "buffers.size=64");
	int fd = empty_file(), i;

	for (i = 0; i < 100; i++) {
		sfr_buf *buf = sfr_buf_get(loop, 64);

		memset(buf->data, i, 64);
		buf->len = 64;
		sfr_submit(sfr_write_at(loop, fd, buf, (uint64_t)i * 64), NULL, NULL);
	}
	ck_assert_int_eq(sfr_loop_run(loop), 0);
	for (i = 99; i >= 0; i--) {
		sfr_buf *buf;
		sfr_op *op = sfr_read_at(loop, fd, sfr_buf_get(loop, 64), (uint64_t)i * 64);

		ck_assert_int_eq(sfr_await(op, &buf), 64);
		ck_assert_uint_eq(buf->data[0], (unsigned)i);
		ck_assert_uint_eq(buf->data[63], (unsigned)i);
		sfr_buf_release(buf);
	}
}
END_TEST

START_TEST(a_pipe_gives_what_it_has)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int read_end, write_end;
	sfr_buf *buf;

	pair_of_pipe_ends(&read_end, &write_end);
	sfr_submit(sfr_read(loop, read_end, sfr_buf_get(loop, 64)), record, &seen);
	ck_assert_int_eq(sfr_loop_step(loop, 0), 0);
	ck_assert_int_eq(sfr_await(sfr_write(loop, write_end, sfr_buf_from(loop, "abc", 3)), NULL),
			 3);
	ck_assert_int_eq(sfr_loop_run(loop), 0);
	ck_assert_int_eq(seen.result, 3);
	ck_assert_mem_eq(seen.buf->data, "abc", 3);

	ck_assert_int_eq(dup2(empty_file(), write_end), write_end); /* closes the write end */
	ck_assert_int_eq(sfr_await(sfr_read(loop, read_end, sfr_buf_get(loop, 64)), &buf), 0);
	assert_text(buf, "");
}
END_TEST

START_TEST(a_write_to_a_pipe_without_reader_is_epipe)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int read_end, write_end;
	sfr_buf *buf;

	signal(SIGPIPE, SIG_IGN);
	pair_of_pipe_ends(&read_end, &write_end);
	ck_assert_int_eq(dup2(empty_file(), read_end), read_end);
	ck_assert_int_eq(sfr_await(sfr_write(loop, write_end, sfr_buf_from(loop, "abc", 3)), &buf),
			 -EPIPE);
	assert_text(buf, "abc");
}
END_TEST

START_TEST(errors_are_those_of_the_system)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int directory = owned_fd(open("/", O_RDONLY | O_DIRECTORY));
	int read_only = owned_fd(open("/dev/null", O_RDONLY));
	int write_only = owned_fd(open("/dev/null", O_WRONLY));
	int file = empty_file();

	ck_assert_int_eq(sfr_await(sfr_read(loop, directory, sfr_buf_get(loop, 64)), NULL),
			 -EISDIR);
	ck_assert_int_eq(sfr_await(sfr_read(loop, write_only, sfr_buf_get(loop, 64)), NULL),
			 -EBADF);
	ck_assert_int_eq(sfr_await(sfr_write(loop, read_only, sfr_buf_from(loop, "x", 1)), NULL),
			 -EBADF);
	ck_assert_int_eq(sfr_await(sfr_recv(loop, file, sfr_buf_get(loop, 64)), NULL), -ENOTSOCK);
	ck_assert_int_eq(sfr_await(sfr_send(loop, file, sfr_buf_from(loop, "x", 1)), NULL),
			 -ENOTSOCK);
}
END_TEST

/*
 * Poll.
 */

START_TEST(a_poll_tells_what_is_there)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int a, b;

	pair_of_unix_sockets(&a, &b);
	ck_assert_int_eq(sfr_await(sfr_poll(loop, a, POLLIN | POLLOUT), NULL), POLLOUT);
	ck_assert_int_eq(send(b, "x", 1, 0), 1);
	ck_assert_int_eq(sfr_await(sfr_poll(loop, a, POLLIN | POLLOUT), NULL), POLLIN | POLLOUT);
	ck_assert_int_eq(sfr_await(sfr_poll(loop, a, POLLIN), NULL), POLLIN);
}
END_TEST

START_TEST(a_poll_waits)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int read_end, write_end;

	pair_of_pipe_ends(&read_end, &write_end);
	sfr_submit(sfr_poll(loop, read_end, POLLIN), record, &seen);
	ck_assert_int_eq(sfr_await(sfr_nop(loop), NULL), 0);
	ck_assert_int_eq(seen.calls, 0);
	ck_assert_int_eq(write(write_end, "x", 1), 1);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.calls, 1);
	ck_assert_int_eq(seen.result, POLLIN);
}
END_TEST

START_TEST(a_hangup_is_reported_unasked)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int read_end, write_end;

	pair_of_pipe_ends(&read_end, &write_end);
	sfr_submit(sfr_poll(loop, read_end, 0), record, &seen);
	ck_assert_int_eq(sfr_loop_step(loop, 0), 0);
	ck_assert_int_eq(dup2(empty_file(), write_end), write_end);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.result, POLLHUP);
	ck_assert_int_eq(sfr_await(sfr_poll(loop, -1, POLLIN), NULL), -EBADF);
}
END_TEST

/*
 * Close.
 */

START_TEST(a_closed_descriptor_is_gone)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int before = open_descriptors(), fd = dup(0);

	ck_assert_int_eq(sfr_await(sfr_close(loop, fd), NULL), 0);
	ck_assert_int_eq(open_descriptors(), before);
	ck_assert_int_eq(sfr_await(sfr_close(loop, fd), NULL), -EBADF);
	ck_assert_int_eq(sfr_await(sfr_close(loop, -1), NULL), -EBADF);
}
END_TEST

START_TEST(an_op_on_a_descriptor_that_was_closed_goes_on_until_cancelled)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int read_end, write_end, copy;
	sfr_ticket ticket;

	pair_of_pipe_ends(&read_end, &write_end);
	copy = dup(read_end);
	ticket = sfr_submit(sfr_read(loop, copy, sfr_buf_get(loop, 1)), record, &seen);
	ck_assert_int_eq(sfr_await(sfr_close(loop, copy), NULL), 0);
	ck_assert_int_eq(seen.calls, 0);
	ck_assert_int_eq(sfr_cancel(loop, ticket), 0);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.result, -ECANCELED);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("op_io");
	TCase *tc = world_case(suite, "files");

	world_test(tc, a_read_at_an_offset_leaves_the_position_of_the_file);
	world_test(tc, a_read_without_offset_moves_the_position_of_the_file);
	world_test(tc, a_read_beyond_the_end_is_zero);
	world_test(tc, a_write_at_an_offset_leaves_the_position_of_the_file);
	world_test(tc, the_largest_offset_is_refused_and_does_not_stand_for_the_position);
	world_test(tc, a_write_without_offset_moves_the_position_of_the_file);
	world_test(tc, a_write_of_nothing_writes_nothing);
	world_test(tc, what_is_moved_into_a_file_comes_out_again);
	world_test(tc, errors_are_those_of_the_system);
	tc = world_case(suite, "pipes");
	world_test(tc, a_pipe_gives_what_it_has);
	world_test(tc, a_write_to_a_pipe_without_reader_is_epipe);
	tc = world_case(suite, "poll");
	world_test(tc, a_poll_tells_what_is_there);
	world_test(tc, a_poll_waits);
	world_test(tc, a_hangup_is_reported_unasked);
	tc = world_case(suite, "close");
	world_test(tc, a_closed_descriptor_is_gone);
	world_test(tc, an_op_on_a_descriptor_that_was_closed_goes_on_until_cancelled);
	return world_run(suite);
}
