/* SPDX-License-Identifier: MIT */
/*
 * Datagrams: operations on sockets that are not connected.
 *
 * A received datagram is a buffer whose peer is asked for with sfr_buf_peer(), before the buffer is given on.
 * Its `data` is SFR_PEER_ROOM bytes into the buffer, so an answer written there may have `cap` - SFR_PEER_ROOM
 * bytes.
 */
#ifndef SAFER_RING_DATAGRAM_H
#define SAFER_RING_DATAGRAM_H

#include <safer_ring/op.h>

SFR_BEGIN_DECLS

/**
 * Send data[0..len) to an address. Never raises SIGPIPE.
 *
 * @param buf  Given, whatever happens. Comes back unchanged. A chain is sent as one datagram.
 * @param addr Copied. NULL, and size 0: to whom the socket is connected.
 * @return As for every operation with a buffer, see sfr_read().
 * @par Result
 *      Bytes sent; else the error of sendto(2): -EMSGSIZE if it is too large for a datagram, or a chain
 *      of more than 1024 parts.
 * @thread The loop's. @since 0.1
 */
SFR_API sfr_op *sfr_sendto(sfr_loop *loop, int fd, sfr_buf *buf, const struct sockaddr *addr,
			   socklen_t size);

/**
 * Receive one datagram, and who sent it.
 *
 * @param buf Given, whatever happens. Its first SFR_PEER_ROOM bytes are for the peer's address: `data`
 *            comes back behind them, with buf->len set to what was received. Without more room than
 *            that: -EINVAL.
 * @return As for every operation with a buffer, see sfr_read().
 * @par Result
 *      Bytes received, 0 for an empty datagram; else the error of recvmsg(2). A datagram that is larger
 *      than the room is cut: see sfr_buf_cut(). 65,527 bytes of room suffice for every UDP datagram.
 * @thread The loop's. @since 0.1
 */
SFR_API sfr_op *sfr_recvfrom(sfr_loop *loop, int fd, sfr_buf *buf);

/**
 * Bytes at the front of a buffer that hold what is known of a datagram: the peer's address, how much was cut off
 * (sfr_buf_cut()), and what later versions may add, such as the address that it was sent to.
 */
#define SFR_PEER_ROOM 256

/**
 * Receive datagrams until cancelled or failing: each is a buffer of the slab, and yours. It holds no
 * buffer while nothing arrives, and waits, in order of need, while the slab is empty.
 *
 * @par Result
 *      Bytes received, with their buffer; an empty datagram has one, too, and its result is 0. The last
 *      call has the error of recvmsg(2) and no buffer; 0 and no buffer if the socket was shut down (on
 *      a registered one without features.buffer_rings also if an empty datagram has no sender). On
 *      a socket with a connection, SOCK_STREAM or SOCK_SEQPACKET, it ends with -EPROTOTYPE: its end could
 *      not be told from an empty datagram, so use sfr_recv_multi(). It ends with -EINVAL if a buffer of
 *      the slab (buffers.size) has no room behind the address.
 * @thread The loop's. @since 0.1
 */
SFR_API sfr_op *sfr_recvfrom_multi(sfr_loop *loop, int fd);

/**
 * Who sent a received datagram.
 *
 * @param buf Yours, as sfr_recvfrom() or sfr_recvfrom_multi() delivered it.
 * @param out Receives the address.
 * @return Its size; 0 if the buffer was filled in another way since, or the peer has no address. The
 *         address is at the front of the buffer, where your own writes can reach it.
 * @thread Any, one at a time for a buffer.
 * @since 0.1
 */
SFR_API socklen_t sfr_buf_peer(const sfr_buf *buf, struct sockaddr_storage *out);

/**
 * How many bytes of a received datagram did not fit, and are lost.
 *
 * @param buf Yours, as sfr_recvfrom() or sfr_recvfrom_multi() delivered it.
 * @return 0 if the datagram is whole, or the buffer was filled in another way since. SIZE_MAX if the datagram was
 *         cut and nobody knows by how much, as on a registered socket. The number is kept in front of the data,
 *         like the peer's address, so a write of yours in front of the data destroys it.
 * @thread Any, one at a time for a buffer.
 * @since 0.2
 */
SFR_API size_t sfr_buf_cut(const sfr_buf *buf);

SFR_END_DECLS

#endif
