/* SPDX-License-Identifier: Apache-2.0 */
/* Audits of a record, offline, from files alone: no daemon, and no code of the daemon's store. It reads
 * schema/README.md and the RFCs a second time, and so finds what the store could get wrong about itself.
 *
 * Every function fills the report, whose findings say whether all is well; a negative errno means that the
 * file cannot be read as what it should be. */
#ifndef FLASHFARM_CLIENTS_AUDIT_H
#define FLASHFARM_CLIENTS_AUDIT_H

#include "audit_report.h"
#include "result.h"

#include <stdio.h>

enum audit_projections { AUDIT_PROJECTIONS_IF_SMALL, AUDIT_PROJECTIONS_YES, AUDIT_PROJECTIONS_NO };
enum { AUDIT_SMALL = 1000000 }; /* records, of which a database is replayed without being asked */

struct audit_options {
    const char *public_key; /* what was given as such; NULL: whatever is found */
    struct audit_key key;   /* and what it is */
    const char *witness;    /* a file with a checkpoint's note that is known from elsewhere; NULL: none */
    struct audit_note note;
    enum audit_projections projections;
};

/* Reads what the options name. */
int audit_options_read(struct audit_options *options, struct error *error);

/* A database: its schema, chain, tree and signatures, and every other table against what the ledger makes of
 * an empty database. */
int audit_verify(const char *path, const struct audit_options *options, struct audit_report *report,
                 struct error *error);
/* A bundle (audit_bundle.h) or a proof (audit_proof.h). */
int audit_check_bundle(const char *path, const struct audit_options *options, struct audit_report *report,
                       struct error *error);
int audit_check_proof(const char *path, const struct audit_options *options, struct audit_report *report,
                      struct error *error);
/* Any of them, by what the file begins with. */
int audit_check(const char *path, const struct audit_options *options, struct audit_report *report,
                struct error *error);

/* For the parts: a report of a file with the key that was given; another file in the folder of `path`, to be
 * freed; and whether a key was found, in a sentence, when signatures are to be checked. */
void audit_report_begin(struct audit_report *report, const char *path, const char *what,
                        const struct audit_options *options);
char *audit_beside(const char *path, const char *name);

#endif
