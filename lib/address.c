#include "address.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCHEME "tcp://"

/* The text cut into its parts; host is terminated, port points into the text. */
struct parts {
	char host[INET6_ADDRSTRLEN];
	const char *port;
	int family;
};

static const char *parts_cut(struct parts *parts, const char *text)
{
	const char *host, *end;

	if (strncmp(text, SCHEME, strlen(SCHEME)) != 0)
		return "it does not begin with tcp:// (example: tcp://127.0.0.1:7777)";
	host = text + strlen(SCHEME);
	parts->family = *host == '[' ? AF_INET6 : AF_INET;
	if (parts->family == AF_INET6) {
		end = strchr(++host, ']');
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
	if (strcmp(parts->host, "localhost") == 0)
		strcpy(parts->host, "127.0.0.1");
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

static const char *address_parse(struct sfr__address *out, const char *text)
{
	struct sockaddr_in *in = (struct sockaddr_in *)&out->addr;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&out->addr;
	struct parts parts;
	const char *wrong = parts_cut(&parts, text);
	in_port_t port = 0;
	bool v6;

	if (!wrong)
		wrong = port_parse(parts.port, &port);
	if (wrong)
		return wrong;
	v6 = parts.family == AF_INET6;
	memset(out, 0, sizeof(*out));
	out->addr.ss_family = (sa_family_t)parts.family;
	out->size = v6 ? sizeof(*in6) : sizeof(*in);
	if (v6)
		in6->sin6_port = port;
	else
		in->sin_port = port;
	if (inet_pton(parts.family, parts.host,
		      v6 ? (void *)&in6->sin6_addr : (void *)&in->sin_addr) != 1)
		return "the host is not a number such as 127.0.0.1 or [::1]; names are not looked up";
	return NULL;
}

int sfr__address_parse(struct sfr__address *out, const char *text, char *why, size_t why_size)
{
	const char *wrong = text ? address_parse(out, text) : "it is NULL";

	if (!wrong)
		return 0;
	snprintf(why, why_size, "%s", wrong);
	return -EINVAL;
}

int sfr__address_print(const struct sfr__address *address, char *out, size_t size)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)&address->addr;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&address->addr;
	bool v6 = address->addr.ss_family == AF_INET6;
	char host[INET6_ADDRSTRLEN];

	if (!inet_ntop(address->addr.ss_family,
		       v6 ? (const void *)&in6->sin6_addr : (const void *)&in->sin_addr, host,
		       sizeof(host)))
		return -errno;
	return snprintf(out, size, v6 ? SCHEME "[%s]:%u" : SCHEME "%s:%u", host,
			ntohs(v6 ? in6->sin6_port : in->sin_port));
}
