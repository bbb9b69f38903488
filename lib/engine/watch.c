#include "watch.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#define DESCRIPTORS_MAX (1U << 22)

/* A descriptor, and who waits for it. All zero: nobody ever did. */
struct watch {
	struct sfr__link requests;
	uint32_t armed;  /* the events that epoll will tell of */
	bool registered; /* epoll knows the descriptor, unless it was closed */
	bool persistent; /* epoll goes on telling */
	bool outlives;   /* ours: it keeps a file open whose descriptor was closed */
};

static struct sfr__waiter *waiter_of(const struct sfr__request *request)
{
	return (struct sfr__waiter *)(uintptr_t)request;
}

static struct watch *watch_at(struct sfr__watches *watches, int fd)
{
	struct watch *watch = (struct watch *)(void *)watches->table.base + fd;

	if (!watch->requests.next)
		sfr__list_init(&watch->requests);
	return watch;
}

/* NULL without memory, or above the highest descriptor that can be watched. */
static struct watch *watch_get(struct sfr__watches *watches, int fd)
{
	if (fd < 0 || (unsigned)fd >= DESCRIPTORS_MAX ||
	    sfr__region_grow(&watches->table, ((size_t)fd + 1) * sizeof(struct watch)) < 0)
		return NULL;
	return watch_at(watches, fd);
}

static bool watch_exists(const struct sfr__watches *watches, int fd)
{
	return fd >= 0 && ((size_t)fd + 1) * sizeof(struct watch) <= watches->table.usable;
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

static void watch_drop(struct sfr__watches *watches, struct watch *watch, int fd)
{
	if (watch->registered)
		(void)epoll_ctl(watches->epoll_fd, EPOLL_CTL_DEL, fd, NULL); /* closed is as good */
	if (watch->outlives)
		(void)close(fd);
	watch->armed = 0;
	watch->registered = watch->persistent = watch->outlives = false;
}

/* It can wait no longer. */
static void request_lost(struct sfr__watches *watches, struct sfr__link *link, int result)
{
	struct sfr__request *request = sfr__container(link, struct sfr__request, link);

	sfr__list_unlink(link);
	waiter_of(request)->watched = false;
	sfr__interpreter_finish(watches->interpreter, request, result);
}

/* Their descriptor was closed while they waited, other than by an op: they must not meet the next file
 * of that number. */
static void watch_lose(struct sfr__watches *watches, struct watch *watch)
{
	struct sfr__link lost;

	watch->armed = 0;
	watch->registered = watch->persistent = false;
	sfr__list_move(&lost, &watch->requests);
	while (!sfr__list_empty(&lost))
		request_lost(watches, lost.next, -EBADF);
}

/* Ask epoll for what those who wait want now. `fresh`: one of them has just come. 0, or as watch_ask(). */
static int watch_update(struct sfr__watches *watches, struct watch *watch, int fd, bool fresh)
{
	const struct sfr__link *link;
	uint32_t wanted = 0;
	bool persistent = false;
	int r;

	for (link = watch->requests.next; link != &watch->requests; link = link->next) {
		const struct sfr__request *request = sfr__container(link, struct sfr__request,
								    link);

		wanted |= waiter_of(request)->events;
		persistent |= sfr__request_is_multishot(request);
	}
	if (sfr__list_empty(&watch->requests)) {
		if (watch->persistent || watch->outlives)
			watch_drop(watches, watch, fd);
		return 0;
	}
	if (!fresh && watch->persistent == persistent && watch->armed == wanted)
		return 0;
	r = watch_ask(watches, watch, fd, wanted | (persistent ? 0 : (uint32_t)EPOLLONESHOT));
	if (r < 0)
		return r;
	watch->armed = wanted;
	watch->persistent = persistent;
	return 0;
}

int sfr__watch_add(struct sfr__watches *watches, struct sfr__request *request, uint32_t events)
{
	struct watch *watch = watch_get(watches, request->fd);
	int r;

	if (!watch)
		return request->fd < 0 ? -EBADF : -ENOMEM;
	waiter_of(request)->events = events;
	sfr__list_append(&watch->requests, &request->link);
	r = watch_update(watches, watch, request->fd, true);
	if (r == -ENOENT) { /* who waited here before waited for another file */
		sfr__list_unlink(&request->link);
		watch_lose(watches, watch);
		sfr__list_append(&watch->requests, &request->link);
		r = watch_update(watches, watch, request->fd, true);
	}
	if (r < 0)
		sfr__list_unlink(&request->link);
	else
		waiter_of(request)->watched = true;
	return r;
}

static unsigned watch_count(const struct watch *watch)
{
	const struct sfr__link *link;
	unsigned count = 0;

	for (link = watch->requests.next; link != &watch->requests; link = link->next)
		count++;
	return count;
}

/*
 * The descriptor became what some of them wait for. Each has its try, once around the list: what one
 * of them sets going may cancel others, or close the descriptor, and so take them off it.
 */
void sfr__watch_ready(struct sfr__watches *watches, int fd, uint32_t events)
{
	struct watch *watch = watch_at(watches, fd);
	unsigned count = watch_count(watch);

	if (!watch->persistent)
		watch->armed = 0;
	for (; count && !sfr__list_empty(&watch->requests); count--) {
		struct sfr__request *request = sfr__container(watch->requests.next,
							      struct sfr__request, link);

		sfr__list_unlink(&request->link);
		sfr__list_append(&watch->requests, &request->link);
		if (events & (waiter_of(request)->events | EPOLLERR | EPOLLHUP))
			sfr__interpreter_go_on(watches->interpreter, request);
	}
	if ((watch->persistent || !sfr__list_empty(&watch->requests)) &&
	    watch_update(watches, watch, fd, false) < 0)
		watch_lose(watches, watch);
}

void sfr__watch_remove(struct sfr__watches *watches, struct sfr__request *request)
{
	struct watch *watch;

	if (!waiter_of(request)->watched)
		return;
	waiter_of(request)->watched = false;
	sfr__list_unlink(&request->link);
	watch = watch_at(watches, request->fd);
	if (watch->persistent || watch->outlives)
		(void)watch_update(watches, watch, request->fd, false);
}

void sfr__watch_closing(struct sfr__watches *watches, int fd)
{
	struct watch *watch, *kept = NULL;
	struct sfr__link waiting;
	int copy;

	if (!watch_exists(watches, fd))
		return;
	watch = watch_at(watches, fd);
	sfr__list_move(&waiting, &watch->requests);
	copy = sfr__list_empty(&waiting) ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
	watch_drop(watches, watch, fd);
	if (copy >= 0)
		kept = watch_get(watches, copy);
	while (!sfr__list_empty(&waiting)) {
		struct sfr__request *request = sfr__container(waiting.next, struct sfr__request,
							      link);

		if (kept) {
			sfr__list_unlink(&request->link);
			sfr__list_append(&kept->requests, &request->link);
			request->fd = copy;
			continue;
		}
		request_lost(watches, &request->link, -ECANCELED);
	}
	if (kept) {
		kept->outlives = true;
		(void)watch_update(watches, kept, copy, true);
	} else if (copy >= 0) {
		(void)close(copy);
	}
}

int sfr__watches_init(struct sfr__watches *watches, struct sfr__interpreter *interpreter)
{
	watches->interpreter = interpreter;
	watches->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (watches->epoll_fd < 0)
		return -errno;
	return sfr__region_init(&watches->table, DESCRIPTORS_MAX * sizeof(struct watch));
}

void sfr__watches_fini(struct sfr__watches *watches)
{
	sfr__region_fini(&watches->table);
	if (watches->interpreter && watches->epoll_fd >= 0)
		(void)close(watches->epoll_fd); /* nothing was written to it */
}
