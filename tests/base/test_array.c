/* SPDX-License-Identifier: MIT */
/*
 * Arrays: elements that never move, and addresses that are not wasted.
 */
#include "base/array.h"
#include "cases.h"
#include <errno.h>
#include <string.h>

struct element {
	uint64_t value;
	char rest[40];
};

#define COUNT_MAX 200000

static struct sfr__array array;

static void array_up(void)
{
	sfr__array_init(&array, sizeof(struct element), COUNT_MAX);
}

static void array_down(void)
{
	sfr__array_fini(&array);
}

static struct element *element_at(size_t index)
{
	return sfr__array_at(&array, index);
}

START_TEST(places_follow_each_other_to_the_last_index_of_32_bits)
{
	uint64_t index;

	ck_assert_uint_eq(sfr__array_place(0).extent, 0);
	ck_assert_uint_eq(sfr__array_place(0).offset, 0);
	for (index = 0; index < UINT32_MAX; index += 1 + index / 2000) {
		struct sfr__array_place place = sfr__array_place((size_t)index);
		struct sfr__array_place next = sfr__array_place((size_t)index + 1);
		bool last = place.offset + 1 == (uint64_t)1 << place.shift;

		if (place.extent >= SFR__ARRAY_EXTENTS ||
		    place.offset >= (uint64_t)1 << place.shift ||
		    next.extent != place.extent + last ||
		    next.offset != (last ? 0 : place.offset + 1))
			ck_abort_msg("element %llu is not before the next one",
				     (unsigned long long)index);
	}
}
END_TEST

START_TEST(elements_stay_where_they_are_while_there_come_to_be_more)
{
	static struct element *seen[COUNT_MAX];
	size_t count, i, last = 0;

	for (count = 1; count <= COUNT_MAX; count += 1 + count / 3) {
		ck_assert_int_eq(sfr__array_grow(&array, count), 0);
		ck_assert_uint_ge(array.ready, count);
		for (i = last; i < count; i++) {
			seen[i] = element_at(i);
			if (seen[i]->value != 0)
				ck_abort_msg("element %zu is not fresh", i);
			seen[i]->value = i + 1;
		}
		last = count;
		for (i = 0; i < count; i++)
			if (element_at(i) != seen[i] || seen[i]->value != i + 1)
				ck_abort_msg("element %zu is not where it was", i);
	}
}
END_TEST

START_TEST(each_element_is_found_by_its_address)
{
	size_t i;

	ck_assert_int_eq(sfr__array_grow(&array, 50000), 0);
	for (i = 0; i < 50000; i++)
		if (sfr__array_index(&array, element_at(i), 50000) != i)
			ck_abort_msg("element %zu is not found", i);
}
END_TEST

/* Callers pass what they like, and nothing is read there. */
START_TEST(an_address_that_is_no_element_is_found_out)
{
	const size_t count = 7001;
	const char *at;
	size_t i;

	ck_assert_uint_eq(sfr__array_index(&array, &array, 0), SFR__ARRAY_NONE);
	ck_assert_int_eq(sfr__array_grow(&array, count), 0);
	ck_assert_uint_eq(sfr__array_index(&array, NULL, count), SFR__ARRAY_NONE);
	ck_assert_uint_eq(sfr__array_index(&array, &array, count), SFR__ARRAY_NONE);
	ck_assert_uint_eq(sfr__array_index(&array, (void *)UINTPTR_MAX, count), SFR__ARRAY_NONE);
	for (i = 0; i < count; i += 500) {
		at = (const char *)element_at(i);
		ck_assert_uint_eq(sfr__array_index(&array, at + 1, count), SFR__ARRAY_NONE);
		ck_assert_uint_eq(sfr__array_index(&array, at + 47, count), SFR__ARRAY_NONE);
		ck_assert_uint_eq(sfr__array_index(&array, at, i), SFR__ARRAY_NONE);
	}
	at = (const char *)element_at(count - 1);
	ck_assert_uint_eq(sfr__array_index(&array, at + 48, count), SFR__ARRAY_NONE);
}
END_TEST

START_TEST(a_single_element_takes_the_addresses_of_one_extent)
{
	ck_assert_uint_eq(sfr__array_next(&array, 0), SFR__ARRAY_NONE);
	ck_assert(!sfr__array_has(&array, 150000));
	ck_assert_int_eq(sfr__array_touch(&array, 150000), 0);

	ck_assert(sfr__array_has(&array, 150000));
	ck_assert(!sfr__array_has(&array, 0));
	ck_assert_uint_eq(element_at(150000)->value, 0);
	ck_assert_uint_eq(array.ready, 0);
	ck_assert_uint_eq(sfr__array_index(&array, element_at(150000), COUNT_MAX), 150000);
	ck_assert_uint_gt(sfr__array_next(&array, 0), 150000 - 150000 / 4);
	ck_assert_uint_le(sfr__array_next(&array, 0), 150000);
	ck_assert_uint_eq(sfr__array_next(&array, 150001), 150001);

	ck_assert_int_eq(sfr__array_grow(&array, COUNT_MAX), 0);
	ck_assert_uint_eq(sfr__array_next(&array, 0), 0);
	ck_assert_uint_eq(sfr__array_next(&array, COUNT_MAX), SFR__ARRAY_NONE);
}
END_TEST

START_TEST(there_are_no_more_elements_than_were_asked_for)
{
	ck_assert_int_eq(sfr__array_grow(&array, COUNT_MAX + 1), -ENOMEM);
	ck_assert_int_eq(sfr__array_touch(&array, COUNT_MAX), -ENOMEM);
	ck_assert_int_eq(sfr__array_touch(&array, SIZE_MAX), -ENOMEM);
	ck_assert(!sfr__array_has(&array, SIZE_MAX));
	ck_assert_int_eq(sfr__array_touch(&array, COUNT_MAX - 1), 0);
}
END_TEST

START_TEST(addresses_are_a_fourth_more_than_the_elements_take_at_most)
{
	size_t count;

	for (count = 1; count <= 10000000; count += 1 + count / 7) {
		uint64_t least = (uint64_t)count * sizeof(struct element);
		uint64_t taken = sfr__array_addresses(sizeof(struct element), count);

		ck_assert_uint_ge(taken, least);
		ck_assert_uint_le(taken, least + least / 4 + 65536);
	}
	ck_assert_uint_eq(sfr__array_addresses(sizeof(struct element), 0), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("array");
	TCase *tc = patient_case(suite, "elements");

	tcase_add_checked_fixture(tc, array_up, array_down);
	tcase_add_test(tc, places_follow_each_other_to_the_last_index_of_32_bits);
	tcase_add_test(tc, elements_stay_where_they_are_while_there_come_to_be_more);
	tcase_add_test(tc, each_element_is_found_by_its_address);
	tcase_add_test(tc, an_address_that_is_no_element_is_found_out);
	tcase_add_test(tc, a_single_element_takes_the_addresses_of_one_extent);
	tcase_add_test(tc, there_are_no_more_elements_than_were_asked_for);
	tcase_add_test(tc, addresses_are_a_fourth_more_than_the_elements_take_at_most);
	return suite_run(suite);
}
