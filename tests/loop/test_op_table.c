/* SPDX-License-Identifier: MIT */
/*
 * The table of an op's life, pair by pair, and the cells in which it is lived.
 */
#include "loop/op_cell.h"
#include "cases.h"
#include <errno.h>
#include <signal.h>

static const char *const state_names[] = {"ILLEGAL",   "FREE",       "BUILDING", "ADDED", "QUEUED",
					  "IN_FLIGHT", "CANCELLING", "ORPHANED", "DONE"};
static const char *const event_names[] = {"BUILD",    "ADD",     "DISCARD",  "SUBMIT",
					  "TAKEN",    "REFUSED", "CANCEL",   "ABANDON",
					  "CQE_MORE", "REQUEUE", "CQE_LAST", "RECYCLE"};

_Static_assert(sizeof(state_names) / sizeof(state_names[0]) == SFR__OP_STATES, "a state is new");
_Static_assert(sizeof(event_names) / sizeof(event_names[0]) == SFR__OP_EVENTS, "an event is new");

/* The drawing of DESIGN.md, section 4, arrow by arrow. What is not here is no way. */
static const struct {
	enum sfr__op_state from;
	enum sfr__op_event event;
	enum sfr__op_state to;
} arrows[] = {
	{SFR__OP_FREE, SFR__EV_BUILD, SFR__OP_BUILDING},
	{SFR__OP_BUILDING, SFR__EV_DISCARD, SFR__OP_FREE},
	{SFR__OP_BUILDING, SFR__EV_SUBMIT, SFR__OP_QUEUED},
	{SFR__OP_BUILDING, SFR__EV_ADD, SFR__OP_ADDED},
	{SFR__OP_ADDED, SFR__EV_DISCARD, SFR__OP_FREE},
	{SFR__OP_ADDED, SFR__EV_SUBMIT, SFR__OP_QUEUED},
	{SFR__OP_QUEUED, SFR__EV_TAKEN, SFR__OP_IN_FLIGHT},
	{SFR__OP_QUEUED, SFR__EV_REFUSED, SFR__OP_DONE},
	{SFR__OP_IN_FLIGHT, SFR__EV_CQE_MORE, SFR__OP_IN_FLIGHT},
	{SFR__OP_IN_FLIGHT, SFR__EV_REQUEUE, SFR__OP_QUEUED},
	{SFR__OP_IN_FLIGHT, SFR__EV_CQE_LAST, SFR__OP_DONE},
	{SFR__OP_IN_FLIGHT, SFR__EV_CANCEL, SFR__OP_CANCELLING},
	{SFR__OP_IN_FLIGHT, SFR__EV_ABANDON, SFR__OP_ORPHANED},
	{SFR__OP_CANCELLING, SFR__EV_CQE_MORE, SFR__OP_CANCELLING},
	{SFR__OP_CANCELLING, SFR__EV_CQE_LAST, SFR__OP_DONE},
	{SFR__OP_CANCELLING, SFR__EV_ABANDON, SFR__OP_ORPHANED},
	{SFR__OP_ORPHANED, SFR__EV_ABANDON, SFR__OP_ORPHANED},
	{SFR__OP_ORPHANED, SFR__EV_CQE_MORE, SFR__OP_ORPHANED},
	{SFR__OP_ORPHANED, SFR__EV_CQE_LAST, SFR__OP_DONE},
	{SFR__OP_DONE, SFR__EV_RECYCLE, SFR__OP_FREE},
};

static enum sfr__op_state drawn(unsigned from, unsigned event)
{
	size_t i;

	for (i = 0; i < sizeof(arrows) / sizeof(arrows[0]); i++)
		if (arrows[i].from == from && arrows[i].event == event)
			return arrows[i].to;
	return SFR__OP_ILLEGAL;
}

START_TEST(each_event_leads_where_the_drawing_says)
{
	unsigned event;

	for (event = 0; event < SFR__OP_EVENTS; event++)
		ck_assert_msg(sfr__op_after[_i][event] == drawn((unsigned)_i, event),
			      "%s, %s: %s, drawn is %s", state_names[_i], event_names[event],
			      state_names[sfr__op_after[_i][event]],
			      state_names[drawn((unsigned)_i, event)]);
}
END_TEST

/* The pair of this number among those that are not drawn; -1 if there are not so many. */
static int not_drawn(int number)
{
	int pair;

	for (pair = SFR__OP_EVENTS; pair < SFR__OP_STATES * SFR__OP_EVENTS; pair++)
		if (!drawn((unsigned)pair / SFR__OP_EVENTS, (unsigned)pair % SFR__OP_EVENTS) &&
		    number-- == 0)
			return pair;
	return -1;
}

START_TEST(a_step_that_is_not_drawn_stops_the_program)
{
	sfr_op op = {.state = (uint8_t)(not_drawn(_i) / SFR__OP_EVENTS)};

	sfr__op_step(&op, (enum sfr__op_event)(not_drawn(_i) % SFR__OP_EVENTS));
}
END_TEST

START_TEST(from_every_state_there_is_a_way_back_to_free)
{
	bool reaches[SFR__OP_STATES] = {[SFR__OP_FREE] = true};
	unsigned round, from, event;

	for (round = 0; round < SFR__OP_STATES; round++)
		for (from = 1; from < SFR__OP_STATES; from++)
			for (event = 0; event < SFR__OP_EVENTS; event++)
				reaches[from] |= reaches[sfr__op_after[from][event]];

	for (from = 1; from < SFR__OP_STATES; from++)
		ck_assert_msg(reaches[from], "%s", state_names[from]);
}
END_TEST

/*
 * Cells.
 */

static struct sfr__op_table table;

static void table_up(void)
{
	sfr__op_table_init(&table, 100, 200);
	ck_assert_int_eq(sfr__op_table_reserve(&table, 10), 0);
}

static void table_down(void)
{
	sfr__op_table_fini(&table);
}

static sfr_op *submitted(void)
{
	sfr_op *op = sfr__op_take(&table, false);

	ck_assert_ptr_nonnull(op);
	sfr__op_step(op, SFR__EV_SUBMIT);
	return op;
}

static void finish(sfr_op *op)
{
	sfr__op_step(op, SFR__EV_REFUSED);
	sfr__op_give(&table, op, SFR__EV_RECYCLE);
}

START_TEST(a_ticket_finds_its_op_until_the_op_ends)
{
	sfr_op *op = submitted();
	sfr_ticket ticket = sfr__op_ticket(op);

	ck_assert_uint_ne(ticket, 0);
	ck_assert_ptr_eq(sfr__op_find(&table, ticket), op);
	sfr__op_step(op, SFR__EV_REFUSED);
	ck_assert_ptr_eq(sfr__op_find(&table, ticket), op);
	sfr__op_give(&table, op, SFR__EV_RECYCLE);
	ck_assert_ptr_null(sfr__op_find(&table, ticket));
}
END_TEST

START_TEST(an_op_that_was_not_submitted_has_no_valid_ticket)
{
	sfr_op *op = sfr__op_take(&table, true);

	ck_assert_ptr_null(sfr__op_find(&table, sfr__op_ticket(op)));
	sfr__op_give(&table, op, SFR__EV_DISCARD);
}
END_TEST

START_TEST(a_reused_cell_has_another_ticket)
{
	sfr_op *op = submitted();
	sfr_ticket first = sfr__op_ticket(op), second;
	int i;

	for (i = 0; i < 1000; i++) {
		finish(op);
		ck_assert_ptr_eq(submitted(), op);
		second = sfr__op_ticket(op);
		ck_assert_uint_ne(second, first);
		ck_assert_ptr_null(sfr__op_find(&table, first));
		ck_assert_ptr_eq(sfr__op_find(&table, second), op);
	}
}
END_TEST

START_TEST(a_generation_that_wraps_is_never_zero)
{
	sfr_op *op = submitted();
	sfr_ticket ticket;

	op->generation = UINT32_MAX;
	ticket = sfr__op_ticket(op);
	finish(op);
	ck_assert_ptr_eq(submitted(), op);

	ck_assert_uint_eq(op->generation, 1);
	ck_assert_ptr_null(sfr__op_find(&table, ticket));
	ck_assert_uint_ne(sfr__op_ticket(op), 0);
}
END_TEST

START_TEST(a_ticket_of_a_cell_that_never_was_is_stale)
{
	uint64_t index;

	submitted();
	for (index = 1; index <= UINT32_MAX; index = index * 2 + 1)
		ck_assert_ptr_null(sfr__op_find(&table, (uint64_t)1 << 32 | index));
	ck_assert_ptr_null(sfr__op_find(&table, 0));
}
END_TEST

START_TEST(bare_ops_leave_a_cell_for_every_buffer)
{
	sfr_op *op;
	int i;

	for (i = 0; i < 100; i++)
		ck_assert_ptr_nonnull(sfr__op_take(&table, false));
	op = sfr__op_take(&table, false);
	ck_assert_ptr_null(op);

	for (i = 0; i < 10; i++)
		ck_assert_ptr_nonnull(sfr__op_take(&table, true));
}
END_TEST

START_TEST(cells_keep_their_place_while_the_table_grows)
{
	sfr_op *first = sfr__op_take(&table, false), *again = first;
	int i;

	first->arg = &table;
	for (i = 0; i < 99; i++)
		ck_assert_ptr_nonnull(sfr__op_take(&table, false));
	ck_assert_int_eq(sfr__op_table_reserve(&table, 200), 0);

	ck_assert_ptr_eq(again->arg, &table);
	ck_assert_int_eq(sfr__op_table_reserve(&table, 1000000), -ENOMEM);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("op_table");
	TCase *tc = patient_case(suite, "transitions");
	int refused = 0;

	while (not_drawn(refused) >= 0)
		refused++;
	tcase_add_loop_test(tc, each_event_leads_where_the_drawing_says, 0, SFR__OP_STATES);
	tcase_add_loop_test_raise_signal(tc, a_step_that_is_not_drawn_stops_the_program, SIGABRT, 0,
					 refused);
	tcase_add_test(tc, from_every_state_there_is_a_way_back_to_free);
	tc = patient_case(suite, "cells");
	tcase_add_checked_fixture(tc, table_up, table_down);
	tcase_add_test(tc, a_ticket_finds_its_op_until_the_op_ends);
	tcase_add_test(tc, an_op_that_was_not_submitted_has_no_valid_ticket);
	tcase_add_test(tc, a_reused_cell_has_another_ticket);
	tcase_add_test(tc, a_generation_that_wraps_is_never_zero);
	tcase_add_test(tc, a_ticket_of_a_cell_that_never_was_is_stale);
	tcase_add_test(tc, bare_ops_leave_a_cell_for_every_buffer);
	tcase_add_test(tc, cells_keep_their_place_while_the_table_grows);
	return suite_run(suite);
}
