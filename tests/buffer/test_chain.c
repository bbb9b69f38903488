/* SPDX-License-Identifier: MIT */
/*
 * Chains: sent and written as if they were one buffer, and owned as one.
 */
#include "deadlines.h"
#include "peers.h"
#include "buffer/buf.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <safer_ring/error.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* A chain of so many parts of `size` bytes of stream 1; every third part is a window into its buffer. */
static sfr_buf *chain_of(sfr_loop *loop, int parts, uint32_t size)
{
	sfr_buf *chain = NULL;

	while (parts-- > 0) {
		sfr_buf *buf = sfr_buf_get(loop, size + 5);

		ck_assert_ptr_nonnull(buf);
		if (parts % 3 == 0)
			buf->data += 5;
		pattern_fill(buf->data, 1, (uint64_t)parts * size, size);
		buf->len = size;
		chain = sfr_buf_append(buf, chain);
	}
	return chain;
}

static int parts_of(const sfr_buf *chain)
{
	int parts = 0;

	for (; chain; chain = chain->next)
		parts++;
	return parts;
}

static void assert_chain_is(const sfr_buf *chain, int parts, uint32_t size)
{
	int i;

	ck_assert_int_eq(parts_of(chain), parts);
	for (i = 0; i < parts; i++, chain = chain->next) {
		ck_assert(sfr_buf_is_owned(chain));
		ck_assert_uint_eq(chain->len, size);
		ck_assert(pattern_is(chain->data, 1, (uint64_t)i * size, size));
	}
}

static void assert_file_is(int fd, uint64_t off, size_t size)
{
	unsigned char *heard = malloc(size + 1);

	ck_assert_int_eq(pread(fd, heard, size + 1, (off_t)off), (ssize_t)size);
	ck_assert(pattern_is(heard, 1, 0, size));
	free(heard);
}

START_TEST(a_chain_is_written_as_if_it_were_one_buffer_and_comes_back_as_it_was)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int fd = empty_file();
	sfr_buf *back;

	ck_assert_int_eq(sfr_await(sfr_write(loop, fd, chain_of(loop, 7, 100)), &back), 700);
	assert_file_is(fd, 0, 700);
	assert_chain_is(back, 7, 100);
	sfr_buf_release(back);

	ck_assert_int_eq(ftruncate(fd, 0), 0);
	ck_assert_int_eq(sfr_await(sfr_write_at(loop, fd, chain_of(loop, 7, 100), 3000), &back),
			 700);
	assert_file_is(fd, 3000, 700);
	sfr_buf_release(back);
	ck_assert_uint_eq(stat_held(loop), 0);
}
END_TEST

START_TEST(a_chain_in_flight_is_not_the_callers_in_any_part)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_buf *chain = chain_of(loop, 3, 10), *first = same(chain),
		*last = same(chain->next->next);
	sfr_op *op = sfr_write(loop, empty_file(), chain);

	ck_assert(!sfr_buf_is_owned(first));
	ck_assert(!sfr_buf_is_owned(last));
	ck_assert_ptr_null(last->data);
	sfr_op_discard(op);
	ck_assert_uint_eq(stat_held(loop), 0);
}
END_TEST

/* What reads the other end until all has come. */
struct reader {
	pthread_t thread;
	int fd;
	size_t size;
	bool right;
};

static void *read_slowly(void *arg)
{
	struct reader *reader = arg;
	unsigned char piece[3000];
	size_t got = 0;
	ssize_t r = 1;

	reader->right = true;
	for (; got < reader->size && r > 0; got += (size_t)(r > 0 ? r : 0)) {
		r = read(reader->fd, piece, sizeof(piece));
		reader->right &= r > 0 && pattern_is(piece, 1, got, (size_t)r);
	}
	return NULL;
}

static void reader_start(struct reader *reader, int fd, size_t size)
{
	*reader = (struct reader){.fd = fd, .size = size};
	ck_assert_int_eq(pthread_create(&reader->thread, NULL, read_slowly, reader), 0);
}

static void assert_read_right(struct reader *reader)
{
	pthread_join(reader->thread, NULL);
	ck_assert(reader->right);
}

static const int lengths[] = {1, 2, 63, 64, 65, 1023, 1024, 1025, 2500};

START_TEST(a_chain_of_any_length_goes_whole_under_all)
{
	sfr_loop *loop = loop_in(_i, "buffers.count=4096 buffers.size=1KiB");
	size_t i;

	if (under_valgrind())
		return;

	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		int size = lengths[i] * 700, a, b, read_end, write_end, fd = empty_file();
		struct reader from_socket, from_pipe;
		sfr_buf *back;

		pair_of_sockets(&a, &b);
		pair_of_pipe_ends(&read_end, &write_end);
		reader_start(&from_socket, b, (size_t)size);
		ck_assert_int_eq(
			sfr_await(sfr_all(sfr_send(loop, a, chain_of(loop, lengths[i], 700))),
				  &back),
			size);
		assert_chain_is(back, lengths[i], 700);
		assert_read_right(&from_socket);

		reader_start(&from_pipe, read_end, (size_t)size);
		ck_assert_int_eq(sfr_await(sfr_all(sfr_write(loop, write_end, back)), &back), size);
		assert_read_right(&from_pipe);

		ck_assert_int_eq(sfr_await(sfr_all(sfr_write_at(loop, fd, back, 11)), &back), size);
		assert_file_is(fd, 11, (size_t)size);
		ck_assert_int_eq(ftruncate(fd, 0), 0);
		ck_assert_int_eq(sfr_await(sfr_all(sfr_write(loop, fd, back)), &back), size);
		assert_file_is(fd, 0, (size_t)size);
		sfr_buf_release(back);
	}
	ck_assert_uint_eq(stat_held(loop), 0);
}
END_TEST

START_TEST(a_chain_is_one_datagram)
{
	sfr_loop *loop = loop_in(_i, "buffers.size=64 buffers.count=2048");
	unsigned char heard[40000];
	int fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds), 0);
	owned_fd(fds[0]);
	owned_fd(fds[1]);
	ck_assert_int_eq(sfr_await(sfr_send(loop, fds[0], chain_of(loop, 1000, 20)), NULL), 20000);
	ck_assert_int_eq(recv(fds[1], heard, sizeof(heard), 0), 20000);
	ck_assert(pattern_is(heard, 1, 0, 20000));
}
END_TEST

START_TEST(a_chain_of_too_many_parts_is_no_datagram)
{
	sfr_loop *loop = loop_in(_i, "buffers.size=64 buffers.count=2048");
	unsigned char heard[100];
	int fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds), 0);
	owned_fd(fds[0]);
	owned_fd(fds[1]);
	ck_assert_int_eq(sfr_await(sfr_send(loop, fds[0], chain_of(loop, 1025, 1)), NULL),
			 -EMSGSIZE);
	ck_assert_int_eq(sfr_await(sfr_all(sfr_send(loop, fds[0], chain_of(loop, 1025, 1))), NULL),
			 -EMSGSIZE);
	ck_assert_int_eq(sfr_await(sfr_send_zc(loop, fds[0], chain_of(loop, 1025, 1)), NULL),
			 -EMSGSIZE);
	ck_assert_int_eq(recv(fds[1], heard, sizeof(heard), MSG_DONTWAIT), -1);
}
END_TEST

START_TEST(parts_may_be_empty)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_buf *chain = chain_of(loop, 2, 0);
	int fd = empty_file();
	sfr_buf *back;

	ck_assert_int_eq(sfr_await(sfr_write(loop, fd, chain), &back), 0);
	back = sfr_buf_append(sfr_buf_append(back, chain_of(loop, 2, 9)), chain_of(loop, 1, 0));
	ck_assert_int_eq(sfr_await(sfr_all(sfr_write(loop, fd, back)), &back), 18);
	assert_file_is(fd, 0, 18);
	sfr_buf_release(back);
}
END_TEST

START_TEST(a_chain_that_waits_comes_back_from_every_ending)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_ticket ticket;
	sfr_buf *back;

	ticket = sfr_submit(sfr_send(loop, full_socket(), chain_of(loop, 5, 10)), record, &seen);
	ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
	ck_assert_int_eq(sfr_cancel(loop, ticket), 0);
	turn_until(loop, &seen.calls, 1);
	ck_assert_int_eq(seen.result, -ECANCELED);
	assert_chain_is(seen.buf, 5, 10);
	seen_release(&seen);

	ck_assert_int_eq(
		sfr_await(sfr_within(sfr_write(loop, full_pipe(), chain_of(loop, 5, 10)), 1000000),
			  &back),
		-ETIMEDOUT);
	assert_chain_is(back, 5, 10);
	sfr_buf_release(back);

	ticket = sfr_submit(sfr_write(loop, full_pipe(), chain_of(loop, 5, 10)), record, &seen);
	ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
	ck_assert_int_eq(sfr_abandon(loop, ticket), 0);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	sfr_submit(sfr_all(sfr_send(loop, full_socket(), chain_of(loop, 70, 10))), record, &seen);
	ck_assert_int_eq(sfr_loop_drain(loop, -1), 0);
	ck_assert_int_eq(seen.calls, 2);
	seen_release(&seen);
	ck_assert_uint_eq(stat_held(loop), 0);
}
END_TEST

static int bytes_in(int fd)
{
	int bytes;

	ck_assert_int_eq(ioctl(fd, FIONREAD, &bytes), 0);
	return bytes;
}

static bool has_bytes(void *arg)
{
	return bytes_in(*(int *)arg) > 0;
}

/* How far it came, and then the chain is as it was. */
START_TEST(under_all_a_chain_cut_off_says_how_far_it_came)
{
	sfr_loop *loop = loop_in(_i, "buffers.count=4096");
	int read_end, write_end;

	pair_of_pipe_ends(&read_end, &write_end);
	sfr_submit(sfr_within(sfr_all(sfr_write(loop, write_end, chain_of(loop, 2000, 100))), HOUR),
		   record, &seen);
	turn_until_true(loop, has_bytes, &read_end);
	deadlines_due(loop);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.result, bytes_in(read_end));
	assert_chain_is(seen.buf, 2000, 100);
}
END_TEST

START_TEST(releasing_the_head_releases_all)
{
	sfr_loop *loop = loop_in(_i, NULL);

	sfr_buf_release(chain_of(loop, 9, 10));
	ck_assert_uint_eq(stat_held(loop), 0);
	sfr_submit(sfr_write(loop, empty_file(), chain_of(loop, 9, 10)), NULL, NULL);
	ck_assert_int_eq(sfr_loop_run(loop), 0);
	ck_assert_uint_eq(stat_held(loop), 0);
}
END_TEST

static sfr_op *read_chain(sfr_loop *loop, sfr_buf *chain)
{
	return sfr_read(loop, empty_file(), chain);
}

static sfr_op *recv_chain(sfr_loop *loop, sfr_buf *chain)
{
	int a, b;

	pair_of_sockets(&a, &b);
	return sfr_recv(loop, a, chain);
}

static sfr_op *statx_chain(sfr_loop *loop, sfr_buf *chain)
{
	return sfr_statx(loop, AT_FDCWD, "/", 0, 0x7ff, chain);
}

static sfr_op *recvfrom_chain(sfr_loop *loop, sfr_buf *chain)
{
	int a, b;

	pair_of_sockets(&a, &b);
	return sfr_recvfrom(loop, a, chain);
}

static sfr_op *waitid_chain(sfr_loop *loop, sfr_buf *chain)
{
	return sfr_waitid(loop, P_PID, 1, WEXITED, chain);
}

static sfr_op *raw_chain(sfr_loop *loop, sfr_buf *chain)
{
	static const uint64_t nop[8];

	return sfr_raw(loop, (const void *)nop, chain);
}

static sfr_op *(*const others[])(sfr_loop *, sfr_buf *) = {
	read_chain, recv_chain, statx_chain, recvfrom_chain, waitid_chain, raw_chain};

START_TEST(other_operations_refuse_a_chain)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int i;

	for (i = 0; i < COUNT_OF(others); i++) {
		sfr_buf *back;

		ck_assert_msg(sfr_await(others[i](loop, chain_of(loop, 3, 300)), &back) == -EINVAL,
			      "%d", i);
		assert_chain_is(back, 3, 300);
		sfr_buf_release(back);
	}
}
END_TEST

START_TEST(a_part_of_a_chain_is_not_to_be_given_released_or_appended)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_buf *chain = chain_of(loop, 3, 10), *part = same(chain->next);
	sfr_buf *second = chain_of(loop, 1, 10);

	sfr_buf_release(same(part));
	ck_assert_int_eq(sfr_await(sfr_write(loop, empty_file(), same(part)), NULL),
			 -SFR_EINFLIGHT);
	ck_assert_ptr_eq(sfr_buf_append(second, same(part)), second);
	ck_assert_ptr_eq(sfr_buf_append(chain, same(chain)), chain);
	ck_assert_int_eq(parts_of(second), 1);
	assert_chain_is(chain, 3, 10);
	sfr_buf_release(chain);
	sfr_buf_release(second);
	ck_assert_uint_eq(stat_held(loop), 0);
}
END_TEST

START_TEST(a_buffer_in_flight_is_neither_head_nor_tail)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_buf *given = chain_of(loop, 1, 10), *stale = same(given), *mine = chain_of(loop, 1, 10);
	sfr_op *op = sfr_write(loop, empty_file(), given);

	ck_assert_ptr_eq(sfr_buf_append(mine, same(stale)), mine);
	ck_assert_ptr_null(mine->next);
	ck_assert_ptr_eq(sfr_buf_append(stale, mine),
			 stale); /* and mine is released, as it was given */
	sfr_op_discard(op);
	ck_assert_uint_eq(stat_held(loop), 0);
}
END_TEST

START_TEST(buffers_of_two_loops_are_not_chained)
{
	sfr_loop *loop = loop_in(_i, NULL), *second;
	sfr_config *config = config_in(_i, NULL);
	sfr_buf *head = chain_of(loop, 1, 10);

	ck_assert_int_eq(sfr_loop_new(&second, config), 0);
	sfr_config_free(config);
	ck_assert_ptr_eq(sfr_buf_append(head, chain_of(second, 1, 10)), head);
	ck_assert_ptr_null(head->next);
	ck_assert_uint_eq(stat_held(second), 0);
	ck_assert_int_eq(sfr_loop_free(second), 0);
	sfr_buf_release(head);
}
END_TEST

START_TEST(nothing_is_the_end_of_every_chain)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_buf *buf = chain_of(loop, 1, 10);

	ck_assert_ptr_null(sfr_buf_append(NULL, NULL));
	ck_assert_ptr_eq(sfr_buf_append(buf, NULL), buf);
	ck_assert_ptr_eq(sfr_buf_append(NULL, same(buf)), buf);
	sfr_buf_release(buf);
}
END_TEST

START_TEST(a_next_that_was_written_to_is_refused_and_not_followed)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_buf *chain = chain_of(loop, 3, 10), *second = chain->next, *back;

	chain->next = (sfr_buf *)(void *)&seen; /* no buffer at all */
	ck_assert_int_eq(sfr_await(sfr_write(loop, empty_file(), chain), &back), -EINVAL);
	ck_assert_ptr_null(back->next);
	sfr_buf_release(back);

	sfr__buf_set_state(sfr__buf(second), SFR__BUF_OWNED);
	second->next->next = second; /* a circle */
	ck_assert_int_eq(sfr_await(sfr_write(loop, empty_file(), second), &back), -EINVAL);
	ck_assert_int_eq(parts_of(back), 2);
	sfr_buf_release(back);
	ck_assert_uint_eq(stat_held(loop), 0);
}
END_TEST

START_TEST(a_window_that_left_a_part_is_refused)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_buf *chain = chain_of(loop, 3, 10), *back;

	chain->next->len = chain->next->cap + 1;
	ck_assert_int_eq(sfr_await(sfr_write(loop, empty_file(), chain), &back), -EINVAL);
	ck_assert_int_eq(parts_of(back), 3);
	sfr_buf_release(back);
	ck_assert_uint_eq(stat_held(loop), 0);
}
END_TEST

START_TEST(a_connection_sends_chains_in_order_and_drops_each_part_as_it_goes)
{
	enum { CHAINS = 50, PARTS = 90 };
	static unsigned char memory[CHAINS][10];
	sfr_loop *loop = loop_in(_i, "buffers.count=8192 buffers.size=1KiB");
	sfr_server *server = serve(loop, &note_all, &here);
	int peer = peer_of(server), i;
	unsigned char *heard = malloc(CHAINS * PARTS * 10);

	turns_until(loop, here.opened == 1);
	for (i = 0; i < CHAINS; i++) {
		sfr_buf *chain = chain_of(loop, PARTS - 1, 10), *part;
		sfr_buf *last = sfr_buf_wrap(loop, memory[i], 10, note_release, NULL);
		uint64_t off = (uint64_t)i * PARTS * 10;

		for (part = chain; part; part = part->next, off += 10)
			pattern_fill(part->data, 1, off, 10);
		pattern_fill(last->data, 1, off, 10);
		last->len = 10;
		chain = sfr_buf_append(chain, last);
		ck_assert_int_eq(sfr_conn_send(here.conn, chain), PARTS * 10);
	}
	peer_hear(loop, peer, heard, CHAINS * PARTS * 10);
	ck_assert(pattern_is(heard, 1, 0, CHAINS * PARTS * 10));
	turns_until(loop, releases == CHAINS);
	ck_assert_uint_eq(stat_held(loop), 0);
	free(heard);
	close(peer);
}
END_TEST

START_TEST(a_connection_that_refuses_a_chain_releases_all_of_it)
{
	sfr_loop *loop = loop_in(
		_i, "server.queue_max=4KiB server.high_water=4KiB server.low_water=1KiB");
	sfr_server *server = serve(loop, &note_all, &here);
	int peer = peer_of(server);

	turns_until(loop, here.opened == 1);
	ck_assert_int_eq(sfr_conn_send(here.conn, chain_of(loop, 50, 100)), -ENOBUFS);
	turns_until(loop, here.closed == 1);
	ck_assert_int_eq(here.reason, -ENOBUFS);
	ck_assert_uint_eq(stat_held(loop), 0);
	close(peer);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("chain");
	TCase *tc = world_case(suite, "as one buffer");
	TCase *misuse = world_case(suite, "owned as one");
	TCase *conn = peers_case(suite, "connections");

	world_test(tc, a_chain_is_written_as_if_it_were_one_buffer_and_comes_back_as_it_was);
	world_test(tc, a_chain_in_flight_is_not_the_callers_in_any_part);
	world_test(tc, a_chain_of_any_length_goes_whole_under_all);
	world_test(tc, a_chain_is_one_datagram);
	world_test(tc, a_chain_of_too_many_parts_is_no_datagram);
	world_test(tc, parts_may_be_empty);
	world_test(tc, a_chain_that_waits_comes_back_from_every_ending);
	world_test(tc, under_all_a_chain_cut_off_says_how_far_it_came);
	world_test(tc, releasing_the_head_releases_all);
	world_test(misuse, other_operations_refuse_a_chain);
	world_test(misuse, a_part_of_a_chain_is_not_to_be_given_released_or_appended);
	world_test(misuse, a_buffer_in_flight_is_neither_head_nor_tail);
	world_test(misuse, buffers_of_two_loops_are_not_chained);
	world_test(misuse, nothing_is_the_end_of_every_chain);
	world_test(misuse, a_next_that_was_written_to_is_refused_and_not_followed);
	world_test(misuse, a_window_that_left_a_part_is_refused);
	world_test(conn, a_connection_sends_chains_in_order_and_drops_each_part_as_it_goes);
	world_test(conn, a_connection_that_refuses_a_chain_releases_all_of_it);
	return world_run(suite);
}
