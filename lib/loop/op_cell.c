/* SPDX-License-Identifier: MIT */
/*
 * Op cells: the table of lives, and cells made as they are needed.
 *
 * Free cells are a list through the hooks of their ops. A cell is made only when none is free, so a loop touches as
 * much memory as it ever had ops at the same time.
 */
#include "loop/op_cell.h"
#include "loop/loop.h"
#include <errno.h>

#define F SFR__OP_FREE
#define B SFR__OP_BUILDING
#define A SFR__OP_ADDED
#define Q SFR__OP_QUEUED
#define I SFR__OP_IN_FLIGHT
#define C SFR__OP_CANCELLING
#define O SFR__OP_ORPHANED
#define D SFR__OP_DONE

/* All else is 0, SFR__OP_ILLEGAL. */
const uint8_t sfr__op_after[SFR__OP_STATES][SFR__OP_EVENTS_ROOM] = {
	[F] = {[SFR__EV_BUILD] = B},
	[B] = {[SFR__EV_ADD] = A, [SFR__EV_DISCARD] = F, [SFR__EV_SUBMIT] = Q},
	[A] = {[SFR__EV_DISCARD] = F, [SFR__EV_SUBMIT] = Q},
	[Q] = {[SFR__EV_TAKEN] = I, [SFR__EV_REFUSED] = D},
	[I] = {[SFR__EV_CANCEL] = C,
	       [SFR__EV_ABANDON] = O,
	       [SFR__EV_CQE_MORE] = I,
	       [SFR__EV_REQUEUE] = Q,
	       [SFR__EV_CQE_LAST] = D},
	[C] = {[SFR__EV_ABANDON] = O, [SFR__EV_CQE_MORE] = C, [SFR__EV_CQE_LAST] = D},
	[O] = {[SFR__EV_ABANDON] = O, [SFR__EV_CQE_MORE] = O, [SFR__EV_CQE_LAST] = D},
	[D] = {[SFR__EV_RECYCLE] = F},
};

#undef F
#undef B
#undef A
#undef Q
#undef I
#undef C
#undef O
#undef D

void sfr__op_tell_traced(const sfr_op *op, enum sfr__op_state from, enum sfr__op_event event)
{
	op->loop->ops.trace(op, from, event);
}

/*
 * Multiples of this number, which is 2^32 by the golden ratio, lie as far apart as so many can. So cells of two loops
 * have the same generation only after one of them was used some 2^32 times, divided by the loops that there ever were.
 */
static uint32_t generation_first(void)
{
	static atomic_uint tables;
	uint32_t generation = atomic_fetch_add(&tables, 1) * UINT32_C(0x9e3779b9);

	return generation ? generation : 1; /* 0 is for tickets of no op */
}

void sfr__op_table_init(struct sfr__op_table *table, size_t bare_max, size_t bufs_max)
{
	*table = (struct sfr__op_table){.bare_max = bare_max, .generation = generation_first()};
	sfr__array_init(&table->cells, sizeof(sfr_op), bare_max + bufs_max);
}

void sfr__op_table_fini(struct sfr__op_table *table)
{
	sfr__array_fini(&table->cells);
}

/* Cells for this many buffers and bare ops. 0 or -ENOMEM. */
static int table_grow(struct sfr__op_table *table, size_t bufs, size_t bare)
{
	size_t cells;
	int r = sfr__array_grow(&table->cells, bufs + bare);

	if (r < 0)
		return r;
	cells = table->cells.ready - bufs;
	table->bufs = bufs;
	table->bare_ready = cells < table->bare_max ? cells : table->bare_max;
	return 0;
}

int sfr__op_table_reserve(struct sfr__op_table *table, size_t bufs)
{
	return bufs <= table->bufs ? 0 : table_grow(table, bufs, table->bare);
}

bool sfr__op_table_extend(struct sfr__op_table *table)
{
	return table->bare < table->bare_max &&
	       table_grow(table, table->bufs, table->bare + 1) == 0;
}

sfr_op *sfr__op_cell_new(struct sfr__op_table *table)
{
	sfr_op *op;

	sfr__invariant(table->made < table->cells.ready);
	op = sfr__op_at(table, table->made);
	op->index = (uint32_t)table->made++;
	op->state = SFR__OP_FREE;
	op->generation = table->generation;
	return op;
}

sfr_op *sfr__op_find(const struct sfr__op_table *table, sfr_ticket ticket)
{
	size_t index = (uint32_t)ticket;
	sfr_op *op;

	if (index >= table->made)
		return NULL;
	op = sfr__op_at(table, index);
	if (op->generation != ticket >> 32 || op->state < SFR__OP_QUEUED)
		return NULL;
	return op;
}
