/* SPDX-License-Identifier: Apache-2.0 */
/* A request body on its way into a file of the farm's upload directory. Written piece by piece into the page
 * cache and never synced here: the farm makes durable what it keeps. */
#ifndef FLASHFARM_API_UPLOAD_H
#define FLASHFARM_API_UPLOAD_H

#include "http.h"

#define UPLOAD_MAX_BYTES (INT64_C(64) << 20)

/* These two answer with a problem when they cannot go on; upload_end() then returns false. */
void upload_begin(struct request *request);
bool upload_end(struct request *request);
void upload_write(struct request *request, const char *data, size_t size);
/* The file's name; whoever takes it removes the file. */
char *upload_take(struct request *request);
/* Closes and removes what was not taken. */
void upload_discard(struct request *request);

#endif
