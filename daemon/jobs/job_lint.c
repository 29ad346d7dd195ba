/* SPDX-License-Identifier: Apache-2.0 */
/* What the lint (which is pure) must know of a job: its loaders, its pools, its signatures. */
#include "parts.h"
#include "recipes.h"
#include "signing.h"

#include "alloc.h"

#include <stdlib.h>

/* What is gathered for one subject. */
struct gathered {
    const struct protocol *protocols[JOB_PLANS + 1];
    struct lint_pool *pools;
    struct signing signing;
};

static bool listed(const struct gathered *gathered, const struct protocol *protocol)
{
    for (size_t i = 0; gathered->protocols[i]; i++)
        if (gathered->protocols[i] == protocol)
            return true;
    return false;
}

static void gather_protocols(const struct job *job, struct gathered *gathered)
{
    size_t count = 0;

    for (size_t i = 0; i < job->place_count && count < JOB_PLANS; i++) {
        const struct station *station = farm_find_station(job->farm, job->places[i].station);

        if (station && !listed(gathered, station->protocol))
            gathered->protocols[count++] = station->protocol;
    }
}

static void gather_pools(const struct job *job, int64_t wanted, struct gathered *gathered)
{
    gathered->pools = allocate(job->pool_count + 1, sizeof *gathered->pools);
    for (size_t i = 0; i < job->pool_count; i++) {
        const struct pool *pool = pool_find(job->farm, job->pools[i]);

        gathered->pools[i] = (struct lint_pool){.name = job->pools[i],
                                                .left = pool ? pool_left(pool) : -1,
                                                .wanted = wanted,
                                                .closed = pool && !pool->open};
    }
}

static json_t *lint(struct job *job, const struct fields *fields, int64_t wanted, bool is_recipe,
                    struct gathered *gathered, struct error *error)
{
    struct signature_policy policy;
    struct lint_subject subject = {.order = &job->order, .fields = fields, .is_recipe = is_recipe};

    if (signature_policy_parse(&policy, job->signature, error) < 0)
        return NULL;
    if ((policy.required || policy.mcuboot) &&
        signing_look(job, fields, &policy, &gathered->signing, error) < 0)
        return NULL;
    gather_protocols(job, gathered);
    gather_pools(job, wanted, gathered);
    subject.pools = gathered->pools;
    subject.protocols = gathered->protocols[0] ? gathered->protocols : NULL;
    subject.wants_signature = policy.required;
    subject.has_signature = gathered->signing.has_signature;
    subject.signature_trouble = gathered->signing.trouble[0] ? gathered->signing.trouble : NULL;
    subject.is_mcuboot = policy.mcuboot;
    subject.mcuboot_trouble = gathered->signing.mcuboot_trouble[0] ? gathered->signing.mcuboot_trouble : NULL;
    return lint_check(&subject);
}

static json_t *lint_job(struct job *job, const struct fields *fields, int64_t wanted, bool is_recipe,
                        struct error *error)
{
    struct gathered *gathered = allocate(1, sizeof *gathered);
    json_t *findings = lint(job, fields, wanted, is_recipe, gathered, error);

    free(gathered->pools);
    free(gathered);
    return findings;
}

json_t *job_lint(struct job *job, const struct fields *fields, int64_t wanted, struct error *error)
{
    /* A unit that is made again keeps its numbers: it is known only at the board whether it wants others. */
    return lint_job(job, fields, job->rework ? 0 : wanted, job->recipe != NULL, error);
}

json_t *recipe_lint(struct farm *farm, const json_t *content, struct error *error)
{
    struct job *job;
    json_t *findings = NULL;

    if (job_parse_recipe(farm, content, &job, error) < 0)
        return NULL;
    job->order.image = &job->image;
    /* Not job_prepare(), which refuses what the lint has more to say of. */
    if (images_load(farm->images, job->images, &job->image, error) == 0)
        findings = lint_job(job, job->fields, 0, true, error);
    job_free(job);
    return findings;
}
