/*
 * The machine where nothing of it can be seen.
 */
#include "machine.h"

void sfr__machine_look_in(struct sfr__machine *out, const char *root)
{
	(void)root;
	*out = SFR__MACHINE_UNKNOWN;
}
