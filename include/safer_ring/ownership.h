/* SPDX-License-Identifier: MIT */
/*
 * The compile-time net: who takes what.
 *
 * Every function that takes a buffer, an operation or a batch is declared here as a deallocator of it.
 * Plain `gcc -Wall` then diagnoses a buffer that is used after it was given, given twice, released twice,
 * or never came from this library; an operation that is submitted twice; a batch that is used after it was
 * freed; and `gcc -fanalyzer` and `clang --analyze` find leaks as well. To add an operation, add its line
 * to the lists below.
 *
 * sfr_await() takes its operation but is not listed for GCC, whose analyzer believes that a deallocator
 * writes nothing: it would miss the buffer that comes back.
 */
#ifndef SAFER_RING_OWNERSHIP_H
#define SAFER_RING_OWNERSHIP_H

#include <safer_ring/datagram.h>
#include <safer_ring/file.h>
#include <safer_ring/pool.h>
#include <safer_ring/recipes.h>
#include <safer_ring/registry.h>
#include <safer_ring/server.h>
#include <safer_ring/system.h>

/* X(return type, name, parameters, position of the buffer). The parameters of operations have names: where there
 * is no engine, operations are defined from these lists. */
#define SFR__BUF_TAKERS(X)                                                         \
	X(void, sfr_buf_release, (sfr_buf *), 1)                                   \
	X(int, sfr_conn_send, (sfr_conn *, sfr_buf *), 2)                          \
	X(int, sfr_conn_send_then, (sfr_conn *, sfr_buf *, sfr_done *, void *), 2) \
	X(sfr_buf *, sfr_buf_append, (sfr_buf *, sfr_buf *), 2)                    \
	SFR__BUF_RECIPES(X)                                                        \
	SFR__BUF_OPS(X)

#define SFR__BUF_RECIPES(X)                                                            \
	X(sfr_batch *, sfr_replace_file,                                               \
	  (sfr_loop *, int, const char *, unsigned, sfr_buf *, sfr_done *, void *), 5) \
	X(sfr_batch *, sfr_read_file,                                                  \
	  (sfr_loop *, int, const char *, sfr_buf *, sfr_done *, void *), 4)           \
	X(sfr_batch *, sfr_send_close, (sfr_loop *, int, sfr_buf *, sfr_done *, void *), 3)

#define SFR__BUF_OPS(X)                                                                            \
	X(sfr_op *, sfr_read, (sfr_loop * loop, int fd, sfr_buf *buf), 3)                          \
	X(sfr_op *, sfr_read_at, (sfr_loop * loop, int fd, sfr_buf *buf, uint64_t off), 3)         \
	X(sfr_op *, sfr_write, (sfr_loop * loop, int fd, sfr_buf *buf), 3)                         \
	X(sfr_op *, sfr_write_at, (sfr_loop * loop, int fd, sfr_buf *buf, uint64_t off), 3)        \
	X(sfr_op *, sfr_recv, (sfr_loop * loop, int fd, sfr_buf *buf), 3)                          \
	X(sfr_op *, sfr_send, (sfr_loop * loop, int fd, sfr_buf *buf), 3)                          \
	X(sfr_op *, sfr_send_zc, (sfr_loop * loop, int fd, sfr_buf *buf), 3)                       \
	X(sfr_op *, sfr_sendto,                                                                    \
	  (sfr_loop * loop, int fd, sfr_buf *buf, const struct sockaddr *addr, socklen_t size), 3) \
	X(sfr_op *, sfr_recvfrom, (sfr_loop * loop, int fd, sfr_buf *buf), 3)                      \
	X(sfr_op *, sfr_waitid,                                                                    \
	  (sfr_loop * loop, int idtype, unsigned id, int options, sfr_buf *buf), 5)                \
	X(sfr_op *, sfr_raw, (sfr_loop * loop, const struct io_uring_sqe *sqe, sfr_buf *buf), 3)   \
	X(sfr_op *, sfr_statx,                                                                     \
	  (sfr_loop * loop, int dirfd, const char *path, int flags, unsigned mask, sfr_buf *buf),  \
	  6)

#define SFR__BARE_OPS(X)                                                                           \
	X(sfr_op *, sfr_nop, (sfr_loop * loop), 0)                                                 \
	X(sfr_op *, sfr_accept, (sfr_loop * loop, int fd), 0)                                      \
	X(sfr_op *, sfr_accept_multi, (sfr_loop * loop, int fd), 0)                                \
	X(sfr_op *, sfr_recv_multi, (sfr_loop * loop, int fd), 0)                                  \
	X(sfr_op *, sfr_recvfrom_multi, (sfr_loop * loop, int fd), 0)                              \
	X(sfr_op *, sfr_read_multi, (sfr_loop * loop, int fd), 0)                                  \
	X(sfr_op *, sfr_poll_multi, (sfr_loop * loop, int fd, unsigned events), 0)                 \
	X(sfr_op *, sfr_splice,                                                                    \
	  (sfr_loop * loop, int fd_in, int64_t off_in, int fd_out, int64_t off_out, unsigned len,  \
	   unsigned flags),                                                                        \
	  0)                                                                                       \
	X(sfr_op *, sfr_signal, (sfr_loop * loop, int signo), 0)                                   \
	X(sfr_op *, sfr_msg, (sfr_loop * loop, sfr_loop * target, uint64_t value), 0)              \
	X(sfr_op *, sfr_connect,                                                                   \
	  (sfr_loop * loop, int fd, const struct sockaddr *addr, socklen_t size), 0)               \
	X(sfr_op *, sfr_timeout, (sfr_loop * loop, uint64_t ns), 0)                                \
	X(sfr_op *, sfr_interval, (sfr_loop * loop, uint64_t ns), 0)                               \
	X(sfr_op *, sfr_poll, (sfr_loop * loop, int fd, unsigned events), 0)                       \
	X(sfr_op *, sfr_shutdown, (sfr_loop * loop, int fd, int how), 0)                           \
	X(sfr_op *, sfr_close, (sfr_loop * loop, int fd), 0)                                       \
	X(sfr_op *, sfr_socket, (sfr_loop * loop, int domain, int type, int protocol), 0)          \
	X(sfr_op *, sfr_openat,                                                                    \
	  (sfr_loop * loop, int dirfd, const char *path, int flags, unsigned mode), 0)             \
	X(sfr_op *, sfr_fsync, (sfr_loop * loop, int fd), 0)                                       \
	X(sfr_op *, sfr_fdatasync, (sfr_loop * loop, int fd), 0)                                   \
	X(sfr_op *, sfr_fallocate,                                                                 \
	  (sfr_loop * loop, int fd, int mode, uint64_t off, uint64_t len), 0)                      \
	X(sfr_op *, sfr_ftruncate, (sfr_loop * loop, int fd, uint64_t len), 0)                     \
	X(sfr_op *, sfr_unlinkat, (sfr_loop * loop, int dirfd, const char *path, int flags), 0)    \
	X(sfr_op *, sfr_renameat,                                                                  \
	  (sfr_loop * loop, int dirfd, const char *path, int new_dirfd, const char *new_path,      \
	   unsigned flags),                                                                        \
	  0)                                                                                       \
	X(sfr_op *, sfr_mkdirat, (sfr_loop * loop, int dirfd, const char *path, unsigned mode), 0) \
	X(sfr_op *, sfr_linkat,                                                                    \
	  (sfr_loop * loop, int dirfd, const char *path, int new_dirfd, const char *new_path,      \
	   int flags),                                                                             \
	  0)                                                                                       \
	X(sfr_op *, sfr_symlinkat,                                                                 \
	  (sfr_loop * loop, const char *target, int dirfd, const char *path), 0)                   \
	X(sfr_op *, sfr_work, (sfr_loop * loop, sfr_work_fn * fn, void *arg), 0)

#define SFR__BUF_GIVERS(X)                                                                         \
	X(sfr_buf *, sfr_buf_get, (sfr_loop *, size_t), 0)                                         \
	X(sfr_buf *, sfr_buf_from, (sfr_loop *, const void *, size_t), 0)                          \
	X(sfr_buf *, sfr_buf_share, (sfr_buf *), 0)                                                \
	X(sfr_buf *, sfr_pool_get, (sfr_pool *), 0)                                                \
	X(sfr_buf *, sfr_batch_take, (sfr_batch *, int), 0)                                        \
	X(sfr_buf *, sfr_buf_wrap, (sfr_loop *, void *, size_t, void (*)(void *, void *), void *), \
	  0)

#define SFR__OP_TAKERS(X)                                       \
	X(void, sfr_op_discard, (sfr_op *), 1)                  \
	X(int, sfr_batch_add, (sfr_batch *, sfr_op *), 2)       \
	X(int, sfr_batch_then, (sfr_batch *, int, sfr_op *), 3) \
	X(sfr_ticket, sfr_submit, (sfr_op *, sfr_done *, void *), 1)

#define SFR__BATCH_GIVERS(X) X(sfr_batch *, sfr_batch_new, (sfr_loop *), 0)
#define SFR__BATCH_TAKERS(X) X(void, sfr_batch_free, (sfr_batch *), 1)

SFR_BEGIN_DECLS

#if defined(SFR__LISTS_ONLY) /* of the library itself */
#elif defined(__clang__)

#define SFR__TAKES(type, name, params, at) \
	type name params __attribute__((ownership_takes(malloc, at)));
#define SFR__GIVES(type, name, params, at) \
	type name params __attribute__((ownership_returns(malloc), warn_unused_result));

SFR__BUF_TAKERS(SFR__TAKES)
SFR__OP_TAKERS(SFR__TAKES)
SFR__BATCH_TAKERS(SFR__TAKES)
SFR__BATCH_GIVERS(SFR__GIVES)
SFR__BUF_GIVERS(SFR__GIVES)
SFR__BUF_OPS(SFR__GIVES)
SFR__BARE_OPS(SFR__GIVES)
SFR__TAKES(int, sfr_await, (sfr_op *, sfr_buf **), 1)

#undef SFR__TAKES
#undef SFR__GIVES

#ifdef __clang_analyzer__

/*
 * The analyzer, and no compiler, reads the following. It takes a new buffer for memory of malloc(),
 * whose fields are garbage: it is shown values. And it takes a pointer that is handed to a function of
 * an installed header for forgotten: it is shown that the loop keeps it, or that it comes back.
 */
unsigned char *sfr__analyzer_data(void);
uint32_t sfr__analyzer_size(void);
extern void *sfr__analyzer_kept;

static inline sfr_buf *sfr__analyzer_fill(sfr_buf *buf)
{
	if (buf) {
		buf->data = sfr__analyzer_data();
		buf->len = sfr__analyzer_size();
		buf->cap = sfr__analyzer_size();
		buf->next = NULL;
	}
	return buf;
}

static inline void *sfr__analyzer_keep(void *arg)
{
	sfr__analyzer_kept = arg;
	return arg;
}

static inline sfr_op *sfr__analyzer_within(sfr_op *op, uint64_t ns)
{
	(void)sfr_within(op, ns);
	return op;
}

static inline sfr_op *sfr__analyzer_all(sfr_op *op)
{
	(void)sfr_all(op);
	return op;
}

static inline sfr_op *sfr__analyzer_into(sfr_op *op, int name)
{
	(void)sfr_into(op, name);
	return op;
}

static inline sfr_buf *sfr__analyzer_append(sfr_buf *head, sfr_buf *tail)
{
	sfr_buf *chain = sfr_buf_append(head, tail);

	return head ? head : chain;
}

#define sfr_buf_get(loop, min_cap) sfr__analyzer_fill(sfr_buf_get(loop, min_cap))
#define sfr_buf_from(loop, bytes, len) sfr__analyzer_fill(sfr_buf_from(loop, bytes, len))
#define sfr_buf_share(buf) sfr__analyzer_fill(sfr_buf_share(buf))
#define sfr_pool_get(pool) sfr__analyzer_fill(sfr_pool_get(pool))
#define sfr_buf_wrap(loop, mem, cap, on_release, arg)                                   \
	sfr__analyzer_fill(sfr_buf_wrap(loop, sfr__analyzer_keep(mem), cap, on_release, \
					sfr__analyzer_keep(arg)))
#define sfr_buf_append(head, tail) sfr__analyzer_append(head, tail)
#define sfr_within(op, ns) sfr__analyzer_within(op, ns)
#define sfr_all(op) sfr__analyzer_all(op)
#define sfr_into(op, name) sfr__analyzer_into(op, name)
#define sfr_submit(op, done, arg) sfr_submit(op, done, sfr__analyzer_keep(arg))
#define sfr_batch_take(batch, op) sfr__analyzer_fill(sfr_batch_take(batch, op))
#define sfr_batch_submit(batch, done, arg) \
	sfr_batch_submit((sfr_batch *)sfr__analyzer_keep(batch), done, sfr__analyzer_keep(arg))
#define sfr_copy_range(loop, fd_in, off_in, fd_out, off_out, len, done, arg) \
	sfr_copy_range(loop, fd_in, off_in, fd_out, off_out, len, done, sfr__analyzer_keep(arg))
#define sfr_replace_file(loop, dirfd, path, mode, buf, done, arg) \
	sfr_replace_file(loop, dirfd, path, mode, buf, done, sfr__analyzer_keep(arg))
#define sfr_read_file(loop, dirfd, path, buf, done, arg) \
	sfr_read_file(loop, dirfd, path, buf, done, sfr__analyzer_keep(arg))
#define sfr_send_close(loop, fd, buf, done, arg) \
	sfr_send_close(loop, fd, buf, done, sfr__analyzer_keep(arg))
#define sfr_conn_send_then(conn, buf, done, arg) \
	sfr_conn_send_then(conn, buf, done, sfr__analyzer_keep(arg))
#define sfr_conn_send_file(conn, fd, off, len, done, arg) \
	sfr_conn_send_file(conn, fd, off, len, done, sfr__analyzer_keep(arg))
#define sfr_conn_set_data(conn, data) sfr_conn_set_data(conn, sfr__analyzer_keep(data))

#endif

#elif defined(__GNUC__) && __GNUC__ >= 11

/* Declared again on purpose: an attribute can name a deallocator only after that one's declaration. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wredundant-decls"

#define SFR__FREED_BY(type, name, params, at) __attribute__((malloc(name, at)))
#define SFR__GIVES_BUF(type, name, params, at) \
	type name params SFR__BUF_TAKERS(SFR__FREED_BY) __attribute__((warn_unused_result));
#define SFR__GIVES_OP(type, name, params, at) \
	type name params SFR__OP_TAKERS(SFR__FREED_BY) __attribute__((warn_unused_result));
#define SFR__GIVES_BATCH(type, name, params, at) \
	type name params SFR__BATCH_TAKERS(SFR__FREED_BY) __attribute__((warn_unused_result));

SFR__BATCH_GIVERS(SFR__GIVES_BATCH)
SFR__BUF_GIVERS(SFR__GIVES_BUF)
SFR__BUF_OPS(SFR__GIVES_OP)
SFR__BARE_OPS(SFR__GIVES_OP)

#pragma GCC diagnostic pop

/* The analyzer takes the head of a chain for forgotten, as sfr_buf_append() is a deallocator, though of the
 * tail only. Once the address of `head` has escaped, the analyzer assumes that somebody may have kept it. A prefetch
 * is the cheapest way to let it escape: gcc 14 looks through an atomic load, and an asm does not count. */
static inline sfr_buf *sfr__head(sfr_buf *head)
{
	__builtin_prefetch(&head);
	return head;
}

#define sfr_buf_append(head, tail) sfr_buf_append(sfr__head(head), tail)

#undef SFR__FREED_BY
#undef SFR__GIVES_BUF
#undef SFR__GIVES_OP
#undef SFR__GIVES_BATCH

#endif

#ifndef SFR__LISTS_ONLY
#undef SFR__BUF_TAKERS
#undef SFR__BUF_OPS
#undef SFR__BUF_RECIPES
#undef SFR__BARE_OPS
#undef SFR__BUF_GIVERS
#undef SFR__OP_TAKERS
#undef SFR__BATCH_GIVERS
#undef SFR__BATCH_TAKERS
#endif

SFR_END_DECLS

#endif
