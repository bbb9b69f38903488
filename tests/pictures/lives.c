/* SPDX-License-Identifier: MIT */
/*
 * The table of lives as a graph in the language of dot(1), for docs/pictures/make.
 */
#include "lives.h"
#include <stdio.h>

/* Below each state who has the op then, and its buffer. */
static const char *const holders[SFR__OP_STATES] = {
	[SFR__OP_FREE] = "nobody",
	[SFR__OP_BUILDING] = "the caller",
	[SFR__OP_ADDED] = "a batch",
	[SFR__OP_QUEUED] = "the loop",
	[SFR__OP_IN_FLIGHT] = "the engine, the wheel or a worker",
	[SFR__OP_CANCELLING] = "the same, and asked to end",
	[SFR__OP_ORPHANED] = "the same, and nobody wants to know",
	[SFR__OP_DONE] = "the loop, until the callback",
};

/* What leads from one state to another goes on one arrow. */
static void arrow(int from, int to)
{
	const char *separator = "";
	int event;

	for (event = 0; event < SFR__OP_EVENTS; event++) {
		if (sfr__op_after[from][event] != to)
			continue;
		if (!*separator)
			printf("\t\"%s\" -> \"%s\" [label=\" ", sfr__op_states[from],
			       sfr__op_states[to]);
		printf("%s%s", separator, life_events[event]);
		separator = " \\n ";
	}
	if (*separator)
		printf(" \"]\n");
}

int main(void)
{
	int from, to;

	printf("digraph lives {\n");
	for (from = SFR__OP_FREE; from < SFR__OP_STATES; from++)
		printf("\t\"%s\" [label=<<b>%s</b><br/><font point-size=\"10\">%s</font>>]\n",
		       sfr__op_states[from], sfr__op_states[from], holders[from]);
	for (from = SFR__OP_FREE; from < SFR__OP_STATES; from++)
		for (to = SFR__OP_FREE; to < SFR__OP_STATES; to++)
			arrow(from, to);
	printf("}\n");
	return 0;
}
