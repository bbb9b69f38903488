/* SPDX-License-Identifier: MIT */
/*
 * A loop in a libevent base. Library and pkg-config name: safer-ring-libevent.
 *
 *	sfr_libevent *attached;
 *	r = sfr_libevent_attach(&attached, base, loop);
 *	event_base_dispatch(base);
 *	sfr_libevent_detach(attached);
 *
 * The base then takes the loop's turns whenever there is something to do, timers included. It calls nobody
 * before it sleeps: submitting outside the loop's callbacks works all the same, at the price of a turn of the
 * base, which a call of sfr_loop_prepare() after the last submission saves. An attached loop keeps the base
 * running, busy or not, until it is detached: say, in a callback that finds sfr_loop_inflight() to be 0.
 */
#ifndef SAFER_RING_LIBEVENT_H
#define SAFER_RING_LIBEVENT_H

#include <safer_ring/base.h>

SFR_BEGIN_DECLS

struct event_base; /* of <event2/event.h> */

/** A loop that libevent runs. */
typedef struct sfr_libevent sfr_libevent;

/**
 * Have libevent run a loop.
 *
 * @param out  Receives what sfr_libevent_detach() wants. Written on success only.
 * @param host Borrowed until the detach; run by the loop's thread.
 * @param loop Borrowed until the detach. It may be freed before, if host does not run in between.
 * @return 0; -ENOMEM, also where libevent cannot; as sfr_loop_fd().
 * @thread The loop's.
 * @since 0.1
 */
SFR_API int sfr_libevent_attach(sfr_libevent **out, struct event_base *host, sfr_loop *loop);

/**
 * Part them: libevent takes no turn of the loop from now on.
 *
 * @param libevent Taken. NULL is nothing.
 * @thread The loop's, also in a callback of either.
 * @since 0.1
 */
SFR_API void sfr_libevent_detach(sfr_libevent *libevent);

/**
 * Why libevent does not run the loop any more. Then nor does it keep the base running.
 *
 * @return 0 if it does; the error of sfr_loop_step().
 * @thread The loop's.
 * @since 0.1
 */
SFR_API int sfr_libevent_error(const sfr_libevent *libevent);

SFR_END_DECLS

#endif
