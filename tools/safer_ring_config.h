/*
 * Config: whether a file is valid, what a machine will not do of it, and what is in force.
 */
#ifndef SAFER_RING_CONFIG_TOOL_H
#define SAFER_RING_CONFIG_TOOL_H

#include <stdbool.h>

/* Each prints, and returns the exit status. */
int config_check(const char *path, bool json);

/* A file, a preset, or NULL for what programs without a file of their own have. */
int config_show(const char *what, bool json);

#endif
