/* SPDX-License-Identifier: Apache-2.0 */
/* Argon2id in libuv's pool, one at a time: each takes 64 MiB and some tens of milliseconds, which the loop
 * does not have, and the pool has other work too. Passwords are held in memory that is neither swapped nor
 * dumped, and wiped as soon as they have been used. */
#ifndef FLASHFARM_API_PASSWORD_H
#define FLASHFARM_API_PASSWORD_H

#include <sodium.h>
#include <stdbool.h>
#include <uv.h>

#define PASSWORD_LEAST 10
#define PASSWORD_MOST  128

struct passwords;
struct passwords *passwords_new(uv_loop_t *loop);
/* Nothing may be under way. */
void passwords_free(struct passwords *passwords);

/* `good`: it is the one of that hash; of passwords_hash(): it could be made. `hash` is valid during the call.
 */
typedef void password_done(void *context, bool good, const char *hash);
/* False: too many are waiting, and `done` will not be called. A NULL hash is that of nobody: it takes as long
 * and is never right. */
bool passwords_check(struct passwords *passwords, const char *password, const char *hash, password_done *done,
                     void *context);
bool passwords_hash(struct passwords *passwords, const char *password, password_done *done, void *context);

#endif
