/* SPDX-License-Identifier: MIT */
/*
 * The machine as Linux shows it: small files below /proc and /sys, and limits of the process.
 *
 * A file that is missing, unreadable or not what it should be leaves its fact unknown: nothing here
 * can fail. Nothing is allocated either, so that a configuration can be made anew at any time.
 */
#include "machine/machine.h"
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

enum {
	LINE_SIZE = 256,   /* of the files with one line */
	TEXT_SIZE = 16384, /* of the others */
	CORES_MAX = 16384, /* twice what a kernel can be built for */
	CAP_LOCK_BIT = 14, /* linux/capability.h, which not every system installs */
	CAP_ADMIN_BIT = 21,
};

/* A limit of version 1 that no memory reaches stands for none. */
#define NO_LIMIT_FROM (UINT64_C(1) << 60)

/* Empty if the file cannot be read. */
static bool text_read(const char *root, const char *path, char *out, size_t size)
{
	char full[PATH_MAX];
	size_t used = 0;
	ssize_t n = 1;
	int fd;

	out[0] = '\0';
	if (snprintf(full, sizeof(full), "%s%s", root, path) >= (int)sizeof(full))
		return false;
	fd = open(full, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return false;
	for (; n > 0 && used<size - 1; used += n> 0 ? (size_t)n : 0)
		n = read(fd, out + used, size - 1 - used);
	(void)close(fd); /* only read from: nothing can be lost */
	out[used] = '\0';
	return n >= 0;
}

static bool is_end(char c)
{
	return c == '\0' || c == '\n' || c == ' ' || c == '\t';
}

/* A number that stands alone at the start of the text, with white space before it. */
static bool number_read(const char *text, int base, uint64_t *out)
{
	char *end;
	unsigned long long value;

	text += strspn(text, " \t");
	if (!strchr("0123456789abcdefABCDEF", *text) || *text == '\0')
		return false;
	value = strtoull(text, &end, base);
	if (end == text || !is_end(*end))
		return false;
	*out = value;
	return true;
}

static bool file_number(const char *root, const char *path, uint64_t *out)
{
	char text[LINE_SIZE];

	return text_read(root, path, text, sizeof(text)) && number_read(text, 10, out);
}

/* A number that is small and may be negative; -1 if there is none. */
static int64_t file_signed(const char *root, const char *path)
{
	char text[LINE_SIZE];
	uint64_t value;
	bool negative;

	if (!text_read(root, path, text, sizeof(text)))
		return -1;
	negative = text[0] == '-';
	if (!number_read(text + negative, 10, &value) || value > INT32_MAX)
		return -1;
	return negative ? -(int64_t)value : (int64_t)value;
}

/* What follows "Name:" at the start of a line; NULL if there is no such line. */
static const char *line_find(const char *text, const char *name)
{
	size_t length = strlen(name);

	while (text) {
		if (strncmp(text, name, length) == 0 && text[length] == ':')
			return text + length + 1;
		text = strchr(text, '\n');
		text = text ? text + 1 : NULL;
	}
	return NULL;
}

static bool line_number(const char *text, const char *name, int base, uint64_t *out)
{
	const char *line = line_find(text, name);

	return line && number_read(line, base, out);
}

/* Reads a limit of the group in a directory; 0 if there is none to read there. */
typedef uint64_t group_limit(const char *root, const char *directory);

static uint64_t group_number(const char *root, const char *directory, const char *name)
{
	char path[PATH_MAX];
	char text[LINE_SIZE];
	uint64_t value;

	if (snprintf(path, sizeof(path), "%s/%s", directory, name) >= (int)sizeof(path) ||
	    !text_read(root, path, text, sizeof(text)))
		return 0;
	if ((strncmp(text, "max", 3) == 0 && is_end(text[3])) || text[0] == '-')
		return SFR__NO_LIMIT;
	if (!number_read(text, 10, &value))
		return 0;
	return value >= NO_LIMIT_FROM ? SFR__NO_LIMIT : value;
}

static uint64_t quota_of(uint64_t time, uint64_t period)
{
	uint64_t quota;

	if (time == SFR__NO_LIMIT)
		return SFR__NO_LIMIT;
	if (time == 0 || time > UINT32_MAX || period == 0 || period > UINT32_MAX)
		return 0;
	quota = time * 1000 / period;
	return quota > 0 ? quota : 1;
}

/* cpu.max of version 2: "150000 100000", or "max 100000". */
static uint64_t quota_unified(const char *root, const char *directory)
{
	char path[PATH_MAX];
	char text[LINE_SIZE];
	uint64_t time;
	uint64_t period;
	const char *space;

	if (snprintf(path, sizeof(path), "%s/cpu.max", directory) >= (int)sizeof(path) ||
	    !text_read(root, path, text, sizeof(text)))
		return 0;
	if (strncmp(text, "max", 3) == 0 && is_end(text[3]))
		return SFR__NO_LIMIT;
	space = strchr(text, ' ');
	if (!space || !number_read(text, 10, &time) || !number_read(space, 10, &period))
		return 0;
	return quota_of(time, period);
}

static uint64_t quota_legacy(const char *root, const char *directory)
{
	uint64_t time = group_number(root, directory, "cpu.cfs_quota_us");

	return quota_of(time, group_number(root, directory, "cpu.cfs_period_us"));
}

static uint64_t memory_unified(const char *root, const char *directory)
{
	return group_number(root, directory, "memory.max");
}

static uint64_t memory_legacy(const char *root, const char *directory)
{
	return group_number(root, directory, "memory.limit_in_bytes");
}

/*
 * The tightest limit from a group up to the root of its hierarchy. In a container the upper part of
 * the path is often that of the host and does not exist here, while the container's own group is
 * mounted at the root: so what is missing is passed over.
 */
static uint64_t limit_above(const char *root, const char *mount, const char *group,
			    group_limit *limit)
{
	char directory[PATH_MAX];
	uint64_t seen = 0;
	size_t mount_length = strlen(mount);
	char *slash;

	if (snprintf(directory, sizeof(directory), "%s%s", mount, group) >=
		    (int)sizeof(directory) ||
	    strstr(group, "/.."))
		(void)snprintf(directory, sizeof(directory), "%s", mount);
	while (strlen(directory) > mount_length) {
		seen = sfr__lesser(seen, limit(root, directory));
		slash = strrchr(directory, '/');
		*slash = '\0';
	}
	return sfr__lesser(seen, limit(root, mount));
}

static bool list_holds(const char *list, size_t length, const char *name)
{
	size_t name_length = strlen(name);

	for (const char *end = list + length; list < end; list++) {
		size_t n = strcspn(list, ",:");

		if (n == name_length && strncmp(list, name, n) == 0)
			return true;
		list += n;
	}
	return false;
}

/* Copy the path of the group that a controller puts this process in; false if there is none. */
static bool group_find(const char *text, const char *controller, char out[PATH_MAX])
{
	while (text && *text) {
		const char *list = strchr(text, ':');
		const char *path = list ? strchr(list + 1, ':') : NULL;
		const char *end = strchr(text, '\n');

		if (path && (!end || path < end)) {
			size_t length = (size_t)(path - list - 1);

			if (*controller ? list_holds(list + 1, length, controller) : length == 0) {
				(void)snprintf(out, PATH_MAX, "%.*s", (int)strcspn(path + 1, "\n"),
					       path + 1);
				return true;
			}
		}
		text = end ? end + 1 : NULL;
	}
	return false;
}

static uint64_t group_limits(const char *root, const char *groups, const char *controller,
			     group_limit *unified, group_limit *legacy)
{
	char group[PATH_MAX];
	char mount[64];
	uint64_t seen = 0;

	if (group_find(groups, "", group)) {
		seen = limit_above(root, "/sys/fs/cgroup", group, unified);
		seen = sfr__lesser(seen,
				   limit_above(root, "/sys/fs/cgroup/unified", group, unified));
	}
	if (group_find(groups, controller, group)) {
		(void)snprintf(mount, sizeof(mount), "/sys/fs/cgroup/%s", controller);
		seen = sfr__lesser(seen, limit_above(root, mount, group, legacy));
	}
	return seen;
}

static void groups_look(struct sfr__machine *out, const char *root)
{
	char groups[TEXT_SIZE];

	if (!text_read(root, "/proc/self/cgroup", groups, sizeof(groups)))
		return;
	out->core_quota = group_limits(root, groups, "cpu", quota_unified, quota_legacy);
	out->memory_limit = group_limits(root, groups, "memory", memory_unified, memory_legacy);
}

/* One set that is large enough for every kernel: the system call fails on one that is too small. */
static unsigned cores_allowed(void)
{
	cpu_set_t sets[CORES_MAX / CPU_SETSIZE];

	memset(sets, 0, sizeof(sets));
	if (sched_getaffinity(0, sizeof(sets), sets) < 0)
		return 0;
	return (unsigned)CPU_COUNT_S(sizeof(sets), sets);
}

/* How many a list like "0-1,4" names; 0 if it is not such a list. */
static unsigned list_count(const char *text)
{
	uint64_t count = 0;

	do {
		char *end;
		unsigned long long first, last;

		if (*text < '0' || *text > '9')
			return 0;
		first = last = strtoull(text, &end, 10);
		if (*end == '-' && end[1] >= '0' && end[1] <= '9')
			last = strtoull(end + 1, &end, 10);
		if (last < first || last >= CORES_MAX)
			return 0;
		count += last - first + 1;
		text = end;
	} while (*text++ == ',');
	return is_end(text[-1]) ? (unsigned)count : 0;
}

static void nodes_look(struct sfr__machine *out, const char *root)
{
	char text[LINE_SIZE];

	if (text_read(root, "/sys/devices/system/node/online", text, sizeof(text)))
		out->nodes = list_count(text);
}

static enum sfr__huge_mode huge_mode(const char *root)
{
	char text[LINE_SIZE];

	(void)text_read(root, "/sys/kernel/mm/transparent_hugepage/enabled", text, sizeof(text));
	if (strstr(text, "[always]"))
		return SFR__HUGE_ALWAYS;
	if (strstr(text, "[madvise]"))
		return SFR__HUGE_MADVISE;
	return strstr(text, "[never]") ? SFR__HUGE_NEVER : SFR__HUGE_UNKNOWN;
}

static bool huge_number(const char *root, uint64_t kib, const char *name, uint64_t *out)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "/sys/kernel/mm/hugepages/hugepages-%" PRIu64 "kB/%s",
		       kib, name);
	return file_number(root, path, out);
}

static void huge_look(struct sfr__machine *out, const char *root, const char *meminfo)
{
	uint64_t kib;
	uint64_t promised = 0;

	out->huge_mode = huge_mode(root);
	if (!line_number(meminfo, "Hugepagesize", 10, &kib) || kib > UINT32_MAX ||
	    !huge_number(root, kib, "nr_hugepages", &out->huge_pages) ||
	    !huge_number(root, kib, "free_hugepages", &out->huge_pages_free))
		return;
	out->huge_page_size = kib * 1024;
	(void)huge_number(root, kib, "resv_hugepages", &promised); /* older kernels keep it quiet */
	out->huge_pages_free -= promised < out->huge_pages_free ? promised : out->huge_pages_free;
}

static void memory_look(struct sfr__machine *out, const char *root)
{
	char text[TEXT_SIZE];
	const char *meminfo = text_read(root, "/proc/meminfo", text, sizeof(text)) ? text : "";
	uint64_t kib;

	if (line_number(meminfo, "MemTotal", 10, &kib) && kib < NO_LIMIT_FROM / 1024)
		out->memory_total = kib * 1024;
	huge_look(out, root, meminfo);
}

static uint64_t limit_of(int resource)
{
	struct rlimit limit;

	if (getrlimit(resource, &limit) < 0)
		return 0;
	return limit.rlim_cur == RLIM_INFINITY ? SFR__NO_LIMIT : limit.rlim_cur;
}

/* Of the four numbers after Gid the last is the one that the kernel compares. */
static bool is_in_group(const char *status, uint64_t group)
{
	static const char *const names[] = {"Gid", "Groups"};

	for (unsigned i = 0; i < 2; i++) {
		const char *at = line_find(status, names[i]);
		const char *end = at ? at + strcspn(at, "\n") : NULL;

		for (unsigned column = 0; at && at < end; column++) {
			uint64_t number;

			at += strspn(at, " \t");
			if (number_read(at, 10, &number) && number == group &&
			    (i == 1 || column == 3))
				return true;
			at += strcspn(at, " \t\n");
		}
	}
	return false;
}

static void status_look(struct sfr__machine *out, const char *root)
{
	char status[TEXT_SIZE];
	uint64_t value;

	if (!text_read(root, "/proc/self/status", status, sizeof(status)))
		return;
	if (line_number(status, "VmSize", 10, &value) && value < NO_LIMIT_FROM / 1024)
		out->addresses_used = value * 1024;
	if (line_number(status, "CapEff", 16, &value)) {
		out->may_lock = (int)(value >> CAP_LOCK_BIT & 1);
		out->may_administrate = (int)(value >> CAP_ADMIN_BIT & 1);
	}
	if (line_number(status, "Seccomp", 10, &value) && value <= 2)
		out->seccomp = (int)value;
	if (out->uring_group >= 0 && line_find(status, "Gid"))
		out->in_uring_group = is_in_group(status, (uint64_t)out->uring_group);
}

/* The number is told since Linux 5.9. */
static int64_t filters_of(const char *status)
{
	uint64_t mode, count;

	if (!line_find(status, "Seccomp")) /* a long list of groups may come before it */
		return strlen(status) + 1 < TEXT_SIZE ? 0 : -1;
	if (!line_number(status, "Seccomp", 10, &mode) || mode == 1)
		return -1;
	if (mode == 0)
		return 0;
	return line_number(status, "Seccomp_filters", 10, &count) && count <= INT32_MAX && count > 0
		       ? (int64_t)count
		       : -1;
}

int64_t sfr__machine_filters(void)
{
	char status[TEXT_SIZE];

	return text_read("", "/proc/thread-self/status", status, sizeof(status))
		       ? filters_of(status)
		       : -1;
}

static void uring_look(struct sfr__machine *out, const char *root)
{
	int64_t disabled = file_signed(root, "/proc/sys/kernel/io_uring_disabled");

	out->uring_disabled = disabled >= 0 && disabled <= 2 ? (int)disabled : -1;
	out->uring_group = file_signed(root, "/proc/sys/kernel/io_uring_group");
	if (out->uring_group < 0) {
		out->uring_group = -1;
		out->in_uring_group = 0; /* nobody is, while there is no group */
	}
	if (out->uring_disabled < 0)
		out->in_uring_group = -1;
}

void sfr__machine_look_in(struct sfr__machine *out, const char *root)
{
	struct utsname name;

	*out = SFR__MACHINE_UNKNOWN;
	if (uname(&name) == 0)
		(void)snprintf(out->release, sizeof(out->release), "%s", name.release);
	out->cores_allowed = cores_allowed();
	out->lock_limit = limit_of(RLIMIT_MEMLOCK);
	out->files = limit_of(RLIMIT_NOFILE);
	out->addresses = limit_of(RLIMIT_AS);
	groups_look(out, root);
	nodes_look(out, root);
	memory_look(out, root);
	uring_look(out, root);
	status_look(out, root);
	sfr__machine_sum_up(out);
}

const char *sfr__environment(const char *name)
{
	const char *value = secure_getenv(name);

	return value && value[0] ? value : NULL;
}
