/* SPDX-License-Identifier: MIT */
#include "choice.h"

static uint64_t state;

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9U;
	x = (x ^ x >> 27) * 0x94d049bb133111ebU;
	return x ^ x >> 31;
}

void choices_begin(uint64_t seed, uint64_t step)
{
	state = mix(seed * 0x9e3779b97f4a7c15U + mix(step));
}

uint32_t choice(uint32_t below)
{
	state += 0x9e3779b97f4a7c15U;
	return (uint32_t)(mix(state) >> 32) % below;
}
