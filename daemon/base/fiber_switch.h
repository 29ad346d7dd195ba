/* SPDX-License-Identifier: Apache-2.0 */
/* The machine's part of a fiber: one stack, and the switch between two of them.
 *
 * Own code for x86-64 (System V ABI) and aarch64 (AAPCS64): only what a called function must preserve is
 * saved, which takes some 10 ns, and AddressSanitizer keeps its sight (with swapcontext() it misses overruns
 * in frames that live across a switch). Elsewhere ucontext serves. Every sanitizer and valgrind hook of the
 * project is in this file's .c. */
#ifndef FLASHFARM_BASE_FIBER_SWITCH_H
#define FLASHFARM_BASE_FIBER_SWITCH_H

#include <stddef.h>

struct fiber_context;

/* The context of the code that is running now, to be switched back to; it has no stack of its own. */
struct fiber_context *fiber_context_of_caller(void);

/* A context with its own guarded stack that will call entry(argument) when first switched to; `entry` must
 * never return but end with fiber_context_switch_last(). NULL when there is no memory for the stack. */
struct fiber_context *fiber_context_new(void (*entry)(void *argument), void *argument);
void fiber_context_free(struct fiber_context *context);

/* Goes on in `to`, saving this place in `from`; returns when somebody switches back. */
void fiber_context_switch(struct fiber_context *from, struct fiber_context *to);

/* As above for the last time: `from` will not run again, only be freed. */
void fiber_context_switch_last(struct fiber_context *from, struct fiber_context *to);

/* To be called first thing in `entry`. */
void fiber_context_entered(struct fiber_context *context, struct fiber_context *from);

#endif
