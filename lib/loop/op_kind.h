/* SPDX-License-Identifier: MIT */
/*
 * Kinds of ops: what is true of all ops of a kind.
 */
#ifndef SFR_LIB_LOOP_OP_KIND_H
#define SFR_LIB_LOOP_OP_KIND_H

#include "loop/op_slot.h"

enum {
	SFR__KIND_TIMER = 1,    /* the loop's wheel does it: it has no SQE */
	SFR__KIND_MULTI = 2,    /* it calls back more than once */
	SFR__KIND_FILLS = 4,    /* it puts as many bytes as its result says into its buffer */
	SFR__KIND_LENGTH = 8,   /* it may be done in part: sfr_all() */
	SFR__KIND_MESSAGE = 16, /* of a socket: it has message flags, and no offset */
	SFR__KIND_WINS = 32,    /* its result is a descriptor */
	SFR__KIND_ON_FD = 64,   /* sqe.fd is what it is on */
	/* if it fails, an engine starts nothing that is softly linked behind it */
	SFR__KIND_BREAKS = 512,
	SFR__KIND_DIRFD = 256, /* sqe.fd is where its path begins */
	SFR__KIND_ENDS = 128, /* it lets go of something, and so goes on even while a loop drains */
	SFR__KIND_HERE = 4096,   /* the loop does it, without its wheel: it has no SQE */
	SFR__KIND_STRUCT = 8192, /* with result 0 it puts a structure into its buffer */
	SFR__KIND_STEPS = 16384, /* a completion of it is not simply its end: see op/complete.c */
};

struct sfr__kind {
	const char *name;
	uint16_t traits;
};

extern const struct sfr__kind sfr__kinds[SFR__OP_KINDS];

static inline bool sfr__op_is(const sfr_op *op, unsigned trait)
{
	return sfr__kinds[op->kind].traits & trait;
}

#endif
