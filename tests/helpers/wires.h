/* SPDX-License-Identifier: MIT */
/*
 * A wire: one connection of a server, and its peer.
 */
#ifndef SFR_TESTS_WIRES_H
#define SFR_TESTS_WIRES_H

#include "peers.h"

struct wire {
	sfr_loop *loop;
	sfr_server *server;
	sfr_conn *conn;
	int peer;
};

/* It is there, in a fresh loop; its handlers note in `here`. */
void wire_up(struct wire *wire, int world, const char *settings, const sfr_handlers *handlers);

/* The peer hears `size` bytes of stream 1. */
void assert_hears_pattern(struct wire *wire, size_t size);

/* The connection ends with this reason, and so does the peer. */
void assert_ends_with(struct wire *wire, int reason);

/* A buffer of stream 1; and wrapped memory with one, whose release counts at `n`. */
sfr_buf *piece(sfr_loop *loop, uint64_t offset, size_t size);
sfr_buf *wrapped_piece(sfr_loop *loop, uint64_t offset, size_t size, int n);
extern int released[1024]; /* wire_up() begins with 0 */

#endif
