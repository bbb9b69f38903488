/* SPDX-License-Identifier: MIT */
/*
 * Mailbox: a list that any thread pushes to by compare-and-swap, and that the loop takes as a
 * whole.
 *
 * Each push allocates. A knock does not, takes no lock and keeps errno, so signal handlers may
 * knock.
 */
#include "loop/mailbox.h"
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct sfr__post {
	struct sfr__post *next;
	void (*fn)(sfr_loop *loop, void *arg); /* NULL: it is a value */
	union {
		void *arg;
		uint64_t value;
	};
};

int sfr__mailbox_init(struct sfr__mailbox *mailbox)
{
	mailbox->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return mailbox->fd < 0 ? -errno : 0;
}

/* Take all posts, oldest first. */
static struct sfr__post *posts_take(struct sfr__mailbox *mailbox)
{
	struct sfr__post *newest = atomic_exchange(&mailbox->posts, NULL), *oldest = NULL;

	while (newest) {
		struct sfr__post *next = newest->next;

		newest->next = oldest;
		oldest = newest;
		newest = next;
	}
	return oldest;
}

void sfr__mailbox_fini(struct sfr__mailbox *mailbox)
{
	struct sfr__post *post = posts_take(mailbox);

	while (post) {
		struct sfr__post *next = post->next;

		free(post);
		post = next;
	}
	if (mailbox->fd >= 0)
		(void)close(mailbox->fd); /* nothing was written that could be lost */
	mailbox->fd = -1;
}

static int post_leave(struct sfr__mailbox *mailbox, struct sfr__post mail)
{
	struct sfr__post *post = malloc(sizeof(*post));

	if (!post)
		return -ENOMEM;
	*post = mail;
	post->next = atomic_load(&mailbox->posts);
	while (!atomic_compare_exchange_weak(&mailbox->posts, &post->next, post))
		;
	sfr__mailbox_knock(mailbox);
	return 0;
}

int sfr__mailbox_post(struct sfr__mailbox *mailbox, void (*fn)(sfr_loop *, void *), void *arg)
{
	return post_leave(mailbox, (struct sfr__post){.fn = fn, .arg = arg});
}

int sfr__mailbox_send(struct sfr__mailbox *mailbox, uint64_t value)
{
	return post_leave(mailbox, (struct sfr__post){.value = value});
}

void sfr__mailbox_knock(struct sfr__mailbox *mailbox)
{
	const uint64_t one = 1;
	int saved = errno;

	/* A write that fails finds the eventfd full, and so readable already. */
	if (!atomic_exchange(&mailbox->knocked, true))
		(void)!write(mailbox->fd, &one, sizeof(one));
	errno = saved;
}

unsigned sfr__mailbox_run(struct sfr__mailbox *mailbox, sfr_loop *loop,
			  void (*on_value)(sfr_loop *loop, uint64_t value))
{
	struct sfr__post *post;
	unsigned count = 0;

	if (!sfr__mailbox_full(mailbox))
		return 0;
	for (post = posts_take(mailbox); post;) {
		struct sfr__post mail = *post;

		free(post);
		count += mail.fn != NULL;
		if (mail.fn)
			mail.fn(loop, mail.arg);
		else
			on_value(loop, mail.value);
		post = mail.next;
	}
	return count;
}

void sfr__mailbox_count(const struct sfr__mailbox *mailbox, size_t *functions_out,
			size_t *values_out)
{
	const struct sfr__post *post = atomic_load(&mailbox->posts);

	*functions_out = *values_out = 0;
	for (; post; post = post->next)
		++*(post->fn ? functions_out : values_out);
}

void sfr__mailbox_arm(struct sfr__mailbox *mailbox, struct io_uring_sqe *sqe)
{
	io_uring_prep_poll_add(sqe, mailbox->fd, POLLIN);
	mailbox->armed = true;
}

/*
 * Who knocks after this store writes to the eventfd again; who knocked before it has left his mail. So
 * the store comes last: the other way round a write could be read away with `knocked` still set. And while
 * there is nothing to read, whoever knocked is about to write: `knocked` stays until that was read, or the
 * eventfd would stay readable, and nobody would read it.
 */
void sfr__mailbox_open(struct sfr__mailbox *mailbox)
{
	uint64_t count;

	if (read(mailbox->fd, &count, sizeof(count)) > 0)
		atomic_store(&mailbox->knocked, false);
}

void sfr__mailbox_woken(struct sfr__mailbox *mailbox)
{
	mailbox->armed = false;
	sfr__mailbox_open(mailbox);
}
