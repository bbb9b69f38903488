/* SPDX-License-Identifier: MIT */
/*
 * Nesting: addresses on the stack compared.
 *
 * Stacks grow downwards wherever there is Linux. Only frames of the thread's own stack are
 * compared: on a stack of a coroutine the answer is always that the callback was not left.
 */
#include "loop/nesting.h"
#include <pthread.h>

struct stack {
	uintptr_t low, high;
};

/* This thread's own; empty if that cannot be told. */
static struct stack own_stack(void)
{
	struct stack stack = {0};
	pthread_attr_t attr;
	void *low;
	size_t size;

	if (pthread_getattr_np(pthread_self(), &attr) != 0)
		return stack;
	if (pthread_attr_getstack(&attr, &low, &size) == 0)
		stack = (struct stack){(uintptr_t)low, (uintptr_t)low + size};
	(void)pthread_attr_destroy(&attr); /* which cannot fail on Linux */
	return stack;
}

static bool is_on(const struct stack *stack, const void *at)
{
	return (uintptr_t)at >= stack->low && (uintptr_t)at < stack->high;
}

/* The memory is the stack's, whatever is there now. */
__attribute__((no_sanitize("address"))) static bool mark_is_gone(const struct sfr__nesting *nesting)
{
	return nesting->mark->of != nesting || nesting->mark->number != nesting->number;
}

bool sfr__nesting_was_left(const struct sfr__nesting *nesting, const void *frame)
{
	const struct stack stack = own_stack();
	bool marked = is_on(&stack, nesting->mark); /* a sanitizer may keep it elsewhere */

	if (!is_on(&stack, frame) || !is_on(&stack, nesting->frame))
		return false;
	if ((uintptr_t)frame >= (marked ? (uintptr_t)nesting->mark : (uintptr_t)nesting->frame))
		return true; /* what a callback calls is further in than the mark */
	return marked && mark_is_gone(nesting);
}
