/* SPDX-License-Identifier: MIT */
/*
 * Streams: what arrives may lie in blocks that others have parts of, in buffers of two sizes, or in one buffer an
 * arrival. The bytes are the same, in order, for as long as they are kept, and nobody's are anybody else's.
 */
#include "world.h"
#include "buffer/buf.h"
#include "loop/loop.h"
#include "machine/kernel.h"
#include <errno.h>
#include <fcntl.h>
#include <safer_ring/error.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * No memory is mapped while `mapping_fails`.
 */

static bool mapping_fails;

void *__real_mmap(void *addr, size_t size, int prot, int flags, int fd, off_t off);
void *__real_mmap64(void *addr, size_t size, int prot, int flags, int fd, off_t off);
int __real_mprotect(void *addr, size_t size, int prot);
void *__wrap_mmap(void *addr, size_t size, int prot, int flags, int fd, off_t off);
void *__wrap_mmap64(void *addr, size_t size, int prot, int flags, int fd, off_t off);
int __wrap_mprotect(void *addr, size_t size, int prot);

void *__wrap_mmap(void *addr, size_t size, int prot, int flags, int fd, off_t off)
{
	return mapping_fails ? (errno = ENOMEM, MAP_FAILED)
			     : __real_mmap(addr, size, prot, flags, fd, off);
}

void *__wrap_mmap64(void *addr, size_t size, int prot, int flags, int fd, off_t off)
{
	return mapping_fails ? (errno = ENOMEM, MAP_FAILED)
			     : __real_mmap64(addr, size, prot, flags, fd, off);
}

int __wrap_mprotect(void *addr, size_t size, int prot)
{
	return mapping_fails ? (errno = ENOMEM, -1) : __real_mprotect(addr, size, prot);
}

/*
 * Channels: a stream each, whose bytes follow from their places.
 */

enum { CHANNELS_MAX = 40, KEPT_MAX = 4000 };

static struct channel {
	int near, far;
	sfr_ticket ticket;
	uint64_t sent, received;
	int calls;
	int result; /* of the last call */
} channels[CHANNELS_MAX];

static struct kept {
	sfr_buf *buf;
	uint64_t from;
	int channel;
} kept[KEPT_MAX];
static int kept_count, keep_most;
static uint32_t seed;

static uint32_t choice(uint32_t below)
{
	seed = seed * 1664525 + 1013904223;
	return (uint32_t)(((uint64_t)seed * below) >> 32);
}

static unsigned char byte_at(int channel, uint64_t place)
{
	return (unsigned char)(place * 7 + (place >> 8) * 13 + (unsigned)channel * 101);
}

static void assert_bytes(const struct kept *k)
{
	uint32_t i;

	for (i = 0; i < k->buf->len; i++)
		if (k->buf->data[i] != byte_at(k->channel, k->from + i))
			ck_abort_msg("channel %d: byte %llu is wrong", k->channel,
				     (unsigned long long)(k->from + i));
}

/* Whatever was written over meanwhile shows here. */
static void kept_release(int i)
{
	assert_bytes(&kept[i]);
	sfr_buf_release(kept[i].buf);
	kept[i] = kept[--kept_count];
}

static void kept_release_all(void)
{
	while (kept_count)
		kept_release(kept_count - 1);
}

static void arrived(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	struct channel *channel = arg;

	(void)loop;
	channel->calls++;
	channel->result = result;
	if (result <= 0)
		return;
	ck_assert_uint_eq(buf->len, (uint32_t)result);
	kept[kept_count] = (struct kept){buf, channel->received, (int)(channel - channels)};
	assert_bytes(&kept[kept_count++]);
	channel->received += (uint64_t)result;
	while (kept_count > keep_most)
		kept_release((int)choice((uint32_t)kept_count));
}

static void channel_open(int i, sfr_loop *loop)
{
	struct channel *channel = &channels[i];

	*channel = (struct channel){0};
	if (i % 2)
		pair_of_unix_sockets(&channel->near, &channel->far);
	else
		pair_of_sockets(&channel->near, &channel->far);
	ck_assert_int_eq(fcntl(channel->far, F_SETFL, O_NONBLOCK), 0);
	channel->ticket = sfr_submit(sfr_recv_multi(loop, channel->near), arrived, channel);
}

/* As much of it as the socket takes. */
static void channel_send(int i, size_t size)
{
	static unsigned char bytes[128 * 1024];
	struct channel *channel = &channels[i];
	ssize_t r;
	size_t n;

	for (n = 0; n < size; n++)
		bytes[n] = byte_at(i, channel->sent + n);
	r = send(channel->far, bytes, size, MSG_NOSIGNAL);
	ck_assert(r > 0 || errno == EAGAIN);
	channel->sent += r > 0 ? (uint64_t)r : 0;
}

static bool all_arrived(void *arg)
{
	int i;

	for (i = 0; i < *(int *)arg; i++)
		if (channels[i].received != channels[i].sent)
			return false;
	return true;
}

static bool is_cancelled(void *channel)
{
	return ((const struct channel *)channel)->result == -ECANCELED;
}

static sfr_loop *loop_with_channels(int world, const char *more, int count)
{
	sfr_loop *loop;
	int i;

	mapping_fails = false;
	loop = loop_in(world, more);
	kept_count = 0;
	keep_most = KEPT_MAX - 1;
	for (i = 0; i < count; i++)
		channel_open(i, loop);
	return loop;
}

/* Of all sizes, and more than once from where the last one ended. */
static size_t size_choose(void)
{
	static const uint32_t below[] = {2, 80, 600, 5000, 20000, 120000};

	return 1 + choice(below[choice(6)]);
}

#define ROOMY "buffers.budget=64MiB"
#define TIGHT "buffers.budget=1MiB buffers.size=512 buffers.count=128 buffers.small=128"

static const struct {
	const char *settings;
	int channels, keep;
} mixes[] = {
	{ROOMY, 8, 0},
	{ROOMY, 8, 100},
	{ROOMY " buffers.size=512", 5, 300},
	{TIGHT, 3, 40},
	{ROOMY " buffers.small=0", 40, 60},
	{"buffers.count=64", 8, 20},
};

#define MIXES ((int)(sizeof(mixes) / sizeof(mixes[0])))

START_TEST(every_byte_arrives_in_order_and_stays_as_it_is)
{
	int mix = _i % MIXES, count = mixes[mix].channels, turn, n;
	sfr_loop *loop = loop_with_channels(_i / MIXES, mixes[mix].settings, count);

	keep_most = mixes[mix].keep;
	seed = (uint32_t)_i * 977 + 1;
	for (turn = 0; turn < 150; turn++) {
		for (n = (int)choice(4); n >= 0; n--)
			channel_send((int)choice((uint32_t)count), size_choose());
		ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
	}
	keep_most = 0;
	kept_release_all();
	turn_until_true(loop, all_arrived, &count);
	for (n = 0; n < count; n++)
		shutdown(channels[n].far, SHUT_WR);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	for (n = 0; n < count; n++)
		ck_assert_int_eq(channels[n].result, 0);
	ck_assert_uint_eq(stat_held(loop), 0);
}
END_TEST

/* The library and the kernel must agree on how many entries are used up. */
static void assert_ring_agrees(sfr_loop *loop)
{
	const struct sfr__recv_ring *recv = &loop->recv[SFR__RECV_STREAM];
	struct {
		uint32_t group, head, reserved[8];
	} status = {.group = SFR__RECV_STREAM};

	if (!recv->ring || strcmp(sfr_loop_engine(loop), "uring") != 0 ||
	    io_uring_register((unsigned)loop->engine->own[0], 26 /* IORING_REGISTER_PBUF_STATUS */,
			      &status, 1) < 0)
		return;
	ck_assert_uint_eq(status.head, (uint16_t)(recv->tail - recv->filled));
}

static bool has_rings(const sfr_loop *loop)
{
	return sfr__has(loop->engine->features, SFR__FEATURE_BUFFER_RINGS);
}

static bool is_incremental(const sfr_loop *loop)
{
	return loop->recv[SFR__RECV_STREAM].incremental;
}

START_TEST(ends_and_cancelled_receives_use_up_nothing)
{
	int count = 4, i;
	sfr_loop *loop = loop_with_channels(_i, ROOMY, count);
	sfr_ticket ticket = sfr_submit(sfr_recv_multi(loop, channels[3].near), arrived,
				       &channels[3]); /* besides the other on it */

	for (i = 0; i < 3; i++)
		channel_send(i, 1000);
	turn_until_true(loop, all_arrived, &count);
	shutdown(channels[0].far, SHUT_WR);
	turn_until(loop, &channels[0].calls, 2);
	sfr_cancel(loop, ticket);
	turn_until(loop, &channels[3].calls, 1);
	ck_assert_int_eq(channels[3].result, -ECANCELED);
	assert_ring_agrees(loop);
	channel_send(1, 1000);
	turn_until_true(loop, all_arrived, &count);

	if (is_incremental(loop))
		ck_assert_ptr_eq(kept[3].buf->data, kept[2].buf->data + 1000);
	assert_ring_agrees(loop);
	kept_release_all();
}
END_TEST

START_TEST(the_count_of_used_blocks_is_the_kernels)
{
	int count = 3, turn;
	sfr_loop *loop = loop_with_channels(_i, ROOMY, count);

	seed = 5;
	keep_most = 10;
	for (turn = 0; turn < 100; turn++) {
		channel_send((int)choice(3), size_choose());
		ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
	}
	turn_until_true(loop, all_arrived, &count);
	assert_ring_agrees(loop);
	kept_release_all();
}
END_TEST

START_TEST(an_incremental_ring_holds_what_a_cache_does)
{
	int count = 3, i;
	sfr_loop *loop = loop_with_channels(_i, ROOMY, count);
	const struct sfr__recv_ring *recv = &loop->recv[SFR__RECV_STREAM];

	keep_most = 4;
	for (i = 0; i < 30; i++) {
		channel_send(i % count, 60000);
		turn_until_true(loop, all_arrived, &count);
		if (is_incremental(loop))
			ck_assert_uint_le(recv->room, SFR__RECV_WARM);
	}
	kept_release_all();
}
END_TEST

START_TEST(an_idle_receive_holds_no_buffer)
{
	sfr_loop *loop = loop_with_channels(_i, ROOMY, 20);
	int i;

	for (i = 0; i < 4; i++)
		ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
	ck_assert_uint_eq(stat_held(loop), 0);
}
END_TEST

/* Two arrivals, which lie side by side where the ring is incremental. */
static sfr_loop *loop_with_neighbours(int world)
{
	int count = 2;
	sfr_loop *loop = loop_with_channels(world, ROOMY, count);

	channel_send(0, 64);
	turn_until_true(loop, all_arrived, &count);
	channel_send(1, 64);
	turn_until_true(loop, all_arrived, &count);
	ck_assert_int_eq(kept_count, 2);
	return loop;
}

static int fill_from_file(sfr_loop *loop, sfr_buf *buf, sfr_buf **back)
{
	int fd = empty_file();

	ck_assert_int_eq(pwrite(fd, "xxxx", 4, 0), 4);
	return sfr_await(sfr_read_at(loop, fd, buf, 0), back);
}

START_TEST(what_arrived_may_be_filled_though_its_neighbours_live)
{
	sfr_loop *loop = loop_with_neighbours(_i);
	sfr_buf *back;

	ck_assert_int_eq(fill_from_file(loop, kept[0].buf, &back), 4);
	ck_assert_ptr_eq(back, kept[0].buf);
	ck_assert_mem_eq(back->data, "xxxx", 4);
	assert_bytes(&kept[1]);
	sfr_buf_release(back);
	kept[0] = kept[--kept_count];
	kept_release_all();
}
END_TEST

START_TEST(a_share_of_it_is_refused_until_it_is_the_last)
{
	sfr_loop *loop = loop_with_neighbours(_i);
	sfr_buf *buf = kept[0].buf, *share = sfr_buf_share(buf), *third = sfr_buf_share(share),
		*back;

	ck_assert_int_eq(fill_from_file(loop, share, &back), -SFR_ESHARED);
	sfr_buf_release(buf);
	ck_assert_int_eq(fill_from_file(loop, share, &back), -SFR_ESHARED);
	sfr_buf_release(third);
	ck_assert_int_eq(fill_from_file(loop, share, &back), 4);
	assert_bytes(&kept[1]);
	sfr_buf_release(back);
	kept[0] = kept[--kept_count];
	kept_release_all();
}
END_TEST

START_TEST(messages_of_a_seqpacket_socket_stay_whole)
{
	static const uint32_t sizes[] = {600, 4000, 1, 3000, 4096, 2048};
	sfr_loop *loop = loop_with_channels(_i, ROOMY, 0);
	struct channel *channel = &channels[0];
	int ends[2], i;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	*channel = (struct channel){.near = owned_fd(ends[0]), .far = owned_fd(ends[1])};
	sfr_submit(sfr_recv_multi(loop, channel->near), arrived, channel);
	for (i = 0; i < 6; i++) {
		channel_send(0, sizes[i]);
		turn_until(loop, &channel->calls, i + 1);
		ck_assert_int_eq(channel->result, (int)sizes[i]);
	}
	kept_release_all();
}
END_TEST

/* More arrivals than there are descriptors, each of a byte, and no memory for more. */
static sfr_loop *loop_with_kept_arrivals(int world, const char *settings, int many)
{
	sfr_loop *loop = loop_with_channels(world, settings, 1);
	int i;

	ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
	mapping_fails = true;
	for (i = 0; i < many; i++) {
		channel_send(0, 1);
		ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
	}
	for (i = 0; i < 20; i++)
		ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
	ck_assert_uint_eq(channels[0].sent, (uint64_t)many);
	if (is_incremental(loop)) /* a thread of the kernel may take several at once */
		ck_assert(loop->kept.count > 0 || loop->settings.ring.sqpoll);
	return loop;
}

START_TEST(arrivals_without_memory_to_describe_them_are_kept_in_order)
{
	int count = 1;
	sfr_loop *loop = loop_with_kept_arrivals(_i, TIGHT, 3500);

	keep_most = 100;
	kept_release_all();
	turn_until_true(loop, all_arrived, &count);
	mapping_fails = false;
	kept_release_all();
}
END_TEST

/* What gives memory back may be behind them in the engine's queue, or not begun. */
START_TEST(while_more_are_kept_than_the_engines_queue_holds_all_else_goes_on)
{
	int count = 1;
	sfr_loop *loop = loop_with_kept_arrivals(_i, TIGHT " ring.entries=8 ring.cq_entries=16",
						 3500);
	sfr_op *timeout;

	if (is_incremental(loop) && !loop->settings.ring.sqpoll &&
	    sfr__has(loop->engine->features, SFR__FEATURE_RECV_MULTI))
		ck_assert_uint_gt(loop->kept.count, 16);
	seen = (struct seen){0};
	mapping_fails = false;
	timeout = sfr_timeout(loop, 1);
	mapping_fails = true;
	sfr_submit(timeout, record, &seen);
	turn_until(loop, &seen.calls, 1);
	keep_most = 100;
	kept_release_all();
	turn_until_true(loop, all_arrived, &count);
	mapping_fails = false;
	kept_release_all();
}
END_TEST

START_TEST(a_loop_that_keeps_arrivals_can_be_drained)
{
	sfr_loop *loop = loop_with_kept_arrivals(_i, TIGHT, 3500);

	ck_assert_int_eq(sfr_loop_drain(loop, -1), 0);
	ck_assert_uint_eq(loop->kept.count, 0);
	mapping_fails = false;
	kept_release_all();
}
END_TEST

/* The loop would turn without end, as each request is answered at once. */
START_TEST(a_receive_whose_end_is_kept_is_not_looked_for_again_and_again)
{
	sfr_loop *loop = loop_with_kept_arrivals(_i, TIGHT, 3500);
	int steps, quiet = 0;

	sfr_cancel(loop, channels[0].ticket);
	for (steps = 0; steps < 100000 && quiet < 20; steps++) {
		uint64_t before = stats_of(loop).cqes;

		ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
		quiet = stats_of(loop).cqes == before ? quiet + 1 : 0;
	}
	ck_assert_int_eq(quiet, 20);
	mapping_fails = false;
	kept_release_all();
	turn_until_true(loop, is_cancelled, &channels[0]);
	kept_release_all();
}
END_TEST

/* The program holds nearly all memory when the first stream begins. */
START_TEST(a_stream_has_large_blocks_once_there_is_memory_for_them)
{
	sfr_loop *loop = loop_with_channels(_i, "buffers.budget=8MiB buffers.count=16", 0);
	sfr_buf *held = sfr_buf_get(loop, (8 * 1024 - 164) * 1024);
	int count = 1, i;

	ck_assert_ptr_nonnull(held);
	channel_open(0, loop);
	ck_assert_ptr_null(loop->recv[SFR__RECV_STREAM].ring);
	sfr_buf_release(held);
	channel_open(0, loop);
	keep_most = 2;
	for (i = 0; i < 40; i++) {
		channel_send(0, 9000);
		ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
	}
	turn_until_true(loop, all_arrived, &count);
	ck_assert(loop->recv[SFR__RECV_STREAM].ring || !has_rings(loop));
	kept_release_all();
}
END_TEST

START_TEST(without_memory_for_large_blocks_small_ones_do_until_there_is)
{
	int count = 2, i;
	sfr_loop *loop = loop_with_channels(_i, "buffers.budget=64MiB buffers.count=16", 0);

	mapping_fails = true;
	for (i = 0; i < count; i++)
		channel_open(i, loop);
	mapping_fails = false;
	ck_assert_ptr_null(loop->recv[SFR__RECV_STREAM].ring);
	keep_most = 2;
	for (i = 0; i < 40; i++) {
		channel_send(i % count, 9000);
		ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
	}
	turn_until_true(loop, all_arrived, &count);
	ck_assert(loop->recv[SFR__RECV_STREAM].ring || !has_rings(loop));
	kept_release_all();
}
END_TEST

static bool is_in(const sfr_loop *loop, const sfr_buf *buf, const struct sfr__slab *slab)
{
	return sfr__arena_owner(&loop->pool->arena, buf->data) == slab;
}

/* A loop with two streams, of which the first has filled the whole budget, and all of that is kept. */
static sfr_loop *loop_without_memory(int world, const char *settings)
{
	sfr_loop *loop = loop_with_channels(world, settings, 2);
	int before, in_vain = 0;

	while (kept_count < KEPT_MAX - 100 && in_vain < 1000) {
		before = kept_count;
		channel_send(0, 30000);
		ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
		in_vain = kept_count > before ? 0 : in_vain + 1;
	}
	ck_assert_int_gt(kept_count, 10);
	return loop;
}

START_TEST(a_stream_makes_do_with_small_buffers_while_the_large_are_kept)
{
	int count = 2, i;
	sfr_loop *loop = loop_without_memory(
		_i, "buffers.budget=2MiB buffers.size=1KiB buffers.count=1024 buffers.large=0");

	channel_send(1, 5000);
	ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
	for (i = 0; i < 10; i++) /* what came last is small where a large one is needed no more */
		kept_release(kept_count - 1);
	turn_until(loop, &channels[1].calls, 1);
	kept_release_all();
	keep_most = 0;
	turn_until_true(loop, all_arrived, &count);
}
END_TEST

START_TEST(a_stream_makes_do_with_large_blocks_while_the_small_are_kept)
{
	sfr_loop *loop = loop_without_memory(
		_i, "buffers.budget=2MiB buffers.size=1KiB buffers.count=64 buffers.large=0");
	int i;

	sfr_cancel(loop, channels[0].ticket);
	while (channels[0].result > 0)
		ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
	for (i = kept_count - 1; i >= 0; i--)
		if (!world_has_buffer_rings(_i) || is_in(loop, kept[i].buf, &loop->pool->stream))
			kept_release(i);
	channel_send(1, 300);
	turn_until(loop, &channels[1].calls, 1);
	kept_release_all();
}
END_TEST

static bool has_pressure(void *loop)
{
	return ((sfr_loop *)loop)->pressure.on;
}

static bool has_no_pressure(void *loop)
{
	return !has_pressure(loop);
}

START_TEST(a_receive_that_began_while_memory_was_short_takes_much_at_once_when_there_is_some)
{
	sfr_loop *loop = loop_with_channels(_i, "buffers.budget=8MiB buffers.count=16", 1);
	static sfr_buf *held[8 * 1024 * 1024 / 4096 + 1]; /* the last one is refused */
	int count = 2, calls, n = 0;

	while ((held[n] = sfr_buf_get(loop, 4096)))
		n++;
	for (calls = 0; calls < 300; calls++)
		sfr_buf_release(held[--n]);
	turn_until_true(loop, has_pressure, loop);
	channel_open(1, loop);
	channel_send(1, 1);
	turn_until_true(loop, all_arrived, &count);
	while (n)
		sfr_buf_release(held[--n]);
	turn_until_true(loop, has_no_pressure, loop);
	channel_send(1, 1);
	turn_until_true(loop, all_arrived, &count);
	calls = channels[1].calls;
	channel_send(1, 60000);
	turn_until_true(loop, all_arrived, &count);
	if (is_incremental(loop))
		ck_assert_int_le(channels[1].calls, calls + 3); /* not 15 */
	kept_release_all();
}
END_TEST

/* So many bytes, one arrival, go into a buffer of this slab in the end; each is released at once but the last. */
static void arrives_in(sfr_loop *loop, size_t size, const struct sfr__slab *slab)
{
	int count = 1, tries;

	for (tries = 0; tries < 20; tries++) {
		kept_release_all();
		channel_send(0, size);
		turn_until_true(loop, all_arrived, &count);
		if (kept_count && is_in(loop, kept[kept_count - 1].buf, slab))
			return;
	}
	ck_abort_msg("%zu bytes do not arrive there", size);
}

START_TEST(without_incremental_rings_a_stream_moves_between_two_sizes)
{
	sfr_loop *loop = loop_with_channels(_i, ROOMY, 1);
	int i;

	if (is_incremental(loop) || !world_has_buffer_rings(_i))
		return;
	for (i = 0; i < 3; i++) {
		arrives_in(loop, 1000, &loop->pool->slab);
		arrives_in(loop, 60000, &loop->pool->stream);
	}
	kept_release_all();
}
END_TEST

START_TEST(arrivals_share_large_blocks_without_incremental_rings_too)
{
	int count = 1, i;
	sfr_loop *loop = loop_with_channels(_i, ROOMY, 1);

	for (i = 0; i < 50; i++) {
		channel_send(0, 20000);
		turn_until_true(loop, all_arrived, &count);
	}
	ck_assert_uint_le(loop->pool->stream.count, SFR__RECV_BLOCKS);
	if (world_has_buffer_rings(_i))
		ck_assert(is_in(loop, kept[kept_count - 1].buf, &loop->pool->stream));
	kept_release_all();
}
END_TEST

START_TEST(a_stream_that_moves_can_be_cancelled)
{
	int turns, i;
	sfr_loop *loop = loop_with_channels(_i, ROOMY, 1);

	for (i = 0; i < 10; i++) {
		pair_of_sockets(&channels[1].near, &channels[1].far);
		seen = (struct seen){0};
		sfr_ticket ticket = sfr_submit(sfr_recv_multi(loop, channels[1].near), record,
					       &seen);
		channels[1].sent = 0;
		channel_send(1, 9000);
		while (seen.bytes < 4096)
			ck_assert_int_ge(sfr_loop_step(loop, -1), 0);
		for (turns = 0; turns < i; turns++)
			ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
		sfr_cancel(loop, ticket);
		while (sfr_loop_inflight(loop) > 1)
			ck_assert_int_ge(sfr_loop_step(loop, -1), 0);
		ck_assert_int_eq(seen.result, -ECANCELED);
		seen_release(&seen);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("streams");
	TCase *tc = world_case(suite, "bytes");

	tcase_add_loop_test(tc, every_byte_arrives_in_order_and_stays_as_it_is, 0,
			    world_count() * MIXES);
	tc = world_case(suite, "blocks");
	world_test(tc, ends_and_cancelled_receives_use_up_nothing);
	world_test(tc, the_count_of_used_blocks_is_the_kernels);
	world_test(tc, an_incremental_ring_holds_what_a_cache_does);
	world_test(tc, an_idle_receive_holds_no_buffer);
	world_test(tc, messages_of_a_seqpacket_socket_stay_whole);
	tc = world_case(suite, "parts");
	world_test(tc, what_arrived_may_be_filled_though_its_neighbours_live);
	world_test(tc, a_share_of_it_is_refused_until_it_is_the_last);
	tc = world_case(suite, "two sizes");
	world_test(tc, without_incremental_rings_a_stream_moves_between_two_sizes);
	world_test(tc, arrivals_share_large_blocks_without_incremental_rings_too);
	world_test(tc, a_stream_that_moves_can_be_cancelled);
	tc = world_case(suite, "shortage");
	world_test(tc, arrivals_without_memory_to_describe_them_are_kept_in_order);
	world_test(tc, while_more_are_kept_than_the_engines_queue_holds_all_else_goes_on);
	world_test(tc, a_loop_that_keeps_arrivals_can_be_drained);
	world_test(tc, a_receive_whose_end_is_kept_is_not_looked_for_again_and_again);
	world_test(tc, a_stream_has_large_blocks_once_there_is_memory_for_them);
	world_test(tc, without_memory_for_large_blocks_small_ones_do_until_there_is);
	world_test(tc, a_stream_makes_do_with_small_buffers_while_the_large_are_kept);
	world_test(tc, a_stream_makes_do_with_large_blocks_while_the_small_are_kept);
	world_test(
		tc,
		a_receive_that_began_while_memory_was_short_takes_much_at_once_when_there_is_some);
	return world_run(suite);
}
