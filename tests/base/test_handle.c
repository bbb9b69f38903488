/* SPDX-License-Identifier: MIT */
/*
 * Handles: whatever value is passed for one, it finds the object that it was given for, or none.
 */
#include "base/handle.h"
#include "base/log.h"
#include "cases.h"
#include <safer_ring/error.h>
#include <pthread.h>
#include <stdio.h>

struct thing {
	struct sfr__object object;
	int value;
};

/* A loop as far as handles know one. */
struct home {
	unsigned seat;
	struct sfr__objects objects[SFR__HANDLE_KINDS];
};

static char loop_memory[SFR__HANDLE_SEATS + 1];
static struct home homes[SFR__HANDLE_SEATS + 1];

static sfr_loop *loop_of(int i)
{
	return (sfr_loop *)(void *)&loop_memory[i];
}

static struct home *home_open(int i)
{
	homes[i].seat = sfr__seat_open(loop_of(i), homes[i].objects, false);
	return &homes[i];
}

static void home_close(struct home *home)
{
	sfr__seat_close(home->seat);
}

static struct thing *thing_new(struct home *home)
{
	return sfr__object_take(&home->objects[SFR__HANDLE_CONN], sizeof(struct thing));
}

static void thing_free(struct home *home, struct thing *thing)
{
	sfr__object_give(&home->objects[SFR__HANDLE_CONN], &thing->object);
}

static void *handle_of(const struct thing *thing)
{
	return (void *)thing->object.handle;
}

static struct thing *found(const void *handle)
{
	return sfr__object_find(handle, SFR__HANDLE_CONN);
}

static unsigned generation_of(const void *handle)
{
	return (uintptr_t)handle >> SFR__HANDLE_GENERATION_SHIFT & (SFR__HANDLE_GENERATIONS - 1);
}

START_TEST(a_handle_finds_its_object_and_no_address)
{
	struct home *home = home_open(0);
	struct thing *one = thing_new(home), *two = thing_new(home);

	ck_assert_ptr_eq(found(handle_of(one)), one);
	ck_assert_ptr_eq(found(handle_of(two)), two);
	ck_assert_ptr_eq(sfr__handle_loop(handle_of(one), SFR__HANDLE_CONN), loop_of(0));
	ck_assert_ptr_null(found(one));
	ck_assert_ptr_null(sfr__handle_loop(one, SFR__HANDLE_CONN));
	ck_assert_ptr_null(sfr__object_find(handle_of(one), SFR__HANDLE_SERVER));
	home_close(home);
}
END_TEST

START_TEST(a_value_that_differs_in_one_bit_finds_nothing)
{
	struct home *home = home_open(0);
	struct thing *thing = thing_new(home);
	unsigned bit;

	for (bit = 0; bit < 8 * sizeof(uintptr_t); bit++)
		ck_assert_ptr_null(found((void *)(thing->object.handle ^ (uintptr_t)1 << bit)));
	home_close(home);
}
END_TEST

START_TEST(no_value_reads_what_is_not_the_librarys)
{
	struct home *home = home_open(0);
	uint64_t value = 0x9e3779b97f4a7c15;
	int i;

	(void)thing_new(home);
	ck_assert_ptr_null(found(NULL));
	ck_assert_ptr_null(found((void *)UINTPTR_MAX));
	for (i = 0; i < 1000000; i++) {
		value ^= value << 13, value ^= value >> 7, value ^= value << 17;
		ck_assert_ptr_null(found((void *)(uintptr_t)value));
		(void)sfr__handle_loop((void *)(uintptr_t)value, SFR__HANDLE_CONN);
		ck_assert_int_eq(sfr__handle_refuse((void *)(uintptr_t)value, "it was tried"),
				 -SFR_ESTALE);
	}
	home_close(home);
}
END_TEST

START_TEST(an_index_that_is_used_again_has_another_handle)
{
	struct home *home = home_open(0);
	struct thing *thing = thing_new(home);
	void *before = handle_of(thing);

	thing_free(home, thing);
	ck_assert_ptr_null(found(before));
	ck_assert_ptr_eq(thing_new(home), thing);
	ck_assert_ptr_null(found(before));
	ck_assert_ptr_eq(found(handle_of(thing)), thing);
	home_close(home);
}
END_TEST

START_TEST(what_was_given_back_first_is_taken_first)
{
	struct home *home = home_open(0);
	struct thing *one = thing_new(home), *two = thing_new(home);

	thing_free(home, two);
	thing_free(home, one);
	ck_assert_ptr_eq(thing_new(home), two);
	ck_assert_ptr_eq(thing_new(home), one);
	home_close(home);
}
END_TEST

#if UINTPTR_MAX > UINT32_MAX

START_TEST(an_index_that_had_all_generations_is_left_out)
{
	struct home *home = home_open(0);
	struct thing *thing = thing_new(home);

	thing->object.handle |= (uintptr_t)(SFR__HANDLE_GENERATIONS - 1)
				<< SFR__HANDLE_GENERATION_SHIFT;
	ck_assert_ptr_eq(found(handle_of(thing)), thing);
	thing_free(home, thing);
	ck_assert_ptr_ne(thing_new(home), thing);
	ck_assert_ptr_null(found(handle_of(thing)));
	home_close(home);
}
END_TEST

/* Close loops until this one's seat is up again. */
static struct home *home_again(unsigned seat)
{
	for (;;) {
		struct home *home = home_open(0);

		if (home->seat == seat)
			return home;
		home_close(home);
	}
}

START_TEST(loops_of_one_seat_never_have_the_same_handles)
{
	enum { LOOPS = 20, USES = 5 };
	static void *had[LOOPS * USES];
	struct home *home = home_open(0);
	unsigned seat = home->seat, count = 0, i, round;

	for (round = 0; round < LOOPS; round++) {
		for (i = 0; i < USES; i++) {
			struct thing *thing = thing_new(home);
			unsigned k;

			for (k = 0; k < count; k++)
				ck_assert_ptr_ne(handle_of(thing), had[k]);
			had[count++] = handle_of(thing);
			thing_free(home, thing);
		}
		home_close(home);
		ck_assert(sfr__handle_is_orphan(had[count - 1], SFR__HANDLE_CONN));
		home = home_again(seat);
		for (i = 0; i < count; i++)
			ck_assert_ptr_null(found(had[i]));
	}
	ck_assert_uint_gt(generation_of((void *)home->objects[SFR__HANDLE_CONN].first), USES);
	home_close(home);
}
END_TEST

START_TEST(a_seat_that_had_all_handles_is_left_out)
{
	struct home *home = home_open(0);
	unsigned seat = home->seat;
	int i;

	for (i = 1 << SFR__HANDLE_EPOCH_BITS; i > 0; i--) {
		home->objects[SFR__HANDLE_CONN].generation_max = SFR__HANDLE_GENERATIONS - 1;
		home_close(home);
		if (i > 1)
			home = home_again(seat);
	}
	for (i = 0; i < 2 * SFR__HANDLE_SEATS; i++) {
		home = home_open(0);
		ck_assert_uint_ne(home->seat, seat);
		home_close(home);
	}
}
END_TEST

#endif

START_TEST(there_may_be_so_many_loops_and_no_more)
{
	int i;

	for (i = 1; i < SFR__HANDLE_SEATS; i++)
		ck_assert_uint_ne(home_open(i)->seat, 0);
	ck_assert_uint_eq(home_open(0)->seat, 0);
	home_close(&homes[7]);
	ck_assert_uint_ne(home_open(7)->seat, 0);
}
END_TEST

static char said[512];

static void note_line(enum sfr_log_level level, const char *line, void *arg)
{
	(void)level;
	(void)arg;
	snprintf(said, sizeof(said), "%s", line);
}

static void *look_elsewhere(void *handle)
{
	ck_assert_ptr_null(found(handle));
	return (void *)(intptr_t)sfr__handle_refuse(handle, "it was used");
}

START_TEST(another_thread_is_told_so_while_the_loop_is_there_and_stale_after_that)
{
	struct home *home = home_open(0);
	struct thing *thing = thing_new(home);
	void *handle = handle_of(thing), *answer;
	pthread_t thread;

	sfr_log_to(note_line, NULL);
	pthread_create(&thread, NULL, look_elsewhere, handle);
	pthread_join(thread, &answer);
	ck_assert_int_eq((int)(intptr_t)answer, -SFR_ETHREAD);
	ck_assert_str_eq(said, "it was used by a thread that is not the loop's");
	home_close(home);
	said[0] = '\0';
	pthread_create(&thread, NULL, look_elsewhere, handle);
	pthread_join(thread, &answer);
	ck_assert_int_eq((int)(intptr_t)answer, -SFR_ESTALE);
	ck_assert_str_eq(said, "");
	sfr__handle_report(handle, "it was used");
	ck_assert_str_eq(said, "it was used that is gone, or never was one");
}
END_TEST

static atomic_bool stop;

static void *loops_come_and_go(void *arg)
{
	(void)arg;
	while (!atomic_load(&stop)) {
		struct home *home = home_open(0);

		ck_assert_ptr_nonnull(thing_new(home));
		home_close(home);
	}
	return NULL;
}

START_TEST(a_stale_handle_may_be_tried_while_loops_come_and_go)
{
	struct home *home = home_open(1);
	uintptr_t handle = thing_new(home)->object.handle;
	pthread_t thread;
	int i;

	home_close(home);
	pthread_create(&thread, NULL, loops_come_and_go, NULL);
	for (i = 0; i < 200000; i++) { /* at the seats that the other thread is about to take */
		void *tried = (void *)(handle + ((uintptr_t)(i % SFR__HANDLE_SEATS)
						 << SFR__HANDLE_INDEX_BITS));

		ck_assert_ptr_null(found(tried));
		(void)sfr__handle_refuse(tried, "it was tried");
	}
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("handle");
	TCase *tc = patient_case(suite, "objects");

	tcase_add_test(tc, a_handle_finds_its_object_and_no_address);
	tcase_add_test(tc, a_value_that_differs_in_one_bit_finds_nothing);
	tcase_add_test(tc, no_value_reads_what_is_not_the_librarys);
	tcase_add_test(tc, an_index_that_is_used_again_has_another_handle);
	tcase_add_test(tc, what_was_given_back_first_is_taken_first);
#if UINTPTR_MAX > UINT32_MAX
	tcase_add_test(tc, an_index_that_had_all_generations_is_left_out);
	tcase_add_test(tc, loops_of_one_seat_never_have_the_same_handles);
	tcase_add_test(tc, a_seat_that_had_all_handles_is_left_out);
#endif
	tcase_add_test(tc, there_may_be_so_many_loops_and_no_more);
	tc = patient_case(suite, "threads");
	tcase_add_test(tc, another_thread_is_told_so_while_the_loop_is_there_and_stale_after_that);
	tcase_add_test(tc, a_stale_handle_may_be_tried_while_loops_come_and_go);
	return suite_run(suite);
}
