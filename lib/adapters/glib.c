/* SPDX-License-Identifier: MIT */
/*
 * A loop as a GSource.
 *
 * GLib polls the descriptor of the loop with its own. The loop's timers are in that descriptor as
 * well, so the source never has a timeout.
 */
#include "guest.h"
#include <safer_ring/error.h>
#include <safer_ring/glib.h>
#include <errno.h>
#include <glib-unix.h>

struct sfr__glib_source {
	GSource source;
	struct sfr__guest guest;
	gpointer watch;
	bool deaf; /* the watch is for nothing */
};

static struct sfr__guest *guest_of(GSource *source)
{
	return &((struct sfr__glib_source *)source)->guest;
}

/* In a main loop inside a callback the loop cannot turn, and must not be asked again and again. A change wakes
 * the context. */
static void deaf_set(struct sfr__glib_source *own, bool deaf)
{
	if (own->deaf != deaf)
		g_source_modify_unix_fd(&own->source, own->watch, deaf ? 0 : G_IO_IN);
	own->deaf = deaf;
}

/* What failed here is told by the dispatch. */
static gboolean source_prepare(GSource *source, gint *timeout_ms)
{
	struct sfr__guest *guest = guest_of(source);
	int64_t left = sfr__guest_prepare(guest);

	*timeout_ms = -1; /* the loop's timers are in its descriptor */
	deaf_set((struct sfr__glib_source *)source, guest->nested);
	return left == 0 || guest->error;
}

static gboolean source_check(GSource *source)
{
	gpointer watch = ((struct sfr__glib_source *)source)->watch;

	return g_source_query_unix_fd(source, watch) != 0;
}

/* GLib holds a reference meanwhile, and does not look at this source in a main loop inside a callback. */
static gboolean source_dispatch(GSource *source, GSourceFunc unused, gpointer arg)
{
	struct sfr__guest *guest = guest_of(source);

	(void)unused;
	(void)arg;
	if (!guest->error)
		(void)sfr__guest_step(guest);
	if (!guest->error)
		return G_SOURCE_CONTINUE;
	g_warning("a loop does not turn any more: %s", sfr_strerror(guest->error));
	return G_SOURCE_REMOVE;
}

static GSourceFuncs source_calls = {
	.prepare = source_prepare,
	.check = source_check,
	.dispatch = source_dispatch,
};

GSource *sfr_glib_source_new(sfr_loop *loop)
{
	int fd = sfr_loop_fd(loop);
	GSource *source;

	if (fd < 0) {
		errno = -fd;
		return NULL;
	}
	source = g_source_new(&source_calls, sizeof(struct sfr__glib_source));
	g_source_set_name(source, "safer-ring");
	*guest_of(source) = (struct sfr__guest){.loop = loop};
	((struct sfr__glib_source *)source)->watch = g_source_add_unix_fd(source, fd, G_IO_IN);
	return source;
}

int sfr_glib_source_error(const GSource *source)
{
	return ((const struct sfr__glib_source *)source)->guest.error;
}
