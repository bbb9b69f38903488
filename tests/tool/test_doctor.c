/* SPDX-License-Identifier: MIT */
/*
 * Doctor on machines one does not have: its text for made-up facts is what is in tests/tool/golden.
 *
 * UPDATE_GOLDEN=1 in the environment writes those files anew: read the difference.
 */
#include "advice.h"
#include "doctor.h"
#include "json.h"
#include "ops.h"
#include "selftest.h"
#include "text.h"
#include "cases.h"
#include <safer_ring/error.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)
#define COUNT_OF(array) ((int)(sizeof(array) / sizeof((array)[0])))

enum { PRINTED_SIZE = 32768 };

static struct facts facts;
static char printed[PRINTED_SIZE];

static void facts_up(void)
{
	ck_assert_int_eq(unsetenv("SAFER_RING_CONFIG"), 0);
	ck_assert_int_eq(unsetenv("SAFER_RING_ENGINE"), 0);
	facts = (struct facts){
		.probing = FACTS_PROBED,
		.probe = {.features = SFR__FEATURES_ALL, .ops = UINT64_MAX},
		.liburing = {"2.3", "2.9", "/usr/lib/liburing.so.2.9"},
		.machine = {.release = "6.18.20",
			    .cores_allowed = 8,
			    .core_quota = SFR__NO_LIMIT,
			    .nodes = 1,
			    .memory_total = 16 * GIB,
			    .memory_limit = SFR__NO_LIMIT,
			    .lock_limit = 8 * MIB,
			    .files = 65536,
			    .addresses = SFR__NO_LIMIT,
			    .addresses_used = 8 * MIB,
			    .huge_page_size = 2 * MIB,
			    .huge_mode = SFR__HUGE_MADVISE,
			    .uring_group = -1},
	};
	sfr__machine_sum_up(&facts.machine);
	facts_configure_default(&facts, NULL);
	ck_assert_int_eq(facts.config_result, 0);
}

/* As the file that SAFER_RING_CONFIG names would. */
static void configured(const char *key, const char *value)
{
	struct sfr__config_origin origin = sfr__config_origin_of(SFR__RANK_ENVIRONMENT,
								 "/etc/safer-ring.yaml");
	sfr_config_error err;

	origin.line = 2;
	(void)strcpy(facts.config_variable, origin.text);
	ck_assert_int_eq(
		sfr__config_put(&facts.config, sfr__config_key_find(key), value, &origin, &err), 0);
}

static void refused(int error, enum sfr__uring_step step)
{
	facts.probe = (struct sfr__probe){.refusal = {error, step, SFR__ANSWERED}};
}

static void release(const char *name)
{
	(void)strcpy(facts.machine.release, name);
}

static void cores(unsigned count)
{
	facts.machine.cores_allowed = count;
	sfr__machine_sum_up(&facts.machine);
}

/*
 * The machines.
 */

static void all_fine(void)
{
}

static void seccomp_eperm(void)
{
	refused(-EPERM, SFR__STEP_SETUP);
	facts.machine.seccomp = 2;
}

static void seccomp_enosys(void)
{
	refused(-ENOSYS, SFR__STEP_SETUP);
	facts.machine.seccomp = 2;
}

static void no_io_uring(void)
{
	refused(-ENOSYS, SFR__STEP_SETUP);
	facts.liburing = (struct facts_liburing){"2.3", "2.3", ""};
	release("6.1.55");
	facts.machine.uring_disabled = -1;
}

static void sysctl_1(void)
{
	refused(-EPERM, SFR__STEP_SETUP);
	facts.machine.uring_disabled = 1;
	facts.machine.uring_group = 990;
}

static void sysctl_2(void)
{
	refused(-EPERM, SFR__STEP_SETUP);
	facts.machine.uring_disabled = 2;
	facts.machine.may_administrate = 1;
}

static void enter_blocked(void)
{
	refused(-EPERM, SFR__STEP_ENTER);
	facts.machine.seccomp = 2;
}

static void register_blocked(void)
{
	refused(-EPERM, SFR__STEP_REGISTER);
	facts.machine.seccomp = 2;
}

static void killed(void)
{
	facts.probing = FACTS_KILLED;
	facts.probe = (struct sfr__probe){0};
	facts.signal = SIGSYS;
	facts.machine.seccomp = 2;
}

static void stuck(void)
{
	facts.probing = FACTS_STUCK;
	facts.probe = (struct sfr__probe){0};
	facts.signal = SIGALRM;
}

static void no_descriptor(void)
{
	refused(-EMFILE, SFR__STEP_SETUP);
	facts.machine.files = 16;
}

static void old_kernel(void)
{
	release("5.15.0-91-generic");
	facts.liburing = (struct facts_liburing){"2.3", "", "/usr/lib/liburing.so.2.3"};
	facts.machine.uring_disabled = -1;
	facts.probe.features = 1U << SFR__FEATURE_FIXED_BUFFERS;
}

static void half_old_kernel(void)
{
	release("5.19.17");
	facts.machine.uring_disabled = -1;
	facts.probe.features = 1U << SFR__FEATURE_FIXED_BUFFERS | 1U << SFR__FEATURE_COOP_TASKRUN |
			       1U << SFR__FEATURE_ACCEPT_MULTI | 1U << SFR__FEATURE_BUFFER_RINGS;
	configured("ring.min_wait", "200us");
	configured("features.no_iowait", "on");
}

static void broken_features(void)
{
	release("6.11.0-8-generic");
	configured("features.napi", "on");
	configured("features.no_iowait", "off");
	configured("ring.napi", "20us");
}

static void heeded_quirk(void)
{
	release("6.6.5");
}

static void memlock_64k(void)
{
	facts.machine.lock_limit = 65536;
	sfr__machine_sum_up(&facts.machine);
}

static void few_addresses(void)
{
	facts.machine.addresses = 60 * MIB;
}

/* The kernel has it all, and trying ran short. */
static void memlock_64k_short(void)
{
	memlock_64k();
	facts.probe.features &= ~(1U << SFR__FEATURE_BUFFER_RINGS | 1U << SFR__FEATURE_RECV_MULTI);
}

static void sqpoll_on_2_cores(void)
{
	cores(2);
	configured("ring.sqpoll", "on");
}

static void sqpoll_forced_on_2_cores(void)
{
	cores(2);
	configured("ring.sqpoll", "force");
}

static void container(void)
{
	facts.machine.core_quota = 1500;
	facts.machine.memory_limit = 64 * MIB;
	facts.machine.files = 1024;
	facts.machine.may_lock = 1;
	sfr__machine_sum_up(&facts.machine);
	configured("buffers.count", "16384");
	configured("buffers.huge_pages", "on");
	configured("server.connections_max", "2000");
}

static void spared(void)
{
	facts.probing = FACTS_SPARED;
	facts.probe = (struct sfr__probe){0};
	(void)strcpy(facts.engine_variable, "epoll");
	configured("ring.min_wait", "200us");
	configured("engine", "epoll");
}

static void insisting(void)
{
	seccomp_eperm();
	configured("engine", "uring");
}

static void bad_environment(void)
{
	facts.config = (struct sfr_config){0};
	facts.config_result = -SFR_ECONFIG;
	(void)strcpy(facts.config_variable, "/etc/safer-ring.yaml");
	(void)strcpy(facts.config_trouble, "/etc/safer-ring.yaml:2:3: ring.entires: there is no "
					   "such key (did you mean ring.entries?)");
}

static void nothing_known(void)
{
	facts.machine = SFR__MACHINE_UNKNOWN;
	facts.liburing = (struct facts_liburing){0};
}

static const struct {
	const char *name;
	void (*set)(void);
	int status;
} machines[] = {
	{"all_fine", all_fine, 0},
	{"seccomp_eperm", seccomp_eperm, 1},
	{"seccomp_enosys", seccomp_enosys, 1},
	{"no_io_uring", no_io_uring, 1},
	{"sysctl_1", sysctl_1, 1},
	{"sysctl_2", sysctl_2, 1},
	{"enter_blocked", enter_blocked, 1},
	{"register_blocked", register_blocked, 1},
	{"killed", killed, 1},
	{"stuck", stuck, 3},
	{"no_descriptor", no_descriptor, 1},
	{"old_kernel", old_kernel, 0},
	{"half_old_kernel", half_old_kernel, 0},
	{"broken_features", broken_features, 0},
	{"heeded_quirk", heeded_quirk, 0},
	{"few_addresses", few_addresses, 1},
	{"memlock_64k", memlock_64k, 0},
	{"memlock_64k_short", memlock_64k_short, 0},
	{"sqpoll_on_2_cores", sqpoll_on_2_cores, 1},
	{"sqpoll_forced_on_2_cores", sqpoll_forced_on_2_cores, 0},
	{"container", container, 0},
	{"spared", spared, 1},
	{"insisting", insisting, 1},
	{"bad_environment", bad_environment, 1},
	{"nothing_known", nothing_known, 0},
};

/*
 * Printing and comparing.
 */

static void print(void (*write)(FILE *out, const struct facts *facts))
{
	FILE *file = fmemopen(printed, sizeof(printed), "w");

	ck_assert_ptr_nonnull(file);
	write(file, &facts);
	ck_assert_int_eq(fclose(file), 0);
}

static FILE *golden_open(const char *name, const char *suffix, const char *mode)
{
	const char *root = getenv("SFR_SOURCE_ROOT");
	char path[512];
	FILE *file;

	ck_assert_msg(root != NULL, "SFR_SOURCE_ROOT is not set");
	(void)snprintf(path, sizeof(path), "%s/tests/tool/golden/%s%s", root, name, suffix);
	file = fopen(path, mode);
	ck_assert_msg(file != NULL, "%s: %s", path, strerror(errno));
	return file;
}

static void assert_golden(const char *name, const char *suffix)
{
	static char golden[PRINTED_SIZE];
	bool update = getenv("UPDATE_GOLDEN") != NULL;
	FILE *file = golden_open(name, suffix, update ? "w" : "r");
	size_t at = 0, line = 0;

	if (update)
		ck_assert_int_ge(fputs(printed, file), 0);
	else
		golden[fread(golden, 1, sizeof(golden) - 1, file)] = '\0';
	ck_assert_int_eq(fclose(file), 0);
	for (; !update && printed[at]; at++) {
		line = at && printed[at - 1] == '\n' ? at : line;
		if (printed[at] != golden[at])
			break;
	}
	ck_assert_msg(update || printed[at] == golden[at],
		      "%s: it now says '%.*s' (UPDATE_GOLDEN=1 writes it anew)", name,
		      (int)strcspn(printed + line, "\n"), printed + line);
}

static void assert_narrow(void)
{
	static const char *const wide[] = {"privileged", "unconfined", "as root", "sudo"};

	for (int i = 0; i < COUNT_OF(wide); i++)
		ck_assert_msg(!strstr(printed, wide[i]), "it suggests '%s'", wide[i]);
}

static void assert_lines_fit(void)
{
	for (const char *line = printed; *line; line += strcspn(line, "\n") + 1) {
		size_t length = strcspn(line, "\n");

		ck_assert_msg(length <= TEXT_COLUMNS, "too long: %.*s", (int)length, line);
		ck_assert_msg(length == 0 || line[length - 1] != ' ', "ends in a space: '%.*s'",
			      (int)length, line);
	}
}

START_TEST(doctor_says_of_a_machine_what_its_golden_file_says)
{
	machines[_i].set();
	print(doctor_text);

	assert_golden(machines[_i].name, ".txt");
	assert_narrow();
	assert_lines_fit();
}
END_TEST

START_TEST(the_exit_status_says_whether_loops_use_io_uring)
{
	machines[_i].set();
	ck_assert_int_eq(doctor_status(&facts), machines[_i].status);
}
END_TEST

START_TEST(the_json_of_a_refusal_is_that_of_its_golden_file)
{
	seccomp_eperm();
	print(doctor_json);
	assert_golden("seccomp_eperm", ".json");
}
END_TEST

START_TEST(the_json_of_the_unknown_is_null)
{
	nothing_known();
	print(doctor_json);
	assert_golden("nothing_known", ".json");
}
END_TEST

static const struct {
	const char *name;
	void (*set)(void);
} ops_machines[] = {
	{"ops_all_fine", all_fine},
	{"ops_old_kernel", old_kernel},
	{"ops_seccomp_eperm", seccomp_eperm},
	{"ops_spared", spared},
};

START_TEST(the_table_of_ops_is_that_of_its_golden_file)
{
	ops_machines[_i].set();
	print(ops_text);
	assert_golden(ops_machines[_i].name, ".txt");
}
END_TEST

/*
 * The pieces.
 */

static void print_string(FILE *out, const struct facts *with)
{
	struct json json = {.out = out};

	json_string(&json, NULL, with->config_trouble);
}

static const struct {
	const char *raw, *json;
} strings[] = {
	{"", "\"\""},
	{"a\"b\\c", "\"a\\\"b\\\\c\""},
	{"a\n\t\x01\x7f", "\"a\\u000a\\u0009\\u0001\\u007f\""},
	{"\xc2\xb5 \xe2\x82\xac \xf0\x9f\x90\x9f", "\"\xc2\xb5 \xe2\x82\xac \xf0\x9f\x90\x9f\""},
	{"\xff", "\"\\ufffd\""},
	{"\xc2", "\"\\ufffd\""},                       /* cut off */
	{"\xc0\xaf", "\"\\ufffd\\ufffd\""},            /* longer than it need be */
	{"\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\""}, /* half of a pair */
	{"\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\""},
};

START_TEST(json_escapes_what_must_be_and_mends_what_is_not_utf8)
{
	(void)strcpy(facts.config_trouble, strings[_i].raw);
	print(print_string);
	ck_assert_str_eq(printed, strings[_i].json);
}
END_TEST

static const struct {
	uint64_t bytes;
	const char *text;
} amounts[] = {
	{0, "unknown"},
	{1, "1 bytes"},
	{1023, "1023 bytes"},
	{1024, "1 KiB"},
	{1536, "1.5 KiB"},
	{65536, "64 KiB"},
	{8 * MIB, "8 MiB"},
	{GIB + 1, "1 GiB"},
	{UINT64_C(25275682816), "23.5 GiB"},
	{UINT64_MAX - 1, "16777215.9 TiB"},
	{SFR__NO_LIMIT, "no limit"},
};

START_TEST(amounts_have_the_unit_that_people_use)
{
	char text[TEXT_AMOUNT_SIZE];

	ck_assert_str_eq(text_amount(amounts[_i].bytes, text), amounts[_i].text);
}
END_TEST

static void print_wicked(FILE *out, const struct facts *with)
{
	(void)with;
	text_row(out, 12, "a label that is long", "%s", "\x1b[2J one\ntwo");
	text_words(out, 70, "%s", "word averyverylongwordthatfitsintonoline end");
}

START_TEST(text_wraps_between_words_and_hides_control_characters)
{
	print(print_wicked);
	ck_assert_str_eq(printed,
			 "  a label that is long\n"
			 "            ?[2J one?two\n"
			 "                                                                    "
			 "  word\n"
			 "                                                                    "
			 "  averyverylongwordthatfitsintonoline\n"
			 "                                                                    "
			 "  end\n");
}
END_TEST

START_TEST(advice_on_choices_leaves_defaults_alone)
{
	struct advice advice[ADVICE_MAX];

	memlock_64k();
	facts.machine.files = 1024;
	ck_assert_uint_eq(advice_collect(&facts, ADVICE_ON_ALL, advice), 2);
	ck_assert_uint_eq(advice_collect(&facts, ADVICE_ON_CHOICES, advice), 0);
	configured("buffers.count", "64");
	ck_assert_uint_eq(advice_collect(&facts, ADVICE_ON_CHOICES, advice), 1);
	ck_assert_str_eq(advice[0].key, "RLIMIT_MEMLOCK");
}
END_TEST

START_TEST(buffers_are_registered_within_half_of_the_lock_limit)
{
	struct advice advice[ADVICE_MAX];

	ck_assert_uint_eq(advice_collect(&facts, ADVICE_ON_ALL, advice), 0);
	facts.machine.lock_limit--;
	sfr__machine_sum_up(&facts.machine);
	ck_assert_uint_eq(advice_collect(&facts, ADVICE_ON_ALL, advice), 1);
	ck_assert_ptr_nonnull(strstr(advice[0].fix, "or have buffers.count 1023"));
}
END_TEST

/* The number is the one that a loop goes by itself: see test_addresses.c. */
START_TEST(a_loop_needs_its_own_addresses_and_those_of_the_program)
{
	struct advice advice[ADVICE_MAX];
	uint64_t need = facts_addresses(&facts) + facts.machine.addresses_used;
	char limit[64];

	facts.machine.addresses = need;
	ck_assert_uint_eq(advice_collect(&facts, ADVICE_ON_ALL, advice), 0);
	facts.machine.addresses = need - 1;
	ck_assert_uint_eq(advice_collect(&facts, ADVICE_ON_CHOICES, advice), 1);
	ck_assert_str_eq(advice[0].key, "RLIMIT_AS");
	ck_assert(advice[0].refuses);
	(void)snprintf(limit, sizeof(limit), "ulimit -v %" PRIu64 ",", (need + 1023) / 1024);
	ck_assert_ptr_nonnull(strstr(advice[0].fix, limit));
	configured("buffers.budget", "32MiB");
	ck_assert_uint_eq(advice_collect(&facts, ADVICE_ON_CHOICES, advice), 0);
}
END_TEST

START_TEST(a_ring_that_finds_no_addresses_is_not_blamed_on_locked_memory)
{
	refused(-ENOMEM, SFR__STEP_SETUP);
	ck_assert_ptr_nonnull(
		strstr(sfr__refusal_fix(&facts.probe.refusal, &facts.machine), "RLIMIT_MEMLOCK"));
	facts.machine.addresses = facts.machine.addresses_used + 4096;
	ck_assert_ptr_nonnull(
		strstr(sfr__refusal_cause(&facts.probe.refusal, &facts.machine), "RLIMIT_AS"));
	ck_assert_ptr_nonnull(
		strstr(sfr__refusal_fix(&facts.probe.refusal, &facts.machine), "ulimit -v"));
}
END_TEST

START_TEST(advice_ends_where_there_is_no_room)
{
	struct advice advice[ADVICE_MAX];
	size_t count;
	const struct sfr__config_key *keys = sfr__config_keys(&count);

	container();
	facts.probe.features = 1U << SFR__FEATURE_FIXED_BUFFERS;
	facts.machine.may_lock = 0;
	facts.machine.lock_limit = 65536;
	for (size_t i = 0; i < count; i++)
		if (strncmp(keys[i].name, "features.", 9) == 0)
			configured(keys[i].name, "on");
	ck_assert_uint_lt(advice_collect(&facts, ADVICE_ON_ALL, advice), ADVICE_MAX);
}
END_TEST

/*
 * Selftest.
 */

static struct selftest selftest;

/* A kernel with a bug that its release is not known for, one that it is, and all else. */
static void selftest_up(void)
{
	static const enum reproduced reproduced[] = {REPRODUCE_NOT, REPRODUCE_YES,
						     REPRODUCE_UNTRIED};
	size_t count;
	const struct sfr__quirk *quirks = sfr__quirks(&count);

	selftest = (struct selftest){.release = "6.18.20"};
	for (size_t i = 0; i < count; i++) {
		struct selftest_bug *bug = &selftest.bugs[selftest.count];

		if (i > 0 && strcmp(quirks[i].source, quirks[i - 1].source) == 0)
			continue;
		*bug = (struct selftest_bug){.quirk = &quirks[i],
					     .verdict.reproduced = reproduced[selftest.count % 3],
					     .heeded = selftest.count % 2};
		if (bug->verdict.reproduced == REPRODUCE_UNTRIED)
			(void)strcpy(bug->verdict.why,
				     "a thread: Resource temporarily unavailable");
		selftest.count++;
	}
}

static void print_selftest(void (*write)(FILE *out, const struct selftest *selftest))
{
	FILE *file = fmemopen(printed, sizeof(printed), "w");

	ck_assert_ptr_nonnull(file);
	write(file, &selftest);
	ck_assert_int_eq(fclose(file), 0);
}

START_TEST(the_selftest_is_told_as_in_its_golden_files)
{
	selftest_up();
	print_selftest(selftest_text);
	assert_golden("selftest", ".txt");
	print_selftest(selftest_json);
	assert_golden("selftest", ".json");
}
END_TEST

START_TEST(a_selftest_fails_for_a_bug_that_loops_are_not_kept_from)
{
	selftest_up();
	for (unsigned i = 0; i < selftest.count; i++)
		selftest.bugs[i].heeded = true;
	ck_assert_int_eq(selftest_status(&selftest), 0);
	selftest.bugs[0].heeded = false;
	ck_assert_int_eq(selftest_status(&selftest), 0);
	selftest.bugs[0].verdict.reproduced = REPRODUCE_YES;
	ck_assert_int_eq(selftest_status(&selftest), 1);
}
END_TEST

START_TEST(every_bug_has_a_reproducer_or_a_reason_for_none)
{
	size_t count;
	const struct sfr__quirk *quirks = sfr__quirks(&count);

	for (size_t i = 0; i < count; i++) {
		const struct reproducer *reproducer = reproducer_of(quirks[i].source);

		ck_assert_msg(reproducer != NULL, "%s", quirks[i].source);
		ck_assert(!reproducer->run == !!reproducer->impossible);
	}
}
END_TEST

START_TEST(where_io_uring_is_not_to_be_tried_nothing_is)
{
	spared();
	selftest_run(&selftest, &facts);
	ck_assert_uint_gt(selftest.count, 5);
	for (unsigned i = 0; i < selftest.count; i++) {
		ck_assert_int_eq(selftest.bugs[i].verdict.reproduced, REPRODUCE_UNTRIED);
		ck_assert_str_ne(selftest.bugs[i].verdict.why, "");
	}
}
END_TEST

static void spin(struct verdict *out)
{
	out->reproduced = REPRODUCE_NOT;
	for (;;)
		*(volatile char *)out->why = 'x';
}

static void die(struct verdict *out)
{
	out->reproduced = REPRODUCE_NOT;
	abort();
}

static void find(struct verdict *out)
{
	out->reproduced = REPRODUCE_YES;
}

START_TEST(a_trial_that_hangs_or_dies_harms_nobody)
{
	struct verdict verdict = {0};

	selftest_try(&verdict, spin, 1);
	ck_assert_int_eq(verdict.reproduced, REPRODUCE_UNTRIED);
	ck_assert_str_eq(verdict.why, "the trial did not end");

	selftest_try(&verdict, die, 60);
	ck_assert_int_eq(verdict.reproduced, REPRODUCE_UNTRIED);
	ck_assert_str_eq(verdict.why, "the trial was ended by a signal");

	selftest_try(&verdict, find, 60);
	ck_assert_int_eq(verdict.reproduced, REPRODUCE_YES);
	ck_assert_str_eq(verdict.why, "");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("doctor");
	TCase *tc = patient_case(suite, "doctor");

	tcase_add_checked_fixture(tc, facts_up, NULL);
	tcase_add_loop_test(tc, doctor_says_of_a_machine_what_its_golden_file_says, 0,
			    COUNT_OF(machines));
	tcase_add_loop_test(tc, the_exit_status_says_whether_loops_use_io_uring, 0,
			    COUNT_OF(machines));
	tcase_add_test(tc, the_json_of_a_refusal_is_that_of_its_golden_file);
	tcase_add_test(tc, the_selftest_is_told_as_in_its_golden_files);
	tcase_add_test(tc, a_selftest_fails_for_a_bug_that_loops_are_not_kept_from);
	tcase_add_test(tc, every_bug_has_a_reproducer_or_a_reason_for_none);
	tcase_add_test(tc, where_io_uring_is_not_to_be_tried_nothing_is);
	tcase_add_test(tc, a_trial_that_hangs_or_dies_harms_nobody);
	tcase_add_test(tc, the_json_of_the_unknown_is_null);
	tcase_add_loop_test(tc, the_table_of_ops_is_that_of_its_golden_file, 0,
			    COUNT_OF(ops_machines));
	tcase_add_loop_test(tc, json_escapes_what_must_be_and_mends_what_is_not_utf8, 0,
			    COUNT_OF(strings));
	tcase_add_loop_test(tc, amounts_have_the_unit_that_people_use, 0, COUNT_OF(amounts));
	tcase_add_test(tc, text_wraps_between_words_and_hides_control_characters);
	tcase_add_test(tc, advice_on_choices_leaves_defaults_alone);
	tcase_add_test(tc, buffers_are_registered_within_half_of_the_lock_limit);
	tcase_add_test(tc, a_loop_needs_its_own_addresses_and_those_of_the_program);
	tcase_add_test(tc, a_ring_that_finds_no_addresses_is_not_blamed_on_locked_memory);
	tcase_add_test(tc, advice_ends_where_there_is_no_room);
	return suite_run(suite);
}
