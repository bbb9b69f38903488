/* SPDX-License-Identifier: MIT */
/*
 * Descriptors that are closed, reused, shared, or tell of what nobody can fetch, on every engine.
 */
#include "engine_world.h"
#include "base/clock.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/net_tstamp.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static char data[256];

static void recv_next(int name, int fd)
{
	io_uring_prep_recv(sqe_next(), fd, data, 64, 0);
	sqe_is(name, 0);
}

static void close_next(int name, int fd)
{
	io_uring_prep_close(sqe_next(), fd);
	sqe_is(name, 0);
}

static void pair(int kind, int *a, int *b)
{
	int fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, kind, 0, fds), 0);
	*a = fds[0];
	*b = fds[1];
}

/*
 * Closing.
 */

/* Both are ready when the engine looks, in either order. What the one sets going gives the number of the other to
 * a socket of which there is nothing to tell. */
START_TEST(a_poll_is_not_told_what_was_said_of_a_file_that_had_its_number)
{
	int a, a_far, b, b_far, number, i;

	engine_in(_i, NULL);
	pair(SOCK_STREAM, &a, &a_far);
	pair(SOCK_STREAM, &b, &b_far);
	for (i = 0; i < 4; i++) {
		char byte;

		number = dup(b); /* the lowest that is free, and so the next one as well */
		io_uring_prep_poll_add(sqe_next(), number, POLLIN);
		sqe_is(A, 0);
		io_uring_prep_poll_add(sqe_next(), a, POLLIN);
		sqe_is(B, IOSQE_IO_LINK);
		io_uring_prep_close(sqe_next(), number);
		sqe_is(C, IOSQE_IO_LINK);
		io_uring_prep_socket(sqe_next(), AF_INET, SOCK_DGRAM, 0, 0);
		sqe_is(D, IOSQE_IO_LINK);
		io_uring_prep_poll_add(sqe_next(), number, POLLIN);
		sqe_is(E, 0);
		collect_now();
		ck_assert_int_eq(send(i & 1 ? a_far : b_far, "x", 1, 0), 1);
		ck_assert_int_eq(send(i & 1 ? b_far : a_far, "x", 1, 0), 1);
		collect(4);

		ck_assert_int_eq(result_of(A), POLLIN);
		ck_assert_int_eq(result_of(D), number);
		ck_assert(is_pending(E));
		sqe_cancel(E);
		sqe_is(CANCEL, 0);
		collect(2);
		close(number);
		ck_assert_int_eq(read(a, &byte, 1), 1);
		ck_assert_int_eq(read(b, &byte, 1), 1);
	}
	close(a);
	close(a_far);
	close(b);
	close(b_far);
}
END_TEST

START_TEST(what_was_given_before_a_close_is_done_to_the_file_it_was_given_for)
{
	int fd, second;

	engine_in(_i, "ring.workers=1");
	fd = dup(file_with(""));
	io_uring_prep_write(sqe_next(), fd, "hello", 5, 0);
	sqe_is(A, 0);
	close_next(B, fd);
	collect_now();
	second = open("/dev/null", O_RDONLY);
	collect(is_pending(A) + is_pending(B));

	ck_assert_int_eq(result_of(A), 5);
	ck_assert_int_eq(result_of(B), 0);
	close(second);
}
END_TEST

START_TEST(who_waits_for_a_descriptor_that_an_entry_closes_still_gets_what_comes)
{
	int a, a_far, b, b_far;

	engine_in(_i, NULL);
	pair(SOCK_STREAM, &a, &a_far);
	pair(SOCK_STREAM, &b, &b_far);
	recv_next(A, a);
	collect(0);
	ck_assert_int_eq(send(a_far, "x", 1, 0), 1);
	collect(1);
	close(a); /* nobody waits for it, and its number is free for what keeps b's file */
	recv_next(B, b);
	collect(0);
	close_next(C, b);
	collect(1);
	ck_assert_int_eq(result_of(C), 0);

	ck_assert_int_eq(send(b_far, "abc", 3, 0), 3);
	collect(1);
	ck_assert_int_eq(result_of(B), 3);
	close(a_far);
	close(b_far);
}
END_TEST

START_TEST(an_entry_that_closes_closes_although_somebody_waits_for_what_had_the_number)
{
	int a, a_far, b, b_far;

	engine_in(_i, NULL);
	pair(SOCK_STREAM, &a, &a_far);
	recv_next(A, a);
	collect(0);
	pair(SOCK_STREAM, &b, &b_far);
	ck_assert_int_eq(dup2(b, a), a); /* a's own file is closed behind the engine's back */
	close(b);
	close_next(B, a);
	collect(1 + (differs("descriptor_numbers") ? 1 : 0));

	ck_assert_int_eq(result_of(B), 0);
	ck_assert_int_eq(send(b_far, "secret", 6, MSG_NOSIGNAL), -1);
	if (!differs("descriptor_numbers"))
		ck_assert(is_pending(A));
	else
		ck_assert_int_eq(result_of(A), -EBADF);
	close(a_far);
	close(b_far);
}
END_TEST

START_TEST(a_registered_file_is_not_closed_by_its_index)
{
	struct sfr__engine *engine = engine_in(_i, NULL);
	int fd = file_with("0123456789");

	ck_assert_int_eq(engine->calls->files_add(engine, &fd, 1), 0);
	io_uring_prep_close(sqe_next(), 0);
	sqe_is(A, IOSQE_FIXED_FILE);
	collect(1);
	io_uring_prep_read(sqe_next(), 0, data, 10, 0);
	sqe_is(B, IOSQE_FIXED_FILE);
	collect(1);

	ck_assert_int_eq(result_of(A), -EBADF);
	ck_assert_int_eq(result_of(B), 10);
}
END_TEST

START_TEST(what_is_not_open_cannot_be_a_registered_file)
{
	struct sfr__engine *engine = engine_in(_i, NULL);
	const int fds[] = {file_with(""), 1 << 20};

	ck_assert_int_eq(engine->calls->files_add(engine, fds, 2), -EBADF);
}
END_TEST

/*
 * Sleep: an engine that has nothing to do does not burn a core.
 */

static uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* Ends with a timeout after a fifth of a second. */
static void sleeps(struct sfr__engine *engine)
{
	uint64_t before = cpu_ns();

	ck_assert_int_eq(engine->calls->enter(engine, true, 200 * MILLISECOND), 0);
	ck_assert_uint_lt(cpu_ns() - before, (uint64_t)(100 * MILLISECOND));
}

START_TEST(data_for_a_file_that_was_closed_but_lives_on_elsewhere_keeps_nobody_awake)
{
	struct sfr__engine *engine = engine_in(_i, NULL);
	int fd, far, copy;

	pair(SOCK_STREAM, &fd, &far);
	recv_next(A, fd);
	io_uring_prep_poll_add(sqe_next(), fd, POLLIN);
	sqe_is(B, 0);
	collect(0);
	copy = dup(fd);
	close(fd);
	ck_assert_int_eq(send(far, "abc", 3, 0), 3);

	collect(2);
	sleeps(engine);
	close(copy);
	close(far);
}
END_TEST

START_TEST(an_error_queue_that_nobody_reads_keeps_nobody_awake)
{
	int on = SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_OPT_ID;
	struct sfr__engine *engine = engine_in(_i, NULL);

	connection(2); /* TCP */
	if (setsockopt(here, SOL_SOCKET, SO_TIMESTAMPING, &on, sizeof(on)) < 0)
		return; /* emulators do not pass it on */
	ck_assert_int_eq(send(here, "x", 1, 0), 1);
	recv_next(A, here);
	collect(0);
	sleeps(engine);
	ck_assert(is_pending(A));

	ck_assert_int_eq(send(there, "hello", 5, 0), 5);
	collect(1);
	ck_assert_int_eq(result_of(A), 5);
}
END_TEST

START_TEST(room_that_is_not_enough_keeps_nobody_awake)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	struct iovec vector = {"x", 1};
	struct msghdr msg = {.msg_name = &name, .msg_iov = &vector, .msg_iovlen = 1};
	struct sfr__engine *engine = engine_in(_i, NULL);
	int from = owned_fd(socket(AF_UNIX, SOCK_DGRAM, 0));
	int to = owned_fd(socket(AF_UNIX, SOCK_DGRAM, 0));

	msg.msg_namelen = sizeof(name);
	ck_assert_int_eq(bind(to, (struct sockaddr *)&name, sizeof(name.sun_family)), 0);
	ck_assert_int_eq(getsockname(to, (struct sockaddr *)&name, &msg.msg_namelen), 0);
	while (sendmsg(from, &msg, MSG_DONTWAIT) == 1)
		;
	io_uring_prep_sendmsg(sqe_next(), from, &msg, 0);
	sqe_is(A, 0);
	collect(0);
	sleeps(engine);
	ck_assert(is_pending(A));

	while (recv(to, data, 1, MSG_DONTWAIT) == 1)
		;
	collect(1);
	ck_assert_int_ge(result_of(A), 0); /* the kernel loses count when it waits here */
}
END_TEST

START_TEST(waiting_for_more_does_not_shorten_a_sleep_without_limit)
{
	struct sfr__engine *engine = engine_in(_i, "ring.min_wait=200us");
	struct __kernel_timespec ts = {.tv_nsec = 200 * MILLISECOND};
	uint64_t before = cpu_ns();

	io_uring_prep_timeout(sqe_next(), &ts, 0, 0);
	sqe_is(A, 0);
	ck_assert_int_eq(engine->calls->enter(engine, true, -1), 0);

	ck_assert_uint_le(engine->enters, 2);
	ck_assert_uint_lt(cpu_ns() - before, (uint64_t)(150 * MILLISECOND));
	collect(1);
}
END_TEST

/*
 * Sockets that are not what the entry is for.
 */

START_TEST(what_does_not_listen_accepts_nobody)
{
	int fds[2], stream, stream_far;

	engine_in(_i, NULL);
	pair_of_pipe_ends(&fds[0], &fds[1]);
	pair_of_sockets(&stream, &stream_far);
	io_uring_prep_accept(sqe_next(), stream, NULL, NULL, 0);
	sqe_is(A, 0);
	io_uring_prep_accept(sqe_next(), owned_fd(socket(AF_INET, SOCK_DGRAM, 0)), NULL, NULL, 0);
	sqe_is(B, 0);
	io_uring_prep_accept(sqe_next(), fds[0], NULL, NULL, 0);
	sqe_is(C, 0);
	io_uring_prep_accept(sqe_next(), owned_fd(socket(AF_INET, SOCK_STREAM, 0)), NULL, NULL, 0);
	sqe_is(D, 0);
	collect(4);

	ck_assert_int_eq(result_of(A), -EINVAL);
	ck_assert_int_eq(result_of(B), -EOPNOTSUPP);
	ck_assert_int_eq(result_of(C), -ENOTSOCK);
	ck_assert_int_eq(result_of(D), -EINVAL);
}
END_TEST

START_TEST(a_short_datagram_breaks_a_row_that_wants_all_of_it)
{
	int fd, far;

	engine_in(_i, NULL);
	pair(SOCK_DGRAM, &fd, &far);
	ck_assert_int_eq(send(far, "abc", 3, 0), 3);
	io_uring_prep_recv(sqe_next(), fd, data, 10, MSG_WAITALL);
	sqe_is(A, IOSQE_IO_LINK);
	io_uring_prep_nop(sqe_next());
	sqe_is(B, 0);
	collect(2);

	ck_assert_int_eq(result_of(A), 3);
	ck_assert_int_eq(result_of(B), -ECANCELED);
	close(fd);
	close(far);
}
END_TEST

START_TEST(packets_in_sequence_fill_a_receive_that_wants_all)
{
	int fd, far;

	engine_in(_i, NULL);
	pair(SOCK_SEQPACKET, &fd, &far);
	ck_assert_int_eq(send(far, "abc", 3, 0), 3);
	io_uring_prep_recv(sqe_next(), fd, data, 10, MSG_WAITALL);
	sqe_is(A, 0);
	collect(0);
	ck_assert(is_pending(A));
	ck_assert_int_eq(send(far, "defghij", 7, 0), 7);
	collect(1);

	ck_assert_int_eq(result_of(A), 10);
	ck_assert_mem_eq(data, "abcdefghij", 10);
	close(fd);
	close(far);
}
END_TEST

START_TEST(a_socket_that_does_not_block_is_told_of_a_full_backlog)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	socklen_t size = sizeof(name);
	int listener = owned_fd(socket(AF_UNIX, SOCK_STREAM, 0)), fd;

	engine_in(_i, NULL);
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&name, sizeof(name.sun_family)), 0);
	ck_assert_int_eq(listen(listener, 0), 0);
	ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&name, &size), 0);
	fd = owned_fd(socket(AF_UNIX, SOCK_STREAM, 0));
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&name, size), 0);
	fd = owned_fd(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
	io_uring_prep_connect(sqe_next(), fd, (struct sockaddr *)&name, size);
	sqe_is(A, 0);
	collect(1);

	ck_assert_int_eq(result_of(A), -EAGAIN);
}
END_TEST

START_TEST(one_that_blocks_is_connected_when_there_is_room_and_files_go_on_meanwhile)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	socklen_t size = sizeof(name);
	int listener = owned_fd(socket(AF_UNIX, SOCK_STREAM, 0)), fd, i;

	engine_in(_i, "ring.workers=2");
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&name, sizeof(name.sun_family)), 0);
	ck_assert_int_eq(listen(listener, 0), 0);
	ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&name, &size), 0);
	fd = owned_fd(socket(AF_UNIX, SOCK_STREAM, 0));
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&name, size), 0);
	for (i = 0; i < 4; i++) {
		fd = owned_fd(socket(AF_UNIX, SOCK_STREAM, 0));
		io_uring_prep_connect(sqe_next(), fd, (struct sockaddr *)&name, size);
		sqe_is(10 + i, 0);
	}
	io_uring_prep_write(sqe_next(), file_with(""), "hello", 5, 0);
	sqe_is(A, 0);
	collect(1);
	ck_assert_int_eq(result_of(A), 5);

	for (i = 0; i < 4; i++) {
		owned_fd(accept(listener, NULL, NULL));
		collect(1);
	}
	for (i = 0; i < 4; i++)
		ck_assert_int_eq(result_of(10 + i), 0);
}
END_TEST

START_TEST(poll_takes_no_orders_meant_for_epoll)
{
	int read_end, write_end;

	engine_in(_i, NULL);
	pair_of_pipe_ends(&read_end, &write_end);
	io_uring_prep_poll_add(sqe_next(), read_end, POLLIN | EPOLLEXCLUSIVE);
	sqe_is(A, 0);
	collect(0);
	ck_assert_int_eq(write(write_end, "x", 1), 1);
	collect(1);

	ck_assert_int_eq(result_of(A), POLLIN);
}
END_TEST

START_TEST(a_time_beyond_counting_does_not_come)
{
	struct __kernel_timespec ts = {.tv_sec = INT64_MAX};

	engine_in(_i, NULL);
	io_uring_prep_timeout(sqe_next(), &ts, 0, 0);
	sqe_is(A, 0);
	collect(0);

	ck_assert(is_pending(A));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("engine close");
	TCase *tc = engine_case(suite, "closing");

	engine_test(tc, a_poll_is_not_told_what_was_said_of_a_file_that_had_its_number);
	engine_test(tc, what_was_given_before_a_close_is_done_to_the_file_it_was_given_for);
	engine_test(tc, who_waits_for_a_descriptor_that_an_entry_closes_still_gets_what_comes);
	engine_test(tc,
		    an_entry_that_closes_closes_although_somebody_waits_for_what_had_the_number);
	engine_test(tc, a_registered_file_is_not_closed_by_its_index);
	engine_test(tc, what_is_not_open_cannot_be_a_registered_file);
	tc = engine_case(suite, "sleep");
	engine_test(tc, data_for_a_file_that_was_closed_but_lives_on_elsewhere_keeps_nobody_awake);
	engine_test(tc, an_error_queue_that_nobody_reads_keeps_nobody_awake);
	engine_test(tc, room_that_is_not_enough_keeps_nobody_awake);
	engine_test(tc, waiting_for_more_does_not_shorten_a_sleep_without_limit);
	tc = engine_case(suite, "the wrong kind");
	engine_test(tc, what_does_not_listen_accepts_nobody);
	engine_test(tc, a_short_datagram_breaks_a_row_that_wants_all_of_it);
	engine_test(tc, packets_in_sequence_fill_a_receive_that_wants_all);
	engine_test(tc, a_socket_that_does_not_block_is_told_of_a_full_backlog);
	engine_test(tc, one_that_blocks_is_connected_when_there_is_room_and_files_go_on_meanwhile);
	engine_test(tc, poll_takes_no_orders_meant_for_epoll);
	engine_test(tc, a_time_beyond_counting_does_not_come);
	return engine_run(suite);
}
