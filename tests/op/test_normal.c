/* SPDX-License-Identifier: MIT */
/*
 * Completion codes that differ between kernels: each row of the table, and what it leaves alone.
 */
#include "op/normal.h"
#include "loop/loop.h"
#include "pending.h"
#include <errno.h>
#include <safer_ring/error.h>
#include <safer_ring/registry.h>

enum asked { NOBODY, CANCEL, ABANDON };

static const struct {
	int result;
	enum asked asked;
	int becomes;
} rows[] = {
	{-EINTR, NOBODY, -EINTR},
	{-EINTR, CANCEL, -ECANCELED},
	{-EINTR, ABANDON, -ECANCELED},
	{-512, NOBODY, -EINTR},
	{-512, CANCEL, -ECANCELED},
	{-513, NOBODY, -EINTR},
	{-514, ABANDON, -ECANCELED},
	{-516, NOBODY, -EINTR},
	{-516, CANCEL, -ECANCELED},
	{-511, CANCEL, -511},
	{-517, CANCEL, -517},
	{-EBADF, NOBODY, -EBADF},
	{-EBADF, CANCEL, -EBADF},
	{-ECANCELED, NOBODY, -ECANCELED},
	{-ECONNRESET, CANCEL, -ECONNRESET},
	{-SFR_EUNSUPPORTED, CANCEL, -SFR_EUNSUPPORTED},
};

#define ROWS ((int)(sizeof(rows) / sizeof(rows[0])))

static sfr_op *in_flight(sfr_loop *loop, sfr_op *op, sfr_ticket *ticket)
{
	*ticket = sfr_submit(op, NULL, NULL);
	ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
	return sfr__op_find(&loop->ops, *ticket);
}

START_TEST(a_code_means_the_same_on_every_kernel)
{
	sfr_loop *loop = loop_in(0, NULL);
	sfr_ticket ticket;
	sfr_op *op = in_flight(loop, pending_read(loop), &ticket);

	if (rows[_i].asked == CANCEL)
		ck_assert_int_eq(sfr_cancel(loop, ticket), 0);
	if (rows[_i].asked == ABANDON)
		ck_assert_int_eq(sfr_abandon(loop, ticket), 0);
	ck_assert_int_eq(sfr__result_normal(op, rows[_i].result), rows[_i].becomes);
}
END_TEST

START_TEST(a_bad_descriptor_is_one_that_is_not_registered_if_its_place_is_empty)
{
	sfr_loop *loop = loop_in(0, NULL);
	const int fds[2] = {empty_pipe(), empty_pipe()};
	sfr_ticket ticket;
	sfr_op *op;
	int names[2];

	ck_assert_int_eq(sfr_files_register(loop, fds, 2, names), 0);
	op = in_flight(loop, sfr_poll(loop, names[1], 1), &ticket);
	ck_assert_int_eq(sfr__result_normal(op, -EBADF), -EBADF);
	ck_assert_int_eq(sfr_await(sfr_close(loop, names[1]), NULL), 0);
	ck_assert_int_eq(sfr__result_normal(op, -EBADF), -SFR_ENOTREGISTERED);
	ck_assert_int_eq(sfr_cancel(loop, ticket), 0);
	ck_assert_int_eq(sfr_loop_run(loop), 0);
	ck_assert_int_eq(sfr_files_unregister(loop), 0);
}
END_TEST

START_TEST(what_a_worker_has_begun_keeps_its_own_result)
{
	sfr_loop *loop = loop_in(0, NULL);
	sfr_ticket ticket;
	sfr_op *op = in_flight(loop, pending_read(loop), &ticket);

	ck_assert_int_eq(sfr_cancel(loop, ticket), 0);
	op->flags |= SFR__OP_ERRAND; /* for a moment */
	ck_assert_int_eq(sfr__result_normal(op, -EINTR), -EINTR);
	op->flags &= (uint8_t)~SFR__OP_ERRAND;
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("normal");
	TCase *tc = world_case(suite, "codes");

	tcase_add_loop_test(tc, a_code_means_the_same_on_every_kernel, 0, ROWS);
	tcase_add_test(tc, a_bad_descriptor_is_one_that_is_not_registered_if_its_place_is_empty);
	tcase_add_test(tc, what_a_worker_has_begun_keeps_its_own_result);
	return world_run(suite);
}
