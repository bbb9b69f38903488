/* SPDX-License-Identifier: MIT */
/*
 * The tables of life.h, and the two functions that move along them.
 */
#include "batch/life.h"
#include "base/invariant.h"
#include "batch/batch.h"

/* Every pair not listed is 0, SFR__NODE_ILLEGAL. */
const uint8_t sfr__node_after[SFR__NODE_STATES][SFR__NODE_EVENTS] = {
	[SFR__NODE_ADDED] = {[SFR__NODE_SUBMIT] = SFR__NODE_WAITING},
	[SFR__NODE_WAITING] = {[SFR__NODE_FAIL] = SFR__NODE_DOOMED,
			       [SFR__NODE_START] = SFR__NODE_STARTED,
			       [SFR__NODE_BREAK] = SFR__NODE_RETURNED,
			       [SFR__NODE_END] = SFR__NODE_ENDED},
	[SFR__NODE_DOOMED] = {[SFR__NODE_FAIL] = SFR__NODE_DOOMED,
			      [SFR__NODE_START] = SFR__NODE_REFUSED,
			      [SFR__NODE_BREAK] = SFR__NODE_DOOMED,
			      [SFR__NODE_END] = SFR__NODE_ENDED},
	[SFR__NODE_RETURNED] = {[SFR__NODE_FAIL] = SFR__NODE_DOOMED,
				[SFR__NODE_START] = SFR__NODE_ALONE,
				[SFR__NODE_END] = SFR__NODE_ENDED},
	[SFR__NODE_STARTED] =
		{[SFR__NODE_BREAK] = SFR__NODE_RETURNED, [SFR__NODE_END] = SFR__NODE_ENDED},
	[SFR__NODE_ALONE] = {[SFR__NODE_END] = SFR__NODE_ENDED},
	[SFR__NODE_REFUSED] = {[SFR__NODE_END] = SFR__NODE_ENDED},
	[SFR__NODE_ENDED] = {[SFR__NODE_FAIL] = SFR__NODE_ENDED, [SFR__NODE_MET] = SFR__NODE_OVER},
	[SFR__NODE_OVER] = {[SFR__NODE_SETTLE] = SFR__NODE_SETTLED},
};

/* Every pair not listed is 0, SFR__BATCH_ILLEGAL. A deadline that passes while a batch is cancelled still
 * decides how its ops are reported; that it was cancelled need not be remembered then. */
const uint8_t sfr__batch_after[SFR__BATCH_STATES][SFR__BATCH_EVENTS] = {
	[SFR__BATCH_BUILDING] = {[SFR__BATCH_CHANGE] = SFR__BATCH_BUILDING,
				 [SFR__BATCH_PLAN] = SFR__BATCH_PLANNED,
				 [SFR__BATCH_RESET] = SFR__BATCH_BUILDING},
	[SFR__BATCH_PLANNED] = {[SFR__BATCH_CHANGE] = SFR__BATCH_BUILDING,
				[SFR__BATCH_SUBMIT] = SFR__BATCH_RUNNING,
				[SFR__BATCH_RESET] = SFR__BATCH_BUILDING},
	[SFR__BATCH_RUNNING] = {[SFR__BATCH_CANCEL] = SFR__BATCH_CANCELLING,
				[SFR__BATCH_EXPIRE] = SFR__BATCH_EXPIRED,
				[SFR__BATCH_END] = SFR__BATCH_DONE},
	[SFR__BATCH_CANCELLING] = {[SFR__BATCH_CANCEL] = SFR__BATCH_CANCELLING,
				   [SFR__BATCH_EXPIRE] = SFR__BATCH_EXPIRED,
				   [SFR__BATCH_END] = SFR__BATCH_CANCELLED},
	[SFR__BATCH_EXPIRED] =
		{[SFR__BATCH_CANCEL] = SFR__BATCH_EXPIRED, [SFR__BATCH_END] = SFR__BATCH_DONE},
	[SFR__BATCH_DONE] = {[SFR__BATCH_RESET] = SFR__BATCH_BUILDING},
	[SFR__BATCH_CANCELLED] = {[SFR__BATCH_RESET] = SFR__BATCH_BUILDING},
};

void sfr__node_step(struct sfr__node *node, enum sfr__node_event event)
{
	uint8_t next = sfr__node_after[node->state][event];

	sfr__invariant(next != SFR__NODE_ILLEGAL);
	node->state = next;
}

void sfr__batch_step(sfr_batch *batch, enum sfr__batch_event event)
{
	uint8_t next = sfr__batch_after[batch->state][event];

	sfr__invariant(next != SFR__BATCH_ILLEGAL);
	batch->state = next;
}
