/* SPDX-License-Identifier: Apache-2.0 */
/* What the files access*.c share, and nobody else: the tables of keys and users, and the one way in which
 * they change. */
#ifndef FLASHFARM_API_ACCESS_PARTS_H
#define FLASHFARM_API_ACCESS_PARTS_H

#include "access.h"
#include "context.h"
#include "limit.h"
#include "list.h"
#include "password.h"
#include "session.h"

#include <sodium.h>

#define KEY_ID_CHARS 10
#define KEYS_MAX     1000
#define USERS_MAX    1000

struct key {
    char id[KEY_ID_CHARS + 1]; /* empty: of the key file */
    char name[ROLE_NAME_MAX], by[ROLE_NAME_MAX];
    unsigned char hash[crypto_hash_sha256_BYTES];
    unsigned roles;
    bool local, revoked;
    bool ended;                              /* what hung on it when it expired has been cut off */
    int64_t created_us, expires_us, used_us; /* UTC; expires CLOCK_NEVER: it does not; used 0: never */
    uint64_t credential;
    int64_t arrival_us;
};

struct user {
    char name[ROLE_NAME_MAX], by[ROLE_NAME_MAX];
    char hash[crypto_pwhash_STRBYTES]; /* empty: he cannot log in with a password */
    unsigned roles;                    /* as the record has them */
    unsigned withheld;                 /* of these, taken away though that is not on the record yet */
    int64_t created_us;
    bool pending; /* not on the record yet: the name is taken, and that is all */
    bool leaving; /* his end is not on the record yet, but he is nobody already */
};
/* What he may now. */
unsigned user_roles(const struct user *user);

struct access {
    struct api *api;
    struct log log;
    char *path; /* NULL: kept in memory only */
    struct key **keys;
    struct user **users;
    size_t key_count, user_count;
    struct sessions *sessions;
    struct limits *limits;
    struct passwords *passwords;
    struct rate rate;
    int session_s, lock_out_ms;
    uint64_t last_credential;
    uv_timer_t timer;
    bool used;                         /* a last use is newer than the file */
    bool saving;                       /* in the pool */
    struct list recorded;              /* deeds that will be when the store is done */
    struct list unsaved;               /* deeds that wait to be in the file */
    struct list in_file;               /* deeds that will be when the pool is done */
    struct session_save *session_save; /* in the pool; NULL: none */
    bool sessions_changed;             /* since that one */
    struct list session_waits;         /* who goes, until the file says so */
};

struct key *key_add(struct access *access);
struct key *key_find(const struct access *access, const char *id);
struct user *user_add(struct access *access);
struct user *user_find(const struct access *access, const char *name);
void user_drop(struct access *access, const char *name);
/* Ends what hangs on a key or user that is no more, also streams that are being read. */
void credential_end(struct access *access, uint64_t credential);
void user_sessions_end(struct access *access, const char *name);

/* access_file.c */
json_t *key_describe(const struct key *key, int64_t now_us);
json_t *user_describe(const struct user *user);
int64_t utc_of_text(const char *text); /* microseconds; -1: no such time */
int access_load(struct access *access, struct error *error);
/* The whole file as text, which the caller frees; and onto the disk, durable. */
char *access_text(const struct access *access);
int access_write(const char *path, const char *text, struct error *error);

/* session_file.c */
void sessions_load(struct access *access);
/* To be called after every change of sessions; writes in the pool, soon. */
void sessions_save(struct access *access);
/* Calls back when the file says what is so now, or could not be written. */
void sessions_saved(struct access *access, void (*done)(void *context), void *context);
/* The access is about to be freed. */
void sessions_leave(struct access *access);

/* A change: on the record, then applied, then in the file, then answered. What takes something away is in the
 * file before as well: what the record says has ended must not come back with the next start. */
struct deed {
    struct list node;
    struct access *access;
    void (*apply)(struct deed *deed); /* it is on the record */
    void (*undo)(struct deed *deed);  /* it could not be recorded; may be NULL */
    access_answer *done;
    void *context;
    json_t *answer;
    struct error error;
    const char *kind; /* of the fact that follows when it is in the file, */
    json_t *body;     /* and its body; NULL: none */
    char name[ROLE_NAME_MAX], by[ROLE_NAME_MAX];
    struct key *key; /* not in the table yet */
    unsigned roles;
    char hash[crypto_pwhash_STRBYTES];
};
struct deed *deed_new(struct access *access, access_answer *done, void *context);
/* Takes both. */
void deed_begin(struct deed *deed, const char *kind, json_t *body);
void deed_begin_in_file(struct deed *deed, const char *kind, json_t *body);
void deed_refuse(struct deed *deed, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Whether a text can be the name of a user or a key. */
bool is_name(const char *text);

#endif
