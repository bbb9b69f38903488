/* SPDX-License-Identifier: MIT */
/*
 * Appending: where the end of a chain is, and what it costs to find it.
 */
#include "buffer/buf.h"
#include "world.h"
#include <errno.h>
#include <safer_ring/error.h>
#include <time.h>

/* A buffer that can be told from others: by its len. */
static sfr_buf *part(sfr_loop *loop, uint32_t len)
{
	sfr_buf *buf = sfr_buf_get(loop, 64);

	ck_assert_ptr_nonnull(buf);
	buf->len = len;
	return buf;
}

static void assert_parts(const sfr_buf *chain, const uint32_t *lens, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++, chain = chain->next) {
		ck_assert_ptr_nonnull(chain);
		ck_assert_uint_eq(chain->len, lens[i]);
	}
	ck_assert_ptr_null(chain);
}

#define assert_chain(chain, ...)                             \
	assert_parts(chain, (const uint32_t[]){__VA_ARGS__}, \
		     sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

/* 1, 2, 3 */
static sfr_buf *three(sfr_loop *loop)
{
	return sfr_buf_append(sfr_buf_append(part(loop, 1), part(loop, 2)), part(loop, 3));
}

/*
 * Long ones.
 */

#define MANY 200000

/* By a walk each time this would be 20,000,000,000 steps. */
#define CPU_MAX_S 10

static sfr_buf *many(sfr_loop *loop)
{
	sfr_buf *first = part(loop, 1), *chain = NULL;
	int i;

	for (i = 0; i < MANY; i++)
		chain = sfr_buf_append(chain, sfr_buf_share(first));
	sfr_buf_release(first);
	return chain;
}

static size_t parts_of(const sfr_buf *chain)
{
	size_t parts;

	for (parts = 0; chain; chain = chain->next)
		parts++;
	return parts;
}

START_TEST(to_append_costs_the_same_however_long_the_chain_is)
{
	sfr_loop *loop = loop_in(_i, NULL);
	clock_t before = clock();
	sfr_buf *chain = many(loop);

	ck_assert_int_lt((clock() - before) / CLOCKS_PER_SEC, CPU_MAX_S);
	ck_assert_uint_eq(parts_of(chain), MANY);
	sfr_buf_release(chain);
}
END_TEST

/* Its end is found once more by a walk, and known from then on. */
START_TEST(the_same_for_a_chain_that_came_back)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_buf *chain = many(loop), *more = part(loop, 2);
	clock_t before = clock();
	int i;

	ck_assert_int_lt(sfr_await(sfr_write(loop, -1, chain), &chain), 0);
	ck_assert_uint_eq(parts_of(chain), MANY);
	for (i = 0; i < MANY; i++)
		chain = sfr_buf_append(chain, sfr_buf_share(more));
	sfr_buf_release(more);
	ck_assert_int_lt((clock() - before) / CLOCKS_PER_SEC, CPU_MAX_S);
	ck_assert_uint_eq(parts_of(chain), 2 * MANY);
	sfr_buf_release(chain);
}
END_TEST

/*
 * Chains of chains.
 */

START_TEST(chains_are_appended_to_chains_in_order)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_buf *chain = three(loop);

	chain = sfr_buf_append(chain, three(loop));
	assert_chain(chain, 1, 2, 3, 1, 2, 3);
	chain = sfr_buf_append(part(loop, 9), chain);
	chain = sfr_buf_append(chain, part(loop, 4));
	chain = sfr_buf_append(chain, sfr_buf_append(part(loop, 5), part(loop, 6)));
	assert_chain(chain, 9, 1, 2, 3, 1, 2, 3, 4, 5, 6);
	sfr_buf_release(chain);
}
END_TEST

START_TEST(shares_of_a_chain_are_appended_to_at_their_own_end)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_buf *chain = three(loop), *share = sfr_buf_share(chain);

	share = sfr_buf_append(sfr_buf_append(share, part(loop, 4)), part(loop, 5));
	chain = sfr_buf_append(chain, part(loop, 6));
	assert_chain(share, 1, 2, 3, 4, 5);
	assert_chain(chain, 1, 2, 3, 6);
	sfr_buf_release(share);
	sfr_buf_release(chain);
}
END_TEST

START_TEST(a_chain_that_came_back_is_appended_to_at_its_end)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_buf *chain = three(loop);
	int i;

	for (i = 0; i < 3; i++) {
		ck_assert_int_lt(sfr_await(sfr_write(loop, -1, chain), &chain), 0);
		chain = sfr_buf_append(chain, part(loop, 4));
	}
	assert_chain(chain, 1, 2, 3, 4, 4, 4);
	sfr_buf_release(chain);
}
END_TEST

/*
 * A program that writes to `next`. It should not.
 */

START_TEST(parts_that_a_program_moved_are_in_the_chain_and_the_end_is_where_it_is)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_buf *chain = three(loop), *second = chain->next, *third = second->next;

	chain->next = third;
	third->next = second;
	second->next = NULL;
	chain = sfr_buf_append(chain, part(loop, 4));
	chain = sfr_buf_append(chain, part(loop, 5));
	assert_chain(chain, 1, 3, 2, 4, 5);
	ck_assert_int_eq(sfr_await(sfr_write(loop, empty_file(), chain), &chain), 15);
	sfr_buf_release(chain);
}
END_TEST

START_TEST(where_a_program_took_off_the_last_part_the_end_is_in_front_of_it)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_buf *chain = three(loop), *second = chain->next, *third = second->next;

	second->next = NULL;
	chain = sfr_buf_append(chain, part(loop, 4));
	assert_chain(chain, 1, 2, 4);
	chain = sfr_buf_append(chain, part(loop, 5));
	assert_chain(chain, 1, 2, 4, 5);
	chain->next = NULL; /* and all */
	chain = sfr_buf_append(chain, part(loop, 6));
	assert_chain(chain, 1, 6);
	ck_assert_int_eq(sfr_await(sfr_write(loop, empty_file(), chain), &chain), 7);

	chain->next->next = second;
	second->next->next->next = third;
	assert_chain(chain, 1, 6, 2, 4, 5, 3);
	sfr_buf_release(chain);
}
END_TEST

START_TEST(where_a_program_bridged_a_part_the_chain_goes_on)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_buf *chain = three(loop), *second = chain->next, *third = second->next;

	chain->next = third;
	chain = sfr_buf_append(chain, part(loop, 4));
	assert_chain(chain, 1, 3, 4);
	ck_assert_int_eq(sfr_await(sfr_write(loop, empty_file(), chain), &chain), 8);
	second->next = chain->next;
	chain->next = second;
	sfr_buf_release(chain);
}
END_TEST

/* What was appended behind the cut would be lost, and nobody would know. */
START_TEST(a_chain_that_a_program_cut_in_the_middle_is_refused)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_buf *chain = sfr_buf_append(three(loop), part(loop, 4)), *second = chain->next;
	sfr_buf *third = second->next;

	second->next = NULL;
	chain = sfr_buf_append(chain, part(loop, 5));
	ck_assert_int_eq(sfr_await(sfr_write(loop, empty_file(), chain), &chain), -EINVAL);
	assert_chain(chain, 1, 2);

	second->next = third;
	chain = sfr_buf_append(chain, part(loop, 6));
	assert_chain(chain, 1, 2, 3, 4, 5, 6);
	sfr_buf_release(chain);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("append");
	TCase *tcase = world_case(suite, "long chains");

	world_test(tcase, to_append_costs_the_same_however_long_the_chain_is);
	world_test(tcase, the_same_for_a_chain_that_came_back);
	tcase = world_case(suite, "chains of chains");
	world_test(tcase, chains_are_appended_to_chains_in_order);
	world_test(tcase, shares_of_a_chain_are_appended_to_at_their_own_end);
	world_test(tcase, a_chain_that_came_back_is_appended_to_at_its_end);
	tcase = world_case(suite, "next was written to");
	world_test(tcase, parts_that_a_program_moved_are_in_the_chain_and_the_end_is_where_it_is);
	world_test(tcase, where_a_program_took_off_the_last_part_the_end_is_in_front_of_it);
	world_test(tcase, where_a_program_bridged_a_part_the_chain_goes_on);
	world_test(tcase, a_chain_that_a_program_cut_in_the_middle_is_refused);
	return world_run(suite);
}
