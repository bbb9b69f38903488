/* SPDX-License-Identifier: MIT */
/*
 * Kinds of ops: the table.
 *
 * A trait that stands here is all that the rest of the library may know of a kind without naming
 * it. A kind that needs more than its traits say has a file of its own in op/.
 */
#include "loop/op_kind.h"

#define TIMER SFR__KIND_TIMER
#define MULTI SFR__KIND_MULTI
#define FILLS SFR__KIND_FILLS
#define LENGTH SFR__KIND_LENGTH
#define MESSAGE SFR__KIND_MESSAGE
#define WINS SFR__KIND_WINS
#define ON_FD SFR__KIND_ON_FD
#define BREAKS SFR__KIND_BREAKS
#define DIRFD SFR__KIND_DIRFD
#define ENDS SFR__KIND_ENDS
#define HERE SFR__KIND_HERE
#define STRUCT SFR__KIND_STRUCT
#define STEPS SFR__KIND_STEPS

const struct sfr__kind sfr__kinds[SFR__OP_KINDS] = {
	[SFR__OP_NOP] = {"nop", BREAKS},
	[SFR__OP_READ] = {"read", FILLS | LENGTH | ON_FD | BREAKS},
	[SFR__OP_WRITE] = {"write", LENGTH | ON_FD | BREAKS},
	[SFR__OP_RECV] = {"recv", FILLS | LENGTH | MESSAGE | ON_FD | BREAKS},
	[SFR__OP_SEND] = {"send", LENGTH | MESSAGE | ON_FD | BREAKS},
	[SFR__OP_ACCEPT] = {"accept", WINS | ON_FD | BREAKS},
	[SFR__OP_ACCEPT_MULTI] = {"accept_multi", MULTI | STEPS | WINS | ON_FD},
	[SFR__OP_RECV_MULTI] = {"recv_multi", MULTI | STEPS | ON_FD},
	[SFR__OP_CONNECT] = {"connect", ON_FD | BREAKS},
	[SFR__OP_TIMEOUT] = {"timeout", TIMER},
	[SFR__OP_INTERVAL] = {"interval", TIMER | MULTI},
	[SFR__OP_POLL] = {"poll", ON_FD | BREAKS},
	[SFR__OP_SHUTDOWN] = {"shutdown", ON_FD | ENDS},
	[SFR__OP_CLOSE] = {"close", ON_FD | ENDS | BREAKS},
	[SFR__OP_SOCKET] = {"socket", WINS | BREAKS},
	[SFR__OP_OPENAT] = {"openat", WINS | ON_FD | DIRFD | BREAKS},
	[SFR__OP_STATX] = {"statx", STRUCT | ON_FD | DIRFD},
	[SFR__OP_FSYNC] = {"fsync", ON_FD},
	[SFR__OP_FDATASYNC] = {"fdatasync", ON_FD},
	[SFR__OP_FALLOCATE] = {"fallocate", ON_FD},
	[SFR__OP_FTRUNCATE] = {"ftruncate", ON_FD},
	[SFR__OP_UNLINKAT] = {"unlinkat", ON_FD | DIRFD},
	[SFR__OP_RENAMEAT] = {"renameat", ON_FD | DIRFD},
	[SFR__OP_MKDIRAT] = {"mkdirat", ON_FD | DIRFD},
	[SFR__OP_LINKAT] = {"linkat", ON_FD | DIRFD},
	[SFR__OP_SYMLINKAT] = {"symlinkat", ON_FD | DIRFD},
	[SFR__OP_WORK] = {"work", 0},
	[SFR__OP_SEND_ZC] = {"send_zc", STEPS | LENGTH | MESSAGE | ON_FD},
	[SFR__OP_SENDTO] = {"sendto", ON_FD | BREAKS},
	[SFR__OP_RECVFROM] = {"recvfrom", STEPS | FILLS | ON_FD},
	[SFR__OP_RECVFROM_MULTI] = {"recvfrom_multi", MULTI | STEPS | ON_FD},
	[SFR__OP_READ_MULTI] = {"read_multi", MULTI | STEPS | ON_FD},
	[SFR__OP_SPLICE] = {"splice", STEPS | ON_FD},
	[SFR__OP_POLL_MULTI] = {"poll_multi", MULTI | STEPS | ON_FD},
	[SFR__OP_WAITID] = {"waitid", STRUCT | STEPS},
	[SFR__OP_SIGNAL] = {"signal", HERE | MULTI},
	[SFR__OP_MSG] = {"msg", HERE},
	[SFR__OP_RAW] = {"raw", STEPS | ON_FD},
};
