/* SPDX-License-Identifier: Apache-2.0 */
/* Who holds which key. Only hashes are kept, and all are compared in constant time. */
#ifndef FLASHFARM_API_KEYS_H
#define FLASHFARM_API_KEYS_H

#include "api.h"

struct keys;

struct keys *keys_new(const struct api_key *keys, size_t count);
void keys_free(struct keys *keys);
/* The name of the key's holder; NULL: nobody has it. `token` may be NULL. */
const char *keys_find(const struct keys *keys, const char *token);

#endif
