/* SPDX-License-Identifier: MIT */
/*
 * Recipes: batches that are needed again and again, ready-made.
 *
 * Each of these builds a batch, submits it, and frees it after the callback. What they return is that batch,
 * the library's: until the callback it may be handed to sfr_batch_cancel() and sfr_batch_plan(), and to
 * nothing else. NULL, with errno, means that nothing was submitted and the callback never comes: ENOMEM,
 * EINVAL, SFR_ETHREAD, SFR_EFORKED; a buffer that was given is released then.
 *
 * Cancelled, or drained with their loop, they end as soon as they can, usually with -ECANCELED, and have
 * closed or removed by then what was theirs. A callback of NULL: nobody wants to know, and the buffer goes
 * back to where it is from.
 *
 * All calls are of the loop's thread. Descriptors are borrowed until the callback, paths are copied.
 */
#ifndef SAFER_RING_RECIPES_H
#define SAFER_RING_RECIPES_H

#include <safer_ring/batch.h>

SFR_BEGIN_DECLS

/**
 * What happens when sfr_copy_range() is done.
 *
 * @param result Bytes copied, fewer than asked for only at the end of the file; else the error of reading or
 *               writing, -ENOSPC also if a write came to nothing without one; and what is behind `off_out`
 *               then is unknown.
 */
typedef void sfr_copied(sfr_loop *loop, int64_t result, void *arg);

/**
 * Copy a range of one file to another: block by block, each one row of linked operations, several at a time. It holds at
 * most 16 buffers: of buffers.large, up to 256 KiB each, or of buffers.size where there are no large ones or
 * none is left. Both files have positions to read and write at; in one and the same, the ranges do not overlap.
 *
 * @param len Bytes; UINT64_MAX: up to the end of the file. Where it is known how long that is, saying so
 *            saves some turns.
 * @return The batch, see above; it is the same for all of the file, and its plan that of the blocks at hand.
 *         Also NULL with errno EINVAL if an offset, with len, is more than INT64_MAX, and SFR_EPOOLEMPTY if
 *         there is not one buffer.
 * @thread The loop's. @since 0.1
 */
SFR_API sfr_batch *sfr_copy_range(sfr_loop *loop, int fd_in, uint64_t off_in, int fd_out,
				  uint64_t off_out, uint64_t len, sfr_copied *done, void *arg);

/**
 * Have a file contain data[0..len), at once: whoever looks, even after a crash, finds the old contents or
 * the new ones, whole. It is written under another name in the same directory, ".<name>.<random>.tmp", synced
 * to the disk and renamed, and then the directory is synced. If it fails the other name is removed again; if
 * the process dies meanwhile, it may stay.
 *
 * @param path To a file, which need not be there. Its directory must be readable, or it could not be synced.
 *             A symbolic link is replaced itself.
 * @param mode Of the new file, as of openat(2), whatever that of the old one is.
 * @param buf  Given, whatever happens, perhaps a chain. Comes back unchanged.
 * @param done Its result is 0, or the first error, -ENOSPC also if not all was written for whatever reason;
 *             then the old contents are there, unless only the last step, the sync of the directory, failed
 *             or was cancelled.
 * @return The batch, see above. Also NULL with errno EINVAL if path does not end with a name.
 * @thread The loop's. @since 0.1
 */
SFR_API sfr_batch *sfr_replace_file(sfr_loop *loop, int dirfd, const char *path, unsigned mode,
				    sfr_buf *buf, sfr_done *done, void *arg);

/**
 * Read a file from its beginning into a buffer: open, read until it is full or the file ends, close.
 *
 * @param buf  Given, whatever happens. Comes back with buf->len set to what was read.
 * @param done Its result is the number of bytes read: buf->cap means that there may be more; or the error of
 *             opening or reading. If an error ends reading behind some bytes, it is their number.
 * @return The batch, see above.
 * @thread The loop's. @since 0.1
 */
SFR_API sfr_batch *sfr_read_file(sfr_loop *loop, int dirfd, const char *path, sfr_buf *buf,
				 sfr_done *done, void *arg);

/**
 * Send all of a buffer on a connected socket, then close the socket, whether or not that succeeded.
 *
 * @param fd   Taken: closed before the callback. If the result is NULL it stays yours.
 * @param buf  Given, whatever happens. Comes back unchanged.
 * @param done Its result is the number of bytes sent, fewer than there are if it failed or was cancelled in
 *             the middle; or the error of sending.
 * @return The batch, see above.
 * @thread The loop's. @since 0.1
 */
SFR_API sfr_batch *sfr_send_close(sfr_loop *loop, int fd, sfr_buf *buf, sfr_done *done, void *arg);

SFR_END_DECLS

#endif
