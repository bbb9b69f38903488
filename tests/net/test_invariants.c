/* SPDX-License-Identifier: MIT */
/*
 * What a loop counts of its ops, its batches and its connections never goes wrong unnoticed: each test makes
 * one count wrong, as an error in the library would, and the program must stop.
 */
#include "net/conn.h"
#include "batch/batch.h"
#include "batches.h"
#include <signal.h>

START_TEST(an_op_that_ends_uncounted_stops_the_program)
{
	sfr_loop *loop = loop_in(_i, NULL);

	sfr_submit(sfr_nop(loop), record, &seen);
	loop->inflight = 0;

	turn_until(loop, &seen.calls, 1);
}
END_TEST

START_TEST(a_node_that_is_settled_uncounted_stops_the_program)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_batch *batch = sfr_batch_new(loop);

	ck_assert_int_eq(sfr_batch_add(batch, sfr_nop(loop)), 0);
	ck_assert_int_eq(sfr_batch_submit(batch, NULL, NULL), 0);
	sfr__batch_of(batch)->left = 0;

	turns_until_ended(loop, batch, 0);
}
END_TEST

static void closed_with_a_ticket(sfr_conn *conn, int reason, void *arg)
{
	(void)reason;
	(void)arg;
	sfr__conn_of(conn)->recv = 1;
}

START_TEST(a_closed_connection_with_a_ticket_stops_the_program)
{
	static const sfr_handlers handlers = {.on_close = closed_with_a_ticket};
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_conn *conn;

	ck_assert_int_eq(sfr_dial(loop, "tcp://127.0.0.1:1", &handlers, NULL, &conn), 0);
	sfr_conn_close(conn);

	(void)sfr_loop_drain(loop, UINT64_MAX);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("invariants");
	TCase *tcase = world_case(suite, "counts");

	tcase_add_loop_test_raise_signal(tcase, an_op_that_ends_uncounted_stops_the_program,
					 SIGABRT, 0, world_count());
	tcase_add_loop_test_raise_signal(tcase, a_node_that_is_settled_uncounted_stops_the_program,
					 SIGABRT, 0, world_count());
	tcase_add_loop_test_raise_signal(tcase, a_closed_connection_with_a_ticket_stops_the_program,
					 SIGABRT, 0, world_count());
	return world_run(suite);
}
