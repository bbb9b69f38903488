/* SPDX-License-Identifier: MIT */
/*
 * Errands: an op's entry done as system calls by a worker, and the result kept until the loop
 * collects it.
 *
 * The errand holds the result, and the op is left alone until the loop's own thread completes it.
 * So a worker never changes an op.
 */
#include "op/errand.h"
#include "op/complete.h"
#include "op/kind.h"
#include "op/registered.h"
#include "sqe/syscalls.h"
#include <safer_ring/system.h>
#include <errno.h>
#include <stdlib.h>

struct errand {
	struct sfr__work work;
	sfr_op *op;
};

static struct errand *errand_of(const sfr_op *op)
{
	return (struct errand *)(uintptr_t)op->sqe.user_data;
}

/* On a worker, or without one. The op is in flight, so nobody changes it. */
static void errand_run(struct sfr__workers *workers, struct sfr__work *work)
{
	const sfr_op *op = sfr__container(work, struct errand, work)->op;

	(void)workers;
	if (op->kind == SFR__OP_WORK) {
		sfr_work_fn *fn = (sfr_work_fn *)(uintptr_t)op->sqe.addr;

		work->result = fn((void *)(uintptr_t)op->sqe.addr3);
		return;
	}
	work->result = sfr__syscall_run(&op->sqe);
}

static void errand_tell(struct sfr__workers *workers)
{
	sfr_loop *loop = sfr__container(workers, sfr_loop, workers);

	atomic_store(&loop->alerted, true);
	sfr__mailbox_knock(&loop->mailbox);
}

/* A function of the program's may take any time, and needs a thread. A system call is made here if there is none,
 * as the epoll engine does: what ends a shortage is not refused because of it. */
int sfr__errand_start(sfr_op *op)
{
	struct errand *errand;
	int r;

	if (sfr__op_is(op, SFR__KIND_ON_FD) && sfr__fd_is_name(op->sqe.fd))
		return sfr__registered_refuse(op);
	errand = calloc(1, sizeof(*errand));
	if (!errand)
		return -ENOMEM;
	errand->op = op;
	op->sqe.user_data = (uint64_t)(uintptr_t)errand;
	r = sfr__workers_give(&op->loop->workers, &errand->work);
	if (r < 0 && op->kind != SFR__OP_WORK) {
		sfr__workers_do(&op->loop->workers, &errand->work);
		return 0;
	}
	if (r < 0)
		free(errand);
	return r;
}

bool sfr__errand_stop(sfr_op *op)
{
	struct errand *errand = errand_of(op);

	if (!sfr__workers_take_back(&op->loop->workers, &errand->work))
		return false;
	free(errand);
	return true;
}

void sfr__errands_collect(sfr_loop *loop)
{
	struct sfr__hook done;

	sfr__workers_collect(&loop->workers, &done);
	while (!sfr__list_empty(&done)) {
		struct errand *errand = sfr__container(done.next, struct errand, work.hook);
		sfr_op *op = errand->op;
		int result = errand->work.result;

		sfr__list_remove(&errand->work.hook);
		free(errand);
		sfr__op_complete(op, result, 0);
	}
}

void sfr__errands_init(sfr_loop *loop)
{
	sfr__workers_init(&loop->workers, loop->settings.ring.workers, 0, errand_run, errand_tell);
}

void sfr__errands_fini(sfr_loop *loop)
{
	sfr__workers_fini(&loop->workers);
}
