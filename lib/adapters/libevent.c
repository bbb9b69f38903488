/* SPDX-License-Identifier: MIT */
/*
 * libevent 2.1 calls nobody before it sleeps, and cannot wait for an event that does not keep it running.
 * So there is one event, always there: what is submitted makes the loop's descriptor readable.
 */
#include "guest.h"
#include <safer_ring/libevent.h>
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>

struct sfr_libevent {
	struct sfr__guest guest;
	struct event *event;
};

static void readable(evutil_socket_t fd, short what, void *arg)
{
	struct sfr_libevent *libevent = arg;

	(void)fd;
	(void)what;
	if (sfr__guest_step(&libevent->guest))
		return;
	if (libevent->guest.gone)
		free(libevent);
	else
		(void)event_del(libevent->event); /* fails for events that were never added */
}

int sfr_libevent_attach(sfr_libevent **out, struct event_base *host, sfr_loop *loop)
{
	int fd = sfr_loop_fd(loop);
	struct sfr_libevent *libevent;

	if (fd < 0)
		return fd;
	libevent = calloc(1, sizeof(*libevent));
	if (!libevent)
		return -ENOMEM;
	libevent->guest.loop = loop;
	libevent->event = event_new(host, fd, EV_READ | EV_PERSIST, readable, libevent);
	if (!libevent->event || event_add(libevent->event, NULL) < 0) {
		sfr_libevent_detach(libevent);
		return -ENOMEM;
	}
	*out = libevent;
	return 0;
}

int sfr_libevent_error(const sfr_libevent *libevent)
{
	return libevent->guest.error;
}

void sfr_libevent_detach(sfr_libevent *libevent)
{
	if (!libevent)
		return;
	if (libevent->event)
		event_free(libevent->event);
	libevent->guest.gone = true;
	if (!libevent->guest.stepping)
		free(libevent);
}
