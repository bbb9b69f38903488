/* SPDX-License-Identifier: MIT */
/*
 * Buf: giving, chains, and the public calls that need no loop.
 *
 * The caller's fields are copied or checked here, on the way in, and nowhere else. Everything
 * behind this file relies on the library's own fields.
 */
#include "buffer/buf.h"
#include "base/log.h"
#include "buffer/pool.h"
#include <safer_ring/error.h>
#include <errno.h>

/*
 * Giving.
 */

/* Whether the window that the caller left is inside the buffer; then it is what is given. */
static bool window_read(struct sfr__buf *b)
{
	uintptr_t at = (uintptr_t)b->view.data, base = (uintptr_t)b->base, end = base + b->size;

	if (sfr__unlikely(at < base || at > end || b->view.len > end - at)) {
		b->given_at = b->given_len = 0;
		return false;
	}
	b->given_at = (uint32_t)(at - base);
	b->given_len = b->view.len;
	return true;
}

static bool give_one(struct sfr__buf *b)
{
	bool inside;

	sfr__buf_set_state(b, SFR__BUF_GIVEN);
	inside = window_read(b);
	b->view.data = NULL;
	return inside;
}

/* Whether this is the last part of a chain, as far as is known of it without a walk. */
static bool is_last(const struct sfr__buf *b)
{
	return b && sfr__buf_state_of(b) == SFR__BUF_PART && !b->view.next && b->before &&
	       b->before->view.next == &b->view;
}

/* The parts behind the head, which is not given yet. Callers can write to `next`: a chain ends where it does not lead
 * to one of its parts, and its end must be the one that is known. */
static int give_parts(struct sfr__buf *head)
{
	struct sfr__buf *b = head;
	int r = 0;

	while (b->view.next) {
		struct sfr__buf *next = sfr__buf(b->view.next);

		if (!sfr__pool_has(head->pool, next) || sfr__buf_state_of(next) != SFR__BUF_PART) {
			b->view.next = NULL;
			return -EINVAL;
		}
		r = give_one(next) ? r : -EINVAL;
		b = next;
	}
	return sfr__unlikely(b != head->last && is_last(head->last)) ? -EINVAL : r;
}

static const char *not_owned(const struct sfr__buf *b)
{
	enum sfr__buf_state state = sfr__buf_state_of(b);

	return state == SFR__BUF_FREE   ? "released"
	       : state == SFR__BUF_PART ? "part of a chain"
					: "in flight already";
}

int sfr__buf_give(struct sfr__pool *pool, sfr_buf *buf)
{
	struct sfr__buf *b = sfr__buf(buf);
	int r = 0;

	if (sfr__unlikely(sfr__buf_state_of(b) != SFR__BUF_OWNED))
		return sfr__misuse(pool->abort, -SFR_EINFLIGHT, "a buffer was given that is %s",
				   not_owned(b));
	if (sfr__unlikely(buf->next != NULL) && give_parts(b) < 0)
		r = sfr__misuse(pool->abort, -EINVAL,
				"a chain was given whose `next` was written to, or a part's data "
				"left it");
	if (sfr__unlikely(!give_one(b)))
		r = sfr__misuse(pool->abort, -EINVAL, "a buffer was given whose data left it");
	if (sfr__unlikely(b->pool != pool) && !sfr__pool_is_alone(b->pool) && r == 0)
		r = sfr__misuse(pool->abort, -EINVAL, "a buffer was given to another loop");
	return r;
}

static void return_one(struct sfr__buf *b, uint32_t len, enum sfr__buf_state state)
{
	sfr__invariant(sfr__buf_state_of(b) == SFR__BUF_GIVEN);
	sfr__buf_set_state(b, state);
	b->view.data = b->base + b->given_at;
	b->view.len = len;
	b->last = NULL; /* and `before` */
}

void sfr__buf_return(sfr_buf *buf, uint32_t len)
{
	return_one(sfr__buf(buf), len, SFR__BUF_OWNED);
	while (sfr__unlikely((buf = buf->next) != NULL))
		return_one(sfr__buf(buf), sfr__buf_len(buf), SFR__BUF_PART);
}

void sfr__buf_drop(sfr_buf *buf)
{
	sfr__pool_give(sfr__buf(buf));
}

void sfr__buf_drop_chain(sfr_buf *buf)
{
	while (buf) {
		sfr_buf *next = buf->next;

		sfr__pool_give(sfr__buf(buf));
		buf = next;
	}
}

int sfr__buf_check_fill(const sfr_buf *buf, uint32_t room)
{
	struct sfr__buf *b = sfr__buf(buf);

	if (sfr__unlikely(buf->next != NULL) || sfr__buf_room(buf) < room)
		return -EINVAL;
	return sfr__unlikely(b->was_shared) && sfr__pool_is_shared(b) ? -SFR_ESHARED : 0;
}

/*
 * Chains.
 */

uint64_t sfr__chain_measure(const sfr_buf *chain, size_t *parts_out)
{
	uint64_t len = 0;

	for (*parts_out = 0; chain; chain = chain->next) {
		len += sfr__buf_len(chain);
		++*parts_out;
	}
	return len;
}

/* The last part of a chain that is the caller's; NULL if it is not, or was tampered with. Each part is looked at. */
static struct sfr__buf *chain_walk(sfr_buf *head)
{
	struct sfr__buf *b = sfr__buf(head), *before = NULL;
	size_t parts = 0;

	if (sfr__buf_state_of(b) != SFR__BUF_OWNED)
		return NULL;
	while (b->view.next) {
		before = b;
		b = sfr__buf(b->view.next);
		if (!sfr__pool_has(sfr__buf(head)->pool, b) ||
		    sfr__buf_state_of(b) != SFR__BUF_PART || ++parts > b->pool->made)
			return NULL;
	}
	if (before)
		b->before = before;
	return b;
}

/* The same. A walk is spared where the end is known: each append would cost one, and a long chain the square of its
 * length. */
static struct sfr__buf *chain_end(sfr_buf *head)
{
	const struct sfr__buf *b = sfr__buf(head);

	return sfr__buf_state_of(b) == SFR__BUF_OWNED && b->view.next && is_last(b->last)
		       ? b->last
		       : chain_walk(head);
}

/* Parts behind the end of a chain that is the caller's. */
static void chain_join(struct sfr__buf *head, struct sfr__buf *end, struct sfr__buf *tail,
		       struct sfr__buf *tail_end)
{
	sfr__buf_set_state(tail, SFR__BUF_PART);
	tail->before = end;
	end->view.next = &tail->view;
	head->last = tail_end;
}

sfr_buf *sfr_buf_append(sfr_buf *head, sfr_buf *tail)
{
	struct sfr__buf *end, *tail_end;
	struct sfr__pool *pool;
	bool sound;

	if (!head || !tail)
		return head ? head : tail;
	pool = sfr__buf(head)->pool;
	end = chain_end(head);
	tail_end = chain_end(tail);
	sound = tail != head && tail_end;
	if (end && sound && sfr__buf(tail)->pool == pool) {
		chain_join(sfr__buf(head), end, sfr__buf(tail), tail_end);
		return head;
	}
	(void)sfr__misuse(pool->abort, -SFR_EINFLIGHT, "a buffer was appended %s",
			  !end    ? "to one that is not the caller's"
			  : sound ? "to one of another loop"
				  : "that is not the caller's, or to itself");
	if (sound)
		sfr_buf_release(tail);
	return head;
}

/*
 * The other public calls that do not need the loop.
 */

/* A reference to one buffer, with the window that its owner sees. */
static sfr_buf *share_one(sfr_buf *buf)
{
	sfr_buf *other = sfr__pool_share(sfr__buf(buf));

	if (other) {
		other->data = buf->data;
		other->len = buf->len;
	}
	return other;
}

sfr_buf *sfr_buf_share(sfr_buf *buf)
{
	sfr_buf *head, *last, *part;

	if (!buf || !chain_walk(buf)) {
		errno = SFR_EINFLIGHT;
		return NULL;
	}
	head = last = share_one(buf);
	for (part = buf->next; head && part; part = part->next) {
		last->next = share_one(part);
		if (!last->next) {
			sfr_buf_release(head);
			errno = ENOMEM;
			return NULL;
		}
		last = last->next;
		sfr__buf_set_state(sfr__buf(last), SFR__BUF_PART);
	}
	return head;
}

void *sfr_buf_access(sfr_buf *buf)
{
	return sfr_buf_is_owned(buf) ? buf->data : NULL;
}

bool sfr_buf_is_owned(const sfr_buf *buf)
{
	enum sfr__buf_state state = buf ? sfr__buf_state_of(sfr__buf(buf)) : SFR__BUF_FREE;

	return state == SFR__BUF_OWNED || state == SFR__BUF_PART;
}

void sfr_buf_release(sfr_buf *buf)
{
	struct sfr__buf *b = sfr__buf(buf);

	if (!buf)
		return;
	if (sfr__unlikely(sfr__buf_state_of(b) != SFR__BUF_OWNED)) {
		(void)sfr__misuse(b->pool->abort, -SFR_EINFLIGHT,
				  "a buffer was released that is %s", not_owned(b));
		return;
	}
	if (sfr__unlikely(buf->next != NULL))
		(void)give_parts(b); /* what is left of a chain that was tampered with goes */
	sfr__buf_drop_chain(buf);
}
