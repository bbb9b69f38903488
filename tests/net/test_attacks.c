/* SPDX-License-Identifier: MIT */
/*
 * Attacks on the memory of a server, small: what tests/bench/attacks does at full size and with a clock. Here the
 * counters of the loop are looked at: the budget holds, and those who are honest are served, whatever the others do.
 */
#include "crowd.h"
#include "loop/loop.h"
#include "net/conn.h"
#include "net/relief.h"
#include <errno.h>
#include <safer_ring/error.h>
#include <string.h>
#include <unistd.h>

#define BUDGET "buffers.count=64 buffers.budget=1MiB buffers.receive=16 "
#define DEFAULT_BUDGET "buffers.budget=64MiB "
#define SOON "server.slow_after=20ms "
#define NEVER "server.slow_after=1000s "
#define CROWD_MAX 400

static int crowd[CROWD_MAX];

/*
 * A chat: what one says goes to all, and to itself, by reference.
 */

static sfr_conn *guests[CROWD_MAX + 2];
static int guest_count;
static uint64_t said; /* bytes, by whoever has a mark */
static sfr_conn *marked;

static void joined(sfr_conn *conn, void *arg)
{
	narrow_open(conn, arg);
	sfr_conn_set_data(conn, &guests[guest_count]);
	guests[guest_count++] = conn;
}

static void says(sfr_conn *conn, int result, sfr_buf *buf, void *arg)
{
	int i;

	(void)arg;
	said += conn == marked ? (uint64_t)result : 0;
	for (i = 0; i < guest_count; i++)
		if (guests[i])
			(void)sfr_conn_send(guests[i], sfr_buf_share(buf));
	sfr_buf_release(buf);
}

static void left(sfr_conn *conn, int reason, void *arg)
{
	*(sfr_conn **)sfr_conn_data(conn) = NULL;
	note_close(conn, reason, arg);
}

static const sfr_handlers chat = {.on_open = joined, .on_data = says, .on_close = left};

/* A chat of so many guests that never read, and of one more. */
static int chat_with(sfr_loop *loop, int count, sfr_server **server_out)
{
	int talker;

	guest_count = 0;
	said = 0;
	*server_out = serve(loop, &chat, &here);
	crowd_come(loop, *server_out, crowd, count);
	talker = peer_of(*server_out);
	turns_until(loop, here.opened == count + 1);
	marked = here.conn;
	return talker;
}

/* How often a peer hears a letter in what has come to it. */
static int hear_letter(int fd, char letter)
{
	static char heard[64 * KIB];
	int count = 0;
	ssize_t n, i;

	while ((n = recv(fd, heard, sizeof(heard), MSG_DONTWAIT)) > 0)
		for (i = 0; i < n; i++)
			count += heard[i] == letter;
	ck_assert_msg(n < 0 && errno == EAGAIN, "who listens was ended");
	return count;
}

START_TEST(who_listens_hears_itself_among_many_who_never_do)
{
	sfr_loop *loop = loop_in(_i, BUDGET SOON "server.queue_max=1GiB");
	int count = crowd_of(100), lines = 0, heard = 0, talker, honest, i;
	sfr_server *server;

	talker = chat_with(loop, count, &server);
	honest = peer_of(server);
	turns_until(loop, here.opened == count + 2);
	while (heard < 30) {
		if (lines == heard)
			lines += send(honest, "h", 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1;
		(void)press(talker);
		turns_until(loop, press(talker) || (heard += hear_letter(honest, 'h')) == lines);
		swallow(talker);
		heard += hear_letter(honest, 'h');
		crowd_within_budget(loop, count);
	}
	for (i = 0; i < here.closed; i++)
		ck_assert_int_eq(here.reasons[i], -SFR_ESLOW);
	ck_assert_uint_eq(stats_of(loop).bytes_heap, 0);
	close(talker);
	close(honest);
	crowd_go(loop, crowd, count);
}
END_TEST

/* Whether its receive is for one small buffer, as all are that poll first. */
static bool receives_little(sfr_loop *loop, const sfr_conn *conn)
{
	const sfr_op *op = sfr__op_find(&loop->ops, sfr__conn_of(conn)->recv);

	return op && (op->sqe.len || !(op->sqe.flags & IOSQE_BUFFER_SELECT));
}

/* It reads what it says, so its own queue is empty. What the others have of it counts as well. */
START_TEST(who_talks_to_those_who_do_not_read_is_held_to_its_share)
{
	sfr_loop *loop = loop_in(_i, BUDGET NEVER "server.queue_max=1GiB");
	const uint64_t arrival = loop->pool->slab.block_size;
	const struct sfr__relief *relief;
	uint64_t before = 0;
	sfr_server *server;
	int talker, i, round = -1;

	talker = chat_with(loop, 4, &server);
	relief = &sfr__conn_of(marked)->net->relief;
	while (!relief->on || !receives_little(loop, marked)) {
		(void)press(talker);
		turn_once(loop);
		swallow(talker);
	}
	for (i = 0; i < 300; i++) {
		if (relief->round != round) {
			round = relief->round;
			before = said;
		}
		(void)press(talker);
		(void)sfr_loop_step(loop, 0);
		swallow(talker);
		if (relief->round == round)
			ck_assert_uint_le(said - before, relief->share + arrival);
	}
	close(talker);
	crowd_go(loop, crowd, 4);
}
END_TEST

/* The kernel takes no more for it. */
static void fill_up(sfr_loop *loop, sfr_conn *conn)
{
	static char filler[2 * MIB];
	sfr_buf *buf = sfr_buf_wrap(loop, filler, sizeof(filler), NULL, NULL);

	buf->len = sizeof(filler);
	ck_assert_int_gt(sfr_conn_send(conn, buf), 0);
}

/* A byte that waits for a hundred is a hundred descriptors, and no more than a small buffer. */
START_TEST(what_waits_for_many_takes_no_more_than_the_budget_with_its_descriptors)
{
	sfr_loop *loop = loop_in(_i, BUDGET NEVER);
	int count = crowd_of(100), talker, i;
	sfr_server *server;
	uint64_t descriptors, line = (uint64_t)(count + 1) * sizeof(struct sfr__buf);

	talker = chat_with(loop, count, &server);
	for (i = 0; i < count; i++)
		fill_up(loop, guests[i]);
	for (i = 1; i <= 600 && !sfr__conn_of(marked)->net->relief.dry; i++) {
		ck_assert_int_eq(send(talker, "x", 1, MSG_NOSIGNAL), 1);
		turns_until(loop, said == (uint64_t)i || sfr__conn_of(marked)->net->relief.dry);
		swallow(talker);
	}
	descriptors = loop->pool->shares_max * sizeof(struct sfr__buf);
	ck_assert_uint_gt(descriptors, stats_of(loop).budget / 4);
	ck_assert_uint_le(stats_of(loop).bytes_max + descriptors,
			  stats_of(loop).budget * 9 / 8 + line);
	close(talker);
	crowd_go(loop, crowd, count);
	ck_assert_uint_eq(loop->pool->shares, 0);
}
END_TEST

/*
 * Programs that keep what they receive. An honest peer says "hello", and is answered.
 */

#define KEPT_MAX 10000

static sfr_buf *kept[KEPT_MAX];
static int kept_count, keep_most, said_count;
static uint64_t kept_bytes;
static int stop_round; /* an arrival in it, or later, stops the loop */

static bool is_honest(const sfr_buf *buf)
{
	return buf->data[0] == 'h';
}

/* Of each the last that it said. */
static void keep_last(sfr_conn *conn, int result, sfr_buf *buf, void *arg)
{
	if (is_honest(buf)) {
		echo(conn, result, buf, arg);
		return;
	}
	said_count++;
	sfr_buf_release(sfr_conn_data(conn));
	sfr_conn_set_data(conn, buf);
}

static void release_last(sfr_conn *conn, int reason, void *arg)
{
	sfr_buf_release(sfr_conn_data(conn));
	note_close(conn, reason, arg);
}

static bool is_to_keep(const sfr_buf *buf)
{
	return buf->data[0] == 'k' && kept_count < keep_most;
}

/* All that begins with a letter, if that is not too much. */
static void keep_letters(sfr_conn *conn, int result, sfr_buf *buf, void *arg)
{
	if (is_honest(buf)) {
		echo(conn, result, buf, arg);
	} else if (is_to_keep(buf)) {
		kept_bytes += buf->len;
		kept[kept_count++] = buf;
	} else {
		sfr_buf_release(buf);
	}
	if (stop_round && sfr__conn_of(conn)->net->relief.round >= stop_round)
		sfr_loop_stop(sfr_conn_loop(conn));
}

static void kept_release(void)
{
	keep_most = 0;
	while (kept_count)
		sfr_buf_release(kept[--kept_count]);
}

static bool all_is_as_it_was(void)
{
	uint32_t at;
	int i;

	for (i = 0; i < kept_count; i++)
		for (at = 0; at < kept[i]->len; at++)
			if (kept[i]->data[at] != 'k')
				return false;
	return true;
}

static const sfr_handlers keeper_of_last = {.on_open = note_open,
					    .on_data = keep_last,
					    .on_drain = note_drain,
					    .on_close = release_last};
static const sfr_handlers keeper_of_letters = {.on_open = note_open,
					       .on_data = keep_letters,
					       .on_drain = note_drain,
					       .on_close = note_close};
static bool is_in(const struct sfr__slab *slab, const sfr_buf *buf)
{
	return sfr__arena_owner(slab->arena, buf->data) == slab;
}

START_TEST(clients_of_whom_a_byte_each_is_kept_starve_nobody)
{
	sfr_loop *loop = loop_in(_i, BUDGET);
	sfr_server *server = serve(loop, &keeper_of_last, &here);
	int count = crowd_of(CROWD_MAX), round, honest, i;
	/* Who polls first takes a block before it has the byte: some at a time, then. */
	int at_once = world_has_buffer_rings(_i) ? CROWD_MAX : 40;

	said_count = 0;

	crowd_come(loop, server, crowd, count);
	honest = peer_of(server);
	for (round = 1; round <= 3; round++) {
		for (i = 0; i < count; i++) {
			ck_assert_int_eq(send(crowd[i], "k", 1, MSG_NOSIGNAL), 1);
			if (i % at_once == 0)
				turns_until(loop, said_count == count * (round - 1) + i + 1);
		}
		turns_until(loop, said_count == count * round);
		ask_and_hear(loop, honest, 5);
		crowd_within_budget(loop, count);
	}
	ck_assert_uint_ge(stat_held(loop), (uint64_t)count);
	close(honest);
	crowd_go(loop, crowd, count);
}
END_TEST

/* So many lines are kept, and after each so many another one pours what is not. */
static void keep_lines(int world, int count, uint32_t size, int pour_after)
{
	sfr_loop *loop = loop_in(world, DEFAULT_BUDGET);
	sfr_server *server = serve(loop, &keeper_of_letters, &here);
	int keeper = peer_of(server), honest = peer_of(server), i;
	static const char zeros[64 * KIB];
	char line[KIB];

	keep_most = KEPT_MAX;
	crowd_come(loop, server, crowd, 1);
	memset(line, 'k', sizeof(line));
	for (i = 0; i < count; i++) {
		if (i % pour_after == 0)
			(void)send(crowd[0], zeros, sizeof(zeros), MSG_DONTWAIT | MSG_NOSIGNAL);
		ck_assert_int_eq(send(keeper, line, size, MSG_NOSIGNAL), size);
		turns_until(loop, kept_bytes == (uint64_t)(i + 1) * size);
		if (i % (count / 10) == 0)
			ask_and_hear(loop, honest, 5);
	}
	ask_and_hear(loop, honest, 5);
	crowd_within_budget(loop, 3);
	ck_assert(all_is_as_it_was());
	kept_release();
	close(keeper);
	close(honest);
	crowd_go(loop, crowd, 1);
}

START_TEST(a_byte_of_each_of_ten_thousand_arrivals_may_be_kept)
{
	keep_lines(_i, 10000, 1, 50);
}
END_TEST

/* Too long to be copied while there is memory: each keeps a whole block, in the end of all that there may be. */
START_TEST(lines_that_lie_in_large_blocks_may_be_kept)
{
	keep_lines(_i, 1000, 600, 1);
}
END_TEST

/* What was made for large messages serves when small buffers are used up, or nobody would be served, nor ended. */
START_TEST(lines_arrive_in_large_blocks_where_there_is_no_small_buffer)
{
	sfr_loop *loop = loop_in(_i,
				 "features.incremental=off buffers.budget=8MiB buffers.count=64 "
				 "buffers.small=0 buffers.large=0 " NEVER);
	sfr_server *server = serve(loop, &keeper_of_letters, &here);
	static sfr_buf *bufs[2048];
	int keeper, held = 0, count;

	if (!world_has_buffer_rings(_i))
		return;
	keep_most = KEPT_MAX;
	crowd_come(loop, server, crowd, 1);
	keeper = peer_of(server);
	while (!loop->pool->stream.free_count) {
		(void)press(crowd[0]);
		turn_once(loop);
	}
	while ((bufs[held] = sfr_buf_get(loop, 4096)))
		held++;
	do { /* the ring of small buffers has some still */
		count = kept_count;
		ck_assert_int_eq(send(keeper, "k", 1, MSG_NOSIGNAL), 1);
		turns_until(loop, kept_count > count);
	} while (is_in(&loop->pool->slab, kept[count]));
	ck_assert(is_in(&loop->pool->stream, kept[count]));
	ck_assert(all_is_as_it_was());
	kept_release();
	while (held)
		sfr_buf_release(bufs[--held]);
	close(keeper);
	crowd_go(loop, crowd, 1);
}
END_TEST

/* Nothing else happens that would wake the loop. */
START_TEST(who_had_its_share_is_received_from_again_in_the_next_round)
{
	sfr_loop *loop = loop_in(_i, BUDGET NEVER);
	sfr_server *server = serve(loop, &keeper_of_letters, &here);
	char lines[4 * KIB];
	sfr_conn *conn;

	keep_most = KEPT_MAX;
	crowd_come(loop, server, crowd, 1);
	conn = here.conn;
	memset(lines, 'k', sizeof(lines));
	do {
		while (send(crowd[0], lines, sizeof(lines), MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
			;
		turn_once(loop);
	} while (!sfr__conn_of(conn)->held);
	stop_round = sfr__conn_of(conn)->net->relief.round + 2;
	run_until_stopped(loop);
	kept_release();
	crowd_go(loop, crowd, 1);
}
END_TEST

/*
 * Many large messages at a time: more than the rings have room for, so receives are rationed.
 */

#define ASKERS 200
#define MESSAGE (64 * KIB)
#define IN_FLIGHT 2

static struct asker {
	int fd;
	uint64_t sent, heard;
} askers[ASKERS];

/* As much as it may have in flight, and what has come. */
static void asker_go_on(struct asker *asker)
{
	static char bytes[MESSAGE];
	uint64_t may = asker->heard + IN_FLIGHT * MESSAGE - asker->sent;
	ssize_t n;

	while ((n = recv(asker->fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
		asker->heard += (uint64_t)n;
	ck_assert_msg(n < 0 && errno == EAGAIN, "one of many was ended");
	n = send(asker->fd, bytes, may < sizeof(bytes) ? may : sizeof(bytes),
		 MSG_DONTWAIT | MSG_NOSIGNAL);
	asker->sent += n > 0 ? (uint64_t)n : 0;
}

/* The most and the least that one of them has heard. */
static void asker_limits(uint64_t *most, uint64_t *least)
{
	int i;

	*most = *least = askers[0].heard;
	for (i = 1; i < ASKERS; i++) {
		*most = askers[i].heard > *most ? askers[i].heard : *most;
		*least = askers[i].heard < *least ? askers[i].heard : *least;
	}
}

START_TEST(with_many_large_messages_nobody_is_left_out)
{
	sfr_loop *loop = loop_in(_i, DEFAULT_BUDGET);
	sfr_server *server = serve(loop, &echo_all, &here);
	uint64_t most, least = 0;
	int i;

	ck_assert_int_eq(crowd_of(ASKERS), ASKERS);
	for (i = 0; i < ASKERS; i++)
		askers[i].fd = peer_of(server);
	turns_until(loop, here.opened == ASKERS);
	while (least < MESSAGE) {
		for (i = 0; i < ASKERS; i++)
			asker_go_on(&askers[i]);
		ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
		asker_limits(&most, &least);
		ck_assert_uint_le(most, least + 100 * MESSAGE);
	}
	if (!loop->settings.ring
		     .sqpoll) /* else turns pass before it is known that a ring is empty */
		ck_assert_uint_le(stats_of(loop).parked, (uint64_t)here.received + ASKERS);
	ck_assert_uint_le(stats_of(loop).bytes_max, stats_of(loop).budget);
	for (i = 0; i < ASKERS; i++)
		peer_reset(askers[i].fd);
	turns_until(loop, here.closed == here.opened);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("attacks");
	TCase *tcase = peers_case(suite, "a chat");

	world_test(tcase, who_listens_hears_itself_among_many_who_never_do);
	world_test(tcase, who_talks_to_those_who_do_not_read_is_held_to_its_share);
	world_test(tcase, what_waits_for_many_takes_no_more_than_the_budget_with_its_descriptors);
	tcase = peers_case(suite, "keepers");
	world_test(tcase, clients_of_whom_a_byte_each_is_kept_starve_nobody);
	world_test(tcase, a_byte_of_each_of_ten_thousand_arrivals_may_be_kept);
	world_test(tcase, lines_that_lie_in_large_blocks_may_be_kept);
	world_test(tcase, lines_arrive_in_large_blocks_where_there_is_no_small_buffer);
	world_test(tcase, who_had_its_share_is_received_from_again_in_the_next_round);
	tcase = peers_case(suite, "large messages");
	world_test(tcase, with_many_large_messages_nobody_is_left_out);
	return world_run(suite);
}
