/* SPDX-License-Identifier: MIT */
/*
 * Sockets: what is the same for those that listen and those that connect.
 */
#include "net/socket.h"
#include "base/log.h"
#include <safer_ring/error.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>

void sfr__refusal_clear(sfr_loop *loop)
{
	loop->refusal[0] = '\0';
}

__attribute__((format(printf, 2, 0))) static void note(sfr_loop *loop, const char *format,
						       va_list args)
{
	vsnprintf(loop->refusal, sizeof(loop->refusal), format, args);
}

void sfr__refusal_note(sfr_loop *loop, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	note(loop, format, args);
	va_end(args);
}

void sfr__refusal_tell(const sfr_loop *loop)
{
	sfr__log(loop->settings.log.level, SFR_LOG_ERROR, "%s", loop->refusal);
}

void sfr__refusal_set(sfr_loop *loop, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	note(loop, format, args);
	va_end(args);
	sfr__refusal_tell(loop);
}

int sfr__address_read(sfr_loop *loop, const char *text, struct sfr__address *out)
{
	char why[128];
	int r;

	if (loop->draining) {
		sfr__refusal_set(loop, "address %s: the loop is draining", text ? text : "(null)");
		return -ECANCELED;
	}
	r = sfr__address_parse(out, text, why, sizeof(why));
	if (r < 0)
		sfr__refusal_set(loop, "address %s: %s", text ? text : "(null)", why);
	return r;
}

int sfr__socket_switch_on(const sfr_loop *loop, int fd, int level, int name)
{
	const struct sfr__system *system = loop->engine->system;
	int on = 1;

	return system->option_set(system, fd, level, name, &on, sizeof(on));
}

void sfr__socket_tune(const sfr_loop *loop, const struct sfr__server_settings *settings, int fd,
		      int family)
{
	if (settings->no_delay && (family == AF_INET || family == AF_INET6))
		(void)sfr__socket_switch_on(loop, fd, IPPROTO_TCP,
					    TCP_NODELAY); /* works without, too */
}

/* IPv4 by sockets of IPv6, whatever net.ipv6.bindv6only says: [::] means every address of this machine, and
 * [::ffff:127.0.0.1] can be had. */
static int dual_stack(const sfr_loop *loop, int fd)
{
	const struct sfr__system *system = loop->engine->system;
	int off = 0;

	return system->option_set(system, fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
}

int sfr__socket_new(sfr_loop *loop, const struct sfr__server_settings *settings, const char *text,
		    const struct sfr__address *address)
{
	const struct sfr__system *system = loop->engine->system;
	const int family = address->addr.ss_family;
	int fd = system->socket_new(system, family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int r = fd >= 0 && family == AF_INET6 ? dual_stack(loop, fd) : 0;

	if (fd >= 0 && r < 0)
		sfr__loop_close_fd(loop, fd); /* never used */
	if (fd < 0 || r < 0) {
		sfr__refusal_set(loop, "address %s: no socket: %s", text,
				 sfr_strerror(fd < 0 ? fd : r));
		return fd < 0 ? fd : r;
	}
	sfr__socket_tune(loop, settings, fd, family);
	return fd;
}
