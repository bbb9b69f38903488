/* SPDX-License-Identifier: MIT */
/*
 * Sharing: one payload, many references, each with a window of its own; read-only while there are
 * several, and back once, after the last.
 */
#include "peers.h"
#include "buffer/buf.h"
#include "op/kind.h"
#include <errno.h>
#include <pthread.h>
#include <safer_ring/error.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

START_TEST(a_share_is_the_same_bytes_under_a_window_of_its_own)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_buf *buf = sfr_buf_from(loop, "header body", 11), *share = sfr_buf_share(buf);

	ck_assert_ptr_nonnull(share);
	ck_assert_ptr_ne(share, buf);
	ck_assert_ptr_eq(share->data, buf->data);
	ck_assert_uint_eq(share->len, 11);
	share->data += 7;
	share->len = 4;
	ck_assert_uint_eq(buf->len, 11);
	ck_assert_mem_eq(share->data, "body", 4);
	ck_assert_uint_eq(stat_held(loop), 1);

	sfr_buf_release(buf);
	ck_assert_mem_eq(share->data, "body", 4);
	ck_assert_uint_eq(stat_held(loop), 1);
	sfr_buf_release(share);
	ck_assert_uint_eq(stat_held(loop), 0);
}
END_TEST

static sfr_op *read_into(sfr_loop *loop, sfr_buf *buf)
{
	return sfr_read(loop, empty_file(), buf);
}

static sfr_op *read_at_into(sfr_loop *loop, sfr_buf *buf)
{
	return sfr_read_at(loop, empty_file(), buf, 0);
}

static sfr_op *recv_into(sfr_loop *loop, sfr_buf *buf)
{
	int a, b;

	pair_of_sockets(&a, &b);
	return sfr_recv(loop, a, buf);
}

static sfr_op *statx_into(sfr_loop *loop, sfr_buf *buf)
{
	return sfr_statx(loop, -100, "/", 0, 0x7ff, buf);
}

static sfr_op *recvfrom_into(sfr_loop *loop, sfr_buf *buf)
{
	int a, b;

	pair_of_sockets(&a, &b);
	return sfr_recvfrom(loop, a, buf);
}

static sfr_op *waitid_into(sfr_loop *loop, sfr_buf *buf)
{
	return sfr_waitid(loop, P_PID, 1, WEXITED, buf);
}

static sfr_op *(*const fillers[])(sfr_loop *, sfr_buf *) = {read_into,  read_at_into,  recv_into,
							    statx_into, recvfrom_into, waitid_into};

START_TEST(each_kind_that_fills_a_buffer_is_among_the_fillers)
{
	sfr_loop *loop = loop_in(_i, NULL);
	bool built[SFR__OP_KINDS] = {false};
	unsigned kind;
	int i;

	for (i = 0; i < COUNT_OF(fillers); i++) {
		sfr_op *op = fillers[i](loop, sfr_buf_get(loop, 0));

		built[op->kind] = true;
		sfr_op_discard(op);
	}
	for (kind = 0; kind < SFR__OP_KINDS; kind++)
		ck_assert_msg(built[kind] ||
				      !sfr__kind_is(kind, SFR__KIND_FILLS | SFR__KIND_STRUCT),
			      "no filler builds %s", sfr__kinds[kind].name);
}
END_TEST

START_TEST(what_would_fill_a_shared_buffer_is_refused_by_name)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int i;

	for (i = 0; i < COUNT_OF(fillers); i++) {
		sfr_buf *buf = sfr_buf_from(loop, "precious", 8), *share = sfr_buf_share(buf),
			*back;

		ck_assert_int_eq(sfr_await(fillers[i](loop, share), &back), -SFR_ESHARED);
		ck_assert_ptr_eq(back, share);
		ck_assert_int_eq(sfr_await(fillers[i](loop, buf), &back), -SFR_ESHARED);
		ck_assert_mem_eq(back->data, "precious", 8);
		sfr_buf_release(share);
		sfr_buf_release(back);
	}
}
END_TEST

START_TEST(the_last_reference_may_be_filled_again)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_buf *buf = sfr_buf_from(loop, "precious", 8), *share = sfr_buf_share(buf), *back;
	int read_end, write_end;

	pair_of_pipe_ends(&read_end, &write_end);
	ck_assert_int_eq(write(write_end, "new", 3), 3);
	sfr_buf_release(buf);
	ck_assert_int_eq(sfr_await(sfr_read(loop, read_end, share), &back), 3);
	ck_assert_mem_eq(back->data, "new", 3);
	sfr_buf_release(back);
}
END_TEST

START_TEST(shares_are_written_and_sent_at_once_by_many)
{
	enum { MANY = 40 };
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_buf *buf = sfr_buf_from(loop, "to all of you", 13);
	int ends[MANY][2], i;

	for (i = 0; i < MANY; i++) {
		sfr_buf *share = sfr_buf_share(buf);

		if (i % 2)
			pair_of_sockets(&ends[i][0], &ends[i][1]);
		else
			pair_of_pipe_ends(&ends[i][0], &ends[i][1]);
		sfr_submit(i % 2 ? sfr_send(loop, ends[i][1], share)
				 : sfr_write(loop, ends[i][1], share),
			   NULL, NULL);
	}
	sfr_buf_release(buf);
	ck_assert_int_eq(sfr_loop_run(loop), 0);
	for (i = 0; i < MANY; i++) {
		char heard[16];

		ck_assert_int_eq(read(ends[i][0], heard, sizeof(heard)), 13);
		ck_assert_mem_eq(heard, "to all of you", 13);
	}
	ck_assert_uint_eq(stat_held(loop), 0);
}
END_TEST

START_TEST(wrapped_memory_comes_back_once_after_its_last_reference)
{
	static char mem[100];
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_buf *buf = sfr_buf_wrap(loop, mem, sizeof(mem), note_release, NULL);
	sfr_buf *first = sfr_buf_share(buf), *second = sfr_buf_share(first);

	sfr_buf_release(first);
	sfr_buf_release(buf);
	ck_assert_int_eq(releases, 0);
	sfr_buf_release(second);
	ck_assert_int_eq(releases, 1);
}
END_TEST

static void *release_it(void *arg)
{
	sfr_buf_release(arg);
	return NULL;
}

START_TEST(references_may_be_released_by_any_thread)
{
	enum { MANY = 8 };
	static char mem[100];
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_buf *wrapped, *of_slab;
	pthread_t threads[2 * MANY];
	int i;

	ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
	wrapped = sfr_buf_wrap(loop, mem, sizeof(mem), note_release, NULL);
	of_slab = sfr_buf_get(loop, 1);
	for (i = 0; i < 2 * MANY; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, release_it,
						sfr_buf_share(i % 2 ? wrapped : of_slab)),
				 0);
	sfr_buf_release(wrapped);
	sfr_buf_release(of_slab);
	for (i = 0; i < 2 * MANY; i++)
		pthread_join(threads[i], NULL);
	ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
	ck_assert_int_eq(releases, 1);
	ck_assert_uint_eq(stat_held(loop), 0);
}
END_TEST

START_TEST(references_outlive_the_loop)
{
	static char mem[100] = "still here";
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_buf *wrapped = sfr_buf_wrap(loop, mem, sizeof(mem), note_release, NULL);
	sfr_buf *of_slab = sfr_buf_from(loop, "also", 4), *shares[2];

	shares[0] = sfr_buf_share(wrapped);
	shares[1] = sfr_buf_share(of_slab);
	loop_gone();
	ck_assert_int_eq(sfr_loop_free(loop), 0);
	sfr_buf_release(wrapped);
	sfr_buf_release(of_slab);
	ck_assert_int_eq(releases, 0);
	ck_assert_mem_eq(shares[0]->data, "still here", 10);
	ck_assert_mem_eq(shares[1]->data, "also", 4);
	ck_assert_ptr_null(sfr_buf_share(shares[1])); /* there is nobody to keep count */
	sfr_buf_release(shares[0]);
	ck_assert_int_eq(releases, 1);
	sfr_buf_release(shares[1]);
}
END_TEST

START_TEST(a_chain_is_shared_part_by_part)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_buf *chain = sfr_buf_append(
		sfr_buf_from(loop, "one ", 4),
		sfr_buf_append(sfr_buf_from(loop, "two ", 4), sfr_buf_from(loop, "three", 5)));
	sfr_buf *share = sfr_buf_share(chain), *back;
	char heard[32];
	int read_end, write_end;

	pair_of_pipe_ends(&read_end, &write_end);
	ck_assert_ptr_eq(share->next->next->data, chain->next->next->data);
	sfr_buf_release(chain);
	ck_assert_int_eq(sfr_await(sfr_write(loop, write_end, share), &back), 13);
	ck_assert_int_eq(read(read_end, heard, sizeof(heard)), 13);
	ck_assert_mem_eq(heard, "one two three", 13);
	sfr_buf_release(back);
	ck_assert_uint_eq(stat_held(loop), 0);
}
END_TEST

START_TEST(what_is_not_the_callers_is_not_his_to_share)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_buf *buf = sfr_buf_get(loop, 1), *given = same(buf);
	sfr_op *op = sfr_write(loop, empty_file(), buf);

	ck_assert_ptr_null(sfr_buf_share(given));
	ck_assert_int_eq(errno, SFR_EINFLIGHT);
	ck_assert_ptr_null(sfr_buf_share(NULL));
	ck_assert_int_eq(errno, SFR_EINFLIGHT);
	sfr_op_discard(op);
}
END_TEST

START_TEST(without_memory_for_another_there_is_none_and_nothing_else_changes)
{
	sfr_loop *loop = loop_in(_i, "ring.ops_max=64");
	sfr_buf *buf = sfr_buf_from(loop, "rare", 4), *shares[65];
	int count = 0;

	while (count < 65 && (shares[count] = sfr_buf_share(buf)))
		count++;
	ck_assert_int_eq(count, 64);
	ck_assert_int_eq(errno, ENOMEM);
	sfr_buf_release(shares[3]);
	shares[3] = sfr_buf_share(buf);
	ck_assert_ptr_nonnull(shares[3]);
	while (count)
		sfr_buf_release(shares[--count]);
	ck_assert_mem_eq(buf->data, "rare", 4);
	sfr_buf_release(buf);
	ck_assert_uint_eq(stat_held(loop), 0);
}
END_TEST

START_TEST(contents_are_poisoned_after_the_last_reference_only)
{
	sfr_loop *loop = loop_in(_i, "safety.poison=on");
	sfr_buf *buf, *share;
	unsigned char *at;

	ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
	buf = sfr_buf_from(loop, "precious", 8);
	share = sfr_buf_share(buf);
	at = same(share->data);
	sfr_buf_release(buf);
	ck_assert_mem_eq(share->data, "precious", 8);
	sfr_buf_release(share);
	ck_assert_uint_eq(at[0], 0xDF);
}
END_TEST

/*
 * A broadcast.
 */

static unsigned char payload[1024];

START_TEST(a_broadcast_copies_nothing_and_the_payload_comes_back_once)
{
	enum { LISTENERS = 1000 };
	static int peers[LISTENERS];
	static sfr_conn *conns[LISTENERS];
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_server *server = serve(loop, &note_all, &here);
	sfr_loop_stats before, after;
	unsigned char heard[sizeof(payload)];
	sfr_buf *buf;
	int i;

	pattern_fill(payload, 1, 0, sizeof(payload));
	for (i = 0; i < LISTENERS; i++) {
		peers[i] = peer_of(server);
		turns_until(loop, here.opened == i + 1);
		conns[i] = here.conn;
	}
	turns_until_quiet(loop);
	sfr_loop_stats_get(loop, &before, sizeof(before));
	buf = sfr_buf_wrap(loop, payload, sizeof(payload), note_release, NULL);
	buf->len = sizeof(payload);
	for (i = 0; i < LISTENERS; i++)
		ck_assert_int_eq(sfr_conn_send(conns[i], sfr_buf_share(buf)), sizeof(payload));
	sfr_buf_release(buf);
	ck_assert_int_eq(releases, 0);
	turns_until(loop, releases);
	turns_until_quiet(loop);
	sfr_loop_stats_get(loop, &after, sizeof(after));
	ck_assert_int_eq(releases, 1);
	ck_assert_uint_eq(after.bufs_total, before.bufs_total);
	ck_assert_uint_eq(after.heap_allocs - before.heap_allocs, 1); /* the wrapping */
	for (i = 0; i < LISTENERS; i++) {
		peer_hear(loop, peers[i], heard, sizeof(heard));
		ck_assert_mem_eq(heard, payload, sizeof(payload));
		close(peers[i]);
	}
}
END_TEST

START_TEST(a_slow_receiver_of_a_shared_payload_has_it_and_the_slab_is_left_alone)
{
	enum { MESSAGES = 4000 };
	sfr_loop *loop = loop_in(_i, "buffers.count=8 buffers.receive=4 "
				     "server.queue_max=64MiB server.high_water=64MiB");
	sfr_server *server = serve(loop, &note_all, &here);
	int peer = peer_of(server), i;
	static unsigned char heard[1024];
	sfr_loop_stats stats;
	sfr_buf *buf;

	turns_until(loop, here.opened == 1);
	conn_narrow(here.conn);
	buf = sfr_buf_get(loop, sizeof(payload));
	pattern_fill(buf->data, 1, 0, sizeof(payload));
	buf->len = sizeof(payload);
	for (i = 0; i < MESSAGES; i++)
		ck_assert_int_eq(sfr_conn_send(here.conn, sfr_buf_share(buf)), sizeof(payload));
	sfr_buf_release(buf);
	turns_until_quiet(loop);
	ck_assert_uint_eq(stat_held(loop), 1);
	for (i = 0; i < MESSAGES; i++) {
		peer_hear(loop, peer, heard, sizeof(heard));
		ck_assert(pattern_is(heard, 1, 0, sizeof(heard)));
	}
	turns_until(loop, stat_held(loop) == 0);
	sfr_loop_stats_get(loop, &stats, sizeof(stats));
	ck_assert_uint_eq(stats.bytes_heap, 0);
	close(peer);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("share");
	TCase *tc = world_case(suite, "references");
	TCase *broadcast = peers_case(suite, "broadcast");

	world_test(tc, a_share_is_the_same_bytes_under_a_window_of_its_own);
	world_test(tc, each_kind_that_fills_a_buffer_is_among_the_fillers);
	world_test(tc, what_would_fill_a_shared_buffer_is_refused_by_name);
	world_test(tc, the_last_reference_may_be_filled_again);
	world_test(tc, shares_are_written_and_sent_at_once_by_many);
	world_test(tc, wrapped_memory_comes_back_once_after_its_last_reference);
	world_test(tc, references_may_be_released_by_any_thread);
	world_test(tc, references_outlive_the_loop);
	world_test(tc, a_chain_is_shared_part_by_part);
	world_test(tc, what_is_not_the_callers_is_not_his_to_share);
	world_test(tc, without_memory_for_another_there_is_none_and_nothing_else_changes);
	world_test(tc, contents_are_poisoned_after_the_last_reference_only);
	world_test(broadcast, a_broadcast_copies_nothing_and_the_payload_comes_back_once);
	world_test(broadcast,
		   a_slow_receiver_of_a_shared_payload_has_it_and_the_slab_is_left_alone);
	return world_run(suite);
}
