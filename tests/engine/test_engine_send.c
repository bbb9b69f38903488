/* SPDX-License-Identifier: MIT */
/*
 * Sockets: sending on every engine.
 */
#include "engine_world.h"
#include "base/clock.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define HUGE_SIZE (16 << 20)

static char data[1];

/* What one byte after the other would come out as. */
static unsigned char pattern_at(size_t i)
{
	return (unsigned char)(i * 7 + i / 253);
}

static unsigned char *pattern(size_t size)
{
	unsigned char *bytes = malloc(size);
	size_t i;

	ck_assert_ptr_nonnull(bytes);
	for (i = 0; i < size; i++)
		bytes[i] = pattern_at(i);
	return bytes;
}

START_TEST(sending_waits_for_room_whether_the_socket_blocks_or_not)
{
	static char sink[65536];
	int flags;

	engine_and_connection(_i);
	flags = fd_flags(here);
	while (send(here, sink, sizeof(sink), MSG_DONTWAIT) > 0)
		;
	io_uring_prep_send(sqe_next(), here, "hello", 5, 0);
	sqe_is(A, 0);
	collect_now();
	ck_assert(is_pending(A) || _i % 2); /* TCP may find some room after all */
	ck_assert_int_eq(fd_flags(here), flags);

	while (is_pending(A)) {
		while (recv(there, sink, sizeof(sink), MSG_DONTWAIT) > 0)
			;
		collect_now();
	}
	ck_assert_int_eq(result_of(A), 5);
	ck_assert_int_eq(fd_flags(here), flags);
}
END_TEST

START_TEST(sending_without_waiting_for_room_is_an_error)
{
	static char full[65536];

	engine_and_connection(_i);
	do {
		io_uring_prep_send(sqe_next(), here, full, sizeof(full), MSG_DONTWAIT);
		sqe_is(A, 0);
		collect(1);
	} while (result_of(A) > 0);

	ck_assert_int_eq(result_of(A), -EAGAIN);
}
END_TEST

/* The peer reads in small steps and compares until there is no more to come. */
static void peer_reads_pattern(size_t size, int name)
{
	uint64_t until = sfr__clock_ns() + PATIENCE_NS;
	static unsigned char chunk[10007];
	size_t read = 0, i;
	ssize_t n;

	while (read < size) {
		ck_assert_uint_lt(sfr__clock_ns(), until);
		if (is_pending(name))
			collect_now();
		n = recv(there, chunk, sizeof(chunk), MSG_DONTWAIT);
		for (i = 0; n > 0 && i < (size_t)n; i++)
			if (chunk[i] != pattern_at(read + i))
				ck_abort_msg("byte %zu is not the one sent", read + i);
		read += n > 0 ? (size_t)n : 0;
	}
	collect(is_pending(name));
}

START_TEST(sending_all_of_it_sends_all_of_it)
{
	unsigned char *bytes = pattern(HUGE_SIZE);

	engine_and_connection(_i);
	io_uring_prep_send(sqe_next(), here, bytes, HUGE_SIZE, MSG_WAITALL);
	sqe_is(A, 0);
	collect(0);
	ck_assert(is_pending(A));
	peer_reads_pattern(HUGE_SIZE, A);

	ck_assert_int_eq(result_of(A), HUGE_SIZE);
	free(bytes);
}
END_TEST

START_TEST(sending_all_of_a_message_sends_all_of_it)
{
	unsigned char *bytes = pattern(HUGE_SIZE);
	struct iovec iov[5] = {{bytes, 1}, {bytes + 1, 0}, {bytes + 1, 1000000}};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 5};

	iov[3] = (struct iovec){bytes + 1000001, 8000000};
	iov[4] = (struct iovec){bytes + 9000001, HUGE_SIZE - 9000001};
	engine_and_connection(_i);
	io_uring_prep_sendmsg(sqe_next(), here, &msg, MSG_WAITALL);
	sqe_is(A, 0);
	collect_now();
	if (!differs("small_arguments")) { /* only the bytes must stay where they are */
		memset(iov, 0, sizeof(iov));
		memset(&msg, 0, sizeof(msg));
	}
	peer_reads_pattern(HUGE_SIZE, A);

	ck_assert_int_eq(result_of(A), HUGE_SIZE);
	free(bytes);
}
END_TEST

START_TEST(sending_to_nobody_is_an_error_and_no_signal)
{
	struct iovec iov = {data, 1};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	engine_in(_i, NULL);
	connection(0);
	fd_empty(there);
	io_uring_prep_send(sqe_next(), here, data, 1, 0);
	sqe_is(A, 0);
	io_uring_prep_sendmsg(sqe_next(), here, &msg, 0);
	sqe_is(B, 0);
	collect(2);

	ck_assert_int_eq(result_of(A), -EPIPE);
	ck_assert_int_eq(result_of(B), -EPIPE);
}
END_TEST

/* A send that waits for room, as the peer does not read. */
static void full_send(int name)
{
	static char full[65536];

	connection(0);
	while (send(here, full, sizeof(full), MSG_DONTWAIT) > 0)
		;
	io_uring_prep_send(sqe_next(), here, "hello", 5, 0);
	sqe_is(name, 0);
	collect(0);
}

START_TEST(a_send_that_waits_ends_when_the_peer_goes)
{
	engine_in(_i, NULL);
	full_send(A);
	fd_empty(there);
	collect(1);

	ck_assert_int_eq(result_of(A), -EPIPE);
}
END_TEST

START_TEST(and_when_the_peer_will_not_receive)
{
	engine_in(_i, NULL);
	if (differs("half_shutdown"))
		return;
	full_send(A);
	shutdown(there, SHUT_RD);
	collect(1);

	ck_assert_int_eq(result_of(A), -EPIPE);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("engine send");
	TCase *tc = engine_case(suite, "sending");

	connection_test(tc, sending_waits_for_room_whether_the_socket_blocks_or_not);
	connection_test(tc, sending_without_waiting_for_room_is_an_error);
	connection_test(tc, sending_all_of_it_sends_all_of_it);
	connection_test(tc, sending_all_of_a_message_sends_all_of_it);
	engine_test(tc, sending_to_nobody_is_an_error_and_no_signal);
	engine_test(tc, a_send_that_waits_ends_when_the_peer_goes);
	engine_test(tc, and_when_the_peer_will_not_receive);
	return engine_run(suite);
}
