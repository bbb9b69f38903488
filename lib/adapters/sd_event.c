/* SPDX-License-Identifier: MIT */
/*
 * A loop as an event source of sd-event.
 *
 * sd-event disables a source whose callback fails, which is what is wanted of a loop that does not
 * turn any more. A detach inside a callback of the loop frees the adapter only after the step that
 * runs it.
 */
#include "guest.h"
#include <safer_ring/sd_event.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <systemd/sd-event.h>

struct sfr_sd_event {
	struct sfr__guest guest;
	sd_event_source *source;
};

/* A negative result has the source disabled. */
static int readable(sd_event_source *source, int fd, uint32_t events, void *arg)
{
	struct sfr_sd_event *sd_event = arg;

	(void)source;
	(void)fd;
	(void)events;
	if (sfr__guest_step(&sd_event->guest))
		return 0;
	if (!sd_event->guest.gone)
		return sd_event->guest.error;
	free(sd_event);
	return 0;
}

static int before_sleep(sd_event_source *source, void *arg)
{
	struct sfr_sd_event *sd_event = arg;

	(void)source;
	(void)sfr__guest_prepare(&sd_event->guest);
	return sd_event->guest.error;
}

int sfr_sd_event_attach(sfr_sd_event **out, struct sd_event *host, sfr_loop *loop)
{
	int r = sfr_loop_fd(loop);
	struct sfr_sd_event *sd_event;

	if (r < 0)
		return r;
	sd_event = calloc(1, sizeof(*sd_event));
	if (!sd_event)
		return -ENOMEM;
	sd_event->guest.loop = loop;
	r = sd_event_add_io(host, &sd_event->source, r, EPOLLIN, readable, sd_event);
	if (r >= 0)
		r = sd_event_source_set_prepare(sd_event->source, before_sleep);
	if (r < 0) {
		sfr_sd_event_detach(sd_event);
		return r;
	}
	(void)sd_event_source_set_description(sd_event->source, "safer-ring"); /* or it has none */
	*out = sd_event;
	return 0;
}

int sfr_sd_event_error(const sfr_sd_event *sd_event)
{
	return sd_event->guest.error;
}

void sfr_sd_event_detach(sfr_sd_event *sd_event)
{
	if (!sd_event)
		return;
	sd_event_source_disable_unref(sd_event->source);
	sd_event->guest.gone = true;
	if (!sd_event->guest.stepping)
		free(sd_event);
}
