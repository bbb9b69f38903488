/* SPDX-License-Identifier: MIT */
#include "host.h"
#include <safer_ring/libev.h>
#include <ev.h>
#include <stdlib.h>

struct own {
	struct ev_loop *host;
	host_called *fn;
	void *arg;
	ev_timer timer; /* one of the two */
	ev_io io;
};

static void *make(void)
{
	return ev_loop_new(EVFLAG_AUTO);
}

static void loop_free(void *host)
{
	ev_loop_destroy(host);
}

static void turn(void *host)
{
	(void)ev_run(host, EVRUN_ONCE);
}

static void run(void *host)
{
	(void)ev_run(host, 0);
}

ADAPTER_CALLS(libev)

static struct own *own_new(void *host, host_called *fn, void *arg)
{
	struct own *own = calloc(1, sizeof(*own));

	own->host = host;
	own->fn = fn;
	own->arg = arg;
	return own;
}

static void own_end(void *arg)
{
	struct own *own = arg;

	ev_timer_stop(own->host, &own->timer);
	ev_io_stop(own->host, &own->io);
	free(own);
}

static void ticked(struct ev_loop *host, ev_timer *timer, int events)
{
	struct own *own = timer->data;

	(void)host;
	(void)events;
	own->fn(own->arg);
}

static void was_readable(struct ev_loop *host, ev_io *io, int events)
{
	struct own *own = io->data;

	(void)host;
	(void)events;
	own->fn(own->arg);
}

static void *timer(void *host, unsigned ms, host_called *fn, void *arg)
{
	struct own *own = own_new(host, fn, arg);

	ev_timer_init(&own->timer, ticked, ms / 1000.0, ms / 1000.0);
	own->timer.data = own;
	ev_now_update(host);
	ev_timer_start(host, &own->timer);
	return own;
}

static void *watch(void *host, int fd, host_called *fn, void *arg)
{
	struct own *own = own_new(host, fn, arg);

	ev_io_init(&own->io, was_readable, fd, EV_READ);
	own->io.data = own;
	ev_io_start(host, &own->io);
	return own;
}

const struct host the_host = {
	.name = "libev",
	.ends = true,
	.nests = true,
	.prepares = true,
	.make = make,
	.free = loop_free,
	.turn = turn,
	.run = run,
	.attach = attach,
	.detach = detach,
	.error = error_of,
	.timer = timer,
	.watch = watch,
	.end = own_end,
};
