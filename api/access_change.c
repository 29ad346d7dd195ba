/* SPDX-License-Identifier: Apache-2.0 */
/* Keys and users as the interface lets administrators make, change and remove them. */
#include "access.h"

#include "access_parts.h"
#include "alloc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int64_t utc(const struct access *access)
{
    return clock_utc_us(access->api->clock);
}

/* {"items": [...], "next": null} */
static json_t *list_of(json_t *items)
{
    return json_pack("{s:o, s:n}", "items", items, "next");
}

json_t *access_keys(const struct access *access)
{
    json_t *items = json_array();

    for (size_t i = access->key_count; i-- > 0;)
        if (access->keys[i]->id[0])
            (void)json_array_append_new(items, key_describe(access->keys[i], utc(access)));
    return list_of(items);
}

json_t *access_users(const struct access *access)
{
    json_t *items = json_array();

    for (size_t i = 0; i < access->user_count; i++)
        if (!access->users[i]->pending && !access->users[i]->leaving)
            (void)json_array_append_new(items, user_describe(access->users[i]));
    return list_of(items);
}

/* Of a key that will be one when it is on the record. */
static bool is_name_of_new_key(struct access *access, const char *name)
{
    LIST_EACH (node, &access->recorded) {
        const struct deed *deed = LIST_ENTRY(node, struct deed, node);

        if (deed->key && !strcmp(deed->key->name, name))
            return true;
    }
    return false;
}

/* Who asks must be able to tell whose name it is on the record: a name is a user's or a key's, not both. */
static bool is_name_of_key(struct access *access, const char *name)
{
    if (is_name_of_new_key(access, name))
        return true;
    for (size_t i = 0; i < access->key_count; i++)
        if (!strcmp(access->keys[i]->name, name) && !access->keys[i]->revoked)
            return true;
    return false;
}

/* A key may be followed by one of the same name, but only where the one before can be revoked here. */
static bool is_name_of_given_key(const struct access *access, const char *name)
{
    for (size_t i = 0; i < access->key_count; i++)
        if (!access->keys[i]->id[0] && !strcmp(access->keys[i]->name, name))
            return true;
    return false;
}

/* Members that an order has and nobody knows are mistakes. */
static const char *unknown_member(const json_t *order, const char *known)
{
    const char *name;
    json_t *value;

    /* The iteration does not change it; jansson has one signature for both. */
    json_object_foreach ((json_t *)(uintptr_t)order, name, value) {
        if (!is_word_of(name, known))
            return name;
    }
    return NULL;
}

static bool read_order(struct deed *deed, const json_t *order, const char *known)
{
    const char *unknown = unknown_member(order, known);
    const json_t *roles = json_object_get(order, "roles");

    if (unknown) {
        deed_refuse(deed, -EINVAL, "'%s' is no member; expected some of: %s", unknown, known);
        return false;
    }
    deed->roles = roles_of_list(roles);
    if (is_word_of("roles", known) && !deed->roles) {
        deed_refuse(deed, -EINVAL,
                    "roles must be a list of operator, engineer, auditor, admin, mes; at least one");
        return false;
    }
    return true;
}

static bool read_name(struct deed *deed, const json_t *order)
{
    const char *name = json_string_value(json_object_get(order, "name"));

    if (!name || !is_name(name)) {
        deed_refuse(deed, -EINVAL, "name must have 1 to 31 of A-Z a-z 0-9 . _ - @");
        return false;
    }
    (void)snprintf(deed->name, sizeof deed->name, "%s", name);
    return true;
}

static struct deed *new_deed(struct access *access, const char *by, access_answer *answer, void *context)
{
    struct deed *deed = deed_new(access, answer, context);

    (void)snprintf(deed->by, sizeof deed->by, "%s", by);
    return deed;
}

/* --- Keys ---------------------------------------------------------------------------------------------- */

static json_t *key_fact(const struct key *key, const char *action, const char *by)
{
    char expires[28];
    json_t *body = json_pack("{s:s, s:s, s:o, s:s, s:s}", "id", key->id, "name", key->name, "roles",
                             roles_list(key->roles), "action", action, "by", by);

    if (key->expires_us != CLOCK_NEVER)
        clock_format_utc(key->expires_us, expires);
    (void)json_object_set_new(body, "expires",
                              key->expires_us == CLOCK_NEVER ? json_null() : json_string(expires));
    return body;
}

/* "ff_ID_SECRET": the id is no secret and tells in lists and logs of others which key it was. */
static void make_secret(struct key *key, char text[80])
{
    static const char letters[] = "abcdefghijkmnpqrstuvwxyz23456789";
    unsigned char secret[32];
    char encoded[SESSION_TOKEN_MAX];

    for (size_t i = 0; i < KEY_ID_CHARS; i++)
        key->id[i] = letters[randombytes_uniform(sizeof letters - 1)];
    randombytes_buf(secret, sizeof secret);
    (void)sodium_bin2base64(encoded, sizeof encoded, secret, sizeof secret,
                            sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    (void)snprintf(text, 80, "ff_%s_%s", key->id, encoded);
    (void)crypto_hash_sha256(key->hash, (const unsigned char *)text, strlen(text));
    sodium_memzero(secret, sizeof secret);
    sodium_memzero(encoded, sizeof encoded);
}

static void apply_key(struct deed *deed)
{
    struct access *access = deed->access;
    struct key *key = key_add(access);
    uint64_t credential = key->credential;

    *key = *deed->key;
    key->credential = credential;
    free(deed->key);
    deed->key = NULL;
}

static void undo_key(struct deed *deed)
{
    free(deed->key);
    deed->key = NULL;
}

static bool read_expiry(struct deed *deed, const json_t *order, struct key *key)
{
    const json_t *expires = json_object_get(order, "expires");

    key->expires_us = CLOCK_NEVER;
    if (!expires || json_is_null(expires))
        return true;
    key->expires_us = json_is_string(expires) ? utc_of_text(json_string_value(expires)) : -1;
    return key->expires_us > utc(deed->access);
}

void access_key_create(struct access *access, const json_t *order, const char *by, access_answer *answer,
                       void *context)
{
    struct deed *deed = new_deed(access, by, answer, context);
    struct key key = {.id = ""};
    char secret[80];

    if (!read_order(deed, order, "name roles expires") || !read_name(deed, order))
        return;
    if (!read_expiry(deed, order, &key)) {
        deed_refuse(deed, -EINVAL, "expires must be a time to come, as 2030-01-31T00:00:00Z");
        return;
    }
    if (user_find(access, deed->name)) {
        deed_refuse(deed, -EEXIST, "%s is a user; the record must tell them apart", deed->name);
        return;
    }
    if (is_name_of_given_key(access, deed->name)) {
        deed_refuse(deed, -EEXIST, "%s is a key of the key file; the record must tell them apart",
                    deed->name);
        return;
    }
    memcpy(key.name, deed->name, sizeof key.name);
    memcpy(key.by, deed->by, sizeof key.by);
    key.roles = deed->roles;
    key.created_us = utc(access);
    make_secret(&key, secret);
    deed->key = allocate(1, sizeof key);
    *deed->key = key;
    deed->apply = apply_key;
    deed->undo = undo_key;
    deed->answer = key_describe(&key, key.created_us);
    (void)json_object_set_new(deed->answer, "key", json_string(secret));
    sodium_memzero(secret, sizeof secret);
    deed_begin(deed, "access.key", key_fact(&key, "created", by));
}

static void apply_nothing(struct deed *deed)
{
    (void)deed;
}

/* At once for whoever uses it; if it cannot be recorded, it stays revoked, and that is said. */
void access_key_revoke(struct access *access, const char *id, const char *by, access_answer *answer,
                       void *context)
{
    struct deed *deed = new_deed(access, by, answer, context);
    struct key *key = key_find(access, id);

    if (!key) {
        deed_refuse(deed, -ENOENT, "there is no key with the id '%s'", id);
        return;
    }
    key->revoked = true;
    credential_end(access, key->credential);
    deed->apply = apply_nothing;
    deed->answer = key_describe(key, utc(access));
    deed_begin_in_file(deed, "access.key", key_fact(key, "revoked", by));
}

/* --- Users --------------------------------------------------------------------------------------------- */

static json_t *user_fact(const char *name, unsigned roles, const char *action, const char *by)
{
    return json_pack("{s:s, s:o, s:s, s:s}", "name", name, "roles", roles_list(roles), "action", action, "by",
                     by);
}

static bool is_good_password(struct deed *deed, const char *password)
{
    if (password && strlen(password) >= PASSWORD_LEAST && strlen(password) <= PASSWORD_MOST &&
        strcmp(password, deed->name) != 0)
        return true;
    deed_refuse(deed, -EINVAL, "the password must have %d to %d bytes and not be the name", PASSWORD_LEAST,
                PASSWORD_MOST);
    return false;
}

static void apply_user(struct deed *deed)
{
    struct user *user = user_find(deed->access, deed->name);

    if (!user)
        return;
    user->pending = false;
    deed->answer = user_describe(user);
}

static void undo_user(struct deed *deed)
{
    user_drop(deed->access, deed->name);
}

static void record_user(struct deed *deed)
{
    deed_begin(deed, "access.user", user_fact(deed->name, deed->roles, "created", deed->by));
}

static void refuse_busy(struct deed *deed)
{
    deed_refuse(deed, -EAGAIN, "too many passwords are being worked on; try again in a second");
}

static void on_first_password(void *context, bool good, const char *hash)
{
    struct deed *deed = context;
    struct user *user = user_find(deed->access, deed->name);

    if (!good || !user) {
        undo_user(deed);
        deed_refuse(deed, -ENOMEM, "the password could not be hashed");
        return;
    }
    (void)snprintf(user->hash, sizeof user->hash, "%s", hash);
    record_user(deed);
}

void access_user_create(struct access *access, const json_t *order, const char *by, access_answer *answer,
                        void *context)
{
    struct deed *deed = new_deed(access, by, answer, context);
    const json_t *value = json_object_get(order, "password");
    const char *password = json_string_value(value);
    struct user *user;

    if (!read_order(deed, order, "name roles password") || !read_name(deed, order))
        return;
    if (value && !is_good_password(deed, password))
        return;
    if (user_find(access, deed->name) || is_name_of_key(access, deed->name) ||
        access->user_count >= USERS_MAX) {
        deed_refuse(deed, -EEXIST, "%s is a user or a key already, or there are too many", deed->name);
        return;
    }
    user = user_add(access);
    memcpy(user->name, deed->name, sizeof user->name);
    memcpy(user->by, deed->by, sizeof user->by);
    user->roles = deed->roles;
    user->created_us = utc(access);
    user->pending = true;
    deed->apply = apply_user;
    deed->undo = undo_user;
    if (!password)
        record_user(deed);
    else if (!passwords_hash(access->passwords, password, on_first_password, deed)) {
        undo_user(deed);
        refuse_busy(deed);
    }
}

static void apply_removal(struct deed *deed)
{
    user_drop(deed->access, deed->name);
}

/* Who is leaving can only be removed once more, when that could not be recorded. */
static struct user *known_user(struct deed *deed, const char *name)
{
    struct user *user = user_find(deed->access, name);

    if (!user || user->pending || (user->leaving && deed->apply != apply_removal)) {
        deed_refuse(deed, -ENOENT, "there is no user '%s'", name);
        return NULL;
    }
    (void)snprintf(deed->name, sizeof deed->name, "%s", name);
    return user;
}

static void apply_roles(struct deed *deed)
{
    struct user *user = user_find(deed->access, deed->name);

    if (!user)
        return;
    user->roles = deed->roles;
    user->withheld = 0;
    deed->answer = user_describe(user);
}

void access_user_change(struct access *access, const char *name, const json_t *order, const char *by,
                        access_answer *answer, void *context)
{
    struct deed *deed = new_deed(access, by, answer, context);
    struct user *user = known_user(deed, name);

    if (!user || !read_order(deed, order, "roles"))
        return;
    user->withheld |= user->roles & ~deed->roles; /* what is taken away is taken away at once */
    deed->apply = apply_roles;
    deed_begin_in_file(deed, "access.user", user_fact(name, deed->roles, "changed", by));
}

void access_user_remove(struct access *access, const char *name, const char *by, access_answer *answer,
                        void *context)
{
    struct deed *deed = new_deed(access, by, answer, context);
    struct user *user;

    deed->apply = apply_removal;
    user = known_user(deed, name);
    if (!user)
        return;
    /* The name is not free before his end is on the record. */
    deed->roles = user->roles;
    user->leaving = true;
    user_sessions_end(access, name);
    deed->answer = json_object();
    deed_begin_in_file(deed, "access.user", user_fact(name, deed->roles, "removed", by));
}

static void apply_password(struct deed *deed)
{
    struct user *user = user_find(deed->access, deed->name);

    if (!user)
        return;
    memcpy(user->hash, deed->hash, sizeof user->hash);
    user_sessions_end(deed->access, deed->name);
    deed->answer = user_describe(user);
}

static void on_new_password(void *context, bool good, const char *hash)
{
    struct deed *deed = context;
    const struct user *user = user_find(deed->access, deed->name);

    if (!good || !user) {
        deed_refuse(deed, user ? -ENOMEM : -ENOENT, "the password could not be changed");
        return;
    }
    (void)snprintf(deed->hash, sizeof deed->hash, "%s", hash);
    deed->apply = apply_password;
    deed_begin(deed, "access.user", user_fact(deed->name, user->roles, "password", deed->by));
}

/* Of a deed that waits for the old password to be found right. */
struct change {
    struct deed *deed;
    char *password; /* sodium_malloc() */
};

static void on_old_password(void *context, bool good, const char *hash)
{
    struct change *change = context;
    struct deed *deed = change->deed;
    char door[80];

    (void)hash;
    (void)snprintf(door, sizeof door, "name %s", deed->name);
    if (good)
        lock_out_clear(deed->access->limits, door);
    if (!good)
        deed_refuse(deed, -EACCES, "the old password is not right");
    else if (!passwords_hash(deed->access->passwords, change->password, on_new_password, deed))
        refuse_busy(deed);
    sodium_free(change->password);
    free(change);
}

static void check_old_password(struct deed *deed, const struct user *user, const char *old,
                               const char *password)
{
    struct access *access = deed->access;
    int64_t now_us = clock_monotonic_us(access->api->clock);
    size_t size = strlen(password) + 1;
    struct change *change;
    char door[80];
    bool first;

    (void)snprintf(door, sizeof door, "name %s", deed->name);
    if (lock_out_left_us(access->limits, door, now_us, &first)) {
        deed_refuse(deed, -EAGAIN, "too many wrong passwords; try again later");
        return;
    }
    lock_out_try(access->limits, door, now_us, access->lock_out_ms * INT64_C(1000));
    change = allocate(1, sizeof *change);
    *change = (struct change){.deed = deed, .password = sodium_malloc(size)};
    if (change->password)
        memcpy(change->password, password, size);
    if (change->password &&
        passwords_check(access->passwords, old, user->hash[0] ? user->hash : NULL, on_old_password, change))
        return;
    sodium_free(change->password);
    free(change);
    refuse_busy(deed);
}

void access_user_password(struct access *access, const char *name, const json_t *order, const char *by,
                          bool by_admin, access_answer *answer, void *context)
{
    struct deed *deed = new_deed(access, by, answer, context);
    const struct user *user = known_user(deed, name);
    const char *old = json_string_value(json_object_get(order, "old"));
    const char *password = json_string_value(json_object_get(order, "password"));

    if (!user || !read_order(deed, order, "password old") || !is_good_password(deed, password))
        return;
    if (!by_admin && !old)
        deed_refuse(deed, -EINVAL, "old is missing: who changes his own password must know it");
    else if (!by_admin)
        check_old_password(deed, user, old, password);
    else if (!passwords_hash(access->passwords, password, on_new_password, deed))
        refuse_busy(deed);
}
