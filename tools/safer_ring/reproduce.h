/* SPDX-License-Identifier: MIT */
/*
 * Reproducers of known bugs of io_uring: small programs that see whether this kernel has one.
 */
#ifndef SFR_TOOLS_SAFER_RING_REPRODUCE_H
#define SFR_TOOLS_SAFER_RING_REPRODUCE_H

#include "machine/feature.h"

enum reproduced {
	REPRODUCE_UNTRIED, /* and why says what was in the way */
	REPRODUCE_NOT,     /* tried in vain, which is no proof that it is not there */
	REPRODUCE_YES,
};

struct verdict {
	enum reproduced reproduced;
	char why[128]; /* of what was not tried: a clause without full stop */
};

/*
 * Try it. What goes wrong may hang or kill, so this is for a process that is good for nothing else: it leaves
 * rings, descriptors and threads behind.
 */
typedef void reproduce_fn(struct verdict *out);

struct reproducer {
	const char *source;     /* of the quirk, as lib/machine/quirk.c has it */
	sfr__features needs;    /* features without which there is nothing to try */
	reproduce_fn *run;      /* NULL: it cannot be provoked, or must not be */
	const char *impossible; /* then: why */
};

/* One for each bug that lib/machine/quirk.c knows; NULL if there is none, which tests see to. */
const struct reproducer *reproducer_of(const char *source);

#endif
