/* SPDX-License-Identifier: Apache-2.0 */
#include "queries.h"

/* Of a job or a run: who it belongs to, or nobody. */
#define RECIPE_OF                                                                                            \
    "iif(recipe IS NULL, NULL, json_object('name', recipe, 'version', recipe_version, 'hash', "              \
    "recipe_hash)) "

#define RUN_COLUMNS                                                                                          \
    "SELECT run.id AS cursor, run.id, job, station, port, outcome, class, message, serial, uid, chip, "      \
    "chip_id, run.image, images AS images_json, work_order, started, ended, \"by\", version, "               \
    "details -> 'verify' AS verify_json, details ->> 'baud' AS baud, details ->> 'retries' AS retries, "     \
    "details ->> 'flash_size' AS flash_size, details -> 'phases' AS phases_json, "                           \
    "details ->> 'floor_us' AS floor_us, details -> 'shares' AS shares_json, "                               \
    "link AS link_json, " RECIPE_OF                                                                          \
    "AS recipe_json, fixture, numbers AS numbers_json, unit AS unit_json, unit_data_sha256, rework, code, "  \
    "iif(outcome IS NULL, json_array(opened), json_array(opened, run.fact)) AS records_json "

/* What every list of runs also filters by; a value that is not given lets all rows through. The unary plus
 * keeps the planner from taking these terms for the way in: each text below has its own. */
#define RUN_FILTER                                                                                           \
    "AND (:serial IS NULL OR serial = :serial) AND (:uid IS NULL OR uid = :uid) "                            \
    "AND (:work_order IS NULL OR work_order = :work_order) AND (:job IS NULL OR job = :job) "                \
    "AND (:station IS NULL OR station = :station) AND (:any_outcome OR +outcome IS :outcome) "               \
    "AND +started >= :from AND +started < :to AND (:image IS NULL OR EXISTS "                                \
    "(SELECT 1 FROM run_image WHERE run_image.image = :image AND run_image.run = run.id)) "                  \
    "AND (:by IS NULL OR \"by\" = :by) AND (:recipe IS NULL OR recipe = :recipe) "                           \
    "AND (:version IS NULL OR recipe_version = :version) AND (:pool IS NULL OR EXISTS "                      \
    "(SELECT 1 FROM run_pool WHERE run_pool.pool = :pool AND run_pool.run = run.id)) "

#define RUN_PAGE "AND run.id < :before " RUN_FILTER "ORDER BY run.id DESC LIMIT :limit"

/* Newest first by start, for the ways in that are sorted by it; a run's id settles a tie. The cursor is a
 * run as everywhere, and its start is looked up. */
#define RUN_CURSOR_STARTED "coalesce((SELECT started FROM run WHERE id = :before), '~') "
#define RUN_PAGE_BY_TIME                                                                                     \
    "started >= :from AND started <= min(:to, " RUN_CURSOR_STARTED ") "                                      \
    "AND (+started < " RUN_CURSOR_STARTED "OR run.id < :before) " RUN_FILTER                                 \
    "ORDER BY started DESC, run.id DESC LIMIT :limit"

/* What an order says of its units beforehand may be a megabyte: a list of jobs says only how many they are,
 * and whether they are chosen by a code. */
#define JOB_FIELDS_WITH(options)                                                                             \
    "SELECT id AS cursor, id, state, reason, chip, images AS images_json, stations AS stations_json, "       \
    "quantity, \"trigger\", work_order, hold_after_failures, " options                                       \
    " AS options_json, iif(json_type(options, '$.units') = 'array', json_object('count', "                   \
    "json_array_length(options, '$.units'), 'codes', json(iif(json_type(options, '$.units[0].code') "        \
    "IS NULL, 'false', 'true'))), NULL) AS units_json, \"by\", submitted, "                                  \
    "json_object('started', started, 'passed', passed, 'failed', failed, 'aborted', aborted, "               \
    "'unknown', unknown) AS counts_json, " RECIPE_OF "AS recipe_json, serial_pool "

#define JOB_FIELDS  JOB_FIELDS_WITH("options")
#define JOB_COLUMNS JOB_FIELDS "FROM job "
#define JOB_LIST    JOB_FIELDS_WITH("json_remove(options, '$.units')") "FROM job "

#define JOB_PAGE                                                                                             \
    "AND id < :before AND (:state IS NULL OR +state = :state) "                                              \
    "AND (:work_order IS NULL OR +work_order = :work_order) ORDER BY id DESC LIMIT :limit"

#define IMAGE_COLUMNS                                                                                        \
    "SELECT fact AS cursor, id, name, format, size, base, ranges AS ranges_json, added, \"by\" FROM image "

/* What is left has no state yet: above `next`, and in gaps below it. */
#define POOL_FIELDS                                                                                          \
    "SELECT id AS cursor, name, kind, format AS format_json, first, last, step, next, state, reason, "       \
    "warn_percent AS warn_percent_json, \"by\", created, fact, (last - first + 1) / step - issued AS left, " \
    "(SELECT max(value) FROM json_each(warn_percent) "                                                       \
    "WHERE value * ((last - first + 1) / step) <= 100 * issued) AS warning, "                                \
    "issued, json_object('reserved', reserved, 'bound', bound, 'pass', pass, 'fail', fail, "                 \
    "'unknown', unknown, 'burned', burned, 'returned', returned) AS counts_json "

#define SERIAL_FIELDS                                                                                        \
    "text AS serial, pool, number, state, run, uid, attempts, job, reason, \"by\", updated, fact FROM "      \
    "serial "

#define SERIAL_COLUMNS    "SELECT id AS cursor, " SERIAL_FIELDS
#define SERIALS_BY_NUMBER "SELECT number AS cursor, " SERIAL_FIELDS

#define RECIPE_COLUMNS                                                                                       \
    "SELECT id AS cursor, name, version, state, hash, content AS content_json, \"by\", created, "            \
    "released_by, released, reason, fact FROM recipe "

#define RECIPE_PAGE                                                                                          \
    "AND id < :before AND (:name IS NULL OR +name = :name) AND (:state IS NULL OR +state = :state) "         \
    "ORDER BY id DESC LIMIT :limit"

/* What a long list is asked for: which board, where, when, and what came of it; as text, since most of the
 * time of such a list went into objects that were only made to be printed. */
#define BRIEF_COLUMNS                                                                                        \
    "SELECT run.id AS cursor, json_object('id', run.id, 'job', job, 'station', station, 'outcome', "         \
    "outcome, 'class', class, 'message', message, 'serial', serial, 'uid', uid, 'chip', chip, 'image', "     \
    "run.image, 'work_order', work_order, 'started', started, 'ended', ended, 'by', \"by\") AS brief "

/* Every way to a list of runs. BY_NUMBER: those of the chip that has a number, be it a serial, an address or
 * a key. */
#define RUN_LISTS(name, columns)                                                                             \
    [name] = columns "FROM run WHERE true " RUN_PAGE,                                                        \
    [name##_BY_SERIAL] = columns "FROM run WHERE serial = :serial " RUN_PAGE,                                \
    [name##_BY_UID] = columns "FROM run WHERE uid = :uid " RUN_PAGE,                                         \
    [name##_BY_IMAGE] =                                                                                      \
        columns "FROM run_image AS used CROSS JOIN run ON run.id = used.run WHERE used.image = :image "      \
                "AND used.run < :before " RUN_FILTER "ORDER BY used.run DESC LIMIT :limit",                  \
    [name##_BY_WORK_ORDER] = columns "FROM run WHERE work_order = :work_order " RUN_PAGE,                    \
    [name##_BY_JOB] = columns "FROM run WHERE job = :job " RUN_PAGE,                                         \
    [name##_BY_STATION] = columns "FROM run WHERE station = :station AND " RUN_PAGE_BY_TIME,                 \
    [name##_BY_WHO] = columns "FROM run WHERE \"by\" = :by AND " RUN_PAGE_BY_TIME,                           \
    [name##_BY_RECIPE] = columns "FROM run WHERE recipe = :recipe " RUN_PAGE,                                \
    [name##_BY_RECIPE_VERSION] =                                                                             \
        columns "FROM run WHERE recipe = :recipe AND recipe_version = :version " RUN_PAGE,                   \
    [name##_BY_POOL] =                                                                                       \
        columns "FROM run_pool AS used CROSS JOIN run ON run.id = used.run WHERE used.pool = :pool "         \
                "AND used.run < :before " RUN_FILTER "ORDER BY used.run DESC LIMIT :limit",                  \
    [name##_BY_NUMBER] = columns                                                                             \
        "FROM run WHERE uid = (SELECT held.uid FROM serial AS held WHERE held.text = :number) " RUN_PAGE,    \
    [name##_BY_TIME] = columns "FROM run WHERE " RUN_PAGE_BY_TIME,                                           \
    [name##_BY_OUTCOME] = columns "FROM run WHERE outcome IS :outcome " RUN_PAGE

/* Jobs that a tally or a run (`row`) may be of. */
#define JOB_FITS(row)                                                                                        \
    "AND (:recipe IS NULL OR EXISTS (SELECT 1 FROM job AS made WHERE made.id = " row ".job "                 \
    "AND made.recipe = :recipe AND (:version IS NULL OR made.recipe_version = :version))) "                  \
    "AND (:work_order IS NULL OR EXISTS (SELECT 1 FROM job AS made WHERE made.id = " row ".job "             \
    "AND made.work_order = :work_order)) "

#define TALLY_FILTER                                                                                         \
    "one.span = :span AND one.start >= :first AND one.start < :last "                                        \
    "AND (:station IS NULL OR one.station = :station) AND (:job IS NULL OR +one.job = :job) " JOB_FITS(      \
        "one")

/* Every way to a kind of tally. */
#define TALLY_WAYS(name, table, columns)                                                                     \
    [name##_BY_TIME] = columns "FROM " table " AS one WHERE " TALLY_FILTER,                                  \
    [name##_BY_JOB] =                                                                                        \
        columns "FROM " table " AS one INDEXED BY " table "_job WHERE one.job = :job AND " TALLY_FILTER,     \
    [name##_BY_WORK_ORDER] =                                                                                 \
        columns "FROM job CROSS JOIN " table " AS one INDEXED BY " table "_job ON one.job = job.id "         \
                "WHERE job.work_order = :work_order AND " TALLY_FILTER

/* Each station that ever had a run, one step along the index for each. */
#define PLACES                                                                                               \
    "WITH RECURSIVE place(name) AS (SELECT min(station) FROM run UNION ALL "                                 \
    "SELECT (SELECT min(station) FROM run WHERE station > place.name) FROM place WHERE name IS NOT NULL) "

/* The last runs that ended at a place. */
#define LAST_RUNS                                                                                            \
    "FROM run WHERE station = place.name AND +outcome IS NOT NULL ORDER BY started DESC, id DESC LIMIT "

_Static_assert(QUERY_BRIEF_BY_OUTCOME - QUERY_BRIEF == QUERY_RUNS_BY_OUTCOME - QUERY_RUNS,
               "lists in one order");

const char *const queries[QUERY_COUNT] = {
    [QUERY_BEGIN] = "BEGIN IMMEDIATE",
    [QUERY_BEGIN_READING] = "BEGIN",
    [QUERY_COMMIT] = "COMMIT",
    [QUERY_ROLLBACK] = "ROLLBACK",
    [QUERY_SAVEPOINT] = "SAVEPOINT append",
    [QUERY_ROLLBACK_TO] = "ROLLBACK TO append",
    [QUERY_RELEASE] = "RELEASE append",
    [QUERY_APPEND] = "INSERT INTO ledger (sequence, utc_us, monotonic_us, clock, boot, kind, body, hash) "
                     "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    [QUERY_LAST_RECORDS] = "SELECT sequence, utc_us, monotonic_us, clock, boot, kind, body, hash FROM "
                           "(SELECT * FROM ledger ORDER BY sequence DESC LIMIT 2) ORDER BY sequence",

    [QUERY_HASHES_AFTER] = "SELECT hash FROM ledger WHERE sequence > ?1 ORDER BY sequence",
    [QUERY_RECORD_HASH] = "SELECT hash FROM ledger WHERE sequence = ?1",
    [QUERY_TILES] = "SELECT hash FROM tile ORDER BY idx",
    [QUERY_CHECKPOINT] = "SELECT fact AS cursor, size, root, note, fact AS sequence FROM checkpoint "
                         "ORDER BY size DESC LIMIT 1",

    [QUERY_RUN] = RUN_COLUMNS "FROM run WHERE id = :id",
    RUN_LISTS(QUERY_RUNS, RUN_COLUMNS),
    RUN_LISTS(QUERY_BRIEF, BRIEF_COLUMNS),

    [QUERY_JOB] = JOB_COLUMNS "WHERE id = :id",
    [QUERY_JOBS] = JOB_LIST "WHERE true " JOB_PAGE,
    [QUERY_JOBS_BY_STATE] = JOB_LIST "WHERE state = :state " JOB_PAGE,
    [QUERY_JOBS_BY_WORK_ORDER] = JOB_LIST "WHERE work_order = :work_order " JOB_PAGE,

    [QUERY_IMAGE] = IMAGE_COLUMNS "WHERE id = :id",
    [QUERY_IMAGES] = IMAGE_COLUMNS "WHERE fact < :before ORDER BY fact DESC LIMIT :limit",

    [QUERY_IDEMPOTENCY] = "SELECT fact AS cursor, key, body_sha256, job FROM idempotency WHERE key = :id",

    [QUERY_TAUGHT] = "SELECT fact AS cursor, run, sums AS sums_json FROM taught WHERE content = :id",

    [QUERY_LEDGER] = "SELECT sequence + 1 AS cursor, sequence, utc, monotonic_us, clock, boot, kind, "
                     "body AS body_json, body AS canonical, lower(hex(hash)) AS hash FROM ledger "
                     "WHERE sequence >= :first ORDER BY sequence LIMIT :limit",

    [QUERY_POOL] = POOL_FIELDS "FROM pool WHERE name = :id",
    [QUERY_POOLS] = POOL_FIELDS "FROM pool WHERE id < :before ORDER BY id DESC LIMIT :limit",
    [QUERY_SERIAL] = SERIAL_COLUMNS "WHERE text = :id",
    [QUERY_SERIALS] = SERIAL_COLUMNS "WHERE id < :before AND (:state IS NULL OR state = :state) "
                                     "ORDER BY id DESC LIMIT :limit",
    [QUERY_SERIALS_BY_STATE] = SERIAL_COLUMNS "WHERE state = :state AND state <> 'pass' AND id < :before "
                                              "ORDER BY id DESC LIMIT :limit",
    [QUERY_SERIALS_OF_POOL] = SERIALS_BY_NUMBER "WHERE pool = :pool AND number < :before "
                                                "ORDER BY number DESC LIMIT :limit",
    [QUERY_SERIALS_OF_POOL_BY_STATE] =
        SERIALS_BY_NUMBER "WHERE pool = :pool AND state = :state AND number < :before "
                          "ORDER BY number DESC LIMIT :limit",
    [QUERY_SERIALS_OF_UID] = SERIAL_COLUMNS "WHERE uid = :id AND id < :before ORDER BY id DESC LIMIT :limit",
    [QUERY_RECIPE] = RECIPE_COLUMNS "WHERE name = :id AND version = :version",
    [QUERY_RECIPE_NEWEST] =
        RECIPE_COLUMNS "WHERE name = :id AND +state = 'released' ORDER BY version DESC LIMIT 1",
    [QUERY_RECIPES] = RECIPE_COLUMNS "WHERE true " RECIPE_PAGE,
    [QUERY_RECIPES_BY_NAME] = RECIPE_COLUMNS "WHERE name = :name " RECIPE_PAGE,
    [QUERY_RECIPES_BY_STATE] = RECIPE_COLUMNS "WHERE state = :state " RECIPE_PAGE,
    [QUERY_SIGNATURES] = "SELECT fact AS cursor, image, key_id, key_name, comment, signature, \"by\", added "
                         "FROM image_signature WHERE image = :id LIMIT :limit",
    [QUERY_UNITS_MADE] = "SELECT 0 AS cursor, coalesce((SELECT count FROM units_made WHERE thing = :id "
                         "AND version = :version), 0) AS count",
    [QUERY_WEBHOOKS] =
        "SELECT fact AS cursor, id, url, topics AS topics_json, state, reason, \"by\", created, "
        "updated FROM webhook WHERE state <> 'removed' ORDER BY id LIMIT :limit",
    [QUERY_BACKUPS] = "SELECT fact AS cursor, name, size, sha256, sequence, \"by\", made FROM backup "
                      "WHERE fact < :before ORDER BY fact DESC LIMIT :limit",
    [QUERY_HEAD] = "SELECT sequence, lower(hex(hash)) FROM ledger ORDER BY sequence DESC LIMIT 1",

    TALLY_WAYS(
        QUERY_TALLY, "tally",
        "SELECT one.start, one.station, one.runs, one.pass, one.fail, one.aborted, one.unknown, "
        "one.cancelled, one.units, one.first_pass, one.passed_units, one.us, one.floor_us, one.wire_us, "
        "one.target_us, one.host_us, one.retry_us, one.timed_runs, one.bytes "),
    TALLY_WAYS(QUERY_CLASSES, "tally_class", "SELECT one.start, one.station, one.class, one.count "),
    [QUERY_TALLY_LAST_HOUR] = "SELECT max(start) / 3600 * 3600 FROM tally WHERE span = 300",
    [QUERY_TALLY_ENDS_OF_JOB] =
        "SELECT (SELECT min(start) FROM tally WHERE tally.job = :job AND span = 300), "
        "(SELECT max(start) + 300 FROM tally WHERE tally.job = :job AND span = 300)",
    [QUERY_TALLY_ENDS_OF_WORK_ORDER] =
        "SELECT min((SELECT min(start) FROM tally WHERE tally.job = job.id AND span = 300)), "
        "max((SELECT max(start) + 300 FROM tally WHERE tally.job = job.id AND span = 300)) "
        "FROM job WHERE work_order = :work_order",
    [QUERY_PACE] = "SELECT ended FROM run INDEXED BY run_passed WHERE outcome = 'pass' AND ended > :since "
                   "AND ended <= :now "
                   "AND (:station IS NULL OR +station = :station) "
                   "AND (:job IS NULL OR +job = :job) " JOB_FITS("run") "ORDER BY ended",
    [QUERY_RECENT] =
        PLACES "SELECT name, (SELECT json_group_array(json_object('run', id, 'outcome', outcome, "
               "'class', class, 'serial', serial, 'ended', ended)) "
               "FROM (SELECT id, outcome, class, serial, ended " LAST_RUNS ":count)) "
               "FROM place WHERE name IS NOT NULL",
    [QUERY_STATION_MEASURES] = PLACES
    "SELECT name, (SELECT json_object('station', place.name, 'chip', place.chip, "
    "'runs', coalesce(sum(true), 0), 'passed', coalesce(sum(outcome = 'pass'), 0), "
    "'measures', json_object('contact_attempts', round(avg(attempts), 3), 'naks', round(avg(naks), 3), "
    "'retries', round(avg(retries), 3), 'excess_us', CAST(round(avg(excess_us)) AS INTEGER), "
    "'contact_us', CAST(round(avg(contact_us)) AS INTEGER))) "
    "FROM (SELECT outcome, class, chip, link ->> 'attempts' AS attempts, link ->> 'naks' AS naks, "
    "details ->> 'retries' AS retries, iif(outcome = 'pass', (SELECT sum(one.value ->> 'us') "
    "FROM json_each(details, '$.phases') AS one) - (details ->> 'floor_us'), NULL) AS excess_us, "
    "(SELECT one.value ->> 'us' FROM json_each(details, '$.phases') AS one "
    "WHERE one.value ->> 'name' = 'connect') AS contact_us " LAST_RUNS ":count) AS last "
    "WHERE last.class IS NOT 'cancelled' AND last.chip = place.chip) "
    "FROM (SELECT name, (SELECT chip " LAST_RUNS "1) AS chip FROM place WHERE name IS NOT NULL) AS place",

    /* A run that nobody saw the end of was no turn: its station gets another. */
    [QUERY_LOAD_JOBS] =
        JOB_FIELDS ", (SELECT json_group_array(DISTINCT station) FROM run WHERE run.job = job.id "
                   "AND outcome IN ('pass', 'fail', 'aborted')) AS served_json FROM job "
                   "WHERE state IN ('running', 'held') ORDER BY id",
    [QUERY_LOAD_RUNS] = RUN_COLUMNS "FROM run WHERE outcome IS NULL ORDER BY id",
    /* With the board that a station served last, for a job that is still open. */
    [QUERY_LOAD_STATIONS] =
        "SELECT station.fact AS cursor, station.name, iif(station.enabled, 'true', 'false') AS enabled_json, "
        "job.id AS served_job, run.uid AS served_uid FROM station "
        "LEFT JOIN run ON run.outcome <> 'unknown' AND run.id = (SELECT last.id FROM run AS last "
        "WHERE last.station = station.name ORDER BY last.started DESC LIMIT 1) "
        "LEFT JOIN job ON job.id = run.job AND (job.state = 'running' OR job.state = 'held') "
        "ORDER BY station.name",
    /* With the gaps, from the number on below which there are none: places between what is taken, each in as
     * many numbers as fit. A farm needs few at a time; the rest shows when those are used. */
    [QUERY_LOAD_POOLS] = POOL_FIELDS
    ", iif(kind = 'key', (SELECT json_group_array(json_object('id', one.id, 'sha256', one.sha256)) FROM "
    "(SELECT id, sha256 FROM pool_item WHERE pool_item.pool = pool.name ORDER BY number) AS one), NULL) "
    "AS items_json, iif(gapless = next, '[]', (WITH RECURSIVE taken(first, last) AS "
    "(SELECT number, number FROM serial WHERE serial.pool = pool.name AND number >= pool.gapless UNION ALL "
    "SELECT burned.first, burned.last FROM burned WHERE burned.pool = pool.name "
    "AND burned.last >= pool.gapless), "
    "place(first, stop) AS (SELECT lag(last, 1, pool.gapless - pool.step) OVER (ORDER BY first) + pool.step, "
    "first FROM taken), "
    "gap(number, stop) AS (SELECT first, stop FROM place WHERE first < stop UNION ALL "
    "SELECT number + pool.step, stop FROM gap WHERE number + pool.step < stop ORDER BY 1 LIMIT 1000) "
    "SELECT json_group_array(number) FROM gap)) AS gaps_json FROM pool ORDER BY id",
    [QUERY_LOAD_DOUBT] =
        SERIAL_COLUMNS "WHERE state <> 'pass' AND state IN ('reserved', 'bound', 'unknown') ORDER BY id",
    [QUERY_LOAD_LAST] = "SELECT 0 AS cursor, (SELECT coalesce(max(id), 0) FROM job) AS last_job, "
                        "(SELECT coalesce(max(id), 0) FROM run) AS last_run, "
                        "iif((SELECT stopped IS NULL FROM daemon), 'false', 'true') AS clean_json",
};

/* A reader can hold the write lock for an instant (it repairs a torn index of the write-ahead log), so that
 * even the only writer needs the time-out. */
const char *const queries_settings = "PRAGMA busy_timeout = 5000;"
                                     "PRAGMA foreign_keys = ON;"
                                     "PRAGMA recursive_triggers = ON;";

const char *const queries_writer_settings = "PRAGMA journal_mode = WAL;"
                                            "PRAGMA synchronous = FULL;"
                                            "PRAGMA temp_store = MEMORY;" /* of savepoints: once a fact */
                                            "PRAGMA journal_size_limit = 16777216;";

/* Whoever wants the copy syncs it when it is whole, and throws it away when it is not. */
const char *const queries_copy_settings = "PRAGMA synchronous = OFF;"
                                          "PRAGMA journal_mode = OFF;";
