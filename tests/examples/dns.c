/* SPDX-License-Identifier: MIT */
/*
 * A name server that knows little: nN.test and lateN.test have the address 10.0.0.N, for N below 256; there
 * is no other name.
 *
 * It answers over UDP, on a port of 127.0.0.1 that it prints, until it is killed. The first question for each
 * lateN.test is lost: whoever asks must wait, and ask again.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { HEAD = 12, AFTER_NAME = 4, TYPE_A = 1, NAME_ERROR = 3 };

/* The name that is asked for, with dots. The size of the question, from the head on; 0: there is none. */
static size_t question_read(const unsigned char *message, size_t size, char *name)
{
	size_t at = HEAD;

	while (at < size && message[at]) {
		size_t label = message[at++];

		if (at + label >= size)
			return 0;
		memcpy(name, message + at, label);
		name += label;
		*name++ = '.';
		at += label;
	}
	*name = '\0';
	return at + 1 + AFTER_NAME <= size ? at + 1 + AFTER_NAME - HEAD : 0;
}

/* The number in a name; -1: there is no such name. */
static int name_number(const char *name)
{
	unsigned n = 256;
	int end = 0;

	if (sscanf(name, "late%3u.test.%n", &n, &end) < 1 || !end)
		(void)sscanf(name, "n%3u.test.%n", &n, &end); /* what it found is looked at */
	return end && !name[end] && n < 256 ? (int)n : -1;
}

static bool is_lost(const char *name, int number)
{
	static bool asked[256];
	bool lost = name[0] == 'l' && number >= 0 && !asked[number];

	if (lost)
		asked[number] = true;
	return lost;
}

/* Makes an answer of a question, in its place. Its size; 0: there is none. */
static size_t answer(unsigned char *message, size_t size)
{
	static const unsigned char record[] = {0xc0, HEAD, 0, TYPE_A, 0,  1, 0, 0,
					       0,    60,   0, 4,      10, 0, 0};
	char name[600];
	size_t question = size < HEAD ? 0 : question_read(message, size, name);
	unsigned char *end = message + HEAD + question;
	int number = question ? name_number(name) : -1;
	bool has = number >= 0 && end[-3] == TYPE_A;

	if (!question || is_lost(name, number))
		return 0;
	message[2] |= 0x80; /* an answer */
	message[3] = 0x80 | (number < 0 ? NAME_ERROR : 0);
	memset(message + 6, 0, HEAD - 6); /* how many records, of each kind */
	message[7] = has;
	if (!has)
		return HEAD + question;
	memcpy(end, record, sizeof(record));
	end[sizeof(record)] = (unsigned char)number;
	return HEAD + question + sizeof(record) + 1;
}

int main(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_storage peer;
	socklen_t size = sizeof(at);
	unsigned char message[1024];
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&at, size) ||
	    getsockname(fd, (struct sockaddr *)&at, &size))
		return perror("dns: no port"), 1;
	printf("listening on udp://127.0.0.1:%d\n", ntohs(at.sin_port)), fflush(stdout);
	for (;;) {
		ssize_t got = (size = sizeof(peer),
			       recvfrom(fd, message, 512, 0, (struct sockaddr *)&peer, &size));
		size_t length = got > 0 ? answer(message, (size_t)got) : 0;

		if (length) /* an answer that is lost is asked for again */
			(void)!sendto(fd, message, length, 0, (struct sockaddr *)&peer, size);
	}
}
