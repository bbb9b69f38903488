/* SPDX-License-Identifier: MIT */
/*
 * An op's entry is written to the engine's queue: a copy of the entry that the op keeps, with what only the
 * engine's copy has.
 */
#include "op/write.h"
#include "machine/kernel.h"
#include "op/kind.h"
#include "op/registered.h"
#include "op/splice.h"

typedef volatile uint32_t __attribute__((may_alias)) sqe_word;

typedef volatile uint64_t __attribute__((may_alias)) sqe_long;

/*
 * Copy an SQE in pieces no wider than its fields were written. The op was built a moment ago, and a wider
 * load would wait until those stores have reached the cache: a third of the cost of a submission.
 * volatile keeps the compiler from widening the loads again.
 */
static void sqe_copy(struct io_uring_sqe *to, struct io_uring_sqe *from)
{
	sqe_word *words_to = (sqe_word *)to, *words = (sqe_word *)from;
	sqe_long *longs_to = (sqe_long *)to, *longs = (sqe_long *)from;

	words_to[0] = words[0]; /* opcode, flags, ioprio */
	words_to[1] = words[1]; /* fd */
	longs_to[1] = longs[1]; /* off */
	longs_to[2] = longs[2]; /* addr */
	words_to[6] = words[6]; /* len */
	words_to[7] = words[7]; /* flags of the op */
	longs_to[5] = longs[5]; /* buf_index, personality, file_index */
	longs_to[6] = longs[6];
	longs_to[7] = longs[7];
}

/* An entry that is not simply a copy. Apart, or the usual way would save registers for it. */
static __attribute__((noinline)) struct io_uring_sqe *special_write(sfr_op *op,
								    struct io_uring_sqe *sqe)
{
	if (op->sqe.off == SFR__POSITION && op->kind != SFR__OP_RAW)
		sfr__position_note(op, sqe);
	if (sfr__fd_is_name(op->sqe.fd))
		sfr__registered_write(op, sqe);
	if (op->kind == SFR__OP_SPLICE)
		sfr__splice_write(op, sqe);
	sfr__op_step(op, SFR__EV_TAKEN);
	return sqe;
}

struct io_uring_sqe *sfr__op_write(sfr_op *op)
{
	struct io_uring_sqe *sqe = sfr__queue_place(&op->loop->engine->queue);

	if (sfr__unlikely(!sqe))
		return NULL;
	sqe_copy(sqe, &op->sqe);
	sqe->user_data = (uint64_t)(uintptr_t)op;
	if (sfr__unlikely(op->sqe.off == SFR__POSITION || sfr__fd_is_name(op->sqe.fd) ||
			  op->kind == SFR__OP_SPLICE || op->flags & SFR__OP_TRACED))
		return special_write(op, sqe);
	sfr__op_move(op, SFR__EV_TAKEN);
	return sqe;
}
