/* SPDX-License-Identifier: MIT */
#include "host.h"
#include <safer_ring/sd_event.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <systemd/sd-event.h>
#include <time.h>

struct own {
	sd_event_source *source;
	uint64_t every_us;
	host_called *fn;
	void *arg;
};

static void *make(void)
{
	sd_event *host;

	if (sd_event_new(&host) < 0)
		abort();
	return host;
}

static void event_free(void *host)
{
	sd_event_unref(host);
}

static void turn(void *host)
{
	(void)sd_event_run(host, UINT64_MAX);
}

ADAPTER_CALLS(sd_event)

static struct own *own_new(host_called *fn, void *arg)
{
	struct own *own = calloc(1, sizeof(*own));

	own->fn = fn;
	own->arg = arg;
	return own;
}

static void own_end(void *arg)
{
	struct own *own = arg;

	sd_event_source_disable_unref(own->source);
	free(own);
}

/* Its timers fire once: they are set again before the call, which may end them. */
static int ticked(sd_event_source *source, uint64_t usec, void *arg)
{
	struct own *own = arg;

	(void)usec;
	(void)sd_event_source_set_time_relative(source, own->every_us);
	(void)sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	own->fn(own->arg);
	return 0;
}

static int was_readable(sd_event_source *source, int fd, uint32_t events, void *arg)
{
	struct own *own = arg;

	(void)source;
	(void)fd;
	(void)events;
	own->fn(own->arg);
	return 0;
}

static void *timer(void *host, unsigned ms, host_called *fn, void *arg)
{
	struct own *own = own_new(fn, arg);

	own->every_us = ms * 1000ull;
	if (sd_event_add_time_relative(host, &own->source, CLOCK_MONOTONIC, own->every_us, 1,
				       ticked, own) < 0)
		abort();
	return own;
}

static void *watch(void *host, int fd, host_called *fn, void *arg)
{
	struct own *own = own_new(fn, arg);

	if (sd_event_add_io(host, &own->source, fd, EPOLLIN, was_readable, own) < 0)
		abort();
	return own;
}

const struct host the_host = {
	.name = "sd-event",
	.prepares = true,
	.make = make,
	.free = event_free,
	.turn = turn,
	.attach = attach,
	.detach = detach,
	.error = error_of,
	.timer = timer,
	.watch = watch,
	.end = own_end,
};
