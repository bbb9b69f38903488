/* SPDX-License-Identifier: MIT */
/*
 * Operations on files and directories.
 *
 * All calls are of the loop's thread. Those without a buffer return as sfr_nop(). Paths are copied. `dirfd`
 * is borrowed until the callback, or AT_FDCWD of <fcntl.h>. What is named as the system names it (struct
 * statx, RENAME_NOREPLACE, SPLICE_F_NONBLOCK) is where its manual page says, mostly with _GNU_SOURCE.
 *
 * Where the kernel has no operation for one of these, a worker thread of the loop makes the system call
 * (ring.workers says how many there may be).
 */
#ifndef SAFER_RING_FILE_H
#define SAFER_RING_FILE_H

#include <safer_ring/op.h>

SFR_BEGIN_DECLS

/**
 * Open a file.
 *
 * @param flags As of openat(2).
 * @param mode  For a file that is made.
 * @par Result
 *      Its descriptor, yours, close-on-exec, or what sfr_into() says; else the error of openat(2).
 * @thread The loop's. @since 0.1
 */
SFR_API sfr_op *sfr_openat(sfr_loop *loop, int dirfd, const char *path, int flags, unsigned mode);

/**
 * Ask about a file.
 *
 * @param flags As of statx(2), with AT_EMPTY_PATH also for `dirfd` itself.
 * @param mask  STATX_BASIC_STATS or the like.
 * @param buf   Given, whatever happens; room for a struct statx, or the result is -EINVAL. Comes back
 *              with one in it.
 * @return As for every operation with a buffer, see sfr_read().
 * @par Result
 *      0, and buf->len is sizeof(struct statx); else the error of statx(2), and it is 0.
 * @thread The loop's. @since 0.1
 */
SFR_API sfr_op *sfr_statx(sfr_loop *loop, int dirfd, const char *path, int flags, unsigned mask,
			  sfr_buf *buf);

/**
 * Have a file's contents and attributes on its disk.
 * @par Result
 *      0; the error of fsync(2).
 * @since 0.1
 */
SFR_API sfr_op *sfr_fsync(sfr_loop *loop, int fd);

/** As sfr_fsync(), without attributes that reading does not need. @since 0.1 */
SFR_API sfr_op *sfr_fdatasync(sfr_loop *loop, int fd);

/**
 * Reserve or free room in a file.
 * @par Result
 *      0; the error of fallocate(2).
 * @since 0.1
 */
SFR_API sfr_op *sfr_fallocate(sfr_loop *loop, int fd, int mode, uint64_t off, uint64_t len);

/**
 * Cut a file, or extend it with zeros.
 * @par Result
 *      0; the error of ftruncate(2).
 * @since 0.1
 */
SFR_API sfr_op *sfr_ftruncate(sfr_loop *loop, int fd, uint64_t len);

/**
 * Remove a name; AT_REMOVEDIR for a directory.
 * @par Result
 *      0; the error of unlinkat(2).
 * @since 0.1
 */
SFR_API sfr_op *sfr_unlinkat(sfr_loop *loop, int dirfd, const char *path, int flags);

/**
 * Give a file another name.
 * @par Result
 *      0; the error of renameat2(2).
 * @since 0.1
 */
SFR_API sfr_op *sfr_renameat(sfr_loop *loop, int dirfd, const char *path, int new_dirfd,
			     const char *new_path, unsigned flags);

/**
 * Make a directory.
 * @par Result
 *      0; the error of mkdirat(2).
 * @since 0.1
 */
SFR_API sfr_op *sfr_mkdirat(sfr_loop *loop, int dirfd, const char *path, unsigned mode);

/**
 * Give a file a further name.
 * @par Result
 *      0; the error of linkat(2).
 * @since 0.1
 */
SFR_API sfr_op *sfr_linkat(sfr_loop *loop, int dirfd, const char *path, int new_dirfd,
			   const char *new_path, int flags);

/**
 * Make a symbolic link to `target`.
 * @par Result
 *      0; the error of symlinkat(2).
 * @since 0.1
 */
SFR_API sfr_op *sfr_symlinkat(sfr_loop *loop, const char *target, int dirfd, const char *path);

/**
 * Move bytes between two descriptors, at least one of which is a pipe, without copying them to the
 * program.
 *
 * @param off_in  Where in a file to read; -1: at its position, and for what has none.
 * @param off_out The same for writing.
 * @param len   Bytes, at most.
 * @param flags As of splice(2). With SPLICE_F_NONBLOCK it does not wait for a pipe, but still for a socket.
 * @par Result
 *      Bytes moved, perhaps fewer than len, 0 at the end; else the error of splice(2). As with that, it
 *      is -EAGAIN where it would wait for a descriptor that is O_NONBLOCK: sfr_poll() for it first. A
 *      pipe or socket without reader gives -EPIPE and may raise SIGPIPE, as sfr_write() does.
 *      sfr_cancel_fd() finds it by either descriptor. Have only one splice from a socket in flight,
 *      and only one into it, as with receives and sends: a second one can make the loop stand still.
 * @thread The loop's. @since 0.1
 */
SFR_API sfr_op *sfr_splice(sfr_loop *loop, int fd_in, int64_t off_in, int fd_out, int64_t off_out,
			   unsigned len, unsigned flags);

SFR_END_DECLS

#endif
