/* SPDX-License-Identifier: MIT */
/*
 * What a connection takes while nothing happens on it. Memory is counted as the system counts it: the pages that the
 * process has, before and after thousands of connections, by the number of these.
 */
#include "peers.h"
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The first of them find memory that was made for them in advance. */
#define FIRST 500
#define ALL 10000

/* Bytes that a connection may take. */
#define LIMIT_URING 320
#define LIMIT_EPOLL 500

/* Peers are in a process of their own: it has descriptors and memory of its own. */
struct crowd {
	pid_t process;
	int hold; /* it stays until this is closed */
	int count;
};

/* Each says a few bytes and hears them before the next one comes. */
static void crowd_live(const char *address, int count, int hold)
{
	char heard[5];
	int i;

	for (i = 0; i < count; i++) {
		int peer = peer_at(address);

		if (send(peer, "hello", 5, MSG_NOSIGNAL) != 5 ||
		    recv(peer, heard, 5, MSG_WAITALL) != 5 || memcmp(heard, "hello", 5) != 0)
			_exit(EXIT_FAILURE);
	}
	(void)!read(hold, heard, 1);
	_exit(EXIT_SUCCESS);
}

static struct crowd crowd_come(const sfr_server *server, int count)
{
	const char *address = address_of(server); /* the child may not ask */
	struct crowd crowd = {.count = count};
	int hold[2];

	ck_assert_int_eq(pipe(hold), 0);
	crowd.process = fork();
	ck_assert_int_ge(crowd.process, 0);
	if (!crowd.process) {
		close(hold[1]);
		crowd_live(address, count, hold[0]);
	}
	close(hold[0]);
	crowd.hold = hold[1];
	return crowd;
}

static void crowd_go(sfr_loop *loop, const struct crowd *crowd)
{
	int status;

	close(crowd->hold);
	turns_until(loop, here.closed == crowd->count);
	ck_assert_int_eq(waitpid(crowd->process, &status, 0), crowd->process);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS);
}

START_TEST(an_idle_connection_takes_few_bytes)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_server *server = serve(loop, &echo_all, &here);
	bool is_epoll = strcmp(sfr_loop_engine(loop), "epoll") == 0;
	int count = descriptors_for(ALL, 1);
	struct crowd crowd = crowd_come(server, count);
	long before, each;

	turns_until(loop, here.received >= FIRST);
	before = memory_now();
	turns_until(loop, here.received == count);
	turns_until_quiet(loop);
	each = (memory_now() - before) / (count - FIRST);
	ck_assert_int_eq(here.closed, 0);
	if (memory_tells())
		ck_assert_int_le(each, is_epoll ? LIMIT_EPOLL : LIMIT_URING);
	crowd_go(loop, &crowd);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("idle connections");
	TCase *tcase = peers_case(suite, "memory");

	world_test(tcase, an_idle_connection_takes_few_bytes);
	return world_run(suite);
}
