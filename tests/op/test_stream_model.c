/* SPDX-License-Identifier: MIT */
/*
 * Streams against a model: each byte follows from its stream and its place, so whatever arrives is compared with what
 * was sent, and what is kept, shared or sent on is compared again, later. Sizes lie around the ends of blocks; receives
 * are cancelled and begun again; streams end; memory is short, and is not. All by chance: a failure names the seed, and
 * SFR_SEED=N in the environment has it again.
 */
#include "world.h"
#include "loop/loop.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { STREAMS = 6, KEPT_MAX = 400, HELD_MAX = 3000, STEPS = 40 };

static uint32_t first_seed, seed;

#define claim(holds) \
	ck_assert_msg(holds, "%s; to see it again: SFR_SEED=%u", #holds, (unsigned)first_seed)

static uint32_t choice(uint32_t below)
{
	seed = seed * 1664525 + 1013904223;
	return (uint32_t)(((uint64_t)seed * below) >> 32);
}

static bool chance(uint32_t percent)
{
	return choice(100) < percent;
}

static unsigned char byte_at(uint32_t stream, uint64_t place)
{
	return (unsigned char)(place * 7 + (place >> 8) * 13 + (place >> 16) + stream * 101);
}

/*
 * Streams.
 */

static struct stream {
	uint32_t id; /* which bytes it has */
	int near, far;
	uint64_t sent, received;
	bool receives, finished, ended;
	sfr_ticket ticket;
} streams[STREAMS];

static uint32_t ids;

/* What was kept of one: bytes from a place on. */
struct part {
	sfr_buf *buf;
	uint32_t id;
	uint64_t from;
};

static struct part kept[KEPT_MAX];
static uint32_t kept_count, keep_most;

static void part_look(const struct part *part)
{
	uint32_t i;

	for (i = 0; i < part->buf->len; i++)
		if (part->buf->data[i] != byte_at(part->id, part->from + i))
			ck_abort_msg(
				"byte %llu of stream %u is wrong; to see it again: SFR_SEED=%u",
				(unsigned long long)(part->from + i), (unsigned)part->id,
				(unsigned)first_seed);
}

/* The one that is taken out. */
static struct part part_take(void)
{
	uint32_t i = choice(kept_count);
	struct part part = kept[i];

	kept[i] = kept[--kept_count];
	part_look(&part);
	return part;
}

static void part_keep(struct part part)
{
	if (kept_count == KEPT_MAX)
		sfr_buf_release(part_take().buf);
	kept[kept_count++] = part;
}

static void kept_release(uint32_t most)
{
	while (kept_count > most)
		sfr_buf_release(part_take().buf);
}

static void arrived(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	struct stream *stream = arg;
	struct part part = {buf, stream->id, stream->received};

	(void)loop;
	if (result <= 0) {
		claim(!buf && (result == 0 || result == -ECANCELED));
		claim(result < 0 || (stream->finished && stream->received == stream->sent));
		stream->ended = result == 0;
		stream->receives = false;
		return;
	}
	claim(buf->len == (uint32_t)result && buf->cap >= buf->len);
	part_look(&part);
	stream->received += (uint64_t)result;
	claim(stream->received <= stream->sent);
	part_keep(part);
	kept_release(keep_most);
}

static void stream_receive(sfr_loop *loop, struct stream *stream)
{
	stream->receives = true;
	stream->ticket = sfr_submit(sfr_recv_multi(loop, stream->near), arrived, stream);
}

static void stream_open(sfr_loop *loop, struct stream *stream)
{
	*stream = (struct stream){.id = ids++};
	if (chance(30))
		pair_of_unix_sockets(&stream->near, &stream->far);
	else
		pair_of_sockets(&stream->near, &stream->far);
	claim(fcntl(stream->far, F_SETFL, O_NONBLOCK) == 0);
	stream_receive(loop, stream);
}

/* A size around one that something of the loop has. */
static size_t size_choose(const sfr_loop *loop)
{
	const struct sfr__pool *pool = loop->pool;
	const uint32_t sizes[] = {pool->small_max, pool->slab.block_size, 64 * 1024,
				  pool->stream.block_size};
	const uint32_t below[] = {2, 80, 600, 5000, 40000};
	uint32_t size;

	if (chance(60))
		return 1 + choice(below[choice(5)]);
	size = sizes[choice(4)];
	if (size < 4 || chance(30)) /* or to the end of a block that is used in part */
		size = (uint32_t)loop->recv[SFR__RECV_STREAM].room % (sizes[3] ? sizes[3] : 4096) +
		       3;
	return size - 2 + choice(5);
}

/* As much of it as the socket takes. */
static void stream_say(struct stream *stream, size_t size)
{
	static unsigned char bytes[300 * 1024];
	ssize_t r;
	size_t n;

	for (n = 0; n < size; n++)
		bytes[n] = byte_at(stream->id, stream->sent + n);
	r = send(stream->far, bytes, size, MSG_NOSIGNAL);
	claim(r > 0 || errno == EAGAIN);
	stream->sent += r > 0 ? (uint64_t)r : 0;
}

/*
 * What else happens.
 */

/* All that was sent on, in order: both ends of it, and what is to come out. */
static int sink_in, sink_out;
static unsigned char expected[1 << 20];
static size_t expected_in, expected_out; /* they wrap */
static int sending;

static void sink_read(void)
{
	unsigned char bytes[65536];
	ssize_t r, i;

	while ((r = recv(sink_out, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
		for (i = 0; i < r; i++)
			claim(bytes[i] == expected[expected_out++ % sizeof(expected)]);
}

static void sent_on(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	(void)loop;
	(void)arg;
	sending--;
	claim(result == (int)buf->len);
	sfr_buf_release(buf);
}

/* One at a time, or they could overtake each other. */
static void part_send_on(sfr_loop *loop)
{
	struct part part;
	uint32_t i;

	if (sending || !kept_count)
		return;
	part = part_take();
	for (i = 0; i < part.buf->len; i++)
		expected[expected_in++ % sizeof(expected)] = part.buf->data[i];
	sending++;
	sfr_submit(sfr_all(sfr_send(loop, sink_in, part.buf)), sent_on, NULL);
}

/* Another reference, of which the first bytes are cut off. */
static void part_share(void)
{
	struct part part;
	uint32_t cut;

	if (!kept_count)
		return;
	part = kept[choice(kept_count)];
	part.buf = sfr_buf_share(part.buf);
	if (!part.buf)
		return;
	cut = choice(part.buf->len);
	part.buf->data += cut;
	part.buf->len -= cut;
	part.from += cut;
	part_keep(part);
}

/* The program takes memory, or gives it back. */
static sfr_buf *held[HELD_MAX];
static uint32_t held_count;

static void memory_hold(sfr_loop *loop)
{
	uint32_t most = held_count + 1 + choice(300);

	while (held_count < most && held_count < HELD_MAX &&
	       (held[held_count] = sfr_buf_get(loop, chance(50) ? 1 : 4096)))
		held_count++;
}

static void memory_give(void)
{
	while (held_count)
		sfr_buf_release(held[--held_count]);
}

static void something_happens(sfr_loop *loop)
{
	struct stream *stream = &streams[choice(STREAMS)];
	uint32_t what = choice(100);

	if (what < 60 && !stream->finished)
		stream_say(stream, size_choose(loop));
	else if (what < 70)
		part_share();
	else if (what < 80)
		part_send_on(loop);
	else if (what < 84)
		memory_hold(loop);
	else if (what < 88)
		memory_give();
	else if (what < 92)
		kept_release(choice(kept_count + 1));
	else if (what < 96 && stream->receives)
		(void)sfr_cancel(loop, stream->ticket);
	else if (what < 98 && !stream->finished)
		stream->finished = shutdown(stream->far, SHUT_WR) == 0;
}

static void streams_go_on(sfr_loop *loop)
{
	int i;

	for (i = 0; i < STREAMS; i++)
		if (streams[i].ended)
			stream_open(loop, &streams[i]);
		else if (!streams[i].receives)
			stream_receive(loop, &streams[i]);
}

/*
 * The test.
 */

static const char *const mixes[] = {
	"buffers.budget=64MiB",
	"buffers.budget=1MiB buffers.size=512 buffers.count=128 buffers.small=128",
	"buffers.budget=4MiB buffers.size=4KiB buffers.count=64 buffers.small=0 buffers.receive=4",
	"buffers.count=64",
};

#define MIXES ((int)(sizeof(mixes) / sizeof(mixes[0])))

static void seed_choose(int test)
{
	const char *wished = getenv("SFR_SEED");

	first_seed = wished ? (uint32_t)strtoul(wished, NULL, 10)
			    : (uint32_t)time(NULL) * 1000 + (uint32_t)test;
	seed = first_seed;
}

static bool all_is_over(void *loop)
{
	int i;

	sink_read();
	kept_release(0);
	streams_go_on(loop);
	for (i = 0; i < STREAMS; i++)
		if (streams[i].received != streams[i].sent)
			return false;
	return !sending && expected_out == expected_in;
}

START_TEST(whatever_happens_each_byte_arrives_once_in_order_and_stays_as_it_is)
{
	sfr_loop *loop = loop_in(_i / MIXES, mixes[_i % MIXES]);
	int i, step;

	seed_choose(_i);
	keep_most = choice(KEPT_MAX);
	pair_of_sockets(&sink_in, &sink_out);
	for (i = 0; i < STREAMS; i++)
		stream_open(loop, &streams[i]);
	for (step = 0; step < STEPS; step++) {
		for (i = (int)choice(5); i >= 0; i--)
			something_happens(loop);
		ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
		sink_read();
		streams_go_on(loop);
	}
	memory_give();
	turn_until_true(loop, all_is_over, loop);
	ck_assert_uint_le(stats_of(loop).bytes_max,
			  stats_of(loop).budget ? stats_of(loop).budget : UINT64_MAX);
	ck_assert_int_eq(sfr_loop_drain(loop, -1), 0);
	kept_release(0);
	ck_assert_uint_eq(stat_held(loop), 0);
}
END_TEST

/*
 * Cuts, one by one.
 */

static bool has_arrived(void *stream)
{
	const struct stream *s = stream;

	return s->received == s->sent;
}

/* So many bytes, if the socket takes them, and what comes of them. */
static void say_and_hear(sfr_loop *loop, size_t size)
{
	stream_say(&streams[0], size);
	turn_until_true(loop, has_arrived, &streams[0]);
}

/* Room in the block in which the next arrival begins. */
static uint32_t room_now(const sfr_loop *loop)
{
	const struct sfr__recv_ring *recv = &loop->recv[SFR__RECV_STREAM];
	uint32_t room;

	if (!recv->incremental)
		return loop->pool->slab.block_size;
	room = (uint32_t)(recv->room % recv->slab->block_size);
	return room ? room : recv->slab->block_size;
}

START_TEST(an_arrival_may_end_and_begin_anywhere_about_the_end_of_a_block)
{
	sfr_loop *loop = loop_in(_i / MIXES, mixes[_i % MIXES]);
	const uint32_t about = 3;
	uint32_t cut;

	seed_choose(_i);
	keep_most = 50;
	stream_open(loop, &streams[0]);
	say_and_hear(loop, 1);
	for (cut = 0; cut <= 2 * about; cut++) {
		while (room_now(loop) > 8192)
			say_and_hear(loop, 6000);
		say_and_hear(loop, room_now(loop) - about + cut);
		say_and_hear(loop, 1);
		say_and_hear(loop, 2 * about);
	}
	ck_assert_int_eq(sfr_loop_drain(loop, -1), 0);
	kept_release(0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("stream model");
	TCase *tc = world_case(suite, "cuts");

	tcase_add_loop_test(tc, an_arrival_may_end_and_begin_anywhere_about_the_end_of_a_block, 0,
			    world_count() * MIXES);
	tc = world_case(suite, "by chance");
	tcase_add_loop_test(tc, whatever_happens_each_byte_arrives_once_in_order_and_stays_as_it_is,
			    0, world_count() * MIXES);
	return world_run(suite);
}
