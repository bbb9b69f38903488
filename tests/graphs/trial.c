/* SPDX-License-Identifier: MIT */
#include "trial.h"
#include "check.h"
#include "seeds.h"
#include "counts.h"
#include "patience.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static uint64_t bit(int n)
{
	return (uint64_t)1 << n;
}

/*
 * Choosing and building.
 */

/* The edges that members cannot do without are there already; these are for their order. */
static void edge_choose(struct trial *trial, int from, int to, uint32_t any)
{
	(void)model_edge_add(&trial->model, from, to, chance(any) ? NEED_END : NEED_SUCCESS);
	if (chance(3)) /* twice is once */
		(void)model_edge_add(&trial->model, from, to,
				     chance(any) ? NEED_END : NEED_SUCCESS);
}

static void path_choose(struct trial *trial, uint32_t any)
{
	int order[NODES_MAX], count = trial->model.node_count, i;
	uint32_t shuffled = choice(3) ? 0 : 50;

	for (i = 0; i < count; i++)
		order[i] = i;
	for (i = count - 1; i > 0; i--)
		if (chance(shuffled)) {
			int other = (int)choice((uint32_t)i), keep = order[i];

			order[i] = order[other];
			order[other] = keep;
		}
	for (i = 1; i < count; i++)
		if (chance(90))
			edge_choose(trial, order[i - 1], order[i], any);
}

static void tree_choose(struct trial *trial, uint32_t any)
{
	int i;

	for (i = 1; i < trial->model.node_count; i++)
		if (chance(90))
			edge_choose(trial, (int)choice((uint32_t)i), i, any);
}

static void mesh_choose(struct trial *trial, uint32_t any, int edges)
{
	uint32_t count = (uint32_t)trial->model.node_count;

	while (count && edges--)
		edge_choose(trial, (int)choice(count), (int)choice(count), any);
}

static void edges_choose(struct trial *trial)
{
	static const uint32_t anys[] = {0, 20, 60};
	uint32_t any = anys[choice(3)];

	switch (trial->linked ? 1 + choice(5) : choice(8)) {
	case 0:
		break;
	case 1:
	case 2:
	case 3:
		path_choose(trial, any);
		break;
	case 4:
		tree_choose(trial, any);
		break;
	case 5:
		path_choose(trial, any);
		mesh_choose(trial, any, 3);
		break;
	case 6:
		mesh_choose(trial, any, trial->model.node_count);
		break;
	default:
		mesh_choose(trial, any, 4 * trial->model.node_count);
	}
}

static void declare(const struct trial *trial, const struct model_edge *edge)
{
	int r = edge->need == NEED_SUCCESS
			? sfr_batch_after(trial->batch, edge->to, edge->from)
			: sfr_batch_after_any(trial->batch, edge->to, edge->from);

	must(r == 0, "%d waits for %d: %s", edge->to, edge->from, sfr_errname(r));
}

static bool is_declared(const struct model_edge *edge)
{
	return edge->need == NEED_SUCCESS || edge->need == NEED_END;
}

/* Members in order; what they wait for with them, as soon as it can be said, or at the end. */
static void members_build(struct trial *trial)
{
	const struct model *model = &trial->model;
	bool declared[EDGES_MAX] = {false};
	int n, i, at;

	for (n = 0; n < model->node_count; n++) {
		int then = -1;

		for (i = 0; i < model->edge_count && then < 0 && !member_is(trial, n, BUILT_WRONG);
		     i++)
			if (model->edges[i].to == n && model->edges[i].need == NEED_SUCCESS &&
			    model->edges[i].from < n && model->nodes[n].previous < 0 &&
			    chance(50)) {
				then = model->edges[i].from;
				declared[i] = true;
			}
		member_build(trial, n, then);
		for (i = 0; i < model->edge_count; i++) {
			const struct model_edge *edge = &model->edges[i];

			if (is_declared(edge) && !declared[i] && edge->from <= n && edge->to <= n &&
			    chance(50)) {
				declare(trial, edge);
				declared[i] = true;
			}
		}
	}
	for (i = 0, at = (int)choice(EDGES_MAX); i < EDGES_MAX; i++, at = (at + 1) % EDGES_MAX)
		if (at < model->edge_count && is_declared(&model->edges[at]) && !declared[at])
			declare(trial, &model->edges[at]);
}

/* Nothing of what a former one wrote is left. */
static void places_clear(const struct trial *trial)
{
	static const unsigned char zeros[NODES_MAX * BLOCK];

	must(pwrite(trial->files->out, zeros, sizeof(zeros),
		    (off_t)trial->lane * NODES_MAX * BLOCK) == sizeof(zeros),
	     "zeros are written");
	must(ftruncate(trial->files->logs[trial->lane], 0) == 0, "an empty log");
}

static void plan_check(struct trial *trial, bool links)
{
	sfr_batch_plan_info *plan = &trial->plan;
	int r = sfr_batch_plan(trial->batch, plan);

	must(r == 0, "its plan: %s", sfr_errname(r));
	must(plan->ops == (unsigned)trial->model.node_count, "%u operations", plan->ops);
	must(plan->edges == (unsigned)trial->model.edge_count, "%u dependencies, and not %d",
	     plan->edges, trial->model.edge_count);
	must(plan->links + plan->released <= plan->edges && plan->hard_links <= plan->links &&
		     plan->chains <= plan->links && (plan->chains || !plan->links),
	     "%u links, %u hard, %u rows, %u released", plan->links, plan->hard_links, plan->chains,
	     plan->released);
	must(links || !plan->links, "links are turned off");
	must(memchr(plan->text, '\0', sizeof(plan->text)) && (plan->text[0] || !plan->ops),
	     "it says something");
}

void trial_build(struct trial *trial, int count_max)
{
	static const uint32_t failing[] = {0, 0, 5, 15, 40};
	int count = (int)choice(choice(3) ? (uint32_t)count_max + 1 : 9), i;

	trial->failing = failing[choice(5)];
	trial->linked = chance(40);
	trial->model = (struct model){0};
	trial->places_used = trial->calls = 0;
	trial->ended = trial->took = 0;
	trial->submitted = trial->collects = trial->collected = false;
	trial->error = 0;
	trial->failures = -1;
	places_clear(trial);
	for (i = 0; i < count && i < count_max; i++)
		member_choose(trial);
	edges_choose(trial);
	members_build(trial);
	model_run(&trial->model, trial->expected);
	plan_check(trial, trial->links);
	count_plan(&trial->plan);
}

/*
 * Running.
 */

static bool is_asked(const struct trial *trial, int n)
{
	return !trial->members[n].unasked;
}

/* Whether a result is there; it does not change any more. */
static bool ask(struct trial *trial, int n)
{
	int result, r = sfr_batch_result(trial->batch, n, &result);

	if (r == -SFR_EPENDING && !(trial->ended & bit(n)))
		return false;
	must(r == 0, "asking for the result of %d: %s", n, sfr_errname(r));
	must(!(trial->ended & bit(n)) || trial->actual[n] == result,
	     "%d ends with %d, and then with %d", n, trial->actual[n], result);
	trial->actual[n] = result;
	trial->ended |= bit(n);
	return true;
}

static void results_ask(struct trial *trial)
{
	int n;

	for (n = 0; n < trial->model.node_count; n++) {
		if (is_asked(trial, n)) {
			must(ask(trial, n), "%d has not ended", n);
		} else {
			trial->actual[n] = trial->expected[n];
			trial->ended |= bit(n);
		}
	}
}

static void refuse(struct trial *trial)
{
	const struct model *model = &trial->model;
	uint32_t count = (uint32_t)model->node_count;
	int from = count ? (int)choice(count) : 0, to = count ? (int)choice(count) : 0, result;
	bool cycle = count && (from == to || (model->before[from] & bit(to)));
	int r = choice(2) ? sfr_batch_after(trial->batch, cycle ? to : (int)count, from)
			  : sfr_batch_after_any(trial->batch, cycle ? to : -1000, from);

	trial->error = r;
	if (cycle)
		must(r == -SFR_ECYCLE, "a cycle: %s", sfr_errname(r));
	else
		must(r < 0 && r != -SFR_ECYCLE, "no such operation: %s", sfr_errname(r));
	must(!count || sfr_batch_result(trial->batch, from, &result) == -SFR_EPENDING,
	     "it does not run");
}

static void trial_collect(struct trial *trial);

static void trial_done(sfr_loop *loop, sfr_batch *batch, void *arg)
{
	struct trial *trial = arg;

	must(loop == trial->files->loop && batch == trial->batch, "the batch that was submitted");
	must(++trial->calls == 1, "called back %d times", trial->calls);
	if (trial->collects)
		trial_collect(trial);
}

void trial_submit(struct trial *trial, bool with_callback)
{
	int r;

	if (trial->disturbance == NOT_SUBMITTED)
		return;
	if (trial->disturbance == REFUSED)
		refuse(trial);
	if (trial->disturbance == TIMED_OUT)
		must(sfr_batch_within(trial->batch, 100000 + choice(500000)) == 0, "a deadline");
	else if (chance(10))
		must(sfr_batch_within(trial->batch, PATIENCE_NS) == 0,
		     "a deadline that is far away");
	trial->collects = with_callback && chance(30);
	r = with_callback ? sfr_batch_submit(trial->batch, trial_done, trial)
			  : sfr_batch_await(trial->batch);
	if (trial->error || with_callback)
		must(r == trial->error, "submitting: %s", sfr_errname(r));
	must(!trial->calls || !with_callback, "it calls back later");
	trial->submitted = !trial->error;
	if (trial->submitted && !with_callback)
		trial->calls = 1, trial->failures = r;
}

/* Nobody inherits it, and who looks at what is in it need not know the results of others. */
static bool may_take_early(const struct trial *trial, int n)
{
	int i;

	if (!member_is(trial, n, CARRIES) || trial->model.nodes[n].previous >= 0 ||
	    trial->members[n].looks_at >= 0)
		return false;
	for (i = 0; i < trial->model.node_count; i++)
		if (trial->model.nodes[i].previous == n)
			return false;
	return true;
}

void trial_watch(struct trial *trial)
{
	int n;

	if (!trial->submitted || trial->collected)
		return;
	for (n = 0; n < trial->model.node_count; n++) {
		sfr_buf *buf;

		if ((trial->ended & bit(n)) || !is_asked(trial, n) || !ask(trial, n))
			continue;
		if (!may_take_early(trial, n) || !chance(30))
			continue;
		buf = sfr_batch_take(trial->batch, n);
		must(buf && sfr_buf_is_owned(buf), "the buffer of %d: %s", n,
		     buf ? "is not ours" : sfr_errname(errno));
		sfr_buf_release(buf);
		trial->took |= bit(n);
	}
}

int trial_pending(const struct trial *trial, int *doubtful)
{
	int count = 0, n;

	if (!trial->submitted || trial->calls)
		return 0;
	*doubtful += trial->model.node_count == 0; /* there may be one that calls back */
	for (n = 0; n < trial->model.node_count; n++) {
		count += is_asked(trial, n) && !(trial->ended & bit(n));
		*doubtful += !is_asked(trial, n);
	}
	return count;
}

bool trial_is_done(const struct trial *trial)
{
	return !trial->submitted || trial->calls;
}

/*
 * Looking at what came of it.
 */

/* All that the batch itself can tell. */
static void trial_collect(struct trial *trial)
{
	sfr_batch_plan_info plan;

	must(sfr_batch_plan(trial->batch, &plan) == 0 && plan.ops == trial->plan.ops &&
		     plan.links == trial->plan.links,
	     "its plan is what it was");
	results_ask(trial);
	order_find(trial);
	trial->collected = true;
	buffers_take(trial);
	error_check(trial);
}

static void unsubmitted_check(struct trial *trial)
{
	int result, n;

	for (n = 0; n < trial->model.node_count; n++) {
		must(sfr_batch_result(trial->batch, n, &result) == -SFR_EPENDING, "%d did not run",
		     n);
		must(!sfr_batch_take(trial->batch, n) && errno == SFR_EPENDING, "%d did not run",
		     n);
		trial->actual[n] = -SFR_EDEPFAILED;
	}
	must(sfr_batch_error(trial->batch, &n) == -SFR_EPENDING, "it did not run");
	order_find(trial);
}

void trial_end(struct trial *trial, int cancelled_fd)
{
	int n;

	if (!trial->submitted)
		unsubmitted_check(trial);
	else if (!trial->collected)
		trial_collect(trial);
	if (trial->submitted)
		results_check(trial, cancelled_fd);
	must(sfr_batch_cancel(trial->batch) == -SFR_ESTALE, "it does not run");
	must(sfr_batch_reset(trial->batch) == 0, "it is empty");
	log_check(trial);
	for (n = 0; n < trial->model.node_count; n++) {
		member_end(trial, n);
		if (trial->submitted)
			count_ending(trial, n);
	}
	trial->model.node_count = 0;
}

void trial_print(const struct trial *trial)
{
	static const char *const disturbances[] = {
		"undisturbed", "cancelled",     "with a deadline", "a descriptor cancelled",
		"drained",     "not submitted", "refused"};
	static const char *const needs[] = {"after", "after_any", "buffer of", "descriptor of"};
	const struct model *model = &trial->model;
	int n, i;

	if (!model->node_count)
		return;
	fprintf(stderr,
		"batch %d, round %d, %s:%s\n  plan: %u ops, %u edges, %u links, %u hard, %u released: %s\n",
		trial->lane, trial->round, disturbances[trial->disturbance],
		trial->calls ? " done" : "", trial->plan.ops, trial->plan.edges, trial->plan.links,
		trial->plan.hard_links, trial->plan.released, trial->plan.text);
	for (n = 0; n < model->node_count; n++) {
		const struct member *m = &trial->members[n];

		fprintf(stderr, "  %2d %s%s%s%s%s:", n, m->kind->name, m->all ? ", all" : "",
			m->within ? ", within" : "", m->place >= 0 ? ", into" : "",
			m->unasked ? ", unasked" : "");
		for (i = 0; i < model->edge_count; i++)
			if (model->edges[i].to == n)
				fprintf(stderr, " %s %d,", needs[model->edges[i].need],
					model->edges[i].from);
		fprintf(stderr, " alone %d of %d, expected %d, ", model->nodes[n].own,
			model->nodes[n].whole, trial->expected[n]);
		if (trial->ended & bit(n))
			fprintf(stderr, "came %d %s\n", trial->actual[n],
				trial->actual[n] < 0 ? sfr_errname(trial->actual[n]) : "");
		else
			fprintf(stderr, "not ended\n");
	}
}
