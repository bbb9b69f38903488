/* SPDX-License-Identifier: MIT */
/*
 * Batches: operations and what each of them waits for.
 *
 *	sfr_batch *copy = sfr_batch_new(loop);
 *	int read = sfr_batch_add(copy, sfr_read_at(loop, from, sfr_buf_get(loop, size), 0));
 *	int write = sfr_batch_then(copy, read, sfr_all(sfr_write_at(loop, to, NULL, 0)));
 *	sfr_batch_then(copy, write, sfr_fsync(loop, to));
 *	r = sfr_batch_submit(copy, copied, arg); // the first error of any line above
 *
 * An operation that waits for nothing starts with the loop's next turn; any other as soon as those that it
 * waits for are done. Where the kernel's rules allow it, several are handed over as one row of linked operations, and
 * it starts each by itself; sfr_batch_plan() tells, and docs/batches.md explains. What happens is the same
 * either way.
 *
 * An operation succeeded in full when its result is no error, and one that transfers bytes transferred all
 * that it was to: for a read that is all the room in its buffer. If it did not, those that were declared
 * with sfr_batch_after() end with -SFR_EDEPFAILED without having been started, and so do those after them.
 *
 * A batch is the loop's thread's. It does not borrow the loop: other operations and batches run beside it.
 * Where there is none, because there was no memory to make it, every call below takes what it is given and
 * answers -ENOMEM: sfr_batch_submit() is early enough to look.
 */
#ifndef SAFER_RING_BATCH_H
#define SAFER_RING_BATCH_H

#include <safer_ring/op.h>

SFR_BEGIN_DECLS

/**
 * Operations with dependencies, by a handle: a value, and no address. It is good until sfr_batch_free(), or until its loop
 * is freed, and never means another batch. Every call answers -SFR_ESTALE after that, and for any other value that is
 * no batch; -SFR_ETHREAD or -SFR_EFORKED on a thread that is not the loop's. docs/ownership.md has a table of all calls.
 */
typedef struct sfr_batch sfr_batch;

/**
 * What happens when a batch is done: called once, after each of its operations has ended. The batch is
 * yours, to ask for results, reset, or free, in the callback or later.
 */
typedef void sfr_batch_done(sfr_loop *loop, sfr_batch *batch, void *arg);

/**
 * Make an empty batch.
 *
 * @return Yours, for sfr_batch_free(). NULL with errno ENOMEM; SFR_ETHREAD or SFR_EFORKED.
 *         It need not be looked at: NULL takes what it is given, and all calls on it answer -ENOMEM.
 * @thread The loop's.
 * @since 0.1
 */
SFR_API sfr_batch *sfr_batch_new(sfr_loop *loop);

/**
 * Add an operation.
 *
 * @param op Taken, whatever happens, and with it its buffer. Not a multishot one, nor sfr_raw(), which may
 *           be one. sfr_within() and sfr_all() count as ever; time runs from when it starts.
 * @return Its index: 0 for the first, then 1, and so on. Else the batch cannot be submitted any more, and
 *         op is gone: -EINVAL (a multishot operation, one of another loop, a name of sfr_batch_fd() that is
 *         not of this batch or not of an earlier operation, more than 32768 operations); -ENOMEM, also if op
 *         is NULL; -SFR_EOPSINFLIGHT while the batch runs and -SFR_ESTALE after that, and then it is
 *         unchanged: sfr_batch_reset() makes it empty. -SFR_ETHREAD or -SFR_EFORKED on a wrong thread or in
 *         a child of fork: op stays as it is then, the loop's thread's, and so does the batch.
 * @thread The loop's.
 * @since 0.1
 */
SFR_API int sfr_batch_add(sfr_batch *batch, sfr_op *op);

/**
 * Have an operation run only if another one succeeded in full; else it ends with -SFR_EDEPFAILED.
 *
 * @return 0. Else the batch cannot be submitted any more: -SFR_ECYCLE if op would wait for itself, directly
 *         or through others; -EINVAL for an index that is none, and an index that is an error gives that
 *         error: what sfr_batch_add() returned need not be looked at. -ENOMEM; -SFR_EOPSINFLIGHT and
 *         -SFR_ESTALE as sfr_batch_add().
 * @thread The loop's.
 * @since 0.1
 */
SFR_API int sfr_batch_after(sfr_batch *batch, int op, int dependency);

/**
 * Have an operation run after another one, whatever that one's outcome.
 * @return As sfr_batch_after().
 * @thread The loop's. @since 0.1
 */
SFR_API int sfr_batch_after_any(sfr_batch *batch, int op, int dependency);

/**
 * Add an operation that runs after `previous`: sfr_batch_add() and sfr_batch_after().
 *
 * One of sfr_read(), sfr_write(), their _at forms, sfr_recv(), sfr_send() and sfr_send_zc() that was built
 * with a NULL buffer inherits the buffer of `previous`, with as many bytes in it as that one transferred.
 * It then runs if `previous` did not fail: a short read is continued with what was read, and 0 bytes, at the
 * end of a file, make a write of 0 bytes. If several inherit from one, each gets a share of it
 * (sfr_buf_share()), the first the buffer itself. Without a buffer to inherit it ends with -SFR_EPOOLEMPTY.
 *
 * @param op Taken, as by sfr_batch_add().
 * @return Its index, or an error of sfr_batch_add() or sfr_batch_after(); then op is gone, but on a wrong
 *         thread and in a child of fork.
 * @thread The loop's.
 * @since 0.1
 */
SFR_API int sfr_batch_then(sfr_batch *batch, int previous, sfr_op *op);

/**
 * Name the descriptor that an operation of the batch will win: sfr_openat(), sfr_accept() or sfr_socket(),
 * also one with sfr_into().
 *
 *	int open = sfr_batch_add(batch, sfr_openat(loop, AT_FDCWD, path, O_RDONLY, 0));
 *	int read = sfr_batch_add(batch, sfr_read(loop, sfr_batch_fd(batch, open), buf));
 *
 * Operations that are added to the same batch take it where they take a descriptor, and for a dirfd; they
 * run only if `op` succeeded, as after sfr_batch_after(). sfr_close() takes it as well. Anywhere else it is
 * no descriptor: -EBADF.
 *
 * @return A number below -1 that is no descriptor; -1 if `op` is not an operation that wins one, and what is
 *         built with it ends with -EBADF.
 * @thread The loop's.
 * @since 0.1
 */
SFR_API int sfr_batch_fd(const sfr_batch *batch, int op);

/**
 * Give the whole batch a deadline, counted from its submission. When it passes, what has not ended is
 * asked to, and ends with -ETIMEDOUT unless it won the race.
 *
 * @param ns Nanoseconds. Said again, the last counts.
 * @return 0; -SFR_EOPSINFLIGHT and -SFR_ESTALE as sfr_batch_add(); -SFR_ETHREAD, -SFR_EFORKED.
 * @thread The loop's.
 * @since 0.1
 */
SFR_API int sfr_batch_within(sfr_batch *batch, uint64_t ns);

/**
 * Submit all of it.
 *
 * @param done Called once, when all operations have ended, on the loop's thread and never inside this
 *             call; also for a batch without operations. NULL: nobody wants to know.
 * @param arg  Handed to done.
 * @return 0; else nothing was submitted, done is never called, and the batch is yours to free: the first
 *         error that adding or declaring gave; -SFR_EOPSINFLIGHT and -SFR_ESTALE if it was submitted
 *         before. -SFR_ETHREAD, -SFR_EFORKED.
 * @thread The loop's.
 * @since 0.1
 */
SFR_API int sfr_batch_submit(sfr_batch *batch, sfr_batch_done *done, void *arg);

/**
 * Run the loop until the batch is done, after submitting it if that was not done yet. Not inside a callback.
 *
 * @return How many of its operations ended with an error; a short one did not. Else an error of
 *         sfr_batch_submit(), -SFR_ENESTED, -ENOTRECOVERABLE (see loop.h), or of the engine, and then the
 *         batch may still run.
 * @thread The loop's. Other callbacks may run meanwhile.
 * @since 0.1
 */
SFR_API int sfr_batch_await(sfr_batch *batch);

/**
 * How an operation ended.
 *
 * @param result Receives what a callback would have been told, and: -SFR_EDEPFAILED if it was not started
 *               because of one before it. A descriptor that it won is yours from now on; one that nobody
 *               asks for, and no sfr_close() of the batch was for, is closed with the batch.
 * @return 0; -SFR_EPENDING before it ended, and before the batch was submitted; -EINVAL if there is no such
 *         operation. -SFR_ETHREAD, -SFR_EFORKED.
 * @thread The loop's.
 * @since 0.1
 */
SFR_API int sfr_batch_result(const sfr_batch *batch, int op, int *result);

/**
 * What went wrong first: the result of the first operation, by index, that ended with an error of its own.
 *
 * @param op_out Receives its index if there is one. May be NULL.
 * @return 0 if none did; -SFR_EPENDING before the batch is done; -SFR_ETHREAD, -SFR_EFORKED.
 * @thread The loop's.
 * @since 0.1
 */
SFR_API int sfr_batch_error(const sfr_batch *batch, int *op_out);

/**
 * Take an operation's buffer. What nobody takes goes back to where it is from with the batch.
 *
 * @return Yours. NULL with errno SFR_EPENDING before the operation ended; SFR_ESTALE if it was taken already
 *         or a later operation inherited it: then it is there, run or not; ENODATA if it carried none; EINVAL if there
 *         is no such operation; SFR_ETHREAD, SFR_EFORKED.
 * @thread The loop's.
 * @since 0.1
 */
SFR_API sfr_buf *sfr_batch_take(sfr_batch *batch, int op);

/** How a batch is executed, see sfr_batch_plan(). */
typedef struct sfr_batch_plan_info {
	unsigned ops;        /**< Operations. */
	unsigned edges;      /**< Dependencies, as often as they were declared. */
	unsigned chains;     /**< Rows of linked operations that the engine gets: of two or more. */
	unsigned links;      /**< Links in them, of both kinds. */
	unsigned hard_links; /**< Those that hold whatever the outcome. */
	unsigned released;   /**< Dependencies that the loop looks after. */
	/** "0 =link=> 1 =link=> 2; 3 waits for 1, 2"; "..." at its end: cut off. */
	char text[1024];
} sfr_batch_plan_info;

/**
 * Ask how a batch is executed, or, before it is submitted, would be.
 *
 * @return 0; the error that sfr_batch_submit() would give; -SFR_ETHREAD, -SFR_EFORKED.
 * @thread The loop's.
 * @since 0.1
 */
SFR_API int sfr_batch_plan(const sfr_batch *batch, sfr_batch_plan_info *info);

/**
 * Ask for what has not ended to end. What was not started ends with -ECANCELED, but sfr_close() and
 * sfr_shutdown() still run when their turn comes and what they wait for allows it. What the engine has
 * already, alone or in a row behind one that succeeds, may win the race, as with sfr_cancel().
 *
 * @return 0: asked; -SFR_ESTALE: it is done already, or was not submitted; -SFR_ETHREAD, -SFR_EFORKED.
 * @thread The loop's.
 * @since 0.1
 */
SFR_API int sfr_batch_cancel(sfr_batch *batch);

/**
 * Make a batch empty, as sfr_batch_free() would, and keep its memory: filled again with as much, it asks
 * the heap for nothing.
 *
 * @return 0; -SFR_EOPSINFLIGHT, and nothing is changed, while it runs; -SFR_ETHREAD, -SFR_EFORKED.
 * @thread The loop's.
 * @since 0.1
 */
SFR_API int sfr_batch_reset(sfr_batch *batch);

/**
 * Free a batch: operations that were not submitted are discarded, buffers that were not taken go back to
 * where they are from, descriptors that nobody asked for are closed. NULL is nothing. One that runs stays as
 * it is: that is misuse, SFR_EOPSINFLIGHT in errno and in the log, as is one that was freed before: SFR_ESTALE.
 * sfr_loop_free() does the same to all batches of its loop, and then this call is nothing.
 *
 * @thread The loop's.
 * @since 0.1
 */
SFR_API void sfr_batch_free(sfr_batch *batch);

SFR_END_DECLS

#endif
