/* SPDX-License-Identifier: Apache-2.0 */
/* Logging in and out. What is refused is on the record like what is granted; the name only when it is one of
 * ours, because what is typed into the wrong field is often a password. */
#include "access.h"

#include "access_parts.h"
#include "alloc.h"
#include "tls.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct attempt {
    struct access *access;
    char name[ROLE_NAME_MAX], from[48];
    char hash[crypto_pwhash_STRBYTES]; /* that his password fits */
    bool known;
    enum login_result result;
    int retry_s;
    access_login_done *done;
    void *context;
};

static void attempt_end(struct attempt *attempt, const struct login *login)
{
    attempt->done(attempt->context, login);
    sodium_memzero(attempt->hash, sizeof attempt->hash);
    free(attempt);
}

/* Doors are of names and of addresses; one name at many addresses and many names at one are both slowed down.
 */
static void door_names(const struct attempt *attempt, char of_name[80], char of_address[80])
{
    (void)snprintf(of_name, 80, "name %s", attempt->name);
    (void)snprintf(of_address, 80, "address %s", attempt->from);
}

static json_t *expires_of(const struct access *access, const struct session *session)
{
    const struct clock *clock = access->api->clock;
    char text[28];

    clock_format_utc(clock_utc_us(clock) + session->expires_us - clock_monotonic_us(clock), text);
    memcpy(text + 19, "Z", 2);
    return json_string(text);
}

json_t *access_who(const struct access *access, const struct caller *caller)
{
    const struct session *session = session_of_credential(access->sessions, caller->credential);

    return json_pack("{s:s, s:o, s:s, s:o}", "name", caller->name, "roles", roles_list(caller->roles), "how",
                     caller->how, "expires", session ? expires_of(access, session) : json_null());
}

/* One more session of this name will be there. */
static void make_room(struct access *access, const char *name)
{
    uint64_t ended = sessions_make_room(access->sessions, name);

    if (ended)
        credential_end(access, ended);
}

static void grant(struct attempt *attempt)
{
    struct access *access = attempt->access;
    const struct user *user = user_find(access, attempt->name);
    int64_t expires_us = clock_monotonic_us(access->api->clock) + access->session_s * INT64_C(1000000);
    char token[SESSION_TOKEN_MAX];
    const struct session *session;

    /* Removed, or with another password, while this one was being checked. */
    if (!user || user->leaving || strcmp(user->hash, attempt->hash) != 0) {
        attempt_end(attempt, &(struct login){.result = LOGIN_REFUSED});
        return;
    }
    make_room(access, user->name);
    session = session_open(access->sessions, user->name, ++access->last_credential, expires_us, token);
    sessions_save(access);
    attempt_end(attempt, &(struct login){.result = LOGIN_GRANTED,
                                         .token = token,
                                         .who = json_pack("{s:s, s:o, s:s, s:o}", "name", user->name, "roles",
                                                          roles_list(user_roles(user)), "how", "password",
                                                          "expires", expires_of(access, session))});
    sodium_memzero(token, sizeof token);
}

static void on_recorded(void *context, int status, const struct error *error)
{
    struct attempt *attempt = context;

    if (status < 0)
        attempt_end(attempt, &(struct login){.result = LOGIN_ERROR, .error = error});
    else if (attempt->result == LOGIN_GRANTED)
        grant(attempt);
    else
        attempt_end(attempt, &(struct login){.result = attempt->result, .retry_s = attempt->retry_s});
}

static json_t *login_body(const char *name, unsigned roles, const char *how, const char *from,
                          const char *result)
{
    return json_pack("{s:s, s:o, s:s, s:s, s:s}", "name", name, "roles", roles_list(roles), "how", how,
                     "from", from, "result", result);
}

static void record(struct attempt *attempt, enum login_result result)
{
    static const char *const words[] = {
        [LOGIN_GRANTED] = "granted", [LOGIN_REFUSED] = "refused", [LOGIN_LOCKED_OUT] = "locked-out"};
    const struct user *user = user_find(attempt->access, attempt->name);
    unsigned roles = user && result == LOGIN_GRANTED ? user_roles(user) : 0;
    const struct store_fact fact = {
        .kind = "access.login",
        .body = login_body(user ? user->name : "", roles, "password", attempt->from, words[result])};

    attempt->result = result;
    store_append(attempt->access->api->store, &fact, 1, on_recorded, attempt);
}

static void on_checked(void *context, bool good, const char *hash)
{
    struct attempt *attempt = context;
    char of_name[80], of_address[80];

    if (good && attempt->known) {
        (void)snprintf(attempt->hash, sizeof attempt->hash, "%s", hash);
        door_names(attempt, of_name, of_address);
        lock_out_clear(attempt->access->limits, of_name);
        lock_out_clear(attempt->access->limits, of_address);
    }
    record(attempt, good && attempt->known ? LOGIN_GRANTED : LOGIN_REFUSED);
}

/* True when the door is closed, which is answered then; told to the record once per closing. */
static bool is_locked_out(struct attempt *attempt)
{
    struct limits *limits = attempt->access->limits;
    int64_t now_us = clock_monotonic_us(attempt->access->api->clock);
    char of_name[80], of_address[80];
    bool first_name, first_address;
    int64_t name_us, address_us, left_us;

    door_names(attempt, of_name, of_address);
    name_us = lock_out_left_us(limits, of_name, now_us, &first_name);
    address_us = lock_out_left_us(limits, of_address, now_us, &first_address);
    left_us = name_us > address_us ? name_us : address_us;
    if (!left_us) {
        int64_t lock_us = attempt->access->lock_out_ms * INT64_C(1000);

        lock_out_try(limits, of_name, now_us, lock_us);
        lock_out_try(limits, of_address, now_us, lock_us);
        return false;
    }
    attempt->retry_s = (int)((left_us + 999999) / 1000000);
    if (first_name || first_address)
        record(attempt, LOGIN_LOCKED_OUT);
    else
        attempt_end(attempt, &(struct login){.result = LOGIN_LOCKED_OUT, .retry_s = attempt->retry_s});
    return true;
}

void access_login(struct access *access, const char *name, const char *password, const char *from,
                  access_login_done *done, void *context)
{
    struct attempt *attempt = allocate(1, sizeof *attempt);
    const struct user *user = user_find(access, name);
    bool has_password = user && !user->pending && !user->leaving && user->hash[0];

    attempt->access = access;
    attempt->done = done;
    attempt->context = context;
    attempt->known = has_password;
    (void)snprintf(attempt->name, sizeof attempt->name, "%s", name);
    (void)snprintf(attempt->from, sizeof attempt->from, "%s", from);
    if (is_locked_out(attempt))
        return;
    if (!passwords_check(access->passwords, password, has_password ? user->hash : NULL, on_checked, attempt))
        attempt_end(attempt, &(struct login){.result = LOGIN_BUSY, .retry_s = 1});
}

/* --- Certificates, and going ---------------------------------------------------------------------------- */

struct going {
    struct access *access;
    unsigned char hash[SESSION_HASH_BYTES]; /* of the certificate that comes */
    char name[ROLE_NAME_MAX];
    uint64_t credential; /* of who goes; 0: he comes */
    access_done *done;
    void *context;
};

static bool is_credential(const struct session *session, const void *credential)
{
    return session->credential == *(const uint64_t *)credential;
}

/* A session that somebody has ended must not come back with the next start. */
static void on_gone(void *context)
{
    struct going *going = context;

    going->done(going->context, NULL);
    free(going);
}

static void on_going_recorded(void *context, int status, const struct error *error)
{
    struct going *going = context;
    struct access *access = going->access;
    int64_t now_us = clock_monotonic_us(access->api->clock);

    if (status == 0 && !going->credential && !session_of_hash(access->sessions, going->hash, now_us)) {
        make_room(access, going->name);
        session_admit(access->sessions, going->hash, going->name, ++access->last_credential,
                      now_us + access->session_s * INT64_C(1000000))
            ->certificate = true;
    }
    if (status == 0 && going->credential) {
        sessions_saved(access, on_gone, going);
        return;
    }
    going->done(going->context, status < 0 ? error : NULL);
    free(going);
}

static void go(struct access *access, const struct going *going, const char *kind, json_t *body)
{
    const struct store_fact fact = {.kind = kind, .body = body};
    struct going *copy = allocate(1, sizeof *copy);

    *copy = *going;
    copy->access = access;
    store_append(access->api->store, &fact, 1, on_going_recorded, copy);
}

void access_admit(struct access *access, const struct tls_peer *peer, const char *from, access_done *done,
                  void *context)
{
    struct going going = {.done = done, .context = context};
    struct caller caller;

    access_by_certificate(access, peer, &caller);
    memcpy(going.hash, peer->hash, sizeof going.hash);
    (void)snprintf(going.name, sizeof going.name, "%s", peer->name);
    go(access, &going, "access.login", login_body(peer->name, caller.roles, "certificate", from, "granted"));
}

/* The session ends at once, whatever the record says to it. */
void access_logout(struct access *access, const char *name, uint64_t credential, access_done *done,
                   void *context)
{
    const struct going going = {.credential = credential, .done = done, .context = context};

    sessions_end(access->sessions, is_credential, &credential, NULL, NULL);
    sessions_save(access);
    go(access, &going, "access.logout", json_pack("{s:s}", "name", name));
    credential_end(access, credential);
}
