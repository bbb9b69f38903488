/* SPDX-License-Identifier: MIT */
/*
 * Connect: by a call that does not wait, and then by waiting for what came of it; on a socket that blocks, a
 * worker makes that call.
 */
#include "sqe/connect.h"
#include "sqe/fd_kind.h"
#include "sqe/step.h"
#include <sys/socket.h>

/* How long a worker sleeps in a connect before the connect goes on in the background. */
#define CONNECT_SLICE_US 1000

static int connect_once(const struct sfr__request *request)
{
	return sfr__result_of(connect(request->fd,
				      (const struct sockaddr *)(uintptr_t)request->sqe.addr,
				      (socklen_t)request->sqe.off));
}

/* A connect that failed in the background, and whose error was fetched with SO_ERROR, has left the socket in
 * the middle of connecting. The next one clears that up and says ECONNABORTED; the one after it connects. */
static int connect_call(const struct sfr__request *request)
{
	int r = connect_once(request);

	return r == -ECONNABORTED ? connect_once(request) : r;
}

/*
 * What became of a connect in the background. An error is fetched by SO_ERROR, as not every protocol reports it to
 * another connect. After success the socket itself has to learn of it by another connect; else the caller's next
 * connect would get 0 instead of EISCONN. That other connect does not wait, and it is made here only on a socket
 * that does not block.
 */
static int connect_outcome(struct sfr__request *request)
{
	struct pollfd pollfd = {.fd = request->fd, .events = POLLOUT};
	int r = 0;

	if (poll(&pollfd, 1, 0) <= 0 || !(pollfd.revents & (POLLOUT | POLLHUP)))
		return SFR__NOT_YET;
	if (pollfd.revents & POLLERR)
		r = sfr__socket_option(&sfr__plain_system, request->fd, SO_ERROR);
	if (r > 0)
		return -r;
	if (!sfr__fd_is_nonblocking(&sfr__plain_system, request->fd)) {
		request->step = SFR__STEP_BLOCKING;
		return SFR__NOT_YET;
	}
	r = connect_call(request);
	return r == -EINPROGRESS || r == -EALREADY || r == -EINTR ? SFR__NOT_YET
	       : r == -EISCONN                                    ? 0
								  : r;
}

int sfr__connect_try(struct sfr__request *request)
{
	int r;

	if (request->step == SFR__STEP_CONNECTING)
		return connect_outcome(request);
	if (!sfr__fd_is_nonblocking(&sfr__plain_system, request->fd)) {
		request->step = SFR__STEP_BLOCKING;
		return SFR__NOT_YET;
	}
	r = connect_call(request);
	if (r != -EINPROGRESS && r != -EINTR)
		return r;
	request->step = SFR__STEP_CONNECTING;
	return SFR__NOT_YET;
}

/*
 * Connect on a socket that blocks: a send timeout makes the call return while the connect goes on in the background;
 * its end is polled for. The socket is not connected yet, so nobody else sends on it. On a Unix socket whose listener
 * has a full backlog nothing goes on in the background, and there is nothing to poll for.
 */
int sfr__connect_do(struct sfr__request *request)
{
	const struct timeval slice = {.tv_usec = CONNECT_SLICE_US};
	struct timeval before = {0};
	socklen_t size = sizeof(before);
	int r;

	if (getsockopt(request->fd, SOL_SOCKET, SO_SNDTIMEO, &before, &size) < 0)
		return -errno;
	(void)setsockopt(request->fd, SOL_SOCKET, SO_SNDTIMEO, &slice, sizeof(slice));
	r = connect_call(request);
	(void)setsockopt(request->fd, SOL_SOCKET, SO_SNDTIMEO, &before, sizeof(before));
	if (r != -EINPROGRESS && r != -EINTR && r != -EAGAIN)
		return r;
	request->step = r == -EAGAIN ? SFR__STEP_LATER : SFR__STEP_CONNECTING;
	return SFR__NOT_YET;
}
