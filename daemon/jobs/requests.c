/* SPDX-License-Identifier: Apache-2.0 */
/* What clients may ask of the farm: each request is answered once, after what it did is durable. */
#include "parts.h"
#include "recipes.h"
#include "unit_data.h"

#include "alloc.h"
#include "await.h"
#include "bytes.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* --- live state --------------------------------------------------------------------------- */

json_t *farm_stations(const struct farm *farm)
{
    json_t *stations = json_array();

    LIST_EACH (node, &farm->stations) {
        (void)json_array_append_new(stations, station_describe(LIST_ENTRY(node, struct station, node)));
    }
    return stations;
}

json_t *farm_station(const struct farm *farm, const char *name)
{
    const struct station *station = farm_find_station(farm, name);

    return station ? station_describe(station) : NULL;
}

json_t *farm_job_live(const struct farm *farm, int64_t id)
{
    const struct job *job = farm_find_job(farm, id);

    return job && job_open(job) ? job_live(job) : NULL;
}

struct farm_statistics farm_statistics(const struct farm *farm)
{
    struct farm_statistics statistics = farm->statistics;

    LIST_EACH (node, &farm->stations) {
        const struct station *station = LIST_ENTRY(node, struct station, node);

        statistics.stations++;
        statistics.stations_running += station->run != 0;
        statistics.stations_lost += station->state == STATE_PORT_LOST;
        statistics.stations_disabled += !station->enabled;
    }
    LIST_EACH (other, &farm->jobs) {
        statistics.jobs_open += job_open(LIST_ENTRY(other, struct job, node));
    }
    return statistics;
}

void farm_failures(const struct farm *farm,
                   void (*each)(void *context, const char *station, const char *class_word, int64_t count),
                   void *context)
{
    LIST_EACH (node, &farm->stations) {
        const struct station *station = LIST_ENTRY(node, struct station, node);

        for (int class = 1; class < FAILURE_COUNT; class ++)
            if (station->counts.failure[class])
                each(context, station->settings.name, failure_word((enum failure) class),
                     station->counts.failure[class]);
    }
}

static json_t *describe_chip(const struct chip *chip)
{
    const struct chip_family *family = chip->family;
    json_t *names = json_array();

    for (size_t i = 0; protocols[i]; i++)
        if (protocols[i]->chips == family->kind)
            (void)json_array_append_new(names, json_string(protocols[i]->name));
    return json_pack("{s:s,s:s,s:s,s:I,s:I,s:I,s:o}", "name", chip->name, "family", family->name, "document",
                     family->document, "id", (json_int_t)family->id, "flash_base",
                     (json_int_t)family->flash_base, "flash_size", (json_int_t)chip->flash_size, "protocols",
                     names);
}

json_t *farm_chips(void)
{
    json_t *items = json_array();

    for (size_t i = 0; i < chip_count(); i++)
        (void)json_array_append_new(items, describe_chip(chip_at(i)));
    return json_pack("{s:o,s:n}", "items", items, "next");
}

json_t *farm_chip(const char *name)
{
    const struct chip *chip = chip_find(name);

    return chip ? describe_chip(chip) : NULL;
}

const char *farm_upload_directory(const struct farm *farm)
{
    return images_upload_directory(farm->images);
}

void farm_image_add(struct farm *farm, const struct farm_upload *upload, farm_answer *answer, void *context)
{
    images_add(farm->images, upload, answer, context);
}

/* --- stations ----------------------------------------------------------------------------- */

struct enabling {
    struct farm *farm;
    char name[STATION_NAME_MAX];
    bool enabled;
    farm_done *done;
    void *context;
};

static void enable(struct farm *farm, const char *name, bool enabled)
{
    struct station *station = farm_find_station(farm, name);

    (void)json_object_set_new(farm->remembered, name, json_boolean(enabled));
    if (!station) /* it left the configuration meanwhile, and may come back */
        return;
    station->enabled = enabled;
    station_wake(station);
    farm_review_jobs(farm);
}

static void on_enabled(void *context, int status, const struct error *error)
{
    struct enabling *enabling = context;

    if (status == 0)
        enable(enabling->farm, enabling->name, enabling->enabled);
    enabling->done(enabling->context, status, error);
    free(enabling);
}

/* The record first: what the next start would not remember has not been said. */
static void set_enabled(struct station *station, bool enabled, const char *by, farm_done *done, void *context)
{
    struct enabling *enabling = allocate(1, sizeof *enabling);
    struct store_fact fact = {.kind = "station.enabled"};

    *enabling =
        (struct enabling){.farm = station->farm, .enabled = enabled, .done = done, .context = context};
    (void)snprintf(enabling->name, sizeof enabling->name, "%s", station->settings.name);
    log_notice(&station->log, "%s by %s", enabled ? "enabled" : "disabled", by);
    fact.body = json_pack("{s:s,s:b,s:s}", "name", station->settings.name, "enabled", enabled, "by", by);
    store_append(station->farm->options.store, &fact, 1, on_enabled, enabling);
}

void farm_station_command(struct farm *farm, const char *name, enum station_command command, const char *by,
                          farm_done *done, void *context)
{
    struct station *station = farm_find_station(farm, name);
    struct error error = ERROR_NONE;

    if (!station) {
        (void)error_set(&error, -ENOENT, "there is no station \"%s\"", name);
        done(context, error.code, &error);
        return;
    }
    switch (command) {
    case STATION_START:
        station_press_start(station, by, done, context);
        break;
    case STATION_RECORD:
        station->record_next = true;
        done(context, 0, &error);
        break;
    case STATION_ENABLE:
    case STATION_DISABLE:
        set_enabled(station, command == STATION_ENABLE, by, done, context);
        break;
    }
}

void farm_station_identify(struct farm *farm, const char *name, farm_answer *answer, void *context)
{
    struct station *station = farm_find_station(farm, name);
    struct error error = ERROR_NONE;
    struct identify_request *request;

    if (!station)
        (void)error_set(&error, -ENOENT, "there is no station \"%s\"", name);
    else if (station->run != 0)
        (void)error_set(&error, -EBUSY, "station %s has a unit in work", name);
    else if (farm->stopping)
        (void)error_set(&error, -EBUSY, "the daemon is stopping");
    if (error.code) {
        answer(context, NULL, &error);
        return;
    }
    request = allocate(1, sizeof *request);
    request->answer = answer;
    request->context = context;
    list_append(&station->identify_requests, &request->node);
    station_wake(station);
}

/* --- jobs --------------------------------------------------------------------------------- */

struct submission {
    struct farm *farm;
    json_t *body;
    char *key; /* NULL: none */
    char *by;
    char body_sha256[2 * crypto_hash_sha256_BYTES + 1];
    enum order_right right;
    farm_answer *answer;
    void *context;
};

static json_t *find_job(struct farm *farm, int64_t id, struct error *error)
{
    struct await await = await_begin(farm->options.fibers, error);

    store_job(farm->options.store, id, await_answered, &await);
    return await_end(&await);
}

static void hash_body(struct submission *submission)
{
    uint8_t hash[crypto_hash_sha256_BYTES];
    char *text = json_dumps(submission->body, JSON_COMPACT | JSON_SORT_KEYS);

    (void)crypto_hash_sha256(hash, (const unsigned char *)text, strlen(text));
    bytes_to_hex(hash, sizeof hash, submission->body_sha256);
    free(text);
}

/* 1: this key was used before, and *answer is what it was answered (NULL with an error: another body). */
static int find_repeated(struct submission *submission, json_t **answer, struct error *error)
{
    struct farm *farm = submission->farm;
    struct await await = await_begin(farm->options.fibers, error);
    json_t *known;

    store_idempotency(farm->options.store, submission->key, await_answered, &await);
    known = await_end(&await);
    if (!known)
        return error->code == -ENOENT ? 0 : error->code;
    if (strcmp(json_string_value(json_object_get(known, "body_sha256")), submission->body_sha256) != 0) {
        (void)error_set(error, -EPERM, "this Idempotency-Key was used for job %lld with another body",
                        (long long)json_integer_value(json_object_get(known, "job")));
    } else {
        *answer = find_job(farm, json_integer_value(json_object_get(known, "job")), error);
        if (*answer)
            (void)json_object_set_new(*answer, "repeated", json_true());
    }
    json_decref(known);
    return 1;
}

/* What is not a column of its own. */
static json_t *options_of(const json_t *body)
{
    static const char *const columns[] = {"chip",    "images",     "stations",           "quantity",
                                          "trigger", "work_order", "hold_after_failures"};
    json_t *options = json_deep_copy(body);

    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        (void)json_object_del(options, columns[i]);
    (void)json_object_del(options, "dry_run");
    return options;
}

static json_t *submitted_body(const struct submission *submission, const struct job *job)
{
    static const char *const triggers[] = {"immediate", "on_insert", "on_start"};
    json_t *stations = json_array();
    json_t *body;

    for (size_t i = 0; i < job->place_count; i++)
        (void)json_array_append_new(stations, json_string(job->places[i].station));
    body = json_pack("{s:I,s:s,s:O,s:o,s:i,s:s,s:s,s:i,s:o,s:s}", "id", (json_int_t)job->id, "chip",
                     job->order.chip->name, "images", job->images, "stations", stations, "quantity",
                     job->quantity, "trigger", triggers[job->trigger], "work_order", job->work_order,
                     "hold_after_failures", job->hold_after_failures, "options", options_of(job->body), "by",
                     job->by);
    if (job->recipe)
        (void)json_object_set(body, "recipe", (json_t *)(uintptr_t)job->recipe);
    if (job->serial_pool)
        (void)json_object_set_new(body, "serial_pool", json_string(job->serial_pool));
    if (job->unit_count)
        (void)json_object_set_new(body, "units", json_integer((json_int_t)job->unit_count));
    if (submission->key)
        (void)json_object_set_new(
            body, "idempotency",
            json_pack("{s:s,s:s}", "key", submission->key, "body_sha256", submission->body_sha256));
    return body;
}

static json_t *accept_job(struct submission *submission, struct job *job, struct error *error)
{
    struct farm *farm = submission->farm;
    struct store_fact fact = {.kind = "job.submitted"};
    json_t *answer;

    job->id = ++farm->last_job;
    job->log = log_named(farm->options.log, "job %lld", (long long)job->id);
    job->by = copy_text(submission->by);
    fact.body = submitted_body(submission, job);
    list_append(&farm->accepting, &job->node); /* what it wants of pools counts from now on */
    if (store_append_wait(farm->options.store, farm->options.fibers, &fact, 1, error) < 0) {
        list_remove(&job->node);
        if (job->recipe && error->code == -EPROTO) /* retired a moment ago */
            (void)error_reclass(error, -EBUSY);
        job_free(job);
        return NULL;
    }
    list_remove(&job->node);
    log_notice(&job->log, "submitted by %s: %d of %s at %zu stations", job->by, job->quantity,
               job->order.chip->name, job->place_count);
    list_append(&farm->jobs, &job->node);
    answer = find_job(farm, job->id, error);
    farm_review_jobs(farm); /* its stations may have gone meanwhile */
    farm_wake(farm);
    return answer;
}

/* What an order by the name of a recipe says itself: where, how many, for whom. */
static int check_own(const json_t *body, struct error *error)
{
    const char *name;
    json_t *value;

    json_object_foreach ((json_t *)(uintptr_t)body, name, value) {
        if (!json_is_null(value) && (job_recipe_says(name) || strcmp(name, "image") == 0))
            return error_set(error, -EINVAL, "%s: that is for the recipe to say; leave it out", name);
    }
    return 0;
}

/* The order with what its recipe says, a new reference: complete, so that it can go on after a start whatever
 * becomes of the recipe. NULL with the error. */
static json_t *whole_order(const struct submission *submission, struct error *error)
{
    const json_t *named = json_object_get(submission->body, "recipe");
    json_t *content = NULL, *recipe = NULL;

    if (submission->right == ORDER_RELEASED && (!named || json_is_null(named)))
        (void)error_set(error, -EACCES, "you may order released recipes only: name one as \"recipe\"");
    else if (submission->right == ORDER_RELEASED && json_object_get(submission->body, "rework"))
        (void)error_set(error, -EACCES, "rework is for an engineer to order");
    else if (!named || json_is_null(named))
        return json_incref(submission->body);
    if (error->code || check_own(submission->body, error) < 0 ||
        recipe_resolve(submission->farm, named, submission->right, &content, &recipe, error) < 0)
        return NULL;
    (void)json_object_update_missing(content, submission->body);
    (void)json_object_set_new(content, "recipe",
                              json_pack("{s:O,s:O,s:O}", "name", json_object_get(recipe, "name"), "version",
                                        json_object_get(recipe, "version"), "hash",
                                        json_object_get(recipe, "hash")));
    json_decref(recipe);
    return content;
}

static int check_pools(const struct job *job, struct error *error)
{
    for (size_t i = 0; i < job->pool_count; i++) {
        const struct pool *pool = pool_find(job->farm, job->pools[i]);
        int64_t left = pool_left(pool), promised = pool_wanted(job->farm, pool->name, job);

        if (left - promised < job->quantity)
            return error_set(
                error, -EINVAL,
                "serial pool %s: %lld numbers are left, open jobs want %lld of them, and this order "
                "%d: order less, or make another pool",
                pool->name, (long long)left, (long long)promised, job->quantity);
    }
    return 0;
}

/* The findings of an order that cannot even be planned say more than the refusal; false: there are none. */
static bool explain(struct job *job, json_t **answer)
{
    struct error ignored = ERROR_NONE;
    json_t *findings = job->dry_run && job->image.count
                           ? job_lint(job, job->fields, job->pool_count ? job->quantity : 0, &ignored)
                           : NULL;

    if (lint_has_error(findings)) {
        *answer = job_dry_run(job, findings);
        return true;
    }
    json_decref(findings);
    return false;
}

/* What stands between an order that can be read and one that is taken; a dry run ends here, with *answer.
 * What cannot wait comes last: nothing shall change between it and the record. */
static int check_order(struct job *job, json_t **answer, struct error *error)
{
    json_t *findings;

    if (units_check_places(job, error) < 0 || unit_data_check(job, error) < 0)
        return error->code;
    if (job_prepare(job, error) < 0)
        return error->code == -EINVAL && explain(job, answer) ? 0 : error->code;
    findings = job_lint(job, job->fields, job->pool_count ? job->quantity : 0, error);
    if (!findings)
        return error->code;
    if (job->dry_run) {
        *answer = job_dry_run(job, findings);
        return 0;
    }
    (void)lint_refuse(findings, error);
    json_decref(findings);
    if (error->code || recipe_check_signatures(job, error) < 0 ||
        recipe_check_count(job, job->recipe, job->quantity, error) < 0)
        return error->code;
    return job->rework ? 0 : check_pools(job, error);
}

static json_t *take_order(struct submission *submission, json_t *whole, struct error *error)
{
    json_t *answer = NULL;
    struct job *job;

    if (job_parse(submission->farm, whole, &job, error) < 0)
        return NULL;
    if (check_order(job, &answer, error) == 0 && !answer)
        return accept_job(submission, job, error);
    job_free(job);
    return answer;
}

static json_t *submit(struct submission *submission, struct error *error)
{
    struct farm *farm = submission->farm;
    bool dry_run = json_is_true(json_object_get(submission->body, "dry_run"));
    json_t *answer = NULL, *whole;

    hash_body(submission);
    if (submission->key && !dry_run && find_repeated(submission, &answer, error) != 0)
        return answer;
    *error = ERROR_NONE;
    if (farm->stopping || !farm->started) {
        (void)error_set(error, -EBUSY, "the daemon is %s", farm->stopping ? "stopping" : "starting");
        return NULL;
    }
    whole = whole_order(submission, error);
    if (whole)
        answer = take_order(submission, whole, error);
    json_decref(whole);
    return answer;
}

static void run_submission(void *argument)
{
    struct submission *submission = argument;
    struct error error = ERROR_NONE;
    json_t *answer = submit(submission, &error);

    if (submission->key)
        (void)json_object_del(submission->farm->keys_in_progress, submission->key);
    submission->answer(submission->context, answer, &error);
}

static void end_submission(void *argument)
{
    struct submission *submission = argument;

    json_decref(submission->body);
    free(submission->key);
    free(submission->by);
    free(submission);
}

void farm_job_submit(struct farm *farm, json_t *body, const char *idempotency_key, enum order_right right,
                     const char *by, farm_answer *answer, void *context)
{
    struct submission *submission;

    if (idempotency_key && json_object_get(farm->keys_in_progress, idempotency_key)) {
        answer(
            context, NULL,
            &(struct error){.code = -EAGAIN, .text = "a request with this Idempotency-Key is in progress"});
        return;
    }
    submission = allocate(1, sizeof *submission);
    *submission = (struct submission){.farm = farm,
                                      .body = json_incref(body),
                                      .key = idempotency_key ? copy_text(idempotency_key) : NULL,
                                      .by = copy_text(by),
                                      .right = right,
                                      .answer = answer,
                                      .context = context};
    if (idempotency_key)
        (void)json_object_set_new(farm->keys_in_progress, idempotency_key, json_true());
    fiber_start(farm->options.fibers, "submit", run_submission, end_submission, submission);
}

static void cancel_units_of(const struct job *job, const struct list *stations)
{
    LIST_EACH (node, stations) {
        struct station *station = LIST_ENTRY(node, struct station, node);

        if (station->job == job && station->state == STATE_RUNNING && station->fiber)
            fiber_cancel(station->fiber);
    }
}

/* The recorded command takes effect; the job may be gone afterwards. */
static void obey(struct job *job, enum job_state state, const char *reason)
{
    struct farm *farm = job->farm;

    if (state == JOB_RUNNING)
        job->failures_since_resume = 0;
    job_set_state(job, state, reason, true);
    if (state == JOB_CANCELLED) {
        cancel_units_of(job, &farm->stations);
        cancel_units_of(job, &farm->retiring);
    }
    job_review(job);
    farm_wake(farm);
}

struct job_request {
    struct farm *farm;
    int64_t id;
    enum job_state state;
    char reason[128];
    farm_answer *answer;
    void *context;
};

/* The record first: a command that could not be made durable has not been given. */
static int command_job(const struct job_request *request, struct error *error)
{
    struct farm *farm = request->farm;
    struct job *job = farm_find_job(farm, request->id);
    struct store_fact fact = {.kind = "job.state"};
    int status;

    if (!job || !job_open(job))
        return error_set(error, -EBUSY, "job %lld has ended already", (long long)request->id);
    if (job->state == request->state)
        return 0;
    fact.body = job_state_body(request->id, request->state, request->reason);
    job->commands++;
    status = store_append_wait(farm->options.store, farm->options.fibers, &fact, 1, error);
    job = farm_find_job(farm, request->id); /* another command may have ended it meanwhile */
    if (job) {
        job->commands--;
        if (status == 0)
            obey(job, request->state, request->reason);
        else
            job_review(job);
    }
    return status == -EPROTO ? error_reclass(error, -EBUSY) : status;
}

static void run_job_command(void *argument)
{
    struct job_request *request = argument;
    struct error error = ERROR_NONE;
    struct error refusal = ERROR_NONE;
    int status = command_job(request, &refusal);
    json_t *job = find_job(request->farm, request->id, &error);

    if (job && status < 0) {
        error = refusal;
        json_decref(job);
        job = NULL;
    }
    request->answer(request->context, job, &error);
}

void farm_job_command(struct farm *farm, int64_t id, enum job_command command, const char *by,
                      farm_answer *answer, void *context)
{
    static const enum job_state states[] = {
        [JOB_CANCEL] = JOB_CANCELLED, [JOB_HOLD] = JOB_HELD, [JOB_RESUME] = JOB_RUNNING};
    struct job_request *request = allocate(1, sizeof *request);

    *request = (struct job_request){
        .farm = farm, .id = id, .state = states[command], .answer = answer, .context = context};
    (void)snprintf(request->reason, sizeof request->reason, "by %s", by);
    fiber_start(farm->options.fibers, "job", run_job_command, free, request);
}
