/* SPDX-License-Identifier: MIT */
/*
 * Descriptors: whatever their number, however few are left, and whosever they are.
 */
#include "pending.h"
#include <safer_ring/batch.h>
#include <safer_ring/error.h>
#include <safer_ring/registry.h>
#include <safer_ring/system.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static int file;

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
	int near, other_end, name;
	sfr_loop *loop;

	pair_of_sockets(&near, &other_end);
	near = moved_above_the_limit(near);
	file = moved_above_the_limit(empty_file());
	limit_set(100, 100);
	loop = loop_in(_i, NULL);

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
	int closes = dup(empty_file());
	sfr_loop *loop = loop_in(_i, NULL);

	descriptors_run_out();
	ck_assert_int_eq(awaited(sfr_close(loop, closes)), 0);

	ck_assert_int_eq(fcntl(closes, F_GETFD), -1);
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
	sfr_loop *loop = loop_in(_i, NULL);
	int read_end, write_end;

	file = empty_file();
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
	sfr_loop *loop = loop_in(_i, NULL);
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

/* Such a splice of the epoll engine has none of its files for itself. */
START_TEST(a_splice_without_copies_ends_when_its_descriptor_is_closed)
{
	sfr_loop *loop = loop_in(_i, NULL);
	struct rlimit limit;
	int from[2], to[2];

	if (strcmp(sfr_loop_engine(loop), "epoll") != 0)
		return;
	ck_assert_int_eq(pipe(from), 0);
	owned_fd(from[1]);
	pair_of_pipe_ends(&to[0], &to[1]);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	descriptors_run_out();
	sfr_submit(sfr_splice(loop, from[0], -1, to[1], -1, 8, 0), record, &seen);
	ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
	limit_set(limit.rlim_cur, limit.rlim_max);
	ck_assert_int_eq(awaited(sfr_close(loop, from[0])), 0);
	turn_until(loop, &seen.calls, 1);

	ck_assert_int_eq(seen.result, -ECANCELED);
}
END_TEST

/*
 * The library's own.
 */

static int own[64], own_count;

/* A loop; and the descriptors that are there only since it is, that which it shows to a host among them. */
static sfr_loop *loop_and_its_own(int world)
{
	bool taken[256];
	sfr_loop *loop;
	int fd;

	file = empty_file();
	for (fd = 0; fd < 256; fd++)
		taken[fd] = fcntl(fd, F_GETFD) >= 0;
	loop = loop_in(world, NULL);
	ck_assert_int_ge(sfr_loop_fd(loop), 0);
	ck_assert_int_eq(awaited(sfr_fsync(loop, file)), 0);
	for (own_count = fd = 0; fd < 256; fd++)
		if (!taken[fd] && fcntl(fd, F_GETFD) >= 0)
			own[own_count++] = fd;
	ck_assert_int_ge(own_count, 5);
	return loop;
}

static int seven(void *arg)
{
	(void)arg;
	return 7;
}

/* What wakes it still does. */
static void assert_alive(sfr_loop *loop)
{
	ck_assert_int_eq(awaited(sfr_work(loop, seven, NULL)), 7);
	ck_assert_int_eq(awaited(sfr_fsync(loop, file)), 0);
	ck_assert_int_eq(awaited(sfr_timeout(loop, 1)), 0);
}

START_TEST(what_the_loop_has_for_itself_is_no_descriptor_for_others)
{
	sfr_loop *loop = loop_and_its_own(_i);
	int i, name, read_end, write_end;

	pair_of_pipe_ends(&read_end, &write_end);
	for (i = 0; i < own_count; i++) {
		int fd = own[i];

		ck_assert_int_eq(awaited(sfr_read(loop, fd, sfr_buf_get(loop, 64))), -EBADF);
		ck_assert_int_eq(awaited(sfr_read_at(loop, fd, sfr_buf_get(loop, 8), 0)), -EBADF);
		ck_assert_int_eq(awaited(sfr_write(loop, fd, sfr_buf_from(loop, "12345678", 8))),
				 -EBADF);
		ck_assert_int_eq(awaited(sfr_recv(loop, fd, sfr_buf_get(loop, 64))), -EBADF);
		ck_assert_int_eq(awaited(sfr_poll(loop, fd, POLLIN)), -EBADF);
		ck_assert_int_eq(awaited(sfr_fsync(loop, fd)), -EBADF);
		ck_assert_int_eq(awaited(sfr_splice(loop, fd, -1, write_end, -1, 8, 0)), -EBADF);
		ck_assert_int_eq(awaited(sfr_splice(loop, read_end, -1, fd, -1, 8, 0)), -EBADF);
		ck_assert_int_eq(awaited(sfr_close(loop, fd)), -EBADF);
		ck_assert_int_eq(sfr_cancel_fd(loop, fd), 0);
		ck_assert_int_eq(sfr_files_register(loop, &fd, 1, &name), -EBADF);
		sfr_submit(sfr_read_multi(loop, fd), record, &seen);
		sfr_submit(sfr_poll_multi(loop, fd, POLLIN), record, &seen);
		turn_until(loop, &seen.calls, 2 * i + 2);
		ck_assert_int_eq(seen.results[2 * i], -EBADF);
		ck_assert_int_eq(seen.results[2 * i + 1], -EBADF);
	}

	assert_alive(loop);
}
END_TEST

START_TEST(nor_is_it_in_a_batch)
{
	sfr_loop *loop = loop_and_its_own(_i);
	int i, first, second, third, r;

	for (i = 0; i < own_count; i++) {
		sfr_batch *batch = sfr_batch_new(loop);

		ck_assert_int_eq(write(file, "12345678", 8), 8);
		first = sfr_batch_add(batch, sfr_read_at(loop, file, sfr_buf_get(loop, 8), 0));
		second = sfr_batch_then(batch, first, sfr_write(loop, own[i], NULL));
		third = sfr_batch_then(batch, second, sfr_close(loop, own[i]));
		ck_assert_int_eq(sfr_batch_await(batch), 2);
		ck_assert_int_eq(sfr_batch_result(batch, second, &r), 0);
		ck_assert_int_eq(r, -EBADF);
		ck_assert_int_eq(sfr_batch_result(batch, third, &r), 0);
		ck_assert_int_eq(r, -SFR_EDEPFAILED);
		sfr_batch_free(batch);
	}

	assert_alive(loop);
}
END_TEST

/* The engine may have copies of what it was given. */
START_TEST(what_the_engine_has_copied_is_not_closed_by_a_number_of_old)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int near, other_end, name, copy;

	pair_of_unix_sockets(&near, &other_end);
	copy = dup(0);
	close(copy); /* the number that a copy will have */
	ck_assert_int_eq(sfr_files_register(loop, &near, 1, &name), 0);
	ck_assert_int_eq(awaited(sfr_close(loop, copy)), -EBADF);

	ck_assert_int_eq(awaited(sfr_send(loop, name, sfr_buf_from(loop, "abc", 3))), 3);
}
END_TEST

/* The loop has copies of registered files as well, for their positions. */
START_TEST(a_copy_of_a_registered_file_is_not_closed_by_a_number_of_old)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int copy, name, i;

	file = empty_file();
	for (i = 0; i < 2; i++) {
		copy = dup(0);
		close(copy); /* the number that a copy will have */
		ck_assert_int_eq(sfr_files_register(loop, &file, 1, &name), 0);
		if (i)
			ck_assert_int_ge(sfr_loop_fd(loop), 0);
		ck_assert_int_eq(awaited(sfr_close(loop, copy)), -EBADF);
		ck_assert_int_eq(awaited(sfr_close(loop, copy)), -EBADF);
		ck_assert_int_eq(awaited(sfr_write(loop, name, sfr_buf_from(loop, "abc", 3))), 3);
		ck_assert_int_eq(sfr_files_unregister(loop), 0);

		ck_assert_int_eq(dup(file), copy); /* which is free again, and anybody's */
		ck_assert_int_eq(awaited(sfr_write(loop, copy, sfr_buf_from(loop, "d", 1))), 1);
		ck_assert_int_eq(awaited(sfr_close(loop, copy)), 0);
	}
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
	world_test(tc, a_splice_without_copies_ends_when_its_descriptor_is_closed);
	tc = world_case(suite, "the library's own");
	world_test(tc, what_the_loop_has_for_itself_is_no_descriptor_for_others);
	world_test(tc, nor_is_it_in_a_batch);
	world_test(tc, what_the_engine_has_copied_is_not_closed_by_a_number_of_old);
	world_test(tc, a_copy_of_a_registered_file_is_not_closed_by_a_number_of_old);
	return world_run(suite);
}
