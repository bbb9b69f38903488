/* SPDX-License-Identifier: MIT */
/*
 * Sending without a copy: the buffer is back when the kernel has let go of it, not before, and where that
 * cannot be had it is a plain send.
 */
#include "deadlines.h"
#include "pending.h"
#include "loop/loop.h"
#include "op/cancel.h"
#include "op/complete.h"
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MIB ((size_t)1 << 20)

static int a, b;

static sfr_loop *loop_with_pair(int world, const char *more)
{
	pair_of_sockets(&a, &b);
	return loop_in(world, more);
}

static unsigned char byte_at(size_t i)
{
	return (unsigned char)(i % 251);
}

static sfr_buf *buf_of(sfr_loop *loop, size_t size)
{
	sfr_buf *buf = sfr_buf_get(loop, size);
	size_t i;

	ck_assert_ptr_nonnull(buf);
	for (i = 0; i < size; i++)
		buf->data[i] = byte_at(i);
	buf->len = (uint32_t)size;
	return buf;
}

static size_t received;

/* Take what is there now, and check it. */
static void receive_some(int fd)
{
	static unsigned char bytes[65536];
	ssize_t count, i;
	int wrong = 0;

	while ((count = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
		for (i = 0; i < count; i++)
			wrong += bytes[i] != byte_at(received++);
	ck_assert_int_eq(wrong, 0);
}

static bool is_without_copy(const sfr_op *op)
{
	return op->sqe.opcode == IORING_OP_SEND_ZC;
}

/*
 * What arrives.
 */

START_TEST(what_is_sent_arrives_and_the_buffer_comes_back_unchanged)
{
	sfr_loop *loop = loop_with_pair(_i, NULL);
	sfr_buf *buf = buf_of(loop, 65536);
	int r = sfr_await(sfr_all(sfr_send_zc(loop, a, buf)), &buf);

	ck_assert_int_eq(r, 65536);
	ck_assert_uint_eq(buf->len, 65536);
	received = 0;
	while (received < 65536)
		receive_some(b);
	ck_assert_uint_eq(buf->data[65535], byte_at(65535));
	sfr_buf_release(buf);
}
END_TEST

START_TEST(a_slow_reader_gets_all_of_it)
{
	sfr_loop *loop = loop_with_pair(_i, NULL);
	size_t size = under_valgrind() ? MIB : 8 * MIB;
	const int little = 65536;

	ck_assert_int_eq(setsockopt(b, SOL_SOCKET, SO_RCVBUF, &little, sizeof(little)), 0);
	received = 0;
	sfr_submit(sfr_all(sfr_send_zc(loop, a, buf_of(loop, size))), record, &seen);
	while (received < size) {
		ck_assert_int_ge(sfr_loop_step(loop, 1000000), 0);
		receive_some(b);
	}
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.calls, 1);
	ck_assert_int_eq(seen.result, (int)size);
}
END_TEST

START_TEST(a_unix_socket_sends_plainly)
{
	sfr_loop *loop = loop_with_pair(_i, NULL);
	int x, y, i;

	pair_of_unix_sockets(&x, &y);
	received = 0;
	for (i = 0; i < 2; i++) {
		sfr_op *op = sfr_send_zc(loop, x, buf_of(loop, 10000));

		received = 0;
		sfr_submit(i ? sfr_all(op) : op, record, &seen);
		ck_assert_int_eq(sfr_loop_run(loop), 0);
		ck_assert_int_eq(seen.result, 10000);
		receive_some(y);
		ck_assert_uint_eq(received, 10000);
	}
}
END_TEST

START_TEST(a_chain_is_sent_in_order)
{
	sfr_loop *loop = loop_with_pair(_i, NULL);
	int x, y, i, fds[2];
	char back[16];

	pair_of_unix_sockets(&x, &y);
	for (i = 0; i < 2; i++) {
		sfr_buf *chain = sfr_buf_append(sfr_buf_from(loop, "one", 3),
						sfr_buf_from(loop, "two", 3));

		fds[0] = i ? x : a;
		fds[1] = i ? y : b;
		sfr_submit(sfr_all(sfr_send_zc(loop, fds[0], chain)), record, &seen);
		ck_assert_int_eq(sfr_loop_run(loop), 0);

		ck_assert_int_eq(seen.result, 6);
		ck_assert_int_eq(recv(fds[1], back, sizeof(back), MSG_WAITALL | MSG_DONTWAIT), 6);
		ck_assert_mem_eq(back, "onetwo", 6);
		ck_assert_uint_eq(seen.buf->len, 3);
	}
}
END_TEST

START_TEST(many_sends_on_many_connections_come_back_once_each)
{
	sfr_loop *loop = loop_with_pair(_i, "buffers.count=64");
	static struct seen each[20];
	int ends[20], i;

	memset(each, 0, sizeof(each));
	for (i = 0; i < 20; i++) {
		int x;

		pair_of_sockets(&x, &ends[i]);
		sfr_submit(sfr_send_zc(loop, x, buf_of(loop, 4000)), record, &each[i]);
	}
	ck_assert_int_eq(sfr_loop_run(loop), 0);
	for (i = 0; i < 20; i++) {
		ck_assert_int_eq(each[i].calls, 1);
		ck_assert_int_eq(each[i].result, 4000);
	}
}
END_TEST

/*
 * What goes wrong.
 */

START_TEST(what_cannot_be_sent_comes_back_with_its_error)
{
	sfr_loop *loop = loop_with_pair(_i, NULL);
	const struct {
		int fd, result;
	} cases[] = {
		{-1, -EBADF},
		{empty_file(), -ENOTSOCK},
		{owned_fd(socket(AF_INET, SOCK_STREAM, 0)), -EPIPE},
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		sfr_buf *buf = sfr_buf_from(loop, "hello", 5);

		ck_assert_int_eq(sfr_await(sfr_send_zc(loop, cases[i].fd, buf), &buf),
				 cases[i].result);
		ck_assert_uint_eq(buf->len, 5);
		ck_assert_mem_eq(buf->data, "hello", 5);
		sfr_buf_release(buf);
	}
}
END_TEST

START_TEST(a_reset_in_the_middle_ends_it_with_what_was_sent)
{
	sfr_loop *loop = loop_with_pair(_i, NULL);
	struct linger linger = {.l_onoff = 1, .l_linger = 0};
	int reader = dup(b);
	char first[100];

	sfr_submit(sfr_all(sfr_send_zc(loop, a, buf_of(loop, 32 * MIB))), record, &seen);
	ck_assert_int_eq(sfr_await(sfr_timeout(loop, 5000000), NULL), 0);
	ck_assert_int_eq(recv(reader, first, sizeof(first), 0), sizeof(first));
	ck_assert_int_eq(seen.calls, 0);
	ck_assert_int_eq(setsockopt(b, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
	dup2(empty_file(), b);
	close(reader); /* the last descriptor of it */
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.calls, 1);
	ck_assert_msg((seen.result > 0 && seen.result < (int)(32 * MIB)) ||
			      seen.result == -ECONNRESET || seen.result == -EPIPE,
		      "%d", seen.result);
	ck_assert_uint_eq(seen.buf->len, 32 * MIB);
}
END_TEST

static bool has_arrived(void *arg)
{
	char byte;

	return recv(*(int *)arg, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
}

/*
 * Whatever ends it, how far it came is the result. What the connection was given stays in the buffer until
 * the peer has it, so the end waits for that.
 */
START_TEST(what_was_sent_before_a_cancel_or_deadline_is_the_result)
{
	sfr_loop *loop = loop_with_pair(_i, NULL);
	int way;

	for (way = 0; way < 3; way++) {
		sfr_op *op;
		sfr_ticket ticket;

		seen_release(&seen);
		seen = (struct seen){0};
		pair_of_sockets(&a, &b);
		op = sfr_all(sfr_send_zc(loop, a, buf_of(loop, 32 * MIB)));
		ticket = sfr_submit(way == 1 ? sfr_within(op, HOUR) : op, record, &seen);
		turn_until_true(loop, has_arrived, &b);
		if (way == 0)
			ck_assert_int_eq(sfr_cancel(loop, ticket), 0);
		if (way == 1)
			deadlines_due(loop);
		ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
		received = 0;
		while (way == 2 ? sfr_loop_drain(loop, 1000000) == -ETIMEDOUT
				: sfr_loop_step(loop, 1000000) >= 0 && sfr_loop_inflight(loop))
			receive_some(b);

		ck_assert_int_eq(seen.calls, 1);
		ck_assert_int_gt(seen.result, 0);
		ck_assert_int_lt(seen.result, (int)(32 * MIB));
		ck_assert_uint_eq(seen.buf->len, 32 * MIB);
		while (received < (size_t)seen.result)
			receive_some(b);
		ck_assert_uint_eq(received, (size_t)seen.result);
	}
}
END_TEST

/*
 * Between the two completions. The op is never shown to the engine: the test completes it.
 */

/* In flight, for all it knows; NULL where it would be a plain send. */
static sfr_op *feigned(sfr_loop *loop, bool whole, bool limited, sfr_ticket *ticket)
{
	sfr_op *op = sfr_send_zc(loop, a, sfr_buf_from(loop, "hello", 5));
	bool used = is_without_copy(op);

	if (whole)
		op = sfr_all(op);
	if (limited)
		op = sfr_within(op, HOUR);
	while (sfr__queue_written(&loop->engine->queue) < loop->engine->queue.sq_entries)
		sfr_submit(sfr_nop(loop), NULL, NULL);
	*ticket = sfr_submit(op, record, &seen);
	if (!used)
		return NULL;
	op = sfr__op_find(&loop->ops, *ticket);
	sfr__list_remove(&op->hook);
	sfr__op_step(op, SFR__EV_TAKEN);
	while (sfr_loop_inflight(loop) > 1)
		ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
	return op;
}

enum { CANCEL, ABANDON, DEADLINE, CANCEL_ALL, NOTHING, WAYS };

static void end_by(sfr_loop *loop, int way, sfr_ticket ticket)
{
	switch (way) {
	case CANCEL:
		ck_assert_int_eq(sfr_cancel(loop, ticket), 0);
		break;
	case ABANDON:
		ck_assert_int_eq(sfr_abandon(loop, ticket), 0);
		break;
	case DEADLINE:
		deadlines_due(loop);
		ck_assert_int_eq(sfr_await(sfr_timeout(loop, 0), NULL), 0);
		break;
	case CANCEL_ALL:
		sfr__ops_cancel_all(loop);
		break;
	default:
		break;
	}
}

/* One completion, as the loop sees it in a turn. */
static void completes(sfr_loop *loop, sfr_op *op, int result, unsigned flags)
{
	sfr__op_complete(op, result, flags);
	ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
}

START_TEST(once_sent_its_true_result_wins_and_the_buffer_waits_for_the_notification)
{
	int way;

	for (way = 0; way < 2 * WAYS; way++) {
		sfr_loop *loop = loop_with_pair(_i, "ring.entries=8 ring.cq_entries=64");
		sfr_ticket ticket;
		sfr_op *op = feigned(loop, way >= WAYS, way % WAYS == DEADLINE, &ticket);

		if (!op) {
			loop_end();
			return;
		}
		sfr__op_complete(op, 5, IORING_CQE_F_MORE);
		end_by(loop, way % WAYS, ticket);
		ck_assert(sfr__list_empty(&op->hook)); /* there is nothing to ask the engine */
		ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
		ck_assert_int_eq(seen.calls, 0);
		ck_assert_uint_eq(stat_held(loop), 1);
		ck_assert_uint_eq(sfr_loop_inflight(loop), 1);
		ck_assert_uint_eq(sfr_loop_orphans(loop), way % WAYS == ABANDON);

		completes(loop, op, 0, IORING_CQE_F_NOTIF);
		ck_assert_uint_eq(sfr_loop_inflight(loop), 0);
		ck_assert_uint_eq(sfr_loop_orphans(loop), 0);
		ck_assert_int_eq(seen.calls, way % WAYS != ABANDON);
		ck_assert_int_eq(seen.result, way % WAYS == ABANDON ? 0 : 5);
		loop_end();
	}
}
END_TEST

START_TEST(a_part_that_was_sent_is_the_result_of_all_when_it_must_end)
{
	int way;

	for (way = 0; way < NOTHING; way++) {
		sfr_loop *loop = loop_with_pair(_i, "ring.entries=8 ring.cq_entries=64");
		sfr_ticket ticket;
		sfr_op *op = feigned(loop, true, way == DEADLINE, &ticket);

		if (!op) {
			loop_end();
			return;
		}
		sfr__op_complete(op, 3, IORING_CQE_F_MORE);
		end_by(loop, way, ticket);
		completes(loop, op, 0, IORING_CQE_F_NOTIF);
		ck_assert_uint_eq(sfr_loop_inflight(loop), 0);
		ck_assert_int_eq(seen.result, way == ABANDON ? 0 : 3);
		loop_end();
	}
}
END_TEST

START_TEST(the_next_part_goes_after_the_notification_of_the_one_before)
{
	sfr_loop *loop = loop_with_pair(_i, "ring.entries=8 ring.cq_entries=64");
	sfr_ticket ticket;
	sfr_op *op = feigned(loop, true, false, &ticket);
	char back[8];

	if (!op)
		return;
	sfr__op_complete(op, 3, IORING_CQE_F_MORE);
	ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
	ck_assert_int_eq(recv(b, back, sizeof(back), MSG_DONTWAIT), -1);

	completes(loop, op, 0, IORING_CQE_F_NOTIF); /* from here on the engine has it */
	ck_assert_int_eq(sfr_loop_run(loop), 0);
	ck_assert_int_eq(seen.result, 5);
	ck_assert_int_eq(recv(b, back, sizeof(back), 0), 2);
	ck_assert_mem_eq(back, "lo", 2);
}
END_TEST

START_TEST(what_is_refused_is_sent_plainly_after_its_notification)
{
	static const int refusals[] = {-EOPNOTSUPP, -ENOMEM};
	size_t i;

	for (i = 0; i < 4; i++) {
		sfr_loop *loop = loop_with_pair(_i, "ring.entries=8 ring.cq_entries=64");
		sfr_ticket ticket;
		sfr_op *op = feigned(loop, false, false, &ticket);
		char back[8];

		if (!op) {
			loop_end();
			return;
		}
		sfr__op_complete(op, refusals[i % 2], i < 2 ? IORING_CQE_F_MORE : 0);
		if (i < 2) {
			ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
			ck_assert_int_eq(seen.calls, 0);
			completes(loop, op, 0, IORING_CQE_F_NOTIF);
		}
		ck_assert_int_eq(sfr_loop_run(loop), 0);
		ck_assert_int_eq(seen.calls, 1);
		ck_assert_int_eq(seen.result, 5);
		ck_assert_int_eq(recv(b, back, sizeof(back), 0), 5);
		loop_end();
	}
}
END_TEST

START_TEST(cancelled_between_a_refusal_and_its_notification_it_ends)
{
	int way;

	for (way = 0; way < NOTHING; way++) {
		sfr_loop *loop = loop_with_pair(_i, "ring.entries=8 ring.cq_entries=64");
		sfr_ticket ticket;
		sfr_op *op = feigned(loop, false, way == DEADLINE, &ticket);
		char back[8];

		if (!op) {
			loop_end();
			return;
		}
		sfr__op_complete(op, -EOPNOTSUPP, IORING_CQE_F_MORE);
		end_by(loop, way, ticket);
		completes(loop, op, 0, IORING_CQE_F_NOTIF);
		ck_assert_int_eq(sfr_loop_run(loop), 0);
		ck_assert_int_eq(seen.calls, way != ABANDON);
		ck_assert_int_eq(seen.result, way == ABANDON    ? 0
					      : way == DEADLINE ? -ETIMEDOUT
								: -ECANCELED);
		ck_assert_int_eq(recv(b, back, sizeof(back), MSG_DONTWAIT), -1);
		loop_end();
	}
}
END_TEST

START_TEST(a_plain_send_in_its_place_waits_and_can_be_ended)
{
	sfr_loop *loop = loop_with_pair(_i, NULL);
	int way, i;

	for (way = 0; way < NOTHING; way++) {
		sfr_op *op = sfr_send_zc(loop, full_socket(), sfr_buf_from(loop, "more", 4));
		sfr_ticket ticket = sfr_submit(way == DEADLINE ? sfr_within(op, HOUR) : op, record,
					       &seen);

		for (i = 0; i < 4; i++)
			ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
		seen.result = 0;
		end_by(loop, way, ticket);
		ck_assert_int_eq(sfr_loop_run(loop), 0);
		ck_assert_int_eq(seen.result, way == ABANDON    ? 0
					      : way == DEADLINE ? -ETIMEDOUT
								: -ECANCELED);
	}
	ck_assert_int_eq(seen.calls, NOTHING - 1);
}
END_TEST

/* The kernel's own two completions, seen on their way. */
START_TEST(the_kernel_tells_the_result_first_and_then_that_it_let_go)
{
	sfr_loop *loop = loop_with_pair(_i, NULL);
	sfr_op *op;
	const struct io_uring_cqe *cqe;
	const struct sfr__queue *queue = &loop->engine->queue;
	uint64_t name;

	ck_assert_int_eq(sfr_await(sfr_nop(loop), NULL), 0); /* the engine is this thread's */
	op = sfr_send_zc(loop, a, sfr_buf_from(loop, "hello", 5));
	if (!is_without_copy(op)) {
		sfr_op_discard(op);
		return;
	}
	sfr_submit(op, record, &seen);
	while (sfr__queue_ready(queue) < 2)
		ck_assert_int_eq(loop->engine->calls->enter(loop->engine, true, 1000000), 0);
	cqe = sfr__queue_cqe(queue);
	name = cqe->user_data;
	ck_assert_int_eq(cqe->res, 5);
	ck_assert_uint_eq(cqe->flags, IORING_CQE_F_MORE);
	cqe = &queue->cqes[(*queue->cq_head + 1) & queue->cq_mask];
	ck_assert_uint_eq(cqe->user_data, name);
	ck_assert_uint_eq(cqe->flags, IORING_CQE_F_NOTIF);

	ck_assert_int_eq(sfr_loop_run(loop), 0);
	ck_assert_int_eq(seen.calls, 1);
	ck_assert_int_eq(seen.result, 5);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("send_zc");
	TCase *tc = world_case(suite, "what arrives");

	world_test(tc, what_is_sent_arrives_and_the_buffer_comes_back_unchanged);
	world_test(tc, a_slow_reader_gets_all_of_it);
	world_test(tc, a_unix_socket_sends_plainly);
	world_test(tc, a_chain_is_sent_in_order);
	world_test(tc, many_sends_on_many_connections_come_back_once_each);

	tc = world_case(suite, "what goes wrong");
	world_test(tc, what_cannot_be_sent_comes_back_with_its_error);
	world_test(tc, a_reset_in_the_middle_ends_it_with_what_was_sent);
	world_test(tc, what_was_sent_before_a_cancel_or_deadline_is_the_result);

	tc = world_case(suite, "between the two completions");
	world_test(tc, once_sent_its_true_result_wins_and_the_buffer_waits_for_the_notification);
	world_test(tc, a_part_that_was_sent_is_the_result_of_all_when_it_must_end);
	world_test(tc, the_next_part_goes_after_the_notification_of_the_one_before);
	world_test(tc, what_is_refused_is_sent_plainly_after_its_notification);
	world_test(tc, cancelled_between_a_refusal_and_its_notification_it_ends);
	world_test(tc, a_plain_send_in_its_place_waits_and_can_be_ended);
	world_test(tc, the_kernel_tells_the_result_first_and_then_that_it_let_go);
	return world_run(suite);
}
