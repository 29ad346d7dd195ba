/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a run, and its record: run.started is durable before the first byte is erased, run.ended before
 * anybody is told (law 5). */
#include "parts.h"

#include "alloc.h"
#include "bytes.h"

#include <errno.h>
#include <stdlib.h>

#define RECORD_RETRY_US 1000000

struct running {
    struct station *station;
    struct job *job;
    int64_t id;
    bool recorded; /* run.started is durable */
    json_t *sums;  /* what this unit has taught; NULL: nothing */
    char started[28];
};

static void format_now(const struct farm *farm, char text[28])
{
    clock_format_utc(clock_utc_us(farm->options.clock), text);
}

static void add_board(json_t *body, const struct board *board)
{
    char uid[2 * BOARD_UID_MAX + 1];
    char chip_id[12];

    if (board->chip_id) {
        (void)snprintf(chip_id, sizeof chip_id, "0x%03x", board->chip_id);
        (void)json_object_set_new(body, "chip_id", json_string(chip_id));
    }
    if (board->flash_size)
        (void)json_object_set_new(body, "flash_size", json_integer((json_int_t)board->flash_size));
    if (board->bootloader)
        (void)json_object_set_new(body, "bootloader", json_integer((json_int_t)board->bootloader));
    if (board->uid_size) {
        bytes_to_hex(board->uid, board->uid_size, uid);
        (void)json_object_set_new(body, "uid", json_string(uid));
    }
}

static json_t *started_body(const struct running *running, const struct board *board)
{
    const struct station *station = running->station;
    const struct job *job = running->job;
    json_t *body =
        json_pack("{s:I,s:I,s:s,s:s,s:s,s:O,s:s,s:s,s:s,s:s}", "id", (json_int_t)running->id, "job",
                  (json_int_t)job->id, "station", station->settings.name, "port", station->settings.port,
                  "chip", job->order.chip->name, "images", job->images, "work_order", job->work_order, "by",
                  job->by, "started", running->started, "version", FLASHFARM_VERSION);

    add_board(body, board);
    return body;
}

static json_t *phases_of(const struct report *report)
{
    json_t *phases = json_array();

    for (int i = 0; i < PHASE_COUNT; i++) {
        const struct phase_report *phase = &report->phases[i];

        if (phase->entered)
            (void)json_array_append_new(
                phases,
                json_pack("{s:s,s:I,s:I,s:I,s:I,s:I,s:I}", "name", phase_word((enum phase_name)i), "us",
                          (json_int_t)phase->measured_us, "floor_us", (json_int_t)phase->floor_us, "wire_us",
                          (json_int_t)phase->wire_us, "target_us", (json_int_t)phase->target_us, "host_us",
                          (json_int_t)phase->host_us, "retry_us", (json_int_t)phase->retry_us));
    }
    return phases;
}

static double share(int64_t part, int64_t whole)
{
    int64_t per_mille = whole ? part * 1000 / whole : 0;

    return (double)per_mille / 1000;
}

/* Who took the time of the whole run. */
static json_t *shares_of(const struct report *report, int64_t *floor_us)
{
    int64_t sum = 0, wire = 0, target = 0, host = 0, retry = 0;

    *floor_us = 0;
    for (int i = 0; i < PHASE_COUNT; i++)
        if (report->phases[i].entered) {
            sum += report->phases[i].measured_us;
            wire += report->phases[i].wire_us;
            target += report->phases[i].target_us;
            host += report->phases[i].host_us;
            retry += report->phases[i].retry_us;
            *floor_us += report->phases[i].floor_us;
        }
    return json_pack("{s:f,s:f,s:f,s:f}", "wire", share(wire, sum), "target", share(target, sum), "host",
                     share(host, sum), "retry", share(retry, sum));
}

static void add_verify(json_t *body, const struct running *running, const struct report *report)
{
    char digest[2 * sizeof report->digest + 1];
    json_t *verify;

    if (report->verify == VERIFY_NONE)
        return;
    bytes_to_hex(report->digest, sizeof report->digest, digest);
    verify = json_pack("{s:s,s:s}", "method", verify_method_word(report->verify), "digest", digest);
    if (report->board.hidden.size)
        (void)json_object_set_new(verify, "hidden",
                                  json_pack("{s:I,s:I}", "address", (json_int_t)report->board.hidden.address,
                                            "size", (json_int_t)report->board.hidden.size));
    if (report->verify == VERIFY_TWICE && running->sums)
        (void)json_object_set(verify, "sums", running->sums);
    if (report->verify == VERIFY_LEARNED && running->job->taught_by)
        (void)json_object_set_new(verify, "taught_by", json_integer(running->job->taught_by));
    (void)json_object_set_new(body, "verify", verify);
}

static json_t *ended_body(const struct running *running, const struct report *report)
{
    char ended[28];
    int64_t floor_us;
    json_t *shares = shares_of(report, &floor_us);
    json_t *body;

    format_now(running->station->farm, ended);
    body = json_pack("{s:I,s:s,s:s,s:I,s:I,s:I,s:o,s:o,s:I}", "id", (json_int_t)running->id, "outcome",
                     outcome_word(report->outcome), "ended", ended, "baud", (json_int_t)report->baud,
                     "retries", (json_int_t)report->retries, "bytes", (json_int_t)report->bytes_written,
                     "phases", phases_of(report), "shares", shares, "floor_us", (json_int_t)floor_us);
    if (report->failure != FAILURE_NONE) {
        (void)json_object_set_new(body, "class", json_string(failure_word(report->failure)));
        (void)json_object_set_new(body, "message", json_string(report->error.text));
    }
    add_board(body, &report->board);
    add_verify(body, running, report);
    return body;
}

/* A board is in one pair of hands at a time. */
static int interlock(void *context, const struct board *board, struct error *error)
{
    struct station *station = ((struct running *)context)->station;
    const struct station *other;

    station->board = *board;
    station->board_known = true;
    other = farm_uid_in_use(station->farm, station, board);
    return other ? error_set(error, FAILURE_CODE(FAILURE_DUPLICATE_UID),
                             "station %s has a board with the same unique id in its hands",
                             other->settings.name)
                 : 0;
}

/* The watcher's last word before the first erase. */
static int reserve(void *context, const struct board *board, struct error *error)
{
    struct running *running = context;
    struct farm *farm = running->station->farm;
    struct store_fact fact = {.kind = "run.started"};

    if (running->job->state == JOB_CANCELLED)
        return error_set(error, -ECANCELED, "the job was cancelled");
    fact.body = started_body(running, board);
    if (store_append_wait(farm->options.store, farm->options.fibers, &fact, 1, error) < 0) {
        (void)error_prefix(error, "the run could not be recorded");
        return error_reclass(error, FAILURE_CODE(FAILURE_RECORD));
    }
    running->recorded = true;
    return 0;
}

static void note_progress(void *context, const struct progress *progress)
{
    struct running *running = context;

    running->station->progress = *progress;
    running->station->dirty = true;
    farm_tell(running->station->farm);
}

static bool known_sums(void *context, struct sector_sum *sums, size_t count)
{
    return sums_known(((struct running *)context)->job, sums, count);
}

static void learn_sums(void *context, const struct sector_sum *sums, size_t count)
{
    struct running *running = context;

    json_decref(running->sums);
    running->sums = sums_learn(running->job, running->id, sums, count);
}

/* The outcome, and before it the start when the run never got so far: until both are durable. False when
 * the daemon has to stop before the disk takes them. */
static bool record_outcome(struct running *running, const struct report *report)
{
    struct farm *farm = running->station->farm;
    struct store *store = farm->options.store;
    json_t *started = started_body(running, &report->board);
    json_t *ended = ended_body(running, report);
    struct error error = ERROR_NONE;
    int status;

    for (;;) {
        struct store_fact facts[2] = {{.kind = "run.started", .body = json_incref(started)},
                                      {.kind = "run.ended", .body = json_incref(ended)}};

        if (running->recorded) {
            json_decref(facts[0].body);
            status = store_append_wait(store, farm->options.fibers, facts + 1, 1, &error);
        } else {
            status = store_append_wait(store, farm->options.fibers, facts, 2, &error);
        }
        if (status == 0)
            break;
        log_error(&running->station->log, "run %lld: the outcome cannot be recorded: %s",
                  (long long)running->id, error.text);
        /* Room may come back; a fact that the schema refuses never gets better. */
        if (status != -ENOSPC && status != -EIO)
            break;
        station_set_state(running->station, STATE_RECORDING, error.text);
        (void)fiber_sleep_until(farm->options.fibers, farm->options.clock,
                                clock_monotonic_us(farm->options.clock) + RECORD_RETRY_US);
        if (farm->stop_at_once)
            break;
    }
    json_decref(started);
    json_decref(ended);
    return status == 0;
}

static void remember_last(struct running *running, const struct report *report)
{
    struct station *station = running->station;
    char ended[28];

    format_now(station->farm, ended);
    json_decref(station->last);
    station->last = json_pack("{s:I,s:s,s:s,s:s,s:s}", "run", (json_int_t)running->id, "outcome",
                              outcome_word(report->outcome), "class", failure_word(report->failure),
                              "message", report->error.text, "ended", ended);
    station->counts.outcome[report->outcome]++;
    station->counts.failure[report->failure]++;
    station->farm->statistics.runs_by_outcome[report->outcome]++;
    station->farm->statistics.bytes_written += report->bytes_written;
}

static struct running begin(struct station *station, struct job *job)
{
    struct running running = {.station = station, .job = job, .id = ++station->farm->last_run};

    format_now(station->farm, running.started);
    job_claim(job, station);
    station->job = job;
    station->run = running.id;
    station->board_known = false;
    station->progress = (struct progress){.percent = 0};
    station_set_state(station, STATE_RUNNING, "");
    return running;
}

static void end(struct running *running, const struct report *report)
{
    struct station *station = running->station;
    enum outcome outcome = report->outcome;

    /* A cancellation that came too late for the board must not cut off its record, nor the next unit. */
    fiber_uncancel(fiber_current(station->farm->options.fibers));
    if (report->outcome == OUTCOME_PASS)
        log_info(&station->log, "run %lld: pass", (long long)running->id);
    else
        log_warning(&station->log, "run %lld: %s, %s: %s", (long long)running->id,
                    outcome_word(report->outcome), failure_word(report->failure), report->error.text);
    if (record_outcome(running, report))
        remember_last(running, report);
    else
        outcome = OUTCOME_UNKNOWN; /* which is what the record will say */
    fiber_uncancel(fiber_current(station->farm->options.fibers));
    station->job = NULL;
    station->run = 0;
    job_settle(running->job, outcome);
}

enum outcome run_unit(struct station *station, struct job *job)
{
    struct running running = begin(station, job);
    const struct program_watcher watcher = {.interlock = interlock,
                                            .reserve = reserve,
                                            .progress = note_progress,
                                            .known_sums = known_sums,
                                            .learn_sums = learn_sums,
                                            .context = &running};
    struct session session = station_session(station);
    struct report report;
    int64_t job_id = job->id;

    session.in_step = station->in_step;
    station->in_step = false;
    sums_prepare(job, station->protocol);
    if (station->record_next)
        recording_begin(station, &session, &job->order);
    (void)program_board(&session, &job->order, job_plan(job, station->protocol), &watcher, &report);
    station->entered = false; /* whatever it ended with, the lines were let go of */
    recording_end(station, &report);
    free(session.state);
    if (session.baud_proven)
        station->baud_proven = session.baud_proven;
    station->board = report.board; /* also of a board that was refused: it may still be in the socket */
    station->board_known = report.board.chip_id != 0;
    station->board_served = true;
    station->served_job = job_id;
    station->half_way = report.outcome != OUTCOME_PASS;
    end(&running, &report);
    json_decref(running.sums);
    return report.outcome;
}

void run_without_port(struct station *station, struct job *job, const struct error *error)
{
    struct running running = begin(station, job);
    struct report report = {.outcome = OUTCOME_ABORTED, .failure = FAILURE_PORT_LOST, .error = *error};

    end(&running, &report);
}

json_t *run_unknown_fact(const json_t *run, const struct clock *clock)
{
    char now[28];

    clock_format_utc(clock_utc_us(clock), now);
    return json_pack("{s:I,s:s,s:s,s:s}", "id", json_integer_value(json_object_get(run, "id")), "outcome",
                     "unknown", "ended", now, "message", "the host stopped while this run was under way");
}
