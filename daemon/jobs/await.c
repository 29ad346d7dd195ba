/* SPDX-License-Identifier: Apache-2.0 */
#include "await.h"

#include "alloc.h"

#include <stdlib.h>

struct await await_begin(struct fibers *fibers, struct error *error)
{
    return (struct await){.fibers = fibers, .fiber = fiber_current(fibers), .error = error};
}

void await_answered(void *context, json_t *answer, const struct error *error)
{
    struct await *await = context;

    await->answered = true;
    await->answer = answer;
    if (!answer)
        *await->error = *error;
    if (fiber_waiting(await->fiber))
        fiber_resume(await->fiber, 0);
}

json_t *await_end(struct await *await)
{
    if (!await->answered)
        (void)fiber_await(await->fibers);
    return await->answer;
}

struct pool_work {
    uv_work_t request;
    struct fiber *fiber;
    void (*work)(void *argument);
    void *argument;
};

static void work_in_pool(uv_work_t *request)
{
    struct pool_work *pool_work = request->data;

    pool_work->work(pool_work->argument);
}

static void work_done(uv_work_t *request, int status)
{
    struct pool_work *pool_work = request->data;

    fiber_resume(pool_work->fiber, status);
}

int await_work(struct fibers *fibers, void (*work)(void *argument), void *argument)
{
    struct pool_work pool_work = {.fiber = fiber_current(fibers), .work = work, .argument = argument};

    if (!pool_work.fiber) {
        work(argument);
        return 0;
    }
    pool_work.request.data = &pool_work;
    if (uv_queue_work(fibers_loop(fibers), &pool_work.request, work_in_pool, work_done) < 0) {
        work(argument);
        return 0;
    }
    return fiber_await(fibers);
}
