/* SPDX-License-Identifier: MIT */
/*
 * Links: which dependencies of a batch an engine can be trusted with.
 *
 * Here is all that the planner must know of ops and engines, put into one word for each edge (none,
 * soft, hard). Whenever there is doubt the answer is none: the batch then starts the op itself,
 * which is slower and never wrong.
 */
#include "batch/batch.h"
#include "op/inherit.h"
#include "op/kind.h"
#include "op/row.h"
#include "op/splice.h"

/* Its place of the registered files, if it has one, is filled or emptied by the engine itself. */
static bool place_is_direct(const sfr_op *op)
{
	if (!(op->flags & (SFR__OP_PLACE | SFR__OP_PLACE_HELD)))
		return true;
	return sfr__has(op->loop->engine->features, SFR__FEATURE_DIRECT_FILES) &&
	       (op->kind == SFR__OP_CLOSE || op->sqe.file_index);
}

static bool is_one_entry(const sfr_op *op)
{
	if (op->kind == SFR__OP_SPLICE)
		return !sfr__splice_polls(op);
	return !sfr__op_is(op, SFR__KIND_HERE | SFR__KIND_STEPS);
}

/* It can be in a row: it is one entry with one completion. */
static bool can_be_in_row(const struct sfr__node *node)
{
	const sfr_op *op = node->op;

	return (op->result == 0 || sfr__op_is_hollow(op)) && is_one_entry(op) &&
	       !(op->flags & SFR__OP_ERRAND) && place_is_direct(op);
}

/* Whether an engine starts nothing softly linked behind it unless it succeeded in full. */
static bool breaks_if_it_fails(const sfr_op *op)
{
	bool part_is_fine = sfr__op_is(op, SFR__KIND_LENGTH) && sfr__op_is(op, SFR__KIND_MESSAGE) &&
			    !(op->flags & SFR__OP_WHOLE);

	return sfr__op_is(op, SFR__KIND_BREAKS) && !part_is_fine;
}

/* What is handed on while the engine has the next one already goes to one, which may read into it only if
 * nobody can have a share. And a descriptor is not known in time, unless it is in a place. */
static bool comes_in_time(const struct sfr__batch *batch, const struct sfr__plan_edge *edge)
{
	const struct sfr__node *from = &batch->nodes[edge->from], *to = &batch->nodes[edge->to];

	if (edge->kind == SFR__EDGE_DATA)
		return edge->to == from->heir && !(to->lent && sfr__op_is(to->op, SFR__KIND_FILLS));
	return edge->kind != SFR__EDGE_FD || from->fills_place;
}

/* What lets go of something runs whatever is asked, and so would what is linked behind it. */
static bool comes_after_cancelling(const sfr_op *from, const sfr_op *to)
{
	return sfr__op_is(from, SFR__KIND_ENDS) && !sfr__op_is(to, SFR__KIND_ENDS);
}

static enum sfr__plan_link edge_can(const struct sfr__batch *batch,
				    const struct sfr__plan_edge *edge)
{
	const struct sfr__node *from = &batch->nodes[edge->from], *to = &batch->nodes[edge->to];

	if (!can_be_in_row(from) || !can_be_in_row(to) || to->op->flags & SFR__OP_TIMED ||
	    comes_after_cancelling(from->op, to->op) || !comes_in_time(batch, edge))
		return SFR__LINK_NONE;
	if (edge->kind == SFR__EDGE_ANY) /* behind it, cancelling comes too late */
		return sfr__op_is(to->op, SFR__KIND_ENDS) && !(from->op->flags & SFR__OP_WHOLE)
			       ? SFR__LINK_HARD
			       : SFR__LINK_NONE; /* nor would it wait for more than the first part */
	return breaks_if_it_fails(from->op) && sfr__op_is_one_entry(from->op) ? SFR__LINK_SOFT
									      : SFR__LINK_NONE;
}

/* Whose buffer others may have shares of: they were handed out where it, or one before it, got the buffer. */
static void nodes_lend(struct sfr__batch *batch)
{
	int32_t i;

	for (i = 0; i < batch->plan.node_count; i++) {
		struct sfr__node *node = &batch->nodes[i];
		const struct sfr__node *from = node->source < 0 ? NULL
								: &batch->nodes[node->source];

		node->lent = from && (from->heirs || from->lent); /* that one comes before it */
	}
}

int sfr__batch_plan(struct sfr__batch *batch)
{
	const struct sfr__engine *engine = batch->loop->engine;
	bool links = sfr__has(engine->features, SFR__FEATURE_LINKS);
	int32_t i;
	int r;

	if (batch->error < 0)
		return batch->error;
	if (batch->state != SFR__BATCH_BUILDING)
		return 0;
	nodes_lend(batch);
	for (i = 0; i < batch->plan.edge_count; i++)
		batch->plan.edges[i].can = (uint8_t)(links ? edge_can(batch, &batch->plan.edges[i])
							   : SFR__LINK_NONE);
	r = sfr__plan_make(&batch->plan, (int32_t)engine->queue.sq_entries);
	if (r == 0)
		sfr__batch_step(batch, SFR__BATCH_PLAN);
	return r;
}

int sfr_batch_plan(const sfr_batch *handle, sfr_batch_plan_info *info)
{
	const struct sfr__batch *batch = sfr__batch_of(handle);
	int r = sfr__batch_check(handle, batch);

	if (r == 0) /* what it is asked for is kept: the caller sees no change */
		r = sfr__batch_plan((struct sfr__batch *)(uintptr_t)batch);
	if (r == 0)
		sfr__plan_describe(&batch->plan, info);
	return r;
}
