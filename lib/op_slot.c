#include "op_slot.h"
#include "invariant.h"
#include <errno.h>

#define F SFR__OP_FREE
#define B SFR__OP_BUILDING
#define Q SFR__OP_QUEUED
#define I SFR__OP_IN_FLIGHT
#define C SFR__OP_CANCELLING
#define O SFR__OP_ORPHANED
#define D SFR__OP_DONE

/* All else is 0, SFR__OP_ILLEGAL. */
const uint8_t sfr__op_after[SFR__OP_STATES][SFR__OP_EVENTS] = {
	[F] = {[SFR__EV_BUILD] = B},
	[B] = {[SFR__EV_DISCARD] = F, [SFR__EV_SUBMIT] = Q},
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
#undef Q
#undef I
#undef C
#undef O
#undef D

void sfr__op_step(sfr_op *op, enum sfr__op_event event)
{
	uint8_t next = sfr__op_after[op->state][event];

	sfr__invariant(next != SFR__OP_ILLEGAL);
	op->state = next;
}

int sfr__op_table_init(struct sfr__op_table *table, size_t bare_max, size_t bufs_max)
{
	*table = (struct sfr__op_table){.bare_max = bare_max};
	return sfr__region_init(&table->region, (bare_max + bufs_max) * sizeof(sfr_op));
}

void sfr__op_table_fini(struct sfr__op_table *table)
{
	sfr__region_fini(&table->region);
}

int sfr__op_table_reserve(struct sfr__op_table *table, size_t bufs)
{
	int r = sfr__region_grow(&table->region, (bufs + table->bare) * sizeof(sfr_op));

	if (r == 0)
		table->bufs = bufs;
	return r;
}

static bool bare_allowed(struct sfr__op_table *table)
{
	size_t slots = table->bufs + table->bare + 1;

	return table->bare < table->bare_max &&
	       sfr__region_grow(&table->region, slots * sizeof(sfr_op)) == 0;
}

sfr_op *sfr__op_take(struct sfr__op_table *table, bool with_buf)
{
	sfr_op *op;

	if (!with_buf) {
		if (!bare_allowed(table))
			return NULL;
		table->bare++;
	}
	op = table->free;
	if (sfr__likely(op != NULL)) {
		table->free = (sfr_op *)(void *)op->link.next;
	} else {
		sfr__invariant((table->made + 1) * sizeof(*op) <= table->region.usable);
		op = (sfr_op *)(void *)table->region.base + table->made++;
		op->state = SFR__OP_FREE;
		op->generation = 1;
	}
	sfr__list_init(&op->link);
	sfr__op_step(op, SFR__EV_BUILD);
	op->bare = !with_buf;
	op->buf_role = SFR__BUF_CALLERS;
	op->result = 0;
	op->buf = NULL;
	return op;
}

void sfr__op_give(struct sfr__op_table *table, sfr_op *op, enum sfr__op_event event)
{
	sfr__op_step(op, event);
	table->bare -= op->bare;
	op->generation = op->generation == UINT32_MAX ? 1 : op->generation + 1;
	op->link.next = (struct sfr__link *)(void *)table->free;
	table->free = op;
}

sfr_ticket sfr__op_ticket(const struct sfr__op_table *table, const sfr_op *op)
{
	size_t index = (size_t)(op - (const sfr_op *)(const void *)table->region.base);

	return (sfr_ticket)op->generation << 32 | index;
}

sfr_op *sfr__op_find(const struct sfr__op_table *table, sfr_ticket ticket)
{
	size_t index = (uint32_t)ticket;
	sfr_op *op;

	if (index >= table->made)
		return NULL;
	op = (sfr_op *)(void *)table->region.base + index;
	if (op->generation != ticket >> 32 || op->state <= SFR__OP_BUILDING)
		return NULL;
	return op;
}
