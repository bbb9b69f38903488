/* SPDX-License-Identifier: MIT */
/*
 * Datagrams, and who sent them.
 *
 * A buffer with a datagram begins as the kernel lays out those that it receives into provided buffers:
 * a header, then room for the longest address, and some for what else a kernel tells of a datagram: to whom
 * it was sent, and in what pieces. That is SFR_PEER_ROOM bytes in all; the data is behind. The size is compiled
 * into programs. The last part is not used yet: the kernel is told that it is room for the address. If it were told
 * that this is room for control messages, the kernel would put there descriptors that a peer passes, and nobody
 * would close them.
 */
#ifndef SFR_LIB_OP_DATAGRAM_H
#define SFR_LIB_OP_DATAGRAM_H

#include "loop/loop.h"

/* 0 if the blocks of the slab and this descriptor can be used to receive datagrams again and again. */
int sfr__datagrams_check(const sfr_loop *loop, int fd);

/* An empty datagram, or the end of them: has the socket been shut down? */
bool sfr__datagrams_ended(const sfr_loop *loop, int fd);

/* The same of one that an op received by itself, whichever way it names the socket: who has none to be
 * asked about is told the end by an empty datagram that nobody sent. */
bool sfr__recvfrom_ended(const sfr_op *op);

/* Of a socket that was checked: have the kernel say how long a datagram was that is cut. Of a registered one nobody
 * can ask what it is, and of a stream the flag would drop bytes. */
static inline unsigned sfr__recvfrom_length_flag(int fd)
{
	return sfr__fd_is_name(fd) ? 0 : MSG_TRUNC;
}

/* Have an op receive one datagram into its buffer. 0 or -ENOMEM. */
int sfr__recvfrom_prepare(sfr_op *op, int fd, unsigned flags);

/* It has, and that long it was: note in the buffer, which is still given, who sent it, and what did not fit.
 * Returns how much did. */
int sfr__recvfrom_arrived(sfr_op *op, sfr_buf *buf, int size);

/* Have an op receive datagrams into provided buffers; and the size of one that came in such a buffer,
 * whose window is its data from then on. */
void sfr__recvfrom_multi_prepare(sfr_op *op, int fd);
int sfr__datagram_unwrap(sfr_buf *buf);

#endif
