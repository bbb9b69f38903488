/* SPDX-License-Identifier: MIT */
/*
 * The preset auto_detect: what it chooses for which machine, and how it explains itself.
 */
#include "config_world.h"
#include <errno.h>
#include <string.h>

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)
#define ALL SFR__FEATURES_ALL
#define BUT(symbol) (ALL & ~(1U << SFR__FEATURE_##symbol))

/* Machines of several kinds, with what is chosen for them. */
static const struct {
	struct sfr__machine machine;
	const char *engine, *entries, *workers, *spin, *count, *huge_pages;
} kinds[] = {
	/* Nothing is known. */
	{{.may_lock = -1, .may_administrate = -1, .seccomp = -1, .uring_disabled = -1},
	 "auto",
	 "256",
	 "8",
	 "0",
	 "1024",
	 "off"},
	/* A server. */
	{{.release = "6.18.44",
	  .cores_allowed = 32,
	  .memory_total = 64 * GIB,
	  .lock_limit = 8 * MIB,
	  .may_lock = 1,
	  .huge_page_size = 2 * MIB,
	  .huge_pages_free = 8},
	 "auto",
	 "1024",
	 "64",
	 "20us",
	 "4096",
	 "on"},
	/* The same for a user who may lock little. */
	{{.release = "6.18.44",
	  .cores_allowed = 32,
	  .memory_total = 64 * GIB,
	  .lock_limit = 8 * MIB,
	  .huge_page_size = 2 * MIB,
	  .huge_pages_free = 1},
	 "auto",
	 "1024",
	 "64",
	 "20us",
	 "1024",
	 "off"},
	/* A container with part of a machine, and io_uring forbidden. */
	{{.release = "6.12.58",
	  .cores_allowed = 16,
	  .core_quota = 1500,
	  .memory_total = 64 * GIB,
	  .memory_limit = 256 * MIB,
	  .lock_limit = SFR__NO_LIMIT,
	  .seccomp = 2,
	  .uring_disabled = 2},
	 "epoll",
	 "128",
	 "4",
	 "0",
	 "1024",
	 "off"},
	/* A small board with an old kernel. */
	{{.release = "6.1.21-v8+",
	  .cores_allowed = 4,
	  .memory_total = 48 * MIB,
	  .lock_limit = 64 * 1024},
	 "auto",
	 "64",
	 "8",
	 "20us",
	 "16",
	 "off"},
	/* A machine with more cores than a set of the C library holds. */
	{{.release = "6.6.9",
	  .cores_allowed = 2048,
	  .memory_total = 4096 * GIB,
	  .lock_limit = SFR__NO_LIMIT,
	  .huge_page_size = GIB,
	  .huge_pages_free = 0},
	 "auto",
	 "1024",
	 "64",
	 "20us",
	 "4096",
	 "off"},
	/* Tried, and refused by the filter of a container. */
	{{.release = "6.18.44",
	  .cores_allowed = 2,
	  .memory_total = 16 * GIB,
	  .seccomp = 2,
	  .kernel_known = true,
	  .refusal = {-EPERM, SFR__STEP_SETUP, SFR__ANSWERED}},
	 "epoll",
	 "256",
	 "4",
	 "0",
	 "4096",
	 "off"},
	/* A kernel that was asked, and refuses two features. */
	{{.release = "5.15.0-91-generic",
	  .cores_allowed = 8,
	  .memory_total = 16 * GIB,
	  .kernel_known = true,
	  .kernel_features = BUT(NAPI) & BUT(DEFER_TASKRUN)},
	 "auto",
	 "1024",
	 "16",
	 "20us",
	 "4096",
	 "off"},
};

/* Have the preset choose for a machine: in cfg if there is one, else in a new one. */
static void detect(const struct sfr__machine *facts)
{
	struct sfr__machine machine = *facts;

	sfr__machine_sum_up(&machine);
	if (!cfg)
		ck_assert_int_eq(sfr_config_new(&cfg, "auto_detect"), 0);
	sfr__config_see(cfg, &machine);
}

static const struct sfr__config_choice *choice(const char *key)
{
	ck_assert_msg(origin(key)->choice > 0, "%s was not chosen", key);
	return &cfg->choices[origin(key)->choice - 1];
}

START_TEST(each_kind_of_machine_has_what_suits_it)
{
	detect(&kinds[_i].machine);

	assert_value(cfg, "engine", kinds[_i].engine);
	assert_value(cfg, "ring.entries", kinds[_i].entries);
	assert_value(cfg, "ring.workers", kinds[_i].workers);
	assert_value(cfg, "ring.sqpoll", "off");
	assert_value(cfg, "ring.spin", kinds[_i].spin);
	assert_value(cfg, "buffers.count", kinds[_i].count);
	assert_value(cfg, "buffers.huge_pages", kinds[_i].huge_pages);
	ck_assert_int_eq(sfr__config_check(cfg, &err), 0);
}
END_TEST

static bool is_sentence(const char *text, size_t size)
{
	size_t length = strlen(text);

	return length > 0 && length + 1 < size && text[length - 1] != '.' &&
	       text[length - 1] != ' ';
}

START_TEST(each_choice_has_a_rule_evidence_and_a_way_to_change_it)
{
	unsigned chosen = 0;
	size_t count;
	const struct sfr__config_key *keys = sfr__config_keys(&count);

	detect(&kinds[_i].machine);

	for (size_t i = 0; i < count; i++) {
		const struct sfr__config_choice *made;

		if (cfg->origins[i].choice == 0)
			continue;
		made = choice(keys[i].name);
		chosen++;
		ck_assert_str_eq(made->key, keys[i].name);
		assert_value(cfg, made->key, made->value);
		ck_assert_str_eq(cfg->origins[i].text, "preset auto_detect");
		ck_assert(is_sentence(made->rule, sizeof(made->rule)));
		ck_assert(is_sentence(made->evidence, sizeof(made->evidence)));
		ck_assert(is_sentence(made->change, sizeof(made->change)));
	}
	ck_assert_uint_ge(chosen, 7);
}
END_TEST

START_TEST(what_is_written_for_a_machine_loads_as_the_same_configuration_anywhere)
{
	detect(&kinds[_i].machine);

	write_and_reload();
}
END_TEST

START_TEST(another_preset_forgets_what_was_chosen)
{
	detect(&kinds[_i].machine);

	ck_assert_int_eq(sfr_config_set(cfg, "preset", "default", &err), 0);

	assert_value(cfg, "engine", "auto");
	assert_value(cfg, "ring.entries", "256");
	ck_assert_uint_eq(origin("ring.entries")->choice, 0);
	ck_assert_str_eq(origin("ring.entries")->text, "default");
	write_and_reload();
}
END_TEST

/* Evidence */

static const struct {
	struct sfr__machine machine;
	const char *key, *value, *evidence, *change;
} reasons[] = {
	{{.uring_disabled = 2},
	 "engine",
	 "epoll",
	 "kernel.io_uring_disabled is 2: nobody may use io_uring",
	 "'sysctl kernel.io_uring_disabled=0', as root"},
	{{.uring_disabled = 1},
	 "engine",
	 "epoll",
	 "kernel.io_uring_disabled is 1, and this process has neither CAP_SYS_ADMIN nor the group "
	 "that may",
	 "'sysctl kernel.io_uring_group=GROUP', as root, and run in that group"},
	{{.uring_disabled = 1, .in_uring_group = 1},
	 "engine",
	 "auto",
	 "kernel.io_uring_disabled is 1, and this process may use io_uring",
	 NULL},
	{{.uring_disabled = 1, .may_administrate = 1},
	 "engine",
	 "auto",
	 "kernel.io_uring_disabled is 1, and this process may use io_uring",
	 NULL},
	{{.uring_disabled = 1, .in_uring_group = -1},
	 "engine",
	 "auto",
	 "kernel.io_uring_disabled is 1, and whether this process may use io_uring is unknown",
	 NULL},
	{{.seccomp = 2},
	 "engine",
	 "auto",
	 "a seccomp filter is in force, and may let io_uring pass",
	 NULL},
	{{.cores = 0}, "engine", "auto", "nothing is seen that forbids io_uring", NULL},

	{{.cores_allowed = 3},
	 "ring.sqpoll",
	 "off",
	 "3 usable cores: too few for one to poll",
	 "'ring.sqpoll: force' has the thread all the same"},
	{{.cores_allowed = 4},
	 "ring.sqpoll",
	 "off",
	 "4 usable cores: one may poll",
	 "'ring.sqpoll: auto' has the thread on this machine"},
	{{.cores_allowed = 4, .release = "5.10.9"},
	 "ring.sqpoll",
	 "off",
	 "kernel 5.10.9: the polling thread keeps a core busy when there is nothing to do "
	 "(libuv/libuv#4093, noted 2026-11)",
	 "'ring.sqpoll: force' has the thread all the same"},

	{{.cores_allowed = 16, .core_quota = 2500},
	 "ring.spin",
	 "0",
	 "2 usable cores, as a cgroup grants the time of 2.5",
	 "'ring.spin: 20us' spins all the same"},
	{{.cores_allowed = 16},
	 "ring.spin",
	 "20us",
	 "16 usable cores",
	 "'ring.spin: 0' never spins, and leaves the core to others"},

	{{.cores_allowed = 1}, "ring.entries", "128", "1 usable core", NULL},
	{{.cores_allowed = 64, .memory_total = 64 * MIB},
	 "ring.entries",
	 "128",
	 "64 MiB of memory",
	 NULL},
	{{.cores_allowed = 64, .memory_total = GIB, .memory_limit = 32 * MIB},
	 "ring.entries",
	 "64",
	 "32 MiB of memory, as a cgroup grants",
	 NULL},
	{{.cores_allowed = 64, .lock_limit = 64 * 1024},
	 "ring.entries",
	 "64",
	 "64 KiB may be locked",
	 NULL},
	{{.cores_allowed = 64, .lock_limit = 1000},
	 "ring.entries",
	 "64",
	 "1000 bytes may be locked",
	 NULL},

	{{.cores_allowed = 1}, "ring.workers", "4", "1 usable core", NULL},
	{{.cores_allowed = 100}, "ring.workers", "64", "100 usable cores", NULL},

	{{.cores = 0}, "buffers.count", "1024", "an unknown size of memory", NULL},
	{{.memory_total = 512 * MIB}, "buffers.count", "2048", "512 MiB of memory", NULL},
	{{.memory_total = 16 * GIB - 77}, "buffers.count", "4096", "16383 MiB of memory", NULL},
	{{.memory_total = 16 * GIB, .memory_limit = 256 * MIB},
	 "buffers.count",
	 "1024",
	 "256 MiB of memory, as a cgroup grants",
	 NULL},
	{{.memory_total = 16 * GIB, .lock_limit = 8 * MIB},
	 "buffers.count",
	 "1024",
	 "8 MiB may be locked",
	 "'buffers.count', or a higher lock limit (ulimit -l, LimitMEMLOCK=)"},

	{{.cores = 0}, "buffers.budget", "64MiB", "an unknown size of memory", NULL},
	{{.memory_total = 512 * MIB},
	 "buffers.budget",
	 "32MiB",
	 "512 MiB of memory",
	 "'buffers.budget: 0' has buffers.count, and never more"},
	{{.memory_total = 64 * GIB}, "buffers.budget", "256MiB", "64 GiB of memory", NULL},
	{{.memory_total = 64 * GIB, .memory_limit = MIB},
	 "buffers.budget",
	 "64KiB",
	 "buffers.count is 16, of 4096 bytes",
	 NULL},

	{{.cores = 0}, "buffers.huge_pages", "off", "an unknown number of huge pages", NULL},
	{{.huge_page_size = 2 * MIB, .huge_pages_free = 1},
	 "buffers.huge_pages",
	 "off",
	 "1 free huge pages of 2 MiB, and the buffers take 2",
	 "'sysctl vm.nr_hugepages=N', as root, to have more of them"},
	{{.huge_page_size = 2 * MIB, .huge_pages_free = 2},
	 "buffers.huge_pages",
	 "on",
	 "2 free huge pages of 2 MiB, and the buffers take 2",
	 "'buffers.huge_pages: off' leaves the huge pages to others"},

	{{.release = "6.6.9"},
	 "features.accept_multi",
	 "off",
	 "kernel 6.6.9: an accept that finds the completion queue full reports a wrong descriptor "
	 "(axboe/liburing#1062, noted 2026-11)",
	 "'features.accept_multi: on' has it all the same"},
	{{.kernel_known = true, .kernel_features = BUT(NAPI)},
	 "features.napi",
	 "off",
	 "this kernel refuses it",
	 "a newer kernel"},
	{{.kernel_known = true, .kernel_features = 0, .release = "6.6.9"},
	 "features.accept_multi",
	 "off",
	 "this kernel refuses it",
	 NULL},
};

START_TEST(a_choice_says_what_was_seen)
{
	detect(&reasons[_i].machine);

	assert_value(cfg, reasons[_i].key, reasons[_i].value);
	ck_assert_str_eq(choice(reasons[_i].key)->evidence, reasons[_i].evidence);
	if (reasons[_i].change)
		ck_assert_str_eq(choice(reasons[_i].key)->change, reasons[_i].change);
}
END_TEST

START_TEST(features_that_nothing_speaks_against_are_left_to_the_loop)
{
	detect(&(struct sfr__machine){
		.release = "6.18.44", .kernel_known = true, .kernel_features = ALL});

	for (unsigned i = 0; i < SFR__FEATURES; i++)
		ck_assert_uint_eq(cfg->settings.features[i], SFR__AUTO);
	ck_assert_uint_eq(origin("features.napi")->choice, 0);
}
END_TEST

/* What others have set */

static const struct {
	const char *key, *value;
	const char *chosen, *becomes, *evidence;
} given[] = {
	{"buffers.receive", "8192", "buffers.count", "8192", "buffers.receive is 8192"},
	{"ring.cq_entries", "512", "ring.entries", "512", "ring.cq_entries is 512"},
	{"ring.cq_entries", "8", "ring.entries", "8", "ring.cq_entries is 8"},
	{"buffers.size", "64", "buffers.count", "262144", "16 GiB of memory"},
	{"buffers.size", "1MiB", "buffers.budget", "256MiB", "16 GiB of memory"},
	{"buffers.count", "100000", "buffers.budget", "400000KiB",
	 "buffers.count is 100000, of 4096 bytes"},
	{"buffers.size", "1MiB", "buffers.count", "16", "16 GiB of memory"},
	{"buffers.count", "2000", "buffers.huge_pages", "on",
	 "4 free huge pages of 2 MiB, and the buffers take 4"},
};

START_TEST(a_choice_stays_within_what_others_have_set)
{
	static const struct sfr__machine server = {.cores_allowed = 16,
						   .memory_total = 16 * GIB,
						   .huge_page_size = 2 * MIB,
						   .huge_pages_free = 4};

	detect(&server);
	ck_assert_int_eq(sfr_config_set(cfg, given[_i].key, given[_i].value, &err), 0);

	assert_value(cfg, given[_i].chosen, given[_i].becomes);
	ck_assert_str_eq(choice(given[_i].chosen)->evidence, given[_i].evidence);
	ck_assert_int_eq(sfr__config_check(cfg, &err), 0);
	write_and_reload();
}
END_TEST

START_TEST(a_value_that_someone_has_set_is_not_chosen)
{
	ck_assert_int_eq(load("preset: auto_detect\n"
			      "engine: uring\n"
			      "ring: {entries: 32, workers: 3, spin: 1us, sqpoll: force}\n"
			      "buffers: {count: 77, huge_pages: on}\n"
			      "features: {accept_multi: on, napi: auto}\n"),
			 0);
	detect(&(struct sfr__machine){.release = "6.6.9",
				      .uring_disabled = 2,
				      .cores_allowed = 1,
				      .kernel_known = true,
				      .kernel_features = 0});

	assert_value(cfg, "engine", "uring");
	assert_value(cfg, "ring.entries", "32");
	assert_value(cfg, "ring.workers", "3");
	assert_value(cfg, "ring.spin", "1us");
	assert_value(cfg, "ring.sqpoll", "force");
	assert_value(cfg, "buffers.count", "77");
	assert_value(cfg, "buffers.huge_pages", "on");
	assert_value(cfg, "features.accept_multi", "on");
	assert_value(cfg, "features.napi", "auto");
	ck_assert_uint_eq(origin("features.accept_multi")->choice, 0);
}
END_TEST

START_TEST(a_quirk_beside_sqpoll_counts_where_someone_asked_for_sqpoll)
{
	detect(&(struct sfr__machine){.release = "6.17.11", .cores_allowed = 8});
	assert_value(cfg, "features.min_wait", "auto");

	ck_assert_int_eq(sfr_config_set(cfg, "ring.sqpoll", "auto", &err), 0);

	assert_value(cfg, "features.min_wait", "off");
	ck_assert_int_eq(sfr_config_set(cfg, "features.min_wait", "on", &err), 0);
	assert_value(cfg, "features.min_wait", "on");
}
END_TEST

START_TEST(a_feature_that_another_insists_on_is_not_turned_off)
{
	detect(&(struct sfr__machine){.kernel_known = true, .kernel_features = 0});
	assert_value(cfg, "features.single_issuer", "off");

	ck_assert_int_eq(sfr_config_set(cfg, "features.defer_taskrun", "on", &err), 0);

	assert_value(cfg, "features.single_issuer", "auto");
	ck_assert_int_eq(sfr__config_check(cfg, &err), 0);
}
END_TEST

START_TEST(the_machine_is_looked_at_once_for_a_configuration)
{
	ck_assert_int_eq(sfr_config_new(&cfg, NULL), 0);
	ck_assert(!cfg->machine_seen);

	ck_assert_int_eq(sfr_config_set(cfg, "preset", "auto_detect", &err), 0);
	ck_assert(cfg->machine_seen);
	cfg->machine.cores = 12345;
	ck_assert_int_eq(sfr_config_set(cfg, "buffers.size", "64", &err), 0);

	ck_assert_uint_eq(cfg->machine.cores, 12345);
}
END_TEST

/* Writing */

START_TEST(what_is_written_explains_each_choice_above_it)
{
	char text[16384] = "";
	FILE *file = fmemopen(text, sizeof(text), "w");

	detect(&(struct sfr__machine){.release = "6.6.9", .cores_allowed = 2});
	ck_assert_int_eq(sfr_config_write(cfg, file), 0);
	(void)fclose(file);

	ck_assert_ptr_nonnull(strstr(text,
				     "  # Rule: 20us on 4 cores and more, else 0.\n"
				     "  # Seen: 2 usable cores.\n"
				     "  # To change it: 'ring.spin: 20us' spins all the same.\n"
				     "  spin: 0                           "
				     "# preset auto_detect\n"));
	ck_assert_ptr_nonnull(strstr(text, "\nfeatures:\n"));
	ck_assert_ptr_nonnull(strstr(text, "  accept_multi: off                 "
					   "# preset auto_detect\n"));
	ck_assert_ptr_null(strstr(text, "\xdf"));
}
END_TEST

START_TEST(no_line_of_what_is_written_is_longer_than_a_screen_is_wide)
{
	char text[16384] = "";
	FILE *file = fmemopen(text, sizeof(text), "w");

	detect(&kinds[_i].machine);
	ck_assert_int_eq(sfr_config_write(cfg, file), 0);
	ck_assert_int_eq(sfr__config_reference(file), 0);
	(void)fclose(file);

	for (const char *line = text; *line; line += strcspn(line, "\n") + 1)
		ck_assert_msg(strcspn(line, "\n") <= 100, "%.200s", line);
}
END_TEST

START_TEST(a_wicked_release_cannot_leave_its_comment)
{
	detect(&(struct sfr__machine){.release = "6.6.9\nengine: uring # \xff"});

	ck_assert_str_eq(cfg->machine.release, "6.6.9\nengine: uring # \xff");
	write_and_reload();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("config_detect");
	TCase *tc = case_of(suite, "a machine");

	tcase_add_loop_test(tc, each_kind_of_machine_has_what_suits_it, 0, COUNT_OF(kinds));
	tcase_add_loop_test(tc, each_choice_has_a_rule_evidence_and_a_way_to_change_it, 0,
			    COUNT_OF(kinds));
	tcase_add_loop_test(tc,
			    what_is_written_for_a_machine_loads_as_the_same_configuration_anywhere,
			    0, COUNT_OF(kinds));
	tcase_add_loop_test(tc, another_preset_forgets_what_was_chosen, 0, COUNT_OF(kinds));

	tc = case_of(suite, "evidence");
	tcase_add_loop_test(tc, a_choice_says_what_was_seen, 0, COUNT_OF(reasons));
	tcase_add_test(tc, features_that_nothing_speaks_against_are_left_to_the_loop);

	tc = case_of(suite, "what others have set");
	tcase_add_loop_test(tc, a_choice_stays_within_what_others_have_set, 0, COUNT_OF(given));
	tcase_add_test(tc, a_value_that_someone_has_set_is_not_chosen);
	tcase_add_test(tc, a_quirk_beside_sqpoll_counts_where_someone_asked_for_sqpoll);
	tcase_add_test(tc, a_feature_that_another_insists_on_is_not_turned_off);
	tcase_add_test(tc, the_machine_is_looked_at_once_for_a_configuration);

	tc = case_of(suite, "writing");
	tcase_add_test(tc, what_is_written_explains_each_choice_above_it);
	tcase_add_loop_test(tc, no_line_of_what_is_written_is_longer_than_a_screen_is_wide, 0,
			    COUNT_OF(kinds));
	tcase_add_test(tc, a_wicked_release_cannot_leave_its_comment);
	return suite_run(suite);
}
