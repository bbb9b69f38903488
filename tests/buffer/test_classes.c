/* SPDX-License-Identifier: MIT */
/*
 * Sizes of buffers: which one a request gets, and how they share the budget.
 */
#include "pending.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define KIB 1024U
#define THREE_SIZES                                                                \
	"buffers.size=4KiB buffers.small=512 buffers.large=64KiB buffers.count=8 " \
	"buffers.budget=4MiB"

/* The room of a buffer for so many bytes; 0 and errno if there is none. */
static uint32_t cap_for(sfr_loop *loop, size_t size)
{
	sfr_buf *buf = sfr_buf_get(loop, size);
	uint32_t cap = buf ? buf->cap : 0;

	if (buf)
		memset(buf->data, 'x', cap);
	sfr_buf_release(buf);
	return cap;
}

START_TEST(a_request_gets_the_smallest_size_that_fits)
{
	sfr_loop *loop = loop_in(_i, THREE_SIZES);
	static const struct {
		size_t asked;
		uint32_t cap;
	} requests[] = {{0, 4096},    {1, 512},      {512, 512},     {513, 4096},
			{4096, 4096}, {4097, 65536}, {65536, 65536}, {65537, 65537}};
	size_t i;

	for (i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
		ck_assert_uint_eq(cap_for(loop, requests[i].asked), requests[i].cap);
	ck_assert_uint_eq(stats_of(loop).bufs_held, 0);
}
END_TEST

START_TEST(sizes_begin_on_cache_lines_and_from_4_kib_on_on_pages)
{
	sfr_loop *loop = loop_in(_i, THREE_SIZES " buffers.budget=16MiB");
	static const size_t sizes[] = {1, 4096, 65536, 65537, 1000000};
	size_t i;
	int n;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		sfr_buf *bufs[5];

		for (n = 0; n < 5; n++) {
			bufs[n] = sfr_buf_get(loop, sizes[i]);
			ck_assert_uint_eq(
				(uintptr_t)bufs[n]->data % (bufs[n]->cap < 4096 ? 64 : 4096), 0);
		}
		while (n--)
			sfr_buf_release(bufs[n]);
	}
}
END_TEST

/* Room for four small ones beside two others. */
START_TEST(a_request_whose_size_has_none_left_gets_the_next_one)
{
	sfr_loop *loop = loop_in(_i, "buffers.size=4KiB buffers.small=512 buffers.large=0 "
				     "buffers.count=2 buffers.budget=10240");
	static const uint32_t caps[] = {512, 512, 512, 512, 4096, 4096};
	sfr_buf *bufs[6], *none;
	int i;

	for (i = 0; i < 6; i++) {
		bufs[i] = sfr_buf_get(loop, 100);
		ck_assert_ptr_nonnull(bufs[i]);
		ck_assert_uint_eq(bufs[i]->cap, caps[i]);
	}
	errno = 0;
	none = sfr_buf_get(loop, 100);
	ck_assert_ptr_null(none);
	ck_assert_int_eq(errno, SFR_EPOOLEMPTY);
	while (i--)
		sfr_buf_release(bufs[i]);
	ck_assert_uint_eq(cap_for(loop, 100), 512);
}
END_TEST

START_TEST(whoever_asks_for_any_gets_no_small_one)
{
	sfr_loop *loop = loop_in(_i, "buffers.size=4KiB buffers.small=512 buffers.large=0 "
				     "buffers.count=1 buffers.budget=8191");
	sfr_buf *small = sfr_buf_get(loop, 1), *main = sfr_buf_get(loop, 0), *none;

	ck_assert_uint_eq(small->cap, 512);
	ck_assert_uint_eq(main->cap, 4096);
	errno = 0;
	none = sfr_buf_get(loop, 0);
	ck_assert_ptr_null(none);
	ck_assert_int_eq(errno, SFR_EPOOLEMPTY);
	sfr_buf_release(small);
	sfr_buf_release(main);
}
END_TEST

START_TEST(sizes_and_the_heap_share_one_budget)
{
	sfr_loop *loop = loop_in(_i, "buffers.size=4KiB buffers.small=512 buffers.large=64KiB "
				     "buffers.count=8 buffers.budget=1MiB");
	sfr_buf *large[32], *heap;
	int count = 0;

	while (count < 32 && (large[count] = sfr_buf_get(loop, 60000)))
		count++;
	ck_assert_int_eq(count, 15); /* 32 KiB are taken by the first of the middle size */
	ck_assert_int_eq(errno, SFR_EPOOLEMPTY);
	ck_assert_uint_eq(cap_for(loop, 1), 512); /* in what is left */
	heap = sfr_buf_get(loop, 65537);
	ck_assert_ptr_null(heap);
	ck_assert_int_eq(errno, SFR_EPOOLEMPTY);
	ck_assert_uint_le(stats_of(loop).bytes_made, stats_of(loop).budget);
	while (count--)
		sfr_buf_release(large[count]);

	ck_assert_uint_eq(stats_of(loop).bufs_held, 0);
}
END_TEST

START_TEST(without_a_budget_there_is_one_size)
{
	sfr_loop *loop = loop_in(
		_i, "buffers.size=4KiB buffers.small=512 buffers.large=64KiB buffers.budget=0");

	ck_assert_uint_eq(cap_for(loop, 1), 4096);
	ck_assert_uint_eq(cap_for(loop, 5000), 5000);
	ck_assert_uint_eq(stats_of(loop).bytes_made, 4096 * 1024);
}
END_TEST

/* Buffers of all sizes, taken and released at random; each keeps what was written to it. */
START_TEST(each_goes_back_to_where_it_came_from)
{
	sfr_loop *loop = loop_in(_i, THREE_SIZES " safety.poison=on");
	static sfr_buf *bufs[64];
	static const size_t sizes[] = {1, 4096, 65536, 70000};
	unsigned seed = 7;
	int round, i;

	memset(bufs, 0, sizeof(bufs));
	for (round = 0; round < 3000; round++) {
		i = rand_r(&seed) % 64;
		if (bufs[i]) {
			ck_assert_uint_eq(bufs[i]->data[0], (unsigned)i);
			ck_assert_uint_eq(bufs[i]->data[bufs[i]->cap - 1], (unsigned)i);
			sfr_buf_release(bufs[i]);
			bufs[i] = NULL;
		} else if ((bufs[i] = sfr_buf_get(loop, sizes[rand_r(&seed) % 4]))) {
			bufs[i]->data[0] = bufs[i]->data[bufs[i]->cap - 1] = (unsigned char)i;
		}
	}
	for (i = 0; i < 64; i++)
		sfr_buf_release(bufs[i]);
	ck_assert_uint_eq(stats_of(loop).bufs_held, 0);
	ck_assert_uint_eq(stats_of(loop).bytes_heap, 0);
	ck_assert_uint_le(stats_of(loop).bytes_max, stats_of(loop).budget);
}
END_TEST

START_TEST(a_shared_buffer_of_any_size_goes_back_with_its_last_reference)
{
	sfr_loop *loop = loop_in(_i, THREE_SIZES);
	static const size_t sizes[] = {1, 4096, 65536};
	size_t i;

	for (i = 0; i < 3; i++) {
		sfr_buf *buf = sfr_buf_get(loop, sizes[i]), *share = sfr_buf_share(buf);

		sfr_buf_release(buf);
		ck_assert_uint_eq(stats_of(loop).bufs_held, 1);
		ck_assert_int_eq(sfr_await(sfr_recv(loop, -1, share), &share), -EBADF);
		sfr_buf_release(share);
		ck_assert_uint_eq(stats_of(loop).bufs_held, 0);
	}
}
END_TEST

START_TEST(ops_carry_buffers_of_every_size)
{
	sfr_loop *loop = loop_in(_i, THREE_SIZES);
	static const size_t sizes[] = {300, 4000, 60000, 100000};
	int fd = empty_file();
	size_t i;

	for (i = 0; i < 4; i++) {
		sfr_buf *out = sfr_buf_get(loop, sizes[i]), *in = sfr_buf_get(loop, sizes[i]);

		memset(out->data, 'a' + (int)i, sizes[i]);
		out->len = (uint32_t)sizes[i];
		ck_assert_int_eq(sfr_await(sfr_write_at(loop, fd, out, 0), NULL), (int)sizes[i]);
		in->cap = (uint32_t)sizes[i];
		memset(in->data, 0, in->cap); /* Valgrind does not see what the kernel writes */
		ck_assert_int_eq(sfr_await(sfr_read_at(loop, fd, in, 0), &in), (int)sizes[i]);
		ck_assert_uint_eq(in->data[sizes[i] - 1], 'a' + i);
		sfr_buf_release(in);
	}
}
END_TEST

START_TEST(receives_take_the_middle_size_and_what_is_small_moves_to_the_small_one)
{
	static const char much[600];
	sfr_loop *loop = loop_in(_i, THREE_SIZES " features.incremental=off");
	int a, b;

	ck_assert_uint_eq(cap_for(loop, 1), 512);
	ck_assert_uint_eq(cap_for(loop, 60000), 65536);
	pair_of_sockets(&a, &b);
	sfr_submit(sfr_recv_multi(loop, a), record, &seen);
	ck_assert_int_eq(send(b, "hello", 5, 0), 5);
	turn_until(loop, &seen.calls, 1);
	ck_assert_uint_eq(seen.buf->cap, 512);
	ck_assert_int_eq(send(b, much, sizeof(much), 0), sizeof(much));
	turn_until(loop, &seen.calls, 2);

	ck_assert_uint_eq(seen.buf->cap, 4096);
	ck_assert_int_eq(sfr_loop_drain(loop, -1), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("classes");
	TCase *tc = world_case(suite, "sizes");

	world_test(tc, a_request_gets_the_smallest_size_that_fits);
	world_test(tc, sizes_begin_on_cache_lines_and_from_4_kib_on_on_pages);
	world_test(tc, a_request_whose_size_has_none_left_gets_the_next_one);
	world_test(tc, whoever_asks_for_any_gets_no_small_one);
	world_test(tc, sizes_and_the_heap_share_one_budget);
	world_test(tc, without_a_budget_there_is_one_size);
	world_test(tc, each_goes_back_to_where_it_came_from);
	tc = world_case(suite, "use");
	world_test(tc, a_shared_buffer_of_any_size_goes_back_with_its_last_reference);
	world_test(tc, ops_carry_buffers_of_every_size);
	world_test(tc, receives_take_the_middle_size_and_what_is_small_moves_to_the_small_one);
	return world_run(suite);
}
