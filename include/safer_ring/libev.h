/* SPDX-License-Identifier: MIT */
/*
 * A loop in a libev loop. Library and pkg-config name: safer-ring-libev.
 *
 *	sfr_libev *attached;
 *	r = sfr_libev_attach(&attached, EV_DEFAULT, loop);
 *	ev_run(EV_DEFAULT, 0);
 *	sfr_libev_detach(attached);
 *
 * libev then takes the loop's turns whenever there is something to do, timers included, and hands over what
 * was submitted in between before it sleeps. While operations are in flight the loop keeps ev_run() from
 * returning; by itself it does not. (Submit from watchers of a priority above EV_MINPRI, or libev may
 * return before it hears of it; the next ev_run() does.)
 */
#ifndef SAFER_RING_LIBEV_H
#define SAFER_RING_LIBEV_H

#include <safer_ring/base.h>

SFR_BEGIN_DECLS

struct ev_loop; /* of <ev.h> */

/** A loop that libev runs. */
typedef struct sfr_libev sfr_libev;

/**
 * Have libev run a loop. It may itself run inside one of the loop's callbacks, and then leaves the loop alone.
 *
 * @param out  Receives what sfr_libev_detach() wants. Written on success only.
 * @param host Borrowed until the detach; run by the loop's thread.
 * @param loop Borrowed until the detach. It may be freed before, if host does not run in between.
 * @return 0; -ENOMEM; as sfr_loop_fd().
 * @thread The loop's.
 * @since 0.1
 */
SFR_API int sfr_libev_attach(sfr_libev **out, struct ev_loop *host, sfr_loop *loop);

/**
 * Part them: libev takes no turn of the loop from now on.
 *
 * @param libev Taken. NULL is nothing.
 * @thread The loop's, also in a callback of either.
 * @since 0.1
 */
SFR_API void sfr_libev_detach(sfr_libev *libev);

/**
 * Why libev does not run the loop any more. Then nor does it keep ev_run() from returning.
 *
 * @return 0 if it does; the error of sfr_loop_step() or sfr_loop_prepare().
 * @thread The loop's.
 * @since 0.1
 */
SFR_API int sfr_libev_error(const sfr_libev *libev);

SFR_END_DECLS

#endif
