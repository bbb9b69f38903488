/* SPDX-License-Identifier: MIT */
/*
 * sfr_conn_send_file(): in order, byte for byte, whatever way it goes, and told once.
 */
#include "wires.h"
#include "loop/loop.h"
#include <errno.h>
#include <fcntl.h>
#include <safer_ring/error.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROOM "buffers.budget=64MiB "

/* Sizes of each way: nothing, read, a worker's, and more than is done at once. */
static const size_t sizes[] = {0, 1, 1000, 65536, 65537, 131071, 131072, 1000000, 9000000};

/* Bytes of stream 1, from the beginning of a file. */
static void file_fill(int fd, size_t size)
{
	unsigned char *bytes = malloc(size + 1);

	pattern_fill(bytes, 1, 0, size);
	ck_assert_int_eq(pwrite(fd, bytes, size, 0), (ssize_t)size);
	free(bytes);
}

static int file_of(size_t size)
{
	int fd = empty_file();

	file_fill(fd, size);
	return fd;
}

/* What done was told. */
static struct {
	int calls, result;
	uint64_t sent;
	sfr_conn *conn;
} told;

static void note_sent(sfr_conn *conn, int result, uint64_t sent, void *arg)
{
	ck_assert_ptr_eq(arg, &told);
	ck_assert_int_eq(here.closed, 0);
	told.calls++;
	told.result = result;
	told.sent = sent;
	told.conn = conn;
}

static int send_file(struct wire *wire, int fd, uint64_t off, uint64_t len)
{
	return sfr_conn_send_file(wire->conn, fd, off, len, note_sent, &told);
}

/* The peer hears bytes of stream 1 from `offset` on. */
static void assert_hears(struct wire *wire, uint64_t offset, size_t size)
{
	unsigned char *heard = malloc(size + 1);

	peer_hear(wire->loop, wire->peer, heard, size);
	ck_assert(pattern_is(heard, 1, offset, size));
	free(heard);
}

static void assert_hears_text(struct wire *wire, const char *text)
{
	char heard[64] = "";

	peer_hear(wire->loop, wire->peer, heard, strlen(text));
	ck_assert_str_eq(heard, text);
}

/*
 * All of it.
 */

START_TEST(a_file_is_sent_between_what_is_sent_before_and_after_it)
{
	size_t size = sizes[_i % COUNT_OF(sizes)];
	struct wire wire;
	int fd;

	wire_up(&wire, _i / COUNT_OF(sizes), ROOM, &note_all);
	fd = file_of(size);
	conn_say(wire.conn, "before", 6);
	ck_assert_int_eq(send_file(&wire, fd, 0, size), 0);
	conn_say(wire.conn, "after", 5);
	ck_assert_int_eq(told.calls, 0);
	assert_hears_text(&wire, "before");
	assert_hears(&wire, 0, size);
	assert_hears_text(&wire, "after");
	ck_assert_int_eq(told.calls, 1); /* before what is behind it is sent */
	ck_assert_int_eq(told.result, 0);
	ck_assert_uint_eq(told.sent, size);
	ck_assert_ptr_eq(told.conn, wire.conn);
	ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), 0);
	ck_assert_uint_eq(sfr_conn_queued(wire.conn), 0);
	close(wire.peer);
}
END_TEST

START_TEST(a_part_of_a_file_is_sent)
{
	struct wire wire;
	int fd;

	wire_up(&wire, _i, ROOM, &note_all);
	fd = file_of(1000000);
	ck_assert_int_eq(send_file(&wire, fd, 12345, 77777), 0);
	ck_assert_int_eq(send_file(&wire, fd, 54321, 777777), 0);
	assert_hears(&wire, 12345, 77777);
	assert_hears(&wire, 54321, 777777);
	turns_until(wire.loop, told.calls == 2);
	close(wire.peer);
}
END_TEST

START_TEST(a_slow_peer_gets_all_of_it_and_then_the_end)
{
	struct wire wire;
	int fd;

	wire_up(&wire, _i, ROOM, &note_all);
	conn_narrow(wire.conn);
	peer_narrow(wire.peer);
	fd = file_of(9000000);
	ck_assert_int_eq(send_file(&wire, fd, 0, 9000000), 0);
	ck_assert_int_eq(send_file(&wire, fd, 9000000, 0), 0);
	sfr_conn_shutdown(wire.conn);
	ck_assert_int_eq(send_file(&wire, fd, 0, 1), -EPIPE);
	turns_until_quiet(wire.loop);
	ck_assert_int_eq(told.calls, 0);
	assert_hears(&wire, 0, 9000000);
	ck_assert_int_eq(peer_end(wire.loop, wire.peer), 0);
	ck_assert_int_eq(told.calls, 2); /* before the end */
	ck_assert_int_eq(told.result, 0);
	close(wire.peer);
	turns_until(wire.loop, here.closed);
	ck_assert_int_eq(here.reason, 0);
}
END_TEST

START_TEST(what_a_file_grows_by_before_it_is_read_is_sent)
{
	struct wire wire;
	int fd;

	wire_up(&wire, _i, ROOM, &note_all);
	fd = file_of(10);
	ck_assert_int_eq(send_file(&wire, fd, 0, 1000000), 0);
	file_fill(fd, 1000000);
	assert_hears(&wire, 0, 1000000);
	turns_until(wire.loop, told.calls);
	ck_assert_int_eq(told.result, 0);
	close(wire.peer);
}
END_TEST

static int64_t refuse_to_send(const struct sfr__system *system, int out, int fd, uint64_t off,
			      size_t size)
{
	(void)system;
	(void)out;
	(void)fd;
	(void)off;
	(void)size;
	return -EINVAL;
}

/* As of some file systems. */
START_TEST(a_large_file_that_the_system_cannot_send_is_read)
{
	static struct sfr__system system;
	struct wire wire;

	wire_up(&wire, _i, ROOM, &note_all);
	system = *wire.loop->engine->system;
	system.file_send = refuse_to_send;
	wire.loop->engine->system = &system;
	ck_assert_int_eq(send_file(&wire, file_of(1000000), 0, 1000000), 0);
	assert_hears(&wire, 0, 1000000);
	turns_until(wire.loop, told.calls);
	ck_assert_int_eq(told.result, 0);
	ck_assert_uint_eq(told.sent, 1000000);
	close(wire.peer);
}
END_TEST

/* All buffers are somebody's: it is sent without one. */
START_TEST(a_file_is_sent_though_there_is_no_buffer)
{
	struct wire wire;
	sfr_buf *held[64];
	int count = 0, fd;

	wire_up(&wire, _i, "buffers.count=8", &note_all);
	fd = file_of(1000);
	sfr_conn_pause(wire.conn);
	turns_until_quiet(wire.loop);
	while (count < 64 && (held[count] = sfr_buf_get(wire.loop, 1)))
		count++;
	ck_assert_int_lt(count, 64);
	ck_assert_int_eq(send_file(&wire, fd, 0, 1000), 0);
	assert_hears(&wire, 0, 1000);
	turns_until(wire.loop, told.calls);
	ck_assert_int_eq(told.result, 0);
	while (count)
		sfr_buf_release(held[--count]);
	close(wire.peer);
}
END_TEST

START_TEST(files_that_wait_fill_a_connection_and_drain_it)
{
	struct wire wire;
	int fd, i;

	wire_up(&wire, _i, ROOM "server.high_water=256KiB server.low_water=64KiB", &note_all);
	conn_narrow(wire.conn);
	peer_narrow(wire.peer);
	fd = file_of(1000000);
	for (i = 0; i < 4; i++) {
		ck_assert(!sfr_conn_is_full(wire.conn));
		ck_assert_int_eq(send_file(&wire, fd, 0, 1000000), 0);
	}
	ck_assert(!sfr_conn_is_full(wire.conn));
	ck_assert_int_eq(send_file(&wire, fd, 0, 1000000), 0);
	ck_assert(sfr_conn_is_full(wire.conn));
	ck_assert_uint_eq(sfr_conn_queued(wire.conn), 0);
	turns_until_quiet(wire.loop);
	ck_assert_int_eq(here.drained, 0);
	for (i = 0; i < 5; i++)
		assert_hears(&wire, 0, 1000000);
	turns_until(wire.loop, here.drained && told.calls == 5);
	close(wire.peer);
}
END_TEST

/*
 * Not all of it.
 */

/* What is behind it must wait until done has returned. */
static void reset_unless_whole(sfr_conn *conn, int result, uint64_t sent, void *arg)
{
	note_sent(conn, result, sent, arg);
	if (result < 0)
		sfr_conn_reset(conn);
}

START_TEST(of_a_file_that_ends_early_all_is_sent_that_there_is)
{
	size_t size = sizes[_i % COUNT_OF(sizes)];
	struct wire wire;
	int fd;

	wire_up(&wire, _i / COUNT_OF(sizes), ROOM, &note_all);
	fd = file_of(size);
	ck_assert_int_eq(send_file(&wire, fd, 0, size + 200000), 0);
	conn_say(wire.conn, "after", 5);
	assert_hears(&wire, 0, size);
	assert_hears_text(&wire, "after");
	ck_assert_int_eq(told.calls, 1);
	ck_assert_int_eq(told.result, -ENODATA);
	ck_assert_uint_eq(told.sent, size);
	ck_assert_int_eq(send_file(&wire, fd, size + 1000, 10), 0);
	turns_until(wire.loop, told.calls == 2);
	ck_assert_int_eq(told.result, -ENODATA);
	ck_assert_uint_eq(told.sent, 0);
	close(wire.peer);
}
END_TEST

START_TEST(done_may_reset_before_anything_behind_the_file_is_sent)
{
	size_t size = _i % 2 ? 1000000 : 1000;
	unsigned char bytes[4096];
	uint64_t heard = 0;
	struct wire wire;
	ssize_t n;
	int fd;

	wire_up(&wire, _i / 2, ROOM, &note_all);
	fd = file_of(size);
	ck_assert_int_eq(sfr_conn_send_file(wire.conn, fd, 0, size + 1, reset_unless_whole, &told),
			 0);
	conn_say(wire.conn, "after", 5);
	while (!told.calls) {
		turn_once(wire.loop);
		n = recv(wire.peer, bytes, sizeof(bytes), MSG_DONTWAIT);
		heard += n > 0 ? (uint64_t)n : 0;
	}
	turns_until(wire.loop, here.closed);
	while ((n = recv(wire.peer, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0 ||
	       (n < 0 && errno == EAGAIN)) {
		heard += n > 0 ? (uint64_t)n : 0;
		turn_once(wire.loop); /* a kernel thread that polls may close it late */
	}
	ck_assert_int_eq(n, -1);
	ck_assert_int_eq(errno, ECONNRESET);
	ck_assert_uint_le(heard, size);
	ck_assert_int_eq(told.calls, 1);
	ck_assert_int_eq(told.result, -ENODATA);
	close(wire.peer);
}
END_TEST

START_TEST(what_is_not_a_file_is_refused_by_name_and_nothing_else_happens)
{
	struct wire wire;
	int fd, read_end, write_end, directory = owned_fd(open("/", O_RDONLY | O_DIRECTORY)),
				     unreadable = owned_fd(open("/dev/null", O_WRONLY));

	wire_up(&wire, _i, ROOM, &note_all);
	fd = file_of(10);
	pair_of_pipe_ends(&read_end, &write_end);
	ck_assert_int_eq(send_file(&wire, read_end, 0, 1), -ESPIPE);
	ck_assert_int_eq(send_file(&wire, wire.peer, 0, 1), -ESPIPE);
	ck_assert_int_eq(send_file(&wire, directory, 0, 1), -EISDIR);
	ck_assert_int_eq(send_file(&wire, unreadable, 0, 1), -EBADF);
	ck_assert_int_eq(send_file(&wire, -1, 0, 1), -EBADF);
	ck_assert_int_eq(send_file(&wire, fd, UINT64_MAX, 1), -EINVAL);
	ck_assert_int_eq(send_file(&wire, fd, 1, INT64_MAX), -EINVAL);
	ck_assert_int_eq(sfr_conn_send_file(wire.conn, fd, 0, 10, NULL, NULL), 0);
	assert_hears(&wire, 0, 10);
	ck_assert_int_eq(told.calls + here.closed, 0);
	sfr_conn_close(wire.conn);
	ck_assert_int_eq(send_file(&wire, fd, 0, 1), -ECANCELED);
	turns_until(wire.loop, here.closed);
	ck_assert_int_eq(send_file(&wire, fd, 0, 1), -SFR_ESTALE);
	ck_assert_int_eq(told.calls, 0);
	close(wire.peer);
}
END_TEST

/*
 * Cut off.
 */

static void cut_close(struct wire *wire)
{
	sfr_conn_close(wire->conn);
}

static void cut_reset(struct wire *wire)
{
	sfr_conn_reset(wire->conn);
}

static void cut_peer(struct wire *wire)
{
	peer_reset(wire->peer);
	wire->peer = -1;
}

static void cut_drain(struct wire *wire)
{
	ck_assert_int_eq(sfr_loop_drain(wire->loop, -1), 0);
}

static void (*const cuts[])(struct wire *) = {cut_close, cut_reset, cut_peer, cut_drain};
#define CUTS COUNT_OF(cuts)
#define WHENS 4

/* At once, after a turn, in the middle, and when the peer takes no more; of a small file, and of a large one. */
START_TEST(a_file_that_is_cut_off_is_told_once_before_on_close)
{
	const int which = _i % CUTS, when = _i / CUTS % WHENS, large = _i / CUTS / WHENS % 2;
	struct wire wire;
	int fd, i;

	wire_up(&wire, _i / CUTS / WHENS / 2, ROOM, &note_all);
	conn_narrow(wire.conn);
	peer_narrow(wire.peer);
	fd = file_of(large ? 9000000 : 1000);
	for (i = 0; i < (large ? 2 : 4000); i++)
		ck_assert_int_eq(send_file(&wire, fd, 0, large ? 9000000 : 1000), 0);
	conn_say(wire.conn, "after", 5);
	if (when == 1)
		turn_once(wire.loop);
	if (when == 2)
		assert_hears(&wire, 0, 1000);
	if (when == 3)
		turns_until_quiet(wire.loop);
	cuts[which](&wire);
	turns_until(wire.loop, here.closed);
	ck_assert_int_eq(told.calls, i);
	ck_assert_int_eq(told.result, which == 2 ? here.reason : -ECANCELED);
	ck_assert_uint_lt(told.sent, 9000000);
	if (wire.peer >= 0)
		close(wire.peer);
}
END_TEST

/* The file takes no memory, and what waits behind it does. */
START_TEST(a_peer_that_reads_nothing_of_a_file_is_ended_when_memory_is_short)
{
	static const char bytes[5000];
	struct wire wire;
	sfr_buf *held[128];
	int count = 0, fd, i;

	wire_up(&wire, _i,
		"buffers.size=8KiB buffers.budget=28MiB server.queue_max=64MiB server.slow_after=1ms",
		&note_all);
	conn_narrow(wire.conn);
	peer_narrow(wire.peer);
	fd = file_of(9000000);
	ck_assert_int_eq(send_file(&wire, fd, 0, 9000000), 0);
	for (i = 0; i < 2000; i++)
		ck_assert_int_gt(
			sfr_conn_send(wire.conn, sfr_buf_from(wire.loop, bytes, sizeof(bytes))), 0);
	turns_until_quiet(wire.loop);
	ck_assert_int_eq(told.calls, 0);
	while (count < 128 && (held[count] = sfr_buf_get(wire.loop, 250000)))
		count++;
	turns_until(wire.loop, here.closed);
	ck_assert_int_eq(here.reason, -SFR_ESLOW);
	ck_assert_int_eq(told.calls, 1);
	ck_assert_int_eq(told.result, -SFR_ESLOW);
	while (count)
		sfr_buf_release(held[--count]);
	close(wire.peer);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("send file");
	TCase *tcase = peers_case(suite, "all of it");

	tcase_add_loop_test(tcase, a_file_is_sent_between_what_is_sent_before_and_after_it, 0,
			    world_count() * COUNT_OF(sizes));
	world_test(tcase, a_part_of_a_file_is_sent);
	world_test(tcase, a_slow_peer_gets_all_of_it_and_then_the_end);
	world_test(tcase, what_a_file_grows_by_before_it_is_read_is_sent);
	world_test(tcase, a_large_file_that_the_system_cannot_send_is_read);
	world_test(tcase, a_file_is_sent_though_there_is_no_buffer);
	world_test(tcase, files_that_wait_fill_a_connection_and_drain_it);

	tcase = peers_case(suite, "not all of it");
	tcase_add_loop_test(tcase, of_a_file_that_ends_early_all_is_sent_that_there_is, 0,
			    world_count() * COUNT_OF(sizes));
	tcase_add_loop_test(tcase, done_may_reset_before_anything_behind_the_file_is_sent, 0,
			    world_count() * 2);
	world_test(tcase, what_is_not_a_file_is_refused_by_name_and_nothing_else_happens);

	tcase = peers_case(suite, "cut off");
	world_test(tcase, a_peer_that_reads_nothing_of_a_file_is_ended_when_memory_is_short);
	tcase_add_loop_test(tcase, a_file_that_is_cut_off_is_told_once_before_on_close, 0,
			    world_count() * CUTS * WHENS * 2);
	return world_run(suite);
}
