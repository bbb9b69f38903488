/* SPDX-License-Identifier: MIT */
/*
 * Op cells: where operations live, and the table of their lives.
 *
 * An op is built in a cell of two cache lines: the SQE as it will be submitted, and what to do when it
 * completes. Cells never move, so a cell's address is what the engine carries through the CQE. A cell
 * knows its index, and a ticket is index and generation: a stale one is an error, never somebody else's
 * op. Each loop begins with another generation, so that a ticket of another loop is as stale.
 *
 * There is a cell for every buffer that exists, besides those that ops without buffer may use. So an
 * op that carries a buffer can always be built.
 */
#ifndef SFR_LIB_LOOP_OP_CELL_H
#define SFR_LIB_LOOP_OP_CELL_H

#include "base/array.h"
#include "base/invariant.h"
#include "base/list.h"
#include "base/timer.h"
#include <safer_ring/op.h>
#include <liburing.h>
#include <stdlib.h>

enum sfr__op_state {
	SFR__OP_ILLEGAL, /* not a state: what the table says where there is no way */
	SFR__OP_FREE,
	SFR__OP_BUILDING,
	SFR__OP_ADDED,      /* built, and of a batch that is not submitted */
	SFR__OP_QUEUED,     /* submitted; the engine has no SQE of it */
	SFR__OP_IN_FLIGHT,  /* the engine has its SQE, or the wheel its timer */
	SFR__OP_CANCELLING, /* in flight, and asked to end */
	SFR__OP_ORPHANED,   /* in flight, and nobody wants to know */
	SFR__OP_DONE,       /* its result is known; the callback is due */
	SFR__OP_STATES
};

enum sfr__op_event {
	SFR__EV_BUILD,
	SFR__EV_ADD,
	SFR__EV_DISCARD,
	SFR__EV_SUBMIT,
	SFR__EV_TAKEN,   /* written to the engine's queue, or put on the wheel */
	SFR__EV_REFUSED, /* known to fail, or cancelled, before the engine had it */
	SFR__EV_CANCEL,
	SFR__EV_ABANDON,
	SFR__EV_CQE_MORE, /* a completion, and more will follow */
	SFR__EV_REQUEUE,  /* it ended early, and is to be started again */
	SFR__EV_CQE_LAST, /* the last completion */
	SFR__EV_RECYCLE,
	SFR__OP_EVENTS,
	SFR__OP_EVENTS_ROOM = 16 /* a line of the table is a power of two long */
};

enum {
	SFR__OP_BARE = 1,   /* built without buffer: counted against ring.ops_max */
	SFR__OP_WHOLE = 2,  /* sfr_all(): it goes on after a part */
	SFR__OP_ERRAND = 4, /* a worker of the loop does it */
	SFR__OP_COPIES = 8, /* what it was passed by pointer is copied, to where sqe.addr says */
	/* it sends or writes a chain, by way of a gather: see op/gathered.h */
	SFR__OP_GATHERED = 16,
	SFR__OP_SENT = 32, /* its result is known, and its buffer not back: see op/send_zc.c */
	/* it fills or empties a place of the registered files: see loop/files.h */
	SFR__OP_PLACE = 64,
	SFR__OP_HOLDS_FD = 128, /* sqe.fd is its own, and goes with it */
	/* Whose its buffer is when it is done. Neither: handed back through the callback. */
	SFR__OP_BUF_HIDDEN = 256, /* the op's own arguments; dropped */
	SFR__OP_BUF_QUEUED = 512, /* of a send queue, perhaps a chain: passed through as it is */
	/* Of batches: see op/row.h. */
	SFR__OP_LINKED = 1024,     /* sqe.user_data names the op behind it */
	SFR__OP_IN_ROW = 2048,     /* the engine has it as one of a row */
	SFR__OP_BEHIND = 4096,     /* and the one before it there has not ended */
	SFR__OP_PLACE_HELD = 8192, /* SFR__OP_PLACE, once it starts */
	SFR__OP_TIMED = 16384,     /* it has a deadline: see loop/deadline.h */
	SFR__OP_TRACED = 32768,    /* the log is told of its steps */
};

/* What the engine carries through a CQE: the address of an op, or one of these; and see SFR__CQE_UNSENT. */
enum {
	SFR__CQE_CANCEL = 1,  /* added to an op's address: the answer to a request to cancel it */
	SFR__CQE_MAILBOX = 2, /* the poll that wakes the loop */
	SFR__CQE_MOVE = 8,    /* the answer to a receive's request to be armed anew */
	SFR__CQE_OPS = 16,    /* addresses of ops are not below this */
};

/* The time of a timeout or interval; such an op has no SQE. */
struct sfr__op_time {
	struct sfr__timer timer; /* first: the wheel hands it back */
	uint64_t ns;             /* asked for */
	uint64_t due_ns;         /* when it next fires */
};

struct sfr_op {
	union {
		struct io_uring_sqe sqe;
		struct sfr__op_time time;
	};
	sfr_loop *loop;
	sfr_done *done;
	void *arg;
	sfr_buf *buf;
	struct sfr__hook hook; /* on one of the loop's lists, or of the free cells (next) */
	uint32_t generation;
	int32_t result; /* when DONE; while BUILDING what is wrong already, or 0 */
	uint8_t state;  /* enum sfr__op_state; its one writer is sfr__op_step */
	uint8_t kind;   /* enum sfr__op_kind: see op/kind.h */
	uint16_t flags; /* SFR__OP_BARE ... */
	uint32_t index; /* of its cell in the table */
} __attribute__((aligned(64)));

_Static_assert(sizeof(struct io_uring_sqe) == 64, "an SQE is one cache line");
_Static_assert(sizeof(struct sfr_op) == 128, "an op is two cache lines");

struct sfr__op_table {
	sfr_op *free;
	size_t made;         /* cells used at least once */
	size_t bare;         /* ops in being that carry no buffer */
	size_t bare_ready;   /* how many may be, with the memory there is */
	size_t bare_max;     /* how many may be */
	size_t bufs;         /* buffers that exist: as many cells are set aside */
	uint32_t generation; /* of a cell that was never used */
	uint16_t traced;     /* SFR__OP_TRACED if the log is told of all its ops; or 0 */
	/* Tell it of a step of an op that was in state `from`. Not NULL where ops are traced. */
	void (*trace)(const sfr_op *op, enum sfr__op_state from, enum sfr__op_event event);
	struct sfr__array cells;
};

void sfr__op_table_init(struct sfr__op_table *table, size_t bare_max, size_t bufs_max);
void sfr__op_table_fini(struct sfr__op_table *table);

/* Set cells aside for this many buffers. 0 or -ENOMEM. */
int sfr__op_table_reserve(struct sfr__op_table *table, size_t bufs);

/* Memory for one more op without buffer. False if there is none, or ring.ops_max is reached. */
bool sfr__op_table_extend(struct sfr__op_table *table);

/* The op of a ticket; NULL if it is gone. */
sfr_op *sfr__op_find(const struct sfr__op_table *table, sfr_ticket ticket);

extern const uint8_t sfr__op_after[SFR__OP_STATES][SFR__OP_EVENTS_ROOM];

/* Something happened to an op: move it to where that leads. It must lead somewhere. */
static inline void sfr__op_move(sfr_op *op, enum sfr__op_event event)
{
	uint8_t next = sfr__op_after[op->state][event];

	sfr__invariant(next != SFR__OP_ILLEGAL);
	op->state = next;
}

/* Tell of a step of a traced op. */
__attribute__((cold)) void sfr__op_tell_traced(const sfr_op *op, enum sfr__op_state from,
					       enum sfr__op_event event);

static inline void sfr__op_tell(const sfr_op *op, enum sfr__op_state from, enum sfr__op_event event)
{
	if (sfr__unlikely(op->flags & SFR__OP_TRACED))
		sfr__op_tell_traced(op, from, event);
}

/* Both. On the usual way of an op they are apart: there the test for SFR__OP_TRACED is part of one that is
 * made anyway, and telling is on the way for what is unusual. */
static inline void sfr__op_step(sfr_op *op, enum sfr__op_event event)
{
	sfr__op_tell(op, (enum sfr__op_state)op->state, event);
	sfr__op_move(op, event);
}

/* Whether it is in flight, and was asked to end. */
static inline bool sfr__op_is_ending(const sfr_op *op)
{
	return op->state == SFR__OP_CANCELLING || op->state == SFR__OP_ORPHANED;
}

/* The cell of an index below `made`. */
static inline sfr_op *sfr__op_at(const struct sfr__op_table *table, size_t index)
{
	return sfr__array_at(&table->cells, index);
}

/* A cell that was never used. There is one. */
sfr_op *sfr__op_cell_new(struct sfr__op_table *table);

/* Forget what an op asked of the engine. liburing's helpers set what they have a use for, and leave the rest
 * as it was: whoever prepares an op that was prepared before begins with this. */
static inline void sfr__op_blank(sfr_op *op)
{
	op->sqe = (struct io_uring_sqe){0};
}

/* A cell in state BUILDING, blank, for an op with or without buffer. NULL if there is no memory: never for
 * one with buffer. */
static inline sfr_op *sfr__op_take(struct sfr__op_table *table, bool with_buf)
{
	sfr_op *op = table->free;

	if (!with_buf) {
		if (sfr__unlikely(table->bare >= table->bare_ready) && !sfr__op_table_extend(table))
			return NULL;
		table->bare++;
	}
	if (sfr__likely(op != NULL))
		table->free = (sfr_op *)(void *)op->hook.next;
	else
		op = sfr__op_cell_new(table);
	sfr__list_init(&op->hook);
	sfr__op_move(op, SFR__EV_BUILD); /* untold: nothing is known of it yet */
	sfr__op_blank(op);
	op->flags = (uint16_t)(table->traced | (with_buf ? 0 : SFR__OP_BARE));
	op->result = 0;
	op->buf = NULL;
	return op;
}

/* From BUILDING or DONE to FREE; untold. */
static inline void sfr__op_give(struct sfr__op_table *table, sfr_op *op, enum sfr__op_event event)
{
	sfr__op_move(op, event);
	table->bare -= op->flags & SFR__OP_BARE;
	op->generation += 1 + (op->generation == UINT32_MAX); /* 0 is for tickets of no op */
	op->hook.next = (struct sfr__hook *)(void *)table->free;
	table->free = op;
}

static inline sfr_ticket sfr__op_ticket(const sfr_op *op)
{
	return (sfr_ticket)op->generation << 32 | op->index;
}

#endif
