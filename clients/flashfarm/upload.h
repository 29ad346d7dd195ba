/* SPDX-License-Identifier: Apache-2.0 */
/* Firmware files as images of the daemon, which knows them by their content. */
#ifndef FLASHFARM_CLIENT_UPLOAD_H
#define FLASHFARM_CLIENT_UPLOAD_H

#include "http.h"
#include "options.h"

/* Uploads a file; `image` becomes a new reference to what the daemon says of it. `base` is where a raw binary
 * goes; NULL: none is expected. */
int upload_file(struct server *server, const char *base, const char *path, json_t **image,
                struct error *error);
/* Uploads the command's operands; their ids become the order's member `images`. */
int upload_files(struct server *server, const struct options *options, json_t *order, struct error *error);
/* Files that an order or a recipe names, beside `file` where it was read from, become images of the daemon;
 * ids stay. */
int upload_named(struct server *server, const char *file, json_t *order, struct error *error);

#endif
