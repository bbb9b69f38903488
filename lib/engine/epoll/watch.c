/* SPDX-License-Identifier: MIT */
/*
 * Watches: one record for each descriptor number, with the requests that wait for it and what epoll
 * was asked.
 *
 * Epoll is asked again only when what it was asked does not do any more: to tell once
 * (EPOLLONESHOT), for multishot requests to tell as long as there is something, and after it told
 * in vain to tell only what is new (EPOLLET).
 */
#include "engine/epoll/watch.h"
#include "sqe/counted.h"
#include <errno.h>
#include <limits.h>

#define DESCRIPTORS_MAX ((size_t)INT_MAX + 1)

/* So often epoll may tell of what is new, in vain. Trying can itself be what is new. */
#define IN_VAIN_MAX 8

/* How epoll is asked. */
enum manner {
	ONCE,  /* EPOLLONESHOT: it tells once, and is asked again */
	LEVEL, /* it tells as long as it is so */
	EDGE,  /* EPOLLET, after it told in vain: it tells of what is new */
};

/* A descriptor, and who waits for it. All zero: nobody ever did. */
struct watch {
	struct sfr__hook requests;
	uint32_t armed;    /* the events that epoll will tell of */
	uint8_t manner;    /* enum manner */
	bool registered;   /* epoll knows the descriptor, unless it was closed */
	uint8_t in_vain;   /* how often in succession epoll told and nothing came of it */
	bool own : 1;      /* ours: a copy */
	bool outlives : 1; /* ours: it keeps a file open whose descriptor was closed */
};

static struct sfr__waiter *waiter_of(const struct sfr__flight *flight)
{
	return (struct sfr__waiter *)(uintptr_t)flight;
}

static struct watch *watch_at(const struct sfr__watches *watches, int fd)
{
	struct watch *watch = sfr__array_at(&watches->table, (size_t)fd);

	if (!watch->requests.next)
		sfr__list_init(&watch->requests);
	return watch;
}

/* NULL without memory. */
static struct watch *watch_get(struct sfr__watches *watches, int fd)
{
	if (fd < 0 || sfr__array_touch(&watches->table, (size_t)fd) < 0)
		return NULL;
	return watch_at(watches, fd);
}

/* NULL: nobody ever asked about it, nor about those that share its extent. */
static struct watch *watch_find(const struct sfr__watches *watches, int fd)
{
	return fd >= 0 && sfr__array_has(&watches->table, (size_t)fd) ? watch_at(watches, fd)
								      : NULL;
}

/* 0; -ENOENT if the descriptor was closed since, and the number is another file's or nobody's. */
static int watch_ask(struct sfr__watches *watches, struct watch *watch, int fd, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.u64 = (uint64_t)fd};
	bool known = watch->registered;
	int r = epoll_ctl(watches->epoll_fd, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);

	if (r < 0 && errno == EEXIST)
		r = epoll_ctl(watches->epoll_fd, EPOLL_CTL_MOD, fd, &event);
	watch->registered = r == 0;
	if (r == 0)
		return 0;
	return known && errno == EBADF ? -ENOENT : -errno;
}

/* Whether epoll would tell of a file that it cannot be asked about any more. */
static bool goes_on_telling(const struct watch *watch)
{
	return watch->registered && watch->manner != ONCE;
}

static void watch_clear(struct watch *watch, int fd)
{
	if (watch->outlives)
		(void)close(fd); /* ours, and nobody reads from it any more */
	watch->armed = 0;
	watch->manner = ONCE;
	watch->in_vain = 0;
	watch->registered = watch->outlives = false;
}

/* Nobody waits. Where the descriptor was closed and its file lives on elsewhere, the set is stale. */
static void watch_drop(struct sfr__watches *watches, struct watch *watch, int fd)
{
	if (watch->registered && epoll_ctl(watches->epoll_fd, EPOLL_CTL_DEL, fd, NULL) < 0 &&
	    goes_on_telling(watch))
		watches->stale = true;
	watch_clear(watch, fd);
}

/* It can wait no longer. */
static void request_lost(struct sfr__watches *watches, struct sfr__hook *hook, int result)
{
	struct sfr__flight *flight = sfr__container(hook, struct sfr__flight, hook);

	sfr__list_remove(hook);
	waiter_of(flight)->watched = false;
	sfr__interpreter_finish(watches->interpreter, flight, result);
}

/* Their descriptor was closed while they waited, other than by an op: they must not meet the next file
 * of that number. */
static void watch_lose(struct sfr__watches *watches, struct watch *watch, int fd)
{
	struct sfr__hook lost;

	watches->stale |= watch->manner != ONCE;
	watch_clear(watch, fd);
	sfr__list_move(&lost, &watch->requests);
	while (!sfr__list_empty(&lost))
		request_lost(watches, lost.next, -EBADF);
}

/* Epoll is not to tell at all: those who wait try now and then. */
static void watch_silence(struct sfr__watches *watches, struct watch *watch, int fd)
{
	if (watch->registered)
		(void)epoll_ctl(watches->epoll_fd, EPOLL_CTL_DEL, fd, NULL); /* closed is as good */
	watch->registered = false;
	watch->manner = ONCE;
	watch->armed = 0;
}

/* Ask epoll for what those who wait want now. `fresh`: one of them has just come. 0, or as watch_ask(). */
static int watch_update(struct sfr__watches *watches, struct watch *watch, int fd, bool fresh)
{
	static const uint32_t flags[] = {[ONCE] = EPOLLONESHOT, [LEVEL] = 0, [EDGE] = EPOLLET};
	enum manner manner = watch->in_vain ? EDGE : ONCE;
	const struct sfr__hook *hook;
	uint32_t wanted = EPOLLERR | EPOLLHUP; /* of which it tells unasked */
	int r;

	for (hook = watch->requests.next; hook != &watch->requests; hook = hook->next) {
		const struct sfr__flight *flight = sfr__container(hook, struct sfr__flight, hook);

		wanted |= waiter_of(flight)->events;
		if (manner == ONCE && sfr__request_is_multishot(&flight->request))
			manner = LEVEL;
	}
	if (sfr__list_empty(&watch->requests)) {
		if (watch->manner != ONCE || watch->outlives)
			watch_drop(watches, watch, fd);
		return 0;
	}
	if (watch->in_vain > IN_VAIN_MAX) {
		watch_silence(watches, watch, fd);
		return 0;
	}
	if (!fresh && watch->manner == manner && watch->armed == wanted)
		return 0;
	r = watch_ask(watches, watch, fd, wanted | flags[manner]);
	if (r < 0)
		return r;
	watch->armed = wanted;
	watch->manner = (uint8_t)manner;
	return 0;
}

int sfr__watch_add(struct sfr__watches *watches, struct sfr__flight *flight, int fd,
		   uint32_t events)
{
	struct watch *watch = watch_get(watches, fd);
	int r;

	if (!watch)
		return fd < 0 ? -EBADF : -ENOMEM;
	waiter_of(flight)->fd = fd;
	waiter_of(flight)->events = events;
	waiter_of(flight)->since = watches->round;
	watch->in_vain = 0;
	sfr__list_append(&watch->requests, &flight->hook);
	r = watch_update(watches, watch, fd, true);
	if (r == -ENOENT) { /* who waited here before waited for another file */
		sfr__list_remove(&flight->hook);
		watch_lose(watches, watch, fd);
		sfr__list_append(&watch->requests, &flight->hook);
		r = watch_update(watches, watch, fd, true);
	}
	if (r < 0)
		sfr__list_remove(&flight->hook);
	else
		waiter_of(flight)->watched = true;
	return r;
}

static unsigned watch_count(const struct watch *watch)
{
	const struct sfr__hook *hook;
	unsigned count = 0;

	for (hook = watch->requests.next; hook != &watch->requests; hook = hook->next)
		count++;
	return count;
}

/*
 * Each has its try, once around the list: what one of them sets going may cancel others, or close the
 * descriptor, and so take them off it. Whether anything came of it. A request that came after
 * epoll was asked may wait for another file of that number, so it is not told what epoll said.
 */
static bool watch_try(struct sfr__watches *watches, struct watch *watch, uint32_t events)
{
	unsigned count = watch_count(watch);
	bool tried = false, came = false;

	for (; count && !sfr__list_empty(&watch->requests); count--) {
		struct sfr__flight *flight = sfr__container(watch->requests.next,
							    struct sfr__flight, hook);

		sfr__list_remove(&flight->hook);
		sfr__list_append(&watch->requests, &flight->hook);
		if (!(events & (waiter_of(flight)->events | EPOLLERR | EPOLLHUP)))
			continue;
		tried = true;
		flight->request.told = waiter_of(flight)->since != watches->round ? events : 0;
		came |= sfr__interpreter_go_on(watches->interpreter, flight);
	}
	return came || !tried;
}

/* Epoll tells, and nothing comes of it: an error that nobody fetches, room that is not enough. Being told
 * again and again would burn a core, so they are told of what is new, and try now and then besides. */
static void watch_slow_down(struct sfr__watches *watches, struct watch *watch)
{
	struct sfr__hook *hook;

	watch->in_vain += watch->in_vain <= IN_VAIN_MAX;
	for (hook = watch->requests.next; hook != &watch->requests; hook = hook->next)
		sfr__interpreter_retry(watches->interpreter,
				       sfr__container(hook, struct sfr__flight, hook));
}

void sfr__watch_ready(struct sfr__watches *watches, int fd, uint32_t events)
{
	struct watch *watch = watch_at(watches, fd);

	if (watch->manner == ONCE)
		watch->armed = 0;
	if (watch_try(watches, watch, events))
		watch->in_vain = 0;
	else
		watch_slow_down(watches, watch);
	if ((watch->manner != ONCE || !sfr__list_empty(&watch->requests)) &&
	    watch_update(watches, watch, fd, false) < 0)
		watch_lose(watches, watch, fd);
}

void sfr__watch_revive(struct sfr__watches *watches, struct sfr__flight *flight)
{
	struct watch *watch = watch_at(watches, waiter_of(flight)->fd);

	if (!watch->in_vain)
		return;
	watch->in_vain = 0;
	if (watch_update(watches, watch, waiter_of(flight)->fd, false) < 0)
		sfr__interpreter_retry(watches->interpreter, flight);
}

void sfr__watch_remove(struct sfr__watches *watches, struct sfr__flight *flight)
{
	struct watch *watch;

	if (!waiter_of(flight)->watched)
		return;
	waiter_of(flight)->watched = false;
	sfr__list_remove(&flight->hook);
	watch = watch_at(watches, waiter_of(flight)->fd);
	if (watch->manner != ONCE || watch->outlives)
		(void)watch_update(watches, watch, waiter_of(flight)->fd, false);
}

/* Those who wait for `watch` go on waiting for another descriptor of the same file. */
static int watch_move(struct sfr__watches *watches, struct watch *watch, int fd, int copy)
{
	struct watch *kept = watch_get(watches, copy);

	if (!kept)
		return -ENOMEM;
	if (!sfr__list_empty(&kept->requests) || kept->registered)
		watch_lose(watches, kept, copy); /* of a file that had this number */
	while (!sfr__list_empty(&watch->requests)) {
		struct sfr__flight *flight = sfr__container(watch->requests.next,
							    struct sfr__flight, hook);

		sfr__list_remove(&flight->hook);
		sfr__list_append(&kept->requests, &flight->hook);
		flight->request.fd = waiter_of(flight)->fd = copy;
		flight->request.sqe.fd = -1;
	}
	watch_drop(watches, watch, fd);
	kept->outlives = true;
	if (watch_update(watches, kept, copy, true) < 0)
		watch_lose(watches, kept, copy);
	return 0;
}

/* Without memory it counts as not ours: a program that keeps to the rules does not notice. */
void sfr__watch_own(struct sfr__watches *watches, int fd, bool own)
{
	struct watch *watch = own ? watch_get(watches, fd) : watch_find(watches, fd);

	if (watch)
		watch->own = own;
}

bool sfr__watch_is_own(const struct sfr__watches *watches, int fd)
{
	const struct watch *watch = watch_find(watches, fd);

	return watch && (watch->own || watch->outlives);
}

/* A splice waits for copies of its descriptors, or without such for these themselves: it could keep only the file
 * that it waits for now. */
static void splices_lose(struct sfr__watches *watches, struct watch *watch)
{
	struct sfr__hook all;

	sfr__list_move(&all, &watch->requests);
	while (!sfr__list_empty(&all)) {
		struct sfr__hook *hook = all.next;

		if (sfr__container(hook, struct sfr__flight, hook)->request.sqe.opcode ==
		    IORING_OP_SPLICE) {
			request_lost(watches, hook, -ECANCELED);
			continue;
		}
		sfr__list_remove(hook);
		sfr__list_append(&watch->requests, hook);
	}
}

void sfr__watch_closing(struct sfr__watches *watches, int fd)
{
	struct watch *watch = watch_find(watches, fd);
	int copy;

	if (!watch)
		return;
	if (!sfr__list_empty(&watch->requests) && watch_update(watches, watch, fd, true) < 0)
		watch_lose(watches, watch, fd); /* they waited for a file that had this number */
	splices_lose(watches, watch);
	if (sfr__list_empty(&watch->requests)) {
		watch_drop(watches, watch, fd);
		return;
	}
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (copy >= 0 && watch_move(watches, watch, fd, copy) == 0)
		return;
	if (copy >= 0)
		(void)close(copy); /* never used */
	while (!sfr__list_empty(&watch->requests))
		request_lost(watches, watch->requests.next, -ECANCELED);
	watch_drop(watches, watch, fd);
}

/* A set that reports files which no descriptor names any more is replaced by a new set under the same number. */
int sfr__watches_renew(struct sfr__watches *watches)
{
	int fresh = epoll_create1(EPOLL_CLOEXEC), r = 0;
	size_t fd = 0;

	if (fresh < 0)
		return -errno;
	if (dup3(fresh, watches->epoll_fd, O_CLOEXEC) < 0)
		r = -errno;
	(void)close(fresh); /* nothing was written to it */
	if (r < 0)
		return r;
	watches->stale = false;
	for (; (fd = sfr__array_next(&watches->table, fd)) != SFR__ARRAY_NONE; fd++) {
		struct watch *watch = sfr__array_at(&watches->table, fd);

		if (!watch->requests.next) /* nobody ever waited for it */
			continue;
		watch->registered = false;
		if (!sfr__list_empty(&watch->requests) &&
		    watch_update(watches, watch, (int)fd, true) < 0)
			watch_lose(watches, watch, (int)fd);
	}
	return 0;
}

int sfr__watches_init(struct sfr__watches *watches, struct sfr__interpreter *interpreter)
{
	watches->interpreter = interpreter;
	sfr__array_init(&watches->table, sizeof(struct watch), DESCRIPTORS_MAX);
	watches->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	return watches->epoll_fd < 0 ? -errno : 0;
}

void sfr__watches_fini(struct sfr__watches *watches)
{
	sfr__array_fini(&watches->table);
	if (watches->interpreter && watches->epoll_fd >= 0)
		(void)close(watches->epoll_fd); /* nothing was written to it */
}
