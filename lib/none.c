/* SPDX-License-Identifier: MIT */
/*
 * No engine: platforms without one.
 *
 * Everything compiles and links, and no loop can be made. All that wants a loop, a buffer or an op is
 * therefore never called with one; it is here so that programs link, and answers as if there were no
 * memory. This file stands for the whole of the loop and what is above it.
 */
#include "base/log.h"
#include "config/config.h"
#include "machine/probe.h"
#define SFR__LISTS_ONLY
#include <safer_ring/loop.h>
#include <safer_ring/ownership.h>
#include <errno.h>
#include <string.h>

#pragma GCC diagnostic ignored "-Wunused-parameter" /* nothing has anything to work on */

int sfr_loop_new(sfr_loop **out, const sfr_config *cfg)
{
	sfr__log(
		SFR_LOG_ERROR, SFR_LOG_ERROR,
		"no engine: this build of safer-ring has none for this platform; to run loops, use "
		"Linux and a build with -Dengine=auto");
	return -ENOSYS;
}

/* There is nothing to try. */
void sfr__probe_spare(bool spare)
{
}

void sfr__probe_machine(struct sfr__machine *machine)
{
}

void sfr_loop_stats_get(const sfr_loop *loop, sfr_loop_stats *out, size_t size)
{
	memset(out, 0, size);
}

void sfr_server_stats_get(const sfr_server *server, sfr_server_stats *out, size_t size)
{
	memset(out, 0, size);
}

void sfr_pool_stats(const sfr_pool *pool, sfr_pool_info *out)
{
	memset(out, 0, sizeof(*out));
}

/* X(type, name, parameters, answer) */
#define ANSWERING(X)                                                                               \
	X(int, sfr_loop_run, (sfr_loop * loop), -ENOSYS)                                           \
	X(int, sfr_loop_step, (sfr_loop * loop, int64_t timeout_ns), -ENOSYS)                      \
	X(int, sfr_loop_post, (sfr_loop * loop, void (*fn)(sfr_loop *, void *), void *arg),        \
	  -ENOSYS)                                                                                 \
	X(int, sfr_loop_drain, (sfr_loop * loop, int64_t timeout_ns), -ENOSYS)                     \
	X(int, sfr_loop_fd, (sfr_loop * loop), -ENOSYS)                                            \
	X(int64_t, sfr_loop_prepare, (sfr_loop * loop), -ENOSYS)                                   \
	X(int, sfr_loop_free, (sfr_loop * loop), 0)                                                \
	X(size_t, sfr_loop_inflight, (const sfr_loop *loop), 0)                                    \
	X(size_t, sfr_loop_orphans, (const sfr_loop *loop), 0)                                     \
	X(size_t, sfr_loop_orphan_list, (const sfr_loop *loop, sfr_orphan *out, size_t max), 0)    \
	X(uint64_t, sfr_loop_now, (const sfr_loop *loop), 0)                                       \
	X(bool, sfr_loop_is_draining, (const sfr_loop *loop), false)                               \
	X(void *, sfr_loop_data, (const sfr_loop *loop), NULL)                                     \
	X(const char *, sfr_loop_engine, (const sfr_loop *loop), "none")                           \
	X(const char *, sfr_loop_engine_reason, (const sfr_loop *loop), "")                        \
	X(const char *, sfr_loop_refusal, (const sfr_loop *loop), "")                              \
	X(void *, sfr_buf_access, (sfr_buf * buf), NULL)                                           \
	X(bool, sfr_buf_is_owned, (const sfr_buf *buf), false)                                     \
	X(sfr_buf *, sfr_buf_get, (sfr_loop * loop, size_t min_cap), NULL)                         \
	X(sfr_buf *, sfr_buf_share, (sfr_buf * buf), NULL)                                         \
	X(sfr_buf *, sfr_buf_append, (sfr_buf * head, sfr_buf * tail), head)                       \
	X(sfr_buf *, sfr_buf_from, (sfr_loop * loop, const void *bytes, size_t len), NULL)         \
	X(sfr_buf *, sfr_buf_wrap,                                                                 \
	  (sfr_loop * loop, void *mem, size_t cap, void (*on_release)(void *, void *), void *arg), \
	  NULL)                                                                                    \
	X(sfr_ticket, sfr_submit, (sfr_op * op, sfr_done * done, void *arg), 0)                    \
	X(int, sfr_cancel, (sfr_loop * loop, sfr_ticket ticket), -ENOSYS)                          \
	X(int, sfr_cancel_fd, (sfr_loop * loop, int fd), 0)                                        \
	X(int, sfr_abandon, (sfr_loop * loop, sfr_ticket ticket), -ENOSYS)                         \
	X(sfr_op *, sfr_within, (sfr_op * op, uint64_t ns), op)                                    \
	X(sfr_op *, sfr_all, (sfr_op * op), op)                                                    \
	X(sfr_op *, sfr_into, (sfr_op * op, int name), op)                                         \
	X(sfr_pool *, sfr_pool_new, (size_t count, size_t buf_size), NULL)                         \
	X(sfr_buf *, sfr_pool_get, (sfr_pool * pool), NULL)                                        \
	X(int, sfr_pool_free, (sfr_pool * pool), 0)                                                \
	X(int, sfr_files_register, (sfr_loop * loop, const int *fds, unsigned n, int *names_out),  \
	  -ENOSYS)                                                                                 \
	X(int, sfr_files_unregister, (sfr_loop * loop), -ENOSYS)                                   \
	X(int, sfr_buffers_register, (sfr_loop * loop, sfr_buf * *bufs, unsigned n), -ENOSYS)      \
	X(int, sfr_buffers_unregister, (sfr_loop * loop, sfr_buf * *out), -ENOSYS)                 \
	X(socklen_t, sfr_buf_peer, (const sfr_buf *buf, struct sockaddr_storage *out), 0)          \
	X(size_t, sfr_buf_cut, (const sfr_buf *buf), 0)                                            \
	X(sfr_batch *, sfr_batch_new, (sfr_loop * loop), NULL)                                     \
	X(int, sfr_batch_add, (sfr_batch * batch, sfr_op * op), -ENOMEM)                           \
	X(int, sfr_batch_after, (sfr_batch * batch, int op, int dependency), -ENOMEM)              \
	X(int, sfr_batch_after_any, (sfr_batch * batch, int op, int dependency), -ENOMEM)          \
	X(int, sfr_batch_then, (sfr_batch * batch, int previous, sfr_op *op), -ENOMEM)             \
	X(int, sfr_batch_fd, (const sfr_batch *batch, int op), -1)                                 \
	X(int, sfr_batch_within, (sfr_batch * batch, uint64_t ns), -ENOMEM)                        \
	X(int, sfr_batch_submit, (sfr_batch * batch, sfr_batch_done * done, void *arg), -ENOMEM)   \
	X(int, sfr_batch_await, (sfr_batch * batch), -ENOMEM)                                      \
	X(int, sfr_batch_result, (const sfr_batch *batch, int op, int *result), -ENOMEM)           \
	X(int, sfr_batch_error, (const sfr_batch *batch, int *op_out), -ENOMEM)                    \
	X(sfr_buf *, sfr_batch_take, (sfr_batch * batch, int op), NULL)                            \
	X(int, sfr_batch_plan, (const sfr_batch *batch, sfr_batch_plan_info *info), -ENOMEM)       \
	X(int, sfr_batch_cancel, (sfr_batch * batch), -ENOMEM)                                     \
	X(int, sfr_batch_reset, (sfr_batch * batch), -ENOMEM)                                      \
	X(sfr_batch *, sfr_copy_range,                                                             \
	  (sfr_loop * loop, int fd_in, uint64_t off_in, int fd_out, uint64_t off_out,              \
	   uint64_t len, sfr_copied *done, void *arg),                                             \
	  NULL)                                                                                    \
	X(sfr_batch *, sfr_replace_file,                                                           \
	  (sfr_loop * loop, int dirfd, const char *path, unsigned mode, sfr_buf *buf,              \
	   sfr_done *done, void *arg),                                                             \
	  NULL)                                                                                    \
	X(sfr_batch *, sfr_read_file,                                                              \
	  (sfr_loop * loop, int dirfd, const char *path, sfr_buf *buf, sfr_done *done, void *arg), \
	  NULL)                                                                                    \
	X(sfr_batch *, sfr_send_close,                                                             \
	  (sfr_loop * loop, int fd, sfr_buf *buf, sfr_done *done, void *arg), NULL)                \
	X(int, sfr_serve,                                                                          \
	  (sfr_loop * loop, const char *address, const sfr_handlers *handlers, void *arg,          \
	   sfr_server **out),                                                                      \
	  -ENOSYS)                                                                                 \
	X(int, sfr_serve_fd,                                                                       \
	  (sfr_loop * loop, int listening_fd, const sfr_handlers *handlers, void *arg,             \
	   sfr_server **out),                                                                      \
	  -ENOSYS)                                                                                 \
	X(int, sfr_serve_with,                                                                     \
	  (sfr_loop * loop, const char *address, const sfr_config *options,                        \
	   const sfr_handlers *handlers, void *arg, sfr_server **out),                             \
	  -ENOSYS)                                                                                 \
	X(int, sfr_dial_with,                                                                      \
	  (sfr_loop * loop, const char *address, const sfr_config *options,                        \
	   const sfr_handlers *handlers, void *arg, sfr_conn **out),                               \
	  -ENOSYS)                                                                                 \
	X(int, sfr_conn_adopt,                                                                     \
	  (sfr_loop * loop, int fd, const sfr_handlers *handlers, void *arg, sfr_conn **out),      \
	  -ENOSYS)                                                                                 \
	X(int, sfr_conn_fd, (const sfr_conn *conn), -ENOSYS)                                       \
	X(int, sfr_dial,                                                                           \
	  (sfr_loop * loop, const char *address, const sfr_handlers *handlers, void *arg,          \
	   sfr_conn **out),                                                                        \
	  -ENOSYS)                                                                                 \
	X(int, sfr_server_address, (const sfr_server *server, char *out, size_t size), -ENOSYS)    \
	X(size_t, sfr_server_conns, (const sfr_server *server), 0)                                 \
	X(int, sfr_conn_send, (sfr_conn * conn, sfr_buf * buf), -ENOSYS)                           \
	X(int, sfr_conn_send_then, (sfr_conn * conn, sfr_buf * buf, sfr_done * done, void *arg),   \
	  -ENOSYS)                                                                                 \
	X(int, sfr_conn_send_file,                                                                 \
	  (sfr_conn * conn, int fd, uint64_t off, uint64_t len, sfr_sent *done, void *arg),        \
	  -ENOSYS)                                                                                 \
	X(int, sfr_conn_peer, (const sfr_conn *conn, char *out, size_t size), -ENOSYS)             \
	X(int, sfr_conn_local, (const sfr_conn *conn, char *out, size_t size), -ENOSYS)            \
	X(bool, sfr_conn_is_full, (const sfr_conn *conn), false)                                   \
	X(size_t, sfr_conn_queued, (const sfr_conn *conn), 0)                                      \
	X(sfr_loop *, sfr_conn_loop, (const sfr_conn *conn), NULL)                                 \
	X(void *, sfr_conn_data, (const sfr_conn *conn), NULL)

#define SILENT(X)                                                                   \
	X(sfr_loop_stop, (sfr_loop * loop))                                         \
	X(sfr_loop_hold, (sfr_loop * loop))                                         \
	X(sfr_loop_unhold, (sfr_loop * loop))                                       \
	X(sfr_loop_set_data, (sfr_loop * loop, void *data))                         \
	X(sfr_loop_dump, (const sfr_loop *loop, FILE *out))                         \
	X(sfr_loop_on_msg, (sfr_loop * loop, sfr_msg_fn * fn, void *arg))           \
	X(sfr_buf_release, (sfr_buf * buf))                                         \
	X(sfr_op_discard, (sfr_op * op))                                            \
	X(sfr_batch_free, (sfr_batch * batch))                                      \
	X(sfr_server_stop, (sfr_server * server))                                   \
	X(sfr_server_each,                                                          \
	  (sfr_server * server, void (*fn)(sfr_conn * conn, void *arg), void *arg)) \
	X(sfr_server_close, (sfr_server * server))                                  \
	X(sfr_conn_shutdown, (sfr_conn * conn))                                     \
	X(sfr_conn_close, (sfr_conn * conn))                                        \
	X(sfr_conn_pause, (sfr_conn * conn))                                        \
	X(sfr_conn_hold, (sfr_conn * conn))                                         \
	X(sfr_conn_finish, (sfr_conn * conn, uint64_t linger_ns))                   \
	X(sfr_conn_reset, (sfr_conn * conn))                                        \
	X(sfr_conn_read_when_full, (sfr_conn * conn, bool reads))                   \
	X(sfr_conn_unhold, (sfr_conn * conn))                                       \
	X(sfr_conn_resume, (sfr_conn * conn))                                       \
	X(sfr_conn_set_data, (sfr_conn * conn, void *data))

#define ANSWER(type, name, parameters, answer) \
	type name parameters                   \
	{                                      \
		return answer;                 \
	}
#define BE_SILENT(name, parameters) \
	void name parameters        \
	{                           \
	}

#define NO_OP(type, name, parameters, at) ANSWER(type, name, parameters, NULL)

ANSWERING(ANSWER)
SFR__BUF_OPS(NO_OP)
SFR__BARE_OPS(NO_OP)
SILENT(BE_SILENT)

int sfr_await(sfr_op *op, sfr_buf **buf_out)
{
	if (buf_out)
		*buf_out = NULL;
	return -ENOMEM;
}
