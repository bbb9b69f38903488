/* SPDX-License-Identifier: MIT */
/*
 * Operations on what is neither file nor socket: blocking functions, signals, children, other loops; and
 * on whatever the library does not know.
 */
#ifndef SAFER_RING_SYSTEM_H
#define SAFER_RING_SYSTEM_H

#include <safer_ring/op.h>

SFR_BEGIN_DECLS

/** A function that may block. Runs on another thread; returns 0, a count, or a negative error. */
typedef int sfr_work_fn(void *arg);

/**
 * Have a worker thread of the loop run a function that may block. The thread has a stack of the program's
 * default size; under RLIMIT_AS there may be room for fewer threads than ring.workers.
 *
 * @param fn  Called once, on a thread of the loop's in which all signals are blocked, unless the
 *            operation is cancelled before its turn comes. It must not touch the loop but for
 *            sfr_loop_post(), sfr_loop_stop() and sfr_buf_release().
 * @param arg Handed to fn; yours, and good until the callback, or if abandoned until it is no orphan.
 * @return As for every operation without a buffer, see sfr_nop().
 * @par Result
 *      What fn returned; -EAGAIN if there is not a single thread to be had. A function that runs cannot
 *      be interrupted: cancelled or past its deadline, it still ends with its own result.
 * @thread The loop's. @since 0.1
 */
SFR_API sfr_op *sfr_work(sfr_loop *loop, sfr_work_fn *fn, void *arg);

/**
 * Call back each time a signal arrives, until cancelled. While there is such an operation, on any loop,
 * the signal has a handler of the library's, and its usual effect does not happen; the handler that was
 * there before comes back with the end of the last one, and in a child of fork. Each operation on the same
 * signal is told. It begins with sfr_submit(): what arrives after that is not missed, also before the next
 * turn.
 *
 * @param signo SIGINT, say. Not SIGKILL, SIGSTOP, nor one that means a fault of the program's own
 *              (SIGSEGV, SIGBUS, SIGFPE, SIGILL): -EINVAL.
 * @par Result
 *      The signal's number. Several that arrive between two turns are told once, as the system does.
 * @thread The loop's. @since 0.1
 */
SFR_API sfr_op *sfr_signal(sfr_loop *loop, int signo);

/**
 * Wait for a child process.
 *
 * @param idtype  P_PID, P_PIDFD, P_PGID or P_ALL, as of waitid(2).
 * @param id      What idtype says.
 * @param options WEXITED, WSTOPPED, WCONTINUED, WNOWAIT; others are -EINVAL.
 * @param buf     Given, whatever happens; room for a siginfo_t, or the result is -EINVAL. Comes back with
 *                one in it: si_pid, si_status and so on.
 * @return As for every operation with a buffer, see sfr_read().
 * @par Result
 *      0, and buf->len is sizeof(siginfo_t), of <signal.h>; else the error of waitid(2). Before Linux
 *      6.7 and without io_uring only P_PID and P_PIDFD can be waited for, and only WEXITED, perhaps with
 *      WNOWAIT: all else is -SFR_EUNSUPPORTED.
 * @thread The loop's. @since 0.1
 */
SFR_API sfr_op *sfr_waitid(sfr_loop *loop, int idtype, unsigned id, int options, sfr_buf *buf);

/** What a loop does with a value that another sent it. */
typedef void sfr_msg_fn(sfr_loop *loop, uint64_t value, void *arg);

/**
 * Say who takes the values that sfr_msg() sends to a loop.
 *
 * @param fn  Called on the loop's thread as a callback, once for each value; those of one sender come
 *            in order. NULL: nobody, as in the beginning.
 * @param arg Handed to fn.
 * @thread The loop's.
 * @since 0.1
 */
SFR_API void sfr_loop_on_msg(sfr_loop *loop, sfr_msg_fn *fn, void *arg);

/**
 * Send a value to another loop, which may run on another thread, or to this one. It is on its way when the
 * operation is submitted, and so cannot be cancelled; what target has not been called with when it is freed,
 * or when it has nobody to take values any more, is dropped.
 *
 * @param target Must be there until the callback.
 * @param value  A number, or a pointer as one.
 * @par Result
 *      0: target has it, and will call; -ENOTCONN: target has nobody to take values; -ENOMEM;
 *      -SFR_EFORKED: target is a loop of the process that this one was forked from.
 * @thread The loop's (not target's). @since 0.1
 */
SFR_API sfr_op *sfr_msg(sfr_loop *loop, sfr_loop *target, uint64_t value);

struct io_uring_sqe;

/**
 * An operation that the library does not know, for when it lags the kernel: a submission queue entry of
 * your own. The loop sees to submitting, cancelling, deadlines and the buffer, and not to what the entry
 * means.
 *
 * @param sqe Copied, 64 bytes; its user_data is not used. Begin with one that is all zero: liburing's
 *            helpers set what they have a use for, and since 2.6 leave the rest as it was. What it points to
 *            must stay until the callback: point it into buf (its data, before you give it). Entries with
 *            links, drain, buffer selection or CQE_SKIP_SUCCESS end with -EINVAL.
 * @param buf Given, whatever happens; NULL if it needs none. Comes back with its window as it was.
 * @return As for every operation with a buffer, see sfr_read(), or without one, see sfr_nop().
 * @par Result
 *      Of the completion. One call for each that says more will follow, without the buffer; the last has
 *      the buffer. On an engine without that opcode: -SFR_EUNSUPPORTED. sfr_await() returns that of the
 *      last. An entry that wins a descriptor should not be abandoned: nobody would close it.
 * @thread The loop's. @since 0.1
 */
SFR_API sfr_op *sfr_raw(sfr_loop *loop, const struct io_uring_sqe *sqe, sfr_buf *buf);

SFR_END_DECLS

#endif
