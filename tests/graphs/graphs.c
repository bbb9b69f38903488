/* SPDX-License-Identifier: MIT */
/*
 * Graphs: random batches against a reference model, on every engine and set of features.
 *
 * A seed chooses the world, the settings and the graphs.
 */
#include "counts.h"
#include "seeds.h"
#include "trial.h"
#include "worlds.h"
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

enum { STRAYS = 6, ROUNDS = 20 };

/*
 * What is known when something breaks.
 */

static char settings[256];
static struct trial trials[LANES];
static const char *world_name = "";

static void explain(void)
{
	int i;

	fprintf(stderr, "world: %s; %s\n", world_name, settings);
	for (i = 0; i < LANES; i++)
		trial_print(&trials[i]);
}

/*
 * Operations that are of no batch.
 */

static struct {
	bool alive, on_source;
	int expected;
} strays[STRAYS];
static bool strays_may_be_cancelled;

static void stray_done(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	int i = (int)(intptr_t)arg;

	(void)loop;
	must(strays[i].alive, "it ends once");
	must(result == strays[i].expected || (result == -ECANCELED && strays_may_be_cancelled),
	     "an operation of no batch ends with %s", sfr_errname(result));
	strays[i].alive = false;
	sfr_buf_release(buf);
}

static void strays_submit(struct files *files)
{
	int i, count = (int)choice(STRAYS + 1);

	for (i = 0; i < count; i++) {
		sfr_loop *loop = files->loop;
		int expected = 0;
		sfr_op *op;

		if (strays[i].alive)
			continue;
		switch (choice(4)) {
		case 0:
			op = sfr_nop(loop);
			break;
		case 1:
			op = sfr_timeout(loop, choice(2000000));
			break;
		case 2:
			op = sfr_read_at(loop, files->source, sfr_buf_get(loop, 0), choice(100));
			expected = BLOCK;
			break;
		default:
			op = sfr_write_at(loop, files->out, sfr_buf_from(loop, "nobody's", 8),
					  (uint64_t)LANES * NODES_MAX * BLOCK + choice(100));
			expected = 8;
		}
		strays[i].alive = true;
		strays[i].expected = expected;
		must(sfr_submit(op, stray_done, (void *)(intptr_t)i) != 0, "a submission");
	}
}

static int strays_alive(void)
{
	int count = 0, i;

	for (i = 0; i < STRAYS; i++)
		count += strays[i].alive;
	return count;
}

/*
 * One round: batches beside each other.
 */

struct round {
	struct files *files;
	uint64_t seed;
	int lanes, number;
	enum disturbance disturbance;
	unsigned disturb_at; /* after so many turns */
	int cancelled_fd;
};

static bool all_done(const struct round *round)
{
	bool done = !strays_alive();
	int i;

	for (i = 0; i < round->lanes; i++)
		done &= trial_is_done(&trials[i]);
	return done;
}

/* All that was submitted and has not ended is in flight. */
static void watch(const struct round *round)
{
	int pending = strays_alive(), doubtful = 0, i;
	size_t inflight = sfr_loop_inflight(round->files->loop);

	for (i = 0; i < round->lanes; i++) {
		trial_watch(&trials[i]);
		pending += trial_pending(&trials[i], &doubtful);
	}
	must(inflight >= (size_t)pending && inflight <= (size_t)(pending + doubtful),
	     "%zu in flight, %d did not end, of %d nobody knows", inflight, pending, doubtful);
}

static void cancel_fds(const struct round *round)
{
	int i, n;

	(void)sfr_cancel_fd(round->files->loop, round->cancelled_fd);
	for (i = 0; i < round->lanes; i++)
		for (n = 0; n < trials[i].model.node_count; n++)
			if (trials[i].submitted && member_is(&trials[i], n, ENDLESS))
				(void)sfr_cancel_fd(round->files->loop, trials[i].members[n].fd);
}

static void cancel_batch(void)
{
	int r = sfr_batch_cancel(trials[0].batch);

	must(r == (trial_is_done(&trials[0]) ? -SFR_ESTALE : 0), "cancelling: %s", sfr_errname(r));
}

/* What may be done inside a callback, too. */
static void disturb_now(sfr_loop *loop, void *arg)
{
	const struct round *round = arg;

	(void)loop;
	if (round->disturbance == CANCELLED)
		cancel_batch();
	else if (round->disturbance == FD_CANCELLED)
		cancel_fds(round);
}

static void disturb(struct round *round)
{
	sfr_loop *loop = round->files->loop;

	if (round->disturbance == DRAINED)
		must(sfr_loop_drain(loop, -1) == 0, "draining");
	else if (choice(2))
		disturb_now(loop, round);
	else
		must(sfr_loop_post(loop, disturb_now, round) == 0, "a function is posted");
}

/* Of a batch among others all are drained, and a descriptor is cancelled for all; the rest is for the first
 * of them. */
static enum disturbance disturbance_of(const struct round *round, int lane)
{
	bool all = round->disturbance == FD_CANCELLED || round->disturbance == DRAINED;

	return lane == 0 || all ? round->disturbance : UNDISTURBED;
}

/* Not one that a member closes: its number may be another's by then. */
static int fd_choose(const struct round *round)
{
	const struct trial *trial = &trials[choice((uint32_t)round->lanes)];
	int count = trial->model.node_count, n = count ? (int)choice((uint32_t)count) : 0;
	bool fits = count && trial->members[n].fd != -1 && !member_is(trial, n, STOPS);

	return fits ? trial->members[n].fd : round->files->source;
}

static void turns_take(struct round *round)
{
	unsigned turn;

	for (turn = 0; !all_done(round); turn++) {
		choices_begin(round->seed, 1000000 + (uint64_t)round->number * 100000 + turn);
		if (turn == round->disturb_at) {
			disturb(round);
			watch(round);
			continue;
		}
		if (choice(4) == 0 && turn < 50)
			strays_submit(round->files);
		must(sfr_loop_step(round->files->loop, choice(3) ? (int64_t)choice(1000000) : 0) >=
			     0,
		     "a turn");
		watch(round);
	}
}

static void round_run(struct round *round, bool alone)
{
	int i;

	choices_begin(round->seed, (uint64_t)round->number + 1);
	for (i = 0; i < round->lanes; i++) {
		trials[i].disturbance = disturbance_of(round, i);
		trials[i].round = round->number;
		trial_build(&trials[i], round->lanes == 1 || chance(30) ? NODES_MAX : 20);
	}
	round->cancelled_fd = fd_choose(round);
	strays_may_be_cancelled = round->disturbance == DRAINED ||
				  round->disturbance == FD_CANCELLED;
	strays_submit(round->files);
	for (i = 0; i < round->lanes; i++)
		trial_submit(&trials[i], !alone);
	watch(round);
	turns_take(round);
	must(sfr_loop_run(round->files->loop) == 0, "nothing is left to wait for");
	must(sfr_loop_inflight(round->files->loop) == 0, "nothing is in flight");
	choices_begin(round->seed, 500000 + (uint64_t)round->number);
	for (i = 0; i < round->lanes; i++)
		trial_end(&trials[i], round->cancelled_fd);
}

/* Every buffer is back. */
static void buffers_check(const sfr_loop *loop)
{
	sfr_loop_stats stats;

	sfr_loop_stats_get(loop, &stats, sizeof(stats));
	must(stats.bufs_held == 0 && stats.bytes_heap == 0, "%" PRIu64 " buffers are held",
	     stats.bufs_held);
}

/*
 * One seed.
 */

static sfr_loop *loop_choose(int world, bool *links)
{
	static const char *const entries[] = {"8", "16", "256"};
	bool small = strstr(worlds_name(world), "8 entries");
	char why[256];
	sfr_config *config;
	sfr_loop *loop;

	*links = choice(4) > 0;
	snprintf(settings, sizeof(settings),
		 "buffers.size=%d buffers.count=%d buffers.receive=1%s%s%s", BLOCK,
		 LANES * NODES_MAX * 2 + STRAYS + 1,
		 small ? "" : " ring.entries=", small ? "" : entries[choice(3)],
		 *links ? "" : " features.links=off");
	config = worlds_config(world, settings, why, sizeof(why));
	must(config != NULL, "%s", why);
	must(sfr_loop_new(&loop, config) == 0, "a loop with %s", settings);
	sfr_config_free(config);
	return loop;
}

static void seed_run(uint64_t seed, int world, int ops)
{
	static const struct rlimit limit = {FILE_LIMIT, FILE_LIMIT};
	static struct files files;
	static const enum disturbance disturbances[] = {
		UNDISTURBED, UNDISTURBED,  UNDISTURBED, UNDISTURBED,   CANCELLED,
		TIMED_OUT,   FD_CANCELLED, DRAINED,     NOT_SUBMITTED, REFUSED};
	struct round round = {.files = &files, .seed = seed};
	int descriptors = open_descriptors(), i;
	bool links;

	(void)ops;
	must(setrlimit(RLIMIT_FSIZE, &limit) == 0, "a limit to the length of files");
	choices_begin(seed, 0);
	world_name = worlds_name(world);
	files.real = chance(50);
	files_open(&files, loop_choose(world, &links));
	files_register(&files);
	round.lanes = chance(50) ? 1 : LANES;
	for (i = 0; i < round.lanes; i++) {
		trials[i] = (struct trial){.files = &files, .lane = i, .links = links};
		trials[i].batch = sfr_batch_new(files.loop);
		must(trials[i].batch, "a batch");
	}
	for (round.number = 0; round.number < ROUNDS; round.number++) {
		choices_begin(seed, 2000000 + (uint64_t)round.number);
		round.disturbance =
			disturbances[choice(sizeof(disturbances) / sizeof(disturbances[0]))];
		round.disturb_at = round.disturbance == UNDISTURBED ? UINT32_MAX : choice(8);
		round_run(&round,
			  round.lanes == 1 && round.disturbance == UNDISTURBED && chance(30));
		buffers_check(files.loop);
	}
	for (i = 0; i < round.lanes; i++)
		sfr_batch_free(trials[i].batch);
	must(sfr_loop_free(files.loop) == 0, "nothing is in flight");
	files_close(&files);
	must(open_descriptors() == descriptors, "%d descriptors are missing or left",
	     open_descriptors() - descriptors);
}

int main(int argc, char **argv)
{
	static const struct seeds graphs = {
		.program = "graphs",
		.about =
			"Random batches against a reference model, on every engine and set of features in "
			"turn.",
		.run = seed_run,
		.explain = explain,
		.sum_up = counts_print,
	};

	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* short writes are made by a limit */
	counts_begin();
	return seeds_run(&graphs, argc, argv);
}
