/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a run, and its record: run.started is durable before the first byte is erased, run.ended before
 * anybody is told (law 5). */
#include "unit_data.h"

#include "alloc.h"
#include "bytes.h"
#include "dialogue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_RETRY_US 1000000

struct running {
    struct station *station;
    struct job *job;
    struct session *session; /* NULL: there is no port */
    int64_t id;
    const struct plan *plan; /* the job's */
    bool recorded;           /* run.started is durable */
    bool named;              /* and says the chip's UID */
    bool made_late;          /* the unit's bytes were made after it */
    json_t *sums;            /* what this unit has taught; NULL: nothing */
    json_t *known;   /* the numbers that this chip has, as the record knows them; NULL: not asked yet */
    bool superseded; /* the numbers taken are not this chip's: it turned out to have its own */
    struct unit_data data;
    char started[28];
    char code[BOARD_CODE_MAX + 1]; /* read from the board; empty: none */
    char operator_name[64];        /* who started it; empty: nobody did, or it is not known */
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

static void add_text(json_t *body, const char *member, const char *text)
{
    if (text && text[0])
        (void)json_object_set_new(body, member, json_string(text));
}

static void add_reasons(json_t *body, const struct running *running)
{
    const struct job *job = running->job;

    if (job->recipe)
        (void)json_object_set(body, "recipe", (json_t *)(uintptr_t)job->recipe);
    add_text(body, "fixture", running->station->settings.fixture);
    add_text(body, "code", running->code);
    add_text(body, "operator", running->operator_name);
    add_text(body, "rework", job->rework);
}

/* Without `board` the chip stays out of it: it was refused, and is not begun. */
static json_t *started_body(const struct running *running, const struct board *board)
{
    const struct station *station = running->station;
    const struct job *job = running->job;
    json_t *body =
        json_pack("{s:I,s:I,s:s,s:s,s:s,s:O,s:s,s:s,s:s,s:s}", "id", (json_int_t)running->id, "job",
                  (json_int_t)job->id, "station", station->settings.name, "port", station->settings.port,
                  "chip", job->order.chip->name, "images", job->images, "work_order", job->work_order, "by",
                  job->by, "started", running->started, "version", FLASHFARM_VERSION);

    add_reasons(body, running);
    if (board) {
        add_board(body, board);
        unit_data_add(&running->data, body);
    }
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
    (void)json_object_set_new(body, "link",
                              json_pack("{s:I,s:I,s:I}", "attempts", (json_int_t)report->link.attempts,
                                        "naks", (json_int_t)report->link.naks, "resends",
                                        (json_int_t)report->link.resends));
    if (running->made_late)
        add_text(body, "unit_data_sha256", running->data.sha256);
    return body;
}

/* --- before the first erase --------------------------------------------------------------- */

static void uid_of(const struct board *board, char uid[2 * BOARD_UID_MAX + 1])
{
    bytes_to_hex(board->uid, board->uid_size, uid);
}

static int ask_numbers(struct running *running, const struct board *board, struct error *error)
{
    char uid[2 * BOARD_UID_MAX + 1];

    uid_of(board, uid);
    json_decref(running->known);
    running->known = interlock_numbers(running->station->farm, uid, error);
    if (running->known)
        return 0;
    (void)error_prefix(error, "the numbers of this chip cannot be looked up");
    return error_reclass(error, FAILURE_CODE(FAILURE_RECORD));
}

static int make_bytes(struct running *running, const struct board *board, struct error *error)
{
    if (!running->job->fields)
        return 0;
    return unit_data_make(&running->data, running->plan, board->uid, board->uid_size, error);
}

/* A chip that had to be opened tells its UID only now, when a number has been taken for it. If it has one of
 * its own already, it keeps that one: the other is burned when the run has ended, and the next run, which
 * finds the chip open, goes on with the right one. */
static int after_opening(struct running *running, const struct board *board, struct error *error)
{
    const json_t *serial;
    size_t index;

    json_array_foreach (running->known, index, serial) {
        const char *text = json_string_value(json_object_get(serial, "serial"));

        if (running->named || !text || !unit_data_stands_against(&running->data, serial))
            continue;
        running->superseded = true;
        return error_set(error, FAILURE_CODE(FAILURE_WRONG_BOARD),
                         "this is the board of %s, which could not be seen before it was opened: it is wiped "
                         "now; program it again",
                         text);
    }
    running->made_late = true;
    return make_bytes(running, board, error);
}

static int interlock(void *context, const struct board *board, struct error *error)
{
    struct running *running = context;
    struct station *station = running->station;

    *error = ERROR_NONE; /* of what was tried to get here, and could be done without */
    station->board = *board;
    station->board_known = true;
    if (interlock_alone(station, board, error) < 0 || ask_numbers(running, board, error) < 0)
        return error->code;
    if (interlock_check(station, running->job, running->known, error) < 0) {
        running->superseded = running->recorded && !running->named;
        return error->code;
    }
    return running->recorded ? after_opening(running, board, error) : 0;
}

/* What the schema refuses is refused for a reason that it names. */
static int refused(struct error *error)
{
    bool shipped = strstr(error->text, "shipped") != NULL;

    (void)error_prefix(error, "the run could not be recorded");
    return error_reclass(error, FAILURE_CODE(shipped ? FAILURE_WRONG_BOARD : FAILURE_RECORD));
}

static bool is_doubtful(const struct running *running)
{
    for (size_t i = 0; i < running->data.count; i++)
        if (running->data.numbers[i].in_doubt)
            return true;
    return false;
}

/* The numbers that the chip turned out to hold, settled: they are this board's, and it is not finished. */
static size_t settle_facts(const struct running *running, struct store_fact *facts)
{
    const struct unit_data *data = &running->data;
    size_t count = 0;

    for (size_t i = 0; i < data->count; i++)
        if (data->numbers[i].in_doubt)
            facts[count++] = (struct store_fact){
                .kind = "serial.settled",
                .body = json_pack("{s:s,s:s,s:s,s:s,s:s,s:I}", "serial", data->numbers[i].text, "state",
                                  "fail", "reason", "its board holds it, and is programmed again", "by",
                                  "flashfarmd", "how", "read-back", "run", (json_int_t)running->id)};
    return count;
}

static int record_start(struct running *running, const struct board *board, struct error *error)
{
    struct farm *farm = running->station->farm;
    struct store_fact *facts = allocate(running->data.count + 1, sizeof *facts);
    size_t count = 0;
    int status = 0;

    if (running->data.made && is_doubtful(running))
        status = readback_check(running->session, &running->data.overlay.order, error);
    if (status > 0)
        count = settle_facts(running, facts);
    if (status >= 0) {
        facts[count++] = (struct store_fact){.kind = "run.started", .body = started_body(running, board)};
        status = store_append_wait(farm->options.store, farm->options.fibers, facts, count, error);
        status = status < 0 ? refused(error) : 0;
    }
    free(facts);
    running->recorded = status == 0;
    running->named = board->uid_size > 0;
    return status;
}

/* The watcher's last word before the first erase: the numbers, the unit's bytes, the record. */
static int reserve(void *context, const struct board *board, struct error *error)
{
    struct running *running = context;
    struct station *station = running->station;
    char uid[2 * BOARD_UID_MAX + 1];
    int status;

    *error = ERROR_NONE;
    if (running->job->state == JOB_CANCELLED)
        return error_set(error, -ECANCELED, "the job was cancelled");
    uid_of(board, uid);
    if (unit_data_take(&running->data, station, uid, running->known, error) < 0)
        return error->code;
    /* A protected chip has not told its UID yet: after_opening() makes the bytes. */
    status = board->read_protected ? 0 : make_bytes(running, board, error);
    if (status == 0)
        status = record_start(running, board, error);
    if (status < 0)
        unit_data_give_back(&running->data);
    else
        (void)snprintf(station->serial, sizeof station->serial, "%s", running->data.serial);
    return status;
}

static void note_progress(void *context, const struct progress *progress)
{
    struct running *running = context;

    running->station->progress = *progress;
    running->station->dirty = true;
    farm_tell(running->station->farm);
}

/* What one unit teaches is true of those that are like it. */
static bool known_sums(void *context, struct sector_sum *sums, size_t count)
{
    const struct job *job = ((struct running *)context)->job;

    return !job->fields && sums_known(job, sums, count);
}

static void learn_sums(void *context, const struct sector_sum *sums, size_t count)
{
    struct running *running = context;

    json_decref(running->sums);
    running->sums = sums_learn(running->job, running->id, sums, count);
}

/* The facts that end a run: before the outcome the start when it never got so far, after it the end of
 * numbers that were taken for another board than this one. */
static size_t end_facts(const struct running *running, const struct report *report, struct store_fact *facts)
{
    const struct unit_data *data = &running->data;
    size_t count = 0;

    if (!running->recorded)
        facts[count++] = (struct store_fact){.kind = "run.started", .body = started_body(running, NULL)};
    facts[count++] = (struct store_fact){.kind = "run.ended", .body = ended_body(running, report)};
    for (size_t i = 0; running->superseded && i < data->count; i++)
        if (data->numbers[i].pool)
            facts[count++] = (struct store_fact){
                .kind = "serial.settled",
                .body = json_pack("{s:s,s:s,s:s,s:s,s:s,s:I}", "serial", data->numbers[i].text, "state",
                                  "burned", "reason", report->error.text, "by", "flashfarmd", "how",
                                  "read-back", "run", (json_int_t)running->id)};
    return count;
}

static int append_again(const struct farm *farm, const struct store_fact *facts, size_t count,
                        struct error *error)
{
    for (size_t i = 0; i < count; i++)
        (void)json_incref(facts[i].body);
    return store_append_wait(farm->options.store, farm->options.fibers, facts, count, error);
}

/* Until all of it is durable. False when the daemon has to stop before the disk takes it. */
static bool record_outcome(struct running *running, const struct report *report)
{
    struct farm *farm = running->station->farm;
    struct store_fact *facts = allocate(running->data.count + 2, sizeof *facts);
    size_t count = end_facts(running, report, facts);
    struct error error = ERROR_NONE;
    bool refused_before = false;
    int status;

    for (;;) {
        status = append_again(farm, facts, count, &error);
        if (status == 0)
            break;
        log_error(&running->station->log, "run %lld: the outcome cannot be recorded: %s",
                  (long long)running->id, error.text);
        /* Room may come back; a fact that the schema refuses does not get better, but SQLite may say so
         * of a trigger that had no memory: it is asked once more. */
        if (status != -ENOSPC && status != -EIO) {
            if (refused_before)
                break;
            refused_before = true;
        }
        station_set_state(running->station, STATE_RECORDING, error.text);
        (void)fiber_sleep_until(farm->options.fibers, farm->options.clock,
                                clock_monotonic_us(farm->options.clock) + RECORD_RETRY_US);
        if (farm->stop_at_once)
            break;
    }
    for (size_t i = 0; i < count; i++)
        json_decref(facts[i].body);
    free(facts);
    return status == 0;
}

static void remember_last(struct running *running, const struct report *report, enum outcome outcome)
{
    struct station *station = running->station;
    char ended[28];

    format_now(station->farm, ended);
    json_decref(station->last);
    station->last = json_pack("{s:I,s:s,s:s,s:s,s:s,s:b}", "run", (json_int_t)running->id, "outcome",
                              outcome_word(outcome), "class", failure_word(report->failure), "message",
                              report->error.text, "ended", ended, "gone", 0);
    station->counts.outcome[outcome]++;
    station->counts.failure[report->failure]++;
    station->farm->statistics.runs_by_outcome[outcome]++;
    station->farm->statistics.bytes_written += report->bytes_written;
}

static struct running begin(struct station *station, struct job *job)
{
    struct running running = {.station = station,
                              .job = job,
                              .id = ++station->farm->last_run,
                              .plan = job_plan(job, station->protocol),
                              .data = {.job = job}};

    format_now(station->farm, running.started);
    (void)snprintf(running.code, sizeof running.code, "%s", station->code);
    (void)snprintf(running.operator_name, sizeof running.operator_name, "%s", station->operator_name);
    job_claim(job, station);
    station->job = job;
    station->run = running.id;
    station->serial[0] = '\0';
    station->board_known = false;
    station->progress = (struct progress){.percent = 0};
    station_set_state(station, STATE_RUNNING, "");
    return running;
}

static void settle_unit(struct running *running, const struct report *report, enum outcome outcome)
{
    struct job *job = running->job;
    char uid[2 * BOARD_UID_MAX + 1];

    uid_of(&report->board, uid);
    if (running->data.taken)
        job->numbered--;
    if (running->data.unit)
        units_settle(running->data.unit, outcome, running->recorded, uid);
    /* `immediate` ends by itself when every station has had its turn. */
    if (report->failure == FAILURE_SERIAL_EXHAUSTED && job->state == JOB_RUNNING &&
        job->trigger != TRIGGER_IMMEDIATE)
        job_set_state(job, JOB_HELD, report->error.text, false);
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
    if (!record_outcome(running, report))
        outcome = OUTCOME_UNKNOWN; /* which is what the record will say */
    remember_last(running, report, outcome);
    fiber_uncancel(fiber_current(station->farm->options.fibers));
    settle_unit(running, report, outcome);
    station->job = NULL;
    station->run = 0;
    station->code[0] = station->code_position[0] = station->operator_name[0] =
        '\0'; /* they were that board's */
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
    if (!job->fields)
        sums_prepare(job, station->protocol);
    running.data = unit_data_begin(job, running.plan);
    running.session = &session;
    if (station->record_next && !unit_data_is_secret(job)) /* a key is written nowhere but into its chip */
        recording_begin(station, &session, &job->order);
    (void)program_board(&session, &running.data.overlay.order, &running.data.overlay.plan, &watcher, &report);
    station->entered = false; /* whatever it ended with, the lines were let go of */
    if (station->recording)
        dialogue_note_image(station->port, &running.data.overlay.order);
    recording_end(station, &report);
    unit_data_forget(&running.data); /* the record may have to wait for a disk: a key does not */
    free(session.state);
    if (session.baud_proven)
        station->baud_proven = session.baud_proven;
    station->board = report.board; /* also of a board that was refused: it may still be in the socket */
    station->board_known = report.board.chip_id != 0;
    station->board_served = true;
    station->served_job = job_id;
    station->half_way = report.outcome != OUTCOME_PASS;
    end(&running, &report);
    unit_data_clear(&running.data);
    json_decref(running.sums);
    json_decref(running.known);
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
