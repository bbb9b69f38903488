/* SPDX-License-Identifier: MIT */
/*
 * Ops that do not end by themselves: one of each kind that can wait.
 */
#ifndef SFR_TESTS_PENDING_H
#define SFR_TESTS_PENDING_H

#include "world.h"

struct pending_kind {
	const char *name;
	bool carries_buf;
	sfr_op *(*build)(sfr_loop *loop);
};

extern const struct pending_kind pending_kinds[];
extern const int pending_count;

/* A read of a pipe that stays empty. */
sfr_op *pending_read(sfr_loop *loop);
int empty_pipe(void);
int full_pipe(void);
int full_socket(void);

#endif
