/* SPDX-License-Identifier: Apache-2.0 */
/* <state>/access.json: keys and users, without secrets. Nobody but the daemon may read it all the same. */
#include "access_parts.h"
#include "alloc.h"
#include "bytes.h"
#include "rfc3339.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FILE_MAX_BYTES (4 << 20)

int64_t utc_of_text(const char *text)
{
    char utc[28];
    struct tm parts = {.tm_year = 0};

    if (!rfc3339_to_utc(text, utc) || !strptime(utc, "%Y-%m-%dT%H:%M:%S", &parts))
        return -1;
    return (int64_t)timegm(&parts) * 1000000;
}

/* Seconds are enough for people. */
static json_t *time_or_null(int64_t utc_us)
{
    char text[28];

    if (utc_us == CLOCK_NEVER || !utc_us)
        return json_null();
    clock_format_utc(utc_us, text);
    memcpy(text + 19, "Z", 2);
    return json_string(text);
}

static const char *state_of(const struct key *key, int64_t now_us)
{
    if (key->revoked)
        return "revoked";
    return key->expires_us <= now_us ? "expired" : "active";
}

json_t *key_describe(const struct key *key, int64_t now_us)
{
    return json_pack("{s:s, s:s, s:o, s:o, s:s, s:o, s:o, s:s}", "id", key->id, "name", key->name, "roles",
                     roles_list(key->roles), "created", time_or_null(key->created_us), "by", key->by,
                     "expires", time_or_null(key->expires_us), "last_used", time_or_null(key->used_us),
                     "state", state_of(key, now_us));
}

json_t *user_describe(const struct user *user)
{
    return json_pack("{s:s, s:o, s:b, s:o, s:s}", "name", user->name, "roles", roles_list(user_roles(user)),
                     "password", user->hash[0] != '\0', "created", time_or_null(user->created_us), "by",
                     user->by);
}

/* --- Writing ------------------------------------------------------------------------------------------- */

static json_t *key_to_json(const struct key *key)
{
    char hash[2 * sizeof key->hash + 1];

    bytes_to_hex(key->hash, sizeof key->hash, hash);
    return json_pack("{s:s, s:s, s:o, s:s, s:o, s:s, s:o, s:o, s:b}", "id", key->id, "name", key->name,
                     "roles", roles_list(key->roles), "sha256", hash, "created",
                     time_or_null(key->created_us), "by", key->by, "expires", time_or_null(key->expires_us),
                     "last_used", time_or_null(key->used_us), "revoked", key->revoked);
}

static json_t *user_to_json(const struct user *user)
{
    return json_pack("{s:s, s:o, s:o, s:s, s:o}", "name", user->name, "roles", roles_list(user_roles(user)),
                     "created", time_or_null(user->created_us), "by", user->by, "argon2id",
                     user->hash[0] ? json_string(user->hash) : json_null());
}

char *access_text(const struct access *access)
{
    json_t *keys = json_array(), *users = json_array(), *file;
    char *text;

    for (size_t i = 0; i < access->key_count; i++)
        if (access->keys[i]->id[0])
            (void)json_array_append_new(keys, key_to_json(access->keys[i]));
    for (size_t i = 0; i < access->user_count; i++)
        if (!access->users[i]->pending && !access->users[i]->leaving)
            (void)json_array_append_new(users, user_to_json(access->users[i]));
    file = json_pack("{s:i, s:o, s:o}", "version", 1, "keys", keys, "users", users);
    text = json_dumps(file, JSON_INDENT(1));
    json_decref(file);
    return text;
}

static int write_all(int file, const char *text, size_t size)
{
    while (size) {
        ssize_t count = write(file, text, size);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return -errno;
        text += count;
        size -= (size_t)count;
    }
    return fsync(file) ? -errno : 0;
}

static int sync_directory_of(const char *path)
{
    char *copy = copy_text(path);
    int directory = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int status = directory < 0 || fsync(directory) ? -errno : 0;

    if (directory >= 0)
        (void)close(directory);
    free(copy);
    return status;
}

int access_write(const char *path, const char *text, struct error *error)
{
    char *new = format_text("%s.new", path);
    int file = open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    int status = file < 0 ? -errno : write_all(file, text, strlen(text));

    if (file >= 0 && close(file) && !status)
        status = -errno;
    if (!status && rename(new, path))
        status = -errno;
    if (!status)
        status = sync_directory_of(path);
    if (status)
        error_set_errno(error, -status, "cannot write %s", path);
    free(new);
    return status;
}

/* --- Reading ------------------------------------------------------------------------------------------- */

static bool take_name(char name[ROLE_NAME_MAX], const char *text)
{
    return strlen(text) < ROLE_NAME_MAX && snprintf(name, ROLE_NAME_MAX, "%s", text) >= 0;
}

static int64_t time_of(const json_t *value, int64_t missing)
{
    return json_is_string(value) ? utc_of_text(json_string_value(value)) : missing;
}

static bool load_key(struct access *access, json_t *item)
{
    const char *id, *name, *hash, *by;
    json_t *roles, *created, *expires, *used;
    struct key *key;
    int revoked;

    if (json_unpack(item, "{s:s, s:s, s:o, s:s, s:o, s:s, s:o, s:o, s:b !}", "id", &id, "name", &name,
                    "roles", &roles, "sha256", &hash, "created", &created, "by", &by, "expires", &expires,
                    "last_used", &used, "revoked", &revoked))
        return false;
    key = key_add(access);
    key->roles = roles_of_list(roles);
    key->revoked = revoked;
    key->created_us = time_of(created, 0);
    key->expires_us = time_of(expires, CLOCK_NEVER);
    key->used_us = time_of(used, 0);
    (void)snprintf(key->id, sizeof key->id, "%s", id);
    return key->roles && strlen(id) == KEY_ID_CHARS && take_name(key->name, name) && take_name(key->by, by) &&
           strlen(hash) == 2 * sizeof key->hash && bytes_from_hex(hash, key->hash, sizeof key->hash);
}

static bool load_user(struct access *access, json_t *item)
{
    const char *name, *by, *text;
    json_t *roles, *created, *hash;
    struct user *user;

    if (json_unpack(item, "{s:s, s:o, s:o, s:s, s:o !}", "name", &name, "roles", &roles, "created", &created,
                    "by", &by, "argon2id", &hash))
        return false;
    text = json_is_string(hash) ? json_string_value(hash) : "";
    user = user_add(access);
    user->roles = roles_of_list(roles);
    user->created_us = time_of(created, 0);
    /* None at all: they were taken away, and those that he gets instead are not on the record. */
    return (user->roles || (json_is_array(roles) && !json_array_size(roles))) &&
           take_name(user->name, name) && take_name(user->by, by) &&
           snprintf(user->hash, sizeof user->hash, "%s", text) < (int)sizeof user->hash;
}

static bool load_all(struct access *access, json_t *file)
{
    json_t *keys, *users, *item;
    int version;
    size_t i;

    if (json_unpack(file, "{s:i, s:o, s:o !}", "version", &version, "keys", &keys, "users", &users) ||
        version != 1 || !json_is_array(keys) || !json_is_array(users))
        return false;
    json_array_foreach (keys, i, item) {
        if (!load_key(access, item))
            return false;
    }
    json_array_foreach (users, i, item) {
        if (!load_user(access, item))
            return false;
    }
    return true;
}

static int load_file(struct access *access, FILE *file, struct error *error)
{
    struct stat info;
    json_error_t where = {.line = -1};
    json_t *content;
    bool good;

    if (fstat(fileno(file), &info) < 0 || !S_ISREG(info.st_mode) || info.st_size > FILE_MAX_BYTES)
        return error_set(error, -EINVAL, "%s is no file of keys and users", access->path);
    if (info.st_mode & (S_IRWXG | S_IRWXO))
        return error_set(error, -EINVAL, "%s can be read by others: chmod 600 %s", access->path,
                         access->path);
    content = json_loadf(file, JSON_REJECT_DUPLICATES, &where);
    good = content && load_all(access, content);
    json_decref(content);
    if (!good)
        return error_set(error, -EINVAL, "%s is damaged%s%s; put it back from a backup, or take it away",
                         access->path, content ? "" : ": ", content ? "" : where.text);
    return 0;
}

int access_load(struct access *access, struct error *error)
{
    int status;
    int descriptor = open(access->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    FILE *file = descriptor >= 0 ? fdopen(descriptor, "r") : NULL;

    if (!file && errno == ENOENT)
        return 0;
    if (!file)
        return error_set_errno(error, errno, "cannot read %s", access->path);
    status = load_file(access, file, error);
    (void)fclose(file);
    return status;
}
