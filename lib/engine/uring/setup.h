/* SPDX-License-Identifier: MIT */
/*
 * Setup: a ring with the best flags that the kernel grants and the configuration allows.
 */
#ifndef SFR_LIB_ENGINE_URING_SETUP_H
#define SFR_LIB_ENGINE_URING_SETUP_H

#include "machine/feature.h"
#include "machine/ring.h"

struct sfr__settings;

struct sfr__uring_grant {
	const char *name; /* of the set of flags */
	unsigned entries; /* fewer than asked for where memory is short */
};

/* A disabled ring. 0 or -errno. */
int sfr__uring_setup(struct sfr__ring *ring, const struct sfr__settings *settings,
		     sfr__features features, bool sqpoll, struct sfr__uring_grant *grant_out);

#endif
