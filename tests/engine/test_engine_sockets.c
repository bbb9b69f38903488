/* SPDX-License-Identifier: MIT */
/*
 * Sockets: receiving and messages on every engine. Sending by itself is in test_engine_send.c.
 */
#include "engine_world.h"
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static char data[256];

static void peer_sends(const char *text)
{
	ck_assert_int_eq(send(there, text, strlen(text), 0), (int)strlen(text));
}

/* TCP may take a moment, even from here to here. */
static void peer_sent(const char *text)
{
	struct pollfd arrival = {.fd = here, .events = POLLIN};

	peer_sends(text);
	ck_assert_int_eq(poll(&arrival, 1, PATIENCE_MS), 1);
}

static void recv_next(int name, unsigned size, int flags)
{
	io_uring_prep_recv(sqe_next(), here, data, size, flags);
	sqe_is(name, 0);
}

/*
 * Receiving.
 */

START_TEST(what_is_there_is_received_at_once)
{
	engine_and_connection(_i);
	peer_sent("hello");
	recv_next(A, 64, 0);
	collect_now();

	ck_assert_int_eq(result_of(A), 5);
	ck_assert_mem_eq(data, "hello", 5);
}
END_TEST

START_TEST(receiving_waits_whether_the_socket_blocks_or_not_and_does_not_change_it)
{
	int flags;

	engine_and_connection(_i);
	flags = fd_flags(here);
	recv_next(A, 64, 0);
	collect(0);
	ck_assert(is_pending(A));
	ck_assert_int_eq(fd_flags(here), flags);

	peer_sends("hello");
	collect(1);
	ck_assert_int_eq(result_of(A), 5);
	ck_assert_mem_eq(data, "hello", 5);
	ck_assert_int_eq(fd_flags(here), flags);
}
END_TEST

START_TEST(receiving_takes_no_more_than_there_is_room_for)
{
	engine_and_connection(_i);
	peer_sends("hello");
	recv_next(A, 2, 0);
	recv_next(B, 64, 0);
	collect(2);

	ck_assert_int_eq(result_of(A), 2);
	ck_assert_int_eq(result_of(B), 3);
}
END_TEST

START_TEST(peeking_leaves_what_it_saw)
{
	engine_and_connection(_i);
	peer_sends("hello");
	recv_next(A, 64, MSG_PEEK);
	collect(1);

	ck_assert_int_eq(result_of(A), 5);
	ck_assert_int_eq(bytes_waiting(here), 5);
}
END_TEST

START_TEST(receiving_all_waits_for_all)
{
	engine_and_connection(_i);
	recv_next(A, 10, MSG_WAITALL);
	peer_sends("abc");
	collect(0);
	peer_sends("defg");
	collect(0);
	ck_assert(is_pending(A));

	peer_sends("hijkl");
	collect(1);
	ck_assert_int_eq(result_of(A), 10);
	ck_assert_mem_eq(data, "abcdefghij", 10);
}
END_TEST

START_TEST(not_to_wait_is_said_with_the_entry)
{
	engine_and_connection(_i);
	recv_next(A, 64, MSG_DONTWAIT);
	collect(1);
	ck_assert_int_eq(result_of(A), -EAGAIN);

	peer_sent("hello");
	recv_next(B, 64, MSG_DONTWAIT);
	collect(1);
	ck_assert_int_eq(result_of(B), 5);
}
END_TEST

START_TEST(the_end_of_a_stream_is_zero_as_often_as_one_asks)
{
	engine_and_connection(_i);
	peer_sends("abc");
	fd_empty(there);
	recv_next(A, 64, 0);
	recv_next(B, 64, 0);
	collect(2);
	recv_next(C, 64, MSG_WAITALL);
	collect(1);

	ck_assert_int_eq(result_of(A), 3);
	ck_assert_int_eq(result_of(B), 0);
	ck_assert_int_eq(result_of(C), 0);
}
END_TEST

START_TEST(the_end_of_a_stream_ends_a_wait)
{
	engine_and_connection(_i);
	recv_next(A, 64, 0);
	collect(0);
	fd_empty(there);
	collect(1);

	ck_assert_int_eq(result_of(A), 0);
}
END_TEST

START_TEST(a_reset_is_an_error)
{
	struct sockaddr nobody = {.sa_family = AF_UNSPEC};

	engine_in(_i, NULL);
	connection(1);
	recv_next(A, 64, 0);
	collect(0);
	ck_assert_int_eq(connect(there, &nobody, sizeof(nobody)), 0); /* this is how one resets */
	collect(1);

	ck_assert_int_eq(result_of(A), -ECONNRESET);
}
END_TEST

START_TEST(a_file_is_not_a_socket)
{
	engine_in(_i, NULL);
	here = file_with("abc");
	recv_next(A, 64, 0);
	io_uring_prep_send(sqe_next(), here, data, 1, 0);
	sqe_is(B, 0);
	io_uring_prep_accept(sqe_next(), here, NULL, NULL, 0);
	sqe_is(C, 0);
	io_uring_prep_shutdown(sqe_next(), here, SHUT_WR);
	sqe_is(D, 0);
	io_uring_prep_connect(sqe_next(), here, (struct sockaddr *)data, 16);
	sqe_is(E, 0);
	collect(5);

	ck_assert_int_eq(result_of(A), -ENOTSOCK);
	ck_assert_int_eq(result_of(B), -ENOTSOCK);
	ck_assert_int_eq(result_of(C), -ENOTSOCK);
	ck_assert_int_eq(result_of(D), -ENOTSOCK);
	ck_assert_int_eq(result_of(E), -ENOTSOCK);
}
END_TEST

START_TEST(no_descriptor_is_an_error)
{
	engine_in(_i, NULL);
	here = 1 << 20;
	recv_next(A, 64, 0);
	io_uring_prep_send(sqe_next(), here, data, 1, 0);
	sqe_is(B, 0);
	io_uring_prep_accept(sqe_next(), here, NULL, NULL, 0);
	sqe_is(C, 0);
	io_uring_prep_poll_add(sqe_next(), here, 1);
	sqe_is(D, 0);
	collect(4);

	ck_assert_int_eq(result_of(A), -EBADF);
	ck_assert_int_eq(result_of(B), -EBADF);
	ck_assert_int_eq(result_of(C), -EBADF);
	ck_assert_int_eq(result_of(D), -EBADF);
}
END_TEST

START_TEST(one_may_receive_and_send_on_a_socket_at_a_time)
{
	engine_and_connection(_i);
	recv_next(A, 64, 0);
	io_uring_prep_send(sqe_next(), here, "hello", 5, 0);
	sqe_is(B, 0);
	collect(1);
	ck_assert_int_eq(result_of(B), 5);
	ck_assert_int_eq(recv(there, data, 5, MSG_WAITALL), 5);

	peer_sends("abc");
	collect(1);
	ck_assert_int_eq(result_of(A), 3);
}
END_TEST

START_TEST(what_waits_goes_on_when_its_number_names_another_file)
{
	int second, second_far, was;

	engine_and_connection(_i);
	if (differs("descriptor_numbers"))
		return;
	recv_next(A, 64, 0);
	collect(0);
	was = owned_fd(dup(here)); /* the connection lives on */
	pair_of_unix_sockets(&second, &second_far);
	ck_assert_int_eq(dup2(second, here), here);
	ck_assert_int_eq(send(second_far, "other", 5, 0), 5);
	collect(0);
	ck_assert(is_pending(A));

	peer_sends("abc");
	collect(1);
	ck_assert_int_eq(result_of(A), 3);
	ck_assert_mem_eq(data, "abc", 3);
	ck_assert_int_eq(bytes_waiting(was), 0);
}
END_TEST

/* The engine notices at the next request for that number, and never gives one file's bytes to who waits
 * for another's. */
START_TEST(or_what_waited_ends_when_its_number_is_used_again)
{
	int second, second_far;

	engine_and_connection(_i);
	if (!differs("descriptor_numbers"))
		return;
	recv_next(A, 64, 0);
	collect(0);
	pair_of_unix_sockets(&second, &second_far);
	ck_assert_int_eq(dup2(second, here), here);

	recv_next(B, 64, 0);
	collect(1);
	ck_assert_int_eq(result_of(A), -EBADF);
	ck_assert_int_eq(send(second_far, "other", 5, 0), 5);
	collect(1);
	ck_assert_int_eq(result_of(B), 5);
	ck_assert_mem_eq(data, "other", 5);
}
END_TEST

START_TEST(a_thousand_answers_of_another_process_come)
{
	static char byte;
	pid_t peer;
	int i;

	engine_and_connection(_i);
	peer = fork();
	if (peer == 0) {
		while (read(there, &byte, 1) == 1 && write(there, &byte, 1) == 1)
			;
		_exit(0);
	}
	for (i = 0; i < 1000; i++) {
		io_uring_prep_send(sqe_next(), here, &byte, 1, 0);
		sqe_is(A, 0);
		recv_next(B, 1, 0);
		collect(2);
		ck_assert_int_eq(result_of(B), 1);
		order_count = 0;
	}
	shutdown(here, SHUT_RDWR);
	ck_assert_int_eq(waitpid(peer, NULL, 0), peer);
}
END_TEST

START_TEST(messages_gather_and_scatter)
{
	char in[3][4] = {{0}};
	struct iovec from[] = {{"abc", 3}, {"", 0}, {"defgh", 5}};
	struct iovec to[] = {{in[0], 2}, {in[1], 4}, {in[2], 4}};
	struct msghdr out_msg = {.msg_iov = from, .msg_iovlen = 3};
	struct msghdr in_msg = {.msg_iov = to, .msg_iovlen = 3};

	engine_and_connection(_i);
	io_uring_prep_recvmsg(sqe_next(), here, &in_msg, 0);
	sqe_is(A, 0);
	io_uring_prep_sendmsg(sqe_next(), there, &out_msg, 0);
	sqe_is(B, 0);
	collect(2);

	ck_assert_int_eq(result_of(A), 8);
	ck_assert_int_eq(result_of(B), 8);
	ck_assert_mem_eq(in[0], "ab", 2);
	ck_assert_mem_eq(in[1], "cdef", 4);
	ck_assert_mem_eq(in[2], "gh", 2);
}
END_TEST

START_TEST(messages_of_datagrams_say_who_sent_them)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in from[2] = {{0}}, to = addr; /* more room than it takes */
	struct iovec in = {data, sizeof(data)}, out = {"hello", 5};
	struct msghdr in_msg = {
		.msg_name = from, .msg_namelen = sizeof(from), .msg_iov = &in, .msg_iovlen = 1};
	struct msghdr out_msg = {
		.msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = &out, .msg_iovlen = 1};
	socklen_t size = sizeof(addr);

	engine_in(_i, NULL);
	here = owned_fd(socket(AF_INET, SOCK_DGRAM, 0));
	there = owned_fd(socket(AF_INET, SOCK_DGRAM, 0));
	ck_assert_int_eq(bind(here, (struct sockaddr *)&addr, size), 0);
	ck_assert_int_eq(bind(there, (struct sockaddr *)&addr, size), 0);
	ck_assert_int_eq(getsockname(here, (struct sockaddr *)&to, &size), 0);
	ck_assert_int_eq(getsockname(there, (struct sockaddr *)&addr, &size), 0);
	io_uring_prep_recvmsg(sqe_next(), here, &in_msg, 0);
	sqe_is(A, 0);
	collect(0);
	io_uring_prep_sendmsg(sqe_next(), there, &out_msg, 0);
	sqe_is(B, 0);
	collect(2);

	ck_assert_int_eq(result_of(A), 5);
	ck_assert_int_eq(result_of(B), 5);
	ck_assert_mem_eq(from, &addr, sizeof(addr));
	ck_assert_uint_eq(in_msg.msg_namelen, sizeof(addr));
}
END_TEST

START_TEST(a_datagram_is_received_whole_or_cut_and_never_waited_for_more)
{
	int fds[2];

	engine_in(_i, NULL);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds), 0);
	here = owned_fd(fds[0]);
	there = owned_fd(fds[1]);
	peer_sends("hello");
	peer_sends("hello");
	peer_sends("");
	recv_next(A, 64, MSG_WAITALL);
	collect(1);
	recv_next(B, 2, 0);
	collect(1);
	recv_next(C, 64, 0);
	collect(1);

	ck_assert_int_eq(result_of(A), 5);
	ck_assert_int_eq(result_of(B), 2);
	ck_assert_int_eq(result_of(C), 0);
}
END_TEST

START_TEST(shutting_down_ends_what_waits)
{
	engine_and_connection(_i);
	recv_next(A, 64, 0);
	collect(0);
	io_uring_prep_shutdown(sqe_next(), here, SHUT_RDWR);
	sqe_is(B, 0);
	collect(2);

	ck_assert_int_eq(result_of(A), 0);
	ck_assert_int_eq(result_of(B), 0);
	ck_assert_int_eq(recv(there, data, 1, 0), 0);
}
END_TEST

START_TEST(reading_and_writing_a_socket_waits_too)
{
	int flags;

	engine_and_connection(_i);
	flags = fd_flags(here);
	io_uring_prep_read(sqe_next(), here, data, 64, 0);
	sqe_is(A, 0);
	collect(0);
	ck_assert(is_pending(A));
	ck_assert_int_eq(fd_flags(here), flags);

	io_uring_prep_write(sqe_next(), there, "hello", 5, 0);
	sqe_is(B, 0);
	collect(2);
	ck_assert_int_eq(result_of(A), 5);
	ck_assert_int_eq(result_of(B), 5);
	ck_assert_int_eq(fd_flags(here), flags);
}
END_TEST

START_TEST(a_socket_has_no_offsets)
{
	engine_and_connection(_i);
	io_uring_prep_read(sqe_next(), here, data, 64, 3);
	sqe_is(A, 0);
	io_uring_prep_write(sqe_next(), here, "hello", 5, 3);
	sqe_is(B, 0);
	collect(2);

	ck_assert_int_eq(result_of(A), -ESPIPE);
	ck_assert_int_eq(result_of(B), -ESPIPE);
	ck_assert_int_eq(bytes_waiting(there), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("engine sockets");
	TCase *tc = engine_case(suite, "receiving");

	connection_test(tc, what_is_there_is_received_at_once);
	connection_test(tc,
			receiving_waits_whether_the_socket_blocks_or_not_and_does_not_change_it);
	connection_test(tc, receiving_takes_no_more_than_there_is_room_for);
	connection_test(tc, peeking_leaves_what_it_saw);
	connection_test(tc, receiving_all_waits_for_all);
	connection_test(tc, not_to_wait_is_said_with_the_entry);
	connection_test(tc, the_end_of_a_stream_is_zero_as_often_as_one_asks);
	connection_test(tc, the_end_of_a_stream_ends_a_wait);
	engine_test(tc, a_reset_is_an_error);
	engine_test(tc, a_file_is_not_a_socket);
	engine_test(tc, no_descriptor_is_an_error);
	connection_test(tc, one_may_receive_and_send_on_a_socket_at_a_time);
	connection_test(tc, what_waits_goes_on_when_its_number_names_another_file);
	connection_test(tc, or_what_waited_ends_when_its_number_is_used_again);
	connection_test(tc, a_thousand_answers_of_another_process_come);
	tc = engine_case(suite, "messages and the rest");
	connection_test(tc, messages_gather_and_scatter);
	engine_test(tc, messages_of_datagrams_say_who_sent_them);
	engine_test(tc, a_datagram_is_received_whole_or_cut_and_never_waited_for_more);
	connection_test(tc, shutting_down_ends_what_waits);
	connection_test(tc, reading_and_writing_a_socket_waits_too);
	connection_test(tc, a_socket_has_no_offsets);
	return engine_run(suite);
}
