/*
 * No engine: platforms without one. Everything compiles, and no loop can be made.
 */
#include "engine.h"
#include "../config.h"
#include "../log.h"
#include <errno.h>

int sfr__engine_open(struct sfr__engine **out, const struct sfr__settings *settings)
{
	(void)out;
	sfr__log((enum sfr_log_level)settings->log.level, SFR_LOG_ERROR,
		 "no engine: this build of safer-ring has none for this platform; it needs Linux");
	return -ENOSYS;
}
