/* SPDX-License-Identifier: MIT */
/*
 * Errors.
 *
 * Every function that can fail returns an int: 0 or a count is success, a negative number is an error.
 * It is -errno when the system said no, and one of the names below, negated, when this library did.
 * Ours start above 4096, so the two never meet.
 */
#ifndef SAFER_RING_ERROR_H
#define SAFER_RING_ERROR_H

#include <safer_ring/base.h>

SFR_BEGIN_DECLS

enum sfr_error {
	SFR_EINFLIGHT = 4097, /**< The buffer is with the loop or the kernel. */
	SFR_EPENDING,         /**< A result was asked for before completion. */
	SFR_EOPSINFLIGHT,     /**< The loop was freed with operations in flight. */
	SFR_EDEPFAILED,       /**< An operation that this one depends on failed. */
	SFR_ENOTREGISTERED,   /**< The file or buffer is not registered. */
	SFR_ECYCLE,           /**< The dependencies form a cycle. */
	SFR_EPOOLEMPTY,       /**< No buffer is left under the configured limits. */
	SFR_ESTALE,           /**< The ticket is of an operation that is gone. */
	SFR_ECONFIG,          /**< The configuration was refused; the details are in the error. */
	SFR_ENESTED,          /**< The loop was run, or an operation awaited, inside a callback. */
	SFR_EUNSUPPORTED,     /**< This engine or kernel cannot do this operation. */
	SFR_ETHREAD,          /**< The call came from another thread than the loop's. */
	SFR_EFORKED,          /**< The call came from a forked child; the loop is its parent's. */
	SFR_ESHARED,          /**< The buffer has other references, and is read-only. */
	SFR_ESLOW, /**< The peer did not read, and the memory that waited for it was needed. */
};

/**
 * Describe an error in a sentence.
 *
 * @param err An error with either sign: what a call or a callback gave, or its positive form.
 * @return A string that is never NULL, is not to be freed, and for the names above never changes.
 *         For the errors of the system it is good until this thread's next call.
 * @thread Any.
 * @since 0.1
 */
SFR_API const char *sfr_strerror(int err);

/**
 * Name an error as it is written in code: "ECANCELED", "SFR_ESTALE".
 *
 * @param err An error with either sign.
 * @return A static string; "E?" for a number that has no name here; "OK" for 0.
 * @thread Any.
 * @since 0.1
 */
SFR_API const char *sfr_errname(int err);

SFR_END_DECLS

#endif
