/* SPDX-License-Identifier: MIT */
/*
 * A loop is made and freed. loop_dispose accepts what is half built, so there is one way out.
 */
#include "base/log.h"
#include "machine/shortage.h"
#include "op/end.h"
#include "op/errand.h"
#include "op/trace.h"
#include "run/run.h"
#include <safer_ring/error.h>
#include <errno.h>
#include <stdlib.h>

static int ops_reserve(void *above, size_t bufs)
{
	sfr_loop *loop = above;

	return sfr__op_table_reserve(&loop->ops, bufs);
}

static void loop_wake(void *above)
{
	sfr_loop *loop = above;

	if (!sfr__pool_is_forked(loop->pool)) /* the parent sleeps there, and nobody here */
		sfr__mailbox_knock(&loop->mailbox);
}

static void loop_dispose(sfr_loop *loop)
{
	unsigned i;

	if (loop->batches_free)
		loop->batches_free(loop);
	if (loop->resident)
		loop->resident->free(loop->resident);
	sfr__seat_close(loop->seat); /* from here on nobody finds anything of it */
	if (loop->engine) {
		sfr__positions_drop(loop);
		loop->engine->calls->close(loop->engine);
	}
	loop->engine = NULL;
	if (loop->pool) {
		sfr__fixed_bufs_fini(loop);
		for (i = 0; i < SFR__RECV_GROUPS; i++)
			sfr__recv_ring_fini(&loop->recv[i]);
		sfr__pool_close(loop->pool);
	}
	sfr__kept_fini(&loop->kept);
	sfr__errands_fini(loop);
	sfr__gather_free_all(&loop->gathers);
	sfr__array_fini(&loop->deadlines);
	sfr__files_fini(&loop->files);
	sfr__positions_fini(&loop->positions);
	sfr__op_table_fini(&loop->ops);
	sfr__mailbox_fini(&loop->mailbox);
	sfr__face_fini(&loop->face);
	free(loop);
}

static struct sfr__pool_spec spec_of(const struct sfr__settings *settings)
{
	const bool grows = settings->buffers.budget > 0;

	return (struct sfr__pool_spec){
		.size = (uint32_t)settings->buffers.size,
		.count = settings->buffers.count,
		.small = grows ? (uint32_t)settings->buffers.small : 0,
		.large = grows ? (uint32_t)settings->buffers.large : 0,
		.stream = grows ? SFR__RECV_BLOCK : 0,
		.budget = settings->buffers.budget,
		.extra_max = settings->ring.ops_max,
		.huge = settings->buffers.huge_pages,
	};
}

uint64_t sfr__loop_addresses(const struct sfr__settings *settings)
{
	const struct sfr__pool_spec spec = spec_of(settings);

	return sfr__pool_addresses(&spec) + sfr__array_addresses(sizeof(sfr_op), spec.count) +
	       sfr__engine_addresses(settings);
}

/* No loop can be made without `what`, of so many bytes: say so. Returns err. */
static int loop_lacks(const struct sfr__settings *settings, int err, const char *what,
		      uint64_t size)
{
	char why[SFR__SHORTAGE_SIZE];

	sfr__log(settings ? settings->log.level : SFR_LOG_ERROR, SFR_LOG_ERROR,
		 "no loop can be made: %s: %s", what, sfr__shortage_now(err, size, why));
	return err;
}

static int loops_too_many(const struct sfr__settings *settings)
{
	sfr__log(settings->log.level, SFR_LOG_ERROR,
		 "no loop can be made: this process has %d already, and there may be no more",
		 SFR__HANDLE_SEATS - 1);
	return -EAGAIN;
}

static int loop_build(sfr_loop *loop)
{
	const struct sfr__settings *settings = &loop->settings;
	const struct sfr__pool_spec spec = spec_of(settings);
	size_t bufs = sfr__pool_blocks_max(&spec), bare_max = settings->ring.ops_max;
	int r;

	r = sfr__mailbox_init(&loop->mailbox);
	if (r < 0)
		return loop_lacks(settings, r, "its mailbox", 0);
	sfr__op_table_init(&loop->ops, bare_max, bufs + bare_max);
	loop->ops.traced = settings->log.level == SFR_LOG_DEBUG ? SFR__OP_TRACED : 0;
	loop->ops.trace = sfr__op_trace;
	sfr__array_init(&loop->deadlines, sizeof(struct sfr__deadline), bufs + 2 * bare_max);
	loop->pool = sfr__pool_new(&spec);
	if (!loop->pool)
		return loop_lacks(settings, -ENOMEM, "its buffers", sfr__loop_addresses(settings));
	loop->pool->abort = settings->safety.abort;
	loop->pool->poison = settings->safety.poison;
	sfr__pool_watch(loop->pool, false);
	r = sfr__pool_bind(loop->pool, loop, ops_reserve, loop_wake);
	if (r < 0)
		return loop_lacks(settings, r, "operations with its buffers",
				  sfr__array_addresses(sizeof(sfr_op), spec.count));
	r = sfr__engine_open(&loop->engine, settings, loop->engine_reason);
	if (r < 0)
		return r;
	sfr__loop_note_own(loop);
	loop->now = sfr__loop_clock_ns(loop);
	sfr__wheel_init(&loop->wheel, loop->now);
	return 0;
}

static int loop_new(sfr_loop **out, const sfr_config *cfg)
{
	sfr_config_error err;
	sfr_loop *loop;
	unsigned i;
	int r;

	r = sfr__config_check(cfg, &err);
	if (r < 0) {
		sfr__log(SFR_LOG_ERROR, SFR_LOG_ERROR, "%s: %s", err.key, err.message);
		return r;
	}
	loop = calloc(1, sizeof(*loop));
	if (!loop)
		return loop_lacks(sfr__config_settings(cfg), -ENOMEM, "the loop itself",
				  sizeof(*loop));
	loop->settings = *sfr__config_settings(cfg);
	loop->seat = sfr__seat_open(loop, loop->objects, loop->settings.safety.abort);
	if (!loop->seat) {
		free(loop);
		return loops_too_many(sfr__config_settings(cfg));
	}
	loop->mailbox.fd = -1;
	sfr__face_init(&loop->face);
	sfr__positions_init(&loop->positions);
	sfr__errands_init(loop);
	sfr__list_init(&loop->backlog);
	for (i = 0; i < SFR__RECV_GROUPS; i++)
		sfr__recv_ring_init(&loop->recv[i]);
	sfr__list_init(&loop->unfed);
	sfr__list_init(&loop->later);
	sfr__list_init(&loop->ready);
	sfr__list_init(&loop->cancels);
	sfr__list_init(&loop->signals);
	sfr__list_init(&loop->batches);
	loop->signal_watch.mailbox = &loop->mailbox;
	loop->signal_watch.alerted = &loop->alerted;
	r = loop_build(loop);
	if (r < 0) {
		loop_dispose(loop);
		return r;
	}
	*out = loop;
	return 0;
}

int sfr_loop_new(sfr_loop **out, const sfr_config *cfg)
{
	sfr_config *preset = NULL;
	int r = cfg ? 0 : sfr_config_new(&preset, NULL);

	if (r == 0)
		r = loop_new(out, cfg ? cfg : preset);
	else if (r != -SFR_ECONFIG) /* which was said */
		(void)loop_lacks(NULL, r, "its configuration", 0);
	sfr_config_free(preset);
	return r;
}

static bool loop_busy(const sfr_loop *loop)
{
	return loop->inflight || (loop->resident && loop->resident->busy(loop->resident));
}

int sfr_loop_free(sfr_loop *loop)
{
	int r;

	if (!loop)
		return 0;
	if (sfr__pool_is_forked(loop->pool))
		return sfr__pool_foreign(loop->pool, "the loop was freed");
	r = sfr__loop_nested(loop, SFR__FRAME(), "the loop was freed inside a callback");
	if (r < 0)
		return r;
	if (loop_busy(loop))
		return -SFR_EOPSINFLIGHT;
	sfr__ops_forget_built(loop);
	loop_dispose(loop);
	return 0;
}
