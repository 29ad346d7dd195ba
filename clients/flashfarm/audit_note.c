/* SPDX-License-Identifier: Apache-2.0 */
#include "audit_note.h"

#include "audit_text.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

enum { ED25519 = 1, LONGEST_NAME = 200 };

/* Exactly `size` bytes, in the only spelling that base64 has for them. */
static bool decode(const char *text, size_t length, uint8_t *bytes, size_t size)
{
    size_t decoded = 0;

    return sodium_base642bin(bytes, size, text, length, NULL, &decoded, NULL,
                             sodium_base64_VARIANT_ORIGINAL) == 0 &&
           decoded == size && sodium_base64_encoded_len(size, sodium_base64_VARIANT_ORIGINAL) == length + 1;
}

static void make_id(const char *origin, const uint8_t key[32], uint8_t id[4])
{
    static const uint8_t separator[] = {'\n', ED25519};
    crypto_hash_sha256_state state;
    uint8_t hash[crypto_hash_sha256_BYTES];

    (void)crypto_hash_sha256_init(&state);
    (void)crypto_hash_sha256_update(&state, (const uint8_t *)origin, strlen(origin));
    (void)crypto_hash_sha256_update(&state, separator, sizeof separator);
    (void)crypto_hash_sha256_update(&state, key, 32);
    (void)crypto_hash_sha256_final(&state, hash);
    memcpy(id, hash, 4);
}

int audit_key_parse(struct audit_key *key, const char *text, struct error *error)
{
    const char *plus = strchr(text, '+');
    size_t length = plus ? (size_t)(plus - text) : 0;
    uint8_t bytes[33], id[4];

    memset(key, 0, sizeof *key);
    if (!length || length > LONGEST_NAME || strlen(text) >= sizeof key->text || strlen(plus) < 10 ||
        plus[9] != '+' || !audit_hex(plus + 1, 8, id) || !decode(plus + 10, strlen(plus + 10), bytes, 33) ||
        bytes[0] != ED25519)
        return error_set(error, -EINVAL, "\"%.80s\" is not a public key; expected ORIGIN+KEYID+KEY", text);
    memcpy(key->origin, text, length);
    memcpy(key->key, bytes + 1, 32);
    make_id(key->origin, key->key, key->id);
    if (memcmp(key->id, id, 4) != 0)
        return error_set(error, -EINVAL, "\"%.80s\" is not a public key: its id is that of another", text);
    memcpy(key->text, text, strlen(text));
    return 0;
}

int audit_key_find(struct audit_key *key, const char *text_or_file, struct error *error)
{
    FILE *file = fopen(text_or_file, "re");
    char line[sizeof key->text];
    bool read;

    if (!file)
        return audit_key_parse(key, text_or_file, error);
    read = fgets(line, sizeof line, file) != NULL;
    (void)fclose(file);
    if (!read)
        return error_set(error, -EINVAL, "%s holds no public key", text_or_file);
    line[strcspn(line, "\r\n")] = '\0';
    return audit_key_parse(key, line, error) ? error_prefix(error, "%s", text_or_file) : 0;
}

/* Notes ---------------------------------------------------------------------------------------------------
 */

/* One line after the other; NULL when there is no whole line left. The length goes without the line's end. */
static const char *next_line(const char **rest, size_t *length)
{
    const char *line = *rest, *end = strchr(line, '\n');

    if (!end)
        return NULL;
    *length = (size_t)(end - line);
    *rest = end + 1;
    return line;
}

static bool read_text(struct audit_note *note, const char **rest)
{
    size_t length;
    const char *line = next_line(rest, &length);

    if (!line || length == 0 || length > LONGEST_NAME)
        return false;
    memset(note, 0, sizeof *note);
    memcpy(note->origin, line, length);
    line = next_line(rest, &length);
    if (!line || !audit_number(line, length, &note->size))
        return false;
    line = next_line(rest, &length);
    return line && decode(line, length, note->root, AUDIT_HASH);
}

static bool is_signed(const char *text, size_t text_size, const char *line, size_t length,
                      const struct audit_key *key)
{
    static const char dash[] = "\xe2\x80\x94 ";
    size_t name = strlen(key->origin), before = sizeof dash - 1 + name + 1;
    uint8_t signature[4 + crypto_sign_BYTES];

    return length > before && memcmp(line, dash, sizeof dash - 1) == 0 &&
           memcmp(line + sizeof dash - 1, key->origin, name) == 0 && line[before - 1] == ' ' &&
           decode(line + before, length - before, signature, sizeof signature) &&
           memcmp(signature, key->id, 4) == 0 &&
           crypto_sign_verify_detached(signature + 4, (const uint8_t *)text, text_size, key->key) == 0;
}

int audit_note_read(struct audit_note *note, const char *text, const struct audit_key *key,
                    struct error *error)
{
    const char *rest = text, *line;
    size_t length, text_size;
    bool found = false;

    if (!read_text(note, &rest))
        return error_set(error, -EBADMSG, "is not a note of an origin, a size and a root");
    text_size = (size_t)(rest - text);
    line = next_line(&rest, &length);
    if (!line || length > 0 || !*rest)
        return error_set(error, -EBADMSG, "is a note without a signature");
    if (key && strcmp(note->origin, key->origin) != 0)
        return error_set(error, -EBADMSG, "is a note of %s, and not of %s", note->origin, key->origin);
    while (key && !found && (line = next_line(&rest, &length)))
        found = is_signed(text, text_size, line, length, key);
    return !key || found ? 0 : error_set(error, -EBADMSG, "is not signed with the key of %s", key->origin);
}
