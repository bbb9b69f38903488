/* SPDX-License-Identifier: MIT */
#include "host.h"
#include <safer_ring/libevent.h>
#include <event2/event.h>
#include <stdlib.h>

struct own {
	struct event *event;
	host_called *fn;
	void *arg;
};

static void *make(void)
{
	return event_base_new();
}

static void base_free(void *host)
{
	event_base_free(host);
}

static void turn(void *host)
{
	(void)event_base_loop(host, EVLOOP_ONCE);
}

ADAPTER_CALLS(libevent)

static void happened(evutil_socket_t fd, short what, void *arg)
{
	struct own *own = arg;

	(void)fd;
	(void)what;
	own->fn(own->arg);
}

static void *own_begin(void *host, int fd, short what, const struct timeval *every, host_called *fn,
		       void *arg)
{
	struct own *own = malloc(sizeof(*own));

	*own = (struct own){event_new(host, fd, what | EV_PERSIST, happened, own), fn, arg};
	(void)event_add(own->event, every);
	return own;
}

static void own_end(void *arg)
{
	struct own *own = arg;

	event_free(own->event);
	free(own);
}

static void *timer(void *host, unsigned ms, host_called *fn, void *arg)
{
	struct timeval every = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	return own_begin(host, -1, 0, &every, fn, arg);
}

static void *watch(void *host, int fd, host_called *fn, void *arg)
{
	return own_begin(host, fd, EV_READ, NULL, fn, arg);
}

const struct host the_host = {
	.name = "libevent",
	.make = make,
	.free = base_free,
	.turn = turn,
	.attach = attach,
	.detach = detach,
	.error = error_of,
	.timer = timer,
	.watch = watch,
	.end = own_end,
};
