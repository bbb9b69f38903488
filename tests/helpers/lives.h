/* SPDX-License-Identifier: MIT */
/*
 * The events of the table of lives as words of the picture, for the picture and the test that compares both. The
 * words of the states are the library's own.
 */
#ifndef SFR_TESTS_LIVES_H
#define SFR_TESTS_LIVES_H

#include "op/trace.h"

static const char *const life_events[SFR__OP_EVENTS] = {
	[SFR__EV_BUILD] = "build",        [SFR__EV_ADD] = "add",
	[SFR__EV_DISCARD] = "discard",    [SFR__EV_SUBMIT] = "submit",
	[SFR__EV_TAKEN] = "taken",        [SFR__EV_REFUSED] = "refused",
	[SFR__EV_CANCEL] = "cancel",      [SFR__EV_ABANDON] = "abandon",
	[SFR__EV_CQE_MORE] = "cqe, more", [SFR__EV_REQUEUE] = "requeue",
	[SFR__EV_CQE_LAST] = "last cqe",  [SFR__EV_RECYCLE] = "recycle",
};

#endif
