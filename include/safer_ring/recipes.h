/*
 * Recipes: batches that are needed again and again, ready-made.
 *
 * Each of these builds a batch, submits it, and frees it after the callback. What they return is that batch,
 * the library's: until the callback it may be handed to sfr_batch_cancel() and sfr_batch_plan(), and to
 * nothing else. NULL, with errno, means that nothing was submitted and the callback never comes: ENOMEM,
 * EINVAL, SFR_ETHREAD, SFR_EFORKED; a buffer that was given is released then.
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
 * @param result Bytes copied, fewer than asked for only at the end of the file; else the first error, and
 *               what is behind `off_out` then is unknown.
 */
typedef void sfr_copied(sfr_loop *loop, int64_t result, void *arg);

/**
 * Copy a range of one file to another: block by block, each one kernel chain, several at a time. It holds at
 * most 16 buffers of the loop's usual size.
 *
 * @param len Bytes; UINT64_MAX: up to the end of the file.
 * @return The batch, see above; also NULL with errno SFR_EPOOLEMPTY if there is not one buffer.
 * @thread The loop's. @since 0.1
 */
SFR_API sfr_batch *sfr_copy_range(sfr_loop *loop, int fd_in, uint64_t off_in, int fd_out,
				  uint64_t off_out, uint64_t len, sfr_copied *done, void *arg);

/**
 * Have a file contain data[0..len), at once: whoever looks, even after a crash, finds the old contents or
 * the new ones, whole. It is written under another name in the same directory, ".<name>.<random>.tmp", synced
 * to the disk and renamed, and then the directory is synced. If it fails the other name is removed again.
 *
 * @param mode Of the new file, as of openat(2).
 * @param buf  Given, whatever happens. Comes back unchanged.
 * @param done Its result is 0, or the first error; then the old contents are there, unless only the last
 *             step, the sync of the directory, failed.
 * @return The batch, see above.
 * @thread The loop's. @since 0.1
 */
SFR_API sfr_batch *sfr_replace_file(sfr_loop *loop, int dirfd, const char *path, unsigned mode,
				    sfr_buf *buf, sfr_done *done, void *arg);

/**
 * Read a file from its beginning into a buffer: open, read, close.
 *
 * @param buf  Given, whatever happens. Comes back with buf->len set to what was read.
 * @param done Its result is the number of bytes read: buf->cap means that there may be more; or the error of
 *             opening or reading.
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
 * @param done Its result is the number of bytes sent, or the error of sending.
 * @return The batch, see above.
 * @thread The loop's. @since 0.1
 */
SFR_API sfr_batch *sfr_send_close(sfr_loop *loop, int fd, sfr_buf *buf, sfr_done *done, void *arg);

SFR_END_DECLS

#endif
