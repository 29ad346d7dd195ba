/* SPDX-License-Identifier: Apache-2.0 */
/* Who is logged in: people with the cookie that they got for their password, and client certificates that
 * have been admitted. Of a cookie only the hash is kept. session_file.c brings them over a restart. */
#ifndef FLASHFARM_API_SESSION_H
#define FLASHFARM_API_SESSION_H

#include "roles.h"

#include <stdbool.h>
#include <stdint.h>

#define SESSION_HASH_BYTES 32
#define SESSION_TOKEN_MAX  44 /* 32 random bytes as base64url, and a zero */

struct session {
    unsigned char hash[SESSION_HASH_BYTES]; /* of the cookie, or of the certificate */
    char name[ROLE_NAME_MAX];
    bool certificate;
    unsigned roles; /* of a certificate; those of a user are asked at each use */
    uint64_t credential;
    int64_t expires_us; /* on the monotonic clock */
    int64_t arrival_us; /* its bucket */
};

struct sessions;
struct sessions *sessions_new(void);
void sessions_free(struct sessions *sessions);

/* Ends one when there are too many, to be called before one is added: the oldest of the same name when that
 * name has many, so that nobody can log the others out by logging in, else the oldest. Its credential, or 0.
 */
uint64_t sessions_make_room(struct sessions *sessions, const char *name);
/* Opens one and makes its cookie. The pointer is good until the next call that adds or ends. */
struct session *session_open(struct sessions *sessions, const char *name, uint64_t credential,
                             int64_t expires_us, char token[SESSION_TOKEN_MAX]);
struct session *session_admit(struct sessions *sessions, const unsigned char hash[SESSION_HASH_BYTES],
                              const char *name, uint64_t credential, int64_t expires_us);
/* NULL: there is none, or it has ended. */
struct session *session_of_token(struct sessions *sessions, const char *token, int64_t now_us);
struct session *session_of_hash(struct sessions *sessions, const unsigned char hash[SESSION_HASH_BYTES],
                                int64_t now_us);

const struct session *session_of_credential(const struct sessions *sessions, uint64_t credential);

/* The oldest first. */
void sessions_each(const struct sessions *sessions,
                   void (*each)(void *context, const struct session *session), void *context);

/* Ends those for which `which` is true; `ended` (may be NULL) hears of each. */
typedef bool session_test(const struct session *session, const void *context);
typedef void session_ended(void *context, uint64_t credential);
void sessions_end(struct sessions *sessions, session_test *which, const void *what, session_ended *ended,
                  void *context);

#endif
