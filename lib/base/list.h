/* SPDX-License-Identifier: MIT */
/*
 * List: a circular doubly linked list through hooks inside its members.
 *
 * A hook that is on no list points to itself, so removing it twice is harmless.
 */
#ifndef SFR_LIB_BASE_LIST_H
#define SFR_LIB_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct sfr__hook {
	struct sfr__hook *next, *prev;
};

#define sfr__container(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

static inline void sfr__list_init(struct sfr__hook *list)
{
	list->next = list->prev = list;
}

static inline bool sfr__list_empty(const struct sfr__hook *list)
{
	return list->next == list;
}

static inline void sfr__list_append(struct sfr__hook *list, struct sfr__hook *hook)
{
	hook->next = list;
	hook->prev = list->prev;
	list->prev->next = hook;
	list->prev = hook;
}

static inline void sfr__list_remove(struct sfr__hook *hook)
{
	hook->prev->next = hook->next;
	hook->next->prev = hook->prev;
	sfr__list_init(hook);
}

/* Empty `from` into `to`, which must be empty or uninitialised. */
static inline void sfr__list_move(struct sfr__hook *to, struct sfr__hook *from)
{
	if (sfr__list_empty(from)) {
		sfr__list_init(to);
		return;
	}
	*to = *from;
	to->next->prev = to->prev->next = to;
	sfr__list_init(from);
}

#endif
