/* SPDX-License-Identifier: MIT */
/*
 * Counted: the one counter that the macros of counted.h increment, a number for each thread, so
 * that counting needs no atomics.
 */
#include "sqe/counted.h"

_Thread_local uint64_t sfr__calls;
