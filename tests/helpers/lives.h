/* SPDX-License-Identifier: MIT */
/*
 * The words of the table of lives, for the picture of it and the test that compares both.
 */
#ifndef SFR_TESTS_LIVES_H
#define SFR_TESTS_LIVES_H

#include "loop/op_cell.h"

static const char *const life_states[SFR__OP_STATES] = {
	[SFR__OP_ILLEGAL] = "",
	[SFR__OP_FREE] = "free",
	[SFR__OP_BUILDING] = "building",
	[SFR__OP_ADDED] = "added",
	[SFR__OP_QUEUED] = "queued",
	[SFR__OP_IN_FLIGHT] = "in flight",
	[SFR__OP_CANCELLING] = "cancelling",
	[SFR__OP_ORPHANED] = "orphaned",
	[SFR__OP_DONE] = "done",
};

static const char *const life_events[SFR__OP_EVENTS] = {
	[SFR__EV_BUILD] = "build",        [SFR__EV_ADD] = "add",
	[SFR__EV_DISCARD] = "discard",    [SFR__EV_SUBMIT] = "submit",
	[SFR__EV_TAKEN] = "taken",        [SFR__EV_REFUSED] = "refused",
	[SFR__EV_CANCEL] = "cancel",      [SFR__EV_ABANDON] = "abandon",
	[SFR__EV_CQE_MORE] = "cqe, more", [SFR__EV_REQUEUE] = "requeue",
	[SFR__EV_CQE_LAST] = "last cqe",  [SFR__EV_RECYCLE] = "recycle",
};

#endif
