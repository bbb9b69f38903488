/* SPDX-License-Identifier: MIT */
/*
 * The bytes that go round: one endless stream per connection, which can be checked at memcmp() speed.
 *
 * All streams repeat one block of random bytes whose length is prime, each from a place of its own. A
 * byte lost, doubled or moved shifts the stream against what is expected, and so does a byte of another
 * connection. The length being prime, no run of lost blocks or messages of a usual size hides this.
 */
#ifndef SFR_TOOLS_LOAD_PATTERN_H
#define SFR_TOOLS_LOAD_PATTERN_H

#include <stddef.h>
#include <stdint.h>

#define PATTERN_PERIOD 65537

/* Once, before anything else. */
void pattern_init(void);

/* Where the stream of a connection starts; different for each of 65537 connections. */
uint32_t pattern_start(unsigned connection);

/* At least PATTERN_PERIOD bytes of the stream lie in one piece from every place. */
const char *pattern_at(uint32_t place);

/* How many bytes that is, from there. */
size_t pattern_room(uint32_t place);

/* The place after some bytes. */
uint32_t pattern_after(uint32_t place, size_t size);

/* The index of the first byte that is not as the stream has it from `place`; `size` if all are right. */
size_t pattern_mismatch(uint32_t place, const char *data, size_t size);

/* Where the stream holds these bytes, at least 16 of them; -1 if nowhere. For saying what went wrong. */
int64_t pattern_find(const char *data, size_t size);

#endif
