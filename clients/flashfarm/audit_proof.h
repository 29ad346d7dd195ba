/* SPDX-License-Identifier: Apache-2.0 */
/* A proof: the records of every run of one serial, each with its path to the root of one signed checkpoint.
 * It shows that these records are in the record; that there are no others, only the whole record shows. */
#ifndef FLASHFARM_CLIENTS_AUDIT_PROOF_H
#define FLASHFARM_CLIENTS_AUDIT_PROOF_H

#include "audit_walk.h"

#include <stdio.h>

struct audit_proof {
    FILE *out;
};

int audit_proof_begin(struct audit_proof *proof, FILE *out, const char *serial, const char *key,
                      struct error *error);
int audit_proof_add(struct audit_proof *proof, const struct audit_record *record,
                    const uint8_t previous[AUDIT_HASH], uint8_t (*path)[AUDIT_HASH], int count,
                    struct error *error);
int audit_proof_end(struct audit_proof *proof, const char *note, struct error *error);
/* Whether a run, as a record or the API tells it, is one of this serial, or of this address. */
bool audit_proof_names(const json_t *body, const char *serial);

#endif
