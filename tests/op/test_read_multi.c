/* SPDX-License-Identifier: MIT */
/*
 * Reading again and again, of pipes and of all else that can be read: each arrival is a buffer, and one
 * that waits holds none.
 */
#include "pending.h"
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

static int read_end, write_end;

static sfr_loop *loop_with_pipe(int world, const char *more)
{
	pair_of_pipe_ends(&read_end, &write_end);
	return loop_in(world, more);
}

static void write_text(int fd, const char *text)
{
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

/* A file with bytes that differ, at its beginning. */
static int file_of(size_t size)
{
	int fd = empty_file();
	size_t i;

	for (i = 0; i < size; i++) {
		unsigned char byte = (unsigned char)(i % 251);

		ck_assert_int_eq(pwrite(fd, &byte, 1, (off_t)i), 1);
	}
	return fd;
}

START_TEST(each_arrival_is_a_buffer)
{
	sfr_loop *loop = loop_with_pipe(_i, NULL);

	sfr_submit(sfr_read_multi(loop, read_end), record, &seen);
	write_text(write_end, "hello");
	turn_until(loop, &seen.calls, 1);
	ck_assert_int_eq(seen.result, 5);
	ck_assert(sfr_buf_is_owned(seen.buf));
	ck_assert_uint_eq(seen.buf->len, 5);
	ck_assert_mem_eq(seen.buf->data, "hello", 5);

	write_text(write_end, "again, and longer");
	turn_until(loop, &seen.calls, 2);
	ck_assert_int_eq(seen.result, 17);
	ck_assert_mem_eq(seen.buf->data, "again, and longer", 17);
	ck_assert_uint_eq(sfr_loop_inflight(loop), 1);
}
END_TEST

START_TEST(the_end_of_a_pipe_is_the_last_call_and_has_no_buffer)
{
	sfr_loop *loop = loop_with_pipe(_i, NULL);
	int null = open("/dev/null", O_WRONLY);

	sfr_submit(sfr_read_multi(loop, read_end), record, &seen);
	write_text(write_end, "hello");
	turn_until(loop, &seen.calls, 1);
	dup2(null, write_end); /* closes the pipe's */
	close(null);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.calls, 2);
	ck_assert_int_eq(seen.results[0], 5);
	ck_assert_int_eq(seen.results[1], 0);
	ck_assert_ptr_null(seen.buf);
}
END_TEST

/* Checks that a file of file_of() comes in order. */
static size_t file_next;

static void in_order(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	int i;

	for (i = 0; i < result; i++)
		ck_assert_uint_eq(buf->data[i], (unsigned char)(file_next++ % 251));
	record(loop, result, buf, arg);
	seen_release(arg);
}

START_TEST(a_file_is_read_to_its_end)
{
	sfr_loop *loop = loop_with_pipe(_i, "buffers.size=512 buffers.count=4");

	file_next = 0;
	sfr_submit(sfr_read_multi(loop, file_of(5000)), in_order, &seen);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_uint_eq(file_next, 5000);
	ck_assert_int_eq(seen.calls, 11);
	ck_assert_int_eq(seen.result, 0);
}
END_TEST

START_TEST(a_file_is_read_through_the_only_buffer_there_is)
{
	sfr_loop *loop = loop_with_pipe(_i, "buffers.size=512 buffers.count=1");

	file_next = 0;
	sfr_submit(sfr_read_multi(loop, file_of(5000)), in_order, &seen);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_uint_eq(file_next, 5000);
	ck_assert_int_eq(seen.result, 0);
}
END_TEST

START_TEST(a_device_that_cannot_be_waited_for_is_read)
{
	sfr_loop *loop = loop_with_pipe(_i, NULL);
	sfr_ticket ticket;

	ticket = sfr_submit(sfr_read_multi(loop, owned_fd(open("/dev/zero", O_RDONLY))), record,
			    &seen);
	sfr_submit(sfr_read_multi(loop, owned_fd(open("/dev/null", O_RDONLY))), record, &other);
	turn_until(loop, &seen.calls, 3);
	ck_assert_int_gt(seen.result, 0);
	ck_assert_uint_eq(seen.buf->data[0], 0);
	ck_assert_int_eq(sfr_cancel(loop, ticket), 0);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.result, -ECANCELED);
	ck_assert_int_eq(other.calls, 1);
	ck_assert_int_eq(other.result, 0);
}
END_TEST

START_TEST(a_terminal_is_read_by_lines)
{
	sfr_loop *loop = loop_with_pipe(_i, NULL);
	int terminal = posix_openpt(O_RDWR | O_NOCTTY), line;

	owned_fd(terminal);
	ck_assert_int_eq(grantpt(terminal), 0);
	ck_assert_int_eq(unlockpt(terminal), 0);
	line = owned_fd(open(ptsname(terminal), O_RDWR | O_NOCTTY | (_i & 1 ? O_NONBLOCK : 0)));

	sfr_submit(sfr_read_multi(loop, line), record, &seen);
	ck_assert_int_eq(sfr_loop_step(loop, 0), 0);
	write_text(terminal, "one\n");
	turn_until(loop, &seen.calls, 1);
	ck_assert_int_eq(seen.result, 4);
	ck_assert_mem_eq(seen.buf->data, "one\n", 4);
	write_text(terminal, "three\n");
	turn_until(loop, &seen.calls, 2);
	ck_assert_int_eq(seen.result, 6);
}
END_TEST

START_TEST(a_socket_and_an_eventfd_are_read)
{
	sfr_loop *loop = loop_with_pipe(_i, NULL);
	int a, b, counter = owned_fd(eventfd(0, EFD_NONBLOCK));
	uint64_t three = 3;

	pair_of_sockets(&a, &b);
	sfr_submit(sfr_read_multi(loop, a), record, &seen);
	sfr_submit(sfr_read_multi(loop, counter), record, &other);
	ck_assert_int_eq(send(b, "hello", 5, 0), 5);
	ck_assert_int_eq(write(counter, &three, sizeof(three)), sizeof(three));
	turn_until(loop, &seen.calls, 1);
	turn_until(loop, &other.calls, 1);

	ck_assert_int_eq(seen.result, 5);
	ck_assert_int_eq(other.result, 8);
	ck_assert_mem_eq(other.buf->data, &three, 8);
	ck_assert_int_eq(other.calls, 1);
}
END_TEST

/*
 * What only who waits in a read is told of: each with a way to make it tell.
 */

static int stirred; /* the other end of it, or where it looks */

static int inotify_open(int flags)
{
	int fd = inotify_init1(IN_CLOEXEC | (flags & O_NONBLOCK ? IN_NONBLOCK : 0));
	char path[64];

	stirred = empty_file();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", stirred);
	ck_assert_int_ge(inotify_add_watch(fd, path, IN_ATTRIB), 0);
	return fd;
}

static void mode_stir(void)
{
	ck_assert_int_eq(fchmod(stirred, 0600), 0);
}

static int master_open(int flags)
{
	int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | flags);

	ck_assert_int_eq(grantpt(fd), 0);
	ck_assert_int_eq(unlockpt(fd), 0);
	stirred = owned_fd(open(ptsname(fd), O_RDWR | O_NOCTTY | O_CLOEXEC));
	return fd;
}

static int counter_open(int flags)
{
	return stirred = eventfd(0, EFD_CLOEXEC | (flags & O_NONBLOCK ? EFD_NONBLOCK : 0));
}

static void text_stir(void)
{
	write_text(stirred, "12345678");
}

/* The kernel's log, from its end. -1 without the right to it. */
static int log_open(int flags)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_CLOEXEC | flags);

	stirred = owned_fd(open("/dev/kmsg", O_WRONLY | O_CLOEXEC));
	if (fd < 0 || stirred < 0)
		return -1;
	(void)lseek(fd, 0, SEEK_END);
	return fd;
}

static void log_stir(void)
{
	write_text(stirred, "<7>safer-ring: a test that reads this\n");
}

static const struct {
	const char *name;
	int (*open)(int flags);
	void (*stir)(void);
} tellers[] = {
	{"inotify", inotify_open, mode_stir},
	{"the master of a terminal", master_open, text_stir},
	{"an eventfd", counter_open, text_stir},
	{"the log of the kernel", log_open, log_stir},
};

/* By descriptor and by name, whether it blocks or not. */
START_TEST(what_only_tells_who_waits_is_read)
{
	size_t i, how;

	for (i = 0; i < sizeof(tellers) / sizeof(tellers[0]); i++) {
		for (how = 0; how < 4; how++) {
			sfr_loop *loop = loop_with_pipe(_i, NULL);
			int fd = tellers[i].open(how & 1 ? O_NONBLOCK : 0), name;
			sfr_ticket ticket;

			if (fd < 0) {
				printf("skip - %s: not allowed here\n", tellers[i].name);
				loop_end();
				continue;
			}
			owned_fd(fd);
			name = fd;
			if (how & 2)
				ck_assert_int_eq(sfr_files_register(loop, &fd, 1, &name), 0);
			ticket = sfr_submit(sfr_read_multi(loop, name), record, &seen);
			ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
			ck_assert_uint_eq(stats_of(loop).bufs_held, 0);
			tellers[i].stir();
			turn_until(loop, &seen.calls, 1);
			ck_assert_msg(seen.result > 0, "%s: %d", tellers[i].name, seen.result);
			tellers[i].stir();
			while (seen.calls < 2 || seen.result > 0) {
				ck_assert_int_ge(sfr_loop_step(loop, 1000000), 0);
				if (seen.calls >= 2)
					(void)sfr_cancel(loop, ticket); /* perhaps it has ended */
			}
			ck_assert_int_eq(seen.result, -ECANCELED);
			loop_end();
		}
	}
}
END_TEST

START_TEST(the_end_of_the_other_side_of_a_terminal_is_an_error)
{
	sfr_loop *loop = loop_with_pipe(_i, NULL);
	int master = owned_fd(master_open(0)), slave = open(ptsname(master), O_RDWR | O_NOCTTY);

	ck_assert_int_eq(dup2(read_end, stirred), stirred); /* the fixture closes the number */
	sfr_submit(sfr_read_multi(loop, master), record, &seen);
	write_text(slave, "bye");
	turn_until(loop, &seen.calls, 1);
	ck_assert_int_eq(seen.result, 3);
	close(slave);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.result, -EIO);
	ck_assert_ptr_null(seen.buf);
}
END_TEST

START_TEST(what_cannot_be_read_says_so_once)
{
	sfr_loop *loop = loop_with_pipe(_i, NULL);
	const struct {
		int fd, result;
	} cases[] = {
		{-1, -EBADF},
		{write_end, -EBADF},
		{owned_fd(open("/tmp", O_RDONLY | O_DIRECTORY)), -EISDIR},
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		sfr_submit(sfr_read_multi(loop, cases[i].fd), record, &seen);
		ck_assert_int_eq(sfr_loop_run(loop), 0);

		ck_assert_int_eq(seen.calls, (int)i + 1);
		ck_assert_int_eq(seen.result, cases[i].result);
		ck_assert_ptr_null(seen.buf);
	}
}
END_TEST

START_TEST(an_idle_read_holds_no_buffer)
{
	sfr_loop *loop = loop_with_pipe(_i, "buffers.count=8 buffers.receive=2");
	int i;

	for (i = 0; i < 50; i++)
		sfr_submit(sfr_read_multi(loop, empty_pipe()), record, &seen);
	ck_assert_int_eq(sfr_loop_step(loop, 0), 0);

	ck_assert_uint_eq(stats_of(loop).bufs_held, 0);
	ck_assert_uint_ge(stats_of(loop).bufs_free, 6);
}
END_TEST

START_TEST(a_read_without_buffer_waits_and_goes_on_when_one_is_released)
{
	sfr_loop *loop = loop_with_pipe(_i, "buffers.count=1");
	uint64_t turns;

	sfr_submit(sfr_read_multi(loop, read_end), record, &seen);
	write_text(write_end, "one");
	turn_until(loop, &seen.calls, 1);
	write_text(write_end, "two");
	turn_until_true(loop, has_parked, loop);
	ck_assert_int_eq(seen.calls, 1);

	turns = stats_of(loop).turns;
	ck_assert_int_eq(sfr_await(sfr_timeout(loop, 50000000), NULL), 0);
	ck_assert_uint_le(stats_of(loop).turns - turns, 50);
	ck_assert_int_eq(seen.calls, 1);

	seen_release(&seen);
	turn_until(loop, &seen.calls, 2);
	ck_assert_int_eq(seen.result, 3);
	ck_assert_mem_eq(seen.buf->data, "two", 3);
}
END_TEST

START_TEST(a_read_that_waits_for_a_buffer_can_be_cancelled_and_abandoned)
{
	sfr_loop *loop = loop_with_pipe(_i, "buffers.count=1");
	sfr_ticket ticket;
	int i;

	for (i = 0; i < 2; i++) {
		sfr_loop_stats before = stats_of(loop);
		sfr_buf *kept;
		char rest[8];

		seen = (struct seen){0};
		ticket = sfr_submit(sfr_read_multi(loop, read_end), record, &seen);
		write_text(write_end, "one");
		turn_until(loop, &seen.calls, 1);
		kept = seen.buf;
		seen.buf = NULL;
		write_text(write_end, "two");
		while (stats_of(loop).parked == before.parked)
			ck_assert_int_ge(sfr_loop_step(loop, 10000000), 0);
		ck_assert_int_eq(i ? sfr_abandon(loop, ticket) : sfr_cancel(loop, ticket), 0);
		ck_assert_int_eq(sfr_loop_run(loop), 0);

		ck_assert_int_eq(seen.calls, i ? 1 : 2);
		ck_assert_int_eq(seen.result, i ? 3 : -ECANCELED);
		ck_assert_int_eq(read(read_end, rest, sizeof(rest)), 3);
		sfr_buf_release(kept);
	}
}
END_TEST

/* Files and pipes wait for the same blocks, and all of them come to an end. */
START_TEST(reads_of_all_sorts_share_few_buffers)
{
	sfr_loop *loop = loop_with_pipe(_i, "buffers.count=2 buffers.size=256 buffers.receive=1");
	static struct seen each[12];
	int ends[12], i, round;

	memset(each, 0, sizeof(each));
	for (i = 0; i < 12; i++) {
		int in;

		if (i % 3) {
			pair_of_pipe_ends(&in, &ends[i]);
		} else {
			in = file_of(1000);
			ends[i] = -1;
		}
		file_next = 0;
		sfr_submit(sfr_read_multi(loop, in), i % 3 ? record : in_order, &each[i]);
		if (ends[i] < 0) { /* one file after another, so that their bytes can be told */
			while (each[i].result || !each[i].calls)
				ck_assert_int_ge(sfr_loop_step(loop, 10000000), 0);
			ck_assert_uint_eq(each[i].bytes, 1000);
		}
		for (round = 0; ends[i] >= 0 && round < 5; round++) {
			write_text(ends[i], "0123456789");
			turn_until(loop, &each[i].calls, round + 1);
			seen_release(&each[i]);
		}
	}
	for (i = 0; i < 12; i++)
		ck_assert_uint_eq(each[i].bytes, i % 3 ? 50 : 1000);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("read_multi");
	TCase *tc = world_case(suite, "arrivals");

	world_test(tc, each_arrival_is_a_buffer);
	world_test(tc, the_end_of_a_pipe_is_the_last_call_and_has_no_buffer);
	world_test(tc, a_file_is_read_to_its_end);
	world_test(tc, a_file_is_read_through_the_only_buffer_there_is);
	world_test(tc, a_device_that_cannot_be_waited_for_is_read);
	world_test(tc, a_terminal_is_read_by_lines);
	world_test(tc, a_socket_and_an_eventfd_are_read);
	world_test(tc, what_only_tells_who_waits_is_read);
	world_test(tc, the_end_of_the_other_side_of_a_terminal_is_an_error);
	world_test(tc, what_cannot_be_read_says_so_once);
	world_test(tc, an_idle_read_holds_no_buffer);

	tc = world_case(suite, "an empty slab");
	world_test(tc, a_read_without_buffer_waits_and_goes_on_when_one_is_released);
	world_test(tc, a_read_that_waits_for_a_buffer_can_be_cancelled_and_abandoned);
	world_test(tc, reads_of_all_sorts_share_few_buffers);
	return world_run(suite);
}
