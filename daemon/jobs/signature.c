/* SPDX-License-Identifier: Apache-2.0 */
/* Detached signatures after the format that minisign's page describes: four lines, of which the second is
 * base64 of algorithm (2 bytes), key id (8) and signature (64), the third a comment that is signed too, and
 * the fourth base64 of the signature over the first signature and that comment. "Ed" signs the file itself,
 * "ED" its BLAKE2b-512. Public keys of that form, and Ed25519 keys as RFC 8410 puts them into PEM. */
#include "signature.h"

#include "alloc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_ID_SIZE    8
#define KEY_SIZE       (2 + KEY_ID_SIZE + crypto_sign_PUBLICKEYBYTES)
#define SIGNATURE_SIZE (2 + KEY_ID_SIZE + crypto_sign_BYTES)
#define KEY_FILE_MAX   2048

/* One line of a text that is read from its start on. */
struct line {
    const char *text;
    size_t size;
};

struct lines {
    const char *rest;
    size_t left;
};

/* Takes the next line without its end; false at the end of the text. */
static bool next_line(struct lines *lines, struct line *line)
{
    const char *end = lines->left ? memchr(lines->rest, '\n', lines->left) : NULL;
    size_t size = end ? (size_t)(end - lines->rest) : lines->left;

    if (lines->left == 0)
        return false;
    *line = (struct line){.text = lines->rest, .size = size};
    lines->rest += size + (end != NULL);
    lines->left -= size + (end != NULL);
    if (line->size && line->text[line->size - 1] == '\r')
        line->size--;
    return true;
}

static bool begins_with(const struct line *line, const char *prefix)
{
    size_t size = strlen(prefix);

    return line->size >= size && memcmp(line->text, prefix, size) == 0;
}

/* Base64 of exactly `size` bytes, at most those of a signature, and canonical: no other text gives the same
 * bytes. The decoder alone takes some bytes above 127 for digits, so what it made is encoded again. */
static bool decode(const struct line *line, uint8_t *bytes, size_t size)
{
    char again[sodium_base64_ENCODED_LEN(SIGNATURE_SIZE, sodium_base64_VARIANT_ORIGINAL)];
    size_t got = 0;

    if (sodium_base642bin(bytes, size, line->text, line->size, NULL, &got, NULL,
                          sodium_base64_VARIANT_ORIGINAL) != 0 ||
        got != size)
        return false;
    (void)sodium_bin2base64(again, sizeof again, bytes, size, sodium_base64_VARIANT_ORIGINAL);
    return strlen(again) == line->size && memcmp(again, line->text, line->size) == 0;
}

/* minisign shows the id as a number whose lowest byte comes first. */
static void write_key_id(const uint8_t *bytes, char text[KEY_ID_TEXT_MAX])
{
    for (size_t i = 0; i < KEY_ID_SIZE; i++)
        (void)snprintf(text + 2 * i, 3, "%02X", bytes[KEY_ID_SIZE - 1 - i]);
}

/* --- keys --------------------------------------------------------------------------------- */

static bool read_minisign_key(struct lines lines, struct trusted_key *key)
{
    uint8_t bytes[KEY_SIZE];
    struct line line;

    if (!next_line(&lines, &line))
        return false;
    if (begins_with(&line, "untrusted comment:") && !next_line(&lines, &line))
        return false;
    if (!decode(&line, bytes, sizeof bytes) || bytes[0] != 'E' || bytes[1] != 'd' || lines.left)
        return false;
    write_key_id(bytes + 2, key->id);
    memcpy(key->public_key, bytes + 2 + KEY_ID_SIZE, sizeof key->public_key);
    return true;
}

static bool read_pem_key(struct lines lines, struct trusted_key *key)
{
    /* SEQUENCE { SEQUENCE { OID 1.3.101.112 } BIT STRING of 32 bytes }: RFC 8410, section 4 */
    static const uint8_t head[] = {0x30, 0x2A, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x03, 0x21, 0x00};
    uint8_t bytes[sizeof head + crypto_sign_PUBLICKEYBYTES];
    struct line line;

    if (!next_line(&lines, &line) || !begins_with(&line, "-----BEGIN PUBLIC KEY-----"))
        return false;
    if (!next_line(&lines, &line) || !decode(&line, bytes, sizeof bytes) ||
        memcmp(bytes, head, sizeof head) != 0)
        return false;
    if (!next_line(&lines, &line) || !begins_with(&line, "-----END PUBLIC KEY-----") || lines.left)
        return false;
    memcpy(key->public_key, bytes + sizeof head, sizeof key->public_key);
    return true;
}

/* Reads a small regular file whole; the size, or the error. */
static ssize_t read_small_file(int directory, const char *name, char *text, size_t most, struct error *error)
{
    struct stat info;
    int file = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t size = -1;

    if (file < 0 || fstat(file, &info) < 0)
        (void)error_set_errno(error, errno, "trusted key %s cannot be read", name);
    else if (!S_ISREG(info.st_mode) || info.st_size > (off_t)most)
        (void)error_set(error, -EINVAL, "trusted key %s: expected a file of at most %zu bytes", name, most);
    else if ((size = read(file, text, most)) < 0)
        (void)error_set_errno(error, errno, "trusted key %s could be opened, but not read", name);
    if (file >= 0)
        (void)close(file);
    return size < 0 ? error->code : size;
}

static int read_key(int directory, const char *file_name, struct trusted_key *key, struct error *error)
{
    char text[KEY_FILE_MAX];
    size_t stem = strlen(file_name) - strlen(".pub");
    ssize_t size = read_small_file(directory, file_name, text, sizeof text, error);
    struct lines lines = {.rest = text, .left = size > 0 ? (size_t)size : 0};

    if (size < 0)
        return error->code;
    if (stem >= sizeof key->name)
        return error_set(error, -EINVAL, "trusted key %s: its name has more than %zu bytes", file_name,
                         sizeof key->name - 1);
    *key = (struct trusted_key){.id = ""};
    memcpy(key->name, file_name, stem);
    if (!read_minisign_key(lines, key) && !read_pem_key(lines, key))
        return error_set(error, -EINVAL,
                         "trusted key %s: expected a minisign public key or an Ed25519 key in PEM (BEGIN "
                         "PUBLIC KEY)",
                         file_name);
    return 0;
}

/* The same id with another key would leave open who has signed. */
static int check_unique(const struct trusted_keys *keys, struct error *error)
{
    const struct trusted_key *last = &keys->keys[keys->count - 1];

    for (size_t i = 0; i + 1 < keys->count; i++)
        if (last->id[0] && strcmp(keys->keys[i].id, last->id) == 0)
            return error_set(error, -EINVAL, "trusted keys %s.pub and %s.pub have the same id %s",
                             keys->keys[i].name, last->name, last->id);
    return 0;
}

static int is_key_file(const struct dirent *entry)
{
    size_t size = strlen(entry->d_name);

    return entry->d_name[0] != '.' && size > 4 && strcmp(entry->d_name + size - 4, ".pub") == 0;
}

int trusted_keys_read(struct trusted_keys *keys, const char *directory, struct error *error)
{
    struct dirent **entries = NULL;
    int folder = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int count = folder < 0 ? -1 : scandirat(folder, ".", &entries, is_key_file, alphasort);
    int status = 0;

    *keys = (struct trusted_keys){.count = 0};
    if (count < 0)
        status = error_set_errno(error, errno, "the directory of trusted keys %s cannot be read", directory);
    if (count > 0)
        keys->keys = allocate((size_t)count, sizeof *keys->keys);
    for (int i = 0; i < count; i++) {
        if (status == 0)
            status = read_key(folder, entries[i]->d_name, &keys->keys[keys->count], error);
        if (status == 0) {
            keys->count++;
            status = check_unique(keys, error);
        }
        free(entries[i]);
    }
    free(entries);
    if (folder >= 0)
        (void)close(folder);
    if (status < 0)
        trusted_keys_clear(keys);
    return status;
}

void trusted_keys_clear(struct trusted_keys *keys)
{
    free(keys->keys);
    *keys = (struct trusted_keys){.count = 0};
}

/* --- signatures --------------------------------------------------------------------------- */

#define COMMENT_PREFIX "trusted comment: "

/* What the four lines hold. */
struct detached {
    bool prehashed;
    char key_id[KEY_ID_TEXT_MAX];
    uint8_t signature[crypto_sign_BYTES];
    struct line comment;
    uint8_t global[crypto_sign_BYTES];
};

static int read_algorithm(struct detached *detached, const uint8_t *bytes, struct error *error)
{
    if (bytes[0] != 'E' || (bytes[1] != 'd' && bytes[1] != 'D'))
        return error_set(error, -EINVAL, "signature: expected algorithm \"Ed\" or \"ED\"");
    detached->prehashed = bytes[1] == 'D';
    write_key_id(bytes + 2, detached->key_id);
    memcpy(detached->signature, bytes + 2 + KEY_ID_SIZE, sizeof detached->signature);
    return 0;
}

/* A comment becomes a text of the record: printable, of bounded length. */
static int read_comment(struct detached *detached, const struct line *line, struct error *error)
{
    if (!begins_with(line, COMMENT_PREFIX))
        return error_set(error, -EINVAL, "signature: line 3 is not \"" COMMENT_PREFIX "…\"");
    detached->comment = (struct line){.text = line->text + strlen(COMMENT_PREFIX),
                                      .size = line->size - strlen(COMMENT_PREFIX)};
    if (detached->comment.size >= sizeof((struct signature_facts *)NULL)->comment)
        return error_set(error, -EINVAL,
                         "signature: the trusted comment has %zu bytes; at most %zu are taken",
                         detached->comment.size, sizeof((struct signature_facts *)NULL)->comment - 1);
    for (size_t i = 0; i < detached->comment.size; i++)
        if ((unsigned char)detached->comment.text[i] < ' ' && detached->comment.text[i] != '\t')
            return error_set(error, -EINVAL, "signature: the trusted comment has a control character");
    return 0;
}

static int read_detached(struct detached *detached, const char *text, size_t size, struct error *error)
{
    struct lines lines = {.rest = text, .left = size};
    uint8_t bytes[SIGNATURE_SIZE];
    struct line line;

    *detached = (struct detached){.prehashed = false};
    if (!next_line(&lines, &line) || !begins_with(&line, "untrusted comment:"))
        return error_set(error, -EINVAL,
                         "signature: line 1 is not \"untrusted comment: …\": not a .minisig file");
    if (!next_line(&lines, &line) || !decode(&line, bytes, sizeof bytes))
        return error_set(error, -EINVAL, "signature: line 2 is not base64 of %d bytes", SIGNATURE_SIZE);
    if (read_algorithm(detached, bytes, error) < 0)
        return error->code;
    if (!next_line(&lines, &line))
        return error_set(error, -EINVAL, "signature: line 3, the trusted comment, is missing");
    if (read_comment(detached, &line, error) < 0)
        return error->code;
    if (!next_line(&lines, &line) || !decode(&line, detached->global, sizeof detached->global))
        return error_set(error, -EINVAL, "signature: line 4 is not base64 of %u bytes", crypto_sign_BYTES);
    if (lines.left)
        return error_set(error, -EINVAL, "signature: there is more after line 4");
    return 0;
}

static const struct trusted_key *find_key(const struct trusted_keys *keys, const char *id)
{
    for (size_t i = 0; i < keys->count; i++)
        if (keys->keys[i].id[0] && strcmp(keys->keys[i].id, id) == 0)
            return &keys->keys[i];
    return NULL;
}

static bool signs_file(const struct detached *detached, const uint8_t *file, size_t size,
                       const struct trusted_key *key)
{
    uint8_t hash[crypto_generichash_BYTES_MAX];

    if (!detached->prehashed)
        return crypto_sign_verify_detached(detached->signature, file, size, key->public_key) == 0;
    (void)crypto_generichash(hash, sizeof hash, file, size, NULL, 0);
    return crypto_sign_verify_detached(detached->signature, hash, sizeof hash, key->public_key) == 0;
}

static bool signs_comment(const struct detached *detached, const struct trusted_key *key)
{
    uint8_t signed_bytes[crypto_sign_BYTES + sizeof((struct signature_facts *)NULL)->comment];

    memcpy(signed_bytes, detached->signature, crypto_sign_BYTES);
    memcpy(signed_bytes + crypto_sign_BYTES, detached->comment.text, detached->comment.size);
    return crypto_sign_verify_detached(detached->global, signed_bytes,
                                       crypto_sign_BYTES + detached->comment.size, key->public_key) == 0;
}

int signature_check(const char *text, size_t text_size, const uint8_t *file, size_t size,
                    const struct trusted_keys *keys, struct signature_facts *facts, struct error *error)
{
    struct detached detached;
    const struct trusted_key *key;
    int status = read_detached(&detached, text, text_size, error);

    *facts = (struct signature_facts){.key_id = ""};
    if (status < 0)
        return status;
    key = find_key(keys, detached.key_id);
    if (!key)
        return error_set(error, -EKEYREJECTED, "signed by key %s, which is not among the trusted keys",
                         detached.key_id);
    if (!signs_file(&detached, file, size, key))
        return error_set(error, -EKEYREJECTED, "the signature by key %s (%s) is not of this file",
                         detached.key_id, key->name);
    if (!signs_comment(&detached, key))
        return error_set(error, -EKEYREJECTED, "the trusted comment is not what key %s (%s) has signed",
                         detached.key_id, key->name);
    memcpy(facts->key_id, detached.key_id, sizeof facts->key_id);
    memcpy(facts->key_name, key->name, sizeof facts->key_name);
    memcpy(facts->comment, detached.comment.text, detached.comment.size);
    return 0;
}
