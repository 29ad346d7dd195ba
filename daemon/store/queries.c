/* SPDX-License-Identifier: Apache-2.0 */
#include "queries.h"

#define RUN_COLUMNS                                                                                          \
    "SELECT run.id AS cursor, run.id, job, station, port, outcome, class, message, serial, uid, chip, "      \
    "chip_id, run.image, images AS images_json, work_order, started, ended, \"by\", version, "               \
    "details -> 'verify' AS verify_json, details ->> 'baud' AS baud, details ->> 'retries' AS retries, "     \
    "details ->> 'flash_size' AS flash_size, details -> 'phases' AS phases_json, "                           \
    "details ->> 'floor_us' AS floor_us, details -> 'shares' AS shares_json "

/* What every list of runs also filters by; a value that is not given lets all rows through. The unary plus
 * keeps the planner from taking these terms for the way in: each text below has its own. */
#define RUN_FILTER                                                                                           \
    "AND (:serial IS NULL OR serial = :serial) AND (:uid IS NULL OR uid = :uid) "                            \
    "AND (:work_order IS NULL OR work_order = :work_order) AND (:job IS NULL OR job = :job) "                \
    "AND (:station IS NULL OR station = :station) AND (:any_outcome OR +outcome IS :outcome) "               \
    "AND +started >= :from AND +started < :to AND (:image IS NULL OR EXISTS "                                \
    "(SELECT 1 FROM run_image WHERE run_image.image = :image AND run_image.run = run.id)) "

#define RUN_PAGE "AND run.id < :before " RUN_FILTER "ORDER BY run.id DESC LIMIT :limit"

/* Newest first by start, for the ways in that are sorted by it; a run's id settles a tie. The cursor is a
 * run as everywhere, and its start is looked up. */
#define RUN_CURSOR_STARTED "coalesce((SELECT started FROM run WHERE id = :before), '~') "
#define RUN_PAGE_BY_TIME                                                                                     \
    "started >= :from AND started <= min(:to, " RUN_CURSOR_STARTED ") "                                      \
    "AND (+started < " RUN_CURSOR_STARTED "OR run.id < :before) " RUN_FILTER                                 \
    "ORDER BY started DESC, run.id DESC LIMIT :limit"

#define JOB_FIELDS                                                                                           \
    "SELECT id AS cursor, id, state, reason, chip, images AS images_json, stations AS stations_json, "       \
    "quantity, \"trigger\", work_order, hold_after_failures, options AS options_json, \"by\", submitted, "   \
    "json_object('started', started, 'passed', passed, 'failed', failed, 'aborted', aborted, "               \
    "'unknown', unknown) AS counts_json "

#define JOB_COLUMNS JOB_FIELDS "FROM job "

#define JOB_PAGE                                                                                             \
    "AND id < :before AND (:state IS NULL OR +state = :state) "                                              \
    "AND (:work_order IS NULL OR +work_order = :work_order) ORDER BY id DESC LIMIT :limit"

#define IMAGE_COLUMNS                                                                                        \
    "SELECT fact AS cursor, id, name, format, size, base, ranges AS ranges_json, added, \"by\" FROM image "

const char *const queries[QUERY_COUNT] = {
    [QUERY_BEGIN] = "BEGIN IMMEDIATE",
    [QUERY_COMMIT] = "COMMIT",
    [QUERY_ROLLBACK] = "ROLLBACK",
    [QUERY_SAVEPOINT] = "SAVEPOINT append",
    [QUERY_ROLLBACK_TO] = "ROLLBACK TO append",
    [QUERY_RELEASE] = "RELEASE append",
    [QUERY_APPEND] = "INSERT INTO ledger (sequence, utc_us, monotonic_us, clock, boot, kind, body, hash) "
                     "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    [QUERY_LAST_RECORDS] = "SELECT sequence, utc_us, monotonic_us, clock, boot, kind, body, hash FROM "
                           "(SELECT * FROM ledger ORDER BY sequence DESC LIMIT 2) ORDER BY sequence",

    [QUERY_RUN] = RUN_COLUMNS "FROM run WHERE id = :id",
    [QUERY_RUNS] = RUN_COLUMNS "FROM run WHERE true " RUN_PAGE,
    [QUERY_RUNS_BY_SERIAL] = RUN_COLUMNS "FROM run WHERE serial = :serial " RUN_PAGE,
    [QUERY_RUNS_BY_UID] = RUN_COLUMNS "FROM run WHERE uid = :uid " RUN_PAGE,
    [QUERY_RUNS_BY_IMAGE] =
        RUN_COLUMNS "FROM run_image AS used CROSS JOIN run ON run.id = used.run WHERE used.image = :image "
                    "AND used.run < :before " RUN_FILTER "ORDER BY used.run DESC LIMIT :limit",
    [QUERY_RUNS_BY_WORK_ORDER] = RUN_COLUMNS "FROM run WHERE work_order = :work_order " RUN_PAGE,
    [QUERY_RUNS_BY_JOB] = RUN_COLUMNS "FROM run WHERE job = :job " RUN_PAGE,
    [QUERY_RUNS_BY_STATION] = RUN_COLUMNS "FROM run WHERE station = :station AND " RUN_PAGE_BY_TIME,
    [QUERY_RUNS_BY_TIME] = RUN_COLUMNS "FROM run WHERE " RUN_PAGE_BY_TIME,
    [QUERY_RUNS_BY_OUTCOME] = RUN_COLUMNS "FROM run WHERE outcome IS :outcome " RUN_PAGE,

    [QUERY_JOB] = JOB_COLUMNS "WHERE id = :id",
    [QUERY_JOBS] = JOB_COLUMNS "WHERE true " JOB_PAGE,
    [QUERY_JOBS_BY_STATE] = JOB_COLUMNS "WHERE state = :state " JOB_PAGE,
    [QUERY_JOBS_BY_WORK_ORDER] = JOB_COLUMNS "WHERE work_order = :work_order " JOB_PAGE,

    [QUERY_IMAGE] = IMAGE_COLUMNS "WHERE id = :id",
    [QUERY_IMAGES] = IMAGE_COLUMNS "WHERE fact < :before ORDER BY fact DESC LIMIT :limit",

    [QUERY_IDEMPOTENCY] = "SELECT fact AS cursor, key, body_sha256, job FROM idempotency WHERE key = :id",

    [QUERY_TAUGHT] = "SELECT fact AS cursor, run, sums AS sums_json FROM taught WHERE content = :id",

    [QUERY_LEDGER] = "SELECT sequence + 1 AS cursor, sequence, utc, monotonic_us, clock, boot, kind, "
                     "body AS body_json, body AS canonical, lower(hex(hash)) AS hash FROM ledger "
                     "WHERE sequence >= :first ORDER BY sequence LIMIT :limit",

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
