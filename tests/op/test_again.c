/* SPDX-License-Identifier: MIT */
/*
 * What the kernel gives up with EAGAIN, though nobody asked it not to wait: where poll says "ready" and nothing
 * is to be had, and the descriptor is O_NONBLOCK. Here it waits, on every engine, and costs next to nothing.
 */
#include "pending.h"
#include "op/cancel.h"
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <netinet/in.h>
#include <poll.h>
#include <safer_ring/error.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MS UINT64_C(1000000)
#define SOME_TIME (50 * MS)

/* So many tries fit into SOME_TIME, if each pause is twice the one before; and a few turns for looking. A loop
 * that spins sees each of the 128 tries that the kernel makes. */
#define TRIES_MAX 10
#define TURNS_MAX (4 * TRIES_MAX)
#define TURNS_MAX_SPINNING (140 * TRIES_MAX)

#define ROOM 4 /* of those that receive: what arrives fills it */

static int near, far;
static union {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_un un;
} address;
static socklen_t address_size;

static sfr_buf *room_for(sfr_loop *loop, size_t size)
{
	static unsigned char memory[SFR_PEER_ROOM + ROOM];

	return sfr_buf_wrap(loop, memory, size, NULL, NULL);
}

static void does_not_block(int fd)
{
	ck_assert_int_eq(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK), 0);
}

/*
 * Situations. Each begins with an op that has to wait, until the test helps.
 */

/* A socket with an error that nobody reads. */
static void socket_with_error_queue(void)
{
	struct sockaddr_in dead = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(dead);
	struct pollfd told;
	int on = 1, error, gone = socket(AF_INET, SOCK_DGRAM, 0);

	ck_assert_int_eq(bind(gone, (struct sockaddr *)&dead, sizeof(dead)), 0);
	ck_assert_int_eq(getsockname(gone, (struct sockaddr *)&dead, &size), 0);
	near = owned_fd(socket(AF_INET, SOCK_DGRAM, 0));
	far = owned_fd(socket(AF_INET, SOCK_DGRAM, 0));
	address.in = (struct sockaddr_in){.sin_family = AF_INET,
					  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	address_size = sizeof(address.in);
	ck_assert_int_eq(bind(near, &address.any, address_size), 0);
	ck_assert_int_eq(getsockname(near, &address.any, &address_size), 0);
	ck_assert_int_eq(setsockopt(near, IPPROTO_IP, IP_RECVERR, &on, sizeof(on)), 0);
	close(gone);
	ck_assert_int_eq(sendto(near, "x", 1, 0, (struct sockaddr *)&dead, sizeof(dead)), 1);
	told = (struct pollfd){.fd = near};
	ck_assert_int_eq(poll(&told, 1, -1), 1);
	size = sizeof(error);
	ck_assert_int_eq(getsockopt(near, SOL_SOCKET, SO_ERROR, &error, &size), 0);
	ck_assert_int_eq(error, ECONNREFUSED); /* it is fetched, and the queue stays */
}

static void send_four_bytes(void)
{
	ck_assert_int_eq(sendto(far, "data", 4, 0, &address.any, address_size), 4);
}

static sfr_op *op_recv(sfr_loop *loop)
{
	socket_with_error_queue();
	return sfr_recv(loop, near, room_for(loop, ROOM));
}

static sfr_op *op_recvfrom(sfr_loop *loop)
{
	socket_with_error_queue();
	return sfr_recvfrom(loop, near, room_for(loop, SFR_PEER_ROOM + ROOM));
}

static sfr_op *op_read(sfr_loop *loop)
{
	socket_with_error_queue();
	return sfr_read(loop, near, room_for(loop, ROOM));
}

static sfr_op *op_recv_multi(sfr_loop *loop)
{
	socket_with_error_queue();
	return sfr_recv_multi(loop, near);
}

static sfr_op *op_recvfrom_multi(sfr_loop *loop)
{
	socket_with_error_queue();
	return sfr_recvfrom_multi(loop, near);
}

static sfr_op *op_read_multi(sfr_loop *loop)
{
	socket_with_error_queue();
	return sfr_read_multi(loop, near);
}

/* Sockets without a file, which the system names. */
static int unix_socket(int type)
{
	int fd = owned_fd(socket(AF_UNIX, type, 0));

	address.un = (struct sockaddr_un){.sun_family = AF_UNIX};
	address_size = sizeof(address.un);
	ck_assert_int_eq(bind(fd, &address.any, sizeof(sa_family_t)), 0);
	ck_assert_int_eq(getsockname(fd, &address.any, &address_size), 0);
	return fd;
}

/* A receiver takes so many datagrams, and then no more; who sends to it from elsewhere is not told when. */
static void receiver_that_is_full(void)
{
	far = unix_socket(SOCK_DGRAM);
	near = owned_fd(socket(AF_UNIX, SOCK_DGRAM, 0));
	while (sendto(near, "full", 4, MSG_DONTWAIT, &address.any, address_size) == 4)
		;
	ck_assert_int_eq(errno, EAGAIN);
}

static void receive_one(void)
{
	char byte;

	ck_assert_int_eq(recv(far, &byte, 1, 0), 1);
}

/* What was sent came last, and whole. */
static void assert_received(void)
{
	char bytes[16], last[16] = "";
	ssize_t n;

	while ((n = recv(far, bytes, sizeof(bytes) - 1, MSG_DONTWAIT)) >= 0) {
		bytes[n] = '\0';
		strcpy(last, bytes);
	}
	ck_assert_str_eq(last, "data");
}

static sfr_op *op_sendto(sfr_loop *loop)
{
	receiver_that_is_full();
	return sfr_sendto(loop, near, sfr_buf_from(loop, "data", 4), &address.any, address_size);
}

static sfr_buf *two_parts(sfr_loop *loop)
{
	return sfr_buf_append(sfr_buf_from(loop, "da", 2), sfr_buf_from(loop, "ta", 2));
}

static sfr_op *op_send_chain(sfr_loop *loop)
{
	receiver_that_is_full();
	ck_assert_int_eq(connect(near, &address.any, address_size), 0);
	return sfr_send(loop, near, two_parts(loop));
}

static sfr_op *op_send(sfr_loop *loop)
{
	receiver_that_is_full();
	ck_assert_int_eq(connect(near, &address.any, address_size), 0);
	return sfr_send(loop, near, sfr_buf_from(loop, "data", 4));
}

static sfr_op *op_send_zc(sfr_loop *loop)
{
	receiver_that_is_full();
	ck_assert_int_eq(connect(near, &address.any, address_size), 0);
	return sfr_send_zc(loop, near, sfr_buf_from(loop, "data", 4));
}

static sfr_op *op_send_packet(sfr_loop *loop)
{
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	near = owned_fd(pair[0]);
	far = owned_fd(pair[1]);
	while (send(near, "full", 4, MSG_DONTWAIT) == 4)
		;
	return sfr_send(loop, near, sfr_buf_from(loop, "data", 4));
}

/* The system tells of room when most of it is free. */
static void receive_all(void)
{
	char byte;

	while (recv(far, &byte, 1, MSG_DONTWAIT) >= 0)
		;
}

static sfr_op *op_write(sfr_loop *loop)
{
	receiver_that_is_full();
	ck_assert_int_eq(connect(near, &address.any, address_size), 0);
	return sfr_write(loop, near, sfr_buf_from(loop, "data", 4));
}

/* One in the backlog is one too many: poll says that a Unix socket is writable, who ever listens. */
static sfr_op *op_connect(sfr_loop *loop)
{
	int i, fd;

	far = unix_socket(SOCK_STREAM);
	ck_assert_int_eq(listen(far, 0), 0);
	near = owned_fd(socket(AF_UNIX, SOCK_STREAM, 0));
	for (i = 0; i < 2; i++) {
		fd = owned_fd(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
		if (connect(fd, &address.any, address_size) < 0)
			ck_assert_int_eq(errno, EAGAIN);
	}
	return sfr_connect(loop, near, &address.any, address_size);
}

static void accept_one(void)
{
	owned_fd(accept(far, NULL, NULL));
}

static sfr_op *op_accept(sfr_loop *loop)
{
	near = unix_socket(SOCK_STREAM);
	ck_assert_int_eq(listen(near, 4), 0);
	return sfr_accept(loop, near);
}

static void connect_one(void)
{
	far = owned_fd(socket(AF_UNIX, SOCK_STREAM, 0));
	ck_assert_int_eq(connect(far, &address.any, address_size), 0);
}

enum { A_DESCRIPTOR = -1 };

static const struct {
	const char *name;
	sfr_op *(*begin)(sfr_loop *loop);
	void (*help)(void);
	int result;
	bool goes_on; /* it is multishot */
} situations[] = {
	{"recv", op_recv, send_four_bytes, 4, false},
	{"recvfrom", op_recvfrom, send_four_bytes, 4, false},
	{"read", op_read, send_four_bytes, 4, false},
	{"recv_multi", op_recv_multi, send_four_bytes, 4, true},
	{"recvfrom_multi", op_recvfrom_multi, send_four_bytes, 4, true},
	{"read_multi", op_read_multi, send_four_bytes, 4, true},
	{"sendto", op_sendto, receive_one, 4, false},
	{"send of a chain", op_send_chain, receive_one, 4, false},
	{"send", op_send, receive_one, 4, false},
	{"send_zc", op_send_zc, receive_one, 4, false},
	{"send of a packet", op_send_packet, receive_all, 4, false},
	{"write", op_write, receive_one, 4, false},
	{"connect", op_connect, accept_one, 0, false},
	{"accept", op_accept, connect_one, A_DESCRIPTOR, false},
};

#define SITUATIONS ((int)(sizeof(situations) / sizeof(situations[0])))

/* Each in every world, on a descriptor that does not block; and perhaps on one that does, after these. */
#define again_test(tcase, test) tcase_add_loop_test(tcase, test, 0, SITUATIONS *world_count())
#define again_test_on_both(tcase, test) \
	tcase_add_loop_test(tcase, test, 0, 2 * SITUATIONS * world_count())

static int situation;

static sfr_loop *loop_and_op(int number, sfr_op **op_out)
{
	bool nonblocking = number < SITUATIONS * world_count();
	sfr_loop *loop = loop_in(number / SITUATIONS % world_count(), NULL);

	situation = number % SITUATIONS;
	*op_out = situations[situation].begin(loop);
	if (nonblocking)
		does_not_block(near);
	return loop;
}

/* Turns, until a timer of the loop's has fired. */
static uint64_t turns_of_some_time(sfr_loop *loop)
{
	uint64_t before = stats_of(loop).turns;

	ck_assert_int_eq(sfr_await(sfr_timeout(loop, SOME_TIME), NULL), 0);
	return stats_of(loop).turns - before;
}

static void assert_helped(int result)
{
	int expected = situations[situation].result;

	if (expected == A_DESCRIPTOR)
		owned_fd(result);
	else
		ck_assert_msg(result == expected, "%s: %d", situations[situation].name, result);
	if (situations[situation].help == receive_one || situations[situation].help == receive_all)
		assert_received();
}

START_TEST(it_waits_and_costs_next_to_nothing_and_is_done_once_it_can_be)
{
	sfr_op *op;
	sfr_loop *loop = loop_and_op(_i, &op);
	uint64_t turns;

	sfr_submit(op, record, &seen);
	turns = turns_of_some_time(loop);
	ck_assert_msg(seen.calls == 0, "%s: %s", situations[situation].name,
		      sfr_strerror(seen.result));
	ck_assert_msg(turns <= (loop->settings.ring.spin_ns ? TURNS_MAX_SPINNING : TURNS_MAX),
		      "%s: %d turns", situations[situation].name, (int)turns);

	situations[situation].help();
	turn_until(loop, &seen.calls, 1);
	assert_helped(seen.result);
}
END_TEST

START_TEST(it_can_be_cancelled)
{
	sfr_op *op;
	sfr_loop *loop = loop_and_op(_i, &op);
	sfr_ticket ticket = sfr_submit(op, record, &seen);

	ck_assert_int_eq(sfr_await(sfr_timeout(loop, 5 * MS), NULL), 0);
	ck_assert_int_eq(sfr_cancel(loop, ticket), 0);
	turn_until(loop, &seen.calls, 1);
	ck_assert_int_eq(seen.result, -ECANCELED);
	ck_assert_uint_eq(sfr_loop_inflight(loop), 0);
}
END_TEST

/* As where the request comes while the kernel has it nowhere. */
START_TEST(a_request_to_end_it_that_was_in_vain_is_made_again)
{
	const int answers[] = {-ENOENT, -EALREADY};
	sfr_loop *loop = loop_in(_i / 2, NULL);
	int nobody_writes, quiet = -1;
	sfr_ticket ticket;
	sfr_op *op;

	pair_of_sockets(&quiet, &nobody_writes);
	ticket = sfr_submit(sfr_recv(loop, quiet, sfr_buf_get(loop, 64)), record, &seen);
	ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
	op = sfr__op_find(&loop->ops, ticket);
	sfr__op_step(op, SFR__EV_CANCEL);
	sfr__op_cancel_answered(op, answers[_i % 2]);

	turn_until(loop, &seen.calls, 1);
	ck_assert_int_eq(seen.result, -ECANCELED);
}
END_TEST

START_TEST(it_has_a_deadline_all_the_same)
{
	sfr_op *op;
	sfr_loop *loop = loop_and_op(_i, &op);

	sfr_submit(sfr_within(op, 5 * MS), record, &seen);
	ck_assert_int_eq(sfr_loop_run(loop), 0);
	ck_assert_int_eq(seen.calls, 1);
	ck_assert_int_eq(seen.result, -ETIMEDOUT);
}
END_TEST

START_TEST(it_can_be_abandoned)
{
	sfr_op *op;
	sfr_loop *loop = loop_and_op(_i, &op);
	sfr_ticket ticket = sfr_submit(op, record, &seen);

	ck_assert_int_eq(sfr_await(sfr_timeout(loop, 5 * MS), NULL), 0);
	ck_assert_int_eq(sfr_abandon(loop, ticket), 0);
	ck_assert_int_eq(sfr_loop_run(loop), 0);
	ck_assert_int_eq(seen.calls, 0);
	ck_assert_uint_eq(stat_held(loop), 0);
}
END_TEST

START_TEST(a_loop_drains_meanwhile)
{
	sfr_op *op;
	sfr_loop *loop = loop_and_op(_i, &op);

	sfr_submit(op, record, &seen);
	ck_assert_int_eq(sfr_await(sfr_timeout(loop, 5 * MS), NULL), 0);
	ck_assert_int_eq(sfr_loop_drain(loop, -1), 0);
	ck_assert_int_eq(seen.calls, 1);
	ck_assert_int_eq(seen.result, -ECANCELED);
}
END_TEST

/* After a long wait the next thing comes as fast as the first did. */
START_TEST(what_arrives_ends_the_long_pauses)
{
	static const int kinds[] = {3, 4, 5}; /* those that go on */
	sfr_op *op;
	sfr_loop *loop = loop_and_op(_i / 3 * SITUATIONS + kinds[_i % 3], &op);
	int i;

	sfr_submit(op, record, &seen);
	for (i = 0; i < 3; i++) {
		turns_of_some_time(loop);
		send_four_bytes();
		turn_until(loop, &seen.calls, i + 1);
		ck_assert_int_eq(seen.result, 4);
	}
	ck_assert_uint_eq(sfr_loop_inflight(loop), 1);
}
END_TEST

/* A batch of the op and what comes after it: if that succeeded a nop, or whatever becomes of it a close. It had some
 * time. NULL: the op goes on, so that nothing can come after it. */
static sfr_batch *batch_with(sfr_loop *loop, sfr_op *op, bool whatever)
{
	sfr_batch *batch;

	if (situations[situation].goes_on) {
		sfr_op_discard(op);
		return NULL;
	}
	batch = sfr_batch_new(loop);
	ck_assert_int_eq(sfr_batch_add(batch, op), 0);
	op = whatever ? sfr_close(loop, dup(near)) : sfr_nop(loop);
	ck_assert_int_eq(sfr_batch_add(batch, op), 1);
	ck_assert_int_eq(whatever ? sfr_batch_after_any(batch, 1, 0) : sfr_batch_after(batch, 1, 0),
			 0);
	ck_assert_int_eq(sfr_batch_submit(batch, NULL, NULL), 0);
	turns_of_some_time(loop);
	return batch;
}

static void batch_is_helped(sfr_batch *batch)
{
	int result;

	situations[situation].help();
	ck_assert_int_eq(sfr_batch_await(batch), 0);
	ck_assert_int_eq(sfr_batch_result(batch, 0, &result), 0);
	assert_helped(result);
	sfr_batch_free(batch);
}

/* What waits for it in a batch does so, whether or not the engine was to start it by itself. */
START_TEST(what_depends_on_it_waits_as_well)
{
	sfr_op *op;
	sfr_loop *loop = loop_and_op(_i, &op);
	sfr_batch *batch = batch_with(loop, op, false);
	int result;

	if (!batch)
		return;
	ck_assert_int_lt(sfr_batch_result(batch, 1, &result), 0);
	batch_is_helped(batch);
}
END_TEST

/* The same of what is to end it, and would end it now if the engine started that by itself. */
START_TEST(what_comes_after_it_whatever_becomes_of_it_waits_as_well)
{
	sfr_op *op;
	sfr_loop *loop = loop_and_op(_i, &op);
	sfr_batch *batch = batch_with(loop, op, true);
	int result;

	if (!batch)
		return;
	ck_assert_msg(sfr_batch_result(batch, 1, &result) == -SFR_EPENDING,
		      "%s: what comes after it has run", situations[situation].name);
	batch_is_helped(batch);
}
END_TEST

/*
 * Those who ask not to wait.
 */

START_TEST(who_asks_a_raw_receive_not_to_wait_is_told)
{
	sfr_loop *loop = loop_in(_i, NULL);
	struct io_uring_sqe sqe = {0};
	char bytes[4];

	socket_with_error_queue();
	io_uring_prep_recv(&sqe, near, bytes, sizeof(bytes), MSG_DONTWAIT);
	ck_assert_int_eq(sfr_await(sfr_raw(loop, &sqe, NULL), NULL), -EAGAIN);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("again");
	TCase *tc = world_case(suite, "what waits");

	again_test_on_both(tc, it_waits_and_costs_next_to_nothing_and_is_done_once_it_can_be);
	again_test(tc, what_depends_on_it_waits_as_well);
	again_test(tc, what_comes_after_it_whatever_becomes_of_it_waits_as_well);
	tcase_add_loop_test(tc, what_arrives_ends_the_long_pauses, 0, 3 * world_count());
	tc = world_case(suite, "ends");
	again_test(tc, it_can_be_cancelled);
	tcase_add_loop_test(tc, a_request_to_end_it_that_was_in_vain_is_made_again, 0,
			    2 * world_count());
	again_test(tc, it_has_a_deadline_all_the_same);
	again_test(tc, it_can_be_abandoned);
	again_test(tc, a_loop_drains_meanwhile);
	tc = world_case(suite, "who asks not to wait");
	world_test(tc, who_asks_a_raw_receive_not_to_wait_is_told);
	return world_run(suite);
}
