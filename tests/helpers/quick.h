/* SPDX-License-Identifier: MIT */
/*
 * Ops that end by themselves, and soon: one of each kind that does not wait.
 */
#ifndef SFR_TESTS_QUICK_H
#define SFR_TESTS_QUICK_H

#include "world.h"

struct quick_kind {
	const char *name;
	bool goes_on; /* whatever is asked of it, it is done */
	bool carries_buf;
	bool wins_fd;
	sfr_op *(*build)(sfr_loop *loop); /* one that succeeds if it is let */
};

extern const struct quick_kind quick_kinds[];
extern const int quick_count;

/* A directory for what they make, and its end with all that is in it. */
void quick_dir_make(void);
void quick_dir_remove(void);

#endif
