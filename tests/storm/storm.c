/* SPDX-License-Identifier: MIT */
/*
 * The storm: random operations, endings and releases, under random settings, held against a model after
 * every turn.
 *
 * A seed chooses everything: the world (engine and features), the settings, what is done at each step.
 */
#include "ops.h"
#include "worlds.h"
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define HAND_FULL 200

/*
 * A second thread that releases buffers.
 */

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	sfr_buf *bufs[64];
	int count;
	bool busy, stop;
} releaser = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void *releaser_run(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&releaser.lock);
	while (!releaser.stop) {
		if (!releaser.count) {
			releaser.busy = false;
			pthread_cond_broadcast(&releaser.changed);
			pthread_cond_wait(&releaser.changed, &releaser.lock);
			continue;
		}
		releaser.busy = true;
		sfr_buf *buf = releaser.bufs[--releaser.count];
		pthread_mutex_unlock(&releaser.lock);
		sfr_buf_release(buf);
		pthread_mutex_lock(&releaser.lock);
	}
	pthread_mutex_unlock(&releaser.lock);
	return NULL;
}

static void release_elsewhere(sfr_buf *buf)
{
	pthread_mutex_lock(&releaser.lock);
	while (releaser.count == 64)
		pthread_cond_wait(&releaser.changed, &releaser.lock);
	releaser.bufs[releaser.count++] = buf;
	pthread_cond_broadcast(&releaser.changed);
	pthread_mutex_unlock(&releaser.lock);
}

/* Until all of them are on their way back. */
static void releaser_settle(void)
{
	pthread_mutex_lock(&releaser.lock);
	while (releaser.count || releaser.busy)
		pthread_cond_wait(&releaser.changed, &releaser.lock);
	pthread_mutex_unlock(&releaser.lock);
}

/*
 * One seed.
 */

struct storm {
	sfr_loop *loop;
	uint64_t seed;
	int ops; /* that it should submit */
};

static void hand_release(void)
{
	struct item item;

	if (!hand_count)
		return;
	item = hand_take();
	item_gone(&item);
	if (choice(2)) {
		ops_releases_pending = true;
		release_elsewhere(item.head);
	} else {
		sfr_buf_release(item.head);
	}
}

static void hand_share(void)
{
	struct item item, other;

	if (!hand_count || hand_count > 200)
		return;
	item = hand_take();
	if (item_share(&item, &other))
		hand_put(other);
	hand_put(item);
}

static void hand_append(void)
{
	struct item head, tail;

	if (hand_count < 2)
		return;
	head = hand_take();
	tail = hand_take();
	if (!item_append(&head, &tail))
		hand_put(tail);
	hand_put(head);
}

static void act(struct storm *storm)
{
	sfr_loop *loop = storm->loop;
	uint32_t what = choice(100);

	if (hand_count > HAND_FULL)
		hand_release();
	else if (what < 45)
		op_start(loop);
	else if (what < 53)
		op_cancel_any(loop);
	else if (what < 57)
		op_abandon_any(loop);
	else if (what < 58)
		ops_cancel_channel(loop);
	else if (what < 72)
		hand_release();
	else if (what < 75)
		hand_share();
	else if (what < 78)
		hand_append();
	else if (what < 79)
		must(raise(SIGUSR1) == 0, "a signal");
	else if (what < 80 && !choice(4))
		ops_unregister(loop);
	else
		channel_stir(&channels[choice(CHANNELS)]);
}

/* Every buffer has one owner: the free ones, those in the kernel's ring, and those that are held make up
 * the slab, and those held are the ones that the model knows of. */
static void check(const struct storm *s)
{
	sfr_loop_stats stats;
	size_t inflight = sfr_loop_inflight(s->loop), orphans = sfr_loop_orphans(s->loop);
	uint64_t out;

	must(inflight == (size_t)ops_alive + orphans, "%zu in flight, %d alive, %zu orphans",
	     inflight, ops_alive, orphans);
	if (!orphans)
		ops_abandoned_are_gone();
	releaser_settle();
	ops_releases_pending = false;
	sfr_loop_stats_get(s->loop, &stats, sizeof(stats));
	must(stats.bufs_free + stats.bufs_ring + stats.bufs_held == stats.bufs_total,
	     "the slab adds up");
	out = (uint64_t)blocks_out();
	must(stats.bufs_held <= out + (uint64_t)ops_streams + orphans,
	     "%" PRIu64 " held, %" PRIu64 " known", stats.bufs_held, out);
	must(ops_abandoned || ops_slab_max == 65536 || stats.bufs_held >= out,
	     "%" PRIu64 " held, %" PRIu64 " known", stats.bufs_held, out);
}

/* Those that a world insists on are left alone. Some loops have more than one size of buffers, and grow. */
static void settings_choose(int world, char *out, size_t out_size)
{
	static const char *const entries[] = {"8", "16", "64", "256"};
	static const uint32_t sizes[] = {256, 1024, 4096};
	uint32_t count = 8 + choice(120), size = sizes[choice(3)];
	bool grows = !choice(3);

	ops_slab_max = grows ? 65536 : size;
	snprintf(out, out_size, "%s%s buffers.count=%u buffers.receive=%u buffers.size=%u%s",
		 strstr(worlds_name(world), "8 entries") ? "" : "ring.entries=",
		 strstr(worlds_name(world), "8 entries") ? "" : entries[choice(4)], count,
		 1 + choice(count / 2), size,
		 grows ? " buffers.budget=2MiB buffers.small=128 buffers.large=64KiB" : "");
}

static sfr_loop *loop_choose(int world)
{
	char settings[256], why[256];
	sfr_config *config;
	sfr_loop *loop;

	settings_choose(world, settings, sizeof(settings));
	config = worlds_config(world, settings, why, sizeof(why));
	must(config != NULL, "%s", why);
	must(sfr_loop_new(&loop, config) == 0, "a loop with %s", settings);
	sfr_config_free(config);
	return loop;
}

static void hand_empty(void)
{
	while (hand_count) {
		struct item item = hand_take();

		item_gone(&item);
		sfr_buf_release(item.head);
	}
}

static void storm_blow(struct storm *storm)
{
	uint64_t step;

	for (step = 1; ops_submitted < storm->ops; step++) {
		uint32_t actions;

		choices_begin(storm->seed, step);
		for (actions = choice(choice(8) ? 6 : 60); actions; actions--)
			act(storm);
		if (!choice(400)) {
			ops_expect_cancelling();
			must(sfr_loop_drain(storm->loop, -1) == 0, "draining");
		}
		must(sfr_loop_step(storm->loop, choice(3) ? 0 : (int64_t)choice(300000)) >= 0,
		     "a turn");
		check(storm);
		if (!choice(8))
			must(sfr_loop_step(ops_listener, 0) >= 0, "a turn");
	}
}

static void message_heard(sfr_loop *loop, uint64_t value, void *arg)
{
	must(loop == ops_listener && value == 17, "the value that was sent");
	++*(int *)arg;
}

/* A second loop, which does nothing else. */
static void listener_open(int world, int *heard)
{
	*heard = 0;
	ops_listener = loop_choose(world);
	sfr_loop_on_msg(ops_listener, message_heard, heard);
}

static void listener_close(const int *heard)
{
	must(sfr_loop_step(ops_listener, 0) >= 0, "a turn");
	must(*heard >= ops_messages && *heard <= ops_messages_max,
	     "%d values were heard: at least %d were sent, at most %d", *heard, ops_messages,
	     ops_messages_max);
	must(sfr_loop_free(ops_listener) == 0, "nothing is in flight");
}

static void seed_run(uint64_t seed, int world, int ops)
{
	struct storm storm = {.seed = seed, .ops = ops};
	int descriptors = open_descriptors(), heard;
	pthread_t thread;

	model_reset();
	ops_reset();
	choices_begin(seed, 0);
	channels_open();
	listener_open((int)choice((uint32_t)world_count()), &heard);
	storm.loop = loop_choose(world);
	ops_register(storm.loop);
	must(sfr_loop_step(storm.loop, 0) >= 0, "a turn");
	must(pthread_create(&thread, NULL, releaser_run, NULL) == 0, "a thread");

	storm_blow(&storm);
	ops_expect_cancelling();
	must(sfr_loop_drain(storm.loop, -1) == 0, "draining");
	check(&storm);
	must(ops_alive == 0 && ops_abandoned == 0, "%d operations did not end", ops_alive);
	hand_empty();
	check(&storm);
	pthread_mutex_lock(&releaser.lock);
	releaser.stop = true;
	pthread_cond_broadcast(&releaser.changed);
	pthread_mutex_unlock(&releaser.lock);
	pthread_join(thread, NULL);
	must(sfr_loop_free(storm.loop) == 0, "nothing is in flight");
	listener_close(&heard);
	model_end();
	channels_close();
	must(open_descriptors() == descriptors, "%d descriptors are missing or left",
	     open_descriptors() - descriptors);
}

int main(int argc, char **argv)
{
	static const struct seeds storm = {
		.program = "storm",
		.about =
			"Random operations against a model of who owns what, on every engine and set of "
			"features in turn.",
		.ops = 1500,
		.ops_max = 15000,
		.run = seed_run,
		.sum_up = ops_print_endings,
	};

	signal(SIGPIPE, SIG_IGN);
	signal(SIGUSR1, SIG_IGN); /* while no operation waits for it */
	ops_count_endings();
	return seeds_run(&storm, argc, argv);
}
