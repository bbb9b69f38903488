/* SPDX-License-Identifier: MIT */
/*
 * Setup: sets of flags, tried from the best to the plainest.
 *
 * A kernel refuses a flag that it does not know, or does not take together with another, with
 * EINVAL and no hint, so a whole set is tried at a time. Where memory is short the ring gets
 * smaller, never plainer.
 */
#include "engine/uring/setup.h"
#include "base/log.h"
#include "config/config.h"
#include "machine/kernel.h"
#include <errno.h>
#include <time.h>

/* The memory of a ring that is gone counts against RLIMIT_MEMLOCK for a moment longer. */
#define PATIENCE_MS 20

struct flag_set {
	unsigned flags;
	const char *name;
};

/* From best to plainest. Together with other flags a kernel may still refuse what it has: with EINVAL
 * and no hint. */
static const struct flag_set flag_sets[] = {
	{IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
	 "single issuer, deferred task work"},
	{IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN,
	 "single issuer, cooperative task work"},
	{IORING_SETUP_SINGLE_ISSUER, "single issuer"},
	{IORING_SETUP_COOP_TASKRUN, "cooperative task work"},
	{0, "plain"},
};

/* What the configuration turned off, and what cannot go with kernel polling. */
static unsigned flags_excluded(sfr__features features, bool sqpoll)
{
	unsigned excluded = 0;

	if (!sfr__has(features, SFR__FEATURE_SINGLE_ISSUER))
		excluded |= IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
	if (!sfr__has(features, SFR__FEATURE_DEFER_TASKRUN) || sqpoll)
		excluded |= IORING_SETUP_DEFER_TASKRUN;
	if (!sfr__has(features, SFR__FEATURE_COOP_TASKRUN) || sqpoll)
		excluded |= IORING_SETUP_COOP_TASKRUN;
	return excluded;
}

/* Whatever else is asked for. */
static unsigned flags_always(sfr__features features)
{
	unsigned always = 0;

	if (sfr__has(features, SFR__FEATURE_SUBMIT_ALL))
		always |= IORING_SETUP_SUBMIT_ALL;
	if (sfr__has(features, SFR__FEATURE_NO_SQARRAY))
		always |= IORING_SETUP_NO_SQARRAY;
	return always;
}

static int ring_init(struct sfr__ring *ring, const struct sfr__settings *settings, unsigned flags,
		     unsigned entries, bool sqpoll)
{
	struct io_uring_params params = {0};
	unsigned cq_entries = settings->ring.cq_entries;

	params.flags = flags | IORING_SETUP_R_DISABLED | IORING_SETUP_CLAMP | IORING_SETUP_CQSIZE;
	params.cq_entries = cq_entries ? cq_entries : 4 * entries;
	if (sqpoll) {
		params.flags |= IORING_SETUP_SQPOLL;
		params.sq_thread_idle = (unsigned)(settings->ring.sqpoll_idle_ns / 1000000);
	} else if (settings->ring.spin_ns &&
		   (flags & (IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_COOP_TASKRUN))) {
		params.flags |= IORING_SETUP_TASKRUN_FLAG; /* spinning looks at this flag */
	}
	return sfr__ring_open(ring, entries, &params);
}

/* The first flag set that works, with half the entries as long as memory is short. */
int sfr__uring_setup(struct sfr__ring *ring, const struct sfr__settings *settings,
		     sfr__features features, bool sqpoll, struct sfr__uring_grant *grant_out)
{
	unsigned entries = settings->ring.entries, excluded = flags_excluded(features, sqpoll);
	unsigned always = flags_always(features);
	const struct timespec ms = {.tv_nsec = 1000000};
	int patience_ms = PATIENCE_MS;
	size_t i = 0;
	int r = -EINVAL;

	while (i < sizeof(flag_sets) / sizeof(flag_sets[0])) {
		if (flag_sets[i].flags & excluded) {
			i++;
			continue;
		}
		*grant_out = (struct sfr__uring_grant){flag_sets[i].name, entries};
		r = ring_init(ring, settings, flag_sets[i].flags | always, entries, sqpoll);
		if (r == -ENOMEM && patience_ms-- > 0) {
			nanosleep(&ms, NULL);
			continue;
		}
		if (r == -ENOMEM && entries > 8) {
			entries /= 2;
			continue;
		}
		if (r != -EINVAL)
			break;
		i++;
	}
	if (r == 0 && entries < settings->ring.entries)
		sfr__log(settings->log.level, SFR_LOG_WARN,
			 "ring: memory for %u entries only, not for the %u of ring.entries "
			 "(raise RLIMIT_MEMLOCK)",
			 entries, settings->ring.entries);
	return r;
}
