/* SPDX-License-Identifier: MIT */
/*
 * Ops. The table has a row for each builder that the headers declare, which is tested.
 */
#include "ops.h"
#include "json.h"
#include "text.h"
#include "machine/kernel.h"
#include <string.h>

enum {
	LOOP = -1, /* as an opcode: the loop does it, whatever the engine */
	NO_FEATURE = SFR__FEATURES,
	OR_WORKER, /* no feature either; without the opcode a worker of the loop does it */
	OR_PIDFD,  /* no feature either; without the opcode a part of it is done with a pidfd */
};

struct op {
	const char *name;
	const char *uring;
	int opcode;
	const char *since; /* the release of Linux that first had all of that */
	unsigned feature;  /* that makes it better; the op works without */
	unsigned other;    /* and another one */
	const char *epoll;
};

static const struct op ops[] = {
	{"sfr_nop", "NOP", IORING_OP_NOP, "5.1", NO_FEATURE, NO_FEATURE, "at once"},
	{"sfr_read", "READ, READ_FIXED", IORING_OP_READ, "5.6", SFR__FEATURE_FIXED_BUFFERS,
	 NO_FEATURE, "preadv2; files: or a worker"},
	{"sfr_read_at", "READ, READ_FIXED", IORING_OP_READ, "5.6", SFR__FEATURE_FIXED_BUFFERS,
	 NO_FEATURE, "preadv2; files: or a worker"},
	{"sfr_write", "WRITE, WRITE_FIXED", IORING_OP_WRITE, "5.6", SFR__FEATURE_FIXED_BUFFERS,
	 NO_FEATURE, "pwritev2; files: or a worker"},
	{"sfr_write_at", "WRITE, WRITE_FIXED", IORING_OP_WRITE, "5.6", SFR__FEATURE_FIXED_BUFFERS,
	 NO_FEATURE, "pwritev2; files: or a worker"},
	{"sfr_recv", "RECV", IORING_OP_RECV, "5.6", NO_FEATURE, NO_FEATURE, "recv"},
	{"sfr_send", "SEND", IORING_OP_SEND, "5.6", NO_FEATURE, NO_FEATURE, "send"},
	{"sfr_send_zc", "SEND_ZC", IORING_OP_SEND, "6.0", SFR__FEATURE_SEND_ZC, NO_FEATURE, "send"},
	{"sfr_sendto", "SENDMSG", IORING_OP_SENDMSG, "5.3", NO_FEATURE, NO_FEATURE, "sendmsg"},
	{"sfr_recvfrom", "RECVMSG", IORING_OP_RECVMSG, "5.3", NO_FEATURE, NO_FEATURE, "recvmsg"},
	{"sfr_recvfrom_multi", "RECVMSG, multishot, into buffers", IORING_OP_RECVMSG, "6.0",
	 SFR__FEATURE_RECV_MULTI, SFR__FEATURE_BUFFER_RINGS, "recvmsg, each time it is ready"},
	{"sfr_accept", "ACCEPT", IORING_OP_ACCEPT, "5.5", NO_FEATURE, NO_FEATURE, "accept4"},
	{"sfr_accept_multi", "ACCEPT, multishot", IORING_OP_ACCEPT, "5.19",
	 SFR__FEATURE_ACCEPT_MULTI, NO_FEATURE, "accept4, each time it is ready"},
	{"sfr_recv_multi", "RECV, multishot, provided buffers", IORING_OP_RECV, "6.0",
	 SFR__FEATURE_RECV_MULTI, SFR__FEATURE_BUFFER_RINGS, "recv, each time it is ready"},
	{"sfr_read_multi", "READ_MULTISHOT, provided buffers", IORING_OP_READ, "6.7",
	 SFR__FEATURE_READ_MULTI, SFR__FEATURE_BUFFER_RINGS, "poll, then preadv2"},
	{"sfr_connect", "CONNECT", IORING_OP_CONNECT, "5.5", NO_FEATURE, NO_FEATURE,
	 "connect; if it blocks: a worker"},
	{"sfr_timeout", "the loop's own timers", LOOP, "", NO_FEATURE, NO_FEATURE,
	 "the loop's own timers"},
	{"sfr_interval", "the loop's own timers", LOOP, "", NO_FEATURE, NO_FEATURE,
	 "the loop's own timers"},
	{"sfr_poll", "POLL_ADD", IORING_OP_POLL_ADD, "5.1", NO_FEATURE, NO_FEATURE, "poll"},
	{"sfr_poll_multi", "POLL_ADD, again each time", IORING_OP_POLL_ADD, "5.1", NO_FEATURE,
	 NO_FEATURE, "poll, each time"},
	{"sfr_shutdown", "SHUTDOWN", IORING_OP_SHUTDOWN, "5.11", NO_FEATURE, NO_FEATURE,
	 "shutdown"},
	{"sfr_close", "CLOSE", IORING_OP_CLOSE, "5.6", NO_FEATURE, NO_FEATURE,
	 "close; files: a worker"},
	{"sfr_socket", "SOCKET", IORING_OP_SOCKET, "5.19", OR_WORKER, NO_FEATURE, "socket"},
	{"sfr_openat", "OPENAT", IORING_OP_OPENAT, "5.6", OR_WORKER, NO_FEATURE, "a worker"},
	{"sfr_statx", "STATX", IORING_OP_STATX, "5.6", OR_WORKER, NO_FEATURE, "a worker"},
	{"sfr_fsync", "FSYNC", IORING_OP_FSYNC, "5.1", OR_WORKER, NO_FEATURE, "a worker"},
	{"sfr_fdatasync", "FSYNC", IORING_OP_FSYNC, "5.1", OR_WORKER, NO_FEATURE, "a worker"},
	{"sfr_fallocate", "FALLOCATE", IORING_OP_FALLOCATE, "5.6", OR_WORKER, NO_FEATURE,
	 "a worker"},
	{"sfr_ftruncate", "FTRUNCATE", SFR__OP_CODE_FTRUNCATE, "6.9", OR_WORKER, NO_FEATURE,
	 "a worker"},
	{"sfr_unlinkat", "UNLINKAT", IORING_OP_UNLINKAT, "5.11", OR_WORKER, NO_FEATURE, "a worker"},
	{"sfr_renameat", "RENAMEAT", IORING_OP_RENAMEAT, "5.11", OR_WORKER, NO_FEATURE, "a worker"},
	{"sfr_mkdirat", "MKDIRAT", IORING_OP_MKDIRAT, "5.15", OR_WORKER, NO_FEATURE, "a worker"},
	{"sfr_linkat", "LINKAT", IORING_OP_LINKAT, "5.15", OR_WORKER, NO_FEATURE, "a worker"},
	{"sfr_symlinkat", "SYMLINKAT", IORING_OP_SYMLINKAT, "5.15", OR_WORKER, NO_FEATURE,
	 "a worker"},
	{"sfr_splice", "SPLICE", IORING_OP_SPLICE, "5.7", NO_FEATURE, NO_FEATURE,
	 "splice; files: a worker"},
	{"sfr_signal", "a handler of signals", LOOP, "", NO_FEATURE, NO_FEATURE,
	 "a handler of signals"},
	{"sfr_waitid", "WAITID", SFR__OP_CODE_WAITID, "6.7", OR_PIDFD, NO_FEATURE,
	 "waitid, once a pidfd is ready"},
	{"sfr_msg", "the other loop's mailbox", LOOP, "", NO_FEATURE, NO_FEATURE,
	 "the other loop's mailbox"},
	{"sfr_raw", "any", LOOP, "", NO_FEATURE, NO_FEATURE, "what it knows"},
	{"sfr_work", "a worker of the loop", LOOP, "", NO_FEATURE, NO_FEATURE,
	 "a worker of the loop"},
};

enum { OPS = sizeof(ops) / sizeof(ops[0]) };

enum here { HERE_UNKNOWN, HERE_NO, HERE_WORKER, HERE_PIDFD, HERE_LESS, HERE_YES };

static bool is_used(const struct facts *facts, unsigned feature)
{
	switch (facts_feature(facts, (enum sfr__feature)feature)) {
	case FACTS_FEATURE_PRESENT:
	case FACTS_FEATURE_FORCED:
		return true;
	case FACTS_FEATURE_UNKNOWN:
	case FACTS_FEATURE_MISSING:
	case FACTS_FEATURE_BROKEN:
	case FACTS_FEATURE_OFF:
		break;
	}
	return false;
}

static bool lacks(const struct facts *facts, unsigned feature)
{
	return feature < NO_FEATURE && !is_used(facts, feature);
}

static enum here op_here(const struct facts *facts, const struct op *op)
{
	if (op->opcode == LOOP)
		return HERE_YES;
	if (facts->probing != FACTS_PROBED)
		return HERE_UNKNOWN;
	if (!facts_uring_works(facts))
		return HERE_NO;
	if (!(facts->probe.ops >> op->opcode & 1))
		return op->feature == OR_WORKER  ? HERE_WORKER
		       : op->feature == OR_PIDFD ? HERE_PIDFD
						 : HERE_NO;
	return lacks(facts, op->feature) || lacks(facts, op->other) ? HERE_LESS : HERE_YES;
}

static const char *const here_words[] = {
	[HERE_UNKNOWN] = "?",   [HERE_NO] = "no",     [HERE_WORKER] = "worker",
	[HERE_PIDFD] = "pidfd", [HERE_LESS] = "less", [HERE_YES] = "yes"};

static void head_write(FILE *out, const struct facts *facts)
{
	if (facts_uring_works(facts))
		text_words(out, 0, "What the engines do for each operation; here: Linux %s.",
			   facts->machine.release);
	else
		text_words(out, 0,
			   "What the engines do for each operation; here: io_uring %s. Loops have "
			   "all of them with epoll.",
			   facts->probing == FACTS_PROBED   ? "does not work"
			   : facts->probing == FACTS_KILLED ? "is deadly"
							    : "was not tried");
	(void)fprintf(out, "\n%-18s %-34s %-5s %-6s  %s\n", "operation", "uring", "since", "here",
		      "epoll");
}

/* What `less` is: a line for each feature that some operation lacks. */
static void feature_explain(FILE *out, const struct facts *facts, unsigned feature)
{
	char names[256] = "";
	size_t used = 0;

	for (unsigned i = 0; i < OPS; i++)
		if (op_here(facts, &ops[i]) == HERE_LESS &&
		    (ops[i].feature == feature || ops[i].other == feature))
			used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s",
						 used ? ", " : "", ops[i].name);
	if (used > 0 && !is_used(facts, feature))
		text_words(out, 0, "less: without features.%s, %s (%s).",
			   facts_feature_name((enum sfr__feature)feature),
			   facts_feature_without((enum sfr__feature)feature), names);
}

void ops_text(FILE *out, const struct facts *facts)
{
	head_write(out, facts);
	for (unsigned i = 0; i < OPS; i++)
		(void)fprintf(out, "%-18s %-34s %-5s %-6s  %s\n", ops[i].name, ops[i].uring,
			      ops[i].since, here_words[op_here(facts, &ops[i])], ops[i].epoll);
	(void)fputc('\n', out);
	for (unsigned i = 0; i < SFR__FEATURES; i++)
		feature_explain(out, facts, i);
	text_words(out, 0,
		   "worker: this kernel has no such opcode, and a thread of the loop's makes the "
		   "system call.");
	text_words(
		out, 0,
		"pidfd: this kernel has no such opcode; the end of one child can be waited for, and "
		"nothing else.");
	text_words(out, 0, "uring: the opcodes of io_uring; since: the Linux that had them first.");
	text_words(
		out, 0,
		"epoll: the system calls, made without waiting, and again when the descriptor is "
		"ready. What cannot be asked not to wait is left to a worker, a thread of the "
		"loop's.");
}

static void here_json(struct json *json, enum here here)
{
	if (here == HERE_UNKNOWN)
		json_null(json, "here");
	else
		json_string(json, "here", here_words[here]);
}

static void features_json(struct json *json, const struct op *op)
{
	const unsigned features[] = {op->feature, op->other};

	json_open(json, "features", '[');
	for (unsigned i = 0; i < 2; i++)
		if (features[i] < NO_FEATURE)
			json_string(json, NULL, facts_feature_name((enum sfr__feature)features[i]));
	json_close(json, ']');
}

void ops_json(FILE *out, const struct facts *facts)
{
	struct json json = {.out = out};

	json_open(&json, NULL, '{');
	json_string(&json, "kernel", facts->machine.release[0] ? facts->machine.release : NULL);
	json_open(&json, "ops", '[');
	for (unsigned i = 0; i < OPS; i++) {
		json_open(&json, NULL, '{');
		json_string(&json, "name", ops[i].name);
		json_string(&json, "uring", ops[i].uring);
		json_string(&json, "since", ops[i].opcode == LOOP ? NULL : ops[i].since);
		features_json(&json, &ops[i]);
		here_json(&json, op_here(facts, &ops[i]));
		json_string(&json, "epoll", ops[i].epoll);
		json_close(&json, '}');
	}
	json_close(&json, ']');
	json_close(&json, '}');
}
