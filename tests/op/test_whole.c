/* SPDX-License-Identifier: MIT */
/*
 * The whole length: reads, writes, receives and sends that go on after a part, until all is done or
 * something ends them.
 */
#include "deadlines.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define COUNT_OF(array) ((int)(sizeof(array) / sizeof((array)[0])))

/* Of the slab, and so registered where that is possible; and of the heap. */
static const uint32_t sizes[] = {1000, 4096, 300000};

/* Bytes that are the same only at the same place. */
static unsigned char pattern_at(size_t at)
{
	return (unsigned char)(at ^ at >> 8 ^ at >> 16);
}

static void pattern_fill(unsigned char *bytes, size_t at, size_t size)
{
	size_t i;

	for (i = 0; i < size; i++)
		bytes[i] = pattern_at(at + i);
}

static void pattern_check(const unsigned char *bytes, size_t at, size_t size)
{
	size_t i;

	for (i = 0; i < size; i++)
		if (bytes[i] != pattern_at(at + i))
			ck_abort_msg("byte %zu is %u", at + i, bytes[i]);
}

static sfr_buf *full_buf(sfr_loop *loop, uint32_t size)
{
	sfr_buf *buf = sfr_buf_get(loop, size);

	ck_assert_ptr_nonnull(buf);
	pattern_fill(buf->data, 0, size);
	buf->len = size;
	return buf;
}

/* A buffer with room for `size` bytes; zeros, as not every checker knows what the kernel writes. */
static sfr_buf *empty_buf(sfr_loop *loop, uint32_t size)
{
	sfr_buf *buf = sfr_buf_get(loop, size);

	ck_assert_ptr_nonnull(buf);
	buf->cap = size;
	memset(buf->data, 0, size);
	return buf;
}

static int file_of(size_t size)
{
	unsigned char *bytes = malloc(size);
	int fd = empty_file();

	pattern_fill(bytes, 0, size);
	ck_assert_int_eq(write(fd, bytes, size), (ssize_t)size);
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	free(bytes);
	return fd;
}

/* What the callback saw: `size` bytes, and the buffer that holds them. */
static void assert_filled(uint32_t size)
{
	ck_assert_int_eq(seen.calls, 1);
	ck_assert_int_eq(seen.result, (int)size);
	ck_assert(sfr_buf_is_owned(seen.buf));
	ck_assert_uint_eq(seen.buf->len, size);
	pattern_check(seen.buf->data, 0, size);
	seen_release(&seen);
	seen = (struct seen){0};
}

/*
 * Files.
 */

START_TEST(a_file_is_written_and_read_in_whole_buffers)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int i, k, fd = empty_file();
	sfr_buf *buf;

	for (i = 0; i < COUNT_OF(sizes); i++) {
		uint32_t size = sizes[i];

		for (k = 0; k < 3; k++) {
			uint64_t off = (uint64_t)k * size;

			ck_assert_int_eq(sfr_await(sfr_all(sfr_write_at(loop, fd,
									full_buf(loop, size), off)),
						   &buf),
					 (int)size);
			ck_assert_uint_eq(buf->len, size);
			pattern_check(buf->data, 0, size);
			sfr_buf_release(buf);
			buf = empty_buf(loop, size);
			ck_assert_int_eq(sfr_await(sfr_all(sfr_read_at(loop, fd, buf, off)), &buf),
					 (int)size);
			pattern_check(buf->data, 0, size);
			sfr_buf_release(buf);
		}
		ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), 0);
	}
}
END_TEST

START_TEST(the_end_of_a_file_ends_a_read_with_what_there_was)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int i, fd = file_of(700);

	for (i = 0; i < COUNT_OF(sizes); i++) {
		sfr_submit(sfr_all(sfr_read_at(loop, fd, empty_buf(loop, sizes[i]), 0)), record,
			   &seen);
		sfr_submit(sfr_all(sfr_read_at(loop, fd, empty_buf(loop, sizes[i]), 700)), record,
			   &other);
		ck_assert_int_eq(sfr_loop_run(loop), 0);

		assert_filled(700);
		ck_assert_int_eq(other.result, 0);
		ck_assert_uint_eq(other.buf->len, 0);
	}
}
END_TEST

START_TEST(without_an_offset_the_position_of_the_file_moves_by_the_whole)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int i, fd = file_of(400000), to = empty_file();
	off_t read_at = 0, written = 0;
	sfr_buf *buf;

	for (i = 0; i < COUNT_OF(sizes); i++) {
		uint32_t size = sizes[i];

		buf = empty_buf(loop, size);
		ck_assert_int_eq(sfr_await(sfr_all(sfr_read(loop, fd, buf)), &buf), (int)size);
		pattern_check(buf->data, (size_t)read_at, size);
		read_at += size;
		ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), read_at);
		ck_assert_int_eq(sfr_await(sfr_all(sfr_write(loop, to, buf)), NULL), (int)size);
		written += size;
		ck_assert_int_eq(lseek(to, 0, SEEK_CUR), written);
	}
}
END_TEST

/* A limit on the size of files: the write that meets it is short, and the next one fails. */
START_TEST(an_error_after_a_part_leaves_the_part)
{
	sfr_loop *loop = loop_in(_i, NULL);
	struct rlimit before, limit;
	int fd = empty_file(), r;
	sfr_buf *buf;

	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit = (struct rlimit){.rlim_cur = 1 << 20, .rlim_max = before.rlim_max};
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	buf = full_buf(loop, 3000);
	r = sfr_await(sfr_all(sfr_write_at(loop, fd, buf, (1 << 20) - 1000)), &buf);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);

	ck_assert_int_eq(r, 1000);
	ck_assert_uint_eq(buf->len, 3000);
	pattern_check(buf->data, 0, 3000);
	sfr_buf_release(buf);
}
END_TEST

/*
 * In pieces.
 */

static int bytes_left(int fd)
{
	int left = -1;

	ck_assert_int_eq(ioctl(fd, FIONREAD, &left), 0);
	return left;
}

/* Write a piece, and let the op take it. The engine may do so without a word: the loop must not sleep. */
static void feed(sfr_loop *loop, int read_end, int write_end, size_t at, size_t size)
{
	unsigned char piece[4096];

	pattern_fill(piece, at, size);
	ck_assert_int_eq(write(write_end, piece, size), (ssize_t)size);
	while (bytes_left(read_end))
		ck_assert_int_eq(sfr_await(sfr_nop(loop), NULL), 0);
}

enum { PIPE, UNIX_SOCKETS, SOCKETS, KINDS };

static void pair_of(int kind, int *read_end, int *write_end)
{
	if (kind == PIPE)
		pair_of_pipe_ends(read_end, write_end);
	else if (kind == UNIX_SOCKETS)
		pair_of_unix_sockets(read_end, write_end);
	else
		pair_of_sockets(read_end, write_end);
}

/* What receives from such a pair; what has two ways is read from in the second one. */
static sfr_op *taker(sfr_loop *loop, int kind, int fd, sfr_buf *buf)
{
	return kind == SOCKETS ? sfr_recv(loop, fd, buf) : sfr_read(loop, fd, buf);
}

START_TEST(what_comes_byte_by_byte_fills_the_buffer)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int kind, a, b;
	size_t at;

	for (kind = 0; kind < KINDS; kind++) {
		pair_of(kind, &a, &b);
		sfr_submit(sfr_all(taker(loop, kind, a, empty_buf(loop, 100))), record, &seen);
		for (at = 0; at < 99; at++)
			feed(loop, a, b, at, 1);
		ck_assert_int_eq(seen.calls, 0);
		feed(loop, a, b, 99, 1);
		ck_assert_int_eq(sfr_loop_run(loop), 0);
		assert_filled(100);
	}
}
END_TEST

START_TEST(what_comes_in_pieces_of_any_size_fills_the_buffer)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int kind, a, b, i;

	srand(1);
	for (i = 0; i < COUNT_OF(sizes) * KINDS; i++) {
		uint32_t size = sizes[i / KINDS], at = 0, piece;

		kind = i % KINDS;
		pair_of(kind, &a, &b);
		sfr_submit(sfr_all(taker(loop, kind, a, empty_buf(loop, size))), record, &seen);
		for (; at < size; at += piece) {
			piece = 1 + (uint32_t)rand() % 4096;
			if (piece > size - at)
				piece = size - at;
			ck_assert_int_eq(seen.calls, 0);
			feed(loop, a, b, at, piece);
		}
		ck_assert_int_eq(sfr_loop_run(loop), 0);
		assert_filled(size);
	}
}
END_TEST

START_TEST(what_comes_after_the_whole_is_left_where_it_is)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int kind, a, b;
	unsigned char rest[64];

	for (kind = 0; kind < KINDS; kind++) {
		pair_of(kind, &a, &b);
		sfr_submit(sfr_all(taker(loop, kind, a, empty_buf(loop, 10))), record, &seen);
		feed(loop, a, b, 0, 3);
		pattern_fill(rest, 3, 20);
		ck_assert_int_eq(write(b, rest, 20), 20);
		ck_assert_int_eq(sfr_loop_run(loop), 0);

		assert_filled(10);
		ck_assert_int_eq(read(a, rest, sizeof(rest)), 13);
		pattern_check(rest, 10, 13);
	}
}
END_TEST

START_TEST(data_that_was_moved_forward_stays_there)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_buf *buf = sfr_buf_get(loop, 4096);
	uint32_t cap = buf->cap, at;
	int a, b;

	pair_of_unix_sockets(&a, &b);
	memcpy(buf->data, "header", 6);
	buf->data += 6;
	sfr_submit(sfr_all(sfr_recv(loop, a, buf)), record, &seen);
	for (at = 0; at + 1000 < cap - 6; at += 1000)
		feed(loop, a, b, at, 1000);
	feed(loop, a, b, at, cap - 6 - at);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_mem_eq(seen.buf->data - 6, "header", 6);
	assert_filled(cap - 6);

	buf = full_buf(loop, 1000);
	buf->data += 100;
	buf->len -= 200;
	sfr_submit(sfr_all(sfr_send(loop, b, buf)), record, &other);
	ck_assert_int_eq(sfr_loop_run(loop), 0);
	ck_assert_int_eq(other.result, 800);
	ck_assert_uint_eq(other.buf->len, 800);
	pattern_check(other.buf->data - 100, 0, 1000);
}
END_TEST

/*
 * Ends.
 */

START_TEST(the_end_of_a_stream_after_some_bytes_gives_these_and_after_none_nothing)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int kind, a, b, some;

	for (kind = 0; kind < KINDS; kind++) {
		for (some = 0; some < 2; some++) {
			pair_of(kind, &a, &b);
			sfr_submit(sfr_all(taker(loop, kind, a, empty_buf(loop, 100))), record,
				   &seen);
			ck_assert_int_eq(sfr_loop_step(loop, 0), 0);
			if (some)
				feed(loop, a, b, 0, 7);
			ck_assert_int_eq(dup2(empty_pipe(), b), b); /* closes it */
			ck_assert_int_eq(sfr_loop_run(loop), 0);
			assert_filled(some ? 7 : 0);
		}
	}
}
END_TEST

START_TEST(a_reset_after_some_bytes_gives_these_and_after_none_the_error)
{
	sfr_loop *loop = loop_in(_i, NULL);
	struct linger linger = {.l_onoff = 1, .l_linger = 0};
	int a, b, some;

	for (some = 0; some < 2; some++) {
		pair_of_sockets(&a, &b);
		sfr_submit(sfr_all(sfr_recv(loop, a, empty_buf(loop, 100))), record, &seen);
		ck_assert_int_eq(sfr_loop_step(loop, 0), 0);
		if (some)
			feed(loop, a, b, 0, 7);
		ck_assert_int_eq(setsockopt(b, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
		ck_assert_int_eq(dup2(empty_pipe(), b), b);
		ck_assert_int_eq(sfr_loop_run(loop), 0);
		if (some) {
			assert_filled(7);
			continue;
		}
		ck_assert_int_eq(seen.calls, 1);
		ck_assert_int_eq(seen.result, -ECONNRESET);
		ck_assert_uint_eq(seen.buf->len, 0);
		seen_release(&seen);
		seen = (struct seen){0};
	}
}
END_TEST

static void end_by_cancel(sfr_loop *loop, sfr_ticket ticket)
{
	ck_assert_int_eq(sfr_cancel(loop, ticket), 0);
	ck_assert_int_eq(sfr_loop_run(loop), 0);
}

static void end_by_deadline(sfr_loop *loop, sfr_ticket ticket)
{
	(void)ticket;
	deadlines_due(loop);
	ck_assert_int_eq(sfr_loop_run(loop), 0);
}

static void end_by_drain(sfr_loop *loop, sfr_ticket ticket)
{
	(void)ticket;
	ck_assert_int_eq(sfr_loop_drain(loop, -1), 0);
}

static const struct {
	void (*end)(sfr_loop *loop, sfr_ticket ticket);
	int error;
} ends[] = {
	{end_by_cancel, -ECANCELED},
	{end_by_deadline, -ETIMEDOUT},
	{end_by_drain, -ECANCELED},
};

/* The modifiers in both orders. */
static sfr_op *limited(sfr_op *op, int order)
{
	return order ? sfr_all(sfr_within(op, HOUR)) : sfr_within(sfr_all(op), HOUR);
}

START_TEST(ended_midway_a_read_gives_what_it_has_and_with_nothing_what_ended_it)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int i, kind, a, b;

	for (i = 0; i < 4 * COUNT_OF(ends) * KINDS; i++) {
		int way = i / 4 % COUNT_OF(ends), some = i & 2;
		sfr_ticket ticket;
		sfr_op *op;

		kind = i / 4 / COUNT_OF(ends);
		pair_of(kind, &a, &b);
		op = limited(taker(loop, kind, a, empty_buf(loop, 5000)), i & 1);
		ticket = sfr_submit(op, record, &seen);
		ck_assert_int_eq(sfr_loop_step(loop, 0), 0);
		if (some) {
			feed(loop, a, b, 0, 11);
			feed(loop, a, b, 11, 13);
		}
		ck_assert_int_eq(seen.calls, 0);
		ends[way].end(loop, ticket);

		if (some) {
			assert_filled(24);
			continue;
		}
		ck_assert_int_eq(seen.calls, 1);
		ck_assert_int_eq(seen.result, ends[way].error);
		ck_assert(sfr_buf_is_owned(seen.buf));
		ck_assert_uint_eq(seen.buf->len, 0);
		seen_release(&seen);
		seen = (struct seen){0};
	}
	ck_assert_uint_eq(loop->wheel.count, 0);
}
END_TEST

START_TEST(abandoned_midway_it_leaves_nothing_behind)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int kind, a, b;

	for (kind = 0; kind < KINDS; kind++) {
		sfr_ticket ticket;

		pair_of(kind, &a, &b);
		ticket = sfr_submit(sfr_all(taker(loop, kind, a, empty_buf(loop, 100))), record,
				    &seen);
		feed(loop, a, b, 0, 7);
		ck_assert_int_eq(sfr_abandon(loop, ticket), 0);
		ck_assert_int_eq(sfr_loop_run(loop), 0);

		ck_assert_int_eq(seen.calls, 0);
		ck_assert_uint_eq(stat_held(loop), 0);
	}
}
END_TEST

/*
 * Writing more than there is room for.
 */

#define LARGE (4 << 20)

/* A reader that takes its time: some bytes a turn. */
static size_t slowly_read(sfr_loop *loop, int fd, size_t until)
{
	static unsigned char bytes[70000];
	size_t at = 0;
	ssize_t r;

	ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	while (at < until) {
		ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
		r = read(fd, bytes, sizeof(bytes) < until - at ? sizeof(bytes) : until - at);
		ck_assert(r > 0 || (r < 0 && errno == EAGAIN));
		if (r > 0) {
			pattern_check(bytes, at, (size_t)r);
			at += (size_t)r;
		}
	}
	return at;
}

static sfr_op *giver(sfr_loop *loop, int kind, int fd, sfr_buf *buf)
{
	return kind == SOCKETS ? sfr_send(loop, fd, buf) : sfr_write(loop, fd, buf);
}

START_TEST(what_a_slow_reader_takes_is_all_there_and_in_order)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int kind, a, b;

	for (kind = 0; kind < KINDS; kind++) {
		sfr_buf *buf = full_buf(loop, LARGE);
		unsigned char *data = buf->data;

		pair_of(kind, &a, &b);
		sfr_submit(sfr_all(giver(loop, kind, b, buf)), record, &seen);
		slowly_read(loop, a, LARGE);
		ck_assert_int_eq(sfr_loop_run(loop), 0);

		ck_assert_ptr_eq(seen.buf->data, data);
		assert_filled(LARGE);
		ck_assert_int_eq(bytes_left(a), 0);
	}
}
END_TEST

START_TEST(a_pipe_with_room_for_a_page_takes_it_all)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int i, a, b;

	for (i = 0; i < COUNT_OF(sizes); i++) {
		pair_of_pipe_ends(&a, &b);
		ck_assert_int_ge(fcntl(b, F_SETPIPE_SZ, 4096), 4096);
		sfr_submit(sfr_all(sfr_write(loop, b, full_buf(loop, sizes[i]))), record, &seen);
		slowly_read(loop, a, sizes[i]);
		ck_assert_int_eq(sfr_loop_run(loop), 0);
		assert_filled(sizes[i]);
	}
}
END_TEST

/* The bytes that arrived are the bytes that were counted. */
static void assert_arrived(int fd, size_t at, int result)
{
	static unsigned char bytes[70000];
	ssize_t r;

	while ((r = read(fd, bytes, sizeof(bytes))) > 0) {
		pattern_check(bytes, at, (size_t)r);
		at += (size_t)r;
	}
	ck_assert_int_eq((int)at, result);
	ck_assert_int_lt(result, LARGE);
}

START_TEST(ended_midway_a_write_tells_how_much_it_wrote)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int i, kind, a, b;

	for (i = 0; i < 2 * COUNT_OF(ends) * 2; i++) {
		sfr_ticket ticket;
		size_t at;
		sfr_op *op;

		kind = i & 2 ? PIPE : UNIX_SOCKETS; /* which do not keep bytes on the way */
		pair_of(kind, &a, &b);
		op = limited(giver(loop, kind, b, full_buf(loop, LARGE)), i & 1);
		ticket = sfr_submit(op, record, &seen);
		at = slowly_read(loop, a, 500000);
		ck_assert_int_eq(seen.calls, 0);
		ends[i / 4].end(loop, ticket);

		ck_assert_int_eq(seen.calls, 1);
		assert_arrived(a, at, seen.result);
		ck_assert_uint_eq(seen.buf->len, LARGE);
		pattern_check(seen.buf->data, 0, LARGE);
		seen_release(&seen);
		seen = (struct seen){0};
	}
	ck_assert_uint_eq(loop->wheel.count, 0);
}
END_TEST

START_TEST(ended_before_its_first_byte_a_write_tells_what_ended_it)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int i;

	for (i = 0; i < 2 * COUNT_OF(ends); i++) {
		sfr_buf *buf = sfr_buf_from(loop, "more", 4);
		sfr_op *op = i & 1 ? sfr_write(loop, full_pipe(), buf)
				   : sfr_send(loop, full_socket(), buf);
		sfr_ticket ticket = sfr_submit(limited(op, i & 1), record, &seen);

		ck_assert_int_eq(sfr_loop_step(loop, 0), 0);
		ends[i / 2].end(loop, ticket);

		ck_assert_int_eq(seen.calls, i + 1);
		ck_assert_int_eq(seen.result, ends[i / 2].error);
		ck_assert_uint_eq(seen.buf->len, 4);
	}
}
END_TEST

START_TEST(a_reader_that_goes_away_midway_leaves_the_count_so_far)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int kind, a, b, small = 65536;

	signal(SIGPIPE, SIG_IGN);
	for (kind = 0; kind < KINDS; kind++) {
		pair_of(kind, &a, &b);
		if (kind != PIPE) { /* else a socket may hold the rest of it */
			setsockopt(a, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
			setsockopt(b, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
		}
		sfr_submit(sfr_all(giver(loop, kind, b, full_buf(loop, LARGE))), record, &seen);
		slowly_read(loop, a, 500000);
		ck_assert_int_eq(dup2(empty_pipe(), a), a);
		ck_assert_int_eq(sfr_loop_run(loop), 0);

		ck_assert_int_eq(seen.calls, kind + 1);
		ck_assert_int_ge(seen.result, 500000);
		ck_assert_int_lt(seen.result, LARGE);
		ck_assert_uint_eq(seen.buf->len, LARGE);
	}
}
END_TEST

/*
 * What has no length.
 */

START_TEST(an_op_without_a_length_ends_with_einval)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int i, refused = 0;

	for (i = 0; i <= pending_count; i++) {
		if (i < pending_count && pending_kinds[i].carries_buf)
			continue;
		sfr_submit(
			sfr_all(i < pending_count ? pending_kinds[i].build(loop) : sfr_nop(loop)),
			record, &seen);
		ck_assert_int_eq(seen.calls, refused);
		ck_assert_int_eq(sfr_loop_run(loop), 0);
		ck_assert_int_eq(seen.calls, ++refused);
		ck_assert_int_eq(seen.result, -EINVAL);
		ck_assert_ptr_null(seen.buf);
	}
	ck_assert_int_ge(refused, 8);
}
END_TEST

/* Or a descriptor that was given to it would stay open, and nobody's. */
START_TEST(closing_and_shutting_down_do_what_they_do)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int a, b;
	char byte;

	pair_of_unix_sockets(&a, &b);
	ck_assert_int_eq(sfr_await(sfr_all(sfr_shutdown(loop, a, SHUT_RDWR)), NULL), 0);
	ck_assert_int_eq(recv(b, &byte, 1, MSG_DONTWAIT), 0);
	ck_assert_int_eq(sfr_await(sfr_all(sfr_close(loop, dup(b))), NULL), 0);
}
END_TEST

START_TEST(an_op_that_is_wrong_already_keeps_its_error)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_buf *buf = sfr_buf_get(loop, 64);

	ck_assert_int_eq(sfr_await(sfr_all(sfr_read(loop, 0, NULL)), NULL), -SFR_EPOOLEMPTY);
	ck_assert_int_eq(sfr_await(sfr_all(sfr_send(loop, 0, NULL)), NULL), -SFR_EPOOLEMPTY);
	buf->data--;
	sfr_submit(sfr_all(sfr_write(loop, 1, buf)), record, &seen);
	ck_assert_int_eq(sfr_loop_run(loop), 0);
	ck_assert_int_eq(seen.result, -EINVAL);
	ck_assert_int_eq(sfr_await(sfr_all(sfr_recv(loop, -1, sfr_buf_get(loop, 1))), NULL),
			 -EBADF);
}
END_TEST

START_TEST(nothing_to_write_is_done_at_once)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int a, b;

	pair_of_unix_sockets(&a, &b);
	ck_assert_int_eq(sfr_await(sfr_all(sfr_send(loop, a, sfr_buf_get(loop, 64))), NULL), 0);
	ck_assert_int_eq(sfr_await(sfr_all(sfr_write(loop, a, sfr_buf_get(loop, 64))), NULL), 0);
	ck_assert_int_eq(
		sfr_await(sfr_all(sfr_write_at(loop, empty_file(), sfr_buf_get(loop, 64), 9)),
			  NULL),
		0);
	ck_assert_ptr_null(sfr_all(NULL));
	sfr_op_discard(sfr_all(sfr_send(loop, a, sfr_buf_get(loop, 64))));
	ck_assert_uint_eq(stat_held(loop), 0);
}
END_TEST

START_TEST(said_after_the_submission_it_changes_nothing)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int a, b;
	sfr_op *op, *submitted;

	pair_of_pipe_ends(&a, &b);
	op = sfr_read(loop, a, sfr_buf_get(loop, 64));
	submitted = same(op);
	log_listen();
	sfr_submit(op, record, &seen);

	ck_assert_ptr_eq(sfr_all(submitted), submitted);
	ck_assert_int_eq(log_lines, 1);
	feed(loop, a, b, 0, 7);
	ck_assert_int_eq(sfr_loop_run(loop), 0);
	assert_filled(7);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("whole");
	TCase *tc = world_case(suite, "files");

	world_test(tc, a_file_is_written_and_read_in_whole_buffers);
	world_test(tc, the_end_of_a_file_ends_a_read_with_what_there_was);
	world_test(tc, without_an_offset_the_position_of_the_file_moves_by_the_whole);
	world_test(tc, an_error_after_a_part_leaves_the_part);
	tc = world_case(suite, "in pieces");
	world_test(tc, what_comes_byte_by_byte_fills_the_buffer);
	world_test(tc, what_comes_in_pieces_of_any_size_fills_the_buffer);
	world_test(tc, what_comes_after_the_whole_is_left_where_it_is);
	world_test(tc, data_that_was_moved_forward_stays_there);
	tc = world_case(suite, "ends");
	world_test(tc, the_end_of_a_stream_after_some_bytes_gives_these_and_after_none_nothing);
	world_test(tc, a_reset_after_some_bytes_gives_these_and_after_none_the_error);
	world_test(tc, ended_midway_a_read_gives_what_it_has_and_with_nothing_what_ended_it);
	world_test(tc, abandoned_midway_it_leaves_nothing_behind);
	tc = world_case(suite, "writing");
	world_test(tc, what_a_slow_reader_takes_is_all_there_and_in_order);
	world_test(tc, a_pipe_with_room_for_a_page_takes_it_all);
	world_test(tc, ended_midway_a_write_tells_how_much_it_wrote);
	world_test(tc, ended_before_its_first_byte_a_write_tells_what_ended_it);
	world_test(tc, a_reader_that_goes_away_midway_leaves_the_count_so_far);
	tc = world_case(suite, "no length");
	world_test(tc, an_op_without_a_length_ends_with_einval);
	world_test(tc, closing_and_shutting_down_do_what_they_do);
	world_test(tc, an_op_that_is_wrong_already_keeps_its_error);
	world_test(tc, nothing_to_write_is_done_at_once);
	world_test(tc, said_after_the_submission_it_changes_nothing);
	return world_run(suite);
}
