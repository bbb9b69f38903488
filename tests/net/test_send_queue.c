/* SPDX-License-Identifier: MIT */
/*
 * The send queue, against a model: a string of bytes, and where its buffers are.
 */
#include "net/send_queue.h"
#include "peers.h"
#include "buffer/pool.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK 64U
#define BLOCKS 32U
#define STEPS 20000

static struct sfr__pool *pool;
static struct sfr__send_queue queue;
static struct sfr__sent sent;
static uint64_t pushed, gone; /* offsets in stream 1: what waits or is in flight lies between */

static int reserve_nothing(void *above, size_t bufs)
{
	(void)above;
	(void)bufs;
	return 0;
}

static void wake_nobody(void *above)
{
	(void)above;
}

static void queue_up(void)
{
	static const struct sfr__pool_spec spec = {
		.size = BLOCK, .count = BLOCKS, .extra_max = 1000};

	pool = sfr__pool_new(&spec);
	ck_assert_ptr_nonnull(pool);
	ck_assert_int_eq(sfr__pool_bind(pool, NULL, reserve_nothing, wake_nobody), 0);
	sfr__pool_take_over(pool);
	queue = (struct sfr__send_queue){0};
	pushed = gone = 0;
}

/* All buffers are back, and the queue counts nothing. */
static void queue_down(void)
{
	ck_assert_ptr_null(queue.head);
	ck_assert_uint_eq(queue.bytes, 0);
	ck_assert_uint_eq(queue.memory, 0);
	ck_assert_uint_eq(pool->out, 0);
	ck_assert_uint_eq(pool->slab.free_count, BLOCKS);
	sfr__pool_close(pool);
}

static void clear(void)
{
	sfr__send_queue_clear(&queue, -ECANCELED, &sent);
	ck_assert(sfr__sent_is_empty(&sent));
}

static sfr_buf *buf_of_stream(size_t size)
{
	sfr_buf *buf = sfr__pool_get(pool, size);

	if (buf) {
		pattern_fill(buf->data, 1, pushed, size);
		buf->len = (uint32_t)size;
		pushed += size;
	}
	return buf;
}

static bool push(size_t size)
{
	sfr_buf *buf = buf_of_stream(size);

	if (!buf)
		return false;
	ck_assert_int_eq(sfr__buf_give(pool, buf), 0);
	sfr__send_queue_push(&queue, buf);
	return true;
}

/*
 * Chains with a note: they come back in order, as they were given. The argument of each is where it begins in the stream.
 */

static uint64_t noted, told;

static void never_called(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	(void)loop;
	(void)result;
	(void)buf;
	(void)arg;
	ck_abort();
}

/* Some parts are empty. */
static void push_noted(unsigned parts, size_t size)
{
	uint64_t begin = pushed;
	sfr_buf *chain = NULL;

	while (parts--) {
		sfr_buf *part = buf_of_stream(parts % 3 == 1 ? 0 : size);

		if (part)
			chain = sfr_buf_append(chain, part);
	}
	if (!chain)
		return;
	ck_assert_int_eq(sfr__buf_give(pool, chain), 0);
	sfr__note_add(chain, never_called, (void *)(uintptr_t)begin, (int)(pushed - begin));
	sfr__send_queue_push(&queue, chain);
	noted++;
}

/* All that came back is whole, and has its result: all of it if it was sent, else the error. */
static void hear(void)
{
	while (!sfr__sent_is_empty(&sent)) {
		sfr_buf *chain = sent.head, *part;
		struct sfr__note note;
		uint64_t at;

		sent.head = sfr__note_take(chain, &note);
		sent.count--;
		at = (uintptr_t)note.arg;
		for (part = chain; part; part = part->next) {
			ck_assert(pattern_is(sfr__buf_data(part), 1, at, sfr__buf_len(part)));
			at += sfr__buf_len(part);
		}
		if (at <= gone)
			ck_assert_uint_eq((unsigned)note.result, at - (uintptr_t)note.arg);
		else
			ck_assert_int_eq(note.result, -ECANCELED);
		sfr__buf_drop_chain(chain);
		told++;
	}
	ck_assert_uint_eq(sent.count, 0);
}

struct measure {
	uint64_t bytes, memory;
	unsigned count;
};

/* What a chain holds; its bytes must be those of the stream from `offset` on. */
static struct measure measure(const sfr_buf *chain, uint64_t offset)
{
	struct measure sum = {0};

	for (; chain; chain = chain->next) {
		ck_assert(pattern_is(sfr__buf_data(chain), 1, offset + sum.bytes,
				     sfr__buf_len(chain)));
		sum.bytes += sfr__buf_len(chain);
		sum.memory += sfr__buf(chain)->size;
		sum.count++;
	}
	return sum;
}

/* The queue agrees with the model: `flying` is a chain that was taken from it, or NULL. */
static void assert_sound(const sfr_buf *flying)
{
	struct measure taken = measure(flying, gone);
	struct measure waiting = measure(queue.head, gone + taken.bytes);
	const sfr_buf *last = queue.head;

	while (last && last->next)
		last = last->next;
	if (last)
		ck_assert_ptr_eq(queue.tail, last);
	ck_assert_uint_eq(taken.bytes + waiting.bytes, pushed - gone);
	ck_assert_uint_eq(queue.bytes, pushed - gone);
	ck_assert_uint_eq(queue.memory, taken.memory + waiting.memory);
}

START_TEST(what_is_pushed_is_taken_in_order_and_counts_until_it_is_sent)
{
	sfr_buf *chain;
	int i;

	for (i = 1; i <= 5; i++)
		ck_assert(push((size_t)i));
	chain = sfr__send_queue_take(&queue, 3);
	ck_assert_uint_eq(measure(chain, 0).count, 3);
	assert_sound(chain);
	ck_assert_uint_eq(queue.bytes, 15);
	ck_assert_uint_eq(queue.memory, 5 * BLOCK);
	sfr__send_queue_sent(&queue, chain, gone = 1 + 2 + 3, &sent);

	assert_sound(NULL);
	ck_assert_uint_eq(queue.bytes, 4 + 5);
	clear();
}
END_TEST

/* For each number of bytes that a chain of three may have got rid of. */
START_TEST(after_a_short_send_the_rest_is_at_the_front)
{
	uint64_t count = (uint64_t)_i;
	sfr_buf *chain;

	ck_assert(push(5) && push(1) && push(4) && push(7));
	chain = sfr__send_queue_take(&queue, 3);
	sfr__send_queue_sent(&queue, chain, gone = count, &sent);

	assert_sound(NULL);
	chain = sfr__send_queue_take(&queue, 100);
	ck_assert_uint_eq(measure(chain, count).bytes, 17 - count);
	ck_assert_ptr_null(queue.head);
	ck_assert(push(3)); /* behind what flies */
	assert_sound(chain);
	sfr__send_queue_sent(&queue, chain, 0, &sent);
	clear();
}
END_TEST

START_TEST(a_taken_chain_has_at_most_as_many_buffers_as_asked)
{
	sfr_buf *chain;

	ck_assert(push(1) && push(1) && push(1));
	chain = sfr__send_queue_take(&queue, 1);
	ck_assert_uint_eq(measure(chain, 0).count, 1);
	sfr__send_queue_sent(&queue, chain, gone = 1, &sent);
	chain = sfr__send_queue_take(&queue, 2);
	ck_assert_uint_eq(measure(chain, 1).count, 2);
	ck_assert_ptr_null(queue.head);
	sfr__send_queue_sent(&queue, chain, 0, &sent);
	clear();
}
END_TEST

START_TEST(an_empty_queue_has_nothing_to_clear)
{
	clear();
	assert_sound(NULL);
}
END_TEST

static unsigned draw(unsigned limit)
{
	static uint32_t x = 88172645;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return x % limit;
}

/* The chain that flies lands: as if sent, in part or whole. */
static void land(sfr_buf **flying)
{
	uint64_t bytes = measure(*flying, gone).bytes;
	uint64_t count = draw(3) ? draw((unsigned)bytes + 1) : bytes;

	sfr__send_queue_sent(&queue, *flying, count, &sent);
	gone += count;
	*flying = NULL;
	hear();
}

static void skip(void)
{
	sfr__send_queue_skip(&queue, &sent);
	hear();
}

/* As when a connection closes. */
static void give_up(sfr_buf **flying)
{
	sfr__send_queue_thin(&queue);
	sfr__send_queue_sent(&queue, *flying, 0, &sent);
	sfr__send_queue_clear(&queue, -ECANCELED, &sent);
	*flying = NULL;
	hear();
	ck_assert_uint_eq(told, noted);
	gone = pushed;
}

START_TEST(any_sequence_of_calls_agrees_with_the_model)
{
	sfr_buf *flying = NULL;
	int i;

	for (i = 0; i < STEPS; i++) {
		unsigned what = draw(100);

		if (what < 15 && queue.bytes < 5000)
			push_noted(1 + draw(5), draw(BLOCK));
		else if (what < 50 && queue.bytes < 5000)
			(void)push(1 + draw(draw(4) ? BLOCK : 5 * BLOCK));
		else if (what < 75 && !flying && queue.head && sfr__buf_len(queue.head))
			flying = sfr__send_queue_take(&queue, 1 + draw(10));
		else if (what < 95 && flying)
			land(&flying);
		else if (what < 98 && !flying)
			skip();
		else if (what == 99 && draw(10) == 0)
			give_up(&flying);
		assert_sound(flying);
	}
	ck_assert_uint_gt(gone, 10000);
	ck_assert_uint_gt(told, 1000);
	give_up(&flying);
	assert_sound(NULL);
}
END_TEST

/* A chain goes that was counted as less than it is: in bytes, in memory, in that of the pool, or after a part of it. */
START_TEST(a_count_that_would_wrap_stops_the_program)
{
	sfr_buf *chain;

	ck_assert(push(10));
	chain = sfr__send_queue_take(&queue, 1);
	queue.bytes -= _i == 0 || _i == 3 ? 8 : 0;
	queue.memory -= _i == 1;
	queue.pool_memory -= _i == 2;

	sfr__send_queue_sent(&queue, chain, _i == 3 ? 5 : 10, &sent);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("send queue");
	TCase *tcase = world_case(suite, "against a model");

	tcase_add_checked_fixture(tcase, queue_up, queue_down);
	tcase_add_test(tcase, what_is_pushed_is_taken_in_order_and_counts_until_it_is_sent);
	tcase_add_loop_test(tcase, after_a_short_send_the_rest_is_at_the_front, 0, 5 + 1 + 4 + 1);
	tcase_add_test(tcase, a_taken_chain_has_at_most_as_many_buffers_as_asked);
	tcase_add_test(tcase, an_empty_queue_has_nothing_to_clear);
	tcase_add_test(tcase, any_sequence_of_calls_agrees_with_the_model);
	tcase_add_loop_test_raise_signal(tcase, a_count_that_would_wrap_stops_the_program, SIGABRT,
					 0, 4);
	return world_run(suite);
}
