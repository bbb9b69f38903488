/* SPDX-License-Identifier: MIT */
/*
 * Runs a command under a seccomp filter that refuses system calls of io_uring, as containers and
 * sandboxes do. Raw BPF: nothing but the kernel's headers is needed, and no privilege.
 *
 *	seccomp_exec errno=EPERM setup -- command...
 *	seccomp_exec kill setup enter register -- command...
 *
 * Exit status: that of the command; 2 for a command line that makes no sense; 126 if the filter was
 * refused; 127 if the command could not be run.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { CALLS_MAX = 3 };

/* The same on every architecture. */
static const struct {
	const char *name;
	uint32_t number;
} calls[CALLS_MAX] = {{"setup", 425}, {"enter", 426}, {"register", 427}};

static const struct {
	const char *name;
	int number;
} errors[] = {
	{"EPERM", EPERM},   {"EACCES", EACCES}, {"ENOSYS", ENOSYS}, {"EINVAL", EINVAL},
	{"ENOMEM", ENOMEM}, {"EMFILE", EMFILE}, {"ENFILE", ENFILE}, {"EAGAIN", EAGAIN},
};

static const char help[] =
	"Usage: seccomp_exec ACTION CALL... -- COMMAND [ARGUMENT]...\n"
	"Run a command under a seccomp filter that refuses system calls of io_uring.\n"
	"\n"
	"  ACTION  errno=EPERM, or another of EACCES ENOSYS EINVAL ENOMEM EMFILE ENFILE EAGAIN;\n"
	"          kill, which ends the process; kill_thread, which ends the thread that\n"
	"          calls; trap, which sends it SIGSYS\n"
	"  CALL    setup, enter or register; any of them together\n";

static void usage(void)
{
	(void)fputs(help, stderr);
	exit(2);
}

static uint32_t action_read(const char *text)
{
	if (strcmp(text, "kill") == 0)
		return SECCOMP_RET_KILL_PROCESS;
	if (strcmp(text, "kill_thread") == 0)
		return SECCOMP_RET_KILL_THREAD;
	if (strcmp(text, "trap") == 0)
		return SECCOMP_RET_TRAP;
	if (strncmp(text, "errno=", 6) == 0)
		for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
			if (strcmp(text + 6, errors[i].name) == 0)
				return SECCOMP_RET_ERRNO | (uint32_t)errors[i].number;
	usage();
	return 0;
}

static uint32_t call_read(const char *text)
{
	for (unsigned i = 0; i < CALLS_MAX; i++)
		if (strcmp(text, calls[i].name) == 0)
			return calls[i].number;
	usage();
	return 0;
}

/* Load the number; for each call, jump to the refusal behind if it is that one; else allow. */
static int filter_install(uint32_t action, const uint32_t *numbers, unsigned count)
{
	struct sock_filter code[CALLS_MAX + 3];
	struct sock_fprog program = {.len = (unsigned short)(count + 3), .filter = code};

	code[0] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
					       offsetof(struct seccomp_data, nr));
	for (unsigned i = 0; i < count; i++)
		code[1 + i] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, numbers[i],
							   (uint8_t)(count - i), 0);
	code[1 + count] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	code[2 + count] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0 ? -errno : 0;
}

int main(int argc, char **argv)
{
	uint32_t numbers[CALLS_MAX];
	unsigned count = 0;
	uint32_t action;
	int i = 2, r;

	if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
		return fputs(help, stdout) < 0;
	if (argc < 5)
		usage();
	action = action_read(argv[1]);
	for (; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (count == CALLS_MAX)
			usage();
		numbers[count++] = call_read(argv[i]);
	}
	if (count == 0 || i + 1 >= argc)
		usage();
	r = filter_install(action, numbers, count);
	if (r < 0) {
		(void)fprintf(stderr, "seccomp_exec: no filter: %s\n", strerror(-r));
		return 126;
	}
	(void)execvp(argv[i + 1], argv + i + 1);
	(void)fprintf(stderr, "seccomp_exec: %s: %s\n", argv[i + 1], strerror(errno));
	return 127;
}
