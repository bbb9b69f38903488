/* SPDX-License-Identifier: MIT */
/*
 * The rows of op/kind.h as tables.
 */
#include "op/kind.h"
#include <linux/stat.h>
#include <signal.h>

#define FILLS SFR__KIND_FILLS
#define STRUCT SFR__KIND_STRUCT
#define LENGTH SFR__KIND_LENGTH
#define MESSAGE SFR__KIND_MESSAGE
#define MULTI SFR__KIND_MULTI
#define WINS SFR__KIND_WINS
#define ENDS SFR__KIND_ENDS
#define ON_FD SFR__KIND_ON_FD
#define DIRFD SFR__KIND_DIRFD
#define TWO_DIRS SFR__KIND_TWO_DIRS
#define BREAKS SFR__KIND_BREAKS
#define WAITS SFR__KIND_WAITS
#define HERE SFR__KIND_HERE
#define STEPS SFR__KIND_STEPS

#define PLAIN_TRAITS(id, word, bits) [SFR__OP_##id] = (bits),
#define OWN_TRAITS(id, word, bits, ...) [SFR__OP_##id] = (bits),

const uint16_t sfr__kind_traits[SFR__OP_KINDS] = {SFR__OP_ROWS(PLAIN_TRAITS, OWN_TRAITS)};

#define PLAIN(id, word, bits) [SFR__OP_##id] = {.name = #word},
#define OWN(id, word, bits, ...) [SFR__OP_##id] = {.name = #word, __VA_ARGS__},

const struct sfr__kind sfr__kinds[SFR__OP_KINDS] = {SFR__OP_ROWS(PLAIN, OWN)};
