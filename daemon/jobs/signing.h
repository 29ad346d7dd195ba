/* SPDX-License-Identifier: Apache-2.0 */
/* Whether what is to be programmed is signed as it should be: the record's signatures, the trusted keys and
 * the very bytes of the files, brought together. Whoever asks is on a fiber, and may wait. */
#ifndef FLASHFARM_JOBS_SIGNING_H
#define FLASHFARM_JOBS_SIGNING_H

#include "recipes.h"

struct signing {
    bool has_signature;        /* every image has a good one, by a key that counts */
    char trouble[400];         /* why the first that has none among its signatures has none; empty: it has no
                                  signature at all, or all is well */
    char mcuboot_trouble[400]; /* empty: none */
};

/* Looks at all images of a job as `policy` asks. An error is one of the disk or the record; that something is
 * not signed is in `signing`. */
int signing_look(struct job *job, const struct fields *fields, const struct signature_policy *policy,
                 struct signing *signing, struct error *error);

#endif
