/* SPDX-License-Identifier: Apache-2.0 */
#include "writer.h"

#include "alloc.h"
#include "database.h"
#include "migrate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How many appends share a commit: enough for every station at once, and the first of them does not wait
 * long for the last. */
enum { BATCH_LIMIT = 256 };

/* Where the ledger stands, and the tree over it. Tiles that no checkpoint has told yet are those from
 * `tiles_told` up to `tile_count`. */
struct position {
    struct chain head;
    struct tree tree;
    int64_t covered; /* by the newest checkpoint */
    size_t tiles_told, tile_count;
};

struct writer {
    /* the thread's own */
    struct database database;
    const struct signer *signer;
    char *mark_path;
    char boot[64];
    struct position at;      /* of what is durable */
    struct tree_hash *tiles; /* that became complete since the last checkpoint, and some that are told */
    size_t tile_room;
    uv_async_t *wake;
    uv_thread_t thread;
    /* shared, under the mutex */
    uv_mutex_t mutex;
    uv_cond_t queued, finished;
    struct list queue, done;
    bool stopping;
    struct store_statistics statistics;
};

/* Moves up to `limit` nodes from the front of one list to the end of the other. */
static void move_nodes(struct list *from, struct list *to, size_t limit)
{
    while (!list_empty(from) && limit-- > 0) {
        struct list *node = from->next;

        list_remove(node);
        list_append(to, node);
    }
}

static const char *clock_word(const struct append *append)
{
    return append->synchronised ? "synchronised" : "free";
}

static int bind_fact(sqlite3_stmt *statement, const struct chain_record *record, const struct chain *chain)
{
    int failed = 0;

    failed |= sqlite3_bind_int64(statement, 1, record->sequence);
    failed |= sqlite3_bind_int64(statement, 2, record->utc_us);
    failed |= sqlite3_bind_int64(statement, 3, record->monotonic_us);
    failed |= sqlite3_bind_text(statement, 4, record->clock, -1, SQLITE_STATIC);
    failed |= sqlite3_bind_text(statement, 5, record->boot, -1, SQLITE_STATIC);
    failed |= sqlite3_bind_text(statement, 6, record->kind, -1, SQLITE_STATIC);
    failed |= sqlite3_bind_text(statement, 7, record->body, -1, SQLITE_STATIC);
    failed |= sqlite3_bind_blob(statement, 8, chain->hash, sizeof chain->hash, SQLITE_STATIC);
    return failed;
}

static void grow_tree(struct writer *writer, struct position *at, const uint8_t hash[CHAIN_HASH_SIZE])
{
    struct tree_hash leaf, tile;

    tree_leaf(hash, CHAIN_HASH_SIZE, &leaf);
    if (!tree_append(&at->tree, &leaf, &tile))
        return;
    if (at->tile_count == writer->tile_room) {
        writer->tile_room += 64;
        writer->tiles = reallocate(writer->tiles, writer->tile_room, sizeof *writer->tiles);
    }
    writer->tiles[at->tile_count++] = tile;
}

static int insert_fact(struct writer *writer, const struct append *append, struct fact *fact,
                       struct position *at, struct error *error)
{
    struct chain *head = &at->head;
    const struct chain_record record = {.sequence = head->sequence + 1,
                                        .utc_us = append->utc_us,
                                        .monotonic_us = append->monotonic_us,
                                        .clock = clock_word(append),
                                        .boot = writer->boot,
                                        .kind = fact->kind,
                                        .body = fact->body};
    sqlite3_stmt *statement = database_statement(&writer->database, QUERY_APPEND, error);
    int code = 0;

    if (!statement)
        return error->code;
    chain_extend(head, &record);
    fact->chain = *head;
    if (bind_fact(statement, &record, head) || sqlite3_step(statement) != SQLITE_DONE)
        code = database_fail(&writer->database, error);
    (void)sqlite3_reset(statement);
    if (code)
        return error_prefix(error, "%s", fact->kind);
    grow_tree(writer, at, head->hash);
    return 0;
}

/* Whether everything is covered but the newest record, which is the checkpoint that covers it. */
static bool is_covered(const struct position *at)
{
    return at->head.sequence == at->covered + (at->covered > 0);
}

/* The tree is that of all records before it, those of the same transaction included. */
static void make_checkpoint(struct writer *writer, struct append *append, struct position *at)
{
    if (is_covered(at)) {
        append->count = 0;
        return;
    }
    append->facts[0] =
        (struct fact){.kind = "ledger.checkpoint",
                      .body = checkpoint_body(writer->signer, &at->tree, writer->tiles + at->tiles_told,
                                              at->tile_count - at->tiles_told)};
    at->covered = at->tree.size;
    at->tiles_told = at->tile_count;
}

/* Whether the schema said no to one append, and the transaction around it lives on. */
static bool refused(const struct writer *writer, int code)
{
    return (code == -EPROTO || code == -EEXIST) && !sqlite3_get_autocommit(writer->database.handle);
}

/* Adds one append to the open transaction, or leaves it out as refused. Fails when the transaction is lost.
 */
static int add(struct writer *writer, struct append *append, struct position *at, struct error *error)
{
    struct database *database = &writer->database;
    struct position tentative = *at;
    int code = database_run(database, QUERY_SAVEPOINT, error);

    if (append->checkpoint)
        make_checkpoint(writer, append, &tentative);
    for (size_t i = 0; !code && i < append->count; i++)
        code = insert_fact(writer, append, &append->facts[i], &tentative, error);
    if (!code)
        code = database_run(database, QUERY_RELEASE, error);
    if (!code) {
        *at = tentative;
        return 0;
    }
    if (!refused(writer, code))
        return code;
    append->error = *error;
    code = database_run(database, QUERY_ROLLBACK_TO, error);
    return code ? code : database_run(database, QUERY_RELEASE, error);
}

/* SQLite has often rolled back already when a write fails. A rollback can fail too, for want of memory; then
 * the next batch tries again before it begins. */
static int leave_transaction(struct writer *writer, struct error *error)
{
    if (sqlite3_get_autocommit(writer->database.handle))
        return 0;
    return database_run(&writer->database, QUERY_ROLLBACK, error);
}

static void fail_batch(struct writer *writer, struct list *batch, const struct error *error)
{
    struct error ignored;

    (void)leave_transaction(writer, &ignored);
    LIST_EACH (node, batch) {
        struct append *append = LIST_ENTRY(node, struct append, node);

        if (!append->error.code)
            append->error = *error;
    }
}

static void count_batch(struct writer *writer, struct list *batch, bool committed, int64_t took_us)
{
    struct store_statistics *statistics = &writer->statistics;

    LIST_EACH (node, batch) {
        const struct append *append = LIST_ENTRY(node, struct append, node);

        if (append->error.code)
            statistics->refused++;
        else
            statistics->records += (int64_t)append->count;
    }
    if (!committed)
        return;
    statistics->commits++;
    statistics->commit_us_sum += took_us;
    if (took_us > statistics->commit_us_max)
        statistics->commit_us_max = took_us;
}

/* Tiles that are told are not needed again once the checkpoint that told them is durable. */
static void settle(struct writer *writer, const struct position *at)
{
    writer->at = *at;
    if (at->tiles_told == 0)
        return;
    writer->at.tile_count -= at->tiles_told;
    writer->at.tiles_told = 0;
    memmove(writer->tiles, writer->tiles + at->tiles_told, writer->at.tile_count * sizeof *writer->tiles);
}

/* What is tried is durable after COMMIT and not before: until then the position is a proposal. */
static bool commit_batch(struct writer *writer, struct list *batch)
{
    struct position at = writer->at;
    struct error error = ERROR_NONE;
    int code = leave_transaction(writer, &error);

    if (!code)
        code = database_run(&writer->database, QUERY_BEGIN, &error);
    LIST_EACH (node, batch) {
        if (!code)
            code = add(writer, LIST_ENTRY(node, struct append, node), &at, &error);
    }
    if (!code)
        code = database_run(&writer->database, QUERY_COMMIT, &error);
    if (code) {
        (void)error_prefix(&error, "the record was not written");
        fail_batch(writer, batch, &error);
    } else {
        settle(writer, &at);
    }
    return code == 0;
}

/* Before anybody hears of the checkpoint: what was told must not be forgotten unnoticed. */
static void mark_batch(struct writer *writer, struct list *batch)
{
    LIST_EACH (node, batch) {
        struct append *append = LIST_ENTRY(node, struct append, node);

        if (append->checkpoint && append->count > 0 && !append->error.code)
            (void)mark_write(writer->mark_path, &writer->at.head, &append->mark);
    }
}

static bool take_batch(struct writer *writer, struct list *batch)
{
    uv_mutex_lock(&writer->mutex);
    while (list_empty(&writer->queue) && !writer->stopping)
        uv_cond_wait(&writer->queued, &writer->mutex);
    move_nodes(&writer->queue, batch, BATCH_LIMIT);
    uv_mutex_unlock(&writer->mutex);
    return !list_empty(batch);
}

static void hand_back(struct writer *writer, struct list *batch, bool committed, int64_t took_us)
{
    uv_mutex_lock(&writer->mutex);
    count_batch(writer, batch, committed, took_us);
    move_nodes(batch, &writer->done, SIZE_MAX);
    uv_cond_signal(&writer->finished);
    uv_mutex_unlock(&writer->mutex);
    (void)uv_async_send(writer->wake);
}

static void write_until_stopped(void *argument)
{
    struct writer *writer = argument;
    struct list batch;

    list_init(&batch);
    while (take_batch(writer, &batch)) {
        uint64_t begun_ns = uv_hrtime();
        bool committed = commit_batch(writer, &batch);

        if (committed)
            mark_batch(writer, &batch);
        hand_back(writer, &batch, committed, (int64_t)((uv_hrtime() - begun_ns) / 1000));
    }
}

static const char *column_text(sqlite3_stmt *statement, int column)
{
    const unsigned char *text = sqlite3_column_text(statement, column);

    return text ? (const char *)text : "";
}

/* What the chain would be with the row in hand on top of `previous`. */
static struct chain extend_by_row(struct chain previous, sqlite3_stmt *row)
{
    chain_extend(&previous, &(struct chain_record){.sequence = sqlite3_column_int64(row, 0),
                                                   .utc_us = sqlite3_column_int64(row, 1),
                                                   .monotonic_us = sqlite3_column_int64(row, 2),
                                                   .clock = column_text(row, 3),
                                                   .boot = column_text(row, 4),
                                                   .kind = column_text(row, 5),
                                                   .body = column_text(row, 6)});
    return previous;
}

static struct chain stored_chain(sqlite3_stmt *row)
{
    struct chain chain = {.sequence = sqlite3_column_int64(row, 0)};

    if (sqlite3_column_bytes(row, 7) == CHAIN_HASH_SIZE)
        memcpy(chain.hash, sqlite3_column_blob(row, 7), CHAIN_HASH_SIZE);
    return chain;
}

static bool same_chain(const struct chain *a, const struct chain *b)
{
    return a->sequence == b->sequence && memcmp(a->hash, b->hash, CHAIN_HASH_SIZE) == 0;
}

/* The newest record must continue the one before it: a chain that is broken at its end is not continued. The
 * rest is for `audit verify`: it takes time. */
static int read_head(struct writer *writer, struct error *error)
{
    sqlite3_stmt *rows = database_statement(&writer->database, QUERY_LAST_RECORDS, error);
    int code = 0, step = SQLITE_DONE;

    if (!rows)
        return error->code;
    for (int row = 0; !code && (step = sqlite3_step(rows)) == SQLITE_ROW; row++) {
        struct chain *head = &writer->at.head, expected = extend_by_row(*head, rows);

        *head = stored_chain(rows);
        if ((row > 0 || head->sequence == 1) && !same_chain(&expected, head))
            code = error_set(error, -EBADMSG, "record %lld does not continue the chain",
                             (long long)head->sequence);
    }
    if (!code && step != SQLITE_DONE)
        code = database_fail(&writer->database, error);
    (void)sqlite3_reset(rows);
    return code;
}

/* Everything that the rows of a query are, each 32 bytes; `take` gets them one by one. */
static int each_hash(struct writer *writer, enum query query, int64_t from,
                     void (*take)(struct writer *writer, const struct tree_hash *hash), struct error *error)
{
    sqlite3_stmt *rows = database_statement(&writer->database, query, error);
    int code = 0, step = SQLITE_DONE;

    if (!rows)
        return error->code;
    (void)sqlite3_bind_int64(rows, 1, from);
    while (!code && (step = sqlite3_step(rows)) == SQLITE_ROW) {
        struct tree_hash hash;

        if (database_hash(rows, 0, hash.bytes))
            take(writer, &hash);
        else
            code = error_set(error, -EBADMSG, "a hash of the record is not of 32 bytes");
    }
    if (!code && step != SQLITE_DONE)
        code = database_fail(&writer->database, error);
    (void)sqlite3_reset(rows);
    return code;
}

static void take_tile(struct writer *writer, const struct tree_hash *tile)
{
    tree_append_tile(&writer->at.tree, tile);
}

static void take_leaf(struct writer *writer, const struct tree_hash *hash)
{
    grow_tree(writer, &writer->at, hash->bytes);
}

/* The tree comes from the tiles that checkpoints have told, and the few hashes behind them: however long the
 * ledger is, it is there at once. */
static int read_tree(struct writer *writer, struct error *error)
{
    sqlite3_stmt *row = database_statement(&writer->database, QUERY_CHECKPOINT, error);
    int code = 0;

    if (!row)
        return error->code;
    if (sqlite3_step(row) == SQLITE_ROW)
        writer->at.covered = sqlite3_column_int64(row, 1);
    (void)sqlite3_reset(row);
    code = each_hash(writer, QUERY_TILES, 0, take_tile, error);
    if (!code)
        code = each_hash(writer, QUERY_HASHES_AFTER, writer->at.tree.size, take_leaf, error);
    if (!code && writer->at.tree.size != writer->at.head.sequence)
        code = error_set(error, -EBADMSG, "the tree of the record has %lld leaves, the record %lld",
                         (long long)writer->at.tree.size, (long long)writer->at.head.sequence);
    return code;
}

static const char remedy[] =
    "flashfarmd --restored REASON goes on from here, and closes every pool of numbers until "
    "a person has settled which of them are in the field";

/* A mark of 0 is from before the first checkpoint. */
static int compare_mark(struct writer *writer, const struct chain *mark, struct error *error)
{
    uint8_t hash[CHAIN_HASH_SIZE];
    sqlite3_stmt *row;
    bool same;

    if (mark->sequence == 0)
        return 0;
    if (mark->sequence > writer->at.head.sequence)
        return error_set(error, -EBADMSG, "the record ends at %lld and was at %lld before. %s",
                         (long long)writer->at.head.sequence, (long long)mark->sequence, remedy);
    row = database_statement(&writer->database, QUERY_RECORD_HASH, error);
    if (!row)
        return error->code;
    (void)sqlite3_bind_int64(row, 1, mark->sequence);
    same = sqlite3_step(row) == SQLITE_ROW && database_hash(row, 0, hash) &&
           memcmp(hash, mark->hash, CHAIN_HASH_SIZE) == 0;
    (void)sqlite3_reset(row);
    return same ? 0
                : error_set(error, -EBADMSG, "record %lld is another than it was before. %s",
                            (long long)mark->sequence, remedy);
}

/* Who signs leaves a mark before the first checkpoint already: a record that has one and no mark beside it
 * was brought here from elsewhere, a backup as it may be, and who knows how far it had come there. */
static int missing_mark(struct writer *writer, const struct log *log, struct error *error)
{
    const struct chain none = {.sequence = 0};
    struct error trouble = ERROR_NONE;

    if (!writer->signer)
        return 0;
    if (writer->at.covered > 0)
        return error_set(error, -EBADMSG, "there is no flashfarm.mark beside the record: it is a copy. %s",
                         remedy);
    if (mark_write(writer->mark_path, &none, &trouble))
        log_warning(log, "a record that goes back in time would not be noticed: %s", trouble.text);
    return 0;
}

static int check_mark(struct writer *writer, const struct store_options *options, struct error *error)
{
    struct chain mark;
    struct error doubt = ERROR_NONE;
    int code = mark_read(writer->mark_path, &mark, &doubt);

    if (code == -ENOENT)
        code = missing_mark(writer, &options->log, &doubt);
    else if (!code)
        code = compare_mark(writer, &mark, &doubt);
    if (!code)
        return 0;
    if (!options->restored) {
        *error = doubt;
        return code;
    }
    log_warning(&options->log, "taken as restored (%s): %s", options->restored, doubt.text);
    return 0;
}

static void read_boot_id(struct writer *writer, const struct log *log)
{
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");

    if (!file || fscanf(file, "%40[0-9a-f-]", writer->boot) != 1) {
        (void)snprintf(writer->boot, sizeof writer->boot, "unknown");
        log_warning(log, "the kernel's boot id cannot be read; records say unknown instead");
    }
    if (file)
        (void)fclose(file);
}

static void begin(struct writer *writer)
{
    list_init(&writer->queue);
    list_init(&writer->done);
    (void)uv_mutex_init(&writer->mutex);
    (void)uv_cond_init(&writer->queued);
    (void)uv_cond_init(&writer->finished);
}

static int prepare(struct writer *writer, const struct store_options *options, struct error *error)
{
    int code = migrate(&writer->database, &options->log, error);

    if (!code)
        code = read_head(writer, error);
    if (!code)
        code = read_tree(writer, error);
    if (!code)
        code = check_mark(writer, options, error);
    return code;
}

int writer_start(struct writer **writer, const struct store_options *options, const struct signer *signer,
                 uv_async_t *wake, struct error *error)
{
    struct writer *made = allocate(1, sizeof *made);
    int code = database_open(&made->database, options->path, true, error);

    *writer = NULL;
    begin(made);
    made->wake = wake;
    made->signer = signer;
    made->mark_path = mark_path(options->path);
    read_boot_id(made, &options->log);
    if (!code)
        code = prepare(made, options, error);
    if (!code && uv_thread_create(&made->thread, write_until_stopped, made))
        code = error_set(error, -EAGAIN, "the writer's thread cannot be started");
    if (code)
        writer_free(made);
    else
        *writer = made;
    return code;
}

void writer_stop(struct writer *writer)
{
    uv_mutex_lock(&writer->mutex);
    writer->stopping = true;
    uv_cond_signal(&writer->queued);
    uv_mutex_unlock(&writer->mutex);
    (void)uv_thread_join(&writer->thread);
}

void writer_free(struct writer *writer)
{
    database_close(&writer->database);
    uv_cond_destroy(&writer->finished);
    uv_cond_destroy(&writer->queued);
    uv_mutex_destroy(&writer->mutex);
    free(writer->mark_path);
    free(writer->tiles);
    free(writer);
}

void writer_push(struct writer *writer, struct append *append)
{
    uv_mutex_lock(&writer->mutex);
    list_append(&writer->queue, &append->node);
    uv_cond_signal(&writer->queued);
    uv_mutex_unlock(&writer->mutex);
}

void writer_take(struct writer *writer, struct list *done, bool wait)
{
    uv_mutex_lock(&writer->mutex);
    while (wait && list_empty(&writer->done))
        uv_cond_wait(&writer->finished, &writer->mutex);
    move_nodes(&writer->done, done, SIZE_MAX);
    uv_mutex_unlock(&writer->mutex);
}

struct chain writer_head(const struct writer *writer)
{
    return writer->at.head;
}

int64_t writer_covered(const struct writer *writer)
{
    return writer->at.covered;
}

struct store_statistics writer_statistics(struct writer *writer)
{
    struct store_statistics copy;

    uv_mutex_lock(&writer->mutex);
    copy = writer->statistics;
    uv_mutex_unlock(&writer->mutex);
    return copy;
}
