/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of chips that cannot be read: sums that the order brought, that a run of the record has
 * taught, or that a unit of this very job has taught a moment ago. */
#include "parts.h"

#include "alloc.h"
#include "await.h"
#include "bytes.h"

#include <errno.h>
#include <stdlib.h>

/* The name of the order's content in the record. */
static char *content_of(const struct job *job, const struct plan *plan)
{
    char digest[2 * sizeof plan->digest + 1];

    bytes_to_hex(plan->digest, sizeof plan->digest, digest);
    return format_text("%s %s", digest, job->order.chip->name);
}

static void ask_record(struct job *job, const struct plan *plan)
{
    struct farm *farm = job->farm;
    struct error error = ERROR_NONE;
    struct await await = await_begin(farm->options.fibers, &error);
    char *content = content_of(job, plan);
    json_t *answer;

    store_taught(farm->options.store, content, await_answered, &await);
    answer = await_end(&await);
    /* Without an answer the unit is simply programmed twice. */
    if (!answer && error.code != -ENOENT)
        log_warning(&job->log, "what was taught about its image cannot be looked up: %s", error.text);
    if (answer && !job->sums) {
        job->sums = json_incref(json_object_get(answer, "sums"));
        job->taught_by = json_integer_value(json_object_get(answer, "run"));
    }
    json_decref(answer);
    free(content);
}

void sums_prepare(struct job *job, const struct protocol *protocol)
{
    if (plan_by_sums(protocol) && !job->sums)
        ask_record(job, job_plan(job, protocol));
}

static const json_t *find_sum(const json_t *sums, uint32_t address)
{
    const json_t *item;
    size_t index;

    json_array_foreach (sums, index, item) {
        if (json_integer_value(json_object_get(item, "address")) == (json_int_t)address)
            return json_object_get(item, "sum");
    }
    return NULL;
}

int sums_check(const struct job *job, const struct plan *plan, struct error *error)
{
    for (size_t i = 0; job->sums && i < plan->sector_count; i++)
        if (!find_sum(job->sums, plan->sectors[i].address))
            return error_set(
                error, -EINVAL,
                "sums: there is none for the sector at 0x%08x; give one for each sector that the "
                "image reaches, or leave them out",
                plan->sectors[i].address);
    return 0;
}

bool sums_known(const struct job *job, struct sector_sum *sums, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const json_t *sum = find_sum(job->sums, sums[i].address);

        if (!sum)
            return false;
        sums[i].sum = (uint32_t)json_integer_value(sum);
    }
    return true;
}

json_t *sums_learn(struct job *job, int64_t run, const struct sector_sum *sums, size_t count)
{
    json_t *array = json_array();

    for (size_t i = 0; i < count; i++)
        (void)json_array_append_new(array, json_pack("{s:I,s:I}", "address", (json_int_t)sums[i].address,
                                                     "sum", (json_int_t)sums[i].sum));
    if (!job->sums) {
        job->sums = json_incref(array);
        job->taught_by = run;
    }
    return array;
}
