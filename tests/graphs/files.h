/* SPDX-License-Identifier: MIT */
/*
 * What the members of a seed work on: a file to read, one to write, logs, registered files, a directory; on a
 * disk or just in memory.
 */
#ifndef SFR_TESTS_GRAPHS_FILES_H
#define SFR_TESTS_GRAPHS_FILES_H

#include "model.h"
#include <safer_ring.h>

enum {
	LANES = 3,   /* batches beside each other */
	PLACES = 8,  /* for each of them, of the registered files */
	BLOCK = 512, /* bytes of a buffer, and of each member's place in the file that they write */
	SOURCE_SIZE = 4000,                         /* of the file that they read */
	OUT_SIZE = (LANES * NODES_MAX + 8) * BLOCK, /* of the file that they write */
	FILE_LIMIT = 1 << 20, /* no file of this process may be longer: so are short writes made */
};

struct files {
	sfr_loop *loop;
	char dir[48], source_path[64], out_path[64];
	int source, out, readonly, writeonly, edge; /* the last: its end is near FILE_LIMIT */
	int ready[2];                               /* a pipe with a byte in it */
	int logs[LANES];
	int source_name, out_name, places[LANES][PLACES]; /* names of registered files */
	bool real;                                        /* on a disk, not just in memory */
};

void files_open(struct files *files, sfr_loop *loop);
void files_register(struct files *files);
void files_close(struct files *files);

/* What is at a place of the file to read. */
unsigned char source_byte(uint64_t at);

#endif
