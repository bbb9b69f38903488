/* SPDX-License-Identifier: MIT */
/*
 * The wheel against a list, and the timers that ops make of it.
 */
#include "base/timer.h"
#include "world.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/*
 * The wheel.
 */

#define TICK ((uint64_t)1 << SFR__TICK_SHIFT)
#define TIMERS 300

/* A timer, and what a plain list knows of it. */
struct model {
	struct sfr__timer timer; /* first */
	bool on;
	uint64_t expires;
	int fired;
};

static struct sfr__wheel wheel;
static struct model models[TIMERS];
static uint64_t model_now, last_fired_tick;
static unsigned seed;
static int models_on;
static bool readding; /* firing adds and removes timers */

static uint64_t random_bits(void)
{
	return (uint64_t)(unsigned)rand_r(&seed) << 42 ^ (uint64_t)(unsigned)rand_r(&seed) << 21 ^
	       (uint64_t)(unsigned)rand_r(&seed);
}

/* From no time at all to half of for ever. */
static uint64_t random_span(void)
{
	return random_bits() >> (1 + (unsigned)rand_r(&seed) % 62);
}

static void model_add(struct model *model);

static void model_fired(struct sfr__timer *timer)
{
	struct model *model = (struct model *)timer;

	ck_assert_msg(model->on, "a timer fired that was not on the wheel");
	ck_assert_msg(model->expires <= model_now, "%llu ns too early",
		      (unsigned long long)(model->expires - model_now));
	ck_assert_uint_ge(timer->tick, last_fired_tick); /* in order */
	last_fired_tick = timer->tick;
	model->on = false;
	model->fired++;
	models_on--;
	if (!readding)
		return;
	if (rand_r(&seed) % 3 == 0)
		model_add(model);
	if (rand_r(&seed) % 3 == 0)
		model_add(&models[rand_r(&seed) % TIMERS]);
	model = &models[rand_r(&seed) % TIMERS];
	if (model->on && rand_r(&seed) % 3 == 0) {
		sfr__wheel_remove(&wheel, &model->timer);
		model->on = false;
		models_on--;
	}
}

static void model_add(struct model *model)
{
	uint64_t span = random_span();

	if (model->on)
		return;
	model->on = true;
	model->expires = span > UINT64_MAX / 2 - model_now ? UINT64_MAX / 2 : model_now + span;
	model->timer.fire = model_fired;
	models_on++;
	sfr__wheel_add(&wheel, &model->timer, model->expires);
}

static uint64_t earliest(void)
{
	uint64_t least = UINT64_MAX;
	int i;

	for (i = 0; i < TIMERS; i++)
		if (models[i].on && models[i].expires < least)
			least = models[i].expires;
	return least;
}

static void check_against_the_list(void)
{
	int64_t next = sfr__wheel_next(&wheel, model_now);
	int i;

	ck_assert_uint_eq(wheel.count, (uint64_t)models_on);
	if (!models_on) {
		ck_assert_int_eq(next, -1);
		return;
	}
	ck_assert_int_ge(next, 0);
	ck_assert_msg((uint64_t)next <=
			      (earliest() > model_now ? earliest() - model_now : 0) + 2 * TICK,
		      "the wheel would sleep past a timer");
	for (i = 0; i < TIMERS; i++) /* an assert writes a message: too much for each of so many */
		if (models[i].on && models[i].expires + 2 * TICK <= model_now)
			ck_abort_msg("a timer is %llu ns late",
				     (unsigned long long)(model_now - models[i].expires));
}

START_TEST(the_wheel_does_what_a_list_would_do)
{
	int round;

	memset(models, 0, sizeof(models));
	seed = (unsigned)_i;
	models_on = 0;
	readding = true;
	model_now = random_span();
	sfr__wheel_init(&wheel, model_now);
	for (round = 0; round < 3000; round++) {
		struct model *model = &models[rand_r(&seed) % TIMERS];

		if (rand_r(&seed) % 4 && !model->on) {
			model_add(model);
		} else if (model->on) {
			sfr__wheel_remove(&wheel, &model->timer);
			model->on = false;
			models_on--;
		}
		if (rand_r(&seed) % 2) {
			uint64_t span = rand_r(&seed) % 4 ? random_span() >> 24 : random_span();

			if (rand_r(&seed) % 3 == 0 && models_on && earliest() > model_now)
				span = earliest() - model_now;
			model_now = span > UINT64_MAX / 2 - model_now ? UINT64_MAX / 2
								      : model_now + span;
			last_fired_tick = 0;
			sfr__wheel_advance(&wheel, model_now);
		}
		check_against_the_list();
	}
}
END_TEST

/* Driven as the loop drives it: it sleeps as long as the wheel says, and no timer is late by a tick. */
START_TEST(whoever_sleeps_as_long_as_the_wheel_says_is_never_late)
{
	int i;

	memset(models, 0, sizeof(models));
	seed = (unsigned)_i;
	models_on = 0;
	readding = false;
	model_now = random_bits() >> 8;
	sfr__wheel_init(&wheel, model_now);
	for (i = 0; i < TIMERS; i++)
		model_add(&models[i]);
	while (models_on) {
		uint64_t due = earliest();
		int64_t sleep = sfr__wheel_next(&wheel, model_now);

		ck_assert_int_ge(sleep, 0);
		model_now += (uint64_t)sleep;
		ck_assert_uint_le(model_now, due + TICK);
		last_fired_tick = 0;
		sfr__wheel_advance(&wheel, model_now);
	}
}
END_TEST

static void count_fired(struct sfr__timer *timer)
{
	((struct model *)timer)->fired++;
}

START_TEST(the_wheel_takes_any_time_there_is)
{
	static const uint64_t times[] = {0,
					 1,
					 12345,
					 UINT64_MAX,
					 UINT64_MAX - 1,
					 UINT64_MAX - TICK,
					 UINT64_MAX >> 1,
					 (uint64_t)1 << 63};
	struct model model = {.timer.fire = count_fired};
	size_t i;

	for (i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		sfr__wheel_init(&wheel, 1000000);
		sfr__wheel_add(&wheel, &model.timer, times[i]);
		ck_assert_uint_eq(wheel.count, 1);
		ck_assert_int_ge(sfr__wheel_next(&wheel, 1000000), 0);
		ck_assert_uint_eq(sfr__wheel_advance(&wheel, 1000000), 0);
		sfr__wheel_remove(&wheel, &model.timer);
		ck_assert_int_eq(sfr__wheel_next(&wheel, 1000000), -1);
	}
	ck_assert_int_eq(model.fired, 0);
}
END_TEST

START_TEST(a_time_that_has_passed_fires_in_the_next_tick)
{
	struct model model = {.timer.fire = count_fired};

	sfr__wheel_init(&wheel, 1000 * TICK);
	sfr__wheel_add(&wheel, &model.timer, 1);
	ck_assert_uint_eq(sfr__wheel_advance(&wheel, 1000 * TICK), 0);
	ck_assert_int_eq(sfr__wheel_next(&wheel, 1000 * TICK), TICK);
	ck_assert_uint_eq(sfr__wheel_advance(&wheel, 1001 * TICK), 1);
	ck_assert_int_eq(model.fired, 1);
}
END_TEST

static void fire_and_add_again(struct sfr__timer *timer)
{
	((struct model *)timer)->fired++;
	sfr__wheel_add(&wheel, timer, 0);
}

START_TEST(a_timer_that_adds_itself_again_does_not_fire_twice_in_one_tick)
{
	struct model model = {.timer.fire = fire_and_add_again};

	sfr__wheel_init(&wheel, 1000 * TICK);
	sfr__wheel_add(&wheel, &model.timer, 0);
	ck_assert_uint_eq(sfr__wheel_advance(&wheel, 1001 * TICK), 1);
	ck_assert_uint_eq(sfr__wheel_advance(&wheel, 1001 * TICK), 0);
	ck_assert_uint_eq(wheel.count, 1);
	sfr__wheel_remove(&wheel, &model.timer);
}
END_TEST

/*
 * Timeouts and intervals.
 */

static uint64_t clock_at_call;

static uint64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void record_time(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	clock_at_call = clock_ns();
	record(loop, result, buf, arg);
}

START_TEST(a_timeout_is_never_early)
{
	sfr_loop *loop = loop_in(_i, NULL);
	static const uint64_t spans[] = {0, 1, 1000, 65535, 65536, 65537, 1000000, 5000000};
	size_t i;

	for (i = 0; i < sizeof(spans) / sizeof(spans[0]); i++) {
		uint64_t before = clock_ns();

		sfr_submit(sfr_timeout(loop, spans[i]), record_time, &seen);
		ck_assert_int_eq(sfr_loop_run(loop), 0);

		ck_assert_int_eq(seen.calls, (int)i + 1);
		ck_assert_int_eq(seen.result, 0);
		ck_assert_uint_ge(clock_at_call - before, spans[i]);
		ck_assert_uint_ge(sfr_loop_now(loop) - before, spans[i]);
	}
}
END_TEST

static uint64_t fired_order[8];
static int fired_count;

static void note_fired(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	(void)loop;
	(void)buf;
	ck_assert_int_eq(result, 0);
	fired_order[fired_count++] = *(const uint64_t *)arg;
}

/* With these times from each other. Returns how long it took to say so: when that is more, there is no order. */
static uint64_t fire_in_order(sfr_loop *loop, uint64_t apart)
{
	static const uint64_t order[] = {4, 2, 6, 1, 5, 0, 3};
	int i, count = sizeof(order) / sizeof(order[0]);
	uint64_t begin = clock_ns(), took;

	fired_count = 0;
	for (i = 0; i < count; i++)
		sfr_submit(sfr_timeout(loop, order[i] * apart), note_fired,
			   (void *)(uintptr_t)&order[i]);
	took = clock_ns() - begin;
	ck_assert_int_eq(sfr_loop_run(loop), 0);
	ck_assert_int_eq(fired_count, count);
	return took;
}

START_TEST(timeouts_come_in_the_order_of_their_time)
{
	sfr_loop *loop = loop_in(_i, NULL);
	uint64_t apart = 500000;
	int i;

	while (fire_in_order(loop, apart) >= apart)
		apart *= 2;

	for (i = 0; i < fired_count; i++)
		ck_assert_uint_eq(fired_order[i], (uint64_t)i);
}
END_TEST

#define MANY 100000

START_TEST(a_hundred_thousand_timeouts_all_fire)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int i;

	for (i = 0; i < MANY; i++)
		sfr_submit(sfr_timeout(loop, (uint64_t)(i % 1000) * 10000), record, &seen);
	ck_assert_uint_eq(sfr_loop_inflight(loop), MANY);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.calls, MANY);
	ck_assert_int_eq(seen.result, 0);
}
END_TEST

/* Were each search linear, this would be the work of minutes. */
START_TEST(a_hundred_thousand_timeouts_are_cancelled_in_any_order)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_ticket *tickets = calloc(MANY, sizeof(*tickets));
	int i;

	for (i = 0; i < MANY; i++)
		tickets[i] = sfr_submit(sfr_timeout(loop, 1000000000000), record, &seen);
	for (i = 0; i < MANY; i++)
		ck_assert_int_eq(sfr_cancel(loop, tickets[(i * 7919) % MANY]), 0);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.calls, MANY);
	ck_assert_int_eq(seen.result, -ECANCELED);
	free(tickets);
}
END_TEST

START_TEST(an_interval_goes_on_until_cancelled)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_ticket ticket = sfr_submit(sfr_interval(loop, 200000), record, &seen);

	turn_until(loop, &seen.calls, 10);
	ck_assert_int_eq(sfr_cancel(loop, ticket), 0);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.result, -ECANCELED);
	ck_assert_int_eq(sfr_cancel(loop, ticket), -SFR_ESTALE);
}
END_TEST

START_TEST(an_interval_counts_the_periods_it_missed)
{
	sfr_loop *loop = loop_in(_i, NULL);
	const uint64_t period = 1000000;
	sfr_ticket ticket = sfr_submit(sfr_interval(loop, period), record, &seen);
	uint64_t begin = clock_ns();

	while (clock_ns() < begin + 10 * period)
		;
	ck_assert_int_eq(sfr_loop_step(loop, 0), 1);
	ck_assert_int_ge(seen.result, 10);
	sfr_cancel(loop, ticket);
}
END_TEST

/* A period little longer than a tick of the wheel: were each counted from a late call, half would be lost. */
START_TEST(an_interval_does_not_drift)
{
	sfr_loop *loop = loop_in(_i, NULL);
	const uint64_t period = 70000;
	uint64_t begin = clock_ns(), end;
	sfr_ticket ticket = sfr_submit(sfr_interval(loop, period), record, &seen);

	end = clock_ns();
	turn_until(loop, &seen.calls, 200);
	ck_assert_uint_le(seen.bytes, (sfr_loop_now(loop) - begin) / period);
	ck_assert_uint_ge(seen.bytes + 1, (sfr_loop_now(loop) - end) / period);
	sfr_cancel(loop, ticket);
}
END_TEST

START_TEST(an_interval_of_nothing_counts_as_one_nanosecond)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_ticket ticket = sfr_submit(sfr_interval(loop, 0), record, &seen);

	turn_until(loop, &seen.calls, 3);
	ck_assert_int_gt(seen.result, 1);
	sfr_cancel(loop, ticket);
}
END_TEST

static sfr_ticket to_cancel;

static void cancel_other(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	ck_assert_int_eq(sfr_cancel(loop, to_cancel), 0);
	record(loop, result, buf, arg);
}

START_TEST(a_timeout_cancelled_by_another_that_is_due_with_it_does_not_fire)
{
	sfr_loop *loop = loop_in(_i, NULL);
	uint64_t begin = clock_ns();

	sfr_submit(sfr_timeout(loop, 0), cancel_other, &seen);
	to_cancel = sfr_submit(sfr_timeout(loop, 0), record, &other);
	while (clock_ns() < begin + 1000000)
		;
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.result, 0);
	ck_assert_int_eq(other.calls, 1);
	ck_assert_int_eq(other.result, -ECANCELED);
}
END_TEST

START_TEST(a_loop_that_waits_for_a_timeout_sleeps)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_loop_stats stats;

	sfr_submit(sfr_timeout(loop, 50000000), record, &seen);
	ck_assert_int_eq(sfr_loop_run(loop), 0);
	sfr_loop_stats_get(loop, &stats, sizeof(stats));

	ck_assert_uint_le(stats.turns, 20);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("timer");
	TCase *tc = patient_case(suite, "wheel");

	tcase_add_loop_test(tc, the_wheel_does_what_a_list_would_do, 0, 60);
	tcase_add_loop_test(tc, whoever_sleeps_as_long_as_the_wheel_says_is_never_late, 0, 20);
	tcase_add_test(tc, the_wheel_takes_any_time_there_is);
	tcase_add_test(tc, a_time_that_has_passed_fires_in_the_next_tick);
	tcase_add_test(tc, a_timer_that_adds_itself_again_does_not_fire_twice_in_one_tick);
	tc = world_case(suite, "timeouts and intervals");
	world_test(tc, a_timeout_is_never_early);
	world_test(tc, timeouts_come_in_the_order_of_their_time);
	world_test(tc, a_hundred_thousand_timeouts_all_fire);
	world_test(tc, an_interval_goes_on_until_cancelled);
	world_test(tc, an_interval_counts_the_periods_it_missed);
	world_test(tc, an_interval_does_not_drift);
	world_test(tc, an_interval_of_nothing_counts_as_one_nanosecond);
	world_test(tc, a_timeout_cancelled_by_another_that_is_due_with_it_does_not_fire);
	world_test(tc, a_loop_that_waits_for_a_timeout_sleeps);
	tc = world_case(suite, "many at a time");
	tcase_add_checked_fixture(tc, work_a_minute_at_most, NULL);
	world_test(tc, a_hundred_thousand_timeouts_are_cancelled_in_any_order);
	return world_run(suite);
}
