/* SPDX-License-Identifier: MIT */
/*
 * The tables of life.h, and the two functions that move along them.
 */
#include "batch/life.h"
#include "base/invariant.h"
#include "base/log.h"
#include "batch/batch.h"
#include "op/kind.h"

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

/*
 * The same in words, for the log.
 */

static const char *const node_states[SFR__NODE_STATES] = {
	[SFR__NODE_ILLEGAL] = "?",           [SFR__NODE_ADDED] = "added",
	[SFR__NODE_WAITING] = "waiting",     [SFR__NODE_DOOMED] = "doomed",
	[SFR__NODE_RETURNED] = "returned",   [SFR__NODE_STARTED] = "started",
	[SFR__NODE_ALONE] = "started alone", [SFR__NODE_REFUSED] = "refused",
	[SFR__NODE_ENDED] = "ended",         [SFR__NODE_OVER] = "over",
	[SFR__NODE_SETTLED] = "settled",
};

static const char *const node_events[SFR__NODE_EVENTS] = {
	[SFR__NODE_SUBMIT] = "submitted",
	[SFR__NODE_FAIL] = "one that must succeed did not",
	[SFR__NODE_START] = "all that it waits for has ended",
	[SFR__NODE_BREAK] = "its row broke",
	[SFR__NODE_END] = "its op ended",
	[SFR__NODE_MET] = "it waits for nothing",
	[SFR__NODE_SETTLE] = "those after it know",
};

static const char *const batch_states[SFR__BATCH_STATES] = {
	[SFR__BATCH_ILLEGAL] = "?",
	[SFR__BATCH_BUILDING] = "building",
	[SFR__BATCH_PLANNED] = "planned",
	[SFR__BATCH_RUNNING] = "running",
	[SFR__BATCH_CANCELLING] = "cancelling",
	[SFR__BATCH_EXPIRED] = "expired",
	[SFR__BATCH_DONE] = "done",
	[SFR__BATCH_CANCELLED] = "cancelled",
};

static const char *const batch_events[SFR__BATCH_EVENTS] = {
	[SFR__BATCH_CHANGE] = "an op or a dependency is new",
	[SFR__BATCH_PLAN] = "planned",
	[SFR__BATCH_SUBMIT] = "submitted",
	[SFR__BATCH_CANCEL] = "asked to end",
	[SFR__BATCH_EXPIRE] = "its deadline passed",
	[SFR__BATCH_END] = "its last op ended",
	[SFR__BATCH_RESET] = "reset",
};

static void node_trace(const struct sfr__node *node, enum sfr__node_event event, uint8_t next)
{
	sfr__log(SFR_LOG_DEBUG, SFR_LOG_DEBUG, "batch %u op %d %s: %s -> %s (%s)",
		 node->batch->serial, sfr__node_index(node), sfr__kinds[node->kind].name,
		 node_states[node->state], node_states[next], node_events[event]);
}

static void batch_trace(const struct sfr__batch *batch, enum sfr__batch_event event, uint8_t next)
{
	sfr__log(SFR_LOG_DEBUG, SFR_LOG_DEBUG, "batch %u: %s -> %s (%s)", batch->serial,
		 batch_states[batch->state], batch_states[next], batch_events[event]);
}

static bool is_traced(const struct sfr__batch *batch)
{
	return sfr__unlikely(batch->loop->settings.log.level == SFR_LOG_DEBUG);
}

void sfr__node_step(struct sfr__node *node, enum sfr__node_event event)
{
	uint8_t next = sfr__node_after[node->state][event];

	sfr__invariant(next != SFR__NODE_ILLEGAL);
	if (is_traced(node->batch))
		node_trace(node, event, next);
	node->state = next;
}

void sfr__batch_step(struct sfr__batch *batch, enum sfr__batch_event event)
{
	uint8_t next = sfr__batch_after[batch->state][event];

	sfr__invariant(next != SFR__BATCH_ILLEGAL);
	if (is_traced(batch))
		batch_trace(batch, event, next);
	batch->state = next;
}
