/* SPDX-License-Identifier: MIT */
/*
 * A loop in a libuv loop. Library and pkg-config name: safer-ring-uv.
 *
 *	sfr_uv *attached;
 *	r = sfr_uv_attach(&attached, uv_default_loop(), loop);
 *	uv_run(uv_default_loop(), UV_RUN_DEFAULT);
 *	sfr_uv_detach(attached);
 *
 * libuv then takes the loop's turns whenever there is something to do, timers included, and hands over what
 * was submitted in between before it sleeps. While operations are in flight the loop keeps uv_run() from
 * returning; by itself it does not.
 */
#ifndef SAFER_RING_UV_H
#define SAFER_RING_UV_H

#include <safer_ring/base.h>

SFR_BEGIN_DECLS

struct uv_loop_s; /* uv_loop_t of <uv.h> */

/** A loop that libuv runs. */
typedef struct sfr_uv sfr_uv;

/**
 * Have libuv run a loop.
 *
 * @param out  Receives what sfr_uv_detach() wants. Written on success only.
 * @param host Borrowed until after the detach; run by the loop's thread.
 * @param loop Borrowed until the detach. It may be freed before, if host does not run in between.
 * @return 0; -ENOMEM; as sfr_loop_fd(); as uv_poll_init().
 * @thread The loop's.
 * @since 0.1
 */
SFR_API int sfr_uv_attach(sfr_uv **out, struct uv_loop_s *host, sfr_loop *loop);

/**
 * Part them: libuv takes no turn of the loop from now on.
 *
 * @param uv Taken. NULL is nothing. Its handles are closing; as with any other, libuv must run once more to
 *           be done with them, before uv_loop_close().
 * @thread The loop's, also in a callback of either.
 * @since 0.1
 */
SFR_API void sfr_uv_detach(sfr_uv *uv);

/**
 * Have the next uv_run() look whether operations are in flight, as it does the first time. Of use after an
 * uv_run() that returned because nothing was left: the next one returns at once, without asking anybody,
 * whatever was submitted to the loop since.
 *
 * @thread The loop's.
 * @since 0.1
 */
SFR_API void sfr_uv_hold(sfr_uv *uv);

/**
 * Why libuv does not run the loop any more. Then nor does it keep uv_run() from returning.
 *
 * @return 0 if it does; the error of sfr_loop_step() or sfr_loop_prepare().
 * @thread The loop's.
 * @since 0.1
 */
SFR_API int sfr_uv_error(const sfr_uv *uv);

SFR_END_DECLS

#endif
