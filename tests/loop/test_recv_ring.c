/* SPDX-License-Identifier: MIT */
/*
 * Receive rings whose entries the kernel uses up one an arrival: what becomes of the rest of a block.
 */
#include "cases.h"
#include "loop/recv_ring.h"

enum { BLOCKS = 4 };

static struct sfr__pool *pool;
static struct sfr__recv_ring ring;
static uint32_t block_size;

static int ring_add(struct sfr__engine *engine, void *memory, unsigned entries, unsigned group,
		    unsigned flags)
{
	(void)engine, (void)memory, (void)group;
	ck_assert_uint_eq(entries, BLOCKS);
	ck_assert_uint_eq(flags, 0);
	return 0;
}

static void ring_up(void)
{
	const struct sfr__pool_spec spec = {.size = 4096,
					    .count = 4,
					    .small = 512,
					    .stream = SFR__RECV_BLOCK,
					    .budget = (uint64_t)64 << 20,
					    .extra_max = 16};
	static const struct sfr__engine_calls calls = {.buf_ring_add = ring_add};
	struct sfr__engine engine = {.calls = &calls};

	pool = sfr__pool_new(&spec);
	ck_assert_ptr_nonnull(pool);
	sfr__pool_take_over(pool);
	ck_assert_int_eq(sfr__pool_bind(pool, NULL, NULL, NULL), 0);
	ck_assert_int_eq(sfr__pool_stream_open(pool, BLOCKS), 0);
	sfr__recv_ring_init(&ring);
	ck_assert_int_eq(
		sfr__recv_ring_open(&ring, &engine, SFR__RECV_STREAM, &pool->stream, BLOCKS, false),
		0);
	block_size = pool->stream.block_size;
	sfr__recv_ring_fill(&ring, pool);
}

/* Every block is back when nobody has a window on it. */
static void ring_down(void)
{
	sfr__recv_ring_fini(&ring);
	ck_assert_uint_eq(pool->stream.free_count, pool->stream.count);
	sfr__pool_close(pool);
}

static const struct io_uring_buf *entry_at(unsigned place)
{
	return &ring.ring->bufs[place % BLOCKS];
}

/* The kernel puts so many bytes into the entry of this place. */
static sfr_buf *arrival(unsigned place, uint32_t size)
{
	sfr_buf *buf;

	ck_assert_int_eq(sfr__recv_ring_take(&ring, pool, entry_at(place)->bid, size, false, &buf),
			 0);
	return buf;
}

START_TEST(what_is_left_of_a_block_goes_behind_the_others)
{
	const uint64_t block = entry_at(0)->addr;
	sfr_buf *first = arrival(0, 1000), *second;

	ck_assert_uint_eq((uintptr_t)first->data, block);
	ck_assert_uint_eq(first->cap, 1000);
	ck_assert_uint_eq(ring.ring->tail, BLOCKS); /* the kernel is told with the next fill */
	sfr__recv_ring_fill(&ring, pool);
	ck_assert_uint_eq(ring.ring->tail, BLOCKS + 1);
	ck_assert_uint_eq(entry_at(BLOCKS)->addr, block + 1000);
	ck_assert_uint_eq(entry_at(BLOCKS)->len, block_size - 1000);
	ck_assert_uint_eq(sfr__recv_ring_room(&ring), BLOCKS);

	second = arrival(BLOCKS, 500);
	ck_assert_ptr_eq(second->data, first->data + 1000);
	sfr_buf_release(first);
	sfr_buf_release(second);
}
END_TEST

START_TEST(a_block_that_is_nearly_full_makes_room_for_another)
{
	const uint64_t block = entry_at(0)->addr;
	sfr_buf *buf = arrival(0, block_size / 4 * 3 + 1);

	ck_assert_uint_eq(ring.filled, BLOCKS - 1);
	ck_assert_uint_eq(ring.room, (uint64_t)(BLOCKS - 1) * block_size);
	sfr__recv_ring_fill(&ring, pool);
	ck_assert_uint_eq(ring.filled, BLOCKS);
	ck_assert_uint_ne(entry_at(BLOCKS)->addr, block);
	ck_assert_uint_eq(entry_at(BLOCKS)->len, block_size);
	ck_assert_uint_eq(pool->stream.free_count, 0);
	sfr_buf_release(buf);
	ck_assert_uint_eq(pool->stream.free_count, 1);
}
END_TEST

/* Kernels of today do not take one then. */
START_TEST(an_end_that_took_an_entry_leaves_the_block_in_the_ring)
{
	const uint64_t block = entry_at(0)->addr;
	sfr_buf *buf = arrival(0, 0);

	ck_assert_ptr_null(buf);
	sfr__recv_ring_fill(&ring, pool);
	ck_assert_uint_eq(ring.filled, BLOCKS);
	ck_assert_uint_eq(entry_at(BLOCKS)->addr, block);
	ck_assert_uint_eq(entry_at(BLOCKS)->len, block_size);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("recv ring");
	TCase *tc = patient_case(suite, "rest");

	tcase_add_checked_fixture(tc, ring_up, ring_down);
	tcase_add_test(tc, what_is_left_of_a_block_goes_behind_the_others);
	tcase_add_test(tc, a_block_that_is_nearly_full_makes_room_for_another);
	tcase_add_test(tc, an_end_that_took_an_entry_leaves_the_block_in_the_ring);
	return suite_run(suite);
}
