/* SPDX-License-Identifier: MIT */
/*
 * Every public call that knows a loop, and what it does when somebody calls it who may not.
 */
#ifndef SFR_TESTS_CALLS_H
#define SFR_TESTS_CALLS_H

#include "peers.h"

/* What the calls are made with: one of each thing that a loop can have. */
struct caller {
	sfr_loop *loop;
	sfr_server *server; /* echoes */
	sfr_conn *conn;     /* dialled, to the server */
	sfr_op *op;         /* built, and not submitted: a read of the pipe */
	sfr_ticket ticket;  /* of an op in flight: another */
	int read_end, write_end;
	sfr_batch *batch;   /* of two ops, and not submitted */
	sfr_batch *running; /* submitted: a read that waits, and an op after it */
	sfr_buf *bufs[32];  /* the caller's; the last ones are used up */
	int buf_count;
	int posted; /* functions that ran */
};

/* Make it all, and take no turn. */
void caller_init(struct caller *caller, sfr_loop *loop);

/* On the loop's thread: fail the test unless all of it works. */
void caller_check(struct caller *caller);

enum call_kind {
	CALL_REFUSED, /* it answers with the error, and logs it */
	CALL_SILENT,  /* it has no answer, and logs */
	CALL_RUNS,    /* refused, but before the first turn it takes the loop over */
	CALL_POSTS,   /* for any thread of the process */
	CALL_OPEN,    /* for anybody */
	CALL_READS,   /* looks at the loop and changes nothing: at the caller's own risk */
	CALL_FREES,   /* for any thread, but the last; refused in a child */
};

struct call {
	const char *name;
	enum call_kind kind;
	int (*run)(struct caller *caller); /* the error, positive; 0 if there is none */
};

extern const struct call calls[];
extern const int calls_count;

/* Call it. NULL if it did what its kind says where a stranger is answered with `err` (SFR_ETHREAD,
 * SFR_EFORKED); else what is wrong. */
const char *call_check(const struct call *call, struct caller *caller, int err);

#endif
