/* SPDX-License-Identifier: Apache-2.0 */
/* What is wrong, or looks wrong, with what is to be programmed: at the release of a recipe, at the submission
 * of a job, and in a dry run. Each finding has a class, a place and a remedy. Pure computation on what is
 * loaded already.
 *
 * Classes, which are part of the contract: "outside-chip", "protected-area", "field-overlap",
 * "field-over-code", "field-outside", "check-range", "lock-before-verify", "unprotect", "vector-table",
 * "wrong-family", "pool-empty", "pool-short", "unsigned", "signature", "mcuboot", "cannot-verify",
 * "blank-image", "keep-conflict". */
#ifndef FLASHFARM_JOBS_LINT_H
#define FLASHFARM_JOBS_LINT_H

#include "fields.h"
#include "plan.h"
#include "signature.h"

#include <jansson.h>

enum lint_severity { LINT_ERROR, LINT_WARNING };

/* What of the pools is known: how many numbers are left. */
struct lint_pool {
    const char *name; /* NULL name ends the list */
    int64_t left;     /* -1: there is no such pool */
    int64_t wanted;   /* by this order; 0 at a release */
    bool closed;      /* that is why none is left */
};

struct lint_subject {
    const struct order *order; /* chip, image (template), options, protect, unprotect, keep */
    const struct fields *fields;
    const struct lint_pool *pools;           /* NULL: none are wanted */
    const struct protocol *const *protocols; /* of the stations; NULL ends; NULL: none known */
    bool is_recipe; /* of what is to be made many times nothing may be odd; an ad-hoc order may be a trial,
                       and its image a pattern: what cannot be vectors is a warning then */
    bool wants_signature, has_signature;
    const char *signature_trouble; /* why a signature that is there is no good; NULL */
    bool is_mcuboot;               /* the recipe says so */
    const char *mcuboot_trouble;   /* NULL: it is good */
};

/* A list of {"class", "severity": "error" | "warning", "place", "message", "remedy"}; a new reference, empty
 * when there is nothing to say. */
json_t *lint_check(const struct lint_subject *subject);
bool lint_has_error(const json_t *findings);
/* The first error as a sentence, "class: message (place); remedy", with -EINVAL; 0 when there is none. */
int lint_refuse(const json_t *findings, struct error *error);

#endif
