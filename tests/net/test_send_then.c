/* SPDX-License-Identifier: MIT */
/*
 * sfr_conn_send_then(): the buffer comes back, once, as it was, with what became of it; whatever happens.
 */
#include "wires.h"
#include <errno.h>
#include <safer_ring/error.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Bytes of stream 1 from `offset` on, in the middle of their buffer. */
static sfr_buf *inner_piece(sfr_loop *loop, uint64_t offset, size_t size)
{
	sfr_buf *buf = sfr_buf_get(loop, size + 7);

	ck_assert_ptr_nonnull(buf);
	buf->data += 7;
	pattern_fill(buf->data, 1, offset, size);
	buf->len = (uint32_t)size;
	return buf;
}

static void assert_is_piece(const sfr_buf *buf, uint64_t offset, size_t size)
{
	ck_assert_ptr_nonnull(buf);
	ck_assert(sfr_buf_is_owned(buf));
	ck_assert_uint_eq(buf->len, size);
	ck_assert(pattern_is(buf->data, 1, offset, size));
}

/* An sfr_done that must come before on_close of the one connection. */
static void record_before_close(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	ck_assert_int_eq(here.closed, 0);
	record(loop, result, buf, arg);
}

/*
 * What was sent.
 */

START_TEST(the_buffer_comes_back_as_it_was_given)
{
	struct wire wire;
	sfr_buf *buf, *was;

	wire_up(&wire, _i, NULL, &note_all);
	buf = inner_piece(wire.loop, 0, 1000);
	was = same(buf);
	ck_assert_int_eq(sfr_conn_send_then(wire.conn, buf, record, &seen), 1000);
	ck_assert_int_eq(seen.calls, 0);
	ck_assert_ptr_null(sfr_buf_access(was));
	ck_assert_uint_eq(sfr_conn_queued(wire.conn), 1000);
	turns_until(wire.loop, seen.calls);
	ck_assert_int_eq(seen.result, 1000);
	ck_assert_ptr_eq(seen.buf, was);
	assert_is_piece(seen.buf, 0, 1000);
	ck_assert_uint_eq(sfr_conn_queued(wire.conn), 0);
	assert_hears_pattern(&wire, 1000);
	ck_assert_int_eq(seen.calls, 1);
	close(wire.peer);
}
END_TEST

START_TEST(without_done_the_buffer_is_released)
{
	struct wire wire;

	wire_up(&wire, _i, NULL, &note_all);
	ck_assert_int_eq(sfr_conn_send_then(wire.conn, inner_piece(wire.loop, 0, 50), NULL, NULL),
			 50);
	assert_hears_pattern(&wire, 50);
	close(wire.peer);
}
END_TEST

/* Some parts are empty, and there are more than one system call takes. */
#define PARTS 2500

START_TEST(a_chain_comes_back_whole_when_its_last_byte_is_sent)
{
	struct wire wire;
	sfr_buf *chain = NULL, *part, *was;
	uint64_t offset = 0;
	int i;

	wire_up(&wire, _i, "buffers.budget=64MiB", &note_all);
	for (i = 0; i < PARTS; i++, offset += i % 5 ? 100 : 0)
		chain = sfr_buf_append(chain,
				       inner_piece(wire.loop, offset, (i + 1) % 5 ? 100 : 0));
	was = same(chain);
	ck_assert_int_eq(sfr_conn_send(wire.conn, inner_piece(wire.loop, 0, 0)), 0);
	ck_assert_int_eq(sfr_conn_send_then(wire.conn, chain, record, &seen), PARTS * 80);
	assert_hears_pattern(&wire, PARTS * 80);
	turns_until(wire.loop, seen.calls);
	ck_assert_int_eq(seen.result, PARTS * 80);
	ck_assert_ptr_eq(seen.buf, was);
	for (part = seen.buf, i = 0, offset = 0; part; part = part->next, i++) {
		ck_assert_uint_eq(part->len, (i + 1) % 5 ? 100 : 0);
		ck_assert(pattern_is(part->data, 1, offset, part->len));
		offset += part->len;
	}
	ck_assert_int_eq(i, PARTS);
	close(wire.peer);
}
END_TEST

START_TEST(of_what_is_shared_each_comes_back)
{
	struct wire wire;
	sfr_buf *buf, *shares[2], *were[2];
	int i;

	wire_up(&wire, _i, NULL, &note_all);
	buf = inner_piece(wire.loop, 0, 300);
	for (i = 0; i < 2; i++)
		were[i] = same(shares[i] = sfr_buf_share(buf));
	sfr_conn_send_then(wire.conn, shares[0], record, &seen);
	sfr_conn_send_then(wire.conn, shares[1], record, &other);
	turns_until(wire.loop, seen.calls && other.calls);
	ck_assert_ptr_eq(seen.buf, were[0]);
	ck_assert_ptr_eq(other.buf, were[1]);
	assert_is_piece(seen.buf, 0, 300);
	assert_is_piece(other.buf, 0, 300);
	assert_is_piece(buf, 0, 300);
	sfr_buf_release(buf);
	close(wire.peer);
}
END_TEST

START_TEST(what_is_empty_comes_back_when_all_before_it_is_sent)
{
	struct wire wire;

	wire_up(&wire, _i, "buffers.budget=64MiB", &note_all);
	ck_assert_int_eq(sfr_conn_send_then(wire.conn, inner_piece(wire.loop, 0, 0), record, &seen),
			 0);
	ck_assert_int_eq(seen.calls, 0);
	turns_until(wire.loop, seen.calls);
	ck_assert_int_eq(seen.result, 0);

	conn_narrow(wire.conn);
	peer_narrow(wire.peer);
	sfr_conn_send(wire.conn, inner_piece(wire.loop, 0, 8000000));
	ck_assert_int_eq(
		sfr_conn_send_then(wire.conn, inner_piece(wire.loop, 0, 0), record, &other), 0);
	turns_until_quiet(wire.loop);
	ck_assert_int_eq(other.calls, 0);
	assert_hears_pattern(&wire, 8000000);
	turns_until(wire.loop, other.calls);
	ck_assert_int_eq(other.result, 0);
	ck_assert_int_eq(here.closed, 0);
	close(wire.peer);
}
END_TEST

/* Every buffer that there is, of a loop that cannot have more: nothing is left to remember with. */
START_TEST(giving_is_total_though_each_buffer_of_the_loop_waits)
{
	struct wire wire;
	sfr_buf *bufs[8];
	int i, count = 0;

	wire_up(&wire, _i, "buffers.count=8 ring.ops_max=64", &note_all);
	sfr_conn_pause(wire.conn);
	turns_until_quiet(wire.loop);
	for (i = 0; i < 8; i++) {
		bufs[i] = sfr_buf_get(wire.loop, 0);
		if (!bufs[i])
			continue;
		pattern_fill(bufs[i]->data, 1, 100 * (uint64_t)count++, 100);
		bufs[i]->len = 100;
	}
	ck_assert_int_gt(count, 2);
	for (i = 0; i < 8; i++)
		if (bufs[i])
			ck_assert_int_eq(sfr_conn_send_then(wire.conn, bufs[i], record, &seen),
					 100);
	turns_until(wire.loop, seen.calls == count);
	for (i = 0; i < count; i++)
		ck_assert_int_eq(seen.results[i], 100);
	assert_hears_pattern(&wire, 100 * (size_t)count);
	close(wire.peer);
}
END_TEST

START_TEST(a_buffer_of_a_pool_that_stands_alone_comes_back_to_the_program)
{
	struct wire wire;
	sfr_pool *pool = sfr_pool_new(2, 4096);
	sfr_buf *buf = sfr_pool_get(pool);

	wire_up(&wire, _i, NULL, &note_all);
	pattern_fill(buf->data, 1, 0, 4000);
	buf->len = 4000;
	ck_assert_int_eq(sfr_conn_send_then(wire.conn, buf, record, &seen), 4000);
	turns_until(wire.loop, seen.calls);
	ck_assert_int_eq(seen.result, 4000);
	assert_is_piece(seen.buf, 0, 4000);
	seen_release(&seen);
	ck_assert_int_eq(sfr_pool_free(pool), 0);
	close(wire.peer);
}
END_TEST

/* It counts as long as it waits, as any other does. */
START_TEST(what_is_to_come_back_fills_the_connection_and_drains_it)
{
	struct wire wire;

	wire_up(&wire, _i, "buffers.budget=64MiB server.high_water=256KiB server.low_water=64KiB",
		&note_all);
	conn_narrow(wire.conn);
	peer_narrow(wire.peer);
	ck_assert_int_gt(
		sfr_conn_send_then(wire.conn, inner_piece(wire.loop, 0, 4000000), record, &seen),
		0);
	ck_assert(sfr_conn_is_full(wire.conn));
	assert_hears_pattern(&wire, 4000000);
	turns_until(wire.loop, here.drained);
	ck_assert_int_eq(seen.calls, 1);
	ck_assert(!sfr_conn_is_full(wire.conn));
	close(wire.peer);
}
END_TEST

/*
 * What was refused.
 */

static int refuse_nothing(struct wire *wire)
{
	(void)wire;
	return -SFR_EPOOLEMPTY;
}

static int refuse_shut_down(struct wire *wire)
{
	sfr_conn_shutdown(wire->conn);
	return -EPIPE;
}

static int refuse_closed(struct wire *wire)
{
	sfr_conn_close(wire->conn);
	return -ECANCELED;
}

static int refuse_reset(struct wire *wire)
{
	sfr_conn_reset(wire->conn);
	return -ECANCELED;
}

static int refuse_full(struct wire *wire)
{
	int r;

	conn_narrow(wire->conn);
	peer_narrow(wire->peer);
	do
		r = sfr_conn_send(wire->conn, inner_piece(wire->loop, 0, 100000));
	while (r > 0 && sfr_conn_queued(wire->conn) + 100000 < 1048576);
	return -ENOBUFS;
}

static int (*const refusals[])(struct wire *) = {refuse_nothing, refuse_shut_down, refuse_closed,
						 refuse_reset, refuse_full};

/* Nothing of the connection is in flight, so that it closes as soon as it can. */
static void refuse(struct wire *wire, int which)
{
	sfr_buf *buf, *was;
	int err;

	sfr_conn_pause(wire->conn);
	turns_until_quiet(wire->loop);
	err = refusals[which](wire);
	buf = which ? inner_piece(wire->loop, 0, 100000) : NULL;
	was = same(buf);
	ck_assert_int_eq(sfr_conn_send_then(wire->conn, buf, record_before_close, &seen), err);
	ck_assert_int_eq(seen.calls, 0);
	turns_until(wire->loop, seen.calls);
	ck_assert_int_eq(seen.result, err);
	ck_assert_ptr_eq(seen.buf, was);
	if (was)
		assert_is_piece(seen.buf, 0, 100000);
	if (err != -EPIPE) {
		turns_until(wire->loop, here.closed);
		ck_assert_int_eq(here.reason, err);
	}
	turns_until_quiet(wire->loop);
	ck_assert_int_eq(seen.calls, 1);
}

START_TEST(what_is_refused_comes_back_in_the_next_turn_and_before_on_close)
{
	int which = _i % COUNT_OF(refusals);
	struct wire wire;

	wire_up(&wire, _i / COUNT_OF(refusals), "buffers.budget=64MiB server.queue_max=1MiB",
		&note_all);
	refuse(&wire, which);
	close(wire.peer);
}
END_TEST

static int late;

static void send_late(sfr_loop *loop, int result, sfr_buf *none, void *arg)
{
	(void)result;
	(void)none;
	if (here.closed)
		return;
	late++;
	ck_assert_int_eq(
		sfr_conn_send_then(arg, sfr_buf_from(loop, "late", 4), record_before_close, &seen),
		-ECANCELED);
}

/* In each turn, also in the one that closes the descriptor, before on_close. */
START_TEST(what_is_refused_while_the_connection_closes_comes_back_before_on_close)
{
	struct wire wire;

	wire_up(&wire, _i, NULL, &note_all);
	late = 0;
	sfr_conn_close(wire.conn);
	while (!here.closed) {
		sfr_submit(sfr_nop(wire.loop), send_late, wire.conn);
		turn_once(wire.loop);
	}
	ck_assert_int_gt(late, 0);
	ck_assert_int_eq(seen.calls, late);
	close(wire.peer);
}
END_TEST

START_TEST(what_was_given_already_is_refused_and_both_are_told)
{
	struct wire wire;
	sfr_buf *buf, *was;

	wire_up(&wire, _i, NULL, &note_all);
	buf = inner_piece(wire.loop, 0, 100);
	was = same(buf);
	ck_assert_int_eq(sfr_conn_send_then(wire.conn, buf, record, &seen), 100);
	ck_assert_int_eq(sfr_conn_send_then(wire.conn, was, record, &other), -SFR_EINFLIGHT);
	turns_until(wire.loop, seen.calls && other.calls && here.closed);
	ck_assert_int_eq(seen.result, -SFR_EINFLIGHT);
	ck_assert_ptr_eq(seen.buf, was);
	ck_assert_int_eq(other.result, -SFR_EINFLIGHT);
	ck_assert_ptr_null(other.buf);
	ck_assert_int_eq(here.reason, -SFR_EINFLIGHT);
	close(wire.peer);
}
END_TEST

START_TEST(a_buffer_of_another_loop_is_refused_and_comes_back)
{
	struct wire wire;
	sfr_loop *second;
	sfr_buf *buf, *was;

	wire_up(&wire, _i, NULL, &note_all);
	second = second_loop(_i);
	buf = sfr_buf_from(second, "hello", 5);
	was = same(buf);
	ck_assert_int_eq(sfr_conn_send_then(wire.conn, buf, record, &seen), -EINVAL);
	turns_until(wire.loop, seen.calls && here.closed);
	ck_assert_int_eq(seen.result, -EINVAL);
	ck_assert_ptr_eq(seen.buf, was);
	seen_release(&seen);
	ck_assert_int_eq(sfr_loop_free(second), 0);
	close(wire.peer);
}
END_TEST

static void send_in_on_close(sfr_conn *conn, int reason, void *arg)
{
	sfr_buf *buf = sfr_buf_from(sfr_conn_loop(conn), "late", 4);

	ck_assert_int_eq(sfr_conn_send_then(conn, buf, record, &seen), -ECANCELED);
	ck_assert_int_eq(seen.calls, 0);
	note_close(conn, reason, arg);
}

START_TEST(what_is_sent_in_on_close_comes_back_as_well)
{
	static const sfr_handlers handlers = {
		.on_open = note_open, .on_data = note_data, .on_close = send_in_on_close};
	struct wire wire;

	wire_up(&wire, _i, NULL, &handlers);
	sfr_conn_close(wire.conn);
	turns_until(wire.loop, here.closed && seen.calls);
	ck_assert_int_eq(seen.result, -ECANCELED);
	ck_assert_uint_eq(seen.buf->len, 4);
	close(wire.peer);
}
END_TEST

START_TEST(of_a_connection_that_is_gone_the_buffer_comes_back_too)
{
	struct wire wire;
	sfr_buf *buf, *was;

	wire_up(&wire, _i, NULL, &note_all);
	sfr_conn_close(wire.conn);
	turns_until(wire.loop, here.closed);
	buf = inner_piece(wire.loop, 0, 10);
	was = same(buf);
	ck_assert_int_eq(sfr_conn_send_then(wire.conn, buf, record, &seen), -SFR_ESTALE);
	ck_assert_int_eq(sfr_conn_send_then(wire.conn, NULL, record, &other), -SFR_ESTALE);
	ck_assert_int_eq(seen.calls + other.calls, 0);
	turns_until(wire.loop, seen.calls && other.calls);
	ck_assert_int_eq(seen.result, -SFR_ESTALE);
	ck_assert_ptr_eq(seen.buf, was);
	ck_assert_int_eq(other.result, -SFR_ESTALE);
	ck_assert_ptr_null(other.buf);
	close(wire.peer);
}
END_TEST

START_TEST(of_a_loop_that_is_gone_nobody_is_told_and_the_answer_says_so)
{
	sfr_pool *pool = sfr_pool_new(1, 100);
	sfr_buf *buf = sfr_pool_get(pool);
	struct wire wire;

	wire_up(&wire, _i, NULL, &note_all);
	close(wire.peer);
	loop_end();
	ck_assert_int_eq(sfr_conn_send_then(wire.conn, buf, record, &seen), -EOWNERDEAD);
	ck_assert_int_eq(seen.calls, 0);
	ck_assert_int_eq(sfr_pool_free(pool), 0);
}
END_TEST

/* Nothing else is left for the loop to do: it tells, and ends. */
START_TEST(a_run_does_not_end_before_all_are_told)
{
	struct wire wire;

	wire_up(&wire, _i, NULL, &note_all);
	sfr_conn_close(wire.conn);
	turns_until(wire.loop, here.closed);
	close(wire.peer);
	wire.conn = dial(wire.loop, wire.server, &note_all, &there);
	sfr_server_close(wire.server);
	sfr_conn_close(wire.conn);
	sfr_conn_send_then(wire.conn, inner_piece(wire.loop, 0, 10), record, &seen);
	ck_assert_int_eq(sfr_loop_free(wire.loop), -SFR_EOPSINFLIGHT);
	run_until_stopped(wire.loop);
	ck_assert_int_eq(seen.calls, 1);
	ck_assert_int_eq(seen.result, -ECANCELED);
}
END_TEST

/*
 * What was cut off.
 */

#define MANY 20

/* A queue that the peer does not read, of which some is in flight: chains, one of which is cut by what one system call
 * takes, and what is not to come back. */
static void queue_up(struct wire *wire)
{
	int i, j;

	conn_narrow(wire->conn);
	peer_narrow(wire->peer);
	for (i = 0; i < MANY; i++) {
		sfr_buf *chain = NULL;

		for (j = 0; j < 100; j++)
			chain = sfr_buf_append(chain, inner_piece(wire->loop, 0, 5000));
		ck_assert_int_eq(sfr_conn_send_then(wire->conn, chain, record_before_close, &seen),
				 500000);
		ck_assert_int_gt(sfr_conn_send(wire->conn, inner_piece(wire->loop, 0, 5000)), 0);
	}
}

/* The ones that were sent, then the ones that were not. */
static void assert_all_told(int err)
{
	int i = 0;

	ck_assert_int_eq(seen.calls, MANY);
	while (i < MANY && seen.results[i] == 500000)
		i++;
	ck_assert_int_lt(i, MANY);
	for (; i < MANY; i++)
		ck_assert_int_eq(seen.results[i], err);
}

#define ROOM "buffers.budget=256MiB server.queue_max=64MiB"

START_TEST(what_waits_comes_back_when_the_connection_closes)
{
	struct wire wire;

	wire_up(&wire, _i, ROOM, &note_all);
	queue_up(&wire);
	turns_until_quiet(wire.loop);
	sfr_conn_close(wire.conn);
	turns_until(wire.loop, here.closed);
	assert_all_told(-ECANCELED);
	close(wire.peer);
}
END_TEST

START_TEST(what_waits_comes_back_when_the_peer_resets)
{
	struct wire wire;
	int reason;

	wire_up(&wire, _i, ROOM, &note_all);
	queue_up(&wire);
	turns_until_quiet(wire.loop);
	peer_reset(wire.peer);
	turns_until(wire.loop, here.closed);
	reason = here.reason;
	ck_assert(reason == -ECONNRESET || reason == -EPIPE);
	assert_all_told(reason);
}
END_TEST

START_TEST(what_waits_comes_back_when_the_loop_drains)
{
	struct wire wire;

	wire_up(&wire, _i, ROOM, &note_all);
	queue_up(&wire);
	turns_until_quiet(wire.loop);
	ck_assert_int_eq(sfr_loop_drain(wire.loop, -1), 0);
	ck_assert_int_eq(here.closed, 1);
	assert_all_told(-ECANCELED);
	close(wire.peer);
}
END_TEST

START_TEST(what_waits_for_a_slow_peer_comes_back_when_its_memory_is_needed)
{
	struct wire wire;
	sfr_buf *held[64];
	int count = 0;

	wire_up(&wire, _i,
		"buffers.size=8KiB buffers.budget=28MiB server.queue_max=64MiB server.slow_after=1ms",
		&note_all);
	queue_up(&wire);
	turns_until_quiet(wire.loop);
	while (count < 64 && (held[count] = sfr_buf_get(wire.loop, 250000)))
		count++;
	turns_until(wire.loop, here.closed);
	ck_assert_int_eq(here.reason, -SFR_ESLOW);
	assert_all_told(-SFR_ESLOW);
	while (count)
		sfr_buf_release(held[--count]);
	close(wire.peer);
}
END_TEST

START_TEST(what_waits_for_a_dial_comes_back_when_that_fails)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int listener = peer_listen(1);
	char address[ADDRESS_SIZE];
	sfr_conn *conn;

	snprintf(address, sizeof(address), "%s", listen_address(listener));
	close(listener);
	ck_assert_int_eq(sfr_dial(loop, address, &note_all, &here, &conn), 0);
	ck_assert_int_eq(
		sfr_conn_send_then(conn, sfr_buf_from(loop, "hi", 2), record_before_close, &seen),
		2);
	turns_until(loop, here.closed);
	ck_assert_int_eq(seen.calls, 1);
	ck_assert_int_eq(seen.result, -ECONNREFUSED);
}
END_TEST

/*
 * What done may do.
 */

static int left;

/* The same buffer again. */
static void send_again(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	(void)loop;
	ck_assert_int_eq(result, 1000);
	if (left-- > 0)
		ck_assert_int_eq(sfr_conn_send_then(arg, buf, send_again, arg), 1000);
	else
		sfr_buf_release(buf);
}

START_TEST(done_may_send_the_buffer_again)
{
	struct wire wire;
	unsigned char heard[1000];
	int i;

	wire_up(&wire, _i, NULL, &note_all);
	left = 100;
	sfr_conn_send_then(wire.conn, inner_piece(wire.loop, 0, 1000), send_again, wire.conn);
	for (i = 0; i < 101; i++) {
		peer_hear(wire.loop, wire.peer, heard, sizeof(heard));
		ck_assert(pattern_is(heard, 1, 0, sizeof(heard)));
	}
	ck_assert_int_eq(left, -1);
	close(wire.peer);
}
END_TEST

static void close_then(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	(void)loop;
	ck_assert_int_gt(result, 0);
	sfr_buf_release(buf);
	sfr_conn_close(arg);
}

START_TEST(done_may_close_the_connection)
{
	struct wire wire;

	wire_up(&wire, _i, NULL, &note_all);
	sfr_conn_send_then(wire.conn, inner_piece(wire.loop, 0, 1000), close_then, wire.conn);
	sfr_conn_send_then(wire.conn, inner_piece(wire.loop, 0, 0), record_before_close, &other);
	turns_until(wire.loop, here.closed);
	ck_assert_int_eq(here.reason, -ECANCELED);
	ck_assert_int_eq(other.calls, 1);
	close(wire.peer);
}
END_TEST

/*
 * Many, byte by byte.
 */

#define PEERS 8
#define ROUNDS 40

static struct talk {
	sfr_conn *conn;
	uint64_t given,
		sent; /* sent: of buffers that came back with success, which come in order */
	int waiting;
	bool failed;
	unsigned id;
} talks[PEERS];

struct saying {
	struct talk *talk;
	uint64_t at;
	int parts, calls;
	bool refused; /* it is closing */
} sayings[PEERS * ROUNDS];

static void said(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	struct saying *saying = arg;
	struct talk *talk = saying->talk;
	uint64_t at = saying->at;
	sfr_buf *part;
	int parts = 0;

	(void)loop;
	ck_assert_int_eq(++saying->calls, 1);
	ck_assert_ptr_nonnull(talk->conn); /* before its on_close */
	for (part = buf; part; part = part->next, parts++) {
		ck_assert(pattern_is(part->data, talk->id, at, part->len));
		at += part->len;
	}
	ck_assert_int_eq(parts, saying->parts);
	if (result >= 0) {
		ck_assert(!talk->failed);
		ck_assert_uint_eq(at - saying->at, (unsigned)result);
		talk->sent = at;
	} else {
		talk->failed |= !saying->refused; /* what is in flight may be sent yet */
	}
	talk->waiting--;
	sfr_buf_release(buf);
}

static void talk_open(sfr_conn *conn, void *arg)
{
	struct told *told = arg;

	talks[told->opened] = (struct talk){.conn = conn, .id = 10 + (unsigned)told->opened};
	sfr_conn_set_data(conn, &talks[told->opened]);
	note_open(conn, arg);
}

static void talk_close(sfr_conn *conn, int reason, void *arg)
{
	struct talk *talk = sfr_conn_data(conn);

	ck_assert_int_eq(talk->waiting, 0);
	talk->conn = NULL;
	note_close(conn, reason, arg);
}

static void talk_say(sfr_loop *loop, struct talk *talk, struct saying *saying, unsigned x)
{
	unsigned count = 1 + x % 4;
	sfr_buf *chain = NULL;

	*saying = (struct saying){.talk = talk, .at = talk->given};
	while (count--) {
		size_t size = (x = x * 1103515245 + 12345) % 5 ? x % 60000 : 0;
		sfr_buf *part = sfr_buf_get(loop, size);

		ck_assert_ptr_nonnull(part);
		pattern_fill(part->data, talk->id, talk->given, size);
		part->len = (uint32_t)size;
		talk->given += size;
		chain = sfr_buf_append(chain, part);
		saying->parts++;
	}
	talk->waiting++;
	saying->refused = sfr_conn_send_then(talk->conn, chain, said, saying) < 0;
}

/* Read some of what a talk's peer has. */
static void talk_hear(const struct talk *talk, int peer, uint64_t *heard)
{
	unsigned char bytes[50000];
	ssize_t n = peer < 0 ? 0 : recv(peer, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (n <= 0)
		return;
	ck_assert(pattern_is(bytes, talk->id, *heard, (size_t)n));
	*heard += (size_t)n;
}

START_TEST(of_many_each_comes_back_once_with_the_truth)
{
	static const sfr_handlers handlers = {
		.on_open = talk_open, .on_data = note_data, .on_close = talk_close};
	struct wire wire = {.loop = loop_in(_i, ROOM)};
	int peers[PEERS], i, round, said_count = 0;
	uint64_t heard[PEERS] = {0};
	unsigned x = 17;

	wire.server = serve(wire.loop, &handlers, &here);
	for (i = 0; i < PEERS; i++) {
		peers[i] = peer_of(wire.server);
		turns_until(wire.loop, here.opened == i + 1);
		conn_narrow(talks[i].conn);
	}
	for (round = 0; round < ROUNDS; round++) {
		for (i = 0; i < PEERS; i++) {
			x = x * 1103515245 + 12345;
			if (talks[i].conn)
				talk_say(wire.loop, &talks[i], &sayings[said_count++], x >> 8);
			if (x >> 30 == 0)
				talk_hear(&talks[i], peers[i], &heard[i]);
			if (i % 4 == 1 && round == 5 + 4 * i) {
				peer_reset(peers[i]);
				peers[i] = -1;
			} else if (i % 4 == 2 && round == 5 + 4 * i) {
				sfr_conn_close(talks[i].conn);
			}
		}
		ck_assert_int_ge(sfr_loop_step(wire.loop, 0), 0);
	}
	for (i = 0; i < PEERS; i++)
		if (talks[i].conn && i % 4 == 0)
			sfr_conn_finish(talks[i].conn, 0);
		else if (talks[i].conn)
			sfr_conn_reset(talks[i].conn);
	while (here.closed < PEERS) {
		turn_once(wire.loop);
		for (i = 0; i < PEERS; i += 4)
			talk_hear(&talks[i], peers[i], &heard[i]);
	}
	for (i = 0; i < said_count; i++)
		ck_assert_int_eq(sayings[i].calls, 1);
	for (i = 0; i < PEERS; i++) {
		if (i % 4 == 0)
			ck_assert_uint_eq(talks[i].sent, talks[i].given);
		if (peers[i] >= 0)
			close(peers[i]);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("send then");
	TCase *tcase = peers_case(suite, "sent");

	world_test(tcase, the_buffer_comes_back_as_it_was_given);
	world_test(tcase, without_done_the_buffer_is_released);
	world_test(tcase, a_chain_comes_back_whole_when_its_last_byte_is_sent);
	world_test(tcase, of_what_is_shared_each_comes_back);
	world_test(tcase, what_is_empty_comes_back_when_all_before_it_is_sent);
	world_test(tcase, giving_is_total_though_each_buffer_of_the_loop_waits);
	world_test(tcase, a_buffer_of_a_pool_that_stands_alone_comes_back_to_the_program);
	world_test(tcase, what_is_to_come_back_fills_the_connection_and_drains_it);

	tcase = peers_case(suite, "refused");
	tcase_add_loop_test(tcase, what_is_refused_comes_back_in_the_next_turn_and_before_on_close,
			    0, world_count() * COUNT_OF(refusals));
	world_test(tcase, what_is_refused_while_the_connection_closes_comes_back_before_on_close);
	world_test(tcase, what_was_given_already_is_refused_and_both_are_told);
	world_test(tcase, a_buffer_of_another_loop_is_refused_and_comes_back);
	world_test(tcase, what_is_sent_in_on_close_comes_back_as_well);
	world_test(tcase, of_a_connection_that_is_gone_the_buffer_comes_back_too);
	world_test(tcase, of_a_loop_that_is_gone_nobody_is_told_and_the_answer_says_so);
	world_test(tcase, a_run_does_not_end_before_all_are_told);

	tcase = peers_case(suite, "cut off");
	world_test(tcase, what_waits_comes_back_when_the_connection_closes);
	world_test(tcase, what_waits_comes_back_when_the_peer_resets);
	world_test(tcase, what_waits_comes_back_when_the_loop_drains);
	world_test(tcase, what_waits_for_a_slow_peer_comes_back_when_its_memory_is_needed);
	world_test(tcase, what_waits_for_a_dial_comes_back_when_that_fails);

	tcase = peers_case(suite, "done");
	world_test(tcase, done_may_send_the_buffer_again);
	world_test(tcase, done_may_close_the_connection);
	world_test(tcase, of_many_each_comes_back_once_with_the_truth);
	return world_run(suite);
}
