/*
 * The two sides of a splice: what its descriptors are, as far as that decides what it waits for.
 */
#ifndef SFR_LIB_SPLICE_SIDE_H
#define SFR_LIB_SPLICE_SIDE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

/* It has its bytes, and does not wait for them. */
static inline bool sfr__is_file(const struct stat *stat)
{
	return S_ISREG(stat->st_mode) || S_ISBLK(stat->st_mode) || S_ISDIR(stat->st_mode);
}

struct sfr__side {
	int fd;
	uint64_t off; /* SFR__POSITION: none */
	bool is_pipe, is_file, is_nonblocking, is_append;
	int access; /* O_RDONLY, O_WRONLY or O_RDWR; -1: there is no such descriptor */
	dev_t device;
	ino_t number; /* of what it refers to, there */
};

struct sfr__side sfr__side_of(int fd, uint64_t off);

/* A splice of these ends with an error at once, of which the system knows best. */
bool sfr__sides_are_wrong(const struct sfr__side *in, const struct sfr__side *out);

/* It is a socket, a terminal or the like, and a splice may wait for it. */
bool sfr__side_may_wait(const struct sfr__side *side);

#endif
