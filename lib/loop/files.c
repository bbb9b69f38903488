/* SPDX-License-Identifier: MIT */
/*
 * Registered files: the state of each place in the table, and the calls that fill and empty places.
 *
 * The kernel replaces a file without a word and keeps no order between entries that change one place.
 * So a change begins and ends in a table of states here, and there is one at a time for each place.
 */
#include "loop/files.h"
#include "sqe/fd_kind.h"
#include <stdlib.h>

#define E SFR__PLACE_EMPTY
#define A SFR__PLACE_AWAITED
#define F SFR__PLACE_FULL
#define C SFR__PLACE_CLOSING
#define P SFR__PLACE_PASSING
#define V SFR__PLACE_VACATED
#define BUSY SFR__PLACE_BUSY

/* An end that cannot be, as no such op was started, is as busy as a start that is refused. */
const uint8_t sfr__place_after[SFR__PLACE_STATES][SFR__PLACE_EVENTS] = {
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

bool sfr__place_step(struct sfr__place *place, enum sfr__place_event event)
{
	uint8_t next = sfr__place_after[place->state][event];

	if (next == SFR__PLACE_BUSY)
		return false;
	place->state = next;
	return true;
}

void sfr__files_fini(struct sfr__files *files)
{
	free(files->places);
	*files = (struct sfr__files){0};
}

bool sfr__name_is_empty(const struct sfr__files *files, int fd)
{
	unsigned place = sfr__fd_place(fd);

	return sfr__fd_is_name(fd) &&
	       (place >= files->count || !sfr__place_has_file(&files->places[place]));
}

unsigned sfr__file_kind(const struct sfr__files *files, int fd)
{
	return sfr__name_is_empty(files, fd) ? SFR__FD_FILE : files->places[sfr__fd_place(fd)].kind;
}

bool sfr__file_is_nonblocking(const struct sfr__files *files, int fd)
{
	unsigned place = sfr__fd_place(fd);

	return place < files->count && files->places[place].kind & SFR__FD_NONBLOCKING;
}
