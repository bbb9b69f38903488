/* SPDX-License-Identifier: MIT */
/*
 * Operations of the storm: each is built as chosen, and what it says is held against the rules.
 */
#ifndef SFR_TESTS_STORM_OPS_H
#define SFR_TESTS_STORM_OPS_H

#include "channels.h"
#include "model.h"
#include <stdint.h>

/* How many have been submitted and have not ended, and which of these were abandoned. */
extern int ops_alive, ops_abandoned, ops_submitted;

/* Of these, receives: each may hold a buffer of its own that nobody was given yet. */
extern int ops_streams;

/* Another thread may be about to release references. */
extern bool ops_releases_pending;

/* Takes the values that operations send; how many were sent for sure, and how many may have been. */
extern sfr_loop *ops_listener;
extern int ops_messages, ops_messages_max;

/* What is larger comes from the heap. */
extern uint32_t ops_slab_max;

void ops_reset(void);

/* Count, from before the first process on, how each kind of operation ended; and the table of that. */
void ops_count_endings(void);
void ops_print_endings(void);

/* Register files for operations to use; and register them anew, unless some are in use. */
void ops_register(sfr_loop *loop);
void ops_unregister(sfr_loop *loop);

/* Build one and submit it; now and then discard it instead. */
void op_start(sfr_loop *loop);

void op_cancel_any(sfr_loop *loop);
void op_abandon_any(sfr_loop *loop);
void ops_cancel_channel(sfr_loop *loop);

/* All that wait may be told that they were cancelled. */
void ops_expect_cancelling(void);

/* No abandoned operation is left: what they kept is back. */
void ops_abandoned_are_gone(void);

#endif
