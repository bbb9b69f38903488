/* SPDX-License-Identifier: MIT */
/*
 * The attackers: sockets in one set, that of a thread which runs when nobody else wants to (SCHED_IDLE): what the
 * honest client feels of them is the server's doing.
 */
#include "attack.h"
#include "loopback.h"
#include <pthread.h>
#include <sys/epoll.h>
#include <unistd.h>

#define PIECE 65536

struct attacker {
	int fd;
	bool open;  /* else it connects */
	bool talks; /* of a chat: else it only listens, and does not even that */
};

static pthread_t thread;
static int events;
static char piece[PIECE]; /* zeros */

/* What it waits for when it is open. */
static uint32_t interest(const struct attackers *all, const struct attacker *one)
{
	if (all->kind == ATTACK_CHAT)
		return one->talks ? EPOLLIN | EPOLLOUT : EPOLLRDHUP;
	return EPOLLOUT | EPOLLRDHUP;
}

static void attacker_watch(struct attacker *one, int how, uint32_t what)
{
	struct epoll_event event = {.events = what, .data.ptr = one};

	if (epoll_ctl(events, how, one->fd, &event) < 0)
		die("epoll_ctl", errno);
}

static void attacker_come(const struct attackers *all, struct attacker *one)
{
	struct sockaddr_in address = loopback_at(all->port);

	one->open = false;
	one->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (one->fd < 0)
		die("socket", errno);
	if (connect(one->fd, (struct sockaddr *)&address, sizeof(address)) < 0 &&
	    errno != EINPROGRESS)
		die("connect", errno);
	attacker_watch(one, EPOLL_CTL_ADD, EPOLLOUT);
}

static void attacker_thrown_out(struct attackers *all, struct attacker *one)
{
	atomic_fetch_add(&all->ended, 1);
	close(one->fd);
	one->fd = -1;
	if (all->come_back)
		attacker_come(all, one);
}

/* False: the server has ended it. */
static bool attacker_attack(struct attackers *all, const struct attacker *one, uint32_t what)
{
	ssize_t sent = 0, got = 0;

	if (what & EPOLLOUT)
		sent = send(one->fd, piece, all->kind == ATTACK_KEEP ? 1 : PIECE,
			    MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent > 0)
		atomic_fetch_add(&all->sent, (unsigned long long)sent);
	if (sent < 0 && errno != EAGAIN)
		return false;
	if (what & EPOLLIN)
		got = recv(one->fd, NULL, 16 * PIECE, MSG_DONTWAIT | MSG_TRUNC); /* thrown away */
	return !(what & EPOLLIN) || got > 0 || (got < 0 && errno == EAGAIN);
}

static void attacker_go_on(struct attackers *all, struct attacker *one, uint32_t what)
{
	if (what & (EPOLLERR | EPOLLHUP | EPOLLRDHUP)) {
		attacker_thrown_out(all, one);
	} else if (!one->open) {
		one->open = true;
		attacker_watch(one, EPOLL_CTL_MOD, interest(all, one));
	} else if (!attacker_attack(all, one, what)) {
		attacker_thrown_out(all, one);
	}
}

static void *attack(void *arg)
{
	struct attackers *all = arg;
	unsigned count = all->count + (all->kind == ATTACK_CHAT), i;
	struct attacker *each = calloc(count, sizeof(*each));
	const struct sched_param param = {0};
	struct epoll_event ready[64];
	int n;

	core_pin(all->core);
	events = epoll_create1(EPOLL_CLOEXEC);
	if (!each || events < 0 || pthread_setschedparam(pthread_self(), SCHED_IDLE, &param) != 0)
		die("attackers", errno);
	each[count - 1].talks = true;
	for (i = 0; i < count; i++)
		attacker_come(all, &each[i]);
	while (!atomic_load(&all->over)) {
		n = epoll_wait(events, ready, 64, 10);
		for (i = 0; n > 0 && i < (unsigned)n; i++)
			attacker_go_on(all, ready[i].data.ptr, ready[i].events);
	}
	for (i = 0; i < count; i++)
		if (each[i].fd >= 0)
			close(each[i].fd);
	close(events);
	free(each);
	return NULL;
}

void attackers_start(struct attackers *attackers)
{
	if (pthread_create(&thread, NULL, attack, attackers) != 0)
		die("no thread", EAGAIN);
}

void attackers_stop(struct attackers *attackers)
{
	atomic_store(&attackers->over, true);
	pthread_join(thread, NULL);
}
