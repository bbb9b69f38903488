/*
 * Descriptors: whatever their number, however few are left, and whosever they are.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "pending.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static struct seen seen;

static sfr_loop *loop_fresh(int world, const char *more)
{
	seen = (struct seen){0};
	return loop_in(world, more);
}

static int awaited(sfr_op *op)
{
	return sfr_await(op, NULL);
}

/*
 * Numbers.
 */

static void limit_set(rlim_t soft, rlim_t hard)
{
	struct rlimit limit = {soft, hard};

	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* As of a program whose limit was lowered after it had opened its files. */
static int moved_above_the_limit(int fd)
{
	struct rlimit limit;
	int far;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit_set(limit.rlim_max, limit.rlim_max);
	far = owned_fd(fcntl(fd, F_DUPFD_CLOEXEC, (int)limit.rlim_max - 2));
	ck_assert_int_ge(far, (int)limit.rlim_max - 2);
	limit_set(limit.rlim_cur, limit.rlim_max);
	return far;
}

START_TEST(a_descriptor_above_the_limit_is_one_like_any_other)
{
	int near, other_end, file, name;
	sfr_loop *loop;

	pair_of_sockets(&near, &other_end);
	near = moved_above_the_limit(near);
	file = moved_above_the_limit(empty_file());
	limit_set(100, 100);
	loop = loop_fresh(_i, NULL);

	sfr_submit(sfr_recv(loop, near, sfr_buf_get(loop, 64)), record, &seen);
	ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
	ck_assert_int_eq(write(other_end, "abc", 3), 3);
	turn_until(loop, &seen.calls, 1);
	ck_assert_int_eq(seen.result, 3);
	ck_assert_int_eq(awaited(sfr_poll(loop, near, POLLOUT)), POLLOUT);
	ck_assert_int_eq(awaited(sfr_write_at(loop, file, sfr_buf_from(loop, "abc", 3), 0)), 3);
	ck_assert_int_eq(awaited(sfr_fsync(loop, file)), 0);
	ck_assert_int_eq(sfr_files_register(loop, &near, 1, &name), 0);
	ck_assert_int_eq(awaited(sfr_send(loop, name, sfr_buf_from(loop, "d", 1))), 1);
}
END_TEST

/*
 * Shortage.
 */

/* From now on there is not one descriptor to be had. */
static void descriptors_run_out(void)
{
	struct rlimit limit;
	int next = dup(0);

	ck_assert_int_ge(next, 0);
	close(next);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit_set((rlim_t)next, limit.rlim_max);
	ck_assert_int_eq(dup(0), -1);
	ck_assert_int_eq(errno, EMFILE);
}

START_TEST(without_descriptors_a_file_is_closed)
{
	int file = dup(empty_file());
	sfr_loop *loop = loop_fresh(_i, NULL);

	descriptors_run_out();
	ck_assert_int_eq(awaited(sfr_close(loop, file)), 0);

	ck_assert_int_eq(fcntl(file, F_GETFD), -1);
}
END_TEST

/* A name below /tmp that nobody has. */
static const char *path_of(const char *what)
{
	static char path[2][64];
	static int turn;

	turn ^= 1;
	snprintf(path[turn], sizeof(path[turn]), "/tmp/safer-ring-test-%d-%s", (int)getpid(), what);
	return path[turn];
}

START_TEST(without_descriptors_everything_is_done_that_wins_none)
{
	sfr_loop *loop = loop_fresh(_i, NULL);
	int file = empty_file(), read_end, write_end;

	pair_of_pipe_ends(&read_end, &write_end);
	descriptors_run_out();

	ck_assert_int_eq(awaited(sfr_write_at(loop, file, sfr_buf_from(loop, "abcdef", 6), 0)), 6);
	ck_assert_int_eq(awaited(sfr_write(loop, file, sfr_buf_from(loop, "A", 1))), 1);
	ck_assert_int_eq(awaited(sfr_read_at(loop, file, sfr_buf_get(loop, 64), 2)), 4);
	ck_assert_int_eq(awaited(sfr_fsync(loop, file)), 0);
	ck_assert_int_eq(awaited(sfr_fdatasync(loop, file)), 0);
	ck_assert_int_eq(awaited(sfr_ftruncate(loop, file, 3)), 0);
	ck_assert_int_eq(awaited(sfr_fallocate(loop, file, 0, 0, 8192)), 0);
	ck_assert_int_eq(awaited(sfr_statx(loop, file, "", AT_EMPTY_PATH, STATX_SIZE,
					   sfr_buf_get(loop, sizeof(struct statx)))),
			 0);
	ck_assert_int_eq(awaited(sfr_splice(loop, file, 0, write_end, -1, 100, 0)), 100);
	ck_assert_int_eq(awaited(sfr_mkdirat(loop, AT_FDCWD, path_of("a"), 0700)), 0);
	ck_assert_int_eq(
		awaited(sfr_renameat(loop, AT_FDCWD, path_of("a"), AT_FDCWD, path_of("b"), 0)), 0);
	ck_assert_int_eq(awaited(sfr_unlinkat(loop, AT_FDCWD, path_of("b"), AT_REMOVEDIR)), 0);
	ck_assert_int_eq(awaited(sfr_openat(loop, AT_FDCWD, "/", O_RDONLY, 0)), -EMFILE);
}
END_TEST

/* The first has to wait for its pipe, and has no copy of either descriptor. */
START_TEST(without_descriptors_a_splice_waits_as_well)
{
	sfr_loop *loop = loop_fresh(_i, NULL);
	int from[2], to[2];
	char bytes[8];

	pair_of_pipe_ends(&from[0], &from[1]);
	pair_of_pipe_ends(&to[0], &to[1]);
	descriptors_run_out();
	sfr_submit(sfr_splice(loop, from[0], -1, to[1], -1, 8, 0), record, &seen);
	ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
	ck_assert_int_eq(seen.calls, 0);
	ck_assert_int_eq(write(from[1], "abc", 3), 3);
	turn_until(loop, &seen.calls, 1);

	ck_assert_int_eq(seen.result, 3);
	ck_assert_int_eq(read(to[0], bytes, 8), 3);
	ck_assert_mem_eq(bytes, "abc", 3);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("descriptor");
	TCase *tc = world_case(suite, "numbers");

	world_test(tc, a_descriptor_above_the_limit_is_one_like_any_other);
	tc = world_case(suite, "shortage");
	world_test(tc, without_descriptors_a_file_is_closed);
	world_test(tc, without_descriptors_everything_is_done_that_wins_none);
	world_test(tc, without_descriptors_a_splice_waits_as_well);
	return world_run(suite);
}
