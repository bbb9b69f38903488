/* SPDX-License-Identifier: MIT */
/*
 * Servers and clients as callback handlers.
 *
 * A connection owns its descriptor and its send queue. Bytes arrive as owned buffers in on_data; what
 * you send is queued, gathered once a turn, and never overtaken: one send is in flight at a time. A
 * peer that reads too slowly stops being read from: above server.high_water bytes of queued memory the
 * connection receives nothing until the queue has fallen to server.low_water. (Two ends that both pour
 * and do this would wait for each other: let one of them read what it asked for before it asks on.) While
 * the memory for buffers is short (see buffers.budget), peers that read are served first, and connections
 * whose peers have read nothing for server.slow_after are ended.
 *
 * Addresses:
 *
 *	tcp://127.0.0.1:7777       Numbers only. Names are refused ("localhost" as well), as looking one up would block.
 *	                           Port 0 lets the system choose.
 *	tcp://[::]:7777            Every address of this machine, of IPv4 too, whatever net.ipv6.bindv6only says. There is
 *	                           no "IPv6 only"; a descriptor that was made so can be served as fd:N.
 *	tcp://[fe80::1%eth0]:7777  A link-local host has its interface behind it, by name or number.
 *	unix:///run/x.sock         A socket file by its whole path, of at most 107 bytes.
 *	unix:@x                    A name without a file, of up to 107 bytes (abstract: known in its network namespace).
 *	fd:3                       For sfr_serve() only: a descriptor of this process that listens already.
 *
 * udp:// is refused: datagrams have no connections. What is printed is one of these, so that sfr_dial() takes it, in
 * 127 characters at most. There are two exceptions, which sfr_dial() refuses: a Unix socket without a name, as those
 * that connect usually are, is "unix:"; one that another program bound to a relative path is "unix:" and that path.
 *
 * Each connection that opened closes exactly once. Close means: shutdown, cancel, wait for the last
 * completion, close the descriptor, on_close. Everything here is of the loop's thread; handlers are
 * callbacks, and every call is allowed in every handler.
 *
 * A connection can be ended in five ways:
 *
 *	call                 what is queued   the peer sees                    on_close has
 *	sfr_conn_shutdown()  is sent          the end; it may go on sending    what follows decides
 *	sfr_conn_finish()    is sent          the end; what it sends is lost   0; -ETIMEDOUT if the peer does not finish
 *	sfr_conn_close()     is dropped       the end, or a reset              -ECANCELED
 *	sfr_conn_reset()     is dropped       a reset                          -ECANCELED
 *	none, without on_end is sent          the end, after its own           0
 */
#ifndef SAFER_RING_SERVER_H
#define SAFER_RING_SERVER_H

#include <safer_ring/op.h>

SFR_BEGIN_DECLS

/**
 * A connection, by its handle: a value, and no address. It is good until on_close has returned, and may be kept and
 * tried after that: it never means another connection. A call that returns an error answers -SFR_ESTALE then; any other
 * does nothing, answers 0 or NULL, and reports misuse. The same goes for any value that is no connection. On another
 * thread than the loop's it is -SFR_ETHREAD, in a child of fork -SFR_EFORKED, and both are reported.
 * docs/ownership.md has a table of all calls.
 */
typedef struct sfr_conn sfr_conn;

/** A server, by its handle, as connections are: good until sfr_server_close() or sfr_loop_free(). */
typedef struct sfr_server sfr_server;

/** What to do when something happens to a connection. Any of them may be NULL. */
typedef struct sfr_handlers {
	/** The connection is there: accepted, or dialled with success. */
	void (*on_open)(sfr_conn *conn, void *arg);
	/**
	 * Bytes arrived.
	 *
	 * @param result How many, at least 1; also buf->len.
	 * @param buf    Yours: send it on, keep it, or release it. Never NULL.
	 */
	void (*on_data)(sfr_conn *conn, int result, sfr_buf *buf, void *arg);
	/** The send queue was above the high-water mark and has fallen to the low one. */
	void (*on_drain)(sfr_conn *conn, void *arg);
	/**
	 * The last call. The connection is gone when it returns. If a send failed, or was refused, on_data comes
	 * first with what the kernel had received by then, even if the connection is paused.
	 *
	 * @param reason 0: the peer finished, and all that was queued has been sent. Else an error:
	 *               -ECANCELED after sfr_conn_close(), sfr_conn_reset(), sfr_server_close() or
	 *               sfr_loop_drain(); -ETIMEDOUT after sfr_conn_finish();
	 *               -ECONNRESET, -EPIPE; -SFR_ESLOW: the peer read nothing for server.slow_after,
	 *               and the memory of what waited for it was needed; for a dial that failed -ECONNREFUSED and the like, and
	 *               then there was no on_open.
	 */
	void (*on_close)(sfr_conn *conn, int reason, void *arg);
	/**
	 * The peer has finished sending, once; answers may still be sent to it. The connection stays until the program
	 * shuts it down or closes it.
	 *
	 * NULL: then the library finishes it as well, once it is not busy: nothing holds it (sfr_conn_hold()), nothing
	 * is queued, and on_data did not run in this turn or the last. So a peer that sends its request and finishes has its
	 * answer, if that is sent before on_data returns, or if on_data holds the connection until it is.
	 *
	 * @since 0.2
	 */
	void (*on_end)(sfr_conn *conn, void *arg);
	void (*reserved[3])(void); /**< NULL. */
} sfr_handlers;

/**
 * Listen, and serve whoever comes.
 *
 * A socket file gets the mode that server.unix_access says. If there is one already it is removed, but only if it is a
 * socket and nobody answers: to find out, a connection to it is made and closed. (Two servers that start on one file at
 * the same moment may both believe that; whoever starts them has to keep them apart.) When the server stops it
 * removes its file, if that is still its own.
 *
 * A program that was killed by SIGKILL may have its port for some more milliseconds where the engine is uring, as the
 * kernel has to end what its ring had in flight. Who starts it again at once sets server.bind_for, and sfr_serve() tries
 * for so long; it does not return meanwhile. (A stopped server's connections do not keep its port: SO_REUSEADDR is
 * set.)
 *
 * "fd:3" is a descriptor that the program inherited, as those of a systemd socket unit, which are numbered from 3 on.
 * LISTEN_FDS says how many there are, and they are meant for this process if LISTEN_PID is its number; the program
 * looks at both, as only it knows which of them is for what. If the result is 0 the descriptor is the server's, who
 * makes it O_CLOEXEC and O_NONBLOCK, and closes it. It keeps the backlog and the name it has. sfr_serve_fd() does the
 * same.
 *
 * @param address  "tcp://127.0.0.1:7777", "unix:///run/x.sock", "unix:@x", "fd:3": see above.
 * @param handlers Copied.
 * @param arg      Handed to each handler.
 * @param out      Receives the server, which the loop owns. May be NULL.
 * @return 0; -EINVAL for a bad address, and for a descriptor that does not listen or is no stream; -ENODEV if there is
 *         no interface of that name or number; -EBADF, -ENOTSOCK; -EBUSY if another server of the loop has the
 *         descriptor; -EADDRINUSE, -EADDRNOTAVAIL, -EACCES, -ENOENT for a path in no directory, -EMFILE, -ENOMEM;
 *         -ECANCELED while the loop drains. sfr_loop_refusal() says it in words.
 * @thread The loop's.
 * @since 0.1
 */
SFR_API int sfr_serve(sfr_loop *loop, const char *address, const sfr_handlers *handlers, void *arg,
		      sfr_server **out);

/**
 * Serve with options of this server's: its backlog and limits, and the marks of its connections.
 *
 * @param address  As for sfr_serve().
 * @param options  Its keys of `server:` are copied, and the others are of no account; the configuration stays the
 *                 caller's. NULL: the loop's, as for sfr_serve().
 * @param handlers Copied.
 * @param arg      Handed to each handler.
 * @param out      As of sfr_serve().
 * @return As sfr_serve(); -SFR_ECONFIG if values of the options cannot be together.
 * @thread The loop's.
 * @since 0.1
 */
SFR_API int sfr_serve_with(sfr_loop *loop, const char *address, const sfr_config *options,
			   const sfr_handlers *handlers, void *arg, sfr_server **out);

/**
 * Serve a descriptor that listens: one that was inherited, that another process handed over, or that the program
 * made with options of its own. sfr_serve() does the same for "fd:N".
 *
 * @param listening_fd Taken if the result is 0: the server makes it O_CLOEXEC and O_NONBLOCK, and closes it. Else it
 *                     stays the caller's. It keeps the backlog and the name it has.
 * @param handlers     Copied.
 * @param arg          Handed to each handler.
 * @param out          As of sfr_serve().
 * @return 0; -EBADF, -ENOTSOCK; -EINVAL if it does not listen or is no stream; -EBUSY if another server of the loop has
 *         it; -ENOMEM; -ECANCELED while the loop drains. sfr_loop_refusal() says it in words.
 * @thread The loop's.
 * @since 0.1
 */
SFR_API int sfr_serve_fd(sfr_loop *loop, int listening_fd, const sfr_handlers *handlers, void *arg,
			 sfr_server **out);

/**
 * Stop listening; connections stay, and the server with them until sfr_server_close().
 *
 * Who has connected before this call is still served, as far as server.backlog says how many may wait, and there are
 * descriptors and room for them; then the socket is closed, and its file goes. The backlog of a descriptor
 * that was taken is left to those who have it as well. A server that is stopped already is left alone.
 *
 * @thread The loop's.
 * @since 0.1
 */
SFR_API void sfr_server_stop(sfr_server *server);

/**
 * Stop listening and close all connections of a server. Who has no connection yet is refused. Each still calls on_close.
 *
 * @param server Taken: its handle is stale from now on, though its connections close later.
 * @since 0.1
 */
SFR_API void sfr_server_close(sfr_server *server);

/**
 * The address it listens on, with the port that the system chose, as sfr_dial() would take it.
 *
 * @param out Receives a string, cut to fit and always terminated.
 * @return The length of the whole string; an error of getsockname(2); -EAFNOSUPPORT for a descriptor that is of another
 *         family; -EILSEQ if its name has a 0 inside, which no address can have. -SFR_ESTALE, -SFR_ETHREAD,
 *         -SFR_EFORKED.
 * @since 0.1
 */
SFR_API int sfr_server_address(const sfr_server *server, char *out, size_t size);

/** How many connections it has now. @since 0.1 */
SFR_API size_t sfr_server_conns(const sfr_server *server);

/**
 * Call a function for each connection of a server that is open: to tell them all something, or to close some.
 *
 * @param fn  Called inside this call. It may do whatever a handler may; what opens meanwhile may be visited as well.
 * @param arg Handed to fn.
 * @thread The loop's.
 * @since 0.1
 */
SFR_API void sfr_server_each(sfr_server *server, void (*fn)(sfr_conn *conn, void *arg), void *arg);

/** Counters of one server, since it was made. Fields are only ever added, at the end. */
typedef struct sfr_server_stats {
	uint64_t accepted; /**< Connections that opened. */
	/** Those that were closed at once: above server.connections_max, for want of memory, or while it closed. */
	uint64_t refused;
	/** Times that it stopped accepting for a while: it was full, or descriptors or memory were missing. */
	uint64_t pauses;
	uint64_t open;     /**< Connections that have not called on_close. */
	uint64_t waiting;  /**< Accepted, and not opened yet: see server.when_full. */
	uint64_t received; /**< Bytes that arrived. */
	uint64_t sent;     /**< Bytes that the kernel has taken from it. */
	/* Connections by the reason of on_close; together with `open` they are `accepted`. */
	uint64_t ended_finished;  /**< 0: both sides finished. */
	uint64_t ended_closed;    /**< -ECANCELED: closed here. */
	uint64_t ended_reset;     /**< -ECONNRESET, -EPIPE: the peer is gone. */
	uint64_t ended_timed_out; /**< -ETIMEDOUT */
	uint64_t ended_slow;      /**< -SFR_ESLOW */
	uint64_t ended_failed;    /**< Another error. */
} sfr_server_stats;

/**
 * Read the counters of a server.
 *
 * @param out  Filled; what this library does not know is set to 0.
 * @param size sizeof(sfr_server_stats): lets a program and a library of different versions meet.
 * @thread The loop's.
 * @since 0.1
 */
SFR_API void sfr_server_stats_get(const sfr_server *server, sfr_server_stats *out, size_t size);

/**
 * Connect to a server.
 *
 * @param address  "tcp://127.0.0.1:7777", "unix:///run/x.sock", "unix:@x": see above. A number, not a name: looking
 *                 names up would block.
 * @param handlers Copied. on_open when connected; on_close alone if that fails.
 * @param arg      Handed to each handler.
 * @param out      Receives the connection. May be NULL.
 * @return 0; -EINVAL for a bad address; -ENODEV if there is no interface of that name or number;
 *         -EMFILE, -ENOMEM; -ECANCELED while the loop drains. sfr_loop_refusal() says it in words.
 * @thread The loop's.
 * @since 0.1
 */
SFR_API int sfr_dial(sfr_loop *loop, const char *address, const sfr_handlers *handlers, void *arg,
		     sfr_conn **out);

/**
 * Connect with options of this connection's: its marks, and what it asks of its socket.
 *
 * @param address  As for sfr_dial().
 * @param options  As for sfr_serve_with().
 * @param handlers Copied.
 * @param arg      Handed to each handler.
 * @param out      As of sfr_dial().
 * @return As sfr_dial(); -SFR_ECONFIG if values of the options cannot be together.
 * @thread The loop's.
 * @since 0.1
 */
SFR_API int sfr_dial_with(sfr_loop *loop, const char *address, const sfr_config *options,
			  const sfr_handlers *handlers, void *arg, sfr_conn **out);

/**
 * Make a connection of a stream socket that is connected: accepted elsewhere, handed over, or one of socketpair(2).
 *
 * @param fd       Taken if the result is 0: the connection makes it O_CLOEXEC, and closes it. Else it stays the
 *                 caller's. It must not be another connection's already.
 * @param handlers Copied. on_open comes in the next turn; on_close alone if the connection is closed before that.
 * @param arg      Handed to each handler.
 * @param out      Receives the connection. May be NULL. What is sent before on_open waits.
 * @return 0; -EBADF, -ENOTSOCK; -EINVAL if it is no stream; -ENOTCONN if it is not connected, or the peer has reset it;
 *         -ENOMEM; -ECANCELED while the loop drains. sfr_loop_refusal() says it in words.
 * @thread The loop's.
 * @since 0.1
 */
SFR_API int sfr_conn_adopt(sfr_loop *loop, int fd, const sfr_handlers *handlers, void *arg,
			   sfr_conn **out);

/**
 * The descriptor of a connection, to look at, and to set options: SO_PEERCRED, TCP_INFO, SO_RCVBUF.
 *
 * It stays the connection's. Who reads, writes or closes it breaks the connection, and its number may be another
 * file's as soon as on_close is called.
 *
 * @return The descriptor; -ENOTCONN in on_close. -SFR_ESTALE, -SFR_ETHREAD, -SFR_EFORKED.
 * @since 0.1
 */
SFR_API int sfr_conn_fd(const sfr_conn *conn);

/**
 * Send data[0..len) after all that was sent before.
 *
 * @param buf Taken, whatever happens; goes back to the slab when it is sent.
 * @return Bytes of this call that are queued (all). -EPIPE after sfr_conn_shutdown(), and once the library has
 *         finished the connection because its peer has (see on_end). An error that on_close will repeat:
 *         -SFR_EPOOLEMPTY if buf is NULL, -SFR_EINFLIGHT if it is not yours, -EINVAL if its window left the
 *         buffer, -ENOBUFS above server.queue_max; -ECANCELED if the connection is closing already, or a
 *         send has failed. -SFR_ESTALE if there is no such connection any more; -SFR_ETHREAD, -SFR_EFORKED.
 * @since 0.1
 */
SFR_API int sfr_conn_send(sfr_conn *conn, sfr_buf *buf);

/**
 * Send as sfr_conn_send() does, and have the buffer back.
 *
 * @param buf  Given, whatever happens. Comes back through done as it was when it was given: data, len, and if it is a chain
 *             with all its parts. Until then it counts as any other buffer that is queued.
 * @param done Called once, never inside of this call, and before on_close: in the turn in which the last byte has been
 *             taken by the system, or in which the connection fails. If this call returns an error it is called with
 *             that error, in the next turn. (After a call that is made in on_close itself it comes after that.) It may
 *             be NULL: then nobody is told, and the buffer is released.
 * @param arg  Handed to done.
 * @return As sfr_conn_send(). With some errors there is nobody to call done: -SFR_ETHREAD, -SFR_EFORKED, and -EOWNERDEAD if
 *         the loop of the connection is gone: then the buffer is released. And -ENOMEM: buf is NULL or not yours, so that
 *         it has no memory set aside to remember done in, and there was none.
 * @par Result
 *      Bytes sent: all of the buffer or chain. -ECANCELED after sfr_conn_close(), sfr_conn_reset(),
 *      sfr_server_close() or sfr_loop_drain(), though some of its bytes may have been sent; or the error by
 *      which the connection ends, or that this call has returned. If buf was NULL or not yours, the buffer is NULL.
 *      Of one that is empty: 0, when all that was sent before it has been.
 * @thread The loop's.
 * @since 0.1
 */
SFR_API int sfr_conn_send_then(sfr_conn *conn, sfr_buf *buf, sfr_done *done, void *arg);

/**
 * What became of a file that was sent.
 *
 * @param result 0: all of it is sent. Else an error; see sfr_conn_send_file().
 * @param sent   Bytes of it that were taken by the system, or a few less if the connection has failed.
 */
typedef void sfr_sent(sfr_conn *conn, int result, uint64_t sent, void *arg);

/**
 * Send bytes of a file after all that was sent before, and before all that is sent later. They are not read at once but
 * piece by piece, as the peer takes them; waiting for the disk never blocks the loop. For the high-water mark a file counts
 * as 64 KiB, or its length if that is less; sfr_conn_queued() does not count it.
 *
 * @param fd   A regular file or block device, open for reading; its position is neither used nor changed. Lent until
 *             done is called: keep it open, and what it contains as it is.
 * @param off  Where to begin, in bytes.
 * @param len  How many bytes; 0 is allowed.
 * @param done Called once, never inside of this call, and before on_close, if this call returns 0. What is queued behind
 *             the file waits until it has returned, so it may close or reset the connection instead. May be NULL.
 * @param arg  Handed to done.
 * @return 0; then done will be called. Else it will not, and the connection is as it was: -EPIPE after
 *         sfr_conn_shutdown(); -ECANCELED if the connection is closing already, or a send has failed; -EBADF,
 *         also if fd is not open for reading; -EISDIR; -ESPIPE for a pipe or socket, -EINVAL for what is no file
 *         either, and if off and len are too large; -ENOMEM; -SFR_ESTALE, -SFR_ETHREAD, -SFR_EFORKED.
 * @par Result
 *      0; -ENODATA: the file ended before off + len; -EIO and the like if it cannot be read: then the connection goes
 *      on with what is behind the file, unless done ends it. -SFR_EPOOLEMPTY: there is neither a worker nor a buffer to
 *      send it with; the same. -ECANCELED after sfr_conn_close(), sfr_conn_reset(), sfr_server_close() or
 *      sfr_loop_drain(), or the error by which the connection ends.
 * @note SO_SNDTIMEO of the connection's socket is set.
 * @thread The loop's.
 * @since 0.1
 */
SFR_API int sfr_conn_send_file(sfr_conn *conn, int fd, uint64_t off, uint64_t len, sfr_sent *done,
			       void *arg);

/**
 * Finish sending: when the queue is empty the peer is told so. Receiving goes on until it finishes too.
 * @since 0.1
 */
SFR_API void sfr_conn_shutdown(sfr_conn *conn);

/**
 * An answer is on its way: the connection is busy until sfr_conn_unhold(), so it stays though its peer has finished
 * sending (see on_end). Holds are counted. They keep neither sfr_conn_close() nor an error from ending it.
 *
 * @thread The loop's.
 * @since 0.2
 */
SFR_API void sfr_conn_hold(sfr_conn *conn);

/**
 * Take one sfr_conn_hold() back, after the answer was sent or given up. Without one, nothing happens but a line in the
 * log.
 *
 * @thread The loop's.
 * @since 0.2
 */
SFR_API void sfr_conn_unhold(sfr_conn *conn);

/**
 * Done with it: what is queued is sent, the peer is told that nothing follows, and has some time to finish as well; then
 * the connection closes. What arrives until then is read and dropped, paused or not, as unread bytes would make the kernel
 * cut off the answer; on_data and on_end are not called any more. sfr_conn_send() answers -EPIPE.
 *
 * @param linger_ns How long the peer may take to finish once it has been told, in nanoseconds (rounded up to
 *                  milliseconds); 0: close as soon as it has been told. A peer that reads nothing of what is queued keeps
 *                  the connection open: see sfr_conn_close().
 * @thread The loop's.
 * @since 0.2
 */
SFR_API void sfr_conn_finish(sfr_conn *conn, uint64_t linger_ns);

/** Close now. What is queued is dropped. on_close comes later, once, with -ECANCELED. @since 0.1 */
SFR_API void sfr_conn_close(sfr_conn *conn);

/**
 * As sfr_conn_close(), and the peer sees that it was cut: a reset, not an end. For a proxy whose other side failed. On a
 * Unix socket the peer sees an end, or a reset if it had sent what was not received.
 *
 * @thread The loop's.
 * @since 0.2
 */
SFR_API void sfr_conn_reset(sfr_conn *conn);

/** Whether it is above its high-water mark: it receives nothing, unless sfr_conn_read_when_full() says so, and on_drain
 * will come. @thread The loop's. @since 0.2 */
SFR_API bool sfr_conn_is_full(const sfr_conn *conn);

/**
 * Whether it receives though it is full: for protocols in which one must read to be allowed to write. At first it does
 * not. What then bounds the queue is the program, and server.queue_max.
 *
 * @thread The loop's.
 * @since 0.2
 */
SFR_API void sfr_conn_read_when_full(sfr_conn *conn, bool reads);

/**
 * Stop receiving, so that in the end the peer has to wait. What arrived already may still be delivered. If a send fails,
 * or the peer resets the connection, it is, and on_close follows. (A reset behind the peer's end is noticed by sending
 * or resuming only.)
 *
 * @since 0.1
 */
SFR_API void sfr_conn_pause(sfr_conn *conn);

/** Receive again. @since 0.1 */
SFR_API void sfr_conn_resume(sfr_conn *conn);

/** Bytes accepted by sfr_conn_send() and not yet sent. @since 0.1 */
SFR_API size_t sfr_conn_queued(const sfr_conn *conn);

/**
 * The loop it lives on, or lived on.
 * @return NULL if that loop is gone, or `conn` never was a connection.
 * @thread Any, while nobody frees the loop: so another thread can post to it. @since 0.1
 */
SFR_API sfr_loop *sfr_conn_loop(const sfr_conn *conn);

/** A pointer of yours, per connection; NULL at first. @since 0.1 */
SFR_API void *sfr_conn_data(const sfr_conn *conn);

/** Set the pointer that sfr_conn_data() returns. @since 0.1 */
SFR_API void sfr_conn_set_data(sfr_conn *conn, void *data);

/**
 * The peer's address, as sfr_dial() would take it. A link-local peer's has the interface: its name, or its number
 * if the interface has gone.
 *
 * @param out Receives a string, cut to fit and always terminated.
 * @return The length of the whole string; an error of getpeername(2): -ENOTCONN in on_close, and when
 *         the peer has reset the connection; -EAFNOSUPPORT and -EILSEQ as of sfr_server_address(). -SFR_ESTALE,
 *         -SFR_ETHREAD, -SFR_EFORKED.
 * @since 0.1
 */
SFR_API int sfr_conn_peer(const sfr_conn *conn, char *out, size_t size);

/**
 * This end's address: of a connection that was accepted, the one that its peer connected to.
 *
 * @param out Receives a string, cut to fit and always terminated.
 * @return The length of the whole string; -ENOTCONN in on_close; else as of sfr_server_address(). -SFR_ESTALE,
 *         -SFR_ETHREAD, -SFR_EFORKED.
 * @thread The loop's.
 * @since 0.1
 */
SFR_API int sfr_conn_local(const sfr_conn *conn, char *out, size_t size);

SFR_END_DECLS

#endif
