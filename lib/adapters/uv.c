/* SPDX-License-Identifier: MIT */
/*
 * libuv asks whether it is alive at the end of each iteration and before the first one, and nobody is called
 * between the prepare handles and that end, but for check handles. So the poll handle, which counts when it
 * is referenced, says what is true before libuv sleeps; and after that yes, in case that what is called then
 * submits something, unless nothing else is there that could call anybody.
 */
#include "guest.h"
#include <safer_ring/uv.h>
#include <errno.h>
#include <stdlib.h>
#include <uv.h>

struct sfr_uv {
	struct sfr__guest guest;
	uv_poll_t poll;
	uv_prepare_t prepare;
	uv_check_t check;
	int open; /* handles that libuv has not closed yet */
};

static void hold(struct sfr_uv *uv, bool alive)
{
	uv_handle_t *handle = (uv_handle_t *)&uv->poll;

	if (alive)
		uv_ref(handle);
	else
		uv_unref(handle);
}

static void watch_end(struct sfr_uv *uv)
{
	(void)uv_poll_stop(&uv->poll); /* these three cannot fail */
	(void)uv_prepare_stop(&uv->prepare);
	(void)uv_check_stop(&uv->check);
}

static void readable(uv_poll_t *poll, int status, int events)
{
	struct sfr_uv *uv = poll->data;

	(void)events;
	if (status < 0)
		uv->guest.error = status;
	else
		(void)sfr__guest_step(&uv->guest);
	if (uv->guest.error && !uv->guest.gone)
		watch_end(uv);
}

static void before_sleep(uv_prepare_t *prepare)
{
	struct sfr_uv *uv = prepare->data;
	int64_t left = sfr__guest_prepare(&uv->guest);

	if (uv->guest.error)
		watch_end(uv);
	else
		hold(uv, left == 0 || sfr_loop_inflight(uv->guest.loop));
}

static void after_sleep(uv_check_t *check)
{
	struct sfr_uv *uv = check->data;

	if (uv_loop_alive(check->loop) || sfr_loop_inflight(uv->guest.loop))
		hold(uv, true);
}

static void closed(uv_handle_t *handle)
{
	struct sfr_uv *uv = handle->data;

	if (--uv->open == 0)
		free(uv);
}

int sfr_uv_attach(sfr_uv **out, struct uv_loop_s *host, sfr_loop *loop)
{
	int r = sfr_loop_fd(loop);
	struct sfr_uv *uv;

	if (r < 0)
		return r;
	uv = calloc(1, sizeof(*uv));
	if (!uv)
		return -ENOMEM;
	uv->guest.loop = loop;
	r = uv_poll_init(host, &uv->poll, r);
	if (r < 0) {
		free(uv);
		return r;
	}
	(void)uv_prepare_init(host, &uv->prepare); /* nor can these */
	(void)uv_check_init(host, &uv->check);
	uv->poll.data = uv->prepare.data = uv->check.data = uv;
	uv->open = 3;
	(void)uv_prepare_start(&uv->prepare, before_sleep);
	(void)uv_check_start(&uv->check, after_sleep);
	uv_unref((uv_handle_t *)&uv->prepare);
	uv_unref((uv_handle_t *)&uv->check);
	r = uv_poll_start(&uv->poll, UV_READABLE, readable);
	if (r < 0) {
		sfr_uv_detach(uv);
		return r;
	}
	*out = uv;
	return 0;
}

void sfr_uv_hold(sfr_uv *uv)
{
	hold(uv, true);
}

int sfr_uv_error(const sfr_uv *uv)
{
	return uv->guest.error;
}

void sfr_uv_detach(sfr_uv *uv)
{
	if (!uv)
		return;
	uv->guest.gone = true;
	uv_close((uv_handle_t *)&uv->poll, closed);
	uv_close((uv_handle_t *)&uv->prepare, closed);
	uv_close((uv_handle_t *)&uv->check, closed);
}
