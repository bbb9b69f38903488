/* SPDX-License-Identifier: MIT */
/*
 * Registered files: the state of each place in the table, and the calls that fill and empty places.
 *
 * The kernel replaces a file without a word and keeps no order between entries that change one place.
 * So a change begins and ends in a table of states here, and there is one at a time for each place.
 */
#include "loop/fixed_file.h"
#include "sqe/fd_kind.h"
#include <stdlib.h>

#define E SFR__SLOT_EMPTY
#define A SFR__SLOT_AWAITED
#define F SFR__SLOT_FULL
#define C SFR__SLOT_CLOSING
#define P SFR__SLOT_PASSING
#define V SFR__SLOT_VACATED
#define BUSY SFR__SLOT_BUSY

/* An end that cannot be, as no such op was started, is as busy as a start that is refused. */
const uint8_t sfr__slot_after[SFR__SLOT_STATES][SFR__SLOT_EVENTS] = {
	/* FILL, CLOSE, CLOSE_BEHIND; FILLED, NOT_FILLED; CLOSED, NOT_CLOSED */
	[E] = {A, V, V, BUSY, BUSY, BUSY, BUSY},    [A] = {BUSY, BUSY, P, F, E, BUSY, BUSY},
	[F] = {BUSY, C, C, BUSY, BUSY, BUSY, BUSY}, [C] = {BUSY, BUSY, BUSY, BUSY, BUSY, E, F},
	[P] = {BUSY, BUSY, BUSY, C, V, A, A},       [V] = {BUSY, BUSY, BUSY, BUSY, BUSY, E, E},
};

#undef E
#undef A
#undef F
#undef C
#undef P
#undef V
#undef BUSY

bool sfr__slot_step(struct sfr__slot *slot, enum sfr__slot_event event)
{
	uint8_t next = sfr__slot_after[slot->state][event];

	if (next == SFR__SLOT_BUSY)
		return false;
	slot->state = next;
	return true;
}

void sfr__fixed_files_fini(struct sfr__fixed_files *files)
{
	free(files->slots);
	*files = (struct sfr__fixed_files){0};
}

bool sfr__name_is_empty(const struct sfr__fixed_files *files, int fd)
{
	unsigned slot = sfr__fd_slot(fd);

	return sfr__fd_is_fixed(fd) &&
	       (slot >= files->count || !sfr__slot_has_file(&files->slots[slot]));
}

unsigned sfr__fixed_file_kind(const struct sfr__fixed_files *files, int fd)
{
	return sfr__name_is_empty(files, fd) ? SFR__FD_FILE : files->slots[sfr__fd_slot(fd)].kind;
}

bool sfr__fixed_file_is_nonblocking(const struct sfr__fixed_files *files, int fd)
{
	unsigned slot = sfr__fd_slot(fd);

	return slot < files->count && files->slots[slot].kind & SFR__FD_NONBLOCKING;
}
