/*
 * Operations: build, then submit.
 *
 *	sfr_submit(sfr_recv(loop, fd, buf), on_bytes, arg);
 *
 * Building never checks and never fails for an operation that carries a buffer: the buffer is taken
 * whatever happens, and what is wrong is reported to the callback. Every submitted operation calls back
 * exactly once, and its buffer comes back with it; a multishot one calls any number of times, and its
 * last call has a negative result, or 0 where that is the end of a stream.
 *
 * Descriptors are borrowed: keep them open until the callback. At most one receive and one send should
 * be in flight per stream socket; the kernel may reorder more (connections, in server.h, see to that).
 */
#ifndef SAFER_RING_OP_H
#define SAFER_RING_OP_H

#include <safer_ring/base.h>
#if defined(_WIN32)
#include <winsock2.h>
#include <ws2tcpip.h>
#else
#include <sys/socket.h>
#endif

SFR_BEGIN_DECLS

/**
 * What happens when an operation completes.
 *
 * @param loop   The loop it ran on.
 * @param result 0 or a count; negative is an error, see error.h. For every operation: -ECANCELED after
 *               sfr_cancel() or sfr_loop_drain(), unless it won the race; -EINVAL if the buffer's
 *               window left the buffer; -SFR_EPOOLEMPTY if the operation was built without the buffer
 *               it needs; -SFR_EINFLIGHT if the buffer was not the caller's to give.
 * @param buf    The buffer the operation carried, yours again; NULL if it carried none.
 * @param arg    As given to sfr_submit().
 */
typedef void sfr_done(sfr_loop *loop, int result, sfr_buf *buf, void *arg);

/** Names a submitted operation: never 0 for a real one, and never reused for another. */
typedef uint64_t sfr_ticket;

/**
 * Hand an operation to the loop. It reaches the kernel with the loop's next turn.
 *
 * @param op   Taken. NULL (no memory for an operation without buffer) submits nothing.
 * @param done Called on the loop's thread, never inside this call. NULL: nobody wants to know, and the
 *             buffer goes back to the slab.
 * @param arg  Handed to done.
 * @return Its ticket, for sfr_cancel(); 0 if op was NULL, and then done is never called.
 * @thread The loop's.
 * @since 0.1
 */
SFR_API sfr_ticket sfr_submit(sfr_op *op, sfr_done *done, void *arg);

/**
 * Run the loop until one operation is done: for straight-line code and tests.
 *
 * @param op      Taken. Not a multishot one: -EINVAL.
 * @param buf_out Receives the operation's buffer, yours (NULL if it has none). May be NULL: the buffer
 *                goes back to the slab.
 * @return The operation's result; -SFR_ENESTED inside a callback, with the buffer in buf_out;
 *         -ENOMEM if op was NULL; an error of the engine, and then the loop keeps the buffer.
 * @thread The loop's. Other callbacks may run meanwhile.
 * @since 0.1
 */
SFR_API int sfr_await(sfr_op *op, sfr_buf **buf_out);

/**
 * Forget an operation that was never submitted.
 *
 * @param op Taken, and its buffer goes back to the slab. NULL is nothing.
 * @thread The loop's.
 * @since 0.1
 */
SFR_API void sfr_op_discard(sfr_op *op);

/**
 * Ask for an operation to end. Its callback still comes, once, usually with -ECANCELED; if it completed
 * first, with its true result. The buffer comes back with the callback, not with this call.
 *
 * @return 0: asked; -SFR_ESTALE: the operation is done already, or never was.
 * @thread The loop's.
 * @since 0.1
 */
SFR_API int sfr_cancel(sfr_loop *loop, sfr_ticket ticket);

/**
 * Ask for all operations on a descriptor to end, as sfr_cancel() does for one. Those that close or shut
 * it down go on. Looks at every operation there is: for rare use.
 *
 * @return How many were asked.
 * @thread The loop's.
 * @since 0.1
 */
SFR_API int sfr_cancel_fd(sfr_loop *loop, int fd);

/**
 * Let go of an operation: it is asked to end, and its callback never comes. Until the engine is done with
 * it, it is an orphan (sfr_loop_orphans()), and the loop keeps its buffer; then the buffer goes back to
 * the slab, and what it won after all, such as a descriptor, is closed.
 *
 * @return 0; -SFR_ESTALE: the operation is done already, or never was.
 * @thread The loop's.
 * @since 0.1
 */
SFR_API int sfr_abandon(sfr_loop *loop, sfr_ticket ticket);

/**
 * Give an operation a deadline, counted from its submission. When it passes the operation is asked to
 * end, and its result is -ETIMEDOUT; if it completed first, or was done in part under sfr_all(), its true
 * result. A multishot operation ends with -ETIMEDOUT as its last result. Deadlines cost nothing while
 * they wait, however many.
 *
 * @param op Building. Any operation. NULL is nothing.
 * @param ns Nanoseconds. Said again, the last counts.
 * @return op. Without memory for the deadline the operation ends with -ENOMEM.
 * @thread The loop's.
 * @since 0.1
 */
SFR_API sfr_op *sfr_within(sfr_op *op, uint64_t ns);

/**
 * Have a read, write, receive or send go on until the whole length is done: all that is in the buffer, or
 * all the room there is in it. The end of a file or stream ends it, too.
 *
 * @param op Building: one of sfr_read(), sfr_write(), sfr_recv(), sfr_send() and their _at forms; others
 *           end with -EINVAL. NULL is nothing.
 * @return op.
 * @par Result
 *      Bytes done in all, fewer than the length only if something ended it: the end of a file, an error,
 *      a deadline, cancelling. With nothing done: what ended it.
 * @thread The loop's.
 * @since 0.1
 */
SFR_API sfr_op *sfr_all(sfr_op *op);

/**
 * Do nothing, through the whole machinery.
 * @return As for every operation without a buffer: yours until sfr_submit(), sfr_await() or
 *         sfr_op_discard() takes it; NULL when there is no memory for it, or ring.ops_max are in being.
 * @par Result 0.
 * @thread The loop's. @since 0.1
 */
SFR_API sfr_op *sfr_nop(sfr_loop *loop);

/**
 * Read from a file at its current position, or from a pipe, socket or terminal.
 *
 * @param fd  Borrowed: keep it open until the callback.
 * @param buf Given, whatever happens. Comes back with buf->len set to what was read.
 * @return As for every operation with a buffer: never NULL, yours until sfr_submit(), sfr_await() or
 *         sfr_op_discard() takes it. (Without one, with buf NULL, as sfr_nop().)
 * @par Result
 *      Bytes read, 0 at the end of the file; else the error of read(2).
 * @thread The loop's. @since 0.1
 */
SFR_API sfr_op *sfr_read(sfr_loop *loop, int fd, sfr_buf *buf);

/** As sfr_read(), from byte `off` of a file, which does not move its position. @since 0.1 */
SFR_API sfr_op *sfr_read_at(sfr_loop *loop, int fd, sfr_buf *buf, uint64_t off);

/**
 * Write data[0..len) to a file at its current position, or to a pipe, socket or terminal.
 *
 * @param buf Given, whatever happens. Comes back unchanged.
 * @par Result
 *      Bytes written, perhaps fewer than len; else the error of write(2). Writing to a pipe or socket
 *      without reader gives -EPIPE and raises SIGPIPE: ignore that signal, or use sfr_send().
 * @thread The loop's. @since 0.1
 */
SFR_API sfr_op *sfr_write(sfr_loop *loop, int fd, sfr_buf *buf);

/** As sfr_write(), at byte `off` of a file, which does not move its position. @since 0.1 */
SFR_API sfr_op *sfr_write_at(sfr_loop *loop, int fd, sfr_buf *buf, uint64_t off);

/**
 * Receive from a socket.
 *
 * @param buf Given, whatever happens. Comes back with buf->len set to what was received.
 * @par Result
 *      Bytes received; 0 when the peer finished (or for an empty datagram); else the error of recv(2).
 * @thread The loop's. @since 0.1
 */
SFR_API sfr_op *sfr_recv(sfr_loop *loop, int fd, sfr_buf *buf);

/**
 * Send data[0..len) on a connected socket. Never raises SIGPIPE.
 *
 * @param buf Given, whatever happens. Comes back unchanged.
 * @par Result
 *      Bytes sent, perhaps fewer than len; else the error of send(2).
 * @thread The loop's. @since 0.1
 */
SFR_API sfr_op *sfr_send(sfr_loop *loop, int fd, sfr_buf *buf);

/**
 * Accept one connection.
 * @par Result
 *      The descriptor, yours, close-on-exec (0 is a descriptor too); else the error of accept(2).
 * @thread The loop's. @since 0.1
 */
SFR_API sfr_op *sfr_accept(sfr_loop *loop, int fd);

/**
 * Accept connections until cancelled or failing: one call per connection, the last with an error.
 * @par Result
 *      As sfr_accept(). -EMFILE and the like end it: submit another when descriptors are free again.
 * @thread The loop's. @since 0.1
 */
SFR_API sfr_op *sfr_accept_multi(sfr_loop *loop, int fd);

/**
 * Receive from a stream socket until it ends: each arrival is a buffer of the slab, and yours. It holds
 * no buffer while nothing arrives, and waits, in order of need, while the slab is empty.
 *
 * @par Result
 *      Bytes received, with their buffer. Last: 0 without buffer when the peer finished; else the error
 *      of recv(2).
 * @thread The loop's. @since 0.1
 */
SFR_API sfr_op *sfr_recv_multi(sfr_loop *loop, int fd);

/**
 * Connect a socket.
 *
 * @param addr Copied.
 * @par Result 0; else the error of connect(2).
 * @thread The loop's. @since 0.1
 */
SFR_API sfr_op *sfr_connect(sfr_loop *loop, int fd, const struct sockaddr *addr, socklen_t size);

/**
 * Wait for some time: at least `ns` nanoseconds from the submission. The loop keeps time in ticks of
 * 66 µs, and the system's own timers add about 50 µs to that.
 * @par Result 0 when the time has passed.
 * @thread The loop's. @since 0.1
 */
SFR_API sfr_op *sfr_timeout(sfr_loop *loop, uint64_t ns);

/**
 * Call back every `ns` nanoseconds until cancelled, without drift. 0 counts as 1.
 * @par Result
 *      How many periods have passed since the last call: 1, or more if the loop was late.
 * @thread The loop's. @since 0.1
 */
SFR_API sfr_op *sfr_interval(sfr_loop *loop, uint64_t ns);

/**
 * Wait until a descriptor is ready.
 *
 * @param events POLLIN, POLLOUT and so on, of poll(2); POLLERR and POLLHUP are always reported.
 * @par Result The events that are there; else an error.
 * @thread The loop's. @since 0.1
 */
SFR_API sfr_op *sfr_poll(sfr_loop *loop, int fd, unsigned events);

/**
 * Shut down one or both directions of a socket. It cannot be cancelled.
 *
 * @param how SHUT_RD, SHUT_WR or SHUT_RDWR.
 * @par Result 0; else the error of shutdown(2).
 * @thread The loop's. @since 0.1
 */
SFR_API sfr_op *sfr_shutdown(sfr_loop *loop, int fd, int how);

/**
 * Close a descriptor without blocking. Operations in flight on it go on: cancel them first. It cannot be
 * cancelled itself, and a deadline does not keep it from closing; abandoned, it closes all the same.
 *
 * @param fd Taken; its number may be reused as soon as this operation runs.
 * @par Result 0; else the error of close(2).
 * @thread The loop's. @since 0.1
 */
SFR_API sfr_op *sfr_close(sfr_loop *loop, int fd);

/*
 * Files and directories. Paths are copied. `dirfd` is borrowed until the callback, or AT_FDCWD. Where the
 * kernel has no operation for one of these, a worker thread of the loop makes the system call
 * (ring.workers says how many there may be).
 */

/** Make a socket. @par Result Its descriptor, yours, close-on-exec; else the error of socket(2). @since 0.1 */
SFR_API sfr_op *sfr_socket(sfr_loop *loop, int domain, int type, int protocol);

/** Open a file. @par Result Its descriptor, yours, close-on-exec; else the error of openat(2). @since 0.1 */
SFR_API sfr_op *sfr_openat(sfr_loop *loop, int dirfd, const char *path, int flags, unsigned mode);

/**
 * Ask about a file.
 *
 * @param flags As of statx(2), with AT_EMPTY_PATH also for `dirfd` itself.
 * @param mask  STATX_BASIC_STATS or the like.
 * @param buf   Given, whatever happens; room for a struct statx, or the result is -EINVAL. Comes back
 *              with one in it.
 * @return As for every operation with a buffer, see sfr_read().
 * @par Result 0, and buf->len is sizeof(struct statx); else the error of statx(2), and it is 0.
 * @thread The loop's. @since 0.1
 */
SFR_API sfr_op *sfr_statx(sfr_loop *loop, int dirfd, const char *path, int flags, unsigned mask,
			  sfr_buf *buf);

/** Have a file's contents and attributes on its disk. @par Result 0; the error of fsync(2). @since 0.1 */
SFR_API sfr_op *sfr_fsync(sfr_loop *loop, int fd);

/** As sfr_fsync(), without attributes that reading does not need. @since 0.1 */
SFR_API sfr_op *sfr_fdatasync(sfr_loop *loop, int fd);

/** Reserve or free room in a file. @par Result 0; the error of fallocate(2). @since 0.1 */
SFR_API sfr_op *sfr_fallocate(sfr_loop *loop, int fd, int mode, uint64_t off, uint64_t len);

/** Cut a file, or extend it with zeros. @par Result 0; the error of ftruncate(2). @since 0.1 */
SFR_API sfr_op *sfr_ftruncate(sfr_loop *loop, int fd, uint64_t len);

/** Remove a name; AT_REMOVEDIR for a directory. @par Result 0; the error of unlinkat(2). @since 0.1 */
SFR_API sfr_op *sfr_unlinkat(sfr_loop *loop, int dirfd, const char *path, int flags);

/** Give a file another name. @par Result 0; the error of renameat2(2). @since 0.1 */
SFR_API sfr_op *sfr_renameat(sfr_loop *loop, int dirfd, const char *path, int new_dirfd,
			     const char *new_path, unsigned flags);

/** Make a directory. @par Result 0; the error of mkdirat(2). @since 0.1 */
SFR_API sfr_op *sfr_mkdirat(sfr_loop *loop, int dirfd, const char *path, unsigned mode);

/** Give a file a further name. @par Result 0; the error of linkat(2). @since 0.1 */
SFR_API sfr_op *sfr_linkat(sfr_loop *loop, int dirfd, const char *path, int new_dirfd,
			   const char *new_path, int flags);

/** Make a symbolic link to `target`. @par Result 0; the error of symlinkat(2). @since 0.1 */
SFR_API sfr_op *sfr_symlinkat(sfr_loop *loop, const char *target, int dirfd, const char *path);

/** A function that may block. Runs on another thread; returns 0, a count, or a negative error. */
typedef int sfr_work_fn(void *arg);

/**
 * Have a worker thread of the loop run a function that may block.
 *
 * @param fn  Called once, on a thread of the loop's in which all signals are blocked, unless the
 *            operation is cancelled before its turn comes. It must not touch the loop but for
 *            sfr_loop_post(), sfr_loop_stop() and sfr_buf_release().
 * @param arg Handed to fn; yours, and good until the callback.
 * @return As for every operation without a buffer, see sfr_nop().
 * @par Result
 *      What fn returned; -EAGAIN if there is not a single thread to be had. A function that runs cannot
 *      be interrupted: cancelled or past its deadline, it still ends with its own result.
 * @thread The loop's. @since 0.1
 */
SFR_API sfr_op *sfr_work(sfr_loop *loop, sfr_work_fn *fn, void *arg);

SFR_END_DECLS

#endif
