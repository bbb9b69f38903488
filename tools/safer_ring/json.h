/* SPDX-License-Identifier: MIT */
/*
 * JSON, written as it is found out: one object, two spaces a level.
 *
 * A name is NULL inside an array, and for the outermost object.
 */
#ifndef SFR_TOOLS_SAFER_RING_JSON_H
#define SFR_TOOLS_SAFER_RING_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json {
	FILE *out;
	unsigned depth;
	bool filled; /* the innermost object or array has a member */
};

void json_open(struct json *json, const char *name, char bracket);
void json_close(struct json *json, char bracket);

/* NULL is null. Bytes that are not UTF-8 become U+FFFD. */
void json_string(struct json *json, const char *name, const char *value);
void json_number(struct json *json, const char *name, uint64_t value);
void json_signed(struct json *json, const char *name, int64_t value);
void json_bool(struct json *json, const char *name, bool value);
void json_null(struct json *json, const char *name);

#endif
