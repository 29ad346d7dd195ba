/* SPDX-License-Identifier: Apache-2.0 */
/* Recipes, signatures and dry runs as the domain's other files see them: what a job that names a recipe is to
 * do, whether what it programs is signed as its policy asks, and what the lint says of it. Everything that
 * takes a farm or a job runs on a fiber and may wait, unless it says otherwise. farm_recipe_*() and
 * farm_image_sign() of farm.h live here too. */
#ifndef FLASHFARM_JOBS_RECIPES_H
#define FLASHFARM_JOBS_RECIPES_H

#include "farm.h"
#include "fields.h"
#include "lint.h"

struct job;

/* The recipe that an order names: "NAME" (its newest released version), "NAME/VERSION" or {"name",
 * "version"}. Both answers are new references: `content` as it was saved, `recipe` {name, version, hash,
 * state} for the record. A retired one is -EINVAL, so is one that does not exist; a draft with ORDER_RELEASED
 * is -EACCES. */
int recipe_resolve(struct farm *farm, const json_t *named, enum order_right right, json_t **content,
                   json_t **recipe, struct error *error);

/* What a recipe or an ad-hoc job says of signatures: {"required": bool, "keys": [names], "mcuboot": bool or
 * address, "counter": n, "max_units": n}. Borrows from the object, which has been read by
 * signature_policy_parse(). */
struct signature_policy {
    bool required;      /* every image needs a good signature */
    const json_t *keys; /* names (files without .pub) or key ids that count here; NULL: every trusted one */
    bool mcuboot;       /* there is an MCUboot image, and each one that there is has good TLVs */
    bool has_address;   /* where it begins; else: at the start of whichever erase unit */
    uint32_t address;
    bool has_counter; /* its security counter must be there, and at least this */
    uint32_t counter;
    int64_t max_units; /* units that may ever pass under this recipe version; 0: no limit */
};
/* NULL or null: nothing is asked. -EINVAL names the member. Waits for nothing. */
int signature_policy_parse(struct signature_policy *policy, const json_t *object, struct error *error);

/* Checks the job's policy (`signature` of job->body) over the very bytes that were parsed: each file is read
 * again, must have the SHA-256 that the parsed one had, and its recorded signatures are checked over exactly
 * those bytes with the keys that are trusted now. job->images and job->image are loaded. -EKEYREJECTED;
 * -EINVAL. Call after images_load() at submission, and again when the job goes on after a start. */
int recipe_check_signatures(struct job *job, struct error *error);

/* Whether the policy's max_units lets this recipe (NULL: these images) make `quantity` units more, beyond
 * those made and those that open jobs may still make; -EINVAL. Call it last before what does not wait, and
 * then record the job: what it has found holds until the next wait. */
int recipe_check_count(struct job *job, const json_t *recipe, int quantity, struct error *error);

/* What the lint says of a job whose images are loaded; a new reference, NULL with the error when the record
 * cannot be asked. `fields` may be NULL. `wanted`: units that need a number of each pool; 0: only whether the
 * pools are there and not empty. */
json_t *job_lint(struct job *job, const struct fields *fields, int64_t wanted, struct error *error);

/* The same of a recipe's content, which need not be in the record yet. */
json_t *recipe_lint(struct farm *farm, const json_t *content, struct error *error);

/* The answer of a dry run (farm.h), a new reference: plans, floors and findings of a prepared job. Takes the
 * reference of `findings`. Waits for nothing. */
json_t *job_dry_run(const struct job *job, json_t *findings);

/* The keys whose signatures count: read anew each time, so that a key that was taken away counts no
 * longer. */
int farm_trusted_keys(const struct farm *farm, struct trusted_keys *keys, struct error *error);

#endif
