/* SPDX-License-Identifier: MIT */
/*
 * The machine: what is read from /proc and /sys, and what is made of missing and wrong files.
 *
 * Small trees stand for machines. Limits, affinity and the release are those of the process that
 * runs the test, which may change its own.
 */
#include "config_world.h"
#include "allocations.h"
#include "machine/machine.h"
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#define V2 "sys/fs/cgroup"
#define GIB (UINT64_C(1) << 30)

static struct sfr__machine machine;

/* Write a file of the tree; directories on the way are made. */
static void tree_file(const char *path, const char *text)
{
	char made[512];
	char *slash = made;

	ck_assert_int_lt(snprintf(made, sizeof(made), "%s", path), (int)sizeof(made));
	while ((slash = strchr(slash, '/')) != NULL) {
		*slash = '\0';
		ck_assert(mkdir(made, 0700) == 0 || errno == EEXIST);
		*slash++ = '/';
	}
	file_of(path, text);
}

/* Look at the tree in the directory of the test. */
static void look(void)
{
	memset(&machine, 0xdf, sizeof(machine));
	sfr__machine_look_in(&machine, ".");
}

static void assert_cores_text(const char *expected)
{
	char seen[128];

	ck_assert_str_eq(sfr__machine_cores_text(&machine, seen, sizeof(seen)), expected);
}

/* Unknown */

START_TEST(without_files_all_that_files_tell_is_unknown)
{
	look();

	ck_assert_uint_eq(machine.core_quota, 0);
	ck_assert_uint_eq(machine.nodes, 0);
	ck_assert_uint_eq(machine.memory, 0);
	ck_assert_uint_eq(machine.memory_total, 0);
	ck_assert_uint_eq(machine.memory_limit, 0);
	ck_assert_uint_eq(machine.huge_page_size, 0);
	ck_assert_int_eq(machine.huge_mode, SFR__HUGE_UNKNOWN);
	ck_assert_int_eq(machine.may_lock, -1);
	ck_assert_int_eq(machine.may_administrate, -1);
	ck_assert_int_eq(machine.seccomp, -1);
	ck_assert_int_eq(machine.uring_disabled, -1);
	ck_assert_int_eq(machine.uring_group, -1);
	ck_assert_int_eq(machine.in_uring_group, -1);
	ck_assert(!machine.kernel_known);
}
END_TEST

static const char *const files[] = {
	"proc/meminfo",
	"proc/self/cgroup",
	"proc/self/status",
	"proc/sys/kernel/io_uring_disabled",
	"proc/sys/kernel/io_uring_group",
	"sys/devices/system/node/online",
	"sys/fs/cgroup/cpu.max",
	"sys/fs/cgroup/memory.max",
	"sys/fs/cgroup/cpu/cpu.cfs_quota_us",
	"sys/fs/cgroup/cpu/cpu.cfs_period_us",
	"sys/fs/cgroup/memory/memory.limit_in_bytes",
	"sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages",
	"sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages",
	"sys/kernel/mm/transparent_hugepage/enabled",
};

static const char *const garbage[] = {
	"",
	"\n",
	"banana\n",
	"-\n",
	"-5\n",
	"1x\n",
	"99999999999999999999999999\n",
	"0 0\n",
	"1 -1\n",
	"max\nmax",
	":",
	"0::",
	"0:::\n::\n",
	"0::/../..\n1:cpu,memory:/../x\n",
	"MemTotal:\nHugepagesize:\nCapEff:\nSeccomp:\nGid:\nGroups:\n",
	"MemTotal: -1 kB\nHugepagesize: 99999999999999 kB\nCapEff: xyz\nSeccomp: 9\nGid: a b c d\n",
	"MemTotal",
	"0-",
	"1-0",
	"0-99999999999",
	",,,",
	"[[[",
};

START_TEST(garbage_in_every_file_does_no_harm)
{
	for (int i = 0; i < COUNT_OF(files); i++)
		tree_file(files[i], garbage[_i]);

	look();

	ck_assert_uint_ge(machine.cores, 1);
	ck_assert_uint_eq(machine.memory, 0);
	ck_assert_uint_eq(machine.huge_page_size, 0);
	ck_assert_int_eq(machine.huge_mode, SFR__HUGE_UNKNOWN);
	ck_assert_int_eq(machine.may_lock, -1);
	ck_assert_int_eq(machine.seccomp, -1);
}
END_TEST

START_TEST(files_larger_than_anyone_expects_do_no_harm)
{
	static char text[100000];

	memset(text, '7', sizeof(text) - 1);
	for (int i = 0; i < COUNT_OF(files); i++)
		tree_file(files[i], text);

	look();

	ck_assert_uint_eq(machine.memory, 0);
	ck_assert_uint_eq(machine.nodes, 0);
}
END_TEST

START_TEST(a_root_that_is_too_long_to_name_is_one_without_files)
{
	static char root[8192];

	memset(root, 'x', sizeof(root) - 1);
	tree_file("proc/meminfo", "MemTotal: 1024 kB\n");

	sfr__machine_look_in(&machine, root);

	ck_assert_uint_eq(machine.memory, 0);
}
END_TEST

/* Cores */

START_TEST(the_cores_are_those_that_affinity_leaves)
{
	cpu_set_t first;
	unsigned before;

	look();
	before = machine.cores_allowed;
	ck_assert_uint_ge(before, 1);
	ck_assert_uint_eq(machine.cores, before);

	CPU_ZERO(&first);
	ck_assert_int_eq(sched_getaffinity(0, sizeof(first), &first), 0);
	for (int i = 0, seen = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &first) && seen++ > 0)
			CPU_CLR(i, &first);
	ck_assert_int_eq(sched_setaffinity(0, sizeof(first), &first), 0);
	look();

	ck_assert_uint_eq(machine.cores_allowed, 1);
	ck_assert_uint_eq(machine.cores, 1);
	assert_cores_text("1 usable core");
}
END_TEST

START_TEST(a_quota_two_levels_up_binds_what_is_below)
{
	tree_file("proc/self/cgroup", "0::/outer/middle/inner\n");
	tree_file(V2 "/outer/cpu.max", "150000 100000\n");
	tree_file(V2 "/outer/middle/cpu.max", "max 100000\n");
	tree_file(V2 "/outer/middle/inner/cpu.max", "400000 100000\n");

	look();

	ck_assert_uint_eq(machine.core_quota, 1500);
	ck_assert_uint_eq(machine.cores, 1);
	machine.cores_allowed = 8;
	sfr__machine_sum_up(&machine);
	ck_assert_uint_eq(machine.cores, 1);
	assert_cores_text("1 usable core, as a cgroup grants the time of 1.5");
}
END_TEST

START_TEST(a_quota_that_says_max_everywhere_is_none)
{
	tree_file("proc/self/cgroup", "0::/a/b\n");
	tree_file(V2 "/a/cpu.max", "max 100000\n");
	tree_file(V2 "/a/b/cpu.max", "max 100000\n");

	look();

	ck_assert(machine.core_quota == SFR__NO_LIMIT);
	ck_assert_uint_eq(machine.cores, machine.cores_allowed);
}
END_TEST

START_TEST(a_container_that_sees_its_group_at_the_root_has_the_quota_of_the_root)
{
	tree_file("proc/self/cgroup", "0::/system.slice/not-here.scope\n");
	tree_file(V2 "/cpu.max", "250000 100000\n");
	tree_file(V2 "/memory.max", "1073741824\n");

	look();

	ck_assert_uint_eq(machine.core_quota, 2500);
	ck_assert_uint_eq(machine.memory_limit, GIB);
}
END_TEST

START_TEST(a_path_out_of_the_hierarchy_is_not_followed)
{
	tree_file("proc/self/cgroup", "0::/../../elsewhere\n");
	tree_file("elsewhere/cpu.max", "100000 100000\n");
	tree_file(V2 "/cpu.max", "300000 100000\n");

	look();

	ck_assert_uint_eq(machine.core_quota, 3000);
}
END_TEST

START_TEST(version_1_has_a_hierarchy_for_each_controller)
{
	tree_file("proc/self/cgroup", "9:name=systemd:/x\n"
				      "4:memory:/m/n\n"
				      "3:cpuset:/other\n"
				      "1:cpu,cpuacct:/a/b\n"
				      "0::/\n");
	tree_file(V2 "/cpu/a/cpu.cfs_quota_us", "350000\n");
	tree_file(V2 "/cpu/a/cpu.cfs_period_us", "100000\n");
	tree_file(V2 "/cpu/a/b/cpu.cfs_quota_us", "-1\n");
	tree_file(V2 "/cpu/a/b/cpu.cfs_period_us", "100000\n");
	tree_file(V2 "/cpu/other/cpu.cfs_quota_us", "100\n");
	tree_file(V2 "/memory/m/memory.limit_in_bytes", "2147483648\n");
	tree_file(V2 "/memory/m/n/memory.limit_in_bytes", "9223372036854771712\n");

	look();

	ck_assert_uint_eq(machine.core_quota, 3500);
	ck_assert_uint_eq(machine.memory_limit, 2 * GIB);
	machine.cores_allowed = 64;
	sfr__machine_sum_up(&machine);
	assert_cores_text("3 usable cores, as a cgroup grants the time of 3.5");
}
END_TEST

START_TEST(both_versions_at_once_are_both_heard)
{
	tree_file("proc/self/cgroup", "4:memory:/m\n0::/u\n");
	tree_file(V2 "/memory/m/memory.limit_in_bytes", "2147483648\n");
	tree_file(V2 "/unified/u/cpu.max", "200000 100000\n");
	tree_file(V2 "/unified/u/memory.max", "1073741824\n");

	look();

	ck_assert_uint_eq(machine.core_quota, 2000);
	ck_assert_uint_eq(machine.memory_limit, GIB);
}
END_TEST

static const struct {
	unsigned allowed;
	uint64_t quota;
	unsigned cores;
	const char *text;
} sums[] = {
	{8, 0, 8, "8 usable cores"},
	{8, SFR__NO_LIMIT, 8, "8 usable cores"},
	{8, 9000, 8, "8 usable cores"},
	{8, 4000, 4, "4 usable cores, as a cgroup grants the time of 4.0"},
	{8, 500, 1, "1 usable core, as a cgroup grants the time of 0.5"},
	{8, 1, 1, "1 usable core, as a cgroup grants the time of 0.0"},
	{1, 500, 1, "1 usable core"},
	{2000, 0, 2000, "2000 usable cores"},
	{0, 2000, 2, "2 usable cores, as a cgroup grants the time of 2.0"},
	{0, SFR__NO_LIMIT, 0, "an unknown number of usable cores"},
	{0, 0, 0, "an unknown number of usable cores"},
};

START_TEST(the_usable_cores_are_the_less_of_affinity_and_quota)
{
	machine = SFR__MACHINE_UNKNOWN;
	machine.cores_allowed = sums[_i].allowed;
	machine.core_quota = sums[_i].quota;

	sfr__machine_sum_up(&machine);

	ck_assert_uint_eq(machine.cores, sums[_i].cores);
	assert_cores_text(sums[_i].text);
}
END_TEST

static const struct {
	unsigned cores;
	bool spares;
	const char *why;
} polls[] = {
	{0, false, "an unknown number of usable cores"},
	{1, false, "1 usable core: too few for one to poll"},
	{3, false, "3 usable cores: too few for one to poll"},
	{4, true, "4 usable cores: one may poll"},
	{64, true, "64 usable cores: one may poll"},
};

START_TEST(a_core_is_free_to_poll_where_there_are_four)
{
	char why[128];

	machine = SFR__MACHINE_UNKNOWN;
	machine.cores_allowed = polls[_i].cores;
	sfr__machine_sum_up(&machine);

	ck_assert(sfr__machine_spares_core(&machine, why, sizeof(why)) == polls[_i].spares);
	ck_assert_str_eq(why, polls[_i].why);
	(void)sfr__machine_spares_core(&machine, why, 8);
	ck_assert_uint_eq(strlen(why), 7); /* cut to fit */
}
END_TEST

static const struct {
	const char *text;
	unsigned nodes;
} node_lists[] = {
	{"0\n", 1},    {"0-1\n", 2}, {"0-1,4\n", 3},   {"0,2,4-7", 6}, {"0-\n", 0},
	{"4-1\n", 0},  {"\n", 0},    {"0,\n", 0},      {"0;1\n", 0},   {"a\n", 0},
	{"0-3 \n", 4}, {",0\n", 0},  {"0-99999\n", 0},
};

START_TEST(nodes_are_counted_from_their_list)
{
	tree_file("sys/devices/system/node/online", node_lists[_i].text);

	look();

	ck_assert_uint_eq(machine.nodes, node_lists[_i].nodes);
}
END_TEST

/* Memory */

START_TEST(memory_is_the_less_of_the_machine_and_its_cgroup)
{
	tree_file("proc/meminfo", "MemTotal:       16777216 kB\nMemFree: 1 kB\n");
	look();
	ck_assert_uint_eq(machine.memory, 16 * GIB);
	ck_assert_uint_eq(machine.memory_limit, 0);

	tree_file("proc/self/cgroup", "0::/a\n");
	tree_file(V2 "/a/memory.max", "max\n");
	look();
	ck_assert_uint_eq(machine.memory, 16 * GIB);
	ck_assert(machine.memory_limit == SFR__NO_LIMIT);

	tree_file(V2 "/a/memory.max", "1073741824\n");
	look();
	ck_assert_uint_eq(machine.memory, GIB);
	ck_assert_uint_eq(machine.memory_total, 16 * GIB);
}
END_TEST

START_TEST(a_limit_of_no_cgroup_is_not_taken_for_the_memory)
{
	tree_file("proc/self/cgroup", "0::/a\n");
	tree_file(V2 "/a/memory.max", "max\n");

	look();

	ck_assert_uint_eq(machine.memory, 0);
}
END_TEST

START_TEST(addresses_are_what_the_limit_allows_and_the_process_takes)
{
	struct rlimit limit;

	ck_assert_int_eq(getrlimit(RLIMIT_AS, &limit), 0);
	if (getenv("SFR_EMULATED")) {
		printf("skip - addresses: an emulator does not pass the limit on\n");
		return;
	}
	limit.rlim_cur = (rlim_t)1 << 46;
	ck_assert_int_eq(setrlimit(RLIMIT_AS, &limit), 0);
	tree_file("proc/self/status", "Name:\tx\nVmPeak:\t   9999 kB\nVmSize:\t   2048 kB\n");
	look();
	ck_assert_uint_eq(machine.addresses, UINT64_C(1) << 46);
	ck_assert_uint_eq(machine.addresses_used, 2048 * 1024);
	ck_assert(!sfr__machine_lacks_addresses(&machine, (UINT64_C(1) << 46) - 2048 * 1024));
	ck_assert(sfr__machine_lacks_addresses(&machine, (UINT64_C(1) << 46) - 2048 * 1024 + 1));

	machine.addresses_used = UINT64_C(1) << 47;
	ck_assert(sfr__machine_lacks_addresses(&machine, 0));
	machine.addresses = SFR__NO_LIMIT;
	ck_assert(!sfr__machine_lacks_addresses(&machine, UINT64_MAX));
	machine.addresses = 0;
	ck_assert(!sfr__machine_lacks_addresses(&machine, UINT64_MAX));
}
END_TEST

/* CapEff with and without bit 14. */
START_TEST(what_may_be_locked_is_the_limit_unless_a_privilege_lifts_it)
{
	struct rlimit limit = {65536, 65536};

	ck_assert_int_eq(setrlimit(RLIMIT_MEMLOCK, &limit), 0);
	look();
	ck_assert_uint_eq(machine.lock_limit, 65536);
	ck_assert_uint_eq(machine.lockable, 65536);

	tree_file("proc/self/status", "Name:\tx\nCapEff:\t0000000000000000\n");
	look();
	ck_assert_int_eq(machine.may_lock, 0);
	ck_assert_int_eq(machine.may_administrate, 0);
	ck_assert_uint_eq(machine.lockable, 65536);

	tree_file("proc/self/status", "Name:\tx\nCapEff:\t0000000000004000\n");
	look();
	ck_assert_int_eq(machine.may_lock, 1);
	ck_assert_int_eq(machine.may_administrate, 0);
	ck_assert_uint_eq(machine.lock_limit, 65536);
	ck_assert(machine.lockable == SFR__NO_LIMIT);
}
END_TEST

START_TEST(the_number_of_files_is_that_of_the_limit)
{
	struct rlimit limit;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = 123;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	look();

	ck_assert_uint_eq(machine.files, 123);
}
END_TEST

START_TEST(huge_pages_that_are_promised_to_someone_are_not_free)
{
	tree_file("proc/meminfo", "MemTotal: 1024 kB\nHugepagesize:       2048 kB\n");
	tree_file("sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "64\n");
	tree_file("sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "48\n");
	look();
	ck_assert_uint_eq(machine.huge_page_size, 2048 * 1024);
	ck_assert_uint_eq(machine.huge_pages, 64);
	ck_assert_uint_eq(machine.huge_pages_free, 48);

	tree_file("sys/kernel/mm/hugepages/hugepages-2048kB/resv_hugepages", "16\n");
	look();
	ck_assert_uint_eq(machine.huge_pages_free, 32);

	tree_file("sys/kernel/mm/hugepages/hugepages-2048kB/resv_hugepages", "100\n");
	look();
	ck_assert_uint_eq(machine.huge_pages_free, 0);
}
END_TEST

static const struct {
	const char *text;
	enum sfr__huge_mode mode;
} huge_modes[] = {
	{"[always] madvise never\n", SFR__HUGE_ALWAYS},
	{"always [madvise] never\n", SFR__HUGE_MADVISE},
	{"always madvise [never]\n", SFR__HUGE_NEVER},
	{"always madvise never\n", SFR__HUGE_UNKNOWN},
};

START_TEST(transparent_huge_pages_have_the_mode_in_brackets)
{
	tree_file("sys/kernel/mm/transparent_hugepage/enabled", huge_modes[_i].text);

	look();

	ck_assert_int_eq(machine.huge_mode, huge_modes[_i].mode);
}
END_TEST

/* What is allowed */

static const struct {
	const char *disabled;
	const char *group;
	const char *status;
	int uring_disabled;
	int64_t uring_group;
	int in_uring_group;
} urings[] = {
	{"0\n", "-1\n", "Gid:\t5\t5\t5\t5\nGroups:\t\n", 0, -1, 0},
	{"2\n", "-1\n", "Gid:\t5\t5\t5\t5\nGroups:\t\n", 2, -1, 0},
	{"1\n", "7\n", "Gid:\t5\t5\t5\t5\nGroups:\t1 2 3 \n", 1, 7, 0},
	{"1\n", "7\n", "Gid:\t5\t5\t5\t5\nGroups:\t1 7 3 \n", 1, 7, 1},
	{"1\n", "7\n", "Gid:\t5\t5\t5\t7\nGroups:\t\n", 1, 7, 1},
	{"1\n", "7\n", "Gid:\t7\t7\t7\t5\nGroups:\t77 17\n", 1, 7, 0},
	{"1\n", "7\n", "Name:\tx\n", 1, 7, -1},
	{"1\n", "0\n", "Gid:\t0\t0\t0\t0\n", 1, 0, 1},
	{"3\n", "x\n", "Gid:\t5\t5\t5\t5\n", -1, -1, -1},
};

START_TEST(who_may_use_io_uring_is_what_two_sysctls_and_the_groups_say)
{
	tree_file("proc/sys/kernel/io_uring_disabled", urings[_i].disabled);
	tree_file("proc/sys/kernel/io_uring_group", urings[_i].group);
	tree_file("proc/self/status", urings[_i].status);

	look();

	ck_assert_int_eq(machine.uring_disabled, urings[_i].uring_disabled);
	ck_assert_int_eq(machine.uring_group, urings[_i].uring_group);
	ck_assert_int_eq(machine.in_uring_group, urings[_i].in_uring_group);
}
END_TEST

START_TEST(seccomp_is_none_strict_or_a_filter)
{
	char text[64];

	(void)snprintf(text, sizeof(text),
		       "Name:\tSeccomp:\t9\nSeccomp:\t%d\nSeccomp_filters:\t5\n", _i);
	tree_file("proc/self/status", text);

	look();

	ck_assert_int_eq(machine.seccomp, _i <= 2 ? _i : -1);
}
END_TEST

START_TEST(the_release_is_that_of_the_running_kernel)
{
	struct utsname name;

	look();

	ck_assert_int_eq(uname(&name), 0);
	ck_assert_str_eq(machine.release, name.release);
}
END_TEST

START_TEST(this_machine_can_be_looked_at_without_memory)
{
	allocations_watch(0);
	sfr__machine_look(&machine);

	ck_assert_int_eq(allocations_end(), 0);
	ck_assert_uint_ge(machine.cores, 1);
	ck_assert_uint_gt(machine.memory, 0);
	ck_assert_uint_le(machine.memory, machine.memory_total);
	ck_assert_int_ge(machine.may_lock, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("machine");
	TCase *tc = case_of(suite, "unknown");

	tcase_add_test(tc, without_files_all_that_files_tell_is_unknown);
	tcase_add_loop_test(tc, garbage_in_every_file_does_no_harm, 0, COUNT_OF(garbage));
	tcase_add_test(tc, files_larger_than_anyone_expects_do_no_harm);
	tcase_add_test(tc, a_root_that_is_too_long_to_name_is_one_without_files);

	tc = case_of(suite, "cores");
	tcase_add_test(tc, the_cores_are_those_that_affinity_leaves);
	tcase_add_test(tc, a_quota_two_levels_up_binds_what_is_below);
	tcase_add_test(tc, a_quota_that_says_max_everywhere_is_none);
	tcase_add_test(tc, a_container_that_sees_its_group_at_the_root_has_the_quota_of_the_root);
	tcase_add_test(tc, a_path_out_of_the_hierarchy_is_not_followed);
	tcase_add_test(tc, version_1_has_a_hierarchy_for_each_controller);
	tcase_add_test(tc, both_versions_at_once_are_both_heard);
	tcase_add_loop_test(tc, the_usable_cores_are_the_less_of_affinity_and_quota, 0,
			    COUNT_OF(sums));
	tcase_add_loop_test(tc, a_core_is_free_to_poll_where_there_are_four, 0, COUNT_OF(polls));
	tcase_add_loop_test(tc, nodes_are_counted_from_their_list, 0, COUNT_OF(node_lists));

	tc = case_of(suite, "memory");
	tcase_add_test(tc, memory_is_the_less_of_the_machine_and_its_cgroup);
	tcase_add_test(tc, a_limit_of_no_cgroup_is_not_taken_for_the_memory);
	tcase_add_test(tc, addresses_are_what_the_limit_allows_and_the_process_takes);
	tcase_add_test(tc, what_may_be_locked_is_the_limit_unless_a_privilege_lifts_it);
	tcase_add_test(tc, the_number_of_files_is_that_of_the_limit);
	tcase_add_test(tc, huge_pages_that_are_promised_to_someone_are_not_free);
	tcase_add_loop_test(tc, transparent_huge_pages_have_the_mode_in_brackets, 0,
			    COUNT_OF(huge_modes));

	tc = case_of(suite, "what is allowed");
	tcase_add_loop_test(tc, who_may_use_io_uring_is_what_two_sysctls_and_the_groups_say, 0,
			    COUNT_OF(urings));
	tcase_add_loop_test(tc, seccomp_is_none_strict_or_a_filter, 0, 5);
	tcase_add_test(tc, the_release_is_that_of_the_running_kernel);
	tcase_add_test(tc, this_machine_can_be_looked_at_without_memory);
	return suite_run(suite);
}
