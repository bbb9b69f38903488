/* SPDX-License-Identifier: MIT */
/*
 * The machine where nothing of it can be seen.
 */
#include "machine/machine.h"
#include <stdlib.h>

void sfr__machine_look_in(struct sfr__machine *out, const char *root)
{
	(void)root;
	*out = SFR__MACHINE_UNKNOWN;
}

/* There is no such privilege, or no engine to be had with it. */
const char *sfr__environment(const char *name)
{
	const char *value = getenv(name);

	return value && value[0] ? value : NULL;
}
