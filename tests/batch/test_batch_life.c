/* SPDX-License-Identifier: MIT */
/*
 * The lives of batches and of their nodes, pair by pair.
 */
#include "batch/batch.h"
#include "cases.h"
#include <signal.h>
#include <stdlib.h>

struct arrow {
	uint8_t from, event, to;
};

/* What is not here is no way. */
static const struct arrow node_arrows[] = {
	{SFR__NODE_ADDED, SFR__NODE_SUBMIT, SFR__NODE_WAITING},
	{SFR__NODE_WAITING, SFR__NODE_FAIL, SFR__NODE_DOOMED},
	{SFR__NODE_WAITING, SFR__NODE_START, SFR__NODE_STARTED},
	{SFR__NODE_WAITING, SFR__NODE_BREAK, SFR__NODE_RETURNED},
	{SFR__NODE_WAITING, SFR__NODE_END, SFR__NODE_ENDED},
	{SFR__NODE_DOOMED, SFR__NODE_FAIL, SFR__NODE_DOOMED},
	{SFR__NODE_DOOMED, SFR__NODE_START, SFR__NODE_REFUSED},
	{SFR__NODE_DOOMED, SFR__NODE_BREAK, SFR__NODE_DOOMED},
	{SFR__NODE_DOOMED, SFR__NODE_END, SFR__NODE_ENDED},
	{SFR__NODE_RETURNED, SFR__NODE_FAIL, SFR__NODE_DOOMED},
	{SFR__NODE_RETURNED, SFR__NODE_START, SFR__NODE_ALONE},
	{SFR__NODE_RETURNED, SFR__NODE_END, SFR__NODE_ENDED},
	{SFR__NODE_STARTED, SFR__NODE_BREAK, SFR__NODE_RETURNED},
	{SFR__NODE_STARTED, SFR__NODE_END, SFR__NODE_ENDED},
	{SFR__NODE_ALONE, SFR__NODE_END, SFR__NODE_ENDED},
	{SFR__NODE_REFUSED, SFR__NODE_END, SFR__NODE_ENDED},
	{SFR__NODE_ENDED, SFR__NODE_FAIL, SFR__NODE_ENDED},
	{SFR__NODE_ENDED, SFR__NODE_MET, SFR__NODE_OVER},
	{SFR__NODE_OVER, SFR__NODE_SETTLE, SFR__NODE_SETTLED},
	{0},
};

static const struct arrow batch_arrows[] = {
	{SFR__BATCH_BUILDING, SFR__BATCH_CHANGE, SFR__BATCH_BUILDING},
	{SFR__BATCH_BUILDING, SFR__BATCH_PLAN, SFR__BATCH_PLANNED},
	{SFR__BATCH_BUILDING, SFR__BATCH_RESET, SFR__BATCH_BUILDING},
	{SFR__BATCH_PLANNED, SFR__BATCH_CHANGE, SFR__BATCH_BUILDING},
	{SFR__BATCH_PLANNED, SFR__BATCH_SUBMIT, SFR__BATCH_RUNNING},
	{SFR__BATCH_PLANNED, SFR__BATCH_RESET, SFR__BATCH_BUILDING},
	{SFR__BATCH_RUNNING, SFR__BATCH_CANCEL, SFR__BATCH_CANCELLING},
	{SFR__BATCH_RUNNING, SFR__BATCH_EXPIRE, SFR__BATCH_EXPIRED},
	{SFR__BATCH_RUNNING, SFR__BATCH_END, SFR__BATCH_DONE},
	{SFR__BATCH_CANCELLING, SFR__BATCH_CANCEL, SFR__BATCH_CANCELLING},
	{SFR__BATCH_CANCELLING, SFR__BATCH_EXPIRE, SFR__BATCH_EXPIRED},
	{SFR__BATCH_CANCELLING, SFR__BATCH_END, SFR__BATCH_CANCELLED},
	{SFR__BATCH_EXPIRED, SFR__BATCH_CANCEL, SFR__BATCH_EXPIRED},
	{SFR__BATCH_EXPIRED, SFR__BATCH_END, SFR__BATCH_DONE},
	{SFR__BATCH_DONE, SFR__BATCH_RESET, SFR__BATCH_BUILDING},
	{SFR__BATCH_CANCELLED, SFR__BATCH_RESET, SFR__BATCH_BUILDING},
	{0},
};

static int drawn(const struct arrow *arrow, int from, int event)
{
	for (; arrow->from; arrow++)
		if (arrow->from == from && arrow->event == event)
			return arrow->to;
	return 0;
}

/* The pair of this number among those that are not drawn. */
static int not_drawn(const struct arrow *arrows, int states, int events, int number)
{
	int pair;

	for (pair = 0; pair < states * events; pair++)
		if (!drawn(arrows, pair / events, pair % events) && number-- == 0)
			break;
	return pair;
}

enum {
	NODE_PAIRS = SFR__NODE_STATES * SFR__NODE_EVENTS,
	NODE_ARROWS = sizeof(node_arrows) / sizeof(node_arrows[0]) - 1,
	BATCH_PAIRS = SFR__BATCH_STATES * SFR__BATCH_EVENTS,
	BATCH_ARROWS = sizeof(batch_arrows) / sizeof(batch_arrows[0]) - 1,
};

static sfr_loop loop;
static struct sfr__batch batch;
static struct sfr__node node;

static void fresh(void)
{
	batch = (struct sfr__batch){.loop = &loop, .nodes = &node};
	node = (struct sfr__node){.batch = &batch};
}

START_TEST(a_node_goes_where_the_drawing_says)
{
	const struct arrow *arrow = &node_arrows[_i];

	node.state = arrow->from;
	sfr__node_step(&node, (enum sfr__node_event)arrow->event);

	ck_assert_int_eq(node.state, arrow->to);
}
END_TEST

START_TEST(a_node_that_takes_another_way_stops_the_program)
{
	int pair = not_drawn(node_arrows, SFR__NODE_STATES, SFR__NODE_EVENTS, _i);

	node.state = (uint8_t)(pair / SFR__NODE_EVENTS);
	sfr__node_step(&node, (enum sfr__node_event)(pair % SFR__NODE_EVENTS));
}
END_TEST

START_TEST(a_batch_goes_where_the_drawing_says)
{
	const struct arrow *arrow = &batch_arrows[_i];

	batch.state = arrow->from;
	sfr__batch_step(&batch, (enum sfr__batch_event)arrow->event);

	ck_assert_int_eq(batch.state, arrow->to);
}
END_TEST

START_TEST(a_batch_that_takes_another_way_stops_the_program)
{
	int pair = not_drawn(batch_arrows, SFR__BATCH_STATES, SFR__BATCH_EVENTS, _i);

	batch.state = (uint8_t)(pair / SFR__BATCH_EVENTS);
	sfr__batch_step(&batch, (enum sfr__batch_event)(pair % SFR__BATCH_EVENTS));
}
END_TEST

/* Whether some way leads from a state to an end. Ways without circles have at most `states` arrows. */
static bool reaches(const struct arrow *arrows, int from, int end, int states)
{
	const struct arrow *arrow;

	for (arrow = arrows; from != end && arrow->from && states; arrow++)
		if (arrow->from == from && arrow->to != from &&
		    reaches(arrows, arrow->to, end, states - 1))
			return true;
	return from == end;
}

START_TEST(every_node_can_be_settled_and_every_batch_built_anew)
{
	int state;

	for (state = SFR__NODE_ADDED; state < SFR__NODE_STATES; state++)
		ck_assert(reaches(node_arrows, state, SFR__NODE_SETTLED, SFR__NODE_STATES));
	for (state = SFR__BATCH_BUILDING; state < SFR__BATCH_STATES; state++)
		ck_assert(reaches(batch_arrows, state, SFR__BATCH_BUILDING, SFR__BATCH_STATES));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lives of batches");
	TCase *tc = patient_case(suite, "tables");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, fresh, NULL);
	tcase_add_loop_test(tc, a_node_goes_where_the_drawing_says, 0, NODE_ARROWS);
	tcase_add_loop_test_raise_signal(tc, a_node_that_takes_another_way_stops_the_program,
					 SIGABRT, 0, NODE_PAIRS - NODE_ARROWS);
	tcase_add_loop_test(tc, a_batch_goes_where_the_drawing_says, 0, BATCH_ARROWS);
	tcase_add_loop_test_raise_signal(tc, a_batch_that_takes_another_way_stops_the_program,
					 SIGABRT, 0, BATCH_PAIRS - BATCH_ARROWS);
	tcase_add_test(tc, every_node_can_be_settled_and_every_batch_built_anew);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
