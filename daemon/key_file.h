/* SPDX-License-Identifier: Apache-2.0 */
/* The API keys a daemon accepts: given in a file, or made by itself on first start.
 *
 * A key file has one key a line, "NAME KEY [ROLE,ROLE...]" or just "KEY" (then named "local"); without roles
 * it has all of them. Blank lines and lines that start with # are skipped. It must not be readable by others.
 */
#ifndef FLASHFARM_KEY_FILE_H
#define FLASHFARM_KEY_FILE_H

#include "api.h"
#include "result.h"

#include <stdint.h>

struct keys {
    struct api_key *keys;
    size_t count;
};

/* Reads the file; with `generate`, makes it first when it is missing: 256 random bits, mode 0640 so that the
 * group that may use the command line can read it. -EINVAL names the line. */
int keys_read(struct keys *keys, const char *path, bool generate, struct error *error);
void keys_clear(struct keys *keys);

/* The 32-byte seed of the key that signs the record's checkpoints, in memory that is neither swapped nor
 * dumped; sodium_free() it. Made when the file is missing (`made` tells), mode 0600; refused when anybody but
 * its owner can read it. */
int seed_read(uint8_t **seed, bool *made, const char *path, struct error *error);

#endif
