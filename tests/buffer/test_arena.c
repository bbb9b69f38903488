/* SPDX-License-Identifier: MIT */
/*
 * Arenas: slabs of several sizes share addresses for one budget.
 */
#include "buffer/slab.h"
#include "cases.h"
#include <errno.h>
#include <string.h>

#define KIB ((size_t)1024)
#define MIB (1024 * KIB)
#define BUDGET (4 * MIB)

static struct sfr__arena arena;
static struct sfr__slab slabs[3];
static unsigned random_state;

static const struct {
	uint32_t sizes[3];
} specs[] = {{{4096, 512, 65536}}, {{64, 128, 256}}, {{65536, 4096, MIB}}, {{512, MIB, 4096}}};

static uint32_t block_max(int spec)
{
	uint32_t max = 0;
	int i;

	for (i = 0; i < 3; i++)
		if (specs[spec].sizes[i] > max)
			max = specs[spec].sizes[i];
	return max;
}

static void slabs_make(int spec)
{
	int i;

	ck_assert_int_eq(sfr__arena_init(&arena, sfr__arena_size(BUDGET, block_max(spec), 3),
					 block_max(spec), 0),
			 0);
	for (i = 0; i < 3; i++)
		ck_assert_int_eq(sfr__slab_init(&slabs[i], &arena, specs[spec].sizes[i],
						(uint32_t)(BUDGET / specs[spec].sizes[i])),
				 0);
}

static void slabs_down(void)
{
	int i;

	for (i = 0; i < 3; i++)
		sfr__slab_fini(&slabs[i]);
	sfr__arena_fini(&arena);
}

static unsigned random_next(void)
{
	random_state = random_state * 1103515245 + 12345;
	return random_state >> 16;
}

/* However the sizes take turns, all of the budget is to be had, and no block lies in another. */
START_TEST(all_of_the_budget_can_be_had_in_whatever_sizes)
{
	const int spec = _i % 4;
	static unsigned char *blocks[3][BUDGET / 64];
	static size_t counts[3];
	size_t left = BUDGET, i;
	int s;

	random_state = (unsigned)_i;
	slabs_make(spec);
	memset(counts, 0, sizeof(counts));
	while (left >= block_max(spec)) {
		uint32_t more = 1 + random_next() % 40;

		s = (int)(random_next() % 3);
		if (more > left / specs[spec].sizes[s])
			more = (uint32_t)(left / specs[spec].sizes[s]);
		ck_assert_int_eq(sfr__slab_grow(&slabs[s], more), 0);
		left -= (size_t)more * specs[spec].sizes[s];
		while (slabs[s].free_count)
			blocks[s][counts[s]++] = sfr__slab_take(&slabs[s]);
	}

	for (s = 0; s < 3; s++)
		for (i = 0; i < counts[s]; i++) {
			if (sfr__arena_owner(&arena, blocks[s][i]) != &slabs[s])
				ck_abort_msg("block %zu of slab %d is not its own", i, s);
			memset(blocks[s][i], s * 64 + (int)i % 61, specs[spec].sizes[s]);
		}
	for (s = 0; s < 3; s++) {
		ck_assert_uint_eq(slabs[s].count, counts[s]);
		for (i = 0; i < counts[s]; i++) {
			unsigned char *last = blocks[s][i] + specs[spec].sizes[s] - 1;

			if (*blocks[s][i] != s * 64 + (int)i % 61 || *last != *blocks[s][i] ||
			    sfr__arena_owner(&arena, last) != &slabs[s] ||
			    !sfr__slab_give(&slabs[s], last))
				ck_abort_msg("block %zu of slab %d lies in another one", i, s);
		}
		ck_assert_uint_eq(slabs[s].free_count, counts[s]);
	}
	slabs_down();
}
END_TEST

START_TEST(the_first_blocks_lie_one_behind_the_other)
{
	uint32_t i;

	slabs_make(0);
	ck_assert_int_eq(sfr__slab_grow(&slabs[0], 900), 0);
	for (i = 0; i < 900; i++)
		if (sfr__slab_take(&slabs[0]) != arena.base + i * 4096)
			ck_abort_msg("block %u lies elsewhere", i);
	slabs_down();
}
END_TEST

/* What is left of a piece is used before another one is taken. */
START_TEST(a_slab_uses_its_pieces_up)
{
	size_t taken;

	slabs_make(0);
	ck_assert_int_eq(sfr__slab_grow(&slabs[1], 1), 0);
	taken = arena.taken;
	ck_assert_int_eq(sfr__slab_grow(&slabs[0], 1), 0);
	ck_assert_uint_eq(arena.taken, 2 * taken);
	ck_assert_int_eq(sfr__slab_grow(&slabs[1], 64 * 1024 / 512 - 1), 0);
	ck_assert_int_eq(sfr__slab_grow(&slabs[0], 15), 0);
	ck_assert_uint_eq(arena.taken, 2 * taken);
	ck_assert_int_eq(sfr__slab_grow(&slabs[0], 1), 0);
	ck_assert_uint_eq(arena.taken, 3 * taken);
	slabs_down();
}
END_TEST

START_TEST(a_slab_that_cannot_grow_stays_as_it_is)
{
	struct sfr__slab before;
	size_t taken;

	slabs_make(0);
	ck_assert_int_eq(sfr__slab_grow(&slabs[0], 3), 0);
	ck_assert_int_eq(sfr__slab_grow(&slabs[2], 5), 0);
	before = slabs[0];
	taken = arena.taken;
	ck_assert_int_eq(sfr__slab_grow(&slabs[0], 2 * BUDGET / 4096), -ENOMEM);
	ck_assert_uint_eq(slabs[0].count, before.count);
	ck_assert_uint_eq(slabs[0].free_count, before.free_count);
	ck_assert_uint_eq(slabs[0].next, before.next);
	ck_assert_uint_eq(arena.taken, taken);
	ck_assert_int_eq(sfr__slab_grow(&slabs[0], 100), 0);
	slabs_down();
}
END_TEST

START_TEST(an_arena_larger_than_all_addresses_is_refused)
{
	ck_assert_int_eq(sfr__arena_init(&arena, UINT64_MAX / 2 + 1, 4096, 0), -ENOMEM);
	ck_assert_int_eq(sfr__arena_init(&arena, UINT64_C(1) << 60, 4096, 0), -ENOMEM);
	sfr__arena_fini(&arena);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("arena");
	TCase *tc = patient_case(suite, "blocks");

	tcase_add_loop_test(tc, all_of_the_budget_can_be_had_in_whatever_sizes, 0, 40);
	tcase_add_test(tc, the_first_blocks_lie_one_behind_the_other);
	tcase_add_test(tc, a_slab_uses_its_pieces_up);
	tcase_add_test(tc, a_slab_that_cannot_grow_stays_as_it_is);
	tcase_add_test(tc, an_arena_larger_than_all_addresses_is_refused);
	return suite_run(suite);
}
