/* SPDX-License-Identifier: MIT */
/*
 * Probe: what io_uring accepts here, found out by trying each thing on a small ring of its own.
 *
 * Version numbers say little: distributions carry features back, and filters take them away.
 */
#ifndef SFR_LIB_MACHINE_PROBE_H
#define SFR_LIB_MACHINE_PROBE_H

#include "machine/feature.h"
#include "machine/refusal.h"

struct sfr__probe {
	struct sfr__refusal refusal;
	sfr__features features; /* none if it is refused */
	uint64_t ops;           /* the opcodes that are known, a bit each */
};

/* Try everything now: a few rings and sockets, a fraction of a millisecond; and before, under a filter, a child. */
void sfr__probe_uring(struct sfr__probe *out);

/* Try, for the facts about a machine that cannot be seen otherwise. */
struct sfr__machine;
void sfr__probe_machine(struct sfr__machine *machine);

/* Have sfr__probe_machine() try nothing, for who must know first whether trying is deadly. */
void sfr__probe_spare(bool spare);

/* What was found when the process first asked and was not refused: features, and, unless NULL, the
 * opcodes. Tries itself what may be deadly: see machine/sandbox.h. Any thread. */
sfr__features sfr__probe_features(uint64_t *ops_out);

/* Whether a ring that could be set up can be used: filters may forbid that alone. Any ring that is
 * disabled, from the thread that made it. */
struct sfr__ring;
struct sfr__refusal sfr__probe_ring(const struct sfr__ring *ring);

#endif
