/* SPDX-License-Identifier: Apache-2.0 */
#include "key_file.h"

#include "alloc.h"
#include "bytes.h"

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

static int add_key(struct keys *keys, char *line, const char *path, int number, struct error *error)
{
    char *rest = NULL;
    const char *first = strtok_r(line, " \t\r\n", &rest);
    const char *second = strtok_r(NULL, " \t\r\n", &rest);

    if (!first || first[0] == '#')
        return 0;
    if (strlen(second ? second : first) < KEY_LEAST_CHARS || strtok_r(NULL, " \t\r\n", &rest))
        return error_set(error, -EINVAL, "%s:%d: expected \"NAME KEY\", the key at least %d characters", path,
                         number, KEY_LEAST_CHARS);
    keys->keys = reallocate(keys->keys, keys->count + 1, sizeof *keys->keys);
    keys->keys[keys->count++] = (struct api_key){.name = copy_text(second ? first : "local"),
                                                 .key = copy_text(second ? second : first)};
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
