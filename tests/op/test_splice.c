/* SPDX-License-Identifier: MIT */
/*
 * Moving bytes between descriptors.
 */
#include "pending.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int reader, writer;

static sfr_loop *loop_and_pipe(int world, const char *more)
{
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

/*
 * What a splice waits for does not keep others waiting: nothing here ends if the loop's thread has to wait for
 * the lock of a pipe.
 */

enum { SOURCES = 5, USES = 6 };

/* Something of which nothing comes, as a descriptor or a registered file. *far is its other end. */
static int quiet_source(sfr_loop *loop, int which, int *far)
{
	int near, name = -1;

	if (which == 0 || which == 3) {
		pair_of_sockets(&near, far);
	} else if (which == 1) {
		pair_of_unix_sockets(&near, far);
	} else if (which == 2) {
		*far = owned_fd(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
		ck_assert_int_eq(grantpt(*far), 0);
		ck_assert_int_eq(unlockpt(*far), 0);
		near = owned_fd(open(ptsname(*far), O_RDWR | O_NOCTTY | O_CLOEXEC));
	} else {
		struct sockaddr_in addr;
		int listener = listening_socket(&addr, 1);

		*far = owned_fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
		ck_assert_int_eq(connect(*far, (struct sockaddr *)&addr, sizeof(addr)), 0);
		ck_assert_int_eq(sfr_files_register(loop, &name, 1, &name), 0);
		ck_assert_int_eq(sfr_await(sfr_into(sfr_accept(loop, listener), name), NULL), 0);
		return name;
	}
	if (which == 3)
		ck_assert_int_eq(sfr_files_register(loop, &near, 1, &name), 0);
	return which == 3 ? name : near;
}

/* Each in its way needs the lock of a pipe, or might. */
static sfr_op *use_of_pipe(sfr_loop *loop, int which, int out)
{
	switch (which) {
	case 0:
		return sfr_read(loop, reader, sfr_buf_get(loop, 100));
	case 1:
		return sfr_write(loop, writer, sfr_buf_from(loop, "x", 1));
	case 2:
		return sfr_close(loop, dup(reader));
	case 3:
		return sfr_read_multi(loop, reader);
	case 4:
		return sfr_poll(loop, reader, 1 /* POLLIN */);
	default:
		return sfr_splice(loop, reader, -1, out, -1, 100, 0);
	}
}

START_TEST(while_a_splice_waits_its_pipe_can_be_used)
{
	static struct seen used;
	int which = 0, use;

	for (which = 0; which < SOURCES; which++) {
		for (use = 0; use < USES; use++) {
			sfr_loop *loop = loop_and_pipe(_i, NULL);
			int far, near = quiet_source(loop, which, &far), out_read, out_write;
			sfr_ticket ticket;

			pair_of_pipe_ends(&out_read, &out_write);
			used = (struct seen){0};
			ticket = sfr_submit(sfr_splice(loop, near, -1, writer, -1, 100, 0), record,
					    &seen);
			ck_assert_int_eq(sfr_await(sfr_timeout(loop, 1000000), NULL), 0);
			sfr_submit(sfr_within(use_of_pipe(loop, use, out_write), 1000000), record,
				   &used);
			turn_until(loop, &used.calls, 1);
			ck_assert_int_eq(used.result, use == 1 ? 1 : use == 2 ? 0 : -ETIMEDOUT);
			ck_assert_int_eq(seen.calls, 0);
			if (use & 1) {
				ck_assert_int_eq(sfr_cancel(loop, ticket), 0);
			} else { /* and it is still waited for */
				put(far, "hello\n");
				turn_until(loop, &seen.calls, 1);
			}
			ck_assert_int_eq(sfr_loop_drain(loop, -1), 0);
			ck_assert_int_eq(seen.result, use & 1 ? -ECANCELED : 6);
			loop_end();
		}
	}
}
END_TEST

/* As much as goes without waiting; which then is all. */
static void fill(int fd)
{
	static const char much[65536];
	int flags = fcntl(fd, F_GETFL);

	ck_assert_int_eq(fcntl(fd, F_SETFL, flags | O_NONBLOCK), 0);
	while (write(fd, much, sizeof(much)) > 0)
		;
	ck_assert_int_eq(fcntl(fd, F_SETFL, flags), 0);
}

/* All that comes without waiting. */
static void empty(int fd)
{
	static char much[65536];

	while (recv(fd, much, sizeof(much), MSG_DONTWAIT) > 0)
		;
}

START_TEST(while_a_splice_waits_for_room_its_pipe_can_be_used)
{
	static struct seen used;
	int which;

	for (which = 0; which < 6; which++) {
		sfr_loop *loop = loop_and_pipe(_i, NULL);
		int near, far, name = -1;

		if (which & 1)
			pair_of_unix_sockets(&near, &far);
		else
			pair_of_sockets(&near, &far);
		fill(near);
		if (which >= 4)
			ck_assert_int_eq(sfr_files_register(loop, &near, 1, &name), 0);
		used = (struct seen){0};
		put(writer, "hello");
		sfr_submit(sfr_splice(loop, reader, -1, which >= 4 ? name : near, -1, 100, 0),
			   record, &seen);
		ck_assert_int_eq(sfr_await(sfr_timeout(loop, 1000000), NULL), 0);
		sfr_submit(sfr_read(loop, reader, sfr_buf_get(loop, 64)), record, &used);
		turn_until(loop, &used.calls, 1);
		ck_assert_int_eq(used.result, 5);
		ck_assert_int_eq(seen.calls, 0);
		put(writer, "abc");
		if (which & 2) {
			ck_assert_int_eq(sfr_cancel_fd(loop, reader), 1);
		} else {
			while (!seen.calls) {
				empty(far);
				ck_assert_int_ge(sfr_loop_step(loop, 1000000), 0);
			}
		}
		ck_assert_int_eq(sfr_loop_drain(loop, -1), 0);
		ck_assert_int_eq(seen.result, which & 2 ? -ECANCELED : 3);
		loop_end();
	}
}
END_TEST

static char bytes_sent[600000], bytes_got[600000];
static int count_got;

/* Receive what is there, if anything. */
static void get_some(int fd)
{
	ssize_t r = recv(fd, bytes_got + count_got, sizeof(bytes_got) - (size_t)count_got,
			 MSG_DONTWAIT);

	ck_assert(r > 0 || (r < 0 && errno == EAGAIN));
	count_got += r > 0 ? (int)r : 0;
}

/* A socket is writable long before there is room for all that a pipe holds. */
START_TEST(no_more_is_moved_than_there_is_room_for)
{
	int which, size = 4096, left;
	size_t i;

	for (i = 0; i < sizeof(bytes_sent); i++)
		bytes_sent[i] = (char)(i * 31 + i / 256);
	for (which = 0; which < 4; which++) {
		sfr_loop *loop = loop_and_pipe(_i, NULL);
		int near, far, name = -1;

		if (which & 1)
			pair_of_unix_sockets(&near, &far);
		else
			pair_of_sockets(&near, &far);
		ck_assert_int_eq(setsockopt(near, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
		ck_assert_int_eq(setsockopt(far, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)), 0);
		if (which & 2)
			ck_assert_int_eq(sfr_files_register(loop, &near, 1, &name), 0);
		ck_assert_int_ge(fcntl(writer, F_SETPIPE_SZ, 1 << 20), 1 << 20);
		ck_assert_int_eq(write(writer, bytes_sent, sizeof(bytes_sent)), sizeof(bytes_sent));
		count_got = 0;
		while (seen.bytes < sizeof(bytes_sent)) {
			int calls = seen.calls;

			sfr_submit(sfr_splice(loop, reader, -1, which & 2 ? name : near, -1,
					      sizeof(bytes_sent), 0),
				   record, &seen);
			while (seen.calls == calls) {
				ck_assert_int_ge(sfr_loop_step(loop, 1000000), 0);
				ck_assert_int_eq(ioctl(reader, FIONREAD, &left), 0); /* locks it */
				if (seen.calls == calls)
					get_some(far);
			}
			ck_assert_int_gt(seen.result, 0);
		}
		while (count_got < (int)sizeof(bytes_sent))
			get_some(far);
		ck_assert_int_eq(memcmp(bytes_sent, bytes_got, sizeof(bytes_sent)), 0);
		loop_end();
	}
}
END_TEST

START_TEST(what_is_said_of_pipes_does_not_keep_it_from_waiting_for_sockets)
{
	sfr_loop *loop = loop_and_pipe(_i, NULL);
	int near, far, i;

	for (i = 0; i < 2; i++) {
		seen = (struct seen){0};
		if (i)
			pair_of_unix_sockets(&near, &far);
		else
			pair_of_sockets(&near, &far);
		sfr_submit(sfr_splice(loop, near, -1, writer, -1, 100, SPLICE_F_NONBLOCK), record,
			   &seen);
		ck_assert_int_eq(sfr_await(sfr_timeout(loop, 1000000), NULL), 0);
		ck_assert_int_eq(seen.calls, 0);
		put(far, "hello");
		turn_until(loop, &seen.calls, 1);
		ck_assert_int_eq(seen.result, 5);

		ck_assert_int_eq(fcntl(near, F_SETFL, O_NONBLOCK), 0);
		ck_assert_int_eq(sfr_await(sfr_splice(loop, near, -1, writer, -1, 100, 0), NULL),
				 -EAGAIN);
		put(far, "again");
		ck_assert_int_eq(sfr_await(sfr_splice(loop, near, -1, writer, -1, 100, 0), NULL),
				 5);
		assert_next(reader, "helloagain");
	}
}
END_TEST

START_TEST(what_is_wrong_is_told_though_nothing_is_ready)
{
	sfr_loop *loop = loop_and_pipe(_i, NULL);
	int near, far;

	pair_of_sockets(&near, &far);
	ck_assert_int_eq(sfr_await(sfr_splice(loop, near, -1, far, -1, 9, 0), NULL), -EINVAL);
	ck_assert_int_eq(sfr_await(sfr_splice(loop, near, 3, writer, -1, 9, 0), NULL), -EINVAL);
	ck_assert_int_eq(sfr_await(sfr_splice(loop, near, -1, reader, -1, 9, 0), NULL), -EBADF);
	ck_assert_int_eq(sfr_await(sfr_splice(loop, near, -1, -1, -1, 9, 0), NULL), -EBADF);
	ck_assert_int_eq(sfr_await(sfr_splice(loop, near, -1, writer, -1, 0, 0), NULL), 0);
}
END_TEST

START_TEST(a_socket_that_waits_is_let_go_of_and_loses_nothing)
{
	sfr_loop *loop = loop_and_pipe(_i, NULL);
	int near, far, i;

	pair_of_sockets(&near, &far);
	for (i = 0; i < 8; i++) {
		sfr_op *splice = sfr_splice(loop, near, -1, writer, -1, 100, 0);
		sfr_ticket ticket;

		seen = (struct seen){0};
		ticket = sfr_submit(i & 2 ? sfr_within(splice, 1000) : splice, record, &seen);
		if (i & 1)
			ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
		if (!(i & 2))
			ck_assert_int_eq(
				i & 4 ? sfr_abandon(loop, ticket) : sfr_cancel(loop, ticket), 0);
		ck_assert_int_eq(sfr_loop_run(loop), 0);
		ck_assert_int_eq(seen.calls, i & 2 || !(i & 4));
		if (seen.calls)
			ck_assert_int_eq(seen.result, i & 2 ? -ETIMEDOUT : -ECANCELED);
	}
	put(far, "hello");
	assert_next(near, "hello");
}
END_TEST

START_TEST(in_a_batch_it_waits_for_what_comes_before_it)
{
	sfr_loop *loop = loop_and_pipe(_i, NULL);
	sfr_batch *batch = sfr_batch_new(loop);
	int near, far, sent, in, out, result;

	pair_of_sockets(&near, &far);
	sent = sfr_batch_add(batch, sfr_send(loop, far, sfr_buf_from(loop, "hello", 5)));
	in = sfr_batch_then(batch, sent, sfr_splice(loop, near, -1, writer, -1, 100, 0));
	out = sfr_batch_then(batch, in, sfr_splice(loop, reader, -1, far, -1, 5, 0));
	ck_assert_int_eq(sfr_batch_await(batch), 1); /* it was short */
	ck_assert_int_eq(sfr_batch_result(batch, in, &result), 0);
	ck_assert_int_eq(result, 5);
	ck_assert_int_eq(sfr_batch_result(batch, out, &result), 0);
	ck_assert_int_eq(result, -SFR_EDEPFAILED);
	sfr_batch_free(batch);
	assert_next(reader, "hello");
}
END_TEST

/* A connection that a batch accepts into a place, and of which nothing comes yet. */
START_TEST(what_is_accepted_in_the_same_batch_does_not_keep_others_waiting)
{
	static struct seen used;
	int name = -1, i;

	for (i = 0; i < 2; i++) { /* the place is empty, or has a pipe until the batch closes it */
		sfr_loop *loop = loop_and_pipe(_i, NULL);
		sfr_batch *batch = sfr_batch_new(loop);
		int listener, client = owned_fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
		int before = -1, accepted, moved, result;
		struct sockaddr_in addr;

		used = (struct seen){0};
		listener = listening_socket(&addr, 1);
		ck_assert_int_eq(connect(client, (struct sockaddr *)&addr, sizeof(addr)), 0);
		name = i ? reader : -1;
		ck_assert_int_eq(sfr_files_register(loop, &name, 1, &name), 0);
		if (i)
			before = sfr_batch_add(batch, sfr_close(loop, name));
		accepted = sfr_batch_add(batch, sfr_into(sfr_accept(loop, listener), name));
		if (i)
			ck_assert_int_eq(sfr_batch_after(batch, accepted, before), 0);
		moved = sfr_batch_then(batch, accepted,
				       sfr_splice(loop, name, -1, writer, -1, 5, 0));
		ck_assert_int_eq(sfr_batch_submit(batch, NULL, NULL), 0);
		ck_assert_int_eq(sfr_await(sfr_timeout(loop, 1000000), NULL), 0);
		sfr_submit(sfr_within(sfr_read(loop, reader, sfr_buf_get(loop, 100)), 1000000),
			   record, &used);
		turn_until(loop, &used.calls, 1);
		ck_assert_int_eq(used.result, -ETIMEDOUT);
		put(client, "hello");
		ck_assert_int_eq(sfr_batch_await(batch), 0);
		ck_assert_int_eq(sfr_batch_result(batch, moved, &result), 0);
		ck_assert_int_eq(result, 5);
		sfr_batch_free(batch);
		assert_next(reader, "hello");
		loop_end();
	}
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
	tc = world_case(suite, "locks");
	world_test(tc, while_a_splice_waits_its_pipe_can_be_used);
	world_test(tc, while_a_splice_waits_for_room_its_pipe_can_be_used);
	world_test(tc, no_more_is_moved_than_there_is_room_for);
	world_test(tc, what_is_said_of_pipes_does_not_keep_it_from_waiting_for_sockets);
	world_test(tc, a_socket_that_waits_is_let_go_of_and_loses_nothing);
	world_test(tc, in_a_batch_it_waits_for_what_comes_before_it);
	world_test(tc, what_is_accepted_in_the_same_batch_does_not_keep_others_waiting);
	tc = world_case(suite, "refusals");
	world_test(tc, errors_are_those_of_the_system);
	world_test(tc, what_is_wrong_is_told_though_nothing_is_ready);
	return world_run(suite);
}
