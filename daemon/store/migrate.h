/* SPDX-License-Identifier: Apache-2.0 */
/* Brings a database up to the newest schema that this program carries (schema/migrations), and the writer's
 * connection to the settings that keep what it commits. */
#ifndef FLASHFARM_STORE_MIGRATE_H
#define FLASHFARM_STORE_MIGRATE_H

#include "database.h"
#include "log.h"

/* Refuses a file of another program and a database of a newer one, and leaves both as they are. */
int migrate(struct database *database, const struct log *log, struct error *error);

#endif
