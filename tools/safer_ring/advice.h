/* SPDX-License-Identifier: MIT */
/*
 * Advice: what of a configuration a machine will not do, and the narrowest change that helps.
 */
#ifndef SFR_TOOLS_SAFER_RING_ADVICE_H
#define SFR_TOOLS_SAFER_RING_ADVICE_H

#include "facts.h"
#include "json.h"

enum { ADVICE_MAX = 24 };

/* Sentences without full stop. */
struct advice {
	char key[64]; /* of the configuration, or the limit that it is about */
	char trouble[384];
	char fix[256];
	bool refuses; /* no loop can be made */
};

/* Whether defaults count too, or only what somebody chose. */
enum advice_scope { ADVICE_ON_CHOICES, ADVICE_ON_ALL };

/* Returns how many there are, at most ADVICE_MAX. None if the configuration is bad. */
unsigned advice_collect(const struct facts *facts, enum advice_scope scope,
			struct advice out[ADVICE_MAX]);

void advice_text(FILE *out, const struct advice *advice, unsigned count);
void advice_json(struct json *json, const char *name, const struct advice *advice, unsigned count);

#endif
