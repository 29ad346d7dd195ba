/* SPDX-License-Identifier: Apache-2.0 */
#include "audit_fetch.h"

#include "alloc.h"
#include "audit_bundle.h"
#include "audit_proof.h"
#include "audit_text.h"
#include "value.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PAGE = 1000, ATTEMPTS = 5 };

/* "2026-11-21T12:25:00.123456Z", which the daemon made from the number that was hashed. */
static bool read_utc(const char *text, int64_t *utc_us)
{
    struct tm tm = {0};
    const char *rest = text ? strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;
    int64_t fraction = 0;

    if (!rest || *rest != '.' || strlen(rest) != 8 || rest[7] != 'Z')
        return false;
    for (int i = 1; i <= 6; i++) {
        if (rest[i] < '0' || rest[i] > '9')
            return false;
        fraction = fraction * 10 + (rest[i] - '0');
    }
    *utc_us = (int64_t)timegm(&tm) * 1000000 + fraction;
    return true;
}

static struct audit_text text_of(const json_t *item, const char *key)
{
    const json_t *value = json_object_get(item, key);
    const char *text = json_string_value(value);

    return (struct audit_text){.text = text ? text : "", .size = json_string_length(value)};
}

static bool read_hash(const json_t *value, uint8_t hash[AUDIT_HASH])
{
    return json_string_length(value) == AUDIT_DIGITS &&
           audit_hex(json_string_value(value), AUDIT_DIGITS, hash);
}

/* A record as the API answers it; its texts are the item's. */
static int read_record(const json_t *item, struct audit_record *record, uint8_t hash[AUDIT_HASH],
                       struct error *error)
{
    record->sequence = value_number(item, "sequence");
    record->monotonic_us = value_number(item, "monotonic_us");
    record->texts[AUDIT_CLOCK] = text_of(item, "clock");
    record->texts[AUDIT_BOOT] = text_of(item, "boot");
    record->texts[AUDIT_KIND] = text_of(item, "kind");
    record->texts[AUDIT_BODY] = text_of(item, "canonical");
    record->hash = hash;
    if (!read_hash(json_object_get(item, "hash"), hash) ||
        !read_utc(json_string_value(json_object_get(item, "utc")), &record->utc_us))
        return error_set(error, -EPROTO, "the daemon's answer is not a record");
    return 0;
}

static int get_text(struct server *server, const char *path, char **text, struct error *error)
{
    size_t size = 0;
    FILE *out = open_memstream(text, &size);
    int code = out ? http_download(server, path, out, error) : error_set_errno(error, errno, "memory");

    if (out)
        (void)fclose(out);
    return code;
}

static int fetch_key(struct server *server, char **key, struct error *error)
{
    int code = get_text(server, "/v1/ledger/key", key, error);

    if (!code)
        (*key)[strcspn(*key, "\r\n")] = '\0';
    return code;
}

static int make_checkpoint(struct server *server, struct error *error)
{
    return http_call(server, &(struct request){.method = "POST", .path = "/v1/ledger/checkpoint"}, NULL,
                     error);
}

/* Bundles -------------------------------------------------------------------------------------------------
 */

struct fetching {
    struct audit_bundle bundle;
    int64_t next, last; /* record to fetch; checkpoint to end with */
};

static int add_page(struct fetching *fetching, const json_t *page, struct error *error)
{
    const json_t *item;
    size_t index;
    int code = 0;

    json_array_foreach (json_object_get(page, "items"), index, item) {
        struct audit_record record;
        uint8_t hash[AUDIT_HASH];

        if (code || fetching->next > fetching->last)
            break;
        code = read_record(item, &record, hash, error);
        if (!code && record.sequence != fetching->next)
            code = error_set(error, -EPROTO, "the daemon's record %" PRId64 " is missing", fetching->next);
        if (!code)
            code = audit_bundle_add(&fetching->bundle, &record, error);
        fetching->next++;
    }
    return code;
}

static int fetch_records(struct server *server, struct fetching *fetching, struct error *error)
{
    int code = 0;

    while (!code && fetching->next <= fetching->last) {
        char *path = format_text("/v1/ledger?from=%" PRId64 "&limit=%d", fetching->next, PAGE);
        int64_t before = fetching->next;
        json_t *page = NULL;

        code = http_get(server, path, &page, error);
        if (!code)
            code = add_page(fetching, page, error);
        if (!code && fetching->next == before)
            code = error_set(error, -EPROTO, "the daemon's record %" PRId64 " is missing", before);
        json_decref(page);
        free(path);
    }
    return code;
}

/* The newest checkpoint is a record: the one behind all that it covers. */
static int find_last(struct server *server, int64_t *last, struct error *error)
{
    char *note = NULL;
    struct audit_note read = {.size = 0};
    int code = get_text(server, "/v1/ledger/checkpoint", &note, error);

    if (!code)
        code = audit_note_read(&read, note, NULL, error);
    if (!code)
        *last = read.size + 1;
    free(note);
    return code;
}

int audit_fetch_bundle(struct server *server, FILE *out, struct error *error)
{
    struct fetching fetching = {.next = 1};
    char *key = NULL;
    int code = make_checkpoint(server, error);

    if (!code)
        code = fetch_key(server, &key, error);
    if (!code)
        code = find_last(server, &fetching.last, error);
    if (!code)
        code = audit_bundle_begin(&fetching.bundle, out, key, error);
    if (!code)
        code = fetch_records(server, &fetching, error);
    if (!code)
        code = audit_bundle_end(&fetching.bundle, error);
    free(key);
    return code;
}

/* Proofs --------------------------------------------------------------------------------------------------
 */

static int by_number(const void *a, const void *b)
{
    const int64_t *left = a, *right = b;

    return (*left > *right) - (*left < *right);
}

/* The sequences of the records of every run of the serial, in order: what is found by a chip's UID may have
 * been another unit before. */
static int64_t *sequences_of(const json_t *unit, const char *serial, size_t *count)
{
    int64_t *sequences = NULL;
    const json_t *run, *sequence;
    size_t i, j;

    *count = 0;
    json_array_foreach (json_object_get(unit, "runs"), i, run) {
        if (!audit_proof_names(run, serial))
            continue;
        json_array_foreach (json_object_get(run, "records"), j, sequence) {
            sequences = reallocate(sequences, *count + 1, sizeof *sequences);
            sequences[(*count)++] = json_integer_value(sequence);
        }
    }
    if (sequences)
        qsort(sequences, *count, sizeof *sequences, by_number);
    return sequences;
}

/* All of them against one and the same checkpoint: 1 when a newer one came in between. */
static int fetch_proofs(struct server *server, const int64_t *sequences, size_t count, json_t *proofs,
                        struct error *error)
{
    const char *note = NULL;

    for (size_t i = 0; i < count; i++) {
        char *path = format_text("/v1/ledger/proof?sequence=%" PRId64, sequences[i]);
        json_t *proof = NULL;
        int code = http_get(server, path, &proof, error);

        free(path);
        if (code)
            return code;
        (void)json_array_append_new(proofs, proof);
        if (note && strcmp(note, value_text(proof, "note")) != 0)
            return 1;
        note = value_text(proof, "note");
    }
    return 0;
}

static int write_proof(struct audit_proof *file, const json_t *proof, struct error *error)
{
    struct audit_record record;
    uint8_t hash[AUDIT_HASH], previous[AUDIT_HASH], path[AUDIT_LEVELS][AUDIT_HASH];
    const json_t *list = json_object_get(proof, "hashes");
    int count = (int)json_array_size(list);
    int code = read_record(json_object_get(proof, "record"), &record, hash, error);
    bool good = count <= AUDIT_LEVELS && read_hash(json_object_get(proof, "previous_hash"), previous);

    for (int i = 0; good && i < count; i++)
        good = read_hash(json_array_get(list, (size_t)i), path[i]);
    if (!code && !good)
        code = error_set(error, -EPROTO, "the daemon's answer is not a proof");
    return code ? code : audit_proof_add(file, &record, previous, path, count, error);
}

static int write_proofs(const json_t *proofs, const char *serial, const char *key, FILE *out,
                        struct error *error)
{
    struct audit_proof file;
    const json_t *proof;
    size_t index;
    int code = audit_proof_begin(&file, out, serial, key, error);

    json_array_foreach (proofs, index, proof)
        if (!code)
            code = write_proof(&file, proof, error);
    return code ? code : audit_proof_end(&file, value_text(json_array_get(proofs, 0), "note"), error);
}

static int fetch_unit(struct server *server, const char *serial, json_t **unit, struct error *error)
{
    char *escaped = http_escape(serial), *path = format_text("/v1/units/%s", escaped);
    int code = http_get(server, path, unit, error);

    free(path);
    free(escaped);
    return code;
}

int audit_fetch_proof(struct server *server, const char *serial, FILE *out, struct error *error)
{
    json_t *unit = NULL, *proofs = NULL;
    char *key = NULL;
    int64_t *sequences = NULL;
    size_t count = 0;
    int code = fetch_unit(server, serial, &unit, error);

    if (!code)
        sequences = sequences_of(unit, serial, &count);
    if (!code && count == 0)
        code = error_set(error, -EINVAL, "no run has the serial %s", serial);
    if (!code)
        code = fetch_key(server, &key, error);
    if (!code)
        code = make_checkpoint(server, error);
    for (int attempt = 0; !code && !proofs && attempt < ATTEMPTS; attempt++) {
        proofs = json_array();
        code = fetch_proofs(server, sequences, count, proofs, error);
        if (code > 0) {
            json_decref(proofs);
            proofs = NULL;
            code = 0;
        }
    }
    if (!code && !proofs)
        code = error_set(error, -EAGAIN, "checkpoints come faster than proofs; try again");
    if (!code)
        code = write_proofs(proofs, serial, key, out, error);
    json_decref(unit);
    json_decref(proofs);
    free(sequences);
    free(key);
    return code;
}

int audit_fetch_note(struct server *server, bool key, FILE *out, struct error *error)
{
    int code = key ? 0 : make_checkpoint(server, error);

    return code ? code : http_download(server, key ? "/v1/ledger/key" : "/v1/ledger/checkpoint", out, error);
}
