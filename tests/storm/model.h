/* SPDX-License-Identifier: MIT */
/*
 * The model of the storm: who owns each buffer, and what each operation may still say.
 *
 * It knows nothing of how the library works, only its rules: a buffer has one owner, an operation calls
 * back once (a multishot one ends once), an end has a cause. Whatever breaks them ends the process with
 * a message that says how to see it again.
 */
#ifndef SFR_TESTS_STORM_MODEL_H
#define SFR_TESTS_STORM_MODEL_H

#include "seeds.h"
#include <safer_ring.h>

#define PARTS_MAX 8
#define ITEMS_MAX 512
#define PAYLOADS_MAX 4096

/* A buffer, or a chain: its head, and which payload each of its parts refers to. */
struct item {
	sfr_buf *head;
	int parts;
	int payloads[PARTS_MAX];
};

/* What the caller owns. */
extern struct item hand[ITEMS_MAX];
extern int hand_count;

void model_reset(void);

/* A new buffer, of the slab or the heap: nobody may have it already. */
struct item item_new(sfr_buf *buf, bool of_slab);

/* The caller's memory, which must come back exactly once, after its last reference. NULL without any. */
bool item_wrap(sfr_loop *loop, struct item *out);

/* Into the caller's hand; out of it, one that is chosen. */
void hand_put(struct item item);
struct item hand_take(void);

/* It went where buffers go when nobody has them. */
void item_gone(const struct item *item);

/* Another reference to all of it. False if there was no memory for one. */
bool item_share(const struct item *item, struct item *out);

/* Both as one chain, if the result has few enough parts. */
bool item_append(struct item *head, struct item *tail);

bool item_is_shared(const struct item *item);

/* It came back as it was given. */
void item_check(const struct item *item, const sfr_buf *buf);

/* Blocks of the slab that somebody refers to. */
int blocks_out(void);

/* All memory of the caller's is back. */
void model_end(void);

#endif
