/* SPDX-License-Identifier: MIT */
/*
 * A function for each public call: it makes the call with what a struct caller has, and returns how
 * that was answered.
 */
#define BASIC_STATS 0x7ffU /* linux/stat.h, which not every C library agrees with */
#include "calls.h"
#include "pending.h"
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Ones that cannot be mistaken for others: what is in it has not begun, and what runs waits. */
static void caller_init_batches(struct caller *caller)
{
	sfr_loop *loop = caller->loop;
	int idle, unused;

	pair_of_pipe_ends(&idle, &unused);
	caller->batch = sfr_batch_new(loop);
	sfr_batch_add(caller->batch, sfr_nop(loop));
	sfr_batch_then(caller->batch, 0, sfr_openat(loop, AT_FDCWD, "/dev/null", O_RDONLY, 0));
	caller->running = sfr_batch_new(loop);
	sfr_batch_add(caller->running, sfr_read(loop, idle, sfr_buf_get(loop, 64)));
	sfr_batch_then(caller->running, 0, sfr_nop(loop));
	ck_assert_int_eq(sfr_batch_submit(caller->running, NULL, NULL), 0);
}

void caller_init(struct caller *caller, sfr_loop *loop)
{
	int i;

	*caller = (struct caller){.loop = loop, .buf_count = COUNT_OF(caller->bufs)};
	caller->server = serve(loop, &echo_all, &here);
	caller->conn = dial(loop, caller->server, &note_all, &there);
	pair_of_pipe_ends(&caller->read_end, &caller->write_end);
	caller->ticket = sfr_submit(sfr_read(loop, caller->read_end, sfr_buf_get(loop, 64)), record,
				    &seen);
	caller->op = sfr_read(loop, caller->read_end, sfr_buf_get(loop, 64));
	for (i = 0; i < caller->buf_count; i++)
		caller->bufs[i] = sfr_buf_get(loop, i % 4 ? 64 : 100000); /* some of the heap */
	caller_init_batches(caller);
}

static void caller_check_batches(struct caller *caller)
{
	int result;

	ck_assert_int_eq(sfr_batch_result(caller->batch, 0, &result), -SFR_EPENDING);
	ck_assert_int_eq(sfr_batch_await(caller->batch), 0);
	ck_assert_int_eq(sfr_batch_result(caller->batch, 2, &result), -EINVAL);
	sfr_batch_free(caller->batch);
	ck_assert_int_eq(sfr_batch_result(caller->running, 0, &result), -SFR_EPENDING);
	ck_assert_int_eq(sfr_batch_cancel(caller->running), 0);
	ck_assert_int_eq(sfr_batch_await(caller->running), 2);
	sfr_batch_free(caller->running);
}

void caller_check(struct caller *caller)
{
	sfr_loop *loop = caller->loop;
	uint64_t before = there.bytes;

	turns_until(loop, there.opened == 1 && here.opened == 1);
	ck_assert_int_eq(conn_say(caller->conn, "hello", 5), 5);
	turns_until(loop, there.bytes >= before + 5);
	ck_assert_int_eq(seen.calls, 0);
	ck_assert_int_eq(write(caller->write_end, "abc", 3), 3);
	turn_until(loop, &seen.calls, 1);
	ck_assert_int_eq(seen.result, 3);
	sfr_submit(caller->op, record, &other);
	ck_assert_int_eq(write(caller->write_end, "defg", 4), 4);
	turn_until(loop, &other.calls, 1);
	ck_assert_int_eq(other.result, 4);
	caller_check_batches(caller);
	while (caller->buf_count)
		sfr_buf_release(caller->bufs[--caller->buf_count]);
	ck_assert_int_eq(there.closed + here.closed, 0);
	ck_assert_uint_eq(sfr_server_conns(caller->server), 1);
	ck_assert_ptr_null(sfr_conn_data(caller->conn));
}

/* What makes something. */
static int why_none(const void *made)
{
	return made ? 0 : errno;
}

static sfr_buf *buf_next(struct caller *caller)
{
	sfr_buf *buf = caller->bufs[--caller->buf_count];

	caller->bufs[caller->buf_count] = NULL;
	return buf;
}

#define IN caller->loop
#define FD caller->read_end
#define BUF buf_next(caller)

#define MAKES(name, ...)                                  \
	static int call_##name(struct caller *caller)     \
	{                                                 \
		errno = 0;                                \
		return why_none(sfr_##name(__VA_ARGS__)); \
	}
#define ANSWERS(name, ...)                            \
	static int call_##name(struct caller *caller) \
	{                                             \
		int r = (int)sfr_##name(__VA_ARGS__); \
                                                      \
		return r < 0 ? -r : 0;                \
	}
#define DOES(name, ...)                               \
	static int call_##name(struct caller *caller) \
	{                                             \
		sfr_##name(__VA_ARGS__);              \
		return 0;                             \
	}

/*
 * Operations.
 */

static const struct sockaddr_in somewhere = {.sin_family = AF_INET};
#define ADDRESS (const struct sockaddr *)&somewhere, sizeof(somewhere)

static int never(void *arg)
{
	(void)arg;
	return 0;
}

static const struct io_uring_sqe *raw_nop(void)
{
	static struct io_uring_sqe sqe;

	io_uring_prep_nop(&sqe);
	return &sqe;
}

/* A row for each operation. */
#define OPERATIONS(MAKES)                                                              \
	MAKES(nop, IN)                                                                 \
	MAKES(read, IN, FD, BUF)                                                       \
	MAKES(read_at, IN, FD, BUF, 0)                                                 \
	MAKES(write, IN, FD, BUF)                                                      \
	MAKES(write_at, IN, FD, BUF, 0)                                                \
	MAKES(recv, IN, FD, BUF)                                                       \
	MAKES(send, IN, FD, BUF)                                                       \
	MAKES(send_zc, IN, FD, BUF)                                                    \
	MAKES(accept, IN, FD)                                                          \
	MAKES(accept_multi, IN, FD)                                                    \
	MAKES(recv_multi, IN, FD)                                                      \
	MAKES(socket, IN, AF_INET, SOCK_STREAM, 0)                                     \
	MAKES(read_multi, IN, FD)                                                      \
	MAKES(connect, IN, FD, ADDRESS)                                                \
	MAKES(timeout, IN, 1)                                                          \
	MAKES(interval, IN, 1)                                                         \
	MAKES(poll, IN, FD, POLLIN)                                                    \
	MAKES(poll_multi, IN, FD, POLLIN)                                              \
	MAKES(shutdown, IN, FD, SHUT_RDWR)                                             \
	MAKES(close, IN, FD)                                                           \
	MAKES(sendto, IN, FD, BUF, ADDRESS)                                            \
	MAKES(recvfrom, IN, FD, BUF)                                                   \
	MAKES(recvfrom_multi, IN, FD)                                                  \
	MAKES(openat, IN, AT_FDCWD, "/dev/null", O_RDONLY, 0)                          \
	MAKES(statx, IN, AT_FDCWD, "/", 0, BASIC_STATS, BUF)                           \
	MAKES(fsync, IN, FD)                                                           \
	MAKES(fdatasync, IN, FD)                                                       \
	MAKES(fallocate, IN, FD, 0, 0, 1)                                              \
	MAKES(ftruncate, IN, FD, 0)                                                    \
	MAKES(unlinkat, IN, AT_FDCWD, "/nowhere/at/all", 0)                            \
	MAKES(renameat, IN, AT_FDCWD, "/nowhere/at/all", AT_FDCWD, "/nowhere/else", 0) \
	MAKES(mkdirat, IN, AT_FDCWD, "/nowhere/at/all", 0)                             \
	MAKES(linkat, IN, AT_FDCWD, "/nowhere/at/all", AT_FDCWD, "/nowhere/else", 0)   \
	MAKES(symlinkat, IN, "/nowhere/at/all", AT_FDCWD, "/nowhere/else")             \
	MAKES(splice, IN, FD, -1, FD, -1, 1, 0)                                        \
	MAKES(work, IN, never, NULL)                                                   \
	MAKES(signal, IN, SIGUSR2)                                                     \
	MAKES(waitid, IN, P_PID, 1, WEXITED, BUF)                                      \
	MAKES(msg, IN, caller->loop, 1)                                                \
	MAKES(raw, IN, raw_nop(), BUF)

OPERATIONS(MAKES)

static int call_submit(struct caller *caller)
{
	errno = 0;
	return sfr_submit(same(caller->op), NULL, NULL) ? 0 : errno;
}

static int call_await(struct caller *caller)
{
	sfr_buf *none = caller->bufs[0];
	int r = sfr_await(same(caller->op), &none);

	if (none)
		return EISNAM; /* it is the loop's thread's */
	return r < 0 ? -r : 0;
}

static int call_within(struct caller *caller)
{
	return sfr_within(caller->op, 1) == caller->op ? 0 : EISNAM;
}

static int call_all(struct caller *caller)
{
	return sfr_all(caller->op) == caller->op ? 0 : EISNAM;
}

static int call_into(struct caller *caller)
{
	return sfr_into(caller->op, -2) == caller->op ? 0 : EISNAM;
}

DOES(op_discard, same(caller->op))
ANSWERS(cancel, IN, caller->ticket)
ANSWERS(cancel_fd, IN, FD)
ANSWERS(abandon, IN, caller->ticket)

/*
 * Batches.
 */

static void not_yet(sfr_loop *loop, sfr_batch *batch, void *arg)
{
	(void)loop;
	(void)batch;
	(void)arg;
}

static int call_batch_result(struct caller *caller)
{
	int result;

	return -sfr_batch_result(caller->running, 0, &result);
}

/* It has no answer but a name that is none. */
static int call_batch_fd(struct caller *caller)
{
	return sfr_batch_fd(caller->batch, 1) < -1 || log_lines ? 0 : EBADF;
}

static int call_batch_plan(struct caller *caller)
{
	sfr_batch_plan_info info;

	return -sfr_batch_plan(caller->batch, &info);
}

static int call_batch_free(struct caller *caller)
{
	errno = 0;
	sfr_batch_free(same(caller->running));
	return errno;
}

MAKES(batch_new, IN)
ANSWERS(batch_add, caller->batch, same(caller->op))
ANSWERS(batch_after, caller->batch, 1, 0)
ANSWERS(batch_after_any, caller->batch, 0, 1)
ANSWERS(batch_then, caller->batch, 0, same(caller->op))
ANSWERS(batch_within, caller->batch, 1)
ANSWERS(batch_submit, caller->batch, not_yet, NULL)
ANSWERS(batch_await, caller->batch)
ANSWERS(batch_error, caller->running, NULL)
MAKES(batch_take, caller->running, 0)
ANSWERS(batch_cancel, caller->running)
ANSWERS(batch_reset, caller->batch)

static void not_copied(sfr_loop *loop, int64_t result, void *arg)
{
	(void)loop;
	(void)result;
	(void)arg;
}

MAKES(copy_range, IN, FD, 0, FD, 0, 1, not_copied, NULL)
MAKES(replace_file, IN, AT_FDCWD, "/nowhere/at/all", 0600, BUF, NULL, NULL)
MAKES(read_file, IN, AT_FDCWD, "/nowhere/at/all", BUF, NULL, NULL)
MAKES(send_close, IN, FD, BUF, NULL, NULL)

/*
 * Loops and buffers.
 */

static void ran(sfr_loop *loop, void *arg)
{
	struct caller *caller = arg;

	(void)loop;
	caller->posted++;
}

static int call_loop_new(struct caller *caller)
{
	sfr_config *config;
	sfr_loop *own;
	int r = sfr_config_new(&config, "default");

	if (r == 0) /* or the choice of another may have something to say of this machine */
		r = sfr_config_set(config, "engine", sfr_loop_engine(caller->loop), NULL);
	if (r == 0)
		r = sfr_loop_new(&own, config);
	sfr_config_free(config);
	if (r == 0)
		r = sfr_await(sfr_nop(own), NULL);
	if (r == 0)
		r = sfr_loop_free(own);
	return -r;
}

static int call_loop_stats_get(struct caller *caller)
{
	sfr_loop_stats stats = {.turns = 1};

	sfr_loop_stats_get(caller->loop, &stats, sizeof(stats));
	return stats.turns || stats.bufs_total ? EISNAM : 0;
}

static int call_loop_orphan_list(struct caller *caller)
{
	sfr_orphan orphan;

	(void)sfr_loop_orphan_list(caller->loop, &orphan, 1);
	return 0;
}

/* The line that says why there are no more is all that is written. */
static int call_loop_dump(struct caller *caller)
{
	char text[8192] = "";
	FILE *out = fmemopen(text, sizeof(text), "w");

	sfr_loop_dump(caller->loop, out);
	fclose(out);
	return strstr(text, "not shown") && !strchr(strchr(text, '\n') + 1, '\n') ? 0 : EISNAM;
}

ANSWERS(loop_run, IN)
ANSWERS(loop_step, IN, 0)
ANSWERS(loop_drain, IN, -1)
ANSWERS(loop_fd, IN)
ANSWERS(loop_prepare, IN)
ANSWERS(loop_free, IN)
ANSWERS(loop_post, IN, ran, caller)
DOES(loop_stop, IN)
DOES(loop_inflight, IN)
DOES(loop_orphans, IN)
DOES(loop_now, IN)
DOES(loop_hold, IN)
DOES(loop_unhold, IN)
DOES(loop_is_draining, IN)
DOES(loop_data, IN)
DOES(loop_set_data, IN, caller)
DOES(loop_engine, IN)
DOES(loop_engine_reason, IN)
DOES(loop_refusal, IN)
DOES(loop_on_msg, IN, NULL, NULL)

MAKES(buf_get, IN, 1)
MAKES(buf_from, IN, "x", 1)
MAKES(buf_wrap, IN, caller, sizeof(*caller), NULL, NULL)
MAKES(buf_share, caller->bufs[0])
MAKES(buf_access, caller->bufs[0])
DOES(buf_is_owned, caller->bufs[0])
DOES(buf_release, BUF)

static int call_buf_append(struct caller *caller)
{
	sfr_buf *head = BUF, *chain = sfr_buf_append(head, BUF);
	int r = chain->next ? 0 : EISNAM;

	sfr_buf_release(chain);
	return r;
}

static int call_buf_peer(struct caller *caller)
{
	struct sockaddr_storage addr;

	return (int)sfr_buf_peer(caller->bufs[0], &addr);
}

static int call_buf_cut(struct caller *caller)
{
	return (int)sfr_buf_cut(caller->bufs[0]);
}

static int call_files_register(struct caller *caller)
{
	int name;

	return -sfr_files_register(caller->loop, &caller->read_end, 1, &name);
}

ANSWERS(files_unregister, IN)
ANSWERS(buffers_register, IN, caller->bufs, 1)
ANSWERS(buffers_unregister, IN, NULL)

/* All that a pool can do. */
static int call_pool_free(struct caller *caller)
{
	sfr_pool *pool = sfr_pool_new(1, 64);
	sfr_buf *buf = sfr_pool_get(pool);
	sfr_pool_info info;

	(void)caller;
	sfr_pool_stats(pool, &info);
	sfr_buf_release(buf);
	return info.out == 1 ? -sfr_pool_free(pool) : EISNAM;
}

/*
 * Connections.
 */

static const sfr_handlers nothing;

ANSWERS(serve, IN, "tcp://127.0.0.1:0", &nothing, NULL, NULL)
ANSWERS(dial, IN, "tcp://127.0.0.1:1", &nothing, NULL, NULL)
ANSWERS(serve_with, IN, "tcp://127.0.0.1:0", NULL, &nothing, NULL, NULL)
ANSWERS(dial_with, IN, "tcp://127.0.0.1:1", NULL, &nothing, NULL, NULL)
ANSWERS(serve_fd, IN, FD, &nothing, NULL, NULL)
ANSWERS(conn_adopt, IN, FD, &nothing, NULL, NULL)
ANSWERS(conn_send, caller->conn, BUF)
ANSWERS(conn_send_then, caller->conn, BUF, record, &other)
ANSWERS(conn_send_file, caller->conn, FD, 0, 1, NULL, NULL)
DOES(conn_shutdown, caller->conn)
DOES(conn_close, caller->conn)
DOES(conn_pause, caller->conn)
DOES(conn_resume, caller->conn)
DOES(conn_hold, caller->conn)
DOES(conn_finish, caller->conn, 1)
DOES(conn_reset, caller->conn)
DOES(conn_read_when_full, caller->conn, true)
DOES(conn_is_full, caller->conn)
DOES(conn_unhold, caller->conn)
DOES(conn_set_data, caller->conn, caller)
DOES(conn_data, caller->conn)
DOES(conn_queued, caller->conn)
DOES(server_close, caller->server)
DOES(server_stop, caller->server)
DOES(server_conns, caller->server)

static int call_conn_fd(struct caller *caller)
{
	int r = sfr_conn_fd(caller->conn);

	return r < 0 ? -r : 0;
}

static int call_conn_loop(struct caller *caller)
{
	return sfr_conn_loop(caller->conn) ? 0 : ENOENT;
}

static int call_conn_peer(struct caller *caller)
{
	char text[64];

	int r = sfr_conn_peer(caller->conn, text, sizeof(text));

	return r < 0 ? -r : 0;
}

static int call_conn_local(struct caller *caller)
{
	char text[64];

	int r = sfr_conn_local(caller->conn, text, sizeof(text));

	return r < 0 ? -r : 0;
}

static void visit_nobody(sfr_conn *conn, void *arg)
{
	(void)conn;
	(void)arg;
}

DOES(server_each, caller->server, visit_nobody, NULL)

static int call_server_stats_get(struct caller *caller)
{
	sfr_server_stats stats;

	sfr_server_stats_get(caller->server, &stats, sizeof(stats));
	return 0;
}

static int call_server_address(struct caller *caller)
{
	char text[64];

	int r = sfr_server_address(caller->server, text, sizeof(text));

	return r < 0 ? -r : 0;
}

#define ROW(kind, name)                                \
	{                                              \
		"sfr_" #name, CALL_##kind, call_##name \
	}

#define REFUSED_ROW(name, ...) ROW(REFUSED, name),

const struct call calls[] = {ROW(REFUSED, submit),
			     ROW(REFUSED, await),
			     ROW(SILENT, within),
			     ROW(SILENT, all),
			     ROW(SILENT, into),
			     ROW(SILENT, op_discard),
			     ROW(REFUSED, cancel),
			     ROW(REFUSED, cancel_fd),
			     ROW(REFUSED, abandon),
			     ROW(REFUSED, batch_new),
			     ROW(REFUSED, batch_add),
			     ROW(REFUSED, batch_after),
			     ROW(REFUSED, batch_after_any),
			     ROW(REFUSED, batch_then),
			     ROW(SILENT, batch_fd),
			     ROW(REFUSED, batch_within),
			     ROW(REFUSED, batch_submit),
			     ROW(REFUSED, batch_await),
			     ROW(REFUSED, batch_result),
			     ROW(REFUSED, batch_error),
			     ROW(REFUSED, batch_take),
			     ROW(REFUSED, batch_plan),
			     ROW(REFUSED, batch_cancel),
			     ROW(REFUSED, batch_reset),
			     ROW(REFUSED, batch_free),
			     ROW(REFUSED, copy_range),
			     ROW(REFUSED, replace_file),
			     ROW(REFUSED, read_file),
			     ROW(REFUSED, send_close),
			     ROW(OPEN, loop_new),
			     ROW(RUNS, loop_run),
			     ROW(RUNS, loop_step),
			     ROW(RUNS, loop_drain),
			     ROW(REFUSED, loop_fd),
			     ROW(RUNS, loop_prepare),
			     ROW(FREES, loop_free),
			     ROW(POSTS, loop_post),
			     ROW(OPEN, loop_stop),
			     ROW(SILENT, loop_stats_get),
			     ROW(OPEN, loop_dump),
			     ROW(READS, loop_inflight),
			     ROW(READS, loop_orphans),
			     ROW(READS, loop_orphan_list),
			     ROW(READS, loop_now),
			     ROW(SILENT, loop_hold),
			     ROW(SILENT, loop_unhold),
			     ROW(READS, loop_is_draining),
			     ROW(READS, loop_data),
			     ROW(SILENT, loop_set_data),
			     ROW(OPEN, loop_engine),
			     ROW(OPEN, loop_engine_reason),
			     ROW(READS, loop_refusal),
			     ROW(SILENT, loop_on_msg),
			     ROW(REFUSED, buf_get),
			     ROW(REFUSED, buf_from),
			     ROW(REFUSED, buf_wrap),
			     ROW(REFUSED, buf_share),
			     ROW(OPEN, buf_append),
			     ROW(OPEN, buf_access),
			     ROW(OPEN, buf_is_owned),
			     ROW(OPEN, buf_release),
			     ROW(OPEN, buf_peer),
			     ROW(OPEN, buf_cut),
			     ROW(REFUSED, files_register),
			     ROW(REFUSED, files_unregister),
			     ROW(REFUSED, buffers_register),
			     ROW(REFUSED, buffers_unregister),
			     {"sfr_pool_new", CALL_OPEN, call_pool_free},
			     {"sfr_pool_get", CALL_OPEN, call_pool_free},
			     {"sfr_pool_stats", CALL_OPEN, call_pool_free},
			     ROW(OPEN, pool_free),
			     ROW(REFUSED, serve),
			     ROW(REFUSED, dial),
			     ROW(REFUSED, serve_with),
			     ROW(REFUSED, dial_with),
			     ROW(REFUSED, serve_fd),
			     ROW(REFUSED, conn_adopt),
			     ROW(REFUSED, conn_send),
			     ROW(REFUSED, conn_send_then),
			     ROW(REFUSED, conn_send_file),
			     ROW(SILENT, conn_shutdown),
			     ROW(SILENT, conn_close),
			     ROW(SILENT, conn_pause),
			     ROW(SILENT, conn_resume),
			     ROW(SILENT, conn_hold),
			     ROW(SILENT, conn_finish),
			     ROW(SILENT, conn_reset),
			     ROW(SILENT, conn_read_when_full),
			     ROW(SILENT, conn_is_full),
			     ROW(SILENT, conn_unhold),
			     ROW(SILENT, conn_set_data),
			     ROW(SILENT, conn_data),
			     ROW(SILENT, conn_queued),
			     ROW(OPEN, conn_loop),
			     ROW(REFUSED, conn_fd),
			     ROW(REFUSED, conn_peer),
			     ROW(REFUSED, conn_local),
			     ROW(SILENT, server_stop),
			     ROW(SILENT, server_close),
			     ROW(SILENT, server_each),
			     ROW(SILENT, server_stats_get),
			     ROW(SILENT, server_conns),
			     ROW(REFUSED, server_address),
			     OPERATIONS(REFUSED_ROW)};

const int calls_count = sizeof(calls) / sizeof(calls[0]);

/* What is to be answered; and whether the log hears of it. */
static bool call_is_refused(enum call_kind kind, int err)
{
	switch (kind) {
	case CALL_REFUSED:
	case CALL_SILENT:
	case CALL_RUNS:
		return true;
	case CALL_POSTS:
	case CALL_FREES:
		return err == SFR_EFORKED;
	case CALL_OPEN:
	case CALL_READS:
		return false;
	}
	return false;
}

const char *call_check(const struct call *call, struct caller *caller, int err)
{
	static char wrong[128];
	bool refused = call_is_refused(call->kind, err);
	int expected = refused && call->kind != CALL_SILENT ? err : 0, answer;
	const char *said = err == SFR_EFORKED ? "in a forked child" : "not the loop's";

	log_listen();
	answer = call->run(caller);
	if (answer != expected)
		snprintf(wrong, sizeof(wrong), "answers %s (%d)", sfr_errname(answer), answer);
	else if (refused && (log_lines != 1 || !strstr(log_line, said)))
		snprintf(wrong, sizeof(wrong), "logs %d lines, the last: %.80s", log_lines,
			 log_line);
	else if (!refused && log_lines)
		snprintf(wrong, sizeof(wrong), "logs: %.80s", log_line);
	else
		return NULL;
	return wrong;
}
