/*
 * Builders: what each op asks of the engine.
 *
 * A builder never refuses. What is wrong already is kept as the op's result, and submitting such an op
 * leads straight to its callback.
 */
#include "op.h"
#include "fixed.h"
#include <safer_ring/error.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define FILE_POSITION ((uint64_t)-1) /* use and move the file's own position */

sfr_op *sfr__op_new(sfr_loop *loop, enum sfr__op_kind kind, bool with_buf)
{
	sfr_op *op = sfr__op_take(&loop->ops, with_buf);

	if (!op)
		return NULL;
	op->loop = loop;
	op->kind = (uint8_t)kind;
	return op;
}

/*
 * An op that takes the caller's buffer. A buffer that was not the caller's to give stays where it is. One
 * of another loop has no slot set aside here: without memory for one it is dropped.
 */
sfr_op *sfr__op_new_with(sfr_loop *loop, enum sfr__op_kind kind, sfr_buf *buf)
{
	int r = buf ? sfr__buf_give(loop->pool, buf) : -SFR_EPOOLEMPTY;
	bool taken = buf && r != -SFR_EINFLIGHT;
	sfr_op *op = sfr__op_new(loop, kind, taken && sfr__buf(buf)->pool == loop->pool);

	if (op) {
		op->result = r;
		op->buf = taken ? buf : NULL;
	} else if (taken) {
		sfr__buf_drop(buf);
	}
	return op;
}

/* The same for ops that fill it: there must be room. */
static sfr_op *op_new_into(sfr_loop *loop, enum sfr__op_kind kind, sfr_buf *buf)
{
	sfr_op *op = sfr__op_new_with(loop, kind, buf);

	if (op && op->result == 0 && !sfr__buf_room(buf))
		op->result = -EINVAL;
	return op;
}

sfr_op *sfr_nop(sfr_loop *loop)
{
	sfr_op *op = sfr__op_new(loop, SFR__OP_NOP, false);

	if (!op)
		return NULL;
	io_uring_prep_nop(&op->sqe);
	return op;
}

sfr_op *sfr_read(sfr_loop *loop, int fd, sfr_buf *buf)
{
	return sfr_read_at(loop, fd, buf, FILE_POSITION);
}

sfr_op *sfr_read_at(sfr_loop *loop, int fd, sfr_buf *buf, uint64_t off)
{
	sfr_op *op = op_new_into(loop, SFR__OP_READ, buf);

	if (!sfr__op_sound(op))
		return op;
	io_uring_prep_read(&op->sqe, fd, sfr__buf_data(buf), sfr__buf_room(buf), off);
	sfr__fixed_apply(loop, &op->sqe, buf);
	return op;
}

sfr_op *sfr_write(sfr_loop *loop, int fd, sfr_buf *buf)
{
	return sfr_write_at(loop, fd, buf, FILE_POSITION);
}

sfr_op *sfr_write_at(sfr_loop *loop, int fd, sfr_buf *buf, uint64_t off)
{
	sfr_op *op = sfr__op_new_with(loop, SFR__OP_WRITE, buf);

	if (!sfr__op_sound(op))
		return op;
	io_uring_prep_write(&op->sqe, fd, sfr__buf_data(buf), sfr__buf_len(buf), off);
	sfr__fixed_apply(loop, &op->sqe, buf);
	return op;
}

sfr_op *sfr_recv(sfr_loop *loop, int fd, sfr_buf *buf)
{
	sfr_op *op = op_new_into(loop, SFR__OP_RECV, buf);

	if (!sfr__op_sound(op))
		return op;
	io_uring_prep_recv(&op->sqe, fd, sfr__buf_data(buf), sfr__buf_room(buf), 0);
	return op;
}

sfr_op *sfr_send(sfr_loop *loop, int fd, sfr_buf *buf)
{
	sfr_op *op = sfr__op_new_with(loop, SFR__OP_SEND, buf);

	if (!sfr__op_sound(op))
		return op;
	io_uring_prep_send(&op->sqe, fd, sfr__buf_data(buf), sfr__buf_len(buf), MSG_NOSIGNAL);
	return op;
}

sfr_op *sfr__op_send_chain(sfr_loop *loop, int fd, sfr_buf *chain)
{
	const int flags = MSG_NOSIGNAL | MSG_WAITALL;
	struct sfr__gather *gather = NULL;
	sfr_op *op;

	if (chain->next) {
		gather = sfr__gather_take(&loop->gathers, &loop->stats.heap_allocs);
		if (!gather)
			return NULL;
	}
	op = sfr__op_new(loop, SFR__OP_SEND, true);
	op->buf = chain;
	op->buf_role = SFR__BUF_QUEUED;
	if (gather) {
		sfr__gather_fill(gather, chain);
		io_uring_prep_sendmsg(&op->sqe, fd, &gather->msg, (unsigned)flags);
	} else {
		io_uring_prep_send(&op->sqe, fd, sfr__buf_data(chain), sfr__buf_len(chain), flags);
	}
	return op;
}

sfr_op *sfr_accept(sfr_loop *loop, int fd)
{
	sfr_op *op = sfr__op_new(loop, SFR__OP_ACCEPT, false);

	if (!op)
		return NULL;
	io_uring_prep_accept(&op->sqe, fd, NULL, NULL, SOCK_CLOEXEC);
	return op;
}

sfr_op *sfr_accept_multi(sfr_loop *loop, int fd)
{
	sfr_op *op = sfr__op_new(loop, SFR__OP_ACCEPT_MULTI, false);

	if (!op)
		return NULL;
	if (sfr__has(loop->engine->features, SFR__FEATURE_ACCEPT_MULTI))
		io_uring_prep_multishot_accept(&op->sqe, fd, NULL, NULL, SOCK_CLOEXEC);
	else
		io_uring_prep_accept(&op->sqe, fd, NULL, NULL, SOCK_CLOEXEC);
	return op;
}

static uint32_t recv_ring_capacity(const struct sfr__settings *settings)
{
	uint32_t half = settings->buffers.count / 2;

	if (settings->buffers.receive)
		return settings->buffers.receive;
	return half > 256 ? 256 : half ? half : 1;
}

sfr_op *sfr_recv_multi(sfr_loop *loop, int fd)
{
	sfr_op *op = sfr__op_new(loop, SFR__OP_RECV_MULTI, false);

	if (!op)
		return NULL;
	if (!sfr__has(loop->engine->features, SFR__FEATURE_BUFFER_RINGS)) {
		sfr__op_poll_to_receive(op, fd);
		return op;
	}
	op->result = sfr__recv_ring_open(&loop->recv, loop->engine,
					 recv_ring_capacity(&loop->settings));
	if (sfr__has(loop->engine->features, SFR__FEATURE_RECV_MULTI))
		io_uring_prep_recv_multishot(&op->sqe, fd, NULL, 0, 0);
	else
		io_uring_prep_recv(&op->sqe, fd, NULL, 0, 0);
	op->sqe.flags |= IOSQE_BUFFER_SELECT;
	op->sqe.buf_group = SFR__RECV_GROUP;
	return op;
}

sfr_op *sfr_connect(sfr_loop *loop, int fd, const struct sockaddr *addr, socklen_t size)
{
	sfr_op *op = sfr__op_new(loop, SFR__OP_CONNECT, false);
	struct sockaddr_storage *copy;

	if (!op)
		return NULL;
	if (!addr || size > sizeof(*copy)) {
		op->result = -EINVAL;
		return op;
	}
	copy = calloc(1, sizeof(*copy));
	if (!copy) {
		op->result = -ENOMEM;
		return op;
	}
	memcpy(copy, addr, size);
	op->flags |= SFR__OP_COPIES;
	io_uring_prep_connect(&op->sqe, fd, (struct sockaddr *)copy, size);
	return op;
}

static sfr_op *op_new_timer(sfr_loop *loop, enum sfr__op_kind kind, uint64_t ns)
{
	sfr_op *op = sfr__op_new(loop, kind, false);

	if (op)
		op->time.ns = ns;
	return op;
}

sfr_op *sfr_timeout(sfr_loop *loop, uint64_t ns)
{
	return op_new_timer(loop, SFR__OP_TIMEOUT, ns);
}

sfr_op *sfr_interval(sfr_loop *loop, uint64_t ns)
{
	return op_new_timer(loop, SFR__OP_INTERVAL, ns ? ns : 1);
}

sfr_op *sfr_poll(sfr_loop *loop, int fd, unsigned events)
{
	sfr_op *op = sfr__op_new(loop, SFR__OP_POLL, false);

	if (!op)
		return NULL;
	io_uring_prep_poll_add(&op->sqe, fd, events);
	return op;
}

sfr_op *sfr_shutdown(sfr_loop *loop, int fd, int how)
{
	sfr_op *op = sfr__op_new(loop, SFR__OP_SHUTDOWN, false);

	if (!op)
		return NULL;
	io_uring_prep_shutdown(&op->sqe, fd, how);
	return op;
}

sfr_op *sfr_close(sfr_loop *loop, int fd)
{
	sfr_op *op = sfr__op_new(loop, SFR__OP_CLOSE, false);

	if (!op)
		return NULL;
	io_uring_prep_close(&op->sqe, fd);
	return op;
}
