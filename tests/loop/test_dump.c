/* SPDX-License-Identifier: MIT */
/*
 * sfr_loop_dump(): everything that holds something is named, and looking changes nothing.
 *
 * Who may call it is in calls.c, as for all calls.
 */
#include "allocations.h"
#include "loop/loop.h"
#include "peers.h"
#include "pending.h"
#include <safer_ring/pool.h>
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char text[8 << 20];
static struct seen others;

static const char *dump(sfr_loop *loop)
{
	FILE *out = fmemopen(text, sizeof(text), "w");

	sfr_loop_dump(loop, out);
	ck_assert_int_eq(fclose(out), 0);
	return text;
}

/* How many lines begin with `start` and have `part` in them. */
static int lines_with(const char *start, const char *part)
{
	const char *line, *end;
	int count = 0;

	for (line = text; *line; line = end + 1) {
		end = strchr(line, '\n');
		ck_assert_ptr_nonnull(end);
		count += strncmp(line, start, strlen(start)) == 0 &&
			 memmem(line, (size_t)(end + 1 - line), part, strlen(part));
	}
	return count;
}

/* Exactly one line begins so and has that in it. */
__attribute__((format(printf, 2, 3))) static void one_line(const char *start, const char *format,
							   ...)
{
	char part[256];
	va_list args;

	va_start(args, format);
	vsnprintf(part, sizeof(part), format, args);
	va_end(args);
	ck_assert_msg(lines_with(start, part) == 1, "%d lines \"%s...%s\" in:\n%s",
		      lines_with(start, part), start, part, text);
}

static void op_line(sfr_ticket ticket, const char *kind, const char *part)
{
	char start[128];

	snprintf(start, sizeof(start), "op 0x%" PRIx64 " %s: ", (uint64_t)ticket, kind);
	one_line(start, "%s", part);
}

static sfr_loop *loop_fresh(int world, const char *more)
{
	others = (struct seen){0};
	return loop_in(world, more);
}

START_TEST(a_loop_at_rest_holds_nothing)
{
	sfr_loop *loop = loop_fresh(_i, "buffers.count=16");

	dump(loop);
	one_line("loop ", "engine %s", sfr_loop_engine(loop));
	one_line("loop ", "turn 0, 0 operations in flight, 0 of them abandoned\n");
	ck_assert_int_eq(lines_with("op ", ""), 0);
	ck_assert_int_eq(lines_with("batch ", ""), 0);
	ck_assert_int_eq(lines_with("conn ", ""), 0);
	one_line("buffers made: ", "16 of ");
	one_line("buffers made: ", "16 free");
	one_line("buffers with the user: ", "user: 0,");
	one_line("buffers with the loop: ", "loop: 0,");
	one_line("posted: ", "0 functions, 0 values");
}
END_TEST

START_TEST(every_op_that_waits_is_named_once)
{
	sfr_loop *loop = loop_fresh(_i, "buffers.count=64");
	sfr_ticket tickets[64];
	int i;

	ck_assert_int_le(pending_count, COUNT_OF(tickets));
	for (i = 0; i < pending_count; i++)
		tickets[i] = sfr_submit(pending_kinds[i].build(loop), record, &others);
	for (i = 0; i < 3; i++)
		ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
	ck_assert_int_eq(others.calls, 0);
	dump(loop);
	for (i = 0; i < pending_count; i++) {
		char start[64];

		snprintf(start, sizeof(start), "op 0x%" PRIx64 " ", (uint64_t)tickets[i]);
		one_line(start, "callback 0x%" PRIxPTR "(%p)", (uintptr_t)record, (void *)&others);
	}
	ck_assert_uint_eq((size_t)lines_with("op ", ""), sfr_loop_inflight(loop));
}
END_TEST

START_TEST(an_op_is_shown_with_its_descriptor_and_buffer)
{
	sfr_loop *loop = loop_fresh(_i, "buffers.size=4096");
	int fd = empty_pipe(), socket, name, unused;
	char part[64];
	sfr_buf *chain;

	sfr_submit(sfr_read(loop, fd, sfr_buf_get(loop, 64)), record, &seen);
	pair_of_unix_sockets(&socket, &unused);
	ck_assert_int_eq(sfr_files_register(loop, &socket, 1, &name), 0);
	sfr_submit(sfr_recv(loop, name, sfr_buf_get(loop, 64)), record, &others);
	chain = sfr_buf_append(sfr_buf_from(loop, "a", 1), sfr_buf_from(loop, "b", 1));
	sfr_op *write = sfr_write(loop, fd, chain);

	dump(loop);
	snprintf(part, sizeof(part), ", fd %d, buffer of 4096 bytes", fd);
	ck_assert_int_eq(lines_with("op ", part), 1);
	ck_assert_int_eq(lines_with("op ", ", registered file 0, buffer of 4096 bytes"), 1);
	ck_assert_int_eq(lines_with("op ", "write: built and not submitted"), 1);
	ck_assert_int_eq(lines_with("op ", ", chain of 2 buffers"), 1);
	one_line("registered files: ", "room for 1, 1 open");
	one_line("buffers with the loop: ", "loop: 4, 4 of them in operations");
	sfr_op_discard(write);
}
END_TEST

START_TEST(a_descriptor_that_has_a_name_is_shown_as_what_it_is)
{
	sfr_loop *loop = loop_fresh(_i, NULL);
	struct io_uring_sqe sqe = {.opcode = IORING_OP_FSYNC, .fd = 3, .flags = IOSQE_FIXED_FILE};
	sfr_batch *batch = sfr_batch_new(loop);
	int opener = sfr_batch_add(batch, sfr_openat(loop, AT_FDCWD, "/dev/null", O_RDONLY, 0));
	sfr_op *raw = sfr_raw(loop, &sqe, NULL);

	sfr_batch_add(batch, sfr_close(loop, sfr_batch_fd(batch, opener)));
	dump(loop);
	one_line("op ", "openat: in a batch that is not submitted, the working directory\n");
	one_line("op ", "close: in a batch that is not submitted, descriptor of batch op 0\n");
	one_line("op ", "raw: built and not submitted, registered file 3\n");
	sfr_op_discard(raw);
	sfr_batch_free(batch);
}
END_TEST

#define HOUR UINT64_C(3600000000000)

START_TEST(a_deadline_says_how_old_its_op_is)
{
	sfr_loop *loop = loop_fresh(_i, NULL);
	sfr_ticket read = sfr_submit(sfr_within(pending_read(loop), HOUR), record, &seen);
	sfr_ticket timeout = sfr_submit(sfr_timeout(loop, HOUR), record, &others);

	ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
	dump(loop);
	op_line(read, "read", ", deadline in 3");
	op_line(read, "read", " ms, submitted ");
	op_line(timeout, "timeout", "waits for its time, of 3600000.000 ms, due in 3");
	one_line("timers and deadlines: ", "deadlines: 2, the loop wakes");
}
END_TEST

START_TEST(what_was_asked_to_end_says_so)
{
	sfr_loop *loop = loop_fresh(_i, NULL);
	sfr_ticket cancelled = sfr_submit(pending_read(loop), record, &seen), abandoned, ended;

	abandoned = sfr_submit(pending_read(loop), record, &others);
	ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
	ended = sfr_submit(sfr_timeout(loop, HOUR), record, &others);
	ck_assert_int_eq(sfr_cancel(loop, cancelled), 0);
	ck_assert_int_eq(sfr_abandon(loop, abandoned), 0);
	ck_assert_int_eq(sfr_cancel(loop, ended), 0);
	dump(loop);
	op_line(cancelled, "read", "asked to end, fd ");
	op_line(abandoned, "read", "abandoned 0.000 ms ago, fd ");
	op_line(ended, "timeout", "ended with -125 (ECANCELED)");
	one_line("loop ", "3 operations in flight, 1 of them abandoned");
}
END_TEST

static int wait_for_byte(void *arg)
{
	char byte;

	return (int)read(*(int *)arg, &byte, 1);
}

START_TEST(errands_are_with_a_worker_or_wait_for_one)
{
	sfr_loop *loop = loop_fresh(_i, "ring.workers=1");
	int read_end, write_end;

	pair_of_pipe_ends(&read_end, &write_end);
	sfr_submit(sfr_work(loop, wait_for_byte, &read_end), record, &seen);
	sfr_submit(sfr_work(loop, wait_for_byte, &read_end), record, &seen);
	ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
	do /* until the worker has begun with the first */
		dump(loop);
	while (!lines_with("workers: ", "1 threads of at most 1, 0 idle, 1 errands wait for one"));
	ck_assert_int_eq(lines_with("op ", "work: with a worker"), 2);
	ck_assert_int_eq(write(write_end, "ab", 2), 2);
	turn_until(loop, &seen.calls, 2);
}
END_TEST

/* Two receivers, and one buffer, which the test has. */
START_TEST(a_receiver_without_buffer_says_what_it_waits_for)
{
	sfr_loop *loop = loop_fresh(_i, "buffers.count=1");
	sfr_buf *buf = sfr_buf_get(loop, 1);
	int near, far;

	pair_of_unix_sockets(&near, &far);
	ck_assert_int_eq(write(far, "x", 1), 1);
	sfr_submit(sfr_recv_multi(loop, near), record, &seen);
	turns_until(loop, lines_with("op ", "recv_multi: waits for a buffer") == 1 || !dump(loop));
	one_line("buffers with the user: ", "user: 1,");
	sfr_buf_release(buf);
	turn_until(loop, &seen.calls, 1);
}
END_TEST

START_TEST(what_finds_no_room_with_the_engine_waits_for_it)
{
	sfr_loop *loop = loop_fresh(_i, "ring.entries=8 buffers.count=64");
	int i;

	for (i = 0; i < 40; i++)
		sfr_submit(pending_read(loop), record, &seen);
	dump(loop);
	ck_assert_int_ge(lines_with("op ", "read: waits for room in the engine's queue"), 32);
	ck_assert_int_eq(lines_with("op ", "read: "), 40);
}
END_TEST

START_TEST(a_batch_names_what_it_waits_for)
{
	sfr_loop *loop = loop_fresh(_i, "features.links=off");
	sfr_batch *idle = sfr_batch_new(loop), *busy = sfr_batch_new(loop);
	int first, second;

	sfr_batch_add(idle, sfr_nop(loop));
	first = sfr_batch_add(busy, sfr_write(loop, empty_file(), sfr_buf_from(loop, "x", 1)));
	second = sfr_batch_add(busy, pending_read(loop));
	sfr_batch_then(busy, second, sfr_poll(loop, empty_pipe(), 1));
	ck_assert_int_eq(sfr_batch_within(busy, HOUR), 0);
	ck_assert_int_eq(sfr_batch_submit(busy, NULL, NULL), 0);
	turns_until(loop, sfr_batch_result(busy, first, &(int){0}) == 0);
	dump(loop);
	one_line("batch ", "%p: not submitted, 1 ops\n", (void *)idle);
	one_line("op ", "nop: in a batch that is not submitted");
	one_line("batch ", "%p: runs, 3 ops, 1 ended, 0 of them failed", (void *)busy);
	one_line("batch ", "failed, 1 started, 1 held, deadline in 3");
	one_line("batch ", " op 1: 0x");
	one_line("batch ", " poll, waits for 1\n");
	one_line("op ", "poll: waits for others of its batch");
	one_line("buffers in batches", "taken: 1\n");
	one_line("buffers with the user: ", "user: 0,");
	ck_assert_int_eq(sfr_batch_cancel(busy), 0);
	ck_assert_int_eq(sfr_batch_await(busy), 2);
	sfr_batch_free(busy);
	sfr_batch_free(idle);
}
END_TEST

/* Where links are, the engine has both. */
START_TEST(an_op_that_the_engine_starts_by_itself_is_behind_another)
{
	sfr_loop *loop = loop_fresh(_i, NULL);
	sfr_batch *batch = sfr_batch_new(loop);

	sfr_batch_add(batch, pending_read(loop));
	sfr_batch_then(batch, 0, sfr_poll(loop, empty_pipe(), 1));
	ck_assert_int_eq(sfr_batch_submit(batch, NULL, NULL), 0);
	ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
	dump(loop);
	if (stats_of(loop).links)
		one_line("op ", "poll: with the engine, behind another, fd ");
	else
		one_line("op ", "poll: waits for others of its batch, fd ");
	ck_assert_int_eq(sfr_batch_cancel(batch), 0);
	ck_assert_int_eq(sfr_batch_await(batch), 2);
	sfr_batch_free(batch);
}
END_TEST

START_TEST(servers_and_connections_say_how_they_are)
{
	sfr_loop *loop = loop_fresh(_i, "server.high_water=4KiB server.low_water=1KiB");
	sfr_server *server = serve(loop, &note_all, &here);
	int peer = peer_of(server), listener, i;
	static char page[4096];
	sfr_conn *dialled;

	turns_until(loop, here.conn);
	sfr_conn_pause(here.conn);
	for (i = 0; i < 3; i++)
		ck_assert_int_eq(conn_say(here.conn, page, sizeof(page)), sizeof(page));
	listener = peer_listen(4);
	ck_assert_int_eq(sfr_dial(loop, listen_address(listener), &note_all, &there, &dialled), 0);
	dump(loop);
	one_line("server ", "%p: listening, fd ", (void *)server);
	one_line("server ", "%s, 1 connections, accepts by op 0x", address_of(server));
	one_line("conn ", "%p: open, fd ", (void *)here.conn);
	one_line("conn ", ", server %p, peer tcp://127.0.0.1:", (void *)server);
	one_line("conn ",
		 ", 12288 bytes queued, 3 buffers wait, paused, above the high-water mark");
	one_line("conn ", "%p: connecting, fd ", (void *)dialled);
	one_line("conn ", ", waits for op 0x");
	one_line("buffers with the loop: ", "loop: 3, 0 of them in operations, 3 queued");
	close(peer);
	close(listener);
}
END_TEST

static void nothing(sfr_loop *loop, void *arg)
{
	(void)loop;
	(void)arg;
}

START_TEST(buffers_and_mail_are_counted_by_owner)
{
	sfr_loop *loop = loop_fresh(_i, "buffers.count=8");
	static char memory[64];
	sfr_buf *heap = sfr_buf_get(loop, 100000), *slab = sfr_buf_get(loop, 1), *share;
	sfr_buf *wrapped = sfr_buf_wrap(loop, memory, sizeof(memory), NULL, NULL);

	share = sfr_buf_share(slab);
	ck_assert_int_eq(sfr_loop_post(loop, nothing, NULL), 0);
	ck_assert_int_eq(sfr_loop_post(loop, nothing, NULL), 0);
	dump(loop);
	one_line("buffers with the user: ", "user: 4, 1 of them from the heap, 1 wrapped");
	one_line("buffers whose memory is shared: ", "shared: 2\n");
	one_line("buffers made: ", "7 free");
	one_line("posted: ", "2 functions, 0 values");
	sfr_buf_release(heap);
	sfr_buf_release(slab);
	sfr_buf_release(share);
	sfr_buf_release(wrapped);
}
END_TEST

START_TEST(what_another_thread_released_is_not_collected_by_looking)
{
	sfr_loop *loop = loop_fresh(_i, NULL);
	static char memory[64];
	sfr_buf *wrapped = sfr_buf_wrap(loop, memory, sizeof(memory), note_release, NULL);
	sfr_buf *slab = sfr_buf_get(loop, 1), *share = sfr_buf_share(slab);
	sfr_buf *elsewhere[] = {wrapped, share};
	pthread_t thread;
	int i;

	for (i = 0; i < COUNT_OF(elsewhere); i++) {
		ck_assert_int_eq(pthread_create(&thread, NULL, release_there, elsewhere[i]), 0);
		ck_assert_int_eq(pthread_join(thread, NULL), 0);
	}
	dump(loop);
	ck_assert_int_eq(releases, 0);
	one_line("buffers with the user: ", "user: 1,");
	sfr_buf_release(slab);
	ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
	ck_assert_int_eq(releases, 1);
}
END_TEST

static void dump_on_release(void *mem, void *arg)
{
	(void)mem;
	releases++;
	dump(arg);
}

START_TEST(memory_that_comes_back_may_look)
{
	sfr_loop *loop = loop_fresh(_i, NULL);
	static char memory[64];
	sfr_buf *wrapped = sfr_buf_wrap(loop, memory, sizeof(memory), dump_on_release, loop);
	sfr_buf *share = sfr_buf_share(wrapped);

	sfr_buf_release(wrapped);
	sfr_buf_release(share);
	ck_assert_int_eq(releases, 1);
	one_line("buffers whose memory is shared: ", "shared: 0\n");
}
END_TEST

START_TEST(a_stopped_server_has_no_descriptor_and_no_op)
{
	sfr_loop *loop = loop_fresh(_i, NULL);
	sfr_server *server = serve(loop, &note_all, &here);

	ck_assert_int_eq(sfr_loop_drain(loop, -1), 0);
	dump(loop);
	one_line("server ", "%p: stopped, 0 connections\n", (void *)server);
}
END_TEST

START_TEST(buffers_of_stand_alone_pools_are_not_the_loops)
{
	sfr_loop *loop = loop_fresh(_i, "buffers.count=16");
	sfr_pool *pool = sfr_pool_new(8, 64);
	sfr_batch *batch = sfr_batch_new(loop);
	sfr_buf *chain = sfr_buf_append(sfr_pool_get(pool), sfr_pool_get(pool));
	sfr_op *alone, *own;

	sfr_batch_add(batch, sfr_write(loop, empty_file(), sfr_pool_get(pool)));
	ck_assert_int_eq(sfr_batch_await(batch), 0);
	alone = sfr_write(loop, empty_file(), chain);
	own = sfr_write(loop, empty_file(), sfr_buf_from(loop, "a", 1));
	dump(loop);
	one_line("op ", ", chain of 2 buffers");
	one_line("buffers with the user: ", "user: 0,");
	one_line("buffers with the loop: ", "loop: 1, 1 of them in operations, 0 queued");
	one_line("buffers in batches", "taken: 0\n");
	sfr_op_discard(alone);
	sfr_op_discard(own);
	sfr_batch_free(batch);
	ck_assert_int_eq(sfr_pool_free(pool), 0);
}
END_TEST

START_TEST(queued_buffers_of_stand_alone_pools_are_not_the_loops)
{
	sfr_loop *loop = loop_fresh(_i, NULL);
	sfr_pool *pool = sfr_pool_new(1, 64);
	sfr_server *server = serve(loop, &note_all, &here);
	int peer = peer_of(server);
	sfr_buf *buf = sfr_pool_get(pool);

	turns_until(loop, here.conn);
	buf->data[0] = 'x';
	buf->len = 1;
	ck_assert_int_eq(sfr_conn_send(here.conn, buf), 1);
	dump(loop);
	one_line("conn ", ", 1 bytes queued, 1 buffers wait");
	one_line("buffers with the loop: ", "loop: 0, 0 of them in operations, 0 queued");
	close(peer);
	turns_until(loop, sfr_pool_free(pool) == 0);
}
END_TEST

START_TEST(errno_stays_whatever_happens_to_the_lines)
{
	sfr_loop *loop = loop_fresh(_i, NULL);
	FILE *full = fopen("/dev/full", "w");

	ck_assert_ptr_nonnull(full);
	setvbuf(full, NULL, _IONBF, 0);
	errno = ERANGE;
	sfr_loop_dump(loop, full);
	ck_assert_int_eq(errno, ERANGE);
	ck_assert(ferror(full));
	fclose(full);
}
END_TEST

START_TEST(without_a_loop_one_line_says_so)
{
	dump(NULL);
	ck_assert_int_eq(lines_with("", ""), 1);
	one_line("loop ", "not shown: there is no loop\n");
}
END_TEST

START_TEST(without_a_file_the_lines_go_to_stderr)
{
	int before = dup(STDERR_FILENO), file = empty_file();
	ssize_t size;

	ck_assert_int_ge(dup2(file, STDERR_FILENO), 0);
	sfr_loop_dump(NULL, NULL);
	fflush(stderr);
	ck_assert_int_ge(dup2(before, STDERR_FILENO), 0);
	size = pread(file, text, sizeof(text) - 1, 0);
	ck_assert_int_gt(size, 0);
	text[size] = '\0';
	one_line("loop ", "there is no loop\n");
	close(before);
}
END_TEST

START_TEST(workers_whose_lock_is_taken_are_busy)
{
	sfr_loop *loop = loop_fresh(_i, NULL);

	pthread_mutex_lock(&loop->workers.mutex);
	dump(loop);
	pthread_mutex_unlock(&loop->workers.mutex);
	one_line("workers: ", "busy\n");
}
END_TEST

static void dump_posted(sfr_loop *loop, void *arg)
{
	(void)arg;
	ck_assert_int_eq(sfr_loop_post(loop, nothing, NULL), 0);
	dump(loop);
}

START_TEST(what_a_turn_has_taken_is_said_not_to_be_counted)
{
	sfr_loop *loop = loop_fresh(_i, NULL);

	ck_assert_int_eq(sfr_loop_post(loop, dump_posted, NULL), 0);
	ck_assert_int_eq(sfr_loop_post(loop, nothing, NULL), 0);
	dump(loop);
	one_line("posted: ", "2 functions, 0 values\n");
	ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
	one_line("posted: ", "1 functions, 0 values, not counting those of this turn\n");
}
END_TEST

static void dump_here(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	dump(loop);
	record(loop, result, buf, arg);
}

START_TEST(it_works_in_the_middle_of_a_callback)
{
	sfr_loop *loop = loop_fresh(_i, NULL);
	int read_end, write_end;
	sfr_ticket waiting, ready;

	pair_of_pipe_ends(&read_end, &write_end);
	ck_assert_int_eq(write(write_end, "abc", 3), 3);
	waiting = sfr_submit(pending_read(loop), record, &others);
	sfr_submit(sfr_read(loop, read_end, sfr_buf_get(loop, 64)), dump_here, &seen);
	turn_until(loop, &seen.calls, 1);
	one_line("loop ", "1 operations in flight, 0 of them abandoned, in a turn\n");
	op_line(waiting, "read", "with the engine, fd ");
	one_line("buffers with the user: ", "user: 1,"); /* the callback's */

	/* The second is not called back yet, and on a list of the turn's. */
	sfr_cancel(loop, sfr_submit(sfr_timeout(loop, HOUR), dump_here, &seen));
	ready = sfr_submit(sfr_timeout(loop, HOUR), record, &seen);
	sfr_cancel(loop, ready);
	turn_until(loop, &seen.calls, 3);
	op_line(ready, "timeout", "ended with -125 (ECANCELED)");
}
END_TEST

START_TEST(to_look_allocates_and_changes_nothing)
{
	static char before[sizeof(text)], room[BUFSIZ];
	sfr_loop *loop = loop_fresh(_i, "buffers.count=64");
	sfr_server *server = serve(loop, &note_all, &here);
	int peer = peer_of(server), i;
	FILE *out;

	turns_until(loop, here.conn);
	for (i = 0; i < pending_count; i++)
		sfr_submit(pending_kinds[i].build(loop), record, &others);
	ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
	out = fmemopen(before, sizeof(before), "w");
	setvbuf(out, room, _IOFBF, sizeof(room));
	allocations_watch(0);
	sfr_loop_dump(loop, out);
	ck_assert_int_eq(allocations_end(), 0);
	fclose(out);
	dump(loop);
	*strstr(before, "workers: ") = *strstr(text,
					       "workers: ") = '\0'; /* these have begun meanwhile */
	ck_assert_str_eq(text, before);
	close(peer);
}
END_TEST

START_TEST(ten_thousand_ops_have_a_line_each)
{
	enum { MANY = 10000 };
	sfr_loop *loop = loop_fresh(_i, "ring.ops_max=20000");
	int fd = empty_pipe(), i;

	for (i = 0; i < MANY / 2; i++)
		sfr_submit(sfr_timeout(loop, HOUR), record, &others);
	for (i = 0; i < MANY / 2; i++)
		sfr_submit(sfr_poll(loop, fd, 1), record, &others);
	dump(loop);
	ck_assert_int_eq(lines_with("op ", "timeout: "), MANY / 2);
	ck_assert_int_eq(lines_with("op ", "poll: "), MANY / 2);
	one_line("loop ", "10000 operations in flight");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("dump");
	TCase *tc = peers_case(suite, "who holds what");

	world_test(tc, a_loop_at_rest_holds_nothing);
	world_test(tc, every_op_that_waits_is_named_once);
	world_test(tc, an_op_is_shown_with_its_descriptor_and_buffer);
	world_test(tc, a_descriptor_that_has_a_name_is_shown_as_what_it_is);
	world_test(tc, a_deadline_says_how_old_its_op_is);
	world_test(tc, what_was_asked_to_end_says_so);
	world_test(tc, errands_are_with_a_worker_or_wait_for_one);
	world_test(tc, a_receiver_without_buffer_says_what_it_waits_for);
	world_test(tc, what_finds_no_room_with_the_engine_waits_for_it);
	world_test(tc, a_batch_names_what_it_waits_for);
	world_test(tc, an_op_that_the_engine_starts_by_itself_is_behind_another);
	world_test(tc, servers_and_connections_say_how_they_are);
	world_test(tc, buffers_and_mail_are_counted_by_owner);
	world_test(tc, what_another_thread_released_is_not_collected_by_looking);
	world_test(tc, memory_that_comes_back_may_look);
	world_test(tc, a_stopped_server_has_no_descriptor_and_no_op);
	world_test(tc, buffers_of_stand_alone_pools_are_not_the_loops);
	world_test(tc, queued_buffers_of_stand_alone_pools_are_not_the_loops);
	world_test(tc, errno_stays_whatever_happens_to_the_lines);
	tcase_add_test(tc, without_a_loop_one_line_says_so);
	tcase_add_test(tc, without_a_file_the_lines_go_to_stderr);
	world_test(tc, workers_whose_lock_is_taken_are_busy);
	world_test(tc, what_a_turn_has_taken_is_said_not_to_be_counted);
	world_test(tc, it_works_in_the_middle_of_a_callback);
	world_test(tc, to_look_allocates_and_changes_nothing);
	world_test(tc, ten_thousand_ops_have_a_line_each);
	return world_run(suite);
}
