/* SPDX-License-Identifier: MIT */
/*
 * List: a circular doubly linked list through links inside its members.
 *
 * A link that is on no list points to itself, so unlinking twice is harmless.
 */
#ifndef SFR_LIB_BASE_LIST_H
#define SFR_LIB_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct sfr__link {
	struct sfr__link *next, *prev;
};

#define sfr__container(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

static inline void sfr__list_init(struct sfr__link *list)
{
	list->next = list->prev = list;
}

static inline bool sfr__list_empty(const struct sfr__link *list)
{
	return list->next == list;
}

static inline void sfr__list_append(struct sfr__link *list, struct sfr__link *link)
{
	link->next = list;
	link->prev = list->prev;
	list->prev->next = link;
	list->prev = link;
}

static inline void sfr__list_unlink(struct sfr__link *link)
{
	link->prev->next = link->next;
	link->next->prev = link->prev;
	sfr__list_init(link);
}

/* Empty `from` into `to`, which must be empty or uninitialised. */
static inline void sfr__list_move(struct sfr__link *to, struct sfr__link *from)
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
