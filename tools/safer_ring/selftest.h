/* SPDX-License-Identifier: MIT */
/*
 * Selftest: which of the bugs of io_uring that lib/machine/quirk.c knows this kernel has, by trying.
 *
 * Results are plain data, so that tests can make them up, as with facts.
 */
#ifndef SFR_TOOLS_SAFER_RING_SELFTEST_H
#define SFR_TOOLS_SAFER_RING_SELFTEST_H

#include "facts.h"
#include "reproduce.h"
#include <stdio.h>

enum { SELFTEST_MAX = 32 };

struct selftest {
	char release[65];
	unsigned count;
	struct selftest_bug {
		const struct sfr__quirk *quirk; /* the first row about it */
		bool heeded;                    /* auto does without the feature here */
		struct verdict verdict;
	} bugs[SELFTEST_MAX];
};

/* Try all of them, each in a child. `facts` say what there is to try. */
void selftest_run(struct selftest *out, const struct facts *facts);

/* Try one in a child, which has so many seconds. For tests; selftest_run() uses it. */
void selftest_try(struct verdict *out, reproduce_fn *run, unsigned patience_s);

void selftest_text(FILE *out, const struct selftest *selftest);
void selftest_json(FILE *out, const struct selftest *selftest);

/* EXIT_NO if a bug was reproduced that loops are not kept from. */
int selftest_status(const struct selftest *selftest);

#endif
