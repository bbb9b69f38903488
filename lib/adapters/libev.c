/* SPDX-License-Identifier: MIT */
/*
 * None of the three watchers keeps libev running by itself: they are started and unreferenced. While
 * operations are in flight a reference more does. It is right when libev sleeps, and again when all
 * callbacks of an iteration but those of the lowest priority were called, as libev then looks.
 */
#include "guest.h"
#include <safer_ring/libev.h>
#include <errno.h>
#include <ev.h>
#include <stdlib.h>

struct sfr_libev {
	struct sfr__guest guest;
	struct ev_loop *host;
	ev_io io;
	ev_prepare prepare;
	ev_check check;
	bool held; /* the reference more */
};

static void hold(struct sfr_libev *libev, bool alive)
{
	if (alive && !libev->held)
		ev_ref(libev->host);
	if (!alive && libev->held)
		ev_unref(libev->host);
	libev->held = alive;
}

static void io_begin(struct sfr_libev *libev)
{
	if (ev_is_active(&libev->io))
		return;
	ev_io_start(libev->host, &libev->io);
	ev_unref(libev->host);
}

static void io_end(struct sfr_libev *libev)
{
	if (!ev_is_active(&libev->io))
		return;
	ev_ref(libev->host);
	ev_io_stop(libev->host, &libev->io);
}

static void watch_begin(struct sfr_libev *libev)
{
	io_begin(libev);
	ev_prepare_start(libev->host, &libev->prepare);
	ev_unref(libev->host);
	ev_check_start(libev->host, &libev->check);
	ev_unref(libev->host);
}

static void watch_end(struct sfr_libev *libev)
{
	io_end(libev);
	hold(libev, false);
	if (!ev_is_active(&libev->prepare))
		return;
	ev_ref(libev->host);
	ev_prepare_stop(libev->host, &libev->prepare);
	ev_ref(libev->host);
	ev_check_stop(libev->host, &libev->check);
}

/* libev may run inside one of the loop's callbacks. The loop cannot turn then, and must not be asked again
 * and again. */
static void readable(struct ev_loop *host, ev_io *io, int events)
{
	struct sfr_libev *libev = io->data;

	(void)host;
	(void)events;
	if (libev->guest.stepping)
		io_end(libev);
	else if (sfr__guest_step(&libev->guest))
		io_begin(libev);
	else if (libev->guest.gone)
		free(libev);
	else
		watch_end(libev);
}

static void before_sleep(struct ev_loop *host, ev_prepare *prepare, int events)
{
	struct sfr_libev *libev = prepare->data;
	int64_t left = sfr__guest_prepare(&libev->guest);

	(void)host;
	(void)events;
	if (libev->guest.error) {
		watch_end(libev);
		return;
	}
	if (libev->guest.nested)
		io_end(libev);
	else
		io_begin(libev);
	hold(libev, left == 0 || sfr_loop_inflight(libev->guest.loop));
}

static void after_sleep(struct ev_loop *host, ev_check *check, int events)
{
	struct sfr_libev *libev = check->data;

	(void)host;
	(void)events;
	hold(libev, libev->held || sfr_loop_inflight(libev->guest.loop));
}

int sfr_libev_attach(sfr_libev **out, struct ev_loop *host, sfr_loop *loop)
{
	int fd = sfr_loop_fd(loop);
	struct sfr_libev *libev;

	if (fd < 0)
		return fd;
	libev = calloc(1, sizeof(*libev));
	if (!libev)
		return -ENOMEM;
	libev->guest.loop = loop;
	libev->host = host;
	ev_io_init(&libev->io, readable, fd, EV_READ);
	ev_prepare_init(&libev->prepare, before_sleep);
	ev_check_init(&libev->check, after_sleep);
	ev_set_priority(&libev->prepare, EV_MINPRI);
	ev_set_priority(&libev->check, EV_MINPRI);
	libev->io.data = libev->prepare.data = libev->check.data = libev;
	watch_begin(libev);
	*out = libev;
	return 0;
}

int sfr_libev_error(const sfr_libev *libev)
{
	return libev->guest.error;
}

void sfr_libev_detach(sfr_libev *libev)
{
	if (!libev)
		return;
	watch_end(libev);
	libev->guest.gone = true;
	if (!libev->guest.stepping)
		free(libev);
}
