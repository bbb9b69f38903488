/* SPDX-License-Identifier: MIT */
/*
 * A loop in an event loop of libsystemd. Library and pkg-config name: safer-ring-sd-event.
 *
 *	sfr_sd_event *attached;
 *	r = sfr_sd_event_attach(&attached, event, loop);
 *	r = sd_event_loop(event);
 *	sfr_sd_event_detach(attached);
 *
 * sd-event then takes the loop's turns whenever there is something to do, timers included, and hands over
 * what was submitted in between before it sleeps. It does not end by itself: sd_event_exit() ends it, say in
 * a callback that finds sfr_loop_inflight() to be 0.
 */
#ifndef SAFER_RING_SD_EVENT_H
#define SAFER_RING_SD_EVENT_H

#include <safer_ring/base.h>

SFR_BEGIN_DECLS

struct sd_event; /* of <systemd/sd-event.h> */

/** A loop that sd-event runs. */
typedef struct sfr_sd_event sfr_sd_event;

/**
 * Have sd-event run a loop.
 *
 * @param out  Receives what sfr_sd_event_detach() wants. Written on success only.
 * @param host A reference is held until the detach. Run by the loop's thread.
 * @param loop Borrowed until the detach. It may be freed before, if host does not run in between.
 * @return 0; -ENOMEM; as sfr_loop_fd(); as sd_event_add_io().
 * @thread The loop's.
 * @since 0.1
 */
SFR_API int sfr_sd_event_attach(sfr_sd_event **out, struct sd_event *host, sfr_loop *loop);

/**
 * Part them: sd-event takes no turn of the loop from now on.
 *
 * @param sd_event Taken. NULL is nothing.
 * @thread The loop's, also in a callback of either.
 * @since 0.1
 */
SFR_API void sfr_sd_event_detach(sfr_sd_event *sd_event);

/**
 * Why sd-event does not run the loop any more. It logged that, too, at its level of debugging.
 *
 * @return 0 if it does; the error of sfr_loop_step() or sfr_loop_prepare().
 * @thread The loop's.
 * @since 0.1
 */
SFR_API int sfr_sd_event_error(const sfr_sd_event *sd_event);

SFR_END_DECLS

#endif
