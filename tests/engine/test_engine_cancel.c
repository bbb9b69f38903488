/* SPDX-License-Identifier: MIT */
/*
 * Cancelling, on every engine.
 */
#include "engine_world.h"
#include "base/clock.h"
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define HUGE_SIZE (16 << 20)

static char data[256];
static struct __kernel_timespec hour = {.tv_sec = 3600};

/*
 * What waits, each kind of it; what was made on the way is in `near` and `far`.
 */

static int near, far;

static void pipe_read(struct io_uring_sqe *sqe)
{
	pair_of_pipe_ends(&near, &far);
	io_uring_prep_read(sqe, near, data, 10, 0);
}

static void counter_read(struct io_uring_sqe *sqe)
{
	near = owned_fd(eventfd(0, 0));
	io_uring_prep_read(sqe, near, data, 8, 0);
}

static void pipe_write(struct io_uring_sqe *sqe)
{
	pair_of_pipe_ends(&far, &near);
	while (poll(&(struct pollfd){.fd = near, .events = POLLOUT}, 1, 0) == 1)
		ck_assert_int_eq(write(near, (char[4096]){0}, 4096), 4096);
	io_uring_prep_write(sqe, near, data, 10, 0);
}

static void socket_recv(struct io_uring_sqe *sqe)
{
	pair_of_unix_sockets(&near, &far);
	io_uring_prep_recv(sqe, near, data, 10, 0);
}

static void tcp_recv(struct io_uring_sqe *sqe)
{
	pair_of_sockets(&near, &far);
	io_uring_prep_recv(sqe, near, data, 10, 0);
}

static void socket_recvmsg(struct io_uring_sqe *sqe)
{
	static struct iovec iov = {data, 10};
	static struct msghdr msg;

	msg = (struct msghdr){.msg_iov = &iov, .msg_iovlen = 1};
	pair_of_unix_sockets(&near, &far);
	io_uring_prep_recvmsg(sqe, near, &msg, 0);
}

static void full_send(struct io_uring_sqe *sqe)
{
	pair_of_unix_sockets(&near, &far);
	while (send(near, (char[4096]){0}, 4096, MSG_DONTWAIT) > 0)
		;
	io_uring_prep_send(sqe, near, data, 10, 0);
}

static void accept_one(struct io_uring_sqe *sqe)
{
	struct sockaddr_in addr;

	near = listening_socket(&addr, 4);
	io_uring_prep_accept(sqe, near, NULL, NULL, 0);
}

static void accept_many(struct io_uring_sqe *sqe)
{
	accept_one(sqe);
	io_uring_prep_multishot_accept(sqe, near, NULL, NULL, 0);
}

static void poll_one(struct io_uring_sqe *sqe)
{
	pair_of_pipe_ends(&near, &far);
	io_uring_prep_poll_add(sqe, near, POLLIN);
}

static void timeout_relative(struct io_uring_sqe *sqe)
{
	io_uring_prep_timeout(sqe, &hour, 0, 0);
}

static void timeout_absolute(struct io_uring_sqe *sqe)
{
	static struct __kernel_timespec ts;

	ts = (struct __kernel_timespec){.tv_sec = (int64_t)(sfr__clock_ns() / 1000000000) + 3600};
	io_uring_prep_timeout(sqe, &ts, 0, IORING_TIMEOUT_ABS);
}

static const struct {
	const char *name;
	void (*prep)(struct io_uring_sqe *sqe);
} waits[] = {
	{"read of a pipe", pipe_read},
	{"read of an eventfd", counter_read},
	{"write to a full pipe", pipe_write},
	{"recv", socket_recv},
	{"recv from TCP", tcp_recv},
	{"recvmsg", socket_recvmsg},
	{"send to a full socket", full_send},
	{"accept", accept_one},
	{"multishot accept", accept_many},
	{"poll", poll_one},
	{"relative timeout", timeout_relative},
	{"absolute timeout", timeout_absolute},
};

#define WAITS ((int)(sizeof(waits) / sizeof(waits[0])))

static void waiting(int name, void (*prep)(struct io_uring_sqe *sqe), unsigned flags)
{
	prep(sqe_next());
	sqe_is(name, flags);
}

/* Cancel by name and see what the request says. The rest stays to be collected. */
static int cancelled(int name, int count)
{
	sqe_cancel(name);
	sqe_is(CANCEL, 0);
	collect(1 + count);
	return result_of(CANCEL);
}

/*
 * By name.
 */

START_TEST(whatever_waits_can_be_cancelled)
{
	engine_in(_i / WAITS, NULL);
	waiting(A, waits[_i % WAITS].prep, 0);
	collect(0);

	ck_assert_msg(cancelled(A, 1) == 0, "%s", waits[_i % WAITS].name);
	ck_assert_msg(result_of(A) == -ECANCELED, "%s", waits[_i % WAITS].name);
}
END_TEST

START_TEST(even_if_it_was_submitted_together_with_the_request)
{
	engine_in(_i / WAITS, NULL);
	waiting(A, waits[_i % WAITS].prep, 0);

	ck_assert_msg(cancelled(A, 1) == 0, "%s", waits[_i % WAITS].name);
	ck_assert_msg(result_of(A) == -ECANCELED, "%s", waits[_i % WAITS].name);
}
END_TEST

START_TEST(cancelling_one_leaves_the_others_alone)
{
	int i;

	engine_in(_i, NULL);
	for (i = 0; i < WAITS; i++)
		waiting(i + 10, waits[i].prep, 0);
	collect(0);
	ck_assert_int_eq(cancelled(15, 1), 0);

	for (i = 0; i < WAITS; i++)
		ck_assert_int_eq(is_pending(i + 10), i != 5);
}
END_TEST

START_TEST(nobody_of_that_name_is_found)
{
	engine_in(_i, NULL);
	waiting(A, socket_recv, 0);

	ck_assert_int_eq(cancelled(B, 0), -ENOENT);
	ck_assert(is_pending(A));
}
END_TEST

START_TEST(what_is_over_is_not_found)
{
	engine_in(_i, NULL);
	waiting(A, socket_recv, 0);
	ck_assert_int_eq(write(far, "abc", 3), 3);
	collect(1);
	ck_assert_int_eq(cancelled(A, 0), -ENOENT);

	waiting(B, socket_recv, 0);
	ck_assert_int_eq(cancelled(B, 1), 0);
	ck_assert_int_eq(cancelled(B, 0), -ENOENT);
}
END_TEST

START_TEST(a_cancelled_receive_takes_nothing)
{
	engine_in(_i, NULL);
	waiting(A, socket_recv, 0);
	collect(0);
	ck_assert_int_eq(cancelled(A, 1), 0);

	ck_assert_int_eq(write(far, "abc", 3), 3);
	io_uring_prep_recv(sqe_next(), near, data, 10, 0);
	sqe_is(B, 0);
	collect(1);
	ck_assert_int_eq(result_of(B), 3);
	ck_assert_mem_eq(data, "abc", 3);
}
END_TEST

START_TEST(what_was_received_in_part_says_how_much)
{
	engine_in(_i, NULL);
	pair_of_unix_sockets(&near, &far);
	io_uring_prep_recv(sqe_next(), near, data, 10, MSG_WAITALL);
	sqe_is(A, 0);
	ck_assert_int_eq(write(far, "abc", 3), 3);
	collect(0);
	ck_assert_int_eq(bytes_waiting(near), 0);

	ck_assert_int_eq(cancelled(A, 1), 0);
	ck_assert_int_eq(result_of(A), 3);
	ck_assert_mem_eq(data, "abc", 3);
}
END_TEST

START_TEST(what_was_sent_in_part_says_how_much)
{
	void *huge = mmap(NULL, HUGE_SIZE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	engine_in(_i, NULL);
	pair_of_unix_sockets(&near, &far);
	io_uring_prep_send(sqe_next(), near, huge, HUGE_SIZE, MSG_WAITALL);
	sqe_is(A, 0);
	collect(0);
	ck_assert_int_eq(cancelled(A, 1), 0);

	ck_assert_int_gt(result_of(A), 0);
	ck_assert_int_eq(result_of(A), bytes_waiting(far));
	munmap(huge, HUGE_SIZE);
}
END_TEST

/*
 * By descriptor, and all of them.
 */

static int cancel_matching(int fd, unsigned flags, int count)
{
	if (flags & IORING_ASYNC_CANCEL_FD)
		io_uring_prep_cancel_fd(sqe_next(), fd, flags);
	else
		io_uring_prep_cancel64(sqe_next(), 0, (int)flags);
	sqe_is(CANCEL, 0);
	collect(1 + count);
	return result_of(CANCEL);
}

/* A and B on one descriptor, C on another. */
static int two_on_one_descriptor(void)
{
	int fd;

	waiting(A, socket_recv, 0);
	fd = near;
	io_uring_prep_poll_add(sqe_next(), fd, POLLPRI);
	sqe_is(B, 0);
	waiting(C, socket_recv, 0);
	collect(0);
	return fd;
}

START_TEST(a_descriptor_cancels_one_of_those_that_use_it)
{
	int fd;

	engine_in(_i, NULL);
	fd = two_on_one_descriptor();

	ck_assert_int_eq(cancel_matching(fd, IORING_ASYNC_CANCEL_FD, 1), 0);
	ck_assert_int_eq(is_pending(A) + is_pending(B), 1);
	ck_assert(is_pending(C));
}
END_TEST

START_TEST(or_all_of_them_and_says_how_many)
{
	int fd;

	engine_in(_i, NULL);
	fd = two_on_one_descriptor();

	ck_assert_int_eq(cancel_matching(fd, IORING_ASYNC_CANCEL_FD | IORING_ASYNC_CANCEL_ALL, 2),
			 2);
	ck_assert_int_eq(result_of(A), -ECANCELED);
	ck_assert_int_eq(result_of(B), -ECANCELED);
	ck_assert(is_pending(C));
	ck_assert_int_eq(cancel_matching(fd, IORING_ASYNC_CANCEL_FD | IORING_ASYNC_CANCEL_ALL, 0),
			 0);
}
END_TEST

START_TEST(nobody_uses_that_descriptor)
{
	engine_in(_i, NULL);
	pair_of_unix_sockets(&near, &far);

	ck_assert_int_eq(cancel_matching(near, IORING_ASYNC_CANCEL_FD, 0), -ENOENT);
	ck_assert_int_eq(cancel_matching(1 << 20, IORING_ASYNC_CANCEL_FD, 0), -EBADF);
}
END_TEST

START_TEST(the_number_of_a_closed_descriptor_finds_nobody_but_the_name_does)
{
	int fd;

	engine_in(_i, NULL);
	if (differs("descriptor_numbers"))
		return;
	waiting(A, socket_recv, 0);
	collect(0);
	fd = dup(near);
	fd_empty(near);

	ck_assert_int_eq(cancel_matching(near, IORING_ASYNC_CANCEL_FD, 0), -ENOENT);
	ck_assert(is_pending(A));
	ck_assert_int_eq(cancelled(A, 1), 0);
	ck_assert_int_eq(result_of(A), -ECANCELED);
	close(fd);
}
END_TEST

START_TEST(any_means_all_by_itself)
{
	engine_in(_i, NULL);
	waiting(A, socket_recv, 0);
	waiting(B, pipe_read, 0);
	collect(0);

	ck_assert_int_eq(cancel_matching(0, IORING_ASYNC_CANCEL_ANY, 2), 2);
	ck_assert_int_eq(cancel_matching(0, IORING_ASYNC_CANCEL_ANY, 0), 0);
}
END_TEST

START_TEST(any_and_all_cancels_everything_and_says_how_many)
{
	int i;

	engine_in(_i, NULL);
	for (i = 0; i < WAITS; i++)
		waiting(i + 10, waits[i].prep, 0);
	collect(0);

	ck_assert_int_eq(
		cancel_matching(0, IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL, WAITS),
		WAITS);
	for (i = 0; i < WAITS; i++)
		ck_assert_int_eq(result_of(i + 10), -ECANCELED);
	ck_assert_int_eq(cancel_matching(0, IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL, 0),
			 0);
}
END_TEST

/*
 * Members of rows.
 */

START_TEST(a_member_that_has_not_started_is_not_found)
{
	engine_in(_i, NULL);
	waiting(A, socket_recv, IOSQE_IO_LINK);
	waiting(B, pipe_read, IOSQE_IO_LINK);
	waiting(C, pipe_read, 0);
	collect(0);

	ck_assert_int_eq(cancelled(B, 0), -ENOENT);
	ck_assert(is_pending(A) && is_pending(B) && is_pending(C));
}
END_TEST

START_TEST(cancelling_the_one_that_runs_cancels_what_follows)
{
	engine_in(_i, NULL);
	waiting(A, socket_recv, IOSQE_IO_LINK);
	waiting(B, pipe_read, IOSQE_IO_HARDLINK);
	waiting(C, pipe_read, 0);
	collect(0);

	ck_assert_int_eq(cancelled(A, 3), 0);
	ck_assert_int_eq(result_of(A), -ECANCELED);
	ck_assert_int_eq(result_of(B), -ECANCELED);
	ck_assert_int_eq(result_of(C), -ECANCELED);
}
END_TEST

START_TEST(except_behind_a_hard_link)
{
	engine_in(_i, NULL);
	waiting(A, socket_recv, IOSQE_IO_HARDLINK);
	waiting(B, pipe_read, 0);
	collect(0);
	ck_assert_int_eq(cancelled(A, 1), 0);
	ck_assert_int_eq(result_of(A), -ECANCELED);
	ck_assert(is_pending(B));

	ck_assert_int_eq(cancelled(B, 1), 0);
	ck_assert_int_eq(result_of(B), -ECANCELED);
}
END_TEST

START_TEST(whatever_was_cancelled_breaks_soft_links_and_no_others)
{
	void (*prep)(struct io_uring_sqe * sqe) = waits[_i % WAITS].prep;

	engine_in(_i / WAITS, NULL);
	waiting(A, prep, IOSQE_IO_LINK);
	io_uring_prep_nop(sqe_next());
	sqe_is(B, 0);
	collect(0);
	ck_assert_msg(cancelled(A, 2) == 0, "%s", waits[_i % WAITS].name);
	ck_assert_msg(result_of(A) == -ECANCELED, "%s", waits[_i % WAITS].name);
	ck_assert_msg(result_of(B) == -ECANCELED, "%s", waits[_i % WAITS].name);

	waiting(C, prep, IOSQE_IO_HARDLINK);
	io_uring_prep_nop(sqe_next());
	sqe_is(D, 0);
	collect(0);
	ck_assert_msg(cancelled(C, 2) == 0, "%s", waits[_i % WAITS].name);
	ck_assert_msg(result_of(C) == -ECANCELED, "%s", waits[_i % WAITS].name);
	ck_assert_msg(result_of(D) == 0, "%s", waits[_i % WAITS].name);
}
END_TEST

START_TEST(any_and_all_counts_a_row_once)
{
	engine_in(_i, NULL);
	waiting(A, socket_recv, IOSQE_IO_LINK);
	waiting(B, pipe_read, IOSQE_IO_LINK);
	waiting(C, pipe_read, 0);
	collect(0);

	ck_assert_int_eq(cancel_matching(0, IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL, 3),
			 1);
	ck_assert_int_eq(result_of(C), -ECANCELED);
}
END_TEST

START_TEST(a_link_timeout_ends_with_what_it_limits)
{
	engine_in(_i, NULL);
	waiting(A, socket_recv, IOSQE_IO_LINK);
	io_uring_prep_link_timeout(sqe_next(), &hour, 0);
	sqe_is(B, IOSQE_IO_LINK);
	waiting(C, pipe_read, 0);
	collect(0);

	ck_assert_int_eq(cancelled(A, 3), 0);
	ck_assert_int_eq(result_of(A), -ECANCELED);
	ck_assert_int_eq(result_of(B), -ECANCELED);
	ck_assert_int_eq(result_of(C), -ECANCELED);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("engine cancel");
	TCase *tc = engine_case(suite, "by name");

	tcase_add_loop_test(tc, whatever_waits_can_be_cancelled, 0, engine_count() * WAITS);
	tcase_add_loop_test(tc, even_if_it_was_submitted_together_with_the_request, 0,
			    engine_count() * WAITS);
	engine_test(tc, cancelling_one_leaves_the_others_alone);
	engine_test(tc, nobody_of_that_name_is_found);
	engine_test(tc, what_is_over_is_not_found);
	engine_test(tc, a_cancelled_receive_takes_nothing);
	engine_test(tc, what_was_received_in_part_says_how_much);
	engine_test(tc, what_was_sent_in_part_says_how_much);
	tc = engine_case(suite, "by descriptor");
	engine_test(tc, a_descriptor_cancels_one_of_those_that_use_it);
	engine_test(tc, or_all_of_them_and_says_how_many);
	engine_test(tc, nobody_uses_that_descriptor);
	engine_test(tc, the_number_of_a_closed_descriptor_finds_nobody_but_the_name_does);
	engine_test(tc, any_means_all_by_itself);
	engine_test(tc, any_and_all_cancels_everything_and_says_how_many);
	tc = engine_case(suite, "rows");
	engine_test(tc, a_member_that_has_not_started_is_not_found);
	engine_test(tc, cancelling_the_one_that_runs_cancels_what_follows);
	engine_test(tc, except_behind_a_hard_link);
	tcase_add_loop_test(tc, whatever_was_cancelled_breaks_soft_links_and_no_others, 0,
			    engine_count() * WAITS);
	engine_test(tc, any_and_all_counts_a_row_once);
	engine_test(tc, a_link_timeout_ends_with_what_it_limits);
	return engine_run(suite);
}
