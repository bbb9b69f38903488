/* SPDX-License-Identifier: MIT */
#include "host.h"
#include <safer_ring/uv.h>
#include <stdlib.h>
#include <uv.h>

struct own {
	union {
		uv_handle_t handle;
		uv_poll_t poll;
		uv_timer_t timer;
	};
	host_called *fn;
	void *arg;
};

static void *make(void)
{
	uv_loop_t *host = malloc(sizeof(*host));

	if (uv_loop_init(host) < 0)
		abort();
	return host;
}

static void loop_free(void *host)
{
	(void)uv_run(host, UV_RUN_NOWAIT); /* handles that are closing */
	if (uv_loop_close(host) < 0)
		abort();
	free(host);
}

static void turn(void *host)
{
	(void)uv_run(host, UV_RUN_ONCE);
}

static void run(void *host)
{
	(void)uv_run(host, UV_RUN_DEFAULT);
}

ADAPTER_CALLS(uv)

static void hold(void *attached)
{
	sfr_uv_hold(attached);
}

static struct own *own_new(host_called *fn, void *arg)
{
	struct own *own = malloc(sizeof(*own));

	own->fn = fn;
	own->arg = arg;
	return own;
}

static void own_free(uv_handle_t *handle)
{
	free(handle);
}

static void own_end(void *arg)
{
	uv_close(arg, own_free);
}

static void ticked(uv_timer_t *timer)
{
	struct own *own = (struct own *)timer;

	own->fn(own->arg);
}

static void was_readable(uv_poll_t *poll, int status, int events)
{
	struct own *own = (struct own *)poll;

	(void)status;
	(void)events;
	own->fn(own->arg);
}

static void *timer(void *host, unsigned ms, host_called *fn, void *arg)
{
	struct own *own = own_new(fn, arg);

	(void)uv_timer_init(host, &own->timer);
	(void)uv_timer_start(&own->timer, ticked, ms, ms);
	return own;
}

static void *watch(void *host, int fd, host_called *fn, void *arg)
{
	struct own *own = own_new(fn, arg);

	(void)uv_poll_init(host, &own->poll, fd);
	(void)uv_poll_start(&own->poll, UV_READABLE, was_readable);
	return own;
}

const struct host the_host = {
	.name = "libuv",
	.ends = true,
	.prepares = true,
	.make = make,
	.free = loop_free,
	.turn = turn,
	.run = run,
	.attach = attach,
	.detach = detach,
	.error = error_of,
	.hold = hold,
	.timer = timer,
	.watch = watch,
	.end = own_end,
};
