/* SPDX-License-Identifier: MIT */
/*
 * Growth: a slab that is empty makes more buffers, as far as the budget goes, and no further.
 */
#include "pending.h"
#include "loop/loop.h"
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define KIB 1024U
#define BUFS_MAX 4096

/* 4 buffers, 16 within the budget. */
#define FOUR_TO_SIXTEEN \
	"buffers.count=4 buffers.size=4KiB buffers.small=0 buffers.large=0 buffers.budget=64KiB"
#define ONE_TO_SIXTEEN \
	"buffers.count=1 buffers.size=4KiB buffers.small=0 buffers.large=0 buffers.budget=64KiB"

static sfr_buf *bufs[BUFS_MAX];

/* Take as many as there are; each is written to from end to end. */
static int take_all(sfr_loop *loop, size_t size)
{
	int count = 0;

	errno = 0;
	while (count < BUFS_MAX && (bufs[count] = sfr_buf_get(loop, size))) {
		memset(bufs[count]->data, count, bufs[count]->cap);
		count++;
	}
	return count;
}

static bool is_intact(const sfr_buf *buf, int number)
{
	uint32_t i;

	for (i = 0; i < buf->cap; i++)
		if (buf->data[i] != (unsigned char)number)
			return false;
	return true;
}

static void release_all(int count)
{
	while (count--) {
		ck_assert(is_intact(bufs[count], count));
		sfr_buf_release(bufs[count]);
	}
}

static void assert_all_back(sfr_loop *loop)
{
	sfr_loop_stats stats = stats_of(loop);

	ck_assert_uint_eq(stats.bufs_held, 0);
	ck_assert_uint_eq(stats.bufs_free + stats.bufs_ring, stats.bufs_total);
	ck_assert_uint_eq(stats.bytes_heap, 0);
}

/*
 * The budget.
 */

START_TEST(a_slab_grows_to_its_budget_and_not_beyond)
{
	sfr_loop *loop = loop_in(_i, FOUR_TO_SIXTEEN);
	int count;

	ck_assert_uint_eq(stats_of(loop).bufs_total, 4);
	ck_assert_uint_eq(stats_of(loop).bytes_made, 16 * KIB);
	count = take_all(loop, 0);
	ck_assert_int_eq(errno, SFR_EPOOLEMPTY);

	ck_assert_int_eq(count, 16);
	ck_assert_uint_eq(stats_of(loop).bufs_total, 16);
	ck_assert_uint_eq(stats_of(loop).bufs_held, 16);
	ck_assert_uint_eq(stats_of(loop).bytes_made, 64 * KIB);
	ck_assert_uint_eq(stats_of(loop).bytes_max, 64 * KIB);
	ck_assert_uint_eq(stats_of(loop).budget, 64 * KIB);
	release_all(count);
	assert_all_back(loop);
	ck_assert_int_eq(take_all(loop, 4096), 16);
	release_all(16);
}
END_TEST

START_TEST(a_slab_grows_in_steps_and_only_when_it_is_empty)
{
	sfr_loop *loop = loop_in(_i, "buffers.count=400 buffers.budget=64MiB");
	uint64_t total = 400;
	int i, steps = 0;

	for (i = 0; i < 2000; i++) {
		uint64_t now;

		bufs[i] = sfr_buf_get(loop, 4096);
		ck_assert_ptr_nonnull(bufs[i]);
		now = stats_of(loop).bufs_total;
		ck_assert(now == total || (uint64_t)i == total);
		ck_assert_uint_le(now, total + total / 4);
		steps += now != total;
		total = now;
	}
	ck_assert_int_ge(steps, 2);
	ck_assert_int_le(steps, 10);
	while (i--)
		sfr_buf_release(bufs[i]);
	ck_assert_uint_eq(stats_of(loop).bufs_total, total);
}
END_TEST

START_TEST(a_budget_of_nothing_is_that_of_the_first_buffers)
{
	sfr_loop *loop = loop_in(_i, "buffers.count=4 buffers.budget=0");
	int count = take_all(loop, 0);
	sfr_buf *large = sfr_buf_get(loop, 10000000);

	ck_assert_int_eq(count, 4);
	ck_assert_ptr_nonnull(large);
	ck_assert_uint_eq(stats_of(loop).bytes_heap, 10000000);
	ck_assert_uint_eq(stats_of(loop).budget, 0);
	sfr_buf_release(large);
	release_all(count);
	assert_all_back(loop);
}
END_TEST

START_TEST(buffers_of_the_heap_count_while_they_are_out)
{
	sfr_loop *loop = loop_in(_i, FOUR_TO_SIXTEEN);
	sfr_buf *heap = sfr_buf_get(loop, 48 * KIB), *second;
	int count;

	ck_assert_ptr_nonnull(heap);
	errno = 0;
	second = sfr_buf_get(loop, 4 * KIB + 1);
	ck_assert_ptr_null(second);
	ck_assert_int_eq(errno, SFR_EPOOLEMPTY);
	count = take_all(loop, 0);
	ck_assert_int_eq(count, 4);
	ck_assert_int_eq(errno, SFR_EPOOLEMPTY);
	ck_assert_uint_eq(stats_of(loop).bytes_heap, 48 * KIB);
	ck_assert_uint_eq(stats_of(loop).bytes_max, 64 * KIB);

	sfr_buf_release(heap);
	second = sfr_buf_get(loop, 0);
	ck_assert_ptr_nonnull(second);
	sfr_buf_release(second);
	release_all(count);
	assert_all_back(loop);
}
END_TEST

START_TEST(what_a_slab_has_grown_by_is_the_heaps_no_more)
{
	sfr_loop *loop = loop_in(_i, FOUR_TO_SIXTEEN);
	sfr_buf *heap;

	release_all(take_all(loop, 0));
	errno = 0;
	heap = sfr_buf_get(loop, 4 * KIB + 1);

	ck_assert_ptr_null(heap);
	ck_assert_int_eq(errno, SFR_EPOOLEMPTY);
}
END_TEST

START_TEST(memory_of_the_callers_does_not_count)
{
	sfr_loop *loop = loop_in(_i, FOUR_TO_SIXTEEN);
	static char memory[256 * KIB];
	sfr_buf *wrapped = sfr_buf_wrap(loop, memory, sizeof(memory), NULL, NULL);
	int count = take_all(loop, 0);

	ck_assert_ptr_nonnull(wrapped);
	ck_assert_int_eq(count, 16);
	ck_assert_uint_eq(stats_of(loop).bytes_heap, 0);
	sfr_buf_release(wrapped);
	release_all(count);
}
END_TEST

START_TEST(a_shared_buffer_of_the_heap_counts_once_and_until_its_last_reference)
{
	sfr_loop *loop = loop_in(_i, FOUR_TO_SIXTEEN);
	sfr_buf *heap = sfr_buf_get(loop, 40 * KIB), *share = sfr_buf_share(heap);

	ck_assert_uint_eq(stats_of(loop).bytes_heap, 40 * KIB);
	sfr_buf_release(heap);
	ck_assert_uint_eq(stats_of(loop).bytes_heap, 40 * KIB);
	sfr_buf_release(share);
	ck_assert_uint_eq(stats_of(loop).bytes_heap, 0);
}
END_TEST

START_TEST(what_another_thread_released_makes_room_before_a_slab_grows)
{
	sfr_loop *loop = loop_in(_i, FOUR_TO_SIXTEEN);
	sfr_buf *heap = sfr_buf_get(loop, 48 * KIB), *buf;
	pthread_t thread;
	int count;

	ck_assert_int_eq(sfr_loop_step(loop, 0), 0);
	count = take_all(loop, 0);
	ck_assert_int_eq(count, 4);
	ck_assert_int_eq(pthread_create(&thread, NULL, release_there, bufs[--count]), 0);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	buf = sfr_buf_get(loop, 0);
	ck_assert_ptr_nonnull(buf);
	ck_assert_uint_eq(stats_of(loop).bufs_total, 4);
	sfr_buf_release(buf);
	ck_assert_int_eq(pthread_create(&thread, NULL, release_there, heap), 0);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	heap = sfr_buf_get(loop, 48 * KIB);
	ck_assert_ptr_nonnull(heap);
	sfr_buf_release(heap);
	release_all(count);
}
END_TEST

/* They stay what they are, and small ones must be had for what is small. */
START_TEST(of_blocks_for_streams_no_more_is_made_than_leaves_a_quarter)
{
	sfr_loop *loop = loop_in(_i, "buffers.count=4 buffers.budget=4MiB buffers.small=0");
	struct sfr__pool *pool = loop->pool;
	unsigned char *blocks[64];
	int count = 0, small;

	ck_assert_int_eq(sfr__pool_stream_open(pool, 8), 0);
	while ((blocks[count] = sfr__pool_take_of(pool, &pool->stream)))
		count++;
	small = take_all(loop, 4096);

	ck_assert_int_gt(count, 40);
	ck_assert_int_ge(small, 256);
	ck_assert_uint_le(stats_of(loop).bytes_max, 4096 * KIB);
	release_all(small);
	while (count--)
		(void)sfr__slab_give(&pool->stream, blocks[count]);
}
END_TEST

START_TEST(huge_pages_or_not_a_slab_grows_in_place)
{
	sfr_loop *loop = loop_in(_i, "buffers.huge_pages=on buffers.size=64KiB "
				     "buffers.count=8 buffers.small=0 buffers.large=0 "
				     "buffers.budget=4MiB");
	int count = take_all(loop, 0);

	ck_assert_int_eq(count, 64);
	ck_assert_uint_eq((uintptr_t)bufs[0]->data % (2 * KIB * KIB), 0);
	release_all(count);
}
END_TEST

/*
 * Ops with what was made.
 */

START_TEST(every_buffer_that_was_made_has_an_op)
{
	sfr_loop *loop = loop_in(_i, "ring.ops_max=64 buffers.count=4 buffers.size=64 "
				     "buffers.budget=64KiB buffers.large=0 buffers.receive=1");
	int i, count = take_all(loop, 0), fd = empty_pipe();
	sfr_op *ops[1024];

	ck_assert_int_eq(count, 1024);
	for (i = 0; i < count; i++) {
		ops[i] = sfr_read(loop, fd, bufs[i]);
		ck_assert_ptr_nonnull(ops[i]);
	}
	for (i = 0; i < count; i++)
		ck_assert_uint_ne(sfr_submit(ops[i], NULL, NULL), 0);
	ck_assert_uint_eq(sfr_loop_inflight(loop), 1024);
	ck_assert_int_eq(sfr_loop_drain(loop, -1), 0);
	assert_all_back(loop);
}
END_TEST

/* The first read has the slab registered, as it is then; so some are registered, and some are not. */
START_TEST(files_are_read_and_written_with_first_buffers_and_with_later_ones)
{
	sfr_loop *loop = loop_in(_i, FOUR_TO_SIXTEEN);
	int fd = empty_file(), i, count;

	ck_assert_int_eq(sfr_await(sfr_write_at(loop, fd, sfr_buf_from(loop, "x", 1), 0), NULL), 1);
	count = take_all(loop, 0);
	for (i = 0; i < count; i++) {
		bufs[i]->len = bufs[i]->cap;
		ck_assert_int_eq(
			sfr_await(sfr_write_at(loop, fd, bufs[i], (uint64_t)i * 4096), &bufs[i]),
			4096);
		memset(bufs[i]->data, 'z', 4096);
	}
	for (i = 0; i < count; i++)
		ck_assert_int_eq(
			sfr_await(sfr_read_at(loop, fd, bufs[i], (uint64_t)i * 4096), &bufs[i]),
			4096);
	ck_assert_int_eq(count, 16);
	release_all(count);
}
END_TEST

/*
 * Receives.
 */

static int a, b;
static sfr_buf *kept[64];
static int kept_count;

static void keep(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	(void)loop;
	(void)arg;
	if (result > 0)
		kept[kept_count++] = buf;
}

static void send_text(const char *text)
{
	ck_assert_int_eq(send(b, text, strlen(text), 0), (ssize_t)strlen(text));
}

/* A receive whose buffers are all kept, until `wanted` have come. */
static void receive_and_keep(sfr_loop *loop, int wanted)
{
	kept_count = 0;
	pair_of_sockets(&a, &b);
	sfr_submit(sfr_recv_multi(loop, a), keep, NULL);
	while (kept_count < wanted) {
		send_text("hello");
		turn_until(loop, &kept_count, kept_count + 1);
	}
}

static void kept_release(void)
{
	while (kept_count--) {
		ck_assert_mem_eq(kept[kept_count]->data, "hello", 5);
		sfr_buf_release(kept[kept_count]);
	}
}

START_TEST(a_receive_that_would_have_waited_has_a_buffer_made)
{
	sfr_loop *loop = loop_in(_i, ONE_TO_SIXTEEN);

	receive_and_keep(loop, 15);

	ck_assert_uint_ge(stats_of(loop).bufs_held, 15);
	ck_assert_uint_le(stats_of(loop).bytes_made, 64 * KIB);
	ck_assert_int_eq(sfr_loop_drain(loop, -1), 0);
	kept_release();
	assert_all_back(loop);
}
END_TEST

static bool waits_with_all_out(void *loop)
{
	return stats_of(loop).parked > 0 && stats_of(loop).bufs_held == stats_of(loop).bufs_total;
}

START_TEST(a_receive_waits_when_the_budget_is_used_up_and_goes_on_after_a_release)
{
	sfr_loop *loop = loop_in(_i, ONE_TO_SIXTEEN);

	receive_and_keep(loop, 16);
	send_text("hello");
	turn_until_true(loop, waits_with_all_out, loop);
	ck_assert_int_eq(kept_count, 16);

	sfr_buf_release(kept[--kept_count]);
	turn_until(loop, &kept_count, 16);
	ck_assert_int_eq(sfr_loop_drain(loop, -1), 0);
	kept_release();
	assert_all_back(loop);
}
END_TEST

START_TEST(a_receive_that_waits_goes_on_when_the_heap_makes_room)
{
	sfr_loop *loop = loop_in(_i, ONE_TO_SIXTEEN);
	sfr_buf *heap = sfr_buf_get(loop, 60 * KIB);

	receive_and_keep(loop, 1);
	send_text("hello");
	turn_until_true(loop, waits_with_all_out, loop);
	ck_assert_int_eq(kept_count, 1);

	sfr_buf_release(heap);
	turn_until(loop, &kept_count, 2);
	ck_assert_int_eq(sfr_loop_drain(loop, -1), 0);
	kept_release();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("growth");
	TCase *tc = world_case(suite, "budget");

	world_test(tc, a_slab_grows_to_its_budget_and_not_beyond);
	world_test(tc, a_slab_grows_in_steps_and_only_when_it_is_empty);
	world_test(tc, a_budget_of_nothing_is_that_of_the_first_buffers);
	world_test(tc, buffers_of_the_heap_count_while_they_are_out);
	world_test(tc, what_a_slab_has_grown_by_is_the_heaps_no_more);
	world_test(tc, memory_of_the_callers_does_not_count);
	world_test(tc, a_shared_buffer_of_the_heap_counts_once_and_until_its_last_reference);
	world_test(tc, what_another_thread_released_makes_room_before_a_slab_grows);
	world_test(tc, of_blocks_for_streams_no_more_is_made_than_leaves_a_quarter);
	world_test(tc, huge_pages_or_not_a_slab_grows_in_place);
	tc = world_case(suite, "ops");
	world_test(tc, every_buffer_that_was_made_has_an_op);
	world_test(tc, files_are_read_and_written_with_first_buffers_and_with_later_ones);
	tc = world_case(suite, "receives");
	world_test(tc, a_receive_that_would_have_waited_has_a_buffer_made);
	world_test(tc, a_receive_waits_when_the_budget_is_used_up_and_goes_on_after_a_release);
	world_test(tc, a_receive_that_waits_goes_on_when_the_heap_makes_room);
	return world_run(suite);
}
