/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence.h"

#include "alloc.h"
#include "bytes.h"
#include "checkpoint.h"
#include "inside.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { EVERY_RECORDS = 256, EVERY_S = 60 };

/* When one is due ---------------------------------------------------------------------------------------- */

int evidence_prepare(struct evidence *evidence, const struct store_options *options, struct error *error)
{
    struct error trouble = ERROR_NONE;
    int seconds = options->checkpoint_every_s ? options->checkpoint_every_s : EVERY_S;

    evidence->every_records =
        options->checkpoint_every_records ? options->checkpoint_every_records : EVERY_RECORDS;
    evidence->every_ms = (uint64_t)seconds * 1000;
    if (!options->signing_seed)
        return 0;
    if (signer_new(&evidence->signer, options->signing_seed, options->origin, error))
        return error->code;
    evidence->verifier_key = signer_verifier_key(evidence->signer);
    if (signer_publish(evidence->signer, options->path, &trouble))
        log_warning(&options->log, "auditors will not find the public key: %s", trouble.text);
    return 0;
}

/* A checkpoint is a record too, and needs none for itself. */
static int64_t uncovered(const struct store *store)
{
    int64_t covered = store->evidence.covered;

    return store_head_sequence(store) - covered - (covered > 0 ? 1 : 0);
}

static void ask(struct store *store, store_done *done, void *context)
{
    store->evidence.asked = true;
    store_push_checkpoint(store, done, context);
}

static void on_timer(uv_timer_t *timer)
{
    struct store *store = timer->data;

    if (!store->evidence.asked && uncovered(store) > 0)
        ask(store, NULL, NULL);
}

/* The time runs from the first record that is not covered, and does not keep the loop alive. */
static void look(struct store *store)
{
    struct evidence *evidence = &store->evidence;

    if (!evidence->signer || evidence->asked)
        return;
    if (uncovered(store) <= 0)
        (void)uv_timer_stop(evidence->timer);
    else if (uncovered(store) >= evidence->every_records)
        ask(store, NULL, NULL);
    else if (!uv_is_active((uv_handle_t *)evidence->timer))
        (void)uv_timer_start(evidence->timer, on_timer, evidence->every_ms, 0);
}

void evidence_begin(struct store *store)
{
    struct evidence *evidence = &store->evidence;

    evidence->timer = allocate(1, sizeof *evidence->timer);
    evidence->timer->data = store;
    (void)uv_timer_init(store->options.loop, evidence->timer);
    uv_unref((uv_handle_t *)evidence->timer);
    evidence->covered = writer_covered(store->writer);
    if (store->options.restored)
        store_append(store,
                     &(struct store_fact){.kind = "record.restored",
                                          .body = json_pack("{s:I, s:s, s:s}", "sequence",
                                                            (json_int_t)store_head_sequence(store), "reason",
                                                            store->options.restored, "by", "local")},
                     1, NULL, NULL);
    if (evidence->signer && (uncovered(store) > 0 || store->options.restored))
        ask(store, NULL, NULL);
}

void evidence_follow(struct store *store, const struct append *append)
{
    struct evidence *evidence = &store->evidence;
    const struct log *log = &store->options.log;

    if (append->checkpoint) {
        evidence->asked = false;
        (void)uv_timer_stop(evidence->timer);
        if (append->error.code)
            log_warning(log, "no checkpoint could be made: %s", append->error.text);
        else if (append->count > 0)
            evidence->covered = append->facts[0].chain.sequence - 1;
        if (append->mark.code)
            log_warning(log, "a record that goes back in time would not be noticed: %s", append->mark.text);
    }
    look(store);
}

void evidence_finish(struct store *store)
{
    if (store->evidence.signer && uncovered(store) > 0)
        ask(store, NULL, NULL);
}

static void free_timer(uv_handle_t *handle)
{
    free(handle);
}

void evidence_free(struct evidence *evidence)
{
    if (evidence->timer)
        uv_close((uv_handle_t *)evidence->timer, free_timer);
    signer_free(evidence->signer);
    free(evidence->verifier_key);
}

/* Questions ---------------------------------------------------------------------------------------------- */

const uint8_t *store_public_key(const struct store *store)
{
    return store->evidence.signer ? signer_public_key(store->evidence.signer) : NULL;
}

const char *store_verifier_key(const struct store *store)
{
    return store->evidence.verifier_key;
}

void store_checkpoint_now(struct store *store, store_done *done, void *context)
{
    ask(store, done, context);
}

void store_checkpoint(struct store *store, store_answer *answer, void *context)
{
    struct request *request = request_new(store->reader, QUERY_CHECKPOINT, answer_one, answer, context);

    request_subject(request, "the first checkpoint");
    request_submit(request);
}

/* What a proof is made of: all tile roots of the tree, and leaves as they are asked for. */
struct proof {
    struct database *database;
    int64_t sequence, size; /* of the record; of the tree */
    struct tree_hash *tiles;
    struct error *error;
};

/* The hash of a record; the zero hash before the first. */
static int read_hash(struct database *database, int64_t sequence, struct tree_hash *hash, struct error *error)
{
    sqlite3_stmt *row = database_statement(database, QUERY_RECORD_HASH, error);
    int code = 0;

    memset(hash, 0, sizeof *hash);
    if (!row)
        return error->code;
    (void)sqlite3_bind_int64(row, 1, sequence);
    if (sequence == 0)
        return 0;
    if (sqlite3_step(row) != SQLITE_ROW || !database_hash(row, 0, hash->bytes))
        code = error_set(error, -EBADMSG, "the hash of record %" PRId64 " cannot be read", sequence);
    (void)sqlite3_reset(row);
    return code;
}

static int find_hash(void *context, unsigned level, int64_t index, struct tree_hash *hash)
{
    struct proof *proof = context;
    struct tree_hash record;

    if (level == TREE_TILE_LEVEL) {
        *hash = proof->tiles[index];
        return 0;
    }
    if (read_hash(proof->database, index + 1, &record, proof->error))
        return proof->error->code;
    tree_leaf(record.bytes, TREE_HASH_SIZE, hash);
    return 0;
}

static int read_tiles(struct proof *proof)
{
    sqlite3_stmt *rows = database_statement(proof->database, QUERY_TILES, proof->error);
    int64_t wanted = proof->size / TREE_TILE_SIZE, count = 0;

    if (!rows)
        return proof->error->code;
    proof->tiles = allocate((size_t)wanted + 1, sizeof *proof->tiles);
    while (count < wanted && sqlite3_step(rows) == SQLITE_ROW &&
           database_hash(rows, 0, proof->tiles[count].bytes))
        count++;
    (void)sqlite3_reset(rows);
    return count == wanted ? 0 : error_set(proof->error, -EBADMSG, "the tiles of the tree cannot be read");
}

static json_t *hex_value(const struct tree_hash *hash)
{
    char text[2 * TREE_HASH_SIZE + 1];

    bytes_to_hex(hash->bytes, TREE_HASH_SIZE, text);
    return json_string(text);
}

static int add_path(struct proof *proof, json_t *result)
{
    struct tree_hash path[TREE_LEVELS], previous;
    const struct tree_source source = {.hash = find_hash, .context = proof};
    json_t *hashes = json_array();
    int count = read_tiles(proof);

    if (count == 0)
        count = tree_inclusion(&source, proof->sequence - 1, proof->size, path);
    for (int i = 0; i < count; i++)
        (void)json_array_append_new(hashes, hex_value(&path[i]));
    (void)json_object_set_new(result, "hashes", hashes);
    if (count < 0 || read_hash(proof->database, proof->sequence - 1, &previous, proof->error))
        return proof->error->code;
    (void)json_object_set_new(result, "previous_hash", hex_value(&previous));
    return 0;
}

/* One row of a query with the request's values; NULL when there is none, or with the error. */
static json_t *one_row(struct database *database, enum query query, const struct request *request,
                       struct error *error)
{
    sqlite3_stmt *row = request_statement(database, query, request, error);
    json_t *object = NULL;
    int step = row ? sqlite3_step(row) : SQLITE_ERROR;

    if (step == SQLITE_ROW)
        object = reader_row(row);
    else if (row && step != SQLITE_DONE)
        (void)database_fail(database, error);
    (void)sqlite3_reset(row);
    return object;
}

static int fill_proof(struct proof *proof, json_t *result, json_t *checkpoint, json_t *record)
{
    proof->size = json_integer_value(json_object_get(checkpoint, "size"));
    if (!record || proof->sequence < 1)
        return error_set(proof->error, -ENOENT, "record %" PRId64 " is unknown", proof->sequence);
    if (proof->size < proof->sequence)
        return error_set(proof->error, -ENOENT, "no checkpoint covers record %" PRId64 " yet",
                         proof->sequence);
    (void)json_object_set_new(result, "sequence", json_integer(proof->sequence));
    (void)json_object_set_new(result, "index", json_integer(proof->sequence - 1));
    (void)json_object_set_new(result, "size", json_integer(proof->size));
    (void)json_object_set(result, "note", json_object_get(checkpoint, "note"));
    (void)json_object_set(result, "record", record);
    return add_path(proof, result);
}

static int answer_proof(struct database *database, struct request *request, struct error *error)
{
    struct proof proof = {.database = database, .sequence = request_value(request, ":first"), .error = error};
    json_t *checkpoint = one_row(database, QUERY_CHECKPOINT, request, error);
    json_t *record = error->code ? NULL : one_row(database, QUERY_LEDGER, request, error);
    json_t *result = json_object();
    int code = error->code ? error->code : fill_proof(&proof, result, checkpoint, record);

    free(proof.tiles);
    json_decref(checkpoint);
    json_decref(record);
    if (code)
        json_decref(result);
    else
        request_result(request, result);
    return code;
}

void store_proof(struct store *store, int64_t sequence, store_answer *answer, void *context)
{
    struct request *request = request_new(store->reader, QUERY_CHECKPOINT, answer_proof, answer, context);

    request_integer(request, ":first", sequence);
    request_integer(request, ":limit", 1);
    request_submit(request);
}
