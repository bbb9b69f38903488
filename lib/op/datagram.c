/* SPDX-License-Identifier: MIT */
/*
 * Datagrams: the header in front of the bytes written and read, and the ops that receive and send.
 *
 * The caller may have written over the header since. It is copied out before anything in it is
 * used, and lengths in it are checked.
 */
#include "op/datagram.h"
#include "base/log.h"
#include "op/build.h"
#include "op/end.h"
#include "op/gathered.h"
#include "op/kind.h"
#include "sqe/fd_kind.h"
#include <safer_ring/datagram.h>
#include <errno.h>
#include <poll.h>
#include <string.h>

#define PEER_MAX 128   /* bytes of the longest address */
#define OTHERS_MAX 112 /* for IP_PKTINFO, IPV6_PKTINFO and UDP_GRO, and 16 to spare */
#define CUT_UNKNOWN UINT32_MAX

/* What a buffer with a datagram begins with. The kernel's header is as large. */
struct head {
	uint32_t peer_len; /* 0: the peer has no address */
	uint32_t others_len;
	uint32_t cut; /* bytes that did not fit, or CUT_UNKNOWN */
	uint32_t flags;
};

_Static_assert(sizeof(struct head) == sizeof(struct io_uring_recvmsg_out) &&
		       SFR_PEER_ROOM == sizeof(struct head) + PEER_MAX + OTHERS_MAX,
	       "the room for a peer is laid out as the kernel does it");
_Static_assert(sizeof(struct sockaddr_storage) == PEER_MAX, "no address is longer");

static unsigned char *peer_at(const struct sfr__buf *b)
{
	return b->base + sizeof(struct head);
}

/* A program may have written to it since: it is copied, and nothing in it is relied on. */
static struct head head_of(const struct sfr__buf *b)
{
	struct head head;

	memcpy(&head, b->base, sizeof(head));
	return head;
}

/* Of a datagram of `size` bytes there was room for `room`. The kernel says how long the address would have been.
 * Returns how many bytes are there. */
static uint32_t head_write(struct sfr__buf *b, uint32_t namelen, uint32_t size, uint32_t room,
			   uint32_t flags)
{
	struct head head = {.peer_len = namelen < PEER_MAX ? namelen : PEER_MAX, .flags = flags};

	head.cut = size > room ? size - room : flags & MSG_TRUNC ? CUT_UNKNOWN : 0;
	memcpy(b->base, &head, sizeof(head));
	b->datagram = 1;
	return size < room ? size : room;
}

static int without_room(const sfr_loop *loop, uint32_t size)
{
	sfr__log(loop->settings.log.level, SFR_LOG_WARN,
		 "a datagram needs a buffer of more than %d bytes, for its sender's address: this "
		 "one has %u (buffers.size)",
		 SFR_PEER_ROOM, size);
	return -EINVAL;
}

int sfr__datagrams_check(const sfr_loop *loop, int fd)
{
	int type = sfr__socket_option(loop->engine->system, fd, SO_TYPE);

	if (loop->pool->slab.block_size <= SFR_PEER_ROOM)
		return without_room(loop, loop->pool->slab.block_size);
	if (type == -ENOTSOCK)
		return type; /* which who polls it would not be told; the engine says all else */
	/* The end of a connection could not be told from an empty datagram. */
	return type == SOCK_STREAM || type == SOCK_SEQPACKET ? -EPROTOTYPE : 0;
}

bool sfr__datagrams_ended(const sfr_loop *loop, int fd)
{
	const struct sfr__system *system = loop->engine->system;
	int events = fd < 0 ? -EBADF : system->fd_poll(system, fd, POLLRDHUP);

	return events > 0 && events & POLLRDHUP;
}

bool sfr__recvfrom_ended(const sfr_op *op)
{
	return sfr__fd_is_name(op->sqe.fd) ? !sfr__op_gather_of(op)->msg.msg_namelen
					   : sfr__datagrams_ended(op->loop, op->sqe.fd);
}

int sfr__recvfrom_prepare(sfr_op *op, int fd, unsigned flags)
{
	const struct sfr__buf *b = sfr__buf(op->buf);
	uint32_t at = b->given_at > SFR_PEER_ROOM ? b->given_at : SFR_PEER_ROOM;
	uint32_t room = b->size - at;
	struct sfr__gather *gather = sfr__gather_take(&op->loop->gathers, 1,
						      &op->loop->stats.heap_allocs);

	if (!gather)
		return -ENOMEM;
	op->flags |= SFR__OP_GATHERED;
	gather->vectors[0].iov_base = b->base + at;
	gather->vectors[0].iov_len = b->view.cap < room ? b->view.cap : room;
	gather->msg = (struct msghdr){.msg_name = peer_at(b),
				      .msg_namelen = PEER_MAX,
				      .msg_iov = gather->vectors,
				      .msg_iovlen = 1};
	io_uring_prep_recvmsg(&op->sqe, fd, &gather->msg, flags);
	return 0;
}

int sfr__recvfrom_arrived(sfr_op *op, sfr_buf *buf, int size)
{
	struct sfr__gather *gather = sfr__op_gather_of(op);
	struct sfr__buf *b = sfr__buf(buf);
	const struct iovec *room = &gather->vectors[0];

	b->given_at = (uint32_t)((unsigned char *)room->iov_base - b->base);
	size = (int)head_write(b, gather->msg.msg_namelen, (uint32_t)size, (uint32_t)room->iov_len,
			       (uint32_t)gather->msg.msg_flags);
	op->flags &= (uint16_t)~SFR__OP_GATHERED;
	sfr__gather_give(&op->loop->gathers, gather);
	return size;
}

void sfr__recvfrom_complete(sfr_op *op, int result, unsigned flags)
{
	(void)flags;
	if (result >= 0)
		result = sfr__recvfrom_arrived(op, op->buf, result);
	sfr__op_finish(op, result);
}

void sfr__recvfrom_multi_prepare(sfr_op *op, int fd)
{
	/* All that the kernel wants to know, and nothing that it writes to. */
	static struct msghdr layout = {.msg_namelen = PEER_MAX + OTHERS_MAX};

	io_uring_prep_recvmsg_multishot(&op->sqe, fd, &layout, (int)sfr__recvfrom_length_flag(fd));
}

int sfr__datagram_unwrap(sfr_buf *buf)
{
	struct sfr__buf *b = sfr__buf(buf);
	struct io_uring_recvmsg_out out;

	sfr__invariant(buf->len >= SFR_PEER_ROOM);
	memcpy(&out, b->base, sizeof(out));
	buf->data += SFR_PEER_ROOM;
	buf->len -= SFR_PEER_ROOM;
	(void)head_write(b, out.namelen, out.payloadlen, buf->len, out.flags);
	return (int)buf->len;
}

/*
 * The public calls.
 */

socklen_t sfr_buf_peer(const sfr_buf *buf, struct sockaddr_storage *out)
{
	const struct sfr__buf *b = sfr__buf(buf);
	struct head head;

	if (!sfr_buf_is_owned(buf) || !b->datagram)
		return 0;
	head = head_of(b);
	if (head.peer_len > PEER_MAX) /* it was written over */
		return 0;
	*out = (struct sockaddr_storage){0};
	memcpy(out, peer_at(b), head.peer_len);
	return head.peer_len;
}

size_t sfr_buf_cut(const sfr_buf *buf)
{
	const struct sfr__buf *b = sfr__buf(buf);
	uint32_t cut = sfr_buf_is_owned(buf) && b->datagram ? head_of(b).cut : 0;

	return cut == CUT_UNKNOWN ? SIZE_MAX : cut;
}

sfr_op *sfr_recvfrom(sfr_loop *loop, int fd, sfr_buf *buf)
{
	sfr_op *op = sfr__op_new_into(loop, SFR__OP_RECVFROM, buf, 1);
	int type;

	if (!sfr__op_sound(op))
		return op;
	type = sfr__socket_option(loop->engine->system, fd, SO_TYPE);
	op->result = sfr__buf(buf)->size <= SFR_PEER_ROOM
			     ? without_room(loop, sfr__buf(buf)->size)
			     : sfr__recvfrom_prepare(
				       op, fd, type < 0 || type == SOCK_STREAM ? 0 : MSG_TRUNC);
	return op;
}

/* Of a chain, all parts are one datagram. */
sfr_op *sfr_sendto(sfr_loop *loop, int fd, sfr_buf *buf, const struct sockaddr *addr,
		   socklen_t size)
{
	sfr_op *op = sfr__op_new_with(loop, SFR__OP_SENDTO, buf);
	struct sfr__gather *gather;
	size_t parts;

	if (!sfr__op_sound(op))
		return op;
	if (size > PEER_MAX || (size && !addr)) {
		op->result = -EINVAL;
		return op;
	}
	sfr__op_gather_send(op, fd, sfr__send_flags(loop));
	if (op->result < 0)
		return op;
	gather = sfr__op_gather_of(op);
	(void)sfr__chain_measure(buf, &parts);
	if (parts > gather->capacity) {
		op->result = -EMSGSIZE;
		return op;
	}
	if (size) {
		memcpy(&gather->name, addr, size);
		gather->msg.msg_name = &gather->name;
		gather->msg.msg_namelen = size;
	}
	return op;
}
