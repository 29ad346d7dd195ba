/* SPDX-License-Identifier: Apache-2.0 */
/* Who may call, and how he shows it: keys (of the key file, or made here), people with passwords, client
 * certificates. What is made here is kept in <state>/access.json; no secret is: of a key its SHA-256, of a
 * password its Argon2id hash. Every log-in and every change of keys and users is on the record before it is
 * answered. Which role may do what is not decided here (gate.c). */
#ifndef FLASHFARM_API_ACCESS_H
#define FLASHFARM_API_ACCESS_H

#include "api.h"
#include "result.h"
#include "roles.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct access;
struct tls_peer;

/* Reads <state>/access.json; `options` as given to api_start(). -EINVAL when it makes no sense or can be read
 * by others. `api` must have its loop, store, clock and log. */
int access_open(struct access **access, struct api *api, const struct api_options *options,
                struct error *error);
/* Nothing may be under way. Writes when which key was used last. The loop must run once more. */
void access_close(struct access *access);
/* Whether somebody who was made here may make others: a user with a password, or a key. */
bool access_has_admin(const struct access *access);

/* --- Who is it? --- */

struct caller {
    char name[ROLE_NAME_MAX];
    unsigned roles;
    const char *how; /* "key", "password", "certificate" */
    uint64_t credential;
    bool unlimited;
    bool unrecorded; /* a certificate whose log-in is not on the record yet: access_admit() first */
};
enum verdict {
    CALLER_KNOWN,
    CALLER_UNKNOWN,
    CALLER_EXPIRED,
    CALLER_NOT_LOCAL, /* the daemon's own key, from another host */
};

enum verdict access_by_key(struct access *access, const char *token, bool from_loopback,
                           struct caller *caller);
enum verdict access_by_session(struct access *access, const char *token, struct caller *caller);
void access_by_certificate(struct access *access, const struct tls_peer *peer, struct caller *caller);

/* Takes one of the requests that the caller, or an address without one, may make: 0, or how long to wait. */
int64_t access_rate_us(struct access *access, const struct caller *caller);
int64_t access_rate_of_address_us(struct access *access, const char *from);

/* The log-in of a certificate goes on the record; `done` once it is there. */
typedef void access_done(void *context, const struct error *error);
void access_admit(struct access *access, const struct tls_peer *peer, const char *from, access_done *done,
                  void *context);

/* --- Logging in --- */

enum login_result { LOGIN_GRANTED, LOGIN_REFUSED, LOGIN_LOCKED_OUT, LOGIN_BUSY, LOGIN_ERROR };
struct login {
    enum login_result result;
    int retry_s; /* LOCKED_OUT, BUSY */
    const char *token;
    json_t *who;               /* GRANTED: {name, roles, how, expires}; taken by the callee */
    const struct error *error; /* ERROR: it could not be recorded */
};
typedef void access_login_done(void *context, const struct login *login);
void access_login(struct access *access, const char *name, const char *password, const char *from,
                  access_login_done *done, void *context);
void access_logout(struct access *access, const char *name, uint64_t credential, access_done *done,
                   void *context);
int access_session_s(const struct access *access);
/* {name, roles, how, expires} */
json_t *access_who(const struct access *access, const struct caller *caller);

/* --- Keys and users. Answers are as the contract has them; -EINVAL, -ENOENT, -EEXIST, -EACCES, -EAGAIN (too
 * much at once) and those of the store. --- */

typedef void access_answer(void *context, json_t *answer, const struct error *error);
json_t *access_keys(const struct access *access);
json_t *access_users(const struct access *access);
void access_key_create(struct access *access, const json_t *order, const char *by, access_answer *answer,
                       void *context);
void access_key_revoke(struct access *access, const char *id, const char *by, access_answer *answer,
                       void *context);
void access_user_create(struct access *access, const json_t *order, const char *by, access_answer *answer,
                        void *context);
void access_user_change(struct access *access, const char *name, const json_t *order, const char *by,
                        access_answer *answer, void *context);
void access_user_remove(struct access *access, const char *name, const char *by, access_answer *answer,
                        void *context);
/* Everybody his own, knowing the old one; `by_admin`: of anybody, without. */
void access_user_password(struct access *access, const char *name, const json_t *order, const char *by,
                          bool by_admin, access_answer *answer, void *context);

#endif
