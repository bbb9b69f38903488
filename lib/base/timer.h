/* SPDX-License-Identifier: MIT */
/*
 * Timer: a hierarchical wheel. Adding and removing cost the same however many there are.
 *
 * Time is cut into ticks of 65.536 µs. Eight levels of 64 buckets cover all of it: a timer sits on the
 * level of the highest digit, base 64, in which its tick differs from the present one, and moves to
 * lower levels as that digit's turn comes. Timers never fire early, and less than a tick late. The
 * wheel knows no clock: whoever drives it says what time it is.
 */
#ifndef SFR_LIB_BASE_TIMER_H
#define SFR_LIB_BASE_TIMER_H

#include "base/list.h"
#include <stdint.h>

#define SFR__TICK_SHIFT 16
#define SFR__WHEEL_LEVELS 8
#define SFR__WHEEL_BUCKETS 64

/* A point of time that may lie beyond all counting. */
static inline uint64_t sfr__time_after(uint64_t now_ns, uint64_t ns)
{
	return ns > UINT64_MAX - now_ns ? UINT64_MAX : now_ns + ns;
}

struct sfr__timer {
	struct sfr__hook hook;
	uint64_t tick;                          /* when it is due */
	void (*fire)(struct sfr__timer *timer); /* it is off the wheel when this runs */
	uint16_t bucket;                        /* level * BUCKETS + bucket; wheel's own */
};

struct sfr__wheel {
	uint64_t tick; /* all up to this one have fired */
	uint64_t occupied[SFR__WHEEL_LEVELS];
	struct sfr__hook buckets[SFR__WHEEL_LEVELS][SFR__WHEEL_BUCKETS];
	uint64_t count;
	uint64_t moved; /* times that a timer fired, or came to a lower level */
};

void sfr__wheel_init(struct sfr__wheel *wheel, uint64_t now_ns);

/* Fire at `expires_ns`, or in the next tick if that has passed. The timer must not be on a wheel. */
void sfr__wheel_add(struct sfr__wheel *wheel, struct sfr__timer *timer, uint64_t expires_ns);

/* Take a timer off. It will not fire, not even if it was due in the turn that runs now. */
void sfr__wheel_remove(struct sfr__wheel *wheel, struct sfr__timer *timer);

/* Fire what is due by now. Firing may add and remove timers. Returns how many fired. */
unsigned sfr__wheel_advance(struct sfr__wheel *wheel, uint64_t now_ns);

/* Nanoseconds from now until the wheel wants to be advanced; -1 if it is empty. */
int64_t sfr__wheel_next(const struct sfr__wheel *wheel, uint64_t now_ns);

#endif
