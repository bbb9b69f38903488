/* SPDX-License-Identifier: MIT */
/*
 * Kinds of members: how each is chosen, built, and looked at afterwards. Shared by the files that have a
 * table of them.
 */
#ifndef SFR_TESTS_GRAPHS_KINDS_H
#define SFR_TESTS_GRAPHS_KINDS_H

#include "seeds.h"
#include "members.h"

enum { NO_SUCH_FD = 19999 };

/* Each ends with one without a name. */
extern const struct kind kinds_of_bytes[], kinds_of_files[], kinds_of_sockets[], kinds_of_won[],
	kinds_of_other[];

/* How many there are, by number, and which number one has. */
int kind_count(void);
const struct kind *kind_numbered(int number);
int kind_number(const struct kind *kind);

static inline struct member *member_of(struct trial *trial, int n)
{
	return &trial->members[n];
}

static inline uint32_t room_of(const struct member *m)
{
	return m->cap - m->at;
}

/* Say what comes of it if it runs; `whole` is -1 if it transfers nothing. */
void outcome(struct trial *trial, int n, int own, int whole);

/* Whether one should fail, or be short, that can. */
bool fails(const struct trial *trial);

/* A byte of a member's own. */
unsigned char own_byte(const struct trial *trial, int n, uint32_t i);

/* Where a member writes in the file that all write. */
uint64_t place_of(const struct trial *trial, int n);

/* Choose a place of the file to read: how much of `size` bytes there is from there on. */
int source_choose(struct trial *trial, struct member *m, uint32_t size);

/*
 * Descriptors: a number, the name of a registered file, or what another member wins.
 */

/* A member before this one that wins such a one; -1. And have this one use it, if it is not -1. */
int winner_choose(const struct trial *trial, int n, enum winning what);
bool winner_use(struct trial *trial, int n, int winner);

void descriptor_choose(struct trial *trial, int n, enum winning what, int number, int name);

/* What to build it with. */
int descriptor(const struct trial *trial, int n);

#endif
