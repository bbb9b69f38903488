/* SPDX-License-Identifier: MIT */
/*
 * Lives of batches and of their nodes: states, what may happen, and where that leads.
 *
 * Callers say what happened; the tables in life.c say where that leads. Every pair that is not in a table
 * stops the program.
 */
#ifndef SFR_LIB_BATCH_LIFE_H
#define SFR_LIB_BATCH_LIFE_H

#include <safer_ring/batch.h>
#include <stdint.h>

struct sfr__batch;
struct sfr__node;

enum sfr__node_state {
	SFR__NODE_ILLEGAL,  /* not a state: what the table says where there is no way */
	SFR__NODE_ADDED,    /* its batch is not submitted */
	SFR__NODE_WAITING,  /* its op is held, or linked behind one that it waits for */
	SFR__NODE_DOOMED,   /* the same, and one that must succeed did not: it will not run */
	SFR__NODE_RETURNED, /* its op came back from a broken row, and waits again */
	SFR__NODE_STARTED,  /* its op was released, with what is linked behind it */
	SFR__NODE_ALONE,   /* its op was released after it came back: nothing is linked behind it */
	SFR__NODE_REFUSED, /* its op is being told that it will not run */
	SFR__NODE_ENDED,   /* it has a result, and still waits for others */
	SFR__NODE_OVER,    /* it has a result, and waits for nothing; those after it do not know */
	SFR__NODE_SETTLED, /* those after it know */
	SFR__NODE_STATES
};

enum sfr__node_event {
	SFR__NODE_SUBMIT, /* its batch is submitted */
	SFR__NODE_FAIL,   /* one that it waits for, and that must succeed, did not */
	SFR__NODE_START,  /* all that it waits for has ended */
	SFR__NODE_BREAK,  /* an engine did not run it, as its row broke */
	SFR__NODE_END,    /* its op has ended */
	SFR__NODE_MET,    /* it had ended, and now so has all that it waits for */
	SFR__NODE_SETTLE,
	SFR__NODE_EVENTS
};

enum sfr__batch_state {
	SFR__BATCH_ILLEGAL, /* not a state */
	SFR__BATCH_BUILDING,
	SFR__BATCH_PLANNED, /* as BUILDING, and it is known what could be linked */
	SFR__BATCH_RUNNING,
	SFR__BATCH_CANCELLING, /* it runs, and the user asked it to end */
	SFR__BATCH_EXPIRED,    /* it runs, and its deadline has passed */
	SFR__BATCH_DONE,
	SFR__BATCH_CANCELLED, /* done, and the user had asked it to end, be it in vain */
	SFR__BATCH_STATES
};

enum sfr__batch_event {
	SFR__BATCH_CHANGE, /* an op or an edge is new */
	SFR__BATCH_PLAN,
	SFR__BATCH_SUBMIT,
	SFR__BATCH_CANCEL,
	SFR__BATCH_EXPIRE,
	SFR__BATCH_END, /* its last node is settled */
	SFR__BATCH_RESET,
	SFR__BATCH_EVENTS
};

extern const uint8_t sfr__node_after[SFR__NODE_STATES][SFR__NODE_EVENTS];
extern const uint8_t sfr__batch_after[SFR__BATCH_STATES][SFR__BATCH_EVENTS];

/* Something happened: move the node, or the batch, to where that leads. It must lead somewhere. */
void sfr__node_step(struct sfr__node *node, enum sfr__node_event event);
void sfr__batch_step(struct sfr__batch *batch, enum sfr__batch_event event);

#endif
