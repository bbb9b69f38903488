/* SPDX-License-Identifier: MIT */
/*
 * What each batch waits for, and which buffers of ended ops nobody took yet.
 */
#include "batch/dump.h"
#include "batch/batch.h"
#include "op/kind.h"
#include "op/row.h"
#include <inttypes.h>

static const char *const state_names[SFR__BATCH_STATES] = {
	[SFR__BATCH_ILLEGAL] = "?",
	[SFR__BATCH_BUILDING] = "not submitted",
	[SFR__BATCH_PLANNED] = "not submitted",
	[SFR__BATCH_RUNNING] = "runs",
	[SFR__BATCH_CANCELLING] = "runs, being cancelled",
	[SFR__BATCH_EXPIRED] = "runs, its deadline has passed",
	[SFR__BATCH_DONE] = "done",
	[SFR__BATCH_CANCELLED] = "done",
};

struct members {
	size_t ended, failed, held, started;
};

static struct members members_count(struct sfr__dump *dump, const struct sfr__batch *batch)
{
	struct members members = {0};
	int32_t i;

	for (i = 0; i < batch->plan.node_count; i++) {
		const struct sfr__node *node = &batch->nodes[i];

		members.ended += !node->op;
		members.failed += !node->op && node->result < 0;
		members.held += node->op && sfr__op_is_held(node->op);
		members.started += node->op && !sfr__op_is_held(node->op);
		(void)sfr__dump_chain(dump, node->buf, &dump->bufs_in_batches);
	}
	return members;
}

static void members_dump(const struct sfr__dump *dump, const struct sfr__batch *batch)
{
	int32_t i;

	for (i = 0; i < batch->plan.node_count; i++) {
		const struct sfr__node *node = &batch->nodes[i];

		if (!node->op)
			continue;
		sfr__dump_say(dump, "batch %p op %d: 0x%" PRIx64 " %s, waits for %d\n",
			      (const void *)sfr__batch_handle(batch), (int)i,
			      (uint64_t)sfr__op_ticket(node->op), sfr__kinds[node->op->kind].name,
			      (int)node->waits);
	}
}

static void batch_dump(struct sfr__dump *dump, const struct sfr__batch *batch)
{
	struct members members = members_count(dump, batch);

	sfr__dump_say(dump, "batch %p: %s, %d ops", (const void *)sfr__batch_handle(batch),
		      state_names[batch->state], (int)batch->plan.node_count);
	if (batch->state >= SFR__BATCH_RUNNING)
		sfr__dump_say(dump, ", %zu ended, %zu of them failed, %zu started, %zu held",
			      members.ended, members.failed, members.started, members.held);
	if (sfr__batch_runs(batch) && batch->within_ns && batch->state != SFR__BATCH_EXPIRED) {
		sfr__dump_say(dump, ", deadline in ");
		sfr__dump_time(dump, sfr__dump_left(dump, &batch->timer));
	}
	sfr__dump_say(dump, "\n");
	if (sfr__batch_runs(batch))
		members_dump(dump, batch);
}

void sfr__batches_dump(struct sfr__dump *dump)
{
	const struct sfr__hook *hook, *batches = &dump->loop->batches;

	for (hook = batches->next; hook != batches; hook = hook->next)
		batch_dump(dump, sfr__container(hook, const struct sfr__batch, object.hook));
}
