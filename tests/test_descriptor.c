/*
 * Descriptors: whatever their number, however few are left, and whosever they are.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "pending.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
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

int main(void)
{
	Suite *suite = suite_create("descriptor");
	TCase *tc = world_case(suite, "numbers");


	world_test(tc, a_descriptor_above_the_limit_is_one_like_any_other);
	return world_run(suite);
}
