/* SPDX-License-Identifier: MIT */
/*
 * Descriptors of a batch that are not known yet go by names: see op/fd_name.h.
 */
#include "batch/batch.h"
#include "op/fd_name.h"
#include "op/inherit.h"
#include "op/kind.h"
#include "op/registered.h"
#include <safer_ring/error.h>
#include <errno.h>

static bool wins_fd(const struct sfr__batch *batch, int index)
{
	return sfr__batch_has(batch, index) &&
	       sfr__kind_is(batch->nodes[index].kind, SFR__KIND_WINS);
}

/* Which op of the batch a name is for; -EINVAL if it is for none of them that wins a descriptor. */
static int32_t named(const struct sfr__batch *batch, int name)
{
	int32_t index = name - sfr__batch_fd_first(batch->serial);

	return wins_fd(batch, index) ? index : -EINVAL;
}

/* The fields of an op that hold descriptors. Returns how many there are, at most 2. */
static int fd_fields(sfr_op *op, int32_t *fields[2])
{
	int count = 0;

	if (sfr__op_is(op, SFR__KIND_ON_FD))
		fields[count++] = &op->sqe.fd;
	if (op->kind == SFR__OP_SPLICE && !(op->sqe.splice_flags & SPLICE_F_FD_IN_FIXED))
		fields[count++] = &op->sqe.splice_fd_in;
	if (sfr__op_is(op, SFR__KIND_TWO_DIRS))
		fields[count++] = (int32_t *)&op->sqe.len;
	return count;
}

/* A descriptor of the batch: known if it is to be in a place. 0 or an error. */
static int fd_adopt(struct sfr__batch *batch, int32_t index, sfr_op *op, int32_t *field)
{
	int32_t from = named(batch, *field);
	const struct sfr__node *opener = &batch->nodes[from < 0 ? 0 : from];

	if (from < 0)
		return from;
	if (!opener->fills_place) {
		batch->nodes[index].unnamed = true;
	} else if (sfr__op_is(op, SFR__KIND_DIRFD)) {
		op->result = -SFR_EUNSUPPORTED; /* a path cannot begin there */
	} else {
		*field = opener->name;
		if (op->kind == SFR__OP_CLOSE)
			op->flags |= SFR__OP_PLACE;
		if (field == &op->sqe.splice_fd_in)
			sfr__registered_splice(op);
	}
	return sfr__batch_edge_add(batch, from, index, SFR__EDGE_FD);
}

/* What is wrong already has no entry. */
int sfr__batch_fds_adopt(struct sfr__batch *batch, int32_t index, sfr_op *op)
{
	int32_t *fields[2];
	int count = op->result == 0 || sfr__op_is_hollow(op) ? fd_fields(op, fields) : 0;
	int r = 0, i;

	for (i = 0; r == 0 && i < count; i++)
		if (sfr__fd_is_of_batch(*fields[i]))
			r = fd_adopt(batch, index, op, fields[i]);
	return r;
}

bool sfr__batch_fds_resolve(struct sfr__node *node)
{
	struct sfr__batch *batch = node->batch;
	int32_t *fields[2];
	int count = node->unnamed ? fd_fields(node->op, fields) : 0, i;

	for (i = 0; i < count; i++) {
		int32_t opener = sfr__fd_is_of_batch(*fields[i]) ? named(batch, *fields[i]) : -1;

		if (opener < 0)
			continue;
		if (!sfr__node_has_ended(&batch->nodes[opener]) || batch->nodes[opener].result < 0)
			return false;
		*fields[i] = batch->nodes[opener].result;
		if (node->kind == SFR__OP_CLOSE)
			node->closes = opener;
	}
	return true;
}

int sfr_batch_fd(const sfr_batch *handle, int op)
{
	const struct sfr__batch *batch = sfr__batch_of(handle);

	if (!batch) {
		(void)sfr__batch_refuse(handle); /* what is built with it will fail */
		return -1;
	}
	return wins_fd(batch, op) ? sfr__batch_fd_first(batch->serial) + op : -1;
}
