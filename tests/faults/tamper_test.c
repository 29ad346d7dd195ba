/* SPDX-License-Identifier: Apache-2.0 */
/* Somebody changes one thing in the record, at random and in a random way, knowing how everything is made but
 * not the key: `flashfarm audit check` must find it each time, and say where.
 *
 *     tamper_test                      the short form of the suite
 *     tamper_test --trials 10000       the long form; --seed N for other places
 *
 * The record is made by the store. Bundles are text, where every byte counts; databases are tampered with by
 * SQL behind the back of the triggers, and in the file's own bytes. */
#include "audit.h"
#include "audit_bundle.h"
#include "audit_lines.h"
#include "audit_text.h"
#include "bytes.h"

#include "store_scene.h"

#include <sodium.h>

enum { RUNS = 150, CHECKPOINT_EVERY = 40, MOST_RECORDS = 600, SHORT_TRIALS = 660, DATABASE_SHARE = 11 };

static const uint8_t seed[32] = {7, 7, 7};

struct plant {
    struct scene scene;
    char bundle[80], work[80], mark[80], public_key_file[80], witness[80];
    struct audit_options options;
    char *text; /* of the bundle */
    size_t size;
    uint32_t random;
};

/* One trial: what was done, and where a finding may name it: a record from `first` to `last`, or a line. */
struct trial {
    const char *kind;
    int64_t first, last, line;
    bool end; /* it is the end that is missing: the report names the last that is there */
};

static uint32_t draw(struct plant *plant, size_t below)
{
    plant->random ^= plant->random << 13;
    plant->random ^= plant->random >> 17;
    plant->random ^= plant->random << 5;
    return plant->random % (uint32_t)below;
}

/* Not durable one by one: that is a wait for the disk each time. */
static void queue(struct scene *scene, const char *kind, json_t *body)
{
    store_append(scene->store, &(struct store_fact){.kind = kind, .body = body}, 1, NULL, NULL);
}

/* The record ----------------------------------------------------------------------------------------------
 */

static void make_record(struct plant *plant)
{
    struct scene *scene = &plant->scene;

    CHECK(store_open(&scene->store,
                     &(struct store_options){.path = scene->path,
                                             .loop = &scene->loop,
                                             .clock = &scene->clock,
                                             .log = log_named(&scene->output, "store"),
                                             .signing_seed = seed,
                                             .origin = "flashfarm/test",
                                             .checkpoint_every_records = CHECKPOINT_EVERY,
                                             .checkpoint_every_s = 3600},
                     &scene->error) == 0);
    queue(scene, "daemon.started", parse("{\"version\":\"0.1.0\",\"clean\":true}"));
    queue(scene, "image.added", image_added(1));
    queue(scene, "job.submitted", job_submitted(1, 1, 0, "WO-1"));
    for (int id = 1; id <= RUNS; id++) {
        queue(scene, "run.started", run_started(id, 1, 1, "A1", "2026-11-21T12:25:00.123456Z"));
        queue(scene, "run.ended", id % 5 ? run_ended(id, "pass", NULL) : run_ended(id, "fail", "verify"));
        if (id % (CHECKPOINT_EVERY / 2) == 0) /* and a checkpoint, now that so many are durable */
            CHECK(store_append_wait(scene->store, NULL, NULL, 0, &scene->error) == 0);
    }
    CHECK(store_append_wait(scene->store, NULL, NULL, 0, &scene->error) == 0);
    CHECK(store_head_sequence(scene->store) >= 3 + 2 * RUNS);
    scene_close(scene);
}

static void read_bundle(struct plant *plant)
{
    FILE *file = fopen(plant->bundle, "re");

    plant->text = malloc(4 << 20);
    plant->size = fread(plant->text, 1, (4 << 20) - 1, file);
    plant->text[plant->size] = '\0';
    (void)fclose(file);
}

/* What an auditor wrote down the evening before. */
static void write_witness(struct plant *plant)
{
    sqlite3 *raw = scene_raw(&plant->scene);
    sqlite3_stmt *row = NULL;
    FILE *file = fopen(plant->witness, "we");

    CHECK(sqlite3_prepare_v2(raw, "SELECT note FROM checkpoint ORDER BY size DESC LIMIT 1", -1, &row, NULL) ==
          SQLITE_OK);
    CHECK(sqlite3_step(row) == SQLITE_ROW);
    (void)fputs((const char *)sqlite3_column_text(row, 0), file);
    (void)fclose(file);
    (void)sqlite3_finalize(row);
    (void)sqlite3_close(raw);
}

static void check_clean(const struct plant *plant, const char *path)
{
    struct audit_report report;
    struct error error = ERROR_NONE;

    CHECK(audit_check(path, &plant->options, &report, &error) == 0);
    if (!CHECK(report.findings.found == 0))
        audit_report_print(&report, stderr, false);
    CHECK(report.checkpoints >= RUNS * 2 / (CHECKPOINT_EVERY + 1) && report.covered == report.head - 1);
    audit_report_clear(&report);
}

static void plant_all(struct plant *plant)
{
    struct audit_key key;
    struct error error = ERROR_NONE;
    int64_t left = 1;
    FILE *out;

    scene_prepare(&plant->scene);
    (void)snprintf(plant->bundle, sizeof plant->bundle, "%s/bundle", plant->scene.folder);
    (void)snprintf(plant->work, sizeof plant->work, "%s/tampered", plant->scene.folder);
    (void)snprintf(plant->mark, sizeof plant->mark, "%s/flashfarm.mark", plant->scene.folder);
    (void)snprintf(plant->public_key_file, sizeof plant->public_key_file, "%s/flashfarm.pub",
                   plant->scene.folder);
    (void)snprintf(plant->witness, sizeof plant->witness, "%s/witness", plant->scene.folder);
    make_record(plant);
    write_witness(plant);
    CHECK(audit_key_find(&key, plant->public_key_file, &error) == 0);
    out = fopen(plant->bundle, "we");
    CHECK(audit_bundle_of_database(plant->scene.path, key.text, out, &left, &error) == 0 && left == 0);
    (void)fclose(out);
    read_bundle(plant);
    plant->options = (struct audit_options){.public_key = plant->public_key_file, .witness = plant->witness};
    CHECK(audit_options_read(&plant->options, &error) == 0);
    check_clean(plant, plant->bundle);
    check_clean(plant, plant->scene.path);
}

static void clear_all(struct plant *plant)
{
    const char *const files[] = {plant->bundle, plant->work, plant->mark, plant->public_key_file,
                                 plant->witness};

    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        (void)unlink(files[i]);
    free(plant->text);
    scene_end(&plant->scene);
}

/* Bundles as records --------------------------------------------------------------------------------------
 */

struct item {
    int64_t sequence, utc_us, monotonic_us;
    char *clock, *boot, *kind, *body;
    uint8_t hash[AUDIT_HASH];
};

struct book {
    char *preface, *key; /* lines before the records; the key's text */
    struct item items[MOST_RECORDS];
    size_t count;
};

static char *copy_of(const struct audit_text *text)
{
    return format_text("%.*s", (int)text->size, text->text);
}

static struct book *open_book(const struct plant *plant)
{
    struct book *book = allocate(1, sizeof *book);
    struct audit_lines lines = {.file = fmemopen(plant->text, plant->size, "r")};
    struct audit_record record;
    const char *key = strstr(plant->text, "\nkey\t");

    book->preface = format_text("%.*s", (int)(key + 1 - plant->text), plant->text);
    while (audit_lines_next(&lines)) {
        struct item *item = &book->items[book->count];

        if (audit_lines_value(&lines, "key"))
            book->key = copy_text(audit_lines_value(&lines, "key"));
        if (!audit_lines_record(&lines, &record, item->hash))
            continue;
        *item = (struct item){.sequence = record.sequence,
                              .utc_us = record.utc_us,
                              .monotonic_us = record.monotonic_us,
                              .clock = copy_of(&record.texts[AUDIT_CLOCK]),
                              .boot = copy_of(&record.texts[AUDIT_BOOT]),
                              .kind = copy_of(&record.texts[AUDIT_KIND]),
                              .body = copy_of(&record.texts[AUDIT_BODY])};
        CHECK(audit_lines_record(&lines, &record, item->hash));
        book->count++;
    }
    audit_lines_clear(&lines);
    (void)fclose(lines.file);
    return book;
}

static void free_item(struct item *item)
{
    free(item->clock);
    free(item->boot);
    free(item->kind);
    free(item->body);
}

static void close_book(struct book *book)
{
    for (size_t i = 0; i < book->count; i++)
        free_item(&book->items[i]);
    free(book->preface);
    free(book->key);
    free(book);
}

static struct audit_record record_of(const struct item *item)
{
    const char *const texts[AUDIT_TEXTS] = {item->clock, item->boot, item->kind, item->body};
    struct audit_record record = {.sequence = item->sequence,
                                  .utc_us = item->utc_us,
                                  .monotonic_us = item->monotonic_us,
                                  .hash = item->hash};

    for (int i = 0; i < AUDIT_TEXTS; i++)
        record.texts[i] = (struct audit_text){.text = texts[i], .size = strlen(texts[i])};
    return record;
}

static void write_book(const struct plant *plant, const struct book *book)
{
    FILE *out = fopen(plant->work, "we");
    struct error error = ERROR_NONE;

    (void)fprintf(out, "%skey\t%s\n", book->preface, book->key);
    for (size_t i = 0; i < book->count; i++) {
        const struct audit_record record = record_of(&book->items[i]);

        CHECK(audit_lines_write_record(out, &record, &error) == 0);
    }
    (void)fprintf(out, "end\t%zu\n", book->count);
    (void)fclose(out);
}

/* Lets a checkpoint say what is the case now: with the signature that it had, or with one of the forger's. */
static void forge_checkpoint(struct item *item, const struct audit_tree *tree, json_t *tiles,
                             const uint8_t *secret, const char *origin_key)
{
    json_t *body = json_loads(item->body, 0, NULL);
    const char *note = json_string_value(json_object_get(body, "note")),
               *signature = strstr(note, "\n\n") + 2;
    uint8_t root[AUDIT_HASH], raw[4 + crypto_sign_BYTES], id[4];
    char hex[65], base64[64], signed64[128], *text, *whole;

    audit_tree_root(tree, root);
    bytes_to_hex(root, sizeof root, hex);
    text = format_text(
        "flashfarm/test\n%" PRId64 "\n%s\n", tree->size,
        sodium_bin2base64(base64, sizeof base64, root, sizeof root, sodium_base64_VARIANT_ORIGINAL));
    if (secret) {
        CHECK(audit_hex(strchr(origin_key, '+') + 1, 8, id));
        memcpy(raw, id, sizeof id);
        (void)crypto_sign_detached(raw + 4, NULL, (const uint8_t *)text, strlen(text), secret);
        whole = format_text(
            "%s\n\xe2\x80\x94 flashfarm/test %s\n", text,
            sodium_bin2base64(signed64, sizeof signed64, raw, sizeof raw, sodium_base64_VARIANT_ORIGINAL));
    } else {
        whole = format_text("%s\n%s", text, signature);
    }
    (void)json_object_set_new(body, "note", json_string(whole));
    (void)json_object_set_new(body, "root", json_string(hex));
    (void)json_object_set_new(body, "size", json_integer(tree->size));
    (void)json_object_set(body, "tiles", tiles);
    free(item->body);
    item->body = json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(body);
    free(text);
    free(whole);
}

static bool is_checkpoint(const struct item *item)
{
    return strcmp(item->kind, "ledger.checkpoint") == 0;
}

/* Numbers and hashes anew from the first record on; with `checkpoints` also roots, tiles and notes. */
static void rechain(struct book *book, bool checkpoints, const uint8_t *secret)
{
    struct audit_tree tree = {.size = 0}, tile = {.size = 0};
    uint8_t hash[AUDIT_HASH] = {0};
    json_t *tiles = json_array();

    for (size_t i = 0; i < book->count; i++) {
        struct item *item = &book->items[i];
        struct audit_record record;
        char hex[65];

        item->sequence = (int64_t)i + 1;
        if (checkpoints && is_checkpoint(item)) {
            forge_checkpoint(item, &tree, tiles, secret, book->key);
            (void)json_array_clear(tiles);
        }
        record = record_of(item);
        audit_record_hash(&record, hash, item->hash);
        memcpy(hash, item->hash, sizeof hash);
        audit_tree_append(&tree, hash);
        audit_tree_append(&tile, hash);
        if (tile.size == AUDIT_TILE) {
            bytes_to_hex(tile.roots[0], AUDIT_HASH, hex);
            (void)json_array_append_new(tiles, json_string(hex));
            tile = (struct audit_tree){.size = 0};
        }
    }
    json_decref(tiles);
}

/* A record that is no checkpoint. */
static size_t draw_record(struct plant *plant, const struct book *book)
{
    size_t index;

    do {
        index = draw(plant, book->count - 1);
    } while (is_checkpoint(&book->items[index]));
    return index;
}

/* The first checkpoint that covers it, as its number. */
static int64_t covering(const struct book *book, size_t index)
{
    while (!is_checkpoint(&book->items[index]))
        index++;
    return book->items[index].sequence;
}

/* Another serial, another outcome, another time: as long as the record is JSON, nobody could tell. */
static void edit(struct plant *plant, struct item *item)
{
    char *digit;
    size_t digits = 0, wanted;

    for (digit = item->body; *digit; digit++)
        digits += *digit >= '0' && *digit <= '9';
    if (digits == 0) {
        item->utc_us += 1000000;
        return;
    }
    wanted = draw(plant, digits);
    for (digit = item->body; *digit < '0' || *digit > '9' || wanted-- > 0;)
        digit++;
    *digit = *digit == '9' ? '1' : (char)(*digit + 1);
}

/* Kinds of tampering with a bundle --------------------------------------------------------------------------
 */

static int64_t line_of(const struct plant *plant, size_t offset)
{
    int64_t line = 1;

    for (size_t i = 0; i < offset; i++)
        line += plant->text[i] == '\n';
    return line;
}

static int64_t first_record_line(const struct plant *plant)
{
    return line_of(plant, (size_t)(strstr(plant->text, "\nrecord\t") + 1 - plant->text));
}

static void write_bytes(const struct plant *plant, const char *text, size_t size)
{
    FILE *out = fopen(plant->work, "we");

    CHECK(fwrite(text, 1, size, out) == size);
    (void)fclose(out);
}

static void name_line(const struct plant *plant, struct trial *trial, size_t offset)
{
    trial->line = line_of(plant, offset);
    trial->first = trial->last = trial->line - first_record_line(plant) + 1;
    trial->last++; /* a wrong number or hash shows at the next one too */
}

static void flip_bit(struct plant *plant, struct trial *trial)
{
    size_t offset = draw(plant, plant->size);
    char old = plant->text[offset];

    name_line(plant, trial, offset);
    plant->text[offset] = (char)(old ^ (1 << draw(plant, 8)));
    write_bytes(plant, plant->text, plant->size);
    plant->text[offset] = old;
}

static void truncate_file(struct plant *plant, struct trial *trial)
{
    size_t size = draw(plant, plant->size);

    name_line(plant, trial, size);
    trial->end = true;
    write_bytes(plant, plant->text, size);
}

static void delete_record(struct plant *plant, struct trial *trial, struct book *book)
{
    size_t index = draw(plant, book->count);

    (void)plant;
    trial->first = (int64_t)index + 1;
    trial->last = trial->first + 1;
    trial->end = index == book->count - 1;
    free_item(&book->items[index]);
    memmove(&book->items[index], &book->items[index + 1], (--book->count - index) * sizeof book->items[0]);
}

static void swap_records(struct plant *plant, struct trial *trial, struct book *book)
{
    size_t a = draw(plant, book->count - 1), b = a + 1 + draw(plant, book->count - 1 - a);
    struct item other = book->items[a];

    book->items[a] = book->items[b];
    book->items[b] = other;
    trial->first = (int64_t)a + 1;
    trial->last = (int64_t)b + 1;
}

static void repeat_record(struct plant *plant, struct trial *trial, struct book *book)
{
    size_t index = draw(plant, book->count);
    struct item *item;

    memmove(&book->items[index + 1], &book->items[index], (book->count++ - index) * sizeof book->items[0]);
    item = &book->items[index];
    item->clock = copy_text(item->clock);
    item->boot = copy_text(item->boot);
    item->kind = copy_text(item->kind);
    item->body = copy_text(item->body);
    trial->first = (int64_t)index + 1;
    trial->last = trial->first + 1;
}

static void edit_record(struct plant *plant, struct trial *trial, struct book *book)
{
    size_t index = draw_record(plant, book);

    edit(plant, &book->items[index]);
    trial->first = trial->last = (int64_t)index + 1;
}

/* The chain is whole again, and the tree is not what was signed. */
static void edit_and_rechain(struct plant *plant, struct trial *trial, struct book *book)
{
    size_t index = draw_record(plant, book);

    trial->first = (int64_t)index + 1;
    trial->last = covering(book, index);
    edit(plant, &book->items[index]);
    rechain(book, false, NULL);
}

/* The tree is whole again as well, and the signature is not its own. */
static void edit_and_rebuild(struct plant *plant, struct trial *trial, struct book *book)
{
    size_t index = draw_record(plant, book);

    trial->first = (int64_t)index + 1;
    trial->last = covering(book, index);
    edit(plant, &book->items[index]);
    rechain(book, true, NULL);
}

/* A record less, and everything behind it renumbered. */
static void remove_and_rebuild(struct plant *plant, struct trial *trial, struct book *book)
{
    size_t index = draw_record(plant, book);

    trial->first = (int64_t)index + 1;
    trial->last = covering(book, index);
    free_item(&book->items[index]);
    memmove(&book->items[index], &book->items[index + 1], (--book->count - index) * sizeof book->items[0]);
    rechain(book, true, NULL);
}

/* All of it signed anew, with another key under the same name. */
static void edit_and_sign(struct plant *plant, struct trial *trial, struct book *book)
{
    uint8_t public_key[33] = {1}, secret[crypto_sign_SECRETKEYBYTES], hash[32], text[64];
    char id[9], key[64];
    size_t size = strlen("flashfarm/test");

    (void)crypto_sign_keypair(public_key + 1, secret);
    memcpy(text, "flashfarm/test\n", size + 1);
    memcpy(text + size + 1, public_key, sizeof public_key);
    (void)crypto_hash_sha256(hash, text, size + 1 + sizeof public_key);
    bytes_to_hex(hash, 4, id);
    free(book->key);
    book->key = format_text(
        "flashfarm/test+%s+%s", id,
        sodium_bin2base64(key, sizeof key, public_key, sizeof public_key, sodium_base64_VARIANT_ORIGINAL));
    edit(plant, &book->items[draw_record(plant, book)]);
    rechain(book, true, secret);
    trial->line = first_record_line(plant) - 1;
}

/* All is in order, and the newest part is gone: only who knows a later checkpoint can tell. */
static void cut_at_checkpoint(struct plant *plant, struct trial *trial, struct book *book)
{
    size_t index = book->count - 1 - draw_record(plant, book);

    while (index == book->count - 1 || !is_checkpoint(&book->items[index]))
        index = draw(plant, book->count - 1);
    while (book->count > index + 1)
        free_item(&book->items[--book->count]);
    trial->first = trial->last = (int64_t)book->count;
    trial->end = true;
}

static const struct {
    const char *name;
    void (*on_bytes)(struct plant *plant, struct trial *trial);
    void (*on_book)(struct plant *plant, struct trial *trial, struct book *book);
} kinds[] = {
    {"flip a bit", flip_bit, NULL},
    {"truncate", truncate_file, NULL},
    {"delete a record", NULL, delete_record},
    {"swap two records", NULL, swap_records},
    {"repeat a record", NULL, repeat_record},
    {"edit", NULL, edit_record},
    {"edit, re-chain", NULL, edit_and_rechain},
    {"edit, re-chain, rebuild the tree", NULL, edit_and_rebuild},
    {"remove, renumber, rebuild", NULL, remove_and_rebuild},
    {"edit, sign with another key", NULL, edit_and_sign},
    {"cut off at a checkpoint", NULL, cut_at_checkpoint},
};

enum { KINDS = sizeof kinds / sizeof kinds[0] };

static void tamper_with_bundle(struct plant *plant, struct trial *trial, size_t kind)
{
    struct book *book;

    trial->kind = kinds[kind].name;
    if (kinds[kind].on_bytes) {
        kinds[kind].on_bytes(plant, trial);
        return;
    }
    book = open_book(plant);
    kinds[kind].on_book(plant, trial, book);
    write_book(plant, book);
    close_book(book);
}

/* Databases ------------------------------------------------------------------------------------------------
 */

static void copy_database(const struct plant *plant)
{
    static char bytes[1 << 20];
    FILE *in = fopen(plant->scene.path, "re"), *out = fopen(plant->work, "we");
    size_t size;

    while ((size = fread(bytes, 1, sizeof bytes, in)) > 0)
        CHECK(fwrite(bytes, 1, size, out) == size);
    (void)fclose(in);
    (void)fclose(out);
}

static void rehash_database(sqlite3 *raw)
{
    sqlite3_stmt *rows = NULL, *update = NULL;
    uint8_t hash[AUDIT_HASH] = {0}, next[AUDIT_HASH];

    CHECK(
        sqlite3_prepare_v2(raw,
                           "SELECT sequence, utc_us, monotonic_us, clock, boot, kind, body FROM ledger ORDER "
                           "BY sequence",
                           -1, &rows, NULL) == SQLITE_OK);
    CHECK(sqlite3_prepare_v2(raw, "UPDATE ledger SET hash = ?2 WHERE sequence = ?1", -1, &update, NULL) ==
          SQLITE_OK);
    while (sqlite3_step(rows) == SQLITE_ROW) {
        struct audit_record record = {.sequence = sqlite3_column_int64(rows, 0),
                                      .utc_us = sqlite3_column_int64(rows, 1),
                                      .monotonic_us = sqlite3_column_int64(rows, 2)};

        for (int i = 0; i < AUDIT_TEXTS; i++)
            record.texts[i] = (struct audit_text){.text = (const char *)sqlite3_column_text(rows, 3 + i),
                                                  .size = (size_t)sqlite3_column_bytes(rows, 3 + i)};
        audit_record_hash(&record, hash, next);
        memcpy(hash, next, sizeof hash);
        (void)sqlite3_bind_int64(update, 1, record.sequence);
        (void)sqlite3_bind_blob(update, 2, hash, sizeof hash, SQLITE_STATIC);
        CHECK(sqlite3_step(update) == SQLITE_DONE);
        (void)sqlite3_reset(update);
    }
    (void)sqlite3_finalize(rows);
    (void)sqlite3_finalize(update);
}

/* Runs `sql` with the triggers away, and puts them back word for word. */
static void behind_the_back(sqlite3 *raw, const char *sql, void (*then)(sqlite3 *raw))
{
    sqlite3_str *restore = sqlite3_str_new(raw), *drop = sqlite3_str_new(raw);
    sqlite3_stmt *triggers = NULL;
    char *text;

    CHECK(sqlite3_exec(raw, "PRAGMA synchronous = OFF; PRAGMA ignore_check_constraints = ON; BEGIN", NULL,
                       NULL, NULL) == SQLITE_OK);
    CHECK(sqlite3_prepare_v2(raw, "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'", -1, &triggers,
                             NULL) == SQLITE_OK);
    while (sqlite3_step(triggers) == SQLITE_ROW) {
        sqlite3_str_appendf(drop, "DROP TRIGGER %s;", (const char *)sqlite3_column_text(triggers, 0));
        sqlite3_str_appendf(restore, "%s;", (const char *)sqlite3_column_text(triggers, 1));
    }
    (void)sqlite3_finalize(triggers);
    text = sqlite3_str_finish(drop);
    CHECK(sqlite3_exec(raw, text, NULL, NULL, NULL) == SQLITE_OK);
    sqlite3_free(text);
    if (!CHECK(sqlite3_exec(raw, sql, NULL, NULL, NULL) == SQLITE_OK))
        (void)fprintf(stderr, "  %s: %s\n", sql, sqlite3_errmsg(raw));
    if (then)
        then(raw);
    text = sqlite3_str_finish(restore);
    CHECK(sqlite3_exec(raw, text, NULL, NULL, NULL) == SQLITE_OK);
    sqlite3_free(text);
    CHECK(sqlite3_exec(raw, "COMMIT", NULL, NULL, NULL) == SQLITE_OK);
}

/* A bit of the file's own bytes, inside of the record whose hash stands there. */
static void flip_in_file(struct plant *plant, int64_t sequence)
{
    sqlite3 *raw = scene_raw(&plant->scene);
    sqlite3_stmt *row = NULL;
    uint8_t hash[AUDIT_HASH], *bytes = malloc(16 << 20), *found = NULL;
    FILE *file = fopen(plant->work, "r+be");
    size_t size = fread(bytes, 1, 16 << 20, file);

    CHECK(sqlite3_prepare_v2(raw, "SELECT hash FROM ledger WHERE sequence = ?1", -1, &row, NULL) ==
          SQLITE_OK);
    (void)sqlite3_bind_int64(row, 1, sequence);
    CHECK(sqlite3_step(row) == SQLITE_ROW);
    memcpy(hash, sqlite3_column_blob(row, 0), sizeof hash);
    (void)sqlite3_finalize(row);
    (void)sqlite3_close(raw);
    found = memmem(bytes, size, hash, sizeof hash);
    if (CHECK(found != NULL)) {
        long at =
            (long)(found - bytes) + (long)draw(plant, 64) - 32; /* its body ends where its hash begins */

        (void)fseek(file, at, SEEK_SET);
        (void)fputc(bytes[at] ^ 1 << draw(plant, 8), file);
    }
    (void)fclose(file);
    free(bytes);
}

enum { DATABASE_KINDS = 6 };
static const char *const database_kinds[DATABASE_KINDS] = {
    "database: edit",     "database: delete",         "database: swap",
    "database: truncate", "database: edit, re-chain", "database: flip a bit of the file"};

static char *tampering_sql(struct plant *plant, struct trial *trial, size_t kind, int64_t head)
{
    int64_t sequence = 2 + (int64_t)draw(plant, (size_t)head - 2);

    trial->first = sequence;
    trial->last = sequence + 1;
    switch (kind) {
    case 0:
        return format_text("UPDATE ledger SET utc_us = utc_us + %u WHERE sequence = %" PRId64,
                           1 + draw(plant, 9999), sequence);
    case 1:
        return format_text("DELETE FROM ledger WHERE sequence = %" PRId64, sequence);
    case 2:
        return format_text("UPDATE ledger SET sequence = -1 WHERE sequence = %" PRId64 "; UPDATE ledger SET "
                           "sequence = %" PRId64 " WHERE sequence = %" PRId64
                           "; UPDATE ledger SET sequence = "
                           "%" PRId64 " WHERE sequence = -1",
                           sequence, sequence, sequence + 1, sequence + 1);
    case 3:
        trial->end = true;
        return format_text("DELETE FROM ledger WHERE sequence > %" PRId64, sequence);
    default:
        trial->last = head;
        return format_text("UPDATE ledger SET monotonic_us = monotonic_us + 1 WHERE sequence = %" PRId64,
                           sequence);
    }
}

static void tamper_with_database(struct plant *plant, struct trial *trial, size_t kind)
{
    struct scene copy = plant->scene;
    sqlite3 *raw;
    char *sql;
    int64_t head;

    copy_database(plant);
    (void)snprintf(copy.path, sizeof copy.path, "%s", plant->work);
    trial->kind = database_kinds[kind];
    raw = scene_raw(&copy);
    head = raw_integer(raw, "SELECT max(sequence) FROM ledger");
    sql = tampering_sql(plant, trial, kind, head);
    if (kind == 5) {
        (void)sqlite3_close(raw);
        flip_in_file(plant, trial->first);
        free(sql);
        return;
    }
    behind_the_back(raw, sql, kind == 4 ? rehash_database : NULL);
    (void)sqlite3_close(raw);
    free(sql);
}

/* Trials ---------------------------------------------------------------------------------------------------
 */

static bool names_place(const struct trial *trial, const json_t *findings)
{
    const json_t *finding;
    size_t index;

    json_array_foreach (findings, index, finding) {
        const char *table = json_string_value(json_object_get(finding, "table"));
        const char *key = json_string_value(json_object_get(finding, "key"));
        int64_t number = key ? strtoll(key, NULL, 10) : 0;

        if (strcmp(table, "ledger") == 0 && number >= trial->first && number <= trial->last)
            return true;
        if (strcmp(table, "line") == 0 && trial->line &&
            (number == trial->line || number == trial->line - 1 || number == trial->line + 1))
            return true;
        if (trial->end && key && number > 0)
            return true;
        if (strcmp(table, "database") == 0 && !key) /* SQLite itself cannot read on from there */
            return true;
    }
    return false;
}

static bool check_trial(const struct plant *plant, const struct trial *trial)
{
    struct audit_report report;
    struct error error = ERROR_NONE;
    int code = audit_check(plant->work, &plant->options, &report, &error);
    bool found = code < 0 || report.findings.found > 0;
    bool named = code < 0 || names_place(trial, report.findings.list);

    if (!CHECK(found) || !CHECK(named)) {
        (void)fprintf(stderr, "  %s, records %" PRId64 " to %" PRId64 ", line %" PRId64 "\n", trial->kind,
                      trial->first, trial->last, trial->line);
        audit_report_print(&report, stderr, false);
    }
    audit_report_clear(&report);
    return found;
}

/* Every kind in turn, so that none of them carries the others. */
static void run_trials(struct plant *plant, int trials)
{
    int counts[KINDS + DATABASE_KINDS] = {0}, found = 0;

    for (int i = 0; i < trials; i++) {
        bool database = i % DATABASE_SHARE == DATABASE_SHARE - 1;
        size_t kind = database ? (size_t)(i / DATABASE_SHARE) % DATABASE_KINDS : draw(plant, KINDS);
        struct trial trial = {.line = 0};

        if (database)
            tamper_with_database(plant, &trial, kind);
        else
            tamper_with_bundle(plant, &trial, kind);
        counts[database ? KINDS + kind : kind]++;
        found += check_trial(plant, &trial);
    }
    for (size_t i = 0; i < KINDS + DATABASE_KINDS; i++) {
        (void)printf("%6d  %s\n", counts[i], i < KINDS ? kinds[i].name : database_kinds[i - KINDS]);
        CHECK(counts[i] >= trials / (i < KINDS ? 2 * KINDS : 2 * DATABASE_SHARE * DATABASE_KINDS));
    }
    (void)printf("%d of %d found\n", found, trials);
    CHECK(found == trials);
}

int main(int argc, char **argv)
{
    struct plant *plant = allocate(1, sizeof *plant);
    int trials = SHORT_TRIALS;

    plant->random = 20261121;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--trials") == 0)
            trials = atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--seed") == 0)
            plant->random = (uint32_t)strtoul(argv[i + 1], NULL, 10) | 1;
    }
    if (!CHECK(sodium_init() >= 0))
        return 1;
    plant_all(plant);
    run_trials(plant, trials);
    clear_all(plant);
    free(plant);
    return test_failures ? 1 : 0;
}
