/* SPDX-License-Identifier: Apache-2.0 */
/* Bundles and proofs from a running daemon, over its REST interface. */
#ifndef FLASHFARM_CLIENTS_AUDIT_FETCH_H
#define FLASHFARM_CLIENTS_AUDIT_FETCH_H

#include "http.h"

#include <stdio.h>

/* The whole record up to a checkpoint that the daemon makes for it. */
int audit_fetch_bundle(struct server *server, FILE *out, struct error *error);
/* Every run of a serial, proven against one such checkpoint. -EINVAL when there is none. */
int audit_fetch_proof(struct server *server, const char *serial, FILE *out, struct error *error);
/* The public key, or a checkpoint over everything until now. */
int audit_fetch_note(struct server *server, bool key, FILE *out, struct error *error);

#endif
