/* SPDX-License-Identifier: MIT */
/*
 * No YAML: a build without libyaml.
 *
 * Every file is refused, with what to do instead. This file stands for config/yaml.c and
 * config/syntax.c. Presets and keys set by the program need neither.
 */
#include "config/error.h"
#include "config/yaml.h"
#include <safer_ring/error.h>

int sfr__yaml_read(const char *text, size_t size, sfr__yaml_visit *visit, void *arg,
		   sfr_config_error *err)
{
	(void)text;
	(void)size;
	(void)visit;
	(void)arg;
	(void)sfr__config_refuse(err, "", "this build of safer-ring reads no YAML");
	sfr__config_hint(err, "set keys with sfr_config_set(), or build with libyaml");
	return -SFR_ECONFIG;
}
