/* SPDX-License-Identifier: MIT */
/*
 * Wires: how they begin and end.
 */
#include "wires.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int released[1024];

void wire_up(struct wire *wire, int world, const char *settings, const sfr_handlers *handlers)
{
	memset(released, 0, sizeof(released));
	wire->loop = loop_in(world, settings);
	wire->server = serve(wire->loop, handlers, &here);
	wire->peer = peer_of(wire->server);
	turns_until(wire->loop, here.opened == 1);
	wire->conn = here.conn;
}

void assert_hears_pattern(struct wire *wire, size_t size)
{
	unsigned char *heard = malloc(size);

	peer_hear(wire->loop, wire->peer, heard, size);
	ck_assert(pattern_is(heard, 1, 0, size));
	free(heard);
}

void assert_ends_with(struct wire *wire, int reason)
{
	turns_until(wire->loop, here.closed);
	turns_until_quiet(wire->loop);
	ck_assert_int_eq(here.closed, 1);
	ck_assert_int_eq(here.reason, reason);
	(void)peer_end(wire->loop, wire->peer);
	close(wire->peer);
}

sfr_buf *piece(sfr_loop *loop, uint64_t offset, size_t size)
{
	sfr_buf *buf = sfr_buf_get(loop, size);

	ck_assert_ptr_nonnull(buf);
	pattern_fill(buf->data, 1, offset, size);
	buf->len = (uint32_t)size;
	return buf;
}

static void free_and_note(void *mem, void *arg)
{
	++*(int *)arg;
	free(mem);
}

sfr_buf *wrapped_piece(sfr_loop *loop, uint64_t offset, size_t size, int n)
{
	void *mem = malloc(size);
	sfr_buf *buf = sfr_buf_wrap(loop, mem, size, free_and_note, &released[n]);

	ck_assert_ptr_nonnull(buf);
	pattern_fill(mem, 1, offset, size);
	buf->len = (uint32_t)size;
	return buf;
}
