/* SPDX-License-Identifier: MIT */
/*
 * Which engine a loop gets, and why, in one line for whoever administrates the machine.
 */
#include "base/log.h"
#include "config/config.h"
#include "engine/epoll/epoll.h"
#include "engine/uring/uring.h"
#include "machine/machine.h"
#include "machine/shortage.h"
#include <safer_ring/error.h>
#include <errno.h>
#include <stdio.h>

static void refusal_write(const struct sfr__refusal *refusal, char reason[SFR__REASON_SIZE])
{
	struct sfr__machine machine;

	sfr__machine_look(&machine);
	(void)snprintf(reason, SFR__REASON_SIZE, "%s answers %s, as %s; to have io_uring: %s",
		       sfr__refusal_call(refusal->step), sfr__refusal_answer(refusal),
		       sfr__refusal_cause(refusal, &machine), sfr__refusal_fix(refusal, &machine));
}

/* Besides queues: from the allocator, which asks the system for 128 KiB and more at a time, and an interpreter's first
 * requests. */
#define REST_SIZE ((uint64_t)512 * 1024)

uint64_t sfr__engine_addresses(const struct sfr__settings *settings)
{
	uint64_t entries = settings->ring.entries, cq_entries = settings->ring.cq_entries;
	uint64_t queues = 2 * entries *
			  sizeof(struct io_uring_sqe); /* powers of two, with indexes */

	queues += 2 * (cq_entries ? cq_entries : 4 * entries) * sizeof(struct io_uring_cqe);
	return queues + REST_SIZE;
}

/* What it had taken is given back by now, so there may be more left than what was lacking. */
static void engine_lacks(const struct sfr__settings *settings, const char *name, int err)
{
	char why[SFR__SHORTAGE_SIZE];

	sfr__log(settings->log.level, SFR_LOG_ERROR, "engine %s does not work here: %s", name,
		 sfr__shortage_now(err, sfr__engine_addresses(settings), why));
}

static int epoll_choose(struct sfr__engine **out, const struct sfr__settings *settings,
			const char *reason)
{
	bool wanted = settings->engine == SFR__ENGINE_EPOLL;
	int r = sfr__epoll_open(out, settings);

	if (r < 0)
		engine_lacks(settings, "epoll", r);
	else
		sfr__log(settings->log.level, wanted ? SFR_LOG_INFO : SFR_LOG_WARN,
			 "engine epoll: %s", reason);
	return r;
}

int sfr__engine_open(struct sfr__engine **out, const struct sfr__settings *settings,
		     char reason[SFR__REASON_SIZE])
{
	enum sfr_log_level limit = settings->log.level;
	char described[SFR__REASON_SIZE];
	struct sfr__refusal refusal;
	int r;

	if (settings->engine == SFR__ENGINE_EPOLL) {
		(void)snprintf(reason, SFR__REASON_SIZE, "the configuration asks for it");
		return epoll_choose(out, settings, reason);
	}
	r = sfr__uring_open(out, settings, described, &refusal);
	if (r == 0) {
		reason[0] = '\0';
		sfr__log(limit, SFR_LOG_INFO, "engine uring: %s", described);
		return 0;
	}
	if (!refusal.error) {
		if (r != -SFR_ECONFIG) /* which was said */
			engine_lacks(settings, "uring", r);
		return r;
	}
	refusal_write(&refusal, reason);
	if (settings->engine == SFR__ENGINE_AUTO && sfr__refusal_is_final(&refusal))
		return epoll_choose(out, settings, reason);
	sfr__log(limit, SFR_LOG_ERROR, "engine uring does not work here: %s", reason);
	return r == -EINVAL ? -ENOSYS : r;
}
