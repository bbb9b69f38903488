/* SPDX-License-Identifier: MIT */
/*
 * Quirks: releases of the kernel on which a feature is there and does harm.
 *
 * What a kernel has is found by trying; that it is broken there often only shows under load, so
 * this much is looked up. A quirk is advice: `auto` heeds it, `on` does not.
 */
#ifndef SFR_LIB_MACHINE_QUIRK_H
#define SFR_LIB_MACHINE_QUIRK_H

#include "machine/feature.h"
#include <stddef.h>

/* Stands for ring.sqpoll, which is no feature, where a feature is expected in a quirk or a set. */
enum { SFR__QUIRK_SQPOLL = SFR__FEATURES };

struct sfr__kernel {
	unsigned major;
	unsigned minor;
	unsigned patch;
};

struct sfr__quirk {
	unsigned feature;   /* enum sfr__feature, or SFR__QUIRK_SQPOLL */
	bool beside_sqpoll; /* does harm only while ring.sqpoll is in use */
	struct sfr__kernel first_bad;
	struct sfr__kernel first_good; /* and all after it, unless another row says otherwise */
	const char *written;           /* when the row was, "2026-11" */
	const char *trouble;           /* what goes wrong: a clause without full stop */
	const char *source;
};

/* The whole table. */
const struct sfr__quirk *sfr__quirks(size_t *count);

/* The row that speaks against a feature on this release; NULL if there is none. */
const struct sfr__quirk *sfr__quirk_find(const char *release, unsigned feature, bool sqpoll);

/*
 * All that quirks speak against on a release of the kernel, as uname -r prints it. A release that
 * cannot be read has no quirks. `sqpoll` says whether ring.sqpoll is going to be in use.
 */
sfr__features sfr__quirks_against(const char *release, bool sqpoll);

#endif
