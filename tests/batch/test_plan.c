/* SPDX-License-Identifier: MIT */
/*
 * The planner: what becomes a row, and how it is told.
 */
#include "plan_graph.h"
#include <safer_ring/error.h>
#include <stdio.h>
#include <string.h>

/*
 * What becomes a row.
 */

START_TEST(a_path_is_one_row)
{
	path(3);
	ck_assert_str_eq(planned(8), "0 =link=> 1 =link=> 2");
	ck_assert_uint_eq(info.ops, 3);
	ck_assert_uint_eq(info.edges, 2);
	ck_assert_uint_eq(info.chains, 1);
	ck_assert_uint_eq(info.links, 2);
	ck_assert_uint_eq(info.hard_links, 0);
	ck_assert_uint_eq(info.released, 0);
}
END_TEST

START_TEST(indexes_do_not_say_who_comes_first)
{
	graph(3);
	after(0, 2);
	after(1, 0);
	ck_assert_str_eq(planned(8), "2 =link=> 0 =link=> 1");
}
END_TEST

START_TEST(nodes_that_wait_for_nothing_stand_alone)
{
	graph(0);
	plan.nodes = NULL; /* as that of a batch to which nothing was ever added */
	plan.edges = NULL;
	ck_assert_str_eq(planned(8), "");
	ck_assert_uint_eq(info.ops, 0);
	graph(1);
	ck_assert_str_eq(planned(8), "0");
	graph(3);
	ck_assert_str_eq(planned(8), "0; 1; 2");
	ck_assert_uint_eq(info.chains, 0);
	ck_assert_uint_eq(info.links, 0);
}
END_TEST

START_TEST(a_fork_is_linked_along_its_longest_way)
{
	graph(4);
	after(1, 0);
	after(2, 0);
	after(3, 2);
	ck_assert_str_eq(planned(8), "0 =link=> 2 =link=> 3; 1 waits for 0");
	ck_assert_uint_eq(info.released, 1);
}
END_TEST

START_TEST(of_equal_ways_the_first_is_linked)
{
	graph(4);
	after(1, 0);
	after(2, 0);
	after(3, 0);
	ck_assert_str_eq(planned(8), "0 =link=> 1; 2 waits for 0; 3 waits for 0");
	ck_assert_str_eq(planned(2), "0 =link=> 1; 2 waits for 0; 3 waits for 0");
}
END_TEST

START_TEST(a_join_of_two_rows_is_the_loops)
{
	graph(4);
	after(1, 0);
	after(2, 0);
	after(3, 2);
	after(3, 1);
	ck_assert_str_eq(planned(8), "0 =link=> 1; 2 waits for 0; 3 waits for 1, 2");
	ck_assert_uint_eq(info.edges, 4);
	ck_assert_uint_eq(info.released, 3);
}
END_TEST

START_TEST(what_waits_for_several_of_one_row_is_linked_to_its_end)
{
	graph(4);
	after(1, 0);
	after(2, 0);
	after(2, 1);
	after(3, 2);
	ck_assert_str_eq(planned(8), "0 =link=> 1 =link=> 2 =link=> 3");
	ck_assert_uint_eq(info.released, 0);
}
END_TEST

START_TEST(a_row_that_starts_with_a_join_says_what_it_waits_for)
{
	graph(5);
	after(2, 0);
	after(2, 1);
	after(3, 2);
	after(4, 3);
	ck_assert_str_eq(planned(8), "0; 1; 2 =link=> 3 =link=> 4; 2 waits for 0, 1");
}
END_TEST

START_TEST(a_join_in_the_middle_of_a_row_is_the_loops)
{
	graph(4);
	after(1, 0);
	after(2, 1);
	after(3, 0);
	after(3, 1);
	ck_assert_str_eq(planned(8), "0 =link=> 1 =link=> 2; 3 waits for 0, 1");
}
END_TEST

START_TEST(mere_order_is_a_hard_link)
{
	graph(3);
	after_any(1, 0);
	after_any(2, 1);
	ck_assert_str_eq(planned(8), "0 =hard=> 1 =hard=> 2");
	ck_assert_uint_eq(info.links, 2);
	ck_assert_uint_eq(info.hard_links, 2);

	graph(2);
	edge(0, 1, false, SFR__LINK_SOFT); /* could even break: not asked for */
	ck_assert_str_eq(planned(8), "0 =hard=> 1");
}
END_TEST

START_TEST(of_several_edges_between_two_the_strictest_counts)
{
	graph(2);
	after_any(1, 0);
	after(1, 0);
	after_any(1, 0);
	ck_assert_str_eq(planned(8), "0 =link=> 1");
	ck_assert_uint_eq(info.edges, 3);

	edge(0, 1, true, SFR__LINK_NONE);
	ck_assert_str_eq(planned(8), "0; 1 waits for 0");
	ck_assert_uint_eq(info.released, 4);
}
END_TEST

START_TEST(success_is_never_left_to_a_hard_link)
{
	graph(2);
	edge(0, 1, true, SFR__LINK_HARD);
	ck_assert_str_eq(planned(8), "0; 1 waits for 0");
}
END_TEST

START_TEST(no_link_where_there_can_be_none)
{
	graph(4);
	edge(0, 1, true, SFR__LINK_NONE);
	edge(1, 2, false, SFR__LINK_NONE);
	after(3, 2);
	ck_assert_str_eq(planned(8), "0; 1 waits for 0; 2 =link=> 3; 2 waits for 1");
}
END_TEST

/* As with a descriptor: 2 waits for 0 to know it, so it cannot be in a row that 0 begins. */
START_TEST(an_edge_without_a_link_keeps_its_node_off_the_row_of_the_other)
{
	graph(3);
	after(1, 0);
	after(2, 1);
	edge(0, 2, true, SFR__LINK_NONE);
	ck_assert_str_eq(planned(8), "0 =link=> 1; 2 waits for 0, 1");
}
END_TEST

START_TEST(nothing_that_needs_a_success_is_linked_past_a_hard_link_behind_it)
{
	graph(3);
	after_any(1, 0);
	after(2, 1);
	after(2, 0);
	ck_assert_str_eq(planned(8), "0 =hard=> 1; 2 waits for 0, 1");

	graph(3);
	after(1, 0);
	after_any(2, 1);
	after(2, 0);
	ck_assert_str_eq(planned(8), "0 =link=> 1 =hard=> 2");

	graph(3);
	after_any(1, 0);
	after(2, 1);
	after_any(2, 0);
	ck_assert_str_eq(planned(8), "0 =hard=> 1 =link=> 2");
}
END_TEST

/*
 * What is over before a row starts.
 */

/* As with a descriptor: 0 opens, and all the others use what it wins. Each of them
 * but the first waits for the one before it, too. */
static void users_of_one(int node_count)
{
	int i;

	graph(node_count);
	for (i = 1; i < node_count; i++) {
		edge(0, i, true, SFR__LINK_NONE);
		if (i > 1)
			after(i, i - 1);
	}
}

START_TEST(what_is_over_before_a_row_keeps_nobody_off_it)
{
	graph(3);
	edge(0, 1, true, SFR__LINK_NONE);
	edge(0, 2, true, SFR__LINK_NONE);
	after_any(2, 1);
	ck_assert_str_eq(planned(8), "0; 1 =hard=> 2; 1 waits for 0");
	ck_assert_uint_eq(info.edges, 3);
	ck_assert_uint_eq(info.links, 1);
	ck_assert_uint_eq(info.released, 2);

	users_of_one(5);
	ck_assert_str_eq(planned(8), "0; 1 =link=> 2 =link=> 3 =link=> 4; 1 waits for 0");
	ck_assert_uint_eq(info.edges, 7);
	ck_assert_uint_eq(info.released, 4);
}
END_TEST

START_TEST(it_does_not_matter_what_is_asked_of_what_is_over)
{
	int how;

	for (how = 0; how < 4; how++) {
		graph(4);
		edge(0, 2, how & 1, SFR__LINK_NONE);
		after(2, 1); /* or else 2 would wait for one alone */
		after(3, 2);
		edge(0, 3, how & 2, SFR__LINK_HARD);
		ck_assert_str_eq(planned(8), "0; 1; 2 =link=> 3; 2 waits for 0, 1");
		ck_assert_uint_eq(info.released, 3);
	}
}
END_TEST

START_TEST(some_may_be_over_and_others_in_the_row)
{
	users_of_one(5);
	after(4, 2);
	ck_assert_str_eq(planned(8), "0; 1 =link=> 2 =link=> 3 =link=> 4; 1 waits for 0");
	ck_assert_uint_eq(info.edges, 8);
	ck_assert_uint_eq(info.released, 4);

	edge(1, 4, true, SFR__LINK_NONE);
	ck_assert_str_eq(planned(8), "0; 1 =link=> 2 =link=> 3; 1 waits for 0; "
				     "4 waits for 0, 1, 2, 3");
}
END_TEST

START_TEST(it_is_the_start_of_the_row_that_counts)
{
	graph(4); /* 0 and 1 are beside each other */
	after(2, 1);
	after(3, 2);
	edge(0, 3, true, SFR__LINK_NONE);
	ck_assert_str_eq(planned(8), "0; 1 =link=> 2; 3 waits for 0, 2");
	edge(0, 2, true, SFR__LINK_NONE);
	ck_assert_str_eq(planned(8), "0; 1; 2 =link=> 3; 2 waits for 0, 1");
	edge(0, 1, true, SFR__LINK_NONE);
	ck_assert_str_eq(planned(8), "0; 1 =link=> 2 =link=> 3; 1 waits for 0");

	graph(4);
	edge(0, 1, true, SFR__LINK_NONE);
	after(2, 1);
	after(3, 2);
	edge(0, 3, true, SFR__LINK_NONE);
	ck_assert_str_eq(planned(8), "0; 1 =link=> 2 =link=> 3; 1 waits for 0");
}
END_TEST

/* One in between that is cancelled ends before what it waits for. */
START_TEST(what_a_row_waits_for_through_others_may_not_be_over)
{
	graph(4);
	after(1, 0);
	edge(1, 2, false, SFR__LINK_NONE);
	after(3, 2);
	after(3, 0);
	ck_assert_str_eq(planned(8), "0 =link=> 1; 2 waits for 1; 3 waits for 0, 2");
}
END_TEST

START_TEST(what_a_node_waits_for_on_its_row_is_counted_from_where_that_starts)
{
	users_of_one(5);
	after(4, 1);
	after_any(4, 1);
	ck_assert_str_eq(planned(8), "0; 1 =link=> 2 =link=> 3 =link=> 4; 1 waits for 0");
	ck_assert_int_eq(sfr__plan_waits_on_row(&plan, 4, 1), 3);
	ck_assert_int_eq(sfr__plan_waits_on_row(&plan, 4, 2), 1);
	ck_assert_int_eq(sfr__plan_waits_on_row(&plan, 4, 3), 1);
	ck_assert_int_eq(sfr__plan_waits_on_row(&plan, 2, 1), 1);
	ck_assert_int_eq(sfr__plan_waits_on_row(&plan, 1, 1), 0);
}
END_TEST

START_TEST(a_node_that_waits_for_one_alone_is_linked_first)
{
	users_of_one(3);
	plan.node_count = 4;
	after(3, 1);
	ck_assert_str_eq(planned(8), "0; 1 =link=> 3; 1 waits for 0; 2 waits for 0, 1");
}
END_TEST

/*
 * How long a row can be.
 */

START_TEST(no_row_is_longer_than_allowed)
{
	path(8);
	ck_assert_str_eq(planned(1), "0; 1 waits for 0; 2 waits for 1; 3 waits for 2; "
				     "4 waits for 3; 5 waits for 4; 6 waits for 5; 7 waits for 6");
	ck_assert_uint_eq(info.chains, 0);
	ck_assert_str_eq(planned(2),
			 "0 =link=> 1; 2 =link=> 3; 2 waits for 1; 4 =link=> 5; 4 waits for 3; "
			 "6 =link=> 7; 6 waits for 5");
	ck_assert_str_eq(planned(3), "0 =link=> 1; 2 =link=> 3 =link=> 4; 2 waits for 1; "
				     "5 =link=> 6 =link=> 7; 5 waits for 4");
	ck_assert_str_eq(planned(8), "0 =link=> 1 =link=> 2 =link=> 3 =link=> 4 =link=> 5 "
				     "=link=> 6 =link=> 7");
}
END_TEST

START_TEST(a_join_does_not_make_a_row_longer_than_allowed)
{
	graph(4);
	after(1, 0);
	after(2, 0);
	after(2, 1);
	after(3, 2);
	ck_assert_str_eq(planned(3), "0 =link=> 1; 2 =link=> 3; 2 waits for 0, 1");

	users_of_one(4);
	ck_assert_str_eq(planned(2), "0; 1 =link=> 2; 1 waits for 0; 3 waits for 0, 2");
}
END_TEST

/*
 * Cycles.
 */

START_TEST(a_cycle_is_refused)
{
	static const int lengths[] = {1, 2, 20};
	int n = lengths[_i];

	path(n);
	after(0, n - 1);
	ck_assert_int_eq(sfr__plan_make(&plan, 8), -SFR_ECYCLE);
}
END_TEST

START_TEST(a_cycle_is_seen_before_it_is_closed)
{
	path(20);
	ck_assert(sfr__plan_closes_cycle(&plan, 19, 0));
	ck_assert(sfr__plan_closes_cycle(&plan, 11, 10));
	ck_assert(sfr__plan_closes_cycle(&plan, 7, 7));
	ck_assert(!sfr__plan_closes_cycle(&plan, 0, 19));
	ck_assert(!sfr__plan_closes_cycle(&plan, 10, 11));

	ck_assert_int_eq(sfr__plan_make(&plan, 20), 0); /* and a plan can be made after that */
	ck_assert_int_eq(link_count(), 19);
}
END_TEST

START_TEST(looking_for_a_cycle_goes_every_way_once)
{
	int i;

	graph(200); /* each two are joined to the next two: 2 to the power of 99 ways */
	for (i = 0; i < 198; i++) {
		after(i / 2 * 2 + 2, i);
		after(i / 2 * 2 + 3, i);
	}
	ck_assert(sfr__plan_closes_cycle(&plan, 199, 0));
	ck_assert(!sfr__plan_closes_cycle(&plan, 1, 0));
}
END_TEST

/*
 * Large ones: each of them many times over, which is not much work.
 */

#define TIMES 20

START_TEST(a_path_of_all_nodes_is_planned_fast)
{
	int row_max;

	path(NODES_MAX);
	for (row_max = 1; row_max <= TIMES; row_max++) {
		planned(row_max);
		ck_assert_int_eq(link_count(), NODES_MAX - (NODES_MAX + row_max - 1) / row_max);
	}
	planned(NODES_MAX);
	ck_assert_uint_eq(info.chains, 1);
	ck_assert_uint_eq(info.links, NODES_MAX - 1);
	ck_assert(sfr__plan_closes_cycle(&plan, NODES_MAX - 1, 0));
}
END_TEST

START_TEST(a_star_of_all_nodes_is_planned_fast)
{
	int i;

	graph(NODES_MAX);
	for (i = 1; i < NODES_MAX - 1; i++) {
		after(i, 0);
		after_any(NODES_MAX - 1, i);
	}
	for (i = 1; i <= TIMES; i++)
		planned(i);
	ck_assert_uint_eq(info.chains, 1);
	ck_assert_uint_eq(info.released, 2 * (NODES_MAX - 2) - 1);
}
END_TEST

START_TEST(many_edges_between_few_nodes_are_planned_fast)
{
	int i;

	graph(3);
	for (i = 0; i < EDGES_MAX; i++)
		after(1 + i % 2, i % 2 * any(2));
	for (i = 1; i <= TIMES; i++)
		planned(i);
	ck_assert_str_eq(info.text, "0 =link=> 1 =link=> 2");
}
END_TEST

START_TEST(many_edges_between_all_nodes_are_planned_fast)
{
	int i;

	graph(NODES_MAX);
	for (i = 1; i < NODES_MAX; i++)
		after(i, any(4) ? i - 1 : any(i));
	while (plan.edge_count < EDGES_MAX) {
		i = 1 + any(NODES_MAX - 1);
		after(i, any(3) ? i - 1 - any(i < 3 ? i : 3) : any(i));
	}
	for (i = 1; i <= TIMES; i++) {
		planned(i);
		check_links(i);
	}
	ck_assert_uint_gt(info.links, 1000);
}
END_TEST

START_TEST(many_users_of_one_descriptor_are_planned_fast)
{
	int i;

	users_of_one(NODES_MAX);
	for (i = 1; i <= TIMES; i++) {
		planned(i);
		check_links(i);
	}
	planned(NODES_MAX);
	ck_assert_uint_eq(info.chains, 1);
	ck_assert_uint_eq(info.links, NODES_MAX - 2);
	ck_assert_uint_eq(info.released, NODES_MAX - 1);
}
END_TEST

/* By turns, so that nothing which is known of one row lasts. */
START_TEST(rows_that_wait_for_many_are_planned_fast)
{
	enum { WAITED_FOR = 10000, ROWS = 2 };
	int i;

	graph(NODES_MAX);
	for (i = 0; i < ROWS * WAITED_FOR; i++)
		edge(i / ROWS, WAITED_FOR + i % ROWS, true, SFR__LINK_NONE);
	for (i = WAITED_FOR + ROWS; i < NODES_MAX; i++) {
		edge(any(WAITED_FOR), i, true, SFR__LINK_NONE);
		after(i, i - ROWS);
	}
	for (i = 1; i <= TIMES; i++)
		planned(NODES_MAX);
	ck_assert_uint_eq(info.chains, ROWS);
	ck_assert_uint_eq(info.links, NODES_MAX - WAITED_FOR - ROWS);
}
END_TEST

/*
 * The text, when there is more to say than it has room for.
 */

START_TEST(what_a_node_waits_for_is_told_once_and_in_order)
{
	graph(5);
	after(4, 3);
	after_any(4, 0);
	after(4, 2);
	after(4, 3);
	after(4, 0);
	ck_assert_str_eq(planned(8), "0; 1; 2; 3; 4 waits for 0, 2, 3");
}
END_TEST

static void check_cut(const char *whole)
{
	size_t length = strnlen(info.text, sizeof(info.text));

	ck_assert_uint_lt(length, sizeof(info.text));
	if (strcmp(info.text, whole) == 0)
		return;
	ck_assert_uint_gt(strlen(whole), sizeof(info.text) - sizeof(" ...") - 1);
	ck_assert_uint_gt(length, sizeof(info.text) - 32);
	ck_assert_str_eq(info.text + length - 4, " ...");
	ck_assert_mem_eq(info.text, whole, length - 4);
	ck_assert_ptr_nonnull(strchr(" ;,", whole[length - 4])); /* not within a number */
}

START_TEST(a_text_is_whole_or_says_that_it_was_cut_off)
{
	static char whole[65536];
	int count, i;

	for (count = 1; count < 400; count++) {
		char *at = whole;

		path(count);
		for (i = 0; i < count; i++)
			at += sprintf(at, "%s%d", i ? " =link=> " : "", i);
		planned(count);
		check_cut(whole);
	}
	for (count = 2; count < 600; count++) {
		char *at = whole;

		graph(count);
		for (i = 1; i < count; i++)
			after(0, i);
		for (i = 1; i < count; i++)
			at += sprintf(at, "%s%d", i > 1 ? ", " : "0 waits for ", i);
		for (i = 1; i < count; i++)
			at += sprintf(at, "; %d", i);
		planned(1);
		check_cut(whole);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("plan");
	TCase *tc = patient_case(suite, "what becomes a row");

	tcase_add_test(tc, a_path_is_one_row);
	tcase_add_test(tc, indexes_do_not_say_who_comes_first);
	tcase_add_test(tc, nodes_that_wait_for_nothing_stand_alone);
	tcase_add_test(tc, a_fork_is_linked_along_its_longest_way);
	tcase_add_test(tc, of_equal_ways_the_first_is_linked);
	tcase_add_test(tc, a_join_of_two_rows_is_the_loops);
	tcase_add_test(tc, what_waits_for_several_of_one_row_is_linked_to_its_end);
	tcase_add_test(tc, a_row_that_starts_with_a_join_says_what_it_waits_for);
	tcase_add_test(tc, a_join_in_the_middle_of_a_row_is_the_loops);
	tcase_add_test(tc, mere_order_is_a_hard_link);
	tcase_add_test(tc, of_several_edges_between_two_the_strictest_counts);
	tcase_add_test(tc, success_is_never_left_to_a_hard_link);
	tcase_add_test(tc, no_link_where_there_can_be_none);
	tcase_add_test(tc, an_edge_without_a_link_keeps_its_node_off_the_row_of_the_other);
	tcase_add_test(tc, nothing_that_needs_a_success_is_linked_past_a_hard_link_behind_it);
	tc = patient_case(suite, "what is over before a row starts");
	tcase_add_test(tc, what_is_over_before_a_row_keeps_nobody_off_it);
	tcase_add_test(tc, it_does_not_matter_what_is_asked_of_what_is_over);
	tcase_add_test(tc, some_may_be_over_and_others_in_the_row);
	tcase_add_test(tc, it_is_the_start_of_the_row_that_counts);
	tcase_add_test(tc, what_a_row_waits_for_through_others_may_not_be_over);
	tcase_add_test(tc, what_a_node_waits_for_on_its_row_is_counted_from_where_that_starts);
	tcase_add_test(tc, a_node_that_waits_for_one_alone_is_linked_first);
	tc = patient_case(suite, "how long a row can be");
	tcase_add_test(tc, no_row_is_longer_than_allowed);
	tcase_add_test(tc, a_join_does_not_make_a_row_longer_than_allowed);
	tc = patient_case(suite, "cycles");
	tcase_add_loop_test(tc, a_cycle_is_refused, 0, 3);
	tcase_add_test(tc, a_cycle_is_seen_before_it_is_closed);
	tcase_add_test(tc, looking_for_a_cycle_goes_every_way_once);
	tc = patient_case(suite, "large ones");
	tcase_add_checked_fixture(tc, work_a_minute_at_most, NULL);
	tcase_add_test(tc, a_path_of_all_nodes_is_planned_fast);
	tcase_add_test(tc, a_star_of_all_nodes_is_planned_fast);
	tcase_add_test(tc, many_edges_between_few_nodes_are_planned_fast);
	tcase_add_test(tc, many_edges_between_all_nodes_are_planned_fast);
	tcase_add_test(tc, many_users_of_one_descriptor_are_planned_fast);
	tcase_add_test(tc, rows_that_wait_for_many_are_planned_fast);
	tc = patient_case(suite, "text");
	tcase_add_test(tc, what_a_node_waits_for_is_told_once_and_in_order);
	tcase_add_test(tc, a_text_is_whole_or_says_that_it_was_cut_off);
	return suite_run(suite);
}
