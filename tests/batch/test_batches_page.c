/* SPDX-License-Identifier: MIT */
/*
 * docs/batches.md against the table of kinds: what it says of rows is what the planner is told. And the
 * example that it shows, and others show, against the one that is tested.
 */
#include "op/kind.h"
#include "cases.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char page[100000];

static void page_read(const char *name)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", getenv("SFR_SOURCE_ROOT"), name);
	file = fopen(path, "r");
	ck_assert_msg(file != NULL, "no %s", path);
	page[fread(page, 1, sizeof(page) - 1, file)] = '\0';
	fclose(file);
}

/* What the line of a kind says, after its names. */
struct line {
	const char *row, *breaks, *part;
};

/* A line of the table with those words in its first cell. False if there is none. */
static bool line_find(const char *name, struct line *line)
{
	const char *at = strstr(page, "| operation | can be in a row |");

	ck_assert_ptr_nonnull(at);
	for (at = strchr(at, '\n'); at && at[1] == '|'; at = strchr(at + 1, '\n')) {
		const char *hit = strstr(at, name), *cell = strchr(at + 2, '|');

		if (!hit || hit > cell)
			continue;
		line->row = cell;
		line->breaks = strchr(line->row + 1, '|');
		line->part = strchr(line->breaks + 1, '|');
		return true;
	}
	return false;
}

static bool cell_is(const char *cell, const char *text)
{
	char wanted[64];

	snprintf(wanted, sizeof(wanted), *text ? "| %s |" : "|%s |", text);
	return strncmp(cell, wanted, strlen(wanted)) == 0;
}

static const char *part_of(enum sfr__op_kind kind, unsigned traits)
{
	if (kind == SFR__OP_SPLICE)
		return "no"; /* with what splice is told to move it has no kind of its own */
	if (!(traits & SFR__KIND_LENGTH))
		return "";
	return traits & SFR__KIND_MESSAGE ? "with `sfr_all()`" : "yes";
}

/* The line that is about a kind: its own, or the last one. */
static void line_of(const char *name, bool may_be_in_batch, struct line *line)
{
	char mark[64];
	bool found;

	snprintf(mark, sizeof(mark), "`%s`", name);
	found = line_find(mark, line);
	ck_assert_msg(may_be_in_batch || !found, "%s", name);
	if (!found)
		ck_assert(line_find("each other operation", line));
}

START_TEST(of_every_kind_that_can_be_in_a_batch_the_page_says_what_is_so)
{
	const unsigned apart = SFR__KIND_HERE | SFR__KIND_STEPS;
	enum sfr__op_kind kind;

	page_read("docs/batches.md");
	for (kind = 0; kind < SFR__OP_KINDS; kind++) {
		const char *name = sfr__kinds[kind].name;
		unsigned traits = sfr__kind_traits[kind];
		bool batch = !(traits & SFR__KIND_MULTI) && kind != SFR__OP_RAW;
		bool can = (!(traits & apart) && kind != SFR__OP_WORK) ||
			   kind == SFR__OP_SPLICE; /* unless it polls first */
		const char *breaks = traits & SFR__KIND_BREAKS ? "yes" : "no";
		struct line line = {0};

		line_of(name, batch, &line);
		if (!batch)
			continue;
		ck_assert_msg(cell_is(line.row, can ? "yes" : "no"), "%s", name);
		ck_assert_msg(cell_is(line.breaks, can ? breaks : ""), "%s", name);
		ck_assert_msg(cell_is(line.part, can ? part_of(kind, traits) : ""), "%s", name);
	}
}
END_TEST

START_TEST(the_example_is_everywhere_the_one_that_is_tested)
{
	static const char *const lines[] = {
		"sfr_batch *copy = sfr_batch_new(loop);\n",
		"int read = sfr_batch_add(copy, sfr_read_at(loop, from, sfr_buf_get(loop, size), 0));\n",
		"int write = sfr_batch_then(copy, read, sfr_all(sfr_write_at(loop, to, NULL, 0)));\n",
		"sfr_batch_then(copy, write, sfr_fsync(loop, to));\n",
		"r = sfr_batch_submit(copy, copied, arg); // the first error of any line above\n",
	};
	static const char *const places[] = {"tests/batch/test_recipes.c",
					     "include/safer_ring/batch.h", "docs/batches.md",
					     "README.md"};
	size_t place, line;

	for (place = 0; place < sizeof(places) / sizeof(places[0]); place++) {
		page_read(places[place]);
		for (line = 0; line < sizeof(lines) / sizeof(lines[0]); line++)
			ck_assert_msg(strstr(page, lines[line]) != NULL, "%s: %s", places[place],
				      lines[line]);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("the page on batches");
	TCase *tc = patient_case(suite, "the table of kinds");

	tcase_add_test(tc, of_every_kind_that_can_be_in_a_batch_the_page_says_what_is_so);
	tcase_add_test(tc, the_example_is_everywhere_the_one_that_is_tested);
	return suite_run(suite);
}
