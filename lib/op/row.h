/* SPDX-License-Identifier: MIT */
/*
 * Ops that wait for other ops: held until they are released, one by one or as a row.
 *
 * A held op is QUEUED and on no list: in flight to everybody else, and found by whoever cancels. A row
 * is written to the engine's queue in one piece, and the engine starts each member when the one before it
 * has ended.
 *
 * Engines break rows by rules of their own. What they did not run for that, though nobody asked for it
 * to end, is held again, and whoever holds it is told SFR__LINK_BROKEN instead of an end: he decides anew.
 */
#ifndef SFR_LIB_OP_ROW_H
#define SFR_LIB_OP_ROW_H

#include "loop/loop.h"
#include <limits.h>

#define SFR__LINK_BROKEN INT_MIN /* a result that no op ends with */

static inline bool sfr__op_is_held(const sfr_op *op)
{
	return op->state == SFR__OP_QUEUED && sfr__list_empty(&op->hook);
}

/* Two held ops: when the first is released, or the engine gets it behind another one, it gets the second
 * right behind it; if `hard`, to start it whatever the outcome. */
void sfr__op_link(sfr_op *op, sfr_op *next, bool hard);

/* Whether one entry is for all that it is to transfer: engines know no more of it, and start what is softly
 * linked behind it after that. */
bool sfr__op_is_one_entry(const sfr_op *op);

/* The same undone, as long as the engine has none of them. */
void sfr__op_unlink(sfr_op *op);

/* The one before it in its row has ended. */
void sfr__op_leads(sfr_op *op);

/* Write a row, from its head on. False if there is no room for all of it. */
bool sfr__row_write(sfr_op *head);

/* A completion with an error: true if that only says that the row broke, and the op is held again. If it
 * was asked to end meanwhile that is how it ends, whatever the engine found wrong. */
bool sfr__row_broke(sfr_op *op, int *result);

#endif
