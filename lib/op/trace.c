/* SPDX-License-Identifier: MIT */
/*
 * What the log is told of the life of an op, at level debug: a line for each step, in the words of op_cell.h.
 */
#include "op/trace.h"
#include "base/log.h"
#include "op/fd_name.h"
#include "op/kind.h"
#include <safer_ring/error.h>
#include <inttypes.h>
#include <stdio.h>

const char *const sfr__op_states[SFR__OP_STATES] = {
	[SFR__OP_ILLEGAL] = "?",
	[SFR__OP_FREE] = "free",
	[SFR__OP_BUILDING] = "building",
	[SFR__OP_ADDED] = "added",
	[SFR__OP_QUEUED] = "queued",
	[SFR__OP_IN_FLIGHT] = "in flight",
	[SFR__OP_CANCELLING] = "cancelling",
	[SFR__OP_ORPHANED] = "orphaned",
	[SFR__OP_DONE] = "done",
};

static const char *const events[SFR__OP_EVENTS] = {
	[SFR__EV_BUILD] = "built",
	[SFR__EV_ADD] = "added to a batch",
	[SFR__EV_DISCARD] = "discarded",
	[SFR__EV_SUBMIT] = "submitted",
	[SFR__EV_TAKEN] = "started",
	[SFR__EV_REFUSED] = "ended before it started",
	[SFR__EV_CANCEL] = "asked to end",
	[SFR__EV_ABANDON] = "abandoned",
	[SFR__EV_CQE_MORE] = "completed, and more will follow",
	[SFR__EV_REQUEUE] = "to be started again",
	[SFR__EV_CQE_LAST] = "completed",
	[SFR__EV_RECYCLE] = "over",
};

void sfr__op_trace(const sfr_op *op, enum sfr__op_state from, enum sfr__op_event event)
{
	char fd[SFR__FD_TEXT], result[48] = "";
	const char *on = sfr__op_fd_print(op, fd);

	if (event == SFR__EV_RECYCLE)
		snprintf(result, sizeof(result), ": %d%s%s", op->result, op->result < 0 ? " " : "",
			 op->result < 0 ? sfr_errname(op->result) : "");
	sfr__log(op->loop->settings.log.level, SFR_LOG_DEBUG,
		 "op 0x%" PRIx64 " %s%s%s: %s -> %s (%s%s)", sfr__op_ticket(op),
		 sfr__kinds[op->kind].name, on ? " on " : "", on ? on : "", sfr__op_states[from],
		 sfr__op_states[sfr__op_after[from][event]], events[event], result);
}
