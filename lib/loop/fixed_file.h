/* SPDX-License-Identifier: MIT */
/*
 * Fixed files: the descriptors that a loop's engine keeps in a table.
 *
 * The name of a slot is an int far below every descriptor there is, and below AT_FDCWD. Ops carry the name;
 * only the entry that is written to the engine's queue has the slot's number instead.
 *
 * What is in the table is the engine's business. What is kept here is which ops are about to change a slot: the
 * kernel would replace a file without a word, and keeps no order, so that a close may run before the fill it was
 * submitted behind. So one op at a time may change a slot, and others are refused. The exception is a close that the
 * engine itself starts when the fill has ended, as in a chain.
 */
#ifndef SFR_LIB_LOOP_FIXED_FILE_H
#define SFR_LIB_LOOP_FIXED_FILE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#define SFR__FIXED_FILES_MAX 32768

enum sfr__slot_state {
	SFR__SLOT_EMPTY,
	SFR__SLOT_AWAITED, /* an op that is submitted will fill it */
	SFR__SLOT_FULL,
	SFR__SLOT_CLOSING, /* full, and a close is submitted */
	SFR__SLOT_PASSING, /* awaited, and the engine starts a close of it when it is full */
	SFR__SLOT_VACATED, /* empty, and a close is submitted */
	SFR__SLOT_STATES,
	/* not a state: what the table says where an event is refused */
	SFR__SLOT_BUSY = SFR__SLOT_STATES
};

enum sfr__slot_event {
	SFR__SLOT_FILL,         /* an op that fills it starts */
	SFR__SLOT_CLOSE,        /* a close of it starts */
	SFR__SLOT_CLOSE_BEHIND, /* the same, and the engine starts it after the op that fills it */
	SFR__SLOT_FILLED,       /* the op that fills it has ended, and it has a file */
	SFR__SLOT_NOT_FILLED,   /* the same, and it has none */
	SFR__SLOT_CLOSED,       /* the close has ended, and it has no file */
	SFR__SLOT_NOT_CLOSED,   /* the same, and all is as before */
	SFR__SLOT_EVENTS
};

/* The state after an event; SFR__SLOT_BUSY: refused, as another op changes the slot, or it is full. */
extern const uint8_t sfr__slot_after[SFR__SLOT_STATES][SFR__SLOT_EVENTS];

#define SFR__NO_SLOT UINT_MAX

struct sfr__slot {
	uint8_t state; /* enum sfr__slot_state; its one writer is sfr__slot_step */
	uint8_t kind;  /* of its file: SFR__FD_PIPE ...; 0 also of one that was opened into it */
};

struct sfr__fixed_files {
	struct sfr__slot *slots; /* NULL: there is no table */
	unsigned count;
};

static inline bool sfr__fd_is_fixed(int fd)
{
	return fd < INT_MIN + SFR__FIXED_FILES_MAX;
}

static inline unsigned sfr__fd_slot(int fd)
{
	return (unsigned)fd - (unsigned)INT_MIN;
}

/* Something happens to a slot. False if that is refused, and then nothing has changed. */
bool sfr__slot_step(struct sfr__slot *slot, enum sfr__slot_event event);

static inline bool sfr__slot_has_file(const struct sfr__slot *slot)
{
	return slot->state == SFR__SLOT_FULL || slot->state == SFR__SLOT_CLOSING;
}

/* Whether this is a name, and of a slot that has no file or does not exist. */
bool sfr__name_is_empty(const struct sfr__fixed_files *files, int fd);

/* Of the file behind a name what sfr__fd_kind() says of a descriptor; SFR__FD_FILE if there is none. */
unsigned sfr__fixed_file_kind(const struct sfr__fixed_files *files, int fd);

/* Whether the file behind a name, or the one that an op that is submitted fills its slot with, is O_NONBLOCK. */
bool sfr__fixed_file_is_nonblocking(const struct sfr__fixed_files *files, int fd);

void sfr__fixed_files_fini(struct sfr__fixed_files *files);

#endif
