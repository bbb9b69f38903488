/* SPDX-License-Identifier: MIT */
/*
 * The loop, the descriptors and the buffers of a test are noted as they are made; what the test
 * left is given back at its end, and then everything must be gone.
 */
#include "world.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define DESCRIPTORS_MAX 1024
#define HOLDERS_MAX 64

static sfr_loop *the_loop;
static int descriptors_before;
static int owned[DESCRIPTORS_MAX], owned_count;
static struct seen *holders[HOLDERS_MAX];
static int holders_count;

struct seen seen, other;
int releases;

sfr_config *config_in(int world, const char *more)
{
	char why[256];
	sfr_config *config = worlds_config(world, more, why, sizeof(why));

	ck_assert_msg(config != NULL, "%s", why);
	return config;
}

static int loop_make(sfr_loop **out, int world, const char *more)
{
	sfr_config *config = config_in(world, more);
	int r = sfr_loop_new(out, config);

	sfr_config_free(config);
	return r;
}

sfr_loop *loop_in(int world, const char *more)
{
	int r = loop_make(&the_loop, world, more);

	seen = other = (struct seen){0};
	releases = 0;
	ck_assert_msg(r == 0, "no loop in the world \"%s\": %s", worlds_name(world),
		      sfr_strerror(r));
	return the_loop;
}

sfr_loop *second_loop(int world)
{
	sfr_loop *loop;

	ck_assert_int_eq(loop_make(&loop, world, NULL), 0);
	return loop;
}

static void world_up(void)
{
	descriptors_before = open_descriptors();
}

sfr_loop *loop_gone(void)
{
	sfr_loop *loop = the_loop;

	the_loop = NULL;
	return loop;
}

void loop_end(void)
{
	int i;

	if (!the_loop)
		return;
	ck_assert_int_eq(sfr_loop_drain(the_loop, PATIENCE_NS), 0);
	for (i = 0; i < holders_count; i++)
		seen_release(holders[i]);
	holders_count = 0;
	ck_assert_uint_eq(stat_held(the_loop), 0);
	ck_assert_int_eq(sfr_loop_free(the_loop), 0);
	the_loop = NULL;
}

static void world_down_without_leaks(void)
{
	loop_end();
	while (owned_count)
		close(owned[--owned_count]);
	ck_assert_int_eq(open_descriptors(), descriptors_before);
}

TCase *world_case(Suite *suite, const char *name)
{
	TCase *tcase = patient_case(suite, name);

	tcase_add_checked_fixture(tcase, world_up, world_down_without_leaks);
	return tcase;
}

int world_run(Suite *suite)
{
	if (world_count())
		return suite_run(suite);
	printf("not ok - no engine works on this machine\n");
	srunner_free(srunner_create(suite));
	return EXIT_FAILURE;
}

void seen_release(struct seen *what)
{
	sfr_buf_release(what->buf);
	what->buf = NULL;
}

static void holder_remember(struct seen *holder)
{
	int i;

	for (i = 0; i < holders_count; i++)
		if (holders[i] == holder)
			return;
	ck_assert_int_lt(holders_count, HOLDERS_MAX);
	holders[holders_count++] = holder;
}

void record(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	struct seen *what = arg;

	(void)loop;
	seen_release(what);
	if (what->calls < (int)(sizeof(what->results) / sizeof(what->results[0])))
		what->results[what->calls] = result;
	what->calls++;
	what->result = result;
	what->bytes += result > 0 ? (uint64_t)result : 0;
	what->buf = buf;
	if (buf)
		holder_remember(what);
}

void record_post(sfr_loop *loop, void *arg)
{
	record(loop, 0, NULL, arg);
}

void note_release(void *mem, void *arg)
{
	(void)mem;
	(void)arg;
	releases++;
}

void *release_there(void *buf)
{
	sfr_buf_release(buf);
	return NULL;
}

int awaited(sfr_op *op)
{
	return sfr_await(op, NULL);
}

static bool count_reached(void *arg)
{
	const int *const *pair = arg;

	return *pair[0] >= *pair[1];
}

void turn_until(sfr_loop *loop, const int *count, int wanted)
{
	const int *pair[] = {count, &wanted};

	turn_until_true(loop, count_reached, pair);
}

void turn_until_true(sfr_loop *loop, bool (*holds)(void *arg), void *arg)
{
	time_t end = time(NULL) + PATIENCE_S;

	while (!holds(arg)) {
		int r = sfr_loop_step(loop, 10000000);

		ck_assert_msg(r >= 0, "step: %s", sfr_strerror(r));
		ck_assert_msg(time(NULL) <= end, "what was waited for did not happen");
	}
}

int owned_fd(int fd)
{
	ck_assert_msg(fd >= 0, "no descriptor: %s", strerror(errno));
	ck_assert_int_lt(owned_count, DESCRIPTORS_MAX);
	owned[owned_count++] = fd;
	return fd;
}

void pair_of_sockets(int *a, int *b)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(addr);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_eq(bind(listener, (struct sockaddr *)&addr, sizeof(addr)), 0);
	ck_assert_int_eq(listen(listener, 1), 0);
	ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&addr, &size), 0);
	*a = owned_fd(socket(AF_INET, SOCK_STREAM, 0));
	ck_assert_int_eq(connect(*a, (struct sockaddr *)&addr, sizeof(addr)), 0);
	*b = owned_fd(accept(listener, NULL, NULL));
	close(listener);
}

void pair_of_unix_sockets(int *a, int *b)
{
	int fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	*a = owned_fd(fds[0]);
	*b = owned_fd(fds[1]);
}

void pair_of_pipe_ends(int *read_end, int *write_end)
{
	int fds[2];

	ck_assert_int_eq(pipe(fds), 0);
	*read_end = owned_fd(fds[0]);
	*write_end = owned_fd(fds[1]);
}

int empty_file(void)
{
	char name[] = "/tmp/safer-ring-test-XXXXXX";
	int fd = owned_fd(mkstemp(name));

	unlink(name);
	return fd;
}

int file_with(const char *text)
{
	int fd = empty_file();

	ck_assert_int_eq(pwrite(fd, text, strlen(text), 0), (int)strlen(text));
	return fd;
}

int listening_socket(struct sockaddr_in *addr_out, int backlog)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(addr);
	int fd = owned_fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	ck_assert_int_eq(listen(fd, backlog), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&addr, &size), 0);
	*addr_out = addr;
	return fd;
}

int log_lines, log_errors;
char log_line[512];

static void log_hear(enum sfr_log_level level, const char *line, void *arg)
{
	(void)arg;
	log_lines++;
	log_errors += level == SFR_LOG_ERROR;
	snprintf(log_line, sizeof(log_line), "%s", line);
}

void log_listen(void)
{
	log_lines = log_errors = 0;
	log_line[0] = '\0';
	sfr_log_to(log_hear, NULL);
}

sfr_loop_stats stats_of(sfr_loop *loop)
{
	sfr_loop_stats stats;

	sfr_loop_stats_get(loop, &stats, sizeof(stats));
	return stats;
}

uint64_t stat_held(sfr_loop *loop)
{
	return stats_of(loop).bufs_held;
}

bool has_parked(void *loop)
{
	return stats_of(loop).parked > 0;
}
