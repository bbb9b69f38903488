/* SPDX-License-Identifier: MIT */
/*
 * Shortage: what a process has too little of, in words for whoever runs it.
 */
#ifndef SFR_LIB_MACHINE_SHORTAGE_H
#define SFR_LIB_MACHINE_SHORTAGE_H

#include <stddef.h>
#include <stdint.h>

struct sfr__machine;

enum { SFR__SHORTAGE_SIZE = 256 };

/*
 * Say which limit an error (-ENOMEM, -EMFILE, -ENFILE) comes from, and how to raise it; for any other error, its
 * name. `size` is how many bytes of addresses were asked for. Returns out.
 */
const char *sfr__shortage_text(const struct sfr__machine *machine, int err, uint64_t size,
			       char out[SFR__SHORTAGE_SIZE]);

/* The same on the machine as it is now. */
const char *sfr__shortage_now(int err, uint64_t size, char out[SFR__SHORTAGE_SIZE]);

#endif
