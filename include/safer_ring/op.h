/* SPDX-License-Identifier: MIT */
/*
 * Operations: build, then submit.
 *
 *	sfr_submit(sfr_recv(loop, fd, buf), on_bytes, arg);
 *
 * Building never checks and never fails for an operation that carries a buffer: the buffer is taken
 * whatever happens, and what is wrong is reported to the callback. Every submitted operation calls back
 * exactly once, and its buffer comes back with it; a multishot one (_multi in its name, sfr_interval(),
 * sfr_signal()) calls any number of times, and its last call has a negative result, or 0 where that is the
 * end of a stream.
 *
 * On a thread that is not the loop's, or in a child of fork, every builder gives NULL with errno SFR_ETHREAD
 * or SFR_EFORKED, and so does one without memory, with ENOMEM. A buffer is taken then as well: released, as
 * sfr_buf_release() does from any thread.
 *
 * Descriptors are borrowed: keep them open until the callback. A number that you closed may since have become a
 * descriptor of the loop's own; an operation on it ends with -EBADF, as if it were not open. At most one receive
 * and one send should be in flight per stream socket; the kernel may reorder more (connections, in server.h, see
 * to that). Likewise, at most one read or write at the position of a file should be in flight.
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

/** Names a submitted operation: never 0 for a real one, and not reused for another, nor by another loop. */
typedef uint64_t sfr_ticket;

/**
 * Hand an operation to the loop. It reaches the kernel with the loop's next turn.
 *
 * @param op   Taken. NULL (no memory for an operation without buffer) submits nothing.
 * @param done Called on the loop's thread, never inside this call. NULL: nobody wants to know, and the
 *             buffer goes back to the slab.
 * @param arg  Handed to done.
 * @return Its ticket, for sfr_cancel(); 0 if op was NULL, and then done is never called. Also 0, with errno
 *         SFR_ETHREAD or SFR_EFORKED, on a wrong thread or in a child of fork: op stays as it is, the
 *         loop's thread's to submit or discard.
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
 * @return The operation's result; -SFR_ENESTED inside a callback, or -ENOTRECOVERABLE after a callback was left
 *         (see loop.h), with the buffer in buf_out; -ENOMEM if op was NULL; -SFR_ETHREAD or -SFR_EFORKED if
 *         it was for that, or on a wrong thread or in a child of fork; an error of the engine, and then the
 *         loop keeps the buffer.
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
 * @return 0: asked; -SFR_ESTALE: the operation is done already, is of another loop, or never was.
 * @thread The loop's.
 * @since 0.1
 */
SFR_API int sfr_cancel(sfr_loop *loop, sfr_ticket ticket);

/**
 * Ask for all operations on a descriptor to end, as sfr_cancel() does for one. Those that close or shut
 * it down go on. Looks at every operation there is: for rare use.
 *
 * @return How many were asked; -SFR_ETHREAD, -SFR_EFORKED.
 * @thread The loop's.
 * @since 0.1
 */
SFR_API int sfr_cancel_fd(sfr_loop *loop, int fd);

/**
 * Let go of an operation: it is asked to end, and its callback never comes. Until the engine is done with
 * it, it is an orphan (sfr_loop_orphans()), and the loop keeps its buffer; then the buffer goes back to
 * the slab, and what it won after all, such as a descriptor, is closed.
 *
 * @return 0; -SFR_ESTALE: the operation is done already, is of another loop, or never was.
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
 * @param op Building: one of sfr_read(), sfr_write(), their _at forms, sfr_recv(), sfr_send() and
 *           sfr_send_zc(); others end with -EINVAL. NULL is nothing.
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
 * @par Result
 *      0.
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
 *      Bytes read, 0 at the end of the file; else the error of read(2). The position of the file has
 *      moved by that number, also where an error cut the read short.
 * @thread The loop's. @since 0.1
 */
SFR_API sfr_op *sfr_read(sfr_loop *loop, int fd, sfr_buf *buf);

/**
 * As sfr_read(), from byte `off` of a file, which does not move its position. UINT64_MAX: -EINVAL.
 * @thread The loop's. @since 0.1
 */
SFR_API sfr_op *sfr_read_at(sfr_loop *loop, int fd, sfr_buf *buf, uint64_t off);

/**
 * Write data[0..len) to a file at its current position, or to a pipe, socket or terminal.
 *
 * @param buf Given, whatever happens. Comes back unchanged.
 * @par Result
 *      Bytes written, perhaps fewer than len; else the error of write(2). The position of the file has
 *      moved by that number, so the next write goes on where this one ended, for instance when a full disk has
 *      room again. Writing to a pipe or socket without reader gives -EPIPE and raises SIGPIPE: ignore that
 *      signal, or use sfr_send().
 * @thread The loop's. @since 0.1
 */
SFR_API sfr_op *sfr_write(sfr_loop *loop, int fd, sfr_buf *buf);

/**
 * As sfr_write(), at byte `off` of a file, which does not move its position. UINT64_MAX: -EINVAL.
 * @thread The loop's. @since 0.1
 */
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
 * As sfr_send(), and the kernel sends from the buffer itself instead of from a copy of it. The buffer comes back
 * when the kernel has let go of it, which for a connection is when the peer has acknowledged it. Cancelling stops
 * what was not sent yet, but does not hasten that, nor does a deadline or a drain; closing the connection with a
 * reset does.
 *
 * Nothing in this library sends so by itself; connections do not. On loopback it costs a fifth to a third more CPU
 * than sfr_send(), as the kernel copies there all the same. On a real network it should pay for large messages, but
 * we have not measured it on one: measure your own program before you rely on it.
 *
 * @par Result
 *      As sfr_send(). Where the kernel or the socket cannot do it, as with Unix sockets, it is a
 *      plain send.
 * @thread The loop's. @since 0.1
 */
SFR_API sfr_op *sfr_send_zc(sfr_loop *loop, int fd, sfr_buf *buf);

/**
 * Accept one connection.
 * @par Result
 *      The descriptor, yours, close-on-exec (0 is a descriptor too), or what sfr_into() says; else the
 *      error of accept(2).
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
 * Receive from a stream socket until it ends: each arrival is a buffer of the slab, and yours. It may be a part
 * of a larger block, with no more room (cap) than bytes. The operation holds
 * no buffer while nothing arrives, and waits, in order of need, while the slab is empty.
 *
 * @par Result
 *      Bytes received, with their buffer. Last: 0 without buffer when the peer finished; else the error
 *      of recv(2).
 * @thread The loop's. @since 0.1
 */
SFR_API sfr_op *sfr_recv_multi(sfr_loop *loop, int fd);

/**
 * Make a socket.
 * @par Result
 *      Its descriptor, yours, close-on-exec, or what sfr_into() says; else the error of socket(2).
 * @thread The loop's. @since 0.1
 */
SFR_API sfr_op *sfr_socket(sfr_loop *loop, int domain, int type, int protocol);

/**
 * Read from a pipe, terminal or the like until it ends, as sfr_recv_multi() does from a socket: each
 * arrival is a buffer of the slab, and yours. A file is read from its current position to its end.
 *
 * @par Result
 *      Bytes read, with their buffer. Last: 0 without buffer at the end of the file; else the error of
 *      read(2).
 * @thread The loop's. @since 0.1
 */
SFR_API sfr_op *sfr_read_multi(sfr_loop *loop, int fd);

/**
 * Connect a socket.
 *
 * @param addr Copied.
 * @par Result
 *      0; else the error of connect(2).
 * @thread The loop's. @since 0.1
 */
SFR_API sfr_op *sfr_connect(sfr_loop *loop, int fd, const struct sockaddr *addr, socklen_t size);

/**
 * Wait for some time: at least `ns` nanoseconds from the submission. The loop keeps time in ticks of
 * 66 µs, and the system's own timers add about 50 µs to that.
 * @par Result
 *      0 when the time has passed.
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
 * @par Result
 *      The events that are there; else an error.
 * @thread The loop's. @since 0.1
 */
SFR_API sfr_op *sfr_poll(sfr_loop *loop, int fd, unsigned events);

/**
 * Call back whenever a descriptor is ready, until cancelled: at most once a turn, and in each turn in
 * which it is. So do with it what it is ready for, or cancel.
 *
 * @par Result
 *      As sfr_poll().
 * @thread The loop's. @since 0.1
 */
SFR_API sfr_op *sfr_poll_multi(sfr_loop *loop, int fd, unsigned events);

/**
 * Shut down one or both directions of a socket. It cannot be cancelled.
 *
 * @param how SHUT_RD, SHUT_WR or SHUT_RDWR.
 * @par Result
 *      0; else the error of shutdown(2).
 * @thread The loop's. @since 0.1
 */
SFR_API sfr_op *sfr_shutdown(sfr_loop *loop, int fd, int how);

/**
 * Close a descriptor without blocking. Operations in flight on it go on: cancel them first. It cannot be
 * cancelled itself, and a deadline does not keep it from closing; abandoned, it closes all the same.
 *
 * @param fd Taken; its number may be reused as soon as this operation runs. A registered file: its place is empty
 *           when this calls back.
 * @par Result
 *      0; else the error of close(2). Of a registered file: -SFR_ENOTREGISTERED if the place is empty;
 *             -EBUSY, and nothing is closed, while another operation is about to fill or close it.
 * @thread The loop's. @since 0.1
 */
SFR_API sfr_op *sfr_close(sfr_loop *loop, int fd);

SFR_END_DECLS

#endif
