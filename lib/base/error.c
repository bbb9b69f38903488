/* SPDX-License-Identifier: MIT */
/*
 * Errors: one table of our own names, and the system's for the rest.
 */
#undef _GNU_SOURCE /* the strerror_r of POSIX, which every C library has */
#include <safer_ring/error.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

static const struct {
	int err;
	const char *name, *text;
} errors[] = {
#define OURS(name, text)          \
	{                         \
		name, #name, text \
	}
	OURS(SFR_EINFLIGHT, "buffer is with the loop or the kernel"),
	OURS(SFR_EPENDING, "result asked for before completion"),
	OURS(SFR_EOPSINFLIGHT, "operations are still in flight"),
	OURS(SFR_EDEPFAILED, "an operation this one depends on failed"),
	OURS(SFR_ENOTREGISTERED, "file or buffer is not registered"),
	OURS(SFR_ECYCLE, "dependencies form a cycle"),
	OURS(SFR_EPOOLEMPTY, "no buffer left under the configured limits"),
	OURS(SFR_ESTALE, "ticket of an operation that is gone"),
	OURS(SFR_ECONFIG, "configuration refused"),
	OURS(SFR_ENESTED, "the loop cannot be run inside a callback"),
	OURS(SFR_EUNSUPPORTED, "this engine or kernel cannot do this operation"),
	OURS(SFR_ETHREAD, "called from another thread than the loop's"),
	OURS(SFR_EFORKED, "called from a forked child of the loop's process"),
	OURS(SFR_ESHARED, "buffer has other references and is read-only"),
	OURS(SFR_ESLOW, "the peer did not read, and its memory was needed"),
#undef OURS
#define SYSTEM(name)              \
	{                         \
		name, #name, NULL \
	}
	SYSTEM(E2BIG),
	SYSTEM(EACCES),
	SYSTEM(EADDRINUSE),
	SYSTEM(EADDRNOTAVAIL),
	SYSTEM(EAFNOSUPPORT),
	SYSTEM(EAGAIN),
	SYSTEM(EALREADY),
	SYSTEM(EBADF),
	SYSTEM(EBUSY),
	SYSTEM(ECANCELED),
	SYSTEM(ECONNABORTED),
	SYSTEM(ECONNREFUSED),
	SYSTEM(ECONNRESET),
	SYSTEM(EDESTADDRREQ),
	SYSTEM(EEXIST),
	SYSTEM(EFAULT),
	SYSTEM(EFBIG),
	SYSTEM(EHOSTUNREACH),
	SYSTEM(EINPROGRESS),
	SYSTEM(EINTR),
	SYSTEM(EINVAL),
	SYSTEM(EIO),
	SYSTEM(EISCONN),
	SYSTEM(EISDIR),
	SYSTEM(ELOOP),
	SYSTEM(EMFILE),
	SYSTEM(EMSGSIZE),
	SYSTEM(ENAMETOOLONG),
	SYSTEM(ENETDOWN),
	SYSTEM(ENETUNREACH),
	SYSTEM(ENFILE),
	SYSTEM(ENOBUFS),
	SYSTEM(ENODEV),
	SYSTEM(ENOENT),
	SYSTEM(ENOMEM),
	SYSTEM(ENOSPC),
	SYSTEM(ENOSYS),
	SYSTEM(ENOTCONN),
	SYSTEM(ENOTDIR),
	SYSTEM(ENOTRECOVERABLE),
	SYSTEM(ENOTSOCK),
	SYSTEM(ENXIO),
	SYSTEM(EOPNOTSUPP),
	SYSTEM(EOWNERDEAD),
	SYSTEM(EPERM),
	SYSTEM(EPIPE),
	SYSTEM(EPROTO),
	SYSTEM(EPROTONOSUPPORT),
	SYSTEM(ERANGE),
	SYSTEM(EROFS),
	SYSTEM(ESPIPE),
	SYSTEM(ETIMEDOUT),
	SYSTEM(EXDEV),
#undef SYSTEM
};

#if defined(_WIN32)
static int system_text(int err, char *out, size_t size)
{
	return strerror_s(out, size, err);
}
#else
static int system_text(int err, char *out, size_t size)
{
	return strerror_r(err, out, size);
}
#endif

static int positive(int err)
{
	return err >= 0 ? err : err == INT_MIN ? INT_MAX : -err;
}

const char *sfr_strerror(int err)
{
	static _Thread_local char text[128];
	size_t i;

	err = positive(err);
	if (err == 0)
		return "success";
	for (i = 0; i < sizeof(errors) / sizeof(errors[0]) && errors[i].text; i++)
		if (errors[i].err == err)
			return errors[i].text;
	if (system_text(err, text, sizeof(text)) != 0)
		snprintf(text, sizeof(text), "unknown error %d", err);
	return text;
}

const char *sfr_errname(int err)
{
	size_t i;

	err = positive(err);
	if (err == 0)
		return "OK";
	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (errors[i].err == err)
			return errors[i].name;
	return "E?";
}
