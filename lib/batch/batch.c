/* SPDX-License-Identifier: MIT */
/*
 * A batch that is built, asked for results, emptied and freed. What it does in between is run.c's concern.
 */
#include "batch/batch.h"
#include "op/end.h"
#include "op/inherit.h"
#include "op/kind.h"
#include "op/registered.h"
#include "op/start.h"
#include <safer_ring/error.h>
#include <errno.h>
#include <stdlib.h>

#define OPS_MAX 32768

/*
 * Refusals.
 */

static const char used[] = "a batch was used";

int sfr__batch_refuse(const sfr_batch *handle)
{
	return handle ? sfr__handle_refuse(handle, used) : -ENOMEM; /* it could not be made */
}

int sfr__batch_check_building(const sfr_batch *handle, const struct sfr__batch *batch)
{
	int r = sfr__batch_check(handle, batch);

	if (r < 0 || sfr__batch_is_building(batch))
		return r;
	return sfr__batch_runs(batch) ? -SFR_EOPSINFLIGHT : -SFR_ESTALE;
}

/* Of errors in building, the first is what submitting says. */
static int batch_fail(struct sfr__batch *batch, int err)
{
	if (batch->error == 0)
		batch->error = err;
	return err;
}

/*
 * Emptying.
 */

/* What nobody took of one that is not running. Its ops may have gone with their loop already. */
static void batch_empty(struct sfr__batch *batch, bool has_ops)
{
	const struct sfr__system *system = batch->loop->engine->system;
	int32_t i;

	for (i = 0; i < batch->plan.node_count; i++) {
		struct sfr__node *node = &batch->nodes[i];

		if (node->op && has_ops)
			sfr_buf_release(sfr__op_unbuild(node->op));
		sfr_buf_release(node->buf);
		if (!node->op && !node->fills_place && !node->claimed && node->result >= 0 &&
		    sfr__kind_is(node->kind, SFR__KIND_WINS))
			(void)system->fd_close(system, node->result); /* never used */
	}
	batch->plan.node_count = batch->plan.edge_count = 0;
}

static void batch_free(struct sfr__batch *batch, bool has_ops)
{
	batch_empty(batch, has_ops);
	free(batch->plan.nodes);
	free(batch->plan.edges);
	free(batch->nodes);
	sfr__list_remove(&batch->object.hook);
	sfr__object_give(&batch->loop->objects[SFR__HANDLE_BATCH], &batch->object);
}

/* The loop goes, and has forgotten what was built and not submitted. */
static void batches_free(sfr_loop *loop)
{
	while (!sfr__list_empty(&loop->batches))
		batch_free(sfr__container(loop->batches.next, struct sfr__batch, object.hook),
			   false);
}

/*
 * Building.
 */

sfr_batch *sfr_batch_new(sfr_loop *loop)
{
	int r = sfr__loop_check(loop, "a batch was made");
	struct sfr__batch *batch =
		r == 0 ? sfr__object_take(&loop->objects[SFR__HANDLE_BATCH], sizeof(*batch)) : NULL;

	if (!batch) {
		errno = r < 0 ? -r : ENOMEM;
		return NULL;
	}
	*batch = (struct sfr__batch){.object = batch->object,
				     .loop = loop,
				     .state = SFR__BATCH_BUILDING,
				     .serial = loop->batch_serial++,
				     .ended = SFR__PLAN_NO_NODE};
	sfr__list_append(&loop->batches, &batch->object.hook);
	loop->batches_free = batches_free;
	return sfr__batch_handle(batch);
}

static int nodes_reserve(struct sfr__batch *batch)
{
	int32_t room = batch->node_room ? 2 * batch->node_room : 8;

	if (batch->plan.node_count < batch->node_room)
		return 0;
	if (batch->plan.node_count == OPS_MAX)
		return -EINVAL;
	if (!sfr__batch_array_grow((void **)&batch->nodes, sizeof(struct sfr__node), room) ||
	    !sfr__batch_array_grow((void **)&batch->plan.nodes, sizeof(struct sfr__plan_node),
				   room))
		return -ENOMEM;
	batch->node_room = room;
	return 0;
}

/* Its index, or why it cannot be added; it is the batch's then, too. */
static int op_adopt(struct sfr__batch *batch, sfr_op *op)
{
	int32_t index = batch->plan.node_count;
	int r = nodes_reserve(batch);
	struct sfr__node *node;

	if (r < 0)
		return r;
	node = &batch->nodes[index];
	*node = (struct sfr__node){.batch = batch,
				   .op = op,
				   .source = SFR__PLAN_NO_NODE,
				   .heir = SFR__PLAN_NO_NODE,
				   .closes = SFR__PLAN_NO_NODE,
				   .kind = op->kind,
				   .state = SFR__NODE_ADDED};
	if (op->flags & SFR__OP_PLACE && sfr__op_is(op, SFR__KIND_WINS)) {
		node->fills_place = true;
		node->name = sfr__place_name(op);
	}
	batch->plan.node_count++;
	sfr__op_step(op, SFR__EV_ADD);
	sfr__batch_step(batch, SFR__BATCH_CHANGE);
	r = sfr__batch_fds_adopt(batch, index, op);
	return r < 0 ? r : index;
}

/* 0; or the op is not one for this batch. */
static int op_fits(const struct sfr__batch *batch, const sfr_op *op)
{
	return op->loop == batch->loop && !sfr__op_is(op, SFR__KIND_MULTI) &&
			       op->kind != SFR__OP_RAW
		       ? 0
		       : -EINVAL;
}

int sfr_batch_add(sfr_batch *handle, sfr_op *op)
{
	struct sfr__batch *batch = sfr__batch_of(handle);
	int r = op ? sfr__op_check(op) : 0;

	if (r < 0) /* not the caller's to give */
		return r;
	r = sfr__batch_check_building(handle, batch);
	if (r < 0) {
		sfr_op_discard(op);
		return r;
	}
	if (!op)
		return batch_fail(batch, -ENOMEM);
	r = op_fits(batch, op);
	if (r == 0)
		r = op_adopt(batch, op);
	if (r >= 0)
		return r;
	if (op->state == SFR__OP_BUILDING)
		sfr_op_discard(op);
	return batch_fail(batch, r);
}

static int edge_declare(const sfr_batch *handle, int op, int dependency, enum sfr__edge_kind kind)
{
	struct sfr__batch *batch = sfr__batch_of(handle);
	int r = sfr__batch_check_building(handle, batch);

	if (r < 0)
		return r;
	if (op < 0 || dependency < 0)
		return batch_fail(batch, op < -1 ? op : dependency < -1 ? dependency : -EINVAL);
	if (!sfr__batch_has(batch, op) || !sfr__batch_has(batch, dependency))
		return batch_fail(batch, -EINVAL);
	r = sfr__batch_edge_add(batch, dependency, op, kind);
	return r < 0 ? batch_fail(batch, r) : 0;
}

int sfr_batch_after(sfr_batch *handle, int op, int dependency)
{
	return edge_declare(handle, op, dependency, SFR__EDGE_AFTER);
}

int sfr_batch_after_any(sfr_batch *handle, int op, int dependency)
{
	return edge_declare(handle, op, dependency, SFR__EDGE_ANY);
}

static void heir_add(struct sfr__batch *batch, int32_t from, int32_t to)
{
	batch->nodes[to].source = from;
	if (batch->nodes[from].heir < 0)
		batch->nodes[from].heir = to;
	else
		batch->nodes[from].heirs = true;
}

int sfr_batch_then(sfr_batch *handle, int previous, sfr_op *op)
{
	struct sfr__batch *batch = sfr__batch_of(handle);
	bool inherits = sfr__op_is_hollow(op);
	int index = sfr_batch_add(handle, op), r;

	if (index < 0)
		return index;
	r = edge_declare(handle, index, previous, inherits ? SFR__EDGE_DATA : SFR__EDGE_AFTER);
	if (r == 0 && inherits)
		heir_add(batch, previous, index);
	return r < 0 ? r : index;
}

int sfr_batch_within(sfr_batch *handle, uint64_t ns)
{
	struct sfr__batch *batch = sfr__batch_of(handle);
	int r = sfr__batch_check_building(handle, batch);

	if (r == 0)
		batch->within_ns = ns ? ns : 1;
	return r;
}

/*
 * What came of it.
 */

int sfr_batch_result(const sfr_batch *handle, int op, int *result)
{
	const struct sfr__batch *batch = sfr__batch_of(handle);
	int r = sfr__batch_check(handle, batch);

	if (r < 0)
		return r;
	if (!sfr__batch_has(batch, op))
		return -EINVAL;
	if (!sfr__node_has_ended(&batch->nodes[op]))
		return -SFR_EPENDING;
	*result = batch->nodes[op].result;
	batch->nodes[op].claimed = true;
	return 0;
}

int sfr_batch_error(const sfr_batch *handle, int *op_out)
{
	const struct sfr__batch *batch = sfr__batch_of(handle);
	int r = sfr__batch_check(handle, batch);
	int32_t i;

	if (r < 0)
		return r;
	if (!sfr__batch_is_done(batch))
		return -SFR_EPENDING;
	for (i = 0; i < batch->plan.node_count; i++) {
		if (batch->nodes[i].result >= 0 || batch->nodes[i].result == -SFR_EDEPFAILED)
			continue;
		if (op_out)
			*op_out = i;
		return batch->nodes[i].result;
	}
	return 0;
}

/* Why there is no buffer, for errno. */
static int take_refusal(const sfr_batch *handle, const struct sfr__batch *batch, int op)
{
	int r = sfr__batch_check(handle, batch);

	if (r < 0)
		return -r;
	if (!sfr__batch_has(batch, op))
		return EINVAL;
	if (!sfr__node_has_ended(&batch->nodes[op]))
		return SFR_EPENDING;
	if (batch->nodes[op].buf)
		return 0;
	return batch->nodes[op].gone ? SFR_ESTALE : ENODATA;
}

sfr_buf *sfr_batch_take(sfr_batch *handle, int op)
{
	struct sfr__batch *batch = sfr__batch_of(handle);
	int err = take_refusal(handle, batch, op);

	if (err) {
		errno = err;
		return NULL;
	}
	return sfr__node_take(&batch->nodes[op]);
}

/*
 * The end.
 */

int sfr_batch_reset(sfr_batch *handle)
{
	struct sfr__batch *batch = sfr__batch_of(handle);
	int r = sfr__batch_check(handle, batch);

	if (r < 0)
		return r;
	if (sfr__batch_runs(batch))
		return -SFR_EOPSINFLIGHT;
	batch_empty(batch, true);
	batch->serial = batch->loop->batch_serial++;
	sfr__batch_step(batch, SFR__BATCH_RESET);
	batch->error = 0;
	batch->left = batch->failed = 0;
	batch->backward = false;
	batch->within_ns = 0;
	return 0;
}

/* Why it must stay, which is misuse; 0: it need not, or it went with its loop. */
static int free_refusal(const sfr_batch *handle, const struct sfr__batch *batch)
{
	int r;

	if (batch && sfr__batch_runs(batch))
		return sfr__loop_misuse(batch->loop, -SFR_EOPSINFLIGHT,
					"a batch was freed that runs");
	if (batch || !handle || sfr__handle_is_orphan(handle, SFR__HANDLE_BATCH))
		return 0;
	r = sfr__handle_refuse(handle, used);
	if (r == -SFR_ESTALE)
		sfr__handle_report(handle, used);
	return r;
}

void sfr_batch_free(sfr_batch *handle)
{
	struct sfr__batch *batch = sfr__batch_of(handle);
	int r = free_refusal(handle, batch);

	if (r < 0)
		errno = -r;
	else if (batch)
		batch_free(batch, true);
}
