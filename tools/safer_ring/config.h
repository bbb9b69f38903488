/* SPDX-License-Identifier: MIT */
/*
 * Config: whether a file is valid, what a machine will not do of it, and what is in force.
 */
#ifndef SFR_TOOLS_SAFER_RING_CONFIG_H
#define SFR_TOOLS_SAFER_RING_CONFIG_H

#include <stdbool.h>

/*
 * Commands: each prints, and returns the exit status. Operands end with NULL. The first is a file, a preset or "-";
 * to show, none is what programs without a file of their own have.
 */
int config_check(const char *const *operands, bool json);
int config_show(const char *const *operands, bool json);
int config_reference(const char *const *operands, bool json);
int config_path(const char *const *operands, bool json);

#endif
