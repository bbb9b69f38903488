#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* POLLRDHUP */
#endif
#include "op_datagram.h"
#include "log.h"
#include "op_gather.h"
#include "socket_type.h"
#include <safer_ring/datagram.h>
#include <errno.h>
#include <poll.h>
#include <string.h>

#define PEER_MAX 128 /* bytes of the longest address */

_Static_assert(SFR_PEER_ROOM == sizeof(struct io_uring_recvmsg_out) + PEER_MAX,
	       "the room for a peer is laid out as the kernel does it");
_Static_assert(sizeof(struct sockaddr_storage) == PEER_MAX, "no address is longer");

static unsigned char *peer_at(const struct sfr__buf *b)
{
	return b->base + sizeof(struct io_uring_recvmsg_out);
}

/* The kernel says how long the address would have been. */
static uint8_t peer_len(uint32_t said)
{
	return said < PEER_MAX ? (uint8_t)said : PEER_MAX;
}

static int without_room(const sfr_loop *loop, uint32_t size)
{
	sfr__log((enum sfr_log_level)loop->settings.log.level, SFR_LOG_WARN,
		 "a datagram needs a buffer of more than %d bytes, for its sender's address: this "
		 "one has %u (buffers.size)",
		 SFR_PEER_ROOM, size);
	return -EINVAL;
}

int sfr__datagrams_check(const sfr_loop *loop, int fd)
{
	int type = sfr__socket_type(fd);

	if (loop->pool->slab.block_size <= SFR_PEER_ROOM)
		return without_room(loop, loop->pool->slab.block_size);
	if (type == -ENOTSOCK)
		return type; /* which who polls it would not be told; the engine says all else */
	/* The end of a connection could not be told from an empty datagram. */
	return type == SOCK_STREAM || type == SOCK_SEQPACKET ? -EPROTOTYPE : 0;
}

bool sfr__datagrams_ended(int fd)
{
	struct pollfd pollfd = {.fd = fd, .events = POLLRDHUP};

	return fd >= 0 && poll(&pollfd, 1, 0) > 0 && pollfd.revents & POLLRDHUP;
}

bool sfr__recvfrom_ended(const sfr_op *op)
{
	return sfr__fd_is_fixed(op->sqe.fd) ? !sfr__op_gather_of(op)->msg.msg_namelen
					    : sfr__datagrams_ended(op->sqe.fd);
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

void sfr__recvfrom_arrived(sfr_op *op, sfr_buf *buf)
{
	struct sfr__gather *gather = sfr__op_gather_of(op);
	struct sfr__buf *b = sfr__buf(buf);

	b->peer_len = peer_len(gather->msg.msg_namelen);
	b->given_at = (uint32_t)((unsigned char *)gather->vectors[0].iov_base - b->base);
	op->flags &= (uint16_t)~SFR__OP_GATHERED;
	sfr__gather_give(&op->loop->gathers, gather);
}

void sfr__recvfrom_complete(sfr_op *op, int result)
{
	if (result >= 0)
		sfr__recvfrom_arrived(op, op->buf);
	sfr__op_finish(op, result);
}

void sfr__recvfrom_multi_prepare(sfr_op *op, int fd)
{
	/* All that the kernel wants to know, and nothing that it writes to. */
	static struct msghdr layout = {.msg_namelen = PEER_MAX};

	io_uring_prep_recvmsg_multishot(&op->sqe, fd, &layout, 0);
}

int sfr__datagram_unwrap(sfr_buf *buf)
{
	struct sfr__buf *b = sfr__buf(buf);
	struct io_uring_recvmsg_out out;

	sfr__invariant(buf->len >= SFR_PEER_ROOM);
	memcpy(&out, b->base, sizeof(out));
	b->peer_len = peer_len(out.namelen);
	buf->data += SFR_PEER_ROOM;
	buf->len -= SFR_PEER_ROOM;
	return (int)buf->len;
}

/*
 * The public calls.
 */

socklen_t sfr_buf_peer(const sfr_buf *buf, struct sockaddr_storage *out)
{
	const struct sfr__buf *b = sfr__buf(buf);

	if (!sfr_buf_is_owned(buf) || !b->peer_len)
		return 0;
	*out = (struct sockaddr_storage){0};
	memcpy(out, peer_at(b), b->peer_len);
	return b->peer_len;
}

sfr_op *sfr_recvfrom(sfr_loop *loop, int fd, sfr_buf *buf)
{
	sfr_op *op = sfr__op_new_into(loop, SFR__OP_RECVFROM, buf, 1);

	if (!sfr__op_sound(op))
		return op;
	op->result = sfr__buf(buf)->size <= SFR_PEER_ROOM ? without_room(loop, sfr__buf(buf)->size)
							  : sfr__recvfrom_prepare(op, fd, 0);
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
