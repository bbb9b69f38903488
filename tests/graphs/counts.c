/* SPDX-License-Identifier: MIT */
#include "counts.h"
#include "kinds.h"
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>

enum { KINDS_MAX = 64 };

enum ending { SUCCEEDED, FAILED, DEPFAILED, STOPPED, ENDINGS };

static struct {
	long batches, ops, edges, chains, links, hard_links, released;
	long endings[KINDS_MAX][ENDINGS];
} * counts;

void counts_begin(void)
{
	must(kind_count() <= KINDS_MAX, "room to count");
	counts = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	must(counts != MAP_FAILED, "memory for the counts");
}

void count_plan(const sfr_batch_plan_info *plan)
{
	counts->batches++;
	counts->ops += plan->ops;
	counts->edges += plan->edges;
	counts->chains += plan->chains;
	counts->links += plan->links;
	counts->hard_links += plan->hard_links;
	counts->released += plan->released;
}

void count_ending(const struct trial *trial, int n)
{
	int r = trial->actual[n];
	enum ending ending = r >= 0                               ? SUCCEEDED
			     : r == -SFR_EDEPFAILED               ? DEPFAILED
			     : r == -ECANCELED || r == -ETIMEDOUT ? STOPPED
								  : FAILED;
	counts->endings[kind_number(trial->members[n].kind)][ending]++;
}

void counts_print(void)
{
	int i, k;

	printf("%-26s %10s %10s %10s %10s\n", "ends with", "success", "error", "depfailed",
	       "cancelled");
	for (i = 0; i < kind_count(); i++) {
		printf("%-26s", kind_numbered(i)->name);
		for (k = 0; k < ENDINGS; k++)
			printf(" %10ld", counts->endings[i][k]);
		printf("\n");
	}
	printf("%ld batches, %ld operations, %ld dependencies: %ld links in %ld rows (%ld hard), %ld released\n",
	       counts->batches, counts->ops, counts->edges, counts->links, counts->chains,
	       counts->hard_links, counts->released);
}
