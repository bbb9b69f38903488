/* SPDX-License-Identifier: MIT */
/*
 * A batch that runs: from the first op that starts to the callback after the last.
 *
 * All of its ops are held (op/row.h) from the beginning. One is released when everything that it waits for
 * has ended, and what the plan has linked behind it goes with it. Links save turns and decide nothing: what
 * an engine does not run for a broken row comes back, and the loop decides as it would have without links.
 * That is why a link may be stricter than what was declared, and must never be laxer.
 *
 * Who has ended is dealt with in a list, not by recursion: a path may be as long as a batch.
 */
#include "batch/batch.h"
#include "op/build.h"
#include "op/cancel.h"
#include "op/end.h"
#include "op/inherit.h"
#include "op/kind.h"
#include "op/row.h"
#include "op/start.h"
#include "run/run.h"
#include <safer_ring/error.h>
#include <errno.h>

/*
 * Starting.
 */

static uint32_t bytes_to_do(const sfr_op *op)
{
	size_t parts;

	if (op->kind == SFR__OP_SPLICE)
		return op->sqe.len;
	if (!sfr__op_is(op, SFR__KIND_LENGTH) || op->result < 0)
		return 0;
	return op->flags & SFR__OP_GATHERED ? (uint32_t)sfr__chain_measure(op->buf, &parts)
					    : op->sqe.len;
}

/*
 * Make the entry of an op that will inherit from one before it in its row, for the case that all of it is
 * transferred. False if it is not known by now what that will be.
 */
static bool node_expect(struct sfr__node *node)
{
	const struct sfr__node *from = node->source < 0 ? NULL : &node->batch->nodes[node->source];

	if (node->op->buf || !from)
		return node->op->result == 0; /* else it ends with that, and has no entry */
	node->expected = !from->op ? NULL : from->op->buf ? from->op->buf : from->expected;
	if (!node->expected || !sfr__op_may_expect(node->op, node->expected))
		return false;
	sfr__op_expect(node->op, node->expected,
		       sfr__op_is(from->op, SFR__KIND_LENGTH) ? from->whole
							      : sfr__buf_len(node->expected));
	return true;
}

/* A soft link that the plan has behind an op holds: what it inherited may be more than it could know. */
static bool link_holds(const struct sfr__plan_node *place, const struct sfr__node *node)
{
	return node->state != SFR__NODE_ALONE &&
	       (place->link == SFR__LINK_HARD || sfr__op_is_one_entry(node->op));
}

/* Link what the plan has behind an op that is about to start, as far as that is possible now. */
static void row_link(struct sfr__batch *batch, int32_t index)
{
	const struct sfr__plan_node *places = batch->plan.nodes;
	int32_t head = index, next = places[index].next;

	for (; next >= 0; index = next, next = places[index].next) {
		struct sfr__node *node = &batch->nodes[next];

		if (!link_holds(&places[index], &batch->nodes[index]) ||
		    node->state != SFR__NODE_WAITING || !sfr__op_is_held(node->op) ||
		    node->waits != sfr__plan_waits_on_row(&batch->plan, next, head) ||
		    !sfr__batch_fds_resolve(node) || !node_expect(node) ||
		    sfr__op_is_on_own(node->op))
			return;
		node->whole = bytes_to_do(node->op);
		sfr__op_unlink(node->op);
		sfr__op_link(batch->nodes[index].op, node->op,
			     places[index].link == SFR__LINK_HARD);
	}
}

/* All that it waited for has ended: it starts, or never will. */
static void node_start(struct sfr__node *node)
{
	sfr__node_step(node, SFR__NODE_START);
	if (node->state == SFR__NODE_REFUSED) {
		sfr__op_fail(node->op, -SFR_EDEPFAILED);
		return;
	}
	(void)sfr__batch_fds_resolve(node); /* all of them: it waited for them */
	node->whole = bytes_to_do(node->op);
	sfr__op_unlink(node->op);
	if (node->op->result == 0)
		row_link(node->batch, sfr__node_index(node));
	sfr__op_release(node->op);
}

static void batch_cancel(struct sfr__batch *batch)
{
	int32_t i;

	for (i = 0; i < batch->plan.node_count; i++)
		if (batch->nodes[i].op)
			sfr__op_cancel(batch->nodes[i].op);
}

static void batch_expired(struct sfr__timer *timer)
{
	struct sfr__batch *batch = sfr__container(timer, struct sfr__batch, timer);

	sfr__batch_step(batch, SFR__BATCH_EXPIRE);
	batch_cancel(batch);
}

/*
 * Ending.
 */

static void timer_stop(struct sfr__batch *batch)
{
	if (batch->within_ns && batch->state != SFR__BATCH_EXPIRED)
		sfr__wheel_remove(&batch->loop->wheel, &batch->timer);
}

/* The last thing that happens: who is called may free it. */
static void batch_finish(struct sfr__batch *batch)
{
	timer_stop(batch);
	sfr__batch_step(batch, SFR__BATCH_END);
	if (batch->waiter)
		*batch->waiter = (struct sfr__batch_waiter){true, batch->failed};
	batch->waiter = NULL;
	if (batch->done)
		batch->done(batch->loop, sfr__batch_handle(batch), batch->arg);
}

static bool satisfied(const struct sfr__node *node, const struct sfr__plan_edge *edge)
{
	if (edge->kind == SFR__EDGE_ANY)
		return true;
	if (edge->kind == SFR__EDGE_AFTER && node->result >= 0)
		return (uint32_t)node->result >= node->whole;
	return node->result >= 0;
}

/* Bytes that were not written are not handed on. */
static void buf_cut(sfr_buf *buf, uint32_t len)
{
	for (; buf; buf = buf->next) {
		if (buf->len > len)
			buf->len = len;
		len -= buf->len;
	}
}

/* An op that is to inherit, and has not ended meanwhile; NULL if the edge leads to none. */
static sfr_op *heir_of(const struct sfr__batch *batch, const struct sfr__plan_edge *edge)
{
	sfr_op *op = batch->nodes[edge->to].op;

	return edge->kind == SFR__EDGE_DATA && op && op->state != SFR__OP_DONE ? op : NULL;
}

static void share_hand_on(sfr_op *op, sfr_buf *share)
{
	if (share)
		sfr__op_inherit(op, share);
	else
		op->result = -ENOMEM;
}

/* The first heir gets the buffer, those after it shares. Only the first may be with the engine by now: see
 * batch/links.c. */
static void buf_hand_on(struct sfr__node *node)
{
	struct sfr__batch *batch = node->batch;
	unsigned traits = sfr__kind_traits[node->kind];
	int32_t e = batch->plan.nodes[sfr__node_index(node)].out;
	sfr_op *first = NULL;

	for (; e >= 0; e = batch->plan.edges[e].next_out) {
		sfr_op *op = heir_of(batch, &batch->plan.edges[e]);

		if (op && !first && traits & SFR__KIND_LENGTH && !(traits & SFR__KIND_FILLS))
			buf_cut(node->buf, (uint32_t)node->result);
		if (op && first)
			share_hand_on(op, sfr_buf_share(node->buf));
		else if (op)
			first = op;
	}
	if (!first)
		return;
	sfr__op_inherit(first, sfr__node_take(node));
}

/* The engine starts what it has behind an op that has ended, unless the link broke. */
static void row_advance(const struct sfr__batch *batch, const struct sfr__plan_node *place)
{
	const struct sfr__node *next = place->next < 0 ? NULL : &batch->nodes[place->next];

	if (next && next->op && (place->link == SFR__LINK_HARD || next->state != SFR__NODE_DOOMED))
		sfr__op_leads(next->op);
}

static void node_settle_later(struct sfr__node *node)
{
	struct sfr__batch *batch = node->batch;

	sfr__node_step(node, SFR__NODE_MET);
	node->ended = batch->ended;
	batch->ended = sfr__node_index(node);
}

/* One that was cancelled while it waited has ended by now, but those after it wait for what it waited for. */
static void node_start_if_due(struct sfr__node *node)
{
	if (node->waits > 0)
		return;
	if (node->state == SFR__NODE_ENDED)
		node_settle_later(node);
	else if (node->state <= SFR__NODE_RETURNED && sfr__op_is_held(node->op))
		node_start(node);
}

/* Whoever waited for it waits for one less. Who starts then may take others with it, so it must be known
 * before whether they failed. */
static void node_settle(struct sfr__node *node)
{
	struct sfr__batch *batch = node->batch;
	const struct sfr__plan_node *place = &batch->plan.nodes[sfr__node_index(node)];
	int32_t e;

	if (node->buf && node->result >= 0)
		buf_hand_on(node);
	for (e = place->out; e >= 0; e = batch->plan.edges[e].next_out) {
		struct sfr__node *next = &batch->nodes[batch->plan.edges[e].to];

		if (!satisfied(node, &batch->plan.edges[e]))
			sfr__node_step(next, SFR__NODE_FAIL);
		next->waits--;
	}
	row_advance(batch, place);
	for (e = place->out; e >= 0; e = batch->plan.edges[e].next_out)
		node_start_if_due(&batch->nodes[batch->plan.edges[e].to]);
}

static void batch_settle(struct sfr__batch *batch)
{
	while (batch->ended >= 0) {
		struct sfr__node *node = &batch->nodes[batch->ended];

		batch->ended = node->ended;
		sfr__invariant(batch->left > 0);
		batch->left--;
		sfr__node_step(node, SFR__NODE_SETTLE);
		node_settle(node);
	}
	if (batch->left == 0)
		batch_finish(batch);
}

/* The one before it in the plan may still name it as the one behind: its cell is another's by then. */
static void row_forget(struct sfr__batch *batch, int32_t index)
{
	int32_t prev = batch->plan.nodes[index].prev;

	if (prev >= 0 && batch->nodes[prev].op)
		sfr__op_unlink(batch->nodes[prev].op);
}

static void member_done(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	struct sfr__node *node = arg;
	struct sfr__batch *batch = node->batch;
	bool refused = node->state == SFR__NODE_REFUSED;

	(void)loop;
	if (result == SFR__LINK_BROKEN) {
		sfr__node_step(node, SFR__NODE_BREAK);
		node_start_if_due(node);
		batch_settle(batch); /* it may be over, as it was refused */
		return;
	}
	sfr__node_step(node, SFR__NODE_END);
	node->op = NULL;
	node->buf = buf;
	if (node->closes >= 0 && result != -SFR_EDEPFAILED)
		batch->nodes[node->closes].claimed = true;
	node->result = result == -ECANCELED && batch->state == SFR__BATCH_EXPIRED ? -ETIMEDOUT
										  : result;
	batch->failed += result < 0;
	row_forget(batch, sfr__node_index(node));
	if (node->waits > 0)
		return;
	node_settle_later(node);
	if (!refused) /* else this is inside of node_start(), and its caller settles */
		batch_settle(batch);
}

/*
 * Running.
 */

/* There is nothing to wait for, but the callback never comes inside submitting. */
static void empty_done(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	(void)loop, (void)result, (void)buf;
	batch_finish(arg);
}

static int batch_submit_empty(struct sfr__batch *batch)
{
	sfr_op *op = sfr__op_new(batch->loop, SFR__OP_NOP, false);

	if (!op)
		return -ENOMEM;
	sfr__op_enter(op, empty_done, batch);
	sfr__op_finish_later(op, SFR__EV_REFUSED, 0);
	return 0;
}

static void batch_begin(struct sfr__batch *batch)
{
	int32_t i, count = batch->plan.node_count;

	batch->left = count;
	for (i = 0; i < count; i++) {
		sfr__op_hold(batch->nodes[i].op, member_done, &batch->nodes[i]);
		sfr__node_step(&batch->nodes[i], SFR__NODE_SUBMIT);
	}
	for (i = 0; i < count; i++)
		if (batch->nodes[i].waits == 0)
			node_start(&batch->nodes[i]);
}

int sfr_batch_submit(sfr_batch *handle, sfr_batch_done *done, void *arg)
{
	struct sfr__batch *batch = sfr__batch_of(handle);
	int r = sfr__batch_check_building(handle, batch);

	if (r == 0)
		r = sfr__batch_plan(batch);
	if (r == 0 && batch->plan.node_count == 0)
		r = batch_submit_empty(batch);
	if (r < 0)
		return r;
	batch->done = done;
	batch->arg = arg;
	sfr__batch_step(batch, SFR__BATCH_SUBMIT);
	if (batch->within_ns) {
		batch->timer.fire = batch_expired;
		sfr__wheel_add(&batch->loop->wheel, &batch->timer,
			       sfr__time_after(sfr__loop_clock_ns(batch->loop), batch->within_ns));
	}
	batch_begin(batch);
	return 0;
}

int sfr_batch_await(sfr_batch *handle)
{
	struct sfr__batch *batch = sfr__batch_of(handle);
	struct sfr__batch_waiter waiter = {0};
	int r = sfr__batch_check(handle, batch);

	if (r < 0)
		return r;
	r = sfr__loop_nested(batch->loop, SFR__FRAME(), "a batch was awaited inside a callback");
	if (r < 0)
		return r;
	if (sfr__batch_is_building(batch))
		r = sfr_batch_submit(handle, NULL, NULL);
	if (r < 0)
		return r;
	if (sfr__batch_is_done(batch))
		return batch->failed;
	batch->waiter = &waiter;
	r = sfr__loop_run_until(batch->loop, &waiter.done, SFR__FRAME());
	if (!waiter.done)
		batch->waiter = NULL;
	return r < 0 ? r : waiter.failed;
}

int sfr_batch_cancel(sfr_batch *handle)
{
	struct sfr__batch *batch = sfr__batch_of(handle);
	int r = sfr__batch_check(handle, batch);

	if (r < 0)
		return r;
	if (!sfr__batch_runs(batch))
		return -SFR_ESTALE;
	sfr__batch_step(batch, SFR__BATCH_CANCEL);
	batch_cancel(batch);
	return 0;
}
