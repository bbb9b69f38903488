/* SPDX-License-Identifier: MIT */
/*
 * The pictures of docs/architecture.md show what there is. docs/pictures/make draws them anew.
 */
#include "cases.h"
#include "lives.h"
#include <stdio.h>
#include <string.h>

#define TEXT_SIZE 100000

static char picture[TEXT_SIZE], page[TEXT_SIZE];

static void text_read(char *out, const char *name)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/docs/%s", getenv("SFR_SOURCE_ROOT"), name);
	file = fopen(path, "r");
	ck_assert_msg(file != NULL, "no %s", path);
	out[fread(out, 1, TEXT_SIZE - 1, file)] = '\0';
	fclose(file);
}

/* What stands between the title of an arrow and the end of its group; NULL if there is no such arrow. */
static const char *arrow_find(const char *from, const char *to)
{
	char title[128];
	const char *at;

	snprintf(title, sizeof(title), "<title>%s&#45;&gt;%s</title>", from, to);
	at = strstr(picture, title);
	return at ? at + strlen(title) : NULL;
}

static int count_of(const char *text, const char *end, const char *part)
{
	int count = 0;

	for (; (text = strstr(text, part)) && (!end || text < end); text++)
		count++;
	return count;
}

/* Whether a group has this as one of its texts, which have a space on either side. */
static bool has_label(const char *group, const char *label)
{
	char text[64];
	const char *at;

	snprintf(text, sizeof(text), "> %s </text>", label);
	at = strstr(group, text);
	return at && at < strstr(group, "</g>");
}

/* One arrow with all events that lead from one state to another. Returns how many arrows there are. */
static int way_check(int from, int to)
{
	const char *group = arrow_find(sfr__op_states[from], sfr__op_states[to]);
	int event, events = 0;

	for (event = 0; event < SFR__OP_EVENTS; event++) {
		if (sfr__op_after[from][event] != to)
			continue;
		ck_assert_msg(group && has_label(group, life_events[event]),
			      "no \"%s\" from %s to %s", life_events[event], sfr__op_states[from],
			      sfr__op_states[to]);
		events++;
	}
	if (events)
		ck_assert_int_eq(count_of(group, strstr(group, "</g>"), "<text"), events);
	return events > 0;
}

START_TEST(the_picture_of_lives_has_the_ways_of_the_table_and_no_others)
{
	int from, to, arrows = 0;

	text_read(picture, "pictures/lives.svg");
	for (from = SFR__OP_FREE; from < SFR__OP_STATES; from++)
		for (to = SFR__OP_FREE; to < SFR__OP_STATES; to++)
			arrows += way_check(from, to);
	ck_assert_int_eq(count_of(picture, NULL, "class=\"edge\""), arrows);
	ck_assert_int_eq(count_of(picture, NULL, "class=\"node\""), SFR__OP_STATES - SFR__OP_FREE);
}
END_TEST

/* The name of a room in the next row of the table that has one: "| `base/` |". NULL after the last. */
static const char *room_next(const char *at, char out[32])
{
	while ((at = strstr(at, "\n| `"))) {
		const char *name = at + 4, *end = strchr(name, '/');

		at++;
		if (!end || end - name > 30 || strncmp(end, "/` |", 4) != 0)
			continue; /* a room inside a room */
		snprintf(out, 32, "%.*s", (int)(end - name), name);
		return at;
	}
	return NULL;
}

/* Where the box of a room is in the picture, which has them from the top down. */
static const char *box_find(const char *room)
{
	char title[64];
	const char *at;

	snprintf(title, sizeof(title), "<title>%s</title>", room);
	at = strstr(picture, title);
	ck_assert_msg(at != NULL, "no %s", room);
	return at;
}

START_TEST(the_rooms_stand_in_the_order_of_the_table)
{
	const char *at = page, *box = picture + TEXT_SIZE;
	int rooms = 0;
	char room[32];

	text_read(page, "architecture.md");
	text_read(picture, "pictures/rooms.svg");
	for (; (at = room_next(at, room)); rooms++) {
		ck_assert_msg(box_find(room) < box, "%s is not above the one before it", room);
		box = box_find(room);
	}
	ck_assert_int_eq(rooms, 12);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pictures");
	TCase *tc = patient_case(suite, "pictures");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tc, the_picture_of_lives_has_the_ways_of_the_table_and_no_others);
	tcase_add_test(tc, the_rooms_stand_in_the_order_of_the_table);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
