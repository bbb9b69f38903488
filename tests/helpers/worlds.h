/* SPDX-License-Identifier: MIT */
/*
 * The worlds: each engine with each set of features that it must do without. By number; without io_uring
 * on this machine there are fewer, and that is said; under Valgrind, and with SFR_FEW_WORLDS in the
 * environment, only those that tell most; with SFR_HALF_THE_WORLDS, without those that tell least.
 */
#ifndef SFR_TESTS_WORLDS_H
#define SFR_TESTS_WORLDS_H

#include <safer_ring.h>

int world_count(void);
bool world_has_uring(void);

/* Whether receives wait for buffers in a ring, or poll first. */
bool world_has_buffer_rings(int world);

const char *worlds_name(int world);

/* The settings of one, with more of them: "buffers.count=4 ring.spin=20us". NULL, and why, if one is
 * refused. */
sfr_config *worlds_config(int world, const char *more, char *why, size_t size);

/* Valgrind lets no other thread run while one sleeps in the ring. */
bool under_valgrind(void);

int open_descriptors(void);

#endif
