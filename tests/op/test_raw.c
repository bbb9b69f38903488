/* SPDX-License-Identifier: MIT */
/*
 * Entries of the caller's own: submitted, cancelled and given back as any other, whatever they mean.
 */
#include "pending.h"
#include <errno.h>
#include <liburing.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MS UINT64_C(1000000)

static struct io_uring_sqe nop(void)
{
	struct io_uring_sqe sqe = {0};

	io_uring_prep_nop(&sqe);
	return sqe;
}

START_TEST(an_entry_is_executed_and_what_it_read_is_in_the_buffer)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_buf *buf = sfr_buf_from(loop, "________", 8);
	struct io_uring_sqe sqe = {0};
	int read_end, write_end;

	pair_of_pipe_ends(&read_end, &write_end);
	ck_assert_int_eq(write(write_end, "abc", 3), 3);
	io_uring_prep_read(&sqe, read_end, buf->data, 8, 0);
	sqe.user_data = 12345;
	ck_assert_int_eq(sfr_await(sfr_raw(loop, &sqe, buf), &buf), 3);

	ck_assert_uint_eq(buf->len, 8);
	ck_assert_int_eq(memcmp(buf->data, "abc_____", 8), 0);
	sfr_buf_release(buf);
}
END_TEST

START_TEST(an_entry_without_buffer_needs_none)
{
	sfr_loop *loop = loop_in(_i, NULL);
	struct io_uring_sqe sqe = nop();

	sfr_submit(sfr_raw(loop, &sqe, NULL), record, &seen);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.calls, 1);
	ck_assert_int_eq(seen.result, 0);
	ck_assert_ptr_null(seen.buf);
}
END_TEST

START_TEST(an_error_of_the_engine_is_the_result)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_buf *buf = sfr_buf_get(loop, 8);
	struct io_uring_sqe sqe = {0};

	io_uring_prep_read(&sqe, -1, buf->data, 8, 0);
	ck_assert_int_eq(sfr_await(sfr_raw(loop, &sqe, buf), &buf), -EBADF);
	sfr_buf_release(buf);
	buf = sfr_buf_get(loop, 8);
	io_uring_prep_read_fixed(&sqe, empty_pipe(), buf->data, 8, 0, 7777);
	ck_assert_int_eq(sfr_await(sfr_raw(loop, &sqe, buf), &buf), -EFAULT);
	sfr_buf_release(buf);
}
END_TEST

START_TEST(what_would_reach_past_the_entry_is_refused_and_the_buffer_comes_back)
{
	static const unsigned flags[] = {IOSQE_IO_LINK, IOSQE_IO_HARDLINK, IOSQE_IO_DRAIN,
					 IOSQE_BUFFER_SELECT, IOSQE_CQE_SKIP_SUCCESS};
	sfr_loop *loop = loop_in(_i, NULL);
	size_t i;

	for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		struct io_uring_sqe sqe = nop();
		sfr_buf *buf;

		sqe.flags = (uint8_t)flags[i];
		ck_assert_int_eq(sfr_await(sfr_raw(loop, &sqe, sfr_buf_get(loop, 8)), &buf),
				 -EINVAL);
		ck_assert(sfr_buf_is_owned(buf));
		sfr_buf_release(buf);
	}
	ck_assert_int_eq(sfr_await(sfr_raw(loop, NULL, sfr_buf_get(loop, 8)), NULL), -EFAULT);
	ck_assert_int_eq(sfr_await(sfr_raw(loop, NULL, NULL), NULL), -EFAULT);
}
END_TEST

START_TEST(an_opcode_that_the_engine_does_not_have_is_named_in_the_log)
{
	static const unsigned opcodes[] = {63, 64, 255};
	sfr_loop *loop = loop_in(_i, NULL);
	size_t i;

	for (i = 0; i < sizeof(opcodes) / sizeof(opcodes[0]); i++) {
		struct io_uring_sqe sqe = nop();
		char number[8];

		sqe.opcode = (uint8_t)opcodes[i];
		snprintf(number, sizeof(number), " %u ", opcodes[i]);
		log_listen();
		ck_assert_int_eq(sfr_await(sfr_raw(loop, &sqe, sfr_buf_get(loop, 8)), NULL),
				 -SFR_EUNSUPPORTED);
		ck_assert_int_eq(log_lines, 1);
		ck_assert_ptr_nonnull(strstr(log_line, number));
	}
}
END_TEST

/*
 * More than one completion.
 */

static struct sockaddr_in addr;
static int listener;

static sfr_op *raw_accepts(sfr_loop *loop)
{
	struct io_uring_sqe sqe = {0};

	io_uring_prep_multishot_accept(&sqe, listener, NULL, NULL, SOCK_CLOEXEC);
	return sfr_raw(loop, &sqe, sfr_buf_get(loop, 8));
}

static void call(void)
{
	int fd = owned_fd(socket(AF_INET, SOCK_STREAM, 0));

	ck_assert_int_eq(connect(fd, (const struct sockaddr *)&addr, sizeof(addr)), 0);
}

static void accepted(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	if (result >= 0) {
		ck_assert_ptr_null(buf);
		close(result);
	} else {
		ck_assert_ptr_nonnull(buf);
	}
	record(loop, result, buf, arg);
}

START_TEST(the_buffer_comes_with_the_last_of_several_completions)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_ticket ticket;
	int i;

	listener = listening_socket(&addr, 8);
	ticket = sfr_submit(raw_accepts(loop), accepted, &seen);
	for (i = 1; i <= 3; i++) {
		call();
		turn_until(loop, &seen.calls, i);
		ck_assert_int_ge(seen.result, 0);
		ck_assert_uint_eq(stat_held(loop), 1);
	}
	ck_assert_int_eq(sfr_cancel(loop, ticket), 0);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.calls, 4);
	ck_assert_int_eq(seen.result, -ECANCELED);
}
END_TEST

/* Whoever wins: it ends, once. */
START_TEST(one_that_goes_on_can_be_cancelled_around_each_completion)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int i;

	listener = listening_socket(&addr, 64);
	for (i = 0; i < 60; i++) {
		sfr_ticket ticket = sfr_submit(raw_accepts(loop), accepted, &seen);

		if (i & 1)
			ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
		call();
		if (i & 2)
			ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
		ck_assert_int_eq(sfr_cancel(loop, ticket), 0);
		ck_assert_int_eq(sfr_loop_run(loop), 0);
		ck_assert_int_eq(seen.result, -ECANCELED);
		ck_assert_uint_eq(sfr_loop_inflight(loop), 0);
		seen = (struct seen){.buf = seen.buf};
	}
}
END_TEST

START_TEST(awaiting_one_that_goes_on_lasts_until_its_end)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int next = dup(0);
	sfr_buf *buf;

	listener = listening_socket(&addr, 8);
	call();
	close(next);
	ck_assert_int_eq(sfr_await(sfr_within(raw_accepts(loop), 20 * MS), &buf), -ETIMEDOUT);

	ck_assert_ptr_nonnull(buf);
	ck_assert_int_eq(close(next), 0); /* what it accepted before that */
	sfr_buf_release(buf);
}
END_TEST

START_TEST(it_is_cancelled_by_the_descriptor_of_its_entry)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int fd = empty_pipe();
	sfr_buf *buf = sfr_buf_get(loop, 8);
	struct io_uring_sqe sqe = {0};

	io_uring_prep_read(&sqe, fd, buf->data, 8, 0);
	sfr_submit(sfr_raw(loop, &sqe, buf), record, &seen);
	ck_assert_int_eq(sfr_cancel_fd(loop, fd + 1), 0);
	ck_assert_int_eq(sfr_cancel_fd(loop, fd), 1);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.result, -ECANCELED);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("raw");
	TCase *tc = world_case(suite, "one completion");

	world_test(tc, an_entry_is_executed_and_what_it_read_is_in_the_buffer);
	world_test(tc, an_entry_without_buffer_needs_none);
	world_test(tc, an_error_of_the_engine_is_the_result);
	world_test(tc, what_would_reach_past_the_entry_is_refused_and_the_buffer_comes_back);
	world_test(tc, an_opcode_that_the_engine_does_not_have_is_named_in_the_log);
	world_test(tc, it_is_cancelled_by_the_descriptor_of_its_entry);
	tc = world_case(suite, "several");
	world_test(tc, the_buffer_comes_with_the_last_of_several_completions);
	world_test(tc, one_that_goes_on_can_be_cancelled_around_each_completion);
	world_test(tc, awaiting_one_that_goes_on_lasts_until_its_end);
	return world_run(suite);
}
