/* SPDX-License-Identifier: Apache-2.0 */
/* Verifies a record offline, from the file alone: no daemon, and no code of the daemon's store. It reads
 * schema/README.md a second time, and so finds what the store could get wrong about itself. */
#ifndef FLASHFARM_CLIENTS_AUDIT_H
#define FLASHFARM_CLIENTS_AUDIT_H

#include "result.h"

#include <stdio.h>

/* Checks the database at `path`: its schema, the hash of every record, and every other table against what the
 * ledger makes of an empty database. Prints lines for people, or one JSON object, to `out`. Returns the
 * number of findings, 0 when all is well, or negative when the file cannot be read at all. */
int audit_verify(const char *path, FILE *out, bool json, struct error *error);

#endif
