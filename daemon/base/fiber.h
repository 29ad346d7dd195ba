/* SPDX-License-Identifier: Apache-2.0 */
/* Fibers: straight-line code on a libuv loop.
 *
 * A fiber has a stack of its own (64 KiB and a guard page) and runs on the loop's thread until it waits;
 * every wait goes through fiber_suspend() or fiber_await(). The rules that keep this reviewable:
 *   - one loop, one thread: a `struct fibers` and everything in it belongs to the loop's thread;
 *   - never uv_run() inside a fiber, never hold an iterator over shared lists across a wait;
 *   - cancellation is delivered once, as -ECANCELED from a wait; clean-up after it may wait again;
 *   - a function that takes a `struct port *` or a `struct session *` may wait.
 * All functions that ask "am I on a fiber?" accept NULL for `fibers` and answer no: the same code then
 * blocks, which is how unit tests and tools call it. */
#ifndef FLASHFARM_BASE_FIBER_H
#define FLASHFARM_BASE_FIBER_H

#include "clock.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct fiber;
struct fibers;

typedef void fiber_function(void *argument);

/* The fibers of one loop. fibers_free() requires that every fiber has ended; it closes its handles on the
 * loop, which must run once more. */
struct fibers *fibers_new(uv_loop_t *loop, const struct clock *clock);
void fibers_free(struct fibers *fibers);
uv_loop_t *fibers_loop(const struct fibers *fibers);

/* A pointer that all fibers of this loop share, NULL at first: each owner has its own, named by the address
 * of something of the owner's. What it points to is the owner's to free, before fibers_free(). */
void **fibers_slot(struct fibers *fibers, const void *owner);

/* Starts `run(argument)` at once, until its first wait. When it returns, `done(argument)` is called on the
 * loop's stack (NULL: nothing) and the fiber is gone. `name` is copied and shown by debuggers and logs. */
struct fiber *fiber_start(struct fibers *fibers, const char *name, fiber_function *run, fiber_function *done,
                          void *argument);

/* The fiber that runs now, or NULL on the loop's own stack or outside any loop. */
struct fiber *fiber_current(const struct fibers *fibers);

/* Waits until fiber_resume(), the deadline (-ETIMEDOUT) or cancellation (-ECANCELED); otherwise returns the
 * value given to fiber_resume(), which is >= 0 or a negative errno of the waker's choice. On a fiber only. */
int fiber_suspend(struct fibers *fibers, int64_t deadline_us);

/* As fiber_suspend() without deadline, and cancellation is held back for the next fiber_suspend(): for
 * waits whose waker is certain to come and would otherwise wake a stranger (a commit, a pool job). */
int fiber_await(struct fibers *fibers);

/* Lets a suspended fiber go on with `value`. From the loop's stack it runs at once; from another fiber it
 * runs as soon as that one waits. Waking a fiber that is already being woken is an error of the caller. */
void fiber_resume(struct fiber *fiber, int value);

/* True while the fiber sits in fiber_suspend() or fiber_await() and nothing has woken it yet. */
bool fiber_waiting(const struct fiber *fiber);

/* Delivers -ECANCELED once, from the current or the next fiber_suspend(). */
void fiber_cancel(struct fiber *fiber);

/* Takes back a cancellation that has not been delivered: what it was meant for has ended by itself, and the
 * next wait belongs to something else. */
void fiber_uncancel(struct fiber *fiber);

/* Sleeps, on a fiber or (blocking) outside one. 0, or -ECANCELED. */
int fiber_sleep_until(struct fibers *fibers, const struct clock *clock, int64_t deadline_us);

#endif
