/* SPDX-License-Identifier: MIT */
/*
 * Buffers of a loop, for its callers: only the loop's own thread takes one.
 */
#include "loop/loop.h"
#include <errno.h>
#include <string.h>

/* Somebody takes one who may not: errno says why. Not inlined, or the usual way would save registers for it. */
static __attribute__((noinline)) sfr_buf *take_refused(const sfr_loop *loop)
{
	errno = -sfr__pool_foreign(loop->pool, "a buffer was taken");
	return NULL;
}

sfr_buf *sfr_buf_get(sfr_loop *loop, size_t min_cap)
{
	return sfr__likely(sfr__pool_is_open(loop->pool)) ? sfr__pool_get(loop->pool, min_cap)
							  : take_refused(loop);
}

sfr_buf *sfr_buf_from(sfr_loop *loop, const void *bytes, size_t len)
{
	sfr_buf *buf = sfr_buf_get(loop, len);

	if (buf) {
		if (len)
			memcpy(buf->data, bytes, len);
		buf->len = (uint32_t)len;
	}
	return buf;
}

sfr_buf *sfr_buf_wrap(sfr_loop *loop, void *mem, size_t cap,
		      void (*on_release)(void *mem, void *arg), void *arg)
{
	return sfr__pool_is_open(loop->pool) ? sfr__pool_wrap(loop->pool, mem, cap, on_release, arg)
					     : take_refused(loop);
}
