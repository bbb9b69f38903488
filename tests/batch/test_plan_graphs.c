/* SPDX-License-Identifier: MIT */
/*
 * The planner on many graphs: that no plan has more links, and that an engine which keeps to one does what
 * was declared.
 */
#include "plan_graph.h"
#include <safer_ring/error.h>
#include <stdlib.h>
#include <string.h>

static void shuffle(int *label, int count)
{
	int i, j;

	for (i = 0; i < count; i++) {
		j = any(i + 1);
		label[i] = label[j];
		label[j] = i;
	}
}

/* The most links that any choice of edges gives, with rows of at most row_max. Each edge is the only
 * one into its node. */
static int most_links(int row_max)
{
	int most = 0, choice, e, i, n, length;

	for (choice = 0; choice < 1 << plan.edge_count; choice++) {
		int next[16], prev[16], count = 0;
		bool allowed = true;

		memset(next, -1, sizeof(next));
		memset(prev, -1, sizeof(prev));
		for (e = 0; e < plan.edge_count; e++) {
			if (!(choice >> e & 1))
				continue;
			allowed &= edges[e].can != SFR__LINK_NONE && next[edges[e].from] < 0;
			next[edges[e].from] = edges[e].to;
			prev[edges[e].to] = edges[e].from;
			count++;
		}
		for (i = 0; allowed && i < plan.node_count; i++) {
			for (length = 1, n = i; prev[i] < 0 && next[n] >= 0; n = next[n])
				length++;
			allowed &= length <= row_max;
		}
		if (allowed && count > most)
			most = count;
	}
	return most;
}

static void random_forest(int node_count)
{
	int label[16], i;

	graph(node_count);
	shuffle(label, node_count);
	for (i = 1; i < node_count; i++) {
		bool must = any(2);

		if (any(8) == 0)
			continue; /* a tree of its own */
		edge(label[any(3) ? i - 1 - any(i < 3 ? i : 3) : any(i)], label[i], must,
		     any(8) == 0 ? SFR__LINK_NONE
		     : must      ? SFR__LINK_SOFT
				 : SFR__LINK_HARD);
	}
}

START_TEST(of_a_tree_no_plan_has_more_links)
{
	int round, row_max;

	random_from((unsigned)_i);
	for (round = 0; round < 60; round++) {
		random_forest(1 + any(9));
		for (row_max = 1; row_max <= 9; row_max++) {
			ck_assert_int_eq(sfr__plan_make(&plan, row_max), 0);
			check_links(row_max);
			if (link_count() != most_links(row_max))
				ck_abort_msg("%d links of %d with rows of %d: %s", link_count(),
					     most_links(row_max), row_max, described());
		}
	}
}
END_TEST

START_TEST(of_a_path_no_plan_has_more_links)
{
	int node_count, row_max;

	for (node_count = 1; node_count <= 100; node_count++)
		for (row_max = 1; row_max <= 101; row_max++) {
			path(node_count);
			ck_assert_int_eq(sfr__plan_make(&plan, row_max), 0);
			check_links(row_max);
			if (link_count() != node_count - (node_count + row_max - 1) / row_max)
				ck_abort_msg("%d nodes, rows of %d: %d links", node_count, row_max,
					     link_count());
		}
}
END_TEST

#define SMALL 12

static struct {
	bool breaks[SMALL]; /* when this one fails, the kernel breaks a soft link */
	bool fails[SMALL];  /* when it runs */
	bool ended[SMALL], started[SMALL];
	bool cancelled[SMALL]; /* before it was started */
	bool alone[SMALL];     /* a row broke, and left it to the loop */
	int behind;            /* so many were started behind another one */
} world;

/* What can be is not always the most that the kernel could do: there are other reasons. */
static enum sfr__plan_link random_can(int from, bool must)
{
	if (must)
		return world.breaks[from] && any(12) ? SFR__LINK_SOFT
						     : (any(4) == 0) * SFR__LINK_HARD;
	return any(12) ? (any(4) ? SFR__LINK_HARD : SFR__LINK_SOFT) : SFR__LINK_NONE;
}

static void random_graph(void)
{
	int label[SMALL], count = 1 + any(SMALL), opener, i;

	graph(count);
	shuffle(label, count);
	for (i = 0; i < count; i++)
		world.breaks[i] = any(12);
	for (i = 1; i < count; i++) {
		int edges_left = any(10) ? 1 + any(2) * any(4) : 0, near = i < 3 ? i : 3;

		for (; edges_left; edges_left--) {
			int from = label[any(6) ? i - 1 - any(2) * any(near) : any(i)];
			bool must = any(3);

			edge(from, label[i], must, random_can(from, must));
		}
	}
	opener = any(2 * count);
	for (i = opener + 1; i < count; i++)
		if (any(3))
			edge(label[opener], label[i], any(3), SFR__LINK_NONE);
}

/* What is known by now of those that a node waits for: how many have not ended, and whether one failed. */
static int waits(int node, bool *failed_out)
{
	int count = 0, e;

	*failed_out = false;
	for (e = nodes[node].in; e != -1; e = edges[e].next_in) {
		int from = edges[e].from;

		count += !world.ended[from];
		*failed_out |= world.ended[from] && edges[e].must &&
			       (!world.started[from] || world.fails[from]);
	}
	return count;
}

static bool may_start(int node)
{
	bool failed;

	return waits(node, &failed) == 0 && !failed;
}

/* Whether the loop gives a node to the engine behind the one before it, in a row that begins at `start`. */
static bool loop_links(int node, int start)
{
	bool failed;
	int count = waits(node, &failed), in_row = sfr__plan_waits_on_row(&plan, node, start);

	if (world.ended[node] || world.alone[node] || world.alone[nodes[node].prev] || failed)
		return false;
	if (nodes[start].prev < 0 && count != in_row)
		ck_abort_msg("node %d waits for others than its row: %s", node, described());
	return count == in_row;
}

/* What an engine does with a row, knowing nothing of edges. */
static void engine_runs(int node, int last)
{
	bool broken = false;

	for (;; node = nodes[node].next) {
		world.alone[node] |= broken;
		if (!broken) {
			if (!may_start(node))
				ck_abort_msg("node %d was started: %s", node, described());
			world.started[node] = true;
			world.ended[node] = true;
			broken = nodes[node].link == SFR__LINK_SOFT && world.breaks[node] &&
				 world.fails[node];
		}
		if (node == last)
			return;
		world.behind += !broken;
	}
}

/* All that a node waits for has ended. */
static void loop_decides(int node)
{
	int last = node;

	if (!may_start(node)) {
		world.ended[node] = true;
		return;
	}
	while (nodes[last].next >= 0 && loop_links(nodes[last].next, node))
		last = nodes[last].next;
	engine_runs(node, last);
}

/* One that was not started ends, whatever it waits for. */
static void cancel(int node)
{
	world.ended[node] = true;
	world.cancelled[node] = true;
}

/* In any order that what they wait for allows: all the others are still under way. */
static void execute(bool cancels)
{
	int label[SMALL], i;
	bool failed;

	memset(world.ended, 0, sizeof(world.ended));
	memset(world.started, 0, sizeof(world.started));
	memset(world.cancelled, 0, sizeof(world.cancelled));
	memset(world.alone, 0, sizeof(world.alone));
	world.behind = 0;
	for (;;) {
		shuffle(label, plan.node_count);
		for (i = 0; i < plan.node_count; i++)
			if (!world.ended[label[i]] && waits(label[i], &failed) == 0)
				break;
		if (i == plan.node_count)
			break;
		loop_decides(label[i]);
		i = any(plan.node_count);
		if (cancels && !world.ended[i] && any(3) == 0)
			cancel(i);
	}
	for (i = 0; i < plan.node_count; i++) {
		if (!world.ended[i])
			ck_abort_msg("node %d waits for itself: %s", i, described());
		if (!world.cancelled[i] && world.started[i] != may_start(i))
			ck_abort_msg("node %d did not run: %s", i, described());
	}
}

/* Whether a node that is linked waits for others than the one before it; and for some that are not on its
 * row. */
static bool was_joined(int node, bool *over_out)
{
	bool joined = false;
	int e, head;

	*over_out = false;
	for (e = nodes[node].in; e != -1 && nodes[node].prev >= 0; e = edges[e].next_in) {
		joined |= edges[e].from != nodes[node].prev;
		*over_out |= !is_ahead_in_row(edges[e].from, node, &head);
	}
	return joined;
}

START_TEST(no_node_is_started_after_what_must_not_have_failed)
{
	int round, fails, i, links = 0, joins = 0, overs = 0, hard = 0;

	random_from((unsigned)_i);
	for (round = 0; round < 1000; round++) {
		int row_max = any(4) ? SMALL : 1 + any(4);

		random_graph();
		ck_assert_int_eq(sfr__plan_make(&plan, row_max), 0);
		check_links(row_max);
		memset(world.fails, 0, sizeof(world.fails));
		execute(false);
		if (world.behind != link_count())
			ck_abort_msg("nothing failed, and %d links were used of %s", world.behind,
				     described());
		for (fails = 0; fails < plan.node_count; fails++) {
			world.fails[fails] = true;
			execute(false);
			execute(true);
			world.fails[fails] = false;
		}
		for (i = 0; i < plan.node_count; i++)
			world.fails[i] = any(3) == 0;
		execute(false);
		execute(true);
		for (i = 0; i < plan.node_count; i++) {
			bool over;

			hard += nodes[i].link == SFR__LINK_HARD;
			links += nodes[i].link != SFR__LINK_NONE;
			joins += was_joined(i, &over);
			overs += over;
		}
	}
	ck_assert_int_gt(links, 1000); /* there was something to see */
	ck_assert_int_gt(hard, 300);
	ck_assert_int_gt(joins, 100);
	ck_assert_int_gt(overs, 100);
}
END_TEST

/* Whether a node waits for one other only, and could be linked behind it. */
static bool waits_for_one(int node, int *before_out)
{
	int e = nodes[node].in;

	*before_out = e == -1 ? SFR__PLAN_NO_NODE : edges[e].from;
	for (; e != -1; e = edges[e].next_in)
		if (edges[e].from != *before_out || edges[e].can == SFR__LINK_NONE ||
		    (edges[e].must && edges[e].can == SFR__LINK_HARD))
			return false;
	return *before_out != SFR__PLAN_NO_NODE;
}

START_TEST(what_waits_for_one_is_linked_unless_another_is_or_its_row_is_full)
{
	int round, i, before, n, length;

	random_from((unsigned)_i);
	for (round = 0; round < 1000; round++) {
		int row_max = 1 + any(SMALL);

		random_graph();
		ck_assert_int_eq(sfr__plan_make(&plan, row_max), 0);
		for (i = 0; i < plan.node_count; i++) {
			if (!waits_for_one(i, &before) || nodes[before].next != SFR__PLAN_NO_NODE)
				continue;
			for (length = 1, n = i; nodes[n].next != SFR__PLAN_NO_NODE; length++)
				n = nodes[n].next;
			if (length < row_max)
				ck_abort_msg("node %d could be linked: %s", i, described());
		}
	}
}
END_TEST

/* Whether nothing speaks against linking a node behind another one that it waits for. */
static bool can_be_behind(int node, int before)
{
	int e, head;

	for (e = nodes[node].in; e != -1; e = edges[e].next_in) {
		bool last = edges[e].from == before;

		if (!last && !is_ahead_in_row(edges[e].from, before, &head)) {
			is_ahead_in_row(before, before, &head);
			if (!waits_for(head, edges[e].from))
				return false;
		} else if (edges[e].can == SFR__LINK_NONE ||
			   (edges[e].must && edges[e].can == SFR__LINK_HARD) ||
			   (!last && edges[e].must &&
			    nodes[edges[e].from].link != SFR__LINK_SOFT)) {
			return false;
		}
	}
	return true;
}

START_TEST(with_room_for_all_no_link_could_be_added_to_a_plan)
{
	int round, i, e;

	random_from((unsigned)_i);
	for (round = 0; round < 1000; round++) {
		random_graph();
		ck_assert_int_eq(sfr__plan_make(&plan, SMALL), 0);
		for (i = 0; i < plan.node_count; i++)
			for (e = nodes[i].in; e != -1 && nodes[i].prev < 0; e = edges[e].next_in)
				if (nodes[edges[e].from].next < 0 &&
				    can_be_behind(i, edges[e].from))
					ck_abort_msg("node %d could be linked behind %d: %s", i,
						     edges[e].from, described());
	}
}
END_TEST

START_TEST(the_counts_are_those_of_the_links)
{
	int round, i, e;

	random_from((unsigned)_i);
	for (round = 0; round < 1000; round++) {
		unsigned heads = 0, hard = 0, covered = 0;

		random_graph();
		planned(SMALL);
		for (i = 0; i < plan.node_count; i++) {
			heads += nodes[i].prev < 0 && nodes[i].next >= 0;
			hard += nodes[i].link == SFR__LINK_HARD;
		}
		for (e = 0; e < plan.edge_count; e++) {
			for (i = nodes[edges[e].to].prev; i >= 0 && i != edges[e].from;)
				i = nodes[i].prev;
			covered += i >= 0;
		}
		if (info.ops != (unsigned)plan.node_count ||
		    info.edges != (unsigned)plan.edge_count || info.chains != heads ||
		    info.links != (unsigned)link_count() || info.hard_links != hard ||
		    info.released != info.edges - covered)
			ck_abort_msg("wrong counts of %s", info.text);
	}
}
END_TEST

START_TEST(an_edge_closes_a_cycle_just_if_there_is_no_plan_with_it)
{
	int round;

	random_from((unsigned)_i);
	for (round = 0; round < 1000; round++) {
		int from, to;
		bool closes;

		random_graph();
		from = any(plan.node_count);
		to = any(plan.node_count);
		closes = sfr__plan_closes_cycle(&plan, from, to);
		after(to, from);
		if (sfr__plan_make(&plan, 8) != (closes ? -SFR_ECYCLE : 0))
			ck_abort_msg("%d to %d closes %s cycle", from, to, closes ? "no" : "a");
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("plan_graphs");
	TCase *tc = patient_case(suite, "many graphs");

	tcase_add_loop_test(tc, of_a_tree_no_plan_has_more_links, 0, 5);
	tcase_add_test(tc, of_a_path_no_plan_has_more_links);
	tcase_add_loop_test(tc, no_node_is_started_after_what_must_not_have_failed, 0, 20);
	tcase_add_loop_test(tc, what_waits_for_one_is_linked_unless_another_is_or_its_row_is_full,
			    0, 5);
	tcase_add_loop_test(tc, with_room_for_all_no_link_could_be_added_to_a_plan, 0, 5);
	tcase_add_loop_test(tc, the_counts_are_those_of_the_links, 0, 5);
	tcase_add_loop_test(tc, an_edge_closes_a_cycle_just_if_there_is_no_plan_with_it, 0, 5);
	return suite_run(suite);
}
