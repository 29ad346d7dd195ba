/* SPDX-License-Identifier: Apache-2.0 */
#include "key_file.h"

#include "alloc.h"
#include "bytes.h"
#include "roles.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_BYTES       32
#define KEY_CHARS       (2 * (size_t)KEY_BYTES)
#define KEY_LEAST_CHARS 32 /* shorter ones are words that people think of */

static int generate_key(const char *path, struct error *error)
{
    uint8_t secret[KEY_BYTES];
    char line[KEY_CHARS + 2];
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    int status = 0;

    if (file < 0)
        return errno == EEXIST ? 0 : error_set_errno(error, errno, "cannot make the key file %s", path);
    randombytes_buf(secret, sizeof secret);
    bytes_to_hex(secret, sizeof secret, line);
    line[KEY_CHARS] = '\n';
    if (write(file, line, KEY_CHARS + 1) != (ssize_t)KEY_CHARS + 1 || fsync(file) < 0)
        status = error_set_errno(error, errno, "cannot write the key file %s", path);
    (void)close(file);
    if (status < 0)
        (void)unlink(path);
    return status;
}

/* It goes into the record and into JSON. */
static bool is_plain(const char *name)
{
    while (*name > 0x20 && *name < 0x7f)
        name++;
    return !*name;
}

static int add_key(struct keys *keys, char *line, const char *path, int number, struct error *error)
{
    char *rest = NULL;
    const char *first = strtok_r(line, " \t\r\n", &rest);
    const char *second = strtok_r(NULL, " \t\r\n", &rest);

    const char *third = second ? strtok_r(NULL, "\r\n", &rest) : NULL;
    unsigned roles = third ? roles_parse(third) : ROLES_ALL;

    if (!first || first[0] == '#')
        return 0;
    if (strlen(second ? second : first) < KEY_LEAST_CHARS ||
        (second && (strlen(first) >= ROLE_NAME_MAX || !is_plain(first))))
        return error_set(
            error, -EINVAL,
            "%s:%d: expected \"NAME KEY\", the name at most %d ASCII and the key at least %d characters",
            path, number, ROLE_NAME_MAX - 1, KEY_LEAST_CHARS);
    if (!roles)
        return error_set(
            error, -EINVAL,
            "%s:%d: '%s' after the key; expected roles with commas: operator, engineer, auditor, "
            "admin, mes",
            path, number, third);
    keys->keys = reallocate(keys->keys, keys->count + 1, sizeof *keys->keys);
    keys->keys[keys->count++] = (struct api_key){.name = copy_text(second ? first : "local"),
                                                 .key = copy_text(second ? second : first),
                                                 .roles = roles};
    return 0;
}

static int read_lines(struct keys *keys, FILE *file, const char *path, struct error *error)
{
    char *line = NULL;
    size_t size = 0;
    int status = 0;

    for (int number = 1; status == 0 && getline(&line, &size, file) >= 0; number++)
        status = add_key(keys, line, path, number, error);
    if (line)
        sodium_memzero(line, size);
    free(line);
    if (status == 0 && keys->count == 0)
        status = error_set(error, -EINVAL, "%s: holds no key", path);
    return status;
}

int keys_read(struct keys *keys, const char *path, bool generate, struct error *error)
{
    struct stat info;
    FILE *file;
    int status = generate ? generate_key(path, error) : 0;

    *keys = (struct keys){.count = 0};
    if (status < 0)
        return status;
    file = fopen(path, "re");
    if (!file || fstat(fileno(file), &info) < 0)
        status = error_set_errno(error, errno, "cannot read the key file %s", path);
    else if (info.st_mode & S_IRWXO)
        status =
            error_set(error, -EINVAL, "the key file %s can be read by everybody: chmod o= %s", path, path);
    else
        status = read_lines(keys, file, path, error);
    if (file)
        (void)fclose(file);
    if (status < 0)
        keys_clear(keys);
    return status;
}

/* A seed is made once and for all: whoever gets another one signs as another. */
static int make_seed(const char *path, bool *made, struct error *error)
{
    uint8_t seed[crypto_sign_SEEDBYTES];
    char text[2 * sizeof seed + 2];
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    int status = 0;

    *made = file >= 0;
    if (file < 0)
        return errno == EEXIST ? 0 : error_set_errno(error, errno, "cannot make the signing key %s", path);
    randombytes_buf(seed, sizeof seed);
    bytes_to_hex(seed, sizeof seed, text);
    text[sizeof text - 2] = '\n';
    if (write(file, text, sizeof text - 1) != (ssize_t)sizeof text - 1 || fsync(file) < 0)
        status = error_set_errno(error, errno, "cannot write the signing key %s", path);
    sodium_memzero(seed, sizeof seed);
    sodium_memzero(text, sizeof text);
    (void)close(file);
    if (status < 0)
        (void)unlink(path);
    return status;
}

static int read_seed(uint8_t *seed, const char *path, int file, struct error *error)
{
    char text[2 * crypto_sign_SEEDBYTES + 1];
    struct stat info;
    size_t length = 0;
    int status = 0;

    if (fstat(file, &info) < 0)
        status = error_set_errno(error, errno, "cannot read the signing key %s", path);
    else if (info.st_mode & (S_IRWXG | S_IRWXO))
        status =
            error_set(error, -EINVAL, "the signing key %s can be read by others: chmod 600 %s", path, path);
    else if (read(file, text, sizeof text) != (ssize_t)sizeof text || text[sizeof text - 1] != '\n' ||
             sodium_hex2bin(seed, crypto_sign_SEEDBYTES, text, sizeof text - 1, NULL, &length, NULL) ||
             length != crypto_sign_SEEDBYTES)
        status = error_set(error, -EINVAL, "%s: expected %d hexadecimal digits in a line", path,
                           2 * (int)crypto_sign_SEEDBYTES);
    sodium_memzero(text, sizeof text);
    return status;
}

int seed_read(uint8_t **seed, bool *made, const char *path, struct error *error)
{
    int status = make_seed(path, made, error);
    int file;

    *seed = NULL;
    if (status < 0)
        return status;
    file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (file < 0)
        return error_set_errno(error, errno, "cannot read the signing key %s", path);
    *seed = sodium_malloc(crypto_sign_SEEDBYTES);
    status =
        *seed ? read_seed(*seed, path, file, error) : error_set(error, -ENOMEM, "no memory for %s", path);
    (void)close(file);
    if (status < 0) {
        sodium_free(*seed);
        *seed = NULL;
    }
    return status;
}

void keys_clear(struct keys *keys)
{
    for (size_t i = 0; i < keys->count; i++) {
        char *secret = (char *)(uintptr_t)keys->keys[i].key; /* ours since copy_text() */

        sodium_memzero(secret, strlen(secret));
        free(secret);
        free((char *)(uintptr_t)keys->keys[i].name);
    }
    free(keys->keys);
    *keys = (struct keys){.count = 0};
}
