/* SPDX-License-Identifier: MIT */
#include "host.h"
#include <safer_ring/glib.h>
#include <errno.h>
#include <glib-unix.h>
#include <stdlib.h>

struct own {
	GSource *source;
	host_called *fn;
	void *arg;
};

/* That a loop fails is what a test is about. */
static void ignore(const gchar *domain, GLogLevelFlags level, const gchar *line, gpointer arg)
{
	(void)domain;
	(void)level;
	(void)line;
	(void)arg;
}

static void *make(void)
{
	g_log_set_handler("safer-ring", G_LOG_LEVEL_WARNING, ignore, NULL);
	return g_main_context_new();
}

static void context_free(void *host)
{
	g_main_context_unref(host);
}

static void turn(void *host)
{
	g_main_context_iteration(host, TRUE);
}

static int attach(void **out, void *host, sfr_loop *loop)
{
	GSource *source = sfr_glib_source_new(loop);

	if (!source)
		return -errno;
	g_source_attach(source, host);
	*out = source;
	return 0;
}

static void source_end(GSource *source)
{
	g_source_destroy(source);
	g_source_unref(source);
}

static void detach(void *attached)
{
	source_end(attached);
}

static int error_of(const void *attached)
{
	return sfr_glib_source_error(attached);
}

static void *own_begin(void *host, GSource *source, host_called *fn, void *arg)
{
	struct own *own = g_new(struct own, 1);

	*own = (struct own){source, fn, arg};
	g_source_attach(source, host);
	return own;
}

static void own_end(void *arg)
{
	struct own *own = arg;

	source_end(own->source);
	g_free(own);
}

static gboolean ticked(gpointer arg)
{
	struct own *own = arg;

	own->fn(own->arg);
	return G_SOURCE_CONTINUE;
}

static gboolean was_readable(gint fd, GIOCondition what, gpointer arg)
{
	(void)fd;
	(void)what;
	return ticked(arg);
}

static void *timer(void *host, unsigned ms, host_called *fn, void *arg)
{
	struct own *own = own_begin(host, g_timeout_source_new(ms), fn, arg);

	g_source_set_callback(own->source, ticked, own, NULL);
	return own;
}

static void *watch(void *host, int fd, host_called *fn, void *arg)
{
	struct own *own = own_begin(host, g_unix_fd_source_new(fd, G_IO_IN), fn, arg);

	g_source_set_callback(own->source, G_SOURCE_FUNC(was_readable), own, NULL);
	return own;
}

const struct host the_host = {
	.name = "GLib",
	.nests = true,
	.prepares = true,
	.make = make,
	.free = context_free,
	.turn = turn,
	.attach = attach,
	.detach = detach,
	.error = error_of,
	.timer = timer,
	.watch = watch,
	.end = own_end,
};
