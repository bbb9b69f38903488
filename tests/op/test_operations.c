/* SPDX-License-Identifier: MIT */
/*
 * docs/operations.md against the headers and the table of kinds: what the manual says is what there is.
 */
#include "op/kind.h"
#include "pending.h"
#include "quick.h"
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_SIZE 100000

static char header[4 * TEXT_SIZE], manual[TEXT_SIZE];

static void text_read(char *out, const char *name)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", getenv("SFR_SOURCE_ROOT"), name);
	file = fopen(path, "r");
	ck_assert_msg(file != NULL, "no %s", path);
	out[fread(out, 1, TEXT_SIZE - 1, file)] = '\0';
	fclose(file);
}

/* Every header that declares builders. */
static void headers_read(void)
{
	static const char *const names[] = {"op.h", "file.h", "datagram.h", "system.h"};
	size_t used = 0, i;
	char name[64];

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(name, sizeof(name), "include/safer_ring/%s", names[i]);
		text_read(header + used, name);
		used += strlen(header + used);
	}
}

static void texts_read(void)
{
	headers_read();
	text_read(manual, "docs/operations.md");
}

/* The next builder after `at`, as the manual writes it: "sfr_read(loop, fd, buf)". NULL after the last. */
static const char *builder_next(const char *at, char out[256])
{
	const char *const mark = "SFR_API sfr_op *", *p;
	size_t used = 0;

	do {
		at = strstr(at, mark);
		if (!at)
			return NULL;
		at += strlen(mark);
		p = strchr(at, '(');
	} while (strncmp(p, "(sfr_loop *loop", 15) != 0); /* a modifier takes an op */
	used = (size_t)snprintf(out, 256, "%.*s(", (int)(p - at), at);
	while (*p != ';') {
		const char *end = p + 1 + strcspn(p + 1, ",)"), *name = end;

		while (name[-1] != ' ' && name[-1] != '*')
			name--;
		used += (size_t)snprintf(out + used, 256 - used, "%.*s%s", (int)(end - name), name,
					 *end == ',' ? ", " : ")");
		p = *end == ',' ? end : end + 1;
	}
	return p;
}

START_TEST(every_builder_has_its_row)
{
	char builder[256], row[300];
	const char *at;
	int count = 0, rows = 0;

	texts_read();
	for (at = header; (at = builder_next(at, builder)); count++) {
		snprintf(row, sizeof(row), "\n| `%s` |", builder);
		ck_assert_msg(strstr(manual, row) != NULL, "no row for %s", builder);
	}
	for (at = manual; (at = strstr(at, "\n| `sfr_")); at++)
		rows += strncmp(at, "\n| `sfr_op_", 11) != 0 && strchr(at + 1, '(') &&
			strncmp(strchr(at + 1, '('), "(loop", 5) == 0;
	ck_assert_int_eq(rows, count);
}
END_TEST

START_TEST(every_builder_is_in_the_net_of_the_compiler)
{
	char builder[256], row[300];
	const char *at;

	headers_read();
	text_read(manual, "include/safer_ring/ownership.h");
	for (at = header; (at = builder_next(at, builder));) {
		snprintf(row, sizeof(row), "\tX(sfr_op *, %.*s,", (int)strcspn(builder, "("),
			 builder);
		ck_assert_msg(strstr(manual, row) != NULL, "no row for %s", builder);
	}
}
END_TEST

/* The kind of a row: the variants at an offset are of the same kind. */
static enum sfr__op_kind kind_of(const char *name, size_t length)
{
	enum sfr__op_kind kind;

	if (length > 3 && strncmp(name + length - 3, "_at", 3) == 0)
		length -= 3;
	for (kind = 0; kind < SFR__OP_KINDS; kind++)
		if (strlen(sfr__kinds[kind].name) == length &&
		    strncmp(sfr__kinds[kind].name, name, length) == 0)
			return kind;
	ck_abort_msg("%.*s is no kind of op", (int)length, name);
}

/* What the column so many from the right of a row says: yes or no. */
static bool says_yes(const char *row, int from_right)
{
	const char *at = strchr(row, '\n');
	int bars = 0;

	while (bars < from_right + 1)
		bars += *--at == '|';
	ck_assert(strncmp(at, "| yes", 5) == 0 || strncmp(at, "| no", 4) == 0);
	return at[2] == 'y';
}

static void column_is_trait(int from_right, unsigned trait, bool wanted)
{
	const char *at;

	texts_read();
	for (at = manual; (at = strstr(at, "\n| `sfr_")); at++) {
		const char *name = at + 8, *end = strchr(name, '(');
		enum sfr__op_kind kind;

		if (!end || strncmp(end, "(loop", 5) != 0)
			continue;
		kind = kind_of(name, (size_t)(end - name));
		ck_assert_msg(says_yes(at + 1, from_right) ==
				      (!(sfr__kind_traits[kind] & trait) == !wanted),
			      "%.*s", (int)(end - name), name);
	}
}

START_TEST(every_operation_takes_a_deadline)
{
	column_is_trait(4, 0, false);
}
END_TEST

START_TEST(what_goes_on_after_a_part_is_told_apart)
{
	column_is_trait(3, SFR__KIND_LENGTH, true);
}
END_TEST

START_TEST(what_ends_once_is_told_apart)
{
	column_is_trait(2, SFR__KIND_MULTI, false);
}
END_TEST

static bool is_pending_kind(const char *name)
{
	size_t length = strlen(name);
	int i;

	for (i = 0; i < pending_count; i++)
		if (strncmp(pending_kinds[i].name, name, length) == 0 &&
		    strchr(" _", pending_kinds[i].name[length])) /* variants count */
			return true;
	return false;
}

static bool is_quick_kind(const char *name)
{
	int i;

	for (i = 0; i < quick_count; i++)
		if (strcmp(quick_kinds[i].name, name) == 0)
			return true;
	return false;
}

/* By the suites that go through one of these tables: test_op.c, test_abandon.c, test_deadline.c for ops
 * that wait, test_quick.c for those that do not. */
START_TEST(every_kind_is_cancelled_abandoned_limited_and_drained_by_the_suites)
{
	enum sfr__op_kind kind;

	for (kind = 0; kind < SFR__OP_KINDS; kind++) {
		const char *name = sfr__kinds[kind].name;

		ck_assert_msg(is_pending_kind(name) != is_quick_kind(name), "%s", name);
	}
}
END_TEST

START_TEST(every_kind_has_a_name)
{
	enum sfr__op_kind kind;

	for (kind = 0; kind < SFR__OP_KINDS; kind++)
		ck_assert_ptr_nonnull(sfr__kinds[kind].name);
}
END_TEST

static bool is(enum sfr__op_kind kind, unsigned trait)
{
	return sfr__kind_is(kind, trait);
}

/* The hot paths look at the trait, and call without another look. */
START_TEST(every_kind_has_the_behaviour_that_its_traits_say)
{
	enum sfr__op_kind kind;

	for (kind = 0; kind < SFR__OP_KINDS; kind++) {
		const struct sfr__kind *row = &sfr__kinds[kind];

		ck_assert_msg(is(kind, SFR__KIND_HERE) == (row->start != NULL), "%s", row->name);
		ck_assert_msg(is(kind, SFR__KIND_STEPS) == (row->complete != NULL), "%s",
			      row->name);
		ck_assert_msg(is(kind, SFR__KIND_STRUCT) == (row->size != 0), "%s", row->name);
		ck_assert_msg(!is(kind, SFR__KIND_HERE) || !is(kind, SFR__KIND_ON_FD), "%s",
			      row->name);
		ck_assert_msg(is(kind, SFR__KIND_DIRFD) || !is(kind, SFR__KIND_TWO_DIRS), "%s",
			      row->name);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("operations");
	TCase *tc = patient_case(suite, "the manual");

	tcase_add_test(tc, every_builder_has_its_row);
	tcase_add_test(tc, every_builder_is_in_the_net_of_the_compiler);
	tcase_add_test(tc, every_operation_takes_a_deadline);
	tcase_add_test(tc, what_goes_on_after_a_part_is_told_apart);
	tcase_add_test(tc, what_ends_once_is_told_apart);
	tcase_add_test(tc, every_kind_has_a_name);
	tcase_add_test(tc, every_kind_has_the_behaviour_that_its_traits_say);
	tcase_add_test(tc, every_kind_is_cancelled_abandoned_limited_and_drained_by_the_suites);
	return suite_run(suite);
}
