/* SPDX-License-Identifier: MIT */
/*
 * What ops of a batch hand on: buffers, with as much in them as was transferred, and descriptors.
 */
#include "batches.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* What an op of a batch carried in the end. */
static void assert_taken(sfr_batch *batch, int op, const char *text)
{
	sfr_buf *buf = sfr_batch_take(batch, op);

	assert_text(buf, text);
	sfr_buf_release(buf);
}

static void assert_inherited(sfr_batch *batch, int op)
{
	errno = 0;
	ck_assert_ptr_null(sfr_batch_take(batch, op));
	ck_assert_int_eq(errno, SFR_ESTALE);
}

/*
 * Buffers.
 */

START_TEST(a_write_is_handed_what_was_read)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	sfr_batch *batch = batch_on(loop);
	int to = empty_file(), read, write;

	read = sfr_batch_add(batch,
			     sfr_read_at(loop, file_with("0123456789"), room_for(loop, 10), 0));
	write = sfr_batch_then(batch, read, sfr_write_at(loop, to, NULL, 0));
	sfr_batch_then(batch, write, note(loop, 'a'));
	ck_assert_int_eq(sfr_batch_await(batch), 0);

	assert_file(to, "0123456789");
	assert_result(batch, read, 10);
	assert_result(batch, write, 10);
	assert_inherited(batch, read);
	assert_taken(batch, write, "0123456789");
	ck_assert_str_eq(notes(), "a");
	batch_end(loop, batch);
}
END_TEST

START_TEST(a_short_read_is_continued_with_what_was_read)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	uint32_t room;

	for (room = 1; room < 25; room++) { /* in full, too, and from there on short */
		sfr_batch *batch = batch_on(loop);
		int to = file_with("?????????????????????"), read, write, after, got;
		char expected[] = "?????????????????????";

		got = room < 10 ? (int)room : 10;
		memcpy(expected, "0123456789", (size_t)got);
		read = sfr_batch_add(
			batch, sfr_read_at(loop, file_with("0123456789"), room_for(loop, room), 0));
		write = sfr_batch_then(batch, read, sfr_write_at(loop, to, NULL, 0));
		after = sfr_batch_then(batch, write, note(loop, 'w')); /* that was in full */
		sfr_batch_then(batch, read, note(loop, 'r'));
		sfr_batch_after(batch, after + 1, after);
		ck_assert_int_eq(sfr_batch_await(batch), room > 10);

		assert_result(batch, read, got);
		assert_result(batch, write, got);
		assert_result(batch, after, 1);
		assert_result(batch, after + 1, room > 10 ? -SFR_EDEPFAILED : 1);
		assert_file(to, expected);
		batch_end(loop, batch);
	}
}
END_TEST

START_TEST(at_the_end_of_a_file_nothing_is_written)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	sfr_batch *batch = batch_on(loop);
	int to = file_with("untouched"), read, write;

	read = sfr_batch_add(batch, sfr_read_at(loop, empty_file(), room_for(loop, 64), 0));
	write = sfr_batch_then(batch, read, sfr_write_at(loop, to, NULL, 0));
	sfr_batch_then(batch, write, note(loop, 'a')); /* all of nothing was written */
	ck_assert_int_eq(sfr_batch_await(batch), 0);

	assert_result(batch, read, 0);
	assert_result(batch, write, 0);
	assert_file(to, "untouched");
	assert_taken(batch, write, "");
	ck_assert_str_eq(notes(), "a");
	batch_end(loop, batch);
}
END_TEST

START_TEST(it_is_handed_on_and_on)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	uint32_t room;

	for (room = 10; room < 12; room++) {
		sfr_batch *batch = batch_on(loop);
		int a, b, one = empty_file(), two = empty_file(), read, write, sent, last;
		char bytes[16] = "";

		pair_of_sockets(&a, &b);
		read = sfr_batch_add(batch,
				     sfr_read(loop, file_with("0123456789"), room_for(loop, room)));
		write = sfr_batch_then(batch, read, sfr_write(loop, one, NULL));
		sent = sfr_batch_then(batch, write, sfr_all(sfr_send(loop, a, NULL)));
		last = sfr_batch_then(batch, sent, sfr_all(sfr_write_at(loop, two, NULL, 0)));
		ck_assert_int_eq(sfr_batch_await(batch), 0);

		ck_assert_int_eq(recv(b, bytes, sizeof(bytes), MSG_DONTWAIT), 10);
		ck_assert_str_eq(bytes, "0123456789");
		assert_file(one, "0123456789");
		assert_file(two, "0123456789");
		assert_inherited(batch, read);
		assert_inherited(batch, write);
		assert_inherited(batch, sent);
		assert_taken(batch, last, "0123456789");
		batch_end(loop, batch);
	}
}
END_TEST

/* The first gets the buffer itself, the others shares, which may not be filled. */
START_TEST(several_may_inherit_from_one)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	uint32_t room;
	int i;

	for (room = 10; room < 12; room++) {
		sfr_batch *batch = batch_on(loop);
		int read, writes[3], files[3], filling;

		read = sfr_batch_add(batch,
				     sfr_read(loop, file_with("0123456789"), room_for(loop, room)));
		for (i = 0; i < 3; i++) {
			files[i] = empty_file();
			writes[i] = sfr_batch_then(batch, read,
						   sfr_write_at(loop, files[i], NULL, 0));
		}
		filling = sfr_batch_then(batch, writes[1], sfr_read_at(loop, files[0], NULL, 0));
		ck_assert_int_eq(sfr_batch_await(batch), 1);

		for (i = 0; i < 3; i++) {
			assert_result(batch, writes[i], 10);
			assert_file(files[i], "0123456789");
		}
		assert_result(batch, filling, -SFR_ESHARED);
		assert_inherited(batch, read);
		assert_taken(batch, writes[2], "0123456789");
		assert_taken(batch, writes[0], "0123456789");
		assert_inherited(batch, writes[1]);
		batch_end(loop, batch);
	}
}
END_TEST

/* Nor may the buffer itself be filled, while there are shares of it. */
START_TEST(one_of_several_heirs_may_not_change_what_the_others_inherit)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	sfr_batch *batch = batch_on(loop);
	int to = empty_file(), read, filling, write;

	read = sfr_batch_add(batch, sfr_read(loop, file_with("0123456789"), room_for(loop, 10)));
	filling = sfr_batch_then(batch, read, sfr_read_at(loop, file_with("??????????"), NULL, 0));
	write = sfr_batch_then(batch, read, sfr_write_at(loop, to, NULL, 0));
	ck_assert_int_eq(sfr_batch_await(batch), 1);

	assert_result(batch, filling, -SFR_ESHARED);
	assert_result(batch, write, 10);
	assert_file(to, "0123456789");
	batch_end(loop, batch);
}
END_TEST

/* However often the buffer was handed on before somebody fills it. */
START_TEST(nor_may_those_who_inherit_from_them)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	sfr_batch *batch = batch_on(loop);
	struct gate gate = gate_make();
	int to = empty_file(), late = empty_file(), read, write, filling, waiting, open;

	read = sfr_batch_add(batch, sfr_read(loop, file_with("0123456789"), room_for(loop, 10)));
	write = sfr_batch_then(batch, read, sfr_write_at(loop, to, NULL, 0));
	filling = sfr_batch_then(batch, write, sfr_read_at(loop, file_with("??????????"), NULL, 0));
	waiting = sfr_batch_then(batch, read, sfr_write_at(loop, late, NULL, 0));
	open = sfr_batch_add(batch, gate_wait(loop, &gate));
	sfr_batch_after(batch, waiting, open);
	ck_assert_int_eq(sfr_batch_submit(batch, batch_ended, &ended), 0);
	turns_until_ended(loop, batch, filling);
	gate_open(&gate);
	turn_until(loop, &ended.calls, 1);

	assert_result(batch, filling, -SFR_ESHARED);
	assert_result(batch, waiting, 10);
	assert_file(to, "0123456789");
	assert_file(late, "0123456789");
	batch_end(loop, batch);
}
END_TEST

/* What is wrong with an heir is known before it starts, and stays so whatever it could be linked behind. */
START_TEST(an_heir_that_cannot_run_is_not_linked)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	sfr_batch *batch = batch_on(loop);
	struct gate gate = gate_make();
	int a, b, to = empty_file(), received, first, filling, waiting, open;

	pair_of_sockets(&a, &b);
	ck_assert_int_eq(send(b, "0123456789", 10, 0), 10);
	received = sfr_batch_add(batch, sfr_recv(loop, a, room_for(loop, 10)));
	first = sfr_batch_then(batch, received, note(loop, 'a'));
	filling = sfr_batch_then(batch, received,
				 sfr_read_at(loop, file_with("??????????"), NULL, 0));
	sfr_batch_after(batch, filling, first);
	waiting = sfr_batch_then(batch, received, sfr_write_at(loop, to, NULL, 0));
	open = sfr_batch_add(batch, gate_wait(loop, &gate));
	sfr_batch_after(batch, waiting, open);
	ck_assert_int_eq(sfr_batch_submit(batch, batch_ended, &ended), 0);
	turns_until_ended(loop, batch, filling);
	gate_open(&gate);
	turn_until(loop, &ended.calls, 1);

	assert_result(batch, first, 1);
	assert_result(batch, filling, -SFR_ESHARED);
	assert_file(to, "0123456789");
	batch_end(loop, batch);
}
END_TEST

#define MUCH 200000

/* Through a socket that takes it piece by piece, and is read as slowly. */
START_TEST(all_of_it_is_written_where_that_takes_several_writes)
{
	sfr_loop *loop = loop_for_batches(_i, "buffers.size=256KiB buffers.count=16");
	static unsigned char bytes[MUCH], back[MUCH];
	const int little = 4096;
	int a, b, from = empty_file(), i, got = 0, round;

	for (i = 0; i < MUCH; i++)
		bytes[i] = (unsigned char)(i * 7 + i / 256);
	ck_assert_int_eq(write(from, bytes, MUCH), MUCH);
	pair_of_sockets(&a, &b);
	ck_assert_int_eq(setsockopt(a, SOL_SOCKET, SO_SNDBUF, &little, sizeof(little)), 0);
	for (round = 0; round < 2; round++) {
		sfr_batch *batch = batch_on(loop);
		int read, write_it;

		ended = (struct ended){0};
		got = 0;
		read = sfr_batch_add(batch,
				     sfr_all(sfr_read_at(loop, from, room_for(loop, MUCH + 9), 0)));
		write_it = sfr_batch_then(batch, read,
					  round ? sfr_all(sfr_send(loop, a, NULL))
						: sfr_all(sfr_write(loop, a, NULL)));
		sfr_batch_then(batch, write_it, note(loop, 'a'));
		ck_assert_int_eq(sfr_batch_submit(batch, batch_ended, &ended), 0);
		while (got < MUCH) {
			ssize_t n;

			ck_assert_int_ge(sfr_loop_step(loop, 100000), 0);
			n = recv(b, back + got,
				 MUCH - (size_t)got < 5000 ? MUCH - (size_t)got : 5000,
				 MSG_DONTWAIT);
			got += n > 0 ? (int)n : 0;
		}
		turn_until(loop, &ended.calls, 1);

		assert_result(batch, read, MUCH);
		assert_result(batch, write_it, MUCH);
		ck_assert_mem_eq(bytes, back, MUCH);
		ck_assert_uint_eq(strlen(notes()), (unsigned)round + 1);
		batch_end(loop, batch);
	}
}
END_TEST

/* What was not written is not handed on. */
START_TEST(after_a_short_write_only_what_was_written_is_handed_on)
{
	sfr_loop *loop = loop_for_batches(_i, "buffers.size=8KiB");
	sfr_batch *batch = batch_on(loop);
	sfr_buf *buf = room_for(loop, 8192);
	int reader, writer, file = empty_file(), first, second, strict;
	struct stat stat;
	char page[4096];

	pair_of_pipe_ends(&reader, &writer);
	ck_assert_int_eq(fcntl(writer, F_SETFL, O_NONBLOCK), 0);
	memset(page, 'p', sizeof(page));
	while (write(writer, page, sizeof(page)) > 0)
		;
	ck_assert_int_eq(read(reader, page, sizeof(page)), (int)sizeof(page));
	memset(buf->data, 'x', 8192);
	buf->len = 8192;
	first = sfr_batch_add(batch, sfr_write(loop, writer, buf));
	second = sfr_batch_then(batch, first, sfr_write_at(loop, file, NULL, 0));
	strict = sfr_batch_then(batch, first, note(loop, 'x'));
	ck_assert_int_eq(sfr_batch_await(batch), 1);

	assert_result(batch, first, 4096);
	assert_result(batch, second, 4096);
	assert_result(batch, strict, -SFR_EDEPFAILED);
	ck_assert_int_eq(fstat(file, &stat), 0);
	ck_assert_int_eq(stat.st_size, 4096);
	batch_end(loop, batch);
}
END_TEST

START_TEST(an_answer_is_received_into_the_buffer_of_the_question)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	sfr_batch *batch = batch_on(loop);
	sfr_buf *buf = room_for(loop, 32);
	int a, b, asked, answered;
	char bytes[8] = "";

	pair_of_sockets(&a, &b);
	memcpy(buf->data, "ping", 4);
	buf->len = 4;
	asked = sfr_batch_add(batch, sfr_send(loop, a, buf));
	answered = sfr_batch_then(batch, asked, sfr_recv(loop, a, NULL));
	ck_assert_int_eq(sfr_batch_submit(batch, batch_ended, &ended), 0);
	turns_until_ended(loop, batch, asked);
	ck_assert_int_eq(recv(b, bytes, sizeof(bytes), 0), 4);
	ck_assert_int_eq(send(b, "a longer answer", 15, 0), 15);
	turn_until(loop, &ended.calls, 1);

	assert_result(batch, answered, 15);
	assert_taken(batch, answered, "a longer answer");
	batch_end(loop, batch);
}
END_TEST

START_TEST(a_chain_of_buffers_is_inherited_as_a_whole)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	sfr_batch *batch = batch_on(loop);
	sfr_buf *chain = sfr_buf_append(text_buf(loop, "hello, "), text_buf(loop, "world"));
	int a, b, one = empty_file(), two = empty_file(), first, sent, last, filling;
	char bytes[16] = "";

	pair_of_sockets(&a, &b);
	first = sfr_batch_add(batch, sfr_write(loop, one, chain));
	sent = sfr_batch_then(batch, first, sfr_send(loop, a, NULL));
	last = sfr_batch_then(batch, sent, sfr_all(sfr_write_at(loop, two, NULL, 0)));
	filling = sfr_batch_then(batch, last, sfr_read_at(loop, two, NULL, 0));
	ck_assert_int_eq(sfr_batch_await(batch), 1);

	assert_result(batch, first, 12);
	assert_result(batch, sent, 12);
	assert_result(batch, last, 12);
	assert_result(batch, filling, -EINVAL); /* it would have to know which part */
	assert_file(one, "hello, world");
	assert_file(two, "hello, world");
	ck_assert_int_eq(recv(b, bytes, sizeof(bytes), MSG_DONTWAIT), 12);
	chain = sfr_batch_take(batch, filling);
	ck_assert_ptr_nonnull(chain->next);
	ck_assert_mem_eq(chain->next->data, "world", 5);
	sfr_buf_release(chain);
	batch_end(loop, batch);
}
END_TEST

#define PARTS 1030 /* more than one system call takes */

static sfr_buf *chain_of_parts(sfr_loop *loop)
{
	sfr_buf *chain = text_buf(loop, "x");
	int i;

	for (i = 1; i < PARTS; i++)
		chain = sfr_buf_append(chain, text_buf(loop, "x"));
	return chain;
}

/* The engine is not told of more parts, and takes those for all. */
START_TEST(parts_that_one_system_call_does_not_take_count_as_well)
{
	sfr_loop *loop = loop_for_batches(_i, "buffers.count=1040 buffers.size=64B");
	sfr_batch *batch = batch_on(loop);
	int all, some, again;

	all = sfr_batch_add(batch,
			    sfr_all(sfr_write_at(loop, empty_file(), chain_of_parts(loop), 0)));
	sfr_batch_then(batch, all, note(loop, 'a'));
	some = sfr_batch_then(batch, all, sfr_write_at(loop, empty_file(), NULL, 0));
	sfr_batch_then(batch, some, note(loop, 'x'));
	ck_assert_int_eq(sfr_batch_await(batch), 1);

	assert_result(batch, all, PARTS);
	assert_result(batch, some, 1024);
	assert_result(batch, some + 1, -SFR_EDEPFAILED);
	ck_assert_int_eq(sfr_batch_reset(batch), 0);

	some = sfr_batch_add(batch, sfr_write_at(loop, empty_file(), chain_of_parts(loop), 0));
	again = sfr_batch_then(batch, some, note(loop, 'x'));
	ck_assert_int_eq(sfr_batch_await(batch), 1);
	assert_result(batch, some, 1024);
	assert_result(batch, again, -SFR_EDEPFAILED);
	ck_assert_str_eq(notes(), "a");
	batch_end(loop, batch);
}
END_TEST

START_TEST(what_was_sent_to_an_address_is_inherited)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	sfr_batch *batch = batch_on(loop);
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t size = sizeof(address);
	int fd = owned_fd(socket(AF_INET, SOCK_DGRAM, 0)), to = empty_file(), sent, write;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, size), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	sent = sfr_batch_add(batch, sfr_sendto(loop, fd, text_buf(loop, "hello"),
					       (struct sockaddr *)&address, size));
	write = sfr_batch_then(batch, sent, sfr_write_at(loop, to, NULL, 0));
	ck_assert_int_eq(sfr_batch_await(batch), 0);

	assert_result(batch, sent, 5);
	assert_result(batch, write, 5);
	assert_file(to, "hello");
	batch_end(loop, batch);
}
END_TEST

static bool is_drained(void *arg)
{
	int left = -1;

	ck_assert_int_eq(ioctl(*(int *)arg, FIONREAD, &left), 0);
	return left == 0;
}

/* Take turns until somebody has read what is there, and some more. */
static void turns_until_drained(sfr_loop *loop, int fd)
{
	int i;

	turn_until_true(loop, is_drained, &fd);
	for (i = 0; i < 5; i++)
		ck_assert_int_ge(sfr_loop_step(loop, 1000000), 0);
}

/* A part of what sfr_all() is to read does not let go of what is behind it, be it for any outcome. */
START_TEST(what_is_read_piece_by_piece_is_not_closed_before_the_last)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	sfr_batch *batch = batch_on(loop);
	int reader, writer, fd, read, closed;

	pair_of_pipe_ends(&reader, &writer);
	fd = dup(reader);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(writer, "012", 3), 3);
	read = sfr_batch_add(batch, sfr_all(sfr_read(loop, fd, room_for(loop, 10))));
	closed = sfr_batch_add(batch, sfr_close(loop, fd));
	sfr_batch_after_any(batch, closed, read);
	ck_assert_int_eq(sfr_batch_submit(batch, batch_ended, &ended), 0);
	turns_until_drained(loop, reader);
	ck_assert_int_eq(write(writer, "3456789", 7), 7);
	turn_until(loop, &ended.calls, 1);

	assert_result(batch, read, 10);
	assert_result(batch, closed, 0);
	assert_taken(batch, read, "0123456789");
	batch_end(loop, batch);
}
END_TEST

static char mem[64];

static sfr_buf *buf_of_kind(sfr_loop *loop, sfr_pool *pool, int kind)
{
	sfr_buf *buf = NULL;

	switch (kind) {
	case 0:
		return sfr_buf_wrap(loop, mem, sizeof(mem), NULL, NULL);
	case 1:
		buf = sfr_buf_wrap(loop, mem, sizeof(mem), NULL, NULL);
		(void)sfr_buffers_register(loop, &buf, 1); /* where that is possible */
		return buf;
	case 2:
		return sfr_buf_get(loop, 100000); /* of the heap */
	case 3:
		return sfr_pool_get(pool);
	default:
		buf = room_for(loop, 14);
		buf->data += 4; /* a window */
		return buf;
	}
}

START_TEST(whatever_memory_a_buffer_is_of_it_is_inherited)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	sfr_pool *pool = sfr_pool_new(1, 64);
	int kind;

	for (kind = 0; kind < 5; kind++) {
		sfr_batch *batch = batch_on(loop);
		sfr_buf *buf = buf_of_kind(loop, pool, kind);
		int to = empty_file(), read, write;

		memset(buf->data, '?', 10); /* Valgrind does not know what the ring reads */
		read = sfr_batch_add(batch, sfr_read(loop, file_with("0123456789"), buf));
		write = sfr_batch_then(batch, read, sfr_write(loop, to, NULL));
		ck_assert_int_eq(sfr_batch_await(batch), 0);
		assert_result(batch, read, 10);
		assert_result(batch, write, 10);
		assert_file(to, "0123456789");
		assert_taken(batch, write, "0123456789");
		batch_end(loop, batch);
		(void)sfr_buffers_unregister(loop, NULL);
	}
	ck_assert_int_eq(sfr_pool_free(pool), 0);
}
END_TEST

/* Without a buffer it is wrong in one way, and must not be forgiven any other. */
START_TEST(what_else_is_wrong_with_an_heir_stays_wrong)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	sfr_batch *batch = batch_on(loop);
	int to = file_with("untouched"), read, write, closed;

	read = sfr_batch_add(batch, sfr_read(loop, file_with("0123456789"), room_for(loop, 10)));
	write = sfr_batch_then(batch, read, sfr_write_at(loop, to, NULL, UINT64_MAX));
	closed = sfr_batch_then(batch, read, sfr_write_at(loop, -1, NULL, 0));
	sfr_batch_then(batch, closed, sfr_all(sfr_write_at(loop, to, NULL, 0)));
	ck_assert_int_eq(sfr_batch_await(batch), 3);

	assert_result(batch, write, -EINVAL);
	assert_result(batch, closed, -EBADF);
	assert_file(to, "untouched");
	batch_end(loop, batch);
}
END_TEST

START_TEST(an_heir_has_its_deadline)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	sfr_batch *batch = batch_on(loop);
	int read, write;

	read = sfr_batch_add(batch, sfr_read(loop, file_with("0123456789"), room_for(loop, 10)));
	write = sfr_batch_then(batch, read,
			       sfr_within(sfr_all(sfr_write(loop, full_pipe(), NULL)), 1000000));
	ck_assert_int_eq(sfr_batch_await(batch), 1);

	assert_result(batch, write, -ETIMEDOUT);
	assert_taken(batch, write, "0123456789");
	batch_end(loop, batch);
}
END_TEST

START_TEST(send_zc_inherits_as_send_does)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	sfr_batch *batch = batch_on(loop);
	int a, b, read, sent;
	char bytes[16] = "";

	pair_of_sockets(&a, &b);
	read = sfr_batch_add(batch, sfr_read(loop, file_with("0123456789"), room_for(loop, 64)));
	sent = sfr_batch_then(batch, read, sfr_all(sfr_send_zc(loop, a, NULL)));
	ck_assert_int_eq(sfr_batch_submit(batch, batch_ended, &ended), 0);
	while (recv(b, bytes, sizeof(bytes), MSG_DONTWAIT) != 10)
		ck_assert_int_ge(sfr_loop_step(loop, 1000000), 0);
	turn_until(loop, &ended.calls, 1);

	assert_result(batch, sent, 10);
	ck_assert_str_eq(bytes, "0123456789");
	assert_taken(batch, sent, "0123456789");
	batch_end(loop, batch);
}
END_TEST

START_TEST(without_a_buffer_to_inherit_there_is_none)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	sfr_batch *batch = batch_on(loop);
	int nop = sfr_batch_add(batch, sfr_nop(loop)), write, alone, read, failing;

	write = sfr_batch_then(batch, nop, sfr_write(loop, empty_file(), NULL));
	alone = sfr_batch_add(batch, sfr_write(loop, empty_file(), NULL));
	sfr_batch_after(batch, alone, nop);
	read = sfr_batch_add(batch, sfr_read(loop, -1, room_for(loop, 8)));
	failing = sfr_batch_then(batch, read, sfr_write(loop, empty_file(), NULL));
	ck_assert_int_eq(sfr_batch_await(batch), 4);

	assert_result(batch, write, -SFR_EPOOLEMPTY);
	assert_result(batch, alone, -SFR_EPOOLEMPTY); /* that was not sfr_batch_then() */
	assert_result(batch, failing, -SFR_EDEPFAILED);
	ck_assert_int_eq(sfr_batch_error(batch, NULL), -SFR_EPOOLEMPTY);
	assert_taken(batch, read, ""); /* nobody inherited it */
	batch_end(loop, batch);
}
END_TEST

/* It also waits for what else it was told to. */
START_TEST(an_heir_may_wait_for_others_as_well)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	int fails;

	for (fails = 0; fails < 2; fails++) {
		sfr_batch *batch = batch_on(loop);
		struct gate gate = gate_make();
		int to = empty_file(), waiting, read, write;

		ended = (struct ended){0};
		waiting = sfr_batch_add(batch,
					fails ? sfr_recv(loop, gate.reader, room_for(loop, 1))
					      : gate_wait(loop, &gate));
		read = sfr_batch_add(batch,
				     sfr_read(loop, file_with("0123456789"), room_for(loop, 64)));
		write = sfr_batch_then(batch, read, sfr_write(loop, to, NULL));
		ck_assert_int_eq(sfr_batch_after(batch, write, waiting), 0);
		ck_assert_int_eq(sfr_batch_submit(batch, batch_ended, &ended), 0);
		turns_until_ended(loop, batch, read);
		ck_assert_int_eq(sfr_await(sfr_nop(loop), NULL), 0);
		assert_file(to, "");
		gate_open(&gate);
		turn_until(loop, &ended.calls, 1);

		assert_result(batch, write, fails ? -SFR_EDEPFAILED : 10);
		assert_file(to, fails ? "" : "0123456789");
		assert_inherited(batch, read);
		assert_taken(batch, write, "0123456789");
		batch_end(loop, batch);
	}
}
END_TEST

/* Block by block, some of them short, all in one batch. */
START_TEST(many_copies_in_one_batch_are_exact)
{
	sfr_loop *loop = loop_for_batches(_i, "buffers.size=64 buffers.count=128");
	sfr_batch *batch = batch_on(loop);
	int from = empty_file(), to = empty_file(), i;
	static char bytes[6001], back[6001];
	uint64_t done = 0;

	for (i = 0; i < 6000; i++)
		bytes[i] = (char)('a' + i % 23);
	ck_assert_int_eq(write(from, bytes, 6000), 6000);
	for (i = 0; i < 100; i++, done += 64) {
		int read = sfr_batch_add(batch, sfr_read_at(loop, from, room_for(loop, 64), done));
		int write_it = sfr_batch_then(batch, read, sfr_write_at(loop, to, NULL, done));

		if (i % 3 == 0)
			sfr_batch_then(batch, write_it, sfr_fdatasync(loop, to));
	}
	ck_assert_int_eq(sfr_batch_await(batch), 0);

	ck_assert_int_eq(pread(to, back, sizeof(back), 0), 6000);
	ck_assert_mem_eq(bytes, back, 6000);
	batch_end(loop, batch);
}
END_TEST

/*
 * Descriptors.
 */

static char dir_name[64];
static int dir;

static sfr_loop *loop_and_dir(int world, const char *more)
{
	sfr_loop *loop = loop_for_batches(world, more);
	int warm = sfr_await(sfr_openat(loop, AT_FDCWD, "/", O_RDONLY, 0), NULL), fd;

	ck_assert_int_eq(sfr_await(sfr_close(loop, warm), NULL), 0);
	snprintf(dir_name, sizeof(dir_name), "/tmp/safer-ring-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir_name));
	dir = owned_fd(open(dir_name, O_DIRECTORY | O_RDONLY | O_CLOEXEC));
	fd = openat(dir, "file", O_CREAT | O_WRONLY, 0600);
	ck_assert_int_eq(write(fd, "0123456789", 10), 10);
	close(fd);
	return loop;
}

static void dir_gone(void)
{
	(void)unlinkat(dir, "file", 0);
	ck_assert_int_eq(rmdir(dir_name), 0);
}

START_TEST(a_file_is_opened_read_and_closed)
{
	sfr_loop *loop = loop_and_dir(_i, NULL);
	int before = open_descriptors();
	uint32_t room;

	for (room = 10; room < 12; room++) { /* a short read is closed as well */
		sfr_batch *batch = batch_on(loop);
		int file = sfr_batch_add(batch, sfr_openat(loop, dir, "file", O_RDONLY, 0));
		int fd = sfr_batch_fd(batch, file), read, closed;
		sfr_batch_plan_info plan;

		ck_assert_int_lt(fd, -1);
		ck_assert_int_eq(sfr_batch_fd(batch, file), fd);
		read = sfr_batch_add(batch, sfr_read(loop, fd, room_for(loop, room)));
		closed = sfr_batch_add(batch, sfr_close(loop, fd));
		sfr_batch_after_any(batch, closed, read);
		ck_assert_int_eq(sfr_batch_plan(batch, &plan), 0);
		ck_assert_uint_le(plan.links, 1); /* before it is open, nobody knows its number */
		ck_assert_int_eq(sfr_batch_await(batch), 0);

		assert_result(batch, read, 10);
		assert_result(batch, closed, 0);
		assert_taken(batch, read, "0123456789");
		ck_assert_int_eq(open_descriptors(), before);
		batch_end(loop, batch);
	}
	dir_gone();
}
END_TEST

START_TEST(a_connection_is_accepted_answered_and_closed)
{
	sfr_loop *loop = loop_and_dir(_i, NULL);
	sfr_batch *batch = batch_on(loop);
	struct sockaddr_in addr;
	int listener = listening_socket(&addr, 4), before, client, conn, fd, got, sent, closed;
	char bytes[16] = "";

	client = owned_fd(socket(AF_INET, SOCK_STREAM, 0));
	ck_assert_int_eq(connect(client, (struct sockaddr *)&addr, sizeof(addr)), 0);
	before = open_descriptors();
	conn = sfr_batch_add(batch, sfr_accept(loop, listener));
	fd = sfr_batch_fd(batch, conn);
	got = sfr_batch_add(batch, sfr_recv(loop, fd, room_for(loop, 64)));
	sent = sfr_batch_then(batch, got, sfr_all(sfr_send(loop, fd, NULL)));
	closed = sfr_batch_add(batch, sfr_close(loop, fd));
	sfr_batch_after_any(batch, closed, sent);
	ck_assert_int_eq(sfr_batch_submit(batch, batch_ended, &ended), 0);
	ck_assert_int_eq(sfr_await(sfr_nop(loop), NULL), 0);
	ck_assert_int_eq(send(client, "ping", 4, 0), 4);
	turn_until(loop, &ended.calls, 1);

	ck_assert_int_eq(recv(client, bytes, sizeof(bytes), 0), 4);
	ck_assert_str_eq(bytes, "ping");
	ck_assert_int_eq(recv(client, bytes, sizeof(bytes), 0), 0);
	ck_assert_int_eq(open_descriptors(), before);
	assert_result(batch, sent, 4);
	assert_result(batch, closed, 0);
	batch_end(loop, batch);
	dir_gone();
}
END_TEST

START_TEST(a_socket_is_made_connected_and_used)
{
	sfr_loop *loop = loop_and_dir(_i, NULL);
	sfr_batch *batch = batch_on(loop);
	struct sockaddr_in addr;
	int listener = listening_socket(&addr, 4), before, peer, made, fd, i;
	char bytes[16] = "";

	before = open_descriptors();
	made = sfr_batch_add(batch, sfr_socket(loop, AF_INET, SOCK_STREAM, 0));
	fd = sfr_batch_fd(batch, made);
	sfr_batch_add(batch, sfr_connect(loop, fd, (struct sockaddr *)&addr, sizeof(addr)));
	sfr_batch_then(batch, 1, sfr_poll(loop, fd, POLLOUT));
	sfr_batch_then(batch, 2, sfr_send(loop, fd, text_buf(loop, "hello")));
	sfr_batch_then(batch, 3, sfr_shutdown(loop, fd, SHUT_WR));
	sfr_batch_then(batch, 4, sfr_close(loop, fd));
	ck_assert_int_eq(sfr_batch_await(batch), 0);

	for (i = 1; i < 6; i++)
		ck_assert_int_ge(result_of(batch, i), 0);
	ck_assert_int_eq(open_descriptors(), before);
	peer = owned_fd(accept(listener, NULL, NULL));
	ck_assert_int_eq(recv(peer, bytes, sizeof(bytes), 0), 5);
	ck_assert_str_eq(bytes, "hello");
	batch_end(loop, batch);
	dir_gone();
}
END_TEST

START_TEST(datagrams_are_sent_and_received_by_name)
{
	sfr_loop *loop = loop_and_dir(_i, NULL);
	sfr_batch *batch = batch_on(loop);
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(addr);
	int peer = owned_fd(socket(AF_INET, SOCK_DGRAM, 0)), fd, sent, got;
	struct sockaddr_storage from;
	char bytes[16] = "";

	ck_assert_int_eq(bind(peer, (struct sockaddr *)&addr, sizeof(addr)), 0);
	ck_assert_int_eq(getsockname(peer, (struct sockaddr *)&addr, &size), 0);
	fd = sfr_batch_fd(batch, sfr_batch_add(batch, sfr_socket(loop, AF_INET, SOCK_DGRAM, 0)));
	sent = sfr_batch_add(batch, sfr_sendto(loop, fd, text_buf(loop, "ping"),
					       (struct sockaddr *)&addr, size));
	got = sfr_batch_then(batch, sent, sfr_recvfrom(loop, fd, sfr_buf_get(loop, 1024)));
	sfr_batch_then(batch, got, sfr_close(loop, fd));
	ck_assert_int_eq(sfr_batch_submit(batch, batch_ended, &ended), 0);
	turns_until_ended(loop, batch, sent);
	size = sizeof(from);
	ck_assert_int_eq(recvfrom(peer, bytes, sizeof(bytes), 0, (struct sockaddr *)&from, &size),
			 4);
	ck_assert_int_eq(sendto(peer, "pong!", 5, 0, (struct sockaddr *)&from, size), 5);
	turns_until_ended(loop, batch, got);

	assert_result(batch, got, 5);
	assert_taken(batch, got, "pong!");
	turn_until(loop, &ended.calls, 1);
	batch_end(loop, batch);
	dir_gone();
}
END_TEST

static int add_after(sfr_batch *batch, sfr_op *op)
{
	static int last;
	int index = sfr_batch_add(batch, op);

	if (index > 1)
		ck_assert_int_eq(sfr_batch_after(batch, index, last), 0);
	last = index;
	return index;
}

/* Where paths begin: on both sides of those that have two. */
START_TEST(a_directory_is_opened_and_used)
{
	sfr_loop *loop = loop_and_dir(_i, NULL);
	sfr_batch *batch = batch_on(loop);
	int before = open_descriptors(), home, sub, file, fd, i, count;
	struct stat stat;

	ck_assert_int_eq(mkdirat(dir, "sub", 0700), 0);
	home = sfr_batch_fd(batch, add_after(batch, sfr_openat(loop, AT_FDCWD, dir_name,
							       O_DIRECTORY | O_RDONLY, 0)));
	sub = sfr_batch_fd(
		batch, add_after(batch, sfr_openat(loop, home, "sub", O_DIRECTORY | O_RDONLY, 0)));
	add_after(batch, sfr_mkdirat(loop, sub, "subsub", 0700));
	file = add_after(batch, sfr_openat(loop, sub, "new", O_CREAT | O_RDWR, 0600));
	fd = sfr_batch_fd(batch, file);
	add_after(batch, sfr_write(loop, fd, text_buf(loop, "contents")));
	add_after(batch, sfr_ftruncate(loop, fd, 3));
	add_after(batch, sfr_fallocate(loop, fd, 0, 0, 100));
	add_after(batch, sfr_fsync(loop, fd));
	add_after(batch, sfr_fdatasync(loop, fd));
	add_after(batch, sfr_statx(loop, sub, "new", 0, 0x7ff, sfr_buf_get(loop, 256)));
	add_after(batch, sfr_linkat(loop, sub, "new", home, "linked", 0));
	add_after(batch, sfr_symlinkat(loop, "nowhere", sub, "link"));
	add_after(batch, sfr_renameat(loop, sub, "new", home, "moved", 0));
	add_after(batch, sfr_renameat(loop, home, "linked", sub, "back", 0));
	add_after(batch, sfr_unlinkat(loop, sub, "link", 0));
	add_after(batch, sfr_close(loop, fd));
	add_after(batch, sfr_close(loop, sub));
	count = add_after(batch, sfr_close(loop, home)) + 1;
	ck_assert_int_eq(sfr_batch_await(batch), 0);

	for (i = 0; i < count; i++)
		ck_assert_int_ge(result_of(batch, i), 0);
	ck_assert_int_eq(open_descriptors(), before);
	ck_assert_int_eq(fstatat(dir, "moved", &stat, 0), 0);
	ck_assert_int_eq(stat.st_size, 100);
	ck_assert_int_eq(unlinkat(dir, "moved", 0), 0);
	ck_assert_int_eq(unlinkat(dir, "sub/back", 0), 0);
	ck_assert_int_eq(unlinkat(dir, "sub/subsub", AT_REMOVEDIR), 0);
	ck_assert_int_eq(unlinkat(dir, "sub", AT_REMOVEDIR), 0);
	batch_end(loop, batch);
	dir_gone();
}
END_TEST

START_TEST(bytes_are_moved_between_descriptors_of_the_batch)
{
	sfr_loop *loop = loop_and_dir(_i, NULL);
	sfr_batch *batch = batch_on(loop);
	int reader, writer, before, from, to, in, out, i;

	pair_of_pipe_ends(&reader, &writer);
	before = open_descriptors();
	from = sfr_batch_add(batch, sfr_openat(loop, dir, "file", O_RDONLY, 0));
	to = sfr_batch_add(batch, sfr_openat(loop, dir, "copy", O_CREAT | O_WRONLY, 0600));
	in = sfr_batch_fd(batch, from);
	out = sfr_batch_fd(batch, to);
	sfr_batch_add(batch, sfr_splice(loop, in, 0, writer, -1, 10, 0));
	sfr_batch_then(batch, 2, sfr_splice(loop, reader, -1, out, 0, 10, 0));
	sfr_batch_then(batch, 3, sfr_splice(loop, in, 2, writer, -1, 100, 0)); /* short */
	sfr_batch_then(batch, 4, note(loop, 'x'));
	sfr_batch_add(batch, sfr_close(loop, in));
	sfr_batch_after_any(batch, 6, 5);
	sfr_batch_add(batch, sfr_close(loop, out));
	sfr_batch_after_any(batch, 7, 5);
	ck_assert_int_eq(sfr_batch_await(batch), 1);

	assert_result(batch, 2, 10);
	assert_result(batch, 3, 10);
	assert_result(batch, 4, 8);
	assert_result(batch, 5, -SFR_EDEPFAILED);
	for (i = 6; i < 8; i++)
		assert_result(batch, i, 0);
	ck_assert_int_eq(open_descriptors(), before);
	i = owned_fd(openat(dir, "copy", O_RDONLY));
	assert_file(i, "0123456789");
	ck_assert_int_eq(unlinkat(dir, "copy", 0), 0);
	batch_end(loop, batch);
	dir_gone();
}
END_TEST

/* The name of a place is known from the beginning, so all of it can be one row. */
START_TEST(in_a_place_a_file_is_opened_read_and_closed_by_one_submission)
{
	sfr_loop *loop = loop_and_dir(_i, NULL);
	const int empty[2] = {-1, -1};
	int places[2], before, round;

	ck_assert_int_eq(sfr_files_register(loop, empty, 2, places), 0);
	before = open_descriptors();
	for (round = 0; round < 4; round++) {
		sfr_batch *batch = batch_on(loop);
		sfr_batch_plan_info plan;
		sfr_loop_stats start;
		int file, fd, read, closed;

		file = sfr_batch_add(batch, sfr_into(sfr_openat(loop, dir, "file", O_RDONLY, 0),
						     places[round % 2]));
		fd = sfr_batch_fd(batch, file);
		ck_assert_int_lt(fd, -1);
		read = sfr_batch_add(batch,
				     sfr_read_at(loop, fd, room_for(loop, round < 2 ? 10 : 12), 0));
		closed = sfr_batch_add(batch, sfr_close(loop, fd));
		sfr_batch_after_any(batch, closed, read);
		ck_assert_int_eq(sfr_batch_plan(batch, &plan), 0);
		start = stats_of(loop);
		ck_assert_int_eq(sfr_batch_await(batch), 0);

		assert_result(batch, file, 0);
		assert_result(batch, read, 10);
		assert_result(batch, closed, 0);
		if (plan.links == 2 && strcmp(sfr_loop_engine(loop), "uring") == 0 && round)
			ck_assert_uint_le(stats_of(loop).turns, start.turns + 1);
		assert_taken(batch, read, "0123456789");
		ck_assert_int_eq(open_descriptors(), before);
		batch_end(loop, batch);
		ck_assert_int_eq(
			sfr_await(sfr_read(loop, places[round % 2], sfr_buf_get(loop, 1)), NULL),
			-SFR_ENOTREGISTERED);
	}
	ck_assert_int_eq(sfr_files_unregister(loop), 0);
	dir_gone();
}
END_TEST

START_TEST(if_it_is_not_opened_nothing_is_done_with_it)
{
	sfr_loop *loop = loop_and_dir(_i, NULL);
	sfr_batch *batch = batch_on(loop);
	int before = open_descriptors(), file, fd, read, closed, any, beside;

	file = sfr_batch_add(batch, sfr_openat(loop, dir, "none", O_RDONLY, 0));
	fd = sfr_batch_fd(batch, file);
	read = sfr_batch_add(batch, sfr_read(loop, fd, room_for(loop, 8)));
	closed = sfr_batch_add(batch, sfr_close(loop, fd));
	sfr_batch_after_any(batch, closed, read);
	any = sfr_batch_add(batch, note(loop, 'a'));
	sfr_batch_after_any(batch, any, closed);
	beside = sfr_batch_add(batch, note(loop, 'a'));
	ck_assert_int_eq(sfr_batch_await(batch), 3);

	assert_result(batch, file, -ENOENT);
	assert_result(batch, read, -SFR_EDEPFAILED);
	assert_result(batch, closed, -SFR_EDEPFAILED);
	assert_result(batch, any, 1);
	assert_result(batch, beside, 1);
	ck_assert_int_eq(sfr_batch_error(batch, NULL), -ENOENT);
	ck_assert_int_eq(open_descriptors(), before);
	batch_end(loop, batch);
	dir_gone();
}
END_TEST

/* Descriptor 0 is one like the others. */
START_TEST(a_descriptor_may_be_zero)
{
	sfr_loop *loop = loop_and_dir(_i, NULL);
	sfr_batch *batch = batch_on(loop);
	int stdin_copy = dup(0), file, fd, read;
	char path[80];

	snprintf(path, sizeof(path), "%s/file", dir_name);
	close(0);
	file = sfr_batch_add(batch, sfr_openat(loop, AT_FDCWD, path, O_RDONLY, 0));
	fd = sfr_batch_fd(batch, file);
	read = sfr_batch_add(batch, sfr_read(loop, fd, room_for(loop, 10)));
	sfr_batch_then(batch, read, sfr_close(loop, fd));
	ck_assert_int_eq(sfr_batch_await(batch), 0);
	assert_result(batch, file, 0);
	assert_result(batch, read, 10);
	ck_assert_int_eq(fcntl(0, F_GETFD), -1);
	ck_assert_int_eq(dup2(stdin_copy, 0), 0);
	close(stdin_copy);
	batch_end(loop, batch);
	ck_assert_int_ge(fcntl(0, F_GETFD), 0);
	dir_gone();
}
END_TEST

/*
 * Wrong names.
 */

static void assert_name_refused(sfr_loop *loop, sfr_batch *batch, int name)
{
	ck_assert_int_eq(sfr_batch_add(batch, sfr_read(loop, name, room_for(loop, 8))), -EINVAL);
	ck_assert_int_eq(sfr_batch_submit(batch, batch_ended, &ended), -EINVAL);
}

START_TEST(a_name_is_good_in_its_own_batch_only)
{
	sfr_loop *loop = loop_and_dir(_i, NULL);
	sfr_batch *one = batch_on(loop), *another = batch_on(loop);
	int name, old;

	name = sfr_batch_fd(one, sfr_batch_add(one, sfr_openat(loop, dir, "file", O_RDONLY, 0)));
	sfr_batch_add(another, sfr_openat(loop, dir, "file", O_RDONLY, 0));
	assert_name_refused(loop, another, name);
	ck_assert_int_eq(sfr_batch_reset(another), 0);
	assert_name_refused(loop, another, name);

	old = name;
	ck_assert_int_eq(sfr_batch_reset(one), 0); /* it was of the batch's former life */
	name = sfr_batch_fd(one, sfr_batch_add(one, sfr_openat(loop, dir, "file", O_RDONLY, 0)));
	ck_assert_int_ne(name, old);
	assert_name_refused(loop, one, old);
	sfr_batch_free(another);
	batch_end(loop, one);
	ck_assert_int_eq(ended.calls, 0);
	dir_gone();
}
END_TEST

START_TEST(what_wins_no_descriptor_gives_no_name)
{
	sfr_loop *loop = loop_and_dir(_i, NULL);
	sfr_batch *batch = batch_on(loop);
	int read;

	sfr_batch_add(batch, sfr_nop(loop));
	ck_assert_int_eq(sfr_batch_fd(batch, 0), -1);
	ck_assert_int_eq(sfr_batch_fd(batch, 1), -1); /* it is not there yet */
	ck_assert_int_eq(sfr_batch_fd(batch, -EINVAL), -1);
	read = sfr_batch_add(batch, sfr_read(loop, sfr_batch_fd(batch, 1), room_for(loop, 8)));
	ck_assert_int_eq(sfr_batch_await(batch), 1);

	assert_result(batch, read, -EBADF);
	batch_end(loop, batch);
	dir_gone();
}
END_TEST

START_TEST(outside_its_batch_a_name_is_no_descriptor)
{
	sfr_loop *loop = loop_and_dir(_i, NULL);
	sfr_batch *batch = batch_on(loop);
	int name, registered;

	name = sfr_batch_fd(batch,
			    sfr_batch_add(batch, sfr_openat(loop, dir, "file", O_RDONLY, 0)));
	ck_assert_int_eq(sfr_await(sfr_read(loop, name, room_for(loop, 8)), NULL), -EBADF);
	ck_assert_int_eq(sfr_await(sfr_write(loop, name, text_buf(loop, "x")), NULL), -EBADF);
	ck_assert_int_eq(sfr_await(sfr_close(loop, name), NULL), -EBADF);
	ck_assert_int_eq(sfr_await(sfr_fsync(loop, name), NULL), -EBADF);
	ck_assert_int_eq(sfr_await(sfr_poll(loop, name, POLLIN), NULL), -EBADF);
	ck_assert_int_eq(sfr_await(sfr_openat(loop, name, "file", O_RDONLY, 0), NULL), -EBADF);
	ck_assert_int_eq(sfr_await(sfr_splice(loop, name, 0, name, 0, 1, 0), NULL), -EBADF);
	ck_assert_int_eq(sfr_cancel_fd(loop, name), 0);
	ck_assert_int_eq(sfr_files_register(loop, &name, 1, &registered), -EBADF);
	ck_assert_int_eq(sfr_batch_await(batch), 0);
	ck_assert_int_eq(sfr_await(sfr_read(loop, name, room_for(loop, 8)), NULL), -EBADF);
	batch_end(loop, batch);
	dir_gone();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("batch data");
	TCase *tc = world_case(suite, "buffers");

	signal(SIGPIPE, SIG_IGN);
	world_test(tc, a_write_is_handed_what_was_read);
	world_test(tc, a_short_read_is_continued_with_what_was_read);
	world_test(tc, at_the_end_of_a_file_nothing_is_written);
	world_test(tc, it_is_handed_on_and_on);
	world_test(tc, several_may_inherit_from_one);
	world_test(tc, one_of_several_heirs_may_not_change_what_the_others_inherit);
	world_test(tc, nor_may_those_who_inherit_from_them);
	world_test(tc, an_heir_that_cannot_run_is_not_linked);
	world_test(tc, all_of_it_is_written_where_that_takes_several_writes);
	world_test(tc, after_a_short_write_only_what_was_written_is_handed_on);
	world_test(tc, an_answer_is_received_into_the_buffer_of_the_question);
	world_test(tc, a_chain_of_buffers_is_inherited_as_a_whole);
	world_test(tc, parts_that_one_system_call_does_not_take_count_as_well);
	world_test(tc, what_was_sent_to_an_address_is_inherited);
	world_test(tc, what_is_read_piece_by_piece_is_not_closed_before_the_last);
	world_test(tc, whatever_memory_a_buffer_is_of_it_is_inherited);
	world_test(tc, what_else_is_wrong_with_an_heir_stays_wrong);
	world_test(tc, an_heir_has_its_deadline);
	world_test(tc, send_zc_inherits_as_send_does);
	world_test(tc, without_a_buffer_to_inherit_there_is_none);
	world_test(tc, an_heir_may_wait_for_others_as_well);
	world_test(tc, many_copies_in_one_batch_are_exact);
	tc = world_case(suite, "descriptors");
	world_test(tc, a_file_is_opened_read_and_closed);
	world_test(tc, a_connection_is_accepted_answered_and_closed);
	if (!under_valgrind()) { /* no worker runs there while a loop sleeps in the ring */
		world_test(tc, a_socket_is_made_connected_and_used);
		world_test(tc, datagrams_are_sent_and_received_by_name);
		world_test(tc, a_directory_is_opened_and_used);
	}
	world_test(tc, bytes_are_moved_between_descriptors_of_the_batch);
	world_test(tc, in_a_place_a_file_is_opened_read_and_closed_by_one_submission);
	world_test(tc, if_it_is_not_opened_nothing_is_done_with_it);
	world_test(tc, a_descriptor_may_be_zero);
	tc = world_case(suite, "wrong names");
	world_test(tc, a_name_is_good_in_its_own_batch_only);
	world_test(tc, what_wins_no_descriptor_gives_no_name);
	world_test(tc, outside_its_batch_a_name_is_no_descriptor);
	return world_run(suite);
}
