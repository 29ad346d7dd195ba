/* SPDX-License-Identifier: Apache-2.0 */
#include "parts.h"
#include "recipes.h"

#include "alloc.h"
#include "await.h"
#include "bytes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TELL_EVERY_MS   200 /* progress: at most five times a second */
#define RECORD_RETRY_MS 1000

/* --- facts and progress to whoever listens ------------------------------------------------ */

static void on_record(void *context, const struct store_record *record)
{
    struct farm *farm = context;

    if (farm->listener)
        farm->listener(farm->listener_context, &(struct farm_event){.sequence = record->sequence,
                                                                    .utc = record->utc,
                                                                    .topic = record->kind,
                                                                    .json = record->body});
}

static void tell(struct farm *farm, const char *topic, const struct station *station, json_t *body)
{
    char *text = json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS);

    if (farm->listener && text)
        farm->listener(farm->listener_context,
                       &(struct farm_event){.topic = topic, .station = station->settings.name, .json = text});
    free(text);
    json_decref(body);
}

static json_t *describe_progress(const struct station *station)
{
    const struct progress *progress = &station->progress;

    return json_pack("{s:s,s:I,s:I,s:s,s:I,s:I,s:I}", "station", station->settings.name, "job",
                     (json_int_t)station->job->id, "run", (json_int_t)station->run, "phase",
                     phase_word(progress->phase), "percent", (json_int_t)progress->percent, "bytes",
                     (json_int_t)progress->done, "total_bytes", (json_int_t)progress->total);
}

static void on_telling(uv_timer_t *timer)
{
    struct farm *farm = timer->data;

    LIST_EACH (node, &farm->stations) {
        struct station *station = LIST_ENTRY(node, struct station, node);

        if (!station->dirty)
            continue;
        station->dirty = false;
        if (station->run)
            tell(farm, "progress", station, describe_progress(station));
        else
            tell(farm, "station", station, station_describe(station));
    }
}

void farm_tell(struct farm *farm)
{
    if (!uv_is_active((uv_handle_t *)&farm->telling) && !uv_is_closing((uv_handle_t *)&farm->telling))
        (void)uv_timer_start(&farm->telling, on_telling, TELL_EVERY_MS, 0);
}

void farm_set_listener(struct farm *farm, farm_listener *listener, void *context)
{
    farm->listener = listener;
    farm->listener_context = context;
}

/* --- facts that must get into the record, late if need be --------------------------------- */

/* One after the other, so that none overtakes another: what is told last is what was last. */
struct late_fact {
    struct list node; /* in farm->late */
    const char *kind;
    json_t *body;
};

static void end_stop(struct farm *farm);
static void on_late_done(void *context, int status, const struct error *error);

static void append_late(struct farm *farm)
{
    struct late_fact *late = LIST_ENTRY(farm->late.next, struct late_fact, node);
    struct store_fact fact = {.kind = late->kind, .body = json_incref(late->body)};

    store_append(farm->options.store, &fact, 1, on_late_done, farm);
}

static void on_retry(uv_timer_t *timer)
{
    append_late(timer->data);
}

static void on_late_done(void *context, int status, const struct error *error)
{
    struct farm *farm = context;
    struct late_fact *late = LIST_ENTRY(farm->late.next, struct late_fact, node);

    if (status < 0)
        log_error(&farm->log, "%s cannot be recorded: %s", late->kind, error->text);
    if ((status == -ENOSPC || status == -EIO) && !farm->stopping) {
        (void)uv_timer_start(&farm->retry, on_retry, RECORD_RETRY_MS, 0);
        return;
    }
    list_remove(&late->node);
    json_decref(late->body);
    free(late);
    if (list_empty(&farm->late))
        end_stop(farm);
    else
        append_late(farm);
}

void farm_record(struct farm *farm, const char *kind, json_t *body)
{
    struct late_fact *late = allocate(1, sizeof *late);
    bool idle = list_empty(&farm->late);

    late->kind = kind;
    late->body = body;
    list_append(&farm->late, &late->node);
    if (idle)
        append_late(farm);
}

/* --- making and ending -------------------------------------------------------------------- */

struct farm *farm_new(const struct farm_options *options)
{
    struct farm *farm = allocate(1, sizeof *farm);

    farm->options = *options;
    farm->log = log_named(options->log, "farm");
    list_init(&farm->stations);
    list_init(&farm->jobs);
    list_init(&farm->pools);
    list_init(&farm->accepting);
    list_init(&farm->retiring);
    list_init(&farm->late);
    farm->telling.data = farm->stop_timer.data = farm->retry.data = farm;
    (void)uv_timer_init(options->loop, &farm->retry);
    (void)uv_timer_init(options->loop, &farm->telling);
    (void)uv_timer_init(options->loop, &farm->stop_timer);
    farm->remembered = json_object();
    farm->keys_in_progress = json_object();
    farm->recipes_in_progress = json_object();
    store_set_listener(options->store, on_record, farm);
    return farm;
}

void farm_free(struct farm *farm)
{
    LIST_EACH (node, &farm->jobs) {
        list_remove(node);
        job_free(LIST_ENTRY(node, struct job, node));
    }
    LIST_EACH (other, &farm->stations) {
        list_remove(other);
        station_free(LIST_ENTRY(other, struct station, node));
    }
    pools_free(farm);
    store_set_listener(farm->options.store, NULL, NULL);
    uv_close((uv_handle_t *)&farm->telling, NULL);
    uv_close((uv_handle_t *)&farm->stop_timer, NULL);
    uv_close((uv_handle_t *)&farm->retry, NULL);
    (void)uv_run(farm->options.loop, UV_RUN_NOWAIT); /* the timers are part of what is freed next */
    if (farm->images)
        images_close(farm->images);
    json_decref(farm->remembered);
    json_decref(farm->keys_in_progress);
    json_decref(farm->recipes_in_progress);
    free(farm);
}

struct station *farm_find_station(const struct farm *farm, const char *name)
{
    LIST_EACH (node, &farm->stations) {
        struct station *station = LIST_ENTRY(node, struct station, node);

        if (strcmp(station->settings.name, name) == 0)
            return station;
    }
    return NULL;
}

struct job *farm_find_job(const struct farm *farm, int64_t id)
{
    LIST_EACH (node, &farm->jobs) {
        struct job *job = LIST_ENTRY(node, struct job, node);

        if (job->id == id)
            return job;
    }
    return NULL;
}

static const struct station *holder_of_uid(const struct list *stations, const struct station *asking,
                                           const struct board *board)
{
    LIST_EACH (node, stations) {
        const struct station *station = LIST_ENTRY(node, struct station, node);

        if (station != asking && station_busy(station) && station->board_known && board->uid_size &&
            station->board.uid_size == board->uid_size &&
            memcmp(station->board.uid, board->uid, board->uid_size) == 0)
            return station;
    }
    return NULL;
}

const struct station *farm_uid_in_use(const struct farm *farm, const struct station *asking,
                                      const struct board *board)
{
    const struct station *holder = holder_of_uid(&farm->stations, asking, board);

    return holder ? holder : holder_of_uid(&farm->retiring, asking, board);
}

bool farm_retiring(const struct farm *farm, const struct station *station)
{
    LIST_EACH (node, &farm->retiring) {
        const struct station *old = LIST_ENTRY(node, struct station, node);

        if (strcmp(old->settings.name, station->settings.name) == 0 ||
            strcmp(old->settings.port, station->settings.port) == 0)
            return true;
    }
    return false;
}

void farm_wake(struct farm *farm)
{
    LIST_EACH (node, &farm->stations) {
        station_wake(LIST_ENTRY(node, struct station, node));
    }
}

/* --- configuration ------------------------------------------------------------------------ */

static bool same_settings(const struct station_settings *a, const struct station_settings *b)
{
    return strcmp(a->port, b->port) == 0 && strcmp(a->protocol, b->protocol) == 0 &&
           strcmp(a->entry, b->entry) == 0 && strcmp(a->power, b->power) == 0 &&
           strcmp(a->position, b->position) == 0 && strcmp(a->fixture, b->fixture) == 0 &&
           a->wakeup == b->wakeup && a->baud == b->baud;
}

static int check_settings(const struct settings *settings, struct error *error)
{
    for (size_t i = 0; i < settings->station_count; i++) {
        const struct station_settings *station = &settings->stations[i];
        struct entry *entry = NULL;

        if (!protocol_find(station->protocol))
            return error_set(error, -EINVAL, "station %s: there is no protocol \"%s\"", station->name,
                             station->protocol);
        if (entry_parse(&entry, station->entry, station->power, error) < 0)
            return error_prefix(error, "station %s: entry \"%s\"", station->name, station->entry);
        entry_free(entry);
        if (port_name_check(station->port, error) < 0)
            return error_prefix(error, "station %s", station->name);
    }
    return 0;
}

static void add_station(struct farm *farm, const struct station_settings *settings)
{
    struct station *station = station_new(farm, settings);
    const json_t *enabled = json_object_get(farm->remembered, settings->name);

    station->enabled = !json_is_false(enabled);
    list_append(&farm->stations, &station->node);
    if (farm->started)
        station_begin(station);
}

static void retire(struct farm *farm, struct station *station)
{
    station->leaving = true;
    list_remove(&station->node);
    list_append(&farm->retiring, &station->node);
    if (station->fiber)
        station_wake(station);
    else
        farm_station_ended(farm, station);
}

static const struct station_settings *find_settings(const struct settings *settings, const char *name)
{
    for (size_t i = 0; i < settings->station_count; i++)
        if (strcmp(settings->stations[i].name, name) == 0)
            return &settings->stations[i];
    return NULL;
}

void farm_review_jobs(struct farm *farm)
{
    LIST_EACH (node, &farm->jobs) {
        job_review(LIST_ENTRY(node, struct job, node));
    }
}

/* A changed station is two: the old one finishes its unit and lets the port go, which the new one, finding
 * it held, waits for. */
int farm_configure(struct farm *farm, const struct settings *settings, struct error *error)
{
    int status = check_settings(settings, error);

    if (status < 0)
        return status;
    LIST_EACH (node, &farm->stations) {
        struct station *station = LIST_ENTRY(node, struct station, node);
        const struct station_settings *wanted = find_settings(settings, station->settings.name);

        if (!wanted || !same_settings(wanted, &station->settings))
            retire(farm, station);
    }
    for (size_t i = 0; i < settings->station_count; i++)
        if (!farm_find_station(farm, settings->stations[i].name))
            add_station(farm, &settings->stations[i]);
    farm_review_jobs(farm);
    farm_wake(farm);
    return 0;
}

void farm_station_ended(struct farm *farm, struct station *station)
{
    if (station->leaving) {
        list_remove(&station->node);
        station_free(station);
        farm_wake(farm); /* its successor may be waiting for it */
    }
    end_stop(farm);
}

/* --- start -------------------------------------------------------------------------------- */

struct starting {
    struct farm *farm;
    json_t *state;
    farm_done *done;
    void *context;
    struct error error;
};

static int settle_unknown_runs(struct starting *starting)
{
    struct farm *farm = starting->farm;
    const json_t *run;
    size_t index;
    int status = 0;

    json_array_foreach (json_object_get(starting->state, "runs"), index, run) {
        struct store_fact fact = {.kind = "run.ended", .body = run_unknown_fact(run, farm->options.clock)};
        struct station *station = farm_find_station(farm, json_string_value(json_object_get(run, "station")));

        if (station)
            station->half_way = true;

        log_warning(&farm->log, "run %lld at station %s was under way when the host stopped: unknown",
                    (long long)json_integer_value(json_object_get(run, "id")),
                    json_string_value(json_object_get(run, "station")));
        status = store_append_wait(farm->options.store, farm->options.fibers, &fact, 1, &starting->error);
        if (status < 0)
            break;
    }
    return status;
}

/* A station that has left the configuration does not end the job of the others. */
static json_t *configured_only(const struct farm *farm, const json_t *names)
{
    json_t *found = json_array();
    const json_t *name;
    size_t index;

    json_array_foreach (names, index, name) {
        if (farm_find_station(farm, json_string_value(name)))
            (void)json_array_append_new(found, json_string(json_string_value(name)));
    }
    return found;
}

/* The members of a recorded job that a client gave. */
static json_t *body_of_recorded(const struct farm *farm, const json_t *recorded)
{
    static const char *const direct[] = {"chip",    "images",     "stations",           "quantity",
                                         "trigger", "work_order", "hold_after_failures"};
    json_t *body = json_deep_copy(json_object_get(recorded, "options"));

    body = body ? body : json_object();
    for (size_t i = 0; i < sizeof direct / sizeof *direct; i++)
        (void)json_object_set(body, direct[i], json_object_get(recorded, direct[i]));
    (void)json_object_set_new(body, "stations", configured_only(farm, json_object_get(recorded, "stations")));
    return body;
}

static void mark_served(struct job *job, const json_t *recorded)
{
    const json_t *name;
    size_t index;

    json_array_foreach (json_object_get(recorded, "served"), index, name) {
        struct job_place *place = job_place(job, json_string_value(name));

        if (place)
            place->served = true;
    }
}

static void resume_job(struct farm *farm, const json_t *recorded)
{
    struct error error = ERROR_NONE;
    json_t *body = body_of_recorded(farm, recorded);
    int64_t id = json_integer_value(json_object_get(recorded, "id"));
    const char *state = json_string_value(json_object_get(recorded, "state"));
    struct job *job = NULL;
    int status = job_parse(farm, body, &job, &error);

    if (status == 0) {
        job->id = id;
        status = job_prepare(job, &error);
    }
    if (status == 0)
        status = recipe_check_signatures(job, &error);
    if (status == 0)
        status = units_remember(job, &error);
    if (status == 0) {
        job->log = log_named(farm->options.log, "job %lld", (long long)id);
        job->by = copy_text(json_string_value(json_object_get(recorded, "by")));
        job->state = state && strcmp(state, "held") == 0 ? JOB_HELD : JOB_RUNNING;
        job->passed = (int)json_integer_value(json_object_get(json_object_get(recorded, "counts"), "passed"));
        mark_served(job, recorded);
        list_append(&farm->jobs, &job->node);
        log_notice(&job->log, "goes on: %d of %d passed", job->passed, job->quantity);
        job_review(job);
    } else {
        log_error(&farm->log, "job %lld cannot go on: %s", (long long)id, error.text);
        farm_record(
            farm, "job.state",
            json_pack("{s:I,s:s,s:s}", "id", (json_int_t)id, "state", "cancelled", "reason", error.text));
        job_free(job);
    }
    json_decref(body);
}

/* Numbers whose board nobody knows the state of. */
static void tell_doubt(const struct farm *farm, const json_t *numbers)
{
    size_t count = json_array_size(numbers);

    if (count)
        log_warning(&farm->log,
                    "%zu numbers are in doubt: a run on the same board, or a person, settles them", count);
}

static void run_start(void *argument)
{
    struct starting *starting = argument;
    struct farm *farm = starting->farm;
    struct store_fact fact = {.kind = "daemon.started",
                              .body = json_pack("{s:s,s:b}", "version", FLASHFARM_VERSION, "clean",
                                                json_is_true(json_object_get(starting->state, "clean")))};
    const json_t *job;
    size_t index;

    if (store_append_wait(farm->options.store, farm->options.fibers, &fact, 1, &starting->error) < 0 ||
        settle_unknown_runs(starting) < 0)
        return;
    json_array_foreach (json_object_get(starting->state, "jobs"), index, job) {
        resume_job(farm, job);
    }
    tell_doubt(farm, json_object_get(starting->state, "doubt"));
    farm->started = true;
    LIST_EACH (node, &farm->stations) {
        station_begin(LIST_ENTRY(node, struct station, node));
    }
}

static void end_start(void *argument)
{
    struct starting *starting = argument;

    starting->farm->starting = false;
    starting->done(starting->context, starting->error.code, &starting->error);
    end_stop(starting->farm);
    json_decref(starting->state);
    free(starting);
}

static void remember_stations(struct farm *farm, const json_t *stations)
{
    const json_t *station;
    size_t index;

    json_array_foreach (stations, index, station) {
        const char *name = json_string_value(json_object_get(station, "name"));
        struct station *configured = farm_find_station(farm, name);
        bool enabled = !json_is_false(json_object_get(station, "enabled"));

        (void)json_object_set_new(farm->remembered, name, json_boolean(enabled));
        if (!configured)
            continue;
        configured->enabled = enabled;
        if (json_is_integer(json_object_get(station, "served_job")))
            station_remember_board(configured, json_integer_value(json_object_get(station, "served_job")),
                                   json_string_value(json_object_get(station, "served_uid")));
    }
}

int farm_start(struct farm *farm, farm_done *done, void *context, struct error *error)
{
    struct starting *starting = allocate(1, sizeof *starting);
    int status = images_open(&farm->images, &farm->options, error);

    if (status == 0)
        status = store_load(farm->options.store, &starting->state, error);
    if (status == 0)
        status = pools_load(farm, json_object_get(starting->state, "pools"), error);
    if (status < 0) {
        json_decref(starting->state);
        free(starting);
        return status;
    }
    starting->farm = farm;
    starting->done = done;
    starting->context = context;
    farm->last_job = json_integer_value(json_object_get(starting->state, "last_job"));
    farm->last_run = json_integer_value(json_object_get(starting->state, "last_run"));
    remember_stations(farm, json_object_get(starting->state, "stations"));
    farm->starting = true;
    fiber_start(farm->options.fibers, "start", run_start, end_start, starting);
    return 0;
}

/* --- stop --------------------------------------------------------------------------------- */

static bool at_rest(const struct list *stations)
{
    LIST_EACH (node, stations) {
        if (LIST_ENTRY(node, struct station, node)->fiber)
            return false;
    }
    return true;
}

static void on_stopped(void *context, int status, const struct error *error)
{
    struct farm *farm = context;

    (void)uv_timer_stop(&farm->stop_timer);
    farm->stop_done(farm->stop_context, status, error);
}

/* All stations at rest and nothing left to write: the last fact of this daemon. */
static void end_stop(struct farm *farm)
{
    struct store_fact fact = {.kind = "daemon.stopped"};

    if (!farm->stopping || farm->starting || farm->stopped || !list_empty(&farm->late) ||
        !at_rest(&farm->stations) || !at_rest(&farm->retiring))
        return;
    farm->stopped = true;
    fact.body = json_object();
    store_append(farm->options.store, &fact, 1, on_stopped, farm);
}

static void cancel_running(struct list *stations)
{
    LIST_EACH (node, stations) {
        struct station *station = LIST_ENTRY(node, struct station, node);

        if (station->fiber)
            fiber_cancel(station->fiber);
    }
}

static void stop_now(struct farm *farm)
{
    farm->stop_at_once = true;
    cancel_running(&farm->stations);
    cancel_running(&farm->retiring);
}

static void on_stop_timeout(uv_timer_t *timer)
{
    struct farm *farm = timer->data;

    log_warning(&farm->log, "units in work do not finish in time: cancelling them");
    stop_now(farm);
}

/* Stations that only wait look around at once; those with a board in hand are left alone. */
static void stop_idle(struct list *stations)
{
    LIST_EACH (node, stations) {
        struct station *station = LIST_ENTRY(node, struct station, node);

        if (station->fiber && station->state != STATE_RUNNING && station->state != STATE_RECORDING)
            fiber_cancel(station->fiber);
    }
}

void farm_stop(struct farm *farm, int timeout_ms, farm_done *done, void *context)
{
    farm->stop_done = done;
    farm->stop_context = context;
    if (farm->stopping) {
        stop_now(farm);
        return;
    }
    farm->stopping = true;
    if (uv_is_active((uv_handle_t *)&farm->retry)) {
        (void)uv_timer_stop(&farm->retry); /* once more, and then no more */
        append_late(farm);
    }
    (void)uv_timer_start(&farm->stop_timer, on_stop_timeout, (uint64_t)timeout_ms, 0);
    stop_idle(&farm->stations);
    stop_idle(&farm->retiring);
    end_stop(farm);
}
