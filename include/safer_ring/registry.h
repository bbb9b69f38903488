/* SPDX-License-Identifier: MIT */
/*
 * Registry: descriptors and buffers that the engine keeps at hand.
 *
 * A registered file is an int as well: negative, and never a real descriptor. Every operation takes one
 * where it takes a descriptor, and sfr_cancel_fd() knows it by that name; an empty place is
 * -SFR_ENOTREGISTERED. It is -SFR_EUNSUPPORTED as a dirfd, and where a worker of the loop does the operation
 * (sfr_ftruncate() before Linux 6.9). Read and write with offsets what only a place has open,
 * as after sfr_into(): when an error cuts a transfer short, io_uring does not move the position, and the loop can
 * correct that only through a descriptor. For this the loop keeps a copy of the descriptor of each registered
 * file that has a position. When the place is emptied the copy is closed, which ends the locks of fcntl() that the
 * process has on that file, as close() does. The slab needs no registering: reads and writes with its buffers are
 * of the fixed kind by themselves where memory may be locked.
 */
#ifndef SAFER_RING_REGISTRY_H
#define SAFER_RING_REGISTRY_H

#include <safer_ring/op.h>

SFR_BEGIN_DECLS

/**
 * Register files. There is one table; unregister before you register others.
 *
 * @param fds       Borrowed for the call: the engine has the files open by itself, so you may close
 *                  these. -1: a place that is empty, for sfr_into().
 * @param n         How many, at least 1 and at most 32768.
 * @param names_out Receives the names of the places, in order.
 * @return 0; -EBUSY if there is a table already; -EBADF if one of them is not open; -EINVAL; -ENOMEM; -EMFILE
 *         above RLIMIT_NOFILE, and on the epoll engine if no descriptors are left for copies of them.
 * @thread The loop's.
 * @since 0.1
 */
SFR_API int sfr_files_register(sfr_loop *loop, const int *fds, unsigned n, int *names_out);

/**
 * Let go of the registered files.
 *
 * @return 0; -SFR_ENOTREGISTERED if there are none; -SFR_EOPSINFLIGHT, and nothing is changed, while an
 *         operation on one is in flight.
 * @thread The loop's.
 * @since 0.1
 */
SFR_API int sfr_files_unregister(sfr_loop *loop);

/**
 * Have an operation put the descriptor that it wins straight into an empty place of the registered
 * files.
 *
 * @param op    Building: sfr_accept(), sfr_openat() or sfr_socket(); others end with -EINVAL. NULL is
 *              nothing.
 * @param name  That of the place. Not a name: the operation ends with -SFR_ENOTREGISTERED. That of a place
 *              which is taken: with -EBUSY.
 * @return op. Its result is 0 when the place has the file. sfr_close() of the name empties it again. The
 *         kernel keeps no order between operations that change a place, so only one of them may be in flight:
 *         until it has called back, another one that would fill or close the place ends with -EBUSY. Close a
 *         place after the operation that fills it has called back, or behind that operation in a batch.
 * @thread The loop's.
 * @since 0.1
 */
SFR_API sfr_op *sfr_into(sfr_op *op, int name);

/**
 * Register buffers, so that reads and writes with them need not look up their pages. For memory of
 * your own (sfr_buf_wrap()) and of the heap; buffers of the slab are by themselves.
 *
 * @param bufs Stay yours, and are used as before. The memory of one that is released stays until
 *             sfr_buffers_unregister(), which then calls its on_release; or until the loop is freed.
 * @param n    How many, at least 1 and at most 1024.
 * @return 0; else nothing is registered: -EBUSY if some are registered already; -SFR_EINFLIGHT if one is
 *         not yours; -EINVAL if one is of the slab, of another loop, or given twice (its shares are the
 *         same memory); -ENOMEM if so much memory may not be locked (the log says what would help);
 *         -SFR_EUNSUPPORTED where features.fixed_buffers is missing or off.
 * @thread The loop's.
 * @since 0.1
 */
SFR_API int sfr_buffers_register(sfr_loop *loop, sfr_buf **bufs, unsigned n);

/**
 * Let go of the registered buffers.
 *
 * @param out Receives them in the order of registering, NULL for those that were released. May be NULL.
 * @return 0; -SFR_ENOTREGISTERED if there are none; -SFR_EOPSINFLIGHT, and nothing is changed, while one
 *         is with the loop, also in an operation that is not submitted yet.
 * @thread The loop's.
 * @since 0.1
 */
SFR_API int sfr_buffers_unregister(sfr_loop *loop, sfr_buf **out);

SFR_END_DECLS

#endif
