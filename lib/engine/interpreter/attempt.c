/* SPDX-License-Identifier: MIT */
/*
 * Attempt: from one call of the engine to results and completions.
 *
 * A buffer is taken out of its group only after bytes are in it, and a completion is written only
 * where there is room. So an attempt that comes to nothing changes nothing.
 */
#include "engine/interpreter/attempt.h"
#include "engine/interpreter/completion.h"
#include "engine/interpreter/tables.h"
#include "machine/kernel.h"
#include "sqe/language.h"
#include <errno.h>
#include <sys/socket.h>

/* How many completions one readiness may bring, before others have their turn. */
#define MANY 16

/* The buffer that is next in the request's group, which stays there until bytes are in it. */
static struct io_uring_buf *buf_pick(struct sfr__flight *flight, struct sfr__buf_group *group)
{
	struct io_uring_buf *buf;
	uint32_t limit = flight->request.sqe.opcode == IORING_OP_RECVMSG ? 0
									 : flight->request.sqe.len;

	if (!group || group->head == io_uring_smp_load_acquire(&group->ring->tail))
		return NULL;
	buf = &group->ring->bufs[group->head & (group->entries - 1)];
	flight->request.at = (unsigned char *)(uintptr_t)buf->addr;
	flight->request.len = limit && limit < buf->len ? limit : buf->len;
	return buf;
}

/* So many bytes are in it. What a group that is incremental has left of it stays the first, as in the kernel. */
static unsigned buf_use(struct sfr__buf_group *group, struct io_uring_buf *buf, uint32_t count)
{
	unsigned flags = IORING_CQE_F_BUFFER | (unsigned)buf->bid << IORING_CQE_BUFFER_SHIFT;

	if (group->incremental && count < buf->len) {
		buf->addr += count;
		buf->len -= count;
		return flags | SFR__CQE_F_BUF_MORE;
	}
	group->head++;
	return flags;
}

static int attempt_selecting(struct sfr__interpreter *interpreter, struct sfr__flight *flight)
{
	struct sfr__buf_group *group = sfr__tables_group(interpreter,
							 flight->request.sqe.buf_group);
	struct io_uring_buf *buf = buf_pick(flight, group);
	int r;

	if (!buf)
		return -ENOBUFS;
	r = interpreter->calls->attempt(interpreter, flight);
	if (r > 0)
		flight->flags = buf_use(group, buf, (uint32_t)r);
	return r;
}

int sfr__result_so_far(const struct sfr__flight *flight, int result)
{
	return flight->request.done ? (int)flight->request.done : result;
}

/* A short transfer means that the rest would block: no use in trying at once. */
static int attempt_whole(struct sfr__interpreter *interpreter, struct sfr__flight *flight)
{
	int r = interpreter->calls->attempt(interpreter, flight);

	if (r == SFR__NOT_YET)
		return r;
	if (r <= 0)
		return sfr__result_so_far(flight, r);
	flight->request.done += (uint32_t)r;
	if (flight->request.sqe.msg_flags & MSG_DONTWAIT || flight->request.no_more ||
	    flight->request.done == sfr__request_size(&flight->request))
		return (int)flight->request.done;
	return SFR__NOT_YET;
}

static int attempt_once(struct sfr__interpreter *interpreter, struct sfr__flight *flight)
{
	if (flight->request.sqe.flags & IOSQE_BUFFER_SELECT)
		return attempt_selecting(interpreter, flight);
	if (sfr__request_is_whole(&flight->request))
		return attempt_whole(interpreter, flight);
	return interpreter->calls->attempt(interpreter, flight);
}

/* Whether nothing more is to come. An empty datagram counts, as it does in the kernel. */
static bool is_last(const struct sfr__flight *flight, int result)
{
	switch (flight->request.sqe.opcode) {
	case IORING_OP_ACCEPT:
		return result < 0;
	case IORING_OP_RECVMSG:
		return result <= (int)sfr__request_front(&flight->request);
	default:
		return result <= 0;
	}
}

/*
 * Post what comes, each with F_MORE. Without room for a completion it waits, and loses nothing. A
 * buffer that a stream did not fill took the last bytes there were: asking for more would be in vain.
 */
static int attempt_many(struct sfr__interpreter *interpreter, struct sfr__flight *flight)
{
	bool is_stream = flight->request.sqe.opcode == IORING_OP_RECV;
	int count, r;

	for (count = 0; count < MANY; count++) {
		if (!sfr__cq_has_room(interpreter) || !sfr__list_empty(&interpreter->late))
			break;
		r = attempt_once(interpreter, flight);
		if (r == -ENOBUFS && count)
			break; /* whether there is more to receive is not known */
		if (is_last(flight, r))
			return r;
		sfr__cq_write(interpreter, flight, r, flight->flags | IORING_CQE_F_MORE);
		flight->flags = 0;
		if (is_stream && (uint32_t)r < flight->request.len)
			break;
	}
	return SFR__NOT_YET;
}

int sfr__attempt(struct sfr__interpreter *interpreter, struct sfr__flight *flight)
{
	return sfr__request_is_multishot(&flight->request) ? attempt_many(interpreter, flight)
							   : attempt_once(interpreter, flight);
}
