/* SPDX-License-Identifier: MIT */
/*
 * Owned buffers: the hot potato.
 *
 * At any moment a buffer is yours or the loop's. What you get from the calls below is yours. You give
 * it away by building an operation with it, by sending it on a connection, or by releasing it; from
 * then on you may not touch it, and `data` is NULL so that a touch faults at once. It is yours again
 * when a callback hands it to you.
 */
#ifndef SAFER_RING_BUFFER_H
#define SAFER_RING_BUFFER_H

#include <safer_ring/base.h>

SFR_BEGIN_DECLS

/**
 * A window on a block of memory. You read and write data[0..len).
 *
 * `data` may be moved forward inside the buffer, to skip a header or keep a remainder: a write sends
 * from there, a read fills from there to the end of the buffer. At most `cap` bytes have room at `data`;
 * where it was moved by n bytes, by you or with a received datagram, `cap` - n. A window that leaves its
 * buffer is refused (-EINVAL, through the callback) when you give it. The rest of the fields is the
 * library's.
 */
struct sfr_buf {
	unsigned char *data; /**< The contents; NULL while the loop owns the buffer. */
	uint32_t len;        /**< Bytes of contents. */
	uint32_t cap; /**< Bytes the whole buffer has room for; received, perhaps just `len`. */
	/** In a chain, the next part: see sfr_buf_append(). Not to be written. */
	struct sfr_buf *next;
};

/**
 * Take a buffer. It is one of buffers.small, buffers.size or buffers.large, the smallest that fits and is
 * to be had; what must be larger than all of them comes from the heap. More are made, within
 * buffers.budget, when there is none; their memory stays with the loop.
 *
 * @param loop    Loop that it comes from, and in whose operations it will be used.
 * @param min_cap Bytes it must have room for; 0 for any, and then for buffers.size.
 * @return The buffer, yours, with len 0 and contents undefined; it begins on a cache line, and from
 *         4 KiB on a page. NULL with errno SFR_EPOOLEMPTY when there is none left within the budget,
 *         ENOMEM when the system has no memory, EMSGSIZE above 1 GiB;
 *         SFR_ETHREAD or SFR_EFORKED on a wrong thread or in a child of fork.
 * @thread The loop's.
 * @since 0.1
 */
SFR_API sfr_buf *sfr_buf_get(sfr_loop *loop, size_t min_cap);

/**
 * Take a buffer and copy bytes into it.
 *
 * @param bytes Copied; may be NULL if len is 0.
 * @param len   How many; also the len of the buffer.
 * @return As sfr_buf_get().
 * @thread The loop's.
 * @since 0.1
 */
SFR_API sfr_buf *sfr_buf_from(sfr_loop *loop, const void *bytes, size_t len);

/**
 * Make a buffer of memory that you already have, without copying.
 *
 * @param mem        Lent until on_release is called: do not touch it but through the buffer.
 * @param cap        Its size in bytes, at least 1 and at most 1 GiB. The buffer's len is 0: set it.
 * @param on_release Called once, when the buffer is released: inside sfr_buf_release() on the loop's
 *                   thread; if another thread released it, on the loop's thread in its next turn, or
 *                   before, in a call that takes, shares, counts or unregisters buffers; on the
 *                   releasing thread if the loop is gone. May be NULL. May release other buffers; must
 *                   not call into the loop otherwise.
 * @param arg        Handed to on_release.
 * @return The buffer, yours; NULL with errno ENOMEM, or EINVAL for no memory or a wrong size, and then
 *         on_release is not called.
 * @thread The loop's.
 * @since 0.1
 */
SFR_API sfr_buf *sfr_buf_wrap(sfr_loop *loop, void *mem, size_t cap,
			      void (*on_release)(void *mem, void *arg), void *arg);

/**
 * Make another reference to a buffer's contents: one payload, many receivers. Nothing is copied. While
 * there is more than one reference each is read-only: operations that send or write take it, and those
 * that would fill it end with -SFR_ESHARED. The memory goes back with the last one.
 *
 * @param buf Stays yours. A chain is shared part by part.
 * @return The other reference, yours, with a window of its own on the same bytes. NULL with errno ENOMEM,
 *         or SFR_EINFLIGHT if buf is not yours to share.
 * @thread The loop's; of a buffer of a stand-alone pool, any.
 * @since 0.1
 */
SFR_API sfr_buf *sfr_buf_share(sfr_buf *buf);

/**
 * Make a chain: sent and written as if it were one buffer. Its parts are at head, head->next and so on.
 * What it costs does not depend on how long they are, but for the first time after a chain came back.
 *
 * @param head Taken, and given back as the result. NULL: the result is tail.
 * @param tail Taken: from now on it is head's, to be touched and not to be released or given. A chain
 *             itself, if you like. NULL is nothing.
 * @return head, yours. What is done with it is done with all parts: releasing, sending, sharing. Only
 *         sfr_write(), sfr_write_at(), sfr_send(), sfr_send_zc(), sfr_sendto() and sfr_conn_send() take a
 *         chain; other operations end with -EINVAL. If head or tail was not yours, or they are of
 *         different loops, that is misuse and reported, and the chain is head's alone.
 * @thread The loop's.
 * @since 0.1
 */
SFR_API sfr_buf *sfr_buf_append(sfr_buf *head, sfr_buf *tail);

/**
 * The contents, if they are yours to touch.
 *
 * For code that was not told who owns a buffer. Where the compiler can see that it was given away, it
 * rightly warns of the question itself.
 *
 * @return buf->data, or NULL while the buffer is in flight.
 * @thread The loop's.
 * @since 0.1
 */
SFR_API void *sfr_buf_access(sfr_buf *buf);

/**
 * Whether a buffer is yours to touch.
 *
 * @return true if so; false while it is with the loop or the kernel, and for NULL.
 * @thread The loop's.
 * @since 0.1
 */
SFR_API bool sfr_buf_is_owned(const sfr_buf *buf);

/**
 * Give a buffer back. A receive that waits for one resumes in the loop's next turn.
 *
 * @param buf Taken. NULL is nothing. A buffer that is in flight, or was released before, is left alone
 *            and reported as misuse (see safety.abort in the configuration).
 * @thread Any.
 * @since 0.1
 */
SFR_API void sfr_buf_release(sfr_buf *buf);

SFR_END_DECLS

#endif
