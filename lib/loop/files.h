/* SPDX-License-Identifier: MIT */
/*
 * Registered files: the descriptors that a loop's engine keeps in a table.
 *
 * The name of a place is an int far below every descriptor there is, and below AT_FDCWD. Ops carry the name;
 * only the entry that is written to the engine's queue has the place's number instead.
 *
 * What is in the table is the engine's business. What is kept here is which ops are about to change a place: the
 * kernel would replace a file without a word, and keeps no order, so that a close may run before the fill it was
 * submitted behind. So one op at a time may change a place, and others are refused. The exception is a close that the
 * engine itself starts when the fill has ended, as in a row.
 */
#ifndef SFR_LIB_LOOP_FILES_H
#define SFR_LIB_LOOP_FILES_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#define SFR__FILES_MAX 32768

enum sfr__place_state {
	SFR__PLACE_EMPTY,
	SFR__PLACE_AWAITED, /* an op that is submitted will fill it */
	SFR__PLACE_FULL,
	SFR__PLACE_CLOSING, /* full, and a close is submitted */
	SFR__PLACE_PASSING, /* awaited, and the engine starts a close of it when it is full */
	SFR__PLACE_VACATED, /* empty, and a close is submitted */
	SFR__PLACE_STATES,
	/* not a state: what the table says where an event is refused */
	SFR__PLACE_BUSY = SFR__PLACE_STATES
};

enum sfr__place_event {
	SFR__PLACE_FILL,         /* an op that fills it starts */
	SFR__PLACE_CLOSE,        /* a close of it starts */
	SFR__PLACE_CLOSE_BEHIND, /* the same, and the engine starts it after the op that fills it */
	SFR__PLACE_FILLED,       /* the op that fills it has ended, and it has a file */
	SFR__PLACE_NOT_FILLED,   /* the same, and it has none */
	SFR__PLACE_CLOSED,       /* the close has ended, and it has no file */
	SFR__PLACE_NOT_CLOSED,   /* the same, and all is as before */
	SFR__PLACE_EVENTS
};

/* The state after an event; SFR__PLACE_BUSY: refused, as another op changes the place, or it is full. */
extern const uint8_t sfr__place_after[SFR__PLACE_STATES][SFR__PLACE_EVENTS];

#define SFR__NO_PLACE UINT_MAX

struct sfr__place {
	uint8_t state; /* enum sfr__place_state; its one writer is sfr__place_step */
	uint8_t kind;  /* of its file: SFR__FD_PIPE ...; 0 also of one that was opened into it */
};

struct sfr__files {
	struct sfr__place *places; /* NULL: there is no table */
	unsigned count;
};

static inline bool sfr__fd_is_name(int fd)
{
	return fd < INT_MIN + SFR__FILES_MAX;
}

static inline unsigned sfr__fd_place(int fd)
{
	return (unsigned)fd - (unsigned)INT_MIN;
}

/* Something happens to a place. False if that is refused, and then nothing has changed. */
bool sfr__place_step(struct sfr__place *place, enum sfr__place_event event);

static inline bool sfr__place_has_file(const struct sfr__place *place)
{
	return place->state == SFR__PLACE_FULL || place->state == SFR__PLACE_CLOSING;
}

/* Whether this is a name, and of a place that has no file or does not exist. */
bool sfr__name_is_empty(const struct sfr__files *files, int fd);

/* Of the file behind a name what sfr__fd_kind() says of a descriptor; SFR__FD_FILE if there is none. */
unsigned sfr__file_kind(const struct sfr__files *files, int fd);

/* Whether the file behind a name, or the one that an op that is submitted fills its place with, is O_NONBLOCK. */
bool sfr__file_is_nonblocking(const struct sfr__files *files, int fd);

void sfr__files_fini(struct sfr__files *files);

#endif
