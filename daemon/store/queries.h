/* SPDX-License-Identifier: Apache-2.0 */
/* Every SQL text of the daemon but the migrations. Statements take their values by name (":serial").
 *
 * The texts that answer requests name their columns as the API does; a column whose name ends in "_json" is
 * JSON text and becomes that value under the name without the ending. Their first column is the cursor of the
 * row and no part of the answer. */
#ifndef FLASHFARM_STORE_QUERIES_H
#define FLASHFARM_STORE_QUERIES_H

enum query {
    /* the writer's */
    QUERY_BEGIN,
    QUERY_BEGIN_READING,
    QUERY_COMMIT,
    QUERY_ROLLBACK,
    QUERY_SAVEPOINT,
    QUERY_ROLLBACK_TO,
    QUERY_RELEASE,
    QUERY_APPEND,
    QUERY_LAST_RECORDS,
    QUERY_HASHES_AFTER,
    QUERY_RECORD_HASH,
    QUERY_TILES,
    QUERY_CHECKPOINT,
    /* lists and single things */
    QUERY_RUN,
    QUERY_RUNS,
    QUERY_RUNS_BY_SERIAL,
    QUERY_RUNS_BY_UID,
    QUERY_RUNS_BY_IMAGE,
    QUERY_RUNS_BY_WORK_ORDER,
    QUERY_RUNS_BY_JOB,
    QUERY_RUNS_BY_STATION,
    QUERY_RUNS_BY_WHO,
    QUERY_RUNS_BY_RECIPE,
    QUERY_RUNS_BY_RECIPE_VERSION,
    QUERY_RUNS_BY_POOL,
    QUERY_RUNS_BY_NUMBER,
    QUERY_RUNS_BY_TIME,
    QUERY_RUNS_BY_OUTCOME,
    /* the same lists in the same order, each run in few words */
    QUERY_BRIEF,
    QUERY_BRIEF_BY_SERIAL,
    QUERY_BRIEF_BY_UID,
    QUERY_BRIEF_BY_IMAGE,
    QUERY_BRIEF_BY_WORK_ORDER,
    QUERY_BRIEF_BY_JOB,
    QUERY_BRIEF_BY_STATION,
    QUERY_BRIEF_BY_WHO,
    QUERY_BRIEF_BY_RECIPE,
    QUERY_BRIEF_BY_RECIPE_VERSION,
    QUERY_BRIEF_BY_POOL,
    QUERY_BRIEF_BY_NUMBER,
    QUERY_BRIEF_BY_TIME,
    QUERY_BRIEF_BY_OUTCOME,
    QUERY_JOB,
    QUERY_JOBS,
    QUERY_JOBS_BY_STATE,
    QUERY_JOBS_BY_WORK_ORDER,
    QUERY_IMAGE,
    QUERY_IMAGES,
    QUERY_IDEMPOTENCY,
    QUERY_TAUGHT,
    QUERY_LEDGER,
    /* what a factory asks (factory.c, backup.c) */
    QUERY_POOL,
    QUERY_POOLS,
    QUERY_SERIAL,
    QUERY_SERIALS,
    QUERY_SERIALS_BY_STATE,
    QUERY_SERIALS_OF_POOL,
    QUERY_SERIALS_OF_POOL_BY_STATE,
    QUERY_SERIALS_OF_UID,
    QUERY_RECIPE,
    QUERY_RECIPE_NEWEST,
    QUERY_RECIPES,
    QUERY_RECIPES_BY_NAME,
    QUERY_RECIPES_BY_STATE,
    QUERY_SIGNATURES,
    QUERY_UNITS_MADE,
    QUERY_WEBHOOKS,
    QUERY_BACKUPS,
    QUERY_HEAD,
    /* many runs at once (statistics.c), which knows their columns; the ways to a tally in one order */
    QUERY_TALLY_BY_TIME,
    QUERY_TALLY_BY_JOB,
    QUERY_TALLY_BY_WORK_ORDER,
    QUERY_CLASSES_BY_TIME,
    QUERY_CLASSES_BY_JOB,
    QUERY_CLASSES_BY_WORK_ORDER,
    QUERY_TALLY_LAST_HOUR,
    QUERY_TALLY_ENDS_OF_JOB,
    QUERY_TALLY_ENDS_OF_WORK_ORDER,
    QUERY_PACE,
    QUERY_RECENT,
    QUERY_STATION_MEASURES,
    /* what store_load() wants */
    QUERY_LOAD_JOBS,
    QUERY_LOAD_RUNS,
    QUERY_LOAD_STATIONS,
    QUERY_LOAD_POOLS,
    QUERY_LOAD_DOUBT,
    QUERY_LOAD_LAST,
    QUERY_COUNT
};

extern const char *const queries[QUERY_COUNT];

/* Settings of every connection, those of the writer's, and those of one that a copy is written by; run as
 * they are, without values. */
extern const char *const queries_settings, *const queries_writer_settings, *const queries_copy_settings;

#endif
