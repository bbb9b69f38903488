/* SPDX-License-Identifier: MIT */
/*
 * The bytes that go round: the block twice, one behind the other, so that a period's worth can be
 * compared in one piece from every place. The generator is fixed, so every run sends the same
 * bytes.
 */
#include "pattern.h"
#include <string.h>

static char block[2 * PATTERN_PERIOD];

void pattern_init(void)
{
	uint64_t x = 0x9e3779b97f4a7c15;

	for (size_t i = 0; i < PATTERN_PERIOD; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		block[i] = (char)(x >> 32);
		block[i + PATTERN_PERIOD] = block[i];
	}
}

uint32_t pattern_start(unsigned connection)
{
	/* Any factor between 1 and the prime gives each connection another place; this one spreads. */
	return (uint32_t)((uint64_t)connection * 40503 % PATTERN_PERIOD);
}

const char *pattern_at(uint32_t place)
{
	return block + place;
}

size_t pattern_room(uint32_t place)
{
	return sizeof(block) - place;
}

uint32_t pattern_after(uint32_t place, size_t size)
{
	size_t after = place + size;

	return (uint32_t)(after < PATTERN_PERIOD ? after : after % PATTERN_PERIOD);
}

size_t pattern_mismatch(uint32_t place, const char *data, size_t size)
{
	size_t checked = 0;

	while (checked < size) {
		size_t n = pattern_room(place);

		if (n > size - checked)
			n = size - checked;
		if (memcmp(block + place, data + checked, n) != 0) {
			while (block[place] == data[checked]) {
				place++;
				checked++;
			}
			return checked;
		}
		checked += n;
		place = pattern_after(place, n);
	}
	return size;
}

int64_t pattern_find(const char *data, size_t size)
{
	const char *found = NULL;

	if (size >= 16)
		found = memmem(block, sizeof(block), data, size < 64 ? size : 64);
	return found ? (found - block) % PATTERN_PERIOD : -1;
}
