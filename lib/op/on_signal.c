/* SPDX-License-Identifier: MIT */
/*
 * Signals as ops: built, put on the loop's list, and called back there.
 *
 * A signal is a flag, not a count: several that arrive between two turns are one callback.
 */
#include "op/on_signal.h"
#include "op/build.h"
#include "op/end.h"
#include "op/kind.h"
#include <safer_ring/system.h>
#include <errno.h>
#include <signal.h>

static int signo_of(const sfr_op *op)
{
	return (int)op->sqe.len;
}

/* A fault is dealt with where it happens, or happens again: a flag does not help. */
static bool can_wait_for(int signo)
{
	static const int not [] = {SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE, SIGILL};
	size_t i;

	for (i = 0; i < sizeof(not ) / sizeof(not [0]); i++)
		if (signo == not [i])
			return false;
	return signo > 0 && signo < SFR__SIGNALS;
}

sfr_op *sfr_signal(sfr_loop *loop, int signo)
{
	sfr_op *op = sfr__op_new(loop, SFR__OP_SIGNAL, false);

	if (!op)
		return NULL;
	op->sqe.len = (uint32_t)signo;
	if (!can_wait_for(signo))
		op->result = -EINVAL;
	return op;
}

void sfr__signal_start(sfr_op *op)
{
	sfr_loop *loop = op->loop;
	int r = sfr__signal_watch_add(&loop->signal_watch, signo_of(op));

	if (r < 0) {
		sfr__op_finish_later(op, SFR__EV_REFUSED, r);
		return;
	}
	sfr__op_step(op, SFR__EV_TAKEN);
	sfr__list_append(&loop->signals, &op->hook);
}

void sfr__signal_cancel(sfr_op *op)
{
	sfr__signal_watch_remove(&op->loop->signal_watch, signo_of(op));
	sfr__op_finish_later(op, SFR__EV_CQE_LAST, -ECANCELED);
}

/* Each has its turn once: callbacks may end any of them, and start others. */
void sfr__signals_tell(sfr_loop *loop)
{
	bool arrived[SFR__SIGNALS];
	struct sfr__hook ops;
	int signo;

	if (sfr__list_empty(&loop->signals))
		return;
	for (signo = 1; signo < SFR__SIGNALS; signo++)
		arrived[signo] = sfr__signal_arrived(&loop->signal_watch, signo);
	sfr__list_move(&ops, &loop->signals);
	while (!sfr__list_empty(&ops)) {
		sfr_op *op = sfr__container(ops.next, sfr_op, hook);

		signo = signo_of(op);
		sfr__list_remove(&op->hook);
		sfr__list_append(&loop->signals, &op->hook);
		if (!arrived[signo])
			continue;
		sfr__op_step(op, SFR__EV_CQE_MORE);
		sfr__op_deliver(op, signo, NULL);
	}
}
