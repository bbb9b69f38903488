/* SPDX-License-Identifier: MIT */
#include "model.h"
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WRAP_SIZE 700

struct item hand[ITEMS_MAX];
int hand_count;

/* What a buffer refers to. */
static struct payload {
	int refs;
	bool of_slab, wrapped;
	atomic_int released; /* times */
	unsigned char *memory;
} payloads[PAYLOADS_MAX];
static int payloads_used;

void model_reset(void)
{
	hand_count = payloads_used = 0;
	memset(payloads, 0, sizeof(payloads));
}

static int payload_new(bool of_slab, bool wrapped)
{
	int i;

	for (i = 0; i < payloads_used; i++)
		if (!payloads[i].refs && !payloads[i].wrapped)
			break;
	must(i < PAYLOADS_MAX, "the model is too small");
	payloads_used += i == payloads_used;
	payloads[i].refs = 1;
	payloads[i].of_slab = of_slab;
	payloads[i].wrapped = wrapped;
	return i;
}

static void assert_nobody_has(const sfr_buf *buf)
{
	int i;

	for (i = 0; i < hand_count; i++) {
		const sfr_buf *part = hand[i].head;

		for (; part; part = part->next)
			must(part != buf, "a buffer has two owners");
	}
}

struct item item_new(sfr_buf *buf, bool of_slab)
{
	struct item item = {.head = buf, .parts = 1};

	assert_nobody_has(buf);
	must(sfr_buf_is_owned(buf) && buf->data, "a new buffer is the caller's");
	item.payloads[0] = payload_new(of_slab, false);
	return item;
}

static void wrapped_back(void *memory, void *arg)
{
	struct payload *payload = arg;

	(void)memory;
	atomic_fetch_add(&payload->released, 1);
}

bool item_wrap(sfr_loop *loop, struct item *out)
{
	int number = payload_new(false, true);
	struct payload *payload = &payloads[number];

	payload->memory = malloc(WRAP_SIZE);
	*out = (struct item){.parts = 1, .payloads = {number}};
	out->head = sfr_buf_wrap(loop, payload->memory, WRAP_SIZE, wrapped_back, payload);
	if (out->head)
		return true;
	free(payload->memory);
	*payload = (struct payload){0};
	return false;
}

void hand_put(struct item item)
{
	must(hand_count < ITEMS_MAX, "the model is too small");
	hand[hand_count++] = item;
}

struct item hand_take(void)
{
	uint32_t at = choice((uint32_t)hand_count);
	struct item item = hand[at];

	hand[at] = hand[--hand_count];
	return item;
}

void item_gone(const struct item *item)
{
	int i;

	for (i = 0; i < item->parts; i++)
		must(--payloads[item->payloads[i]].refs >= 0, "the model counts right");
}

bool item_share(const struct item *item, struct item *out)
{
	int i;

	*out = *item;
	out->head = sfr_buf_share(item->head);
	if (!out->head)
		return false;
	assert_nobody_has(out->head);
	for (i = 0; i < item->parts; i++)
		payloads[item->payloads[i]].refs++;
	item_check(out, out->head);
	return true;
}

bool item_append(struct item *head, struct item *tail)
{
	if (head->parts + tail->parts > PARTS_MAX)
		return false;
	memcpy(head->payloads + head->parts, tail->payloads,
	       (size_t)tail->parts * sizeof(tail->payloads[0]));
	head->parts += tail->parts;
	must(sfr_buf_append(head->head, tail->head) == head->head, "the head stays the head");
	item_check(head, head->head);
	return true;
}

bool item_is_shared(const struct item *item)
{
	int i;

	for (i = 0; i < item->parts; i++)
		if (payloads[item->payloads[i]].refs > 1)
			return true;
	return false;
}

void item_check(const struct item *item, const sfr_buf *buf)
{
	int parts = 0;

	must(buf == item->head, "the buffer that was given comes back");
	for (; buf; buf = buf->next, parts++)
		must(sfr_buf_is_owned(buf) && buf->data, "it is the caller's, with all its parts");
	must(parts == item->parts, "%d parts of %d came back", parts, item->parts);
}

int blocks_out(void)
{
	int count = 0, i;

	for (i = 0; i < payloads_used; i++)
		count += payloads[i].refs > 0 && payloads[i].of_slab;
	return count;
}

void model_end(void)
{
	int i;

	for (i = 0; i < payloads_used; i++) {
		must(payloads[i].refs == 0, "payload %d has an owner", i);
		if (payloads[i].wrapped)
			must(payloads[i].released == 1, "wrapped memory came back %d times",
			     payloads[i].released);
		free(payloads[i].memory);
	}
}
