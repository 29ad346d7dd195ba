/* SPDX-License-Identifier: Apache-2.0 */
/* The power goes at every sync of the record, and in between: whatever was acknowledged is there afterwards,
 * whole, and nothing is there by half. The disk is one of power_disk.h; the store is the daemon's own.
 *
 *     power_test [CUTS [SEED]]        ends after that many cuts; 1100 and 1 without
 *
 * A daemon lives, its power is cut at each of its syncs, and the next life goes on with what one of the cuts
 * has left. That the test can fail is part of it: on a disk that lies about its syncs it must find what is
 * lost. */
#include "audit.h"
#include "power_disk.h"
#include "store.h"

#include "chain.h"
#include "store_scene.h"

#include <sodium.h>
#include <stdarg.h>

static const uint8_t seed[32] = {'p', 'o', 'w', 'e', 'r'};

enum { CUTS = 1100, SEQUENCES = 400000, AUDIT_EVERY = 50, LYING_CUTS = 60, CHECKPOINT_EVERY = 15 };

struct trial {
    struct disk *disk;
    struct scene scene; /* where the record lives that is being cut */
    struct scene after; /* where a cut is looked at */
    bool lying;
    uint64_t random;
    int64_t acknowledged; /* the newest record of which somebody was told */
    int64_t next_job, next_run, open_run;
    uint8_t (*hashes)[CHAIN_HASH_SIZE]; /* of every record, by sequence, as it was told */
    int cuts, by_damage[PLATTER_DAMAGES], violations, lives;
    char found[300]; /* what the last violation was */
};

static uint64_t chance(struct trial *trial, uint64_t limit)
{
    trial->random = trial->random * 6364136223846793005 + 1442695040888963407;
    return (trial->random >> 33) % limit;
}

static int open_signed(struct scene *scene)
{
    scene->error = ERROR_NONE;
    return store_open(&scene->store,
                      &(struct store_options){.path = scene->path,
                                              .loop = &scene->loop,
                                              .clock = &scene->clock,
                                              .log = log_named(&scene->output, "store"),
                                              .signing_seed = seed,
                                              .origin = "flashfarm/power",
                                              .checkpoint_every_records = CHECKPOINT_EVERY},
                      &scene->error);
}

/* A life ------------------------------------------------------------------------------------------------- */

static void on_record(void *context, const struct store_record *record)
{
    struct trial *trial = context;
    size_t size = 0;

    if (CHECK(record->sequence < SEQUENCES))
        (void)sodium_hex2bin(trial->hashes[record->sequence], CHAIN_HASH_SIZE, record->hash,
                             strlen(record->hash), NULL, &size, NULL);
    trial->acknowledged = record->sequence;
    disk_note(trial->disk, record->sequence);
}

static void append(struct trial *trial, const struct store_fact *facts, size_t count)
{
    store_append(trial->scene.store, facts, count, NULL, NULL);
}

/* All that a daemon says of a board, in one append or in two. */
static void one_board(struct trial *trial)
{
    int64_t run = trial->next_run++;
    bool at_once = chance(trial, 3) == 0;
    struct store_fact facts[2] = {
        {.kind = "run.started",
         .body = run_started(run, 1, 1, at_once ? "A2" : "A1", "2026-11-21T12:25:00.000000Z")},
        {.kind = "run.ended", .body = run_ended(run, at_once ? "aborted" : "pass", NULL)}};

    if (at_once) {
        append(trial, facts, 2);
    } else {
        append(trial, &facts[0], 1);
        if (chance(trial, 4))
            (void)store_append_wait(trial->scene.store, NULL, NULL, 0, &trial->scene.error);
        append(trial, &facts[1], 1);
    }
}

/* What a daemon does when it comes up: ends the runs that it finds open. */
static void come_up(struct trial *trial)
{
    json_t *state = NULL, *run;
    size_t i;

    CHECK(store_load(trial->scene.store, &state, &trial->scene.error) == 0);
    trial->next_run = json_integer_value(json_object_get(state, "last_run")) + 1;
    append(trial,
           &(struct store_fact){.kind = "daemon.started",
                                .body = parse("{\"version\":\"0.1.0\",\"clean\":false}")},
           1);
    json_array_foreach (json_object_get(state, "runs"), i, run)
        append(trial,
               &(struct store_fact){
                   .kind = "run.ended",
                   .body = run_ended(json_integer_value(json_object_get(run, "id")), "unknown", NULL)},
               1);
    if (json_integer_value(json_object_get(state, "last_job")) == 0) {
        append(trial, &(struct store_fact){.kind = "image.added", .body = image_added(1)}, 1);
        append(trial, &(struct store_fact){.kind = "job.submitted", .body = job_submitted(1, 1, 0, "WO-1")},
               1);
    }
    json_decref(state);
}

/* What the cut has left is what this life goes on from, also what nobody was told of. */
static void adopt(struct trial *trial)
{
    sqlite3 *raw = scene_raw(&trial->scene);
    sqlite3_stmt *rows = NULL;

    CHECK(sqlite3_prepare_v2(raw, "SELECT sequence, hash FROM ledger", -1, &rows, NULL) == SQLITE_OK);
    while (sqlite3_step(rows) == SQLITE_ROW)
        memcpy(trial->hashes[sqlite3_column_int64(rows, 0)], sqlite3_column_blob(rows, 1), CHAIN_HASH_SIZE);
    (void)sqlite3_finalize(rows);
    (void)sqlite3_close(raw);
    disk_note(trial->disk, trial->acknowledged = store_head_sequence(trial->scene.store));
}

static bool live(struct trial *trial, int boards)
{
    struct scene *scene = &trial->scene;

    disk_record(trial->disk, scene->folder, trial->lying);
    if (!CHECK(open_signed(scene) == 0)) {
        (void)fprintf(stderr, "  %s\n", scene->error.text);
        return false;
    }
    adopt(trial);
    store_set_listener(scene->store, on_record, trial);
    come_up(trial);
    for (int i = 0; i < boards; i++) {
        one_board(trial);
        if (chance(trial, 3)) /* alone, or with others in one commit */
            (void)store_append_wait(scene->store, NULL, NULL, 0, &scene->error);
    }
    scene_close(scene);
    disk_stop(trial->disk);
    trial->lives++;
    return true;
}

/* After a cut -------------------------------------------------------------------------------------------- */

static bool violated(struct trial *trial, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* False, and keeps what was found. */
static bool violated(struct trial *trial, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(trial->found, sizeof trial->found, format, arguments);
    va_end(arguments);
    return false;
}

static bool chain_is_whole(struct trial *trial, sqlite3 *raw, int64_t told)
{
    struct chain chain = {.sequence = 0};
    sqlite3_stmt *rows = NULL;
    bool good = sqlite3_prepare_v2(raw,
                                   "SELECT sequence, utc_us, monotonic_us, clock, boot, kind, body, hash "
                                   "FROM ledger ORDER BY sequence",
                                   -1, &rows, NULL) == SQLITE_OK;

    while (good && sqlite3_step(rows) == SQLITE_ROW) {
        int64_t sequence = sqlite3_column_int64(rows, 0);

        good = sequence == chain.sequence + 1;
        chain_extend(&chain, &(struct chain_record){.sequence = sequence,
                                                    .utc_us = sqlite3_column_int64(rows, 1),
                                                    .monotonic_us = sqlite3_column_int64(rows, 2),
                                                    .clock = (const char *)sqlite3_column_text(rows, 3),
                                                    .boot = (const char *)sqlite3_column_text(rows, 4),
                                                    .kind = (const char *)sqlite3_column_text(rows, 5),
                                                    .body = (const char *)sqlite3_column_text(rows, 6)});
        good = good && sqlite3_column_bytes(rows, 7) == CHAIN_HASH_SIZE &&
               memcmp(chain.hash, sqlite3_column_blob(rows, 7), CHAIN_HASH_SIZE) == 0;
        good = good && (sequence > told || memcmp(chain.hash, trial->hashes[sequence], CHAIN_HASH_SIZE) == 0);
    }
    (void)sqlite3_finalize(rows);
    if (chain.sequence < told)
        return violated(trial, "record %" PRId64 " is the last, %" PRId64 " was acknowledged", chain.sequence,
                        told);
    return good || violated(trial, "the chain is broken at %" PRId64, chain.sequence);
}

static bool is(struct trial *trial, sqlite3 *raw, const char *sql, int64_t want)
{
    int64_t got = raw_integer(raw, sql);

    return got == want || violated(trial, "%" PRId64 " instead of %" PRId64 ": %s", got, want, sql);
}

static bool record_is_true(struct trial *trial, sqlite3 *raw, int64_t told)
{
    return chain_is_whole(trial, raw, told) &&
           is(trial, raw, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'", 0) &&
           is(trial, raw, "SELECT count(*) FROM pragma_foreign_key_check", 0) &&
           is(trial, raw, "SELECT count(*) FROM run WHERE outcome IS NULL AND station = 'A2'", 0) &&
           is(trial, raw,
              "SELECT count(*) - (SELECT count(*) FROM run) FROM ledger WHERE kind = 'run.started'", 0) &&
           is(trial, raw,
              "SELECT count(*) - (SELECT count(*) FROM run WHERE outcome IS NOT NULL) FROM ledger "
              "WHERE kind = 'run.ended'",
              0) &&
           is(trial, raw,
              "SELECT coalesce((SELECT passed FROM job), 0) - count(*) FROM run WHERE outcome = 'pass'", 0);
}

static bool audit_finds_nothing(struct trial *trial)
{
    const struct audit_options options = {.projections = AUDIT_PROJECTIONS_YES};
    struct error error = ERROR_NONE;
    struct audit_report report;
    bool good = audit_verify(trial->after.path, &options, &report, &error) == 0 && report.findings.found == 0;

    if (!good)
        audit_report_print(&report, stderr, false);
    audit_report_clear(&report);
    return good || violated(trial, "the audit finds something: %s", error.text);
}

static bool goes_on(struct trial *trial)
{
    struct scene *after = &trial->after;
    bool good = scene_append(after, "station.state", parse("{\"name\":\"B1\",\"state\":\"ready\"}")) == 0;

    if (!good)
        return violated(trial, "nothing can be appended: %s", after->error.text);
    scene_close(after);
    return trial->cuts % AUDIT_EVERY || audit_finds_nothing(trial);
}

static bool look(struct trial *trial, int64_t told)
{
    struct scene *after = &trial->after;
    sqlite3 *raw;
    bool good;

    if (open_signed(after))
        return violated(trial, "it does not open: %s", after->error.text);
    raw = scene_raw(after);
    good = record_is_true(trial, raw, told);
    (void)sqlite3_close(raw);
    good = good && goes_on(trial);
    scene_close(after);
    return good;
}

static void cut(struct trial *trial, struct platter *platter, size_t event)
{
    int64_t told = platter_advance(platter, event);
    int damage = (int)chance(trial, PLATTER_DAMAGES);

    platter_cut(platter, damage, trial->random, trial->after.folder);
    trial->cuts++;
    trial->by_damage[damage]++;
    if (look(trial, told))
        return;
    trial->violations++;
    if (!trial->lying)
        (void)fprintf(stderr, "life %d, event %zu of %zu, %s: %s\n", trial->lives, event,
                      disk_events(trial->disk), platter_damages[damage], trial->found);
}

/* Every sync of the life: just before it has happened, just after, or somewhere on the way to it. Gives the
 * event of a cut with which the next life may begin. */
static size_t cut_life(struct trial *trial, int limit)
{
    struct platter *platter = platter_new(trial->disk);
    size_t before = 0, chosen = 0, at;
    int syncs = 0;

    for (size_t event = 0; event < disk_events(trial->disk) && trial->cuts < limit; event++) {
        if (!disk_is_sync(trial->disk, event) && !(trial->lying && event % 40 == 39))
            continue;
        at = chance(trial, 4) == 0 ? event + 1
             : chance(trial, 2)    ? event
                                   : before + chance(trial, event - before + 1);
        cut(trial, platter, at);
        before = at;
        if (chance(trial, (uint64_t)++syncs) == 0)
            chosen = at;
    }
    platter_free(platter);
    return chosen;
}

/* What a cut has left becomes where the next life begins. */
static void go_on_from(struct trial *trial, size_t event)
{
    struct platter *platter = platter_new(trial->disk);

    (void)platter_advance(platter, event);
    platter_cut(platter, (int)chance(trial, PLATTER_DAMAGES), trial->random, trial->scene.folder);
    platter_free(platter);
}

static struct trial *trial_new(uint64_t random, bool lying)
{
    struct trial *trial = calloc(1, sizeof *trial);

    trial->hashes = calloc(SEQUENCES, sizeof trial->hashes[0]);
    trial->random = random;
    trial->lying = lying;
    trial->disk = disk_new();
    disk_watch(trial->disk, "flashfarm.mark");
    scene_prepare(&trial->scene);
    scene_prepare(&trial->after);
    trial->scene.output = trial->after.output = log_output_stderr(LOG_ERROR);
    return trial;
}

static void end_signed(struct scene *scene)
{
    char path[80];

    scene_close(scene);
    (void)snprintf(path, sizeof path, "%s/flashfarm.mark", scene->folder);
    (void)unlink(path);
    (void)snprintf(path, sizeof path, "%s/flashfarm.pub", scene->folder);
    (void)unlink(path);
    scene_end(scene);
}

static void trial_free(struct trial *trial)
{
    end_signed(&trial->scene);
    end_signed(&trial->after);
    disk_free(trial->disk);
    free(trial->hashes);
    free(trial);
}

static void test_honest_disk(int cuts, uint64_t random)
{
    struct trial *trial = trial_new(random, false);

    while (trial->cuts < cuts && live(trial, 20 + (int)chance(trial, 100)))
        go_on_from(trial, cut_life(trial, cuts));
    CHECK(trial->cuts >= cuts);
    CHECK(trial->violations == 0);
    (void)printf("%d cuts at syncs in %d lives, %lld records at the end; violations %d\n", trial->cuts,
                 trial->lives, (long long)trial->acknowledged, trial->violations);
    for (int i = 0; i < PLATTER_DAMAGES; i++)
        (void)printf("  %4d: %s\n", trial->by_damage[i], platter_damages[i]);
    trial_free(trial);
}

/* Here acknowledged records must get lost, and this must be seen. */
static void test_lying_disk(uint64_t random)
{
    struct trial *trial = trial_new(random, true);

    if (live(trial, 100))
        (void)cut_life(trial, LYING_CUTS);
    CHECK(trial->violations > 0);
    (void)printf("a disk that lies: %d cuts, %d caught; the last: %s\n", trial->cuts, trial->violations,
                 trial->found);
    trial_free(trial);
}

int main(int argc, char **argv)
{
    int cuts = argc > 1 ? (int)strtol(argv[1], NULL, 10) : CUTS;
    uint64_t random = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;

    CHECK(sodium_init() >= 0);
    test_honest_disk(cuts, random);
    test_lying_disk(random);
    return test_failures ? 1 : 0;
}
