/* SPDX-License-Identifier: MIT */
/*
 * Pressure: when it begins and ends, and what the log hears of it.
 */
#include "loop/pressure.h"
#include "base/log.h"
#include "loop/loop.h"
#include <inttypes.h>

#define KIB UINT64_C(1024)

uint64_t sfr__pressure_left(const sfr_loop *loop)
{
	uint64_t left = sfr__pool_left(loop->pool) + loop->recv[SFR__RECV_COMMON].room +
			loop->recv[SFR__RECV_STREAM].room;
	uint64_t shares = sfr__pool_shares_left(loop->pool);

	return shares < left ? shares : left;
}

/* With so many bytes or less there is pressure. Other sizes and the heap may have taken more than their part for good: then
 * it is half of what is not theirs, or there would be pressure for ever. */
static uint64_t low_mark(const struct sfr__pool *pool)
{
	uint64_t quarter = sfr__pool_limit(pool) / 4, half = sfr__pool_arrivals_max(pool) / 2;

	return quarter < half ? quarter : half;
}

static void pressure_begin(sfr_loop *loop)
{
	struct sfr__pressure *pressure = &loop->pressure;

	pressure->on = true;
	if (pressure->last_ns &&
	    loop->now - pressure->last_ns < loop->settings.server.slow_after_ns)
		return; /* a break in the same episode */
	pressure->told = false;
	loop->stats.shortages++;
}

void sfr__pressure_look(sfr_loop *loop)
{
	struct sfr__pressure *pressure = &loop->pressure;
	const uint64_t quarter = sfr__pool_limit(loop->pool) / 4;
	uint64_t left, low;

	/* What was never taken is often enough by itself. */
	if (sfr__likely(!pressure->on && sfr__pool_room(loop->pool) > quarter))
		return;
	left = sfr__pressure_left(loop);
	if (!pressure->on && left > quarter)
		return;
	low = low_mark(loop->pool);
	if (!pressure->on && left <= low)
		pressure_begin(loop);
	else if (pressure->on && left > low + low / 2)
		pressure->on = false;
	if (!pressure->on)
		return;
	pressure->last_ns = loop->now;
	if (atomic_load_explicit(&loop->pool->starving, memory_order_relaxed))
		sfr__pressure_tell(loop);
}

void sfr__pressure_tell(sfr_loop *loop)
{
	const struct sfr__pool *pool = loop->pool;

	if (loop->pressure.told)
		return;
	loop->pressure.told = true;
	sfr__log(
		(enum sfr_log_level)loop->settings.log.level, SFR_LOG_WARN,
		"memory for buffers is short: %" PRIu64 " of %" PRIu64
		" KiB are in use; receives wait until some is released, and connections whose peers "
		"read nothing for server.slow_after are ended (see buffers.budget)",
		sfr__pool_in_use(pool) / KIB, sfr__pool_limit(pool) / KIB);
}
