/* SPDX-License-Identifier: MIT */
/*
 * Addresses: read strictly, so that what is wrong can be said in one sentence.
 *
 * No name of a host is looked up, as that may block. The kernel is asked for names and numbers of interfaces,
 * which does not.
 */
#include "net/address.h"
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/un.h>
#include <unistd.h>

#define TCP "tcp://"
#define UDP "udp://"
#define UNIX "unix:"
#define FD "fd:"

static bool begins_with(const char *text, const char *scheme)
{
	return strncmp(text, scheme, strlen(scheme)) == 0;
}

/*
 * Hosts and ports.
 */

/* The text cut into its parts; host is terminated, port points into the text. */
struct parts {
	char host[INET6_ADDRSTRLEN + 1 + IF_NAMESIZE]; /* with its scope: fe80::1%eth0 */
	const char *port;
	int family;
};

static const char *parts_cut(struct parts *parts, const char *text)
{
	const char *host = text + strlen(TCP), *end;

	parts->family = *host == '[' ? AF_INET6 : AF_INET;
	if (parts->family == AF_INET6) {
		end = strrchr(++host, ']'); /* the last: an interface may have one in its name */
		if (!end || end[1] != ':')
			return "an IPv6 host is written in brackets, then a port: tcp://[::1]:7777";
		parts->port = end + 2;
	} else {
		end = strchr(host, ':');
		if (!end)
			return "there is no port (example: tcp://127.0.0.1:7777)";
		if (strchr(end + 1, ':'))
			return "an IPv6 host is written in brackets: tcp://[::1]:7777";
		parts->port = end + 1;
	}
	if (end == host)
		return "there is no host (0.0.0.0 and [::] mean every address of this machine)";
	if ((size_t)(end - host) >= sizeof(parts->host))
		return "the host is too long for a number; names are not looked up";
	memcpy(parts->host, host, (size_t)(end - host));
	parts->host[end - host] = '\0';
	return NULL;
}

static const char *port_parse(const char *text, in_port_t *out)
{
	char *end;
	unsigned long port = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0')
		return "the port is not a number";
	if (port > 65535)
		return "the port is above 65535";
	*out = htons((in_port_t)port);
	return NULL;
}

/*
 * Scopes. An address of link-local scope means another machine on each interface, so the kernel refuses it
 * without one. With any other address the kernel ignores the interface, and a caller who names one there
 * would be listening where they do not think they are.
 */

static bool has_scope(const struct in6_addr *host)
{
	return IN6_IS_ADDR_LINKLOCAL(host) || IN6_IS_ADDR_MC_LINKLOCAL(host) ||
	       IN6_IS_ADDR_MC_NODELOCAL(host);
}

/* Have the kernel fill in the name or the index. 0; -ENODEV, or why it cannot be asked. Not if_nametoindex(),
 * which says of a process without spare descriptors that there is no such interface. */
static int interface_ask(unsigned long what, struct ifreq *interface)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), r;

	if (fd < 0)
		return -errno;
	r = ioctl(fd, what, interface) < 0 ? -ENODEV : 0;
	(void)close(fd); /* nothing was sent */
	return r;
}

/* The interface that a scope names, as RFC 4007 has it: by its name, or by its number. As interface_ask(). */
static int scope_index(const char *scope, uint32_t *out)
{
	struct ifreq interface = {0};
	char *end;
	unsigned long number;
	int r = -ENODEV;

	if (strlen(scope) < sizeof(interface.ifr_name)) {
		strcpy(interface.ifr_name, scope);
		r = interface_ask(SIOCGIFINDEX, &interface);
	}
	if (r == -ENODEV && *scope >= '0' && *scope <= '9') {
		number = strtoul(scope, &end, 10);
		interface.ifr_ifindex = number <= INT_MAX && *end == '\0' ? (int)number : 0;
		r = interface_ask(SIOCGIFNAME, &interface);
	}
	*out = (uint32_t)interface.ifr_ifindex;
	return r;
}

/* `scope` is what stands behind the %; NULL: there is none. */
static const char *scope_parse(struct sockaddr_in6 *in6, const char *scope, int *err)
{
	bool wanted = has_scope(&in6->sin6_addr);

	if (!scope)
		return wanted ? "a link-local host is written with its interface: "
				"tcp://[fe80::1%eth0]:7777"
			      : NULL;
	if (!wanted)
		return "only a link-local host (fe80::1) is written with an interface";
	if (*scope == '\0')
		return "there is no interface behind the % (example: tcp://[fe80::1%eth0]:7777)";
	*err = scope_index(scope, &in6->sin6_scope_id);
	return *err == 0 ? NULL
	       : *err == -ENODEV
		       ? "this machine has no such interface (see ip link)"
		       : "its interface cannot be looked up: no descriptor is left for that";
}

static const char *tcp_parse(struct sfr__address *out, const char *text, int *err)
{
	struct sockaddr_in *in = (struct sockaddr_in *)&out->addr;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&out->addr;
	struct parts parts;
	const char *wrong = parts_cut(&parts, text);
	char *scope = NULL;
	in_port_t port = 0;
	bool v6;

	if (!wrong)
		wrong = port_parse(parts.port, &port);
	if (wrong)
		return wrong;
	v6 = parts.family == AF_INET6;
	if (v6 && (scope = strchr(parts.host, '%')))
		*scope++ = '\0';
	out->addr.ss_family = (sa_family_t)parts.family;
	out->size = v6 ? sizeof(*in6) : sizeof(*in);
	if (v6)
		in6->sin6_port = port;
	else
		in->sin_port = port;
	if (inet_pton(parts.family, parts.host,
		      v6 ? (void *)&in6->sin6_addr : (void *)&in->sin_addr) != 1)
		return "the host is not a number such as 127.0.0.1 or [::1]; names are not looked up";
	return v6 ? scope_parse(in6, scope, err) : NULL;
}

/*
 * Files, and names without one.
 */

static const char *unix_parse(struct sfr__address *out, const char *text)
{
	struct sockaddr_un *name = (struct sockaddr_un *)&out->addr;
	const bool is_file = begins_with(text, UNIX "///");
	const char *begin = text + strlen(is_file ? UNIX "//" : UNIX "@");
	size_t length;

	if (!is_file && !begins_with(text, UNIX "@"))
		return "a socket file is written with its whole path (unix:///run/x.sock), a name without a "
		       "file with @ (unix:@x)";
	length = strlen(begin);
	if (!is_file && length == 0)
		return "there is no name behind the @ (example: unix:@x)";
	if (length >= sizeof(name->sun_path))
		return "a path or name of a Unix socket has at most 107 bytes";
	name->sun_family = AF_UNIX;
	memcpy(name->sun_path + !is_file, begin, length); /* a 0 before a name, or behind a path */
	out->size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + 1);
	return NULL;
}

static const char *fd_parse(struct sfr__address *out, const char *text)
{
	const char *digits = text + strlen(FD);
	char *end;
	unsigned long fd = strtoul(digits, &end, 10);

	if (*digits < '0' || *digits > '9' || *end != '\0' || fd > INT_MAX)
		return "behind fd: belongs the number of a descriptor (example: fd:3)";
	out->fd = (int)fd;
	return NULL;
}

static const char *address_parse(struct sfr__address *out, const char *text, int *err)
{
	*out = (struct sfr__address){.fd = -1};
	if (begins_with(text, TCP))
		return tcp_parse(out, text, err);
	if (begins_with(text, UNIX))
		return unix_parse(out, text);
	if (begins_with(text, FD))
		return fd_parse(out, text);
	if (begins_with(text, UDP))
		return "datagrams have no connections: sfr_datagrams() will serve them, and until then "
		       "sfr_recvfrom_multi() receives them";
	return "it begins with none of tcp:// unix: fd: (examples: tcp://127.0.0.1:7777, "
	       "unix:///run/x.sock, fd:3)";
}

int sfr__address_parse(struct sfr__address *out, const char *text, char *why, size_t why_size)
{
	int err = -EINVAL;
	const char *wrong = text ? address_parse(out, text, &err) : "it is NULL";

	if (!wrong)
		return 0;
	snprintf(why, why_size, "%s", wrong);
	return err;
}

/*
 * Printing.
 */

/* "%eth0"; "%2" if the interface has gone, or cannot be looked up; nothing without a scope. */
static const char *scope_print(uint32_t index, char out[1 + IF_NAMESIZE])
{
	struct ifreq interface = {.ifr_ifindex = (int)index};

	if (!index)
		out[0] = '\0';
	else if (interface_ask(SIOCGIFNAME, &interface) == 0)
		snprintf(out, 1 + IF_NAMESIZE, "%%%.*s", IF_NAMESIZE - 1, interface.ifr_name);
	else
		snprintf(out, 1 + IF_NAMESIZE, "%%%u", index);
	return out;
}

static int tcp_print(const struct sfr__address *address, char *out, size_t size)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)&address->addr;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&address->addr;
	bool v6 = address->addr.ss_family == AF_INET6;
	char host[INET6_ADDRSTRLEN], scope[1 + IF_NAMESIZE];

	if (!inet_ntop(address->addr.ss_family,
		       v6 ? (const void *)&in6->sin6_addr : (const void *)&in->sin_addr, host,
		       sizeof(host)))
		return -errno;
	return snprintf(out, size, v6 ? TCP "[%s%s]:%u" : TCP "%s%s:%u", host,
			scope_print(v6 ? in6->sin6_scope_id : 0, scope),
			ntohs(v6 ? in6->sin6_port : in->sin_port));
}

/* The kernel says how long a name is, and that a path is longer than it is. A program may have made a name with a 0
 * inside, which no text can have, and a relative path that begins as a name does. */
static int unix_print(const struct sfr__address *address, char *out, size_t size)
{
	const struct sockaddr_un *name = (const struct sockaddr_un *)&address->addr;
	const char *begin = name->sun_path;
	size_t length = address->size > offsetof(struct sockaddr_un, sun_path)
				? address->size - offsetof(struct sockaddr_un, sun_path)
				: 0;

	if (length > sizeof(name->sun_path))
		length = sizeof(name->sun_path);
	if (length == 0)
		return snprintf(out, size, UNIX);
	if (*begin != '\0')
		return snprintf(out, size, UNIX "%s%.*s",
				*begin == '/'   ? "//"
				: *begin == '@' ? "./"
						: "",
				(int)strnlen(begin, length), begin);
	if (memchr(begin + 1, '\0', length - 1))
		return -EILSEQ;
	return snprintf(out, size, UNIX "@%.*s", (int)length - 1, begin + 1);
}

int sfr__address_print(const struct sfr__address *address, char *out, size_t size)
{
	return address->addr.ss_family == AF_UNIX ? unix_print(address, out, size)
						  : tcp_print(address, out, size);
}
