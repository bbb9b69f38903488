/* SPDX-License-Identifier: MIT */
/*
 * The wraps of the allocator. They count only between allocations_watch() and allocations_end().
 */
#include "allocations.h"
#include <stdbool.h>
#include <stddef.h>

static bool watching;
static long count, failing_one;

static bool allocation_fails(void)
{
	return watching && ++count == failing_one;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t members, size_t size);
void *__real_realloc(void *old, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t members, size_t size);
void *__wrap_realloc(void *old, size_t size);
char *__wrap_strdup(const char *text);

void *__wrap_malloc(size_t size)
{
	return allocation_fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t members, size_t size)
{
	return allocation_fails() ? NULL : __real_calloc(members, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	return allocation_fails() ? NULL : __real_realloc(old, size);
}

char *__wrap_strdup(const char *text)
{
	return allocation_fails() ? NULL : __real_strdup(text);
}

void allocations_watch(long failing)
{
	count = 0;
	failing_one = failing;
	watching = true;
}

long allocations_end(void)
{
	watching = false;
	return count;
}
