/* SPDX-License-Identifier: MIT */
/*
 * The lines of a loop itself: its engine, buffers, registered files, timers, posted functions and workers.
 */
#include "loop/dump.h"
#include <inttypes.h>
#include <stdarg.h>

#define NS_IN_US UINT64_C(1000)
#define US_IN_MS UINT64_C(1000)

void sfr__dump_say(const struct sfr__dump *dump, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vfprintf(dump->out, format, args); /* the caller has ferror() */
	va_end(args);
}

void sfr__dump_time(const struct sfr__dump *dump, uint64_t ns)
{
	uint64_t us = ns / NS_IN_US;

	sfr__dump_say(dump, "%" PRIu64 ".%03" PRIu64 " ms", us / US_IN_MS, us % US_IN_MS);
}

uint64_t sfr__dump_left(const struct sfr__dump *dump, const struct sfr__timer *timer)
{
	bool is_beyond = timer->tick > UINT64_MAX >> SFR__TICK_SHIFT;

	return sfr__dump_until(dump, is_beyond ? UINT64_MAX : timer->tick << SFR__TICK_SHIFT);
}

void sfr__loop_dump_head(const struct sfr__dump *dump)
{
	const sfr_loop *loop = dump->loop;

	sfr__dump_say(dump,
		      "loop %p: engine %s, turn %" PRIu64
		      ", %zu operations in flight, %zu of them abandoned%s%s%s\n",
		      (const void *)loop, loop->engine->calls->name, loop->stats.turns,
		      loop->inflight, loop->orphans, loop->nesting.mark ? ", in a turn" : "",
		      loop->holds ? ", held" : "", loop->draining ? ", draining" : "");
}

/*
 * Buffers, by owner.
 */

struct owners {
	size_t user, given, shared;
	size_t heap, wrapped; /* of `user` */
};

static void buf_count(struct sfr__buf *b, struct owners *owners)
{
	enum sfr__buf_state state = sfr__buf_state_of(b);

	if (state == SFR__BUF_FREE)
		return;
	owners->shared += b->was_shared && sfr__pool_looks_shared(b);
	if (state == SFR__BUF_GIVEN) {
		owners->given++;
		return;
	}
	owners->user++;
	owners->heap += b->kind == SFR__BUF_HEAP;
	owners->wrapped += b->kind == SFR__BUF_WRAP;
}

static struct owners owners_count(const struct sfr__pool *pool)
{
	size_t made = atomic_load(&pool->made), i;
	struct owners owners = {0};

	for (i = 0; i < made; i++)
		buf_count(sfr__array_at(&pool->descriptors, i), &owners);
	return owners;
}

size_t sfr__dump_chain(const struct sfr__dump *dump, const sfr_buf *chain, size_t *own)
{
	size_t parts;

	for (parts = 0; chain; chain = chain->next, parts++)
		*own += sfr__buf(chain)->pool == dump->loop->pool;
	return parts;
}

/* What a batch keeps of its ops that have ended is as the user's, until somebody takes it. */
static void bufs_dump(const struct sfr__dump *dump)
{
	const struct sfr__pool *pool = dump->loop->pool;
	struct owners owners = owners_count(pool);

	sfr__dump_say(dump,
		      "buffers made: %zu of %zu bytes in all, %zu free, %" PRIu32
		      " in the receive rings\n",
		      pool->blocks, (size_t)pool->bytes_made, sfr__pool_free_count(pool),
		      dump->loop->recv[SFR__RECV_COMMON].filled +
			      dump->loop->recv[SFR__RECV_STREAM].filled);
	sfr__dump_say(dump, "buffers with the user: %zu, %zu of them from the heap, %zu wrapped\n",
		      owners.user - dump->bufs_in_batches, owners.heap, owners.wrapped);
	sfr__dump_say(dump,
		      "buffers with the loop: %zu, %zu of them in operations, %zu queued in "
		      "connections\n",
		      owners.given, dump->bufs_in_ops, dump->bufs_queued);
	sfr__dump_say(dump, "buffers in batches, to be taken: %zu\n", dump->bufs_in_batches);
	sfr__dump_say(dump, "buffers whose memory is shared: %zu\n", owners.shared);
	sfr__dump_say(dump, "buffers registered: %u\n", dump->loop->fixed.count);
}

/*
 * The rest.
 */

static void files_dump(const struct sfr__dump *dump)
{
	const struct sfr__files *files = &dump->loop->files;
	unsigned in[SFR__PLACE_STATES] = {0}, i;

	for (i = 0; files->places && i < files->count; i++)
		in[files->places[i].state]++;
	sfr__dump_say(dump,
		      "registered files: room for %u, %u open, %u to be filled, %u to be closed\n",
		      files->places ? files->count : 0, in[SFR__PLACE_FULL],
		      in[SFR__PLACE_AWAITED] + in[SFR__PLACE_PASSING],
		      in[SFR__PLACE_CLOSING] + in[SFR__PLACE_VACATED]);
}

static void timers_dump(const struct sfr__dump *dump)
{
	const sfr_loop *loop = dump->loop;
	int64_t next = sfr__wheel_next(&loop->wheel, loop->now);

	sfr__dump_say(dump, "timers and deadlines: %" PRIu64, loop->wheel.count);
	if (next >= 0) {
		sfr__dump_say(dump, ", the loop wakes for one in ");
		sfr__dump_time(dump, (uint64_t)next);
	}
	sfr__dump_say(dump, "\n");
}

static void workers_dump(const struct sfr__dump *dump)
{
	struct sfr__workers_count count;

	if (!sfr__workers_look(&((sfr_loop *)(uintptr_t)dump->loop)->workers, &count)) {
		sfr__dump_say(dump, "workers: busy\n");
		return;
	}
	sfr__dump_say(dump, "workers: %u threads of at most %u, %u idle, %u errands wait for one\n",
		      count.threads, count.threads_max, count.idle, count.waiting);
}

void sfr__loop_dump_parts(const struct sfr__dump *dump)
{
	size_t functions, values;

	bufs_dump(dump);
	files_dump(dump);
	timers_dump(dump);
	sfr__mailbox_count(&dump->loop->mailbox, &functions, &values);
	sfr__dump_say(dump, "posted: %zu functions, %zu values%s\n", functions, values,
		      dump->loop->nesting.mark ? ", not counting those of this turn" : "");
	workers_dump(dump);
}
