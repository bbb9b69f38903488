/* SPDX-License-Identifier: MIT */
#include "sqe/counted.h"

_Thread_local uint64_t sfr__calls;
