/* SPDX-License-Identifier: MIT */
/*
 * The preset auto_detect: what fits this machine, and why.
 */
#ifndef SFR_LIB_CONFIG_DETECT_H
#define SFR_LIB_CONFIG_DETECT_H

#include "config/config.h"
#include "machine/machine.h"

/* More than there are keys to choose for. */
enum { SFR__CHOICES_MAX = 32 };

/* A value, and all that a person needs to agree with it or not. Sentences without full stop. */
struct sfr__config_choice {
	const char *key;
	char value[32];
	char rule[160];     /* how the value follows, on any machine */
	char evidence[256]; /* what was seen of this one */
	char change[128];   /* how to have it otherwise */
};

/* How many choices there are to make. */
unsigned sfr__choices(void);

/*
 * Make one of them, given the settings as the choices before it left them. False where there is
 * nothing to choose: the key keeps its default, which leaves the matter to the loop.
 */
bool sfr__choose(unsigned index, const struct sfr__machine *machine,
		 const struct sfr__settings *settings, struct sfr__config_choice *out);

#endif
