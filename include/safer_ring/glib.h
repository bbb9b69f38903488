/* SPDX-License-Identifier: MIT */
/*
 * A loop in a GLib main loop. Library and pkg-config name: safer-ring-glib.
 *
 *	GSource *source = sfr_glib_source_new(loop);
 *	g_source_attach(source, NULL);
 *	g_main_loop_run(main_loop);
 *	g_source_destroy(source);
 *	g_source_unref(source);
 *
 * The source takes the loop's turns whenever there is something to do, timers included, and hands over what
 * was submitted in between before GLib sleeps. It does not end the main loop: g_main_loop_quit() does, say
 * in a callback that finds sfr_loop_inflight() to be 0.
 */
#ifndef SAFER_RING_GLIB_H
#define SAFER_RING_GLIB_H

#include <safer_ring/base.h>

SFR_BEGIN_DECLS

struct _GSource; /* GSource of <glib.h> */

/**
 * Make a source that runs a loop. Attach it to a context of the loop's thread: the first turn there makes
 * that thread the loop's. Priority and name are its user's to set. It is not dispatched in a main loop
 * that runs inside one of the loop's callbacks, and does not call what g_source_set_callback() was given.
 *
 * @param loop Borrowed while the source is attached. To part them use g_source_destroy(), also in one of
 *             the loop's callbacks. The loop may be freed before, if the context does not run in between.
 * @return Yours, for g_source_unref(); NULL with errno as sfr_loop_fd() fails.
 * @thread The loop's.
 * @since 0.1
 */
SFR_API struct _GSource *sfr_glib_source_new(sfr_loop *loop);

/**
 * Why a source was removed though nobody asked for it, which is also said by g_warning().
 *
 * @param source Of sfr_glib_source_new().
 * @return 0 if it was not; the error of sfr_loop_step() or sfr_loop_prepare().
 * @thread The loop's.
 * @since 0.1
 */
SFR_API int sfr_glib_source_error(const struct _GSource *source);

SFR_END_DECLS

#endif
