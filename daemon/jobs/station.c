/* SPDX-License-Identifier: Apache-2.0 */
/* One station's day, top to bottom on its own fiber: hold the port, wait for a job and a board, run, wait
 * for the board's removal, begin again. */
#include "parts.h"

#include "alloc.h"
#include "bytes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* How often a port that is gone is looked for, and a socket without a board is asked. Neither announces
 * itself: a device node's directory may vanish with the node, and a board makes no sound when inserted. */
#define LOOK_AGAIN_US 250000
#define REMOVED_AFTER 2 /* silent probes in a row */

static const char *const state_words[STATE_COUNT] = {
    [STATE_STARTING] = "starting",       [STATE_IDLE] = "idle",           [STATE_WAITING] = "waiting",
    [STATE_IDENTIFYING] = "identifying", [STATE_RUNNING] = "running",     [STATE_RECORDING] = "recording",
    [STATE_REMOVAL] = "removal",         [STATE_PORT_LOST] = "port-lost", [STATE_DISABLED] = "disabled",
    [STATE_STOPPED] = "stopped",
};

/* What the record keeps of a station: whether it can work, not what it is doing. */
static const char *recorded_word(enum station_state state)
{
    switch (state) {
    case STATE_IDLE:
    case STATE_WAITING:
    case STATE_IDENTIFYING:
    case STATE_RUNNING:
    case STATE_RECORDING:
    case STATE_REMOVAL:
        return "ready";
    case STATE_PORT_LOST:
        return "port-lost";
    case STATE_DISABLED:
        return "disabled";
    case STATE_STOPPED:
        return "stopped";
    case STATE_STARTING:
    case STATE_COUNT:
        break;
    }
    return "";
}

void station_set_state(struct station *station, enum station_state state, const char *message)
{
    const char *was = recorded_word(station->state);

    if (station->state == state && strcmp(station->message, message) == 0)
        return;
    log_debug(&station->log, "%s -> %s%s%s", state_words[station->state], state_words[state],
              message[0] ? ": " : "", message);
    station->state = state;
    (void)snprintf(station->message, sizeof station->message, "%s", message);
    station->dirty = true;
    farm_tell(station->farm);
    if (strcmp(was, recorded_word(state)) == 0)
        return;
    log_notice(&station->log, "%s%s%s", recorded_word(state), message[0] ? ": " : "", message);
    farm_record(station->farm, "station.state",
                json_pack("{s:s,s:s,s:s}", "name", station->settings.name, "state", recorded_word(state),
                          "reason", message));
}

void station_forget_board(struct station *station)
{
    station->start_pressed = false;
    station->code[0] = station->code_position[0] = station->operator_name[0] = '\0';
}

bool station_busy(const struct station *station)
{
    return station->state == STATE_RUNNING || station->state == STATE_RECORDING ||
           station->state == STATE_REMOVAL || station->state == STATE_IDENTIFYING;
}

static bool must_end(const struct station *station)
{
    return station->leaving || station->farm->stopping;
}

/* Waits for station_wake(), the time, or a cancellation, which here means only: look around. */
static void station_sleep(struct station *station, int64_t duration_us)
{
    struct farm *farm = station->farm;

    station->sleeping = true;
    (void)fiber_suspend(farm->options.fibers, duration_us == CLOCK_NEVER
                                                  ? CLOCK_NEVER
                                                  : clock_monotonic_us(farm->options.clock) + duration_us);
    station->sleeping = false;
}

void station_wake(struct station *station)
{
    if (station->fiber && station->sleeping && fiber_waiting(station->fiber)) {
        station->sleeping = false;
        fiber_resume(station->fiber, 0);
    }
}

/* --- port --------------------------------------------------------------------------------- */

static void on_port_lost(void *context)
{
    station_wake(context);
}

static void let_go(struct station *station);

static void close_port(struct station *station)
{
    let_go(station);
    if (station->port)
        port_close(station->port);
    station->port = NULL;
}

static int open_port(struct station *station, struct error *error)
{
    struct farm *farm = station->farm;
    int status =
        port_open(&station->port, station->settings.port, farm->options.fibers, farm->options.clock, error);

    if (status < 0) {
        station->port = NULL;
        return status;
    }
    station->traits = station->port->traits;
    station->port->lost = on_port_lost;
    station->port->lost_context = station;
    return 0;
}

/* A port that is gone says so on a read that may not wait. */
static bool port_alive(struct station *station)
{
    struct error error = ERROR_NONE;
    uint8_t byte;
    int status = port_read_some(station->port, &byte, 1, port_now_us(station->port), &error);

    return status >= 0 || status == -ETIMEDOUT || status == -ECANCELED;
}

static bool ensure_port(struct station *station, struct error *error)
{
    if (station->port && port_alive(station))
        return true;
    if (station->port)
        (void)error_set(error, -ENODEV, "the port has vanished: %s", station->settings.port);
    close_port(station);
    return open_port(station, error) == 0;
}

/* --- boards ------------------------------------------------------------------------------- */

struct session station_session(const struct station *station)
{
    return (struct session){.port = station->port,
                            .protocol = station->protocol,
                            .log = station->log,
                            .baud_max = station->settings.baud,
                            .baud_proven = station->baud_proven,
                            .entry = station->entry,
                            .wakeup = (enum wakeup)station->settings.wakeup,
                            .half_way = station->half_way,
                            .state = allocate(1, station->protocol->state_size)};
}

static struct session open_session(const struct station *station, int64_t limit_us)
{
    struct session session = station_session(station);

    session.deadline_us = port_now_us(station->port) + limit_us;
    return session;
}

static void close_session(struct session *session)
{
    free(session->state);
}

#define PROBE_LIMIT_US    3000000
#define IDENTIFY_LIMIT_US 15000000
#define LET_GO_LIMIT_US   1000000

/* Probes leave a board where they found it, in its bootloader, and the lines that hold it there as they are,
 * for the run that follows. When none does, the lines are let go of. */
static void let_go(struct station *station)
{
    struct session session;

    if (!station->entered || !station->port)
        return;
    station->entered = station->in_step = false;
    session = open_session(station, LET_GO_LIMIT_US);
    station->protocol->disconnect(&session);
    close_session(&session);
}

static int probe(struct station *station, struct error *error)
{
    struct session session = open_session(station, PROBE_LIMIT_US);
    int status;

    station->entered = true;
    status = station->protocol->probe(&session, error);
    /* One thorough look is enough, whether it found the board or an empty socket: a board that is being
     * inserted should hear nothing but the one byte that it measures. */
    station->half_way = false;
    close_session(&session);
    return status;
}

static int identify(struct station *station, struct session *session, struct error *error)
{
    int status = station->protocol->connect(session, error);

    if (status == 0)
        status = station->protocol->identify(session, error);
    if (session->baud_proven)
        station->baud_proven = session->baud_proven;
    return status;
}

static bool same_board(const struct station *station, const struct board *board)
{
    return station->board_known && board->uid_size && board->uid_size == station->board.uid_size &&
           memcmp(board->uid, station->board.uid, board->uid_size) == 0;
}

/* The finished board is still there while it answers, and is the same by its UID where it has one. */
static bool still_there(struct station *station, int *silent)
{
    struct error error = ERROR_NONE;
    struct session session;
    bool same = true;
    int status = probe(station, &error);

    if (status == -EALREADY) /* nobody has asked: a shared line was somebody else's */
        return true;
    if (status < 0) {
        (*silent)++;
        return *silent < REMOVED_AFTER;
    }
    *silent = 0;
    session = open_session(station, IDENTIFY_LIMIT_US);
    if (identify(station, &session, &error) == 0 && session.board.uid_size)
        same = !station->board.uid_size || same_board(station, &session.board);
    close_session(&session);
    return same;
}

/* Nobody shall read the last unit's PASS as that of the board that is put in next. */
static void board_has_left(struct station *station)
{
    if (station->last)
        (void)json_object_set_new(station->last, "gone", json_true());
}

/* Until the board that was served for this job is gone, or there is something else to do. */
static void wait_for_removal(struct station *station, int64_t job)
{
    const struct job *wanted;
    int silent = 0;

    station_set_state(station, STATE_REMOVAL, "take the board out");
    do {
        if (!still_there(station, &silent)) {
            station->board_known = station->board_served = false;
            board_has_left(station);
            break;
        }
        station_sleep(station, LOOK_AGAIN_US);
        wanted = jobs_for_station(station->farm, station);
    } while (!must_end(station) && station->enabled && list_empty(&station->identify_requests) &&
             port_alive(station) && wanted && wanted->id == job);
    let_go(station);
}

/* --- identify on request ------------------------------------------------------------------ */

static json_t *chips_of_family(const struct chip_family *family)
{
    json_t *names = json_array();

    for (size_t i = 0; family && i < chip_count(); i++)
        if (chip_at(i)->family == family)
            (void)json_array_append_new(names, json_string(chip_at(i)->name));
    return names;
}

static json_t *describe_board(const struct session *session)
{
    const struct board *board = &session->board;
    char uid[2 * BOARD_UID_MAX + 1];
    char chip_id[12];

    (void)snprintf(chip_id, sizeof chip_id, "0x%03x", board->chip_id);
    bytes_to_hex(board->uid, board->uid_size, uid);
    return json_pack("{s:s,s:s?,s:o,s:s?,s:I,s:I,s:b,s:I}", "chip_id", chip_id, "family",
                     session->family ? session->family->name : NULL, "chips",
                     chips_of_family(session->family), "uid", board->uid_size ? uid : NULL, "flash_size",
                     (json_int_t)board->flash_size, "bootloader", (json_int_t)board->bootloader, "protected",
                     board->read_protected, "baud", (json_int_t)session->baud_proven);
}

static void answer_all(struct station *station, json_t *answer, const struct error *error)
{
    while (!list_empty(&station->identify_requests)) {
        struct identify_request *request =
            LIST_ENTRY(station->identify_requests.next, struct identify_request, node);

        list_remove(&request->node);
        request->answer(request->context, answer ? json_incref(answer) : NULL, error);
        free(request);
    }
}

static void serve_identify(struct station *station)
{
    struct error error = ERROR_NONE;
    struct session session = open_session(station, IDENTIFY_LIMIT_US);
    json_t *answer = NULL;

    station_set_state(station, STATE_IDENTIFYING, "");
    if (identify(station, &session, &error) == 0)
        answer = describe_board(&session);
    station->protocol->disconnect(&session);
    station->entered = false;
    close_session(&session);
    answer_all(station, answer, &error);
    json_decref(answer);
}

/* --- the day ------------------------------------------------------------------------------ */

static void rest_without_port(struct station *station, const struct error *error)
{
    struct job *job = jobs_for_station(station->farm, station);

    struct error lost = *error;

    (void)error_reclass(&lost, FAILURE_CODE(FAILURE_PORT_LOST)); /* the station itself is there */
    /* The board is gone too. A code that is read while there is no port is for one that brings its own. */
    if (station->state != STATE_PORT_LOST && !(job && job->trigger == TRIGGER_IMMEDIATE)) {
        station_forget_board(station);
        board_has_left(station);
    }
    station->start_pressed = false;
    station_set_state(station, STATE_PORT_LOST, error->text);
    answer_all(station, NULL, &lost);
    /* `immediate` means now: a station that cannot does not keep the job waiting. */
    if (job && job->trigger == TRIGGER_IMMEDIATE)
        run_without_port(station, job, error);
    else
        station_sleep(station, LOOK_AGAIN_US);
}

/* Waiting cannot end while the fixture does not work; people are told why. */
static const char *why_waiting(const struct error *error)
{
    bool fixture = error->code == -EREMOTEIO || error->code == FAILURE_CODE(FAILURE_POWER) ||
                   error->code == -ENOTSUP || error->code == -EINVAL;

    return fixture ? error->text : "insert a board";
}

/* True when the board or the button says go. */
static bool triggered(struct station *station, const struct job *job)
{
    struct error error = ERROR_NONE;
    bool pressed = station->start_pressed;

    station->in_step = false;
    if (units_need_code(job, station)) {
        station->start_pressed = false;
        station_set_state(station, STATE_WAITING, "read the board's code");
        return false;
    }
    switch (job->trigger) {
    case TRIGGER_IMMEDIATE:
        station->start_pressed = false;
        return true;
    case TRIGGER_ON_START:
        station_set_state(station, STATE_WAITING, "press START");
        station->start_pressed = false;
        return pressed;
    case TRIGGER_ON_INSERT:
        station->start_pressed = false;
        if (station->state != STATE_WAITING || strcmp(station->message, "press START") == 0 ||
            strcmp(station->message, "read the board's code") == 0)
            station_set_state(station, STATE_WAITING, "insert a board");
        station->in_step = probe(station, &error) == 0;
        if (!station->in_step)
            board_has_left(station);
        station_set_state(station, STATE_WAITING, why_waiting(&error));
        return station->in_step;
    }
    return false;
}

static void work(struct station *station, struct job *job)
{
    enum job_trigger trigger = job->trigger;
    int64_t id = job->id;

    if (station->told_job != id) /* that order is held now */
        station_forget_board(station);
    if (trigger == TRIGGER_ON_INSERT && station->board_served && station->served_job == id) {
        wait_for_removal(station, id);
        return;
    }
    if (trigger == TRIGGER_ON_START && station->entered) {
        let_go(station); /* of a job that waited for a board; and look again */
        return;
    }
    if (!triggered(station, job)) {
        station_sleep(station, trigger == TRIGGER_ON_INSERT ? LOOK_AGAIN_US : CLOCK_NEVER);
        return;
    }
    /* The probe waited: the job may have given its last unit to somebody else meanwhile. */
    job = jobs_for_station(station->farm, station);
    if (!job || job->id != id || must_end(station) || !station->enabled) {
        if (trigger == TRIGGER_ON_START)
            station_forget_board(station);
        return;
    }
    (void)run_unit(station, job);
}

static void serve(struct station *station)
{
    struct error error = ERROR_NONE;
    struct job *job;

    if (!station->enabled && station->entered) {
        let_go(station); /* which waits: look again */
        return;
    }
    if (!station->enabled) {
        close_port(station);
        station_forget_board(station);
        station_set_state(station, STATE_DISABLED, "");
        answer_all(station, NULL, &(struct error){.code = -EBUSY, .text = "the station is disabled"});
        station_sleep(station, CLOCK_NEVER);
        return;
    }
    if (!ensure_port(station, &error)) {
        rest_without_port(station, &error);
        return;
    }
    if (!list_empty(&station->identify_requests)) {
        serve_identify(station);
        return;
    }
    job = jobs_for_station(station->farm, station);
    if (job) {
        work(station, job);
        return;
    }
    if (station->entered) {
        let_go(station); /* and look again: it waited */
        return;
    }
    station_forget_board(station); /* that was for an order that has ended */
    station_set_state(station, STATE_IDLE, "");
    station_sleep(station, CLOCK_NEVER);
}

static void station_main(void *argument)
{
    struct station *station = argument;

    /* The station that this one replaces keeps its name and its port until its unit is finished. */
    while (!must_end(station) && farm_retiring(station->farm, station))
        station_sleep(station, CLOCK_NEVER);
    while (!must_end(station))
        serve(station);
    close_port(station);
    answer_all(station, NULL, &(struct error){.code = -EBUSY, .text = "the station is stopping"});
    station_set_state(station, STATE_STOPPED, station->leaving ? "no longer configured" : "");
}

static void station_ended(void *argument)
{
    struct station *station = argument;

    station->fiber = NULL;
    farm_station_ended(station->farm, station);
}

void station_remember_board(struct station *station, int64_t job, const char *uid)
{
    struct board *board = &station->board;
    size_t size = uid ? strlen(uid) / 2 : 0;

    *board = (struct board){.uid_size = 0};
    if (size > BOARD_UID_MAX || (size > 0 && !bytes_from_hex(uid, board->uid, size)))
        return;
    board->uid_size = size;
    station->board_known = size > 0;
    station->board_served = true; /* also one that cannot be told from others: it is not counted twice */
    station->served_job = job;
}

struct station *station_new(struct farm *farm, const struct station_settings *settings)
{
    struct station *station = allocate(1, sizeof *station);
    struct error ignored;

    station->farm = farm;
    station->log = log_named(farm->options.log, "station %s", settings->name);
    station->settings = *settings;
    station->protocol = protocol_find(settings->protocol);
    (void)entry_parse(&station->entry, settings->entry, settings->power, &ignored); /* checked before */
    station->enabled = true;
    list_init(&station->identify_requests);
    list_init(&station->node);
    return station;
}

void station_free(struct station *station)
{
    json_decref(station->last);
    entry_free(station->entry);
    free(station);
}

void station_begin(struct station *station)
{
    char name[48];

    (void)snprintf(name, sizeof name, "station %s", station->settings.name);
    /* The fiber may run to its first wait before fiber_start() returns: station_wake() must not miss it. */
    station->fiber = NULL;
    station->fiber = fiber_start(station->farm->options.fibers, name, station_main, station_ended, station);
}

json_t *station_describe(const struct station *station)
{
    const struct station_settings *settings = &station->settings;
    const struct progress *progress = &station->progress;
    bool running = station->run != 0;
    char uid[2 * BOARD_UID_MAX + 1] = "";

    if (station->board_known)
        bytes_to_hex(station->board.uid, station->board.uid_size, uid);
    return json_pack(
        "{s:s,s:s,s:s,s:s,s:s,s:I,s:s,s:s,s:b,s:o,s:o,s:o,s:I,s:o,s:o,s:s,s:b,s:I,s:b,s:O?,s:{s:I,s:I,s:I,s:"
        "I},s:I,s:b,s:s,s:s?,s:s?}",
        "name", settings->name, "state", state_words[station->state], "message", station->message, "port",
        settings->port, "protocol", settings->protocol, "baud", (json_int_t)settings->baud, "entry",
        settings->entry, "position", settings->position, "enabled", station->enabled, "job",
        running ? json_integer(station->job->id) : json_null(), "run",
        running ? json_integer(station->run) : json_null(), "phase",
        running ? json_string(phase_word(progress->phase)) : json_null(), "percent",
        (json_int_t)(running ? progress->percent : 0), "chip",
        running ? json_string(station->job->order.chip->name) : json_null(), "uid",
        uid[0] ? json_string(uid) : json_null(), "path", station->traits.path, "low_latency",
        station->traits.low_latency, "latency_timer_ms", (json_int_t)station->traits.latency_timer_ms,
        "modem_lines", station->traits.modem_lines, "last", station->last, "counts", "pass",
        (json_int_t)station->counts.outcome[OUTCOME_PASS], "fail",
        (json_int_t)station->counts.outcome[OUTCOME_FAIL], "aborted",
        (json_int_t)station->counts.outcome[OUTCOME_ABORTED], "unknown",
        (json_int_t)station->counts.outcome[OUTCOME_UNKNOWN], "proven_baud", (json_int_t)station->baud_proven,
        "recording", station->record_next || station->recording, "fixture", settings->fixture, "serial",
        running && station->serial[0] ? station->serial : NULL, "code",
        station->code[0] ? station->code : NULL);
}
