/* SPDX-License-Identifier: Apache-2.0 */
#include "checkpoint.h"

#include "alloc.h"
#include "bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { KEY_ID_SIZE = 4, ALGORITHM_ED25519 = 1, SIGNATURE_SIZE = crypto_sign_BYTES };

_Static_assert(SIGNER_SEED_SIZE == crypto_sign_SEEDBYTES, "Ed25519");
_Static_assert(SIGNER_KEY_SIZE == crypto_sign_PUBLICKEYBYTES, "Ed25519");

struct signer {
    char *origin;
    uint8_t key_id[KEY_ID_SIZE];
    uint8_t public_key[SIGNER_KEY_SIZE];
    uint8_t *secret; /* in memory that is neither swapped nor dumped */
};

/* The signer ----------------------------------------------------------------------------------------------
 */

static bool is_name(const char *origin)
{
    return *origin && strlen(origin) < 200 && !strpbrk(origin, " \t\r\n\v\f+");
}

static void make_key_id(struct signer *signer)
{
    static const uint8_t separator[] = {'\n', ALGORITHM_ED25519};
    crypto_hash_sha256_state state;
    uint8_t hash[crypto_hash_sha256_BYTES];

    (void)crypto_hash_sha256_init(&state);
    (void)crypto_hash_sha256_update(&state, (const uint8_t *)signer->origin, strlen(signer->origin));
    (void)crypto_hash_sha256_update(&state, separator, sizeof separator);
    (void)crypto_hash_sha256_update(&state, signer->public_key, SIGNER_KEY_SIZE);
    (void)crypto_hash_sha256_final(&state, hash);
    memcpy(signer->key_id, hash, KEY_ID_SIZE);
}

int signer_new(struct signer **signer, const uint8_t seed[SIGNER_SEED_SIZE], const char *origin,
               struct error *error)
{
    struct signer *made;

    *signer = NULL;
    if (!origin || !is_name(origin))
        return error_set(error, -EINVAL, "the origin of checkpoints \"%.60s\" is empty, or has spaces or +",
                         origin ? origin : "");
    made = allocate(1, sizeof *made);
    made->secret = sodium_malloc(crypto_sign_SECRETKEYBYTES);
    if (!made->secret) {
        free(made);
        return error_set(error, -ENOMEM, "no memory for the key that signs checkpoints");
    }
    made->origin = copy_text(origin);
    (void)crypto_sign_seed_keypair(made->public_key, made->secret, seed);
    make_key_id(made);
    *signer = made;
    return 0;
}

void signer_free(struct signer *signer)
{
    if (!signer)
        return;
    sodium_free(signer->secret);
    free(signer->origin);
    free(signer);
}

const uint8_t *signer_public_key(const struct signer *signer)
{
    return signer->public_key;
}

static char *base64(const uint8_t *bytes, size_t size, char *text, size_t text_size)
{
    return sodium_bin2base64(text, text_size, bytes, size, sodium_base64_VARIANT_ORIGINAL);
}

char *signer_verifier_key(const struct signer *signer)
{
    uint8_t key[1 + SIGNER_KEY_SIZE] = {ALGORITHM_ED25519};
    char id[2 * KEY_ID_SIZE + 1], text[64];

    memcpy(key + 1, signer->public_key, SIGNER_KEY_SIZE);
    bytes_to_hex(signer->key_id, KEY_ID_SIZE, id);
    return format_text("%s+%s+%s", signer->origin, id, base64(key, sizeof key, text, sizeof text));
}

/* The note ------------------------------------------------------------------------------------------------
 */

static char *sign_note(const struct signer *signer, int64_t size, const struct tree_hash *root)
{
    char root_text[64], signature_text[128];
    uint8_t signature[KEY_ID_SIZE + SIGNATURE_SIZE];
    char *text = format_text("%s\n%" PRId64 "\n%s\n", signer->origin, size,
                             base64(root->bytes, TREE_HASH_SIZE, root_text, sizeof root_text));
    char *note;

    memcpy(signature, signer->key_id, KEY_ID_SIZE);
    (void)crypto_sign_detached(signature + KEY_ID_SIZE, NULL, (const uint8_t *)text, strlen(text),
                               signer->secret);
    note = format_text("%s\n\xe2\x80\x94 %s %s\n", text, signer->origin,
                       base64(signature, sizeof signature, signature_text, sizeof signature_text));
    free(text);
    return note;
}

static json_t *hex_value(const struct tree_hash *hash)
{
    char text[2 * TREE_HASH_SIZE + 1];

    bytes_to_hex(hash->bytes, TREE_HASH_SIZE, text);
    return json_string(text);
}

char *checkpoint_body(const struct signer *signer, const struct tree *tree, const struct tree_hash *tiles,
                      size_t tile_count)
{
    json_t *body = json_object(), *list = json_array();
    struct tree_hash root;
    char *note, *text;

    tree_root(tree, &root);
    note = sign_note(signer, tree->size, &root);
    for (size_t i = 0; i < tile_count; i++)
        (void)json_array_append_new(list, hex_value(&tiles[i]));
    (void)json_object_set_new(body, "note", json_string(note));
    (void)json_object_set_new(body, "root", hex_value(&root));
    (void)json_object_set_new(body, "size", json_integer(tree->size));
    (void)json_object_set_new(body, "tiles", list);
    text = json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(body);
    free(note);
    return text;
}

/* Files beside the database -------------------------------------------------------------------------------
 */

static char *beside(const char *database, const char *name)
{
    const char *slash = strrchr(database, '/');

    return slash ? format_text("%.*s/%s", (int)(slash - database), database, name) : copy_text(name);
}

/* A rename is durable once its folder is. */
static int sync_folder(const char *path)
{
    const char *name = strrchr(path, '/');
    char *folder = name ? format_text("%.*s/", (int)(name - path), path) : copy_text(".");
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), code = fd < 0 || fsync(fd) ? -errno : 0;

    if (fd >= 0)
        (void)close(fd);
    free(folder);
    return code;
}

static int write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640), code = 0;
    size_t size = strlen(text);
    ssize_t written = fd < 0 ? -1 : write(fd, text, size);

    if (written < 0 || ((size_t)written == size && fsync(fd)))
        code = -errno;
    else if ((size_t)written < size)
        code = -ENOSPC;
    if (fd >= 0)
        (void)close(fd);
    return code;
}

/* All of the old or all of the new text, whatever happens meanwhile. */
static int replace_file(const char *path, const char *text, struct error *error)
{
    char *fresh = format_text("%s.new", path);
    int code = write_file(fresh, text);

    if (!code && rename(fresh, path))
        code = -errno;
    if (!code)
        code = sync_folder(path);
    free(fresh);
    return code ? error_set_errno(error, -code, "%s", path) : 0;
}

int signer_publish(const struct signer *signer, const char *database, struct error *error)
{
    char *path = beside(database, "flashfarm.pub"), *key = signer_verifier_key(signer);
    char *text = format_text("%s\n", key);
    int code = replace_file(path, text, error);

    free(text);
    free(key);
    free(path);
    return code;
}

char *mark_path(const char *database)
{
    return beside(database, "flashfarm.mark");
}

int mark_write(const char *path, const struct chain *head, struct error *error)
{
    char hash[2 * CHAIN_HASH_SIZE + 1], *text;
    int code;

    bytes_to_hex(head->hash, CHAIN_HASH_SIZE, hash);
    text = format_text("%" PRId64 " %s\n", head->sequence, hash);
    code = replace_file(path, text, error);
    free(text);
    return code;
}

int mark_read(const char *path, struct chain *head, struct error *error)
{
    FILE *file = fopen(path, "re");
    char hash[2 * CHAIN_HASH_SIZE + 2], end = '\0';
    bool good;

    if (!file)
        return error_set_errno(error, errno, "%s", path);
    good = fscanf(file, "%" SCNd64 " %65[0-9a-f]%c", &head->sequence, hash, &end) == 3 && end == '\n' &&
           head->sequence >= 0 && bytes_from_hex(hash, head->hash, CHAIN_HASH_SIZE);
    (void)fclose(file);
    return good ? 0 : error_set(error, -EBADMSG, "%s does not hold a sequence and a hash", path);
}
