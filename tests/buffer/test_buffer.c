/* SPDX-License-Identifier: MIT */
/*
 * Buffers: where they come from, who owns them, how they go back.
 */
#include "pending.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * Getting.
 */

static void count_unwrap(void *mem, void *arg)
{
	(void)mem;
	++*(int *)arg;
}

START_TEST(an_op_that_was_only_built_keeps_no_buffer_when_its_loop_is_freed)
{
	sfr_loop *loop = loop_in(_i, NULL);
	char mem[16];
	int unwraps = 0;
	sfr_op *op;

	ck_assert_int_eq(sfr_loop_step(loop, 0), 0);
	op = sfr_write(loop, 1, sfr_buf_wrap(loop, mem, sizeof(mem), count_unwrap, &unwraps));
	ck_assert_ptr_nonnull(op);

	loop_end();

	ck_assert_int_eq(unwraps, 1);
}
END_TEST

START_TEST(a_buffer_has_the_room_that_was_asked_for)
{
	sfr_loop *loop = loop_in(_i, "buffers.size=4KiB");
	static const size_t sizes[] = {0, 1, 4095, 4096, 4097, 100000, 10000000};
	size_t i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		sfr_buf *buf = sfr_buf_get(loop, sizes[i]);

		ck_assert_ptr_nonnull(buf);
		ck_assert_uint_ge(buf->cap, sizes[i]);
		ck_assert_uint_eq(buf->len, 0);
		ck_assert(sfr_buf_is_owned(buf));
		memset(buf->data, 0xab, buf->cap);
		sfr_buf_release(buf);
	}
}
END_TEST

START_TEST(buffers_do_not_overlap_and_begin_on_a_cache_line)
{
	sfr_loop *loop = loop_in(_i, "buffers.count=32 buffers.size=64");
	sfr_buf *bufs[32];
	int i, j;

	for (i = 0; i < 32; i++) {
		bufs[i] = sfr_buf_get(loop, 1);
		ck_assert_ptr_nonnull(bufs[i]);
		ck_assert_uint_eq((uintptr_t)bufs[i]->data % 64, 0);
		memset(bufs[i]->data, i, bufs[i]->cap);
	}
	for (i = 0; i < 32; i++) {
		for (j = 0; j < 64; j++)
			ck_assert_uint_eq(bufs[i]->data[j], (unsigned)i);
		sfr_buf_release(bufs[i]);
	}
}
END_TEST

START_TEST(an_empty_slab_says_so_and_has_a_buffer_again_after_a_release)
{
	sfr_loop *loop = loop_in(_i, "buffers.count=2");
	sfr_buf *first = sfr_buf_get(loop, 1), *second = sfr_buf_get(loop, 1), *third;

	errno = 0;
	third = sfr_buf_get(loop, 1);
	ck_assert_ptr_null(third);
	ck_assert_int_eq(errno, SFR_EPOOLEMPTY);
	errno = 0;
	third = sfr_buf_from(loop, "x", 1);
	ck_assert_ptr_null(third);
	ck_assert_int_eq(errno, SFR_EPOOLEMPTY);

	sfr_buf_release(first);
	third = sfr_buf_get(loop, 1);
	ck_assert_ptr_nonnull(third);
	sfr_buf_release(second);
	sfr_buf_release(third);
}
END_TEST

START_TEST(large_buffers_do_not_come_from_the_slab)
{
	sfr_loop *loop = loop_in(_i, "buffers.count=1 buffers.size=4KiB");
	sfr_buf *small = sfr_buf_get(loop, 1), *large[10];
	int i;

	for (i = 0; i < 10; i++) {
		large[i] = sfr_buf_get(loop, 4097);
		ck_assert_ptr_nonnull(large[i]);
	}
	ck_assert_uint_eq(stat_held(loop), 1);
	for (i = 0; i < 10; i++)
		sfr_buf_release(large[i]);
	sfr_buf_release(small);
}
END_TEST

START_TEST(a_buffer_above_one_gib_is_refused)
{
	sfr_loop *loop = loop_in(_i, NULL);
	static const size_t sizes[] = {((size_t)1 << 30) + 1, (size_t)1 << 32,
				       ((size_t)1 << 32) + 1, SIZE_MAX};
	size_t i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		sfr_buf *buf;

		errno = 0;
		buf = sfr_buf_get(loop, sizes[i]);
		ck_assert_ptr_null(buf);
		ck_assert_int_eq(errno, EMSGSIZE);
		errno = 0;
		buf = sfr_buf_from(loop, "never read", sizes[i]);
		ck_assert_ptr_null(buf);
		ck_assert_int_eq(errno, EMSGSIZE);
	}
}
END_TEST

START_TEST(bytes_become_a_buffer)
{
	sfr_loop *loop = loop_in(_i, "buffers.size=64");
	char bytes[200];
	sfr_buf *buf;

	memset(bytes, 'x', sizeof(bytes));
	buf = sfr_buf_from(loop, bytes, sizeof(bytes));
	ck_assert_uint_eq(buf->len, sizeof(bytes));
	ck_assert_mem_eq(buf->data, bytes, sizeof(bytes));
	sfr_buf_release(buf);

	buf = sfr_buf_from(loop, NULL, 0);
	ck_assert_ptr_nonnull(buf);
	ck_assert_uint_eq(buf->len, 0);
	sfr_buf_release(buf);
}
END_TEST

START_TEST(a_large_buffer_carries_data_as_any_other)
{
	sfr_loop *loop = loop_in(_i, "buffers.size=64");
	int fd = empty_file();
	sfr_buf *buf = sfr_buf_get(loop, 100000), *back = sfr_buf_get(loop, 100000);

	memset(buf->data, 'y', 100000);
	memset(back->data, 'n', 100000);
	buf->len = 100000;
	ck_assert_int_eq(sfr_await(sfr_write_at(loop, fd, buf, 0), NULL), 100000);
	ck_assert_int_eq(sfr_await(sfr_read_at(loop, fd, back, 0), &back), 100000);
	ck_assert_uint_eq(back->len, 100000);
	ck_assert_uint_eq(back->data[99999], 'y');
	sfr_buf_release(back);
}
END_TEST

/*
 * Wrapping.
 */

static char wrapped[64];
static int unwrapped;
static void *unwrapped_arg;

static void unwrap(void *mem, void *arg)
{
	ck_assert_ptr_eq(mem, wrapped);
	unwrapped++;
	unwrapped_arg = arg;
}

START_TEST(memory_of_the_callers_is_used_where_it_is_and_given_back_once)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_buf *buf = sfr_buf_wrap(loop, wrapped, sizeof(wrapped), unwrap, &seen);
	int a, b;

	unwrapped = 0;
	pair_of_unix_sockets(&a, &b);
	ck_assert_ptr_eq(buf->data, (unsigned char *)wrapped);
	ck_assert_uint_eq(buf->len, 0);
	ck_assert_uint_eq(buf->cap, sizeof(wrapped));
	ck_assert_int_eq(send(b, "hello", 5, 0), 5);
	ck_assert_int_eq(sfr_await(sfr_recv(loop, a, buf), &buf), 5);
	ck_assert_mem_eq(wrapped, "hello", 5);
	ck_assert_int_eq(unwrapped, 0);

	sfr_buf_release(buf);
	ck_assert_int_eq(unwrapped, 1);
	ck_assert_ptr_eq(unwrapped_arg, &seen);
}
END_TEST

START_TEST(memory_of_the_callers_comes_back_from_ops_nobody_watches_and_from_discarded_ones)
{
	sfr_loop *loop = loop_in(_i, NULL);

	unwrapped = 0;
	sfr_op_discard(sfr_read(loop, 0, sfr_buf_wrap(loop, wrapped, 64, unwrap, NULL)));
	ck_assert_int_eq(unwrapped, 1);
	sfr_submit(sfr_read(loop, -1, sfr_buf_wrap(loop, wrapped, 64, unwrap, NULL)), NULL, NULL);
	ck_assert_int_eq(sfr_loop_run(loop), 0);
	ck_assert_int_eq(unwrapped, 2);
	sfr_submit(sfr_read(loop, empty_pipe(), sfr_buf_wrap(loop, wrapped, 64, unwrap, NULL)),
		   NULL, NULL);
	ck_assert_int_eq(sfr_loop_drain(loop, -1), 0);
	ck_assert_int_eq(unwrapped, 3);
	sfr_buf_release(sfr_buf_wrap(loop, wrapped, 64, NULL, NULL));
}
END_TEST

static void release_inner(void *mem, void *inner)
{
	(void)mem;
	unwrapped++;
	sfr_buf_release(inner);
}

/* More often than there may be buffers beside those of the slab. */
START_TEST(a_part_of_another_buffer_is_wrapped_and_releases_it)
{
	sfr_loop *loop = loop_in(_i, "ring.ops_max=64");
	int i;

	unwrapped = 0;
	ck_assert_int_eq(sfr_loop_step(loop, 0), 0);
	for (i = 0; i < 1000; i++) {
		sfr_buf *inner = sfr_buf_get(loop, i % 2 ? 1 : 100000);
		sfr_buf *part = sfr_buf_wrap(loop, inner->data + 1, 10, release_inner, inner);

		ck_assert_ptr_nonnull(part);
		sfr_buf_release(part);
	}

	ck_assert_int_eq(unwrapped, 1000);
	ck_assert_uint_eq(stat_held(loop), 0);
}
END_TEST

START_TEST(nothing_and_too_much_cannot_be_wrapped)
{
	sfr_loop *loop = loop_in(_i, NULL);
	const struct {
		void *mem;
		size_t cap;
	} bad[] = {{NULL, 64}, {wrapped, 0}, {wrapped, ((size_t)1 << 30) + 1}, {wrapped, SIZE_MAX}};
	size_t i;

	unwrapped = 0;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		sfr_buf *buf;

		errno = 0;
		buf = sfr_buf_wrap(loop, bad[i].mem, bad[i].cap, unwrap, NULL);
		ck_assert_ptr_null(buf);
		ck_assert_int_eq(errno, EINVAL);
	}
	ck_assert_int_eq(unwrapped, 0);
}
END_TEST

/*
 * Owning.
 */

START_TEST(nothing_is_nobodys)
{
	sfr_buf_release(NULL);
	ck_assert(!sfr_buf_is_owned(NULL));
	ck_assert_ptr_null(sfr_buf_access(NULL));
}
END_TEST

START_TEST(a_double_release_is_reported_and_does_nothing)
{
	sfr_loop *loop = loop_in(_i, "buffers.count=2");
	sfr_buf *buf = sfr_buf_get(loop, 1), *again = same(buf), *x, *y;

	log_listen();
	sfr_buf_release(buf);
	ck_assert(!sfr_buf_is_owned(again));
	ck_assert_ptr_null(sfr_buf_access(again));
	sfr_buf_release(again);

	ck_assert_int_eq(log_lines, 1);
	ck_assert_ptr_nonnull(strstr(log_line, "released"));
	x = sfr_buf_get(loop, 1);
	y = sfr_buf_get(loop, 1);
	ck_assert_ptr_ne(x->data, y->data);
	sfr_buf_release(x);
	sfr_buf_release(y);
}
END_TEST

START_TEST(a_release_in_flight_is_reported_and_the_op_goes_on)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_buf *buf = sfr_buf_get(loop, 1), *again = same(buf);
	int read_end, write_end;

	log_listen();
	pair_of_pipe_ends(&read_end, &write_end);
	sfr_submit(sfr_read(loop, read_end, buf), record, &seen);
	sfr_buf_release(same(again));
	ck_assert_int_eq(sfr_loop_step(loop, 0), 0);
	sfr_buf_release(same(again));
	ck_assert_int_eq(log_lines, 2);
	ck_assert_ptr_nonnull(strstr(log_line, "in flight"));

	ck_assert_int_eq(write(write_end, "x", 1), 1);
	ck_assert_int_eq(sfr_loop_run(loop), 0);
	ck_assert_int_eq(seen.result, 1);
	ck_assert_ptr_eq(seen.buf, again);
}
END_TEST

START_TEST(where_rules_are_enforced_a_double_release_aborts)
{
	sfr_loop *loop = loop_in(_i, "safety.abort=on");
	sfr_buf *buf = sfr_buf_get(loop, 1), *again = same(buf);

	sfr_buf_release(buf);
	sfr_buf_release(again);
}
END_TEST

START_TEST(where_rules_are_enforced_a_release_in_flight_aborts)
{
	sfr_loop *loop = loop_in(_i, "safety.abort=on");
	sfr_buf *buf = sfr_buf_get(loop, 1), *again = same(buf);

	sfr_submit(sfr_read(loop, empty_pipe(), buf), record, &seen);
	sfr_buf_release(again);
}
END_TEST

START_TEST(a_buffer_of_another_loop_is_refused_and_comes_back)
{
	sfr_loop *loop = loop_in(_i, NULL), *strange;
	sfr_buf *buf, *again;

	ck_assert_int_eq(sfr_loop_new(&strange, NULL), 0);
	log_listen();
	buf = sfr_buf_from(strange, "hello", 5);
	again = same(buf);
	ck_assert_int_eq(sfr_await(sfr_send(loop, -1, buf), &buf), -EINVAL);
	ck_assert_int_eq(log_lines, 1);
	ck_assert_ptr_eq(buf, again);
	ck_assert(sfr_buf_is_owned(again));
	ck_assert_mem_eq(again->data, "hello", 5);

	sfr_buf_release(again);
	ck_assert_uint_eq(stat_held(strange), 0);
	ck_assert_int_eq(sfr_loop_free(strange), 0);
}
END_TEST

START_TEST(where_rules_are_enforced_a_window_that_left_its_block_aborts)
{
	sfr_loop *loop = loop_in(_i, "safety.abort=on");
	sfr_buf *buf = sfr_buf_get(loop, 1);

	buf->data--;
	sfr_submit(sfr_send(loop, -1, buf), record, &seen);
}
END_TEST

START_TEST(where_rules_are_enforced_a_double_give_aborts)
{
	sfr_loop *loop = loop_in(_i, "safety.abort=on");
	sfr_buf *buf = sfr_buf_get(loop, 1), *again = same(buf);

	sfr_submit(sfr_read(loop, empty_pipe(), buf), record, &seen);
	sfr_submit(sfr_read(loop, empty_pipe(), again), record, &seen);
}
END_TEST

START_TEST(released_buffers_are_poisoned_if_asked_for)
{
	sfr_loop *loop = loop_in(_i, "safety.poison=on buffers.size=64");
	sfr_buf *buf = sfr_buf_get(loop, 1);
	unsigned char *late = same(buf->data);
	int i;

	memset(buf->data, 'x', 64);
	sfr_buf_release(buf);

	for (i = 0; i < 64; i++)
		ck_assert_uint_eq(late[i], 0xDF);
}
END_TEST

/*
 * Windows.
 */

START_TEST(a_window_moved_forward_is_filled_from_there)
{
	sfr_loop *loop = loop_in(_i, "buffers.size=64");
	sfr_buf *buf = sfr_buf_from(loop, "HEAD....", 8);
	unsigned char *start = buf->data;
	int a, b;

	pair_of_unix_sockets(&a, &b);
	ck_assert_int_eq(send(b, (char[100]){0}, 100, 0), 100);
	buf->data += 4;
	buf->len = 0;
	ck_assert_int_eq(sfr_await(sfr_recv(loop, a, buf), &buf), 60);

	ck_assert_ptr_eq(buf->data, start + 4);
	ck_assert_uint_eq(buf->len, 60);
	ck_assert_mem_eq(start, "HEAD\0\0\0\0", 8);
	sfr_buf_release(buf);
}
END_TEST

START_TEST(a_window_moved_forward_is_sent_from_there)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_buf *buf = sfr_buf_from(loop, "HEADbody", 8);
	char back[16];
	int a, b;

	pair_of_unix_sockets(&a, &b);
	buf->data += 4;
	buf->len -= 4;
	ck_assert_int_eq(sfr_await(sfr_send(loop, a, buf), &buf), 4);
	ck_assert_int_eq(recv(b, back, sizeof(back), 0), 4);
	ck_assert_mem_eq(back, "body", 4);
	ck_assert_uint_eq(buf->len, 4);
	ck_assert_mem_eq(buf->data, "body", 4);

	buf->data -= 4;
	buf->len += 4;
	ck_assert_int_eq(sfr_await(sfr_send(loop, a, buf), NULL), 8);
	ck_assert_int_eq(recv(b, back, sizeof(back), 0), 8);
	ck_assert_mem_eq(back, "HEADbody", 8);
}
END_TEST

START_TEST(a_smaller_cap_limits_what_is_read)
{
	sfr_loop *loop = loop_in(_i, "buffers.size=64");
	sfr_buf *buf = sfr_buf_get(loop, 64);
	int a, b;

	pair_of_unix_sockets(&a, &b);
	ck_assert_int_eq(send(b, "hello", 5, 0), 5);
	buf->cap = 3;
	ck_assert_int_eq(sfr_await(sfr_recv(loop, a, buf), &buf), 3);
	ck_assert_uint_eq(buf->len, 3);
	sfr_buf_release(buf);
}
END_TEST

START_TEST(a_larger_cap_does_not_make_the_block_larger)
{
	sfr_loop *loop = loop_in(_i, "buffers.size=64");
	sfr_buf *buf = sfr_buf_get(loop, 64);
	int a, b;

	pair_of_unix_sockets(&a, &b);
	ck_assert_int_eq(send(b, (char[100]){0}, 100, 0), 100);
	buf->cap = 100;
	ck_assert_int_eq(sfr_await(sfr_recv(loop, a, buf), &buf), 64);
	sfr_buf_release(buf);
}
END_TEST

/*
 * Outliving the loop.
 */

static void *release_all_there(void *arg)
{
	sfr_buf **bufs = arg;

	for (; *bufs; bufs++)
		sfr_buf_release(*bufs);
	return NULL;
}

START_TEST(buffers_outlive_their_loop)
{
	sfr_loop *loop = loop_in(_i, "buffers.size=64");
	sfr_buf *bufs[4] = {sfr_buf_from(loop, "slab", 4), sfr_buf_get(loop, 100000),
			    sfr_buf_wrap(loop, wrapped, sizeof(wrapped), unwrap, NULL), NULL};
	int i;

	unwrapped = 0;
	ck_assert_int_eq(sfr_loop_step(loop, 0), 0);
	ck_assert_int_eq(sfr_loop_free(loop_gone()), 0);

	ck_assert_mem_eq(bufs[0]->data, "slab", 4);
	memset(bufs[1]->data, 'x', 100000);
	for (i = 0; i < 3; i++) {
		ck_assert(sfr_buf_is_owned(bufs[i]));
		sfr_buf_release(bufs[i]);
	}
	ck_assert_int_eq(unwrapped, 1);
}
END_TEST

START_TEST(another_thread_may_release_what_is_left_of_a_loop)
{
	sfr_loop *loop = loop_in(_i, "buffers.size=64");
	sfr_buf *bufs[4] = {sfr_buf_from(loop, "slab", 4), sfr_buf_get(loop, 100000),
			    sfr_buf_wrap(loop, wrapped, sizeof(wrapped), unwrap, NULL), NULL};
	pthread_t thread;

	unwrapped = 0;
	ck_assert_int_eq(sfr_loop_free(loop_gone()), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, release_all_there, bufs), 0);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);

	ck_assert_int_eq(unwrapped, 1);
}
END_TEST

START_TEST(what_another_thread_releases_is_back_in_the_next_turn_or_when_it_is_needed)
{
	sfr_loop *loop = loop_in(_i, "buffers.count=1");
	sfr_buf *bufs[3] = {sfr_buf_get(loop, 1),
			    sfr_buf_wrap(loop, wrapped, sizeof(wrapped), unwrap, NULL), NULL};
	sfr_buf *buf;
	pthread_t thread;

	unwrapped = 0;
	ck_assert_int_eq(pthread_create(&thread, NULL, release_all_there, bufs), 0);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	buf = sfr_buf_get(loop, 1);
	ck_assert_ptr_nonnull(buf);
	sfr_buf_release(buf);
	ck_assert_int_eq(sfr_loop_step(loop, 0), 0);

	ck_assert_int_eq(unwrapped, 1);
}
END_TEST

START_TEST(what_another_thread_released_cannot_be_touched_from_then_on)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_buf *bufs[3] = {sfr_buf_get(loop, 1), sfr_buf_get(loop, 100000), NULL};
	sfr_buf *again[2] = {same(bufs[0]), same(bufs[1])};
	pthread_t thread;
	int i;

	ck_assert_int_eq(sfr_loop_step(loop, 0), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, release_all_there, bufs), 0);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);

	log_listen();
	for (i = 0; i < 2; i++) {
		ck_assert_ptr_null(again[i]->data);
		ck_assert(!sfr_buf_is_owned(again[i]));
		sfr_buf_release(again[i]);
		ck_assert_int_eq(log_lines, i + 1);
		ck_assert_ptr_nonnull(strstr(log_line, "released that is released"));
	}
}
END_TEST

#define abort_test(tcase, test) \
	tcase_add_loop_test_raise_signal(tcase, test, SIGABRT, 0, world_count())

int main(void)
{
	Suite *suite = suite_create("buffer");
	TCase *tc = world_case(suite, "getting");

	world_test(tc, an_op_that_was_only_built_keeps_no_buffer_when_its_loop_is_freed);
	world_test(tc, a_buffer_has_the_room_that_was_asked_for);
	world_test(tc, buffers_do_not_overlap_and_begin_on_a_cache_line);
	world_test(tc, an_empty_slab_says_so_and_has_a_buffer_again_after_a_release);
	world_test(tc, large_buffers_do_not_come_from_the_slab);
	world_test(tc, a_buffer_above_one_gib_is_refused);
	world_test(tc, bytes_become_a_buffer);
	world_test(tc, a_large_buffer_carries_data_as_any_other);
	tc = world_case(suite, "wrapping");
	world_test(tc, memory_of_the_callers_is_used_where_it_is_and_given_back_once);
	world_test(
		tc,
		memory_of_the_callers_comes_back_from_ops_nobody_watches_and_from_discarded_ones);
	world_test(tc, a_part_of_another_buffer_is_wrapped_and_releases_it);
	world_test(tc, nothing_and_too_much_cannot_be_wrapped);
	tc = world_case(suite, "owning");
	tcase_add_test(tc, nothing_is_nobodys);
	world_test(tc, a_double_release_is_reported_and_does_nothing);
	world_test(tc, a_release_in_flight_is_reported_and_the_op_goes_on);
	abort_test(tc, where_rules_are_enforced_a_double_release_aborts);
	abort_test(tc, where_rules_are_enforced_a_release_in_flight_aborts);
	abort_test(tc, where_rules_are_enforced_a_double_give_aborts);
	abort_test(tc, where_rules_are_enforced_a_window_that_left_its_block_aborts);
	world_test(tc, a_buffer_of_another_loop_is_refused_and_comes_back);
	world_test(tc, released_buffers_are_poisoned_if_asked_for);
	tc = world_case(suite, "windows");
	world_test(tc, a_window_moved_forward_is_filled_from_there);
	world_test(tc, a_window_moved_forward_is_sent_from_there);
	world_test(tc, a_smaller_cap_limits_what_is_read);
	world_test(tc, a_larger_cap_does_not_make_the_block_larger);
	tc = world_case(suite, "outliving the loop");
	world_test(tc, buffers_outlive_their_loop);
	world_test(tc, another_thread_may_release_what_is_left_of_a_loop);
	world_test(tc, what_another_thread_releases_is_back_in_the_next_turn_or_when_it_is_needed);
	world_test(tc, what_another_thread_released_cannot_be_touched_from_then_on);
	return world_run(suite);
}
