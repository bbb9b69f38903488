/* SPDX-License-Identifier: MIT */
/*
 * Races of a host: something happens in another thread before, while or after the host prepares, falls asleep,
 * wakes and steps. It must be told of it, whenever that was, or it sleeps for ever.
 *
 * A round is one event. The other thread waits for its number, spins for a random time, and acts; the host does
 * what hosts do, not always all of it, and in between spins for random times, too.
 */
#include "hosts.h"
#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#define MS 1000000
#define SPIN_MAX 4000 /* some ten microseconds: as long as a round takes the host */

static atomic_int round_begun; /* 0: none yet; negative: no more */
static atomic_int happened;    /* as the loop's callbacks tell */

struct race {
	sfr_loop *loop;
	int fd;
	int read_end, write_end; /* of a pipe */
	void (*act)(struct race *race, unsigned *random);
	sfr_buf *_Atomic buf;
};

static unsigned chance(unsigned *random, unsigned below)
{
	*random = *random * 1664525 + 1013904223;
	return (*random >> 16) % below;
}

static void spin(unsigned *random)
{
	unsigned i = chance(random, 4) ? chance(random, SPIN_MAX) : 0;

	while (i--)
		atomic_signal_fence(memory_order_seq_cst);
}

static void *other_thread(void *arg)
{
	struct race *race = arg;
	unsigned random = 1;
	int done = 0, begun;

	while ((begun = atomic_load(&round_begun)) >= 0) {
		if (begun == done) {
			sched_yield();
			continue;
		}
		done = begun;
		spin(&random);
		race->act(race, &random);
	}
	return NULL;
}

/* What a host does in one round of its own; it may be woken in vain. */
static void host_round(struct host *host, struct race *race, unsigned *random)
{
	if (chance(random, 2))
		(void)sfr_loop_prepare(race->loop);
	spin(random);
	if (!chance(random, 8))
		(void)sfr_loop_prepare(race->loop);
	ck_assert_msg(host_sleep(host, PATIENCE_NS) > 0, "%s: round %d is not told",
		      host_name(host->kind), atomic_load(&round_begun));
	if (!chance(random, 4)) /* it forgets to step, and is told again */
		return;
	ck_assert_int_ge(sfr_loop_step(race->loop, 0), 0);
	if (!chance(random, 4)) {
		spin(random);
		ck_assert_int_ge(sfr_loop_step(race->loop, 0), 0);
	}
}

static bool is_edge(const struct host *host)
{
	return host->kind == HOST_EPOLL_EDGE;
}

/* An edge is told once, so who asked for that must step. */
static void edge_round(struct host *host, struct race *race, unsigned *random)
{
	if (chance(random, 2))
		(void)sfr_loop_prepare(race->loop);
	spin(random);
	ck_assert_msg(host_sleep(host, PATIENCE_NS) > 0, "%s: round %d is not told",
		      host_name(host->kind), atomic_load(&round_begun));
	ck_assert_int_ge(sfr_loop_step(race->loop, 0), 0);
}

static void race_in(struct race *race, enum host_kind kind, int rounds,
		    void (*before)(struct race *race))
{
	unsigned random = 2 + (unsigned)kind;
	struct host host;
	pthread_t thread;
	int i;

	host_init(&host, kind);
	host_watch(&host, race->fd);
	fall_quiet(race->loop);
	atomic_store(&happened, 0);
	atomic_store(&round_begun, 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, other_thread, race), 0);
	for (i = 1; i <= rounds; i++) {
		if (before)
			before(race);
		atomic_store(&round_begun, i);
		while (atomic_load(&happened) < i) {
			if (is_edge(&host))
				edge_round(&host, race, &random);
			else
				host_round(&host, race, &random);
		}
	}
	atomic_store(&round_begun, -1);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	fall_quiet(race->loop); /* nothing of it is left that would wake for ever */
	host_fini(&host);
}

static void race_in_all(struct race *race, int rounds, void (*before)(struct race *race))
{
	int kind;

	for (kind = 0; kind < HOST_KINDS; kind++)
		race_in(race, (enum host_kind)kind, rounds, before);
}

static struct race race_with(sfr_loop *loop)
{
	struct race race = {.loop = loop, .fd = sfr_loop_fd(loop)};

	pair_of_pipe_ends(&race.read_end, &race.write_end);
	return race;
}

/*
 * Completions.
 */

static void happens(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	(void)loop;
	(void)arg;
	sfr_buf_release(buf);
	if (result >= 0)
		atomic_fetch_add(&happened, 1);
}

static void write_byte(struct race *race, unsigned *random)
{
	(void)random;
	ck_assert_int_eq(write(race->write_end, "x", 1), 1);
}

static void begin_read(struct race *race)
{
	sfr_submit(sfr_read(race->loop, race->read_end, sfr_buf_get(race->loop, 1)), happens, NULL);
}

START_TEST(a_completion_is_told_whenever_it_comes)
{
	struct race race = race_with(loop_in(_i, NULL));

	race.act = write_byte;
	race_in_all(&race, 250, begin_read);
}
END_TEST

/* One op for all rounds: what is armed anew is armed by the loop, in its turns. */
START_TEST(what_a_multishot_op_receives_is_told_whenever_it_comes)
{
	struct race race = race_with(loop_in(_i, NULL));
	sfr_ticket ticket = sfr_submit(sfr_read_multi(race.loop, race.read_end), happens, NULL);

	race.act = write_byte;
	race_in_all(&race, 250, NULL);
	sfr_cancel(race.loop, ticket);
	fall_quiet(race.loop);
}
END_TEST

/*
 * Other threads.
 */

static void posted(sfr_loop *loop, void *arg)
{
	(void)loop;
	(void)arg;
	atomic_fetch_add(&happened, 1);
}

static void post(struct race *race, unsigned *random)
{
	(void)random;
	ck_assert_int_eq(sfr_loop_post(race->loop, posted, NULL), 0);
}

START_TEST(a_post_is_told_whenever_it_comes)
{
	struct race race = race_with(loop_in(_i, NULL));

	race.act = post;
	race_in_all(&race, 250, NULL);
}
END_TEST

static int work(void *arg)
{
	unsigned random = (unsigned)(uintptr_t)arg;

	spin(&random);
	return 0;
}

static void begin_work(struct race *race)
{
	static uintptr_t number;

	sfr_submit(sfr_work(race->loop, work, (void *)number++), happens, NULL);
}

static void rest(struct race *race, unsigned *random)
{
	(void)race;
	(void)random;
}

START_TEST(work_that_is_done_is_told_whenever_that_is)
{
	struct race race = race_with(loop_in(_i, NULL));

	race.act = rest;
	race_in_all(&race, 75, begin_work);
}
END_TEST

/* The only buffer: its receiver has it, the other thread lets it go, and it is to be filled again. */
static struct race *starving;

static void received(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	(void)loop;
	(void)arg;
	if (result <= 0)
		return;
	atomic_store(&starving->buf, buf);
	atomic_fetch_add(&happened, 1);
}

static void release(struct race *race, unsigned *random)
{
	sfr_buf *buf = atomic_exchange(&race->buf, NULL);

	(void)random;
	sfr_buf_release(buf);
}

/* There is something to receive, and nothing to receive it with but what the round before has. */
static void begin_starving(struct race *race)
{
	ck_assert_int_eq(write(race->write_end, "x", 1), 1);
}

START_TEST(a_buffer_for_those_who_starve_is_told_whenever_it_comes)
{
	struct race race = race_with(loop_in(_i, "buffers.count=1"));
	sfr_ticket ticket;
	int kind;

	starving = &race;
	race.act = release;
	ticket = sfr_submit(sfr_read_multi(race.loop, race.read_end), received, NULL);
	for (kind = 0; kind < HOST_KINDS; kind++) {
		race_in(&race, (enum host_kind)kind, 200, begin_starving);
		sfr_buf_release(atomic_exchange(&race.buf, NULL));
	}
	sfr_cancel(race.loop, ticket);
	fall_quiet(race.loop);
}
END_TEST

/*
 * Time.
 */

static void begin_timer(struct race *race)
{
	static unsigned random = 7;

	sfr_submit(sfr_timeout(race->loop, chance(&random, 150000)), happens, NULL);
}

START_TEST(a_timer_is_told_whenever_it_is_due)
{
	struct race race = race_with(loop_in(_i, NULL));

	race.act = rest;
	race_in_all(&race, 75, begin_timer);
}
END_TEST

static void write_byte_late(struct race *race, unsigned *random)
{
	if (!chance(random, 4)) { /* the deadline may win: then the byte is for the next */
		struct timespec ts = {.tv_nsec = (long)chance(random, 1000000)};

		nanosleep(&ts, NULL);
	}
	write_byte(race, random);
}

static void happens_or_expires(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	struct race *race = arg;

	(void)loop;
	sfr_buf_release(buf);
	if (result == -ETIMEDOUT) /* the byte comes still */
		begin_read(race);
	else if (result >= 0)
		atomic_fetch_add(&happened, 1);
}

static void begin_read_within(struct race *race)
{
	static unsigned random = 7;
	uint64_t ns = chance(&random, 2) ? 20000 + chance(&random, 400000) : 3600000000000;

	sfr_submit(sfr_within(sfr_read(race->loop, race->read_end, sfr_buf_get(race->loop, 1)), ns),
		   happens_or_expires, race);
}

START_TEST(a_deadline_or_a_completion_is_told_whichever_comes_first)
{
	struct race race = race_with(loop_in(_i, NULL));

	race.act = write_byte_late;
	race_in_all(&race, 60, begin_read_within);
}
END_TEST

/*
 * Two loops, each in a host in a thread of its own, that answer each other.
 */

static struct player {
	sfr_loop *loop, *other;
	int fd;
	atomic_int heard;
	unsigned random;
} players[2];

enum { ROUNDS = 1500 };

static void answer(sfr_loop *loop, uint64_t value, void *arg)
{
	struct player *player = arg;

	atomic_fetch_add(&player->heard, 1);
	if (value < ROUNDS)
		sfr_submit(sfr_msg(loop, player->other, value + 1), NULL, NULL);
}

static void *play(void *arg)
{
	struct player *player = arg;
	struct host host;

	host_init(&host, player->random & 1 ? HOST_EPOLL : HOST_POLL);
	host_watch(&host, player->fd);
	while (atomic_load(&player->heard) < ROUNDS / 2) {
		ck_assert_int_gt(host_sleep(&host, PATIENCE_NS), 0);
		if (chance(&player->random, 8))
			ck_assert_int_ge(sfr_loop_step(player->loop, 0), 0);
		if (chance(&player->random, 2))
			(void)sfr_loop_prepare(player->loop);
		spin(&player->random);
	}
	while (sfr_loop_inflight(player->loop))
		ck_assert_int_ge(sfr_loop_step(player->loop, 0), 0);
	host_fini(&host);
	return NULL;
}

START_TEST(two_loops_in_two_hosts_answer_each_other)
{
	pthread_t thread;
	sfr_loop *second;
	int i;
	sfr_config *config = config_in(_i, NULL);

	ck_assert_int_eq(sfr_loop_new(&second, config), 0);
	sfr_config_free(config);
	memset(players, 0, sizeof(players));
	players[0].loop = players[1].other = loop_in(_i, NULL);
	players[1].loop = players[0].other = second;
	for (i = 0; i < 2; i++) {
		players[i].random = (unsigned)i;
		players[i].fd = sfr_loop_fd(players[i].loop);
		sfr_loop_on_msg(players[i].loop, answer, &players[i]);
	}
	sfr_submit(sfr_msg(players[0].loop, players[1].loop, 1), NULL, NULL);
	ck_assert_int_eq(pthread_create(&thread, NULL, play, &players[1]), 0);
	(void)play(&players[0]);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_int_eq(players[0].heard + players[1].heard, ROUNDS);
	ck_assert_int_eq(sfr_loop_free(second), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("embed races");
	TCase *tc = peers_case(suite, "completions");

	world_test(tc, a_completion_is_told_whenever_it_comes);
	world_test(tc, what_a_multishot_op_receives_is_told_whenever_it_comes);
	tc = peers_case(suite, "other threads");
	world_test(tc, a_post_is_told_whenever_it_comes);
	world_test(tc, work_that_is_done_is_told_whenever_that_is);
	world_test(tc, a_buffer_for_those_who_starve_is_told_whenever_it_comes);
	world_test(tc, two_loops_in_two_hosts_answer_each_other);
	tc = peers_case(suite, "time");
	world_test(tc, a_timer_is_told_whenever_it_is_due);
	world_test(tc, a_deadline_or_a_completion_is_told_whichever_comes_first);
	return world_run(suite);
}
