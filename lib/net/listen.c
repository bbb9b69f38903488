/* SPDX-License-Identifier: MIT */
/*
 * Listening. Of what is made here only socket files outlive the process, and stand in the way of the next one.
 */
#include "net/listen.h"
#include "net/socket.h"
#include "sqe/fd_kind.h"
#include <safer_ring/error.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/un.h>

/* Between two tries: at first, and at most. */
#define BIND_PAUSE_NS 500000U
#define BIND_PAUSE_MAX_NS 8000000U

/* The path of a socket file; NULL if the address is another. */
static const char *path_of(const struct sfr__address *address)
{
	const struct sockaddr_un *name = (const struct sockaddr_un *)&address->addr;

	if (name->sun_family != AF_UNIX ||
	    address->size <= offsetof(struct sockaddr_un, sun_path) || name->sun_path[0] != '/')
		return NULL;
	return name->sun_path;
}

/*
 * Socket files.
 */

/* Connect to what stands in the way. 0: somebody answers, or would with a shorter queue; -ECONNREFUSED: nobody. */
static int file_ask(sfr_loop *loop, const struct sfr__address *address)
{
	const struct sfr__system *system = loop->engine->system;
	int fd = system->socket_new(system, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int r = fd;

	if (fd >= 0) {
		r = system->socket_connect(system, fd, (const struct sockaddr *)&address->addr,
					   address->size);
		sfr__loop_close_fd(loop, fd); /* it has asked */
	}
	return r == -EAGAIN || r == -EPROTOTYPE ? 0 : r;
}

/*
 * A file is in the way. Remove it if it is a socket that nobody listens at: its server was killed. A server that is
 * between bind() and listen() looks like that, so two that begin at the same moment may take each other's name. That
 * is for those who start them to avoid: a lock would have to lie in the same directory, and would remain there.
 */
static int file_make_way(sfr_loop *loop, const char *text, const struct sfr__address *address)
{
	const struct sfr__system *system = loop->engine->system;
	const char *path = path_of(address), *why = "another program answers there";
	struct stat found;
	int r = system->path_stat(system, path, &found);

	if (r == -ENOENT)
		return 0; /* it has gone by now */
	if (r == 0 && !S_ISSOCK(found.st_mode)) {
		why = "a file that is no socket is in the way";
	} else if (r == 0) {
		r = file_ask(loop, address);
		if (r == -ECONNREFUSED) {
			r = system->path_unlink(system, AT_FDCWD, path);
			if (r == 0 || r == -ENOENT)
				return 0;
			why = "nobody answers there, but the file cannot be removed";
		} else if (r < 0) {
			why = "whether somebody answers there cannot be found out";
		}
	}
	sfr__refusal_note(loop, "address %s: cannot listen: %s (%s%s%s)", text,
			  sfr_strerror(-EADDRINUSE), why, r < 0 ? ": " : "",
			  r < 0 ? sfr_strerror(r) : "");
	return -EADDRINUSE;
}

/* Nobody can connect before listen(), so the mode may be set after the file is there. */
static int file_made(sfr_loop *loop, const struct sfr__server_settings *settings, const char *path,
		     struct sfr__listener *listener)
{
	static const mode_t modes[] = {
		[SFR__UNIX_OWNER] = 0600, [SFR__UNIX_GROUP] = 0660, [SFR__UNIX_ALL] = 0666};
	const struct sfr__system *system = loop->engine->system;
	struct stat made;
	int r = system->path_stat(system, path, &made);

	if (r < 0)
		return r;
	listener->file_dev = made.st_dev;
	listener->file_ino = made.st_ino;
	return system->path_mode(system, path, modes[settings->unix_access]);
}

/* Its own file, and not that of a successor. In a child of fork it is the parent's. */
static void file_remove(sfr_loop *loop, const struct sfr__listener *listener)
{
	const struct sfr__system *system = loop->engine->system;
	struct sfr__address own = {.size = sizeof(own.addr)};
	struct stat found;
	const char *path;

	if (!listener->file_ino || sfr__pool_is_forked(loop->pool) ||
	    system->socket_own_name(system, listener->fd, (struct sockaddr *)&own.addr, &own.size) <
		    0)
		return;
	path = path_of(&own);
	if (path && system->path_stat(system, path, &found) == 0 &&
	    found.st_dev == listener->file_dev && found.st_ino == listener->file_ino)
		(void)system->path_unlink(system, AT_FDCWD,
					  path); /* else the next server finds nobody there */
}

/*
 * Addresses.
 */

static const char *hint(const struct sfr__address *address, int err)
{
	if (address->addr.ss_family == AF_UNIX)
		return err == -EADDRINUSE ? " (another program has this name; see ss -lxp)"
		       : err == -ENOENT   ? " (its directory does not exist)"
		       : err == -EACCES   ? " (this user may not make files in its directory)"
					  : "";
	return err == -EADDRINUSE      ? " (another program has this port; see ss -ltnp)"
	       : err == -EACCES        ? " (ports below 1024 are for root)"
	       : err == -EADDRNOTAVAIL ? " (this machine does not have that address)"
				       : "";
}

static int socket_bind(sfr_loop *loop, int fd, const struct sfr__address *address)
{
	const struct sfr__system *system = loop->engine->system;

	return system->socket_bind(system, fd, (const struct sockaddr *)&address->addr,
				   address->size);
}

static int socket_listen(sfr_loop *loop, const struct sfr__server_settings *settings,
			 const char *text, const struct sfr__address *address,
			 struct sfr__listener *listener)
{
	const struct sfr__system *system = loop->engine->system;
	const char *path = path_of(address);
	int fd = listener->fd, r;

	if (address->addr.ss_family != AF_UNIX) { /* works without, too */
		(void)sfr__socket_switch_on(loop, fd, SOL_SOCKET, SO_REUSEADDR);
		if (settings->reuse_port)
			(void)sfr__socket_switch_on(loop, fd, SOL_SOCKET, SO_REUSEPORT);
	}
	r = socket_bind(loop, fd, address);
	if (r == -EADDRINUSE && path) {
		r = file_make_way(loop, text, address);
		if (r < 0)
			return r;
		r = socket_bind(loop, fd, address);
	}
	if (r == 0 && path)
		r = file_made(loop, settings, path, listener);
	if (r == 0)
		r = system->socket_listen(system, fd, (int)settings->backlog);
	if (r < 0)
		sfr__refusal_note(loop, "address %s: cannot listen: %s%s", text, sfr_strerror(r),
				  hint(address, r));
	return r;
}

/* The loop does nothing else meanwhile: a server that were there later would have nobody to tell that it failed. */
static int listen_until(sfr_loop *loop, const struct sfr__server_settings *settings,
			const char *text, const struct sfr__address *address,
			struct sfr__listener *out)
{
	const struct sfr__system *system = loop->engine->system;
	const uint64_t begin_ns = system->clock_ns(system);
	uint64_t pause_ns = BIND_PAUSE_NS;
	int r;

	for (;;) {
		*out = (struct sfr__listener){.fd = -1};
		r = out->fd = sfr__socket_new(loop, settings, text, address);
		if (r < 0)
			return r;
		r = socket_listen(loop, settings, text, address, out);
		if (r == 0)
			return 0;
		sfr__listener_close(loop, out); /* never used */
		if (r != -EADDRINUSE ||
		    system->clock_ns(system) - begin_ns >= settings->bind_for_ns)
			break;
		system->sleep_ns(system, pause_ns);
		if (pause_ns < BIND_PAUSE_MAX_NS)
			pause_ns *= 2;
	}
	sfr__refusal_tell(loop);
	return r;
}

int sfr__listen(sfr_loop *loop, const struct sfr__server_settings *settings, const char *text,
		struct sfr__listener *out)
{
	struct sfr__address address;
	int r = sfr__address_read(loop, text, &address);

	if (r < 0)
		return r;
	if (address.fd >= 0)
		return sfr__listen_fd(loop, settings, address.fd, out);
	r = listen_until(loop, settings, text, &address, out);
	if (r == 0)
		sfr__refusal_clear(loop); /* of earlier tries */
	return r;
}

void sfr__listener_close(sfr_loop *loop, struct sfr__listener *listener)
{
	file_remove(loop, listener);
	sfr__loop_close_fd(loop, listener->fd); /* a listening socket has nothing to lose */
	listener->fd = -1;
}

/*
 * Descriptors.
 */

/* A listener that others have as well must not block: they may have been faster. */
int sfr__listen_fd(sfr_loop *loop, const struct sfr__server_settings *settings, int fd,
		   struct sfr__listener *out)
{
	const struct sfr__system *system = loop->engine->system;
	int listens = sfr__socket_option(system, fd, SO_ACCEPTCONN), r = listens;
	const char *why = "it does not listen";

	if (loop->draining) {
		r = -ECANCELED;
		why = "the loop is draining";
	} else if (listens < 0) {
		why = sfr_strerror(listens);
	} else if (!listens) {
		r = -EINVAL;
	} else if (sfr__socket_option(system, fd, SO_TYPE) != SOCK_STREAM) {
		r = -EINVAL;
		why = "it is no stream";
	} else {
		r = system->fd_take(system, fd, O_NONBLOCK);
		why = r < 0 ? sfr_strerror(r) : NULL;
	}
	if (r < 0) {
		sfr__refusal_set(loop, "descriptor %d: %s", fd, why);
		return r;
	}
	sfr__socket_tune(loop, settings, fd, sfr__socket_option(system, fd, SO_DOMAIN));
	*out = (struct sfr__listener){.fd = fd, .inherited = true};
	return 0;
}
