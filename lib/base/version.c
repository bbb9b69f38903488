/* SPDX-License-Identifier: MIT */
/*
 * The library's version, as its headers have it. tests/base/test_version.c compares it with the build's.
 */
#include <safer_ring/version.h>

#define TEXT_OF(number) #number
#define TEXT(number) TEXT_OF(number)

const char *sfr_version(void)
{
	return TEXT(SFR_VERSION_MAJOR) "." TEXT(SFR_VERSION_MINOR) "." TEXT(SFR_VERSION_PATCH);
}
