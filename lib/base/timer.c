/* SPDX-License-Identifier: MIT */
/*
 * Timer: the wheel's arithmetic.
 *
 * A set of bits for each level says which of its buckets hold timers, so time that passes with
 * nothing due is skipped by looking for the next bit, and not tick by tick.
 */
#include "base/timer.h"
#include "base/invariant.h"

#define DIGIT_BITS 6
#define NO_BUCKET UINT16_MAX
#define TICK_NS ((uint64_t)1 << SFR__TICK_SHIFT)

static unsigned digit(uint64_t tick, unsigned level)
{
	return (unsigned)(tick >> (level * DIGIT_BITS)) & (SFR__WHEEL_BUCKETS - 1);
}

void sfr__wheel_init(struct sfr__wheel *wheel, uint64_t now_ns)
{
	unsigned level, bucket;

	*wheel = (struct sfr__wheel){.tick = now_ns >> SFR__TICK_SHIFT};
	for (level = 0; level < SFR__WHEEL_LEVELS; level++)
		for (bucket = 0; bucket < SFR__WHEEL_BUCKETS; bucket++)
			sfr__list_init(&wheel->buckets[level][bucket]);
}

static void wheel_place(struct sfr__wheel *wheel, struct sfr__timer *timer)
{
	uint64_t differs = timer->tick ^ wheel->tick;
	unsigned level = differs ? (63 - (unsigned)__builtin_clzll(differs)) / DIGIT_BITS : 0;
	unsigned bucket = digit(timer->tick, level);

	timer->bucket = (uint16_t)(level * SFR__WHEEL_BUCKETS + bucket);
	wheel->occupied[level] |= (uint64_t)1 << bucket;
	sfr__list_append(&wheel->buckets[level][bucket], &timer->hook);
}

void sfr__wheel_add(struct sfr__wheel *wheel, struct sfr__timer *timer, uint64_t expires_ns)
{
	uint64_t tick = expires_ns > UINT64_MAX - TICK_NS
				? UINT64_MAX >> SFR__TICK_SHIFT
				: (expires_ns + TICK_NS - 1) >> SFR__TICK_SHIFT;

	timer->tick = tick > wheel->tick ? tick : wheel->tick + 1;
	wheel_place(wheel, timer);
	wheel->count++;
}

static void bucket_vacate(struct sfr__wheel *wheel, unsigned level, unsigned bucket)
{
	wheel->occupied[level] &= ~((uint64_t)1 << bucket);
}

void sfr__wheel_remove(struct sfr__wheel *wheel, struct sfr__timer *timer)
{
	unsigned level = timer->bucket / SFR__WHEEL_BUCKETS,
		 bucket = timer->bucket % SFR__WHEEL_BUCKETS;

	sfr__list_remove(&timer->hook);
	if (timer->bucket != NO_BUCKET && sfr__list_empty(&wheel->buckets[level][bucket]))
		bucket_vacate(wheel, level, bucket);
	wheel->count--;
}

/* The first tick after the present one at which a bucket is due. A lower level is always due before a
 * higher one. False if there is none. */
static bool wheel_due(const struct sfr__wheel *wheel, uint64_t *tick_out)
{
	unsigned level;

	for (level = 0; level < SFR__WHEEL_LEVELS; level++) {
		unsigned shift = level * DIGIT_BITS, here = digit(wheel->tick, level);
		uint64_t after = wheel->occupied[level] & (~(uint64_t)1 << here);

		if (after) {
			uint64_t above = wheel->tick >> shift >> DIGIT_BITS << DIGIT_BITS;

			*tick_out = (above | (unsigned)__builtin_ctzll(after)) << shift;
			return true;
		}
	}
	return false;
}

/* The present tick begins a bucket of this level: its timers move to lower ones. */
static void bucket_cascade(struct sfr__wheel *wheel, unsigned level)
{
	unsigned bucket = digit(wheel->tick, level);
	struct sfr__hook moving;

	sfr__list_move(&moving, &wheel->buckets[level][bucket]);
	bucket_vacate(wheel, level, bucket);
	while (!sfr__list_empty(&moving)) {
		struct sfr__timer *timer = sfr__container(moving.next, struct sfr__timer, hook);

		sfr__list_remove(&timer->hook);
		wheel_place(wheel, timer);
		wheel->moved++;
	}
}

static unsigned bucket_fire(struct sfr__wheel *wheel)
{
	unsigned bucket = digit(wheel->tick, 0), fired = 0;
	struct sfr__hook due, *hook;

	sfr__list_move(&due, &wheel->buckets[0][bucket]);
	bucket_vacate(wheel, 0, bucket);
	for (hook = due.next; hook != &due; hook = hook->next)
		sfr__container(hook, struct sfr__timer, hook)->bucket = NO_BUCKET;
	while (!sfr__list_empty(&due)) {
		struct sfr__timer *timer = sfr__container(due.next, struct sfr__timer, hook);

		sfr__wheel_remove(wheel, timer);
		timer->fire(timer);
		fired++;
	}
	wheel->moved += fired;
	return fired;
}

unsigned sfr__wheel_advance(struct sfr__wheel *wheel, uint64_t now_ns)
{
	uint64_t now = now_ns >> SFR__TICK_SHIFT, tick;
	unsigned fired = 0, level;

	while (wheel->count && wheel_due(wheel, &tick) && tick <= now) {
		wheel->tick = tick;
		for (level = SFR__WHEEL_LEVELS - 1; level > 0; level--)
			if ((tick & (((uint64_t)1 << (level * DIGIT_BITS)) - 1)) == 0)
				bucket_cascade(wheel, level);
		fired += bucket_fire(wheel);
	}
	if (now > wheel->tick)
		wheel->tick = now;
	return fired;
}

int64_t sfr__wheel_next(const struct sfr__wheel *wheel, uint64_t now_ns)
{
	uint64_t tick, at;

	if (!wheel->count || !wheel_due(wheel, &tick))
		return -1;
	at = tick << SFR__TICK_SHIFT;
	return at > now_ns ? (int64_t)((at - now_ns) & INT64_MAX) : 0;
}
