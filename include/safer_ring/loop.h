/* SPDX-License-Identifier: MIT */
/*
 * The run loop.
 *
 * A loop belongs to one thread: the one that made it until the first turn, then the one that took that
 * turn. Only sfr_loop_stop(), sfr_loop_post() and sfr_buf_release() may be called from elsewhere. Any other
 * call that would change something does nothing there but report the misuse (see safety.abort), and answers
 * SFR_ETHREAD, or in a child of fork SFR_EFORKED, in the way in which it reports errors. Calls that only
 * look are not checked. In a child sfr_loop_post() answers -SFR_EFORKED, and sfr_loop_stop() does nothing.
 * Callbacks run inside sfr_loop_run(), sfr_loop_step(), sfr_loop_drain() and sfr_await(), nowhere else;
 * in a callback those four answer -SFR_ENESTED.
 *
 * A callback must return. If it is left by longjmp(), or by a C++ exception that it does not catch, the turn that
 * called it is cut off in the middle, and what that turn still had to do is lost. Memory stays sound, but the loop
 * cannot go on: those four, sfr_batch_await() and sfr_loop_free() answer -ENOTRECOVERABLE, the log says why, and
 * the loop keeps its memory until the process ends, as the kernel may still write to its buffers. (If the callback
 * ran on another stack than the thread's own, such as a coroutine's, the loop cannot see that it was left, and goes
 * on answering -SFR_ENESTED.) So catch exceptions inside the callback, and pass on what they say.
 */
#ifndef SAFER_RING_LOOP_H
#define SAFER_RING_LOOP_H

#include <safer_ring/base.h>
#include <stdio.h>

SFR_BEGIN_DECLS

/**
 * Make a loop: an engine, its queues, and a slab of buffers.
 *
 * The loop reserves addresses for all of buffers.budget at once (RLIMIT_AS counts them), and for everything else
 * when it is needed. With the preset "default" that is 72 MB when the loop is made, and at most 128 MB with all of
 * its buffers and 100,000 timers.
 *
 * @param out Receives the loop, yours until sfr_loop_free(). Written on success only.
 * @param cfg Read, not kept. NULL: the preset "default".
 * @return 0; -ENOMEM, -EMFILE, -ENFILE; -EAGAIN if the process has 1023 loops (15 with pointers of 32 bits);
 *         -SFR_ECONFIG if values of cfg exclude each other or this machine, or
 *         the environment names a bad file; with engine: uring what refuses io_uring here (-EPERM,
 *         -ENOSYS ...); -ENOSYS on platforms without an engine. The log says in one line at level error
 *         what was missing, which limit is in the way, and how to raise that limit.
 * @thread Any.
 * @since 0.1
 */
SFR_API int sfr_loop_new(sfr_loop **out, const sfr_config *cfg);

/**
 * Run until sfr_loop_stop(), or until nothing is left to wait for: no operation, no posted function. (A
 * connection whose peer has finished, and that sends nothing, waits for nothing, nor does a loop that only takes
 * messages: sfr_loop_hold().)
 *
 * @return 0; -SFR_ENESTED in a callback; -ENOTRECOVERABLE after a callback was left; -SFR_ETHREAD on a
 *         wrong thread; -SFR_EFORKED in a child of fork, which harms nothing; an error of the engine.
 * @thread The loop's.
 * @since 0.1
 */
SFR_API int sfr_loop_run(sfr_loop *loop);

/**
 * Take one turn: submit what is queued, wait if nothing is ready, run the callbacks of what is.
 *
 * @param timeout_ns The longest it may sleep, in nanoseconds; 0 polls, negative has no limit.
 * @return How many callbacks ran; 0 after the time, and perhaps before it if what woke the loop came to
 *         nothing (a signal, the loop's own timekeeping); an error as sfr_loop_run().
 * @thread The loop's.
 * @since 0.1
 */
SFR_API int sfr_loop_step(sfr_loop *loop, int64_t timeout_ns);

/**
 * Ask sfr_loop_run() to return after the current turn. Asked before a run, that run returns at once.
 *
 * @thread Any; also from a signal handler.
 * @since 0.1
 */
SFR_API void sfr_loop_stop(sfr_loop *loop);

/**
 * Have a function called on the loop's thread, in its next turn. Functions posted by one thread run in
 * the order in which it posted them.
 *
 * @param fn  Called once, as a callback. Not called if the loop is freed first.
 * @param arg Handed to fn.
 * @return 0, or -ENOMEM.
 * @thread Any.
 * @since 0.1
 */
SFR_API int sfr_loop_post(sfr_loop *loop, void (*fn)(sfr_loop *loop, void *arg), void *arg);

/**
 * Cancel every operation, stop every server, close every connection, and run until all of them have
 * called back. What callbacks submit meanwhile fails with -ECANCELED, but for sfr_close() and
 * sfr_shutdown(). Servers do not come back; the loop can be used again.
 *
 * @param timeout_ns The longest it may take, in nanoseconds; negative has no limit.
 * @return 0; -ETIMEDOUT with operations still in flight; an error as sfr_loop_run().
 * @thread The loop's.
 * @since 0.1
 */
SFR_API int sfr_loop_drain(sfr_loop *loop, int64_t timeout_ns);

/**
 * Free a loop.
 *
 * @param loop Taken if the result is 0. NULL is nothing.
 * @return 0, and buffers that somebody still holds stay good until they are released; batches are freed with it, and
 *         handles of it are stale (docs/ownership.md);
 *         -SFR_EOPSINFLIGHT, and nothing freed, while operations are in flight or connections open: the
 *         loop still works, see sfr_loop_drain(), and sfr_loop_dump() names them; -SFR_ENESTED in a callback;
 *         -ENOTRECOVERABLE, and nothing freed, after a callback was left by longjmp() or an exception;
 *         -SFR_EFORKED in a child of fork, whose copy goes with it.
 * @thread Any, but no other may be using the loop, and its own may not be releasing buffers of it.
 * @since 0.1
 */
SFR_API int sfr_loop_free(sfr_loop *loop);

/**
 * A descriptor for the set of a host: an event loop of somebody else's, or a plain select(2), poll(2) or
 * epoll(7), that sleeps on the loop's behalf. It is readable while sfr_loop_step(loop, 0) would find
 * something to do, timers included, and stays so until that was called. See docs/embedding.md.
 *
 * @return The loop's own, the same every time, good until it is freed: wait for it to be readable, and
 *         nothing else; -EMFILE, -ENOMEM; -SFR_ETHREAD, -SFR_EFORKED.
 * @thread The loop's.
 * @since 0.1
 */
SFR_API int sfr_loop_fd(sfr_loop *loop);

/**
 * Before the host sleeps: hand what is queued to the engine. No callbacks run. Hosts may leave it out: what
 * is queued makes the descriptor readable, and so do timers; but then each submission outside a callback
 * costs a turn of the host. Like a turn, it makes the loop the calling thread's.
 *
 * @return How long the host may sleep if the descriptor does not become readable, in nanoseconds; -1: as long
 *         as it likes; 0: there is something to do, so sfr_loop_step(loop, 0) at once, which also says if
 *         that is an error of the engine, or that a callback was left; or nobody asked for sfr_loop_fd(). An
 *         error below -1: -SFR_ENESTED in a callback, -SFR_ETHREAD, -SFR_EFORKED.
 * @thread The loop's.
 * @since 0.1
 */
SFR_API int64_t sfr_loop_prepare(sfr_loop *loop);

/**
 * Keep sfr_loop_run() running though no operation is in flight: what will come is not the loop's to know, such as a
 * message or a posted function from another thread. Holds are counted. They do not keep sfr_loop_drain() from ending,
 * nor sfr_loop_free() from freeing.
 *
 * @thread The loop's; another one is refused, and the log says so.
 * @since 0.2
 */
SFR_API void sfr_loop_hold(sfr_loop *loop);

/**
 * Take one sfr_loop_hold() back. Without one, nothing happens but a line in the log.
 *
 * @thread The loop's; for another one see sfr_loop_post().
 * @since 0.2
 */
SFR_API void sfr_loop_unhold(sfr_loop *loop);

/**
 * Whether sfr_loop_drain() is at work. A callback that would begin an operation anew after -ECANCELED does not, then:
 * it would be cancelled again, for ever.
 *
 * @thread The loop's.
 * @since 0.2
 */
SFR_API bool sfr_loop_is_draining(const sfr_loop *loop);

/** A pointer of yours, which the loop does not look at; NULL at first. @thread The loop's. @since 0.2 */
SFR_API void *sfr_loop_data(const sfr_loop *loop);

/** Set the pointer that sfr_loop_data() returns. @thread The loop's; another one is refused. @since 0.2 */
SFR_API void sfr_loop_set_data(sfr_loop *loop, void *data);

/** Operations submitted and not yet called back for the last time. @thread The loop's. @since 0.1 */
SFR_API size_t sfr_loop_inflight(const sfr_loop *loop);

/** An operation that was abandoned, and that the engine still has: see sfr_abandon(). */
typedef struct sfr_orphan {
	const char *name; /**< "recv"; a static string. */
	int fd;           /**< That it is on; where to, for sfr_splice(); -1: on none. */
	uint64_t age_ns;  /**< Since it was abandoned. */
	size_t size;      /**< Bytes of the buffer that it keeps; 0 if it has none. */
} sfr_orphan;

/** How many orphans there are. @thread The loop's. @since 0.1 */
SFR_API size_t sfr_loop_orphans(const sfr_loop *loop);

/**
 * Look at them.
 *
 * @param out Receives as many as there are, at most `max`.
 * @return How many there are.
 * @thread The loop's.
 * @since 0.1
 */
SFR_API size_t sfr_loop_orphan_list(const sfr_loop *loop, sfr_orphan *out, size_t max);

/**
 * The loop's clock: nanoseconds of CLOCK_MONOTONIC, read once a turn.
 *
 * @thread The loop's.
 * @since 0.1
 */
SFR_API uint64_t sfr_loop_now(const sfr_loop *loop);

/** The engine that runs this loop: "uring", "epoll". @return A static string. @thread Any. @since 0.1 */
SFR_API const char *sfr_loop_engine(const sfr_loop *loop);

/**
 * Why the engine is not io_uring: what refused it and how to allow it, or who chose another one.
 *
 * @return A string of the loop's; empty if it is io_uring.
 * @thread Any.
 * @since 0.1
 */
SFR_API const char *sfr_loop_engine_reason(const sfr_loop *loop);

/**
 * Why the last sfr_serve() or sfr_dial() on this loop was refused, in a sentence.
 *
 * @return A string of the loop's, good until the next such call; empty if none was refused.
 * @thread The loop's.
 * @since 0.1
 */
SFR_API const char *sfr_loop_refusal(const sfr_loop *loop);

/** Counters of one loop, since it was made. Fields are only ever added, at the end. */
typedef struct sfr_loop_stats {
	uint64_t turns;     /**< Turns taken. */
	uint64_t enters;    /**< Times the engine was entered, to submit and to wait. */
	uint64_t cqes;      /**< Completions reaped. */
	uint64_t ops;       /**< Operations submitted. */
	uint64_t parked;    /**< Times a receive had to wait for a buffer. */
	uint64_t overflows; /**< Turns that found the completion queue overflown. */
	/** Buffers that were made, of all sizes; without those of the heap. */
	uint64_t bufs_total;
	uint64_t bufs_free; /**< Of these, to be had. */
	/** Of these, with the kernel for whatever arrives next, and nothing else. */
	uint64_t bufs_ring;
	uint64_t bufs_held;     /**< Of these, with callers, in operations or in send queues. */
	uint64_t bufs_held_max; /**< The most that were held so at the end of a turn. */
	/** Times the heap was asked, for buffers, connections, gathered sends. */
	uint64_t heap_allocs;
	uint64_t copied_out; /**< 0: since 0.2 nothing is copied to make room for others. */
	uint64_t budget; /**< Bytes that all buffers may take together; 0: see buffers.budget. */
	uint64_t bytes_made; /**< Bytes that those of bufs_total take; they stay until the end. */
	uint64_t bytes_heap; /**< Bytes of buffers of the heap that are out. */
	uint64_t bytes_max;  /**< The most that both ever were together. */
	/** Times that a timer or deadline fired or came nearer: their cost. */
	uint64_t timers_moved;
	uint64_t links; /**< Operations that the engine got linked behind another one. */
	/** Of their rows, those that it did not run for that, and gave back. */
	uint64_t links_broken;
	/**
	 * System calls of the engine and its workers: to submit, to wait, and on epoll to do what
	 * operations ask for. Not counted: those of the loop itself, as when it asks what a descriptor
	 * is, tells a host, or is woken by another thread, and what the kernel does by itself.
	 * @since 0.2
	 */
	uint64_t syscalls;
	/**
	 * Times that less than a quarter of the memory for buffers was left to what arrives; with breaks
	 * shorter than server.slow_after it is one.
	 * @since 0.2
	 */
	uint64_t shortages;
	/** Connections that were ended with -SFR_ESLOW for that. @since 0.2 */
	uint64_t ended_slow;
	/** Bytes copied into smaller buffers when they were delivered. @since 0.2 */
	uint64_t copied;
} sfr_loop_stats;

/**
 * Read the counters.
 *
 * @param out  Filled; what this library does not know is set to 0.
 * @param size sizeof(sfr_loop_stats): lets a program and a library of different versions meet.
 * @thread The loop's.
 * @since 0.1
 */
SFR_API void sfr_loop_stats_get(const sfr_loop *loop, sfr_loop_stats *out, size_t size);

/**
 * Write who holds what, for people: which operations wait and where, what keeps a loop from being freed, where the
 * buffers are. Each line begins with what it is about:
 *
 *	loop         engine, turns, operations in flight
 *	op           each operation that was built: ticket, kind, where it waits, descriptor, deadline, buffer, callback
 *	batch        each batch, and each operation of one that runs
 *	server       each server: address, connections
 *	conn         each connection: state, peer, what is queued, whether it is paused, its operations by their tickets
 *	buffers      how many are with the user, with the loop, in batches, shared, registered
 *	registered   files, timers, posted functions, workers: how many of each
 *
 * The time is that of sfr_loop_now(), so in a callback all ages are those at the beginning of the turn. The age of an
 * operation is known if it has a deadline or was abandoned. A program should not read what is written: the words
 * change from one version to the next.
 *
 * Nothing is changed, not even errno, no callback runs, and the loop allocates nothing, though `out` may take a
 * buffer of its own.
 * So it may be called in a callback. In a debugger that has stopped the loop's thread:
 *
 *	(gdb) call (void)sfr_loop_dump(loop, stderr)
 *
 * @param loop NULL: the one line that is written says that there is no loop.
 * @param out Written to, neither flushed nor closed. It keeps errors of its own: see ferror(3). NULL: stderr.
 * @thread The loop's. On another one, and in a child of fork, the one line that is written says why there are no more.
 * @since 0.2
 */
SFR_API void sfr_loop_dump(const sfr_loop *loop, FILE *out);

SFR_END_DECLS

#endif
