/* SPDX-License-Identifier: MIT */
/*
 * What is sent on a connection: in order and whole, and what is refused.
 */
#include "wires.h"
#include <errno.h>
#include <safer_ring/error.h>
#include <unistd.h>

START_TEST(what_is_sent_in_many_pieces_of_all_kinds_arrives_whole_and_in_order)
{
	static const size_t sizes[] = {1, 4096, 7, 100000, 63, 1024, 2, 4097, 500};
	struct wire wire;
	size_t total = 0, size;
	int i;

	wire_up(&wire, _i, "buffers.count=2048 server.high_water=1GiB server.queue_max=4GiB",
		&note_all);
	for (i = 0; i < 700; i++, total += size) {
		sfr_buf *buf;

		size = sizes[i % COUNT_OF(sizes)];
		buf = i % 4 ? piece(wire.loop, total, size)
			    : wrapped_piece(wire.loop, total, size, i);
		ck_assert_int_eq(sfr_conn_send(wire.conn, buf), (int)size);
	}
	ck_assert_uint_eq(sfr_conn_queued(wire.conn), total);
	assert_hears_pattern(&wire, total);
	turns_until(wire.loop, sfr_conn_queued(wire.conn) == 0);

	for (i = 0; i < 700; i++)
		ck_assert_int_eq(released[i], i % 4 == 0);
	ck_assert_uint_eq(stat_held(wire.loop), 0);
	close(wire.peer);
}
END_TEST

START_TEST(what_is_sent_in_one_turn_leaves_in_one_operation)
{
	struct wire wire;
	uint64_t before;
	int i;

	wire_up(&wire, _i, "buffers.count=1024", &note_all);
	turns_until_quiet(wire.loop);
	before = stats_of(wire.loop).ops;
	for (i = 0; i < 700; i++)
		ck_assert_int_eq(sfr_conn_send(wire.conn, piece(wire.loop, (uint64_t)i, 1)), 1);
	assert_hears_pattern(&wire, 700);
	turns_until(wire.loop, sfr_conn_queued(wire.conn) == 0);

	ck_assert_uint_eq(stats_of(wire.loop).ops, before + 1);
	close(wire.peer);
}
END_TEST

START_TEST(sends_of_many_turns_keep_their_order)
{
	struct wire wire;
	size_t total = 0;
	int i;

	wire_up(&wire, _i, NULL, &note_all);
	peer_narrow(wire.peer);
	conn_narrow(wire.conn); /* so that one send is in flight when the next comes */
	for (i = 0; i < 500; i++) {
		size_t size = (size_t)(i * 3701 % 20000) + 1;

		ck_assert_int_eq(sfr_conn_send(wire.conn, piece(wire.loop, total, size)),
				 (int)size);
		total += size;
		if (i % 3 == 0)
			(void)sfr_loop_step(wire.loop, 0);
	}
	assert_hears_pattern(&wire, total);
	close(wire.peer);
}
END_TEST

START_TEST(a_send_begins_where_data_stands)
{
	struct wire wire;
	sfr_buf *buf;
	char heard[5];

	wire_up(&wire, _i, NULL, &note_all);
	buf = sfr_buf_from(wire.loop, "header:hello", 12);
	buf->data += 7;
	buf->len -= 7;
	ck_assert_int_eq(sfr_conn_send(wire.conn, buf), 5);
	peer_hear(wire.loop, wire.peer, heard, 5);

	ck_assert_mem_eq(heard, "hello", 5);
	close(wire.peer);
}
END_TEST

START_TEST(wrapped_memory_that_is_never_sent_is_released_once_when_the_connection_closes)
{
	struct wire wire;
	int i;

	wire_up(&wire, _i, NULL, &note_all);
	for (i = 0; i < 30; i++)
		ck_assert_int_gt(sfr_conn_send(wire.conn, wrapped_piece(wire.loop, 0, 1 << 20, i)),
				 0);
	turns_until_quiet(wire.loop); /* the peer reads nothing */
	sfr_conn_close(wire.conn);
	assert_ends_with(&wire, -ECANCELED);

	for (i = 0; i < 30; i++)
		ck_assert_int_eq(released[i], 1);
}
END_TEST

START_TEST(a_send_of_0_bytes_is_taken_and_changes_nothing)
{
	struct wire wire;
	char heard[5];

	wire_up(&wire, _i, NULL, &note_all);
	ck_assert_int_eq(conn_say(wire.conn, NULL, 0), 0);
	ck_assert_uint_eq(sfr_conn_queued(wire.conn), 0);
	ck_assert_int_eq(conn_say(wire.conn, "hel", 3), 3);
	ck_assert_int_eq(conn_say(wire.conn, NULL, 0), 0);
	ck_assert_int_eq(conn_say(wire.conn, "lo", 2), 2);
	peer_hear(wire.loop, wire.peer, heard, 5);

	ck_assert_mem_eq(heard, "hello", 5);
	ck_assert_int_eq(here.closed, 0);
	close(wire.peer);
}
END_TEST

START_TEST(a_send_of_no_buffer_closes_with_epoolempty)
{
	struct wire wire;

	wire_up(&wire, _i, NULL, &note_all);
	ck_assert_int_eq(sfr_conn_send(wire.conn, NULL), -SFR_EPOOLEMPTY);
	sfr_conn_close(wire.conn); /* the first reason stays */
	ck_assert_int_eq(here.closed, 0);

	assert_ends_with(&wire, -SFR_EPOOLEMPTY);
}
END_TEST

START_TEST(a_buffer_sent_twice_closes_with_einflight)
{
	struct wire wire;
	sfr_buf *buf, *volatile again;

	wire_up(&wire, _i, NULL, &note_all);
	again = buf = piece(wire.loop, 0, 100);
	ck_assert_int_eq(sfr_conn_send(wire.conn, buf), 100);
	ck_assert_int_eq(sfr_conn_send(wire.conn, again), -SFR_EINFLIGHT);

	assert_ends_with(&wire, -SFR_EINFLIGHT);
}
END_TEST

START_TEST(a_buffer_sent_after_its_release_closes_with_einflight)
{
	struct wire wire;
	sfr_buf *buf, *volatile again;

	wire_up(&wire, _i, NULL, &note_all);
	again = buf = piece(wire.loop, 0, 100);
	sfr_buf_release(buf);
	ck_assert_int_eq(sfr_conn_send(wire.conn, again), -SFR_EINFLIGHT);

	assert_ends_with(&wire, -SFR_EINFLIGHT);
}
END_TEST

START_TEST(a_window_outside_its_buffer_closes_with_einval)
{
	struct wire wire;
	sfr_buf *buf;

	wire_up(&wire, _i, NULL, &note_all);
	buf = piece(wire.loop, 0, 100);
	buf->len = buf->cap + 1;
	ck_assert_int_eq(sfr_conn_send(wire.conn, buf), -EINVAL);

	assert_ends_with(&wire, -EINVAL);
}
END_TEST

START_TEST(a_send_above_queue_max_closes_with_enobufs)
{
	struct wire wire;
	int i, r = 0;

	wire_up(&wire, _i, "server.queue_max=32KiB server.high_water=16KiB server.low_water=8KiB",
		&note_all);
	for (i = 0; i < 8; i++)
		ck_assert_int_eq(sfr_conn_send(wire.conn, wrapped_piece(wire.loop, 0, 4096, i)),
				 4096);
	r = sfr_conn_send(wire.conn, wrapped_piece(wire.loop, 0, 1, 8));
	ck_assert_int_eq(r, -ENOBUFS);
	ck_assert_int_eq(conn_say(wire.conn, "x", 1), -ECANCELED);
	assert_ends_with(&wire, -ENOBUFS);

	for (i = 0; i < 9; i++)
		ck_assert_int_eq(released[i], 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("server send");
	TCase *tcase = peers_case(suite, "sending");

	world_test(tcase, what_is_sent_in_many_pieces_of_all_kinds_arrives_whole_and_in_order);
	world_test(tcase, what_is_sent_in_one_turn_leaves_in_one_operation);
	world_test(tcase, sends_of_many_turns_keep_their_order);
	world_test(tcase, a_send_begins_where_data_stands);
	world_test(tcase,
		   wrapped_memory_that_is_never_sent_is_released_once_when_the_connection_closes);
	world_test(tcase, a_send_of_0_bytes_is_taken_and_changes_nothing);
	world_test(tcase, a_send_of_no_buffer_closes_with_epoolempty);
	world_test(tcase, a_buffer_sent_twice_closes_with_einflight);
	world_test(tcase, a_buffer_sent_after_its_release_closes_with_einflight);
	world_test(tcase, a_window_outside_its_buffer_closes_with_einval);
	world_test(tcase, a_send_above_queue_max_closes_with_enobufs);
	return world_run(suite);
}
