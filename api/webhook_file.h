/* SPDX-License-Identifier: Apache-2.0 */
/* A small file that is replaced whole: after a crash it is the old one or the new one. For nobody's eyes but
 * the daemon's (0600). Both calls block. */
#ifndef FLASHFARM_API_WEBHOOK_FILE_H
#define FLASHFARM_API_WEBHOOK_FILE_H

#include "result.h"

#include <jansson.h>

/* Writes, syncs and renames; `path` must have a directory. */
int webhook_file_write(const char *path, const char *text, struct error *error);
/* The JSON object in it; an empty one when there is no file; NULL with the error. */
json_t *webhook_file_read(const char *path, struct error *error);

#endif
