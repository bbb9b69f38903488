/* SPDX-License-Identifier: MIT */
/*
 * Versions: of the headers that a program was compiled with, and of the library that it runs with.
 */
#ifndef SAFER_RING_VERSION_H
#define SAFER_RING_VERSION_H

#include <safer_ring/base.h>

SFR_BEGIN_DECLS

/** The version of these headers, for the preprocessor: `#if SFR_VERSION_MINOR >= 2`. @since 0.2 */
#define SFR_VERSION_MAJOR 0
#define SFR_VERSION_MINOR 1
#define SFR_VERSION_PATCH 0

/**
 * The version of the library that is in use, which may be newer than the headers of the program.
 *
 * @return "MAJOR.MINOR.PATCH". Constant, never NULL, not to be freed.
 * @thread Any.
 * @since 0.2
 */
SFR_API const char *sfr_version(void);

SFR_END_DECLS

#endif
