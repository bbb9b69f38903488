/* SPDX-License-Identifier: MIT */
/*
 * Peers that are many: each is two descriptors and some of the kernel's memory, of which there is an end.
 */
#include "crowd.h"
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

static char zeros[64 * KIB];
static long pages_before;

/* Pages of memory that the process has. */
static long pages_now(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	long all, resident = 0;

	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(fscanf(file, "%ld %ld", &all, &resident), 2);
	fclose(file);
	return resident;
}

static bool pages_tell(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	return false;
#else
	return !under_valgrind();
#endif
}

int crowd_of(int wanted)
{
	struct rlimit limit;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit.rlim_max;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_cur < (rlim_t)(2 * wanted + 100))
		wanted = (int)(limit.rlim_cur - 100) / 2;
	return wanted;
}

void crowd_come(sfr_loop *loop, const sfr_server *server, int *fds, int count)
{
	int i;

	for (i = 0; i < count; i++) {
		fds[i] = peer_of(server);
		peer_narrow(fds[i]);
		turns_until(loop, here.opened >= i + 1);
	}
	pages_before = pages_now();
}

void crowd_go(sfr_loop *loop, const int *fds, int count)
{
	int i;

	for (i = 0; i < count; i++)
		peer_reset(fds[i]);
	turns_until(loop, here.closed == here.opened);
	turns_until(loop, stat_held(loop) == 0);
}

void crowd_within_budget(sfr_loop *loop, int count)
{
	sfr_loop_stats stats = stats_of(loop);
	long grown = (pages_now() - pages_before) * sysconf(_SC_PAGESIZE);

	ck_assert_uint_le(stats.bytes_max, stats.budget);
	if (pages_tell())
		ck_assert_int_le(grown, (long)stats.budget + count * KIB + 16 * MIB);
}

void narrow_open(sfr_conn *conn, void *arg)
{
	note_open(conn, arg);
	conn_narrow(conn);
}

bool press(int fd)
{
	bool pressed = false;

	while (send(fd, zeros, sizeof(zeros), MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
		pressed = true;
	return pressed;
}

void swallow(int fd)
{
	static char heard[64 * KIB];

	while (recv(fd, heard, sizeof(heard), MSG_DONTWAIT) > 0)
		;
}

void ask_and_hear(sfr_loop *loop, int fd, int times)
{
	char heard[5];

	while (times--) {
		peer_say(loop, fd, "hello", 5);
		peer_hear(loop, fd, heard, 5);
		ck_assert_mem_eq(heard, "hello", 5);
	}
}
